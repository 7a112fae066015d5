"""What colour alone can tell: the baselines of networks that see. In a clean renderer they would be perfect."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from visnav.perception.metrics import average_precision

Images = NDArray[np.uint8]  # (B, H, W, 3)

STEP_BITS = 4  # each channel is cut into 2⁴ steps
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # thresholds that are tried


class ColourThreshold:
    """Tells the class of a pixel by thresholds of its colour.

    Each channel is cut into 16 steps; of every cube of colours it is remembered what share of the training pixels in
    it is of which class. That is the best that any thresholds of these steps can do.

    Args:
        images: (B, H, W, 3) uint8, to learn from.
        semantic: (B, H, W) uint8 their classes.
        classes: number of them.
    """

    def __init__(self, images: Images, semantic: NDArray[np.uint8], classes: int) -> None:
        pairs = self._cubes(images).astype(np.int64) * classes + semantic
        counts = np.bincount(pairs.ravel(), minlength=(1 << 3 * STEP_BITS) * classes).reshape(-1, classes)
        self._most = np.where(counts.any(1), counts.argmax(1), counts.sum(0).argmax())
        self.shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)

    @staticmethod
    def _cubes(images: Images) -> NDArray[np.integer[Any]]:
        """The number of each pixel's cube of colours."""
        red, green, blue = (images[..., k].astype(np.uint16) >> (8 - STEP_BITS) for k in range(3))
        return red << 2 * STEP_BITS | green << STEP_BITS | blue

    def segment(self, images: Images) -> NDArray[np.int64]:
        """(B, H, W) the class that most training pixels of such a colour are of."""
        return self._most[self._cubes(images)]

    def components(
        self, images: Images, classes: tuple[int, ...], threshold: float, least_area: float
    ) -> list[dict[str, NDArray[Any]]]:
        """Boxes around connected pixels whose colour is of these classes by a share above the threshold.

        Returns:
            An image each: "boxes" (M, 4) half open, at least so large, "scores" (M,) the mean share.
        """
        share = self.shares[:, list(classes)].sum(1)[self._cubes(images)]
        found = []
        for picture in share:
            parts, _ = ndimage.label(picture > threshold)
            slices = ndimage.find_objects(parts)
            boxes = np.array([(x.start, y.start, x.stop, y.stop) for y, x in slices], np.float64).reshape(-1, 4)
            scores = ndimage.mean(picture, parts, np.arange(1, len(slices) + 1))
            large = (boxes[:, 2:] - boxes[:, :2]).prod(1) >= least_area
            found.append({"boxes": boxes[large], "scores": np.asarray(scores, np.float64).reshape(-1)[large]})
        return found


class ColourDetector:
    """Boxes around connected pixels of a thing's colours; each thing's threshold is the best for the training images.

    Args:
        images, semantic: as in ColourThreshold.
        truths: an image each, "boxes" (M, 4) and "labels" (M,), places in `things`.
        things: the classes of pixels that each thing has.
        classes: number of classes of pixels.
        least_area: of boxes that count, in pixels.
    """

    def __init__(
        self, images: Images, semantic: NDArray[np.uint8], truths: list[dict[str, Any]],
        things: list[tuple[int, ...]], classes: int, least_area: float,
    ) -> None:  # fmt: skip
        self.colours = ColourThreshold(images, semantic, classes)
        self._things, self._least_area = things, least_area
        self.thresholds = [0.0] * len(things)
        for label in range(len(things)):
            self.thresholds[label] = max(
                SHARES, key=lambda share: self._precision(images, truths, label, share)
            )  # fmt: skip

    def _precision(self, images: Images, truths: list[dict[str, Any]], label: int, threshold: float) -> float:
        """AP50 of one thing at a threshold."""
        found = self.colours.components(images, self._things[label], threshold, self._least_area)
        named = [{**boxes, "labels": np.full(len(boxes["scores"]), label)} for boxes in found]
        value = average_precision(named, truths, (0.5,), (self._least_area, 1e10)).get(label)
        return 0.0 if value is None else float(value[0])

    def detect(self, images: Images) -> list[dict[str, NDArray[Any]]]:
        """As `Detector.detect`, in arrays."""
        by_thing = [
            self.colours.components(images, classes, threshold, self._least_area)
            for classes, threshold in zip(self._things, self.thresholds, strict=True)
        ]
        return [
            {
                "boxes": np.concatenate([boxes["boxes"] for boxes in found]),
                "scores": np.concatenate([boxes["scores"] for boxes in found]),
                "labels": np.repeat(np.arange(len(found)), [len(boxes["scores"]) for boxes in found]),
            }
            for found in zip(*by_thing, strict=True)
        ]


class PixelRegression:
    """Logistic regression of a pixel's class on its red, green, blue, row and column.

    Args:
        images, semantic: as in ColourThreshold.
        pixels: drawn from them to learn from.
        seed: of the draw.
    """

    def __init__(self, images: Images, semantic: NDArray[np.uint8], pixels: int = 40_000, seed: int = 0) -> None:
        chosen = np.random.default_rng(seed).integers(semantic.size, size=pixels)
        self._model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        self._model.fit(self._features(images).reshape(-1, 5)[chosen], semantic.reshape(-1)[chosen])

    @staticmethod
    def _features(images: Images) -> NDArray[np.float32]:
        """(B, H, W, 5), places as shares of the height and width."""
        count, height, width = images.shape[:3]
        rows = np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, None, None], (count, height, width, 1))
        columns = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32)[:, None], (count, height, width, 1))
        return np.concatenate([images.astype(np.float32) / 255, rows, columns], -1)

    def segment(self, images: Images) -> NDArray[np.int64]:
        """(B, H, W) the likeliest class."""
        return self._model.predict(self._features(images).reshape(-1, 5)).reshape(images.shape[:3])
