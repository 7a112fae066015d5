"""Files that hold weights: safetensors with a JSON header, nothing that can execute.

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
from torch import nn

from visnav.perception.encoders import ENCODERS, Encoder

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


def weights(module: nn.Module) -> dict[str, np.ndarray]:
    """A copy of every parameter and buffer, by name."""
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def give_weights(module: nn.Module, arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Give a module the weights that were read from `path`.

    Raises:
        CheckpointError: they are of a module of another shape.
    """
    try:
        module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    except RuntimeError as error:
        raise CheckpointError(f"the weights in {path} do not fit: {error}") from error


NETWORK = "network.safetensors"  # in the folder of a network that learned to see


def save_network(folder: Path, network: nn.Module, values: Mapping[str, Any]) -> None:
    """Write a network that learned to see, whose `encoder` is one of ENCODERS, into a folder.

    Args:
        network: with an attribute `encoder`.
        values: what else JSON can hold: what it sees (its classes), how its head is made, how good it is.
    """
    encoder = network.encoder
    assert isinstance(encoder, Encoder)
    kind = next(name for name, made in ENCODERS.items() if made is type(encoder))
    folder.mkdir(parents=True, exist_ok=True)
    described = {"encoder": kind, "image_shape": list(encoder.image_shape), **values}
    save_arrays(folder / NETWORK, "network", weights(network), described)


def load_network(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `save_network` wrote: the weights by name, and the values with `encoder` and `image_shape`.

    Raises:
        CheckpointError: see `load_arrays`.
    """
    return load_arrays(folder / NETWORK, "network")


def load_maps(folder: Path, encoder: Encoder) -> None:
    """Give an encoder the layers before its vector that a network of `save_network` learned to see with.

    Raises:
        CheckpointError: see `load_arrays`; or the encoder is of another kind, or reads other images.
    """
    arrays, values = load_network(folder)
    if ENCODERS.get(values["encoder"]) is not type(encoder):
        raise CheckpointError(
            f"the encoder in {folder} is {values['encoder']}, this one is {type(encoder).__name__}; use "
            f"--encoder {values['encoder']}"
        )
    prefix = "encoder.maps."
    maps = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    give_weights(encoder.maps, maps, folder / NETWORK)
