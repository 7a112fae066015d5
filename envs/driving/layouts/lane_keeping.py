"""Lane keeping: steer a sliding car along a straight, and along a sine (`highway_env/envs/lane_keeping_env.py`)."""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.driving.lanes import heading_at, is_on, local_coordinates, position
from visnav.envs.driving.roads import Network, sine, straight
from visnav.envs.driving.spawning import put
from visnav.envs.driving.world import EGO_DIRECT, LATERAL, NO_LINE, STRIPED, Task

WIDTH = 10.0  # m
SPEED = 8.3  # m/s
STRAIGHT_START, STRAIGHT_END = (50.0, 50.0), (115.0, 15.0)


def lane_keeping_network() -> Network:
    """The straight c-d, the sine a-b across its end, and from one to the other 20 m more of the straight's slope."""
    network = Network()
    network.add("a", "b", sine((0, 0), (500, 0), 5.0, 2 * math.pi / 100, 0.0, (STRIPED, STRIPED), width=WIDTH))
    network.add("c", "d", straight(STRAIGHT_START, STRAIGHT_END, (STRIPED, STRIPED), width=WIDTH))
    slope = (STRAIGHT_END[1] - STRAIGHT_START[1]) / (STRAIGHT_END[0] - STRAIGHT_START[0])
    end = STRAIGHT_END[0] + 20, STRAIGHT_END[1] + 20 * slope
    network.add("d", "a", straight(STRAIGHT_END, end, (NO_LINE, STRIPED), width=WIDTH))
    return network


def lane_keeping(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego at the left edge of the straight, in its direction, with 8.3 m/s. args: the straight, and the sine."""
    r, lane = world.road[i], np.int64(args[0])
    x, y = position(r, lane, roads, 50.0, -4.0)
    put(i, 0, x, y, heading_at(r, lane, roads, 0.0), SPEED, EGO_DIRECT, world, roads)
    world.vehicles.target_lane[i, 0] = lane


def lane_keeping_renew(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Off the straight, it is the sine that is to be kept."""
    r, lane = world.road[i], np.int64(args[0])
    along, across = local_coordinates(r, lane, roads, world.vehicles.x[i, 0], world.vehicles.y[i, 0])
    if not is_on(r, lane, roads, along, across, 0.0):
        world.vehicles.target_lane[i, 0] = np.int64(args[1])


def lane_keeping_task() -> Task:
    """highway-env's LaneKeepingEnv, which is registered to last 200 steps; its observations are noisy, ours are not."""
    network = lane_keeping_network()
    return Task(
        layout=lambda k: lane_keeping_network(),
        spawn=lane_keeping,
        renew=lane_keeping_renew,
        max_vehicles=1,
        args=(network.lane_number("c", "d"), network.lane_number("a", "b")),
        simulation_frequency=10,
        policy_frequency=10,
        max_steps=200,
        action="ContinuousAction",
        longitudinal=False,
        steering_range=(-np.pi / 3, np.pi / 3),
        dynamical=True,
        weights={LATERAL: 1.0},
        end_crash=False,
    )
