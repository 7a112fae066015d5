"""Playground: nine rooms with doors and twelve objects, and nothing to do (`minigrid/envs/playground.py`)."""

from __future__ import annotations

from visnav.envs.grid.building import (
    THINGS,
    colored,
    horizontal_wall,
    place,
    place_agent,
    put_object,
    random_color,
    random_thing,
    vertical_wall,
    wall_rect,
)
from visnav.envs.grid.world import DOOR_CLOSED, WALL, Task
from visnav.envs.rng import integers

SIZE = 19
NUM_THINGS = 12


def playground(rng, level):  # type: ignore[no-untyped-def]
    """Three by three rooms, a door between any two neighbours."""
    wall_rect(level, 0, 0, SIZE, SIZE)
    room = SIZE // 3
    for row in range(3):
        for column in range(3):
            left, top = column * room, row * room
            if column < 2:
                vertical_wall(level, left + room, top, room, WALL)
                y = integers(rng, top + 1, top + room - 1)
                put_object(level, left + room, y, colored(DOOR_CLOSED, random_color(rng)))
            if row < 2:
                horizontal_wall(level, left, top + room, room, WALL)
                x = integers(rng, left + 1, left + room - 1)
                put_object(level, x, top + room, colored(DOOR_CLOSED, random_color(rng)))
    place_agent(rng, level, 0, 0, SIZE, SIZE)
    for _ in range(NUM_THINGS):
        place(rng, level, random_thing(rng, THINGS), 0, 0, SIZE, SIZE)


def playground_task() -> Task:
    """MiniGrid's PlaygroundEnv."""
    return Task(level=playground, width=SIZE, height=SIZE, max_steps=100, missions=("",))
