"""Run a function of one environment index over a batch: compile cache, CPU threads, CUDA grid.

Rules and cameras are plain functions of an environment index. `@jit` compiles them, serial and without the
GIL; `run` spreads rows over threads; `cuda_kernel` calls the same functions from a CUDA grid. This is the only
module that imports `numba.cuda`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numba
from numba.core.types import CompileResultWAP, FunctionType

F = TypeVar("F", bound=Callable[..., Any])

KEPT_CACHES = 12  # compile caches of older sources that are left alone
MARGIN = 6e-6  # s that workers are to end before the caller, which would fall asleep if it had to wait for them
MIN_ROWS_PER_THREAD = 128  # below this a second thread costs more than it saves (see experiments/JOURNAL.md)

# Numba's annotations leave out settings that it has.
numba_config: Any = numba.config
njit: Any = numba.njit

_NOT_KERNELS = {"gym.py", "viewer.py", "drawing.py"}  # files whose edits cannot change a compiled function


# --- compile cache ---------------------------------------------------------------------------------------


def kernel_hash(*extra_files: str) -> str:
    """Hash of every kernel source of this package, and of a user's own task files: the name of the cache."""
    folder = Path(__file__).parent
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=10)
    for path in sorted(p for p in folder.rglob("*.py") if p.name not in _NOT_KERNELS):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    for name in extra_files:
        digest.update(Path(name).read_bytes())
    return digest.hexdigest()


def _cache_root() -> Path:
    """`$VISNAV_CACHE_DIR`, else the user's cache folder, else (when that is read-only) a temporary one."""
    if named := os.environ.get("VISNAV_CACHE_DIR"):
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    root = base / "visnav"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            return root
    except OSError:
        return Path(tempfile.gettempdir()) / f"visnav-cache-{os.getuid() if hasattr(os, 'getuid') else 0}"


def _forget_old_folders(root: Path) -> None:
    """Remove all but the newest caches: edits and versions would pile up, some megabytes each."""
    folders = [path for path in root.iterdir() if path.is_dir() and re.fullmatch(r"[0-9a-f]{20}", path.name)]
    for old in sorted(folders, key=lambda path: path.stat().st_mtime)[:-KEPT_CACHES]:
        shutil.rmtree(old, ignore_errors=True)


@cache
def cache_folder(*extra_files: str) -> Path:
    """Folder of compiled functions for the sources as they are now; made when missing.

    Numba's own cache does not notice an edit in another file's callee, so every edit gets a new folder.
    """
    folder = _cache_root() / kernel_hash(*extra_files)
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _forget_old_folders(folder.parent)
        if not numba_config.DISABLE_JIT:
            print("visnav: compiling for this machine, once (10 to 30 seconds) ...", file=sys.stderr, flush=True)
    return folder


def _compile(function: Callable[..., Any], folder: Path, *signature: Any) -> Any:
    """`numba.njit` with our cache folder, leaving the process's own Numba settings alone.

    Without Numba's run-time (`_nrt`) arrays are not counted, and nothing can be allocated: a step costs 7 ns
    instead of 270 ns, and what compiles here also compiles for a GPU.
    """
    before, numba_config.CACHE_DIR = numba_config.CACHE_DIR, str(folder)
    try:
        options = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True, "_nrt": False}
        return njit(*signature, **options)(function)
    finally:
        numba_config.CACHE_DIR = before


def jit(function: F) -> F:
    """Compile a rule, camera or helper: on first use, cached on disk, serial, without the GIL.

    `NUMBA_DISABLE_JIT=1` leaves it plain Python: the slow oracle, the debugger's and coverage's friend.
    """
    return _compile(function, cache_folder())


@cache
def compile_callback(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` so that kernels can take it as an argument without being compiled again for it.

    A function passed to a kernel directly would be part of the kernel's type, and miss the cache in every
    new process; a first-class function with an explicit signature hits it. The file that defines
    `function` belongs to the cache's hash, so a user's edit is seen.
    """
    if numba_config.DISABLE_JIT:
        return function
    source = function.__code__.co_filename
    inside = Path(source).is_relative_to(Path(__file__).parent)
    folder = cache_folder() if inside else cache_folder(source)
    dispatcher = _compile(function, folder, signature)
    return CompileResultWAP(dispatcher.get_compile_result(signature))


def callback_type(signature: Any) -> Any:
    """The Numba type of what `compile_callback` returns for this signature."""
    return FunctionType(signature)


# --- CPU threads -----------------------------------------------------------------------------------------


class _Worker:
    """A sleeping thread that runs one share at a time. Two locks hand work over in a few microseconds."""

    def __init__(self) -> None:
        self._begin = threading.Lock()
        self._done = threading.Lock()
        self._begin.acquire()
        self._done.acquire()
        self._work: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self.ended = 0.0  # s, when the last work was done
        threading.Thread(target=self._loop, name="visnav", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self._begin.acquire()
            work, self._work = self._work, None
            try:
                if work is not None:
                    work()
            except BaseException as error:
                self._error = error
            del work
            self.ended = time.perf_counter()
            self._done.release()

    def start(self, work: Callable[[], None]) -> None:
        """Run `work` in this thread; `wait` must follow."""
        self._work = work
        self._begin.release()

    def wait(self) -> BaseException | None:
        """Until the work is done. Returns the error it ended with."""
        self._done.acquire()
        error, self._error = self._error, None
        return error


_workers: list[_Worker] = []
_leads: dict[tuple[object, int], float] = {}  # work and its rows -> rows that the caller's share has more than others
_workers_free = threading.Lock()  # held by the caller whose rows the workers share


def _forget_workers() -> None:
    """A forked child has the workers' objects but none of their threads: let it make its own."""
    global _workers, _workers_free
    _workers, _workers_free = [], threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


def available_cpus() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(work: Callable[[int, int], None], num_rows: int, num_threads: int) -> None:
    """Call `work(lo, hi)` over rows 0..num_rows, in up to `num_threads` threads at once.

    The caller's thread takes the last share, and every share when the workers are busy with another caller's
    rows. Waking a worker takes as long as a hundred rows, so the caller's share is larger, by what earlier runs of
    the same work have shown. Rows are independent: results do not depend on the shares. An error in any share is
    raised here, after all have ended.
    """
    shares = max(1, min(num_threads, num_rows // MIN_ROWS_PER_THREAD))
    free = _workers_free
    if shares == 1 or not free.acquire(blocking=False):
        work(0, num_rows)
        return
    try:
        while len(_workers) < shares - 1:
            _workers.append(_Worker())
        busy = _workers[: shares - 1]
        key = getattr(work, "__code__", None), num_rows
        lead = _leads.get(key, 0.0)
        bounds = [*(int((num_rows - lead) / shares * k) for k in range(shares)), num_rows]
        for k, worker in enumerate(busy):
            worker.start(partial(work, bounds[k], bounds[k + 1]))
        try:
            work(bounds[-2], num_rows)
            ended = time.perf_counter()
        finally:
            errors = [error for worker in busy if (error := worker.wait()) is not None]
        is_late = max(worker.ended for worker in busy) + MARGIN > ended
        lead += num_rows / 1024 if is_late else -num_rows / 1024
        _leads[key] = min(max(lead, 0.0), num_rows / 2)
    finally:
        free.release()
    if errors:
        raise errors[0]


# --- CUDA grid -------------------------------------------------------------------------------------------


def import_cuda() -> ModuleType:
    """`numba.cuda`, or an ImportError that says what to install."""
    try:
        import numba_cuda  # noqa: F401  (numba.cuda of this name is its successor's)
        from numba import cuda
    except ImportError as error:
        raise ImportError(
            'device="cuda" needs numba-cuda: pip install "visnav[cuda]"; device="cpu" needs nothing'
        ) from error
    return cuda


def check_device(device: str) -> str:
    """Return "cpu" or "cuda", or say why that device cannot be used.

    Raises:
        ValueError: an unknown name.
        ImportError: "cuda" without numba-cuda.
        RuntimeError: "cuda" without a GPU that numba-cuda can use.
    """
    if device not in ("cpu", "cuda"):
        raise ValueError(f'device={device!r} is unknown; allowed are "cpu" and "cuda"')
    if device == "cuda" and not import_cuda().is_available():
        raise RuntimeError('device="cuda": no NVIDIA GPU (or no driver) was found on this machine; use device="cpu"')
    return device


def cuda_kernel(row_function: Callable[..., Any]) -> Any:
    """A CUDA kernel that calls `row_function(i, *args)` for each environment i of a one-dimensional grid.

    Launched as `kernel[blocks, threads](num_rows, args)`. `row_function` is a `@jit` function; numba-cuda
    compiles it again, unchanged, as a device function.
    """
    cuda = import_cuda()

    def kernel(num_rows, args):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < num_rows:
            row_function(i, *args)

    return cuda.jit(kernel)
