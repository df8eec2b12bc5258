"""How much of a step rows take in a crowd, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.kernels.crowd import STALE, limits

# All tokens are kept; of the words, the second and the third are 0.45 of them, and the first is half of the noise.
COUNTS, KEEP, NOISE = np.array([10, 45, 45]), np.full(3, 1 << 32), np.array([2.0, 1.0, 1.0])
SETTINGS = {
    "crowd": 100, "window": 3, "shrink_windows": True, "negative": 5, "cbow_grad": "mean", "alpha": 1e-4, "tile": 4,
    "pool_size": 24, "pool_tokens": 256, "refresh": 1,
}  # fmt: skip


def test_of_cbow():
    W_in, W_out = limits(COUNTS, KEEP, NOISE, model="cbow", **SETTINGS)
    # A block holds back 2 · 3 + 4 tokens, each of which is that word with its share.
    np.testing.assert_allclose(W_in, STALE / (100 * 10 * np.array([0.1, 0.45, 0.45])))
    # It holds back a tile of four targets: one of them is that word, and it draws five negatives for each.
    np.testing.assert_allclose(W_out, STALE / (100 * np.array([4 * 0.1 + 20 * 0.5, 4 * 0.45 + 20 * 0.25, 6.8])))


@pytest.mark.parametrize(("cbow_grad", "power"), [("sum", 1), ("balanced", 0.25)])
def test_of_gradients_that_teach_more(cbow_grad, power):
    W_in, _ = limits(COUNTS, KEEP, NOISE, model="cbow", **SETTINGS | {"cbow_grad": cbow_grad})
    # Each of 2, 4 or 6 contexts gets a whole step, or as many parts of one as their fourth root.
    taught = (2**power + 4**power + 6**power) / 3
    assert W_in[1] == pytest.approx(STALE / (100 * 4.5 * taught))


def test_of_skip_gram():
    W_in, W_out = limits(COUNTS, KEEP, NOISE, model="skipgram", **SETTINGS | {"shrink_windows": False})
    np.testing.assert_allclose(W_in, STALE / (100 * 4 * 6 * np.array([0.1, 0.45, 0.45])))
    np.testing.assert_allclose(W_out[0], STALE / (100 * 6 * (10 * 0.1 + 20 * 0.5)))


def test_subsampling_and_pools_that_are_kept():
    keep = np.array([1 << 32, 1 << 31, 1 << 31])
    long, short = ({"refresh": refresh, "pool_tokens": 200} for refresh in (None, 7))
    _, W_out = limits(COUNTS, keep, NOISE, model="cbow", **SETTINGS | long)
    # Of 200 tokens 110 are kept, of those 10 / 55 the first word.
    assert W_out[0] == pytest.approx(STALE / (100 * (4 * 10 / 55 + 110 * 5 * 0.5)))
    _, W_out = limits(COUNTS, keep, NOISE, model="cbow", **SETTINGS | short)
    assert W_out[0] == pytest.approx(STALE / (100 * (4 * 10 / 55 + 7 * 4 * 5 * 0.5)))


def test_workers_that_have_had_their_way_with_a_row_only_need_to_agree():
    settings = SETTINGS | {"alpha": 10.0, "pool_size": 1, "refresh": None}
    _, W_out = limits(np.array([0, 1, 1]), KEEP, NOISE, model="cbow", **settings)
    # One in two of them holds the first word's row: at the highest rate, fifty take a fiftieth of what they want.
    assert W_out[0] / 10 == pytest.approx(1 / 50)


def test_one_worker_has_no_limits():
    for limit in limits(COUNTS, KEEP, NOISE, model="cbow", **SETTINGS | {"crowd": 1}):
        assert limit.shape == (3,)
        assert np.isinf(limit).all()
    for limit in limits(np.zeros(3, int), KEEP, np.ones(3), model="skipgram", **SETTINGS):
        assert (limit > 0).all()
