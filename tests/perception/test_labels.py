"""Labelled batches: what a source drew, varied as asked, and the same again from the same seed."""

import numpy as np
import pytest
import torch

from visnav.perception.labels import Labelled, Variation, Varied, gathered, labelled, labelled_batches


class Squares:
    """A source of pictures of two squares each, in arrays that it uses again."""

    def __init__(self) -> None:
        self.rgb, self.semantic = np.zeros((3, 16, 20, 3), np.uint8), np.zeros((3, 16, 20, 1), np.uint8)
        self.drawn = 0

    def __call__(self) -> dict:
        self.rgb[:], self.semantic[:] = 60, 0
        self.drawn += 1
        boxes = []
        for i in range(3):
            found = []
            for k in range(i):  # the first has none
                x, y = (7 * k + self.drawn) % 12, 3 * i
                self.rgb[i, y : y + 4, x : x + 5], self.semantic[i, y : y + 4, x : x + 5] = 200, k + 1
                found.append((x, y, x + 5, y + 4))
            boxes.append({"boxes": np.array(found, np.float32).reshape(-1, 4), "labels": np.arange(1, i + 1)})
        return {"rgb": self.rgb, "semantic": self.semantic, "boxes": boxes}


def test_a_batch_is_a_copy_of_what_the_source_drew_and_boxes_know_their_image() -> None:
    source = Squares()
    first, second = labelled(source()), labelled(source())
    assert [tuple(part.shape) for part in first] == [(3, 16, 20, 3), (3, 16, 20), (3, 4), (3,), (3,)]
    assert [part.dtype for part in first] == [torch.uint8, torch.uint8, torch.float32, torch.int64, torch.int64]
    assert not torch.equal(first.images, second.images)  # though the source wrote the same array
    for batch in (first, second):
        assert batch.owner.tolist() == [1, 2, 2]
        for (x0, y0, x1, y1), label, owner in zip(batch.boxes.int().tolist(), batch.labels, batch.owner, strict=True):
            assert (batch.images[owner, y0:y1, x0:x1] == 200).all()
            assert batch.semantic[owner, y0, x0] == label or label == 1  # the second may cover the first


def test_batches_gathered_into_one_keep_their_boxes() -> None:
    together = gathered(Squares(), 7)
    source = Squares()
    for k in range(3):
        batch = labelled(source())
        chosen = (together.owner >= 3 * k) & (together.owner < 3 * k + 3)
        assert torch.equal(together.images[3 * k : 3 * k + 3], batch.images)
        assert torch.equal(together.boxes[chosen], batch.boxes)
        assert torch.equal(together.owner[chosen] - 3 * k, batch.owner)
    assert len(together.images) == 9


def test_a_source_of_other_arrays_is_refused() -> None:
    pictures = Squares()()
    with pytest.raises(ValueError, match=r"\(B, H, W, 3\) uint8.*got float64 \(3, 16, 20, 3\)"):
        labelled({**pictures, "rgb": pictures["rgb"] / 255})
    with pytest.raises(ValueError, match="and 2"):
        labelled({**pictures, "boxes": pictures["boxes"][:2]})


def test_without_variation_pictures_are_as_drawn_and_with_it_labels_are() -> None:
    plain, varied = labelled_batches(Squares()), labelled_batches(Squares(), Variation(), seed=1)
    again, other = labelled_batches(Squares(), Variation(), seed=1), labelled_batches(Squares(), Variation(), seed=2)
    for batches in zip(range(4), plain, varied, again, other, strict=False):
        drawn, changed, same, different = batches[1:]
        assert drawn.images.unique().tolist() == [60, 200]
        assert torch.equal(changed.images, same.images)
        assert not torch.equal(changed.images, different.images)
        for name in Labelled._fields[1:]:
            assert torch.equal(getattr(drawn, name), getattr(changed, name))


def pixels(variation: Variation, value: int = 100, count: int = 400) -> torch.Tensor:
    """Images of one grey, varied: (count, 8, 8, 3) float."""
    return Varied(variation, seed=3)(torch.full((count, 8, 8, 3), value, dtype=torch.uint8)).float()


NOTHING = {"brightness": 0.0, "contrast": 0.0, "cast": 0.0, "noise": 0.0, "blur": 0.0}


def test_each_way_of_variation_does_what_it_says() -> None:
    assert (pixels(Variation(**NOTHING)) == 100).all()
    bright = pixels(Variation(**NOTHING | {"brightness": 0.2})) - 100
    assert (bright.flatten(1).std(1) == 0).all()
    assert abs(bright.min() + 51) <= 2
    assert abs(bright.max() - 51) <= 2
    contrast = pixels(Variation(**NOTHING | {"contrast": 0.5}), value=28) - 128
    assert -151 <= contrast.min() <= -148 or contrast.min() == -128  # cut at black
    assert abs(contrast.max() + 50) <= 2
    cast = pixels(Variation(**NOTHING | {"cast": 0.2}), value=228)[:, 0, 0]
    assert abs(cast.min() - 208) <= 2
    assert abs(cast.max() - 248) <= 2
    assert abs(torch.corrcoef(cast.T)[0, 1]) < 0.2  # each colour on its own
    noise = pixels(Variation(**NOTHING | {"noise": 0.1}), value=128)
    deviations = noise.flatten(1).std(1)
    assert deviations.min() < 2
    assert 22 < deviations.max() < 29
    assert abs(noise.mean() - 128) < 1
    step = torch.zeros(200, 8, 8, 3, dtype=torch.uint8)
    step[:, :, 4:] = 200
    blurred = Varied(Variation(**NOTHING | {"blur": 0.5}), seed=0)(step)
    changed = (blurred != step).flatten(1).any(1)
    assert 0.35 < changed.float().mean() < 0.65
    assert (blurred[changed][:, :, :, 0] == torch.tensor([0, 0, 0, 50, 150, 200, 200, 200])).all()


def test_varied_images_keep_their_places_blurred_or_not() -> None:
    images = torch.arange(250, dtype=torch.uint8)[:, None, None, None].repeat(1, 6, 5, 3)
    images[:, 2, 2] = 255  # what a blur spreads
    vary = Varied(Variation(**NOTHING | {"blur": 0.5}), seed=1)
    varied = vary(images)
    assert (varied[:, 0, 0, 0] == torch.arange(250)).all()
    blurred = (varied != images).flatten(1).any(1)
    assert 0.35 < blurred.float().mean() < 0.65
    assert (images[:, 2, 2] == 255).all()  # those given stay as they are
    assert ((vary(images) != images).flatten(1).any(1) != blurred).any()  # others are blurred next time


def test_impossible_variations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"contrast must be 0 to 0.5, got 2"):
        Variation(contrast=2)
