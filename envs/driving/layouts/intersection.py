"""Intersection: cross traffic that has the right of way (`highway_env/envs/intersection_env.py`)."""

from __future__ import annotations

from functools import partial

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.checks import check_flag, check_name, check_range, check_real, check_whole
from visnav.envs.driving.config import IDM_VEHICLE, traffic_kind
from visnav.envs.driving.lanes import local_coordinates, position
from visnav.envs.driving.roads import Network, circular, straight
from visnav.envs.driving.routes import plan_route
from visnav.envs.driving.spawning import empty_place, is_free, put_on_lane, randomize
from visnav.envs.driving.world import (
    ARRIVED,
    CLIPPED_SPEED,
    COLLISION,
    CONTINUOUS,
    EGO_META,
    LANE_WIDTH,
    NO_LINE,
    ON_ROAD,
    STRIPED,
    TERMS,
    Task,
)
from visnav.envs.rng import integers, normal, random

ACCESS = 100.0  # m, of each arm
SPEED = 10.0  # m/s, the limit, and ego's at the start
ARRIVED_AFTER = 25.0  # m on the way out
SPAWNED_AT_START = 0.6  # probability of each vehicle that might be there before the warm-up
ROUTE = 3  # segments: in, across, out
NEWCOMERS = 14  # places beside those of the start: one a second of the default duration, and ego's
RANGES = {"x": (-100, 100), "y": (-100, 100), "vx": (-20, 20), "vy": (-20, 20)}
OBSERVATION = {
    "vehicles_count": 15,
    "features": ("presence", "x", "y", "vx", "vy", "cos_h", "sin_h"),
    "features_range": RANGES,
    "absolute": True,
}


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
        line = partial(straight, priority=priority, speed_limit=SPEED)
        entry, ahead = f"ir{corner}", f"il{(corner + 2) % 4}"
        to_right, to_left = f"il{(corner - 1) % 4}", f"il{(corner + 1) % 4}"
        begin, cross = rotation @ (half, outer), rotation @ (half, -outer)
        network.add(f"o{corner}", entry, line(rotation @ (half, ACCESS + outer), begin, (STRIPED, CONTINUOUS)))
        arc = circular(
            rotation @ (outer, outer), right, angle + np.pi, angle + 1.5 * np.pi,
            lines=(NO_LINE, CONTINUOUS), priority=priority, speed_limit=SPEED,
        )  # fmt: skip
        network.add(entry, to_right, arc)
        arc = circular(
            rotation @ (half - left, left - half), left, angle, angle - np.pi / 2, clockwise=False,
            lines=(NO_LINE, NO_LINE), priority=priority - 1, speed_limit=SPEED,
        )  # fmt: skip
        network.add(entry, to_left, arc)
        network.add(entry, ahead, line(begin, cross, (STRIPED, NO_LINE)))
        leave = line(rotation @ (outer, half), rotation @ (ACCESS + outer, half), (NO_LINE, CONTINUOUS), arrival=True)
        network.add(to_right, f"o{(corner - 1) % 4}", leave)
    return network


@jit
def _come(i, along, spread, straight_on, world, roads, args):  # type: ignore[no-untyped-def]
    """Let a vehicle come in by any arm, about `along` m from its start, unless somebody is within 15 m.

    `spread` is the standard deviation of its place and speed, (m, m/s).
    """
    rng = world.rng[i]
    start = integers(rng, 0, 4)
    end = (start + 1 + integers(rng, 0, 3)) % 4
    if straight_on:
        end = (start + 2) % 4
    along += 5.0 + normal(rng) * spread[0]
    speed = 8.0 + normal(rng) * spread[1]
    lane = np.int64(args[start])
    x, y = position(world.road[i], lane, roads, along, 0.0)
    v = empty_place(i, world)
    if v >= 0 and is_free(i, x, y, 15.0, world):
        put_on_lane(i, v, lane, along, speed, np.int64(args[11]), world, roads)
        plan_route(i, v, np.int64(args[4 + end]), world, roads)
        randomize(i, v, world)


def intersection(i, world, roads, args):  # type: ignore[no-untyped-def]
    """What is about before the warm-up.

    args: lanes in, by arm; nodes at the arms' ends; ego's destination or -1; vehicles; probability that one comes;
    traffic's behaviour.
    """
    vehicles = np.int64(args[9])
    for k in range(vehicles - 1):
        if random(world.rng[i]) <= SPAWNED_AT_START:
            _come(i, 80.0 * k / (vehicles - 1), (1.0, 1.0), False, world, roads, args)


def intersection_enter(i, world, roads, args):  # type: ignore[no-untyped-def]
    """A challenger that goes straight on, and ego from the south; others are at least 20 m away from it."""
    rng, vehicles = world.rng[i], world.vehicles
    _come(i, 60.0, (0.1, 0.0), True, world, roads, args)
    destination = args[8] if args[8] >= 0 else args[4 + integers(rng, 1, 4)]
    put_on_lane(i, 0, np.int64(args[0]), 60.0 + 5.0 * (1.0 + normal(rng)), SPEED, EGO_META, world, roads)
    plan_route(i, 0, np.int64(destination), world, roads)
    for v in range(1, vehicles.shape[1]):
        if vehicles.present[i, v]:
            world.ego_turn[i] = v
        dx, dy = vehicles.x[i, v] - vehicles.x[i, 0], vehicles.y[i, v] - vehicles.y[i, 0]
        if dx * dx + dy * dy < 400.0:
            vehicles.present[i, v] = False


def intersection_renew(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Who has almost left the road is gone, and another one may come."""
    r, vehicles = world.road[i], world.vehicles
    for v in range(1, vehicles.shape[1]):
        lane = np.int64(vehicles.lane[i, v])
        if vehicles.present[i, v] and roads.lanes.arrival[r, lane]:
            along = local_coordinates(r, lane, roads, vehicles.x[i, v], vehicles.y[i, v])[0]
            if along >= roads.lanes.length[r, lane] - 4 * vehicles.length[i, v]:
                vehicles.present[i, v] = False
    if random(world.rng[i]) <= args[10]:
        _come(i, 0.0, (1.0, 1.0), False, world, roads, args)


def intersection_task(
    initial_vehicle_count: int = 10,
    spawn_probability: float = 0.6,
    destination: str | None = "o1",
    collision_reward: float = -5.0,
    high_speed_reward: float = 1.0,
    arrived_reward: float = 1.0,
    reward_speed_range: tuple[float, float] = (7.0, 9.0),
    normalize_reward: bool = False,
    offroad_terminal: bool = False,
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """highway-env's IntersectionEnv: turn left, to the west (o1), or ahead (o2), or right (o3), or anywhere (None).

    Newcomers find no place where more vehicles are about than `initial_vehicle_count` and one for each of 13 s, which
    takes longer than the default duration.
    """
    network = intersection_network()
    ends = [f"o{arm}" for arm in range(4)]
    if destination is not None:
        destination = check_name("destination", destination, ends[1:])
    probability = check_real("spawn_probability", spawn_probability, least=0)
    weights = {COLLISION: collision_reward, CLIPPED_SPEED: high_speed_reward, ARRIVED: arrived_reward, ON_ROAD: 0.0}
    normalize = check_flag("normalize_reward", normalize_reward)
    return Task(
        layout=lambda k: intersection_network(),
        spawn=intersection,
        warm_up=3.0,
        enter=intersection_enter,
        renew=intersection_renew,
        max_vehicles=check_whole("initial_vehicle_count", initial_vehicle_count, 0, 200) + NEWCOMERS,
        args=(
            *(network.lane_number(f"o{arm}", f"ir{arm}") for arm in range(4)),
            *(network.node_number(node) for node in ends),
            -1 if destination is None else network.node_number(destination),
            initial_vehicle_count,
            probability,
            traffic_kind(other_vehicles_type),
        ),
        route_length=ROUTE,
        duration=13.0,
        lateral=False,
        target_speeds=(0.0, 4.5, 9.0),
        vehicle_ranges={"distance_wanted": (7.0, 7.0), "comfort_acc_max": (6.0, 6.0), "comfort_acc_min": (-3.0, -3.0)},
        regulated=True,
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        reward_speed_range=check_range("reward_speed_range", reward_speed_range),
        reward_range=(collision_reward, arrived_reward) if normalize else None,
        arrived_reward=arrived_reward,
        off_road_reward=collision_reward / (collision_reward - arrived_reward) if normalize else 0.0,
        end_offroad=check_flag("offroad_terminal", offroad_terminal),
        end_arrived=True,
        arrival_distance=ARRIVED_AFTER,
        observation=OBSERVATION,
    )


# fields of the task in which ContinuousIntersectionEnv differs
DRIVEN = {
    "action": "ContinuousAction",
    "lateral": True,
    "steering_range": (-np.pi / 3, np.pi / 3),
    "dynamical": True,
    "observation": {
        "features": ("presence", "x", "y", "vx", "vy", "long_off", "lat_off", "ang_off"),
        "features_range": RANGES,
        "absolute": True,
    },
}
