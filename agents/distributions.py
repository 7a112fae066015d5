"""Action distributions with an explicit source of noise: what torch.distributions lacks for exact resume.

Each has `sample(noise)`, `mode()`, `log_prob(actions)` and `entropy()`. Those over a Box have numbers of their own:
`bounded` maps them to [-1, 1], and `own_numbers` back.
"""

import math
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Noise:
    """Random numbers for a batch of rows.

    Where several processes (ranks) share a training, each draws those of all and takes its own rows, so that what
    happens does not depend on how many there are.

    Args:
        generator: the same in every rank.
        rank, ranks: which of how many.
    """

    def __init__(self, generator: torch.Generator, rank: int = 0, ranks: int = 1) -> None:
        self.generator, self.rank, self.ranks = generator, rank, ranks

    def _own(self, like: Tensor) -> tuple[Tensor, slice]:
        rows = len(like)
        return torch.empty(rows * self.ranks, *like.shape[1:]), slice(self.rank * rows, (self.rank + 1) * rows)

    def exponential(self, like: Tensor) -> Tensor:
        """Of rate 1, in the shape of `like`."""
        room, own = self._own(like)
        return room.exponential_(generator=self.generator)[own]

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal, in the shape of `like`."""
        room, own = self._own(like)
        return room.normal_(generator=self.generator)[own]

    def uniform(self, like: Tensor) -> Tensor:
        """Within [0, 1), in the shape of `like`."""
        room, own = self._own(like)
        return room.uniform_(generator=self.generator)[own]


class Distribution(Protocol):
    """Over the actions of B rows."""

    def sample(self, noise: Noise) -> Tensor:
        """One action a row."""

    def mode(self) -> Tensor:
        """The action to take where none is drawn: the most probable one."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """log p (B,) of one action a row, summed over dimensions."""

    def entropy(self) -> Tensor:
        """In nats (B,), summed over dimensions."""


class Categorical:
    """One of n actions, from unnormalised log-probabilities (B, n) in float32; actions are (B,) int64."""

    def __init__(self, logits: Tensor) -> None:
        self.log_probs = logits - logits.logsumexp(-1, keepdim=True)

    def sample(self, noise: Noise) -> Tensor:
        """Actions (B,) int64: an exponential race (Gumbel's trick), so that no row is read by the host."""
        return (self.log_probs - noise.exponential(self.log_probs).log()).argmax(-1)

    def mode(self) -> Tensor:
        return self.log_probs.argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.log_probs.exp() * self.log_probs).sum(-1)


class DiagonalGaussian:
    """Independent normals; actions (B, d) are unbounded, and the world clips them to its Box.

    Args:
        mean: (B, d) float32.
        log_std: (d,), or (B, d) where the deviation depends on the state.
    """

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = mean, log_std.expand_as(mean)

    def sample(self, noise: Noise) -> Tensor:
        return self.mean + self.log_std.exp() * noise.normal(self.mean)

    def mode(self) -> Tensor:
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        scaled = (actions - self.mean) * (-self.log_std).exp()
        return (-0.5 * scaled**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)

    @staticmethod
    def bounded(actions: Tensor) -> Tensor:
        """Clipped: that is what the world does."""
        return actions.clamp(-1, 1)

    @staticmethod
    def own_numbers(bounded: Tensor) -> Tensor:
        """Actions whose `bounded` these are."""
        return bounded


# Nodes and weights of Gauss-Hermite quadrature for E f(x), x standard normal.
_NODES, _WEIGHTS = (torch.from_numpy(values).float() for values in np.polynomial.hermite_e.hermegauss(32))
_WEIGHTS = _WEIGHTS / math.sqrt(2 * math.pi)


class SquashedGaussian(DiagonalGaussian):
    """tanh of independent normals: Haarnoja et al. 2018 (arXiv:1812.05905), appendix C.

    An action is kept as the normal's value u (B, d), for then log p needs no inverse of tanh; `log_prob` is the density
    of tanh u.
    """

    def log_prob(self, actions: Tensor) -> Tensor:
        return super().log_prob(actions) - self._log_slope(actions).sum(-1)

    def entropy(self) -> Tensor:
        """That of the normal, and E log tanh'(u) by quadrature; exact to 1e-3 for deviations up to 3."""
        values = self.mean.unsqueeze(-1) + self.log_std.exp().unsqueeze(-1) * _NODES
        return super().entropy() + (self._log_slope(values) @ _WEIGHTS).sum(-1)

    @staticmethod
    def _log_slope(values: Tensor) -> Tensor:
        """log tanh'(u) = 2 (log 2 - u - softplus(-2u)), without overflow."""
        return 2 * (math.log(2) - values - F.softplus(-2 * values))

    @staticmethod
    def bounded(actions: Tensor) -> Tensor:
        return actions.tanh()

    @staticmethod
    def own_numbers(bounded: Tensor) -> Tensor:
        return bounded.clamp(-0.99, 0.99).atanh()


class Beta:
    """Independent Beta distributions with one peak: Chou, Maturana and Scherer 2017.

    Actions (B, d) lie in (0, 1).

    Args:
        alpha, beta: (B, d), at least 1.
    """

    ATTEMPTS = 8  # of each gamma variate; all of them fail once in 10¹⁰ draws

    def __init__(self, alpha: Tensor, beta: Tensor) -> None:
        self.alpha, self.beta = alpha, beta

    def sample(self, noise: Noise) -> Tensor:
        first, second = (self._gamma(shape, noise) for shape in (self.alpha, self.beta))
        return (first / (first + second)).clamp(1e-6, 1 - 1e-6)

    def _gamma(self, shape: Tensor, noise: Noise) -> Tensor:
        """Gamma variates of scale 1 (Marsaglia and Tsang 2000); the noise used does not depend on the shape."""
        d = shape - 1 / 3
        found, done = d.clone(), torch.zeros_like(d, dtype=torch.bool)
        for _ in range(self.ATTEMPTS):
            x, u = noise.normal(shape), noise.uniform(shape)
            v = (1 + x / (3 * d.sqrt())) ** 3
            accepted = (v > 0) & (u.log() < 0.5 * x**2 + d * (1 - v + v.clamp(min=1e-30).log()))
            found = torch.where(accepted & ~done, d * v, found)
            done |= accepted
        return found

    def mode(self) -> Tensor:
        total = self.alpha + self.beta - 2
        return torch.where(total > 1e-6, (self.alpha - 1) / total.clamp(min=1e-6), 0.5)

    def log_prob(self, actions: Tensor) -> Tensor:
        powers = (self.alpha - 1) * actions.log() + (self.beta - 1) * (-actions).log1p()
        return (powers - self._log_norm()).sum(-1)

    def entropy(self) -> Tensor:
        total = self.alpha + self.beta
        digammas = (
            (self.alpha - 1) * self.alpha.digamma()
            + (self.beta - 1) * self.beta.digamma()
            - (total - 2) * total.digamma()
        )
        return (self._log_norm() - digammas).sum(-1)

    def _log_norm(self) -> Tensor:
        return self.alpha.lgamma() + self.beta.lgamma() - (self.alpha + self.beta).lgamma()

    @staticmethod
    def bounded(actions: Tensor) -> Tensor:
        return 2 * actions - 1

    @staticmethod
    def own_numbers(bounded: Tensor) -> Tensor:
        return ((bounded + 1) / 2).clamp(0.01, 0.99)
