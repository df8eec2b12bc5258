"""Producers of errors in the section "Pretrained and frozen vectors"."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v import WordVectors
from fastw2v.corpus.subwords import NGrams, Subwords
from tests.errors.common import SENTENCES, Producer, model, trained, vectors


def fit(**parameters: Any) -> None:
    """Train with parameters that mypy would refuse."""
    model().fit(SENTENCES, **parameters)


def of(*words: Any, value: float = 1.0) -> WordVectors:
    return WordVectors(list(words), np.full((len(words), 4), value, np.float32))


def with_ngrams(value: float = 1.0) -> WordVectors:
    """Return vectors of "the" and "cat" with n-grams of 3 to 6 characters."""
    words = ["the", "cat"]
    subwords = Subwords(words, NGrams(3, 6, 2_000_000))
    rows = np.ones((subwords.n_rows, 4), np.float32)
    rows[2:] = value
    return WordVectors(words, None, input_vectors=rows, subwords=subwords)


def fit_with_ngrams(**parameters: Any) -> None:
    model(subwords=(3, 6), **parameters.pop("settings", {})).fit(SENTENCES, **parameters)


PRODUCERS: dict[str, list[Producer]] = {
    "init has vectors of words alone, and with hash_count, words have no rows of their own. Omit hash_count, or use an init with the same subwords": [
        lambda: fit_with_ngrams(init=of("the"), settings={"hash_count": 2}),
    ],
    "init has vectors so large that the rows of n-grams overflow; scale the vectors down": [
        lambda: fit_with_ngrams(init=of("the", "cat", value=3e38)),
    ],
    "init has …, but … are set. Set those of init": [
        lambda: fit_with_ngrams(init=with_ngrams(), settings={"bucket": 1000}),
    ],
    "init has n-grams whose rows contain infinite or NaN values; use other vectors": [
        lambda: fit_with_ngrams(init=with_ngrams(float("nan"))),
    ],
    "init is …; pass WordVectors, for example from WordVectors.load(path)": [
        lambda: fit(init="a.bin"),
    ],
    "init has vectors of …, but vector_size is …; set vector_size=…": [
        lambda: fit(init=vectors(8)),
    ],
    "init has no vector for any of the vocabulary's … words. The vocabulary's most frequent word is …, and init's first word is …. …": [
        lambda: fit(init=of("THE")),
        lambda: fit(init=of(7)),
    ],
    "init's vector of … contains infinite or NaN values; remove the word": [
        lambda: fit(init=of("the", value=float("nan"))),
    ],
    "freeze is …; it must be a list of words, or 'init'": [
        lambda: fit(freeze="cat"),
    ],
    "freeze is 'init', but there are no initial vectors; set init, or freeze a list of words": [
        lambda: fit(freeze="init"),
    ],
    "freeze is 'init', which only fit supports; pass a list of words": [
        lambda: trained().train(SENTENCES, freeze="init"),
    ],
    "freeze contains no word; omit it to train all words": [
        lambda: fit(freeze=[]),
    ],
    "freeze contains … that the vocabulary of … words does not have: …. Remove them from the list. Words rarer than min_count are not in the vocabulary": [
        lambda: fit(freeze=["unheard-of"]),
    ],
    "freeze contains all … words of the vocabulary, so nothing can be trained; freeze fewer words": [
        lambda: fit(freeze=["the", "cat", "sat", "down", "dog", "ran", "away"]),
    ],
    "freeze is 'init', and init contains all … words of the vocabulary, so nothing can be trained; freeze fewer words": [
        lambda: fit(init=of("the", "cat", "sat", "down", "dog", "ran", "away"), freeze="init"),
    ],
}
