"""NumPy's seeding and PCG64, bit for bit, inside kernels; randomness is state.

A generator is six uint64 words in a row of an array: state high, state low, increment high, increment low,
whether half a draw is kept, and that half. `seed` makes what `numpy.random.default_rng(seed)` starts from
(SeedSequence and PCG64-XSL-RR: O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
Algorithms for Random Number Generation"; the buffered 32-bit draws and bounded integers are those of NumPy's
`distributions.c`, after Lemire 2019, "Fast Random Integer Generation in an Interval").
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from visnav.envs.batch import jit

WORDS = 6  # uint64 words of one generator

Rng = NDArray[np.uint64]  # (6,) one generator, changed in place by every draw

_U32 = np.uint64(0xFFFFFFFF)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_16 = np.uint64(16)
_32 = np.uint64(32)

# SeedSequence (numpy/random/bit_generator.pyx)
_INIT_A, _MULT_A = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
_INIT_B, _MULT_B = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
_MIX_L, _MIX_R = np.uint64(0xCA01F9DD), np.uint64(0x4973F715)

# PCG64's 128-bit multiplier (pcg64.h)
_MUL_HI, _MUL_LO = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)


@jit
def _hash(value, constant):  # type: ignore[no-untyped-def]
    """SeedSequence's hashmix of one 32-bit word; the caller advances the constant."""
    value = ((value ^ constant) * ((constant * _MULT_A) & _U32)) & _U32
    return value ^ (value >> _16)


@jit
def _mix(x, y):  # type: ignore[no-untyped-def]
    result = (_MIX_L * x - _MIX_R * y) & _U32
    return result ^ (result >> _16)


@jit
def _output(word, constant):  # type: ignore[no-untyped-def]
    """One 32-bit word of SeedSequence.generate_state."""
    value = ((word ^ constant) * ((constant * _MULT_B) & _U32)) & _U32
    return value ^ (value >> _16)


@jit
def _multiply_high(a, b):  # type: ignore[no-untyped-def]
    """The upper 64 bits of the 128-bit product of two uint64."""
    a_lo, a_hi, b_lo, b_hi = a & _U32, a >> _32, b & _U32, b >> _32
    mid = a_hi * b_lo + ((a_lo * b_lo) >> _32)
    low = a_lo * b_hi + (mid & _U32)
    return a_hi * b_hi + (mid >> _32) + (low >> _32)


@jit
def _advance(rng):  # type: ignore[no-untyped-def]
    """state = state * multiplier + increment, modulo 2**128."""
    hi, lo = rng[0], rng[1]
    new_lo = lo * _MUL_LO
    new_hi = hi * _MUL_LO + lo * _MUL_HI + _multiply_high(lo, _MUL_LO)
    sum_lo = new_lo + rng[3]
    carry = _ONE if sum_lo < new_lo else _ZERO
    rng[0] = new_hi + rng[2] + carry
    rng[1] = sum_lo


@jit
def seed(rng, value, spawned):  # type: ignore[no-untyped-def]
    """Start `rng` as `PCG64(SeedSequence(value))`, or with `spawned` as its child of `spawn_key=(0,)`.

    Args:
        rng: (6,) uint64, written.
        value: the seed, 0 <= value < 2**63.
        spawned: False for the seed's own stream, True for an independent one.
    """
    word = np.uint64(value)
    constant = _INIT_A
    p0 = _hash(word & _U32, constant)
    constant = (constant * _MULT_A) & _U32
    p1 = _hash(word >> _32, constant)
    constant = (constant * _MULT_A) & _U32
    p2 = _hash(_ZERO, constant)
    constant = (constant * _MULT_A) & _U32
    p3 = _hash(_ZERO, constant)
    constant = (constant * _MULT_A) & _U32
    for source in range(4):
        for target in range(4):
            if source == target:
                continue
            word = p0 if source == 0 else p1 if source == 1 else p2 if source == 2 else p3
            hashed = _hash(word, constant)
            constant = (constant * _MULT_A) & _U32
            if target == 0:
                p0 = _mix(p0, hashed)
            elif target == 1:
                p1 = _mix(p1, hashed)
            elif target == 2:
                p2 = _mix(p2, hashed)
            else:
                p3 = _mix(p3, hashed)
    if spawned:  # the spawn key's one word, 0, comes after the padded seed
        p0 = _mix(p0, _hash(_ZERO, constant))
        constant = (constant * _MULT_A) & _U32
        p1 = _mix(p1, _hash(_ZERO, constant))
        constant = (constant * _MULT_A) & _U32
        p2 = _mix(p2, _hash(_ZERO, constant))
        constant = (constant * _MULT_A) & _U32
        p3 = _mix(p3, _hash(_ZERO, constant))

    constant = _INIT_B
    for k in range(4):  # 64-bit words: initial state high and low, initial sequence high and low
        first, second = (p0, p1) if k % 2 == 0 else (p2, p3)
        low = _output(first, constant)
        constant = (constant * _MULT_B) & _U32
        high = _output(second, constant)
        constant = (constant * _MULT_B) & _U32
        rng[k] = low | (high << _32)
    start_hi, start_lo, sequence_hi, sequence_lo = rng[0], rng[1], rng[2], rng[3]
    rng[0] = _ZERO
    rng[1] = _ZERO
    rng[2] = (sequence_hi << _ONE) | (sequence_lo >> np.uint64(63))
    rng[3] = (sequence_lo << _ONE) | _ONE
    rng[4] = _ZERO
    rng[5] = _ZERO
    _advance(rng)
    sum_lo = rng[1] + start_lo
    carry = _ONE if sum_lo < start_lo else _ZERO
    rng[0] = rng[0] + start_hi + carry
    rng[1] = sum_lo
    _advance(rng)


@jit
def next_uint64(rng):  # type: ignore[no-untyped-def]
    """The next 64 random bits."""
    _advance(rng)
    rotation = rng[0] >> np.uint64(58)
    word = rng[0] ^ rng[1]
    return (word >> rotation) | (word << ((np.uint64(64) - rotation) & np.uint64(63)))


@jit
def next_uint32(rng):  # type: ignore[no-untyped-def]
    """The next 32 random bits (as uint64): the halves of a 64-bit draw, low half first."""
    if rng[4] != _ZERO:
        rng[4] = _ZERO
        return rng[5]
    word = next_uint64(rng)
    rng[4] = _ONE
    rng[5] = word >> _32
    return word & _U32


@jit
def integers(rng, low, high):  # type: ignore[no-untyped-def]
    """`Generator.integers(low, high)`: uniform in [low, high), int64; low where NumPy would find no value and raise."""
    if high <= low:
        return np.int64(low)
    span = np.uint64(high - low - 1)  # the largest offset
    if span == _ZERO:
        return np.int64(low)
    if span == _U32:
        return np.int64(low) + np.int64(next_uint32(rng))
    count = span + _ONE
    if span < _U32:
        product = next_uint32(rng) * count
        if (product & _U32) < count:
            threshold = (_U32 - span) % count
            while (product & _U32) < threshold:
                product = next_uint32(rng) * count
        return np.int64(low) + np.int64(product >> _32)
    word = next_uint64(rng)
    if word * count < count:
        threshold = (np.uint64(0xFFFFFFFFFFFFFFFF) - span) % count
        while word * count < threshold:
            word = next_uint64(rng)
    return np.int64(low) + np.int64(_multiply_high(word, count))


@jit
def random(rng):  # type: ignore[no-untyped-def]
    """`Generator.random()`: float64 in [0, 1) with 53 random bits."""
    return np.float64(next_uint64(rng) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@jit
def uniform(rng, low, high):  # type: ignore[no-untyped-def]
    """`Generator.uniform(low, high)`: float64."""
    return low + (high - low) * random(rng)


@jit
def normal(rng):  # type: ignore[no-untyped-def]
    """A draw from the standard normal distribution, of two of `random`; unlike the other draws, not NumPy's.

    Box and Muller 1958, "A Note on the Generation of Random Normal Deviates".
    """
    radius = math.sqrt(-2.0 * math.log(1.0 - random(rng)))
    return radius * math.cos(2.0 * math.pi * random(rng))


@jit
def _interval(rng, largest):  # type: ignore[no-untyped-def]
    """NumPy's `random_interval`: uniform in [0, largest] by masked rejection; largest < 2**32."""
    mask = np.uint64(largest)
    for shift in (1, 2, 4, 8, 16):
        mask |= mask >> np.uint64(shift)
    value = next_uint32(rng) & mask
    while value > np.uint64(largest):
        value = next_uint32(rng) & mask
    return np.int64(value)


@jit
def shuffle(rng, values, count):  # type: ignore[no-untyped-def]
    """`Generator.shuffle` of a list that stands in values[:count] (1-D), in place."""
    for k in range(count - 1, 0, -1):
        other = _interval(rng, k)
        kept = values[k]
        values[k] = values[other]
        values[other] = kept


# --- hashes ----------------------------------------------------------------------------------------------------

HASH_START = np.uint64(0xCBF29CE484222325)  # what a digest of nothing is, by FNV-1a with 64 bits


@jit
def digested(digest, value):  # type: ignore[no-untyped-def]
    """The digest (uint64, HASH_START at first) of what it is of and one whole number more: a step of FNV-1a, 64 bits.

    Fowler, Noll, Vo 1991; whole numbers are taken where FNV takes bytes.
    """
    return (digest ^ np.uint64(value)) * np.uint64(0x100000001B3)


@jit
def mixed(digest):  # type: ignore[no-untyped-def]
    """A uint64 whose every bit depends on every bit of `digest`: the end of SplitMix64.

    Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators".
    """
    digest = (digest ^ (digest >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    digest = (digest ^ (digest >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return digest ^ (digest >> np.uint64(31))


# --- looks of levels: no stream, a function of the level's number ---------------------------------------------


@jit
def level_hash(number, salt):  # type: ignore[no-untyped-def]
    """SplitMix64 of a level's number, another stream for each salt."""
    return mixed(np.uint64(number) + np.uint64(salt + 1) * np.uint64(0x9E3779B97F4A7C15))


@jit
def level_uniform(number, salt, low, high):  # type: ignore[no-untyped-def]
    """A float32 between low and high, by `level_hash`."""
    share = np.float32(level_hash(number, salt) >> np.uint64(40)) * np.float32(2.0**-24)
    return np.float32(low) + np.float32(high - low) * share
