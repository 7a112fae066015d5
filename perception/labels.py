"""Endless labelled batches from a source that is handed in, and the variation of light, colour, noise and sharpness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

Source = Callable[[], Mapping[str, Any]]
"""Draws the next pictures with their labels, as worlds annotate them: "rgb" (B, H, W, 3) uint8, "semantic" (B, H, W, 1)
uint8, and "boxes", a list of B dicts with "boxes" (M, 4) and "labels" (M,). The arrays may be used again afterwards."""

_NOISE_BITS = 5  # numbers of the noise bank are of deviation 2⁵: within a byte, and fine enough
_GAIN_BITS = 7  # gains are whole numbers of 1 / 2⁷
_AT_ONCE = 1 << 18  # pixels
_BANK = 1 << 20  # numbers of noise that a batch's begin among


class Labelled(NamedTuple):
    """A batch of pictures with what is to be seen on them."""

    images: Tensor  # (B, H, W, 3) uint8
    semantic: Tensor  # (B, H, W) uint8 class of every pixel
    boxes: Tensor  # (M, 4) float32 x0, y0, x1, y1 in pixels, half open, of all images
    labels: Tensor  # (M,) int64 their classes
    owner: Tensor  # (M,) int64 the image that each is on, ascending


@dataclass(frozen=True)
class Variation:
    """How strongly pictures are varied; every image draws its own numbers, evenly from these ranges."""

    brightness: float = 0.12
    """Added, up or down at most, as a share of full white."""
    contrast: float = 0.3
    """Factor about mid-grey, 1 ± this."""
    cast: float = 0.12
    """Factor of each colour on its own, 1 ± this."""
    noise: float = 0.04
    """Standard deviation of the grain at most, as a share of full white."""
    blur: float = 0.2
    """Share of images that are blurred by 1, 2, 1 in both directions."""

    def __post_init__(self) -> None:
        for name, most in (("brightness", 1.0), ("contrast", 0.5), ("cast", 0.3), ("noise", 0.5), ("blur", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be 0 to {most:g}, got {getattr(self, name)}")


class _Strengths(NamedTuple):
    """What was drawn for B images of W pixels' width."""

    gain: Tensor  # (B, 1, W * 3) int16, of 2⁷
    offset: Tensor  # (B, 1, 1) int16
    deviation: Tensor  # (B, 1, 1) int16 of the grain, in quarters


class Varied:
    """Varies uint8 images in whole numbers, a few microseconds an image of 64×64.

    Args:
        variation: how strongly.
        seed: of all that is drawn.
    """

    def __init__(self, variation: Variation, seed: int = 0) -> None:
        self.variation = variation
        self._generator = torch.Generator().manual_seed(seed)
        self._bank = torch.zeros(0, dtype=torch.int8)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 from such images, which stay as they are."""
        (count, height, width, _), how = images.shape, self.variation
        even = torch.rand((7, count, 1), generator=self._generator) * 2 - 1
        gain = (1 + how.contrast * even[0]) * (1 + how.cast * even[1:4, :, 0].T)  # (B, 3)
        strengths = _Strengths(
            (gain * (1 << _GAIN_BITS)).round().clamp(0, 255).to(torch.int16).repeat(1, width)[:, None],
            (128 + 255 * how.brightness * even[4]).round().to(torch.int16)[:, None],
            (255 * how.noise * even[5].abs() * (1 << (7 - _NOISE_BITS))).round().to(torch.int16)[:, None],
        )
        order = even[6, :, 0].argsort()  # of these, the first are blurred
        blurred = int((even[6] < 2 * how.blur - 1).sum())
        varied = torch.empty_like(images)
        at_once = max(_AT_ONCE // (height * width), 1)
        bounds = [*range(0, blurred, at_once), *range(blurred, count, at_once), count]
        for start, end in pairwise(bounds):
            some = images.index_select(0, order[start:end]).to(torch.int16)
            numbers = _Strengths(*(each[start:end] for each in strengths))
            varied[start:end] = self._vary(_blur(some) if start < blurred else some, numbers)
        return varied.index_select(0, order.argsort())

    def _vary(self, images: Tensor, strengths: _Strengths) -> Tensor:
        """Some images at a time, so that they stay in the processor's cache: (B, H, W, 3) int16, written."""
        rows = images.view(len(images), images.shape[1], -1)
        rows.sub_(128).mul_(strengths.gain).bitwise_right_shift_(_GAIN_BITS).add_(strengths.offset)
        if self.variation.noise:
            noise = self._noise(rows.shape).to(torch.int16)
            rows.add_(noise.mul_(strengths.deviation).bitwise_right_shift_(7))
        return images.clamp_(0, 255)

    def _noise(self, shape: torch.Size) -> Tensor:
        """Normal numbers of deviation 2⁵, cut at the ends of a byte, from anywhere in a bank of them."""
        size = shape.numel()
        if len(self._bank) < size + _BANK:
            normal = torch.randn(size + _BANK, generator=self._generator) * (1 << _NOISE_BITS)
            self._bank = normal.round().clamp(-128, 127).to(torch.int8)
        start = int(torch.randint(_BANK, (1,), generator=self._generator))
        return self._bank[start : start + size].view(shape)


def _blur(images: Tensor) -> Tensor:
    """Weights 1, 2, 1 down and across; edges are repeated. (B, H, W, C) int16."""
    for axis in (1, 2):
        last = images.shape[axis] - 1
        total = images * 2
        total.narrow(axis, 1, last).add_(images.narrow(axis, 0, last))
        total.narrow(axis, 0, last).add_(images.narrow(axis, 1, last))
        for edge in (0, last):
            total.narrow(axis, edge, 1).add_(images.narrow(axis, edge, 1))
        images = total.add_(2).bitwise_right_shift_(2)
    return images


def labelled(pictures: Mapping[str, Any], vary: Callable[[Tensor], Tensor] = torch.clone) -> Labelled:
    """One batch of tensors from what a `Source` returned: copies, which stay as they are.

    Args:
        pictures: what the source returned.
        vary: makes new images (B, H, W, 3) uint8 of those drawn.

    Raises:
        ValueError: arrays that are not of the shapes and dtypes of a `Source`.
    """
    rgb, semantic, targets = (pictures[name] for name in ("rgb", "semantic", "boxes"))
    if rgb.dtype != np.uint8 or rgb.ndim != 4 or semantic.shape != (*rgb.shape[:3], 1) or len(targets) != len(rgb):
        raise ValueError(
            'a source gives "rgb" (B, H, W, 3) uint8, "semantic" (B, H, W, 1) uint8 and a list of B "boxes"; got '
            f"{rgb.dtype} {rgb.shape}, {semantic.dtype} {semantic.shape} and {len(targets)}"
        )
    counts = [len(target["labels"]) for target in targets]
    boxes = np.concatenate([target["boxes"] for target in targets]).astype(np.float32, copy=False)
    labels = np.concatenate([target["labels"] for target in targets])
    return Labelled(
        vary(torch.from_numpy(rgb)),
        torch.from_numpy(semantic[..., 0]).clone(),
        torch.from_numpy(boxes),
        torch.from_numpy(labels),
        torch.from_numpy(np.repeat(np.arange(len(rgb)), counts)),
    )


def labelled_batches(source: Source, variation: Variation | None = None, seed: int = 0) -> Iterator[Labelled]:
    """Batch after batch without end, as many images each as the source draws.

    Args:
        source: draws pictures with their labels.
        variation: of the pictures; None leaves them as they are drawn.
        seed: of the variation.
    """
    vary = Varied(variation, seed) if variation else torch.clone
    while True:
        yield labelled(source(), vary)


def gathered(source: Source, images: int) -> Labelled:
    """The next so many images of a source, or a few more, in one batch."""
    batches: list[Labelled] = []
    while sum(len(batch.images) for batch in batches) < images:
        batches.append(labelled(source()))
    starts = np.cumsum([0, *(len(batch.images) for batch in batches)])
    owners = [batch.owner + int(start) for batch, start in zip(batches, starts, strict=False)]
    joined = Labelled(*(torch.cat(parts) for parts in zip(*batches, strict=True)))
    return joined._replace(owner=torch.cat(owners))
