"""One environment being played, with what a screen shows of it; shared by play, watch and the demo."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np

from visnav.envs import TASKS
from visnav.envs.checks import check_name
from visnav.envs.driving.simulation import KINEMATICS, DrivingSimulation
from visnav.envs.driving.world import TERMS
from visnav.envs.driving.world import Task as DrivingTask
from visnav.envs.viewer import Pane, Screen
from visnav.experiments.list import check_id

CAPTIONS = ("the world from above", "what the agent sees")
PANE_SIZES = {"birdseye": (360, 300), "front": (360, 480), "topdown": (300, 600)}  # (height, width) in pixels
GOAL_SCALE = 0.25  # m per pixel of "birdseye" where ego has a goal, which is to be seen
ROAD_CAPTIONS = {"birdseye": "from above", "front": "from the driver's place", "topdown": "the whole scene"}
PLACE = ("x", "y", "heading")  # of vehicles, which move between steps


class Episode:
    """An environment by its ID, the episode under way, and the record of those before it.

    `options` go to `gymnasium.make`. Raises gymnasium.error.NameNotFound, which names the nearest IDs.
    """

    def __init__(self, env_id: str, **options: Any) -> None:
        self.env = gym.make(check_id(env_id), render_mode="rgb_array", **options)
        self.env_id = env_id
        world: Any = self.env.unwrapped
        self.action_names: Sequence[str] = world.simulation.action_names  # of a Box, of its components
        self.ended = self.succeeded = 0  # finished episodes, and those among them that reached the aim

    def reset(self, seed: int | None = None, level: int | None = None) -> None:
        """Start an episode: the level that `seed` names, the given level, or the next one of the stream."""
        options = None if level is None else {"level": level}
        self.observation, self.info = self.env.reset(seed=seed, options=options)
        self.steps, self.reward, self.episode_return, self.action = 0, 0.0, 0.0, ""
        self.terminated = self.truncated = False

    @property
    def level(self) -> int:
        """The number of the level being played."""
        return int(self.info["level"])

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated

    @property
    def success(self) -> bool:
        """Whether the last step reached the aim."""
        return bool(self.info["success"])

    def step(self, action: int | np.ndarray) -> None:
        """Play one action: a number, or the components of a Box."""
        self.observation, reward, self.terminated, self.truncated, self.info = self.env.step(action)
        self.steps += 1
        self.reward = float(reward)
        self.episode_return += self.reward
        self.action = self.described(action)
        self.ended += self.over
        self.succeeded += self.over and self.success

    def described(self, action: int | np.ndarray) -> str:
        """An action in words."""
        if isinstance(action, np.ndarray):
            return ", ".join(f"{name} {value:+.2f}" for name, value in zip(self.action_names, action, strict=True))
        return self.action_names[action]

    def panes(self) -> list[Pane]:
        """The world from above and, when the camera makes pixels, the observation that the agent receives."""
        frame = cast(np.ndarray, self.env.render())
        images = [frame, *pixels(self.observation)]
        return [Pane(image, caption) for image, caption in zip(images, CAPTIONS, strict=False)]

    def banner(self) -> str:
        """How the episode ended, empty while it is under way."""
        if self.success:
            return f"success: reward {self.reward:.3f} in {self.steps} steps"
        if self.terminated:
            return f"failed after {self.steps} steps"
        return f"out of time after {self.steps} steps" if self.truncated else ""

    def lines(self) -> dict[str, str]:
        """Figures by their names."""
        lines = {
            "level": str(self.level),
            "step": str(self.steps),
            "action": self.action or "–",
            "reward": f"{self.reward:.3f}",
            "return": f"{self.episode_return:.3f}",
            "episodes won": f"{self.succeeded} of {self.ended}",
        }
        if "distance_to_goal" in self.info:
            lines |= {
                "to the goal": f"{self.info['distance_to_goal']:.2f} m",
                "SPL": f"{self.info['spl']:.2f}" if self.success else "–",
                "collisions": str(self.info["collisions"]),
            }
        return lines

    def gauges(self) -> dict[str, float]:
        """What is drawn from -1 to 1, by name."""
        return {}

    def screen(
        self,
        bars: Mapping[str, float] | None = None,
        chosen: str = "",
        help: Mapping[str, str] | None = None,
        panes: Sequence[Pane] | None = None,
        **fields: str,
    ) -> Screen:
        """What to show now; `panes` instead of its own, `fields` are further lines, the rest as in `Screen`."""
        return Screen(
            panes=self.panes() if panes is None else panes,
            mission=str(self.info["mission"]),
            fields=self.lines() | fields,
            bars=bars or {},
            chosen=chosen,
            gauges=self.gauges(),
            banner=self.banner(),
            good=self.success,
            help=help or {},
        )


class RoadEpisode(Episode):
    """An episode on the road: seen from above and from the driver's place.

    Args:
        env_id: of a driving world.
        cameras: of the panes, from the left.
        show_observation: whether what the agent sees is one more pane.
        **options: go to `gymnasium.make`.

    Attributes:
        share: of the last step's time that has passed in what the cameras see, 0 to 1.
        collisions: episodes that ended in one.
    """

    def __init__(
        self,
        env_id: str,
        cameras: Sequence[str] = ("birdseye", "front"),
        show_observation: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(env_id, **options)
        self._simulation: DrivingSimulation = cast(Any, self.env.unwrapped).simulation
        for name in cameras:
            check_name("camera", name, PANE_SIZES)
        self._cameras = cameras
        self._show_observation = show_observation
        self._looks: dict[str, Any] = {
            name: options[name] for name in ("textures", "lighting", "weather") if name in options
        }
        self.share = 1.0
        self.collisions = 0

    @property
    def seconds(self) -> float:
        """Since the episode began, in the world's time."""
        return float(self._simulation.world.time[0])

    @property
    def policy_seconds(self) -> float:
        """How long an action is played."""
        return self._simulation.params.policy_dt * self._simulation.params.action_repeat

    def reset(self, seed: int | None = None, level: int | None = None) -> None:
        """As `Episode.reset`."""
        super().reset(seed, level)
        self._before = self._places()

    def step(self, action: int | np.ndarray) -> None:
        """As `Episode.step`."""
        self._before = self._places()
        super().step(action)
        self.collisions += self.over and bool(self.info["crashed"])

    def _places(self) -> list[np.ndarray]:
        vehicles = self._simulation.world.vehicles
        return [vehicles[name][0].copy() for name in PLACE]

    def banner(self) -> str:
        """How the drive ended, empty while it is under way."""
        if not self.over:
            return ""
        after = f"after {self.seconds:.0f} s"
        if self.info["crashed"]:
            return f"crashed {after}"
        if self._simulation.params.goal_distance > 0:
            return f"parked {after}" if self.terminated else f"not parked {after}"
        if not self.success:
            return f"left the road {after}"
        return f"arrived {after}" if self.terminated else f"drove {self.seconds:.0f} s without a crash"

    def lines(self) -> dict[str, str]:
        """Figures by their names, each reward term with its weight."""
        speed = self.info["speed"]
        lines = super().lines() | {
            "time": f"{self.seconds:.1f} s",
            "ego speed": f"{speed:.1f} m/s, {3.6 * speed:.0f} km/h",
            "collisions": str(self.collisions),
        }
        for k, weight in enumerate(self._simulation.params.weights):
            if weight != 0:
                name = TERMS[k].removesuffix("reward").replace("_", " ") + "term"
                lines[name] = f"{self.info[TERMS[k]]:.2f} × {weight:.2f}" if self.steps else "–"
        return lines

    def gauges(self) -> dict[str, float]:
        """Steering, to the right of the middle where the car turns right, and acceleration, of what is possible."""
        ego, params = self._simulation.world.vehicles[0, 0], self._simulation.params
        return {
            "steering": float(ego["steering"]) / params.steering_high,
            "acceleration": float(ego["acceleration"]) / params.acceleration_high,
        }

    def panes(self) -> list[Pane]:
        """What the cameras see when `share` of the last step's time has passed, and what the agent sees after it."""
        vehicles = self._simulation.world.vehicles
        after = self._places()
        for name, old, new in zip(PLACE, self._before, after, strict=True):
            vehicles[name][0] = old + self.share * (new - old)
        images = [self._render(name) for name in self._cameras]
        for name, new in zip(PLACE, after, strict=True):
            vehicles[name][0] = new
        panes = [Pane(image, ROAD_CAPTIONS[name]) for image, name in zip(images, self._cameras, strict=True)]
        if self._show_observation and self._simulation.camera != KINEMATICS:
            panes += [Pane(image, CAPTIONS[1]) for image in pixels(self.observation)]
        return panes

    def _render(self, camera: str) -> np.ndarray:
        options = dict(self._looks)
        if camera == "birdseye" and self._simulation.params.goal_distance > 0:
            options["metres_per_pixel"] = GOAL_SCALE
        return self._simulation.render(0, camera, image_size=PANE_SIZES[camera], **options)


def open_episode(env_id: str, **options: Any) -> Episode:
    """The episode of an ID, of its family.

    Raises gymnasium.error.NameNotFound, which names the nearest IDs.
    """
    is_road = isinstance(TASKS[check_id(env_id)](), DrivingTask)
    return (RoadEpisode if is_road else Episode)(env_id, **options)


def pixels(observation: Any) -> list[np.ndarray]:
    """The rgb image in an observation, as a list of one, or an empty list for symbols."""
    if isinstance(observation, dict):
        return [observation["rgb"]] if "rgb" in observation else []
    return [observation]
