"""Row-sparse gradients used like arrays: every operation is compared with that of the dense NumPy array."""

from __future__ import annotations

import copy
import operator
import pickle

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.nn import SGD, AdaGrad, Adam, Embedding, RowSparseGradient
from fastw2v.nn.sparse import coalesce_in_order
from fastw2v.nn.trainer import clip_gradients

V, D = 6, 3
IDS = np.array([4, 0, 4, 2])
ROWS = np.random.default_rng(0).normal(size=(4, D)).astype(np.float32)
OTHER = np.random.default_rng(1).normal(size=(V, D)).astype(np.float32)


def pair(xp=np):
    """Return a row-sparse gradient and the same gradient as a dense NumPy array."""
    dense = np.zeros((V, D), np.float32)
    np.add.at(dense, IDS, ROWS)
    return RowSparseGradient(xp.asarray(IDS), xp.asarray(ROWS), (V, D)), dense


def same(got, want):
    want = np.asarray(want)
    got = got.dense() if isinstance(got, RowSparseGradient) else got
    assert tuple(got.shape) == want.shape
    np.testing.assert_allclose(to_host(got), want, rtol=1e-6, atol=1e-7)


def is_strict(xp):
    """Return whether arrays of `xp` refuse all other types to the right of an operator, as array_api_strict does."""
    return "array_api_strict" in xp.__name__


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("other", ["number", "array", "gradient"])
@pytest.mark.parametrize("operate", BINARY + COMPARISONS)
def test_operators_read_the_dense_array(xp, operate, other):
    sparse, dense = pair(xp)
    got_other, want_other = {
        "number": (0.5, 0.5),
        "array": (xp.asarray(OTHER), OTHER),
        "gradient": (RowSparseGradient(xp.asarray([1, 4]), xp.asarray(ROWS[:2]), (V, D)), None),
    }[other]
    if want_other is None:
        want_other = to_host(got_other.dense())
    with np.errstate(all="ignore"):
        same(operate(sparse, got_other), operate(dense, want_other))
        if other != "array" or not is_strict(xp):
            same(operate(got_other, sparse), operate(want_other, dense))
    same(sparse, dense)  # unchanged
    assert sparse.rows.shape[0] == 4


def test_other_operators(xp):
    sparse, dense = pair(xp)
    same(-sparse, -dense)
    same(abs(sparse), abs(dense))
    same(sparse**2, dense**2)
    same(sparse @ xp.asarray(OTHER.T.copy()), dense @ OTHER.T)
    if not is_strict(xp):
        same(xp.asarray(OTHER.T.copy()) @ sparse, OTHER.T @ dense)
    assert len(sparse) == V
    assert sparse.dtype == xp.float32
    assert sparse.ndim == 2
    assert sparse.size == V * D


def test_cupy_leaves_operators_to_gradients_and_numpy_calls_them(monkeypatch):
    """CuPy reads `__array_ufunc__` of the object, and returns NotImplemented if it is None. NumPy reads the type's."""
    with monkeypatch.context() as patched:
        patched.setattr("fastw2v.nn.sparse.is_cupy", lambda array: True)
        patched.setattr("fastw2v.nn.sparse.is_numpy", lambda array: False)
        sparse, dense = pair()
    for grad in (sparse, pickle.loads(pickle.dumps(sparse))):
        assert grad.__array_ufunc__ is None
        assert callable(type(grad).__array_ufunc__)
        same(np.square(grad), dense**2)
        same(np.add(OTHER, grad), OTHER + dense)


@pytest.mark.parametrize("other", ["int", "numpy number", "array", "gradient"])
@pytest.mark.parametrize("operate", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow])
def test_operators_in_place_change_the_gradient(operate, other):
    sparse, dense = pair()
    collected = [sparse]
    got_other = {
        "int": 2,
        "numpy number": np.float64(0.3),
        "array": OTHER,
        "gradient": RowSparseGradient(np.array([1, 4]), ROWS[:2], (V, D)),
    }[other]
    want_other = got_other.dense() if other == "gradient" else got_other
    with np.errstate(all="ignore"):
        changed = operate(sparse, got_other)
        dense = operate(dense, want_other)
    assert changed is sparse
    same(collected[0], dense)
    assert sparse.dtype == np.float32
    if other == "gradient":
        assert got_other.rows is not sparse.rows


def test_scaling_and_adding_stay_row_sparse(xp):
    sparse, dense = pair(xp)
    sparse *= 0.5
    sparse /= 2
    sparse += sparse
    assert sparse.rows.shape[0] == 8
    same(sparse, dense / 2)
    total = sparse + sparse
    assert isinstance(total, RowSparseGradient)
    same(total, dense)
    same(sparse, dense / 2)


def test_numpy_functions():
    sparse, dense = pair()
    for function in (np.sqrt, np.abs, np.sum, np.linalg.norm, np.zeros_like, np.max, np.isfinite, np.mean, np.any):
        with np.errstate(invalid="ignore"):
            got = function(sparse)
            np.testing.assert_allclose(got, function(dense), rtol=1e-6)
        assert not isinstance(got, RowSparseGradient)
    assert np.array_equal(np.asarray(sparse), dense)
    assert np.asarray(sparse, dtype=np.float64).dtype == np.float64
    assert np.array_equal(np.sum(sparse, axis=1), dense.sum(axis=1))
    assert np.array_equal(np.where(sparse > 0, sparse, 0), np.where(dense > 0, dense, 0))
    with pytest.raises(ValueError, match="without a copy"):
        sparse.__array__(copy=False)  # as numpy.asarray calls it from NumPy 2 on
    out = np.zeros((V, D), np.float32)
    assert np.multiply(sparse, 2, out=out) is out
    same(out, dense * 2)
    assert np.clip(sparse, -0.1, 0.1, out=sparse) is sparse
    same(sparse, np.clip(dense, -0.1, 0.1))


def test_methods_of_arrays():
    sparse, dense = pair()
    assert np.array_equal(sparse.T, dense.T)
    assert sparse.sum() == pytest.approx(dense.sum(), rel=1e-6)
    assert sparse.copy() is not sparse
    assert np.array_equal(sparse.copy(), dense)
    assert np.array_equal(sparse.reshape(-1), dense.reshape(-1))
    assert [row.tolist() for row in sparse] == dense.tolist()
    with pytest.raises(ValueError, match="read-only"):
        sparse.sort()  # would change a copy without effect
    with pytest.raises(AttributeError, match="no_such_name"):
        sparse.no_such_name  # noqa: B018


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("ids", [[1, 4, 1], [-1, 0, -6], [[0, 1], [1, 1]], 3, []], ids=str)
def test_add_at(ids, dtype):
    sparse, dense = pair()
    ids = np.array(ids, dtype)
    rows = np.random.default_rng(2).normal(size=(*ids.shape, D))
    np.add.at(sparse, ids, rows)
    np.add.at(dense, ids, rows)
    same(sparse, dense)
    assert sparse.rows.shape[0] == 4 + ids.size  # still row-sparse
    rows[...] = 0  # has been copied
    same(sparse, dense)


@pytest.mark.parametrize("key", [[1, 4, 1], 2, (1, 2), slice(0, 3), np.arange(V) > 2, ...], ids=str)
def test_add_at_other_keys(key):
    sparse, dense = pair()
    np.add.at(sparse, key, 1.5)
    np.add.at(dense, key, 1.5)
    same(sparse, dense)
    np.multiply.at(sparse, key, 2.0)
    np.multiply.at(dense, key, 2.0)
    same(sparse, dense)


@pytest.mark.parametrize("ids", [[V], [0, -V - 1]])
def test_add_at_outside_the_table(ids):
    with pytest.raises(IndexError, match="table of 6 rows"):
        np.add.at(pair()[0], np.array(ids), 1.0)


@pytest.mark.parametrize("key", [..., slice(None), 2, [0, 4], slice(1, 5), (slice(None), 1), np.arange(V) > 2], ids=str)
@pytest.mark.parametrize("value", [0, 0.0, 1.5, "rows"])
def test_assignment(key, value):
    sparse, dense = pair()
    holder = [sparse]
    if value == "rows":
        value = OTHER[key]
    sparse[key] = value
    dense[key] = value
    same(holder[0], dense)
    same(sparse[1:3], dense[1:3])
    for i in (3, 4, 3):
        sparse[i] += ROWS[0]
        dense[i] += ROWS[0]
    same(sparse, dense)
    sparse *= 2
    same(sparse, dense * 2)


def test_assignment_copies():
    sparse, _ = pair()
    source = OTHER.copy()
    sparse[...] = source
    source[...] = 0
    same(sparse, OTHER)
    other = RowSparseGradient.zeros_like(OTHER)
    other[...] = sparse
    sparse[2] = 7
    same(other, OTHER)
    with pytest.raises(ValueError, match="broadcast"):
        sparse[...] = OTHER[:, :2]


def test_reading_does_not_change_the_rows():
    # Lazy Adam moves the rows of a gradient, so looking at it must not add rows.
    sparse, _ = pair()
    sparse[0], sparse[...], np.asarray(sparse), sparse.sum(), sparse * 2, sparse.T, repr(sparse)
    assert sparse.ids.tolist() == IDS.tolist()


def test_zero_before_the_first_backward(xp):
    for dtype in (xp.float32, xp.float64):
        W = xp.ones((V, D), dtype=dtype)
        grad = Embedding(W).grads[0]
        same(grad, np.zeros((V, D)))
        assert grad.dtype == dtype
        assert grad.shape == (V, D)
        for optimizer in (SGD(), SGD(max_row_norm=1.0), AdaGrad(), Adam()):
            optimizer.update([W], clip_gradients(coalesce_in_order([grad]), 1.0))
        same(W, np.ones((V, D)))


def test_a_gradient_without_a_shape_is_no_array():
    grad = RowSparseGradient(IDS, ROWS)
    for use in (np.asarray, np.sqrt, len, lambda grad: grad * 2, lambda grad: grad[0]):
        with pytest.raises(ValueError, match=r"has no shape.*shape=W.shape"):
            use(grad)
    with pytest.raises(AttributeError, match=r"'sum' is an attribute of arrays.*has no shape"):
        grad.sum()
    assert (grad + grad).shape is None
    assert (grad + pair()[0]).shape == (V, D)
    with pytest.raises(ValueError, match=r"shapes \(6, 3\) and \(5, 3\)"):
        pair()[0] + RowSparseGradient(IDS, ROWS, (5, D))


def test_the_library_keeps_the_shape():
    sparse, dense = pair()
    same(sparse.coalesce(), dense)
    same(clip_gradients([sparse], 0.1)[0], dense * np.float32(0.1 / (np.linalg.norm(dense) + 1e-6)))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda grad: pickle.loads(pickle.dumps(grad))])
def test_copies(duplicate):
    sparse, dense = pair()
    other = duplicate(sparse)
    assert isinstance(other, RowSparseGradient)
    sparse[...] = 0
    same(other, dense)
    other *= 2
    same(other, 2 * dense)
    other[0] = dense[0] = 5  # single elements
    third = duplicate(other)
    other[1] = 7
    same(third, np.concatenate([dense[:1], 2 * dense[1:]]))


def test_backward_fills_the_gradient_in_place_and_copies_its_argument(xp):
    layer = Embedding(xp.zeros((V, D)))
    grads = [*layer.grads]
    ids, dout = np.array([1, 5, 1]), np.random.default_rng(3).normal(size=(3, D))
    given = xp.asarray(dout, copy=True)
    for _ in range(2):  # the second gradient replaces the first
        layer.forward(xp.asarray(ids))
        layer.backward(given)
    given *= 0.0
    want = np.zeros((V, D))
    np.add.at(want, ids, dout)
    same(grads[0], want)


def test_cupy_protocol(monkeypatch):
    # CuPy converts an object with __cupy_get_ndarray__ in cupy.asarray, in its functions and in its operators.
    sparse, dense = pair()
    assert not hasattr(sparse, "__cupy_get_ndarray__")
    monkeypatch.setattr("fastw2v.nn.sparse.is_cupy", lambda array: True)
    assert np.array_equal(sparse.__cupy_get_ndarray__(), dense)
    with pytest.raises(TypeError, match=r"on a GPU; grad.dense\(\).get\(\)"):
        np.asarray(sparse)


@pytest.mark.gpu
def test_gradients_on_a_gpu(cupy):
    import cupyx

    sparse, dense = pair(cupy)
    same(cupy.asarray(sparse), dense)
    same(cupy.sqrt(abs(sparse)), np.sqrt(abs(dense)))
    same(cupy.asarray(OTHER) - sparse, OTHER - dense)
    same(cupy.sum(sparse**2), np.sum(dense**2))
    W = cupy.asarray(OTHER)
    W -= 0.5 * sparse
    same(W, OTHER - np.float32(0.5) * dense)
    cupyx.scatter_add(sparse, cupy.asarray([1, 4]), cupy.asarray(ROWS[:2]))
    np.add.at(dense, np.array([1, 4]), ROWS[:2])
    same(sparse, dense)
    sparse *= cupy.asarray(0.5)
    same(sparse, dense / 2)
    with pytest.raises(TypeError):
        np.asarray(sparse)
