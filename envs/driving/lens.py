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
from visnav.envs.driving.ground import Row

F = np.float32
ZERO, HALF, ONE = F(0), F(0.5), F(1)

FAR = F(500.0)  # m: ground and sky end here
NEAR = F(0.1)  # m to the image plane; nothing nearer is drawn

SKY, GRASS, ROAD, KERB, MARKING, GOAL, TRAFFIC, EGO, OBSTACLE = range(9)
SEMANTIC_CLASSES = ("sky", "grass", "road", "kerb", "marking", "goal", "vehicle", "ego", "obstacle")

_SHIFT = np.uint64(8)
_LANE = np.uint64(0xFFFF)
_FULL = F(255 * 256)


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
    looks: Looks


class Canvas(NamedTuple):
    """The pictures of N worlds (a first axis of N), or of one; those that nobody wants have length 0."""

    rgb: NDArray[np.uint8]  # (H * W * 3,)
    depth: NDArray[np.float32]  # (H * W,) metres to the image plane
    semantic: NDArray[np.uint8]  # (H * W,) SEMANTIC_CLASSES
    instance: NDArray[np.int32]  # (H * W,) place in the world's row + 1, 0 = background


class Scratch(NamedTuple):
    """Room for one picture at a time."""

    ground: NDArray[np.uint64]  # (W,) what `look_along` found along a row of the picture
    row: Row  # for looking it up
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
    return FrontLens(height, width, F(focal), ahead, right, up, F(math.cos(tilt)), F(math.sin(tilt)), looks)


def make_scratch(width: int, vehicles: int) -> Scratch:
    """Room for pictures of so many columns, with so many vehicles."""
    return Scratch(
        ground=np.zeros(width, np.uint64),
        row=Row(*np.zeros((3, width), np.int32)),
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
def _cut(share, gain):  # type: ignore[no-untyped-def]
    """A share, 0 to 1, with its edge made as sharp as pixels are small."""
    return min(max((share - HALF) * gain + HALF, ZERO), ONE)


@jit
def shade_row(ground, gain, bold, palette, rgb_out):  # type: ignore[no-untyped-def]
    """Colours of a row of ground.

    Args:
        ground: (W,) uint64 as `look_along` finds them.
        gain: texels a pixel's size, at least 1: how much edges are sharpened.
        bold: factor of a marking's share, where lines are thinner than pixels.
        rgb_out: (W * 3,) uint8, written.
    """
    grass, road, kerb, marking = palette.grass, palette.road, palette.kerb, palette.marking
    whole = ONE / _FULL
    for c in range(np.uint64(ground.shape[0])):
        shares = ground[c]
        asphalt = _cut(F(np.int32(shares & _LANE)) * whole, gain)
        paint = _cut(min(F(np.int32(shares >> np.uint64(16) & _LANE)) * whole * bold, ONE), gain)
        edge = _cut(F(np.int32(shares >> np.uint64(32) & _LANE)) * whole, gain)
        grain = (F(np.int32(shares >> np.uint64(48))) * whole - HALF) * palette.grain * (ONE - F(0.75) * asphalt)
        grain *= ONE - paint
        at = np.uint64(3) * c
        for k in range(3):
            value = grass[k] + (road[k] - grass[k]) * asphalt
            value += (kerb[k] - value) * edge
            value += (marking[k] - value) * paint + grain
            rgb_out[at + np.uint64(k)] = np.uint8(min(max(value, ZERO), F(255)))


@jit
def label_row(ground, bold, semantic_out):  # type: ignore[no-untyped-def]
    """Classes of a row of ground: of which kind the larger part is, as `shade_row` shows it."""
    half = np.uint64(255 * 128)
    some = np.uint64(_FULL * HALF / bold)
    for c in range(np.uint64(ground.shape[0])):
        shares = ground[c]
        label = ROAD if (shares & _LANE) >= half else GRASS
        if (shares >> np.uint64(32) & _LANE) >= half:
            label = KERB
        if (shares >> np.uint64(16) & _LANE) >= some:
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
