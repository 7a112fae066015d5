"""Runs side by side: what belongs together, the table, the picture, and the interval behind it."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from visnav.agents.evaluate import interquartile_mean, stratified_interval
from visnav.experiments import compare, train
from visnav.experiments.training import TrainConfig
from visnav.perception.saved import CheckpointError

ID, OTHER = "visnav/MiniGrid-Empty-5x5-v0", "visnav/MiniGrid-Empty-Random-5x5-v0"
SMALL = [
    "--total-steps",
    "1024",
    "--num-envs",
    "16",
    "--num-steps",
    "16",
    "--minibatches",
    "2",
    "--env",
    "max_steps=20",
]


@pytest.mark.parametrize("count", [4, 8, 12, 100])
def test_the_interquartile_mean_is_scipys_trimmed_mean(count: int) -> None:
    scores = np.random.default_rng(count).random((3, count))
    np.testing.assert_allclose(interquartile_mean(scores), scipy.stats.trim_mean(scores, 0.25, axis=1))


def test_the_interval_holds_what_it_promises() -> None:
    """Of 400 experiments with two tasks, about 95 % of the intervals hold the true interquartile mean."""
    random = np.random.default_rng(0)
    held = 0
    for k in range(400):
        strata = [random.normal(0, 1, 20), random.normal(0, 1, 20)]  # its interquartile mean is 0
        estimate, low, high = stratified_interval(strata, k, draws=500)
        assert low <= estimate <= high
        held += low <= 0 <= high
    assert 0.90 < held / 400 < 0.985


def test_strata_are_kept() -> None:
    """Two tasks with one run each: there is nothing to draw, whatever lies between the tasks."""
    estimate, low, high = stratified_interval([np.array([0.0]), np.array([1.0])])
    assert estimate == low == high == 0.5


def test_runs_are_put_together_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for env_id, seed, gamma in ((ID, 0, 0.99), (ID, 1, 0.99), (OTHER, 0, 0.99), (ID, 0, 0.5)):
        assert train.main([env_id, "--seed", str(seed), "--gamma", str(gamma), *SMALL]) == 0
    folders = sorted(str(path) for path in Path("runs").glob("*/*/*"))
    capsys.readouterr()
    assert compare.main([*folders, "--episodes", "20", "--measure", "length", "--split", "None"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[:2] for line in lines[1:-2]) == [
        ["gamma=0.5", ID], ["gamma=0.99", "all"], ["gamma=0.99", ID], ["gamma=0.99", OTHER],
    ]  # fmt: skip
    assert any(line.startswith("gamma=0.99") and ID in line and "2 runs" in line for line in lines)
    assert Path("compare.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in Path().glob("*.png")] == ["compare.png"]


class Past:
    """A run that is over."""

    def __init__(self, success: list[float], target: float | None) -> None:
        self.success, self.target = success, target

    def read_metrics(self) -> list[dict[str, float]]:
        return [{"steps": 100 * (k + 1), "success": value} for k, value in enumerate(self.success)]

    def read_config(self) -> TrainConfig:
        return TrainConfig(ID, target_success=self.target)


def test_curves_go_on_with_the_last_value_of_runs_that_reached_their_target() -> None:
    reached, failed = Past([0.5, 0.9], 0.9), Past([0.1, 0.2, 0.3, 0.4], 0.9)
    steps, values = compare.curve([reached, failed], "success")  # type: ignore[list-item]
    assert steps[[0, -1]].tolist() == [100, 400]
    np.testing.assert_allclose(values[:, -1], [0.9, 0.4])
    stopped = Past([0.5, 0.9], None)
    steps, values = compare.curve([stopped, failed], "success")  # type: ignore[list-item]
    assert steps[-1] == 200
    np.testing.assert_allclose(values[:, -1], [0.9, 0.2])


def test_the_weight_of_no_auxiliary_loss_sets_nothing_apart() -> None:
    plain = compare.settings(TrainConfig(ID))
    assert compare.settings(TrainConfig(ID, auxiliary_coef=0.1)) == plain
    first, second = (TrainConfig(ID, auxiliary="depth", auxiliary_coef=weight) for weight in (0.1, 0.2))
    assert compare.settings(first) != compare.settings(second)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not the folder of a run"):
        compare.main([str(tmp_path)])
    with pytest.raises(ValueError, match="unknown measure 'speed'; choose one of success, return, length"):
        compare.CompareConfig((tmp_path,), measure="speed")
    with pytest.raises(ValueError, match="give the folders of one run at least"):
        compare.CompareConfig(())
