"""The cameras of grid worlds as objects: what each draws, from which keywords, and with which kernels.

A camera is handed rows lo..hi of the worlds and the arrays of the sensors that are wanted, of those among its `spaces`,
and writes them: as the worlds are, or after a step where `moves` are given.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from visnav.envs.boxes import tight_boxes
from visnav.envs.cameras import depth_space, instance_space, rgb_space, semantic_space
from visnav.envs.checks import check_name, check_whole
from visnav.envs.grid import loops
from visnav.envs.grid.lens import (
    FAR,
    LIGHTING,
    SEMANTIC_CLASSES,
    TEXTURES,
    UNNUMBERED,
    Canvas,
    Lens,
    Scratch,
    make_lens,
    make_scratch,
)
from visnav.envs.grid.textures import atlas
from visnav.envs.grid.tiles import tile_table
from visnav.envs.grid.world import Outcome, Params, Slots, Task, World

Pictures = Mapping[str, NDArray[Any]]  # sensor -> (N, ...), C-contiguous


class Rows(NamedTuple):
    """The worlds that a camera looks at."""

    world: World
    slots: Slots
    params: Params


class Moves(NamedTuple):
    """A step to be played before the picture is drawn."""

    actions: NDArray[np.integer[Any]]  # (N,)
    outcome: Outcome  # written


@dataclass(frozen=True)
class CameraOptions:
    """Keywords of `gym.make` that belong to cameras; None where not given.

    Attributes:
        image_size: (height, width) of the picture in pixels; "first_person" takes any, 64 x 64 by default, the
            cameras from above a multiple of their cells, instead of tile_size.
        tile_size: pixels of a cell, 8 by default ("tiles", "full").
        field_of_view: horizontal, in degrees, 90 by default; this and the following: "first_person".
        textures: "fixed" (default), or drawn from the level's number: "train" and "test" (no pattern in common), "all".
        lighting: "fixed" (default) or "random": brightness, warmth and shadow drawn from the level's number.
        noise: standard deviation of the grain, as a share of full white; 0 by default.
    """

    image_size: Sequence[int] | None = None
    tile_size: int | None = None
    field_of_view: float | None = None
    textures: str | None = None
    lighting: str | None = None
    noise: float | None = None


_FROM_ABOVE = ("image_size", "tile_size")
ALLOWED = {
    "tiles": _FROM_ABOVE,
    "full": _FROM_ABOVE,
    "symbolic": (),
    "first_person": ("image_size", "field_of_view", "textures", "lighting", "noise"),
}
CAMERAS = tuple(ALLOWED)
LABELS = {  # what each can annotate
    "tiles": ("semantic", "instance", "boxes"),
    "full": ("semantic", "instance", "boxes"),
    "symbolic": (),
    "first_person": ("depth", "semantic", "instance", "boxes"),
}


def make_camera(
    name: str, task: Task, num_envs: int, view_size: int, options: CameraOptions
) -> SymbolCamera | TileCamera | FirstPersonCamera:
    """The camera of that name.

    Raises:
        ValueError: unknown, or an option that it does not have or that is impossible.
    """
    check_name("camera", name, CAMERAS)
    for option, value in vars(options).items():
        if value is not None and option not in ALLOWED[name]:
            users = [camera for camera, allowed in ALLOWED.items() if option in allowed]
            raise ValueError(f"{option} is not for camera={name!r}; it belongs to {', '.join(map(repr, users))}")
    if name == "symbolic":
        return SymbolCamera(num_envs, view_size)
    if name == "first_person":
        return FirstPersonCamera(task, num_envs, options)
    return TileCamera(name, task, num_envs, view_size, options)


class SymbolCamera:
    """MiniGrid's `image`: (V, V, 3) uint8 of kind, colour and state."""

    def __init__(self, num_envs: int, view_size: int) -> None:
        self.spaces: dict[str, spaces.Box[Any]] = {"image": spaces.Box(0, 255, (view_size, view_size, 3), np.uint8)}
        self._view = np.zeros((num_envs, view_size**2), np.uint8)

    def draw(self, lo: int, hi: int, rows: Rows, pictures: Pictures, moves: Moves | None = None) -> None:
        image = pictures["image"]
        if moves is None:
            loops.symbols_rows(lo, hi, rows.world, rows.params, self._view, image)
        else:
            loops.step_symbols(lo, hi, rows.world, rows.params, *moves, self._view, image)


class TileCamera:
    """Tiles from above: what the agent sees ("tiles"), or the whole grid with that highlighted ("full").

    A tile is labelled as a whole, by what is in the cell (in the agent's own of "tiles": what it carries); what "tiles"
    does not see is of class 0.
    """

    def __init__(self, name: str, task: Task, num_envs: int, view_size: int, options: CameraOptions) -> None:
        self._shape = (view_size, view_size) if name == "tiles" else (task.height, task.width)  # in cells
        rows, columns = self._shape
        self._tile_size = _tile_size(name, self._shape, options)
        height, width = rows * self._tile_size, columns * self._tile_size
        self._numbers = UNNUMBERED + task.width * task.height
        self.spaces: dict[str, spaces.Box[Any]] = {
            "instance": instance_space(height, width, self._numbers),
            "rgb": rgb_space(height, width),
            "semantic": semantic_space(height, width, len(SEMANTIC_CLASSES)),
        }
        self._loops = loops.FROM_ABOVE[name]
        self._tiles = _as_words(tile_table(self._tile_size))
        self._view = np.zeros((num_envs, view_size**2), np.uint8)
        self._codes = np.zeros((num_envs, max(view_size**2, task.width * task.height)), np.uint16)

    def draw(self, lo: int, hi: int, rows: Rows, pictures: Pictures, moves: Moves | None = None) -> None:
        if "rgb" in pictures:
            image = pictures["rgb"]
            room = (self._view, self._codes, self._tiles, image.reshape(len(image), -1).view(self._tiles.dtype))
            if moves is None:
                self._loops.draw(lo, hi, rows.world, rows.params, *room)
            else:
                self._loops.step(lo, hi, rows.world, rows.params, *moves, *room)
        elif moves is not None:
            loops.step_rows(lo, hi, rows.world, rows.params, *moves)
        if pictures.keys() & {"semantic", "instance"}:
            self._draw_labels(lo, hi, rows, pictures)

    def _draw_labels(self, lo: int, hi: int, rows: Rows, pictures: Pictures) -> None:
        """Label the cells, and spread each over its pixels."""
        cells = {"semantic": np.empty((len(self._view), math.prod(self._shape)), np.uint8)}
        cells["instance"] = np.empty(cells["semantic"].shape, np.int32)
        self._loops.label(lo, hi, rows.world, rows.params, self._view, cells["semantic"], cells["instance"])
        for name in pictures.keys() & cells.keys():
            columns = cells[name][lo:hi].reshape(-1, *self._shape).repeat(self._tile_size, axis=2)
            pictures[name][lo:hi, ..., 0] = columns.repeat(self._tile_size, axis=1)

    def boxes(self, instance: NDArray[np.int32], semantic: NDArray[np.uint8]) -> list[dict[str, NDArray[Any]]]:
        """Tight boxes of what is seen, see `visnav.envs.boxes.tight_boxes`; labels are places in SEMANTIC_CLASSES."""
        return tight_boxes(instance, semantic, math.prod(self._shape), self._numbers)


class FirstPersonCamera:
    """What the agent sees with its own eyes: rgb, depth, semantic, instance."""

    def __init__(self, task: Task, num_envs: int, options: CameraOptions) -> None:
        reach = math.hypot(task.width, task.height)
        if reach > FAR:
            raise ValueError(
                f'camera="first_person" sees {FAR:g} m; a grid of {task.width} x {task.height} m is wider than that'
            )
        height, width = _image_size(options.image_size or (64, 64))
        field_of_view = 90.0 if options.field_of_view is None else options.field_of_view
        if not isinstance(field_of_view, Real) or not 10 <= field_of_view <= 150:
            raise ValueError(f"field_of_view is an angle in degrees, 10 to 150; got {field_of_view!r}")
        noise = 0.0 if options.noise is None else options.noise
        if not isinstance(noise, Real) or not 0 <= noise <= 1:
            raise ValueError(f"noise is a share of full white, 0 to 1; got {noise!r}")
        textures = check_name("textures", options.textures or "fixed", TEXTURES)
        lighting = check_name("lighting", options.lighting or "fixed", LIGHTING)
        self._lens: Lens = make_lens(
            (height, width), float(field_of_view), textures, lighting, float(noise), task.continuous
        )
        self._num_cells: int = task.width * task.height
        self._scratch: dict[int, Scratch] = {}  # by thread
        self.spaces: dict[str, spaces.Box[Any]] = {
            "depth": depth_space(height, width, float(FAR)),
            "instance": instance_space(height, width, UNNUMBERED + self._num_cells),
            "rgb": rgb_space(height, width),
            "semantic": semantic_space(height, width, len(SEMANTIC_CLASSES)),
        }
        self._unwanted: Pictures = {name: np.zeros((num_envs, 0), space.dtype) for name, space in self.spaces.items()}

    def draw(self, lo: int, hi: int, rows: Rows, pictures: Pictures, moves: Moves | None = None) -> None:
        if moves is not None:
            loops.step_rows(lo, hi, rows.world, rows.params, *moves)
        thread = threading.get_ident()
        if thread not in self._scratch:
            self._scratch[thread] = make_scratch(self._lens.width, self._num_cells)
        scratch = self._scratch[thread]
        canvas = Canvas(
            *(
                pictures[name].reshape(len(pictures[name]), -1) if name in pictures else self._unwanted[name]
                for name in Canvas._fields
            )
        )
        loops.first_person_rows(lo, hi, rows.world, rows.slots.level, self._lens, atlas(), scratch, canvas)

    def boxes(self, instance: NDArray[np.int32], semantic: NDArray[np.uint8]) -> list[dict[str, NDArray[Any]]]:
        """Tight boxes of what is seen, see `visnav.envs.boxes.tight_boxes`; labels are places in SEMANTIC_CLASSES."""
        most = self._num_cells + 1  # one thing a cell, and one in the hand
        return tight_boxes(instance, semantic, most, UNNUMBERED + self._num_cells)


def _image_size(size: Sequence[int]) -> tuple[int, int]:
    """(height, width) as given, or what they may be."""
    if np.shape(size) != (2,):
        raise ValueError(f"image_size is (height, width) in pixels; got {size!r}")
    return check_whole("image_size[0]", size[0], 4, 4096), check_whole("image_size[1]", size[1], 4, 4096)


def _tile_size(camera: str, cells: tuple[int, int], options: CameraOptions) -> int:
    """Pixels of a cell, from either keyword."""
    if options.image_size is None:
        return check_whole("tile_size", 8 if options.tile_size is None else options.tile_size, 2, 256)
    size = tuple(options.image_size)
    rows, columns = cells
    if len(size) != 2 or size[0] % rows or size[1] % columns or size[0] // rows != size[1] // columns:
        examples = ", ".join(str((rows * k, columns * k)) for k in (4, 8, 12))
        raise ValueError(
            f'image_size is (height, width), here a multiple of {cells} cells as camera="{camera}" '
            f"draws square cells, such as {examples}; got {options.image_size!r}"
        )
    return check_whole("image_size / cells", size[0] // rows, 2, 256)


def _as_words(tiles: NDArray[np.uint8]) -> NDArray[Any]:
    """A tile table in 8-byte words where a tile's rows divide into them, else in bytes."""
    return tiles.view(np.uint64) if tiles.shape[-1] % 8 == 0 else tiles
