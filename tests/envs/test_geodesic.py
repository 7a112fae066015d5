"""Distances in metres against a visibility graph in float64, and the expert that drives along them."""

from typing import Any

import gymnasium as gym
import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray

from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.navigation import RADIUS
from visnav.envs.grid.planner import Expert, metres, plan
from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import EMPTY, GOAL_KIND

MAZES = sorted(name for name in TASKS if TASKS[name]().continuous)
EPISODES = 500
ARC_POINTS = 9  # of each corner's arc, in the graph of the oracle
SAGITTA = RADIUS * (1 - np.cos(np.pi / 4 / (ARC_POINTS - 1)))  # by which a chord between two of them cuts the arc

every_maze = pytest.mark.parametrize("name", MAZES)


def play_levels(name: str, count: int) -> GridSimulation:
    """Levels 0 to count - 1 of a maze, one a slot."""
    simulation = GridSimulation(TASKS[name](), count)
    everyone = np.ones(count, np.bool_)
    simulation.choose_levels(np.arange(count), everyone)
    simulation.reset(everyone)
    return simulation


def solid_cells(cells: NDArray[np.uint16]) -> NDArray[np.float64]:
    """(S, 2) column and row of every cell that is neither empty nor the goal."""
    rows, columns = np.nonzero(~np.isin(cells & 15, (EMPTY, GOAL_KIND)))
    return np.stack([columns, rows], 1).astype(float)


def gap_to_boxes(
    start: NDArray[np.float64], end: NDArray[np.float64], boxes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K,) least distance of segments (K, 2) to unit squares (S, 2).

    A segment that misses a square is nearest to it at one of its ends or beside one of the square's corners; one that
    crosses it passes between two of the corners, or begins inside.
    """
    offsets = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float)
    along = end - start
    corners = boxes[None, :, None, :] + offsets  # (1, S, 4, 2)
    squared = np.maximum((along**2).sum(1), 1e-12)[:, None, None]
    share = ((corners - start[:, None, None]) * along[:, None, None]).sum(-1) / squared
    nearest = start[:, None, None] + np.clip(share, 0, 1)[..., None] * along[:, None, None]
    to_corners = np.linalg.norm(corners - nearest, axis=-1).min((1, 2))
    to_ends = np.full(len(start), np.inf)
    for point in (start, end):
        outside = np.maximum(np.maximum(boxes - point[:, None], point[:, None] - boxes - 1), 0)
        to_ends = np.minimum(to_ends, np.linalg.norm(outside, axis=-1).min(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (boxes - start[:, None]) / along[:, None]
        second = (boxes + 1 - start[:, None]) / along[:, None]
    enters = np.nan_to_num(np.minimum(first, second), nan=-np.inf).max(-1)
    leaves = np.nan_to_num(np.maximum(first, second), nan=np.inf).min(-1)
    crosses = ((enters < leaves) & (leaves > 0) & (enters < 1)).any(1)
    return np.where(crosses, 0.0, np.minimum(to_corners, to_ends))


def oracle_distances(cells: NDArray[np.uint16], goals: NDArray[np.float64], points: NDArray[np.float64]) -> list[float]:
    """Metres from each of points (K, 2) to the nearest goal (G, 2): Dijkstra over a float64 visibility graph.

    Its vertices are the goals, the points, and points all along the circles round the corners of solid cells.
    """
    solid = solid_cells(cells)
    offsets = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float)
    corners = np.unique((solid[:, None] + offsets).reshape(-1, 2), axis=0)
    angles = np.linspace(0, 2 * np.pi, 4 * (ARC_POINTS - 1), endpoint=False)
    arcs = (corners[:, None] + RADIUS * np.stack([np.cos(angles), np.sin(angles)], 1)).reshape(-1, 2)
    arcs = arcs[gap_to_boxes(arcs, arcs, solid) > RADIUS - 1e-9]
    vertices = np.concatenate([goals, points, arcs])
    first, second = np.triu_indices(len(vertices), 1)
    free = np.concatenate(
        [
            gap_to_boxes(vertices[a], vertices[b], solid) > RADIUS - SAGITTA - 1e-6
            for a, b in zip(
                np.array_split(first, 1 + len(first) // 2000),
                np.array_split(second, 1 + len(first) // 2000),
                strict=True,
            )
        ]
    )
    lengths = np.linalg.norm(vertices[first] - vertices[second], axis=1)
    graph = nx.Graph()
    graph.add_weighted_edges_from(zip(first[free].tolist(), second[free].tolist(), lengths[free].tolist(), strict=True))
    found = nx.multi_source_dijkstra_path_length(graph, set(range(len(goals))))
    return [found[len(goals) + k] for k in range(len(points))]


def random_points(simulation: GridSimulation, slot: int, count: int, seed: int) -> NDArray[np.float64]:
    """(count, 2) places where the disc fits."""
    rng = np.random.default_rng(seed)
    solid = solid_cells(simulation.world.cells[slot])
    points = rng.uniform(1, simulation.task.width - 1, (25 * count, 2)).astype(np.float32).astype(float)
    return points[gap_to_boxes(points, points, solid) >= RADIUS + 1e-5][:count]


@pytest.mark.parametrize("name", ["Maze-PointGoal-7x7-v0", "Maze-ObjectGoal-7x7-v0", "Rooms-ObjectGoal-11x11-v0"])
def test_distances_are_those_of_a_visibility_graph(name: str) -> None:
    simulation = play_levels(name, 3)
    for slot in range(3):
        trip = simulation.navigation.trip
        goals = trip.goals[slot, : trip.num_goals[slot]].astype(float)
        points = random_points(simulation, slot, 25, slot)
        found = metres(simulation, points)[slot]
        expected = oracle_distances(simulation.world.cells[slot], goals, points)
        np.testing.assert_allclose(found, expected, atol=3e-3)


def test_grid_worlds_are_measured_to_their_goals_too() -> None:
    """The goals of the oracle are the goal squares; a locked door is in the way."""
    simulation = play_levels("MiniGrid-FourRooms-v0", 2)
    points = random_points(simulation, 0, 10, 0)
    row, column = np.argwhere(simulation.world.cells[0] & 15 == GOAL_KIND)[0]
    expected = oracle_distances(simulation.world.cells[0], np.array([[column + 0.5, row + 0.5]]), points)
    np.testing.assert_allclose(metres(simulation, points)[0], expected, atol=3e-3)
    assert np.isinf(metres(play_levels("MiniGrid-DoorKey-8x8-v0", 50))).all()


def test_distances_to_goals_that_are_given() -> None:
    simulation = play_levels("Maze-PointGoal-9x9-v0", 4)
    target = simulation.world.target[:, None, :2] + 0.5
    agent = simulation.world.pose[:, :2]
    distance = simulation.navigation.trip.start_distance
    np.testing.assert_array_equal(metres(simulation), distance)
    there = metres(simulation, target, goals=agent[:, None])
    np.testing.assert_allclose(there[:, 0], distance, rtol=1e-6)  # as far as back
    nearest = metres(simulation, goals=np.concatenate([target, agent[:, None]], 1))
    np.testing.assert_array_equal(nearest, 0)
    assert metres(simulation, [(0.5, 0.5), (1.5, 1.5)]).tolist()[0][0] == np.inf  # inside of a wall


def test_distance_is_lipschitz() -> None:
    """Two places in sight of each other are no further apart in distance than in metres."""
    simulation = play_levels("Maze-ObjectGoal-15x15-v0", 1)
    rng = np.random.default_rng(0)
    here = random_points(simulation, 0, 400, 1)
    there = here + rng.normal(0, 0.1, here.shape)
    solid = solid_cells(simulation.world.cells[0])
    free = gap_to_boxes(here, there, solid) >= RADIUS
    gained = np.abs(metres(simulation, here) - metres(simulation, there))[0]
    assert free.sum() > 100
    assert (gained <= np.linalg.norm(here - there, axis=1) + 1e-4)[free].all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"points": [1.5, 1.5]}, r"points are finite x and y in metres, of shape \(K, 2\) or \(2, K, 2\)"),
        ({"points": [[1.5, np.nan]]}, "points are finite"),
        ({"goals": np.ones((3, 1, 2))}, r"goals are for 2 slots, in an array of shape \(2, K, 2\); got \(3, 1, 2\)"),
    ],
)
def test_impossible_places(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metres(play_levels("Maze-PointGoal-7x7-v0", 2), **keywords)


# --- the expert ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actions", ["continuous", "discrete"])
@every_maze
def test_the_expert_succeeds_on_short_ways(name: str, actions: str) -> None:
    envs = gym.make_vec(
        f"visnav/{name}", num_envs=EPISODES, sensors=("gps",), actions=actions, autoreset_mode="Disabled"
    )
    envs.reset(seed=1000)
    simulation, expert = envs.unwrapped.simulation, Expert(envs)
    spl, ended = np.zeros(EPISODES), np.zeros(EPISODES, np.bool_)
    while not ended.all():
        outcome = simulation.step(expert.actions(), None, reset_ended=False)
        over = (outcome.terminated | outcome.truncated) & ~ended
        spl[over] = simulation.measures(outcome.success)["spl"][over]
        ended |= over
    assert (spl > 0).mean() >= 0.99
    assert spl.mean() >= 0.95


@pytest.mark.parametrize("actions", ["continuous", "discrete"])
def test_a_plan_is_played_to_success(actions: str) -> None:
    env = gym.make("visnav/Rooms-ObjectGoal-11x11-v0", actions=actions)
    env.reset(seed=3)
    steps = [env.step(np.array(action)) for action in plan(env)]
    assert [step[2] for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[-1][4]["success"]
