"""Which pixels a number hangs on: Grad-CAM from a network's maps, occlusion from the images alone.

Both ask about a score, one number an image: the logit of a class, the log-probability of an action, a value.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Score = Callable[[Tensor], Tensor]
"""From images (B, H, W, C) to one number of each (B,), which autograd can follow for Grad-CAM."""


def grad_cam(score: Score, layer: nn.Module, images: Tensor) -> Tensor:
    """Where in the images the maps speak for a higher score: Selvaraju et al. 2017 (arXiv:1610.02391).

    The maps are weighted by the mean of the score's gradient over each of them and added up; what is left above 0 is
    stretched over the image, bilinearly. The network's own gradients are left alone, and it may be frozen.

    Args:
        score: see `Score`; asked once.
        layer: that makes the maps (B, channels, h, w) on the way from images to score, such as `encoder.maps`, or the
            last stage of a Pyramid, `encoder.maps[-1]`, in a Segmenter.
        images: (B, H, W, C).

    Returns:
        (B, H, W) float32, 0 or more, in units of the score.

    Raises:
        ValueError: the score does not come from the maps of this layer.
    """
    maps: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        maps.append(output.detach().requires_grad_())  # what lies before the maps needs no gradient
        return maps[-1]

    hook = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            total = score(images).sum()
    finally:
        hook.remove()
    if len(maps) != 1:
        raise ValueError(
            f"the score must come from one pass through the layer ({type(layer).__name__}); it passed {len(maps)} "
            "times; give a layer of the network that makes the score"
        )
    gradient = torch.autograd.grad(total, maps, allow_unused=True)[0] if total.requires_grad else None
    if gradient is None:
        raise ValueError(
            f"the score does not depend on the maps of the layer ({type(layer).__name__}), as far as autograd can "
            "tell; give a layer on the way to the score, and a score without detach() or torch.no_grad()"
        )
    weights = gradient.float().mean((2, 3), keepdim=True)
    heat = F.relu((weights * maps[0].detach().float()).sum(1, keepdim=True))
    return F.interpolate(heat, images.shape[1:3], mode="bilinear")[:, 0]


@torch.no_grad()
def occlusion(
    score: Score, images: Tensor, window: int = 8, stride: int = 4, fill: float = 0.0, batch_size: int = 256
) -> Tensor:
    """How much the score falls where a square of the image is covered: Zeiler and Fergus 2014 (arXiv:1311.2901).

    A pixel's number is the mean over all squares that cover it. Squares at the right and lower edges may be cut.

    Args:
        score: see `Score`; asked with many covered images at once.
        images: (B, H, W, C).
        window: side of the square in pixels.
        stride: pixels from one square to the next, at most `window`, so that every pixel is covered.
        fill: what the square is covered with, in all channels.
        batch_size: covered images that are asked about at once.

    Returns:
        (B, H, W) float32, positive where the pixels speak for a higher score.

    Raises:
        ValueError: window or stride are out of range.
    """
    count, height, width, _ = images.shape
    if not 0 < stride <= window or window > min(height, width):
        raise ValueError(
            f"a square of window={window} pixels, moved by stride={stride}, must fit in images of {height}×{width} and "
            "leave no gap: 0 < stride <= window <= the image's smaller side"
        )
    corners = [[min(stride * k, side) for k in range(-(-(side - window) // stride) + 1)] for side in (height, width)]
    y, x = torch.arange(height)[:, None], torch.arange(width)
    squares = torch.stack(
        [
            (y >= top) & (y < top + window) & (x >= left) & (x < left + window)
            for top in corners[0]
            for left in corners[1]
        ]
    ).to(images.device)
    heat = torch.empty(count, height, width, device=images.device)
    for i, image in enumerate(images):
        scores = [
            score(image.masked_fill(some[..., None], fill)).float()  # (squares, H, W, C)
            for some in squares.split(batch_size)
        ]
        falls = score(image[None]).float() - torch.cat(scores)
        heat[i] = torch.tensordot(falls, squares.float(), 1) / squares.sum(0)
    return heat
