"""Chunks cover the corpus without gaps, and are shuffled within their block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastw2v.config import CHUNK_TOKENS
from fastw2v.sampling.chunks import chunk_bounds, iter_chunks, mean_contexts, shuffle_order, window_reach


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


@pytest.mark.parametrize("shrink_windows", [True, False])
@pytest.mark.parametrize("window", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("lengths", [[1], [2], [5], [3, 0, 1, 8], [30, 2, 2], [0]])
def test_reach_and_mean_contexts_are_those_of_all_windows(lengths, window, shrink_windows):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    widths = range(1, window + 1) if shrink_windows else [window]
    distances, contexts = [1], []  # the reach is at least 1
    for n in lengths:
        for target in range(n):
            inside = [[abs(i - target) for i in range(n) if 0 < abs(i - target) <= width] for width in widths]
            contexts.append(np.mean([len(distance) for distance in inside]))
            distances += itertools.chain(*inside)
    assert window_reach(window, offsets) == max(distances)
    assert mean_contexts(window, offsets, shrink_windows) == pytest.approx(np.mean(contexts) if contexts else 0)


def test_a_huge_window_reaches_as_far_as_a_chunk():
    offsets = np.array([0, 3, 10 * CHUNK_TOKENS])
    assert window_reach(1_000_000_000, offsets) == CHUNK_TOKENS - 1
    assert mean_contexts(1_000_000_000, offsets) == pytest.approx(CHUNK_TOKENS - 1, rel=1e-3)
    assert window_reach(5, offsets) == 5
    assert mean_contexts(5, offsets) == pytest.approx(6, rel=0.01)  # the mean width is 3


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
