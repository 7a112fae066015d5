"""The pages 01 to 03 of the story reach their numbers, on data that nothing was chosen by."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from visnav.experiments.story import Row, StoryConfig, print_table

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def page(name: str) -> dict[str, Any]:
    """What a numbered script defines."""
    return runpy.run_path(str(EXPERIMENTS / f"{name}.py"), run_name="page")


def run(script: dict[str, Any], path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> list[str]:
    """The lines that a script prints; its figure has been looked at for being one."""
    assert script["main"](["--seed", str(seed), "--figure", str(path)]) == 0
    picture = imread(path)
    assert min(picture.shape[:2]) > 300
    assert np.ptp(picture[..., :3].reshape(-1, 3), axis=0).min() > 0.5
    assert path.stat().st_size <= 200_000
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if "MISSED" in line]
    return lines


def test_a_row_keeps_its_limits() -> None:
    assert Row("accuracy", 0.96, least=0.96).met
    assert not Row("accuracy", 0.9599, least=0.96).met
    assert Row("error", 0.03, most=0.03).met
    assert not Row("error", 0.031, most=0.03).met
    assert not Row("accuracy", float("nan"), least=0.5).met
    assert Row("stated", 0.1).met


def test_the_table_says_what_was_missed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Digits", [Row("accuracy", 0.9, 0.985, anchor="SVC 0.987"), Row("ECE", 0.01, most=0.03), Row("x", 1.0)])
    _, _, missed, met, stated = capsys.readouterr().out.splitlines()
    assert missed.split() == ["accuracy", "0.900", "≥", "0.985", "MISSED", "SVC", "0.987"]
    assert met.split() == ["ECE", "0.010", "≤", "0.03", "met"]
    assert stated.split() == ["x", "1.000"]


def test_a_figure_goes_beside_the_page_or_where_it_is_asked_for() -> None:
    script = str(EXPERIMENTS / "03_digits.py")
    assert StoryConfig().figure_of(script) == EXPERIMENTS.parent / "docs" / "perception" / "03_digits.png"
    assert StoryConfig(figure=Path("x.png")).figure_of(script) == Path("x.png")
    with pytest.raises(ValueError, match=r"the figure is a PNG; got x\.pdf"):
        StoryConfig(figure=Path("x.pdf"))


def test_the_arms_of_the_spiral_are_turned_into_each_other() -> None:
    points, arm = page("01_green_and_red_points")["spiral"](4_000, 0, noise=0.0)
    turned = np.angle(points @ [1, 1j]) - 3 * np.pi * np.hypot(*points.T) - np.pi * arm
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-9)
    assert 0.45 < arm.mean() < 0.55


def test_varied_digits_stay_close_to_themselves_and_differ_every_time() -> None:
    script = page("03_digits")
    images, digits = script["load"]()
    assert (images.shape, images.dtype, int(images.max())) == ((1797, 8, 8, 1), torch.uint8, 255)
    generator = torch.Generator().manual_seed(0)
    first, second = (script["varied"](images, generator) for _ in range(2))
    assert (first.shape, first.dtype) == (images.shape, images.dtype)
    assert not torch.equal(first, second)
    rows = [x.flatten(1).float() for x in (first, images)]
    assert torch.nn.functional.cosine_similarity(*rows).mean() > 0.9
    drawn, named = next(script["batches"](images[:10], digits[:10], 0))
    assert (len(drawn), set(named.tolist())) == (script["BATCH"], set(digits[:10].tolist()))


@pytest.mark.slow
def test_green_and_red_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(page("01_green_and_red_points"), tmp_path / "points.png", capsys, seed=5)
    assert sum("met" in line.split() for line in lines) == 6


@pytest.mark.slow
def test_breast_cancer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(page("02_breast_cancer"), tmp_path / "cancer.png", capsys, seed=5)
    assert sum("met" in line.split() for line in lines) == 4
    assert sum("sensitivity at 95 % specificity" in line for line in lines) == 2


@pytest.mark.slow
def test_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(page("03_digits"), tmp_path / "digits.png", capsys, seed=5)
    assert sum("met" in line.split() for line in lines) == 3


def test_no_tumour_is_judged_by_a_network_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fit replaced by one that only notes its data: every fold's networks get the other folds' tumours."""
    script = page("02_breast_cancer")
    seen: list[np.ndarray] = []

    def note(model: Any, loss: Any, train: Any, validation: Any, config: Any, progress: str) -> None:
        seen.append(np.concatenate([train[0].shape, validation[0].shape]))
        labels = torch.cat([train[1], validation[1]])
        assert 0.3 < labels.mean() < 0.45
        assert abs(float(train[0].mean())) < 1e-4  # scaled by what it learns from alone

    monkeypatch.setitem(script["judge"].__globals__, "fit", note)
    judged = script["judge"]("MLP, 16 hidden", 0)
    assert len(seen) == 25
    for number in range(5):
        judged_here = int((judged.fold == number).sum())
        assert {int(shapes[0] + shapes[2]) for shapes in seen[5 * number : 5 * number + 5]} == {569 - judged_here}
    assert int(judged.malignant.sum()) == 212
