"""Batches shared by threads, each of which computes its rows from the first layer to the last.

torch's own threads share every single operation and meet after it, spinning. Where anything else runs on the machine
they wait for each other: a minibatch that took one thread 83 ms took two of them 12 s (experiments/JOURNAL.md). These
meet once a batch.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from visnav.agents.ranks import ALONE, Ranks

Result = TypeVar("Result")
LEAST = 16  # rows of a share; with fewer, handing them over costs more than it saves

_count = 1  # threads that share the work now
_pool: ThreadPoolExecutor | None = None  # all but the caller's


def _forget() -> None:
    """A forked child has the pool, but none of its threads."""
    global _count, _pool
    _count, _pool = 1, None


os.register_at_fork(after_in_child=_forget)


@contextmanager
def sharing() -> Iterator[None]:
    """Within it `in_shares` uses as many threads as torch does now, and torch itself one in each of them."""
    global _count, _pool
    count = torch.get_num_threads()
    if count == 1 or _count > 1:
        yield
        return
    torch.set_num_threads(1)
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count(), "visnav", torch.set_num_threads, (1,))
    _count = count
    try:
        yield
    finally:
        _count = 1
        torch.set_num_threads(count)


def in_shares(work: Callable[[slice, Ranks], Result], units: int, rows: int, ranks: Ranks = ALONE) -> list[Result]:
    """What `work` gives of each share, in order; the caller's thread does the first one.

    Args:
        work: takes the units of a share, and the ranks by which it sums over all shares. Whether gradients are recorded
            is torch's default in every thread but the caller's.
        units: what is shared, such as worlds.
        rows: of the whole batch, at least `units`.
        ranks: the processes that have parts of the same batch.
    """
    count = max(1, min(_count, units, rows // LEAST))
    if count == 1:
        return [work(slice(0, units), ranks)]
    assert _pool
    meeting = Meeting(count, ranks)
    bounds = [units * i // count for i in range(count + 1)]

    def share(number: int) -> Result:
        try:
            return work(slice(bounds[number], bounds[number + 1]), Member(meeting, number))
        except BaseException:
            meeting.barrier.abort()  # or the others would wait for this one
            raise

    others = [_pool.submit(share, number) for number in range(1, count)]
    results, errors = [], []
    for get in (lambda: share(0), *(other.result for other in others)):
        try:
            results.append(get())
        except BaseException as error:
            errors.append(error)
    if errors:
        raise next((error for error in errors if not isinstance(error, threading.BrokenBarrierError)), errors[0])
    return results


class Meeting:
    """Where the threads that share a batch add up numbers."""

    def __init__(self, count: int, ranks: Ranks) -> None:
        self.barrier, self.ranks = threading.Barrier(count), ranks
        self.brought: list[Tensor] = [torch.empty(0)] * count
        self.sum = torch.empty(0)

    def total(self, number: int, values: Tensor) -> Tensor:
        """The sum of what all threads of all ranks bring, in the same order every time."""
        self.brought[number] = values.detach()
        self.barrier.wait()
        if number == 0:
            self.sum = self.ranks.total(torch.stack(self.brought).sum(0))
        self.barrier.wait()
        return self.sum


class Member(Ranks):
    """One of the threads that share a rank's part of a batch: its totals are over all threads of all ranks."""

    def __init__(self, meeting: Meeting, number: int) -> None:
        super().__init__(meeting.ranks.rank, meeting.ranks.count)
        self.meeting, self.number = meeting, number

    def total(self, values: Tensor) -> Tensor:
        return self.meeting.total(self.number, values)
