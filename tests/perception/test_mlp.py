"""`fit` learns, stops early, keeps its best weights, and refuses what it cannot learn from."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from visnav.perception.layers import identity, tanh
from visnav.perception.mlp import MLP, Batch, FitConfig, fit


def squared_error(model: nn.Module, batch: Batch) -> Tensor:
    inputs, targets = batch
    return (model(inputs) - targets).square().mean()


def line(seed: int, count: int, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Points of y = 1 + 2 x₁ − 3 x₂."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 2, generator=generator)
    return x, 1 + x @ torch.tensor([[2.0], [-3.0]]) + noise * torch.randn(count, 1, generator=generator)


def test_the_minimum_is_found_from_arrays_and_from_an_endless_source() -> None:
    def source() -> Iterator[Batch]:
        for seed in itertools.count():
            yield line(seed, 32)

    for train in (line(0, 320), source()):
        model = nn.Linear(2, 1)
        result = fit(model, squared_error, train, line(-1, 50), FitConfig(60, epoch_batches=10, learning_rate=0.1))
        torch.testing.assert_close(model.weight, torch.tensor([[2.0, -3.0]]), atol=1e-3, rtol=0)
        assert result.curves["train"][0] > 1
        assert result.curves["validation"][result.best] < 1e-5
        assert not model.training


def test_every_example_is_seen_once_an_epoch_in_an_order_of_the_seed() -> None:
    orders = []
    for seed in (0, 0, 1):
        seen: list[Tensor] = []

        def loss(model: nn.Module, batch: Batch, seen: list[Tensor] = seen) -> Tensor:
            if model.training:
                seen.append(batch[1][:, 0])
            return squared_error(model, batch)

        data = (torch.zeros(10, 2), torch.arange(10.0)[:, None])
        fit(nn.Linear(2, 1), loss, data, data, FitConfig(2, 4, seed=seed))
        assert [len(rows) for rows in seen] == [4, 4, 2] * 2
        first, second = torch.cat(seen).split(10)
        assert not torch.equal(first, second)
        assert torch.equal(first.sort()[0], data[1][:, 0])
        orders.append(first)
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_losses_are_means_over_examples_not_over_batches() -> None:
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    model.requires_grad_(False)
    model.bias.requires_grad_(True)
    data = (torch.zeros(5, 1), torch.tensor([[0.0], [0.0], [0.0], [0.0], [10.0]]))
    result = fit(model, squared_error, data, data, FitConfig(1, 4, learning_rate=1e-12))
    assert result.curves == {"train": [pytest.approx(20)], "validation": [pytest.approx(20)]}


def test_the_fit_stops_when_validation_no_longer_gains_and_keeps_the_best_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 1))
    held_out = line(1, 200, noise=2.0)
    config = FitConfig(200, 5, learning_rate=0.02, patience=7)
    result = fit(model, squared_error, line(0, 20, noise=2.0), held_out, config)
    validation = result.curves["validation"]
    assert len(validation) == result.best + 1 + 7 < 200
    assert validation[result.best] == min(validation)
    assert squared_error(model, held_out).item() == pytest.approx(min(validation))
    assert validation[-1] > min(validation)


def test_a_metric_can_be_what_is_watched() -> None:
    scores = iter([0.1, 0.5, 0.3, 0.2, 0.9])
    kept: list[Tensor] = []

    def score(model: nn.Module) -> float:
        assert not model.training
        assert not torch.is_grad_enabled()
        kept.append(model.weight.clone())
        return next(scores)

    model = nn.Linear(2, 1)
    config = FitConfig(100, patience=2, watch="score")
    result = fit(model, squared_error, line(0, 64), line(1, 9), config, {"score": score})
    assert result.curves["score"] == [0.1, 0.5, 0.3, 0.2]
    assert result.best == 1
    assert torch.equal(model.weight, kept[1])


def test_the_same_seed_gives_the_same_weights_with_dropout_and_leaves_the_global_generator_alone() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        before = torch.get_rng_state()
        fit(model, squared_error, line(0, 64), line(1, 9), FitConfig(3))
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(3)
        weights.append(model[0].weight.clone())
    assert torch.equal(*weights)


def test_bad_input_is_refused() -> None:
    model, data = nn.Linear(2, 1), line(0, 8)
    with pytest.raises(ValueError, match=r"cannot watch 'recall'; choose one of loss, precision"):
        fit(model, squared_error, data, data, FitConfig(watch="recall"), {"precision": lambda model: 0.0})
    with pytest.raises(ValueError, match=r"tensors of \[8, 7\] rows"):
        fit(model, squared_error, (data[0], data[1][:7]), data)
    with pytest.raises(ValueError, match=r"tensors of \[0, 0\] rows"):
        fit(model, squared_error, data, line(0, 0))
    with pytest.raises(ValueError, match="no batches to validate on"):
        fit(model, squared_error, data, [])
    with pytest.raises(ValueError, match="has ended"):
        fit(model, squared_error, [data], data)
    with pytest.raises(ValueError, match="patience must be 1 or more, got 0"):
        FitConfig(patience=0)
    with pytest.raises(FloatingPointError, match="the train loss is nan in epoch 1"):
        fit(model, squared_error, (data[0] * float("nan"), data[1]), data)


def test_a_deep_network_equals_a_sequential_one() -> None:
    ours = MLP((5, 16, 8, 3), tanh).double()
    theirs = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    inputs = torch.randn(11, 5).double()
    for model in (ours, theirs):
        model(inputs).square().sum().backward()
    torch.testing.assert_close(ours(inputs), theirs(inputs), atol=1e-6, rtol=0)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-6, rtol=0)


def test_without_an_activation_a_deep_network_is_one_linear_map() -> None:
    network = MLP((4, 9, 7, 2), identity).double()
    x, y, nothing = torch.randn(6, 4).double(), torch.randn(6, 4).double(), torch.zeros(6, 4).double()
    torch.testing.assert_close(network(x + y) - network(nothing), network(x) + network(y) - 2 * network(nothing))


def test_a_network_has_two_sizes_at_least() -> None:
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        MLP((3,))
