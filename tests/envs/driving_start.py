"""Driving simulations at the start of their levels."""

from __future__ import annotations

from typing import Any

import numpy as np

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.gym import make_simulation


def started(name: str, num_envs: int, **keywords: Any) -> DrivingSimulation:
    """N worlds at the start of levels 0, 1, …"""
    simulation = make_simulation(f"visnav/{name}", num_envs, 1, {"camera": "kinematics", **keywords})
    assert isinstance(simulation, DrivingSimulation)
    everyone = np.ones(num_envs, np.bool_)
    simulation.seed(np.arange(num_envs), everyone)
    simulation.reset(everyone)
    return simulation
