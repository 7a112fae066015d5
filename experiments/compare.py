"""Several trainings side by side: `visnav compare RUN RUN …` prints a table and draws the learning curves.

    visnav compare runs/visnav/MiniGrid-DoorKey-8x8-v0/*
    visnav compare runs/visnav/*/* --measure return --picture curves.png

Runs that differ in nothing but their seed and ID belong together: they are one method, on one or more tasks. A method's
score is the interquartile mean over its runs on the layouts held out, with a stratified bootstrap interval (Agarwal et
al. 2021, arXiv:2108.13264): tasks are its strata.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from matplotlib.lines import Line2D

from visnav.agents.evaluate import Estimate, interquartile_mean, stratified_interval
from visnav.experiments.evaluate import EvaluateConfig, measure
from visnav.experiments.run import Run, check_policy
from visnav.experiments.seeing import fingerprint
from visnav.experiments.story import new_figure, save
from visnav.experiments.training import TrainConfig

MEASURES = ("success", "return", "length")
POINTS = 200  # of a learning curve


@dataclass(frozen=True)
class CompareConfig:
    """Compare trainings: scores on layouts held out with intervals, and learning curves with bands."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs, such as runs/visnav/MiniGrid-DoorKey-8x8-v0/*."""
    measure: str = "success"
    """success, return or length."""
    episodes: int = 500
    """Episodes of each run."""
    split: str | None = "test"
    """Layouts to play: test, train, or None for all."""
    seed: int = 0
    """Of the levels, the sampled actions and the bootstrap."""
    policy: str = "last"
    """Of each run: last or best, as in `visnav evaluate`."""
    picture: Path = Path("compare.png")
    """Where the learning curves go."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("give the folders of one run at least, such as runs/visnav/MiniGrid-DoorKey-8x8-v0/*")
        if self.measure not in MEASURES:
            raise ValueError(f"unknown measure {self.measure!r}; choose one of {', '.join(MEASURES)}")
        check_policy(self.policy)
        if self.picture.suffix != ".png":
            raise ValueError(f"the picture is a PNG; got {self.picture}")


@dataclass(frozen=True)
class Method:
    """Runs that differ in nothing but seed and ID."""

    name: str
    runs: dict[str, list[Run]]
    """By ID."""


def methods(runs: Sequence[Run]) -> list[Method]:
    """The runs, put together by what they have in common; a name says what sets a method apart from the others.

    Raises:
        CheckpointError: a folder holds no run.
    """
    found: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        config = run.read_config()
        key = json.dumps(settings(config), sort_keys=True)
        found.setdefault(key, {}).setdefault(config.id, []).append(run)
    every = [json.loads(key) for key in found]
    differing = [name for name in every[0] if len({json.dumps(each.get(name)) for each in every}) > 1]
    names = [", ".join(f"{name}={each[name]}" for name in differing) or "all" for each in every]
    return [Method(name, tasks) for name, tasks in zip(names, found.values(), strict=True)]


def settings(config: TrainConfig) -> dict[str, Any]:
    """All of a training's parameters but those that runs of one method may differ in, and where files go."""
    values = asdict(config)
    values |= values.pop("ppo")
    if config.see:
        values["see"] = fingerprint(Path(config.see))  # each run has a copy
    if config.auxiliary is None:
        del values["auxiliary_coef"]  # the weight of nothing
    return {name: value for name, value in values.items() if name not in ("id", "seed", "runs", "checkpoint_seconds")}


def scores(method: Method, config: CompareConfig) -> dict[str, np.ndarray]:
    """By ID, the score of each run (runs,): its mean over the episodes."""
    return {
        env_id: np.array(
            [
                measure(
                    EvaluateConfig(run.folder, config.episodes, seed=config.seed, policy=config.policy), config.split
                ).evaluation.summary()[config.measure]
                for run in runs
            ]
        )
        for env_id, runs in method.runs.items()
    }  # fmt: skip


def table(rows: Sequence[tuple[str, str, np.ndarray, Estimate]], config: CompareConfig) -> str:
    """A line a method and task (name, ID, scores of its runs, interval), and one for all of its tasks."""
    form = ".1%" if config.measure == "success" else ".2f"
    width = max(len(name) for name, *_ in rows)
    lines = [
        f"{'':{width}}  {config.measure} of the {config.policy} policy over {config.episodes} episodes a run, split "
        f"{config.split or 'all'}"
    ]
    for name, env_id, values, (estimate, low, high) in rows:
        runs = f"{len(values)} run{'s' if len(values) > 1 else ''}"
        lines.append(
            f"{name:{width}}  {env_id:<40} {estimate:>8{form}}  ({low:{form}} to {high:{form}})  {runs}, "
            f"{values.min():{form}} to {values.max():{form}}"
        )
    lines.append("Interquartile means of the runs, 95 % stratified bootstrap intervals, least and greatest run.")
    return "\n".join(lines)


def curve(runs: Sequence[Run], name: str) -> tuple[np.ndarray, np.ndarray]:
    """(POINTS,) steps, and (runs, POINTS) a column of their metrics, up to where the shortest run ends.

    A run that ended because it had reached its target_success counts on with its last value.
    """
    rows = [run.read_metrics() for run in runs]
    targets = [run.read_config().target_success for run in runs]
    ends = [r[-1]["steps"] for r in rows]
    cut = [
        end
        for end, r, target in zip(ends, rows, targets, strict=True)
        if target is None or r[-1]["success"] < target
    ]  # fmt: skip
    steps = np.linspace(max(r[0]["steps"] for r in rows), min(cut, default=max(ends)), POINTS)
    return steps, np.array([np.interp(steps, [m["steps"] for m in r], [m[name] for m in r]) for r in rows])


def draw(found: Sequence[Method], rows: Sequence[tuple[str, str, np.ndarray, Estimate]], config: CompareConfig) -> None:
    """Learning curves, one panel a task: a line a method, and a band from its least to its greatest run.

    Behind the end of each line its score, with the interval.
    """
    tasks = sorted({env_id for method in found for env_id in method.runs})
    estimates = {(name, env_id): estimate for name, env_id, _, estimate in rows}
    columns = min(3, len(tasks))
    height = -(-len(tasks) // columns)
    figure = new_figure(4.2 * columns, 2.8 * height + 0.25 * len(found))
    panels = figure.subplots(height, columns, squeeze=False).ravel()
    for panel, env_id in zip(panels, tasks, strict=False):
        for number, method in enumerate(found):
            if env_id in method.runs:
                steps, values = curve(method.runs[env_id], config.measure)
                color = f"C{number}"
                panel.plot(steps / 1e6, interquartile_mean(values.T), color=color)
                panel.fill_between(steps / 1e6, values.min(0), values.max(0), color=color, alpha=0.2, lw=0)
                estimate, low, high = estimates[method.name, env_id]
                place = (steps[-1] + 0.04 * (steps[-1] - steps[0])) / 1e6
                panel.errorbar(place, estimate, [[estimate - low], [high - estimate]], fmt="o", ms=4, color=color)
        panel.set_title(env_id.rpartition("/")[2], fontsize="medium")
        panel.grid(alpha=0.3)
        if config.measure == "success":
            panel.set_ylim(0, 1.03)
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    figure.supxlabel("million steps of the worlds", fontsize="medium")
    figure.supylabel(f"{config.measure}: in training, and at the end {words(config.split)}", fontsize="medium")
    if len(found) > 1:
        handles = [Line2D([], [], color=f"C{number}", label=method.name) for number, method in enumerate(found)]
        figure.legend(handles=handles, loc="outside upper center", fontsize="small")
    save(figure, config.picture)


def words(split: str | None) -> str:
    """What a split is."""
    return {"train": "on layouts trained on", "test": "on layouts held out"}.get(split or "", "on all layouts")


def main(argv: list[str] | None = None) -> int:
    """The command `visnav compare`; returns 0. Errors: CheckpointError where a folder holds no finished run."""
    config = tyro.cli(CompareConfig, prog="visnav compare", args=argv)
    found = methods([Run(folder) for folder in config.runs])
    rows = []
    for method in found:
        values = scores(method, config)
        for env_id, of_runs in values.items():
            rows.append((method.name, env_id, of_runs, stratified_interval([of_runs], config.seed)))
        if len(values) > 1:
            every = list(values.values())
            rows.append((method.name, "all of them", np.concatenate(every), stratified_interval(every, config.seed)))
    print(table(rows, config))
    draw(found, rows, config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
