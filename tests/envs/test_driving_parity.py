"""A scene of highway-env, read into ours, goes on in the same way: states, rewards and ends after a policy step."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("highway_env")

from highway_state import differences

from visnav.envs.driving.injection import from_highway_env
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.rules import on_road
from visnav.envs.driving.simulation import DrivingSimulation

IDS = (
    "highway-v0", "highway-fast-v0", "merge-v0", "merge-generic-v0",
    "roundabout-v0", "roundabout-generic-v0", "racetrack-v0", "racetrack-large-v0", "racetrack-oval-v0", "u-turn-v0",
    "two-way-v0", "exit-v0", "parking-v0", "parking-ActionRepeat-v0", "parking-parked-v0",
)  # fmt: skip
NEAR = 1e-3  # m, rad, m/s


def play_both(env_id: str, scenes: int, config: dict[str, Any]) -> list[str]:
    """What differs after one policy step in each of so many scenes, up to eight steps into an episode."""
    env = gym.make(env_id, **({"config": config} if config else {}))
    simulation = DrivingSimulation(TASKS[env_id](**config), 1)
    rng = np.random.default_rng(0)
    env.action_space.seed(0)
    wrong = []
    for scene in range(scenes):
        env.reset(seed=scene)
        for _ in range(rng.integers(0, 9)):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset(seed=1_000_000 + scene)
        original: Any = env.unwrapped
        from_highway_env(original, simulation)
        action = env.action_space.sample()
        _, reward, terminated, truncated, _ = env.step(action)
        played = np.array([action], np.int64 if np.ndim(action) == 0 else np.float32)
        outcome = simulation.step(played, None, False)
        found = {name: gap for name, gap in differences(original, simulation, 0).items() if gap > NEAR}
        is_on_road = on_road(0, simulation.world, simulation.roads, simulation.tables)
        for name, here, there in (
            ("reward", outcome.reward[0], reward),
            ("terminated", outcome.terminated[0], terminated),
            ("truncated", outcome.truncated[0], truncated),
            ("on_road", is_on_road, original.vehicle.on_road),
        ):
            if abs(float(here) - float(there)) > NEAR:
                found[name] = float(here) - float(there)
        if found:
            wrong.append(f"scene {scene}, action {action}: {found}")
    return wrong


@pytest.mark.parametrize("env_id", IDS)
def test_a_policy_step_is_that_of_the_original(env_id: str) -> None:
    assert play_both(env_id, 8, {}) == []


@pytest.mark.slow
@pytest.mark.parametrize("env_id", IDS)
def test_200_policy_steps_are_those_of_the_original(env_id: str) -> None:
    assert play_both(env_id, 200, {}) == []
