"""Initial weights: random rows, and rows copied from pretrained vectors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, on_device_of, set_rows, to_device, to_host
from fastw2v.nn.subwords import mean_rows
from fastw2v.sampling import rng
from fastw2v.utils.quote import quote
from fastw2v.utils.threads import share_blocks

log = logging.getLogger("fastw2v")

_BLOCK = 1 << 16
"""Approximate number of weights that are initialised or copied at a time."""
_RANDOM_BLOCK = 1 << 17
"""The same for random numbers in NumPy, for each of the threads that share a table."""

_FIT_BLOCK = 1 << 20
"""The same for rows of n-grams that are fitted. Threads share a block."""
FIT_STEPS = 5
"""Number of steps that fit the rows of n-grams to the vectors of words."""
RELAXATION = 1.8
"""Factor of these steps. They converge for all factors below 2."""


class PretrainedVectors(Protocol):
    """The interface that `copy_known_rows` requires of pretrained vectors. `fastw2v.WordVectors` implements it."""

    @property
    def index_to_key(self) -> Sequence[Any]:
        """The word of each row."""

    @property
    def key_to_index(self) -> Mapping[Any, int]:
        """The row of each word."""

    @property
    def input_vectors(self) -> Any:
        """The input rows: float array, shape (V, D)."""

    @property
    def context_vectors(self) -> Any:
        """The output rows: float array, shape (V, D), or None if they are unknown."""


def uniform_weights(W: Any, seed: int) -> None:
    """Fill a table with random numbers drawn uniformly between −0.5/D and 0.5/D, as in word2vec.c.

    Each number depends only on the seed and on its position (row and column).

    Parameters
    ----------
    W : float array, shape (V, D)
        The table, which is filled in place.
    seed : int

    Examples
    --------
    With D = 4, all numbers lie between −0.125 and 0.125. A larger table begins with the same rows:

    >>> import numpy as np
    >>> from fastw2v.nn.initializers import uniform_weights
    >>> small, large = np.zeros((10, 4)), np.zeros((1000, 4))
    >>> uniform_weights(small, seed=1)
    >>> uniform_weights(large, seed=1)
    >>> bool((abs(large) <= 0.125).all()), bool((large[:10] == small).all())
    (True, True)
    """
    if is_numpy(W):
        _fill_uniform(W, rng.stream_key(seed, rng.WEIGHTS, 0))
        return
    xp = get_namespace(W)
    V, D = W.shape
    key = rng.stream_key(seed, rng.WEIGHTS, 0)
    with on_device_of(W):
        size = max(1, _BLOCK // max(1, D))
        for first in range(0, V, size):  # random integers for all rows would take several times the memory of W
            rows = rng.bits(key, xp.arange(first, min(first + size, V), device=get_device(W)))
            columns = xp.arange(D, device=get_device(W))
            W[first : min(first + size, V), ...] = (
                rng.uniform(rng.bits(rows[:, None], columns[None, :]), W.dtype) - 0.5
            ) / D


def _fill_uniform(W: np.ndarray, key: int) -> None:
    """Fill a NumPy array like `uniform_weights`, in threads.

    The random numbers are computed in place. New arrays for each step would take longer than the arithmetic, because
    the memory of large ones goes back to the system each time.
    """
    V, D = W.shape
    rows = rng.bits(key, np.arange(V))[:, None]
    columns = np.uint64(rng.GOLDEN) * np.arange(1, D + 1, dtype=np.uint64)
    size = max(1, _RANDOM_BLOCK // max(1, D))
    memory = threading.local()

    def fill(first: int, stop: int) -> None:
        if not hasattr(memory, "arrays"):
            memory.arrays = tuple(np.empty((min(size, V), D), dtype) for dtype in (np.uint64, np.uint64, W.dtype))
        z, scratch, numbers = (array[: stop - first] for array in memory.arrays)
        np.add(rows[first:stop], columns, out=z)
        rng.fill_uniform(numbers, z, scratch)
        np.subtract(numbers, W.dtype.type(0.5), out=numbers)
        np.divide(numbers, W.dtype.type(D), out=W[first:stop])

    share_blocks(fill, V, size)


def normal_weights(xp: Any, shape: tuple[int, int], seed: int, stream: int, scale: float = 0.01) -> Any:
    """Return normally distributed initial weights, as in textbooks.

    Each number depends only on the seed, the stream and its position (row and column).

    Parameters
    ----------
    xp : array namespace
        Array library of the result, for example from `fastw2v.backend.array_module`.
    shape : (int, int)
        V and D.
    seed : int
    stream : int
        Number of the table within the model: 0 for W_in, 1 for W_out. Tables with the same seed but different streams
        differ.
    scale : float
        Standard deviation.

    Returns
    -------
    float32 array, shape (V, D)

    Examples
    --------
    >>> from fastw2v.backend import array_module
    >>> from fastw2v.nn.initializers import normal_weights
    >>> W = normal_weights(array_module("cpu"), (1000, 100), seed=1, stream=0)
    >>> W.shape, round(float(W.std()), 3)
    ((1000, 100), 0.01)
    """
    # Box–Muller transform of two uniform numbers
    rows = rng.bits(rng.stream_key(seed, rng.WEIGHTS, stream), xp.arange(shape[0]))[:, None]
    columns = xp.arange(shape[1])[None, :]
    radius = xp.sqrt(-2 * xp.log(1 - rng.uniform(rng.bits(rows, 2 * columns), xp.float64)))
    angle = 2 * xp.pi * rng.uniform(rng.bits(rows, 2 * columns + 1), xp.float64)
    return xp.astype(scale * radius * xp.cos(angle), xp.float32)


def copy_known_rows(W_in: Any, W_out: Any, words: Sequence[str], init: PretrainedVectors, device: str) -> np.ndarray:
    """Copy pretrained vectors into the rows of the words that `init` contains.

    Parameters
    ----------
    W_in : float array, shape (R, D), or None
        Input vectors, which are changed in place. The first V rows are those of the words.
    W_out : float array, shape (V, D), or None
        Output vectors of the words, which are changed in place if `init` has some.
    words : sequence of str
        The word of each row.
    init : PretrainedVectors
        Pretrained vectors with D dimensions.
    device : str
        Device of the tables.

    Returns
    -------
    int64 array, shape (N,)
        The rows of the words found in `init`, in ascending order.

    Raises
    ------
    ValueError
        If `init` contains none of the words, or if a vector to be copied contains infinite or NaN values.

    Examples
    --------
    "dog" has no pretrained vector, so its row stays zero:

    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.nn.initializers import copy_known_rows
    >>> W_in, W_out = np.zeros((2, 2)), np.zeros((2, 2))
    >>> pretrained = WordVectors(["mat", "cat"], np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> copy_known_rows(W_in, W_out, ["cat", "dog"], pretrained, "cpu")
    array([0])
    >>> W_in
    array([[3., 4.],
           [0., 0.]])
    """
    ours = np.array([i for i, word in enumerate(words) if word in init.key_to_index], dtype=np.int64)
    if not len(ours):
        advice = "Pass vectors of the same language, case and Unicode form"
        if isinstance(words[0], int) != isinstance(init.index_to_key[0], int):
            advice = (
                "Words that are integers and words that are strings are never equal. Files other than .safetensors and "
                ".npz store integers as strings"
            )
        raise ValueError(
            f"init has no vector for any of the vocabulary's {len(words):,} words. The vocabulary's most frequent word "
            f"is {quote(words[0])}, and init's first word is {quote(init.index_to_key[0])}. {advice}"
        )
    theirs = np.array([init.key_to_index[words[i]] for i in ours.tolist()])
    for W, given in ((W_in, init.input_vectors), (W_out, init.context_vectors)):
        if given is None or W is None:
            continue
        host = to_host(given)
        size = max(1, _BLOCK // host.shape[1])
        for first in range(0, len(ours), size):
            block = ours[first : first + size]
            rows = host[theirs[first : first + size]]
            if not np.isfinite(rows).all():
                word = words[block[np.flatnonzero(~np.isfinite(rows).all(axis=1))[0]]]
                raise ValueError(f"init's vector of {quote(word)} contains infinite or NaN values; remove the word")
            with on_device_of(W):
                set_rows(W, to_device(block, device), to_device(rows.astype(np.float32, copy=False), device))
    log.info("%s of %s words start from pretrained vectors", f"{len(ours):,}", f"{len(words):,}")
    return ours


def fit_ngram_rows(W: Any, starts: np.ndarray, rows: np.ndarray, words: np.ndarray, device: str) -> None:
    """Fit the rows of n-grams to vectors of words.

    Afterwards, the mean of the rows of each word is its vector. The mean of the rows of its n-grams alone points in a
    similar direction, so that words outside the vocabulary have useful vectors as well.

    Parameters
    ----------
    W : float array, shape (R, D)
        Input vectors. The first V rows are those of the words themselves, and contain the vectors of `words`. These
        rows, and those of their n-grams, are changed in place.
    starts : int64 array, shape (V + 1,)
    rows : int32 array
        The rows of word w are in elements ``starts[w]`` to ``starts[w + 1] - 1``. The first of them is w.
    words : int64 array, shape (N,)
        The words that have a vector, in ascending order.
    device : str
        Device of W.

    Raises
    ------
    ValueError
        If the vectors are so large that the rows overflow.

    Notes
    -----
    With the vector v of a word and the rows x of its n-grams G, the sum of ``(len(G) + 1) * |v - sum(x[G]) / (len(G) +
    1)|²`` over the words is reduced by the simultaneous iterative reconstruction technique (SIRT): in each of
    `FIT_STEPS` steps, each row receives the mean residual of its words, times `RELAXATION`. The rows of the words
    themselves then receive what remains. The idea is that of Zhao et al., "Generalizing word embeddings using bag of
    subwords", EMNLP 2018, who fit n-grams alone.

    Examples
    --------
    Both words have the n-gram in row 2, which receives what their vectors have in common:

    >>> import numpy as np
    >>> from fastw2v.nn.initializers import fit_ngram_rows
    >>> W = np.array([[1.0, 0.5], [1.0, -0.5], [0.0, 0.0]])
    >>> fit_ngram_rows(W, np.array([0, 2, 4]), np.array([0, 2, 1, 2], np.int32), np.array([0, 1]), "cpu")
    >>> W.round(2).tolist()
    [[0.0, 1.0], [0.0, -1.0], [2.0, 0.0]]
    """
    host = to_host(W)
    V, sizes = len(starts) - 1, starts[1:] - starts[:-1]
    fits = np.zeros(V, bool)
    fits[words] = True
    is_ngram = np.repeat(fits, sizes)
    is_ngram[starts[:-1]] = False
    ngrams = rows[is_ngram] - V  # of each word
    del is_ngram
    n = sizes[words] - 1  # the number of n-grams of each word
    word_starts = np.append(np.zeros(1, np.int64), np.cumsum(n))
    order = np.argsort(ngrams, kind="stable")
    owners = np.repeat(np.arange(len(words), dtype=np.int32), n)[order]  # the words of each n-gram
    ascending = ngrams[order]
    del order
    first = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1])[: len(ascending)])
    fitted, owner_starts = ascending[first], np.append(first, len(owners))
    del ascending, first
    vectors, X = host[words], host[V:]
    share = (n / (n + 1))[:, None].astype(host.dtype)
    size = max(1, _FIT_BLOCK // host.shape[1])
    X[fitted] = 0
    residual = vectors
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(FIT_STEPS):
            for start in range(0, len(fitted), size):
                block = fitted[start : start + size]
                bounds = owner_starts[start : start + len(block) + 1]
                X[block] += RELAXATION * mean_rows(residual, bounds, owners, np.arange(len(block)))
            del residual  # so that there are never three arrays of this size
            residual = mean_rows(X, word_starts, ngrams, np.arange(len(words)))
            residual *= -share
            residual += vectors
        residual *= (n + 1)[:, None].astype(host.dtype)
    if not np.isfinite(residual).all():
        raise ValueError("init has vectors so large that the rows of n-grams overflow; scale the vectors down")
    host[words] = residual
    if host is not W:
        size = max(1, _BLOCK // host.shape[1])
        with on_device_of(W):
            for start in range(0, len(host), size):
                W[start : start + size, ...] = to_device(host[start : start + size], device)


def copy_rows(W: Any, first: int, rows: Any, device: str) -> None:
    """Copy pretrained rows into a table, from row `first` on.

    Parameters
    ----------
    W : float array, shape (R, D)
        Changed in place.
    first : int
    rows : float array, shape (N, D)
    device : str
        Device of the table.

    Raises
    ------
    ValueError
        If a row contains infinite or NaN values.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn.initializers import copy_rows
    >>> W = np.zeros((3, 2))
    >>> copy_rows(W, 1, np.array([[1.0, 2.0]]), "cpu")
    >>> W.tolist()
    [[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]
    """
    size = max(1, _BLOCK // W.shape[1])
    for start in range(0, rows.shape[0], size):
        block = to_host(rows[start : start + size, ...])
        if not np.isfinite(block).all():
            raise ValueError("init has n-grams whose rows contain infinite or NaN values; use other vectors")
        with on_device_of(W):
            W[first + start : first + start + len(block), ...] = to_device(block.astype(np.float32, copy=False), device)
