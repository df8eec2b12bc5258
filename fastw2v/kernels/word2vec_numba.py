"""The fused CPU kernels, which train CBOW or skip-gram with negative sampling on one chunk of the corpus.

The kernels are compiled by Numba. Their specification is `fastw2v.engines.reference`. Each thread trains one chunk at a
time, and the threads share W_in and W_out without locks.

Targets and rows are processed in blocks of four by four, in three steps over data that stays in the cache:

1. `_scores` computes the sixteen dot products of four targets and four rows. It reads each row once.
2. `_positive_coefficients` and `_negative_coefficients` compute the coefficients ``alpha * (label - sigmoid(score))``
   from sixteen scores at a time. The loss is computed only for the first tile of each pool.
3. `_update_rows` reads each row again, adds it to the gradients of the four targets, adds the four updates to the row
   and writes it back.

Ring buffers store what windows can still reach: for CBOW, running sums of rows and differences of their gradients, and
for skip-gram, the output rows and their updates. The rows of a pool are copied while the pool is in use, so that
threads rarely write to the same rows. For the same reason, each of several threads trains private copies of the rows
of frequent words, and exchanges them with the tables after some tokens. `docs/concepts/kernels.md` explains the design
and has the measurements.

In this module, tables are indexed like flat arrays, and a row is given by the offset of its first element.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastw2v.kernels.compilation import compiled, inlined
from fastw2v.kernels.rows_numba import (
    PREFETCH_DISTANCE,
    add_clipped,
    aligned_zeros,
    copy_row,
    damping,
    exchange_private,
    is_frozen,
    offset,
    prefetch_row,
    prefetch_row_second_level,
    private_copies,
    ring_size,
)
from fastw2v.kernels.simd import (
    COLUMNS,
    LANES,
    REGISTERS,
    UPDATE_COLUMNS,
    absolute,
    borrowed,
    broadcast_load,
    broadcast_load_like,
    exp_minus,
    fma,
    hadd,
    hadd_groups,
    keep_alive,
    load,
    load_columns,
    load_like,
    load_update,
    log,
    lowest_bit,
    matches,
    maximum,
    prefetch,
    reduce_add,
    splat,
    store,
    where_positive,
)
from fastw2v.kernels.subwords_numba import add_input_step, read_context, read_input
from fastw2v.sampling import rng

__all__ = ["Sampling", "Schedule", "cbow_ns", "skipgram_ns"]

BLOCK = 4
"""Rows and targets in a block. The sixteen scores of a block fill one vector."""
MASKED = -1e30
"""Score of a pair that must be ignored. Its sigmoid and its softplus are exactly 0."""

_GOLDEN = np.uint64(rng.GOLDEN)
_MIX_1 = np.uint64(rng.MIX_1)
_MIX_2 = np.uint64(rng.MIX_2)
_LOW = np.uint64(0xFFFFFFFF)


class Sampling(NamedTuple):
    """The tables and keys of the random choices in an epoch."""

    keep: Any
    """uint64 array, shape (V,): subsampling threshold of each word, for `rng.bernoulli`."""
    threshold: Any
    alias: Any
    """uint64 and int32 arrays, shape (V,): the alias table of the noise distribution."""
    keys: Any
    """uint64 array, shape (3,): keys of the streams KEEP, WINDOW and NEGATIVES in this epoch."""
    window: int
    reach: int
    """Largest distance between a target and a context in the corpus."""
    shrink_windows: bool


class Schedule(NamedTuple):
    """The learning rate, the sizes of pools and tiles, and the scaling of gradients and steps."""

    cbow_grad_scale: Any
    """Float array, shape (2 * reach + 1,): CBOW's factor of a context's gradient, by number of contexts."""
    max_rate_in: Any
    max_rate_out: Any
    """Float arrays: for each row, the learning rate above which its steps are scaled down. The arrays end after the
    last row whose steps are ever scaled down."""
    freeze: Any
    """True if rows whose maximum rate is 0 must keep their bytes, or None. The types differ, so that Numba compiles a
    kernel without a test for such rows, which would slow it down, and one with the test if it is needed."""
    negative: float
    pool_tokens: int
    """L."""
    pool_size: int
    """P."""
    dimensions: int
    """D. The further columns of a row are padding, which is always zero."""
    tile: int
    """T, from 1 to `BLOCK` and at most L."""
    slope: float
    """Decrease of the learning rate per token."""
    private_tokens: int
    """Tokens of the corpus between two exchanges of the private rows with the tables."""
    private_in: Any
    private_out: Any
    """`Private` rows of W_in and W_out. Words with private rows are at the start of the vocabulary, and `max_rate_in`
    and `max_rate_out` are infinite for these rows."""
    subword_starts: Any
    subword_rows: Any
    """int64 array, shape (V + 1,), and int32 array: the rows of W_in of word w are in elements ``subword_starts[w]`` to
    ``subword_starts[w + 1] - 1`` of `subword_rows`, where the private rows have the first numbers. Both are None if
    each word has one row. The types differ, as for `freeze`."""


@inlined
def _bits(key: Any, position: Any) -> Any:
    """Return the same integer as `fastw2v.sampling.rng.bits`."""
    z = _GOLDEN * (np.uint64(position) + np.uint64(1)) + key
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@inlined
def _randint(random: Any, n: Any) -> Any:
    """Return the same integer as `fastw2v.sampling.rng.randint`."""
    return np.int64(((random >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@inlined
def _bisect(offsets: Any, token: Any) -> Any:
    """Return the number of offsets up to `token`. Numba compiles `np.searchsorted` ten times as long."""
    low, high = 0, len(offsets)
    while low < high:
        middle = (low + high) // 2
        if offsets[middle] <= token:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def subsample_chunk(ids: Any, offsets: Any, start: Any, stop: Any, sampling: Any) -> Any:
    """Return the words, the positions and the window bounds of the tokens that subsampling keeps.

    Parameters
    ----------
    ids : int32 array, shape (N,)
    offsets : int64 array, shape (n_sentences + 1,)
    start, stop : int
        Bounds of the chunk.
    sampling : Sampling

    Returns
    -------
    word : int32 array, shape (n,)
    position : int64 array, shape (n,)
        Index of each token in the corpus.
    window_start, window_end : int32 array, shape (n,)
        Index in `word` of the first token of each window, and index after its last token. A window includes its target.
    """
    keep, keys, window = sampling.keep, sampling.keys, sampling.window
    # The arrays have one extra element, because each token is written before it is known whether it is kept.
    word = np.empty(stop - start + 1, np.int32)
    position = np.empty(stop - start + 1, np.int64)
    window_start = np.empty(stop - start + 1, np.int32)
    window_end = np.empty(stop - start + 1, np.int32)
    random = window_start.view(np.uint32)  # each number is used before a start of a window replaces it
    for i in range(stop - start):  # in a loop of its own, which LLVM vectorises
        random[i] = _bits(keys[0], start + i) & _LOW
    n: Any = 0
    sentence = _bisect(offsets, start)
    begin_token = start
    while begin_token < stop:
        begin = n
        end_token = min(offsets[sentence], stop)
        m = np.uint64(n)  # Numba tests signed indices, which may count from the end
        for i in range(np.uint64(begin_token), np.uint64(end_token)):
            word[m] = ids[i]
            position[m] = i
            m += np.uint64(random[i - np.uint64(start)] < keep[np.uint32(ids[i])])
        n = np.int64(m)
        if n - begin < 2:  # a word left alone in its sentence has no context
            n = begin
        for t in range(begin, n):
            window_start[t] = begin
            window_end[t] = n
        begin_token = end_token
        sentence += 1
    for t in range(n):
        width = window
        if sampling.shrink_windows:
            width = _randint(_bits(keys[1], position[t]), window) + 1
        window_start[t] = max(window_start[t], t - width)
        window_end[t] = min(window_end[t], t + width + 1)
    return word[:n], position[:n], window_start[:n], window_end[:n]


@inlined
def draw_negatives(first: Any, last: Any, size: Any, sampling: Any) -> Any:
    """Return the negatives of the pools `first` to `last` - 1.

    Parameters
    ----------
    first, last : int
        Indices of pools.
    size : int
        Negatives in a pool, P.
    sampling : Sampling

    Returns
    -------
    int32 array, shape ((last - first) * size,)
    """
    threshold, alias, key = sampling.threshold, sampling.alias, sampling.keys[2]
    words = np.empty((last - first) * size, np.int32)
    n = np.uint64(0)  # Numba tests signed indices, which may count from the end
    for pool in range(first, last):
        row = _bits(key, pool)
        for k in range(size):
            random = _bits(row, k)
            slot = np.uint64(_randint(random, len(alias)))
            words[n] = slot if (random & _LOW) < threshold[slot] else alias[slot]
            n += np.uint64(1)
    return words


@inlined
def _fill_pool(
    words: Any, width: Any, W: Any, places: Any, pool: Any, ids: Any, rows: Any, draw_counts: Any, bias: Any
) -> Any:
    """Copy the rows of a pool of negatives in blocks of four, and return the number of blocks.

    The first half of `pool` receives the rows to train, and the second half a snapshot of the same rows. This copy is
    private to the thread, because frequent words are in nearly every pool. If several threads changed the same row in
    every tile, the row would move between the processors' caches each time, which can halve the speed of two threads.

    A word that is drawn several times has one row and a count, because a second row would not receive the updates of
    the first. `draw_counts` and `bias` have one number for each pair of a target and a row, in the order of the lanes
    of the scores.
    """
    n = 0
    for word in words:
        m = 0
        while m < n and ids[m] != word:
            m += 1
        lane = LANES * (m // BLOCK) + m % BLOCK
        if m == n:
            ids[m] = word
            rows[m] = m * width
            n += 1
            draw_counts[lane] = 0
            row = offset(word, width, places)
            for j in range(0, width, LANES):
                v = load(W, row + j)
                store(pool, m * width + j, v)
                store(pool, len(pool) // 2 + m * width + j, v)
        for k in range(0, LANES, BLOCK):
            bias[lane + k] = 0
            draw_counts[lane + k] = draw_counts[lane] + (k == 0)
    blocks = (n + BLOCK - 1) // BLOCK
    ids[n:] = -1
    for m in range(n, BLOCK * blocks):
        rows[m] = rows[0]
        for k in range(0, LANES, BLOCK):
            lane = LANES * (m // BLOCK) + m % BLOCK + k
            bias[lane] = MASKED
            draw_counts[lane] = 0
    return blocks


@inlined
def _write_back_pool(
    W: Any, places: Any, pool: Any, ids: Any, size: Any, width: Any, max_rate: Any, freeze: Any, alpha: Any
) -> None:
    """Scale the updates that a pool's rows have received since `_fill_pool`, and add them to the rows of W."""
    for m in range(size):
        if ids[m] >= 0 and not is_frozen(max_rate, ids[m], freeze):
            row = offset(ids[m], width, places)
            factor = splat(damping(max_rate, ids[m], alpha), load(pool, 0))
            for j in range(0, width, LANES):
                update = load(pool, m * width + j) - load(pool, len(pool) // 2 + m * width + j)
                store(W, row + j, fma(factor, update, load(W, row + j)))


@inlined
def _find_in_pool(ids: Any, size: Any, word: Any) -> Any:
    """Return the slot of a word in the pool, or -1 if the word is not in the pool."""
    for m in range(0, size, LANES):
        found = matches(ids, m, word)
        if found:
            return m + lowest_bit(found)
    return -1


@inlined
def _scores(h: Any, width: Any, D: Any, W: Any, rows: Any, blocks: Any, bias: Any, scores: Any) -> None:
    """Score four targets against each block of four rows. Lane ``4 * target + row`` of a block is the pair's score.

    Only the columns before D are multiplied, in groups of `COLUMNS`, because the rest of a row is padding.
    """
    for q in range(blocks):
        a, b, c, d = rows[4 * q], rows[4 * q + 1], rows[4 * q + 2], rows[4 * q + 3]
        if REGISTERS > 16:
            ab, cd = _products(h, width, D, W, a, b, c, d)
        else:
            ab, cd = _products_of_two(h, width, D, W, a, b), _products_of_two(h, width, D, W, c, d)
        s0 = hadd(ab[0], cd[0])
        s1 = hadd(ab[1], cd[1])
        s2 = hadd(ab[2], cd[2])
        s3 = hadd(ab[3], cd[3])
        store(scores, LANES * q, hadd_groups(s0, s1, s2, s3) + load(bias, LANES * q))


@inlined
def _products(h: Any, width: Any, D: Any, W: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the partial dot products of four targets and four rows, in vectors that combine two rows each."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0, load_columns(h, 0))
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = a0
    for j in range(0, D, COLUMNS):
        h0, h1, h2, h3 = _columns(h, width, j, a0)
        v = load_columns(W, a + j)
        a0, a1, a2, a3 = fma(h0, v, a0), fma(h1, v, a1), fma(h2, v, a2), fma(h3, v, a3)
        v = load_columns(W, b + j)
        b0, b1, b2, b3 = fma(h0, v, b0), fma(h1, v, b1), fma(h2, v, b2), fma(h3, v, b3)
        v = load_columns(W, c + j)
        c0, c1, c2, c3 = fma(h0, v, c0), fma(h1, v, c1), fma(h2, v, c2), fma(h3, v, c3)
        v = load_columns(W, d + j)
        d0, d1, d2, d3 = fma(h0, v, d0), fma(h1, v, d1), fma(h2, v, d2), fma(h3, v, d3)
    ab = hadd(a0, b0), hadd(a1, b1), hadd(a2, b2), hadd(a3, b3)
    cd = hadd(c0, d0), hadd(c1, d1), hadd(c2, d2), hadd(c3, d3)
    return ab, cd


@inlined
def _products_of_two(h: Any, width: Any, D: Any, W: Any, a: Any, b: Any) -> Any:
    """Return the partial dot products of four targets and two rows. The sums and factors fit in sixteen registers."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0, load_columns(h, 0))
    for j in range(0, D, COLUMNS):
        h0, h1, h2, h3 = _columns(h, width, j, a0)
        v = load_columns(W, a + j)
        a0, a1, a2, a3 = fma(h0, v, a0), fma(h1, v, a1), fma(h2, v, a2), fma(h3, v, a3)
        v = load_columns(W, b + j)
        b0, b1, b2, b3 = fma(h0, v, b0), fma(h1, v, b1), fma(h2, v, b2), fma(h3, v, b3)
    return hadd(a0, b0), hadd(a1, b1), hadd(a2, b2), hadd(a3, b3)


@inlined
def softplus(s: Any) -> Any:
    """Return ``softplus(s) = log(1 + exp(s))``, the loss of negatives with scores s, or of positives with scores -s.

    It is computed as ``max(s, 0) + log(1 + exp(-|s|))``, which does not overflow.
    """
    return maximum(s, splat(0.0, s)) + log(splat(1.0, s) + exp_minus(absolute(s)))


@inlined
def _negative_loss(scores: Any, blocks: Any, draw_counts: Any, weight: Any) -> Any:
    """Return the sum of ``weight * softplus(score)`` over the pool's draws."""
    loss = splat(0.0, load(weight, 0))
    for q in range(blocks):
        loss = fma(load(draw_counts, LANES * q), softplus(load(scores, LANES * q)), loss)
    return reduce_add(loss * load(weight, 0))


@inlined
def _negative_coefficients(scores: Any, blocks: Any, draw_counts: Any, weight: Any, alpha: Any) -> None:
    """Replace the scores of the pool by the coefficients ``-alpha * weight * sigmoid(score)``."""
    share = load(weight, 0)
    one = splat(1.0, share)
    pull = splat(-alpha, share) * share
    for q in range(blocks):
        s = load(scores, LANES * q)
        tail = exp_minus(absolute(s))
        store(scores, LANES * q, load(draw_counts, LANES * q) * pull * where_positive(s, one, tail) / (one + tail))


@inlined
def _negated(s: Any) -> Any:
    """Return ``-s``."""
    return splat(0.0, s) - s


@inlined
def _positive_coefficients(scores: Any, blocks: Any, alpha: Any) -> None:
    """Replace the scores of positives by the coefficients ``alpha * sigmoid(-score)``."""
    for q in range(blocks):
        s = _negated(load(scores, LANES * q))
        one = splat(1.0, s)
        tail = exp_minus(absolute(s))
        store(scores, LANES * q, splat(alpha, s) * where_positive(s, one, tail) / (one + tail))


@inlined
def _update_rows(j: Any, h: Any, d: Any, values: Any, sums: Any, rows: Any, blocks: Any, scores: Any) -> Any:
    """Add columns of each row to the gradients `d` of four targets, and update these columns of the rows.

    The columns are those from j on, as many as the vectors of `h` and `d` have elements.
    """
    h0, h1, h2, h3 = h
    d0, d1, d2, d3 = d
    for q in range(blocks):
        for p in range(4):
            row = rows[4 * q + p] + j
            v = load_like(values, row, h0)
            s = load_like(sums, row, h0)
            g = broadcast_load_like(scores, LANES * q + p, h0)
            d0, s = fma(g, v, d0), fma(g, h0, s)
            g = broadcast_load_like(scores, LANES * q + 4 + p, h0)
            d1, s = fma(g, v, d1), fma(g, h1, s)
            g = broadcast_load_like(scores, LANES * q + 8 + p, h0)
            d2, s = fma(g, v, d2), fma(g, h2, s)
            g = broadcast_load_like(scores, LANES * q + 12 + p, h0)
            d3, s = fma(g, v, d3), fma(g, h3, s)
            store(sums, row, s)
    return d0, d1, d2, d3


@inlined
def _columns(h: Any, width: Any, j: Any, like: Any) -> Any:
    """Return columns from column j on of the rows of four targets, as many as the vector `like` has elements."""
    return (
        load_like(h, j, like),
        load_like(h, width + j, like),
        load_like(h, 2 * width + j, like),
        load_like(h, 3 * width + j, like),
    )


@inlined
def _store_columns(dh: Any, width: Any, j: Any, d: Any) -> None:
    """Store columns from column j on of the rows of four targets."""
    store(dh, j, d[0])
    store(dh, width + j, d[1])
    store(dh, 2 * width + j, d[2])
    store(dh, 3 * width + j, d[3])


@inlined
def _ring_offsets(i: Any, mask: Any, width: Any) -> Any:
    """Return the offsets of five consecutive rows of a ring buffer."""
    a, b, c = (i & mask) * width, ((i + 1) & mask) * width, ((i + 2) & mask) * width
    return a, b, c, ((i + 3) & mask) * width, ((i + 4) & mask) * width


@inlined
def _update_tile(
    j: Any,
    like: Any,
    h: Any,
    width: Any,
    W_out: Any,
    positive_rows: Any,
    positive_scores: Any,
    pool: Any,
    rows: Any,
    blocks: Any,
    scores: Any,
    gradient_diff: Any,
    own: Any,
    edges: Any,
    scale: Any,
) -> None:
    """Update columns of a pool's rows, and add the gradients of four CBOW targets to the difference array.

    The columns are those from j on, as many as the vector `like` has elements.
    """
    d0 = broadcast_load_like(positive_scores, 0, like) * load_like(W_out, positive_rows[0] + j, like)
    d1 = broadcast_load_like(positive_scores, 1, like) * load_like(W_out, positive_rows[1] + j, like)
    d2 = broadcast_load_like(positive_scores, 2, like) * load_like(W_out, positive_rows[2] + j, like)
    d3 = broadcast_load_like(positive_scores, 3, like) * load_like(W_out, positive_rows[3] + j, like)
    d = _update_rows(j, _columns(h, width, j, like), (d0, d1, d2, d3), pool, pool, rows, blocks, scores)
    d0, d1 = d[0] * broadcast_load_like(scale, 0, like), d[1] * broadcast_load_like(scale, 1, like)
    d2, d3 = d[2] * broadcast_load_like(scale, 2, like), d[3] * broadcast_load_like(scale, 3, like)
    # A target is not one of its own contexts. The targets are adjacent, so that one ends where the next one starts.
    store(gradient_diff, own[0] + j, load_like(gradient_diff, own[0] + j, d0) - d0)
    add_to(gradient_diff, own[1] + j, d0 - d1)
    add_to(gradient_diff, own[2] + j, d1 - d2)
    add_to(gradient_diff, own[3] + j, d2 - d3)
    add_to(gradient_diff, own[4] + j, d3)
    add_window_gradient(gradient_diff, j, d0, edges[0, 0], edges[0, 1])
    add_window_gradient(gradient_diff, j, d1, edges[1, 0], edges[1, 1])
    add_window_gradient(gradient_diff, j, d2, edges[2, 0], edges[2, 1])
    add_window_gradient(gradient_diff, j, d3, edges[3, 0], edges[3, 1])


@inlined
def _update_outputs(
    j: Any,
    like: Any,
    h: Any,
    width: Any,
    pool: Any,
    rows: Any,
    blocks: Any,
    scores: Any,
    output_rows: Any,
    updates: Any,
    positive_rows: Any,
    positive_blocks: Any,
    positive_scores: Any,
    dh: Any,
) -> None:
    """Update columns of a pool's rows and of the contexts' rows, and store the gradients of four skip-gram targets.

    The columns are those from j on, as many as the vector `like` has elements.
    """
    columns = _columns(h, width, j, like)
    none = splat(0.0, like)
    d = _update_rows(j, columns, (none, none, none, none), pool, pool, rows, blocks, scores)
    d = _update_rows(j, columns, d, output_rows, updates, positive_rows, positive_blocks, positive_scores)
    _store_columns(dh, width, j, d)


@inlined
def add_to(array: Any, index: Any, v: Any) -> None:
    """Add a vector to the elements of an array from offset `index` on."""
    store(array, index, load_like(array, index, v) + v)


@inlined
def add_window_gradient(gradient_diff: Any, j: Any, d: Any, window_start: Any, window_end: Any) -> None:
    """Add columns, from column j on, of a gradient of all rows of a window to the difference array.

    The bounds of the window are offsets in the ring buffer.
    """
    add_to(gradient_diff, window_start + j, d)
    store(gradient_diff, window_end + j, load_like(gradient_diff, window_end + j, d) - d)


@inlined
def _update_positive_row(W: Any, row: Any, scores: Any, k: Any, h: Any, width: Any, factor: Any) -> None:
    """Add the scaled step of CBOW's target k to the target's own row."""
    g = broadcast_load(scores, k) * splat(factor, load(h, 0))
    for j in range(0, width, LANES):
        store(W, row + j, fma(g, load(h, k * width + j), load(W, row + j)))


@compiled
def cbow_ns(
    W_in: Any,
    W_out: Any,
    ids: Any,
    offsets: Any,
    start: Any,
    stop: Any,
    sampling: Any,
    schedule: Any,
    alpha_intercept: Any,
) -> Any:
    """Train CBOW in place on a chunk of the corpus.

    For a target t with contexts c and negatives n, the loss is
    ``-log sigmoid(h @ W_out[t]) - sum(weight * log sigmoid(-h @ W_out[n]))``, where h is the mean of the rows
    ``W_in[c]``. `fastw2v.engines.reference` specifies the schedule.

    Parameters
    ----------
    W_in, W_out : float32 or float64 array, shape (V, width)
        Separate tables. Rows are padded with zeros to a multiple of `LANES`.
    ids : int32 array, shape (N,)
        Word ids of the corpus, from 0 to V - 1. They are not checked.
    offsets : int64 array, shape (n_sentences + 1,)
    start, stop : int
        Bounds of the chunk.
    sampling : Sampling
    schedule : Schedule
    alpha_intercept : float
        The learning rate at token i of the corpus is ``alpha_intercept - schedule.slope * i``.

    Returns
    -------
    loss : float
        Loss, summed over the targets of the first tile of each pool.
    predictions : int
        Number of these targets.

    Notes
    -----
    *Parallel axis.* A call uses one thread and trains the tiles of its chunk in order. Several threads may train
    different chunks with the same tables. The lanes of a vector are columns of a row.

    *Contract.* With one thread, the result equals that of the reference implementation up to rounding. With several
    threads, updates of shared rows may be lost. The padding of the rows stays zero. Private rows have been written back
    when the function returns.

    *Window sums.* The sum of a window is the difference of two prefix sums, where ``row_sums[i]`` is the sum of the
    rows before token i. The backward pass is the transpose, a difference array: the gradient of a target is added at
    the start of its window and subtracted at the end, and a running sum gives the total gradient of each row when the
    row leaves the windows. The target itself is not a context: its row, which is the difference of two successive sums,
    is subtracted, and so is its gradient.
    """
    sampling, schedule = borrowed(sampling), borrowed(schedule)
    ids, offsets = borrowed(ids), borrowed(offsets)
    reach, slope = sampling.reach, schedule.slope
    negative, tile = schedule.negative, schedule.tile
    pool_tokens, pool_size = schedule.pool_tokens, schedule.pool_size
    max_rate_in, max_rate_out, freeze = schedule.max_rate_in, schedule.max_rate_out, schedule.freeze
    word_starts, word_rows = schedule.subword_starts, schedule.subword_rows
    W_in, W_out = borrowed(W_in), borrowed(W_out)
    word, position, window_start, window_end = subsample_chunk(ids, offsets, start, stop, sampling)
    n = len(word)
    if n == 0:
        return 0.0, 0
    width, D = W_in.shape[1], schedule.dimensions
    first_pool = position[0] // pool_tokens
    negatives = draw_negatives(first_pool, position[n - 1] // pool_tokens + 1, pool_size, sampling)
    prefetches = 1 + len(negatives) * tile // n  # of the next pool's rows, for each tile

    max_blocks = (pool_size + BLOCK - 1) // BLOCK
    pool_ids = np.empty(LANES * ((pool_size + LANES - 1) // LANES), np.int32)  # `_find_in_pool` reads whole vectors
    rows = np.empty(BLOCK * max_blocks, np.int64)
    pool = aligned_zeros(2 * BLOCK * max_blocks * width, W_out)
    draw_counts = aligned_zeros(LANES * max_blocks, W_in)
    bias = aligned_zeros(LANES * max_blocks, W_in)
    scores = aligned_zeros(LANES * max_blocks, W_in)
    weight = aligned_zeros(LANES, W_in)
    positive_scores = aligned_zeros(BLOCK * LANES, W_in)
    ring = ring_size(2 * min(reach, n) + tile + 1)
    mask = ring - 1
    row_sums = aligned_zeros(ring * width, W_in)
    gradient_diff = aligned_zeros(ring * width, W_in)
    gradient_sum = aligned_zeros(width, W_in)
    edges = np.empty((BLOCK, 2), np.int64)  # ring offsets of the start and the end of each target's window
    scale = aligned_zeros(BLOCK, W_in)
    h = aligned_zeros(BLOCK * width, W_in)
    pool_slot = np.empty(BLOCK, np.int64)  # the slots of the targets' words in the pool, or -1
    positive_rows = np.empty(BLOCK, np.int64)  # offsets of the targets' own rows, relative to W_out
    pool_start = (pool.ctypes.data - W_out.ctypes.data) // W_out.itemsize
    zero = splat(0.0, load(h, 0))
    update_zero, column_zero = splat(0.0, load_update(h, 0)), splat(0.0, load_columns(h, 0))
    in_pairs = (D + COLUMNS - 1) // UPDATE_COLUMNS * UPDATE_COLUMNS

    copies_in, places_in = private_copies(W_in, schedule.private_in, width)
    copies_out, places_out = private_copies(W_out, schedule.private_out, width)
    # The loops use views that are not counted, because Numba would count references wherever a function is called.
    buffers = (
        word, position, window_start, window_end, negatives, pool_ids, rows, pool, draw_counts, bias, scores, weight,
        pool_slot, positive_rows, positive_scores, row_sums, gradient_diff, gradient_sum, edges, scale, h,
        copies_in, copies_out,
    )  # fmt: skip
    (
        word, position, window_start, window_end, negatives, pool_ids, rows, pool, draw_counts, bias, scores, weight,
        pool_slot, positive_rows, positive_scores, row_sums, gradient_diff, gradient_sum, edges, scale, h,
        copies_in, copies_out,
    ) = borrowed(buffers)  # fmt: skip

    loss = 0.0
    predictions = 0
    alpha = alpha_intercept
    pool_index = np.int64(-1)
    group = np.int64(-1)
    blocks = 0
    prefetched = 0
    targets = 0
    entered = 0
    left = 0
    t = 0
    while t < n:
        measured = position[t] // pool_tokens != pool_index  # the pool's rows have not been trained on this tile
        if measured:
            _write_back_pool(W_out, places_out, pool, pool_ids, BLOCK * blocks, width, max_rate_out, freeze, alpha)
            if position[t] // schedule.private_tokens != group:
                exchange_private(W_in, schedule.private_in, copies_in, width, alpha, group < 0)
                exchange_private(W_out, schedule.private_out, copies_out, width, alpha, group < 0)
                group = position[t] // schedule.private_tokens
            pool_index = position[t] // pool_tokens
            first_drawn = (pool_index - first_pool) * pool_size
            words = negatives[first_drawn : first_drawn + pool_size]
            blocks = _fill_pool(words, width, W_out, places_out, pool, pool_ids, rows, draw_counts, bias)
            prefetched = first_drawn + pool_size
        end = min(t + tile, n)
        alpha = alpha_intercept - slope * position[t]
        if end - t != targets:  # not at every tile, because a vector load right after scalar stores stalls
            targets = end - t
            for k in range(BLOCK):
                for p in range(BLOCK):
                    weight[BLOCK * k + p] = negative / pool_size if k < targets else 0.0

        for i in range(entered, min(n, end + reach)):
            a = (i & mask) * width
            b = ((i + 1) & mask) * width
            # h is free until the means of the contexts are stored in it.
            read_context(W_in, word, i, word_starts, word_rows, h, row_sums, a, b, width, places_in)
        entered = min(n, end + reach)

        for k in range(BLOCK):
            i = min(t + k, end - 1)  # h of a missing target is arbitrary, but its coefficients are zero
            pool_slot[k] = _find_in_pool(pool_ids, BLOCK * blocks, word[i])
            if pool_slot[k] >= 0:
                positive_rows[k] = pool_start + pool_slot[k] * width
            else:
                positive_rows[k] = offset(word[i], width, places_out)
            edges[k, 0] = (window_start[i] & mask) * width
            edges[k, 1] = (window_end[i] & mask) * width
            contexts = window_end[i] - window_start[i] - 1
            scale[k] = schedule.cbow_grad_scale[contexts]
            inverse = splat(1.0 / contexts, zero)
            first, last, here, row = edges[k, 0], edges[k, 1], ((t + k) & mask) * width, positive_rows[k]
            own_end = ((t + k + 1) & mask) * width
            soon = offset(word[min(i + PREFETCH_DISTANCE, n - 1)], width, places_out)
            s = zero
            for j in range(0, width, LANES):
                prefetch(W_out, soon + j)
                own_row = load(row_sums, own_end + j) - load(row_sums, here + j)
                mean_row = (load(row_sums, last + j) - load(row_sums, first + j) - own_row) * inverse
                store(h, k * width + j, mean_row)
                s = fma(mean_row, load(W_out, row + j), s)
            store(positive_scores, k * LANES, s)
        own = _ring_offsets(t, mask, width)
        for i in range(prefetched, min(prefetched + prefetches, len(negatives))):
            prefetch_row_second_level(W_out, offset(negatives[i], width, places_out), width)
        prefetched += prefetches
        s0, s1 = load(positive_scores, 0), load(positive_scores, LANES)
        s2, s3 = load(positive_scores, 2 * LANES), load(positive_scores, 3 * LANES)
        s = hadd(hadd(s0, s1), hadd(s2, s3))
        store(positive_scores, 0, hadd_groups(s, s, s, s))  # the four scores, four times
        for k in range(end - t, BLOCK):
            for p in range(0, LANES, BLOCK):
                positive_scores[p + k] = -MASKED
        _scores(h, width, D, pool, rows, blocks, bias, scores)
        for k in range(end - t):
            if pool_slot[k] >= 0:
                scores[LANES * (pool_slot[k] // BLOCK) + BLOCK * k + pool_slot[k] % BLOCK] = MASKED
        if measured:
            loss += reduce_add(softplus(_negated(load(positive_scores, 0)))) / BLOCK
            loss += _negative_loss(scores, blocks, draw_counts, weight)
            predictions += end - t
        _positive_coefficients(positive_scores, 1, alpha)
        _negative_coefficients(scores, blocks, draw_counts, weight, alpha)

        for j in range(0, in_pairs, UPDATE_COLUMNS):
            _update_tile(
                j,
                update_zero,
                h,
                width,
                W_out,
                positive_rows,
                positive_scores,
                pool,
                rows,
                blocks,
                scores,
                gradient_diff,
                own,
                edges,
                scale,
            )
        if UPDATE_COLUMNS > COLUMNS:  # the last group of columns, if the number of groups is odd
            for j in range(in_pairs, D, COLUMNS):
                _update_tile(
                    j,
                    column_zero,
                    h,
                    width,
                    W_out,
                    positive_rows,
                    positive_scores,
                    pool,
                    rows,
                    blocks,
                    scores,
                    gradient_diff,
                    own,
                    edges,
                    scale,
                )
        for k in range(end - t):
            if pool_slot[k] >= 0:
                _update_positive_row(pool, pool_slot[k] * width, positive_scores, k, h, width, 1.0)
            elif not is_frozen(max_rate_out, word[t + k], freeze):
                factor = damping(max_rate_out, word[t + k], alpha)
                _update_positive_row(
                    W_out, offset(word[t + k], width, places_out), positive_scores, k, h, width, factor
                )

        out = n if end == n else end - reach
        for i in range(left, out):
            a = (i & mask) * width
            square = zero
            for j in range(0, width, LANES):
                d = load(gradient_sum, j) + load(gradient_diff, a + j)
                store(gradient_sum, j, d)
                store(gradient_diff, a + j, zero)
                square = fma(d, d, square)
            add_input_step(
                W_in,
                word[i],
                word_starts,
                word_rows,
                gradient_sum,
                0,
                width,
                square,
                max_rate_in,
                freeze,
                alpha,
                places_in,
            )
        left = max(left, out)
        t = end
    _write_back_pool(W_out, places_out, pool, pool_ids, BLOCK * blocks, width, max_rate_out, freeze, alpha)
    exchange_private(W_in, schedule.private_in, copies_in, width, alpha, False)
    exchange_private(W_out, schedule.private_out, copies_out, width, alpha, False)
    keep_alive(buffers)
    return loss, predictions


@compiled
def skipgram_ns(
    W_in: Any,
    W_out: Any,
    ids: Any,
    offsets: Any,
    start: Any,
    stop: Any,
    sampling: Any,
    schedule: Any,
    alpha_intercept: Any,
) -> Any:
    """Train skip-gram in place on a chunk of the corpus.

    For a target t with contexts c and negatives n, the loss is
    ``-sum(log sigmoid(h @ W_out[c])) - sum(weight * log sigmoid(-h @ W_out[n]))``, where h is ``W_in[t]``. The
    schedule is that of `fastw2v.engines.reference`.

    Parameters
    ----------
    W_in, W_out, ids, offsets, start, stop, sampling, schedule, alpha_intercept
        See `cbow_ns`.

    Returns
    -------
    loss : float
        Loss, summed over the targets of the first tile of each pool.
    predictions : int
        Number of pairs of these targets and their contexts.

    Notes
    -----
    The parallel axis and the contract are those of `cbow_ns`.

    A ring buffer stores the output rows of the tokens that windows can still reach. They are scored like a second pool,
    in which pairs of a target and a row outside the target's window are masked.
    """
    sampling, schedule = borrowed(sampling), borrowed(schedule)
    ids, offsets = borrowed(ids), borrowed(offsets)
    reach, slope = sampling.reach, schedule.slope
    negative, tile = schedule.negative, schedule.tile
    pool_tokens, pool_size = schedule.pool_tokens, schedule.pool_size
    max_rate_in, max_rate_out, freeze = schedule.max_rate_in, schedule.max_rate_out, schedule.freeze
    word_starts, word_rows = schedule.subword_starts, schedule.subword_rows
    W_in, W_out = borrowed(W_in), borrowed(W_out)
    word, position, window_start, window_end = subsample_chunk(ids, offsets, start, stop, sampling)
    n = len(word)
    if n == 0:
        return 0.0, 0
    width, D = W_in.shape[1], schedule.dimensions
    first_pool = position[0] // pool_tokens
    negatives = draw_negatives(first_pool, position[n - 1] // pool_tokens + 1, pool_size, sampling)
    prefetches = 1 + len(negatives) * tile // n  # of the next pool's rows, for each tile

    max_blocks = (pool_size + BLOCK - 1) // BLOCK
    pool_ids = np.empty(LANES * ((pool_size + LANES - 1) // LANES), np.int32)  # `_find_in_pool` reads whole vectors
    rows = np.empty(BLOCK * max_blocks, np.int64)
    pool = aligned_zeros(2 * BLOCK * max_blocks * width, W_out)
    draw_counts = aligned_zeros(LANES * max_blocks, W_in)
    bias = aligned_zeros(LANES * max_blocks, W_in)
    scores = aligned_zeros(LANES * max_blocks, W_in)
    weight = aligned_zeros(LANES, W_in)
    ring = ring_size(2 * min(reach, n) + tile)
    mask = ring - 1
    max_blocks = (2 * min(reach, n) + tile + BLOCK - 1) // BLOCK
    positive_rows = np.zeros(BLOCK * max_blocks, np.int64)
    positive_bias = aligned_zeros(LANES * max_blocks, W_in)
    positive_scores = aligned_zeros(LANES * max_blocks, W_in)
    output_rows = aligned_zeros(ring * width, W_in)
    updates = aligned_zeros(ring * width, W_in)
    pool_slot = np.empty(n, np.int32)  # the slot of each token's word in the current pool, or -1
    h = aligned_zeros(BLOCK * width, W_in)
    dh = aligned_zeros(BLOCK * width, W_in)
    zero = splat(0.0, load(h, 0))
    update_zero, column_zero = splat(0.0, load_update(h, 0)), splat(0.0, load_columns(h, 0))
    in_pairs = (D + COLUMNS - 1) // UPDATE_COLUMNS * UPDATE_COLUMNS

    copies_in, places_in = private_copies(W_in, schedule.private_in, width)
    copies_out, places_out = private_copies(W_out, schedule.private_out, width)
    # The loops use views that are not counted, because Numba would count references wherever a function is called.
    buffers = (
        word, position, window_start, window_end, negatives, pool_ids, rows, pool, draw_counts, bias, scores, weight,
        pool_slot, positive_rows, positive_bias, positive_scores, output_rows, updates, h, dh, copies_in, copies_out,
    )  # fmt: skip
    (
        word, position, window_start, window_end, negatives, pool_ids, rows, pool, draw_counts, bias, scores, weight,
        pool_slot, positive_rows, positive_bias, positive_scores, output_rows, updates, h, dh, copies_in, copies_out,
    ) = borrowed(buffers)  # fmt: skip

    loss = 0.0
    predictions = 0
    alpha = alpha_intercept
    pool_index = np.int64(-1)
    group = np.int64(-1)
    blocks = 0
    prefetched = 0
    entered = 0
    left = 0
    t = 0
    while t < n:
        measured = position[t] // pool_tokens != pool_index  # the pool's rows have not been trained on this tile
        if measured:
            _write_back_pool(W_out, places_out, pool, pool_ids, BLOCK * blocks, width, max_rate_out, freeze, alpha)
            if position[t] // schedule.private_tokens != group:
                exchange_private(W_in, schedule.private_in, copies_in, width, alpha, group < 0)
                exchange_private(W_out, schedule.private_out, copies_out, width, alpha, group < 0)
                group = position[t] // schedule.private_tokens
            pool_index = position[t] // pool_tokens
            first_drawn = (pool_index - first_pool) * pool_size
            words = negatives[first_drawn : first_drawn + pool_size]
            blocks = _fill_pool(words, width, W_out, places_out, pool, pool_ids, rows, draw_counts, bias)
            prefetched = first_drawn + pool_size
            for i in range(left, entered):
                pool_slot[i] = _find_in_pool(pool_ids, BLOCK * blocks, word[i])
        end = min(t + tile, n)
        alpha = alpha_intercept - slope * position[t]

        for i in range(entered, min(n, end + reach)):
            pool_slot[i] = _find_in_pool(pool_ids, BLOCK * blocks, word[i])
            a = (i & mask) * width
            prefetch_row(W_out, offset(word[min(i + PREFETCH_DISTANCE, n - 1)], width, places_out), width)
            if pool_slot[i] >= 0:
                copy_row(pool, pool_slot[i] * width, output_rows, a, width)
            else:
                copy_row(W_out, offset(word[i], width, places_out), output_rows, a, width)
        entered = min(n, end + reach)

        first = window_start[t]
        last = window_end[t]
        for k in range(BLOCK):
            i = t + k
            if i < end:
                first = min(first, window_start[i])
                last = max(last, window_end[i])
                read_input(W_in, word, i, word_starts, word_rows, h, k * width, width, places_in)
            else:
                for j in range(0, width, LANES):
                    store(h, k * width + j, zero)
            for p in range(BLOCK):
                weight[BLOCK * k + p] = negative / pool_size * (window_end[i] - window_start[i] - 1) if i < end else 0.0
        for i in range(prefetched, min(prefetched + prefetches, len(negatives))):
            prefetch_row_second_level(W_out, offset(negatives[i], width, places_out), width)
        prefetched += prefetches

        _scores(h, width, D, pool, rows, blocks, bias, scores)
        positive_blocks = (last - first + BLOCK - 1) // BLOCK
        for m in range(BLOCK * positive_blocks):
            i = first + m
            positive_rows[m] = (min(i, last - 1) & mask) * width
            for k in range(BLOCK):
                lane = LANES * (m // BLOCK) + BLOCK * k + m % BLOCK
                inside = t + k < end and i != t + k and window_start[t + k] <= i and i < window_end[t + k]
                positive_bias[lane] = 0.0 if inside else -MASKED
                if inside and pool_slot[i] >= 0:
                    scores[LANES * (pool_slot[i] // BLOCK) + BLOCK * k + pool_slot[i] % BLOCK] = MASKED
        if measured:
            loss += _negative_loss(scores, blocks, draw_counts, weight)
        _negative_coefficients(scores, blocks, draw_counts, weight, alpha)
        _scores(h, width, D, output_rows, positive_rows, positive_blocks, positive_bias, positive_scores)
        if measured:
            for q in range(positive_blocks):
                loss += reduce_add(softplus(_negated(load(positive_scores, LANES * q))))
            for i in range(t, end):
                predictions += window_end[i] - window_start[i] - 1
        _positive_coefficients(positive_scores, positive_blocks, alpha)

        for j in range(0, in_pairs, UPDATE_COLUMNS):
            _update_outputs(
                j,
                update_zero,
                h,
                width,
                pool,
                rows,
                blocks,
                scores,
                output_rows,
                updates,
                positive_rows,
                positive_blocks,
                positive_scores,
                dh,
            )
        if UPDATE_COLUMNS > COLUMNS:  # the last group of columns, if the number of groups is odd
            for j in range(in_pairs, D, COLUMNS):
                _update_outputs(
                    j,
                    column_zero,
                    h,
                    width,
                    pool,
                    rows,
                    blocks,
                    scores,
                    output_rows,
                    updates,
                    positive_rows,
                    positive_blocks,
                    positive_scores,
                    dh,
                )
        for k in range(end - t):
            square = zero
            for j in range(k * width, (k + 1) * width, LANES):
                square = fma(load(dh, j), load(dh, j), square)
            add_input_step(
                W_in,
                word[t + k],
                word_starts,
                word_rows,
                dh,
                k * width,
                width,
                square,
                max_rate_in,
                freeze,
                alpha,
                places_in,
            )

        out = n if end == n else end - reach
        for i in range(left, out):
            a = (i & mask) * width
            square = zero
            for j in range(a, a + width, LANES):
                square = fma(load(updates, j), load(updates, j), square)
            if pool_slot[i] >= 0:
                add_clipped(pool, pool_slot[i] * width, updates, a, width, square, 1.0)
            elif not is_frozen(max_rate_out, word[i], freeze):
                factor = damping(max_rate_out, word[i], alpha)
                add_clipped(W_out, offset(word[i], width, places_out), updates, a, width, square, factor)
            for j in range(a, a + width, LANES):
                store(updates, j, zero)
        left = max(left, out)
        t = end
    _write_back_pool(W_out, places_out, pool, pool_ids, BLOCK * blocks, width, max_rate_out, freeze, alpha)
    exchange_private(W_in, schedule.private_in, copies_in, width, alpha, False)
    exchange_private(W_out, schedule.private_out, copies_out, width, alpha, False)
    keep_alive(buffers)
    return loss, predictions
