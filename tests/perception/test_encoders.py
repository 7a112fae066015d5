"""Parameter counts, shapes, pixel scaling and gradients of the encoders."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from visnav.perception.encoders import (
    ENCODERS,
    Impala,
    Impoola,
    NatureCNN,
    PatchConv2d,
    PatchStem,
    PilotNet,
    PixelConv2d,
    Pyramid,
    SmallCNN,
)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (NatureCNN((84, 84, 4)), 8_224 + 32_832 + 36_928 + 1_606_144),  # 1,684,128: DQN's torso
        (Impala((64, 64, 3)), 9_728 + 41_632 + 46_240 + 524_544),  # three stages, 2048 → 256
        (Impoola((64, 64, 3)), 9_728 + 41_632 + 46_240 + 8_448),  # 32 → 256 after the pooling
        (PatchStem((56, 56, 3)), 6_176 + 18_496 + 36_928 + 147_712),
        (Pyramid((64, 64, 3)), 2_768 + 8_688 + 31_200 + 64_640 + 1_048_832),  # 64·8·8 → 256
        (Pyramid((64, 64, 3), pool=True), 2_768 + 8_688 + 31_200 + 64_640 + 16_640),
        (SmallCNN((8, 8, 1)), 160 + 4_640 + 8_256),
        (nn.Sequential(PilotNet((66, 200, 3)), nn.Linear(10, 1)), 252_219),  # with its steering: as the paper counts
    ],
)
def test_parameter_counts(encoder: torch.nn.Module, expected: int) -> None:
    assert count(encoder) == expected


@pytest.mark.parametrize("name", ENCODERS)
def test_features_are_maps_and_forward_a_vector(name: str) -> None:
    encoder = ENCODERS[name]((64, 72, 3))
    images = torch.randint(0, 256, (5, 64, 72, 3), dtype=torch.uint8)
    maps = encoder.features(images)
    assert maps.shape[0] == 5
    assert maps.ndim == 4
    assert encoder(images).shape == (5, encoder.output_size)
    assert torch.equal(encoder(images), encoder.head(maps))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_parameter_learns_from_pixels(name: str) -> None:
    torch.manual_seed(0)
    encoder = ENCODERS[name]((64, 64, 3))
    encoder(torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)).sum().backward()
    for parameter in encoder.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_pixels_are_read_as_zero_to_one() -> None:
    layer = PixelConv2d(3, 8, 4, stride=4)
    images = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    expected = F.conv2d(images.permute(0, 3, 1, 2).float() / 255, layer.weight, layer.bias, stride=4)
    torch.testing.assert_close(layer(images), expected)
    depth = torch.rand(2, 16, 16, 3)
    torch.testing.assert_close(layer(depth), F.conv2d(depth.permute(0, 3, 1, 2), layer.weight, layer.bias, stride=4))


@pytest.mark.parametrize("shape", [(56, 56, 3), (17, 30, 1)])
def test_patch_convolution_is_a_convolution(shape: tuple[int, int, int]) -> None:
    layer = PatchConv2d(shape[2], 5, 8)
    images = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    expected = F.conv2d(images.permute(0, 3, 1, 2).float() / 255, layer.weight, layer.bias, stride=8)
    torch.testing.assert_close(layer(images), expected)


def test_bfloat16_is_close_to_float32() -> None:
    encoder = PatchStem((56, 56, 3))
    images = torch.randint(0, 256, (8, 56, 56, 3), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(images)
    assert half.dtype == torch.bfloat16
    full = encoder(images)
    assert (half.float() - full).abs().max() < 0.02 * full.abs().max()


def test_patch_stem_reads_the_smallest_view() -> None:
    assert PatchStem((24, 24, 3))(torch.zeros(1, 24, 24, 3, dtype=torch.uint8)).shape == (1, 256)


@pytest.mark.parametrize("name", ["patch", "nature", "pilot"])
def test_images_that_are_too_small_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\(7, 7, 3\)"):
        ENCODERS[name]((7, 7, 3))


@pytest.mark.parametrize("size", [(64, 48), (37, 50), (1, 1), (5, 17)])
def test_a_pyramids_stages_halve_the_image_and_end_in_its_features(size: tuple[int, int]) -> None:
    pyramid = Pyramid((64, 48, 3), channels=(4, 6, 8, 10))
    images = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    stages = pyramid.stages(images)
    sizes = [tuple(-(-side // 2**k) for side in size) for k in range(4)]
    assert [maps.shape for maps in stages] == [(2, 4 + 2 * k, *sizes[k]) for k in range(4)]
    assert torch.equal(stages[-1], pyramid.features(images))


def test_a_pooled_pyramid_reads_images_of_any_size_as_a_vector() -> None:
    pyramid = Pyramid((64, 64, 3), pool=True)
    assert pyramid(torch.zeros(1, 50, 70, 3, dtype=torch.uint8)).shape == (1, 256)


def test_signals_keep_their_size_through_a_pyramid() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    for maps in Pyramid((64, 64, 3), channels=(32,) * 6).stages(images):
        assert 0.2 < maps.square().mean().sqrt() < 5
