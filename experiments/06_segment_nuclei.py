"""06 Segment nuclei: the network of 05 on a real picture from a microscope, with 60 nuclei to learn from.

    python experiments/06_segment_nuclei.py --seed 1

A fluorescence image of 512×512 pixels with every nucleus drawn by hand, of the package stardist (BSD-3-Clause). The
network learns from columns below 192, columns 192 to 239 say which of its weights to keep, and it is judged, once, on
columns from 272 on: three networks of three seeds. So few nuclei would be learned by heart, so they are shown turned,
mirrored, stretched, brighter and darker.

Beside it Otsu's threshold, which calls all that is bright a nucleus: faint nuclei are not, and bright haze is.
"""

import importlib.util
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassJaccardIndex

from visnav.experiments.story import BLUE, GREEN, RED, Row, StoryConfig, draw_curves, new_figure, print_table, save
from visnav.perception.encoders import Pyramid
from visnav.perception.heads import Segmenter
from visnav.perception.mlp import Batch, Fit, FitConfig, fit

LEARN, VALIDATE, JUDGE = slice(0, 192), slice(192, 240), slice(272, None)  # columns
KNOWN = slice(0, 240)  # all that may be looked at before judging
BOOSTING = 0.927  # mIoU of gradient boosting on patches, which was measured with scikit-learn
NEEDED, AHEAD, SEEDS = 0.90, 0.10, 3
SHOWN = slice(0, 330)  # rows of the figure
CROP, CROPS = 64, 16  # pixels a side, and how many a minibatch


@dataclass(frozen=True)
class NucleiConfig(StoryConfig):
    """Nuclei."""

    epochs: int = 30
    """Of 25 minibatches each."""


@dataclass(frozen=True)
class Learned:
    """A network that was fitted, and what it says of the columns it is judged on."""

    fitted: Fit
    predicted: Tensor
    """(512, 240) bool, nucleus."""
    miou: float


def read_nuclei() -> tuple[np.ndarray, np.ndarray]:
    """The picture (512, 512) uint16, and whether a pixel is of a nucleus (512, 512) bool.

    Raises:
        FileNotFoundError: stardist is not installed, or without its example picture.
    """
    package = importlib.util.find_spec("stardist")
    folders = [Path(place) / "data" / "images" for place in (package and package.submodule_search_locations) or ()]
    for folder in folders:
        if (folder / "img2d.tif").is_file() and (folder / "mask2d.tif").is_file():
            picture, nuclei = (np.asarray(Image.open(folder / name)) for name in ("img2d.tif", "mask2d.tif"))
            return picture, nuclei > 0
    raise FileNotFoundError(
        "the picture of nuclei comes with the package stardist, which is not installed here (or lacks its "
        "data/images/img2d.tif); `pip install --no-deps stardist` installs it, and nothing of it is imported"
    )


def scaled(picture: np.ndarray) -> Tensor:
    """The picture as float32, about 0 to 1 for most pixels, by the mean of the known columns."""
    return torch.from_numpy(picture / (2 * picture[:, KNOWN].mean())).float()


def crops(picture: Tensor, nuclei: Tensor, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Minibatches without end: squares anywhere in a picture, turned, mirrored, stretched, brighter or darker, noisy.

    Yields:
        (B, CROP, CROP, 1) float32 and (B, CROP, CROP) int64.
    """
    generator = torch.Generator().manual_seed(seed)
    both = torch.stack([picture, nuclei.float()])[None].expand(CROPS, -1, -1, -1)
    size = torch.tensor([picture.shape[1], picture.shape[0]]) / CROP  # width, height

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(CROPS, *shape, generator=generator) * (high - low) + low

    while True:
        angle, zoom, mirror = uniform(-math.pi, math.pi), uniform(-0.2, 0.2).exp(), uniform(-1, 1).sign()
        cos, sin = angle.cos() * zoom, angle.sin() * zoom
        turn = torch.stack([torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)], 1)
        where = torch.cat([turn / size[:, None], uniform(-1, 1, 2, 1)], 2)
        grid = functional.affine_grid(where, [CROPS, 1, CROP, CROP], align_corners=False)
        seen, labels = functional.grid_sample(both, grid, padding_mode="reflection", align_corners=False).unbind(1)
        noise = 0.02 * torch.randn(seen.shape, generator=generator)
        seen = seen * uniform(0.8, 1.2, 1, 1) + uniform(-0.1, 0.1, 1, 1) + noise
        yield seen[..., None], (labels > 0.5).long()


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of every pixel."""
    return functional.cross_entropy(model(batch[0]), batch[1])


def miou(predicted: Tensor, truth: Tensor) -> float:
    """Mean of the intersection over union of background and of nuclei."""
    return float(MulticlassJaccardIndex(2)(predicted.long(), truth.long()))


def otsu(values: np.ndarray, bins: int = 256) -> float:
    """The threshold that parts values into two groups of the least variance: Otsu 1979."""
    counts, edges = np.histogram(values, bins)
    middles = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts)[:-1], np.cumsum(counts * middles)[:-1]
    count, mean = counts.sum(), (counts * middles).sum() / counts.sum()
    between = (total - mean * below) ** 2 / np.maximum(below * (count - below), 1)
    return float(middles[np.argmax(between)])


def learn(picture: Tensor, nuclei: Tensor, seed: int, epochs: int) -> Learned:
    """Fit a network to the columns to learn from, and judge it."""
    torch.manual_seed(seed)
    network = Segmenter(Pyramid((CROP, CROP, 1), channels=(8, 16, 32, 64), pool=True), 2)
    fitted = fit(
        network,
        loss,
        crops(picture[:, LEARN], nuclei[:, LEARN], seed),
        [(picture[None, :, VALIDATE, None], nuclei[None, :, VALIDATE].long())],
        FitConfig(epochs, epoch_batches=25, learning_rate=5e-3, patience=epochs, seed=seed),
        progress=f"nuclei, seed {seed}",
    )
    with torch.no_grad():
        predicted = network(picture[None, :, JUDGE, None])[0].argmax(0) == 1
    return Learned(fitted, predicted, miou(predicted, nuclei[:, JUDGE]))


def draw(picture: Tensor, nuclei: Tensor, thresholded: Tensor, learned: list[Learned], config: NucleiConfig) -> None:
    """The upper part of the columns to judge on, what Otsu and the network make of it, and the learning curves."""
    figure = new_figure(9.2, 3.6)
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
    panels[0].imshow(picture[SHOWN, JUDGE] ** 0.5, cmap="gray", vmax=1.2)
    panels[0].set_title("unseen columns")
    colours = ListedColormap(["white", RED, BLUE, GREEN])  # background, false, missed, right
    entries = (("Otsu's threshold", thresholded, miou(thresholded, nuclei[:, JUDGE])),
               ("network", learned[0].predicted, learned[0].miou))  # fmt: skip
    for panel, (title, predicted, score) in zip(panels[1:], entries, strict=False):
        panel.imshow((predicted.long() + 2 * nuclei[:, JUDGE].long())[SHOWN], cmap=colours, vmin=0, vmax=3)
        panel.set_title(f"{title}: mIoU {score:.3f}")
    for panel in panels[:3]:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    names = {"nucleus, found": GREEN, "nucleus, missed": BLUE, "no nucleus": RED}
    handles = [Patch(color=colour, label=name) for name, colour in names.items()]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    for number, entry in enumerate(learned):
        draw_curves(panels[3], entry.fitted, (GREEN, BLUE, RED)[number], f"seed {config.seed + number},")
    panels[3].set_title("cross-entropy of a pixel")
    panels[3].legend(fontsize=7)
    save(figure, config.figure_of(__file__))


def main(argv: list[str] | None = None) -> int:
    """Learn, print and draw; returns 0."""
    config = tyro.cli(NucleiConfig, description=__doc__, args=argv)
    raw, mask = read_nuclei()
    picture, nuclei = scaled(raw), torch.from_numpy(mask)
    thresholded = torch.from_numpy(raw[:, JUDGE] > otsu(raw[:, KNOWN]))
    baseline = miou(thresholded, nuclei[:, JUDGE])
    learned = [learn(picture, nuclei, config.seed + number, config.epochs) for number in range(SEEDS)]
    own = torch.from_numpy(raw[:, JUDGE] > otsu(raw[:, JUDGE]))
    least = round(max(NEEDED, baseline + AHEAD), 3)
    rows = [Row(f"network, seed {config.seed + number}", entry.miou) for number, entry in enumerate(learned)]
    mean = float(np.mean([entry.miou for entry in learned]))
    rows += [
        Row(f"network, mean of {SEEDS} seeds", mean, least, anchor=f"patch gradient boosting {BOOSTING}"),
        Row("Otsu, threshold of the known columns", baseline),
        Row("Otsu, threshold of the judged columns", miou(own, nuclei[:, JUDGE])),
    ]
    print_table("Mean IoU of background and nuclei; one picture: differences under 0.01 are noise", rows)
    draw(picture, nuclei, thresholded, learned, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
