"""The backend: scatter-add compared with np.add.at, top-k with a sort, and arrays that stay on their device."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v import backend


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "ids",
    [
        [],
        [0],
        [6],
        [0, 6, 0, 6, 0],
        [3] * 50,
        [0, 1, 2, 3, 4, 5, 6],
        list(np.random.default_rng(1).integers(0, 7, 300)),
    ],
    ids=["none", "first", "last", "ends", "one-id", "distinct", "many"],
)
def test_scatter_add_equals_add_at(xp, ids, dtype):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(7, 5)).astype(dtype)
    rows = rng.normal(size=(len(ids), 5)).astype(dtype)
    want = start.copy()
    np.add.at(want, np.array(ids, dtype=np.int64), rows)
    got = xp.asarray(start.copy())
    backend.scatter_add(got, xp.asarray(np.array(ids, dtype=np.int64)), xp.asarray(rows))
    assert got.dtype == getattr(xp, dtype)
    np.testing.assert_allclose(backend.to_host(got), want, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("order", ["C", "F"])
def test_scatter_add_reaches_any_memory_layout(order):
    target = np.zeros((4, 6), order=order)
    view = np.zeros((8, 12))[::2, ::2]
    for W in (target, view):
        backend.scatter_add(W, np.array([1, 1, 3]), np.ones((3, 6)))
        assert W.sum(1).tolist() == [0, 12, 0, 6]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16])
def test_scatter_add_takes_any_integers(dtype):
    W = np.zeros((3, 2), np.float32)
    backend.scatter_add(W, np.array([2, 2], dtype), np.ones((2, 2), np.float32))
    assert W.tolist() == [[0, 0], [0, 0], [2, 2]]


def test_set_rows(xp):
    W = xp.zeros((4, 2))
    backend.set_rows(W, xp.asarray([3, 1]), xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
    assert backend.to_host(W).tolist() == [[0, 0], [3, 4], [0, 0], [1, 2]]


@pytest.mark.parametrize("k", [0, 1, 3, 40, 100])
def test_top_k_equals_a_sort(xp, k):
    values = np.random.default_rng(k).normal(size=(6, 100))
    want = np.argsort(-values, axis=-1, kind="stable")[:, :k]
    best, index = backend.top_k(xp.asarray(values), k)
    assert backend.to_host(index).tolist() == want.tolist()
    assert np.array_equal(backend.to_host(best), np.take_along_axis(values, want, axis=-1))


@pytest.mark.parametrize("k", [-1, 4])
def test_top_k_refuses_more_than_there_is(xp, k):
    with pytest.raises(ValueError, match=f"k is {k}, but the last axis has 3"):
        backend.top_k(xp.asarray([1.0, 2.0, 3.0]), k)


def test_to_host_of_every_library(xp):
    host = backend.to_host(xp.asarray([1.0, 2.0]))
    assert type(host) is np.ndarray
    assert host.tolist() == [1, 2]


def test_host_arrays_are_not_copied():
    array = np.arange(3)
    assert backend.to_host(array) is array
    assert backend.to_device(array, "cpu") is array


@pytest.mark.gpu
def test_to_the_gpu_and_back():
    if problem := backend.cuda_problem():
        pytest.skip(problem)
    array = np.arange(6.0).reshape(2, 3)
    there = backend.to_device(array, "cuda")
    assert backend.is_cupy(there)
    assert backend.to_device(there, "cuda") is there
    assert np.array_equal(backend.to_host(there), array)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cpu:0", "CUDA"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ValueError, match="must be 'cpu', 'cuda' or 'cuda:N'"):
        backend.array_module(name)


def test_a_missing_gpu_is_an_error_with_its_reason(monkeypatch):
    monkeypatch.setattr(backend, "cuda_problem", lambda: "there is none today")
    for call in (lambda: backend.array_module("cuda"), lambda: backend.to_device(np.zeros(2), "cuda")):
        with pytest.raises(RuntimeError, match="there is none today"):
            call()


def test_arrays_of_two_libraries_have_no_namespace():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError):
        backend.get_namespace(np.zeros(2), strict.zeros(2))


def test_unique_inverse(xp):
    ids = np.array([5, 2, 5, 9, 2, 2])
    unique, index = (backend.to_host(part) for part in backend.unique_inverse(xp.asarray(ids)))
    assert unique.tolist() == [2, 5, 9]
    assert unique[index].tolist() == ids.tolist()
