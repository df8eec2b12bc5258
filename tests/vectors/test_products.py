"""Products with the vectors of queries."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.vectors import products as module
from fastw2v.vectors.products import products


def matrices(V: int, D: int, B: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, queries, and their products in extended precision."""
    rng = np.random.default_rng(V + D + B)
    unit, queries = rng.normal(size=(V, D)).astype(dtype), rng.normal(size=(B, D)).astype(dtype)
    return unit, queries, (queries.astype(np.longdouble) @ unit.astype(np.longdouble).T).astype(np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("V", "D", "B"),
    [
        (3, 2, 1),  # too small for blocks
        (17_024, 30, 1),  # blocks without a remainder
        (17_025, 30, 1),
        (9_207, 30, 3),
        (5_001, 30, 64),
        (301, 3_000, 1),  # rows that are longer than the usual block
        (301, 3_000, 2),
        (70_000, 7, 1),
        (300, 7, 0),
    ],
)
def test_products_equal_those_in_extended_precision(xp, dtype: str, V: int, D: int, B: int) -> None:
    unit, queries, expected = matrices(V, D, B, dtype)
    found = products(xp.asarray(unit), xp.asarray(queries))
    assert found.shape == (B, V)
    assert str(found.dtype).endswith(dtype)
    # The error of a sum of D products is at most D eps times the sum of the absolute products.
    bound = D * np.finfo(dtype).eps * (np.abs(queries) @ np.abs(unit).T)
    assert (np.abs(to_host(found) - expected) <= bound).all()


@pytest.mark.parametrize("B", [1, 5])
def test_parts_are_shared_among_threads(monkeypatch: pytest.MonkeyPatch, B: int) -> None:
    """Every part is computed, whether or not the helpers get a processor. The values do not depend on the threads."""
    unit, queries, _ = matrices(20_011, 40, B, "float32")
    monkeypatch.setattr(module, "available_processors", lambda: 1)
    alone = products(unit, queries)
    monkeypatch.setattr(module, "available_processors", lambda: 4)
    monkeypatch.setattr(module, "_PART", 20_000)
    multiply, names = np.matmul, set()

    def recorded(*arguments: Any, **keywords: Any) -> Any:
        names.add(threading.current_thread().name)
        return multiply(*arguments, **keywords)

    monkeypatch.setattr(np, "matmul", recorded)
    for _ in range(50):
        np.testing.assert_array_equal(products(unit, queries), alone)
    assert len(names) > 1


@pytest.mark.parametrize("B", [1, 2, 30, 64])
@pytest.mark.parametrize("D", [50, 100, 300])
def test_blocks_are_small_enough_for_one_thread(monkeypatch: pytest.MonkeyPatch, D: int, B: int) -> None:
    """OpenBLAS uses several threads for more than 9,216 multiplications with a vector, or 262,144 with a matrix."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    monkeypatch.setattr(module, "_share", lambda blocks, factor, out: shapes.append((blocks.shape, factor.shape)))
    unit, queries, _ = matrices(10_001, D, B, "float32")
    products(unit, queries)
    (blocks, factor) = shapes[0]
    assert blocks[2] == D
    assert factor == ((D,) if B == 1 else (D, B))
    assert blocks[1] * D <= 9_216
    assert B == 1 or blocks[1] * D * B <= 262_144
    assert blocks[0] == 10_001 // blocks[1]


def test_rows_that_are_not_contiguous() -> None:
    unit, queries, expected = matrices(9_001, 40, 2, "float64")
    np.testing.assert_allclose(products(np.asfortranarray(unit), queries), expected, atol=1e-12)
    np.testing.assert_allclose(products(np.repeat(unit, 2, axis=1)[:, ::2], queries), expected, atol=1e-12)


def test_products_without_threads_to_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is ending, or has too many threads, can start no more."""

    class Ended:
        def submit(self, function: Any) -> Any:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(module, "_helpers", Ended)
    monkeypatch.setattr(module, "available_processors", lambda: 4)
    unit, queries, expected = matrices(70_000, 50, 1, "float64")
    np.testing.assert_allclose(products(unit, queries), expected, atol=1e-12)
