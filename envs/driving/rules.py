"""What happens in a driving world: one policy step, its reward, one reset; functions of one environment index.

The order of things is that of `highway_env/envs/common/abstract.py`: ego's action, then in every substep decisions,
motion, collisions.
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.driving.collisions import collide_all
from visnav.envs.driving.control import (
    clip,
    drive,
    is_meta,
    locate,
    locate_all,
    meta_action,
    order_lanes,
    speed_to_index,
    target_index,
)
from visnav.envs.driving.lanes import is_on
from visnav.envs.driving.regulation import regulate
from visnav.envs.driving.spawning import fit_out
from visnav.envs.driving.traffic import decide, has_targets
from visnav.envs.driving.vehicles import move
from visnav.envs.driving.world import (
    ACTION,
    ARRIVED,
    CLIPPED_SPEED,
    COLLISION,
    EGO_DIRECT,
    EGO_META,
    ENDED,
    EXIT,
    FRESH,
    GOAL,
    GOAL_SCALES,
    HALF_SPEED_INDEX,
    HIGH_SPEED,
    IDLE,
    LANDMARK,
    LANE_CENTERING,
    LANE_CHANGE,
    LANE_LEFT,
    LANE_NUMBER,
    LANE_RIGHT,
    LANE_SHARE,
    LATERAL,
    LEFT_LANE,
    MERGING_SPEED,
    OBSTACLE,
    ON_ROAD,
    PLAYING,
    RIGHT_LANE,
    SPEED,
    SPEED_INDEX,
    TARGET_NUMBER,
    TERMS,
)
from visnav.envs.levels import MAX_DRAWS, in_split
from visnav.envs.rng import HASH_START, digested, mixed

# --- step --------------------------------------------------------------------------------------------------------


@jit
def is_movable(behaviour):  # type: ignore[no-untyped-def]
    """Whether it is a vehicle, and no obstacle or landmark."""
    return behaviour != OBSTACLE and behaviour != LANDMARK


@jit
def substep(i, action, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Everybody decides, everybody moves, and who meets collides: `params.dt` s. `action` is ego's meta action."""
    vehicles = world.vehicles
    is_ordered = False
    for v in range(vehicles.shape[1]):
        if vehicles.present[i, v] and has_targets(vehicles.behaviour[i, v]):
            if v > 0 and not is_ordered:
                order_lanes(i, world, roads, tables)
                is_ordered = True
            decide(i, v, action, world, roads, tables, params)
    world.substeps[i] += 1
    if params.regulation_period > 0 and world.substeps[i] % params.regulation_period == 0:
        regulate(i, world, roads, tables, params)
    for v in range(vehicles.shape[1]):
        if vehicles.present[i, v] and is_movable(vehicles.behaviour[i, v]):
            vehicles.timer[i, v] += params.dt
            move(i, v, params.dt, world, params)
            vehicles.lane[i, v] = locate(i, v, world, roads, tables)
    collide_all(i, world, tables, params.dt)


@jit
def on_road(i, world, roads, tables):  # type: ignore[no-untyped-def]
    """Whether ego is on its lane."""
    r, lane = world.road[i], np.int64(world.vehicles.lane[i, 0])
    return is_on(r, lane, roads, tables.along[i, lane, 0], tables.across[i, lane, 0], 0.0)


@jit
def has_arrived(i, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Whether ego is on a lane of arrival, far enough along it."""
    lane = np.int64(world.vehicles.lane[i, 0])
    return roads.lanes.arrival[world.road[i], lane] and tables.along[i, lane, 0] >= params.arrival_distance


@jit
def _merging_speed(i, world, roads):  # type: ignore[no-untyped-def]
    """Sum of (v* - v) / v* of those on merging lanes."""
    total = 0.0
    for v in range(world.vehicles.shape[1]):
        if (
            world.vehicles.present[i, v]
            and roads.lanes.merging[world.road[i], world.vehicles.lane[i, v]]
            and has_targets(world.vehicles.behaviour[i, v])
        ):
            total += (world.vehicles.target_speed[i, v] - world.vehicles.speed[i, v]) / world.vehicles.target_speed[
                i, v
            ]
    return total


@jit
def goal_distance(i, world, params):  # type: ignore[no-untyped-def]
    """√(Σ weight · |difference|) of ego's place, velocity and direction from the goal's, which stands (ParkingEnv).

    To the last bit what `DrivingSimulation.compute_reward` makes of the observation.
    """
    heading, wanted, speed = world.vehicles.heading[i, 0], world.goal[i, 2], world.vehicles.speed[i, 0]
    weights = params.goal_weights
    return math.sqrt(
        weights[0] * abs(world.vehicles.x[i, 0] / GOAL_SCALES[0] - world.goal[i, 0] / GOAL_SCALES[0])
        + weights[1] * abs(world.vehicles.y[i, 0] / GOAL_SCALES[1] - world.goal[i, 1] / GOAL_SCALES[1])
        + weights[2] * abs(speed * math.cos(heading) / GOAL_SCALES[2])
        + weights[3] * abs(speed * math.sin(heading) / GOAL_SCALES[3])
        + weights[4] * abs(math.cos(heading) - math.cos(wanted))
        + weights[5] * abs(math.sin(heading) - math.sin(wanted))
    )


@jit
def reward_term(k, i, command, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Reward term k (`world.TERMS`) of row i as it stands, before weighting."""
    r, lane = world.road[i], np.int64(world.vehicles.lane[i, 0])
    speed = world.vehicles.speed[i, 0]
    span = params.reward_high - params.reward_low
    others = np.int64(roads.segments.segment_lanes[r, roads.lanes.segment[r, lane]]) - 1
    target = np.int64(roads.lanes.number[r, world.vehicles.target_lane[i, 0] if is_meta(params) else lane])
    if k == COLLISION:
        return 1.0 if world.vehicles.crashed[i, 0] else 0.0
    if k == RIGHT_LANE:
        return target / (others if others > 1 else 1)
    if k == LANE_NUMBER:
        return np.float64(roads.lanes.number[r, lane])
    if k == TARGET_NUMBER:
        return np.float64(target)
    if k == LANE_SHARE:
        return np.float64(roads.lanes.number[r, lane]) / (others if others > 1 else 1)
    if k == HIGH_SPEED:
        return clip((speed * math.cos(world.vehicles.heading[i, 0]) - params.reward_low) / span, 0.0, 1.0)
    if k == SPEED:
        return (speed - params.reward_low) / span
    if k == CLIPPED_SPEED:
        return clip((speed - params.reward_low) / span, 0.0, 1.0)
    if k == SPEED_INDEX:
        return world.speed_index[i] / (len(params.target_speeds) - 1)
    if k == HALF_SPEED_INDEX:
        return (world.speed_index[i] if is_meta(params) else speed_to_index(speed, 20.0, 30.0, 3)) / 2
    if k == LANE_CHANGE:
        return 1.0 if command[0] == LANE_LEFT or command[0] == LANE_RIGHT else 0.0
    if k == MERGING_SPEED:
        return _merging_speed(i, world, roads)
    if k == LANE_CENTERING:
        across = tables.across[i, lane, 0]
        return 1 / (1 + params.centering_cost * across * across)
    if k == LATERAL:
        kept = np.int64(world.vehicles.target_lane[i, 0])
        share = tables.across[i, kept, 0] / roads.lanes.width[r, kept]
        return 1 - share * share
    if k == ON_ROAD:
        return 1.0 if on_road(i, world, roads, tables) else 0.0
    if k == ACTION:
        return math.sqrt(command[0] * command[0] + command[1] * command[1])
    if k == ARRIVED:
        return 1.0 if has_arrived(i, world, roads, tables, params) else 0.0
    if k == LEFT_LANE:
        return (others - target) / (others if others > 1 else 1)
    if k == EXIT:
        return 1.0 if roads.lanes.arrival[r, world.vehicles.target_lane[i, 0] if is_meta(params) else lane] else 0.0
    if k == GOAL:
        return -goal_distance(i, world, params)
    return 0.0


@jit
def _reward(i, command, world, roads, tables, params, terms_out):  # type: ignore[no-untyped-def]
    """The weighted terms of row i, as the task maps them; the terms are left in terms_out[i]."""
    total = 0.0
    for k in range(len(TERMS)):
        if params.computed[k]:
            term = reward_term(k, i, command, world, roads, tables, params)
            terms_out[i, k] = term
            total += params.weights[k] * term
    if not math.isnan(params.arrived_reward) and has_arrived(i, world, roads, tables, params):
        total = params.arrived_reward
    total = (total - params.worst) / (params.best - params.worst)
    if params.clip_reward:
        total = clip(total, 0.0, 1.0)
    if not math.isnan(params.off_road_reward) and not on_road(i, world, roads, tables):
        return params.off_road_reward
    return total


@jit
def _has_ended(i, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Whether the episode is over, not for want of time."""
    return (
        (params.end_crash and world.vehicles.crashed[i, 0])
        or world.vehicles.x[i, 0] > params.end_x
        or (params.end_offroad and not on_road(i, world, roads, tables))
        or (params.end_arrived and has_arrived(i, world, roads, tables, params))
        or (params.goal_distance > 0 and goal_distance(i, world, params) < params.goal_distance)
    )


@jit
def _has_succeeded(i, command, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Whether an episode that is over ended well: where the task leads, or on the road if it leads nowhere."""
    if world.vehicles.crashed[i, 0]:
        return False
    if params.goal_distance > 0:
        return goal_distance(i, world, params) < params.goal_distance
    if params.end_arrived:
        return has_arrived(i, world, roads, tables, params)
    if params.computed[EXIT]:
        return reward_term(EXIT, i, command, world, roads, tables, params) > 0
    return on_road(i, world, roads, tables)


@jit
def step(i, world, roads, tables, params, renew, args, commands, outcome):  # type: ignore[no-untyped-def]
    """Play commands[i] in world i, `params.action_repeat` times or until the episode ends.

    The tables say where the vehicles are. A command is the number of a discrete action and 0, or one or two numbers
    in [-1, 1].
    """
    outcome.reward[i] = 0.0
    outcome.terminated[i] = False
    outcome.truncated[i] = False
    outcome.success[i] = False
    if world.phase[i] == FRESH:  # reset by this very step: its action is not played
        world.phase[i] = PLAYING
        return
    command = commands[i]
    for _ in range(params.action_repeat):
        world.step_count[i] += 1
        world.time[i] += params.policy_dt
        action = IDLE
        if is_meta(params):
            action = meta_action(np.int64(command[0]), params)
        else:
            drive(i, command, params, world)
        for _ in range(params.substeps):
            substep(i, action, world, roads, tables, params)
            action = IDLE
        outcome.reward[i] += _reward(i, command, world, roads, tables, params, outcome.terms)
        outcome.terminated[i] = _has_ended(i, world, roads, tables, params)
        outcome.truncated[i] = world.time[i] >= params.duration
        if outcome.terminated[i] or outcome.truncated[i]:
            world.phase[i] = ENDED
            outcome.success[i] = _has_succeeded(i, command, world, roads, tables, params)
        if params.renewed:
            renew(i, world, roads, args)
            fit_out(i, world, params)
            locate_all(i, world, roads, tables)
        if world.phase[i] == ENDED:
            break


# --- reset -------------------------------------------------------------------------------------------------------


@jit
def layout_hash(i, world):  # type: ignore[no-untyped-def]
    """FNV-1a, 64 bits, of the road of world i and of where everything on it is, to a millimetre; then SplitMix64."""
    digest = digested(HASH_START, world.road[i])
    for v in range(world.vehicles.shape[1]):
        if world.vehicles.present[i, v]:
            digest = digested(digest, np.int64(1000 * world.vehicles.x[i, v]))
            digest = digested(digest, np.int64(1000 * world.vehicles.y[i, v]))
            digest = digested(digest, np.int64(1000 * world.vehicles.heading[i, v]))
    return mixed(digest)


@jit
def make_level(i, number, world, roads, tables, slots, params, spawn, enter, args):  # type: ignore[no-untyped-def]
    """Make level `number` in row i: what seed `number` makes, for ever."""
    random_stream.seed(world.rng[i], number, False)
    world.road[i] = number % roads.num_lanes.shape[0]
    for v in range(world.vehicles.shape[1]):
        world.vehicles.present[i, v] = False
    world.step_count[i] = 0
    world.substeps[i] = 0
    world.time[i] = 0.0
    world.ego_turn[i] = 0
    spawn(i, world, roads, args)
    fit_out(i, world, params)
    if params.warm_up > 0:
        locate_all(i, world, roads, tables)
        for _ in range(params.warm_up):
            substep(i, IDLE, world, roads, tables, params)
        enter(i, world, roads, args)
        fit_out(i, world, params)
    if is_meta(params):
        world.vehicles.behaviour[i, 0] = EGO_META
        world.speed_index[i] = target_index(world.vehicles.target_speed[i, 0], params)
        world.vehicles.target_speed[i, 0] = params.target_speeds[world.speed_index[i]]
    else:
        world.vehicles.behaviour[i, 0] = EGO_DIRECT
        world.speed_index[i] = 0
    locate_all(i, world, roads, tables)
    slots.level[i] = number
    slots.layout[i] = layout_hash(i, world)


@jit
def reset(i, world, roads, tables, slots, params, source, spawn, enter, args):  # type: ignore[no-untyped-def]
    """Start slot i's next episode: the level asked for, else the next one of its stream that is in the split.

    Where MAX_DRAWS of them were not, `slots.level[i]` is -1.
    """
    if slots.next_level[i] >= 0:
        make_level(i, slots.next_level[i], world, roads, tables, slots, params, spawn, enter, args)
        slots.next_level[i] = -1
        return
    for _ in range(MAX_DRAWS):
        k = random_stream.integers(slots.stream[i], 0, source.amount)
        number = source.table[k] if source.table.shape[0] else source.start + source.step * k
        make_level(i, number, world, roads, tables, slots, params, spawn, enter, args)
        if in_split(slots.layout[i], source.split):
            return
    slots.level[i] = -1
