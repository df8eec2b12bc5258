"""Products with the vectors of queries."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.utils import threads
from fastw2v.utils.scaled_rows import scaled_to_int8, scaled_to_unit
from fastw2v.vectors import products as module
from fastw2v.vectors.products import all_products, products


def matrices(V: int, D: int, B: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, queries, and their products in extended precision."""
    rng = np.random.default_rng(V + D + B)
    unit, queries = rng.normal(size=(V, D)).astype(dtype), rng.normal(size=(B, D)).astype(dtype)
    return unit, queries, (queries.astype(np.longdouble) @ unit.astype(np.longdouble).T).astype(np.float64)


def in_storage(matrix: np.ndarray, dtype: str) -> Any:
    """Return a matrix, or its rows of unit length in another storage."""
    if dtype == "float32":
        return matrix
    return scaled_to_unit(scaled_to_int8(matrix) if dtype == "int8" else matrix.astype(dtype))


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
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_parts_are_shared_among_threads(monkeypatch: pytest.MonkeyPatch, B: int, dtype: str) -> None:
    """Every part is computed, whether or not the helpers get a processor. The values do not depend on the threads."""
    matrix, queries, _ = matrices(20_011, 40, B, "float32")
    unit = in_storage(matrix, dtype)
    monkeypatch.setattr(threads, "available_processors", lambda: 1)
    alone = products(unit, queries)
    monkeypatch.setattr(threads, "available_processors", lambda: 4)
    monkeypatch.setattr(module, "_PART", 20_000)
    multiply, names = np.matmul, set()

    def recorded(*arguments: Any, **keywords: Any) -> Any:
        names.add(threading.current_thread().name)
        if len(names) == 1:
            time.sleep(1e-4)  # on a busy machine, this thread may finish before another one gets a processor
        return multiply(*arguments, **keywords)

    monkeypatch.setattr(np, "matmul", recorded)
    for _ in range(50):
        np.testing.assert_array_equal(products(unit, queries), alone)
    assert len(names) > 1


@pytest.mark.parametrize("B", [1, 2, 30, 64])
@pytest.mark.parametrize("D", [50, 100, 300])
@pytest.mark.parametrize("compact", [False, True])
def test_blocks_are_small_enough_for_one_thread(monkeypatch: pytest.MonkeyPatch, D: int, B: int, compact: bool) -> None:
    """OpenBLAS uses several threads for more than 9,216 multiplications with a vector, or 262,144 with a matrix."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    multiply = np.matmul

    def recorded(blocks: Any, factor: Any, out: Any) -> Any:
        if blocks.ndim == 3:
            shapes.append((blocks.shape, factor.shape))
        return multiply(blocks, factor, out=out)

    monkeypatch.setattr(np, "matmul", recorded)
    unit, queries, _ = matrices(10_001, D, B, "float32")
    products(scaled_to_int8(unit) if compact else unit, queries)
    assert shapes
    for blocks, factor in shapes:
        assert blocks[2] == D
        assert factor == ((D,) if B == 1 else (D, B))
        assert blocks[1] * D <= 9_216
        assert B == 1 or blocks[1] * D * B <= 262_144
    assert sum(blocks[0] for blocks, _ in shapes) == 10_001 // shapes[0][0][1]


def test_rows_that_are_not_contiguous() -> None:
    unit, queries, expected = matrices(9_001, 40, 2, "float64")
    np.testing.assert_allclose(products(np.asfortranarray(unit), queries), expected, atol=1e-12)
    np.testing.assert_allclose(products(np.repeat(unit, 2, axis=1)[:, ::2], queries), expected, atol=1e-12)


def test_products_without_threads_to_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is ending, or has too many threads, can start no more."""

    class Ended:
        def submit(self, function: Any) -> Any:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(threads, "_helpers", Ended)
    monkeypatch.setattr(threads, "available_processors", lambda: 4)
    unit, queries, expected = matrices(70_000, 50, 1, "float64")
    np.testing.assert_allclose(products(unit, queries), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(("V", "D", "B"), [(3, 2, 1), (17_025, 30, 1), (9_207, 30, 3), (301, 3_000, 2), (300, 7, 0)])
def test_products_with_compact_rows(dtype: str, V: int, D: int, B: int) -> None:
    """Rows of NaN, infinity and zeros have the product 0 with every query."""
    matrix, queries, _ = matrices(V, D, B, "float32")
    if dtype == "float16":
        matrix[1, 0], matrix[2, 1] = np.nan, -np.inf
    matrix[0] = 0
    unit = in_storage(matrix, dtype)
    rows = unit.values.astype(np.float64) if dtype == "int8" else matrix.astype(np.float16).astype(np.float64)
    rows[~np.isfinite(rows).all(axis=1)] = 0
    expected = queries @ (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)).T
    for multiply in (products, all_products):
        found = multiply(unit, queries)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
