"""Whole episodes of ours last as long and return as much as highway-env's, under three scripted policies.

`highway_statistics.json` has the original's figures; `record_highway_statistics.py` made it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from record_highway_statistics import IDS, POLICIES, read, scripted_actions, summary

from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.simulation import DrivingSimulation

LEVELS = range(10_000, 11_000)  # none that the original was seeded with: scenes are alike, not the same
SAME_SCENES = ("highway-v0", "highway-fast-v0", "merge-v0", "merge-generic-v0")  # where a seed makes the same here
MOST = 3.5  # pooled standard errors between two means

RECORDED: dict[str, Any] = read()["statistics"]


def play(env_id: str, policy: str, levels: range) -> NDArray[np.float64]:
    """(levels, 2) return and length of an episode of each level."""
    simulation = DrivingSimulation(TASKS[env_id](), len(levels), camera="kinematics")
    everyone = np.ones(len(levels), np.bool_)
    simulation.seed(np.array(levels), everyone)
    simulation.reset(everyone)
    rng, results, playing = np.random.default_rng(0), np.zeros((len(levels), 2)), everyone
    while playing.any():
        actions = scripted_actions(policy, simulation.action_space, rng, len(levels))
        outcome = simulation.step(actions, None, False)
        results[playing, 0] += outcome.reward[playing]
        results[playing, 1] += 1
        playing = playing & ~(outcome.terminated | outcome.truncated)
    return results


def test_every_task_has_been_recorded() -> None:
    assert set(TASKS) <= set(IDS)
    missing = [(env_id, policy) for env_id in TASKS for policy in POLICIES if policy not in RECORDED.get(env_id, {})]
    assert missing == []


@pytest.mark.parametrize("policy", ["idle", "faster"])
@pytest.mark.parametrize("env_id", sorted(set(SAME_SCENES) & set(RECORDED)))
def test_the_originals_own_seeds_play_to_the_same_return(env_id: str, policy: str) -> None:
    theirs = RECORDED[env_id][policy]
    ours = summary(play(env_id, policy, range(theirs["episodes"])))
    for name in ("return", "length"):
        assert ours[name]["mean"] == pytest.approx(theirs[name]["mean"], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("env_id", sorted(set(TASKS) & set(RECORDED)))
def test_episodes_are_as_long_and_return_as_much_as_the_originals(env_id: str, policy: str) -> None:
    theirs, ours = RECORDED[env_id][policy], summary(play(env_id, policy, LEVELS))
    for name in ("return", "length"):
        apart = ours[name]["mean"] - theirs[name]["mean"]
        error = math.hypot(*(side[name]["deviation"] / math.sqrt(side["episodes"]) for side in (ours, theirs)))
        assert abs(apart) <= MOST * error + 1e-9, (
            f"mean {name}: {ours[name]['mean']:.4f} here, {theirs[name]['mean']:.4f} there, {apart / error:+.1f} "
            "pooled standard errors apart"
        )
