"""Exit: leave a busy highway in time (`highway_env/envs/exit_env.py`)."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from visnav.envs.checks import check_flag, check_range, check_real, check_whole
from visnav.envs.driving.config import IDM_VEHICLE, traffic_kind
from visnav.envs.driving.roads import Network, circular, straight
from visnav.envs.driving.routes import plan_route
from visnav.envs.driving.spawning import put_on_lane
from visnav.envs.driving.world import (
    CLIPPED_SPEED,
    COLLISION,
    CONTINUOUS_LINE,
    EGO_META,
    EXIT,
    LANE_WIDTH,
    NO_LINE,
    STRIPED,
    TARGET_NUMBER,
    TERMS,
    Task,
)
from visnav.envs.rng import integers, uniform

RADIUS = 150.0  # m, of the exit
FEATURES = ("presence", "x", "y", "vx", "vy", "cos_h", "sin_h")
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


def exit(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego in the leftmost lane, and traffic one ahead of the other, the more lanes to the right the likelier there.

    args: vehicles; lanes; vehicles' spacing and ego's, in units of what their speed asks for; the end of the road;
    traffic's behaviour.
    """
    rng, r = world.rng[i], world.road[i]
    lanes = np.int64(args[1])
    closer = math.exp(-5 / 40 * lanes)
    gap = args[3] * (12.0 + 25.0) * closer
    along = 3 * gap + gap * uniform(rng, 0.9, 1.1)
    put_on_lane(i, 0, 0, along, 25.0, EGO_META, world, roads)
    for v in range(1, 1 + np.int64(args[0])):
        ticket, lane = integers(rng, 0, lanes * (lanes - 1) // 2), 1
        while ticket >= lane:  # lane k has k tickets
            ticket -= lane
            lane += 1
        speed = roads.lanes.speed_limit[r, lane]
        along += args[2] * (12.0 + speed) * closer * uniform(rng, 0.9, 1.1)
        put_on_lane(i, v, lane, along, speed, np.int64(args[5]), world, roads)
        plan_route(i, v, np.int64(args[4]), world, roads)
        world.vehicles.lane_changes[i, v] = False


def exit_task(
    lanes_count: int = 6,
    vehicles_count: int = 20,
    vehicles_density: float = 1.5,
    ego_spacing: float = 2.0,
    collision_reward: float = 0.0,
    goal_reward: float = 1.0,
    high_speed_reward: float = 0.1,
    right_lane_reward: float = 0.0,
    reward_speed_range: tuple[float, float] = (20.0, 30.0),
    normalize_reward: bool = True,
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """highway-env's ExitEnv."""
    check_whole("lanes_count", lanes_count, 2)
    check_whole("vehicles_count", vehicles_count, 0)
    check_real("vehicles_density", vehicles_density, above=0)
    check_real("ego_spacing", ego_spacing, above=0)
    weights = {
        COLLISION: collision_reward, EXIT: goal_reward, CLIPPED_SPEED: high_speed_reward,
        TARGET_NUMBER: right_lane_reward,
    }  # fmt: skip
    normalize = check_flag("normalize_reward", normalize_reward)
    end = exit_network(lanes_count).node_number("3")
    return Task(
        layout=lambda k: exit_network(lanes_count),
        spawn=exit,
        max_vehicles=1 + vehicles_count,
        args=(vehicles_count, lanes_count, 1 / vehicles_density, ego_spacing, end, traffic_kind(other_vehicles_type)),
        route_length=3,
        simulation_frequency=5,
        duration=18.0,
        target_speeds=(18.0, 24.0, 30.0),
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        reward_speed_range=check_range("reward_speed_range", reward_speed_range),
        reward_range=(collision_reward, goal_reward) if normalize else None,
        clip_reward=normalize,
        lanes=lanes_count,
        observation={"type": "ExitObservation", "vehicles_count": 15, "features": FEATURES, "clip": False},
    )
