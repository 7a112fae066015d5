"""Procedural textures of the first-person camera: grey patterns that are tinted as they are drawn, doors, goal, lava.

Everything is computed from formulas and fixed seeds when the camera is first made; nothing is read from disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

SIZE = 256  # texels along one metre
PATTERN_MEAN = 0.62  # every pattern is as bright as the others
MIPS = 9  # 256, 128, …, 1 texels along one metre
MIP_START = tuple(sum((SIZE >> m) ** 2 for m in range(level)) for level in range(MIPS))
STRIDE = sum((SIZE >> m) ** 2 for m in range(MIPS))  # texels of a texture with all its mip levels

Image = NDArray[np.float32]  # (SIZE, SIZE) or (SIZE, SIZE, 3), 0 to 1, [row from the top, column]

_ROWS, _COLUMNS = np.meshgrid((np.arange(SIZE) + 0.5) / SIZE, (np.arange(SIZE) + 0.5) / SIZE, indexing="ij")


# --- building blocks ----------------------------------------------------------------------------------------


def _noise(seed: int, cells: int, octaves: int = 4, stretch: int = 1) -> Image:
    """Tileable value noise, 0 to 1: `cells` lattice points along a column, `cells * stretch` along a row."""
    rng = np.random.default_rng(seed)
    total = np.zeros((SIZE, SIZE))
    for octave in range(octaves):
        tall, wide = cells << octave, min(SIZE, (cells * stretch) << octave)
        lattice = rng.random((tall, wide))
        total += _smooth(lattice, _ROWS * tall, _COLUMNS * wide) / 2**octave
    total -= total.min()
    return (total / total.max()).astype(np.float32)


def _smooth(lattice: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A periodic lattice between its points, by smoothstep."""
    tall, wide = lattice.shape
    row, column = y.astype(int), x.astype(int)
    fy, fx = y - row, x - column
    fy, fx = fy * fy * (3 - 2 * fy), fx * fx * (3 - 2 * fx)
    above = lattice[row % tall, column % wide] * (1 - fx) + lattice[row % tall, (column + 1) % wide] * fx
    below = lattice[(row + 1) % tall, column % wide] * (1 - fx) + lattice[(row + 1) % tall, (column + 1) % wide] * fx
    return above * (1 - fy) + below * fy


def _blocks(tall: int, wide: int, shift: float, joint: float) -> tuple[Image, NDArray[np.int64]]:
    """Blocks in courses: how far inside its block a texel is, 0 at the joint to 1 at `joint` metres; its number."""
    row = (_ROWS * tall).astype(int)
    x = (_COLUMNS * wide + shift * (row % 2)) % wide
    column = x.astype(int)
    inside_y = np.minimum(_ROWS * tall - row, 1 - (_ROWS * tall - row)) / tall
    inside_x = np.minimum(x - column, 1 - (x - column)) / wide
    depth = np.clip(np.minimum(inside_x, inside_y) / joint, 0, 1)
    return depth.astype(np.float32), row * wide + column


def _each(number: NDArray[np.int64], seed: int, spread: float) -> Image:
    """A brightness of its own for each block, around 1."""
    shades = 1 + spread * (np.random.default_rng(seed).random(int(number.max()) + 1) - 0.5)
    return shades[number].astype(np.float32)


def _bevel(depth: Image) -> Image:
    """Light from above on the edges of blocks: brighter where the surface falls towards the top, darker below."""
    slope = depth - np.roll(depth, 3, axis=0)
    return np.clip(1 + 0.5 * slope, 0.6, 1.4).astype(np.float32)


# --- patterns: grey, of any surface --------------------------------------------------------------------------


def _brick() -> Image:
    depth, number = _blocks(8, 4, 0.5, 0.012)
    return (0.35 + 0.5 * depth) * _each(number, 1, 0.35) * _bevel(depth) * (0.8 + 0.3 * _noise(2, 16))


def _ashlar() -> Image:
    depth, number = _blocks(3, 2, 0.5, 0.015)
    return (0.3 + 0.55 * depth) * _each(number, 3, 0.25) * _bevel(depth) * (0.7 + 0.5 * _noise(4, 6, 5))


def _planks() -> Image:
    depth, number = _blocks(1, 6, 0.0, 0.006)
    grain = _noise(5, 2, 4, 16)
    return (0.4 + 0.5 * depth) * _each(number, 6, 0.35) * (0.65 + 0.5 * grain)


def _boards() -> Image:
    depth, number = _blocks(6, 1, 0.0, 0.006)
    grain = np.ascontiguousarray(_noise(7, 2, 4, 16).T)
    return (0.4 + 0.5 * depth) * _each(number, 8, 0.35) * (0.65 + 0.5 * grain)


def _plaster() -> Image:
    return 0.7 + 0.22 * (_noise(9, 4, 6) - 0.5) + 0.1 * (_noise(10, 64, 2) - 0.5)


def _tiles() -> Image:
    depth, number = _blocks(4, 4, 0.0, 0.01)
    return (0.45 + 0.45 * depth) * _each(number, 11, 0.1) * (0.92 + 0.16 * _noise(12, 4, 5))


def _checker() -> Image:
    depth, number = _blocks(2, 2, 0.0, 0.006)
    dark = (number // 2 + number % 2) % 2
    return (0.55 + 0.2 * depth) * (1.15 - 0.45 * dark) * (0.9 + 0.2 * _noise(13, 4, 5))


def _concrete() -> Image:
    depth, _ = _blocks(1, 1, 0.0, 0.008)
    return (0.5 + 0.2 * depth) * (0.75 + 0.45 * _noise(14, 3, 7))


def _carpet() -> Image:
    weave = np.sin(_ROWS * 2 * np.pi * 32) * np.sin(_COLUMNS * 2 * np.pi * 32)
    return (0.6 + 0.12 * weave + 0.2 * (_noise(15, 32, 3) - 0.5)).astype(np.float32)


def _panels() -> Image:
    depth, _ = _blocks(1, 2, 0.0, 0.06)
    edge = np.clip(4 * depth * (1 - depth), 0, 1)
    return (0.68 - 0.25 * edge) * _bevel(depth) * (0.85 + 0.25 * _noise(16, 2, 4, 8))


def _pebbles() -> Image:
    """Rounded stones: the distance to the nearest of scattered points (Worley's cellular noise)."""
    rng = np.random.default_rng(17)
    grid = (np.indices((9, 9)).reshape(2, -1).T + 0.15 + 0.7 * rng.random((81, 2))) / 9
    shades = 0.75 + 0.5 * rng.random(81)
    nearest, second = np.full((SIZE, SIZE), 9.0), np.full((SIZE, SIZE), 9.0)
    shade = np.zeros((SIZE, SIZE))
    for (y, x), value in zip(grid, shades, strict=True):
        dy, dx = np.abs(_ROWS - y), np.abs(_COLUMNS - x)
        distance = np.hypot(np.minimum(dy, 1 - dy), np.minimum(dx, 1 - dx))
        second = np.minimum(second, np.maximum(nearest, distance))
        shade = np.where(distance < nearest, value, shade)
        nearest = np.minimum(nearest, distance)
    gap = np.clip((second - nearest) * 9 * 2.5, 0, 1)
    return ((0.25 + 0.5 * gap) * shade * (0.85 + 0.3 * _noise(18, 8))).astype(np.float32)


def _waves() -> Image:
    """Wallpaper of curved stripes."""
    phase = _COLUMNS * 8 + 0.25 * np.sin(_ROWS * 2 * np.pi * 2)
    stripe = 0.5 + 0.5 * np.tanh(6 * np.sin(phase * 2 * np.pi))
    return (0.55 + 0.2 * stripe + 0.1 * (_noise(19, 32, 3) - 0.5)).astype(np.float32)


PATTERNS: tuple[Callable[[], Image], ...] = (
    _brick, _boards, _plaster, _ashlar, _tiles, _planks, _concrete, _checker, _panels, _carpet, _pebbles, _waves,
)  # fmt: skip


# --- things -------------------------------------------------------------------------------------------------

POST = 0.1  # metres of a door's frame at each side
LINTEL = 0.16  # metres of its top


def _door_leaf() -> Image:
    """A frame around a panelled leaf with a handle."""
    frame = (_COLUMNS < POST) | (_COLUMNS > 1 - POST) | (_ROWS < LINTEL)
    image = np.where(frame, 0.98, 0.78) * (0.92 + 0.12 * _noise(20, 2, 4, 8))
    edge = np.minimum(np.minimum(_COLUMNS - POST, 1 - POST - _COLUMNS), _ROWS - LINTEL)
    image = np.where((edge >= 0) & (edge < 0.02), 0.25, image)
    for top, bottom in ((0.24, 0.52), (0.6, 0.94)):
        for left, right in ((0.18, 0.46), (0.54, 0.82)):
            inset = np.minimum(np.minimum(_COLUMNS - left, right - _COLUMNS), np.minimum(_ROWS - top, bottom - _ROWS))
            image = np.where((inset >= 0) & (inset < 0.025), 0.45, image)
            image = np.where(inset >= 0.025, 0.88, image)
    return image.astype(np.float32)


def _closed_door() -> Image:
    image = _door_leaf()
    knob = np.hypot(_COLUMNS - 0.84, _ROWS - 0.56)
    return np.where(knob < 0.035, 0.12, image).astype(np.float32)


def _locked_door() -> Image:
    """The same leaf behind two iron bands and a lock plate with a keyhole."""
    image = _door_leaf()
    for band in (0.3, 0.84):
        inside = (np.abs(_ROWS - band) < 0.045) & (_COLUMNS > POST) & (_COLUMNS < 1 - POST)
        image = np.where(inside, 0.12, image)
    plate = (np.abs(_COLUMNS - 0.5) < 0.2) & (np.abs(_ROWS - 0.57) < 0.19)
    image = np.where(plate, 0.1, image)
    inner = (np.abs(_COLUMNS - 0.5) < 0.17) & (np.abs(_ROWS - 0.57) < 0.16)
    image = np.where(inner, 1.0, image)
    hole = (np.hypot(_COLUMNS - 0.5, _ROWS - 0.52) < 0.065) | (
        (np.abs(_COLUMNS - 0.5) < 0.03 + 0.12 * np.clip(_ROWS - 0.54, 0, 1)) & (_ROWS > 0.52) & (_ROWS < 0.68)
    )
    return np.where(hole, 0.02, image).astype(np.float32)


def _goal_pad() -> Image:
    """A bright plate with two rings."""
    radius = np.hypot(_COLUMNS - 0.5, _ROWS - 0.5)
    edge = np.maximum(np.abs(_COLUMNS - 0.5), np.abs(_ROWS - 0.5))
    image = np.where(edge > 0.46, 0.45, 0.95)
    for ring in (0.36, 0.2):
        image = np.where(np.abs(radius - ring) < 0.035, 0.55, image)
    return image.astype(np.float32)


def _lava() -> Image:
    """Dark crust over glowing cracks: (SIZE, SIZE, 3), not tinted."""
    heat = np.clip(1 - 3.2 * np.abs(_noise(21, 3, 4) - 0.5), 0, 1) ** 1.5
    glow = np.clip(0.55 * heat + 0.55 * _noise(22, 4, 4), 0, 1)
    return np.stack([np.clip(0.55 + 0.6 * glow, 0, 1), 0.1 + 0.62 * glow**2, 0.02 + 0.12 * glow**4], axis=-1)


THINGS: tuple[Callable[[], Image], ...] = (_closed_door, _locked_door, _goal_pad, _lava)
NUM_PATTERNS = len(PATTERNS)
CLOSED_DOOR, LOCKED_DOOR, GOAL_PAD, LAVA_FLOOR = range(NUM_PATTERNS, NUM_PATTERNS + len(THINGS))


@cache
def atlas() -> NDArray[np.uint32]:
    """Every texture with its mip levels: (textures * STRIDE,) uint32, red | green << 8 | blue << 16.

    Texel (u, v) of mip level m of texture t, u across and v down, is at
    `t * STRIDE + MIP_START[m] + u * (SIZE >> m) + v`: a vertical line on the screen reads neighbours.
    """
    texels = np.empty((NUM_PATTERNS + len(THINGS), STRIDE), np.uint32)
    for row, make in zip(texels, (*PATTERNS, *THINGS), strict=True):
        image = np.asarray(make(), np.float32)
        if make in PATTERNS:
            image = image * (PATTERN_MEAN / image.mean())
        if image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        image = np.clip(image, 0, 1).transpose(1, 0, 2)
        for level in range(MIPS):
            side = SIZE >> level
            red, green, blue = np.rint(image * 255).astype(np.uint32).reshape(side * side, 3).T
            row[MIP_START[level] : MIP_START[level] + side * side] = red | green << 8 | blue << 16
            image = image.reshape(max(1, side // 2), min(2, side), max(1, side // 2), min(2, side), 3).mean(axis=(1, 3))
    return texels.reshape(-1)
