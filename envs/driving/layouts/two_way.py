"""Two ways: overtake against oncoming traffic (`highway_env/envs/two_way_env.py`)."""

from __future__ import annotations

from visnav.envs.driving.roads import Network, straight
from visnav.envs.driving.world import CONTINUOUS_LINE, LANE_WIDTH, NO_LINE, STRIPED

LENGTH = 800.0  # m


def two_way_network() -> Network:
    """Two lanes to the right; the left of them is also the lane of those who come the other way."""
    network = Network()
    network.add("a", "b", straight((0, 0), (LENGTH, 0), (CONTINUOUS_LINE, STRIPED)))
    network.add("a", "b", straight((0, LANE_WIDTH), (LENGTH, LANE_WIDTH), (NO_LINE, CONTINUOUS_LINE)))
    network.add("b", "a", straight((LENGTH, 0), (0, 0), (NO_LINE, NO_LINE)))
    return network
