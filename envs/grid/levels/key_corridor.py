"""KeyCorridor: find the key, and pick up the object that is locked away (`minigrid/envs/keycorridor.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_name, check_whole
from visnav.envs.grid.building import color_missions, colored, random_color
from visnav.envs.grid.rooms import (
    add_door,
    add_object,
    connect_all,
    make_rooms,
    place_agent_in_room,
    remove_wall,
    room_scratch,
)
from visnav.envs.grid.world import BALL, BOX, DOOR_LOCKED, KEY, LEFT, PICK_UP, UP, Task
from visnav.envs.rng import integers

OBJECTS = {"ball": BALL, "box": BOX, "key": KEY}
MAX_ROWS = 63  # with four doors a row at most, the object numbers last


def key_corridor(rng, level, num_rows, kind, room_size):  # type: ignore[no-untyped-def]
    """Rooms on both sides of a corridor: the object in a locked one on the right, the key in one on the left."""
    rooms = make_rooms(rng, level, room_size, 3, num_rows)
    for row in range(1, num_rows):
        remove_wall(level, rooms, 1, row, UP)
    row = integers(rng, 0, num_rows)
    door_color = random_color(rng)
    add_door(level, rooms, 2, row, LEFT, colored(DOOR_LOCKED, door_color))
    color = random_color(rng)
    level.target[2] = add_object(rng, level, rooms, 2, row, colored(kind, color))
    level.mission[0] = color
    add_object(rng, level, rooms, 0, integers(rng, 0, num_rows), colored(KEY, door_color))
    place_agent_in_room(rng, level, rooms, 1, num_rows // 2)
    connect_all(rng, level, rooms)


def key_corridor_task(num_rows: int = 3, obj_type: str = "ball", room_size: int = 6) -> Task:
    """MiniGrid's KeyCorridorEnv."""
    check_whole("num_rows", num_rows, 1, MAX_ROWS)
    check_name("obj_type", obj_type, OBJECTS)
    check_whole("room_size", room_size, 3)
    return Task(
        level=key_corridor,
        args=(num_rows, OBJECTS[obj_type], room_size),
        width=3 * (room_size - 1) + 1,
        height=num_rows * (room_size - 1) + 1,
        max_steps=30 * room_size**2,
        missions=color_missions(f"pick up the {{color}} {obj_type}"),
        objective=PICK_UP,
        scratch=room_scratch(3, num_rows),
    )
