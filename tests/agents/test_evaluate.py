"""Every world plays its share of episodes, and each is counted once."""

from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest
import torch

import visnav.envs
from visnav.agents.actor import Actor
from visnav.agents.evaluate import Evaluation, evaluate, generalization_gap, newcombe, welch, wilson
from visnav.agents.policy import ActorCritic, PolicyConfig

assert visnav.envs
ID = "visnav/MiniGrid-Empty-Random-5x5-v0"


@pytest.mark.parametrize("config", [PolicyConfig(frames=2, precision="fp32"), PolicyConfig(memory=9, precision="fp32")])
def test_the_episodes_are_those_of_the_single_worlds(config: PolicyConfig) -> None:
    """Greedy play over a batch agrees with an actor in `gym.make`, episode by episode."""
    envs = gym.make_vec(ID, num_envs=3, max_steps=12)
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space, config, seed=5)
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
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space, PolicyConfig())
    evaluation = evaluate(policy, envs, 22)
    assert evaluation.summary() == {"episodes": 22, "success": 0.5, "return": 0.5, "length": 11.0}
    with pytest.raises(ValueError, match="episodes must be at least 1, got 0"):
        evaluate(policy, envs, 0)


def outcomes(successes: int, episodes: int) -> np.ndarray:
    return np.arange(episodes) < successes


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_the_interval_of_a_difference_of_rates_is_newcombes(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, "Interval estimation for the difference between independent proportions", table II, method 10."""
    found = newcombe(outcomes(*first), outcomes(*second))
    assert found.estimate == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_the_interval_of_a_rate_is_wilsons() -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""
    assert wilson(outcomes(81, 263)) == pytest.approx((0.2553, 0.3662), abs=6e-5)
    assert wilson(outcomes(0, 20)) == pytest.approx((0.0, 0.1611), abs=6e-5)
    assert wilson(outcomes(20, 20))[1] == pytest.approx(1.0)


def test_the_interval_of_a_difference_of_means_covers_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        found = welch(generator.normal(3.0, 1.0, 60), generator.normal(2.5, 4.0, 120))
        covered += found.low < 0.5 < found.high
        assert found.high - found.estimate == pytest.approx(found.estimate - found.low)
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
    assert welch(np.ones(1), np.zeros(5)) == (1.0, -np.inf, np.inf)


def test_the_gap_is_train_minus_test() -> None:
    train = Evaluation(np.array([1.0, 0.8]), np.array([10, 20]), np.array([True, True]), np.arange(2))
    test = Evaluation(np.array([0.5, 0.1]), np.array([40, 60]), np.array([True, False]), np.arange(2))
    gap = generalization_gap(train, test)
    assert {name: found.estimate for name, found in gap.items()} == pytest.approx(
        {"success": 0.5, "return": 0.6, "length": -35.0}
    )
    assert all(found.low < found.estimate < found.high for found in gap.values())
