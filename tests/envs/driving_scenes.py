"""Driving scenes for tests of what cameras show: every kind of lane, and vehicles wherever a test puts them."""

from __future__ import annotations

import numpy as np

from visnav.envs.driving.roads import Network, circular, make_roads, polyline, sine, straight
from visnav.envs.driving.world import (
    CONTINUOUS,
    CONTINUOUS_LINE,
    IDM,
    NO_LINE,
    STRIPED,
    Roads,
    World,
    make_world,
)


def highway(lanes: int = 4, length: float = 2000) -> Network:
    """A straight road along x, lane k at y = 4 k."""
    network = Network()
    for k in range(lanes):
        lines = CONTINUOUS_LINE if k == 0 else STRIPED, CONTINUOUS_LINE if k == lanes - 1 else NO_LINE
        network.add("a", "b", straight((0, 4 * k), (length, 4 * k), lines))
    return network


def park() -> Network:
    """A ring road of two lanes, a slanted straight, a sine and a polyline, apart from one another."""
    network = Network()
    for radius, lines in ((20, (CONTINUOUS, STRIPED)), (24, (NO_LINE, CONTINUOUS))):
        for quarter in range(4):
            start, end = (quarter + 1) * np.pi / 2, quarter * np.pi / 2
            network.add(f"{quarter + 1}", f"{quarter}", circular((0, 0), radius, start, end, False, lines))
    network.add("a", "b", straight((40, 0), (150, -20), (STRIPED, CONTINUOUS)))
    network.add("c", "d", sine((24, -60), (150, -60), 3.25, 2 * np.pi / 80, 0.0, (CONTINUOUS, CONTINUOUS)))
    along = np.linspace(0, 1, 60)
    bends = np.stack([20 + 120 * along, 60 + 20 * np.sin(5 * along)], axis=1)
    network.add("e", "f", polyline(bends, (CONTINUOUS, STRIPED)))
    return network


def bank() -> Roads:
    """Road 0 is the highway, road 1 the park."""
    return make_roads([highway(), park()])


def traffic(num_envs: int, vehicles: int, seed: int = 0, heading_spread: float = 0.05) -> World:
    """Cars at random places of the highway, not on top of one another."""
    rng = np.random.default_rng(seed)
    world = make_world(num_envs, vehicles, 1)
    for i in range(num_envs):
        slots = rng.choice(40, vehicles, replace=False)
        world.vehicles.x[i] = 400 + 8.0 * (slots // 4) + rng.uniform(-1, 1, vehicles)
        world.vehicles.y[i] = 4.0 * (slots % 4)
    world.vehicles.heading[...] = rng.normal(0, heading_spread, world.vehicles.x.shape)
    world.vehicles.length[...], world.vehicles.width[...] = 5.0, 2.0
    world.vehicles.present[...] = True
    world.vehicles.behaviour[...] = IDM
    return world


def position(roads: Roads, r: int, k: int, s: np.ndarray, lateral: float) -> np.ndarray:
    """(M, 2) points of lane k of road r, from the definitions of `highway_env/road/lane.py`; no polylines."""
    if roads.lanes.radius[r, k] > 1:
        angle = roads.lanes.turn[r, k] * s / roads.lanes.radius[r, k] + roads.lanes.phase[r, k]
        radius = roads.lanes.radius[r, k] - lateral * roads.lanes.turn[r, k]
        return np.stack(
            [roads.lanes.x[r, k] + radius * np.cos(angle), roads.lanes.y[r, k] + radius * np.sin(angle)], axis=1
        )
    aside = lateral + roads.lanes.amplitude[r, k] * np.sin(roads.lanes.pulsation[r, k] * s + roads.lanes.phase[r, k])
    cos, sin = roads.lanes.cos[r, k], roads.lanes.sin[r, k]
    return np.stack([roads.lanes.x[r, k] + s * cos - aside * sin, roads.lanes.y[r, k] + s * sin + aside * cos], axis=1)
