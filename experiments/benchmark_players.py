"""Contestants of `visnav benchmark`: each makes worlds and returns a function that plays them."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from visnav.envs.grid.world import World
from visnav.envs.viewer import Viewer
from visnav.experiments.watch import Show, make_panes, open_seer, open_target

CHUNK = 64  # rows of random actions drawn beforehand

Play = Callable[[], int]  # plays a little, and returns how many frames that made


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


def single_player(env: gym.Env, chunk: int = CHUNK) -> Play:
    """Steps one environment with random actions, `chunk` at a time, and resets it when its episode ends."""
    env.action_space.seed(0)
    actions = itertools.cycle([env.action_space.sample() for _ in range(CHUNK)])
    env.reset(seed=0)

    def play() -> int:
        for action in itertools.islice(actions, chunk):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return chunk

    return play


@contextmanager
def watched(env_id: str, networks: Sequence[Path], panes: str) -> Iterator[Play]:
    """`visnav watch` of random actions, as fast as it goes: a step, what the networks predict, and a frame."""
    seers = [open_seer(folder) for folder in networks]
    episode, choose = open_target(env_id, split="test", greedy=False, seed=0, **seers[0].camera)
    with closing(episode.env), closing(Viewer(f"visnav watch {env_id}")) as viewer:
        show = Show(episode, choose, seed=0, panes=make_panes(panes, episode, choose, seers))

        def play() -> int:
            show.advance()
            viewer.show(show.screen())
            viewer.keys(0)
            return 1

        yield play


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


def envpool_batch(env_id: str, num_envs: int, image_size: tuple[int, int] | None = None) -> Play | None:
    """EnvPool's worlds in C++ on one thread; None if it is not installed or has no such ID.

    Args:
        image_size: (height, width) of a picture that is rendered of every world after every step; None for only what
            it observes (MiniGrid: symbolic; highway-env's worlds: their default vectors).
    """
    if not find_spec("envpool"):
        return None
    import envpool

    original = env_id.removeprefix("visnav/")
    if original not in envpool.list_all_envs():
        return None
    options: dict[str, Any] = {}
    if image_size is not None:
        options = {"render_mode": "rgb_array", "render_height": image_size[0], "render_width": image_size[1]}
    try:
        envs = envpool.make(original, env_type="gymnasium", num_envs=num_envs, num_threads=1, **options)
    except ImportError as error:  # Procgen's worlds need Qt 5 from the system
        print(error, file=sys.stderr)
        return None
    rng, space, everyone = np.random.default_rng(0), envs.action_space, np.arange(num_envs)
    if isinstance(space, gym.spaces.Box):
        actions = rng.uniform(space.low, space.high, (CHUNK, num_envs, *space.shape)).astype(space.dtype)
    else:
        actions = rng.integers(0, space.n, (CHUNK, num_envs), np.int32)
    envs.reset()

    def play() -> int:
        for row in actions:
            envs.step(row)
            if image_size is not None:
                pictures = envs.render(env_ids=everyone)
                assert pictures is not None
                assert pictures.shape == (num_envs, *image_size, 3)
        return CHUNK * num_envs

    return play


def highway_env_single(env_id: str, image_size: tuple[int, int]) -> Play | None:
    """The original with its image observation, grey, (height, width); None if it is not installed."""
    if not find_spec("highway_env"):
        return None
    import highway_env  # noqa: F401  registers its IDs

    observation = {
        "type": "GrayscaleObservation", "observation_shape": image_size[::-1], "stack_size": 1,
        "weights": [0.2989, 0.5870, 0.1140], "scaling": 1.75,
    }  # fmt: skip
    config = {"observation": observation, "offscreen_rendering": True}
    return single_player(gym.make(env_id.removeprefix("visnav/"), config=config, disable_env_checker=True), chunk=4)


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
