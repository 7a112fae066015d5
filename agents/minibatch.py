"""Minibatches: which rows of a rollout are learned from together, and what of them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from visnav.agents.pictures import Repeated
from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.rollout import RolloutBuffer
from visnav.agents.threads import shares


@dataclass(frozen=True)
class Minibatch:
    """B = T · N rows of a rollout, shuffled: T steps of N worlds, the first steps first; T is 1 without a memory.

    It may be a share of a minibatch whose other rows are learned from by other threads or ranks. `weights` (B,) float32
    make sums over rows means over the steps that the agent took in all of it; they are 0 for skipped rows. `memory`
    (N, units) is that before the first row, and `fresh` (T, N) bool says which rows begin an episode. `returns` are
    (B, streams). `lot` (B,) float32 are numbers in [0, 1), evenly spaced over all of it; `size` are its rows in all.
    """

    observation: dict[str, Tensor | Repeated]
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
    """A minibatch before its observations are gathered, so that it can be taken in shares.

    `index` (T, N) are flat rows t · worlds + n of the rollout; T is 1 without a memory. `fresh`, `log_probs`,
    `advantages` and `weights` are (T, N), `actions` (T, N, …), `returns` (T, N, streams), `memory` (N, units) and
    `lot` (N,): of these rows what `Minibatch` says.
    """

    buffer: RolloutBuffer
    index: Tensor
    memory: Tensor
    fresh: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    weights: Tensor
    lot: Tensor
    size: int

    def __len__(self) -> int:
        """What it can be shared by: N."""
        return self.index.shape[1]

    def __getitem__(self, units: slice) -> "Draw":
        """A share of it."""
        return Draw(
            buffer=self.buffer,
            index=self.index[:, units],
            memory=self.memory[units],
            fresh=self.fresh[:, units],
            actions=self.actions[:, units],
            log_probs=self.log_probs[:, units],
            advantages=self.advantages[:, units],
            returns=self.returns[:, units],
            weights=self.weights[:, units],
            lot=self.lot[units],
            size=self.size,
        )

    def shares(self) -> list[slice]:
        """A share for each thread; without a memory all rows that show a picture are in one."""
        if len(self.index) > 1 or not self.buffer.sightings:
            return shares(len(self), self.index.numel())
        shown = self.buffer.shown(self.index[0])
        picture = torch.cat([shown.new_zeros(1), (shown.diff() != 0).cumsum(0)])  # 0, 1, … as they follow
        parts = shares(int(picture[-1]) + 1, len(self))
        ends = torch.searchsorted(picture, torch.tensor([part.stop for part in parts])).tolist()
        return [slice(begin, end) for begin, end in itertools.pairwise([0, *ends])]

    def gather(self) -> Minibatch:
        """The rows themselves, with what the policy saw."""
        rows = self.index.flatten()
        return Minibatch(
            observation=self.buffer.gather(rows),
            memory=self.memory,
            fresh=self.fresh,
            actions=self.actions.flatten(0, 1),
            log_probs=self.log_probs.flatten(),
            advantages=self.advantages.flatten(),
            returns=self.returns.flatten(0, 1),
            weights=self.weights.flatten(),
            lot=self.lot.repeat(len(self.index)),
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

    With a memory a minibatch is made of whole worlds. All but the images is gathered for the whole pass at once.

    Args:
        advantages: (T, N).
        returns: (T, N, streams), targets of the values.
        count: must divide the worlds of all ranks, without a memory their steps.
        generator: of the order; the same in every rank.
        normalise: whether the advantages of a minibatch are to have mean 0 and deviation 1.
    """
    steps, worlds = advantages.shape
    keeps_time = buffer.memories.shape[-1] > 0
    time = torch.arange(steps if keeps_time else 1).unsqueeze(1)
    units = worlds * ranks.count * (1 if keeps_time else steps)
    size = units // count
    order = torch.randperm(units, generator=generator)
    own = (order % (worlds * ranks.count)) // worlds == ranks.rank
    order, part, lot = order[own], (torch.arange(units) // size)[own], lots(size).repeat(count)[own]
    row = order // (worlds * ranks.count) * worlds + order % worlds
    if not keeps_time and buffer.sightings:  # the rows of a part that show the same, side by side
        alike = (part * (steps + 1) * worlds + buffer.shown(row)).argsort(stable=True)
        row, lot = row[alike], lot[alike]
    index = time * worlds + row

    weights = (~buffer.skipped[:-1]).flatten().float()[index]
    gains = advantages.flatten()[index]
    if normalise:
        gains = normalised(gains, weights, part, count, ranks)
    weights = weights / totals(weights, part, count, ranks).clamp(min=1)[part]  # of a few rows all may be skipped
    whole = Draw(
        buffer=buffer,
        index=index,
        memory=buffer.memories[0][row % worlds],
        fresh=buffer.fresh(0, steps).flatten()[index],
        actions=buffer.actions.flatten(0, 1)[index],
        log_probs=buffer.log_probs.flatten()[index],
        advantages=gains,
        returns=returns.flatten(0, 1)[index],
        weights=weights,
        lot=lot,
        size=size * len(time),
    )
    ends = part.bincount(minlength=count).cumsum(0).tolist()
    for begin, end in itertools.pairwise([0, *ends]):
        yield whole[begin:end]


def gathered(draw: Draw | None) -> list[Minibatch]:
    """A share for each thread; none of what is not there."""
    if draw is None:
        return []
    return [draw[units].gather() for units in draw.shares()]


def lots(count: int) -> Tensor:
    """(count,) float32 in [0, 1): those below a share are that share of them."""
    return torch.arange(count) / count


def totals(values: Tensor, part: Tensor, count: int, ranks: Ranks = ALONE) -> Tensor:
    """(count,) sums of values (T, N) over steps and over the columns of each part, of all ranks; `part` (N,) int64."""
    return ranks.total(torch.zeros(count).index_add_(0, part, values.sum(0)))


def normalised(advantages: Tensor, weights: Tensor, part: Tensor, count: int, ranks: Ranks = ALONE) -> Tensor:
    """Advantages (T, N) with mean 0 and (unbiased) deviation 1 over the rows of weight 1 of each part, of all ranks."""
    rows = totals(weights, part, count, ranks).clamp(min=2)
    centred = advantages - (totals(advantages * weights, part, count, ranks) / rows)[part]
    squares = totals(centred**2 * weights, part, count, ranks)
    return centred / ((squares / (rows - 1)).sqrt() + 1e-8)[part]
