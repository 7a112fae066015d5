"""Search among actions: they are played in copies of the worlds, by the rules, traffic included.

Discrete actions are searched themselves. Under continuous control it is the speed that is searched, while another
steers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs.driving import loops
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.driving.world import CONTINUOUS_ACTION, DISCRETE_ACTION, EXIT, PLAYING, World

HORIZON = 12  # policy steps ahead
WIDTH = 8  # states of a world that are kept from step to step: half of them the best, half the most cautious
AIMING_WIDTH = 16  # likewise where a lane is to be reached, for which few ways are in time
CELL = 8.0  # m/s · policy step: states of one target lane and speed that are nearer than this are not told apart
HEADING_CELL = 0.2  # rad; likewise, where actions steer
SPEEDS = 2.5  # m/s between the speeds that are searched under continuous control
CHUNK = 32  # worlds that are searched at a time, which bounds the memory of their copies


class Lookahead:
    """Beam search for the actions that keep ego whole and are rewarded most.

    Of states that differ little the best one is kept. Of those, half the beam are the best, which lead to reward; half
    are the worst, which are slow or in the wrong lane: the ways out where the best end in a crash.

    Args:
        simulation: whose worlds are searched.
        drive: gives a driver's commands (N, 1 or 2) in the worlds of a simulation, for continuous actions; the first of
            each, its acceleration, is replaced.
    """

    def __init__(
        self, simulation: DrivingSimulation, drive: Callable[[DrivingSimulation], NDArray[np.float32]] | None = None
    ) -> None:
        self._simulation = simulation
        self._drive = drive
        limit = np.nan_to_num(simulation.roads.lanes.speed_limit).max() or simulation.params.max_speed
        self._speeds = np.arange(0.0, limit + SPEEDS / 2, SPEEDS)  # m/s
        self._nearness = _nearness_to_exits(simulation)
        self._width = AIMING_WIDTH if self._nearness.any() else WIDTH
        choices = simulation.num_actions if drive is None else len(self._speeds)
        rows = min(CHUNK, simulation.num_envs) * self._width * choices
        self._copies = DrivingSimulation(simulation.task, rows, camera="kinematics", num_threads=simulation.num_threads)
        self._copies.params = simulation.params

    def actions(self) -> NDArray[Any]:
        """(N,) int64 or (N, 1 or 2) float32, as `DrivingSimulation.step` takes them.

        The first action of the best plan that is found for each world.
        """
        slots = np.arange(self._simulation.num_envs)
        chunks = [self._search(slots[lo : lo + CHUNK]) for lo in range(0, len(slots), CHUNK)]
        return np.concatenate(chunks)

    def _search(self, slots: NDArray[np.int64]) -> NDArray[Any]:
        """(len(slots), …) actions; where every plan crashes, that of a plan that does so last."""
        state = World._make(array[slots] for array in self._simulation.world)
        world = np.arange(len(slots))  # of each state that is kept
        value, reward = np.zeros((2, len(slots)))  # rewards since, and the last of them
        for depth in range(HORIZON):
            parent, choice = self._choices(state)
            part = self._copies.first_rows(len(parent))
            for array, source in zip(part.world, state, strict=True):
                array[...] = source[parent]
            loops.locate_rows(0, len(parent), part.world, part.roads, part.tables)
            action = choice if self._drive is None else self._at_speed(part, choice)
            if depth == 0:
                first, chosen = action, action[np.searchsorted(parent, np.arange(len(slots)))]
            else:
                first = first[parent]
            playing = part.world.phase == PLAYING
            outcome = part.step(action, None, False)
            reward = np.where(playing, outcome.reward, reward[parent])  # what is over counts on as it ended
            value, world = value[parent] + reward, world[parent]
            lost = playing & (part.world.vehicles.crashed[:, 0] | (outcome.terminated & ~outcome.success))
            score = value + self._nearness[part.world.road, part.world.vehicles.target_lane[:, 0]]
            kept = _beam(world, score, _cells(part), np.flatnonzero(~lost), self._width)
            if len(kept) == 0:
                break
            state = World._make(array[kept] for array in part.world)
            world, first, value, reward = world[kept], first[kept], value[kept], reward[kept]
            alive, best = np.unique(world, return_index=True)  # the best of each world comes first
            chosen[alive] = first[best]
        return chosen

    def _at_speed(self, part: DrivingSimulation, choice: NDArray[np.int64]) -> NDArray[np.float32]:
        """The driver's commands in the worlds of `part`, at the accelerations that lead to the speeds chosen."""
        assert self._drive is not None
        commands, params = self._drive(part), part.params
        wanted = (self._speeds[choice] - part.world.vehicles.speed[:, 0]) / params.policy_dt
        span = params.acceleration_high - params.acceleration_low
        commands[:, 0] = np.clip(2 * (wanted - params.acceleration_low) / span - 1, -1, 1)
        return commands

    def _choices(self, state: World) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row of `state`, number of an action, or of one of the speeds): all that may make a difference, by row."""
        if self._drive is not None:
            row, choice = np.divmod(np.arange(len(state.road) * len(self._speeds)), len(self._speeds))
            return row, choice
        simulation = self._simulation
        roads, names = simulation.roads, simulation.action_names
        allowed = np.ones((len(state.road), simulation.num_actions), np.bool_)
        if simulation.params.action != DISCRETE_ACTION:
            ego, road = state.vehicles[:, 0], state.road
            last = roads.segments.segment_lanes[road, roads.lanes.segment[road, ego.target_lane]] - 1
            number = roads.lanes.number[road, ego.target_lane]
            speeds = np.array(simulation.task.target_speeds)
            top = len(speeds) - 1
            nearest = np.clip(np.rint((ego.speed - speeds[0]) / (speeds[-1] - speeds[0]) * top), 0, top)
            useful = {
                "lane left": number > 0,
                "lane right": number < last,
                "faster": np.minimum(nearest + 1, top) != state.speed_index,
                "slower": np.maximum(nearest - 1, 0) != state.speed_index,
            }
            for name, rows in useful.items():
                if name in names:
                    allowed[:, names.index(name)] = rows
        row, action = np.nonzero(allowed)
        return row, action


def _cells(part: DrivingSimulation) -> NDArray[np.int64]:
    """(rows, 5 or 6) numbers that are equal in states that are not told apart."""
    ego, size = part.world.vehicles[:, 0], CELL * part.params.policy_dt
    parts = [ego.target_lane, part.world.speed_index, part.world.phase, ego.x // size, ego.y // size]
    if part.params.action == DISCRETE_ACTION:
        parts[0] = ego.heading // HEADING_CELL
    if part.params.action == CONTINUOUS_ACTION:
        parts[1] = np.rint(ego.speed / SPEEDS)
    return np.stack(parts, axis=1).astype(np.int64)


def _beam(
    world: NDArray[np.int64],
    score: NDArray[np.float64],
    cells: NDArray[np.int64],
    alive: NDArray[np.int64],
    width: int,
) -> NDArray[np.int64]:
    """Which of the `alive` rows go on, by world from the best on: the best of each cell, `width` a world."""
    order = alive[np.lexsort((-score[alive], world[alive]))]
    _, of_cell = np.unique(np.column_stack((world, cells))[order], axis=0, return_index=True)
    order = order[np.sort(of_cell)]
    begin = np.searchsorted(world[order], world[order])
    end = np.searchsorted(world[order], world[order], side="right")
    place = np.arange(len(order))
    return order[(place - begin < width - width // 2) | (end - place <= width // 2)]


def _nearness_to_exits(simulation: DrivingSimulation) -> NDArray[np.float64]:
    """(R, L) by target lane: 1 on a lane that is to be reached (`EXIT`), less by lane towards it, 0 past it.

    It leads there before the reward does. All 0 in tasks without the term.
    """
    lanes, roads = simulation.roads.lanes, simulation.roads
    nearness = np.zeros(lanes.kind.shape)
    if simulation.params.weights[EXIT] == 0:
        return nearness
    for r, goal in zip(*np.nonzero(lanes.arrival), strict=True):
        segment = lanes.segment[r, goal]
        before = roads.preceding[r, segment]
        for lane in range(roads.num_lanes[r]):
            if lanes.segment[r, lane] == segment or lanes.segment[r, lane] in before[before >= 0]:
                missing = abs(int(lanes.number[r, goal]) - int(lanes.number[r, lane]))
                nearness[r, lane] = max(nearness[r, lane], 1 - missing / (1 + lanes.number[r].max()))
    return nearness
