"""`camera="kinematics"`: what is where and how fast, as numbers (`highway_env/envs/common/observation.py`).

Kinematics: row 0 is ego, the others are the vehicles nearest along its lane, within 200 m and not behind it.
ExitObservation: the same, but ego's x is its place along the exit's lane, and only vehicles are seen.
KinematicsGoal: three vectors, ego's features twice and those of its goal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.checks import check_flag, check_name, check_whole, unknown_name
from visnav.envs.driving.lanes import heading_at, position, wrap
from visnav.envs.driving.traffic import gap_between
from visnav.envs.driving.world import (
    GOAL_SCALES,
    LANDMARK,
    LANE_WIDTH,
    MAX_SPEED,
    OBSTACLE,
    Reals,
    Roads,
)

PRESENCE, X, Y, VX, VY, HEADING, COS_H, SIN_H, LONG_OFF, LAT_OFF, ANG_OFF, COS_D, SIN_D = range(13)
FEATURES = (
    "presence", "x", "y", "vx", "vy", "heading", "cos_h", "sin_h", "long_off", "lat_off", "ang_off", "cos_d", "sin_d",
)  # fmt: skip
GOAL_FEATURES = ("presence", "x", "y", "vx", "vy", "cos_h", "sin_h")  # that a goal has as well
PERCEPTION_DISTANCE = 5 * MAX_SPEED  # m


class View(NamedTuple):
    """What the kernel needs to know: `Kinematics` as arrays."""

    features: NDArray[np.int64]  # (F,) PRESENCE, …
    low: Reals  # (F,) that maps to -1; NaN: the feature is left as it is
    high: Reals  # (F,) that maps to 1
    absolute: bool
    see_behind: bool
    include_obstacles: bool
    sort: bool
    clip: bool
    intentions: bool  # whether the destinations of others are seen
    exit_lane: int  # along which ego's x is counted, -1: it is x


@dataclass(frozen=True)
class Kinematics:
    """The keywords of highway-env's KinematicObservation, with its defaults.

    Attributes:
        vehicles_count: rows, ego among them.
        features: columns, of FEATURES.
        features_range: (low, high) by feature, mapped to -1 and 1; None: ±200 m along x, ± one lane width a lane of
            the road along y, ±80 m/s.
        absolute: whether places and velocities of others are not relative to ego's.
        order: "sorted" by distance along ego's lane, or "list".
        normalize: whether `features_range` is applied.
        clip: whether normalised values stay within [-1, 1].
        see_behind: whether vehicles more than two lengths behind are seen.
        include_obstacles: whether what stands is seen.
        observe_intentions: whether cos_d and sin_d, the direction of the destination, are seen of others; else they
            are 0.
    """

    vehicles_count: int = 5
    features: tuple[str, ...] = ("presence", "x", "y", "vx", "vy")
    features_range: Mapping[str, tuple[float, float]] | None = None
    absolute: bool = False
    order: str = "sorted"
    normalize: bool = True
    clip: bool = True
    see_behind: bool = False
    include_obstacles: bool = True
    observe_intentions: bool = False

    def __post_init__(self) -> None:
        check_whole("vehicles_count", self.vehicles_count, 1)
        for name in self.features:
            check_name("feature", name, FEATURES)
        for name in self.features_range or {}:
            check_name("feature in features_range", name, FEATURES)
        check_name("order", self.order, ("sorted", "list"))
        for name in ("absolute", "normalize", "clip", "see_behind", "observe_intentions", "include_obstacles"):
            check_flag(name, getattr(self, name))

    def view(self, lanes: int, roads: Roads) -> View:
        """For the kernel; `lanes` beside each other where ego starts."""
        side = LANE_WIDTH * lanes
        ranges: Mapping[str, tuple[float, float]] = self.features_range or {
            "x": (-PERCEPTION_DISTANCE, PERCEPTION_DISTANCE),
            "y": (-side, side),
            "vx": (-2 * MAX_SPEED, 2 * MAX_SPEED),
            "vy": (-2 * MAX_SPEED, 2 * MAX_SPEED),
        }
        if not self.normalize:
            ranges = {}
        bounds = np.array([ranges.get(name, (np.nan, np.nan)) for name in self.features])
        return View(
            np.array([FEATURES.index(name) for name in self.features]),
            np.ascontiguousarray(bounds[:, 0]),
            np.ascontiguousarray(bounds[:, 1]),
            self.absolute,
            self.see_behind,
            self.include_obstacles,
            self.order == "sorted",
            self.clip,
            self.observe_intentions,
            -1,
        )


@dataclass(frozen=True)
class KinematicsGoal:
    """The keywords of highway-env's KinematicsGoalObservation, with those of parking-v0.

    Attributes:
        features: of GOAL_FEATURES.
        scales: that each is divided by.
        normalize: without effect, as in the original.
    """

    features: tuple[str, ...] = ("x", "y", "vx", "vy", "cos_h", "sin_h")
    scales: tuple[float, ...] = GOAL_SCALES
    normalize: bool = False

    def __post_init__(self) -> None:
        for name in self.features:
            check_name("feature of a goal", name, GOAL_FEATURES)
        if len(self.scales) != len(self.features) or 0 in self.scales:
            raise ValueError(f"scales are {len(self.features)} numbers other than 0, one a feature; got {self.scales}")

    def view(self) -> tuple[NDArray[np.int64], Reals]:
        """(features by number, scales) for the kernel."""
        return np.array([FEATURES.index(name) for name in self.features]), np.array(self.scales, np.float64)


@dataclass(frozen=True)
class ExitObservation(Kinematics):
    """`Kinematics` in which ego's x is its place along the lane of the exit, and only vehicles are seen."""

    include_obstacles: bool = False

    def view(self, lanes: int, roads: Roads) -> View:
        """For the kernel.

        Raises:
            ValueError: a road without an exit.
        """
        exits = np.flatnonzero(roads.lanes.arrival[0])
        if not len(exits):
            raise ValueError("the observation ExitObservation is for roads with an exit; this one has none")
        return super().view(lanes, roads)._replace(exit_lane=int(exits[0]))


KINDS: dict[str, Any] = {
    "Kinematics": Kinematics,
    "ExitObservation": ExitObservation,
    "KinematicsGoal": KinematicsGoal,
}


def make_observation(options: Mapping[str, Any]) -> Kinematics | KinematicsGoal:
    """What highway-env's configuration of an observation asks for.

    Args:
        options: "type", one of KINDS ("Kinematics" where there is none), and its keywords; "flatten" has no effect, as
            in the original.

    Raises:
        TypeError: an unknown keyword.
        ValueError: an unknown type, or an impossible value.
    """
    kind = check_name("type of observation", options.get("type", "Kinematics"), KINDS)
    allowed = [field.name for field in fields(KINDS[kind])]
    given = {name: value for name, value in options.items() if name not in ("type", "flatten")}
    for name in given:
        if name not in allowed:
            raise TypeError(unknown_name(f"keyword of the {kind} observation:", name, ["type", *allowed]))
    made: Kinematics | KinematicsGoal = KINDS[kind](**given)
    return made


@jit
def _is_seen(i, v, world, tables, view):  # type: ignore[no-untyped-def]
    """Whether vehicle v is near enough, and not behind ego."""
    if not world.vehicles.present[i, v]:
        return False
    dx, dy = world.vehicles.x[i, v] - world.vehicles.x[i, 0], world.vehicles.y[i, v] - world.vehicles.y[i, 0]
    if dx * dx + dy * dy >= PERCEPTION_DISTANCE * PERCEPTION_DISTANCE:
        return False
    is_object = world.vehicles.behaviour[i, v] in (OBSTACLE, LANDMARK)
    if is_object and not view.include_obstacles:
        return False
    return (view.see_behind and not is_object) or gap_between(i, 0, v, world, tables) > -2 * world.vehicles.length[i, 0]


@jit
def _destination(k, i, v, world, roads):  # type: ignore[no-untyped-def]
    """Cosine (COS_D) or sine of the direction from vehicle v to the end of its route; 0 of who has none."""
    r, last = world.road[i], np.int64(-1)
    for at in range(np.int64(world.vehicles.route_at[i, v]), world.route.shape[2]):
        segment = np.int64(world.route[i, v, at, 0])
        if segment < 0:
            break
        number = np.int64(world.route[i, v, at, 1])
        last = np.int64(roads.segments.first_lane[r, segment]) + (number if number > 0 else 0)
    if last < 0:
        return 0.0
    x, y = position(r, last, roads, roads.lanes.length[r, last], 0.0)
    dx, dy = x - world.vehicles.x[i, v], y - world.vehicles.y[i, v]
    far = math.sqrt(dx * dx + dy * dy)
    return 0.0 if far == 0 else (dx if k == COS_D else dy) / far


@jit
def _feature(k, i, v, world, roads, tables):  # type: ignore[no-untyped-def]
    """Feature k of vehicle v, absolute."""
    heading, speed = world.vehicles.heading[i, v], world.vehicles.speed[i, v]
    is_object = world.vehicles.behaviour[i, v] in (OBSTACLE, LANDMARK)
    if k == PRESENCE:
        return 1.0
    if k == X:
        return world.vehicles.x[i, v]
    if k == Y:
        return world.vehicles.y[i, v]
    if k == VX:
        return 0.0 if is_object else speed * math.cos(heading)
    if k == VY:
        return 0.0 if is_object else speed * math.sin(heading)
    if k == HEADING:
        return heading
    if k == COS_H:
        return math.cos(heading)
    if k == SIN_H:
        return math.sin(heading)
    if k >= COS_D:
        return 0.0 if is_object else _destination(k, i, v, world, roads)
    lane = np.int64(world.vehicles.lane[i, v])
    along = tables.along[i, lane, v]
    if k == LONG_OFF:
        return along
    if k == LAT_OFF:
        return tables.across[i, lane, v]
    return wrap(heading - heading_at(world.road[i], lane, roads, along))


@jit
def _write_row(i, row, v, world, roads, tables, view, out):  # type: ignore[no-untyped-def]
    """Features of vehicle v, relative to ego and normalised as asked, to out[i, row]."""
    for column in range(view.features.shape[0]):
        k = view.features[column]
        value = _feature(k, i, v, world, roads, tables)
        if k == X and v == 0 and view.exit_lane >= 0:
            value = tables.along[i, view.exit_lane, 0]
        if k >= COS_D and v > 0 and not view.intentions:
            value = 0.0
        if v > 0 and not view.absolute and X <= k <= VY:
            value -= _feature(k, i, 0, world, roads, tables)
        low, high = view.low[column], view.high[column]
        if not math.isnan(low):
            value = -1 + (value - low) * 2 / (high - low)
            if view.clip:
                value = -1.0 if value < -1 else 1.0 if value > 1 else value
        out[i, row, column] = value


@jit
def write_kinematics(i, world, roads, tables, view, out):  # type: ignore[no-untyped-def]
    """The observation of row i into out (N, rows, F) float32; rows that nobody fills are 0.

    Rows are found one by one, the nearest of those farther than the last: no list is kept.
    """
    _write_row(i, 0, 0, world, roads, tables, view, out)
    last, last_distance = 0, -1.0
    for row in range(1, out.shape[1]):
        best, nearest = -1, math.inf
        for v in range(1, world.vehicles.shape[1]):
            if not view.sort:
                if v > last and best < 0 and _is_seen(i, v, world, tables, view):
                    best = v
                continue
            far = abs(gap_between(i, 0, v, world, tables))
            is_later = far > last_distance or (far == last_distance and v > last)
            if is_later and far < nearest and _is_seen(i, v, world, tables, view):
                best, nearest = v, far
        if best < 0:
            for column in range(view.features.shape[0]):
                out[i, row, column] = 0.0
            last = world.vehicles.shape[1]
            last_distance = math.inf
            continue
        _write_row(i, row, best, world, roads, tables, view, out)
        last, last_distance = best, nearest


@jit
def write_goal(i, world, roads, tables, features, scales, observation_out, achieved_goal_out, desired_goal_out):  # type: ignore[no-untyped-def]
    """KinematicsGoal of row i: ego's features twice, and those of its goal, which stands; each (N, F) float64."""
    for column in range(features.shape[0]):
        k = features[column]
        value = _feature(k, i, 0, world, roads, tables) / scales[column]
        observation_out[i, column], achieved_goal_out[i, column] = value, value
        wanted, heading = 0.0, world.goal[i, 2]
        if k == PRESENCE:
            wanted = 1.0
        elif k in (X, Y):
            wanted = world.goal[i, k - X]
        elif k in (COS_H, SIN_H):
            wanted = math.cos(heading) if k == COS_H else math.sin(heading)
        desired_goal_out[i, column] = wanted / scales[column]
