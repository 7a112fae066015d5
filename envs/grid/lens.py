"""What the first-person camera draws with: its lens, the eye, the arrays of one picture, and single pixels.

One cell is 1 m. The eye stands EYE_HEIGHT above the floor of rooms that are WALL_HEIGHT high, and looks level, so
that walls are vertical on the screen. Camera coordinates are metres to the right, down and ahead; a pixel's ray is
(u, v, 1), so that the distance along it is the depth to the image plane.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.grid.rules import cell_at
from visnav.envs.grid.textures import MIP_START, MIPS, SIZE, STRIDE
from visnav.envs.grid.world import (
    BALL,
    BOX,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    DX,
    DY,
    GOAL_KIND,
    KEY,
    KINDS,
    LAVA_KIND,
    WALL_KIND,
    kind_of,
)

F = np.float32
ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)

WALL_HEIGHT = F(1.0)  # m
EYE_HEIGHT = F(0.5)  # m
NEAR = F(0.02)  # m; nothing nearer is drawn
FAR = F(512.0)  # m; floor and ceiling end here, and grids may not be larger
BIG = F(1e30)
WRAP = F(2048.0)  # m added to floor positions, which keeps them positive within FAR

BALL_RADIUS = F(0.3)  # m
BOX_HALF, BOX_HEIGHT = F(0.27), F(0.46)  # m
KEY_WIDTH, KEY_TOP, KEY_BOTTOM = F(0.19), F(0.78), F(0.1)  # m from its axis, above the floor
KEY_RING, KEY_HOLE, KEY_SHAFT = F(0.18), F(0.075), F(0.065)  # m, radii and half a width
GEM_RADIUS, GEM_HALF, GEM_HEIGHT = F(0.2), F(0.3), F(0.5)  # m: the goal's octahedron, and where its middle is
HAND = (F(0.15), F(0.2), F(0.4))  # m right, down, ahead: where what is carried is held
HAND_SCALE = F(0.24)  # what is carried is drawn this much smaller

# Object colours by MiniGrid's numbers: red, green, blue, purple, yellow, grey; apart in grey as well (Rec. 601
# luma 98, 162, 40, 71, 214, 130).
COLORS = (
    (228, 44, 40), (74, 222, 84), (18, 28, 160), (114, 30, 168), (250, 226, 60), (130, 130, 130),
)  # fmt: skip

CEILING, FLOOR, WALL, OPEN_DOOR, CLOSED, LOCKED, KEYS, BALLS, BOXES, GOAL, LAVA = range(11)
SEMANTIC_CLASSES = (
    "ceiling", "floor", "wall", "open door", "closed door", "locked door", "key", "ball", "box", "goal", "lava",
)  # fmt: skip
CLASS_OF_KIND = tuple(
    {
        WALL_KIND: WALL, DOOR_OPEN: OPEN_DOOR, DOOR_CLOSED: CLOSED, DOOR_LOCKED: LOCKED, KEY: KEYS, BALL: BALLS,
        BOX: BOXES, GOAL_KIND: GOAL, LAVA_KIND: LAVA,
    }.get(kind, FLOOR)
    for kind in range(KINDS)
)  # fmt: skip
UNNUMBERED = 256  # instance of a thing without an object number: this + its cell, counted row by row

TEXTURES = {"fixed": 0, "train": 1, "test": 2, "all": 3}
LIGHTING = {"fixed": False, "random": True}
_TEST_EVERY = 3  # patterns 2, 5, 8, … are for testing


class Lens(NamedTuple):
    """What every picture of a camera shares."""

    height: int  # pixels
    width: int  # pixels
    focal: np.float32  # pixels: half the width over the tangent of half the horizontal field of view
    textures: int  # TEXTURES
    random_light: bool
    noise: np.float32  # standard deviation, of 255 grey levels
    at_pose: bool  # whether the eye is at `World.pose`, and not in the middle of the agent's cell


class Scratch(NamedTuple):
    """Room for one picture at a time: what the ray of each column met, and which things were seen."""

    depth: NDArray[np.float32]  # (W,) metres to the wall or closed door
    top: NDArray[np.int32]  # (W,) first row that shows it
    bottom: NDArray[np.int32]  # (W,) row after the last
    texel: NDArray[np.int32]  # (W,) of the atlas: its column, at the top edge
    mask: NDArray[np.int32]  # (W,) texels of that column, less 1
    pace: NDArray[np.float32]  # (W,) texels a row
    edge: NDArray[np.float32]  # (W,) row coordinate of the top edge
    shade: NDArray[np.uint32]  # (3, W) factor of red, green, blue, of 256
    label: NDArray[np.int32]  # (2, W) class and instance
    pick: NDArray[np.uint32]  # (W,) texels of one row of the picture
    seen: NDArray[np.uint8]  # (cells,) 1 where a thing was met; all 0 between pictures
    things: NDArray[np.int32]  # (cells,) those cells, far to near


class Canvas(NamedTuple):
    """The pictures of N worlds (a first axis of N), or of one; those that nobody wants have length 0."""

    rgb: NDArray[np.uint8]  # (H * W * 3,)
    depth: NDArray[np.float32]  # (H * W,) metres to the image plane
    semantic: NDArray[np.uint8]  # (H * W,) SEMANTIC_CLASSES
    instance: NDArray[np.int32]  # (H * W,) object number, 0 = none


class View(NamedTuple):
    """Where the eye is and looks: metres, and unit vectors on the map."""

    x: np.float32
    y: np.float32
    ahead_x: np.float32
    ahead_y: np.float32
    right_x: np.float32
    right_y: np.float32


def make_scratch(width: int, cells: int) -> Scratch:
    """Room for pictures of so many columns, in a grid of so many cells."""
    return Scratch(
        depth=np.zeros(width, np.float32),
        top=np.zeros(width, np.int32),
        bottom=np.zeros(width, np.int32),
        texel=np.zeros(width, np.int32),
        mask=np.zeros(width, np.int32),
        pace=np.zeros(width, np.float32),
        edge=np.zeros(width, np.float32),
        shade=np.zeros((3, width), np.uint32),
        label=np.zeros((2, width), np.int32),
        pick=np.zeros(width, np.uint32),
        seen=np.zeros(cells, np.uint8),
        things=np.zeros(cells, np.int32),
    )


def make_lens(
    image_size: tuple[int, int], field_of_view: float, textures: str, lighting: str, noise: float, at_pose: bool = False
) -> Lens:
    """The lens of a camera: (height, width) pixels, horizontal field of view in degrees."""
    height, width = image_size
    focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
    return Lens(height, width, F(focal), TEXTURES[textures], LIGHTING[lighting], F(noise * 255), at_pose)


# --- rays and pixels ----------------------------------------------------------------------------------------


@jit
def view_of(i, world, lens):  # type: ignore[no-untyped-def]
    """The eye of the agent in world i: at its pose, or in the middle of its cell."""
    if lens.at_pose:
        heading = world.pose[i, 2]
        ahead_x, ahead_y = F(math.cos(heading)), F(math.sin(heading))
        return View(world.pose[i, 0], world.pose[i, 1], ahead_x, ahead_y, -ahead_y, ahead_x)
    direction = world.agent[i, 2]
    ahead_x, ahead_y = F(DX[direction]), F(DY[direction])
    return View(F(world.agent[i, 0]) + HALF, F(world.agent[i, 1]) + HALF, ahead_x, ahead_y, -ahead_y, ahead_x)


@jit
def brightness(distance, decor):  # type: ignore[no-untyped-def]
    """What is left of the light at a depth in metres."""
    return F(0.3) + F(0.7) / (ONE + decor.fading * distance * distance)


@jit
def factor(share):  # type: ignore[no-untyped-def]
    """A brightness as a factor of 256, cut at 256 / 256."""
    return np.uint32(min(max(share, ZERO), ONE) * F(256))


@jit
def mip_level(texels):  # type: ignore[no-untyped-def]
    """The level of which a pixel covers about one texel, where it covers so many of level 0."""
    level = 0
    while texels > F(1.4) and level < MIPS - 1:
        texels *= HALF
        level += 1
    return level


@jit
def column_ray(c, lens):  # type: ignore[no-untyped-def]
    """u of the rays of column c."""
    return (F(c) + HALF - F(lens.width) * HALF) / lens.focal


@jit
def row_ray(r, lens):  # type: ignore[no-untyped-def]
    """v of the rays of row r."""
    return (F(r) + HALF - F(lens.height) * HALF) / lens.focal


@jit
def first_row(v, lens):  # type: ignore[no-untyped-def]
    """The first row whose ray has at least this v, within 0 and the height."""
    row = math.ceil(min(max(v * lens.focal + F(lens.height) * HALF - HALF, ZERO), F(lens.height)))
    return np.int32(row)


@jit
def put_pixel(canvas, k, red, green, blue, depth, label, number):  # type: ignore[no-untyped-def]
    """Write pixel k of every picture that is wanted; colours are 0 to 255."""
    if canvas.rgb.shape[0]:
        at = np.uint64(3) * np.uint64(k)
        canvas.rgb[at] = np.uint8(min(max(red, ZERO), F(255)))
        canvas.rgb[at + np.uint64(1)] = np.uint8(min(max(green, ZERO), F(255)))
        canvas.rgb[at + np.uint64(2)] = np.uint8(min(max(blue, ZERO), F(255)))
    if canvas.depth.shape[0]:
        canvas.depth[np.uint64(k)] = depth
    if canvas.semantic.shape[0]:
        canvas.semantic[np.uint64(k)] = np.uint8(label)
    if canvas.instance.shape[0]:
        canvas.instance[np.uint64(k)] = number


@jit
def put_shaded(canvas, k, color, share, decor, depth, label, number):  # type: ignore[no-untyped-def]
    """Write pixel k in an object's colour, so bright."""
    tone = COLORS[color]
    share *= brightness(depth, decor)
    light = decor.light
    red, green, blue = F(tone[0]) * share, F(tone[1]) * share, F(tone[2]) * share
    put_pixel(canvas, k, red * light[0], green * light[1], blue * light[2], depth, label, number)


@jit
def read_texel(atlas, texture, level, u, v):  # type: ignore[no-untyped-def]
    """The texel at (u, v), 0 to 1, of a texture's mip level."""
    side = SIZE >> level
    column, row = np.int32(u * F(side)) & (side - 1), np.int32(v * F(side)) & (side - 1)
    return atlas[np.uint64(texture * STRIDE + MIP_START[level] + column * side + row)]


@jit
def instance_of(cell, at):  # type: ignore[no-untyped-def]
    """The instance of a thing: its object number, or one made from the cell that it is in."""
    number = np.int32(cell) >> 8
    return number if number else np.int32(UNNUMBERED + at)


# --- doors --------------------------------------------------------------------------------------------------


@jit
def _is_wall(i, world, x, y):  # type: ignore[no-untyped-def]
    return 1 if kind_of(cell_at(i, world, x, y)) == WALL_KIND else 0


@jit
def door_spans_x(i, world, x, y):  # type: ignore[no-untyped-def]
    """Whether the door in a cell runs from left to right on the map: between walls, or as most of its surroundings."""
    beside = _is_wall(i, world, x - 1, y) + _is_wall(i, world, x + 1, y)
    across = _is_wall(i, world, x, y - 1) + _is_wall(i, world, x, y + 1)
    return beside >= across


@jit
def meet_door(view, dir_x, dir_y, x, y, spans_x):  # type: ignore[no-untyped-def]
    """Where a ray meets the door plane in the middle of a cell: (depth, metres along it); depth is BIG if beside it."""
    if spans_x:
        if dir_y == ZERO:
            return BIG, ZERO
        depth = (F(y) + HALF - view.y) / dir_y
        along = view.x + depth * dir_x - F(x)
    else:
        if dir_x == ZERO:
            return BIG, ZERO
        depth = (F(x) + HALF - view.x) / dir_x
        along = view.y + depth * dir_y - F(y)
    if depth < NEAR or along < ZERO or along >= ONE:
        return BIG, ZERO
    return depth, along
