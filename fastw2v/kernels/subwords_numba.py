"""Input vectors of words in the fused CPU kernels, which are rows of W_in, or with subwords, means of rows.

A word's own row and the rows of its n-grams are some 18 rows, and most of their time is spent on reading and writing
them. A thread therefore reads them when the first token of a word in the chunk is needed, and writes them when its last
token has been trained. In between, the word's vector is held, and the steps of its tokens are added to it.
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
from fastw2v.kernels.rows_numba import add_clipped, copy_row, damping, is_frozen, prefetch_row, ring_size
from fastw2v.kernels.simd import LANES, borrowed, fma, load, reduce_add, splat, store

__all__ = ["add_input_step", "prefetch_input", "read_input", "repeated_words"]

_HASH = np.uint64(0x9E3779B97F4A7C15)
"""Factor of the hash function, 2**64 divided by the golden ratio."""


@inlined
def optional_view(array: Any) -> Any:
    """Return the view `borrowed` of an array, or None."""
    if array is None:
        return None
    return borrowed(array)


@inlined
def repeated_words(word: Any, starts: Any) -> Any:
    """Return the slots of the words that occur several times in a chunk. Without subwords, the arrays are empty.

    Returns
    -------
    slot : int32 array, shape (n,)
        The slot of each token's word, or −1 if the word occurs once.
    first, last : int32 array
        The first and the last token of each slot.
    """
    n = 0 if starts is None else len(word)
    slot = np.empty(n, np.int32)
    table = np.full(ring_size(2 * n), -1, np.int32)  # hash table of the first tokens of words, with open addressing
    last = np.empty(n, np.int32)  # for each first token, the last one of the same word
    mask = len(table) - 1
    for i in range(n):
        place = np.int64((np.uint64(word[i]) * _HASH) >> np.uint64(33)) & mask
        while table[place] >= 0 and word[table[place]] != word[i]:
            place = (place + 1) & mask
        if table[place] < 0:
            table[place] = i
        slot[i] = table[place]
        last[table[place]] = i
    slots = 0
    first_of = np.empty(n, np.int32)
    last_of = np.empty(n, np.int32)
    for i in range(n):
        if slot[i] != i:
            slot[i] = slot[slot[i]]
        elif last[i] == i:
            slot[i] = -1
        else:
            first_of[slots] = i
            last_of[slots] = last[i]
            slot[i] = slots
            slots += 1
    return slot, first_of[:slots], last_of[:slots]


@inlined
def prefetch_input(W: Any, word: Any, i: Any, starts: Any, rows: Any, slot: Any, first: Any, width: Any) -> None:
    """Prefetch the rows that `read_input` will read for token i."""
    if starts is None:
        prefetch_row(W, np.int64(word[i]) * width, width)
    elif slot[i] < 0 or first[slot[i]] == i:
        for k in range(starts[word[i]], starts[word[i] + 1]):
            prefetch_row(W, np.int64(rows[k]) * width, width)


@inlined
def read_input(
    W: Any, word: Any, i: Any, starts: Any, rows: Any, slot: Any, first: Any, held: Any, out: Any, at: Any, width: Any
) -> None:
    """Copy the input vector of token i to offset `at` of `out`."""
    if starts is None:
        copy_row(W, np.int64(word[i]) * width, out, at, width)
    elif slot[i] >= 0 and first[slot[i]] != i:
        copy_row(held, 2 * np.int64(slot[i]) * width, out, at, width)
    else:
        begin, end = starts[word[i]], starts[word[i] + 1]
        share = splat(1.0 / (end - begin), load(out, at))
        for j in range(0, width, LANES):
            total = load(W, np.int64(rows[begin]) * width + j)
            for k in range(begin + 1, end):
                total = total + load(W, np.int64(rows[k]) * width + j)
            store(out, at + j, total * share)
        if slot[i] >= 0:
            vector = 2 * np.int64(slot[i]) * width
            for j in range(0, width, LANES):
                store(held, vector + j, load(out, at + j))
                store(held, vector + width + j, splat(0.0, share))


@inlined
def add_input_step(
    W: Any,
    word: Any,
    i: Any,
    starts: Any,
    rows: Any,
    slot: Any,
    last: Any,
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
        if slot[i] < 0:
            _add_to_rows(W, word[i], starts, rows, steps, at, factor, width, max_rate, freeze, alpha)
        else:
            shrink = splat(factor, square)
            vector = 2 * np.int64(slot[i]) * width
            for j in range(0, width, LANES):
                step = shrink * load(steps, at + j)
                store(held, vector + j, load(held, vector + j) + step)
                store(held, vector + width + j, load(held, vector + width + j) + step)
            if last[slot[i]] == i:
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
