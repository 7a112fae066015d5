"""Oracles for plans: the fewest actions, by trying all of them in the rules; and proof that nothing succeeds."""

from dataclasses import replace

import numpy as np

from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import (
    BALL,
    BOX,
    DOOR_LOCKED,
    FETCH,
    GOAL_KIND,
    KEY,
    LAVA_KIND,
    LOOK,
    OPEN_DOOR,
    OPEN_IN_ORDER,
    PICK_UP,
    PLAYING,
    PUT_NEAR,
    REACH_GOAL,
    WALL_KIND,
)

NEVER = 10**9  # steps until truncation


def fewest_actions(simulation: GridSimulation, slot: int, limit: int) -> int | None:
    """Fewest actions from where the slot's episode stands to success, None where `limit` of them cannot do.

    Breadth-first search over whole states, every action tried in every state by the rules themselves.
    """
    task = replace(simulation.task, max_steps=NEVER)
    frontier = simulation.get_state(np.array([slot]))
    seen = {_key(frontier, 0)}
    choices = len(simulation.action_names)
    for depth in range(1, limit + 1):
        count = len(frontier["world.phase"])
        everything = GridSimulation(task, count * choices, camera="symbolic")
        everything.set_state({name: np.repeat(rows, choices, axis=0) for name, rows in frontier.items()}, slice(None))
        outcome = everything.step(np.tile(np.arange(choices), count), None, reset_ended=False)
        if outcome.success.any():
            return depth
        reached = everything.get_state(slice(None))
        new = []
        for row in np.flatnonzero(everything.world.phase == PLAYING).tolist():
            key = _key(reached, row)
            if key not in seen:
                seen.add(key)
                new.append(row)
        if not new:
            return None
        frontier = {name: rows[new] for name, rows in reached.items()}
    return None


def _key(state: dict[str, np.ndarray], row: int) -> bytes:
    """What tells two states of one episode apart."""
    return b"".join(state[f"world.{name}"][row].tobytes() for name in ("cells", "agent", "carrying"))


def cannot_be_solved(simulation: GridSimulation, slot: int) -> bool:
    """Whether the slot's episode is proven to be hopeless, on the most hopeful assumptions.

    The agent is let through objects that it may pick up, as if each could be put aside, and may use for ever every key
    that it gets to, in boxes too: what it cannot get to even so, it cannot get to by the rules. Where this is False,
    nothing is proven.
    """
    world, objective = simulation.world, simulation.task.objective
    cells = world.cells[slot].astype(int)
    kinds, colors, numbers = cells & 15, cells >> 4 & 7, cells >> 8
    hand = int(world.carrying[slot])
    inside = np.zeros_like(cells)  # what boxes hold
    for y, x in np.argwhere((kinds == BOX) & (numbers < world.contents.shape[1])):
        inside[y, x] = world.contents[slot, numbers[y, x]]
    keys = {hand >> 4 & 7} if hand & 15 == KEY else set()
    if hand & 15 == BOX and hand >> 8 < world.contents.shape[1]:
        keys.add(int(world.contents[slot, hand >> 8]) >> 4 & 7)
    reached = np.zeros(cells.shape, bool)
    reached[world.agent[slot, 1], world.agent[slot, 0]] = True
    solid = (kinds == WALL_KIND) | (kinds == LAVA_KIND)
    if objective in (FETCH, PUT_NEAR):  # picking up any but one look fails
        solid |= np.isin(kinds, (KEY, BALL)) & (cells & LOOK != world.target[slot, 2])
    while True:
        closed = solid | ((kinds == DOOR_LOCKED) & ~np.isin(colors, list(keys)))
        around = reached.copy()
        around[1:] |= reached[:-1]
        around[:-1] |= reached[1:]
        around[:, 1:] |= reached[:, :-1]
        around[:, :-1] |= reached[:, 1:]
        grown = around & ~closed
        found = keys | set(colors[grown & (kinds == KEY)].tolist())
        found |= {content >> 4 & 7 for content in inside[grown].tolist() if content & 15 == KEY}
        if (grown == reached).all() and found == keys:
            break
        reached, keys = grown, found
    if objective == REACH_GOAL:
        return not (reached & (kinds == GOAL_KIND)).any()
    movable = np.isin(kinds, (KEY, BALL, BOX))
    if objective == PICK_UP:
        number = world.target[slot, 2]
        return hand >> 8 != number and not (reached & movable & (numbers == number)).any()
    if objective in (FETCH, PUT_NEAR):
        look = world.target[slot, 2]
        return hand & LOOK != look and not (reached & movable & (cells & LOOK == look)).any()
    if objective in (OPEN_DOOR, OPEN_IN_ORDER):
        return not reached[world.target[slot, 1], world.target[slot, 0]]
    return False
