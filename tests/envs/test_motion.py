"""A disc that drives in mazes: nothing is entered, walls are slid along, sensors and measures are Habitat's."""

import json
import math
import os
import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

import visnav.envs
from visnav.envs import batch
from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.navigation import RADIUS, STRIDE, TURN
from visnav.envs.grid.planner import Expert, plan
from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import EMPTY, GOAL_KIND, POINT_GOAL, WALL, Task

POINT, OBJECT = "visnav/Maze-PointGoal-9x9-v0", "visnav/Maze-ObjectGoal-9x9-v0"
MAZES = sorted(f"visnav/{name}" for name in TASKS if TASKS[name]().continuous)


def gaps(cells: NDArray[np.uint16], places: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) metres from places (N, 2) to the nearest solid cell of grids (N, height, width), in float64."""
    solid = ~np.isin(cells & 15, (EMPTY, GOAL_KIND))
    rows, columns = np.indices(cells.shape[1:])
    x, y = places[:, 0, None, None].astype(float), places[:, 1, None, None].astype(float)
    beside = np.maximum(np.maximum(columns - x, x - columns - 1), 0)
    above = np.maximum(np.maximum(rows - y, y - rows - 1), 0)
    return np.where(solid, np.hypot(beside, above), np.inf).min((1, 2))


def place(envs: Any, x: float, y: float, heading: float) -> None:
    """Put every agent of a batch at one pose."""
    world = envs.unwrapped.simulation.world
    world.pose[:] = x, y, heading
    world.agent[:] = math.floor(x), math.floor(y), math.floor(heading / (math.pi / 2) + 0.5) % 4


# --- walls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        (POINT, {}),
        (OBJECT, {"actions": "discrete"}),
        (POINT, {"max_speed": 10.0, "time_step": 0.1}),  # a metre a step, the most that is allowed
        ("visnav/Rooms-ObjectGoal-11x11-v0", {"max_speed": 4.0}),
        ("visnav/Maze-PointGoal-15x15-v0", {"loops": 20}),
    ],
)
def test_a_million_random_steps_enter_nothing_and_pass_through_nothing(name: str, keywords: dict[str, Any]) -> None:
    count, steps = 500, 400
    envs = gym.make_vec(name, num_envs=count, sensors=("gps",), num_threads=1, max_steps=150, **keywords)
    simulation = envs.unwrapped.simulation
    _, info = envs.reset(seed=0)
    before, ended = info["distance_to_goal"], np.zeros(count, np.bool_)
    stride = float(simulation.navigation.motion.stride)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        if "actions" in keywords:
            actions = rng.choice([0, 1, 2, 3], count, p=[0.001, 0.799, 0.1, 0.1])
        else:
            actions = rng.normal([0.7, 0.0], [0.5, 0.4], (count, 2))
        _, _, terminated, truncated, info = envs.step(actions)
        assert gaps(simulation.world.cells, simulation.world.pose[:, :2]).min() >= RADIUS - 1e-5
        distance = info["distance_to_goal"]
        assert np.isfinite(distance).all()
        assert np.abs(distance - before)[~ended].max() <= stride * 1.07 + 1e-3  # it went no way but past walls
        before, ended = distance, terminated | truncated
        np.testing.assert_array_equal(simulation.world.agent[:, :2], np.floor(simulation.world.pose[:, :2]))


def one_wall(rng, level):  # type: ignore[no-untyped-def]
    """A room of 5 x 5 cells with a wall of one cell in the middle, the goal in a corner, the agent in another."""
    for k in range(7):
        for x, y in ((k, 0), (k, 6), (0, k), (6, k)):
            level.cells[y, x] = WALL
    level.cells[3, 3] = WALL
    level.target[0], level.target[1] = 5, 5
    level.agent[0], level.agent[1] = 1, 1


def one_wall_task() -> Task:
    """A maze in which distances are easily told."""
    return Task(
        level=one_wall, width=7, height=7, max_steps=500, missions=("go",), objective=POINT_GOAL, camera="first_person"
    )


def test_a_maze_of_ones_own_is_one_function_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visnav.envs.gym, "TASKS", dict(visnav.envs.TASKS))
    visnav.envs.register({"me/OneWall-v0": one_wall_task})
    env = gym.make("me/OneWall-v0", actions="discrete", sensors=("rgb", "pointgoal_with_gps_compass", "depth"))
    observation, _ = env.reset(seed=0)
    assert observation["depth"].shape == (64, 64, 1)
    played = [env.step(action) for action in plan(env)]
    assert played[-1][4]["success"]
    assert played[-1][4]["spl"] > 0.95
    gym.registry.pop("me/OneWall-v0")


@pytest.fixture
def room() -> GridSimulation:
    """One agent at the middle of (1, 1) in `one_wall`, which looks to the right."""
    simulation = GridSimulation(one_wall_task(), 1, camera="symbolic", max_speed=2.0, time_step=0.1)
    simulation.choose_levels(np.zeros(1, np.int64), np.ones(1, np.bool_))
    simulation.reset(np.ones(1, np.bool_))
    return simulation


def drive(simulation: GridSimulation, speed: float, turn: float, steps: int = 1) -> NDArray[np.float32]:
    """Play one action several times; the pose (3,) that it ends in."""
    for _ in range(steps):
        simulation.step(np.array([[speed, turn]], np.float32), None, reset_ended=False)
    return simulation.world.pose[0]


def test_driving_ahead_and_back(room: GridSimulation) -> None:
    np.testing.assert_allclose(drive(room, 1.0, 0.0), (1.7, 1.5, 0.0), atol=1e-6)
    np.testing.assert_allclose(drive(room, -0.5, 0.0), (1.6, 1.5, 0.0), atol=1e-6)
    assert room.navigation.trip.path_length[0] == pytest.approx(0.3, abs=1e-5)


def test_turning_left_lessens_the_heading(room: GridSimulation) -> None:
    assert drive(room, 0.0, 1.0)[2] == pytest.approx(2 * math.pi - math.pi / 10)
    assert drive(room, 0.0, -1.0, 6)[2] == pytest.approx(math.pi / 2)
    assert room.world.agent[0].tolist() == [1, 1, 1]  # looks down


def test_actions_beyond_the_bounds_are_clipped(room: GridSimulation) -> None:
    np.testing.assert_allclose(drive(room, 7.0, -np.inf), drive_again(1.0, -1.0), atol=1e-6)


def drive_again(speed: float, turn: float) -> NDArray[np.float32]:
    """The pose after one action in a room of its own."""
    simulation = GridSimulation(one_wall_task(), 1, camera="symbolic", max_speed=2.0, time_step=0.1)
    simulation.choose_levels(np.zeros(1, np.int64), np.ones(1, np.bool_))
    simulation.reset(np.ones(1, np.bool_))
    return drive(simulation, speed, turn)


def test_a_wall_is_slid_along_by_what_is_left_of_the_way(room: GridSimulation) -> None:
    room.world.pose[0] = 1.5, 1 + RADIUS, -math.pi / 6  # against the upper wall, 30° into it
    pose = drive(room, 1.0, 0.0, 10)
    np.testing.assert_allclose(pose[:2], (1.5 + 10 * 0.2 * math.cos(math.pi / 6), 1 + RADIUS), atol=1e-5)
    assert room.navigation.trip.collisions[0] == 10
    assert room.navigation.trip.path_length[0] == pytest.approx(10 * 0.2 * math.cos(math.pi / 6), abs=1e-5)


def test_a_corner_of_the_room_holds_the_disc(room: GridSimulation) -> None:
    room.world.pose[0, 2] = 5 * math.pi / 4
    np.testing.assert_allclose(drive(room, 1.0, 0.0, 10)[:2], (1 + RADIUS, 1 + RADIUS), atol=1e-6)
    assert bool(room.navigation.trip.collided[0])
    drive(room, -1.0, 0.0)
    assert not bool(room.navigation.trip.collided[0])


def test_a_jutting_corner_is_slid_round(room: GridSimulation) -> None:
    room.world.pose[0] = 3 - 0.1, 2.5, math.pi / 2  # above the middle wall's left corner, 0.1 m beside its edge
    seen = [drive(room, 0.2, 0.0).copy() for _ in range(40)]
    held = [pose for pose in seen if 3 - math.sqrt(RADIUS**2 - 0.1**2) + 1e-3 < pose[1] < 3.0]
    assert len(held) > 3
    for pose in held:
        assert math.hypot(pose[0] - 3, pose[1] - 3) == pytest.approx(RADIUS, abs=1e-5)
    np.testing.assert_allclose(seen[-1][0], 3 - RADIUS, atol=1e-5)  # passes the wall, just touching it
    assert seen[-1][1] > 3.5


# --- goals, rewards, measures -------------------------------------------------------------------------------


def test_distance_round_the_wall_is_tangents_and_an_arc(room: GridSimulation) -> None:
    """From the middle of (1, 1) to that of (5, 5), past the lower left corner of the wall in the middle."""
    corner = np.array([3.0, 4.0])
    start, goal = np.array([1.5, 1.5]) - corner, np.array([5.5, 5.5]) - corner
    far = np.linalg.norm(start)  # and the goal is as far
    between = 2 * math.pi - math.acos(start @ goal / far**2)
    expected = 2 * math.sqrt(far**2 - RADIUS**2) + RADIUS * (between - 2 * math.acos(RADIUS / far))
    assert room.navigation.trip.start_distance[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("actions", ["continuous", "discrete"])
@pytest.mark.parametrize("name", [POINT, OBJECT])
def test_rewards_add_up_to_the_metres_gained(name: str, actions: str) -> None:
    envs = gym.make_vec(name, num_envs=64, actions=actions, sensors=("gps",), autoreset_mode="Disabled", max_steps=60)
    _, first = envs.reset(seed=5)
    envs.action_space.seed(5)
    total, length = np.zeros(64), np.zeros(64)
    for _ in range(60):
        _, reward, terminated, truncated, info = envs.step(envs.action_space.sample())
        total += reward
        length += 1
        ended = terminated | truncated
        if ended.any():
            i = np.flatnonzero(ended)
            expected = (
                first["distance_to_goal"][i] - info["distance_to_goal"][i] - 0.01 * length[i] + 2.5 * info["success"][i]
            )
            np.testing.assert_allclose(total[i], expected, atol=1e-4)
            _, again = envs.reset(options={"reset_mask": ended})
            first["distance_to_goal"][i] = again["distance_to_goal"][i]
            total[i] = length[i] = 0


def test_a_sparse_reward_is_one_for_success(room: GridSimulation) -> None:
    env = gym.make(POINT, actions="discrete", reward="sparse")
    env.reset(seed=0)
    assert env.step(1)[1] == 0.0
    simulation = env.unwrapped.simulation
    place(env, *(simulation.world.target[0, :2] + 0.5), 0.0)
    _, reward, terminated, _, info = env.step(0)
    assert (reward, terminated, info["success"]) == (1.0, True, True)


@pytest.mark.parametrize(("gap", "success"), [(0.19, True), (0.21, False)])
def test_stop_succeeds_within_two_tenths_of_a_metre(gap: float, success: bool) -> None:
    env = gym.make(POINT, actions="discrete")
    env.reset(seed=0)
    column, row = env.unwrapped.simulation.world.target[0, :2]
    place(env, column + 0.5 + gap, row + 0.5, 0.0)
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated, info["success"]) == (True, False, success)
    assert info["distance_to_goal"] == pytest.approx(gap, abs=1e-5)


def test_continuous_actions_succeed_when_they_get_there() -> None:
    env = gym.make(POINT)
    env.reset(seed=0)
    column, row = env.unwrapped.simulation.world.target[0, :2]
    place(env, column + 0.5 + 0.3, row + 0.5, math.pi)
    _, reward, terminated, _, info = env.step(np.array([0.25, 0.0], np.float32))
    assert (terminated, info["success"]) == (False, False)
    _, reward, terminated, _, info = env.step(np.array([0.5, 0.0], np.float32))
    assert (terminated, info["success"]) == (True, True)
    assert reward == pytest.approx(0.1 - 0.01 + 2.5, abs=1e-5)


def test_an_object_is_found_from_the_cell_beside_it() -> None:
    env = gym.make(OBJECT, actions="discrete")
    for level in range(20):
        env.reset(seed=level)
        simulation = env.unwrapped.simulation
        goal = simulation.navigation.trip.goals[0, 0]
        target = simulation.world.target[0]
        assert np.abs(goal - target[:2] - 0.5).sum() == pytest.approx(1.0)
        assert env.unwrapped.simulation.world.cells[0, target[1], target[0]] >> 8 == target[2]
        place(env, *goal, 0.0)
        _, _, terminated, _, info = env.step(0)
        assert (terminated, info["success"], info["distance_to_goal"]) == (True, True, 0.0)


def test_running_out_of_time_truncates() -> None:
    env = gym.make(POINT, actions="discrete", max_steps=3)
    env.reset(seed=0)
    assert [env.step(2)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_measures_are_habitats_formulas_on_the_places_passed() -> None:
    """SPL, SoftSPL, Collisions and DistanceToGoal of `habitat/tasks/nav/nav.py`, recomputed from outside."""
    envs = gym.make_vec(
        POINT, num_envs=200, actions="discrete", sensors=("gps",), autoreset_mode="Disabled", max_steps=80
    )
    simulation = envs.unwrapped.simulation
    expert = Expert(envs)
    _, info = envs.reset(seed=0)
    start, place_before = info["distance_to_goal"], simulation.world.pose[:, :2].astype(float)
    driven, count, rng = np.zeros(200), np.zeros(200), np.random.default_rng(0)
    alive = np.ones(200, np.bool_)
    for _ in range(80):
        actions = np.where(rng.random(200) < 0.2, rng.integers(1, 4, 200), expert.actions())
        _, _, terminated, truncated, info = envs.step(actions)
        places = simulation.world.pose[:, :2].astype(float)
        moved = np.linalg.norm(places - place_before, axis=1)
        driven += moved
        collided = (actions == 1) & (moved**2 + 1e-5 < STRIDE**2)
        count += collided
        place_before = places
        expected = {
            "spl": info["success"] * start / np.maximum(start, driven),
            "soft_spl": np.maximum(0, 1 - info["distance_to_goal"] / start) * start / np.maximum(start, driven),
            "collisions": count,
        }
        for name, values in expected.items():
            np.testing.assert_allclose(info[name][alive], values[alive], atol=1e-5)
        np.testing.assert_array_equal(info["is_collision"][alive], collided[alive])
        ended = terminated | truncated
        alive &= ~ended
        if ended.any():
            envs.reset(options={"reset_mask": ended})
    assert not alive.any()


# --- sensors ------------------------------------------------------------------------------------------------


def yaw_matrix(heading: float) -> NDArray[np.float64]:
    """Habitat's rotation of an agent: y is up, a turn of 0 looks along -z, and z is down on our maps."""
    yaw = -math.pi / 2 - heading
    return np.array([(math.cos(yaw), 0.0, math.sin(yaw)), (0.0, 1.0, 0.0), (-math.sin(yaw), 0.0, math.cos(yaw))], float)


def habitat_sensors(pose: NDArray[Any], start: NDArray[Any], goal: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """`_compute_pointgoal`, `EpisodicGPSSensor` and `EpisodicCompassSensor` of `habitat/tasks/nav/nav.py`."""
    here, origin, there = (np.array([p[0], 0.0, p[1]], float) for p in (pose, start, goal))
    turned, turned_start = yaw_matrix(pose[2]), yaw_matrix(start[2])
    to_goal = turned.T @ (there - here)
    gone = turned_start.T @ (here - origin)
    ahead_at_start = turned.T @ turned_start @ np.array([0.0, 0.0, -1.0])
    return {
        "pointgoal_with_gps_compass": np.array(
            [np.hypot(to_goal[2], to_goal[0]), -math.atan2(to_goal[0], -to_goal[2])]
        ),
        "gps": np.array([-gone[2], gone[0]]),
        "compass": np.array([math.atan2(ahead_at_start[0], -ahead_at_start[2])]),
    }


def test_sensors_are_habitats() -> None:
    names = ("pointgoal_with_gps_compass", "gps", "compass")
    env = gym.make(POINT, sensors=names)
    simulation = env.unwrapped.simulation
    env.action_space.seed(1)
    for level in range(5):
        observation, _ = env.reset(seed=level)
        start = simulation.world.pose[0].copy()
        np.testing.assert_allclose(observation["gps"], 0, atol=1e-6)
        for _ in range(30):
            observation, *_ = env.step(env.action_space.sample())
            goal = simulation.world.target[0, :2] + 0.5
            for name, expected in habitat_sensors(simulation.world.pose[0], start, goal).items():
                np.testing.assert_allclose(observation[name], expected, atol=2e-5, err_msg=name)


def test_a_goal_to_the_left_has_a_positive_bearing(room: GridSimulation) -> None:
    observation = {"pointgoal_with_gps_compass": np.zeros((1, 2), np.float32)}
    room.world.pose[0] = 5.5, 3.5, 0.0  # looks right, the goal is 2 m below: to the right of the agent
    room.navigation.sense(room.world, observation)
    np.testing.assert_allclose(observation["pointgoal_with_gps_compass"][0], (2.0, -math.pi / 2), atol=1e-6)
    room.world.pose[0, 2] = math.pi
    room.navigation.sense(room.world, observation)
    np.testing.assert_allclose(observation["pointgoal_with_gps_compass"][0], (2.0, math.pi / 2), atol=1e-6)


def test_the_object_sought_is_a_token() -> None:
    envs = gym.make_vec(OBJECT, num_envs=200)
    observation, info = envs.reset(seed=0)
    kinds, colors = ("key", "ball", "box"), ("red", "green", "blue", "purple", "yellow", "grey")
    named = [f"find the {colors[token % 6]} {kinds[token // 6]}" for token in observation["objectgoal"]]
    assert named == info["mission"].tolist()
    assert len(set(named)) == 18
    cells, target = envs.unwrapped.simulation.world.cells, envs.unwrapped.simulation.world.target
    looks = cells[np.arange(200), target[:, 1], target[:, 0]]
    np.testing.assert_array_equal((looks & 15) - 5, observation["objectgoal"] // 6)
    np.testing.assert_array_equal((looks >> 4) & 7, observation["objectgoal"] % 6)
    for i in range(200):  # and nothing else looks like it
        assert np.count_nonzero((cells[i] & 0x7F) == (looks[i] & 0x7F)) == 1


NOISY = {"gps_noise": 0.05, "compass_noise": 0.1, "sensors": ("gps", "compass", "pointgoal_with_gps_compass")}


def test_noise_is_gaussian_and_belongs_to_the_episode() -> None:
    quiet = gym.make_vec(POINT, num_envs=2000, **{**NOISY, "gps_noise": 0.0, "compass_noise": 0.0})
    noisy = gym.make_vec(POINT, num_envs=2000, **NOISY)
    alone = gym.make(POINT, **NOISY)
    plain, (observation, _), (single, _) = quiet.reset(seed=0)[0], noisy.reset(seed=0), alone.reset(seed=7)
    for _ in range(3):
        for name, values in single.items():
            np.testing.assert_array_equal(values, observation[name][7])
        error = observation["gps"] - plain["gps"]
        assert abs(error.mean()) < 0.005
        assert error.std() == pytest.approx(0.05, rel=0.05)
        assert (observation["compass"] - plain["compass"]).std() == pytest.approx(0.1, rel=0.3)
        action = np.tile(np.array([[0.5, 0.2]], np.float32), (2000, 1))
        plain, observation, single = quiet.step(action)[0], noisy.step(action)[0], alone.step(action[0])[0]
    np.testing.assert_array_equal(
        noisy.unwrapped.render_observation()["gps"], observation["gps"]
    )  # seen twice, the same


# --- what people get wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"actions": "box"}, ValueError, "unknown actions 'box'; allowed: continuous, discrete"),
        ({"reward": "shaped"}, ValueError, "unknown reward 'shaped'; allowed: dense, sparse"),
        ({"max_speed": 0}, ValueError, "max_speed is a finite number, more than 0; got 0"),
        ({"max_speed": "fast"}, ValueError, "max_speed is a finite number"),
        ({"max_turn_rate": float("inf")}, ValueError, "max_turn_rate is a finite number"),
        ({"max_speed": 20}, ValueError, r"max_speed \* time_step is at most 1 m a step; got 20 m/s \* 0.1 s"),
        ({"gps_noise": -0.1}, ValueError, "gps_noise is a finite number, at least 0"),
        ({"sensors": ("objectgoal",)}, ValueError, "pointgoal_with_gps_compass"),
        ({"size": 8}, ValueError, r"size is 1 more than a multiple of room_size \+ 1 = 2, such as 5, 7, 9, 11; got 8"),
        ({"size": 3}, ValueError, "size is a whole number, at least 5; got 3"),
        ({"room_size": 0}, ValueError, "room_size is a whole number, at least 1"),
        ({"goal": "points"}, ValueError, "did you mean 'point'"),
        ({"loops": -1}, ValueError, "loops is a whole number, at least 0"),
        ({"speed": 2}, TypeError, "did you mean"),
    ],
)
def test_impossible_keywords_are_refused(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gym.make(POINT, **keywords)


def test_grid_worlds_have_no_such_keywords() -> None:
    with pytest.raises(ValueError, match="max_speed is a keyword of mazes"):
        gym.make("visnav/MiniGrid-Empty-5x5-v0", max_speed=1.0)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([np.nan, 0.0]), "NaN"),
        (np.zeros(3), r"shape \(3,\)"),
        (1, r"shape \(\)"),
        (["left", "right"], "dtype <U5"),
        (np.array([True, False]), "dtype bool"),
        (None, r"shape \(\)"),
    ],
)
def test_bad_continuous_actions(action: Any, message: str) -> None:
    env = gym.make(POINT).unwrapped
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(InvalidAction, match=message):
        env.step(action)
    after = env.get_state()
    assert all((before[name] == after[name]).all() for name in before)
    envs = gym.make_vec(POINT, num_envs=2).unwrapped
    envs.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"expected an array of shape \(2, 2\) with numbers from -1 to 1"):
        envs.step(action)


def test_whole_numbers_in_a_list_are_an_action() -> None:
    env = gym.make(POINT).unwrapped
    env.reset(seed=0)
    heading = env.simulation.world.pose[0, 2]
    env.step([0, 1])
    assert env.simulation.world.pose[0, 2] == pytest.approx((heading - math.pi / 10) % (2 * math.pi), abs=1e-5)


# --- levels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAZES)
def test_a_thousand_levels_have_a_way_to_the_goal(name: str) -> None:
    simulation = GridSimulation(TASKS[name.removeprefix("visnav/")](), 1000, camera="symbolic")
    everyone = np.ones(1000, np.bool_)
    simulation.choose_levels(np.arange(1000), everyone)
    simulation.reset(everyone)
    distance = simulation.navigation.trip.start_distance
    assert np.isfinite(distance).all()
    assert (distance > simulation.task.success_distance).all()


def test_mazes_are_uniform_spanning_trees() -> None:
    """Of 2 x 2 rooms there are four spanning trees."""
    simulation = GridSimulation(TASKS["Maze-PointGoal-7x7-v0"](size=5), 4000, camera="symbolic")
    everyone = np.ones(4000, np.bool_)
    simulation.choose_levels(np.arange(4000), everyone)
    simulation.reset(everyone)
    walls = simulation.world.cells[:, (1, 2, 2, 3), (2, 1, 3, 2)] == WALL
    assert (walls.sum(1) == 1).all()
    assert (np.abs(walls.mean(0) - 0.25) < 0.03).all()


@pytest.mark.parametrize(("name", "least"), [("Maze-PointGoal-9x9-v0", 1.0), ("Rooms-PointGoal-11x11-v0", 1.0)])
def test_loops_open_walls(name: str, least: float) -> None:
    def walls(loops: int) -> int:
        simulation = GridSimulation(TASKS[name](loops=loops), 200, camera="symbolic")
        everyone = np.ones(200, np.bool_)
        simulation.choose_levels(np.arange(200), everyone)
        simulation.reset(everyone)
        return int((simulation.world.cells == WALL).sum())

    assert walls(0) - walls(4) > 200 * least


def test_discrete_actions_are_habitats() -> None:
    env = gym.make(POINT, actions="discrete").unwrapped
    env.reset(seed=0)
    assert env.simulation.action_names == ("stop", "forward", "left", "right")
    x, y = env.simulation.world.target[0, :2] + 0.5
    place(env, x, y, 0.0)
    env.step(2)
    assert env.simulation.world.pose[0, 2] == pytest.approx(2 * math.pi - TURN)
    env.step(3)
    env.step(3)
    assert env.simulation.world.pose[0, 2] == pytest.approx(TURN)


PLAY = """
import json
import numpy as np
from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.simulation import GridSimulation

found = {}
for name in ("Maze-PointGoal-7x7-v0", "Rooms-ObjectGoal-11x11-v0"):
    for actions in ("continuous", "discrete"):
        simulation = GridSimulation(
            TASKS[name](), 3, camera="symbolic", actions=actions, gps_noise=0.1, compass_noise=0.1,
            sensors=("gps", "compass"),
        )
        simulation.choose_levels(np.arange(3), np.ones(3, bool))
        simulation.reset(np.ones(3, bool))
        observation = simulation.allocate()
        rng = np.random.default_rng(1)
        seen = []
        for _ in range(25):
            drawn = rng.integers(1, 4, 3) if actions == "discrete" else rng.uniform(-1, 1, (3, 2)).astype(np.float32)
            simulation.step(drawn, None, reset_ended=True)
            simulation.observe(observation)
            trip = simulation.navigation.trip
            for array in (simulation.world.pose, trip.distance, simulation.outcome.reward, *observation.values()):
                seen += array.ravel().tolist()
        found[name + actions] = [simulation.world.cells.tolist(), simulation.world.rng.tolist(), seen]
print(json.dumps(found))
"""


def test_plain_python_plays_the_same_episodes() -> None:
    """The levels and the generators bit for bit, metres and radians as far as float32 carries."""

    def run(**environment: str) -> dict[str, Any]:
        command = [sys.executable, "-W", "ignore", "-c", PLAY]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    compiled, plain = run(), run(NUMBA_DISABLE_JIT="1")
    for name, (cells, generators, seen) in compiled.items():
        assert plain[name][:2] == [cells, generators]
        np.testing.assert_allclose(plain[name][2], seen, atol=1e-4)


# --- batches, states ----------------------------------------------------------------------------------------


def assert_same(found: Any, expected: Any) -> None:
    """Two observations, bit for bit."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize(("name", "actions"), [(POINT, "continuous"), (OBJECT, "discrete")])
def test_a_batch_plays_as_single_mazes_do(name: str, actions: str, mode: str) -> None:
    goal = "pointgoal_with_gps_compass" if name == POINT else "objectgoal"
    keywords: dict[str, Any] = {
        "actions": actions, "max_steps": 12, "gps_noise": 0.1, "sensors": ("rgb", "gps", "compass", goal)
    }  # fmt: skip
    count = 2 * batch.MIN_ROWS_PER_THREAD
    envs = gym.make_vec(name, num_envs=count, num_threads=2, autoreset_mode=mode, **keywords)
    watched = (0, count // 2, count - 1)
    singles = {i: gym.make(name, **keywords) for i in watched}
    observation, _ = envs.reset(seed=9)
    for i, single in singles.items():
        assert_same({key: values[i] for key, values in observation.items()}, single.reset(seed=9 + i)[0])
    envs.action_space.seed(0)
    ended = np.zeros(count, np.bool_)
    for _ in range(30):
        if mode == "Disabled" and ended.any():
            observation, _ = envs.reset(options={"reset_mask": ended})
            for i in np.flatnonzero(ended)[np.isin(np.flatnonzero(ended), watched)]:
                assert_same({key: values[i] for key, values in observation.items()}, singles[i].reset()[0])
            ended[:] = False
        drawn = envs.action_space.sample()
        observation, reward, terminated, truncated, info = envs.step(drawn)
        for i, single in singles.items():
            row = {key: values[i] for key, values in observation.items()}
            if mode == "NextStep" and ended[i]:
                assert_same(row, single.reset()[0])
                continue
            expected = single.step(drawn[i])
            over = mode == "SameStep" and (terminated[i] or truncated[i])
            facts = info["final_info"] if over else info
            assert {key: facts[key][i] for key in expected[4]} == expected[4]
            assert (reward[i], terminated[i], truncated[i]) == expected[1:4]
            assert_same({key: values[i] for key, values in info["final_obs"].items()} if over else row, expected[0])
            if over:
                assert_same(row, single.reset()[0])
        ended = terminated | truncated


def test_a_state_goes_on_from_where_it_was_taken() -> None:
    envs = gym.make_vec(
        OBJECT, num_envs=6, compass_noise=0.2, sensors=("rgb", "gps", "compass"), max_steps=30
    ).unwrapped
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(60)]
    for action in actions[:20]:
        envs.step(action)
    state, seen = envs.get_state(), envs.render_observation()
    first = [envs.step(action) for action in actions[20:]]
    envs.set_state(state)
    assert_same(envs.render_observation(), seen)
    for expected, action in zip(first, actions[20:], strict=True):
        found = envs.step(action)
        assert_same(found[0], expected[0])
        for k in (1, 2, 3):
            np.testing.assert_array_equal(found[k], expected[k])
        assert_same(found[4], expected[4])
