"""The names of "Deep Learning from Scratch 2", chapter 4, in one place: its scripts run with their imports changed.

::

    from fastw2v.textbook import CBOW, Adam, Trainer, config, create_contexts_target, ptb, to_cpu, to_gpu

`docs/textbook.md` shows the chapter's training script and says what differs from the book.
"""

from __future__ import annotations

from types import SimpleNamespace

from fastw2v.backend import to_cpu, to_gpu
from fastw2v.corpus import create_contexts_target, preprocess
from fastw2v.datasets import load_ptb
from fastw2v.formats import load_params, load_textbook_pickle, save_params
from fastw2v.layers import Embedding, EmbeddingDot, NegativeSamplingLoss, SigmoidWithLoss
from fastw2v.matrix_queries import analogy, cos_similarity, most_similar
from fastw2v.models import CBOW, SkipGram
from fastw2v.optim import SGD, AdaGrad, Adam
from fastw2v.sampling import UnigramSampler
from fastw2v.trainer import Trainer

__all__ = [
    "CBOW",
    "SGD",
    "AdaGrad",
    "Adam",
    "Embedding",
    "EmbeddingDot",
    "NegativeSamplingLoss",
    "SigmoidWithLoss",
    "SkipGram",
    "Trainer",
    "UnigramSampler",
    "analogy",
    "config",
    "cos_similarity",
    "create_contexts_target",
    "load_params",
    "load_textbook_pickle",
    "most_similar",
    "preprocess",
    "ptb",
    "save_params",
    "to_cpu",
    "to_gpu",
]


class _Config:
    """The book's switch between NumPy and CuPy, which here is off for good: arrays decide."""

    @property
    def GPU(self) -> bool:  # noqa: N802  the book's name
        """Always False."""
        return False

    @GPU.setter
    def GPU(self, value: bool) -> None:  # noqa: N802
        if value:
            raise AttributeError(
                "there is no global switch: a model lives where its corpus does. For a GPU write "
                "corpus, contexts, target = to_gpu(corpus), to_gpu(contexts), to_gpu(target)"
            )


config = _Config()
ptb = SimpleNamespace(load_data=load_ptb)
