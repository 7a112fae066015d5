"""Roundabouts: four arms into a ring (`highway_env/envs/roundabout_env.py`)."""

from __future__ import annotations

import numpy as np

from visnav.envs.driving.roads import Network, circular, sine, straight
from visnav.envs.driving.world import CONTINUOUS, LANE_WIDTH, NO_LINE, STRIPED

ALPHA = 24  # degrees between an arm's axis and where its lanes meet the ring
ARMS = ("s", "e", "n", "w")  # in the order in which the ring meets them, from the south on
MERGING = (CONTINUOUS, CONTINUOUS)


def _turned(x: float, y: float, quarters: int) -> tuple[float, float]:
    """A point after that many quarter turns anticlockwise on the map, about the ring's middle."""
    for _ in range(quarters):
        x, y = y, -x
    return x, y


def _add_ring(network: Network, radius: float, lanes: int) -> None:
    """The ring, eight segments from node to node: (entry of an arm, exit of the next), (exit, entry) and so on."""
    nodes = ("se", "ex", "ee", "nx", "ne", "wx", "we", "sx", "se")
    for lane in range(lanes):
        lines = (CONTINUOUS if lane == 0 else NO_LINE, CONTINUOUS if lane == lanes - 1 else STRIPED)
        for k in range(8):  # anticlockwise; the last two are counted on from 180 degrees
            start = 90 - ALPHA - 90 * (k // 2) - (k % 2) * (90 - 2 * ALPHA) + (360 if k >= 6 else 0)
            end = start - (2 * ALPHA if k % 2 else 90 - 2 * ALPHA)
            phases = np.deg2rad(start), np.deg2rad(end)
            arc = circular((0, 0), radius + LANE_WIDTH * lane, *phases, clockwise=False, lines=lines)
            network.add(nodes[k], nodes[k + 1], arc)


def roundabout_network() -> Network:
    """The ring of 20 m and two lanes, with arms of 170 m."""
    network = Network()
    _add_ring(network, radius=20, lanes=2)
    access, far, amplitude = 170.0, 85 / 2, 5.0  # m: an arm's length, where its curved lanes begin, their sway
    pulsation = 2 * np.pi / 85
    entry, leaving = 0.2 * 85, 0.8 * 85  # m, along the curved lanes
    for quarters, arm in enumerate(ARMS):

        def at(x: float, y: float, quarters: int = quarters) -> tuple[float, float]:
            return _turned(x, y, quarters)

        x = 2 + amplitude
        into = straight(at(2, access), at(2, far), (STRIPED, CONTINUOUS))
        network.add(f"{arm}er", f"{arm}es", into)
        curve = sine(at(x, far), at(x, far - entry), amplitude, pulsation, -np.pi / 2, MERGING)
        network.add(f"{arm}es", f"{arm}e", curve)
        phase = -np.pi / 2 + pulsation * leaving
        curve = sine(at(-x, leaving - far), at(-x, far), amplitude, pulsation, phase, MERGING)
        network.add(f"{arm}x", f"{arm}xs", curve)
        network.add(f"{arm}xs", f"{arm}xr", straight(at(-2, far), at(-2, access), (NO_LINE, CONTINUOUS)))
    return network


def roundabout_generic_network(radius: float, lanes: int) -> Network:
    """A ring of that inner radius (m) and number of lanes, whose arms end where its outermost lane passes."""
    network = Network()
    _add_ring(network, radius, lanes)
    outer = radius + LANE_WIDTH * (lanes - 1)
    far = max(100.0, 2 * outer + 40.0) / 2
    access = 2 * far + 40.0
    meets_x, meets_y = outer * np.sin(np.deg2rad(ALPHA)), outer * np.cos(np.deg2rad(ALPHA))  # right of the south arm
    amplitude, pulsation = (meets_x - 2) / 2, np.pi / (far - meets_y)
    for quarters, arm in enumerate(ARMS):

        def at(x: float, y: float, quarters: int = quarters) -> tuple[float, float]:
            return _turned(x, y, quarters)

        x = 2 + amplitude
        network.add(f"{arm}er", f"{arm}es", straight(at(2, access), at(2, far), (STRIPED, CONTINUOUS)))
        curve = sine(at(x, far), at(x, meets_y), amplitude, pulsation, -np.pi / 2, MERGING)
        network.add(f"{arm}es", f"{arm}e", curve)
        curve = sine(at(-x, meets_y), at(-x, far), -amplitude, pulsation, -np.pi / 2, MERGING)
        network.add(f"{arm}x", f"{arm}xs", curve)
        network.add(f"{arm}xs", f"{arm}xr", straight(at(-2, far), at(-2, access), (NO_LINE, CONTINUOUS)))
    return network
