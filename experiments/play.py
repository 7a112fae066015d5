"""`visnav play ID [--seed K] [--camera NAME] [--layout FILE]`: an environment in a window, played with the keyboard.

    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --seed 7
    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --layout mine.txt     (`visnav layout` prints a level to begin with)

The keys are MiniGrid's: arrows turn and move, space toggles, page up or tab picks up, page down or left shift
drops, return is `done`, backspace starts the level again, escape leaves. `n` goes to the next level.
"""

import argparse
import contextlib
from pathlib import Path

from visnav.envs.viewer import Screen, Viewer
from visnav.experiments.episode import Episode

ACTION_KEYS = {  # name of the key -> name of the action, as in minigrid/manual_control.py
    "left": "left",
    "right": "right",
    "up": "forward",
    "space": "toggle",
    "page up": "pickup",
    "tab": "pickup",
    "page down": "drop",
    "left shift": "drop",
    "return": "done",
}
HELP = {
    "arrows": "turn, move forward",
    "space": "toggle",
    "page up, tab": "pick up",
    "page down, left shift": "drop",
    "return": "done",
    "backspace": "this level again",
    "n": "next level",
    "escape": "leave",
}


class Game:
    """An episode moved by key presses."""

    def __init__(self, episode: Episode, seed: int | None = None) -> None:
        self.episode = episode
        self.running = True
        episode.reset(seed=seed)

    def press(self, key: str) -> None:
        """Do what a key stands for; when the episode is over, any key of an action starts the next level."""
        if key in ("escape", "quit"):
            self.running = False
        elif key == "backspace":
            self.episode.reset(level=self.episode.level)
        elif key == "n" or (key in ACTION_KEYS and self.episode.over):
            self.episode.reset()
        elif ACTION_KEYS.get(key) in self.episode.action_names:  # some worlds have fewer actions
            self.episode.step(self.episode.action_names.index(ACTION_KEYS[key]))

    def screen(self) -> Screen:
        """What the window shows."""
        return self.episode.screen(help=HELP)


def main(argv: list[str] | None = None) -> int:
    """Open the window and play until escape."""
    parser = argparse.ArgumentParser(prog="visnav play", description="Play with the keyboard.")
    parser.add_argument("id", help="an environment, for example visnav/MiniGrid-DoorKey-8x8-v0")
    parser.add_argument("--seed", type=int, help="the first level (default: any)")
    parser.add_argument("--camera", default="tiles", help="what the agent sees: tiles, full or symbolic")
    parser.add_argument("--layout", metavar="FILE", type=Path, help="play a level by hand, see `visnav layout`")
    options = parser.parse_args(argv)
    game = Game(Episode(options.id, camera=options.camera, layout=options.layout), options.seed)
    with (
        contextlib.closing(game.episode.env),
        contextlib.closing(Viewer(f"visnav play {options.id}")) as viewer,
    ):
        while game.running:
            viewer.show(game.screen())
            for key in viewer.keys(seconds=60.0):
                game.press(key)
    return 0
