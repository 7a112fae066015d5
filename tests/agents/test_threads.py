"""Threads that share a batch give what one thread gives, the same every time, and end together when one fails."""

import threading
import time
from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest
import torch

import visnav.envs
from visnav.agents.auxiliary import LabelLoss
from visnav.agents.evaluate import evaluate
from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO, PPOConfig
from visnav.agents.threads import in_shares, meanwhile, sharing

assert visnav.envs
ID = "visnav/MiniGrid-Empty-Random-5x5-v0"
CONFIG = {
    "num_envs": 48,
    "num_steps": 8,
    "minibatches": 3,
    "normalise_advantages": True,
    "adam_eps": 1e-4,  # with less, Adam makes whole steps of gradients that are nothing but rounding
    "precision": "fp32",
}


@pytest.fixture
def torch_threads() -> Iterator[None]:
    """Give torch its number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trained(threads: int, change: dict, auxiliary: str) -> tuple[torch.Tensor, dict[str, float]]:
    """The weights after three updates, and the last report."""
    torch.set_num_threads(threads)
    eyes = {"camera": "first_person", "image_size": (32, 32), "sensors": ("rgb", "semantic")} if auxiliary else {}
    envs = gym.make_vec(ID, num_envs=48, max_steps=20, **eyes)
    trainer = PPO(envs, PPOConfig(**CONFIG | change), 3, 10_000, auxiliary=LabelLoss(auxiliary) if auxiliary else None)
    reports = [trainer.iterate() for _ in range(3)]
    assert torch.get_num_threads() == threads
    return torch.cat([parameter.detach().flatten() for parameter in trainer.policy.parameters()]), reports[-1]


@pytest.mark.parametrize(
    ("change", "auxiliary"),
    [
        ({}, ""),
        ({"memory": 8, "curiosity": 0.5, "curiosity_kind": "counts"}, ""),
        ({"curiosity": 0.5}, ""),
        ({"frames": 2}, "segmentation"),
    ],
    ids=["plain", "memory", "curiosity", "auxiliary"],
)
@pytest.mark.usefixtures("torch_threads")
def test_three_threads_learn_what_one_learns_and_the_same_again(change: dict, auxiliary: str) -> None:
    alone, report = trained(1, change, auxiliary)
    shared, shared_report = trained(3, change, auxiliary)
    torch.testing.assert_close(shared, alone, rtol=0, atol=5e-4)
    assert shared_report == pytest.approx(report, rel=1e-2, abs=1e-3)
    assert torch.equal(trained(3, change, auxiliary)[0], shared)


@pytest.mark.usefixtures("torch_threads")
def test_shares_cover_a_batch() -> None:
    values, met = torch.arange(100.0), set()

    def work(units: slice) -> torch.Tensor:
        met.add(threading.get_ident())
        assert torch.get_num_threads() == 1
        together.wait(timeout=60)  # which they must be at the same time
        return values[units]

    together = threading.Barrier(3)
    torch.set_num_threads(3)
    with sharing(), sharing():  # once more changes nothing
        assert torch.equal(torch.cat(in_shares(work, 100, 100)), values)
        assert in_shares(lambda units: units, 2, 100) == [slice(0, 1), slice(1, 2)]
        assert len(in_shares(lambda units: units, 40, 40)) == 2  # three would have fewer than 16 rows
    assert torch.get_num_threads() == 3
    assert len(met) == 3
    assert in_shares(lambda units: units, 100, 100) == [slice(0, 100)]
    torch.set_num_threads(1)
    with sharing():
        assert in_shares(lambda units: units, 100, 100) == [slice(0, 100)]


@pytest.mark.usefixtures("torch_threads")
def test_what_is_done_meanwhile_runs_beside_the_caller() -> None:
    def work() -> int:
        met.wait(timeout=60)
        return threading.get_ident()

    met = threading.Barrier(2)
    torch.set_num_threads(2)
    with sharing():
        result = meanwhile(work)
        met.wait(timeout=60)
        assert result() != threading.get_ident()
    assert meanwhile(threading.get_ident)() == threading.get_ident(), "without other threads it is done when asked for"


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.usefixtures("torch_threads")
def test_an_error_in_one_share_is_raised_when_all_have_ended(failing: int) -> None:
    ended = []

    def work(units: slice) -> None:
        if units.start == 20 * failing:
            raise ArithmeticError("this one")
        time.sleep(0.05)
        ended.append(units)

    torch.set_num_threads(3)
    with pytest.raises(ArithmeticError, match="this one"), sharing():
        in_shares(work, 60, 60)
    assert len(ended) == 2


@pytest.mark.usefixtures("torch_threads")
def test_an_evaluation_in_three_threads_is_that_in_one() -> None:
    def played(threads: int) -> np.ndarray:
        torch.set_num_threads(threads)
        envs = gym.make_vec(ID, num_envs=48, max_steps=20)
        policy = ActorCritic(envs.single_observation_space, envs.single_action_space, PPOConfig(precision="fp32"))
        return evaluate(policy, envs, 96).returns

    np.testing.assert_array_equal(played(3), played(1))
