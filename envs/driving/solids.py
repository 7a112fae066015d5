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

# what a ray meets
NOTHING, GROUND, BODY_SIDE, BODY_END, BODY_BACK, BODY_TOPSIDE, WINDOW, ROOF = range(8)


@jit
def meet_box(ex, ey, ez, dx, dy, dz, half, side, top):  # type: ignore[no-untyped-def]
    """Where a ray enters a box on the ground: (depth, axis 0 ahead, 1 to the side, 2 up); depth is BIG if it misses."""
    enter, leave, entered = ZERO, BIG, 0
    for axis in range(3):
        position, direction, low, high = ex, dx, -half, half
        if axis == 1:
            position, direction, low, high = ey, dy, -side, side
        elif axis == 2:
            position, direction, low, high = ez, dz, ZERO, top
        if abs(direction) < F(1e-9):
            if position < low or position > high:
                return BIG, 0
            continue
        inverse = ONE / direction
        one, two = (low - position) * inverse, (high - position) * inverse
        if one > two:
            one, two = two, one
        if one > enter:
            enter, entered = one, axis
        leave = min(leave, two)
    if enter >= leave or enter <= ZERO:
        return BIG, 0
    return enter, entered


@jit
def _meet_cabin(ex, ey, ez, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Where a ray enters the cabin: (depth, face 0 windscreen, 1 rear window, 2 and 3 side windows, 4 roof)."""
    up = ez - BODY_TOP
    enter, leave, entered = ZERO, BIG, 0
    for face in range(6):
        # metres that the eye is outside the face's plane, and that the ray goes outwards per metre of depth
        outside, outwards = ex - CABIN_FRONT * half + FRONT_SLOPE * up, dx + FRONT_SLOPE * dz
        if face == 1:
            outside, outwards = CABIN_BACK * half - ex + BACK_SLOPE * up, BACK_SLOPE * dz - dx
        elif face == 2:
            outside, outwards = ey - CABIN_SIDE * side + SIDE_SLOPE * up, dy + SIDE_SLOPE * dz
        elif face == 3:
            outside, outwards = -ey - CABIN_SIDE * side + SIDE_SLOPE * up, SIDE_SLOPE * dz - dy
        elif face == 4:
            outside, outwards = ez - CABIN_TOP, dz
        elif face == 5:
            outside, outwards = -up, -dz
        if abs(outwards) < F(1e-9):
            if outside > ZERO:
                return BIG, 0
            continue
        at = -outside / outwards
        if outwards > ZERO:
            leave = min(leave, at)
        elif at > enter:
            enter, entered = at, face
    if enter >= leave or enter <= ZERO:
        return BIG, 0
    return enter, entered


@jit
def meet_car(ex, ey, ez, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Where a ray meets a car: (depth, part); depth is BIG where it meets nothing or only the ground.

    Args:
        ex, ey, ez: the eye; dx, dy, dz: the ray's way per metre of depth.
        half, side: half the car's length and width.
    """
    if abs(ex) > half or abs(ey) > side or ez > CABIN_TOP:  # most rays are done with the box around body and cabin
        depth, axis = meet_box(ex, ey, ez, dx, dy, dz, half, side, CABIN_TOP)
        if depth == BIG:
            return BIG, NOTHING
        if axis != 2 and ez + depth * dz < BODY_TOP:
            return depth, BODY_SIDE if axis == 1 else BODY_END if dx < ZERO else BODY_BACK
    depth, axis = meet_box(ex, ey, ez, dx, dy, dz, half, side, BODY_TOP)
    part = BODY_TOPSIDE if axis == 2 else BODY_SIDE
    if axis == 0:
        part = BODY_END if dx < ZERO else BODY_BACK
    cabin, face = _meet_cabin(ex, ey, ez, dx, dy, dz, half, side)
    if cabin < depth:
        depth, part = cabin, ROOF if face == 4 else WINDOW
    if depth == BIG:
        return BIG, NOTHING
    return depth, part


@jit
def in_shadow(ex, ey, ez, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Whether a ray meets the ground within a rectangle."""
    if dz >= ZERO:
        return False
    depth = -ez / dz
    return abs(ex + depth * dx) < half and abs(ey + depth * dy) < side


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
def barrier_color(axis, x, y, z, paint, light, facing):  # type: ignore[no-untyped-def]
    """The colour of an obstacle: slanted stripes on its sides."""
    shine = ONE if axis == 2 else facing[0] if axis == 0 else facing[1]
    if axis == 2:
        return _tone(paint, F(1.05))
    across = (y if axis == 0 else x) + z
    if (across + F(64)) % F(0.8) < F(0.4):
        return scaled((F(240), F(240), F(236)), _tone(light, shine))
    return _tone(paint, shine)
