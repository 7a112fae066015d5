"""Success, return and length of a trained policy on levels it has not seen: `visnav evaluate RUN`.

visnav evaluate runs/visnav/MiniGrid-DoorKey-8x8-v0/<time> --episodes 500 --split test
"""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from visnav.agents.evaluate import Evaluation, evaluate
from visnav.experiments.run import Run, make_worlds


@dataclass(frozen=True)
class EvaluateConfig:
    """Evaluate a trained policy."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder, such as runs/visnav/MiniGrid-DoorKey-8x8-v0/<time>."""
    episodes: int = 500
    """Episodes to play, each counted once."""
    split: str | None = "test"
    """Levels to play: test (unseen in training), train, or None for all."""
    greedy: bool = False
    """Take the most probable action instead of sampling."""
    seed: int = 0
    """Of the levels and the sampled actions."""
    num_envs: int = 100
    """Worlds stepped together."""


def evaluate_run(config: EvaluateConfig) -> Evaluation:
    """Play the policy of a run.

    Raises:
        CheckpointError: the folder holds no run, or its policy is missing or damaged.
        gymnasium.error.Error, ValueError: the worlds cannot be made so.
    """
    run = Run(config.run)
    trained = run.read_config()
    with contextlib.closing(make_worlds(trained, min(config.num_envs, config.episodes), config.split)) as envs:
        policy = run.load_policy(trained, envs)
        return evaluate(policy, envs, config.episodes, config.greedy, config.seed)


def main(argv: list[str] | None = None) -> int:
    """The command `visnav evaluate`; returns 0. Errors: see `evaluate_run`."""
    config = tyro.cli(EvaluateConfig, prog="visnav evaluate", args=argv)
    evaluation = evaluate_run(config)
    means = evaluation.summary()
    print(
        f"{config.run}\n"
        f"  split     {config.split or 'all levels'}, {'greedy' if config.greedy else 'sampled'} actions\n"
        f"  episodes  {means['episodes']:.0f}, on {len(set(evaluation.levels.tolist()))} different levels\n"
        f"  success   {means['success']:.1%}\n"
        f"  return    {means['return']:.3f}\n"
        f"  length    {means['length']:.1f} steps"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
