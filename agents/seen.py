"""Worlds as a network sees them: pictures replaced by the classes of pixels that it predicts."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from visnav.agents.policy import ONLY, as_dict, uses_bfloat16
from visnav.agents.threads import in_shares, sharing
from visnav.agents.worlds import Worlds

ROWS = 32  # pictures that are looked at together, so that the maps stay in the cache


class Sight:
    """What a network for classes of pixels sees: pictures (N, H, W, 3) in, classes (N, H, W, 1) out, both uint8.

    Args:
        network: gives logits (N, classes, H, W) of pictures.
        classes: number of them, at most 255.
    """

    def __init__(self, network: nn.Module, classes: int) -> None:
        self.network, self.classes = network, classes
        self.in_bfloat16 = uses_bfloat16("auto")

    def space(self, pictures: gym.Space) -> gym.spaces.Box:
        """The space of the classes of one picture.

        Raises:
            ValueError: what is given is not a space of pictures.
        """
        shape = pictures.shape or ()
        if not (len(shape) == 3 and shape[-1] == 3 and pictures.dtype == np.uint8):
            raise ValueError(f"a network that sees reads pictures (H, W, 3) of uint8; these worlds show {pictures}")
        return gym.spaces.Box(0, self.classes - 1, (*shape[:2], 1), np.uint8)

    @sharing()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """The class of every pixel."""

        def share(rows: slice) -> torch.Tensor:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
                parts = torch.from_numpy(pictures[rows]).split(ROWS)
                return torch.cat([self.network(part).argmax(1).to(torch.uint8) for part in parts])

        return torch.cat(in_shares(share, len(pictures), len(pictures))).unsqueeze(-1).numpy()

    def of(self, observation: Any) -> Any:
        """The observation of one world with the classes in place of its picture."""
        if isinstance(observation, dict):
            return observation | {ONLY: self(observation[ONLY][None])[0]}
        return self(observation[None])[0]


class SeenWorlds:
    """A batch of worlds that shows classes instead of pictures; all else is that of the worlds.

    Args:
        envs: worlds whose observation is a picture, or has one called `rgb`.
        sight: sees it.

    Raises:
        ValueError: there is no picture in the observation.
    """

    def __init__(self, envs: Worlds, sight: Sight) -> None:
        self.envs, self.sight = envs, sight
        space = envs.single_observation_space
        if isinstance(space, gym.spaces.Dict):
            if ONLY not in space.spaces:
                raise ValueError(f"a network that sees needs the sensor {ONLY!r}; these worlds show {space}")
            self.single_observation_space: gym.Space = gym.spaces.Dict({**space.spaces, ONLY: sight.space(space[ONLY])})
        else:
            self.single_observation_space = sight.space(space)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.envs, name)

    def reset(self, *, seed: Any = None, options: Any = None, out: Any = None) -> tuple[Any, dict[str, Any]]:
        """As the worlds' own."""
        observation, info = self.envs.reset(seed=seed, options=options)
        return self._see(observation, out), info

    def step(self, actions: Any, *, out: Any = None) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """As the worlds' own."""
        observation, reward, terminated, truncated, info = self.envs.step(actions)
        return self._see(observation, out), reward, terminated, truncated, info

    def _see(self, observation: Any, out: Any) -> Any:
        """What is seen of all worlds, in `out` where there is one."""
        if isinstance(observation, dict):
            seen: Any = observation | {ONLY: self.sight(observation[ONLY])}
        else:
            seen = self.sight(observation)
        if out is None:
            return seen
        written = as_dict(out)
        for name, values in as_dict(seen).items():
            written[name][...] = values
        return out
