"""merge-v0 and merge-generic-v0: a ramp that joins a highway (`highway_env/envs/merge_env.py`)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.checks import check_range, check_real, check_whole
from visnav.envs.driving.config import IDM_VEHICLE, traffic_kind
from visnav.envs.driving.layouts.highway import add_straight_road
from visnav.envs.driving.roads import Network, sine, straight
from visnav.envs.driving.spawning import put_on_lane
from visnav.envs.driving.world import (
    COLLISION,
    CONTINUOUS_LINE,
    EGO_META,
    LANE_CHANGE,
    LANE_NUMBER,
    LANE_WIDTH,
    MERGING_SPEED,
    NO_LINE,
    OBSTACLE,
    SPEED,
    STRIPED,
    TERMS,
    Task,
)

AMPLITUDE = 3.25  # m, of the ramp's sine
MERGING_SPEED_AT_START, MERGING_TARGET = 20.0, 30.0  # m/s
MERGING_NUMBER = 2  # of the lane on which speed counts as merging speed, whatever the number of lanes
TRIES = 10  # places that are drawn for a vehicle
SAFE_DISTANCE = 15.0  # m between vehicles at the start
END_BEFORE = 90.0  # m before the road's end that the episode ends

CONTINUOUS, DASHED, NONE = CONTINUOUS_LINE, STRIPED, NO_LINE


def _ramp(network: Network, before: float, converge: float, parallel: float, y: float, line: int, limit: float) -> None:
    """A ramp at y, along the highway until `before`, then nearing it; `line` between both where they touch."""
    far, solid = y + 2 * AMPLITUDE, (CONTINUOUS, CONTINUOUS)
    rest = {"forbidden": True, "speed_limit": limit}
    network.add("j", "k", straight((0, far), (before, far), solid, **rest))
    middle, pulsation = y + AMPLITUDE, 2 * math.pi / (2 * converge)
    end = before + converge
    network.add("k", "b", sine((before, middle), (end, middle), AMPLITUDE, pulsation, math.pi / 2, solid, **rest))
    network.add("b", "c", straight((end, y), (end + parallel, y), (line, CONTINUOUS), **rest))
    lanes = network.graph["b"]["c"]
    if len(lanes) > MERGING_NUMBER:
        lanes[MERGING_NUMBER] = replace(lanes[MERGING_NUMBER], merging=True)


def _merge_road(number: int) -> Network:
    """merge-v0: two lanes and the ramp."""
    network, ends = Network(), (0.0, 230.0, 310.0, 460.0)
    sides = ((CONTINUOUS, DASHED), (NONE, CONTINUOUS))
    beside_ramp = ((CONTINUOUS, DASHED), (NONE, DASHED))
    for k in range(2):
        y = LANE_WIDTH * k
        network.add("a", "b", straight((ends[0], y), (ends[1], y), sides[k]))
        network.add("b", "c", straight((ends[1], y), (ends[2], y), beside_ramp[k]))
        network.add("c", "d", straight((ends[2], y), (ends[3], y), sides[k]))
    _ramp(network, 150.0, 80.0, 80.0, 2 * LANE_WIDTH, NONE, 20.0)
    return network


@jit
def _put_ramp(i, merging, along, world, roads, args):  # type: ignore[no-untyped-def]
    """The merging vehicle, `along` m from the start of the ramp, and the obstacle; args as those of `spawn`."""
    ramp, end, traffic = np.int64(args[0]), np.int64(args[1]), np.int64(args[2])
    put_on_lane(i, merging, ramp, along, MERGING_SPEED_AT_START, traffic, world, roads)
    world.vehicles.target_speed[i, merging] = MERGING_TARGET
    last = world.vehicles.shape[1] - 1
    put_on_lane(i, last, end, roads.lanes.length[world.road[i], end], 0.0, OBSTACLE, world, roads)


def spawn(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego on the right lane, three vehicles around it, one on the ramp; the draws are those of the original.

    Args:
        args: the ramp's lane, the lane that the obstacle ends, traffic's behaviour.
    """
    put_on_lane(i, 0, 1, 30.0, 30.0, EGO_META, world, roads)
    for v in range(1, 4):
        along, speed = (90.0, 29.0) if v == 1 else (70.0, 31.0) if v == 2 else (5.0, 31.5)
        lane = random_stream.integers(world.rng[i], 0, 2)
        along += random_stream.uniform(world.rng[i], -5.0, 5.0)
        speed += random_stream.uniform(world.rng[i], -1.0, 1.0)
        put_on_lane(i, v, lane, along, speed, np.int64(args[2]), world, roads)
    _put_ramp(i, 4, 110.0, world, roads, args)


def spawn_generic(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego on the rightmost lane, traffic anywhere with room around it, one on the ramp.

    Args:
        args: as those of `spawn`, then lanes, vehicles that are tried, m within which they are.
    """
    lanes = np.int64(args[3])
    put_on_lane(i, 0, lanes - 1, 30.0, 30.0, EGO_META, world, roads)
    v = 1
    for _ in range(np.int64(args[4])):
        for _ in range(TRIES):
            lane = random_stream.integers(world.rng[i], 0, lanes)
            along = random_stream.uniform(world.rng[i], 0.0, args[5])
            has_room = True
            for o in range(v):  # lanes of the first segment are parallel to x, from 0, with y = 4 m · number
                if (
                    abs(world.vehicles.y[i, o] - LANE_WIDTH * lane) < 1
                    and abs(world.vehicles.x[i, o] - along) <= SAFE_DISTANCE
                ):
                    has_room = False
            if has_room:
                speed = 30.0 + random_stream.uniform(world.rng[i], -2.0, 2.0)
                put_on_lane(i, v, lane, along, speed, np.int64(args[2]), world, roads)
                v += 1
                break
    _put_ramp(i, v, 60.0, world, roads, args)


def _task(layout, spawn_function, other_vehicles_type, args, max_vehicles, lanes, end_x, rewards) -> Task:  # type: ignore[no-untyped-def]
    """What both have in common."""
    collision, right_lane, high_speed, merging_speed, lane_change, speed_range = rewards
    weights = {
        COLLISION: collision,
        LANE_NUMBER: right_lane,
        SPEED: high_speed,
        LANE_CHANGE: lane_change,
        MERGING_SPEED: merging_speed,
    }
    network = layout(0)
    ends = network.lane_number("j", "k"), network.lane_number("b", "c", lanes)
    return Task(
        layout=layout,
        spawn=spawn_function,
        max_vehicles=max_vehicles,
        args=(*ends, traffic_kind(other_vehicles_type), *args),
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        reward_speed_range=check_range("reward_speed_range", speed_range),
        reward_range=(collision + merging_speed, high_speed + right_lane),
        end_x=end_x,
        lanes=lanes,
    )


def merge(
    collision_reward: float = -1.0,
    right_lane_reward: float = 0.1,
    high_speed_reward: float = 0.2,
    merging_speed_reward: float = -0.5,
    lane_change_reward: float = -0.05,
    reward_speed_range: tuple[float, float] = (20.0, 30.0),
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """Drive on while others join the highway from a ramp, and make room for them; arguments are weights, the m/s
    that earn none and all of high_speed_reward, and the class of traffic (`visnav.envs.driving.config.TRAFFIC`)."""
    rewards = (
        collision_reward, right_lane_reward, high_speed_reward, merging_speed_reward, lane_change_reward,
        reward_speed_range,
    )  # fmt: skip
    return _task(_merge_road, spawn, other_vehicles_type, (), 6, 2, 370.0, rewards)


def merge_generic(
    lanes_count: int = 2,
    vehicles_count: int = 3,
    before_merge_length: float = 150.0,
    converge_merge_length: float = 80.0,
    parallel_merge_length: float = 80.0,
    after_merge_length: float = 150.0,
    collision_reward: float = -1.0,
    right_lane_reward: float = 0.1,
    high_speed_reward: float = 0.2,
    merging_speed_reward: float = -0.5,
    lane_change_reward: float = -0.05,
    reward_speed_range: tuple[float, float] = (20.0, 30.0),
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """`merge` with as many lanes and vehicles as are asked for, and lengths in m of each part of the road."""
    check_whole("lanes_count", lanes_count, 1, 16)
    check_whole("vehicles_count", vehicles_count, 0, 1000)
    before = check_real("before_merge_length", before_merge_length, above=0)
    converge = check_real("converge_merge_length", converge_merge_length, above=0)
    parallel = check_real("parallel_merge_length", parallel_merge_length, above=0)
    after = check_real("after_merge_length", after_merge_length, least=END_BEFORE)
    ends = (0.0, before + converge, before + converge + parallel, before + converge + parallel + after)

    def layout(number: int) -> Network:
        network = Network()
        for k, nodes in enumerate((("a", "b"), ("b", "c"), ("c", "d"))):
            add_straight_road(network, nodes, lanes_count, ends[k], ends[k + 1] - ends[k])
        _ramp(network, before, converge, parallel, LANE_WIDTH * lanes_count, DASHED, 30.0)
        return network

    rewards = (
        collision_reward, right_lane_reward, high_speed_reward, merging_speed_reward, lane_change_reward,
        reward_speed_range,
    )  # fmt: skip
    args = lanes_count, vehicles_count, ends[2]
    return _task(
        layout, spawn_generic, other_vehicles_type, args, 3 + vehicles_count, lanes_count, ends[3] - END_BEFORE, rewards
    )
