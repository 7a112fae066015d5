"""Heads predict on the grid that was asked for, every cell of the maps where it looked."""

import pytest
import torch

from visnav.perception.encoders import Pyramid
from visnav.perception.heads import SegmentationHead, Segmenter, UpsamplingHead


@pytest.mark.parametrize(
    ("cells", "grid"), [((3, 3), (14, 14)), ((4, 4), (16, 16)), ((7, 8), (14, 16)), ((3, 5), (3, 12)), ((1, 1), (2, 7))]
)
def test_every_cell_is_seen_where_it_lies_and_nowhere_else(cells: tuple[int, int], grid: tuple[int, int]) -> None:
    head = UpsamplingHead((6, *cells), 4, grid)
    maps = torch.rand(2, 6, *cells)
    before = head(maps)
    assert before.shape == (2, 4, *grid)
    for y in range(cells[0]):
        for x in range(cells[1]):
            moved = maps.clone()
            moved[0, :, y, x] += 5
            changed = (head(moved) != before)[0].any(0).nonzero().double()
            assert not (head(moved) != before)[1].any()
            middle = (torch.tensor([y, x]) + 0.5) / torch.tensor(cells) * torch.tensor(grid) - 0.5
            reach = torch.tensor(grid) / torch.tensor(cells) + 2.5
            assert ((changed - middle).abs() <= reach).all()
            assert len(changed)


def test_a_grid_coarser_than_the_maps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no coarser than the maps, which are \(7, 7\); got \(6, 7\)"):
        UpsamplingHead((8, 7, 7), 3, (6, 7))


def segmenter(classes: int = 3) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(Pyramid((64, 64, 3), channels=(4, 6, 8, 10), pool=True), classes)


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (16, 9), (1, 1), (3, 130)])
def test_images_of_any_size_are_segmented_at_their_own_size(size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    assert segmenter()(images).shape == (2, 3, *size)


def test_what_lies_to_the_right_and_below_does_not_change_what_is_seen_far_from_it() -> None:
    """A cut image is segmented as the whole one, but near the cut: numbers stay over the pixels they are from."""
    network = segmenter()
    images = torch.randint(0, 256, (1, 208, 208, 3), dtype=torch.uint8)
    whole, cut = network(images), network(images[:, :179, :171])
    torch.testing.assert_close(cut[..., :80, :80], whole[..., :80, :80])
    assert (cut - whole[..., :179, :171]).abs().max() > 1e-3


def test_every_pixel_of_a_small_image_tells_on_all_of_it() -> None:
    images = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    changed = images.clone()
    changed[:, :8, :8] ^= 255
    network = segmenter()
    assert (network(images) != network(changed))[..., 56:, 56:].any(1).all()


def test_every_stage_reaches_every_class() -> None:
    head = SegmentationHead((4, 6, 8), 5)
    stages = [torch.rand(1, width, 16 >> k, 16 >> k, requires_grad=True) for k, width in enumerate((4, 6, 8))]
    for name in range(5):
        for maps in torch.autograd.grad(head(stages)[:, name].square().sum(), stages):
            assert (maps != 0).any()


def test_a_segmenter_learns_to_tell_disks_from_rings_of_the_same_colour() -> None:
    """What no colour threshold can: a pixel's class is that of the whole thing it belongs to."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        centre = torch.rand(count, 2, 1, 1, generator=generator) * 14 + 9
        distance = ((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2).sqrt()
        ring = torch.rand(count, 1, 1, generator=generator) < 0.5
        inside = (distance < 8) & ~(ring & (distance < 4))
        labels = torch.where(inside, torch.where(ring, 2, 1), 0)
        noise = torch.rand(count, 32, 32, generator=generator) * 60
        return (inside * 150 + noise).to(torch.uint8)[..., None].expand(-1, -1, -1, 3), labels

    network = segmenter()
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(150):
        images, labels = draw(16)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimiser.step()
    images, labels = draw(64)
    right = network(images).argmax(1) == labels
    assert right[labels > 0].float().mean() > 0.9
