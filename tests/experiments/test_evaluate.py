"""The command evaluate: train, test and the gap between them, one split alone, and levels by hand."""

import re
from pathlib import Path

import av
import gymnasium as gym
import numpy as np
import pytest

import visnav.envs
from visnav.agents.evaluate import generalization_gap
from visnav.agents.ppo import PPOConfig
from visnav.experiments import evaluate
from visnav.experiments.evaluate import EvaluateConfig, distinct_layouts, generalization, measure
from visnav.experiments.record import ENDING_FRAMES
from visnav.experiments.run import Run
from visnav.experiments.train import train
from visnav.experiments.training import TrainConfig

assert visnav.envs

ID = "visnav/MiniGrid-Empty-Random-5x5-v0"
ROOM = "#####\n#>..#\n#...#\n#..G#\n#####\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of two updates."""
    ppo = PPOConfig(num_envs=16, num_steps=16, minibatches=2)
    config = TrainConfig(ID, total_steps=512, env=("max_steps=30",), runs=str(tmp_path_factory.mktemp("runs")), ppo=ppo)
    return train(config).run


def test_by_default_it_prints_train_test_and_the_gap(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    config = EvaluateConfig(run.folder, episodes=40, num_envs=20)
    assert evaluate.main([str(run.folder), "--episodes", "40", "--num-envs", "20"]) == 0
    printed = capsys.readouterr().out
    measured = generalization(config)
    gap = generalization_gap(measured.train.evaluation, measured.test.evaluation)
    assert measured.gap() == gap
    means = [part.evaluation.summary() for part in (measured.train, measured.test)]
    for name, form in (("success", ".1%"), ("return", ".3f"), ("length", ".1f")):
        (line,) = (line.split() for line in printed.splitlines() if line.split()[:1] == [name])
        numbers = [f"{mean[name]:{form}}" for mean in means] + [f"{gap[name].estimate:+{form}}"]
        assert line[1:4] == numbers
        assert " ".join(line[4:]) == f"({gap[name].low:+{form}} to {gap[name].high:+{form}})"
    assert "40 episodes on each split, sampled actions" in printed
    assert re.search(rf"layouts +{measured.train.layouts} +{measured.test.layouts} ", printed)
    assert "Newcombe" in printed


def test_the_splits_share_no_layout_and_their_layouts_are_counted(run: Run) -> None:
    measured = generalization(EvaluateConfig(run.folder, episodes=60, num_envs=16))
    hashes = []
    for part in (measured.train, measured.test):
        envs = gym.make_vec(ID, num_envs=60).unwrapped
        envs.reset(options={"level": part.evaluation.levels})
        hashes.append(set(envs.layouts.tolist()))
        assert part.layouts == len(hashes[-1]) < 33
    assert not hashes[0] & hashes[1]


def test_layouts_are_counted_in_batches_of_any_size() -> None:
    envs = gym.make_vec(ID, num_envs=7).unwrapped
    assert distinct_layouts(envs, np.arange(1000)) == 32
    assert distinct_layouts(envs, np.array([3, 3])) == 1


@pytest.mark.parametrize(("split", "words"), [("train", "split +train, "), ("None", "split +all levels, ")])
def test_one_split_alone_has_no_gap(run: Run, split: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main([str(run.folder), "--episodes", "20", "--split", split, "--greedy"]) == 0
    printed = capsys.readouterr().out
    assert re.search(words + "greedy actions", printed)
    assert re.search(r"episodes +20, on \d+ different layouts", printed)
    assert "train - test" not in printed


def test_a_level_by_hand_can_be_evaluated(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "room.txt").write_text(ROOM)
    assert evaluate.main([str(run.folder), "--episodes", "9", "--layout", str(tmp_path / "room.txt")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"layout +\S+room\.txt, sampled actions", printed)
    assert re.search(r"episodes +9, on 1 different layouts", printed)
    (tmp_path / "room.txt").write_text(ROOM.replace("G", "."))
    with pytest.raises(ValueError, match="there is no goal"):
        measure(EvaluateConfig(run.folder, layout=tmp_path / "room.txt"), None)


def test_worlds_can_differ_from_those_of_training(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A shorter time limit than in training: every episode keeps to it."""
    played = measure(EvaluateConfig(run.folder, episodes=20, env=("max_steps=3",)), "test").evaluation
    assert played.lengths.max() <= 3
    assert measure(EvaluateConfig(run.folder, episodes=20), "test").evaluation.lengths.max() > 3
    assert evaluate.main([str(run.folder), "--episodes", "2", "--env", "max_steps=2", "--videos", "1"]) == 0
    with pytest.raises(ValueError, match="pairs name=value, got 'max_steps'"):
        measure(EvaluateConfig(run.folder, env=("max_steps",)), "test")


def test_episodes_are_filmed_whole(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One MP4 a level, named by it and by how it ended: as many frames as steps, the first one, and the last held."""
    evaluate.main([str(run.folder), "--episodes", "6", "--num-envs", "3", "--videos", "3", "--greedy"])
    paths = [Path(line.strip()) for line in capsys.readouterr().out.splitlines() if line.endswith(".mp4")]
    assert sorted((run.folder / "videos").iterdir()) == sorted(paths)
    config = EvaluateConfig(run.folder, episodes=6, num_envs=3, greedy=True)
    played = measure(config, "test").evaluation
    assert len(paths) == 3
    for path in paths:
        level = re.fullmatch(r"test-level-(\d+)-last-(success|failure)\.mp4", path.name)
        assert level
        row = played.levels.tolist().index(int(level[1]))
        assert (level[2] == "success") == played.successes[row]
        with av.open(str(path)) as video:
            frames = sum(1 for _ in video.decode(video=0))
        assert frames == played.lengths[row] + ENDING_FRAMES
    (tmp_path / "room.txt").write_text(ROOM)
    words = ["--layout", str(tmp_path / "room.txt"), "--policy", "best", "--episodes", "1", "--videos", "1"]
    assert evaluate.main([str(run.folder), *words]) == 0
    (named,) = set((run.folder / "videos").iterdir()) - set(paths)
    assert named.name.startswith("layout-level-")
    assert "-best-" in named.name
    with pytest.raises(ValueError, match="videos must be 0 or more, got -1"):
        EvaluateConfig(run.folder, videos=-1)
    with pytest.raises(ValueError, match="unknown policy 'worst'; choose one of last, best"):
        EvaluateConfig(run.folder, policy="worst")


def test_it_says_when_nothing_was_held_out(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    about = run.folder / "config.json"
    kept = about.read_text()
    about.write_text(kept.replace('"split": "train"', '"split": null'))
    try:
        assert evaluate.main([str(run.folder), "--episodes", "2"]) == 0
    finally:
        about.write_text(kept)
    assert "trained on all layouts: those of test were not held out" in capsys.readouterr().out


def test_a_task_without_test_layouts_says_so(run: Run) -> None:
    about = run.folder / "config.json"
    kept = about.read_text()
    about.write_text(kept.replace("Empty-Random-5x5", "Empty-5x5"))
    try:
        with pytest.raises(ValueError, match="has no layout to play in split 'test'; --split None plays all levels"):
            evaluate.main([str(run.folder), "--episodes", "2"])
    finally:
        about.write_text(kept)


@pytest.mark.parametrize("name", ["episodes", "num_envs"])
def test_counts_are_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        EvaluateConfig(Path("runs"), **{name: 0})
