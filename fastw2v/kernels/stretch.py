"""CBOW and skip-gram with negative sampling over one stretch of the corpus, compiled by Numba.

`cbow_ns` and `skipgram_ns` do what `fastw2v.kernels.naive` does, in one pass and without leaving the cache. Four
targets at a time are scored against four rows at a time: sixteen products in registers while the rows are walked
once, or twice eight where there are fewer registers (`_scores`), then coefficients for sixteen pairs at a time
(`_noise`, `_pull`), then one more walk along the rows in which each is read, adds to the four gradients, takes its own
four updates and is written (`_train`). The ring buffers hold what can still be reached by a window, and the rows of a
pool are copied for as long as it is in use, so that threads seldom write to the same rows; `docs/kernels.md` shows the
machine code and the figures.

Everything a function needs is passed in flat arrays, and rows are named by the offset of their first element.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from fastw2v import draws
from fastw2v.kernels.schedule import LONGEST_STEP
from fastw2v.kernels.simd import (
    COLUMNS,
    LANES,
    REGISTERS,
    compiled,
    exp_minus,
    fma,
    fold_groups,
    fold_pairs,
    larger,
    load,
    load_columns,
    log,
    lowest_bit,
    magnitude,
    matches,
    number,
    prefetch,
    spread,
    spread_columns,
    store,
    total,
    where_positive,
)

SIDE = 4
"""Rows in a block, and most targets in a tile: their products are one vector."""
AHEAD = 12
"""Kept tokens between asking for a row and using it."""
MASKED = -1e30
"""Score of a pair that does not count: its probability and its loss are exactly 0."""

_GOLDEN = np.uint64(draws.GOLDEN)
_MIX_1 = np.uint64(draws.MIX_1)
_MIX_2 = np.uint64(draws.MIX_2)
_LOW = np.uint64(0xFFFFFFFF)


@njit
def _bits(key: Any, position: Any) -> Any:
    """`fastw2v.draws.bits`."""
    z = _GOLDEN * (np.uint64(position) + np.uint64(1)) + key
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@njit
def _below(random: Any, n: Any) -> Any:
    """`fastw2v.draws.below`."""
    return np.int64(((random >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@njit
def _kept(ids: Any, offsets: Any, start: Any, stop: Any, keep: Any, keys: Any, window: Any, shrink_windows: Any) -> Any:
    """Return the tokens that subsampling keeps: words, places in the corpus, and the bounds of their windows."""
    word = np.empty(stop - start + 1, np.int32)  # one more, as the next place is written before it is known kept
    place = np.empty(stop - start + 1, np.int64)
    low = np.empty(stop - start + 1, np.int32)
    high = np.empty(stop - start + 1, np.int32)
    n = 0
    sentence = np.searchsorted(offsets, start, side="right")
    begin_token = start
    while begin_token < stop:
        begin = n
        end_token = min(offsets[sentence], stop)
        for i in range(begin_token, end_token):
            word[n] = ids[i]
            place[n] = i
            n += (_bits(keys[0], i) & _LOW) < keep[ids[i]]
        if n - begin < 2:  # a word alone has no context
            n = begin
        for t in range(begin, n):
            width = window
            if shrink_windows:
                width = _below(_bits(keys[1], place[t]), window) + 1
            low[t] = max(begin, t - width)
            high[t] = min(n, t + width + 1)
        begin_token = end_token
        sentence += 1
    return word[:n], place[:n], low[:n], high[:n]


@njit
def _drawn(first: Any, last: Any, size: Any, threshold: Any, alias: Any, key: Any) -> Any:
    """Return the negatives of the pools from number `first` to `last` - 1."""
    words = np.empty((last - first) * size, np.int32)
    for pool in range(first, last):
        row = _bits(key, pool)
        for k in range(size):
            random = _bits(row, k)
            slot = _below(random, len(alias))
            words[(pool - first) * size + k] = slot if (random & _LOW) < threshold[slot] else alias[slot]
    return words


@njit
def _zeros(size: Any, like: Any) -> Any:
    """Return zeros that start at a cache line: a vector that straddles two lines costs two reads."""
    buffer = np.zeros(size + LANES, like.dtype)
    skip = (-(buffer.ctypes.data // buffer.itemsize)) % LANES
    return buffer[skip : skip + size]


@njit
def _fetch(W: Any, row: Any, width: Any) -> None:
    for j in range(0, width, LANES):
        prefetch(W, row + j)


@njit
def _fill_pool(words: Any, width: Any, W: Any, pool: Any, ids: Any, rows: Any, times: Any, bias: Any) -> Any:
    """Copy a pool of negatives and lay it out in blocks of four rows; return their number.

    `pool` has each row twice: as it is trained, and, in the second half, as it was read. As long as a pool is in use
    its rows are this thread's own: frequent words are in nearly every pool, and a row that several threads change at
    every tile is sent from one processor's cache to the other's each time, which halved the speed of two threads.

    A word drawn several times is one row that counts as often, so that no row is in the pool twice: a row is read,
    used and updated at once, which the second copy would see.
    `times` and `bias` have a number for each pair of target and row, in the order of the scores' lanes.
    """
    n = 0
    for word in words:
        m = 0
        while m < n and ids[m] != word:
            m += 1
        lane = LANES * (m // SIDE) + m % SIDE
        if m == n:
            ids[m] = word
            rows[m] = m * width
            n += 1
            times[lane] = 0
            row = np.int64(word) * width
            for j in range(0, width, LANES):
                v = load(W, row + j)
                store(pool, m * width + j, v)
                store(pool, len(pool) // 2 + m * width + j, v)
        for k in range(0, LANES, SIDE):
            bias[lane + k] = 0
            times[lane + k] = times[lane] + (k == 0)
    blocks = (n + SIDE - 1) // SIDE
    ids[n:] = -1
    for m in range(n, SIDE * blocks):
        rows[m] = rows[0]
        for k in range(0, LANES, SIDE):
            lane = LANES * (m // SIDE) + m % SIDE + k
            bias[lane] = MASKED
            times[lane] = 0
    return blocks


@njit
def _part(limit: Any, word: Any, rate: Any) -> Any:
    """Return what a step of a word's row is multiplied by, see `fastw2v.kernels.crowd`."""
    return limit[word] / rate if word < len(limit) and limit[word] < rate else 1.0


@njit
def _return_pool(W: Any, pool: Any, ids: Any, size: Any, width: Any, limit: Any, rate: Any) -> None:
    """Add to the rows of W what a pool's rows have learnt since they were copied, or part of it."""
    for m in range(size):
        if ids[m] >= 0:
            row = np.int64(ids[m]) * width
            part = number(_part(limit, ids[m], rate), load(pool, 0))
            for j in range(0, width, LANES):
                learnt = load(pool, m * width + j) - load(pool, len(pool) // 2 + m * width + j)
                store(W, row + j, fma(part, learnt, load(W, row + j)))


@njit
def _find(ids: Any, size: Any, word: Any) -> Any:
    """Return the place of a word in the pool, or -1."""
    for m in range(0, size, LANES):
        found = matches(ids, m, word)
        if found:
            return m + lowest_bit(found)
    return -1


@njit
def _scores(h: Any, width: Any, W: Any, rows: Any, blocks: Any, bias: Any, scores: Any) -> None:
    """Score four targets against every block of four rows: lane ``4 * target + row`` of the block's vector."""
    for q in range(blocks):
        a, b, c, d = rows[4 * q], rows[4 * q + 1], rows[4 * q + 2], rows[4 * q + 3]
        if REGISTERS > 16:
            ab, cd = _products(h, width, W, a, b, c, d)
        else:
            ab, cd = _products_of_two(h, width, W, a, b), _products_of_two(h, width, W, c, d)
        s0 = fold_pairs(ab[0], cd[0])
        s1 = fold_pairs(ab[1], cd[1])
        s2 = fold_pairs(ab[2], cd[2])
        s3 = fold_pairs(ab[3], cd[3])
        store(scores, LANES * q, fold_groups(s0, s1, s2, s3) + load(bias, LANES * q))


@njit
def _products(h: Any, width: Any, W: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Multiply four targets with four rows: sixteen sums, folded to pairs of rows; the targets are loaded once."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = number(0.0, load_columns(h, 0))
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = a0
    for j in range(0, width, COLUMNS):
        h0, h1, h2, h3 = _columns(h, width, j)
        v = load_columns(W, a + j)
        a0, a1, a2, a3 = fma(h0, v, a0), fma(h1, v, a1), fma(h2, v, a2), fma(h3, v, a3)
        v = load_columns(W, b + j)
        b0, b1, b2, b3 = fma(h0, v, b0), fma(h1, v, b1), fma(h2, v, b2), fma(h3, v, b3)
        v = load_columns(W, c + j)
        c0, c1, c2, c3 = fma(h0, v, c0), fma(h1, v, c1), fma(h2, v, c2), fma(h3, v, c3)
        v = load_columns(W, d + j)
        d0, d1, d2, d3 = fma(h0, v, d0), fma(h1, v, d1), fma(h2, v, d2), fma(h3, v, d3)
    ab = fold_pairs(a0, b0), fold_pairs(a1, b1), fold_pairs(a2, b2), fold_pairs(a3, b3)
    cd = fold_pairs(c0, d0), fold_pairs(c1, d1), fold_pairs(c2, d2), fold_pairs(c3, d3)
    return ab, cd


@njit
def _products_of_two(h: Any, width: Any, W: Any, a: Any, b: Any) -> Any:
    """Multiply four targets with two rows: eight sums, which with what is multiplied fit sixteen registers."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = number(0.0, load_columns(h, 0))
    for j in range(0, width, COLUMNS):
        h0, h1, h2, h3 = _columns(h, width, j)
        v = load_columns(W, a + j)
        a0, a1, a2, a3 = fma(h0, v, a0), fma(h1, v, a1), fma(h2, v, a2), fma(h3, v, a3)
        v = load_columns(W, b + j)
        b0, b1, b2, b3 = fma(h0, v, b0), fma(h1, v, b1), fma(h2, v, b2), fma(h3, v, b3)
    return fold_pairs(a0, b0), fold_pairs(a1, b1), fold_pairs(a2, b2), fold_pairs(a3, b3)


@njit
def _noise(scores: Any, blocks: Any, times: Any, weight: Any, rate: Any) -> Any:
    """Turn the pool's scores into the coefficients ``-rate * weight * sigmoid(score)``; return the loss.

    The loss is ``softplus(score) = max(score, 0) + log(1 + exp(-|score|))``, with one logarithm for the product of
    up to 64 blocks; the same exponential gives the sigmoid.
    """
    share = load(weight, 0)
    zero = number(0.0, share)
    one = number(1.0, share)
    pull = number(-rate, share) * share
    product = one
    loss = zero
    for q in range(blocks):
        s = load(scores, LANES * q)
        count = load(times, LANES * q)
        tail = exp_minus(magnitude(s))
        u = one + tail
        loss = fma(count, larger(s, zero), loss)
        if max(times[LANES * q], times[LANES * q + 1], times[LANES * q + 2], times[LANES * q + 3]) > 1:
            loss = fma(count, log(u), loss)
        else:
            product = product * u
        if q % 64 == 63:
            loss = loss + log(product)
            product = one
        store(scores, LANES * q, count * pull * where_positive(s, one, tail) / u)
    return total((loss + log(product)) * share)


@njit
def _pull(scores: Any, block: Any, rate: Any) -> Any:
    """Turn a block of positives' negated scores into ``rate * sigmoid``; return the losses, lane by lane."""
    s = load(scores, LANES * block)
    one = number(1.0, s)
    tail = exp_minus(magnitude(s))
    u = one + tail
    store(scores, LANES * block, number(rate, s) * where_positive(s, one, tail) / u)
    return log(u) + larger(s, number(0.0, s))


@njit
def _train(j: Any, h: Any, d: Any, values: Any, sums: Any, rows: Any, blocks: Any, scores: Any) -> Any:
    """Let `COLUMNS` columns of every row add to the four targets' gradients and take their updates."""
    h0, h1, h2, h3 = h
    d0, d1, d2, d3 = d
    for q in range(blocks):
        for p in range(4):
            row = rows[4 * q + p] + j
            v = load_columns(values, row)
            s = load_columns(sums, row)
            g = spread_columns(scores, LANES * q + p)
            d0, s = fma(g, v, d0), fma(g, h0, s)
            g = spread_columns(scores, LANES * q + 4 + p)
            d1, s = fma(g, v, d1), fma(g, h1, s)
            g = spread_columns(scores, LANES * q + 8 + p)
            d2, s = fma(g, v, d2), fma(g, h2, s)
            g = spread_columns(scores, LANES * q + 12 + p)
            d3, s = fma(g, v, d3), fma(g, h3, s)
            store(sums, row, s)
    return d0, d1, d2, d3


@njit
def _copy_row(W: Any, row: Any, copies: Any, at: Any, width: Any) -> None:
    for j in range(0, width, LANES):
        store(copies, at + j, load(W, row + j))


@njit
def _train_own(W: Any, row: Any, scores: Any, k: Any, h: Any, width: Any, part: Any) -> None:
    """Update the own row of CBOW's target k by part of a step."""
    g = spread(scores, k) * number(part, load(h, 0))
    for j in range(0, width, LANES):
        store(W, row + j, fma(g, load(h, k * width + j), load(W, row + j)))


@njit
def _columns(h: Any, width: Any, j: Any) -> Any:
    return (
        load_columns(h, j),
        load_columns(h, width + j),
        load_columns(h, 2 * width + j),
        load_columns(h, 3 * width + j),
    )


@njit
def _store_columns(dh: Any, width: Any, j: Any, d: Any) -> None:
    store(dh, j, d[0])
    store(dh, width + j, d[1])
    store(dh, 2 * width + j, d[2])
    store(dh, 3 * width + j, d[3])


@njit
def _add_row(W: Any, row: Any, steps: Any, at: Any, width: Any, square: Any, part: Any) -> None:
    """Add part of a step to a row of W, of a step of `LONGEST_STEP` if it is longer.

    The sixteen numbers of `square` add up to the step's squared length.
    """
    length = total(square)
    if length > LONGEST_STEP * LONGEST_STEP:
        part *= LONGEST_STEP / np.sqrt(length)
    if part == 1:
        for j in range(0, width, LANES):
            store(W, row + j, load(W, row + j) + load(steps, at + j))
    else:
        shrink = number(part, square)
        for j in range(0, width, LANES):
            store(W, row + j, fma(shrink, load(steps, at + j), load(W, row + j)))


@njit
def _ring(size: Any) -> Any:
    """Return the power of two that holds `size` rows; row i lives at ``i & (ring - 1)``."""
    ring = 1
    while ring < size:
        ring *= 2
    return ring


@njit
def _note(j: Any, k: Any, d: Any, held: Any, edges: Any, at: Any, shares: Any) -> None:
    """Note `COLUMNS` columns of the gradient of CBOW's target k at the edges of its window."""
    d = d * spread_columns(shares, k)
    middle, low, high = at[k, 0] + j, at[k, 1] + j, at[k, 2] + j
    store(held, middle, number(0.0, d) - d)
    store(edges, low, load_columns(edges, low) + d)
    store(edges, high, load_columns(edges, high) - d)


@compiled
def cbow_ns(
    W_in: Any,
    W_out: Any,
    ids: Any,
    offsets: Any,
    start: Any,
    stop: Any,
    keep: Any,
    threshold: Any,
    alias: Any,
    keys: Any,
    window: Any,
    shrink_windows: Any,
    context_shares: Any,
    limit_in: Any,
    limit_out: Any,
    negative: Any,
    pool_tokens: Any,
    pool_size: Any,
    tile: Any,
    rate: Any,
    slope: Any,
) -> Any:
    """Train CBOW in place on the tokens from `start` to `stop`; return the summed loss and the number of targets.

    With ``sums[i]`` the running sum of the rows before token i, the sum of a window is a difference of two of them;
    and a gradient that belongs to every row of a window is noted at its two edges, and spread by a running sum as
    the rows leave.
    """
    word, place, low, high = _kept(ids, offsets, start, stop, keep, keys, window, shrink_windows)
    n = len(word)
    if n == 0:
        return 0.0, 0
    width = W_in.shape[1]
    one = W_in.dtype.type(1)
    first_pool = place[0] // pool_tokens
    negatives = _drawn(first_pool, place[n - 1] // pool_tokens + 1, pool_size, threshold, alias, keys[2])

    most = (pool_size + SIDE - 1) // SIDE
    pool_ids = np.empty(LANES * ((pool_size + LANES - 1) // LANES), np.int32)  # `_find` reads sixteen
    rows = np.empty(SIDE * most, np.int64)
    pool = _zeros(2 * SIDE * most * width, W_out)
    times = _zeros(LANES * most, W_in)
    bias = _zeros(LANES * most, W_in)
    scores = _zeros(LANES * most, W_in)
    weight = _zeros(LANES, W_in)
    own_scores = _zeros(LANES, W_in)
    ring = _ring(2 * min(window, n) + tile + 1)
    mask = ring - 1
    sums = _zeros(ring * width, W_in)
    at = np.zeros((SIDE, 3), np.int64)  # each target's place in the ring, and those of its window's edges
    shares = _zeros(SIDE, W_in)
    held = _zeros((ring + 1) * width, W_in)  # a token's row, then, once it has been a target, minus its own gradient
    edges = _zeros((ring + 1) * width, W_in)
    leaving = _zeros(width, W_in)
    h = _zeros(SIDE * width, W_in)
    own = _zeros(SIDE * width, W_in)  # the targets' own rows
    hit = np.empty(SIDE, np.int64)  # their places in the pool, or -1
    zero = number(0.0, load(h, 0))

    loss = 0.0
    step = rate
    number_of_pool = np.int64(-1)
    blocks = 0
    fetched = 0
    targets = 0
    entered = 0
    left = 0
    t = 0
    while t < n:
        if place[t] // pool_tokens != number_of_pool:
            _return_pool(W_out, pool, pool_ids, SIDE * blocks, width, limit_out, step)
            number_of_pool = place[t] // pool_tokens
            drawn = (number_of_pool - first_pool) * pool_size
            words = negatives[drawn : drawn + pool_size]
            blocks = _fill_pool(words, width, W_out, pool, pool_ids, rows, times, bias)
            fetched = drawn + pool_size
        end = min(t + tile, n)
        while place[end - 1] >= (number_of_pool + 1) * pool_tokens:
            end -= 1
        step = rate - slope * place[t]
        if end - t != targets:  # seldom: a vector that is read soon after its numbers were written has to wait
            targets = end - t
            for k in range(SIDE):
                for p in range(SIDE):
                    weight[SIDE * k + p] = negative / pool_size if k < targets else 0.0

        for i in range(entered, min(n, end + window)):
            row = np.int64(word[i]) * width
            a = (i & mask) * width
            b = ((i + 1) & mask) * width
            soon = np.int64(word[min(i + AHEAD, n - 1)]) * width
            for j in range(0, width, LANES):
                prefetch(W_in, soon + j)
                x = load(W_in, row + j)
                store(held, a + j, x)
                store(sums, b + j, load(sums, a + j) + x)
        entered = min(n, end + window)

        for k in range(SIDE):
            i = min(t + k, end - 1)
            hit[k] = _find(pool_ids, SIDE * blocks, word[i])
            if hit[k] >= 0:
                _copy_row(pool, hit[k] * width, own, k * width, width)
            else:
                _copy_row(W_out, np.int64(word[i]) * width, own, k * width, width)
            if t + k < end:
                a = (low[i] & mask) * width
                b = (high[i] & mask) * width
                c = (i & mask) * width
                at[k, 0] = c
                at[k, 1] = a
                at[k, 2] = b
                contexts = high[i] - low[i] - 1
                shares[k] = one / W_in.dtype.type(contexts)
                share = spread(shares, k)
                shares[k] = context_shares[contexts]
                soon = np.int64(word[min(i + AHEAD, n - 1)]) * width
                for j in range(0, width, LANES):
                    prefetch(W_out, soon + j)
                    others = load(sums, b + j) - load(sums, a + j) - load(held, c + j)
                    store(h, k * width + j, others * share)
            else:
                at[k] = ring * width  # a row that nobody reads
                for j in range(0, width, LANES):
                    store(h, k * width + j, zero)
        for i in range(fetched, min(fetched + SIDE, len(negatives))):
            _fetch(W_out, np.int64(negatives[i]) * width, width)
        fetched += SIDE

        # Before the pool's, so that the sigmoids of both are worked out side by side.
        s0 = s1 = s2 = s3 = zero
        for j in range(0, width, LANES):
            s0 = fma(load(h, j), load(own, j), s0)
            s1 = fma(load(h, width + j), load(own, width + j), s1)
            s2 = fma(load(h, 2 * width + j), load(own, 2 * width + j), s2)
            s3 = fma(load(h, 3 * width + j), load(own, 3 * width + j), s3)
        s = fold_pairs(fold_pairs(s0, s1), fold_pairs(s2, s3))
        store(own_scores, 0, zero - fold_groups(s, s, s, s))  # the four scores, four times over
        for k in range(end - t, SIDE):
            for p in range(0, LANES, SIDE):
                own_scores[p + k] = MASKED
        _scores(h, width, pool, rows, blocks, bias, scores)
        for k in range(end - t):
            if hit[k] >= 0:
                scores[LANES * (hit[k] // SIDE) + SIDE * k + hit[k] % SIDE] = MASKED
        loss += total(_pull(own_scores, 0, step)) / SIDE
        loss += _noise(scores, blocks, times, weight, step)

        for j in range(0, width, COLUMNS):
            d0 = spread_columns(own_scores, 0) * load_columns(own, j)
            d1 = spread_columns(own_scores, 1) * load_columns(own, width + j)
            d2 = spread_columns(own_scores, 2) * load_columns(own, 2 * width + j)
            d3 = spread_columns(own_scores, 3) * load_columns(own, 3 * width + j)
            columns = _columns(h, width, j)
            d0, d1, d2, d3 = _train(j, columns, (d0, d1, d2, d3), pool, pool, rows, blocks, scores)
            _note(j, 0, d0, held, edges, at, shares)
            _note(j, 1, d1, held, edges, at, shares)
            _note(j, 2, d2, held, edges, at, shares)
            _note(j, 3, d3, held, edges, at, shares)
        for k in range(end - t):
            if hit[k] >= 0:
                _train_own(pool, hit[k] * width, own_scores, k, h, width, 1.0)
            else:
                part = _part(limit_out, word[t + k], step)
                _train_own(W_out, np.int64(word[t + k]) * width, own_scores, k, h, width, part)

        out = n if end == n else end - window
        for i in range(left, out):
            row = np.int64(word[i]) * width
            a = (i & mask) * width
            square = zero
            for j in range(0, width, LANES):
                d = load(leaving, j) + load(edges, a + j)
                store(leaving, j, d)
                store(edges, a + j, zero)
                d = d + load(held, a + j)
                store(held, a + j, d)
                square = fma(d, d, square)
            _add_row(W_in, row, held, a, width, square, _part(limit_in, word[i], step))
        left = max(left, out)
        t = end
    _return_pool(W_out, pool, pool_ids, SIDE * blocks, width, limit_out, step)
    return loss, n


@compiled
def skipgram_ns(
    W_in: Any,
    W_out: Any,
    ids: Any,
    offsets: Any,
    start: Any,
    stop: Any,
    keep: Any,
    threshold: Any,
    alias: Any,
    keys: Any,
    window: Any,
    shrink_windows: Any,
    context_shares: Any,  # of CBOW alone; here so that both kernels are called alike
    limit_in: Any,
    limit_out: Any,
    negative: Any,
    pool_tokens: Any,
    pool_size: Any,
    tile: Any,
    rate: Any,
    slope: Any,
) -> Any:
    """Train skip-gram in place on the tokens from `start` to `stop`; return the summed loss and the number of targets.

    The output rows of the window stream through a ring; the band of positives is scored as a second pool, in which
    pairs outside their target's window are masked.
    """
    word, place, low, high = _kept(ids, offsets, start, stop, keep, keys, window, shrink_windows)
    n = len(word)
    if n == 0:
        return 0.0, 0
    width = W_in.shape[1]
    first_pool = place[0] // pool_tokens
    negatives = _drawn(first_pool, place[n - 1] // pool_tokens + 1, pool_size, threshold, alias, keys[2])

    most = (pool_size + SIDE - 1) // SIDE
    pool_ids = np.empty(LANES * ((pool_size + LANES - 1) // LANES), np.int32)  # `_find` reads sixteen
    rows = np.empty(SIDE * most, np.int64)
    pool = _zeros(2 * SIDE * most * width, W_out)
    times = _zeros(LANES * most, W_in)
    bias = _zeros(LANES * most, W_in)
    scores = _zeros(LANES * most, W_in)
    weight = _zeros(LANES, W_in)
    ring = _ring(2 * min(window, n) + tile)
    mask = ring - 1
    most = (2 * min(window, n) + tile + SIDE - 1) // SIDE
    band_rows = np.zeros(SIDE * most, np.int64)
    band_bias = _zeros(LANES * most, W_in)
    band_scores = _zeros(LANES * most, W_in)
    held = _zeros(ring * width, W_in)
    change = _zeros(ring * width, W_in)
    hit = np.empty(n, np.int32)  # a token's place in the present pool, or -1
    h = _zeros(SIDE * width, W_in)
    dh = _zeros(SIDE * width, W_in)
    zero = number(0.0, load(h, 0))

    loss = 0.0
    step = rate
    number_of_pool = np.int64(-1)
    blocks = 0
    fetched = 0
    entered = 0
    left = 0
    t = 0
    while t < n:
        if place[t] // pool_tokens != number_of_pool:
            _return_pool(W_out, pool, pool_ids, SIDE * blocks, width, limit_out, step)
            number_of_pool = place[t] // pool_tokens
            drawn = (number_of_pool - first_pool) * pool_size
            words = negatives[drawn : drawn + pool_size]
            blocks = _fill_pool(words, width, W_out, pool, pool_ids, rows, times, bias)
            fetched = drawn + pool_size
            for i in range(left, entered):
                hit[i] = _find(pool_ids, SIDE * blocks, word[i])
        end = min(t + tile, n)
        while place[end - 1] >= (number_of_pool + 1) * pool_tokens:
            end -= 1
        step = rate - slope * place[t]

        for i in range(entered, min(n, end + window)):
            hit[i] = _find(pool_ids, SIDE * blocks, word[i])
            a = (i & mask) * width
            _fetch(W_out, np.int64(word[min(i + AHEAD, n - 1)]) * width, width)
            if hit[i] >= 0:
                _copy_row(pool, hit[i] * width, held, a, width)
            else:
                _copy_row(W_out, np.int64(word[i]) * width, held, a, width)
        entered = min(n, end + window)

        first = low[t]
        last = high[t]
        for k in range(SIDE):
            i = t + k
            if i < end:
                first = min(first, low[i])
                last = max(last, high[i])
                row = np.int64(word[i]) * width
                soon = np.int64(word[min(i + AHEAD, n - 1)]) * width
                for j in range(0, width, LANES):
                    prefetch(W_in, soon + j)
                    store(h, k * width + j, load(W_in, row + j))
            else:
                for j in range(0, width, LANES):
                    store(h, k * width + j, zero)
            for p in range(SIDE):
                weight[SIDE * k + p] = negative / pool_size * (high[i] - low[i] - 1) if i < end else 0.0
        for i in range(fetched, min(fetched + SIDE, len(negatives))):
            _fetch(W_out, np.int64(negatives[i]) * width, width)
        fetched += SIDE

        _scores(h, width, pool, rows, blocks, bias, scores)
        band = (last - first + SIDE - 1) // SIDE
        for m in range(SIDE * band):
            i = first + m
            band_rows[m] = (min(i, last - 1) & mask) * width
            for k in range(SIDE):
                lane = LANES * (m // SIDE) + SIDE * k + m % SIDE
                inside = t + k < end and i != t + k and low[t + k] <= i and i < high[t + k]
                band_bias[lane] = 0.0 if inside else -MASKED
                if inside and hit[i] >= 0:
                    scores[LANES * (hit[i] // SIDE) + SIDE * k + hit[i] % SIDE] = MASKED
        loss += _noise(scores, blocks, times, weight, step)
        _scores(h, width, held, band_rows, band, band_bias, band_scores)
        lost = zero
        for q in range(band):
            store(band_scores, LANES * q, zero - load(band_scores, LANES * q))
            lost = lost + _pull(band_scores, q, step)
        loss += total(lost)

        for j in range(0, width, COLUMNS):
            columns = _columns(h, width, j)
            none = number(0.0, columns[0])
            d = _train(j, columns, (none, none, none, none), pool, pool, rows, blocks, scores)
            d = _train(j, columns, d, held, change, band_rows, band, band_scores)
            _store_columns(dh, width, j, d)
        for k in range(end - t):
            row = np.int64(word[t + k]) * width
            square = zero
            for j in range(k * width, (k + 1) * width, LANES):
                square = fma(load(dh, j), load(dh, j), square)
            _add_row(W_in, row, dh, k * width, width, square, _part(limit_in, word[t + k], step))

        out = n if end == n else end - window
        for i in range(left, out):
            a = (i & mask) * width
            square = zero
            for j in range(a, a + width, LANES):
                square = fma(load(change, j), load(change, j), square)
            if hit[i] >= 0:
                _add_row(pool, hit[i] * width, change, a, width, square, 1.0)
            else:
                part = _part(limit_out, word[i], step)
                _add_row(W_out, np.int64(word[i]) * width, change, a, width, square, part)
            for j in range(a, a + width, LANES):
                store(change, j, zero)
        left = max(left, out)
        t = end
    _return_pool(W_out, pool, pool_ids, SIDE * blocks, width, limit_out, step)
    return loss, n
