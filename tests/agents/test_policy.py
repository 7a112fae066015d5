"""What the policy reads, what it refuses, and that its initial weights are its seed's."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from visnav.agents.actor import Actor
from visnav.agents.distributions import Noise
from visnav.agents.policy import ActorCritic, Mission, PolicyConfig, uses_bfloat16

IMAGE = gym.spaces.Box(0, 255, (56, 56, 3), np.uint8)
SENSORS = gym.spaces.Dict(
    rgb=IMAGE,
    direction=gym.spaces.Discrete(4),
    mission=gym.spaces.MultiDiscrete([20] * 5),
    pointgoal_with_gps_compass=gym.spaces.Box(-np.inf, np.inf, (2,), np.float32),
)


def batch(space: gym.spaces.Dict, count: int) -> dict[str, torch.Tensor]:
    space.seed(0)
    samples = [space.sample() for _ in range(count)]
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in space}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_sensor_moves_the_outputs(precision: str) -> None:
    policy = ActorCritic(SENSORS, gym.spaces.Discrete(7), PolicyConfig(precision=precision))
    observation = batch(SENSORS, 8)
    distribution, values, _ = policy(observation)
    assert distribution.log_probs.shape == (8, 7)
    assert values.dtype == distribution.log_probs.dtype == torch.float32
    for name in SENSORS:
        changed = {**observation, name: observation[name].flip(0)}
        assert not torch.equal(policy(changed)[1], values), name


def test_a_box_of_actions_gets_a_gaussian_that_is_clipped_for_the_world() -> None:
    space = gym.spaces.Box(np.array([-1, 0], np.float32), np.array([1, 0.5], np.float32))
    policy = ActorCritic(IMAGE, space, PolicyConfig())
    distribution, _, _ = policy({"rgb": torch.zeros(64, 56, 56, 3, dtype=torch.uint8)})
    actions = policy.action_array(distribution.sample(Noise(torch.Generator().manual_seed(0))).detach())
    assert actions.shape == (64, 2)
    assert actions.dtype == np.float32
    assert all(space.contains(action) for action in actions)
    assert (actions[:, 1] == 0.5).any()


def test_numbers_that_are_names_are_read_by_their_bits() -> None:
    """Classes 0 … 20 are five channels of 0 or 255; two that differ in one bit differ in one channel."""
    space = gym.spaces.Dict(semantic=gym.spaces.Box(0, 20, (56, 56, 1), np.uint8))
    policy = ActorCritic(space, gym.spaces.Discrete(3), PolicyConfig(frames=2))
    bits, encoder = policy.sensors["semantic"]
    images = bits(torch.tensor([[5, 20], [7, 0]], dtype=torch.uint8).view(2, 1, 1, 2))
    assert images.dtype == torch.uint8
    assert (images[0, 0, 0] // 255).tolist() == [1, 0, 1, 0, 0, 0, 0, 1, 0, 1]
    assert (images[1, 0, 0] // 255).tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert encoder.image_shape == (56, 56, 10)
    assert policy({"semantic": torch.zeros(4, 56, 56, 2, dtype=torch.uint8)})[1].shape == (4, 1)
    with pytest.raises(ValueError, match="needs a policy that sees rgb; this one sees semantic"):
        policy.rgb_encoder()


def test_the_order_of_words_counts() -> None:
    mission = Mission(20, 3)
    assert not torch.allclose(mission(torch.tensor([[1, 2, 3]])), mission(torch.tensor([[3, 2, 1]])))


def test_weights_are_the_seeds_and_torchs_own_generator_is_left_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        return ActorCritic(IMAGE, gym.spaces.Discrete(7), PolicyConfig(), seed=seed).sensors["rgb"].head[2].weight

    before = torch.get_rng_state()
    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))
    assert torch.equal(before, torch.get_rng_state())


def test_the_first_policy_is_nearly_uniform() -> None:
    policy = ActorCritic(IMAGE, gym.spaces.Discrete(7), PolicyConfig())
    images = torch.randint(0, 256, (32, 56, 56, 3), dtype=torch.uint8)
    probabilities = policy({"rgb": images})[0].log_probs.exp()
    assert (probabilities - 1 / 7).abs().max() < 0.02


@pytest.mark.parametrize(
    ("observation", "action", "message"),
    [
        (gym.spaces.Dict(mission=gym.spaces.Text(10)), gym.spaces.Discrete(2), "'mission'.*token ids"),
        (gym.spaces.Box(0, 1, (2, 2), np.float32), gym.spaces.Discrete(2), r"cannot read.*Box\(H, W, C\)"),
        (IMAGE, gym.spaces.MultiBinary(3), "cannot act in MultiBinary.*Discrete and Box"),
    ],
)
def test_spaces_that_it_does_not_know_are_named(observation: gym.Space, action: gym.Space, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ActorCritic(observation, action, PolicyConfig())


def test_an_unknown_precision_is_refused() -> None:
    assert uses_bfloat16("bf16")
    assert not uses_bfloat16("fp32")
    with pytest.raises(ValueError, match=r"'fp16'.*auto, bf16, fp32"):
        uses_bfloat16("fp16")


def test_the_actor_stacks_the_frames_of_its_own_episode() -> None:
    """After `start`, an actor's probabilities are those of the policy on frames padded with zeros."""
    policy = ActorCritic(IMAGE, gym.spaces.Discrete(7), PolicyConfig(frames=3, precision="fp32"))
    actor = Actor(policy, greedy=True)
    images = np.random.default_rng(0).integers(0, 256, (4, 56, 56, 3), np.uint8)
    for _ in range(2):
        actor.start()
        shown = [np.zeros_like(images[0])] * 2
        for image in images:
            shown.append(image)
            action, probabilities = actor.act(image)
            stacked = torch.from_numpy(np.concatenate(shown[-3:], -1))[None]
            expected = policy({"rgb": stacked})[0].log_probs[0].exp().detach()
            np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
            assert action == expected.argmax()
