"""Two ways: overtake against oncoming traffic (`highway_env/envs/two_way_env.py`)."""

from __future__ import annotations

import numpy as np

from visnav.envs.checks import check_real
from visnav.envs.driving.config import IDM_VEHICLE, traffic_kind
from visnav.envs.driving.roads import Network, straight
from visnav.envs.driving.spawning import put_on_lane
from visnav.envs.driving.world import (
    CONTINUOUS_LINE,
    EGO_META,
    LANE_WIDTH,
    LEFT_LANE,
    NO_LINE,
    SPEED_INDEX,
    STRIPED,
    TERMS,
    Task,
)
from visnav.envs.rng import normal

LENGTH = 800.0  # m
RIGHT, ONCOMING = 1, 2  # lanes, by number; 0 is the left one


def two_way_network() -> Network:
    """Two lanes to the right; the left of them is also the lane of those who come the other way."""
    network = Network()
    network.add("a", "b", straight((0, 0), (LENGTH, 0), (CONTINUOUS_LINE, STRIPED)))
    network.add("a", "b", straight((0, LANE_WIDTH), (LENGTH, LANE_WIDTH), (NO_LINE, CONTINUOUS_LINE)))
    network.add("b", "a", straight((LENGTH, 0), (0, 0), (NO_LINE, NO_LINE)))
    return network


def two_way(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego is in the right lane with 30 m/s; three vehicles are ahead in it, two come the other way in the left one.

    args: traffic's behaviour.
    """
    rng = world.rng[i]
    put_on_lane(i, 0, RIGHT, 30.0, 30.0, EGO_META, world, roads)
    for v in range(1, 6):
        if v <= 3:
            along, speed = 30.0 + 40.0 * v + 10.0 * normal(rng), 24.0 + 2.0 * normal(rng)
        else:
            along, speed = -200.0 + 100.0 * v + 10.0 * normal(rng), 20.0 + 5.0 * normal(rng)
        lane = RIGHT if v <= 3 else ONCOMING
        put_on_lane(i, v, lane, along, speed, np.int64(args[0]), world, roads)
        world.vehicles.lane_changes[i, v] = False
        if v > 3:
            world.vehicles.target_lane[i, v] = ONCOMING


def two_way_task(
    left_lane_reward: float = 0.2, high_speed_reward: float = 0.8, other_vehicles_type: str = IDM_VEHICLE
) -> Task:
    """highway-env's TwoWayEnv, which is registered to last 15 steps of 1 s."""
    weights = {LEFT_LANE: left_lane_reward, SPEED_INDEX: high_speed_reward}
    return Task(
        layout=lambda k: two_way_network(),
        spawn=two_way,
        max_vehicles=6,
        args=(traffic_kind(other_vehicles_type),),
        max_steps=15,
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        lanes=2,
    )
