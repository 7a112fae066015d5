"""Parking: into a given spot, facing the right way (`highway_env/envs/parking_env.py`)."""

from __future__ import annotations

from visnav.envs.driving.roads import Network, straight
from visnav.envs.driving.world import CONTINUOUS, LANE_WIDTH

SPOTS = 14  # in each of the two rows
ROW, SPOT = 10.0, 8.0  # m: from the middle to a row, and the length of a spot


def parking_network() -> Network:
    """Two rows of spots, below and above an aisle; those of the upper row are driven into upwards."""
    network = Network()
    lines = CONTINUOUS, CONTINUOUS
    for k in range(SPOTS):
        x = (k + 1 - SPOTS // 2) * LANE_WIDTH - LANE_WIDTH / 2
        network.add("a", "b", straight((x, ROW), (x, ROW + SPOT), lines))
        network.add("b", "c", straight((x, -ROW), (x, -ROW - SPOT), lines))
    return network
