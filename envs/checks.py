"""Checks of what people give: each returns the value, or raises an error that says what was given and is allowed."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def check_flag(name: str, value: Any) -> bool:
    """Return `value` as a bool, or raise a ValueError."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is True or False; got {value!r}")
    return bool(value)


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int, or raise a ValueError that names the range."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limit = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} is a whole number, {limit}; got {value!r}")
    return int(value)


def check_real(name: str, value: Any, *, least: float | None = None, above: float | None = None) -> float:
    """Return `value` as a float, or raise a ValueError that names its bound, if any: at least, or more than."""
    real = isinstance(value, (numbers.Real, np.floating, np.integer)) and not isinstance(value, bool)
    if (
        not real
        or not math.isfinite(value)
        or (least is not None and value < least)
        or (above is not None and value <= above)
    ):
        limit = f", at least {least:g}" if least is not None else f", more than {above:g}" if above is not None else ""
        raise ValueError(f"{name} is a finite number{limit}; got {value!r}")
    return float(value)


def check_out(name: str, array: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array that is to be written, or raise a ValueError that says what it must be."""
    if (
        not isinstance(array, np.ndarray)
        or array.shape != shape
        or array.dtype != dtype
        or not array.flags.c_contiguous
        or not array.flags.writeable
    ):
        found = f"{array.dtype}{array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"out for {name!r} is a writable C-contiguous {dtype}{shape} array; got {found}")
    return array


def check_numbers(name: str, values: Any, least: int, most: int | None = None) -> tuple[float, ...]:
    """Return ascending numbers as a tuple, or raise a ValueError that says how many there must be."""
    count = f"{least}" if most == least else f"{least} or more"
    is_sequence = isinstance(values, Sequence) or hasattr(values, "__array__")
    if not is_sequence or len(values) < least or (most is not None and len(values) > most):
        raise ValueError(f"{name} is a sequence of {count} numbers; got {values!r}")
    given = tuple(check_real(f"{name}[{k}]", value) for k, value in enumerate(values))
    if any(after <= before for before, after in pairwise(given)):
        raise ValueError(f"{name} is a sequence of {count} ascending numbers; got {values!r}")
    return given


def check_range(name: str, values: Any) -> tuple[float, float]:
    """Return (low, high), low < high, or raise a ValueError."""
    low, high = check_numbers(name, values, 2, 2)
    return low, high


def check_state(state: Mapping[str, Any], expected: Mapping[str, NDArray[Any]], what: str) -> None:
    """Raise a ValueError unless the arrays of a saved state have the fields, shapes and dtypes of the expected one."""
    if state.keys() != expected.keys():
        wrong = sorted(state.keys() ^ expected.keys())
        raise ValueError(f"not a state of {what}: fields missing or unknown: {', '.join(wrong)}")
    for name, array in state.items():
        want = expected[name]
        if np.shape(array) != want.shape or np.asarray(array).dtype != want.dtype:
            raise ValueError(
                f"state of another task or number of slots: {name} is {np.asarray(array).dtype}{np.shape(array)}, "
                f"here it is {want.dtype}{want.shape}"
            )
