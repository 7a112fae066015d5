"""Play on a scene of highway-env: its state, read from the original's objects, in ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.driving.spawning import (
    IDM_ACC_MAX,
    IDM_ACC_MIN,
    IDM_DISTANCE,
    IDM_TIME,
    TYRE_STIFFNESS,
    UNIT_MASS,
)
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

BEHAVIOURS = {
    "MDPVehicle": EGO_META,
    "IDMVehicle": IDM,
    "LinearVehicle": LINEAR,
    "AggressiveVehicle": AGGRESSIVE,
    "DefensiveVehicle": DEFENSIVE,
    "Obstacle": OBSTACLE,
    "Landmark": LANDMARK,
}
PLAIN = ("Vehicle", "BicycleVehicle")  # ego under direct control; others of these stand


def from_highway_env(env: Any, simulation: DrivingSimulation, slot: int = 0) -> dict[int, Any]:
    """Write the scene that a highway-env environment is in into a slot of ours, which then plays on in the same way.

    The generator is that of the original, in the same state. The numbers of IDM are those of the scene's vehicles:
    intersection-v0 changes them in the original's classes, for every environment of the process.

    Args:
        env: of highway-env 1.12.1, wrapped or not, of the same task and configuration; it is only read.
        simulation: ours, such as `gym.make("visnav/highway-v0").unwrapped.simulation`.
        slot: row to write.

    Returns:
        The original's vehicles and objects, by place in the row.

    Raises:
        ValueError: a road of other segments, more vehicles than the task has places for, or of unknown kind.
    """
    original = env.unwrapped
    network, segments = original.road.network, simulation.networks[0].segments()
    theirs = [(start, end) for start, ends in network.graph.items() for end in ends]
    if list(map(tuple, theirs)) != segments:
        raise ValueError(f"a scene of another road: its segments are {theirs}, here they are {segments}")
    lanes = {index: k for k, index in enumerate(network.lanes_dict())}
    ego = original.vehicle
    traffic = [vehicle for vehicle in original.road.vehicles if vehicle is not ego]
    objects = list(original.road.objects)
    world = simulation.world
    vehicles = world.vehicles[slot]
    if 1 + len(traffic) + len(objects) > len(vehicles):
        count = 1 + len(traffic) + len(objects)
        raise ValueError(f"the scene has {count} vehicles and objects, the task has places for {len(vehicles)}")
    vehicles.present = False
    places = [*range(1 + len(traffic)), *range(len(vehicles) - len(objects), len(vehicles))]
    things = dict(zip(places, [ego, *traffic, *objects], strict=True))
    for place, thing in things.items():
        _write(thing, vehicles[place], world.route[slot, place], lanes, segments, place == 0)
    world.road[slot] = 0
    world.ego_turn[slot] = original.road.vehicles.index(ego)
    world.speed_index[slot] = getattr(ego, "speed_index", 0)
    if hasattr(original, "lanes"):  # lane-keeping-v0: the lane to keep, then those that follow as a step begins
        kept = [original.lane] if original.lane.on_lane(ego.position) else [*original.lanes, original.lane]
        vehicles[0].target_lane = network.lanes_list().index(kept[0])
    if goal := getattr(ego, "goal", None):
        world.goal[slot] = *goal.position, goal.heading
    world.step_count[slot] = original.steps // simulation.params.substeps
    world.time[slot] = original.time or world.step_count[slot] * simulation.params.policy_dt
    world.substeps[slot] = getattr(original.road, "steps", original.steps)
    world.rng[slot] = _generator(original.np_random)
    world.phase[slot] = PLAYING
    simulation.set_state(simulation.get_state(slice(None)), slice(None))  # finds where everything is
    return things


def _generator(generator: np.random.Generator) -> list[int]:
    """The six words of NumPy's PCG64, as `visnav.envs.rng` keeps them."""
    state: Any = generator.bit_generator.state
    words = [word for name in ("state", "inc") for word in divmod(state["state"][name], 2**64)]
    return [*words, state["has_uint32"], state["uinteger"]]


def _write(
    thing: Any,
    vehicle: Any,
    route: NDArray[np.int16],
    lanes: dict[tuple[str, str, int], int],
    segments: list[tuple[str, str]],
    is_ego: bool,
) -> None:
    """One vehicle or object of the original into its record and its route."""
    kind = type(thing).__name__
    if kind in PLAIN:
        vehicle.behaviour = EGO_DIRECT if is_ego else PARKED
    elif kind in BEHAVIOURS:
        vehicle.behaviour = BEHAVIOURS[kind]
    else:
        raise ValueError(f"unknown kind of vehicle {kind!r}; known: {', '.join([*BEHAVIOURS, *PLAIN])}")
    vehicle.present = True
    vehicle.x, vehicle.y = thing.position
    vehicle.heading, vehicle.speed = thing.heading, thing.speed
    vehicle.length, vehicle.width = thing.LENGTH, thing.WIDTH
    vehicle.mass = 0.0 if kind in ("Obstacle", "Landmark") else getattr(thing, "MASS", UNIT_MASS)
    vehicle.cornering_stiffness = getattr(thing, "FRICTION_FRONT", TYRE_STIFFNESS)
    vehicle.distance_wanted = getattr(thing, "DISTANCE_WANTED", IDM_DISTANCE)
    vehicle.time_wanted = getattr(thing, "TIME_WANTED", IDM_TIME)
    vehicle.comfort_acc_max = getattr(thing, "COMFORT_ACC_MAX", IDM_ACC_MAX)
    vehicle.comfort_acc_min = getattr(thing, "COMFORT_ACC_MIN", IDM_ACC_MIN)
    vehicle.lane = lanes[tuple(thing.lane_index)]
    vehicle.target_lane = lanes[tuple(getattr(thing, "target_lane_index", thing.lane_index))]
    vehicle.target_speed = getattr(thing, "target_speed", thing.speed)
    action = getattr(thing, "action", {"steering": 0, "acceleration": 0})
    vehicle.steering, vehicle.acceleration = action["steering"], action["acceleration"]
    vehicle.lateral_speed, vehicle.yaw_rate = getattr(thing, "lateral_speed", 0), getattr(thing, "yaw_rate", 0)
    vehicle.crashed, vehicle.hit = thing.crashed, thing.hit
    vehicle.impacted = thing.impact is not None and hasattr(thing, "action")
    if vehicle.impacted:
        vehicle.impact_x, vehicle.impact_y = thing.impact
    vehicle.check_collisions = thing.check_collisions
    vehicle.lane_changes = getattr(thing, "enable_lane_change", False)
    vehicle.timer, vehicle.delta = getattr(thing, "timer", 0.0), getattr(thing, "DELTA", 4.0)
    if hasattr(thing, "ACCELERATION_PARAMETERS"):
        vehicle.gain_speed, vehicle.gain_approach, vehicle.gain_room = thing.ACCELERATION_PARAMETERS
        vehicle.gain_heading, vehicle.gain_lateral = thing.STEERING_PARAMETERS
    vehicle.yielding = getattr(thing, "is_yielding", False)
    vehicle.route_at = 0
    route[...] = -1
    planned = getattr(thing, "route", None) or []
    for k, (start, end, number) in enumerate(planned[: len(route)]):
        route[k] = segments.index((start, end)), -1 if number is None else number
