"""Worlds as a network sees them: classes in place of pictures, and all else as it was."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

import visnav.envs
from visnav.agents.ppo import PPO, PPOConfig
from visnav.agents.seen import ROWS, SeenWorlds, Sight

assert visnav.envs
ID = "visnav/MiniGrid-Empty-Random-5x5-v0"
CLASSES = 5


class Brightness(nn.Module):
    """Tells a pixel by its first channel: class k from 51 k on."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot((images[..., 0] // 52).long(), CLASSES).permute(0, 3, 1, 2).float()


def worlds(**keywords: Any) -> gym.vector.VectorEnv:
    return gym.make_vec(ID, num_envs=ROWS + 8, camera="first_person", image_size=(16, 24), **keywords)


def told(pictures: np.ndarray) -> np.ndarray:
    return pictures[..., :1] // 52


@pytest.mark.parametrize("sensors", [("rgb",), ("rgb", "direction")])
def test_the_classes_are_those_of_the_worlds_own_pictures(sensors: tuple[str, ...]) -> None:
    plain, seen = worlds(sensors=sensors), SeenWorlds(worlds(sensors=sensors), Sight(Brightness(), CLASSES))

    def check(observation: Any, pictures: Any) -> None:
        if len(sensors) == 1:
            np.testing.assert_array_equal(observation, told(pictures))
        else:
            np.testing.assert_array_equal(observation["rgb"], told(pictures["rgb"]))
            np.testing.assert_array_equal(observation["direction"], pictures["direction"])
        first = observation["rgb"][0] if isinstance(observation, dict) else observation[0]
        assert space.contains(first)

    space = seen.single_observation_space
    if isinstance(space, gym.spaces.Dict):
        space = space["rgb"]
    assert space == gym.spaces.Box(0, CLASSES - 1, (16, 24, 1), np.uint8)
    observation, info = seen.reset(seed=3)
    pictures, _ = plain.reset(seed=3)
    check(observation, pictures)
    assert info["level"].tolist() == [3 + k for k in range(ROWS + 8)]
    actions = plain.action_space.sample()
    written = {name: values.copy() for name, values in observation.items()} if len(sensors) > 1 else observation.copy()
    observation, reward, *_ = seen.step(actions, out=written)
    assert observation is written
    check(observation, plain.step(actions)[0])
    assert reward.shape == (ROWS + 8,)
    one = plain.step(actions)[0]
    if len(sensors) == 1:
        np.testing.assert_array_equal(seen.sight.of(one[0]), told(one)[0])
    else:
        single = seen.sight.of({name: values[0] for name, values in one.items()})
        np.testing.assert_array_equal(single["rgb"], told(one["rgb"])[0])


def test_worlds_without_pictures_are_refused() -> None:
    sight = Sight(Brightness(), CLASSES)
    with pytest.raises(ValueError, match="needs the sensor 'rgb'"):
        SeenWorlds(gym.make_vec(ID, num_envs=2, camera="symbolic"), sight)
    with pytest.raises(ValueError, match=r"reads pictures \(H, W, 3\) of uint8"):
        SeenWorlds(worlds(sensors=["depth"]), sight)


def test_a_training_in_them_goes_on_from_its_state_byte_for_byte() -> None:
    def trainer() -> PPO:
        config = PPOConfig(encoder="small", num_envs=ROWS + 8, num_steps=8, minibatches=2, precision="fp32")
        return PPO(SeenWorlds(worlds(max_steps=10), Sight(Brightness(), CLASSES)), config, seed=1)

    whole = trainer()
    whole.iterate()
    arrays, values = whole.state()
    half = trainer()
    half.load({name: array.copy() for name, array in arrays.items()}, values)
    assert whole.iterate() == half.iterate()
    for first, second in zip(whole.policy.parameters(), half.policy.parameters(), strict=True):
        assert torch.equal(first, second)
