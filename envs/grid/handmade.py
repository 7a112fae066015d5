"""Levels by hand, for any grid task: drawn in text, one character a cell, or in JSON, and read at run time.

    #########
    #>..#...#
    #...D...#
    #.k.#..G#
    #########

    D = locked yellow door
    k = yellow key

Fixed characters: `#` wall, `.` empty, `G` goal, `~` lava, and `>` `v` `<` `^` the agent and where it looks. A line
`character = thing` defines any other; the things are those of `THINGS`, and for an agent that stands on something
`agent up on open red door`. Three more lines say what a drawing cannot:

    mission = pick up the red ball      one of the task's own; needed where it has several
    target = b                          a character that is drawn once: what the objective speaks of; needed where
                                        the mission does not single it out
    carrying = yellow key               what the agent has in hand at the start

JSON says the same: {"rows": ["#####", …], "legend": {"k": "yellow key"}, "mission": …, "target": …, "carrying": …}.
The task gives the rest: rules, objective, missions, step limit.
"""

from __future__ import annotations

import difflib
import json
import os
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from visnav.envs.checks import unknown_name
from visnav.envs.grid.missions import words_of
from visnav.envs.grid.world import (
    BALL,
    BOX,
    COLOR_NAMES,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    DX,
    DY,
    EMPTY,
    FLOOR_KIND,
    GO_TO,
    GOAL,
    GOAL_KIND,
    KEY,
    LAVA,
    LAVA_KIND,
    LOOK,
    OBJECT_GOAL,
    OPEN_DOOR,
    PICK_UP,
    POINT_GOAL,
    UNSTARTED,
    WALL,
    WALL_KIND,
    Task,
)

MAX_BYTES = 2**20  # of a file
MIN_SIDE, MAX_SIDE = 3, 256  # cells
MAX_OBJECTS = 254  # object numbers have eight bits, and one is for what is carried

DIRECTIONS = ("right", "down", "left", "up")  # by number
_DOORS = {"open": DOOR_OPEN, "closed": DOOR_CLOSED, "locked": DOOR_LOCKED}
_MOVABLE = {"key": KEY, "ball": BALL, "box": BOX}

THINGS: dict[str, int] = {"empty": EMPTY, "wall": WALL, "goal": GOAL, "lava": LAVA}  # name -> cell
for _number, _color in enumerate(COLOR_NAMES):
    for _name, _kind in {"floor": FLOOR_KIND, **_MOVABLE}.items():
        THINGS[f"{_color} {_name}"] = _kind | _number << 4
    for _state, _kind in _DOORS.items():
        THINGS[f"{_state} {_color} door"] = _kind | _number << 4
_NAMES = {cell: name for name, cell in THINGS.items()}

FIXED = {"#": "wall", ".": "empty", "G": "goal", "~": "lava"}  # character -> thing
FIXED |= {symbol: f"agent {direction}" for symbol, direction in zip(">v<^", DIRECTIONS, strict=True)}
FACTS = ("mission", "target", "carrying")

_SYMBOLS = {"door": "Dd", "key": "kK", "ball": "oO", "box": "bB", "floor": ",_", "agent": "@"}  # that to_text uses
_WALKABLE = (EMPTY, FLOOR_KIND, GOAL_KIND, LAVA_KIND, DOOR_OPEN)
_OBJECTS = {**{kind: "door" for kind in _DOORS.values()}, **{kind: name for name, kind in _MOVABLE.items()}}
_TARGETS = {  # kinds that the target of an objective can be
    OPEN_DOOR: tuple(_DOORS.values()),
    PICK_UP: tuple(_MOVABLE.values()),
    GO_TO: tuple(_OBJECTS),
    POINT_GOAL: (GOAL_KIND,),
    OBJECT_GOAL: tuple(_MOVABLE.values()),
}


class Layout(NamedTuple):
    """One level as it was drawn."""

    cells: NDArray[np.uint16]  # (height, width), objects numbered from 1 by rows
    agent: tuple[int, int, int]  # column, row, direction
    mission: int  # index into the task's missions
    target: tuple[int, int, int]  # column, row, object number that the objective speaks of
    carrying: int  # cell in hand, 0 = none


class _Draft(NamedTuple):
    """A drawing whose characters are not understood yet; places are words for errors, such as "line 3"."""

    title: str
    rows: list[str]
    place: Callable[[int, int], str]  # of the cell in a row and a column, both counted from 0
    legend: dict[str, tuple[str, str]]  # character -> thing and the place of its definition
    facts: dict[str, tuple[str, str]]  # "mission", "target", "carrying" -> text and place


# --- reading ------------------------------------------------------------------------------------------------


def read_layout(source: str | os.PathLike[str] | Mapping[str, Any], task: Task, title: str = "layout") -> Layout:
    """A level for `task` from text, JSON text, a file of either (UTF-8, MAX_BYTES at most), or JSON as a dict.

    Args:
        source: a str of several lines is text, one of a single line is the path of a file, unless it starts with {.
        title: what errors call it, unless it is a file.

    Raises:
        ValueError: it is no level, or none of this task; the message names line and column, and what is allowed.
        OSError: the file cannot be read.
    """
    if isinstance(source, Mapping):
        return _understood(_draft_of_json(dict(source), title), task)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(f"{title} is text, a path, or a dict; got {type(source).__name__}")
    text = source
    if not isinstance(text, str) or ("\n" not in text and not text.lstrip().startswith("{")):
        title = str(os.fspath(text))
        text = _read_file(Path(title))
    if not text.lstrip().startswith("{"):
        return _understood(_draft_of_text(text, title), task)
    try:
        document = json.loads(text, object_pairs_hook=_object_without_repeats)
    except json.JSONDecodeError as error:
        raise ValueError(f"{title}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{title}: {error}") from error
    return _understood(_draft_of_json(document, title), task)


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"there is no file {str(path)!r}; a layout is a path, a text of several lines, or a dict"
        ) from error
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path}: a layout has at most {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: not UTF-8 text (byte {error.start})") from error


def _draft_of_text(text: str, title: str) -> _Draft:
    """Lines with `=` are definitions, the others are rows, which stand together."""
    rows: list[str] = []
    indents: list[int] = []
    first = last = 0  # numbers of the lines of the first and the last row
    entries: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{title}, line {number}"
        row = line.strip()
        if "=" in row:
            name, _, value = (part.strip() for part in row.partition("="))
            if name in entries:
                raise ValueError(f"{place}: {name!r} is defined again, after {entries[name][1]}")
            entries[name] = value, place
        elif row:
            if rows and number != last + 1:
                raise ValueError(
                    f"{place}: {row!r} is neither a definition, such as 'k = yellow key', "
                    f"nor next to the rows above it (lines {first} to {last})"
                )
            first, last = first or number, number
            rows.append(row)
            indents.append(len(line) - len(line.lstrip()))
    legend = {name: entry for name, entry in entries.items() if name not in FACTS}
    facts = {name: entry for name, entry in entries.items() if name in FACTS}
    return _Draft(title, rows, lambda y, x: f"{title}, line {first + y}, column {indents[y] + x + 1}", legend, facts)


def _draft_of_json(document: Any, title: str) -> _Draft:
    """The same from {"rows": […], "legend": {…}, "mission": …, "target": …, "carrying": …}."""
    if not isinstance(document, dict):
        raise ValueError(f"{title} is an object with rows and legend; got {type(document).__name__}")
    for name in document:
        if name not in ("rows", "legend", *FACTS):
            raise ValueError(f"{title}: {unknown_name('key', name, ('rows', 'legend', *FACTS))}")
    rows, legend = document.get("rows"), document.get("legend", {})
    if not isinstance(rows, (list, tuple)):
        raise ValueError(f'{title}: "rows" is a list of strings, one a row of cells; got {rows!r}')
    if not isinstance(legend, dict):
        raise ValueError(f'{title}: "legend" is an object, such as {{"k": "yellow key"}}; got {legend!r}')
    facts = {name: document[name] for name in FACTS if document.get(name) is not None}
    texts = [(f"row {y + 1}", row) for y, row in enumerate(rows)]
    texts += [(f"legend {symbol!r}", thing) for symbol, thing in legend.items()]
    texts += list(facts.items())
    for place, text in texts:
        if not isinstance(text, str):
            raise ValueError(f"{title}, {place}: a string is needed; got {text!r}")
    return _Draft(
        title,
        list(rows),
        lambda y, x: f"{title}, row {y + 1}, column {x + 1}",
        {str(symbol): (thing, f"{title}, legend {symbol!r}") for symbol, thing in legend.items()},
        {name: (text, f"{title}, {name}") for name, text in facts.items()},
    )


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What json.loads makes of an object; it would keep the last of equal keys only."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the key {name!r} is there twice")
    return dict(pairs)


# --- understanding ------------------------------------------------------------------------------------------


def _understood(draft: _Draft, task: Task) -> Layout:
    """The layout of a draft, checked."""
    _check_shape(draft)
    meanings = _meanings(draft.legend)
    cells = np.full((len(draft.rows), len(draft.rows[0])), EMPTY, np.uint16)
    agent: tuple[int, int, int] | None = None
    num_objects = 0
    for y, row in enumerate(draft.rows):
        for x, symbol in enumerate(row):
            if symbol not in meanings:
                raise ValueError(f"{draft.place(y, x)}: {_unknown_symbol(symbol, draft.legend)}")
            cell, direction = meanings[symbol]
            if direction >= 0 and agent is not None:
                raise ValueError(
                    f"{draft.place(y, x)}: a second agent; the first is at {draft.place(agent[1], agent[0])}"
                )
            if direction >= 0:
                agent = x, y, direction
            if cell & 15 in _OBJECTS or cell == GOAL:
                num_objects += 1
                cell |= num_objects << 8
            if num_objects > MAX_OBJECTS:
                raise ValueError(f"{draft.place(y, x)}: more than {MAX_OBJECTS} doors, keys, balls, boxes and goals")
            cells[y, x] = cell & 0xFFFF
    if agent is None:
        raise ValueError(f"{draft.title}: there is no agent; draw one as > v < or ^, which is where it looks")
    _check_enclosed(draft, cells, agent, task)
    mission = _mission(draft, task)
    target = _target(draft, cells, task.objective, task.missions[mission])
    return Layout(cells, agent, mission, target, _carrying(draft, num_objects + 1))


def _check_shape(draft: _Draft) -> None:
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


def _meanings(legend: dict[str, tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Character -> cell, and the direction of the agent there or -1."""
    meanings = {symbol: _thing(name, "") for symbol, name in FIXED.items()}
    for symbol, (name, place) in legend.items():
        if len(symbol) != 1 or symbol.isspace() or symbol == "=":
            raise ValueError(
                f"{place}: {symbol!r} is defined, but a definition is of one character, or of {', '.join(FACTS)}"
            )
        if symbol in FIXED:
            raise ValueError(f"{place}: {symbol!r} always is {FIXED[symbol]}; take another character")
        meanings[symbol] = _thing(name, place)
    return meanings


def _thing(text: str, place: str) -> tuple[int, int]:
    """The cell that a name stands for, and the direction of the agent on it or -1."""
    name, direction = " ".join(text.lower().split()), -1
    if name.split(" ")[0] == "agent":
        looks, _, under = name.removeprefix("agent").strip().partition(" on ")
        if looks not in DIRECTIONS:
            raise ValueError(f"{place}: {name!r} does not say where the agent looks: agent {', '.join(DIRECTIONS)}")
        name, direction = under or "empty", DIRECTIONS.index(looks)
    if name not in THINGS:
        near = difflib.get_close_matches(name, THINGS, n=2)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
        raise ValueError(
            f"{place}: unknown thing {name!r}{hint} Things are empty, wall, goal, lava; COLOR floor, key, ball, box; "
            f"open, closed, locked COLOR door; agent {', '.join(DIRECTIONS)}, and with `on` what it stands on. "
            f"COLOR is {', '.join(COLOR_NAMES)}"
        )
    cell = THINGS[name]
    if direction >= 0 and cell & 15 not in _WALKABLE:
        raise ValueError(
            f"{place}: an agent cannot stand on {name!r}, but on floor, goal, lava, an open door or an empty cell"
        )
    return cell, direction


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


def _check_enclosed(draft: _Draft, cells: NDArray[np.uint16], agent: tuple[int, int, int], task: Task) -> None:
    """The agent must not come to the edge of the grid, doors apart. Where toggling ends the episode no door opens."""
    doors = tuple(_DOORS.values())
    barriers = (WALL_KIND, *doors) if task.objective == GO_TO else (WALL_KIND,)
    rows, columns = cells.shape
    reached = np.zeros(cells.shape, np.bool_)
    reached[agent[1], agent[0]] = True
    waiting = [agent[:2]]
    while waiting:
        x, y = waiting.pop()
        on_edge = x in (0, columns - 1) or y in (0, rows - 1)
        if on_edge and cells[y, x] & 15 not in doors:
            raise ValueError(
                f"{draft.place(y, x)}: the agent could come here and leave the grid; "
                "close its edge with walls (#) or doors"
            )
        for dx, dy in zip(DX, DY, strict=True):
            i, j = x + dx, y + dy
            if 0 <= i < columns and 0 <= j < rows and not reached[j, i] and cells[j, i] & 15 not in barriers:
                reached[j, i] = True
                waiting.append((i, j))


def _mission(draft: _Draft, task: Task) -> int:
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


def _carrying(draft: _Draft, number: int) -> int:
    """The cell in hand, which gets this object number; 0 for nothing."""
    if "carrying" not in draft.facts:
        return 0
    name, place = draft.facts["carrying"]
    cell, _ = _thing(name, place)
    if cell & 15 not in _MOVABLE.values():
        raise ValueError(f"{place}: an agent carries a key, a ball or a box, not {name!r}")
    return cell | number << 8


def _target(draft: _Draft, cells: NDArray[np.uint16], objective: int, mission: str) -> tuple[int, int, int]:
    """Column, row and object number of what the objective speaks of; zeros where it speaks of goals."""
    name, place = draft.facts.get("target", ("", draft.title))
    words = set(words_of(mission))
    if objective not in _TARGETS:
        if "target" in draft.facts:
            raise ValueError(f"{place}: the objective of this task has no target; remove this line")
        if "goal" in words and not (cells & 15 == GOAL_KIND).any():
            raise ValueError(f"{draft.title}: there is no goal (G), and the mission is {mission!r}")
        return 0, 0, 0
    fitting = [(x, y) for y, x in np.argwhere(cells).tolist() if _fits(int(cells[y, x]), objective, words)]
    drawn = [(x, y) for x, y in fitting if name in ("", draft.rows[y][x])]
    if len(drawn) == 1:
        x, y = drawn[0]
        return x, y, int(cells[y, x]) >> 8
    listed = ", ".join(f"{draft.rows[y][x]!r} at {draft.place(y, x)}" for x, y in fitting[:5]) or "nothing here"
    what = f"{name!r} names {len(drawn)} of them" if "target" in draft.facts else "no line 'target = ...' says which"
    raise ValueError(f"{place}: one target is needed that fits {mission!r}: {listed} fits, and {what}")


def _fits(cell: int, objective: int, words: set[str]) -> bool:
    """Whether an objective can be about this cell, and a mission of these words does not speak of another."""
    kind, color = cell & 15, COLOR_NAMES[cell >> 4 & 7]
    if kind not in _TARGETS[objective]:
        return False
    spoken_of = ((_OBJECTS.get(kind, "goal"), set(_OBJECTS.values())), (color, set(COLOR_NAMES)))
    return all(word in words or not words & others for word, others in spoken_of)


# --- playing ------------------------------------------------------------------------------------------------


def by_hand(rng, level, count, table):  # type: ignore[no-untyped-def]
    """Level k is layout k modulo `count`; `table` holds them one after another, as `_packed` does."""
    rows, columns = level.cells.shape
    start = level.number % count * (_HEADER + rows * columns)
    for k in range(3):
        level.agent[k] = table[start + k]
        level.target[k] = table[start + 3 + k]
    level.mission[0] = table[start + 6]
    level.carrying[0] = table[start + 7]
    for y in range(rows):
        for x in range(columns):
            cell = table[start + _HEADER + y * columns + x]
            level.cells[y, x] = cell
            if cell >> 8 > level.num_objects[0]:
                level.num_objects[0] = cell >> 8
    if level.carrying[0] != 0:
        level.num_objects[0] += 1


_HEADER = 8  # integers of a layout before its cells


def _packed(layout: Layout) -> tuple[int, ...]:
    """A layout as integers: agent, target, mission, carrying, cells by rows."""
    header = (*layout.agent, *layout.target, layout.mission, layout.carrying)
    return (*header, *layout.cells.ravel().tolist())


def handmade_task(task: Task, layout: Any) -> Task:
    """`task` with levels by hand instead of its own: level k is layout k modulo their number.

    Args:
        layout: what `read_layout` takes, or a list of these, all of one size.

    Raises:
        ValueError, OSError: as `read_layout`; or no layout is given, or their sizes differ.
    """
    sources = layout if isinstance(layout, (list, tuple)) else [layout]
    if not sources:
        raise ValueError("layout is an empty list; give a text, a path, a dict, or a list of them")
    titles = [f"layout {k}" if len(sources) > 1 else "layout" for k in range(len(sources))]
    layouts = [read_layout(source, task, title) for source, title in zip(sources, titles, strict=True)]
    height, width = layouts[0].cells.shape
    for k, other in enumerate(layouts):
        if other.cells.shape != (height, width):
            raise ValueError(
                f"layouts played together have one size; layout 0 has {height} rows of {width} cells, "
                f"layout {k} has {other.cells.shape[0]} of {other.cells.shape[1]}"
            )
    table = tuple(number for one in layouts for number in _packed(one))
    return replace(task, level=by_hand, args=(len(layouts), table), width=width, height=height, scratch=1)


# --- writing ------------------------------------------------------------------------------------------------


def to_text(env: Any, slot: int = 0) -> str:
    """The world as it is now, as text that `layout=` takes: to be copied, edited and played.

    Args:
        env: what `gym.make` or `gym.make_vec` returned for a grid ID, after `reset`.
        slot: which world of a batch.

    Raises:
        ResetNeeded: no episode has been started.
        ValueError: there is no such slot.
    """
    simulation = env.unwrapped.simulation
    if not 0 <= slot < simulation.num_envs:
        raise ValueError(f"slot is 0 to {simulation.num_envs - 1}; got {slot!r}")
    world, task = simulation.world, simulation.task
    if world.phase[slot] == UNSTARTED:
        raise ResetNeeded("call reset() before to_text(): no episode has been started")
    cells = world.cells[slot]
    target = _target_cell(world.target[slot], cells, task.objective)
    x, y, direction = world.agent[slot].tolist()
    legend: dict[tuple[str, bool], str] = {(name, False): symbol for symbol, name in FIXED.items()}
    rows = []
    for j in range(cells.shape[0]):
        row = ""
        for i in range(cells.shape[1]):
            name = _NAMES[int(cells[j, i]) & LOOK]
            if (i, j) == (x, y):
                name = f"agent {DIRECTIONS[direction]}" + (f" on {name}" if name != "empty" else "")
            key = name, (i, j) == target
            if key not in legend:
                legend[key] = _free_symbol(name, set(legend.values()))
            row += legend[key]
        rows.append(row)
    lines = [f"{symbol} = {name}" for (name, _), symbol in legend.items() if symbol not in FIXED]
    if len(task.missions) > 1:
        lines.append(f"mission = {task.missions[world.mission[slot]]}")
    lines += [f"target = {symbol}" for (_, is_target), symbol in legend.items() if is_target]
    if world.carrying[slot]:
        lines.append(f"carrying = {_NAMES[int(world.carrying[slot]) & LOOK]}")
    return "\n".join([*rows, "", *lines]) + "\n"


def _target_cell(target: NDArray[np.int32], cells: NDArray[np.uint16], objective: int) -> tuple[int, int] | None:
    """Column and row of what the objective speaks of; None where that is not in the grid, or where it has none."""
    x, y, number = target.tolist()
    if objective == PICK_UP:
        for row, column in np.argwhere(cells >> 8 == number).tolist():
            return column, row
        return None
    return (x, y) if objective in _TARGETS else None


def _free_symbol(name: str, taken: set[str]) -> str:
    """A character for a thing: one that comes to mind, else any that is free."""
    noun = "agent" if name.startswith("agent") else name.split()[-1]
    others = string.ascii_letters + string.digits + "".join(map(chr, range(0xC0, 0x250)))
    return next(symbol for symbol in _SYMBOLS.get(noun, "") + others if symbol not in taken)
