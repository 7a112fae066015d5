"""Draws docs/driving.png, every layout of driving worlds in every camera: `python docs/driving.py [ID …]`."""

import sys
from pathlib import Path

import gymnasium as gym
import matplotlib
import numpy as np
import pygame

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.driving.lens import SEMANTIC_CLASSES
from visnav.envs.viewer import BACKGROUND, MUTED, TEXT, written
from visnav.experiments.record import write_picture

NAMES = (
    "highway-v0",
    "merge-v0",
    "roundabout-v0",
    "parking-parked-v0",
    "racetrack-v0",
    "u-turn-v0",
    "two-way-v0",
    "exit-v0",
)
STEPS = {"parking-parked-v0": 0, "racetrack-v0": 10, "two-way-v0": 1}  # that are played first: 3 elsewhere
WIDE, SQUARE = (180, 240), (180, 180)  # pixels of a picture
GAP, HEADING = 8, 30
COLORS = {
    "sky": (150, 190, 230), "grass": (90, 130, 70), "road": (70, 70, 80), "kerb": (150, 140, 130),
    "marking": (250, 250, 250), "goal": (60, 205, 235), "vehicle": (70, 120, 230), "ego": (255, 198, 30),
    "obstacle": (240, 140, 40),
}  # fmt: skip


def pictures(name: str, level: int) -> dict[str, np.ndarray]:
    """A level in every camera, each (H, W, 3) uint8."""
    env = gym.make(
        f"visnav/{name}", camera="front", image_size=WIDE, sensors=("rgb", "depth", "semantic", "instance")
    ).unwrapped
    seen, _ = env.reset(seed=level)
    idle = 1 if env.action_space.shape == () else np.zeros(env.action_space.shape, np.float32)
    for _ in range(STEPS.get(name, 3)):
        after, _, terminated, truncated, _ = env.step(idle)
        if terminated or truncated:
            break
        seen = after
    depth = 1 / (0.05 + seen["depth"][..., 0] / 40)
    colors = np.array([COLORS[kind] for kind in SEMANTIC_CLASSES], np.uint8)
    palette = (matplotlib.colormaps["tab20"](np.arange(20))[:, :3] * 255).astype(np.uint8)
    instance = seen["instance"]
    render = env.simulation.render
    return {
        "topdown, 180 m at most": render(0, "topdown", image_size=WIDE),
        "birdseye": render(0, "birdseye", image_size=SQUARE, metres_per_pixel=0.3),
        "birdseye 64 x 64": np.kron(render(0, "birdseye"), np.ones((3, 3, 1), np.uint8))[6:-6, 6:-6],
        "front": seen["rgb"],
        "depth": (matplotlib.colormaps["magma"](depth / 20)[..., :3] * 255).astype(np.uint8),
        "semantic": colors[seen["semantic"][..., 0]],
        "instance": np.where(instance > 0, palette[instance[..., 0] % 20], 30).astype(np.uint8),
        "night": render(0, "front", image_size=WIDE, lighting="night"),
        "fog": render(0, "front", image_size=WIDE, weather="fog"),
        'dusk, textures="all"': render(0, "front", image_size=WIDE, lighting="dusk", textures="all"),
    }


def main(names: list[str]) -> None:
    """A row for each layout, a column for each camera."""
    rows = {name: pictures(name, level) for level, name in enumerate(names or NAMES)}
    columns = next(iter(rows.values()))
    height = WIDE[0]
    width = GAP + sum(image.shape[1] + GAP for image in columns.values())
    surface = pygame.Surface((width, HEADING + len(rows) * (HEADING + height)))
    surface.fill(BACKGROUND)
    for number, (name, images) in enumerate(rows.items()):
        x, y = GAP, HEADING + number * (HEADING + height)
        surface.blit(written(name, 18, TEXT), (x, y + 8))
        for column, image in images.items():
            if number == 0:
                surface.blit(written(column, 16, MUTED), (x, 8))
            surface.blit(pygame.surfarray.make_surface(image.swapaxes(0, 1)), (x, y + HEADING))
            x += image.shape[1] + GAP
    picture = np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))
    write_picture(Path(__file__).with_name("driving.png"), picture)


if __name__ == "__main__":
    main(sys.argv[1:])
