"""A maze of one's own in one file: a corridor around a block, driven in metres."""

import math

import visnav.envs
from visnav.envs.grid import Task
from visnav.envs.grid.building import place, place_agent, put, wall_rect
from visnav.envs.grid.world import GOAL, POINT_GOAL, WALL
from visnav.envs.rng import integers, uniform


def ring_road(rng, level, size):
    """The block's size is drawn; the goal and the agent stand anywhere around it."""
    wall_rect(level, 0, 0, size, size)
    margin = integers(rng, 2, size // 2)
    for y in range(margin, size - margin):
        for x in range(margin, size - margin):
            put(level, x, y, WALL)
    level.target[0], level.target[1] = place(rng, level, GOAL, 0, 0, size, size)
    place_agent(rng, level, 0, 0, size, size)
    level.heading[0] = uniform(rng, 0.0, 2.0 * math.pi)


def ring_road_task(size: int = 9) -> Task:
    """Its grid, step limit and objective; the camera is the agent's eyes."""
    return Task(
        level=ring_road,
        args=(size,),
        width=size,
        height=size,
        max_steps=300,
        missions=("drive to the goal",),
        objective=POINT_GOAL,
        camera="first_person",
    )


visnav.envs.register({"me/RingRoad-PointGoal-9x9-v0": ring_road_task})
