"""Networks that learn to see: how 04 and 05 teach and keep them, and how training and the viewer read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visnav.agents.seen import Sight
from visnav.experiments.labelling import FAMILIES
from visnav.experiments.panes import DETECTS, SEGMENTS
from visnav.experiments.story import StoryConfig
from visnav.perception.detection import Detector
from visnav.perception.encoders import ENCODERS
from visnav.perception.heads import Segmenter
from visnav.perception.mlp import Batch, FitConfig, Loss, fit
from visnav.perception.saved import NETWORK, CheckpointError, give_weights, load_network, save_network

HEADS: dict[str, type[Detector] | type[Segmenter]] = {DETECTS: Detector, SEGMENTS: Segmenter}


@dataclass(frozen=True)
class SeeingConfig(StoryConfig):
    """A page on which a network of each family of worlds learns to see."""

    minibatches: int = 2000
    """That each network learns from."""
    batch_size: int = 48
    """Pictures of a minibatch."""
    families: tuple[str, ...] = tuple(FAMILIES)
    """Of worlds, a network each."""
    save: Path | None = None
    """Where the networks are kept; nowhere when None."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = set(self.families) - set(FAMILIES)
        if unknown or not self.families:
            raise ValueError(f"families are of {', '.join(FAMILIES)}; got {', '.join(self.families) or 'none'}")


def teach(
    network: Detector | Segmenter,
    loss: Loss,
    batches: Iterable[Batch],
    validation: Batch,
    learning_rate: float,
    config: SeeingConfig,
) -> None:
    """Fit a network to so many of endless batches as the config says, and leave it in `eval` mode.

    The validation is looked at 20 times, or after every minibatch if there are fewer, and the best weights stay.
    """
    epochs = min(20, config.minibatches)
    fit(
        network,
        loss,
        batches,
        [validation],
        FitConfig(
            epochs, config.batch_size, config.minibatches // epochs, learning_rate, patience=epochs, seed=config.seed
        ),
        progress=type(network).__name__,
    )


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


def open_sight(folder: Path, camera: str) -> Sight:
    """A network for classes of pixels that was kept in a folder, as what a policy sees by.

    Args:
        camera: of the pictures that it is to see.

    Raises:
        CheckpointError: there is none in the folder, it is damaged or of another version, it predicts something else,
            or it learned to see through another camera.
    """
    network, values = load(folder)
    if not isinstance(network, Segmenter):
        raise CheckpointError(
            f"the network in {folder} predicts {values['predicts']}; a policy is shown classes of pixels, which "
            "05_segment_worlds.py learns"
        )
    learned = values["camera"].get("camera")
    if learned != camera:
        raise CheckpointError(
            f"the network in {folder} learned to see through camera={learned}, and these worlds are seen through "
            f"{camera}; give --env camera={learned}"
        )
    return Sight(network, len(values["classes"]))


def fingerprint(folder: Path) -> str:
    """What tells a kept network from others, wherever it lies."""
    return hashlib.sha256((folder / NETWORK).read_bytes()).hexdigest()[:12]
