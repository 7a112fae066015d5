"""Files that hold a policy or a training to resume: safetensors with a JSON header, nothing that can execute.

They are written as visnav.perception.saved writes weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO
from visnav.perception.saved import CheckpointError, give_weights, load_arrays, save_arrays, weights


def save_policy(path: Path, policy: ActorCritic, figures: Mapping[str, Any] | None = None) -> None:
    """Write the weights alone, for evaluation, and with them figures that tell how good they are."""
    save_arrays(path, "policy", weights(policy), dict(figures or {}))


def load_policy(path: Path, policy: ActorCritic) -> dict[str, Any]:
    """Give the policy the weights of a file, and return the figures that it was saved with.

    Raises:
        CheckpointError: see `load_arrays`; or the weights are of a policy of another shape.
    """
    arrays, figures = load_arrays(path, "policy")
    give_weights(policy, arrays, path)
    return figures


class Best:
    """A copy of the policy that did best so far, by `PPO.merit`; of equal ones the latest.

    Attributes:
        arrays: its weights; empty before the first `look`.
        figures: `steps` of the training, what it was judged by (`merit`), and the `success` and `return` then.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.figures: dict[str, Any] = {"merit": []}

    def look(self, trainer: PPO, report: Mapping[str, float]) -> None:
        """Take the trainer's policy, whose last update gave `report`, if none was better. All ranks call this."""
        merit = trainer.merit(report)
        if merit >= tuple(self.figures["merit"]):
            self.arrays, self.figures = weights(trainer.policy), {**figures(trainer, report), "merit": list(merit)}

    def save(self, path: Path) -> None:
        """Write it as `save_policy` does."""
        save_arrays(path, "policy", self.arrays, self.figures)

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            CheckpointError: see `load_arrays`.
        """
        self.arrays, self.figures = load_arrays(path, "policy")


def figures(trainer: PPO, report: Mapping[str, float]) -> dict[str, Any]:
    """What is known of a policy in training: `steps`, and the `success` and `return` of its last episodes."""
    return {"steps": trainer.steps, "success": report["success"], "return": report["return"]}


def save_training(path: Path, trainer: PPO, identity: Mapping[str, Any] | None = None) -> None:
    """Write all that a training needs to go on as if it had never stopped.

    Args:
        identity: what is trained where, by names, in JSON values; `load_training` is asked to find the same.
    """
    arrays, values = trainer.state()
    save_arrays(path, "training", arrays, {**values, "identity": dict(identity or {})})


def load_training(path: Path, trainer: PPO, identity: Mapping[str, Any] | None = None) -> None:
    """Bring a trainer, built with the same arguments, to where `save_training` left it.

    Raises:
        CheckpointError: see `load_arrays`; or the file is of a training with other arguments or another identity.
    """
    arrays, values = load_arrays(path, "training")
    try:
        for name, value in (identity or {}).items():
            if values["identity"].get(name) != value:
                raise ValueError(f"its {name} is {values['identity'].get(name)!r}, here it is {value!r}")
        trainer.load(arrays, values)
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not fit this training; resume with the environment and configuration it was started "
            f"with ({error})"
        ) from error
