"""What a level looks like to the first-person camera: a function of the level's number alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.lens import _TEST_EVERY, ONE, TWO, ZERO, F
from visnav.envs.grid.textures import NUM_PATTERNS
from visnav.envs.rng import level_hash, level_uniform


class Decor(NamedTuple):
    """What a level looks like: patterns and tints of its surfaces, and its light."""

    wall: int  # texture
    floor: int
    ceiling: int
    wall_tint: tuple[np.float32, np.float32, np.float32]
    floor_tint: tuple[np.float32, np.float32, np.float32]
    ceiling_tint: tuple[np.float32, np.float32, np.float32]
    light: tuple[np.float32, np.float32, np.float32]  # factor of red, green, blue
    side: np.float32  # brightness of walls that face east and west
    fading: np.float32  # per m²: how fast brightness falls with distance


@jit
def _pattern(number, salt, textures):  # type: ignore[no-untyped-def]
    """A pattern's number, among those for training (1), for testing (2), or all."""
    tests = NUM_PATTERNS // _TEST_EVERY
    draw = level_hash(number, salt) >> np.uint64(32)
    if textures == 2:
        return np.int64(draw % np.uint64(tests)) * _TEST_EVERY + _TEST_EVERY - 1
    if textures == 1:
        k = np.int64(draw % np.uint64(NUM_PATTERNS - tests))
        return k + k // (_TEST_EVERY - 1)
    return np.int64(draw % np.uint64(NUM_PATTERNS))


@jit
def _tint(number, salt):  # type: ignore[no-untyped-def]
    """A pale colour of any hue."""
    hue = level_uniform(number, salt, 0.0, 6.0)
    saturation = level_uniform(number, salt + 1, 0.0, 0.45)
    value = level_uniform(number, salt + 2, 0.65, 1.1)
    red = min(max(abs(hue - F(3)) - ONE, ZERO), ONE)
    green = min(max(TWO - abs(hue - TWO), ZERO), ONE)
    blue = min(max(TWO - abs(hue - F(4)), ZERO), ONE)
    return (
        value * (ONE - saturation * (ONE - red)),
        value * (ONE - saturation * (ONE - green)),
        value * (ONE - saturation * (ONE - blue)),
    )


@jit
def decorate(number, lens):  # type: ignore[no-untyped-def]
    """The looks of level `number`."""
    wall, floor, ceiling = 3, 1, 2
    wall_tint = (F(0.98), F(0.88), F(0.72))
    floor_tint = (F(0.78), F(0.62), F(0.5))
    ceiling_tint = (F(0.95), F(0.98), F(1.05))
    if lens.textures:
        wall = _pattern(number, 1, lens.textures)
        floor = _pattern(number, 2, lens.textures)
        ceiling = _pattern(number, 3, lens.textures)
        wall_tint, floor_tint, ceiling_tint = _tint(number, 4), _tint(number, 7), _tint(number, 10)
    light = (F(1.1), F(1.1), F(1.1))
    side, fading = F(0.78), F(0.02)
    if lens.random_light:
        power = level_uniform(number, 20, 0.6, 1.25)
        warmth = level_uniform(number, 21, -0.15, 0.15)
        light = (power * (ONE + warmth), power, power * (ONE - warmth))
        side = level_uniform(number, 22, 0.6, 1.0)
        fading = level_uniform(number, 23, 0.0, 0.06)
    return Decor(wall, floor, ceiling, wall_tint, floor_tint, ceiling_tint, light, side, fading)
