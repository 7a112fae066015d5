"""Draws docs/worlds.png, the picture in README.md: `python docs/worlds.py`."""

from pathlib import Path

import numpy as np
import pygame

from visnav.envs.viewer import BACKGROUND, TEXT, scaled, written
from visnav.experiments.episode import Episode
from visnav.experiments.record import write_picture

LEVELS = {  # the level to show of each world
    "DoorKey-8x8": 9,
    "FourRooms": 4,
    "LavaCrossingS11N5": 2,
    "KeyCorridorS4R3": 1,
    "MultiRoom-N6": 3,
    "GoToDoor-8x8": 5,
}
CELL, GAP, HEADING = 232, 10, 36  # pixels
COLUMNS = 3


def main() -> None:
    """Each world from above, and beside it what its agent sees."""
    rows = -(-len(LEVELS) // COLUMNS)
    width = GAP + COLUMNS * (2 * CELL + 2 * GAP)
    surface = pygame.Surface((width, rows * (HEADING + CELL + GAP)))
    surface.fill(BACKGROUND)
    for number, (name, level) in enumerate(LEVELS.items()):
        episode = Episode(f"visnav/MiniGrid-{name}-v0")
        episode.reset(level=level)
        x = GAP + number % COLUMNS * (2 * CELL + 2 * GAP)
        y = number // COLUMNS * (HEADING + CELL + GAP)
        surface.blit(written(name, 20, TEXT), (x, y + 12))
        for pane in episode.panes():
            image = scaled(pane.image, (4 * CELL, 4 * CELL))
            factor = CELL / max(image.get_size())
            small = pygame.transform.smoothscale(image, (image.width * factor, image.height * factor))
            surface.blit(small, (x + (CELL - small.width) // 2, y + HEADING + (CELL - small.height) // 2))
            x += CELL + 2
    picture = np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))
    write_picture(Path(__file__).with_name("worlds.png"), picture)


if __name__ == "__main__":
    main()
