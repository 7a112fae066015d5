"""Memory: at the end of a hallway, go to the object that was seen at its start (`minigrid/envs/memory.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_flag, check_whole
from visnav.envs.grid.building import colored, horizontal_wall, put, put_object, vertical_wall, wall_rect
from visnav.envs.grid.world import BALL, GREEN, KEY, REACH_CELL, WALL, Task
from visnav.envs.rng import integers

# left, right, forward, toggle for pickup, drop, toggle, done: nothing can be carried off
ACTIONS = (0, 1, 2, 5, 4, 5, 6)


def memory(rng, level, size, random_length):  # type: ignore[no-untyped-def]
    """A room on the left, a hallway, and a fork with a key and a ball on its right."""
    middle = size // 2
    wall_rect(level, 0, 0, size, size)
    end = integers(rng, 4, size - 2) if random_length else size - 3  # of the hallway
    horizontal_wall(level, 1, middle - 2, 4, WALL)
    horizontal_wall(level, 1, middle + 2, 4, WALL)
    put(level, 4, middle - 1, WALL)
    put(level, 4, middle + 1, WALL)
    horizontal_wall(level, 5, middle - 1, end - 5, WALL)
    horizontal_wall(level, 5, middle + 1, end - 5, WALL)
    vertical_wall(level, end, 0, middle, WALL)
    vertical_wall(level, end, middle + 1, size - middle - 1, WALL)
    vertical_wall(level, end + 2, 0, size, WALL)

    level.agent[0] = integers(rng, 1, end + 1)
    level.agent[1] = middle
    seen_is_ball = integers(rng, 0, 2)
    key_is_on_top = integers(rng, 0, 2)
    put_object(level, 1, middle - 1, colored(BALL if seen_is_ball else KEY, GREEN))
    put_object(level, end + 1, middle - 2, colored(KEY if key_is_on_top else BALL, GREEN))
    put_object(level, end + 1, middle + 2, colored(BALL if key_is_on_top else KEY, GREEN))
    up = seen_is_ball != key_is_on_top
    level.target[0] = end + 1
    level.target[1] = middle - 1 if up else middle + 1
    level.other_target[0] = end + 1
    level.other_target[1] = middle + 1 if up else middle - 1


def memory_task(size: int, random_length: bool = False) -> Task:
    """MiniGrid's MemoryEnv."""
    check_flag("random_length", random_length)
    check_whole("size", size, 7 if random_length else 5)
    if size % 2 == 0:
        raise ValueError(f"size is odd, so that the hallway runs in the middle; got {size}")
    return Task(
        level=memory,
        args=(size, random_length),
        width=size,
        height=size,
        max_steps=5 * size**2,
        missions=("go to the matching object at the end of the hallway",),
        objective=REACH_CELL,
        actions=ACTIONS,
    )
