"""What people get wrong: each is an error that names what is allowed, and nothing is lost."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded

import visnav.envs
from visnav.envs import batch
from visnav.envs.grid.world import UP

ID = "visnav/MiniGrid-DoorKey-8x8-v0"


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(gym.error.NameNotFound, match="MiniGrid-DoorKey-8x8"):
        gym.make("visnav/MiniGrid-DoorKye-8x8-v0")
    with pytest.raises(ValueError, match="MiniGrid-DoorKey-8x8"):
        visnav.envs.VectorEnv("visnav/MiniGrid-DoorKye-8x8-v0")


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        (
            {"camera": "tile"},
            ValueError,
            r"unknown camera 'tile'; did you mean 'tiles'\? Allowed: first_person, full, symbolic, tiles",
        ),
        ({"camera": 3}, ValueError, "allowed: first_person, full, symbolic, tiles"),
        ({"sensors": ("depth",)}, ValueError, "allowed: direction, instance, mission, rgb, semantic"),
        ({"sensors": ()}, ValueError, "offers direction, instance, mission, rgb, semantic"),
        ({"camera": "symbolic", "sensors": ("rgb",)}, ValueError, "allowed: direction, image, mission"),
        ({"szie": 8}, TypeError, r"unknown keyword for visnav/MiniGrid-DoorKey-8x8-v0: 'szie'; did you mean 'size'\?"),
        ({"num_crossings": 1}, TypeError, "unknown keyword"),
        ({"size": 4}, ValueError, "size is a whole number, at least 5; got 4"),
        ({"size": 8.0}, ValueError, "size is a whole number"),
        ({"levels": range(0)}, ValueError, "levels is empty"),
        ({"levels": []}, ValueError, "levels is empty"),
        ({"levels": [1.5]}, ValueError, "whole numbers"),
        ({"levels": [-1]}, ValueError, "from 0 to"),
        ({"split": "valid"}, ValueError, 'None, "train" or "test"'),
        ({"max_steps": 0}, ValueError, "max_steps is a whole number, at least 1; got 0"),
        ({"action_repeat": 0}, ValueError, "action_repeat"),
        ({"tile_size": 1}, ValueError, "tile_size is a whole number, 2 to 256"),
        ({"agent_view_size": 6}, ValueError, "odd"),
        ({"agent_view_size": 65}, ValueError, "3 to 63"),
        ({"image_size": (64, 64)}, ValueError, r"\(56, 56\)"),
        ({"render_mode": "ansi"}, ValueError, "human, rgb_array"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"device": "tpu"}, ValueError, '"cpu" and "cuda"'),
    ],
)
def test_keywords(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gym.make(ID, **keywords)
    with pytest.raises(error, match=message):
        gym.make_vec(ID, num_envs=2, **keywords)


@pytest.mark.parametrize("num_envs", [0, -1, 2.5])
def test_impossible_batch_sizes(num_envs: Any) -> None:
    with pytest.raises(ValueError, match="num_envs is a whole number, at least 1"):
        gym.make_vec(ID, num_envs=num_envs)


def test_autoreset_modes_are_named() -> None:
    with pytest.raises(ValueError, match="Disabled, NextStep, SameStep"):
        gym.make_vec(ID, num_envs=2, autoreset_mode="sometimes")


def test_cuda_without_numba_cuda_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numba_cuda", None)
    with pytest.raises(ImportError, match=r"pip install \"visnav\[cuda\]\""):
        gym.make(ID, device="cuda")


def test_cuda_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoGpu:
        @staticmethod
        def is_available() -> bool:
            return False

    monkeypatch.setattr(batch, "import_cuda", NoGpu)
    with pytest.raises(RuntimeError, match=r'no NVIDIA GPU .* use device="cpu"'):
        gym.make(ID, device="cuda")


BAD_ACTIONS = [7, -1, 2.0, float("nan"), "left", [1], np.array([1, 2]), None, True]


@pytest.mark.parametrize("action", BAD_ACTIONS, ids=repr)
def test_bad_actions_of_one_environment(action: Any) -> None:
    env = gym.make(ID)
    env.reset(seed=0)
    env.step(1)
    before = env.unwrapped.get_state()
    with pytest.raises((InvalidAction, AssertionError), match=r"action|left"):
        env.unwrapped.step(action)
    after = env.unwrapped.get_state()
    assert all((before[name] == after[name]).all() for name in before)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.array([0, 7, 0]), "action 7; expected an array of 3 whole numbers among 0 left"),
        (np.array([0, -2, 0]), "action -2"),
        (np.array([0, 1]), r"shape \(2,\)"),
        (np.array([[0], [1], [2]]), r"shape \(3, 1\)"),
        (np.array([0.0, np.nan, 1.0]), "dtype float64"),
        (np.array([True, False, True]), "dtype bool"),
        (1, r"shape \(\)"),
        (["left"] * 3, "dtype <U4"),
    ],
)
def test_bad_actions_of_a_batch_step_no_world(actions: Any, message: str) -> None:
    envs = gym.make_vec(ID, num_envs=3)
    envs.reset(seed=0)
    before = envs.unwrapped.get_state()
    with pytest.raises(InvalidAction, match=message):
        envs.step(actions)
    after = envs.unwrapped.get_state()
    assert all((before[name] == after[name]).all() for name in before)


def test_actions_that_an_original_takes_for_others_are_taken() -> None:
    name = "visnav/MiniGrid-Dynamic-Obstacles-8x8-v0"
    envs = gym.make_vec(name, num_envs=5)
    assert envs.single_action_space == gym.spaces.Discrete(3)
    envs.reset(options={"level": 1})
    pictures = envs.step(np.array([0, 3, 4, 5, 6]))[0]
    assert (envs.unwrapped.simulation.world.agent[:, 2] == UP).all()
    assert (pictures == pictures[0]).all()
    with pytest.raises(InvalidAction, match=r"got action 7; expected an array of 5 .* 0 left, 1 right, 2 forward$"):
        envs.step(np.array([0, 3, 7, 0, 0]))


def test_step_and_render_before_reset() -> None:
    with pytest.raises(ResetNeeded, match="reset"):
        gym.make(ID).unwrapped.step(0)
    envs = gym.make_vec(ID, num_envs=2)
    for call in (lambda: envs.step(np.zeros(2, int)), envs.render, envs.unwrapped.get_state):
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            call()
    envs.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded):
        envs.step(np.zeros(2, int))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is a whole number, 0 to"),
        ({"seed": 2**63}, "seed is a whole number, 0 to"),
        ({"seed": 1.5}, "seed"),
        ({"seed": [1, 2, 3]}, "list of num_envs=2"),
        ({"options": {"levle": 3}}, "did you mean 'level'"),
        ({"options": {"level": 2.5}}, "whole number"),
        ({"options": {"level": -3}}, "start at 0"),
        ({"options": {"level": [1, 2, 3]}}, "num_envs=2"),
        ({"options": {"reset_mask": [True, False]}}, "bool array of shape"),
        ({"options": {"reset_mask": np.zeros(2, bool)}}, "nothing to reset"),
    ],
)
def test_reset_arguments(arguments: dict[str, Any], message: str) -> None:
    envs = gym.make_vec(ID, num_envs=2)
    envs.reset(seed=0)
    before = envs.unwrapped.get_state()
    with pytest.raises((ValueError, TypeError), match=message):
        envs.reset(**arguments)
    after = envs.unwrapped.get_state()
    assert all((before[name] == after[name]).all() for name in before)


def test_slots_out_of_range() -> None:
    envs = gym.make_vec(ID, num_envs=2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="slots are numbers from 0 to 1"):
        envs.unwrapped.get_state([2])


def test_keywords_of_batches_are_refused_by_one_environment() -> None:
    with pytest.raises(TypeError, match=r"keyword of gym\.make_vec"):
        gym.make(ID, copy=False)
