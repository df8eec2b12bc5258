"""Search: the rows nearest to many queries at once, exactly, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, set_rows, top_k

__all__ = ["block_size", "nearest_rows", "without"]

# Scores held at a time: 128 MB in single precision. A block of queries is one matrix product, which is the faster
# the more rows it has.
_SCORES = 2**25
# Selecting reads the scores once, for the largest of every so many; what is left to select from is small.
_GROUP = 64


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
    xp = get_namespace(unit, queries)
    pairs = np.zeros((0, 2), dtype=np.int64)
    if left_out is not None:
        pairs = left_out[np.argsort(left_out[:, 0], kind="stable")]
    block = block_size(unit.shape[0])
    found = []
    for start in range(0, max(1, queries.shape[0]), block):
        stop = min(start + block, queries.shape[0])
        scores = queries[start:stop, :] @ unit.T
        first, last = np.searchsorted(pairs[:, 0], (start, stop))
        found.append(_largest(without(scores, pairs[first:last] - (start, 0)), k))
    rows, values = (xp.concat(parts, axis=0) for parts in zip(*found, strict=True))
    return rows, values


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
