"""Projections: PCA compared with the covariance, and the libraries for UMAP and t-SNE."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from fastw2v.plot.projection import plane


def test_the_plane_is_that_of_the_largest_variances():
    rows = np.random.default_rng(0).normal(size=(50, 6)) * [9, 5, 1, 1, 0.5, 0.1] + 1
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values, axes = np.linalg.eigh(np.cov(unit.T))
    expected = (unit - unit.mean(axis=0)) @ axes[:, [-1, -2]]
    coordinates = plane(rows, "pca")
    np.testing.assert_allclose(np.abs(coordinates), np.abs(expected), atol=1e-12)
    np.testing.assert_allclose(coordinates.var(axis=0, ddof=1), values[[-1, -2]])
    assert (coordinates[np.abs(coordinates).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_allclose(plane(3 * rows.astype(np.float32), "pca"), coordinates, atol=1e-6)


def test_the_plane_of_few_rows_and_dimensions():
    line = plane(np.array([[1.0], [-1.0], [2.0]]))
    np.testing.assert_allclose(np.abs(line), [[2 / 3, 0], [4 / 3, 0], [2 / 3, 0]])
    assert plane(np.zeros((3, 4))).tolist() == [[0, 0]] * 3
    with pytest.raises(ValueError, match="at least three"):
        plane(np.ones((2, 4)))
    with pytest.raises(ValueError, match="NaN"):
        plane(np.array([[1.0, np.nan]] * 3))
    with pytest.raises(ValueError, match="'isomap'"):
        plane(np.ones((3, 4)), "isomap")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "library", "package"), [("umap", "umap", "umap-learn"), ("tsne", "sklearn.manifold", "scikit-learn")]
)
def test_methods_that_need_a_library_name_it(monkeypatch, method, library, package):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=package):
        plane(np.ones((5, 3)), method)


def test_methods_are_called_with_what_suits_few_words(monkeypatch):
    calls: dict[str, Any] = {}

    class Method:
        def __init__(self, **options):
            calls.update(options)

        def fit_transform(self, rows):
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
            return np.arange(2 * len(rows), dtype=np.float32).reshape(-1, 2)

    monkeypatch.setitem(sys.modules, "umap", type(sys)("umap"))
    monkeypatch.setattr(sys.modules["umap"], "UMAP", Method, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", type(sys)("sklearn"))
    monkeypatch.setitem(sys.modules, "sklearn.manifold", type(sys)("sklearn.manifold"))
    monkeypatch.setattr(sys.modules["sklearn.manifold"], "TSNE", Method, raising=False)
    rows = np.random.default_rng(0).normal(size=(4, 3))
    assert plane(rows, "umap").tolist() == [[-3, -3], [-1, -1], [1, 1], [3, 3]]
    assert calls == {"metric": "cosine", "n_neighbors": 3, "random_state": 1, "n_jobs": 1, "init": "random"}
    calls.clear()
    plane(rows, "tsne", seed=5)
    assert calls == {"metric": "cosine", "perplexity": 1.0, "random_state": 5}
