"""What happens in a grid world: one step, one reset; functions of one environment index.

The rules are MiniGrid's (`minigrid_env.py` step, `world_object.py` toggle).
"""

from __future__ import annotations

import math

import numpy as np

from visnav.envs import rng as random_stream
from visnav.envs.batch import jit
from visnav.envs.grid.building import free_cell
from visnav.envs.grid.world import (
    BALL,
    BOX,
    COLLISION_REWARD,
    DONE,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    DROP,
    DX,
    DY,
    EMPTY,
    ENDED,
    FETCH,
    FLOOR_KIND,
    FORWARD,
    FRESH,
    GO_TO,
    GOAL_KIND,
    KEY,
    LAVA_KIND,
    LOOK,
    MAX_FAILURES,
    OBSTACLE_TRIES,
    OPEN_DOOR,
    OPEN_IN_ORDER,
    PICK_UP,
    PICKUP,
    PLAYING,
    PUT_NEAR,
    REACH_CELL,
    REACH_GOAL,
    TOGGLE,
    TURN_LEFT,
    TURN_RIGHT,
    WALL,
    Level,
    color_of,
    kind_of,
    whole,
)
from visnav.envs.levels import MAX_DRAWS, in_split
from visnav.envs.rng import HASH_START, digested, mixed

# --- step ---------------------------------------------------------------------------------------------------


@jit
def cell_at(i, world, x, y):  # type: ignore[no-untyped-def]
    """The cell at column x, row y of world i; outside the grid everything is wall."""
    if x < 0 or y < 0 or y >= world.cells.shape[1] or x >= world.cells.shape[2]:
        return WALL
    return np.int64(world.cells[i, y, x])


@jit
def front_of(i, world):  # type: ignore[no-untyped-def]
    """(column, row) of the cell in front of the agent of world i."""
    direction = world.agent[i, 2]
    return world.agent[i, 0] + DX[direction], world.agent[i, 1] + DY[direction]


@jit
def _toggled(cell, carrying):  # type: ignore[no-untyped-def]
    """What a cell that is no box becomes when it is toggled with `carrying` in hand."""
    kind = kind_of(cell)
    if kind == DOOR_LOCKED:
        has_key = carrying != 0 and kind_of(carrying) == KEY and color_of(carrying) == color_of(cell)
        return cell - DOOR_LOCKED + DOOR_OPEN if has_key else cell
    if kind == DOOR_CLOSED:
        return cell - DOOR_CLOSED + DOOR_OPEN
    if kind == DOOR_OPEN:
        return cell - DOOR_OPEN + DOOR_CLOSED
    return cell


@jit
def inside_box(i, world, cell):  # type: ignore[no-untyped-def]
    """What is left where a box is opened: its contents, or EMPTY."""
    number = cell >> 8
    if number >= world.contents.shape[1] or world.contents[i, number] == 0:
        return EMPTY
    return np.int64(world.contents[i, number])


@jit
def _act(i, world, action):  # type: ignore[no-untyped-def]
    """Carry out one action in world i. Returns the kind of cell walked onto, EMPTY where there was none."""
    if action == TURN_LEFT:
        world.agent[i, 2] = (world.agent[i, 2] + 3) % 4
        return EMPTY
    if action == TURN_RIGHT:
        world.agent[i, 2] = (world.agent[i, 2] + 1) % 4
        return EMPTY
    if action == DONE:
        return EMPTY

    front_x, front_y = front_of(i, world)
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
        after = inside_box(i, world, front) if kind == BOX else _toggled(front, np.int64(world.carrying[i]))
        if after != front:
            world.cells[i, front_y, front_x] = after
    return EMPTY


@jit
def _is_clear(i, world):  # type: ignore[no-untyped-def]
    """Whether there is nothing to collide with in front: an empty cell or a goal."""
    x, y = front_of(i, world)
    return kind_of(cell_at(i, world, x, y)) in (EMPTY, GOAL_KIND)


@jit
def _move_obstacles(i, world):  # type: ignore[no-untyped-def]
    """Move every obstacle of world i to a random free cell of the nine around it; one that finds none stays."""
    cells = world.cells[i]
    for k in range(world.obstacles.shape[1]):
        x, y = world.obstacles[i, k, 0], world.obstacles[i, k, 1]
        column, row = free_cell(world.rng[i], cells, world.agent[i], x - 1, y - 1, 3, 3, OBSTACLE_TRIES)
        if column >= 0:
            cells[row, column] = cells[y, x]
            cells[y, x] = EMPTY
            world.obstacles[i, k, 0], world.obstacles[i, k, 1] = column, row


@jit
def _is_open(i, world, x, y):  # type: ignore[no-untyped-def]
    """Whether an open door is at column x, row y."""
    return kind_of(cell_at(i, world, x, y)) == DOOR_OPEN


@jit
def _stands_at(i, world, x, y):  # type: ignore[no-untyped-def]
    """Whether the agent is at column x, row y."""
    return world.agent[i, 0] == x and world.agent[i, 1] == y


@jit
def _opened_in_order(i, world, action):  # type: ignore[no-untyped-def]
    """(ended, succeeded) by OPEN_IN_ORDER after `action`.

    What an action toggles is the door in front, so that how a door was before follows from how it is now.
    """
    x, y = world.target[i, 0], world.target[i, 1]
    first_x, first_y = world.other_target[i, 0], world.other_target[i, 1]
    front_x, front_y = front_of(i, world)
    is_open, first_is_open = _is_open(i, world, x, y), _is_open(i, world, first_x, first_y)
    was_open = is_open != (action == TOGGLE and front_x == x and front_y == y)
    first_was_open = first_is_open != (action == TOGGLE and front_x == first_x and front_y == first_y)
    if is_open:
        return True, first_was_open
    return first_is_open and was_open, False


@jit
def _objective(i, world, params, action, had):  # type: ignore[no-untyped-def]
    """(ended, succeeded) by the task's objective after `action`, before which the agent carried `had`."""
    if params.objective == REACH_GOAL:
        return False, False
    x, y = world.target[i, 0], world.target[i, 1]
    if params.objective == OPEN_DOOR and action == TOGGLE:
        opened = _is_open(i, world, x, y)
        return opened, opened
    if params.objective == PICK_UP and action == PICKUP:
        held = np.int64(world.carrying[i]) >> 8 == world.target[i, 2] and world.carrying[i] != 0
        return held, held
    if params.objective == GO_TO:
        if action == TOGGLE:
            return True, False
        if action == DONE:
            return True, abs(world.agent[i, 0] - x) + abs(world.agent[i, 1] - y) == 1
    if params.objective == FETCH:
        holds = world.carrying[i] != 0
        return holds, holds and world.carrying[i] & LOOK == world.target[i, 2]
    if params.objective == PUT_NEAR:
        if action == PICKUP:
            return world.carrying[i] != 0 and world.carrying[i] & LOOK != world.target[i, 2], False
        if action == DROP and had != 0:
            front_x, front_y = front_of(i, world)
            return True, world.carrying[i] == 0 and abs(front_x - x) <= 1 and abs(front_y - y) <= 1
    if params.objective == REACH_CELL:
        there = _stands_at(i, world, x, y)
        return there or _stands_at(i, world, world.other_target[i, 0], world.other_target[i, 1]), there
    if params.objective == OPEN_IN_ORDER:
        return _opened_in_order(i, world, action)
    return False, False


@jit
def step(i, world, params, actions, outcome):  # type: ignore[no-untyped-def]
    """Play actions[i] in world i, `params.action_repeat` times or until the episode ends.

    Reward is 1 - 0.9 * step_count / max_steps on success, -1 for a collision in a task that has them, else 0.
    terminated and truncated can both be true.
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
    action = params.actions[actions[i]]
    for _ in range(params.action_repeat):
        world.step_count[i] += 1
        had = world.carrying[i]
        collides = params.collisions and action == FORWARD and not _is_clear(i, world)
        _move_obstacles(i, world)
        walked_onto = _act(i, world, action)
        terminated, success = _objective(i, world, params, action, had)
        if walked_onto == GOAL_KIND:
            terminated = True
            success = True
        elif walked_onto == LAVA_KIND:
            terminated = True
        if success:
            reward += 1 - 0.9 * (world.step_count[i] / params.max_steps)
        if collides:
            terminated = True
            reward += COLLISION_REWARD
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
def _hash_contents(i, world, cell, digest):  # type: ignore[no-untyped-def]
    """`digest` with what the box `cell` of world i holds, to any depth."""
    for _ in range(world.contents.shape[1]):
        if kind_of(cell) != BOX:
            break
        cell = inside_box(i, world, cell)
        digest = digested(digest, cell & LOOK)
    return digest


@jit
def layout_hash(i, world):  # type: ignore[no-untyped-def]
    """FNV-1a, 64 bits, of how world i looks, what its boxes hold, the agent's pose and what it carries.

    Finished as in SplitMix64.
    """
    digest = HASH_START
    for y in range(world.cells.shape[1]):
        for x in range(world.cells.shape[2]):
            digest = digested(digest, world.cells[i, y, x] & LOOK)
    if world.contents.shape[1] > 0:
        for y in range(world.cells.shape[1]):
            for x in range(world.cells.shape[2]):
                digest = _hash_contents(i, world, np.int64(world.cells[i, y, x]), digest)
    for k in range(3):
        digest = digested(digest, world.agent[i, k])
    if world.carrying[i] != 0:
        digest = digested(digest, world.carrying[i] & LOOK)
        digest = _hash_contents(i, world, np.int64(world.carrying[i]), digest)
    return mixed(digest)


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
        world.agent[i, 2] = whole(world.pose[i, 2] / _QUARTER + _HALF) % 4


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
    world.other_target[i] = 0
    world.contents[i] = 0
    world.obstacles[i] = 0
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
        world.other_target[i],
        world.contents[i],
        world.obstacles[i],
        world.carrying[i : i + 1],
        np.int64(number),
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
        if failures == MAX_FAILURES or (not slots.failed[i] and in_split(slots.layout[i], source.split)):
            return
    slots.failed[i] = True
