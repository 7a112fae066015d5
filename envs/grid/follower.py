"""An expert for mazes: it turns to the shortest way and drives along it (Habitat's ShortestPathFollower)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs import batch
from visnav.envs.batch import jit
from visnav.envs.grid.geodesic import shortest_way
from visnav.envs.grid.motion import FORWARD, LEFT, RIGHT, STOP, clipped, wrapped
from visnav.envs.grid.simulation import GridSimulation

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


class ShortestPathFollower:
    """Actions along the shortest ways of a batch of mazes, from the worlds as they are.

    Args:
        simulation: `env.unwrapped.simulation` of a task under continuous control, with either kind of action.

    Raises:
        ValueError: a task that moves in grid steps.
    """

    def __init__(self, simulation: GridSimulation) -> None:
        if simulation.navigation is None:
            raise ValueError(
                "shortest ways in metres are for tasks under continuous control; this one moves in grid steps"
            )
        self.simulation = simulation
        self.navigation = simulation.navigation

    def actions(self) -> NDArray[Any]:
        """The next action of every slot: (N,) int64, or (N, 2) float32."""
        simulation, space = self.simulation, self.navigation.action_space
        found = np.zeros((simulation.num_envs, *(space.shape or ())), space.dtype)
        follow = follow_driving if space.shape else follow_walking

        def work(lo: int, hi: int) -> None:
            follow(lo, hi, simulation.world, self.navigation.trip, self.navigation.motion, found)

        batch.run(work, simulation.num_envs, simulation.num_threads)
        return found
