"""`visnav watch RUN | ID [--expert]`: a trained policy, the expert, or random actions, in a window.

    visnav watch runs/visnav/MiniGrid-DoorKey-8x8-v0/2026-11-21_14-00-00 --split test
    visnav watch visnav/MiniGrid-DoorKey-8x8-v0 --level 7
    visnav watch visnav/highway-v0 --expert
    visnav watch runs/… --panes world,camera,saliency
    visnav watch visnav/MiniGrid-Playground-v0 --see runs/segment/grid runs/detect/grid --panes mask,predicted,boxes

`+` and `-` change the speed, space or `p` pauses, `.` or right plays one step, `n` goes to the next level,
backspace starts the level again, escape leaves. The bars are the probabilities of the next action, or its components.
What `--panes` may show is in `visnav.experiments.panes`; `--see` names what 04_detect.py or 05_segment_worlds.py saved.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from visnav.envs.experts import expert_of
from visnav.envs.viewer import Screen, Viewer
from visnav.experiments.episode import Episode, open_episode
from visnav.experiments.list import check_id
from visnav.experiments.panes import DETECTS, PANES, SEGMENTS, SHOWN_SCORE, Panes, Seer

if TYPE_CHECKING:
    from visnav.agents.actor import Actor
    from visnav.agents.seen import Sight

# From an episode to the action to play now and the probability of every action; of a Box, to its components and
# where each is between its bounds, 0 to 1.
Action = int | np.ndarray
Chooser = Callable[[Episode], tuple[Action, np.ndarray]]

SPEEDS = (1, 2, 4, 8, 15, 30, 60)  # steps a second
ENDING_SECONDS = 1.5  # how long the end of an episode stays on the screen
HELP = {
    "+ -": "speed",
    "space, p": "pause",
    "period, right": "one step",
    "n": "next level",
    "backspace": "this level again",
    "escape": "leave",
}


class Show:
    """Episodes played by a policy, at a speed, with a pause; `panes` are shown instead of the episode's own."""

    def __init__(
        self,
        episode: Episode,
        choose: Chooser,
        level: int | None = None,
        seed: int | None = None,
        panes: Panes | None = None,
    ) -> None:
        self.episode = episode
        self.choose = choose
        self.panes = panes
        self.running = True
        self.paused = False
        self.speed = SPEEDS.index(8)
        self.start(level, seed)

    def start(self, level: int | None = None, seed: int | None = None) -> None:
        """Start a level: the given one, or the next of the stream, which `seed` starts anew."""
        self.episode.reset(seed=seed, level=level)
        self.action, self.probabilities = self.choose(self.episode)

    def advance(self) -> None:
        """Play the action that is shown, or start the next level when the episode is over."""
        if self.episode.over:
            self.start()
            return
        self.episode.step(self.action)
        if not self.episode.over:
            self.action, self.probabilities = self.choose(self.episode)

    def press(self, key: str) -> None:
        """Do what a key stands for."""
        if key in ("escape", "quit"):
            self.running = False
        elif key in ("+", "="):
            self.speed = min(self.speed + 1, len(SPEEDS) - 1)
        elif key in ("-", "_"):
            self.speed = max(self.speed - 1, 0)
        elif key in ("space", "p"):
            self.paused = not self.paused
        elif key in (".", "right"):
            self.paused = True
            self.advance()
        elif key == "n":
            self.start()
        elif key == "backspace":
            self.start(self.episode.level)

    @property
    def delay(self) -> float:
        """Seconds until the next step."""
        return ENDING_SECONDS if self.episode.over else 1 / SPEEDS[self.speed]

    def screen(self) -> Screen:
        """What the window shows."""
        names = self.episode.action_names
        bars = dict(zip(names, self.probabilities.tolist(), strict=True))
        gauges = self.episode.gauges()
        return self.episode.screen(
            bars={name: bars[name] for name in bars if name not in gauges},
            chosen="" if isinstance(self.action, np.ndarray) else names[self.action],
            help=HELP,
            panes=None if self.panes is None else self.panes(),
            speed="paused" if self.paused else f"{SPEEDS[self.speed]} steps/s",
        )


def random_actions(seed: int | None) -> Chooser:
    """Every action with the same probability."""
    generator = np.random.default_rng(seed)

    def choose(episode: Episode) -> tuple[Action, np.ndarray]:
        count, space = len(episode.action_names), episode.env.action_space
        if isinstance(space, gym.spaces.Box):
            return within(space, generator.uniform(space.low, space.high))
        return int(generator.integers(count)), np.full(count, 1 / count)

    return choose


def expert_actions(episode: Episode) -> Chooser:
    """What the expert of the episode's family does.

    Raises ValueError where it does not know how.
    """
    expert = expert_of(episode.env)

    def choose(episode: Episode) -> tuple[Action, np.ndarray]:
        space, action = episode.env.action_space, expert.actions()[0]
        if isinstance(space, gym.spaces.Box):
            return within(space, action)
        certain = np.arange(len(episode.action_names)) == action  # of no action, where it has no plan
        return max(int(action), 0), certain.astype(float)

    return choose


def within(space: gym.spaces.Box, action: np.ndarray) -> tuple[Action, np.ndarray]:
    """An action of a Box, clipped to it, and where its components are between their bounds, 0 to 1."""
    action = np.clip(action, space.low, space.high)
    return action, (action - space.low) / (space.high - space.low)


def open_target(
    target: str,
    split: str | None,
    greedy: bool,
    seed: int | None,
    layout: Path | None = None,
    expert: bool = False,
    policy: str = "last",
    **options: Any,
) -> tuple[Episode, Chooser]:
    """The folder of a run as its worlds and its policy, an ID as its world and random actions, or the expert's.

    `layout` is the file of a level by hand to play instead; `options` of an ID go to `gym.make`. Raises ValueError
    when there is no such folder or ID, or the folder holds no policy, or the file no level, or there is no expert.
    """
    if Path(target).is_dir():
        if expert:
            raise ValueError(f"--expert plays the worlds of an ID; {target} is a run, with its own policy")
        if "camera" in options:
            raise ValueError(f"--camera is for an ID; {target} is a run, whose policy sees through its own camera")
        return open_run(Path(target), split, greedy, seed or 0, layout, policy)
    try:
        check_id(target)
    except gym.error.NameNotFound as error:
        raise ValueError(f"{target} is no folder of a run, and {error}") from error
    keywords = {"split": split} | ({} if layout is None else {"layout": layout})
    episode = open_episode(target, **keywords, **options)
    return episode, expert_actions(episode) if expert else random_actions(seed)


def open_run(
    folder: Path,
    split: str | None,
    greedy: bool,
    seed: int,
    layout: Path | None = None,
    policy: str = "last",
    env: tuple[str, ...] = (),
) -> tuple[Episode, Chooser]:
    """The worlds that a run was trained on, on levels of `split` or on a level by hand, and its last or best policy.

    `env` are keywords of the worlds instead of those of training or beside them. Raises
    CheckpointError (a ValueError) when the folder holds no run, or its policy is missing or damaged.
    """
    from visnav.agents.actor import Actor  # these need torch, which random actions do not
    from visnav.agents.seen import SeenWorlds
    from visnav.experiments.run import Run
    from visnav.experiments.training import make_worlds

    config = Run(folder).read_config().with_env(env)
    with contextlib.closing(make_worlds(config, 1, split, layout)) as envs:
        sight = envs.sight if isinstance(envs, SeenWorlds) else None
        choose = Trained(Actor(Run(folder).load_policy(config, envs, policy), greedy, seed), sight)
    keywords = config.env_keywords() | ({} if layout is None else {"layout": layout})
    return open_episode(config.id, split=split, **keywords), choose


class Trained:
    """What a trained policy does; a Chooser. `sight` is what it sees by, where it is shown no pictures."""

    def __init__(self, actor: "Actor", sight: "Sight | None" = None) -> None:
        self.actor, self.sight = actor, sight

    def __call__(self, episode: Episode) -> tuple[Action, np.ndarray]:
        if episode.steps == 0:
            self.actor.start()
        seen = self.sight.of(episode.observation) if self.sight else episode.observation
        action, probabilities = self.actor.act(seen)
        space = episode.env.action_space
        return within(space, np.asarray(action)) if isinstance(space, gym.spaces.Box) else (action, probabilities)


def open_seer(folder: Path) -> Seer:
    """A network that 04_detect.py or 05_segment_worlds.py saved, as a function of images.

    Raises CheckpointError (a ValueError) when the folder holds none, or it is damaged.
    """
    import torch  # which a window without networks does not need

    from visnav.agents.threads import sharing
    from visnav.experiments.seeing import load
    from visnav.perception.detection import Detector

    network, values = load(folder)

    @sharing()  # one thread, see visnav.agents.actor
    def classes_of(image: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(image)[None])[0].argmax(0).to(torch.uint8).numpy()

    @sharing()
    def boxes_in(image: np.ndarray) -> np.ndarray:
        assert isinstance(network, Detector)
        return network.detect(torch.from_numpy(image)[None], least_score=SHOWN_SCORE)[0]["boxes"].numpy()

    predict = boxes_in if isinstance(network, Detector) else classes_of
    return Seer(values["predicts"], tuple(values["classes"]), values["camera"], predict)


def make_panes(names: str | None, episode: Episode, choose: Chooser, seers: Sequence[Seer] = ()) -> Panes | None:
    """The panes by their names, with commas between; None for the episode's own.

    Networks alone are shown beside the camera. Raises ValueError where they do not fit, see `Panes`.
    """
    if names is None and not seers:
        return None
    shown = {SEGMENTS: "mask,predicted", DETECTS: "boxes"}
    names = names or ",".join(["camera", *(shown[seer.predicts] for seer in seers)])
    saliency = choose.actor.saliency if isinstance(choose, Trained) else None
    return Panes(names.split(","), episode, seers, saliency)


def run(show: Show, viewer: Viewer) -> None:
    """Show episodes until the window is closed."""
    due = time.monotonic() + show.delay
    while show.running:
        viewer.show(show.screen())
        for key in viewer.keys(60.0 if show.paused else due - time.monotonic()):
            show.press(key)
            due = time.monotonic() + show.delay
        if not show.paused and time.monotonic() >= due:
            show.advance()
            due = time.monotonic() + show.delay


def main(argv: list[str] | None = None) -> int:
    """Open the window and play until escape."""
    parser = argparse.ArgumentParser(prog="visnav watch", description="A policy in a window.")
    parser.add_argument("target", metavar="RUN|ID", help="the folder of a run, or an ID for random actions")
    parser.add_argument("--level", type=int, help="the first level (default: any)")
    parser.add_argument("--split", choices=("train", "test"), help="only levels of this split")
    parser.add_argument("--layout", metavar="FILE", type=Path, help="play a level by hand, see `visnav layout`")
    parser.add_argument("--policy", choices=("last", "best"), default="last", help="of a run: the last or the best")
    parser.add_argument("--greedy", action="store_true", help="play the most probable action, do not sample")
    parser.add_argument("--seed", type=int, help="of the levels and of the actions drawn")
    parser.add_argument("--expert", action="store_true", help="watch the expert instead of random actions")
    parser.add_argument("--camera", help="of an ID: what the agent sees through, such as first_person or front")
    parser.add_argument("--panes", help=f"what to show, with commas between: {', '.join(PANES)}")
    parser.add_argument("--see", metavar="FOLDER", type=Path, nargs="+", default=[], help="networks that predict")
    options = parser.parse_args(argv)
    seers = [open_seer(folder) for folder in options.see]
    looks: dict[str, Any] = {} if options.camera is None else {"camera": options.camera}
    if seers and not looks and not Path(options.target).is_dir():
        looks = dict(seers[0].camera)  # an ID is seen as the network learned to see
    episode, choose = open_target(
        options.target,
        options.split,
        options.greedy,
        options.seed,
        options.layout,
        options.expert,
        options.policy,
        **looks,
    )
    panes = make_panes(options.panes, episode, choose, seers)
    show = Show(episode, choose, options.level, options.seed, panes)
    with (
        contextlib.closing(episode.env),
        contextlib.closing(Viewer(f"visnav watch {episode.env_id}")) as viewer,
    ):
        run(show, viewer)
    return 0
