"""Saliency equals captum's, and points at what the score hangs on."""

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.perception.encoders import ENCODERS, Encoder, Pyramid
from visnav.perception.heads import Segmenter
from visnav.perception.saliency import grad_cam, occlusion


def classifier(name: str) -> tuple[Encoder, nn.Module]:
    """An encoder, and a network of it with scores of five classes."""
    torch.manual_seed(0)
    encoder = ENCODERS[name]((64, 72, 3))
    return encoder, nn.Sequential(encoder, nn.Linear(encoder.output_size, 5)).eval()


def pictures(count: int = 3) -> Tensor:
    return torch.randint(0, 256, (count, 64, 72, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ENCODERS)
def test_grad_cam_equals_captums_for_every_encoder(name: str) -> None:
    encoder, network = classifier(name)
    images = pictures()
    reference = captum.attr.LayerGradCam(network, encoder.maps)
    for target in (0, 3):
        coarse = reference.attribute(images, target=target, relu_attributions=True)
        expected = captum.attr.LayerAttribution.interpolate(coarse, (64, 72), "bilinear")[:, 0].detach()
        heat = grad_cam(lambda seen, target=target: network(seen)[:, target], encoder.maps, images)
        torch.testing.assert_close(heat, expected, rtol=1e-4, atol=1e-6 * float(expected.max()))
        assert heat.shape == (3, 64, 72)


def test_grad_cam_of_a_frozen_network_leaves_gradients_and_modules_alone() -> None:
    encoder, network = classifier("nature")
    images = pictures()
    expected = grad_cam(lambda seen: network(seen)[:, 1], encoder.maps, images)
    network.requires_grad_(False)
    with torch.no_grad():
        heat = grad_cam(lambda seen: network(seen)[:, 1], encoder.maps, images)
    assert torch.equal(heat, expected)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not encoder.maps._forward_hooks


def test_grad_cam_of_a_segmenters_class_is_of_the_last_stage() -> None:
    torch.manual_seed(0)
    network = Segmenter(Pyramid((64, 72, 3), pool=True), 4)
    for_it, against_it = (
        grad_cam(lambda seen, sign=sign: sign * network(seen)[:, 2].mean((1, 2)), network.encoder.maps[-1], pictures())
        for sign in (1, -1)
    )
    assert for_it.shape == (3, 64, 72)
    assert (for_it + against_it).min() > 0


def test_a_score_that_does_not_come_from_the_layer_is_refused() -> None:
    encoder, network = classifier("nature")
    other, _ = classifier("patch")
    with pytest.raises(ValueError, match="passed 0 times"):
        grad_cam(lambda seen: network(seen)[:, 0], other.maps, pictures())
    with pytest.raises(ValueError, match="does not depend on the maps"):
        grad_cam(lambda seen: network(seen)[:, 0].detach(), encoder.maps, pictures())
    with pytest.raises(ValueError, match="passed 2 times"):
        grad_cam(lambda seen: (network(seen) + network(seen))[:, 0], encoder.maps, pictures())


@pytest.mark.parametrize(("window", "stride"), [(16, 8), (9, 5), (20, 20), (64, 1)])
def test_occlusion_equals_captums(window: int, stride: int) -> None:
    _, network = classifier("nature")
    images = pictures(2)
    expected = captum.attr.Occlusion(lambda seen: network(seen)).attribute(
        images.float() / 255,
        sliding_window_shapes=(window, window, 3),
        strides=(stride, stride, 3),
        target=2,
        baselines=0.5,
    )
    heat = occlusion(lambda seen: network(seen)[:, 2], images.float() / 255, window, stride, fill=0.5, batch_size=7)
    for channel in range(3):
        torch.testing.assert_close(heat, expected[..., channel].float(), rtol=1e-3, atol=1e-6)


def test_occlusion_of_pixels_points_at_those_that_count() -> None:
    weights = torch.zeros(24, 24)
    weights[10:14, 3:7] = 1.0
    images = torch.full((2, 24, 24, 3), 100, dtype=torch.uint8)
    heat = occlusion(lambda seen: (seen.float().mean(-1) * weights).sum((1, 2)), images, window=4, stride=1)
    assert (heat[0] == heat[1]).all()
    assert heat[0, 11, 4] > 0.3 * heat.sum() / 2 / 16
    assert heat[0, 12, 5] == heat.max() or heat[0, 11, 4] == heat.max()
    assert (heat[0] > 0).sum() == F.max_pool2d(weights[None], 7, 1, 3).sum(), "within one window of a pixel that counts"


@pytest.mark.parametrize(("window", "stride"), [(8, 9), (8, 0), (65, 4)])
def test_windows_that_do_not_fit_or_leave_gaps_are_refused(window: int, stride: int) -> None:
    _, network = classifier("nature")
    with pytest.raises(ValueError, match=f"window={window} pixels, moved by stride={stride}"):
        occlusion(lambda seen: network(seen)[:, 0], pictures(), window, stride)
