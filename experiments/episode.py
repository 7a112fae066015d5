"""One environment being played, with what a screen shows of it; shared by play, watch and the demo."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np

from visnav.envs.viewer import Pane, Screen
from visnav.experiments.list import check_id

CAPTIONS = ("the world from above", "what the agent sees")


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

    def screen(
        self,
        bars: Mapping[str, float] | None = None,
        chosen: str = "",
        help: Mapping[str, str] | None = None,
        **fields: str,
    ) -> Screen:
        """What to show now; `fields` are further lines, the rest as in `Screen`."""
        if self.success:
            banner = f"success: reward {self.reward:.3f} in {self.steps} steps"
        elif self.terminated:
            banner = f"failed after {self.steps} steps"
        else:
            banner = f"out of time after {self.steps} steps" if self.truncated else ""
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
        return Screen(
            panes=self.panes(),
            mission=str(self.info["mission"]),
            fields=lines | fields,
            bars=bars or {},
            chosen=chosen,
            banner=banner,
            good=self.success,
            help=help or {},
        )


def pixels(observation: Any) -> list[np.ndarray]:
    """The rgb image in an observation, as a list of one, or an empty list for symbols."""
    if isinstance(observation, dict):
        return [observation["rgb"]] if "rgb" in observation else []
    return [observation]
