"""Contestants of `visnav benchmark --sections training`: each trains in a process of its own.

    python -m visnav.experiments.benchmark_training "visnav"      reads a line, trains for one update, prints its steps

In processes of their own because memory, threads and their settings belong to a process, and one contestant's would
change the others' speed. All learn from 64×64 pixels of DoorKey-8x8 seen as a whole, by NatureCNN, in rollouts of
64 worlds × 64 steps, 4 epochs and minibatches of 256, with these exceptions. "minigrid pixels" are 8 worlds with what
the agent sees, and the usual epochs and minibatches of Stable-Baselines3 or sb3-contrib; "by default" is as `visnav
train` learns the same.
"""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, cast

import gymnasium as gym
import torch

import visnav.envs  # noqa: F401, registers the IDs
from visnav.agents.ppo import PPO, PPOConfig
from visnav.envs.batch import available_cpus
from visnav.envs.gym import VectorEnv
from visnav.experiments.benchmark_players import Play

ID = "MiniGrid-DoorKey-8x8-v0"
WORLDS, STEPS, EPOCHS, MINIBATCH = 64, 64, 4, 256
UNITS = 256  # of the recurrent memories, the default of RecurrentPPO
FEW_WORLDS, LONG, MORE_EPOCHS, SMALL_MINIBATCH = 8, 256, 10, 64
SHARE_UPDATES = 4

Update = Callable[[], Any]


def worlds(num_envs: int, **keywords: Any) -> VectorEnv:
    """Our worlds; by default they show what the agent sees."""
    return cast(VectorEnv, gym.make_vec(f"visnav/{ID}", num_envs=num_envs, **keywords))


def our_trainer(**change: Any) -> PPO:
    """Our PPO on the shared task."""
    config = PPOConfig(
        **{
            "encoder": "nature",
            "num_envs": WORLDS,
            "num_steps": STEPS,
            "epochs": EPOCHS,
            "minibatches": WORLDS * STEPS // MINIBATCH,
            "normalise_advantages": True,
            **change,
        }
    )
    return PPO(worlds(WORLDS, camera="full"), config)


def our_trainer_on_few_worlds() -> PPO:
    """Our PPO as Stable-Baselines3's is usually set, on the twins of minigrid's worlds."""
    config = PPOConfig(
        encoder="nature",
        num_envs=FEW_WORLDS,
        num_steps=LONG,
        epochs=MORE_EPOCHS,
        minibatches=FEW_WORLDS * LONG // SMALL_MINIBATCH,
        normalise_advantages=True,
    )
    return PPO(worlds(FEW_WORLDS), config)


def ours() -> tuple[Update, int]:
    return our_trainer().iterate, WORLDS * STEPS


def ours_recurrent() -> tuple[Update, int]:
    return our_trainer(memory=UNITS).iterate, WORLDS * STEPS


def ours_on_few_worlds() -> tuple[Update, int]:
    return our_trainer_on_few_worlds().iterate, FEW_WORLDS * LONG


def ours_by_default(memory: int = 0) -> tuple[Update, int]:
    config = PPOConfig(memory=memory)
    return PPO(worlds(config.num_envs), config).iterate, config.num_envs * config.num_steps


def sb3() -> tuple[Update, int]:
    from stable_baselines3 import PPO as SB3

    return _sb3_update(SB3, "CnnPolicy"), WORLDS * STEPS


def sb3_recurrent() -> tuple[Update, int]:
    from sb3_contrib import RecurrentPPO

    return _sb3_update(RecurrentPPO, "CnnLstmPolicy"), WORLDS * STEPS


def _sb3_update(algorithm: Any, policy: str) -> Update:
    from visnav.agents.sb3 import VisnavVecEnv

    envs = VisnavVecEnv(worlds(WORLDS, camera="full", autoreset_mode="SameStep"))
    model = algorithm(policy, envs, n_steps=STEPS, batch_size=MINIBATCH, n_epochs=EPOCHS, device="cpu")
    return lambda: model.learn(WORLDS * STEPS, reset_num_timesteps=False)


def sb3_on_minigrid() -> tuple[Update, int]:
    """The original worlds, and Stable-Baselines3 as it comes; rollouts are shorter, which leaves the rate as it is."""
    from stable_baselines3 import PPO as SB3

    model = SB3("CnnPolicy", _minigrid(), n_steps=LONG, batch_size=SMALL_MINIBATCH, n_epochs=MORE_EPOCHS, device="cpu")
    return lambda: model.learn(FEW_WORLDS * LONG, reset_num_timesteps=False), FEW_WORLDS * LONG


def sb3_recurrent_on_minigrid() -> tuple[Update, int]:
    """The original worlds, and RecurrentPPO as it comes."""
    from sb3_contrib import RecurrentPPO

    model = RecurrentPPO("CnnLstmPolicy", _minigrid(), device="cpu")
    steps = FEW_WORLDS * model.n_steps
    return lambda: model.learn(steps, reset_num_timesteps=False), steps


def _minigrid() -> Any:
    from minigrid.wrappers import ImgObsWrapper, RGBImgPartialObsWrapper
    from stable_baselines3.common.vec_env import DummyVecEnv

    return DummyVecEnv([lambda: ImgObsWrapper(RGBImgPartialObsWrapper(gym.make(ID)))] * FEW_WORLDS)


CONTESTANTS: dict[str, tuple[str, Callable[[], tuple[Update, int]]]] = {
    "visnav": ("torch", ours),
    "visnav recurrent": ("torch", ours_recurrent),
    "visnav minigrid pixels": ("torch", ours_on_few_worlds),
    "visnav by default": ("torch", ours_by_default),
    "visnav recurrent by default": ("torch", lambda: ours_by_default(UNITS)),
    "SB3": ("stable_baselines3", sb3),
    "SB3 RecurrentPPO": ("sb3_contrib", sb3_recurrent),
    "SB3 minigrid pixels": ("minigrid", sb3_on_minigrid),
    "SB3 RecurrentPPO minigrid pixels": ("sb3_contrib", sb3_recurrent_on_minigrid),
}
"""Name -> the package that must be there, and what makes the contestant: one update, and the steps in it."""


@contextmanager
def process(name: str) -> Iterator[Play | None]:
    """A contestant in a process of its own, as a player; None if its package is not installed."""
    if not find_spec(CONTESTANTS[name][0]):
        yield None
        return
    environment = {**os.environ, "OMP_NUM_THREADS": str(available_cpus())}
    with subprocess.Popen(
        [sys.executable, "-m", "visnav.experiments.benchmark_training", name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True,
    ) as child:  # fmt: skip

        def play() -> int:
            assert child.stdin
            assert child.stdout
            child.stdin.write("\n")
            child.stdin.flush()
            return int(child.stdout.readline())

        try:
            yield play
        finally:
            child.kill()


def own_share() -> float:
    """Share of a training's time that is not in the worlds, the policy, its gradients or the optimiser, in percent.

    Of threads that share a minibatch one at least is in them at a time that does not count.
    """
    trainer, spent, busy, begin, lock = our_trainer(), 0.0, 0, 0.0, threading.Lock()

    def timed(function: Callable) -> Callable:
        def call(*args: Any, **keywords: Any) -> Any:
            nonlocal spent, busy, begin
            with lock:
                begin = time.perf_counter() if busy == 0 else begin
                busy += 1
            result = function(*args, **keywords)
            with lock:
                busy -= 1
                spent += time.perf_counter() - begin if busy == 0 else 0.0
            return result

        return call

    trainer.iterate()
    trainer.envs.step = timed(trainer.envs.step)  # type: ignore[method-assign]
    trainer.policy.forward = timed(trainer.policy.forward)  # type: ignore[method-assign]
    trainer.optimizer.step = timed(trainer.optimizer.step)  # type: ignore[method-assign]
    differentiate = torch.autograd.grad
    torch.autograd.grad = timed(differentiate)
    try:
        start = time.perf_counter()
        for _ in range(SHARE_UPDATES):
            trainer.iterate()
        return 100 * (1 - spent / (time.perf_counter() - start))
    finally:
        torch.autograd.grad = differentiate


def main(name: str) -> None:
    """Train as `name` does, an update a line of standard input."""
    update, steps = CONTESTANTS[name][1]()
    for _ in itertools.takewhile(bool, iter(sys.stdin.readline, None)):
        update()
        print(steps, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
