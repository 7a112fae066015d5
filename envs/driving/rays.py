"""Rays of the front camera to one vehicle, many at a time: loops without branches, for vector instructions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.driving.solids import (
    BIG,
    BODY_TOPSIDE,
    GROUND,
    NOTHING,
    OBSTACLE_TOP,
    SHADOW,
    F,
    in_shadow,
    meet_box,
    meet_car,
)
from visnav.envs.driving.world import LANDMARK, OBSTACLE

# where in a pixel rays are sent: two opposite corners of a rotated grid, the other two, the middle
RAY_COLUMNS = (0.125, 0.875, 0.375, 0.625, 0.5)
RAY_ROWS = (0.125, 0.875, 0.625, 0.375, 0.5)
RAYS = len(RAY_ROWS)
ROWS_AT_ONCE = 4  # of a picture, as wide as it is, that there is room for


class Rays(NamedTuple):
    """Room for K rays; each goes (u, v, 1) in camera coordinates."""

    u: NDArray[np.float32]  # (K,)
    v: NDArray[np.float32]  # (K,)
    depth: NDArray[np.float32]  # (K,) m to the image plane; BIG where no vehicle is met
    part: NDArray[np.int32]  # (K,) what is met, see `visnav.envs.driving.solids`


class Place(NamedTuple):
    """Where the eye is on a vehicle's axes, and how camera axes lie on them."""

    x: np.float32  # m ahead of the vehicle's middle
    y: np.float32  # m to its right
    cos: np.float32  # of the angle from the vehicle's heading to the camera's
    sin: np.float32


def make_rays(width: int) -> Rays:
    """Room for the rays of some rows of so many pixels."""
    u, v, depth = np.zeros((3, RAYS * ROWS_AT_ONCE * width), np.float32)
    return Rays(u, v, depth, np.zeros(len(u), np.int32))


def ray_table(pixels: int, places: tuple[float, ...], focal: float) -> NDArray[np.float32]:
    """(pixels * RAYS,) u of the rays through each column, or v of those through each row."""
    at = np.arange(pixels, dtype=F)[:, None] + np.array(places, F)
    return ((at - F(pixels) * F(0.5)) / F(focal)).ravel()


@jit
def fill_rays(first_ray, last_ray, columns, rows, lens, rays):  # type: ignore[no-untyped-def]
    """Rays `first_ray` to `last_ray` (half open) of the pixels of a window, pixel after pixel; returns how many.

    Args:
        columns, rows: first and last, half open.
    """
    count = np.uint64(0)
    for r in range(rows[0], rows[1]):
        for c in range(columns[0], columns[1]):
            for ray in range(first_ray, last_ray):
                rays.u[count] = lens.columns[np.uint64(c * RAYS + ray)]
                rays.v[count] = lens.rows[np.uint64(r * RAYS + ray)]
                count += np.uint64(1)
    return count


@jit
def ray_of(u, v, place, lens):  # type: ignore[no-untyped-def]
    """A ray's way per metre of depth on a vehicle's axes: ahead, to the right, up."""
    forward = lens.cos_pitch - v * lens.sin_pitch
    return (
        forward * place.cos - u * place.sin, forward * place.sin + u * place.cos,
        -(lens.sin_pitch + v * lens.cos_pitch),
    )  # fmt: skip


@jit
def _keep(k, depth, part, way, place, lens, half, side, rays):  # type: ignore[no-untyped-def]
    """Write what ray k meets: of those that miss a vehicle, some meet its shadow."""
    is_shaded = in_shadow(place.x, place.y, lens.up, way[0], way[1], way[2], half + SHADOW, side + SHADOW)
    rays.depth[k] = depth
    rays.part[k] = part if depth < BIG else GROUND if is_shaded else NOTHING


@jit
def meet_vehicle(behaviour, place, lens, half, side, count, rays):  # type: ignore[no-untyped-def]
    """Where the first `count` rays meet a vehicle, obstacle or goal of half this length and width."""
    up = lens.up
    if behaviour == LANDMARK:
        for k in range(count):
            way = ray_of(rays.u[k], rays.v[k], place, lens)
            is_met = in_shadow(place.x, place.y, up, way[0], way[1], way[2], half, side)
            depth = -up / way[2] if is_met else BIG
            _keep(k, depth, BODY_TOPSIDE, way, place, lens, half, side, rays)
    elif behaviour == OBSTACLE:
        for k in range(count):
            way = ray_of(rays.u[k], rays.v[k], place, lens)
            depth, part = meet_box(place.x, place.y, up, way[0], way[1], way[2], half, side, OBSTACLE_TOP)
            _keep(k, depth, part, way, place, lens, half, side, rays)
    else:
        for k in range(count):
            way = ray_of(rays.u[k], rays.v[k], place, lens)
            depth, part = meet_car(place.x, place.y, up, way[0], way[1], way[2], half, side)
            _keep(k, depth, part, way, place, lens, half, side, rays)
