"""RedBlueDoors: open the red door, then the blue one (`minigrid/envs/redbluedoors.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import colored, place_agent, put_object, wall_rect
from visnav.envs.grid.world import BLUE, DOOR_CLOSED, OPEN_IN_ORDER, RED, Task
from visnav.envs.rng import integers


def red_blue_doors(rng, level, size):  # type: ignore[no-untyped-def]
    """A square room in the middle of a wide one, the red door on its left and the blue one on its right."""
    left, right = size // 2, size // 2 + size - 1
    wall_rect(level, 0, 0, 2 * size, size)
    wall_rect(level, left, 0, size, size)
    place_agent(rng, level, left, 0, size, size)
    red_y = integers(rng, 1, size - 1)
    put_object(level, left, red_y, colored(DOOR_CLOSED, RED))
    blue_y = integers(rng, 1, size - 1)
    put_object(level, right, blue_y, colored(DOOR_CLOSED, BLUE))
    level.target[0] = right
    level.target[1] = blue_y
    level.other_target[0] = left
    level.other_target[1] = red_y


def red_blue_doors_task(size: int = 8) -> Task:
    """MiniGrid's RedBlueDoorEnv."""
    check_whole("size", size, 3)
    return Task(
        level=red_blue_doors,
        args=(size,),
        width=2 * size,
        height=size,
        max_steps=20 * size**2,
        missions=("open the red door then the blue door",),
        objective=OPEN_IN_ORDER,
    )
