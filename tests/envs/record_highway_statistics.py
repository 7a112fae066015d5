"""Record how long highway-env's episodes last under scripted policies, and what they return.

    python tests/envs/record_highway_statistics.py                       (all IDs that the file lacks; hours)
    python tests/envs/record_highway_statistics.py highway-v0 merge-v0   (these, where the file lacks them)

Adds to highway_statistics.json beside this file after every 20 episodes, and goes on from there when started again.
They are played in a process of their own: intersections change the constants of traffic for all other IDs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

FILE = Path(__file__).with_name("highway_statistics.json")
EPISODES, AT_ONCE = 200, 20
POLICIES = ("idle", "random", "faster")
IDS = (  # the fastest first
    "two-way-v0", "merge-v0", "merge-generic-v0", "racetrack-v0", "racetrack-oval-v0", "racetrack-large-v0",
    "lane-keeping-v0", "parking-ActionRepeat-v0", "u-turn-v0", "roundabout-v0", "roundabout-generic-v0",
    "highway-fast-v0", "intersection-v0", "intersection-v1", "parking-v0", "parking-parked-v0", "exit-v0",
    "highway-v0",
)  # fmt: skip

# What episodes are observed by has no say in them, but for parking, whose reward is of what is observed; and keeping
# a lane, whose observation is cheap as it is.
CHEAP_OBSERVATION = {"type": "Kinematics", "vehicles_count": 1, "features": ["presence"]}


def scripted_actions(policy: str, space: spaces.Space[Any], rng: np.random.Generator, count: int) -> NDArray[Any]:
    """Actions of a policy in so many worlds.

    Args:
        policy: "idle" (or no control), "random" (uniform), or "faster": in a Box, its first axis at full scale, which
            is the throttle, or the steering where that is all there is.
        space: of one world: Box, or DiscreteMetaAction's of 5 actions or 3 (slower, idle, faster).
        rng: what "random" draws from.
        count: worlds.

    Returns:
        (count,) int64, or (count, axes) float32.
    """
    if isinstance(space, spaces.Discrete):
        if policy == "random":
            return rng.integers(0, space.n, count)
        return np.full(count, 1 if policy == "idle" else 3 if space.n == 5 else 2)
    assert isinstance(space, spaces.Box)
    if policy == "random":
        return rng.uniform(-1, 1, (count, *space.shape)).astype(np.float32)
    actions = np.zeros((count, *space.shape), np.float32)
    if policy == "faster":
        actions[:, 0] = 1
    return actions


def play_original(env_id: str, policy: str, seeds: Iterable[int]) -> NDArray[np.float64]:
    """(episodes, 2) return and length in policy steps of highway-env's episodes; each seed draws scene and actions."""
    import highway_env  # noqa: F401  (registers the IDs)

    env = gym.make(env_id, disable_env_checker=True)
    if not env_id.startswith(("parking", "lane-keeping")):
        env.unwrapped.config["observation"] = CHEAP_OBSERVATION  # type: ignore[attr-defined]
    results = []
    for seed in seeds:
        env.reset(seed=seed)
        rng = np.random.default_rng(seed)
        total, length, ended = 0.0, 0, False
        while not ended:
            action = scripted_actions(policy, env.action_space, rng, 1)[0]
            _, reward, terminated, truncated, _ = env.step(action)
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        results.append((total, length))
    return np.array(results)


def summary(results: NDArray[np.float64]) -> dict[str, Any]:
    """Number of episodes, and mean and standard deviation (of the sample) of both columns."""
    mean, deviation = results.mean(0).tolist(), results.std(0, ddof=1).tolist()
    columns = {name: {"mean": mean[k], "deviation": deviation[k]} for k, name in enumerate(("return", "length"))}
    return {"episodes": len(results), **columns}


def pooled(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """The summary of both together (Chan, Golub, LeVeque 1979)."""
    counts = a["episodes"], b["episodes"]
    total: dict[str, Any] = {"episodes": sum(counts)}
    for name in ("return", "length"):
        apart = b[name]["mean"] - a[name]["mean"]
        squares = sum((count - 1) * side[name]["deviation"] ** 2 for count, side in zip(counts, (a, b), strict=True))
        squares += apart**2 * counts[0] * counts[1] / sum(counts)
        mean = a[name]["mean"] + apart * counts[1] / sum(counts)
        total[name] = {"mean": mean, "deviation": (squares / (sum(counts) - 1)) ** 0.5}
    return total


def read() -> dict[str, Any]:
    """What has been recorded; by ID and policy under "statistics"."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"statistics": {}}


def add(env_id: str, policy: str, result: dict[str, Any]) -> None:
    """Write a result into the file, with what is there; another process may have added to it meanwhile."""
    recorded = read()
    recorded["versions"] = {name: version(name) for name in ("highway-env", "gymnasium", "numpy")}
    recorded["seeds"] = "0 to episodes - 1"
    policies = recorded["statistics"].setdefault(env_id, {})
    policies[policy] = pooled(policies[policy], result) if policy in policies else result
    temporary = FILE.with_name(f".{FILE.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, FILE)


def main(ids: list[str]) -> None:
    for env_id in ids or IDS:
        for start in range(0, EPISODES, AT_ONCE):
            for policy in POLICIES:
                done = read()["statistics"].get(env_id, {}).get(policy, {"episodes": 0})["episodes"]
                if done > start:
                    continue
                began = time.perf_counter()
                with ProcessPoolExecutor(1, get_context("spawn")) as process:
                    results = process.submit(play_original, env_id, policy, range(start, start + AT_ONCE)).result()
                add(env_id, policy, summary(results))
                print(f"{env_id} {policy} from {start}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
