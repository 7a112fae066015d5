"""The commands train and evaluate: what a run leaves behind, Ctrl-C and resume, mistakes at the keyboard."""

import contextlib
import errno
import itertools
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest
import torch

from visnav.agents.ppo import PPOConfig
from visnav.envs import TASKS
from visnav.experiments import cli, evaluate, presets, train
from visnav.experiments.run import Run
from visnav.experiments.seeing import keep
from visnav.experiments.training import TrainConfig
from visnav.experiments.watch import open_target
from visnav.perception.detection import Detector
from visnav.perception.encoders import ENCODERS, Pyramid
from visnav.perception.heads import Segmenter
from visnav.perception.saved import CheckpointError, load_arrays, save_network

ID = "visnav/MiniGrid-Empty-5x5-v0"
SMALL = ["--num-envs", "16", "--num-steps", "16", "--minibatches", "2"]


def only_run(folder: Path) -> Run:
    (run,) = (folder / "runs" / ID).iterdir()
    return Run(run)


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of eight updates."""
    monkeypatch.chdir(tmp_path)
    assert train.main([ID, "--total-steps", "2048", "--seed", "5", *SMALL, "--env", "max_steps=20"]) == 0
    return only_run(tmp_path)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of two updates, which no test changes."""
    ppo = PPOConfig(num_envs=16, num_steps=16, minibatches=2)
    config = TrainConfig(ID, 5, 512, env=("max_steps=20",), runs=str(tmp_path_factory.mktemp("runs")), ppo=ppo)
    return train.train(config).run


def test_a_run_leaves_its_configuration_metrics_checkpoint_policy_and_curve(finished: Run) -> None:
    about = json.loads((finished.folder / "config.json").read_text())
    assert about["train"]["seed"] == 5
    assert about["train"]["ppo"]["num_envs"] == 16
    assert about["train"]["ppo"]["gamma"] == PPOConfig().gamma
    assert about["versions"]["torch"] == torch.__version__
    assert "git" in about
    rows = finished.read_metrics()
    assert [row["steps"] for row in rows] == [256.0 * i for i in range(1, 9)]
    assert {"success", "return", "length", "entropy", "steps_per_second", "seconds"} <= rows[0].keys()
    assert all(later["seconds"] > row["seconds"] for row, later in itertools.pairwise(rows))
    assert finished.curve.read_bytes().startswith(b"\x89PNG")
    assert any(path.name.startswith("events.out.tfevents") for path in finished.folder.iterdir())
    assert not list(finished.folder.rglob("*tmp*"))
    config = finished.read_config()
    assert config.ppo.num_steps == 16
    assert config.env_keywords() == {"max_steps": 20}


def test_resuming_by_command_equals_never_having_stopped(
    finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A second run, interrupted after its third update and resumed, ends with the same policy and metrics."""
    iterate, count = train.PPO.iterate, 0

    def interrupt_in_the_third(trainer: train.PPO) -> dict[str, float]:
        nonlocal count
        count += 1
        if count == 3:
            for _ in range(2):  # as `timeout -s INT` sends it
                os.kill(os.getpid(), signal.SIGINT)
        return iterate(trainer)

    monkeypatch.setattr(train.PPO, "iterate", interrupt_in_the_third)
    code = train.main([ID, "--total-steps", "2048", "--seed", "5", *SMALL, "--env", "max_steps=20", "--runs", "other"])
    assert code == 130
    resume = re.search(r"visnav train (--resume \S+)", capsys.readouterr().out)
    assert resume
    assert train.main(resume[1].split()) == 0
    (run,) = (Run(path) for path in Path("other", ID).iterdir())
    assert run.policy.read_bytes() == finished.policy.read_bytes()
    assert [row["steps"] for row in run.read_metrics()] == [row["steps"] for row in finished.read_metrics()]
    assert [row["return"] for row in run.read_metrics()] == [row["return"] for row in finished.read_metrics()]


@pytest.mark.slow
def test_ctrl_c_in_the_terminal_writes_a_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "visnav.experiments.train", ID, "--total-steps", "100000000", *SMALL]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("metrics.csv")) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    run = only_run(tmp_path)
    assert process.returncode == 130
    assert f"visnav train --resume {run.folder.relative_to(tmp_path)}" in output
    assert run.checkpoint()


def test_training_stops_at_the_target(tmp_path: Path) -> None:
    config = TrainConfig(
        ID, total_steps=200_000, target_success=0.9, runs=str(tmp_path), ppo=PPOConfig(num_envs=32, num_steps=32)
    )
    outcome = train.train(config)
    rows = outcome.run.read_metrics()
    assert rows[-1]["success"] >= 0.9
    assert all(row["success"] < 0.9 for row in rows[:-1])
    assert outcome.steps == rows[-1]["steps"] < 200_000
    weights, figures = load_arrays(outcome.run.policy, "policy")
    best, best_figures = load_arrays(outcome.run.best, "policy")
    assert figures == {name: best_figures[name] for name in ("steps", "success", "return")}
    assert figures["steps"] == outcome.steps
    assert all((weights[name] == best[name]).all() for name in weights)


def test_evaluate_prints_success_return_and_length(finished: Run, capsys: pytest.CaptureFixture) -> None:
    assert evaluate.main([str(finished.folder), "--episodes", "20", "--split", "None"]) == 0
    output = capsys.readouterr().out
    assert "episodes  20" in output
    for name in ("success", "return", "length"):
        assert re.search(rf"{name} +[\d.]+", output)


def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gym.error.Error, match="MiniGrid-Empty-5x5"):
        train.main(["visnav/MiniGrid-Empty-5x5-v9", *SMALL])
    with pytest.raises(ValueError, match="camera"):
        train.main([ID, *SMALL, "--env", "camera=fisheye"])
    with pytest.raises(ValueError, match="colour"):
        train.main([ID, *SMALL, "--env", "colour=red"])
    with pytest.raises(ValueError, match="pairs name=value, got 'camera'"):
        train.main([ID, *SMALL, "--env", "camera"])
    with pytest.raises(ValueError, match=r"--encoder takes one of nature, .*, or the folder of a network .* 'resnet'"):
        train.main([ID, *SMALL, "--encoder", "resnet"])
    assert not list(tmp_path.iterdir()), "a mistake leaves no folder behind"


def test_an_unwritable_folder_is_refused_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(train.PPO, "iterate", lambda trainer: pytest.fail("training started"))
    with pytest.raises(OSError, match=r"cannot write runs to .*file.*--runs"):
        train.main([ID, *SMALL, "--runs", str(tmp_path / "file")])


def test_folders_that_are_no_runs_are_refused(tmp_path: Path, finished: Run) -> None:
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        evaluate.main([str(tmp_path / "nothing")])
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        train.main(["--resume", str(tmp_path / "nothing")])
    finished.best.write_bytes(finished.best.read_bytes()[:-1])
    for play in (
        lambda: evaluate.main([str(finished.folder), "--policy", "best"]),
        lambda: open_target(str(finished.folder), None, False, 0, policy="best"),
    ):
        with pytest.raises(CheckpointError, match=r"best\.safetensors is damaged"):
            play()
    open_target(str(finished.folder), None, False, 0)[0].env.close()
    finished.policy.write_bytes(finished.policy.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        evaluate.main([str(finished.folder)])
    shutil.rmtree(finished.checkpoints)
    with pytest.raises(CheckpointError, match="holds no checkpoint of 1 process to resume from"):
        train.main(["--resume", str(finished.folder)])


def test_a_family_brings_its_own_hyper_parameters() -> None:
    """… which the command line changes one by one."""
    grid = train.parse(["visnav/MiniGrid-DoorKey-8x8-v0"])
    assert grid.ppo == PPOConfig()
    road = train.parse(["visnav/highway-v0", "--gamma", "0.9", "--seed", "3"])
    assert (road.ppo.encoder, road.ppo.frames, road.ppo.gamma, road.seed) == ("nature", 4, 0.9, 3)
    steered = train.parse(["--runs", "some/folder", "--num-envs", "32", "visnav/racetrack-v0"])
    assert (steered.ppo.distribution, steered.ppo.num_envs, steered.ppo.gamma) == ("beta", 32, 0.99)
    seen = train.parse(["visnav/MiniGrid-MemoryS7-v0", "--env", "camera=first_person"])
    assert (seen.ppo.encoder, seen.ppo.memory) == ("nature", 0)
    assert train.parse(["visnav/Maze-PointGoal-7x7-v0"]).ppo == seen.ppo
    assert train.parse(["visnav/MiniGrid-MemoryS7-v0"]).ppo.memory == 128
    assert train.parse(["visnav/MiniGrid-LockedRoom-v0"]).ppo.curiosity == 0.5
    for words in (["--algorithm", "dagger"], ["--algorithm=clone"]):
        assert train.parse(["visnav/MiniGrid-LockedRoom-v0", *words]).ppo.curiosity == 0
    with pytest.raises(SystemExit):
        train.parse([])


@pytest.mark.parametrize("begin", presets.GRIDS)
def test_every_family_of_grids_has_worlds(begin: str) -> None:
    assert any(name.startswith(f"visnav/{begin}") for name in TASKS)


def test_ppo_starts_from_what_the_expert_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = [ID, "--total-steps", "20000", "--num-envs", "32", "--num-steps", "16", "--learning-rate", "2e-3"]
    assert train.main([*words, "--algorithm", "dagger"]) == 0
    taught = only_run(tmp_path)
    assert taught.read_metrics()[-1]["agreement"] > 0.9
    assert taught.read_config().algorithm == "dagger"
    assert train.main([*words, "--start", str(taught.folder), "--runs", "later", "--total-steps", "512"]) == 0
    (later,) = (Run(path) for path in Path("later", ID).iterdir())
    assert later.read_metrics()[0]["policy_loss"] < 1
    assert later.read_metrics()[-1]["entropy"] < 0.7 * math.log(7)  # far from the first, uniform policy
    shutil.rmtree(taught.folder)  # what it began with is in its own checkpoint
    later.write_config(replace(later.read_config(), total_steps=1024))
    assert train.main(["--resume", str(later.folder)]) == 0
    assert later.read_metrics()[-1]["steps"] == 1024
    with pytest.raises(CheckpointError, match=r"there is no file nowhere/policy\.safetensors"):
        train.main([*words, "--start", "nowhere"])
    with pytest.raises(ValueError, match="unknown algorithm 'dqn'; choose one of ppo, clone, dagger"):
        TrainConfig(ID, algorithm="dqn")


def test_a_policy_is_shown_what_a_network_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run keeps a copy of the network, by which it is resumed, evaluated and watched."""
    monkeypatch.chdir(tmp_path)
    camera = {"camera": "first_person", "field_of_view": 60}
    names = ["floor", "wall", "goal"]
    keep(Path("seen"), Segmenter(Pyramid((32, 32, 3), pool=True), 3), names, camera, 0.0)
    keep(Path("found"), Detector(Pyramid((32, 32, 3), pool=True), 3), names, camera, 0.0)
    eyes = ["--env", "camera=first_person", "image_size=[32,32]", "max_steps=20"]
    words = [ID, *SMALL, "--encoder", "small", "--total-steps", "512"]
    assert train.main([*words, *eyes, "--see", "seen"]) == 0
    run = only_run(tmp_path)
    shutil.rmtree("seen")
    config = run.read_config()
    assert config.see == str(run.folder)
    run.write_config(replace(config, total_steps=1024))
    assert train.main(["--resume", str(run.folder)]) == 0
    assert run.read_metrics()[-1]["steps"] == 1024
    assert evaluate.main([str(run.folder), "--episodes", "4", "--split", "None", "--videos", "1"]) == 0
    assert [path.suffix for path in (run.folder / "videos").iterdir()] == [".mp4"]
    episode, choose = open_target(str(run.folder), None, False, 0)
    with contextlib.closing(episode.env):
        episode.reset(seed=0)
        assert choose(episode)[1].sum() == pytest.approx(1)
        with pytest.raises(ValueError, match="needs a policy that sees rgb; this one sees classes of pixels"):
            choose.actor.saliency()  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match=r"predicts boxes; a policy is shown classes of pixels"):
        train.main([*words, *eyes, "--see", "found"])
    with pytest.raises(CheckpointError, match=r"camera=first_person, .* through tiles; give --env camera=first_person"):
        train.main([*words, "--see", str(run.folder)])
    with pytest.raises(CheckpointError, match="nowhere"):
        train.main([*words, *eyes, "--see", "nowhere"])
    with pytest.raises(ValueError, match="no encoder of pictures"):
        TrainConfig(ID, see="seen", auxiliary="depth")


def test_a_policy_sees_with_an_encoder_that_learned_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen, its maps stay what they were, through a stop too; otherwise they are where learning begins."""
    monkeypatch.chdir(tmp_path)
    network = torch.nn.Module()
    network.encoder = ENCODERS["nature"]((56, 56, 3))
    save_network(Path("seen"), network, {})
    taught = network.encoder.maps.state_dict()

    def maps(run: Run) -> dict[str, torch.Tensor]:
        arrays, _ = load_arrays(run.policy, "policy")
        return {name: torch.tensor(arrays[f"sensors.rgb.maps.{name}"]) for name in taught}

    assert (
        train.main([ID, *SMALL, "--encoder", "seen", "--freeze-encoder", "--total-steps", "512", "--runs", "frozen"])
        == 0
    )
    (frozen,) = (Run(path) for path in Path("frozen", ID).iterdir())
    assert all(torch.equal(weight, taught[name]) for name, weight in maps(frozen).items())
    assert frozen.read_config().ppo.encoder == "nature"

    assert train.main([ID, *SMALL, "--encoder=seen", "--total-steps", "512", "--runs", "tuned"]) == 0
    (tuned,) = (Run(path) for path in Path("tuned", ID).iterdir())
    for name, weight in maps(tuned).items():
        assert not torch.equal(weight, taught[name])
        torch.testing.assert_close(weight, taught[name], rtol=0, atol=0.05)

    shutil.rmtree("seen")  # what it began with is in its own checkpoint
    steps = frozen.read_config().total_steps
    frozen.write_config(replace(frozen.read_config(), total_steps=2 * steps))
    assert train.main(["--resume", str(frozen.folder)]) == 0
    assert frozen.read_metrics()[-1]["steps"] == 2 * steps
    assert all(torch.equal(weight, taught[name]) for name, weight in maps(frozen).items())
    with pytest.raises(SystemExit):
        train.main([ID, *SMALL, "--freeze-encoder"])
    with pytest.raises(ValueError, match="give its folder, --encoder FOLDER"):
        TrainConfig(ID, freeze_encoder=True)


def test_two_processes_train_one_policy_and_resume(tmp_path: Path) -> None:
    """torchrun's two ranks leave one run, stopped and resumed or not, with the same policy."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command = [*launch, "-m", "visnav.experiments.train"]
    words = [ID, "--seed", "5", "--num-envs", "8", "--num-steps", "16", "--minibatches", "2", "--env", "max_steps=20"]

    def run(*arguments: str) -> None:
        subprocess.run([*command, *arguments], check=True, cwd=tmp_path, timeout=300)

    run(*words, "--total-steps", "2048", "--runs", "straight")
    (straight,) = (Run(path) for path in (tmp_path / "straight" / ID).iterdir())
    assert [row["steps"] for row in straight.read_metrics()] == [256.0 * i for i in range(1, 9)]

    run(*words, "--total-steps", "2048", "--runs", "stopped", "--target-success", "1e-9")
    (stopped,) = (Run(path) for path in (tmp_path / "stopped" / ID).iterdir())
    assert len(stopped.read_metrics()) < 8
    config = replace(stopped.read_config(), target_success=None)
    stopped.write_config(config)
    run("--resume", str(stopped.folder))
    assert stopped.policy.read_bytes() == straight.policy.read_bytes()
    for rank in range(2):
        assert stopped.state(2048, rank).read_bytes() == straight.state(2048, rank).read_bytes()
    with pytest.raises(CheckpointError, match="shared by 2 processes, here is 1: resume with torchrun"):
        train.main(["--resume", str(stopped.folder)])


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let so many files be written, and no more."""
    written = 0

    def fsync(number: int) -> None:
        nonlocal written
        written += 1
        if written > after:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)


@pytest.mark.parametrize(
    "written", [2, 7, 8, 9]
)  # at the first checkpoint, at the best and the last policy, at the state
def test_a_full_disk_is_told_and_nothing_is_lost(
    finished: Run, written: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [ID, "--total-steps", "2048", "--seed", "5", *SMALL, "--env", "max_steps=20", "--checkpoint-seconds", "0"]
    with monkeypatch.context() as patch:
        fill_the_disk(patch, written)
        assert cli.main(["train", *words, "--runs", "full"]) == 2
    (run,) = (Run(path) for path in Path("full", ID).iterdir())
    (message,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in message
    assert f"go on with visnav train --resume {run.folder}" in message
    assert not list(run.folder.rglob("*tmp*"))
    assert cli.main(["train", "--resume", str(run.folder)]) == 0
    assert run.policy.read_bytes() == finished.policy.read_bytes()
    assert [row["return"] for row in run.read_metrics()] == [row["return"] for row in finished.read_metrics()]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Empty-5x5", "Empty-8x8", "its id is '.*Empty-5x5-v0', here it is '.*Empty-8x8-v0'"),
        (ID, "visnav/highway-fast-v0", "no keyword|max_steps|does not fit this training"),
        ('"encoder": "patch"', '"encoder": "impoola"', "does not fit this training.*encoder"),
        ('"encoder": "patch"', '"encoder": "resnet"', "unknown encoder 'resnet'"),
        ('"max_steps=20"', '"max_steps=30"', r"its env is \['max_steps=20'\], here it is \['max_steps=30'\]"),
        ('"seed": 5', '"seed": "five"', "seed is a whole number, got 'five'"),
        ('"seed": 5', '"seed": [5]', "seed is a whole number"),
        ('"gamma": 0.99', '"gamma": null', "gamma is a number, got None"),
        ('"gamma": 0.99', '"gamma": "0.99"', "gamma is a number, got '0.99'"),
        ('"algorithm": "ppo"', '"algorithm": "sarsa"', "unknown algorithm"),
        ('"env": [', '"env": 7, "was": [', "not the folder of a run"),
        ('"total_steps": 512', '"total_steps": 0', "total_steps must be at least 1"),
        ('"train": {', '"trained": {', "not the folder of a run"),
        ('"train": {', '"train": 5, "was": {', "not the folder of a run"),
        ("{\n", "\n", "not the folder of a run"),
    ],
)
def test_a_configuration_that_was_changed_is_refused(
    once: Run, old: str, new: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(once.folder, tmp_path / "run")
    text = (copy / "config.json").read_text()
    assert old in text
    (copy / "config.json").write_text(text.replace(old, new, 1))
    assert cli.main(["train", "--resume", str(copy)]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert re.search(words, message)


def test_a_device_without_worlds_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for device in ("cuda", "tpu"):
        assert cli.main(["train", ID, "--env", f"device={device}", "--runs", str(tmp_path)]) == 2
        (message,) = capsys.readouterr().err.splitlines()
        assert device in message
        assert "cpu" in message
    assert not list(tmp_path.iterdir())


def test_an_auxiliary_loss_is_of_training_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is resumed, evaluated and shown in a video by a policy that never saw the labels."""
    monkeypatch.chdir(tmp_path)
    words = [ID, *SMALL, "--encoder", "patch", "--auxiliary", "segmentation", "--auxiliary-coef", "0.2"]
    eyes = ["--env", "camera=first_person", "image_size=[32,32]", "max_steps=20"]
    assert cli.main(["train", *words, "--total-steps", "2048", *eyes]) == 0
    run = only_run(tmp_path)
    before = run.read_metrics()
    assert before[-1]["auxiliary_loss"] < before[0]["auxiliary_loss"]
    run.write_config(replace(run.read_config(), total_steps=2304))
    assert cli.main(["train", "--resume", str(run.folder)]) == 0
    assert len(run.read_metrics()) == len(before) + 1
    assert cli.main(["evaluate", str(run.folder), "--episodes", "4", "--split", "None", "--policy", "best"]) == 0
    assert "sampled actions of the best policy" in capsys.readouterr().out
    for arguments, message in (
        ([ID, "--auxiliary", "depth"], "--auxiliary depth learns from the sensor 'depth': "),
        ([*words, "--auxiliary", "depth", *eyes, 'sensors=["rgb","depth"]'], "which the policy sees already"),
    ):
        assert cli.main(["train", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    with pytest.raises(ValueError, match="unknown auxiliary 'boxes'; choose one of segmentation, depth"):
        TrainConfig(ID, auxiliary="boxes")
    with pytest.raises(ValueError, match="auxiliary_coef must be greater than 0"):
        TrainConfig(ID, auxiliary="depth", auxiliary_coef=0)


def test_a_long_training_is_filmed_and_goes_on_as_before(
    tmp_path: Path, once: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "VIDEO_SECONDS", 0.0)
    config = replace(once.read_config(), runs=str(tmp_path), checkpoint_seconds=0.0)
    run = train.train(config).run
    assert b"ftyp" in (run.folder / "rollout.mp4").read_bytes()[:12]
    assert not (once.folder / "rollout.mp4").exists()
    assert run.policy.read_bytes() == once.policy.read_bytes()
    assert run.state(512).read_bytes() == once.state(512).read_bytes()
