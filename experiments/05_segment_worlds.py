"""05 Segment: the class of every pixel, by a fully convolutional network, for pictures of any size.

    python experiments/05_segment_worlds.py --save runs/segment     (keeps the networks, for `visnav train --encoder`)

The same pictures, and the same pyramid of convolutions as in 04: down to an eighth of the picture's height, where it
sees what is there, and up again, where it tells exactly at which pixels. It learns from pictures of three sizes and is
judged in unseen layouts, textures and colours, at 64×64 and at a size that it has not met. Beside it: colour alone.

Doors are one class, open or closed. Classes that fill less than 1 in 5,000 of the judged pixels are not judged.
"""

import itertools
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import tyro
from matplotlib.patches import Patch
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from visnav.agents.policy import uses_bfloat16
from visnav.experiments.labelling import FAMILIES, Family, Worlds
from visnav.experiments.panes import COLOURS, painted
from visnav.experiments.seeing import SeeingConfig, keep, teach
from visnav.experiments.story import GREY, Row, new_figure, print_table, save
from visnav.perception.colour import ColourThreshold, PixelRegression
from visnav.perception.encoders import Pyramid
from visnav.perception.heads import Segmenter
from visnav.perception.labels import Labelled, Variation, gathered, labelled_batches

JUDGED = 1500  # pictures
SIZES = ((64, 64), (64, 64), (40, 112), (80, 56))  # pixels, of the pictures that it learns from in turn
OTHER_SIZE = (48, 96)  # of pictures that it is judged by, and did not learn from
EXAMPLES = 1000  # pictures that the baselines are fitted to
GENTLE = Variation(brightness=0.06, contrast=0.15, cast=0.06, noise=0.02, blur=0.1)  # colours still tell something
DRAWN = 3  # pictures for each that it learns from
IN_VIEW = 12  # pixels of a class that is in view
LEAST_SHARE = 2e-4  # of the judged pixels; classes that show less are not judged
NEEDED, AHEAD = 0.9, 0.15  # mIoU, and by how much the baselines are beaten


@dataclass(frozen=True)
class SegmentConfig(SeeingConfig):
    """Segmentation."""

    minibatches: int = 8000
    """That each network learns from."""
    batch_size: int = 32
    """Pictures of a minibatch."""


class Pictures(NamedTuple):
    """Pictures with the surface that every pixel shows."""

    images: Tensor  # (B, H, W, 3) uint8
    surfaces: Tensor  # (B, H, W) uint8, places in the family's `surfaces`


@dataclass(frozen=True)
class Learned:
    """A network that was fitted to one family of worlds, and intersection over union by class on unseen ones."""

    network: Segmenter
    judged: Pictures
    predicted: Tensor
    scores: dict[str, np.ndarray]
    """By method: (classes,), NaN where a class is hardly to be seen."""

    @property
    def score(self) -> float:
        """The network's mIoU."""
        return float(np.nanmean(self.scores["network"]))


def loss(model: torch.nn.Module, batch: Any) -> Tensor:
    """Cross-entropy of every pixel, and 1 - Dice's coefficient of every class that is to be seen, both in the mean.

    Pixels are mostly walls, floors and sky; to Dice's coefficient 2 |A ∩ B| / (|A| + |B|), of predicted and true
    pixels, each class counts alike, as it does to mIoU (Milletari et al. 2016, arXiv:1606.04797).
    """
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16("auto")):
        logits = model(batch.images)
    truth = batch.surfaces.flatten().long()  # (B * H * W,)
    logs = logits.float().movedim(1, 0).flatten(1).log_softmax(0)  # (classes, B * H * W), much faster than by rows
    right = logs.gather(0, truth[None])[0]
    there = truth.bincount(minlength=len(logs))
    both, total = torch.zeros(len(logs)).index_add(0, truth, right.exp()), logs.exp().sum(1) + there
    return 1 - right.mean() - (2 * both / total)[there > 0].mean()


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


def surfaces_of(family: Family, batch: Labelled) -> Pictures:
    """The pictures, with the family's surfaces in place of its classes."""
    table = torch.tensor(family.surface_of_class(), dtype=torch.uint8)
    return Pictures(batch.images, table[batch.semantic.long()])


def in_view(surfaces: Tensor, classes: int) -> Tensor:
    """Whether each class is to be seen on each picture: (B, classes) bool, of pixels (B, H, W)."""
    return torch.stack([(surfaces == label).flatten(1).sum(1) >= IN_VIEW for label in range(classes)], 1)


def telling(pictures: Pictures, classes: int) -> Pictures:
    """One in DRAWN pictures: half of them as they come, half the others with the rarest classes in view.

    A box is on few pictures, a bare wall on many; but bare walls must be learned, too. A class counts as much as it
    surprises, the negative logarithm of the share of pictures that it is on.
    """
    seen, numbers = in_view(pictures.surfaces, classes).float(), torch.arange(len(pictures.images))
    surprise = seen @ -seen.mean(0).clamp(min=1 / len(seen)).log() + torch.rand(len(seen))  # and a little chance
    as_they_come = numbers % (2 * DRAWN) == 0
    others = numbers[~as_they_come][surprise[~as_they_come].argsort(descending=True)]
    rows = torch.cat([numbers[as_they_come], others])[: len(numbers) // DRAWN]
    return Pictures(pictures.images[rows], pictures.surfaces[rows])


def of_size(family: Family, size: tuple[int, int]) -> dict[str, Any]:
    """Keywords of a camera that shows so many pixels, (height, width), at the scale of 64 × 64."""
    half = np.radians(family.camera["field_of_view"]) / 2
    return {"image_size": size, "field_of_view": float(2 * np.degrees(np.arctan(np.tan(half) * size[1] / 64)))}


def learn(name: str, config: SegmentConfig) -> Learned:
    """Fit a network to a family of worlds, and judge it and the baselines."""
    family = FAMILIES[name]
    classes = len(family.surfaces)

    def pictures(part: str, images: int, seed: int, **keywords: Any) -> Pictures:
        worlds = Worlds(family, part, 96, 10 * config.seed + seed, steps=20, **keywords)
        return surfaces_of(family, gathered(worlds, images))

    torch.manual_seed(config.seed)
    network = Segmenter(Pyramid((64, 64, 3), pool=True), classes)
    sources = [
        labelled_batches(
            Worlds(family, "train", DRAWN * config.batch_size, 10 * config.seed + 5 + number, **of_size(family, size)),
            GENTLE,
            10 * config.seed + number,
        )
        for number, size in enumerate(SIZES)
    ]
    batches = (telling(surfaces_of(family, next(source)), classes) for source in itertools.cycle(sources))
    teach(network, loss, batches, pictures("train", 192, 1), 4e-3, config)
    example, judged, other = (
        pictures("train", EXAMPLES, 2),
        pictures("test", JUDGED, 3),
        pictures("test", JUDGED // 4, 4, **of_size(family, OTHER_SIZE)),
    )  # fmt: skip
    images, semantic, unseen = example.images.numpy(), example.surfaces.numpy(), judged.images.numpy()
    by_colour, by_pixel = (
        ColourThreshold(images, semantic, classes),
        PixelRegression(images, semantic, seed=config.seed),
    )
    predicted = segment(network, judged.images)
    scores = {
        "network": overlaps(predicted, judged.surfaces, classes),
        "another size": overlaps(segment(network, other.images), other.surfaces, classes),
        "colour": overlaps(by_colour.segment(unseen), judged.surfaces, classes),
        "logistic": overlaps(by_pixel.segment(unseen), judged.surfaces, classes),
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


def draw(learned: dict[str, Learned], config: SegmentConfig) -> None:
    """Unseen pictures, their true classes, and the predicted ones: of each family, those with most classes."""
    columns = 6
    figure = new_figure(9, 5.3 * len(learned))
    parts = figure.subfigures(len(learned), 1, squeeze=False)[:, 0]
    for part, (name, entry) in zip(parts, learned.items(), strict=True):
        images, truth, predicted = entry.judged.images, entry.judged.surfaces, entry.predicted
        names = FAMILIES[name].surfaces
        order = torch.argsort(in_view(truth, len(names)).sum(1), descending=True, stable=True)[: 4 * columns : 4]
        panels = part.subplots(3, columns)
        for image, column in zip(order, panels.T, strict=True):
            masks = (painted(classes[image].numpy(), names) for classes in (truth, predicted))
            for panel, pixels in zip(column, (images[image].numpy(), *masks), strict=True):
                panel.imshow(pixels, interpolation="nearest")
                panel.set(xticks=[], yticks=[])
                panel.spines[:].set_color(GREY)
        for panel, title in zip(panels[:, 0], ("picture", "true", "predicted"), strict=True):
            panel.set_ylabel(title)
        shown = [names[label] for label in torch.cat([truth[order], predicted[order]]).unique().tolist()]
        colours = {name: "#{:02x}{:02x}{:02x}".format(*COLOURS[name]) for name in shown}
        handles = [Patch(facecolor=colour, edgecolor=GREY, label=name) for name, colour in colours.items()]
        part.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7.5, handlelength=1.2)
    save(figure, config.figure_of(__file__))


def main(argv: list[str] | None = None) -> int:
    """Learn, print and draw; returns 0."""
    config = tyro.cli(SegmentConfig, description=__doc__, args=argv)
    learned = {}
    for name in config.families:
        family, entry = FAMILIES[name], learn(name, config)
        learned[name] = entry
        print_table(f"{JUDGED:,} pictures, all pixels together", rows_of(name, entry))
        if config.save:
            keep(config.save / name, entry.network, list(family.surfaces), family.camera, entry.score)
    draw(learned, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
