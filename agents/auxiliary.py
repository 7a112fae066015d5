"""Auxiliary losses: the encoder also learns to tell what a sensor of labels shows, which the policy does not see.

After Mirowski et al. 2017, "Learning to Navigate in Complex Environments" (arXiv:1611.03673), who predict depth from
the encoder's features while the policy learns.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.agents.minibatch import Minibatch
from visnav.agents.pictures import Repeated
from visnav.agents.policy import ONLY, ActorCritic, as_dict
from visnav.perception.encoders import Encoder
from visnav.perception.heads import UpsamplingHead

SENSORS = {"segmentation": "semantic", "depth": "depth"}  # what is learned, and the sensor that shows it
STRIDE = 4  # pixels between the points at which labels are predicted
SHARE = 0.25  # of the rows of a minibatch that it is learned from


def points(labels: Tensor) -> Tensor:
    """Those of labels (B, H, W) that are learned, at every fourth pixel down and across."""
    return labels[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def head_of(encoder: Encoder, outputs: int, size: Sequence[int]) -> UpsamplingHead:
    """What predicts so many numbers at the `points` of labels of that size (H, W), from the encoder's maps."""
    with torch.no_grad():
        maps = encoder.features(torch.zeros(1, *encoder.image_shape, dtype=torch.uint8))
    return UpsamplingHead(maps.shape[1:], outputs, [len(range(STRIDE // 2, side, STRIDE)) for side in size])


class Auxiliary(Protocol):
    """A loss that PPO adds to its own.

    Attributes:
        sensor: of the worlds, whose labels travel with the rollout and which the policy does not see.
    """

    sensor: str

    def attach(self, policy: ActorCritic, space: gym.Space) -> None:
        """Get to know the policy and the space of the sensor, once, before `parameters`."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """What the optimiser learns besides the policy."""

    def loss(self, batch: Minibatch) -> tuple[Tensor, dict[str, Tensor]]:
        """What to add to the loss of a minibatch that the policy has just read, and what to report, detached.

        Of a share of one, its part of both.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Every array, to be saved; `load` takes it back."""

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Take over a saved state."""


class LabelLoss(nn.Module):
    """Segmentation or depth, from the feature maps of the policy's encoder of rgb.

    It is learned at every fourth pixel of a quarter of a minibatch's images, which keeps it cheap.
    Segmentation: cross-entropy, reported with the share of points that are right. Depth: mean absolute error of
    log(1 + metres). The maps are those of the policy's own pass over a minibatch: the encoder does not run again.

    Args:
        kind: "segmentation" or "depth".
        coefficient: weight of the loss.
        seed: of the head's first weights.

    Raises:
        ValueError: another kind.
    """

    def __init__(self, kind: str, coefficient: float = 0.01, seed: int = 0) -> None:
        super().__init__()
        if kind not in SENSORS:
            raise ValueError(f"unknown auxiliary loss {kind!r}; choose one of {', '.join(SENSORS)}")
        self.sensor, self.coefficient, self.seed = SENSORS[kind], coefficient, seed
        self._own = threading.local()  # of each thread that shares a minibatch: the maps of its rows

    def attach(self, policy: ActorCritic, space: gym.Space) -> None:
        """See `Auxiliary`. Raises ValueError where the policy has no encoder of rgb."""
        encoder = policy.rgb_encoder()
        assert isinstance(space, gym.spaces.Box)
        outputs = int(space.high.max()) + 1 if self.sensor == "semantic" else 1
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed)
            self.head = head_of(encoder, outputs, space.shape[:2])
        self.in_bfloat16 = policy.in_bfloat16
        encoder.maps.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, images: Any, maps: Tensor) -> None:
        if torch.is_grad_enabled():
            self._own.maps = maps

    def loss(self, batch: Minibatch) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Auxiliary`; reports `auxiliary_loss` before its weight, and of segmentation `auxiliary_accuracy`."""
        drawn, rows = batch.drawn(SHARE)
        seen, told = batch.observation[ONLY], batch.observation[self.sensor]
        assert isinstance(seen, Repeated)
        assert isinstance(told, Tensor)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
            predicted = self.head(self._own.maps[seen.index[drawn]])
        predicted = predicted.float()
        labels = points(told[drawn][..., 0])
        count = max(1, rows) * labels.shape[1] * labels.shape[2]
        report = {}
        if self.sensor == "semantic":
            loss = F.cross_entropy(predicted, labels.long(), reduction="sum") / count
            report["auxiliary_accuracy"] = (predicted.argmax(1) == labels).sum() / count
        else:
            loss = (predicted[:, 0] - labels.log1p()).abs().sum() / count
        return self.coefficient * loss, {"auxiliary_loss": loss.detach(), **report}

    def state(self) -> dict[str, np.ndarray]:
        """Every array, to be saved; `load` takes it back."""
        return {name: tensor.contiguous().numpy() for name, tensor in self.state_dict().items()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Take over a saved state."""
        self.load_state_dict({name: torch.tensor(array) for name, array in state.items()})


def without(space: gym.Space, sensor: str) -> gym.Space:
    """The observation space that is left when a sensor is taken out of it.

    Raises:
        ValueError: it has no such sensor, or no other one.
    """
    sensors = as_dict(space)
    if sensor not in sensors or len(sensors) < 2:
        raise ValueError(f"the auxiliary loss learns from a sensor {sensor!r} beside others; the worlds show {space}")
    return gym.spaces.Dict({name: each for name, each in sensors.items() if name != sensor})
