"""Pictures that are seen again: each is read once.

Who walks into a wall sees what it saw before, and worlds of one kind look alike: of 2,048 rows of a rollout of
DoorKey-8x8 a third differ. What an encoder says of a picture depends on it alone, and so does what it learns from it:
the gradients of equal rows add up to that of their sum. So a minibatch holds each picture once, and a rollout asks the
encoder about none twice. Nothing changes but the time it takes.
"""

from dataclasses import dataclass, field
from functools import cache

import numba
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STEP = 0x9E3779B9  # odd; its powers tell the places in a stack of frames apart


@numba.njit(nogil=True)
def _hash_rows(words: np.ndarray, factors: np.ndarray, hashed: np.ndarray) -> None:
    """Words (B, W), factors (W,) and hashes (B,) are int64. torch's own operations take 60 times as long."""
    for row in range(len(words)):
        total = np.int64(0)
        for i in range(len(factors)):
            word = words[row, i]
            total += (word ^ word >> 29) * factors[i]
        hashed[row] = total | 1


@cache
def _factors(count: int) -> np.ndarray:
    """Odd random numbers (count,) int64, always the same."""
    return np.random.default_rng(0).integers(-(2**62), 2**62, count) * 2 + 1


def hashes(images: Tensor) -> Tensor:
    """(T, N) int64, odd, of images (T, N, …): a sum of their words times odd random numbers.

    Two that differ have the same one with a probability of 2⁻⁶² to 2⁻³⁷, the latter where they differ in every eighth
    byte only; nothing looks at the images again.
    """
    rows = images.contiguous().flatten(2).flatten(0, 1).view(torch.uint8)
    rows = F.pad(rows, (0, -rows.shape[1] % 8)) if rows.shape[1] % 8 else rows
    words = rows.view(torch.int64).numpy()
    hashed = np.empty(len(words), np.int64)
    _hash_rows(words, _factors(words.shape[1]), hashed)
    return torch.from_numpy(hashed).view(images.shape[:2])


@dataclass(frozen=True)
class Repeated:
    """The pictures that B rows show, each different one once: row b shows `images[index[b]]`.

    `images` (U, H, W, C), `index` (B,) int64.
    """

    images: Tensor
    index: Tensor

    @classmethod
    def of(cls, keys: Tensor, images: Tensor) -> "Repeated":
        """Of images (B, H, W, C), those with the same keys (B,) being the same."""
        different, index = keys.unique(return_inverse=True)
        one = torch.empty_like(different).scatter_(0, index, torch.arange(len(keys)))  # of its rows, any
        return cls(images.index_select(0, one), index)

    def spread(self, said: Tensor) -> Tensor:
        """What was said of the pictures (U, …), for each row (B, …)."""
        return said.index_select(0, self.index)


@dataclass(frozen=True)
class Recalled(Repeated):
    """The same, of which `images` are only those that nothing was said of before; `spread` keeps what is said of them.

    `index` (B,) and `new` (U,) are rows of `known`.
    """

    new: Tensor
    known: "Sightings"

    def spread(self, said: Tensor) -> Tensor:
        return self.known.say(self.new, said).index_select(0, self.index)


@dataclass
class Sightings:
    """Which of the rows of a rollout, T · worlds + worlds, show the same picture, found as they come.

    Attributes:
        first: (T + 1, N) int64, of each row t · N + n the row that was first to show what it shows.
    """

    first: Tensor
    _rows: dict[int, int] = field(default_factory=dict)  # by hash
    _said: Tensor | None = None  # of the rows that were first; the others are anything

    def add(self, t: int, hashed: Tensor) -> None:
        """Look at the pictures of step t, by their hashes (N,); those of step 0 begin anew."""
        if t == 0:
            self._rows.clear()
        rows = enumerate(hashed.tolist(), t * len(hashed))
        self.first[t] = torch.tensor([self._rows.setdefault(key, row) for row, key in rows])

    def say(self, rows: Tensor, said: Tensor) -> Tensor:
        """Note what was said (U, size) of the rows (U,) that were first; gives what was said of all so far."""
        if self._said is None:
            self._said = said.new_zeros(self.first.numel(), *said.shape[1:])
        return self._said.index_copy_(0, rows, said)
