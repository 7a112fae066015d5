"""What happens in a grid world: one step, one reset; functions of one environment index.

The rules are MiniGrid's (`minigrid_env.py` step, `world_object.py` toggle).
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.grid.world import (
    BALL,
    BOX,
    DONE,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    DROP,
    DX,
    DY,
    EMPTY,
    ENDED,
    FLOOR_KIND,
    FORWARD,
    FRESH,
    GO_TO,
    GOAL_KIND,
    KEY,
    LAVA_KIND,
    LOOK,
    MAX_DRAWS,
    MAX_FAILURES,
    OPEN_DOOR,
    PICK_UP,
    PICKUP,
    PLAYING,
    TEST_SHARE,
    TOGGLE,
    TURN_LEFT,
    TURN_RIGHT,
    WALL,
    Level,
    color_of,
    kind_of,
)

# --- step ---------------------------------------------------------------------------------------------------


@jit
def cell_at(i, world, x, y):  # type: ignore[no-untyped-def]
    """The cell at column x, row y of world i; outside the grid everything is wall."""
    if x < 0 or y < 0 or y >= world.cells.shape[1] or x >= world.cells.shape[2]:
        return WALL
    return np.int64(world.cells[i, y, x])


@jit
def _toggled(cell, carrying):  # type: ignore[no-untyped-def]
    """What a cell becomes when it is toggled with `carrying` in hand."""
    kind = kind_of(cell)
    if kind == DOOR_LOCKED:
        has_key = carrying != 0 and kind_of(carrying) == KEY and color_of(carrying) == color_of(cell)
        return cell - DOOR_LOCKED + DOOR_OPEN if has_key else cell
    if kind == DOOR_CLOSED:
        return cell - DOOR_CLOSED + DOOR_OPEN
    if kind == DOOR_OPEN:
        return cell - DOOR_OPEN + DOOR_CLOSED
    if kind == BOX:
        return EMPTY
    return cell


@jit
def _act(i, world, action):  # type: ignore[no-untyped-def]
    """Carry out one action in world i. Returns the kind of cell walked onto, EMPTY where there was none."""
    x, y, direction = world.agent[i, 0], world.agent[i, 1], world.agent[i, 2]
    if action == TURN_LEFT:
        world.agent[i, 2] = (direction + 3) % 4
        return EMPTY
    if action == TURN_RIGHT:
        world.agent[i, 2] = (direction + 1) % 4
        return EMPTY
    if action == DONE:
        return EMPTY

    front_x, front_y = x + DX[direction], y + DY[direction]
    front = cell_at(i, world, front_x, front_y)
    kind = kind_of(front)
    if action == FORWARD:
        if kind in (EMPTY, GOAL_KIND, LAVA_KIND, DOOR_OPEN, FLOOR_KIND):
            world.agent[i, 0], world.agent[i, 1] = front_x, front_y
            return kind
    elif action == PICKUP:
        if kind in (KEY, BALL, BOX) and world.carrying[i] == 0:
            world.carrying[i] = front
            world.cells[i, front_y, front_x] = EMPTY
    elif action == DROP:
        if kind == EMPTY and world.carrying[i] != 0:
            world.cells[i, front_y, front_x] = world.carrying[i]
            world.carrying[i] = 0
    elif action == TOGGLE:
        after = _toggled(front, np.int64(world.carrying[i]))
        if after != front:
            world.cells[i, front_y, front_x] = after
    return EMPTY


@jit
def _objective(i, world, params, action):  # type: ignore[no-untyped-def]
    """(ended, succeeded) by the task's objective after `action`."""
    if params.objective == OPEN_DOOR and action == TOGGLE:
        opened = kind_of(cell_at(i, world, world.target[i, 0], world.target[i, 1])) == DOOR_OPEN
        return opened, opened
    if params.objective == PICK_UP and action == PICKUP:
        held = np.int64(world.carrying[i]) >> 8 == world.target[i, 2] and world.carrying[i] != 0
        return held, held
    if params.objective == GO_TO:
        if action == TOGGLE:
            return True, False
        if action == DONE:
            distance = abs(world.agent[i, 0] - world.target[i, 0]) + abs(world.agent[i, 1] - world.target[i, 1])
            return True, distance == 1
    return False, False


@jit
def step(i, world, params, actions, outcome):  # type: ignore[no-untyped-def]
    """Play actions[i] in world i, `params.action_repeat` times or until the episode ends.

    Reward is 1 - 0.9 * step_count / max_steps on success, else 0. terminated and truncated can both be true.
    """
    if world.phase[i] == FRESH:  # reset by this very step: its action is not played
        world.phase[i] = PLAYING
        outcome.reward[i] = 0.0
        outcome.terminated[i] = False
        outcome.truncated[i] = False
        outcome.success[i] = False
        return
    reward = 0.0
    terminated = False
    truncated = False
    success = False
    for _ in range(params.action_repeat):
        world.step_count[i] += 1
        walked_onto = _act(i, world, actions[i])
        terminated, success = _objective(i, world, params, actions[i])
        if walked_onto == GOAL_KIND:
            terminated = True
            success = True
        elif walked_onto == LAVA_KIND:
            terminated = True
        if success:
            reward += 1 - 0.9 * (world.step_count[i] / params.max_steps)
        truncated = world.step_count[i] >= params.max_steps
        if terminated or truncated:
            world.phase[i] = ENDED
            break
    outcome.reward[i] = reward
    outcome.terminated[i] = terminated
    outcome.truncated[i] = truncated
    outcome.success[i] = success


# --- reset --------------------------------------------------------------------------------------------------

_HALF, _QUARTER = np.float32(0.5), np.float32(math.pi / 2)


@jit
def layout_hash(i, world):  # type: ignore[no-untyped-def]
    """FNV-1a, 64 bits, of how world i looks and of the agent's pose; finished as in SplitMix64."""
    prime = np.uint64(0x100000001B3)
    digest = np.uint64(0xCBF29CE484222325)
    for y in range(world.cells.shape[1]):
        for x in range(world.cells.shape[2]):
            digest = (digest ^ np.uint64(world.cells[i, y, x] & LOOK)) * prime
    for k in range(3):
        digest = (digest ^ np.uint64(world.agent[i, k])) * prime
    digest = (digest ^ (digest >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    digest = (digest ^ (digest >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return digest ^ (digest >> np.uint64(31))


@jit
def _in_split(layout, split):  # type: ignore[no-untyped-def]
    """Whether a layout belongs to split 0 (all), 1 (train) or 2 (test)."""
    is_test = layout % np.uint64(TEST_SHARE) == np.uint64(0)
    return split == 0 or (split == 2 and is_test) or (split == 1 and not is_test)


@jit
def _draw_level(i, slots, source):  # type: ignore[no-untyped-def]
    """The next level number of slot i's stream."""
    k = random_stream.integers(slots.stream[i], 0, source.amount)
    return source.table[k] if source.table.shape[0] else source.start + source.step * k


@jit
def _place(i, world):  # type: ignore[no-untyped-def]
    """Put the agent in the middle of its cell, and make direction and heading agree."""
    world.pose[i, 0], world.pose[i, 1] = np.float32(world.agent[i, 0]) + _HALF, np.float32(world.agent[i, 1]) + _HALF
    if math.isnan(world.pose[i, 2]):
        world.pose[i, 2] = np.float32(world.agent[i, 2]) * _QUARTER
    else:
        world.agent[i, 2] = math.floor(world.pose[i, 2] / _QUARTER + _HALF) % 4


@jit
def make_level(i, number, world, slots, level_function, args):  # type: ignore[no-untyped-def]
    """Make level `number` in row i: what seed `number` makes, for ever."""
    random_stream.seed(world.rng[i], number, False)
    world.cells[i] = EMPTY
    world.agent[i, 0] = -1
    world.agent[i, 1] = -1
    world.agent[i, 2] = 0
    world.carrying[i] = 0
    world.step_count[i] = 0
    world.mission[i] = 0
    world.target[i] = 0
    slots.num_objects[i] = 0
    slots.failed[i] = False
    level = Level(
        world.cells[i],
        world.agent[i],
        world.mission[i : i + 1],
        world.target[i],
        slots.num_objects[i : i + 1],
        slots.failed[i : i + 1],
        slots.scratch[i],
        world.pose[i, 2:],
    )
    world.pose[i, 2] = np.nan
    level_function(world.rng[i], level, *args)
    _place(i, world)
    slots.failed[i] |= cell_at(i, world, world.agent[i, 0], world.agent[i, 1]) & LOOK == WALL  # or outside, or unplaced
    slots.level[i] = number
    slots.layout[i] = layout_hash(i, world)


@jit
def reset(i, world, slots, source, level_function, args):  # type: ignore[no-untyped-def]
    """Start slot i's next episode: the level asked for, else the next one of its stream that is in the split.

    `slots.failed[i]` stays set when the level asked for cannot be made, nor MAX_FAILURES of those drawn, or when
    MAX_DRAWS of them were not in the split.
    """
    if slots.next_level[i] >= 0:
        make_level(i, slots.next_level[i], world, slots, level_function, args)
        slots.next_level[i] = -1
        return
    failures = 0
    for _ in range(MAX_DRAWS):
        make_level(i, _draw_level(i, slots, source), world, slots, level_function, args)
        failures += slots.failed[i]
        if failures == MAX_FAILURES or (not slots.failed[i] and _in_split(slots.layout[i], source.split)):
            return
    slots.failed[i] = True
