"""Pauses between the steps of a run, and runs that continue from a pause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.config import CHUNK_TOKENS
from fastw2v.engines import cpu, eager
from fastw2v.engines.base import Tables
from tests.engines.cases import StopAtPause, copies, random_tables, train, zipf_corpus

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = [eager, pytest.param(cpu, marks=needs_numba)]
V, D = 300, 12


def start(engine: Any, own: bool) -> Tables:
    """Return tables, which the engine trains in place if they are its own and as a copy otherwise."""
    tables = engine.allocate((V, D), "cpu")
    for W, filled in zip(tables, random_tables(V, D, np.float32, scale=0.1), strict=True):
        W[...] = filled
    return tables if own else copies(tables)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("own", [True, False])
def test_a_run_continues_from_every_pause(engine: Any, model: str, own: bool) -> None:
    corpus = zipf_corpus(V, 3 * CHUNK_TOKENS, 40)
    settings = {"model": model, "epochs": 2, "alpha": 0.05, "window": 3, "sample": 1e-2}
    expected = start(engine, own)
    losses = train(engine, expected, corpus, **settings)
    paused = start(engine, own)
    pauses = StopAtPause(paused, 1000)
    np.testing.assert_array_equal(train(engine, paused, corpus, pauses=pauses, **settings), losses)
    for ours, theirs in zip(paused, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    words = list(pauses.words)
    assert len(words) > 5
    assert words == sorted(words)
    assert len(corpus) in words  # the end of the first epoch
    for which in range(0, len(words), max(1, len(words) // 4)):
        tables = start(engine, own)
        pauses = StopAtPause(tables, which)
        with pytest.raises(KeyboardInterrupt):
            train(engine, tables, corpus, pauses=pauses, **settings)
        assert pauses.words == words[: which + 1]
        tables = start(engine, own)
        for W, kept in zip(tables, pauses.kept, strict=True):
            W[...] = kept
        seen: list[int] = []
        again = train(
            engine,
            tables,
            corpus,
            state=pauses.state,
            on_progress=lambda done, loss, rate, seen=seen: seen.append(done),
            **settings,
        )
        np.testing.assert_array_equal(again, losses)
        for ours, theirs in zip(tables, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert pauses.state.words == 2 * len(corpus)
        assert all(done > words[which] for done in seen)


@needs_numba
def test_threads_stand_still_during_a_pause() -> None:
    corpus = zipf_corpus(V, 12 * CHUNK_TOKENS, 40)
    tables = start(cpu, own=True)

    class Watch(StopAtPause):
        def run(self, state: Any) -> None:
            super().run(state)
            for _ in range(20):
                for W, kept in zip(self.tables, self.kept, strict=True):
                    np.testing.assert_array_equal(W, kept)

    pauses = Watch(tables, 1000)
    losses = train(cpu, tables, corpus, epochs=3, alpha=0.05, workers=4, pauses=pauses)
    assert len(pauses.words) == len(set(pauses.words)) >= 36
    assert np.isfinite(losses).all()


@needs_numba
def test_an_error_in_a_thread_during_a_pause_reaches_the_caller() -> None:
    corpus = zipf_corpus(V, 6 * CHUNK_TOKENS, 40)
    tables = start(cpu, own=True)
    tables.W_in[5] = np.nan
    with pytest.raises(FloatingPointError, match="nan in epoch 1"):
        train(cpu, tables, corpus, epochs=3, workers=3, pauses=StopAtPause(tables, 1000))
