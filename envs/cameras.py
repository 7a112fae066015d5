"""What cameras return: the spaces of sensors, and how single sensors become an observation."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz ")  # what mission texts are written in


def rgb_space(height: int, width: int) -> spaces.Box:
    """(height, width, 3) uint8, ready for SB3's CnnPolicy."""
    return spaces.Box(0, 255, (height, width, 3), np.uint8)


def token_space(vocabulary_size: int, length: int) -> spaces.MultiDiscrete:
    """(length,) int64 token ids; 0 is padding."""
    return spaces.MultiDiscrete(np.full(length, vocabulary_size))


def text_space(texts: Sequence[str]) -> spaces.Text:
    """Strings up to the longest of `texts`."""
    return spaces.Text(max(map(len, texts)), charset=LETTERS | frozenset("".join(texts)))


def observation_space(sensors: dict[str, spaces.Space[Any]]) -> spaces.Space[Any]:
    """One sensor is its own space; several are a Dict."""
    return next(iter(sensors.values())) if len(sensors) == 1 else spaces.Dict(sensors)


def unknown_name(what: str, name: object, allowed: Iterable[str]) -> str:
    """The message for a name that is not among the allowed ones, with the nearest of them first."""
    names = sorted(allowed)
    near = difflib.get_close_matches(str(name), names, n=3)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"unknown {what} {name!r}{hint} Allowed: {', '.join(names)}"
        if hint
        else (f"unknown {what} {name!r}; allowed: {', '.join(names)}")
    )


def check_name(what: str, name: object, allowed: Iterable[str]) -> str:
    """Return `name`, or raise a ValueError that lists what is allowed."""
    names = list(allowed)
    if not isinstance(name, str) or name not in names:
        raise ValueError(unknown_name(what, name, names))
    return name


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int, or raise a ValueError that names the range."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limit = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} is a whole number, {limit}; got {value!r}")
    return int(value)
