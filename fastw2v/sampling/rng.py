"""Counter-based random numbers, which depend only on the seed and the place where they are used.

Every random number of a training run is ``bits(bits(...), position)``, a leaf in a tree of SplitMix64 streams. The path
to a leaf consists of the seed, the stream, the epoch, the position and, if one position needs several numbers, an index
k. The generator has no state. The same corpus and seed therefore give the same integers on every device, in any order
and with any number of workers.

The arithmetic is modulo 2**64 and uses only ``+ * ^ >>``, which give the same results in NumPy, CuPy,
``array_api_strict``, Numba and CUDA. Integers in a range are computed by multiply and shift, and probabilities are
compared as integers. Because no floating-point arithmetic is involved, the results are identical to the last bit.

References
----------
Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64);
Lemire, "Fast random integer generation in an interval", ACM TOMACS 29(1), 2019 (multiply and shift).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import get_namespace

__all__ = [
    "CONTINUED",
    "HELD_OUT",
    "KEEP",
    "NEGATIVES",
    "ORDER",
    "REPLICA",
    "SHUFFLE",
    "VALIDATION",
    "WEIGHTS",
    "WINDOW",
    "bernoulli",
    "bits",
    "fill_uniform",
    "randint",
    "stream_key",
    "uniform",
]

# The streams, which are the first level below the seed. Results depend on these numbers, so they must never change.
WEIGHTS = 0
"""Initial weights. The position is the row, and k is the column."""
KEEP = 1
"""Subsampling. The position is the token's index in the corpus."""
WINDOW = 2
"""Window widths. The position is the target's index in the corpus."""
NEGATIVES = 3
"""Negatives. The position is the index of the pool, and k is the index within the pool."""
SHUFFLE = 4
"""Order of the examples in an epoch of `Trainer`. The position is the example's index."""
CONTINUED = 5
"""Seed for continued training. The epoch is the number of epochs that have already been trained."""
ORDER = 6
"""Order of the chunks in an epoch. The position is the index of the chunk's first token."""
HELD_OUT = 7
"""Sentences that are held out. The position is the index of the sentence's first token."""
VALIDATION = 8
"""Seed for the measurements of the loss on held-out text."""
REPLICA = 9
"""Seed of a replica. The epoch is the index of its part of the corpus."""

# The constants of SplitMix64.
GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def stream_key(seed: int, stream: int, epoch: int) -> int:
    """Return the key of a stream in an epoch, to pass to `bits`.

    Parameters
    ----------
    seed : int
        Any integer. Only its lower 64 bits are used.
    stream : int
        One of the constants of this module, from `WEIGHTS` to `VALIDATION`.
    epoch : int
        Number of the epoch, starting at 0.

    Returns
    -------
    int
        The key, from 0 to 2**64 − 1.

    Examples
    --------
    >>> from fastw2v.sampling import rng
    >>> hex(rng.stream_key(seed=1, stream=rng.WINDOW, epoch=0))
    '0xa6c7188e0551111e'
    """
    return _bits_int(_bits_int(seed & _MASK, stream), epoch)


def bits(key: Any, position: Any) -> Any:
    """Return the random numbers at the given positions of the SplitMix64 stream that starts at `key`.

    Parameters
    ----------
    key : int or uint64 array
        A key from `stream_key`, or the output of an earlier call to `bits`. It is broadcast against `position`.
    position : integer array, at least one-dimensional
        Non-negative counters.

    Returns
    -------
    uint64 array
        ``mix(key + GOLDEN * (position + 1))``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling import rng
    >>> key = rng.stream_key(1, rng.WINDOW, 0)
    >>> rng.bits(key, np.arange(3)).tolist()
    [8168279619751252477, 17958084875344308399, 4641098222656714243]
    >>> rng.bits(key, np.array([2])).tolist()  # independent of other positions
    [4641098222656714243]
    """
    xp = get_namespace(position)
    z = GOLDEN * (xp.astype(position, xp.uint64) + 1) + key
    z = (z ^ (z >> 30)) * MIX_1
    z = (z ^ (z >> 27)) * MIX_2
    return z ^ (z >> 31)


def randint(random: Any, n: int) -> Any:
    """Return uniform integers from 0 to ``n - 1``, from the upper 32 bits of random numbers.

    Parameters
    ----------
    random : uint64 array
        Random numbers from `bits`.
    n : int
        At most 2**32. The bias of multiply and shift is below ``n / 2**32``.

    Returns
    -------
    int64 array

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling import rng
    >>> random = rng.bits(rng.stream_key(1, rng.WINDOW, 0), np.arange(8))
    >>> rng.randint(random, 6).tolist()
    [2, 5, 1, 5, 2, 1, 1, 1]
    """
    xp = get_namespace(random)
    return xp.astype(((random >> 32) * n) >> 32, xp.int64)


def bernoulli(random: Any, threshold: Any) -> Any:
    """Return booleans that are True with probability ``threshold / 2**32``.

    The lower 32 bits of each random number are compared with its threshold.

    Parameters
    ----------
    random : uint64 array
        Random numbers from `bits`.
    threshold : uint64 array
        From 0 (never True) to 2**32 (always True). It is broadcast against `random`.

    Returns
    -------
    bool array

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling import rng
    >>> random = rng.bits(rng.stream_key(1, rng.KEEP, 0), np.arange(10_000))
    >>> kept = rng.bernoulli(random, np.array([2**30], np.uint64))
    >>> kept[:4].tolist(), round(float(kept.mean()), 2)
    ([True, False, False, True], 0.25)
    """
    return (random & 0xFFFFFFFF) < threshold


def uniform(random: Any, dtype: Any = None) -> Any:
    """Return uniform floats in [0, 1), from the upper 24 bits of random numbers.

    The values are the same in float32 and float64.

    Parameters
    ----------
    random : uint64 array
        Random numbers from `bits`.
    dtype : dtype, optional
        float32 or float64 of the array's namespace. By default, float32.

    Returns
    -------
    float array

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling import rng
    >>> random = rng.bits(rng.stream_key(1, rng.WEIGHTS, 0), np.arange(3))
    >>> rng.uniform(random, np.float64).round(3).tolist()
    [0.694, 0.972, 0.427]
    """
    xp = get_namespace(random)
    return xp.astype(random >> 40, dtype or xp.float32) * 2.0**-24


def fill_uniform(out: np.ndarray, z: np.ndarray, scratch: np.ndarray) -> None:
    """Write the numbers of `uniform` to a NumPy array, without intermediate arrays.

    Parameters
    ----------
    out : float array
        Receives ``uniform(bits(key, position))``.
    z : uint64 array
        ``key + GOLDEN * (position + 1)``. It is overwritten.
    scratch : uint64 array
        Memory of the same shape, which is overwritten.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling import rng
    >>> key = rng.stream_key(1, rng.WEIGHTS, 0)
    >>> z = np.uint64(rng.GOLDEN) * np.arange(1, 4, dtype=np.uint64) + np.uint64(key)
    >>> out = np.empty(3)
    >>> rng.fill_uniform(out, z, np.empty_like(z))
    >>> bool((out == rng.uniform(rng.bits(key, np.arange(3)), np.float64)).all())
    True
    """
    for shift, factor in ((30, MIX_1), (27, MIX_2), (31, 1)):
        np.right_shift(z, np.uint64(shift), out=scratch)
        np.bitwise_xor(z, scratch, out=z)
        if factor != 1:
            np.multiply(z, np.uint64(factor), out=z)
    np.right_shift(z, np.uint64(40), out=z)
    np.multiply(z, 2.0**-24, out=out, casting="unsafe")


def _bits_int(key: int, position: int) -> int:
    """Return ``bits(key, position)`` for Python integers."""
    z = (key + GOLDEN * (position + 1)) & _MASK
    z = ((z ^ (z >> 30)) * MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * MIX_2) & _MASK
    return z ^ (z >> 31)
