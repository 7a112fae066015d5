"""BlockedUnlockPickup: as UnlockPickup, and a ball blocks the door (`minigrid/envs/blockedunlockpickup.py`)."""

from __future__ import annotations

from visnav.envs.grid.building import color_missions, colored, put_object, random_color
from visnav.envs.grid.rooms import add_door, add_object, make_rooms, place_agent_in_room, room_scratch
from visnav.envs.grid.world import BALL, BOX, DOOR_LOCKED, KEY, PICK_UP, RIGHT, Task

ROOM_SIZE = 6


def blocked_unlock_pickup(rng, level):  # type: ignore[no-untyped-def]
    """Two rooms; agent, key and ball are in the left one, the box is in the right one."""
    rooms = make_rooms(rng, level, ROOM_SIZE, 2, 1)
    box_color = random_color(rng)
    level.target[2] = add_object(rng, level, rooms, 1, 0, colored(BOX, box_color))
    level.mission[0] = box_color
    door_color = random_color(rng)
    x, y = add_door(level, rooms, 0, 0, RIGHT, colored(DOOR_LOCKED, door_color))
    put_object(level, x - 1, y, colored(BALL, random_color(rng)))
    add_object(rng, level, rooms, 0, 0, colored(KEY, door_color))
    place_agent_in_room(rng, level, rooms, 0, 0)


def blocked_unlock_pickup_task() -> Task:
    """MiniGrid's BlockedUnlockPickupEnv."""
    return Task(
        level=blocked_unlock_pickup,
        width=2 * ROOM_SIZE - 1,
        height=ROOM_SIZE,
        max_steps=16 * ROOM_SIZE**2,
        missions=color_missions("pick up the {color} box"),
        objective=PICK_UP,
        scratch=room_scratch(2, 1),
    )
