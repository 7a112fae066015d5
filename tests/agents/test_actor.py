"""An actor tells where its policy looks for the action it chose."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from visnav.agents.actor import Actor
from visnav.agents.policy import ActorCritic, PolicyConfig

IMAGE = gym.spaces.Box(0, 255, (48, 56, 3), np.uint8)


def actor(space: gym.Space, actions: gym.Space, **config: object) -> Actor:
    policy = ActorCritic(space, actions, PolicyConfig(precision="fp32", **config), seed=1)  # type: ignore[arg-type]
    return Actor(policy.eval(), greedy=True)


@pytest.mark.parametrize(
    ("space", "config"),
    [
        (IMAGE, {"encoder": "patch"}),
        (IMAGE, {"encoder": "pyramid", "frames": 2}),
        (gym.spaces.Dict({"rgb": IMAGE, "direction": gym.spaces.Discrete(4)}), {"memory": 16}),
    ],
)
def test_saliency_is_grad_cam_of_the_chosen_actions_log_probability(
    space: gym.Space, config: dict[str, object]
) -> None:
    """Against captum's, of a network from images to log-probabilities with all else as it was when it acted."""
    import captum.attr

    player = actor(space, gym.spaces.Discrete(5), **config)
    space.seed(0)
    for _ in range(3):
        remembered = player.memory
        action, _ = player.act(space.sample())
    network = player.policy

    class LogProbabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.policy = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.policy(player.seen | {"rgb": images}, remembered)[0].log_probs

    reference = captum.attr.LayerGradCam(LogProbabilities(), network.sensors["rgb"].maps)
    coarse = reference.attribute(player.seen["rgb"], target=int(action), relu_attributions=True)
    expected = captum.attr.LayerAttribution.interpolate(coarse, (48, 56), "bilinear")[0, 0].detach().numpy()
    found = player.saliency()
    assert found.shape == (48, 56)
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_saliency_of_continuous_actions_and_none_without_an_image() -> None:
    player = actor(IMAGE, gym.spaces.Box(-1, 1, (2,)))
    player.act(IMAGE.sample())
    assert player.saliency().shape == (48, 56)
    blind = actor(gym.spaces.Box(-1, 1, (6,)), gym.spaces.Discrete(3))
    blind.act(np.zeros(6, np.float32))
    with pytest.raises(ValueError, match="needs a policy that sees rgb"):
        blind.saliency()


def test_it_computes_in_one_thread_and_gives_torch_its_others_back() -> None:
    player, met, before = actor(IMAGE, gym.spaces.Discrete(5)), [], torch.get_num_threads()
    player.policy.register_forward_hook(lambda *_: met.append(torch.get_num_threads()))
    try:
        torch.set_num_threads(3)
        player.act(IMAGE.sample())
        player.saliency()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert met == [1, 1]
