"""The front camera: ground in perspective row by row, sky and hills, vehicles over it from far to near."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.decor import Color, decorate, mixed, scaled, vehicle_color
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
from visnav.envs.driving.rays import RAYS, Place, fill_rays, meet_vehicle, ray_of
from visnav.envs.driving.solids import BIG, CABIN_TOP, DARK, GROUND, SHADOW, barrier_color, car_color
from visnav.envs.driving.world import LANDMARK
from visnav.envs.driving.world import OBSTACLE as IS_OBSTACLE
from visnav.envs.rng import level_hash

GOAL_RIM = F(0.3)  # m, width of the frame that marks a goal
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


class Look(NamedTuple):
    """What a vehicle, obstacle or goal is drawn with."""

    half: np.float32  # m, of its length
    side: np.float32  # m, half its width
    is_goal: bool
    is_obstacle: bool
    label: int  # of SEMANTIC_CLASSES
    paint: Color  # in its light
    light: Color  # factors
    glow: np.float32  # how brightly its lamps are seen, 0 to 1
    facing: tuple[np.float32, np.float32, np.float32, np.float32]  # brightness of front, right, back, left in the sun
    shadow: Color  # on the ground, hazy
    haze: np.float32  # share of haze in its colour


@jit
def _look_of(i, v, world, place, decor):  # type: ignore[no-untyped-def]
    """How place v of world i looks from ego's."""
    behaviour = world.vehicles.behaviour[i, v]
    is_goal, is_obstacle = behaviour == LANDMARK, behaviour == IS_OBSTACLE
    ahead = F(math.sqrt(place.x * place.x + place.y * place.y))
    beside = place.x * place.sin - place.y * place.cos  # m to the right of the line of sight
    lit = _beam(beside / max(ahead, ONE), ahead, decor)
    light = scaled(decor.light, (lit, lit, lit))
    haze = _haze(ahead, decor)
    cos, sin = F(math.cos(world.vehicles.heading[i, v])), F(math.sin(world.vehicles.heading[i, v]))
    sun_x, sun_y = SUN[0] * cos + SUN[1] * sin, SUN[1] * cos - SUN[0] * sin
    shadow = scaled(scaled(decor.road, decor.light), (DARK, DARK, DARK))
    return Look(
        HALF * F(world.vehicles.length[i, v]),
        HALF * F(world.vehicles.width[i, v]),
        is_goal,
        is_obstacle,
        GOAL if is_goal else OBSTACLE if is_obstacle else EGO if v == 0 else TRAFFIC,
        scaled(vehicle_color(decor, v, behaviour, world.vehicles.crashed[i, v], world.vehicles.hit[i, v]), light),
        light,
        max(decor.lamps, decor.light[0] * F(0.95)),
        (
            F(0.84) + F(0.22) * max(sun_x, ZERO), F(0.84) + F(0.22) * max(sun_y, ZERO),
            F(0.84) + F(0.22) * max(-sun_x, ZERO), F(0.84) + F(0.22) * max(-sun_y, ZERO),
        ),
        mixed(shadow, decor.horizon, haze),
        haze,
    )  # fmt: skip


@jit
def _is_drawn(depth, x, y, look):  # type: ignore[no-untyped-def]
    """Whether something is seen where a ray met it: not too near, and of a goal only its frame."""
    if depth == BIG or depth < NEAR:
        return False
    return not look.is_goal or min(look.half - abs(x), look.side - abs(y)) <= GOAL_RIM


@jit
def _color_pixel(k, at, is_small, look, place, lens, decor, rays, rgb):  # type: ignore[no-untyped-def]
    """Pixel k by the four rays from `at` on."""
    red, green, blue, met, shaded, sent = ZERO, ZERO, ZERO, 0, 0, 0
    alike = rays.part[at] == rays.part[at + np.uint64(1)]
    last = 2 if alike and not is_small else 4  # the first two, from opposite corners, met the same
    for ray in range(last):
        place_of_ray = at + np.uint64(ray)
        depth, part = rays.depth[place_of_ray], rays.part[place_of_ray]
        sent += 1
        shaded += 1 if part == GROUND else 0
        dx, dy, dz = ray_of(rays.u[place_of_ray], rays.v[place_of_ray], place, lens)
        x, y, z = place.x + depth * dx, place.y + depth * dy, lens.up + depth * dz
        if not _is_drawn(depth, x, y, look):
            continue
        color = look.paint
        if look.is_obstacle:
            color = barrier_color(part, x, y, z, look.paint, look.light, look.facing)
        elif not look.is_goal:
            color = car_color(part, x, y, z, look.half, look.side, look.paint, look.light, look.glow, look.facing)
        red, green, blue, met = red + color[0], green + color[1], blue + color[2], met + 1
    if shaded and not look.is_goal:
        blend(rgb, k, look.shadow, F(0.56) * F(shaded) / F(sent))
    if met:
        each = ONE / F(met)
        color = mixed((red * each, green * each, blue * each), decor.horizon, look.haze)
        blend(rgb, k, color, F(met) / F(sent))


@jit
def _label_pixel(k, at, v, look, place, lens, rays, canvas):  # type: ignore[no-untyped-def]
    """Pixel k by the ray `at` through its middle."""
    depth = rays.depth[at]
    dx, dy, _ = ray_of(rays.u[at], rays.v[at], place, lens)
    if not _is_drawn(depth, place.x + depth * dx, place.y + depth * dy, look):
        return
    if canvas.depth.shape[0]:
        canvas.depth[k] = depth
    if canvas.semantic.shape[0]:
        canvas.semantic[k] = np.uint8(look.label)
    if canvas.instance.shape[0]:
        canvas.instance[k] = np.int32(v + 1)


@jit
def _draw_vehicle(i, v, world, place, lens, decor, scratch, canvas):  # type: ignore[no-untyped-def]
    """One vehicle, obstacle or goal over what is drawn already: four rays a pixel for colour, one for labels."""
    half, side = HALF * F(world.vehicles.length[i, v]), HALF * F(world.vehicles.width[i, v])
    behaviour = world.vehicles.behaviour[i, v]
    left, right, top, bottom = _window(
        place, lens, half + SHADOW, side + SHADOW, ZERO if behaviour == LANDMARK else CABIN_TOP
    )
    if left >= right or top >= bottom:
        return
    look, rays = _look_of(i, v, world, place, decor), scratch.rays
    has_rgb = canvas.rgb.shape[0] > 0
    has_labels = canvas.depth.shape[0] + canvas.semantic.shape[0] + canvas.instance.shape[0] > 0
    first_ray, last_ray = 0 if has_rgb else 4, 5 if has_labels else 4  # four are for colour, the fifth for labels
    is_small = (bottom - top) * (right - left) < SMALL
    at_once = rays.u.shape[0] // (RAYS * (right - left))
    for row in range(top, bottom, at_once):
        end = row + at_once if row + at_once < bottom else bottom
        count = fill_rays(first_ray, last_ray, (left, right), (row, end), lens, rays)
        meet_vehicle(behaviour, place, lens, half, side, count, rays)
        at = np.uint64(0)
        for r in range(row, end):
            for c in range(left, right):
                k = np.uint64(r * lens.width + c)
                if has_rgb:
                    _color_pixel(k, at, is_small, look, place, lens, decor, rays, canvas.rgb)
                    at += np.uint64(4)
                if has_labels:
                    _label_pixel(k, at, v, look, place, lens, rays, canvas)
                    at += np.uint64(1)


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
        _draw_vehicle(i, v, world, _place_of(i, v, world, eye), lens, decor, scratch, canvas)


@jit
def front_rows(lo, hi, world, levels, ground, lens, scratch, canvas):  # type: ignore[no-untyped-def]
    """`draw_front` of rows lo..hi."""
    for i in range(lo, hi):
        draw_front(i, world, levels, ground, lens, scratch, canvas)
