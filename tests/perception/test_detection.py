"""The detector: cells find their boxes, predictions become boxes again, and a small one learns."""

import numpy as np
import pytest
import torch
from torch import Tensor

from visnav.perception.detection import Detector, assign, cell_middles, decode, detection_loss, suppress
from visnav.perception.encoders import Pyramid
from visnav.perception.labels import Labelled
from visnav.perception.metrics import average_precision, box_iou


def batch_of(boxes: list[list[float]], owner: list[int], images: int = 2, size: tuple[int, int] = (32, 48)) -> Labelled:
    """Black images with boxes of class 0."""
    return Labelled(
        torch.zeros(images, *size, 3, dtype=torch.uint8),
        torch.zeros(images, *size, dtype=torch.uint8),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.zeros(len(boxes), dtype=torch.int64),
        torch.tensor(owner, dtype=torch.int64),
    )


def test_a_cell_finds_the_smallest_box_whose_middle_is_near() -> None:
    batch = batch_of([[0, 0, 48, 32], [20, 12, 28, 20], [45, 1, 47, 2]], [0, 0, 1])
    target = assign(batch, 8, 12, 4).view(2, 8, 12)
    for image in range(2):
        for row in range(8):
            for column in range(12):
                x, y = 4 * column + 2, 4 * row + 2
                near = []
                for k, (x0, y0, x1, y1) in enumerate(batch.boxes.tolist()):
                    middle = (x0 + x1) / 2, (y0 + y1) / 2
                    inside = x0 < x < x1 and y0 < y < y1 and max(abs(x - middle[0]), abs(y - middle[1])) <= 4
                    if batch.owner[k] == image and (inside or (middle[0] // 4, middle[1] // 4) == (column, row)):
                        near.append(((x1 - x0) * (y1 - y0), k))
                assert target[image, row, column] == (min(near)[1] if near else -1)
    assert (target == 2).sum() == 1  # though the middle of no cell lies in it
    assert (assign(batch_of([], []), 8, 12, 4) == -1).all()


def test_decoding_gives_back_the_boxes_that_distances_were_measured_of() -> None:
    middles = cell_middles(3, 5, 4)
    boxes = torch.cat([middles - torch.rand(15, 2) * 9 - 0.1, middles + torch.rand(15, 2) * 9 + 0.1], 1)
    logs = torch.cat([middles - boxes[:, :2], boxes[:, 2:] - middles], 1).div(4).log()
    predictions = torch.cat([torch.zeros(15, 2), logs], 1).T.reshape(1, 6, 3, 5)
    scores, decoded = decode(predictions, 2, 4)
    torch.testing.assert_close(decoded[0], boxes)
    assert (scores == 0.5).all()
    _, cut = decode(predictions, 2, 4, (12, 20))
    torch.testing.assert_close(cut[0], torch.stack([boxes[:, k].clamp(0, (20, 12)[k % 2]) for k in range(4)], 1))


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_the_greedy_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 30, (3, 40, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 20, (3, 40, 2))], -1)
    labels = rng.integers(2, size=(3, 40))
    kept = suppress(torch.tensor(boxes), torch.tensor(labels), 0.3)
    for i in range(3):
        stays: list[int] = []
        for k in range(40):
            rivals = [j for j in stays if labels[i, j] == labels[i, k]]
            if not rivals or box_iou(boxes[i, k : k + 1], boxes[i, rivals]).max() <= 0.3:
                stays.append(k)
        assert torch.nonzero(kept[i]).flatten().tolist() == stays


def squares(rng: np.random.Generator, count: int) -> tuple[Tensor, Labelled]:
    """Images of up to two squares, class 0 light on dark and class 1 striped, with their boxes."""
    images = np.full((count, 32, 32, 3), 60, np.uint8)
    boxes, labels, owner = [], [], []
    for i in range(count):
        for left in (0, 16)[: rng.integers(1, 3)]:
            side, kind = int(rng.integers(6, 13)), int(rng.integers(2))
            x, y = left + int(rng.integers(0, 16 - side)), int(rng.integers(0, 32 - side))
            images[i, y : y + side, x : x + side] = 200
            if kind:
                images[i, y : y + side : 2, x : x + side] = 20
            boxes.append([x, y, x + side, y + side])
            labels.append(kind)
            owner.append(i)
    batch = batch_of(boxes, owner, count, (32, 32))
    return torch.tensor(images), batch._replace(images=torch.tensor(images), labels=torch.tensor(labels))


def test_a_small_detector_learns_to_find_two_kinds_of_squares() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    detector = Detector(Pyramid((32, 32, 3), channels=(8, 16, 32, 32), pool=True), 2)
    optimizer = torch.optim.Adam(detector.parameters(), 5e-3)
    for _ in range(400):
        loss = detection_loss(detector, squares(rng, 16)[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, batch = squares(rng, 100)
    truths = [
        {"boxes": batch.boxes[batch.owner == i].numpy(), "labels": batch.labels[batch.owner == i].numpy()}
        for i in range(100)
    ]
    found = [{name: value.numpy() for name, value in boxes.items()} for boxes in detector.detect(images)]
    precision = average_precision(found, truths, (0.5,))
    assert min(value[0] for value in precision.values()) > 0.8
    for boxes in found:
        assert (np.diff(boxes["scores"]) <= 0).all()
        assert (boxes["boxes"] >= 0).all()
        assert (boxes["boxes"] <= 32).all()
    other = detector.detect(torch.zeros(1, 45, 71, 3, dtype=torch.uint8))[0]  # a size that no stage divides
    assert other["boxes"].shape[1] == 4


def test_boxes_below_the_least_area_neither_teach_nor_punish() -> None:
    torch.manual_seed(0)
    detector = Detector(Pyramid((32, 48, 3), channels=(4, 8, 8), pool=True), 1)
    small, none = batch_of([[20, 12, 24, 16]], [0]), batch_of([], [])
    taught = detection_loss(detector, small)
    untold = detection_loss(detector, small, least_area=17)
    background = detection_loss(detector, none)
    assert taught > background + 0.1
    assert untold < background
    assert untold > 0.9 * background
