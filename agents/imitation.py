"""Learning from a teacher: behaviour cloning, and DAgger with fresh data for every update.

Ross, Gordon and Bagnell 2011, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online
Learning" (arXiv:1011.0686). DAgger gathers all data it ever saw, because asking a teacher is dear; here the teacher is
a program and the worlds are fast, so each update has a rollout of its own, and nothing is kept.
"""

from collections.abc import Mapping
from typing import Protocol

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from visnav.agents.auxiliary import Auxiliary
from visnav.agents.distributions import Distribution
from visnav.agents.minibatch import Minibatch
from visnav.agents.policy import DEVIATIONS
from visnav.agents.ppo import PPO, PPOConfig
from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.worlds import Worlds


class Teacher(Protocol):
    """Who knows what to do in every world of a batch, such as visnav.envs.grid.planner.Expert."""

    def actions(self) -> np.ndarray:
        """What it would do next: (N,) int64, negative where it does not know, or (N, d) float32."""


class Imitation(PPO):
    """A policy that learns to act as its teacher does; its critic learns the value of how the two play.

    All else (worlds, ranks, statistics, resuming) is as in PPO, and PPO may start from what was learned here.

    Args:
        envs: worlds, which the teacher looks at.
        config: hyper-parameters; those of the surrogate, of curiosity and of the entropy have no meaning here.
        teacher: shows what to do.
        lets_go: whether the teacher's share of the actions played falls from 1 to 0 in the first half of the training
            (DAgger); otherwise it plays them all (behaviour cloning).
        seed, total_steps, ranks, auxiliary: as in PPO.
    """

    def __init__(
        self,
        envs: Worlds,
        config: PPOConfig,
        teacher: Teacher,
        lets_go: bool = True,
        seed: int = 0,
        total_steps: int = 10**6,
        ranks: Ranks = ALONE,
        auxiliary: Auxiliary | None = None,
    ) -> None:
        if config.curiosity:
            raise ValueError(f"a teacher needs no curiosity; got curiosity={config.curiosity}")
        super().__init__(envs, config, seed, total_steps, ranks, auxiliary)
        self.teacher, self.lets_go = teacher, lets_go

    @property
    def teachers_share(self) -> float:
        """Probability with which an action that is played now is the teacher's."""
        return max(0.0, 1 - 2 * self.steps / self.total_steps) if self.lets_go else 1.0

    def merit(self, report: Mapping[str, float]) -> tuple[float, ...]:
        """Empty: the episodes are partly the teacher's, and the latest policy counts as the best."""
        return ()

    def choose(self, distribution: Distribution) -> tuple[Tensor, np.ndarray]:
        """What the teacher shows, to learn from, and what is played: its action or the policy's own.

        Where it does not know, the policy's own draw is learned from, which in the mean changes nothing.
        """
        own, shown = distribution.sample(self.noise), self.teacher.actions()
        known = shown >= 0 if isinstance(self.policy.action_space, gym.spaces.Discrete) else np.ones(len(shown), bool)
        lot = self.noise.uniform(own if own.ndim == 1 else own[:, 0])
        follows = known & (lot.numpy() < self.teachers_share)
        labels = torch.where(broadcast(torch.from_numpy(known), own), self.policy.own_numbers(shown), own)
        played = np.where(broadcast(torch.from_numpy(follows), own).numpy(), shown, self.policy.action_array(own))
        return labels, played

    def objective(self, batch: Minibatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy with the teacher + value_coef · ½ (V - target)², means over the steps taken."""
        distribution, values, _ = self.policy(batch.observation, batch.memory, batch.fresh)
        cross_entropy = -(distribution.log_prob(batch.actions) * batch.weights).sum()
        value_loss = 0.5 * (((values - batch.returns) ** 2).sum(1) * batch.weights).sum()
        report = {"cross_entropy": cross_entropy.detach(), "value_loss": value_loss.detach()}
        if isinstance(self.policy.action_space, gym.spaces.Discrete):
            report["agreement"] = ((distribution.mode() == batch.actions).float() * batch.weights).sum()
        return cross_entropy + self.config.value_coef * value_loss, report

    def update(self, advantages: Tensor, returns: Tensor) -> dict[str, Tensor]:
        report = super().update(advantages, returns)
        if hasattr(self.policy, "log_std"):  # a teacher without noise leaves none, and PPO could not start from that
            with torch.no_grad():
                self.policy.log_std.clamp_(min=DEVIATIONS[0])
        return report


def broadcast(rows: Tensor, like: Tensor) -> Tensor:
    """(N,) in the shape of `like` (N, …)."""
    return rows.view(-1, *[1] * (like.ndim - 1)).expand_as(like)
