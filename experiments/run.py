"""What a training leaves behind: `runs/<id>/<time>/` with its configuration, metrics, checkpoint and policy."""

import csv
import json
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from visnav.agents.checkpoint import load_policy
from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPOConfig
from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.worlds import Worlds
from visnav.experiments.training import TrainConfig, make_policy
from visnav.perception.saved import NETWORK, CheckpointError, write_atomically

POLICIES = ("last", "best")
PACKAGES = ("visnav", "torch", "numpy", "numba", "gymnasium", "safetensors")


def git_revision() -> str | None:
    """The commit that the code is at, marked `-dirty` where it was edited; None outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def installed(package: str) -> str | None:
    """The version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Run:
    """The folder of one training.

    Attributes:
        folder: the folder itself.
        policy: the weights at the last checkpoint.
        best: those that did best in training, see `PPO.merit`.
        checkpoints: a folder for each checkpoint, named by its steps: the last one, while it is written two.
        metrics, curve: files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy.safetensors"
        self.best = folder / "best.safetensors"
        self.checkpoints = folder / "checkpoint"
        self.metrics = folder / "metrics.csv"
        self.curve = folder / "curve.png"

    def checkpoint(self, ranks: Ranks = ALONE) -> Path | None:
        """What this process of the training resumes from: its file of the newest checkpoint that all have written.

        None when the training was stopped before its first.

        Raises:
            CheckpointError: there is a policy, but no checkpoint that it came from.
        """
        for number in sorted(self.kept_steps(), reverse=True):
            if all(self.state(number, rank).is_file() for rank in range(ranks.count)):
                return self.state(number, ranks.rank)
        if self.policy.exists():
            raise CheckpointError(
                f"{self.checkpoints} holds no checkpoint of {ranks.count} process{'es' if ranks.count > 1 else ''} "
                "to resume from; start another training from its policy with --start"
            )
        return None

    def kept_steps(self) -> list[int]:
        """Of the checkpoints that are there, finished or not."""
        return [int(path.name) for path in self.checkpoints.glob("*") if path.name.isdecimal()]

    def state(self, steps: int, rank: int = 0) -> Path:
        """Where a process of the training (see visnav.agents.ranks) writes its state after `steps`."""
        return self.checkpoints / str(steps) / f"training-{rank}.safetensors"

    @classmethod
    def create(cls, config: TrainConfig) -> "Run":
        """Make `runs/<id>/<time>/` and write config.json into it.

        Raises:
            OSError: the folder cannot be written.
        """
        parent = Path(config.runs) / config.id
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            taken = {path.name for path in parent.iterdir()}
            names = (stamp if i == 1 else f"{stamp}_{i}" for i in range(1, len(taken) + 2))
            run = cls(parent / next(name for name in names if name not in taken))
            run.checkpoints.mkdir(parents=True)
            run.write_config(config)
            if config.see:
                write_atomically(run.folder / NETWORK, (Path(config.see) / NETWORK).read_bytes())
        except OSError as error:
            raise OSError(f"cannot write runs to {parent} ({error}); choose a folder with --runs") from error
        return run

    def write_config(self, config: TrainConfig) -> None:
        """config.json: every parameter, the versions that matter, and the commit."""
        about = {
            "versions": {"python": platform.python_version(), **{name: installed(name) for name in PACKAGES}},
            "platform": platform.platform(),
            "git": git_revision(),
        }
        text = json.dumps({"train": asdict(config), **about}, indent=2)
        write_atomically(self.folder / "config.json", text.encode())

    def read_config(self) -> TrainConfig:
        """The configuration that the run was started with; the network that its policy sees by is the run's own copy.

        Raises:
            CheckpointError: the folder is not that of a run.
        """
        path = self.folder / "config.json"
        try:
            values = json.loads(path.read_text())["train"]
            check_types(PPOConfig, values["ppo"])
            ppo = PPOConfig(**values.pop("ppo"))
            if values.get("see"):
                values["see"] = str(self.folder)
            check_types(TrainConfig, values)
            return TrainConfig(**{**values, "env": tuple(values["env"])}, ppo=ppo)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{self.folder} is not the folder of a run: config.json is missing or was not written by "
                f"`visnav train` ({error}); give a folder such as runs/visnav/MiniGrid-DoorKey-8x8-v0/<time>"
            ) from error

    def load_policy(self, config: TrainConfig, envs: Worlds, which: str = "last") -> ActorCritic:
        """The trained policy, for worlds made by `make_worlds(config, …)`.

        Args:
            which: "last" or "best".

        Raises:
            CheckpointError: there is none yet, or it is damaged.
            ValueError: no such policy.
        """
        check_policy(which)
        policy = make_policy(config, envs)
        load_policy(self.best if which == "best" else self.policy, policy)
        return policy

    def read_metrics(self) -> list[dict[str, float]]:
        """The rows of metrics.csv, one an update; a last line that was not finished is left out."""
        if not self.metrics.is_file():
            return []
        lines = self.metrics.read_text().splitlines(keepends=True)
        rows = csv.DictReader(line for line in lines if line.endswith("\n"))
        return [{name: float(value) for name, value in row.items()} for row in rows]

    def draw_curve(self) -> None:
        """curve.png: success and return over the steps."""
        from matplotlib.figure import Figure

        rows = self.read_metrics()
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        steps = [row["steps"] for row in rows]
        for name in ("success", "return"):
            axes.plot(steps, [row[name] for row in rows], label=f"{name}, mean of the last 256 episodes")
        axes.set(xlabel="world steps", title=self.folder.parent.name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")
        temporary = self.curve.with_name(".curve.tmp.png")
        figure.savefig(temporary, dpi=120)
        temporary.replace(self.curve)


def check_types(kind: type, values: Mapping[str, Any]) -> None:
    """See that what a file says of a dataclass's numbers, texts and flags are such.

    Raises:
        ValueError: one is not.
    """
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    for name, hint in get_type_hints(kind).items():
        allowed = [each for each in (get_args(hint) or (hint,)) if each in words]
        if name in values and allowed and get_origin(hint) is not tuple:
            numbers = (int,) if float in allowed else ()
            if type(values[name]) not in (*allowed, *numbers):
                described = " or ".join(words[each] for each in allowed)
                raise ValueError(f"{name} is {described}, got {values[name]!r}")


def check_policy(which: str) -> None:
    """Raises ValueError where a run has no policy of this name."""
    if which not in POLICIES:
        raise ValueError(f"unknown policy {which!r}; choose one of {', '.join(POLICIES)}")


class MetricsWriter:
    """Writes every update's figures to metrics.csv and to TensorBoard.

    Args:
        steps: where the training starts; rows of a later step, left by an interrupted run, are dropped.
    """

    def __init__(self, run: Run, steps: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        kept = [row for row in run.read_metrics() if row["steps"] <= steps]
        self.seconds = kept[-1]["seconds"] if kept else 0.0
        write_atomically(run.metrics, "".join([csv_line(kept[0]), *map(csv_values, kept)]).encode() if kept else b"")
        self.file = run.metrics.open("a", newline="")
        self.board = SummaryWriter(str(run.folder), purge_step=steps + 1)

    def add(self, row: Mapping[str, float]) -> None:
        """One update's figures, `steps` among them."""
        self.file.write(("" if self.file.tell() else csv_line(row)) + csv_values(row))
        self.file.flush()
        for name, value in row.items():
            if name != "steps":
                self.board.add_scalar(name, value, int(row["steps"]))

    def flush(self) -> None:
        """See that what was added is in the files, as a checkpoint goes with it."""
        self.board.flush()

    def close(self) -> None:
        self.file.close()
        self.board.close()


def csv_line(names: Iterable[str]) -> str:
    """Words with commas between them, and the end of a line."""
    return ",".join(names) + "\n"


def csv_values(row: Mapping[str, float]) -> str:
    """The line of a row: seven digits of every figure, all digits of whole numbers."""
    return csv_line(f"{value:.0f}" if float(value).is_integer() else f"{value:.7g}" for value in row.values())
