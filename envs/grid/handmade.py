"""Levels by hand: what a drawing (`visnav.envs.grid.drawing`) means in a task, checked, and played by its rules."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.grid.building import MAX_OBJECTS
from visnav.envs.grid.drawing import CELLS, DOORS, FACTS, FIXED, MOVABLE, STANDING, Draft, Thing, read_draft, read_thing
from visnav.envs.grid.missions import words_of
from visnav.envs.grid.world import (
    BALL,
    COLOR_NAMES,
    DX,
    DY,
    EMPTY,
    FETCH,
    GO_TO,
    GOAL_KIND,
    LOOK,
    OBJECT_GOAL,
    OPEN_DOOR,
    OPEN_IN_ORDER,
    PICK_UP,
    POINT_GOAL,
    PUT_NEAR,
    REACH_CELL,
    WALL_KIND,
    Task,
)

MIN_SIDE, MAX_SIDE = 3, 256  # cells

_DOOR_KINDS, _MOVABLE_KINDS = tuple(DOORS.values()), tuple(MOVABLE.values())
_NOUNS = {**dict.fromkeys(_DOOR_KINDS, "door"), **{kind: noun for noun, kind in MOVABLE.items()}}  # of objects, by kind


class _Aim(NamedTuple):
    """A cell that an objective speaks of: `fact` names it, or it is the object that the mission names."""

    fact: str
    kinds: tuple[int, ...]  # of what can be there; () = anything, also nothing, where `fact` names it
    named: int = 0  # how many things the mission names before it


_AIMS = {
    OPEN_DOOR: (_Aim("target", _DOOR_KINDS),),
    PICK_UP: (_Aim("target", _MOVABLE_KINDS),),
    GO_TO: (_Aim("target", ()),),
    FETCH: (_Aim("target", _MOVABLE_KINDS),),
    PUT_NEAR: (_Aim("target", (), 1),),
    REACH_CELL: (_Aim("target", ()), _Aim("other_target", ())),
    OPEN_IN_ORDER: (_Aim("target", _DOOR_KINDS, 1), _Aim("other_target", _DOOR_KINDS)),
    POINT_GOAL: (_Aim("target", (GOAL_KIND,)),),
    OBJECT_GOAL: (_Aim("target", _MOVABLE_KINDS),),
}


class Layout(NamedTuple):
    """One level as it was drawn; objects are numbered from 1, as they come by rows."""

    cells: NDArray[np.uint16]  # (height, width)
    agent: tuple[int, int, int]  # column, row, direction
    heading: float  # rad, clockwise from the right; NaN = as the direction says
    mission: int  # index into the task's missions
    target: tuple[int, int, int]  # as in `World`
    other_target: tuple[int, int]
    carrying: int  # cell in hand, 0 = none
    contents: dict[int, int]  # object number of a box -> the cell in it
    obstacles: list[tuple[int, int]]  # column, row of the balls that move
    num_objects: int


class _Counter:
    """Numbers objects as they come, and keeps what is in boxes."""

    def __init__(self) -> None:
        self.num_objects = 0
        self.contents: dict[int, int] = {}

    def number(self, thing: Thing, place: str) -> int:
        """The thing's cell with its object number; what it holds is numbered too."""
        inside = [cell for cell in (thing.cell, *thing.contents) if cell & 15 in _NOUNS or cell & 15 == GOAL_KIND]
        first = self.num_objects + 1
        self.num_objects += len(inside)
        if self.num_objects > MAX_OBJECTS:
            raise ValueError(f"{place}: more than {MAX_OBJECTS} doors, keys, balls, boxes and goals")
        for number, cell in enumerate(thing.contents, first):
            self.contents[number] = cell | number + 1 << 8
        return thing.cell | first << 8 if inside else thing.cell


# --- understanding ------------------------------------------------------------------------------------------


def read_layout(source: str | os.PathLike[str] | Mapping[str, Any], task: Task, title: str = "layout") -> Layout:
    """A level for `task` from text, JSON, a file of either, or a dict; for `source` and `title` see `read_draft`.

    Raises:
        ValueError: it is no level, or none of this task; the message names line and column, and what is allowed.
        OSError: the file cannot be read.
    """
    draft = read_draft(source, title)
    _check_shape(draft)
    meanings = _meanings(draft.legend)
    cells = np.full((len(draft.rows), len(draft.rows[0])), EMPTY, np.uint16)
    agent: tuple[int, int, int] | None = None
    counter = _Counter()
    for y, row in enumerate(draft.rows):
        for x, symbol in enumerate(row):
            if symbol not in meanings:
                raise ValueError(f"{draft.place(y, x)}: {_unknown_symbol(symbol, draft.legend)}")
            thing = meanings[symbol]
            cells[y, x] = counter.number(thing, draft.place(y, x))
            if thing.direction >= 0 and agent is not None:
                raise ValueError(
                    f"{draft.place(y, x)}: a second agent; the first is at {draft.place(agent[1], agent[0])}"
                )
            if thing.direction >= 0:
                agent = x, y, thing.direction
    if agent is None:
        raise ValueError(f"{draft.title}: there is no agent; draw one as > v < or ^, which is where it looks")
    _check_enclosed(draft, cells, agent, task)
    carrying = _carrying(draft, counter)
    mission = _mission(draft, task)
    target, other_target = _targets(draft, cells, carrying, task.objective, task.missions[mission])
    if task.continuous:
        _check_reachable(draft, cells, agent, target)
    heading, obstacles = _heading(draft, agent[2], task), _obstacles(draft, cells, task)
    return Layout(
        cells, agent, heading, mission, target, other_target, carrying, counter.contents, obstacles, counter.num_objects
    )


def _check_shape(draft: Draft) -> None:
    """Rows of one length, neither too few nor too many."""
    if not draft.rows:
        raise ValueError(f"{draft.title}: there are no rows of cells, such as '#>.G#'")
    width = len(draft.rows[0])
    for y, row in enumerate(draft.rows):
        if len(row) != width:
            raise ValueError(
                f"{draft.place(y, min(len(row), width))}: this row has {len(row)} cells, the first one has {width}; "
                "all have as many"
            )
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= len(draft.rows) <= MAX_SIDE):
        raise ValueError(
            f"{draft.title}: a grid is {MIN_SIDE} to {MAX_SIDE} cells wide and high; "
            f"this one has {len(draft.rows)} rows of {width} cells"
        )


def _meanings(legend: dict[str, tuple[str, str]]) -> dict[str, Thing]:
    """Character -> what it stands for."""
    meanings = {symbol: read_thing(name, symbol) for symbol, name in FIXED.items()}
    for symbol, (name, place) in legend.items():
        if len(symbol) != 1 or symbol.isspace() or symbol == "=":
            raise ValueError(
                f"{place}: {symbol!r} is defined, but a definition is of one character, or of {', '.join(FACTS)}"
            )
        if symbol in FIXED:
            raise ValueError(f"{place}: {symbol!r} always is {FIXED[symbol]}; take another character")
        meanings[symbol] = read_thing(name, place)
    return meanings


def _unknown_symbol(symbol: str, legend: Iterable[str]) -> str:
    """What to say about a character of the grid that means nothing."""
    known = ", ".join(f"{known} {name}" for known, name in FIXED.items())
    defined = f", and as defined here {' '.join(legend)}" if legend else ""
    if symbol == " ":
        return "a blank; an empty cell is a dot"
    return (
        f"unknown character {symbol!r}; known are {known}{defined}. Define it in a line of its own, such as "
        f"'{symbol} = yellow key'"
    )


def _check_enclosed(draft: Draft, cells: NDArray[np.uint16], agent: tuple[int, int, int], task: Task) -> None:
    """The agent must not come to the edge of the grid, doors apart. Where toggling ends the episode no door opens."""
    barriers = (WALL_KIND, *_DOOR_KINDS) if task.objective == GO_TO else (WALL_KIND,)
    rows, columns = cells.shape
    for y, x in np.argwhere(_reached(~np.isin(cells & 15, barriers), agent)).tolist():
        on_edge = x in (0, columns - 1) or y in (0, rows - 1)
        if on_edge and cells[y, x] & 15 not in _DOOR_KINDS:
            raise ValueError(
                f"{draft.place(y, x)}: the agent could come here and leave the grid; "
                "close its edge with walls (#) or doors"
            )


def _check_reachable(
    draft: Draft, cells: NDArray[np.uint16], agent: tuple[int, int, int], target: tuple[int, int, int]
) -> None:
    """Where the agent drives, nothing opens or is carried away: it must get to the target, or beside it, as it is."""
    x, y, _ = target
    reached = _reached(np.isin(cells & 15, STANDING), agent)
    if not (reached[y, x] or any(reached[y + dy, x + dx] for dx, dy in zip(DX, DY, strict=True))):
        raise ValueError(f"{draft.place(y, x)}: there is no way from the agent to this target")


def _reached(passable: NDArray[np.bool_], agent: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Which cells can be walked to from the agent's, through passable ones."""
    rows, columns = passable.shape
    reached = np.zeros_like(passable)
    reached[agent[1], agent[0]] = True
    waiting = [agent[:2]]
    while waiting:
        x, y = waiting.pop()
        for dx, dy in zip(DX, DY, strict=True):
            i, j = x + dx, y + dy
            if 0 <= i < columns and 0 <= j < rows and passable[j, i] and not reached[j, i]:
                reached[j, i] = True
                waiting.append((i, j))
    return reached


def _mission(draft: Draft, task: Task) -> int:
    """Index of the mission."""
    text, place = draft.facts.get("mission", ("", draft.title))
    if "mission" in draft.facts and text in task.missions:
        return task.missions.index(text)
    if "mission" not in draft.facts and len(task.missions) == 1:
        return 0
    near = difflib.get_close_matches(text, task.missions, n=3, cutoff=0.0)
    more = f" and {len(task.missions) - len(near)} more" if len(task.missions) > len(near) else ""
    listed = ", ".join(map(repr, near)) + more
    if "mission" in draft.facts:
        raise ValueError(f"{place}: unknown mission {text!r}; this task has {listed}")
    raise ValueError(f"{place}: this task has several missions; add a line 'mission = ...' with one of {listed}")


def _carrying(draft: Draft, counter: _Counter) -> int:
    """The cell in hand, 0 for nothing."""
    if "carrying" not in draft.facts:
        return 0
    name, place = draft.facts["carrying"]
    thing = read_thing(name, place)
    if thing.direction >= 0 or thing.cell & 15 not in _MOVABLE_KINDS:
        raise ValueError(f"{place}: an agent carries a key, a ball or a box, not {name!r}")
    return counter.number(thing, place)


def _heading(draft: Draft, direction: int, task: Task) -> float:
    """Where a driving agent looks, NaN where the arrow says all."""
    if "heading" not in draft.facts:
        return math.nan
    text, place = draft.facts["heading"]
    if not task.continuous:
        raise ValueError(f"{place}: the agents of this task look in the four directions of > v < ^; remove this line")
    try:
        heading = float(text)
    except ValueError:
        heading = math.nan
    if not 0 <= heading < 2 * math.pi:
        raise ValueError(f"{place}: heading is an angle in radians, from 0 up to 2 pi; got {text!r}")
    if round(heading / (math.pi / 2)) % 4 != direction:
        raise ValueError(f"{place}: the agent is drawn as {'>v<^'[direction]}, which is not the nearest to {text} rad")
    return heading


def _obstacles(draft: Draft, cells: NDArray[np.uint16], task: Task) -> list[tuple[int, int]]:
    """Column and row of every ball, in a task whose balls move."""
    if not task.obstacles:
        return []
    balls = [(x, y) for y, x in np.argwhere(cells & 15 == BALL).tolist()]
    if not balls:
        raise ValueError(f"{draft.title}: there is no ball, and this task is about balls that move; define one")
    return balls


def _targets(
    draft: Draft, cells: NDArray[np.uint16], carrying: int, objective: int, mission: str
) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """`World.target` and `World.other_target`: zeros where the objective does not speak of them."""
    aims = _AIMS.get(objective, ())
    for fact in ("target", "other_target"):
        if fact in draft.facts and fact not in [aim.fact for aim in aims]:
            raise ValueError(f"{draft.facts[fact][1]}: the objective of this task has no {fact}; remove this line")
    if "goal" in words_of(mission) and not (cells & 15 == GOAL_KIND).any():
        raise ValueError(f"{draft.title}: there is no goal (G), and the mission is {mission!r}")
    if not aims:
        return (0, 0, 0), (0, 0)
    named = [f"{color} {noun}" for color, noun in pairwise(words_of(mission)) if _is_name(color, noun)]
    found = {aim.fact: _aimed_at(draft, cells, aim, named, mission, objective == FETCH) for aim in aims}
    x, y = found["target"]
    spoken_of = int(cells[y, x]) >> 8
    if objective == FETCH:
        spoken_of = int(cells[y, x]) & LOOK
    elif objective == PUT_NEAR:
        spoken_of = _moved(draft, cells, carrying, named, mission)
    return (x, y, spoken_of), found.get("other_target", (0, 0))


def _is_name(color: str, noun: str) -> bool:
    return color in COLOR_NAMES and noun in _NOUNS.values()


def _moved(draft: Draft, cells: NDArray[np.uint16], carrying: int, named: list[str], mission: str) -> int:
    """The look of what is to be put near the target: the first thing that the mission names."""
    look = CELLS.get(named[0], 0) if named else 0
    if not look or not ((cells & LOOK == look).any() or carrying & LOOK == look):
        raise ValueError(f"{draft.title}: there is nothing to be moved, and the mission is {mission!r}")
    return look


def _aimed_at(
    draft: Draft, cells: NDArray[np.uint16], aim: _Aim, named: list[str], mission: str, alike: bool
) -> tuple[int, int]:
    """Column and row of what an aim means; where `alike`, of any that looks so."""
    name = named[aim.named] if aim.named < len(named) else ""
    fitting = [
        (x, y)
        for y, x in np.argwhere(np.isin(cells & 15, aim.kinds or tuple(_NOUNS))).tolist()
        if name in ("", f"{COLOR_NAMES[cells[y, x] >> 4 & 7]} {_NOUNS.get(cells[y, x] & 15)}")
    ]
    symbol, place = draft.facts.get(aim.fact, ("", draft.title))
    everywhere = [(x, y) for y, row in enumerate(draft.rows) for x in range(len(row))]
    chosen = fitting if aim.kinds or not symbol else everywhere
    chosen = [(x, y) for x, y in chosen if symbol in ("", draft.rows[y][x])]
    if len(chosen) == 1 or (alike and len({int(cells[y, x]) & LOOK for x, y in chosen}) == 1):
        return chosen[0]
    listed = ", ".join(f"{draft.rows[y][x]!r} at {draft.place(y, x)}" for x, y in fitting[:5]) or "nothing"
    what = f"{symbol!r} names {len(chosen)}" if symbol else f"no line '{aim.fact} = ...' says which"
    raise ValueError(f"{place}: one {aim.fact} is needed for {mission!r}; {listed} would fit, and {what}")


# --- playing ------------------------------------------------------------------------------------------------

_HEADER = 12  # integers of a layout before contents, obstacles and cells
_TINY = 1e-6  # rad of a unit of heading


def by_hand(rng, level, count, table):  # type: ignore[no-untyped-def]
    """Level k is layout k modulo `count`; `table` holds them one after another, as `_packed` does."""
    rows, columns = level.cells.shape
    boxes, balls = level.contents.shape[0], level.obstacles.shape[0]
    start = level.number % count * (_HEADER + boxes + 2 * balls + rows * columns)
    for k in range(3):
        level.agent[k] = table[start + k]
        level.target[k] = table[start + 3 + k]
    for k in range(2):
        level.other_target[k] = table[start + 6 + k]
    level.mission[0] = table[start + 8]
    level.carrying[0] = table[start + 9]
    level.num_objects[0] = table[start + 10]
    if table[start + 11] >= 0:
        level.heading[0] = table[start + 11] * _TINY
    start += _HEADER
    for k in range(boxes):
        level.contents[k] = table[start + k]
    start += boxes
    for k in range(balls):
        level.obstacles[k, 0] = table[start + 2 * k]
        level.obstacles[k, 1] = table[start + 2 * k + 1]
    start += 2 * balls
    for y in range(rows):
        for x in range(columns):
            level.cells[y, x] = table[start + y * columns + x]


def _packed(layout: Layout, num_contents: int) -> tuple[int, ...]:
    """A layout as integers: agent, targets, mission, carrying, number of objects, heading (-1 = none), the tables."""
    heading = -1 if math.isnan(layout.heading) else round(layout.heading / _TINY)
    aims = (*layout.target, *layout.other_target)
    facts = (*layout.agent, *aims, layout.mission, layout.carrying, layout.num_objects, heading)
    contents = [layout.contents.get(number, 0) for number in range(num_contents)]
    obstacles = [number for position in layout.obstacles for number in position]
    return (*facts, *contents, *obstacles, *layout.cells.ravel().tolist())


def handmade_task(task: Task, layout: Any) -> Task:
    """`task` with levels by hand instead of its own: level k is layout k modulo their number.

    Args:
        layout: what `read_layout` takes, or a list of these, all of one size.

    Raises:
        ValueError, OSError: as `read_layout`; or there is no layout, or they cannot be played together.
    """
    sources = layout if isinstance(layout, (list, tuple)) else [layout]
    if not sources:
        raise ValueError("layout is an empty list; give a text, a path, a dict, or a list of them")
    titles = [f"layout {k}" if len(sources) > 1 else "layout" for k in range(len(sources))]
    layouts = [read_layout(source, task, title) for source, title in zip(sources, titles, strict=True)]
    (height, width), num_obstacles = layouts[0].cells.shape, len(layouts[0].obstacles)
    for k, other in enumerate(layouts):
        if other.cells.shape != (height, width):
            raise ValueError(
                f"layouts played together have one size; layout 0 has {height} rows of {width} cells, "
                f"layout {k} has {other.cells.shape[0]} of {other.cells.shape[1]}"
            )
        if len(other.obstacles) != num_obstacles:
            raise ValueError(
                f"layouts played together have as many balls that move; layout 0 has {num_obstacles}, "
                f"layout {k} has {len(other.obstacles)}"
            )
    num_contents = max((number + 1 for other in layouts for number in other.contents), default=0)
    return replace(
        task,
        level=by_hand,
        args=(len(layouts), tuple(number for other in layouts for number in _packed(other, num_contents))),
        width=width,
        height=height,
        scratch=1,
        contents=num_contents,
        obstacles=num_obstacles,
    )
