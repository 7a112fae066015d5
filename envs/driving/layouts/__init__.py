"""Every driving task by ID: one file a road, one entry a task."""

from __future__ import annotations

from collections.abc import Callable

from visnav.envs.driving.layouts.highway import highway, highway_fast
from visnav.envs.driving.layouts.merge import merge, merge_generic
from visnav.envs.driving.world import Task

TASKS: dict[str, Callable[..., Task]] = {
    "highway-v0": highway,
    "highway-fast-v0": highway_fast,
    "merge-v0": merge,
    "merge-generic-v0": merge_generic,
}
