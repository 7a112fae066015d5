"""`camera="kinematics"`: what is where and how fast, as rows of numbers (highway-env's Kinematics observation).

Row 0 is ego, the others are the vehicles nearest along its lane, within 200 m and not behind it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.checks import check_name, unknown_name
from visnav.envs.driving.lanes import heading_at, wrap
from visnav.envs.driving.traffic import gap_between
from visnav.envs.driving.world import LANDMARK, LANE_WIDTH, MAX_SPEED, OBSTACLE, VEHICLE_LENGTH, Reals

PRESENCE, X, Y, VX, VY, HEADING, COS_H, SIN_H, LONG_OFF, LAT_OFF, ANG_OFF = range(11)
FEATURES = ("presence", "x", "y", "vx", "vy", "heading", "cos_h", "sin_h", "long_off", "lat_off", "ang_off")
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

    def __post_init__(self) -> None:
        for name in self.features:
            check_name("feature", name, FEATURES)
        check_name("order", self.order, ("sorted", "list"))

    def changed(self, options: Mapping[str, Any]) -> Kinematics:
        """With these keywords instead.

        Raises:
            TypeError: an unknown one.
        """
        allowed = [field.name for field in fields(self)]
        for name in options:
            if name not in allowed:
                raise TypeError(unknown_name("keyword of the kinematics observation:", name, allowed))
        return replace(self, **options)

    def view(self, lanes: int) -> View:
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
        )


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
    return (view.see_behind and not is_object) or gap_between(i, 0, v, world, tables) > -2 * VEHICLE_LENGTH


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
