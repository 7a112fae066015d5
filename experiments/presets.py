"""Hyper-parameters by family of worlds: what `visnav train ID` begins with, before the command line changes it.

Each is a PPOConfig with the differences from its defaults, which are those of MiniGrid's tiles.
"""

from dataclasses import dataclass

from visnav.agents.ppo import PPOConfig
from visnav.envs import TASKS
from visnav.envs.driving.world import Task as DrivingTask


@dataclass(frozen=True)
class Roads(PPOConfig):
    """Roads and meta actions, a decision a second: rewards at every step, episodes of some ten steps."""

    encoder: str = "nature"
    frames: int = 4
    num_envs: int = 128
    epochs: int = 3
    learning_rate: float = 5e-4
    gamma: float = 0.95
    entropy_coef: float = 0.01
    normalise_advantages: bool = True


@dataclass(frozen=True)
class SteeredRoads(Roads):
    """Roads on which the policy steers, some decisions a second: longer episodes."""

    num_envs: int = 64
    num_steps: int = 64
    gamma: float = 0.99
    entropy_coef: float = 0.0
    distribution: str = "beta"


def preset(env_id: str) -> PPOConfig:
    """The hyper-parameters for an ID of visnav's; those of PPOConfig for any other."""
    task = TASKS[env_id]() if env_id in TASKS else None
    if isinstance(task, DrivingTask):
        return Roads() if task.action == "DiscreteMetaAction" else SteeredRoads()
    return PPOConfig()
