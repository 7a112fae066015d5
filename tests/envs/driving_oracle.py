"""What driving cameras must see, in float64 and by brute force: every pixel against every lane and every vehicle.

Solids, lanes and lenses are written down again here, from the sizes on their pages of constants; nothing else is shared
with the cameras.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driving_scenes import position
from numpy.typing import NDArray

from visnav.envs.driving import ground, solids
from visnav.envs.driving.lens import GRASS, KERB, MARKING, ROAD
from visnav.envs.driving.world import CONTINUOUS, CONTINUOUS_LINE, LANDMARK, POLYLINE, STRAIGHT, STRIPED, Roads, World
from visnav.envs.driving.world import OBSTACLE as IS_OBSTACLE

Floats = NDArray[np.float64]

GOAL_RIM = 0.3  # m, as in front.py
SPACING = 0.25  # m between the points of a lane that the nearest is sought among


class Camera(NamedTuple):
    """A front camera."""

    size: tuple[int, int]  # pixels: height, width
    field_of_view: float  # degrees, horizontal
    mount: tuple[float, float, float]  # m ahead, to the right, above the ground
    pitch: float  # degrees that it looks down

    @property
    def focal(self) -> float:
        """Pixels."""
        return self.size[1] / 2 / np.tan(np.radians(self.field_of_view) / 2)

    @property
    def options(self) -> dict[str, object]:
        """Keywords of `gym.make`."""
        return {
            "image_size": self.size,
            "field_of_view": self.field_of_view,
            "mount": self.mount,
            "pitch": self.pitch,
        }


def eye_of(camera: Camera, world: World, i: int) -> tuple[Floats, Floats, Floats]:
    """Of world i: the eye (x, y, up), and unit vectors ahead and right on the map."""
    heading = world.vehicles.heading[i, 0]
    ahead, right = np.array([np.cos(heading), np.sin(heading)]), np.array([-np.sin(heading), np.cos(heading)])
    on_map = [world.vehicles.x[i, 0], world.vehicles.y[i, 0]] + camera.mount[0] * ahead + camera.mount[1] * right
    return np.array([*on_map, camera.mount[2]]), ahead, right


def project(camera: Camera, world: World, i: int, points: Floats) -> Floats:
    """(M, 3) column, row and depth of points (M, 3) x, y, height: the pinhole camera, written down once more."""
    eye, ahead, right = eye_of(camera, world, i)
    tilt = np.radians(camera.pitch)
    flat, up = points[:, :2] - eye[:2], points[:, 2] - eye[2]
    forward = flat @ ahead
    depth = forward * np.cos(tilt) - up * np.sin(tilt)
    down = -forward * np.sin(tilt) - up * np.cos(tilt)
    height, width = camera.size
    return np.stack(
        [width / 2 + camera.focal * flat @ right / depth, height / 2 + camera.focal * down / depth, depth], axis=1
    )


def rays_of(camera: Camera, world: World, i: int) -> tuple[Floats, Floats]:
    """The eye, and (H, W, 3) the way of each pixel's ray per metre of depth; x, y, up."""
    height, width = camera.size
    u, v = np.meshgrid(
        (np.arange(width) + 0.5 - width / 2) / camera.focal, (np.arange(height) + 0.5 - height / 2) / camera.focal
    )
    eye, ahead, right = eye_of(camera, world, i)
    tilt = np.radians(camera.pitch)
    forward, up = np.cos(tilt) - v * np.sin(tilt), -np.sin(tilt) - v * np.cos(tilt)
    on_map = forward[..., None] * ahead + u[..., None] * right
    return eye, np.concatenate([on_map, up[..., None]], axis=2)


# --- vehicles ---------------------------------------------------------------------------------------------------


def half_spaces(length: float, width: float, is_obstacle: bool) -> list[list[tuple[Floats, float]]]:
    """Body and cabin of a car, or an obstacle, as half-spaces n·p <= d on its axes (ahead, right, up)."""
    half, side = length / 2, width / 2
    top, roof = float(solids.OBSTACLE_TOP if is_obstacle else solids.BODY_TOP), float(solids.CABIN_TOP)
    body = [
        ([1, 0, 0], half), ([-1, 0, 0], half), ([0, 1, 0], side), ([0, -1, 0], side), ([0, 0, -1], 0), ([0, 0, 1], top),
    ]  # fmt: skip
    front_slope, back_slope, side_slope = (float(s) for s in (solids.FRONT_SLOPE, solids.BACK_SLOPE, solids.SIDE_SLOPE))
    wall = float(solids.CABIN_SIDE) * side + side_slope * top
    cabin = [
        ([1, 0, front_slope], float(solids.CABIN_FRONT) * half + front_slope * top),
        ([-1, 0, back_slope], -float(solids.CABIN_BACK) * half + back_slope * top),
        ([0, 1, side_slope], wall), ([0, -1, side_slope], wall), ([0, 0, 1], roof), ([0, 0, -1], -top),
    ]  # fmt: skip
    return [[(np.array(n, float), d) for n, d in solid] for solid in ((body,) if is_obstacle else (body, cabin))]


def cast(camera: Camera, world: World, i: int) -> tuple[Floats, NDArray[np.int64]]:
    """(H, W) depth and instance of what stands in world i, ego apart; infinity and 0 where only ground and sky are."""
    eye, ray = rays_of(camera, world, i)
    depth, instance = np.full(camera.size, np.inf), np.zeros(camera.size, np.int64)
    vehicles = world.vehicles
    for flat in (True, False):  # goals lie under all others
        for v in range(1, vehicles.x.shape[1]):
            if not vehicles.present[i, v] or (vehicles.behaviour[i, v] == LANDMARK) != flat:
                continue
            cos, sin = np.cos(vehicles.heading[i, v]), np.sin(vehicles.heading[i, v])
            axes = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
            start = axes @ (eye - [vehicles.x[i, v], vehicles.y[i, v], 0])
            way = ray @ axes.T
            with np.errstate(divide="ignore", invalid="ignore"):
                if flat:
                    at = -start[2] / way[..., 2]
                    beside = np.stack([vehicles.length[i, v], vehicles.width[i, v]]) / 2 - abs(
                        (start + at[..., None] * way)[..., :2]
                    )
                    met = (way[..., 2] < 0) & (beside.min(axis=-1) > 0) & (beside.min(axis=-1) < GOAL_RIM) & (at > 0.1)
                    depth, instance = np.where(met, at, depth), np.where(met, v + 1, instance)
                    continue
                is_obstacle = vehicles.behaviour[i, v] == IS_OBSTACLE
                for solid in half_spaces(vehicles.length[i, v], vehicles.width[i, v], is_obstacle):
                    enter, leave = np.zeros(camera.size), np.full(camera.size, np.inf)
                    for normal, distance in solid:
                        outwards, outside = way @ normal, start @ normal - distance
                        at = -outside / outwards
                        enter = np.where(outwards < 0, np.maximum(enter, at), enter)
                        leave = np.where(outwards > 0, np.minimum(leave, at), leave)
                    met = (enter < leave) & (enter > 0.1) & (enter < depth)
                    depth, instance = np.where(met, enter, depth), np.where(met, v + 1, instance)
    return depth, instance


def rectangles(world: World, i: int, x: Floats, y: Floats) -> NDArray[np.int64]:
    """Which place of world i's row covers each point of the map, + 1: goals under all others, ego over all; else 0."""
    instance = np.zeros(x.shape, np.int64)
    vehicles = world.vehicles
    places = [v for v in range(vehicles.x.shape[1] - 1, -1, -1) if vehicles.present[i, v]]
    for v in sorted(places, key=lambda v: vehicles.behaviour[i, v] != LANDMARK):
        cos, sin = np.cos(vehicles.heading[i, v]), np.sin(vehicles.heading[i, v])
        dx, dy = x - vehicles.x[i, v], y - vehicles.y[i, v]
        ahead, aside = abs(dx * cos + dy * sin), abs(dy * cos - dx * sin)
        instance[(ahead <= vehicles.length[i, v] / 2) & (aside <= vehicles.width[i, v] / 2)] = v + 1
    return instance


# --- the ground -------------------------------------------------------------------------------------------------


def _samples(roads: Roads, r: int, k: int) -> tuple[Floats, Floats, Floats]:
    """Of lane k of road r: s (M,), points (M, 2), unit tangents (M, 2)."""
    length = float(roads.lanes.length[r, k])
    s = np.linspace(0, length, max(2, int(length / SPACING) + 1))
    if roads.lanes.kind[r, k] == POLYLINE:
        first, count = int(roads.lanes.first_point[r, k]), int(roads.lanes.num_points[r, k])
        known = roads.points[r, first : first + count]
        points = np.stack([np.interp(s, np.arange(count), known[:, axis]) for axis in (0, 1)], axis=1)
        beyond = np.maximum(s - (count - 1), 0)[:, None]
        points += beyond * known[-1, 2:]
    else:
        points = position(roads, r, k, s, 0.0)
    tangents = np.gradient(points, axis=0)
    return s, points, tangents / np.linalg.norm(tangents, axis=1)[:, None]


def ground_at(roads: Roads, r: int, paved: object, points: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The class of points (M, 2) on the map, and how many metres each is from the nearest border between classes."""
    outside, off_line = np.full(len(points), np.inf), np.full(len(points), np.inf)
    low, high = points.min(axis=0) - 10, points.max(axis=0) + 10
    for x0, y0, x1, y1 in np.asarray(paved, float).reshape(-1, 4):
        beside = np.maximum(
            np.maximum(x0 - points[:, 0], points[:, 0] - x1), np.maximum(y0 - points[:, 1], points[:, 1] - y1)
        )
        outside = np.minimum(outside, beside + ground.SHOULDER)
    for k in range(int(roads.num_lanes[r])):
        s, path, tangents = _samples(roads, r, k)
        near = ((path > low) & (path < high)).all(axis=1)
        if not near.any():
            continue
        s, path, tangents = s[near], path[near], tangents[near]
        nearest = np.empty(len(points), np.int64)
        for part in range(0, len(points), 2000):
            offsets = points[part : part + 2000, None] - path[None]
            nearest[part : part + 2000] = (offsets**2).sum(axis=2).argmin(axis=1)
        offset, tangent = points - path[nearest], tangents[nearest]
        along = s[nearest] + (offset * tangent).sum(axis=1)
        across = tangent[:, 0] * offset[:, 1] - tangent[:, 1] * offset[:, 0]
        length, half = float(roads.lanes.length[r, k]), float(roads.lanes.width[r, k]) / 2
        beyond = np.maximum(-along, along - length)
        outside = np.minimum(outside, np.maximum(abs(across) - half, beyond))
        phase = 0.0
        if roads.lanes.kind[r, k] == STRAIGHT:  # stripes of straight lanes stand on one grid
            start = position(roads, r, k, np.zeros(1), 0.0)[0]
            phase = -start @ [roads.lanes.cos[r, k], roads.lanes.sin[r, k]]
        for line, side in ((roads.lanes.left_line[r, k], -half), (roads.lanes.right_line[r, k], half)):
            if line in (CONTINUOUS, CONTINUOUS_LINE):
                gap = beyond
            elif line == STRIPED:
                into = (along - phase) % ground.PERIOD
                gap = np.maximum(-into, into - ground.STRIPE)
                gap = np.maximum(beyond, np.minimum(gap, ground.PERIOD - into))
            else:
                continue
            off_line = np.minimum(off_line, np.maximum(gap, abs(across - side) - ground.LINE_WIDTH / 2))
    edges = ground.SHOULDER, ground.SHOULDER + ground.KERB
    label = np.where(outside < edges[0], ROAD, np.where(outside < edges[1], KERB, GRASS))
    label = np.where(off_line < 0, MARKING, label)
    clear = np.minimum(abs(outside - edges[0]), abs(outside - edges[1]))
    clear = np.minimum(clear, abs(off_line))
    return label, clear
