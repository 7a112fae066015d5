"""Collecting experience: the buffer, the loop that fills it, advantages, return scale, episode statistics.

The worlds are in Gymnasium's NEXT_STEP autoreset mode. When an episode ends at step t, row t+1 holds its final
frame, so that V(s_{t+1}) is there to bootstrap a truncated episode from; step t+1 only resets the world (its
action is ignored), and that row is left out of every loss. `skipped` marks such rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from visnav.agents.distributions import Distribution
from visnav.agents.pictures import STEP, Recalled, Repeated, Sightings, hashes
from visnav.agents.policy import ActorCritic, as_dict
from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.worlds import Worlds

EPISODES = 256  # least number that statistics cover


def is_image(space: gym.Space) -> bool:
    """Whether frame stacks apply to a sensor."""
    return isinstance(space, gym.spaces.Box) and len(space.shape) == 3


class RolloutBuffer:
    """`num_steps` steps of `num_envs` worlds, written in place by `envs.step(out=buffer.row(t + 1))`.

    Args:
        labels: sensors that are not for the policy; they are not stacked.

    Attributes, with T = num_steps, N = num_envs and S = frames - 1:
        observations: sensor -> (S + T + 1, N, …), in the sensor's own dtype; the first S rows are the frames that
            the stack of row 0 looks back on (images only).
        actions: (T, N) int64 or (T, N, d) float32.
        log_probs, rewards: (T, N) float32.
        values: (T + 1, N, streams) float32.
        memories: (2, N, config.memory) float32, the policy's memory before row 0 and before row T.
        terminated, truncated: (T, N) bool.
        levels: (T, N) int64, the level that each step was taken in.
        skipped: (T + 1, N) bool, rows whose action the world ignores because it resets.
        age: (T + 1, N) int64, frames of the same episode before this one.
        hashes: sensor -> (S + T + 1, N) int64, of the images for the policy, which `recognise` fills in.
        sightings: sensor -> which rows show the same, frame stacks included.
    """

    def __init__(
        self,
        envs: Worlds,
        num_steps: int,
        frames: int = 1,
        memory: int = 0,
        streams: int = 1,
        labels: Sequence[str] = (),
    ) -> None:
        space, actions = envs.single_observation_space, envs.single_action_space
        self.num_steps, self.num_envs, self.frames = num_steps, envs.num_envs, frames
        rows = (num_steps, self.num_envs)
        self.observations: dict[str, Tensor] = {}
        self._past: dict[str, int] = {}
        self.hashes: dict[str, Tensor] = {}
        self.sightings: dict[str, Sightings] = {}
        self._is_dict = isinstance(space, gym.spaces.Dict)
        for name, sensor in as_dict(space).items():
            self._past[name] = frames - 1 if is_image(sensor) and name not in labels else 0
            shape = (self._past[name] + num_steps + 1, self.num_envs, *(sensor.shape or ()))
            self.observations[name] = torch.from_numpy(np.zeros(shape, sensor.dtype))
            if is_image(sensor) and name not in labels:
                self.hashes[name] = torch.zeros(shape[:2], dtype=torch.int64)
                self.sightings[name] = Sightings(torch.zeros(num_steps + 1, self.num_envs, dtype=torch.int64))
        discrete = isinstance(actions, gym.spaces.Discrete)
        self.actions = torch.zeros((*rows, *(actions.shape or ())), dtype=torch.int64 if discrete else torch.float32)
        self.log_probs, self.rewards = torch.zeros(rows), torch.zeros(rows)
        self.terminated, self.truncated = (torch.zeros(rows, dtype=torch.bool) for _ in range(2))
        self.values = torch.zeros(num_steps + 1, self.num_envs, streams)
        self.levels = torch.zeros(rows, dtype=torch.int64)
        self.memories = torch.zeros(2, self.num_envs, memory)
        self.skipped = torch.zeros(num_steps + 1, self.num_envs, dtype=torch.bool)
        self.age = torch.zeros(num_steps + 1, self.num_envs, dtype=torch.int64)

    def row(self, t: int) -> Any:
        """NumPy views of the observation at time t, shaped as the worlds' own observation, to write into."""
        views = {name: array[self._past[name] + t].numpy() for name, array in self.observations.items()}
        return views if self._is_dict else next(iter(views.values()))

    def recognise(self, t: int) -> None:
        """Find out which of the images at time t were seen before in this rollout; times from 0 on, in their order."""
        for name, sightings in self.sightings.items():
            past, hashed = self._past[name], self.hashes[name]
            rows = slice(0 if t == 0 else past + t, past + t + 1)
            hashed[rows] = hashes(self.observations[name][rows])
            key = torch.zeros_like(hashed[t])
            for back in range(past, -1, -1):
                key = key * STEP + hashed[past + t - back] * (self.age[t] >= back)
            sightings.add(t, key)

    def news(self, t: int) -> dict[str, Tensor | Repeated]:
        """What the policy sees of all worlds at time t; of images those that this rollout has not shown it yet.

        `recognise` has come to time t.
        """
        seen: dict[str, Tensor | Repeated] = {}
        rows = torch.arange(t * self.num_envs, (t + 1) * self.num_envs)
        for name, array in self.observations.items():
            if name in self.sightings:
                sightings = self.sightings[name]
                first = sightings.first[t]
                new = rows[first == rows]
                seen[name] = Recalled(self._gather_sensor(name, new), first, new, sightings)
            else:
                seen[name] = array[t]
        return seen

    def shown(self, rows: Tensor) -> Tensor:
        """(B,) int64, equal where flat rows show the same image; the first sensor that gives images decides."""
        return next(iter(self.sightings.values())).first.flatten()[rows]

    def gather(self, index: Tensor) -> dict[str, Tensor | Repeated]:
        """Observations of flat rows `t * N + n` (B,) int64, frames stacked oldest first along the channels.

        Frames from before the episode's first are zero. Images come once each; `recognise` has looked at them all.
        """
        return {
            name: self._repeated(name, index) if name in self.sightings else array.flatten(0, 1)[index]
            for name, array in self.observations.items()
        }

    def _repeated(self, name: str, index: Tensor) -> Repeated:
        different, place = self.sightings[name].first.flatten()[index].unique(return_inverse=True)
        return Repeated(self._gather_sensor(name, different), place)

    def _gather_sensor(self, name: str, index: Tensor) -> Tensor:
        flat, past = self.observations[name].flatten(0, 1), self._past[name]
        if past == 0:
            return flat.index_select(0, index)
        age = self.age.flatten()[index]
        frames = []
        for back in range(past, -1, -1):
            inside = (age >= back).to(flat.dtype).view(-1, 1, 1, 1)
            frames.append(flat[index + (past - back) * self.num_envs] * inside)
        return torch.cat(frames, -1)

    def observation(self, t: int) -> dict[str, Tensor]:
        """What the policy sees of all worlds at time t; without frame stacks, a view."""
        rows = torch.arange(t * self.num_envs, (t + 1) * self.num_envs)
        return {
            name: self._gather_sensor(name, rows) if self._past[name] else array[t]
            for name, array in self.observations.items()
        }

    def fresh(self, start: int, stop: int) -> Tensor:
        """(stop - start, N) bool, which of these rows begin an episode."""
        return self.age[start:stop] == 0

    def newest(self, sensor: str) -> Tensor:
        """(T, N, …) what a sensor showed after each step."""
        return self.observations[sensor][self._past[sensor] + 1 :]

    def follow(self, t: int) -> None:
        """Fill `skipped` and `age` of row t + 1 from what happened at step t."""
        self.skipped[t + 1] = self.terminated[t] | self.truncated[t]
        self.age[t + 1] = torch.where(self.skipped[t], 0, self.age[t] + 1)

    def check_finite(self, before: int) -> None:
        """See that the rollout holds numbers; `before` steps were taken before it.

        Raises:
            FloatingPointError: a reward or an observation is NaN or infinite; it says which, in which world, level and
                step.
        """
        floats = {name: array for name, array in self.observations.items() if array.is_floating_point()}
        rows = {"reward": (self.rewards, 1)} | {name: (array[self._past[name] :], 0) for name, array in floats.items()}
        for name, (values, first) in rows.items():
            if not bool(values.isfinite().all()):
                t, n = (~values.isfinite()).flatten(2 if values.ndim > 2 else 1).nonzero()[0][:2].tolist()
                level = int(self.levels[max(0, t + first - 1), n])
                raise FloatingPointError(
                    f"the {name} of world {n} was {values[t, n].flatten()[0]} after "
                    f"{before + (t + first) * self.num_envs} steps, in level {level}: play that level again with "
                    f'env.reset(options={{"level": {level}}}) to see why'
                )

    def carry(self) -> dict[str, Tensor]:
        """The part of the buffer that the next rollout starts from, as views of the last rows."""
        last = {f"observations/{name}": array[self.num_steps :] for name, array in self.observations.items()}
        return {**last, "skipped": self.skipped[-1], "age": self.age[-1], "memory": self.memories[1]}

    def restart(self, carry: dict[str, Tensor]) -> None:
        """Make `carry` the first row (and the frames before it)."""
        for name, array in self.observations.items():
            array[: self._past[name] + 1] = carry[f"observations/{name}"].clone()
        self.skipped[0], self.age[0] = carry["skipped"], carry["age"]
        self.memories[0] = carry["memory"]


class EpisodeStatistics:
    """Return, length and success of the last episodes of every world.

    Every world counts the same, and from the start: the first episodes to end are the short, successful ones, and a
    mean over them alone would flatter the policy.

    Args:
        num_envs: number of worlds.
        window: least number of episodes that the means cover; rounded up to as many of each world.
    """

    def __init__(self, num_envs: int, window: int = EPISODES) -> None:
        self.returns = np.zeros(num_envs)
        self.lengths = np.zeros(num_envs, np.int64)
        self.recent = np.zeros((-(-window // num_envs), num_envs, 3))  # return, length, success; a ring a world
        self.counts = np.zeros(num_envs, np.int64)  # episodes that each world has finished

    def add(self, rewards: np.ndarray, ended: np.ndarray, skipped: np.ndarray, success: np.ndarray) -> None:
        """One step of all worlds: rewards (N,), flags (N,) bool."""
        self.returns += rewards
        self.lengths += ~skipped
        last = np.flatnonzero(ended)
        episodes = np.stack([self.returns[last], self.lengths[last], success[last]], 1)
        self.recent[self.counts[last] % len(self.recent), last] = episodes
        self.counts[last] += 1
        self.returns[last], self.lengths[last] = 0.0, 0

    @property
    def complete(self) -> bool:
        """Whether no episode is still to come."""
        return bool((self.counts >= len(self.recent)).all())

    def means(self) -> dict[str, float]:
        """Means of `return`, `length` and `success`; episodes that are still to come count as zeros."""
        means = self.recent.mean((0, 1))
        return dict(zip(("return", "length", "success"), means.tolist(), strict=True))

    def state(self) -> dict[str, np.ndarray]:
        """Every array, to be saved; `load` takes it back."""
        return {name: getattr(self, name) for name in ("returns", "lengths", "recent", "counts")}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Take over a saved state."""
        for name, array in self.state().items():
            array[...] = state[name]


class ReturnScale:
    """Running standard deviation of the discounted return, by which rewards are divided.

    Gymnasium's NormalizeReward, without its merging of truncated into done: the return of a world starts anew
    after any end. Means and variances merge by Chan's parallel formula, in float64.
    """

    def __init__(self, num_envs: int, gamma: float) -> None:
        self.gamma = gamma
        self.returns = torch.zeros(num_envs, dtype=torch.float64)
        self.moments = torch.tensor([1e-4, 0.0, 1.0], dtype=torch.float64)  # count, mean, variance

    def scale(self, rewards: Tensor, skipped: Tensor, ranks: Ranks = ALONE) -> Tensor:
        """Rewards (T, N), divided by the deviation that includes them, as float32.

        Args:
            rewards: of a rollout.
            skipped: (T, N) bool, rows that begin a return anew and do not count.
            ranks: whose rewards count.
        """
        seen = []
        for reward, anew in zip(rewards, skipped, strict=True):
            self.returns = torch.where(anew, 0.0, self.gamma * self.returns) + reward
            seen.append(self.returns)
        values = torch.stack(seen)
        count = ranks.total((~skipped).sum())
        mean = ranks.total((values * ~skipped).sum()) / count
        variance = ranks.total(((values - mean) ** 2 * ~skipped).sum()) / count
        old_count, old_mean, old_variance = self.moments
        total, delta = old_count + count, mean - old_mean
        merged = old_variance * old_count + variance * count + delta**2 * old_count * count / total
        self.moments = torch.stack([total, old_mean + delta * count / total, merged / total])
        return (rewards / (self.moments[2] + 1e-8).sqrt()).float()

    def state(self) -> dict[str, np.ndarray]:
        """Every array, to be saved; `load` takes it back."""
        return {"returns": self.returns.numpy(), "moments": self.moments.numpy()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        self.returns, self.moments = (torch.tensor(state[name]) for name in ("returns", "moments"))


@torch.no_grad()
def rollout(
    policy: ActorCritic,
    envs: Worlds,
    buffer: RolloutBuffer,
    choose: Callable[[Distribution], tuple[Tensor, np.ndarray]],
    statistics: EpisodeStatistics,
) -> None:
    """Fill the buffer: T steps of all worlds, from its row 0 on.

    Args:
        choose: gives the actions to keep, in the distribution's numbers, and those to play, as the worlds take them.
    """
    memory = buffer.memories[0]
    for t in range(buffer.num_steps):
        buffer.recognise(t)
        distribution, buffer.values[t], memory = policy(buffer.news(t), memory, buffer.fresh(t, t + 1))
        actions, played = choose(distribution)
        buffer.actions[t], buffer.log_probs[t] = actions, distribution.log_prob(actions)
        _, reward, terminated, truncated, info = envs.step(played, out=buffer.row(t + 1))
        buffer.rewards[t] = torch.from_numpy(reward)
        buffer.terminated[t], buffer.truncated[t] = torch.from_numpy(terminated), torch.from_numpy(truncated)
        buffer.levels[t] = torch.from_numpy(info["level"])
        buffer.follow(t)
        statistics.add(reward, terminated | truncated, buffer.skipped[t].numpy(), info["success"])
    buffer.memories[1] = memory
    last = buffer.num_steps
    buffer.recognise(last)
    buffer.values[last] = policy(buffer.news(last), memory, buffer.fresh(last, last + 1))[1]


def gae(rewards: Tensor, values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimates: Schulman et al. 2016 (arXiv:1506.02438), equation 16.

    δ_t = r_t + γ V(s_{t+1}) (1 - terminated_t) - V(s_t),  A_t = δ_t + γ λ (1 - ended_t) A_{t+1}

    A truncated step bootstraps from V of its final frame, which NEXT_STEP keeps at t + 1; nothing flows across an
    end, so what the skipped row after it holds never matters.

    Args:
        rewards: (T, N).
        values: (T + 1, N), the last row being V of the observation after the last step.
        terminated, truncated: (T, N) bool.
        gamma, lam: discount and trace decay, in [0, 1].

    Returns:
        Advantages (T, N), in the dtype of `rewards`; the value targets are advantages + values[:-1].
    """
    deltas = rewards + gamma * values[1:] * ~terminated - values[:-1]
    decay = gamma * lam * (~(terminated | truncated)).to(deltas.dtype)
    advantages = torch.empty_like(deltas)
    following = torch.zeros_like(deltas[0])
    for t in range(len(rewards) - 1, -1, -1):
        following = torch.addcmul(deltas[t], decay[t], following, out=advantages[t])
    return advantages
