"""01 Green and red points: what one neuron can tell apart, and what an activation adds.

    python experiments/01_green_and_red_points.py --seed 1

Three sets of points in the plane, and networks of our own layers that learn to tell green from red. One perceptron
draws a straight line. So does a deep network without an activation, since a linear map of a linear map is one linear
map. With ReLU between the same layers the line bends as the points ask.

All networks learn from the same 10,000 points, and are judged on 20,000 others.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from matplotlib.colors import LinearSegmentedColormap
from sklearn.datasets import make_circles, make_moons
from torch import Tensor, nn

from visnav.experiments.story import GREEN, RED, Row, StoryConfig, new_figure, print_table, save
from visnav.perception.layers import Perceptron, binary_cross_entropy, identity, relu, sigmoid
from visnav.perception.mlp import MLP, Batch, FitConfig, fit

LEARN, JUDGE = 10_000, 20_000  # points
HIDDEN = (32, 32, 32)


def spiral(count: int, seed: int, turns: float = 1.5, noise: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 2) on two arms wound around each other out to radius 1, and which arm (count,)."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(2, size=count)
    radius = rng.uniform(0.1, 1, count)
    angle = 2 * np.pi * turns * radius + np.pi * arm
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return points + noise * rng.standard_normal((count, 2)), arm


SHAPES: dict[str, Callable[[int, int], tuple[np.ndarray, np.ndarray]]] = {
    "circles": lambda count, seed: make_circles(count, noise=0.1, factor=0.5, random_state=seed),
    "moons": lambda count, seed: make_moons(count, noise=0.2, random_state=seed),
    "spiral": spiral,
}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "one perceptron": lambda: Perceptron(2),
    "linear, 3 hidden layers": lambda: MLP((2, *HIDDEN, 1), identity),
    "ReLU, 1 hidden layer": lambda: MLP((2, HIDDEN[0], 1), relu),
    "ReLU, 3 hidden layers": lambda: MLP((2, *HIDDEN, 1), relu),
}
NEEDED = {  # least and greatest accuracy, and scikit-learn's
    ("one perceptron", "circles"): (None, 0.55, "logistic regression 0.502"),
    ("linear, 3 hidden layers", "circles"): (None, 0.55, "MLPClassifier, identity 0.480"),
    ("ReLU, 1 hidden layer", "circles"): (0.99, None, "MLPClassifier 0.994"),
    ("ReLU, 3 hidden layers", "circles"): (0.99, None, "MLPClassifier 0.994"),
    ("one perceptron", "moons"): (None, None, "logistic regression 0.886"),
    ("ReLU, 1 hidden layer", "moons"): (0.95, None, "MLPClassifier 0.956"),
    ("ReLU, 3 hidden layers", "spiral"): (0.97, None, "MLPClassifier 1.000"),
}


@dataclass(frozen=True)
class Learned:
    """A network that was fitted to points of one shape."""

    model: nn.Module
    accuracy: float
    """On points that it did not learn from."""


def decision(model: nn.Module, points: Tensor) -> Tensor:
    """z (B,) of points (B, 2): green where it is above 0."""
    return model.z(points) if isinstance(model, Perceptron) else model(points)[:, 0]


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Binary cross-entropy of points and whether they are green."""
    return binary_cross_entropy(decision(model, batch[0]), batch[1])


def measure(seed: int) -> dict[tuple[str, str], Learned]:
    """Every network on every shape, by (network, shape)."""
    learned = {}
    for shape, draw in SHAPES.items():
        train, judge = draw(LEARN, 2 * seed), draw(JUDGE, 2 * seed + 1)
        tensors = tuple(torch.tensor(array, dtype=torch.float32) for array in train)
        for name, make in NETWORKS.items():
            torch.manual_seed(seed)
            model = make()
            # The training loss itself says which weights to keep: these points are too many to be learned by heart.
            fit(model, loss, tensors, tensors, FitConfig(50, 1_000, learning_rate=0.02, seed=seed), progress=name)
            with torch.no_grad():
                green = decision(model, torch.tensor(judge[0], dtype=torch.float32)).numpy() > 0
            learned[name, shape] = Learned(model, float((green == judge[1]).mean()))
    return learned


def draw(learned: dict[tuple[str, str], Learned], config: StoryConfig) -> None:
    """Decision boundaries: a row a shape, a column a network."""
    figure = new_figure(9, 6.9)
    colors = LinearSegmentedColormap.from_list("points", [RED, "white", GREEN])
    for panels, shape in zip(figure.subplots(len(SHAPES), len(NETWORKS)), SHAPES, strict=True):
        points, green = SHAPES[shape](300, 2 * config.seed + 1)
        low, high = points.min(0) - 0.2, points.max(0) + 0.2
        plane = np.stack(np.meshgrid(*np.linspace(low, high, 150).T))  # (2, 150, 150)
        grid = torch.tensor(plane.reshape(2, -1).T, dtype=torch.float32)
        for panel, name in zip(panels, NETWORKS, strict=True):
            entry = learned[name, shape]
            with torch.no_grad():
                z = decision(entry.model, grid).view(150, 150)
            panel.contourf(*plane, sigmoid(z), np.linspace(0, 1, 11), cmap=colors, vmin=-0.4, vmax=1.4)
            panel.contour(*plane, z, [0.0], colors="#333333", linewidths=1)
            panel.scatter(*points.T, s=5, c=np.where(green, GREEN, RED), linewidths=0)
            panel.set(xticks=[], yticks=[], xlabel=f"accuracy {entry.accuracy:.3f}")
            panel.spines[:].set_visible(False)
            panel.set_title(name if shape == "circles" else "")
        panels[0].set_ylabel(shape, fontsize=10)
    save(figure, config.figure_of(__file__))


def main(argv: list[str] | None = None) -> int:
    """Measure, print and draw; returns 0."""
    config = tyro.cli(StoryConfig, description=__doc__, args=argv)
    learned = measure(config.seed)
    rows = [
        Row(f"{shape}: {name}", entry.accuracy, *NEEDED.get((name, shape), ()))
        for (name, shape), entry in learned.items()
    ]
    print_table(f"Accuracy on {JUDGE:,} new points", rows)
    draw(learned, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
