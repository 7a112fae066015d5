"""PutNear: carry one object beside another (`minigrid/envs/putnear.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import MAX_TRIES, THING_TEXTS, place_agent, place_things, thing_number, wall_rect
from visnav.envs.grid.world import PUT_NEAR, Task
from visnav.envs.rng import integers


def put_near(rng, level, size, num_objects):  # type: ignore[no-untyped-def]
    """No two objects touch at first."""
    wall_rect(level, 0, 0, size, size)
    things = place_things(rng, level, num_objects, True)
    place_agent(rng, level, 0, 0, size, size)
    moved = integers(rng, 0, num_objects)
    goal = integers(rng, 0, num_objects)
    for _ in range(MAX_TRIES):
        if goal != moved:
            break
        goal = integers(rng, 0, num_objects)
    level.target[0] = things.x[goal]
    level.target[1] = things.y[goal]
    level.target[2] = things.look[moved]
    level.mission[0] = len(THING_TEXTS) * thing_number(things.look[moved]) + thing_number(things.look[goal])


def put_near_task(size: int = 6, numObjs: int = 2) -> Task:  # noqa: N803 (the original's name)
    """MiniGrid's PutNearEnv."""
    check_whole("size", size, 5)
    places = ((size - 1) // 2) ** 2  # where objects that do not touch find room
    check_whole("numObjs", numObjs, 2, min(places, len(THING_TEXTS)))
    return Task(
        level=put_near,
        args=(size, numObjs),
        width=size,
        height=size,
        max_steps=5 * size,
        missions=tuple(f"put the {moved} near the {goal}" for moved in THING_TEXTS for goal in THING_TEXTS),
        objective=PUT_NEAR,
        see_through_walls=True,
        scratch=3 * numObjs,
    )
