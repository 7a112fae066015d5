"""Reads the state of a highway-env environment into a row of a driving simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.vehicle.behavior import AggressiveVehicle, DefensiveVehicle, IDMVehicle, LinearVehicle
from highway_env.vehicle.controller import MDPVehicle
from highway_env.vehicle.objects import Landmark, Obstacle

from visnav.envs.driving.loops import locate_rows
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.driving.world import (
    AGGRESSIVE,
    DEFENSIVE,
    EGO_DIRECT,
    EGO_META,
    IDM,
    LANDMARK,
    LINEAR,
    OBSTACLE,
    PARKED,
    PLAYING,
)

BEHAVIOURS = (  # the first class that it is an instance of
    (MDPVehicle, EGO_META), (AggressiveVehicle, AGGRESSIVE), (DefensiveVehicle, DEFENSIVE), (LinearVehicle, LINEAR),
    (IDMVehicle, IDM), (Obstacle, OBSTACLE), (Landmark, LANDMARK),
)  # fmt: skip


def things_of(env: Any) -> list[Any]:
    """Everything on the original's road, in the order of our places: ego, other vehicles, objects."""
    return [env.vehicle, *(v for v in env.road.vehicles if v is not env.vehicle), *env.road.objects]


def lane_numbers(env: Any) -> dict[tuple[str, str, int], int]:
    """Our number of every lane of the original."""
    return {index: k for k, index in enumerate(env.road.network.lanes_dict())}


def from_highway_env(env: Any, simulation: DrivingSimulation, i: int) -> None:
    """Put the state of an unwrapped highway-env environment into row i."""
    world, lanes = simulation.world, lane_numbers(env)
    segments = {pair: k for k, pair in enumerate(dict.fromkeys(index[:2] for index in lanes))}
    for array in (world.present, world.yielding, world.hit, world.impacted):
        array[i] = False
    world.route[i] = -1
    for v, it in enumerate(things_of(env)):
        kinds = [kind for cls, kind in BEHAVIOURS if isinstance(it, cls)]
        world.behaviour[i, v] = kinds[0] if kinds else EGO_DIRECT if v == 0 else PARKED
        world.present[i, v] = True
        world.x[i, v], world.y[i, v] = it.position
        world.heading[i, v], world.speed[i, v] = it.heading, it.speed
        world.length[i, v], world.width[i, v] = it.LENGTH, it.WIDTH
        world.lane[i, v] = lanes[it.lane_index]
        world.crashed[i, v], world.hit[i, v] = it.crashed, it.hit
        world.check_collisions[i, v] = it.check_collisions
        if isinstance(it, (Obstacle, Landmark)):
            continue
        world.steering[i, v], world.acceleration[i, v] = it.action["steering"], it.action["acceleration"]
        world.impacted[i, v] = it.impact is not None
        world.impact[i, v] = 0 if it.impact is None else it.impact
        world.lateral_speed[i, v] = getattr(it, "lateral_speed", 0)
        world.yaw_rate[i, v] = getattr(it, "yaw_rate", 0)
        world.target_lane[i, v] = lanes[getattr(it, "target_lane_index", it.lane_index)]
        world.target_speed[i, v] = getattr(it, "target_speed", it.speed)
        world.lane_changes[i, v] = getattr(it, "enable_lane_change", False)
        world.timer[i, v] = getattr(it, "timer", 0)
        world.delta[i, v] = getattr(it, "DELTA", 4)
        world.yielding[i, v] = getattr(it, "is_yielding", False)
        world.yield_timer[i, v] = getattr(it, "yield_timer", 0)
        world.route_at[i, v] = 0
        for k, (start, end, number) in enumerate(getattr(it, "route", None) or []):
            world.route[i, v, k] = segments[start, end], -1 if number is None else number
        if isinstance(it, LinearVehicle):
            world.gains[i, v] = [*it.ACCELERATION_PARAMETERS, *it.STEERING_PARAMETERS]
    world.speed_index[i] = getattr(env.vehicle, "speed_index", 0)
    goal = getattr(env.vehicle, "goal", None)
    world.goal[i] = (0, 0, 0) if goal is None else (*goal.position, goal.heading)
    world.road[i] = 0
    world.time[i], world.substeps[i] = env.time, env.steps
    world.step_count[i] = env.steps // simulation.params.substeps
    world.phase[i] = PLAYING
    locate_rows(i, i + 1, world, simulation.roads, simulation.tables)


def differences(env: Any, simulation: DrivingSimulation, i: int) -> dict[str, float]:
    """What differs between the original and row i: largest distances in m, rad and m/s, and numbers of vehicles."""
    world, lanes = simulation.world, lane_numbers(env)
    things = [(v, it) for v, it in enumerate(things_of(env)) if not isinstance(it, (Obstacle, Landmark))]
    return {
        "position": max(np.hypot(world.x[i, v] - it.position[0], world.y[i, v] - it.position[1]) for v, it in things),
        "heading": max(abs(world.heading[i, v] - it.heading) for v, it in things),
        "speed": max(abs(world.speed[i, v] - it.speed) for v, it in things),
        "lane": sum(world.lane[i, v] != lanes[it.lane_index] for v, it in things),
        "target_lane": sum(
            world.target_lane[i, v] != lanes[it.target_lane_index]
            for v, it in things
            if hasattr(it, "target_lane_index")
        ),
        "crashed": sum(world.crashed[i, v] != it.crashed for v, it in things),
    }
