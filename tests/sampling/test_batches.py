"""Batches equal a plain loop that makes the same random choices."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable, alias_table, noise_weights
from fastw2v.sampling.batches import batches, window_widths
from fastw2v.sampling.chunks import chunk_bounds
from fastw2v.sampling.negatives import negative_pools
from fastw2v.sampling.subsampling import keep_threshold, keep_tokens


def test_window_widths_are_even_from_one_to_window(xp):
    widths = to_host(window_widths(xp.arange(50_000), 5, seed=1, epoch=0))
    assert np.abs(np.bincount(widths, minlength=6)[1:] / 50_000 - 0.2).max() < 0.01
    assert widths.min() == 1
    assert (to_host(window_widths(xp.arange(9), 5, 1, 0, shrink_windows=False)) == 5).all()


@pytest.mark.parametrize(("shrink", "sample", "chunk_tokens"), [(True, 0.05, 1000), (False, 0, 1000), (True, 0.05, 23)])
def test_batches_equal_a_plain_loop(xp, shrink, sample, chunk_tokens):
    random = np.random.default_rng(0)
    lengths = [1, 0, 40, 2, 30, 1, 17, 64]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = random.integers(0, 12, offsets[-1]) ** 2 // 12
    counts = np.bincount(ids, minlength=12)
    keep = keep_threshold(counts, sample)
    noise = alias_table(noise_weights(counts))
    window, L, P, seed, epoch = 3, 8, 5, 4, 2

    want = {}
    for start, stop in chunk_bounds(offsets, chunk_tokens):
        position = np.arange(start, stop)
        kept = position[keep_tokens(ids[start:stop], position, keep, seed, epoch)]
        for s in range(len(lengths)):
            line = [t for t in kept if offsets[s] <= t < offsets[s + 1]]
            for i, t in enumerate(line):
                width = int(window_widths(np.array([t]), window, seed, epoch, shrink)[0])
                around = line[max(i - width, 0) : i] + line[i + 1 : i + 1 + width]
                if around:
                    pool = negative_pools(np.array([t // L]), P, noise, seed, epoch)[0]
                    want[t] = (ids[t], [ids[c] for c in around], pool.tolist())

    found = []
    targets = 0
    for batch in batches(
        xp.asarray(ids), xp.asarray(offsets), xp.asarray(keep), AliasTable(*map(xp.asarray, noise)),
        window=window, pool_tokens=L, pool_size=P, groups=3, seed=seed, epoch=epoch, shrink_windows=shrink,
        chunk_tokens=chunk_tokens,
    ):  # fmt: skip
        contexts, target, pool = (to_host(part) for part in batch[:3])
        rows = []
        for g, row in np.argwhere(target >= 0):
            around = contexts[g, row]
            rows.append((target[g, row], around[around >= 0].tolist(), pool[g].tolist()))
        found.append((rows, batch.done))
        targets += batch.targets
    # The batches of a chunk are shuffled, and each consists of the tokens of three pools.
    expected, done = [], 0
    for start, stop in chunk_bounds(offsets, chunk_tokens):
        firsts = range(start // L, -(-stop // L), 3)
        key = rng.stream_key(seed, rng.ORDER, epoch)
        for first in sorted(firsts, key=lambda first: int(rng.bits(key, np.array([first * L]))[0])):
            here = [t for t in sorted(want) if max(first * L, start) <= t < min((first + 3) * L, stop)]
            done += min((first + 3) * L, stop) - max(first * L, start)
            expected += [([want[t] for t in here], done)] if here else []
    assert found == expected
    assert targets == len(want)
    assert done == offsets[-1]
