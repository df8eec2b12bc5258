"""Clusters of words, by spherical k-means."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.config import check_integer
from fastw2v.plot.projection import directions
from fastw2v.utils.checks import check_array

__all__ = ["MAX_CLUSTERS", "clusters", "suitable_number", "typical_rows"]

MAX_CLUSTERS = 10
"""Largest number of clusters on a map: more colours are hard to tell apart."""
NAMING_ROWS = 200
"""Number of rows of a cluster among which `typical_rows` chooses."""
_SAMPLE = 10_000
"""Number of rows from which the centres are computed. More rows change them little and take longer."""
_STARTS = 5
"""Number of times that the centres are computed, from different first centres. The best ones are used."""
_ROUNDS = 50
"""Largest number of rounds. The clusters of word vectors hardly change after that."""
_SAME = 1e-6
"""Rows whose cosine differs from 1 by less are the same direction in single precision."""


def clusters(matrix: Any, n_clusters: int = MAX_CLUSTERS, seed: int = 1) -> np.ndarray:
    """Divide the rows of a matrix into clusters of similar directions, with spherical k-means.

    Parameters
    ----------
    matrix : float array, shape (n, D)
    n_clusters : int
        Number of clusters. There are fewer if there are fewer distinct directions.
    seed : int
        Random seed.

    Returns
    -------
    int64 array, shape (n,)
        The cluster of each row. Clusters are numbered in the order of their first rows, so the cluster of the first row
        is 0. Rows of zeros, which have no direction, are in the same cluster.

    Raises
    ------
    ValueError
        If `n_clusters` is below 1, or a value is not finite.

    Notes
    -----
    Spherical k-means maximises the sum of the cosines between each row and the centre of its cluster, which is a vector
    of unit length: I. S. Dhillon and D. S. Modha, "Concept decompositions for large sparse text data using clustering",
    Machine Learning 42, 2001. The first centres are drawn as in k-means++, and the best of five results is used. With
    more than 10,000 rows, the centres are those of a random sample.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.plot import clusters
    >>> clusters(np.array([[1.0, 0], [2, 0.1], [0, 1], [0.1, 3]]), n_clusters=2)
    array([0, 0, 1, 1])
    """
    check_array("matrix", matrix)
    check_integer("n_clusters", n_clusters, minimum=1)
    check_integer("seed", seed, minimum=0)
    unit = directions(matrix).astype(np.float32)
    if not len(unit):
        return np.zeros(0, dtype=np.int64)
    random = np.random.default_rng(seed)
    directed = np.flatnonzero(unit.any(axis=1))
    if len(directed) > _SAMPLE:
        directed = np.sort(random.choice(directed, _SAMPLE, replace=False))
    rows = unit[directed]
    results = [_centres(rows, n_clusters, random) for _ in range(_STARTS)]
    centres = max(results, key=lambda result: result[0])[1]
    found, first, inverse = np.unique(_nearest_centre(unit, centres), return_index=True, return_inverse=True)
    number = np.empty(len(found), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(found))
    return number[inverse]


def suitable_number(n: int) -> int:
    """Return the number of clusters for a map of n words: √(n/2), but at most `MAX_CLUSTERS`.

    Examples
    --------
    >>> from fastw2v.plot.kmeans import suitable_number
    >>> suitable_number(3), suitable_number(50), suitable_number(5_000)
    (1, 5, 10)
    """
    return min(MAX_CLUSTERS, max(1, round((n / 2) ** 0.5)))


def typical_rows(matrix: Any, labels: np.ndarray, k: int = 3) -> list[np.ndarray]:
    """Return rows of each cluster that have large cosines with the mean of its unit vectors.

    Only the first `NAMING_ROWS` rows of each cluster are considered. If the rows are words in the order of their
    frequency, the result does not contain rare words, which readers may not know.

    Parameters
    ----------
    matrix : float array, shape (n, D)
    labels : int array, shape (n,)
        Clusters from 0 to the largest one, as `clusters` returns them.
    k : int
        Number of rows of each cluster. Smaller clusters have fewer.

    Returns
    -------
    list of int64 array
        Row numbers for each cluster, most typical first.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.plot.kmeans import typical_rows
    >>> typical_rows(np.array([[1.0, 0], [2, 0.2], [1, 0.5], [0, 1]]), np.array([0, 0, 0, 1]), k=1)
    [array([1]), array([3])]
    """
    unit = directions(matrix)
    found = []
    for label in range(int(labels.max(initial=-1)) + 1):
        members = np.flatnonzero(labels == label)
        cosines = unit[members[:NAMING_ROWS]] @ unit[members].sum(axis=0)
        found.append(members[np.argsort(-cosines, kind="stable")[:k]])
    return found


def _centres(rows: np.ndarray, n_clusters: int, random: np.random.Generator) -> tuple[float, np.ndarray]:
    """Return the sum of the cosines between the rows and the centres of their clusters, and the centres."""
    centres = _first_centres(rows, n_clusters, random)
    labels = np.full(len(rows), -1)
    for _ in range(_ROUNDS):
        previous, labels = labels, _nearest_centre(rows, centres)
        if (labels == previous).all():
            break
        centres = _means(rows, labels, centres)
    return float((rows @ centres.T).max(axis=1).sum(dtype=np.float64)), centres


def _first_centres(rows: np.ndarray, n_clusters: int, random: np.random.Generator) -> np.ndarray:
    """Draw rows as in k-means++: each with a probability in proportion to its distance to the nearest one so far.

    On the unit sphere, 1 − cosine is half the squared distance. Of several candidates, the one that leaves the smallest
    sum of distances is taken.
    """
    if not len(rows):
        return np.zeros((1, rows.shape[1]), dtype=np.float32)
    chosen = [int(random.integers(len(rows)))]
    distances = _distances(rows, rows[chosen])[:, 0]
    n_candidates = 2 + int(np.log(n_clusters))
    while len(chosen) < n_clusters and (total := distances.sum(dtype=np.float64)) > 0:
        candidates = random.choice(len(rows), n_candidates, p=distances.astype(np.float64) / total)
        remaining = np.minimum(distances[:, None], _distances(rows, rows[candidates]))
        best = int(remaining.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(candidates[best]))
        distances = remaining[:, best]
    return rows[chosen]


def _distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    distances = np.maximum(1 - rows @ others.T, 0)
    return np.where(distances < _SAME, 0, distances)


def _nearest_centre(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return (rows @ centres.T).argmax(axis=1)


def _means(rows: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the mean direction of each cluster. A cluster without rows keeps its centre."""
    members = (labels[:, None] == np.arange(len(centres))).astype(np.float32)
    sums = members.T @ rows
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > _SAME, sums / np.maximum(lengths, _SAME), centres)
