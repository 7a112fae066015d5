"""The trained policies in experiments/trained still play, and the networks there still see."""

import contextlib
from pathlib import Path

import pytest
import torch

from visnav.agents.evaluate import evaluate
from visnav.experiments.labelling import FAMILIES, Worlds
from visnav.experiments.run import Run
from visnav.experiments.seeing import load
from visnav.experiments.training import make_worlds
from visnav.perception.detection import Detector
from visnav.perception.labels import gathered
from visnav.perception.saved import NETWORK

TRAINED = Path(__file__).parents[2] / "experiments" / "trained"
FOLDERS = sorted(path.parent for path in TRAINED.rglob("config.json"))
NETWORKS = sorted(path.parent for path in (TRAINED / "seeing").rglob(NETWORK))
LARGEST = 5 * 2**20  # bytes


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_trained_policy_succeeds_on_levels_held_out(folder: Path) -> None:
    run = Run(folder)
    config = run.read_config()
    held_out = None if config.split is None else "test"  # MemoryS7 has 16 levels and was trained on all of them
    with contextlib.closing(make_worlds(config, 48, held_out)) as envs:
        success = evaluate(run.load_policy(config, envs), envs, 48).summary()["success"]
    assert success > 0.8
    assert run.policy.stat().st_size < LARGEST


@pytest.mark.parametrize("folder", NETWORKS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_network_sees_what_is_there_under_unseen_textures(folder: Path) -> None:
    """Boxes: half of the large ones are found. Pixels: four fifths of them are right."""
    network, values = load(folder)
    family = FAMILIES[folder.name]
    batch = gathered(Worlds(family, "test", 48, seed=77), 48)
    if isinstance(network, Detector):
        found = network.detect(batch.images, least_score=0.3)
        things = torch.tensor(family.thing_of_class())[batch.labels]
        large = (batch.boxes[:, 2:] - batch.boxes[:, :2]).prod(1) > 64
        middles = (batch.boxes[:, :2] + batch.boxes[:, 2:]) / 2
        hits = [
            bool(
                ((found[i]["boxes"][:, :2] < m) & (m < found[i]["boxes"][:, 2:]))
                .all(1)[found[i]["labels"] == thing]
                .any()
            )
            for i, m, thing in zip(batch.owner[large].tolist(), middles[large], things[large].tolist(), strict=True)
            if thing >= 0
        ]
        assert sum(hits) > 0.5 * len(hits) > 5
    else:
        truth = torch.tensor(family.surface_of_class())[batch.semantic.long()]
        with torch.no_grad():
            predicted = network(batch.images).argmax(1)
        assert (predicted == truth).float().mean() > 0.8
    assert values["score"] > 0.85
    assert (folder / NETWORK).stat().st_size < LARGEST
