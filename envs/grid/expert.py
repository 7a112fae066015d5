"""What an expert does next in a grid world that it sees whole: functions of one environment index.

From any state, the next action is found anew: a shortest path to where the task is fulfilled, on which closed doors
cost a toggle, and what else is in the way a detour's estimate. The first thing in the way, if any, becomes the aim
instead: the key of a locked door, an object to be put aside. So each aim's path is free, and short; the sum of them
is near the shortest plan, not always equal to it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.grid.paths import (
    AS_IS,
    DROPPED,
    EVERYWHERE,
    REGION,
    UNREACHED,
    begin,
    enter_cell,
    enter_facing,
    mark_region,
    neighbor,
    pose_number,
    spread,
    successor,
)
from visnav.envs.grid.rules import cell_at, front_of, inside_box
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
    FETCH,
    FLOOR_KIND,
    FORWARD,
    GO_TO,
    GOAL_KIND,
    KEY,
    LAVA_KIND,
    LOOK,
    OPEN_DOOR,
    OPEN_IN_ORDER,
    PICK_UP,
    PICKUP,
    PLAYING,
    PUT_NEAR,
    REACH_CELL,
    TOGGLE,
    TURN_LEFT,
    TURN_RIGHT,
    WALL_KIND,
    Task,
    color_of,
    kind_of,
)

NO_PLAN = -1  # in place of an action

# What it costs to enter a cell, in actions: exact where nothing has to be fetched or put aside, else an estimate.
STEP = 1
OPENING = 2  # toggle, step
MOVING = 4  # a ball that will have moved on
OBJECT = 12  # one that has to be put aside; more than walking around it
LOCKED = 60  # a door whose key has to be fetched
LATER = 8  # a drop that is put off
CRAMPED = 50  # added to a drop where what is dropped would stand in the way

CLEAR, NO_WAY = -1, -2  # what a search found, instead of a cell
MAX_SEARCHES = 64  # an action: each of six keys sought or given up, and objects in between

# --- aims: what a search looks for ---------------------------------------------------------------------------

ON_GOAL = 0  # walk onto a goal
ON_CELL = 1  # walk onto (x, y)
BESIDE = 2  # stand beside (x, y), done
OPEN = 3  # toggle the door at (x, y)
TAKE_TARGET = 4  # pick up what the objective speaks of
TAKE_AT = 5  # pick up what is at (x, y)
TAKE_KEY = 6  # pick up a key of colour x, or open a box that holds one
PUT_BESIDE = 7  # drop next to (x, y), corners included
PUT_DOWN = 8  # drop anywhere


class Aim(NamedTuple):
    """What a search looks for."""

    what: int  # ON_GOAL, …
    x: int
    y: int


class Means(NamedTuple):
    """What the rules of a task let an agent use on its way."""

    objective: int
    takes: bool  # picking things up plays, and fails no objective
    toggles: bool  # so does toggling


def means_of(task: Task) -> Means:
    """What the rules of a task allow."""
    takes = task.actions[PICKUP] == PICKUP and task.objective not in (FETCH, PUT_NEAR)
    return Means(task.objective, takes, task.actions[TOGGLE] == TOGGLE and task.objective != GO_TO)


# --- what a cell costs -----------------------------------------------------------------------------------------


@jit
def _hidden(i, world, cell):  # type: ignore[no-untyped-def]
    """What a cell has inside: the contents of a box, else EMPTY."""
    return inside_box(i, world, cell) if kind_of(cell) == BOX else EMPTY


@jit
def _is_key(cell, color):  # type: ignore[no-untyped-def]
    """Whether a cell is a key of a colour."""
    return kind_of(cell) == KEY and color_of(cell) == color


@jit
def _is_target(i, world, means, cell):  # type: ignore[no-untyped-def]
    """Whether a cell is the object that the objective speaks of."""
    if means.objective == PICK_UP:
        return cell >> 8 == world.target[i, 2] and kind_of(cell) in (KEY, BALL, BOX)
    return means.objective in (FETCH, PUT_NEAR) and cell & LOOK == world.target[i, 2]


@jit
def _can_open(i, world, means, cell):  # type: ignore[no-untyped-def]
    """Whether a box may be opened to be rid of it."""
    return means.toggles and _hidden(i, world, cell) == EMPTY and not _is_target(i, world, means, cell)


@jit
def _price(i, world, means, cell, hand, keys, may_take):  # type: ignore[no-untyped-def]
    """What entering a cell costs with `hand` in hand, where keys of some colours can be fetched."""
    kind = kind_of(cell)
    if kind in (EMPTY, DOOR_OPEN, GOAL_KIND, FLOOR_KIND):
        return STEP
    if kind == DOOR_CLOSED and means.toggles:
        return OPENING
    if kind == DOOR_LOCKED and means.toggles:
        if hand != 0 and _is_key(hand, color_of(cell)):
            return OPENING
        return LOCKED if may_take and keys >> color_of(cell) & 1 == 1 else UNREACHED
    if kind == BALL and world.obstacles.shape[1] > 0:
        return MOVING
    if kind == BOX and _can_open(i, world, means, cell):
        return OPENING
    if kind in (KEY, BALL, BOX) and may_take:
        return OBJECT
    return UNREACHED


@jit
def _key_bit(cell):  # type: ignore[no-untyped-def]
    """A bit for the colour of a key, 0 for anything else."""
    return 1 << color_of(cell) if kind_of(cell) == KEY else 0


@jit
def _find_keys(i, world):  # type: ignore[no-untyped-def]
    """The colours of all keys of world i, as bits: in hand, on the grid, in boxes."""
    hand = np.int64(world.carrying[i])
    keys = _key_bit(hand) | _key_bit(_hidden(i, world, hand))
    for y in range(world.cells.shape[1]):
        for x in range(world.cells.shape[2]):
            cell = np.int64(world.cells[i, y, x])
            keys |= _key_bit(cell) | _key_bit(_hidden(i, world, cell))
    return keys


@jit
def _is_free(kind, through_objects):  # type: ignore[no-untyped-def]
    """Whether a kind of cell can be passed, doors opened and, if so asked, objects put aside."""
    if kind in (KEY, BALL, BOX):
        return through_objects
    return kind != WALL_KIND and kind != LAVA_KIND


@jit
def _cramps(i, world, x, y):  # type: ignore[no-untyped-def]
    """Whether a thing on a free cell would part its neighbours: some have no way to the others around the cell."""
    for through_objects in (False, True):
        free = 0  # neighbours
        joined = 0  # pairs of successive neighbours that the corner between them joins
        for k in range(4):
            dx, dy = DX[k], DY[k]
            if not _is_free(kind_of(cell_at(i, world, x + dx, y + dy)), through_objects):
                continue
            free += 1
            corner = _is_free(kind_of(cell_at(i, world, x + dx - dy, y + dy + dx)), through_objects)
            if corner and _is_free(kind_of(cell_at(i, world, x - dy, y + dx)), through_objects):
                joined += 1
        if free - joined > 1:
            return True
    return False


@jit
def _close(search, x, y, height, width):  # type: ignore[no-untyped-def]
    """Let no way lead over a cell."""
    search.price[y * width + x] = UNREACHED
    search.price[(height + y) * width + x] = UNREACHED


@jit
def _set_prices(i, world, means, keys, with_drop, is_last, search):  # type: ignore[no-untyped-def]
    """Prices of both layers; `with_drop`: the plan drops what is carried, `is_last`: and nothing follows the aim."""
    height, width = world.cells.shape[1], world.cells.shape[2]
    hand = np.int64(world.carrying[i])
    for y in range(height):
        for x in range(width):
            place = y * width + x
            cell = np.int64(world.cells[i, y, x])
            # where the plan drops what is carried, nothing can be put aside or fetched before
            search.price[place] = _price(i, world, means, cell, hand, keys, means.takes and not with_drop)
            if with_drop:
                search.price[height * width + place] = _price(i, world, means, cell, 0, keys, means.takes)
                search.drop[place] = UNREACHED
                if kind_of(cell) == EMPTY:
                    search.drop[place] = 1 if is_last or not _cramps(i, world, x, y) else 1 + CRAMPED
    if means.objective == REACH_CELL:
        _close(search, world.other_target[i, 0], world.other_target[i, 1], height, width)
    elif means.objective == OPEN_IN_ORDER:
        _close(search, world.target[i, 0], world.target[i, 1], height, width)


# --- where an aim is reached -----------------------------------------------------------------------------------


@jit
def _is_wanted(i, world, means, aim, cell, x, y):  # type: ignore[no-untyped-def]
    """Whether a cell is one to stand on (BESIDE, PUT_DOWN), or (all others) one that the last action is done to."""
    if aim.what == ON_GOAL:
        return kind_of(cell) == GOAL_KIND
    if aim.what == BESIDE:
        return abs(x - aim.x) + abs(y - aim.y) == 1
    if aim.what == TAKE_TARGET:
        return _is_target(i, world, means, cell)
    if aim.what == TAKE_KEY:
        return _is_key(cell, aim.x) or _is_key(_hidden(i, world, cell), aim.x)
    if aim.what == PUT_BESIDE:
        return kind_of(cell) == EMPTY and abs(x - aim.x) <= 1 and abs(y - aim.y) <= 1
    return aim.what == PUT_DOWN or (x == aim.x and y == aim.y)


@jit
def _enter_aim(i, world, means, aim, with_drop, search):  # type: ignore[no-untyped-def]
    """Begin the search for an aim at every pose that fulfils it but for the last action."""
    height, width = world.cells.shape[1], world.cells.shape[2]
    for y in range(height):
        for x in range(width):
            cell = np.int64(world.cells[i, y, x])
            if not _is_wanted(i, world, means, aim, cell, x, y):
                continue
            if aim.what in (BESIDE, PUT_DOWN):
                enter_cell(search, DROPPED if with_drop else AS_IS, x, y, height, width, 0)
            else:
                opens_box = aim.what == TAKE_KEY and kind_of(cell) == BOX  # which takes more actions, but no free hand
                if opens_box or not with_drop:
                    enter_facing(search, AS_IS, x, y, height, width, LATER if with_drop else OPENING * opens_box)
                if with_drop:
                    enter_facing(search, DROPPED, x, y, height, width, OPENING * opens_box)


# --- the next action -------------------------------------------------------------------------------------------


@jit
def _first_aim(i, world, means):  # type: ignore[no-untyped-def]
    """What fulfils the objective, or comes right before what does."""
    x, y = np.int64(world.target[i, 0]), np.int64(world.target[i, 1])
    if means.objective == OPEN_DOOR:
        return Aim(OPEN, x, y)
    if means.objective == GO_TO:
        return Aim(BESIDE, x, y)
    if means.objective == REACH_CELL:
        return Aim(ON_CELL, x, y)
    if means.objective == PUT_NEAR and world.carrying[i] != 0:
        return Aim(PUT_BESIDE, x, y)
    if means.objective in (PICK_UP, FETCH, PUT_NEAR):
        return Aim(TAKE_TARGET, 0, 0)
    if means.objective == OPEN_IN_ORDER:
        first_x, first_y = np.int64(world.other_target[i, 0]), np.int64(world.other_target[i, 1])
        first_is_open = kind_of(cell_at(i, world, first_x, first_y)) == DOOR_OPEN
        return Aim(OPEN, x, y) if first_is_open else Aim(OPEN, first_x, first_y)
    return Aim(ON_GOAL, 0, 0)


@jit
def _pose(i, world):  # type: ignore[no-untyped-def]
    """The number of the agent's pose."""
    return pose_number(world.cells.shape[2], world.agent[i, 0], world.agent[i, 1], world.agent[i, 2])


@jit
def _search(i, world, means, aim, keys, search):  # type: ignore[no-untyped-def]
    """Search the way from the agent to an aim; `keys` are the colours, as bits, of keys that may be fetched for it.

    Returns CLEAR where it has been found, NO_WAY where there is none, or else the number of the cell where something
    has to be done about a locked door or an object. Where that is does not depend on where in its region (what it
    gets to without) the agent stands, so it does not change its mind on the way.
    """
    height, width = world.cells.shape[1], world.cells.shape[2]
    with_drop = world.carrying[i] != 0 and aim.what in (TAKE_TARGET, TAKE_AT, TAKE_KEY, PUT_DOWN)
    _set_prices(i, world, means, keys, with_drop, aim.what == TAKE_TARGET, search)
    mark_region(search, world.agent[i, 0], world.agent[i, 1], OBJECT, height, width)
    for until in (REGION, _pose(i, world)):
        begin(search)
        _enter_aim(i, world, means, aim, with_drop, search)
        pose = spread(search, until, height, width)
        if pose < 0:
            return NO_WAY
        if until == REGION:
            if successor(search, pose, height, width) >= 0:
                return neighbor(pose, height, width, 1) % (height * width)
            for place in range(height * width):  # the way leads around what is in the way
                if search.region[place] == 0:
                    _close(search, place % width, place // width, height, width)
    if aim.what == OPEN:
        door = np.int64(world.cells[i, aim.y, aim.x])
        if kind_of(door) == DOOR_LOCKED and not _is_key(np.int64(world.carrying[i]), color_of(door)):
            return aim.y * width + aim.x
    return CLEAR


@jit
def _last_action(i, world, aim):  # type: ignore[no-untyped-def]
    """The action that fulfils an aim, at the end of its way."""
    if aim.what in (ON_GOAL, ON_CELL):
        return FORWARD
    if aim.what == BESIDE:
        return DONE
    if aim.what == OPEN:
        return TOGGLE
    if aim.what == PUT_BESIDE:
        return DROP
    if aim.what == TAKE_KEY:
        x, y = front_of(i, world)
        return PICKUP if kind_of(cell_at(i, world, x, y)) == KEY else TOGGLE
    return PICKUP


@jit
def _action(i, world, aim, search):  # type: ignore[no-untyped-def]
    """The first action on the way that was found."""
    height, width = world.cells.shape[1], world.cells.shape[2]
    pose = _pose(i, world)
    after = successor(search, pose, height, width)
    if after < 0:
        return _last_action(i, world, aim)
    if after == pose + 4 * height * width:
        return DROP
    if after // 4 == pose // 4:
        return TURN_RIGHT if after % 4 == (pose + 1) % 4 else TURN_LEFT
    x, y = front_of(i, world)
    kind = kind_of(cell_at(i, world, x, y))
    if kind in (DOOR_CLOSED, DOOR_LOCKED, BOX):
        return TOGGLE
    return TURN_LEFT if kind == BALL else FORWARD  # a ball that moves: wait


@jit
def _fetch(i, world, color):  # type: ignore[no-untyped-def]
    """The aim that brings a key of a colour to hand: where it is in a box that is carried, that has to be put down."""
    inside_hand = _hidden(i, world, np.int64(world.carrying[i]))
    return Aim(PUT_DOWN, 0, 0) if _is_key(inside_hand, color) else Aim(TAKE_KEY, color, 0)


@jit
def _plan_action(i, world, means, search):  # type: ignore[no-untyped-def]
    """The next action of a plan for world i, NO_PLAN where none is found."""
    width = world.cells.shape[2]
    hand = np.int64(world.carrying[i])
    if hand != 0 and means.objective == PICK_UP and _is_target(i, world, means, hand):
        return PICKUP  # counts while it is held
    if hand != 0 and means.objective == PUT_NEAR and not _is_target(i, world, means, hand):
        return NO_PLAN
    keys = _find_keys(i, world)
    sought, color = 0, -1  # colours of the keys that the plan fetches, and the last of them
    aim = _first_aim(i, world, means)
    for _ in range(MAX_SEARCHES):
        place = _search(i, world, means, aim, keys & ~sought, search)
        if place == CLEAR:
            return _action(i, world, aim, search)
        if place == NO_WAY:
            if sought == 0:
                return NO_PLAN
            keys &= ~(1 << color)  # it cannot be had: look for a way without
            sought = 0
            aim = _first_aim(i, world, means)
            continue
        cell = np.int64(world.cells[i, place // width, place % width])
        if kind_of(cell) == DOOR_LOCKED:
            color = color_of(cell)
            if (keys & ~sought) >> color & 1 == 0:
                return NO_PLAN
            sought |= 1 << color
            aim = _fetch(i, world, color)
        else:
            aim = Aim(TAKE_AT, place % width, place // width)
    return NO_PLAN


@jit
def next_action(i, world, means, search, actions_out):  # type: ignore[no-untyped-def]
    """Write what an expert does next in world i: NO_PLAN where it has none, TURN_LEFT where no episode is playing."""
    actions_out[i] = _plan_action(i, world, means, search) if world.phase[i] == PLAYING else TURN_LEFT


# --- distances -------------------------------------------------------------------------------------------------


@jit
def distance_field(i, world, ends, search, distances_out):  # type: ignore[no-untyped-def]
    """Write the fewest actions from every pose of world i to standing on cell ends[i], or (-1) on a goal."""
    height, width = world.cells.shape[1], world.cells.shape[2]
    for y in range(height):
        for x in range(width):
            kind = kind_of(np.int64(world.cells[i, y, x]))
            passable = kind in (EMPTY, DOOR_OPEN, GOAL_KIND, FLOOR_KIND)
            search.price[y * width + x] = STEP if passable else OPENING if kind == DOOR_CLOSED else UNREACHED
    begin(search)
    for y in range(height):
        for x in range(width):
            is_goal = kind_of(np.int64(world.cells[i, y, x])) == GOAL_KIND
            if is_goal if ends[i, 0] < 0 else x == ends[i, 0] and y == ends[i, 1]:
                enter_cell(search, AS_IS, x, y, height, width, 0)
    spread(search, EVERYWHERE, height, width)
    for y in range(height):
        for x in range(width):
            for direction in range(4):
                cost = search.cost[pose_number(width, x, y, direction)]
                distances_out[i, y, x, direction] = cost if cost < UNREACHED else -1
