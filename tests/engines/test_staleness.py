"""The scaling of the steps of shared rows, compared with calculations by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.config import TrainingConfig
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.engines import staleness
from fastw2v.engines.staleness import (
    MAX_STALENESS,
    MIN_USES,
    PRIVATE_STALENESS,
    held_nodes,
    max_rates,
    private_nodes,
    private_rows,
    private_tokens,
)
from fastw2v.sampling.huffman import HuffmanTree

# All tokens are kept. The second and third words are 0.45 of the tokens each, and the first is half of the noise.
COUNTS, KEEP, NOISE = np.array([10, 45, 45]), np.full(3, 1 << 32), np.array([2.0, 1.0, 1.0])
SETTINGS = {
    "concurrency": 100, "window": 3, "shrink_windows": True, "negative": 5, "cbow_grad": "mean", "alpha": 1e-4,
    "tile": 4, "pool_size": 24, "pool_tokens": 256, "pool_sync_interval": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_corpora(monkeypatch):
    """Choose private rows in small corpora, too."""
    monkeypatch.setattr(staleness, "MIN_TOKENS", 0)


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


def private(counts, keep=1 << 32, *, reach=3, concurrency=2, noise=None, frozen=None, subwords=None, **changes):
    """Return the private rows of both tables for negative sampling."""
    settings = {name: value for name, value in SETTINGS.items() if name not in ("concurrency", "pool_sync_interval")}
    counts = np.asarray(counts)
    return private_rows(
        counts,
        np.full(len(counts), keep),
        np.ones(len(counts)) if noise is None else noise,
        TrainingConfig(**settings | changes),
        reach,
        concurrency=concurrency,
        frozen=frozen,
        subwords=subwords,
    )


def test_rows_that_are_used_often_enough_are_private():
    tokens = private_tokens(2)
    counts = np.array([0, 2 * MIN_USES + 1, MIN_USES + 1, MIN_USES - 1, MIN_USES + 1])
    counts[0] = tokens - counts.sum()
    W_in, W_out = private(counts, model="cbow", pool_size=1, pool_tokens=tokens)
    assert W_in.rows.tolist() == [0, 1, 2]  # not the last word, because private words are at the start
    assert W_out.rows.tolist() == [0, 1, 2]  # a pool is drawn once, from five words
    W_in, _ = private(counts, keep=1 << 31, model="cbow")  # half of the tokens are kept
    assert W_in.rows.tolist() == [0, 1]
    _, W_out = private(counts, model="cbow", pool_size=20, pool_tokens=tokens)  # each word is drawn four times
    assert W_out.rows.tolist() == [0, 1, 2, 3, 4]


def test_updates_of_private_rows_are_scaled_down_from_a_limit_on():
    tokens = private_tokens(2)
    counts = np.array([tokens // 2, tokens // 2])
    W_in, W_out = private(counts, model="cbow")  # with `cbow_grad="mean"`, a token is updated once
    np.testing.assert_allclose(W_in.max_rate, PRIVATE_STALENESS / (2 * tokens / 2))
    np.testing.assert_allclose(W_out.max_rate, PRIVATE_STALENESS / (2 * tokens * (1 / 2 + 5 / 2)))
    W_in, _ = private(counts, model="skipgram", shrink_windows=False)  # six positives per target
    np.testing.assert_allclose(W_in.max_rate, PRIVATE_STALENESS / (2 * 6 * tokens / 2))
    W_in, _ = private(counts, model="cbow", alpha=1.0, concurrency=4)  # at most four copies are averaged
    np.testing.assert_allclose(W_in.max_rate, 1 / 4)


def test_one_worker_and_frozen_words_have_no_private_rows():
    counts = np.array([1000, 1000])
    for rows, max_rate in (*private(counts, concurrency=1), *private(counts, frozen=np.array([True, False]))):
        assert rows.size == max_rate.size == 0


def test_the_rows_of_ngrams_are_private_and_their_number_is_limited(monkeypatch):
    subwords = Subwords(["ab", "cb"], NGrams(min_n=2, max_n=2, bucket=1000))  # both have the n-gram "b>", in row 4
    tokens = private_tokens(2)
    counts = np.array([tokens - 3, 3])
    W_in, _ = private(counts, subwords=subwords, model="cbow")
    assert W_in.rows.tolist() == [0, *(int(row) for row in np.sort(subwords.rows_of_word(0))[1:])]
    assert W_in.max_rate[W_in.rows.tolist().index(4)] == pytest.approx(4 * PRIVATE_STALENESS / (2 * tokens))  # 1 of 4
    monkeypatch.setattr(staleness, "MAX_PRIVATE_ROWS", 1)
    W_in, W_out = private(counts, subwords=subwords, model="cbow")
    assert (W_in.rows.tolist(), W_out.rows.tolist()) == ([4], [0])


def test_the_inner_nodes_below_those_near_the_root_are_private():
    V, config = 5000, TrainingConfig(loss="hs", model="skipgram", window=3, shrink_windows=False, alpha=1e-4)
    counts = np.full(V, 10)
    tree, keep = HuffmanTree.from_counts(counts), np.full(V, 1 << 32)
    _, nodes = private_nodes(counts, keep, tree, config, 3, concurrency=2)
    uses = private_tokens(2) * tree.node_counts(np.full(V, 1 / V))
    held = held_nodes(V, 2)[0]
    expected = np.flatnonzero(uses[: V - 1 - held] >= MIN_USES)
    assert len(expected) > 100
    assert nodes.rows.tolist() == expected.tolist()
    np.testing.assert_allclose(nodes.max_rate, PRIVATE_STALENESS / (2 * 6 * uses[expected]))


def test_a_small_corpus_has_no_private_rows(monkeypatch):
    monkeypatch.setattr(staleness, "MIN_TOKENS", 2001)
    for rows, _ in private(np.array([1000, 1000])):
        assert rows.size == 0
