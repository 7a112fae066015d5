"""Dynamic-Obstacles: to the goal through balls that move about (`minigrid/envs/dynamicobstacles.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import check_position, colored, free_cell, place_agent, put_object, wall_rect
from visnav.envs.grid.world import BALL, BLUE, GOAL, OBSTACLE_TRIES, Task

ACTIONS = (0, 1, 2, 0, 0, 0, 0)  # left, right, forward, and left for anything else


def dynamic_obstacles(rng, level, size, start_x, start_y, start_dir):  # type: ignore[no-untyped-def]
    """The agent starts where it is told, or anywhere (start_x = -1)."""
    wall_rect(level, 0, 0, size, size)
    put_object(level, size - 2, size - 2, GOAL)
    if start_x < 0:
        place_agent(rng, level, 0, 0, size, size)
    else:
        level.agent[0] = start_x
        level.agent[1] = start_y
        level.agent[2] = start_dir
    for k in range(level.obstacles.shape[0]):
        x, y = free_cell(rng, level.cells, level.agent, 0, 0, size, size, OBSTACLE_TRIES)
        put_object(level, x, y, colored(BALL, BLUE))
        level.obstacles[k, 0] = x
        level.obstacles[k, 1] = y


def dynamic_obstacles_task(
    size: int = 8,
    agent_start_pos: tuple[int, int] | None = (1, 1),
    agent_start_dir: int = 0,
    n_obstacles: int = 4,
) -> Task:
    """MiniGrid's DynamicObstaclesEnv: more than size / 2 + 1 obstacles become size / 2."""
    check_whole("size", size, 4 if agent_start_pos is not None else 5)
    x, y = check_position("agent_start_pos", agent_start_pos, 1, size - 2)
    if agent_start_dir not in range(4):
        raise ValueError(f"agent_start_dir is 0 (right), 1 (down), 2 (left) or 3 (up); got {agent_start_dir!r}")
    check_whole("n_obstacles", n_obstacles, 0)
    return Task(
        level=dynamic_obstacles,
        args=(size, x, y, agent_start_dir),
        width=size,
        height=size,
        max_steps=4 * size**2,
        missions=("get to the green goal square",),
        see_through_walls=True,
        obstacles=n_obstacles if n_obstacles <= size / 2 + 1 else size // 2,
        collisions=True,
        actions=ACTIONS,
    )
