"""Scenes of the original highway-env, and how one policy step of ours compares with its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import highway_env  # noqa: F401  (registers the originals)
import numpy as np
from visnav.envs.driving.injection import from_highway_env
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.simulation import DrivingSimulation


@dataclass
class Difference:
    """What one policy step did otherwise here than there."""

    seed: int
    facts: list[str]
    moved: float  # most of m, rad and m/s that a vehicle differs by
    changed_lane: bool  # whether a target lane differs


def _actions(env: Any, rng: np.random.Generator) -> Any:
    space = env.action_space
    return int(rng.integers(space.n)) if isinstance(space, gym.spaces.Discrete) else rng.uniform(-1, 1, space.shape)


def scenes(name: str, seeds: range) -> Iterator[tuple[int, Any, Any]]:
    """(seed, environment, next action): up to eight random steps into the episode of each seed."""
    env = gym.make(name)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        env.reset(seed=seed)
        for _ in range(int(rng.integers(9))):
            _, _, terminated, truncated, _ = env.step(_actions(env, rng))
            if terminated or truncated:
                env.reset(seed=seed)
                break
        yield seed, env, _actions(env, rng)


def compare(name: str, seeds: range) -> list[Difference]:
    """One policy step of every scene, here and there."""
    simulation = DrivingSimulation(TASKS[name](), 1)
    found = []
    for seed, env, action in scenes(name, seeds):
        from_highway_env(env, simulation)
        observation = simulation.allocate()
        actions = np.array([action]) if np.ndim(action) == 0 else np.asarray(action, np.float32)[None]
        outcome = simulation.step(actions, observation, reset_ended=False)
        expected, reward, terminated, truncated, _ = env.step(action)
        found.append(_difference(seed, env.unwrapped, simulation, outcome, reward, terminated, truncated))
        if not np.allclose(observation["kinematics"][0], expected, atol=1e-3):
            found[-1].facts.append(f"kinematics\n{observation['kinematics'][0]}\n{expected}")
    return found


def _difference(
    seed: int, env: Any, simulation: DrivingSimulation, outcome: Any, reward: float, terminated: bool, truncated: bool
) -> Difference:
    vehicles, lanes = simulation.world.vehicles[0], list(env.road.network.lanes_dict())
    facts, moved, changed_lane = [], 0.0, False
    ego = env.vehicle
    theirs = [ego, *(vehicle for vehicle in env.road.vehicles if vehicle is not ego)]
    for place, their in enumerate(theirs):
        ours = vehicles[place]
        parts = ours.x - their.position[0], ours.y - their.position[1], ours.heading - their.heading
        moved = max(moved, *np.abs([*parts, ours.speed - their.speed]))
        changed_lane |= lanes[ours.target_lane] != getattr(their, "target_lane_index", lanes[ours.target_lane])
        if lanes[ours.lane] != their.lane_index:
            facts.append(f"vehicle {place} is on {lanes[ours.lane]}, there on {their.lane_index}")
        if bool(ours.crashed) != bool(their.crashed):
            facts.append(f"vehicle {place} crashed: {ours.crashed}, there {their.crashed}")
    if abs(outcome.reward[0] - reward) > 1e-3:
        facts.append(f"reward {outcome.reward[0]}, there {reward}")
    if bool(outcome.terminated[0]) != bool(terminated) or bool(outcome.truncated[0]) != bool(truncated):
        facts.append(f"ended {outcome.terminated[0]}, {outcome.truncated[0]}, there {terminated}, {truncated}")
    return Difference(seed, facts, float(moved), changed_lane)
