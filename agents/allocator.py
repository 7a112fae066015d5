"""Memory that a training frees and asks for again, some megabytes a layer and minibatch: kept, not given back."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE = 2**30


def keep_freed_memory() -> None:
    """Ask glibc to keep what is freed for the next allocation, in this process, from now on; elsewhere do nothing.

    As it comes, glibc gives large blocks back to the kernel, which clears every page anew when the next minibatch asks
    for them: 15 % of the time of a training with NatureCNN on one core (experiments/JOURNAL.md).
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, LARGE)
