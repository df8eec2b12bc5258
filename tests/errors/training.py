"""Producers of errors in the section "Training"."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.distributed.combine import Changes, combine
from fastw2v.utils.loss import require_finite_weights
from tests.errors.common import SENTENCES, Producer, corpus, model, trained, vectors, write


def diverged() -> None:
    large = WordVectors(corpus().vocabulary.words, np.full((7, 4), 1e30, np.float32))
    with np.errstate(all="ignore"):
        model(seed=1).fit(SENTENCES, init=WordVectors(large.index_to_key, large.vectors, context_vectors=large.vectors))


def replace_matrix(event: str, model: Any) -> None:
    if event == "epoch_end":
        model.wv = vectors(4, context_vectors=np.zeros((4, 4), np.float32))


def remove_matrix(event: str, model: Any) -> None:
    if event == "epoch_begin":
        model.wv.context_vectors = None


def in_a_callback(method: str, *arguments: Any, **settings: Any) -> None:
    """Call a method of a model at the end of its first epoch."""

    def callback(event: str, model: Any) -> None:
        if event == "epoch_end":
            getattr(model, method)(*arguments, **settings)

    model(callbacks=[callback]).fit(SENTENCES)


class WithEvents:
    """A callback that names an event that does not exist."""

    events = ("epoch",)

    def __call__(self, event: str, model: Any) -> None: ...


def with_vectors_only() -> Word2Vec:
    """Return a model without context vectors."""
    one = model().fit(SENTENCES)
    one.wv.context_vectors = None
    return one


def without_seed(path: str) -> None:
    """Rename a setting in a file."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content.replace(b"seed", b"SEED"))


def replicas_diverged() -> None:
    changes = Changes(np.array([0]), np.array([[1.0, np.inf]]))
    combine([changes, changes])


def other_parts() -> None:
    write("corpus.txt", "the cat sat down\n" * 20)
    with model().connect(2, ray="in-process") as two, model().connect(3, ray="in-process") as three:
        model().fit(two.read_text("corpus.txt"), ray=three)


def without_connection() -> None:
    write("corpus.txt", "the cat sat down\n" * 20)
    with model().connect(2, ray="in-process") as connection:
        text = connection.read_text("corpus.txt")
    model().fit(text)


PRODUCERS: dict[str, list[Producer]] = {
    "the changes of the weights contain infinity or NaN; training has diverged. Train again with a lower alpha": [
        replicas_diverged,
    ],
    "the text was divided among …, but there are …; read it with the connection that trains": [
        other_parts,
    ],
    "the corpus is on a cluster, so only replicas can train on it; pass the connection that has read it as ray": [
        without_connection,
    ],
    "the model has no vocabulary yet, so it has no attribute …. Call fit() or build_vocab() first": [
        lambda: model().wv,
    ],
    "… object has no attribute …": [
        lambda: model().most_similar,
    ],
    "the model is being trained, so a callback or another thread cannot train it or change its vocabulary. Use another model, or wait until the training ends": [
        lambda: in_a_callback("fit", SENTENCES),
        lambda: in_a_callback("train", SENTENCES),
        lambda: in_a_callback("build_vocab", SENTENCES),
        lambda: in_a_callback("build_vocab", SENTENCES, update=True),
    ],
    "the vocabulary has only one word, …, and training needs at least two. …": [
        lambda: model().fit([["the"] * 9]),
        lambda: model(min_count=5).fit([["the"] * 9 + ["cat"]]),
        lambda: model(max_vocab=1).fit(SENTENCES),
    ],
    "nothing can be trained, because no word has a neighbour: each of the … sentences has one word. Put the words of a sentence in one list, or on one line of a text. Words rarer than min_count, or not in the vocabulary, do not count": [
        lambda: model().fit([["the"], ["cat"]] * 9),
        lambda: model().estimate([["the"], ["cat"]] * 9),
    ],
    "the loss is … in …; training has diverged. Train again with …": [
        diverged,
    ],
    "the trained weights contain infinity or NaN; training has diverged. Train again with …": [
        lambda: require_finite_weights([np.array([[np.inf]])], "a lower alpha"),
    ],
    "a callback has replaced a matrix of shape … by …; the vocabulary and the dimensions cannot change during training": [
        lambda: model(callbacks=[replace_matrix]).fit(SENTENCES),
        lambda: model(callbacks=[remove_matrix]).fit(SENTENCES),
    ],
    "callbacks contains …, whose events are …; they must be a list of …": [
        lambda: model(callbacks=[WithEvents()]),
    ],
    "training cannot continue, because the vectors have no output matrix or no word counts. Load a model written by Word2Vec.save, or call fit()": [
        lambda: with_vectors_only().train(SENTENCES),
    ],
    "the output matrix of the model is that of …, but now … is set. Set … to continue training, or call fit()": [
        lambda: model().fit(SENTENCES).set_params(loss="hs").train(SENTENCES),
        lambda: model(loss="hs+ns").fit(SENTENCES).set_params(loss="ns").build_vocab(SENTENCES, update=True),
    ],
    "the model has …, but … are set. Set those of the model to continue training, or call fit()": [
        lambda: model(subwords=(3, 6), bucket=100).fit(SENTENCES).set_params(bucket=99).train(SENTENCES),
        lambda: model().fit(SENTENCES).set_params(subwords=(3, 6)).build_vocab(SENTENCES, update=True),
    ],
    "vector_size is …, but the model has vectors of …. Set vector_size=… to continue training, or call fit()": [
        lambda: model().fit(SENTENCES).set_params(vector_size=8).train(SENTENCES),
    ],
    "the vocabulary of the corpus differs from that of the model. Pass the sentences themselves, or encode them with counts=Vocabulary(model.wv.index_to_key, model.wv.counts)": [
        lambda: trained().train(Corpus.from_sentences([["cat", "sat"]], min_count=1)),
    ],
    "… contains vectors, not a model. Read it with WordVectors.load": [
        lambda: (vectors().save("a.bin"), Word2Vec.load("a.bin")),
        lambda: (vectors().save("a.safetensors"), Word2Vec.load("a.safetensors")),
    ],
    "… is damaged: its settings are not those of a model; save it again": [
        lambda: (trained().save("a.safetensors"), without_seed("a.safetensors"), Word2Vec.load("a.safetensors")),
    ],
    "… is a pickle, probably written by gensim. Read its vectors with WordVectors.load(path, format='gensim')": [
        lambda: Word2Vec.load(write("a.model", pickle.dumps({"vectors": 1}))),
    ],
}
