"""Layers by hand equal torch's: values, gradients, state dicts, and inside the policy's encoder."""

from collections.abc import Callable

import gymnasium as gym
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.agents.policy import ActorCritic, PolicyConfig
from visnav.perception import layers
from visnav.perception.encoders import ENCODERS
from visnav.perception.layers import Conv2d, Dense, MaxPool2d, Perceptron, by_hand, sigmoid

TOLERANCE = {"atol": 1e-6, "rtol": 0.0}
WIDE = torch.cat([torch.linspace(-6, 6, 49), torch.tensor([-800.0, -100.0, 100.0, 800.0])]).double()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def with_gradients(function: Callable[..., Tensor], *arguments: Tensor) -> list[Tensor]:
    """The value of a function, then the gradient of a weighted sum of it for each argument."""
    leaves = [argument.detach().clone().requires_grad_() for argument in arguments]
    value = function(*leaves)
    weights = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view(value.shape)
    return [value.detach(), *torch.autograd.grad((value * weights).sum(), leaves)]


def assert_same(function: Callable[..., Tensor], oracle: Callable[..., Tensor], *arguments: Tensor) -> None:
    for ours, theirs in zip(with_gradients(function, *arguments), with_gradients(oracle, *arguments), strict=True):
        assert ours.isfinite().all()
        size = 1e-6 if ours.dtype == torch.float64 else 1e-5  # float32 itself has 1e-7 of the largest number
        torch.testing.assert_close(ours, theirs, atol=size, rtol=0 if ours.dtype == torch.float64 else size)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_activations(name: str, dtype: torch.dtype) -> None:
    assert WIDE.eq(0).any()  # where the pieces meet
    assert_same(getattr(layers, name), getattr(torch, name), WIDE.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [-1, 0])
def test_softmax(dtype: torch.dtype, dim: int) -> None:
    y = torch.cat([torch.randn(20, 5).double(), torch.tensor([[100.0, -100, 0, 0, 0], [-800, 0, 800, 0, 0]])]).to(dtype)
    assert_same(lambda y: layers.softmax(y, dim), lambda y: torch.softmax(y, dim), y)
    assert_same(lambda y: layers.log_softmax(y, dim), lambda y: torch.log_softmax(y, dim), y)
    torch.testing.assert_close(layers.softmax(y, dim).sum(dim), torch.ones_like(y.sum(dim)), **TOLERANCE)


def test_losses() -> None:
    y, classes = 50 * torch.randn(30, 4).double(), torch.randint(4, (30,))
    assert_same(lambda y: layers.cross_entropy(y, classes), lambda y: F.cross_entropy(y, classes), y)
    truth = torch.arange(len(WIDE)).double() % 2
    for t in (truth, 1 - truth):
        assert_same(
            lambda z, t=t: layers.binary_cross_entropy(z, t),
            lambda z, t=t: F.binary_cross_entropy_with_logits(z, t),
            WIDE,
        )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5), (5,)])
def test_dense_equals_linear(bias: bool, shape: tuple[int, ...]) -> None:
    ours, theirs = Dense(5, 3, bias).double(), nn.Linear(5, 3, bias).double()
    ours.load_state_dict(theirs.state_dict())
    assert_layers_same(ours, theirs, torch.randn(*shape).double())


def test_columns_of_a_dense_layer_are_perceptrons() -> None:
    dense, inputs = Dense(6, 4), torch.randn(9, 6)
    for column in range(4):
        perceptron = Perceptron(6)
        perceptron.load_state_dict(
            {"weight": dense.weight[column : column + 1], "bias": dense.bias[column : column + 1]}
        )
        torch.testing.assert_close(perceptron(inputs), sigmoid(dense(inputs)[:, column]), **TOLERANCE)


def test_a_perceptron_is_its_formula() -> None:
    perceptron = Perceptron(3, layers.tanh)
    perceptron.load_state_dict({"weight": torch.tensor([[0.5, -1.0, 2.0]]), "bias": torch.tensor([0.25])})
    inputs = torch.tensor([[1.0, 2.0, 3.0]])
    assert perceptron.z(inputs).item() == pytest.approx(0.25 + 0.5 - 2.0 + 6.0)
    assert perceptron(inputs).item() == pytest.approx(torch.tanh(torch.tensor(4.75)).item())


@pytest.mark.parametrize("kernel", [1, 3, (2, 5)])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
def test_convolution(kernel: int, stride: int, padding: int) -> None:
    ours, theirs = (kind(3, 4, kernel, stride, padding).double() for kind in (Conv2d, nn.Conv2d))
    ours.load_state_dict(theirs.state_dict())
    assert_layers_same(ours, theirs, torch.randn(2, 3, 9, 8).double())


POOLS = [(2, None, 0), (3, 2, 1), ((2, 3), (1, 2), (1, 0)), (2, 3, 1)]


@pytest.mark.parametrize(("kernel", "stride", "padding"), POOLS)
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [(9, 8), (3, 3), (7, 11)])
@pytest.mark.parametrize("levels", [1000, 3])  # few levels make many ties
def test_pooling(kernel: int, stride: int | None, padding: int, ceil_mode: bool, size: tuple, levels: int) -> None:
    maps = torch.randint(-levels, levels, (2, 3, *size)).double()
    ours, theirs = (kind(kernel, stride, padding, ceil_mode=ceil_mode) for kind in (MaxPool2d, nn.MaxPool2d))
    assert_same(ours, theirs, maps)


def test_pooling_by_hand_keeps_every_option() -> None:
    pool = by_hand(nn.MaxPool2d((2, 3), (2, 1), (1, 0), ceil_mode=True))
    assert isinstance(pool, MaxPool2d)
    assert (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode) == ((2, 3), (2, 1), (1, 0), True)


def assert_layers_same(ours: nn.Module, theirs: nn.Module, inputs: Tensor) -> None:
    """Equal outputs, and equal gradients of the inputs and of every parameter."""
    assert_same(ours, theirs, inputs)
    for module in (ours, theirs):
        module.zero_grad()
        module(inputs).square().sum().backward()
    grads = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert list(grads) == [name for name, _ in ours.named_parameters()]
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, grads[name], **TOLERANCE)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_by_hand(name: str) -> None:
    """All of its convolutions, poolings and dense layers are exchanged, and nothing changes but the speed."""
    theirs = ENCODERS[name]((64, 64, 3), output_size=8).double()
    ours = by_hand(theirs)
    kinds = {type(module).__module__ for module in ours.modules() if list(module.parameters(recurse=False))}
    assert kinds == {"visnav.perception.layers"}
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    for module in (ours, theirs):
        (module(images) * torch.linspace(1, 2, 8)).sum().backward()
    torch.testing.assert_close(ours(images), theirs(images), **TOLERANCE)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine is not other
        torch.testing.assert_close(mine.grad, other.grad, **TOLERANCE)


@pytest.mark.parametrize("encoder", ["nature", "patch"])
def test_a_policy_by_hand_decides_the_same(encoder: str) -> None:
    """The policy that PPO trains, with layers by hand in its place: same logits, values, gradients in its encoder."""
    space = gym.spaces.Box(0, 255, (56, 56, 3), "uint8")
    theirs = ActorCritic(space, gym.spaces.Discrete(7), PolicyConfig(encoder, precision="fp32"))
    ours = by_hand(theirs)
    observation = {"rgb": torch.randint(0, 256, (3, 56, 56, 3), dtype=torch.uint8)}
    found = []
    for policy in (ours, theirs):
        distribution, value, _ = policy(observation)
        (distribution.log_prob(torch.tensor([0, 3, 6])).sum() + value.square().sum()).backward()
        grads = [parameter.grad for parameter in policy.sensors.parameters()]
        found.append([distribution.log_prob(torch.tensor([1, 2, 3])), value, *grads])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


def test_what_is_not_written_out_is_refused() -> None:
    with pytest.raises(ValueError, match="groups, dilation and padding by name"):
        by_hand(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)))
    with pytest.raises(ValueError, match="dilation is not written out"):
        by_hand(nn.MaxPool2d(2, dilation=2))
    with pytest.raises(
        ValueError, match=r"maps of \(2, 9\) with padding \(0, 0\) are smaller than a patch of \(3, 3\)"
    ):
        Conv2d(1, 1, 3)(torch.zeros(1, 1, 2, 9))
