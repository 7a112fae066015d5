"""What level functions build with: walls, objects, doors, the agent; MiniGrid's helpers, draw for draw.

Each takes the level (`visnav.envs.grid.world.Level`), and the generator where it draws. Positions are
(column x, row y). Where something would stand outside the grid, or rejection sampling finds no place within its bound,
`level.failed` is set and the level is discarded, so that authors need not check.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.grid.world import BALL, BOX, COLOR_NAMES, EMPTY, KEY, LAVA, SORTED_COLORS, WALL, color_of, kind_of
from visnav.envs.rng import integers

MAX_TRIES = 10_000  # the originals try for ever, or 1,000 times in rooms
MAX_OBJECTS = 255  # objects of a level that have numbers of their own

OBSTACLES = {"lava": LAVA, "wall": WALL}  # what obstacle_type= may name

THINGS = (KEY, BALL, BOX)  # what can be carried, in the order that MiniGrid draws from
THING_TEXTS = tuple(f"{color} {kind}" for color in COLOR_NAMES for kind in ("key", "ball", "box"))  # by thing_number


class Things(NamedTuple):
    """Objects that were placed, one entry each: views of `level.scratch`."""

    look: NDArray[np.int32]  # colored(KEY, RED), …
    x: NDArray[np.int32]
    y: NDArray[np.int32]


def color_missions(template: str) -> tuple[str, ...]:
    """`template` with {color} filled in, one mission for each colour number."""
    return tuple(template.format(color=name) for name in COLOR_NAMES)


def check_position(
    name: str, position: tuple[int, int] | None, first: int, last: int, last_y: int | None = None
) -> tuple[int, int]:
    """Return (x, y), or (-1, -1) for None, or say that x or y is not within first..last (y: ..last_y if given)."""
    if position is None:
        return -1, -1
    columns = range(first, last + 1)
    rows = columns if last_y is None else range(first, last_y + 1)
    if np.shape(position) != (2,) or position[0] not in columns or position[1] not in rows:
        within = f"{first}..{last}" if last_y is None else f"{first}..{last}, {first}..{last_y}"
        raise ValueError(f"{name} is (x, y) within {within}, or None for any; got {position!r}")
    return int(position[0]), int(position[1])


@jit
def colored(kind, color):  # type: ignore[no-untyped-def]
    """The cell of a kind and a colour: `colored(KEY, YELLOW)`."""
    return kind | color << 4


@jit
def random_color(rng):  # type: ignore[no-untyped-def]
    """MiniGrid's `_rand_color`."""
    return SORTED_COLORS[integers(rng, 0, 6)]


@jit
def random_colors(rng, colors_out):  # type: ignore[no-untyped-def]
    """All six colours in a random order, as MiniGrid's `_rand_subset` draws them; colors_out is (6,)."""
    for k in range(6):
        colors_out[k] = SORTED_COLORS[k]
    for k in range(6):
        drawn = k + integers(rng, 0, 6 - k)
        color = colors_out[drawn]
        for later in range(drawn, k, -1):  # the others stay sorted
            colors_out[later] = colors_out[later - 1]
        colors_out[k] = color


@jit
def random_thing(rng, kinds):  # type: ignore[no-untyped-def]
    """A cell of one of `kinds`, a tuple such as THINGS, in a random colour; the kind is drawn first."""
    kind = kinds[integers(rng, 0, len(kinds))]
    return colored(kind, random_color(rng))


@jit
def thing_number(look):  # type: ignore[no-untyped-def]
    """The place of a key, ball or box in THING_TEXTS."""
    return len(THINGS) * color_of(look) + kind_of(look) - KEY


@jit
def is_among(value, values, count):  # type: ignore[no-untyped-def]
    """Whether values[:count] has `value`."""
    for k in range(count):  # noqa: SIM110 (kernels have no generators)
        if values[k] == value:
            return True
    return False


@jit
def inside(level, x, y):  # type: ignore[no-untyped-def]
    """Whether (x, y) is a cell of the grid."""
    return 0 <= x < level.cells.shape[1] and 0 <= y < level.cells.shape[0]


@jit
def put(level, x, y, cell):  # type: ignore[no-untyped-def]
    """Write a cell: wall, lava, EMPTY; `put_object` for the others. Outside the grid the level fails."""
    if inside(level, x, y):
        level.cells[y, x] = cell
    else:
        level.failed[0] = True


@jit
def horizontal_wall(level, x, y, length, cell):  # type: ignore[no-untyped-def]
    """`length` cells from (x, y) to the right."""
    for k in range(length):
        put(level, x + k, y, cell)


@jit
def vertical_wall(level, x, y, length, cell):  # type: ignore[no-untyped-def]
    """`length` cells from (x, y) downwards."""
    for k in range(length):
        put(level, x, y + k, cell)


@jit
def wall_rect(level, x, y, width, height):  # type: ignore[no-untyped-def]
    """The outline of a rectangle, in wall."""
    horizontal_wall(level, x, y, width, WALL)
    horizontal_wall(level, x, y + height - 1, width, WALL)
    vertical_wall(level, x, y, height, WALL)
    vertical_wall(level, x + width - 1, y, height, WALL)


@jit
def put_object(level, x, y, cell):  # type: ignore[no-untyped-def]
    """Write a door, key, ball, box or goal. Returns its object number."""
    level.num_objects[0] += 1
    put(level, x, y, cell | level.num_objects[0] << 8)
    return level.num_objects[0]


@jit
def put_inside(level, box, cell):  # type: ignore[no-untyped-def]
    """Put an object into the box of number `box`: it lies there when the box is opened. `Task.contents` makes room."""
    if box < level.contents.shape[0]:
        level.num_objects[0] += 1
        level.contents[box] = cell | level.num_objects[0] << 8
    else:
        level.failed[0] = True


@jit
def free_cell(rng, cells, agent, x, y, width, height, tries):  # type: ignore[no-untyped-def]
    """MiniGrid's `place_obj` without the object: a free cell of a rectangle, as (x, y); (-1, -1) where none is found.

    The column is drawn first. A rectangle that begins left of the grid, or above it, is moved in.
    """
    rows, columns = cells.shape
    left, top = (x if x > 0 else 0), (y if y > 0 else 0)  # min() and max() of integers do not compile for CUDA
    right = left + width if left + width < columns else columns
    bottom = top + height if top + height < rows else rows
    for _ in range(tries):
        column = integers(rng, left, right)
        row = integers(rng, top, bottom)
        if column < columns and row < rows and cells[row, column] == EMPTY and (column != agent[0] or row != agent[1]):
            return column, row
    return np.int64(-1), np.int64(-1)


@jit
def place(rng, level, cell, x, y, width, height):  # type: ignore[no-untyped-def]
    """Put an object on a random free cell of a rectangle. Returns where, as (x, y)."""
    column, row = free_cell(rng, level.cells, level.agent, x, y, width, height, MAX_TRIES)
    put_object(level, column, row, cell)
    return column, row


@jit
def _touches(things, count, x, y):  # type: ignore[no-untyped-def]
    """Whether one of the first `count` things is at (x, y) or in one of the eight cells around."""
    for k in range(count):  # noqa: SIM110 (kernels have no generators)
        if abs(things.x[k] - x) <= 1 and abs(things.y[k] - y) <= 1:
            return True
    return False


@jit
def place_things(rng, level, count, apart):  # type: ignore[no-untyped-def]
    """Put `count` keys, balls and boxes, no two alike, on random free cells; where `apart`, no two touch.

    Returns them as Things, in the first 3 * count integers of `level.scratch`.
    """
    scratch = level.scratch
    things = Things(scratch[:count], scratch[count : 2 * count], scratch[2 * count : 3 * count])
    rows, columns = level.cells.shape
    placed = 0
    for _ in range(MAX_TRIES):
        if placed == count:
            return things
        look = random_thing(rng, THINGS)
        if is_among(look, things.look, placed):
            continue
        x, y = free_cell(rng, level.cells, level.agent, 0, 0, columns, rows, 1)
        for _ in range(MAX_TRIES):
            if x >= 0 and not (apart and _touches(things, placed, x, y)):
                break
            x, y = free_cell(rng, level.cells, level.agent, 0, 0, columns, rows, 1)
        put_object(level, x, y, look)
        things.look[placed], things.x[placed], things.y[placed] = look, x, y
        placed += 1
    level.failed[0] = True
    return things


@jit
def place_agent(rng, level, x, y, width, height):  # type: ignore[no-untyped-def]
    """Put the agent on a random free cell of a rectangle, in a random direction."""
    level.agent[0] = -1
    level.agent[1] = -1
    column, row = free_cell(rng, level.cells, level.agent, x, y, width, height, MAX_TRIES)
    level.failed[0] |= column < 0
    level.agent[0] = column
    level.agent[1] = row
    level.agent[2] = integers(rng, 0, 4)
