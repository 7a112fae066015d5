"""03 Digits: a convolutional network, its feature maps, and class probabilities that mean what they say.

    python experiments/03_digits.py --seed 1

The 1,797 handwritten digits of scikit-learn, 8×8 pixels each. The network is an encoder, convolution and pooling twice,
as it is in `visnav.perception.encoders`, and one linear layer whose ten numbers softmax turns into probabilities. The
training digits are turned, sheared, scaled and moved a little each time they are shown.

Five folds: every digit is judged once, by networks that saw none of its fold. They are three, whose probabilities are
averaged; each has 15 % of the rest, others every time, for its validation set.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
import tyro
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from visnav.experiments.story import BLUE, GREY, RED, Row, StoryConfig, draw_curves, new_figure, print_table, save
from visnav.perception.encoders import SmallCNN
from visnav.perception.layers import cross_entropy, softmax
from visnav.perception.mlp import Batch, Fit, FitConfig, fit

CLASSES, FOLDS, MEMBERS, BINS, BATCH = 10, 5, 3, 15, 64
VALIDATION = 0.15  # of the digits that are not judged


@dataclass(frozen=True)
class Judged:
    """What networks say of every digit, each from the folds that it is not in."""

    probabilities: Tensor
    """(1797, 10) float32."""
    digits: Tensor
    """(1797,) int64, the truth."""
    fits: list[Fit]
    encoder: SmallCNN
    """Of the last network."""

    def accuracy(self) -> float:
        """Share of the digits whose probability is the greatest."""
        return float(multiclass_accuracy(self.probabilities, self.digits, CLASSES, average="micro"))

    def calibration_error(self) -> float:
        """ECE: the mean gap, over 15 bins of confidence, between confidence and accuracy (Guo et al. 2017)."""
        return float(multiclass_calibration_error(self.probabilities, self.digits, CLASSES, BINS))


def load() -> tuple[Tensor, Tensor]:
    """Images (1797, 8, 8, 1) uint8, and the digits (1797,) int64."""
    images, digits = load_digits(return_X_y=True)
    grey = torch.from_numpy(images).mul(255 / 16).round().to(torch.uint8)
    return grey.view(-1, 8, 8, 1), torch.from_numpy(digits)


def varied(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (B, 8, 8, 1) uint8, each turned (10°), sheared and scaled (10 %), moved (half a pixel), or less."""

    def some(most: float) -> Tensor:
        return most * (2 * torch.rand(len(images), generator=generator) - 1)

    angle = some(0.17)
    rows = (
        torch.stack([angle.cos() * (1 + some(0.1)), some(0.1) - angle.sin(), some(0.12)], 1),
        torch.stack([angle.sin(), angle.cos() * (1 + some(0.1)), some(0.12)], 1),
    )
    maps = images.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(torch.stack(rows, 1), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, align_corners=False).round().to(torch.uint8).permute(0, 2, 3, 1)


def batches(images: Tensor, digits: Tensor, seed: int) -> Iterator[Batch]:
    """Endless batches of varied digits."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randint(len(images), (BATCH,), generator=generator)
        yield varied(images[rows], generator), digits[rows]


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of images and digits."""
    return cross_entropy(model(batch[0]), batch[1])


def judge(seed: int) -> Judged:
    """Three networks for each of five folds."""
    images, digits = load()
    probabilities, fits = torch.zeros(len(images), CLASSES), []
    for number, (rest, judged) in enumerate(
        StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(images, digits)
    ):
        parts = StratifiedShuffleSplit(MEMBERS, test_size=VALIDATION, random_state=seed).split(rest, digits[rest])
        for member, (learn, validate) in enumerate(parts):
            own = seed * MEMBERS + member
            torch.manual_seed(own)
            encoder = SmallCNN((8, 8, 1), channels=(32, 64))
            model = nn.Sequential(encoder, nn.Linear(encoder.output_size, CLASSES))
            config = FitConfig(40, epoch_batches=len(learn) // BATCH, learning_rate=0.004, seed=own)
            source = batches(images[rest[learn]], digits[rest[learn]], own)
            held_out = (images[rest[validate]], digits[rest[validate]])
            fits.append(fit(model, loss, source, held_out, config, progress=f"fold {number + 1}"))
            with torch.no_grad():
                probabilities[judged] += softmax(model(images[judged])) / MEMBERS
    return Judged(probabilities, digits, fits, encoder)


def reliability(entry: Judged) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and number of the digits in each of 10 equal bins of confidence that holds any."""
    confidence, named = entry.probabilities.max(1)
    right = (named == entry.digits).double()
    places = (confidence * 10).long().clamp(max=9)
    inside = [places == place for place in range(10)]
    return [(float(confidence[b].mean()), float(right[b].mean()), int(b.sum())) for b in inside if b.any()]


def draw(entry: Judged, config: StoryConfig) -> None:
    """Curves, reliability diagram, and the first maps of a digit beside the pixels."""
    figure = new_figure(9, 4.4)
    grid = figure.add_gridspec(2, 20, height_ratios=(3, 1))
    curves, diagram = figure.add_subplot(grid[0, :10]), figure.add_subplot(grid[0, 10:])
    draw_curves(curves, entry.fits[0], BLUE)
    curves.set(title="one of the networks (dot: weights kept)", ylim=(0, 0.6))
    curves.legend()
    bins = reliability(entry)
    diagram.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1)
    diagram.plot([b[0] for b in bins], [b[1] for b in bins], color=RED, lw=1)
    diagram.scatter([b[0] for b in bins], [b[1] for b in bins], [12 + b[2] ** 0.5 * 3 for b in bins], color=RED)
    for confidence, accuracy, count in bins:
        diagram.annotate(f"{count:,}", (confidence, accuracy), (6, -10), textcoords="offset points", color=GREY)
    diagram.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.15), ylim=(-0.05, 1.1))
    diagram.set_title(f"reliability, ECE {entry.calibration_error():.3f} (beside a point: how many digits)")
    images, digits = load()
    image = images[digits == 3][:1]
    with torch.no_grad():
        maps = entry.encoder.maps[:2](image)[0]  # after the first convolution and its ReLU
    strongest = maps.flatten(1).std(1).argsort(descending=True)[:9]
    panels = [figure.add_subplot(grid[1, 2 * i : 2 * i + 2]) for i in range(10)]
    for panel, picture in zip(panels, [image[0, :, :, 0], *maps[strongest]], strict=True):
        panel.imshow(picture, cmap="gray" if picture.dtype == torch.uint8 else "BuGn")
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    panels[0].set_title("pixels")
    panels[5].set_title("feature maps of the first convolution")
    save(figure, config.figure_of(__file__))


def main(argv: list[str] | None = None) -> int:
    """Measure, print and draw; returns 0."""
    config = tyro.cli(StoryConfig, description=__doc__, args=argv)
    entry = judge(config.seed)
    rows = [
        Row("accuracy", entry.accuracy(), 0.985, anchor="MLP(64) 0.973, RBF-SVC 0.987"),
        Row("ECE (15 bins)", entry.calibration_error(), most=0.03),
        Row("greatest |sum of a row − 1|", float((entry.probabilities.sum(1) - 1).abs().max()), most=1e-5),
    ]
    print_table("Digits, five folds", rows)
    draw(entry, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
