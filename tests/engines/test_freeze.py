"""Frozen rows keep their bytes in every engine, and the other rows are trained as the reference specifies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.config import CHUNK_TOKENS
from fastw2v.engines import cpu, eager, reference
from fastw2v.engines.base import Tables
from fastw2v.kernels import word2vec_cuda
from tests.engines.cases import StopAtPause, copies, random_tables, train, zipf_corpus
from tests.engines.test_gpu import CASES as GPU_CASES
from tests.engines.test_gpu import emulate, needs_compiler
from tests.engines.test_gpu import folder as folder  # a fixture

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
fused = pytest.param(cpu, marks=needs_numba)
V, D = 120, 20


def start_tables(V: int, D: int, dtype: Any) -> Tables:
    """Return tables whose frozen rows have zeros of both signs and subnormal numbers, and no padding."""
    tables = random_tables(V, D, dtype)
    for W in tables:
        W[::3, : D // 2] = -0.0
        W[-1] = np.finfo(dtype).smallest_subnormal
        W[-1, : D // 2] *= -3
    return tables


def frozen_words(V: int) -> np.ndarray:
    """Return a mask with the first word, which is the most frequent, every third word and the last word."""
    frozen = np.arange(V) % 3 == 0
    frozen[-1] = True
    return frozen


def check_frozen_rows(tables: Tables, start: Tables, frozen: np.ndarray, occurs: np.ndarray) -> None:
    """Check that the frozen rows have the bytes of `start`, and that the rows of other words of the corpus do not."""
    for W, S in zip(tables, start, strict=True):
        assert np.asarray(W)[frozen].tobytes() == S[frozen].tobytes()
        assert (np.asarray(W) != S)[occurs & ~frozen].any(axis=1).all()


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("engine", "settings"),
    [
        (reference, {}),
        (reference, {"concurrency": 50, "pool_sync_interval": 3}),
        pytest.param(cpu, {}, marks=needs_numba),
        # The text is one chunk, so the workers train up to four epochs at once.
        pytest.param(cpu, {"workers": 4, "epochs": 8}, marks=needs_numba),
        (eager, {}),
        (eager, {"deterministic": True}),
    ],
)
def test_frozen_rows_keep_their_bytes(engine, settings, model, dtype):
    corpus = zipf_corpus(V, 1500, 30)
    start, frozen = start_tables(V, D, dtype), frozen_words(V)
    tables = copies(start)
    settings = {"model": model, "epochs": 2, "alpha": 0.1, "min_alpha": 0, "sample": 0} | settings
    losses = train(engine, tables, corpus, frozen=frozen, **settings)
    check_frozen_rows(tables, start, frozen, corpus.vocabulary.counts > 0)
    free = copies(start)
    expected = train(engine, free, corpus, **settings)
    for W, S in zip(free, start, strict=True):
        assert (W != S)[frozen & (corpus.vocabulary.counts > 0)].any(axis=1).all()
    assert np.isfinite(losses).all()
    assert losses[-1] > expected[-1]  # fewer rows learn


@needs_numba
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "settings",
    [
        {"concurrency": 1},
        {"concurrency": 50, "alpha": 0.2, "pool_tokens": 64},
        {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3},
        {"min_alpha": 0.0, "sample": 1e-2},
    ],
)
@pytest.mark.parametrize("which", ["third", "one", "all but one"])
def test_the_cpu_kernel_equals_the_reference(settings, which, model, dtype):
    n = 800
    corpus, start = zipf_corpus(V, n, 30), start_tables(V, D, dtype)
    frozen = frozen_words(V)
    if which != "third":
        frozen[:] = which != "one"
        frozen[5] ^= True
    ours, theirs = copies(start), copies(start)
    settings = {"model": model, "epochs": 1, "alpha": 0.05, "sample": 0} | settings
    loss = train(cpu, ours, corpus, frozen=frozen, **settings)
    expected = train(reference, theirs, corpus, private=True, frozen=frozen, **settings)
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)
        assert W[frozen].tobytes() == E[frozen].tobytes() == S[frozen].tobytes()


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "dtype", "settings"),
    [
        ("odd", np.float64, {}),
        ("odd", np.float64, {"pool_sync_interval": 1}),
        pytest.param("damped", np.float32, {"pool_sync_interval": 3, "vector": True}),
        pytest.param("damped", np.float32, {"pool_sync_interval": 1, "tile": 16, "pool_tokens": 64}),
        pytest.param("damped", np.float32, {"tile": 16, "pool_tokens": 64}),
    ],
)
def test_the_cuda_source_equals_the_reference(case, dtype, settings, model, folder):
    (V, D, n, longest), case_settings = GPU_CASES[case]
    corpus, start, frozen = zipf_corpus(V, n, longest), start_tables(V, D, dtype), frozen_words(V)
    ours, theirs = copies(start), copies(start)
    common = {"epochs": 1, "alpha": 0.05, "sample": 0, "model": model} | case_settings | settings
    interval = common.pop("pool_sync_interval", None)
    theirs_only = {key: value for key, value in common.items() if key != "vector"}
    loss = emulate(folder, ours, corpus, frozen=frozen, pool_sync_interval=interval or 1000, **common)
    expected = train(reference, theirs, corpus, frozen=frozen, pool_sync_interval=interval, **theirs_only)
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    check_frozen_rows(ours, start, frozen, np.zeros(V, bool))
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


def test_the_cuda_kernel_tests_for_frozen_rows_only_with_a_macro():
    kernel = word2vec_cuda.Kernel("cbow", False, 12, 3, 4, 8, True)
    assert "-DFREEZE=0" in kernel.macros()
    assert "-DFREEZE=1" in kernel._replace(freeze=True).macros()


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_layers_freeze_rows_of_other_array_libraries(xp, deterministic):
    corpus = zipf_corpus(20, 300, 12)
    start, frozen = start_tables(20, 6, np.float32), frozen_words(20)
    tables = Tables(*(xp.asarray(W.copy()) for W in start))
    settings = {"model": "cbow", "epochs": 1, "alpha": 0.1, "sample": 0, "deterministic": deterministic}
    train(eager, tables, corpus, frozen=frozen, **settings)
    check_frozen_rows(Tables(*map(to_host, tables)), start, frozen, corpus.vocabulary.counts > 0)


@needs_numba
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_an_infinite_step_does_not_reach_a_frozen_row(model):
    """A row of the largest numbers makes steps overflow, and training fails, but no frozen row is changed."""
    corpus, start, frozen = zipf_corpus(V, 2000, 30), start_tables(V, D, np.float32), frozen_words(V)
    for W in start:
        W[1] = 3e38
    for engine in (cpu, reference):
        tables = copies(start)
        with np.errstate(all="ignore"):
            if engine is cpu:
                with pytest.raises(FloatingPointError):
                    train(engine, tables, corpus, frozen=frozen, model=model, epochs=1, alpha=0.5, sample=0)
            else:
                train(engine, tables, corpus, frozen=frozen, model=model, epochs=1, alpha=0.5, sample=0)
        for W, S in zip(tables, start, strict=True):
            assert W[frozen].tobytes() == S[frozen].tobytes()


@pytest.mark.parametrize("engine", [eager, fused])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_a_run_with_frozen_rows_continues_from_a_pause(engine, model):
    corpus = zipf_corpus(V, 2 * CHUNK_TOKENS, 40)
    start, frozen = start_tables(V, D, np.float32), frozen_words(V)
    settings = {"model": model, "epochs": 2, "alpha": 0.05, "window": 3, "sample": 1e-2, "frozen": frozen}
    expected = copies(start)
    losses = train(engine, expected, corpus, **settings)
    paused = copies(start)
    pauses = StopAtPause(paused, 2)
    with pytest.raises(KeyboardInterrupt):
        train(engine, paused, corpus, pauses=pauses, **settings)
    tables = copies(pauses.kept)
    np.testing.assert_array_equal(train(engine, tables, corpus, state=pauses.state, **settings), losses)
    for W, E in zip(tables, expected, strict=True):
        assert W.tobytes() == E.tobytes()


@pytest.mark.parametrize("engine", [reference, eager, fused])
@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (np.zeros(V - 1, bool), r"frozen is bool of shape \(119,\); it must be bool of shape \(120,\)"),
        (np.array([3]), r"frozen is int64 of shape \(1,\)"),
    ],
)
def test_masks_that_cannot_be_used(engine, frozen, message):
    with pytest.raises(ValueError, match=message):
        train(engine, random_tables(V, D, np.float32), zipf_corpus(V, 200, 10), frozen=frozen)


@needs_numba
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_all_frozen_words_measure_the_loss(model):
    """All engines measure the loss of the given tables, whatever the learning rate, and write nothing.

    With a pool for each tile, the fused engine measures every target. The layers engine draws other negatives, so its
    loss differs by the error of a sample, which is about 1.3 percent for one seed.
    """
    corpus, start, frozen = zipf_corpus(V, 4000, 12), random_tables(V, D, np.float64), np.ones(V, bool)
    settings = {"model": model, "sample": 0, "epochs": 1, "pool_tokens": 4}
    losses = []
    for engine in (reference, cpu, eager):
        for alpha in (1e-9, 1.0):
            tables = copies(start)
            losses.append(train(engine, tables, corpus, alpha=alpha, min_alpha=0, frozen=frozen, **settings)[0])
            for W, E in zip(tables, start, strict=True):
                assert W.tobytes() == E.tobytes()
    exact, fast, layers = losses[::2]
    assert losses[1::2] == [exact, fast, layers]
    assert fast == pytest.approx(exact, rel=1e-10)
    of_seeds = [layers] + [
        train(eager, copies(start), corpus, alpha=1e-9, min_alpha=0, frozen=frozen, seed=seed, **settings)[0]
        for seed in range(1, 16)
    ]
    assert np.mean(of_seeds) == pytest.approx(exact, rel=0.01)
