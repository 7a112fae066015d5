"""The format in which grid worlds are drawn: text, one character a cell, or JSON; read into drafts, and written.

    #########
    #>..#...#
    #...D...#
    #.k.#..G#
    #########

    D = locked yellow door
    k = yellow key

`#` is a wall, `.` an empty cell, `G` a goal, `~` lava; `>` `v` `<` `^` are the agent and where it looks. A line
`character = thing` defines any other. Things are those of `CELLS`; a box may hold one, `red box with blue key`, and an
agent may stand on one, `agent up on open red door`. Five more lines say what a drawing cannot:

    mission = pick up the red ball      one of the task's own; needed where it has several
    target = b                          a character that is drawn once: what the objective speaks of; needed where the
    other_target = c                    mission does not single it out, and other_target where there are two
    carrying = yellow key               what the agent has in hand at the start
    heading = 0.25                      rad, clockwise from the right: where an agent that drives looks; the arrow is
                                        the nearest. It starts in the middle of its cell

JSON says the same: {"rows": ["####", …], "legend": {"k": "yellow key"}, "mission": …, "target": …, …}.
`visnav.envs.grid.handmade` says what a drawing means in a task.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from visnav.envs.checks import unknown_name
from visnav.envs.grid.world import (
    BALL,
    BOX,
    COLOR_NAMES,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    EMPTY,
    FETCH,
    FLOOR_KIND,
    GOAL,
    GOAL_KIND,
    KEY,
    LAVA,
    LAVA_KIND,
    LOOK,
    OPEN_IN_ORDER,
    PICK_UP,
    POINT_GOAL,
    REACH_CELL,
    REACH_GOAL,
    UNSTARTED,
    WALL,
)

MAX_BYTES = 2**20  # of a file

DIRECTIONS = ("right", "down", "left", "up")  # by number
DOORS = {"open": DOOR_OPEN, "closed": DOOR_CLOSED, "locked": DOOR_LOCKED}
MOVABLE = {"key": KEY, "ball": BALL, "box": BOX}

CELLS: dict[str, int] = {"empty": EMPTY, "wall": WALL, "goal": GOAL, "lava": LAVA}  # name of a thing -> cell
for _number, _color in enumerate(COLOR_NAMES):
    for _noun, _kind in {"floor": FLOOR_KIND, **MOVABLE}.items():
        CELLS[f"{_color} {_noun}"] = _kind | _number << 4
    for _state, _kind in DOORS.items():
        CELLS[f"{_state} {_color} door"] = _kind | _number << 4
_NAMES = {cell: name for name, cell in CELLS.items()}

FIXED = {"#": "wall", ".": "empty", "G": "goal", "~": "lava"}  # character -> thing
FIXED |= {symbol: f"agent {direction}" for symbol, direction in zip(">v<^", DIRECTIONS, strict=True)}
FACTS = ("mission", "target", "other_target", "carrying", "heading")

STANDING = (EMPTY, FLOOR_KIND, GOAL_KIND, DOOR_OPEN)  # kinds of cells on which an agent stands; in lava it perishes
_PREFERRED = {"door": "Dd", "key": "kK", "ball": "oO", "box": "bB", "floor": ",_", "agent": "@"}  # by to_text


class Thing(NamedTuple):
    """What a character stands for."""

    cell: int
    direction: int  # of the agent that stands there, -1 = none
    contents: tuple[int, ...]  # of a box: the cell in it, the one in that box, …


class Draft(NamedTuple):
    """A drawing, read but not understood yet; places are words for errors, such as "layout, line 3"."""

    title: str
    rows: list[str]
    place: Callable[[int, int], str]  # of the cell in a row and a column, both counted from 0
    legend: dict[str, tuple[str, str]]  # character -> name of the thing, and the place of the definition
    facts: dict[str, tuple[str, str]]  # one of FACTS -> text, and its place


# --- reading ------------------------------------------------------------------------------------------------


def read_draft(source: str | os.PathLike[str] | Mapping[str, Any], title: str) -> Draft:
    """A drawing from text, JSON text, a file of either (UTF-8, MAX_BYTES at most), or JSON as a dict.

    Args:
        source: a str of several lines is text, one of a single line is the path of a file, unless it starts with {.
        title: what errors call it, unless it is a file.

    Raises:
        ValueError: it has neither form; the message names line and column, or row.
        OSError: the file cannot be read.
    """
    if isinstance(source, Mapping):
        return _draft_of_json(dict(source), title)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(f"{title} is text, a path, or a dict; got {type(source).__name__}")
    text = source
    if not isinstance(text, str) or ("\n" not in text and not text.lstrip().startswith("{")):
        title = str(os.fspath(text))
        text = _read_file(Path(title))
    if not text.lstrip().startswith("{"):
        return _draft_of_text(text, title)
    try:
        document = json.loads(text, object_pairs_hook=_object_without_repeats)
    except json.JSONDecodeError as error:
        raise ValueError(f"{title}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{title}: {error}") from error
    return _draft_of_json(document, title)


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


def _draft_of_text(text: str, title: str) -> Draft:
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
    return Draft(title, rows, lambda y, x: f"{title}, line {first + y}, column {indents[y] + x + 1}", legend, facts)


def _draft_of_json(document: Any, title: str) -> Draft:
    """The same from {"rows": […], "legend": {…}, "mission": …, …}."""
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
    if type(facts.get("heading")) in (int, float):
        facts["heading"] = str(facts["heading"])
    texts = [(f"row {y + 1}", row) for y, row in enumerate(rows)]
    texts += [(f"legend {symbol!r}", name) for symbol, name in legend.items()]
    for place, text in [*texts, *facts.items()]:
        if not isinstance(text, str):
            raise ValueError(f"{title}, {place}: a string is needed; got {text!r}")
    return Draft(
        title,
        list(rows),
        lambda y, x: f"{title}, row {y + 1}, column {x + 1}",
        {str(symbol): (name, f"{title}, legend {symbol!r}") for symbol, name in legend.items()},
        {name: (text, f"{title}, {name}") for name, text in facts.items()},
    )


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What json.loads makes of an object; it would keep the last of equal keys only."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the key {name!r} is there twice")
    return dict(pairs)


# --- names --------------------------------------------------------------------------------------------------


def read_thing(text: str, place: str) -> Thing:
    """What a name stands for: `locked red door`, `red box with blue key`, `agent up on blue floor`.

    Raises:
        ValueError: nothing has this name, or that cannot be; the message begins with `place`.
    """
    name, direction = " ".join(text.lower().split()), -1
    if name.split(" ")[0] == "agent":
        looks, _, name = name.removeprefix("agent").strip().partition(" on ")
        if looks not in DIRECTIONS:
            raise ValueError(f"{place}: {text!r} does not say where the agent looks: agent {', '.join(DIRECTIONS)}")
        name, direction = name or "empty", DIRECTIONS.index(looks)
    names = name.split(" with ")
    for unknown in names:
        if unknown not in CELLS:
            near = difflib.get_close_matches(unknown, CELLS, n=2)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
            raise ValueError(
                f"{place}: unknown thing {unknown!r}{hint} Things are empty, wall, goal, lava; COLOR floor, key, ball, "
                f"box; open, closed, locked COLOR door; agent {', '.join(DIRECTIONS)}, `on` what it stands on. "
                f"COLOR is {', '.join(COLOR_NAMES)}"
            )
    cell, *contents = (CELLS[part] for part in names)
    if any(part & 15 != BOX for part in (cell, *contents)[:-1]) or any(
        c & 15 not in MOVABLE.values() for c in contents
    ):
        raise ValueError(f"{place}: {name!r}: only a box can hold something, and only a key, a ball or a box")
    if direction >= 0 and cell & 15 not in (*STANDING, LAVA_KIND):
        raise ValueError(
            f"{place}: an agent cannot stand on {name!r}, but on floor, goal, lava, an open door or an empty cell"
        )
    return Thing(cell, direction, tuple(contents))


def _name(cell: int, contents: NDArray[np.uint16]) -> str:
    """What `read_thing` reads: the name of a cell and of what it holds."""
    name = _NAMES[cell & LOOK]
    number = cell >> 8
    if cell & 15 == BOX and number < len(contents) and contents[number]:
        return f"{name} with {_name(int(contents[number]), contents)}"
    return name


# --- writing ------------------------------------------------------------------------------------------------


def to_text(env: Any, slot: int = 0) -> str:
    """The world as it is now, as text that `layout=` takes: to be copied, edited and played.

    All of it is there but two things: step_count, and where in its cell an agent stands that drives.

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
    cells, contents = world.cells[slot], world.contents[slot]
    x, y, direction = world.agent[slot].tolist()
    marks = {}  # cell -> which of the objective's it is
    if task.objective in (REACH_CELL, OPEN_IN_ORDER):
        marks[tuple(world.other_target[slot].tolist())] = "other_target"
    target = _target_cell(world.target[slot], cells, task.objective)
    if target is not None and not (task.objective == POINT_GOAL and np.count_nonzero(cells & 15 == GOAL_KIND) == 1):
        marks[target] = "target"
    symbols = {(name, ""): symbol for symbol, name in FIXED.items()}
    rows = []
    for j in range(cells.shape[0]):
        row = ""
        for i in range(cells.shape[1]):
            name = _name(int(cells[j, i]), contents)
            if (i, j) == (x, y):
                name = f"agent {DIRECTIONS[direction]}" + (f" on {name}" if name != "empty" else "")
            key = name, marks.get((i, j), "")
            if key not in symbols:
                symbols[key] = _free_symbol(name, set(symbols.values()))
            row += symbols[key]
        rows.append(row)
    lines = [f"{symbol} = {name}" for (name, _), symbol in symbols.items() if symbol not in FIXED]
    if len(task.missions) > 1:
        lines.append(f"mission = {task.missions[world.mission[slot]]}")
    lines += sorted((f"{mark} = {symbol}" for (_, mark), symbol in symbols.items() if mark), reverse=True)
    if world.carrying[slot]:
        lines.append(f"carrying = {_name(int(world.carrying[slot]), contents)}")
    if task.continuous:
        lines.append(f"heading = {world.pose[slot, 2] % (2 * math.pi):.6f}")
    return "\n".join([*rows, "", *lines]) + "\n"


def _target_cell(target: NDArray[np.int32], cells: NDArray[np.uint16], objective: int) -> tuple[int, int] | None:
    """Column and row of what the objective speaks of; None where it speaks of looks, or that is not in the grid."""
    x, y, number = target.tolist()
    if objective == PICK_UP:
        return next(((column, row) for row, column in np.argwhere(cells >> 8 == number).tolist()), None)
    return None if objective in (REACH_GOAL, FETCH) else (x, y)


def _free_symbol(name: str, taken: set[str]) -> str:
    """A character for a thing: one that comes to mind, else any that is free."""
    noun = "agent" if name.startswith("agent") else name.partition(" with ")[0].split()[-1]
    others = string.ascii_letters + string.digits + "".join(map(chr, range(0xC0, 0x250)))
    return next(symbol for symbol in _PREFERRED.get(noun, "") + others if symbol not in taken)
