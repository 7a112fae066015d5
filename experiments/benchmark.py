"""`visnav benchmark [ID]`: frames per second over batch sizes, and beside other packages in the same run.

    visnav benchmark visnav/MiniGrid-DoorKey-8x8-v0
    visnav benchmark --sections peers            (every peer that is installed: minigrid, EnvPool, NAVIX)
    visnav benchmark --sections first_person     (beside minigrid, ViZDoom and EnvPool's Procgen maze)
    visnav benchmark --sections threads,levels,start
    make benchmark                               (everything, with the peers installed)

One frame is one step of one world with its observation; random actions and automatic resets are part of it. All
but `threads` runs on one pinned core. Contestants take turns, and a ratio is the median of the ratios of the turns:
absolute figures drift with the machine's clock and its neighbours, ratios within a turn hardly do.
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
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

from visnav.envs import batch
from visnav.envs.grid.world import World
from visnav.experiments.list import check_id

DEFAULT_ID = "visnav/MiniGrid-DoorKey-8x8-v0"
LEVELS_ID = "visnav/MiniGrid-Empty-Random-5x5-v0"  # short episodes, so that resets weigh most
MAZE_ID = "visnav/Maze-PointGoal-9x9-v0"
SECTIONS = ("frames", "peers", "first_person", "threads", "levels", "start")
FIRST_PERSON_BATCH = 256
CHUNK = 64  # rows of random actions drawn beforehand
STARTS = 5  # processes whose median is the warm start

Play = Callable[[], int]  # plays a little, and returns how many frames that made


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    section: str
    name: str
    batch: int
    value: float
    """Frames a second, or seconds in the section `start`."""
    ratio: float | None = None
    """To the row above that `against` names: median of the turns."""
    against: str = ""


# --- contestants: each makes worlds and returns a function that plays them -----------------------------------


def visnav_batch(env_id: str, camera: str, num_envs: int, num_threads: int = 1, **keywords: Any) -> Play:
    """A batch of ours, as `gym.make_vec` gives it."""
    return batch_player(gym.make_vec(env_id, num_envs=num_envs, camera=camera, num_threads=num_threads, **keywords))


def batch_player(envs: gym.vector.VectorEnv) -> Play:
    """Steps a vector environment with random actions."""
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(CHUNK)]
    envs.reset(seed=0)

    def play() -> int:
        for row in actions:
            envs.step(row)
        return CHUNK * envs.num_envs

    return play


def single_player(env: gym.Env) -> Play:
    """Steps one environment with random actions, and resets it when its episode ends."""
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(CHUNK)]
    env.reset(seed=0)

    def play() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return CHUNK

    return play


def minigrid_single(env_id: str, camera: str) -> Play | None:
    """The original, with the wrapper that makes the same picture; None if it is not installed or has no such ID."""
    original = env_id.removeprefix("visnav/")
    if not find_spec("minigrid"):
        return None
    import minigrid  # noqa: F401  registers its IDs
    from minigrid.wrappers import RGBImgObsWrapper, RGBImgPartialObsWrapper

    if original not in gym.registry:
        return None
    env = gym.make(original)
    wrappers = {"tiles": RGBImgPartialObsWrapper, "full": RGBImgObsWrapper}
    return single_player(wrappers[camera](env, tile_size=8) if camera in wrappers else env)


def envpool_batch(env_id: str, num_envs: int) -> Play | None:
    """EnvPool's worlds in C++ (MiniGrid: symbolic) on one thread; None if it is not installed or has no such ID."""
    if not find_spec("envpool"):
        return None
    import envpool

    original = env_id.removeprefix("visnav/")
    if original not in envpool.list_all_envs():
        return None
    try:
        envs = envpool.make(original, env_type="gymnasium", num_envs=num_envs, num_threads=1)
    except ImportError as error:  # Procgen's worlds need Qt 5 from the system
        print(error, file=sys.stderr)
        return None
    actions = np.random.default_rng(0).integers(0, envs.action_space.n, (CHUNK, num_envs), np.int32)
    envs.reset()

    def play() -> int:
        for row in actions:
            envs.step(row)
        return actions.size

    return play


def vizdoom_single() -> Play | None:
    """ViZDoom's basic scenario, 160x120 RGB, every tic a step; None if it is not installed."""
    if not find_spec("vizdoom"):
        return None
    import vizdoom

    game = vizdoom.DoomGame()
    game.load_config(str(Path(vizdoom.scenarios_path) / "basic.cfg"))
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_window_visible(False)
    game.set_doom_config_path(str(Path(tempfile.gettempdir()) / "visnav-benchmark-vizdoom.ini"))  # it writes one
    game.init()
    buttons = np.eye(game.get_available_buttons_size(), dtype=int).tolist()
    actions = np.random.default_rng(0).integers(0, len(buttons), CHUNK)

    def play() -> int:
        for action in actions:
            if game.is_episode_finished():
                game.new_episode()
            game.make_action(buttons[action], 1)
            if (state := game.get_state()) is not None:
                assert state.screen_buffer.shape == (120, 160, 3)
        return CHUNK

    return play


def navix_batch(env_id: str, num_envs: int) -> Play | None:
    """NAVIX with its full RGB picture, the loop compiled by JAX too; None if it is not installed or has no such ID."""
    if not find_spec("navix"):
        return None
    import jax
    import navix

    name = env_id.replace("visnav/MiniGrid-", "Navix-")
    if name not in navix.registry():
        return None
    env = navix.make(name, observation_fn=navix.observations.rgb)

    def one_step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        step, key = carry
        key, draw = jax.random.split(key)
        return (jax.vmap(env.step)(step, jax.random.randint(draw, (num_envs,), 0, 7)), key), None

    advance = jax.jit(lambda carry: jax.lax.scan(one_step, carry, None, length=CHUNK)[0])
    keys = jax.random.split(jax.random.PRNGKey(0), num_envs)
    carry = advance((jax.jit(jax.vmap(env.reset))(keys), jax.random.PRNGKey(1)))

    def play() -> int:
        nonlocal carry
        carry = jax.block_until_ready(advance(carry))
        return CHUNK * num_envs

    return play


def ready_made_levels(env_id: str, camera: str, num_envs: int) -> Play:
    """A batch of ours whose resets copy levels that were made beforehand, instead of making new ones."""
    import numba

    envs = gym.make_vec(env_id, num_envs=num_envs, camera=camera, num_threads=1)
    play = batch_player(envs)
    simulation: Any = envs.unwrapped.simulation  # type: ignore[attr-defined]
    simulation.reset(np.ones(num_envs, np.bool_))
    bank = World(*(array.copy() for array in simulation.world))
    position = np.arange(num_envs)

    @numba.njit(nogil=True)
    def copy_rows(lo, hi, world, bank, position, before, after):  # type: ignore[no-untyped-def]
        for i in range(lo, hi):
            if world.phase[i] == before:
                k = position[i] = (position[i] + 1) % len(bank.phase)
                world.cells[i] = bank.cells[k]
                world.agent[i] = bank.agent[k]
                world.target[i] = bank.target[k]
                world.rng[i] = bank.rng[k]
                world.mission[i] = bank.mission[k]
                world.carrying[i] = 0
                world.step_count[i] = 0
                world.phase[i] = after

    def reset_phase(before: int, after: int) -> None:
        if np.count_nonzero(simulation.world.phase == before):
            copy_rows(0, num_envs, simulation.world, bank, position, before, after)

    simulation._reset_phase = reset_phase
    return play


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

        yield Row("start", "very first, compiling", 1, seconds())
        yield Row("start", f"warm, median of {STARTS}", 1, median(seconds() for _ in range(STARTS)))


RUN = {
    "frames": frames,
    "peers": peers,
    "first_person": first_person,
    "threads": threads,
    "levels": levels,
    "start": start,
}


def line(row: Row) -> str:
    """A row for people."""
    if row.section == "start":
        return f"{row.name:<34}{row.value:>10.2f} s"
    text = f"{row.name:<28}{row.batch:>6}{row.value:>14,.0f} frames/s"
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
        with pinned(2 if name == "threads" else 1):
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
