"""10 Does perception help? Policies that only see, that also learn to tell what they see, that learned it before.

    python experiments/10_does_perception_help.py --seeds 3
    python experiments/10_does_perception_help.py --seeds 1 --total-steps 20000 --runs /tmp/ten      (a quick look)

The same worlds, through the agent's eyes under varied textures and light, the same encoder and the same steps of PPO:

    rgb                  the picture alone: nobody says what is what
    rgb + auxiliary      the encoder also learns the class of every fourth pixel while the policy learns (--coefficient)
    pre-trained, frozen  it learned that before, in other worlds, and stays as it is
    pre-trained, tuned   it learned that before, and goes on learning with the policy
    predicted classes    the policy is shown the classes that the network of 05 predicts, instead of the picture
    true segmentation    the policy is told the true class of every pixel: as much as perception could give

They are judged on layouts and textures that none has seen: interquartile means over the seeds with 95 % bootstrap
intervals. A training that was stopped goes on when the script is run again with the same folder.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional

from visnav.agents.auxiliary import head_of, points
from visnav.agents.evaluate import interquartile_mean, stratified_interval
from visnav.agents.policy import uses_bfloat16
from visnav.experiments.compare import curve, settings
from visnav.experiments.evaluate import EvaluateConfig, measure
from visnav.experiments.labelling import FAMILIES, Worlds
from visnav.experiments.presets import preset
from visnav.experiments.run import Run
from visnav.experiments.story import BLUE, GREEN, GREY, RED, TEAL, YELLOW, new_figure, save
from visnav.experiments.train import train
from visnav.experiments.training import TrainConfig
from visnav.perception.encoders import ENCODERS
from visnav.perception.labels import Variation, gathered, labelled_batches
from visnav.perception.mlp import FitConfig, fit
from visnav.perception.saved import NETWORK, save_network

SEGMENTER = Path(__file__).resolve().parent / "trained" / "seeing" / "segment" / "grid"
CAMERA = ("camera=first_person", "lighting=random", "noise=0.02")
ARMS = {
    "rgb": GREY,
    "rgb + auxiliary": BLUE,
    "pre-trained, frozen": GREEN,
    "pre-trained, tuned": YELLOW,
    "predicted classes": TEAL,
    "true segmentation": RED,
}
JUDGED = {  # split and textures of the worlds that a policy is judged in
    "as in training": ("train", "train"),
    "unseen layouts": ("test", "train"),
    "unseen layouts and textures": ("test", "test"),
}


@dataclass(frozen=True)
class HelpConfig:
    """Does perception help?"""

    id: str = "visnav/MiniGrid-DoorKey-6x6-v0"
    """The worlds, of the grid."""
    seeds: int = 3
    """Trainings of each kind."""
    total_steps: int = 500_000
    """Of each training."""
    episodes: int = 300
    """That each policy is judged by, of each kind of worlds."""
    minibatches: int = 3000
    """Of 64 pictures, that the encoder learns from before."""
    coefficient: float = TrainConfig.auxiliary_coef
    """Weight of the auxiliary loss."""
    arms: tuple[str, ...] = tuple(ARMS)
    """Which kinds to train and judge."""
    runs: Path = Path("runs/does_perception_help")
    """Folder of the trainings and of the encoder."""
    figure: Path = field(default=Path(__file__).resolve().parents[1] / "docs" / "perception" / "10_help.png")
    """Where the figure goes."""

    def __post_init__(self) -> None:
        unknown = set(self.arms) - set(ARMS)
        if unknown or not self.arms:
            raise ValueError(f"arms are of {', '.join(ARMS)}; got {', '.join(self.arms) or 'none'}")
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")


class Teller(nn.Module):
    """The policy's encoder, and what the auxiliary loss has on it: the class of every fourth pixel."""

    def __init__(self, kind: str, classes: int) -> None:
        super().__init__()
        self.encoder = ENCODERS[kind]((64, 64, 3))
        self.head = head_of(self.encoder, classes, (64, 64))

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16("auto")):
            return self.head(self.encoder.features(images)).float()


def learn_to_see(config: HelpConfig) -> Path:
    """The folder of an encoder that learned from pictures of the grid's worlds; made where it is not there yet."""
    folder = config.runs / "encoder"
    if not (folder / NETWORK).exists():
        family = FAMILIES["grid"]
        torch.manual_seed(0)
        teller = Teller(preset(config.id, "first_person").encoder, len(family.classes))
        judged = gathered(Worlds(family, "test", 64, seed=2), 1000)
        epochs = min(30, config.minibatches)

        def loss(model: nn.Module, batch: Any) -> Tensor:
            return functional.cross_entropy(model(batch.images), points(batch.semantic).long())

        fit(
            teller,
            loss,
            labelled_batches(Worlds(family, "train", 64, seed=0), Variation()),
            [gathered(Worlds(family, "train", 64, seed=1), 512)],
            FitConfig(epochs, 64, config.minibatches // epochs, learning_rate=2e-3, patience=epochs),
            progress="learning to see",
        )
        with torch.no_grad():
            predicted = torch.cat([teller(images).argmax(1) for images in judged.images.split(100)])
        right = (predicted == points(judged.semantic)).float().mean().item()
        save_network(folder, teller, {"classes": list(family.classes), "accuracy": right})
        print(f"The encoder tells {right:.1%} of the points of unseen layouts and textures; it is in {folder}.")
    return folder


def training(config: HelpConfig, arm: str, seed: int) -> TrainConfig:
    """One training of a kind."""
    ppo = preset(config.id, "first_person")
    plain = TrainConfig(
        config.id, seed, config.total_steps, env=(*CAMERA, "textures=train"), runs=str(config.runs / arm), ppo=ppo
    )
    match arm:
        case "rgb + auxiliary":
            return replace(plain, auxiliary="segmentation", auxiliary_coef=config.coefficient)
        case "pre-trained, frozen":
            return replace(plain, pretrained=str(learn_to_see(config)), freeze_encoder=True)
        case "pre-trained, tuned":
            return replace(plain, pretrained=str(learn_to_see(config)))
        case "predicted classes":
            return replace(plain, see=str(SEGMENTER))
        case "true segmentation":
            return replace(plain, env=(*plain.env, 'sensors=["semantic"]'))
    return plain


def trained(config: TrainConfig) -> Run:
    """The run of a training: one that is there, which is first finished if it was not, or a new one."""
    folder = Path(config.runs, config.id)
    for run in map(Run, sorted(folder.iterdir()) if folder.exists() else []):
        there = run.read_config()
        if there.seed == config.seed and settings(there) == settings(config):
            rows = run.read_metrics()
            return run if rows and rows[-1]["steps"] >= config.total_steps else train(config, run).run
    return train(config).run


def judge(run: Run, episodes: int) -> dict[str, float]:
    """Success in each kind of worlds of JUDGED."""
    return {
        name: measure(EvaluateConfig(run.folder, episodes, env=(f"textures={textures}",)), split).evaluation.summary()[
            "success"
        ]
        for name, (split, textures) in JUDGED.items()
    }


def table(scores: dict[str, dict[str, np.ndarray]]) -> Iterator[str]:
    """A line for each arm and kind of worlds: interquartile mean, interval, least and greatest run."""
    for arm, kinds in scores.items():
        for kind, values in kinds.items():
            estimate, low, high = stratified_interval([values])
            yield (
                f"{arm:<20} {kind:<28} {estimate:6.1%}  ({low:.1%} to {high:.1%})  "
                f"{len(values)} runs, {values.min():.1%} to {values.max():.1%}"
            )


def draw(config: HelpConfig, runs: dict[str, list[Run]], scores: dict[str, dict[str, np.ndarray]]) -> None:
    """Learning curves with a band from the least to the greatest run, and success in each kind of worlds."""
    figure = new_figure(9, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    for arm, some in runs.items():
        steps, values = curve(some, "success")
        left.plot(steps / 1000, interquartile_mean(values.T), color=ARMS[arm], label=arm)
        left.fill_between(steps / 1000, values.min(0), values.max(0), color=ARMS[arm], alpha=0.15, lw=0)
    left.set(xlabel="thousand steps of the worlds", ylabel="success in training", ylim=(0, 1.02))
    figure.legend(loc="outside upper center", ncols=min(len(runs), 3))
    width = 0.8 / len(scores)
    for number, (arm, kinds) in enumerate(scores.items()):
        for place, values in enumerate(kinds.values()):
            x = place + (number - (len(scores) - 1) / 2) * width
            right.bar(x, interquartile_mean(values), 0.9 * width, color=ARMS[arm])
            right.plot(np.full(len(values), x), values, "o", color="#222222", ms=3)
    right.set(xticks=range(len(JUDGED)), ylabel="success after training", ylim=(0, 1.02))
    right.set_xticklabels([name.replace(" layouts", "\nlayouts") for name in JUDGED])
    save(figure, config.figure)


def main(argv: list[str] | None = None) -> int:
    """Train what is not trained yet, judge, print, draw; returns 0."""
    config = tyro.cli(HelpConfig, description=__doc__, args=argv)
    runs: dict[str, list[Run]] = {arm: [] for arm in config.arms}
    for seed in range(config.seeds):
        for arm in config.arms:
            runs[arm].append(trained(training(config, arm, seed)))
    scores = {}
    for arm, some in runs.items():
        judged = [judge(run, config.episodes) for run in some]
        scores[arm] = {kind: np.array([each[kind] for each in judged]) for kind in JUDGED}
    print(f"{config.id}, {config.total_steps:,} steps, success over {config.episodes} episodes a run")
    print("\n".join(table(scores)))
    draw(config, runs, scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
