"""ActorCritic: observations of any visnav world in, a distribution over actions and a value out.

What each sensor of the observation becomes, by its space:

| space | example | becomes |
|---|---|---|
| Box (H, W, C) | `rgb` uint8, `depth` float32 | the image encoder's vector |
| Box (H, W, C) of less than 256 values | `semantic` uint8 | that of an image of its numbers' bits |
| Box (d,) | `pointgoal_with_gps_compass` | the numbers themselves |
| Discrete(n) | `direction` | one-hot |
| MultiDiscrete([v] * L) | `mission` token ids | sum of one embedding per (position, token) |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.agents.distributions import Beta, Categorical, DiagonalGaussian, Distribution, SquashedGaussian
from visnav.agents.memory import MinGRU
from visnav.agents.pictures import Repeated
from visnav.agents.threads import shared
from visnav.perception.encoders import ENCODERS, Encoder

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
    """Whether encoder and gates compute in bfloat16: `auto` says yes where the CPU has it in hardware.

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
        return F.one_hot(values.long() - self.start, self.count).float()


class BitImages(nn.Module):
    """Numbers that are names, such as classes (B, H, W, C) uint8, as images of their bits (B, H, W, C · bits).

    A bit is 0 or 255. As grey values, neighbouring numbers would look alike.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, numbers: Tensor) -> Tensor:
        return torch.stack([(numbers >> bit & 1) * 255 for bit in range(self.bits)], -1).flatten(-2)


def sensor_module(name: str, space: gym.Space, encoder: str, frames: int) -> tuple[nn.Module, int]:
    """The module that reads one sensor, and the length of its vector (the table at the top).

    Raises:
        ValueError: no module reads such a space.
    """
    match space:
        case gym.spaces.Box(shape=(height, width, channels)) if space.dtype == np.uint8 and space.high.max() < 255:
            bits = int(space.high.max()).bit_length()
            module = ENCODERS[encoder]((height, width, channels * frames * bits))
            return nn.Sequential(BitImages(bits), module), module.output_size
        case gym.spaces.Box(shape=(height, width, channels)):
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


DISTRIBUTIONS = ("gaussian", "state_gaussian", "squashed", "beta")
# Least and greatest log standard deviation where it depends on the state. With e⁻⁵ in place of e⁻², deviations collapse
# where one action was right a few times, and the next update leaps (KL of 30 on a bandit).
DEVIATIONS = (-2.0, 1.0)


@dataclass(frozen=True)
class PolicyConfig:
    """What a policy is made of."""

    encoder: str = "patch"
    """Image encoder: a name in visnav.perception.encoders.ENCODERS; for `visnav train` also the folder of a network
    that learned to see."""
    frames: int = 1
    """Images stacked for the encoder; 1 is the current one alone."""
    memory: int = 0
    """Units of a recurrent memory (minGRU); 0 is none."""
    distribution: str = "gaussian"
    """Of continuous actions: gaussian, state_gaussian (whose deviation the state tells), squashed (by tanh), beta."""
    precision: str = "auto"
    """Of the encoder and of the memory's gates: bf16, fp32, or auto, which takes bf16 where the CPU has it in
    hardware."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames must be greater than 0, got {self.frames}")
        if self.memory < 0:
            raise ValueError(f"memory must be 0 or more units, got {self.memory}")
        for name, value, allowed in (
            ("encoder", self.encoder, tuple(ENCODERS)),
            ("distribution", self.distribution, DISTRIBUTIONS),
        ):
            if value not in allowed:
                raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(allowed)}")
        uses_bfloat16(self.precision)


class ActorCritic(nn.Module):
    """Policy and value on one encoder, a hidden layer where several sensors meet, and a memory where asked for.

    What was seen and what is remembered meet in a hidden layer of their own.

    Args:
        observation_space: of one world, not of the batch: Box or Dict.
        action_space: Discrete, or Box, whose actions are drawn in [-1, 1] and stretched to its bounds.
        config: encoder, memory, distribution.
        values: numbers that the critic gives, one a stream of rewards.
        seed: of the initial weights.

    Attributes:
        memory: the MinGRU, or None.

    Raises:
        ValueError: a space that the policy does not know.
    """

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        config: PolicyConfig,
        values: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        self.in_bfloat16 = uses_bfloat16(config.precision)
        self.action_space = action_space
        self.first_action = int(getattr(action_space, "start", 0))
        # torch's layers draw their first weights from the global generator: give it back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build(observation_space, action_space, values)

    def _build(self, observation_space: gym.Space, action_space: gym.Space, values: int) -> None:
        config = self.config
        self.sensors = nn.ModuleDict()
        size = 0
        for name, space in as_dict(observation_space).items():
            self.sensors[name], width = sensor_module(name, space, config.encoder, config.frames)
            size += width
        self.trunk: nn.Module = nn.Identity()
        if len(self.sensors) > 1:
            self.trunk, size = nn.Sequential(nn.Linear(size, 256), nn.ReLU()), 256
        self.memory = MinGRU(size, config.memory) if config.memory else None
        self.recall: nn.Module = nn.Identity()
        if config.memory:
            # What to do may depend on what is seen and on what was seen together, such as whether they are the same.
            self.recall, size = nn.Sequential(nn.Linear(size + config.memory, 256), nn.ReLU()), 256
        self.actor = nn.Linear(size, self._actor_outputs(action_space))
        self.critic = nn.Linear(size, values)
        # Orthogonal weights, zero biases, a nearly uniform first policy: Andrychowicz et al. 2021 (arXiv:2006.05990).
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                gain = 0.01 if module in (self.actor, self.critic) else 2**0.5
                nn.init.orthogonal_(module.weight, gain)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.memory is not None:
            self.memory.reset_parameters()

    def _actor_outputs(self, space: gym.Space) -> int:
        """How many numbers say what the distribution of actions is."""
        match space:
            case gym.spaces.Discrete():
                return int(space.n)
            case gym.spaces.Box(shape=(size,)) if self.config.distribution == "gaussian":
                self.log_std = nn.Parameter(torch.zeros(size))
                return size
            case gym.spaces.Box(shape=(size,)) if space.is_bounded():
                return 2 * size
            case gym.spaces.Box(shape=(_,)):
                raise ValueError(f"distribution={self.config.distribution!r} needs bounds; {space} has none")
        raise ValueError(f"the policy cannot act in {space}: it knows Discrete and Box(d,)")

    @property
    def frames(self) -> int:
        """Images stacked for the encoder."""
        return self.config.frames

    def rgb_encoder(self) -> Encoder:
        """The encoder of `rgb`. Raises ValueError where the policy sees none."""
        encoder = dict(self.sensors.items()).get(ONLY)
        if not isinstance(encoder, Encoder):
            in_bits = isinstance(encoder, nn.Sequential)  # a single array of classes goes by the same name
            seen = ["classes of pixels" if name == ONLY and in_bits else name for name in self.sensors]
            raise ValueError(f"this needs a policy that sees {ONLY}; this one sees {', '.join(seen)}")
        return encoder

    def start(self, rows: int) -> Tensor:
        """The memory (rows, config.memory) before anything was seen."""
        return torch.zeros(rows, self.config.memory)

    def forward(
        self,
        observation: Mapping[str, Tensor | Repeated],
        memory: Tensor | None = None,
        fresh: Tensor | None = None,
    ) -> tuple[Distribution, Tensor, Tensor]:
        """What to do in B = T · N situations: T steps of N worlds, one after another.

        Args:
            observation: B rows a sensor, those of the first step first; of images, the different ones will do.
            memory: (N, config.memory) before the first step; None for an empty one.
            fresh: (T, N) bool, which rows begin an episode; None for one step in which none does.

        Returns:
            Distribution over actions (B rows), values (B, streams) float32, and the memory after the last step.
        """
        hidden = self.hidden(observation)
        if self.memory is None:
            memory = self.start(0) if memory is None else memory
        else:
            memory = self.start(len(hidden)) if memory is None else memory
            fresh = torch.zeros(1, len(hidden), dtype=torch.bool) if fresh is None else fresh
            with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
                remembered = self.memory(hidden.unflatten(0, fresh.shape), memory, fresh)
                hidden = self.recall(torch.cat([hidden, remembered.flatten(0, 1)], 1)).float()
            memory = remembered[-1]
        return self._distribution(self.actor(hidden)), self.critic(hidden), memory

    def hidden(self, observation: Mapping[str, Tensor | Repeated]) -> Tensor:
        """What the sensors say (B, size) float32, before memory."""
        vectors = [self._said(module, observation[name]) for name, module in self.sensors.items()]
        return vectors[0] if len(vectors) == 1 else shared(self.trunk, torch.cat(vectors, 1))

    def _said(self, module: nn.Module, values: Tensor | Repeated) -> Tensor:
        """What a sensor's module says (B, size) float32."""

        def read(rows: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
                return module(rows).float()

        if isinstance(values, Repeated):
            return values.spread(shared(read, values.images))
        return shared(read, values) if values.ndim > 2 else read(values)

    def _distribution(self, outputs: Tensor) -> Distribution:
        if isinstance(self.action_space, gym.spaces.Discrete):
            return Categorical(outputs)
        if self.config.distribution == "gaussian":
            return DiagonalGaussian(outputs, self.log_std)
        first, second = outputs.chunk(2, -1)
        if self.config.distribution == "beta":
            return Beta(1 + F.softplus(first), 1 + F.softplus(second))
        return self._over_a_box(first, second.clamp(*DEVIATIONS))

    def action_array(self, actions: Tensor) -> np.ndarray:
        """Actions in the distribution's numbers (N, …) as the array that the worlds' `step` takes."""
        space = self.action_space
        if isinstance(space, gym.spaces.Discrete):
            return actions.numpy() + self.first_action
        assert isinstance(space, gym.spaces.Box)
        if not space.is_bounded():
            return actions.numpy().clip(space.low, space.high)
        return space.low + (self._over_a_box.bounded(actions).numpy() + 1) / 2 * (space.high - space.low)

    def own_numbers(self, actions: np.ndarray) -> Tensor:
        """What `action_array` makes these actions of; at the very edge of a Box what is a little inside."""
        space = self.action_space
        if isinstance(space, gym.spaces.Discrete):
            return torch.from_numpy(actions - self.first_action)
        assert isinstance(space, gym.spaces.Box)
        if not space.is_bounded():
            return torch.from_numpy(actions)
        return self._over_a_box.own_numbers(torch.from_numpy(2 * (actions - space.low) / (space.high - space.low) - 1))

    @property
    def _over_a_box(self) -> type[DiagonalGaussian] | type[Beta]:
        kinds: dict[str, type[DiagonalGaussian] | type[Beta]] = {"squashed": SquashedGaussian, "beta": Beta}
        return kinds.get(self.config.distribution, DiagonalGaussian)
