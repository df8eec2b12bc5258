"""The default settings on small corpora of any shape: sound vectors, little memory, and plain neighbours.

The default learning rate and subsampling threshold depend on the corpus. `docs/notebook/defaults.md` has the
experiments behind them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.config import TrainingConfig

TRAINED_WORDS = {"fused": 300_000, "layers": 60_000}
"""Words that an example of the quick test may train over all epochs."""


def topics(groups: int, items: int, tokens: int, lengths: tuple[int, int], purity: float, seed: int) -> list[list[str]]:
    """Return sentences whose words mostly come from one group; word i belongs to group ``i // items``."""
    rng = np.random.default_rng(seed)
    sentences = []
    while tokens > 0:
        length = min(int(rng.integers(*lengths)), tokens)
        group = np.where(rng.random(length) < purity, rng.integers(groups), rng.integers(groups, size=length))
        sentences.append([str(i) for i in group * items + rng.integers(items, size=length)])
        tokens -= length
    return sentences


def share_of_neighbours_in_group(wv: WordVectors, items: int) -> float:
    """Return the share of the nearest words, up to five, that are in the group of their word."""
    return share_in_group(wv.index_to_key, wv.vectors, items)


def share_in_group(words: Sequence[str], vectors: np.ndarray, items: int) -> float:
    group = np.array([int(word) // items for word in words])
    unit = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, : min(5, items - 1)]
    return float((group[nearest] == group[:, None]).mean())


def ppmi(corpus: Corpus, window: int) -> np.ndarray:
    """Return the positive pointwise mutual information of all pairs of words within a window."""
    V = len(corpus.vocabulary)
    counts = np.zeros((V, V))
    sentence = np.repeat(np.arange(corpus.n_sentences), np.diff(corpus.offsets))
    for distance in range(1, min(window, int(np.diff(corpus.offsets).max()) - 1) + 1):
        same = sentence[distance:] == sentence[:-distance]
        np.add.at(counts, (corpus.ids[distance:][same], corpus.ids[:-distance][same]), 1)
    counts += counts.T
    share = counts.sum(axis=1)
    return np.log(np.maximum(counts * counts.sum() / np.maximum(np.outer(share, share), 1e-9), 1))


def peak_memory() -> int | None:
    """Return the highest resident memory of the process since the last call, in bytes, or None if it is unknown."""
    status, refs = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not sys.platform.startswith("linux") or not os.access(refs, os.W_OK):
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    refs.write_text("5")  # resets VmHWM
    return int(line.split()[1]) * 1024


def powers(highest: int) -> st.SearchStrategy[int]:
    """Return integers from 1 to `highest`, in which each order of magnitude is as likely as any other."""
    return st.floats(0, float(np.log(highest))).map(lambda x: min(highest, round(float(np.exp(x)))))


corpora = {
    "model": st.sampled_from(["cbow", "skipgram"]),
    "groups": st.integers(1, 10),
    "items": st.integers(2, 50),
    "tokens": powers(5_000).map(lambda n: 10 * n),
    "longest": powers(600).map(lambda n: n + 1),
    "window": powers(1_000_000_000),
    "epochs": powers(300),
    "seed": st.integers(0, 99),
}


def check(engine, model, groups, items, tokens, longest, window, epochs, seed):
    """Train with the defaults. Check the vectors, the memory and, where the structure is plain, the neighbours."""
    tokens = min(tokens, max(10, TRAINED_WORDS[engine] // epochs))
    if engine == "layers" or model == "skipgram":  # the time is proportional to the number of contexts
        longest = min(longest, 60)
    sentences = topics(groups, items, tokens, (2, longest + 2), 0.9, seed)
    corpus = Corpus.from_sentences(sentences, min_count=1)
    if len(corpus.vocabulary) < 2:
        return
    peak_memory()
    before = peak_memory()
    model = Word2Vec(model=model, window=window, epochs=epochs, vector_size=50, min_count=1, workers=1, engine=engine)
    model.fit(corpus)
    after = peak_memory()
    assert np.isfinite(model.wv.vectors).all()
    assert np.isfinite(model.wv.context_vectors).all()
    assert np.abs(model.wv.vectors).max() < 100
    if before is not None:
        assert after - before < 300 * 2**20
    # The structure is plain if the counts of pairs show it, and if each word is trained often enough.
    is_plain = epochs * np.median(corpus.vocabulary.counts) > 150 and len(corpus.vocabulary) >= 10
    if groups > 1 and is_plain and share_in_group(corpus.vocabulary.words, ppmi(corpus, window), items) > 0.98:
        assert share_of_neighbours_in_group(model.wv, items) > 0.9


@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_defaults_suit_any_small_corpus(engine):
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(**corpora)
    @example("cbow", 10, 20, 4_000, 14, 5, 75, 0)
    @example("skipgram", 20, 25, 50_000, 7, 1_000_000_000, 5, 0)
    @example("cbow", 2, 2, 400, 10, 1_000_000_000, 5, 0)
    def run(model, groups, items, tokens, longest, window, epochs, seed):
        check(engine, model, groups, items, tokens, longest, window, epochs, seed)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_defaults_suit_many_small_corpora(engine, monkeypatch):
    monkeypatch.setitem(TRAINED_WORDS, engine, 10 * TRAINED_WORDS[engine])

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(**corpora)
    def run(**parameters):
        check(engine, **parameters)

    run()


@pytest.mark.parametrize("engine", ["fused", "layers"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_many_epochs_are_as_good_as_few(model, engine):
    """At a fixed rate of 0.2, CBOW reaches 1.00, 0.95, 0.64 and 0.43 with 5, 20, 50 and 200 epochs."""
    sentences = topics(10, 20, 4_000, (5, 15), 0.85, seed=0)
    for epochs in (10, 20, 50, 150) if engine == "fused" else (10, 20, 40):
        vectors = Word2Vec(model=model, vector_size=50, min_count=1, epochs=epochs, workers=1, engine=engine)
        assert share_of_neighbours_in_group(vectors.fit(sentences).wv, 20) > 0.97, epochs


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_a_window_wider_than_the_baskets_is_the_whole_basket(model):
    baskets = topics(20, 30, 60_000, (3, 9), 0.9, seed=0)
    for window in (8, 100, 10_000, 1_000_000_000):
        vectors = Word2Vec(model=model, vector_size=32, window=window, min_count=1, workers=1).fit(baskets).wv
        assert share_of_neighbours_in_group(vectors, 30) > 0.97, window


def test_whole_documents_as_windows():
    """At the rate for narrow windows, CBOW finds the groups of 52% of the neighbours."""
    documents = topics(10, 20, 50_000, (500, 501), 0.8, seed=0)
    for window in (50, 1_000_000_000):
        vectors = Word2Vec(vector_size=50, window=window, min_count=1, workers=1).fit(documents).wv
        assert share_of_neighbours_in_group(vectors, 20) > 0.97, window


def test_defaults_of_a_large_text_are_those_without_a_corpus():
    """Words by Zipf's law in long sentences, of which most are rare."""
    ids = np.minimum(np.random.default_rng(0).zipf(1.5, 200_000) - 1, 5_000)
    words = [str(i) for i in ids]
    corpus = Corpus.from_sentences([words[i : i + 25] for i in range(0, len(words), 25)], min_count=1)
    for model in ("cbow", "skipgram"):
        estimator = Word2Vec(model=model)
        assert estimator.config(corpus) == estimator.config() == TrainingConfig(model=model)


def test_settings_that_are_given_are_kept():
    corpus = Corpus.from_sentences([["a", "b", "c"]] * 20, min_count=1)
    model = Word2Vec(model="skipgram", alpha=0.03, sample=1e-3, window=40, epochs=200)
    assert (model.config(corpus).alpha, model.config(corpus).sample) == (0.03, 1e-3)
    default = Word2Vec(model="skipgram", window=40, epochs=200).config(corpus)
    assert default.sample == pytest.approx(1 / 3)
    assert default.alpha == pytest.approx(0.06 * 80 / (200 * 20**0.5))
