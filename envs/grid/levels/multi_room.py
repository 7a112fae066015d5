"""MultiRoom: a chain of rooms joined by doors, the goal in the last (`minigrid/envs/multiroom.py`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.checks import check_whole
from visnav.envs.grid.building import colored, place, place_agent, put_object, wall_rect
from visnav.envs.grid.world import DOOR_CLOSED, DOWN, GOAL, LEFT, RIGHT, SORTED_COLORS, Task
from visnav.envs.rng import integers

MIN_ROOM_SIZE = 4
MAX_CHAINS = 1_000_000  # chains begun before a level is given up; the original goes on for ever
NEXT_TRIES = 8  # places tried for the next room
MAX_ROOMS = 250  # the object numbers of doors last


class Chain(NamedTuple):
    """The rooms placed so far: views of `level.scratch`, one entry a room."""

    x: NDArray[np.int32]  # left column
    y: NDArray[np.int32]  # top row
    width: NDArray[np.int32]  # cells, walls included
    height: NDArray[np.int32]
    door_x: NDArray[np.int32]  # where it is entered
    door_y: NDArray[np.int32]


@jit
def _add_room(rng, level, chain, count, max_size, entry_side, door_x, door_y):  # type: ignore[no-untyped-def]
    """Place room number `count` behind a door on its entry side. Returns whether there was room for it."""
    width = integers(rng, MIN_ROOM_SIZE, max_size + 1)
    height = integers(rng, MIN_ROOM_SIZE, max_size + 1)
    x, y = door_x, door_y
    if count > 0:
        if entry_side in (RIGHT, LEFT):
            y = integers(rng, door_y - height + 2, door_y)
        else:
            x = integers(rng, door_x - width + 2, door_x)
        if entry_side == RIGHT:
            x = door_x - width + 1
        elif entry_side == DOWN:
            y = door_y - height + 1
    if x < 0 or y < 0 or x + width > level.cells.shape[1] or y + height >= level.cells.shape[0]:
        return False
    for k in range(count - 1):
        apart_in_x = x + width < chain.x[k] or chain.x[k] + chain.width[k] <= x
        apart_in_y = y + height < chain.y[k] or chain.y[k] + chain.height[k] <= y
        if not (apart_in_x or apart_in_y):
            return False
    chain.x[count], chain.y[count] = x, y
    chain.width[count], chain.height[count] = width, height
    chain.door_x[count], chain.door_y[count] = door_x, door_y
    return True


@jit
def _add_next_room(rng, level, chain, count, max_size, entry_side):  # type: ignore[no-untyped-def]
    """Place one more room beyond the last. Returns its entry side, -1 when no place was found."""
    x, y = chain.x[count - 1], chain.y[count - 1]
    width, height = chain.width[count - 1], chain.height[count - 1]
    for _ in range(NEXT_TRIES):
        exit_side = integers(rng, 0, 3)
        if exit_side >= entry_side:  # any but the one it was entered by
            exit_side += 1
        if exit_side in (RIGHT, LEFT):
            door_x = x + width - 1 if exit_side == RIGHT else x
            door_y = y + integers(rng, 1, height - 1)
        else:
            door_x = x + integers(rng, 1, width - 1)
            door_y = y + height - 1 if exit_side == DOWN else y
        next_entry = (exit_side + 2) % 4
        if _add_room(rng, level, chain, count, max_size, next_entry, door_x, door_y):
            return next_entry
    return -1


@jit
def _add_chain(rng, level, chain, num_rooms, max_size):  # type: ignore[no-untyped-def]
    """Place rooms, each beyond the one before, until there are `num_rooms` or no place is found. Returns how many."""
    limit = level.cells.shape[1] - 2  # for the row too, as in the original
    door_x = integers(rng, 0, limit)
    door_y = integers(rng, 0, limit)
    entry_side = np.int64(LEFT)
    if not _add_room(rng, level, chain, 0, max_size, entry_side, door_x, door_y):
        return 0
    for count in range(1, num_rooms):
        entry_side = _add_next_room(rng, level, chain, count, max_size, entry_side)
        if entry_side < 0:
            return count
    return num_rooms


def multi_room(rng, level, min_rooms, max_rooms, max_size):  # type: ignore[no-untyped-def]
    """The agent is in the first room of a chain that is begun again until it is long enough."""
    room = level.scratch
    chain = Chain(
        room[:max_rooms],
        room[max_rooms : 2 * max_rooms],
        room[2 * max_rooms : 3 * max_rooms],
        room[3 * max_rooms : 4 * max_rooms],
        room[4 * max_rooms : 5 * max_rooms],
        room[5 * max_rooms : 6 * max_rooms],
    )
    num_rooms = integers(rng, min_rooms, max_rooms + 1)
    chains = 1
    while _add_chain(rng, level, chain, num_rooms, max_size) < num_rooms:
        chains += 1
        if chains > MAX_CHAINS:
            level.failed[0] = True
            return

    color = -1  # the place of the last door's colour among the sorted ones
    for k in range(num_rooms):
        wall_rect(level, chain.x[k], chain.y[k], chain.width[k], chain.height[k])
        if k > 0:
            drawn = integers(rng, 0, 6 if color < 0 else 5)
            color = drawn if color < 0 or drawn < color else drawn + 1
            put_object(level, chain.door_x[k], chain.door_y[k], colored(DOOR_CLOSED, SORTED_COLORS[color]))
    last = num_rooms - 1
    place_agent(rng, level, chain.x[0], chain.y[0], chain.width[0], chain.height[0])
    place(rng, level, GOAL, chain.x[last], chain.y[last], chain.width[last], chain.height[last])


def multi_room_task(
    minNumRooms: int,  # noqa: N803 (the original's names)
    maxNumRooms: int,  # noqa: N803
    maxRoomSize: int = 10,  # noqa: N803
    width: int = 25,
    height: int = 25,
) -> Task:
    """MiniGrid's MultiRoomEnv."""
    check_whole("minNumRooms", minNumRooms, 1, MAX_ROOMS)
    check_whole("maxNumRooms", maxNumRooms, minNumRooms, MAX_ROOMS)
    check_whole("maxRoomSize", maxRoomSize, MIN_ROOM_SIZE)
    check_whole("width", width, MIN_ROOM_SIZE)
    check_whole("height", height, MIN_ROOM_SIZE + 1)
    return Task(
        level=multi_room,
        args=(minNumRooms, maxNumRooms, maxRoomSize),
        width=width,
        height=height,
        max_steps=maxNumRooms * 20,
        missions=("traverse the rooms to get to the goal",),
        scratch=6 * maxNumRooms,
    )
