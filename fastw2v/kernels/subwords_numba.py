"""Input vectors of words in the fused CPU kernels, which are rows of W_in, or with subwords, means of rows.

With subwords, a word has its own row and the rows of its n-grams: 18 rows for a token of an English text. They are
read once for each token, where the row of the word would be read, and written once, where it would be written.
`SubwordInputs` of `fastw2v.engines.reference` specifies this.

`starts` and `rows` contain the rows of the words: those of word w are ``rows[starts[w]]`` to ``rows[starts[w + 1] -
1]``. Without subwords, both are None, and the functions read and write the row of the word itself. Numba compiles them
for both cases separately, because the types of the parameters differ.
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
    damping,
    is_frozen,
    offset,
    prefetch_row_second_level,
)
from fastw2v.kernels.simd import LANES, fma, load, prefetch, reduce_add, splat, store

__all__ = ["add_input_step", "read_context", "read_input"]


@inlined
def read_input(W: Any, word: Any, i: Any, starts: Any, rows: Any, out: Any, at: Any, width: Any, places: Any) -> None:
    """Copy the input vector of token i to offset `at` of `out`, and prefetch the rows of a later token."""
    soon = word[min(i + PREFETCH_DISTANCE, len(word) - 1)]
    if starts is None:
        row, later = offset(word[i], width, places), offset(soon, width, places)
        for j in range(0, width, LANES):
            prefetch(W, later + j)
            store(out, at + j, load(W, row + j))
    else:
        _prefetch_rows(W, soon, starts, rows, width, places)
        _read_mean(W, word[i], starts, rows, out, at, width, places)


@inlined
def read_context(
    W: Any,
    word: Any,
    i: Any,
    starts: Any,
    rows: Any,
    mean: Any,
    sums: Any,
    before: Any,
    after: Any,
    width: Any,
    places: Any,
) -> None:
    """Set the sum at offset `after` of `sums` to the sum at `before` plus the input vector of token i.

    The rows of a later token are prefetched. With subwords, the mean of the word's rows is stored in `mean`.
    """
    soon = word[min(i + PREFETCH_DISTANCE, len(word) - 1)]
    if starts is None:
        row, later = offset(word[i], width, places), offset(soon, width, places)
        for j in range(0, width, LANES):
            prefetch(W, later + j)
            store(sums, after + j, load(sums, before + j) + load(W, row + j))
    else:
        _prefetch_rows(W, soon, starts, rows, width, places)
        _read_mean(W, word[i], starts, rows, mean, 0, width, places)
        for j in range(0, width, LANES):
            store(sums, after + j, load(sums, before + j) + load(mean, j))


@inlined
def _prefetch_rows(W: Any, word: Any, starts: Any, rows: Any, width: Any, places: Any) -> None:
    """Prefetch all rows of a word. Those of twelve words do not fit in the first-level cache."""
    for k in range(starts[word], starts[word + 1]):
        prefetch_row_second_level(W, offset(rows[k], width, places), width)


@inlined
def _read_mean(W: Any, word: Any, starts: Any, rows: Any, out: Any, at: Any, width: Any, places: Any) -> None:
    """Store the mean of the rows of a word at offset `at` of `out`."""
    begin, end = starts[word], starts[word + 1]
    share = splat(1.0 / (end - begin), load(out, at))
    first = offset(rows[begin], width, places)
    for j in range(0, width, LANES):
        store(out, at + j, load(W, first + j))
    k = begin + 1
    while k + 4 <= end:  # the offsets of four rows stay in registers
        a, b = offset(rows[k], width, places), offset(rows[k + 1], width, places)
        c, d = offset(rows[k + 2], width, places), offset(rows[k + 3], width, places)
        for j in range(0, width, LANES):
            total = load(out, at + j) + load(W, a + j) + load(W, b + j)
            store(out, at + j, total + load(W, c + j) + load(W, d + j))
        k += 4
    while k < end:
        a = offset(rows[k], width, places)
        for j in range(0, width, LANES):
            store(out, at + j, load(out, at + j) + load(W, a + j))
        k += 1
    for j in range(0, width, LANES):
        store(out, at + j, load(out, at + j) * share)


@inlined
def add_input_step(
    W: Any,
    word: Any,
    starts: Any,
    rows: Any,
    steps: Any,
    at: Any,
    width: Any,
    square: Any,
    max_rate: Any,
    freeze: Any,
    alpha: Any,
    places: Any,
) -> None:
    """Clip the step at offset `at` of `steps`, and add it to each row of a word, scaled down for each row.

    The lanes of `square` add up to the squared norm of the step.
    """
    if starts is None:
        if not is_frozen(max_rate, word, freeze):
            add_clipped(W, offset(word, width, places), steps, at, width, square, damping(max_rate, word, alpha))
    else:
        length = reduce_add(square)
        clip = MAX_STEP_NORM / np.sqrt(length) if length > MAX_STEP_NORM * MAX_STEP_NORM else 1.0
        for k in range(starts[word], starts[word + 1]):
            if not is_frozen(max_rate, rows[k], freeze):
                row = offset(rows[k], width, places)
                shrink = splat(clip * damping(max_rate, rows[k], alpha), square)
                for j in range(0, width, LANES):
                    store(W, row + j, fma(shrink, load(steps, at + j), load(W, row + j)))
