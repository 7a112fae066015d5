"""`visnav benchmark [ID]`: frames per second over batch sizes, and beside other packages in the same run.

    visnav benchmark visnav/MiniGrid-DoorKey-8x8-v0
    visnav benchmark --sections peers            (every peer that is installed: minigrid, EnvPool, NAVIX)
    visnav benchmark --sections first_person     (beside minigrid, ViZDoom and EnvPool's Procgen maze)
    visnav benchmark --sections driving          (roads, beside EnvPool and highway-env)
    visnav benchmark --sections training         (PPO on two cores, beside Stable-Baselines3's)
    visnav benchmark --sections labels           (labelled pictures: rgb, semantic and boxes)
    visnav benchmark --sections watch            (networks that find and outline, in a window nobody sees)
    visnav benchmark --sections threads,levels,start
    make benchmark                               (everything, with the peers installed)

One frame is one step of one world with its observation; random actions (in `training` those of a policy that learns)
and automatic resets are part of it. All but `threads`, `training` and `watch` runs on one pinned core. Contestants
take turns, and a ratio is the median of the ratios of the turns: absolute figures drift with the machine's clock and
its neighbours, ratios within a turn hardly do.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym

from visnav.envs import batch
from visnav.experiments.benchmark_players import (
    Play,
    envpool_batch,
    highway_env_single,
    minigrid_single,
    navix_batch,
    ready_made_levels,
    single_player,
    visnav_batch,
    vizdoom_single,
    watched,
)
from visnav.experiments.list import check_id

DEFAULT_ID = "visnav/MiniGrid-DoorKey-8x8-v0"
LEVELS_ID = "visnav/MiniGrid-Empty-Random-5x5-v0"  # short episodes, so that resets weigh most
MAZE_ID = "visnav/Maze-PointGoal-9x9-v0"
SECTIONS = ("frames", "peers", "first_person", "driving", "labels", "training", "watch", "threads", "levels", "start")
TWO_CORES = ("training", "watch", "threads")
FIRST_PERSON_BATCH = 256
DRIVING_IDS = (
    "highway-v0", "highway-fast-v0", "merge-v0", "roundabout-v0", "intersection-v0", "racetrack-v0", "parking-v0",
)  # fmt: skip
DRIVING_BATCH, DRIVING_LARGE_BATCH = 64, 256
DRIVING_PICTURE = (64, 64)
LABELLED_IDS = {"grid": "MiniGrid-KeyCorridorS4R3-v0", "roads": "highway-fast-v0"}
LABELS_BATCH = 128
WATCHED_IDS = {"grid": "MiniGrid-Playground-v0", "roads": "highway-v0"}
WATCHED_PANES = "camera,mask,predicted,boxes"
SEEING = Path(__file__).with_name("trained") / "seeing"  # networks that the repository keeps
STARTS = 5  # processes whose median is the warm start


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    section: str
    name: str
    batch: int
    value: float
    """Frames a second, or what `unit` says."""
    ratio: float | None = None
    """To the row above that `against` names: median of the turns."""
    against: str = ""
    unit: str = "frames/s"


# --- measuring ----------------------------------------------------------------------------------------------


def rate(play: Play, seconds: float) -> float:
    """Frames a second over at least `seconds`."""
    frames, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        frames += play()
    return frames / elapsed


def take_turns(players: dict[str, Play], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Frames a second of every player in every round; in a round each plays once. A first turn is not counted."""
    for play in players.values():
        rate(play, seconds / 4)
    turns: dict[str, list[float]] = {name: [] for name in players}
    for _ in range(rounds):
        for name, play in players.items():
            turns[name].append(rate(play, seconds))
    return turns


def compared(
    section: str, players: dict[str, Play], num_envs: Sequence[int], options: argparse.Namespace
) -> Iterator[Row]:
    """The players' rates, and the ratio of the first to each of the others."""
    turns = take_turns(players, options.rounds, options.seconds)
    first, *others = players
    for (name, values), size in zip(turns.items(), num_envs, strict=True):
        yield Row(section, name, size, median(values))
    for other in others:
        ratio = median(a / b for a, b in zip(turns[first], turns[other], strict=True))
        yield Row(section, first, num_envs[0], median(turns[first]), ratio, other)


@contextmanager
def pinned(cores: int) -> Iterator[None]:
    """Keep this process on its first `cores` cores, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- sections -----------------------------------------------------------------------------------------------


def frames(options: argparse.Namespace) -> Iterator[Row]:
    """Frames a second over batch sizes."""
    for size in options.batch_sizes:
        play = visnav_batch(options.id, options.camera, size)
        values = take_turns({"": play}, options.rounds, options.seconds)[""]
        yield Row("frames", f"visnav {options.camera}", size, median(values))


def peers(options: argparse.Namespace) -> Iterator[Row]:
    """Ours against the original and against the fastest others, each with the observation that they share."""
    for name, ours, our_size, peer_name, peer, peer_size in duels(options.id, max(options.batch_sizes)):
        if peer is None:
            print(f"{peer_name}: not installed, or it has no {options.id.removeprefix('visnav/')}", file=sys.stderr)
        else:
            yield from compared("peers", {name: ours, peer_name: peer}, (our_size, peer_size), options)


def duels(env_id: str, size: int) -> Iterator[tuple[str, Play, int, str, Play | None, int]]:
    """Name, player and batch size of ours, and the same of a peer."""
    for camera in ("tiles", "full", "symbolic"):
        ours = visnav_batch(env_id, camera, size)
        yield f"visnav {camera}", ours, size, f"minigrid {camera}", minigrid_single(env_id, camera), 1
    ours = visnav_batch(env_id, "symbolic", size)
    yield "visnav symbolic", ours, size, "EnvPool symbolic", envpool_batch(env_id, size), size
    ours = visnav_batch(env_id, "full", size)
    yield "visnav full", ours, size, "NAVIX full", navix_batch(env_id, size), size
    ours = single_player(gym.make(env_id))
    yield "visnav tiles, gym.make", ours, 1, "minigrid tiles", minigrid_single(env_id, "tiles"), 1


def first_person(options: argparse.Namespace) -> Iterator[Row]:
    """The first-person camera beside other cameras, each at its size, and what labels cost."""
    size = FIRST_PERSON_BATCH

    def ours(env_id: str, image_size: tuple[int, int], sensors: Sequence[str] = ("rgb",)) -> Play:
        return visnav_batch(env_id, "first_person", size, image_size=image_size, sensors=sensors)

    labels = ("rgb", "depth", "semantic", "instance")
    small, wide = (64, 64), (120, 160)
    for name, player, peer_name, peer, peer_size in (
        ("rgb 64x64", ours(options.id, small), "minigrid tiles", minigrid_single(options.id, "tiles"), 1),
        ("rgb 160x120", ours(options.id, wide), "ViZDoom basic 160x120", vizdoom_single(), 1),
        ("maze rgb 64x64", ours(MAZE_ID, small), "minigrid tiles", minigrid_single(options.id, "tiles"), 1),
        ("maze rgb 160x120", ours(MAZE_ID, wide), "ViZDoom basic 160x120", vizdoom_single(), 1),
        ("maze rgb 64x64", ours(MAZE_ID, small), "EnvPool MazeEasy 64x64", envpool_batch("MazeEasy-v0", size), size),
        ("rgb 64x64", ours(options.id, small), "rgb and three labels", ours(options.id, small, labels), size),
        ("maze rgb 64x64", ours(MAZE_ID, small), "maze rgb and three labels", ours(MAZE_ID, small, labels), size),
    ):
        if peer is None:
            print(f"{peer_name}: not installed", file=sys.stderr)
        else:
            yield from compared("first_person", {name: player, peer_name: peer}, (size, peer_size), options)


def driving(options: argparse.Namespace) -> Iterator[Row]:
    """Roads as vectors and as pictures of 64x64, beside EnvPool's and beside highway-env."""
    size, picture = DRIVING_BATCH, "64x64"
    for name, ours, our_size, peer_name, peer, peer_size in driving_duels():
        if peer is None:
            print(f"{peer_name}: not installed, or it has no such ID", file=sys.stderr)
        else:
            yield from compared("driving", {name: ours, peer_name: peer}, (our_size, peer_size), options)
    play = visnav_batch("visnav/highway-fast-v0", "front", size, image_size=DRIVING_PICTURE)
    values = take_turns({"": play}, options.rounds, options.seconds)[""]
    yield Row("driving", f"visnav highway-fast-v0 front {picture}", size, median(values))


def driving_duels() -> Iterator[tuple[str, Play, int, str, Play | None, int]]:
    """As `duels`: vectors; pictures from above; pictures of the original."""
    size, picture = DRIVING_BATCH, "64x64"
    for name in DRIVING_IDS:
        ours = visnav_batch(f"visnav/{name}", "kinematics", size)
        yield f"visnav {name} vectors", ours, size, f"EnvPool {name} vectors", envpool_batch(name, size), size
    for name in ("highway-fast-v0", "racetrack-v0"):
        for size in (DRIVING_BATCH, DRIVING_LARGE_BATCH):
            ours = visnav_batch(f"visnav/{name}", "birdseye", size, image_size=DRIVING_PICTURE)
            peer = envpool_batch(name, size, DRIVING_PICTURE)
            yield f"visnav {name} birdseye {picture}", ours, size, f"EnvPool {name} rendered {picture}", peer, size
    for name in ("highway-fast-v0", "highway-v0"):
        ours = visnav_batch(f"visnav/{name}", "birdseye", DRIVING_BATCH, image_size=DRIVING_PICTURE)
        peer = highway_env_single(name, DRIVING_PICTURE)
        yield f"visnav {name} birdseye {picture}", ours, DRIVING_BATCH, f"highway-env {name} image {picture}", peer, 1


def labels(options: argparse.Namespace) -> Iterator[Row]:
    """Pictures of 64x64 with semantic and boxes: as cameras draw them, of worlds that move, and varied as tensors."""
    import torch

    from visnav.experiments.labelling import FAMILIES, Worlds
    from visnav.perception.labels import Variation, labelled_batches

    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, env_id in LABELLED_IDS.items():
        worlds = Worlds(replace(FAMILIES[name], env_ids=(env_id,)), "train", LABELS_BATCH)
        plain, varied = labelled_batches(worlds), labelled_batches(worlds, Variation())
        players: dict[str, Callable[[], Any]] = {
            f"{env_id}: camera and labels": worlds.look,
            f"{env_id}: of worlds that move": worlds,
            f"{env_id}: in tensors": partial(next, plain),
            f"{env_id}: varied": partial(next, varied),
        }
        turns = take_turns(
            {title: _counting(draw, LABELS_BATCH) for title, draw in players.items()}, options.rounds, options.seconds
        )
        for title, values in turns.items():
            yield Row("labels", title, LABELS_BATCH, median(values), unit="images/s")
    torch.set_num_threads(threads_before)


def _counting(draw: Callable[[], Any], count: int) -> Play:
    """A player that makes so many pictures at once."""

    def play() -> int:
        draw()
        return count

    return play


def training(options: argparse.Namespace) -> Iterator[Row]:
    """PPO from pixels beside Stable-Baselines3's, and what of its time is neither worlds nor network."""
    from visnav.experiments import benchmark_training as trainers  # needs torch, which the other sections do not

    sizes = {name: trainers.WORLDS for name in trainers.CONTESTANTS}
    sizes |= {name: trainers.FEW_WORLDS for name in sizes if name.endswith("minigrid pixels")}
    sizes |= {name: trainers.PPOConfig().num_envs for name in sizes if name.endswith("by default")}
    for name, peer in (
        ("visnav", "SB3"),
        ("visnav recurrent", "visnav"),
        ("visnav recurrent", "SB3 RecurrentPPO"),
        ("visnav minigrid pixels", "SB3 minigrid pixels"),
        ("visnav by default", "SB3 minigrid pixels"),
        ("visnav recurrent by default", "SB3 RecurrentPPO minigrid pixels"),
    ):
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(trainers.process(one)) for one in (name, peer))
            if ours is None or theirs is None:
                print(f"{peer}: not installed", file=sys.stderr)
            else:
                yield from compared("training", {name: ours, peer: theirs}, (sizes[name], sizes[peer]), options)
    yield Row("training", "visnav, share of the trainer itself", trainers.WORLDS, trainers.own_share(), unit="%")


def watch(options: argparse.Namespace) -> Iterator[Row]:
    """Frames of `visnav watch` while one network finds things and another outlines them: four panes, drawn anew."""
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    for family, env_id in WATCHED_IDS.items():
        networks = [SEEING / kind / family for kind in ("segment", "detect")]
        if not all(folder.exists() for folder in networks):
            print(f"{SEEING}: not there; the repository has it", file=sys.stderr)
            return
        with watched(f"visnav/{env_id}", networks, WATCHED_PANES) as play:
            (values,) = take_turns({env_id: play}, options.rounds, options.seconds).values()
        yield Row("watch", f"visnav {env_id}, {WATCHED_PANES}", 1, median(values))


def threads(options: argparse.Namespace) -> Iterator[Row]:
    """Two threads against one."""
    if batch.available_cpus() < 2:
        raise ValueError("the section threads needs two cores, and this process may use one")
    size = max(options.batch_sizes)
    players = {
        f"visnav {options.camera}, {word}": visnav_batch(options.id, options.camera, size, count)
        for count, word in ((2, "two threads"), (1, "one thread"))
    }
    yield from compared("threads", players, (size, size), options)


def levels(options: argparse.Namespace) -> Iterator[Row]:
    """Fresh levels at every reset against levels that were made beforehand."""
    size = max(options.batch_sizes)
    players = {
        "fresh levels": visnav_batch(LEVELS_ID, options.camera, size),
        "ready-made levels": ready_made_levels(LEVELS_ID, options.camera, size),
    }
    yield from compared("levels", players, (size, size), options)


FIRST_FRAME = """
import sys, time
import gymnasium as gym
import visnav.envs
env = gym.make(sys.argv[1])
env.reset(seed=0)
assert env.step(2)[0].any()
print(time.time() - float(sys.argv[2]))
"""


def start(options: argparse.Namespace) -> Iterator[Row]:
    """Seconds from starting Python to the first frame after a step: the very first time, and every other time."""
    with tempfile.TemporaryDirectory() as cache:

        def seconds() -> float:
            command = [sys.executable, "-c", FIRST_FRAME, options.id, repr(time.time())]
            environment = {**os.environ, "VISNAV_CACHE_DIR": cache}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            return float(done.stdout)

        yield Row("start", "very first, compiling", 1, seconds(), unit="s")
        yield Row("start", f"warm, median of {STARTS}", 1, median(seconds() for _ in range(STARTS)), unit="s")


RUN = {
    "frames": frames,
    "peers": peers,
    "first_person": first_person,
    "driving": driving,
    "labels": labels,
    "training": training,
    "watch": watch,
    "threads": threads,
    "levels": levels,
    "start": start,
}


def line(row: Row) -> str:
    """A row for people."""
    if row.unit == "images/s":
        return f"{row.name:<55}{row.batch:>6}{row.value:>14,.0f} images/s"
    if row.unit != "frames/s":
        return f"{row.name:<42}{row.value:>10.2f} {row.unit}"
    text = f"{row.name:<42}{row.batch:>6}{row.value:>14,.0f} frames/s"
    return f"{row.name} / {row.against}: {row.ratio:.2f} x" if row.ratio is not None else text


def positive(text: str) -> float:
    """A number greater than 0."""
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"must be greater than 0, got {text}")
    return value


def sizes(text: str) -> list[int]:
    """Whole numbers of at least 1, with commas between them."""
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = [0]
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"takes whole numbers such as 1,64,1024, got {text!r}")
    return values


def section_names(text: str) -> list[str]:
    """Names of sections, with commas between them."""
    names = text.split(",")
    if unknown := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"knows {', '.join(SECTIONS)}, not {', '.join(sorted(unknown))}")
    return names


def main(argv: list[str] | None = None) -> int:
    """Measure the sections asked for, and print them as they come."""
    parser = argparse.ArgumentParser(prog="visnav benchmark", description="Frames per second.")
    parser.add_argument("id", nargs="?", default=DEFAULT_ID, help=f"an environment (default {DEFAULT_ID})")
    parser.add_argument("--camera", default="tiles", help="tiles (default), full, first_person or symbolic")
    parser.add_argument("--batch-sizes", type=sizes, default=[1, 64, 1024], metavar="N,…", help="default 1,64,1024")
    parser.add_argument(
        "--sections", type=section_names, default=["frames", "peers"], metavar="NAME,…",
        help=f"of {', '.join(SECTIONS)}; default frames,peers",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contestant (default 5)")
    parser.add_argument("--seconds", type=positive, default=1.0, help="length of a turn (default 1)")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    options = parser.parse_args(argv)
    check_id(options.id)
    rows = []
    for name in options.sections:
        print(f"\n{name}: {(RUN[name].__doc__ or '').splitlines()[0]}")
        with pinned(2 if name in TWO_CORES else 1):
            for row in RUN[name](options):
                rows.append(row)
                print(line(row), flush=True)
    if options.json:
        result = {"id": options.id, "platform": platform.platform(), "rows": [asdict(row) for row in rows]}
        temporary = options.json.with_name(f".{options.json.name}.tmp")
        temporary.write_text(json.dumps(result, indent=2), encoding="utf-8")
        os.replace(temporary, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
