"""Every driving task by ID: one file a road, one entry a task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from visnav.envs.driving.config import changed
from visnav.envs.driving.layouts.exit import exit_task
from visnav.envs.driving.layouts.highway import highway, highway_fast
from visnav.envs.driving.layouts.intersection import DRIVEN, intersection_task
from visnav.envs.driving.layouts.lane_keeping import lane_keeping_task
from visnav.envs.driving.layouts.merge import merge, merge_generic
from visnav.envs.driving.layouts.parking import parking_task
from visnav.envs.driving.layouts.racetrack import racetrack_large_task, racetrack_oval_task, racetrack_task
from visnav.envs.driving.layouts.roundabout import roundabout_generic_task, roundabout_task
from visnav.envs.driving.layouts.two_way import two_way_task
from visnav.envs.driving.layouts.u_turn import u_turn_task
from visnav.envs.driving.world import Task

TASKS: dict[str, Callable[..., Task]] = {
    "highway-v0": highway,
    "highway-fast-v0": highway_fast,
    "merge-v0": merge,
    "merge-generic-v0": merge_generic,
    "roundabout-v0": roundabout_task,
    "roundabout-generic-v0": roundabout_generic_task,
    "intersection-v0": intersection_task,
    "intersection-v1": changed(intersection_task, **DRIVEN),
    "parking-v0": parking_task,
    "parking-ActionRepeat-v0": changed(parking_task, policy_frequency=1, duration=20.0),
    "parking-parked-v0": partial(parking_task, vehicles_count=10),
    "racetrack-v0": racetrack_task,
    "racetrack-large-v0": racetrack_large_task,
    "racetrack-oval-v0": racetrack_oval_task,
    "u-turn-v0": u_turn_task,
    "two-way-v0": two_way_task,
    "exit-v0": exit_task,
    "lane-keeping-v0": lane_keeping_task,
}
