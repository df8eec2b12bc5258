"""Layers that read like the mathematics: layers, models, optimisers and a training loop, on any array library."""

from fastw2v.nn.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    NegativeSamplingLoss,
    SharedNegativesDot,
    SigmoidWithLoss,
)
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, AdaGrad, Adam
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.nn.trainer import Trainer

__all__ = [
    "CBOW",
    "SGD",
    "AdaGrad",
    "Adam",
    "ContextMean",
    "Embedding",
    "EmbeddingDot",
    "NegativeSamplingLoss",
    "RowSparseGradient",
    "SharedNegativesDot",
    "SigmoidWithLoss",
    "SkipGram",
    "Trainer",
]
