"""U-turn: two lanes that turn back, with slow traffic in them (`highway_env/envs/u_turn_env.py`)."""

from __future__ import annotations

import numpy as np

from visnav.envs.driving.roads import Network, circular, straight
from visnav.envs.driving.world import CONTINUOUS, CONTINUOUS_LINE, LANE_WIDTH, NO_LINE, STRIPED

LENGTH, RADIUS = 128.0, 20.0  # m: of the straights, of the inner lane's turn


def u_turn_network() -> Network:
    """128 m to the right, half a turn anticlockwise, and 128 m back."""
    network = Network()
    middle = LANE_WIDTH + RADIUS
    edges = (CONTINUOUS_LINE, STRIPED), (NO_LINE, CONTINUOUS_LINE)
    for k in range(2):
        y = middle - RADIUS - LANE_WIDTH * k
        network.add("c", "d", straight((LENGTH, y), (0, y), edges[k]))
    for k, lines in enumerate(((CONTINUOUS, STRIPED), (NO_LINE, CONTINUOUS))):
        half = circular((LENGTH, middle), RADIUS + LANE_WIDTH * k, np.pi / 2, -np.pi / 2, clockwise=False, lines=lines)
        network.add("b", "c", half)
    for k in range(2):
        y = middle + RADIUS + LANE_WIDTH * k
        network.add("a", "b", straight((0, y), (LENGTH, y), edges[k]))
    return network
