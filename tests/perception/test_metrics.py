"""Average precision is pycocotools'."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from visnav.perception.metrics import EVERY_SIZE, average_precision, box_iou

Images = list[dict[str, np.ndarray]]


def scene(rng: np.random.Generator, images: int, classes: int) -> tuple[Images, Images]:
    """Truths, and predictions of which some are near a truth, some are of another class, some are nowhere."""
    truths, predictions = [], []
    for _ in range(images):
        count = int(rng.integers(0, 6))
        start, sides = rng.uniform(0, 50, (count, 2)), rng.uniform(1, 30, (count, 2))
        boxes = np.concatenate([start, start + sides], 1)
        labels = rng.integers(classes, size=count)
        truths.append({"boxes": boxes, "labels": labels})
        kept = rng.random(count) < 0.9
        near = [boxes[kept] + rng.normal(0, spread, (kept.sum(), 4)) for spread in (0.3, 2.0)]
        lost = rng.uniform(0, 50, (int(rng.integers(0, 4)), 2))
        guessed = np.concatenate([*near, np.concatenate([lost, lost + rng.uniform(1, 20, lost.shape)], 1)])
        guessed[:, 2:] = np.maximum(guessed[:, 2:], guessed[:, :2] + 0.1)
        names = np.concatenate([labels[kept], labels[kept], rng.integers(classes, size=len(lost))])
        wrong = rng.random(len(names)) < 0.1
        names[wrong] = rng.integers(classes, size=wrong.sum())
        scores = rng.random(len(guessed)).round(1)  # with ties
        predictions.append({"boxes": guessed, "labels": names, "scores": scores})
    return truths, predictions


def coco(truths: Images, predictions: Images, area: tuple[float, float]) -> np.ndarray:
    """pycocotools' precision, (thresholds, recalls, classes)."""
    coco_api = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")

    def rows(images: Images) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for image, content in enumerate(images):
            for k, (x0, y0, x1, y1) in enumerate(content["boxes"].tolist()):
                box = [x0, y0, x1 - x0, y1 - y0]
                found.append({"id": len(found) + 1, "image_id": image, "bbox": box, "area": box[2] * box[3]})
                found[-1] |= {"category_id": int(content["labels"][k]), "iscrowd": 0}
                if "scores" in content:
                    found[-1]["score"] = float(content["scores"][k])
        return found

    classes = sorted({int(label) for image in truths for label in image["labels"]})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_api.COCO()
        truth.dataset = {
            "images": [{"id": k} for k in range(len(truths))], "annotations": rows(truths),
            "categories": [{"id": label} for label in classes],
        }  # fmt: skip
        truth.createIndex()
        run = evaluation.COCOeval(truth, truth.loadRes(rows(predictions)), "bbox")
        run.params.areaRng, run.params.areaRngLbl, run.params.maxDets = [list(area)], ["all"], [100]
        run.evaluate()
        run.accumulate()
    return run.eval["precision"][..., 0, 0].mean(1).T  # (classes, thresholds), -1 of a class without truths


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("area", [EVERY_SIZE, (0, 64), (64, 1e10)])
def test_average_precision_is_that_of_pycocotools(seed: int, area: tuple[float, float]) -> None:
    truths, predictions = scene(np.random.default_rng(seed), 60, 3)
    want = coco(truths, predictions, area)
    found = average_precision(predictions, truths, area=area)
    np.testing.assert_allclose([found[label] for label in sorted(found)], want, atol=1e-6)
    assert 0.02 < want.mean() < 0.9


def test_a_perfect_detector_reaches_one_and_one_that_sees_nothing_zero() -> None:
    truths, _ = scene(np.random.default_rng(0), 20, 2)
    perfect = [{**truth, "scores": np.ones(len(truth["labels"]))} for truth in truths]
    nothing = [{"boxes": np.zeros((0, 4)), "labels": np.zeros(0, int), "scores": np.zeros(0)} for _ in truths]
    assert all((value == 1).all() for value in average_precision(perfect, truths).values())
    assert all((value == 0).all() for value in average_precision(nothing, truths).values())
    assert average_precision(nothing, [{"boxes": [], "labels": []}] * 20) == {}


def test_as_many_images_are_predicted_as_there_are() -> None:
    with pytest.raises(ValueError, match="predictions of 1 images and truths of 2"):
        average_precision([{}], [{}, {}])


def test_overlap_of_boxes_by_hand() -> None:
    boxes = np.array([[0, 0, 2, 2], [5, 5, 6, 6], [3, 3, 3, 3]])
    np.testing.assert_allclose(box_iou(boxes, np.array([[1, 0, 3, 2], [3, 3, 3, 3]])), [[1 / 3, 0], [0, 0], [0, 0]])
