"""The cameras of driving worlds as objects: what each draws, from which keywords.

A camera is handed rows lo..hi of the worlds and the arrays of the sensors that are wanted, and writes them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from visnav.envs.boxes import tight_boxes
from visnav.envs.cameras import depth_space, instance_space, rgb_space, semantic_space
from visnav.envs.checks import check_name, check_whole
from visnav.envs.driving.above import above_rows
from visnav.envs.driving.decor import LIGHTING, TEXTURES, WEATHER
from visnav.envs.driving.front import front_rows
from visnav.envs.driving.ground import Ground
from visnav.envs.driving.lens import (
    FAR,
    SEMANTIC_CLASSES,
    AboveLens,
    Canvas,
    Scratch,
    make_front_lens,
    make_looks,
    make_scratch,
)
from visnav.envs.driving.world import World

Pictures = Mapping[str, NDArray[Any]]  # sensor -> (N, ...), C-contiguous


@dataclass(frozen=True)
class CameraOptions:
    """Keywords of `gym.make` that belong to driving cameras; None where not given.

    Attributes:
        image_size: (height, width) of the picture in pixels; (64, 64) by default, (300, 600) for "topdown".
        metres_per_pixel: scale of "birdseye"; by default its height shows 64 m.
        ego_row: where ego is in "birdseye", as a share of the height from the top; 0.7 by default.
        field_of_view: of "front", horizontal, in degrees; 70 by default.
        mount: of "front", where the eye is: m ahead of the vehicle's middle, to its right, and above the ground;
            (0.5, 0, 1.4) by default, behind the windscreen.
        pitch: of "front", degrees that it looks down; 8 by default.
        textures: "fixed" (default), or colours of ground and traffic drawn from the level's number: "train" and "test"
            (no hue in common), "all".
        lighting: "day" (default), "dusk", "night", or "random" by the level's number.
        weather: "clear" (default), "fog", or "random".
    """

    image_size: Sequence[int] | None = None
    metres_per_pixel: float | None = None
    ego_row: float | None = None
    field_of_view: float | None = None
    mount: Sequence[float] | None = None
    pitch: float | None = None
    textures: str | None = None
    lighting: str | None = None
    weather: str | None = None


_COMMON = ("image_size", "textures", "lighting", "weather")
ALLOWED = {
    "birdseye": (*_COMMON, "metres_per_pixel", "ego_row"),
    "topdown": _COMMON,
    "front": (*_COMMON, "field_of_view", "mount", "pitch"),
}
CAMERAS = tuple(ALLOWED)
LABELS = {  # what each can annotate
    "birdseye": ("semantic", "instance", "boxes"),
    "topdown": ("semantic", "instance", "boxes"),
    "front": ("depth", "semantic", "instance", "boxes"),
}
BIRDSEYE_HEIGHT = 64.0  # m
TOPDOWN_MOST = 180.0  # m along either side of a topdown picture; longer roads are shown around ego


class DrivingCamera:
    """One of CAMERAS.

    Args:
        name: "birdseye" (ego-centred, its heading up), "topdown" (the whole scene as the map lies) or "front"
            (perspective, from the driver's place).
        ground: of the bank of roads, see `visnav.envs.driving.ground.make_ground`.
        num_envs, num_vehicles: N rows of V places.
        options: keywords.

    Raises:
        ValueError: an unknown name, or an option that this camera does not have or that is impossible.
    """

    def __init__(self, name: str, ground: Ground, num_envs: int, num_vehicles: int, options: CameraOptions) -> None:
        self.name = check_name("camera", name, CAMERAS)
        for option, value in vars(options).items():
            if value is not None and option not in ALLOWED[name]:
                users = [camera for camera, allowed in ALLOWED.items() if option in allowed]
                raise ValueError(f"{option} is not for camera={name!r}; it belongs to {', '.join(map(repr, users))}")
        height, width = _image_size(options.image_size or ((300, 600) if name == "topdown" else (64, 64)))
        looks = make_looks(
            check_name("textures", options.textures or "fixed", TEXTURES),
            check_name("lighting", options.lighting or "day", LIGHTING),
            check_name("weather", options.weather or "clear", WEATHER),
        )
        if name == "front":
            self.lens: Any = make_front_lens(
                (height, width),
                _number("field_of_view", options.field_of_view, 70.0, 10, 150, "degrees"),
                _mount(options.mount),
                _number("pitch", options.pitch, 8.0, -30, 60, "degrees down"),
                looks,
            )
        else:
            scale = _number("metres_per_pixel", options.metres_per_pixel, BIRDSEYE_HEIGHT / height, 0.01, 10, "m")
            ego_row = _number("ego_row", options.ego_row, 0.7, 0, 1, "of the height")
            follows = name == "birdseye"
            self.lens = AboveLens(
                height, width, np.float32(scale), np.float32(ego_row), follows, np.float32(TOPDOWN_MOST), looks
            )
        self.labels = LABELS[name]
        self._ground = ground
        self._rows = front_rows if name == "front" else above_rows
        self._num_vehicles = num_vehicles
        self._scratch: dict[int, Scratch] = {}  # by thread
        self.spaces: dict[str, spaces.Box[Any]] = {
            "instance": instance_space(height, width, num_vehicles + 1),
            "rgb": rgb_space(height, width),
            "semantic": semantic_space(height, width, len(SEMANTIC_CLASSES)),
        }
        if name == "front":
            self.spaces = {"depth": depth_space(height, width, float(FAR)), **self.spaces}
        dtypes = {"rgb": np.uint8, "depth": np.float32, "semantic": np.uint8, "instance": np.int32}
        self._unwanted: Pictures = {sensor: np.zeros((num_envs, 0), dtype) for sensor, dtype in dtypes.items()}

    def draw(self, lo: int, hi: int, world: World, levels: NDArray[np.int64], pictures: Pictures) -> None:
        """Write rows lo..hi of the pictures.

        Args:
            levels: (N,) numbers of the levels, which colours, light and weather are drawn from.
            pictures: by sensor, arrays (N, *shape of its space); other names than this camera's are left alone.
        """
        thread = threading.get_ident()
        if thread not in self._scratch:
            self._scratch[thread] = make_scratch(self.lens.width, self._num_vehicles)
        canvas = Canvas(
            *(
                pictures[name].reshape(len(pictures[name]), -1)
                if name in pictures and name in self.spaces
                else self._unwanted[name]
                for name in Canvas._fields
            )
        )
        self._rows(lo, hi, world, levels, self._ground, self.lens, self._scratch[thread], canvas)

    def boxes(self, instance: NDArray[np.int32], semantic: NDArray[np.uint8]) -> list[dict[str, NDArray[Any]]]:
        """Tight boxes of what is seen, see `visnav.envs.boxes.tight_boxes`; labels are places in SEMANTIC_CLASSES."""
        return tight_boxes(instance, semantic, self._num_vehicles, self._num_vehicles + 1)


def _image_size(size: Sequence[int]) -> tuple[int, int]:
    """(height, width) as given, or what they may be."""
    if np.shape(size) != (2,):
        raise ValueError(f"image_size is (height, width) in pixels; got {size!r}")
    return check_whole("image_size[0]", size[0], 4, 4096), check_whole("image_size[1]", size[1], 4, 4096)


def _number(name: str, value: Any, default: float, least: float, most: float, unit: str) -> float:
    """The value, or its default; an error names the range."""
    if value is None:
        return default
    if not isinstance(value, Real) or isinstance(value, bool) or not least <= float(value) <= most:
        raise ValueError(f"{name} is a number of {unit}, {least:g} to {most:g}; got {value!r}")
    return float(value)


def _mount(given: Sequence[float] | None) -> tuple[float, float, float]:
    """Where the eye is, or what that may be."""
    if given is None:
        return 0.5, 0.0, 1.4
    if np.shape(given) != (3,):
        raise ValueError(f"mount is (metres ahead, to the right, above the ground); got {given!r}")
    ahead, right, up = given
    return (
        _number("mount[0]", ahead, 0, -20, 20, "m ahead"),
        _number("mount[1]", right, 0, -20, 20, "m to the right"),
        _number("mount[2]", up, 0, 0.2, 50, "m above the ground"),
    )
