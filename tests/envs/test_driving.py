"""Driving worlds by themselves: physics in closed form, traffic, determinism, saved states, errors."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from driving_start import started
from numpy.typing import NDArray

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.driving.collisions import collide, collide_all
from visnav.envs.driving.config import IDM_VEHICLE, TRAFFIC
from visnav.envs.driving.control import order_lanes
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.loops import step_rows
from visnav.envs.driving.spawning import TYRE_STIFFNESS, UNIT_MASS
from visnav.envs.driving.traffic import acceleration, desired_gap, neighbours
from visnav.envs.driving.vehicles import dynamic_bicycle, kinematic_bicycle
from visnav.envs.driving.world import (
    EGO_DIRECT,
    IDM,
    LANDMARK,
    OBSTACLE,
    PARKED,
    VEHICLE_LENGTH,
    VEHICLE_WIDTH,
    World,
    make_world,
)

IDLE, SLOWER = 1, 0  # the latter where actions only change the speed


def one_vehicle(speed: float, steering: float = 0.0, acceleration: float = 0.0) -> World:
    """A vehicle at the origin, heading along x."""
    world = make_world(1, 1, 1)
    ego = world.vehicles[0, 0]
    ego.length, ego.width, ego.behaviour, ego.present = VEHICLE_LENGTH, VEHICLE_WIDTH, EGO_DIRECT, True
    ego.mass, ego.cornering_stiffness = UNIT_MASS, TYRE_STIFFNESS
    ego.speed, ego.steering, ego.acceleration = speed, steering, acceleration
    return world


def test_the_kinematic_bicycle_drives_its_circle() -> None:
    speed, steering, dt = 10.0, 0.3, 1e-4
    slip = math.atan(math.tan(steering) / 2)
    radius = VEHICLE_LENGTH / 2 / math.sin(slip)
    world = one_vehicle(speed, steering)
    ego = world.vehicles[0, 0]
    center = -radius * math.sin(slip), radius * math.cos(slip)
    farthest = 0.0
    steps = round(2 * math.pi * radius / speed / dt)
    for _ in range(steps):
        kinematic_bicycle(0, 0, world, dt)
        farthest = max(farthest, abs(math.hypot(ego.x - center[0], ego.y - center[1]) - radius))
    assert farthest < 0.02  # of Euler's spiral, first order in dt
    assert ego.heading == pytest.approx(speed / radius * steps * dt, rel=1e-9)
    assert math.hypot(ego.x, ego.y) < 0.02


@pytest.mark.parametrize(
    ("length", "mass", "stiffness"), [(VEHICLE_LENGTH, UNIT_MASS, TYRE_STIFFNESS), (8.0, 3.0, 20.0), (3.0, 0.5, 6.0)]
)
def test_the_dynamic_bicycle_settles_on_the_circle_of_linear_tyres(
    length: float, mass: float, stiffness: float
) -> None:
    """Straight ahead in x, constant speed: yaw rate and lateral speed where both derivatives are zero."""
    speed, steering = 8.0, 0.05
    world = one_vehicle(speed, steering)
    ego = world.vehicles[0, 0]
    ego.length, ego.mass, ego.cornering_stiffness = length, mass, stiffness
    for _ in range(4000):
        dynamic_bicycle(0, 0, world, 0.01)
    front = steering - math.atan2(ego.lateral_speed + length / 2 * ego.yaw_rate, speed)
    rear = -math.atan2(ego.lateral_speed - length / 2 * ego.yaw_rate, speed)
    assert front == pytest.approx(rear, abs=1e-9)  # no yaw acceleration: axles are equally far from the middle
    assert 2 * stiffness * (front + rear) == pytest.approx(mass * ego.yaw_rate * speed, abs=1e-9)  # nor a lateral one
    # a neutral car: linearised, yaw rate = v δ / L
    assert ego.yaw_rate == pytest.approx(speed * steering / length, rel=0.01)


def test_braking_in_a_straight_line_takes_the_distance_of_the_formula() -> None:
    for model in (kinematic_bicycle, dynamic_bicycle):
        speed, brake, dt = 20.0, -4.0, 1e-3
        world = one_vehicle(speed, acceleration=brake)
        for _ in range(4000):
            model(0, 0, world, dt)
        ego = world.vehicles[0, 0]
        assert ego.speed == pytest.approx(speed + brake * 4, abs=1e-9)
        assert ego.x == pytest.approx(speed * 4 + brake * 8, abs=0.01)
        assert (ego.y, ego.heading) == (0, 0)


def kinematic_rates(state: NDArray[np.float64], steering: float, acceleration: float) -> NDArray[np.float64]:
    """d/dt of x, y, heading, speed: highway_env/vehicle/kinematics.py."""
    _, _, heading, speed = state
    slip = math.atan(math.tan(steering) / 2)
    turn = speed * math.sin(slip) / (VEHICLE_LENGTH / 2)
    return np.array([speed * math.cos(heading + slip), speed * math.sin(heading + slip), turn, acceleration])


def dynamic_rates(state: NDArray[np.float64], steering: float, acceleration: float) -> NDArray[np.float64]:
    """d/dt of x, y, heading, speed, lateral speed, yaw rate: highway_env/vehicle/dynamics.py, per kg of mass."""
    _, _, heading, speed, lateral, yaw_rate = state
    front = 2 * 15 * (steering - math.atan2(lateral + 2.5 * yaw_rate, speed))
    rear = 2 * 15 * -math.atan2(lateral - 2.5 * yaw_rate, speed)
    return np.array(
        [
            speed * math.cos(heading) - lateral * math.sin(heading),
            speed * math.sin(heading) + lateral * math.cos(heading),
            yaw_rate,
            acceleration,
            front + rear - yaw_rate * speed,
            2.5 * (front - rear) / ((5**2 + 2**2) / 12),
        ]
    )


@pytest.mark.parametrize(
    ("model", "rates", "fields", "dt", "near"),
    [
        (kinematic_bicycle, kinematic_rates, ("x", "y", "heading", "speed"), 1e-4, 2e-3),  # Euler's: first order
        (
            dynamic_bicycle, dynamic_rates, ("x", "y", "heading", "speed", "lateral_speed", "yaw_rate"), 1e-3, 1e-5,
        ),
    ],
)  # fmt: skip
def test_bicycles_follow_a_float64_integration_of_their_equations(
    model: Any, rates: Any, fields: tuple[str, ...], dt: float, near: float
) -> None:
    """Three seconds of slalom, braking and speeding up; the reference takes steps of a millisecond, by Runge-Kutta."""

    def commands(t: float) -> tuple[float, float]:
        return 0.15 * math.sin(3 * t), 4 * math.cos(2 * t)

    state, h = np.zeros(len(fields)), 1e-3
    state[3] = 12.0
    for n in range(3000):
        t = n * h
        k1 = rates(state, *commands(t))
        k2 = rates(state + h / 2 * k1, *commands(t + h / 2))
        k3 = rates(state + h / 2 * k2, *commands(t + h / 2))
        k4 = rates(state + h * k3, *commands(t + h))
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    world = one_vehicle(12.0)
    ego = world.vehicles[0, 0]
    for n in range(round(3 / dt)):
        ego.steering, ego.acceleration = commands((n + 0.5) * dt)
        model(0, 0, world, dt)
    assert abs(state[1]) > 1  # it did turn
    np.testing.assert_allclose([ego[name] for name in fields], state, atol=near)


def test_a_crash_of_two_pushes_them_apart_and_stops_them() -> None:
    simulation = started("highway-v0", 1, vehicles_count=1)
    ego, other = simulation.world.vehicles[0]
    other.x, other.y, other.heading, other.speed = ego.x + 5.2, ego.y, ego.heading, 0.0
    other.target_speed, other.lane, other.target_lane = 1.0, ego.lane, ego.target_lane
    simulation.set_state(simulation.get_state(slice(None)), slice(None))
    before = other.y
    outcome = simulation.step(np.array([IDLE]), None, False)
    assert (ego.crashed, other.crashed, outcome.terminated[0], outcome.success[0]) == (True, True, True, False)
    assert abs(other.y - before) > 0.5  # pushed aside, though it stood
    for _ in range(8):
        simulation.step(np.array([IDLE]), None, False)
    assert max(abs(ego.speed), abs(other.speed)) < 0.1


def test_a_queue_settles_at_idms_equilibrium_gap() -> None:
    """s = s* / √(1 - (v/v₀)^δ) where speeds are equal and nobody accelerates (Treiber 2000, equation 3)."""
    simulation = started("highway-v0", 1, vehicles_count=1, lanes_count=1, duration=1e9)
    leader, follower = simulation.world.vehicles[0]
    leader.x, follower.x = 300.0, 200.0
    leader.speed = leader.target_speed = 20.0  # ego: keeps its target speed
    follower.speed, follower.target_speed, follower.delta = 20.0, 28.0, 4.0
    follower.behaviour, follower.lane_changes = IDM, False
    simulation.set_state(simulation.get_state(slice(None)), slice(None))
    for _ in range(200):
        simulation.step(np.array([IDLE]), None, False)
    assert follower.speed == pytest.approx(20.0, abs=1e-6)
    wanted = 10 + 1.5 * 20
    assert leader.x - follower.x == pytest.approx(wanted / math.sqrt(1 - (20 / 28) ** 4), abs=1e-3)
    world = simulation.world
    assert desired_gap(0, 1, 1, 0, world) == pytest.approx(wanted, abs=1e-5)
    here = acceleration(0, 1, 1, 0, world, simulation.roads, simulation.tables)
    assert here == pytest.approx(0, abs=1e-6)


def test_drivers_look_at_the_nearest_before_and_behind() -> None:
    """Beside a search through everybody; of several at one place it is the last before and the first behind."""
    simulation = started("highway-v0", 8, vehicles_count=30)
    simulation.world.vehicles.x[:, 20:25] = simulation.world.vehicles.x[:, 19:20]
    simulation.set_state(simulation.get_state(slice(None)), slice(None))
    world, roads, tables = simulation.world, simulation.roads, simulation.tables
    found = 0
    for i in range(8):
        order_lanes(i, world, roads, tables)
        for lane in range(4):
            near = tables.near[i, lane]
            for v in range(31):
                own = tables.along[i, lane, v]
                ahead = [(near[o], -o) for o in range(31) if o != v and near[o] >= own]
                behind = [(-near[o], o) for o in range(31) if o != v and near[o] < own]
                expected = (-min(ahead)[1] if ahead else -1, min(behind)[1] if behind else -1)
                assert neighbours(i, v, lane, world, roads, tables, False) == expected
                found += len(ahead) > 0
    assert found > 500


def test_collisions_are_those_of_every_pair() -> None:
    rng = np.random.default_rng(0)
    simulation = started("highway-v0", 50, vehicles_count=30)
    vehicles = simulation.world.vehicles
    vehicles.x, vehicles.y = rng.uniform(0, 60, (2, 50, 31))
    vehicles.heading, vehicles.speed = rng.uniform(-4, 4, (50, 31)), rng.uniform(-10, 40, (50, 31))
    vehicles.length, vehicles.width = rng.uniform(1, 8, (2, 50, 31))
    vehicles.check_collisions = rng.random((50, 31)) < 0.3
    vehicles.behaviour[:, 5:12] = np.array([OBSTACLE, LANDMARK, OBSTACLE, LANDMARK, PARKED, IDM, OBSTACLE])
    simulation.set_state(simulation.get_state(slice(None)), slice(None))
    state = simulation.get_state(slice(None))
    for i in range(50):
        collide_all(i, simulation.world, simulation.tables, 0.1)
    together = vehicles.copy()
    simulation.set_state(state, slice(None))
    for i in range(50):
        for a in range(31):
            for b in range(a + 1, 31):
                checks = vehicles.check_collisions[i, a] or vehicles.check_collisions[i, b]
                if checks and vehicles.behaviour[i, a] not in (OBSTACLE, LANDMARK):
                    collide(i, a, b, simulation.world, 0.1)
    assert 100 < together.crashed.sum() < 1400
    for name in ("crashed", "hit", "impacted", "impact_x", "impact_y"):
        np.testing.assert_array_equal(together[name], vehicles[name])


def test_nobody_leaves_its_lane_unless_mobil_asked() -> None:
    simulation = started("highway-v0", 32)
    vehicles = simulation.world.vehicles
    vehicles.lane_changes = False
    lanes = vehicles.lane.copy()
    for _ in range(20):
        simulation.step(np.full(32, IDLE), None, False)
    unhurt = ~vehicles.crashed
    assert unhurt.mean() > 0.9
    np.testing.assert_array_equal(vehicles.lane[unhurt], lanes[unhurt])
    assert (np.abs(vehicles.y - 4.0 * lanes)[unhurt] < 1e-9).all()


@pytest.mark.parametrize("name", sorted(TASKS))
def test_worlds_do_not_depend_on_batch_size_or_threads(name: str) -> None:
    def play(num_envs: int, num_threads: int) -> NDArray[Any]:
        envs = gym.make_vec(f"visnav/{name}", num_envs=num_envs, camera="kinematics", num_threads=num_threads)
        envs.reset(seed=7)
        rng = np.random.default_rng(1)
        for _ in range(12):
            shape = envs.single_action_space.shape
            actions = rng.uniform(-1, 1, (300, *shape)) if shape else rng.integers(0, 3, 300)
            envs.step(actions[:num_envs])
        return envs.unwrapped.simulation.world.vehicles[:3].copy()

    alone = play(3, 1)
    np.testing.assert_array_equal(play(300, 2), alone)


def test_a_saved_state_plays_on_exactly() -> None:
    envs = gym.make_vec("visnav/merge-v0", num_envs=5, camera="kinematics").unwrapped
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 5, (9, 5))
    for k in range(3):
        envs.step(actions[k])
    state = envs.get_state()
    first = [envs.step(actions[k])[0] for k in range(3, 9)]
    envs.set_state(state)
    again = [envs.step(actions[k])[0] for k in range(3, 9)]
    np.testing.assert_array_equal(again, first)
    envs.set_state(envs.get_state(slots=[2]), slots=[0])
    np.testing.assert_array_equal(envs.render_observation()[0], envs.render_observation()[2])
    with pytest.raises(ValueError, match="state of another task or number of slots"):
        gym.make_vec("visnav/highway-v0", num_envs=5, camera="kinematics").unwrapped.set_state(state)


def test_the_same_seed_is_the_originals_scene() -> None:
    pytest.importorskip("highway_env")
    for name in ("highway-v0", "highway-fast-v0", "merge-v0", "merge-generic-v0"):
        original = gym.make(name).unwrapped
        simulation = started(name, 3)
        for seed in range(3):
            original.reset(seed=seed)
            theirs = np.array([(*v.position, v.speed, v.target_speed) for v in original.road.vehicles])
            row = simulation.world.vehicles[seed][: len(theirs)]
            np.testing.assert_allclose(np.stack([row.x, row.y, row.speed, row.target_speed], 1), theirs, atol=1e-9)


@pytest.mark.parametrize("other_vehicles_type", TRAFFIC)
def test_the_same_seed_is_the_originals_traffic(other_vehicles_type: str) -> None:
    """What each behaviour draws for itself, draw by draw."""
    pytest.importorskip("highway_env")
    config = {"other_vehicles_type": other_vehicles_type, "vehicles_count": 12}
    original = gym.make("highway-v0", config=config).unwrapped
    simulation = started("highway-v0", 3, **config)
    for seed in range(3):
        original.reset(seed=seed)
        cars, ours = original.road.vehicles[1:], simulation.world.vehicles[seed][1:]
        assert {type(car).__name__ for car in cars} == {other_vehicles_type.rpartition(".")[2]}
        np.testing.assert_array_equal(ours.behaviour, TRAFFIC[other_vehicles_type])
        drawn = [ours.x, ours.delta]
        theirs = [[car.position[0], car.DELTA] for car in cars]
        if other_vehicles_type != IDM_VEHICLE:
            drawn += [ours.gain_speed, ours.gain_approach, ours.gain_room, ours.gain_heading, ours.gain_lateral]
            theirs = [
                [*known, *car.ACCELERATION_PARAMETERS, *car.STEERING_PARAMETERS]
                for known, car in zip(theirs, cars, strict=True)
            ]
        np.testing.assert_allclose(np.stack(drawn, 1), theirs, rtol=1e-12)


def test_train_and_test_split_share_no_level() -> None:
    layouts = {}
    for split in ("train", "test"):
        envs = gym.make_vec("visnav/merge-v0", num_envs=200, camera="kinematics", split=split).unwrapped
        envs.reset(seed=0)
        layouts[split] = set(envs.layouts.tolist())
    assert len(layouts["train"]) == len(layouts["test"]) == 200
    assert not layouts["train"] & layouts["test"]


@pytest.mark.parametrize(
    ("name", "keywords", "error", "message"),
    [
        ("highway-v0", {"lanes_count": 0}, ValueError, "lanes_count is a whole number, 1 to 32; got 0"),
        ("highway-v0", {"lane_count": 3}, TypeError, "did you mean 'lanes_count'"),
        ("highway-fast-v0", {"vehicles_density": 0}, ValueError, "vehicles_density is a finite number, more than 0"),
        ("merge-v0", {"tile_size": 8}, TypeError, "unknown keyword for visnav/merge-v0: 'tile_size'"),
        ("merge-v0", {"camera": "tiles"}, ValueError, "unknown camera 'tiles'"),
        ("merge-v0", {"observation": {"feature": ()}}, TypeError, "did you mean 'features'"),
        ("merge-v0", {"observation": {}, "camera": "front"}, ValueError, "observation is of camera='kinematics'; got"),
        ("merge-v0", {"observation": {"type": "Lidar"}}, ValueError, "unknown type of observation 'Lidar'"),
        ("merge-v0", {"observation": {"type": "KinematicsGoal"}}, ValueError, "for tasks with a goal"),
        ("merge-v0", {"observation": {"type": "ExitObservation"}}, ValueError, "for roads with an exit"),
        ("merge-v0", {"action": {"type": "Continuous"}}, ValueError, "unknown type of action 'Continuous'"),
        ("merge-v0", {"action": "ContinuousAction"}, ValueError, 'action is a mapping with a "type"'),
        ("merge-v0", {"action": {"type": "ContinuousAction", "clip": False}}, ValueError, "clip is True"),
        ("merge-v0", {"action": {"type": "DiscreteAction", "steer": 1}}, TypeError, "unknown name in action: 'steer'"),
        ("merge-v0", {"action": {"type": "ContinuousAction", "steering_range": [1]}}, ValueError, "sequence of 2 "),
        ("merge-v0", {"action": {"type": "DiscreteMetaAction", "target_speeds": [9, 5]}}, ValueError, "ascending"),
        ("merge-v0", {"policy_frequency": 30}, ValueError, "policy_frequency is a whole number, 1 to 15; got 30"),
        ("parking-v0", {"simulation_frequency": 3}, ValueError, "simulation_frequency is at least policy_frequency"),
        ("parking-v0", {"reward_weights": (1, 2)}, ValueError, "reward_weights are 6 numbers"),
        ("merge-v0", {"duration": 0}, ValueError, "duration is a finite number, more than 0; got 0"),
        ("highway-v0", {"reward_speed_range": (30, 20)}, ValueError, "ascending"),
        ("intersection-v0", {"destination": "o0"}, ValueError, "unknown destination 'o0'"),
        (
            "merge-v0",
            {"other_vehicles_type": "IDM"},
            ValueError,
            "unknown other_vehicles_type 'IDM'; allowed: highway_",
        ),
        ("racetrack-v0", {"other_vehicles_type": IDM_VEHICLE}, TypeError, "unknown keyword for visnav/racetrack-v0"),
        ("lane-keeping-v0", {"vehicles_count": 3}, TypeError, "unknown keyword for visnav/lane-keeping-v0"),
        ("merge-v0", {"observation": {"features": ("speed",)}}, ValueError, "unknown feature 'speed'"),
        ("merge-v0", {"split": "val"}, ValueError, 'split is None, "train" or "test"'),
    ],
)
def test_a_bad_configuration_says_what_is_allowed(
    name: str, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        gym.make(f"visnav/{name}", **keywords)


def test_traffic_comes_and_goes_at_the_intersection() -> None:
    """Nobody is left near the end of a way out; newcomers are 5 m into a way in, give or take, and are routed."""
    simulation = started("intersection-v0", 200, spawn_probability=1.0, duration=100)
    vehicles, roads = simulation.world.vehicles, simulation.roads
    came = left = 0
    for _ in range(25):
        before = vehicles.present.copy()
        simulation.step(np.full(200, SLOWER), None, True)
        playing = simulation.world.step_count > 1
        left += int((before & ~vehicles.present)[playing].sum())
        rows, places = np.nonzero((vehicles.present & ~before) & playing[:, None])
        came += len(rows)
        lanes = vehicles.lane[rows, places]
        along = simulation.tables.along[rows, lanes, places]
        assert (np.abs(along - 5) < 6).all()
        assert (simulation.world.route[rows, places, -1, 0] >= 0).all()
        present = np.nonzero(vehicles.present)
        out = roads.lanes.arrival[0, vehicles.lane[present]] & (present[1] > 0)
        along = simulation.tables.along[present[0], vehicles.lane[present], present[1]]
        assert (along[out] < roads.lanes.length[0, vehicles.lane[present]][out] - 20).all()
    assert came > 1000
    assert left > 300


def test_who_has_not_the_right_of_way_stops() -> None:
    """Two cars that would meet in the middle: the one on the vertical road yields, and goes when the other has gone."""
    simulation = started("intersection-v0", 1, initial_vehicle_count=0, spawn_probability=0.0, duration=100)
    vehicles, networks = simulation.world.vehicles[0], simulation.networks[0]
    vehicles.present[1:] = False
    ego, first, second = vehicles[:3]
    ego.x, ego.y, ego.speed, ego.target_speed = 200.0, 200.0, 0.0, 0.0
    ways = networks.route("o2", "ir2", "o0"), networks.route("o3", "ir3", "o1")
    for k, (car, place, way) in enumerate(zip((first, second), ((-2.0, -25.0), (25.0, -2.0)), ways, strict=True)):
        simulation.world.vehicles[0, 1 + k] = ego
        car.present, car.behaviour = True, IDM
        car.x, car.y, car.heading, car.speed, car.target_speed = *place, (np.pi / 2, np.pi)[k], 8.0, 8.0
        car.lane = car.target_lane = networks.lane_number(*(("o2", "ir2"), ("o3", "ir3"))[k])
        simulation.world.route[0, 1 + k, :, 0] = way
        car.route_at = 0
    simulation.set_state(simulation.get_state(slice(None)), slice(None))
    simulation.step(np.array([IDLE]), None, False)
    assert (first.yielding, second.yielding) == (True, False)
    assert first.target_speed == 0.0
    slowest = second.speed
    for _ in range(12):
        simulation.step(np.array([IDLE]), None, False)
        slowest = min(slowest, second.speed)
    assert slowest > 7
    assert not first.crashed
    assert first.y > 20  # it has crossed, too


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_million_steps_stay_finite(name: str) -> None:
    simulation = started(name, 1000)
    rng = np.random.default_rng(0)
    observation = simulation.allocate()
    for _ in range(1000):
        shape = simulation.action_space.shape or ()
        most = simulation.num_actions
        actions = rng.uniform(-1, 1, (1000, *shape)).astype(np.float32) if shape else rng.integers(0, most, 1000)
        outcome = simulation.step(actions, observation, True)
        assert np.isfinite(outcome.reward).all()
        assert all(np.isfinite(seen).all() for seen in observation.values())
    assert step_rows.signatures  # that was the compiled rule
    assert np.isfinite(simulation.world.vehicles.x).all()
