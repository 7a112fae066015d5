"""Which levels a slot plays: the numbers that its episodes are drawn from, and the split of layouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit

LEVELS = 2**31  # numbers that episodes are drawn from where no levels are given
SPLITS = {None: 0, "train": 1, "test": 2}
TEST_SHARE = 5  # one layout in five is for testing
MAX_DRAWS = 10_000  # level numbers tried before a split is called empty


class LevelSource(NamedTuple):
    """Which level numbers a slot's stream draws from: table[k], or start + step * k where there is no table."""

    table: NDArray[np.int64]  # (amount,) or (0,)
    start: int
    step: int
    amount: int  # of level numbers
    split: int  # SPLITS


def level_source(levels: Sequence[int] | NDArray[np.integer[Any]] | None, split: str | None) -> LevelSource:
    """What `levels=` and `split=` mean: a range is kept as three numbers, anything else as a table.

    Raises:
        ValueError: an unknown split, no levels, or what are no level numbers.
    """
    if split not in SPLITS:
        raise ValueError(f'split is None, "train" or "test"; got {split!r}')
    no_table, part = np.zeros(0, np.int64), SPLITS[split]
    if levels is None:
        return LevelSource(no_table, 0, 1, LEVELS, part)
    if len(levels) == 0:
        raise ValueError("levels is empty; give a range or a list of level numbers, such as range(1000)")
    if isinstance(levels, range):
        low, high = min(levels[0], levels[-1]), max(levels[0], levels[-1])
        source = LevelSource(no_table, levels.start, levels.step, len(levels), part)
    else:
        table = np.asarray(levels)
        if table.ndim != 1 or table.dtype.kind not in "iu":
            raise ValueError(f"levels is a range or a list of whole numbers; got {levels!r}")
        low, high = int(table.min()), int(table.max())
        source = LevelSource(np.ascontiguousarray(table, np.int64), 0, 1, len(table), part)
    if low < 0 or high >= 2**63:
        raise ValueError(f"levels are numbers from 0 to 2**63 - 1; got {low} to {high}")
    return source


@jit
def in_split(layout, split):  # type: ignore[no-untyped-def]
    """Whether a layout (its hash) belongs to split 0 (all), 1 (train) or 2 (test)."""
    is_test = layout % np.uint64(TEST_SHARE) == np.uint64(0)
    return split == 0 or (split == 2 and is_test) or (split == 1 and not is_test)


@jit
def seed_rows(lo, hi, slots, seeds, chosen):  # type: ignore[no-untyped-def]
    """Start the streams of level numbers of those of rows lo..hi that are chosen, each from its seed."""
    for i in range(lo, hi):
        if chosen[i]:
            random_stream.seed(slots.stream[i], seeds[i], True)
