"""Producers of errors in the section "Layers of fastw2v.nn"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v import nn
from fastw2v.nn import sparse
from fastw2v.sampling.huffman import HuffmanTree
from tests.errors.common import Producer

IDS = np.array([0, 1, 2, 3, 0])
CONTEXTS = np.array([[0, 2], [1, 3], [2, 0]])
TARGET = np.array([1, 2, 3])


class Model:
    """A model with one weight, of which something is wrong."""

    def __init__(self, params: Any, grads: Any, loss: Any = 1.0) -> None:
        self.params, self.grads, self.loss = params, grads, loss

    def forward(self, *_: Any) -> Any:
        return self.loss

    def backward(self) -> None:
        """Do nothing."""


def fit(params: Any = (), grads: Any = (), loss: Any = 1.0) -> None:
    nn.Trainer(Model(params, grads, loss), nn.SGD()).fit(CONTEXTS, TARGET, show=False)


def cbow(**settings: Any) -> None:
    trainer = nn.Trainer(nn.CBOW(4, 8, 1, IDS), nn.SGD(lr=0.1))
    trainer.fit(**{"contexts": CONTEXTS, "target": TARGET, "max_epoch": 1, "show": False} | settings)


def reused_optimizer() -> None:
    optimizer = nn.Adam()
    for V in (3, 4):
        optimizer.update([np.zeros((V, 2))], [np.ones((V, 2))])


def gradient(shape: tuple[int, int] | None = (3, 2)) -> nn.RowSparseGradient:
    return nn.RowSparseGradient(np.array([0, 1]), np.ones((2, 2)), shape)


def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "is_cupy", lambda _: True)
    np.asarray(gradient())


PRODUCERS: dict[str, list[Producer]] = {
    "W is an array of …; the table of a layer must be an array of floats": [
        lambda: nn.Embedding(np.ones((2, 3), int)),
    ],
    "W has shape …; the table of a layer must have shape (V, D)": [
        lambda: nn.Embedding(np.ones(3)),
    ],
    "… is an array of …; it must contain integer word ids": [
        lambda: nn.CBOW(4, 8, 1, np.array([0.0, 1.0])),
    ],
    "… is … of type …; pass an array": [
        lambda: nn.Embedding([[1.0, 2.0]]),
    ],
    "W has … rows, but the tree has … words; W must have a row for each word": [
        lambda: nn.HierarchicalSoftmaxLoss(np.ones((3, 2)), HuffmanTree.from_counts(np.array([4, 1]))),
    ],
    "corpus has word ids from … to …; with vocab_size=… they must lie in 0..…": [
        lambda: nn.CBOW(3, 8, 1, IDS),
    ],
    "… is an array of …; pass an array of integers": [
        lambda: nn.SubwordEmbedding(np.ones((3, 2)), np.array([0.0, 2.0]), np.array([0, 1])),
        lambda: nn.CBOW(2, 8, 1, np.array([0, 1]), subwords=(np.array([0, 1, 2]), np.array([0.0, 1.0]))),
    ],
    "… has shape …; pass a one-dimensional array": [
        lambda: nn.SubwordEmbedding(np.ones((3, 2)), np.array([[0, 2]]), np.array([0, 1])),
        lambda: nn.SubwordEmbedding(np.ones((3, 2)), np.array([0, 2]), np.int64(1)),
    ],
    "subwords has …; pass two arrays, such as (subwords.starts, subwords.rows)": [
        lambda: nn.CBOW(2, 8, 1, np.array([0, 1]), subwords=(np.array([0, 1, 2]),)),
    ],
    "starts has shape …; its numbers must rise from 0 to the number of rows, …, because each word has a row": [
        lambda: nn.SubwordEmbedding(np.ones((3, 2)), np.array([0, 2]), np.array([0, 1, 2])),
    ],
    "rows has numbers from … to …; with this W they must lie in 0..…": [
        lambda: nn.SubwordEmbedding(np.ones((3, 2)), np.array([0, 2]), np.array([0, 3])),
    ],
    "subwords has the rows of … words, but vocab_size is …": [
        lambda: nn.CBOW(3, 8, 1, np.array([0, 1, 2]), subwords=(np.array([0, 1]), np.array([0]))),
    ],
    "negative sampling needs a corpus with at least two different words": [
        lambda: nn.CBOW(3, 8, 1, np.zeros(5, int)),
    ],
    "NegativeSamplingLoss was created without a corpus, so it cannot draw negatives: pass corpus= to the constructor, or pool= to forward()": [
        lambda: nn.NegativeSamplingLoss(np.zeros((3, 2))).forward(np.ones((1, 2)), np.array([1])),
    ],
    "max_grad is 0, which would make all gradients zero; it must be positive, or None": [
        lambda: cbow(max_grad=0),
    ],
    "contexts has … rows and target has … elements; the numbers must be equal and at least 1": [
        lambda: cbow(contexts=CONTEXTS[:2]),
    ],
    "….forward() returned …; it must return the mean loss of the batch, as a number or an array of shape ()": [
        lambda: fit(loss=None),
        lambda: fit(loss=np.ones(3)),
    ],
    "model.… is None; it must be a list, collected from the layers of the model": [
        lambda: fit(params=None),
    ],
    "model.params contains … weights, but model.grads contains … gradients; add both lists of each layer, in the same order: self.params += layer.params and self.grads += layer.grads": [
        lambda: fit(params=[np.ones((2, 2))]),
    ],
    "model.params[…] is …; a weight must be an array of floats": [
        lambda: fit([[1.0]], [np.ones(1)]),
        lambda: fit([np.ones(1, int)], [np.ones(1)]),
    ],
    "model.grads[…], the gradient of model.params[…] with shape …, is … after backward(); a layer must create its gradient in its constructor, for example with self.grads = [np.zeros_like(W)], and fill it in backward() with self.grads[0][...] = dW": [
        lambda: fit([np.ones(1)], [None]),
        lambda: fit([np.ones(1)], [[1.0]]),
    ],
    "model.grads[…] has shape …, but its weight model.params[…] has shape …": [
        lambda: fit([np.ones((3, 2))], [np.ones((2, 3))]),
        lambda: fit([np.ones((3, 2))], [nn.RowSparseGradient(np.array([0]), np.ones((1, 3)))]),
    ],
    "this … has been used with weights of shapes …, but the weights now have shapes …; create a new optimizer for each model. Pickling and copying a model make two weights of an array and its transpose": [
        reused_optimizer,
    ],
    "this RowSparseGradient has no shape, so it cannot be used like a dense array; create it with shape=W.shape, or call its method dense(W)": [
        lambda: gradient(None).dense(),
    ],
    "… is an attribute of arrays, but this RowSparseGradient has no shape, so it cannot be used like a dense array; create it with shape=W.shape, or call its method dense(W)": [
        lambda: gradient(None).T,
    ],
    "'RowSparseGradient' object has no attribute …": [
        lambda: gradient()._data,
    ],
    "ids from … to … do not all lie in a table of … rows": [
        lambda: gradient().scatter_add(np.array([7]), np.ones((1, 2))),
    ],
    "cannot add gradients of tables of shapes … and …": [
        lambda: gradient() + gradient((4, 2)),
    ],
    "this gradient is on a GPU; grad.dense().get() converts it to a NumPy array": [
        on_gpu,
    ],
    "a RowSparseGradient cannot be converted to an array without a copy": [
        lambda: gradient().__array__(copy=False),
    ],
}
