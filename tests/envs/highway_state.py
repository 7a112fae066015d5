"""What differs between an environment of highway-env and a row of a driving simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.vehicle.objects import Landmark, Obstacle

from visnav.envs.driving.simulation import DrivingSimulation


def differences(env: Any, simulation: DrivingSimulation, i: int, things: dict[int, Any]) -> dict[str, float]:
    """Largest distances in m, rad and m/s, and numbers of vehicles, between an unwrapped original and row i.

    `things` is what `from_highway_env` returned: the original's vehicles by place. Those that the original has drawn
    since then are in no place of ours, those that have left are in none of either.
    """
    lanes = {index: k for k, index in enumerate(env.road.network.lanes_dict())}
    row = simulation.world.vehicles[i]
    on_road = {id(thing) for thing in [*env.road.vehicles, *env.road.objects]}
    pairs = [(row[v], it) for v, it in things.items() if id(it) in on_road and not isinstance(it, (Obstacle, Landmark))]
    return {
        "present": sum(row[v].present != (v in things and id(things[v]) in on_road) for v in range(len(row))),
        "position": max(np.hypot(our.x - it.position[0], our.y - it.position[1]) for our, it in pairs),
        "heading": max(abs(our.heading - it.heading) for our, it in pairs),
        "speed": max(abs(our.speed - it.speed) for our, it in pairs),
        "lane": sum(our.lane != lanes[it.lane_index] for our, it in pairs),
        "target_lane": sum(
            our.target_lane != lanes[it.target_lane_index] for our, it in pairs if hasattr(it, "target_lane_index")
        ),
        "target_speed": max(abs(our.target_speed - getattr(it, "target_speed", our.target_speed)) for our, it in pairs),
        "crashed": sum(our.crashed != it.crashed for our, it in pairs),
    }
