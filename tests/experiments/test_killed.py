"""A training that is killed at any moment, also while it writes, resumes and ends as one that was left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from visnav.experiments.run import Run

ID = "visnav/MiniGrid-Empty-Random-5x5-v0"
WORDS = [
    ID, "--seed", "5", "--num-envs", "8", "--num-steps", "16", "--minibatches", "2", "--env", "max_steps=20",
    "--total-steps", "1536", "--checkpoint-seconds", "0", "--precision", "fp32",
]  # fmt: skip

# A training in forks of a process that has imported everything. Each is killed before its n-th fsync (a file is written
# but not in its place), after its n-th rename (in place, the next not written), after n removals of an old checkpoint,
# or after a time; the last one is left alone.
SCRIPT = """
import json, os, shutil, signal, sys, time
from pathlib import Path
import matplotlib.figure
import torch
import torch.utils.tensorboard
from visnav.experiments import train
from visnav.experiments.training import make_trainer, make_training_worlds

words, moments = json.loads(sys.argv[1]), json.loads(sys.argv[2])
config = train.parse(words)
make_trainer(config, make_training_worlds(config)).iterate()  # loads the kernels once, for all of the forks

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_at(kind, count):
    module = shutil if kind == "rmtree" else os
    function, calls = getattr(module, kind), 0
    def counted(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if kind == "fsync" and calls == count:
            die()
        function(*arguments, **keywords)
        if calls == count:
            die()
    setattr(module, kind, counted)

for moment in [*moments, None]:
    folders = list(Path("runs").glob("*/*/*"))
    assert len(folders) < 2, folders
    command = ["--resume", str(folders[0])] if folders else words
    child = os.fork()
    if child == 0:
        if moment and moment[0] != "seconds":
            kill_at(*moment)
        os._exit(train.main(command))
    if moment and moment[0] == "seconds":
        time.sleep(moment[1])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == (moment is not None), (moment, status)
    assert moment or os.WEXITSTATUS(status) == 0
"""

MOMENTS = [
    ("fsync", 2),  # before the first checkpoint
    ("replace", 2),  # between a best policy and the one that goes with the checkpoint
    ("fsync", 6),  # in a checkpoint
    ("replace", 4),  # before the one before it is removed
    ("rmtree", 1),
]
MORE_MOMENTS = [*((kind, n) for n in range(2, 8) for kind in ("fsync", "replace")), ("seconds", 0.2), ("seconds", 0.4)]
CURIOUS = ["--memory", "8", "--curiosity", "0.5", "--scale-rewards"]
DAGGER = ["--algorithm", "dagger", "--frames", "2"]


def train(home: Path, words: list[str], moments: list[tuple]) -> Run:
    home.mkdir()
    command = [sys.executable, "-c", SCRIPT, json.dumps(words), json.dumps(moments)]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder,) = (home / "runs" / ID).iterdir()
    return Run(folder)


@pytest.mark.parametrize(
    ("extra", "moments"),
    [
        (CURIOUS, MOMENTS),
        (DAGGER, MOMENTS[2:]),
        pytest.param([], MORE_MOMENTS, marks=pytest.mark.slow),
    ],
    ids=["recurrent and curious", "dagger with frames", "many kills"],
)
def test_a_killed_training_resumes_and_nothing_is_lost(tmp_path: Path, extra: list[str], moments: list) -> None:
    straight = train(tmp_path / "straight", [*WORDS, *extra], [])
    killed = train(tmp_path / "killed", [*WORDS, *extra], moments)
    assert killed.policy.read_bytes() == straight.policy.read_bytes()
    assert killed.best.read_bytes() == straight.best.read_bytes()
    assert killed.state(1536).read_bytes() == straight.state(1536).read_bytes()
    assert [path.name for path in killed.checkpoints.iterdir()] == ["1536"]
    assert not list(killed.folder.rglob("*tmp*"))

    rows, expected = killed.read_metrics(), straight.read_metrics()
    assert [row["steps"] for row in rows] == [128.0 * i for i in range(1, 13)]
    for row, other in zip(rows, expected, strict=True):
        for name in row.keys() - {"seconds", "steps_per_second"}:
            assert row[name] == other[name], name
    board = EventAccumulator(str(killed.folder), {"scalars": 0}).Reload()
    assert set(board.Tags()["scalars"]) == rows[0].keys() - {"steps"}
    for name in board.Tags()["scalars"]:
        events = board.Scalars(name)
        assert [event.step for event in events] == [row["steps"] for row in rows], name
        assert [event.value for event in events] == pytest.approx([row[name] for row in rows], rel=1e-5), name
