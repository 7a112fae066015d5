"""Tight boxes of what is seen in instance pictures, in the form that torchvision's detectors learn from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit


@jit
def find_boxes(i, width, instance, semantic, place, found_out, count_out):  # type: ignore[no-untyped-def]
    """The tight box of every instance in picture i.

    Args:
        width: pixels of a row.
        instance, semantic: (N, H * W).
        place: (instances,) int32, all 0 before and after.
        found_out: (N, M, 6) int32, written: x0, y0, x1, y1 (half open), class, instance.
        count_out: (N,) how many.
    """
    found = found_out[i]
    count = 0
    for k in range(instance.shape[1]):
        number = instance[i, k]
        if number == 0:
            continue
        x, y = k % width, k // width
        at = place[number] - 1
        if at < 0:
            at = count
            count += 1
            place[number] = count
            found[at, 0], found[at, 1], found[at, 2], found[at, 3] = x, y, x + 1, y + 1
            found[at, 4], found[at, 5] = semantic[i, k], number
        if x < found[at, 0]:
            found[at, 0] = x
        if x >= found[at, 2]:
            found[at, 2] = x + 1
        found[at, 3] = y + 1
    for at in range(count):
        place[found[at, 5]] = 0
    count_out[i] = count


@jit
def _boxes_rows(lo, hi, width, instance, semantic, place, found_out, count_out):  # type: ignore[no-untyped-def]
    """`find_boxes` in the pictures of rows lo..hi."""
    for i in range(lo, hi):
        find_boxes(i, width, instance, semantic, place, found_out, count_out)


def tight_boxes(
    instance: NDArray[np.int32], semantic: NDArray[np.uint8], most: int, numbers: int
) -> list[dict[str, NDArray[Any]]]:
    """Tight boxes of what is seen, one dict a picture.

    Args:
        instance, semantic: (N, H, W, 1), of one camera.
        most: instances in a picture, at most.
        numbers: instance numbers are below this.

    Returns:
        "boxes" (M, 4) float32, x0, y0, x1, y1 in pixels, half open; "labels" (M,) int64, classes of `semantic`;
        "ids" (M,) int64, instances, ascending.
    """
    num_envs, _, width = instance.shape[:3]
    count = np.zeros(num_envs, np.int32)
    found = np.zeros((num_envs, most, 6), np.int32)
    place = np.zeros(numbers, np.int32)
    _boxes_rows(0, num_envs, width, instance.reshape(num_envs, -1), semantic.reshape(num_envs, -1), place, found, count)
    targets: list[dict[str, NDArray[Any]]] = []
    for rows, amount in zip(found, count.tolist(), strict=True):
        table = rows[:amount][np.argsort(rows[:amount, 5])]
        targets.append(
            {
                "boxes": table[:, :4].astype(np.float32),
                "labels": table[:, 4].astype(np.int64),
                "ids": table[:, 5].astype(np.int64),
            }
        )
    return targets
