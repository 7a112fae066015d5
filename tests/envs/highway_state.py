"""What differs between an environment of highway-env and a row of a driving simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.vehicle.objects import Landmark, Obstacle

from visnav.envs.driving.simulation import DrivingSimulation


def differences(env: Any, simulation: DrivingSimulation, i: int) -> dict[str, float]:
    """Largest distances in m, rad and m/s, and numbers of vehicles, between an unwrapped original and row i."""
    lanes = {index: k for k, index in enumerate(env.road.network.lanes_dict())}
    things = [env.vehicle, *(v for v in env.road.vehicles if v is not env.vehicle)]
    row = simulation.world.vehicles[i]
    pairs = [(row[v], it) for v, it in enumerate(things) if not isinstance(it, (Obstacle, Landmark))]
    return {
        "position": max(np.hypot(our.x - it.position[0], our.y - it.position[1]) for our, it in pairs),
        "heading": max(abs(our.heading - it.heading) for our, it in pairs),
        "speed": max(abs(our.speed - it.speed) for our, it in pairs),
        "lane": sum(our.lane != lanes[it.lane_index] for our, it in pairs),
        "target_lane": sum(
            our.target_lane != lanes[it.target_lane_index] for our, it in pairs if hasattr(it, "target_lane_index")
        ),
        "crashed": sum(our.crashed != it.crashed for our, it in pairs),
    }
