"""Seeds, levels, splits, autoreset, states and buffers of the Gymnasium faces."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import visnav.envs
from visnav.envs.grid import rules
from visnav.envs.grid.missions import detokenize, tokenize, words_of
from visnav.envs.levels import TEST_SHARE

ID = "visnav/MiniGrid-DoorKey-6x6-v0"
DRAWN = "visnav/MiniGrid-Empty-Random-5x5-v0"
DICT = "visnav/MiniGrid-GoToDoor-5x5-v0"


def make_vec(name: str = ID, num_envs: int = 5, **keywords: Any) -> visnav.envs.VectorEnv:
    envs = gym.make_vec(name, num_envs=num_envs, **keywords)
    assert isinstance(envs, visnav.envs.VectorEnv)
    return envs


def play(envs: visnav.envs.VectorEnv, steps: int, seed: int = 0) -> list[Any]:
    """What `steps` of random actions return."""
    actions = np.random.default_rng(seed).integers(0, 7, (steps, envs.num_envs))
    return [envs.step(action) for action in actions]


# --- which level is played ---------------------------------------------------------------------------------


def test_a_seed_is_a_level_and_slots_count_on_from_it() -> None:
    _, info = make_vec().reset(seed=40)
    assert info["level"].tolist() == [40, 41, 42, 43, 44]
    _, info = make_vec().reset(seed=[3, 3, 9, 0, 2**63 - 1])
    assert info["level"].tolist() == [3, 3, 9, 0, 2**63 - 1]


def test_later_levels_come_from_the_slots_own_stream_and_can_be_played_again() -> None:
    env = gym.make(ID)
    env.reset(seed=7)
    first, info = env.reset()
    assert info["level"] != 7
    again, _ = gym.make(ID).reset(options={"level": info["level"]})
    np.testing.assert_array_equal(first, again)
    env.reset(seed=7)
    assert env.reset()[1]["level"] == info["level"]


def test_without_a_seed_two_environments_differ() -> None:
    levels = {gym.make(ID).reset()[1]["level"] for _ in range(4)}
    assert len(levels) == 4


def test_none_in_a_list_of_seeds_keeps_that_slots_stream() -> None:
    envs, other = make_vec(num_envs=2), make_vec(num_envs=2)
    envs.reset(seed=[1, 2])
    other.reset(seed=[1, 2])
    expected = other.reset()[1]["level"]
    level = envs.reset(seed=[5, None])[1]["level"]
    assert level.tolist() == [5, expected[1]]


@pytest.mark.parametrize("levels", [range(4), range(10, 2, -3), [5, 5, 900], np.array([2**40])])
def test_levels_are_drawn_from_those_given(levels: Any) -> None:
    envs = make_vec(levels=levels, num_envs=64)
    _, info = envs.reset(seed=0)
    assert set(info["level"].tolist()) == set(map(int, levels))
    _, again = make_vec(levels=levels, num_envs=64).reset(seed=0)
    assert (info["level"] == again["level"]).all()


def test_splits_part_the_layouts() -> None:
    layouts = {}
    for split in ("train", "test"):
        envs = make_vec(DRAWN, 512, split=split)
        envs.reset(seed=0)
        layouts[split] = set(envs.layouts.tolist())
        assert all((layout % TEST_SHARE == 0) == (split == "test") for layout in layouts[split])
    assert layouts["train"]
    assert layouts["test"]
    assert not layouts["train"] & layouts["test"]
    envs = make_vec(DRAWN, 512)
    envs.reset(seed=0)
    assert set(envs.layouts.tolist()) == layouts["train"] | layouts["test"]  # 32 layouts in all


def test_autoresets_stay_in_the_split() -> None:
    envs = make_vec(DRAWN, 300, split="test", max_steps=3)
    envs.reset(seed=0)
    for *_, _info in play(envs, 20):
        assert (envs.layouts % TEST_SHARE == 0).all()


def test_a_split_without_layouts_says_so() -> None:
    one_layout = "visnav/MiniGrid-Empty-5x5-v0"
    envs = make_vec(one_layout, 1)
    envs.reset(seed=0)
    full, empty = ("test", "train") if envs.layouts[0] % TEST_SHARE == 0 else ("train", "test")
    gym.make(one_layout, split=full).reset(seed=0)
    with pytest.raises(visnav.envs.LevelError, match="no layout in the split"):
        gym.make(one_layout, split=empty).reset(seed=0)


# --- autoreset ---------------------------------------------------------------------------------------------


def test_next_step_returns_the_last_frame_then_the_new_one() -> None:
    envs, single = make_vec(num_envs=1, max_steps=3), gym.make(ID, max_steps=3)
    single.reset(seed=4)
    envs.reset(seed=4)
    for t in range(3):
        expected = single.step(0)
        observation, _, _, truncated, _ = envs.step(np.array([0]))
        np.testing.assert_array_equal(observation[0], expected[0])
        assert truncated[0] == (t == 2)
    observation, reward, terminated, truncated, info = envs.step(np.array([5]))
    expected_observation, expected_info = single.reset()
    np.testing.assert_array_equal(observation[0], expected_observation)
    assert (reward[0], terminated[0], truncated[0]) == (0, False, False)
    assert info["level"][0] == expected_info["level"]


def test_same_step_keeps_the_final_observation() -> None:
    envs = make_vec(num_envs=1, max_steps=2, autoreset_mode=AutoresetMode.SAME_STEP)
    single = gym.make(ID, max_steps=2)
    single.reset(seed=4)
    envs.reset(seed=4)
    envs.step(np.array([1]))
    single.step(1)
    observation, _, _, truncated, info = envs.step(np.array([1]))
    assert truncated[0]
    assert info["_final_obs"].tolist() == [True]
    np.testing.assert_array_equal(info["final_obs"][0], single.step(1)[0])
    assert info["final_info"]["level"][0] == 4
    np.testing.assert_array_equal(observation[0], single.reset()[0])


def test_disabled_leaves_resetting_to_the_caller() -> None:
    envs = make_vec(num_envs=3, max_steps=2, autoreset_mode="Disabled")
    envs.reset(seed=0)
    play(envs, 2)
    with pytest.raises(gym.error.ResetNeeded, match="reset_mask"):
        envs.step(np.zeros(3, int))
    before = envs.get_state()
    observation, info = envs.reset(seed=9, options={"reset_mask": np.array([True, False, True])})
    assert info["level"].tolist() == [9, 1, 11]
    assert info["_level"].tolist() == [True, False, True]
    after = envs.get_state([1])
    assert all((after[name] == before[name][1:2]).all() for name in after)
    assert observation.shape[0] == 3


# --- states ------------------------------------------------------------------------------------------------


def test_a_slot_saved_and_restored_elsewhere_replays_identically() -> None:
    envs = make_vec(num_envs=4, max_steps=20)
    envs.reset(seed=0)
    play(envs, 13)
    state = envs.get_state([2])
    original = [(o[2], r[2], te[2], tr[2], i["level"][2]) for o, r, te, tr, i in play(envs, 50, seed=3)]

    other = make_vec(num_envs=1, max_steps=20)
    other.set_state(state)
    actions = np.random.default_rng(3).integers(0, 7, (50, 4))[:, 2:3]
    for step, (o, r, te, tr, level) in enumerate(original):
        observation, reward, terminated, truncated, info = other.step(actions[step])
        np.testing.assert_array_equal(observation[0], o)
        assert (reward[0], terminated[0], truncated[0], info["level"][0]) == (r, te, tr, level)


def test_render_observation_shows_a_restored_state() -> None:
    envs = make_vec()
    envs.reset(seed=0)
    state = envs.get_state()
    observation = play(envs, 7)[-1][0]
    later = envs.get_state()
    envs.set_state(state)
    assert not (envs.render_observation() == observation).all()
    envs.set_state(later)
    np.testing.assert_array_equal(envs.render_observation(), observation)
    env = gym.make(ID).unwrapped
    env.set_state(envs.get_state([3]))
    np.testing.assert_array_equal(env.render_observation(), observation[3])


def test_a_foreign_state_is_refused_and_changes_nothing() -> None:
    envs = make_vec()
    envs.reset(seed=0)
    before = envs.get_state()
    other = make_vec("visnav/MiniGrid-DoorKey-8x8-v0")
    other.reset(seed=0)
    with pytest.raises(ValueError, match=r"world\.cells"):
        envs.set_state(other.get_state())
    with pytest.raises(ValueError, match="missing or unknown"):
        envs.set_state({"world.cells": before["world.cells"]})
    after = envs.get_state()
    assert all((after[name] == before[name]).all() for name in before)


# --- arrays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ID, DICT])
def test_what_step_returns_may_be_kept(name: str) -> None:
    envs = make_vec(name)
    kept = [envs.reset(seed=0)[0]]
    copies = [{k: v.copy() for k, v in kept[0].items()} if isinstance(kept[0], dict) else kept[0].copy()]
    views = []
    for observation, *_ in play(envs, 30):
        kept.append(observation)
        picture = observation["rgb"] if isinstance(observation, dict) else observation
        copies.append(
            {k: v.copy() for k, v in observation.items()} if isinstance(observation, dict) else picture.copy()
        )
        views.append((picture[1:, 3:], picture[1:, 3:].copy()))
    for one, other in zip(kept, copies, strict=True):
        for a, b in zip(one.values(), other.values(), strict=True) if isinstance(one, dict) else [(one, other)]:
            np.testing.assert_array_equal(a, b)
    del kept, observation, picture, one
    play(envs, 10)
    for view, copy in views:
        np.testing.assert_array_equal(view, copy)


def test_arrays_let_go_of_are_used_again() -> None:
    envs = make_vec()
    observation, _ = envs.reset(seed=0)
    places = set()
    for _ in range(20):
        observation, *_ = envs.step(np.zeros(5, int))
        places.add(observation.ctypes.data)
    assert len(places) <= 2


def test_copy_false_returns_one_buffer() -> None:
    envs = make_vec(copy=False)
    first, _ = envs.reset(seed=0)
    second, *_ = envs.step(np.ones(5, int))
    assert first is second


@pytest.mark.parametrize("name", [ID, DICT])
def test_out_is_written_in_place(name: str) -> None:
    envs, other = make_vec(name), make_vec(name)
    rollout = {
        sensor: np.zeros((4, 5, *space.shape), space.dtype) for sensor, space in envs.simulation.sensor_spaces.items()
    }

    def row(t: int) -> Any:
        arrays = {sensor: values[t] for sensor, values in rollout.items()}
        return arrays if len(arrays) > 1 else arrays["rgb"]

    envs.reset(seed=1, out=row(0))
    expected = [other.reset(seed=1)[0]]
    for t in range(1, 4):
        envs.step(np.full(5, t % 3), out=row(t))
        expected.append(other.step(np.full(5, t % 3))[0])
    for t in range(4):
        for sensor, values in rollout.items():
            wanted = expected[t][sensor] if isinstance(expected[t], dict) else expected[t]
            np.testing.assert_array_equal(values[t], wanted)


@pytest.mark.parametrize("out", [np.zeros((5, 48, 48, 3), np.uint8), np.zeros((5, 56, 56, 3)), "no array",
                                 np.zeros((5, 56, 3, 56), np.uint8).swapaxes(2, 3)])  # fmt: skip
def test_an_out_of_the_wrong_kind_is_refused(out: Any) -> None:
    envs = make_vec()
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"out for 'rgb' is a writable C-contiguous uint8\(5, 56, 56, 3\)"):
        envs.step(np.zeros(5, int), out=out)


# --- sensors and sizes -------------------------------------------------------------------------------------


def test_missions_that_vary_are_in_the_observation_as_tokens() -> None:
    env = gym.make(DICT)
    observation, info = env.reset(seed=0)
    assert sorted(observation) == ["mission", "rgb"]
    assert detokenize(observation["mission"]) == " ".join(words_of(info["mission"]))
    assert isinstance(gym.make(ID).observation_space, gym.spaces.Box)


def test_token_ids_stay_what_they_are() -> None:
    assert tokenize(["pick up the red ball"])[0, :6].tolist() == [29, 42, 38, 33, 5, 0]


def test_sensors_can_be_chosen() -> None:
    env = gym.make(ID, sensors=("rgb", "direction", "mission"))
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert sorted(observation) == ["direction", "mission", "rgb"]
    image = gym.make(ID, camera="symbolic", sensors="image").reset(seed=0)[0]
    assert image.shape == (7, 7, 3)


@pytest.mark.parametrize(
    ("keywords", "shape"),
    [
        ({"tile_size": 5}, (35, 35, 3)),
        ({"agent_view_size": 9}, (72, 72, 3)),
        ({"image_size": (84, 84)}, (84, 84, 3)),
        ({"camera": "full"}, (48, 48, 3)),
        ({"camera": "full", "image_size": (96, 96)}, (96, 96, 3)),
    ],
)
def test_sizes_of_pictures(keywords: dict[str, Any], shape: tuple[int, ...]) -> None:
    env = gym.make(ID, **keywords)
    assert env.observation_space.shape == shape
    assert env.reset(seed=0)[0].shape == shape


def test_action_repeat_plays_until_the_end_and_sums_rewards() -> None:
    env = gym.make("visnav/MiniGrid-Empty-5x5-v0", action_repeat=2)
    env.reset(seed=0)
    for action in (2, 1, 2):
        _, _, terminated, _, _ = env.step(action)
    assert not terminated  # two right turns: facing left again
    env.reset(seed=0)
    env.step(2)
    state = env.unwrapped.get_state()
    assert state["world.agent"].tolist() == [[3, 1, 0]]
    assert state["world.step_count"].tolist() == [2]


def test_render_is_the_originals_picture() -> None:
    minigrid = pytest.importorskip("minigrid")
    assert minigrid
    ours, theirs = gym.make(ID, render_mode="rgb_array"), gym.make(ID.split("/")[1], render_mode="rgb_array")
    ours.reset(seed=3)
    theirs.reset(seed=3)
    np.testing.assert_array_equal(ours.render(), theirs.render())


def test_layout_hash_sees_cells_and_pose() -> None:
    envs = make_vec(num_envs=1)
    envs.reset(seed=0)
    world = envs.simulation.world
    digest = rules.layout_hash(0, world)
    assert digest == envs.layouts[0]
    world.agent[0, 2] = (world.agent[0, 2] + 1) % 4
    turned = rules.layout_hash(0, world)
    world.cells[0, 0, 0] = 1
    assert len({int(digest), int(turned), int(rules.layout_hash(0, world))}) == 3


@pytest.mark.parametrize(
    ("env_id", "layouts"),
    [
        ("visnav/MiniGrid-DoorKey-8x8-v0", [0xB4A2F596EDDCC142, 0x4B6B2261B42C241C]),
        ("visnav/MiniGrid-ObstructedMaze-Full-v0", [0x2D62CC901E8C4E12, 0xBAA0E762D30A3AAE]),
        ("visnav/highway-v0", [0xFD7306CE2067BA4B, 0x500FA11C4FE5C2ED]),
    ],
)
def test_layout_hashes_are_what_they_always_were(env_id: str, layouts: list[int]) -> None:
    """Splits hang on them: of levels 0 and 5."""
    envs = gym.make_vec(env_id, num_envs=2)
    envs.reset(seed=[0, 5])
    assert envs.unwrapped.layouts.tolist() == layouts
