"""PPO against Stable-Baselines3's, its invariants, and learning of two small worlds."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.logger import Logger

from visnav.agents.evaluate import evaluate
from visnav.agents.imitation import Imitation
from visnav.agents.minibatch import Minibatch, draws
from visnav.agents.pictures import Repeated
from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO, PPOConfig, ppo_loss
from visnav.agents.rollout import rollout
from visnav.agents.sb3 import EncoderExtractor

STEPS, WORLDS, BATCHES = 8, 6, 3
CONFIG = PPOConfig(
    num_envs=WORLDS,
    num_steps=STEPS,
    epochs=1,
    minibatches=BATCHES,
    learning_rate=5e-4,
    adam_beta2=0.999,
    adam_eps=1e-5,
    entropy_coef=0.01,
    normalise_advantages=True,
    precision="fp32",
)


class Spaces(gym.Env):
    """Nothing but the spaces that SB3 builds its policy from."""

    def __init__(self, continuous: bool) -> None:
        self.observation_space = gym.spaces.Box(0, 255, (3, 24, 24), np.uint8)
        self.action_space = gym.spaces.Box(-1, 1, (1,), np.float32) if continuous else gym.spaces.Discrete(2)


def sb3_model(config: PPOConfig, continuous: bool) -> stable_baselines3.PPO:
    return stable_baselines3.PPO(
        "CnnPolicy",
        stable_baselines3.common.vec_env.DummyVecEnv([lambda: Spaces(continuous)] * WORLDS),
        learning_rate=config.learning_rate,
        n_steps=STEPS,
        batch_size=STEPS * WORLDS // BATCHES,
        n_epochs=1,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip,
        ent_coef=config.entropy_coef,
        vf_coef=config.value_coef / 2,  # SB3's value loss has no ½
        max_grad_norm=config.max_grad_norm,
        policy_kwargs={
            "net_arch": [],
            "features_extractor_class": EncoderExtractor,
            "features_extractor_kwargs": {"precision": "fp32"},
        },
        device="cpu",
    )


def copy_weights(model: stable_baselines3.PPO, policy: ActorCritic) -> None:
    theirs = model.policy
    policy.sensors.load_state_dict(theirs.features_extractor.sensors.state_dict())
    policy.actor.load_state_dict(theirs.action_net.state_dict())
    policy.critic.load_state_dict(theirs.value_net.state_dict())


@pytest.mark.parametrize("continuous", [False, True])
def test_one_update_equals_stable_baselines3(
    bandit: Callable, continuous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, rollout and minibatch order: log-probabilities, advantages, losses, weights after Adam."""
    envs = bandit(WORLDS, continuous)
    trainer = PPO(envs, CONFIG, seed=1)
    policy, buffer = trainer.policy, trainer.buffer
    model = sb3_model(CONFIG, continuous)
    copy_weights(model, policy)
    buffer.restart(buffer.carry())
    rollout(policy, envs, buffer, trainer.choose, trainer.statistics)
    # SB3 knows no skipped rows: let every row count, and end episodes where the world does.
    buffer.skipped[:] = False
    advantages, returns = trainer.advantages()

    theirs = model.rollout_buffer
    theirs.reset()
    starts = np.ones(WORLDS)
    for t in range(STEPS):
        images = buffer.row(t).transpose(0, 3, 1, 2)
        with torch.no_grad():
            values, log_probs, _ = model.policy.evaluate_actions(torch.from_numpy(images), buffer.actions[t])
        torch.testing.assert_close(log_probs, buffer.log_probs[t], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(values, buffer.values[t], atol=1e-6, rtol=1e-5)
        actions = buffer.actions[t].numpy().reshape(WORLDS, -1)
        theirs.add(images, actions, buffer.rewards[t].numpy(), starts, values, log_probs)
        starts = buffer.terminated[t].numpy()
    theirs.compute_returns_and_advantage(buffer.values[STEPS].flatten(), starts)
    np.testing.assert_allclose(theirs.advantages, advantages, atol=1e-5)

    order = np.random.default_rng(0).permutation(STEPS * WORLDS)  # of SB3's rows, which are n * T + t
    ours = torch.from_numpy(order % STEPS * WORLDS + order // STEPS)
    monkeypatch.setattr(np.random, "permutation", lambda count: order)
    monkeypatch.setattr(torch, "randperm", lambda count, generator: ours)
    logged: dict[str, float] = {}
    model.set_logger(Logger(None, []))
    monkeypatch.setattr(model.logger, "record", lambda name, value, **_: logged.__setitem__(name, value))
    norms: list[torch.Tensor] = []
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *args: norms.append(clip(*args)) or norms[-1])
    before = [parameter.clone() for parameter in policy.parameters()]
    model.train()
    report = trainer.update(advantages, returns)

    assert report["policy_loss"] == pytest.approx(logged["train/policy_gradient_loss"], abs=1e-5)
    assert 2 * report["value_loss"] == pytest.approx(logged["train/value_loss"], abs=1e-5)
    assert -report["entropy"] == pytest.approx(logged["train/entropy_loss"], abs=1e-5)
    assert report["approx_kl"] > 0
    expected = PPO(envs, CONFIG).policy
    copy_weights(model, expected)
    for name, weights in policy.named_parameters():
        if name == "log_std":
            torch.testing.assert_close(weights, model.policy.log_std, atol=1e-5, rtol=0)
        else:
            torch.testing.assert_close(weights, expected.get_parameter(name), atol=1e-5, rtol=0)
    torch.testing.assert_close(norms[:BATCHES], norms[BATCHES:], atol=1e-5, rtol=1e-4)
    assert len(norms) == 2 * BATCHES
    assert all(not torch.equal(old, new) for old, new in zip(before, policy.parameters(), strict=True))


def full_batch(trainer: PPO) -> Minibatch:
    """All rows of the trainer's rollout, with noise for advantages."""
    buffer, config = trainer.buffer, trainer.config
    advantages = torch.randn(config.num_steps, config.num_envs)
    returns = advantages.unsqueeze(-1) + buffer.values[:-1]
    normalise = config.normalise_advantages
    ((whole,),) = draws(buffer, advantages, returns, 1, torch.Generator(), normalise)
    return whole.gather()


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 0.02)])
@pytest.mark.parametrize(("frames", "memory"), [(1, 0), (3, 0), (1, 16), (2, 5)])
def test_the_ratio_is_one_before_the_first_step(
    cue: Callable, precision: str, tolerance: float, frames: int, memory: int
) -> None:
    """The policy that collected the rollout gives its actions the same probabilities again."""
    config = PPOConfig(num_envs=8, num_steps=16, frames=frames, memory=memory, precision=precision)
    trainer = PPO(cue(8), config)
    for _ in range(2):
        trainer.iterate()
    trainer.buffer.restart(trainer.buffer.carry())
    rollout(trainer.policy, trainer.envs, trainer.buffer, trainer.choose, trainer.statistics)
    batch = full_batch(trainer)
    log_probs = trainer.policy(batch.observation, batch.memory, batch.fresh)[0].log_prob(batch.actions)
    torch.testing.assert_close(log_probs, batch.log_probs, atol=tolerance, rtol=0)
    _, report = ppo_loss(trainer.policy, batch, trainer.config)
    assert report["clip_fraction"] == 0
    assert abs(report["approx_kl"]) < tolerance**2 + 1e-7


def test_skipped_rows_do_not_reach_the_loss(cue: Callable) -> None:
    trainer = PPO(cue(8), PPOConfig(num_envs=8, num_steps=16, precision="fp32", normalise_advantages=True))
    trainer.iterate()
    batch = full_batch(trainer)
    skipped = batch.weights == 0
    assert skipped.sum() == 8 * 5
    expected, _ = ppo_loss(trainer.policy, batch, trainer.config)
    for noisy in (batch.advantages, batch.returns, batch.log_probs):
        noisy[skipped] = 7.0
    shown = batch.observation["rgb"]
    assert isinstance(shown, Repeated)
    batch.observation["rgb"] = torch.where(skipped.view(-1, 1, 1, 1), 200, shown.images[shown.index])
    loss, _ = ppo_loss(trainer.policy, batch, trainer.config)
    torch.testing.assert_close(loss, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("normalise", [False, True])
def test_a_minibatch_of_skipped_rows_alone_changes_nothing(cue: Callable, normalise: bool) -> None:
    config = PPOConfig(num_envs=8, num_steps=16, precision="fp32", normalise_advantages=normalise)
    trainer = PPO(cue(8), config)
    trainer.iterate()
    batch = full_batch(trainer)
    batch.weights.zero_()
    trainer.optimizer.zero_grad()
    loss, _ = ppo_loss(trainer.policy, batch, config)
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or not p.grad.any() for p in trainer.policy.parameters())


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("continuous", [False, True])
def test_a_bandit_is_learned_from_pixels(bandit: Callable, seed: int, continuous: bool) -> None:
    config = PPOConfig(num_envs=64, num_steps=16, learning_rate=1e-3)
    trainer = PPO(bandit(64, continuous), config, seed, total_steps=30_000)
    while trainer.steps < 30_000:
        report = trainer.iterate()
    assert report["success"] > 0.95
    assert evaluate(trainer.policy, bandit(16, continuous), 200, greedy=True).summary()["success"] > 0.98


@pytest.mark.parametrize(("frames", "memory", "knows"), [(1, 0, False), (2, 0, True), (1, 64, True)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_cue_needs_a_stack_of_frames_or_a_memory(
    cue: Callable, frames: int, memory: int, knows: bool, seed: int
) -> None:
    config = PPOConfig(num_envs=64, num_steps=16, learning_rate=2e-3, frames=frames, memory=memory)
    trainer = PPO(cue(64), config, seed, total_steps=30_000)
    while trainer.steps < 30_000:
        report = trainer.iterate()
    assert report["success"] > 0.95 if knows else 0.4 < report["success"] < 0.6
    played = evaluate(trainer.policy, cue(16), 200, greedy=True).summary()["success"]
    assert played > 0.98 if knows else played < 0.7


@pytest.mark.parametrize("distribution", ["state_gaussian", "squashed", "beta"])
def test_every_distribution_over_a_box_learns_a_bandit(bandit: Callable, distribution: str) -> None:
    config = PPOConfig(
        num_envs=64, num_steps=16, learning_rate=2e-3, normalise_advantages=True, distribution=distribution
    )
    trainer = PPO(bandit(64, True), config, seed=0, total_steps=30_000)
    while trainer.steps < 30_000:
        report = trainer.iterate()
    assert report["success"] > 0.95
    assert evaluate(trainer.policy, bandit(16, True), 200, greedy=True).summary()["success"] > 0.98


def test_the_learning_rate_falls_linearly(bandit: Callable) -> None:
    config = PPOConfig(num_envs=4, num_steps=4, learning_rate=1e-3, final_learning_rate=2e-4)
    trainer = PPO(bandit(4), config, total_steps=64)
    rates = [trainer.iterate()["learning_rate"] for _ in range(6)]
    assert rates == pytest.approx([1e-3, 8e-4, 6e-4, 4e-4, 2e-4, 2e-4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minibatches": 5}, "minibatches must divide num_envs . num_steps = 8192, got 5"),
        ({"gamma": 1.5}, r"gamma must lie in \[0, 1\], got 1.5"),
        ({"num_envs": 0}, "num_envs must be greater than 0, got 0"),
        ({"memory": 8, "num_envs": 6}, "minibatches must divide num_envs = 6, got 4"),
        ({"memory": -1}, "memory must be 0 or more units, got -1"),
        ({"encoder": "resnet"}, "'resnet'; choose one of nature, impala"),
        ({"distribution": "normal"}, "'normal'; choose one of gaussian, state_gaussian, squashed, beta"),
    ],
)
def test_impossible_hyper_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PPOConfig(**{"num_envs": 256, "num_steps": 32, **change})


def test_worlds_that_do_not_fit_are_refused(bandit: Callable) -> None:
    with pytest.raises(ValueError, match="num_envs is 8, but the batch has 4"):
        PPO(bandit(4), PPOConfig(num_envs=8))
    envs = bandit(4)
    envs.metadata = {"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP}
    with pytest.raises(ValueError, match="NEXT_STEP"):
        PPO(envs, PPOConfig(num_envs=4))


def broken(bandit: Callable, where: str, when: int, continuous: bool = False) -> gym.vector.VectorEnv:
    """Bandits with a speed besides; the reward or the speed of world 2 is NaN after `when` steps of each world."""

    class Broken(type(bandit(1))):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(4, continuous)
            self.taken = 0
            self.single_observation_space = gym.spaces.Dict(
                rgb=self.single_observation_space, speed=gym.spaces.Box(-1, 1, (1,), np.float32)
            )

        def observe(self, out: dict) -> dict:
            super().observe(out["rgb"])
            out["speed"][...] = 0
            if self.taken == when and where == "speed":
                out["speed"][2] = np.nan
            return out

        def info(self, success: np.ndarray) -> dict:
            return {"success": success, "level": 10 * np.arange(4) + self.taken // 2}

        def step(self, actions: np.ndarray, **keywords: Any) -> tuple:
            assert np.isfinite(actions).all(), "as the worlds of visnav.envs do"
            self.taken += 1
            return super().step(actions, **keywords)

        def judge(self, actions: np.ndarray) -> tuple:
            reward, terminated, truncated = super().judge(actions)
            if self.taken == when and where == "reward":
                reward = np.where(np.arange(4) == 2, np.nan, reward)
            return reward, terminated, truncated

    return Broken()


class Sure:
    """A teacher that always shows the same."""

    def __init__(self, shape: tuple[int, ...], kind: type) -> None:
        self.shown = np.zeros(shape, kind)

    def actions(self) -> np.ndarray:
        return self.shown


@pytest.mark.parametrize("where", ["reward", "speed"])
@pytest.mark.parametrize("change", [{}, {"frames": 2, "memory": 4}, {"curiosity": 0.5}])
@pytest.mark.parametrize("algorithm", ["ppo", "clone", "dagger"])
@pytest.mark.parametrize("continuous", [False, True])
def test_what_is_no_number_stops_the_training_and_says_where(
    bandit: Callable, where: str, change: dict, algorithm: str, continuous: bool
) -> None:
    if change.get("curiosity") and algorithm != "ppo":
        return
    config = PPOConfig(num_envs=4, num_steps=8, minibatches=2, **change)
    for when in (11, 0, 8) if where == "speed" else (11, 7):  # also at the first reset, and at the end of a rollout
        envs = broken(bandit, where, when, continuous)
        teacher = Sure((4, 1) if continuous else (4,), np.float32 if continuous else np.int64)
        trainer = PPO(envs, config) if algorithm == "ppo" else Imitation(envs, config, teacher, algorithm == "dagger")
        for _ in range((when - 1) // 8):
            trainer.iterate()
        weights = [parameter.clone() for parameter in trainer.policy.parameters()]
        words = (
            f"the {where} of world 2 was nan after {4 * when} steps, in level {20 + when // 2}: play that level again"
        )
        with pytest.raises(FloatingPointError, match=words):
            trainer.iterate()
        assert all(torch.equal(old, new) for old, new in zip(weights, trainer.policy.parameters(), strict=True))


def test_a_loss_that_is_no_number_is_told(cue: Callable) -> None:
    trainer = PPO(cue(4), PPOConfig(num_envs=4, num_steps=8))
    with torch.no_grad():
        trainer.policy.critic.weight.fill_(1e30)
    with pytest.raises(FloatingPointError, match=r"the update after 0 steps gave .*lower the learning rate"):
        trainer.iterate()
