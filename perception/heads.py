"""Heads: what is predicted from the feature maps of an encoder, and networks of both."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.perception.encoders import Pyramid, initialise_for_relu


class UpsamplingHead(nn.Module):
    """Predictions on a grid finer than the maps: one transposed convolution, then one of 3×3.

    Stride and kernel of the first are such that the maps' first and last cells reach the grid's edges, with overlap
    where the grid is no multiple of the maps.

    Args:
        maps_shape: (channels, h, w) of one image's maps.
        outputs: numbers predicted at every point of the grid.
        grid: (H, W), no less than (h, w).
        channels: between the two convolutions.

    Raises:
        ValueError: the grid is coarser than the maps.
    """

    def __init__(self, maps_shape: Sequence[int], outputs: int, grid: Sequence[int], channels: int = 32) -> None:
        super().__init__()
        depth, *cells = maps_shape
        if any(points < count for points, count in zip(grid, cells, strict=True)):
            raise ValueError(
                f"a head predicts on a grid no coarser than the maps, which are {tuple(cells)}; got {grid}"
            )
        stride = [points // count for points, count in zip(grid, cells, strict=True)]
        kernel = [p - (count - 1) * s for p, count, s in zip(grid, cells, stride, strict=True)]
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(depth, channels, (kernel[0], kernel[1]), (stride[0], stride[1])),
            nn.ReLU(),
            nn.Conv2d(channels, outputs, 3, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, outputs, H, W) from maps (B, channels, h, w)."""
        return self.layers(maps)


class SegmentationHead(nn.Module):
    """A class for every pixel, from the maps of all stages of a Pyramid: fully convolutional, for images of any size.

    First two dilated convolutions look 2, then 4 cells of the coarsest stage around, and what they find is added (as
    in DeepLab, Chen et al. 2017, arXiv:1706.05587): what a large plain surface is can only be told from afar. Then the
    expanding path of U-Net (Ronneberger et al. 2015, arXiv:1505.04597). From the coarsest stage up: a 1×1
    convolution to the width of the next finer stage, every number repeated in 2×2 pixels, that stage's maps added
    (as LinkNet does, Chaurasia and Culurciello 2017, arXiv:1707.03718, at half the cost of U-Net's concatenation),
    one 3×3 convolution. Where a side of the finer maps is odd, the last repeated row or column is left out, so that
    every number stays over the pixels that it was made from.

    Args:
        channels: width of each stage, the finest first.
        outputs: classes.
    """

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        pairs, coarsest = list(zip(channels[1:], channels[:-1], strict=True)), channels[-1]
        self.around = nn.Sequential(
            nn.Conv2d(coarsest, coarsest, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(coarsest, coarsest, 3, padding=4, dilation=4),
            nn.ReLU(),
        )
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for coarse, fine in pairs)
        self.blend = nn.ModuleList(nn.Conv2d(fine, fine, 3, padding=1) for _, fine in pairs)
        self.classify = nn.Conv2d(channels[0], outputs, 1)
        initialise_for_relu(self)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Logits (B, outputs, H, W) from maps (B, channels[k], ⌈H / 2ᵏ⌉, ⌈W / 2ᵏ⌉), k = 0, 1, …"""
        maps = stages[-1] + self.around(stages[-1])
        for k in reversed(range(len(self.narrow))):
            height, width = stages[k].shape[-2:]
            raised = F.interpolate(self.narrow[k](maps), scale_factor=2.0)[..., :height, :width]
            maps = F.relu(self.blend[k](raised + stages[k]))
        return self.classify(maps)


class Segmenter(nn.Module):
    """A Pyramid and a SegmentationHead: uint8 images (B, H, W, C) in, logits (B, classes, H, W) out, any H and W.

    Args:
        encoder: whose stages are read; a policy may read the same one.
        classes: number of them.
    """

    def __init__(self, encoder: Pyramid, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = SegmentationHead(encoder.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes, H, W); `argmax(1)` are the predicted classes."""
        return self.head(self.encoder.stages(images))


class DetectionHead(nn.Module):
    """What is where, predicted at every cell of a stage's maps, from the maps of that stage and all coarser ones.

    One-stage and without anchors, as FCOS (Tian et al. 2019, arXiv:1904.01355): at each cell a score for every class,
    and how far the box's four edges are from the cell's middle. Coarser maps are narrowed, repeated in 2×2 cells and
    added, as in SegmentationHead.

    Args:
        channels: width of each stage of a Pyramid, the finest first.
        classes: number of them.
        stage: whose cells predict; they are 2^stage pixels wide.
        width: channels of its last convolution.
    """

    def __init__(self, channels: Sequence[int], classes: int, stage: int = 2, width: int = 64) -> None:
        super().__init__()
        pairs = list(zip(channels[stage + 1 :], channels[stage:-1], strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for coarse, fine in pairs)
        self.blend = nn.ModuleList(nn.Conv2d(fine, fine, 3, padding=1) for _, fine in pairs)
        self.widen = nn.Conv2d(channels[stage], width, 3, padding=1)
        self.predict = nn.Conv2d(width, classes + 4, 1)
        self.stage = stage
        initialise_for_relu(self)
        with torch.no_grad():
            self.predict.weight.mul_(0.1)
            bias = torch.zeros(classes + 4)
            bias[:classes] = -4.0  # nearly every cell is background
            self.predict.bias = nn.Parameter(bias)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """(B, classes + 4, h, w): logits of the classes; distances left, up, right, down in logs of cells."""
        maps = stages[-1]
        for k in reversed(range(len(self.narrow))):
            finer = stages[self.stage + k]
            height, width = finer.shape[-2:]
            raised = F.interpolate(self.narrow[k](maps), scale_factor=2.0)[..., :height, :width]
            maps = F.relu(self.blend[k](raised + finer))
        return self.predict(F.relu(self.widen(maps)))
