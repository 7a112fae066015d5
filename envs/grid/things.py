"""The things of grid worlds as the first-person camera draws them: where a pixel's ray meets each one's shape."""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.lens import (
    BALL_RADIUS,
    BALLS,
    BIG,
    BOX_HALF,
    BOX_HEIGHT,
    BOXES,
    CLASS_OF_KIND,
    COLORS,
    EYE_HEIGHT,
    GEM_HALF,
    GEM_HEIGHT,
    GEM_RADIUS,
    GOAL,
    HALF,
    HAND,
    HAND_SCALE,
    KEY_BOTTOM,
    KEY_HOLE,
    KEY_RING,
    KEY_SHAFT,
    KEY_TOP,
    KEY_WIDTH,
    KEYS,
    NEAR,
    ONE,
    OPEN_DOOR,
    WALL_HEIGHT,
    ZERO,
    F,
    View,
    brightness,
    column_ray,
    door_spans_x,
    first_row,
    instance_of,
    meet_door,
    mip_level,
    put_pixel,
    put_shaded,
    read_texel,
    row_ray,
)
from visnav.envs.grid.textures import CLOSED_DOOR, GOAL_PAD, LAVA_FLOOR, LINTEL, POST, SIZE
from visnav.envs.grid.world import BALL, BOX, DOOR_OPEN, FLOOR_KIND, GOAL_KIND, KEY, LAVA_KIND, color_of, kind_of


@jit
def _draw_patches(i, world, lens, view, decor, atlas, scratch, canvas):  # type: ignore[no-untyped-def]
    """Lava, goal plates and coloured floor, pixel by pixel where floor is seen."""
    rows, columns = world.cells.shape[1], world.cells.shape[2]
    for r in range(first_row(F(1e-4), lens), lens.height):
        depth = EYE_HEIGHT / row_ray(r, lens)
        level = mip_level(max(depth, depth * depth) / lens.focal * F(SIZE))
        for c in range(lens.width):
            if r < scratch.bottom[c]:
                continue
            u = column_ray(c, lens)
            x = view.x + depth * (view.ahead_x + u * view.right_x)
            y = view.y + depth * (view.ahead_y + u * view.right_y)
            column, row = np.int32(x), np.int32(y)
            if x < ZERO or y < ZERO or column >= columns or row >= rows:
                continue
            cell = np.int64(world.cells[i, row, column])
            kind = kind_of(cell)
            if kind != LAVA_KIND and kind != GOAL_KIND and kind != FLOOR_KIND:
                continue
            texture = LAVA_FLOOR if kind == LAVA_KIND else GOAL_PAD if kind == GOAL_KIND else decor.floor
            texel = read_texel(atlas, texture, level, x - F(column), y - F(row))
            share = ONE
            tone = COLORS[color_of(cell)]
            red, green, blue = F(tone[0]), F(tone[1]), F(tone[2])
            if kind == LAVA_KIND:  # it glows: neither tint nor shade
                red, green, blue = F(255), F(255), F(255)
            else:
                share = brightness(depth, decor) * (ONE if kind == GOAL_KIND else F(1.3))
                red, green, blue = red * decor.light[0], green * decor.light[1], blue * decor.light[2]
            share /= F(255)
            put_pixel(
                canvas, r * lens.width + c,
                F(texel & np.uint32(255)) * red * share,
                F((texel >> np.uint32(8)) & np.uint32(255)) * green * share,
                F((texel >> np.uint32(16)) & np.uint32(255)) * blue * share,
                depth, CLASS_OF_KIND[kind],
                instance_of(cell, row * columns + column) if kind == GOAL_KIND else np.int32(0),
            )  # fmt: skip


@jit
def _ball_rows(u, x, down, z, radius):  # type: ignore[no-untyped-def]
    """The v between which the rays (u, v, 1) meet a ball at (x, down, z): (first, last), first > last if none does."""
    level = ONE + u * u
    ahead = u * x + z
    clear = x * x + z * z - radius * radius  # without `down`, which the quadratic in v brings
    if clear <= ZERO or ahead <= ZERO:
        return ONE, ZERO
    # (ahead + v down)^2 >= (level + v^2) (clear + down^2)
    discriminant = ahead * ahead * down * down + clear * (ahead * ahead - level * (clear + down * down))
    if discriminant < ZERO:
        return ONE, ZERO
    root = math.sqrt(discriminant)
    return (ahead * down - root) / clear, (ahead * down + root) / clear


@jit
def _draw_ball(lens, decor, canvas, walls, x, down, z, radius, color, number):  # type: ignore[no-untyped-def]
    """A shaded ball with a highlight; x, down, z of its middle in camera coordinates."""
    for c in range(lens.width):
        u = column_ray(c, lens)
        first, last = _ball_rows(u, x, down, z, radius)
        if first > last:
            continue
        away = x * x + down * down + z * z - radius * radius
        for r in range(first_row(first, lens), lens.height):
            v = row_ray(r, lens)
            if v > last:
                break
            towards = u * x + v * down + z
            length = u * u + v * v + ONE
            depth = (towards - math.sqrt(max(towards * towards - length * away, ZERO))) / length
            if depth < NEAR or depth >= walls[c]:
                continue
            right, below, ahead = (u * depth - x) / radius, (v * depth - down) / radius, (depth - z) / radius
            lit = F(-0.4) * right - F(0.7) * below - F(0.59) * ahead  # from the upper left, behind the eye
            share = F(0.5) + F(0.5) * max(lit, ZERO)
            if lit > F(0.94):
                share = F(1.35)
            put_shaded(canvas, r * lens.width + c, color, share, decor, depth, BALLS, number)


@jit
def _box_face(along, height):  # type: ignore[no-untyped-def]
    """Brightness on a side of a box: a rim, the gap under its lid, a strap; metres over its size, -1..1 and 0..1."""
    if abs(along) > F(0.86) or height < F(0.1) or height > F(0.92):
        return F(0.55)
    if F(0.62) < height < F(0.72):
        return F(0.3)
    return F(1.0) if abs(along) > F(0.16) else F(0.7)


@jit
def _draw_box(lens, decor, canvas, walls, frame, center_x, center_y, bottom, scale, color, number):  # type: ignore[no-untyped-def]
    """A chest: its four sides and lid.

    Args:
        frame: View whose vectors are the camera's, on the axes of the box.
        center_x, center_y: of the box, from the eye, on those axes.
        bottom: metres from the eye down to its bottom.
    """
    half, top = BOX_HALF * scale, bottom - BOX_HEIGHT * scale
    for c in range(lens.width):
        u = column_ray(c, lens)
        dir_x, dir_y = frame.ahead_x + u * frame.right_x, frame.ahead_y + u * frame.right_y
        slow_x = ONE / dir_x if abs(dir_x) > F(1e-9) else BIG
        slow_y = ONE / dir_y if abs(dir_y) > F(1e-9) else BIG
        one, two = (center_x - half) * slow_x, (center_x + half) * slow_x
        three, four = (center_y - half) * slow_y, (center_y + half) * slow_y
        enter_x, enter_y = min(one, two), min(three, four)
        enter, leave = max(enter_x, enter_y), min(max(one, two), max(three, four))
        if enter >= leave or enter < NEAR or enter >= walls[c]:
            continue
        by_x = enter_x > enter_y
        along = (enter * dir_y - center_y if by_x else enter * dir_x - center_x) / half
        side = F(0.75) if by_x else F(0.95)
        for r in range(first_row(top / (leave if top > ZERO else enter), lens), lens.height):
            v = row_ray(r, lens)
            if v * enter > bottom:
                break
            if v * enter >= top:
                share = side * _box_face(along, (bottom - v * enter) / (bottom - top))
                depth = enter
            else:
                depth = top / v
                if depth > leave:
                    continue
                rim = max(abs(depth * dir_x - center_x), abs(depth * dir_y - center_y)) / half
                share = F(1.15) if rim < F(0.86) else F(0.6)
            put_shaded(canvas, r * lens.width + c, color, share, decor, depth, BOXES, number)


@jit
def _key_share(x, height):  # type: ignore[no-untyped-def]
    """Brightness of a key where it is, 0 beside it; metres from its axis and above its foot, ring upwards."""
    length = KEY_TOP - KEY_BOTTOM
    ring_x, ring_y = x, height - (length - KEY_RING)
    distance = math.sqrt(ring_x * ring_x + ring_y * ring_y)
    if distance <= KEY_RING:
        if distance < KEY_HOLE:
            return ZERO
        return F(0.6) if distance > KEY_RING - F(0.03) or distance < KEY_HOLE + F(0.025) else ONE
    if ring_y > ZERO or height < ZERO:
        return ZERO
    if abs(x) <= KEY_SHAFT:
        return F(0.6) if abs(x) > KEY_SHAFT - F(0.02) else ONE
    if ZERO < x <= KEY_WIDTH and (height < F(0.1) or F(0.17) < height < F(0.27)):
        return F(0.85)
    return ZERO


@jit
def _draw_key(lens, decor, canvas, walls, x, foot, z, scale, color, number):  # type: ignore[no-untyped-def]
    """A key, upright and always turned to the eye; x, foot, z of its lower end in camera coordinates."""
    if z < NEAR:
        return
    for c in range(lens.width):
        across = (column_ray(c, lens) * z - x) / scale
        if abs(across) > KEY_WIDTH or z >= walls[c]:
            continue
        for r in range(first_row((foot - (KEY_TOP - KEY_BOTTOM) * scale) / z, lens), lens.height):
            height = (foot - row_ray(r, lens) * z) / scale
            if height < ZERO:
                break
            share = _key_share(across, height)
            if share > ZERO:
                put_shaded(canvas, r * lens.width + c, color, F(1.1) * share, decor, z, KEYS, number)


@jit
def _gem_entry(x, y, down, dir_x, dir_y, dir_down):  # type: ignore[no-untyped-def]
    """Where a ray enters the octahedron |x| + |y| + |down| = 1: (depth, face 0..7), depth BIG if it misses."""
    enter, leave, face = -BIG, BIG, 0
    for k in range(4):
        sign_y = ONE if k & 1 else -ONE
        sign_down = ONE if k & 2 else -ONE
        start = x + sign_y * y + sign_down * down
        pace = dir_x + sign_y * dir_y + sign_down * dir_down
        if abs(pace) < F(1e-9):
            if abs(start) > ONE:
                return BIG, 0
            continue
        one, two = (-ONE - start) / pace, (ONE - start) / pace
        if min(one, two) > enter:
            enter, face = min(one, two), 2 * k + (1 if one < two else 0)
        leave = min(leave, max(one, two))
    if enter >= leave or enter < NEAR:
        return BIG, 0
    return enter, face


@jit
def _draw_gem(lens, view, decor, canvas, walls, relative_x, relative_y, color, number):  # type: ignore[no-untyped-def]
    """The goal's gem: an octahedron that floats over its plate; where its middle is on the map, from the eye."""
    x = relative_x * view.right_x + relative_y * view.right_y
    z = relative_x * view.ahead_x + relative_y * view.ahead_y
    down = EYE_HEIGHT - GEM_HEIGHT
    for c in range(lens.width):
        u = column_ray(c, lens)
        first, last = _ball_rows(u, x, down, z, GEM_HALF)
        if first > last:
            continue
        dir_x, dir_y = view.ahead_x + u * view.right_x, view.ahead_y + u * view.right_y
        for r in range(first_row(first, lens), lens.height):
            v = row_ray(r, lens)
            if v > last:
                break
            depth, face = _gem_entry(
                -relative_x / GEM_RADIUS, -relative_y / GEM_RADIUS, -down / GEM_HALF,
                dir_x / GEM_RADIUS, dir_y / GEM_RADIUS, v / GEM_HALF,
            )  # fmt: skip
            if depth < walls[c]:
                # up is bright, down is dark; east and south differ from west and north
                falling = (face & 1) ^ (face >> 2 & 1)
                share = (F(0.7) if falling else F(1.15)) - (F(0.12) if face & 1 else ZERO)
                put_shaded(canvas, r * lens.width + c, color, share, decor, depth, GOAL, number)


@jit
def _draw_frame(i, world, lens, view, decor, atlas, canvas, walls, x, y, color, number):  # type: ignore[no-untyped-def]
    """The frame of an open door in cell (x, y): two posts and a lintel."""
    spans_x = door_spans_x(i, world, x, y)
    tone = COLORS[color]
    for c in range(lens.width):
        u = column_ray(c, lens)
        dir_x, dir_y = view.ahead_x + u * view.right_x, view.ahead_y + u * view.right_y
        depth, along = meet_door(view, dir_x, dir_y, x, y, spans_x)
        if depth >= walls[c]:
            continue
        is_post = along < F(POST) or along > ONE - F(POST)
        end = EYE_HEIGHT if is_post else EYE_HEIGHT - WALL_HEIGHT + F(LINTEL)
        share = brightness(depth, decor) * (ONE if spans_x else decor.side) / F(255)
        level = mip_level(depth / lens.focal * F(SIZE))
        for r in range(first_row((EYE_HEIGHT - WALL_HEIGHT) / depth, lens), first_row(end / depth, lens)):
            from_top = row_ray(r, lens) * depth - (EYE_HEIGHT - WALL_HEIGHT)
            texel = F(read_texel(atlas, CLOSED_DOOR, level, along, from_top) & np.uint32(255)) * share
            put_pixel(
                canvas, r * lens.width + c,
                texel * F(tone[0]) * decor.light[0],
                texel * F(tone[1]) * decor.light[1],
                texel * F(tone[2]) * decor.light[2],
                depth, OPEN_DOOR, number,
            )  # fmt: skip


@jit
def _sort_far_to_near(scratch, count, view, columns):  # type: ignore[no-untyped-def]
    """Order the things so that none hides a later one: by the cells between them and the eye."""
    here_x, here_y = np.int32(view.x), np.int32(view.y)
    for k in range(1, count):
        at = scratch.things[k]
        steps = abs(at % columns - here_x) + abs(at // columns - here_y)
        j = k
        while j > 0:
            before = scratch.things[j - 1]
            if abs(before % columns - here_x) + abs(before // columns - here_y) >= steps:
                break
            scratch.things[j] = before
            j -= 1
        scratch.things[j] = at


@jit
def draw_things(i, world, lens, view, decor, atlas, scratch, canvas, count):  # type: ignore[no-untyped-def]
    """Every thing that a ray has met, far to near, each hidden where the walls are nearer."""
    columns = world.cells.shape[2]
    has_patch = False
    for k in range(count):
        at = scratch.things[k]
        kind = kind_of(np.int64(world.cells[i, at // columns, at % columns]))
        has_patch |= kind in (LAVA_KIND, GOAL_KIND, FLOOR_KIND)
        scratch.seen[at] = np.uint8(0)
    if has_patch:
        _draw_patches(i, world, lens, view, decor, atlas, scratch, canvas)
    _sort_far_to_near(scratch, count, view, columns)
    walls = scratch.depth
    for k in range(count):
        at = scratch.things[k]
        column, row = at % columns, at // columns
        cell = np.int64(world.cells[i, row, column])
        kind, color, number = kind_of(cell), color_of(cell), instance_of(cell, at)
        map_x, map_y = F(column) + HALF - view.x, F(row) + HALF - view.y
        x = map_x * view.right_x + map_y * view.right_y
        z = map_x * view.ahead_x + map_y * view.ahead_y
        if kind == BALL:
            _draw_ball(lens, decor, canvas, walls, x, EYE_HEIGHT - BALL_RADIUS, z, BALL_RADIUS, color, number)
        elif kind == BOX:
            _draw_box(lens, decor, canvas, walls, view, map_x, map_y, EYE_HEIGHT, ONE, color, number)
        elif kind == KEY:
            _draw_key(lens, decor, canvas, walls, x, EYE_HEIGHT - KEY_BOTTOM, z, ONE, color, number)
        elif kind == GOAL_KIND:
            _draw_gem(lens, view, decor, canvas, walls, map_x, map_y, color, number)
        elif kind == DOOR_OPEN:
            _draw_frame(i, world, lens, view, decor, atlas, canvas, walls, column, row, color, number)


@jit
def draw_hand(cell, lens, decor, scratch, canvas):  # type: ignore[no-untyped-def]
    """What the agent carries, before its eye, over everything else."""
    x, down, z = HAND
    for c in range(lens.width):
        scratch.depth[c] = BIG
    walls = scratch.depth
    kind, color, number = kind_of(cell), color_of(cell), instance_of(cell, 0)
    if kind == BALL:
        radius = BALL_RADIUS * HAND_SCALE
        _draw_ball(lens, decor, canvas, walls, x, down, z, radius, color, number)
    elif kind == KEY:
        _draw_key(lens, decor, canvas, walls, x, down + F(0.08), z, HAND_SCALE, color, number)
    elif kind == BOX:
        turned = View(ZERO, ZERO, F(0.8), F(0.6), F(-0.6), F(0.8))
        center_x, center_y = z * turned.ahead_x + x * turned.right_x, z * turned.ahead_y + x * turned.right_y
        _draw_box(lens, decor, canvas, walls, turned, center_x, center_y, down + F(0.07), HAND_SCALE, color, number)
