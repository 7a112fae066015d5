"""An expert for mazes: it turns to the shortest way and drives along it (Habitat's ShortestPathFollower)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.grid.geodesic import shortest_way
from visnav.envs.grid.motion import FORWARD, LEFT, RIGHT, STOP, clipped, wrapped
from visnav.envs.grid.navigation import Navigation
from visnav.envs.grid.world import World

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_AHEAD = np.float32(math.radians(15))  # a way that is further to the side is turned to on the spot


@jit
def _bearing(i, world, trip, motion):  # type: ignore[no-untyped-def]
    """(metres to the goal, radians to the left) of the shortest way from where agent i stands."""
    distance, ux, uy = shortest_way(i, world, trip, motion.radius, world.pose[i, 0], world.pose[i, 1])
    return distance, wrapped(world.pose[i, 2] - np.float32(math.atan2(uy, ux)))


@jit
def follow_walking(lo, hi, world, trip, motion, actions_out):  # type: ignore[no-untyped-def]
    """Discrete actions (N,) int64 of rows lo..hi."""
    for i in range(lo, hi):
        distance, left = _bearing(i, world, trip, motion)
        if distance < motion.success_distance:
            actions_out[i] = STOP
        elif abs(left) <= _HALF * motion.turn:
            actions_out[i] = FORWARD
        else:
            actions_out[i] = LEFT if left > _ZERO else RIGHT


@jit
def follow_driving(lo, hi, world, trip, motion, actions_out):  # type: ignore[no-untyped-def]
    """Continuous actions (N, 2) float32 of rows lo..hi: full speed where the way is ahead."""
    for i in range(lo, hi):
        distance, left = _bearing(i, world, trip, motion)
        turn = clipped(left / motion.turn)
        aside = left - _HALF * turn * motion.turn  # a step goes along the heading in the middle of its turn
        actions_out[i, 0] = clipped(distance / motion.stride) if abs(aside) <= _AHEAD else _ZERO
        actions_out[i, 1] = turn


def follow(lo: int, hi: int, world: World, navigation: Navigation, actions_out: NDArray[Any]) -> None:
    """Write the next actions of rows lo..hi, (N,) int64 or (N, 2) float32, as the task has them."""
    kernel = follow_walking if navigation.motion.needs_stop else follow_driving
    kernel(lo, hi, world, navigation.trip, navigation.motion, actions_out)
