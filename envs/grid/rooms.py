"""A grid of square rooms that share walls: MiniGrid's RoomGrid (`minigrid/core/roomgrid.py`), draw for draw.

`make_rooms` builds the walls and draws where doors may be; the other helpers add to them. Rooms are named by
(column, row), sides by the direction that leads out: RIGHT, DOWN, LEFT, UP. What is known of the rooms stands in
`level.scratch`, which a task makes room for with `Task(scratch=room_scratch(columns, rows))`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.grid.building import colored, place_agent, put, put_object, random_color, wall_rect
from visnav.envs.grid.world import (
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOWN,
    DX,
    DY,
    EMPTY,
    LEFT,
    RIGHT,
    UP,
    WALL,
    kind_of,
)
from visnav.envs.rng import integers

PLACE_TRIES = 1001  # positions that RoomGrid tries for an object
CONNECT_TRIES = 5001  # doors that its connect_all tries


class Rooms(NamedTuple):
    """Views of `level.scratch`; room (column, row) is number row * columns + column, its side s is number * 4 + s."""

    size: int  # cells along a side of a room, its walls included
    columns: int
    rows: int
    door_x: NDArray[np.int32]  # (4 * rooms,) where a door on this side stands or would stand, -1 = no neighbour
    door_y: NDArray[np.int32]  # (4 * rooms,)
    joined: NDArray[np.int32]  # (4 * rooms,) 1 = there is a door, or no wall
    locked: NDArray[np.int32]  # (rooms,) 1 = the door added to it last is locked
    reached: NDArray[np.int32]  # (rooms,) for connect_all


def room_scratch(columns: int, rows: int) -> int:
    """Integers of `level.scratch` that rooms take."""
    return 14 * columns * rows


@jit
def make_rooms(rng, level, size, columns, rows):  # type: ignore[no-untyped-def]
    """Build the walls, draw the places of doors, and put the agent in the middle, facing right.

    The agent has to be placed again, but until then objects keep away from it, as in the original.
    """
    count = columns * rows
    rooms = Rooms(
        size,
        columns,
        rows,
        level.scratch[: 4 * count],
        level.scratch[4 * count : 8 * count],
        level.scratch[8 * count : 12 * count],
        level.scratch[12 * count : 13 * count],
        level.scratch[13 * count : 14 * count],
    )
    level.scratch[: 14 * count] = 0
    rooms.door_x[:] = -1
    step = size - 1
    for row in range(rows):
        for column in range(columns):
            wall_rect(level, column * step, row * step, size, size)
    for row in range(rows):
        for column in range(columns):
            side = 4 * room_number(rooms, column, row)
            left, top = column * step, row * step
            if column < columns - 1:
                rooms.door_x[side + RIGHT] = left + step
                rooms.door_y[side + RIGHT] = integers(rng, top + 1, top + step)
            if row < rows - 1:
                rooms.door_x[side + DOWN] = integers(rng, left + 1, left + step)
                rooms.door_y[side + DOWN] = top + step
            if column > 0:
                rooms.door_x[side + LEFT] = rooms.door_x[side - 4 + RIGHT]
                rooms.door_y[side + LEFT] = rooms.door_y[side - 4 + RIGHT]
            if row > 0:
                rooms.door_x[side + UP] = rooms.door_x[side - 4 * columns + DOWN]
                rooms.door_y[side + UP] = rooms.door_y[side - 4 * columns + DOWN]
    level.agent[0] = columns // 2 * step + size // 2
    level.agent[1] = rows // 2 * step + size // 2
    level.agent[2] = RIGHT
    return rooms


@jit
def room_number(rooms, column, row):  # type: ignore[no-untyped-def]
    """Number of room (column, row)."""
    return row * rooms.columns + column


@jit
def _neighbor(rooms, room, side):  # type: ignore[no-untyped-def]
    """Number of the room beyond a side that has one."""
    return room + DX[side] + DY[side] * rooms.columns


@jit
def _join(rooms, room, side):  # type: ignore[no-untyped-def]
    """Note that a room and its neighbour are joined."""
    rooms.joined[4 * room + side] = 1
    rooms.joined[4 * _neighbor(rooms, room, side) + (side + 2) % 4] = 1


@jit
def add_door(level, rooms, column, row, side, cell):  # type: ignore[no-untyped-def]
    """Put a door, `colored(DOOR_LOCKED, RED)` or another, on a side that has a neighbour. Returns where, as (x, y)."""
    room = room_number(rooms, column, row)
    x, y = rooms.door_x[4 * room + side], rooms.door_y[4 * room + side]
    put_object(level, x, y, cell)
    rooms.locked[room] = kind_of(cell) == DOOR_LOCKED
    _join(rooms, room, side)
    return x, y


@jit
def remove_wall(level, rooms, column, row, side):  # type: ignore[no-untyped-def]
    """Take away the wall between a room and the neighbour on a side."""
    step = rooms.size - 1
    left, top = column * step, row * step
    for k in range(1, step):
        if side in (RIGHT, LEFT):
            put(level, left + step if side == RIGHT else left, top + k, EMPTY)
        else:
            put(level, left + k, top + step if side == DOWN else top, EMPTY)
    _join(rooms, room_number(rooms, column, row), side)


@jit
def add_object(rng, level, rooms, column, row, cell):  # type: ignore[no-untyped-def]
    """Put an object in a room, neither on the agent nor beside it. Returns its object number."""
    left, top = column * (rooms.size - 1), row * (rooms.size - 1)
    for _ in range(PLACE_TRIES):
        x = integers(rng, left, left + rooms.size)
        y = integers(rng, top, top + rooms.size)
        distance = abs(x - level.agent[0]) + abs(y - level.agent[1])
        if level.cells[y, x] == EMPTY and distance >= 2:
            return put_object(level, x, y, cell)
    level.failed[0] = True
    return level.num_objects[0]


@jit
def place_agent_in_room(rng, level, rooms, column, row):  # type: ignore[no-untyped-def]
    """Put the agent in a room, facing nothing but floor or wall."""
    left, top = column * (rooms.size - 1), row * (rooms.size - 1)
    for _ in range(PLACE_TRIES):
        place_agent(rng, level, left, top, rooms.size, rooms.size)
        direction = level.agent[2]
        front = level.cells[level.agent[1] + DY[direction], level.agent[0] + DX[direction]]
        if front in (EMPTY, WALL):
            return
    level.failed[0] = True


@jit
def _spread(rooms):  # type: ignore[no-untyped-def]
    """Mark what can be reached from rooms that are reached. Returns how many then are."""
    count = 0
    growing = True
    while growing:
        growing = False
        count = 0
        for room in range(rooms.columns * rooms.rows):
            if not rooms.reached[room]:
                continue
            count += 1
            for side in range(4):
                if rooms.joined[4 * room + side] and not rooms.reached[_neighbor(rooms, room, side)]:
                    rooms.reached[_neighbor(rooms, room, side)] = 1
                    growing = True
    return count


@jit
def connect_all(rng, level, rooms):  # type: ignore[no-untyped-def]
    """Add closed doors of random colours until every room can be reached; locked rooms get none."""
    step = rooms.size - 1
    rooms.reached[:] = 0
    rooms.reached[room_number(rooms, level.agent[0] // step, level.agent[1] // step)] = 1
    for _ in range(CONNECT_TRIES):
        if _spread(rooms) == rooms.columns * rooms.rows:
            return
        column = integers(rng, 0, rooms.columns)
        row = integers(rng, 0, rooms.rows)
        side = integers(rng, 0, 4)
        room = room_number(rooms, column, row)
        if rooms.door_x[4 * room + side] < 0 or rooms.joined[4 * room + side]:
            continue
        if rooms.locked[room] or rooms.locked[_neighbor(rooms, room, side)]:
            continue
        add_door(level, rooms, column, row, side, colored(DOOR_CLOSED, random_color(rng)))
    level.failed[0] = True
