"""What is new is rewarded, what was seen often is not; and it helps where rewards are rare."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch

from visnav.agents.curiosity import MOST, RECENT, Counting, Distillation, FirstVisits
from visnav.agents.pictures import hashes
from visnav.agents.ppo import PPO, PPOConfig
from visnav.agents.ranks import ALONE
from visnav.agents.rollout import rollout


def test_what_was_seen_often_is_less_new() -> None:
    """Trained on dark images alone, the predictor errs more on bright ones than on dark ones; before it did not."""
    random = np.random.default_rng(0)
    curiosity = Distillation((40, 40, 3), 0, "rgb", 8, 0.99)
    common, rare = (
        torch.from_numpy(random.integers(low, low + 60, (64, 40, 40, 3)).astype(np.uint8)) for low in (20, 150)
    )
    curiosity._observe(torch.stack([common, rare]), ALONE)
    every = torch.full((64,), 1 / 64)
    before = [curiosity.loss(images, every).item() for images in (common, rare)]
    optimizer = torch.optim.Adam(curiosity.predictor.parameters(), 1e-3)
    for _ in range(40):
        optimizer.zero_grad()
        curiosity.loss(common, every).backward()
        optimizer.step()
    after = [curiosity.loss(images, every).item() for images in (common, rare)]
    assert after[0] < 0.05 * before[0]
    assert after[1] > 5 * after[0]


def test_pixels_are_normalised_by_what_was_seen() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 8, 36, 36, 1)).astype(np.uint8))
    curiosity = Distillation((36, 36, 1), 0, "rgb", 8, 0.99)
    for step in images:
        curiosity._observe(step.unsqueeze(0), ALONE)
    flat = images.flatten(0, 1).double()
    torch.testing.assert_close(curiosity.mean, flat.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(curiosity.square / curiosity.count, flat.var(0, correction=0), rtol=1e-5, atol=1e-4)
    expected = ((flat - flat.mean(0)) / flat.std(0, correction=0)).clamp(-MOST, MOST).float()
    torch.testing.assert_close(curiosity.normalised(images.flatten(0, 1)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("shape", "dtype"), [((4, 4, 3), np.uint8), ((3, 3, 1), np.uint8), ((2, 3, 1), np.float32)])
def test_first_visits_are_those_of_a_set_that_ends_with_the_episode(shape: tuple, dtype: type) -> None:
    """Few pictures, in several pieces, against Python's sets, world by world."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (9, *shape)).astype(dtype)
    visits, sets = FirstVisits(5), [set() for _ in range(5)]
    for _ in range(6):
        drawn, fresh = random.integers(0, 9, (7, 5)), random.random((7, 5)) < 0.15
        found = visits.find(hashes(torch.from_numpy(pictures[drawn])), torch.from_numpy(fresh))
        for t, n in np.ndindex(7, 5):
            if fresh[t, n]:
                sets[n] = set()
            assert found[t, n] == (drawn[t, n] not in sets[n])
            sets[n].add(drawn[t, n])


def test_a_picture_that_was_last_seen_long_ago_is_new_again() -> None:
    visits, fresh = FirstVisits(1), torch.zeros(RECENT, 1, dtype=torch.bool)
    others = hashes(torch.arange(1, RECENT + 1, dtype=torch.float32).view(-1, 1, 1, 1, 1))
    first = hashes(torch.full((1, 1, 1, 1, 1), 0.5))
    assert visits.find(first, fresh[:1])
    assert visits.find(others[1:], fresh[1:]).all()
    assert not visits.find(first, fresh[:1])
    assert visits.find(others[:1], fresh[:1])
    assert not visits.find(others[-1:], fresh[:1])


def test_an_image_is_worth_less_the_more_often_it_was_counted() -> None:
    """Against Python's Counter, over three rollouts, of which some images do not count."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (9, 4, 4, 3)).astype(np.uint8)
    counting, seen = Counting("rgb", 5, 0.99), Counter[int]()
    for _ in range(3):
        drawn, counts = random.integers(0, 9, (7, 5)), random.random((7, 5)) < 0.7
        images = torch.from_numpy(pictures[drawn])
        novelty = counting.novelty(images, hashes(images), torch.from_numpy(counts), ALONE)
        seen.update(drawn[counts].tolist())
        expected = np.array([[max(seen[each], 1) ** -0.5 for each in row] for row in drawn.tolist()])
        np.testing.assert_allclose(novelty.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["rnd", "counts"])
def test_what_is_seen_again_in_an_episode_is_no_news(cue: Callable, kind: str) -> None:
    config = PPOConfig(num_envs=8, num_steps=16, curiosity=0.5, curiosity_kind=kind, curiosity_first_visits=True)
    trainer = PPO(cue(8), config)
    trainer.buffer.restart(trainer.buffer.carry())
    rollout(trainer.policy, trainer.envs, trainer.buffer, trainer.choose, trainer.statistics)
    assert trainer.curiosity
    images = trainer.buffer.newest("rgb")
    novelty = trainer.curiosity.rewards(trainer.buffer, ALONE)
    fresh = trainer.buffer.fresh(1, 17)
    again = (images[1:] == images[:-1]).flatten(2).all(2) & ~fresh[1:]
    assert again.any()
    assert (novelty[1:][again] == 0).all()
    assert (novelty[fresh] > 0).all()


def test_novelty_flows_across_the_ends_of_episodes_and_rewards_do_not(cue: Callable) -> None:
    """The advantage of novelty is that of one long episode: its own GAE, with no end in it."""
    config = PPOConfig(num_envs=8, num_steps=16, curiosity=0.5, precision="fp32")
    trainer = PPO(cue(8), config)
    trainer.buffer.restart(trainer.buffer.carry())
    rollout(trainer.policy, trainer.envs, trainer.buffer, trainer.choose, trainer.statistics)
    novelty = torch.rand(16, 8)
    assert trainer.curiosity
    trainer.curiosity.rewards = lambda *_: novelty  # type: ignore[method-assign]
    advantages, returns = trainer.advantages()
    values = trainer.buffer.values
    both = returns - values[:-1]
    torch.testing.assert_close(advantages, both[..., 0] + 0.5 * both[..., 1])
    expected, following = torch.zeros(16, 8), torch.zeros(8)
    for t in reversed(range(16)):
        delta = novelty[t] + config.curiosity_gamma * values[t + 1, :, 1] - values[t, :, 1]
        following = expected[t] = delta + config.curiosity_gamma * config.gae_lambda * following
    torch.testing.assert_close(both[..., 1], expected)
    assert trainer.buffer.terminated.any()
