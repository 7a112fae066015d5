"""A policy acting in one world, an observation at a time: for watching, and for use outside of training."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from visnav.agents.distributions import Categorical, Noise
from visnav.agents.policy import ActorCritic, as_dict


class Actor:
    """Acts in a single environment, `gym.make(…)`, and keeps the frames that the policy's stack needs.

    Args:
        greedy: take the most probable action (or the mean) instead of sampling.
        seed: of the sampled actions.
    """

    def __init__(self, policy: ActorCritic, greedy: bool = False, seed: int = 0) -> None:
        self.policy, self.greedy = policy, greedy
        self.noise = Noise(torch.Generator().manual_seed(seed))
        self.start()

    def start(self) -> None:
        """Forget the episode before; to be called when one starts."""
        self.past: list[dict[str, Tensor]] = []
        self.memory = self.policy.start(1)

    @torch.no_grad()
    def act(self, observation: Any) -> tuple[int | np.ndarray, np.ndarray]:
        """An action for one observation, and the probabilities (n,) of all actions (empty for a Gaussian)."""
        sensors = {name: torch.as_tensor(value).unsqueeze(0) for name, value in as_dict(observation).items()}
        self.past = [*self.past, sensors][-self.policy.frames :]
        missing = self.policy.frames - len(self.past)
        stacked = {
            name: torch.cat([torch.zeros_like(value)] * missing + [frame[name] for frame in self.past], -1)
            if value.ndim == 4
            else value
            for name, value in sensors.items()
        }
        distribution, _, self.memory = self.policy(stacked, self.memory)
        chosen = distribution.mode() if self.greedy else distribution.sample(self.noise)
        action = self.policy.action_array(chosen)[0]
        if isinstance(distribution, Categorical):
            return int(action), distribution.log_probs[0].exp().numpy()
        return action, np.zeros(0)
