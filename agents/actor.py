"""A policy acting in one world, an observation at a time: for watching, and for use outside of training."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from visnav.agents.distributions import Categorical, Noise
from visnav.agents.policy import ONLY, ActorCritic, as_dict
from visnav.agents.threads import sharing
from visnav.perception.saliency import grad_cam


class Actor:
    """Acts in a single environment, `gym.make(…)`, and keeps the frames that the policy's stack needs.

    It computes in one thread: more of them wait for each other after every operation, a second an action where other
    programs keep the cores busy.

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

    @sharing()
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
        self.seen, self.remembered = stacked, self.memory
        distribution, _, self.memory = self.policy(stacked, self.memory)
        chosen = distribution.mode() if self.greedy else distribution.sample(self.noise)
        self.chosen = chosen
        action = self.policy.action_array(chosen)[0]
        if isinstance(distribution, Categorical):
            return int(action), distribution.log_probs[0].exp().numpy()
        return action, np.zeros(0)

    @sharing()
    def saliency(self) -> np.ndarray:
        """Where in the image the policy saw reason for its last action: Grad-CAM of its encoder's last maps.

        The score is the action's log-probability; of continuous actions the sum of how far the most probable one is
        from 0 in each component.

        Returns:
            (H, W) float32, 0 or more.

        Raises:
            ValueError: the policy has no encoder of rgb.
        """
        encoder = self.policy.rgb_encoder()

        def score(images: Tensor) -> Tensor:
            distribution, _, _ = self.policy(self.seen | {ONLY: images}, self.remembered)
            if isinstance(distribution, Categorical):
                return distribution.log_prob(self.chosen)
            return distribution.mode().abs().sum(-1)

        return grad_cam(score, encoder.maps, self.seen[ONLY])[0].numpy()
