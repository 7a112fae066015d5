"""Draws docs/driving_learning.png, trainings on roads beside an expert and random actions, and prints them as a table.

    visnav train visnav/highway-fast-v0 --total-steps 600000
    python docs/driving_learning.py runs/visnav/highway-fast-v0/<time> …

Runs of one ID follow each other: each began with the policy of the one before.
"""

import contextlib
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
from matplotlib.figure import Figure

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.experts import expert_of
from visnav.experiments.evaluate import EvaluateConfig, measure
from visnav.experiments.run import Run

EPISODES = 200
PICTURE = Path(__file__).with_name("driving_learning.png")


def played(env_id: str, with_expert: bool) -> dict[str, float]:
    """Mean return, length and success of the expert, or of random actions, on layouts held out; an episode a world."""
    with contextlib.closing(gym.make_vec(env_id, num_envs=EPISODES, camera="kinematics", split="test")) as envs:
        envs.reset(seed=0)
        envs.action_space.seed(0)
        expert = expert_of(envs) if with_expert else None
        returns, lengths, successes = np.zeros((3, EPISODES))
        playing = np.ones(EPISODES, bool)
        while playing.any():
            actions = expert.actions() if expert else envs.action_space.sample()
            _, reward, terminated, truncated, info = envs.step(actions)
            returns += reward * playing
            lengths += playing
            successes += info["success"] * playing
            playing &= ~(terminated | truncated)
    return {"return": returns.mean(), "length": lengths.mean(), "success": successes.mean()}


def main(folders: list[str]) -> None:
    """Draw and print."""
    runs: dict[str, list[Run]] = {}
    for folder in folders:
        run = Run(Path(folder))
        runs.setdefault(run.read_config().id, []).append(run)
    figure = Figure(figsize=(5.5 * len(runs), 3.8), layout="constrained")
    for panel, (env_id, stages) in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs.items(), strict=True):
        learned = measure(EvaluateConfig(stages[-1].folder, EPISODES, greedy=True), "test").evaluation.summary()
        others = {"expert": played(env_id, True), "random": played(env_id, False)}
        before, seconds = 0.0, 0.0
        for run in stages:
            rows = run.read_metrics()
            steps = [before + row["steps"] for row in rows]
            panel.plot(steps, [row["return"] for row in rows], color="C0", label=None if before else "PPO, in training")
            before, seconds = steps[-1], seconds + rows[-1]["seconds"]
        for color, (name, row) in zip(("C2", "C7"), others.items(), strict=True):
            panel.axhline(row["return"], color=color, ls="--", label=name)
        panel.plot(before, learned["return"], "o", color="C3", label="PPO, layouts held out")
        panel.set(xlabel="world steps", ylabel="return", title=env_id)
        panel.grid(alpha=0.3)
        print(f"{env_id}: {before:,.0f} steps in {seconds:.0f} s; {EPISODES} episodes on layouts held out")
        for name, row in {"PPO": learned, **others}.items():
            print(f"  {name:7} return {row['return']:8.2f}  length {row['length']:7.1f}  success {row['success']:.1%}")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    temporary = PICTURE.with_name(".driving_learning.tmp.png")
    figure.savefig(temporary, dpi=120)
    temporary.replace(PICTURE)


if __name__ == "__main__":
    main(sys.argv[1:])
