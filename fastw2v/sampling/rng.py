"""Counter-based random numbers: a pure function of the seed and of where a number is used.

Every random choice of a training run is ``bits(bits(...), position)``: a path in a tree of SplitMix64
streams whose branches are seed, stream, epoch, position and, where one position needs several
numbers, k. There is no state, so the same corpus and seed give the same integers on every device, in any order and
for any number of workers.

The arithmetic is modulo 2**64 and uses only ``+ * ^ >>``, with the same results in NumPy, CuPy, ``array_api_strict``,
Numba and CUDA. Integers in a range are made by multiply and shift, and probabilities are compared as integers. As no
floating point is involved, results are equal to the last bit.

References
----------
Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64);
Lemire, "Fast random integer generation in an interval", ACM TOMACS 29(1), 2019 (multiply and shift).
"""

from __future__ import annotations

from typing import Any

from fastw2v.backend import get_namespace

__all__ = [
    "CONTINUED",
    "KEEP",
    "NEGATIVES",
    "ORDER",
    "SHUFFLE",
    "WEIGHTS",
    "WINDOW",
    "bernoulli",
    "bits",
    "randint",
    "stream_key",
    "uniform",
]

# The streams: the first branch below the seed. Results depend on these numbers, so they must never change.
WEIGHTS = 0
"""Initial weights: position is the row, k the column."""
KEEP = 1
"""Subsampling: position is the token's index in the corpus."""
WINDOW = 2
"""Window width: position is the token's index in the corpus."""
NEGATIVES = 3
"""Negatives: position is the index of the pool, k the index within the pool."""
SHUFFLE = 4
"""Order of the examples in an epoch of `Trainer`: position is the example's index."""
CONTINUED = 5
"""Seed of continued training: the number of epochs trained before is used as the epoch."""
ORDER = 6
"""Order of an epoch's chunks of the corpus: position is the index of a chunk's first token."""

# The constants of SplitMix64.
GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def stream_key(seed: int, stream: int, epoch: int) -> int:
    """Return the 64-bit key of a stream in an epoch, for `bits`.

    Parameters
    ----------
    seed : int
        Any integer; only its low 64 bits count.
    stream : int
        One of the constants of this module, from `WEIGHTS` to `ORDER`.
    epoch : int
        Number of the pass over the corpus, from 0.
    """
    return _bits_int(_bits_int(seed & _MASK, stream), epoch)


def bits(key: Any, position: Any) -> Any:
    """Return output number `position` of the SplitMix64 stream that starts at `key`.

    Parameters
    ----------
    key : int or uint64 array
        A key, or the output of another `bits`, broadcast against `position`.
    position : integer array of one dimension or more
        Non-negative counters.

    Returns
    -------
    uint64 array
        ``mix(key + GOLDEN * (position + 1))``.
    """
    xp = get_namespace(position)
    z = GOLDEN * (xp.astype(position, xp.uint64) + 1) + key
    z = (z ^ (z >> 30)) * MIX_1
    z = (z ^ (z >> 27)) * MIX_2
    return z ^ (z >> 31)


def randint(random: Any, n: int) -> Any:
    """Map 64 random bits to integers in ``0 .. n - 1`` by their upper 32 bits.

    Parameters
    ----------
    random : uint64 array
        From `bits`.
    n : int
        At most 2**32; the bias of multiply and shift is below ``n / 2**32``.

    Returns
    -------
    int64 array
    """
    xp = get_namespace(random)
    return xp.astype(((random >> 32) * n) >> 32, xp.int64)


def bernoulli(random: Any, threshold: Any) -> Any:
    """Return True with probability ``threshold / 2**32``, by comparing the lower 32 bits.

    Parameters
    ----------
    random : uint64 array
        From `bits`.
    threshold : uint64 array
        From 0 (never) to 2**32 (always), broadcast against `random`.
    """
    return (random & 0xFFFFFFFF) < threshold


def uniform(random: Any, dtype: Any = None) -> Any:
    """Map 64 random bits to floats in [0, 1) by their upper 24 bits, exact in float32 and float64.

    Parameters
    ----------
    random : uint64 array
        From `bits`.
    dtype : dtype, optional
        float32 or float64 of the array's namespace; float32 when absent.
    """
    xp = get_namespace(random)
    return xp.astype(random >> 40, dtype or xp.float32) * 2.0**-24


def _bits_int(key: int, position: int) -> int:
    """`bits` for Python integers."""
    z = (key + GOLDEN * (position + 1)) & _MASK
    z = ((z ^ (z >> 30)) * MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * MIX_2) & _MASK
    return z ^ (z >> 31)
