"""Minibatches: which rows of a rollout are learned from together, and what of them."""

import bisect
import itertools
from dataclasses import dataclass, fields, replace

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
    """A minibatch, or a thread's share of one, before its observations are gathered.

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

    def split(self, sizes: list[int]) -> list["Draw"]:
        """Shares of so many units each."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = {
            name: rows.split(sizes, 0 if name in ("memory", "lot") else 1)
            for name, rows in every.items()
            if isinstance(rows, Tensor)
        }
        return [replace(self, **dict(zip(parts, share, strict=True))) for share in zip(*parts.values(), strict=True)]

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
) -> list[list[Draw]]:
    """One pass over the rollout, shuffled, in `count` minibatches: of each this rank's rows, a share for each thread.

    With a memory a minibatch is made of whole worlds; without one, all its rows that show a picture are in one share.
    All but the images is gathered for the whole pass at once.

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
    starts = list(range(len(row)))
    if not keeps_time and buffer.sightings:  # the rows of a part that show the same, side by side
        key, alike = (part * (steps + 1) * worlds + buffer.shown(row)).sort(stable=True)
        row, lot = row[alike], lot[alike]
        starts = [0, *(key.diff().nonzero().flatten() + 1).tolist()]
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
    cuts = [_cuts(begin, end, len(time), starts) for begin, end in itertools.pairwise([0, *ends])]
    parts = iter(whole.split([end - begin for rows in cuts for begin, end in itertools.pairwise(rows)]))
    return [list(itertools.islice(parts, len(rows) - 1)) for rows in cuts]


def _cuts(begin: int, end: int, steps: int, starts: list[int]) -> list[int]:
    """Where the threads' shares of the units from `begin` to `end` begin and end, each only at one of `starts`."""
    first, last = bisect.bisect_left(starts, begin), bisect.bisect_left(starts, end)
    _, *others = shares(last - first, (end - begin) * steps)
    return [begin, *(starts[first + share.start] for share in others), end]


def gathered(shares: list[Draw]) -> list[Minibatch]:
    """The threads' shares of a minibatch, with what the policy saw."""
    return [share.gather() for share in shares]


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
