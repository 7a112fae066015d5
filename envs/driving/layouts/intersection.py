"""Intersection: cross traffic that has the right of way (`highway_env/envs/intersection_env.py`)."""

from __future__ import annotations

from functools import partial

import numpy as np

from visnav.envs.driving.roads import Network, circular, straight
from visnav.envs.driving.world import CONTINUOUS, LANE_WIDTH, NO_LINE, STRIPED

ACCESS = 100.0  # m, of each arm


def intersection_network() -> Network:
    """Four arms of one lane a way; nodes are o(uter) and i(nner), r(ight: in) and l(eft: out), 0 south to 3 east.

    Priorities: 3 straight on and right on the horizontal road, 2 left from it; 1 and 0 on the vertical road.
    """
    right = LANE_WIDTH + 5  # m, radius of a right turn
    left = right + LANE_WIDTH
    outer = right + LANE_WIDTH / 2  # m from the middle to where the arms begin
    half = LANE_WIDTH / 2
    network = Network()
    for corner in range(4):
        angle = np.pi / 2 * corner
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        priority = 3 if corner % 2 else 1
        line = partial(straight, priority=priority, speed_limit=10.0)
        entry, ahead = f"ir{corner}", f"il{(corner + 2) % 4}"
        to_right, to_left = f"il{(corner - 1) % 4}", f"il{(corner + 1) % 4}"
        begin, cross = rotation @ (half, outer), rotation @ (half, -outer)
        network.add(f"o{corner}", entry, line(rotation @ (half, ACCESS + outer), begin, (STRIPED, CONTINUOUS)))
        arc = circular(
            rotation @ (outer, outer), right, angle + np.pi, angle + 1.5 * np.pi,
            lines=(NO_LINE, CONTINUOUS), priority=priority, speed_limit=10.0,
        )  # fmt: skip
        network.add(entry, to_right, arc)
        arc = circular(
            rotation @ (half - left, left - half), left, angle, angle - np.pi / 2, clockwise=False,
            lines=(NO_LINE, NO_LINE), priority=priority - 1, speed_limit=10.0,
        )  # fmt: skip
        network.add(entry, to_left, arc)
        network.add(entry, ahead, line(begin, cross, (STRIPED, NO_LINE)))
        leave = line(rotation @ (outer, half), rotation @ (ACCESS + outer, half), (NO_LINE, CONTINUOUS), arrival=True)
        network.add(to_right, f"o{(corner - 1) % 4}", leave)
    return network
