"""The ground of roads as a texture: how much of each texel is asphalt, marking and kerb, in tiles with mip levels.

A road is drawn once, when its bank is made; cameras then look the ground up in constant time, however many lanes there
are. Tiles that look the same are stored once, so that ten kilometres of straight highway are some dozen tiles.

A level is for pixels of one size, FINEST or twice, four times, … that. Pixels of the first two are looked up between
texels of their own size. All others are looked up in one place: their texels are four to a pixel's side, and each is
the mean of a pixel around it, which is sharper and three times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.driving.world import CIRCULAR, NO_LINE, POLYLINE, REAL, SINE, STRAIGHT, STRIPED, Reals, Roads

F = np.float32
Rectangle = tuple[float, float, float, float]  # m: x0, y0, x1, y1

TILE = 8.0  # m along a side of a tile
FINEST = 0.125  # m of a texel of level 0, where a bank's tiles fit in MOST_BYTES; doubled until they do
COARSEST = 1.0  # m of a texel of level 0, at most
MOST_BYTES = 2**28
MARGIN = 12.0  # m of grass around the road that has tiles
SHOULDER = 0.5  # m of asphalt beyond a lane's edge
KERB = 0.3  # m, width of the kerb beyond it
LINE_WIDTH = 0.25  # m
STRIPE, PERIOD = 3.0, 8.0  # m, of striped lines; the period is a tile's, so that tiles repeat
CHORD = 0.01  # m that a piece of a curved lane may be off it
REACH = TILE * 0.75 + SHOULDER + KERB + 0.5  # m from the middle of a tile to what can be seen in it, less half a lane

BETWEEN = 2  # levels that are looked up between texels

_TWO, _EIGHT, _HALF_WORD = np.uint64(2), np.uint64(8), np.uint64(32)
_EACH = np.uint64(0x0001000100010001)
EVEN, ODD = np.uint64(0x00FF00FF), np.uint64(0xFF00FF00)  # bytes of 32 bits that go to the lower and upper two lanes


class Ground(NamedTuple):
    """The tiles of a bank of R roads; shares of asphalt, marking, kerb and grain are 0 to 255."""

    lanes: NDArray[np.uint64]  # (tiles * lane_stride,) levels 0 and 1, with a rim of the texels around: 16-bit lanes
    lane_stride: int  # texels of a tile
    bytes: NDArray[np.uint32]  # (tiles * byte_stride,) levels 2, …: asphalt | marking << 8 | kerb << 16 | grain << 24
    byte_stride: int
    level_start: NDArray[np.int32]  # (levels,) first texel of a level in its tile
    level_bits: NDArray[np.int32]  # (levels,) 2**bits texels along its side, without the rim
    finest: np.float32  # m of a pixel that level 0 is for
    tiles: NDArray[np.int32]  # tiles of the roads, one after the other, by rows, with a rim of grass; tile 0 is grass
    first: NDArray[np.int32]  # (R,) of a road in `tiles`
    columns: NDArray[np.int32]  # (R,) without the rim
    rows: NDArray[np.int32]  # (R,)
    x: Reals  # (R,) m, of the upper left corner of tile (0, 0)
    y: Reals  # (R,)
    extent: Reals  # (R, 4) m: x0, y0, x1, y1 of asphalt


class Paths(NamedTuple):
    """The lanes of one road as polylines of M points, lane after lane."""

    x: Reals  # (M,) m
    y: Reals  # (M,)
    s: Reals  # (M,) m along the lane
    first: NDArray[np.int64]  # (L + 1,) first point of each lane
    width: Reals  # (L,) m
    left_line: NDArray[np.int8]  # (L,)
    right_line: NDArray[np.int8]  # (L,)
    phase: Reals  # (L,) m along the lane where its striped lines begin
    straight: NDArray[np.bool_]  # (L,)
    paved: Reals  # (K, 4) m: x0, y0, x1, y1 of asphalt beside the lanes


# --- lanes to polylines --------------------------------------------------------------------------------------


def _lane_points(roads: Roads, r: int, k: int) -> Reals:
    """(M, 3) x, y, s along lane k of road r, close enough to it."""
    length, kind = float(roads.lanes.length[r, k]), int(roads.lanes.kind[r, k])
    if kind == POLYLINE:
        first, count = int(roads.lanes.first_point[r, k]), int(roads.lanes.num_points[r, k])
        points = roads.points[r, first : first + count]
        rest = length - (count - 1)
        end = points[-1, :2] + rest * points[-1, 2:]
        xy = np.concatenate([points[:, :2], end[None]]) if rest > 1e-3 else points[:, :2]
        return np.concatenate([xy, np.minimum(np.arange(len(xy)), length)[:, None]], axis=1)
    radius = math.inf
    if kind == CIRCULAR:
        radius = float(roads.lanes.radius[r, k])
    elif kind == SINE and roads.lanes.amplitude[r, k] * roads.lanes.pulsation[r, k]:
        radius = 1 / abs(float(roads.lanes.amplitude[r, k] * roads.lanes.pulsation[r, k] ** 2))
    pieces = 1 if radius == math.inf else max(2, math.ceil(length / math.sqrt(8 * radius * CHORD)))
    s = np.linspace(0, length, pieces + 1)
    if kind == CIRCULAR:
        angle = roads.lanes.phase[r, k] + roads.lanes.turn[r, k] * s / radius
        return np.stack(
            [roads.lanes.x[r, k] + radius * np.cos(angle), roads.lanes.y[r, k] + radius * np.sin(angle), s], axis=1
        )
    sway = (
        roads.lanes.amplitude[r, k] * np.sin(roads.lanes.pulsation[r, k] * s + roads.lanes.phase[r, k])
        if kind == SINE
        else 0 * s
    )
    x = roads.lanes.x[r, k] + s * roads.lanes.cos[r, k] - sway * roads.lanes.sin[r, k]
    y = roads.lanes.y[r, k] + s * roads.lanes.sin[r, k] + sway * roads.lanes.cos[r, k]
    return np.stack([x, y, s], axis=1)


def trace_lanes(roads: Roads, r: int, paved: Sequence[Rectangle] = ()) -> Paths:
    """The lanes of road r as polylines, off them by at most CHORD, and the rectangles of asphalt beside them."""
    count = int(roads.num_lanes[r])
    lanes = [_lane_points(roads, r, k) for k in range(count)]
    points = np.concatenate(lanes)
    return Paths(
        x=np.ascontiguousarray(points[:, 0]),
        y=np.ascontiguousarray(points[:, 1]),
        s=np.ascontiguousarray(points[:, 2]),
        first=np.cumsum([0, *(len(lane) for lane in lanes)]),
        width=roads.lanes.width[r, :count].copy(),
        left_line=roads.lanes.left_line[r, :count].copy(),
        right_line=roads.lanes.right_line[r, :count].copy(),
        phase=_stripe_phases(roads, r),
        straight=roads.lanes.kind[r, :count] == STRAIGHT,
        paved=np.array(paved, REAL).reshape(-1, 4),
    )


def _stripe_phases(roads: Roads, r: int) -> Reals:
    """Where stripes begin: lanes that go on in the direction of the one before carry its stripes on."""
    phase = np.zeros(int(roads.num_lanes[r]), REAL)
    for k in range(len(phase)):
        if roads.lanes.kind[r, k] == STRAIGHT:  # stripes of all straight lanes stand on one grid along their heading
            along = roads.lanes.x[r, k] * roads.lanes.cos[r, k] + roads.lanes.y[r, k] * roads.lanes.sin[r, k]
            phase[k] = -along % PERIOD
    return phase


# --- drawing a tile ------------------------------------------------------------------------------------------


@jit
def _local(paths, k, first, last, x, y):  # type: ignore[no-untyped-def]
    """(s, lateral) in m of a point on lane k, from the nearest of its pieces first..last - 1."""
    best, along, across = 1e30, 0.0, 1e30
    for j in range(first, last):
        ax, ay = paths.x[j], paths.y[j]
        dx, dy = paths.x[j + 1] - ax, paths.y[j + 1] - ay
        length = math.sqrt(dx * dx + dy * dy)
        dx, dy = dx / length, dy / length
        u = (x - ax) * dx + (y - ay) * dy
        v = (y - ay) * dx - (x - ax) * dy
        over = u - length if u > length else u if u < 0 else 0.0
        distance = v * v + over * over
        if distance < best:
            best = distance
            is_end = (j == paths.first[k] and u < 0) or (j == paths.first[k + 1] - 2 and u > length)
            if is_end or over == 0.0:
                along, across = paths.s[j] + u, v
            else:
                along = paths.s[j] + (length if u > length else 0.0)
                across = math.sqrt(distance) if v > 0 else -math.sqrt(distance)
    return along, across


@jit
def _share(inside, texel):  # type: ignore[no-untyped-def]
    """How much of a texel lies on the inner side of an edge, from metres inside it."""
    return min(max(inside / texel + 0.5, 0.0), 1.0)


@jit
def _line_share(kind, off, along, phase, length, texel):  # type: ignore[no-untyped-def]
    """How much of a texel a line covers: metres off its middle, metres along its lane."""
    if kind == NO_LINE:
        return 0.0
    across = max(min(off + 0.5 * texel, 0.5 * LINE_WIDTH) - max(off - 0.5 * texel, -0.5 * LINE_WIDTH), 0.0) / texel
    if across == 0.0:
        return 0.0
    share = across * _share(along, texel) * _share(length - along, texel)
    if kind == STRIPED:
        from_middle = abs((along - phase - 0.5 * STRIPE + 1024 * PERIOD + 0.5 * PERIOD) % PERIOD - 0.5 * PERIOD)
        share *= _share(0.5 * STRIPE - from_middle, texel)
    return share


@jit
def _draw_tile(paths, x0, y0, side, texel, near, shares_out):  # type: ignore[no-untyped-def]
    """Asphalt, marking and kerb in the tile with this upper left corner.

    Args:
        near: (L, 2) int64, room for the pieces of each lane that are near.
        shares_out: (3, side, side) float32, written: 0 to 1.
    """
    lanes, paved = len(paths.width), paths.paved
    for k in range(lanes):
        near[k, 0], near[k, 1] = -1, -1
        reach = REACH + 0.5 * paths.width[k]
        for j in range(paths.first[k], paths.first[k + 1] - 1):
            ax, ay = paths.x[j], paths.y[j]
            dx, dy = paths.x[j + 1] - ax, paths.y[j + 1] - ay
            ux, uy = x0 + 0.5 * TILE - ax, y0 + 0.5 * TILE - ay
            at = min(max((ux * dx + uy * dy) / (dx * dx + dy * dy), 0.0), 1.0)
            ux, uy = ux - at * dx, uy - at * dy
            if ux * ux + uy * uy < reach * reach:
                if near[k, 0] < 0:
                    near[k, 0] = j
                near[k, 1] = j + 1
    for row in range(side):
        y = y0 + (row + 0.5) * texel
        for column in range(side):
            x = x0 + (column + 0.5) * texel
            outside, marking = 1e30, 0.0
            for k in range(len(paved)):
                beside = max(paved[k, 0] - x, x - paved[k, 2])
                outside = min(outside, SHOULDER + max(beside, max(paved[k, 1] - y, y - paved[k, 3])))
            for k in range(lanes):
                if near[k, 0] < 0:
                    continue
                along, across = _local(paths, k, near[k, 0], near[k, 1], x, y)
                length, half = paths.s[paths.first[k + 1] - 1], 0.5 * paths.width[k]
                outside = min(outside, max(abs(across) - half, max(-along, along - length)))
                marking += _line_share(paths.left_line[k], abs(across + half), along, paths.phase[k], length, texel)
                marking += _line_share(paths.right_line[k], abs(across - half), along, paths.phase[k], length, texel)
            asphalt = _share(SHOULDER - outside, texel)
            shares_out[0, row, column] = asphalt
            shares_out[1, row, column] = min(marking, 1.0)
            shares_out[2, row, column] = _share(SHOULDER + KERB - outside, texel) - asphalt


def _grain(side: int) -> NDArray[np.float32]:
    """(side, side) tileable noise, 0 to 1 around 0.5: coarse and fine together."""
    rng = np.random.default_rng(7)
    total = np.zeros((side, side))
    cells = 8
    weight = 0.5
    while cells <= side:
        lattice = rng.standard_normal((cells, cells))
        at = (np.arange(side) + 0.5) / side * cells
        low, part = at.astype(int), at % 1
        part = part * part * (3 - 2 * part)
        rows = lattice[low % cells] * (1 - part)[:, None] + lattice[(low + 1) % cells] * part[:, None]
        total += weight * (rows[:, low % cells] * (1 - part) + rows[:, (low + 1) % cells] * part)
        cells, weight = cells * 2, weight * 1.25
    return np.clip(0.5 + 0.2 * total / total.std(), 0, 1).astype(np.float32)


# --- the bank ------------------------------------------------------------------------------------------------


class _Map(NamedTuple):
    """Which tiles a road has."""

    x: float
    y: float
    kinds: NDArray[np.int64]  # (rows, columns) number of the look, 0 = grass
    examples: list[tuple[float, float]]  # corner of one tile of each look, from look 1 on
    extent: tuple[float, float, float, float]


def _survey(paths: Paths) -> _Map:
    """The tiles of a road, told apart by what is near them."""
    edge = float(paths.width.max()) / 2 + SHOULDER + KERB
    xs, ys = np.append(paths.x, paths.paved[:, ::2]), np.append(paths.y, paths.paved[:, 1::2])
    extent = (xs.min() - edge, ys.min() - edge, xs.max() + edge, ys.max() + edge)
    x0, y0 = (math.floor((low - MARGIN) / TILE) * TILE for low in extent[:2])
    columns, rows = (math.ceil((high + MARGIN - low) / TILE) for low, high in zip((x0, y0), extent[2:], strict=True))
    corner_x, corner_y = np.meshgrid(x0 + TILE * np.arange(columns), y0 + TILE * np.arange(rows))
    x, y = corner_x.ravel() + TILE / 2, corner_y.ravel() + TILE / 2
    looks = np.zeros((len(x), 3 * len(paths.width) + 1), np.int64)
    for low_x, low_y, high_x, high_y in paths.paved:
        beside = np.maximum(np.maximum(low_x - x, x - high_x), np.maximum(low_y - y, y - high_y))
        looks[:, -1] = np.where(beside < -TILE, np.maximum(looks[:, -1], 1), looks[:, -1])
        edges = abs(beside) <= TILE
        looks[edges, -1] = 2 + np.flatnonzero(edges)
    for k, straight in enumerate(paths.straight):
        first, last = int(paths.first[k]), int(paths.first[k + 1]) - 1
        reach = REACH + paths.width[k] / 2
        touched = np.zeros(len(x), np.bool_)
        for j in range(first, last):
            dx, dy = paths.x[j + 1] - paths.x[j], paths.y[j + 1] - paths.y[j]
            length = math.hypot(dx, dy)
            u = ((x - paths.x[j]) * dx + (y - paths.y[j]) * dy) / length
            v = ((y - paths.y[j]) * dx - (x - paths.x[j]) * dy) / length
            over = u - np.clip(u, 0, length)
            near = v * v + over * over < reach * reach
            touched |= near
            if straight:
                ends = 3 * TILE  # from where on the ends of a lane are not seen
                to_end = length - u
                look = np.stack([np.where(u < ends, u, ends + (u - paths.phase[k]) % PERIOD), v], axis=1)
                look = np.concatenate([look, np.minimum(to_end, ends)[:, None]], axis=1)
                looks[near, 3 * k : 3 * k + 3] = np.round(look[near] * 1000).astype(np.int64) * 2 + 1
        if not straight:
            looks[touched, 3 * k] = 1 + np.flatnonzero(touched)
    _, example, kind = np.unique(looks, axis=0, return_index=True, return_inverse=True)
    is_grass = ~looks[example].any(axis=1)
    number = np.where(is_grass, 0, np.cumsum(~is_grass))
    corners = [(float(x[at] - TILE / 2), float(y[at] - TILE / 2)) for at in example[~is_grass]]
    return _Map(x0, y0, number[kind.ravel()].reshape(rows, columns), corners, extent)


def _mip_levels(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A (K, 4, side, side) stack and its halves, down to four texels a side."""
    levels: list[Any] = [image]
    while levels[-1].shape[-1] > 4:
        last = levels[-1]
        levels.append((last[..., ::2, ::2] + last[..., 1::2, ::2] + last[..., ::2, 1::2] + last[..., 1::2, 1::2]) / 4)
    return levels


def _rimmed(level: NDArray[np.uint64], around: NDArray[np.int64], rim: int) -> NDArray[np.uint64]:
    """(T, side + 2 rim, side + 2 rim): tiles with a rim of the texels around; `around` (T, 3, 3) numbers the tiles."""
    side = level.shape[-1]
    out = np.zeros((len(around), side + 2 * rim, side + 2 * rim), np.uint64)
    parts = (
        (slice(0, rim), slice(-rim, None)), (slice(rim, side + rim), slice(0, side)),
        (slice(side + rim, None), slice(0, rim)),
    )  # fmt: skip
    for row, (to_y, from_y) in enumerate(parts):
        for column, (to_x, from_x) in enumerate(parts):
            out[:, to_y, to_x] = level[around[:, row, column]][:, from_y, from_x]
    return out


def _pixel_means(level: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """(T, side, side) in bytes: means over 4 x 4 texels around each one, of (T, side + 4, side + 4) in 16-bit lanes."""
    rounding = np.uint64(32) * _EACH
    tall = level[:, :-4] + _TWO * (level[:, 1:-3] + level[:, 2:-2] + level[:, 3:-1]) + level[:, 4:]
    wide = tall[..., :-4] + _TWO * (tall[..., 1:-3] + tall[..., 2:-2] + tall[..., 3:-1]) + tall[..., 4:]
    mean = (wide + rounding) << _TWO  # of 64 parts: to the upper byte of each lane
    return (mean >> _EIGHT & EVEN | mean >> _HALF_WORD & ODD).astype(np.uint32)


def make_ground(roads: Roads, paved: Sequence[Sequence[Rectangle]] = ()) -> Ground:
    """The ground of every road of a bank, drawn once; `paved` has the rectangles of asphalt beside each one's lanes."""
    rectangles = paved or [()] * len(roads.num_lanes)
    paths = [trace_lanes(roads, r, rectangles[r]) for r in range(len(roads.num_lanes))]
    maps = [_survey(path) for path in paths]
    # numbers of looks over the whole bank, and every neighbourhood of 3 x 3 looks that there is
    starts = np.cumsum([0, *(len(road.examples) for road in maps)])
    around = [np.zeros((1, 9), np.int64)]
    for start, road in zip(starts, maps, strict=False):
        kinds = np.where(road.kinds > 0, road.kinds + start, 0)
        padded = np.pad(kinds, 1)
        rows, columns = kinds.shape
        windows = [padded[dy : dy + rows, dx : dx + columns].ravel() for dy in range(3) for dx in range(3)]
        around.append(np.stack(windows, axis=1))
    unique, place = np.unique(np.concatenate(around), axis=0, return_inverse=True)
    place = place.ravel()  # row 0 of the list is all grass, and sorts first: tile 0

    finest = FINEST
    while len(unique) * 4 / 3 * (TILE / finest + 2) ** 2 * 8 > MOST_BYTES and finest < COARSEST:
        finest *= 2
    side = round(TILE / finest)
    levels = [np.zeros((1 + int(starts[-1]), side >> k, side >> k), np.uint64) for k in range(side.bit_length() - 2)]
    grain = _grain(round(TILE / FINEST)).reshape(side, round(finest / FINEST), side, -1).mean(axis=(1, 3))
    image = np.zeros((1, 4, side, side), np.float32)
    image[:, 3] = grain
    _pack(image, levels, 0)
    number = 1
    for path, road in zip(paths, maps, strict=True):
        near = np.zeros((len(path.width), 2), np.int64)
        for corner in road.examples:
            _draw_tile(path, *corner, side, finest, near, image[0, :3])
            _pack(image, levels, number)
            number += 1
    neighbours = unique.reshape(-1, 3, 3)
    between = [_rimmed(level, neighbours, 1).reshape(len(unique), -1) for level in levels[:BETWEEN]]
    means = [_pixel_means(_rimmed(level, neighbours, 2)).reshape(len(unique), -1) for level in levels]
    tiles = []
    at = 1
    for road in maps:
        rows, columns = road.kinds.shape
        tiles.append(np.pad(place[at : at + rows * columns].reshape(rows, columns), 1).ravel())
        at += rows * columns
    return Ground(
        lanes=np.concatenate(between, axis=1).ravel(),
        lane_stride=sum(level.shape[1] for level in between),
        bytes=np.concatenate(means, axis=1).ravel(),
        byte_stride=sum(level.shape[1] for level in means),
        level_start=np.concatenate([_starts(between), _starts(means)]).astype(np.int32),
        level_bits=np.array([level.shape[-1].bit_length() - 1 for level in levels[:BETWEEN] + levels], np.int32),
        finest=F(finest),
        tiles=np.concatenate(tiles).astype(np.int32),
        first=np.cumsum([0, *(len(road) for road in tiles[:-1])]).astype(np.int32),
        columns=np.array([road.kinds.shape[1] for road in maps], np.int32),
        rows=np.array([road.kinds.shape[0] for road in maps], np.int32),
        x=np.array([road.x for road in maps], REAL),
        y=np.array([road.y for road in maps], REAL),
        extent=np.array([road.extent for road in maps], REAL),
    )


def _starts(levels: list[NDArray[Any]]) -> NDArray[np.int64]:
    """Where each level begins in its tile."""
    return np.cumsum([0, *(level.shape[1] for level in levels[:-1])])


def _pack(image: NDArray[np.float32], levels: list[NDArray[np.uint64]], number: int) -> None:
    """Write the four shares of a tile, and their halves, into its place of every level."""
    for level, shares in zip(levels, _mip_levels(image), strict=False):
        asphalt, marking, kerb, grain = np.round(shares[0] * 255).astype(np.uint64)
        level[number] = asphalt | kerb << np.uint64(16) | marking << np.uint64(32) | grain << np.uint64(48)
