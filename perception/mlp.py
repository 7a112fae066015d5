"""Multi-layer networks, and the one `fit` that every network of the story learns by."""

import contextlib
import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rich.console
import rich.progress
import torch
from torch import Tensor, nn

from visnav.perception.layers import Activation, Apply, Dense, relu

Batch = tuple[Any, ...]
"""Inputs first, then what belongs to them; `len(batch[0])` examples."""
Loss = Callable[[nn.Module, Batch], Tensor]
"""The mean loss of a model on a batch, a number that autograd can follow."""
Metric = Callable[[nn.Module], float]
"""A figure of merit of a model, on data of its own; the greater the better."""


class MLP(nn.Sequential):
    """Dense layers, one after another, with an activation between them; state dict as nn.Sequential's of nn.Linear.

    z⁽ᵏ⁾ᵢ = w₀ᵢ⁽ᵏ⁾ + Σⱼ g(z⁽ᵏ⁻¹⁾ⱼ) wⱼᵢ⁽ᵏ⁾. The outputs are the last z, (B, sizes[-1]), of inputs (B, sizes[0]): a loss
    or `softmax` says what they mean.

    Args:
        sizes: of the inputs, of every hidden layer, and of the outputs.
        activation: g of the hidden layers.

    Raises:
        ValueError: fewer than two sizes.
    """

    def __init__(self, sizes: Sequence[int], activation: Activation = relu) -> None:
        if len(sizes) < 2:
            raise ValueError(f"sizes are those of the inputs, the hidden layers and the outputs; got {tuple(sizes)}")
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [Dense(inputs, outputs), Apply(activation)]
        super().__init__(*layers[:-1])


@dataclass(frozen=True)
class FitConfig:
    """How a network learns."""

    epochs: int = 100
    """At most; an epoch is all of the training data once, or `epoch_batches` of an endless source."""
    batch_size: int = 32
    """Examples of a minibatch; an endless source brings its own."""
    epoch_batches: int = 100
    """Batches of an endless source that make an epoch."""
    learning_rate: float = 1e-3
    """Of Adam in the first epoch; it falls along half a cosine to 0 after the last."""
    weight_decay: float = 0.0
    """Decoupled, as in AdamW (Loshchilov and Hutter 2019)."""
    patience: int = 20
    """Epochs without a better validation before the fit stops."""
    watch: str = "loss"
    """What is to become better: `loss`, on the validation data, or the name of a metric."""
    seed: int = 0
    """Of the minibatches' order and of whatever the model draws (dropout)."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "epoch_batches", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be greater than 0, got {self.learning_rate}")


@dataclass(frozen=True)
class Fit:
    """What a fit leaves behind besides the model's weights."""

    curves: dict[str, list[float]]
    """An entry an epoch: `train` and `validation` (mean losses), then every metric by its name."""
    best: int
    """Index of the epoch whose weights the model has now."""


def fit(
    model: nn.Module,
    loss: Loss,
    train: tuple[Tensor, ...] | Iterable[Batch],
    validation: tuple[Tensor, ...] | Sequence[Batch],
    config: FitConfig | None = None,
    metrics: Mapping[str, Metric] | None = None,
    progress: str | None = None,
) -> Fit:
    """Minimise a loss with Adam; stop early, and leave the model with the weights of its best epoch, in `eval` mode.

    Args:
        model: what learns, in place.
        loss: (model, batch) to the batch's mean loss.
        train: a tuple of tensors with one row an example, or an endless source of batches.
        validation: a tuple of tensors, or a list of batches. What it says decides when to stop and which weights
            stay, so a figure to be reported needs data of its own.
        config: FitConfig() when None.
        metrics: name to a function of the model, called after every epoch in `eval` mode without gradients.
        progress: what to write beside the progress bar; None for no bar.

    Raises:
        ValueError: tensors of unequal or no length, a source that ends, an unknown name to watch.
        FloatingPointError: the loss is no longer finite.
    """
    config, metrics = config or FitConfig(), dict(metrics or {})
    if config.watch not in ("loss", *metrics):
        raise ValueError(f"cannot watch {config.watch!r}; choose one of {', '.join(('loss', *metrics))}")
    batches = _epochs(train, config)
    if isinstance(validation, tuple):
        _check_rows(validation)
        validation = list(_chunks(validation, config.batch_size))
    elif not validation:
        raise ValueError("no batches to validate on; give a tuple of tensors or a list of batches")
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    curves: dict[str, list[float]] = {name: [] for name in ("train", "validation", *metrics)}
    best, best_weights, best_score = 0, copy.deepcopy(model.state_dict()), -math.inf
    with _bar(progress, config.epochs) as advance, torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        for epoch in range(config.epochs):
            row = {"train": _learn(model.train(), loss, next(batches), optimizer)}
            schedule.step()
            model.eval()
            with torch.no_grad():
                row["validation"] = _mean((loss(model, batch), len(batch[0])) for batch in validation)
                row |= {name: float(metric(model)) for name, metric in metrics.items()}
            _check_finite(row, epoch)
            for name, value in row.items():
                curves[name].append(value)
            score = -row["validation"] if config.watch == "loss" else row[config.watch]
            if score > best_score:
                best, best_weights, best_score = epoch, copy.deepcopy(model.state_dict()), score
            advance(row)
            if epoch - best >= config.patience:
                break
    model.load_state_dict(best_weights)
    model.eval()
    return Fit(curves, best)


def _learn(model: nn.Module, loss: Loss, batches: Iterable[Batch], optimizer: torch.optim.Optimizer) -> float:
    """One epoch; its mean loss, each batch's as it was before the step that it led to."""

    def losses() -> Iterator[tuple[Tensor, int]]:
        for batch in batches:
            value = loss(model, batch)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            yield value.detach(), len(batch[0])

    return _mean(losses())


def _mean(losses: Iterable[tuple[Tensor, int]]) -> float:
    """The mean over examples of pairs (mean loss of a batch, its examples)."""
    values, counts = zip(*losses, strict=True)
    weights = torch.tensor(counts, dtype=torch.float64)
    return float((torch.stack(values).double().cpu() * weights).sum() / weights.sum())


def _check_finite(row: dict[str, float], epoch: int) -> None:
    for name in ("train", "validation"):
        if not math.isfinite(row[name]):
            raise FloatingPointError(
                f"the {name} loss is {row[name]} in epoch {epoch + 1}; lower the learning rate, or look for "
                "values in the data that are not finite or not scaled"
            )


def _epochs(source: tuple[Tensor, ...] | Iterable[Batch], config: FitConfig) -> Iterator[Iterator[Batch]]:
    """An iterator of batches for every epoch."""
    if isinstance(source, tuple):
        _check_rows(source)
        return _shuffled(source, config)
    return _counted(iter(source), config.epoch_batches)


def _shuffled(tensors: tuple[Tensor, ...], config: FitConfig) -> Iterator[Iterator[Batch]]:
    generator = torch.Generator().manual_seed(config.seed)
    while True:
        order = torch.randperm(len(tensors[0]), generator=generator).to(tensors[0].device)
        yield _chunks(tensors, config.batch_size, order)


def _counted(batches: Iterator[Batch], count: int) -> Iterator[Iterator[Batch]]:
    while True:
        taken = itertools.islice(batches, count)
        first = next(taken, None)
        if first is None:
            raise ValueError("the source of batches has ended; give an endless one, or a tuple of tensors")
        yield itertools.chain([first], taken)


def _chunks(tensors: tuple[Tensor, ...], size: int, order: Tensor | None = None) -> Iterator[Batch]:
    """Rows in turn, or as `order` says, `size` at a time; the last batch may be smaller."""
    rows = torch.arange(len(tensors[0]), device=tensors[0].device) if order is None else order
    for some in rows.split(size):
        yield tuple(tensor[some] for tensor in tensors)


def _check_rows(tensors: tuple[Tensor, ...]) -> None:
    lengths = [len(tensor) for tensor in tensors]
    if not lengths or len(set(lengths)) > 1 or lengths[0] == 0:
        raise ValueError(f"a tuple of tensors has one row an example in each; got tensors of {lengths} rows")


@contextlib.contextmanager
def _bar(description: str | None, epochs: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """A progress bar on a terminal, which goes when the fit ends; yields what moves it on by an epoch."""
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TextColumn("epoch {task.completed:.0f} of at most {task.total:.0f}  {task.fields[figures]}"),
        rich.progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=description is None or not console.is_terminal,
    ) as progress:
        task = progress.add_task(description or "", total=epochs, figures="")
        yield lambda row: progress.update(
            task, advance=1, figures="  ".join(f"{name} {value:.4f}" for name, value in row.items())
        )
