"""Geodesic distances against a visibility graph in float64, and what follows from being a shortest path."""

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray

from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.navigation import RADIUS
from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import EMPTY, GOAL_KIND

MAZES = sorted(name for name in TASKS if TASKS[name]().continuous)
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
    points = rng.uniform(1, simulation.task.width - 1, (100 * count, 2)).astype(np.float32).astype(float)
    return points[gap_to_boxes(points, points, solid) >= RADIUS + 1e-5][:count]


@pytest.mark.parametrize("name", ["Maze-PointGoal-7x7-v0", "Maze-ObjectGoal-7x7-v0", "Rooms-ObjectGoal-11x11-v0"])
def test_distances_are_those_of_a_visibility_graph(name: str) -> None:
    simulation = play_levels(name, 3)
    for slot in range(3):
        trip = simulation.navigation.trip
        goals = trip.goals[slot, : trip.num_goals[slot]].astype(float)
        points = random_points(simulation, slot, 25, slot)
        found = simulation.navigation.distances(simulation.world, np.broadcast_to(points, (3, *points.shape)))[slot]
        expected = oracle_distances(simulation.world.cells[slot], goals, points)
        np.testing.assert_allclose(found, expected, atol=3e-3)
