"""Optimisers: row-sparse steps, compared with plain dense formulas."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.nn.optim import SGD, AdaGrad, Adam, linear_rate
from fastw2v.nn.sparse import RowSparseGradient

STEPS = [([1, 3, 1], 0), ([0, 4, 4, 4], 1), ([2], 2), ([4, 1], 3)]


def steps(xp):
    """Yield a few row-sparse gradients of a (5, 3) weight."""
    for ids, seed in STEPS:
        rows = np.random.default_rng(seed).normal(size=(len(ids), 3))
        yield RowSparseGradient(xp.asarray(np.array(ids)), xp.asarray(rows))


def start() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(5, 3))


def run(optimizer, xp, dense):
    W = xp.asarray(start())
    for grad in steps(xp):
        optimizer.update([W], [grad.dense(W) if dense else grad])
    return to_host(W)


@pytest.mark.parametrize("dense", [False, True])
def test_sgd(xp, dense):
    want = start()
    for grad in steps(np):
        np.add.at(want, grad.ids, -0.1 * grad.rows)
    np.testing.assert_allclose(run(SGD(0.1), xp, dense), want)


def test_sgd_bounds_the_sum_of_a_row(xp):
    want = start()
    for grad in steps(np):
        full = np.zeros((5, 3))
        np.add.at(full, grad.ids, grad.rows)
        norm = np.linalg.norm(full, axis=1, keepdims=True)
        want -= 0.1 * full * np.minimum(1, 0.7 / np.maximum(norm, 1e-300))
    np.testing.assert_allclose(run(SGD(0.1, max_row_norm=0.7), xp, dense=False), want)


def test_sgd_bound_leaves_zero_gradients_alone(xp):
    W = xp.ones((2, 2))
    SGD(0.1, max_row_norm=1.0).update([W], [RowSparseGradient(xp.asarray([0]), xp.zeros((1, 2)))])
    assert to_host(W).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("dense", [False, True])
def test_adagrad_is_dense_adagrad(xp, dense):
    want, s = start(), np.zeros((5, 3))
    for grad in steps(np):
        g = grad.dense(want)
        s += g * g
        want -= 0.1 * g / (np.sqrt(s) + 1e-7)
    np.testing.assert_allclose(run(AdaGrad(0.1), xp, dense), want)


@pytest.mark.parametrize("dense", [False, True])
def test_adam_is_the_paper_s_on_the_rows_it_touches(xp, dense):
    want, m, v = start(), np.zeros((5, 3)), np.zeros((5, 3))
    for t, grad in enumerate(steps(np), start=1):
        g = grad.dense(want)
        rows = np.arange(5) if dense else np.unique(grad.ids)
        m[rows] = 0.9 * m[rows] + 0.1 * g[rows]
        v[rows] = 0.999 * v[rows] + 0.001 * g[rows] ** 2
        rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        want[rows] -= rate * m[rows] / (np.sqrt(v[rows]) + 1e-7)
    np.testing.assert_allclose(run(Adam(0.1), xp, dense), want)


@pytest.mark.parametrize("Optimizer", [SGD, AdaGrad, Adam])
def test_untouched_rows_keep_their_bytes(Optimizer):
    W = start().astype(np.float32)
    before = W.copy()
    optimizer = Optimizer(0.1)
    for _ in range(3):
        optimizer.update([W], [RowSparseGradient(np.array([1, 1]), np.ones((2, 3), np.float32))])
    assert np.array_equal(np.delete(W, 1, 0), np.delete(before, 1, 0))
    assert (W[1] < before[1]).all()
    assert W.dtype == np.float32


@pytest.mark.parametrize("Optimizer", [AdaGrad, Adam])
def test_each_weight_has_a_memory_of_its_own(Optimizer):
    one, two, both = start(), start() + 1, [start(), start() + 1]
    a, b, ab = Optimizer(0.1), Optimizer(0.1), Optimizer(0.1)
    for grad in steps(np):
        a.update([one], [grad])
        b.update([two], [grad])
        ab.update(both, [grad, grad])
    assert np.array_equal(both[0], one)
    assert np.array_equal(both[1], two)


def test_linear_rate():
    assert linear_rate(0.2, 0.1, 0) == 0.2
    assert linear_rate(0.2, 0.1, 0.5) == pytest.approx(0.15)
    assert linear_rate(0.2, 0.1, 1) == pytest.approx(0.1)
    assert linear_rate(0.2, 0.1, 1.5) == pytest.approx(0.1)
