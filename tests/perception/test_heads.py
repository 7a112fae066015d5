"""Heads predict on the grid that was asked for, every cell of the maps where it looked."""

import pytest
import torch

from visnav.perception.heads import UpsamplingHead


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
