"""Hyper-parameters by family of worlds: what `visnav train ID` begins with, before the command line changes it.

Each is a PPOConfig with the differences from its defaults, which are those of MiniGrid's tiles.
"""

from dataclasses import dataclass, replace

from visnav.agents.ppo import PPOConfig
from visnav.envs import TASKS
from visnav.envs.driving.world import Task as DrivingTask
from visnav.envs.grid.world import Task as GridTask


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
    scale_rewards: bool = True  # else returns in the hundreds leave the clipped gradient to the critic


@dataclass(frozen=True)
class SteeredRoads(Roads):
    """Roads on which the policy steers, some decisions a second: longer episodes."""

    num_envs: int = 64
    num_steps: int = 64
    gamma: float = 0.99
    entropy_coef: float = 0.0
    distribution: str = "beta"


@dataclass(frozen=True)
class FirstPerson(PPOConfig):
    """Through the agent's eyes, 64×64."""

    encoder: str = "nature"


@dataclass(frozen=True)
class Remembering(PPOConfig):
    """Grid worlds in which what matters is out of sight when it is needed."""

    memory: int = 128
    entropy_coef: float = 0.01


@dataclass(frozen=True)
class Searching(Remembering):
    """Grid worlds in which it pays to know where one has been."""

    entropy_coef: float = 0.003


@dataclass(frozen=True)
class Exploring(PPOConfig):
    """Grid worlds whose reward is so far away that chance does not find it."""

    curiosity: float = 0.5
    curiosity_first_visits: bool = True


@dataclass(frozen=True)
class Roaming(Exploring):
    """The same, where things have to be found, carried and remembered on the way. Less entropy forgets to pick up."""

    curiosity_kind: str = "counts"
    memory: int = 128
    entropy_coef: float = 0.01


GRIDS: dict[str, type[PPOConfig]] = {
    "MiniGrid-Memory": Remembering,
    "MiniGrid-FourRooms": Searching,
    "MiniGrid-MultiRoom-N4": Exploring,
    "MiniGrid-MultiRoom-N6": Exploring,
    "MiniGrid-LockedRoom": Roaming,
    "MiniGrid-ObstructedMaze": Roaming,
}
"""Beginning of an ID, without its namespace -> what its tiles are learned with; otherwise PPOConfig."""


def preset(env_id: str, camera: str | None = None, imitates: bool = False) -> PPOConfig:
    """The hyper-parameters for an ID of visnav's under a camera (None: its usual one); PPOConfig's for any other.

    Whoever imitates a teacher needs no curiosity.
    """
    task = TASKS[env_id]() if env_id in TASKS else None
    if isinstance(task, DrivingTask):
        return Roads() if task.action == "DiscreteMetaAction" else SteeredRoads()
    if isinstance(task, GridTask) and (camera or task.camera) == "first_person":
        return FirstPerson()
    name = env_id.rpartition("/")[2]
    found = next((family() for begin, family in GRIDS.items() if name.startswith(begin)), PPOConfig())
    return replace(found, curiosity=0.0) if imitates else found
