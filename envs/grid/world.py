"""The data of grid worlds: cells, the state of N worlds, what a task is made of, and all constants.

Cell codes, colours, states and directions are MiniGrid's (`minigrid/core/constants.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from visnav.envs.batch import jit
from visnav.envs.rng import WORDS

# --- cells: kind | colour << 4 | object number << 8, in a uint16 -------------------------------------------
# The object number tells two objects of one look apart; 0 is no object. The lower seven bits are the look.

UNSEEN, EMPTY, WALL_KIND, FLOOR_KIND = 0, 1, 2, 3
DOOR_OPEN, KEY, BALL, BOX, GOAL_KIND, LAVA_KIND, AGENT_KIND = 4, 5, 6, 7, 8, 9, 10
DOOR_CLOSED, DOOR_LOCKED = 11, 12  # MiniGrid: kind 4 with state 1 and 2
KINDS = 13

RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
COLOR_NAMES = ("red", "green", "blue", "purple", "yellow", "grey")  # by number
SORTED_COLORS = (BLUE, GREEN, GREY, PURPLE, RED, YELLOW)  # MiniGrid draws colours from the sorted names
COLORS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (112, 39, 195), (255, 255, 0), (100, 100, 100)])

WALL = WALL_KIND | GREY << 4
GOAL = GOAL_KIND | GREEN << 4
LAVA = LAVA_KIND | RED << 4
LOOK = 0x7F  # mask of what a cell looks like
LOOKS = 128

# --- directions and actions ---------------------------------------------------------------------------------

RIGHT, DOWN, LEFT, UP = range(4)
DX = (1, 0, -1, 0)
DY = (0, 1, 0, -1)

TURN_LEFT, TURN_RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
ACTION_NAMES = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
AS_THEY_ARE = tuple(range(len(ACTION_NAMES)))  # every action is played as itself

# --- objectives: what ends an episode beside goal, lava and time ---------------------------------------------

REACH_GOAL = 0
OPEN_DOOR = 1  # toggle, and the door at `target` is open
PICK_UP = 2  # pickup, and the object numbered target[2] is carried
GO_TO = 3  # done beside the cell at `target`; done elsewhere fails, toggle fails
FETCH = 4  # anything is carried: it looks like target[2], or the episode fails
PUT_NEAR = 5  # drop next to `target`, corners included; any other drop, and pickup of another look than target[2], fail
REACH_CELL = 6  # the agent stands at `target`; it fails where it stands at `other_target`
OPEN_IN_ORDER = 7  # the door at `target` is open, and that at `other_target` was before; else fails
# under continuous control (`visnav.envs.grid.motion`):
POINT_GOAL = 32  # be at the middle of the cell at `target`
OBJECT_GOAL = 33  # be at the middle of a free cell beside the object at `target`
CONTINUOUS = (POINT_GOAL, OBJECT_GOAL)

COLLISION_REWARD = -1.0  # of a task with collisions
OBSTACLE_TRIES = 101  # positions that are tried for an obstacle (max_tries=100 of MiniGrid's `place_obj`)

# --- phases of a slot ---------------------------------------------------------------------------------------

# CHOSEN: to be reset now; FRESH: reset by the step that is under way
PLAYING, ENDED, CHOSEN, FRESH, UNSTARTED = range(5)

# --- levels -------------------------------------------------------------------------------------------------

MAX_FAILURES = 20  # levels that could not be made before the task is called impossible


class World(NamedTuple):
    """The episodes that N slots are playing, one row each."""

    cells: NDArray[np.uint16]  # (N, height, width)
    agent: NDArray[np.int32]  # (N, 3) column x, row y, direction
    pose: NDArray[np.float32]  # (N, 3) x, y in m and heading in rad, clockwise; grid steps leave it as it was
    carrying: NDArray[np.uint16]  # (N,) cell in hand, 0 = none
    step_count: NDArray[np.int32]  # (N,) steps since the reset
    mission: NDArray[np.int32]  # (N,) index into the task's missions
    target: NDArray[np.int32]  # (N, 3) column, row, and number or look of the object that the objective speaks of
    other_target: NDArray[np.int32]  # (N, 2) column, row of the second cell that it speaks of
    contents: NDArray[np.uint16]  # (N, C) by object number, the cell that the box of that number holds, 0 = nothing
    obstacles: NDArray[np.int32]  # (N, K, 2) column, row of the balls that move at every step
    rng: NDArray[np.uint64]  # (N, 6) the episode's generator
    phase: NDArray[np.uint8]  # (N,) PLAYING, ENDED, CHOSEN, FRESH or UNSTARTED


class Slots(NamedTuple):
    """Where the slots' episodes come from; read and written by resets only."""

    stream: NDArray[np.uint64]  # (N, 6) generator of level numbers
    next_level: NDArray[np.int64]  # (N,) level to play next, -1 = draw one
    level: NDArray[np.int64]  # (N,) level being played
    layout: NDArray[np.uint64]  # (N,) hash of its start: looks of cells, what boxes hold, agent pose, what it carries
    num_objects: NDArray[np.int32]  # (N,) objects placed so far
    failed: NDArray[np.bool_]  # (N,) the level could not be made
    scratch: NDArray[np.int32]  # (N, S) room for level functions to work in


class Outcome(NamedTuple):
    """What a step returns beside the observation."""

    reward: NDArray[np.float64]  # (N,)
    terminated: NDArray[np.bool_]  # (N,)
    truncated: NDArray[np.bool_]  # (N,)
    success: NDArray[np.bool_]  # (N,) terminated, and rewarded for it


class Level(NamedTuple):
    """One row of a world as its level function sees it: views, written in place.

    At the start every cell is EMPTY, the agent is nowhere (x = y = -1, direction 0, heading NaN), all else is 0.
    """

    cells: NDArray[np.uint16]  # (height, width)
    agent: NDArray[np.int32]  # (3,)
    mission: NDArray[np.int32]  # (1,)
    target: NDArray[np.int32]  # (3,)
    num_objects: NDArray[np.int32]  # (1,)
    failed: NDArray[np.bool_]  # (1,) set by a helper whose rejection sampling found no place
    scratch: NDArray[np.int32]  # (S,) not cleared
    other_target: NDArray[np.int32]  # (2,)
    contents: NDArray[np.uint16]  # (C,)
    obstacles: NDArray[np.int32]  # (K, 2)
    carrying: NDArray[np.uint16]  # (1,)
    number: int  # of the level
    heading: NDArray[np.float32]  # (1,) rad; where a level draws one, the direction is the nearest to it


class Params(NamedTuple):
    """What every row of a batch shares."""

    view_size: int  # cells along a side of what the agent sees
    see_through_walls: bool
    max_steps: int
    objective: int
    action_repeat: int  # rule steps per step
    collisions: bool = False  # whether walking against something ends the episode
    actions: tuple[int, ...] = AS_THEY_ARE  # what each action is played as


@dataclass(frozen=True)
class Task:
    """A grid task: its level function and what the rules need to know. Tasks are data.

    Attributes:
        level: `level(rng, level, *args)`, a plain function that draws from the episode's generator and
            writes one world's row; see `visnav.envs.grid.building` for what it builds with.
        args: what is handed to it: integers, and tuples of integers, which arrive as 1-D int32 arrays.
        width, height: cells, at least 3.
        max_steps: steps until truncation.
        missions: every mission text of the task; the level writes the index of its own to `level.mission`.
        objective: what ends an episode beside goal, lava and time; the level writes what it speaks of to
            `level.target` (x, y, object) and `level.other_target` (x, y):
            REACH_GOAL: nothing else does.
            OPEN_DOOR: toggling, with which the door at target opens, succeeds.
            PICK_UP: picking up the object whose number is target[2] succeeds.
            GO_TO: `done` orthogonally beside target succeeds; `done` elsewhere and `toggle` fail.
            FETCH: carrying what looks like target[2] (`colored(KEY, RED)`) succeeds, carrying anything else fails.
            PUT_NEAR: dropping onto one of the nine cells around target succeeds. Any other drop fails, and so does
            picking up what does not look like target[2].
            REACH_CELL: standing at target succeeds, standing at other_target fails.
            OPEN_IN_ORDER: the door at target opens after that at other_target succeeds, before it fails.
            POINT_GOAL, OBJECT_GOAL: the agent drives (`visnav.envs.grid.motion`) to the middle of the cell at target,
            or of a free cell beside it; goal and lava squares do nothing, and lava is as solid as a wall.
        see_through_walls: whether walls and closed doors hide nothing.
        scratch: integers of working space that the level function needs.
        contents: object numbers, from 0, whose boxes may hold something; see `visnav.envs.grid.building.put_inside`.
        obstacles: balls that move at random at the start of every step; the level writes where they start to
            `level.obstacles`.
        collisions: whether walking against anything that stood in the way before obstacles moved, other than a goal,
            ends the episode with reward -1.
        actions: what each of the seven actions is played as. The action space ends with the last that is played as
            itself; those beyond it are taken too.
        success_distance: metres to the goal, geodesic, below which an agent that drives has succeeded.
        camera: the one that is used where none is asked for.
    """

    level: Callable[..., None]
    width: int
    height: int
    max_steps: int
    missions: tuple[str, ...]
    args: tuple[int | tuple[int, ...], ...] = ()
    objective: int = REACH_GOAL
    see_through_walls: bool = False
    scratch: int = field(default=1)
    contents: int = 0
    obstacles: int = 0
    collisions: bool = False
    actions: tuple[int, ...] = AS_THEY_ARE
    success_distance: float = 0.2
    camera: str = "tiles"

    def __post_init__(self) -> None:
        if self.width < 3 or self.height < 3:
            raise ValueError(f"a grid is at least 3 x 3 cells, got width={self.width}, height={self.height}")
        if not isinstance(self.max_steps, (int, np.integer)) or self.max_steps < 1:
            raise ValueError(f"max_steps is a whole number of at least 1, got {self.max_steps!r}")
        if not self.missions:
            raise ValueError("a task has at least one mission text")
        if len(self.actions) != len(ACTION_NAMES) or any(action not in AS_THEY_ARE for action in self.actions):
            raise ValueError(f"actions are {len(ACTION_NAMES)} of the numbers 0 to 6, got {self.actions!r}")
        if self.obstacles and (PICKUP in self.actions or TOGGLE in self.actions):
            raise ValueError("obstacles cannot be taken away: play pickup and toggle as something else in actions")

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the actions of the action space."""
        return ACTION_NAMES[: 1 + max((k for k in AS_THEY_ARE if self.actions[k] == k), default=0)]

    @property
    def continuous(self) -> bool:
        """Whether the agent drives in metres and radians."""
        return self.objective in CONTINUOUS


def make_world(num_envs: int, task: Task) -> World:
    """N empty rows."""
    return World(
        cells=np.full((num_envs, task.height, task.width), EMPTY, np.uint16),
        agent=np.zeros((num_envs, 3), np.int32),
        pose=np.zeros((num_envs, 3), np.float32),
        carrying=np.zeros(num_envs, np.uint16),
        step_count=np.zeros(num_envs, np.int32),
        mission=np.zeros(num_envs, np.int32),
        target=np.zeros((num_envs, 3), np.int32),
        other_target=np.zeros((num_envs, 2), np.int32),
        contents=np.zeros((num_envs, task.contents), np.uint16),
        obstacles=np.zeros((num_envs, task.obstacles, 2), np.int32),
        rng=np.zeros((num_envs, WORDS), np.uint64),
        phase=np.full(num_envs, UNSTARTED, np.uint8),
    )


def make_slots(num_envs: int, task: Task) -> Slots:
    """N rows that have played nothing."""
    return Slots(
        stream=np.zeros((num_envs, WORDS), np.uint64),
        next_level=np.full(num_envs, -1, np.int64),
        level=np.full(num_envs, -1, np.int64),
        layout=np.zeros(num_envs, np.uint64),
        num_objects=np.zeros(num_envs, np.int32),
        failed=np.zeros(num_envs, np.bool_),
        scratch=np.zeros((num_envs, task.scratch), np.int32),
    )


def make_outcome(num_envs: int) -> Outcome:
    """N rows of nothing happened."""
    return Outcome(np.zeros(num_envs, np.float64), *(np.zeros(num_envs, np.bool_) for _ in range(3)))


_I32 = types.Array(types.int32, 1, "C")
_LEVEL_TYPE = types.NamedTuple(
    (
        types.Array(types.uint16, 2, "C"),
        *(_I32, _I32, _I32, _I32),
        types.Array(types.boolean, 1, "C"),
        *(_I32, _I32),
        types.Array(types.uint16, 1, "C"),
        types.Array(types.int32, 2, "C"),
        types.Array(types.uint16, 1, "C"),
        types.int64,
        types.Array(types.float32, 1, "C"),
    ),
    Level,
)


def level_arguments(task: Task) -> tuple[int | NDArray[np.int32], ...]:
    """The task's `args` as its level function receives them."""
    return tuple(np.array(arg, np.int32) if isinstance(arg, tuple) else int(arg) for arg in task.args)


def level_signature(args: tuple[int | NDArray[np.int32], ...]) -> object:
    """The Numba signature of a level function that takes these arguments."""
    given = [types.int64 if isinstance(arg, int) else _I32 for arg in args]
    return types.void(types.Array(types.uint64, 1, "C"), _LEVEL_TYPE, *given)


@jit
def kind_of(cell):  # type: ignore[no-untyped-def]
    """EMPTY, WALL_KIND, … of a cell."""
    return cell & 15


@jit
def color_of(cell):  # type: ignore[no-untyped-def]
    """RED, GREEN, … of a cell."""
    return (cell >> 4) & 7


@jit
def whole(value):  # type: ignore[no-untyped-def]
    """The largest integer that is not above a number, such as the column of a place; CUDA's math.floor is a float."""
    return np.int64(math.floor(value))
