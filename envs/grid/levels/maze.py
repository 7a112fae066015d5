"""Mazes, and rooms with openings, under continuous control: drive to a point, or find an object.

A maze is rooms of one cell: rooms stand in rows, a wall of one cell between them, and a spanning tree drawn uniformly
says which walls have an opening.
"""

from __future__ import annotations

import math

from visnav.envs.batch import jit
from visnav.envs.checks import check_name, check_whole
from visnav.envs.grid.building import colored, put, put_object
from visnav.envs.grid.world import (
    BALL,
    BOX,
    COLOR_NAMES,
    DX,
    DY,
    EMPTY,
    GOAL,
    KEY,
    OBJECT_GOAL,
    POINT_GOAL,
    WALL,
    Task,
)
from visnav.envs.rng import integers, uniform

KINDS = (KEY, BALL, BOX)
KIND_NAMES = ("key", "ball", "box")
MAX_STEPS = 500  # Habitat's, for point and object navigation
MAX_WALK = 1_000_000  # steps of the random walk; drawing the tree of 31 x 31 rooms takes about 20,000
START_DISTANCE = 2  # cells, at least, between the agent and what it looks for
GOALS = {"point": POINT_GOAL, "object": OBJECT_GOAL}


@jit
def _open_wall(rng, level, column, row, direction, side):  # type: ignore[no-untyped-def]
    """Make an opening, one cell wide, in the wall of a room; column and row count rooms."""
    along = integers(rng, 0, side)
    x, y = 1 + column * (side + 1), 1 + row * (side + 1)
    if DX[direction] != 0:
        put(level, x + (side if DX[direction] > 0 else -1), y + along, EMPTY)
    else:
        put(level, x + along, y + (side if DY[direction] > 0 else -1), EMPTY)


@jit
def _connect(rng, level, rooms, side):  # type: ignore[no-untyped-def]
    """Open the walls of a uniform spanning tree (Wilson 1996, "Generating random spanning trees more quickly ...").

    A random walk from each room outside of the tree runs until it meets the tree; a room remembers the direction in
    which it was last left, so that following these directions from the start leaves the walk's loops out.
    """
    leaving = level.scratch  # by room: -1 in the tree, else the direction
    for k in range(rooms * rooms):
        leaving[k] = 0
    leaving[integers(rng, 0, rooms * rooms)] = -1
    left = MAX_WALK
    for first in range(rooms * rooms):
        room = first
        while leaving[room] != -1 and left > 0:
            left -= 1
            direction = integers(rng, 0, 4)
            column, row = room % rooms + DX[direction], room // rooms + DY[direction]
            if 0 <= column < rooms and 0 <= row < rooms:
                leaving[room] = direction
                room = row * rooms + column
        room = first
        while leaving[room] != -1 and left > 0:
            direction = leaving[room]
            leaving[room] = -1
            _open_wall(rng, level, room % rooms, room // rooms, direction, side)
            room += DX[direction] + rooms * DY[direction]
    level.failed[0] |= left == 0


@jit
def _add_loops(rng, level, rooms, side, loops):  # type: ignore[no-untyped-def]
    """Make `loops` more openings, each in a wall between two rooms that is drawn from all of them."""
    for _ in range(loops):
        first = integers(rng, 0, rooms * (rooms - 1))
        column, row = first % (rooms - 1), first // (rooms - 1)
        if integers(rng, 0, 2) == 0:
            _open_wall(rng, level, column, row, 0, side)
        else:
            _open_wall(rng, level, row, column, 1, side)


@jit
def _is_aside(level, x, y):  # type: ignore[no-untyped-def]
    """Whether an object at the free cell (x, y) blocks no way: free neighbours connect round it, and none holds one."""
    ends, sides = 0, 0
    for direction in range(4):
        ahead_x, ahead_y = DX[direction], DY[direction]
        right_x, right_y = -ahead_y, ahead_x
        ahead = level.cells[y + ahead_y, x + ahead_x]
        diagonal = level.cells[y + ahead_y + right_y, x + ahead_x + right_x]
        if (ahead != EMPTY and ahead != WALL) or (diagonal != EMPTY and diagonal != WALL):
            return False
        if ahead == EMPTY:
            sides += 1
            ends += not (diagonal == EMPTY and level.cells[y + right_y, x + right_x] == EMPTY)
    return sides > 0 and ends <= 1


@jit
def _draw_cell(rng, level, aside):  # type: ignore[no-untyped-def]
    """A free cell, away from the target, as (x, y); (0, 0) where there is none.

    Args:
        aside: whether it has to be one where an object blocks no way.
    """
    height, width = level.cells.shape
    found = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            far = abs(x - level.target[0]) + abs(y - level.target[1]) >= START_DISTANCE
            if far and level.cells[y, x] == EMPTY and (not aside or _is_aside(level, x, y)):
                level.scratch[found] = y * width + x
                found += 1
    if found == 0:
        return 0, 0
    cell = level.scratch[integers(rng, 0, found)]
    return cell % width, cell // width


@jit
def _draw_look(rng, level, count):  # type: ignore[no-untyped-def]
    """Number of a kind and colour that none of the `count` objects has; those stand in scratch from its end."""
    last = level.scratch.shape[0] - 1
    look = integers(rng, 0, len(KINDS) * len(COLOR_NAMES) - count)
    for number in range(len(KINDS) * len(COLOR_NAMES)):
        taken = False
        for k in range(count):
            taken |= level.scratch[last - k] == number
        if not taken:
            if look == 0:
                level.scratch[last - count] = number
                return number
            look -= 1
    return 0


@jit
def _place_objects(rng, level, objects):  # type: ignore[no-untyped-def]
    """Place objects of different looks where they block no way, as many as find room; the first is the target."""
    for count in range(objects):
        x, y = _draw_cell(rng, level, True)
        if x == 0:
            level.failed[0] |= count == 0
            return
        look = _draw_look(rng, level, count)
        kind, color = KINDS[look // len(COLOR_NAMES)], look % len(COLOR_NAMES)
        number = put_object(level, x, y, colored(kind, color))
        if count == 0:
            level.mission[0] = look
            level.target[0], level.target[1], level.target[2] = x, y, number


def maze(rng, level, rooms, side, loops, objects):  # type: ignore[no-untyped-def]
    """`rooms` x `rooms` rooms of `side` x `side` cells; a goal, or objects, and the agent anywhere else."""
    size = level.cells.shape[0]
    for y in range(size):
        for x in range(size):
            if x % (side + 1) == 0 or y % (side + 1) == 0:
                put(level, x, y, WALL)
    _connect(rng, level, rooms, side)
    if objects > 0:
        _place_objects(rng, level, objects)
    _add_loops(rng, level, rooms, side, loops)
    if objects == 0:
        x, y = _draw_cell(rng, level, False)
        number = put_object(level, x, y, GOAL)
        level.target[0], level.target[1], level.target[2] = x, y, number
    x, y = _draw_cell(rng, level, False)
    level.agent[0], level.agent[1] = x, y
    level.heading[0] = uniform(rng, 0.0, 2.0 * math.pi)


def maze_task(size: int = 9, room_size: int = 1, goal: str = "point", loops: int = 0, objects: int = 4) -> Task:
    """A square of rooms in which the agent drives.

    Args:
        size: cells along a side, walls included: a multiple of room_size + 1, and 1 more.
        room_size: cells along a side of a room; 1 makes a maze.
        goal: "point": get to a goal; "object": get to an object of the kind and colour asked for.
        loops: openings made beyond those that connect all rooms, some of which may fall together.
        objects: to look among, each of another look; fewer where there is no room for more.
    """
    check_whole("room_size", room_size, 1)
    check_whole("size", size, 2 * room_size + 3)
    if (size - 1) % (room_size + 1):
        first = 2 * room_size + 3
        examples = ", ".join(str(first + k * (room_size + 1)) for k in range(4))
        raise ValueError(
            f"size is 1 more than a multiple of room_size + 1 = {room_size + 1}, such as {examples}; got {size}"
        )
    check_name("goal", goal, GOALS)
    check_whole("loops", loops, 0)
    check_whole("objects", objects, 1, len(KINDS) * len(COLOR_NAMES))
    is_object = goal == "object"
    looks = tuple(f"find the {color} {kind}" for kind in KIND_NAMES for color in COLOR_NAMES)
    return Task(
        level=maze,
        args=((size - 1) // (room_size + 1), room_size, loops, objects if is_object else 0),
        width=size,
        height=size,
        max_steps=MAX_STEPS,
        missions=looks if is_object else ("get to the green goal square",),
        objective=GOALS[goal],
        scratch=size * size + len(KINDS) * len(COLOR_NAMES),
        success_distance=0.5 if is_object else 0.2,
        camera="first_person",
    )
