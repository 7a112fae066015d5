"""Stable-Baselines3 on visnav's batches: a VecEnv without processes, and visnav's encoders as feature extractors.

    envs = gym.make_vec("visnav/MiniGrid-DoorKey-8x8-v0", num_envs=256, autoreset_mode="SameStep")
    model = PPO("CnnPolicy", VisnavVecEnv(envs), policy_kwargs={"features_extractor_class": EncoderExtractor})

For an observation with several sensors, write "MultiInputPolicy". `experiments/train_sb3.py` is a whole example.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.preprocessing import get_flattened_obs_dim, is_image_space_channels_first
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn
from torch import Tensor, nn

from visnav.agents.policy import as_dict, uses_bfloat16
from visnav.agents.rollout import is_image
from visnav.perception.encoders import ENCODERS


class VisnavVecEnv(VecEnv):
    """A visnav batch as SB3 wants it: a world is reset in the step that ends its episode.

    At an end, the info of that world tells of the episode that ended, with `terminal_observation`,
    `TimeLimit.truncated` (cut off, and not terminated) and `is_success`.

    Args:
        envs: a batch made with `autoreset_mode="SameStep"`.

    Raises:
        ValueError: the batch has another autoreset mode.
    """

    def __init__(self, envs: gym.vector.VectorEnv) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != gym.vector.AutoresetMode.SAME_STEP:
            raise ValueError(
                'SB3 resets a world in the step that ends it: make the batch with autoreset_mode="SameStep"; '
                f"this one has {mode}"
            )
        self.envs = envs
        self.actions = np.zeros(0)
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> VecEnvObs:
        """Start an episode in every world, with the seeds that `seed` was given."""
        seeds: Any = None if None in self._seeds else list(self._seeds)
        observation, info = self.envs.reset(seed=seeds)
        self.reset_infos = self._rows(info)
        self._reset_seeds()
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self.actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Observation (N, …), reward (N,) float32, done (N,) bool, and the infos."""
        observation, reward, terminated, truncated, info = self.envs.step(self.actions)
        ended = terminated | truncated
        infos = self._rows(info)
        if ended.any():
            last = self._rows(info["final_info"])
            for i in np.flatnonzero(ended):
                final = info["final_obs"]
                infos[i] = last[i] | {
                    "terminal_observation": {name: rows[i] for name, rows in final.items()}
                    if isinstance(final, dict)
                    else final[i],
                    "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
                    "is_success": last[i]["success"],
                }
        return observation, reward.astype(np.float32), ended, infos

    def _rows(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        """One dict a world from the batch's dict of arrays."""
        names = [name for name in info if f"_{name}" in info and not name.startswith("final_")]
        columns = (info[name].tolist() for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def close(self) -> None:
        """Close the batch."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute of the batch, once for every world asked for."""
        return [getattr(self.envs, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Not possible for single worlds."""
        raise NotImplementedError("the worlds of a visnav batch share their attributes: make a new batch instead")

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method of the batch once; every world asked for gets what it returned."""
        result = getattr(self.envs, method_name)(*args, **kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """No world has a wrapper."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[np.ndarray | None]:
        """What the batch renders."""
        images: Any = self.envs.render()
        return images or [None] * self.num_envs


class EncoderExtractor(BaseFeaturesExtractor):
    """An encoder of visnav.perception as an SB3 features extractor.

    SB3 hands it float images, divided by 255, and in (C, H, W) order (it wraps image worlds in VecTransposeImage);
    other sensors come as float vectors and are appended.

    Args:
        observation_space: Box (an image) or Dict.
        encoder: name in `visnav.perception.encoders.ENCODERS`.
        precision: `auto`, `bf16` or `fp32` for the encoder.

    Raises:
        ValueError: an unknown encoder or precision.
    """

    def __init__(self, observation_space: gym.Space, encoder: str = "patch", precision: str = "auto") -> None:
        if encoder not in ENCODERS:
            raise ValueError(f"unknown encoder {encoder!r}; choose one of {', '.join(ENCODERS)}")
        modules: dict[str, nn.Module] = {}
        size = 0
        for name, space in as_dict(observation_space).items():
            if is_image(space):
                shape = space.shape
                if is_image_space_channels_first(space):
                    shape = (*shape[1:], shape[0])
                reader = ENCODERS[encoder](shape)
                modules[name], size = reader, size + reader.output_size
            else:
                modules[name] = nn.Flatten()
                size += get_flattened_obs_dim(space)
        super().__init__(observation_space, size)
        self.sensors = nn.ModuleDict(modules)
        self.in_bfloat16 = uses_bfloat16(precision)

    def forward(self, observation: Any) -> Tensor:
        """Features (B, features_dim) float32."""
        sensors = as_dict(observation)
        vectors = []
        with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
            for name, module in self.sensors.items():
                values = sensors[name]
                if values.ndim == 4 and values.shape[1:] != module.image_shape:
                    values = values.permute(0, 2, 3, 1)
                vectors.append(module(values).float())
        return torch.cat(vectors, 1)
