"""Train PPO from pixels: `visnav train visnav/MiniGrid-DoorKey-8x8-v0`.

    visnav train visnav/MiniGrid-DoorKey-6x6-v0 --seed 1 --total-steps 400000 --target-success 0.98
    visnav train visnav/MiniGrid-KeyCorridorS3R1-v0 --algorithm dagger
    visnav train visnav/MiniGrid-KeyCorridorS3R1-v0 --start runs/visnav/MiniGrid-KeyCorridorS3R1-v0/<time>
    visnav train visnav/MiniGrid-DoorKey-6x6-v0 --env camera=first_person --encoder runs/see/grid --freeze-encoder
    visnav train visnav/MiniGrid-DoorKey-6x6-v0 --env camera=first_person --see experiments/trained/seeing/segment/grid
    visnav train --resume runs/visnav/MiniGrid-DoorKey-6x6-v0/<time>
    torchrun --standalone --nproc-per-node 2 -m visnav.experiments.train visnav/MiniGrid-DoorKey-6x6-v0 --num-envs 128

The last line shares the training between two processes of 128 worlds each, which do what one with 256 does.
Ctrl-C finishes the update in progress, writes a checkpoint, and says how to resume.
"""

import contextlib
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType

import rich.console
import rich.progress
import tyro

from visnav.agents.checkpoint import Best, figures, load_policy, load_training, save_policy, save_training
from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO
from visnav.agents.ranks import ALONE, Ranks
from visnav.envs import TASKS
from visnav.experiments.presets import preset
from visnav.experiments.record import write_rollout
from visnav.experiments.run import MetricsWriter, Run
from visnav.experiments.training import TrainConfig, make_trainer, make_training_worlds
from visnav.perception.encoders import ENCODERS
from visnav.perception.saved import NETWORK, load_maps, load_network

VIDEO_SECONDS = 600  # between videos of a training, each of which takes some seconds


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    run: Run
    steps: int
    seconds: float
    """Of training, those before a resume included."""
    interrupted: bool


@contextlib.contextmanager
def interrupt_flag() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second one, a second later or more, stops at once. Main thread only.

    Some senders, such as `timeout -s INT`, signal twice in an instant; that is one Ctrl-C.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    first = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if event.is_set() and time.monotonic() - first > 1:
            raise KeyboardInterrupt
        if not event.is_set():
            first = time.monotonic()
            event.set()
            print("\nFinishing this update, then writing a checkpoint (Ctrl-C again: stop at once).", file=sys.stderr)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class Bar:
    """A live progress bar on a terminal, a line every ten seconds elsewhere."""

    total: int
    console: rich.console.Console = field(default_factory=rich.console.Console)
    last_line: float = 0.0

    def __post_init__(self) -> None:
        column = rich.progress.TextColumn
        self.progress = rich.progress.Progress(
            rich.progress.BarColumn(bar_width=None),
            column("{task.completed:,.0f} / {task.total:,.0f} steps"),
            column("[cyan]{task.fields[speed]:,.0f} steps/s"),
            column("return [green]{task.fields[mean_return]:.2f}"),
            column("success [green]{task.fields[success]:.1%}"),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        nan = float("nan")
        self.task = self.progress.add_task("", total=self.total, speed=0.0, mean_return=nan, success=nan)

    def show(self, row: dict[str, float]) -> None:
        """Move to the state after an update."""
        self.progress.update(
            self.task,
            completed=min(row["steps"], self.total),
            speed=row["steps_per_second"],
            mean_return=row["return"],
            success=row["success"],
        )
        if not self.console.is_terminal and time.monotonic() - self.last_line > 10:
            self.last_line = time.monotonic()
            self.console.print(
                f"{row['steps']:>11,.0f} steps  {row['steps_per_second']:,.0f} steps/s  "
                f"return {row['return']:.2f}  success {row['success']:.1%}",
                highlight=False,
            )


def train(config: TrainConfig, resume: Run | None = None, ranks: Ranks = ALONE) -> Outcome:
    """Train to the end of `total_steps`, to `target_success`, or to Ctrl-C, and leave a run folder behind.

    Args:
        config: what to train.
        resume: go on with the checkpoint of this run, whose configuration `config` is.
        ranks: the processes that share the training, each with `config.ppo.num_envs` worlds.

    Raises:
        gymnasium.error.Error, ValueError: the worlds or the policy cannot be made so.
        FloatingPointError: see `PPO.iterate`.
        OSError: the run folder cannot be written, such as to a full disk; its last checkpoint is as it was.
        CheckpointError: the checkpoint to resume from, or the policy or encoder to start from, is missing, damaged or
            foreign.
    """
    with contextlib.ExitStack() as stack:
        envs = stack.enter_context(contextlib.closing(make_training_worlds(config)))
        trainer = make_trainer(config, envs, ranks)
        checkpoint = resume.checkpoint(ranks) if resume else None
        if checkpoint:
            load_training(checkpoint, trainer, config.identity())
        else:
            begin(config, trainer.policy)
        run = resume or Run(Path(ranks.share(str(Run.create(config).folder) if ranks.is_first else "")))
        try:
            with interrupt_flag() as interrupted:
                seconds = fit(trainer, config, run, interrupted)
            if ranks.is_first:
                run.draw_curve()
        except OSError as error:
            raise OSError(
                f"cannot go on writing to {run.folder}: {error}. Its last checkpoint is as it was; make room there and "
                f"go on with visnav train --resume {run.folder}"
            ) from error
    return Outcome(run, trainer.steps, seconds, interrupted.is_set())


def begin(config: TrainConfig, policy: ActorCritic) -> None:
    """Give a policy the weights that its training is to start with, where it is not to learn all anew.

    Raises:
        CheckpointError: see `train`.
    """
    if config.start:
        load_policy(Run(Path(config.start)).policy, policy)
    elif config.pretrained:
        load_maps(Path(config.pretrained), policy.rgb_encoder())


def fit(trainer: PPO, config: TrainConfig, run: Run, interrupted: threading.Event) -> float:
    """Iterate until an end, with checkpoints and now and then a video; returns the seconds of training so far.

    The first rank shows the bar, keeps the time and writes metrics and policies.
    """
    ranks = trainer.ranks
    keeper = Keeper(run, trainer, config)
    target = config.target_success
    with contextlib.ExitStack() as stack:
        metrics = stack.enter_context(contextlib.closing(MetricsWriter(run, trainer.steps))) if ranks.is_first else None
        bar = Bar(config.total_steps)
        stack.enter_context(bar.progress if metrics else contextlib.nullcontext())
        start = time.monotonic() - (metrics.seconds if metrics else 0.0)
        saved = filmed = time.monotonic()
        while trainer.steps < config.total_steps and not ranks.any(interrupted.is_set()):
            begin, before = time.monotonic(), trainer.steps
            report = trainer.iterate()
            keeper.look(report)
            now = time.monotonic()
            if metrics:
                row = {
                    "steps": float(trainer.steps),
                    "seconds": now - start,
                    "steps_per_second": (trainer.steps - before) / (now - begin),
                    **report,
                }
                metrics.add(row)
                bar.show(row)
            if ranks.any(ranks.is_first and now - saved > config.checkpoint_seconds):
                if metrics:
                    metrics.flush()
                keeper.save()
                saved = now
                if metrics and now - filmed > VIDEO_SECONDS:
                    write_rollout(run.folder, config.split, seed=0)
                    filmed = now
            if target is not None and report["success"] >= target:
                break
        seconds = time.monotonic() - start
    keeper.save()
    return seconds


class Keeper:
    """Writes the checkpoints of a run, so that one killed at any moment can go on: the first at once.

    A checkpoint is a folder that is complete when every rank's state is in it; then the one before it is removed. The
    policies are written before it. Where they are ahead of it after a kill, resuming comes to the same ones again.
    """

    def __init__(self, run: Run, trainer: PPO, config: TrainConfig) -> None:
        self.run, self.trainer, self.identity, self.best = run, trainer, config.identity(), Best()
        self.report: dict[str, float] = {}
        if trainer.ranks.is_first:
            for unfinished in run.folder.rglob(".*.tmp"):
                unfinished.unlink()
            if run.best.exists():
                self.best.load(run.best)
        if trainer.ranks.any(not run.state(trainer.steps, trainer.ranks.rank).exists()):
            self.save()

    def look(self, report: dict[str, float]) -> None:
        """Keep the policy if it is the best so far; `report` is what its last update gave."""
        self.report = report
        self.best.look(self.trainer, report)

    def save(self) -> None:
        """Write a checkpoint of the training as it stands."""
        trainer, ranks, state = self.trainer, self.trainer.ranks, self.run.state(self.trainer.steps)
        state.parent.mkdir(parents=True, exist_ok=True)
        if ranks.is_first and self.report:
            self.best.save(self.run.best)
            save_policy(self.run.policy, trainer.policy, figures(trainer, self.report))
        save_training(self.run.state(trainer.steps, ranks.rank), trainer, self.identity)
        ranks.any(False)  # all of them have written
        if ranks.is_first:
            for steps in self.run.kept_steps():
                if steps != trainer.steps:
                    shutil.rmtree(self.run.state(steps).parent)


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was interrupted; everything else comes from its folder."""

    resume: Path
    """The run's folder, such as runs/visnav/MiniGrid-DoorKey-8x8-v0/<time>."""


def parse(argv: list[str]) -> TrainConfig:
    """The command line as a configuration; what it does not say comes from the preset of its ID and camera."""
    env_id = next((word for word in argv if word in TASKS), "")
    camera = next((word.partition("=")[2] for word in argv if word.startswith("camera=")), None)
    folder = encoder_folder(argv)
    imitates = any(word != "ppo" for word in given(argv, "--algorithm"))
    default = TrainConfig(tyro.MISSING, ppo=preset(env_id, camera, imitates), pretrained=folder)
    if folder:
        kind = load_network(Path(folder))[1]["encoder"]
        argv = [kind if word == folder else word.replace(f"--encoder={folder}", f"--encoder={kind}") for word in argv]
    return tyro.cli(TrainConfig, prog="visnav train", args=argv, default=default)


def given(argv: list[str], option: str) -> list[str]:
    """The values that a command line has for an option, in its order."""
    apart = [value for word, value in pairwise(argv) if word == option]
    return apart + [word.removeprefix(f"{option}=") for word in argv if word.startswith(f"{option}=")]


def encoder_folder(argv: list[str]) -> str | None:
    """The folder of a network that `--encoder` names, if it names none of ENCODERS.

    Raises:
        ValueError: it is no such folder.
    """
    folder = next((word for word in given(argv, "--encoder") if word not in ENCODERS), None)
    if folder is not None and not (Path(folder) / NETWORK).is_file():
        raise ValueError(
            f"--encoder takes one of {', '.join(ENCODERS)}, or the folder of a network that learned to see, with a "
            f"{NETWORK} in it; got {folder!r}"
        )
    return folder


def main(argv: list[str] | None = None) -> int:
    """The command `visnav train`; returns 0, or 130 after Ctrl-C. Errors: see `train`."""
    argv = sys.argv[1:] if argv is None else argv
    ranks = Ranks.join()
    resuming = any(word.split("=")[0] == "--resume" for word in argv)
    if resuming:
        resume = Run(tyro.cli(Resume, prog="visnav train", args=argv).resume)
        outcome = train(resume.read_config(), resume, ranks)
    else:
        outcome = train(parse(argv), None, ranks)
    ranks.leave()
    if not ranks.is_first:
        return 130 if outcome.interrupted else 0
    folder = outcome.run.folder
    if outcome.interrupted:
        print(f"Stopped after {outcome.steps:,} steps. Go on with:\n  visnav train --resume {folder}")
        return 130
    print(f"Trained {outcome.steps:,} steps in {outcome.seconds:.0f} s.")
    video, _ = write_rollout(folder, outcome.run.read_config().split, seed=0)
    print(f"A rollout is in {video}. Now:\n  visnav evaluate {folder}\n  visnav watch {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
