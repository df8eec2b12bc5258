"""Row-sparse gradients: sums in any order and in a fixed order, compared with np.add.at."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.nn.sparse import RowSparseGradient, coalesce_in_order
from fastw2v.nn.trainer import clip_gradients

IDS = {
    "none": [],
    "one": [3],
    "distinct": [4, 0, 6, 2],
    "one id": [5] * 37,
    "ends": [0, 6, 0, 6, 0],
    "many": list(np.random.default_rng(0).integers(0, 7, 300)),
}


def gradient(xp, ids, dtype="float64"):
    rows = np.random.default_rng(1).normal(size=(len(ids), 5)).astype(dtype)
    want = np.zeros((7, 5), dtype)
    np.add.at(want, np.array(ids, np.int64), rows)
    return RowSparseGradient(xp.asarray(np.array(ids, np.int64)), xp.asarray(rows)), want


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_coalesce_equals_add_at(xp, ids, in_order, dtype):
    grad, want = gradient(xp, ids, dtype)
    coalesced = grad.coalesce(in_order)
    rising = to_host(coalesced.ids)
    assert (np.diff(rising) >= 0).all()
    assert coalesced.rows.dtype == grad.rows.dtype
    first = np.searchsorted(rising, np.unique(rising))
    rows = to_host(coalesced.rows)
    np.testing.assert_allclose(rows[first], want[np.unique(ids).astype(int)], atol=100 * np.finfo(dtype).eps)
    assert not np.delete(rows, first, axis=0).any()  # so that the result can be coalesced again
    np.testing.assert_allclose(to_host(coalesced.dense(xp.asarray(want))), want, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_row_sums_stand_at_every_entry_of_an_id(xp, ids):
    grad, want = gradient(xp, ids)
    rising, rows = map(to_host, grad.row_sums())
    assert set(rising.tolist()) == set(ids)
    np.testing.assert_allclose(rows, want[rising], atol=1e-13)
    for i in np.unique(rising):
        assert len({row.tobytes() for row in rows[rising == i]}) == 1  # so any of them may be written last


def test_sums_in_order_lose_no_precision():
    # Differences of a running sum would have an error of about 1e8 · 1e-7.
    strict = pytest.importorskip("array_api_strict")
    rows = np.array([[1e8], [1e-3], [2e-3], [-1e8], [3e-3]], np.float32)
    grad = RowSparseGradient(strict.asarray(np.array([0, 1, 1, 0, 1])), strict.asarray(rows)).coalesce(in_order=True)
    np.testing.assert_allclose(to_host(grad.rows)[[0, 2], 0], [0, 6e-3], rtol=1e-6)


def test_a_fixed_order_leaves_nothing_to_the_order_of_additions(monkeypatch):
    # Additions are made in a new order each time, like atomic operations on a GPU.
    strict = pytest.importorskip("array_api_strict")
    rng = np.random.default_rng(2)

    def unordered(target, ids, rows, weights=None):
        assert weights is None
        order = rng.permutation(len(ids._array))
        np.add.at(target._array, ids._array[order], rows._array[order])

    monkeypatch.setattr("fastw2v.nn.sparse.scatter_add", unordered)
    given, _ = gradient(strict, list(rng.integers(0, 7, 2000)), "float32")
    like = strict.zeros((7, 5), dtype=strict.float32)

    def bytes_of(prepare):
        return {to_host(grad.dense(like)).tobytes() for _ in range(5) for grad in prepare([given])}

    assert len(bytes_of(list)) > 1
    assert len(bytes_of(coalesce_in_order)) == 1
    assert len(bytes_of(lambda grads: [grad.coalesce() for grad in coalesce_in_order(grads)])) == 1


def test_dense_gradients_have_an_order():
    dense = np.ones((2, 2))
    assert coalesce_in_order([dense])[0] is dense


@pytest.mark.gpu
def test_a_gpu_s_fixed_order(cupy):
    given, want = gradient(cupy, list(np.random.default_rng(3).integers(0, 7, 100_000)), "float32")
    like = cupy.zeros((7, 5), cupy.float32)
    results = [to_host(coalesce_in_order([given])[0].dense(like)) for _ in range(10)]
    assert len({result.tobytes() for result in results}) == 1
    np.testing.assert_allclose(results[0], want, atol=0.01)


def test_ids_and_rows_can_be_replaced():
    grad = RowSparseGradient(np.array([0, 2]), np.array([[1.0], [2.0]]), (3, 1))
    grad.rows *= 2
    assert grad.dense().tolist() == [[2.0], [0.0], [4.0]]
    grad.ids = np.array([1, 1])
    assert grad.dense().tolist() == [[0.0], [6.0], [0.0]]


def test_padding_does_not_count_for_the_norm():
    grad = RowSparseGradient(np.array([-1, 1]), np.array([[3.0, 4.0], [0.0, 1.0]]), (3, 2))
    (clipped,) = clip_gradients([grad], max_norm=1.0)
    assert clipped.dense().tolist() == [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
