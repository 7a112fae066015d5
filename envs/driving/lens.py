"""What the driving cameras draw with: their lenses, the arrays of a picture, and rows of ground.

Coordinates on the map are metres, x to the right and y down. Camera coordinates of the front camera are metres to the
right, down and ahead of the eye; a pixel's ray is (u, v, 1), so that the distance along it is depth to the image plane.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.driving.decor import LIGHTING, TEXTURES, WEATHER, mixed, scaled
from visnav.envs.driving.lookup import Row, make_row
from visnav.envs.driving.rays import RAY_COLUMNS, RAY_ROWS, Rays, make_rays, ray_table

F = np.float32
ZERO, HALF, ONE = F(0), F(0.5), F(1)

FAR = F(500.0)  # m: ground and sky end here
NEAR = F(0.1)  # m to the image plane; nothing nearer is drawn

SKY, GRASS, ROAD, KERB, MARKING, GOAL, TRAFFIC, EGO, OBSTACLE = range(9)
SEMANTIC_CLASSES = ("sky", "grass", "road", "kerb", "marking", "goal", "vehicle", "ego", "obstacle")

_BYTE, _HALF_BYTE, _BYTE_SHARE = np.uint32(255), np.uint32(128), F(1 / 255)


class Looks(NamedTuple):
    """Keywords of colour, light and weather by number."""

    textures: int  # TEXTURES
    lighting: int  # LIGHTING
    weather: int  # WEATHER


class AboveLens(NamedTuple):
    """What every picture of a camera that looks down shares."""

    height: int  # pixels
    width: int  # pixels
    scale: np.float32  # m of a pixel
    ego_row: np.float32  # where ego is: share of the height from the top
    follows: bool  # ego in its place, heading up; else the map as it lies, the whole road if `most` allows
    most: np.float32  # m along the longer side of a map picture
    looks: Looks


class FrontLens(NamedTuple):
    """What every picture of a front camera shares."""

    height: int  # pixels
    width: int  # pixels
    focal: np.float32  # pixels: half the width over the tangent of half the horizontal field of view
    ahead: np.float32  # m from the vehicle's middle to the eye
    right: np.float32  # m
    up: np.float32  # m above the ground
    cos_pitch: np.float32
    sin_pitch: np.float32  # positive looking down
    columns: NDArray[np.float32]  # (W * RAYS,) u of the rays through each column's pixels
    rows: NDArray[np.float32]  # (H * RAYS,) v of those through each row's
    looks: Looks


class Canvas(NamedTuple):
    """The pictures of N worlds (a first axis of N), or of one; those that nobody wants have length 0."""

    rgb: NDArray[np.uint8]  # (H * W * 3,)
    depth: NDArray[np.float32]  # (H * W,) metres to the image plane
    semantic: NDArray[np.uint8]  # (H * W,) SEMANTIC_CLASSES
    instance: NDArray[np.int32]  # (H * W,) place in the world's row + 1, 0 = background


class Scratch(NamedTuple):
    """Room for one picture at a time."""

    row: Row  # of the picture, for looking up the ground
    rays: Rays  # to a vehicle
    skyline: NDArray[np.float32]  # (W,) tangent of the elevation of the hills on the horizon
    order: NDArray[np.int32]  # (V,) vehicles that may be seen, far to near
    distance: NDArray[np.float32]  # (V,) m ahead, of those


class Palette(NamedTuple):
    """The colours of the ground along a row, as they reach the eye."""

    grass: tuple[np.float32, np.float32, np.float32]
    road: tuple[np.float32, np.float32, np.float32]
    kerb: tuple[np.float32, np.float32, np.float32]
    marking: tuple[np.float32, np.float32, np.float32]
    grain: np.float32  # of grass


def make_looks(textures: str, lighting: str, weather: str) -> Looks:
    """Names to numbers."""
    return Looks(TEXTURES[textures], LIGHTING[lighting], WEATHER[weather])


def make_front_lens(
    image_size: tuple[int, int], field_of_view: float, mount: tuple[float, float, float], pitch: float, looks: Looks
) -> FrontLens:
    """A front camera of (height, width) pixels; angles in degrees, mount in m ahead, right and up."""
    height, width = image_size
    focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
    tilt = math.radians(pitch)
    ahead, right, up = (F(meters) for meters in mount)
    columns, rows = ray_table(width, RAY_COLUMNS, focal), ray_table(height, RAY_ROWS, focal)
    return FrontLens(
        height, width, F(focal), ahead, right, up, F(math.cos(tilt)), F(math.sin(tilt)), columns, rows, looks
    )


def make_scratch(width: int, vehicles: int) -> Scratch:
    """Room for pictures of so many columns, with so many vehicles."""
    return Scratch(
        row=make_row(width),
        rays=make_rays(width),
        skyline=np.zeros(width, np.float32),
        order=np.zeros(vehicles, np.int32),
        distance=np.zeros(vehicles, np.float32),
    )


@jit
def ground_palette(decor, haze):  # type: ignore[no-untyped-def]
    """The ground's colours in the level's light, `haze` of them lost in haze."""
    keep = ONE - haze
    return Palette(
        mixed(scaled(decor.grass, decor.light), decor.horizon, haze),
        mixed(scaled(decor.road, decor.light), decor.horizon, haze),
        mixed(scaled(decor.kerb, decor.light), decor.horizon, haze),
        mixed(scaled(decor.marking, decor.light), decor.horizon, haze),
        decor.grain * decor.light[1] * keep,
    )


@jit
def _within(value, most):  # type: ignore[no-untyped-def]
    return min(max(value, ZERO), most)


@jit
def shade_row(row, gain, bold, crisp, palette, rgb_out):  # type: ignore[no-untyped-def]
    """Colours of a row of ground, as `look_along` found it.

    Args:
        row: `Row`, of which `color` is room to work in: the compiler makes vector instructions of whole numbers' loops.
        gain: texels a pixel's size, at least 1: how much edges are sharpened.
        bold: factor of a marking's share, where lines are thinner than pixels.
        crisp: as gain, for the edges of markings.
        rgb_out: (W * 3,) uint8, written.
    """
    grass, road, kerb, marking = palette.grass, palette.road, palette.kerb, palette.marking
    scale, less = gain * _BYTE_SHARE, HALF - HALF * gain
    line_scale, line_less = crisp * bold * _BYTE_SHARE, HALF - HALF * crisp
    mottle = palette.grain * _BYTE_SHARE
    full = F(255)
    shares, color = row.shares, row.color
    for c in range(np.uint64(shares.shape[0])):
        share = shares[c]
        asphalt = _within(F(np.int32(share & _BYTE)) * scale + less, ONE)
        paint = _within(F(np.int32(share >> np.uint32(8) & _BYTE)) * line_scale + line_less, ONE)
        edge = _within(F(np.int32(share >> np.uint32(16) & _BYTE)) * scale + less, ONE)
        grain = (F(np.int32(share >> np.uint32(24))) - F(127.5)) * mottle * (ONE - F(0.75) * asphalt) * (ONE - paint)
        red = grass[0] + (road[0] - grass[0]) * asphalt + (kerb[0] - grass[0]) * edge
        green = grass[1] + (road[1] - grass[1]) * asphalt + (kerb[1] - grass[1]) * edge
        blue = grass[2] + (road[2] - grass[2]) * asphalt + (kerb[2] - grass[2]) * edge
        red = _within(red + (marking[0] - red) * paint + grain, full)
        green = _within(green + (marking[1] - green) * paint + grain, full)
        blue = _within(blue + (marking[2] - blue) * paint + grain, full)
        color[c] = np.int32(red) | np.int32(green) << np.int32(8) | np.int32(blue) << np.int32(16)
    for c in range(np.uint64(color.shape[0])):
        at = np.uint64(3) * c
        rgb_out[at] = np.uint8(color[c])
        rgb_out[at + np.uint64(1)] = np.uint8(color[c] >> np.int32(8))
        rgb_out[at + np.uint64(2)] = np.uint8(color[c] >> np.int32(16))


@jit
def label_row(row, bold, semantic_out):  # type: ignore[no-untyped-def]
    """Classes of a row of ground: of which kind the larger part is, as `shade_row` shows it."""
    some = np.uint32(F(127.5) / bold + HALF)
    for c in range(np.uint64(row.shares.shape[0])):
        share = row.shares[c]
        label = ROAD if (share & _BYTE) >= _HALF_BYTE else GRASS
        if (share >> np.uint32(16) & _BYTE) >= _HALF_BYTE:
            label = KERB
        if (share >> np.uint32(8) & _BYTE) >= some:
            label = MARKING
        semantic_out[c] = np.uint8(label)


@jit
def blend(rgb, k, color, share):  # type: ignore[no-untyped-def]
    """Cover pixel k with a colour by a share of 0 to 1."""
    at = np.uint64(3) * np.uint64(k)
    for channel in range(3):
        place = at + np.uint64(channel)
        below = F(rgb[place])
        value = below + (color[channel] - below) * share
        rgb[place] = np.uint8(min(max(value, ZERO), F(255)))
