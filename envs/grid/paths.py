"""Shortest paths over poses (column, row, direction) of one world, turns counted: search kernels that know no rules.

A search runs backwards from where a plan would end, and leaves every pose's cost to go; the way from any pose
then follows by descent. What it costs to enter a cell is given as prices, so rules stay with the caller.

Poses lie in two layers. In AS_IS the agent holds what it holds now, in DROPPED it has put that down; the way from
the first to the second is a drop on the cell in front, one that the rest of the way does not need.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.grid.world import DX, DY

UNREACHED = 1 << 29  # the price of what cannot be entered, the cost of what cannot be reached
AS_IS, DROPPED = 0, 1
BUCKETS = 256  # more than any price that is not UNREACHED
EVERYWHERE, REGION = -1, -2  # instead of a pose: how far a search spreads
_MADE, _WAITING = 0, 1


class Search(NamedTuple):
    """The working space of one search; cells are numbered row * width + column."""

    cost: NDArray[np.int32]  # (8 * cells,) actions from each pose to the end, see `pose_number`
    price: NDArray[np.int32]  # (2 * cells,) actions that entering a cell takes, by layer
    region: NDArray[np.int32]  # (cells,) 1 = a cell that `mark_region` found
    drop: NDArray[np.int32]  # (cells,) price of a drop on a cell, UNREACHED = impossible
    entry_pose: NDArray[np.int32]  # (40 * cells,) what waits: each pose is entered 5 times at most
    entry_next: NDArray[np.int32]  # (40 * cells,) the next entry of the same bucket, -1 = none
    bucket: NDArray[np.int32]  # (BUCKETS,) its first entry; bucket k holds poses of cost k, modulo BUCKETS
    queue: NDArray[np.int32]  # (2,) entries made, entries that wait


def make_search(height: int, width: int) -> Search:
    """Room for searches in a grid of this size."""
    cells = height * width
    sizes = (8 * cells, 2 * cells, cells, cells, 40 * cells, 40 * cells, BUCKETS, 2)
    return Search(*(np.zeros(size, np.int32) for size in sizes))


@jit
def pose_number(width, x, y, direction):  # type: ignore[no-untyped-def]
    """Number of a pose in layer AS_IS; in layer DROPPED it is larger by 4 * cells."""
    return 4 * (y * width + x) + direction


@jit
def begin(search):  # type: ignore[no-untyped-def]
    """Forget what was found before. Prices and drops stay."""
    search.cost[:] = UNREACHED
    search.bucket[:] = -1
    search.queue[:] = 0


@jit
def enter(search, pose, cost):  # type: ignore[no-untyped-def]
    """Note that the end can be reached from a pose at this cost, if that is news."""
    if cost < search.cost[pose]:
        search.cost[pose] = cost
        entry = search.queue[_MADE]
        search.entry_pose[entry] = pose
        search.entry_next[entry] = search.bucket[cost % BUCKETS]
        search.bucket[cost % BUCKETS] = entry
        search.queue[_MADE] += 1
        search.queue[_WAITING] += 1


@jit
def enter_cell(search, layer, x, y, height, width, cost):  # type: ignore[no-untyped-def]
    """`enter` for the four poses on a cell, if one can stand there."""
    cells = height * width
    if 0 <= x < width and 0 <= y < height and search.price[layer * cells + y * width + x] < UNREACHED:
        for direction in range(4):
            enter(search, 4 * layer * cells + pose_number(width, x, y, direction), cost)


@jit
def enter_facing(search, layer, x, y, height, width, cost):  # type: ignore[no-untyped-def]
    """`enter` for the poses that have a cell in front, where one can stand."""
    cells = height * width
    for direction in range(4):
        column, row = x - DX[direction], y - DY[direction]
        inside = 0 <= column < width and 0 <= row < height
        if inside and search.price[layer * cells + row * width + column] < UNREACHED:
            enter(search, 4 * layer * cells + pose_number(width, column, row, direction), cost)


@jit
def neighbor(pose, height, width, steps):  # type: ignore[no-untyped-def]
    """The cell (with its layer) that lies `steps` in front of a pose, -1 outside the grid."""
    cell, direction = pose // 4, pose % 4
    x = cell % width + steps * DX[direction]
    y = cell // width % height + steps * DY[direction]
    if x < 0 or y < 0 or x >= width or y >= height:
        return -1
    return cell + steps * (DX[direction] + width * DY[direction])


@jit
def successor(search, pose, height, width):  # type: ignore[no-untyped-def]
    """The pose that a shortest way goes to next, -1 at its end."""
    cells = height * width
    cost = search.cost[pose]
    ahead = neighbor(pose, height, width, 1)
    if ahead >= 0:
        onward = 4 * ahead + pose % 4
        if search.cost[onward] + search.price[ahead] == cost:
            return onward
        if ahead < cells and search.cost[pose + 4 * cells] + search.drop[ahead] == cost:
            return pose + 4 * cells
    for turn in (3, 1):
        turned = pose - pose % 4 + (pose + turn) % 4
        if search.cost[turned] + 1 == cost:
            return turned
    return -1


@jit
def _is_needed(search, pose, cell, height, width):  # type: ignore[no-untyped-def]
    """Whether the way from a pose, which is settled, leads over a cell."""
    later = True  # than the pose, all four: then it cannot
    for direction in range(4):
        later &= search.cost[4 * cell + direction] >= search.cost[pose]
    if later:
        return False
    while pose >= 0:
        if pose // 4 == cell:
            return True
        pose = successor(search, pose, height, width)
    return False


@jit
def _may_drop(search, pose, height, width):  # type: ignore[no-untyped-def]
    """Whether a pose of layer DROPPED, which is settled, can come right after a drop."""
    cells = height * width
    ahead = neighbor(pose, height, width, 1)
    if ahead < 0 or search.drop[ahead - cells] == UNREACHED or search.price[pose // 4 - cells] == UNREACHED:
        return False
    return not _is_needed(search, pose, ahead, height, width)


@jit
def mark_region(search, x, y, limit, height, width):  # type: ignore[no-untyped-def]
    """Mark the cells that one gets to from (x, y) over cells whose price in layer AS_IS is below a limit."""
    search.region[:] = 0
    search.region[y * width + x] = 1
    stack, count = search.entry_pose, 1
    stack[0] = y * width + x
    while count > 0:
        count -= 1
        cell = np.int64(stack[count])
        for direction in range(4):
            ahead = neighbor(4 * cell + direction, height, width, 1)
            if ahead >= 0 and search.region[ahead] == 0 and search.price[ahead] < limit:
                search.region[ahead] = 1
                stack[count] = ahead
                count += 1


@jit
def spread(search, until, height, width):  # type: ignore[no-untyped-def]
    """Settle poses in the order of their cost, beginning with those entered.

    Dijkstra's algorithm with a bucket for every cost (Dial, CACM 12(11), 1969, algorithm 360).

    `until` is a pose, REGION for any pose in the marked region, whatever its layer, or EVERYWHERE. Returns the pose
    that was come to, -1 when there are no more.
    """
    cells = height * width
    cost = 0
    while search.queue[_WAITING] > 0:
        entry = search.bucket[cost % BUCKETS]
        if entry < 0:
            cost += 1
            continue
        search.bucket[cost % BUCKETS] = search.entry_next[entry]
        search.queue[_WAITING] -= 1
        pose = np.int64(search.entry_pose[entry])
        if search.cost[pose] != cost:  # it was entered again, at a lower cost
            continue
        if pose == until or (until == REGION and search.region[pose // 4 % cells] == 1):
            return pose
        first = pose - pose % 4
        enter(search, first + (pose + 3) % 4, cost + 1)
        enter(search, first + (pose + 1) % 4, cost + 1)
        behind = neighbor(pose, height, width, -1)
        price = search.price[pose // 4]
        if behind >= 0 and search.price[behind] < UNREACHED and price < UNREACHED:
            enter(search, 4 * behind + pose % 4, cost + price)
        if pose >= 4 * cells and _may_drop(search, pose, height, width):
            ahead = neighbor(pose, height, width, 1)
            enter(search, pose - 4 * cells, cost + search.drop[ahead - cells])
    return np.int64(-1)
