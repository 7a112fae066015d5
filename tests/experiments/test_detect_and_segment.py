"""Scripts 04 and 05: what they learn holds on unseen worlds, and what they keep can be used again."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visnav.envs.driving.decor import TEXTURES
from visnav.envs.levels import TEST_SHARE
from visnav.experiments.labelling import FAMILIES, Worlds
from visnav.experiments.seeing import SeeingConfig, keep, load
from visnav.experiments.story import print_table
from visnav.perception.colour import ColourDetector, ColourThreshold, PixelRegression
from visnav.perception.detection import Detector
from visnav.perception.encoders import Pyramid
from visnav.perception.heads import Segmenter
from visnav.perception.labels import gathered
from visnav.perception.saved import CheckpointError

SCRIPTS = Path(__file__).parents[2] / "experiments"


def script(name: str) -> dict[str, Any]:
    """The names that a numbered script defines."""
    return runpy.run_path(str(SCRIPTS / name))


@pytest.mark.parametrize("name", FAMILIES)
def test_train_and_test_have_neither_layouts_nor_textures_in_common(name: str) -> None:
    family = FAMILIES[name]
    for part in ("train", "test"):
        worlds = Worlds(family, part, 4 * len(family.env_ids), seed=1)
        for envs in worlds._worlds:
            is_for_testing = envs.simulation.slots.layout % np.uint64(TEST_SHARE) == 0
            assert (is_for_testing == (part == "test")).all()
            camera = envs.simulation._camera._lens if name == "grid" else envs.simulation._lens.lens.looks
            assert camera.textures == TEXTURES[part]


@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_of_a_family_are_the_same_again_from_the_same_seed_and_change(name: str) -> None:
    family = FAMILIES[name]
    count = len(family.env_ids) + 1
    first, again, other = (Worlds(family, "train", count, seed) for seed in (3, 3, 4))
    before = first()
    for key, value in again().items():
        if key != "boxes":
            assert np.array_equal(before[key], value)
    assert len(before["rgb"]) == len(before["boxes"]) == count
    assert before["semantic"].max() < len(family.classes)
    assert not np.array_equal(before["rgb"], other()["rgb"])
    assert not np.array_equal(before["rgb"], first()["rgb"])
    with pytest.raises(ValueError, match=f"at least {len(family.env_ids)}"):
        Worlds(family, "train", 2)


def test_boxes_are_around_pixels_of_their_class() -> None:
    seen = gathered(Worlds(FAMILIES["grid"], "train", 16, seed=0), 64)
    assert len(seen.labels) > 20
    for (x0, y0, x1, y1), label, owner in zip(seen.boxes.int().tolist(), seen.labels, seen.owner, strict=True):
        inside = seen.semantic[owner, y0:y1, x0:x1] == label
        assert inside.any(0)[[0, -1]].all()
        assert inside.any(1)[[0, -1]].all()


@pytest.mark.parametrize("kind", [Detector, Segmenter])
def test_a_network_that_was_kept_predicts_the_same(kind: type[Detector] | type[Segmenter], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = kind(Pyramid((32, 32, 3), pool=True), 3).eval()
    keep(tmp_path / "run", network, ["a", "b", "c"], {"camera": "front"}, 0.5)
    again, values = load(tmp_path / "run")
    images = torch.randint(0, 256, (2, 40, 24, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(network(images), again(images))
    assert type(again) is kind
    assert (values["classes"], values["camera"], values["score"]) == (["a", "b", "c"], {"camera": "front"}, 0.5)
    with pytest.raises(CheckpointError, match="there is no file"):
        load(tmp_path)


def test_colour_is_enough_where_every_class_has_its_own_and_useless_where_none_has() -> None:
    rng = np.random.default_rng(0)
    semantic = np.zeros((30, 16, 16), np.uint8)
    truths = []
    for picture in semantic:
        x, y = rng.integers(0, 10, 2)
        picture[y : y + 6, x : x + 5] = 1
        truths.append({"boxes": np.array([[x, y, x + 5, y + 6]], float), "labels": np.array([0])})
    clear = np.array([(30, 30, 30), (220, 40, 40)], np.uint8)[semantic]
    alike = np.full_like(clear, 90)
    assert (ColourThreshold(clear, semantic, 2).segment(clear) == semantic).all()
    assert (ColourThreshold(alike, semantic, 2).segment(alike) == 0).all()
    assert (PixelRegression(clear, semantic).segment(clear) == semantic).mean() > 0.99
    found = ColourDetector(clear, semantic, truths, [(1,)], 2, 16).detect(clear)
    for boxes, truth in zip(found, truths, strict=True):
        assert np.array_equal(boxes["boxes"], truth["boxes"])
        assert boxes["scores"].tolist() == [1.0]
        assert boxes["labels"].tolist() == [0]


def test_half_of_a_minibatch_is_as_pictures_come_and_half_shows_what_is_rare() -> None:
    page = script("05_segment_worlds.py")
    surfaces = torch.zeros(24, 8, 8, dtype=torch.uint8)
    surfaces[1:24:2, :2] = 1  # on every other picture
    surfaces[[2, 11, 22], 4:6] = 2
    surfaces[10, 0] = 2  # hardly in view
    images = torch.arange(24, dtype=torch.uint8)[:, None, None, None].expand(24, 8, 8, 3)
    seen = page["in_view"](surfaces, 3)
    assert seen.sum(0).tolist() == [24, 12, 3]
    assert seen[11].tolist() == [True, True, True]
    told = page["telling"](page["Pictures"](images, surfaces), 3)
    numbers = told.images[:, 0, 0, 0].tolist()
    assert numbers[:4] == [0, 6, 12, 18]
    assert set(numbers[4:7]) == {2, 11, 22}
    assert len(numbers) == 8
    assert numbers[7] % 2 == 1
    assert torch.equal(told.surfaces, surfaces[numbers])


def test_the_least_learning_prints_its_table_and_draws_its_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, row in (("04_detect.py", "grid: all, AP50 "), ("05_segment_worlds.py", "roads: mIoU ")):
        page = script(name)
        for constant in page.keys() & {"JUDGED", "EXAMPLES"}:
            page["main"].__globals__[constant] = 96
        arguments = ["--minibatches", "2", "--batch-size", "8", "--figure", str(tmp_path / "drawn.png")]
        assert page["main"]([*arguments, "--save", str(tmp_path / "run")]) == 0
        assert row in capsys.readouterr().out
        assert (tmp_path / "drawn.png").read_bytes()[:4] == b"\x89PNG"
        for family in FAMILIES:
            load(tmp_path / "run" / family)
        (tmp_path / "drawn.png").unlink()
        assert page["main"]([*arguments, "--families", "grid"]) == 0
        printed = capsys.readouterr().out
        assert "grid" in printed
        assert "roads" not in printed


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ValueError, match="families are of grid, roads; got streets"):
        SeeingConfig(families=("streets",))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    ("file", "config"), [("04_detect.py", "SeeingConfig"), ("05_segment_worlds.py", "SegmentConfig")]
)
def test_unseen_worlds_are_seen_well_and_much_better_than_by_colour(
    file: str, config: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scripts as they are, with another seed."""
    page = script(file)
    rows = page["rows_of"](name, page["learn"](name, page[config](seed=1)))
    with capsys.disabled():
        print()
        print_table(f"{file} --seed 1", rows)
    assert [row.met for row in rows if row.least] == [True]
