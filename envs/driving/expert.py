"""Experts: what a good driver does next, for imitation, baselines and tests.

With ContinuousAction it follows its route by pure pursuit, keeps its distance by IDM, and overtakes what is slow; where
traffic crosses its way it searches for its speed. Among discrete actions it searches, see `lookahead`.
"""

from __future__ import annotations

import math

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from visnav.envs import batch
from visnav.envs.batch import jit
from visnav.envs.driving.control import clip, not_zero
from visnav.envs.driving.lanes import lane_after, local_coordinates, position
from visnav.envs.driving.lookahead import Lookahead
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.driving.traffic import desired_gap
from visnav.envs.driving.world import VEHICLE_LENGTH

SIGHT = 80.0  # m ahead that an expert looks along its way
PURSUIT_TIME, PURSUIT_LEAST = 0.5, 4.0  # s and m ahead of the point that it steers to
CLEAR = 15.0  # m between middles that it wants to have behind it when it changes lanes
CROSSING, SEAM = 10.0, 0.01  # m ahead where it crosses to another lane, and of a gap that it dares to cross


@jit
def _way_on(i, lane, world, roads):  # type: ignore[no-untyped-def]
    """The lane after `lane` on ego's way: by its route, else the nearest one; -1 where the road ends."""
    r = world.road[i]
    here = np.int64(roads.lanes.segment[r, lane])
    x, y = position(r, lane, roads, roads.lanes.length[r, lane], 0.0)
    best, nearest = np.int64(-1), math.inf
    for k in range(roads.following.shape[2]):
        segment = np.int64(roads.following[r, here, k])
        if segment < 0:
            continue
        after, far = lane_after(r, lane, segment, -1, roads, x, y)
        for step in range(world.route.shape[2]):
            if world.route[i, 0, step, 0] == segment:
                far = -1.0
        if far < nearest:
            best, nearest = np.int64(after), far
    return best


@jit
def _ahead(i, lane, world, roads, tables):  # type: ignore[no-untyped-def]
    """(gap in m between middles, vehicle) of who is next on the way that begins on `lane`; (SIGHT, -1) of nobody."""
    r = world.road[i]
    begun = tables.along[i, lane, 0]
    gap, found = SIGHT, -1
    passed = 0.0
    for _ in range(6):
        for o in range(1, world.vehicles.shape[1]):
            if world.vehicles.present[i, o]:
                away = passed + tables.near[i, lane, o] - begun
                if 0 < away < gap:
                    gap, found = away, o
        passed += roads.lanes.length[r, lane]
        if passed - begun > gap:
            break
        lane = _way_on(i, lane, world, roads)
        if lane < 0:
            break
    return gap, found


@jit
def _way_ahead(i, lane, reach, world, roads, tables):  # type: ignore[no-untyped-def]
    """(lane, m along it): what is `reach` m ahead of ego's place on `lane`, on the way that begins there."""
    r = world.road[i]
    along = tables.along[i, lane, 0] + reach
    for _ in range(6):
        after = _way_on(i, lane, world, roads)
        if along <= roads.lanes.length[r, lane] or after < 0:
            break
        x, y = position(r, lane, roads, roads.lanes.length[r, lane], 0.0)
        along += local_coordinates(r, after, roads, x, y)[0] - roads.lanes.length[r, lane]
        lane = after
    return lane, along


@jit
def _is_flush(i, lane, side, reach, world, roads, tables):  # type: ignore[no-untyped-def]
    """Whether no gap, which would count as off the road, is between the lanes `reach` m ahead on the way."""
    r = world.road[i]
    lane, along = _way_ahead(i, lane, reach, world, roads, tables)
    number = roads.lanes.number[r, lane] + side
    if not 0 <= number < roads.segments.segment_lanes[r, roads.lanes.segment[r, lane]]:
        return False
    x, y = position(r, lane, roads, along, 0.0)
    across = local_coordinates(r, lane + side, roads, x, y)[1]
    return abs(across) <= (roads.lanes.width[r, lane] + roads.lanes.width[r, lane + side]) / 2 + SEAM


@jit
def _is_free_beside(i, lane, world, tables):  # type: ignore[no-untyped-def]
    """Whether nobody is on `lane` beside ego or close behind it."""
    for o in range(1, world.vehicles.shape[1]):
        away = tables.near[i, lane, o] - tables.along[i, lane, 0]
        if world.vehicles.present[i, o] and -CLEAR < away < CLEAR / 2:
            return False
    return True


@jit
def _best_lane(i, world, roads, tables):  # type: ignore[no-untyped-def]
    """Ego's lane, or one beside it where somebody slower is ahead and there is more room there."""
    r, lane = world.road[i], np.int64(world.vehicles.lane[i, 0])
    gap, front = _ahead(i, lane, world, roads, tables)
    speed = world.vehicles.speed[i, 0]
    if front < 0 or gap > CLEAR + 1.5 * speed or world.vehicles.speed[i, front] > speed:
        return lane
    best, room = lane, gap + VEHICLE_LENGTH
    for side in (-1, 1):
        number = roads.lanes.number[r, lane] + side
        exists = 0 <= number < roads.segments.segment_lanes[r, roads.lanes.segment[r, lane]]
        if exists and not roads.lanes.forbidden[r, lane + side]:
            there, _ = _ahead(i, lane + side, world, roads, tables)
            is_open = gap < CLEAR or (
                _is_flush(i, lane, side, 0.0, world, roads, tables)
                and _is_flush(i, lane, side, CROSSING, world, roads, tables)
            )
            if there > room and is_open and _is_free_beside(i, lane + side, world, tables):
                best, room = lane + side, there
    return best


@jit
def _pursue(i, lane, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Steering angle in rad whose arc meets the middle of the way some metres ahead.

    Coulter 1992, "Implementation of the Pure Pursuit Path Tracking Algorithm", for a point between the axles: with
    the slip angle β of the velocity, sin β = L/d sin(α - β), hence tan β = c sin α / (1 + c cos α), c = L/d.
    """
    r = world.road[i]
    time = (
        1.5 * params.policy_dt if 1.5 * params.policy_dt > PURSUIT_TIME else PURSUIT_TIME
    )  # a command is held so long
    reach = clip(time * abs(world.vehicles.speed[i, 0]), PURSUIT_LEAST, SIGHT)
    lane, along = _way_ahead(i, lane, reach, world, roads, tables)
    x, y = position(r, lane, roads, along, 0.0)
    dx, dy = x - world.vehicles.x[i, 0], y - world.vehicles.y[i, 0]
    cos, sin = math.cos(world.vehicles.heading[i, 0]), math.sin(world.vehicles.heading[i, 0])
    forward, right = dx * cos + dy * sin, dy * cos - dx * sin
    distance = math.sqrt(dx * dx + dy * dy)
    ratio = world.vehicles.length[i, 0] / distance
    tan_slip = ratio * right / not_zero(distance + ratio * forward)
    return math.atan(2 * tan_slip)


@jit
def _follow(i, lane, world, roads, tables, params):  # type: ignore[no-untyped-def]
    """Acceleration in m/s² by IDM towards the speed limit of ego's lane, behind who is next on its way."""
    speed = world.vehicles.speed[i, 0]
    limit = roads.lanes.speed_limit[world.road[i], world.vehicles.lane[i, 0]]
    if math.isnan(limit) or limit > params.max_speed:
        limit = params.max_speed
    ratio = speed / limit
    wanted = 1 - ratio * ratio * ratio * ratio
    gap, front = _ahead(i, lane, world, roads, tables)
    if front >= 0:
        share = desired_gap(i, 0, 0, front, world) / gap
        if share > 0:
            wanted -= share * share
    return world.vehicles.comfort_acc_max[i, 0] * wanted


@jit
def drive_rows(lo, hi, world, roads, tables, params, commands_out):  # type: ignore[no-untyped-def]
    """Write the expert's command for each of rows lo..hi under direct control: numbers in [-1, 1], as actions are."""
    for i in range(lo, hi):
        lane = _best_lane(i, world, roads, tables)
        steering = clip(_pursue(i, lane, world, roads, tables, params) / params.steering_high, -1.0, 1.0)
        span = params.acceleration_high - params.acceleration_low
        wanted = _follow(i, lane, world, roads, tables, params)
        throttle = clip(2 * (wanted - params.acceleration_low) / span - 1, -1.0, 1.0)
        k = 0
        if params.longitudinal:
            commands_out[i, 0] = throttle
            k = 1
        if params.lateral:
            commands_out[i, k] = steering


def drive(simulation: DrivingSimulation) -> NDArray[np.float32]:
    """(N, 1 or 2) float32: by pure pursuit and IDM, without a search, in worlds under direct control."""
    axes = int(simulation.params.longitudinal) + int(simulation.params.lateral)
    commands = np.zeros((simulation.num_envs, axes), np.float32)
    state = simulation.world, simulation.roads, simulation.tables, simulation.params
    batch.run(lambda lo, hi: drive_rows(lo, hi, *state, commands), simulation.num_envs, simulation.num_threads)
    return commands


class Expert:
    """Drives the worlds of a simulation.

    Args:
        simulation: whose states `actions` reads.

    Raises:
        ValueError: a task that asks for parking.
    """

    def __init__(self, simulation: DrivingSimulation) -> None:
        if simulation.params.goal_distance > 0:
            raise ValueError("the expert follows lanes and cannot park; use a task with a road ahead")
        self._simulation = simulation
        is_discrete = isinstance(simulation.action_space, Discrete)
        self._lookahead: Lookahead | None = None
        if is_discrete:
            self._lookahead = Lookahead(simulation)
        elif simulation.params.regulation_period > 0 and simulation.params.longitudinal:
            self._lookahead = Lookahead(simulation, drive)

    def actions(self) -> NDArray[np.int64] | NDArray[np.float32]:
        """(N,) int64 or (N, 1 or 2) float32, as `DrivingSimulation.step` takes them."""
        return drive(self._simulation) if self._lookahead is None else self._lookahead.actions()
