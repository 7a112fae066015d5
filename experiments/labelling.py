"""Worlds as a source of labelled pictures: what the networks of 04 and 05 learn from and are judged on.

Train and test have neither layouts nor textures in common: `split` parts the levels by their layout, `textures` the
patterns of walls and floors, on roads the hues of ground and traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

import visnav.envs  # noqa: F401, registers the IDs
from visnav.envs.driving.lens import SEMANTIC_CLASSES as ROAD_CLASSES
from visnav.envs.grid.lens import SEMANTIC_CLASSES as GRID_CLASSES

APART = 20  # steps before the first pictures, so that worlds are no longer alike


@dataclass(frozen=True)
class Family:
    """Worlds that are learned from together."""

    env_ids: tuple[str, ...]
    classes: tuple[str, ...]
    """Of their pixels, by number."""
    things: dict[str, tuple[str, ...]]
    """What is to be detected: each with the classes that it goes by."""
    camera: dict[str, Any]
    """Keywords of `gym.make_vec`."""
    steps: int
    """Of the agent between two batches to learn from: one is a turn of the head in rooms, and a second on roads."""

    @property
    def surfaces(self) -> tuple[str, ...]:
        """What pixels are told apart as: the classes, but that the things are one each."""
        names = {one: thing for thing, several in self.things.items() for one in several}
        return tuple(dict.fromkeys(names.get(name, name) for name in self.classes))

    def thing_of_class(self) -> list[int]:
        """For every class, the place of its thing among `things`; -1 of what is none."""
        places = {one: place for place, several in enumerate(self.things.values()) for one in several}
        return [places.get(name, -1) for name in self.classes]

    def surface_of_class(self) -> list[int]:
        """For every class, its place among `surfaces`."""
        things = list(self.things)
        names = [
            things[place] if place >= 0 else name
            for name, place in zip(self.classes, self.thing_of_class(), strict=True)
        ]
        return [self.surfaces.index(name) for name in names]


FAMILIES = {
    "grid": Family(
        ("MiniGrid-Playground-v0", "MiniGrid-KeyCorridorS3R3-v0", "MiniGrid-BlockedUnlockPickup-v0",
         "MiniGrid-ObstructedMaze-2Dlhb-v1", "MiniGrid-Fetch-8x8-N3-v0", "MiniGrid-PutNear-6x6-N2-v0",
         "MiniGrid-DoorKey-8x8-v0", "MiniGrid-LavaCrossingS9N2-v0"),
        GRID_CLASSES,
        {"door": ("open door", "closed door", "locked door"), "key": ("key",), "ball": ("ball",)},
        {"camera": "first_person", "field_of_view": 90.0, "lighting": "random", "noise": 0.02},
        steps=8,
    ),
    "roads": Family(
        ("highway-fast-v0", "merge-v0", "roundabout-v0", "intersection-v1", "two-way-v0", "racetrack-v0"),
        ROAD_CLASSES,
        {"vehicle": ("vehicle",)},
        {"camera": "front", "field_of_view": 70.0, "lighting": "random", "weather": "random"},
        steps=1,
    ),
}  # fmt: skip


class Worlds:
    """A source of labelled pictures (see `visnav.perception.labels.Source`): worlds in which a random agent acts.

    Args:
        family: which worlds, seen how.
        part: "train" or "test", of layouts and of textures.
        num_envs: pictures of a batch, shared evenly by the family's IDs.
        seed: of levels and actions.
        steps: of the agent between two batches, the family's when None.
        **keywords: of `gym.make_vec`, instead of the family's own, such as image_size.

    Raises:
        ValueError: fewer worlds than IDs.
    """

    def __init__(
        self, family: Family, part: str, num_envs: int, seed: int = 0, steps: int | None = None, **keywords: Any
    ) -> None:
        count = len(family.env_ids)
        if num_envs < count:
            raise ValueError(f"num_envs must be at least {count}, one for each ID; got {num_envs}")
        self._steps = family.steps if steps is None else steps
        shares = np.array_split(np.arange(num_envs), count)
        self._rows = [slice(int(share[0]), int(share[-1]) + 1) for share in shares]  # of a batch, those of each ID
        self._worlds: list[Any] = [
            gym.make_vec(
                f"visnav/{env_id}", num_envs=len(share), split=part, textures=part, **(family.camera | keywords)
            ).unwrapped
            for env_id, share in zip(family.env_ids, shares, strict=True)
        ]
        height, width, _ = self._worlds[0].simulation.sensor_spaces["rgb"].shape
        self._shapes = {"rgb": (num_envs, height, width, 3), "semantic": (num_envs, height, width, 1)}
        for number, envs in enumerate(self._worlds):
            envs.reset(seed=seed * 1000 + number)
            envs.action_space.seed(seed * 1000 + number)
        self.move(APART)

    def move(self, steps: int) -> None:
        """Let the agent act so many times in every world; episodes that have ended begin anew."""
        for envs in self._worlds:
            for _ in range(steps):
                envs.simulation.step(envs.action_space.sample(), None, reset_ended=True)

    def __call__(self) -> Mapping[str, Any]:
        """The pictures after some further steps, with their labels."""
        self.move(self._steps)
        return self.look()

    def look(self) -> Mapping[str, Any]:
        """The pictures as the worlds are, with their labels."""
        pictures = {name: np.empty(shape, np.uint8) for name, shape in self._shapes.items()}
        boxes: list[dict[str, Any]] = []
        for envs, rows in zip(self._worlds, self._rows, strict=True):
            seen = envs.annotate((*pictures, "boxes"), {name: array[rows] for name, array in pictures.items()})
            boxes += seen["boxes"]
        return {"boxes": boxes, **pictures}
