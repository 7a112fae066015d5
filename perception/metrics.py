"""How well boxes were detected: COCO's average precision, from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())  # of IoU, of COCO's AP; the first one's is AP50
RECALLS = np.linspace(0, 1, 101)
EVERY_SIZE = (0.0, 1e10)

Boxes = NDArray[np.floating[Any]]


def box_iou(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union (A, B) of boxes (A, 4) with others (B, 4): x0, y0, x1, y1."""
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    corner = np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - np.maximum(boxes[:, None, :2], others[None, :, :2])
    shared = np.clip(corner, 0, None).prod(-1)
    union = box_area(boxes)[:, None] + box_area(others)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def box_area(boxes: Boxes) -> NDArray[np.float64]:
    """Areas (A,) of boxes (A, 4)."""
    sides = np.asarray(boxes, np.float64)
    return (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])


def average_precision(
    predictions: Sequence[Mapping[str, Any]],
    truths: Sequence[Mapping[str, Any]],
    thresholds: Sequence[float] = THRESHOLDS,
    area: tuple[float, float] = EVERY_SIZE,
    most: int = 100,
) -> dict[int, NDArray[np.float64]]:
    """COCO's average precision of every class at every threshold of IoU, as pycocotools' `COCOeval` computes it.

    A prediction finds the truth of its class that it overlaps most, if by the threshold at least and if no better
    scored one has found it. Precision is made to fall with recall, and averaged over 101 recalls. Truths whose area is
    outside the range, predictions that find one, and predictions outside it that find nothing count neither for nor
    against.

    Args:
        predictions: an image each: "boxes" (M, 4) x0, y0, x1, y1, "scores" (M,), "labels" (M,).
        truths: an image each: "boxes" (M, 4), "labels" (M,).
        thresholds: of IoU.
        area: least and greatest of boxes that count, in pixels.
        most: predictions of one class on one image; the best scored ones count.

    Returns:
        For each class that has a truth that counts, (thresholds,). The mean over classes at 0.5 is AP50; over classes
        and all thresholds, AP.

    Raises:
        ValueError: predictions and truths are not of equally many images.
    """
    if len(predictions) != len(truths):
        raise ValueError(f"got predictions of {len(predictions)} images and truths of {len(truths)}")
    found = {}
    for label in np.unique(np.concatenate([np.asarray(truth["labels"], np.int64) for truth in truths])).tolist():
        images = [
            _match(_of_class(prediction, label), _of_class(truth, label)[0], thresholds, area, most)
            for prediction, truth in zip(predictions, truths, strict=True)
        ]
        scores, right, wrong = (np.concatenate([image[k] for image in images], axis=-1) for k in range(3))
        if count := sum(image[3] for image in images):
            order = np.argsort(-scores, kind="stable")
            found[label] = np.array([_area_below(r[order], w[order], count) for r, w in zip(right, wrong, strict=True)])
    return found


def _of_class(boxes: Mapping[str, Any], label: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (M, 4) of a class and their scores (M,), 0 where there are none."""
    labels = np.asarray(boxes["labels"])
    scores = np.asarray(boxes.get("scores", np.zeros(len(labels))), np.float64)
    return np.asarray(boxes["boxes"], np.float64).reshape(-1, 4)[labels == label], scores[labels == label]


def _match(
    predicted: tuple[NDArray[np.float64], NDArray[np.float64]],
    truths: NDArray[np.float64],
    thresholds: Sequence[float],
    area: tuple[float, float],
    most: int,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], int]:
    """Scores (M,), and (thresholds, M) whether each is right and whether each is wrong; how many truths count."""
    boxes, scores = predicted
    order = np.argsort(-scores, kind="stable")[:most]
    boxes, scores = boxes[order], scores[order]
    outside, beyond = (~((area[0] <= (size := box_area(some))) & (size <= area[1])) for some in (truths, boxes))
    truths, outside = truths[(order := np.argsort(outside, kind="stable"))], outside[order]  # those that count first
    overlaps = box_iou(boxes, truths)
    right, wrong = (np.zeros((len(thresholds), len(boxes)), bool) for _ in range(2))
    for t, threshold in enumerate(thresholds):
        free = np.ones(len(truths), bool)
        for k, overlap in enumerate(overlaps):
            fits = free & (overlap >= min(threshold, 1 - 1e-10))
            if (fits & ~outside).any():
                fits &= ~outside
            if not fits.any():
                wrong[t, k] = not beyond[k]
                continue
            best = np.flatnonzero(fits & (overlap == overlap[fits].max()))[-1]
            free[best] = False
            right[t, k] = not outside[best]
    return scores, right, wrong, int(np.count_nonzero(~outside))


def _area_below(right: NDArray[np.bool_], wrong: NDArray[np.bool_], count: int) -> float:
    """Mean of the precision at 101 recalls, of predictions by falling score, with so many truths to be found."""
    hits, misses = np.cumsum(right), np.cumsum(wrong)
    precision = hits / np.maximum(hits + misses, np.spacing(1))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / count, RECALLS, side="left")
    return float(np.where(places < len(precision), np.append(precision, 0)[places], 0).mean())
