"""What the front camera shows of vehicles and obstacles: solids in coordinates of their own, met by rays.

A solid's axes are metres ahead of its middle, to its right, and up from the ground. A car is a body and a cabin with
sloped windows; an obstacle is a box; a goal lies flat on the ground.
"""

from __future__ import annotations

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.decor import GLASS, HEADLIGHT, TAILLIGHT, TYRE, mixed, scaled

F = np.float32
ZERO, HALF, ONE = F(0), F(0.5), F(1)
BIG = F(1e30)

BODY_TOP = F(0.86)  # m
CABIN_TOP = F(1.5)  # m
OBSTACLE_TOP = F(0.9)  # m
CABIN_FRONT, CABIN_BACK, CABIN_SIDE = F(0.3), F(-0.88), F(0.92)  # of half the length and width
FRONT_SLOPE, BACK_SLOPE, SIDE_SLOPE = F(1.0), F(0.7), F(0.22)  # m inwards a metre up
WHEEL_RADIUS = F(0.36)  # m
WHEEL_AT = F(0.3)  # of the length, from the middle
CLEARANCE = F(0.2)  # m below which a car is in its own shadow
SHADOW = F(0.22)  # m that the shadow on the ground is wider than the car
DARK = F(0.45)  # share of the light that is left in it

# what a ray meets: of an obstacle's or a goal's parts, those of a car's body; GROUND is in a vehicle's shadow
NOTHING, GROUND, BODY_SIDE, BODY_END, BODY_BACK, BODY_TOPSIDE, WINDOW, ROOF = (np.int32(part) for part in range(8))

_PARALLEL = F(1e-9)  # m per metre of depth below which a ray keeps its distance from a plane


@jit
def _cut(reach, part, position, direction, low, high):  # type: ignore[no-untyped-def]
    """What two planes leave of a ray: (depth it enters, depth it leaves, part it enters), of such a `reach` before.

    Where nothing is left it enters no sooner than it leaves. There is no branch, so that rays can be met in vectors.
    """
    enter, leave, entered = reach
    is_parallel = abs(direction) < _PARALLEL
    inverse = ONE / (ONE if is_parallel else direction)
    one, two = (low - position) * inverse, (high - position) * inverse
    is_beside = (position < low) | (position > high)
    near = (BIG if is_beside else ZERO) if is_parallel else min(one, two)
    far = BIG if is_parallel else max(one, two)
    is_later = near > enter
    return near if is_later else enter, min(leave, far), part if is_later else entered


@jit
def _clip(reach, part, outside, outwards):  # type: ignore[no-untyped-def]
    """As `_cut`, of one plane: metres that the eye is outside it, and that the ray goes outwards per metre of depth."""
    enter, leave, entered = reach
    is_parallel = abs(outwards) < _PARALLEL
    at = -outside / (ONE if is_parallel else outwards)
    at = (BIG if outside > ZERO else ZERO) if is_parallel else at
    goes_in = is_parallel | (outwards < ZERO)
    is_later = goes_in & (at > enter)
    return at if is_later else enter, leave if goes_in else min(leave, at), part if is_later else entered


@jit
def _met(reach):  # type: ignore[no-untyped-def]
    """(depth, part) of a reach, BIG and NOTHING where nothing is left of it."""
    enter, leave, part = reach
    is_missed = (enter >= leave) | (enter <= ZERO)
    return BIG if is_missed else enter, NOTHING if is_missed else part


@jit
def meet_box(ex, ey, ez, dx, dy, dz, half, side, top):  # type: ignore[no-untyped-def]
    """Where a ray enters a box on the ground: (depth, part of a body); BIG and NOTHING if it misses."""
    reach = _cut((ZERO, BIG, NOTHING), BODY_END if dx < ZERO else BODY_BACK, ex, dx, -half, half)
    reach = _cut(reach, BODY_SIDE, ey, dy, -side, side)
    return _met(_cut(reach, BODY_TOPSIDE, ez, dz, ZERO, top))


@jit
def _meet_cabin(ex, ey, ez, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Where a ray enters the cabin: (depth, WINDOW or ROOF); BIG and NOTHING if it misses."""
    up = ez - BODY_TOP
    front, back, beside = CABIN_FRONT * half, CABIN_BACK * half, CABIN_SIDE * side
    reach = _clip((ZERO, BIG, NOTHING), WINDOW, ex - front + FRONT_SLOPE * up, dx + FRONT_SLOPE * dz)
    reach = _clip(reach, WINDOW, back - ex + BACK_SLOPE * up, BACK_SLOPE * dz - dx)
    reach = _clip(reach, WINDOW, ey - beside + SIDE_SLOPE * up, dy + SIDE_SLOPE * dz)
    reach = _clip(reach, WINDOW, -ey - beside + SIDE_SLOPE * up, SIDE_SLOPE * dz - dy)
    reach = _clip(reach, ROOF, ez - CABIN_TOP, dz)
    return _met(_clip(reach, WINDOW, -up, -dz))


@jit
def meet_car(ex, ey, ez, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Where a ray meets a car: (depth, part); BIG and NOTHING where it meets nothing or only the ground.

    Args:
        ex, ey, ez: the eye; dx, dy, dz: the ray's way per metre of depth.
        half, side: half the car's length and width.
    """
    depth, part = meet_box(ex, ey, ez, dx, dy, dz, half, side, BODY_TOP)
    cabin, face = _meet_cabin(ex, ey, ez, dx, dy, dz, half, side)
    is_cabin = cabin < depth
    depth, part = cabin if is_cabin else depth, face if is_cabin else part
    # from outside, the box around body and cabin decides, but where its sides are open beside the cabin
    is_outside = (abs(ex) > half) | (abs(ey) > side) | (ez > CABIN_TOP)
    around, face = meet_box(ex, ey, ez, dx, dy, dz, half, side, CABIN_TOP)
    is_body = (face != BODY_TOPSIDE) & (ez + around * dz < BODY_TOP)
    decides = is_outside & ((around == BIG) | is_body)
    return around if decides else depth, face if decides else part


@jit
def in_shadow(ex, ey, ez, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Whether a ray meets the ground within a rectangle."""
    depth = -ez / min(dz, -_PARALLEL)
    return (dz < ZERO) & (abs(ex + depth * dx) < half) & (abs(ey + depth * dy) < side)


@jit
def _tone(color, share):  # type: ignore[no-untyped-def]
    return (color[0] * share, color[1] * share, color[2] * share)


@jit
def _of(color):  # type: ignore[no-untyped-def]
    return (F(color[0]), F(color[1]), F(color[2]))


@jit
def car_color(part, x, y, z, half, side, paint, light, glow, facing):  # type: ignore[no-untyped-def]
    """The colour of a car where a ray met it.

    Args:
        part: as `meet_car` tells.
        x, y, z: the point, on the car's axes.
        paint: its colour in the level's light.
        light: of the level.
        glow: how brightly its lamps are seen, 0 to 1.
        facing: brightness of its front, right, back and left, in the sun.
    """
    if part == WINDOW:
        rises = (z - BODY_TOP) / (CABIN_TOP - BODY_TOP)
        middle = abs(x - F(-0.1) * half) < F(0.05) * half and abs(y) > F(0.5) * side
        if rises < F(0.1) or rises > F(0.92) or middle:
            return _tone(paint, F(0.85))
        return scaled(mixed(_of(GLASS), (F(150), F(175), F(200)), F(0.1) + F(0.35) * rises), light)
    if part == ROOF:
        return _tone(paint, F(1.08))
    if part == BODY_TOPSIDE:
        return _tone(paint, F(1.0) if abs(x) > F(0.1) * half else F(0.9))
    if part == BODY_SIDE:
        along, up = abs(x) - F(2) * WHEEL_AT * half, z - WHEEL_RADIUS
        distance = along * along + up * up
        if distance < WHEEL_RADIUS * WHEEL_RADIUS:
            return scaled(_of(TYRE), light) if distance > F(0.035) else scaled((F(120), F(122), F(126)), light)
        if z < CLEARANCE:
            return scaled(_of(TYRE), _tone(light, F(0.6)))
        shine = facing[1] if y > ZERO else facing[3]
        return _tone(paint, shine * (F(0.8) if distance < F(0.19) else ONE))
    if z < CLEARANCE:
        return scaled(_of(TYRE), _tone(light, F(0.6)))
    outer = abs(y) / side
    if part == BODY_END:
        if F(0.55) < outer < F(0.94) and F(0.5) < z < F(0.72):
            return _tone(_of(HEADLIGHT), glow)
        if outer < F(0.5) and F(0.3) < z < F(0.5):
            return scaled(_of(TYRE), light)
        return _tone(paint, facing[0])
    if F(0.5) < outer < F(0.96) and F(0.52) < z < F(0.76):
        return _tone(_of(TAILLIGHT), glow)
    if outer < F(0.26) and F(0.34) < z < F(0.5):
        return scaled((F(225), F(225), F(220)), light)
    return _tone(paint, facing[2])


@jit
def barrier_color(part, x, y, z, paint, light, facing):  # type: ignore[no-untyped-def]
    """The colour of an obstacle: slanted stripes on its sides."""
    if part == BODY_TOPSIDE:
        return _tone(paint, F(1.05))
    shine = facing[1] if part == BODY_SIDE else facing[0]
    across = (x if part == BODY_SIDE else y) + z
    if (across + F(64)) % F(0.8) < F(0.4):
        return scaled((F(240), F(240), F(236)), _tone(light, shine))
    return _tone(paint, shine)
