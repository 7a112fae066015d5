"""A picture that is shown again is read once, and nothing else changes: not a gradient, not a value."""

from collections.abc import Callable
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

import visnav.envs
from visnav.agents import threads
from visnav.agents.minibatch import Minibatch, draws
from visnav.agents.pictures import Repeated, hashes
from visnav.agents.ppo import PPO, PPOConfig, ppo_loss
from visnav.agents.rollout import rollout

assert visnav.envs
ID = "visnav/MiniGrid-DoorKey-5x5-v0"


def played(change: dict, **keywords: object) -> PPO:
    """A trainer that has learned once and has a rollout to learn from."""
    config = replace(PPOConfig(num_envs=16, num_steps=12, minibatches=2, precision="fp32"), **change)
    trainer = PPO(gym.make_vec(ID, num_envs=16, max_steps=10, **keywords), config, seed=1)
    trainer.iterate()
    trainer.buffer.restart(trainer.buffer.carry())
    rollout(trainer.policy, trainer.envs, trainer.buffer, trainer.choose, trainer.statistics)
    return trainer


def row_by_row(batch: Minibatch) -> Minibatch:
    """The same minibatch with the images of every row."""
    plain = {
        name: seen.images[seen.index] if isinstance(seen, Repeated) else seen
        for name, seen in batch.observation.items()
    }
    return replace(batch, observation=plain)


def test_every_byte_is_told_apart() -> None:
    """Also where only the highest bytes of words differ, which a plain sum of products takes for equal."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (4, 5, 3)).astype(np.uint8).ravel()
    changed = np.repeat(image[None], 61, 0)
    changed[np.arange(60), np.arange(60)] ^= 128
    high = np.repeat(image[None], 4096, 0)
    high[:, 7::8] = random.integers(0, 256, (4096, 7))
    images = np.concatenate([changed, high])
    found = hashes(torch.from_numpy(images).view(1, -1, 4, 5, 3))
    assert found.shape == (1, 61 + 4096)
    assert len(found.unique()) == len(np.unique(images, axis=0)) == 61 + 4096
    assert (found % 2 == 1).all()


@pytest.mark.parametrize(
    ("change", "keywords"),
    [
        ({}, {}),
        ({"frames": 3}, {}),
        ({"memory": 8}, {}),
        ({"frames": 2, "memory": 8}, {"sensors": ("rgb", "direction", "semantic")}),
        ({}, {"camera": "full", "sensors": ("semantic", "rgb")}),
    ],
    ids=["plain", "frames", "memory", "all", "two"],
)
def test_gradients_are_those_of_every_row(change: dict, keywords: dict) -> None:
    trainer = played(change, **keywords)
    for (whole,) in draws(trainer.buffer, *trainer.advantages(), 2, torch.Generator()):
        batch = whole.gather()
        plain = row_by_row(batch)
        pictures = [seen for seen in batch.observation.values() if isinstance(seen, Repeated)]
        assert all(len(seen.images) < 0.9 * len(plain.actions) for seen in pictures)
        results = []
        for each in (batch, plain):
            loss, report = ppo_loss(trainer.policy, each, trainer.config)
            results.append([*torch.autograd.grad(loss, list(trainer.policy.parameters())), *report.values()])
        for ours, theirs in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("change", [{}, {"frames": 3}, {"memory": 8}], ids=["plain", "frames", "memory"])
def test_a_rollout_recalls_what_it_would_read_again(change: dict) -> None:
    """Values and probabilities are those of a policy that looks at every frame."""
    trainer = played(change)
    buffer, memory = trainer.buffer, trainer.buffer.memories[0]
    read = sum(len(seen.images) for t in range(13) if isinstance(seen := buffer.news(t)["rgb"], Repeated))
    assert read == len({image.numpy().tobytes() for t in range(13) for image in buffer.observation(t)["rgb"]}) < 13 * 12
    with torch.no_grad():
        for t in range(12):
            distribution, values, memory = trainer.policy(buffer.observation(t), memory, buffer.fresh(t, t + 1))
            torch.testing.assert_close(values, buffer.values[t], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                distribution.log_prob(buffer.actions[t]), buffer.log_probs[t], rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("worlds", [16, 8], ids=["many pictures", "one picture"])
def test_threads_share_pictures_not_rows(cue: Callable, monkeypatch: pytest.MonkeyPatch, worlds: int) -> None:
    trainer = played({}) if worlds == 16 else PPO(cue(8), PPOConfig(num_envs=8, num_steps=12, minibatches=1))
    if worlds == 8:  # all of them show what begins an episode
        for t in range(13):
            trainer.buffer.recognise(t)
    monkeypatch.setattr(threads, "_count", 3)
    rows = torch.zeros(trainer.config.num_steps, worlds)
    count = trainer.config.minibatches
    for shares in draws(trainer.buffer, rows, rows.unsqueeze(-1), count, torch.Generator()):
        shown = [trainer.buffer.shown(share.index[0]).unique() for share in shares]
        assert len(torch.cat(shown)) == len(torch.cat(shown).unique())
        assert sum(share.index.shape[1] for share in shares) == rows.numel() // count
        assert len(shown) == (3 if worlds == 16 else 1)
        counts = [len(each) for each in shown]
        assert max(counts) - min(counts) <= 1


def test_rows_by_lot_are_no_matter_of_what_they_show() -> None:
    """The rows of a minibatch lie in the order of their pictures; those drawn of it are of all of them."""
    trainer = played({"minibatches": 1})
    rows = torch.zeros(12, 16)
    ((whole,),) = draws(trainer.buffer, rows, rows.unsqueeze(-1), 1, torch.Generator())
    batch = whole.gather()
    assert sorted(batch.lot.tolist()) == pytest.approx((torch.arange(192) / 192).tolist())
    place = torch.arange(192.0)
    assert abs(torch.corrcoef(torch.stack([place, batch.lot]))[0, 1]) < 0.2
    drawn, count = batch.drawn(0.25)
    assert drawn.sum() == count == 48
