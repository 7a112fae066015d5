"""How many different layouts a task has: different seeds are not different levels where grids are small.

`python -m visnav.envs.grid.layouts` prints the table of every grid ID, with the time that a fresh level takes.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import Task

BATCH = 4096  # levels made at once
MANY = 2**22  # draws after which a task whose layouts hardly repeat is given up


class LayoutCount(NamedTuple):
    """What drawing levels 0, 1, … found."""

    distinct: int  # different layouts seen
    exact: bool  # whether these are all
    draws: int  # levels drawn
    seconds: float  # that a level took


def count_layouts(task: Task, max_draws: int = 2**24) -> LayoutCount:
    """Count layouts (looks of the cells and agent pose, as `split=` tells them apart) by drawing ever more levels.

    They are taken to be all when the last doubling of the draws found none that is new, and none was seen only once.
    """
    simulation = GridSimulation(task, BATCH, camera="symbolic")
    layouts = _layouts(simulation, 0)
    seconds, known = 0.0, 0
    while True:
        target = 2 * len(layouts)
        started = time.perf_counter()
        batches = [_layouts(simulation, first) for first in range(len(layouts), target, BATCH)]
        seconds += time.perf_counter() - started
        layouts = np.concatenate([layouts, *batches])
        times_seen = np.unique_counts(layouts).counts
        distinct = len(times_seen)
        exact = distinct == known and bool(times_seen.min() > 1)
        hopeless = len(layouts) >= MANY and 2 * distinct > len(layouts)
        if exact or hopeless or len(layouts) >= max_draws:
            return LayoutCount(distinct, exact, len(layouts), seconds / (len(layouts) - BATCH))
        known = distinct


def _layouts(simulation: GridSimulation, first: int) -> NDArray[np.uint64]:
    """(BATCH,) layout hashes of levels first, first + 1, …"""
    everyone = np.ones(simulation.num_envs, np.bool_)
    simulation.choose_levels(np.arange(first, first + simulation.num_envs), everyone)
    simulation.reset(everyone)
    return simulation.slots.layout.copy()


def main() -> None:
    """Print the table."""
    from visnav.envs.grid.levels import TASKS

    print(f"{'ID':36} {'layouts':>12} {'levels drawn':>14} {'a level':>10}")
    for name, make_task in TASKS.items():
        count = count_layouts(make_task())
        layouts = f"{count.distinct:,}" if count.exact else f"> {count.distinct:,}"
        print(f"{name:36} {layouts:>12} {count.draws:>14,} {count.seconds * 1e6:>7.2f} µs", flush=True)


if __name__ == "__main__":
    main()
