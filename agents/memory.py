"""Memory over time: a minimal gated recurrent unit, computed for whole sequences at once."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def scan(decay: Tensor, inflow: Tensor, start: Tensor) -> Tensor:
    """h_t = decay_t · h_{t-1} + inflow_t for every t, in log₂ T steps of the whole sequence: Hillis and Steele 1986.

    Args:
        decay, inflow: (T, N, H).
        start: (N, H), h before the first step.

    Returns:
        (T, N, H).
    """
    reach = 1
    while reach < len(decay):
        # What happened `reach` steps before is added; before the first step nothing did.
        inflow = inflow + decay * F.pad(inflow[:-reach], (0, 0, 0, 0, reach, 0))
        decay = decay * F.pad(decay[:-reach], (0, 0, 0, 0, reach, 0), value=1.0)
        reach *= 2
    return inflow + decay * start


class MinGRU(nn.Module):
    """minGRU: h_t = a_t h_{t-1} + √(1 - a_t²) tanh(W x_t + b), a_t = 1 - σ(W_z x_t + b_z).

    Feng et al. 2024, "Were RNNs All We Needed?" (arXiv:2410.01201), with a bounded candidate. The gates look at the
    input alone, so a sequence needs no loop over time, and a reset inside it costs nothing: h_{t-1} is taken as 0.

    The candidate's factor is that of Griffin's RG-LRU (De et al. 2024, arXiv:2402.19427): with minGRU's own, 1 - a_t,
    what was seen once is a small part of a unit that keeps it long, and hard to learn from.

    The gates begin with time constants between 1 and `LONGEST` steps, evenly in the logarithm: after Tallec and
    Ollivier 2018 (arXiv:1804.11188).

    Args:
        input_size: length of x.
        size: length of h.
    """

    LONGEST = 128.0  # steps

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.gate, self.candidate = nn.Linear(input_size, size), nn.Linear(input_size, size)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Weights small enough that the time constants are those of the biases."""
        for layer in (self.gate, self.candidate):
            nn.init.orthogonal_(layer.weight, 1.0)
            nn.init.zeros_(layer.bias)
        steps = self.LONGEST ** torch.linspace(0, 1, self.size)
        self.gate.bias.copy_(-steps.log())

    def forward(self, inputs: Tensor, start: Tensor, fresh: Tensor) -> Tensor:
        """The memory after every step.

        Args:
            inputs: (T, N, input_size).
            start: (N, size), the memory before the first step.
            fresh: (T, N) bool, steps before which the memory is emptied.

        Returns:
            (T, N, size), of the type of `start`.
        """
        gate, candidate = (layer(inputs).to(start.dtype) for layer in (self.gate, self.candidate))
        kept = torch.sigmoid(-gate)
        # √(1 - a²) = √σ(z) √(1 + a), whose gradient stays finite where σ(z) vanishes
        inflow = (F.logsigmoid(gate) / 2).exp() * (1 + kept).sqrt() * torch.tanh(candidate)
        return scan(kept * ~fresh.unsqueeze(-1), inflow, start)
