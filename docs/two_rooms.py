"""A task of one's own in one file: two rooms, and an opening between them."""

import visnav.envs
from visnav.envs.grid import Task
from visnav.envs.grid.building import place, place_agent, put, vertical_wall, wall_rect
from visnav.envs.grid.world import EMPTY, GOAL, WALL
from visnav.envs.rng import integers


def two_rooms(rng, level, size):
    """The agent starts on the left, the goal is on the right; the wall and its opening are drawn."""
    wall_rect(level, 0, 0, size, size)
    middle = integers(rng, 2, size - 2)
    vertical_wall(level, middle, 0, size, WALL)
    put(level, middle, integers(rng, 1, size - 1), EMPTY)
    place_agent(rng, level, 0, 0, middle, size)
    place(rng, level, GOAL, middle + 1, 0, size, size)


def two_rooms_task(size: int = 6) -> Task:
    """Its grid, step limit and mission; the keywords of this function are keywords of `gym.make`."""
    return Task(
        level=two_rooms,
        args=(size,),
        width=size,
        height=size,
        max_steps=4 * size**2,
        missions=("find the opening and get to the goal",),
    )


visnav.envs.register({"me/TwoRooms-6x6-v0": two_rooms_task})
