"""02 Breast cancer: two classes, training and validation sets, and figures that hold on patients not seen before.

    python experiments/02_breast_cancer.py --seed 1

The Wisconsin data of scikit-learn: 569 tumours, 212 of them malignant, each with 30 numbers that a person measured in
a picture of a fine needle's sample. The data are a table: this is no screening of mammograms, for which no data set can
be installed.

Five folds: every tumour is judged once, by networks that saw none of its fold. Within the rest, five networks learn,
each with another fifth as validation set, which stops it and chooses its weights; the mean of their z decides. The mean
of five perceptrons is a perceptron again.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_auroc,
    binary_roc,
    binary_sensitivity_at_specificity,
)

from visnav.experiments.story import BLUE, GREY, RED, Row, StoryConfig, draw_curves, new_figure, print_table, save
from visnav.perception.layers import Perceptron, binary_cross_entropy, sigmoid, tanh
from visnav.perception.mlp import MLP, Batch, Fit, FitConfig, fit

FOLDS = 5  # of the tumours, and of what the networks learn from
SPECIFICITY = 0.95
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": lambda: Perceptron(30),
    "MLP, 16 hidden": lambda: MLP((30, 16, 1), tanh),
}
ROWS = {  # network, figure: least, greatest, and scikit-learn's
    ("perceptron", "accuracy"): (0.96, None, "Perceptron 0.967, logistic regression 0.979"),
    ("perceptron", "AUC"): (0.99, None, "logistic regression 0.9955"),
    ("perceptron", "sensitivity"): (),
    ("MLP, 16 hidden", "accuracy"): (0.975, None, "MLPClassifier 0.982"),
    ("MLP, 16 hidden", "AUC"): (0.993, None, "MLPClassifier 0.9947"),
    ("MLP, 16 hidden", "sensitivity"): (),
}


@dataclass(frozen=True)
class Judged:
    """What the networks of one kind say of every tumour, each from the folds that it is not in."""

    z: Tensor
    """(569,) float32; malignant where above 0."""
    malignant: Tensor
    """(569,) int64, the truth."""
    fold: np.ndarray
    """(569,) in which fold a tumour is."""
    fits: list[Fit]
    """Of every network."""

    def figures(self) -> dict[str, float]:
        """Mean accuracy and AUC of the folds; sensitivity at 95 % specificity, a point of the curve of all tumours."""
        folds = [torch.from_numpy(self.fold == number) for number in range(FOLDS)]
        probability = sigmoid(self.z)
        sensitivity, _ = binary_sensitivity_at_specificity(probability, self.malignant, SPECIFICITY)
        return {
            name: float(np.mean([metric(probability[rows], self.malignant[rows]) for rows in folds]))
            for name, metric in (("accuracy", binary_accuracy), ("AUC", binary_auroc))
        } | {"sensitivity": float(sensitivity)}


def decision(model: nn.Module, inputs: Tensor) -> Tensor:
    """z (B,) of tumours (B, 30)."""
    return model.z(inputs) if isinstance(model, Perceptron) else model(inputs)[:, 0]


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Binary cross-entropy of tumours and whether they are malignant."""
    return binary_cross_entropy(decision(model, batch[0]), batch[1])


def judge(name: str, seed: int) -> Judged:
    """Five folds of five networks."""
    numbers, benign = load_breast_cancer(return_X_y=True)
    malignant = 1 - benign
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split
    z, fold, fits = torch.zeros(len(numbers)), np.zeros(len(numbers), int), []
    for number, (rest, judged) in enumerate(split(numbers, malignant)):
        fold[judged] = number
        for member, (learn, validate) in enumerate(split(rest, malignant[rest])):
            mean, deviation = numbers[rest[learn]].mean(0), numbers[rest[learn]].std(0)
            inputs = torch.tensor((numbers - mean) / deviation, dtype=torch.float32)
            data = [(inputs[rows], torch.from_numpy(malignant[rows]).float()) for rows in (rest[learn], rest[validate])]
            torch.manual_seed(seed * FOLDS + member)
            model = NETWORKS[name]()
            config = FitConfig(40, learning_rate=0.005, weight_decay=1.0, seed=seed * FOLDS + member)
            fits.append(fit(model, loss, *data, config, progress=f"{name}, fold {number + 1}"))
            with torch.no_grad():
                z[judged] += decision(model, inputs[judged]) / FOLDS
    return Judged(z, torch.from_numpy(malignant), fold, fits)


def draw(judged: dict[str, Judged], config: StoryConfig) -> None:
    """Left: losses of the first network of each kind. Right: sensitivity against false alarms."""
    figure = new_figure(8, 3.4)
    curves, roc = figure.subplots(1, 2)
    for (name, entry), color in zip(judged.items(), (BLUE, RED), strict=True):
        draw_curves(curves, entry.fits[0], color, f"{name},")
        false, true, _ = binary_roc(sigmoid(entry.z), entry.malignant)
        roc.plot(false, true, color=color, label=f"{name}, AUC {entry.figures()['AUC']:.4f}")
    curves.set(ylim=(0, 0.4), title="one network of each kind (dot: weights kept)")
    curves.legend()
    roc.axvline(1 - SPECIFICITY, color=GREY, lw=1, ls=":", label="95 % specificity")
    roc.set(xlim=(0, 0.3), ylim=(0.7, 1.005), title="569 tumours, none seen before it is judged")
    roc.set(xlabel="false alarms, share of the benign", ylabel="found, share of the malignant")
    roc.legend(loc="lower right")
    save(figure, config.figure_of(__file__))


def main(argv: list[str] | None = None) -> int:
    """Measure, print and draw; returns 0."""
    config = tyro.cli(StoryConfig, description=__doc__, args=argv)
    judged = {name: judge(name, config.seed) for name in NETWORKS}
    figures = {name: entry.figures() for name, entry in judged.items()}
    print_table(
        "Wisconsin breast cancer (a table of measurements, not screening), five folds",
        [
            Row(f"{name}: {figure}{' at 95 % specificity' if figure == 'sensitivity' else ''}", value, *limits)
            for (name, figure), limits in ROWS.items()
            for value in (figures[name][figure],)
        ],
    )
    draw(judged, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
