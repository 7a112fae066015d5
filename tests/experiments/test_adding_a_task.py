"""A new task is one file and one dict entry, written outside the package, and it can be learned."""

import importlib.util
import shutil
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from visnav.agents.evaluate import evaluate
from visnav.agents.ppo import PPO, PPOConfig
from visnav.envs import TASKS, LevelError
from visnav.envs.grid.planner import Expert
from visnav.experiments import cli
from visnav.experiments.training import TrainConfig, make_worlds

SHOWN = Path(__file__).parents[2] / "docs" / "two_rooms.py"
ID = "me/TwoRooms-6x6-v0"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ID of the task that the README shows, its file copied to a user's folder and imported from there."""
    shutil.copy(SHOWN, tmp_path / "two_rooms.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("two_rooms", None)
    return f"two_rooms:{ID}"


def test_it_is_one_file_with_one_entry(task: str) -> None:
    before = set(TASKS) - {ID}
    envs = gym.make_vec(task, num_envs=64, size=7)
    observation, _ = envs.reset(seed=0)
    assert observation.shape == (64, 56, 56, 3)
    assert set(TASKS) - before == {ID}
    assert len(set(envs.unwrapped.layouts.tolist())) > 60


def test_learns_it(task: str) -> None:
    config = PPOConfig(num_envs=128, num_steps=32, minibatches=4)
    learner = PPO(gym.make_vec(task, num_envs=128, split="train"), config, seed=0, total_steps=150_000)
    while learner.steps < 150_000 and learner.iterate()["success"] < 0.97:
        pass
    result = evaluate(learner.policy, gym.make_vec(task, num_envs=64, split="test"), 256, seed=1)
    assert result.successes.mean() >= 0.90


def test_the_command_line_imports_it(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = task.partition(":")[0]
    assert cli.main(["--import", module, "list", "tworooms"]) == 0
    assert capsys.readouterr().out.split()[:2] == [ID, "6x6"]
    small = ["--total-steps", "512", "--num-envs", "16", "--num-steps", "16", "--runs", str(tmp_path / "runs")]
    assert cli.main(["--import", module, "train", ID, *small]) == 0
    (run,) = (tmp_path / "runs" / ID).iterdir()
    assert cli.main(["--import", module, "evaluate", str(run), "--episodes", "8"]) == 0


def test_the_folder_of_a_run_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run from elsewhere may name a module; that must not be how its code comes to run."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(gym.error.NameNotFound, match="visnav --import evil"):
        make_worlds(TrainConfig("evil:me/TwoRooms-6x6-v0"), 1, None)


def test_a_maze_is_one_file_with_one_entry_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(SHOWN.with_name("ring_road.py"), tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(TASKS)
    envs = gym.make_vec("ring_road:me/RingRoad-PointGoal-9x9-v0", num_envs=64, textures="all", max_steps=200)
    assert set(TASKS) - before == {"me/RingRoad-PointGoal-9x9-v0"}
    observation, _ = envs.reset(seed=0)
    assert {name: array.shape for name, array in observation.items()} == {
        "pointgoal_with_gps_compass": (64, 2),
        "rgb": (64, 64, 64, 3),
    }
    assert len(set(envs.unwrapped.layouts.tolist())) > 60
    expert, won = Expert(envs), np.zeros(64, bool)
    for _ in range(200):
        _, _, _, _, info = envs.step(expert.actions())
        won |= info["success"]
    assert won.all()


def test_editing_it_is_seen_by_the_next_import(tmp_path: Path) -> None:
    for wall in ("WALL", "EMPTY"):
        source = (
            SHOWN.read_text().replace("GOAL, WALL", "EMPTY, GOAL, WALL").replace("0, size, WALL)", f"0, size, {wall})")
        )
        (tmp_path / "edited.py").write_text(source.replace("me/", f"me{wall}/"))
        spec = importlib.util.spec_from_file_location(f"edited_{wall}", tmp_path / "edited.py")
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        envs = gym.make_vec(f"me{wall}/TwoRooms-6x6-v0", num_envs=1)
        envs.reset(seed=0)
        middle = envs.unwrapped.simulation.world.cells[0, 1:-1, 2:4] & 15
        assert (middle == 2).any() == (wall == "WALL")


def test_a_level_that_finds_no_room_says_so(task: str) -> None:
    with pytest.raises((LevelError, ValueError)):
        gym.make(task, size=3).reset(seed=0)
