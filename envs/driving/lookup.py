"""Looking up the ground: what is at points along a line, a row of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.driving.ground import BETWEEN, EVEN, ODD

F = np.float32

UNIT = 32  # bits after the point of places on the map, counted in tiles

_ONE, _FOUR, _EIGHT, _HALF_WORD = np.uint64(1), np.uint64(4), np.uint64(8), np.uint64(32)
_BYTE, _LANE, _EACH = np.uint64(255), np.uint64(0xFFFF), np.uint64(0x0001000100010001)


class Row(NamedTuple):
    """Room for looking up the ground along a row of W pixels."""

    place: NDArray[np.int32]  # (W,) of the tile in `Ground.tiles`
    texel: NDArray[np.int32]  # (W,) in its tile; the upper left of four
    weight: NDArray[np.int32]  # (W,) sixteenths to the right | sixteenths down << 8
    sums: NDArray[np.uint64]  # (W,) four 16-bit lanes, 0 to 255 * 256: asphalt, kerb, marking, grain
    shares: NDArray[np.uint32]  # (W,) what was found, as in `Ground.bytes`
    color: NDArray[np.int32]  # (W,) red | green << 8 | blue << 16


def make_row(width: int) -> Row:
    """Room for a row of so many pixels."""
    place, texel, weight, color = np.zeros((4, width), np.int32)
    return Row(place, texel, weight, np.zeros(width, np.uint64), np.zeros(width, np.uint32), color)


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
def _tile_at(x, y, road, columns, rows, ground):  # type: ignore[no-untyped-def]
    """Where in `Ground.tiles` the tile of a point is; beyond the rim is as on it."""
    column, row = x >> UNIT, y >> UNIT
    column = -1 if column < -1 else columns if column > columns else column
    row = -1 if row < -1 else rows if row > rows else row
    return np.int32(ground.first[road] + (row + 1) * (columns + 2) + column + 1)


@jit
def _find_texels(ground, road, level, x, y, dx, dy, row):  # type: ignore[no-untyped-def]
    """Where along a line the texels of a level are that is looked up in one place."""
    columns, rows = np.int64(ground.columns[road]), np.int64(ground.rows[road])
    start, bits = np.int64(ground.level_start[level]), np.int64(ground.level_bits[level])
    shift, mask = UNIT - bits, (1 << bits) - 1
    x, y, dx, dy = _fixed(x), _fixed(y), _fixed(dx), _fixed(dy)
    place, texel = row.place, row.texel
    for c in range(np.uint64(place.shape[0])):
        at_x, at_y = x + np.int64(c) * dx, y + np.int64(c) * dy
        place[c] = _tile_at(at_x, at_y, road, columns, rows, ground)
        texel[c] = np.int32(start + ((at_y >> shift & mask) << bits) + (at_x >> shift & mask))


@jit
def _find_quads(ground, road, level, x, y, dx, dy, row):  # type: ignore[no-untyped-def]
    """Where along a line the four texels around each point are, and how near each is."""
    columns, rows = np.int64(ground.columns[road]), np.int64(ground.rows[road])
    start, bits = np.int64(ground.level_start[level]), np.int64(ground.level_bits[level])
    shift, across, tile = UNIT - 4 - bits, np.int64((1 << bits) + 2), (1 << UNIT) - 1
    half = 1 << (UNIT - 1 - bits)
    x, y, dx, dy = _fixed(x), _fixed(y), _fixed(dx), _fixed(dy)
    place, texel, weight = row.place, row.texel, row.weight
    for c in range(np.uint64(place.shape[0])):
        at_x, at_y = x + np.int64(c) * dx, y + np.int64(c) * dy
        place[c] = _tile_at(at_x, at_y, road, columns, rows, ground)
        u, v = (
            (at_x & tile) + half >> shift,
            (at_y & tile) + half >> shift,
        )  # sixteenths of a texel, from the rim's middle
        texel[c] = np.int32(start + (v >> 4) * across + (u >> 4))
        weight[c] = np.int32(u & 15 | (v & 15) << 8)


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
    tiles, texels, stride = ground.tiles, ground.bytes, np.uint64(ground.byte_stride)
    place, texel, shares = row.place, row.texel, row.shares
    for c in range(np.uint64(shares.shape[0])):
        shares[c] = texels[np.uint64(tiles[np.uint64(place[c])]) * stride + np.uint64(texel[c])]


@jit
def add_along(ground, road, level, x, y, dx, dy, halvings, row):  # type: ignore[no-untyped-def]
    """Add the ground at points along a line, halved so often, to `row.sums`; 2**halvings samples make a mean."""
    place, texel, weight, sums = row.place, row.texel, row.weight, row.sums
    tiles = ground.tiles
    shift = np.uint64(halvings)
    mask = (_LANE >> shift) * _EACH
    if level >= BETWEEN:
        _find_texels(ground, road, level, x, y, dx, dy, row)
        texels, stride = ground.bytes, np.uint64(ground.byte_stride)
        for c in range(np.uint64(sums.shape[0])):
            found = np.uint64(texels[np.uint64(tiles[np.uint64(place[c])]) * stride + np.uint64(texel[c])])
            sums[c] += ((found & EVEN) << _EIGHT | (found & ODD) << _HALF_WORD) >> shift & mask
        return
    _find_quads(ground, road, level, x, y, dx, dy, row)
    quads, lane_stride = ground.lanes, np.uint64(ground.lane_stride)
    below = np.uint64((1 << ground.level_bits[level]) + 2)
    for c in range(np.uint64(sums.shape[0])):
        at = np.uint64(tiles[np.uint64(place[c])]) * lane_stride + np.uint64(texel[c])
        share = np.uint64(weight[c])
        # differences may be negative: they are right again in the sum, modulo 2**64
        left, under = quads[at], quads[at + below]
        upper = (left << _FOUR) + (quads[at + _ONE] - left) * (share & _BYTE)
        lower = (under << _FOUR) + (quads[at + below + _ONE] - under) * (share & _BYTE)
        sums[c] += ((upper << _FOUR) + (lower - upper) * (share >> _EIGHT)) >> shift & mask


@jit
def mean_along(row):  # type: ignore[no-untyped-def]
    """`row.sums` in bytes, into `row.shares`."""
    for c in range(np.uint64(row.sums.shape[0])):
        row.shares[c] = np.uint32(row.sums[c] >> _EIGHT & EVEN | row.sums[c] >> _HALF_WORD & ODD)
