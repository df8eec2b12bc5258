"""Layers, models, optimisers and a training loop, written in plain array code that follows the equations.

Everything runs on NumPy, CuPy or another library that follows the array API standard, on the device of its inputs.

Examples
--------
Train CBOW on a cycle of five words. The contexts of a word are its two neighbours:

>>> import numpy as np
>>> from fastw2v.nn import CBOW, SGD, Trainer
>>> corpus = np.tile(np.arange(5), 40)
>>> contexts, target = np.stack([corpus[:-2], corpus[2:]], axis=1), corpus[1:-1]
>>> model = CBOW(vocab_size=5, hidden_size=8, window_size=1, corpus=corpus)
>>> trainer = Trainer(model, SGD(lr=1.0)).fit(contexts, target, max_epoch=5, show=False)
>>> first, last = trainer.loss_history[0][1], trainer.loss_history[-1][1]
>>> last < first
True
"""

from fastw2v.nn.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    HierarchicalSoftmaxLoss,
    NegativeSamplingLoss,
    SharedNegativesDot,
    SigmoidWithLoss,
)
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, AdaGrad, Adam
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.nn.subwords import SubwordEmbedding
from fastw2v.nn.trainer import Trainer

__all__ = [
    "CBOW",
    "SGD",
    "AdaGrad",
    "Adam",
    "ContextMean",
    "Embedding",
    "EmbeddingDot",
    "HierarchicalSoftmaxLoss",
    "NegativeSamplingLoss",
    "RowSparseGradient",
    "SharedNegativesDot",
    "SigmoidWithLoss",
    "SkipGram",
    "SubwordEmbedding",
    "Trainer",
]
