"""Fetch: pick up the key or ball that the mission names, and no other (`minigrid/envs/fetch.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import MAX_OBJECTS, place, place_agent, random_thing, wall_rect
from visnav.envs.grid.world import BALL, COLOR_NAMES, FETCH, KEY, Task, color_of, kind_of
from visnav.envs.rng import integers

KINDS = (KEY, BALL)
SYNTAX = ("get a", "go get a", "fetch a", "go fetch a", "you must fetch a")


def fetch(rng, level, size, num_objects):  # type: ignore[no-untyped-def]
    """Objects may look alike: any that looks as the mission says will do."""
    wall_rect(level, 0, 0, size, size)
    looks = level.scratch[:num_objects]
    for k in range(num_objects):
        looks[k] = random_thing(rng, KINDS)
        place(rng, level, looks[k], 0, 0, size, size)
    place_agent(rng, level, 0, 0, size, size)
    wanted = looks[integers(rng, 0, num_objects)]
    syntax = integers(rng, 0, len(SYNTAX))
    level.target[2] = wanted
    level.mission[0] = (len(COLOR_NAMES) * syntax + color_of(wanted)) * len(KINDS) + kind_of(wanted) - KEY


def fetch_task(size: int = 8, numObjs: int = 3) -> Task:  # noqa: N803 (the original's name)
    """MiniGrid's FetchEnv."""
    check_whole("size", size, 4)
    check_whole("numObjs", numObjs, 1, min(MAX_OBJECTS, (size - 2) ** 2 - 1))  # one cell is the agent's
    return Task(
        level=fetch,
        args=(size, numObjs),
        width=size,
        height=size,
        max_steps=5 * size**2,
        missions=tuple(
            f"{verb} {color} {kind}" for verb in SYNTAX for color in COLOR_NAMES for kind in ("key", "ball")
        ),
        objective=FETCH,
        see_through_walls=True,
        scratch=numObjs,
    )
