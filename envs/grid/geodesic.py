"""Shortest paths of a disc among solid cells, exactly, in metres; functions of one environment index.

The disc's centre keeps its radius from every solid cell, so a shortest path is made of straight tangents and of arcs
round convex corners (Liu & Arimoto 1992, "Path planning using a tangent graph for mobile robots among polygonal and
curved obstacles"). A node is a corner and a sense, +1 for clockwise as seen on the map; its potential is the distance
to the goal from the beginning of the corner's arc. `build_field` finds all potentials by Dijkstra's algorithm from the
goals; the distance from a point is then the least of tangent + potential - arc that is cut short, over the corners in
sight. A tangent that leaves an arc behind where another arrives makes that sum longer than the way that goes straight
over, hence one potential a node is enough.

A circle of radius r that is passed with sense s has the signed radius a = s r, a point has a = 0. The tangent from the
first to the second of two such circles, d apart, is `_tangent(d, a2 - a1)`; it touches each at centre + a (uy, -ux).
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.rules import cell_at
from visnav.envs.grid.world import DOOR_OPEN, EMPTY, FLOOR_KIND, GOAL_KIND, kind_of, whole

UNREACHABLE = np.float32(np.inf)
CLEARANCE = np.float32(1e-3)  # m by which a straight way may be too close to a wall: rounding is far below it

_PASSABLE = 1 << EMPTY | 1 << FLOOR_KIND | 1 << GOAL_KIND | 1 << DOOR_OPEN
_QUARTER = np.float32(math.pi / 2)
_OUTSIDE_ARC = np.float32(-1e-2)  # how far beyond an arc's ends, in radians, a tangent may touch
_ZERO = np.float32(0)


@jit
def is_solid(i, world, column, row):  # type: ignore[no-untyped-def]
    """Whether nothing can stand in a cell: all but empty cells, floor, goals and open doors."""
    return (_PASSABLE >> kind_of(cell_at(i, world, column, row))) & 1 == 0


@jit
def _ray_is_clear(i, world, x, y, to_x, to_y):  # type: ignore[no-untyped-def]
    """Whether a segment meets no solid cell (Amanatides & Woo 1987, "A fast voxel traversal algorithm")."""
    column, row = whole(x), whole(y)
    if is_solid(i, world, column, row):
        return False
    across, down = whole(to_x) - column, whole(to_y) - row
    step_x, step_y = (1 if across > 0 else -1), (1 if down > 0 else -1)
    next_x, next_y, every_x, every_y = UNREACHABLE, UNREACHABLE, _ZERO, _ZERO  # shares of the segment
    if across != 0:
        every_x = np.float32(1) / abs(to_x - x)
        next_x = abs(np.float32(column + (step_x + 1) // 2) - x) * every_x
    if down != 0:
        every_y = np.float32(1) / abs(to_y - y)
        next_y = abs(np.float32(row + (step_y + 1) // 2) - y) * every_y
    columns, rows = abs(across), abs(down)
    for _ in range(columns + rows):
        if rows == 0 or (columns != 0 and next_x < next_y):
            column += step_x
            columns -= 1
            next_x += every_x
        else:
            row += step_y
            rows -= 1
            next_y += every_y
        if is_solid(i, world, column, row):
            return False
    return True


@jit
def _way_is_clear(i, world, x, y, a, to_x, to_y, to_a, ux, uy, radius):  # type: ignore[no-untyped-def]
    """Whether the disc can go straight along the tangent of direction (ux, uy) between two circles or points.

    Cells are wider than the disc: what its way meets, one of the way's two edges meets.
    """
    x, y = x + a * uy, y - a * ux
    to_x, to_y = to_x + to_a * uy, to_y - to_a * ux
    aside_x, aside_y = -uy * (radius - CLEARANCE), ux * (radius - CLEARANCE)
    return _ray_is_clear(i, world, x + aside_x, y + aside_y, to_x + aside_x, to_y + aside_y) and _ray_is_clear(
        i, world, x - aside_x, y - aside_y, to_x - aside_x, to_y - aside_y
    )


@jit
def _tangent(dx, dy, a):  # type: ignore[no-untyped-def]
    """Direction (ux, uy) and length of a tangent between circles (dx, dy) apart whose signed radii differ by a."""
    squared = dx * dx + dy * dy
    rest = squared - a * a
    length = np.float32(math.sqrt(rest)) if rest > _ZERO else _ZERO
    if squared == _ZERO:
        return _ZERO, _ZERO, length
    return (dx * length + dy * a) / squared, (dy * length - dx * a) / squared, length


@jit
def _touch(ux, uy, sense, corner):  # type: ignore[no-untyped-def]
    """Where a tangent of direction (ux, uy) touches the circle round a corner, seen from the corner.

    Two coordinates on the unit circle, both positive on the arc: along x and y, away from the solid cell.
    """
    return sense * uy * corner[2], -sense * ux * corner[3]


@jit
def _is_on_arc(x, y):  # type: ignore[no-untyped-def]
    """Whether a touch is on the corner's arc. Rounding moves that of a disc which slides along a wall by some 0.003."""
    return x >= _OUTSIDE_ARC and y >= _OUTSIDE_ARC


@jit
def _passed(x, y, sense, corner):  # type: ignore[no-untyped-def]
    """Radians of a corner's arc that lie before a touch, in the direction of travel."""
    angle = np.float32(math.atan2(y, x))
    return angle if sense * corner[2] * corner[3] > _ZERO else _QUARTER - angle


@jit
def _find_corners(i, world, corners_out):  # type: ignore[no-untyped-def]
    """Write where one solid cell juts out among four: x, y, and the quadrant across from it. Returns how many."""
    count = 0
    for y in range(1, world.cells.shape[1]):
        for x in range(1, world.cells.shape[2]):
            solid = 0
            for k in range(4):
                if is_solid(i, world, x - 1 + k % 2, y - 1 + k // 2):
                    solid += 1
                    corners_out[i, count, 2] = 1 - 2 * (k % 2)
                    corners_out[i, count, 3] = 1 - 2 * (k // 2)
            if solid == 1:
                corners_out[i, count, 0] = x
                corners_out[i, count, 1] = y
                count += 1
    return count


@jit
def _goal_potential(i, world, trip, corner, sense, radius):  # type: ignore[no-untyped-def]
    """Metres from the beginning of an arc to the nearest goal in sight of it."""
    best = UNREACHABLE
    for g in range(trip.num_goals[i]):
        x, y, a = trip.goals[i, g, 0], trip.goals[i, g, 1], sense * radius
        ux, uy, length = _tangent(x - corner[0], y - corner[1], -a)
        touch_x, touch_y = _touch(ux, uy, sense, corner)
        if not _is_on_arc(touch_x, touch_y):
            continue
        total = radius * _passed(touch_x, touch_y, sense, corner) + length
        if total < best and _way_is_clear(i, world, corner[0], corner[1], a, x, y, _ZERO, ux, uy, radius):
            best = total
    return best


@jit
def _relax(i, world, trip, k, side, radius):  # type: ignore[no-untyped-def]
    """Improve all potentials by ways that go over node (k, side)."""
    to, to_sense, known = trip.corners[i, k], np.float32(1 - 2 * side), trip.potential[i, k, side]
    to_a = to_sense * radius
    for other in range(trip.num_corners[i]):
        corner = trip.corners[i, other]
        if other == k:
            continue
        for other_side in range(2):
            if trip.settled[i, other, other_side]:
                continue
            sense, before = np.float32(1 - 2 * other_side), trip.potential[i, other, other_side]
            a = sense * radius
            ux, uy, length = _tangent(to[0] - corner[0], to[1] - corner[1], to_a - a)
            if known + length - radius * _QUARTER >= before:
                continue
            touch_x, touch_y = _touch(ux, uy, sense, corner)
            to_x, to_y = _touch(ux, uy, to_sense, to)
            if not _is_on_arc(touch_x, touch_y) or not _is_on_arc(to_x, to_y):
                continue
            arcs = _passed(touch_x, touch_y, sense, corner) - _passed(to_x, to_y, to_sense, to)
            total = known + length + radius * arcs
            if total < before and _way_is_clear(i, world, corner[0], corner[1], a, to[0], to[1], to_a, ux, uy, radius):
                trip.potential[i, other, other_side] = total


@jit
def build_field(i, world, trip, radius):  # type: ignore[no-untyped-def]
    """Fill `trip.corners`, `trip.num_corners` and `trip.potential` of world i from its cells and `trip.goals`."""
    count = _find_corners(i, world, trip.corners)
    trip.num_corners[i] = count
    for k in range(count):
        for side in range(2):
            sense = np.float32(1 - 2 * side)
            trip.potential[i, k, side] = _goal_potential(i, world, trip, trip.corners[i, k], sense, radius)
            trip.settled[i, k, side] = False
    for _ in range(2 * count):
        nearest, nearest_side, least = 0, 0, UNREACHABLE
        for k in range(count):
            for side in range(2):
                if trip.potential[i, k, side] < least and not trip.settled[i, k, side]:
                    nearest, nearest_side, least = k, side, trip.potential[i, k, side]
        if least == UNREACHABLE:
            return
        trip.settled[i, nearest, nearest_side] = True
        _relax(i, world, trip, nearest, nearest_side, radius)


@jit
def shortest_way(i, world, trip, radius, x, y):  # type: ignore[no-untyped-def]
    """(metres to the nearest goal, direction x, direction y) of the shortest way from a point of world i.

    The distance is UNREACHABLE where there is no way; at the goal itself the direction is (0, 0).
    """
    best, best_x, best_y = UNREACHABLE, _ZERO, _ZERO
    for g in range(trip.num_goals[i]):
        goal_x, goal_y = trip.goals[i, g, 0], trip.goals[i, g, 1]
        ux, uy, length = _tangent(goal_x - x, goal_y - y, _ZERO)
        if length < best and _way_is_clear(i, world, x, y, _ZERO, goal_x, goal_y, _ZERO, ux, uy, radius):
            best, best_x, best_y = length, ux, uy
    for k in range(trip.num_corners[i]):
        corner = trip.corners[i, k]
        for side in range(2):
            sense, known = np.float32(1 - 2 * side), trip.potential[i, k, side]
            a = sense * radius
            ux, uy, length = _tangent(corner[0] - x, corner[1] - y, a)
            if known + length - radius * _QUARTER >= best:
                continue
            touch_x, touch_y = _touch(ux, uy, sense, corner)
            if not _is_on_arc(touch_x, touch_y):
                continue
            total = known + length - radius * _passed(touch_x, touch_y, sense, corner)
            if total < best and _way_is_clear(i, world, x, y, _ZERO, corner[0], corner[1], a, ux, uy, radius):
                best, best_x, best_y = total, ux, uy
    return best, best_x, best_y
