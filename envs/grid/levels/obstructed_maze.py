"""ObstructedMaze: a ball behind locked doors, balls in the way, keys in boxes (`minigrid/envs/obstructedmaze.py`).

Also its second version, in which a blocking ball no longer lands on a key or box (`obstructedmaze_v1.py`).
"""

from __future__ import annotations

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.checks import check_flag, check_whole
from visnav.envs.grid.building import colored, put_inside, put_object, random_colors
from visnav.envs.grid.rooms import add_door, add_object, make_rooms, place_agent_in_room, room_scratch
from visnav.envs.grid.world import (
    BALL,
    BLUE,
    BOX,
    COLOR_NAMES,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DX,
    DY,
    GREEN,
    GREY,
    KEY,
    PICK_UP,
    RIGHT,
    Task,
)
from visnav.envs.rng import integers

ROOM_SIZE = 6
MISSION = "pick up the blue ball"
OBJECTS_A_QUARTER = 9  # three doors, two balls in the way, two boxes, two keys
CORNERS = ((2, 0), (2, 2), (0, 2), (0, 0))  # rooms, by quarter


@jit
def _add_locked_door(level, rooms, column, row, side, color, blocked):  # type: ignore[no-untyped-def]
    """A locked door, and where `blocked` a ball before it, on whatever is there."""
    x, y = add_door(level, rooms, column, row, side, colored(DOOR_LOCKED, color))
    if blocked:
        put_object(level, x - DX[side], y - DY[side], colored(BALL, GREEN))


@jit
def _add_key(rng, level, rooms, column, row, color, in_box):  # type: ignore[no-untyped-def]
    """A key in a room, or in a box."""
    if in_box:
        put_inside(level, add_object(rng, level, rooms, column, row, colored(BOX, GREY)), colored(KEY, color))
    else:
        add_object(rng, level, rooms, column, row, colored(KEY, color))


def obstructed_maze_1d(rng, level, key_in_box, blocked):  # type: ignore[no-untyped-def]
    """One door; agent and key are on its left."""
    rooms = make_rooms(rng, level, ROOM_SIZE, 2, 1)
    colors = level.scratch[-len(COLOR_NAMES) :]
    random_colors(rng, colors)
    _add_locked_door(level, rooms, 0, 0, RIGHT, colors[0], blocked)
    _add_key(rng, level, rooms, 0, 0, colors[0], key_in_box)
    level.target[2] = add_object(rng, level, rooms, 1, 0, colored(BALL, BLUE))
    place_agent_in_room(rng, level, rooms, 0, 0)


def obstructed_maze(  # type: ignore[no-untyped-def]
    rng, level, agent_column, agent_row, key_in_box, blocked, num_quarters, keys_last
):
    """Three by three rooms: from each side room that is in play, locked doors lead to two corners."""
    rooms = make_rooms(rng, level, ROOM_SIZE, 3, 3)
    colors = level.scratch[-len(COLOR_NAMES) :]
    random_colors(rng, colors)
    for quarter in range(num_quarters):
        column, row = 1 + DX[quarter], 1 + DY[quarter]
        add_door(level, rooms, 1, 1, quarter, colored(DOOR_CLOSED, colors[quarter]))
        for turn in (-1, 1):
            color = colors[(quarter + turn) % len(COLOR_NAMES)]
            _add_locked_door(level, rooms, column, row, (quarter + turn) % 4, color, blocked)
            if not keys_last:
                _add_key(rng, level, rooms, column, row, color, key_in_box)
        if keys_last:
            for turn in (-1, 1):
                color = colors[(quarter + turn) % len(COLOR_NAMES)]
                _add_key(rng, level, rooms, column, row, color, key_in_box)
    column, row = CORNERS[integers(rng, 0, num_quarters)]
    level.target[2] = add_object(rng, level, rooms, column, row, colored(BALL, BLUE))
    place_agent_in_room(rng, level, rooms, agent_column, agent_row)


def obstructed_maze_1d_task(key_in_box: bool = True, blocked: bool = True) -> Task:
    """MiniGrid's ObstructedMaze_1Dlhb."""
    return Task(
        level=obstructed_maze_1d,
        args=(check_flag("key_in_box", key_in_box), check_flag("blocked", blocked)),
        width=2 * ROOM_SIZE - 1,
        height=ROOM_SIZE,
        max_steps=8 * ROOM_SIZE**2,
        missions=(MISSION,),
        objective=PICK_UP,
        scratch=room_scratch(2, 1) + len(COLOR_NAMES),
        contents=OBJECTS_A_QUARTER,
    )


def obstructed_maze_task(
    agent_room: tuple[int, int] = (1, 1),
    key_in_box: bool = True,
    blocked: bool = True,
    num_quarters: int = 4,
    num_rooms_visited: int = 25,
) -> Task:
    """MiniGrid's ObstructedMaze_Full."""
    return _maze_task(agent_room, key_in_box, blocked, num_quarters, num_rooms_visited, keys_last=False)


def obstructed_maze_v1_task(
    agent_room: tuple[int, int] = (1, 1),
    key_in_box: bool = True,
    blocked: bool = True,
    num_quarters: int = 4,
    num_rooms_visited: int = 25,
) -> Task:
    """MiniGrid's ObstructedMaze_Full_V1: a room's keys are placed after both of its blocking balls."""
    return _maze_task(agent_room, key_in_box, blocked, num_quarters, num_rooms_visited, keys_last=True)


def _maze_task(
    agent_room: tuple[int, int],
    key_in_box: bool,
    blocked: bool,
    num_quarters: int,
    num_rooms_visited: int,
    keys_last: bool,
) -> Task:
    if np.shape(agent_room) != (2,) or any(k not in range(3) for k in agent_room):
        raise ValueError(f"agent_room is (column, row) within 0..2; got {agent_room!r}")
    check_whole("num_quarters", num_quarters, 1, len(CORNERS))
    check_whole("num_rooms_visited", num_rooms_visited, 1)
    return Task(
        level=obstructed_maze,
        args=(
            *agent_room,
            check_flag("key_in_box", key_in_box),
            check_flag("blocked", blocked),
            num_quarters,
            keys_last,
        ),
        width=3 * (ROOM_SIZE - 1) + 1,
        height=3 * (ROOM_SIZE - 1) + 1,
        max_steps=4 * num_rooms_visited * ROOM_SIZE**2,
        missions=(MISSION,),
        objective=PICK_UP,
        scratch=room_scratch(3, 3) + len(COLOR_NAMES),
        contents=OBJECTS_A_QUARTER * num_quarters + 2,
    )
