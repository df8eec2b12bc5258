"""Exact nearest neighbours: the rows nearest to many queries at once, in bounded memory.

The scores are one matrix product, block by block, and the largest of each row are selected. Most of the time goes into
writing and reading scores that are not wanted. For many queries on a CPU, `fastw2v.kernels.knn_prefilter` first finds
the rows that can be among the nearest, and only these are scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, set_rows, to_host, top_k
from fastw2v.kernels import numba_is_installed
from fastw2v.utils.system import available_processors

__all__ = ["block_size", "nearest_rows", "ranked", "without"]

# Scores held at a time: 128 MB in single precision. A block of queries is one matrix product, which is the faster
# the more rows it has.
_SCORES = 2**25
# Selecting reads the scores once, for the largest of every so many; what is left to select from is small.
_GROUP = 64
# Multiplications of the whole product, and queries, from which the prefilter pays off: with fewer multiplications, some
# 0.2 s of work, loading the compiled code takes as long; with fewer queries, converting the rows to integers does.
PREFILTER_MIN_PRODUCTS = 2**33
PREFILTER_MIN_QUERIES = 1000
# Queries whose candidates are gathered and scored at a time.
PREFILTER_RESCORE_BLOCK = 128


def block_size(n_rows: int) -> int:
    """Return how many queries to score at a time against so many rows."""
    return max(1, min(1024, _SCORES // n_rows))


def nearest_rows(unit: Any, queries: Any, k: int, left_out: np.ndarray | None = None) -> tuple[Any, Any]:
    """Return the rows with the largest dot products, for each of many queries.

    Parameters
    ----------
    unit : float array, shape (V, D)
        What is searched; for cosines, of unit length.
    queries : float array, shape (B, D)
        Of the same library and type.
    k : int
        How many rows to find, from 0 to V.
    left_out : int array, shape (N, 2), optional
        Pairs of a query and a row that it must not find, on the host. Where too few rows remain, the last
        places are taken by rows left out, scored −inf.

    Returns
    -------
    rows : int64 array, shape (B, k)
        The nearest first; of equal scores, the earlier row.
    scores : float array, shape (B, k)
    """
    get_namespace(unit, queries)
    pairs = np.zeros((0, 2), dtype=np.int64)
    if left_out is not None:
        pairs = left_out[np.argsort(left_out[:, 0], kind="stable")]
    if is_numpy(unit) and k and len(queries) == 1:
        return _scored_for_one(unit, queries[0], k, pairs[:, 1])
    return _prefiltered(unit, queries, k, pairs) or _scored(unit, queries, k, pairs)


def _scored(unit: Any, queries: Any, k: int, pairs: np.ndarray) -> tuple[Any, Any]:
    """Score every row. The pairs of query and row left out are in the order of the queries."""
    xp = get_namespace(unit)
    block = block_size(unit.shape[0])
    found = []
    for start in range(0, max(1, queries.shape[0]), block):
        stop = min(start + block, queries.shape[0])
        scores = queries[start:stop, :] @ unit.T
        found.append(_largest(without(scores, _of_queries(pairs, start, stop)), k))
    rows, values = (xp.concat(parts, axis=0) for parts in zip(*found, strict=True))
    return rows, values


def _scored_for_one(unit: np.ndarray, query: np.ndarray, k: int, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score every row for one query, in few calls: of a question to a small vocabulary they are most of the time."""
    scores = unit @ query
    scores[left_out] = -np.inf
    n_groups = len(scores) // _GROUP
    # As in `_largest`: the k-th largest peak is no larger than the k-th largest score.
    peaks = scores if n_groups <= 4 * k else scores[: n_groups * _GROUP].reshape(_GROUP, n_groups).max(axis=0)
    rows = np.flatnonzero(scores >= np.partition(peaks, -k)[-k])
    rows = rows[np.argsort(-scores[rows], kind="stable")[:k]]
    return rows[None, :], scores[rows][None, :]


def _of_queries(pairs: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return the pairs of the queries from `start` to `stop`, with queries counted from `start`."""
    first, last = np.searchsorted(pairs[:, 0], (start, stop))
    return pairs[first:last] - (start, 0)


def _prefiltered(unit: Any, queries: Any, k: int, pairs: np.ndarray) -> tuple[Any, Any] | None:
    """Score the candidates of the prefilter only; return None where it is not available or would not pay off."""
    if not (is_numpy(unit) and k and len(queries) >= PREFILTER_MIN_QUERIES):
        return None
    if unit.size * len(queries) < PREFILTER_MIN_PRODUCTS:
        return None
    if not numba_is_installed():
        return None
    try:
        from fastw2v.kernels import knn_prefilter
    except ImportError:  # a Numba that does not fit the installed NumPy: the result is the same without
        return None
    wanted = k + int(np.bincount(pairs[:, 0]).max(initial=0))
    if (
        wanted > min(knn_prefilter.MAX_NEIGHBORS, len(unit))
        or knn_prefilter.unavailable_reason()
        or not _at_most_unit(unit, queries, knn_prefilter.MAX_LENGTH)
    ):
        return None
    rows = np.empty((len(queries), k), dtype=np.int64)
    values = np.empty((len(queries), k), dtype=unit.dtype)
    given_up = []
    for start, candidates, n_found in knn_prefilter.candidates(unit, queries, wanted, available_processors()):
        given_up.append(start + np.flatnonzero(n_found < 0))
        if not start and 2 * len(given_up[0]) > len(n_found):
            return None  # these rows lie too close together for the prefilter
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
    unit: np.ndarray, queries: np.ndarray, k: int, candidates: np.ndarray, n_found: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score the first `n_found` candidates of each query and return the k best; what, if they are fewer, is open."""
    candidates = candidates[:, : max(k, n_found.max())]
    # Unlike a matrix product, einsum rounds equal rows equally, wherever they stand: ties stay ties.
    scores = np.einsum("bmd,bd->bm", unit[candidates], queries)
    scores[np.arange(candidates.shape[1]) >= n_found[:, None]] = -np.inf
    pair, place = np.nonzero(candidates[pairs[:, 0]] == pairs[:, 1:])
    scores[pairs[pair, 0], place] = -np.inf
    order = np.lexsort((candidates, -scores))[:, :k]
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _at_most_unit(unit: np.ndarray, queries: np.ndarray, length: float) -> bool:
    """Return whether no row and no query is longer; False where one holds NaN."""
    squares = [np.einsum("vd,vd->v", matrix, matrix).max(initial=0) for matrix in (unit, queries)]
    return bool(max(squares) <= length**2) and not any(np.isnan(squares))


def without(scores: Any, pairs: np.ndarray) -> Any:
    """Return the scores, shape (B, V), with −inf at pairs of query and row; the array given may be changed."""
    if not len(pairs):
        return scores
    xp, device = get_namespace(scores), get_device(scores)
    places = np.unique(pairs[:, 0] * scores.shape[1] + pairs[:, 1])
    flat = xp.reshape(scores, (-1,))
    worst = xp.full(places.shape, -xp.inf, dtype=scores.dtype, device=device)
    set_rows(flat, xp.asarray(places, device=device), worst)
    return xp.reshape(flat, scores.shape)


def _largest(scores: Any, k: int) -> tuple[Any, Any]:
    """Return the places and values of the k largest scores in each row.

    The columns are dealt into groups. The k groups with the largest peaks hold the k largest scores: were one of
    these elsewhere, each of those peaks would be at least as large.
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
    # Equal scores in the order of rows, whatever the selection made of them.
    order = xp.argsort(rows, axis=1)
    rows, values = xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(values, order, axis=1)
    order = xp.argsort(-values, axis=1, stable=True)
    return xp.take_along_axis(rows, order, axis=1), xp.take_along_axis(values, order, axis=1)


def ranked(
    scores: Any, id_to_word: Sequence[str] | Mapping[int, str], left_out: set[int], top: int
) -> list[tuple[str, float]]:
    """Return the `top` words of the highest scores, without those left out or whose score is NaN."""
    xp = get_namespace(scores)
    scores = xp.where(xp.isnan(scores), xp.full_like(scores, -xp.inf), scores)
    values, ids = top_k(scores, min(scores.shape[0], top + len(left_out)))
    pairs = zip(to_host(ids).tolist(), to_host(values).tolist(), strict=True)
    return [(id_to_word[i], value) for i, value in pairs if i not in left_out and value > -math.inf][:top]
