"""The policy of a run, acting in one episode on the screen."""

import contextlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visnav.agents.checkpoint import CheckpointError
from visnav.agents.policy import ActorCritic, as_dict
from visnav.experiments.episode import Episode
from visnav.experiments.run import Run, make_worlds


class TrainedPolicy:
    """Chooses actions in an episode; keeps the frames that the policy's stack needs.

    Args:
        greedy: take the most probable action instead of sampling.
        seed: of the sampled actions.
    """

    def __init__(self, policy: ActorCritic, greedy: bool = False, seed: int = 0) -> None:
        self.policy, self.greedy = policy, greedy
        self.generator = torch.Generator().manual_seed(seed)
        self.frames: dict[str, list[Tensor]] = {}  # image sensor -> its last frames, (1, H, W, C), oldest first

    @torch.no_grad()
    def __call__(self, episode: Episode) -> tuple[int, np.ndarray]:
        """The action to play now, and the probability of every action."""
        sensors = {name: torch.as_tensor(value)[None] for name, value in as_dict(episode.observation).items()}
        for name, value in sensors.items():
            if value.ndim == 4:
                blank = [torch.zeros_like(value)] * self.policy.frames
                past = blank if episode.steps == 0 else self.frames[name]
                self.frames[name] = [*past[1:], value]
                sensors[name] = torch.cat(self.frames[name], -1)
        distribution, _ = self.policy(sensors)
        action = distribution.mode() if self.greedy else distribution.sample(self.generator)
        return int(action), distribution.log_probs[0].exp().numpy()


def open_run(folder: Path, split: str | None, greedy: bool = False, seed: int = 0) -> tuple[Episode, TrainedPolicy]:
    """An episode of the worlds that a run was trained on, on levels of `split`, and the policy to play it.

    Raises:
        ValueError: the folder holds no run, or its policy is missing or damaged.
    """
    run = Run(folder)
    try:
        config = run.read_config()
        with contextlib.closing(make_worlds(config, 1, split)) as envs:
            policy = run.load_policy(config, envs)
    except CheckpointError as error:
        raise ValueError(str(error)) from error
    return Episode(config.id, split=split, **config.env_keywords()), TrainedPolicy(policy, greedy, seed)
