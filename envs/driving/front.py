"""The front camera: ground in perspective row by row, sky and hills, vehicles over it from far to near."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.decor import (
    decorate,
    mixed,
    scaled,
    vehicle_color,
)
from visnav.envs.driving.ground import TILE
from visnav.envs.driving.lens import (
    EGO,
    FAR,
    GOAL,
    GRASS,
    HALF,
    NEAR,
    OBSTACLE,
    ONE,
    SKY,
    TRAFFIC,
    ZERO,
    Canvas,
    F,
    blend,
    ground_palette,
    label_row,
    shade_row,
)
from visnav.envs.driving.lookup import add_along, level_of, mean_along
from visnav.envs.driving.solids import (
    BIG,
    CABIN_TOP,
    DARK,
    OBSTACLE_TOP,
    SHADOW,
    barrier_color,
    car_color,
    in_shadow,
    meet_box,
    meet_car,
)
from visnav.envs.driving.world import LANDMARK
from visnav.envs.driving.world import OBSTACLE as IS_OBSTACLE
from visnav.envs.rng import level_hash

GOAL_RIM = F(0.3)  # m, width of the frame that marks a goal
# where in a pixel rays are sent: two opposite corners of a rotated grid, the other two, the middle
RAY_COLUMNS = (F(0.125), F(0.875), F(0.375), F(0.625), F(0.5))
RAY_ROWS = (F(0.125), F(0.875), F(0.625), F(0.375), F(0.5))
SMALL = 100  # pixels of a window in which all of them are always sent
SIGHT = F(250.0)  # m beyond which vehicles are not drawn
MOST_HALVINGS = 3  # 8 samples along a pixel of ground that is far longer than wide
SUN = (F(-0.6), F(-0.8))  # on the map, where it stands


class Eye(NamedTuple):
    """Where a picture is taken from, on the map: metres, and unit vectors."""

    x: float
    y: float
    ahead_x: np.float32
    ahead_y: np.float32
    right_x: np.float32
    right_y: np.float32


@jit
def eye_of(i, world, lens):  # type: ignore[no-untyped-def]
    """The eye of ego in world i."""
    cos, sin = math.cos(world.vehicles.heading[i, 0]), math.sin(world.vehicles.heading[i, 0])
    ahead, right = np.float64(lens.ahead), np.float64(lens.right)
    x = world.vehicles.x[i, 0] + ahead * cos - right * sin
    y = world.vehicles.y[i, 0] + ahead * sin + right * cos
    return Eye(x, y, F(cos), F(sin), F(-sin), F(cos))


@jit
def column_ray(c, lens):  # type: ignore[no-untyped-def]
    """u of a column coordinate in pixels."""
    return (c - F(lens.width) * HALF) / lens.focal


@jit
def row_ray(r, lens):  # type: ignore[no-untyped-def]
    """v of a row coordinate in pixels."""
    return (r - F(lens.height) * HALF) / lens.focal


@jit
def _haze(depth, decor):  # type: ignore[no-untyped-def]
    """How much of what is seen at a depth is haze."""
    return ONE - F(math.exp(-depth * decor.haze))


@jit
def _beam(u, depth, decor):  # type: ignore[no-untyped-def]
    """How many times brighter ego's lamps make what is seen at a depth."""
    aside, far = u / F(0.5), depth / F(26)
    aside *= aside
    return ONE + F(1.6) * decor.lamps * min(depth / F(6), ONE) / ((ONE + aside * aside) * (ONE + far * far))


# --- ground and sky -----------------------------------------------------------------------------------------


@jit
def _draw_ground_row(r, road, offset_x, offset_y, v, depth, eye, ground, lens, decor, scratch, canvas):  # type: ignore[no-untyped-def]
    """A row below the horizon; the eye's place in tiles of its road."""
    forward = lens.cos_pitch - v * lens.sin_pitch
    u, step = column_ray(HALF, lens), ONE / lens.focal
    wide = depth / lens.focal
    long = depth * depth / (lens.up * lens.focal)
    halvings = 0
    while halvings < MOST_HALVINGS and long > F(1.5) * wide * F(1 << halvings):
        halvings += 1
    samples = 1 << halvings
    long /= F(samples)
    level, size = level_of(ground, max(wide, F(0.7) * long))
    gain = min(max(size / max(wide, long), ONE), F(6))
    span = np.uint64(lens.width)
    for c in range(span):
        scratch.row.sums[c] = np.uint64(0)
    tiles = F(1 / TILE)
    here = depth * tiles
    for k in range(samples):
        # the distances whose mean stands for the pixel's
        reach = tiles * (depth * forward + ((F(k) + HALF) - HALF * F(samples)) * long)
        add_along(
            ground, road, level, offset_x + reach * eye.ahead_x + here * u * eye.right_x,
            offset_y + reach * eye.ahead_y + here * u * eye.right_y, here * step * eye.right_x,
            here * step * eye.right_y, halvings, scratch.row,
        )  # fmt: skip
    mean_along(scratch.row)
    at = np.uint64(r) * span
    if canvas.rgb.shape[0]:
        palette = ground_palette(decor, _haze(depth, decor))
        shade_row(scratch.row, gain, ONE, gain, palette, canvas.rgb[np.uint64(3) * at : np.uint64(3) * (at + span)])
        if decor.lamps > ZERO:
            for c in range(span):
                factor = _beam(u + step * F(np.int32(c)), depth, decor)
                for k in range(3):
                    place = np.uint64(3) * (at + c) + np.uint64(k)
                    canvas.rgb[place] = np.uint8(min(F(canvas.rgb[place]) * factor, F(255)))
    if canvas.semantic.shape[0]:
        label_row(scratch.row, ONE, canvas.semantic[at : at + span])


@jit
def _fill_skyline(number, eye, lens, scratch):  # type: ignore[no-untyped-def]
    """How high the hills on the horizon stand in each column."""
    draw = level_hash(number, 900)
    turn = F(np.int32(draw & np.uint64(1023))) * F(math.pi / 512)
    for c in range(lens.width):
        u = column_ray(F(c) + HALF, lens)
        angle = F(math.atan2(eye.ahead_y + u * eye.right_y, eye.ahead_x + u * eye.right_x))
        hills = F(math.sin(F(3) * angle + turn)) + F(0.6) * F(math.sin(F(7) * angle + F(2) * turn))
        hills += F(0.35) * F(math.sin(F(16) * angle + F(3) * turn)) + F(0.12) * F(math.sin(F(41) * angle))
        scratch.skyline[c] = F(0.035) + F(0.014) * hills


@jit
def _draw_sky_row(r, v, lens, decor, scratch, canvas):  # type: ignore[no-untyped-def]
    """A row above the horizon: hills against the sky."""
    forward = lens.cos_pitch - v * lens.sin_pitch
    height = -(lens.sin_pitch + v * lens.cos_pitch) / max(forward, F(1e-3))
    share = min(F(math.sqrt(max(height, ZERO))) * F(1.15), ONE)
    sky = mixed(decor.horizon, decor.zenith, share)
    hill = mixed(scaled(decor.grass, decor.light), decor.horizon, F(0.55) + F(0.45) * min(decor.haze * F(100), ONE))
    at = np.uint64(r) * np.uint64(lens.width)
    highest = F(0.035 + 0.014 * 2.07) + ONE / lens.focal
    for c in range(np.uint64(lens.width)):
        cover = ZERO
        if height < highest:
            cover = min(max((scratch.skyline[c] - height) * lens.focal + HALF, ZERO), ONE)
        if canvas.rgb.shape[0]:
            color = mixed(sky, hill, cover)
            place = np.uint64(3) * (at + c)
            for k in range(3):
                canvas.rgb[place + np.uint64(k)] = np.uint8(min(max(color[k], ZERO), F(255)))
        if canvas.semantic.shape[0]:
            canvas.semantic[at + c] = np.uint8(GRASS if cover >= HALF else SKY)


@jit
def _draw_backdrop(i, world, number, eye, ground, lens, decor, scratch, canvas):  # type: ignore[no-untyped-def]
    """Every pixel as ground or sky."""
    road = world.road[i]
    offset_x, offset_y = (eye.x - ground.x[road]) / TILE, (eye.y - ground.y[road]) / TILE
    _fill_skyline(number, eye, lens, scratch)
    for r in range(lens.height):
        v = row_ray(F(r) + HALF, lens)
        down = lens.sin_pitch + v * lens.cos_pitch
        depth = FAR
        if down * FAR > lens.up:
            depth = lens.up / down
            _draw_ground_row(r, road, offset_x, offset_y, v, depth, eye, ground, lens, decor, scratch, canvas)
        else:
            _draw_sky_row(r, v, lens, decor, scratch, canvas)
        if canvas.depth.shape[0]:
            start = np.uint64(r) * np.uint64(lens.width)
            for c in range(np.uint64(lens.width)):
                canvas.depth[start + c] = depth
    for k in range(np.uint64(canvas.instance.shape[0])):
        canvas.instance[k] = np.int32(0)


# --- vehicles -----------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where the eye is on a vehicle's axes, and how camera axes lie on them."""

    x: np.float32  # m ahead of the vehicle's middle
    y: np.float32  # m to its right
    cos: np.float32  # of the angle from the vehicle's heading to the camera's
    sin: np.float32


@jit
def _place_of(i, v, world, eye):  # type: ignore[no-untyped-def]
    cos, sin = F(math.cos(world.vehicles.heading[i, v])), F(math.sin(world.vehicles.heading[i, v]))
    dx, dy = F(eye.x - world.vehicles.x[i, v]), F(eye.y - world.vehicles.y[i, v])
    return Place(
        dx * cos + dy * sin, dy * cos - dx * sin, eye.ahead_x * cos + eye.ahead_y * sin,
        eye.ahead_y * cos - eye.ahead_x * sin,
    )  # fmt: skip


@jit
def _camera_vector(x, y, z, place, lens):  # type: ignore[no-untyped-def]
    """A vector on a vehicle's axes in camera coordinates: right, down, ahead."""
    ahead, right = x * place.cos + y * place.sin, y * place.cos - x * place.sin
    return (
        right, -ahead * lens.sin_pitch - z * lens.cos_pitch, ahead * lens.cos_pitch - z * lens.sin_pitch,
    )  # fmt: skip


@jit
def _window(place, lens, half, side, top):  # type: ignore[no-untyped-def]
    """The pixels that a box can be seen in: first and last column, first and last row (half open)."""
    left, right, upper, lower = BIG, -BIG, BIG, -BIG
    middle = _camera_vector(-place.x, -place.y, -lens.up, place, lens)
    to_end = _camera_vector(half, ZERO, ZERO, place, lens)
    to_side = _camera_vector(ZERO, side, ZERO, place, lens)
    to_top = _camera_vector(ZERO, ZERO, top, place, lens)
    for edge in range(24):  # each of the twelve from both ends, for the sake of those that the image plane cuts
        corner, axis = edge // 3, edge % 3
        end, beside, rise = F((corner & 1) * 2 - 1), F((corner & 2) - 1), F(corner >> 2)
        x = middle[0] + end * to_end[0] + beside * to_side[0] + rise * to_top[0]
        y = middle[1] + end * to_end[1] + beside * to_side[1] + rise * to_top[1]
        z = middle[2] + end * to_end[2] + beside * to_side[2] + rise * to_top[2]
        if z < NEAR:
            way, sign = to_end, F(-2) * end
            if axis == 1:
                way, sign = to_side, F(-2) * beside
            elif axis == 2:
                way, sign = to_top, ONE - F(2) * rise
            rest = sign * way[2]
            if z + rest <= NEAR:
                continue
            share = sign * (NEAR - z) / rest
            x, y, z = x + share * way[0], y + share * way[1], NEAR
        left, right = min(left, x / z), max(right, x / z)
        upper, lower = min(upper, y / z), max(lower, y / z)
    center_x, center_y = F(lens.width) * HALF, F(lens.height) * HALF
    wide, tall = F(lens.width), F(lens.height)
    return (
        np.int32(min(max(left * lens.focal + center_x, ZERO), wide)),
        np.int32(min(max(right * lens.focal + center_x + ONE, ZERO), wide)),
        np.int32(min(max(upper * lens.focal + center_y, ZERO), tall)),
        np.int32(min(max(lower * lens.focal + center_y + ONE, ZERO), tall)),
    )


@jit
def _meet(behaviour, place, lens, dx, dy, dz, half, side):  # type: ignore[no-untyped-def]
    """Where a ray meets a vehicle, obstacle or goal: (depth, part or axis)."""
    if behaviour == LANDMARK:
        if in_shadow(place.x, place.y, lens.up, dx, dy, dz, half, side):
            return -lens.up / dz, 2
        return BIG, 0
    if behaviour == IS_OBSTACLE:
        return meet_box(place.x, place.y, lens.up, dx, dy, dz, half, side, OBSTACLE_TOP)
    return meet_car(place.x, place.y, lens.up, dx, dy, dz, half, side)


@jit
def _draw_vehicle(i, v, world, place, lens, decor, canvas):  # type: ignore[no-untyped-def]
    """One vehicle, obstacle or goal over what is drawn already: four rays a pixel for colour, one for labels."""
    half, side = HALF * F(world.vehicles.length[i, v]), HALF * F(world.vehicles.width[i, v])
    behaviour = world.vehicles.behaviour[i, v]
    is_goal, is_obstacle = behaviour == LANDMARK, behaviour == IS_OBSTACLE
    first_column, last_column, first_row, last_row = _window(
        place, lens, half + SHADOW, side + SHADOW, ZERO if is_goal else CABIN_TOP
    )
    if first_column >= last_column or first_row >= last_row:
        return
    glow = max(decor.lamps, decor.light[0] * F(0.95))
    ahead = F(math.sqrt(place.x * place.x + place.y * place.y))
    beside = place.x * place.sin - place.y * place.cos  # m to the right of the line of sight
    lit = _beam(beside / max(ahead, ONE), ahead, decor)
    light = scaled(decor.light, (lit, lit, lit))
    paint = scaled(vehicle_color(decor, v, behaviour, world.vehicles.crashed[i, v], world.vehicles.hit[i, v]), light)
    haze = _haze(ahead, decor)
    cos, sin = F(math.cos(world.vehicles.heading[i, v])), F(math.sin(world.vehicles.heading[i, v]))
    sun_x, sun_y = SUN[0] * cos + SUN[1] * sin, SUN[1] * cos - SUN[0] * sin
    facing = (
        F(0.84) + F(0.22) * max(sun_x, ZERO), F(0.84) + F(0.22) * max(sun_y, ZERO),
        F(0.84) + F(0.22) * max(-sun_x, ZERO), F(0.84) + F(0.22) * max(-sun_y, ZERO),
    )  # fmt: skip
    label = GOAL if is_goal else OBSTACLE if is_obstacle else EGO if v == 0 else TRAFFIC
    shadow = scaled(scaled(decor.road, decor.light), (DARK, DARK, DARK))
    has_rgb = canvas.rgb.shape[0] > 0
    has_labels = canvas.depth.shape[0] + canvas.semantic.shape[0] + canvas.instance.shape[0] > 0
    rays = (0 if has_rgb else 4, 5 if has_labels else 4)  # the first four are for colour, the fifth for labels
    is_small = (last_row - first_row) * (last_column - first_column) < SMALL
    for r in range(first_row, last_row):
        for c in range(first_column, last_column):
            k = np.uint64(r * lens.width + c)
            red, green, blue, met, shaded, sent, parts = ZERO, ZERO, ZERO, 0, 0, 0, 0
            for ray in range(rays[0], rays[1]):
                if (ray == 2 or ray == 3) and parts >= 0 and not is_small:
                    continue  # the first two, from opposite corners, met the same
                column, row = RAY_COLUMNS[ray], RAY_ROWS[ray]
                u, v_ray = column_ray(F(c) + column, lens), row_ray(F(r) + row, lens)
                forward = lens.cos_pitch - v_ray * lens.sin_pitch
                dx, dy = forward * place.cos - u * place.sin, forward * place.sin + u * place.cos
                dz = -(lens.sin_pitch + v_ray * lens.cos_pitch)
                depth, part = _meet(behaviour, place, lens, dx, dy, dz, half, side)
                is_shaded = depth == BIG and in_shadow(
                    place.x, place.y, lens.up, dx, dy, dz, half + SHADOW, side + SHADOW
                )
                if ray < 4:
                    sent += 1
                    which = 100 if is_shaded else 99 if depth == BIG else part
                    parts = which if ray == 0 or parts == which else -1
                    shaded += 1 if is_shaded else 0
                if depth == BIG:
                    continue
                x, y, z = place.x + depth * dx, place.y + depth * dy, lens.up + depth * dz
                if depth < NEAR or (is_goal and min(half - abs(x), side - abs(y)) > GOAL_RIM):
                    continue
                if ray == 4:
                    if canvas.depth.shape[0]:
                        canvas.depth[k] = depth
                    if canvas.semantic.shape[0]:
                        canvas.semantic[k] = np.uint8(label)
                    if canvas.instance.shape[0]:
                        canvas.instance[k] = np.int32(v + 1)
                    continue
                color = paint
                if is_obstacle:
                    color = barrier_color(part, x, y, z, paint, light, facing)
                elif not is_goal:
                    color = car_color(part, x, y, z, half, side, paint, light, glow, facing)
                red, green, blue, met = red + color[0], green + color[1], blue + color[2], met + 1
            if has_rgb and shaded and not is_goal:
                blend(canvas.rgb, k, mixed(shadow, decor.horizon, haze), F(0.56) * F(shaded) / F(sent))
            if met:
                each = ONE / F(met)
                color = mixed((red * each, green * each, blue * each), decor.horizon, haze)
                blend(canvas.rgb, k, color, F(met) / F(sent))


@jit
def _find_vehicles(i, world, eye, lens, scratch):  # type: ignore[no-untyped-def]
    """Which vehicles may be seen, far to near; goals before all others, ego never. Returns how many."""
    count = 0
    slope = HALF * F(lens.width) / lens.focal
    for v in range(1, world.vehicles.x.shape[1]):
        if not world.vehicles.present[i, v]:
            continue
        dx, dy = F(world.vehicles.x[i, v] - eye.x), F(world.vehicles.y[i, v] - eye.y)
        ahead, right = dx * eye.ahead_x + dy * eye.ahead_y, dx * eye.right_x + dy * eye.right_y
        radius = HALF * F(world.vehicles.length[i, v] + world.vehicles.width[i, v]) + SHADOW
        if ahead < -radius or ahead > SIGHT or abs(right) - F(1.5) * radius > (ahead + radius) * slope:
            continue
        distance = dx * dx + dy * dy
        if world.vehicles.behaviour[i, v] == LANDMARK:
            distance = BIG
        j = count
        while j > 0 and scratch.distance[j - 1] < distance:
            scratch.distance[j], scratch.order[j] = scratch.distance[j - 1], scratch.order[j - 1]
            j -= 1
        scratch.distance[j], scratch.order[j] = distance, np.int32(v)
        count += 1
    return count


@jit
def draw_front(i, world, levels, ground, lens, scratch, canvas_out):  # type: ignore[no-untyped-def]
    """World i as seen from ego's windscreen.

    Args:
        levels: (N,) the numbers of the levels, which colours, light and weather are drawn from.
        ground: of the bank that `world.road` counts in.
        lens: FrontLens.
        scratch: room for one picture.
        canvas_out: the pictures of N worlds, of which row i is written.
    """
    canvas = Canvas(canvas_out.rgb[i], canvas_out.depth[i], canvas_out.semantic[i], canvas_out.instance[i])
    looks = lens.looks
    decor = decorate(levels[i], looks.textures, looks.lighting, looks.weather)
    eye = eye_of(i, world, lens)
    _draw_backdrop(i, world, levels[i], eye, ground, lens, decor, scratch, canvas)
    for k in range(_find_vehicles(i, world, eye, lens, scratch)):
        v = scratch.order[k]
        _draw_vehicle(i, v, world, _place_of(i, v, world, eye), lens, decor, canvas)


@jit
def front_rows(lo, hi, world, levels, ground, lens, scratch, canvas):  # type: ignore[no-untyped-def]
    """`draw_front` of rows lo..hi."""
    for i in range(lo, hi):
        draw_front(i, world, levels, ground, lens, scratch, canvas)
