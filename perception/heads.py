"""Heads: what is predicted from the feature maps of an encoder."""

from collections.abc import Sequence

from torch import Tensor, nn


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
