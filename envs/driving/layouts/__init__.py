"""Every driving task by ID: one file a road, one entry a task."""

from __future__ import annotations

from collections.abc import Callable

from visnav.envs.driving.world import Task

TASKS: dict[str, Callable[..., Task]] = {}
