"""Every world plays its share of episodes, and each is counted once."""

from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest
import torch

import visnav.envs
from visnav.agents.actor import Actor
from visnav.agents.evaluate import evaluate
from visnav.agents.policy import ActorCritic

assert visnav.envs
ID = "visnav/MiniGrid-Empty-Random-5x5-v0"


def test_the_episodes_are_those_of_the_single_worlds() -> None:
    """Greedy play over a batch agrees with an actor in `gym.make`, episode by episode."""
    envs = gym.make_vec(ID, num_envs=3, max_steps=12)
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space, frames=2, precision="fp32", seed=5)
    with torch.no_grad():
        policy.actor.weight.mul_(100)  # decided enough to be the same in a batch of any size
    evaluation = evaluate(policy, envs, 8, greedy=True, seed=4)
    single, actor, row = gym.make(ID, max_steps=12), Actor(policy, greedy=True), 0
    for world, episodes in enumerate([3, 3, 2]):
        seed = int(np.random.SeedSequence(4).generate_state(3)[world])
        for episode in range(episodes):
            observation, info = single.reset(seed=seed if episode == 0 else None)
            actor.start()
            total, length, over = 0.0, 0, False
            while not over:
                observation, reward, terminated, truncated, info = single.step(actor.act(observation)[0])
                total, length, over = total + reward, length + 1, terminated or truncated
            assert evaluation.returns[row] == total
            assert evaluation.lengths[row] == length
            assert evaluation.successes[row] == info["success"]
            assert evaluation.levels[row] == info["level"]
            row += 1
    assert row == len(evaluation.returns) == evaluation.summary()["episodes"]


def test_short_episodes_are_not_favoured(cue: Callable) -> None:
    """Half of the worlds need ten times as long; they still play half of the episodes."""

    class Slow(type(cue(1))):
        def judge(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            slow = np.arange(self.num_envs) % 2 == 1
            last = self.arrays["clock"] >= np.where(slow, 20, 2)
            return last & ~slow, last, np.zeros(self.num_envs, bool)

    envs = Slow(4)
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space)
    evaluation = evaluate(policy, envs, 22)
    assert evaluation.summary() == {"episodes": 22, "success": 0.5, "return": 0.5, "length": 11.0}
    with pytest.raises(ValueError, match="episodes must be at least 1, got 0"):
        evaluate(policy, envs, 0)
