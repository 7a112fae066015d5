"""Levels: for ever the same, the same without the compiler, bounded, and counted."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from math import comb
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from visnav.envs.grid import Task
from visnav.envs.grid.building import colored, put_inside, put_object, wall_rect
from visnav.envs.grid.layouts import count_layouts
from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.rooms import add_door, add_object, connect_all, make_rooms, place_agent_in_room, room_scratch
from visnav.envs.grid.simulation import GridSimulation, LevelError
from visnav.envs.grid.world import (
    BALL,
    BLUE,
    BOX,
    DOOR_LOCKED,
    DROP,
    GREY,
    KEY,
    LOOK,
    PICKUP,
    RED,
    RIGHT,
    TOGGLE,
    TURN_RIGHT,
)

GOLDEN = Path(__file__).with_name("golden_levels.json")  # digests of levels 0 to 19, and of their first frames

every_id = pytest.mark.parametrize("name", sorted(TASKS))


def digest(*arrays: np.ndarray) -> str:
    """Of arrays' bytes, 16 hexadecimal digits."""
    hashed = hashlib.blake2b(digest_size=8)
    for array in arrays:
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def make_levels(task: Task, count: int) -> GridSimulation:
    """Levels 0 to count - 1, one a slot."""
    simulation = GridSimulation(task, count, camera="tiles")
    everyone = np.ones(count, np.bool_)
    simulation.choose_levels(np.arange(count), everyone)
    simulation.reset(everyone)
    return simulation


@every_id
def test_levels_and_frames_are_what_they_always_were(name: str) -> None:
    simulation = make_levels(TASKS[name](), 20)
    world, observation = simulation.world, simulation.allocate()
    simulation.observe(observation)
    more = (world.contents, world.obstacles, world.other_target[world.other_target.any(axis=1)])  # where there are any
    if simulation.task.continuous:
        more = (*more, world.pose)
    found = {
        "levels": digest(world.cells, world.agent, world.mission, world.target, simulation.slots.layout, *more),
        "frames": digest(observation["rgb"]),
    }
    assert json.loads(GOLDEN.read_text()).get(name) == found, f"if this is meant, the ID's version goes up: {found}"


PLAY = """
import hashlib, json, sys
import numpy as np
from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.simulation import GridSimulation

found = {}
pixels = [("MiniGrid-DoorKey-5x5-v0", "tiles"), ("MiniGrid-DoorKey-5x5-v0", "full")]
in_grid_steps = [(name, "symbolic") for name in TASKS if not TASKS[name]().continuous]
for name, camera in [*in_grid_steps, *pixels]:
    simulation = GridSimulation(TASKS[name](), 3, camera=camera)
    simulation.choose_levels(np.arange(3), np.ones(3, bool))
    simulation.reset(np.ones(3, bool))
    hashed = hashlib.blake2b(digest_size=8)
    pictures = {name: np.zeros_like(array) for name, array in simulation.allocate().items() if array.ndim == 4}
    for action in np.random.default_rng(1).integers(7, size=(20, 3)):
        for array in (*simulation.world, simulation.slots.layout, *simulation.outcome, *pictures.values()):
            hashed.update(array.tobytes())
        simulation.step(action, pictures, reset_ended=True)
    found[name + camera] = hashed.hexdigest()
print(json.dumps(found))
"""


def test_plain_python_plays_the_same_episodes() -> None:
    def run(**environment: str) -> dict[str, str]:
        command = [sys.executable, "-W", "ignore", "-c", PLAY]
        run = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        return json.loads(run.stdout)

    assert run(NUMBA_DISABLE_JIT="1") == run()


@pytest.mark.parametrize(
    ("name", "keywords", "message"),
    [
        ("FourRooms", {"agent_pos": (0, 3)}, r"agent_pos is \(x, y\) within 1..17, or None for any; got \(0, 3\)"),
        ("FourRooms", {"goal_pos": (3, 19)}, r"goal_pos is \(x, y\) within 0..18"),
        ("FourRooms", {"goal_pos": 7}, r"goal_pos is \(x, y\) within 0..18"),
        ("LavaCrossingS9N1", {"size": 8}, "size is odd"),
        ("LavaCrossingS9N1", {"size": 3}, "size is a whole number, at least 5; got 3"),
        ("LavaCrossingS9N1", {"num_crossings": -1}, "num_crossings is a whole number, at least 0"),
        ("SimpleCrossingS9N1", {"obstacle_type": "water"}, "allowed: lava, wall"),
        ("LavaGapS5", {"size": 4}, "size is a whole number, at least 5; got 4"),
        ("LavaGapS5", {"obstacle_type": "Wall"}, "did you mean 'wall'"),
        ("KeyCorridorS3R1", {"num_rows": 0}, "num_rows is a whole number, 1 to 63"),
        ("KeyCorridorS3R1", {"room_size": 2}, "room_size is a whole number, at least 3"),
        ("KeyCorridorS3R1", {"obj_type": "door"}, "allowed: ball, box, key"),
        ("MultiRoom-N6", {"minNumRooms": 0}, "minNumRooms is a whole number, 1 to 250"),
        ("MultiRoom-N6", {"maxNumRooms": 5}, "maxNumRooms is a whole number, 6 to 250; got 5"),
        ("MultiRoom-N6", {"maxRoomSize": 3}, "maxRoomSize is a whole number, at least 4"),
        ("MultiRoom-N6", {"width": 3}, "width is a whole number, at least 4"),
        ("GoToDoor-5x5", {"size": 4}, "size is a whole number, at least 5; got 4"),
        ("Empty-5x5", {"agent_start_pos": (4, 1)}, r"agent_start_pos is \(x, y\) within 1..3"),
        ("DistShift1", {"strip2_row": 7}, "strip2_row is a whole number, 0 to 6; got 7"),
        ("DistShift1", {"agent_start_pos": (2, 6)}, r"agent_start_pos is \(x, y\) within 1..7, 1..5, or None for any"),
        ("Dynamic-Obstacles-5x5", {"n_obstacles": -1}, "n_obstacles is a whole number, at least 0"),
        ("Dynamic-Obstacles-5x5", {"agent_start_dir": 4}, "agent_start_dir is 0"),
        ("Fetch-5x5-N2", {"numObjs": 9}, "numObjs is a whole number, 1 to 8; got 9"),
        ("GoToObject-8x8-N2", {"numObjs": 19}, "numObjs is a whole number, 1 to 18"),
        ("PutNear-6x6-N2", {"numObjs": 1}, "numObjs is a whole number, 2 to 4"),
        ("LockedRoom", {"size": 11}, "size is a whole number, at least 12"),
        ("MemoryS7", {"size": 8}, "size is odd"),
        ("MemoryS7", {"size": 5, "random_length": True}, "size is a whole number, at least 7"),
        ("MemoryS7", {"random_length": 1}, "random_length is True or False; got 1"),
        ("ObstructedMaze-1Dl", {"blocked": "no"}, "blocked is True or False"),
        ("ObstructedMaze-Full", {"agent_room": (3, 0)}, r"agent_room is \(column, row\) within 0..2; got \(3, 0\)"),
        ("ObstructedMaze-Full", {"num_quarters": 5}, "num_quarters is a whole number, 1 to 4"),
        ("RedBlueDoors-6x6", {"size": 2}, "size is a whole number, at least 3"),
    ],
)
def test_impossible_sizes_are_refused(name: str, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make(f"visnav/MiniGrid-{name}-v0", **keywords)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 2}, "at least 3 x 3"),
        ({"max_steps": 0}, "max_steps"),
        ({"missions": ()}, "at least one mission"),
        ({"actions": (0, 1, 2)}, "actions are 7 of the numbers 0 to 6"),
        ({"actions": (0, 1, 2, 3, 4, 5, 7)}, "actions are 7 of the numbers 0 to 6"),
        ({"obstacles": 1}, "obstacles cannot be taken away"),
    ],
)
def test_impossible_tasks_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Task(**{"level": crowded, "width": 7, "height": 3, "max_steps": 9, "missions": ("",)} | fields)


# --- boxes that hold something ------------------------------------------------------------------------------


def boxed(rng, level, color):  # type: ignore[no-untyped-def]
    """A key in a box, in front of the agent."""
    wall_rect(level, 0, 0, 5, 4)
    level.agent[0] = 1
    level.agent[1] = 1
    put_inside(level, put_object(level, 2, 1, colored(BOX, GREY)), colored(KEY, color))


def boxed_task(color: int) -> Task:
    """One color of the key, which nobody sees."""
    return Task(level=boxed, args=(color,), width=5, height=4, max_steps=9, missions=("",), contents=2)


def test_a_box_keeps_what_it_holds_while_it_is_carried() -> None:
    simulation = make_levels(boxed_task(RED), 1)
    for action in (PICKUP, TURN_RIGHT, DROP, TOGGLE):
        assert simulation.world.carrying[0] & LOOK in (0, colored(BOX, GREY))
        simulation.step(np.array([action]), None, reset_ended=False)
    assert simulation.world.cells[0, 2, 1] & LOOK == colored(KEY, RED)
    simulation.step(np.array([PICKUP]), None, reset_ended=False)
    assert simulation.world.carrying[0] & LOOK == colored(KEY, RED)


def test_what_boxes_hold_makes_another_layout() -> None:
    red, again, blue = (make_levels(boxed_task(color), 1) for color in (RED, RED, BLUE))
    assert np.array_equal(red.world.cells, blue.world.cells)
    assert red.slots.layout == again.slots.layout
    assert red.slots.layout != blue.slots.layout


def test_a_box_without_room_for_its_contents_is_an_error() -> None:
    with pytest.raises(LevelError):
        make_levels(dataclasses.replace(boxed_task(RED), contents=1), 1)


# --- levels that cannot be made -----------------------------------------------------------------------------


def crowded(rng, level):  # type: ignore[no-untyped-def]
    """Two balls for a room of one cell."""
    rooms = make_rooms(rng, level, 3, 3, 1)
    for _ in range(2):
        add_object(rng, level, rooms, 0, 0, colored(BALL, RED))
    place_agent_in_room(rng, level, rooms, 1, 0)


def cornered(rng, level):  # type: ignore[no-untyped-def]
    """An agent in a room that is full."""
    rooms = make_rooms(rng, level, 3, 3, 1)
    add_object(rng, level, rooms, 0, 0, colored(BALL, RED))
    place_agent_in_room(rng, level, rooms, 0, 0)


def shut_off(rng, level):  # type: ignore[no-untyped-def]
    """A third room that is next to a locked one only."""
    rooms = make_rooms(rng, level, 3, 3, 1)
    add_door(level, rooms, 1, 0, RIGHT, colored(DOOR_LOCKED, RED))
    place_agent_in_room(rng, level, rooms, 0, 0)
    connect_all(rng, level, rooms)


@pytest.mark.parametrize("level", [crowded, cornered, shut_off])
def test_a_level_that_cannot_be_made_is_an_error_with_its_number(level: Any) -> None:
    task = Task(level=level, width=7, height=3, max_steps=9, missions=("",), scratch=room_scratch(3, 1))
    with pytest.raises(LevelError, match=r"\[0\].*levels \[0\]"):
        make_levels(task, 1)


def test_rooms_that_do_not_fit_end_in_an_error() -> None:
    env = gym.make("visnav/MiniGrid-MultiRoom-N2-S4-v0", minNumRooms=3, maxNumRooms=3, width=7, height=7)
    with pytest.raises(LevelError):
        env.reset(seed=0)


# --- how many there are -------------------------------------------------------------------------------------


def door_key_layouts(size: int) -> int:
    """Doors' rows x agent's directions x pairs of free cells on the left, over the places of the wall."""
    free = [column * (size - 2) for column in range(1, size - 3)]
    return 4 * (size - 3) * sum(cells * (cells - 1) for cells in free)


def go_to_door_layouts(size: int) -> int:
    """Colours x directions x, for width and height each, free cells and places of two doors."""
    side = sum((length - 2) * (length - 4) ** 2 for length in range(5, size + 1))
    return 6 * 5 * 4 * 3 * 4 * side**2


@pytest.mark.parametrize(
    ("name", "layouts"),
    [
        ("Empty-8x8", 1),
        ("Empty-Random-5x5", 8 * 4),
        ("Empty-Random-6x6", 15 * 4),
        ("DoorKey-5x5", door_key_layouts(5)),
        ("DoorKey-6x6", door_key_layouts(6)),
        ("DoorKey-8x8", door_key_layouts(8)),
        ("SimpleCrossingS9N1", 6 * 7),
        ("LavaGapS5", 1 * 3),
        ("LavaGapS6", 2 * 4),
        ("LavaGapS7", 3 * 5),
        ("GoToDoor-5x5", go_to_door_layouts(5)),
        ("DistShift1", 1),
        ("Dynamic-Obstacles-5x5", comb(7, 2)),
        ("Dynamic-Obstacles-Random-6x6", 15 * 4 * comb(14, 3)),
        ("MemoryS7", 4 * 4),
        ("MemoryS13Random", 4 * sum(range(4, 11))),
        ("RedBlueDoors-6x6", 16 * 4 * 4 * 4),
    ],
)
def test_drawing_finds_every_layout_that_there_is(name: str, layouts: int) -> None:
    count = count_layouts(TASKS[f"MiniGrid-{name}-v0"]())
    assert count.exact
    assert count.distinct == layouts


def test_a_count_that_is_not_finished_says_so() -> None:
    count = count_layouts(TASKS["MiniGrid-DoorKey-16x16-v0"](), max_draws=20_000)
    assert not count.exact
    assert count.distinct < door_key_layouts(16)
