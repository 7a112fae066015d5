"""Level functions, one task family a file, and the registry of every grid task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from visnav.envs.grid.levels.door_key import door_key_task
from visnav.envs.grid.levels.empty import empty_task
from visnav.envs.grid.world import Task

TASKS: dict[str, Callable[..., Task]] = {
    "MiniGrid-Empty-5x5-v0": partial(empty_task, size=5),
    "MiniGrid-Empty-Random-5x5-v0": partial(empty_task, size=5, agent_start_pos=None),
    "MiniGrid-Empty-6x6-v0": partial(empty_task, size=6),
    "MiniGrid-Empty-Random-6x6-v0": partial(empty_task, size=6, agent_start_pos=None),
    "MiniGrid-Empty-8x8-v0": partial(empty_task, size=8),
    "MiniGrid-Empty-16x16-v0": partial(empty_task, size=16),
    "MiniGrid-DoorKey-5x5-v0": partial(door_key_task, size=5),
    "MiniGrid-DoorKey-6x6-v0": partial(door_key_task, size=6),
    "MiniGrid-DoorKey-8x8-v0": partial(door_key_task, size=8),
    "MiniGrid-DoorKey-16x16-v0": partial(door_key_task, size=16),
}
