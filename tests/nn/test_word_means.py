"""Means of rows of words, compared with NumPy's means of one word at a time."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import take_rows
from fastw2v.corpus import subwords as subwords_module
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.nn import subwords as module
from fastw2v.nn.subwords import mean_rows, word_means

SIZES = [1, 0, 4, 300, 2, 0, 7, 1]


@pytest.mark.parametrize("block_values", [1, 64, 1 << 18])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_mean_rows(monkeypatch: pytest.MonkeyPatch, block_values: int, dtype: Any):
    monkeypatch.setattr(module, "BLOCK_VALUES", block_values)
    rng = np.random.default_rng(0)
    W = rng.normal(size=(40, 6)).astype(dtype)
    starts = np.concatenate([[0], np.cumsum(SIZES)])
    rows = rng.integers(-1, 40, starts[-1])
    words = np.array([3, 0, 1, -1, 2, 6, 2, 5, 7, -2, 4])
    found = mean_rows(W, starts, rows, words)
    assert found.dtype == dtype
    for word, mean in zip(words.tolist(), found, strict=True):
        of_word = rows[starts[word] : starts[word + 1]] if word >= 0 else rows[:0]
        exact = np.where(of_word[:, None] < 0, 0, W[of_word].astype(np.float64))
        expected = exact.mean(axis=0) if len(exact) else np.zeros(6)
        np.testing.assert_allclose(mean, expected, atol=1e-3 if dtype is np.float16 else 1e-6)
    assert mean_rows(W, starts, rows, np.zeros(0, np.int64)).shape == (0, 6)
    assert np.isnan(mean_rows(W * np.nan, starts, rows, words)[0]).all()


@pytest.mark.parametrize("numpy", [True, False])
def test_words_without_any_rows(numpy: bool):
    xp: Any = np if numpy else pytest.importorskip("array_api_strict")
    starts, rows, words = (xp.asarray(np.array(array, np.int64)) for array in ([0, 0, 0], [], [1, -1, 0]))
    means = mean_rows(xp.ones((3, 6)), starts, rows, words)
    assert np.array_equal(np.asarray(means), np.zeros((3, 6)))


@pytest.mark.parametrize("hash_count", [None, 2])
def test_blocks_are_parts_of_the_rows(monkeypatch: pytest.MonkeyPatch, hash_count: int | None):
    monkeypatch.setattr(subwords_module, "BLOCK_WORDS", 3)
    words = ["the", "cats", "naïve", "고양이", "a", "</s>", "sing"]
    ngrams = NGrams(3, 5, 500, hash_count)
    eager = Subwords(words, ngrams)
    late = Subwords.with_buckets(lambda: [word.encode() for word in words], 7, ngrams, eager.buckets)
    W = np.random.default_rng(0).normal(size=(eager.n_rows, 6))
    expected = mean_rows(W, eager.starts, eager.rows, np.arange(7))
    for subwords in (eager, late, late):
        blocks = list(subwords.blocks())
        assert [len(starts) - 1 for starts, _ in blocks] == [3, 3, 1]
        assert np.concatenate([rows for _, rows in blocks]).tolist() == eager.rows.tolist()
        assert word_means(W, 7, blocks).tolist() == expected.tolist()
    assert "_table" not in late.__dict__
    assert late.rows.tolist() == eager.rows.tolist()
    assert late.starts.tolist() == eager.starts.tolist()
    every = Subwords.with_buckets(words, 7, ngrams)
    assert every.n_rows == 500 + every.n_own_rows
    unseen = ["cat", "sings"]
    _, ours = every.rows_of_unseen(unseen)
    _, theirs = eager.rows_of_unseen(unseen)
    buckets = np.where(theirs < 0, -1, eager.buckets[theirs - eager.n_own_rows])
    assert (ours - every.n_own_rows)[theirs >= 0].tolist() == buckets[theirs >= 0].tolist()


def test_a_table_that_is_not_aligned_is_not_copied():
    data = bytearray(4 * 100_000 * 8 + 1)
    W: np.ndarray = np.ndarray((100_000, 8), "<f4", data, offset=1)
    assert not W.flags.aligned
    W[:] = np.random.default_rng(0).normal(size=W.shape)
    ids = np.array([5, 70_000, -1, 5])
    tracemalloc.start()
    found = take_rows(W, ids)
    means = mean_rows(W, np.array([0, 4]), ids, np.array([0]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
    expected = np.where(ids[:, None] < 0, 0, W[ids])
    assert found.tolist() == expected.tolist()
    np.testing.assert_allclose(means[0], expected.mean(axis=0), atol=1e-6)
