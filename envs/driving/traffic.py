"""How traffic decides: IDM for speed, MOBIL for lanes, and linear variants of both.

Treiber, Hennecke, Helbing 2000, "Congested Traffic States in Empirical Observations and Microscopic Simulations";
Kesting, Treiber, Helbing 2007, "General Lane-Changing Model MOBIL for Car-Following Models"; with the numbers, and the
deviations, of `highway_env/vehicle/behavior.py`. Politeness is 0, so a driver weighs only its own acceleration.
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.control import change_lane, choose_speed, clip, follow_road, not_zero, steer_to_lane
from visnav.envs.driving.lanes import heading_at, is_reachable, wrap
from visnav.envs.driving.world import (
    ACC_MAX,
    AGGRESSIVE,
    DEFENSIVE,
    EGO_META,
    FASTER,
    IDLE,
    IDM,
    KP_ACCELERATION,
    LANDMARK,
    LANE_CHANGE_DELAY,
    LANE_CHANGE_MAX_BRAKING_IMPOSED,
    LANE_CHANGE_MIN_ACC_GAIN,
    LANE_LEFT,
    LANE_RIGHT,
    LINEAR,
    MAX_STEERING,
    OBSTACLE,
    SLOWER,
    TAU_PURSUIT,
    VEHICLE_LENGTH,
)

CAREFUL_MIN_ACC_GAIN = 1.0  # m/s², of aggressive and defensive traffic


@jit
def is_linear(behaviour):  # type: ignore[no-untyped-def]
    """Whether traffic of this kind is controlled by linear laws."""
    return behaviour in (LINEAR, AGGRESSIVE, DEFENSIVE)


@jit
def is_traffic(behaviour):  # type: ignore[no-untyped-def]
    """Whether it drives by itself."""
    return behaviour == IDM or is_linear(behaviour)


@jit
def has_targets(behaviour):  # type: ignore[no-untyped-def]
    """Whether it follows a target lane at a target speed (ControlledVehicle)."""
    return behaviour == EGO_META or is_traffic(behaviour)


@jit
def _along_neighbour(i, o, lane, world, roads, tables):  # type: ignore[no-untyped-def]
    """`along` of vehicle o on `lane`, sought on the segments after and before it too; NaN where it is on none."""
    along = tables.near[i, lane, o]
    if not math.isnan(along):
        return along
    r = world.road[i]
    here, number = roads.lanes.segment[r, lane], np.int64(roads.lanes.number[r, lane])
    for side in range(2):
        for k in range(roads.following.shape[2]):
            segment = roads.following[r, here, k] if side == 0 else roads.preceding[r, here, k]
            if segment >= 0:
                other = np.int64(roads.segments.first_lane[r, segment])
                if number < roads.segments.segment_lanes[r, segment]:
                    other += number
                along = tables.near[i, other, o]
                if not math.isnan(along):
                    return along + roads.lanes.length[r, lane] if side == 0 else along - roads.lanes.length[r, other]
    return math.nan


@jit
def _connected_neighbours(i, v, lane, world, roads, tables):  # type: ignore[no-untyped-def]
    """`neighbours`, sought on the segments before and after the lane's too."""
    own = tables.along[i, lane, v]
    front, rear = -1, -1
    nearest_front, nearest_rear = math.inf, -math.inf
    for o in range(world.vehicles.shape[1]):
        if o == v or not world.vehicles.present[i, o]:
            continue
        along = _along_neighbour(i, o, lane, world, roads, tables)
        if own <= along <= nearest_front:
            front, nearest_front = o, along
        elif nearest_rear < along < own:
            rear, nearest_rear = o, along
    return front, rear


@jit
def neighbours(i, v, lane, world, roads, tables, connected):  # type: ignore[no-untyped-def]
    """(front, rear): who is before and behind vehicle v on a lane, -1 for nobody.

    Of several at one place it is the last before v, and the first behind it, in the order in which vehicles act.
    """
    if connected:
        return _connected_neighbours(i, v, lane, world, roads, tables)
    own, seen = tables.along[i, lane, v], np.int64(tables.seen[i, lane])
    behind = seen
    while behind > 0 and tables.places[i, lane, behind - 1] >= own:
        behind -= 1
    front, rear = -1, -1
    nearest = math.inf
    for k in range(behind, seen):
        if tables.places[i, lane, k] > nearest:
            break
        if tables.order[i, lane, k] != v:
            front, nearest = np.int64(tables.order[i, lane, k]), tables.places[i, lane, k]
    for k in range(behind - 1, -1, -1):
        if rear >= 0 and tables.places[i, lane, k] < nearest:
            break
        rear, nearest = np.int64(tables.order[i, lane, k]), tables.places[i, lane, k]
    return front, rear


@jit
def gap_between(i, v, o, world, tables):  # type: ignore[no-untyped-def]
    """m from the middle of v to that of o along v's lane."""
    lane = np.int64(world.vehicles.lane[i, v])
    return tables.along[i, lane, o] - tables.along[i, lane, v]


@jit
def _longer(i, v, world):  # type: ignore[no-untyped-def]
    """m from the middle of v to its ends, beyond those of a car of VEHICLE_LENGTH; 0 of what stands."""
    if world.vehicles.behaviour[i, v] in (OBSTACLE, LANDMARK):
        return 0.0
    return (world.vehicles.length[i, v] - VEHICLE_LENGTH) / 2


@jit
def jam_distance(i, driver, v, front, world):  # type: ignore[no-untyped-def]
    """m between the middles of v and `front` that `driver`, if it were v, would keep in a jam."""
    return world.vehicles.distance_wanted[i, driver] + _longer(i, v, world) + _longer(i, front, world)


@jit
def desired_gap(i, driver, v, front, world):  # type: ignore[no-untyped-def]
    """s* in m that `driver`, if it were v, would keep to `front`: d₀ + v T + v Δv / (2 √(a b)).

    Velocities are those along v's heading; the gap is not kept from being negative.
    """
    vehicles = world.vehicles
    speed, heading = world.vehicles.speed[i, v], world.vehicles.heading[i, v]
    approach = speed
    if world.vehicles.behaviour[i, front] != OBSTACLE:
        turned = world.vehicles.heading[i, front] - heading
        approach -= world.vehicles.speed[i, front] * (math.cos(turned) if turned != 0.0 else 1.0)
    root = 2 * math.sqrt(-vehicles.comfort_acc_max[i, driver] * vehicles.comfort_acc_min[i, driver])
    jam = jam_distance(i, driver, v, front, world)
    return jam + speed * vehicles.time_wanted[i, driver] + speed * approach / root


@jit
def free_acceleration(i, driver, v, world, roads):  # type: ignore[no-untyped-def]
    """m/s² that `driver` would command if it were v on an empty road: IDM's a [1 - (v/v₀)^δ], or linear in v₀ - v."""
    vehicles = world.vehicles
    behaviour, speed = vehicles.behaviour[i, v], vehicles.speed[i, v]
    if is_linear(vehicles.behaviour[i, driver]):
        return vehicles.gain_speed[i, driver] * (vehicles.target_speed[i, v] - speed) if has_targets(behaviour) else 0.0
    target = vehicles.target_speed[i, v] if has_targets(behaviour) else 0.0
    limit = roads.lanes.speed_limit[world.road[i], vehicles.lane[i, v]]
    if not math.isnan(limit):
        target = clip(target, 0.0, limit)
    if speed <= 0:
        return vehicles.comfort_acc_max[i, driver]
    ratio, delta = speed / abs(not_zero(target)), vehicles.delta[i, driver]
    excess = ratio * ratio * ratio * ratio if delta == 4.0 else math.pow(ratio, delta)
    return vehicles.comfort_acc_max[i, driver] * (1 - excess)


@jit
def interaction(i, driver, v, front, world, tables):  # type: ignore[no-untyped-def]
    """m/s² that `driver`, if it were v, would brake by for `front` (-1: nobody): IDM's a (s*/s)², or linear."""
    if front < 0:
        return 0.0
    vehicles = world.vehicles
    gap = gap_between(i, v, front, world, tables)
    if is_linear(vehicles.behaviour[i, driver]):
        speed = vehicles.speed[i, v]
        safe = jam_distance(i, driver, v, front, world)
        safe += (speed if speed > 0 else 0.0) * vehicles.time_wanted[i, driver]
        approach = clip(vehicles.speed[i, front] - speed, -math.inf, 0.0)
        room = clip(gap - safe, -math.inf, 0.0)
        return -(vehicles.gain_approach[i, driver] * approach + vehicles.gain_room[i, driver] * room)
    shortage = desired_gap(i, driver, v, front, world) / not_zero(gap)
    return vehicles.comfort_acc_max[i, driver] * shortage * shortage


@jit
def acceleration(i, driver, v, front, world, roads, tables):  # type: ignore[no-untyped-def]
    """m/s² that `driver` would command if it were v behind `front`; 0 of nobody (v = -1), and of what stands."""
    if v < 0:
        return 0.0
    stands = world.vehicles.behaviour[i, v] in (OBSTACLE, LANDMARK)
    if stands and not is_linear(world.vehicles.behaviour[i, driver]):
        return 0.0
    braking = interaction(i, driver, v, front, world, tables)
    return free_acceleration(i, driver, v, world, roads) - braking


@jit
def _is_of_advantage(i, v, lane, braking, braking_here, world, roads):  # type: ignore[no-untyped-def]
    """Whether its route leads vehicle v to `lane`, where it brakes by `braking`, or it brakes less there than here."""
    at = np.int64(world.vehicles.route_at[i, v])
    if at < world.route.shape[2] and world.route[i, v, at, 0] >= 0 and world.route[i, v, at, 1] >= 0:
        r = world.road[i]
        target = np.int64(roads.lanes.number[r, world.vehicles.target_lane[i, v]])
        change = np.int64(roads.lanes.number[r, lane]) - target
        planned = np.int64(world.route[i, v, at, 1]) - target
        is_same_way = (change > 0) == (planned > 0) and (change < 0) == (planned < 0)
        there = free_acceleration(i, v, v, world, roads) - braking
        return is_same_way and there >= -LANE_CHANGE_MAX_BRAKING_IMPOSED
    gain = braking_here - braking
    is_careful = world.vehicles.behaviour[i, v] in (AGGRESSIVE, DEFENSIVE)
    return gain >= (CAREFUL_MIN_ACC_GAIN if is_careful else LANE_CHANGE_MIN_ACC_GAIN)


@jit
def _is_safe(i, v, rear, world, roads, tables):  # type: ignore[no-untyped-def]
    """Whether `rear` (-1: nobody) need not brake hard for vehicle v, as v itself would drive in its place."""
    vehicles = world.vehicles
    if rear >= 0 and not is_linear(vehicles.behaviour[i, v]) and vehicles.behaviour[i, rear] != OBSTACLE:
        braking = interaction(i, v, rear, v, world, tables)
        if braking > vehicles.comfort_acc_max[i, v] + LANE_CHANGE_MAX_BRAKING_IMPOSED:  # IDM wants no more than it
            return False
    return acceleration(i, v, rear, v, world, roads, tables) >= -LANE_CHANGE_MAX_BRAKING_IMPOSED


@jit
def _mobil(i, v, lane, braking_here, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Whether vehicle v should change to `lane`: of advantage to itself, and safe for who is behind there."""
    front, rear = neighbours(i, v, lane, world, roads, tables, params.connected_neighbours)
    braking = interaction(i, v, v, front, world, tables)
    if not _is_of_advantage(i, v, lane, braking, braking_here, world, roads):
        return False
    return _is_safe(i, v, rear, world, roads, tables)


@jit
def _gives_way(i, v, world, tables):  # type: ignore[no-untyped-def]
    """Whether another one, just ahead, is changing to the lane that v is changing to."""
    target = world.vehicles.target_lane[i, v]
    for o in range(world.vehicles.shape[1]):
        if (
            o != v
            and world.vehicles.present[i, o]
            and world.vehicles.target_lane[i, o] == target
            and world.vehicles.lane[i, o] != target
            and has_targets(world.vehicles.behaviour[i, o])
        ):
            gap = gap_between(i, v, o, world, tables)
            if 0 < gap < desired_gap(i, v, v, o, world):
                return True
    return False


@jit
def _choose_lane(i, v, braking, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Set vehicle v's target lane: give up a change that another makes, and ask MOBIL every second.

    `braking` is what the one ahead makes it brake by, on its lane.
    """
    r, lane, target = world.road[i], np.int64(world.vehicles.lane[i, v]), np.int64(world.vehicles.target_lane[i, v])
    segment = roads.lanes.segment[r, lane]
    if lane != target:
        if segment == roads.lanes.segment[r, target] and _gives_way(i, v, world, tables):
            world.vehicles.target_lane[i, v] = lane
        return
    if world.vehicles.timer[i, v] <= LANE_CHANGE_DELAY:
        return
    world.vehicles.timer[i, v] = 0.0
    for side in (-1, 1):
        number = roads.lanes.number[r, lane] + side
        if (
            0 <= number < roads.segments.segment_lanes[r, segment]
            and is_reachable(r, lane + side, roads, tables.along[i, lane + side, v], tables.across[i, lane + side, v])
            and abs(world.vehicles.speed[i, v]) >= 1
            and _mobil(i, v, lane + side, braking, world, roads, tables, params)
        ):
            world.vehicles.target_lane[i, v] = lane + side


@jit
def _steer_linearly(i, v, world, roads, tables):  # type: ignore[no-untyped-def]
    """Steering angle in rad, linear in the errors of heading and lateral place."""
    lane = np.int64(world.vehicles.target_lane[i, v])
    speed, length = world.vehicles.speed[i, v], world.vehicles.length[i, v]
    ahead = heading_at(world.road[i], lane, roads, tables.along[i, lane, v] + speed * TAU_PURSUIT)
    fast = not_zero(speed)
    turn = wrap(ahead - world.vehicles.heading[i, v]) * length / fast
    shift = -tables.across[i, lane, v] * length / (fast * fast)
    return clip(
        world.vehicles.gain_heading[i, v] * turn + world.vehicles.gain_lateral[i, v] * shift,
        -MAX_STEERING,
        MAX_STEERING,
    )


@jit
def decide(i, v, action, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Lane, steering and acceleration of vehicle v for the next substep; crashed traffic decides nothing.

    Args:
        action: ego's meta action, IDLE after the first substep; without meaning for traffic.
    """
    vehicles = world.vehicles
    is_ego = vehicles.behaviour[i, v] == EGO_META
    if vehicles.crashed[i, v] and not is_ego:
        return
    if is_ego and action in (FASTER, SLOWER):
        choose_speed(i, action, world, params)
    for k in range(2):
        follow_road(i, v, world, roads, tables)
        if k == 1 or not is_ego or action == IDLE:
            break
        if action in (LANE_LEFT, LANE_RIGHT):  # the original follows the road before its action, and after
            change_lane(i, 1 if action == LANE_RIGHT else -1, world, roads, tables)
    braking = 0.0
    if not is_ego:
        front, _ = neighbours(i, v, np.int64(vehicles.lane[i, v]), world, roads, tables, params.connected_neighbours)
        braking = interaction(i, v, v, front, world, tables)
        if vehicles.lane_changes[i, v]:
            _choose_lane(i, v, braking, world, roads, tables, params)
    if is_linear(vehicles.behaviour[i, v]):
        vehicles.steering[i, v] = _steer_linearly(i, v, world, roads, tables)
    else:
        vehicles.steering[i, v] = steer_to_lane(i, v, world, roads, tables)
    if is_ego:
        vehicles.acceleration[i, v] = KP_ACCELERATION * (vehicles.target_speed[i, v] - vehicles.speed[i, v])
        return
    target = np.int64(vehicles.target_lane[i, v])
    if vehicles.lane[i, v] != target:  # between lanes, be careful on both
        front, _ = neighbours(i, v, target, world, roads, tables, params.connected_neighbours)
        needed = interaction(i, v, v, front, world, tables)
        if needed > braking:
            braking = needed
    command = free_acceleration(i, v, v, world, roads) - braking
    vehicles.acceleration[i, v] = clip(command, -ACC_MAX, ACC_MAX)
