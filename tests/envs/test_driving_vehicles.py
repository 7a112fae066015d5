"""Vehicles of any size, mass, tyres and temper: numbers drawn from given ranges, and what comes of them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from driving_start import started
from gymnasium.utils.env_checker import check_env

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.driving.collisions import overlap
from visnav.envs.driving.config import VEHICLE_BOUNDS
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.world import LANDMARK, OBSTACLE, VEHICLE_NUMBERS

RANGES = {
    "length": (4.0, 7.0),
    "width": (1.6, 2.4),
    "mass": (0.5, 2.0),
    "cornering_stiffness": (10.0, 20.0),
    "distance_wanted": (7.0, 12.0),
    "time_wanted": (1.0, 2.0),
    "comfort_acc_max": (2.0, 5.0),
    "comfort_acc_min": (-6.0, -3.0),
}
IDLE = 1


def test_every_number_has_bounds() -> None:
    assert tuple(VEHICLE_BOUNDS) == VEHICLE_NUMBERS == tuple(RANGES)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_vehicle_draws_its_own_numbers_where_it_always_stands(name: str) -> None:
    plain, drawn = started(name, 8), started(name, 8, vehicle_ranges=RANGES)
    ours, known = drawn.world.vehicles, plain.world.vehicles
    is_vehicle = ours.present & ~np.isin(ours.behaviour, (OBSTACLE, LANDMARK))
    for number, (low, high) in RANGES.items():
        values = ours[number][is_vehicle]
        assert ((low <= values) & (values <= high)).all(), number
        assert len(np.unique(values)) == len(values), number
        assert np.ptp(values) > 0.3 * (high - low), number
    standing = ours.present & ~is_vehicle
    for side in ("length", "width"):
        np.testing.assert_array_equal(ours[side][standing], known[side][standing])
    if not drawn.task.warm_up:  # who has driven before the start has done so in its own way
        for field in ("x", "y", "heading", "speed", "behaviour"):
            np.testing.assert_array_equal(ours[field][ours.present], known[field][ours.present], field)
        assert (known.present & ~ours.present).sum() <= 0.05 * known.present.sum()  # where there was no room


@pytest.mark.parametrize("name", ["highway-v0", "intersection-v0", "parking-parked-v0"])
def test_a_level_has_the_same_vehicles_in_every_batch(name: str) -> None:
    alone, among = started(name, 2, vehicle_ranges=RANGES), started(name, 9, vehicle_ranges=RANGES)
    for simulation in (alone, among):
        shape = simulation.action_space.shape or ()
        for _ in range(3):
            simulation.step(np.zeros((simulation.num_envs, *shape), np.float32 if shape else np.int64), None, True)
    np.testing.assert_array_equal(among.world.vehicles[:2], alone.world.vehicles)
    assert (among.world.vehicles.length[0, 0] != among.world.vehicles.length[1:, 0]).all()


def test_a_range_of_one_value_is_that_value_and_draws_nothing() -> None:
    plain, same = started("highway-v0", 3), started("highway-v0", 3, vehicle_ranges={"length": (6, 6)})
    assert (same.world.vehicles.length == 6).all()
    np.testing.assert_array_equal(same.world.rng, plain.world.rng)


@pytest.mark.parametrize("name", ["roundabout-generic-v0", "intersection-v0", "highway-v0", "parking-parked-v0"])
def test_nobody_starts_on_top_of_another(name: str) -> None:
    """Trucks of 8 m to 12 m, put 7 m apart at the roundabout: those without room are left out."""
    simulation = started(name, 40, vehicle_ranges={"length": (8, 12), "width": (2, 3)})
    vehicles = simulation.world.vehicles
    pairs = 0
    for row in vehicles:
        solid = [car for car in row if car.present and car.behaviour != LANDMARK]
        for a, b in itertools.combinations(solid, 2):
            if (a.behaviour, b.behaviour) == (OBSTACLE, OBSTACLE):  # walls meet in corners
                continue
            sides = [(car.x, car.y, car.heading, car.length, car.width) for car in (a, b)]
            assert not overlap(*sides[0], *sides[1], 0.0, 0.0)[0]
            pairs += 1
    assert pairs > 100
    assert vehicles.present[:, 0].all()


@pytest.mark.parametrize("length", [4.0, 8.0])
def test_ego_drives_the_circle_of_its_wheelbase(length: float) -> None:
    """Kinematic: radius = (L/2) / sin β, with tan β = ½ tan δ; by the road's own rules, action in, pose out."""
    simulation = started(
        "highway-v0", 1, vehicles_count=0, vehicle_ranges={"length": (length, length)}, simulation_frequency=1000,
        policy_frequency=10, action={"type": "ContinuousAction", "steering_range": [-0.4, 0.4]},
    )  # fmt: skip
    ego = simulation.world.vehicles[0, 0]
    speed = ego.speed
    for _ in range(10):
        simulation.step(np.array([[0.0, 0.5]], np.float32), None, False)
    slip = math.atan(math.tan(0.2) / 2)
    assert ego.heading == pytest.approx(speed * math.sin(slip) / (length / 2), rel=1e-5)


def test_a_heavier_car_on_softer_tyres_turns_in_later() -> None:
    """The dynamic bicycle, chosen by `dynamical`, one policy step after the wheel is turned; the first step of linear
    tyres' response is in proportion to stiffness / mass."""
    turned = []
    for mass, stiffness in ((1.0, 15.0), (2.0, 15.0), (1.0, 7.5)):
        simulation = started(
            "lane-keeping-v0", 1, simulation_frequency=1000, policy_frequency=1000,
            vehicle_ranges={"mass": (mass, mass), "cornering_stiffness": (stiffness, stiffness)},
        )  # fmt: skip
        simulation.step(np.array([[0.1]], np.float32), None, False)
        turned.append(simulation.world.vehicles.yaw_rate[0, 0])
    assert turned[1] == pytest.approx(turned[0] / 2, rel=0.01)
    assert turned[2] == turned[1]


def test_a_queue_keeps_the_distance_of_its_driver_and_of_long_cars() -> None:
    """IDM's gap at equilibrium, (d₀ + v T) / √(1 - (v/v₀)^δ), between cars of 8 m: 3 m more between their middles."""
    simulation = started(
        "highway-v0", 1, vehicles_count=1, lanes_count=1, duration=1e9,
        vehicle_ranges={"length": (8, 8), "distance_wanted": (7, 7), "time_wanted": (2, 2)},
    )  # fmt: skip
    leader, follower = simulation.world.vehicles[0]
    leader.x, follower.x = 300.0, 200.0
    leader.speed = leader.target_speed = 20.0
    follower.speed, follower.target_speed, follower.delta = 20.0, 28.0, 4.0
    simulation.set_state(simulation.get_state(slice(None)), slice(None))
    for _ in range(200):
        simulation.step(np.array([IDLE]), None, False)
    assert leader.x - follower.x == pytest.approx((7 + 3 + 2 * 20) / math.sqrt(1 - (20 / 28) ** 4), abs=1e-3)


def test_a_longer_car_is_longer_in_the_picture() -> None:
    """From above, where a metre is the same everywhere: boxes along the road grow with length, across it with width."""
    boxes = {}
    for length, width in ((4.0, 2.0), (8.0, 2.0), (8.0, 3.0)):
        env: Any = gym.make(
            "visnav/highway-v0", camera="birdseye", image_size=(256, 256), vehicles_count=3,
            vehicle_ranges={"length": (length, length), "width": (width, width)},
        ).unwrapped  # fmt: skip
        env.reset(seed=0)
        found = env.annotate(("boxes",))["boxes"]
        x0, y0, x1, y1 = found["boxes"][found["ids"] == 1][0]  # ego, in the same place of each picture
        boxes[length, width] = sorted((x1 - x0, y1 - y0))
    narrow, along = boxes[4.0, 2.0]
    assert along == pytest.approx(2 * narrow, abs=2)
    assert boxes[8.0, 2.0] == pytest.approx([narrow, 2 * along], abs=2)
    assert boxes[8.0, 3.0] == pytest.approx([1.5 * narrow, 2 * along], abs=2)


def test_gymnasium_accepts_drawn_vehicles() -> None:
    check_env(gym.make("visnav/merge-v0", vehicle_ranges=RANGES).unwrapped, skip_render_check=True)


@pytest.mark.parametrize(
    ("ranges", "error", "message"),
    [
        ({"lenght": (4, 6)}, TypeError, "unknown name in vehicle_ranges: 'lenght'; did you mean 'length'"),
        ({"length": (6, 4)}, ValueError, r"length in vehicle_ranges is \(low, high\), 1 to 20; got \(6, 4\)"),
        ({"width": (0, 2)}, ValueError, r"width in vehicle_ranges is \(low, high\), 0.5 to 3; got"),
        ({"mass": 2.0}, ValueError, r"mass in vehicle_ranges is \(low, high\), 0.1 to 10; got 2.0"),
        ({"time_wanted": (1, float("nan"))}, ValueError, "time_wanted in vehicle_ranges is a finite number; got nan"),
        ({"length": ("4", "6")}, ValueError, "length in vehicle_ranges is a finite number; got '4'"),
        ([("length", (4, 6))], ValueError, "vehicle_ranges is a mapping from names to"),
    ],
)
def test_a_bad_range_says_what_is_allowed(ranges: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gym.make("visnav/highway-v0", vehicle_ranges=ranges)
