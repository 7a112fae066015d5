"""What the numbered scripts 01_… to 06_… share: their arguments, their table, and the look of their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from visnav.perception.mlp import Fit

GREEN, RED, BLUE, GREY = "#2a9d6f", "#d1495b", "#2f6690", "#8d99ae"
YELLOW, TEAL = "#e0a526", "#3bb3c3"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "legend.frameon": False,
    "savefig.dpi": 110,
}


@dataclass(frozen=True)
class StoryConfig:
    """A page of the story."""

    seed: int = 0
    """Of the data's division, of the first weights and of the minibatches' order."""
    figure: Path | None = None
    """Where the figure goes, a PNG; docs/perception/<name of the script>.png when None."""

    def __post_init__(self) -> None:
        if self.figure and self.figure.suffix != ".png":
            raise ValueError(f"the figure is a PNG; got {self.figure}")

    def figure_of(self, script: str) -> Path:
        """Where the figure goes of the script whose `__file__` this is."""
        path = Path(script).resolve()
        return self.figure or path.parents[1] / "docs" / "perception" / path.with_suffix(".png").name


@dataclass(frozen=True)
class Row:
    """A figure beside what it must reach and what it is held against."""

    name: str
    value: float
    least: float | None = None
    """What it must reach, where it must."""
    most: float | None = None
    """What it must not exceed, where there is such a limit."""
    anchor: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure keeps its limits."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def needed(self) -> str:
        """The limits in words, such as ≥ 0.96."""
        limits = [f"≥ {self.least:g}"] if self.least is not None else []
        return " ".join(limits + ([f"≤ {self.most:g}"] if self.most is not None else []))


def print_table(title: str, rows: Sequence[Row]) -> None:
    """One line a row: its name, its figure, what is needed, whether it is met, and its anchor."""
    width = max(len(row.name) for row in rows)
    print(f"{title}\n{'':{width}}  {'ours':>6}  {'needed':<8}        anchor")
    for row in rows:
        verdict = ("met" if row.met else "MISSED") if row.needed() else ""
        print(f"{row.name:{width}}  {row.value:6.3f}  {row.needed():<8} {verdict:<6} {row.anchor}".rstrip())


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches in the story's style, which arranges its panels by itself."""
    matplotlib.rcParams.update(STYLE)
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, under a temporary name first, and say where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp.png")
    figure.savefig(temporary)
    with Image.open(temporary) as picture:  # 256 colours are enough, and half the bytes
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(temporary, optimize=True)
    temporary.replace(path)
    print(f"The figure is {path}.")


def draw_curves(panel: matplotlib.axes.Axes, fitted: Fit, color: str, label: str = "") -> None:
    """Training (dashed) and validation loss (solid) by epoch, and a dot at the epoch whose weights were kept."""
    epochs = range(1, len(fitted.curves["train"]) + 1)
    panel.plot(epochs, fitted.curves["train"], color=color, ls="--", lw=1, label=f"{label} training".strip())
    panel.plot(epochs, fitted.curves["validation"], color=color, lw=1.5, label=f"{label} validation".strip())
    panel.plot(fitted.best + 1, fitted.curves["validation"][fitted.best], "o", color=color, ms=5)
    panel.set(xlabel="epoch", ylabel="mean loss")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
