"""Threads, forks and the compile cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs import batch

ROWS = 2 * batch.MIN_ROWS_PER_THREAD + 5


def test_every_row_is_worked_on_once_by_several_threads() -> None:
    seen, names = np.zeros(ROWS, int), set()

    def work(lo: int, hi: int) -> None:
        seen[lo:hi] += 1
        names.add(threading.current_thread().name)

    batch.run(work, ROWS, 2)
    assert (seen == 1).all()
    assert len(names) == 2


def test_small_batches_stay_in_the_callers_thread() -> None:
    names = set()
    batch.run(lambda lo, hi: names.add(threading.get_ident()), batch.MIN_ROWS_PER_THREAD, 8)
    assert names == {threading.get_ident()}


@pytest.mark.parametrize("failing", [0, ROWS - 1])
def test_an_error_in_any_share_is_raised_and_the_pool_lives_on(failing: int) -> None:
    def work(lo: int, hi: int) -> None:
        if lo <= failing < hi:
            raise ValueError("from a share")

    with pytest.raises(ValueError, match="from a share"):
        batch.run(work, ROWS, 2)
    test_every_row_is_worked_on_once_by_several_threads()


def rollout(num_threads: int, steps: int = 60) -> str:
    """A digest of everything that a batch returned."""
    envs = gym.make_vec("visnav/MiniGrid-DoorKey-5x5-v0", num_envs=ROWS, num_threads=num_threads, max_steps=25)
    actions = np.random.default_rng(1).integers(0, 7, (steps, ROWS))
    observation, _ = envs.reset(seed=5)
    digest = [observation.tobytes()]
    for t in range(steps):
        observation, reward, terminated, truncated, info = envs.step(actions[t])
        digest += [part.tobytes() for part in (observation, reward, terminated, truncated, info["level"])]
    return hashlib.sha256(b"".join(digest)).hexdigest()


def test_two_python_threads_may_step_two_batches() -> None:
    expected, results = rollout(1), {}
    threads = [threading.Thread(target=lambda k=k: results.update({k: rollout(2)})) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results.values()) == {expected}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_may_fork_after_stepping() -> None:
    expected = rollout(2)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, rollout(2).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == expected
    os.waitpid(child, 0)


PROBE = """
import sys, numpy as np, gymnasium as gym, visnav.envs
env = gym.make("visnav/MiniGrid-Empty-5x5-v0", camera="symbolic")
env.reset(seed=0)
_, reward, *_ = env.step(2)
print(env.unwrapped.simulation.world.agent[0, 0], len(visnav.envs.batch.cache_folder().name))
"""


def probe(package: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Step once in a new process, with the sources and compile cache given."""
    program = f"""
import importlib.util, sys, visnav
found = importlib.util.spec_from_file_location(
    "visnav.envs", r"{package}/__init__.py", submodule_search_locations=[r"{package}"]
)
visnav.envs = sys.modules["visnav.envs"] = importlib.util.module_from_spec(found)
found.loader.exec_module(visnav.envs)
{PROBE}"""
    environment = {**os.environ, "VISNAV_CACHE_DIR": str(cache)}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)


def test_editing_a_kernel_file_is_picked_up_by_the_next_start(tmp_path: Path) -> None:
    package = tmp_path / "envs"
    shutil.copytree(Path(batch.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    first = probe(package, cache)
    assert first.stdout.split()[0] == "2"
    assert "compiling" in first.stderr
    second = probe(package, cache)
    assert "compiling" not in second.stderr
    world = package / "grid" / "world.py"
    world.write_text(world.read_text().replace("DX = (1, 0, -1, 0)", "DX = (2, 0, -2, 0)"))
    assert probe(package, cache).stdout.split()[0] == "3"  # the rule that was edited is inlined in another file's


def test_only_the_newest_caches_are_kept(tmp_path: Path) -> None:
    for k in range(batch.KEPT_CACHES + 3):
        (tmp_path / f"{k:020x}").mkdir()
        os.utime(tmp_path / f"{k:020x}", (k, k))
    (tmp_path / "of somebody else").mkdir()
    batch._forget_old_folders(tmp_path)
    kept = {f"{k:020x}" for k in range(3, batch.KEPT_CACHES + 3)} | {"of somebody else"}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_the_users_numba_settings_are_left_alone() -> None:
    import numba

    assert str(batch.cache_folder()) != numba.config.CACHE_DIR


def test_an_unwritable_cache_folder_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.delenv("VISNAV_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(sys, "platform", "linux")
    assert not batch._cache_root().is_relative_to(blocked)
