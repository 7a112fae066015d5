"""Build roads from lanes between named nodes, and flatten them to the arrays that kernels read.

A `Network` takes lanes one by one: `network.add("a", "b", straight((0, 0), (100, 0)))`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visnav.envs.driving.world import (
    CIRCULAR,
    LANE,
    LANE_WIDTH,
    POLYLINE,
    REAL,
    SEGMENT,
    SINE,
    STRAIGHT,
    STRIPED,
    Roads,
    make_records,
)


@dataclass(frozen=True)
class Lane:
    """One lane; made by `straight`, `sine`, `circular` or `polyline`. Fields as in `world.Roads`."""

    kind: int
    length: float
    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0
    cos: float = 1.0
    sin: float = 0.0
    amplitude: float = 0.0
    pulsation: float = 0.0
    phase: float = 0.0
    radius: float = 1.0
    turn: float = 1.0
    points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))  # (P, 4) x, y, unit tangent
    width: float = LANE_WIDTH
    speed_limit: float = 20.0
    left_line: int = STRIPED
    right_line: int = STRIPED
    forbidden: bool = False
    priority: int = 0
    merging: bool = False
    arrival: bool = False


Point = Sequence[float] | NDArray[np.float64]


def straight(start: Point, end: Point, lines: tuple[int, int] = (STRIPED, STRIPED), **rest: float) -> Lane:
    """A straight lane from (x, y) to (x, y); `lines` at its left and right.

    Args:
        **rest: width (m), speed_limit (m/s), forbidden, priority, merging, arrival.
    """
    dx, dy = float(end[0]) - float(start[0]), float(end[1]) - float(start[1])
    length = float(np.hypot(dx, dy))
    if length == 0:
        raise ValueError(f"a lane has a length; this one starts and ends at {tuple(start)}")
    return Lane(
        STRAIGHT, length, float(start[0]), float(start[1]), float(np.arctan2(dy, dx)), dx / length, dy / length,
        left_line=lines[0], right_line=lines[1], **rest,  # type: ignore[arg-type]
    )  # fmt: skip


def sine(
    start: Point,
    end: Point,
    amplitude: float,
    pulsation: float,
    phase: float,
    lines: tuple[int, int] = (STRIPED, STRIPED),
    **rest: float,
) -> Lane:
    """A straight lane that sways by amplitude · sin(pulsation · s + phase) to its right, s m along its axis."""
    axis = straight(start, end, lines, **rest)
    return Lane(**{**vars(axis), "kind": SINE, "amplitude": amplitude, "pulsation": pulsation, "phase": phase})


def circular(
    center: Point,
    radius: float,
    start_phase: float,
    end_phase: float,
    clockwise: bool = True,
    lines: tuple[int, int] = (STRIPED, STRIPED),
    **rest: float,
) -> Lane:
    """An arc from one angle (rad) to another, as seen from its centre; angles grow clockwise on the map."""
    turn = 1.0 if clockwise else -1.0
    length = radius * (end_phase - start_phase) * turn
    if length <= 0:
        raise ValueError(
            f"an arc that turns {'clockwise ends after' if clockwise else 'anticlockwise ends before'} the angle it "
            f"starts from; got start_phase={start_phase}, end_phase={end_phase}"
        )
    return Lane(
        CIRCULAR, length, float(center[0]), float(center[1]), phase=start_phase, radius=radius, turn=turn,
        left_line=lines[0], right_line=lines[1], **rest,  # type: ignore[arg-type]
    )  # fmt: skip


def polyline(points: ArrayLike, lines: tuple[int, int] = (STRIPED, STRIPED), **rest: float) -> Lane:
    """A lane through points (M, 2), resampled every metre (LinearSpline2D of `highway_env/road/spline.py`)."""
    given = np.asarray(points, REAL)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < 2:
        raise ValueError(f"a polyline has at least two points (x, y); got an array of shape {given.shape}")
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(given, axis=0).T))])
    if along[-1] < 2:
        raise ValueError(f"a polyline is at least 2 m long; this one has {along[-1]:.2f} m")
    samples = np.arange(int(along[-1]) + 1)
    xy = np.stack([np.interp(samples, along, given[:, axis]) for axis in range(2)], axis=1)
    step = np.diff(xy, axis=0)
    step = np.concatenate([step, step[-1:]])
    tangent = step / np.hypot(*step.T)[:, None]
    return Lane(
        POLYLINE, float(along[-1]), points=np.concatenate([xy, tangent], axis=1),
        left_line=lines[0], right_line=lines[1], **rest,  # type: ignore[arg-type]
    )  # fmt: skip


class Network:
    """Lanes between named nodes, in the order in which highway-env's RoadNetwork searches them."""

    def __init__(self) -> None:
        self.graph: dict[str, dict[str, list[Lane]]] = {}
        self.paved: list[
            tuple[float, float, float, float]
        ] = []  # m: x0, y0, x1, y1 of asphalt beside lanes, to be seen

    def add(self, from_node: str, to_node: str, lane: Lane) -> None:
        """Add a lane to the right of those that already lead from one node to the other."""
        self.graph.setdefault(from_node, {}).setdefault(to_node, []).append(lane)

    def segments(self) -> list[tuple[str, str]]:
        """(from node, to node) of every segment, by number."""
        return [(start, end) for start, ends in self.graph.items() for end in ends]

    def node_number(self, node: str) -> int:
        """Place of a node in the node axes of `Roads`."""
        return self.nodes().index(node)

    def nodes(self) -> list[str]:
        """Every node, by number: as segments first name them."""
        return list(dict.fromkeys(node for segment in self.segments() for node in segment))

    def toward(self) -> NDArray[np.int16]:
        """(D, D) segment that begins the shortest way from a node to another; -1 where none leads there.

        Of ways of equal length it is the first in the alphabet, as highway-env searches them.
        """
        nodes = self.nodes()
        numbers = {segment: k for k, segment in enumerate(self.segments())}
        table = np.full((len(nodes), len(nodes)), -1, np.int16)
        for start in nodes:
            paths = [[start]]
            while paths:
                path = paths.pop(0)
                for node in sorted(self.graph.get(path[-1], {})):
                    if node != start and table[nodes.index(start), nodes.index(node)] < 0:
                        way = [*path, node]
                        table[nodes.index(start), nodes.index(node)] = numbers[way[0], way[1]]
                        paths.append(way)
        return table

    def lane_number(self, from_node: str, to_node: str, number: int = 0) -> int:
        """Place of a lane in the lane axis of `Roads`."""
        before = 0
        for start, end in self.segments():
            if (start, end) == (from_node, to_node):
                return before + number
            before += len(self.graph[start][end])
        raise ValueError(f"no segment leads from {from_node!r} to {to_node!r}; there are {self.segments()}")

    def route(self, from_node: str, to_node: str, destination: str) -> list[int]:
        """Segments, by number, from this one to the destination: the shortest, as highway-env searches it."""
        numbers = {segment: k for k, segment in enumerate(self.segments())}
        queue = [[from_node, to_node]]
        while queue:
            path = queue.pop(0)
            if path[-1] == destination:
                return [numbers[segment] for segment in pairwise(path)]
            queue += [[*path, node] for node in sorted(self.graph.get(path[-1], {})) if node not in path[1:]]
        raise ValueError(f"no route leads from {to_node!r} to {destination!r}")


_LANE_FIELDS = (
    "kind", "x", "y", "heading", "cos", "sin", "length", "amplitude", "pulsation", "phase", "radius", "turn", "width",
    "speed_limit", "left_line", "right_line", "forbidden", "priority", "merging", "arrival",
)  # fmt: skip


def make_roads(networks: Sequence[Network]) -> Roads:
    """The bank of these roads."""
    all_lanes = [[lane for s, e in net.segments() for lane in net.graph[s][e]] for net in networks]
    all_segments = [net.segments() for net in networks]
    count = len(networks)
    most_points = max([sum(len(lane.points) for lane in road) for road in all_lanes] + [1])
    most_segments = max(map(len, all_segments))
    most_ways = max(nodes.count(node) for pairs in all_segments for nodes in zip(*pairs, strict=True) for node in nodes)

    lanes = make_records((count, max(map(len, all_lanes))), LANE)
    lanes.kind, lanes.segment, lanes.number = -1, -1, -1
    segments = make_records((count, most_segments), SEGMENT)
    for name in segments.dtype.names:
        segments[name] = -1
    points = np.zeros((count, most_points, 4), REAL)
    following, preceding = np.full((2, count, most_segments, most_ways), -1, np.int16)
    most_nodes = max(len(net.nodes()) for net in networks)
    toward = np.full((count, most_nodes, most_nodes), -1, np.int16)
    for r, (road, pairs) in enumerate(zip(all_lanes, all_segments, strict=True)):
        for name in _LANE_FIELDS:
            lanes[name][r, : len(road)] = [getattr(lane, name) for lane in road]
        at = 0
        for k, lane in enumerate(road):
            lanes.first_point[r, k], lanes.num_points[r, k] = at, len(lane.points)
            points[r, at : at + len(lane.points)] = lane.points
            at += len(lane.points)
        nodes = {name: k for k, name in enumerate(networks[r].nodes())}
        toward[r, : len(nodes), : len(nodes)] = networks[r].toward()
        at = 0
        for k, (start, end) in enumerate(pairs):
            lanes_here = len(networks[r].graph[start][end])
            segments[r, k] = nodes[start], nodes[end], at, lanes_here
            lanes.segment[r, at : at + lanes_here] = k
            lanes.number[r, at : at + lanes_here] = np.arange(lanes_here)
            at += lanes_here
            after = [j for j, pair in enumerate(pairs) if pair[0] == end]
            before = [j for j, pair in enumerate(pairs) if pair[1] == start]
            following[r, k, : len(after)] = after
            preceding[r, k, : len(before)] = before
    num_lanes = np.array([len(road) for road in all_lanes], np.int32)
    return Roads(lanes, segments, num_lanes, points, following, preceding, toward)
