"""Where a point is on a lane, and back: functions of road r and lane of a bank.

Local coordinates are (along, across): metres from the lane's start, and metres to the right of its middle. The
formulas are those of `highway_env/road/{lane,spline}.py`.
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.world import CIRCULAR, LANE_MARGIN, POLYLINE, SINE

TWO_PI = 2 * math.pi


@jit
def wrap(angle):  # type: ignore[no-untyped-def]
    """The same direction, in [-π, π)."""
    if -math.pi <= angle < math.pi:
        return angle
    return angle - TWO_PI * math.floor((angle + math.pi) / TWO_PI)


@jit
def _polyline_piece(r, lane, roads, along):  # type: ignore[no-untyped-def]
    """The place in `roads.points` of the piece that `along` lies on; the end pieces go on for ever."""
    piece = np.int64(math.floor(along))
    last = np.int64(roads.lanes.num_points[r, lane]) - 1
    if piece > last:
        piece = last
    if piece < 0:
        piece = np.int64(0)
    return roads.lanes.first_point[r, lane] + piece


@jit
def _polyline_coordinates(r, lane, roads, x, y):  # type: ignore[no-untyped-def]
    """(along, across): from the last piece whose start lies behind the point."""
    first = np.int64(roads.lanes.first_point[r, lane])
    last = np.int64(roads.lanes.num_points[r, lane]) - 1
    for k in range(last, -1, -1):
        dx, dy = x - roads.points[r, first + k, 0], y - roads.points[r, first + k, 1]
        tx, ty = roads.points[r, first + k, 2], roads.points[r, first + k, 3]
        ahead = dx * tx + dy * ty
        if ahead >= 0 or k == 0:
            return k + ahead, dy * tx - dx * ty
    return 0.0, 0.0


@jit
def _sway(r, lane, roads, along):  # type: ignore[no-untyped-def]
    """m to the right of its axis that a sine lane is at."""
    angle = roads.lanes.pulsation[r, lane] * along + roads.lanes.phase[r, lane]
    return roads.lanes.amplitude[r, lane] * math.sin(angle)


@jit
def local_coordinates(r, lane, roads, x, y):  # type: ignore[no-untyped-def]
    """(along, across) in m of the point (x, y)."""
    kind = roads.lanes.kind[r, lane]
    dx, dy = x - roads.lanes.x[r, lane], y - roads.lanes.y[r, lane]
    if kind == CIRCULAR:
        phase, radius, turn = roads.lanes.phase[r, lane], roads.lanes.radius[r, lane], roads.lanes.turn[r, lane]
        angle = wrap(math.atan2(dy, dx) - phase)
        return turn * angle * radius, turn * (radius - math.sqrt(dx * dx + dy * dy))
    if kind == POLYLINE:
        return _polyline_coordinates(r, lane, roads, x, y)
    cos, sin = roads.lanes.cos[r, lane], roads.lanes.sin[r, lane]
    along = dx * cos + dy * sin
    across = dy * cos - dx * sin
    if kind == SINE:
        across -= roads.lanes.amplitude[r, lane] * math.sin(
            roads.lanes.pulsation[r, lane] * along + roads.lanes.phase[r, lane]
        )
    return along, across


@jit
def position(r, lane, roads, along, across):  # type: ignore[no-untyped-def]
    """(x, y) in m of a point in local coordinates."""
    kind = roads.lanes.kind[r, lane]
    if kind == CIRCULAR:
        turn = roads.lanes.turn[r, lane]
        angle = turn * along / roads.lanes.radius[r, lane] + roads.lanes.phase[r, lane]
        reach = roads.lanes.radius[r, lane] - across * turn
        return roads.lanes.x[r, lane] + reach * math.cos(angle), roads.lanes.y[r, lane] + reach * math.sin(angle)
    if kind == POLYLINE:
        p = _polyline_piece(r, lane, roads, along)
        beyond = along - (p - roads.lanes.first_point[r, lane])
        tx, ty = roads.points[r, p, 2], roads.points[r, p, 3]
        return roads.points[r, p, 0] + beyond * tx - across * ty, roads.points[r, p, 1] + beyond * ty + across * tx
    if kind == SINE:
        across = across + _sway(r, lane, roads, along)
    cos, sin = roads.lanes.cos[r, lane], roads.lanes.sin[r, lane]
    return roads.lanes.x[r, lane] + along * cos - across * sin, roads.lanes.y[r, lane] + along * sin + across * cos


@jit
def heading_at(r, lane, roads, along):  # type: ignore[no-untyped-def]
    """rad, of the lane's middle; not wrapped."""
    kind = roads.lanes.kind[r, lane]
    if kind == CIRCULAR:
        turn = roads.lanes.turn[r, lane]
        return turn * along / roads.lanes.radius[r, lane] + roads.lanes.phase[r, lane] + math.pi / 2 * turn
    if kind == POLYLINE:
        p = _polyline_piece(r, lane, roads, along)
        return math.atan2(roads.points[r, p, 3], roads.points[r, p, 2])
    heading = roads.lanes.heading[r, lane]
    if kind == SINE:
        amplitude, pulsation = roads.lanes.amplitude[r, lane], roads.lanes.pulsation[r, lane]
        heading += math.atan(amplitude * pulsation * math.cos(pulsation * along + roads.lanes.phase[r, lane]))
    return heading


@jit
def is_on(r, lane, roads, along, across, margin):  # type: ignore[no-untyped-def]
    """Whether local coordinates are on the lane, `margin` m wider than it is."""
    is_within = abs(across) <= roads.lanes.width[r, lane] / 2 + margin
    return is_within & (along >= -LANE_MARGIN) & (along < roads.lanes.length[r, lane] + LANE_MARGIN)  # no branch


@jit
def is_reachable(r, lane, roads, along, across):  # type: ignore[no-untyped-def]
    """Whether a vehicle at these local coordinates may change to the lane."""
    beside = abs(across) > 2 * roads.lanes.width[r, lane]
    return not roads.lanes.forbidden[r, lane] and not beside and 0 <= along < roads.lanes.length[r, lane] + LANE_MARGIN


@jit
def distance(r, lane, roads, along, across):  # type: ignore[no-untyped-def]
    """m from local coordinates to the lane: beside it, plus before its start or after its end."""
    length = roads.lanes.length[r, lane]
    beyond = along - length if along > length else -along if along < 0 else 0.0
    return abs(across) + beyond


@jit
def closest_lane(r, roads, x, y, heading):  # type: ignore[no-untyped-def]
    """The lane nearest to (x, y), a rad of heading counting as 1 m; the first of equals."""
    best, nearest = 0, math.inf
    for lane in range(roads.num_lanes[r]):
        along, across = local_coordinates(r, lane, roads, x, y)
        far = distance(r, lane, roads, along, across)
        if far < nearest:
            far += abs(wrap(heading - heading_at(r, lane, roads, along)))
            if far < nearest:
                best, nearest = lane, far
    return best


@jit
def _nearest_of(r, segment, roads, x, y):  # type: ignore[no-untyped-def]
    """(lane, m): the lane of a segment that is nearest to (x, y)."""
    first = np.int64(roads.segments.first_lane[r, segment])
    best, nearest = first, math.inf
    for lane in range(first, first + roads.segments.segment_lanes[r, segment]):
        along, across = local_coordinates(r, lane, roads, x, y)
        far = distance(r, lane, roads, along, across)
        if far < nearest:
            best, nearest = lane, far
    return best, nearest


@jit
def lane_after(r, lane, segment, number, roads, x, y):  # type: ignore[no-untyped-def]
    """(lane, m): the lane of the next segment that lane leads to, and how far (x, y) is from it.

    With as many lanes as here, it is the one of the same number, or of `number` where that is not negative; else the
    nearest.
    """
    here = roads.lanes.segment[r, lane]
    if roads.segments.segment_lanes[r, here] != roads.segments.segment_lanes[r, segment]:
        return _nearest_of(r, segment, roads, x, y)
    if number < 0:
        number = np.int64(roads.lanes.number[r, lane])
    after = np.int64(roads.segments.first_lane[r, segment]) + number
    along, across = local_coordinates(r, after, roads, x, y)
    return after, distance(r, after, roads, along, across)


@jit
def next_lane(i, v, lane, along, world, roads):  # type: ignore[no-untyped-def]
    """The lane that vehicle v of world i follows when lane ends: that of its route, else the nearest one.

    A step of the route that has been made is dropped (RoadNetwork.next_lane of `highway_env/road/road.py`).
    """
    r = world.road[i]
    here = np.int64(roads.lanes.segment[r, lane])
    next_segment, next_number = np.int64(-1), np.int64(-1)
    at = np.int64(world.vehicles.route_at[i, v])
    if at < world.route.shape[2] and world.route[i, v, at, 0] == here:
        at += 1
        world.vehicles.route_at[i, v] = at
    if at < world.route.shape[2] and world.route[i, v, at, 0] >= 0:
        planned = np.int64(world.route[i, v, at, 0])
        if roads.segments.from_node[r, planned] == roads.segments.to_node[r, here]:
            next_segment, next_number = planned, np.int64(world.route[i, v, at, 1])
    x, y = position(r, lane, roads, along, 0.0)
    if next_segment >= 0:
        return lane_after(r, lane, next_segment, next_number, roads, x, y)[0]
    best, nearest = np.int64(lane), math.inf
    for k in range(roads.following.shape[2]):
        segment = np.int64(roads.following[r, here, k])
        if segment >= 0:
            after, far = lane_after(r, lane, segment, next_number, roads, x, y)
            if far < nearest:
                best, nearest = after, far
    return best
