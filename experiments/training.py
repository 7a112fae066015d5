"""What a training is made of: its configuration, its worlds, its policy and its trainer."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

import gymnasium as gym
import tyro

from visnav.agents.auxiliary import SENSORS, LabelLoss
from visnav.agents.imitation import Imitation
from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO, PPOConfig
from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.seen import SeenWorlds
from visnav.agents.worlds import Worlds
from visnav.envs.experts import expert_of
from visnav.envs.gym import VectorEnv
from visnav.experiments.list import check_id
from visnav.experiments.seeing import open_sight

ALGORITHMS = ("ppo", "clone", "dagger")


@dataclass(frozen=True)
class TrainConfig:
    """Train PPO from pixels in one of visnav's worlds."""

    id: Annotated[str, tyro.conf.Positional]
    """The worlds, such as visnav/MiniGrid-DoorKey-8x8-v0; `visnav list` prints them."""
    seed: int = 0
    """Of weights, worlds, actions and minibatches."""
    total_steps: int = 2_000_000
    """World steps to train for."""
    algorithm: str = "ppo"
    """ppo; or from the expert of these worlds: clone (it plays) or dagger (the policy plays more and more)."""
    start: str | None = None
    """Folder of a run whose policy is where this one starts, such as one of `--algorithm dagger`."""
    pretrained: Annotated[str | None, tyro.conf.Suppress] = None
    """Folder of a network that learned to see, where the encoder starts: `--encoder FOLDER`."""
    freeze_encoder: bool = False
    """Leave the encoder's maps as they are: those of `--encoder FOLDER`."""
    see: str | None = None
    """Folder of a network of 05_segment_worlds.py: the policy is shown the classes that it predicts instead of rgb."""
    auxiliary: str | None = None
    """segmentation or depth: the encoder also learns this, from a sensor that the policy does not see."""
    auxiliary_coef: float = 0.01
    """Weight of the auxiliary loss."""
    target_success: float | None = None
    """Stop early when this share of the last 256 episodes succeeded, such as 0.98."""
    split: str | None = "train"
    """Levels to train on; `visnav evaluate` uses the others (test). None: all levels."""
    env: tuple[str, ...] = ()
    """Keywords of the worlds, such as camera=full max_steps=100 'sensors=["rgb","mission"]'."""
    checkpoint_seconds: float = 60.0
    """Time between checkpoints; one more is written at the end and on Ctrl-C."""
    runs: str = "runs"
    """Folder of all runs."""
    ppo: Annotated[PPOConfig, tyro.conf.arg(name="")] = field(default_factory=PPOConfig)

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"unknown algorithm {self.algorithm!r}; choose one of {', '.join(ALGORITHMS)}")
        if self.auxiliary is not None and self.auxiliary not in SENSORS:
            raise ValueError(f"unknown auxiliary {self.auxiliary!r}; choose one of {', '.join(SENSORS)}")
        if self.freeze_encoder and not self.pretrained:
            raise ValueError(
                "freeze_encoder is for an encoder that has learned to see: give its folder, --encoder FOLDER"
            )
        if self.see and (self.pretrained or self.auxiliary):
            raise ValueError(
                "--see shows the policy classes instead of pictures: it has no encoder of pictures, which --encoder "
                "FOLDER and --auxiliary are for"
            )
        if not self.auxiliary_coef > 0:
            raise ValueError(f"auxiliary_coef must be greater than 0, got {self.auxiliary_coef}")
        if self.total_steps < 1:
            raise ValueError(f"total_steps must be at least 1, got {self.total_steps}")
        if self.target_success is not None and not 0 < self.target_success <= 1:
            raise ValueError(f"target_success must lie in (0, 1], got {self.target_success}")

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be resumed from."""
        names = ("id", "algorithm", "split", "freeze_encoder", "auxiliary", "auxiliary_coef")
        return {name: getattr(self, name) for name in names} | {"env": list(self.env)}

    def with_env(self, pairs: Sequence[str]) -> "TrainConfig":
        """The same in worlds with other keywords: pairs name=value instead of those there are, or beside them."""
        return replace(self, env=(*self.env, *pairs))

    def env_keywords(self) -> dict[str, Any]:
        """The `env` pairs as keywords: values are JSON where they parse as such, and text otherwise.

        Raises:
            ValueError: a pair has no `=`.
        """
        keywords = {}
        for pair in self.env:
            name, equals, text = pair.partition("=")
            if not equals:
                raise ValueError(f"--env takes pairs name=value, got {pair!r}")
            try:
                keywords[name] = json.loads(text)
            except json.JSONDecodeError:
                keywords[name] = text
        return keywords


def make_worlds(config: TrainConfig, num_envs: int, split: str | None, layout: Path | None = None) -> VectorEnv:
    """A batch of the worlds of a training, on levels of `split`, or on the level by hand that a file draws.

    Raises:
        gymnasium.error.Error: there are no such worlds.
        ValueError: a keyword that they do not have, or a value that is impossible; or the network of `see` is missing,
            damaged, or of another camera (CheckpointError).
    """
    try:
        keywords = config.env_keywords() | ({} if layout is None else {"layout": layout})
        envs = gym.make_vec(check_id(config.id), num_envs=num_envs, split=split, **keywords)
    except (TypeError, RuntimeError) as error:  # how visnav.envs refuses a keyword, as Python does, and a device
        raise ValueError(str(error)) from error
    worlds = cast(VectorEnv, envs)
    if config.see:
        return cast(VectorEnv, SeenWorlds(worlds, open_sight(Path(config.see), worlds.simulation.camera)))
    return worlds


def make_training_worlds(config: TrainConfig) -> VectorEnv:
    """The worlds to train in, with the sensor that an auxiliary loss learns from.

    Raises:
        gymnasium.error.Error, ValueError: see `make_worlds`; or they do not have that sensor, or the policy sees it.
    """
    num_envs = config.ppo.num_envs
    if config.auxiliary is None:
        return make_worlds(config, num_envs, config.split)
    label = SENSORS[config.auxiliary]
    with contextlib.closing(make_worlds(config, 1, config.split)) as worlds:
        seen = list(worlds.simulation.sensor_spaces)
    if label in seen:
        raise ValueError(
            f"--auxiliary {config.auxiliary} learns from the sensor {label!r}, which the policy sees already: leave it "
            f"out of sensors={seen}"
        )
    pair = f"sensors={json.dumps([*seen, label])}"
    try:
        return make_worlds(replace(config, env=(*config.env, pair)), num_envs, config.split)
    except ValueError as error:
        raise ValueError(f"--auxiliary {config.auxiliary} learns from the sensor {label!r}: {error}") from error


def make_policy(config: TrainConfig, envs: Worlds) -> ActorCritic:
    """The policy of a training, with its first weights."""
    streams = 2 if config.ppo.curiosity else 1
    return ActorCritic(envs.single_observation_space, envs.single_action_space, config.ppo, streams, config.seed)


def make_trainer(config: TrainConfig, envs: VectorEnv, ranks: Ranks = ALONE) -> PPO:
    """The trainer of a training, before its first step, with the first weights of its seed.

    Raises:
        ValueError: the policy does not fit the worlds, or there is no expert for them.
    """
    seed, steps = config.seed, config.total_steps
    auxiliary = None if config.auxiliary is None else LabelLoss(config.auxiliary, config.auxiliary_coef, seed)
    common = seed, steps, ranks, auxiliary
    if config.algorithm == "ppo":
        trainer = PPO(envs, config.ppo, *common)
    else:
        trainer = Imitation(envs, config.ppo, expert_of(envs), config.algorithm == "dagger", *common)
    if config.freeze_encoder:
        trainer.policy.rgb_encoder().maps.requires_grad_(False)
    return trainer
