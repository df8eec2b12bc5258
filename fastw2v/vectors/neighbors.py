"""Exact nearest neighbours of many queries in bounded memory.

Each block of queries is scored with one matrix product, and the largest scores of each query are selected. Most of the
time is spent writing and reading scores that are then discarded. For many queries on a CPU,
`fastw2v.kernels.knn_prefilter` first selects the rows that can be among the nearest, and only these rows are scored.

Threads take turns to search for the nearest rows of a few queries, because a turn can use all processors, and threads
that overlap would interrupt each other.
Single queries on a large matrix that wait for their turn are scored together, so the rows are read from memory once.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, set_rows, to_host, top_k
from fastw2v.kernels import numba_unavailable_reason
from fastw2v.utils.scaled_rows import ScaledRows, storage
from fastw2v.utils.system import available_processors
from fastw2v.vectors.normalize import take_rows
from fastw2v.vectors.products import all_products, products

__all__ = ["block_size", "nearest_rows", "ranked", "turn", "without"]

# Number of scores in memory at a time: 128 MB in single precision. The matrix product is faster for larger blocks.
_SCORES = 2**25
# Number of scores in a group. The first pass finds the largest score of each group, so the second pass reads few
# scores.
_GROUP = 64
# Minimum numbers of multiplications and of queries for which the prefilter is faster. With fewer multiplications (about
# 0.2 s of work), loading the compiled code takes as long as the search. With fewer queries, converting the rows to
# integers takes as long as the search.
PREFILTER_MIN_PRODUCTS = 2**33
PREFILTER_MIN_QUERIES = 1000
# Number of queries whose candidates are gathered and scored at a time.
PREFILTER_RESCORE_BLOCK = 128
# Minimum size of a matrix for which waiting queries are scored together. For smaller matrices, waking a thread to take
# its result costs more than scoring the query.
TOGETHER_MIN_SIZE = 2**21
# Maximum number of scores of waiting queries that are computed together: 32 MB in single precision.
_SCORES_TOGETHER = 2**23

turn = threading.RLock()
"""The lock of the thread that scores. It is reentrant: a signal handler may ask a query while its thread scores."""


def block_size(n_rows: int) -> int:
    """Return the number of queries to score at a time against `n_rows` rows.

    Examples
    --------
    >>> from fastw2v.vectors.neighbors import block_size
    >>> block_size(1_000), block_size(1_000_000)
    (1024, 33)
    """
    return max(1, min(1024, _SCORES // n_rows))


def nearest_rows(unit: Any, queries: Any, k: int, left_out: np.ndarray | None = None) -> tuple[Any, Any]:
    """Return, for each query, the rows with the largest dot products.

    Parameters
    ----------
    unit : float array or ScaledRows, shape (V, D)
        Rows to search. The scores are cosines if rows and queries have unit length.
    queries : float array, shape (B, D)
        Array of the same library and dtype as `unit`, or float32 for `ScaledRows`.
    k : int
        Number of rows to return for each query, from 0 to V.
    left_out : NumPy int array, shape (N, 2), optional
        Pairs (query, row) to exclude. If fewer than k rows remain for a query, excluded rows with a score of −inf fill
        the last places.

    Returns
    -------
    rows : int64 array, shape (B, k)
        Row numbers, highest score first. Rows with equal scores are in ascending order.
    scores : float array, shape (B, k)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.neighbors import nearest_rows
    >>> unit = np.array([[1.0, 0], [0.8, 0.6], [0, 1]])
    >>> rows, scores = nearest_rows(unit, unit[[0, 2]], k=2)
    >>> rows
    array([[0, 1],
           [2, 1]])
    >>> scores
    array([[1. , 0.8],
           [1. , 0.6]])
    >>> nearest_rows(unit, unit[[0, 2]], k=1, left_out=np.array([(0, 0), (1, 2)]))[0].tolist()
    [[1], [1]]
    """
    get_namespace(storage(unit), queries)
    pairs = np.zeros((0, 2), dtype=np.int64) if left_out is None else left_out
    if is_numpy(queries) and k and len(queries) == 1:
        return _scored_for_one(unit, queries, k, pairs[:, 1])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return _prefiltered(unit, queries, k, pairs) or _scored(unit, queries, k, pairs)


def _scored(unit: Any, queries: Any, k: int, pairs: np.ndarray) -> tuple[Any, Any]:
    """Score every row. `pairs` holds (query, row) pairs to exclude, sorted by query."""
    xp = get_namespace(queries)
    block = block_size(unit.shape[0])
    found = []
    for start in range(0, max(1, queries.shape[0]), block):
        stop = min(start + block, queries.shape[0])
        with turn:
            scores = all_products(unit, queries[start:stop, :])
            found.append(_largest(without(scores, _of_queries(pairs, start, stop)), k))
    rows, values = (xp.concat(parts, axis=0) for parts in zip(*found, strict=True))
    return rows, values


@dataclass(eq=False)
class _Query:
    """A single query of a thread, and its result when it has been scored."""

    unit: Any
    vector: np.ndarray
    k: int
    left_out: np.ndarray
    found: tuple[np.ndarray, np.ndarray] | None = None


_waiting: list[_Query] = []


def _scored_for_one(unit: Any, queries: np.ndarray, k: int, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score one query, shape (1, D), in turn, with the waiting queries of other threads on the same rows."""
    if unit.size < TOGETHER_MIN_SIZE:
        with turn:
            return _largest_of_one(products(unit, queries)[0], k, left_out)
    own = _Query(unit, queries[0], k, left_out)
    _waiting.append(own)
    try:
        with turn:
            if own.found is not None:  # another thread has scored it
                return own.found
            same = [one for one in _waiting.copy() if one.unit is unit and one.found is None and one is not own]
            return _score([own, *same[: _SCORES_TOGETHER // len(unit)]])
    finally:
        _waiting.remove(own)


def _score(asked: list[_Query]) -> tuple[np.ndarray, np.ndarray]:
    """Score queries on the same rows. Return the result of the first."""
    vectors = np.stack([one.vector for one in asked])
    for one, scores in zip(asked, products(asked[0].unit, vectors), strict=True):
        one.found = _largest_of_one(scores, one.k, one.left_out)
    assert asked[0].found is not None
    return asked[0].found


def _forget_waiting() -> None:
    """Forget the queries of threads that a forked process does not have."""
    _waiting.clear()
    turn.release()


if hasattr(os, "register_at_fork"):  # a forked process would wait for a thread that it does not have
    os.register_at_fork(before=turn.acquire, after_in_parent=turn.release, after_in_child=_forget_waiting)


def _largest_of_one(scores: np.ndarray, k: int, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest scores of one query in few NumPy calls, because call overhead dominates for few rows."""
    scores[left_out] = -np.inf
    n_groups = len(scores) // _GROUP
    # As in `_largest`, the k-th largest peak is at most the k-th largest score.
    peaks = scores if n_groups < k else scores[: n_groups * _GROUP].reshape(_GROUP, n_groups).max(axis=0)
    rows = (scores >= np.partition(peaks, -k)[-k]).nonzero()[0]
    best = scores[rows]
    order = (-best).argsort(kind="stable")[:k]
    return rows[order][None, :], best[order][None, :]


def _of_queries(pairs: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return the pairs of the queries ``start:stop``, with query indices relative to `start`."""
    first, last = np.searchsorted(pairs[:, 0], (start, stop))
    return pairs[first:last] - (start, 0)


def _prefiltered(unit: Any, queries: Any, k: int, pairs: np.ndarray) -> tuple[Any, Any] | None:
    """Score only the candidates of the prefilter. Return None if the prefilter is unavailable or would be slower."""
    if not (is_numpy(queries) and k and len(queries) >= PREFILTER_MIN_QUERIES):
        return None
    if unit.size * len(queries) < PREFILTER_MIN_PRODUCTS:
        return None
    if numba_unavailable_reason():  # the result is the same without the prefilter
        return None
    from fastw2v.kernels import knn_prefilter

    wanted = k + int(np.bincount(pairs[:, 0]).max(initial=0))
    if (
        wanted > min(knn_prefilter.MAX_NEIGHBORS, len(unit))
        or knn_prefilter.unavailable_reason()
        or not _at_most_unit(unit, queries, knn_prefilter.MAX_LENGTH)
    ):
        return None
    rows = np.empty((len(queries), k), dtype=np.int64)
    values = np.empty((len(queries), k), dtype=queries.dtype)
    given_up = []
    for start, candidates, n_found in knn_prefilter.candidates(unit, queries, wanted, available_processors()):
        given_up.append(start + np.flatnonzero(n_found < 0))
        if not start and 2 * len(given_up[0]) > len(n_found):
            return None  # the rows are too close together for the prefilter
        for first in range(0, len(candidates), PREFILTER_RESCORE_BLOCK):
            part = slice(first, first + PREFILTER_RESCORE_BLOCK)
            here = slice(start + first, start + first + len(candidates[part]))
            own = _of_queries(pairs, here.start, here.stop)
            rows[here], values[here] = _best(unit, queries[here], k, candidates[part], n_found[part], own)
    rest = np.concatenate(given_up)
    if len(rest):
        kept = np.isin(pairs[:, 0], rest)
        renumbered = np.stack([np.searchsorted(rest, pairs[kept, 0]), pairs[kept, 1]], axis=1)
        rows[rest], values[rest] = _scored(unit, queries[rest, :], k, renumbered)
    return rows, values


def _best(
    unit: Any, queries: np.ndarray, k: int, candidates: np.ndarray, n_found: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best of the first `n_found` candidates of each query. Results beyond `n_found` are arbitrary."""
    candidates = candidates[:, : max(k, n_found.max())]
    # Unlike a matrix product, einsum gives equal rows exactly equal scores at every position, so ties are preserved.
    taken = take_rows(unit, candidates.ravel()).reshape(*candidates.shape, -1)
    scores = np.einsum("bmd,bd->bm", taken, queries)
    scores[np.arange(candidates.shape[1]) >= n_found[:, None]] = -np.inf
    pair, place = np.nonzero(candidates[pairs[:, 0]] == pairs[:, 1:])
    scores[pairs[pair, 0], place] = -np.inf
    order = np.lexsort((candidates, -scores))[:, :k]
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _at_most_unit(unit: Any, queries: np.ndarray, length: float) -> bool:
    """Return whether no row and no query is longer than `length`. If a value is NaN, return False."""
    # Rows of `ScaledRows` have unit length.
    matrices = (queries,) if isinstance(unit, ScaledRows) else (unit, queries)
    squares = [np.einsum("vd,vd->v", matrix, matrix).max(initial=0) for matrix in matrices]
    return bool(max(squares) <= length**2) and not any(np.isnan(squares))


def without(scores: Any, pairs: np.ndarray) -> Any:
    """Return the scores with −inf at the given (query, row) pairs. The input may be modified in place.

    Parameters
    ----------
    scores : float array, shape (B, V)
    pairs : NumPy int array, shape (N, 2)

    Returns
    -------
    float array, shape (B, V)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.neighbors import without
    >>> without(np.array([[0.9, 0.5], [0.1, 0.7]]), np.array([(0, 0), (1, 1)]))
    array([[-inf,  0.5],
           [ 0.1, -inf]])
    """
    if not len(pairs):
        return scores
    xp, device = get_namespace(scores), get_device(scores)
    places = np.unique(pairs[:, 0] * scores.shape[1] + pairs[:, 1])
    flat = xp.reshape(scores, (-1,))
    worst = xp.full(places.shape, -xp.inf, dtype=scores.dtype, device=device)
    set_rows(flat, xp.asarray(places, device=device), worst)
    return xp.reshape(flat, scores.shape)


def _largest(scores: Any, k: int) -> tuple[Any, Any]:
    """Return the columns and values of the k largest scores in each row.

    The columns are split into groups. The k groups with the largest maxima contain the k largest scores, because no
    score in any other group exceeds any of these k maxima.
    """
    xp, device = get_namespace(scores), get_device(scores)
    n_queries, n_rows = scores.shape
    n_groups = n_rows // _GROUP
    if n_groups <= 4 * k:
        values, rows = top_k(scores, k)
    else:
        whole = n_groups * _GROUP
        peaks = xp.max(xp.reshape(scores[:, :whole], (n_queries, _GROUP, n_groups)), axis=1)
        _, groups = top_k(peaks, k)
        members = xp.arange(0, whole, n_groups, dtype=xp.int64, device=device)
        columns = xp.reshape(groups[:, None, :] + members[None, :, None], (n_queries, k * _GROUP))
        rest = xp.arange(whole, n_rows, dtype=xp.int64, device=device)
        columns = xp.concat([columns, xp.broadcast_to(rest, (n_queries, n_rows - whole))], axis=1)
        values, places = top_k(xp.take_along_axis(scores, columns, axis=1), k)
        rows = xp.take_along_axis(columns, places, axis=1)
    # Sort equal scores by row, because the order of the selection is arbitrary.
    order = xp.argsort(rows, axis=1)
    rows, values = xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(values, order, axis=1)
    order = xp.argsort(-values, axis=1, stable=True)
    return xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(values, order, axis=1)


def ranked(
    scores: Any, id_to_word: Sequence[str] | Mapping[int, str], left_out: set[int], top: int
) -> list[tuple[str, float]]:
    """Return the `top` words with the highest scores.

    Parameters
    ----------
    scores : float array, shape (V,)
        A word whose score is NaN is excluded.
    id_to_word : sequence of str, or dict of int to str
    left_out : set of int
        Ids of words to exclude.
    top : int
        Maximum number of words to return.

    Returns
    -------
    list of (str, float)
        Words and scores, highest first.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.neighbors import ranked
    >>> ranked(np.array([0.25, 0.75, np.nan, 0.5]), ["cat", "dog", "cow", "car"], left_out={1}, top=2)
    [('car', 0.5), ('cat', 0.25)]
    """
    xp = get_namespace(scores)
    scores = xp.where(xp.isnan(scores), xp.full_like(scores, -xp.inf), scores)
    values, ids = top_k(scores, min(scores.shape[0], top + len(left_out)))
    pairs = zip(to_host(ids).tolist(), to_host(values).tolist(), strict=True)
    return [(id_to_word[i], value) for i, value in pairs if i not in left_out and value > -math.inf][:top]
