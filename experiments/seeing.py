"""Networks that learned to see, kept in folders: 04 and 05 write them, training and the viewer read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visnav.experiments.panes import DETECTS, SEGMENTS
from visnav.perception.detection import Detector
from visnav.perception.encoders import ENCODERS
from visnav.perception.heads import Segmenter
from visnav.perception.saved import NETWORK, CheckpointError, give_weights, load_network, save_network

HEADS: dict[str, type[Detector] | type[Segmenter]] = {DETECTS: Detector, SEGMENTS: Segmenter}


def keep(folder: Path, network: Detector | Segmenter, classes: list[str], camera: dict[str, Any], score: float) -> None:
    """Write a network into a folder, which is made, and say so.

    Args:
        classes: names of what it predicts, in order.
        camera: keywords of `gym.make` that its pictures were drawn with.
        score: how good it is: AP50 of boxes, mIoU of pixels.
    """
    head = next(name for name, kind in HEADS.items() if type(network) is kind)
    values = {"predicts": head, "classes": classes, "camera": camera, "score": score}
    save_network(folder, network, values)
    print(f"The network is {folder / NETWORK}.")


def load(folder: Path) -> tuple[Detector | Segmenter, dict[str, Any]]:
    """A network in `eval` mode, and what was kept with it: `predicts`, `classes`, `camera`, `score`.

    Raises:
        CheckpointError: there is none in the folder, or it is damaged or of another version.
    """
    arrays, values = load_network(folder)
    try:
        encoder = ENCODERS[values["encoder"]](values["image_shape"], pool=True)
        network = HEADS[values["predicts"]](encoder, len(values["classes"]))  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / NETWORK} is of another version of visnav ({error}); learn anew") from error
    give_weights(network, arrays, folder / NETWORK)
    return network.eval(), values
