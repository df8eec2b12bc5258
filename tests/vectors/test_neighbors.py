"""Exact nearest neighbours, compared with a sort."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.vectors import neighbors
from fastw2v.vectors.word_vectors import WordVectors


@pytest.mark.parametrize("k", [0, 1, 3, 10, 300])
@pytest.mark.parametrize("rows", [300, 4096, 5003])
def test_search_equals_a_sort(xp, monkeypatch: pytest.MonkeyPatch, k: int, rows: int) -> None:
    """Many scores are equal, and ordered by row. Queries are in blocks of three."""
    rng = np.random.default_rng(k)
    unit = (
        rng.integers(-2, 3, size=(rows, 3)).astype(np.float32) if k == 10 else rng.random((rows, 3), dtype=np.float32)
    )
    queries = rng.normal(size=(8, 3)).astype(np.float32)
    left_out = np.stack([rng.integers(0, 8, 30), rng.integers(0, rows, 30)], axis=1)
    monkeypatch.setattr(neighbors, "_SCORES", 3 * rows)
    scores = queries @ unit.T
    scores[left_out[:, 0], left_out[:, 1]] = -np.inf
    expected = np.sort(scores, axis=1)[:, ::-1][:, :k]
    found, values = (to_host(a) for a in neighbors.nearest_rows(xp.asarray(unit), xp.asarray(queries), k, left_out))
    np.testing.assert_allclose(values, expected, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), values, atol=1e-6)
    assert all(len(set(row)) == k for row in found.tolist())
    equal = values[:, 1:] == values[:, :-1]
    assert (found[:, 1:] > found[:, :-1])[equal].all()


def test_many_queries_take_bounded_memory() -> None:
    import tracemalloc

    matrix = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32)
    wv = WordVectors(list(range(20_000)), matrix)
    _ = wv.unit_vectors
    tracemalloc.start()
    rows, _ = wv.nearest_neighbours(2)  # all scores at once would take 1.6 GB
    assert tracemalloc.get_traced_memory()[1] < 600e6
    tracemalloc.stop()
    assert rows.shape == (20_000, 2)
