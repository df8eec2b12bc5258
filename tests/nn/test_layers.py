"""Layers: each `backward` is compared with finite differences in float64, and each `forward` with a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.config import cbow_grad_scale
from fastw2v.nn.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    NegativeSamplingLoss,
    SharedNegativesDot,
    SigmoidWithLoss,
)
from fastw2v.nn.sparse import RowSparseGradient, add_gradients

V, D = 7, 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def numerical_gradient(f: Callable[[np.ndarray], float], x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Return central differences of a scalar function."""
    grad = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        at = x[i]
        x[i] = at + eps
        above = f(x)
        x[i] = at - eps
        below = f(x)
        x[i] = at
        grad[i] = (above - below) / (2 * eps)
    return grad


def close(got: Any, want: np.ndarray, atol: float = 1e-8) -> None:
    np.testing.assert_allclose(to_host(got), want, atol=atol, rtol=1e-7)


IDS = [[0], [V - 1], [0, V - 1, 0, 3, 3, 3], [[1, 1], [2, 1]]]


@pytest.mark.parametrize("ids", IDS)
def test_embedding(xp, rng, ids):
    W, ids = rng.normal(size=(V, D)), np.array(ids)
    weight = rng.normal(size=(*ids.shape, D))  # the loss is a weighted sum of the output
    layer = Embedding(xp.asarray(W))
    close(layer.forward(xp.asarray(ids)), W[ids])
    layer.backward(xp.asarray(weight))
    close(layer.grads[0].dense(layer.params[0]), numerical_gradient(lambda W: float((W[ids] * weight).sum()), W))


def test_embedding_gradient_has_only_the_rows_used(rng):
    layer = Embedding(rng.normal(size=(1_000_000, 2)))
    layer.forward(np.array([5, 9, 5]))
    layer.backward(np.ones((3, 2)))
    assert layer.grads[0].rows.shape == (3, 2)
    coalesced = layer.grads[0].coalesce()
    assert coalesced.ids.tolist() == [5, 9]
    assert coalesced.rows.tolist() == [[2, 2], [1, 1]]


def test_padding_gives_zero_and_gets_no_gradient(xp, rng):
    W, ids = rng.normal(size=(V, D)), np.array([[2, -1], [-1, 5]])
    layer = Embedding(xp.asarray(W))
    want = W[ids] * (ids >= 0)[..., None]
    close(layer.forward(xp.asarray(ids)), want)
    layer.backward(xp.ones((2, 2, D)))
    want = np.zeros((V, D))
    want[[2, 5]] = 1
    close(layer.grads[0].dense(), want)
    dot = EmbeddingDot(xp.asarray(W))
    h = rng.normal(size=(2, D))
    scores = np.array([[W[2] @ h[0], 0], [0, W[5] @ h[1]]])
    close(dot.forward(xp.asarray(h), xp.asarray(ids)), scores)
    close(dot.backward(xp.ones((2, 2))), W[[2, 5]])


def test_ids_as_lists_and_numbers(rng):
    W = rng.normal(size=(V, D))
    layer = Embedding(W)
    close(layer.forward([1, 6]), W[[1, 6]])
    close(layer.forward(3), W[3])
    layer.backward(np.ones(D))
    assert layer.grads[0].dense().sum(axis=1).tolist() == [0, 0, 0, D, 0, 0, 0]


def test_tables_that_cannot_be_trained(xp):
    with pytest.raises(TypeError, match="must be an array of floats"):
        Embedding(xp.zeros((V, D), dtype=xp.int32))
    with pytest.raises(ValueError, match=r"shape \(7,\); the table of a layer must have shape \(V, D\)"):
        Embedding(xp.zeros(V))


def test_every_layer_has_both_lists():
    layers = [ContextMean(), SigmoidWithLoss()]
    assert all(layer.params == layer.grads == [] for layer in layers)
    W = np.ones((V, D))
    for Layer in (Embedding, EmbeddingDot, SharedNegativesDot, NegativeSamplingLoss):
        layer = Layer(W)
        assert layer.params[0] is W
        assert np.array_equal(layer.grads[0], np.zeros((V, D)))


def test_embedding_of_no_ids(xp):
    layer = Embedding(xp.ones((V, D)))
    assert layer.forward(xp.asarray(np.zeros((0, 3), np.int64))).shape == (0, 3, D)
    layer.backward(xp.zeros((0, 3, D)))
    assert float(xp.sum(layer.grads[0].dense(layer.params[0]))) == 0


@pytest.mark.parametrize("ids", [[0, 6, 0], [[1, 1], [0, 6], [3, 3]]], ids=["one each", "two each"])
def test_embedding_dot(xp, rng, ids):
    W, h, ids = rng.normal(size=(V, D)), rng.normal(size=(3, D)), np.array(ids)
    weight = rng.normal(size=ids.shape)

    def scores(W, h):
        return np.array([[W[i] @ h[b] for i in np.atleast_1d(ids[b])] for b in range(3)]).reshape(ids.shape)

    layer = EmbeddingDot(xp.asarray(W))
    close(layer.forward(xp.asarray(h), xp.asarray(ids)), scores(W, h))
    close(layer.backward(xp.asarray(weight)), numerical_gradient(lambda h: (scores(W, h) * weight).sum(), h))
    close(layer.grads[0].dense(xp.asarray(W)), numerical_gradient(lambda W: (scores(W, h) * weight).sum(), W))


def test_pool_dot(xp, rng):
    W, h, pool = rng.normal(size=(V, D)), rng.normal(size=(2, 3, D)), np.array([[1, 1, 6, 0], [2, 3, 2, 2]])
    weight = rng.normal(size=(2, 3, 4))

    def scores(W, h):
        return np.array([[[W[i] @ h[g, b] for i in pool[g]] for b in range(3)] for g in range(2)])

    layer = SharedNegativesDot(xp.asarray(W))
    close(layer.forward(xp.asarray(h), xp.asarray(pool)), scores(W, h))
    close(layer.backward(xp.asarray(weight)), numerical_gradient(lambda h: (scores(W, h) * weight).sum(), h))
    close(layer.grads[0].dense(xp.asarray(W)), numerical_gradient(lambda W: (scores(W, h) * weight).sum(), W))


PRESENT = np.array([[True, False, True, True], [False, True, False, False], [False] * 4])


def test_context_mean(xp, rng):
    rows, weight = rng.normal(size=(3, 4, D)), rng.normal(size=(3, D))

    def mean(rows):
        return np.array([r[p].mean(0) if p.any() else np.zeros(D) for r, p in zip(rows, PRESENT, strict=True)])

    layer = ContextMean()
    close(layer.forward(xp.asarray(rows), xp.asarray(PRESENT)), mean(rows))
    grad = layer.backward(xp.asarray(weight))
    close(grad, numerical_gradient(lambda rows: (mean(rows) * weight).sum(), rows))
    for cbow_grad, power in (("sum", 1), ("balanced", 0.25)):
        other = ContextMean(cbow_grad)
        close(other.forward(xp.asarray(rows), xp.asarray(PRESENT)), mean(rows))
        close(other.backward(xp.asarray(weight)), to_host(grad) * (PRESENT.sum(1) ** power)[:, None, None])
        shares = cbow_grad_scale(cbow_grad, 4)  # of the fused engines
        assert shares.tolist() == pytest.approx([1, *(n ** (power - 1) for n in (1, 2, 3, 4))])


def test_context_mean_knows_three_gradients():
    with pytest.raises(ValueError, match="'classic'; it must be 'mean', 'balanced' or 'sum'"):
        ContextMean("classic")


@pytest.mark.parametrize("weight", [None, 0.5])
def test_sigmoid_with_loss(xp, rng, weight):
    score, label = rng.normal(size=(4, 3)) * 3, rng.integers(0, 2, (4, 3))

    def loss(score):
        p = 1 / (1 + np.exp(-score))
        each = -(label * np.log(p) + (1 - label) * np.log(1 - p))
        return float(each.sum() * (1 / 4 if weight is None else weight))

    layer = SigmoidWithLoss()
    assert float(layer.forward(xp.asarray(score), xp.asarray(label), weight)) == pytest.approx(loss(score), rel=1e-12)
    close(layer.backward(), numerical_gradient(loss, score))
    close(layer.backward(2.0), 2 * numerical_gradient(loss, score))


@pytest.mark.parametrize(("score", "label", "loss"), [(1e4, 1, 0), (1e4, 0, 1e4), (-1e4, 1, 1e4), (-1e4, 0, 0)])
def test_sigmoid_with_loss_far_out_is_exact_and_silent(xp, score, label, loss):
    layer = SigmoidWithLoss()
    assert float(layer.forward(xp.asarray([score], dtype=xp.float32), label)) == loss
    assert float(layer.backward()[0]) == (1 - label if score > 0 else -label)


def sampled_loss(W, h, target, negative):
    def log_sigmoid(x):
        return -np.log1p(np.exp(-x))

    each = [
        -log_sigmoid(h[b] @ W[target[b]]) - sum(log_sigmoid(-h[b] @ W[n]) for n in negative[b])
        for b in range(len(target))
    ]
    return float(np.mean(each))


def test_negative_sampling_loss_with_the_sampler(xp, rng):
    W, h, target = rng.normal(size=(V, D)), rng.normal(size=(4, D)), np.array([0, 6, 3, 3])
    corpus = xp.asarray(rng.integers(0, V, 200))
    same = NegativeSamplingLoss(xp.asarray(W), corpus, sample_size=3, seed=9)
    negative = to_host(same.sampler.get_negative_sample(xp.asarray(target)))
    layer = NegativeSamplingLoss(xp.asarray(W), corpus, sample_size=3, seed=9)
    loss = float(layer.forward(xp.asarray(h), xp.asarray(target)))
    assert loss == pytest.approx(sampled_loss(W, h, target, negative), rel=1e-12)
    close(layer.backward(), numerical_gradient(lambda h: sampled_loss(W, h, target, negative), h))
    close(layer.grads[0].dense(xp.asarray(W)), numerical_gradient(lambda W: sampled_loss(W, h, target, negative), W))


def pooled_loss(W, h, target, pool, negative):
    """Return the mean loss per target, computed with plain loops."""
    total, targets = 0.0, 0
    for g, b in np.ndindex(target.shape[:2]):
        positives = [c for c in target[g, b] if c >= 0]
        targets += bool(positives)
        for c in positives:
            total += np.log1p(np.exp(-h[g, b] @ W[c]))
        for n in pool[g]:
            if n not in positives:
                total += len(positives) * negative / len(pool[g]) * np.log1p(np.exp(h[g, b] @ W[n]))
    return total / targets


TARGETS = {
    "cbow": np.array([[[0], [6], [3]], [[2], [-1], [2]]]),
    "skipgram": np.array([[[0, -1, 4], [6, 6, 1], [-1, -1, 3]], [[2, 2, 2], [-1, -1, -1], [-1, 5, -1]]]),
}


@pytest.mark.parametrize("model", TARGETS)
def test_negative_sampling_loss_with_pools(xp, rng, model):
    target, pool = TARGETS[model], np.array([[0, 3, 3, 5], [6, 2, 0, 1]])  # positives and repeats in the pool
    W, h = rng.normal(size=(V, D)), rng.normal(size=(2, 3, D))
    layer = NegativeSamplingLoss(xp.asarray(W), sample_size=5)
    loss = float(layer.forward(xp.asarray(h), xp.asarray(target), xp.asarray(pool)))
    assert loss == pytest.approx(pooled_loss(W, h, target, pool, 5), rel=1e-12)
    close(layer.backward(), numerical_gradient(lambda h: pooled_loss(W, h, target, pool, 5), h))
    want = numerical_gradient(lambda W: pooled_loss(W, h, target, pool, 5), W)
    close(layer.grads[0].dense(xp.asarray(W)), want)
    layer.backward(3.0)
    close(layer.grads[0].dense(xp.asarray(W)), 3 * want)


def test_pools_are_unbiased():
    # The expected loss of a weighted pool equals that of `negative` independent draws per target.
    rng = np.random.default_rng(1)
    W, h = rng.normal(size=(V, D)), rng.normal(size=(1, 1, D))
    layer, target = NegativeSamplingLoss(W, sample_size=5), np.array([[[2]]])
    others = np.delete(np.arange(V), 2)
    fresh = np.log1p(np.exp(-h[0, 0] @ W[2])) + 5 * np.mean([np.log1p(np.exp(h[0, 0] @ W[n])) for n in others])
    assert float(layer.forward(h, target, others[None])) == pytest.approx(fresh, rel=1e-12)


def test_a_group_of_nothing_costs_nothing(xp):
    layer = NegativeSamplingLoss(xp.ones((V, D)))
    padding = xp.full((1, 2, 1), -1, dtype=xp.int64)
    assert float(layer.forward(xp.ones((1, 2, D)), padding, xp.asarray([[1, 2]]))) == 0
    assert float(xp.sum(xp.abs(layer.backward()))) == 0


def test_without_corpus_or_pool_there_are_no_negatives():
    with pytest.raises(ValueError, match="created without a corpus"):
        NegativeSamplingLoss(np.ones((V, D))).forward(np.ones((1, D)), np.array([1]))


def test_gradients_of_a_shared_weight_add_up():
    a, b = RowSparseGradient(np.array([1]), np.ones((1, 2))), RowSparseGradient(np.array([1, 0]), np.ones((2, 2)))
    assert add_gradients(a, b).dense(np.zeros((3, 2))).tolist() == [[1, 1], [2, 2], [0, 0]]
    assert add_gradients(np.ones(2), np.ones(2)).tolist() == [2, 2]
    assert add_gradients(a, np.ones((3, 2))).tolist() == [[1, 1], [2, 2], [1, 1]]
    assert add_gradients(np.ones((3, 2)), b).tolist() == [[2, 2], [2, 2], [1, 1]]
    assert a.rows.tolist() == [[1, 1]]  # unchanged
