"""Draws docs/cameras.png, every family of worlds in every camera: `python docs/cameras.py [ID …]`."""

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib
import numpy as np
import pygame

from visnav.envs.grid.lens import SEMANTIC_CLASSES
from visnav.envs.viewer import BACKGROUND, MUTED, TEXT, scaled, written
from visnav.experiments.record import write_picture

NAMES = (
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-KeyCorridorS4R3-v0",
    "MiniGrid-LavaCrossingS9N2-v0",
    "MiniGrid-Dynamic-Obstacles-8x8-v0",
    "MiniGrid-UnlockPickup-v0",
    "MiniGrid-Playground-v0",
    "Maze-PointGoal-9x9-v0",
    "Rooms-ObjectGoal-11x11-v0",
)
STATES = 600  # that a random agent gets to, of which the one with the most to see is shown
SIZE = (180, 240)  # pixels of a picture in first person
CELL, GAP, HEADING = 180, 8, 30


def liveliest(env: Any) -> dict[str, np.ndarray]:
    """The state of a random agent that sees the most things, each large enough to be told."""
    env.action_space.seed(0)
    best, most = env.get_state(), -1.0
    ended = True
    for number in range(STATES):
        if ended or number % 20 == 0:
            env.reset(options={"level": number})
        ended = any(env.step(env.action_space.sample())[2:4])
        sizes = np.unique_counts(env.annotate(("instance",))["instance"]).counts[1:]
        if not ended and (score := np.sqrt(np.minimum(sizes, 2000)).sum()) > most:
            best, most = env.get_state(), score
    return best


def pictures(name: str) -> dict[str, np.ndarray]:
    """One world in every camera, each (H, W, 3) uint8."""
    env = gym.make(
        f"visnav/{name}", camera="first_person", image_size=SIZE, sensors=("rgb", "depth", "semantic", "instance")
    ).unwrapped
    env.reset(seed=0)
    env.set_state(liveliest(env))
    seen = env.render_observation()
    varied = gym.make(
        f"visnav/{name}", camera="first_person", image_size=SIZE, textures="all", lighting="random", noise=0.02,
        sensors="rgb",
    ).unwrapped  # fmt: skip
    varied.reset(seed=0)
    varied.set_state(env.get_state())
    palette = (matplotlib.colormaps["tab20"](np.arange(20))[:, :3] * 255).astype(np.uint8)
    depth = 1 / (0.35 + seen["depth"][..., 0])
    return {
        "full": env.simulation.render(0, "full", 16),
        "tiles": env.simulation.render(0, "tiles", 16),
        "first_person": seen["rgb"],
        'textures="all", lighting="random"': varied.render_observation(),
        "depth": (matplotlib.colormaps["magma"](depth / depth.max())[..., :3] * 255).astype(np.uint8),
        "semantic": palette[seen["semantic"][..., 0] * (20 // len(SEMANTIC_CLASSES)) % 20],
        "instance": np.where(seen["instance"] > 0, palette[seen["instance"][..., 0] % 20], 30).astype(np.uint8),
    }


def main(names: list[str]) -> None:
    """A row for each world, a column for each camera."""
    rows = {name: pictures(name) for name in names or NAMES}
    columns = list(next(iter(rows.values())))
    widths = [CELL if column in ("full", "tiles") else SIZE[1] for column in columns]
    width = GAP + sum(widths) + GAP * len(widths)
    surface = pygame.Surface((width, HEADING + len(rows) * (HEADING + CELL)))
    surface.fill(BACKGROUND)
    for number, (name, images) in enumerate(rows.items()):
        x, y = GAP, HEADING + number * (HEADING + CELL)
        surface.blit(written(name, 18, TEXT), (x, y + 8))
        for column, image, cell in zip(columns, images.values(), widths, strict=True):
            if number == 0:
                surface.blit(written(column, 16, MUTED), (x, 8))
            shown = scaled(image, (cell * 4, CELL * 4)) if column in ("full", "tiles") else scaled(image, (cell, CELL))
            factor = min(cell / shown.width, CELL / shown.height)
            small = pygame.transform.smoothscale(shown, (int(shown.width * factor), int(shown.height * factor)))
            surface.blit(small, (x + (cell - small.width) // 2, y + HEADING))
            x += cell + GAP
    picture = np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))
    write_picture(Path(__file__).with_name("cameras.png"), picture)


if __name__ == "__main__":
    main(sys.argv[1:])
