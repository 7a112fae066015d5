"""Script 10: what was trained is not trained again, and a mistake is named."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "10_does_perception_help.py"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("does_perception_help", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "does_perception_help", module)
    spec.loader.exec_module(module)
    return module


def test_a_second_time_it_only_judges(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--seeds", "1", "--arms", "true segmentation", "--total-steps", "8192", "--episodes", "4"]
    words += ["--runs", str(tmp_path), "--figure", str(tmp_path / "help.png")]
    assert page.main(words) == 0
    first = capsys.readouterr().out
    assert "unseen layouts and textures" in first
    monkeypatch.setattr(page, "train", lambda *_: pytest.fail("trained again"))
    assert page.main(words) == 0
    assert capsys.readouterr().out.splitlines()[-4:-1] == first.splitlines()[-4:-1]
    assert (tmp_path / "help.png").stat().st_size > 10_000


def test_an_unknown_arm_is_named(page: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"arms are of rgb, .*; got depth"):
        page.HelpConfig(arms=("depth",))
