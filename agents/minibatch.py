"""Minibatches: which rows of a rollout are learned from together, and what of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.rollout import RolloutBuffer


@dataclass(frozen=True)
class Minibatch:
    """B = T · N rows of a rollout, shuffled: T steps of N worlds, the first steps first; T is 1 without a memory.

    It may be a share of a minibatch whose other rows are learned from by other threads or ranks. `weights` (B,) float32
    make sums over rows means over the steps that the agent took in all of it; they are 0 for skipped rows. `memory`
    (N, units) is that before the first row, and `fresh` (T, N) bool says which rows begin an episode. `returns` are
    (B, streams). `lot` (B,) float32 are numbers in [0, 1), evenly spaced over all of it; `size` are its rows in all.
    """

    observation: dict[str, Tensor]
    memory: Tensor
    fresh: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    weights: Tensor
    lot: Tensor
    size: int

    def drawn(self, share: float) -> tuple[Tensor, int]:
        """A random share in [0, 1] of the rows, whole worlds with a memory: (B,) bool, and how many of all rows."""
        steps = len(self.fresh)
        return self.lot < share, int((lots(self.size // steps) < share).sum()) * steps


@dataclass(frozen=True)
class Draw:
    """What a minibatch is to be gathered from, in shares if need be.

    `index` (T, N) are flat rows t · worlds + n of the rollout, `worlds` (N,) whose they are; T is 1 without a memory.
    `fresh`, `advantages` and `weights` are (T, N), `returns` of the rollout (T · worlds, streams), `lot` (N,).
    """

    buffer: RolloutBuffer
    index: Tensor
    worlds: Tensor
    fresh: Tensor
    advantages: Tensor
    weights: Tensor
    returns: Tensor
    lot: Tensor
    size: int

    @property
    def units(self) -> int:
        """What it can be shared by: N."""
        return self.index.shape[1]

    def take(self, units: slice = slice(None)) -> Minibatch:
        """Gather a share of it, by default all."""
        buffer, index = self.buffer, self.index[:, units]
        rows = index.flatten()
        return Minibatch(
            observation=buffer.gather(rows),
            memory=buffer.memories[0][self.worlds[units]],
            fresh=self.fresh[:, units],
            actions=buffer.actions.flatten(0, 1)[rows],
            log_probs=buffer.log_probs.flatten()[rows],
            advantages=self.advantages[:, units].flatten(),
            returns=self.returns[rows],
            weights=self.weights[:, units].flatten(),
            lot=self.lot[units].repeat(len(index)),
            size=self.size,
        )


def draws(
    buffer: RolloutBuffer,
    advantages: Tensor,
    returns: Tensor,
    count: int,
    generator: torch.Generator,
    normalise: bool = False,
    ranks: Ranks = ALONE,
) -> Iterator[Draw]:
    """One pass over the rollout, shuffled, in `count` minibatches, of which this rank has its rows.

    With a memory a minibatch is made of whole worlds.

    Args:
        advantages: (T, N).
        returns: (T, N, streams), targets of the values.
        generator: of the order; the same in every rank.
        normalise: whether the advantages of a minibatch are to have mean 0 and deviation 1.
    """
    steps, worlds = advantages.shape
    keeps_time = buffer.memories.shape[-1] > 0
    time = torch.arange(steps if keeps_time else 1).unsqueeze(1)
    flat_advantages, flat_returns = advantages.flatten(), returns.flatten(0, 1)
    fresh = buffer.fresh(0, steps).flatten()
    taken = (~buffer.skipped[:-1]).flatten().float()
    units = worlds * ranks.count * (1 if keeps_time else steps)
    for part in torch.randperm(units, generator=generator).split(units // count):
        step, world = part // (worlds * ranks.count), part % (worlds * ranks.count)
        own = world // worlds == ranks.rank
        step, world = step[own], world[own] - ranks.rank * worlds
        index = (time + step) * worlds + world
        weights, gains = taken[index], flat_advantages[index]
        if normalise:
            gains = normalised(gains, weights, ranks)
        weights = weights / ranks.total(weights.sum()).clamp(min=1)  # of a few rows all may be skipped
        size = len(part) * len(index)
        yield Draw(buffer, index, world, fresh[index], gains, weights, flat_returns, lots(len(part))[own], size)


def lots(count: int) -> Tensor:
    """(count,) float32 in [0, 1): those below a share are that share of them."""
    return torch.arange(count) / count


def normalised(advantages: Tensor, weights: Tensor, ranks: Ranks = ALONE) -> Tensor:
    """Advantages with mean 0 and (unbiased) deviation 1 over the rows of weight 1, of all ranks."""
    count = ranks.total(weights.sum()).clamp(min=2)
    centred = advantages - ranks.total((advantages * weights).sum()) / count
    return centred / ((ranks.total((centred**2 * weights).sum()) / (count - 1)).sqrt() + 1e-8)
