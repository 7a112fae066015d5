"""Unlock: open a locked door with the key that lies in the same room (`minigrid/envs/unlock.py`)."""

from __future__ import annotations

from visnav.envs.grid.building import colored, random_color
from visnav.envs.grid.rooms import add_door, add_object, make_rooms, place_agent_in_room, room_scratch
from visnav.envs.grid.world import DOOR_LOCKED, KEY, OPEN_DOOR, RIGHT, Task

ROOM_SIZE = 6


def unlock(rng, level):  # type: ignore[no-untyped-def]
    """Two rooms; agent and key are in the left one."""
    rooms = make_rooms(rng, level, ROOM_SIZE, 2, 1)
    color = random_color(rng)
    level.target[0], level.target[1] = add_door(level, rooms, 0, 0, RIGHT, colored(DOOR_LOCKED, color))
    add_object(rng, level, rooms, 0, 0, colored(KEY, color))
    place_agent_in_room(rng, level, rooms, 0, 0)


def unlock_task() -> Task:
    """MiniGrid's UnlockEnv."""
    return Task(
        level=unlock,
        width=2 * ROOM_SIZE - 1,
        height=ROOM_SIZE,
        max_steps=8 * ROOM_SIZE**2,
        missions=("open the door",),
        objective=OPEN_DOOR,
        scratch=room_scratch(2, 1),
    )
