"""Traffic starts where highway-env's does: the same distribution of every vehicle's state, over hundreds of scenes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("highway_env")

from highway_env.road.road import RoadNetwork
from highway_env.vehicle.behavior import LinearVehicle
from highway_env.vehicle.objects import Obstacle

from visnav.envs import rng
from visnav.envs.batch import jit
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.roads import make_roads
from visnav.envs.driving.world import IDM, make_world
from visnav.envs.gym import make_simulation

SCENES = 500
FIELDS = (
    "x", "y", "cos", "sin", "speed", "length", "width", "lane", "target_lane", "target_speed", "delta", "timer",
    "lane_changes", "route", "gain_speed", "gain_approach", "gain_room", "gain_heading", "gain_lateral",
)  # fmt: skip
CASES: list[tuple[str, dict[str, Any]]] = [
    ("roundabout-v0", {}),
    ("roundabout-v0", {"incoming_vehicle_destination": 1}),
    ("roundabout-generic-v0", {}),
    ("roundabout-generic-v0", {"roundabout_lanes": 3, "vehicles_count": 12, "roundabout_radius": 30}),
    ("roundabout-v0", {"other_vehicles_type": "highway_env.vehicle.behavior.LinearVehicle"}),
    ("u-turn-v0", {"other_vehicles_type": "highway_env.vehicle.behavior.AggressiveVehicle"}),
    ("exit-v0", {"other_vehicles_type": "highway_env.vehicle.behavior.DefensiveVehicle"}),
    ("two-way-v0", {"other_vehicles_type": "highway_env.vehicle.behavior.LinearVehicle"}),
    ("racetrack-v0", {}),
    ("racetrack-v0", {"other_vehicles": 5}),
    ("racetrack-large-v0", {}),
    ("racetrack-oval-v0", {"block_lane": True, "force_decision": True}),
    ("u-turn-v0", {}),
    ("two-way-v0", {}),
    ("exit-v0", {}),
    ("parking-v0", {}),
    ("parking-parked-v0", {}),
    ("parking-ActionRepeat-v0", {}),
]


def route_code(segments: list[int]) -> float:
    """One number for a route."""
    return float(sum((segment + 1) * 50.0**-k for k, segment in enumerate(segments)))


def their_scene(env: Any, places: int) -> NDArray[np.float64]:
    """(V, F) what the original's reset has put there, ego first; NaN where there is nothing, or no such attribute."""
    network: RoadNetwork = env.road.network
    lanes = {index: k for k, index in enumerate(network.lanes_dict())}
    segments = {(s, e): k for k, (s, e) in enumerate((s, e) for s, ends in network.graph.items() for e in ends)}
    scene = np.full((places, len(FIELDS)), np.nan)
    others = [v for v in env.road.vehicles if v is not env.vehicle]
    standing = sorted(env.road.objects, key=lambda o: isinstance(o, Obstacle))
    vehicles = places - len(standing)
    for v, it in [*enumerate([env.vehicle, *others]), *enumerate(standing, vehicles)]:
        scene[v, :8] = (
            *it.position, np.cos(it.heading), np.sin(it.heading), it.speed, it.LENGTH, it.WIDTH, lanes[it.lane_index],
        )  # fmt: skip
        if hasattr(it, "timer"):  # traffic
            scene[v, 8:14] = (
                lanes[it.target_lane_index], it.target_speed, it.DELTA, it.timer, it.enable_lane_change,
                route_code([segments[step[:2]] for step in it.route or []]),
            )  # fmt: skip
        if isinstance(it, LinearVehicle):
            scene[v, 14:] = *it.ACCELERATION_PARAMETERS, *it.STEERING_PARAMETERS
    return scene


def our_scenes(env_id: str, config: dict[str, Any], traffic: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(SCENES, V, F) what our spawn function puts there; of traffic's own fields only those of `traffic` (V,)."""
    task = TASKS[env_id](**config)
    roads = make_roads([task.layout(k) for k in range(task.num_roads)])
    world = make_world(SCENES, task.max_vehicles, task.route_length)
    spawn, args = jit(task.spawn), np.array(task.args, np.float64)
    for i in range(SCENES):
        rng.seed(world.rng[i], i, False)
        spawn(i, world, roads, args)
    columns = {
        "cos": np.cos(world.vehicles.heading),
        "sin": np.sin(world.vehicles.heading),
        "route": np.array([[route_code([s for s in v[:, 0] if s >= 0]) for v in row] for row in world.route]),
    }
    fields = {name: world.vehicles[name] for name in FIELDS if name not in columns} | columns
    scenes = np.stack([fields[name] for name in FIELDS], -1).astype(np.float64)
    scenes[~world.vehicles.present] = np.nan
    scenes[:, ~traffic, 8:] = np.nan
    scenes[world.vehicles.behaviour == IDM, 14:] = np.nan
    return scenes


def largest_gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Largest difference of two empirical distributions (Kolmogorov-Smirnov)."""
    a, b = np.sort(a), np.sort(b)
    values = np.concatenate([a, b]) + 1e-9
    return float(np.abs(np.searchsorted(a, values) / len(a) - np.searchsorted(b, values) / len(b)).max())


@pytest.mark.slow
@pytest.mark.parametrize(("env_id", "config"), CASES, ids=lambda value: str(value))
def test_scenes_are_distributed_as_the_originals(env_id: str, config: dict[str, Any]) -> None:
    env = gym.make(env_id, **({"config": config} if config else {})).unwrapped
    places = TASKS[env_id](**config).max_vehicles
    theirs = []
    for seed in range(SCENES):
        env.reset(seed=seed)
        theirs.append(their_scene(env, places))
    original = np.stack(theirs)
    traffic = ~np.isnan(original[:, :, FIELDS.index("timer")]).all(0)
    ours = our_scenes(env_id, config, traffic)
    limit = 2.47 * np.sqrt(2 / SCENES)  # passed by chance once in 100,000 comparisons
    for v in range(places):
        shares = np.isnan(original[:, v, 0]).mean(), np.isnan(ours[:, v, 0]).mean()
        assert abs(shares[0] - shares[1]) < limit, f"place {v} is empty in {shares} of the scenes, theirs and ours"
        for f, name in enumerate(FIELDS):
            there, here = (side[:, v, f][~np.isnan(side[:, v, f])] for side in (original, ours))
            assert (len(there) > 0) == (len(here) > 0), f"{name} of vehicle {v}"
            if min(len(there), len(here)) > 20:
                gap, most = largest_gap(there, here), 2.47 * np.sqrt(1 / len(there) + 1 / len(here))
                assert gap < most, f"{name} of vehicle {v}: {gap:.3f} apart, by chance up to {most:.3f}"


@pytest.mark.slow
def test_the_intersection_is_as_busy_as_the_original_after_its_warm_up() -> None:
    """How many are about, and where, how fast, and how fast they want to be: over 200 episodes' starts."""
    env = gym.make("intersection-v0").unwrapped
    theirs = []
    for seed in range(200):
        env.reset(seed=seed)
        cars = [car for car in env.road.vehicles if car is not env.vehicle]
        theirs.append([(*car.position, car.speed, car.target_speed) for car in cars])
    simulation = make_simulation("visnav/intersection-v0", 2000, 1, {"camera": "kinematics"})
    simulation.seed(np.arange(2000), np.ones(2000, np.bool_))
    simulation.reset(np.ones(2000, np.bool_))
    cars = simulation.world.vehicles[:, 1:]
    ours = [row[row.present] for row in cars]
    counts = np.array([len(row) for row in theirs], float), np.array([len(row) for row in ours], float)
    assert largest_gap(*counts) < 2.47 * np.sqrt(1 / 200 + 1 / 2000)
    there = np.concatenate([np.array(row).reshape(-1, 4) for row in theirs])
    here = np.concatenate([np.stack([row.x, row.y, row.speed, row.target_speed], -1) for row in ours])
    for column in range(4):
        gap = largest_gap(there[:, column], here[:, column])
        assert gap < 2.47 * np.sqrt(1 / len(there) + 1 / len(here)), f"column {column}: {gap:.3f} apart"
    egos = simulation.world.vehicles[:, 0]
    assert egos.y.mean() == pytest.approx(11 + 100 - 65, abs=0.5)
    assert (egos.target_speed == 9).all()
