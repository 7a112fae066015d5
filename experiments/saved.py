"""Networks that have learned to see, as files: `runs/…/network.safetensors`, weights and what is needed to build them.

`visnav train --encoder RUN` gives a policy such an encoder, `visnav watch --see RUN` draws what the network predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from visnav.agents.checkpoint import CheckpointError, load_arrays, save_arrays
from visnav.perception.detection import Detector
from visnav.perception.encoders import Pyramid
from visnav.perception.heads import Segmenter

NETWORKS: dict[str, type[Detector] | type[Segmenter]] = {"detector": Detector, "segmenter": Segmenter}
FILE = "network.safetensors"


def save_network(
    folder: Path, network: Detector | Segmenter, classes: Sequence[str], camera: dict[str, Any], **figures: float
) -> Path:
    """Write a network into a folder, which is made.

    Args:
        folder: of the run.
        network: with a Pyramid as its encoder.
        classes: names of what it predicts, in order.
        camera: keywords of `gym.make` that its pictures were drawn with.
        **figures: that tell how good it is.

    Returns:
        The file.
    """
    encoder = network.encoder
    description = {
        "network": next(name for name, kind in NETWORKS.items() if type(network) is kind),
        "encoder": "pyramid",
        "image_shape": list(encoder.image_shape),
        "output_size": encoder.output_size,
        "channels": list(encoder.channels),
        "classes": list(classes),
        "camera": camera,
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    save_arrays(folder / FILE, "network", arrays, description)
    return folder / FILE


def load_network(folder: Path) -> tuple[Detector | Segmenter, dict[str, Any]]:
    """A network in `eval` mode, and what `save_network` wrote of it: network, encoder, classes, camera, figures, …

    Raises:
        CheckpointError: there is none in the folder, or it is damaged or of another version.
    """
    arrays, description = load_arrays(folder / FILE, "network")
    try:
        encoder = Pyramid(
            description["image_shape"], description["output_size"], channels=description["channels"], pool=True
        )
        network = NETWORKS[description["network"]](encoder, len(description["classes"]))
        network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{folder / FILE} does not fit this version of visnav: {error}; learn anew") from error
    return network.eval(), description
