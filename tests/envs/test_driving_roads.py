"""Roads are those of highway-env: every lane's geometry, markings and rules, and how segments follow one another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("highway_env")

import itertools

from highway_env.road.lane import AbstractLane
from highway_env.road.road import RoadNetwork

from visnav.envs.driving import lanes
from visnav.envs.driving.layouts.exit import exit_network
from visnav.envs.driving.layouts.intersection import intersection_network
from visnav.envs.driving.layouts.parking import parking_network
from visnav.envs.driving.layouts.racetrack import (
    racetrack_large_network,
    racetrack_network,
    racetrack_oval_network,
)
from visnav.envs.driving.layouts.roundabout import roundabout_generic_network, roundabout_network
from visnav.envs.driving.layouts.two_way import two_way_network
from visnav.envs.driving.layouts.u_turn import u_turn_network
from visnav.envs.driving.roads import Network, make_roads
from visnav.envs.driving.world import make_world

CASES: list[tuple[str, dict[str, Any], Callable[[], Network]]] = [
    ("roundabout-v0", {}, roundabout_network),
    ("roundabout-generic-v0", {}, partial(roundabout_generic_network, 20, 2)),
    *(
        (
            "roundabout-generic-v0",
            {"roundabout_radius": radius, "roundabout_lanes": count},
            partial(roundabout_generic_network, radius, count),
        )
        for radius, count in ((15, 1), (30, 3), (60, 4))
    ),
    ("racetrack-v0", {}, racetrack_network),
    ("racetrack-large-v0", {"speed_limit": 12.5}, partial(racetrack_large_network, 12.5)),
    ("racetrack-oval-v0", {}, partial(racetrack_oval_network, 100, 3)),
    *(
        ("racetrack-oval-v0", {"length": length, "no_lanes": n}, partial(racetrack_oval_network, length, n))
        for length, n in ((150, 2), (120, 5))
    ),
    ("u-turn-v0", {}, u_turn_network),
    ("two-way-v0", {}, two_way_network),
    ("exit-v0", {}, partial(exit_network, 6)),
    ("exit-v0", {"lanes_count": 3}, partial(exit_network, 3)),
    ("intersection-v0", {}, intersection_network),
    ("parking-v0", {}, parking_network),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{'-'.join(map(str, case[1].values()))}")
def pair(request: pytest.FixtureRequest) -> tuple[RoadNetwork, Network]:
    """The original's network, and ours."""
    env_id, config, network = request.param
    return gym.make(env_id, config=config).unwrapped.road.network, network()  # type: ignore[attr-defined]


def lanes_of(original: RoadNetwork) -> list[AbstractLane]:
    return list(original.lanes_dict().values())


def test_segments_lie_between_the_same_nodes_in_the_same_order(pair: tuple[RoadNetwork, Network]) -> None:
    original, network = pair
    assert network.segments() == [(start, end) for start, ends in original.graph.items() for end in ends]
    assert [len(network.graph[s][e]) for s, e in network.segments()] == [
        len(original.graph[s][e]) for s, e in network.segments()
    ]


def test_lanes_have_the_same_course(pair: tuple[RoadNetwork, Network]) -> None:
    original, network = pair
    roads = make_roads([network])
    rng = np.random.default_rng(0)
    for k, lane in enumerate(lanes_of(original)):
        np.testing.assert_allclose(roads.lanes.length[0, k], lane.length, atol=1e-9)
        for along, across in rng.uniform((-10, -6), (lane.length + 10, 6), (40, 2)):
            there = lane.position(along, across)
            np.testing.assert_allclose(lanes.position(0, k, roads, along, across), there, atol=1e-9)
            heading = lanes.heading_at(0, k, roads, along) - lane.heading_at(along)
            assert abs(lanes.wrap(heading)) < 1e-9
            back = lanes.local_coordinates(0, k, roads, *there)
            np.testing.assert_allclose(back, lane.local_coordinates(there), atol=1e-9)


def test_lanes_have_the_same_markings_and_rules(pair: tuple[RoadNetwork, Network]) -> None:
    original, network = pair
    roads = make_roads([network])
    for k, lane in enumerate(lanes_of(original)):
        assert (roads.lanes.left_line[0, k], roads.lanes.right_line[0, k]) == tuple(lane.line_types)
        assert roads.lanes.width[0, k] == lane.width_at(0)
        assert roads.lanes.speed_limit[0, k] == pytest.approx(lane.speed_limit)
        assert roads.lanes.forbidden[0, k] == lane.forbidden
        assert roads.lanes.priority[0, k] == lane.priority
    assert roads.num_lanes[0] == len(lanes_of(original))


def test_the_same_lane_follows(pair: tuple[RoadNetwork, Network]) -> None:
    original, network = pair
    roads = make_roads([network])
    world = make_world(1, 1, 1)
    numbers = {index: k for k, index in enumerate(original.lanes_dict())}
    rng = np.random.default_rng(1)
    for index, k in numbers.items():
        lane = original.get_lane(index)
        for across in rng.uniform(-2, 2, 3):
            there = lane.position(lane.length - 2, across)
            along = lane.local_coordinates(there)[0]
            after = original.next_lane(index, route=None, position=there)
            assert lanes.next_lane(0, 0, k, along, world, roads) == numbers[after]


def test_the_same_lane_is_closest(pair: tuple[RoadNetwork, Network]) -> None:
    original, network = pair
    roads = make_roads([network])
    indexes = list(original.lanes_dict())
    rng = np.random.default_rng(2)
    for lane in lanes_of(original):
        for along, across, turn in rng.uniform((-5, -5, -np.pi), (lane.length + 5, 5, np.pi), (10, 3)):
            there, heading = lane.position(along, across), lane.heading_at(along) + turn
            closest = lanes.closest_lane(0, roads, *there, heading)
            assert indexes[closest] == original.get_closest_lane_index(there, heading)


def test_routes_are_as_short_and_the_same(pair: tuple[RoadNetwork, Network]) -> None:
    original, network = pair
    segments = network.segments()
    nodes = {node for segment in segments for node in segment}
    compared = 0
    for start, end in segments:
        for destination in nodes - {end}:
            try:
                path = original.shortest_path(end, destination)
            except KeyError:  # the original's way to say that a node leads nowhere
                path = []
            if path:
                expected = [(start, end), *itertools.pairwise(path)]
                assert [segments[k] for k in network.route(start, end, destination)] == expected
                compared += 1
    assert compared or len(segments) == 2
