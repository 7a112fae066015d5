"""GoToDoor: a door on each wall, and one of them to go to (`minigrid/envs/gotodoor.py`)."""

from __future__ import annotations

from visnav.envs.checks import check_whole
from visnav.envs.grid.building import (
    MAX_TRIES,
    color_missions,
    colored,
    is_among,
    place_agent,
    put_object,
    random_color,
    wall_rect,
)
from visnav.envs.grid.world import DOOR_CLOSED, GO_TO, Task
from visnav.envs.rng import integers


def go_to_door(rng, level, size):  # type: ignore[no-untyped-def]
    """The room's width and height are 5 to size; the four doors differ in colour."""
    width = integers(rng, 5, size + 1)
    height = integers(rng, 5, size + 1)
    wall_rect(level, 0, 0, width, height)
    top_x = integers(rng, 2, width - 2)
    bottom_x = integers(rng, 2, width - 2)
    left_y = integers(rng, 2, height - 2)
    right_y = integers(rng, 2, height - 2)
    x = (top_x, bottom_x, 0, width - 1)
    y = (0, height - 1, left_y, right_y)

    colors = level.scratch[:4]
    drawn = 0
    for _ in range(MAX_TRIES):
        color = random_color(rng)
        if not is_among(color, colors, drawn):
            colors[drawn] = color
            drawn += 1
            if drawn == 4:
                break
    for k in range(4):
        put_object(level, x[k], y[k], colored(DOOR_CLOSED, colors[k]))
    place_agent(rng, level, 0, 0, width, height)
    goal = integers(rng, 0, 4)
    level.target[0] = x[goal]
    level.target[1] = y[goal]
    level.mission[0] = colors[goal]


def go_to_door_task(size: int = 5) -> Task:
    """MiniGrid's GoToDoorEnv."""
    check_whole("size", size, 5)
    return Task(
        level=go_to_door,
        args=(size,),
        width=size,
        height=size,
        max_steps=4 * size**2,
        missions=color_missions("go to the {color} door"),
        objective=GO_TO,
        see_through_walls=True,
        scratch=4,
    )
