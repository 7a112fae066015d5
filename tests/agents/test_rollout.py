"""Advantages, frame stacks, return scale and statistics against slow loops written for one world at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from visnav.agents.distributions import Categorical, Noise
from visnav.agents.pictures import Repeated
from visnav.agents.policy import ActorCritic, PolicyConfig
from visnav.agents.rollout import EpisodeStatistics, ReturnScale, RolloutBuffer, gae, rollout


def slow_gae(
    rewards: np.ndarray, values: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, gamma: float, lam: float
) -> np.ndarray:
    """Advantages by their definition: for each step, a sum of discounted δ to the end of its episode, in float64."""
    steps, worlds = rewards.shape
    advantages = np.zeros((steps, worlds))
    for n in range(worlds):
        for t in range(steps):
            weight = 1.0
            for k in range(t, steps):
                following = 0.0 if terminated[k, n] else values[k + 1, n]
                advantages[t, n] += weight * (rewards[k, n] + gamma * following - values[k, n])
                if terminated[k, n] or truncated[k, n]:
                    break
                weight *= gamma * lam
    return advantages


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (33, 17), (128, 5)])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0), (0.0, 0.9)])
def test_gae_agrees_with_its_definition(shape: tuple[int, int], rate: float, gamma: float, lam: float) -> None:
    random = np.random.default_rng(0)
    rewards, values = random.normal(size=shape), random.normal(size=(shape[0] + 1, shape[1]))
    terminated, truncated = random.random(shape) < rate / 2, random.random(shape) < rate / 2
    expected = slow_gae(rewards, values, terminated, truncated, gamma, lam)
    flags = torch.from_numpy(terminated), torch.from_numpy(truncated)
    double = gae(torch.from_numpy(rewards), torch.from_numpy(values), *flags, gamma, lam)
    np.testing.assert_allclose(double, expected, rtol=1e-12, atol=1e-12)
    single = gae(torch.from_numpy(rewards).float(), torch.from_numpy(values).float(), *flags, gamma, lam)
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-4)


def drawn(policy: Any) -> Any:
    """How a rollout chooses: it draws from the policy."""
    noise = Noise(torch.Generator().manual_seed(0))

    def choose(distribution: Categorical) -> tuple[torch.Tensor, np.ndarray]:
        actions = distribution.sample(noise)
        return actions, policy.action_array(actions)

    return choose


def column(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    ("terminated", "truncated", "expected"),
    [
        # γ = ½, λ = ½, r = 1, 2, 4, V = 8, 16, 32, 64.  δ without an end: 1, 2, 4 + ½·64 - 32 = 4.
        ((0, 0, 0), (0, 0, 0), (1 + 2 / 4 + 4 / 16, 2 + 4 / 4, 4)),
        # Terminated at 1: δ_1 = 2 - 16 = -14, and nothing comes back from step 2.
        ((0, 1, 0), (0, 0, 0), (1 - 14 / 4, -14, 4)),
        # Truncated at 1: δ_1 = 2 + ½·32 - 16 = 2 bootstraps from the final frame, and nothing comes back.
        ((0, 0, 0), (0, 1, 0), (1 + 2 / 4, 2, 4)),
        # Both at once, as MiniGrid allows on the last step: the world is over, so no bootstrap.
        ((0, 1, 0), (0, 1, 0), (1 - 14 / 4, -14, 4)),
        # Terminated at the last step.
        ((0, 0, 1), (0, 0, 0), (1 + 2 / 4 - 28 / 16, 2 - 28 / 4, -28)),
    ],
)
def test_gae_by_hand(terminated: tuple[int], truncated: tuple[int], expected: tuple[float]) -> None:
    flags = (torch.tensor(flag, dtype=torch.bool)[:, None] for flag in (terminated, truncated))
    advantages = gae(column(1, 2, 4), column(8, 16, 32, 64), *flags, 0.5, 0.5)
    torch.testing.assert_close(advantages, column(*expected))


def test_the_last_step_bootstraps_from_the_value_after_it() -> None:
    flags = torch.zeros(3, 1, dtype=torch.bool)
    assert gae(column(0, 0, 0), column(0, 0, 0, 1), flags, flags, 0.9, 1.0)[-1] == 0.9


def test_what_a_skipped_row_holds_never_reaches_the_steps_before() -> None:
    """Row 2 only resets the world; its reward and the values after it are noise to steps 0 and 1."""
    ended, no = torch.tensor([0, 1, 0, 0], dtype=torch.bool)[:, None], torch.zeros(4, 1, dtype=torch.bool)
    quiet = gae(column(1, 2, 0, 3), column(1, 2, 3, 4, 5), no, ended, 0.9, 0.8)
    noisy = gae(column(1, 2, 99, 3), column(1, 2, 3, -50, 5), no, ended, 0.9, 0.8)
    assert torch.equal(quiet[:2], noisy[:2])


class Recorder:
    """Stands for a policy: random actions, and every image that it was shown or recalls."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def __call__(self, observation: dict[str, Repeated], memory: torch.Tensor, fresh: torch.Tensor) -> tuple:
        shown = observation["rgb"]
        self.seen.append(shown.spread(shown.images))
        count = len(shown.index)
        return Categorical(torch.zeros(count, 2)), torch.zeros(count, 1), memory

    def action_array(self, actions: torch.Tensor) -> np.ndarray:
        return actions.numpy()


def test_rollout_writes_what_the_worlds_showed(cue: Callable) -> None:
    """The buffer after two rollouts equals a replay of its own actions in a second batch of the same worlds."""
    envs, replay = cue(6), cue(6)
    buffer = RolloutBuffer(envs, 7)
    statistics = EpisodeStatistics(6)
    envs.reset(seed=3, out=buffer.row(7))
    observation, _ = replay.reset(seed=3)
    ended = np.zeros(6, bool)
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space, PolicyConfig())
    for _ in range(2):
        buffer.restart(buffer.carry())
        rollout(policy, envs, buffer, drawn(policy), statistics)
        for t in range(7):
            np.testing.assert_array_equal(buffer.row(t), observation)
            np.testing.assert_array_equal(buffer.skipped[t], ended)
            observation, reward, terminated, truncated, _ = replay.step(buffer.actions[t].numpy())
            ended = terminated | truncated
            np.testing.assert_array_equal(buffer.rewards[t], reward)
            np.testing.assert_array_equal(buffer.terminated[t], terminated)
            np.testing.assert_array_equal(buffer.truncated[t], truncated)
        np.testing.assert_array_equal(buffer.row(7), observation)
    assert statistics.counts.tolist() == [5] * 6  # episodes end at steps 1, 4, 7, 10, 13 of 14


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_frame_stacks_agree_with_a_loop_over_one_world(cue: Callable, frames: int) -> None:
    """Across resets and from one rollout to the next, a stack holds its own episode's frames and zeros before."""
    envs, recorder = cue(5), Recorder()
    buffer = RolloutBuffer(envs, 4, frames)
    envs.reset(seed=0, out=buffer.row(4))
    shown, ends = [], []
    for _ in range(3):
        buffer.restart(buffer.carry())
        rollout(recorder, envs, buffer, drawn(recorder), EpisodeStatistics(5))
        shown += [buffer.row(t).copy() for t in range(4)]
        ends += [(buffer.terminated[t] | buffer.truncated[t]).numpy() for t in range(4)]
        gathered = buffer.gather(torch.arange(20))["rgb"]
        assert isinstance(gathered, Repeated)
        assert torch.equal(gathered.images[gathered.index], torch.cat(recorder.seen[-5:-1]))
        assert len(gathered.images) == len({image.numpy().tobytes() for image in gathered.images}) < 20
    steps = [seen for i, seen in enumerate(recorder.seen) if i % 5 != 4]  # the fifth only values the last frame
    for n in range(5):
        episode: list[np.ndarray] = []
        for t, seen in enumerate(steps):
            if t >= 2 and ends[t - 2][n]:
                episode = []
            episode.append(shown[t][n])
            padded = [np.zeros_like(episode[0])] * frames + episode
            np.testing.assert_array_equal(seen[n], np.concatenate(padded[-frames:], -1))


def test_return_scale_is_the_deviation_of_the_discounted_returns(cue: Callable) -> None:
    envs = cue(8)
    buffer, scale = RolloutBuffer(envs, 9), ReturnScale(8, 0.9)
    envs.reset(seed=0, out=buffer.row(9))
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space, PolicyConfig())
    running, samples = np.zeros(8), []
    for _ in range(3):
        buffer.restart(buffer.carry())
        rollout(policy, envs, buffer, drawn(policy), EpisodeStatistics(8))
        scaled = scale.scale(buffer.rewards, buffer.skipped[:-1])
        for t in range(9):
            for n in range(8):
                running[n] = 0.0 if buffer.skipped[t, n] else 0.9 * running[n] + buffer.rewards[t, n].item()
                if not buffer.skipped[t, n]:
                    samples.append(running[n])
        np.testing.assert_allclose(scaled, buffer.rewards / np.std(samples), rtol=1e-3)


def test_episode_statistics_cover_the_last_episodes_of_every_world() -> None:
    statistics = EpisodeStatistics(2, window=3)
    no, first, both = np.zeros(2, bool), np.array([True, False]), np.ones(2, bool)
    assert statistics.means() == {"return": 0.0, "length": 0.0, "success": 0.0}
    statistics.add(np.array([1.0, 2.0]), first, no, first)
    assert statistics.means()["success"] == 1 / 4  # one success, three episodes to come
    statistics.add(np.array([0.0, 2.0]), no, first, no)  # the first world only resets
    statistics.add(np.array([3.0, 2.0]), both, no, both)
    assert statistics.means() == {"return": (1 + 3 + 6 + 0) / 4, "length": (1 + 1 + 3 + 0) / 4, "success": 3 / 4}
    for _ in range(2):
        statistics.add(np.array([5.0, 5.0]), both, no, both)
    assert statistics.means() == {"return": 5.0, "length": 1.0, "success": 1.0}
