"""`HierarchicalSoftmaxLoss` and models with it: losses of plain loops, and gradients of finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.config import cbow_grad_scale
from fastw2v.nn import CBOW, HierarchicalSoftmaxLoss, SkipGram
from fastw2v.sampling.huffman import HuffmanTree
from tests.nn.test_layers import close, numerical_gradient

V, D = 7, 5
COUNTS = np.array([20, 9, 9, 4, 2, 1, 1])
TREE = HuffmanTree.from_counts(COUNTS)
TARGET = np.array([0, 6, -1, 3, 0])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def loss_of(W: np.ndarray, h: np.ndarray, word: int) -> float:
    """Return −log P(word | h)."""
    points, codes = TREE.path(word)
    scores = (1 - 2 * codes.astype(float)) * (W[points] @ h)
    return float(np.logaddexp(0, -scores).sum())


def mean_loss(W: np.ndarray, h: np.ndarray, target: np.ndarray) -> float:
    return sum(loss_of(W, h[i], word) for i, word in enumerate(target) if word >= 0) / max((target >= 0).sum(), 1)


@pytest.mark.parametrize("target", [TARGET, np.array([2]), np.array([-1, -1])], ids=["padding", "one", "only padding"])
def test_the_loss_and_its_gradients(xp: Any, rng: np.random.Generator, target: np.ndarray) -> None:
    W, h = rng.normal(size=(V, D)), rng.normal(size=(len(target), D))
    layer = HierarchicalSoftmaxLoss(xp.asarray(W), COUNTS)
    close(layer.forward(xp.asarray(h), xp.asarray(target)), np.array(mean_loss(W, h, target)))
    dh = layer.backward()
    close(dh, numerical_gradient(lambda h: mean_loss(W, h, target), h))
    close(layer.grads[0].dense(layer.params[0]), numerical_gradient(lambda W: mean_loss(W, h, target), W))
    tripled = layer.forward(xp.asarray(h), xp.asarray(target)), layer.backward(3.0)
    close(tripled[1], 3 * to_host(dh))


def test_several_hidden_vectors_of_a_target(xp: Any, rng: np.random.Generator) -> None:
    """The loss of a target is the sum over its hidden vectors, and the mean is over the targets that have some."""
    W, h = rng.normal(size=(V, D)), rng.normal(size=(5, 3, D))
    present = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0], [0, 0, 1]], bool)

    def loss(W: np.ndarray, h: np.ndarray) -> float:
        pairs = [(i, c) for i in range(5) for c in range(3) if present[i, c] and TARGET[i] >= 0]
        return sum(loss_of(W, h[i, c], TARGET[i]) for i, c in pairs) / len({i for i, _ in pairs})

    layer = HierarchicalSoftmaxLoss(xp.asarray(W), TREE)
    close(layer.forward(xp.asarray(h), xp.asarray(TARGET), xp.asarray(present)), np.array(loss(W, h)))
    close(layer.backward(), numerical_gradient(lambda h: loss(W, h), h))
    close(layer.grads[0].dense(layer.params[0]), numerical_gradient(lambda W: loss(W, h), W))


def test_the_probabilities_of_all_words_add_up_to_one(xp: Any, rng: np.random.Generator) -> None:
    W, h = rng.normal(size=(V, D)), rng.normal(size=D)
    layer = HierarchicalSoftmaxLoss(xp.asarray(W), COUNTS)
    losses = [float(layer.forward(xp.asarray(h[None]), xp.asarray(np.array([word])))) for word in range(V)]
    assert sum(np.exp(-np.array(losses))) == pytest.approx(1)
    close(np.array(losses), -TREE.log_probabilities(W @ h))


def test_the_loss_of_each_target(xp: Any, rng: np.random.Generator) -> None:
    W, h = rng.normal(size=(V, D)), rng.normal(size=(5, 3, D))
    layer = HierarchicalSoftmaxLoss(xp.asarray(W), TREE)
    one = [loss_of(W, h[i, 0], word) if word >= 0 else 0.0 for i, word in enumerate(TARGET)]
    close(layer.losses(xp.asarray(h[:, 0, :]), xp.asarray(TARGET)), np.array(one))
    present = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0], [0, 0, 1]], bool)
    several = [
        sum(loss_of(W, h[i, c], word) for c in range(3) if present[i, c] and word >= 0) for i, word in enumerate(TARGET)
    ]
    close(layer.losses(xp.asarray(h), xp.asarray(TARGET), xp.asarray(present)), np.array(several))


def test_only_the_nodes_on_the_paths_get_a_gradient(rng: np.random.Generator) -> None:
    layer = HierarchicalSoftmaxLoss(rng.normal(size=(V, D)), COUNTS)
    layer.forward(rng.normal(size=(2, D)), np.array([5, 0]))
    layer.backward()
    dense = layer.grads[0].dense(layer.params[0])
    on_paths = sorted({*TREE.path(5)[0].tolist(), *TREE.path(0)[0].tolist()})
    assert np.flatnonzero(dense.any(axis=1)).tolist() == on_paths
    assert not dense[V - 1].any()


def test_a_vocabulary_of_one_word_has_nothing_to_decide() -> None:
    layer = HierarchicalSoftmaxLoss(np.ones((1, D)), np.array([3]))
    assert float(layer.forward(np.ones((2, D)), np.array([0, 0]))) == 0
    assert not layer.backward().any()


def test_each_word_needs_a_count() -> None:
    for counts in (COUNTS[:-1], [*COUNTS, 1]):
        with pytest.raises(ValueError, match=r"counts has shape \(.,\); it must have shape \(7,\), one count for each"):
            HierarchicalSoftmaxLoss(np.ones((V, D)), counts)
    with pytest.raises(ValueError, match="W has 7 rows, but the tree has 2 words; W must have a row for each word"):
        HierarchicalSoftmaxLoss(np.ones((V, D)), HuffmanTree.from_counts(COUNTS[:2]))
    with pytest.raises(TypeError, match="counts is of type float64; it must be of an integer type"):
        HierarchicalSoftmaxLoss(np.ones((V, D)), COUNTS / 2)


# Models

CONTEXTS = np.array([[1, 2, -1, 6], [0, -1, -1, -1], [3, 3, 3, 1], [-1, -1, -1, -1], [6, 5, -1, 0]])


def model_loss(model: str, W_in: np.ndarray, W_out: np.ndarray) -> float:
    """Return the mean loss per target, computed with plain loops."""
    total, targets = 0.0, 0
    for word, row in zip(TARGET, CONTEXTS, strict=True):
        present = row[row >= 0]
        if word < 0 or not len(present):
            continue
        targets += 1
        if model == "cbow":
            total += loss_of(W_out, W_in[present].mean(axis=0), word)
        else:
            total += sum(loss_of(W_out, W_in[context], word) for context in present)
    return total / targets


@pytest.mark.parametrize(("kind", "name"), [(CBOW, "cbow"), (SkipGram, "skipgram")])
def test_the_gradients_of_the_models(xp: Any, rng: np.random.Generator, kind: Any, name: str) -> None:
    W_in, W_out = rng.normal(size=(V, D)), rng.normal(size=(V, D))
    model = kind.from_weights(xp.asarray(W_in), xp.asarray(W_out), counts=COUNTS)
    loss = model.forward(xp.asarray(CONTEXTS), xp.asarray(TARGET))
    close(loss, np.array(model_loss(name, W_in, W_out)))
    model.backward()
    close(model.grads[0].dense(model.params[0]), numerical_gradient(lambda W: model_loss(name, W, W_out), W_in))
    close(model.grads[1].dense(model.params[1]), numerical_gradient(lambda W: model_loss(name, W_in, W), W_out))


@pytest.mark.parametrize("cbow_grad", ["mean", "balanced", "sum"])
def test_cbow_scales_the_gradient_of_the_contexts(rng: np.random.Generator, cbow_grad: Any) -> None:
    W_in, W_out, contexts, target = rng.normal(size=(V, D)), rng.normal(size=(V, D)), np.array([[1, 2, 4]]), TARGET[:1]
    grads = []
    for scale in (cbow_grad, "sum"):
        model = CBOW.from_weights(W_in, W_out, counts=COUNTS, cbow_grad=scale)
        model.forward(contexts, target)
        model.backward()
        grads.append([grad.dense(W) for grad, W in zip(model.grads, model.params, strict=True)])
    np.testing.assert_allclose(grads[0][0], cbow_grad_scale(cbow_grad, 3)[3] * grads[1][0])
    np.testing.assert_array_equal(grads[0][1], grads[1][1])


@pytest.mark.parametrize("kind", [CBOW, SkipGram])
def test_models_that_count_a_corpus(kind: Any, rng: np.random.Generator) -> None:
    corpus = rng.integers(0, V, 200)
    model = kind(vocab_size=V + 1, hidden_size=D, window_size=2, corpus=corpus, loss="hs")  # a word does not occur
    expected = HuffmanTree.from_counts(np.bincount(corpus, minlength=V + 1))
    assert all(map(np.array_equal, model.loss_layer.tree, expected))
    before = float(model.forward(CONTEXTS, TARGET))
    for _ in range(200):
        model.backward()
        for W, grad in zip(model.params, model.grads, strict=True):
            W -= grad.dense(W)
        after = float(model.forward(CONTEXTS, TARGET))
    assert after < 0.6 * before
    with pytest.raises(ValueError, match="loss is 'hs\\+ns'; it must be 'ns' or 'hs'"):
        kind(V, D, 2, corpus, loss="hs+ns")
