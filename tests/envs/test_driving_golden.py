"""Frames of every driving ID in every camera are what they were: a change that is meant bumps the ID's version.

Frames are kept as means of 8 x 8 blocks, not as hashes: sines differ in their last bit from one machine to the next,
and a grey value with them. `python tests/envs/test_driving_golden.py` writes them anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from visnav.envs.driving.cameras import CAMERAS
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.simulation import DrivingSimulation

GOLDEN = Path(__file__).with_name("golden_driving.json")
LEVEL, STEPS, SIDE = 3, 2, 64
TOLERANCE = 1.5  # of 255


def frames(name: str) -> dict[str, NDArray[np.uint8]]:
    """By camera, (2, 8, 8, 3): the first frame of a level and one some idle steps later, in blocks."""
    simulation = DrivingSimulation(TASKS[name](), 1, camera="kinematics")
    simulation.choose_levels(np.array([LEVEL]), np.ones(1, np.bool_))
    simulation.reset(np.ones(1, np.bool_))
    shape = simulation.action_space.shape
    idle = np.zeros((1, *shape), np.float32) if shape else np.array([simulation.num_actions // 2])
    found: dict[str, list[NDArray[np.uint8]]] = {camera: [] for camera in CAMERAS}
    for played in range(2):
        for camera in CAMERAS:
            picture = simulation.render(0, camera, image_size=(SIDE, SIDE))
            blocks = picture.reshape(8, SIDE // 8, 8, SIDE // 8, 3).mean(axis=(1, 3))
            found[camera].append(np.round(blocks).astype(np.uint8))
        for _ in range(STEPS if played == 0 else 0):
            simulation.step(idle, None, reset_ended=False)
    return {camera: np.stack(pictures) for camera, pictures in found.items()}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_frames_are_what_they_always_were(name: str) -> None:
    known = json.loads(GOLDEN.read_text())[name]
    for camera, blocks in frames(name).items():
        kept = np.frombuffer(bytes.fromhex(known[camera]), np.uint8).reshape(blocks.shape)
        off = abs(blocks.astype(float) - kept)
        assert off.max() <= TOLERANCE, f"{camera} is off by {off.max():.0f}; if this is meant, the version goes up"


if __name__ == "__main__":
    text = json.dumps(
        {name: {camera: blocks.tobytes().hex() for camera, blocks in frames(name).items()} for name in sorted(TASKS)},
        indent=1,
    )
    temporary = GOLDEN.with_suffix(".tmp")
    temporary.write_text(text + "\n")
    os.replace(temporary, GOLDEN)
