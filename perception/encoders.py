"""Image encoders: uint8 pixels (B, H, W, C) in, one vector per image out.

Every encoder has `features(images)`, the last feature maps (B, channels, h, w), and `forward(images)`, the
vector (B, output_size). Pixels stay uint8 in channels-last order until the first convolution: `permute` makes
them a channels-last NCHW tensor without moving a byte, and the division by 255 is folded into the weights.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PixelConv2d(nn.Conv2d):
    """First convolution of an encoder: images (B, H, W, C) in, maps (B, out, h, w) out.

    uint8 pixels 0..255 are read as 0..1 by scaling the weights, which costs nothing per image and is exact in
    bfloat16 (it holds every integer up to 256); float images are taken as they are.
    """

    def forward(self, images: Tensor) -> Tensor:
        return self._conv_forward(self.cast(images.permute(0, 3, 1, 2)), self.scaled_weight(images), self.bias)

    def scaled_weight(self, images: Tensor) -> Tensor:
        """The weight for pixels as they are stored in `images`."""
        return self.weight / 255.0 if images.dtype == torch.uint8 else self.weight

    def cast(self, images: Tensor) -> Tensor:
        """The images in the type that the convolution computes in."""
        return images.to(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else self.weight.dtype)


class PatchConv2d(PixelConv2d):
    """A PixelConv2d whose stride is its kernel size: one matrix product over the patches of an image.

    The product's weight gradient takes half the time of the convolution's on the CPU. Rows and columns of pixels
    beyond the last whole patch are left out, as a convolution does.
    """

    def __init__(self, in_channels: int, out_channels: int, patch: int) -> None:
        super().__init__(in_channels, out_channels, patch, stride=patch)
        self.patch = patch

    def forward(self, images: Tensor) -> Tensor:
        p, (batch, height, width, channels) = self.patch, images.shape
        h, w = height // p, width // p
        patches = images[:, : h * p, : w * p].reshape(batch, h, p, w, p * channels).transpose(2, 3)
        rows = self.cast(patches.reshape(batch * h * w, p * p * channels))
        weight = self.scaled_weight(images).permute(0, 2, 3, 1).reshape(self.out_channels, -1)
        return F.linear(rows, weight, self.bias).view(batch, h, w, self.out_channels).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """An image encoder: `maps` gives feature maps, `head` turns them into a vector of `output_size` numbers.

    Args of every subclass:
        image_shape: (height, width, channels) of the images.
        output_size: length of the vector.

    Raises:
        ValueError: the images are too small for the layers.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        output_size: int,
        maps: nn.Module,
        pool: bool = False,
        hidden: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.output_size = output_size
        self.maps = maps
        try:
            with torch.no_grad():
                shape = self.maps(torch.zeros(1, *self.image_shape, dtype=torch.uint8)).shape
        except RuntimeError as error:
            raise ValueError(
                f"{type(self).__name__} cannot read images of shape {self.image_shape} (height, width, channels): "
                "its kernels are larger than the image; use larger images or another encoder of "
                "visnav.perception.encoders.ENCODERS"
            ) from error
        sizes = (shape[1] if pool else shape[1:].numel(), *hidden, output_size)
        dense = [(nn.Linear(inputs, outputs), nn.ReLU()) for inputs, outputs in itertools.pairwise(sizes)]
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1) if pool else nn.Identity(), nn.Flatten(), *itertools.chain.from_iterable(dense)
        )

    def features(self, images: Tensor) -> Tensor:
        """The last feature maps (B, channels, h, w) of uint8 images (B, H, W, C)."""
        return self.maps(images)

    def forward(self, images: Tensor) -> Tensor:
        """The vector (B, output_size) of uint8 images (B, H, W, C)."""
        return self.head(self.maps(images))


class NatureCNN(Encoder):
    """The three convolutions of DQN: Mnih et al., "Human-level control through deep RL", Nature 2015."""

    def __init__(self, image_shape: Sequence[int], output_size: int = 512) -> None:
        maps = nn.Sequential(
            PixelConv2d(image_shape[-1], 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )
        super().__init__(image_shape, output_size, maps)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))): IMPALA's block, without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.second(F.relu(self.first(F.relu(maps))))


class Impala(Encoder):
    """IMPALA's residual network: Espeholt et al. 2018 (arXiv:1802.01561), figure 3, as Procgen uses it.

    Args:
        image_shape: (height, width, channels).
        output_size: length of the vector.
        channels: width of each stage; a stage halves the image and has two residual blocks.
        pool: average the last maps over the image before the linear layer.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        output_size: int = 256,
        channels: Sequence[int] = (16, 32, 32),
        pool: bool = False,
    ) -> None:
        layers: list[nn.Module] = []
        before = image_shape[-1]
        for stage, width in enumerate(channels):
            convolution = (nn.Conv2d if stage else PixelConv2d)(before, width, 3, padding=1)
            layers += [convolution, nn.MaxPool2d(3, stride=2, padding=1), ResidualBlock(width), ResidualBlock(width)]
            before = width
        super().__init__(image_shape, output_size, nn.Sequential(*layers, nn.ReLU()), pool)


class Impoola(Impala):
    """IMPALA with global average pooling: Trumpp et al. 2025 (arXiv:2503.05546); generalises better."""

    def __init__(
        self, image_shape: Sequence[int], output_size: int = 256, channels: Sequence[int] = (16, 32, 32)
    ) -> None:
        super().__init__(image_shape, output_size, channels, pool=True)


class PatchStem(Encoder):
    """For images made of square tiles: one convolution that reads a tile at a time, then two 3×3 ones.

    Args:
        image_shape: (height, width, channels), best in whole tiles.
        output_size: length of the vector.
        patch: side of a tile in pixels.
        channels: width of the three convolutions.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        output_size: int = 256,
        patch: int = 8,
        channels: Sequence[int] = (32, 64, 64),
    ) -> None:
        if min(image_shape[:2]) < patch:
            raise ValueError(f"PatchStem reads patches of {patch}×{patch} pixels; the image has {tuple(image_shape)}")
        padding = int(min(image_shape[:2]) < 5 * patch)  # views of 3×3 tiles are too small for valid convolutions
        maps = nn.Sequential(
            PatchConv2d(image_shape[-1], channels[0], patch),
            nn.ReLU(),
            nn.Conv2d(channels[0], channels[1], 3, padding=padding),
            nn.ReLU(),
            nn.Conv2d(channels[1], channels[2], 3, padding=padding),
            nn.ReLU(),
        )
        super().__init__(image_shape, output_size, maps)


def initialise_for_relu(module: nn.Module) -> None:
    """Draw the weights of every convolution such that signals keep their size through ReLUs; zero biases.

    He et al. 2015 (arXiv:1502.01852). Torch's own weights shrink them to less than half a layer, and a deep stack
    without normalisation hardly learns.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Pyramid(Encoder):
    """The contracting path of U-Net: Ronneberger et al. 2015 (arXiv:1505.04597), narrow and padded.

    Two 3×3 convolutions a stage at strides 1, 2, 4, 8 …; between two stages the larger of 2×2 numbers. `stages` gives
    the maps of all of them, for predictions at the images' own size. It reads images of any size; the vector of
    `forward` is of images of `image_shape`, and of any size where it is pooled.

    Args:
        image_shape: (height, width, channels).
        output_size: length of the vector.
        channels: width of each stage.
        pool: average the last maps over the image before the linear layer.
    """

    maps: nn.Sequential

    def __init__(
        self,
        image_shape: Sequence[int],
        output_size: int = 256,
        channels: Sequence[int] = (16, 24, 48, 64),
        pool: bool = False,
    ) -> None:
        stages: list[nn.Module] = []
        before = image_shape[-1]
        for stage, width in enumerate(channels):
            shrink = nn.MaxPool2d(2, ceil_mode=True) if stage else nn.Identity()
            first = (nn.Conv2d if stage else PixelConv2d)(before, width, 3, padding=1)
            second = nn.Conv2d(width, width, 3, padding=1)
            stages.append(nn.Sequential(shrink, first, nn.ReLU(), second, nn.ReLU()))
            before = width
        super().__init__(image_shape, output_size, nn.Sequential(*stages), pool)
        self.channels = tuple(channels)
        initialise_for_relu(self.maps)

    def stages(self, images: Tensor) -> list[Tensor]:
        """The maps of every stage, the finest first, of uint8 images (B, H, W, C).

        Those of stage k are (B, channels[k], ⌈H / 2ᵏ⌉, ⌈W / 2ᵏ⌉); the last ones are `features`.
        """
        maps = []
        for stage in self.maps:
            images = stage(images)
            maps.append(images)
        return maps


class SmallCNN(Encoder):
    """Convolution, ReLU, pooling, twice: for images of 8×8 to 64×64 pixels, such as digits.

    Args:
        image_shape: (height, width, channels), at least 4×4 pixels.
        output_size: length of the vector.
        channels: filters of the two convolutions.
    """

    maps: nn.Sequential

    def __init__(self, image_shape: Sequence[int], output_size: int = 64, channels: Sequence[int] = (16, 32)) -> None:
        maps = nn.Sequential(
            PixelConv2d(image_shape[-1], channels[0], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels[0], channels[1], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        super().__init__(image_shape, output_size, maps)


class PilotNet(Encoder):
    """NVIDIA's network that steers a car: Bojarski et al. 2016 (arXiv:1604.07316), figure 4.

    With one more linear layer, 10 → 1 for the steering, it has the paper's 252,219 parameters on images of 66×200×3.

    Args:
        image_shape: (height, width, channels), at least 61×61 pixels; the paper's is (66, 200, 3).
        output_size: length of the vector.
    """

    def __init__(self, image_shape: Sequence[int], output_size: int = 10) -> None:
        maps = nn.Sequential(
            PixelConv2d(image_shape[-1], 24, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(24, 36, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(36, 48, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )
        super().__init__(image_shape, output_size, maps, hidden=(100, 50))


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "nature": NatureCNN,
    "impala": Impala,
    "impoola": Impoola,
    "patch": PatchStem,
    "pyramid": Pyramid,
    "small": SmallCNN,
    "pilot": PilotNet,
}
