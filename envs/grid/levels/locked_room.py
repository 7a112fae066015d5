"""LockedRoom: six rooms on a hallway, the goal behind a locked door (`minigrid/envs/lockedroom.py`)."""

from __future__ import annotations

from visnav.envs.batch import jit
from visnav.envs.checks import check_whole
from visnav.envs.grid.building import (
    MAX_TRIES,
    colored,
    horizontal_wall,
    place_agent,
    put_object,
    random_colors,
    vertical_wall,
    wall_rect,
)
from visnav.envs.grid.world import COLOR_NAMES, DOOR_CLOSED, DOOR_LOCKED, GOAL, KEY, WALL, Task
from visnav.envs.rng import integers

ROOMS = 6  # by number: two a row, left and right of the hallway
DOOR_ROW = 3  # of a door, below the top of its room


@jit
def _put_in_room(rng, level, size, room, cell):  # type: ignore[no-untyped-def]
    """Put an object on a random cell of a room."""
    width = size // 2 - 1
    height = size // 3 + 1
    left = 0 if room % 2 == 0 else size // 2 + 2
    top = room // 2 * (size // 3)
    x = integers(rng, left + 1, left + width - 1)
    y = integers(rng, top + 1, top + height - 1)
    put_object(level, x, y, cell)


def locked_room(rng, level, size):  # type: ignore[no-untyped-def]
    """The agent starts in the hallway, the key is in one of the five other rooms."""
    hall_left, hall_right = size // 2 - 2, size // 2 + 2
    wall_rect(level, 0, 0, size, size)
    vertical_wall(level, hall_left, 0, size, WALL)
    vertical_wall(level, hall_right, 0, size, WALL)
    for row in range(3):
        horizontal_wall(level, 0, row * (size // 3), hall_left, WALL)
        horizontal_wall(level, hall_right, row * (size // 3), size - hall_right, WALL)

    locked = integers(rng, 0, ROOMS)
    _put_in_room(rng, level, size, locked, GOAL)
    colors = level.scratch[:ROOMS]  # of the doors, all different
    random_colors(rng, colors)
    for room in range(ROOMS):
        x = hall_left if room % 2 == 0 else hall_right
        kind = DOOR_LOCKED if room == locked else DOOR_CLOSED
        put_object(level, x, room // 2 * (size // 3) + DOOR_ROW, colored(kind, colors[room]))
    key_room = integers(rng, 0, ROOMS)
    for _ in range(MAX_TRIES):
        if key_room != locked:
            break
        key_room = integers(rng, 0, ROOMS)
    _put_in_room(rng, level, size, key_room, colored(KEY, colors[locked]))
    place_agent(rng, level, hall_left, 0, hall_right - hall_left, size)
    level.mission[0] = len(COLOR_NAMES) * colors[locked] + colors[key_room]


def locked_room_task(size: int = 19) -> Task:
    """MiniGrid's LockedRoomEnv; from 12 cells on, the doors lead into their rooms."""
    check_whole("size", size, 3 * (DOOR_ROW + 1))
    return Task(
        level=locked_room,
        args=(size,),
        width=size,
        height=size,
        max_steps=10 * size,
        missions=tuple(
            f"get the {locked} key from the {key_room} room, unlock the {locked} door and go to the goal"
            for locked in COLOR_NAMES
            for key_room in COLOR_NAMES
        ),
        scratch=ROOMS,
    )
