"""Right of way: whose paths are about to meet, and who stops (RegulatedRoad of `highway_env/road/regulation.py`)."""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.collisions import in_turn
from visnav.envs.driving.lanes import heading_at, position
from visnav.envs.driving.traffic import has_targets, is_traffic
from visnav.envs.driving.vehicles import move
from visnav.envs.driving.world import LANDMARK, MAX_SPEED, OBSTACLE

FREQUENCY = 2  # Hz, at which traffic is regulated
MOMENTS, BETWEEN = 11, 0.25  # that paths are compared at, and s from one to the next
LONGER, NARROWER = 1.5, 0.9  # than it is, a vehicle is taken to be


@jit
def _predict_on_route(i, v, world, roads, tables):  # type: ignore[no-untyped-def]
    """Write where vehicle v comes to at its speed, in the middle of the lanes of its route, to `tables.ahead`."""
    r = world.road[i]
    here = np.int64(world.vehicles.lane[i, v])
    begun, speed = tables.along[i, here, v], world.vehicles.speed[i, v]
    for k in range(MOMENTS):
        along = begun + speed * BETWEEN * (k + 1)
        lane = here
        for step in range(np.int64(world.vehicles.route_at[i, v]), world.route.shape[2]):
            segment = np.int64(world.route[i, v, step, 0])
            if segment < 0:
                break
            if step > world.vehicles.route_at[i, v]:
                if along <= roads.lanes.length[r, lane]:
                    break
                along -= roads.lanes.length[r, lane]
            number = np.int64(world.route[i, v, step, 1])
            if number < 0:
                number = np.int64(roads.lanes.number[r, here])
            if number >= roads.segments.segment_lanes[r, segment]:
                number = np.int64(0)
            lane = np.int64(roads.segments.first_lane[r, segment]) + number
        x, y = position(r, lane, roads, along, 0.0)
        tables.ahead[i, v, k, 0], tables.ahead[i, v, k, 1] = x, y
        tables.ahead[i, v, k, 2] = heading_at(r, lane, roads, along)


@jit
def _predict_as_steered(i, v, world, tables, params):  # type: ignore[no-untyped-def]
    """Write where vehicle v comes to if its steering is held, and it is not accelerated; it is put back afterwards."""
    vehicles = world.vehicles
    x, y, heading, speed = vehicles.x[i, v], vehicles.y[i, v], vehicles.heading[i, v], vehicles.speed[i, v]
    lateral_speed, yaw_rate = vehicles.lateral_speed[i, v], vehicles.yaw_rate[i, v]
    steering, acceleration = vehicles.steering[i, v], vehicles.acceleration[i, v]
    crashed, impacted = vehicles.crashed[i, v], vehicles.impacted[i, v]
    vehicles.acceleration[i, v] = 0.0
    for k in range(MOMENTS):
        move(i, v, BETWEEN, world, params)
        tables.ahead[i, v, k, 0], tables.ahead[i, v, k, 1] = vehicles.x[i, v], vehicles.y[i, v]
        tables.ahead[i, v, k, 2] = vehicles.heading[i, v]
    vehicles.x[i, v], vehicles.y[i, v], vehicles.heading[i, v], vehicles.speed[i, v] = x, y, heading, speed
    vehicles.lateral_speed[i, v], vehicles.yaw_rate[i, v] = lateral_speed, yaw_rate
    vehicles.steering[i, v], vehicles.acceleration[i, v] = steering, acceleration
    vehicles.crashed[i, v], vehicles.impacted[i, v] = crashed, impacted


@jit
def _has_point_inside(i, a, b, k, world, tables):  # type: ignore[no-untyped-def]
    """Whether a corner of a's rectangle at moment k, or a middle of one of its sides, or its own, is in that of b.

    The original turns points by b's heading where it has to turn them back, and so does this.
    """
    a_heading, b_heading = tables.ahead[i, a, k, 2], tables.ahead[i, b, k, 2]
    a_cos, a_sin, b_cos, b_sin = math.cos(a_heading), math.sin(a_heading), math.cos(b_heading), math.sin(b_heading)
    dx, dy = tables.ahead[i, a, k, 0] - tables.ahead[i, b, k, 0], tables.ahead[i, a, k, 1] - tables.ahead[i, b, k, 1]
    half_length, half_width = LONGER * world.vehicles.length[i, a] / 2, NARROWER * world.vehicles.width[i, a] / 2
    most_length, most_width = LONGER * world.vehicles.length[i, b] / 2, NARROWER * world.vehicles.width[i, b] / 2
    for side in range(9):
        forward, right = (side // 3 - 1) * half_length, (side % 3 - 1) * half_width
        x, y = dx + a_cos * forward - a_sin * right, dy + a_sin * forward + a_cos * right
        if abs(b_cos * x - b_sin * y) <= most_length and abs(b_sin * x + b_cos * y) <= most_width:
            return True
    return False


@jit
def _will_meet(i, a, b, world, tables):  # type: ignore[no-untyped-def]
    """Whether the predicted paths of a and b come together at one moment."""
    for k in range(MOMENTS):
        dx = tables.ahead[i, b, k, 0] - tables.ahead[i, a, k, 0]
        dy = tables.ahead[i, b, k, 1] - tables.ahead[i, a, k, 1]
        if dx * dx + dy * dy <= world.vehicles.length[i, a] * world.vehicles.length[i, a] and (
            _has_point_inside(i, a, b, k, world, tables) or _has_point_inside(i, b, a, k, world, tables)
        ):
            return True
    return False


@jit
def _who_yields(i, a, b, world, roads):  # type: ignore[no-untyped-def]
    """Of a and b the one on the lane of lower priority; of equals, the one that has the other farther ahead.

    Cars that come towards one another have each other equally far ahead: then b, whose turn is later, yields.
    """
    vehicles = world.vehicles
    first = roads.lanes.priority[world.road[i], vehicles.lane[i, a]]
    second = roads.lanes.priority[world.road[i], vehicles.lane[i, b]]
    if first != second:
        return b if first > second else a
    dx, dy = vehicles.x[i, b] - vehicles.x[i, a], vehicles.y[i, b] - vehicles.y[i, a]
    a_ahead = dx * math.cos(vehicles.heading[i, a]) + dy * math.sin(vehicles.heading[i, a])
    b_ahead = -dx * math.cos(vehicles.heading[i, b]) - dy * math.sin(vehicles.heading[i, b])
    return a if a_ahead > b_ahead else b


@jit
def regulate(i, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Let traffic whose path meets that of another with the right of way stop, and all others drive on."""
    vehicles = world.vehicles
    for v in range(vehicles.shape[1]):
        if not vehicles.present[i, v] or vehicles.behaviour[i, v] in (OBSTACLE, LANDMARK):
            continue
        if vehicles.yielding[i, v]:
            limit = roads.lanes.speed_limit[world.road[i], vehicles.lane[i, v]]
            vehicles.target_speed[i, v] = MAX_SPEED if math.isnan(limit) else limit
            vehicles.yielding[i, v] = False
        if has_targets(vehicles.behaviour[i, v]):
            _predict_on_route(i, v, world, roads, tables)
        else:
            _predict_as_steered(i, v, world, tables, params)
    ego_turn = np.int64(world.ego_turn[i])
    for k in range(vehicles.shape[1]):
        a = in_turn(k, ego_turn)
        if not vehicles.present[i, a] or vehicles.behaviour[i, a] in (OBSTACLE, LANDMARK):
            continue
        for later in range(k + 1, vehicles.shape[1]):
            b = in_turn(later, ego_turn)
            if not vehicles.present[i, b] or vehicles.behaviour[i, b] in (OBSTACLE, LANDMARK):
                continue
            if _will_meet(i, a, b, world, tables):
                v = _who_yields(i, a, b, world, roads)
                if is_traffic(vehicles.behaviour[i, v]):
                    vehicles.target_speed[i, v] = 0.0
                    vehicles.yielding[i, v] = True
