"""Proximal policy optimisation: Schulman et al. 2017 (arXiv:1707.06347), in the form of CleanRL's ppo.py.

`rollout` and `gae` (visnav.agents.rollout) and `PPO.update` are the three stages; `PPO` holds what lives between
them and repeats them.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from visnav.agents.allocator import keep_freed_memory
from visnav.agents.auxiliary import Auxiliary, without
from visnav.agents.curiosity import Counting, Curiosity, Distillation
from visnav.agents.distributions import Distribution, Noise
from visnav.agents.minibatch import Minibatch, draws, gathered
from visnav.agents.pictures import Repeated
from visnav.agents.policy import ActorCritic, PolicyConfig, as_dict
from visnav.agents.ranks import ALONE, Ranks
from visnav.agents.rollout import EPISODES, EpisodeStatistics, ReturnScale, RolloutBuffer, gae, is_image, rollout
from visnav.agents.threads import in_threads, meanwhile, sharing
from visnav.agents.worlds import Worlds


@dataclass(frozen=True)
class PPOConfig(PolicyConfig):
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
    curiosity: float = 0.0
    """Weight of the advantage of what is new; 0 is none."""
    curiosity_kind: str = "rnd"
    """How new an image is: rnd (what a network has not learned to tell of it yet) or counts (how seldom the very same
    image was seen; for worlds without noise)."""
    curiosity_first_visits: bool = False
    """Of novelty only what an image has the first time in its episode; for worlds without noise."""
    curiosity_gamma: float = 0.99
    """Discount of novelty, which flows across the ends of episodes."""
    curiosity_share: float = 0.25
    """Share of the steps that the predictor of novelty, of rnd, learns from."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_envs", "num_steps", "epochs", "minibatches", "learning_rate", "max_grad_norm", "adam_eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("gamma", "gae_lambda", "curiosity_gamma", "curiosity_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.curiosity_kind not in ("rnd", "counts"):
            raise ValueError(f"unknown curiosity_kind {self.curiosity_kind!r}; choose one of rnd, counts")
        if self.memory and self.num_envs % self.minibatches:
            raise ValueError(
                "with a memory, minibatches are made of whole worlds: minibatches must divide num_envs = "
                f"{self.num_envs}, got {self.minibatches}"
            )
        if self.num_envs * self.num_steps % self.minibatches:
            raise ValueError(
                f"minibatches must divide num_envs * num_steps = {self.num_envs * self.num_steps}, "
                f"got {self.minibatches}"
            )


def ppo_loss(policy: ActorCritic, batch: Minibatch, config: PPOConfig) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a minibatch (a scalar) and what to report of it, detached; of a share of one, its part of both.

    Clipped surrogate + value_coef · ½ (V - target)² - entropy_coef · entropy, each a mean over the steps taken.
    """
    distribution, values, _ = policy(batch.observation, batch.memory, batch.fresh)
    log_ratio = distribution.log_prob(batch.actions) - batch.log_probs
    ratio, advantages = log_ratio.exp(), batch.advantages
    rows = {
        "policy_loss": -torch.minimum(ratio * advantages, ratio.clamp(1 - config.clip, 1 + config.clip) * advantages),
        "value_loss": 0.5 * (values - batch.returns).square().sum(1),
        "entropy": distribution.entropy(),
    }
    with torch.no_grad():
        rows["approx_kl"] = ratio - 1 - log_ratio  # http://joschu.net/blog/kl-approx.html, k3
        rows["clip_fraction"] = ((ratio - 1).abs() > config.clip).float()
    means = torch.stack(tuple(rows.values())) @ batch.weights
    loss = means[:3] @ torch.tensor([1.0, config.value_coef, -config.entropy_coef])
    return loss, dict(zip(rows, means.detach(), strict=True))


class PPO:
    """A policy in training on a batch of worlds, from the first step to the last.

    Args:
        envs: `config.num_envs` worlds in NEXT_STEP mode whose `step` takes `out=` (visnav.envs.gym.VectorEnv).
        config: hyper-parameters.
        seed: of the weights, the worlds, the actions and the order of minibatches.
        total_steps: world steps, of all ranks, over which the learning rate falls.
        ranks: the processes that share this training; `envs` are this one's worlds.
        auxiliary: a further loss, such as visnav.agents.auxiliary.LabelLoss; the policy does not see its sensor.

    Raises:
        ValueError: the worlds are of another number or autoreset mode, or the policy cannot read or act in them.
    """

    def __init__(
        self,
        envs: Worlds,
        config: PPOConfig,
        seed: int = 0,
        total_steps: int = 10**6,
        ranks: Ranks = ALONE,
        auxiliary: Auxiliary | None = None,
    ) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != gym.vector.AutoresetMode.NEXT_STEP:
            raise ValueError(f"PPO needs worlds with autoreset_mode NEXT_STEP, which keeps final frames; got {mode}")
        if envs.num_envs != config.num_envs:
            raise ValueError(f"config.num_envs is {config.num_envs}, but the batch has {envs.num_envs} worlds")
        keep_freed_memory()
        self.envs, self.config, self.total_steps, self.ranks = envs, config, total_steps, ranks
        streams = 2 if config.curiosity else 1
        sight = envs.single_observation_space
        sight = without(sight, auxiliary.sensor) if auxiliary else sight
        self.policy = ActorCritic(sight, envs.single_action_space, config, streams, seed)
        self.curiosity = self._make_curiosity(sight, seed) if config.curiosity else None
        self.auxiliary = auxiliary
        learned = [*self.policy.parameters(), *(self.curiosity.learned() if self.curiosity else ())]
        if auxiliary:
            auxiliary.attach(self.policy, as_dict(envs.single_observation_space)[auxiliary.sensor])
            learned += auxiliary.parameters()
        self.optimizer = torch.optim.Adam(
            learned, lr=config.learning_rate, betas=(0.9, config.adam_beta2), eps=config.adam_eps, fused=True
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.noise = Noise(self.generator, ranks.rank, ranks.count)
        self.buffer = RolloutBuffer(
            envs, config.num_steps, config.frames, config.memory, streams, (auxiliary.sensor,) if auxiliary else ()
        )
        self.statistics = EpisodeStatistics(config.num_envs, -(-EPISODES // ranks.count))
        self.return_scale = ReturnScale(config.num_envs, config.gamma)
        self.steps = 0
        # Seeds far apart: worlds seeded s, s + 1, … would share all but one level between runs 0 and 1.
        seeds = np.random.SeedSequence(seed).generate_state(config.num_envs * ranks.count)
        own = seeds[ranks.rank * config.num_envs :][: config.num_envs].tolist()
        _, info = envs.reset(seed=own, out=self.buffer.row(config.num_steps))
        self.buffer.levels[0] = torch.from_numpy(info["level"])

    def _make_curiosity(self, sight: gym.Space, seed: int) -> Curiosity:
        images = {name: space for name, space in as_dict(sight).items() if is_image(space)}
        if not images:
            raise ValueError(f"curiosity looks at images; {sight} has none")
        name, space = next(iter(images.items()))
        config = self.config
        common = name, config.num_envs, config.curiosity_gamma, config.curiosity_first_visits
        return (
            Counting(*common) if config.curiosity_kind == "counts" else Distillation(space.shape or (), seed, *common)
        )

    @sharing()
    def iterate(self) -> dict[str, float]:
        """One rollout and one update; returns what `update` reports, episode means, and the learning rate.

        torch's threads (`torch.set_num_threads`, `OMP_NUM_THREADS`) share its batches, see visnav.agents.threads.

        Raises:
            FloatingPointError: a reward, an observation or a loss is not finite; nothing was learned from it.
        """
        config, buffer = self.config, self.buffer
        buffer.restart(buffer.carry())
        try:
            rollout(self.policy, self.envs, buffer, self.choose, self.statistics)
        finally:  # worlds refuse an action that was made of what is no number: this says where that came from
            buffer.check_finite(self.steps)
        rate = self.learning_rate()
        self.optimizer.param_groups[0]["lr"] = rate
        report = self.update(*self.advantages())
        learned = {name: float(value) for name, value in report.items()}
        if not all(map(math.isfinite, learned.values())):
            raise FloatingPointError(
                f"the update after {self.steps} steps gave {learned}: lower the learning rate ({rate:g}) or scale the "
                "rewards, and go on from the last checkpoint"
            )
        self.steps += config.num_envs * config.num_steps * self.ranks.count
        means = torch.tensor(list(self.statistics.means().values()), dtype=torch.float64)
        return {
            **dict(zip(self.statistics.means(), (self.ranks.total(means) / self.ranks.count).tolist(), strict=True)),
            "learning_rate": rate,
            **learned,
        }

    def merit(self, report: Mapping[str, float]) -> tuple[float, ...]:
        """How good the policy is by what `iterate` reported, to be compared as tuples are: success, then return.

        Where success says nothing, as in tasks without an aim, return decides. Empty, which is less than any other,
        until every world has played the episodes that the means are taken over. All ranks call this.
        """
        if self.ranks.any(not self.statistics.complete):
            return ()
        return report["success"], report["return"]

    def choose(self, distribution: Distribution) -> tuple[Tensor, np.ndarray]:
        """Actions drawn from the policy, in its own numbers and as the worlds take them."""
        actions = distribution.sample(self.noise)
        return actions, self.policy.action_array(actions)

    def advantages(self) -> tuple[Tensor, Tensor]:
        """(T, N) advantages of the rollout, and (T, N, streams) what the values should have been."""
        config, buffer = self.config, self.buffer
        rewards = buffer.rewards
        if config.scale_rewards:
            rewards = self.return_scale.scale(rewards, buffer.skipped[:-1], self.ranks)
        ends = buffer.terminated, buffer.truncated
        streams = [gae(rewards, buffer.values[..., 0], *ends, config.gamma, config.gae_lambda)]
        if self.curiosity:
            novelty = self.curiosity.rewards(buffer, self.ranks)
            never = torch.zeros_like(buffer.terminated)
            discount = config.curiosity_gamma
            streams.append(gae(novelty, buffer.values[..., 1], never, never, discount, config.gae_lambda))
        both = torch.stack(streams, -1)
        weights = torch.tensor([1.0, config.curiosity][: len(streams)])
        return both @ weights, both + buffer.values[:-1]

    def update(self, advantages: Tensor, returns: Tensor) -> dict[str, Tensor]:
        """`epochs` passes over the rollout in shuffled minibatches, an optimiser step each.

        Returns:
            Means over the minibatches, as scalars that nobody has read yet: `policy_loss`, `value_loss`, `entropy`,
            `approx_kl`, `clip_fraction`, `grad_norm`, of rnd `novelty_loss`, and what the
            auxiliary loss reports.
        """
        config, ranks = self.config, self.ranks
        learned = [parameter for parameter in self.optimizer.param_groups[0]["params"] if parameter.requires_grad]
        passes = config.minibatches, self.generator, config.normalise_advantages, ranks
        order = [batch for _ in range(config.epochs) for batch in draws(self.buffer, advantages, returns, *passes)]
        reports, norms = [], []
        shares = gathered(order[0])
        for following in [*order[1:], []]:
            prepared = meanwhile(partial(gathered, following))
            names, figures = self._differentiate(shares, learned)
            ranks.add_gradients(learned)
            norms.append(nn.utils.clip_grad_norm_(learned, config.max_grad_norm))
            self.optimizer.step()
            reports.append(figures)
            shares = prepared()
        means = ranks.total(torch.stack(reports)).mean(0)
        return {**dict(zip(names, means, strict=True)), "grad_norm": torch.stack(norms).mean()}

    def _differentiate(self, shares: list[Minibatch], learned: list[nn.Parameter]) -> tuple[tuple[str, ...], Tensor]:
        """Give the parameters the gradients of a minibatch's loss; names and values of what to report."""

        def work(share: Minibatch) -> tuple[tuple[Tensor, ...], tuple[str, ...], Tensor]:
            loss, report = self.loss(share)
            gradients = torch.autograd.grad(loss, learned, allow_unused=True, materialize_grads=True)
            return gradients, tuple(report), torch.stack(tuple(report.values())).detach()

        (sums, names, figures), *others = in_threads(work, shares)
        for gradients, _, more in others:
            torch._foreach_add_(sums, gradients)
            figures += more
        for parameter, gradient in zip(learned, sums, strict=True):
            same_order = gradient.stride() == parameter.stride()  # in memory, which Adam takes for granted
            parameter.grad = gradient if same_order else torch.empty_like(parameter).copy_(gradient)
        return names, figures

    def loss(self, batch: Minibatch) -> tuple[Tensor, dict[str, Tensor]]:
        """What a minibatch's optimiser step lowers, and what to report of it; of a share of one, its part of both."""
        loss, report = self.objective(batch)
        if isinstance(self.curiosity, Distillation):
            report["novelty_loss"] = novelty_loss = self._novelty_loss(self.curiosity, batch)
            loss = loss + novelty_loss
        if self.auxiliary:
            auxiliary_loss, figures = self.auxiliary.loss(batch)
            loss, report = loss + auxiliary_loss, report | figures
        return loss, report

    def objective(self, batch: Minibatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The policy's own part of `loss`."""
        return ppo_loss(self.policy, batch, self.config)

    def _novelty_loss(self, curiosity: Distillation, batch: Minibatch) -> Tensor:
        """The predictor's mean error on a share of the rows."""
        drawn, count = batch.drawn(self.config.curiosity_share)
        shown = batch.observation[curiosity.sensor]
        assert isinstance(shown, Repeated)
        weights = torch.zeros(len(shown.images)).index_add_(0, shown.index, drawn / max(1, count))
        newest = shown.images[weights > 0][..., -curiosity.mean.shape[-1] :]
        return curiosity.loss(newest, weights[weights > 0])

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
            "curiosity": self.curiosity.state() if self.curiosity else {},
            "auxiliary": self.auxiliary.state() if self.auxiliary else {},
        }
        arrays = {f"{group}/{name}": array for group, members in groups.items() for name, array in members.items()}
        return arrays, {"steps": self.steps, "ranks": self.ranks.count, "ppo": dataclasses.asdict(self.config)}

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
        if self.curiosity:
            self.curiosity.load(groups["curiosity"])
        if self.auxiliary:
            self.auxiliary.load(groups["auxiliary"])
        self.generator.set_state(torch.tensor(groups["generator"]["state"]))
        self.steps = values["steps"]

    def _check(self, arrays: dict[str, np.ndarray], values: dict) -> None:
        """Refuse a state that is not one of this training."""
        own, own_values = self.state()
        if values["ranks"] != self.ranks.count:
            raise ValueError(
                f"it is shared by {values['ranks']} processes, here {'are' if self.ranks.count > 1 else 'is'} "
                f"{self.ranks.count}: resume with torchrun --nproc-per-node {values['ranks']}"
            )
        for name, value in own_values["ppo"].items():
            if values["ppo"].get(name) != value:
                raise ValueError(f"its {name} is {values['ppo'].get(name)}, here it is {value}")
        for name, array in own.items():
            if name not in arrays:
                if not name.startswith("optimizer/"):
                    raise ValueError(f"it has no {name}")
            elif (arrays[name].shape, arrays[name].dtype) != (array.shape, array.dtype):
                raise ValueError(
                    f"its {name} is {arrays[name].dtype}{arrays[name].shape}, here it is {array.dtype}{array.shape}"
                )
        unknown = [name for name in arrays if name not in own and not name.startswith("optimizer/")]
        if unknown:
            raise ValueError(f"it has {', '.join(unknown)}, which this training has not")

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
