"""Resuming is never having stopped; damaged and foreign files are refused and nothing is lost."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import visnav.envs
from visnav.agents.checkpoint import (
    Best,
    load_policy,
    load_training,
    save_policy,
    save_training,
)
from visnav.agents.policy import ActorCritic, PolicyConfig
from visnav.agents.ppo import PPO, PPOConfig
from visnav.perception.saved import CheckpointError, load_arrays, save_arrays

# Everything that has state is in use: frame stacks, the scale of rewards, a falling learning rate …
CONFIG = PPOConfig(num_envs=8, num_steps=16, minibatches=4, frames=2, scale_rewards=True)
RECURRENT = replace(CONFIG, memory=12)  # … a memory,
CURIOUS = replace(CONFIG, curiosity=0.5, curiosity_first_visits=True)  # and what has been new
BETA = replace(CONFIG, distribution="beta")
ID = "visnav/MiniGrid-DoorKey-5x5-v0"
DRIVING_ID = "visnav/racetrack-v0"  # continuous actions
assert visnav.envs

CONTINUE = """
import json, sys, torch, gymnasium as gym, visnav.envs
from pathlib import Path
from visnav.agents.checkpoint import load_training, save_training
from visnav.agents.ppo import PPO, PPOConfig
torch.set_num_threads(int(sys.argv[3]))
envs, config = gym.make_vec(sys.argv[4], num_envs=8, split="train", max_steps=20), PPOConfig(**json.loads(sys.argv[5]))
trainer = PPO(envs, config, 3, 1500)
load_training(Path(sys.argv[1]), trainer)
for _ in range(4):
    trainer.iterate()
save_training(Path(sys.argv[2]), trainer)
"""


def door_key() -> gym.vector.VectorEnv:
    return gym.make_vec(ID, num_envs=8, split="train", max_steps=20)


@pytest.mark.parametrize(
    ("env_id", "config", "threads"),
    [
        (ID, CONFIG, 1),
        (ID, CONFIG, 2),
        (ID, RECURRENT, 1),
        (ID, CURIOUS, 1),
        (ID, replace(CURIOUS, curiosity_kind="counts"), 1),
        (DRIVING_ID, CONFIG, 1),
        (DRIVING_ID, BETA, 1),
    ],
)
def test_resuming_in_a_fresh_process_equals_never_having_stopped(
    tmp_path: Path, env_id: str, config: PPOConfig, threads: int
) -> None:
    """4 + 4 updates with a stop between them and 8 without leave the same bytes."""
    stopped, resumed, straight = (tmp_path / f"{name}.safetensors" for name in ("stopped", "resumed", "straight"))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        trainer = PPO(gym.make_vec(env_id, num_envs=8, split="train", max_steps=20), config, 3, 1500)
        for update in range(8):
            if update == 4:
                save_training(stopped, trainer)
            report = trainer.iterate()
        save_training(straight, trainer)
    finally:
        torch.set_num_threads(before)
    arguments = [str(stopped), str(resumed), str(threads), env_id, json.dumps(asdict(config))]
    subprocess.run([sys.executable, "-c", CONTINUE, *arguments], check=True, timeout=300)
    assert trainer.statistics.counts.min() >= 2
    assert report["learning_rate"] < CONFIG.learning_rate
    assert resumed.read_bytes() == straight.read_bytes()
    assert stopped.read_bytes() != straight.read_bytes()


def test_a_policy_comes_back_as_it_was(tmp_path: Path) -> None:
    spaces = gym.spaces.Box(0, 255, (56, 56, 3), np.uint8), gym.spaces.Discrete(7)
    saved, loaded = (ActorCritic(*spaces, PolicyConfig(), seed=seed) for seed in (1, 2))
    save_policy(tmp_path / "policy.safetensors", saved)
    load_policy(tmp_path / "policy.safetensors", loaded)
    for name, weights in saved.state_dict().items():
        assert torch.equal(weights, loaded.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["policy.safetensors"]


def damage_header(content: bytes) -> bytes:
    return b"\xff" * 8 + content[8:]


def damage_data(content: bytes) -> bytes:
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


def damage_values(content: bytes) -> bytes:
    assert b'\\"steps\\": 0' in content
    return content.replace(b'\\"steps\\": 0', b'\\"steps\\": 9')


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: b"", "damaged"),
        (lambda content: b"\0" * len(content), "damaged"),
        (lambda content: content + b"\0", "damaged"),
        (damage_header, "damaged"),
        (damage_data, "checksum"),
        (damage_values, "checksum"),
        (lambda content: pickle.dumps({"weights": [1, 2]}), "damaged or no safetensors file"),
        (lambda content: json.dumps({"steps": 1}).encode(), "damaged or no safetensors file"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    tmp_path: Path, bandit: Callable, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "training.safetensors"
    trainer = PPO(bandit(8), CONFIG)
    save_training(path, trainer)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message) as error:
        load_training(path, trainer)
    assert str(path) in str(error.value)


def test_a_foreign_file_is_refused(tmp_path: Path, bandit: Callable) -> None:
    trainer = PPO(bandit(8), CONFIG)
    path = tmp_path / "other.safetensors"
    with pytest.raises(CheckpointError, match="there is no file"):
        load_training(path, trainer)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not written by visnav"):
        load_training(path, trainer)
    save_policy(path, trainer.policy)
    with pytest.raises(CheckpointError, match="holds a policy, not a training"):
        load_training(path, trainer)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_policy(
            path, ActorCritic(gym.spaces.Box(0, 255, (56, 56, 3), np.uint8), gym.spaces.Discrete(7), PolicyConfig())
        )


@pytest.mark.parametrize("difference", ["task", "num_envs", "encoder", "gamma"])
def test_a_checkpoint_of_another_training_is_refused_and_changes_nothing(
    tmp_path: Path, bandit: Callable, cue: Callable, difference: str
) -> None:
    path = tmp_path / "training.safetensors"
    save_training(path, PPO(bandit(8), CONFIG, seed=1))
    match difference:
        case "task":
            other = PPO(cue(8), CONFIG)
        case "num_envs":
            other = PPO(bandit(16), replace(CONFIG, num_envs=16))
        case "encoder":
            other = PPO(bandit(8), replace(CONFIG, encoder="impoola"))
        case _:
            other = PPO(bandit(8), replace(CONFIG, gamma=0.9))
    before = {name: array.copy() for name, array in other.state()[0].items()}
    with pytest.raises(CheckpointError, match="does not fit this training"):
        load_training(path, other)
    for name, array in other.state()[0].items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_the_best_policy_is_kept_and_goes_on_being_so(tmp_path: Path, bandit: Callable) -> None:
    """Most success, then the greatest return, then the latest; what comes before the statistics are full is less."""
    trainer, best = PPO(bandit(8), CONFIG), Best()

    def look(success: float, mean_return: float) -> bool:
        """Whether this one is taken."""
        with torch.no_grad():
            trainer.policy.critic.bias += 1
        best.look(trainer, {"success": success, "return": mean_return})
        return bool((best.arrays["critic.bias"] == trainer.policy.critic.bias.detach().numpy()).all())

    assert look(0.9, 5.0)
    assert look(0.1, -5.0), "until every world has played its episodes, the latest is the best"
    trainer.statistics.counts[:] = len(trainer.statistics.recent)
    assert look(0.0, -9.0)
    assert look(0.5, 0.2)
    assert not look(0.4, 0.9)
    assert not look(0.5, 0.1)
    assert look(0.5, 0.2)
    best.save(tmp_path / "best")
    best = Best()
    best.load(tmp_path / "best")
    assert best.figures == {"steps": 0, "success": 0.5, "return": 0.2, "merit": [0.5, 0.2]}
    assert not look(0.5, 0.1)
    assert load_policy(tmp_path / "best", trainer.policy) == best.figures
    assert look(0.6, 0.0)


def test_what_a_header_lacks_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    for header in ("[]", "7", "{}", '{"kind": "policy"}', '{"kind": "policy", "values": {}}', "{"):
        save_file({"weight": np.zeros(3)}, path, {"visnav": header})
        with pytest.raises(CheckpointError, match=r"was not written by visnav|is damaged"):
            load_arrays(path, "policy")
    save_arrays(path, "training", {"policy/weight": np.zeros(3)}, {})
    with pytest.raises(CheckpointError, match="does not fit this training"):
        load_training(path, PPO(gym.make_vec(ID, num_envs=8), CONFIG))
