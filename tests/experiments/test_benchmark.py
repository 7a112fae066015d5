"""The benchmark: what it counts, whom it compares, what it writes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from visnav.experiments import benchmark, benchmark_training
from visnav.experiments.benchmark import pinned, rate, take_turns
from visnav.experiments.benchmark_players import CHUNK, Play, minigrid_single, ready_made_levels, visnav_batch

EMPTY = "visnav/MiniGrid-Empty-5x5-v0"
SHORT = ["--rounds", "1", "--seconds", "0.02", "--batch-sizes", "1,8"]


class Clock:
    """Time that passes only while somebody plays."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def player(self, frames: int, seconds: float) -> Play:
        """Makes `frames` frames in `seconds`."""

        def play() -> int:
            self.now += seconds
            return frames

        return play


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(benchmark, "time", clock)
    return clock


def test_the_rate_is_frames_over_seconds(clock: Clock) -> None:
    assert rate(clock.player(10, 0.01), 0.1) == pytest.approx(1000)
    assert clock.now == pytest.approx(0.1, abs=0.011)


def test_every_player_takes_every_turn(clock: Clock) -> None:
    turns = take_turns({"a": clock.player(1, 0.001), "b": clock.player(4, 0.001)}, rounds=3, seconds=0.02)
    assert turns == {"a": [pytest.approx(1000)] * 3, "b": [pytest.approx(4000)] * 3}


def test_a_play_counts_every_world() -> None:
    assert visnav_batch(EMPTY, "tiles", 8)() == CHUNK * 8


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")
def test_pinning_ends() -> None:
    before = os.sched_getaffinity(0)
    with pinned(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_ready_made_levels_start_episodes_as_fresh_ones_do() -> None:
    """Their figure means something only if the worlds play on: episodes end, and start from positions of the bank."""
    play = ready_made_levels("visnav/MiniGrid-Empty-Random-5x5-v0", "tiles", 64)
    simulation = play.__closure__[1].cell_contents.unwrapped.simulation  # type: ignore[index]
    for _ in range(10):
        play()
    world = simulation.world
    assert world.step_count.max() <= 100
    assert len(np.unique(world.step_count)) > 10, "slots are at different steps: they were reset on their own"
    assert ((world.cells & 15) == 8).sum() == 64, "every world has its goal"


def test_the_command_prints_and_writes_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.json"
    assert benchmark.main([EMPTY, "--sections", "frames,peers,levels", "--json", str(path), *SHORT]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [(row["name"], row["batch"]) for row in rows[:2]] == [("visnav tiles", 1), ("visnav tiles", 8)]
    assert all(row["value"] > 0 for row in rows)
    assert "fresh levels / ready-made levels" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


def test_the_original_is_measured_when_it_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("minigrid")
    assert benchmark.main([EMPTY, "--sections", "peers", *SHORT]) == 0
    printed = capsys.readouterr().out
    for camera in ("tiles", "full", "symbolic"):
        assert f"visnav {camera} / minigrid {camera}: " in printed


@pytest.mark.peer
@pytest.mark.slow
def test_roads_are_measured_beside_their_peers(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("highway_env")
    pytest.importorskip("envpool")
    assert benchmark.main(["--sections", "driving", *SHORT]) == 0
    printed = capsys.readouterr().out
    for name in benchmark.DRIVING_IDS:
        assert f"visnav {name} vectors / EnvPool {name} vectors: " in printed
    for words in ("/ EnvPool racetrack-v0 rendered 64x64: ", "/ highway-env highway-v0 image 64x64: ", "front 64x64"):
        assert words in printed


def test_labelled_pictures_are_counted_in_four_ways_of_both_families(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "rows.json"
    assert benchmark.main(["--sections", "labels", "--json", str(path), *SHORT]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [row["name"].partition(": ")[2] for row in rows] == 2 * [
        "camera and labels", "of worlds that move", "in tensors", "varied",
    ]  # fmt: skip
    assert {row["unit"] for row in rows} == {"images/s"}
    assert all(row["value"] > benchmark.LABELS_BATCH for row in rows)


def test_the_window_is_measured_with_networks_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "rows.json"
    assert benchmark.main(["--sections", "watch", "--json", str(path), *SHORT]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == len(benchmark.WATCHED_IDS)
    assert all(row["value"] > 1 for row in rows)
    monkeypatch.setattr(benchmark, "SEEING", tmp_path / "nowhere")
    assert benchmark.main(["--sections", "watch", *SHORT]) == 0
    assert "nowhere: not there" in capsys.readouterr().err


@pytest.mark.peer
@pytest.mark.slow
def test_training_is_measured_beside_stable_baselines3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sb3_contrib")
    path = tmp_path / "rows.json"
    assert benchmark.main(["--sections", "training", "--json", str(path), *SHORT]) == 0
    printed = capsys.readouterr().out
    for pair in ("/ SB3: ", "recurrent / SB3 RecurrentPPO: ", "by default / SB3 minigrid pixels: "):
        assert f"visnav {pair}" in printed
    *_, share = json.loads(path.read_text())["rows"]
    assert share["unit"] == "%"
    assert 0 < share["value"] < 50


def test_a_trainer_whose_package_is_missing_does_not_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(benchmark_training.CONTESTANTS, "SB3", ("no_such_package", benchmark_training.sb3))
    with benchmark_training.process("SB3") as play:
        assert play is None


def test_an_id_that_the_original_lacks_has_no_peer() -> None:
    assert minigrid_single("visnav/MiniGrid-Unheard-Of-v0", "tiles") is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch-sizes", "0"], "whole numbers"),
        (["--batch-sizes", "many"], "whole numbers"),
        (
            ["--sections", "speed"],
            "frames, peers, first_person, driving, labels, training, watch, threads, levels, start",
        ),
        (["--seconds", "0"], "greater than 0"),
    ],
)
def test_mistakes_are_named(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_the_first_start_compiles_and_the_next_do_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    assert benchmark.main(["--sections", "start", "--json", str(path)]) == 0
    first, warm = (row["value"] for row in json.loads(path.read_text())["rows"])
    assert warm < first / 2
