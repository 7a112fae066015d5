"""What spawn functions put onto a road: vehicles, obstacles and landmarks in the places of row i."""

from __future__ import annotations

import math

import numpy as np

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.driving.collisions import overlap
from visnav.envs.driving.lanes import closest_lane, heading_at, position
from visnav.envs.driving.traffic import is_linear
from visnav.envs.driving.world import (
    AGGRESSIVE,
    COMFORT_ACC_MAX,
    COMFORT_ACC_MIN,
    CORNERING_STIFFNESS,
    DEFENSIVE,
    DELTA_RANGE,
    DISTANCE_WANTED,
    KP_HEADING,
    KP_LATERAL,
    LANDMARK,
    LANE_CHANGE_DELAY,
    LENGTH,
    MASS,
    OBSTACLE,
    TIME_WANTED,
    VEHICLE_LENGTH,
    VEHICLE_WIDTH,
    WIDTH,
)

OBJECT_SIZE = 2.0  # m, of obstacles and landmarks along both sides

# of LinearVehicle of `highway_env/vehicle/behavior.py`: gains, and how far from them they are drawn
LINEAR_GAINS = 0.3, 0.3, 2.0  # of speed error, approach, lack of room; times 0.5 to 1.5
HEADING_GAIN, LATERAL_GAIN = KP_HEADING, KP_HEADING * KP_LATERAL
HEADING_SPREAD, LATERAL_SPREAD = 0.07, 1.5
LINEAR_TIME = 2.5  # s, headway

# of IDMVehicle, and of BicycleVehicle of `highway_env/vehicle/dynamics.py`
IDM_DISTANCE, IDM_TIME = 10.0, 1.5  # m between middles of cars in a jam; s, headway
IDM_ACC_MAX, IDM_ACC_MIN = 3.0, -5.0  # m/s²
UNIT_MASS, TYRE_STIFFNESS = 1.0, 15.0  # kg, and N/rad of one tyre: only their ratio matters


@jit
def _set_gains(i, v, behaviour, world):  # type: ignore[no-untyped-def]
    """What linear traffic multiplies speed error, approach and lack of room by, then heading and lateral error."""
    speed, approach, room = LINEAR_GAINS
    if behaviour in (AGGRESSIVE, DEFENSIVE):
        gain = 0.8 if behaviour == AGGRESSIVE else 1.2
        speed, approach = gain / (0.25 * 30), gain / (0.75 * 30)
        room = 0.5 if behaviour == AGGRESSIVE else 2.0
    world.vehicles.gain_speed[i, v], world.vehicles.gain_approach[i, v] = speed, approach
    world.vehicles.gain_room[i, v] = room
    world.vehicles.gain_heading[i, v], world.vehicles.gain_lateral[i, v] = HEADING_GAIN, LATERAL_GAIN


@jit
def put(i, v, x, y, heading, speed, behaviour, world, roads):  # type: ignore[no-untyped-def]
    """Put something at (x, y) m into place v of row i, following the lane and keeping the speed (m/s) it has there."""
    vehicles = world.vehicles
    is_object = behaviour in (OBSTACLE, LANDMARK)
    vehicles.x[i, v], vehicles.y[i, v] = x, y
    vehicles.heading[i, v], vehicles.speed[i, v] = heading, speed
    vehicles.length[i, v] = OBJECT_SIZE if is_object else VEHICLE_LENGTH
    vehicles.width[i, v] = OBJECT_SIZE if is_object else VEHICLE_WIDTH
    lane = closest_lane(world.road[i], roads, x, y, heading)
    vehicles.lane[i, v] = lane
    vehicles.target_lane[i, v] = lane
    vehicles.target_speed[i, v] = speed
    vehicles.steering[i, v] = 0.0
    vehicles.acceleration[i, v] = 0.0
    vehicles.lateral_speed[i, v] = 0.0
    vehicles.yaw_rate[i, v] = 0.0
    vehicles.behaviour[i, v] = behaviour
    vehicles.mass[i, v] = 0.0
    vehicles.present[i, v] = True
    vehicles.crashed[i, v] = False
    vehicles.hit[i, v] = False
    vehicles.impacted[i, v] = False
    vehicles.check_collisions[i, v] = True
    vehicles.lane_changes[i, v] = True
    vehicles.timer[i, v] = (x + y) * math.pi % LANE_CHANGE_DELAY
    vehicles.delta[i, v] = 4.0
    _set_gains(i, v, behaviour, world)
    for k in range(world.route.shape[2]):
        world.route[i, v, k, 0] = -1
        world.route[i, v, k, 1] = -1
    vehicles.route_at[i, v] = 0
    vehicles.yielding[i, v] = False


@jit
def _drawn(i, number, otherwise, world, params):  # type: ignore[no-untyped-def]
    """A number of a vehicle in row i, out of its range; `otherwise` where it has none."""
    low, high = params.vehicle_ranges[number, 0], params.vehicle_ranges[number, 1]
    if math.isnan(low):
        return otherwise
    return random_stream.uniform(world.rng[i], low, high) if low < high else low


@jit
def _has_room(i, v, world):  # type: ignore[no-untyped-def]
    """Whether vehicle v overlaps nobody who has been fitted out, and nothing that stands."""
    vehicles = world.vehicles
    for o in range(vehicles.shape[1]):
        is_solid = vehicles.behaviour[i, o] == OBSTACLE or vehicles.mass[i, o] > 0
        if o != v and vehicles.present[i, o] and is_solid:
            meets, _, _, _ = overlap(
                vehicles.x[i, v], vehicles.y[i, v], vehicles.heading[i, v], vehicles.length[i, v], vehicles.width[i, v],
                vehicles.x[i, o], vehicles.y[i, o], vehicles.heading[i, o], vehicles.length[i, o], vehicles.width[i, o],
                0.0, 0.0,
            )  # fmt: skip
            if meets:
                return False
    return True


@jit
def fit_out(i, world, params):  # type: ignore[no-untyped-def]
    """Give each vehicle of row i that was put since the last time its own numbers (`params.vehicle_ranges`).

    They are drawn after all that spawn functions draw, which thus put everything where they always do. Who finds no
    room at the size that is drawn for it is taken away again, unless it is ego.
    """
    vehicles = world.vehicles
    is_sized = not (math.isnan(params.vehicle_ranges[LENGTH, 0]) and math.isnan(params.vehicle_ranges[WIDTH, 0]))
    for v in range(vehicles.shape[1]):
        behaviour = vehicles.behaviour[i, v]
        if not vehicles.present[i, v] or vehicles.mass[i, v] > 0 or behaviour in (OBSTACLE, LANDMARK):
            continue
        vehicles.length[i, v] = _drawn(i, LENGTH, vehicles.length[i, v], world, params)
        vehicles.width[i, v] = _drawn(i, WIDTH, vehicles.width[i, v], world, params)
        vehicles.cornering_stiffness[i, v] = _drawn(i, CORNERING_STIFFNESS, TYRE_STIFFNESS, world, params)
        vehicles.distance_wanted[i, v] = _drawn(i, DISTANCE_WANTED, IDM_DISTANCE, world, params)
        time = LINEAR_TIME if is_linear(behaviour) else IDM_TIME
        vehicles.time_wanted[i, v] = _drawn(i, TIME_WANTED, time, world, params)
        vehicles.comfort_acc_max[i, v] = _drawn(i, COMFORT_ACC_MAX, IDM_ACC_MAX, world, params)
        vehicles.comfort_acc_min[i, v] = _drawn(i, COMFORT_ACC_MIN, IDM_ACC_MIN, world, params)
        vehicles.present[i, v] = v == 0 or not is_sized or _has_room(i, v, world)
        vehicles.mass[i, v] = _drawn(i, MASS, UNIT_MASS, world, params)


@jit
def put_on_lane(i, v, lane, along, speed, behaviour, world, roads):  # type: ignore[no-untyped-def]
    """`put` in the middle of a lane, `along` m from its start, in its direction."""
    r = world.road[i]
    x, y = position(r, lane, roads, along, 0.0)
    put(i, v, x, y, heading_at(r, lane, roads, along), speed, behaviour, world, roads)


@jit
def randomize(i, v, world):  # type: ignore[no-untyped-def]
    """Draw the exponent of a vehicle's IDM, and first the gains of linear traffic (`randomize_behavior`).

    Aggressive and defensive vehicles draw from the ranges of other linear ones, as in the original.
    """
    rng, vehicles = world.rng[i], world.vehicles
    if is_linear(vehicles.behaviour[i, v]):
        speed, approach, room = LINEAR_GAINS
        vehicles.gain_speed[i, v] = random_stream.uniform(rng, 0.5 * speed, 1.5 * speed)
        vehicles.gain_approach[i, v] = random_stream.uniform(rng, 0.5 * approach, 1.5 * approach)
        vehicles.gain_room[i, v] = random_stream.uniform(rng, 0.5 * room, 1.5 * room)
        low, high = HEADING_GAIN - HEADING_SPREAD, HEADING_GAIN + HEADING_SPREAD
        vehicles.gain_heading[i, v] = random_stream.uniform(rng, low, high)
        low, high = LATERAL_GAIN - LATERAL_SPREAD, LATERAL_GAIN + LATERAL_SPREAD
        vehicles.gain_lateral[i, v] = random_stream.uniform(rng, low, high)
    vehicles.delta[i, v] = random_stream.uniform(rng, DELTA_RANGE[0], DELTA_RANGE[1])


@jit
def empty_place(i, world):  # type: ignore[no-untyped-def]
    """An empty place for traffic, after ego's turn if there is one there; -1 where all are taken."""
    others = world.vehicles.shape[1] - 1
    for k in range(others):
        v = 1 + (world.ego_turn[i] + k) % others
        if not world.vehicles.present[i, v]:
            return v
    return np.int64(-1)


@jit
def is_free(i, x, y, radius, world):  # type: ignore[no-untyped-def]
    """Whether nobody's middle is within `radius` m of (x, y)."""
    for v in range(world.vehicles.shape[1]):
        dx, dy = world.vehicles.x[i, v] - x, world.vehicles.y[i, v] - y
        if world.vehicles.present[i, v] and dx * dx + dy * dy < radius * radius:
            return False
    return True
