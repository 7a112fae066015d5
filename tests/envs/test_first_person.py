"""The first-person camera: labels that are right, pictures that vary as they are asked to."""

import io
import os
import subprocess
import sys
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from first_person_oracle import THINGS, look, scatter

import visnav.envs  # noqa: F401, registers the IDs
from visnav.envs.grid import lens
from visnav.envs.grid.decor import decorate
from visnav.envs.grid.textures import NUM_PATTERNS
from visnav.envs.grid.world import (
    KEY,
    KINDS,
)

ID = "visnav/MiniGrid-Empty-8x8-v0"
SENSORS = ("rgb", "depth", "semantic", "instance")


def scattered(num_envs: int, seed: int, **keywords: Any) -> Any:
    """A batch of worlds full of things, seen in first person."""
    envs = gym.make_vec(ID, num_envs=num_envs, camera="first_person", sensors=SENSORS, **keywords)
    envs.reset(seed=seed)
    world = envs.simulation.world
    scatter(world.cells, world.agent, world.carrying, np.random.default_rng(seed))
    return envs


@pytest.mark.parametrize(
    ("size", "field_of_view", "states"),
    [((32, 31), 88.7, 600), ((24, 39), 61.3, 200), ((33, 18), 121.7, 100), ((48, 21), 139.1, 100)],
)
def test_depth_class_and_instance_are_those_of_a_brute_force_ray_caster(
    size: tuple[int, int], field_of_view: float, states: int
) -> None:
    """1,000 random states in all. A ray on an edge may fall on either side of it: then one 1e-4 beside it is right.

    One side is even and one odd, or many rays would run along the very edges of cells.
    """
    height, width = size
    envs = scattered(states, seed=states, image_size=size, field_of_view=field_of_view)
    pictures, world = envs.render_observation(), envs.simulation.world
    focal = width / 2 / np.tan(np.radians(field_of_view) / 2)
    u, v = np.meshgrid((np.arange(width) + 0.5 - width / 2) / focal, (np.arange(height) + 0.5 - height / 2) / focal)
    edges = 0
    for i in range(states):
        ours = [pictures[name][i, ..., 0] for name in ("depth", "semantic", "instance")]
        right = np.zeros(size, bool)
        for du, dv in product((0, 1e-4, -1e-4), repeat=2):
            seen = look(world.cells[i], tuple(world.agent[i].tolist()), int(world.carrying[i]), u + du, v + dv)
            tolerance = 1e-3 if du == dv == 0 else 1e-3 + 0.02 * seen.depth
            same = (ours[1] == seen.label) & (ours[2] == seen.instance)
            right |= same & (np.abs(ours[0] - seen.depth) <= tolerance)
            if right.all():
                break
            edges += np.count_nonzero(~right) if du == dv == 0 else 0
        assert right.all(), (i, np.argwhere(~right)[:3])
    assert edges < 1e-3 * states * height * width


def test_boxes_are_tight_and_semantic_and_instance_agree() -> None:
    envs = scattered(200, seed=3)
    pictures, world = envs.render_observation(), envs.simulation.world
    labels = envs.unwrapped.annotate(("boxes", "instance", "semantic", "depth"))
    for name in ("instance", "semantic", "depth"):
        assert np.array_equal(labels[name], pictures[name])
    kinds_seen = set()
    for i, target in enumerate(labels["boxes"]):
        instance, semantic = labels["instance"][i, ..., 0], labels["semantic"][i, ..., 0]
        ids = np.unique(instance[instance > 0])
        assert np.array_equal(target["ids"], ids)
        for box, label, number in zip(target["boxes"], target["labels"], ids, strict=True):
            rows, columns = np.nonzero(instance == number)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert set(semantic[instance == number]) == {label}
            kind = world.carrying[i] & 15 if number == 250 else world.cells[i][world.cells[i] >> 8 == number][0] & 15
            assert label == lens.CLASS_OF_KIND[kind]
            kinds_seen.add(label)
        background = [lens.SEMANTIC_CLASSES.index(name) for name in ("ceiling", "floor", "wall", "lava")]
        assert np.array_equal(instance == 0, np.isin(semantic, background))
    assert kinds_seen == {lens.CLASS_OF_KIND[kind] for kind in THINGS}


def test_a_picture_does_not_depend_on_what_else_is_drawn_nor_on_threads() -> None:
    envs = scattered(300, seed=4, num_threads=2, textures="all", lighting="random", noise=0.05)
    together = envs.render_observation()
    alone = gym.make_vec(
        ID, num_envs=300, camera="first_person", num_threads=1, textures="all", lighting="random", noise=0.05
    )
    alone.reset(seed=4)
    alone.unwrapped.set_state(envs.unwrapped.get_state())
    assert np.array_equal(alone.unwrapped.render_observation(), together["rgb"])
    assert np.array_equal(envs.render_observation()["depth"], together["depth"])


def test_what_is_carried_is_seen() -> None:
    env = gym.make("visnav/MiniGrid-DoorKey-6x6-v0", camera="first_person").unwrapped
    before, _ = env.reset(seed=0)
    env.simulation.world.carrying[0] = KEY | 4 << 4 | 1 << 8
    after = env.render_observation()
    changed = np.argwhere((before != after).any(axis=-1))
    assert len(changed) > 40
    assert changed.min() >= 32  # below and right of the middle


# --- variation ------------------------------------------------------------------------------------------------


def test_training_and_testing_share_no_pattern() -> None:
    surfaces = {}
    for name in ("train", "test", "all"):
        number = lens.make_lens((8, 8), 90.0, name, "fixed", 0.0)
        looks = [decorate(level, number) for level in range(500)]
        surfaces[name] = (
            {look.wall for look in looks} | {look.floor for look in looks} | {look.ceiling for look in looks}
        )
    assert surfaces["train"] & surfaces["test"] == set()
    assert surfaces["train"] | surfaces["test"] == surfaces["all"] == set(range(NUM_PATTERNS))


def test_levels_look_different_and_a_level_always_the_same() -> None:
    keywords = {"camera": "first_person", "textures": "all", "lighting": "random"}
    env = gym.make(ID, **keywords)
    pictures = [env.reset(options={"level": level})[0] for level in (1, 2, 1)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])
    assert np.array_equal(gym.make(ID, **keywords).reset(seed=1)[0], pictures[0])


def test_noise_has_the_deviation_asked_for_and_is_new_at_every_step() -> None:
    clean, grainy = (gym.make(ID, camera="first_person", noise=noise) for noise in (0.0, 0.02))
    for env in (clean, grainy):
        env.reset(seed=0)
    grains = []
    for action in (0, 1, 0, 1):
        picture, noisy = (env.step(action)[0].astype(int) for env in (clean, grainy))
        inner = (picture > 40) & (picture < 215)
        grains.append((noisy - picture)[inner])
        assert grains[-1].std() == pytest.approx(0.02 * 255, rel=0.05)
        assert abs(grains[-1].mean()) < 0.2
    assert not np.array_equal(grains[0], grains[2])


def test_the_field_of_view_is_the_angle_between_the_edges() -> None:
    for field_of_view, width in ((60.0, 64), (90.0, 101), (120.0, 40)):
        env = gym.make(
            ID, camera="first_person", sensors="depth", image_size=(16, width), field_of_view=field_of_view
        ).unwrapped
        env.reset(seed=0)
        env.simulation.world.agent[0] = 1, 1, 0  # beside the northern wall, 0.5 m to its left
        depth = env.render_observation()[8, :, 0]
        edge = np.tan(np.radians(field_of_view) / 2) * (1 - 1 / width)
        assert depth[0] == pytest.approx(0.5 / edge, rel=1e-5)
        assert depth.max() == pytest.approx(5.5, rel=1e-5)


def test_object_colours_stay_apart_in_grey() -> None:
    luma = sorted(np.array(lens.COLORS) @ (0.299, 0.587, 0.114))
    assert np.diff(luma).min() > 25


def test_plain_python_draws_the_same() -> None:
    """The slow oracle: labels to the bit, colours within one of 255."""
    script = f"""
import gymnasium as gym, numpy as np, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_first_person import scattered
envs = scattered(6, seed=8, image_size=(12, 16), num_threads=1, textures="all", lighting="random")
np.savez(sys.stdout.buffer, **envs.render_observation())
"""
    pictures = []
    for disabled in ("0", "1"):
        environment = os.environ | {"NUMBA_DISABLE_JIT": disabled, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        pictures.append(np.load(io.BytesIO(done.stdout)))
    compiled, plain = pictures
    for name in ("semantic", "instance"):
        assert np.array_equal(compiled[name], plain[name])
    assert np.allclose(compiled["depth"], plain["depth"], atol=1e-4)
    different = np.abs(compiled["rgb"].astype(int) - plain["rgb"]) > 1
    assert different.mean() < 1e-3


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"tile_size": 8}, "tile_size is not for camera='first_person'; it belongs to 'tiles', 'full'"),
        ({"image_size": (64,)}, "image_size is .height, width. in pixels"),
        ({"image_size": (0, 64)}, "image_size.0. is a whole number, 4 to 4096; got 0"),
        ({"field_of_view": 180}, "field_of_view is an angle in degrees, 10 to 150; got 180"),
        ({"field_of_view": float("nan")}, "field_of_view is an angle"),
        ({"textures": "wood"}, "unknown textures 'wood'; allowed: all, fixed, test, train"),
        ({"lighting": True}, "unknown lighting True; allowed: fixed, random"),
        ({"noise": -0.1}, "noise is a share of full white, 0 to 1; got -0.1"),
        ({"camera": "tiles", "noise": 0.1}, "noise is not for camera='tiles'; it belongs to 'first_person'"),
        ({"sensors": ("rgb", "dept")}, "did you mean 'depth'"),
    ],
)
def test_impossible_pictures_are_refused(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make(ID, **{"camera": "first_person", **keywords})


def test_labels_are_those_of_the_camera() -> None:
    env = gym.make(ID, camera="symbolic").unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="camera='symbolic' has no labels; tiles, full, first_person have"):
        env.annotate(("semantic",))
    env = gym.make(ID).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="label for camera='tiles' 'depth'; allowed: boxes, instance, rgb, semantic"):
        env.annotate(("depth",))
    env = gym.make(ID, camera="first_person").unwrapped
    with pytest.raises(gym.error.ResetNeeded):
        env.annotate(("semantic",))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="unknown label for camera='first_person' 'mask'"):
        env.annotate(("mask",))
    assert env.annotate(("semantic",))["semantic"].shape == (64, 64, 1)
    assert set(env.annotate(("boxes",))["boxes"]) == {"boxes", "labels", "ids"}


def test_every_kind_of_cell_has_a_class() -> None:
    assert len(lens.CLASS_OF_KIND) == KINDS
