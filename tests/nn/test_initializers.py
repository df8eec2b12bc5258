"""Initial weights."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.nn import initializers
from fastw2v.nn.initializers import copy_known_rows, fit_ngram_rows, normal_weights, uniform_weights
from fastw2v.sampling import rng


def test_uniform_weights_are_small_and_belong_to_their_row(xp):
    def weights(rows, seed=1, dtype="float32"):
        W = xp.zeros((rows, 20), dtype=getattr(xp, dtype))
        uniform_weights(W, seed)
        return to_host(W)

    W = weights(5000)
    assert np.abs(W).max() <= 0.5 / 20
    assert np.abs(W).max() > 0.499 / 20
    assert abs(W.mean()) < 3e-4
    assert np.array_equal(weights(50), W[:50])  # a larger table begins with the same rows
    assert not np.array_equal(weights(50, seed=2), W[:50])
    np.testing.assert_allclose(weights(50, dtype="float64"), W[:50], rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20_000, 13), (1, 200_000), (3, 1), (0, 4)])
def test_uniform_weights_of_numpy_are_those_of_the_definition(shape, dtype):
    padded = np.full((shape[0], shape[1] + 3), 7, dtype)
    uniform_weights(padded[:, : shape[1]], seed=5)
    rows = rng.bits(rng.stream_key(5, rng.WEIGHTS, 0), np.arange(shape[0]))
    random = rng.bits(rows[:, None], np.arange(shape[1])[None, :])
    np.testing.assert_array_equal(padded[:, : shape[1]], (rng.uniform(random, dtype) - 0.5) / shape[1])
    assert (padded[:, shape[1] :] == 7).all()


def test_normal_weights_are_normal():
    import array_api_compat.numpy as xp

    W = normal_weights(xp, (300, 100), seed=1, stream=0)
    assert abs(W.mean()) < 3e-4
    assert abs(W.std() - 0.01) < 2e-4
    assert 0.67 < (np.abs(W) < 0.01).mean() < 0.70


def pretrained(words, vectors, context_vectors=None):
    rows = {word: row for row, word in enumerate(words)}
    return SimpleNamespace(
        index_to_key=words, key_to_index=rows, input_vectors=np.array(vectors), context_vectors=context_vectors
    )


def test_known_rows_are_copied():
    words = ["a", "b", "c"]
    init = pretrained(["c", "x", "a"], [[1.0, 2], [3, 4], [5, 6]])
    W_in, W_out = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    assert copy_known_rows(W_in, W_out, words, init, "cpu").tolist() == [0, 2]
    assert W_in.tolist() == [[5, 6], [0, 0], [1, 2]]
    assert W_out.tolist() == [[1, 1], [1, 1], [1, 1]]
    init.context_vectors = -init.input_vectors
    copy_known_rows(W_in, W_out, words, init, "cpu")
    assert W_out.tolist() == [[-5, -6], [1, 1], [-1, -2]]


def test_rows_that_cannot_be_copied():
    W_in, W_out = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=r"any of the vocabulary's 2 words.* 'a'.* first word is 'x'"):
        copy_known_rows(W_in, W_out, ["a", "b"], pretrained(["x"], [[1.0, 2]]), "cpu")
    with pytest.raises(ValueError, match="vector of 'b' contains infinite or NaN"):
        copy_known_rows(W_in, W_out, ["a", "b"], pretrained(["a", "b"], [[1.0, 2], [np.inf, 0]]), "cpu")


@pytest.mark.parametrize("on_host", [True, False])
def test_rows_of_ngrams_are_fitted_to_vectors_of_words(on_host, monkeypatch):
    random = np.random.default_rng(0)
    V, R, D = 40, 100, 5
    lists = [np.append(w, random.integers(V, R - 1, random.integers(0, 9))) for w in range(V)]  # some n-grams repeat
    starts, rows = np.append(0, np.cumsum([len(rows) for rows in lists])), np.concatenate(lists).astype(np.int32)
    words = np.flatnonzero(random.random(V) < 0.8)
    W = random.normal(size=(R, D))
    before = W.copy()
    # By definition: dense matrices, where A[w, r] is how often word w has the n-gram of row r.
    A = np.zeros((len(words), R))
    for i, w in enumerate(words):
        np.add.at(A[i], lists[w][1:], 1)
    size = 1 + A.sum(axis=1, keepdims=True)
    X = np.where(A.any(axis=0)[:, None], 0, W)
    for _ in range(initializers.FIT_STEPS):
        residual = before[words] - A @ X / size
        X += initializers.RELAXATION * A.T @ residual / np.maximum(A.sum(axis=0), 1)[:, None]
    if not on_host:
        monkeypatch.setattr(initializers, "to_host", np.copy)  # as if W were on a GPU
    fit_ngram_rows(W, starts, rows, words, "cpu")
    np.testing.assert_allclose(W[V:], X[V:], atol=1e-12)
    for w in words:
        np.testing.assert_allclose(W[lists[w]].mean(axis=0), before[w], atol=1e-12)
    others = np.setdiff1d(np.arange(V), words)
    np.testing.assert_array_equal(W[others], before[others])
    unused = np.flatnonzero(~A.any(axis=0))[V:]
    np.testing.assert_array_equal(W[unused], before[unused])


def test_the_fit_of_ngrams_approaches_the_least_squares(monkeypatch):
    random = np.random.default_rng(1)
    lists = [np.append(w, random.choice(np.arange(30, 45), 1 + w % 9, replace=False)) for w in range(30)]
    sizes = np.array([len(rows) for rows in lists])
    starts, rows = np.append(0, np.cumsum(sizes)), np.concatenate(lists).astype(np.int32)
    vectors = random.normal(size=(30, 2))
    weight = np.sqrt(sizes)[:, None]
    A = np.zeros((30, 15))
    for w, of_word in enumerate(lists):
        A[w, of_word[1:] - 30] = 1 / len(of_word)
    least = np.linalg.norm(weight * (vectors - A @ np.linalg.lstsq(weight * A, weight * vectors, rcond=None)[0]))
    found = []
    for steps in (1, 5, 1000):
        monkeypatch.setattr(initializers, "FIT_STEPS", steps)
        W = np.concatenate([vectors, np.ones((15, 2))])
        fit_ngram_rows(W, starts, rows, np.arange(30), "cpu")
        found.append(np.linalg.norm(weight * (vectors - A @ W[30:])))
    assert found[0] > found[1] > found[2]
    assert found[2] == pytest.approx(least, rel=1e-6)


def test_words_without_ngrams_keep_their_vectors():
    W = np.arange(6.0).reshape(3, 2)
    fit_ngram_rows(W, np.arange(4), np.arange(3, dtype=np.int32), np.array([0, 2]), "cpu")
    np.testing.assert_array_equal(W, np.arange(6.0).reshape(3, 2))
