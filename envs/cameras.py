"""What cameras return: the spaces of sensors, and how single sensors become an observation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from visnav.envs.checks import check_name, check_out

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz ")  # what mission texts are written in


def rgb_space(height: int, width: int) -> spaces.Box:
    """(height, width, 3) uint8, ready for SB3's CnnPolicy."""
    return spaces.Box(0, 255, (height, width, 3), np.uint8)


def depth_space(height: int, width: int, most: float) -> spaces.Box:
    """(height, width, 1) float32 metres to the image plane, up to `most`."""
    return spaces.Box(0, most, (height, width, 1), np.float32)


def semantic_space(height: int, width: int, classes: int) -> spaces.Box:
    """(height, width, 1) uint8 class numbers."""
    return spaces.Box(0, classes - 1, (height, width, 1), np.uint8)


def instance_space(height: int, width: int, instances: int) -> spaces.Box:
    """(height, width, 1) int32 instance numbers; 0 is background."""
    return spaces.Box(0, instances - 1, (height, width, 1), np.int32)


def token_space(vocabulary_size: int, length: int) -> spaces.MultiDiscrete:
    """(length,) int64 token ids; 0 is padding."""
    return spaces.MultiDiscrete(np.full(length, vocabulary_size))


def text_space(texts: Sequence[str]) -> spaces.Text:
    """Strings as long as `texts` are."""
    lengths = [len(text) for text in texts]
    return spaces.Text(max(1, *lengths), min_length=min(lengths), charset=LETTERS | frozenset("".join(texts)))


def choose_sensors(
    names: Sequence[str] | None, default: Sequence[str], camera: str, offered: dict[str, spaces.Space[Any]]
) -> dict[str, spaces.Space[Any]]:
    """The spaces of the sensors that are returned, by name in alphabetical order.

    Raises:
        ValueError: none, or one that the camera does not offer.
    """
    chosen = default if names is None else (names,) if isinstance(names, str) else tuple(names)
    if not chosen:
        raise ValueError(f"sensors is empty; camera={camera!r} offers {', '.join(sorted(offered))}")
    for name in chosen:
        check_name(f"sensor for camera={camera!r}", name, offered)
    return {name: offered[name] for name in sorted(offered) if name in chosen}


def observation_space(sensors: dict[str, spaces.Space[Any]]) -> spaces.Space[Any]:
    """One sensor is its own space; several are a Dict."""
    return next(iter(sensors.values())) if len(sensors) == 1 else spaces.Dict(sensors)


def label_arrays(
    labels: Sequence[str],
    offered: Mapping[str, spaces.Space[Any]],
    num_envs: int,
    out: Mapping[str, NDArray[Any]] | None,
) -> dict[str, NDArray[Any]]:
    """The arrays that labels of N worlds are drawn into: the caller's, or new ones; boxes are found in two of them.

    Args:
        labels: names of `offered`, and "boxes".
        out: arrays by name, (N, *shape of the space) each, C-contiguous; None for none.

    Raises:
        ValueError: an array of another shape or dtype, or of a name that is not among `labels`.
    """
    given = {} if out is None else out
    for name in given:
        check_name("array in out", name, [label for label in labels if label != "boxes"])
    drawn = {*labels, "instance", "semantic"} if "boxes" in labels else set(labels)
    return {
        name: check_out(name, given[name], (num_envs, *space.shape), space.dtype)  # type: ignore[misc]
        if name in given
        else np.empty((num_envs, *space.shape), space.dtype)  # type: ignore[misc]
        for name, space in offered.items()
        if name in drawn
    }
