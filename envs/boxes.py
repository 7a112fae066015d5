"""Tight boxes of what is seen in instance pictures, in the form that torchvision's detectors learn from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit


@jit
def find_boxes(i, width, instance, semantic, place, found_out):  # type: ignore[no-untyped-def]
    """The tight box of every instance in picture i; returns how many.

    Args:
        width: pixels of a row.
        instance, semantic: (N, H * W).
        place: (instances,) int32, all 0 before and after.
        found_out: (M, 6) int32, written: x0, y0, x1, y1 (half open), class, instance; by instance, ascending.
    """
    found = found_out
    count = 0
    for start in range(0, instance.shape[1], width):
        some = np.int32(0)
        for k in range(np.uint64(start), np.uint64(start + width)):  # most rows have none; vector instructions tell
            some |= instance[i, k]
        if some == 0:
            continue
        y, last, at = start // width, 0, 0
        for x in range(width):
            number = instance[i, start + x]
            if number == 0:
                continue
            if number != last:
                last, at = number, place[number] - 1
                if at < 0:
                    at = count
                    count += 1
                    place[number] = count
                    found[at, 0], found[at, 1], found[at, 2], found[at, 3] = x, y, x + 1, y + 1
                    found[at, 4], found[at, 5] = semantic[i, start + x], number
                if x < found[at, 0]:
                    found[at, 0] = x
                found[at, 3] = y + 1
            if x >= found[at, 2]:
                found[at, 2] = x + 1
    for at in range(count):
        place[found[at, 5]] = 0
    for at in range(1, count):
        j = at
        while j > 0 and found[j - 1, 5] > found[j, 5]:
            for k in range(6):
                found[j - 1, k], found[j, k] = found[j, k], found[j - 1, k]
            j -= 1
    return count


@jit
def _boxes_rows(lo, hi, width, instance, semantic, place, found_out, count_out):  # type: ignore[no-untyped-def]
    """`find_boxes` in the pictures of rows lo..hi: (…, 6) one after the other, and how many each has."""
    total = 0
    for i in range(lo, hi):
        count = find_boxes(i, width, instance, semantic, place, found_out[total:])
        count_out[i] = count
        total += count


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
    found = np.empty((num_envs * most, 6), np.int32)
    place = np.zeros(numbers, np.int32)
    _boxes_rows(0, num_envs, width, instance.reshape(num_envs, -1), semantic.reshape(num_envs, -1), place, found, count)
    ends = np.cumsum(count).tolist()
    boxes = found[: ends[-1], :4].astype(np.float32)
    labels, ids = found[: ends[-1], 4:].T.astype(np.int64, order="C")
    return [
        {"boxes": boxes[start:end], "labels": labels[start:end], "ids": ids[start:end]}
        for start, end in zip([0, *ends], ends, strict=False)
    ]
