"""04 Detect: which things are in a picture, and where: a class and (x, y, w, h) for each.

    python experiments/04_detect.py --seed 1
    python experiments/04_detect.py --save runs/detect      (keeps the networks: runs/detect/grid, runs/detect/roads)

Doors, keys and balls before the eyes of an agent in rooms, vehicles before a driver. The worlds draw the pictures and
know what is on them, so that there is no end of labelled ones; the network sees each only once. It is judged in
layouts, and under textures and colours, that it has not seen; so is the search for pixels of the right colour.

Things that show less than 32 pixels (their box) count neither for nor against, as outside COCO's ranges of area.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import tyro
from matplotlib.patches import Rectangle
from torch import Tensor

from visnav.agents.policy import uses_bfloat16
from visnav.experiments.labelling import FAMILIES, Family, Worlds
from visnav.experiments.seeing import SeeingConfig, keep, teach
from visnav.experiments.story import GREEN, GREY, RED, Row, new_figure, print_table, save
from visnav.perception.colour import ColourDetector
from visnav.perception.detection import Detector, detection_loss
from visnav.perception.encoders import Pyramid
from visnav.perception.labels import Labelled, Variation, gathered, labelled_batches
from visnav.perception.metrics import THRESHOLDS, average_precision

LEAST_AREA = 32.0  # pixels of a box that counts
TAUGHT_AREA = 16.0  # pixels of a box that the network is taught to find
EXAMPLES = 1000  # pictures that the baseline's thresholds are fitted to
JUDGED = 3000  # pictures
NEEDED, AHEAD = 0.85, 0.15  # AP50, and by how much the baseline is beaten
SHOWN_SCORE = 0.4


@dataclass(frozen=True)
class Learned:
    """A network that was fitted to one family of worlds, and what it does on unseen ones."""

    network: Detector
    judged: Labelled
    found: list[dict[str, Any]]
    precision: dict[int, np.ndarray]
    """By thing: AP at each of THRESHOLDS."""
    baseline: dict[int, np.ndarray]

    @property
    def score(self) -> float:
        """AP50, the mean over things."""
        return float(np.mean([value[0] for value in self.precision.values()]))


def things_of(family: Family, batch: Labelled) -> Labelled:
    """The batch with only the boxes of the family's things, labelled by their places in it."""
    labels = torch.tensor(family.thing_of_class())[batch.labels]
    is_thing = labels >= 0
    return batch._replace(boxes=batch.boxes[is_thing], labels=labels[is_thing], owner=batch.owner[is_thing])


def by_image(batch: Labelled) -> list[dict[str, np.ndarray]]:
    """The boxes of each image."""
    chosen = [batch.owner == i for i in range(len(batch.images))]
    return [{"boxes": batch.boxes[rows].numpy(), "labels": batch.labels[rows].numpy()} for rows in chosen]


def loss(model: torch.nn.Module, batch: Any) -> Tensor:
    """Of a Detector on a Labelled batch."""
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16("auto")):
        return detection_loss(model, batch, TAUGHT_AREA)  # type: ignore[arg-type]


def detect(network: Detector, images: Tensor) -> list[dict[str, np.ndarray]]:
    """What the network finds on many images, in arrays."""
    found = [boxes for some in images.split(100) for boxes in network.detect(some)]
    return [{name: tensor.numpy() for name, tensor in boxes.items()} for boxes in found]


def learn(name: str, config: SeeingConfig) -> Learned:
    """Fit a network to a family of worlds, and judge it and the baseline."""
    family = FAMILIES[name]

    def pictures(part: str, images: int, seed: int) -> Labelled:
        return things_of(family, gathered(Worlds(family, part, 96, 10 * config.seed + seed, steps=20), images))

    torch.manual_seed(config.seed)
    network = Detector(Pyramid((64, 64, 3), pool=True), len(family.things))
    source = labelled_batches(Worlds(family, "train", config.batch_size, 10 * config.seed), Variation(), config.seed)
    teach(network, loss, (things_of(family, batch) for batch in source), pictures("train", 240, 1), 3e-3, config)
    example, judged = pictures("train", EXAMPLES, 2), pictures("test", JUDGED, 3)
    classes = [tuple(family.classes.index(one) for one in names) for names in family.things.values()]
    baseline = ColourDetector(
        example.images.numpy(), example.semantic.numpy(), by_image(example), classes, len(family.classes), LEAST_AREA
    )
    truths, found = by_image(judged), detect(network, judged.images)
    area = (LEAST_AREA, 1e10)
    return Learned(
        network,
        judged,
        found,
        average_precision(found, truths, THRESHOLDS, area),
        average_precision(baseline.detect(judged.images.numpy()), truths, THRESHOLDS, area),
    )


def rows_of(name: str, learned: Learned) -> list[Row]:
    """AP50 of each thing and of all beside the baseline's, and AP over all thresholds."""
    things = list(FAMILIES[name].things)
    mean, mean_baseline = (np.mean(list(found.values()), 0) for found in (learned.precision, learned.baseline))
    rows = [
        Row(f"{name}: {things[label]}, AP50", value[0], anchor=f"colour {learned.baseline[label][0]:.3f}")
        for label, value in learned.precision.items()
        if len(things) > 1
    ]
    least = max(NEEDED, mean_baseline[0] + AHEAD)
    title = f"{name}: {'all' if len(things) > 1 else things[0]}"
    rows.append(Row(f"{title}, AP50", mean[0], round(least, 3), anchor=f"colour {mean_baseline[0]:.3f}"))
    rows.append(Row(f"{title}, AP50:95", mean.mean(), anchor=f"colour {mean_baseline.mean():.3f}"))
    return rows


def draw(learned: dict[str, Learned], config: SeeingConfig) -> None:
    """Unseen pictures with what is there (green) and what is found (red): a row of each family's with much to see."""
    columns = 6
    figure = new_figure(9, 1.75 * len(learned) + 0.3)
    panels_of = figure.subplots(len(learned), columns, squeeze=False)
    for panels, (name, entry) in zip(panels_of, learned.items(), strict=True):
        things = list(FAMILIES[name].things)
        counted = (entry.judged.boxes[:, 2:] - entry.judged.boxes[:, :2]).prod(1) >= LEAST_AREA
        much = torch.bincount(entry.judged.owner[counted], minlength=len(entry.judged.images))
        order = torch.argsort(much, descending=True, stable=True)[: 5 * columns : 5]
        for panel, image in zip(panels, order.tolist(), strict=True):
            panel.imshow(entry.judged.images[image].numpy(), interpolation="nearest")
            for box in entry.judged.boxes[(entry.judged.owner == image) & counted].tolist():
                panel.add_patch(_outline(box, GREEN, 2.5))
            found = entry.found[image]
            for box, score, label in zip(found["boxes"].tolist(), found["scores"], found["labels"], strict=True):
                if score >= SHOWN_SCORE:
                    panel.add_patch(_outline(box, RED, 1.2))
                    x, below = (box[0] + box[2]) / 2, box[1] < 6
                    panel.text(x, box[3] if below else box[1] - 1, things[label], color="white", fontsize=6.5,
                               ha="center", va="top" if below else "bottom", clip_on=True)  # fmt: skip
            panel.set(xticks=[], yticks=[], xlim=(-0.5, 63.5), ylim=(63.5, -0.5))
            panel.spines[:].set_color(GREY)
    figure.suptitle("Unseen layouts, textures and colours: what is there (green) and what is found (red)", fontsize=10)
    save(figure, config.figure_of(__file__))


def _outline(box: list[float], color: str, width: float) -> Rectangle:
    """The outline of a half-open box of pixels."""
    x0, y0, x1, y1 = box
    return Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor=color, lw=width)


def main(argv: list[str] | None = None) -> int:
    """Learn, print and draw; returns 0."""
    config = tyro.cli(SeeingConfig, description=__doc__, args=argv)
    learned = {}
    for name in config.families:
        family, entry = FAMILIES[name], learn(name, config)
        learned[name] = entry
        print_table(f"{JUDGED:,} pictures, boxes of {LEAST_AREA:g} pixels and more", rows_of(name, entry))
        if config.save:
            keep(config.save / name, entry.network, list(family.things), family.camera, entry.score)
    draw(learned, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
