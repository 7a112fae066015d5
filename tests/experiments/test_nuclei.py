"""Script 06: the picture is read as it is stored, the augmentation keeps picture and labels together, and it learns."""

import importlib.util
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
needs_stardist = pytest.mark.skipif(importlib.util.find_spec("stardist") is None, reason="stardist is not installed")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "experiments" / "06_segment_nuclei.py"))


@needs_stardist
def test_the_pictures_are_read_value_by_value(script: dict[str, Any]) -> None:
    """Both files hold 512 × 512 uint16, uncompressed and little-endian, from byte 236 or so on: read by hand."""
    picture, nuclei = script["read_nuclei"]()
    folder = Path(importlib.util.find_spec("stardist").submodule_search_locations[0]) / "data" / "images"  # type: ignore
    stored = {}
    for name in ("img2d.tif", "mask2d.tif"):
        content = (folder / name).read_bytes()
        entries = np.frombuffer(content, np.dtype("<u2,<u2,<u4,<u4"), int.from_bytes(content[8:10], "little"), 10)
        tags = {int(entry[0]): int(entry[3]) for entry in entries}
        assert tags[259] == 1, "uncompressed"
        stored[name] = np.frombuffer(content, "<u2", 512 * 512, tags[273]).reshape(512, 512)
    assert np.array_equal(picture, stored["img2d.tif"])
    assert np.array_equal(nuclei, stored["mask2d.tif"] > 0)
    assert picture.dtype == np.uint16


def test_without_stardist_the_error_says_what_to_install(
    script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps stardist"):
        script["read_nuclei"]()


def test_crops_keep_labels_on_what_they_label(script: dict[str, Any]) -> None:
    picture = torch.zeros(200, 100)
    picture[40:90, 20:70] = 1.0
    batches = script["crops"](picture, picture > 0.5, seed=0)
    shares = []
    for _ in range(5):
        seen, labels = next(batches)
        assert seen.shape == (16, 64, 64, 1)
        assert ((seen[..., 0] > 0.45) == (labels == 1)).float().mean() > 0.98
        shares += labels.float().mean((1, 2)).tolist()
    assert min(shares) < 0.1 < 0.4 < max(shares)
    again = next(script["crops"](picture, picture > 0.5, seed=0))[0]
    assert torch.equal(again, next(script["crops"](picture, picture > 0.5, seed=0))[0])
    assert not torch.equal(again, next(script["crops"](picture, picture > 0.5, seed=1))[0])


def test_otsus_threshold_parts_two_groups_where_their_variance_is_least(script: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(20, 5, 3000), rng.normal(70, 9, 1000)])

    def within(threshold: float) -> float:
        low, high = values[values <= threshold], values[values > threshold]
        return len(low) * low.var() + len(high) * high.var()

    best = min(np.linspace(values.min(), values.max(), 500)[1:-1], key=within)
    assert within(script["otsu"](values)) <= 1.005 * within(best)


@needs_stardist
def test_otsu_reaches_its_anchor(script: dict[str, Any]) -> None:
    picture, nuclei = script["read_nuclei"]()
    bright = torch.from_numpy(picture[:, 272:] > script["otsu"](picture[:, :240]))
    assert script["miou"](bright, torch.from_numpy(nuclei[:, 272:])) == pytest.approx(0.796, abs=0.003)


def test_what_is_judged_is_neither_learned_from_nor_chosen_by(script: dict[str, Any]) -> None:
    columns = np.arange(512)
    parts = [set(columns[script[name]]) for name in ("LEARN", "VALIDATE", "JUDGE")]
    assert not parts[0] & parts[1]
    assert set(columns[script["KNOWN"]]) == parts[0] | parts[1] == set(range(240))
    assert parts[2] == set(range(272, 512))
    picture = np.random.default_rng(0).integers(0, 200, (512, 512)).astype(np.uint16)
    changed = picture.copy()
    changed[:, 240:] += 50
    scaled = script["scaled"]
    assert torch.equal(scaled(picture)[:, :240], scaled(changed)[:, :240])


@needs_stardist
@pytest.mark.slow
def test_three_networks_beat_otsu_by_a_tenth(
    script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert script["main"](["--seed", "3", "--figure", str(tmp_path / "nuclei.png")]) == 0
    table = capsys.readouterr().out
    mean = next(line for line in table.splitlines() if line.startswith("network, mean"))
    assert " met" in mean, table
    assert (tmp_path / "nuclei.png").stat().st_size > 10_000
