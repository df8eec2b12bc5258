"""What the tests of engines share: small corpora, tables, and one call for every engine."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np

from fastw2v.config import TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import staleness
from fastw2v.engines.base import Tables, TrainingState


def corpus_of(ids: np.ndarray, offsets: Any, V: int) -> Corpus:
    """Return a corpus of word ids with a vocabulary of V words, some of which may not occur."""
    counts = np.bincount(ids, minlength=V)
    return Corpus(ids, np.asarray(offsets), Vocabulary([str(i) for i in range(V)], counts))


def zipf_corpus(V: int, n: int, longest: int, seed: int = 0) -> Corpus:
    """Return n words by Zipf's law in sentences of 0 to `longest` words."""
    random = np.random.default_rng(seed)
    ids = np.minimum(random.zipf(1.5, n) - 1, V - 1).astype(np.int32)
    ends = np.cumsum(random.integers(0, longest + 1, 4 * n // longest + 4))
    return corpus_of(ids, np.concatenate([[0], ends[ends < n], [n]]), V)


def random_tables(V: int, D: int, dtype: Any, seed: int = 0, scale: float = 0.5) -> Tables:
    """Return tables of normal numbers."""
    random = np.random.default_rng(seed)
    return Tables(*((random.standard_normal((V, D)) * scale).astype(dtype) for _ in range(2)))


def copies(tables: Tables) -> Tables:
    """Return copies of two tables."""
    return Tables(*(W.copy() for W in tables))


def config_for(tables: Tables, **settings: Any) -> TrainingConfig:
    """Return settings for tables; without a rate, the default one; with one, the balanced gradient all the same."""
    return TrainingConfig(vector_size=tables.W_in.shape[-1], **{"cbow_grad": "balanced"} | settings)


class StopAtPause:
    """Pauses before every step. They keep a copy of the tables, and raise an exception at one of them."""

    def __init__(self, tables: Tables, last: int) -> None:
        self.tables = tables
        self.last = last
        self.words: list[int] = []

    def due(self, words: int) -> bool:
        return True

    def next_words(self, words: int) -> int:
        return words + 1

    def run(self, state: TrainingState) -> None:
        self.words.append(state.words)
        self.kept = copies(self.tables)
        self.state = TrainingState(state.words, state.losses.copy(), state.predictions.copy())
        if len(self.words) > self.last:
            raise KeyboardInterrupt


def train(engine: Any, tables: Tables, corpus: Corpus, **settings: Any) -> np.ndarray:
    """Train by an engine; settings are those of `TrainingConfig` and the arguments of its `train`."""
    names = (
        "workers",
        "concurrency",
        "pool_sync_interval",
        "held",
        "private",
        "on_progress",
        "state",
        "pauses",
        "frozen",
        "subwords",
    )
    arguments = {name: settings.pop(name) for name in names if name in settings}
    least = 0 if "concurrency" in arguments else staleness.MIN_TOKENS  # private rows in small corpora, too
    with patch.object(staleness, "MIN_TOKENS", least):
        return engine.train(tables, corpus, config_for(tables, **settings), **arguments)
