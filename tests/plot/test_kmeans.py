"""Spherical k-means compared with an exhaustive search and with clusters that are known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fastw2v.plot import clusters, kmeans


def quality(unit: np.ndarray, labels: np.ndarray) -> float:
    """Return the sum of the cosines between the rows and the mean directions of their clusters."""
    return sum(float(np.linalg.norm(unit[labels == label].sum(axis=0))) for label in np.unique(labels))


def test_the_clusters_are_those_of_an_exhaustive_search():
    rows = np.random.default_rng(4).normal(size=(9, 3))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    best = max(quality(unit, np.array(labels)) for labels in product(range(3), repeat=9))
    found = max(quality(unit, clusters(rows, 3, seed)) for seed in range(10))
    assert found == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("n", [60, 3000])
def test_clusters_far_apart_are_found_and_numbered_by_their_first_rows(monkeypatch, n):
    monkeypatch.setattr(kmeans, "_SAMPLE", 1000)  # the 3,000 rows are assigned to the centres of a sample
    random = np.random.default_rng(2)
    topics = random.integers(0, 6, size=n)
    rows = np.eye(8)[topics] * random.uniform(0.1, 9, size=(n, 1)) + random.normal(size=(n, 8)) * 0.01
    _, first, expected = np.unique(topics, return_index=True, return_inverse=True)
    expected = np.argsort(np.argsort(first))[expected]
    for seed in range(5):
        labels = clusters(rows, 6, seed)
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(clusters(rows.astype(np.float16), 6, seed), expected)


def test_the_same_seed_gives_the_same_clusters_and_leaves_other_random_numbers_alone():
    rows = np.random.default_rng(0).normal(size=(500, 20))
    before = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]  # noqa: NPY002
    assert clusters(rows, seed=3).tolist() == clusters(rows, seed=3).tolist()
    assert clusters(rows, seed=3).tolist() != clusters(rows, seed=4).tolist()
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index,union-attr]  # noqa: NPY002


def test_few_directions_give_few_clusters():
    assert clusters(np.array([[1.0, 0], [0, 0], [0, 2], [3, 0]]), 10).tolist() in ([0, 0, 1, 0], [0, 1, 1, 0])
    assert clusters(np.zeros((3, 4))).tolist() == [0, 0, 0]
    assert clusters(np.ones((4, 2)) * [[1], [2], [3], [1e-9]], 3).tolist() == [0, 0, 0, 0]
    assert clusters(np.zeros((0, 4))).tolist() == []
    assert clusters(np.array([[1.0, 2]]), 1).tolist() == [0]


def test_what_has_no_clusters():
    with pytest.raises(ValueError, match="NaN"):
        clusters(np.array([[1.0, np.nan]] * 3))
    with pytest.raises(ValueError, match="n_clusters"):
        clusters(np.ones((3, 2)), 0)


def test_typical_rows_are_those_with_the_largest_cosines():
    rows = np.random.default_rng(1).normal(size=(40, 6))
    labels = np.arange(40) % 3
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for label, found in enumerate(kmeans.typical_rows(rows, labels, 4)):
        centre = np.mean([unit[i] for i in range(40) if labels[i] == label], axis=0)
        expected = sorted(range(label, 40, 3), key=lambda i: -float(unit[i] @ centre))[:4]
        assert found.tolist() == expected
    assert [rows.tolist() for rows in kmeans.typical_rows(np.eye(3), np.array([0, 1, 1]))] == [[0], [1, 2]]
