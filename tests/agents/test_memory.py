"""The memory of a whole sequence against a loop over its steps, one world at a time."""

import pytest
import torch

from visnav.agents.memory import MinGRU, scan


def slow(memory: MinGRU, inputs: torch.Tensor, start: torch.Tensor, fresh: torch.Tensor) -> torch.Tensor:
    """h by its formula, world by world and step by step."""
    outputs = torch.zeros(*fresh.shape, memory.size, dtype=inputs.dtype)
    for n in range(fresh.shape[1]):
        h = start[n]
        for t in range(len(inputs)):
            if fresh[t, n]:
                h = torch.zeros_like(h)
            a = 1 - torch.sigmoid(memory.gate(inputs[t, n]))
            h = a * h + (1 - a**2) ** 0.5 * torch.tanh(memory.candidate(inputs[t, n]))
            outputs[t, n] = h
    return outputs


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 33])
@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_a_sequence_agrees_with_a_loop(steps: int, rate: float) -> None:
    """Outputs, and gradients of weights, inputs and start, with episodes that begin anywhere."""
    torch.manual_seed(0)
    memory = MinGRU(6, 5).double()
    memory.reset_parameters()
    inputs, start = torch.randn(steps, 4, 6, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    inputs.requires_grad_()
    start.requires_grad_()
    fresh = torch.rand(steps, 4) < rate
    found = []
    for compute in (memory, lambda *args: slow(memory, *args)):
        for tensor in (inputs, start, *memory.parameters()):
            tensor.grad = None
        outputs = compute(inputs, start, fresh)
        (outputs * torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64).view_as(outputs)).sum().backward()
        gradients = (tensor.grad for tensor in (inputs, start, *memory.parameters()))
        found.append([outputs.detach(), *(torch.zeros(1) if grad is None else grad for grad in gradients)])
    for ours, theirs in zip(*found, strict=True):  # the loop never reads a start that is emptied at once
        torch.testing.assert_close(ours, theirs.to(ours).expand_as(ours), rtol=1e-9, atol=1e-9)


def test_pieces_of_a_sequence_agree_with_the_whole() -> None:
    """A rollout is played a step at a time and learned from at once: both see the same memory."""
    torch.manual_seed(0)
    memory, inputs, start, fresh = MinGRU(6, 64), torch.randn(48, 3, 6), torch.randn(3, 64), torch.rand(48, 3) < 0.1
    whole, h = memory(inputs, start, fresh), start
    for t in range(48):
        h = memory(inputs[t : t + 1], h, fresh[t : t + 1])[-1]
        torch.testing.assert_close(h, whole[t], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [-1e3, 1e3])
def test_gates_that_are_shut_or_open_for_good_have_finite_gradients(bias: float) -> None:
    memory = MinGRU(2, 3)
    torch.nn.init.constant_(memory.gate.bias, bias)
    memory(torch.ones(4, 1, 2), torch.ones(1, 3), torch.zeros(4, 1, dtype=torch.bool)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in memory.parameters())


def test_scan_is_the_recurrence() -> None:
    decay, inflow = torch.rand(2, 7, 2, 3, dtype=torch.float64)
    h, start = torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
    for t, found in enumerate(scan(decay, inflow, start)):
        h = decay[t] * h + inflow[t]
        torch.testing.assert_close(found, h)


def test_the_memory_begins_with_many_time_constants() -> None:
    memory = MinGRU(4, 16)
    memory.reset_parameters()
    kept = 1 - torch.sigmoid(memory.gate(torch.zeros(4)))
    steps = -1 / kept.log()  # until 1/e is left
    assert steps.min() < 2
    assert 100 < steps.max() < 160
