"""Stable-Baselines3's PPO on visnav's worlds, with our encoder and hyper-parameters: an example and a comparison.

    python -m visnav.experiments.train_sb3 visnav/MiniGrid-DoorKey-6x6-v0 --target-success 0.98
    python -m visnav.experiments.train_sb3 MiniGrid-DoorKey-6x6-v0 --zoo

The second line trains on the original worlds (package minigrid), flat symbols, eight processes' worth of them in
one, with rl-baselines3-zoo's hyper-parameters for MiniGrid. Both print the success rate on unseen levels.
"""

import sys
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor, VecNormalize

import visnav.envs  # noqa: F401, registers the IDs
from visnav.agents.ppo import PPOConfig
from visnav.agents.rollout import EpisodeStatistics
from visnav.agents.sb3 import EncoderExtractor, VisnavVecEnv

UNSEEN = 10**6  # first seed of the evaluation in the original worlds, which have no split


@dataclass(frozen=True)
class SB3Config:
    """Train Stable-Baselines3's PPO."""

    id: Annotated[str, tyro.conf.Positional] = "visnav/MiniGrid-DoorKey-8x8-v0"
    """The worlds; with --zoo an ID of the package minigrid."""
    seed: int = 0
    """Of weights, worlds and actions."""
    total_steps: int = 2_000_000
    """World steps to train for."""
    target_success: float | None = None
    """Stop early when this share of the last episodes succeeded."""
    episodes: int = 500
    """Episodes of the evaluation."""
    zoo: bool = False
    """The original worlds with rl-baselines3-zoo's settings."""
    ppo: Annotated[PPOConfig, tyro.conf.arg(name="")] = field(default_factory=PPOConfig)


def visnav_worlds(config: SB3Config, split: str) -> VecEnv:
    """A batch of our worlds as SB3 takes it."""
    envs = gym.make_vec(config.id, num_envs=config.ppo.num_envs, split=split, autoreset_mode="SameStep")
    return VecMonitor(VisnavVecEnv(envs))


def visnav_model(config: SB3Config) -> PPO:
    """SB3's PPO with our encoder and every hyper-parameter that the two have in common."""
    ppo = config.ppo
    envs = visnav_worlds(config, "train")
    if ppo.scale_rewards:
        envs = VecNormalize(envs, norm_obs=False, clip_reward=np.inf, gamma=ppo.gamma)
    return PPO(
        "CnnPolicy",
        envs,
        learning_rate=lambda left: ppo.final_learning_rate + left * (ppo.learning_rate - ppo.final_learning_rate),
        n_steps=ppo.num_steps,
        batch_size=ppo.num_envs * ppo.num_steps // ppo.minibatches,
        n_epochs=ppo.epochs,
        gamma=ppo.gamma,
        gae_lambda=ppo.gae_lambda,
        clip_range=ppo.clip,
        normalize_advantage=ppo.normalise_advantages,
        ent_coef=ppo.entropy_coef,
        vf_coef=ppo.value_coef / 2,  # SB3's value loss has no ½
        max_grad_norm=ppo.max_grad_norm,
        policy_kwargs={
            "net_arch": [],
            "optimizer_kwargs": {"eps": ppo.adam_eps},
            "features_extractor_class": EncoderExtractor,
            "features_extractor_kwargs": {"encoder": ppo.encoder, "precision": ppo.precision},
        },
        seed=config.seed,
        device="cpu",
    )


def original_worlds(config: SB3Config, seed: int) -> VecEnv:
    """Eight of minigrid's worlds with flat symbols, as the zoo trains them."""
    from minigrid.wrappers import FlatObsWrapper

    envs = VecMonitor(DummyVecEnv([lambda: FlatObsWrapper(gym.make(config.id))] * 8))
    envs.seed(seed)
    return envs


def zoo_model(config: SB3Config) -> PPO:
    """rl-baselines3-zoo, hyperparams/ppo.yml, the MiniGrid entries."""
    return PPO(
        "MlpPolicy",
        VecNormalize(original_worlds(config, config.seed)),
        n_steps=128,
        batch_size=64,
        n_epochs=10,
        gamma=0.99,
        gae_lambda=0.95,
        ent_coef=0.0,
        learning_rate=2.5e-4,
        clip_range=0.2,
        seed=config.seed,
        device="cpu",
    )


class Progress(BaseCallback):
    """A line every ten seconds, and an early end at the target."""

    def __init__(self, target: float | None) -> None:
        super().__init__()
        self.target = target
        self.start = self.last = time.monotonic()

    def _on_training_start(self) -> None:
        self.statistics = EpisodeStatistics(self.training_env.num_envs)

    def _on_step(self) -> bool:
        rewards = np.zeros(self.training_env.num_envs)
        success = np.zeros(len(rewards), bool)
        ended = self.locals["dones"]
        for i in np.flatnonzero(ended):  # VecMonitor has the return as it was before any scaling
            rewards[i] = self.locals["infos"][i]["episode"]["r"]
            success[i] = rewards[i] > 0
        self.statistics.add(rewards, ended, np.zeros(len(rewards), bool), success)
        means, now = self.statistics.means(), time.monotonic()
        if now - self.last > 10:
            self.last = now
            speed = self.num_timesteps / (now - self.start)
            print(f"{self.num_timesteps:>11,} steps  {speed:,.0f} steps/s  success {means['success']:.1%}", flush=True)
        return self.target is None or means["success"] < self.target


def success_rate(model: PPO, envs: VecEnv, episodes: int) -> float:
    """Share of episodes with a reward, actions sampled as in training."""
    returns, _ = evaluate_policy(model, envs, episodes, deterministic=False, return_episode_rewards=True)
    return float(np.mean(np.array(returns) > 0))


def main(argv: list[str] | None = None) -> int:
    """Train, evaluate on unseen levels, print; returns 0."""
    config: SB3Config = tyro.cli(SB3Config, prog="train_sb3", args=argv)
    model = zoo_model(config) if config.zoo else visnav_model(config)
    start = time.monotonic()
    model.learn(config.total_steps, callback=Progress(config.target_success))
    seconds = time.monotonic() - start
    unseen: Any
    if config.zoo:
        unseen = VecNormalize(original_worlds(config, UNSEEN), training=False, norm_reward=False)
        trained: Any = model.get_vec_normalize_env()
        unseen.obs_rms = trained.obs_rms
    else:
        unseen = visnav_worlds(config, "test")
    steps = model.num_timesteps
    print(f"trained {steps:,} steps in {seconds:.0f} s, {steps / seconds:,.0f} steps/s")
    print(f"success on {config.episodes} unseen episodes: {success_rate(model, unseen, config.episodes):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
