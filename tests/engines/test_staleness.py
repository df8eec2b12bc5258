"""The scaling of the steps of shared rows, compared with calculations by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.config import TrainingConfig
from fastw2v.engines.staleness import MAX_STALENESS, max_rates

# All tokens are kept. The second and third words are 0.45 of the tokens each, and the first is half of the noise.
COUNTS, KEEP, NOISE = np.array([10, 45, 45]), np.full(3, 1 << 32), np.array([2.0, 1.0, 1.0])
SETTINGS = {
    "concurrency": 100, "window": 3, "shrink_windows": True, "negative": 5, "cbow_grad": "mean", "alpha": 1e-4,
    "tile": 4, "pool_size": 24, "pool_tokens": 256, "pool_sync_interval": 1,
}  # fmt: skip


def rates(counts=COUNTS, keep=KEEP, noise=NOISE, *, reach=3, **changes):
    """Return the rates up to which steps are not scaled down."""
    settings = SETTINGS | changes
    arguments = {name: settings.pop(name) for name in ("concurrency", "pool_sync_interval")}
    return max_rates(counts, keep, noise, TrainingConfig(**settings), reach, **arguments)


def test_of_cbow():
    W_in, W_out = rates(model="cbow")
    # A block delays the updates of 2 · 3 + 4 tokens, each of which is the word with the probability of its share.
    np.testing.assert_allclose(W_in, MAX_STALENESS / (100 * 10 * np.array([0.1, 0.45, 0.45])))
    # It delays a tile of four targets, each of which may be the word, and the five negatives of each target.
    np.testing.assert_allclose(W_out, MAX_STALENESS / (100 * np.array([4 * 0.1 + 20 * 0.5, 4 * 0.45 + 20 * 0.25, 6.8])))


@pytest.mark.parametrize(("cbow_grad", "power"), [("sum", 1), ("balanced", 0.25)])
def test_of_larger_gradients(cbow_grad, power):
    W_in, _ = rates(model="cbow", cbow_grad=cbow_grad)
    # Together, 2, 4 or 6 contexts get as many whole steps, or the fourth root of this number.
    updated = (2**power + 4**power + 6**power) / 3
    assert W_in[1] == pytest.approx(MAX_STALENESS / (100 * 4.5 * updated))


def test_of_skip_gram():
    W_in, W_out = rates(model="skipgram", shrink_windows=False)
    np.testing.assert_allclose(W_in, MAX_STALENESS / (100 * 4 * 6 * np.array([0.1, 0.45, 0.45])))
    np.testing.assert_allclose(W_out[0], MAX_STALENESS / (100 * 6 * (10 * 0.1 + 20 * 0.5)))


def test_of_windows_wider_than_the_sentences():
    """In sentences of four words, windows of width 3 or more have up to six contexts, and narrower ones two or four."""
    W_in, W_out = rates(model="skipgram", window=30, reach=3)
    positives = 2 / 30 + 4 / 30 + 6 * 28 / 30
    np.testing.assert_allclose(W_in, MAX_STALENESS / (100 * 4 * positives * np.array([0.1, 0.45, 0.45])))
    np.testing.assert_allclose(W_out[0], MAX_STALENESS / (100 * positives * (10 * 0.1 + 20 * 0.5)))
    wide = rates(model="skipgram", window=1_000_000_000, reach=3)
    np.testing.assert_allclose(wide, rates(model="skipgram", shrink_windows=False), rtol=1e-6)


def test_subsampling_and_pools_that_are_kept():
    keep = np.array([1 << 32, 1 << 31, 1 << 31])
    long, short = ({"pool_sync_interval": interval, "pool_tokens": 200} for interval in (None, 7))
    _, W_out = rates(keep=keep, model="cbow", **long)
    # Of 200 tokens, 110 are kept, and the first word is 10 / 55 of these.
    assert W_out[0] == pytest.approx(MAX_STALENESS / (100 * (4 * 10 / 55 + 110 * 5 * 0.5)))
    _, W_out = rates(keep=keep, model="cbow", **short)
    assert W_out[0] == pytest.approx(MAX_STALENESS / (100 * (4 * 10 / 55 + 7 * 4 * 5 * 0.5)))


def test_workers_that_have_converged_on_a_row_only_need_to_agree():
    settings = {"alpha": 10.0, "pool_size": 1, "pool_sync_interval": None}
    _, W_out = rates(np.array([0, 1, 1]), model="cbow", **settings)
    # Half of the 100 workers have the first word's row in their pool. At the highest rate, each takes 1 / 50 of a step.
    assert W_out[0] / 10 == pytest.approx(1 / 50)


def test_one_worker_has_no_limits():
    for limit in rates(model="cbow", concurrency=1):
        assert limit.shape == (3,)
        assert np.isinf(limit).all()
    for limit in rates(np.zeros(3, int), noise=np.ones(3), model="skipgram"):
        assert (limit > 0).all()
