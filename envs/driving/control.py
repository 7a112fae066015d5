"""How vehicles follow lanes: where they are on them, lateral and speed control, ego's actions.

Vehicle v of world i; the laws are those of `highway_env/vehicle/controller.py` and `envs/common/action.py`.
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.lanes import (
    distance,
    heading_at,
    is_on,
    is_reachable,
    local_coordinates,
    next_lane,
    wrap,
)
from visnav.envs.driving.world import (
    DISCRETE_ACTION,
    FASTER,
    IDLE,
    KP_HEADING,
    KP_LATERAL,
    LANDMARK,
    MAX_STEERING,
    META,
    META_LATERAL,
    META_LONGITUDINAL,
    SLOWER,
    TAU_PURSUIT,
    VEHICLE_LENGTH,
)

LEAST = 1e-2  # what a divisor is kept from 0 by
BESIDE = 1.0  # m beside a lane that drivers still look at
QUARTER_TURN = math.pi / 4


@jit
def not_zero(x):  # type: ignore[no-untyped-def]
    """x, or what of its sign is LEAST away from 0."""
    if abs(x) > LEAST:
        return x
    return LEAST if x >= 0 else -LEAST


@jit
def clip(x, low, high):  # type: ignore[no-untyped-def]
    """x within [low, high]."""
    return low if x < low else high if x > high else x


@jit
def locate(i, v, world, roads, tables):  # type: ignore[no-untyped-def]
    """Fill the tables of vehicle v. Returns the lane closest to it, a rad of heading counting as 1 m."""
    r = world.road[i]
    x, y, heading = world.vehicles.x[i, v], world.vehicles.y[i, v], world.vehicles.heading[i, v]
    length, width = world.vehicles.length[i, v], world.vehicles.width[i, v]
    tables.x[i, v], tables.y[i, v] = x, y
    tables.radius[i, v] = math.sqrt(length * length + width * width) / 2
    is_seen = world.vehicles.behaviour[i, v] != LANDMARK
    best, nearest = np.int64(0), math.inf
    for lane in range(roads.num_lanes[r]):
        along, across = local_coordinates(r, lane, roads, x, y)
        tables.along[i, lane, v] = along
        tables.across[i, lane, v] = across
        is_near = is_seen and is_on(r, lane, roads, along, across, BESIDE)
        tables.near[i, lane, v] = along if is_near else math.nan
        far = distance(r, lane, roads, along, across)
        if far < nearest:
            far += abs(wrap(heading - heading_at(r, lane, roads, along)))
            if far < nearest:
                best, nearest = lane, far
    return best


@jit
def locate_all(i, world, roads, tables):  # type: ignore[no-untyped-def]
    """The tables of row i, for its vehicles as they are."""
    for v in range(world.vehicles.shape[1]):
        if world.vehicles.present[i, v]:
            locate(i, v, world, roads, tables)
        else:
            for lane in range(roads.num_lanes[world.road[i]]):
                tables.near[i, lane, v] = math.nan


@jit
def order_lanes(i, world, roads, tables):  # type: ignore[no-untyped-def]
    """Sort the vehicles that drivers see on each lane of row i; of two at one place, the lower number first."""
    for lane in range(roads.num_lanes[world.road[i]]):
        seen = 0
        for v in range(world.vehicles.shape[1]):  # every one is written down, and stays where it is seen: no branch
            along = tables.near[i, lane, v]
            tables.places[i, lane, seen] = along
            tables.order[i, lane, seen] = v
            seen += along == along  # not NaN
        tables.seen[i, lane] = seen
        for n in range(1, seen):
            along, v = tables.places[i, lane, n], tables.order[i, lane, n]
            k = n
            while k > 0 and tables.places[i, lane, k - 1] > along:
                tables.places[i, lane, k] = tables.places[i, lane, k - 1]
                tables.order[i, lane, k] = tables.order[i, lane, k - 1]
                k -= 1
            tables.places[i, lane, k] = along
            tables.order[i, lane, k] = v


@jit
def follow_road(i, v, world, roads, tables):  # type: ignore[no-untyped-def]
    """Near the end of the target lane, follow the next one."""
    lane = np.int64(world.vehicles.target_lane[i, v])
    along = tables.along[i, lane, v]
    if along > roads.lanes.length[world.road[i], lane] - VEHICLE_LENGTH / 2:
        world.vehicles.target_lane[i, v] = next_lane(i, v, lane, along, world, roads)


@jit
def steer_to_lane(i, v, world, roads, tables):  # type: ignore[no-untyped-def]
    """Steering angle in rad that leads to the middle of the target lane.

    Lateral error to lateral speed, to heading, to turn rate, to slip angle β, to tan δ = 2 tan β.
    """
    lane = np.int64(world.vehicles.target_lane[i, v])
    along, across = tables.along[i, lane, v], tables.across[i, lane, v]
    ahead = heading_at(world.road[i], lane, roads, along + world.vehicles.speed[i, v] * TAU_PURSUIT)
    if across == 0.0 and ahead == world.vehicles.heading[i, v]:  # most traffic, most of the time: the rest would be 0
        return 0.0
    speed = not_zero(world.vehicles.speed[i, v])
    turn = math.asin(clip(-KP_LATERAL * across / speed, -1.0, 1.0))
    wanted = ahead + clip(turn, -QUARTER_TURN, QUARTER_TURN)
    turn_rate = KP_HEADING * wrap(wanted - world.vehicles.heading[i, v])
    sin_slip = clip(world.vehicles.length[i, v] / 2 / speed * turn_rate, -1.0, 1.0)
    steering = math.atan2(2 * sin_slip, math.sqrt(1 - sin_slip * sin_slip))
    return clip(steering, -MAX_STEERING, MAX_STEERING)


@jit
def speed_to_index(speed, low, high, count):  # type: ignore[no-untyped-def]
    """The number of the one nearest to a speed among `count` speeds from low to high; halves to even, as in NumPy.

    They are taken to be evenly spaced (MDPVehicle.speed_to_index of `highway_env/vehicle/controller.py`).
    """
    place = (speed - low) / (high - low) * (count - 1)
    number = math.floor(place + 0.5)
    if number - place == 0.5 and number % 2 == 1:
        number -= 1
    return clip(np.int64(number), 0, count - 1)


@jit
def target_index(speed, params):  # type: ignore[no-untyped-def]
    """The number of the target speed nearest to a speed."""
    speeds = params.target_speeds
    return speed_to_index(speed, speeds[0], speeds[-1], len(speeds))


@jit
def change_lane(i, side, world, roads, tables):  # type: ignore[no-untyped-def]
    """Let ego follow the lane to its left (-1) or right (1), if there is one within reach."""
    r, lane = world.road[i], np.int64(world.vehicles.target_lane[i, 0])
    number = roads.lanes.number[r, lane] + side
    if 0 <= number < roads.segments.segment_lanes[r, roads.lanes.segment[r, lane]] and is_reachable(
        r, lane + side, roads, tables.along[i, lane + side, 0], tables.across[i, lane + side, 0]
    ):
        world.vehicles.target_lane[i, 0] = lane + side


@jit
def choose_speed(i, action, world, params):  # type: ignore[no-untyped-def]
    """Let ego follow the target speed next to its speed, after FASTER or SLOWER."""
    number = target_index(world.vehicles.speed[i, 0], params) + (1 if action == FASTER else -1)
    number = clip(number, 0, len(params.target_speeds) - 1)
    world.speed_index[i] = number
    world.vehicles.target_speed[i, 0] = params.target_speeds[number]


@jit
def is_meta(params):  # type: ignore[no-untyped-def]
    """Whether ego is controlled by meta actions."""
    return params.action in (META, META_LONGITUDINAL, META_LATERAL)


@jit
def meta_action(number, params):  # type: ignore[no-untyped-def]
    """The meta action that an action number stands for."""
    if params.action == META_LONGITUDINAL:
        return SLOWER if number == 0 else FASTER if number == 2 else IDLE
    return number


@jit
def _scaled(value, low, high):  # type: ignore[no-untyped-def]
    """A value of [-1, 1] in [low, high]; counted in float32, as the original counts an action's float32."""
    value = clip(np.float32(value), np.float32(-1), np.float32(1))
    return np.float64(np.float32(low) + (value + np.float32(1)) * np.float32(high - low) / np.float32(2))


@jit
def drive(i, command, params, world):  # type: ignore[no-untyped-def]
    """Direct control of ego: `command` is (acceleration, steering), or the one that is controlled, in [-1, 1].

    As DISCRETE_ACTION, command[0] is the number of a combination of evenly spaced values, steering changing faster.
    """
    first, second = command[0], command[1]
    if params.action == DISCRETE_ACTION:
        steps = params.actions_per_axis
        number = np.int64(first)
        step = 2.0 / (steps - 1)
        if params.longitudinal and params.lateral:
            first, second = -1.0 + step * (number // steps), -1.0 + step * (number % steps)
        else:
            first = -1.0 + step * number
    world.vehicles.steering[i, 0], world.vehicles.acceleration[i, 0] = 0.0, 0.0
    if params.lateral:
        steering = second if params.longitudinal else first
        world.vehicles.steering[i, 0] = _scaled(steering, params.steering_low, params.steering_high)
    if params.longitudinal:
        world.vehicles.acceleration[i, 0] = _scaled(first, params.acceleration_low, params.acceleration_high)
