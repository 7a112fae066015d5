"""The worlds that agents are handed: the part of visnav.envs.gym.VectorEnv that learning needs."""

from typing import Any, Protocol

import gymnasium as gym
import numpy as np


class Worlds(Protocol):
    """A batch of N worlds in Gymnasium's NEXT_STEP autoreset mode.

    The step after an episode's end resets that world: its action is ignored, its reward 0 and its flags False.
    `info` has arrays (N,): `success` bool, this step ended the task successfully, and `level` int64, the number of
    the level being played.
    """

    num_envs: int
    metadata: dict[str, Any]
    single_observation_space: gym.Space[Any]
    single_action_space: gym.Space[Any]

    def reset(self, *, seed: Any = None, options: Any = None, out: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every world; `seed` is one number or a list of N. For `out` see `step`."""

    def step(self, actions: Any, *, out: Any = None) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Observation, reward (N,) float64, terminated and truncated (N,) bool, info.

        The observation is written into `out`, an array (or a dict of them, by sensor) of its shape and type.
        """

    def get_state(self) -> dict[str, np.ndarray]:
        """The whole state of the worlds, as arrays."""

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state; what follows is then the same again."""
