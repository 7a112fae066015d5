"""Tight boxes of random instance pictures, against NumPy."""

import numpy as np
import pytest

from visnav.envs.boxes import tight_boxes


@pytest.mark.parametrize(("height", "width", "numbers", "share"), [(7, 13, 40, 0.9), (64, 64, 9, 0.02), (5, 1, 3, 0.5)])
def test_boxes_are_tight_and_ascending_whatever_lies_where(height: int, width: int, numbers: int, share: float) -> None:
    rng = np.random.default_rng(height)
    instance = rng.integers(1, numbers, (6, height, width, 1), np.int32)
    instance[rng.random(instance.shape) > share] = 0
    instance[2] = 0  # nothing is seen
    classes = rng.integers(0, 256, numbers).astype(np.uint8)
    targets = tight_boxes(instance, classes[instance], numbers - 1, numbers)
    assert len(targets) == 6
    for picture, target in zip(instance[..., 0], targets, strict=True):
        assert target["ids"].tolist() == sorted(set(picture.ravel().tolist()) - {0})
        assert (target["labels"] == classes[target["ids"]]).all()
        want = []
        for number in target["ids"]:
            rows, columns = np.nonzero(picture == number)
            want.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert target["boxes"].tolist() == want
        assert [array.dtype for array in target.values()] == [np.float32, np.int64, np.int64]
        assert target["boxes"].shape == (len(want), 4)
