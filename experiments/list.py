"""`visnav list [FILTER]`: the environments; a table on a terminal, plain lines elsewhere.

visnav list doorkey --layouts 1000000      (how many different layouts there are, drawing a million levels at most)
"""

import argparse
import difflib
import importlib.util
import math
import sys
from collections.abc import Sequence

import gymnasium as gym

from visnav.envs import TASKS
from visnav.envs.driving.world import Task as DrivingTask
from visnav.envs.grid.layouts import count_layouts


def nearest_ids(name: str, count: int = 3) -> list[str]:
    """The IDs most like `name`, whether or not it carries its namespace; the most similar first."""
    plain = {env_id.rpartition("/")[2].lower(): env_id for env_id in TASKS}
    wanted = name.rpartition("/")[2].lower()
    return [plain[match] for match in difflib.get_close_matches(wanted, plain, n=count, cutoff=0.35)]


def check_id(env_id: str) -> str:
    """`env_id` itself. Raises gymnasium.error.NameNotFound, which names the nearest IDs."""
    if env_id in TASKS:
        return env_id
    module, colon, plain = env_id.partition(":")
    near = nearest_ids(env_id)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    if colon:
        hint = f": to import {module} for {plain}, begin with visnav --import {module}"
    raise gym.error.NameNotFound(f"there is no environment {env_id!r}{hint} (`visnav list` prints all)")


def main(argv: list[str] | None = None) -> int:
    """Print the IDs that contain FILTER."""
    parser = argparse.ArgumentParser(prog="visnav list", description="The IDs of the environments.")
    parser.add_argument("filter", nargs="?", default="", help="print only IDs that contain this, in any case")
    parser.add_argument("--layouts", type=int, metavar="N", help="count distinct layouts, drawing at most N levels")
    options = parser.parse_args(argv)
    if options.layouts is not None and options.layouts < 1:
        raise ValueError(f"--layouts is a number of levels, at least 1; got {options.layouts}")
    found = [env_id for env_id in TASKS if options.filter.lower() in env_id.lower()]
    if not found:
        near = nearest_ids(options.filter)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise ValueError(f"no ID contains {options.filter!r}{hint}")
    names = ["ID", "size", "steps", "mission"]
    rows: list[tuple[str, ...]] = [(env_id, *described(env_id)) for env_id in found]
    if options.layouts is not None:
        names.insert(3, "layouts")
        rows = [(*row[:3], layouts(row[0], options.layouts), *row[3:]) for row in rows]
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        print_table(names, rows)
    else:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def described(env_id: str) -> tuple[str, str, str]:
    """Size in cells, step limit and mission of a grid task; vehicles, step limit and action of a driving task."""
    task = TASKS[env_id]()
    if isinstance(task, DrivingTask):
        limit = task.max_steps or task.duration * task.policy_frequency
        return f"{task.max_vehicles} vehicles", str(math.ceil(limit)) if math.isfinite(limit) else "-", task.action
    more = len(task.missions) - 1
    mission = task.missions[0] + (f" (and {more} more)" if more else "")
    return f"{task.width}x{task.height}", str(task.max_steps), mission


def layouts(env_id: str, most: int) -> str:
    """How many different layouts there are: a number where these are all, else "≥ ", what was found."""
    task = TASKS[env_id]()
    if isinstance(task, DrivingTask):
        return "-"
    found = count_layouts(task, most)
    return f"{found.distinct:,}" if found.exact else f"≥ {found.distinct:,}"


def print_table(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    """Print with rich, fitted to the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(rows)} environments", title_justify="left", title_style="bold", box=None, pad_edge=False)
    styles = {"ID": "cyan", "mission": "dim"}
    for name in names:
        table.add_column(name, style=styles.get(name, ""), overflow="fold", no_wrap=name != "mission")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
