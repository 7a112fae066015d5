"""Plans for grid worlds that are seen whole: shortest paths, an expert's actions, and proof that a level can be solved.

    expert = Expert(envs)
    observation, reward, terminated, truncated, info = envs.step(expert.actions())

    actions = plan(env)  # from where the episode stands to its success, None where no plan is found

Lengths are numbers of actions: steps, turns, and whatever else it takes. `metres` measures shortest ways as mazes do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from visnav.envs import batch
from visnav.envs.grid import expert, loops, motion
from visnav.envs.grid.expert import NO_PLAN
from visnav.envs.grid.follower import follow
from visnav.envs.grid.navigation import RADIUS
from visnav.envs.grid.paths import make_search
from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import GOAL_KIND, PLAYING, UNSTARTED

__all__ = ["NO_PLAN", "Expert", "distances", "metres", "plan"]


class Expert:
    """An expert policy for every slot of a batch, as a function of the state alone.

    It sees the whole world, boxes' contents included, and plans anew at every call, so that it may be asked in any
    situation, also one that another policy got into. Its plans are near the shortest, not always equal to them.

    Args:
        envs: what `gym.make` or `gym.make_vec` returns, wrapped or not, or a `GridSimulation`.

    Raises:
        ValueError: action_repeat is more than 1.
    """

    def __init__(self, envs: Any) -> None:
        self.simulation = _simulation_of(envs)
        if self.simulation.action_repeat > 1:
            raise ValueError(
                f"an expert plans single steps, for action_repeat=1; got action_repeat={self.simulation.action_repeat}"
            )
        self._means = expert.means_of(self.simulation.task)

    def actions(self) -> NDArray[Any]:
        """What to do next in every slot.

        Returns:
            (N,) int64. NO_PLAN (-1) where no way to success is found; 0 where no episode is playing, whose action
            the next step does not play. In mazes with continuous actions (N, 2) float32.

        Raises:
            ResetNeeded: a slot was never reset.
        """
        simulation = _started(self.simulation)
        space = simulation.action_space
        actions = np.zeros((simulation.num_envs, *(space.shape or ())), space.dtype)

        def work(lo: int, hi: int) -> None:
            if simulation.navigation is not None:
                follow(lo, hi, simulation.world, simulation.navigation, actions)
                return
            search = make_search(simulation.task.height, simulation.task.width)
            loops.expert_rows(lo, hi, simulation.world, self._means, search, actions)

        batch.run(work, simulation.num_envs, simulation.num_threads)
        return actions


def plan(envs: Any) -> Any:
    """The expert's way from where each episode stands to its success, played by the rules; `envs` is left as it is.

    Args:
        envs: as for `Expert`.

    Returns:
        For one environment its list of actions (in mazes with continuous actions, of pairs), None where no plan
        succeeds before truncation; for a batch a list of N of them. It is None, too, for a slot whose episode has
        ended.

    Raises:
        ValueError: action_repeat is more than 1.
        ResetNeeded: a slot was never reset.
    """
    simulation = _started(_simulation_of(envs))
    num_envs = simulation.num_envs
    task = simulation.task
    rehearsal = GridSimulation(
        task, num_envs, camera="symbolic", num_threads=simulation.num_threads, **simulation.driving
    )
    rehearsal.set_state(simulation.get_state(slice(None)), slice(None))
    expert_of_rehearsal = Expert(rehearsal)
    history = []
    succeeded = np.zeros(num_envs, np.bool_)
    lengths = np.zeros(num_envs, np.int64)
    playing = rehearsal.world.phase == PLAYING
    while playing.any():
        actions = expert_of_rehearsal.actions()
        if simulation.navigation is None:  # in mazes there always is a way
            playing &= actions != NO_PLAN
        actions[~playing] = 0
        history.append(actions)
        outcome = rehearsal.step(history[-1], None, reset_ended=False)
        lengths += playing
        succeeded |= playing & outcome.success
        playing &= ~(outcome.terminated | outcome.truncated)
    played = np.array(history)
    plans = [played[: lengths[k], k].tolist() if succeeded[k] else None for k in range(num_envs)]
    return plans if _is_batch(envs) else plans[0]


def distances(envs: Any, cells: ArrayLike | None = None) -> NDArray[np.int32]:
    """How far every pose is from a cell, as the worlds are now.

    Doors that are closed cost a toggle; walls, lava, locked doors and objects are in the way.

    Args:
        envs: as for `Expert`.
        cells: (N, 2) or (2,) column and row to get to, None for the nearest goal.

    Returns:
        (N, height, width, 4) int32: fewest actions from standing at (row, column) in a direction (0 right, 1 down,
        2 left, 3 up) to standing on the cell, turns counted; -1 where there is no way.

    Raises:
        ValueError: cells of another shape, not whole numbers, or outside the grid.
        ResetNeeded: a slot was never reset.
    """
    simulation = _started(_simulation_of(envs))
    height, width = simulation.task.height, simulation.task.width
    ends = np.full((simulation.num_envs, 2), -1, np.int64)
    if cells is not None:
        given = np.asarray(cells)
        if given.dtype.kind not in "iu" or given.shape not in ((2,), (simulation.num_envs, 2)):
            raise ValueError(
                f"cells is (column, row), or an array of shape ({simulation.num_envs}, 2), of whole numbers; "
                f"got {cells!r}"
            )
        if (given < 0).any() or (given >= (width, height)).any():
            raise ValueError(f"cells are columns 0 to {width - 1} and rows 0 to {height - 1}; got {cells!r}")
        ends[:] = given
    found = np.empty((simulation.num_envs, height, width, 4), np.int32)

    def work(lo: int, hi: int) -> None:
        loops.distance_rows(lo, hi, simulation.world, ends, make_search(height, width), found)

    batch.run(work, simulation.num_envs, simulation.num_threads)
    return found


def metres(envs: Any, points: ArrayLike | None = None, goals: ArrayLike | None = None) -> NDArray[np.float32]:
    """Shortest ways in metres, exactly, of a disc whose centre keeps RADIUS from walls, objects, doors and lava.

    A cell is 1 m wide, x grows to the right and y downwards: the middle of column c, row r is (c + 0.5, r + 0.5).

    Args:
        envs: as for `Expert`; worlds that move in grid steps are measured in the same way.
        points: (N, K, 2) or (K, 2) x and y to start from, None for where the agents are.
        goals: (N, G, 2) or (G, 2) x and y, None for the task's own: what a maze asks for, else the goal squares.

    Returns:
        (N, K) float32 metres to the nearest of the goals, (N,) without points; infinite where there is no way. Beside
        a wall a way begins where the disc just fits.

    Raises:
        ValueError: points or goals of another shape.
        ResetNeeded: a slot was never reset.
    """
    simulation = _started(_simulation_of(envs))
    starts = simulation.world.pose[:, None, :2] if simulation.navigation else simulation.world.agent[:, None, :2] + 0.5
    if points is not None:
        starts = _places("points", points, simulation.num_envs)
    if goals is None and simulation.navigation is not None:
        trip = simulation.navigation.trip
    else:
        ends = _goal_squares(simulation) if goals is None else _places("goals", goals, simulation.num_envs)
        trip = motion.make_trip(simulation.num_envs, simulation.task.width, simulation.task.height, ends.shape[1])
        trip.goals[:] = ends
        trip.num_goals[:] = np.isfinite(ends[:, :, 0]).sum(1)
    found = np.empty(starts.shape[:2], np.float32)
    starts = np.ascontiguousarray(starts, np.float32)

    def work(lo: int, hi: int) -> None:
        if goals is not None or simulation.navigation is None:
            motion.field_rows(lo, hi, simulation.world, trip, np.float32(RADIUS))
        motion.distance_rows(lo, hi, simulation.world, trip, np.float32(RADIUS), starts, found)

    batch.run(work, simulation.num_envs, simulation.num_threads)
    return found if points is not None else found[:, 0]


def _places(name: str, places: ArrayLike, num_envs: int) -> NDArray[np.float64]:
    """(N, K, 2) x and y of finite places, or what they have to be."""
    given = np.asarray(places)
    if (
        given.dtype.kind not in "iuf"
        or given.ndim not in (2, 3)
        or given.shape[-1] != 2
        or not np.isfinite(given).all()
    ):
        raise ValueError(f"{name} are finite x and y in metres, of shape (K, 2) or ({num_envs}, K, 2); got {places!r}")
    if given.ndim == 3 and len(given) != num_envs:
        raise ValueError(f"{name} are for {num_envs} slots, in an array of shape ({num_envs}, K, 2); got {given.shape}")
    return np.array(np.broadcast_to(given, (num_envs, *given.shape[-2:])), np.float64)


def _goal_squares(simulation: GridSimulation) -> NDArray[np.float64]:
    """(N, G, 2) the middles of each slot's goal squares, and NaN after the last of them."""
    cells = [np.argwhere(grid & 15 == GOAL_KIND)[:, ::-1] + 0.5 for grid in simulation.world.cells]
    found = np.full((simulation.num_envs, max(1, *map(len, cells)), 2), np.nan)
    for row, middles in zip(found, cells, strict=True):
        row[: len(middles)] = middles
    return found


def _simulation_of(envs: Any) -> GridSimulation:
    """The simulation behind an environment, a batch, or itself."""
    simulation = getattr(getattr(envs, "unwrapped", envs), "simulation", envs)
    if not isinstance(simulation, GridSimulation):
        raise TypeError(f"a plan needs a grid world, from gym.make, gym.make_vec or GridSimulation; got {envs!r}")
    return simulation


def _started(simulation: GridSimulation) -> GridSimulation:
    """Return a simulation whose slots all have an episode, or say that one has none."""
    if (simulation.world.phase == UNSTARTED).any():
        raise ResetNeeded("call reset() before planning: no episode has been started")
    return simulation


def _is_batch(envs: Any) -> bool:
    """Whether `envs` is more than the one environment that `gym.make` returns."""
    return isinstance(envs, GridSimulation) or hasattr(envs.unwrapped, "num_envs")
