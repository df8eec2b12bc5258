"""The reported loss: its unit, that it falls as a held-out loss falls, and that divergence is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.engines import cpu, eager, reference
from fastw2v.engines.base import Tables
from fastw2v.nn import SGD
from tests.engines.cases import corpus_of, train

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = [pytest.param(cpu, marks=needs_numba), eager, reference]
TOPICS, WORDS, LENGTH, WINDOW, K = 20, 100, 20, 4, 5
V = (1 + TOPICS) * WORDS


def sentences(n: int, seed: int) -> np.ndarray:
    """Return sentences of words that either belong to the topic of the sentence or to none, shape (n, LENGTH)."""
    random = np.random.default_rng(seed)
    word = np.minimum(random.zipf(1.3, (n, LENGTH)) - 1, WORDS - 1)
    topic = random.integers(1, 1 + TOPICS, (n, 1)) * (random.random((n, LENGTH)) < 0.6)
    return (topic * WORDS + word).astype(np.int32)


def start(D: int = 20) -> Tables:
    """Return tables with the initial weights of training."""
    W_in = (np.random.default_rng(1).random((V, D)) - 0.5) / D
    return Tables(W_in.astype(np.float32), np.zeros((V, D), np.float32))


def held_out_loss(tables: Tables, ids: np.ndarray, counts: np.ndarray, model: str) -> float:
    """Return the mean loss per prediction, with the expectation over the noise distribution instead of negatives."""
    W_in, W_out = (W.astype(np.float64) for W in tables)
    noise = counts**0.75 / (counts**0.75).sum()
    losses: list[np.ndarray] = []
    for t in range(LENGTH):
        contexts = [c for c in range(max(0, t - WINDOW), min(LENGTH, t + WINDOW + 1)) if c != t]
        h = W_in[ids[:, contexts]].mean(axis=1) if model == "cbow" else W_in[ids[:, t]]
        negatives = K * np.logaddexp(0, h @ W_out.T) @ noise
        positives = [t] if model == "cbow" else contexts
        losses += [np.logaddexp(0, -(h * W_out[ids[:, p]]).sum(axis=1)) + negatives for p in positives]
    return float(np.mean(losses))


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("engine", [*ENGINES[:2], pytest.param(reference, marks=pytest.mark.slow)])
def test_the_loss_falls_as_the_held_out_loss_falls(engine, model):
    ids, others = sentences(600, seed=0), sentences(60, seed=1)
    corpus = corpus_of(ids.ravel(), np.arange(0, ids.size + 1, LENGTH), V)
    counts, tables = corpus.vocabulary.counts, start()
    rates = np.linspace({"cbow": 0.2, "skipgram": 0.05}[model], 1e-4, 5)
    reported, held_out = [], [held_out_loss(tables, others, counts, model)]
    for epoch in range(4):
        settings = {"alpha": rates[epoch], "min_alpha": rates[epoch + 1], "seed": epoch + 1, "window": WINDOW}
        settings |= {"negative": K, "sample": 0, "shrink_windows": False, "epochs": 1}
        settings |= {"pool_tokens": 256, "pool_size": 32}  # the next pool shares few sentences with this one
        reported.extend(train(engine, tables, corpus, model=model, **settings))
        held_out.append(held_out_loss(tables, others, counts, model))
    assert held_out[1] > held_out[2] > held_out[3] > held_out[4]
    assert reported[0] > reported[1] > reported[2] > reported[3]
    for epoch in (1, 2, 3):
        assert reported[epoch] == pytest.approx((held_out[epoch] + held_out[epoch + 1]) / 2, rel=0.15)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("negative", [1, 5])
def test_the_first_loss_is_that_of_a_prediction_with_its_negatives(engine, model, negative):
    # Words are equally frequent, so few negatives are positives, which cost nothing.
    ids = np.random.default_rng(0).integers(0, V, 3000).astype(np.int32)
    corpus = corpus_of(ids, np.arange(0, 3001, 20), V)
    loss = train(engine, start(), corpus, model=model, negative=negative, alpha=1e-6, min_alpha=1e-7, epochs=2)
    np.testing.assert_allclose(loss, (1 + negative) * np.log(2), rtol=0.01)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_corpus_shorter_than_a_tile_and_sentences_without_contexts(engine, model):
    seen = []
    corpus = corpus_of(np.array([3, 1, 2, 3], np.int32), [0, 0, 1, 3, 4, 4], V)  # only 1 and 2 share a sentence
    settings = {"model": model, "sample": 0, "alpha": 1e-6, "min_alpha": 1e-7, "epochs": 2, "negative": 1}
    loss = train(engine, start(), corpus, **settings, on_progress=lambda *state: seen.append(state))
    # All words are frequent, so some negatives are positives, which cost nothing.
    assert (loss >= np.log(2) * (1 - 1e-6)).all()
    assert (loss <= 2 * np.log(2) * (1 + 1e-6)).all()
    assert seen
    alone = corpus_of(np.array([3, 1], np.int32), [0, 1, 2], V)  # nothing can be trained
    assert np.isnan(train(engine, start(), alone, **settings)).tolist() == [True, True]


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("engine", [pytest.param(cpu, marks=needs_numba), eager])
def test_weights_that_diverge_after_the_last_measured_prediction_are_noticed(engine, model, monkeypatch):
    monkeypatch.setattr(eager, "SGD", lambda lr, max_row_norm: SGD(lr))  # the layers engine would bound the step
    corpus = corpus_of(np.arange(8, dtype=np.int32), [0, 8], V)  # one pool, whose first tile is measured, and one batch
    tables = start()
    tables.W_in[...] = 1e37  # while W_out is zero, the loss is finite, but the steps of W_out are infinite
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(FloatingPointError, match=r"the trained weights contain .* a lower alpha"),
    ):
        train(engine, tables, corpus, model=model, alpha=100, min_alpha=100, epochs=1, sample=0)
