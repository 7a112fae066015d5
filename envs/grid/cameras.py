"""What is seen of a grid world: the agent's view, and the kernels that write it as symbols or pixels.

The view and its occlusion are MiniGrid's (`minigrid_env.py` gen_obs_grid, `grid.py` process_vis).
"""

from __future__ import annotations

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.lens import CLASS_OF_KIND, instance_of
from visnav.envs.grid.rules import cell_at
from visnav.envs.grid.tiles import NO_AGENT
from visnav.envs.grid.world import (
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    DX,
    DY,
    EMPTY,
    FLOOR_KIND,
    LAVA_KIND,
    LOOK,
    LOOKS,
    UP,
    WALL_KIND,
    color_of,
    kind_of,
)

MAX_VIEW_SIZE = 63  # a row of the view is one word of bits

_SEEN = 128  # bit of a view cell: the agent sees it
_BIT = np.uint64(1)
_TWO = np.uint64(2)


@jit
def _is_opaque(kind):  # type: ignore[no-untyped-def]
    return kind in (WALL_KIND, DOOR_CLOSED, DOOR_LOCKED)


@jit
def _flood(row, passes, size):  # type: ignore[no-untyped-def]
    """Light spreading towards higher bits: bit b goes on to b + 1 where `passes` has bit b. O(log size) steps."""
    enters = passes << _BIT
    shift = 1
    while shift < size:
        row |= enters & (row << np.uint64(shift))
        enters &= enters << np.uint64(shift)
        shift *= 2
    return row


@jit
def _flood_back(row, passes, size):  # type: ignore[no-untyped-def]
    """Light spreading towards lower bits."""
    enters = passes >> _BIT
    shift = 1
    while shift < size:
        row |= enters & (row >> np.uint64(shift))
        enters &= enters >> np.uint64(shift)
        shift *= 2
    return row


@jit
def look_around(i, world, params, view_out):  # type: ignore[no-untyped-def]
    """Write what the agent of world i sees: view_out[i] (V * V,) uint8, by rows, the agent in the middle of the last.

    A value is the cell's look, with bit 7 set where the agent sees it; a hidden cell is EMPTY without that bit.
    Light spreads as in MiniGrid's process_vis: through each row from the agent's upwards, first to the right, then
    to the left, and from every clear cell it passes on to three cells of the next row. A row is a word of bits.
    """
    size = params.view_size
    half = size // 2
    view = view_out[i]
    direction = world.agent[i, 2]
    forward_x, forward_y = DX[direction], DY[direction]
    right_x, right_y = -forward_y, forward_x
    left_x = world.agent[i, 0] - half * right_x
    left_y = world.agent[i, 1] - half * right_y
    not_last = (_BIT << np.uint64(size - 1)) - _BIT
    everything = (_BIT << np.uint64(size)) - _BIT
    lit = _BIT << np.uint64(half)
    if params.see_through_walls:
        lit = everything
    for ahead in range(size):
        start = (size - 1 - ahead) * size
        if lit == 0:
            for column in range(size):
                view[start + column] = EMPTY
            continue
        x = left_x + ahead * forward_x
        y = left_y + ahead * forward_y
        clear = np.uint64(0)
        for column in range(size):
            cell = cell_at(i, world, x, y)
            if not _is_opaque(kind_of(cell)):
                clear |= _BIT << np.uint64(column)
            view[start + column] = cell & LOOK | _SEEN
            x += right_x
            y += right_y
        if params.see_through_walls:
            continue
        rightward, leftward = clear & not_last, clear & everything & ~_BIT
        lit = _flood(lit, rightward, size)
        rightward &= lit
        lit = _flood_back(lit, leftward, size)
        leftward &= lit
        for column in range(size):
            if not lit >> np.uint64(column) & _BIT:
                view[start + column] = EMPTY
        lit = rightward | (rightward << _BIT) | leftward | (leftward >> _BIT)
    in_hand = world.carrying[i] & LOOK
    view[size * size - 1 - half] = (in_hand if in_hand else EMPTY) | _SEEN


@jit
def draw_symbols(i, world, params, view, image_out):  # type: ignore[no-untyped-def]
    """MiniGrid's `image`: image_out[i] (V, V, 3) uint8, [column, row] = (kind, colour, state); hidden cells are 0."""
    look_around(i, world, params, view)
    size = params.view_size
    for row in range(size):
        for column in range(size):
            seen = view[i, row * size + column]
            kind, color, state = kind_of(seen), color_of(seen), 0
            if kind == DOOR_CLOSED:
                kind, state = DOOR_OPEN, 1
            elif kind == DOOR_LOCKED:
                kind, state = DOOR_OPEN, 2
            visible = seen >> 7
            image_out[i, column, row, 0] = kind * visible
            image_out[i, column, row, 1] = color * visible
            image_out[i, column, row, 2] = state * visible


@jit
def _copy_tiles(codes, columns, rows, tiles, image_out):  # type: ignore[no-untyped-def]
    """Write an image of rows x columns tiles, `codes` naming them row by row.

    Args:
        codes: (>= rows * columns,) uint16.
        tiles: (number of tiles, tile height, words a row).
        image_out: (rows * tile height * columns * words,), written from its start in order.
    """
    height, width = tiles.shape[1], tiles.shape[2]
    end = np.uint64(0)
    for row in range(rows):
        for y in range(height):
            for k in range(np.uint64(row * columns), np.uint64(row * columns + columns)):
                tile = tiles[codes[k], y]
                if width == 3:  # tiles of 8 pixels, in words of 8 bytes
                    image_out[end] = tile[0]
                    image_out[end + _BIT] = tile[1]
                    image_out[end + _TWO] = tile[2]
                else:
                    for x in range(width):
                        image_out[end + np.uint64(x)] = tile[x]
                end += np.uint64(width)


@jit
def draw_tiles(i, world, params, view, codes, tiles, image_out):  # type: ignore[no-untyped-def]
    """The agent's view as pixels: MiniGrid's `RGBImgPartialObsWrapper`.

    Args:
        view: (N, V * V) uint8, room for what `look_around` finds.
        codes: (N, >= V * V) uint16, room to work in.
        tiles: `tile_table`, its last axis in bytes or in 8-byte words.
        image_out: (N, words of one image) in the same words, written.
    """
    look_around(i, world, params, view)
    size = params.view_size
    for k in range(size * size):
        codes[i, k] = np.uint16(view[i, k]) + np.uint16(NO_AGENT * 2 * LOOKS)
    here = size * size - 1 - size // 2
    codes[i, here] = np.uint16(view[i, here]) + np.uint16(UP * 2 * LOOKS)
    _copy_tiles(codes[i], size, size, tiles, image_out[i])


@jit
def draw_full(i, world, params, view, codes, tiles, image_out):  # type: ignore[no-untyped-def]
    """The whole grid from above, what the agent sees highlighted: MiniGrid's `RGBImgObsWrapper`.

    Args:
        view: (N, V * V) uint8, room for what `look_around` finds.
        codes: (N, >= height * width) uint16, room to work in.
        tiles: `tile_table`, its last axis in bytes or in 8-byte words.
        image_out: (N, words of one image) in the same words, written.
    """
    look_around(i, world, params, view)
    height, width = world.cells.shape[1], world.cells.shape[2]
    for y in range(height):
        for x in range(width):
            codes[i, y * width + x] = (world.cells[i, y, x] & LOOK) + NO_AGENT * 2 * LOOKS
    size = params.view_size
    agent_x, agent_y, direction = world.agent[i, 0], world.agent[i, 1], world.agent[i, 2]
    forward_x, forward_y = DX[direction], DY[direction]
    right_x, right_y = -forward_y, forward_x
    for row in range(size):
        for column in range(size):
            if view[i, row * size + column] & _SEEN:
                x = agent_x + forward_x * (size - 1 - row) + right_x * (column - size // 2)
                y = agent_y + forward_y * (size - 1 - row) + right_y * (column - size // 2)
                if 0 <= x < width and 0 <= y < height:
                    codes[i, y * width + x] |= LOOKS
    codes[i, agent_y * width + agent_x] -= (NO_AGENT - direction) * 2 * LOOKS
    _copy_tiles(codes[i], width, height, tiles, image_out[i])


@jit
def _label(cell, at, k, semantic_out, instance_out):  # type: ignore[no-untyped-def]
    """Write class and instance of a cell's picture; floor, walls and lava are background."""
    kind = kind_of(cell)
    semantic_out[k] = np.uint8(CLASS_OF_KIND[kind])
    is_thing = kind not in (EMPTY, WALL_KIND, FLOOR_KIND, LAVA_KIND)
    instance_out[k] = instance_of(cell, at) if is_thing else np.int32(0)


@jit
def label_tiles(i, world, params, view, semantic_out, instance_out):  # type: ignore[no-untyped-def]
    """Class and instance of each cell of what `draw_tiles` shows; the agent's cell shows what it carries.

    Args:
        view: (N, V * V) uint8, room for what `look_around` finds.
        semantic_out: (N, V * V) uint8, by rows: SEMANTIC_CLASSES, 0 where nothing is seen.
        instance_out: (N, V * V) int32, 0 = background.
    """
    look_around(i, world, params, view)
    size = params.view_size
    direction, columns = world.agent[i, 2], world.cells.shape[2]
    forward_x, forward_y = DX[direction], DY[direction]
    for row in range(size):
        for column in range(size):
            k, ahead, aside = row * size + column, size - 1 - row, column - size // 2
            semantic_out[i, k], instance_out[i, k] = 0, 0
            if view[i, k] & _SEEN:
                x = world.agent[i, 0] + ahead * forward_x - aside * forward_y
                y = world.agent[i, 1] + ahead * forward_y + aside * forward_x
                _label(cell_at(i, world, x, y), y * columns + x, k, semantic_out[i], instance_out[i])
    here = size * size - 1 - size // 2
    in_hand = np.int64(world.carrying[i])
    _label(in_hand if in_hand else EMPTY, 0, here, semantic_out[i], instance_out[i])


@jit
def label_full(i, world, params, view, semantic_out, instance_out):  # type: ignore[no-untyped-def]
    """Class and instance of every cell of the grid: as `label_tiles`, (N, height * width), without use of `view`."""
    height, width = world.cells.shape[1], world.cells.shape[2]
    for k in range(height * width):
        _label(np.int64(world.cells[i, k // width, k % width]), k, k, semantic_out[i], instance_out[i])
