"""The trained policies in experiments/trained still play."""

import contextlib
from pathlib import Path

import pytest

from visnav.agents.evaluate import evaluate
from visnav.experiments.run import Run
from visnav.experiments.training import make_worlds

FOLDERS = sorted((Path(__file__).parents[2] / "experiments" / "trained").iterdir())
LARGEST = 5 * 2**20  # bytes
LEAST = {"MiniGrid-LockedRoom-v0": 0.45}  # share of successes, 0.8 of the others


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_trained_policy_succeeds_on_levels_held_out(folder: Path) -> None:
    run = Run(folder)
    config = run.read_config()
    with contextlib.closing(make_worlds(config, 48, "test")) as envs:
        success = evaluate(run.load_policy(config, envs), envs, 48).summary()["success"]
    assert success > LEAST.get(folder.name, 0.8)
    assert run.policy.stat().st_size < LARGEST
