"""What level functions build with: walls, objects, doors, the agent; MiniGrid's helpers, draw for draw.

Each takes the level (`visnav.envs.grid.world.Level`), and the generator where it draws. Positions are
(column x, row y). Where something would stand outside the grid, or rejection sampling finds no place within its bound,
`level.failed` is set and the level is discarded, so that authors need not check.
"""

from __future__ import annotations

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.world import COLOR_NAMES, EMPTY, LAVA, SORTED_COLORS, WALL
from visnav.envs.rng import integers

MAX_TRIES = 10_000  # the originals try for ever, or 1,000 times in rooms

OBSTACLES = {"lava": LAVA, "wall": WALL}  # what obstacle_type= may name


def color_missions(template: str) -> tuple[str, ...]:
    """`template` with {color} filled in, one mission for each colour number."""
    return tuple(template.format(color=name) for name in COLOR_NAMES)


def check_position(name: str, position: tuple[int, int] | None, first: int, last: int) -> tuple[int, int]:
    """Return (x, y), or (-1, -1) for None, or say that x or y is not within first..last."""
    if position is None:
        return -1, -1
    if np.shape(position) != (2,) or any(k not in range(first, last + 1) for k in position):
        raise ValueError(f"{name} is (x, y) within {first}..{last}, or None for any; got {position!r}")
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
def is_free(level, x, y):  # type: ignore[no-untyped-def]
    """Whether (x, y) is in the grid and nothing stands there, the agent included."""
    return inside(level, x, y) and level.cells[y, x] == EMPTY and not (level.agent[0] == x and level.agent[1] == y)


@jit
def random_free(rng, level, x, y, width, height):  # type: ignore[no-untyped-def]
    """MiniGrid's `place_obj` without the object: a free cell of a rectangle, as (x, y); column first is drawn."""
    rows, columns = level.cells.shape
    left, top = (x if x > 0 else 0), (y if y > 0 else 0)  # min() and max() of integers do not compile for CUDA
    right = left + width if left + width < columns else columns
    bottom = top + height if top + height < rows else rows
    for _ in range(MAX_TRIES):
        column = integers(rng, left, right)
        row = integers(rng, top, bottom)
        if is_free(level, column, row):
            return column, row
    level.failed[0] = True
    return left, top


@jit
def place(rng, level, cell, x, y, width, height):  # type: ignore[no-untyped-def]
    """Put an object on a random free cell of a rectangle. Returns where, as (x, y)."""
    column, row = random_free(rng, level, x, y, width, height)
    put_object(level, column, row, cell)
    return column, row


@jit
def place_agent(rng, level, x, y, width, height):  # type: ignore[no-untyped-def]
    """Put the agent on a random free cell of a rectangle, in a random direction."""
    level.agent[0] = -1
    level.agent[1] = -1
    column, row = random_free(rng, level, x, y, width, height)
    level.agent[0] = column
    level.agent[1] = row
    level.agent[2] = integers(rng, 0, 4)
