"""What spawn functions put onto a road: vehicles, obstacles and landmarks in the places of row i."""

from __future__ import annotations

import math

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.driving.lanes import closest_lane, heading_at, position
from visnav.envs.driving.world import (
    AGGRESSIVE,
    DEFENSIVE,
    DELTA_RANGE,
    KP_HEADING,
    KP_LATERAL,
    LANDMARK,
    LANE_CHANGE_DELAY,
    OBSTACLE,
    VEHICLE_LENGTH,
    VEHICLE_WIDTH,
)

OBJECT_SIZE = 2.0  # m, of obstacles and landmarks along both sides


@jit
def _set_gains(i, v, behaviour, world):  # type: ignore[no-untyped-def]
    """What linear traffic multiplies speed error, approach and lack of room by, then heading and lateral error."""
    speed, approach, room = 0.3, 0.3, 2.0
    if behaviour in (AGGRESSIVE, DEFENSIVE):
        gain = 0.8 if behaviour == AGGRESSIVE else 1.2
        speed, approach = gain / (0.25 * 30), gain / (0.75 * 30)
        room = 0.5 if behaviour == AGGRESSIVE else 2.0
    world.gains[i, v, 0], world.gains[i, v, 1], world.gains[i, v, 2] = speed, approach, room
    world.gains[i, v, 3], world.gains[i, v, 4] = KP_HEADING, KP_HEADING * KP_LATERAL


@jit
def put(i, v, x, y, heading, speed, behaviour, world, roads):  # type: ignore[no-untyped-def]
    """Put something at (x, y) m into place v of row i, following the lane and keeping the speed (m/s) it has there."""
    is_object = behaviour in (OBSTACLE, LANDMARK)
    world.x[i, v], world.y[i, v], world.heading[i, v], world.speed[i, v] = x, y, heading, speed
    world.length[i, v] = OBJECT_SIZE if is_object else VEHICLE_LENGTH
    world.width[i, v] = OBJECT_SIZE if is_object else VEHICLE_WIDTH
    lane = closest_lane(world.road[i], roads, x, y, heading)
    world.lane[i, v] = lane
    world.target_lane[i, v] = lane
    world.target_speed[i, v] = speed
    world.steering[i, v] = 0.0
    world.acceleration[i, v] = 0.0
    world.lateral_speed[i, v] = 0.0
    world.yaw_rate[i, v] = 0.0
    world.behaviour[i, v] = behaviour
    world.present[i, v] = True
    world.crashed[i, v] = False
    world.hit[i, v] = False
    world.impacted[i, v] = False
    world.check_collisions[i, v] = True
    world.lane_changes[i, v] = True
    world.timer[i, v] = (x + y) * math.pi % LANE_CHANGE_DELAY
    world.delta[i, v] = 4.0
    _set_gains(i, v, behaviour, world)
    for k in range(world.route.shape[2]):
        world.route[i, v, k, 0] = -1
        world.route[i, v, k, 1] = -1
    world.route_at[i, v] = 0
    world.yielding[i, v] = False
    world.yield_timer[i, v] = 0


@jit
def put_on_lane(i, v, lane, along, speed, behaviour, world, roads):  # type: ignore[no-untyped-def]
    """`put` in the middle of a lane, `along` m from its start, in its direction."""
    r = world.road[i]
    x, y = position(r, lane, roads, along, 0.0)
    put(i, v, x, y, heading_at(r, lane, roads, along), speed, behaviour, world, roads)


@jit
def randomize(i, v, world):  # type: ignore[no-untyped-def]
    """Draw the exponent of a vehicle's IDM (IDMVehicle.randomize_behavior)."""
    world.delta[i, v] = random_stream.uniform(world.rng[i], DELTA_RANGE[0], DELTA_RANGE[1])
