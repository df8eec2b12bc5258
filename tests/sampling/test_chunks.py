"""Chunks cover the corpus without gaps, and are shuffled within their block."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.sampling.chunks import chunk_bounds, iter_chunks, shuffle_order


@pytest.mark.parametrize(("offsets", "chunk_tokens", "want"), [
    ([0, 3, 5, 9], 100, [(0, 9)]),
    ([0, 3, 5, 9], 5, [(0, 5), (5, 9)]),
    ([0, 3, 5, 9], 4, [(0, 3), (3, 5), (5, 9)]),
    ([0, 9], 4, [(0, 4), (4, 8), (8, 9)]),
    ([0, 0, 2, 2, 2], 1, [(0, 1), (1, 2)]),
    ([0, 0], 5, []),
])  # fmt: skip
def test_chunk_bounds(offsets, chunk_tokens, want):
    assert list(chunk_bounds(np.array(offsets), chunk_tokens)) == want


def test_chunks_are_shuffled_within_their_block():
    starts = np.arange(0, 10_000, 7)
    order = shuffle_order(starts, 1000, 3, 1)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(starts)))
    np.testing.assert_array_equal(starts[order] // 1000, starts // 1000)
    within = order[starts // 1000 == 4]
    assert abs(np.corrcoef(within, np.arange(len(within)))[0, 1]) < 0.25  # three standard deviations for 143 numbers
    assert (order != shuffle_order(starts, 1000, 3, 2)).any()
    assert (order != shuffle_order(starts, 1000, 4, 1)).any()
    np.testing.assert_array_equal(shuffle_order(starts, 1000, 3, 1), order)


def test_every_epoch_has_each_chunk_once_in_the_shuffled_order():
    offsets = np.concatenate([[0], np.cumsum(np.random.default_rng(0).integers(0, 30, 500))])
    bounds = list(chunk_bounds(offsets, 50))
    starts = np.array([start for start, _ in bounds])
    chunks = list(iter_chunks(offsets, 50, 1000, seed=3, epochs=2))
    assert [(chunk.epoch, chunk.start, chunk.stop) for chunk in chunks] == [
        (epoch, *bounds[i]) for epoch in range(2) for i in shuffle_order(starts, 1000, 3, epoch)
    ]
    assert [chunk.done for chunk in chunks] == [0, *np.cumsum([chunk.stop - chunk.start for chunk in chunks])[:-1]]
