"""`make demo`: from pixels to a policy in minutes, then a look at what it learned.

    python -m visnav.experiments.demo          (or: visnav demo)

Trains PPO on visnav/MiniGrid-DoorKey-8x8-v0 from 56x56 RGB pixels, evaluates it on layouts that it never saw, and
shows a rollout: in a window where there is a display, otherwise as an MP4 and a PNG strip.
"""

import argparse
import contextlib
import sys
from dataclasses import replace
from pathlib import Path

from visnav.agents.ppo import PPOConfig
from visnav.envs.viewer import Viewer, display_available
from visnav.experiments import watch
from visnav.experiments.evaluate import EvaluateConfig, measure
from visnav.experiments.record import SHOWN, write_rollout
from visnav.experiments.run import Run
from visnav.experiments.train import train
from visnav.experiments.training import TrainConfig

ENV_ID = "visnav/MiniGrid-DoorKey-8x8-v0"
TRAINING = TrainConfig(ENV_ID, total_steps=2_000_000, target_success=0.99)
QUICK = replace(TRAINING, total_steps=512, env=("max_steps=20",), ppo=PPOConfig(num_envs=16, num_steps=16))
EPISODES = 500  # that the success rate is measured on


def evaluation(run: Run, episodes: int, seed: int) -> str:
    """The success rate on unseen layouts, in one sentence."""
    measured = measure(EvaluateConfig(run.folder, episodes=episodes, seed=seed), "test")
    means = measured.evaluation.summary()
    return (
        f"Success on unseen layouts: {means['success']:.1%} of {episodes} episodes on "
        f"{measured.layouts} distinct layouts, "
        f"mean return {means['return']:.3f}, {means['length']:.0f} steps an episode."
    )


def show_rollout(run: Run, seed: int) -> None:
    """Show the policy on unseen layouts in a window until it is closed, or name the files where it can be seen."""
    video, image = write_rollout(run.folder, "test", seed)
    if not display_available():
        print(f"No display here; {SHOWN} episodes are in\n  {video.resolve()}\n  {image.resolve()}")
        return
    episode, choose = watch.open_run(run.folder, "test", greedy=False, seed=seed)
    print("Close the window or press escape to end.")
    with contextlib.closing(episode.env), contextlib.closing(Viewer(f"visnav: {ENV_ID}")) as viewer:
        watch.run(watch.Show(episode, choose, seed=seed), viewer)


def main(argv: list[str] | None = None) -> int:
    """Train, evaluate, show; returns 0, or 130 after Ctrl-C while training."""
    parser = argparse.ArgumentParser(prog="visnav demo", description="Train, evaluate and show a policy.")
    parser.add_argument("--seed", type=int, default=0, help="of weights, worlds and actions (default 0)")
    parser.add_argument("--runs", default="runs", help="folder of all runs (default: runs)")
    parser.add_argument("--quick", action="store_true", help="a few seconds of each part, which teach nothing")
    options = parser.parse_args(argv)
    config = replace(QUICK if options.quick else TRAINING, seed=options.seed, runs=options.runs)
    print(f"Training PPO from pixels on {ENV_ID}; Ctrl-C stops and tells how to resume.")
    outcome = train(config)
    folder = outcome.run.folder
    if outcome.interrupted:
        print(f"Stopped after {outcome.steps:,} steps. Go on with:\n  visnav train --resume {folder}")
        return 130
    print(f"Trained {outcome.steps:,} steps in {outcome.seconds:.0f} s.")
    print(evaluation(outcome.run, 20 if options.quick else EPISODES, options.seed))
    show_rollout(outcome.run, options.seed)
    print(f"Watch it again:\n  {Path(sys.executable).with_name('visnav')} watch {folder} --split test")
    return 0


if __name__ == "__main__":
    sys.exit(main())
