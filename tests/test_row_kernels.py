"""The kernels of ``backend.cu``, in the emulator and on a GPU, compared with plain NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import backend
from tests.cuda_emulator import nvrtc, rows
from tests.cuda_emulator.fake_cupy import Array
from tests.engines.test_gpu import folder as folder  # a fixture
from tests.engines.test_gpu import needs_compiler

V = 13


@pytest.fixture(
    params=[
        pytest.param("forward", marks=needs_compiler),
        pytest.param("shuffled", marks=needs_compiler),
        pytest.param("cupy", marks=pytest.mark.gpu),
    ]
)
def put(request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    """Return a function that copies a NumPy array to the emulator's device, or to a GPU if there is one.

    The emulator runs the threads in two orders. In the second, an atomic operation adds four columns of float32.
    """
    if request.param == "cupy":
        if problem := backend.cuda_problem():
            pytest.skip(problem)
        import cupy

        yield cupy.asarray
        return

    shuffled = request.param == "shuffled"
    with rows.installed(rows.builder(folder, vector=shuffled), order=2 if shuffled else 0):
        yield lambda array: np.array(array).view(Array)


CASES = list(itertools.product(("float32", "float64"), (1, 3, 100, 128, 300), ("int32", "int64")))


def case(dtype: str, D: int, id_type: str, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return a table, ids with repeats and padding, and a generator of further numbers."""
    rng = np.random.default_rng(D)
    ids = rng.integers(-3, V, n)
    ids[: n // 4] = 5
    return rng.normal(size=(V, D)).astype(dtype), ids.astype(id_type), rng


def close(found: Any, expected: np.ndarray) -> None:
    found = backend.to_host(found)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1000 * np.finfo(expected.dtype).eps)


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES)
@pytest.mark.parametrize("n", [0, 40])
def test_take_rows(put: Any, dtype: str, D: int, id_type: str, n: int) -> None:
    table, ids, _ = case(dtype, D, id_type, n)
    ids = ids.reshape(2, -1)
    expected = np.stack([table[i] if i >= 0 else np.zeros(D, dtype) for i in ids.ravel()] or [table[0]])
    found = backend.take_rows(put(table), put(ids))
    assert np.array_equal(backend.to_host(found), expected[: ids.size].reshape(*ids.shape, D))


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES)
@pytest.mark.parametrize("n", [0, 40])
def test_set_rows(put: Any, dtype: str, D: int, id_type: str, n: int) -> None:
    table, ids, rng = case(dtype, D, id_type, n)
    given = rng.normal(size=(V, D)).astype(dtype)
    expected = table.copy()
    for i in ids[ids >= 0]:
        expected[i] = given[i]
    there = put(table)
    backend.set_rows(there, put(ids), put(given[ids]))  # equal ids have equal rows
    assert np.array_equal(backend.to_host(there), expected)


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES)
@pytest.mark.parametrize(
    ("n", "repeats", "weighted"), [(0, 1, False), (40, 1, False), (40, 1, True), (40, 4, True), (40, 4, False)]
)
def test_scatter_add(put: Any, dtype: str, D: int, id_type: str, n: int, repeats: int, weighted: bool) -> None:
    table, ids, rng = case(dtype, D, id_type, n)
    given, weights = rng.normal(size=(n // repeats, D)).astype(dtype), rng.normal(size=n).astype(dtype)
    weights[::5] = 0
    expected = table.astype(np.float64)
    for i, id in enumerate(ids):
        if id >= 0:
            expected[id] += (weights[i] if weighted else 1) * given[i // repeats].astype(np.float64)
    there = put(table)
    backend.scatter_add(there, put(ids), put(given), put(weights) if weighted else None)
    close(there, expected.astype(dtype))


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES)
@pytest.mark.parametrize("K", [1, 4, 10])
def test_weighted_sums_and_dots(put: Any, dtype: str, D: int, id_type: str, K: int) -> None:
    table, ids, rng = case(dtype, D, id_type)
    ids = ids.reshape(2, -1, K)
    weights, h = rng.normal(size=ids.shape).astype(dtype), rng.normal(size=(*ids.shape[:2], D)).astype(dtype)
    taken = np.where((ids >= 0)[..., None], table[ids], 0).astype(np.float64)
    close(
        backend.weighted_sums(put(table), put(ids), put(weights)),
        np.einsum("abk,abkd->abd", weights, taken).astype(dtype),
    )
    close(backend.row_dots(put(table), put(ids), put(h)), np.einsum("abd,abkd->abk", h, taken).astype(dtype))


def test_sums_and_dots_of_no_rows(put: Any) -> None:
    table, none = put(np.ones((V, 4))), put(np.zeros((0, 3), np.int64))
    assert backend.weighted_sums(table, none, put(np.zeros((0, 3)))).shape == (0, 4)
    assert backend.row_dots(table, none, put(np.zeros((0, 4)))).shape == (0, 3)
    sums = backend.weighted_sums(table, put(np.zeros((2, 0), np.int64)), put(np.zeros((2, 0))))
    assert backend.to_host(sums).tolist() == [[0] * 4] * 2


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES)
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("max_norm", [3.0, 1e9])
def test_subtract_row_sums(put: Any, dtype: str, D: int, id_type: str, parts: int, max_norm: float) -> None:
    table, _, rng = case(dtype, D, id_type)
    sums, given = np.zeros((V, D)), []
    for part in range(parts):
        n, repeats = (30, 40, 0)[part], (1, 5, 1)[part]
        ids = rng.integers(-2, V, n).astype("int64" if part == 1 else id_type)
        taken = rng.normal(size=(n // repeats, D)).astype(dtype)
        weights = rng.normal(size=n).astype(dtype) if part else None
        for i, id in enumerate(ids):
            if id >= 0:
                sums[id] += (1 if weights is None else weights[i]) * taken[i // repeats].astype(np.float64)
        given.append(backend.WeightedRows(put(ids), put(taken), None if weights is None else put(weights)))
    norm = np.linalg.norm(sums, axis=1, keepdims=True)
    expected = table - 0.1 * sums * np.minimum(1, max_norm / np.maximum(norm, 1e-30))
    there = put(table)
    backend.subtract_row_sums(there, given, 0.1, max_norm)
    close(there, expected.astype(dtype))
    absent = norm[:, 0] == 0
    assert np.array_equal(backend.to_host(there)[absent], table[absent])


def test_subtract_sums_of_padding(put: Any) -> None:
    there = put(np.ones((V, 4)))
    backend.subtract_row_sums(there, [backend.WeightedRows(put(np.array([-1, -1])), put(np.ones((2, 4))))], 0.1, 1.0)
    backend.subtract_row_sums(there, [], 0.1, 1.0)
    assert backend.to_host(there).tolist() == [[1] * 4] * V


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", [0, 1, "array"])
def test_cross_entropy(put: Any, dtype: str, label: Any) -> None:
    rng = np.random.default_rng(0)
    score = (4 * rng.normal(size=(5, 4, 3))).astype(dtype)
    score[0, 0] = 80, -80, 0
    weight = rng.random((5, 1, 3)).astype(dtype)
    labels = rng.integers(0, 2, (5, 4, 1)) if label == "array" else label
    loss, dscore = backend.cross_entropy(put(score), put(labels) if label == "array" else label, put(weight))
    exact = score.astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-exact))
    expected = weight * (np.logaddexp(0, exact) - labels * exact)
    np.testing.assert_allclose(backend.to_host(loss), expected, rtol=1e-5, atol=1e-5)
    close(dscore, (weight * (sigmoid - labels)).astype(dtype))


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES[:4])
@pytest.mark.parametrize("K", [1, 5])
@pytest.mark.parametrize("exponent", [0, 0.75, 1])
def test_context_weights(put: Any, dtype: str, D: int, id_type: str, K: int, exponent: float) -> None:
    _, ids, _ = case(dtype, D, id_type)
    ids = ids.reshape(2, -1, K)
    ids[0, 0] = -1
    weights, shares, counts = backend.context_weights(put(ids), exponent, np.dtype(dtype))
    for found, power in ((weights, 1), (shares, exponent)):
        close(
            found, np.array([[[(i >= 0) / max(1, (b >= 0).sum()) ** power for i in b] for b in g] for g in ids], dtype)
        )
    assert backend.to_host(counts).tolist() == (ids >= 0).sum(axis=-1).tolist()


@pytest.mark.parametrize(("dtype", "D", "id_type"), CASES[:4])
@pytest.mark.parametrize(("L", "C"), [(1, 1), (20, 1), (5, 4), (0, 2)])
def test_pool_weights(put: Any, dtype: str, D: int, id_type: str, L: int, C: int) -> None:
    rng = np.random.default_rng(L)
    ids, pool = rng.integers(-3, V, (3, L, C)).astype(id_type), rng.integers(0, V, (3, 7))
    ids[:, ::4] = -1
    T = max(1, (ids >= 0).any(axis=-1).sum())
    positive, negative = backend.pool_weights(put(ids), put(pool), 5, np.dtype(dtype))
    close(positive, ((ids >= 0) / T).astype(dtype))
    expected = np.zeros((3, L, 7), dtype)
    for g, b, p in np.ndindex(expected.shape):
        if pool[g, p] not in ids[g, b]:
            expected[g, b, p] = (ids[g, b] >= 0).sum() * 5 / 7 / T
    close(negative, expected)


def test_weights_in_half_precision(put: Any) -> None:
    ids, pool = np.array([[[5], [7]]]), np.array([[5, 9]])
    for found, expected in (
        (backend.pool_weights(put(ids), put(pool), 4, np.float16), backend.pool_weights(ids, pool, 4, np.float16)),
        (backend.context_weights(put(ids), 0.5, np.float16), backend.context_weights(ids, 0.5, np.float16)),
    ):
        for ours, theirs in zip(found, expected, strict=True):
            close(ours, theirs)


def test_tables_that_the_kernels_cannot_process(put: Any) -> None:
    """A transpose, as of tied weights, gives the same results."""
    table, ids = np.arange(12.0).reshape(3, 4), np.array([2, -1, 2, 0])
    there = put(table).T
    assert not backend.has_row_kernels(there)
    expected = table.T.copy()
    assert backend.to_host(backend.take_rows(there, put(ids))).tolist() == [*expected[[2]].tolist(), [0] * 3,
                                                                            *expected[[2, 0]].tolist()]  # fmt: skip
    backend.scatter_add(there, put(ids), put(np.ones((4, 3))))
    expected[2] += 2
    expected[0] += 1
    assert backend.to_host(there).tolist() == expected.tolist()


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"])
@pytest.mark.parametrize(("double", "long_ids", "packed"), list(itertools.product([0, 1], repeat=3)))
def test_the_source_compiles_for_every_architecture(architecture: str, double: int, long_ids: int, packed: int) -> None:
    macros = ["-DTHREADS=256", f"-DPACKED={(4 // (1 + double)) if packed else 1}"]
    macros += ["-DDOUBLE"] * double + ["-DLONG_IDS"] * long_ids
    _, ptx = nvrtc.compile_source(backend.SOURCE, architecture, macros)
    assert (".v4.f32" in ptx.split("add_rows")[-1]) == (packed and not double)
    assert ("add.v4.f32" in ptx) == (packed and not double and architecture not in ("sm_75", "sm_80"))
