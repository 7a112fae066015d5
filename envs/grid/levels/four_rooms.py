"""FourRooms: four rooms, four gaps, agent and goal anywhere (`minigrid/envs/fourrooms.py`)."""

from __future__ import annotations

from visnav.envs.grid.building import (
    check_position,
    horizontal_wall,
    place,
    place_agent,
    put,
    put_object,
    vertical_wall,
    wall_rect,
)
from visnav.envs.grid.world import EMPTY, GOAL, WALL, Task
from visnav.envs.rng import integers

SIZE = 19


def four_rooms(rng, level, agent_x, agent_y, goal_x, goal_y):  # type: ignore[no-untyped-def]
    """Agent and goal stand where they are told, or anywhere (agent_x = -1, goal_x = -1)."""
    wall_rect(level, 0, 0, SIZE, SIZE)
    half = SIZE // 2
    for row in range(2):
        for column in range(2):
            left, top = column * half, row * half
            if column == 0:
                vertical_wall(level, left + half, top, half, WALL)
                put(level, left + half, integers(rng, top + 1, top + half), EMPTY)
            if row == 0:
                horizontal_wall(level, left, top + half, half, WALL)
                put(level, integers(rng, left + 1, left + half), top + half, EMPTY)
    if agent_x < 0:
        place_agent(rng, level, 0, 0, SIZE, SIZE)
    else:
        put(level, agent_x, agent_y, EMPTY)
        level.agent[0] = agent_x
        level.agent[1] = agent_y
        level.agent[2] = integers(rng, 0, 4)
    if goal_x < 0:
        place(rng, level, GOAL, 0, 0, SIZE, SIZE)
    else:
        put_object(level, goal_x, goal_y, GOAL)


def four_rooms_task(agent_pos: tuple[int, int] | None = None, goal_pos: tuple[int, int] | None = None) -> Task:
    """MiniGrid's FourRoomsEnv."""
    return Task(
        level=four_rooms,
        args=(
            *check_position("agent_pos", agent_pos, 1, SIZE - 2),
            *check_position("goal_pos", goal_pos, 0, SIZE - 1),
        ),
        width=SIZE,
        height=SIZE,
        max_steps=100,
        missions=("reach the goal",),
    )
