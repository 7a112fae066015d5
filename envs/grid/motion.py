"""What happens in a maze: a disc that drives and turns, walls it slides along; functions of one environment index.

Metres and radians: a cell is 1 m wide, x grows to the right and y downwards on the map, a heading of 0 looks along x
and grows clockwise, so that direction d of the grid is d * pi / 2. Turns in actions and sensors are positive to the
left, as Habitat's are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.grid.geodesic import UNREACHABLE, build_field, is_solid, shortest_way
from visnav.envs.grid.world import DX, DY, ENDED, FRESH, OBJECT_GOAL, PLAYING, whole
from visnav.envs.rng import normal

STOP, FORWARD, LEFT, RIGHT = range(4)  # Habitat's actions for point and object navigation
WALK_NAMES = ("stop", "forward", "left", "right")
DRIVE_NAMES = ("speed", "turn rate")  # of continuous actions

SLACK = np.float32(-0.01)  # reward of a step (Habitat's PointNav)
SUCCESS_REWARD = np.float32(2.5)
MAX_GOALS = 4  # an object is looked at from four sides
PIECE = np.float32(1 / 16)  # of a radius: how far an agent moves between two looks at what it touches
LOST = np.float32(1e-5)  # m², Habitat's EPS: a move that falls shorter than this is a collision

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_QUARTER, _FULL = np.float32(math.pi / 2), np.float32(2 * math.pi)


class Motion(NamedTuple):
    """How the agents of a batch move and when they succeed; what every row shares."""

    radius: np.float32  # m, of the disc
    stride: np.float32  # m a step at full speed
    turn: np.float32  # rad a step at the full turn rate
    success_distance: np.float32  # m, geodesic: success is nearer than this
    needs_stop: bool  # whether the agent has to say that it has arrived
    dense: bool  # whether the reward follows the distance
    gps_noise: np.float32  # m, standard deviation of each coordinate that is sensed
    compass_noise: np.float32  # rad, of the heading that is sensed


class Trip(NamedTuple):
    """What N agents under continuous control have behind them and before them, one row each."""

    start: NDArray[np.float32]  # (N, 3) pose at the reset: m, m, rad
    error: NDArray[np.float32]  # (N, 3) of the pose as it is sensed now: m, m, rad
    distance: NDArray[np.float32]  # (N,) m to the nearest goal, geodesic
    start_distance: NDArray[np.float32]  # (N,) m, at the reset
    path_length: NDArray[np.float32]  # (N,) m driven
    collisions: NDArray[np.int32]  # (N,) steps that were cut short by something solid
    collided: NDArray[np.bool_]  # (N,) whether the last one was
    num_goals: NDArray[np.int32]  # (N,)
    goals: NDArray[np.float32]  # (N, G, 2) m, any of which is to be reached
    num_corners: NDArray[np.int32]  # (N,)
    corners: NDArray[np.float32]  # (N, M, 4) x, y in m, and the signs of the quadrant that the arc lies in
    potential: NDArray[np.float32]  # (N, M, 2) m to the goal from the arc's start, clockwise and anticlockwise
    settled: NDArray[np.bool_]  # (N, M, 2) room for Dijkstra's algorithm


def make_trip(num_envs: int, width: int, height: int, goals: int = MAX_GOALS) -> Trip:
    """N rows for grids of width x height cells and so many goals."""
    corners = (width - 1) * (height - 1)
    return Trip(
        start=np.zeros((num_envs, 3), np.float32),
        error=np.zeros((num_envs, 3), np.float32),
        distance=np.zeros(num_envs, np.float32),
        start_distance=np.zeros(num_envs, np.float32),
        path_length=np.zeros(num_envs, np.float32),
        collisions=np.zeros(num_envs, np.int32),
        collided=np.zeros(num_envs, np.bool_),
        num_goals=np.zeros(num_envs, np.int32),
        goals=np.zeros((num_envs, goals, 2), np.float32),
        num_corners=np.zeros(num_envs, np.int32),
        corners=np.zeros((num_envs, corners, 4), np.float32),
        potential=np.zeros((num_envs, corners, 2), np.float32),
        settled=np.zeros((num_envs, corners, 2), np.bool_),
    )


# --- moving -------------------------------------------------------------------------------------------------


@jit
def _pushed_out(i, world, radius, x, y):  # type: ignore[no-untyped-def]
    """The place nearest to (x, y), whose cell is free, where the disc touches nothing solid.

    Faces of the four cells beside hold it back first; a corner of a diagonal one can only be met where neither of
    the cells beside it is solid. Cells are wider than the disc, so that these do not interfere.
    """
    column, row = whole(x), whole(y)
    west, east = is_solid(i, world, column - 1, row), is_solid(i, world, column + 1, row)
    north, south = is_solid(i, world, column, row - 1), is_solid(i, world, column, row + 1)
    low_x, high_x = np.float32(column) + radius, np.float32(column + 1) - radius
    low_y, high_y = np.float32(row) + radius, np.float32(row + 1) - radius
    if west and x < low_x:
        x = low_x
    elif east and x > high_x:
        x = high_x
    if north and y < low_y:
        y = low_y
    elif south and y > high_y:
        y = high_y
    for k in range(4):
        right, below = k % 2, k // 2
        if (east if right else west) or (south if below else north):
            continue
        if is_solid(i, world, column - 1 + 2 * right, row - 1 + 2 * below):
            corner_x, corner_y = np.float32(column + right), np.float32(row + below)
            dx, dy = x - corner_x, y - corner_y
            squared = dx * dx + dy * dy
            if squared < radius * radius and squared > _ZERO:
                scale = radius / np.float32(math.sqrt(squared))
                x, y = corner_x + dx * scale, corner_y + dy * scale
    return x, y


@jit
def _slide(i, world, radius, dx, dy):  # type: ignore[no-untyped-def]
    """Move agent i by (dx, dy) metres, sliding along what is solid. Returns the metres between start and end.

    It moves in pieces that are too short to get into anything, and is put back to where it just touches after each:
    what is left of its way along a wall is exact, round a corner to within PIECE of it.
    """
    start_x, start_y = world.pose[i, 0], world.pose[i, 1]
    x, y = start_x, start_y
    pieces = int(np.float32(math.sqrt(dx * dx + dy * dy)) / (PIECE * radius)) + 1
    dx, dy = dx / np.float32(pieces), dy / np.float32(pieces)
    for _ in range(pieces):
        x, y = _pushed_out(i, world, radius, x + dx, y + dy)
    world.pose[i, 0], world.pose[i, 1] = x, y
    world.agent[i, 0], world.agent[i, 1] = whole(x), whole(y)
    dx, dy = x - start_x, y - start_y
    return np.float32(math.sqrt(dx * dx + dy * dy))


@jit
def _turn(i, world, angle):  # type: ignore[no-untyped-def]
    """Turn agent i by an angle, clockwise; headings stay in [0, 2 pi)."""
    heading = world.pose[i, 2] + angle
    heading -= _FULL * np.float32(math.floor(heading / _FULL))
    world.pose[i, 2] = heading
    world.agent[i, 2] = whole(heading / _QUARTER + _HALF) % 4


@jit
def _drive(i, world, trip, motion, forward, left):  # type: ignore[no-untyped-def]
    """Go forward (m) while turning left (rad): along the arc's chord, then to its end's heading."""
    middle = world.pose[i, 2] - _HALF * left
    moved = _slide(
        i, world, motion.radius, forward * np.float32(math.cos(middle)), forward * np.float32(math.sin(middle))
    )
    _turn(i, world, -left)
    collided = moved * moved + LOST < forward * forward
    trip.collided[i] = collided
    trip.collisions[i] += collided
    trip.path_length[i] += moved


# --- sensing ------------------------------------------------------------------------------------------------


@jit
def _draw_errors(i, world, trip, motion):  # type: ignore[no-untyped-def]
    """New errors of the sensed pose, from the episode's own generator; no draws without noise."""
    if motion.gps_noise > _ZERO:
        trip.error[i, 0] = motion.gps_noise * np.float32(normal(world.rng[i]))
        trip.error[i, 1] = motion.gps_noise * np.float32(normal(world.rng[i]))
    if motion.compass_noise > _ZERO:
        trip.error[i, 2] = motion.compass_noise * np.float32(normal(world.rng[i]))


@jit
def wrapped(angle):  # type: ignore[no-untyped-def]
    """The angle in [-pi, pi)."""
    return angle - _FULL * np.float32(math.floor(angle / _FULL + _HALF))


@jit
def sense(i, world, trip, gps_out, compass_out, pointgoal_out):  # type: ignore[no-untyped-def]
    """Habitat's position sensors (`habitat/tasks/nav/nav.py`), from the pose as it is sensed.

    Args:
        gps_out: (N, 2) float32: metres ahead and to the right of the start, along the heading at the start.
        compass_out: (N, 1) float32: radians turned left since the start, in [-pi, pi).
        pointgoal_out: (N, 2) float32: metres straight to the goal, and its bearing in radians, positive to the left.
    """
    x, y = world.pose[i, 0] + trip.error[i, 0], world.pose[i, 1] + trip.error[i, 1]
    heading, start_heading = world.pose[i, 2] + trip.error[i, 2], trip.start[i, 2]
    dx, dy = x - trip.start[i, 0], y - trip.start[i, 1]
    cosine, sine = np.float32(math.cos(start_heading)), np.float32(math.sin(start_heading))
    gps_out[i, 0] = cosine * dx + sine * dy
    gps_out[i, 1] = cosine * dy - sine * dx
    compass_out[i, 0] = wrapped(start_heading - heading)
    dx, dy = trip.goals[i, 0, 0] - x, trip.goals[i, 0, 1] - y
    pointgoal_out[i, 0] = np.float32(math.sqrt(dx * dx + dy * dy))
    pointgoal_out[i, 1] = wrapped(heading - np.float32(math.atan2(dy, dx)))


# --- episodes -----------------------------------------------------------------------------------------------


@jit
def _set_goals(i, world, trip, params):  # type: ignore[no-untyped-def]
    """The middle of the target's cell; of an object, of the free cells beside it."""
    column, row = world.target[i, 0], world.target[i, 1]
    trip.num_goals[i] = 0
    trip.goals[i] = _ZERO
    if params.objective != OBJECT_GOAL:
        trip.goals[i, 0, 0], trip.goals[i, 0, 1] = np.float32(column) + _HALF, np.float32(row) + _HALF
        trip.num_goals[i] = 1
        return
    for direction in range(4):
        x, y = column + DX[direction], row + DY[direction]
        if not is_solid(i, world, x, y):
            goal = trip.goals[i, trip.num_goals[i]]
            goal[0], goal[1] = np.float32(x) + _HALF, np.float32(y) + _HALF
            trip.num_goals[i] += 1


@jit
def start(i, world, slots, trip, params, motion):  # type: ignore[no-untyped-def]
    """Begin the trip of a level that was just made; one whose goal is out of reach cannot be played."""
    for k in range(3):
        trip.start[i, k] = world.pose[i, k]
    trip.error[i] = _ZERO
    trip.path_length[i] = _ZERO
    trip.collisions[i] = 0
    trip.collided[i] = False
    _set_goals(i, world, trip, params)
    build_field(i, world, trip, motion.radius)
    distance, _, _ = shortest_way(i, world, trip, motion.radius, world.pose[i, 0], world.pose[i, 1])
    trip.distance[i] = distance
    trip.start_distance[i] = distance
    slots.failed[i] |= distance == UNREACHABLE
    _draw_errors(i, world, trip, motion)


@jit
def _advance(i, world, trip, params, motion, forward, left, stops, outcome):  # type: ignore[no-untyped-def]
    """One step of agent i, `params.action_repeat` times or until the episode ends.

    Reward is that of Habitat's PointNav: the metres that the geodesic distance shrank by, SLACK, and SUCCESS_REWARD;
    or 1 on success where it is sparse. terminated and truncated can both be true.
    """
    reward = _ZERO
    success, terminated, truncated = False, False, False
    for _ in range(params.action_repeat):
        world.step_count[i] += 1
        _drive(i, world, trip, motion, forward, left)
        before = trip.distance[i]
        after, _, _ = shortest_way(i, world, trip, motion.radius, world.pose[i, 0], world.pose[i, 1])
        trip.distance[i] = after
        success = after < motion.success_distance and (stops or not motion.needs_stop)
        terminated = success or stops
        if motion.dense:
            reward += before - after + SLACK + (SUCCESS_REWARD if success else _ZERO)
        elif success:
            reward += _ONE
        truncated = world.step_count[i] >= params.max_steps
        if terminated or truncated:
            world.phase[i] = ENDED
            break
    _draw_errors(i, world, trip, motion)
    outcome.reward[i] = reward
    outcome.terminated[i] = terminated
    outcome.truncated[i] = truncated
    outcome.success[i] = success


@jit
def _is_fresh(i, world, outcome):  # type: ignore[no-untyped-def]
    """Whether world i was reset by this very step, whose action is then not played."""
    if world.phase[i] != FRESH:
        return False
    world.phase[i] = PLAYING
    outcome.reward[i] = 0.0
    outcome.terminated[i] = False
    outcome.truncated[i] = False
    outcome.success[i] = False
    return True


@jit
def clipped(value):  # type: ignore[no-untyped-def]
    """The value within -1..1."""
    if value < -_ONE:
        return -_ONE
    return _ONE if value > _ONE else value


@jit
def drive_step(i, world, trip, params, motion, actions, outcome):  # type: ignore[no-untyped-def]
    """Play actions[i], (N, 2) float32: speed forward and rate of turning left, as shares -1..1 of the full ones."""
    if not _is_fresh(i, world, outcome):
        forward, left = motion.stride * clipped(actions[i, 0]), motion.turn * clipped(actions[i, 1])
        _advance(i, world, trip, params, motion, forward, left, False, outcome)


@jit
def walk_step(i, world, trip, params, motion, actions, outcome):  # type: ignore[no-untyped-def]
    """Play actions[i], (N,) int64: STOP, FORWARD by a stride, LEFT or RIGHT by a turn."""
    if not _is_fresh(i, world, outcome):
        action = actions[i]
        forward = motion.stride if action == FORWARD else _ZERO
        left = motion.turn if action == LEFT else -motion.turn if action == RIGHT else _ZERO
        _advance(i, world, trip, params, motion, forward, left, action == STOP, outcome)


# --- loops over rows lo..hi ---------------------------------------------------------------------------------


@jit
def start_rows(lo, hi, chosen, world, slots, trip, params, motion):  # type: ignore[no-untyped-def]
    """`start` for those of rows lo..hi that are chosen and have a level."""
    for i in range(lo, hi):
        if chosen[i] and not slots.failed[i]:
            start(i, world, slots, trip, params, motion)


@jit
def drive_rows(lo, hi, world, trip, params, motion, actions, outcome):  # type: ignore[no-untyped-def]
    """`drive_step`."""
    for i in range(lo, hi):
        drive_step(i, world, trip, params, motion, actions, outcome)


@jit
def walk_rows(lo, hi, world, trip, params, motion, actions, outcome):  # type: ignore[no-untyped-def]
    """`walk_step`."""
    for i in range(lo, hi):
        walk_step(i, world, trip, params, motion, actions, outcome)


@jit
def sense_rows(lo, hi, world, trip, gps_out, compass_out, pointgoal_out):  # type: ignore[no-untyped-def]
    """`sense`."""
    for i in range(lo, hi):
        sense(i, world, trip, gps_out, compass_out, pointgoal_out)


@jit
def field_rows(lo, hi, world, trip, radius):  # type: ignore[no-untyped-def]
    """`build_field`."""
    for i in range(lo, hi):
        build_field(i, world, trip, radius)


@jit
def distance_rows(lo, hi, world, trip, radius, points, distances_out):  # type: ignore[no-untyped-def]
    """Metres from points (N, K, 2) to the goals, into distances_out (N, K); UNREACHABLE from inside of solid cells.

    Beside a wall a way begins where the disc just fits.
    """
    for i in range(lo, hi):
        for k in range(points.shape[1]):
            distances_out[i, k] = UNREACHABLE
            x, y = points[i, k, 0], points[i, k, 1]
            if not is_solid(i, world, whole(x), whole(y)):
                x, y = _pushed_out(i, world, radius, x, y)
                distances_out[i, k], _, _ = shortest_way(i, world, trip, radius, x, y)
