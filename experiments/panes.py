"""What `visnav watch --panes …` shows of an episode: images, labels, predictions and saliency, drawn into arrays.

| pane | shows |
|---|---|
| world | the whole world from above |
| camera | what the agent sees |
| mask | its true classes |
| predicted | the classes that a network predicts |
| boxes | what is there, and what a network finds |
| saliency | where a policy looks for its action: Grad-CAM |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from visnav.envs.driving.lens import SEMANTIC_CLASSES as ROAD_CLASSES
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.grid.lens import SEMANTIC_CLASSES as GRID_CLASSES
from visnav.envs.viewer import Pane
from visnav.experiments.episode import CAPTIONS, Episode, pixels

Colour = tuple[int, int, int]
Predict = Callable[[np.ndarray], Any]  # from an image (H, W, 3) uint8

PANES = ("world", "camera", "mask", "predicted", "boxes", "saliency")
DETECTS, SEGMENTS = "boxes", "classes of pixels"  # what a network predicts
TRUE, FOUND = (42, 157, 111), (209, 73, 91)  # colours of boxes
SHOWN_SCORE = 0.4  # least score of a box that is drawn
LEAST_SIDE = 256  # pixels that an image is enlarged to before boxes are drawn on it
LINE = 3  # pixels of their outlines
COLOURS: dict[str, Colour] = {
    "ceiling": (223, 227, 234), "floor": (141, 153, 174), "wall": (74, 85, 104), "open door": (244, 162, 97),
    "closed door": (224, 122, 63), "locked door": (181, 83, 42), "door": (224, 122, 63),
    "key": (233, 196, 106), "ball": (209, 73, 91), "box": (118, 90, 190), "goal": (42, 157, 111), "lava": (255, 90, 20),
    "sky": (207, 226, 243), "grass": (92, 130, 70), "road": (74, 85, 104), "kerb": (141, 153, 174),
    "marking": (244, 244, 238), "vehicle": (47, 102, 144), "ego": (233, 196, 106), "obstacle": (209, 73, 91),
}  # fmt: skip


def painted(classes: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Classes (H, W) uint8, places in `names`, in COLOURS: (H, W, 3) uint8."""
    return np.array([COLOURS[name] for name in names], np.uint8)[classes]


def kind(name: str) -> str:
    """What a class is without how it is: an open door is a door."""
    return name.split()[-1]


def mask_pane(classes: np.ndarray, names: Sequence[str], caption: str) -> Pane:
    """Classes (H, W), places in `names`, as a pane with a legend."""
    return Pane(painted(classes, names), caption, {name: COLOURS[name] for name in names})


def outlined(image: np.ndarray, groups: Sequence[tuple[np.ndarray, Colour]]) -> np.ndarray:
    """An image (H, W, 3) uint8, enlarged by a whole number, and on it boxes (M, 4) x0, y0, x1, y1 of each colour."""
    scale = max(1, -(-LEAST_SIDE // image.shape[0]))
    large = image.repeat(scale, 0).repeat(scale, 1)
    for boxes, colour in groups:
        for x0, y0, x1, y1 in np.round(np.asarray(boxes) * scale).astype(int).clip(0).tolist():
            inside = large[y0 + LINE : max(y0, y1 - LINE), x0 + LINE : max(x0, x1 - LINE)].copy()
            large[y0:y1, x0:x1] = colour
            large[y0 + LINE : y0 + LINE + inside.shape[0], x0 + LINE : x0 + LINE + inside.shape[1]] = inside
    return large


def heated(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8 in grey, and over it heat (H, W), 0 or more, from dark to red and yellow at its most."""
    share = (heat / heat.max() if heat.max() > 0 else heat)[..., None]
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    hot = np.concatenate([np.ones_like(share), share**1.5, 0.1 * share], -1) * 255
    return ((1 - 0.75 * share) * 0.7 * grey[..., None] + 0.75 * share * hot).astype(np.uint8)


@dataclass(frozen=True)
class Seer:
    """A network that predicts what is in an image, as arrays."""

    predicts: str
    """DETECTS or SEGMENTS."""
    classes: tuple[str, ...]
    camera: Mapping[str, Any]
    """Keywords of `gym.make` that it learned with."""
    predict: Predict
    """Classes (H, W) uint8, or boxes (M, 4) in pixels."""


class Panes:
    """The panes of an episode, drawn anew for every screen.

    Args:
        names: of PANES, from the left.
        episode: whose worlds are looked at.
        seers: at most one of boxes, and one of classes of pixels.
        saliency: gives heat (H, W) of the observation that was acted on last; of a policy.

    Raises:
        ValueError: an unknown name, one that needs a network or a policy that is not there, a world without pixels,
            or a network of other classes or another camera.
    """

    def __init__(
        self,
        names: Sequence[str],
        episode: Episode,
        seers: Sequence[Seer] = (),
        saliency: Callable[[], np.ndarray] | None = None,
    ) -> None:
        self._names, self._episode, self._saliency = tuple(names), episode, saliency
        self._simulation: Any = cast(Any, episode.env.unwrapped).simulation
        is_road = isinstance(self._simulation, DrivingSimulation)
        self._classes = ROAD_CLASSES if is_road else GRID_CLASSES
        self._seers = {seer.predicts: seer for seer in seers}
        if len(self._seers) < len(seers):
            raise ValueError(f"one network of each kind can be seen at a time; got two of {seers[0].predicts}")
        self._check()
        seer = self._seers.get(SEGMENTS)
        # The truth in the words of the network: an open door is a door where it knows no more.
        self._shown = [name if seer is None or name in seer.classes else kind(name) for name in self._classes]

    def _check(self) -> None:
        for name in self._names:
            if name not in PANES:
                raise ValueError(f"unknown pane {name!r}; choose of {', '.join(PANES)}")
        space = self._episode.env.observation_space
        has_pixels = len(getattr(space, "shape", None) or ()) == 3 or "rgb" in getattr(space, "spaces", {})
        if set(self._names) - {"world"} and not has_pixels:
            raise ValueError(
                f"camera={self._simulation.camera!r} of {self._episode.env_id} makes no pixels; only the pane `world` "
                "can be shown, or choose another --camera"
            )
        if "predicted" in self._names and SEGMENTS not in self._seers:
            raise ValueError("the pane `predicted` needs --see FOLDER, a network that 05_segment_worlds.py saved")
        if "saliency" in self._names and self._saliency is None:
            raise ValueError("the pane `saliency` is of a policy: give the folder of a run that `visnav train` wrote")
        for seer in self._seers.values():
            camera = seer.camera.get("camera", self._simulation.camera)
            if camera != self._simulation.camera:
                raise ValueError(
                    f"the network learned to see through camera={camera!r}, and this world is seen through "
                    f"{self._simulation.camera!r}; learn it with that camera, or watch an ID with --camera {camera}"
                )
            if not {*seer.classes} <= {*self._classes, *map(kind, self._classes)}:
                raise ValueError(
                    f"the network learned the classes {', '.join(seer.classes)}; {self._episode.env_id} has "
                    f"{', '.join(self._classes)}: give the network of the other family"
                )

    def __call__(self) -> list[Pane]:
        """The panes now."""
        wanted = [name for name, pane in (("semantic", "mask"), ("boxes", "boxes")) if pane in self._names]
        labels = cast(Any, self._episode.env.unwrapped).annotate(wanted) if wanted else {}
        return [self._pane(name, labels) for name in self._names]

    def _pane(self, name: str, labels: dict[str, Any]) -> Pane:
        if name == "world":
            return self._episode.panes()[0]
        image = pixels(self._episode.observation)[0]
        match name:
            case "mask":
                return mask_pane(labels["semantic"][..., 0], self._shown, "what is there")
            case "predicted":
                seer = self._seers[SEGMENTS]
                return mask_pane(seer.predict(image), seer.classes, "what a network sees")
            case "boxes":
                return self._boxes(image, labels["boxes"])
            case "saliency" if self._saliency is not None and not self._episode.over:
                return Pane(heated(image, self._saliency()), "why the policy acts so")
        return Pane(image, CAPTIONS[1])

    def _boxes(self, image: np.ndarray, truth: dict[str, np.ndarray]) -> Pane:
        """What is there, and what a network finds, where there is one; then only of the things it looks for."""
        seer = self._seers.get(DETECTS)
        if seer is None:
            return Pane(outlined(image, [(truth["boxes"], TRUE)]), "things", {"there": TRUE})
        names = np.array([kind(self._classes[label]) for label in truth["labels"]], str)
        groups = [(truth["boxes"][np.isin(names, seer.classes)], TRUE), (seer.predict(image), FOUND)]
        return Pane(outlined(image, groups), ", ".join(seer.classes), {"there": TRUE, "found": FOUND})
