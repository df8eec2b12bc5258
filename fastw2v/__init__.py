"""Fast word2vec: CBOW and skip-gram with negative sampling on NumPy or CuPy.

>>> import fastw2v
>>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 50
>>> model = fastw2v.Word2Vec(vector_size=8, negative=2, epochs=2).fit(sentences)
>>> "cat" in model.wv
True
"""

from fastw2v.backend import scatter_add, to_cpu, to_device, to_gpu, to_host
from fastw2v.corpus import Corpus, create_contexts_target, preprocess
from fastw2v.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    NegativeSamplingLoss,
    PoolDot,
    SigmoidWithLoss,
)
from fastw2v.matrix_queries import analogy, cos_similarity, most_similar
from fastw2v.models import CBOW, SkipGram
from fastw2v.optim import SGD, AdaGrad, Adam
from fastw2v.sampling import UnigramSampler
from fastw2v.trainer import Trainer
from fastw2v.vectors import UnknownWordError, WordVectors
from fastw2v.vocab import Vocabulary
from fastw2v.word2vec import Word2Vec

KeyedVectors = WordVectors  # by gensim's name

__version__ = "0.1.0.dev0"

__all__ = [
    "CBOW",
    "SGD",
    "AdaGrad",
    "Adam",
    "ContextMean",
    "Corpus",
    "Embedding",
    "EmbeddingDot",
    "KeyedVectors",
    "NegativeSamplingLoss",
    "PoolDot",
    "SigmoidWithLoss",
    "SkipGram",
    "Trainer",
    "UnigramSampler",
    "UnknownWordError",
    "Vocabulary",
    "Word2Vec",
    "WordVectors",
    "analogy",
    "cos_similarity",
    "create_contexts_target",
    "most_similar",
    "preprocess",
    "scatter_add",
    "to_cpu",
    "to_device",
    "to_gpu",
    "to_host",
]
