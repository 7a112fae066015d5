"""DoorKey: a locked door between the agent and the goal, and its key (`minigrid/envs/doorkey.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import (
    colored,
    place,
    place_agent,
    put_object,
    vertical_wall,
    wall_rect,
)
from visnav.envs.grid.world import DOOR_LOCKED, GOAL, KEY, WALL, YELLOW, Task
from visnav.envs.rng import integers


def door_key(rng, level, size):  # type: ignore[no-untyped-def]
    """A wall splits the room; agent and key are on its left, the goal on its right."""
    wall_rect(level, 0, 0, size, size)
    put_object(level, size - 2, size - 2, GOAL)
    split = integers(rng, 2, size - 2)
    vertical_wall(level, split, 0, size, WALL)
    place_agent(rng, level, 0, 0, split, size)
    put_object(level, split, integers(rng, 1, size - 2), colored(DOOR_LOCKED, YELLOW))
    place(rng, level, colored(KEY, YELLOW), 0, 0, split, size)


def door_key_task(size: int = 8) -> Task:
    """MiniGrid's DoorKeyEnv."""
    check_whole("size", size, 5)
    return Task(
        level=door_key,
        args=(size,),
        width=size,
        height=size,
        max_steps=10 * size**2,
        missions=("use the key to open the door and then get to the goal",),
    )
