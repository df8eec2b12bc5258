"""Ways to add rows at repeated ids in NumPy, timed against each other: ``python -m benchmarks.scatter_add``.

What `fastw2v.backend.scatter_add` does on NumPy was chosen by this table. Ids follow Zipf's law over 10,000 words,
as the rows of a batch of text do; times are the best of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

V, D = 10_000, 100


def add_at_rows(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """`np.add.at` on whole rows."""
    np.add.at(W, ids, rows)


def add_at_elements(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """`np.add.at` on the flattened array, where it has a fast path: the one in use."""
    flat = (ids[:, None] * D + np.arange(D)).reshape(-1)
    np.add.at(W.reshape(-1), flat, rows.reshape(-1))


def sort_and_reduceat(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Sort by id and sum each run."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    W[ids[starts]] += np.add.reduceat(rows[order], starts, axis=0)


def sparse_product(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Multiply by a sparse matrix of ones: needs SciPy."""
    from scipy.sparse import csr_matrix

    unique, place = np.unique(ids, return_inverse=True)
    ones = csr_matrix((np.ones(len(ids), W.dtype), place, np.arange(len(ids) + 1)), (len(ids), len(unique)))
    W[unique] += ones.T @ rows


def loop(W: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Row by row in Python."""
    for i, row in zip(ids.tolist(), rows, strict=True):
        W[i] += row


def seconds(run: Callable[[], None], rounds: int = 5, least: float = 0.05) -> float:
    """Return the best time of one call."""
    run()
    best = np.inf
    for _ in range(rounds):
        calls, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < least:
            run()
            calls += 1
        best = min(best, passed / calls)
    return best


def main() -> None:
    rng = np.random.default_rng(0)
    share = 1 / (np.arange(V) + 2.7)
    ways = [add_at_rows, add_at_elements, sort_and_reduceat, sparse_product, loop]
    print(f"microseconds to add N rows of {D} float32 to {V:,} rows (NumPy {np.__version__})\n")
    print(f"{'N':>7} {'distinct':>9}" + "".join(f"{way.__name__:>19}" for way in ways))
    for n in (100, 600, 1000, 6000, 20_000):
        ids = rng.choice(V, n, p=share / share.sum())
        rows = rng.normal(size=(n, D)).astype(np.float32)
        W = np.zeros((V, D), np.float32)
        row = f"{n:7,} {len(np.unique(ids)):9,}"
        for way in ways:
            row += f"{seconds(partial(way, W, ids, rows)) * 1e6:19.0f}"
        print(row)


if __name__ == "__main__":
    main()
