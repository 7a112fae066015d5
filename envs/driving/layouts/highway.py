"""highway-v0 and highway-fast-v0: a straight road with several lanes (`highway_env/envs/highway_env.py`)."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.checks import check_flag, check_range, check_real, check_whole
from visnav.envs.driving.config import IDM_VEHICLE, changed, traffic_kind
from visnav.envs.driving.lanes import local_coordinates
from visnav.envs.driving.roads import Network, straight
from visnav.envs.driving.spawning import put_on_lane, randomize
from visnav.envs.driving.world import (
    COLLISION,
    CONTINUOUS_LINE,
    EGO_META,
    HIGH_SPEED,
    LANE_WIDTH,
    NO_LINE,
    ON_ROAD,
    RIGHT_LANE,
    STRIPED,
    TERMS,
    Task,
)

EGO_SPEED = 25.0  # m/s


def add_straight_road(
    network: Network, nodes: tuple[str, str], lanes: int, start: float = 0.0, length: float = 10_000.0,
    speed_limit: float = 30.0,
) -> None:  # fmt: skip
    """Lanes side by side along x (RoadNetwork.straight_road_network)."""
    for k in range(lanes):
        y = LANE_WIDTH * k
        lines = CONTINUOUS_LINE if k == 0 else STRIPED, CONTINUOUS_LINE if k == lanes - 1 else NO_LINE
        network.add(*nodes, straight((start, y), (start + length, y), lines, speed_limit=speed_limit))


@jit
def _place_behind(i, v, lane, speed, spacing, behaviour, world, roads):  # type: ignore[no-untyped-def]
    """Put vehicle v ahead of all others, by `spacing` of what its speed and the number of lanes ask for.

    Vehicle.create_random of `highway_env/vehicle/kinematics.py`.
    """
    r = world.road[i]
    offset = spacing * (12 + speed) * math.exp(-5 / 40 * roads.num_lanes[r])
    along = 3 * offset if v == 0 else -math.inf
    for o in range(v):
        there = local_coordinates(r, lane, roads, world.vehicles.x[i, o], world.vehicles.y[i, o])[0]
        if there > along:
            along = there
    along += offset * random_stream.uniform(world.rng[i], 0.9, 1.1)
    put_on_lane(i, v, lane, along, speed, behaviour, world, roads)


def spawn(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego, then traffic ahead of it; the draws are those of the original, one by one.

    Args:
        args: ego's lane (-1: any), ego's spacing, traffic's density, 1 where traffic checks its own collisions,
            traffic's behaviour.
    """
    r = world.road[i]
    lanes = roads.num_lanes[r]
    lane = np.int64(args[0])
    if lane < 0:
        lane = random_stream.integers(world.rng[i], 0, lanes)
    _place_behind(i, 0, lane, EGO_SPEED, args[1], EGO_META, world, roads)
    for v in range(1, world.vehicles.shape[1]):
        lane = random_stream.integers(world.rng[i], 0, lanes)
        limit = roads.lanes.speed_limit[r, lane]
        speed = random_stream.uniform(world.rng[i], 0.7 * limit, 0.8 * limit)
        _place_behind(i, v, lane, speed, 1 / args[2], np.int64(args[4]), world, roads)
        randomize(i, v, world)
        world.vehicles.check_collisions[i, v] = args[3] != 0


def highway(
    lanes_count: int = 4,
    vehicles_count: int = 50,
    initial_lane_id: int | None = None,
    ego_spacing: float = 2.0,
    vehicles_density: float = 1.0,
    collision_reward: float = -1.0,
    right_lane_reward: float = 0.1,
    high_speed_reward: float = 0.4,
    reward_speed_range: tuple[float, float] = (20.0, 30.0),
    normalize_reward: bool = True,
    offroad_terminal: bool = False,
    ego_only_collisions: bool = False,
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """Drive fast, on the right, past slower traffic.

    Args:
        lanes_count: side by side.
        vehicles_count: of traffic.
        initial_lane_id: ego's lane, 0 the leftmost; None for any.
        ego_spacing, vehicles_density: how far ego and traffic are spread.
        collision_reward, right_lane_reward, high_speed_reward: weights.
        reward_speed_range: m/s that earn none and all of high_speed_reward.
        normalize_reward: whether worst and best reward are 0 and 1.
        offroad_terminal: whether leaving the road ends the episode.
        ego_only_collisions: whether traffic drives through traffic.
        other_vehicles_type: class of traffic, see `visnav.envs.driving.config.TRAFFIC`.
    """
    check_whole("lanes_count", lanes_count, 1, 32)
    check_whole("vehicles_count", vehicles_count, 0, 1000)
    if initial_lane_id is not None:
        check_whole("initial_lane_id", initial_lane_id, 0, lanes_count - 1)
    for name, value in {"vehicles_density": vehicles_density, "ego_spacing": ego_spacing}.items():
        check_real(name, value, above=0)
    weights = {COLLISION: collision_reward, RIGHT_LANE: right_lane_reward, HIGH_SPEED: high_speed_reward, ON_ROAD: 0.0}

    def layout(number: int) -> Network:
        network = Network()
        add_straight_road(network, ("0", "1"), lanes_count)
        return network

    return Task(
        layout=layout,
        spawn=spawn,
        max_vehicles=1 + vehicles_count,
        args=(
            -1 if initial_lane_id is None else initial_lane_id, ego_spacing, vehicles_density, not ego_only_collisions,
            traffic_kind(other_vehicles_type),
        ),
        duration=40.0,
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        reward_speed_range=check_range("reward_speed_range", reward_speed_range),
        reward_range=(collision_reward, high_speed_reward + right_lane_reward)
        if check_flag("normalize_reward", normalize_reward)
        else None,
        off_road_reward=0.0,
        end_offroad=check_flag("offroad_terminal", offroad_terminal),
        lanes=lanes_count,
    )  # fmt: skip


# `highway` with less of everything
highway_fast = changed(
    partial(highway, lanes_count=3, vehicles_count=20, ego_spacing=1.5, ego_only_collisions=True),
    duration=30.0,
    simulation_frequency=5,
)
