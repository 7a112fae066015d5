"""`visnav play ID [--seed K] [--camera NAME] [--layout FILE]`: an environment in a window, played with the keyboard.

    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --seed 7
    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --layout mine.txt     (`visnav layout` prints a level to begin with)
    visnav play visnav/Maze-PointGoal-9x9-v0

The keys are MiniGrid's: arrows turn and move, space toggles, page up or tab picks up, page down or left shift
drops, return is `done`, backspace starts the level again, escape leaves. `n` goes to the next level. In mazes arrows
turn by 10° and move by 0.25 m, and return is `stop`.
"""

import argparse
import contextlib
from pathlib import Path
from typing import Any

import gymnasium as gym

from visnav.envs import TASKS
from visnav.envs.driving.world import Task as DrivingTask
from visnav.envs.viewer import Screen, Viewer
from visnav.experiments.episode import Episode
from visnav.experiments.list import check_id

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
MAZE_KEYS = {"left": "left", "right": "right", "up": "forward", "return": "stop"}
LEVEL_HELP = {"backspace": "this level again", "n": "next level", "escape": "leave"}
HELP = {
    "arrows": "turn, move forward",
    "space": "toggle",
    "page up, tab": "pick up",
    "page down, left shift": "drop",
    "return": "done",
    **LEVEL_HELP,
}
ROAD_KEYS = {"left": "lane left", "right": "lane right", "up": "faster", "down": "slower", "space": "idle"}
ROAD_HELP = {"arrows": "change lane, faster, slower", "space": "go on", **LEVEL_HELP}
MAZE_HELP = {"arrows": "turn, move forward", "return": "stop: I am there", **LEVEL_HELP}
FIRST_PERSON_SIZE = (240, 320)  # pixels, height and width, of what the player sees in first person


def open_episode(env_id: str, camera: str | None, layout: Path | None = None) -> Episode:
    """The world of an ID, seen through a camera (None: its own), with actions for the keyboard.

    `layout` is the file of a level by hand to play instead of the ID's own.
    """
    task = TASKS[check_id(env_id)]()
    options: dict[str, Any] = {}
    if isinstance(task, DrivingTask):
        camera = "front" if camera is None else camera
    else:
        options |= {"layout": layout} | ({"actions": "discrete"} if task.continuous else {})
    camera = task.camera if camera is None else camera
    if camera in ("first_person", "front", "birdseye"):
        options["image_size"] = FIRST_PERSON_SIZE
    episode = Episode(env_id, camera=camera, **options)
    if not episode.action_names or not isinstance(episode.env.action_space, gym.spaces.Discrete):
        raise ValueError(f"{env_id} is driven with numbers, not with keys; `visnav watch {env_id}` shows it")
    return episode


class Game:
    """An episode moved by key presses."""

    def __init__(self, episode: Episode, seed: int | None = None) -> None:
        self.episode = episode
        self.keys, self.help = ACTION_KEYS, HELP
        if "stop" in episode.action_names:
            self.keys, self.help = MAZE_KEYS, MAZE_HELP
        elif "idle" in episode.action_names:
            self.keys, self.help = ROAD_KEYS, ROAD_HELP
        self.running = True
        episode.reset(seed=seed)

    def press(self, key: str) -> None:
        """Do what a key stands for; when the episode is over, any key of an action starts the next level."""
        if key in ("escape", "quit"):
            self.running = False
        elif key == "backspace":
            self.episode.reset(level=self.episode.level)
        elif key == "n" or (key in self.keys and self.episode.over):
            self.episode.reset()
        elif self.keys.get(key) in self.episode.action_names:  # some worlds have fewer actions
            self.episode.step(self.episode.action_names.index(self.keys[key]))

    def screen(self) -> Screen:
        """What the window shows."""
        return self.episode.screen(help=self.help)


def main(argv: list[str] | None = None) -> int:
    """Open the window and play until escape."""
    parser = argparse.ArgumentParser(prog="visnav play", description="Play with the keyboard.")
    parser.add_argument("id", help="an environment, for example visnav/MiniGrid-DoorKey-8x8-v0")
    parser.add_argument("--seed", type=int, help="the first level (default: any)")
    parser.add_argument(
        "--camera", help="what the agent sees: tiles, full, first_person or symbolic; birdseye or front"
    )
    parser.add_argument("--layout", metavar="FILE", type=Path, help="play a level by hand, see `visnav layout`")
    options = parser.parse_args(argv)
    game = Game(open_episode(options.id, options.camera, options.layout), options.seed)
    with (
        contextlib.closing(game.episode.env),
        contextlib.closing(Viewer(f"visnav play {options.id}")) as viewer,
    ):
        while game.running:
            viewer.show(game.screen())
            for key in viewer.keys(seconds=60.0):
                game.press(key)
    return 0
