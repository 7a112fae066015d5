"""Levels by hand: they are what was drawn, they are played by the task's rules, and mistakes are pointed at."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from visnav.envs.grid.drawing import CELLS, FIXED, MAX_BYTES, to_text
from visnav.envs.grid.handmade import by_hand, handmade_task, read_layout
from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.simulation import GridSimulation, LevelError
from visnav.envs.grid.world import (
    BALL,
    BLUE,
    BOX,
    COLOR_NAMES,
    DOOR_LOCKED,
    DOOR_OPEN,
    EMPTY,
    FETCH,
    GOAL,
    KEY,
    LAVA,
    LOOK,
    PICK_UP,
    PLAYING,
    PUT_NEAR,
    REACH_GOAL,
    WALL,
    YELLOW,
    Level,
)

DOOR_KEY = "visnav/MiniGrid-DoorKey-8x8-v0"
CORRIDOR = "visnav/MiniGrid-KeyCorridorS3R1-v0"
DRAWN = """
######
#>.D~#
#.k#G#
######

D = locked yellow door
k = yellow key
"""
AS_JSON = {
    "rows": ["######", "#>.D~#", "#.k#G#", "######"],
    "legend": {"D": "locked yellow door", "k": "yellow key"},
}
DOOR_LOCKED_YELLOW, YELLOW_KEY = DOOR_LOCKED | YELLOW << 4, KEY | YELLOW << 4
DRAWN_CELLS = [
    [WALL] * 6,
    [WALL, EMPTY, EMPTY, DOOR_LOCKED_YELLOW, LAVA, WALL],
    [WALL, EMPTY, YELLOW_KEY, WALL, GOAL, WALL],
    [WALL] * 6,
]


def make(layout: Any, name: str = DOOR_KEY, **keywords: Any) -> Any:
    """An environment at the start of level 0."""
    env = gym.make(name, layout=layout, **keywords).unwrapped
    env.reset(seed=0)
    return env


def looks(env: Any, slot: int = 0) -> list[Any]:
    """What a person would call the state of a world: cells, pose, what is in hand, the mission."""
    world = env.unwrapped.simulation.world
    state = [world.cells[slot] & LOOK, world.agent[slot], world.carrying[slot] & LOOK, world.mission[slot]]
    return [array.tolist() for array in state]


# --- what is drawn ------------------------------------------------------------------------------------------


def test_a_drawing_becomes_the_world() -> None:
    env = make(DRAWN)
    assert looks(env) == [DRAWN_CELLS, [1, 1, 0], 0, 0]
    numbers = env.simulation.world.cells[0] >> 8
    assert sorted(numbers[numbers > 0].tolist()) == [1, 2, 3], "door, key and goal are told apart"


def test_text_json_dict_and_files_say_the_same(tmp_path: Path) -> None:
    drawn, document = tmp_path / "drawn.txt", tmp_path / "drawn.json"
    drawn.write_bytes(b"\xef\xbb\xbf" + DRAWN.replace("\n", "\r\n").encode())
    document.write_text(json.dumps(AS_JSON, indent=1))
    indented = DRAWN.replace("\n", "\n        ")
    sources = [DRAWN, indented, json.dumps(AS_JSON), AS_JSON, drawn, str(drawn), document]
    hashes = {int(make(source).layouts[0]) for source in sources}
    assert len(hashes) == 1
    assert all(looks(make(source)) == looks(make(DRAWN)) for source in sources)


def test_every_thing_can_be_drawn_and_is_written_back() -> None:
    symbols = [chr(0x100 + k) for k in range(len(CELLS))]
    legend = dict(zip(symbols, CELLS, strict=True))
    rows = ["#" * (len(symbols) + 3), f"#>{''.join(symbols)}#", "#" * (len(symbols) + 3)]
    env = make({"rows": rows, "legend": legend})
    assert (env.simulation.world.cells[0, 1, 2:-1] & LOOK).tolist() == list(CELLS.values())
    again = make(to_text(env))
    assert looks(again) == looks(env)
    assert len(CELLS) == 4 + len(COLOR_NAMES) * (1 + 3 + 3)


@pytest.mark.parametrize(("symbol", "direction"), [(">", 0), ("v", 1), ("<", 2), ("^", 3)])
def test_an_arrow_is_the_agent_and_where_it_looks(symbol: str, direction: int) -> None:
    assert FIXED[symbol] == "agent " + ("right", "down", "left", "up")[direction]
    assert looks(make(DRAWN.replace(">", symbol)))[1] == [1, 1, direction]


def test_the_agent_may_stand_on_an_open_door_with_a_key_in_hand() -> None:
    env = make("#####\n#.@G#\n#####\n@ = agent right on open red door\ncarrying = blue key")
    cells, agent, carrying, _ = looks(env)
    assert (cells[1][2], agent, carrying) == (DOOR_OPEN, [2, 1, 0], KEY | BLUE << 4)
    assert env.step(2)[1:3] == (pytest.approx(1 - 0.9 / 640), True)
    assert to_text(env) == ("#####\n#.D@#\n#####\n\nD = open red door\n@ = agent right on goal\ncarrying = blue key\n")


# --- playing ------------------------------------------------------------------------------------------------


def test_it_is_played_by_the_rules_of_the_task() -> None:
    """The locked door opens with the key, the lava behind it ends the episode, and the step limit is DoorKey's."""
    env = make(DRAWN.replace("D~", "D."))
    path = [2, 1, 3, 0, 5, 2, 2, 1, 2]
    results = [env.step(action) for action in path]
    assert [result[2] for result in results] == [False] * 8 + [True]
    assert results[-1][1] == 1 - 0.9 * 9 / 640
    env = make(DRAWN)
    results = [env.step(action) for action in path[:7]]
    assert (results[-1][1], results[-1][2]) == (0.0, True)


def test_level_k_is_layout_k_modulo_their_number() -> None:
    layouts = [DRAWN, DRAWN.replace(">", "<"), {**AS_JSON, "rows": ["######", "#..D.#", "#^k#G#", "######"]}]
    envs: Any = gym.make_vec(DOOR_KEY, num_envs=7, layout=layouts, camera="full").unwrapped
    _, info = envs.reset(seed=5)
    assert info["level"].tolist() == [5, 6, 7, 8, 9, 10, 11]
    alone = [make(layout) for layout in layouts]
    for slot, level in enumerate(info["level"]):
        assert looks(envs, slot) == looks(alone[level % 3])
        assert envs.layouts[slot] == alone[level % 3].layouts[0]
    assert len(set(envs.layouts.tolist())) == 3


def test_levels_and_splits_mean_what_they_always_mean() -> None:
    layouts = [DRAWN.replace(">", symbol) for symbol in ">v<^"]
    envs: Any = gym.make_vec(DOOR_KEY, num_envs=50, layout=layouts, levels=[1, 6]).unwrapped
    _, info = envs.reset(seed=0)
    assert set(info["level"].tolist()) == {1, 6}
    assert len(set(envs.layouts.tolist())) == 2
    parts = {}
    for split in ("train", "test"):
        envs = gym.make_vec(DOOR_KEY, num_envs=50, layout=layouts, split=split).unwrapped
        try:
            envs.reset(seed=0)
            parts[split] = set(envs.layouts.tolist())
        except LevelError:
            parts[split] = set()
    assert len(parts["train"] | parts["test"]) == 4
    assert not parts["train"] & parts["test"]


def test_the_level_function_is_the_same_without_the_compiler() -> None:
    task = handmade_task(TASKS["MiniGrid-DoorKey-8x8-v0"](), [DRAWN, f"{DRAWN}\ncarrying = red box with red ball"])
    count, table = task.args
    simulation = GridSimulation(task, 2)
    simulation.choose_levels(np.array([2, 3]), np.ones(2, np.bool_))
    simulation.reset(np.ones(2, np.bool_))
    for number in (0, 1):
        level = Level(
            cells=np.zeros((4, 6), np.uint16),
            agent=np.zeros(3, np.int32),
            mission=np.zeros(1, np.int32),
            target=np.zeros(3, np.int32),
            num_objects=np.zeros(1, np.int32),
            failed=np.zeros(1, np.bool_),
            scratch=np.zeros(1, np.int32),
            other_target=np.zeros(2, np.int32),
            contents=np.zeros(simulation.world.contents.shape[1], np.uint16),
            obstacles=np.zeros((0, 2), np.int32),
            carrying=np.zeros(1, np.uint16),
            number=number + 2,
            heading=np.full(1, np.nan, np.float32),
        )
        by_hand(None, level, count, np.array(table, np.int32))
        world, slots = simulation.world, simulation.slots
        for plain, compiled in (
            (level.cells, world.cells),
            (level.agent, world.agent),
            (level.contents, world.contents),
            (level.carrying[0], world.carrying),
            (level.num_objects[0], slots.num_objects),
        ):
            assert np.array_equal(plain, compiled[number])
    assert simulation.world.carrying.tolist() == [0, BOX | 4 << 8]
    assert simulation.world.contents.tolist() == [[0] * 5, [0, 0, 0, 0, BALL | 5 << 8]]


def test_a_box_holds_what_it_is_drawn_with() -> None:
    """Boxes in boxes too: each is opened in turn, and the key in the last one opens the door."""
    drawn = "#######\n#>b.DG#\n#######\nb = red box with green box with blue key\nD = locked blue door"
    env = make(drawn)
    assert to_text(env).splitlines()[4:] == ["b = red box with green box with blue key", "D = locked blue door"]
    variants = [
        drawn,
        drawn.replace("blue key", "grey key"),
        drawn.replace(" with blue key", ""),
        f"{drawn}\ncarrying=red key",
    ]
    assert len({int(make(variant).layouts[0]) for variant in variants}) == 4
    fronts = []
    for action in (5, 5, 3):
        env.step(action)
        fronts.append(int(env.simulation.world.cells[0, 1, 2]) & LOOK)
    assert fronts == [CELLS["green box"], CELLS["blue key"], EMPTY]
    results = [env.step(action)[2] for action in (2, 2, 5, 2, 2)]
    assert results == [False] * 4 + [True]


def test_balls_that_are_drawn_move_where_the_task_moves_balls() -> None:
    drawn = "#######\n#>....#\n#.o.o.#\n#....G#\n#######\no = blue ball"
    name = "visnav/MiniGrid-Dynamic-Obstacles-8x8-v0"
    env, still = make(drawn, name), make(drawn)
    for _ in range(5):
        env.step(0)
        still.step(0)
    for found, moved in ((env, True), (still, False)):
        balls = np.argwhere(found.simulation.world.cells[0] & 15 == BALL).tolist()
        assert len(balls) == 2
        assert (balls != [[2, 2], [2, 4]]) == moved
    with pytest.raises(ValueError, match="there is no ball, and this task is about balls that move"):
        make(drawn.replace("o.o", "..."), name)
    with pytest.raises(ValueError, match="as many balls that move; layout 0 has 2, layout 1 has 1"):
        make([drawn, drawn.replace("o.o", "o..")], name)


MAZE = "visnav/Maze-PointGoal-7x7-v0"
MAZE_DRAWN = "#######\n#v...G#\n#######\n"


def test_an_agent_that_drives_starts_in_the_middle_of_its_cell_and_looks_anywhere() -> None:
    for line, heading in (("", np.pi / 2), ("heading = 1.25", 1.25)):
        env = make(MAZE_DRAWN + line, MAZE, actions="discrete")
        assert env.simulation.world.pose[0] == pytest.approx([1.5, 1.5, heading])
        assert env.step(2)[4]["distance_to_goal"] == pytest.approx(4.0)
    assert make({"rows": MAZE_DRAWN.split(), "heading": 1}, MAZE).simulation.world.pose[0, 2] == 1.0
    path = [2] * 9 + [1] * 16 + [0]
    env = make(MAZE_DRAWN, MAZE, actions="discrete")
    assert [env.step(action)[4]["success"] for action in path] == [False] * 25 + [True]


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (f"{MAZE_DRAWN}heading = 3", "line 4: the agent is drawn as v, which is not the nearest to 3 rad"),
        (f"{MAZE_DRAWN}heading = 7", "line 4: heading is an angle in radians, from 0 up to 2 pi; got '7'"),
        (f"{MAZE_DRAWN}heading = north", "line 4: heading is an angle in radians"),
        (f"{MAZE_DRAWN}heading = nan", "line 4: heading is an angle in radians"),
        (MAZE_DRAWN.replace("..G", ".#G"), "line 2, column 6: there is no way from the agent to this target"),
        (MAZE_DRAWN.replace("..G", ".DG") + "D = closed red door", "there is no way from the agent to this target"),
        (MAZE_DRAWN.replace(".G", "GG"), "one target is needed .* 'G' at layout, line 2, column 5, 'G' at"),
        (MAZE_DRAWN.replace("G", "."), r"there is no goal \(G\)"),
    ],
)
def test_mistakes_in_mazes(drawn: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(drawn, MAZE)


# --- missions and targets -----------------------------------------------------------------------------------

TWO_BALLS = "########\n#.>b.c.#\n########\n\nb = red ball\nc = red ball\n"


def test_the_mission_chooses_the_target_and_a_line_chooses_among_equals() -> None:
    drawn = TWO_BALLS.replace("c = red", "c = blue")
    for color, path in (("red", [3]), ("blue", [3, 0, 0, 4, 0, 0, 2, 2, 3])):
        env = make(f"{drawn}mission = pick up the {color} ball", CORRIDOR)
        assert env.step(0)[4]["mission"] == f"pick up the {color} ball"
        env.step(1)
        results = [env.step(action) for action in path]
        assert [result[4]["success"] for result in results] == [False] * (len(path) - 1) + [True]
    env = make(f"{TWO_BALLS}mission = pick up the red ball\ntarget = c", CORRIDOR)
    assert not env.step(3)[2], "the other one is as red, but not the target"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "this task has several missions; add a line 'mission = ...' with one of .* and 3 more"),
        ("mission = pick up the red bal", "line 7: unknown mission 'pick up the red bal'; this task has 'pick up the"),
        (
            "mission = pick up the red ball",
            r"'b' at .*line 2, column 4, 'c' at .*line 2, column 6 would fit, and no line 'target",
        ),
        ("mission = pick up the blue ball", "nothing would fit, and no line 'target = ...' says which"),
        ("mission = pick up the red ball\ntarget = k", "line 8: .* 'k' names 0"),
        ("mission = pick up the red ball\ntarget = #", "line 8: .* '#' names 0"),
    ],
)
def test_missions_and_targets_that_do_not_fit(lines: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(f"{TWO_BALLS}{lines}", CORRIDOR)


def test_anything_that_looks_as_the_mission_says_is_fetched() -> None:
    name = "visnav/MiniGrid-Fetch-5x5-N2-v0"
    drawn = "######\n#>b.c#\n######\nb = red ball\nc = red ball\nmission = fetch a red ball"
    assert make(drawn, name).step(3)[4]["success"]
    assert make(drawn.replace("#>b", "#b>"), name).step(2)[4]["success"] is False
    with pytest.raises(ValueError, match="one target is needed for 'fetch a red key'; nothing would fit"):
        make(drawn.replace("a red ball", "a red key"), name)


def test_two_targets_are_both_needed_and_told_apart() -> None:
    name = "visnav/MiniGrid-MemoryS7-v0"
    drawn = "#####\n#s>f#\n#####\ns = empty\nf = empty\n"
    for lines, success in (("target = f\nother_target = s", True), ("target = s\nother_target = f", False)):
        result = make(drawn + lines, name).step(2)
        assert (result[2], result[4]["success"]) == (True, success)
    with pytest.raises(ValueError, match=r"one other_target is needed .* and no line 'other_target"):
        make(f"{drawn}target = f", name)
    doors = "######\n#.>.D#\n#d####\n######\nD = closed red door\nd = closed blue door"
    env = make(doors, "visnav/MiniGrid-RedBlueDoors-6x6-v0")
    assert [env.step(action)[4]["success"] for action in (2, 5, 0, 0, 2, 2, 0, 5)] == [False] * 7 + [True]


def test_what_is_to_be_moved_is_there() -> None:
    name, mission = "visnav/MiniGrid-PutNear-6x6-N2-v0", "mission = put the red ball near the blue box"
    drawn = f"########\n#>..B..#\n########\nB = blue box\n{mission}\n"
    with pytest.raises(ValueError, match="there is nothing to be moved, and the mission is 'put the red ball near"):
        make(drawn, name)
    env = make(f"{drawn}carrying = red ball", name)
    env.step(2)
    assert env.step(4)[4]["success"]


def test_a_goal_is_needed_where_the_mission_speaks_of_one() -> None:
    with pytest.raises(ValueError, match=r"there is no goal \(G\), and the mission is 'use the key"):
        make(DRAWN.replace("G", "."))
    for fact in ("target", "other_target"):
        with pytest.raises(ValueError, match=f"line 9: the objective of this task has no {fact}; remove this line"):
            make(f"{DRAWN}{fact} = k")


# --- writing ------------------------------------------------------------------------------------------------


def aims(world: Any, slot: int, objective: int) -> list[Any]:
    """What the rules compare with: positions, objects or looks, by objective."""
    target, other = world.target[slot].tolist(), world.other_target[slot].tolist()
    found: list[Any] = [target[:2], other] if objective not in (REACH_GOAL, PICK_UP, FETCH) else []
    if objective == PICK_UP:
        found += np.argwhere(world.cells[slot] >> 8 == target[2]).tolist()
        assert len(found) == 1
    return found + ([target[2]] if objective in (FETCH, PUT_NEAR) else [])


def inside(world: Any, slot: int) -> list[str]:
    """What boxes hold, by rows, to any depth."""
    found = []
    for cell in [*world.cells[slot].ravel().tolist(), int(world.carrying[slot])]:
        held = ""
        while cell & 15 == BOX and cell >> 8 < world.contents.shape[1] and world.contents[slot, cell >> 8]:
            cell = int(world.contents[slot, cell >> 8])
            held += f" {cell & LOOK}"
        found.append(held)
    return found


@pytest.mark.parametrize("name", sorted(f"visnav/{name}" for name in TASKS))
def test_every_world_can_be_written_and_read_again(name: str) -> None:
    """Ten levels, at their start and after thirty random steps."""
    envs: Any = gym.make_vec(name, num_envs=10, max_steps=1000, camera="symbolic").unwrapped
    envs.reset(seed=100)
    envs.action_space.seed(0)
    task, theirs = envs.simulation.task, envs.simulation.world
    written = 0
    for steps in (0, 30):
        for _ in range(steps):
            envs.step(envs.action_space.sample())
        for slot in np.flatnonzero(theirs.phase == PLAYING).tolist():
            text = to_text(envs, slot)
            copy = make(text, name, camera="symbolic")
            ours = copy.simulation.world
            assert looks(copy) == looks(envs, slot)
            assert to_text(copy) == text
            assert aims(ours, 0, task.objective) == aims(theirs, slot, task.objective)
            assert inside(ours, 0) == inside(theirs, slot)
            assert sorted(ours.obstacles[0].tolist()) == sorted(theirs.obstacles[slot].tolist())
            if steps == 0:
                assert copy.layouts[0] == envs.layouts[slot]
            written += 1
    assert written > 10


@pytest.mark.parametrize(
    ("name", "endings"),
    [
        ("Fetch-5x5-N2", 15),
        ("GoToObject-6x6-N2", 15),
        ("PutNear-6x6-N2", 15),
        ("GoToDoor-5x5", 15),
        ("RedBlueDoors-6x6", 3),
        ("MemoryS7", 3),
        ("KeyCorridorS3R1", 0),
        ("ObstructedMaze-1Dlhb", 0),
    ],
)
def test_a_copied_level_goes_on_as_the_original(name: str, endings: int) -> None:
    env: Any = gym.make(f"visnav/MiniGrid-{name}-v0", max_steps=400, camera="full").unwrapped
    ended = 0
    for level in range(20):
        env.reset(options={"level": level})
        copy = make(to_text(env), f"visnav/MiniGrid-{name}-v0", max_steps=400, camera="full")
        for action in np.random.default_rng(level).integers(7, size=400).tolist():
            ours, theirs = copy.step(action), env.step(action)
            assert ours[1:4] == theirs[1:4]
            assert np.array_equal(copy.simulation.world.cells & LOOK, env.simulation.world.cells & LOOK)
            if theirs[2]:
                ended += 1
                break
    assert ended >= endings


def test_writing_needs_a_world() -> None:
    with pytest.raises(ResetNeeded, match=r"reset\(\)"):
        to_text(gym.make(DOOR_KEY))
    with pytest.raises(ValueError, match="slot is 0 to 0; got 1"):
        to_text(make(DRAWN), 1)


# --- mistakes -----------------------------------------------------------------------------------------------


def changed(old: str, new: str) -> str:
    assert old in DRAWN
    return DRAWN.replace(old, new)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (changed(".k#", ".?#"), r"line 4, column 3: unknown character '\?'; known are # wall, .*defined here D k"),
        (changed(".k#", " k#"), "line 4, column 2: a blank; an empty cell is a dot"),
        (changed(".k#G#", ".k#G"), "line 4, column 6: this row has 5 cells, the first one has 6"),
        (changed(".k#G#", ".k#G##"), "line 4, column 7: this row has 7 cells, the first one has 6"),
        (changed(">", "."), "there is no agent; draw one as > v < or"),
        (changed(".k#", "vk#"), "line 4, column 2: a second agent; the first is at layout, line 3, column 2"),
        (changed("#G#\n######", "#G#\n#.####"), "line 5, column 2: the agent could come here and leave the grid"),
        (changed("G#\n", "G.\n"), "line 4, column 6: the agent could come here"),
        (changed("yellow key", "yelow key"), "line 8: unknown thing 'yelow key'; did you mean 'yellow key'"),
        (changed("yellow key", "agent north"), "line 8: 'agent north' does not say where the agent looks: agent right"),
        (changed("yellow key", "agent up on wall"), "line 8: an agent cannot stand on 'wall'"),
        (changed("yellow key", ""), "line 8: unknown thing ''"),
        (changed("yellow key", "red key with blue key"), "line 8: .* only a box can hold something, and only a key"),
        (changed("yellow key", "red box with goal"), "line 8: .* only a box can hold something, and only a key"),
        (changed("k = ", "G = "), "line 8: 'G' always is goal"),
        (changed("k = ", "D = "), "line 8: 'D' is defined again, after layout, line 7"),
        (changed("k = ", "key = "), "line 8: 'key' is defined, but a definition is of one character, or of mission"),
        (changed("k = ", "= "), "line 8: '' is defined"),
        (changed("k = yellow key", "k yellow key"), "line 8: 'k yellow key' is neither a definition.*lines 2 to 5"),
        (changed("#G#\n", "#G#\n\n"), "line 6: '######' is neither a definition"),
        (DRAWN + "heading = 0", "line 9: the agents of this task look in the four directions of > v < \\^; remove"),
        (DRAWN + "carrying = goal", "line 9: an agent carries a key, a ball or a box, not 'goal'"),
        ("k = yellow key\n", "there are no rows"),
        ("##\n##\n", "3 to 256 cells wide and high; this one has 2 rows of 2"),
        ("#" * 257 + "\n" + "#" * 257, "this one has 2 rows of 257 cells"),
        (
            "#" * 256 + "\n#>" + "b" * 253 + "#\n#." + "b" * 253 + "#\n" + "#" * 256 + "\nb=red ball",
            "line 3, column 5: more than 255",
        ),
        (DRAWN.partition("######")[2].replace("\n", ""), "there is no file '#>.D~#"),
        ('{"rows": [1]}', "row 1: a string is needed; got 1"),
        ('{\n "rows": ["###",\n}', "line 3, column 1: no JSON: "),
        ('{"rows": ["###"], "rows": ["###"]}', "the key 'rows' is there twice"),
        ('{"a":' * 100_000, "recursion"),
        ({"row": []}, r"unknown key 'row'; did you mean 'rows'"),
        ({"rows": "###\n###"}, '"rows" is a list of strings'),
        ({"rows": []}, "there are no rows"),
        ({"rows": ["####", "#>G#", "####"], "legend": ["k"]}, '"legend" is an object'),
        ({"rows": ["####", "#>G#", "####"], "legend": {"k": 3}}, "legend 'k': a string is needed; got 3"),
        ({"rows": ["####", "#>K#", "####"]}, "row 2, column 3: unknown character 'K'"),
        ({"rows": ["####", "#>G#", "####"], "mission": 0}, "mission: a string is needed; got 0"),
        (
            {"rows": ["####", "#>G#", "####"], "mission": "fly"},
            "mission: unknown mission 'fly'; this task has 'use the",
        ),
        (7, "layout is text, a path, or a dict; got int"),
        ([], "layout is an empty list"),
        ([DRAWN, DRAWN.replace("k#", "x#")], "layout 1, line 4, column 3: unknown character 'x'"),
        ([DRAWN, "####\n#>G#\n####"], "one size; layout 0 has 4 rows of 6 cells, layout 1 has 3 of 4"),
    ],
)
def test_a_mistake_is_pointed_at(drawn: Any, message: str) -> None:
    for vectorised in (False, True):
        with pytest.raises((ValueError, FileNotFoundError), match=f"(?s){message}"):
            gym.make_vec(DOOR_KEY, 2, layout=drawn) if vectorised else gym.make(DOOR_KEY, layout=drawn)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "drawn.txt"
    path.write_bytes(DRAWN.encode() + b"\xff")
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 9: not UTF-8 text (byte {len(DRAWN)})")):
        make(path)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match=r"drawn\.txt: a layout has at most 1,048,576 bytes"):
        make(path)
    path.write_text(DRAWN.replace("~", "k~", 1))
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 3, column 7: this row has 7 cells")):
        make(path)
    with pytest.raises(FileNotFoundError, match="a layout is a path, a text of several lines, or a dict"):
        make(tmp_path / "nowhere.txt")


def test_whatever_is_read_is_a_layout_or_a_value_error() -> None:
    task = TASKS["MiniGrid-KeyCorridorS3R1-v0"]()
    random = np.random.default_rng(0)
    env = gym.make(CORRIDOR)
    env.reset(seed=0)
    start = to_text(env)
    read = 0
    for _ in range(2000):
        text = list(start)
        for _ in range(random.integers(1, 3)):
            place = int(random.integers(len(text)))
            text[place : place + int(random.choice([0, 1, 1, 1, 1, 2]))] = list(
                "#.Gk~>^ =\n\té{\0"[int(random.integers(14)) :][:1]
            )
        with contextlib.suppress(ValueError):
            read += bool(read_layout("".join(text) + "\n", task).cells.size)
    assert 20 < read < 1980
