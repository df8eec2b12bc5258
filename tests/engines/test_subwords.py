"""Training with subwords: the CPU engine compared with the reference, and the reference with a dense gradient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("numba", reason="the fused CPU engine needs Numba")

from fastw2v.config import output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import cpu, reference
from fastw2v.engines.base import Tables
from tests.corpus.test_hangul import in_letters
from tests.engines.cases import copies, train, zipf_corpus

CASES = {
    "defaults": ((200, 100, 1500, 30), {"sample": 0.01}),
    "few buckets": ((60, 24, 600, 30), {"bucket": 20, "alpha": 0.01}),
    "one bucket": ((30, 8, 300, 30), {"bucket": 1, "alpha": 0.005}),
    "odd": ((50, 129, 500, 17), {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3, "epochs": 1}),
    "classic": ((40, 7, 300, 9), {"tile": 1, "pool_tokens": 1, "pool_size": 6, "epochs": 1}),
    "one word": ((1, 16, 16, 5), {"window": 10}),
    "wide window": ((30, 20, 300, 6), {"window": 40}),
    "several chunks": ((200, 12, 9000, 40), {"sample": 1e-3, "window": 2, "epochs": 1}),
    "long n-grams": ((60, 33, 400, 40), {"subwords": (5, 9), "window": 8, "shrink_windows": False}),
    "damped": ((120, 40, 600, 30), {"concurrency": 50, "alpha": 0.2}),
    "floret": ((60, 20, 600, 30), {"bucket": 50, "hash_count": 2, "alpha": 0.01}),
    "long steps": ((9, 30, 200, 500), {"alpha": 0.5, "pool_tokens": 256, "pool_size": 32, "epochs": 1}),
}


def corpus_of_words(V: int, n: int, longest: int) -> Corpus:
    """Return a corpus by Zipf's law whose words are random strings of some syllables, so they share n-grams."""
    random = np.random.default_rng(1)
    syllables = np.array(["ka", "to", "mi", "ra", "é", "은", "ssa"])
    words = dict.fromkeys("".join(random.choice(syllables, size)) for size in random.integers(1, 6, 40 * V))
    corpus = zipf_corpus(V, n, longest)
    return Corpus(corpus.ids, corpus.offsets, Vocabulary(list(words)[:V], corpus.vocabulary.counts))


def subwords_of(
    corpus: Corpus, subwords: tuple[int, int] = (3, 6), bucket: int = 2_000_000, hash_count: int | None = None
) -> Subwords:
    return Subwords(corpus.vocabulary.words, NGrams(*subwords, bucket, hash_count))


def tables_for(subwords: Subwords, D: int, dtype, loss: str = "ns") -> Tables:
    """Return tables of normal numbers."""
    random = np.random.default_rng(0)
    V, R = subwords.n_words, subwords.n_rows
    return Tables(*((random.standard_normal((n, D)) * 0.5).astype(dtype) for n in (R, output_rows(loss, V))))


QUICK = {"few buckets", "one word", "wide window", "floret"}
"""Cases that are run with hierarchical softmax by default, too."""


def is_slow(case: str, dtype: type, loss: str) -> bool:
    """Return whether a case is run only with the slow tests. float64 separates mistakes from rounding."""
    return (dtype == np.float32 and case != "defaults") or (loss != "ns" and case not in QUICK)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "dtype", "loss"),
    [
        pytest.param(*values, marks=pytest.mark.slow if is_slow(*values) else [])
        for values in itertools.product(CASES, [np.float64, np.float32], ["ns", "hs", "hs+ns"])
    ],
)
def test_one_worker_equals_the_reference(case, dtype, model, loss):
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    corpus = corpus_of_words(V, n, longest)
    ngrams = {name: settings.pop(name) for name in ("subwords", "bucket", "hash_count") if name in settings}
    subwords = subwords_of(corpus, **ngrams)
    start = tables_for(subwords, D, dtype, loss)
    ours, theirs = copies(start), copies(start)
    expected = train(
        reference, theirs, corpus, private=True, loss=loss, output_weight=0.0, subwords=subwords, **settings
    )
    actual = train(cpu, ours, corpus, loss=loss, output_weight=0.0, subwords=subwords, **settings)
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(actual, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3 or (V == 1 and loss == "hs")  # one word has no inner nodes
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("loss", "settings"), [("ns", {}), ("ns", {"concurrency": 50, "alpha": 0.2}), ("hs", {})])
@pytest.mark.parametrize("ngrams", [{}, {"bucket": 700, "hash_count": 2}], ids=["fastText", "floret"])
def test_frozen_rows_keep_their_bytes(ngrams, loss, settings, dtype, model):
    """Words are frozen with the rows of their n-grams, so words that share an n-gram are trained without it."""
    V, n = 100, 1200
    corpus = corpus_of_words(V, n, 30)
    subwords = subwords_of(corpus, **ngrams)
    start = tables_for(subwords, 20, dtype, loss)
    for W in start:
        W[::3, :10] = -0.0
    frozen = np.arange(V) % 7 == 0
    frozen_rows = sorted({row for word in np.flatnonzero(frozen) for row in subwords.rows_of_word(word).tolist()})
    occurring = np.flatnonzero(~frozen & (corpus.vocabulary.counts > 0))
    learning = np.setdiff1d(np.concatenate([subwords.rows_of_word(word) for word in occurring]), frozen_rows)
    assert len(learning) > 100
    shared = sum(len(np.intersect1d(subwords.rows_of_word(word), frozen_rows)) > 0 for word in np.flatnonzero(~frozen))
    assert shared > 20
    ours, theirs = copies(start), copies(start)
    settings = {"model": model, "epochs": 2, "alpha": 0.05, "min_alpha": 0, "sample": 0, "loss": loss} | settings
    rest = {"output_weight": 0.0, "subwords": subwords, "frozen": frozen}
    expected = train(reference, theirs, corpus, private=True, **settings, **rest)
    actual = train(cpu, ours, corpus, **settings, **rest)
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(actual, expected, rtol=tolerance)
    for W, E in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)
    for tables in (ours, theirs):
        assert tables.W_in[frozen_rows].tobytes() == start.W_in[frozen_rows].tobytes()
        assert (tables.W_in != start.W_in)[learning].any(axis=1).all()
        if loss == "ns":
            assert tables.W_out[frozen].tobytes() == start.W_out[frozen].tobytes()


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_ngrams_of_jamo_are_those_of_decomposed_words(model):
    """The CPU engine with `units="jamo"`, and the reference with the n-grams of words decomposed by hand."""
    n, random = 600, np.random.default_rng(2)
    words = dict.fromkeys(
        "".join(random.choice(list("가각나는다닭먹었의"), size)) for size in random.integers(1, 5, 400)
    )
    corpus = zipf_corpus(60, n, 30)
    corpus = Corpus(corpus.ids, corpus.offsets, Vocabulary(list(words)[:60], corpus.vocabulary.counts))
    ngrams = NGrams(3, 6, 2_000_000, units="jamo")
    ours = Subwords(corpus.vocabulary.words, ngrams)
    by_hand = Subwords(list(map(in_letters, corpus.vocabulary.words)), NGrams(*ngrams[:3]))
    start = tables_for(ours, 20, np.float64)
    tables, expected = copies(start), copies(start)
    settings = {"model": model, "epochs": 2, "alpha": 0.05, "sample": 0, "output_weight": 0.0}
    losses = train(cpu, tables, corpus, subwords=ours, **settings)
    np.testing.assert_allclose(losses, train(reference, expected, corpus, subwords=by_hand, **settings), rtol=1e-10)
    for W, E in zip(tables, expected, strict=True):
        np.testing.assert_allclose(W, E, rtol=0, atol=1e-10)


@pytest.mark.parametrize("loss", ["ns", "hs", "hs+ns"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("ngrams", [{}, {"bucket": 50}, {"bucket": 50, "hash_count": 2}], ids=str)
def test_two_workers(ngrams, model, loss):
    corpus = corpus_of_words(200, 20_000, 30)
    subwords = subwords_of(corpus, **ngrams)
    tables = tables_for(subwords, 16, np.float32, loss)
    settings = {"model": model, "epochs": 5, "alpha": 0.02, "sample": 0, "loss": loss}
    losses = train(cpu, tables, corpus, workers=2, output_weight=0.0, subwords=subwords, **settings)
    assert all(np.isfinite(W).all() for W in tables)
    assert losses.shape == (5,)
    assert losses[-1] < losses[0]
