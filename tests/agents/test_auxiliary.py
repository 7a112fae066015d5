"""The encoder learns to see from labels; the policy never sees them; and a training with them resumes."""

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest
import torch

import visnav.envs
from visnav.agents.auxiliary import LabelLoss
from visnav.agents.checkpoint import load_training, save_training
from visnav.agents.evaluate import evaluate
from visnav.agents.imitation import Imitation
from visnav.agents.minibatch import Minibatch, draws
from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO, PPOConfig
from visnav.agents.rollout import rollout
from visnav.envs.experts import expert_of
from visnav.perception.saved import CheckpointError

assert visnav.envs
ID = "visnav/MiniGrid-DoorKey-5x5-v0"
CONFIG = PPOConfig(num_envs=8, num_steps=16, minibatches=4, precision="fp32")
EVERYTHING = replace(CONFIG, frames=2, memory=8, curiosity=0.5)


def worlds(*labels: str, env_id: str = ID, **keywords: object) -> gym.vector.VectorEnv:
    camera = {"camera": "first_person", "image_size": (40, 40), "max_steps": 20, **keywords}
    return gym.make_vec(env_id, num_envs=8, sensors=("rgb", *labels), **camera)


def filled(kind: str, config: PPOConfig = CONFIG) -> PPO:
    """A trainer with a rollout, before its first update."""
    loss = LabelLoss(kind)
    trainer = PPO(worlds(loss.sensor), config, auxiliary=loss)
    trainer.buffer.restart(trainer.buffer.carry())
    rollout(trainer.policy, trainer.envs, trainer.buffer, trainer.choose, trainer.statistics)
    return trainer


def batches(trainer: PPO) -> list[Minibatch]:
    generator = torch.Generator().manual_seed(0)
    passes = draws(trainer.buffer, *trainer.advantages(), trainer.config.minibatches, generator)
    return [whole.gather() for (whole,) in passes]


@pytest.mark.parametrize("kind", ["segmentation", "depth"])
@pytest.mark.parametrize("config", [CONFIG, EVERYTHING])
def test_the_loss_reaches_the_encoder_alone_in_one_pass(kind: str, config: PPOConfig) -> None:
    trainer = filled(kind, config)
    batch, passes = batches(trainer)[0], []
    trainer.policy.sensors["rgb"].register_forward_hook(lambda *_: passes.append(1))
    loss, report = trainer.loss(batch)
    assert len(passes) == 1
    assert trainer.auxiliary
    own, _ = trainer.objective(batch)
    only, again = trainer.auxiliary.loss(batch)
    assert again["auxiliary_loss"] == report["auxiliary_loss"]
    torch.testing.assert_close(only.detach(), trainer.auxiliary.coefficient * report["auxiliary_loss"])
    if not config.curiosity:
        torch.testing.assert_close(loss, own + only)
    only.backward()
    reached = {name for name, p in trainer.policy.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert reached == {name for name, _ in trainer.policy.named_parameters() if name.startswith("sensors.rgb.maps")}


@pytest.mark.parametrize("kind", ["segmentation", "depth"])
def test_labels_are_learned(kind: str) -> None:
    """On a fixed rollout: segmentation beats the commonest class by far, depth is known within 15 %."""
    trainer = filled(kind)
    assert trainer.auxiliary
    labels = trainer.buffer.observations[trainer.auxiliary.sensor][:-1]
    assert labels.dtype == (torch.uint8 if kind == "segmentation" else torch.float32)
    learned = [*trainer.policy.parameters(), *trainer.auxiliary.parameters()]
    optimizer = torch.optim.Adam(learned, 3e-3)
    for _ in range(40):
        for batch in batches(trainer):
            with torch.no_grad():
                batch.lot.zero_()  # all of them
            trainer.policy(batch.observation)
            loss, report = trainer.auxiliary.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if kind == "segmentation":
        commonest = labels.flatten().bincount().max() / labels.numel()
        assert report["auxiliary_accuracy"] > 0.5 + commonest / 2
    else:
        assert report["auxiliary_loss"] < 0.15


def test_the_policy_does_not_see_the_labels() -> None:
    """Its weights are those of a policy in worlds without them, and it acts the same whatever they show."""
    trainer = filled("segmentation", replace(CONFIG, frames=2))
    plain = ActorCritic(worlds().single_observation_space, trainer.policy.action_space, trainer.config, seed=0)
    assert [(name, p.shape) for name, p in plain.state_dict().items()] == [
        (name, p.shape) for name, p in trainer.policy.state_dict().items()
    ]
    plain.load_state_dict(trainer.policy.state_dict())
    observation = trainer.buffer.observation(3)
    assert observation["semantic"].shape == (8, 40, 40, 1)
    expected, values, _ = trainer.policy(observation)
    seen, seen_values, _ = plain({"rgb": observation["rgb"]})
    assert torch.equal(expected.log_probs, seen.log_probs)
    assert torch.equal(values, seen_values)
    assert evaluate(plain, worlds(), 8).summary()["episodes"] == 8


@pytest.mark.parametrize(
    ("config", "kind", "algorithm"),
    [(CONFIG, "segmentation", "ppo"), (EVERYTHING, "depth", "ppo"), (CONFIG, "depth", "dagger")],
)
def test_resuming_equals_never_having_stopped(tmp_path: Path, config: PPOConfig, kind: str, algorithm: str) -> None:
    def make() -> PPO:
        loss = LabelLoss(kind)
        envs = worlds(loss.sensor)
        if algorithm == "ppo":
            return PPO(envs, config, 3, 1500, auxiliary=loss)
        return Imitation(envs, config, expert_of(envs), seed=3, total_steps=1500, auxiliary=loss)

    straight, stopped = make(), tmp_path / "stopped"
    for update in range(4):
        if update == 2:
            save_training(stopped, straight)
        assert "auxiliary_loss" in straight.iterate()
    resumed = make()
    load_training(stopped, resumed)
    for _ in range(2):
        resumed.iterate()
    for name, array in straight.state()[0].items():
        assert array.tobytes() == resumed.state()[0][name].tobytes(), name
    plain = replace(config, num_steps=16)
    with pytest.raises(CheckpointError, match=r"it has (auxiliary|buffer)/"):
        load_training(stopped, PPO(worlds(), plain, 3, 1500))


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown auxiliary loss 'boxes'; choose one of segmentation, depth"):
        LabelLoss("boxes")
    with pytest.raises(ValueError, match="learns from a sensor 'depth' beside others; the worlds show Box"):
        PPO(worlds(), CONFIG, auxiliary=LabelLoss("depth"))
    envs = gym.make_vec(ID, num_envs=8, camera="first_person", sensors=("depth", "semantic"))
    with pytest.raises(ValueError, match="needs a policy that sees rgb; this one sees semantic"):
        PPO(envs, CONFIG, auxiliary=LabelLoss("depth"))
