"""Action distributions with an explicit generator: what torch.distributions lacks for exact resume."""

import math

import torch
from torch import Tensor


class Categorical:
    """One of n actions, from unnormalised log-probabilities (B, n) in float32."""

    def __init__(self, logits: Tensor) -> None:
        self.log_probs = logits - logits.logsumexp(-1, keepdim=True)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions (B,) int64: an exponential race (Gumbel's trick), so that no row is read by the host."""
        race = torch.empty_like(self.log_probs).exponential_(generator=generator)
        return (self.log_probs - race.log()).argmax(-1)

    def mode(self) -> Tensor:
        """The most probable action (B,) int64."""
        return self.log_probs.argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """log p(action) (B,) of actions (B,) int64."""
        return self.log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats (B,)."""
        return -(self.log_probs.exp() * self.log_probs).sum(-1)


class DiagonalGaussian:
    """Independent normals, from means (B, d) and log standard deviations (d,) in float32."""

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = mean, log_std.expand_as(mean)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions (B, d) float32, unbounded: the world clips them."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + self.log_std.exp() * noise

    def mode(self) -> Tensor:
        """The mean (B, d)."""
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        """log p(action) (B,) of actions (B, d), summed over dimensions."""
        scaled = (actions - self.mean) * (-self.log_std).exp()
        return (-0.5 * scaled**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats (B,), summed over dimensions."""
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
