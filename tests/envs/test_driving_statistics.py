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

EPISODES = 1000
FIRST_LEVEL = 10_000  # none that the original was seeded with: scenes are alike, not the same
MOST = 3.5  # pooled standard errors between two means

RECORDED: dict[str, Any] = read()["statistics"]


def play(env_id: str, policy: str) -> NDArray[np.float64]:
    """(EPISODES, 2) return and length of an episode of each of as many levels."""
    simulation = DrivingSimulation(TASKS[env_id](), EPISODES, camera="kinematics")
    everyone = np.ones(EPISODES, np.bool_)
    simulation.seed(np.arange(FIRST_LEVEL, FIRST_LEVEL + EPISODES), everyone)
    simulation.reset(everyone)
    rng, results, playing = np.random.default_rng(0), np.zeros((EPISODES, 2)), everyone
    while playing.any():
        actions = scripted_actions(policy, simulation.action_space, rng, EPISODES)
        outcome = simulation.step(actions, None, False)
        results[playing, 0] += outcome.reward[playing]
        results[playing, 1] += 1
        playing = playing & ~(outcome.terminated | outcome.truncated)
    return results


def test_every_task_has_been_recorded() -> None:
    assert set(TASKS) <= set(IDS)
    missing = [(env_id, policy) for env_id in TASKS for policy in POLICIES if policy not in RECORDED.get(env_id, {})]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("env_id", sorted(set(TASKS) & set(RECORDED)))
def test_episodes_are_as_long_and_return_as_much_as_the_originals(env_id: str, policy: str) -> None:
    theirs, ours = RECORDED[env_id][policy], summary(play(env_id, policy))
    for name in ("return", "length"):
        apart = ours[name]["mean"] - theirs[name]["mean"]
        error = math.hypot(*(side[name]["deviation"] / math.sqrt(side["episodes"]) for side in (ours, theirs)))
        assert abs(apart) <= MOST * error + 1e-9, (
            f"mean {name}: {ours[name]['mean']:.4f} here, {theirs[name]['mean']:.4f} there, {apart / error:+.1f} "
            "pooled standard errors apart"
        )
