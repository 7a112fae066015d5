"""`visnav play ID [--seed K] [--camera NAME] [--layout FILE]`: an environment in a window, played with the keyboard.

    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --seed 7
    visnav play visnav/MiniGrid-DoorKey-8x8-v0 --layout mine.txt     (`visnav layout` prints a level to begin with)
    visnav play visnav/Maze-PointGoal-9x9-v0

The keys are MiniGrid's: arrows turn and move, space toggles, page up or tab picks up, page down or left shift
drops, return is `done`, backspace starts the level again, escape leaves. `n` goes to the next level. In mazes arrows
turn by 10° and move by 0.25 m, and return is `stop`. On roads time goes on: see `Drive`.
"""

import argparse
import contextlib
import time
from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from visnav.envs import TASKS
from visnav.envs.driving.world import Task as DrivingTask
from visnav.envs.viewer import Screen, Viewer
from visnav.experiments.episode import Episode, RoadEpisode
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
ROAD_KEYS = {"left": "lane left", "right": "lane right", "up": "faster", "down": "slower"}
ROAD_HELP = {"left, right": "change lane", "up, down": "faster, slower", "space, p": "pause", **LEVEL_HELP}
WHEEL_HELP = {"left, right": "steer", "up, down": "throttle, brake", "space, p": "pause", **LEVEL_HELP}
MAZE_HELP = {"arrows": "turn, move forward", "return": "stop: I am there", **LEVEL_HELP}
FIRST_PERSON_SIZE = (240, 320)  # pixels, height and width, of what the player sees in first person
FRAME_SECONDS = 1 / 15  # of real time between pictures of the road
FULL_LOCK_SPEED = 5.0  # m/s up to which a held arrow turns the wheel fully; less the faster the car is
WHEEL_SHARE = 0.6  # of the way to where the arrows turn the wheel, that it goes in WHEEL_SECONDS
WHEEL_SECONDS = 0.2


def open_episode(env_id: str, camera: str | None, layout: Path | None = None) -> Episode:
    """The world of an ID, seen through a camera (None: its own; on roads birdseye and front), for the keyboard.

    `layout` is the file of a level by hand to play instead of the ID's own.
    """
    task = TASKS[check_id(env_id)]()
    if isinstance(task, DrivingTask):
        if layout is not None:
            raise ValueError(f"--layout is for grid worlds; {env_id} is a road")
        cameras = ("birdseye", "front") if camera is None else (camera,)
        return RoadEpisode(env_id, cameras, show_observation=False, camera="kinematics")
    options: dict[str, Any] = {"layout": layout} | ({"actions": "discrete"} if task.continuous else {})
    camera = task.camera if camera is None else camera
    if camera == "first_person":
        options["image_size"] = FIRST_PERSON_SIZE
    return Episode(env_id, camera=camera, **options)


class Game:
    """An episode moved by key presses: the world stands still between them."""

    def __init__(self, episode: Episode, seed: int | None = None) -> None:
        self.episode = episode
        self.keys, self.help = ACTION_KEYS, HELP
        if "stop" in episode.action_names:
            self.keys, self.help = MAZE_KEYS, MAZE_HELP
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


class Drive:
    """An episode on the road, where time goes on.

    Of meta actions, the last key pressed is played at the next policy step, and nothing (`idle`) without one. Of
    steering and throttle, arrows act while they are held. What moves is shown on its way from one step to the next.
    """

    def __init__(self, episode: RoadEpisode, seed: int | None = None) -> None:
        self.episode = episode
        self.is_meta = "idle" in episode.action_names
        if not self.is_meta and isinstance(episode.env.action_space, gym.spaces.Discrete):
            raise ValueError(f"{episode.env_id} has actions that no key stands for; `visnav watch` shows it")
        self.help = ROAD_HELP if self.is_meta else WHEEL_HELP
        self.running = True
        self.paused = False
        self.start(seed=seed)

    def start(self, seed: int | None = None, level: int | None = None) -> None:
        """Start a level: the given one, or the next of the stream, which `seed` starts anew."""
        self.episode.reset(seed=seed, level=level)
        self.pending = "idle"
        self.wheel = 0.0

    def press(self, key: str) -> None:
        """Do what a key stands for; when the episode is over, an arrow starts the next level."""
        if key in ("escape", "quit"):
            self.running = False
        elif key == "backspace":
            self.start(level=self.episode.level)
        elif key == "n" or (key in ROAD_KEYS and self.episode.over):
            self.start()
        elif key in ("space", "p"):
            self.paused = not self.paused
        elif self.is_meta and ROAD_KEYS.get(key) in self.episode.action_names:  # some roads have fewer actions
            self.pending = ROAD_KEYS[key]

    def command(self, held: Set[str]) -> np.ndarray:
        """Throttle and wheel, or the one of them that is controlled, from the arrows that are held."""
        speed = abs(self.episode.info["speed"])
        most = min(1.0, FULL_LOCK_SPEED / speed) if speed > 0 else 1.0
        wanted = most * (("right" in held) - ("left" in held))
        self.wheel += (1 - (1 - WHEEL_SHARE) ** (self.episode.policy_seconds / WHEEL_SECONDS)) * (wanted - self.wheel)
        by_name = {"acceleration": float(("up" in held) - ("down" in held)), "steering": self.wheel}
        return np.array([by_name[name] for name in self.episode.action_names], np.float32)

    def advance(self, held: Set[str]) -> None:
        """Play one policy step; `held` names the keys that are down."""
        if self.is_meta:
            self.episode.step(list(self.episode.action_names).index(self.pending))
            self.pending = "idle"
        else:
            self.episode.step(self.command(held))

    def screen(self, share: float = 1.0) -> Screen:
        """What the window shows when `share` of the step's time has passed; how it ends is told at its end."""
        self.episode.share = share
        fields: dict[str, Any] = (
            {"next": "paused" if self.paused else self.pending} if self.is_meta or self.paused else {}
        )
        screen = self.episode.screen(help=self.help, **fields)
        return screen if share >= 1 else replace(screen, banner="")


def run(game: Drive, viewer: Viewer) -> None:
    """Play in real time until the window is closed."""
    begun = time.monotonic()
    while game.running:
        passed = (time.monotonic() - begun) / game.episode.policy_seconds
        if passed >= 1 and not (game.paused or game.episode.over):
            game.advance(viewer.held)
            begun, passed = time.monotonic(), 0.0
        viewer.show(game.screen(min(passed, 1.0)))
        for key in viewer.keys(FRAME_SECONDS):
            game.press(key)


def main(argv: list[str] | None = None) -> int:
    """Open the window and play until escape."""
    parser = argparse.ArgumentParser(prog="visnav play", description="Play with the keyboard.")
    parser.add_argument("id", help="an environment, for example visnav/MiniGrid-DoorKey-8x8-v0")
    parser.add_argument("--seed", type=int, help="the first level (default: any)")
    parser.add_argument(
        "--camera",
        help="what the agent sees: tiles, full, first_person or symbolic; on roads birdseye, front or topdown",
    )
    parser.add_argument("--layout", metavar="FILE", type=Path, help="play a level by hand, see `visnav layout`")
    options = parser.parse_args(argv)
    episode = open_episode(options.id, options.camera, options.layout)
    with contextlib.closing(episode.env):
        if isinstance(episode, RoadEpisode):
            drive = Drive(episode, options.seed)
            with contextlib.closing(Viewer(f"visnav play {options.id}")) as viewer:
                run(drive, viewer)
            return 0
        game = Game(episode, options.seed)
        with contextlib.closing(Viewer(f"visnav play {options.id}")) as viewer:
            while game.running:
                viewer.show(game.screen())
                for key in viewer.keys(seconds=60.0):
                    game.press(key)
    return 0
