"""DistShift: the way to the goal past two strips of lava, one of which moves (`minigrid/envs/distshift.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import check_position, horizontal_wall, place_agent, put_object, wall_rect
from visnav.envs.grid.world import GOAL, LAVA, Task


def dist_shift(rng, level, width, height, start_x, start_y, start_dir, strip2_row):  # type: ignore[no-untyped-def]
    """The agent starts where it is told, or anywhere (start_x = -1)."""
    wall_rect(level, 0, 0, width, height)
    put_object(level, width - 2, 1, GOAL)
    horizontal_wall(level, 3, 1, width - 6, LAVA)
    horizontal_wall(level, 3, strip2_row, width - 6, LAVA)
    if start_x < 0:
        place_agent(rng, level, 0, 0, width, height)
    else:
        level.agent[0] = start_x
        level.agent[1] = start_y
        level.agent[2] = start_dir


def dist_shift_task(
    width: int = 9,
    height: int = 7,
    agent_start_pos: tuple[int, int] | None = (1, 1),
    agent_start_dir: int = 0,
    strip2_row: int = 2,
) -> Task:
    """MiniGrid's DistShiftEnv."""
    check_whole("width", width, 3)
    check_whole("height", height, 3)
    x, y = check_position("agent_start_pos", agent_start_pos, 1, width - 2, height - 2)
    if agent_start_dir not in range(4):
        raise ValueError(f"agent_start_dir is 0 (right), 1 (down), 2 (left) or 3 (up); got {agent_start_dir!r}")
    check_whole("strip2_row", strip2_row, 0, height - 1)
    return Task(
        level=dist_shift,
        args=(width, height, x, y, agent_start_dir, strip2_row),
        width=width,
        height=height,
        max_steps=4 * width * height,
        missions=("get to the green goal square",),
        see_through_walls=True,
    )
