"""A policy learns what its teacher shows, and goes on by itself from there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import visnav.envs
from visnav.agents.checkpoint import load_training, save_training
from visnav.agents.distributions import Beta, DiagonalGaussian, SquashedGaussian
from visnav.agents.evaluate import evaluate
from visnav.agents.imitation import Imitation
from visnav.agents.policy import ActorCritic, PolicyConfig
from visnav.agents.ppo import PPOConfig
from visnav.envs.experts import expert_of
from visnav.envs.grid.planner import Expert

assert visnav.envs


class TargetTeacher:
    """Names the target of the toy worlds: as a number, or as a side of a Box."""

    def __init__(self, envs: Any) -> None:
        self.envs, self.asked = envs, 0

    def actions(self) -> np.ndarray:
        self.asked += 1
        target = self.envs.arrays["target"]
        if isinstance(self.envs.single_action_space, gym.spaces.Discrete):
            return target.copy()
        return np.where(target[:, None] > 0, 0.8, -0.8).astype(np.float32)


@pytest.mark.parametrize("lets_go", [False, True])
@pytest.mark.parametrize("memory", [0, 64])
def test_a_cue_is_learned_from_a_teacher(cue: Callable, lets_go: bool, memory: int) -> None:
    """The teacher sees what the policy has to remember: without a memory it cannot follow."""
    envs = cue(64)
    config = PPOConfig(num_envs=64, num_steps=16, learning_rate=2e-3, memory=memory)
    trainer = Imitation(envs, config, TargetTeacher(envs), lets_go, total_steps=20_000)
    while trainer.steps < 20_000:
        report = trainer.iterate()
    success = evaluate(trainer.policy, cue(16), 200, greedy=True).summary()["success"]
    assert success > 0.98 if memory else success < 0.7
    assert report["agreement"] > 0.95 if memory else report["agreement"] < 0.9
    assert trainer.teachers_share == (0 if lets_go else 1)


@pytest.mark.parametrize("distribution", ["gaussian", "state_gaussian", "squashed", "beta"])
def test_a_box_is_learned_from_a_teacher(bandit: Callable, distribution: str) -> None:
    envs = bandit(64, True)
    config = PPOConfig(num_envs=64, num_steps=16, learning_rate=2e-3, distribution=distribution)
    trainer = Imitation(envs, config, TargetTeacher(envs), total_steps=80_000)  # after 20,000 it is luck
    while trainer.steps < 80_000:
        trainer.iterate()
    shown = trainer.teacher.actions()
    with torch.no_grad():
        distribution_now, _, _ = trainer.policy(trainer.buffer.observation(trainer.buffer.num_steps))
        played = trainer.policy.action_array(distribution_now.mode())
    assert np.abs(played - shown).max() < 0.1
    if distribution == "gaussian":
        assert trainer.policy.log_std.min() >= -2


def test_actions_and_the_distributions_numbers_belong_together() -> None:
    space = gym.spaces.Box(np.array([-2, 0], np.float32), np.array([1, 0.5], np.float32))
    image = gym.spaces.Box(0, 255, (24, 24, 3), np.uint8)
    shown = np.array([[-1.9, 0.1], [0.3, 0.45], [0.0, 0.25]], np.float32)
    for distribution in ("gaussian", "state_gaussian", "squashed", "beta"):
        policy = ActorCritic(image, space, PolicyConfig(distribution=distribution))
        np.testing.assert_allclose(policy.action_array(policy.own_numbers(shown)), shown, atol=1e-5)
        edges = np.stack([space.low, space.high])
        assert policy.own_numbers(edges).isfinite().all()
        np.testing.assert_allclose(policy.action_array(policy.own_numbers(edges)), edges, atol=0.04)
    for kind in (DiagonalGaussian, SquashedGaussian, Beta):
        within = torch.linspace(-0.9, 0.9, 7)
        torch.testing.assert_close(kind.bounded(kind.own_numbers(within)), within)


def test_where_the_teacher_knows_nothing_the_policy_acts() -> None:
    class Silent:
        def actions(self) -> np.ndarray:
            return np.full(4, -1)

    envs = gym.make_vec("visnav/MiniGrid-Empty-5x5-v0", num_envs=4)
    trainer = Imitation(envs, PPOConfig(num_envs=4, num_steps=8), Silent())
    trainer.iterate()
    assert set(trainer.buffer.actions.unique().tolist()) <= set(range(7))
    assert len(trainer.buffer.actions.unique()) > 1


def test_the_planner_teaches_a_grid() -> None:
    envs = gym.make_vec("visnav/MiniGrid-Empty-Random-6x6-v0", num_envs=64, split="train")
    config = PPOConfig(num_envs=64, num_steps=16, learning_rate=1e-3)
    trainer = Imitation(envs, config, Expert(envs), total_steps=40_000)
    while trainer.steps < 40_000:
        trainer.iterate()
    test = gym.make_vec("visnav/MiniGrid-Empty-Random-6x6-v0", num_envs=64, split="test")
    assert evaluate(trainer.policy, test, 128).summary()["success"] > 0.9


def test_curiosity_is_not_for_pupils(bandit: Callable) -> None:
    with pytest.raises(ValueError, match=r"a teacher needs no curiosity; got curiosity=0\.5"):
        Imitation(bandit(4), PPOConfig(num_envs=4, num_steps=8, curiosity=0.5), TargetTeacher(bandit(4)))


@pytest.mark.parametrize(
    ("env_id", "lets_go", "change"),
    [
        ("visnav/MiniGrid-KeyCorridorS3R1-v0", True, {"memory": 8}),
        ("visnav/MiniGrid-DoorKey-5x5-v0", False, {}),
        ("visnav/highway-fast-v0", True, {"frames": 2}),
        ("visnav/racetrack-v0", False, {"distribution": "beta"}),
    ],
)
def test_resuming_equals_never_having_stopped(tmp_path: Path, env_id: str, lets_go: bool, change: dict) -> None:
    """The expert of the resumed training has seen nothing of what came before."""

    def make() -> Imitation:
        envs = gym.make_vec(env_id, num_envs=4, split="train")
        config = PPOConfig(num_envs=4, num_steps=8, minibatches=2, **change)
        return Imitation(envs, config, expert_of(envs), lets_go, 3, 400)

    straight = make()
    for update in range(6):
        if update == 3:
            save_training(tmp_path / "stopped", straight)
        straight.iterate()
    resumed = make()
    load_training(tmp_path / "stopped", resumed)
    assert resumed.teachers_share == (0.52 if lets_go else 1)
    for _ in range(3):
        resumed.iterate()
    for name, array in straight.state()[0].items():
        assert array.tobytes() == resumed.state()[0][name].tobytes(), name
