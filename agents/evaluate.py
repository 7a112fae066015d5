"""How well a policy does, and how much worse on levels that it has not seen: every episode counted once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import torch

from visnav.agents.distributions import Noise
from visnav.agents.policy import ActorCritic
from visnav.agents.rollout import RolloutBuffer
from visnav.agents.threads import sharing
from visnav.agents.worlds import Worlds

Z = NormalDist().inv_cdf(0.975)  # of 95 % intervals


@dataclass(frozen=True)
class Evaluation:
    """One row an episode, ordered by world and then by time."""

    returns: np.ndarray
    """(E,) float64, undiscounted."""
    lengths: np.ndarray
    """(E,) int64, decisions."""
    successes: np.ndarray
    """(E,) bool."""
    levels: np.ndarray
    """(E,) int64, the number of each episode's level: `reset(options={"level": k})` plays it again."""

    def summary(self) -> dict[str, float]:
        """Means: `success`, `return`, `length`; and `episodes`, how many."""
        return {
            "episodes": len(self.returns),
            "success": float(self.successes.mean()),
            "return": float(self.returns.mean()),
            "length": float(self.lengths.mean()),
        }


class Player:
    """A policy that acts in a batch of worlds and keeps the frames that its stack needs.

    Args:
        envs: worlds in NEXT_STEP mode.
        greedy: take the most probable action instead of sampling.
        seed: of the sampled actions.
    """

    def __init__(self, policy: ActorCritic, envs: Worlds, greedy: bool = False, seed: int = 0) -> None:
        self.policy, self.envs, self.greedy = policy, envs, greedy
        self.noise = Noise(torch.Generator().manual_seed(seed))
        self.buffer = RolloutBuffer(envs, 1, policy.frames, policy.config.memory)

    def reset(self, **kwargs: Any) -> dict[str, Any]:
        """Reset the worlds (keywords as theirs) and give their info."""
        self.buffer.skipped.zero_()
        self.buffer.age.zero_()
        return self.envs.reset(out=self.buffer.row(1), **kwargs)[1]

    @torch.no_grad()
    def step(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act once in every world: actions, reward, terminated, truncated, info."""
        buffer = self.buffer
        buffer.restart(buffer.carry())
        distribution, _, memory = self.policy(buffer.observation(0), buffer.memories[0], buffer.fresh(0, 1))
        buffer.memories[1] = memory
        chosen = distribution.mode() if self.greedy else distribution.sample(self.noise)
        actions = self.policy.action_array(chosen)
        _, reward, terminated, truncated, info = self.envs.step(actions, out=buffer.row(1))
        buffer.terminated[0], buffer.truncated[0] = torch.from_numpy(terminated), torch.from_numpy(truncated)
        buffer.follow(0)
        return actions, reward, terminated, truncated, info


@sharing()
def evaluate(policy: ActorCritic, envs: Worlds, episodes: int, greedy: bool = False, seed: int = 0) -> Evaluation:
    """Play `episodes` episodes.

    Each world plays a number fixed in advance (they differ by one at most): taking the first to finish would
    favour short episodes.

    Args:
        envs: worlds in NEXT_STEP mode, of levels that the policy has not seen.
        greedy: take the most probable action instead of sampling.
        seed: of the worlds and the sampled actions.

    Raises:
        ValueError: `episodes` is less than 1.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    n = envs.num_envs
    due = np.full(n, episodes // n) + (np.arange(n) < episodes % n)
    records: list[list[tuple[float, int, bool, int]]] = [[] for _ in range(n)]
    returns, lengths = np.zeros(n), np.zeros(n, np.int64)
    player = Player(policy, envs, greedy, seed)
    player.reset(seed=np.random.SeedSequence(seed).generate_state(n).tolist())
    skipped = np.zeros(n, bool)
    while any(len(records[i]) < due[i] for i in range(n)):
        _, reward, terminated, truncated, info = player.step()
        returns += reward
        lengths += ~skipped
        ended = terminated | truncated
        for i in np.flatnonzero(ended):
            if len(records[i]) < due[i]:
                records[i].append((returns[i], lengths[i], info["success"][i], info["level"][i]))
        returns[ended], lengths[ended] = 0.0, 0
        skipped = ended
    columns = list(zip(*(row for rows in records for row in rows), strict=True))
    return Evaluation(
        *(np.array(column, dtype) for column, dtype in zip(columns, (float, int, bool, int), strict=True))
    )


class Estimate(NamedTuple):
    """An estimate, such as of a difference, and its 95 % confidence interval."""

    estimate: float
    low: float
    high: float


def generalization_gap(train: Evaluation, test: Evaluation) -> dict[str, Estimate]:
    """What is lost from training to test levels: `success`, `return` and `length` of train minus those of test.

    The interval is Newcombe's for success and Welch's for the means of return and length. Episodes are taken to be
    independent, which they are but for sharing layouts where a task has few.
    """
    return {
        "success": newcombe(train.successes, test.successes),
        "return": welch(train.returns, test.returns),
        "length": welch(train.lengths, test.lengths),
    }


def wilson(successes: np.ndarray) -> tuple[float, float]:
    """The 95 % score interval of a success rate (Wilson 1927), which holds at 0 % and 100 % too; (E,) bool."""
    n, p = len(successes), float(successes.mean())
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return middle - half, middle + half


def newcombe(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Estimate of two success rates with the hybrid score interval (Newcombe 1998, method 10); two of (E,) bool."""
    p, q = float(first.mean()), float(second.mean())
    (p_low, p_high), (q_low, q_high) = wilson(first), wilson(second)
    below, above = math.hypot(p - p_low, q_high - q), math.hypot(p_high - p, q - q_low)
    return Estimate(p - q, p - q - below, p - q + above)


def welch(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Estimate of two means with the normal interval of unequal variances (Welch 1947); two of (E,).

    Fewer than two values on a side tell nothing about their spread: the interval is infinite.
    """
    estimate = float(first.mean() - second.mean())
    if min(len(first), len(second)) < 2:
        return Estimate(estimate, -math.inf, math.inf)
    half = Z * math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    return Estimate(estimate, estimate - half, estimate + half)


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """Mean of the middle half of (…, E), over the last axis; fewer than four scores leave none out.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv:2108.13264).
    """
    cut = scores.shape[-1] // 4
    return np.sort(scores, -1)[..., cut : scores.shape[-1] - cut].mean(-1)


def stratified_interval(strata: Sequence[np.ndarray], seed: int = 0, draws: int = 10_000) -> Estimate:
    """Interquartile mean of the scores of runs, with its 95 % percentile bootstrap interval.

    Args:
        strata: for each task the scores (runs,); runs are drawn again within their task, as in the same paper.
        seed: of the draws.
        draws: number of bootstrap samples.
    """
    random = np.random.default_rng(seed)
    drawn = [scores[random.integers(len(scores), size=(draws, len(scores)))] for scores in strata]
    low, high = np.quantile(interquartile_mean(np.concatenate(drawn, 1)), (0.025, 0.975))
    return Estimate(float(interquartile_mean(np.concatenate(strata))), float(low), float(high))
