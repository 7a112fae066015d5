"""`visnav list [FILTER]`: the environments; a table on a terminal, plain lines elsewhere."""

import argparse
import difflib
import importlib.util
import sys

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

import visnav.envs  # noqa: F401  registers the IDs

NAMESPACE = "visnav"


def specs() -> list[EnvSpec]:
    """Every environment that Gymnasium knows under `visnav/`, those that a user registered included."""
    return [spec for spec in gym.registry.values() if spec.namespace == NAMESPACE]


def nearest_ids(name: str, count: int = 3) -> list[str]:
    """The IDs most like `name`, whether or not it carries the namespace; the most similar first."""
    plain = {spec.id.partition("/")[2].lower(): spec.id for spec in specs()}
    wanted = name.removeprefix(f"{NAMESPACE}/").lower()
    return [plain[match] for match in difflib.get_close_matches(wanted, plain, n=count, cutoff=0.5)]


def check_id(env_id: str) -> str:
    """`env_id` itself. Raises gymnasium.error.NameNotFound, which names the nearest IDs."""
    if env_id in gym.registry:
        return env_id
    near = nearest_ids(env_id)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise gym.error.NameNotFound(
        f"there is no environment {env_id!r}{hint} (`visnav list` prints all of them)"
    )


def main(argv: list[str] | None = None) -> int:
    """Print the IDs that contain FILTER."""
    parser = argparse.ArgumentParser(prog="visnav list", description="The IDs of the environments.")
    parser.add_argument("filter", nargs="?", default="", help="print only IDs that contain this, in any case")
    options = parser.parse_args(argv)
    found = [spec for spec in specs() if options.filter.lower() in spec.id.lower()]
    if not found:
        near = nearest_ids(options.filter)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise ValueError(f"no ID contains {options.filter!r}{hint}")
    rows = [(spec.id, *map(str, described(spec))) for spec in found]
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        print_table(rows)
    else:
        width = max(len(row[0]) for row in rows)
        print("\n".join(f"{row[0]:<{width}}  {'  '.join(row[1:])}".rstrip() for row in rows))
    return 0
