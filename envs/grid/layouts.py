"""How many different layouts a task has: different seeds are not different levels where grids are small.

`visnav list --layouts 1000000` prints the counts.
"""

from __future__ import annotations

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


def count_layouts(task: Task, max_draws: int = 2**24) -> LayoutCount:
    """Count layouts (looks of the cells and agent pose, as `split=` tells them apart) by drawing ever more levels.

    They are taken to be all when the last doubling of the draws found none that is new, and none was seen only once.
    """
    simulation = GridSimulation(task, BATCH, camera="symbolic")
    layouts = _layouts(simulation, 0)
    known = 0
    while True:
        target = 2 * len(layouts)
        batches = [_layouts(simulation, first) for first in range(len(layouts), target, BATCH)]
        layouts = np.concatenate([layouts, *batches])
        times_seen = np.unique_counts(layouts).counts
        distinct = len(times_seen)
        exact = distinct == known and bool(times_seen.min() > 1)
        hopeless = len(layouts) >= MANY and 2 * distinct > len(layouts)
        if exact or hopeless or len(layouts) >= max_draws:
            return LayoutCount(distinct, exact, len(layouts))
        known = distinct


def _layouts(simulation: GridSimulation, first: int) -> NDArray[np.uint64]:
    """(BATCH,) layout hashes of levels first, first + 1, …"""
    everyone = np.ones(simulation.num_envs, np.bool_)
    simulation.choose_levels(np.arange(first, first + simulation.num_envs), everyone)
    simulation.reset(everyone)
    return simulation.slots.layout.copy()
