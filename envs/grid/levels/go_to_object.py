"""GoToObject: say `done` beside the object that the mission names (`minigrid/envs/gotoobject.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import THING_TEXTS, place_agent, place_things, thing_number, wall_rect
from visnav.envs.grid.world import GO_TO, Task
from visnav.envs.rng import integers


def go_to_object(rng, level, size, num_objects):  # type: ignore[no-untyped-def]
    """What counts is where the object lay at first, even when it is carried away."""
    wall_rect(level, 0, 0, size, size)
    things = place_things(rng, level, num_objects, False)
    place_agent(rng, level, 0, 0, size, size)
    goal = integers(rng, 0, num_objects)
    level.target[0] = things.x[goal]
    level.target[1] = things.y[goal]
    level.mission[0] = thing_number(things.look[goal])


def go_to_object_task(size: int = 6, numObjs: int = 2) -> Task:  # noqa: N803 (the original's name)
    """MiniGrid's GoToObjectEnv."""
    check_whole("size", size, 4)
    check_whole("numObjs", numObjs, 1, min(len(THING_TEXTS), (size - 2) ** 2 - 1))  # one cell is the agent's
    return Task(
        level=go_to_object,
        args=(size, numObjs),
        width=size,
        height=size,
        max_steps=5 * size**2,
        missions=tuple(f"go to the {thing}" for thing in THING_TEXTS),
        objective=GO_TO,
        see_through_walls=True,
        scratch=3 * numObjs,
    )
