"""ActorCritic: observations of any visnav world in, a distribution over actions and a value out.

What each sensor of the observation becomes, by its space:

| space | example | becomes |
|---|---|---|
| Box (H, W, C) | `rgb` uint8, `depth` float32 | the image encoder's vector |
| Box (d,) | `pointgoal_with_gps_compass` | the numbers themselves |
| Discrete(n) | `direction` | one-hot |
| MultiDiscrete([v] * L) | `mission` token ids | sum of one embedding per (position, token) |
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from visnav.agents.distributions import Categorical, DiagonalGaussian
from visnav.perception.encoders import ENCODERS

TEXT_SIZE = 32  # numbers that a mission becomes
ONLY = "rgb"  # name of the sensor when the observation is a single array


def as_dict(observation: Any) -> dict[str, Any]:
    """The observation (or its space) as a dict of sensors; a single array is called `rgb`."""
    if isinstance(observation, gym.spaces.Dict):
        return dict(observation.spaces)
    return observation if isinstance(observation, dict) else {ONLY: observation}


def bfloat16_is_fast() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


PRECISIONS = ("auto", "bf16", "fp32")


def uses_bfloat16(precision: str) -> bool:
    """Whether the encoder computes in bfloat16: `auto` says yes where the CPU has it in hardware.

    Raises:
        ValueError: the name is not one of PRECISIONS.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    return precision == "bf16" or (precision == "auto" and bfloat16_is_fast())


class Mission(nn.Module):
    """A sentence of token ids (B, L) as a vector (B, TEXT_SIZE): one embedding per (position, token), summed.

    A linear layer on the one-hot sentence, so that the order of the words counts.
    """

    offset: Tensor

    def __init__(self, vocabulary: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary * length, TEXT_SIZE)
        self.register_buffer("offset", torch.arange(length) * vocabulary, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens.long() + self.offset).sum(1)


class OneHot(nn.Module):
    """Discrete values (B,) as float32 (B, n)."""

    def __init__(self, count: int, start: int) -> None:
        super().__init__()
        self.count, self.start = count, start

    def forward(self, values: Tensor) -> Tensor:
        return nn.functional.one_hot(values.long() - self.start, self.count).float()


def sensor_module(name: str, space: gym.Space, encoder: str, frames: int) -> tuple[nn.Module, int]:
    """The module that reads one sensor, and the length of its vector (the table at the top).

    Raises:
        ValueError: no module reads such a space, or the encoder is unknown.
    """
    match space:
        case gym.spaces.Box(shape=(height, width, channels)):
            if encoder not in ENCODERS:
                raise ValueError(f"unknown encoder {encoder!r}; choose one of {', '.join(ENCODERS)}")
            module = ENCODERS[encoder]((height, width, channels * frames))
            return module, module.output_size
        case gym.spaces.Box(shape=(size,)):
            return nn.Identity(), size
        case gym.spaces.Discrete():
            return OneHot(int(space.n), int(space.start)), int(space.n)
        case gym.spaces.MultiDiscrete(shape=(length,)) if len(set(space.nvec)) == 1:
            return Mission(int(space.nvec[0]), length), TEXT_SIZE
    raise ValueError(
        f"the policy cannot read the sensor {name!r} with space {space}: it reads images Box(H, W, C), vectors "
        "Box(d,), Discrete and MultiDiscrete with equal counts; for text, ask the world for token ids "
        "(sensors=('rgb', 'mission'))"
    )


class ActorCritic(nn.Module):
    """Policy and value on one encoder (and a hidden layer where several sensors meet).

    Args:
        observation_space: of one world, not of the batch: Box or Dict.
        action_space: Discrete, or Box (a diagonal Gaussian with a learned, state-independent deviation).
        encoder: name in `visnav.perception.encoders.ENCODERS`.
        frames: length of the stack of images that the encoder sees; 1 means the current one only.
        precision: `auto`, `bf16` or `fp32` for the encoder; heads and losses are always float32.
        seed: of the initial weights.

    Raises:
        ValueError: a space, encoder or precision that the policy does not know.
    """

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        encoder: str = "patch",
        frames: int = 1,
        precision: str = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.in_bfloat16 = uses_bfloat16(precision)
        self.frames = frames
        self.action_space = action_space
        self.first_action = int(getattr(action_space, "start", 0))
        # torch's layers draw their first weights from the global generator: give it back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build(observation_space, action_space, encoder)

    def _build(self, observation_space: gym.Space, action_space: gym.Space, encoder: str) -> None:
        self.sensors = nn.ModuleDict()
        size = 0
        for name, space in as_dict(observation_space).items():
            self.sensors[name], width = sensor_module(name, space, encoder, self.frames)
            size += width
        self.trunk: nn.Module = nn.Identity()
        if len(self.sensors) > 1:
            self.trunk, size = nn.Sequential(nn.Linear(size, 256), nn.ReLU()), 256
        match action_space:
            case gym.spaces.Discrete():
                outputs = int(action_space.n)
            case gym.spaces.Box(shape=(outputs,)):
                self.log_std = nn.Parameter(torch.zeros(outputs))
            case _:
                raise ValueError(f"the policy cannot act in {action_space}: it knows Discrete and Box(d,)")
        self.actor = nn.Linear(size, outputs)
        self.critic = nn.Linear(size, 1)
        # Orthogonal weights, zero biases, a nearly uniform first policy: Andrychowicz et al. 2021 (arXiv:2006.05990).
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                gain = 0.01 if module in (self.actor, self.critic) else 2**0.5
                nn.init.orthogonal_(module.weight, gain)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, observation: dict[str, Tensor]) -> tuple[Categorical | DiagonalGaussian, Tensor]:
        """The distribution over actions and the values (B,) float32 of a batch of observations."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
            vectors = [module(observation[name]) for name, module in self.sensors.items()]
        hidden = self.trunk(torch.cat([vector.float() for vector in vectors], 1))
        outputs = self.actor(hidden)
        distribution = (
            Categorical(outputs)
            if isinstance(self.action_space, gym.spaces.Discrete)
            else DiagonalGaussian(outputs, self.log_std)
        )
        return distribution, self.critic(hidden).squeeze(1)

    def action_array(self, actions: Tensor) -> np.ndarray:
        """Sampled actions (N, …) as the array that the worlds' `step` takes: a Gaussian's are clipped to the Box."""
        array, space = actions.numpy(), self.action_space
        return array.clip(space.low, space.high) if isinstance(space, gym.spaces.Box) else array + self.first_action
