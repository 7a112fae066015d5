"""VisnavVecEnv against the worlds themselves, and SB3's own checks and training on it."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import VecMonitor

import visnav.envs
from visnav.agents.sb3 import EncoderExtractor, VisnavVecEnv

ID = "visnav/MiniGrid-DoorKey-5x5-v0"


def worlds(num_envs: int, **kwargs: Any) -> VisnavVecEnv:
    return VisnavVecEnv(gym.make_vec(ID, num_envs=num_envs, autoreset_mode="SameStep", **kwargs))


@pytest.mark.parametrize("sensors", [("rgb",), ("rgb", "direction")])
def test_steps_agree_with_single_worlds(sensors: tuple[str, ...]) -> None:
    """Three worlds over a hundred steps and many episodes, beside three of `gym.make` reset by hand."""
    batch = worlds(3, sensors=sensors, max_steps=7)
    singles = [gym.make(ID, sensors=sensors, max_steps=7) for _ in range(3)]
    batch.seed(5)
    observation = batch.reset()
    expected = [single.reset(seed=5 + i)[0] for i, single in enumerate(singles)]
    random = np.random.default_rng(0)
    ends = 0
    for _ in range(100):
        for i in range(3):
            assert_same(observation, i, expected[i])
        actions = random.integers(0, 7, 3)
        observation, reward, done, infos = batch.step(actions)
        assert reward.dtype == np.float32
        for i, single in enumerate(singles):
            expected[i], value, terminated, truncated, info = single.step(actions[i])
            assert reward[i] == np.float32(value)
            assert done[i] == (terminated or truncated)
            assert {name: infos[i][name] for name in info} == info
            if done[i]:
                ends += 1
                final = infos[i]["terminal_observation"]
                assert_same({name: value[None] for name, value in final.items()}, 0, expected[i]) if isinstance(
                    final, dict
                ) else np.testing.assert_array_equal(final, expected[i])
                assert infos[i]["TimeLimit.truncated"] == (truncated and not terminated)
                assert infos[i]["is_success"] == info["success"]
                expected[i], _ = single.reset()
    assert ends > 30


def test_mazes_bring_habitats_measures() -> None:
    """Continuous actions, two sensors, and the measures in every world's info, those of the episode at its end."""
    maze = "visnav/Maze-PointGoal-7x7-v0"
    envs = VisnavVecEnv(gym.make_vec(maze, num_envs=2, autoreset_mode="SameStep", max_steps=5))
    single = gym.make(maze, max_steps=5)
    envs.seed(3)
    envs.reset()
    single.reset(seed=3)
    actions = np.array([[1.0, 0.5], [-1.0, 0.0]], np.float32)
    for step in range(5):
        _, _, done, infos = envs.step(actions)
        observation, _, _, _, info = single.step(actions[0])
        assert {"spl", "soft_spl", "distance_to_goal", "collisions", "is_collision"} <= info.keys()
        assert {name: infos[0][name] for name in info} == info
        assert done.all() == (step == 4)
    for name, values in observation.items():
        np.testing.assert_array_equal(infos[0]["terminal_observation"][name], values)


def assert_same(batch: Any, i: int, single: Any) -> None:
    if isinstance(single, dict):
        assert batch.keys() == single.keys()
        for name in single:
            np.testing.assert_array_equal(batch[name][i], single[name])
    else:
        np.testing.assert_array_equal(batch[i], single)


def test_other_autoreset_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="SameStep"):
        VisnavVecEnv(gym.make_vec(ID, num_envs=2))


def test_sb3_accepts_the_single_world() -> None:
    check_env(gym.make(ID).unwrapped, warn=False)


@pytest.mark.parametrize(("policy", "sensors"), [("CnnPolicy", ("rgb",)), ("MultiInputPolicy", ("rgb", "direction"))])
def test_sb3_trains_our_encoder(policy: str, sensors: tuple[str, ...]) -> None:
    envs = VecMonitor(worlds(8, sensors=sensors, max_steps=10))
    kwargs = {"features_extractor_class": EncoderExtractor, "features_extractor_kwargs": {"encoder": "patch"}}
    model = PPO(policy, envs, n_steps=16, batch_size=64, n_epochs=1, policy_kwargs=kwargs, seed=0, device="cpu")
    before = [parameter.clone() for parameter in model.policy.features_extractor.parameters()]
    model.learn(256)
    after = list(model.policy.features_extractor.parameters())
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert len(model.ep_info_buffer) > 8


def test_the_extractor_reads_both_orders_of_channels() -> None:
    image = torch.rand(4, 56, 56, 3)
    last = EncoderExtractor(gym.spaces.Box(0, 255, (56, 56, 3), np.uint8), precision="fp32")
    first = EncoderExtractor(gym.spaces.Box(0, 255, (3, 56, 56), np.uint8), precision="fp32")
    first.load_state_dict(last.state_dict())
    torch.testing.assert_close(last(image), first(image.permute(0, 3, 1, 2)))
    assert visnav.envs
