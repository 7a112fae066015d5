"""Collisions between oriented rectangles, and how they push vehicles apart.

The separating axis test with relative motion, as `highway_env/{utils,vehicle/objects}.py` do it.
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.world import LANDMARK, OBSTACLE


@jit
def _gap(a_low, a_high, b_low, b_high):  # type: ignore[no-untyped-def]
    """Between two intervals; negative where they overlap."""
    return b_low - a_high if a_low < b_low else a_low - b_high


@jit
def overlap(ax, ay, ah, al, aw, bx, by, bh, bl, bw, dx, dy):  # type: ignore[no-untyped-def]
    """Whether rectangles a and b meet now, whether they will, and what keeps them apart.

    Args:
        ax, ay, ah, al, aw: a's middle in m, heading in rad, length and width in m; b's likewise.
        dx, dy: m, that a moves relative to b.

    Returns:
        (now, soon, x, y): two bools, and the displacement of a in m that parts them; of use only where `soon`.
    """
    a_cos, a_sin, b_cos, b_sin = math.cos(ah), math.sin(ah), math.cos(bh), math.sin(bh)
    now, soon = True, True
    least, push_x, push_y = math.inf, 0.0, 0.0
    for k in range(4):
        cos, sin = (a_cos, a_sin) if k < 2 else (b_cos, b_sin)
        nx, ny = (cos, sin) if k % 2 == 0 else (-sin, cos)
        a_half = (al * abs(nx * a_cos + ny * a_sin) + aw * abs(ny * a_cos - nx * a_sin)) / 2
        b_half = (bl * abs(nx * b_cos + ny * b_sin) + bw * abs(ny * b_cos - nx * b_sin)) / 2
        a_mid, b_mid, motion = nx * ax + ny * ay, nx * bx + ny * by, nx * dx + ny * dy
        a_low, a_high, b_low, b_high = a_mid - a_half, a_mid + a_half, b_mid - b_half, b_mid + b_half
        if _gap(a_low, a_high, b_low, b_high) > 0:
            now = False
        if motion < 0:
            a_low += motion
        else:
            a_high += motion
        # the original looks along both directions of an axis, which differ where one interval holds the other
        gap = _gap(a_low, a_high, b_low, b_high)
        other_gap = _gap(-a_high, -a_low, -b_high, -b_low)
        if gap > 0 or other_gap > 0:
            soon = False
        if not now and not soon:
            return False, False, 0.0, 0.0
        near = min(abs(gap), abs(other_gap))
        if near < least:
            side = 1.0 if a_mid - b_mid > 0 else -1.0
            least, push_x, push_y = near, side * nx, side * ny
    return now, soon, least * push_x, least * push_y


@jit
def collide(i, a, b, world, dt):  # type: ignore[no-untyped-def]
    """Crash and push apart vehicles a and b of world i, whose turn is in that order, where they meet in a substep."""
    vehicles = world.vehicles
    x, y = vehicles.x[i, b] - vehicles.x[i, a], vehicles.y[i, b] - vehicles.y[i, a]
    a_length, a_width = vehicles.length[i, a], vehicles.width[i, a]
    b_length, b_width = vehicles.length[i, b], vehicles.width[i, b]
    a_path, b_path = vehicles.speed[i, a] * dt, vehicles.speed[i, b] * dt
    diagonals = math.sqrt(a_length * a_length + a_width * a_width) + math.sqrt(b_length * b_length + b_width * b_width)
    reach = a_path + 0.5 * diagonals
    if reach < 0 or x * x + y * y > reach * reach:
        return
    a_heading, b_heading = vehicles.heading[i, a], vehicles.heading[i, b]
    now, soon, push_x, push_y = overlap(
        0.0, 0.0, a_heading, a_length, a_width,
        x, y, b_heading, b_length, b_width,
        a_path * math.cos(a_heading) - b_path * math.cos(b_heading),
        a_path * math.sin(a_heading) - b_path * math.sin(b_heading),
    )  # fmt: skip
    is_landmark = vehicles.behaviour[i, b] == LANDMARK
    if soon and not is_landmark:
        share = 1.0 if vehicles.behaviour[i, b] == OBSTACLE else 0.5
        vehicles.impacted[i, a] = True
        vehicles.impact_x[i, a], vehicles.impact_y[i, a] = share * push_x, share * push_y
        if share != 1.0:
            vehicles.impacted[i, b] = True
            vehicles.impact_x[i, b], vehicles.impact_y[i, b] = -0.5 * push_x, -0.5 * push_y
    if now:
        if is_landmark:
            vehicles.hit[i, b] = True
        else:
            vehicles.crashed[i, a] = True
            vehicles.crashed[i, b] = True


@jit
def in_turn(k, ego_turn):  # type: ignore[no-untyped-def]
    """The place whose turn is k-th: ego's, 0, comes after `ego_turn` others."""
    return k + 1 if k < ego_turn else 0 if k == ego_turn else k


@jit
def _is_anyone_near(i, a, first, end, tables, path):  # type: ignore[no-untyped-def]
    """Whether any of vehicles `first` to `end` - 1 can be within reach of a, that moves by path m.

    Nearly always nobody is; and without a branch, eight of them are looked at in the time of one.
    """
    x, y, reach = tables.x[i, a], tables.y[i, a], path + tables.radius[i, a]
    near = 0
    for b in range(first, end):
        most = reach + tables.radius[i, b]
        near += (abs(tables.x[i, b] - x) <= most) & (abs(tables.y[i, b] - y) <= most)
    return near > 0


@jit
def collide_all(i, world, tables, dt):  # type: ignore[no-untyped-def]
    """`collide` for every pair of which one is a vehicle, and one at least checks its collisions."""
    vehicles, places = world.vehicles, world.vehicles.shape[1]
    ego_turn = np.int64(world.ego_turn[i])
    last_to_check = -1
    for k in range(places):
        a = in_turn(k, ego_turn)
        if vehicles.present[i, a] and vehicles.check_collisions[i, a]:
            last_to_check = k
    for k in range(places - 1):
        a = in_turn(k, ego_turn)
        behaviour = vehicles.behaviour[i, a]
        if not vehicles.present[i, a] or behaviour in (OBSTACLE, LANDMARK):
            continue
        checks = vehicles.check_collisions[i, a]
        last = places - 1 if checks else last_to_check
        path = vehicles.speed[i, a] * dt
        if last <= k or not (
            _is_anyone_near(i, a, a + 1, places, tables, path)
            or (k < ego_turn and _is_anyone_near(i, a, 0, 1, tables, path))
        ):
            continue
        for later in range(k + 1, last + 1):
            b = in_turn(later, ego_turn)
            if vehicles.present[i, b] and (checks or vehicles.check_collisions[i, b]):
                collide(i, a, b, world, dt)
