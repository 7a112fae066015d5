"""05 Segment: the class of every pixel, by a fully convolutional network, for pictures of any size.

    python experiments/05_segment_worlds.py --start runs/detect     (goes on from the encoders that 04 has kept)
    python experiments/05_segment_worlds.py --save runs/segment     (keeps the networks, for `visnav train --encoder`)

The same pictures, and the same pyramid of convolutions as in 04: down to an eighth of the picture's height, where it
sees what is there, and up again, where it tells exactly at which pixels. It learns from pictures of three sizes and is
judged in unseen layouts, textures and colours, at 64×64 and at a size that it has not met. Beside it: colour alone.

Doors are one class, open or closed. Classes that fill less than 1 in 5,000 of the judged pixels are not judged.
"""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from torch import Tensor
from torch.nn import functional
from torchmetrics.classification import MulticlassJaccardIndex

from visnav.agents.policy import uses_bfloat16
from visnav.experiments.labelling import FAMILIES, Family, Worlds
from visnav.experiments.seeing import keep
from visnav.experiments.story import GREY, Row, StoryConfig, new_figure, print_table, save
from visnav.perception.colour import ColourThreshold, PixelRegression
from visnav.perception.encoders import Pyramid
from visnav.perception.heads import Segmenter
from visnav.perception.labels import Labelled, Variation, gathered, labelled_batches
from visnav.perception.mlp import FitConfig, fit
from visnav.perception.saved import load_maps

JUDGED = 1500  # pictures
SIZES = ((64, 64), (64, 64), (40, 80), (80, 56))  # pixels, of the pictures that it learns from in turn
OTHER_SIZE = (48, 96)  # of pictures that it is judged by, and did not learn from
EXAMPLES = 1000  # pictures that the baselines are fitted to
GENTLE = Variation(brightness=0.06, contrast=0.15, cast=0.06, noise=0.02, blur=0.1)  # colours still tell something
LEAST_SHARE = 2e-4  # of the judged pixels; classes that show less are not judged
NEEDED, AHEAD = 0.9, 0.15  # mIoU, and by how much the baselines are beaten


@dataclass(frozen=True)
class SegmentConfig(StoryConfig):
    """Segmentation."""

    minibatches: int = 6000
    """That each network learns from."""
    batch_size: int = 32
    """Pictures of a minibatch."""
    start: Path | None = None
    """Where 04 has kept its networks (`--save`): their encoders go on learning. Fresh ones when None."""
    save: Path | None = None
    """Where the networks are kept; nowhere when None."""


@dataclass(frozen=True)
class Learned:
    """A network that was fitted to one family of worlds, and intersection over union by class on unseen ones."""

    network: Segmenter
    judged: Labelled
    predicted: Tensor
    scores: dict[str, np.ndarray]
    """By method: (classes,), NaN where a class is hardly to be seen."""


def loss(model: torch.nn.Module, batch: Any) -> Tensor:
    """Cross-entropy of every pixel, and 1 - Dice's coefficient of every class that is to be seen, both in the mean.

    Pixels are mostly walls, floors and sky; to Dice's coefficient 2 |A ∩ B| / (|A| + |B|), of predicted and true
    pixels, each class counts alike, as it does to mIoU (Milletari et al. 2016, arXiv:1606.04797).
    """
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16("auto")):
        logits = model(batch.images)
    truth = batch.semantic.long()
    logits = logits.float()
    true = functional.one_hot(truth, logits.shape[1]).movedim(-1, 1).float()
    shares = logits.softmax(1)
    both, total = (shares * true).sum((0, 2, 3)), (shares + true).sum((0, 2, 3))
    seen = true.sum((0, 2, 3)) > 0
    return functional.cross_entropy(logits, truth) + 1 - (2 * both[seen] / total[seen]).mean()


@torch.no_grad()
def segment(network: Segmenter, images: Tensor) -> Tensor:
    """(B, H, W) uint8 predicted classes."""
    return torch.cat([network(some).argmax(1).to(torch.uint8) for some in images.split(50)])


def overlaps(predicted: Any, truth: Tensor, classes: int) -> np.ndarray:
    """Intersection over union (classes,) over all pixels; NaN of classes that show less than LEAST_SHARE."""
    index = MulticlassJaccardIndex(classes, average="none")
    for some, true in zip(torch.as_tensor(predicted).split(100), truth.split(100), strict=True):
        index.update(some, true)
    share = np.bincount(truth.flatten().numpy(), minlength=classes) / truth.numel()
    return np.where(share >= LEAST_SHARE, index.compute().numpy(), np.nan)


def surfaces_of(family: Family, batch: Labelled) -> Labelled:
    """The batch with the family's `surfaces` as classes of its pixels."""
    table = torch.tensor(family.surface_of_class(), dtype=torch.uint8)
    return batch._replace(semantic=table[batch.semantic.long()])


def of_size(family: Family, size: tuple[int, int]) -> dict[str, Any]:
    """Keywords of a camera that shows so many pixels, (height, width), at the scale of 64 × 64."""
    half = np.radians(family.camera["field_of_view"]) / 2
    return {"image_size": size, "field_of_view": float(2 * np.degrees(np.arctan(np.tan(half) * size[1] / 64)))}


def learn(name: str, config: SegmentConfig) -> Learned:
    """Fit a network to a family of worlds, and judge it and the baselines."""
    family = FAMILIES[name]
    classes = len(family.surfaces)

    def pictures(part: str, images: int, seed: int, **keywords: Any) -> Labelled:
        worlds = Worlds(family, part, 96, 10 * config.seed + seed, steps=20, **keywords)
        return surfaces_of(family, gathered(worlds, images))

    torch.manual_seed(config.seed)
    network = Segmenter(Pyramid((64, 64, 3), pool=True), classes)
    if config.start:
        load_maps(config.start / name, network.encoder)
    sources = [
        labelled_batches(
            Worlds(family, "train", config.batch_size, 10 * config.seed + 5 + number, **of_size(family, size)),
            GENTLE,
            10 * config.seed + number,
        )
        for number, size in enumerate(SIZES)
    ]
    epochs = min(20, config.minibatches)
    fit(
        network,
        loss,
        (surfaces_of(family, next(source)) for source in itertools.cycle(sources)),
        [pictures("train", 192, 1)],
        FitConfig(epochs, config.batch_size, config.minibatches // epochs, 4e-3, patience=epochs, seed=config.seed),
        progress=f"segment, {name}",
    )
    example, judged, other = (
        pictures("train", EXAMPLES, 2),
        pictures("test", JUDGED, 3),
        pictures("test", JUDGED // 4, 4, **of_size(family, OTHER_SIZE)),
    )  # fmt: skip
    images, semantic, unseen = example.images.numpy(), example.semantic.numpy(), judged.images.numpy()
    by_colour, by_pixel = (
        ColourThreshold(images, semantic, classes),
        PixelRegression(images, semantic, seed=config.seed),
    )
    predicted = segment(network, judged.images)
    scores = {
        "network": overlaps(predicted, judged.semantic, classes),
        "another size": overlaps(segment(network, other.images), other.semantic, classes),
        "colour": overlaps(by_colour.segment(unseen), judged.semantic, classes),
        "logistic": overlaps(by_pixel.segment(unseen), judged.semantic, classes),
    }
    return Learned(network, judged, predicted, scores)


def rows_of(name: str, learned: Learned) -> list[Row]:
    """IoU of each class and their mean beside the baselines'."""

    def anchor(values: dict[str, float]) -> str:
        return f"logistic {values['logistic']:.3f}, colour {values['colour']:.3f}"

    means = {method: float(np.nanmean(values)) for method, values in learned.scores.items()}
    least = max(NEEDED, max(means["logistic"], means["colour"]) + AHEAD)
    rows = [
        Row(
            f"{name}: {title}, IoU",
            learned.scores["network"][label],
            anchor=anchor({method: values[label] for method, values in learned.scores.items()}),
        )
        for label, title in enumerate(FAMILIES[name].surfaces)
        if np.isfinite(learned.scores["network"][label])
    ]
    size = "×".join(map(str, OTHER_SIZE))
    rows.append(Row(f"{name}: mIoU", means["network"], round(least, 3), anchor=anchor(means)))
    rows.append(Row(f"{name}: mIoU of pictures of {size}", means["another size"]))
    return rows


def colours_of(name: str) -> ListedColormap:
    """A colour for each class of a family."""
    shades = {
        "grid": ["#dfe3ea", "#8d99ae", "#4a5568", "#f4a261", "#e9c46a", "#d1495b", "#2f6690", "#2a9d6f", "#7b2d26"],
        "roads": ["#cfe2f3", "#2a9d6f", "#4a5568", "#8d99ae", "#ffffff", "#e9c46a", "#d1495b", "#2f6690", "#f4a261"],
    }  # fmt: skip
    return ListedColormap(shades[name])


def draw(learned: dict[str, Learned], config: SegmentConfig) -> None:
    """Unseen pictures, their true classes, and the predicted ones: of each family, those with most classes."""
    columns = 6
    figure = new_figure(9, 5.3 * len(learned))
    parts = figure.subfigures(len(learned), 1, squeeze=False)[:, 0]
    for part, (name, entry) in zip(parts, learned.items(), strict=True):
        colours, names = colours_of(name), FAMILIES[name].surfaces
        variety = torch.stack([(entry.judged.semantic == k).flatten(1).sum(1) > 40 for k in range(len(names))]).sum(0)
        order = torch.argsort(variety, descending=True, stable=True)[: 4 * columns : 4].tolist()
        panels = part.subplots(3, columns)
        for column, image in enumerate(order):
            panels[0, column].imshow(entry.judged.images[image].numpy(), interpolation="nearest")
            for row, mask in ((1, entry.judged.semantic[image].numpy()), (2, entry.predicted[image].numpy())):
                panels[row, column].imshow(
                    mask, cmap=colours, vmin=-0.5, vmax=len(names) - 0.5, interpolation="nearest"
                )
        for panel in panels.flat:
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_color(GREY)
        for row, title in enumerate(("picture", "true", "predicted")):
            panels[row, 0].set_ylabel(title)
        shown = np.unique(torch.cat([entry.judged.semantic[order], entry.predicted[order]]).numpy())
        handles = [Patch(facecolor=colours(k), edgecolor=GREY, label=names[k]) for k in shown.tolist()]
        part.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7.5, handlelength=1.2)
    save(figure, config.figure_of(__file__))


def main(argv: list[str] | None = None) -> int:
    """Learn, print and draw; returns 0."""
    config = tyro.cli(SegmentConfig, description=__doc__, args=argv)
    learned = {name: learn(name, config) for name in FAMILIES}
    rows = [row for name, entry in learned.items() for row in rows_of(name, entry)]
    print_table(f"{JUDGED:,} pictures of each, all pixels together", rows)
    draw(learned, config)
    if config.save:
        for name, entry in learned.items():
            miou = float(np.nanmean(entry.scores["network"]))
            keep(config.save / name, entry.network, list(FAMILIES[name].surfaces), FAMILIES[name].camera, miou)
    return 0


if __name__ == "__main__":
    sys.exit(main())
