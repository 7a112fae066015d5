"""What every registered ID keeps to, in the hands of Gymnasium, Stable-Baselines3 and operating systems."""

import gc
import multiprocessing
import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import psutil
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

import visnav.envs
from visnav.envs.driving.layouts import TASKS as DRIVING_TASKS

IDS = sorted(visnav.envs.TASKS)
DRIVING = {f"visnav/{name}" for name in DRIVING_TASKS}
CAMERAS = {True: ("kinematics", "birdseye", "front"), False: ("symbolic", "tiles", "full", "first_person")}
FEW = ["visnav/Maze-PointGoal-7x7-v0", "visnav/MiniGrid-DoorKey-5x5-v0"]

every_id = pytest.mark.parametrize("name", IDS)
pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date")  # -v0 and -v1 of an original are two tasks


def cameras_of(name: str) -> tuple[str, ...]:
    """The cameras of an ID's family; the first costs least."""
    return CAMERAS[name in DRIVING]


@every_id
def test_gymnasiums_checker_passes(name: str) -> None:
    for camera in cameras_of(name):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # -v0 and -v1 of an original are two tasks; highway-env's vectors have no bounds, here as there
            known = "not within the observation space|is out of date|(minimum|maximum) value is -?infinity"
            warnings.filterwarnings("ignore", message=f".*({known}).*")
            check_env(gym.make(name, camera=camera, render_mode="rgb_array").unwrapped, skip_render_check=True)


def test_every_render_mode_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    check_env(gym.make(FEW[1], render_mode="rgb_array").unwrapped)
    env = gym.make(FEW[1], render_mode="human")
    env.reset(seed=0)
    env.step(2)
    shown = env.unwrapped._viewer.frame()
    env.close()
    plain = gym.make(FEW[1], render_mode="rgb_array")
    plain.reset(seed=0)
    plain.step(2)
    colors = set(map(tuple, plain.render().reshape(-1, 3).tolist()))
    assert colors <= set(map(tuple, shown.reshape(-1, 3).tolist()))


@every_id
def test_stable_baselines_checker_passes(name: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*is out of date.*")
        checker.check_env(gym.make(name), warn=True)


@every_id
def test_a_batch_returns_what_its_spaces_promise(name: str) -> None:
    for camera in cameras_of(name):
        envs = gym.make_vec(name, num_envs=3, camera=camera)
        observation, info = envs.reset(seed=0)
        assert envs.observation_space.contains(observation)
        assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        envs.action_space.seed(0)
        for _ in range(5):
            observation, reward, terminated, truncated, info = envs.step(envs.action_space.sample())
            assert envs.observation_space.contains(observation)
            assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
            assert [value.shape for value in (reward, terminated, truncated, info["success"])] == [(3,)] * 4
            assert info["level"].dtype == np.int64
        envs.close()


@every_id
def test_the_same_seed_and_actions_give_the_same_episode(name: str) -> None:
    def trajectory() -> list[Any]:
        env = gym.make(name, camera=cameras_of(name)[0])
        env.action_space.seed(0)
        steps = [env.reset(seed=123)]
        for _ in range(60):
            steps.append(env.step(env.action_space.sample()))
            if steps[-1][2] or steps[-1][3]:
                steps.append(env.reset())
        return steps

    assert str(trajectory()) == str(trajectory())


def flat(observation: Any) -> Any:
    """The pictures of an observation."""
    return observation["rgb"] if isinstance(observation, dict) else observation


@every_id
def test_a_state_put_back_plays_on_exactly(name: str) -> None:
    """… and is made of plain numbers, which any file can hold."""
    envs = gym.make_vec(name, num_envs=3, camera=cameras_of(name)[0])
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(6)]
    envs.step(actions[0])
    state = envs.unwrapped.get_state()
    assert {array.dtype.kind for array in state.values()} <= set("biuf")
    first = [envs.step(action)[1:4] for action in actions[1:]]
    envs.unwrapped.set_state(state)
    again = [envs.step(action)[1:4] for action in actions[1:]]
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("name", FEW)
def test_async_vector_env(name: str, context: str) -> None:
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} on this system")
    ours = gym.make_vec(name, num_envs=2)
    theirs = AsyncVectorEnv([partial(gym.make, f"visnav.envs:{name}")] * 2, context=context)
    try:
        expected, observation = ours.reset(seed=3)[0], theirs.reset(seed=3)[0]
        np.testing.assert_array_equal(flat(observation), flat(expected))
        ours.action_space.seed(0)
        for _ in range(150):
            actions = ours.action_space.sample()
            mine, other = ours.step(actions), theirs.step(actions)
            np.testing.assert_array_equal(flat(other[0]), flat(mine[0]))
            for k in (1, 2, 3):
                np.testing.assert_array_equal(other[k], mine[k])
    finally:
        theirs.close()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_subproc_vec_env(context: str) -> None:
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} on this system")
    envs = vec_env.SubprocVecEnv([partial(gym.make, f"visnav.envs:{FEW[1]}")] * 2, start_method=context)
    try:
        envs.seed(5)
        observation = envs.reset()
        for slot in range(2):
            np.testing.assert_array_equal(observation[slot], gym.make(FEW[1]).reset(seed=5 + slot)[0])
        assert envs.step(np.array([0, 1]))[0].shape == (2, 56, 56, 3)
    finally:
        envs.close()


def test_record_video(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env = gym.wrappers.RecordVideo(gym.make(FEW[1], render_mode="rgb_array", max_steps=8), str(tmp_path))
    env.reset(seed=0)
    while not any(env.step(0)[2:4]):
        pass
    env.close()
    assert [path.stat().st_size > 1000 for path in tmp_path.glob("*.mp4")] == [True]


def test_a_worker_that_never_imported_us_can_make_by_module_name() -> None:
    import subprocess
    import sys

    program = f"import gymnasium; print(gymnasium.make('visnav.envs:{FEW[1]}').reset(seed=1)[1]['level'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def resident_megabytes() -> float:
    """Memory of this process."""
    gc.collect()
    return psutil.Process(os.getpid()).memory_info().rss / 2**20


@pytest.mark.slow
def test_ten_thousand_makes_and_closes_keep_memory_flat() -> None:
    def cycle(times: int) -> None:
        for _ in range(times):
            env = gym.make(FEW[1])
            env.reset(seed=0)
            env.step(0)
            env.close()

    cycle(500)
    before = resident_megabytes()
    cycle(10_000)
    assert resident_megabytes() - before < 5


@pytest.mark.slow
def test_ten_million_steps_keep_memory_flat() -> None:
    envs = gym.make_vec(FEW[1], num_envs=1000)
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, (100, 1000))

    def steps(times: int) -> None:
        for t in range(times):
            envs.step(actions[t % 100])

    steps(500)
    before = resident_megabytes()
    steps(10_000)
    assert resident_megabytes() - before < 5
