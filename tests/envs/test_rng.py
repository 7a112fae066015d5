"""The generator inside kernels is NumPy's, bit for bit."""

import numpy as np
import pytest

from visnav.envs import rng as random_stream

SEEDS = [*range(200), 2**31, 2**32 - 1, 2**32, 2**40 + 5, 2**63 - 1]
BOUNDS = [
    (0, 7),
    (-3, 4),
    (5, 6),
    (0, 2**31),
    (-3, 2**32 - 4),
    (0, 2**32),
    (0, 2**32 + 1),
    (0, 2**40),
    (-(2**62), 2**62),
]


def pair(seed: int, spawned: bool) -> tuple[np.ndarray, np.random.Generator]:
    """Ours and NumPy's generator of a seed."""
    ours = np.zeros(random_stream.WORDS, np.uint64)
    random_stream.seed(ours, seed, spawned)
    sequence = np.random.SeedSequence(seed, spawn_key=(0,)) if spawned else np.random.SeedSequence(seed)
    return ours, np.random.Generator(np.random.PCG64(sequence))


@pytest.mark.parametrize("spawned", [False, True])
def test_bounded_integers_equal_numpys(spawned: bool) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed, spawned)
        for k in range(90):
            low, high = BOUNDS[k % len(BOUNDS)]
            assert random_stream.integers(ours, low, high) == theirs.integers(low, high), (seed, k, low, high)


def test_state_words_equal_numpys_after_mixed_draws() -> None:
    ours, theirs = pair(11, False)
    for k in range(50):
        assert random_stream.uniform(ours, -1.5, 3.0) == theirs.uniform(-1.5, 3.0)
        assert random_stream.integers(ours, 0, 10 + k) == theirs.integers(0, 10 + k)
        assert random_stream.random(ours) == theirs.random()
        state = theirs.bit_generator.state
        assert (int(ours[0]) << 64 | int(ours[1])) == state["state"]["state"]
        assert (int(ours[2]) << 64 | int(ours[3])) == state["state"]["inc"]
        assert ours[4] == state["has_uint32"]
        assert not ours[4] or ours[5] == state["uinteger"]


def test_shuffle_equals_numpys_shuffle_of_a_list() -> None:
    for seed in range(50):
        ours, theirs = pair(seed, False)
        for count in (1, 2, 5, 17, 64):
            values, expected = np.arange(70), list(range(count))
            random_stream.shuffle(ours, values, count)
            theirs.shuffle(expected)
            assert values[:count].tolist() == expected
            assert values[count:].tolist() == list(range(count, 70))
