"""What the first-person camera must see, in float64 and by brute force: every pixel's ray against every shape there is.

Shapes are written down again here, from the sizes on the camera's page of constants; nothing else is shared with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from visnav.envs.grid import lens
from visnav.envs.grid.textures import LINTEL, POST
from visnav.envs.grid.world import (
    BALL,
    BOX,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    EMPTY,
    FLOOR_KIND,
    GOAL_KIND,
    KEY,
    LAVA,
    LAVA_KIND,
    WALL,
    WALL_KIND,
)

THINGS = (BALL, BOX, KEY, DOOR_OPEN, DOOR_CLOSED, DOOR_LOCKED, GOAL_KIND)

CLASS = {name: number for number, name in enumerate(lens.SEMANTIC_CLASSES)}
EYE, TOP = float(lens.EYE_HEIGHT), float(lens.WALL_HEIGHT)
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


class Seen(NamedTuple):
    """Of every ray: depth in metres, class and instance."""

    depth: np.ndarray
    label: np.ndarray
    instance: np.ndarray


class Rays:
    """Rays (u, v, 1) from an eye, and the nearest thing that each has met so far."""

    def __init__(self, origin: tuple[float, float], ahead: tuple[float, float], u: np.ndarray, v: np.ndarray) -> None:
        self.u, self.v = u, v
        self.origin = np.array([*origin, 0.0])  # x, y, down from the eye
        right = (-ahead[1], ahead[0])
        self.ways = np.stack([ahead[0] + u * right[0], ahead[1] + u * right[1], v], axis=-1)
        self.depth = np.full(u.shape, np.inf)
        self.label, self.instance = np.zeros(u.shape, int), np.zeros(u.shape, int)

    def meet(self, depth: np.ndarray, hit: np.ndarray, label: str, instance: int = 0, on_top: bool = False) -> None:
        """Note what some rays meet at a depth, unless they have met something nearer."""
        hit = hit & (depth > float(lens.NEAR)) & (on_top | (depth < self.depth))
        self.depth = np.where(hit, depth, self.depth)
        self.label = np.where(hit, CLASS[label], self.label)
        self.instance = np.where(hit, instance, self.instance)

    def through(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where rays enter and leave a box on the axes of the map."""
        with np.errstate(divide="ignore", invalid="ignore"):
            one, two = (low - self.origin) / self.ways, (high - self.origin) / self.ways
        return np.nanmax(np.minimum(one, two), axis=-1), np.nanmin(np.maximum(one, two), axis=-1)

    def plane(self, axis: int, at: float) -> tuple[np.ndarray, np.ndarray]:
        """The depth where rays meet a plane, and the points there."""
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (at - self.origin[axis]) / self.ways[..., axis]
            return depth, self.origin + depth[..., None] * self.ways

    def ball(self, center: np.ndarray, radius: float, instance: int, on_top: bool = False) -> None:
        offset = self.origin - center
        a, b, c = (self.ways**2).sum(-1), (self.ways * offset).sum(-1), (offset**2).sum() - radius**2
        root = b * b - a * c
        self.meet((-b - np.sqrt(np.maximum(root, 0))) / a, root >= 0, "ball", instance, on_top)


def look(cells: np.ndarray, pose: tuple[int, int, int], carrying: int, u: np.ndarray, v: np.ndarray) -> Seen:
    """What rays (u, v, 1) of an agent at (column, row, direction) meet in a grid of cells."""
    column, row, direction = pose
    rays = Rays((column + 0.5, row + 0.5), AHEAD[direction], u, v)
    depth, _ = rays.plane(2, EYE)
    rays.meet(depth, v > 0, "floor")
    depth, _ = rays.plane(2, EYE - TOP)
    rays.meet(depth, v < 0, "ceiling")
    height, width = cells.shape
    for y in range(-1, height + 1):
        for x in range(-1, width + 1):
            inside = 0 <= x < width and 0 <= y < height
            cell = int(cells[y, x]) if inside else WALL_KIND
            _meet_cell(rays, cells, x, y, cell, cell >> 8 or lens.UNNUMBERED + y * width + x)
    if carrying:
        _meet_hand(rays, AHEAD[direction], carrying)
    return Seen(rays.depth, rays.label, rays.instance)


def _meet_cell(rays: Rays, cells: np.ndarray, x: int, y: int, cell: int, number: int) -> None:
    kind, middle = cell & 15, np.array([x + 0.5, y + 0.5, 0.0])
    floor, floor_points = rays.plane(2, EYE)
    on_cell = (np.floor(floor_points[..., 0]) == x) & (np.floor(floor_points[..., 1]) == y) & (rays.v > 0)
    if kind == WALL_KIND:
        low, high = np.array([x, y, EYE - TOP]), np.array([x + 1, y + 1, EYE])
        enter, leave = rays.through(low, high)
        rays.meet(enter, enter < leave, "wall")
    elif kind in (DOOR_OPEN, DOOR_CLOSED, DOOR_LOCKED):
        across = _wall(cells, x - 1, y) + _wall(cells, x + 1, y) < _wall(cells, x, y - 1) + _wall(cells, x, y + 1)
        depth, points = rays.plane(0 if across else 1, (x if across else y) + 0.5)
        along = points[..., 1] - y if across else points[..., 0] - x
        above = EYE - points[..., 2]  # the floor
        hit = (along >= 0) & (along < 1) & (above >= 0) & (above <= TOP)
        if kind == DOOR_OPEN:
            hit &= (along < POST) | (along > 1 - POST) | (above > TOP - LINTEL)
        name = {DOOR_OPEN: "open door", DOOR_CLOSED: "closed door", DOOR_LOCKED: "locked door"}[kind]
        rays.meet(depth, hit, name, number)
    elif kind == BALL:
        rays.ball(middle + np.array([0, 0, EYE - float(lens.BALL_RADIUS)]), float(lens.BALL_RADIUS), number)
    elif kind == BOX:
        half = float(lens.BOX_HALF)
        low, high = np.array([-half, -half, EYE - float(lens.BOX_HEIGHT)]), np.array([half, half, EYE])
        enter, leave = rays.through(middle + low, middle + high)
        rays.meet(enter, enter < leave, "box", number)
    elif kind == KEY:
        ahead = rays.ways[..., :2] - rays.u[..., None] * _right(rays)
        z, aside = _in_camera(rays, middle, ahead)
        _meet_key(rays, aside, EYE - float(lens.KEY_BOTTOM), z, 1.0, number)
    elif kind == GOAL_KIND:
        rays.meet(floor - 1e-9, on_cell, "goal", number)
        scale = np.array([float(lens.GEM_RADIUS), float(lens.GEM_RADIUS), float(lens.GEM_HALF)])
        enter, leave = _octahedron(
            (rays.origin - middle - np.array([0, 0, EYE - float(lens.GEM_HEIGHT)])) / scale, rays.ways / scale
        )
        rays.meet(enter, enter < leave, "goal", number)
    elif kind == LAVA_KIND:
        rays.meet(floor - 1e-9, on_cell, "lava")


def _wall(cells: np.ndarray, x: int, y: int) -> bool:
    inside = 0 <= x < cells.shape[1] and 0 <= y < cells.shape[0]
    return bool(not inside or cells[y, x] & 15 == WALL_KIND)


def _right(rays: Rays) -> np.ndarray:
    """The unit vector to the right, read off two rays."""
    flat_u, flat = rays.u.reshape(-1), rays.ways.reshape(-1, 3)
    one, two = flat_u.argmin(), flat_u.argmax()
    return (flat[two, :2] - flat[one, :2]) / (flat_u[two] - flat_u[one])


def _in_camera(rays: Rays, point: np.ndarray, ahead: np.ndarray) -> tuple[float, float]:
    """A point's metres ahead and to the right."""
    offset = (point - rays.origin)[:2]
    return float(offset @ ahead.reshape(-1, 2)[0]), float(offset @ _right(rays))


def _meet_key(rays: Rays, x: float, foot: float, z: float, scale: float, number: int, on_top: bool = False) -> None:
    """A flat key that faces the eye: a ring with a hole, a shaft, two teeth to the right."""
    across, up = (rays.u * z - x) / scale, (foot - rays.v * z) / scale
    length = float(lens.KEY_TOP - lens.KEY_BOTTOM)
    ring = np.hypot(across, up - (length - float(lens.KEY_RING)))
    shaft = (np.abs(across) <= float(lens.KEY_SHAFT)) & (up >= 0) & (up <= length - float(lens.KEY_RING))
    teeth = (across > 0) & (across <= float(lens.KEY_WIDTH)) & (((up >= 0) & (up < 0.1)) | ((up > 0.17) & (up < 0.27)))
    hit = np.where(ring <= float(lens.KEY_RING), ring >= float(lens.KEY_HOLE), shaft | teeth)
    rays.meet(np.full(rays.u.shape, z), hit, "key", number, on_top)


def _octahedron(origin: np.ndarray, ways: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where rays enter and leave |x| + |y| + |z| <= 1."""
    enter, leave = np.full(ways.shape[:-1], -np.inf), np.full(ways.shape[:-1], np.inf)
    for normal in np.array([(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]):
        with np.errstate(divide="ignore"):
            one, two = (-1 - origin @ normal) / (ways @ normal), (1 - origin @ normal) / (ways @ normal)
        enter, leave = np.maximum(enter, np.minimum(one, two)), np.minimum(leave, np.maximum(one, two))
    return enter, leave


def _meet_hand(rays: Rays, ahead: tuple[int, int], cell: int) -> None:
    """What is carried: held before the eye, smaller, over everything."""
    x, down, z = map(float, lens.HAND)
    scale, number = float(lens.HAND_SCALE), cell >> 8 or lens.UNNUMBERED
    here = Rays((0.0, 0.0), (1, 0), rays.u, rays.v)  # axes: ahead, right, down
    kind = cell & 15
    if kind == BALL:
        here.ball(np.array([z, x, down]), float(lens.BALL_RADIUS) * scale, number)
    elif kind == KEY:
        _meet_key(here, x, down + 0.08, z, scale, number)
    elif kind == BOX:
        turn = np.array(
            [[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]
        )  # from (ahead, right, down) to the box's axes
        turned = Rays((0.0, 0.0), (1, 0), rays.u, rays.v)
        turned.ways = here.ways @ turn.T
        half, height = float(lens.BOX_HALF) * scale, float(lens.BOX_HEIGHT) * scale
        middle = turn @ np.array([z, x, down + 0.07])
        enter, leave = turned.through(middle - np.array([half, half, height]), middle + np.array([half, half, 0]))
        here.meet(enter, enter < leave, "box", number)
    hit = np.isfinite(here.depth)
    name = lens.SEMANTIC_CLASSES[int(here.label[hit][0])] if hit.any() else "key"
    rays.meet(here.depth, hit, name, number, on_top=True)


def scatter(cells: np.ndarray, agent: np.ndarray, carrying: np.ndarray, rng: np.random.Generator) -> None:
    """Fill a quarter of each grid with anything there is, and stand the agent on something that can be walked on."""
    num_envs, height, width = cells.shape
    numbers = np.arange(1, height * width + 1, dtype=np.uint16).reshape(height, width)
    for i in range(num_envs):
        kinds = rng.choice([*THINGS, LAVA_KIND, FLOOR_KIND, WALL & 15], size=(height, width))
        colors = rng.integers(6, size=(height, width))
        looks = np.where(kinds == WALL & 15, WALL, np.where(kinds == LAVA_KIND, LAVA, kinds | colors << 4))
        filled = np.where(np.isin(kinds, THINGS), looks | numbers << 8, looks)
        cells[i] = np.where(rng.random((height, width)) < rng.choice([0.1, 0.25, 0.4]), filled, EMPTY)
        cells[i, [0, -1]] = cells[i, :, [0, -1]] = WALL
        agent[i] = rng.integers(1, width - 1), rng.integers(1, height - 1), rng.integers(4)
        here = agent[i, 1], agent[i, 0]
        if cells[i][here] & 15 not in (EMPTY, GOAL_KIND, LAVA_KIND, FLOOR_KIND, DOOR_OPEN):
            cells[i][here] = EMPTY
        carrying[i] = rng.choice([0, 0, *(kind | rng.integers(6) << 4 | 250 << 8 for kind in (KEY, BALL, BOX))])
