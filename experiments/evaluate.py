"""How well a trained policy does on levels that it has not seen, and the gap: `visnav evaluate RUN`.

visnav evaluate runs/visnav/MiniGrid-DoorKey-8x8-v0/<time> --episodes 500 --videos 5
visnav evaluate runs/visnav/MiniGrid-DoorKey-6x6-v0/<time> --env textures=test
"""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from visnav.agents.evaluate import Estimate, Evaluation, evaluate, generalization_gap
from visnav.envs import LevelError, VectorEnv
from visnav.experiments.run import Run, check_policy
from visnav.experiments.training import TrainConfig, make_worlds


@dataclass(frozen=True)
class EvaluateConfig:
    """Evaluate a trained policy: success, return and length on training and on test layouts, and the gap."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder, such as runs/visnav/MiniGrid-DoorKey-8x8-v0/<time>."""
    episodes: int = 500
    """Episodes to play on each split, each counted once."""
    split: str | None = "test"
    """test: the layouts held out, beside those of training; train: only these; None: all levels."""
    layout: Path | None = None
    """Levels by hand instead: a file that draws one, see README."""
    env: tuple[str, ...] = ()
    """Keywords of the worlds instead of those of training or beside them, such as textures=test."""
    greedy: bool = False
    """Take the most probable action instead of sampling."""
    seed: int = 0
    """Of the levels and the sampled actions."""
    num_envs: int = 100
    """Worlds stepped together."""
    policy: str = "last"
    """last: the weights at the end of the training; best: those that did best during it."""
    videos: int = 0
    """Levels of the episodes (the held-out ones, where both are played) to film, an MP4 each in the run's videos/."""

    def __post_init__(self) -> None:
        for name in ("episodes", "num_envs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.videos < 0:
            raise ValueError(f"videos must be 0 or more, got {self.videos}")
        check_policy(self.policy)


@dataclass(frozen=True)
class Measurement:
    """A policy on the levels of one split."""

    evaluation: Evaluation
    layouts: int
    """Distinct layouts among its episodes."""


@dataclass(frozen=True)
class Generalization:
    """A policy on both splits."""

    train: Measurement
    test: Measurement

    def gap(self) -> dict[str, Estimate]:
        """Train minus test of `success`, `return` and `length`, with 95 % intervals; see `generalization_gap`."""
        return generalization_gap(self.train.evaluation, self.test.evaluation)


def measure(config: EvaluateConfig, split: str | None) -> Measurement:
    """Play the policy of a run on `split`, or on the layout of `config`.

    Raises:
        CheckpointError: the folder holds no run, or its policy is missing or damaged.
        gymnasium.error.Error, ValueError: the worlds cannot be made so, or have no levels in this split.
    """
    run = Run(config.run)
    trained = run.read_config().with_env(config.env)
    num_envs = min(config.num_envs, config.episodes)
    with contextlib.closing(make_worlds(trained, num_envs, split, config.layout)) as envs:
        policy = run.load_policy(trained, envs, config.policy)
        try:
            evaluation = evaluate(policy, envs, config.episodes, config.greedy, config.seed)
        except LevelError as error:
            raise ValueError(
                f"{trained.id} has no layout to play in split {split!r}; --split None plays all levels"
            ) from error
        return Measurement(evaluation, distinct_layouts(envs, evaluation.levels))


def generalization(config: EvaluateConfig) -> Generalization:
    """Play the policy of a run on the layouts of training and on those held out. Errors: see `measure`."""
    return Generalization(measure(config, "train"), measure(config, "test"))


def distinct_layouts(envs: VectorEnv, levels: np.ndarray) -> int:
    """How many different layouts levels (E,) have; the worlds play them, and are left at the last of them."""
    layouts: set[int] = set()
    for start in range(0, len(levels), envs.num_envs):
        envs.reset(options={"level": np.resize(levels[start : start + envs.num_envs], envs.num_envs)})
        layouts.update(envs.layouts.tolist())
    return len(layouts)


def report(config: EvaluateConfig, measured: Measurement) -> str:
    """What is printed of one measurement."""
    means = measured.evaluation.summary()
    where = f"layout    {config.layout}" if config.layout else f"split     {config.split or 'all levels'}"
    return (
        f"  {where}, {actions(config)}\n"
        f"  episodes  {means['episodes']:.0f}, on {measured.layouts} different layouts\n"
        f"  success   {means['success']:.1%}\n"
        f"  return    {means['return']:.3f}\n"
        f"  length    {means['length']:.1f} steps"
    )


def gap_report(config: EvaluateConfig, trained: TrainConfig, measured: Generalization) -> str:
    """What is printed of train, test and the gap."""
    train, test = measured.train.evaluation.summary(), measured.test.evaluation.summary()
    lines = [
        f"  {config.episodes} episodes on each split, {actions(config)}\n",
        f"  {'':8}{'train':>9}{'test':>9}   train - test (95 % interval)",
    ]
    for (name, gap), form in zip(measured.gap().items(), (".1%", ".3f", ".1f"), strict=True):
        difference = f"{gap.estimate:+{form}} ({gap.low:+{form}} to {gap.high:+{form}})"
        lines.append(f"  {name:8}{train[name]:>9{form}}{test[name]:>9{form}}   {difference}")
    lines += [
        f"  {'layouts':8}{measured.train.layouts:>9}{measured.test.layouts:>9}   different ones among the episodes\n",
        "  Intervals: Newcombe's for success, Welch's for return and length.",
    ]
    if trained.split != "train":
        lines.append(f"  This run was trained on {trained.split or 'all'} layouts: those of test were not held out.")
    return "\n".join(lines)


def actions(config: EvaluateConfig) -> str:
    """How actions are taken, and by which policy, in words."""
    return f"{'greedy' if config.greedy else 'sampled'} actions of the {config.policy} policy"


def film(config: EvaluateConfig, measured: Measurement, split: str | None) -> None:
    """Write videos of the first levels that were measured, and say where they are; actions are sampled anew."""
    from visnav.experiments.record import write_episodes

    levels = list(dict.fromkeys(measured.evaluation.levels.tolist()))[: config.videos]
    how = config.greedy, config.seed, config.layout, config.policy, config.env
    for path in write_episodes(config.run, split, levels, *how):
        print(f"  {path}")


def main(argv: list[str] | None = None) -> int:
    """The command `visnav evaluate`; returns 0. Errors: see `measure`."""
    config = tyro.cli(EvaluateConfig, prog="visnav evaluate", args=argv)
    trained = Run(config.run).read_config()
    split = None if config.layout else config.split
    if split == "test":
        both = generalization(config)
        measured, text = both.test, gap_report(config, trained, both)
    else:
        measured = measure(config, split)
        text = report(config, measured)
    print(f"{config.run}\n{text}")
    if config.videos:
        film(config, measured, split)
    return 0


if __name__ == "__main__":
    sys.exit(main())
