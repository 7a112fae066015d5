"""Things are seen as what they are: a small network that learned under some textures names them under others."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import visnav.envs  # noqa: F401, registers the IDs
from visnav.envs.grid.lens import SEMANTIC_CLASSES
from visnav.envs.grid.world import (
    BALL,
    BOX,
    DOOR_CLOSED,
    DOOR_LOCKED,
    DOOR_OPEN,
    EMPTY,
    GOAL,
    KEY,
    LAVA,
    WALL,
)

SIDE = 32  # pixels of a crop as the network sees it
LEAST = 8  # pixels of a thing's longer side
LAVA_CLASS = SEMANTIC_CLASSES.index("lava")
NO_COLOR = 6


def furnish(cells: np.ndarray, rng: np.random.Generator) -> None:
    """Things in an eighth of the cells; doors stand between walls."""
    height, width = cells.shape
    cells[1:-1, 1:-1] = EMPTY
    number = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if rng.random() < 1 / 8:
                number += 1
                colored = rng.choice([KEY, BALL, BOX]) | rng.integers(6) << 4
                cells[y, x] = rng.choice([colored, colored, colored, GOAL, LAVA])
                cells[y, x] |= 0 if cells[y, x] == LAVA else number << 8
    row = rng.integers(2, height - 2)
    cells[row, 1:-1] = WALL
    for x in rng.choice(np.arange(1, width - 1), 3, replace=False):
        number += 1
        cells[row, x] = rng.choice([DOOR_OPEN, DOOR_CLOSED, DOOR_LOCKED]) | rng.integers(6) << 4 | number << 8


def crop(picture: np.ndarray, x: int, y: int, side: int) -> torch.Tensor:
    """The square around a thing and an eighth more on every side, as (3, SIDE, SIDE)."""
    reach = side // 2 + side // 8 + 1
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    square = torch.from_numpy(padded[y : y + 2 * reach, x : x + 2 * reach].copy())
    return functional.interpolate(square.permute(2, 0, 1)[None].float() / 255, (SIDE, SIDE), mode="bilinear")[0]


def crops(textures: str, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What 64 x 64 views of random worlds show: (M, 3, SIDE, SIDE) crops, their classes, their colours."""
    rng = np.random.default_rng(seed)
    envs = gym.make_vec(
        "visnav/MiniGrid-Empty-8x8-v0", num_envs=256, camera="first_person",
        textures=textures, lighting="random", noise=0.02,
    ).unwrapped  # fmt: skip
    images, classes, colors = [], [], []
    while len(images) < count:
        envs.reset(seed=int(rng.integers(2**31)))
        world = envs.simulation.world
        for i in range(len(world.cells)):
            furnish(world.cells[i], rng)
            free = np.argwhere(world.cells[i] == EMPTY)
            world.agent[i, 1], world.agent[i, 0] = free[rng.integers(len(free))]
            world.agent[i, 2] = rng.integers(4)
        pictures = envs.render_observation()
        seen = envs.annotate(("boxes", "semantic"))
        for picture, target, semantic, cells in zip(
            pictures, seen["boxes"], seen["semantic"], world.cells, strict=True
        ):
            found = [
                (box.astype(int), label, (cells[cells >> 8 == number][0] >> 4) & 7)
                for box, label, number in zip(target["boxes"], target["labels"], target["ids"], strict=True)
            ]
            rows, columns = np.nonzero(semantic[..., 0] == LAVA_CLASS)
            if len(rows):
                box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                found.append((box, LAVA_CLASS, NO_COLOR))
            for (x0, y0, x1, y1), label, color in found:
                shown = semantic[y0:y1, x0:x1, 0] == label
                if max(x1 - x0, y1 - y0) < LEAST or shown.sum() < 30 or min(x1 - x0, y1 - y0) < 4:
                    continue
                images.append(crop(picture, (x0 + x1) // 2, (y0 + y1) // 2, max(x1 - x0, y1 - y0)))
                classes.append(int(label))
                colors.append(int(color))
    return torch.stack(images), torch.tensor(classes), torch.tensor(colors)


class Namer(nn.Module):
    """Three convolutions, and what and which colour."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(48, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 16, 128), nn.ReLU(),
        )  # fmt: skip
        self.what, self.color = nn.Linear(128, len(SEMANTIC_CLASSES)), nn.Linear(128, NO_COLOR + 1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.body(images - 0.5)
        return self.what(features), self.color(features)


@pytest.mark.slow
def test_a_small_classifier_names_things_and_colours_under_textures_it_has_not_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.manual_seed(0)
    images, classes, colors = crops("train", 25_000, seed=0)
    namer = Namer()
    steps = 3000
    optimizer = torch.optim.Adam(namer.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (128,))
        what, color = namer(images[rows])
        loss = functional.cross_entropy(what, classes[rows]) + functional.cross_entropy(color, colors[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        unseen, unseen_classes, unseen_colors = crops("test", 4000, seed=1)
        what, color = (scores.argmax(dim=1) for scores in namer(unseen))
    with capsys.disabled():
        print(f"\n{len(unseen)} crops under unseen textures")
        for label in unseen_classes.unique().tolist():
            of_it = unseen_classes == label
            right = (what[of_it] == label).float().mean().item()
            print(f"  {SEMANTIC_CLASSES[label]:<12} {of_it.sum().item():5d}  {right:.1%}")
        print(f"  colours {(color == unseen_colors).float().mean().item():.1%}")
    for label in unseen_classes.unique().tolist():
        of_it = unseen_classes == label
        assert (what[of_it] == label).float().mean() >= 0.95
    assert len(unseen_classes.unique()) == 8
    assert (color == unseen_colors).float().mean() >= 0.95
