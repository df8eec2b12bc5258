"""Initial weights."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.nn.initializers import copy_known_rows, normal_weights, uniform_weights


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
    assert copy_known_rows(W_in, W_out, words, init, "cpu") == 2
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
