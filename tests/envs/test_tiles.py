"""Tile images are MiniGrid's, byte for byte."""

import numpy as np
import pytest

from visnav.envs.grid.tiles import NO_AGENT, _looks, move_agent, render_tile, tile_table
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


def test_an_agent_under_continuous_control_is_drawn_where_it_stands() -> None:
    frame = np.tile(render_tile(1, NO_AGENT, True, 32), (4, 4, 1))
    empty = frame.copy()
    frame[32:64, 64:96] = render_tile(1, 0, True, 32)
    move_agent(frame, 32, 1, (2.3, 1.8), 2.5)
    rows, columns = np.nonzero((frame != empty).any(axis=-1))
    middle = np.array((columns.mean(), rows.mean())) / 32
    assert np.abs(middle - (2.3, 1.8)).max() < 0.15  # a triangle's middle is not that of its circle
    tip = np.argmax(columns * np.cos(2.5 * np.pi / 2) + rows * np.sin(2.5 * np.pi / 2))
    way = np.array((columns[tip], rows[tip])) / 32 - middle
    assert np.abs(np.arctan2(way[1], way[0]) - (2.5 * np.pi / 2 - 2 * np.pi)) < 0.2
