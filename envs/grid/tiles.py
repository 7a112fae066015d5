"""Tile images: what one cell looks like at a size in pixels, byte for byte MiniGrid's `Grid.render_tile`.

Shapes are masks over three samples a pixel each way; the mean of the nine is cut to uint8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs.grid.world import (
    BALL,
    BOX,
    COLORS,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    EMPTY,
    FLOOR_KIND,
    GOAL_KIND,
    KEY,
    LAVA_KIND,
    LOOKS,
    WALL_KIND,
)

SAMPLES = 3  # a pixel, each way
NO_AGENT = 4  # after the agent's four directions
HIGHLIGHT = 0.30  # share of white laid over what the agent sees

Mask = NDArray[np.bool_]
Image = NDArray[np.uint8]


class _Canvas:
    """A supersampled tile and the shapes that can be filled on it; coordinates run from 0 to 1."""

    def __init__(self, tile_size: int) -> None:
        side = tile_size * SAMPLES
        self.image: Image = np.zeros((side, side, 3), np.uint8)
        centres = (np.arange(side) + 0.5) / side
        self.x, self.y = np.meshgrid(centres, centres)

    def rect(self, x0: float, x1: float, y0: float, y1: float) -> Mask:
        return (self.x >= x0) & (self.x <= x1) & (self.y >= y0) & (self.y <= y1)

    def circle(self, cx: float, cy: float, r: float) -> Mask:
        return (self.x - cx) * (self.x - cx) + (self.y - cy) * (self.y - cy) <= r * r

    def line(self, x0: float, y0: float, x1: float, y1: float, r: float) -> Mask:
        """Points within r of a segment; the segment's ends are float32, as in the original."""
        start, end = np.array([x0, y0], np.float32), np.array([x1, y1], np.float32)
        length = np.linalg.norm(end - start)
        along = (end - start) / length
        qx, qy = self.x - start[0], self.y - start[1]
        t = np.clip(qx * along[0] + qy * along[1], 0, length)
        gap_x, gap_y = self.x - (start[0] + t * along[0]), self.y - (start[1] + t * along[1])
        near = np.sqrt(gap_x * gap_x + gap_y * gap_y) <= r
        return near & self.rect(min(x0, x1) - r, max(x0, x1) + r, min(y0, y1) - r, max(y0, y1) + r)

    def agent(self, direction: float) -> Mask:
        """The agent's triangle, by barycentric coordinates with float32 corners."""
        theta = 0.5 * math.pi * direction
        x, y = self.x - 0.5, self.y - 0.5
        rx = 0.5 + x * math.cos(-theta) - y * math.sin(-theta)
        ry = 0.5 + y * math.cos(-theta) + x * math.sin(-theta)
        a, b, c = (np.array(corner, np.float32) for corner in ((0.12, 0.19), (0.87, 0.50), (0.12, 0.81)))
        v0, v1 = c - a, b - a
        px, py = rx - a[0], ry - a[1]
        dot00, dot01, dot11 = np.dot(v0, v0), np.dot(v0, v1), np.dot(v1, v1)
        dot02, dot12 = v0[0] * px + v0[1] * py, v1[0] * px + v1[1] * py
        scale = 1 / (dot00 * dot11 - dot01 * dot01)
        u = (dot11 * dot02 - dot01 * dot12) * scale
        v = (dot00 * dot12 - dot01 * dot02) * scale
        return (u >= 0) & (v >= 0) & (u + v < 1)

    def fill(self, mask: Mask, color: NDArray[Any] | tuple[int, int, int]) -> None:
        self.image[mask] = np.asarray(color).astype(np.uint8)

    def highlight(self) -> None:
        """Lay white over everything."""
        white = np.array((255, 255, 255), np.uint8)
        self.image = (self.image + HIGHLIGHT * (white - self.image)).clip(0, 255).astype(np.uint8)

    def tile(self) -> Image:
        """(tile_size, tile_size, 3): the mean over the samples, first along x, then along y."""
        side = self.image.shape[0] // SAMPLES
        samples = self.image.reshape(side, SAMPLES, side, SAMPLES, 3)
        return samples.mean(axis=3).mean(axis=1).astype(np.uint8)


BLACK = (0, 0, 0)


def _draw_wall(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0, 1, 0, 1), color)


def _draw_floor(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0.031, 1, 0.031, 1), color / 2)


def _draw_lava(c: _Canvas, _color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0, 1, 0, 1), (255, 128, 0))
    for wave in range(3):
        low, high = 0.3 + 0.2 * wave, 0.4 + 0.2 * wave
        for x0, y0, x1, y1 in (
            (0.1, low, 0.3, high),
            (0.3, high, 0.5, low),
            (0.5, low, 0.7, high),
            (0.7, high, 0.9, low),
        ):
            c.fill(c.line(x0, y0, x1, y1, 0.03), BLACK)


def _draw_door_open(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0.88, 1.00, 0.00, 1.00), color)
    c.fill(c.rect(0.92, 0.96, 0.04, 0.96), BLACK)


def _draw_door_closed(c: _Canvas, color: NDArray[np.int64]) -> None:
    for margin, ink in ((0.0, color), (0.04, BLACK), (0.08, color), (0.12, BLACK)):
        c.fill(c.rect(margin, 1 - margin, margin, 1 - margin), ink)
    c.fill(c.circle(0.75, 0.50, 0.08), color)


def _draw_door_locked(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0, 1, 0, 1), color)
    c.fill(c.rect(0.06, 0.94, 0.06, 0.94), 0.45 * color)
    c.fill(c.rect(0.52, 0.75, 0.50, 0.56), color)  # key slot


def _draw_key(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0.50, 0.63, 0.31, 0.88), color)
    c.fill(c.rect(0.38, 0.50, 0.59, 0.66), color)  # teeth
    c.fill(c.rect(0.38, 0.50, 0.81, 0.88), color)
    c.fill(c.circle(0.56, 0.28, 0.190), color)
    c.fill(c.circle(0.56, 0.28, 0.064), BLACK)


def _draw_ball(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.circle(0.5, 0.5, 0.31), color)


def _draw_box(c: _Canvas, color: NDArray[np.int64]) -> None:
    c.fill(c.rect(0.12, 0.88, 0.12, 0.88), color)
    c.fill(c.rect(0.18, 0.82, 0.18, 0.82), BLACK)
    c.fill(c.rect(0.16, 0.84, 0.47, 0.53), color)


_DRAW: dict[int, Callable[[_Canvas, NDArray[np.int64]], None]] = {
    WALL_KIND: _draw_wall,
    FLOOR_KIND: _draw_floor,
    DOOR_OPEN: _draw_door_open,
    DOOR_CLOSED: _draw_door_closed,
    DOOR_LOCKED: _draw_door_locked,
    KEY: _draw_key,
    BALL: _draw_ball,
    BOX: _draw_box,
    GOAL_KIND: _draw_wall,
    LAVA_KIND: _draw_lava,
}


def render_tile(look: int, agent_dir: int, highlight: bool, tile_size: int) -> Image:
    """One tile, (tile_size, tile_size, 3) uint8.

    Args:
        look: kind | colour << 4 of the cell.
        agent_dir: the direction of the agent standing there, or NO_AGENT.
        highlight: whether the agent sees the cell.
        tile_size: pixels along a side.
    """
    canvas = _Canvas(tile_size)
    canvas.fill(canvas.rect(0, 0.031, 0, 1), (100, 100, 100))  # grid lines: left and top edge
    canvas.fill(canvas.rect(0, 1, 0, 0.031), (100, 100, 100))
    kind, color = look & 15, look >> 4
    if kind in _DRAW:
        _DRAW[kind](canvas, COLORS[color])
    if agent_dir != NO_AGENT:
        canvas.fill(canvas.agent(agent_dir), (255, 0, 0))
    if highlight:
        canvas.highlight()
    return canvas.tile()


def move_agent(frame: Image, tile_size: int, look: int, place: tuple[float, float], direction: float) -> None:
    """In a picture of the whole grid, take the agent out of the middle of its cell and draw it where it stands.

    Half as large as in the middle of a cell, it keeps within the disc that it is, up to its corners.

    Args:
        frame: (rows * tile_size, columns * tile_size, 3), changed in place.
        look: kind | colour << 4 of the cell that it is in, which it sees.
        place: x, y in cells, at least half a cell from the edges.
        direction: 0 to the right, 1 downwards, and anything between.
    """
    top, left = int(place[1]) * tile_size, int(place[0]) * tile_size
    frame[top : top + tile_size, left : left + tile_size] = render_tile(look, NO_AGENT, True, tile_size)
    side = tile_size // 2
    covered = _Canvas(side).agent(direction).reshape(side, SAMPLES, side, SAMPLES).mean(axis=(1, 3))
    top, left = (round(k * tile_size - side / 2) for k in (place[1], place[0]))
    under = frame[top : top + side, left : left + side]
    under += (covered[..., None] * (np.array((255, 0, 0)) - under)).astype(np.int16).astype(np.uint8)


def _looks() -> list[int]:
    """Every look that a cell can have."""
    colored = [kind | color << 4 for kind in _DRAW if kind != LAVA_KIND for color in range(len(COLORS))]
    return [EMPTY, LAVA_KIND, *colored]


@lru_cache(maxsize=8)
def tile_table(tile_size: int) -> Image:
    """Every tile of a size: (5 * 2 * 128, tile_size, 3 * tile_size) uint8, read-only.

    Row (agent_dir * 2 + highlight) * 128 + look, with agent_dir = NO_AGENT where no agent stands.
    """
    table = np.zeros((NO_AGENT + 1, 2, LOOKS, tile_size, tile_size, 3), np.uint8)
    for look in _looks():
        for agent_dir in range(NO_AGENT + 1):
            for highlight in (False, True):
                table[agent_dir, int(highlight), look] = render_tile(look, agent_dir, highlight, tile_size)
    flat: Image = table.reshape(-1, tile_size, tile_size * 3)
    flat.setflags(write=False)
    return flat
