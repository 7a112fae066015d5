"""Proximal policy optimisation: Schulman et al. 2017 (arXiv:1707.06347), in the form of CleanRL's ppo.py.

`rollout` and `gae` (visnav.agents.rollout) and `update` are the three stages; `PPO` holds what lives between
them and repeats them.
"""

import dataclasses
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from visnav.agents.policy import ActorCritic
from visnav.agents.rollout import EpisodeStatistics, ReturnScale, RolloutBuffer, gae, rollout
from visnav.agents.worlds import Worlds


@dataclass(frozen=True)
class PPOConfig:
    """Hyper-parameters of PPO and of the policy that it trains."""

    num_envs: int = 256
    """Worlds stepped together."""
    num_steps: int = 32
    """Steps of each world in a rollout."""
    epochs: int = 2
    """Passes over a rollout."""
    minibatches: int = 4
    """Parts that a pass is cut into; must divide num_envs * num_steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start."""
    final_learning_rate: float = 0.0
    """Its value at the last update; linear in between."""
    adam_beta2: float = 0.99
    """Decay of Adam's mean square. With 0.999 the large value errors of the first updates slow the next thousand."""
    adam_eps: float = 1e-8
    """Added to Adam's denominator. 1e-5 is larger than the gradients of a task whose rewards are rare."""
    gamma: float = 0.99
    """Discount a step."""
    gae_lambda: float = 0.95
    """Trace decay of the advantage estimate."""
    clip: float = 0.2
    """The policy's probability ratio is clipped to 1 ± this."""
    entropy_coef: float = 3e-4
    """Weight of the entropy bonus. More undoes what rare rewards taught, as advantages are not normalised."""
    value_coef: float = 0.5
    """Weight of the value loss ½ (V - target)²."""
    max_grad_norm: float = 0.5
    """The gradient is scaled down to this length."""
    normalise_advantages: bool = False
    """Give the advantages of a minibatch mean 0 and deviation 1. Before the first reward that makes noise loud."""
    scale_rewards: bool = False
    """Divide rewards by the running deviation of the discounted return."""
    encoder: str = "patch"
    """Image encoder: patch, nature, impala or impoola."""
    frames: int = 1
    """Images stacked for the encoder; 1 is the current one alone."""
    precision: str = "auto"
    """Of the encoder: bf16, fp32, or auto, which takes bf16 where the CPU has it in hardware."""

    def __post_init__(self) -> None:
        positive = (
            "num_envs",
            "num_steps",
            "epochs",
            "minibatches",
            "learning_rate",
            "max_grad_norm",
            "frames",
            "adam_eps",
        )
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.num_envs * self.num_steps % self.minibatches:
            raise ValueError(
                f"minibatches must divide num_envs * num_steps = {self.num_envs * self.num_steps}, "
                f"got {self.minibatches}"
            )


@dataclass(frozen=True)
class Minibatch:
    """Rows of a rollout, shuffled: B of them.

    `weights` (B,) float32 are 1 for steps that the agent took and 0 for skipped rows.
    """

    observation: dict[str, Tensor]
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    weights: Tensor


def normalised(advantages: Tensor, weights: Tensor) -> Tensor:
    """Advantages (B,) with mean 0 and (unbiased) deviation 1 over the rows of weight 1."""
    count = weights.sum()
    centred = advantages - (advantages * weights).sum() / count
    return centred / (((centred**2 * weights).sum() / (count - 1)).sqrt() + 1e-8)


def ppo_loss(policy: ActorCritic, batch: Minibatch, config: PPOConfig) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a minibatch (a scalar) and what to report of it, detached.

    Clipped surrogate + value_coef · ½ (V - target)² - entropy_coef · entropy, each a mean over the steps taken.
    """
    distribution, values = policy(batch.observation)
    log_ratio = distribution.log_prob(batch.actions) - batch.log_probs
    ratio = log_ratio.exp()
    advantages = batch.advantages
    if config.normalise_advantages:
        advantages = normalised(advantages, batch.weights)
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - config.clip, 1 + config.clip) * advantages)
    count = batch.weights.sum()

    def mean(rows: Tensor) -> Tensor:
        return (rows * batch.weights).sum() / count

    policy_loss = -mean(surrogate)
    value_loss = 0.5 * mean((values - batch.returns) ** 2)
    entropy = mean(distribution.entropy())
    loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
    with torch.no_grad():
        report = {
            "policy_loss": policy_loss,
            "value_loss": value_loss,
            "entropy": entropy,
            "approx_kl": mean(ratio - 1 - log_ratio),  # http://joschu.net/blog/kl-approx.html, k3
            "clip_fraction": mean(((ratio - 1).abs() > config.clip).float()),
        }
    return loss, {name: value.detach() for name, value in report.items()}


def update(
    policy: ActorCritic,
    optimizer: torch.optim.Optimizer,
    buffer: RolloutBuffer,
    advantages: Tensor,
    config: PPOConfig,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """`epochs` passes over the rollout in shuffled minibatches, an optimiser step each.

    Args:
        advantages: (T, N), from `gae`.

    Returns:
        Means over the minibatches, as scalars that nobody has read yet: `policy_loss`, `value_loss`, `entropy`,
        `approx_kl`, `clip_fraction`, `grad_norm`.
    """
    flat = {
        "actions": buffer.actions.flatten(0, 1),
        "log_probs": buffer.log_probs.flatten(),
        "advantages": advantages.flatten(),
        "returns": (advantages + buffer.values[:-1]).flatten(),
        "weights": (~buffer.skipped[:-1]).flatten().float(),
    }
    rows = advantages.numel()
    reports = []
    for _ in range(config.epochs):
        order = torch.randperm(rows, generator=generator)
        for index in order.split(rows // config.minibatches):
            batch = Minibatch(buffer.gather(index), **{name: values[index] for name, values in flat.items()})
            loss, report = ppo_loss(policy, batch, config)
            optimizer.zero_grad()
            loss.backward()
            report["grad_norm"] = nn.utils.clip_grad_norm_(policy.parameters(), config.max_grad_norm)
            optimizer.step()
            reports.append(report)
    return {name: torch.stack([report[name] for report in reports]).mean() for name in reports[0]}


class PPO:
    """A policy in training on a batch of worlds, from the first step to the last.

    Args:
        envs: `config.num_envs` worlds in NEXT_STEP mode whose `step` takes `out=` (visnav.envs.gym.VectorEnv).
        config: hyper-parameters.
        seed: of the weights, the worlds, the actions and the order of minibatches.
        total_steps: world steps over which the learning rate falls.

    Raises:
        ValueError: the worlds are of another number or autoreset mode, or the policy cannot read or act in them.
    """

    def __init__(self, envs: Worlds, config: PPOConfig, seed: int = 0, total_steps: int = 10**6) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != gym.vector.AutoresetMode.NEXT_STEP:
            raise ValueError(f"PPO needs worlds with autoreset_mode NEXT_STEP, which keeps final frames; got {mode}")
        if envs.num_envs != config.num_envs:
            raise ValueError(f"config.num_envs is {config.num_envs}, but the batch has {envs.num_envs} worlds")
        self.envs, self.config, self.total_steps = envs, config, total_steps
        self.policy = ActorCritic(
            envs.single_observation_space,
            envs.single_action_space,
            config.encoder,
            config.frames,
            config.precision,
            seed,
        )
        self.optimizer = torch.optim.Adam(
            self.policy.parameters(),
            lr=config.learning_rate,
            betas=(0.9, config.adam_beta2),
            eps=config.adam_eps,
            fused=True,
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.buffer = RolloutBuffer(envs, config.num_steps, config.frames)
        self.statistics = EpisodeStatistics(config.num_envs)
        self.return_scale = ReturnScale(config.num_envs, config.gamma)
        self.steps = 0
        # Seeds far apart: worlds seeded s, s + 1, … would share all but one level between runs 0 and 1.
        seeds = np.random.SeedSequence(seed).generate_state(config.num_envs).tolist()
        envs.reset(seed=seeds, out=self.buffer.row(config.num_steps))

    def iterate(self) -> dict[str, float]:
        """One rollout and one update; returns what `update` reports, episode means, and the learning rate."""
        config, buffer = self.config, self.buffer
        buffer.restart(buffer.carry())
        rollout(self.policy, self.envs, buffer, self.generator, self.statistics)
        rewards = self.return_scale.scale(buffer) if config.scale_rewards else buffer.rewards
        advantages = gae(rewards, buffer.values, buffer.terminated, buffer.truncated, config.gamma, config.gae_lambda)
        rate = self.learning_rate()
        self.optimizer.param_groups[0]["lr"] = rate
        report = update(self.policy, self.optimizer, buffer, advantages, config, self.generator)
        self.steps += config.num_envs * config.num_steps
        return {
            **self.statistics.means(),
            "learning_rate": rate,
            **{name: float(value) for name, value in report.items()},
        }

    def learning_rate(self) -> float:
        """The rate of the next update: linear from the first to the final one over `total_steps`."""
        done = min(1.0, self.steps / self.total_steps)
        return self.config.learning_rate + done * (self.config.final_learning_rate - self.config.learning_rate)

    def state(self) -> tuple[dict[str, np.ndarray], dict]:
        """All that the future of this training depends on: arrays, and what JSON can hold.

        A PPO built with the same arguments, after `load` of this state, goes on byte for byte as this one.
        """
        groups = {
            "policy": {name: tensor.contiguous().numpy() for name, tensor in self.policy.state_dict().items()},
            "optimizer": self._optimizer_arrays(),
            "buffer": {name: tensor.numpy() for name, tensor in self.buffer.carry().items()},
            "statistics": self.statistics.state(),
            "return_scale": self.return_scale.state(),
            "generator": {"state": self.generator.get_state().numpy()},
            "worlds": self.envs.get_state(),
        }
        arrays = {f"{group}/{name}": array for group, members in groups.items() for name, array in members.items()}
        return arrays, {"steps": self.steps, "ppo": dataclasses.asdict(self.config)}

    def load(self, arrays: dict[str, np.ndarray], values: dict) -> None:
        """Take over a state that `state` gave.

        Raises:
            ValueError: the state is of another configuration, policy or batch of worlds; nothing has changed then.
        """
        self._check(arrays, values)
        groups: dict[str, dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            group, _, member = name.partition("/")
            groups.setdefault(group, {})[member] = array
        self.envs.set_state(groups["worlds"])  # first, for it may refuse
        self.policy.load_state_dict({name: torch.tensor(array) for name, array in groups["policy"].items()})
        self._load_optimizer(groups.get("optimizer", {}))  # empty before the first update
        carry = {name: torch.tensor(array) for name, array in groups["buffer"].items()}
        for name, tensor in self.buffer.carry().items():
            tensor.copy_(carry[name])
        self.statistics.load(groups["statistics"])
        self.return_scale.load(groups["return_scale"])
        self.generator.set_state(torch.tensor(groups["generator"]["state"]))
        self.steps = values["steps"]

    def _check(self, arrays: dict[str, np.ndarray], values: dict) -> None:
        """Refuse a state that is not one of this training."""
        own, own_values = self.state()
        for name, value in own_values["ppo"].items():
            if values["ppo"].get(name) != value:
                raise ValueError(f"its {name} is {values['ppo'].get(name)}, here it is {value}")
        for name, array in own.items():
            if name not in arrays:
                if not name.startswith("optimizer/"):
                    raise ValueError(f"it has no {name}")
            elif (arrays[name].shape, arrays[name].dtype) != (array.shape, array.dtype):
                raise ValueError(f"its {name} is {arrays[name].shape}, here it is {array.shape}")

    def _optimizer_arrays(self) -> dict[str, np.ndarray]:
        state = self.optimizer.state_dict()["state"]
        return {f"{i}/{name}": tensor.contiguous().numpy() for i in state for name, tensor in state[i].items()}

    def _load_optimizer(self, arrays: dict[str, np.ndarray]) -> None:
        loaded = self.optimizer.state_dict()
        loaded["state"] = {}
        for key, array in arrays.items():
            i, name = key.split("/")
            loaded["state"].setdefault(int(i), {})[name] = torch.tensor(array)
        self.optimizer.load_state_dict(loaded)
