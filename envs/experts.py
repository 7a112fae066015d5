"""The expert of any world: who knows what to do next in every slot, whatever the family."""

from __future__ import annotations

from typing import Any

from visnav.envs.driving.expert import Expert as DrivingExpert
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.grid.planner import Expert as GridExpert


def expert_of(envs: Any) -> GridExpert | DrivingExpert:
    """The expert of what `gym.make` or `gym.make_vec` returned, wrapped or not; `actions()` reads the state as it is.

    Raises:
        ValueError: there is none for this task, or for its kind of action.
    """
    simulation = envs.unwrapped.simulation
    return DrivingExpert(simulation) if isinstance(simulation, DrivingSimulation) else GridExpert(simulation)
