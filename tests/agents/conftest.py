"""Two small worlds in plain NumPy that keep the contract of visnav.envs.gym.VectorEnv."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space


class ToyWorlds(gym.vector.VectorEnv):
    """Base: seeds, NEXT_STEP autoreset, `out=`, info, and state as arrays; a world adds `begin`, `act`, `draw`."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012, Gymnasium's own type

    def __init__(self, num_envs: int, shape: tuple[int, ...], actions: gym.Space) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(0, 255, shape, np.uint8)
        self.single_action_space = actions
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(actions, num_envs)
        self.arrays = {"clock": np.zeros(num_envs, np.int64), "target": np.zeros(num_envs, np.int64)}
        self.arrays["ended"] = np.zeros(num_envs, bool)
        self.arrays["random"] = np.zeros(num_envs, np.uint64)

    def draw_target(self, rows: np.ndarray) -> None:
        """A new target of 0 or 1: a linear congruential generator a row (Knuth's MMIX constants)."""
        state = self.arrays["random"]
        state[rows] = state[rows] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        self.arrays["target"][rows] = (state[rows] >> np.uint64(63)).astype(np.int64)
        self.arrays["clock"][rows] = 0

    def frame(self) -> np.ndarray:
        raise NotImplementedError

    def judge(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """reward, terminated, truncated of every row, for the clock as it stands after the step."""
        raise NotImplementedError

    def observe(self, out: np.ndarray | None) -> np.ndarray:
        if out is None:
            return self.frame()
        out[...] = self.frame()
        return out

    def info(self, success: np.ndarray) -> dict[str, Any]:
        return {"success": success, "level": self.arrays["random"].astype(np.int64)}

    def reset(self, *, seed: Any = None, options: Any = None, out: np.ndarray | None = None) -> tuple[Any, dict]:
        seeds = np.arange(self.num_envs) + seed if isinstance(seed, int) else np.asarray(seed)
        self.arrays["random"][:] = seeds
        self.arrays["ended"][:] = False
        self.draw_target(np.ones(self.num_envs, bool))
        return self.observe(out), self.info(np.zeros(self.num_envs, bool))

    def step(self, actions: np.ndarray, *, out: np.ndarray | None = None) -> tuple[Any, ...]:
        fresh = self.arrays["ended"].copy()
        self.arrays["clock"] += 1
        reward, terminated, truncated = (np.where(fresh, 0, values) for values in self.judge(actions))
        self.draw_target(fresh)
        terminated, truncated = terminated.astype(bool), truncated.astype(bool)
        self.arrays["ended"][:] = terminated | truncated
        return self.observe(out), reward.astype(float), terminated, truncated, self.info(reward > 0)

    def get_state(self, slots: Any = None) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in self.arrays.items()}

    def set_state(self, state: dict[str, np.ndarray], slots: Any = None) -> None:
        for name, array in self.arrays.items():
            array[...] = state[name]


class Bandit(ToyWorlds):
    """One step: the image is dark or bright, and the action must name which."""

    def __init__(self, num_envs: int, continuous: bool = False) -> None:
        actions = gym.spaces.Box(-1, 1, (1,), np.float32) if continuous else gym.spaces.Discrete(2)
        super().__init__(num_envs, (24, 24, 3), actions)

    def frame(self) -> np.ndarray:
        shade = (64 + 128 * self.arrays["target"]).astype(np.uint8)
        return np.broadcast_to(shade[:, None, None, None], (self.num_envs, 24, 24, 3)).copy()

    def judge(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = actions if actions.ndim == 1 else actions[:, 0] > 0
        reward = (chosen == self.arrays["target"]).astype(float)
        return reward, np.ones(self.num_envs, bool), np.zeros(self.num_envs, bool)


class Cue(ToyWorlds):
    """Two steps: a dark or bright cue is shown, then a grey image; the second action must name the cue.

    A third of the worlds are cut off (truncated) where the others terminate. Only a memory, here a stack of two
    frames, can succeed more than half of the time.
    """

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs, (24, 24, 1), gym.spaces.Discrete(2))

    def frame(self) -> np.ndarray:
        clock, target = self.arrays["clock"], self.arrays["target"]
        shade = np.where(clock == 0, 1 + 254 * target, 128).astype(np.uint8)
        return np.broadcast_to(shade[:, None, None, None], (self.num_envs, 24, 24, 1)).copy()

    def judge(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        last = self.arrays["clock"] >= 2
        cut = np.arange(self.num_envs) % 3 == 0
        return (last & (actions == self.arrays["target"])).astype(float), last & ~cut, last & cut


@pytest.fixture
def bandit() -> Callable[..., Bandit]:
    return Bandit


@pytest.fixture
def cue() -> Callable[[int], Cue]:
    return Cue
