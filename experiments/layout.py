"""`visnav layout ID [--level K]`: prints a level as text, one character a cell, to be edited and played again.

    visnav layout visnav/MiniGrid-DoorKey-8x8-v0 --level 7 > mine.txt
    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --layout mine.txt

`visnav.envs.grid.drawing` describes the format.
"""

import argparse
import contextlib

from visnav.envs.grid.drawing import to_text
from visnav.experiments.episode import Episode


def main(argv: list[str] | None = None) -> int:
    """Print the level."""
    parser = argparse.ArgumentParser(prog="visnav layout", description="A level as text, to be edited and played.")
    parser.add_argument("id", help="an environment, for example visnav/MiniGrid-DoorKey-8x8-v0")
    parser.add_argument("--level", type=int, default=0, help="its number (default: 0)")
    options = parser.parse_args(argv)
    episode = Episode(options.id, camera="symbolic")
    with contextlib.closing(episode.env):
        episode.reset(level=options.level)
        print(to_text(episode.env), end="")
    return 0
