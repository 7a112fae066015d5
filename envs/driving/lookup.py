"""Looking up the ground: what is at points along a line, a row of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.driving.ground import BETWEEN, EVEN, ODD

F = np.float32

UNIT = 32  # bits after the point of places on the map, counted in tiles

_ONE, _TWO, _THREE, _EIGHT, _HALF_WORD = (np.uint64(number) for number in (1, 2, 3, 8, 32))
_LANE, _EACH = np.uint64(0xFFFF), np.uint64(0x0001000100010001)


class Row(NamedTuple):
    """Room for looking up the ground along a row of W pixels."""

    place: NDArray[np.int32]  # (W,) of the tile in `Ground.tiles`; then of the texel among those of all tiles
    texel: NDArray[np.int32]  # (W,) in its tile; the upper left of four
    weight: NDArray[np.int32]  # (W,) where the weights of the four begin in `weights`
    sums: NDArray[np.uint64]  # (W,) four 16-bit lanes, 0 to 255 * 256: asphalt, kerb, marking, grain
    shares: NDArray[np.uint32]  # (W,) what was found, as in `Ground.bytes`
    color: NDArray[np.int32]  # (W,) red | green << 8 | blue << 16
    weights: NDArray[np.uint64]  # (16 * 16 * 4,) by sixteenths down and to the right: of the four texels, of 256


def make_row(width: int) -> Row:
    """Room for a row of so many pixels."""
    place, texel, weight, color = np.zeros((4, width), np.int32)
    near = np.stack([16 - np.arange(16), np.arange(16)], axis=1).astype(np.uint64)  # (16, 2)
    weights = near[:, None, :, None] * near[None, :, None, :]  # (down, right, lower, righter)
    sums, shares = np.zeros(width, np.uint64), np.zeros(width, np.uint32)
    return Row(place, texel, weight, sums, shares, color, weights.ravel())


@jit
def level_of(ground, meters):  # type: ignore[no-untyped-def]
    """The level for pixels of so many metres, and the size that its pixels have."""
    level, size = 0, ground.finest
    while size * F(1.4) < meters and level < len(ground.level_bits) - 1:
        size += size
        level += 1
    return level, size


@jit
def _fixed(tiles):  # type: ignore[no-untyped-def]
    """A place or a way in tiles, as a whole number."""
    return np.int64(np.float64(tiles) * 4294967296.0)


@jit
def _find_texels(ground, road, level, x, y, dx, dy, row):  # type: ignore[no-untyped-def]
    """Where along a line the texels of a level are: the tile, and for one that is looked up in one place, the texel."""
    bits = np.int32(ground.level_bits[level])
    first, columns, rows, start = _bounds(ground, road, level)
    shift = np.uint32(UNIT - bits)
    x, y, dx, dy = _fixed(x), _fixed(y), _fixed(dx), _fixed(dy)
    place, texel = row.place, row.texel
    for c in range(np.uint64(place.shape[0])):
        at_x, at_y = x + np.int64(c) * dx, y + np.int64(c) * dy
        place[c] = first + _tile_at(at_x, at_y, columns, rows)
        texel[c] = start + (np.int32(np.uint32(at_y) >> shift) << bits) + np.int32(np.uint32(at_x) >> shift)


@jit
def _find_quads(ground, road, level, x, y, dx, dy, row):  # type: ignore[no-untyped-def]
    """Where along a line the four texels around each point are, and how near each is."""
    bits = np.int32(ground.level_bits[level])
    first, columns, rows, start = _bounds(ground, road, level)
    across, fifteen, four = np.int32((1 << bits) + 2), np.int32(15), np.int32(4)
    # places in a tile are halved, so that half a texel more fits in 32 bits; then in sixteenths, from the rim's middle
    half, shift = np.uint32(1 << (UNIT - 2 - bits)), np.uint32(UNIT - 5 - bits)
    x, y, dx, dy = _fixed(x), _fixed(y), _fixed(dx), _fixed(dy)
    place, texel, weight = row.place, row.texel, row.weight
    for c in range(np.uint64(place.shape[0])):
        at_x, at_y = x + np.int64(c) * dx, y + np.int64(c) * dy
        place[c] = first + _tile_at(at_x, at_y, columns, rows)
        u = np.int32((np.uint32(at_x) >> np.uint32(1)) + half >> shift)
        v = np.int32((np.uint32(at_y) >> np.uint32(1)) + half >> shift)
        texel[c] = start + (v >> four) * across + (u >> four)
        weight[c] = (v & fifteen) << np.int32(6) | (u & fifteen) << np.int32(2)


@jit
def _bounds(ground, road, level):  # type: ignore[no-untyped-def]
    """Of a road in `Ground.tiles` the place of tile (0, 0), its columns and rows; the first texel of a level."""
    columns, rows = np.int32(ground.columns[road]), np.int32(ground.rows[road])
    return np.int32(ground.first[road]) + columns + np.int32(3), columns, rows, np.int32(ground.level_start[level])


@jit
def _tile_at(x, y, columns, rows):  # type: ignore[no-untyped-def]
    """Where the tile of a point is, from tile (0, 0) on; beyond the rim is as on it."""
    least = np.int32(-1)
    column, row = np.int32(x >> UNIT), np.int32(y >> UNIT)
    column = least if column < least else columns if column > columns else column
    row = least if row < least else rows if row > rows else row
    return row * (columns + np.int32(2)) + column


@jit
def _fetch(ground, row):  # type: ignore[no-untyped-def]
    """The texels that were found, into `row.shares`."""
    tiles, texels, stride = ground.tiles, ground.bytes, np.int64(ground.byte_stride)
    place, texel, shares = row.place, row.texel, row.shares
    for c in range(np.uint64(shares.shape[0])):
        shares[c] = texels[np.uint64(tiles[np.uint64(place[c])] * stride + texel[c])]


@jit
def look_along(ground, road, level, x, y, dx, dy, row):  # type: ignore[no-untyped-def]
    """The ground at points along a line, into `row.shares`.

    Finding the places and looking them up are loops of their own: the compiler makes vector instructions of the first.

    Args:
        level: as `level_of` tells.
        x, y, dx, dy: the first point and the way to the next, in tiles from the corner of the road's first.
        row: `Row`.
    """
    if level < BETWEEN:
        for c in range(np.uint64(row.sums.shape[0])):
            row.sums[c] = np.uint64(0)
        add_along(ground, road, level, x, y, dx, dy, 0, row)
        mean_along(row)
        return
    _find_texels(ground, road, level, x, y, dx, dy, row)
    _fetch(ground, row)


@jit
def add_along(ground, road, level, x, y, dx, dy, halvings, row):  # type: ignore[no-untyped-def]
    """Add the ground at points along a line, halved so often, to `row.sums`; 2**halvings samples make a mean.

    `row.shares` is room to work in.
    """
    sums, shift = row.sums, np.uint64(halvings)
    if level >= BETWEEN:
        _find_texels(ground, road, level, x, y, dx, dy, row)
        _fetch(ground, row)
        for c in range(np.uint64(sums.shape[0])):
            found = np.uint64(row.shares[c])
            sums[c] += (found & EVEN) << (_EIGHT - shift) | (found & ODD) << (_HALF_WORD - shift)
        return
    _find_quads(ground, road, level, x, y, dx, dy, row)
    place, texel, weight, weights = row.place, row.texel, row.weight, row.weights
    tiles, stride = ground.tiles, np.int64(ground.lane_stride)
    for c in range(np.uint64(sums.shape[0])):  # on its own, as there are registers for only so many arrays
        place[c] = np.int32(tiles[np.uint64(place[c])] * stride + texel[c])
    mask = (_LANE >> shift) * _EACH
    quads, below = ground.lanes, ground.lanes[np.uint64((1 << ground.level_bits[level]) + 2) :]
    for c in range(np.uint64(sums.shape[0])):
        at, w = np.uint64(place[c]), np.uint64(weight[c])
        upper = quads[at] * weights[w] + quads[at + _ONE] * weights[w + _ONE]
        lower = below[at] * weights[w + _TWO] + below[at + _ONE] * weights[w + _THREE]
        sums[c] += (upper + lower) >> shift & mask


@jit
def mean_along(row):  # type: ignore[no-untyped-def]
    """`row.sums` in bytes, into `row.shares`."""
    for c in range(np.uint64(row.sums.shape[0])):
        row.shares[c] = np.uint32(row.sums[c] >> _EIGHT & EVEN | row.sums[c] >> _HALF_WORD & ODD)
