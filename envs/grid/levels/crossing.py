"""SimpleCrossing and LavaCrossing: walls or rivers of lava across the way (`minigrid/envs/crossing.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_name, check_whole
from visnav.envs.grid.building import OBSTACLES, horizontal_wall, is_among, put, put_object, vertical_wall, wall_rect
from visnav.envs.grid.world import EMPTY, GOAL, Task
from visnav.envs.rng import integers, shuffle

MISSIONS = {
    "lava": "avoid the lava and get to the green goal square",
    "wall": "find the opening and get to the green goal square",
}


def crossing(rng, level, size, num_crossings, obstacle):  # type: ignore[no-untyped-def]
    """Rivers on even columns and rows, each with one opening along a path from the agent's corner to the goal's."""
    wall_rect(level, 0, 0, size, size)
    level.agent[0] = 1
    level.agent[1] = 1
    put_object(level, size - 2, size - 2, GOAL)

    places = (size - 3) // 2  # even columns within the room, and as many rows
    order = level.scratch[: 2 * places]
    columns = level.scratch[2 * places : 3 * places + 2]  # of the rivers that run down, between the outer walls
    rows = level.scratch[3 * places + 2 : 4 * places + 4]  # of the rivers that run across
    for k in range(2 * places):
        order[k] = k
    shuffle(rng, order, 2 * places)
    rivers = num_crossings if num_crossings < 2 * places else 2 * places
    rivers_down, rivers_across = 0, 0
    for k in range(2 * places):
        if not is_among(k, order, rivers):
            continue
        if k < places:
            rivers_down += 1
            columns[rivers_down] = 2 + 2 * k
            vertical_wall(level, 2 + 2 * k, 1, size - 2, obstacle)
        else:
            rivers_across += 1
            rows[rivers_across] = 2 + 2 * (k - places)
            horizontal_wall(level, 1, 2 + 2 * (k - places), size - 2, obstacle)
    columns[0], columns[rivers_down + 1] = 0, size - 1
    rows[0], rows[rivers_across + 1] = 0, size - 1

    for k in range(rivers):
        order[k] = k < rivers_down  # the path: 1 crosses the next river that runs down, 0 one that runs across
    shuffle(rng, order, rivers)
    column, row = 0, 0  # of the field between rivers that the path has come to
    for k in range(rivers):
        if order[k]:
            put(level, columns[column + 1], integers(rng, rows[row] + 1, rows[row + 1]), EMPTY)
            column += 1
        else:
            put(level, integers(rng, columns[column] + 1, columns[column + 1]), rows[row + 1], EMPTY)
            row += 1


def crossing_task(size: int = 9, num_crossings: int = 1, obstacle_type: str = "lava") -> Task:
    """MiniGrid's CrossingEnv."""
    check_whole("size", size, 5)
    if size % 2 == 0:
        raise ValueError(f"size is odd, so that rivers have fields on both sides; got {size}")
    check_whole("num_crossings", num_crossings, 0)
    check_name("obstacle_type", obstacle_type, OBSTACLES)
    return Task(
        level=crossing,
        args=(size, num_crossings, OBSTACLES[obstacle_type]),
        width=size,
        height=size,
        max_steps=4 * size**2,
        missions=(MISSIONS[obstacle_type],),
        scratch=2 * size,
    )
