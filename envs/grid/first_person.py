"""The first-person camera: a ray cast through each column of the picture, things drawn over it from far to near."""

from __future__ import annotations

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.decor import decorate
from visnav.envs.grid.lens import (
    BIG,
    CEILING,
    CLASS_OF_KIND,
    COLORS,
    EYE_HEIGHT,
    FAR,
    FLOOR,
    HALF,
    ONE,
    WALL,
    WALL_HEIGHT,
    WRAP,
    ZERO,
    Canvas,
    F,
    brightness,
    column_ray,
    door_spans_x,
    factor,
    first_row,
    instance_of,
    meet_door,
    mip_level,
    row_ray,
    view_of,
)
from visnav.envs.grid.rules import cell_at
from visnav.envs.grid.textures import CLOSED_DOOR, LOCKED_DOOR, MIP_START, SIZE, STRIDE
from visnav.envs.grid.things import draw_hand, draw_things
from visnav.envs.grid.world import DOOR_CLOSED, DOOR_LOCKED, EMPTY, WALL_KIND, color_of, kind_of
from visnav.envs.rng import level_hash


@jit
def _note_thing(scratch, at, count):  # type: ignore[no-untyped-def]
    """Remember that a thing is in cell `at`. Returns how many are remembered."""
    if scratch.seen[at]:
        return count
    scratch.seen[at] = np.uint8(1)
    scratch.things[count] = at
    return count + 1


@jit
def _cast(i, world, lens, view, decor, scratch):  # type: ignore[no-untyped-def]
    """Follow each column's ray to a wall or closed door, by cells; fill the scratch. Returns how many things it met."""
    rows, columns = world.cells.shape[1], world.cells.shape[2]
    count = 0
    start_x, start_y = np.int32(view.x), np.int32(view.y)
    if kind_of(cell_at(i, world, start_x, start_y)) != EMPTY:
        count = _note_thing(scratch, start_y * columns + start_x, count)
    for c in range(lens.width):
        u = column_ray(c, lens)
        dir_x, dir_y = view.ahead_x + u * view.right_x, view.ahead_y + u * view.right_y
        pace_x = ONE / abs(dir_x) if dir_x != ZERO else BIG
        pace_y = ONE / abs(dir_y) if dir_y != ZERO else BIG
        x, y = start_x, start_y
        next_x = (F(x) + ONE - view.x if dir_x > ZERO else view.x - F(x)) * pace_x
        next_y = (F(y) + ONE - view.y if dir_y > ZERO else view.y - F(y)) * pace_y
        step_x = np.int32(1 if dir_x > ZERO else -1)
        step_y = np.int32(1 if dir_y > ZERO else -1)
        depth, along, across_x, cell, texture = FAR, ZERO, False, WALL_KIND, decor.wall
        label, number = WALL, np.int32(0)
        for _ in range(rows + columns + 2):
            across_x = next_x < next_y
            if across_x:
                depth = next_x
                x += step_x
                next_x += pace_x
            else:
                depth = next_y
                y += step_y
                next_y += pace_y
            cell = cell_at(i, world, x, y)
            kind = kind_of(cell)
            if kind == EMPTY:
                continue
            if kind == WALL_KIND:
                if across_x:
                    depth = (F(x if dir_x > ZERO else x + 1) - view.x) / dir_x
                    along = view.y + depth * dir_y - F(y)
                else:
                    depth = (F(y if dir_y > ZERO else y + 1) - view.y) / dir_y
                    along = view.x + depth * dir_x - F(x)
                break
            if kind in (DOOR_CLOSED, DOOR_LOCKED):
                spans_x = door_spans_x(i, world, x, y)
                at_door, along_door = meet_door(view, dir_x, dir_y, x, y, spans_x)
                if at_door < BIG:
                    depth, along, across_x = at_door, along_door, not spans_x
                    texture = CLOSED_DOOR if kind == DOOR_CLOSED else LOCKED_DOOR
                    label, number = CLASS_OF_KIND[kind], instance_of(cell, y * columns + x)
                    break
            else:
                count = _note_thing(scratch, y * columns + x, count)
        _fill_column(c, u, lens, view, decor, scratch, depth, along, across_x, texture, color_of(cell))
        scratch.label[0, c] = label
        scratch.label[1, c] = number
    return count


@jit
def _fill_column(c, u, lens, view, decor, scratch, depth, along, across_x, texture, color):  # type: ignore[no-untyped-def]
    """Where column c shows the wall that its ray met, and with which texels and brightness."""
    scratch.depth[c] = depth
    scratch.top[c] = first_row((EYE_HEIGHT - WALL_HEIGHT) / depth, lens)
    scratch.bottom[c] = first_row(EYE_HEIGHT / depth, lens)
    # metres of wall that one pixel covers: down, and along the wall (the derivative of `along` by u)
    down = depth / lens.focal
    if across_x:
        normal, tangent, right_n, right_t = (
            view.ahead_x + u * view.right_x, view.ahead_y + u * view.right_y, view.right_x, view.right_y,
        )  # fmt: skip
    else:
        normal, tangent, right_n, right_t = (
            view.ahead_y + u * view.right_y, view.ahead_x + u * view.right_x, view.right_y, view.right_x,
        )  # fmt: skip
    sideways = down * abs(right_t - tangent * right_n / normal) if normal != ZERO else down
    level = mip_level(max(down, F(0.6) * sideways) * F(SIZE))
    side = np.int32(SIZE >> level)
    column = np.int32(along * F(side)) & (side - 1)
    scratch.texel[c] = texture * STRIDE + MIP_START[level] + column * side
    scratch.mask[c] = side - 1
    scratch.pace[c] = down * F(side)
    scratch.edge[c] = (EYE_HEIGHT - WALL_HEIGHT) / down + F(lens.height) * HALF - HALF
    share = brightness(depth, decor) * (decor.side if across_x else ONE)
    for k in range(3):
        tint = decor.wall_tint[k]
        if texture != decor.wall:
            tint = F(COLORS[color][k]) / F(255)
        scratch.shade[k, c] = factor(share * tint * decor.light[k])


@jit
def _fill_rows(lens, view, decor, atlas, scratch, canvas):  # type: ignore[no-untyped-def]
    """Every pixel that shows wall, floor or ceiling: all of them, before things are drawn."""
    width = np.uint64(lens.width)
    left = column_ray(0, lens)
    for r in range(lens.height):
        v = row_ray(r, lens)
        height, texture, tint, label = EYE_HEIGHT, decor.floor, decor.floor_tint, FLOOR
        if v < ZERO:
            height, texture, tint, label = WALL_HEIGHT - EYE_HEIGHT, decor.ceiling, decor.ceiling_tint, CEILING
        depth = min(height / max(abs(v), F(1e-6)), FAR)
        if canvas.rgb.shape[0]:
            level = mip_level(max(depth, HALF * depth * depth / height) / lens.focal * F(SIZE))
            side = F(SIZE >> level)
            share = brightness(depth, decor)
            _fill_row_rgb(
                np.int32(r), lens, scratch, atlas, canvas.rgb,
                texture * STRIDE + MIP_START[level], np.int32(SIZE >> level),
                ((view.x + WRAP) + depth * (view.ahead_x + left * view.right_x)) * side,
                ((view.y + WRAP) + depth * (view.ahead_y + left * view.right_y)) * side,
                depth / lens.focal * view.right_x * side,
                depth / lens.focal * view.right_y * side,
                factor(share * tint[0] * decor.light[0]),
                factor(share * tint[1] * decor.light[1]),
                factor(share * tint[2] * decor.light[2]),
            )  # fmt: skip
        start = np.uint64(r) * width
        if canvas.depth.shape[0]:
            for c in range(width):
                is_wall = (r >= scratch.top[c]) & (r < scratch.bottom[c])
                canvas.depth[start + c] = scratch.depth[c] if is_wall else depth
        if canvas.semantic.shape[0]:
            for c in range(width):
                is_wall = (r >= scratch.top[c]) & (r < scratch.bottom[c])
                canvas.semantic[start + c] = np.uint8(scratch.label[0, c] if is_wall else label)
        if canvas.instance.shape[0]:
            for c in range(width):
                is_wall = (r >= scratch.top[c]) & (r < scratch.bottom[c])
                canvas.instance[start + c] = scratch.label[1, c] if is_wall else np.int32(0)


@jit
def _fill_row_rgb(r, lens, scratch, atlas, rgb, texels, side, x, y, dx, dy, red, green, blue):  # type: ignore[no-untyped-def]
    """Row r of the picture: wall where its column shows wall, else floor or ceiling from `texels` on.

    Three loops, because the compiler makes vector instructions of the first and last, not of the look-up between.
    """
    row = F(r)
    mask = side - np.int32(1)
    byte = np.uint32(255)
    texels = np.int32(texels)
    top, bottom, pick = scratch.top, scratch.bottom, scratch.pick
    width = np.uint64(lens.width)
    for c in range(width):
        down = np.int32((row - scratch.edge[c]) * scratch.pace[c]) & scratch.mask[c]
        along = F(np.int32(c))
        column, line = np.int32(x + along * dx) & mask, np.int32(y + along * dy) & mask
        is_wall = (r >= top[c]) & (r < bottom[c])
        pick[c] = np.uint32(scratch.texel[c] + down if is_wall else texels + column * side + line)
    for c in range(width):
        pick[c] = atlas[np.uint64(pick[c])]
    start = np.uint64(3) * width * np.uint64(r)
    pixels = rgb[start : start + np.uint64(3) * width]
    wall_red, wall_green, wall_blue = scratch.shade[0], scratch.shade[1], scratch.shade[2]
    for c in range(width):
        texel = pick[c]
        is_wall = (r >= top[c]) & (r < bottom[c])
        at = np.uint64(3) * c
        pixels[at] = np.uint8(((texel & byte) * (wall_red[c] if is_wall else red)) >> np.uint32(8))
        pixels[at + np.uint64(1)] = np.uint8(
            (((texel >> np.uint32(8)) & byte) * (wall_green[c] if is_wall else green)) >> np.uint32(8)
        )
        pixels[at + np.uint64(2)] = np.uint8(
            (((texel >> np.uint32(16)) & byte) * (wall_blue[c] if is_wall else blue)) >> np.uint32(8)
        )


# --- the camera ---------------------------------------------------------------------------------------------


@jit
def _add_noise(rgb, deviation, seed):  # type: ignore[no-untyped-def]
    """Add grain to every value: the sum of four hashed bytes, which is nearly normal (their deviation is 147.8)."""
    gain = deviation / F(147.8)
    start = np.uint32(seed & np.uint64(0xFFFFFFFF))
    byte = np.uint32(255)
    for k in range(np.uint64(rgb.shape[0])):
        h = np.uint32(np.uint32(start + np.uint32(k)) * np.uint32(0x9E3779B1))
        h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x85EBCA77))
        h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE3D))
        h ^= h >> np.uint32(16)
        total = (h & byte) + (h >> np.uint32(8) & byte) + (h >> np.uint32(16) & byte) + (h >> np.uint32(24))
        value = F(rgb[k]) + gain * (F(np.int32(total)) - F(510)) + HALF
        rgb[k] = np.uint8(min(max(value, ZERO), F(255)))


@jit
def draw_first_person(i, world, levels, lens, atlas, scratch, canvas_out):  # type: ignore[no-untyped-def]
    """What the agent of world i sees with its own eyes.

    Args:
        levels: (N,) the numbers of the levels, which decor, light and noise are drawn from.
        atlas: `textures.atlas()`.
        scratch: room for one picture.
        canvas_out: the pictures of N worlds, of which row i is written.
    """
    canvas = Canvas(canvas_out.rgb[i], canvas_out.depth[i], canvas_out.semantic[i], canvas_out.instance[i])
    view = view_of(i, world, lens)
    decor = decorate(levels[i], lens)
    count = _cast(i, world, lens, view, decor, scratch)
    _fill_rows(lens, view, decor, atlas, scratch, canvas)
    draw_things(i, world, lens, view, decor, atlas, scratch, canvas, count)
    if world.carrying[i]:
        draw_hand(np.int64(world.carrying[i]), lens, decor, scratch, canvas)
    if lens.noise > ZERO and canvas.rgb.shape[0]:
        _add_noise(canvas.rgb, lens.noise, level_hash(levels[i], 1000 + world.step_count[i]))
