"""Where a point is on a lane, and back: functions of road r and lane l of a bank.

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
def _polyline_piece(r, l, roads, along):  # type: ignore[no-untyped-def]
    """The place in `roads.points` of the piece that `along` lies on; the end pieces go on for ever."""
    piece = np.int64(math.floor(along))
    last = np.int64(roads.num_points[r, l]) - 1
    if piece > last:
        piece = last
    if piece < 0:
        piece = np.int64(0)
    return roads.first_point[r, l] + piece


@jit
def _polyline_coordinates(r, l, roads, x, y):  # type: ignore[no-untyped-def]
    """(along, across): from the last piece whose start lies behind the point."""
    first = np.int64(roads.first_point[r, l])
    last = np.int64(roads.num_points[r, l]) - 1
    for k in range(last, -1, -1):
        dx, dy = x - roads.points[r, first + k, 0], y - roads.points[r, first + k, 1]
        tx, ty = roads.points[r, first + k, 2], roads.points[r, first + k, 3]
        ahead = dx * tx + dy * ty
        if ahead >= 0 or k == 0:
            return k + ahead, dy * tx - dx * ty
    return 0.0, 0.0


@jit
def local_coordinates(r, l, roads, x, y):  # type: ignore[no-untyped-def]
    """(along, across) in m of the point (x, y)."""
    kind = roads.kind[r, l]
    dx, dy = x - roads.x[r, l], y - roads.y[r, l]
    if kind == CIRCULAR:
        phase, radius, turn = roads.phase[r, l], roads.radius[r, l], roads.turn[r, l]
        angle = wrap(math.atan2(dy, dx) - phase)
        return turn * angle * radius, turn * (radius - math.sqrt(dx * dx + dy * dy))
    if kind == POLYLINE:
        return _polyline_coordinates(r, l, roads, x, y)
    cos, sin = roads.cos[r, l], roads.sin[r, l]
    along = dx * cos + dy * sin
    across = dy * cos - dx * sin
    if kind == SINE:
        across -= roads.amplitude[r, l] * math.sin(roads.pulsation[r, l] * along + roads.phase[r, l])
    return along, across


@jit
def position(r, l, roads, along, across):  # type: ignore[no-untyped-def]
    """(x, y) in m of a point in local coordinates."""
    kind = roads.kind[r, l]
    if kind == CIRCULAR:
        turn = roads.turn[r, l]
        angle = turn * along / roads.radius[r, l] + roads.phase[r, l]
        reach = roads.radius[r, l] - across * turn
        return roads.x[r, l] + reach * math.cos(angle), roads.y[r, l] + reach * math.sin(angle)
    if kind == POLYLINE:
        p = _polyline_piece(r, l, roads, along)
        beyond = along - (p - roads.first_point[r, l])
        tx, ty = roads.points[r, p, 2], roads.points[r, p, 3]
        return roads.points[r, p, 0] + beyond * tx - across * ty, roads.points[r, p, 1] + beyond * ty + across * tx
    if kind == SINE:
        across = across + roads.amplitude[r, l] * math.sin(roads.pulsation[r, l] * along + roads.phase[r, l])
    cos, sin = roads.cos[r, l], roads.sin[r, l]
    return roads.x[r, l] + along * cos - across * sin, roads.y[r, l] + along * sin + across * cos


@jit
def heading_at(r, l, roads, along):  # type: ignore[no-untyped-def]
    """rad, of the lane's middle; not wrapped."""
    kind = roads.kind[r, l]
    if kind == CIRCULAR:
        turn = roads.turn[r, l]
        return turn * along / roads.radius[r, l] + roads.phase[r, l] + math.pi / 2 * turn
    if kind == POLYLINE:
        p = _polyline_piece(r, l, roads, along)
        return math.atan2(roads.points[r, p, 3], roads.points[r, p, 2])
    heading = roads.heading[r, l]
    if kind == SINE:
        amplitude, pulsation = roads.amplitude[r, l], roads.pulsation[r, l]
        heading += math.atan(amplitude * pulsation * math.cos(pulsation * along + roads.phase[r, l]))
    return heading


@jit
def is_on(r, l, roads, along, across, margin):  # type: ignore[no-untyped-def]
    """Whether local coordinates are on the lane, `margin` m wider than it is."""
    beside = abs(across) > roads.width[r, l] / 2 + margin
    return not beside and -LANE_MARGIN <= along < roads.length[r, l] + LANE_MARGIN


@jit
def is_reachable(r, l, roads, along, across):  # type: ignore[no-untyped-def]
    """Whether a vehicle at these local coordinates may change to the lane."""
    beside = abs(across) > 2 * roads.width[r, l]
    return not roads.forbidden[r, l] and not beside and 0 <= along < roads.length[r, l] + LANE_MARGIN


@jit
def distance(r, l, roads, along, across):  # type: ignore[no-untyped-def]
    """m from local coordinates to the lane: beside it, plus before its start or after its end."""
    length = roads.length[r, l]
    beyond = along - length if along > length else -along if along < 0 else 0.0
    return abs(across) + beyond


@jit
def closest_lane(r, roads, x, y, heading):  # type: ignore[no-untyped-def]
    """The lane nearest to (x, y), a rad of heading counting as 1 m; the first of equals."""
    best, nearest = 0, math.inf
    for l in range(roads.num_lanes[r]):
        along, across = local_coordinates(r, l, roads, x, y)
        far = distance(r, l, roads, along, across)
        if far < nearest:
            far += abs(wrap(heading - heading_at(r, l, roads, along)))
            if far < nearest:
                best, nearest = l, far
    return best


@jit
def _nearest_of(r, segment, roads, x, y):  # type: ignore[no-untyped-def]
    """(lane, m): the lane of a segment that is nearest to (x, y)."""
    first = np.int64(roads.first_lane[r, segment])
    best, nearest = first, math.inf
    for l in range(first, first + roads.segment_lanes[r, segment]):
        along, across = local_coordinates(r, l, roads, x, y)
        far = distance(r, l, roads, along, across)
        if far < nearest:
            best, nearest = l, far
    return best, nearest


@jit
def lane_after(r, l, segment, number, roads, x, y):  # type: ignore[no-untyped-def]
    """(lane, m): the lane of the next segment that lane l leads to, and how far (x, y) is from it.

    With as many lanes as here, it is the one of the same number, or of `number` where that is not negative; else the
    nearest.
    """
    here = roads.segment[r, l]
    if roads.segment_lanes[r, here] != roads.segment_lanes[r, segment]:
        return _nearest_of(r, segment, roads, x, y)
    after = np.int64(roads.first_lane[r, segment]) + (number if number >= 0 else np.int64(roads.number[r, l]))
    along, across = local_coordinates(r, after, roads, x, y)
    return after, distance(r, after, roads, along, across)


@jit
def next_lane(i, v, l, along, world, roads):  # type: ignore[no-untyped-def]
    """The lane that vehicle v of world i follows when lane l ends: that of its route, else the nearest one.

    A step of the route that has been made is dropped (RoadNetwork.next_lane of `highway_env/road/road.py`).
    """
    r = world.road[i]
    here = np.int64(roads.segment[r, l])
    next_segment, next_number = np.int64(-1), np.int64(-1)
    at = np.int64(world.route_at[i, v])
    if at < world.route.shape[2] and world.route[i, v, at, 0] == here:
        at += 1
        world.route_at[i, v] = at
    if at < world.route.shape[2] and world.route[i, v, at, 0] >= 0:
        planned = np.int64(world.route[i, v, at, 0])
        if roads.from_node[r, planned] == roads.to_node[r, here]:
            next_segment, next_number = planned, np.int64(world.route[i, v, at, 1])
    x, y = position(r, l, roads, along, 0.0)
    if next_segment >= 0:
        return lane_after(r, l, next_segment, next_number, roads, x, y)[0]
    best, nearest = np.int64(l), math.inf
    for k in range(roads.following.shape[2]):
        segment = np.int64(roads.following[r, here, k])
        if segment >= 0:
            lane, far = lane_after(r, l, segment, next_number, roads, x, y)
            if far < nearest:
                best, nearest = lane, far
    return best
