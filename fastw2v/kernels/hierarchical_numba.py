"""The fused CPU kernels, which train CBOW or skip-gram with hierarchical softmax on one chunk of the corpus.

The kernels are compiled by Numba. Their specification is `fastw2v.engines.reference`. Each thread trains one chunk at a
time, one target after another, and the threads share W_in and W_nodes without locks.

A target is trained in three steps. The hidden vectors are multiplied by the rows of the path, four at a time. The
scores give the coefficients ``alpha * sign * sigmoid(-sign * score)``, where the sign of a step is 1 for code 0 and -1
for code 1. Then each row of the path is read again, added to the gradients and updated.

The inner nodes near the root are on the paths of most targets. Each thread trains private copies of their rows and
writes them back after some tokens, so that threads rarely write to the same rows. The nodes below them and the rows of
frequent words are copied as well, for more tokens, because they are used less often. The other rows are prefetched.
`docs/concepts/kernels.md` explains the design and has the measurements.

In this module, tables are indexed like flat arrays, and a row is given by the offset of its first element. The private
rows are addressed relative to W_nodes as well: their offset is the distance between the two arrays in memory. The inner
loops therefore do not distinguish the two kinds of rows.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastw2v.kernels.compilation import compiled, inlined
from fastw2v.kernels.rows_numba import (
    PREFETCH_DISTANCE,
    aligned_zeros,
    copy_row,
    damping,
    exchange_private,
    is_frozen,
    prefetch_row,
    private_copies,
    ring_size,
)
from fastw2v.kernels.simd import (
    COLUMNS,
    LANES,
    REGISTERS,
    absolute,
    add_products,
    borrowed,
    broadcast_load_columns,
    exp_minus,
    first_lanes,
    fma,
    hadd,
    hadd_groups,
    keep_alive,
    load,
    load_columns,
    load_rows,
    log,
    maximum,
    parity_signs,
    prefetch,
    reduce_add,
    repeat_group,
    splat,
    store,
    store_rows,
    where_positive,
)
from fastw2v.kernels.subwords_numba import (
    add_input_step,
    read_context,
    read_input,
)
from fastw2v.kernels.word2vec_numba import BLOCK, add_window_gradient, subsample_chunk

__all__ = ["Tree", "cbow_hs", "skipgram_hs"]


TWO, FOUR, SIX, EIGHT, TEN = (0,) * 2, (0,) * 4, (0,) * 6, (0,) * 8, (0,) * 10
"""Numbers of rows, as the lengths of tuples, because Numba compiles code for each length."""
MAX_FACTORS = 64
"""Number of factors up to 2 whose product is taken. In single precision, 127 would not overflow."""


class Tree(NamedTuple):
    """The paths to the words. A step is ``2 * node + code``."""

    starts: Any
    """int64 array, shape (V + 1,): the path of word w has the steps ``starts[w]`` to ``starts[w + 1] - 1``."""
    steps: Any
    """int32 array with `LANES` more elements than steps, because whole vectors are read."""
    longest: int
    """Number of steps of the longest path."""


@inlined
def _prefetch_path(starts: Any, steps: Any, word: Any, width: Any, W: Any, first_private: Any) -> None:
    """Prefetch the rows of W at the end of the path to a word, whose nodes are below `first_private`."""
    i = starts[word + 1] - 1
    while i >= starts[word] and steps[i] >> 1 < first_private:
        prefetch_row(W, np.int64(steps[i] >> 1) * width, width)
        i -= 1


@inlined
def _hold(W: Any, first: Any, held: Any) -> None:
    """Copy the rows from offset `first` on to both halves of `held`: the rows to train, and a snapshot of them."""
    for j in range(0, len(held) // 2, LANES):
        v = load(W, first + j)
        store(held, j, v)
        store(held, len(held) // 2 + j, v)


@inlined
def _write_back(W: Any, first: Any, held: Any, width: Any, max_rate: Any, freeze: Any, alpha: Any) -> None:
    """Scale the updates that the private rows have received since `_hold`, and add them to the rows of W.

    The last row is that of the root, to which the first element of `max_rate` belongs.
    """
    count = len(held) // 2 // width
    for m in range(count):
        if not is_frozen(max_rate, count - 1 - m, freeze):
            factor = splat(damping(max_rate, count - 1 - m, alpha), load(held, 0))
            for j in range(m * width, (m + 1) * width, LANES):
                update = load(held, j) - load(held, len(held) // 2 + j)
                store(W, first + j, fma(factor, update, load(W, first + j)))


@inlined
def _read_rows(steps: Any, at: Any, width: Any, places: Any, rows: Any, i: Any) -> None:
    """Write the offsets of a block of four rows of a path, or of their copies, to `rows`.

    `places` contains the first held node and the distance of its copies, and the same for the private nodes below.

    The rows after the end of a path belong to the next path. Their coefficients are 0.
    """
    first_held, shift, first_private, distance = places
    for k in range(i, i + BLOCK):
        node = np.int64(steps[at + k] >> 1)
        rows[k] = node * width + (shift if node >= first_held else distance if node >= first_private else 0)


@inlined
def _coefficients(scores: Any, i: Any, sign: Any, alpha: Any, losses: Any) -> Any:
    """Replace `LANES` scores by the coefficients ``alpha * sign * sigmoid(-sign * score)``, and add their losses.

    A sign of 0 marks padding, whose coefficient and loss are 0. `losses` consists of three values. The loss of a score
    is ``softplus(s) = max(s, 0) + log(1 + exp(-|s|))`` with ``s = -sign * score``. The first value is the sum of the
    losses, in which the logarithms of the last scores are missing. The second is the product of their arguments,
    because one logarithm of a product is faster than a sum of logarithms. The third is the number of factors.
    """
    total, product, count = losses
    s = splat(0.0, sign) - sign * load(scores, i)
    one = splat(1.0, s)
    tail = exp_minus(absolute(s))
    store(scores, i, splat(alpha, s) * sign * where_positive(s, one, tail) / (one + tail))
    total = total + maximum(s, splat(0.0, s))
    product = product * fma(sign * sign, tail, one)
    if count + 1 == MAX_FACTORS:
        return total + log(product), one, 0
    return total, product, count + 1


@inlined
def _products(h: Any, D: Any, W: Any, rows: Any, i: Any) -> Any:
    """Return the partial dot products of a vector and four rows."""
    a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    s0 = s1 = s2 = s3 = splat(0.0, load_columns(h, 0))
    for j in range(0, D, COLUMNS):
        v = load_columns(h, j)
        s0 = fma(v, load_columns(W, a + j), s0)
        s1 = fma(v, load_columns(W, b + j), s1)
        s2 = fma(v, load_columns(W, c + j), s2)
        s3 = fma(v, load_columns(W, d + j), s3)
    return hadd(hadd(s0, s1), hadd(s2, s3))


@compiled
def cbow_hs(
    W_in: Any,
    W_nodes: Any,
    ids: Any,
    offsets: Any,
    start: Any,
    stop: Any,
    sampling: Any,
    schedule: Any,
    tree: Any,
    alpha_intercept: Any,
) -> Any:
    """Train CBOW in place on a chunk of the corpus.

    For a target whose path has the inner nodes n and the signs s, the loss is
    ``-sum(log sigmoid(s * (h @ W_nodes[n])))``, where h is the mean of the rows of W_in of the contexts.
    `fastw2v.engines.reference` specifies the schedule.

    Parameters
    ----------
    W_in, W_nodes : float32 or float64 array, shape (V, width)
        Separate tables. Rows are padded with zeros to a multiple of `LANES`. The last row of W_nodes is not used.
    ids, offsets, start, stop, alpha_intercept
        See `cbow_ns`.
    sampling : Sampling
        The tables of the noise distribution are not used.
    schedule : Schedule
        The thread copies the rows of the `pool_size` inner nodes nearest to the root, and writes them back after
        `pool_tokens` tokens of the corpus. ``max_rate_out[i]`` belongs to the inner node ``V - 2 - i``, so that the
        root comes first. The rows in `private_out` are those of the nodes right below these nodes. `negative` and
        `tile` are not used.
    tree : Tree

    Returns
    -------
    loss : float
        Loss, summed over all targets.
    predictions : int
        Number of targets.

    Notes
    -----
    *Parallel axis.* A call uses one thread and trains the targets of its chunk in order. Several threads may train
    different chunks with the same tables. The lanes of a vector are columns of a row.

    *Contract.* With one thread, the result equals that of the reference implementation up to rounding. With several
    threads, updates of shared rows may be lost. The padding of the rows stays zero.

    The window sums and their gradients are computed as in `cbow_ns`.
    """
    sampling, schedule, tree = borrowed(sampling), borrowed(schedule), borrowed(tree)
    ids, offsets = borrowed(ids), borrowed(offsets)
    reach, slope = sampling.reach, schedule.slope
    starts, steps, grad_scale = tree.starts, tree.steps, schedule.cbow_grad_scale
    max_rate_in, max_rate_nodes, freeze = schedule.max_rate_in, schedule.max_rate_out, schedule.freeze
    word_starts, word_rows = schedule.subword_starts, schedule.subword_rows
    W_in, W_nodes = borrowed(W_in), borrowed(W_nodes)
    word, position, window_start, window_end = subsample_chunk(ids, offsets, start, stop, sampling)
    n = len(word)
    if n == 0:
        return 0.0, 0
    width, D = W_in.shape[1], schedule.dimensions
    first_held = len(W_nodes) - 1 - schedule.pool_size
    frozen = is_frozen(max_rate_nodes, 0, freeze)
    held = aligned_zeros(2 * schedule.pool_size * width, W_nodes)
    shift = (held.ctypes.data - W_nodes.ctypes.data) // W_nodes.itemsize - first_held * width
    copies_in, places_in = private_copies(W_in, schedule.private_in, width)
    copies_out, (count, distance, _) = private_copies(W_nodes, schedule.private_out, width)
    first_private = first_held - count
    places = first_held, shift, first_private, distance - first_private * width

    longest = LANES * ((tree.longest + LANES - 1) // LANES)
    rows = np.empty(longest, np.int64)
    products = aligned_zeros(longest // BLOCK * COLUMNS, W_in)
    scores = aligned_zeros(longest, W_in)
    ring = ring_size(2 * min(reach, n) + 2)
    mask = ring - 1
    row_sums = aligned_zeros(ring * width, W_in)
    gradient_diff = aligned_zeros(ring * width, W_in)
    gradient_sum = aligned_zeros(width, W_in)
    h = aligned_zeros(width, W_in)
    zero, column_zero = splat(0.0, load(h, 0)), splat(0.0, load_columns(h, 0))
    # The loops use views that are not counted, because Numba would count references wherever a function is called.
    buffers = (
        word, position, window_start, window_end, held, rows, products, scores, row_sums, gradient_diff, gradient_sum,
        h, copies_in, copies_out,
    )  # fmt: skip
    (
        word, position, window_start, window_end, held, rows, products, scores, row_sums, gradient_diff, gradient_sum,
        h, copies_in, copies_out,
    ) = borrowed(buffers)  # fmt: skip

    loss = 0.0
    losses = zero, splat(1.0, zero), 0  # of the targets since the private rows were read
    alpha = alpha_intercept
    entered = 0
    left = 0
    group = np.int64(-1)
    exchange = np.int64(-1)
    for t in range(n):
        if position[t] // schedule.pool_tokens != group:
            if group >= 0:
                _write_back(W_nodes, first_held * width, held, width, max_rate_nodes, freeze, alpha)
            loss += reduce_add(losses[0] + log(losses[1]))
            losses = zero, splat(1.0, zero), 0
            if position[t] // schedule.private_tokens != exchange:
                exchange_private(W_in, schedule.private_in, copies_in, width, alpha, exchange < 0)
                exchange_private(W_nodes, schedule.private_out, copies_out, width, alpha, exchange < 0)
                exchange = position[t] // schedule.private_tokens
            group = position[t] // schedule.pool_tokens
            _hold(W_nodes, first_held * width, held)
        alpha = alpha_intercept - slope * position[t]
        for i in range(entered, min(n, t + 1 + reach)):
            a = (i & mask) * width
            b = ((i + 1) & mask) * width
            # h is free until the means of the contexts are stored in it.
            read_context(W_in, word, i, word_starts, word_rows, h, row_sums, a, b, width, places_in)
        entered = min(n, t + 1 + reach)

        a = (window_start[t] & mask) * width
        b = (window_end[t] & mask) * width
        own, own_end = (t & mask) * width, ((t + 1) & mask) * width
        contexts = window_end[t] - window_start[t] - 1
        scale = splat(grad_scale[contexts], column_zero)
        inverse = splat(1.0 / contexts, zero)
        for j in range(0, width, LANES):
            own_row = load(row_sums, own_end + j) - load(row_sums, own + j)
            store(h, j, (load(row_sums, b + j) - load(row_sums, a + j) - own_row) * inverse)

        prefetch(steps, starts[word[min(t + 2 * PREFETCH_DISTANCE, n - 1)]])
        _prefetch_path(starts, steps, word[min(t + PREFETCH_DISTANCE, n - 1)], width, W_nodes, first_private)
        begin = starts[word[t]]
        length = starts[word[t] + 1] - begin
        for i in range(0, length, BLOCK):
            _read_rows(steps, begin, width, places, rows, i)
            store(products, i // BLOCK * COLUMNS, _products(h, D, W_nodes, rows, i))
        for i in range(0, length, LANES):
            block = i // BLOCK * COLUMNS
            s0, s1 = load_columns(products, block), load_columns(products, block + COLUMNS)
            s2, s3 = load_columns(products, block + 2 * COLUMNS), load_columns(products, block + 3 * COLUMNS)
            store(scores, i, hadd_groups(s0, s1, s2, s3))
            sign = parity_signs(steps, begin + i, zero) * first_lanes(length - i, zero)
            losses = _coefficients(scores, i, sign, alpha, losses)
        for j in range(0, D, COLUMNS):
            v = load_columns(h, j)
            d = splat(0.0, v)
            for i in range(length):
                w = load_columns(W_nodes, rows[i] + j)
                g = broadcast_load_columns(scores, i)
                d = fma(g, w, d)
                if not frozen:
                    store(W_nodes, rows[i] + j, fma(g, v, w))
            d = d * scale
            add_window_gradient(gradient_diff, j, d, a, b)
            add_window_gradient(gradient_diff, j, splat(0.0, d) - d, own, own_end)  # a target is not its own context

        out = n if t + 1 == n else t + 1 - reach
        for i in range(left, out):
            a = (i & mask) * width
            square = zero
            for j in range(0, width, LANES):
                step = load(gradient_sum, j) + load(gradient_diff, a + j)
                store(gradient_sum, j, step)
                store(gradient_diff, a + j, zero)
                square = fma(step, step, square)
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
    _write_back(W_nodes, first_held * width, held, width, max_rate_nodes, freeze, alpha)
    exchange_private(W_in, schedule.private_in, copies_in, width, alpha, False)
    exchange_private(W_nodes, schedule.private_out, copies_out, width, alpha, False)
    keep_alive(buffers)
    return loss + reduce_add(losses[0] + log(losses[1])), n


@inlined
def _score_block(contexts: Any, at: Any, g: Any, D: Any, W: Any, path: Any, i: Any) -> Any:
    """Return the scores of four contexts and four rows of the path. Lane ``4 * context + row`` is a pair's score.

    The offsets of the rows are ``at[g]`` and ``path[i]`` and the next three elements of each array.
    """
    if REGISTERS > 16:
        ab, cd = _products_of_four(contexts, at, g, D, W, path, i)
    else:
        ab = _products_of_two(contexts, at, g, D, W, path, i)
        cd = _products_of_two(contexts, at, g, D, W, path, i + 2)
    return hadd_groups(hadd(ab[0], cd[0]), hadd(ab[1], cd[1]), hadd(ab[2], cd[2]), hadd(ab[3], cd[3]))


@inlined
def _products_of_four(contexts: Any, at: Any, g: Any, D: Any, W: Any, path: Any, i: Any) -> Any:
    """Return the partial dot products of four contexts and four rows, in vectors that combine two rows each."""
    a, b, c, d = path[i], path[i + 1], path[i + 2], path[i + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0, load_columns(W, a))
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = a0
    for j in range(0, D, COLUMNS):
        h0, h1, h2, h3 = load_rows(contexts, at, g, j, FOUR)
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
def _products_of_two(contexts: Any, at: Any, g: Any, D: Any, W: Any, path: Any, i: Any) -> Any:
    """Return the partial dot products of four contexts and two rows. The sums and factors fit in sixteen registers."""
    a, b = path[i], path[i + 1]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0, load_columns(W, a))
    for j in range(0, D, COLUMNS):
        h0, h1, h2, h3 = load_rows(contexts, at, g, j, FOUR)
        v = load_columns(W, a + j)
        a0, a1, a2, a3 = fma(h0, v, a0), fma(h1, v, a1), fma(h2, v, a2), fma(h3, v, a3)
        v = load_columns(W, b + j)
        b0, b1, b2, b3 = fma(h0, v, b0), fma(h1, v, b1), fma(h2, v, b2), fma(h3, v, b3)
    return hadd(a0, b0), hadd(a1, b1), hadd(a2, b2), hadd(a3, b3)


@inlined
def _score_pair(contexts: Any, at: Any, g: Any, D: Any, W: Any, path: Any, i: Any) -> Any:
    """Return the same as `_score_block` for two contexts. The lanes of the other two are zero."""
    a, b, c, d = path[i], path[i + 1], path[i + 2], path[i + 3]
    a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = splat(0.0, load_columns(W, a))
    for j in range(0, D, COLUMNS):
        h0, h1 = load_rows(contexts, at, g, j, TWO)
        v = load_columns(W, a + j)
        a0, a1 = fma(h0, v, a0), fma(h1, v, a1)
        v = load_columns(W, b + j)
        b0, b1 = fma(h0, v, b0), fma(h1, v, b1)
        v = load_columns(W, c + j)
        c0, c1 = fma(h0, v, c0), fma(h1, v, c1)
        v = load_columns(W, d + j)
        d0, d1 = fma(h0, v, d0), fma(h1, v, d1)
    zero = splat(0.0, a0)
    return hadd_groups(hadd(hadd(a0, b0), hadd(c0, d0)), hadd(hadd(a1, b1), hadd(c1, d1)), zero, zero)


@inlined
def _update_path(
    contexts: Any,
    updates: Any,
    at: Any,
    count: Any,
    D: Any,
    W: Any,
    rows: Any,
    old: Any,
    length: Any,
    scores: Any,
    frozen: Any,
) -> None:
    """Update the rows of the path, and add the products of their old values to the updates of the contexts.

    ``rows[i]`` is the offset of row i of the path, and ``rows[old + i]`` that of its value before any update. A group
    of up to ten contexts reads and writes each row once.
    """
    g = 0
    while g < count:
        # A group that others follow has eight contexts, because scores are in groups of four.
        rest = count - g if count - g <= len(TEN) else len(EIGHT)
        if rest > len(EIGHT):
            _update_with(contexts, updates, at, g, D, W, rows, old, length, scores, frozen, TEN)
        elif rest > len(SIX):
            _update_with(contexts, updates, at, g, D, W, rows, old, length, scores, frozen, EIGHT)
        elif rest > len(FOUR):
            _update_with(contexts, updates, at, g, D, W, rows, old, length, scores, frozen, SIX)
        elif rest > len(TWO):
            _update_with(contexts, updates, at, g, D, W, rows, old, length, scores, frozen, FOUR)
        else:
            _update_with(contexts, updates, at, g, D, W, rows, old, length, scores, frozen, TWO)
        g += rest


@inlined
def _update_with(
    contexts: Any,
    updates: Any,
    at: Any,
    g: Any,
    D: Any,
    W: Any,
    rows: Any,
    old: Any,
    length: Any,
    scores: Any,
    frozen: Any,
    size: Any,
) -> None:
    """Do the same as `_update_path` for as many contexts, from context g on, as the tuple `size` has elements."""
    longest = len(rows) // 2  # scores of a context
    for j in range(0, D, COLUMNS):
        h, d = load_rows(contexts, at, g, j, size), load_rows(updates, at, g, j, size)
        for i in range(length):
            first = g * longest + i // BLOCK * LANES + i % BLOCK
            v, s = load_columns(W, rows[old + i] + j), load_columns(W, rows[i] + j)
            d, s = add_products(scores, first, BLOCK * longest, v, h, d, s)
            if not frozen:
                store(W, rows[i] + j, s)
        store_rows(updates, at, g, j, d)


@compiled
def skipgram_hs(
    W_in: Any,
    W_nodes: Any,
    ids: Any,
    offsets: Any,
    start: Any,
    stop: Any,
    sampling: Any,
    schedule: Any,
    tree: Any,
    alpha_intercept: Any,
) -> Any:
    """Train skip-gram in place on a chunk of the corpus.

    For a target whose path has the inner nodes n and the signs s, and for its contexts c, the loss is
    ``-sum(log sigmoid(s * (W_in[c] @ W_nodes[n])))``. Each context predicts the target, as in word2vec.c. The schedule
    is that of `fastw2v.engines.reference`.

    Parameters
    ----------
    W_in, W_nodes, ids, offsets, start, stop, sampling, schedule, tree, alpha_intercept
        See `cbow_hs`.

    Returns
    -------
    loss : float
        Loss, summed over all pairs of a target and a context.
    predictions : int
        Number of these pairs.

    Notes
    -----
    The parallel axis and the contract are those of `cbow_hs`.

    A ring buffer stores the rows of the tokens that windows can still reach, and another one their steps. The contexts
    are scored in groups of four against blocks of four rows of the path. Up to ten contexts update each row together.
    More contexts do so in several groups, all of which read a copy of the old rows.
    """
    sampling, schedule, tree = borrowed(sampling), borrowed(schedule), borrowed(tree)
    ids, offsets = borrowed(ids), borrowed(offsets)
    reach, slope = sampling.reach, schedule.slope
    starts, steps = tree.starts, tree.steps
    max_rate_in, max_rate_nodes, freeze = schedule.max_rate_in, schedule.max_rate_out, schedule.freeze
    word_starts, word_rows = schedule.subword_starts, schedule.subword_rows
    W_in, W_nodes = borrowed(W_in), borrowed(W_nodes)
    word, position, window_start, window_end = subsample_chunk(ids, offsets, start, stop, sampling)
    n = len(word)
    if n == 0:
        return 0.0, 0
    width, D = W_in.shape[1], schedule.dimensions
    first_held = len(W_nodes) - 1 - schedule.pool_size
    frozen = is_frozen(max_rate_nodes, 0, freeze)
    held = aligned_zeros(2 * schedule.pool_size * width, W_nodes)
    shift = (held.ctypes.data - W_nodes.ctypes.data) // W_nodes.itemsize - first_held * width
    copies_in, places_in = private_copies(W_in, schedule.private_in, width)
    copies_out, (count, distance, _) = private_copies(W_nodes, schedule.private_out, width)
    first_private = first_held - count
    places = first_held, shift, first_private, distance - first_private * width

    longest = LANES * ((tree.longest + LANES - 1) // LANES)
    ring = ring_size(2 * min(reach, n) + 1)
    mask = ring - 1
    at = np.empty(2 * min(reach, n) + BLOCK, np.int64)  # ring offsets of the contexts' rows
    path = aligned_zeros(longest * width, W_nodes)  # copies of the rows of a path, if they are needed
    rows = np.empty(2 * longest, np.int64)  # offsets of the rows of a path, and then of their copies
    for i in range(longest):
        rows[longest + i] = (path.ctypes.data - W_nodes.ctypes.data) // W_nodes.itemsize + i * width
    signs = aligned_zeros(longest, W_in)
    scores = aligned_zeros(len(at) * longest, W_in)
    context_rows = aligned_zeros((ring + 1) * width, W_in)  # the last row is padding
    updates = aligned_zeros((ring + 1) * width, W_in)
    zero = splat(0.0, load(context_rows, 0))
    # The loops use views that are not counted, because Numba would count references wherever a function is called.
    buffers = (
        word, position, window_start, window_end, held, at, path, rows, signs, scores, context_rows, updates,
        copies_in, copies_out,
    )  # fmt: skip
    (
        word, position, window_start, window_end, held, at, path, rows, signs, scores, context_rows, updates,
        copies_in, copies_out,
    ) = borrowed(buffers)  # fmt: skip

    loss = 0.0
    losses = zero, splat(1.0, zero), 0  # of the targets since the private rows were read
    predictions = 0
    alpha = alpha_intercept
    entered = 0
    left = 0
    group = np.int64(-1)
    exchange = np.int64(-1)
    for t in range(n):
        if position[t] // schedule.pool_tokens != group:
            if group >= 0:
                _write_back(W_nodes, first_held * width, held, width, max_rate_nodes, freeze, alpha)
            loss += reduce_add(losses[0] + log(losses[1]))
            losses = zero, splat(1.0, zero), 0
            if position[t] // schedule.private_tokens != exchange:
                exchange_private(W_in, schedule.private_in, copies_in, width, alpha, exchange < 0)
                exchange_private(W_nodes, schedule.private_out, copies_out, width, alpha, exchange < 0)
                exchange = position[t] // schedule.private_tokens
            group = position[t] // schedule.pool_tokens
            _hold(W_nodes, first_held * width, held)
        alpha = alpha_intercept - slope * position[t]
        for i in range(entered, min(n, t + 1 + reach)):
            a = (i & mask) * width
            read_input(W_in, word, i, word_starts, word_rows, context_rows, a, width, places_in)
        entered = min(n, t + 1 + reach)

        contexts = 0
        for i in range(window_start[t], window_end[t]):
            at[contexts] = (i & mask) * width
            contexts += i != t
        predictions += contexts
        at[contexts : BLOCK * ((contexts + BLOCK - 1) // BLOCK)] = ring * width

        prefetch(steps, starts[word[min(t + 2 * PREFETCH_DISTANCE, n - 1)]])
        _prefetch_path(starts, steps, word[min(t + PREFETCH_DISTANCE, n - 1)], width, W_nodes, first_private)
        begin = starts[word[t]]
        length = starts[word[t] + 1] - begin
        for i in range(0, length, LANES):
            store(signs, i, parity_signs(steps, begin + i, zero) * first_lanes(length - i, zero))
        for i in range(0, length, BLOCK):
            _read_rows(steps, begin, width, places, rows, i)
        old = 0
        if contexts > len(TEN):  # the first contexts update the rows before the others read them
            old = longest
            for i in range(BLOCK * ((length + BLOCK - 1) // BLOCK)):
                copy_row(W_nodes, rows[i], path, i * width, width)
        # The last one or two contexts are scored as a pair, because a group of four would waste half of the work.
        grouped = BLOCK * ((contexts + 1) // BLOCK)
        for g in range(0, grouped, BLOCK):
            for i in range(0, length, BLOCK):
                store(scores, g * longest + i * BLOCK, _score_block(context_rows, at, g, D, W_nodes, rows, i))
        if grouped < contexts:
            for i in range(0, length, BLOCK):
                pair = _score_pair(context_rows, at, grouped, D, W_nodes, rows, i)
                store(scores, grouped * longest + i * BLOCK, pair)
        for g in range(0, contexts, BLOCK):
            present = first_lanes(BLOCK * (contexts - g), zero)
            for i in range(0, length, BLOCK):
                sign = repeat_group(signs, i) * present
                losses = _coefficients(scores, g * longest + i * BLOCK, sign, alpha, losses)
        _update_path(context_rows, updates, at, contexts, D, W_nodes, rows, old, length, scores, frozen)

        out = n if t + 1 == n else t + 1 - reach
        for i in range(left, out):
            a = (i & mask) * width
            square = zero
            for j in range(a, a + width, LANES):
                square = fma(load(updates, j), load(updates, j), square)
            add_input_step(
                W_in,
                word[i],
                word_starts,
                word_rows,
                updates,
                a,
                width,
                square,
                max_rate_in,
                freeze,
                alpha,
                places_in,
            )
            for j in range(a, a + width, LANES):
                store(updates, j, zero)
        left = max(left, out)
    _write_back(W_nodes, first_held * width, held, width, max_rate_nodes, freeze, alpha)
    exchange_private(W_in, schedule.private_in, copies_in, width, alpha, False)
    exchange_private(W_nodes, schedule.private_out, copies_out, width, alpha, False)
    keep_alive(buffers)
    return loss + reduce_add(losses[0] + log(losses[1])), predictions
