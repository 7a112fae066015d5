"""Parking: into a given spot, facing the right way (`highway_env/envs/parking_env.py`)."""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.checks import check_flag, check_real, check_whole
from visnav.envs.driving.lanes import position
from visnav.envs.driving.roads import Network, straight
from visnav.envs.driving.spawning import put, put_on_lane
from visnav.envs.driving.world import (
    COLLISION,
    CONTINUOUS,
    EGO_DIRECT,
    GOAL,
    GOAL_SCALES,
    LANDMARK,
    LANE_WIDTH,
    OBSTACLE,
    PARKED,
    TERMS,
    Task,
)
from visnav.envs.rng import integers, uniform

SPOTS = 14  # in each of the two rows
ROW, SPOT = 10.0, 8.0  # m: from the middle to a row, and the length of a spot
YARD = (70.0, 42.0)  # m, between its walls


def parking_network() -> Network:
    """Two rows of spots, below and above an aisle; those of the upper row are driven into upwards."""
    network = Network()
    network.paved.append((-YARD[0] / 2, -YARD[1] / 2, YARD[0] / 2, YARD[1] / 2))
    lines = CONTINUOUS, CONTINUOUS
    for k in range(SPOTS):
        x = (k + 1 - SPOTS // 2) * LANE_WIDTH - LANE_WIDTH / 2
        network.add("a", "b", straight((x, ROW), (x, ROW + SPOT), lines))
        network.add("b", "c", straight((x, -ROW), (x, -ROW - SPOT), lines))
    return network


@jit
def _free_spot(rng, taken, roads, r):  # type: ignore[no-untyped-def]
    """Draw one of the lanes whose bit in `taken` is not set."""
    free = np.int64(0)
    for lane in range(roads.num_lanes[r]):
        free += 1 - (taken >> lane & 1)
    left = integers(rng, 0, free)
    for lane in range(roads.num_lanes[r]):
        if not taken >> lane & 1:
            if left == 0:
                return lane
            left -= 1
    return 0


def parking(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego in the middle, facing anywhere, before a free spot that is its goal.

    args: parked vehicles; walls (0 or 4).
    """
    rng, r = world.rng[i], world.road[i]
    put(i, 0, 0.0, 0.0, 2 * math.pi * uniform(rng, 0.0, 1.0), 0.0, EGO_DIRECT, world, roads)
    parked, walls = np.int64(args[0]), np.int64(args[1])
    taken = np.int64(1) << np.int64(world.vehicles.lane[i, 0])
    lane = _free_spot(rng, taken, roads, r)
    taken |= np.int64(1) << np.int64(lane)
    x, y = position(r, lane, roads, roads.lanes.length[r, lane] / 2, 0.0)
    put(i, 1 + parked, x, y, roads.lanes.heading[r, lane], 0.0, LANDMARK, world, roads)
    world.goal[i, 0], world.goal[i, 1], world.goal[i, 2] = x, y, roads.lanes.heading[r, lane]
    for v in range(1, 1 + parked):
        lane = _free_spot(rng, taken, roads, r)
        taken |= np.int64(1) << np.int64(lane)
        put_on_lane(i, v, lane, 4.0, 0.0, PARKED, world, roads)
    for k in range(walls):
        v = 2 + parked + k
        beside = k >= 2
        away = (YARD[0] if beside else YARD[1]) / 2 * (1 if k % 2 else -1)
        put(i, v, away if beside else 0.0, 0.0 if beside else away, math.pi / 2 if beside else 0.0, 0.0,
            OBSTACLE, world, roads)  # fmt: skip
        world.vehicles.length[i, v] = YARD[1] if beside else YARD[0]
        world.vehicles.width[i, v] = 1.0


def parking_task(
    vehicles_count: int = 0,
    add_walls: bool = True,
    collision_reward: float = -5.0,
    success_goal_reward: float = 0.12,
    reward_weights: tuple[float, ...] = (1.0, 0.3, 0.0, 0.0, 0.02, 0.02),
) -> Task:
    """highway-env's ParkingEnv; ParkingEnvParkedVehicles has 10 vehicles, ParkingEnvActionRepeat 1 Hz and 20 s.

    `reward_weights` are those of x, y, vx, vy, cos and sin of the heading in the distance to the goal.
    """
    if len(reward_weights) != len(GOAL_SCALES):
        raise ValueError(f"reward_weights are {len(GOAL_SCALES)} numbers; got {reward_weights!r}")
    parked = check_whole("vehicles_count", vehicles_count, 0, 2 * SPOTS - 2)
    walls = 4 if check_flag("add_walls", add_walls) else 0
    return Task(
        layout=lambda k: parking_network(),
        spawn=parking,
        max_vehicles=2 + parked + walls,
        args=(parked, walls),
        policy_frequency=5,
        duration=100.0,
        action="ContinuousAction",
        weights={COLLISION: check_real(TERMS[COLLISION], collision_reward), GOAL: 1.0},
        goal_weights=tuple(check_real("reward_weights", weight, least=0) for weight in reward_weights),
        goal_distance=check_real("success_goal_reward", success_goal_reward, above=0),
        lanes=SPOTS,
        observation={"type": "KinematicsGoal"},
    )
