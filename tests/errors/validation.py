"""Producers of errors in the section "Validation and logs"."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v import Corpus, Word2Vec
from fastw2v.config import TrainingConfig
from fastw2v.engines import eager
from fastw2v.engines.base import Tables
from fastw2v.validation import held_out_loss
from tests.errors.common import SENTENCES, Producer, corpus, model, write


def fit(**parameters: Any) -> None:
    """Train with parameters that mypy would refuse."""
    model().fit(SENTENCES, **parameters)


def started() -> str:
    """Start a run without held-out text, and return its folder."""
    fit(checkpoint="run")
    return "run"


def started_with_a_share() -> str:
    fit(checkpoint="run", validation=0.5)
    return "run"


def diverged() -> None:
    tables = Tables(np.full((7, 4), np.nan, np.float32), np.zeros((7, 4), np.float32))
    config = TrainingConfig(vector_size=4, sample=0)
    held_out_loss(eager, tables, corpus(), config, seed=1, workers=1)


def share_of_a_text_on_a_cluster() -> None:
    write("corpus.txt", "the cat sat down\n" * 20)
    with model().connect(2, ray="in-process") as connection:
        model().fit(connection.read_text("corpus.txt"), ray=connection, validation=0.5)


PRODUCERS: dict[str, list[Producer]] = {
    "validation cannot be used: no sentences can be held out of a text that a cluster reads; pass the path of another text": [
        share_of_a_text_on_a_cluster,
    ],
    "validation is …; it must be a share of the sentences such as 0.01, or held-out text: a path, a Corpus or token lists": [
        lambda: fit(validation=1),
    ],
    "validation is …; a share of the sentences must lie between 0 and 1, without 0 and 1": [
        lambda: fit(validation=1.0),
    ],
    "patience is …, but it has no effect without validation; set validation as well": [
        lambda: fit(patience=3),
    ],
    "with a share of …, no sentence of the corpus is …; choose another share, or pass held-out sentences of your own": [
        lambda: corpus().split(1.0),
    ],
    "validation cannot be used: with a share of …, no sentence of the corpus is …; choose another share, or pass held-out sentences of your own": [
        lambda: fit(validation=1e-9),
    ],
    "validation cannot be used: nothing can be trained, because no word has a neighbour: each of the … sentences has one word. …": [
        lambda: fit(validation=[["the"]]),
    ],
    "validation cannot be used: no word of the corpus is in the vocabulary of … words, whose first word is …, so nothing can be trained": [
        lambda: fit(validation=[["quince", "quince"]]),
    ],
    "validation cannot be used: its vocabulary differs from that of the corpus. Pass its path or its sentences, or encode it with counts=corpus.vocabulary and min_count=0": [
        lambda: fit(validation=Corpus.from_ids([0, 1])),
    ],
    "validation cannot be used: …": [
        lambda: fit(validation="missing.txt"),
    ],
    "validation is …, but the run has no held-out text; omit it": [
        lambda: Word2Vec.resume(started(), validation=0.1),
    ],
    "validation is …, but the run was started with …; pass the same value, or omit it": [
        lambda: Word2Vec.resume(started_with_a_share(), validation=SENTENCES),
    ],
    "the loss on the held-out corpus cannot be measured, because subsampling with sample=… drops nearly all of its … words. Hold out more sentences, or set sample=0": [
        lambda: model(sample=1e-9).fit([["a", "b", "c"]] * 500, validation=0.01),
    ],
    "on the held-out corpus, the loss is … in …; training has diverged. Train again with …": [
        diverged,
    ],
    "… exists, but is not a training log, because it contains …; choose another name": [
        lambda: fit(log=write("a.txt", "the cat\n")),
    ],
}
