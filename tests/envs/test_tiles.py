"""Tile images are MiniGrid's, byte for byte."""

import numpy as np
import pytest

from visnav.envs.grid.tiles import NO_AGENT, _looks, render_tile, tile_table
from visnav.envs.grid.world import DOOR_CLOSED, DOOR_LOCKED, DOOR_OPEN, EMPTY, LOOKS

grid = pytest.importorskip("minigrid.core.grid")
world_object = pytest.importorskip("minigrid.core.world_object")


def original_tile(look: int, agent_dir: int, highlight: bool, tile_size: int) -> np.ndarray:
    """MiniGrid's picture of the same cell."""
    kind, color = look & 15, look >> 4
    state = {DOOR_CLOSED: 1, DOOR_LOCKED: 2}.get(kind, 0)
    kind = DOOR_OPEN if kind in (DOOR_CLOSED, DOOR_LOCKED) else kind
    thing = None if look == EMPTY else world_object.WorldObj.decode(kind, color, state)
    direction = None if agent_dir == NO_AGENT else agent_dir
    grid.Grid.tile_cache.clear()
    tile = grid.Grid.render_tile(thing, direction, highlight, tile_size)
    return tile.astype(np.uint8)  # as on assignment to a uint8 picture


@pytest.mark.parametrize("tile_size", [2, 5, 8, 12])
def test_every_tile_equals_the_originals(tile_size: int) -> None:
    green_goal_only = [look for look in _looks() if look & 15 != 8 or look >> 4 == 1]
    for look in green_goal_only:
        for agent_dir, highlight in ((NO_AGENT, False), (NO_AGENT, True), (0, True), (1, False), (2, True), (3, True)):
            ours = render_tile(look, agent_dir, highlight, tile_size)
            np.testing.assert_array_equal(ours, original_tile(look, agent_dir, highlight, tile_size), f"{look}")


def test_the_table_holds_every_tile_at_its_place() -> None:
    table = tile_table(8)
    for look in _looks():
        row = (2 * 2 + 1) * LOOKS + look  # agent facing left, highlighted
        np.testing.assert_array_equal(table[row].reshape(8, 8, 3), render_tile(look, 2, True, 8))
    assert not table.flags.writeable
