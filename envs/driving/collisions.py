"""Collisions between oriented rectangles, and how they push vehicles apart.

The separating axis test with relative motion, as `highway_env/{utils,vehicle/objects}.py` do it.
"""

from __future__ import annotations

import math

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
    """Crash and push apart vehicles a and b of world i, a < b, where they meet within the substep."""
    x, y = world.x[i, b] - world.x[i, a], world.y[i, b] - world.y[i, a]
    sides = world.length[i, a] + world.width[i, a] + world.length[i, b] + world.width[i, b]
    if abs(x) > world.speed[i, a] * dt + 0.5 * sides:  # most pairs: a cheap bound of what follows
        return
    reach = world.speed[i, a] * dt + 0.5 * (
        math.sqrt(world.length[i, a] * world.length[i, a] + world.width[i, a] * world.width[i, a])
        + math.sqrt(world.length[i, b] * world.length[i, b] + world.width[i, b] * world.width[i, b])
    )
    if reach < 0 or x * x + y * y > reach * reach:
        return
    a_speed, b_speed = world.speed[i, a] * dt, world.speed[i, b] * dt
    a_heading, b_heading = world.heading[i, a], world.heading[i, b]
    now, soon, push_x, push_y = overlap(
        0.0, 0.0, a_heading, world.length[i, a], world.width[i, a],
        x, y, b_heading, world.length[i, b], world.width[i, b],
        a_speed * math.cos(a_heading) - b_speed * math.cos(b_heading),
        a_speed * math.sin(a_heading) - b_speed * math.sin(b_heading),
    )  # fmt: skip
    is_landmark = world.behaviour[i, b] == LANDMARK
    if soon and not is_landmark:
        share = 1.0 if world.behaviour[i, b] == OBSTACLE else 0.5
        world.impacted[i, a] = True
        world.impact[i, a, 0], world.impact[i, a, 1] = share * push_x, share * push_y
        if share != 1.0:
            world.impacted[i, b] = True
            world.impact[i, b, 0], world.impact[i, b, 1] = -0.5 * push_x, -0.5 * push_y
    if now:
        if is_landmark:
            world.hit[i, b] = True
        else:
            world.crashed[i, a] = True
            world.crashed[i, b] = True


@jit
def collide_all(i, world, dt):  # type: ignore[no-untyped-def]
    """`collide` for every pair of which one at least moves on its own; pairs that nobody checks are not looked at."""
    places = world.x.shape[1]
    for a in range(places):
        if not world.present[i, a] or world.behaviour[i, a] == OBSTACLE or world.behaviour[i, a] == LANDMARK:
            continue
        checks = world.check_collisions[i, a]
        for b in range(a + 1, places):
            if world.present[i, b] and (checks or world.check_collisions[i, b]):
                collide(i, a, b, world, dt)
