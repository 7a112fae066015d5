"""LavaGap: a strip of lava (or wall) with one gap (`minigrid/envs/lavagap.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_name, check_whole
from visnav.envs.grid.building import OBSTACLES, put, put_object, vertical_wall, wall_rect
from visnav.envs.grid.levels.crossing import MISSIONS
from visnav.envs.grid.world import EMPTY, GOAL, Task
from visnav.envs.rng import integers


def lava_gap(rng, level, size, obstacle):  # type: ignore[no-untyped-def]
    """The strip runs down, between the agent's corner and the goal's."""
    wall_rect(level, 0, 0, size, size)
    level.agent[0] = 1
    level.agent[1] = 1
    put_object(level, size - 2, size - 2, GOAL)
    gap_x = integers(rng, 2, size - 2)
    gap_y = integers(rng, 1, size - 1)
    vertical_wall(level, gap_x, 1, size - 2, obstacle)
    put(level, gap_x, gap_y, EMPTY)


def lava_gap_task(size: int = 7, obstacle_type: str = "lava") -> Task:
    """MiniGrid's LavaGapEnv."""
    check_whole("size", size, 5)
    check_name("obstacle_type", obstacle_type, OBSTACLES)
    return Task(
        level=lava_gap,
        args=(size, OBSTACLES[obstacle_type]),
        width=size,
        height=size,
        max_steps=4 * size**2,
        missions=(MISSIONS[obstacle_type],),
    )
