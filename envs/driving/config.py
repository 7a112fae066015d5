"""highway-env's configuration: what every driving task understands of it, whatever its road."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from visnav.envs.checks import check_flag, check_name, check_numbers, check_range, check_real, check_whole, unknown_name
from visnav.envs.driving.world import AGGRESSIVE, DEFENSIVE, IDM, LINEAR, MAX_SPEED, Task

ACTIONS = ("DiscreteMetaAction", "ContinuousAction", "DiscreteAction")
ACTION_DEFAULTS: dict[str, Any] = {  # of `highway_env/envs/common/action.py`; each is a field of `Task`
    "longitudinal": True,
    "lateral": True,
    "target_speeds": Task.target_speeds,
    "acceleration_range": Task.acceleration_range,
    "steering_range": Task.steering_range,
    "speed_range": (-MAX_SPEED, MAX_SPEED),
    "actions_per_axis": 3,
    "dynamical": False,
}
VEHICLE_BOUNDS = {  # least and most of what vehicles may draw
    "length": (1.0, 20.0),  # m; also the distance between the axles
    "width": (0.5, 3.0),  # m
    "mass": (0.1, 10.0),  # kg, of ego's dynamic bicycle; the original's has 1 kg
    "cornering_stiffness": (1.0, 100.0),  # N/rad of one tyre of it; the original's has 15
    "distance_wanted": (5.0, 50.0),  # m between middles of two cars of 5 m that queue; the original's is 10
    "time_wanted": (0.0, 10.0),  # s, headway; the original's is 1.5, and 2.5 of linear traffic
    "comfort_acc_max": (0.1, 6.0),  # m/s²; the original's is 3
    "comfort_acc_min": (-10.0, -0.1),  # m/s²; the original's is -5
}
IDM_VEHICLE = "highway_env.vehicle.behavior.IDMVehicle"
TRAFFIC = {  # what `other_vehicles_type` may be
    IDM_VEHICLE: IDM,
    "highway_env.vehicle.behavior.LinearVehicle": LINEAR,
    "highway_env.vehicle.behavior.AggressiveVehicle": AGGRESSIVE,
    "highway_env.vehicle.behavior.DefensiveVehicle": DEFENSIVE,
}


def traffic_kind(other_vehicles_type: str) -> int:
    """The behaviour that spawn functions give to traffic of this class, one of TRAFFIC.

    Raises:
        ValueError: another one.
    """
    return TRAFFIC[check_name("other_vehicles_type", other_vehicles_type, TRAFFIC)]


def action_fields(action: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a task that an action's configuration sets: those that are not given are the action's defaults.

    Args:
        action: "type", one of ACTIONS, and names of ACTION_DEFAULTS; those of another type have no effect, as in the
            original. "clip" can only be True.

    Raises:
        TypeError: an unknown name.
        ValueError: an unknown type, or an impossible value.
    """
    if not isinstance(action, Mapping) or "type" not in action:
        raise ValueError(f'action is a mapping with a "type", one of {", ".join(ACTIONS)}; got {action!r}')
    given = {name: value for name, value in action.items() if name != "type"}
    for name in given:
        if name not in ACTION_DEFAULTS and name != "clip":
            raise TypeError(unknown_name("name in action:", name, ["type", "clip", *ACTION_DEFAULTS]))
    if given.pop("clip", True) is not True:
        raise ValueError("actions are clipped to their bounds: clip is True")
    fields = {**ACTION_DEFAULTS, **{name: value for name, value in given.items() if value is not None}}
    for name in ("longitudinal", "lateral", "dynamical"):
        check_flag(name, fields[name])
    for name in ("acceleration_range", "steering_range", "speed_range"):
        fields[name] = check_range(name, fields[name])
    fields["target_speeds"] = check_numbers("target_speeds", fields["target_speeds"], 2)
    check_whole("actions_per_axis", fields["actions_per_axis"], 2)
    return {"action": check_name("type of action", action["type"], ACTIONS), **fields}


def check_vehicle_ranges(vehicle_ranges: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """(low, high) by name of VEHICLE_BOUNDS, as floats.

    Raises:
        TypeError: an unknown name.
        ValueError: no mapping, no pair of numbers, or beyond the bounds.
    """
    if not isinstance(vehicle_ranges, Mapping):
        raise ValueError(f"vehicle_ranges is a mapping from names to (low, high); got {vehicle_ranges!r}")
    ranges = {}
    for name, pair in vehicle_ranges.items():
        if name not in VEHICLE_BOUNDS:
            raise TypeError(unknown_name("name in vehicle_ranges:", name, VEHICLE_BOUNDS))
        least, most = VEHICLE_BOUNDS[name]
        is_pair = isinstance(pair, (Sequence, np.ndarray)) and not isinstance(pair, str) and len(pair) == 2
        low, high = (check_real(f"{name} in vehicle_ranges", end) for end in pair) if is_pair else (1.0, 0.0)
        if not least <= low <= high <= most:
            raise ValueError(f"{name} in vehicle_ranges is (low, high), {least:g} to {most:g}; got {pair!r}")
        ranges[name] = low, high
    return ranges


def configured(
    task: Task,
    action: Mapping[str, Any] | None = None,
    duration: float | None = None,
    simulation_frequency: int | None = None,
    policy_frequency: int | None = None,
    neighbour_vehicles_connected_lanes: bool | None = None,
    vehicle_ranges: Mapping[str, Any] | None = None,
) -> Task:
    """The task with what is given of highway-env's configuration, and of `vehicle_ranges`; None leaves what it has.

    Args:
        action: see `action_fields`; it replaces the task's as a whole.
        duration: s until truncation.
        simulation_frequency, policy_frequency: Hz; the former is at least the latter.
        neighbour_vehicles_connected_lanes: whether drivers look beyond the ends of their lanes.
        vehicle_ranges: see `check_vehicle_ranges`; those of the task that are not named stay.

    Raises:
        TypeError, ValueError: an unknown name, or an impossible value.
    """
    changes: dict[str, Any] = {} if action is None else action_fields(action)
    if duration is not None:
        changes["duration"] = check_real("duration", duration, above=0)
    if simulation_frequency is not None:
        changes["simulation_frequency"] = check_whole("simulation_frequency", simulation_frequency, 1)
    if policy_frequency is not None:
        most = changes.get("simulation_frequency", task.simulation_frequency)
        changes["policy_frequency"] = check_whole("policy_frequency", policy_frequency, 1, most)
    if neighbour_vehicles_connected_lanes is not None:
        flag = check_flag("neighbour_vehicles_connected_lanes", neighbour_vehicles_connected_lanes)
        changes["connected_neighbours"] = flag
    if vehicle_ranges is not None:
        changes["vehicle_ranges"] = {**task.vehicle_ranges, **check_vehicle_ranges(vehicle_ranges)}
    changed = replace(task, **changes)
    if changed.policy_frequency > changed.simulation_frequency:
        raise ValueError(
            f"simulation_frequency is at least policy_frequency, {changed.policy_frequency} Hz; "
            f"got {changed.simulation_frequency}"
        )
    return changed


def changed(build: Callable[..., Task], **fields: Any) -> Callable[..., Task]:
    """A function with the keywords of `build`, whose tasks differ from those of `build` in these fields."""

    @wraps(build)
    def build_changed(*args: Any, **keywords: Any) -> Task:
        return replace(build(*args, **keywords), **fields)

    return build_changed
