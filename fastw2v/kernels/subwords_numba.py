"""Input vectors of words in the fused CPU kernels, which are rows of W_in, or with subwords, means of rows.

A word's own row and the rows of its n-grams are some 18 rows, and most of their time is spent on reading and writing
them. A thread therefore reads them when the first token of a word in the chunk is needed, and writes them when its last
token has been trained. In between, the word's vector is held, and the steps of its tokens are added to it. The array
`held` has two rows for each slot: the vector, and the sum of the steps.
`fastw2v.engines.reference.HeldWords` specifies this.

Without subwords, the functions read and write the row of the word itself. Numba compiles them for both cases
separately, because the types of the parameters differ.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.config import MAX_STEP_NORM
from fastw2v.kernels.compilation import inlined
from fastw2v.kernels.rows_numba import (
    PREFETCH_DISTANCE,
    add_clipped,
    copy_row,
    damping,
    is_frozen,
    prefetch_row,
    ring_size,
)
from fastw2v.kernels.simd import LANES, borrowed, fma, load, prefetch, reduce_add, splat, store

__all__ = ["add_input_step", "optional_view", "read_context", "read_input", "uses_of_words"]

FIRST, LAST = 1, 2
"""Flags of the first and the last token of a word in a chunk."""

_HASH = np.uint64(0x9E3779B97F4A7C15)
"""Factor of the hash function, 2**64 divided by the golden ratio."""


@inlined
def optional_view(array: Any) -> Any:
    """Return the view `borrowed` of an array, or None."""
    if array is None:
        return None
    return borrowed(array)


@inlined
def uses_of_words(word: Any, starts: Any) -> Any:
    """Return how each token of a chunk uses the held vectors. Without subwords, there are none.

    Returns
    -------
    uses : int32 array, shape (n,)
        −1 for a word that occurs once, and is not held. Otherwise ``4 * slot``, plus `FIRST` or `LAST` if the token is
        the first or the last one of its word.
    slots : int
        Number of words that occur several times.
    """
    n = 0 if starts is None else len(word)
    uses = np.empty(n, np.int32)
    table = np.full(ring_size(2 * n), -1, np.int32)  # hash table of the first tokens of words, with open addressing
    last = np.empty(n, np.int32)  # for each first token, the last one of the same word
    mask = len(table) - 1
    for i in range(n):
        place = np.int64((np.uint64(word[i]) * _HASH) >> np.uint64(33)) & mask
        while table[place] >= 0 and word[table[place]] != word[i]:
            place = (place + 1) & mask
        if table[place] < 0:
            table[place] = i
        uses[i] = table[place]
        last[table[place]] = i
    slots = 0
    for i in range(n):
        first = uses[i]
        if first != i:
            uses[i] = uses[first] - FIRST + LAST * (last[first] == i)
        elif last[i] == i:
            uses[i] = -1
        else:
            uses[i] = 4 * slots + FIRST
            slots += 1
    return uses, slots


@inlined
def read_input(
    W: Any, word: Any, i: Any, starts: Any, rows: Any, uses: Any, held: Any, out: Any, at: Any, width: Any
) -> None:
    """Copy the input vector of token i to offset `at` of `out`, and prefetch the rows of a later token."""
    soon = min(i + PREFETCH_DISTANCE, len(word) - 1)
    if starts is None:
        row, later = np.int64(word[i]) * width, np.int64(word[soon]) * width
        for j in range(0, width, LANES):
            prefetch(W, later + j)
            store(out, at + j, load(W, row + j))
    else:
        _prefetch_rows(W, word, soon, starts, rows, uses, width)
        _read_mean(W, word, i, starts, rows, uses, held, out, at, width)


@inlined
def read_context(
    W: Any,
    word: Any,
    i: Any,
    starts: Any,
    rows: Any,
    uses: Any,
    held: Any,
    out: Any,
    at: Any,
    sums: Any,
    after: Any,
    width: Any,
) -> None:
    """Do the same as `read_input`, and set the sum at offset `after` of `sums` to the sum at `at` plus the vector."""
    soon = min(i + PREFETCH_DISTANCE, len(word) - 1)
    if starts is None:  # in one loop, which is faster
        row, later = np.int64(word[i]) * width, np.int64(word[soon]) * width
        for j in range(0, width, LANES):
            prefetch(W, later + j)
            x = load(W, row + j)
            store(out, at + j, x)
            store(sums, after + j, load(sums, at + j) + x)
    else:
        _prefetch_rows(W, word, soon, starts, rows, uses, width)
        _read_mean(W, word, i, starts, rows, uses, held, out, at, width)
        for j in range(0, width, LANES):
            store(sums, after + j, load(sums, at + j) + load(out, at + j))


@inlined
def _prefetch_rows(W: Any, word: Any, i: Any, starts: Any, rows: Any, uses: Any, width: Any) -> None:
    """Prefetch the rows that `_read_mean` will read for token i."""
    if uses[i] & FIRST:
        for k in range(starts[word[i]], starts[word[i] + 1]):
            prefetch_row(W, np.int64(rows[k]) * width, width)


@inlined
def _read_mean(
    W: Any, word: Any, i: Any, starts: Any, rows: Any, uses: Any, held: Any, out: Any, at: Any, width: Any
) -> None:
    """Copy the held vector of token i to offset `at` of `out`. If it is not held yet, compute the mean of its rows."""
    vector = 2 * np.int64(uses[i] // 4) * width
    if uses[i] & FIRST:  # also for a word that occurs once
        begin, end = starts[word[i]], starts[word[i] + 1]
        share = splat(1.0 / (end - begin), load(out, at))
        for j in range(0, width, LANES):
            total = load(W, np.int64(rows[begin]) * width + j)
            for k in range(begin + 1, end):
                total = total + load(W, np.int64(rows[k]) * width + j)
            store(out, at + j, total * share)
        if uses[i] >= 0:
            for j in range(0, width, LANES):
                store(held, vector + j, load(out, at + j))
                store(held, vector + width + j, splat(0.0, share))
    else:
        copy_row(held, vector, out, at, width)


@inlined
def add_input_step(
    W: Any,
    word: Any,
    i: Any,
    starts: Any,
    rows: Any,
    uses: Any,
    held: Any,
    steps: Any,
    at: Any,
    width: Any,
    square: Any,
    max_rate: Any,
    freeze: Any,
    alpha: Any,
) -> None:
    """Clip the step of token i at offset `at` of `steps`, and add it to the input vector of its word.

    The lanes of `square` add up to the squared norm of the step.
    """
    if starts is None:
        if not is_frozen(max_rate, word[i], freeze):
            add_clipped(W, np.int64(word[i]) * width, steps, at, width, square, damping(max_rate, word[i], alpha))
    else:
        length = reduce_add(square)
        factor = MAX_STEP_NORM / np.sqrt(length) if length > MAX_STEP_NORM * MAX_STEP_NORM else 1.0
        if uses[i] < 0:
            _add_to_rows(W, word[i], starts, rows, steps, at, factor, width, max_rate, freeze, alpha)
        else:
            shrink = splat(factor, square)
            vector = 2 * np.int64(uses[i] // 4) * width
            for j in range(0, width, LANES):
                step = shrink * load(steps, at + j)
                store(held, vector + j, load(held, vector + j) + step)
                store(held, vector + width + j, load(held, vector + width + j) + step)
            if uses[i] & LAST:
                _add_to_rows(W, word[i], starts, rows, held, vector + width, 1.0, width, max_rate, freeze, alpha)


@inlined
def _add_to_rows(
    W: Any,
    word: Any,
    starts: Any,
    rows: Any,
    steps: Any,
    at: Any,
    factor: Any,
    width: Any,
    max_rate: Any,
    freeze: Any,
    alpha: Any,
) -> None:
    """Add a step, multiplied by a factor, to all rows of a word."""
    for k in range(starts[word], starts[word + 1]):
        row = np.int64(rows[k])
        if not is_frozen(max_rate, row, freeze):
            shrink = splat(factor * damping(max_rate, row, alpha), load(steps, at))
            for j in range(0, width, LANES):
                store(W, row * width + j, fma(shrink, load(steps, at + j), load(W, row * width + j)))
