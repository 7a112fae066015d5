"""Exit: leave a busy highway in time (`highway_env/envs/exit_env.py`)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from visnav.envs.driving.roads import Network, circular, straight
from visnav.envs.driving.world import CONTINUOUS_LINE, LANE_WIDTH, NO_LINE, STRIPED

RADIUS = 150.0  # m, of the exit
NODES = (("0", 0.0), ("1", 400.0), ("2", 500.0), ("3", 1000.0))  # and their m along the road


def exit_network(lanes: int) -> Network:
    """A highway that has one more lane from 400 m to 500 m, which then turns off to the right."""
    network = Network()
    for (start, x), (end, to_x) in pairwise(NODES):
        count = lanes + 1 if start == "1" else lanes
        for k in range(count):
            lines = (CONTINUOUS_LINE if k == 0 else STRIPED, CONTINUOUS_LINE if k == count - 1 else NO_LINE)
            y = LANE_WIDTH * k
            leaves = start == "1" and k == lanes
            lane = straight((x, y), (to_x, y), lines, speed_limit=26 - 3.4 * k, arrival=leaves)
            network.add(start, end, lane)
    center = NODES[2][1], lanes * LANE_WIDTH + RADIUS
    network.add("2", "exit", circular(center, RADIUS, 1.5 * np.pi, 2 * np.pi, forbidden=True, arrival=True))
    return network
