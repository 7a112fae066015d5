"""Batches shared by threads, each of which computes its rows from the first layer to the last.

torch's own threads share every single operation and meet after it, spinning. Where anything else runs on the machine
they wait for each other: a minibatch that took one thread 83 ms took two of them 12 s (experiments/JOURNAL.md). These
meet once a batch.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")
LEAST = 16  # rows of a share; with fewer, handing them over costs more than it saves

_count = 1  # threads that share the work now
_pool: ThreadPoolExecutor | None = None  # all but the caller's


def _forget() -> None:
    """A forked child has the pool, but none of its threads."""
    global _count, _pool
    _count, _pool = 1, None


if hasattr(os, "register_at_fork"):  # not on Windows
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


def shares(units: int, rows: int) -> list[slice]:
    """The units, such as worlds, in a share for each thread; `rows`, at least `units`, are those of the whole batch."""
    count = max(1, min(_count, units, rows // LEAST))
    return [slice(units * i // count, units * (i + 1) // count) for i in range(count)]


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` gives of each item, at most one a thread, in order; the caller's thread does the first one.

    Whether gradients are recorded is torch's default in all threads but the caller's.
    """
    first, *others = items
    if not others:
        return [work(first)]
    assert _pool
    futures = [_pool.submit(work, item) for item in others]
    try:
        return [work(first), *(future.result() for future in futures)]
    except BaseException:
        wait(futures)
        raise


def in_shares(work: Callable[[slice], Result], units: int, rows: int) -> list[Result]:
    """`in_threads` of `shares`."""
    return in_threads(work, shares(units, rows))


def shared(work: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """What `work` gives of rows (B, …), row by row; where nothing is learned from it, the threads share them."""
    if torch.is_grad_enabled():
        return work(rows)

    def share(some: slice) -> Tensor:
        with torch.no_grad():
            return work(rows[some])

    return torch.cat(in_shares(share, len(rows), len(rows)))


def meanwhile(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin work in a thread of its own, if there are several; calling what it returns gives the result."""
    if _count == 1:
        return work
    assert _pool
    return _pool.submit(work).result
