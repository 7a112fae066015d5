"""The cameras that look down: `birdseye`, ego-centred with its heading up, and `topdown`, the map as it lies."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.decor import GLASS, HEADLIGHT, TAILLIGHT, decorate, mixed, scaled, vehicle_color
from visnav.envs.driving.ground import LINE_WIDTH, TILE
from visnav.envs.driving.lens import (
    EGO,
    GOAL,
    HALF,
    OBSTACLE,
    ONE,
    TRAFFIC,
    ZERO,
    Canvas,
    F,
    blend,
    ground_palette,
    label_row,
    shade_row,
)
from visnav.envs.driving.lookup import level_of, look_along
from visnav.envs.driving.world import LANDMARK
from visnav.envs.driving.world import OBSTACLE as IS_OBSTACLE

# so that what is small keeps its colour: edges of lines and vehicles are sharper than they are where a pixel is larger
# than a line is wide, and lines are bolder from pixels of 6 cm on, up to four times
THIN, CRISPEST = F(LINE_WIDTH), F(1.5)
BOLD_BASE, BOLDER, BOLDEST = F(0.75), F(4.25), F(4)  # factor of a line's share: base + bolder * m of a pixel
PLAIN = F(0.3), F(0.9)  # m of a pixel from where on windows fade, and are gone: they would hide a small car's paint
HEIGHT = F(12)  # m above the ground, as far as haze goes
OUTLINE = F(0.3)  # m, width of the frame that marks a goal


class Frame(NamedTuple):
    """Where a picture lies on the map: its upper left corner, and the vectors of one pixel to the right and down."""

    x: float  # m
    y: float
    right_x: float  # m
    right_y: float
    down_x: float
    down_y: float
    scale: np.float32  # m of a pixel


@jit
def frame_of(i, world, ground, lens):  # type: ignore[no-untyped-def]
    """The frame of world i."""
    x, y = world.vehicles.x[i, 0], world.vehicles.y[i, 0]
    height, width = np.float64(lens.height), np.float64(lens.width)
    if lens.follows:
        scale = np.float64(lens.scale)
        cos, sin = math.cos(world.vehicles.heading[i, 0]) * scale, math.sin(world.vehicles.heading[i, 0]) * scale
        ahead, left = np.float64(lens.ego_row) * height, 0.5 * width
        return Frame(x + ahead * cos + left * sin, y + ahead * sin - left * cos, -sin, cos, -cos, -sin, lens.scale)
    extent = ground.extent[world.road[i]]
    wide, tall = extent[2] - extent[0], extent[3] - extent[1]
    most = np.float64(lens.most)
    middle_x, middle_y = 0.5 * (extent[0] + extent[2]), 0.5 * (extent[1] + extent[3])
    if wide > most:
        wide, middle_x = most, x
    if tall > most:
        tall, middle_y = most, y
    scale = 1.04 * max(wide / width, tall / height)
    return Frame(middle_x - 0.5 * width * scale, middle_y - 0.5 * height * scale, scale, 0.0, 0.0, scale, F(scale))


@jit
def _clipped(value, least, most):  # type: ignore[no-untyped-def]
    return min(max(value, least), most)


@jit
def _crispness(scale):  # type: ignore[no-untyped-def]
    """How much edges of lines and vehicles are sharpened, so that small ones keep their colour."""
    return _clipped(scale / THIN, ONE, CRISPEST)


@jit
def _draw_ground(i, world, ground, frame, decor, scratch, canvas, height, width):  # type: ignore[no-untyped-def]
    """Every pixel of the picture as ground."""
    road = world.road[i]
    level, size = level_of(ground, frame.scale)
    gain = max(size / frame.scale, ONE)
    bold = _clipped(BOLD_BASE + BOLDER * frame.scale, ONE, BOLDEST)
    crisp = max(gain, _crispness(frame.scale))
    palette = ground_palette(decor, ONE - F(math.exp(-HEIGHT * decor.haze)))
    right_x, right_y = frame.right_x / TILE, frame.right_y / TILE
    down_x, down_y = frame.down_x / TILE, frame.down_y / TILE
    x0 = (frame.x - ground.x[road]) / TILE + 0.5 * (right_x + down_x)
    y0 = (frame.y - ground.y[road]) / TILE + 0.5 * (right_y + down_y)
    span = np.uint64(width)
    for r in range(height):
        look_along(ground, road, level, x0 + r * down_x, y0 + r * down_y, right_x, right_y, scratch.row)
        at = np.uint64(r) * span
        if canvas.rgb.shape[0]:
            shade_row(
                scratch.row, gain, bold, crisp, palette, canvas.rgb[np.uint64(3) * at : np.uint64(3) * (at + span)]
            )
        if canvas.semantic.shape[0]:
            label_row(scratch.row, bold, canvas.semantic[at : at + span])
    for k in range(np.uint64(canvas.instance.shape[0])):
        canvas.instance[k] = np.int32(0)


@jit
def _cover(at, low, high):  # type: ignore[no-untyped-def]
    """How much of a pixel around `at` lies between two edges; all in pixels."""
    return max(min(at + HALF, high) - max(at - HALF, low), ZERO)


@jit
def _car_color(along, across, length, width, scale, paint, glow):  # type: ignore[no-untyped-def]
    """The colour of a car from above, at metres ahead of its middle and to its side; `scale` m of a pixel."""
    # distances in pixels, from the middle
    a, b = along / scale, abs(across) / scale
    half, side = HALF * length / scale, HALF * width / scale
    roof = _cover(a, F(-0.5) * half, F(0.12) * half) * _cover(b, -F(0.8) * side, F(0.8) * side)
    color = mixed(paint, (F(255), F(255), F(255)), F(0.12) * roof)
    inner = _cover(b, -F(0.82) * side, F(0.82) * side)
    glass = (_cover(a, F(0.12) * half, F(0.42) * half) + _cover(a, F(-0.74) * half, F(-0.5) * half)) * inner
    clear = _clipped((PLAIN[1] - scale) / (PLAIN[1] - PLAIN[0]), ZERO, ONE)
    color = mixed(color, (F(GLASS[0]), F(GLASS[1]), F(GLASS[2])), clear * min(glass, ONE))
    outer = min(_cover(b, F(0.42) * side, F(0.92) * side), ONE)
    front = _cover(a, F(0.86) * half, half) * outer
    back = _cover(a, -half, F(-0.9) * half) * outer
    color = mixed(color, scaled((F(HEADLIGHT[0]), F(HEADLIGHT[1]), F(HEADLIGHT[2])), (glow, glow, glow)), front)
    return mixed(color, scaled((F(TAILLIGHT[0]), F(TAILLIGHT[1]), F(TAILLIGHT[2])), (glow, glow, glow)), back)


@jit
def _draw_vehicle(i, v, world, frame, decor, canvas, rows, columns):  # type: ignore[no-untyped-def]
    """One vehicle, obstacle or goal over what is drawn already."""
    scale = frame.scale
    # from the corner of the picture, in pixels
    dx, dy = world.vehicles.x[i, v] - frame.x, world.vehicles.y[i, v] - frame.y
    square = np.float64(scale) * np.float64(scale)
    column = F((dx * frame.right_x + dy * frame.right_y) / square)
    row = F((dx * frame.down_x + dy * frame.down_y) / square)
    length, width = F(world.vehicles.length[i, v]), F(world.vehicles.width[i, v])
    half, side = HALF * length / scale, HALF * width / scale
    radius = half + side + ONE
    if column < -radius or row < -radius or column > F(columns) + radius or row > F(rows) + radius:
        return
    cos, sin = math.cos(world.vehicles.heading[i, v]), math.sin(world.vehicles.heading[i, v])
    ahead_x = F((cos * frame.right_x + sin * frame.right_y) / np.float64(scale))
    ahead_y = F((cos * frame.down_x + sin * frame.down_y) / np.float64(scale))
    reach_x = abs(ahead_x) * half + abs(ahead_y) * side + ONE
    reach_y = abs(ahead_y) * half + abs(ahead_x) * side + ONE
    first_row, last_row = np.int32(max(row - reach_y, ZERO)), np.int32(min(row + reach_y + ONE, F(rows)))
    first_column, last_column = np.int32(max(column - reach_x, ZERO)), np.int32(min(column + reach_x + ONE, F(columns)))
    behaviour = world.vehicles.behaviour[i, v]
    paint = scaled(
        vehicle_color(decor, v, behaviour, world.vehicles.crashed[i, v], world.vehicles.hit[i, v]), decor.light
    )
    haze = ONE - F(math.exp(-HEIGHT * decor.haze))
    glow = max(decor.light[0], decor.lamps)
    label = GOAL if behaviour == LANDMARK else OBSTACLE if behaviour == IS_OBSTACLE else EGO if v == 0 else TRAFFIC
    has_rgb = canvas.rgb.shape[0] > 0
    crisp = _crispness(scale)
    for r in range(first_row, last_row):
        down = F(r) + HALF - row
        for c in range(first_column, last_column):
            beside = F(c) + HALF - column
            along = beside * ahead_x + down * ahead_y
            across = down * ahead_x - beside * ahead_y
            share = _cover(along, -half, half) * _cover(across, -side, side)
            share = _clipped((share - HALF) * crisp + HALF, ZERO, ONE)
            if share <= ZERO:
                continue
            k = r * columns + c
            is_inside = abs(along) <= half and abs(across) <= side
            if label == GOAL:
                frame_width = max(OUTLINE / scale, ONE)
                inner = _cover(along, frame_width - half, half - frame_width)
                inner *= _cover(across, frame_width - side, side - frame_width)
                share = max(share - inner, F(0.25) * share)
            if has_rgb:
                color = paint
                if label in (EGO, TRAFFIC):
                    color = _car_color(along * scale, across * scale, length, width, scale, paint, glow)
                blend(canvas.rgb, k, mixed(color, decor.horizon, haze), share)
            if is_inside:
                if canvas.semantic.shape[0]:
                    canvas.semantic[np.uint64(k)] = np.uint8(label)
                if canvas.instance.shape[0]:
                    canvas.instance[np.uint64(k)] = np.int32(v + 1)


@jit
def draw_above(i, world, levels, ground, lens, scratch, canvas_out):  # type: ignore[no-untyped-def]
    """World i from above.

    Args:
        levels: (N,) the numbers of the levels, which colours and light are drawn from.
        ground: of the bank that `world.road` counts in.
        lens: AboveLens.
        scratch: room for one picture.
        canvas_out: the pictures of N worlds, of which row i is written, but for `depth`.
    """
    canvas = Canvas(canvas_out.rgb[i], canvas_out.depth[i], canvas_out.semantic[i], canvas_out.instance[i])
    looks = lens.looks
    decor = decorate(levels[i], looks.textures, looks.lighting, looks.weather)
    frame = frame_of(i, world, ground, lens)
    _draw_ground(i, world, ground, frame, decor, scratch, canvas, lens.height, lens.width)
    for flat in range(2):  # goals lie under the vehicles
        for v in range(world.vehicles.x.shape[1] - 1, -1, -1):
            if world.vehicles.present[i, v] and (world.vehicles.behaviour[i, v] == LANDMARK) == (flat == 0):
                _draw_vehicle(i, v, world, frame, decor, canvas, np.int32(lens.height), np.int32(lens.width))


@jit
def above_rows(lo, hi, world, levels, ground, lens, scratch, canvas):  # type: ignore[no-untyped-def]
    """`draw_above` of rows lo..hi."""
    for i in range(lo, hi):
        draw_above(i, world, levels, ground, lens, scratch, canvas)
