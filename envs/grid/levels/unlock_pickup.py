"""UnlockPickup: pick up the box behind a locked door (`minigrid/envs/unlockpickup.py`)."""

from __future__ import annotations

from visnav.envs.grid.building import color_missions, colored, random_color
from visnav.envs.grid.rooms import add_door, add_object, make_rooms, place_agent_in_room, room_scratch
from visnav.envs.grid.world import BOX, DOOR_LOCKED, KEY, PICK_UP, RIGHT, Task

ROOM_SIZE = 6


def unlock_pickup(rng, level):  # type: ignore[no-untyped-def]
    """Two rooms; agent and key are in the left one, the box is in the right one."""
    rooms = make_rooms(rng, level, ROOM_SIZE, 2, 1)
    box_color = random_color(rng)
    level.target[2] = add_object(rng, level, rooms, 1, 0, colored(BOX, box_color))
    level.mission[0] = box_color
    door_color = random_color(rng)
    add_door(level, rooms, 0, 0, RIGHT, colored(DOOR_LOCKED, door_color))
    add_object(rng, level, rooms, 0, 0, colored(KEY, door_color))
    place_agent_in_room(rng, level, rooms, 0, 0)


def unlock_pickup_task() -> Task:
    """MiniGrid's UnlockPickupEnv."""
    return Task(
        level=unlock_pickup,
        width=2 * ROOM_SIZE - 1,
        height=ROOM_SIZE,
        max_steps=8 * ROOM_SIZE**2,
        missions=color_missions("pick up the {color} box"),
        objective=PICK_UP,
        scratch=room_scratch(2, 1),
    )
