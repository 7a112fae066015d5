"""Files that hold a policy or a training to resume: safetensors with a JSON header, nothing that can execute.

Such a file is written under a temporary name and renamed, so that a crash leaves the one before it; its header
carries a SHA-256 of the content, so that damage is noticed.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from visnav.agents.policy import ActorCritic
from visnav.agents.ppo import PPO

HEADER = "visnav"  # the one key of the safetensors metadata: its order in the file is then fixed


class CheckpointError(ValueError):
    """A file is missing, damaged, or not the one that was asked for."""


def digest(arrays: Mapping[str, np.ndarray], values: dict[str, Any]) -> str:
    """SHA-256 of the values and of every array's name, type, shape and bytes."""
    sha = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"{name} {array.dtype} {array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file by the content, or leave it as it was.

    Raises:
        OSError: it cannot be written, such as to a full disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def save_arrays(path: Path, kind: str, arrays: Mapping[str, np.ndarray], values: dict[str, Any]) -> None:
    """Write arrays and JSON values to one file.

    Args:
        kind: what the file is, asked for again when it is read: "policy" or "training".
        values: whatever `json` can write.
    """
    ordered = {name: np.array(arrays[name], order="C") for name in sorted(arrays)}
    header = {"kind": kind, "values": values, "sha256": digest(ordered, values)}
    write_atomically(path, save(ordered, {HEADER: json.dumps(header, sort_keys=True)}))


def load_arrays(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and values of a file that `save_arrays` wrote.

    Raises:
        CheckpointError: there is no such file, it is of another kind or program, or its content has changed.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}; give the path of a {kind} that visnav wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({error}); use an earlier checkpoint or train anew"
        ) from error
    if not isinstance(header, dict) or not header.keys() >= {"kind", "values", "sha256"}:
        raise CheckpointError(f"{path} was not written by visnav; give the path of a {kind} that it wrote")
    if header["kind"] != kind:
        raise CheckpointError(f"{path} holds a {header['kind']}, not a {kind}")
    if digest(arrays, header["values"]) != header["sha256"]:
        raise CheckpointError(f"{path} is damaged: its checksum differs; use an earlier checkpoint or train anew")
    return arrays, header["values"]


def save_policy(path: Path, policy: ActorCritic, figures: Mapping[str, Any] | None = None) -> None:
    """Write the weights alone, for evaluation, and with them figures that tell how good they are."""
    save_arrays(path, "policy", weights(policy), dict(figures or {}))


def weights(policy: ActorCritic) -> dict[str, np.ndarray]:
    """A copy of every parameter and buffer, by name."""
    return {name: tensor.numpy().copy() for name, tensor in policy.state_dict().items()}


def load_policy(path: Path, policy: ActorCritic) -> dict[str, Any]:
    """Give the policy the weights of a file, and return the figures that it was saved with.

    Raises:
        CheckpointError: see `load_arrays`; or the weights are of a policy of another shape.
    """
    arrays, figures = load_arrays(path, "policy")
    try:
        policy.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    except RuntimeError as error:
        raise CheckpointError(f"the weights in {path} do not fit this policy: {error}") from error
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
