"""Labels of the cameras from above: what each tile shows, against MiniGrid's own view of the same grid."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from first_person_oracle import scatter

import visnav.envs  # noqa: F401, registers the IDs
from visnav.envs.grid.lens import SEMANTIC_CLASSES, UNNUMBERED
from visnav.envs.grid.world import (
    BALL,
    BOX,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    EMPTY,
    FLOOR_KIND,
    GOAL_KIND,
    KEY,
    LAVA_KIND,
    WALL,
    WALL_KIND,
)

ID = "visnav/MiniGrid-DoorKey-8x8-v0"  # walls hide what is behind them
CLASS = {
    EMPTY: "floor", FLOOR_KIND: "floor", WALL_KIND: "wall", LAVA_KIND: "lava", DOOR_OPEN: "open door",
    DOOR_CLOSED: "closed door", DOOR_LOCKED: "locked door", KEY: "key", BALL: "ball", BOX: "box", GOAL_KIND: "goal",
}  # fmt: skip
BACKGROUND = (EMPTY, FLOOR_KIND, WALL_KIND, LAVA_KIND)
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


def scattered(num_envs: int, seed: int, camera: str, **keywords: Any) -> Any:
    """A batch of worlds full of things."""
    envs = gym.make_vec(ID, num_envs=num_envs, camera=camera, **keywords)
    envs.reset(seed=seed)
    world = envs.simulation.world
    scatter(world.cells, world.agent, world.carrying, np.random.default_rng(seed))
    return envs


def named(cell: int, place: int) -> tuple[int, int]:
    """Class and instance of a cell."""
    kind, number = cell & 15, cell >> 8
    instance = 0 if kind in BACKGROUND else number or UNNUMBERED + place
    return SEMANTIC_CLASSES.index(CLASS[kind]), instance


def look(cells: np.ndarray, agent: list[int], carrying: int, shown: np.ndarray) -> list[list[tuple[int, int]]]:
    """Class and instance of each cell of the agent's view, of which `shown` (V, V) says what is seen."""
    size, (x, y, direction) = len(shown), agent
    (ahead_x, ahead_y), (right_x, right_y) = AHEAD[direction], AHEAD[(direction + 1) % 4]
    view = []
    for row in range(size):
        line = []
        for column in range(size):
            ahead, right = size - 1 - row, column - size // 2
            at_x, at_y = x + ahead * ahead_x + right * right_x, y + ahead * ahead_y + right * right_y
            inside = 0 <= at_x < cells.shape[1] and 0 <= at_y < cells.shape[0]
            cell = int(cells[at_y, at_x]) if inside else WALL
            if (ahead, right) == (0, 0):
                cell, at_x, at_y = carrying or EMPTY, 0, 0
            line.append(named(cell, at_y * cells.shape[1] + at_x) if shown[row, column] else (0, 0))
        view.append(line)
    return view


@pytest.mark.parametrize(("view_size", "tile_size"), [(7, 8), (3, 5), (9, 2)])
def test_a_tile_of_the_view_is_of_what_it_shows(view_size: int, tile_size: int) -> None:
    envs = scattered(60, view_size, "tiles", agent_view_size=view_size, tile_size=tile_size)
    found = envs.annotate(("semantic", "instance", "boxes"))
    world = envs.simulation.world
    symbols = gym.make_vec(ID, num_envs=60, camera="symbolic", agent_view_size=view_size, sensors=("image",))
    symbols.reset(seed=0)
    for name in ("cells", "agent", "carrying"):
        getattr(symbols.simulation.world, name)[:] = getattr(world, name)
    shown = symbols.render_observation()[..., 0].transpose(0, 2, 1) > 0  # MiniGrid's own visibility, see test_parity
    hidden = 0
    for i in range(60):
        want = np.array(look(world.cells[i], world.agent[i].tolist(), int(world.carrying[i]), shown[i]))
        want = want.repeat(tile_size, axis=0).repeat(tile_size, axis=1)
        assert np.array_equal(found["semantic"][i, ..., 0], want[..., 0])
        assert np.array_equal(found["instance"][i, ..., 0], want[..., 1])
        hidden += np.count_nonzero(~shown[i])
        for box, label, number in zip(*(found["boxes"][i][key] for key in ("boxes", "labels", "ids")), strict=True):
            rows, columns = np.nonzero(want[..., 1] == number)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert set(want[rows, columns, 0]) == {label}
        assert found["boxes"][i]["ids"].tolist() == sorted(set(want[..., 1].ravel().tolist()) - {0})
    assert hidden > 20


def test_a_tile_of_the_whole_grid_is_of_what_it_shows() -> None:
    envs = scattered(40, 1, "full", tile_size=6)
    found, cells = envs.annotate(("instance", "semantic")), envs.simulation.world.cells
    for i in range(40):
        want = np.array([[named(int(cells[i, y, x]), y * 8 + x) for x in range(8)] for y in range(8)])
        want = want.repeat(6, axis=0).repeat(6, axis=1)
        assert np.array_equal(found["semantic"][i, ..., 0], want[..., 0])
        assert np.array_equal(found["instance"][i, ..., 0], want[..., 1])


@pytest.mark.parametrize("camera", ["tiles", "full"])
def test_labels_are_sensors_too_and_steps_are_the_same(camera: str) -> None:
    sensors = ("rgb", "semantic", "instance")
    every, only, plain = (
        gym.make_vec("visnav/MiniGrid-KeyCorridorS3R2-v0", num_envs=4, camera=camera, sensors=names)
        for names in (sensors, ("semantic",), ("rgb",))
    )
    for envs in (every, only, plain):
        envs.reset(seed=3)
    every.action_space.seed(0)
    for _ in range(30):
        actions = every.action_space.sample()
        seen, *_ = every.step(actions)
        labels = every.annotate(("semantic", "instance"))
        assert np.array_equal(only.step(actions)[0], labels["semantic"])
        assert np.array_equal(plain.step(actions)[0], seen["rgb"])
        assert all(np.array_equal(seen[name], labels[name]) for name in labels)
