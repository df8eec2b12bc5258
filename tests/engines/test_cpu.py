"""The fused CPU engine compared with the reference, the reference with a dense gradient, and threads."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the fused CPU engine needs Numba")

from fastw2v import kernels
from fastw2v.config import TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import cpu, eager, reference
from fastw2v.engines.base import Tables
from fastw2v.sampling import alias, batches, negatives, rng, subsampling
from fastw2v.word2vec import Word2Vec
from tests.engines.cases import copies, corpus_of, random_tables, train, zipf_corpus

CASES = {
    "defaults": ((300, 100, 4000, 30), {"sample": 0.01}),
    "odd": ((50, 129, 2000, 17), {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3, "epochs": 1}),
    "classic": ((40, 7, 1000, 9), {"tile": 1, "pool_tokens": 1, "pool_size": 5, "epochs": 1}),
    "short pools": ((40, 7, 800, 9), {"tile": 4, "pool_tokens": 3, "pool_size": 5, "epochs": 1}),
    "one number": ((2, 1, 300, 20), {"pool_tokens": 64, "pool_size": 16}),
    "one word": ((1, 16, 16, 5), {"window": 10}),
    "short lines": ((30, 20, 2000, 2), {"window": 15, "pool_tokens": 64, "pool_size": 18, "epochs": 1}),
    "mean": ((70, 20, 1000, 12), {"cbow_grad": "mean", "window": 4}),
    "sum": ((60, 33, 2000, 40), {"cbow_grad": "sum", "window": 8, "shrink_windows": False, "epochs": 1}),
    "long sentence": ((200, 10, 9000, 40000), {"sample": 1e-2, "window": 2, "epochs": 1}),
    "many negatives": ((80, 24, 1500, 25), {"negative": 100, "pool_size": 300, "ns_exponent": -1, "alpha": 0.002}),
    "damped": ((120, 40, 2000, 30), {"concurrency": 50, "alpha": 0.2, "pool_tokens": 64}),
    "private rows": ((300, 20, 12000, 30), {"concurrency": 2, "epochs": 1}),
    "narrow": ((40, 16, 1500, 9), {"window": 1, "tile": 1, "pool_tokens": 7, "pool_size": 5, "epochs": 1}),
    "pairs of words": ((40, 48, 1500, 2), {"window": 1, "tile": 2, "pool_tokens": 5, "pool_size": 6, "epochs": 1}),
    "short exchanges": ((90, 12, 2000, 25), {"concurrency": 100, "pool_tokens": 10, "alpha": 0.1, "epochs": 1}),
}

QUICK = {"defaults", "odd", "one number", "long sentence", "damped", "short exchanges"}
"""Cases that are run in float32 by default, too."""


# float64 separates mistakes from rounding. float32, which is used in training, is a separate compilation.
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(case, dtype, marks=pytest.mark.slow if dtype == np.float32 and case not in QUICK else [])
        for case, dtype in itertools.product(CASES, [np.float64, np.float32])
    ],
)
def test_one_worker_equals_the_reference(case, model, dtype):
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    corpus = zipf_corpus(V, n, longest)
    start = random_tables(V, D, dtype)
    ours, theirs = copies(start), copies(start)
    loss = train(cpu, ours, corpus, **settings)
    expected = train(reference, theirs, corpus, private=True, **settings)
    # Rounding errors grow like a random walk, and CBOW's running sums carry them from one token to the next.
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_a_huge_window_is_the_whole_sentence(model):
    """Windows of random width up to 10⁹ reach the ends of all sentences."""
    corpus = zipf_corpus(40, 3000, 12)
    for engine in (cpu, reference, eager):
        wide, whole = (random_tables(40, 16, np.float64) for _ in range(2))
        settings = {"model": model, "alpha": 0.02, "epochs": 2, "sample": 0}
        train(engine, wide, corpus, window=1_000_000_000, **settings)
        train(engine, whole, corpus, window=11, shrink_windows=False, **settings)
        for ours, theirs in zip(wide, whole, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_long_steps_are_clipped_alike(model, monkeypatch):
    corpus = zipf_corpus(9, 200, 500)
    runs = [random_tables(9, 30, np.float64) for _ in range(3)]
    # Long steps double rounding errors many times, and more so with small pools.
    settings = {
        "model": model,
        "window": 10,
        "alpha": 0.8,
        "epochs": 1,
        "sample": 0,
        "pool_tokens": 256,
        "pool_size": 32,
    }
    train(cpu, runs[0], corpus, **settings)
    train(reference, runs[1], corpus, private=True, **settings)
    monkeypatch.setattr(reference, "MAX_STEP_NORM", 1e30)
    train(reference, runs[2], corpus, private=True, **settings)
    for ours, specified, unbounded in zip(*runs, strict=True):
        np.testing.assert_allclose(ours, specified, rtol=0, atol=1e-10)
        assert np.abs(specified - unbounded).max() > 0.01


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_a_walk_on_a_small_graph_with_a_wide_window_stays_sound(model):
    ids = np.cumsum(np.random.default_rng(0).integers(-1, 2, 50_000)) % 30
    tables = start(30, 50)
    alpha = {"cbow": 0.2, "skipgram": 0.04}[model]
    settings = {"model": model, "window": 15, "sample": 0, "alpha": alpha, "epochs": 10}
    loss = train(cpu, tables, corpus_of(ids, [0, 50_000], 30), **settings)
    # Before training, a pair costs log 2. With six pairs, and about sixteen contexts for skip-gram, that is 4.2 and 67.
    assert loss[-1] < {"cbow": 1.5, "skipgram": 20}[model]
    assert np.abs(tables.W_in).max() < 10


@pytest.mark.parametrize(
    ("model", "cbow_grad", "power"),
    [("cbow", "mean", 1), ("cbow", "balanced", 0.75), ("cbow", "sum", 0), ("skipgram", "mean", 1)],
)
def test_the_reference_at_a_vanishing_rate_is_the_gradient_of_the_corpus(model, cbow_grad, power):
    V, D, window, negative, L, P, T, seed = 12, 5, 3, 4, 8, 6, 3, 3
    corpus = zipf_corpus(V, 150, 12)
    ids, offsets, counts = corpus.ids, corpus.offsets, corpus.vocabulary.counts
    W_in, W_out = random_tables(V, D, np.float64)
    rate = 1e-9
    moved = Tables(W_in.copy(), W_out.copy())
    settings = {"window": window, "negative": negative, "sample": 0.2, "epochs": 1, "seed": seed}
    settings |= {"cbow_grad": cbow_grad, "pool_tokens": L, "pool_size": P, "tile": T, "alpha": rate, "min_alpha": rate}
    loss = train(reference, moved, corpus, model=model, **settings)

    # The same loss, computed pair by pair. Only the random choices are shared with the reference.
    place = np.arange(len(ids))
    kept = subsampling.keep_tokens(ids, place, subsampling.keep_threshold(counts, 0.2), seed, 0)
    width = batches.window_widths(place, window, seed, 0)
    noise = alias.alias_table(alias.noise_weights(counts))
    pools = negatives.negative_pools(place // L, P, noise, seed, 0)
    dW_in, dW_out = np.zeros((V, D)), np.zeros((V, D))
    total, predictions = 0.0, 0  # over the first tile of each pool
    targets, first = [], -1

    def add_pair(h, word, label, weight):
        """Add the loss of a pair, if it is measured, and its gradient of W_out; return its gradient of h."""
        nonlocal total
        p = 1 / (1 + np.exp(-h @ W_out[word]))
        total -= measured * weight * np.log(p if label else 1 - p)
        dW_out[word] += weight * (p - label) * h
        return weight * (p - label) * W_out[word]

    for begin, end in itertools.pairwise(offsets):
        line = [i for i in range(begin, end) if kept[i]]
        for at, t in enumerate(line):
            near = [i for k, i in enumerate(line) if k != at and abs(k - at) <= width[t]]
            if not near:
                continue
            if len(targets) % T == 0:
                measured = first < 0 or t // L != first // L
                first = t  # of a tile, which has the pool of its first target
            targets.append((t // L, first // L))
            words = ids[near]
            positives = [ids[t]] if model == "cbow" else list(words)
            predictions += measured * len(positives)
            h = W_in[words].mean(axis=0) if model == "cbow" else W_in[ids[t]]
            dh = sum(add_pair(h, word, 1, 1.0) for word in positives)
            weight = negative * len(positives) / P
            dh = dh + sum(add_pair(h, word, 0, weight) for word in pools[first] if word not in positives)
            if model == "cbow":
                np.add.at(dW_in, words, dh / len(words) ** power)  # the gradient of the mean if power is 1
            else:
                dW_in[ids[t]] += dh

    assert len({first for _, first in targets}) * T < len(targets)  # not every tile is measured
    assert any(of_target != of_tile for of_target, of_tile in targets)
    np.testing.assert_allclose(loss, [total / predictions], rtol=1e-8)
    np.testing.assert_allclose((W_in - moved[0]) / rate, dW_in, atol=1e-5)
    np.testing.assert_allclose((W_out - moved[1]) / rate, dW_out, atol=1e-5)


def test_the_random_choices_are_those_of_sampling():
    from numba import njit

    from fastw2v.kernels import word2vec_numba
    from fastw2v.kernels.compilation import compiled

    corpus = zipf_corpus(40, 3000, 25)
    ids, offsets, counts = corpus.ids, corpus.offsets, corpus.vocabulary.counts
    keys = np.array([rng.stream_key(5, stream, 2) for stream in (rng.KEEP, rng.WINDOW, rng.NEGATIVES)], np.uint64)
    threshold = subsampling.keep_threshold(counts, 0.05)
    noise = alias.alias_table(alias.noise_weights(counts))
    sampling = word2vec_numba.Sampling(threshold, noise.threshold, noise.alias.astype(np.int32), keys, 6, 6, True)
    subsample = njit(word2vec_numba.subsample_chunk)  # not from the cache, so that the types of variables are known
    word, place, low, high = subsample(ids, offsets, 1000, 2500, sampling)
    types = {str(kind) for kind in next(iter(subsample.overloads.values())).type_annotation.typemap.values()}
    assert "float64" not in types  # to which Numba promotes a signed and an unsigned integer
    token = np.arange(1000, 2500)
    token = token[subsampling.keep_tokens(ids[token], token, threshold, 5, 2)]
    sentence = np.searchsorted(offsets, token, side="right")
    token = token[np.bincount(sentence)[sentence] > 1]
    np.testing.assert_array_equal(place, token)
    np.testing.assert_array_equal(word, ids[token])
    sentence = np.searchsorted(offsets, token, side="right")
    width = batches.window_widths(token, 6, 5, 2)
    t = np.arange(len(token))
    np.testing.assert_array_equal(low, np.maximum(np.searchsorted(sentence, sentence), t - width))
    np.testing.assert_array_equal(high, np.minimum(np.searchsorted(sentence, sentence, side="right"), t + width + 1))

    drawn = compiled(word2vec_numba.draw_negatives)(10, 200, 9, sampling)
    expected = negatives.negative_pools(np.arange(10, 200), 9, noise, 5, 2)
    np.testing.assert_array_equal(drawn.reshape(-1, 9), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_exponential_and_logarithm_are_exact_to_rounding(dtype):
    from numba import njit

    from fastw2v.kernels import simd

    @njit
    def apply(x, exponential, logarithm):
        for i in range(0, len(x), simd.LANES):
            v = simd.load(x, i)
            simd.store(exponential, i, simd.exp_minus(v))
            simd.store(logarithm, i, simd.log(v + simd.splat(1.0, v)))

    x = np.concatenate([np.linspace(0, 87, 8000), np.geomspace(1e-10, 87, 7984), [0, np.nan, 1e30, *[88.1] * 13]])
    x = x.astype(dtype)
    exponential, logarithm = np.empty_like(x), np.empty_like(x)
    apply(x, exponential, logarithm)
    exact, u, eps = x[:15984].astype(np.float64), x[:15984] + dtype(1), np.finfo(dtype).eps
    np.testing.assert_allclose(exponential[:15984], np.exp(-exact), rtol=2 * eps)
    np.testing.assert_allclose(logarithm[:15984], np.log(u.astype(np.float64)), rtol=2 * eps, atol=eps)
    assert np.isnan(exponential[15985])
    assert np.isnan(logarithm[15985])
    assert exponential[15986] == 0


@pytest.fixture(scope="module")
def small():
    return zipf_corpus(500, 60000, 40)


def start(V: int = 500, D: int = 20) -> Tables:
    """Return tables with the initial weights of training."""
    tables = cpu.allocate((V, D))
    tables.W_in[...] = (np.random.default_rng(1).random((V, D)) - 0.5) / D
    return tables


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_one_worker_gives_the_same_bytes_twice_and_two_a_similar_loss(small, model):
    settings = {"model": model, "epochs": 3, "alpha": 0.05}
    runs = []
    for workers in (1, 1, 2):
        W_in, W_out = start()
        loss = train(cpu, Tables(W_in, W_out), small, workers=workers, **settings)
        runs.append((W_in.tobytes(), W_out.tobytes(), loss))
        assert np.isfinite(W_in).all()
        assert np.isfinite(W_out).all()
    assert runs[0][:2] == runs[1][:2]
    np.testing.assert_array_equal(runs[0][2], runs[1][2])
    np.testing.assert_allclose(runs[2][2], runs[0][2], rtol=0.02)


def test_any_layout_of_the_tables_trains_alike_and_nothing_beside_them_is_touched(small):
    aligned = start()
    train(cpu, aligned, small, epochs=1)
    plain = Tables(*(np.ascontiguousarray(W) for W in start()))
    train(cpu, plain, small, epochs=1)
    wide = [np.full((500, 32), 7, np.float32) for _ in range(2)]
    for W, first in zip(wide, start(), strict=True):
        W[:, :20] = first
    train(cpu, Tables(*(W[:, :20] for W in wide)), small, epochs=1)
    for trained, copied, inside in zip(aligned, plain, wide, strict=True):
        np.testing.assert_array_equal(copied, trained)
        np.testing.assert_array_equal(inside[:, :20], trained)
        assert (inside[:, 20:] == 7).all()


@pytest.mark.parametrize("loss", ["ns", "hs"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_the_kernels_free_their_buffers(small, model, loss):
    """The loops use views whose references are not counted. The counted references must end with the kernel."""
    from numba.core.runtime import _nrt_python, rtsys

    tables, settings = cpu.allocate((500, 20), loss=loss), {"model": model, "loss": loss}
    train(cpu, tables, small, epochs=1, **settings)  # not counted, because the first call keeps some memory
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        train(cpu, tables, small, epochs=2, **settings)
        after = rtsys.get_allocation_stats()
    finally:
        _nrt_python.memsys_disable_stats()
    allocated, freed = (getattr(after, field) - getattr(before, field) for field in ("mi_alloc", "mi_free"))
    assert allocated > 100
    assert freed == allocated


def test_rows_of_aligned_zeros_start_at_cache_lines():
    for dtype, D in ((np.float32, 1), (np.float32, 100), (np.float64, 129)):
        W = cpu.aligned_zeros((3, D), dtype)
        assert W.shape == (3, D)
        assert W.dtype == dtype
        assert not W.any()
        assert all(W[v:].ctypes.data % 64 == 0 for v in range(3))


def test_progress_reports_words_loss_and_rate(small, monkeypatch):
    monkeypatch.setattr(cpu, "REPORT_INTERVAL", 0.001)
    seen = []

    def note(*reported):
        seen.append((*reported, threading.get_ident()))

    losses = train(cpu, start(), small, epochs=5, alpha=0.1, min_alpha=0.01, on_progress=note)
    words = [x[0] for x in seen]
    assert words == sorted(words)
    assert words[-1] == 5 * len(small)
    for done, loss, rate, thread in seen:
        assert 0 < loss < 6
        assert rate == pytest.approx(0.1 - 0.09 * done / words[-1])
        assert thread == threading.get_ident()
    assert losses[-1] < losses[0]


def test_an_exception_in_the_callback_ends_the_training(small, monkeypatch):
    monkeypatch.setattr(cpu, "REPORT_INTERVAL", 0.001)

    def refuse(*_):
        raise LookupError("enough")

    before = threading.active_count()
    with pytest.raises(LookupError, match="enough"):
        train(cpu, start(), small, epochs=100_000, workers=2, on_progress=refuse)
    assert threading.active_count() == before


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="SIGINT is ignored, as in background jobs"
)
def test_ctrl_c_ends_the_training_promptly(small):
    train(cpu, start(), small, epochs=1)  # compiles the kernel before the clock starts
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train(cpu, start(), small, epochs=100_000, workers=2)
    timer.join()
    assert time.monotonic() - began < 5


def test_a_loss_that_is_not_finite_is_an_error_that_says_where_and_what_to_do(small):
    tables = start()
    tables.W_in[3, 2] = np.nan
    with pytest.raises(
        FloatingPointError, match=r"the loss is nan in epoch 1, between word \d+ and word \d+ .* lower alpha"
    ):
        train(cpu, tables, small, epochs=2)


def test_numbers_beyond_the_type_are_noticed(small):
    tables = start()
    tables.W_in[...] *= 1e30
    with pytest.raises(FloatingPointError, match="lower alpha"):
        train(cpu, tables, small, epochs=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"tile": 5}, "tile is 5"),
        ({"vector_size": 21}, "vector_size is 21, but the tables have 20 columns"),
        ({"ids": np.array([0, 500])}, "must lie in 0..499"),
        ({"ids": np.array([-1, 2])}, "ids from -1 to 2"),
        ({"ids": np.array([0.5, 1])}, "integer word ids"),
        ({"ids": np.array([], int)}, "empty"),
        ({"offsets": np.array([0, 5])}, "offsets must not decrease"),
        ({"counts": np.ones(3, int)}, "3 words, but the tables have 500 rows"),
        ({"W_out": np.zeros((500, 21), np.float32)}, "the same shape"),
        ({"W_in": np.zeros((500, 20), int), "W_out": np.zeros((500, 20), int)}, "float32 or float64"),
    ],
)
def test_arrays_that_cannot_be_are_refused(small, change, message):
    W_in, W_out = start()
    given = {
        "ids": small.ids,
        "offsets": small.offsets,
        "counts": small.vocabulary.counts,
        "W_in": W_in,
        "W_out": W_out,
    }
    given |= change
    vocabulary = Vocabulary([str(i) for i in range(len(given["counts"]))], given["counts"])
    corpus = Corpus(given["ids"], given["offsets"], vocabulary)
    config = TrainingConfig(vector_size=given.get("vector_size", 20), tile=given.get("tile", 4))
    with pytest.raises(ValueError, match=message):
        cpu.train(Tables(given["W_in"], given["W_out"]), corpus, config, workers=given.get("workers"))


def test_without_numba_the_engine_says_so(small, monkeypatch):
    monkeypatch.setattr(kernels, "numba_is_installed", lambda: False)
    assert "pip install numba" in cpu.unavailable_reason()
    with pytest.raises(RuntimeError, match="Numba is not installed"):
        train(cpu, start(), small)


def test_a_numba_that_cannot_be_imported_is_a_reason_not_a_crash(tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 0.1 or less')")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from fastw2v.engines import cpu; print(cpu.unavailable_reason())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "cannot be imported: ImportError: Numba needs NumPy 0.1 or less" in done.stdout


def test_buffers_that_do_not_fit_in_memory(monkeypatch):
    def fail(*args):
        raise MemoryError("Allocation failed (probably too large).")  # by Numba, if negative is 99,999,999

    monkeypatch.setattr(cpu, "_run_in_threads", fail)
    with pytest.raises(
        MemoryError, match=r"2 threads do not fit in memory\. Lower negative \(now 5\), vector_size \(now"
    ):
        Word2Vec(workers=2, engine="fused", device="cpu").fit([["cat", "dog"]] * 9)


def test_importing_the_engine_does_not_import_numba():
    code = "import sys, fastw2v.engines.cpu, fastw2v.engines.reference; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_the_first_compile_is_announced_short_and_kept(tmp_path):
    code = """
import logging, sys, time
import numpy as np
from fastw2v import Corpus
from fastw2v.config import TrainingConfig
from fastw2v.engines import cpu
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
config = TrainingConfig(model=sys.argv[1], vector_size=5, sample=0)
began = time.perf_counter()
cpu.train(cpu.allocate((9, 5)), Corpus.from_ids(np.arange(9)), config)
print(time.perf_counter() - began)
"""
    for model in ("cbow", "skipgram"):
        outputs = []
        for _ in range(2):
            command = [sys.executable, "-c", code, model]
            done = subprocess.run(
                command, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, check=True, capture_output=True, text=True
            )
            outputs.append(done.stdout.splitlines())
        assert "compiling" in outputs[0][0]
        assert float(outputs[0][-1]) < 15
        assert float(outputs[1][-1]) < 2
        assert len(outputs[1]) == 1


@pytest.mark.parametrize(
    ("triple", "features", "registers"),
    [
        ("x86_64-unknown-linux-gnu", {"sse2", "avx", "avx2", "avx512f"}, (16, 32)),
        ("x86_64-unknown-linux-gnu", {"sse2", "avx", "avx2"}, (8, 16)),
        ("x86_64-pc-windows-msvc", set(), (4, 16)),
        ("arm64-apple-darwin24.1.0", {"neon"}, (4, 32)),
    ],
)
def test_the_registers_of_a_processor(triple, features, registers):
    from fastw2v.kernels import simd

    assert simd._registers(triple, features) == registers


def test_the_features_of_this_processor(monkeypatch):
    from numba.core.registry import cpu_target

    from fastw2v.kernels import simd

    codegen = type(cpu_target.target_context.codegen())
    monkeypatch.setattr(codegen, "magic_tuple", lambda self: ("x86_64-unknown", "znver3", "+avx,-avx512f,+fma"))
    assert simd.target() == ("x86_64-unknown", {"avx", "fma"})
    monkeypatch.setattr(codegen, "magic_tuple", lambda self: ("arm64", "generic", ""))
    assert simd.target() == ("arm64", set())


def test_limits_end_at_the_last_that_is_exceeded():
    for limits, kept in (([0.1, 9, 0.2, 9], 3), ([9, 9], 0), ([0.1, 0.2], 2), ([0.2, 9], 1), ([0.3], 0)):
        np.testing.assert_array_equal(cpu._to_the_last_below(np.array(limits), 0.3), limits[:kept])


@pytest.mark.parametrize(
    ("triple", "features", "registers"),
    [
        ("x86_64", "+avx512f", "16 32"),
        pytest.param("x86_64", "+avx", "8 16", marks=pytest.mark.slow),
        pytest.param("x86_64", "", "4 16", marks=pytest.mark.slow),
        pytest.param("arm64", "", "4 32", marks=pytest.mark.slow),
    ],
)
def test_loops_for_other_processors_equal_the_reference(triple, features, registers, tmp_path):
    """LLVM compiles vectors of any length for this processor, so the loops for other processors can be tested here."""
    code = """
import sys
import numpy as np
from numba.core.registry import cpu_target
codegen = type(cpu_target.target_context.codegen())
codegen.magic_tuple = lambda self: (sys.argv[1], "processor", sys.argv[2])
sys.path.insert(0, sys.argv[3])
from fastw2v.engines import cpu, reference
from fastw2v.kernels import simd
from tests.engines.cases import copies, random_tables, train, zipf_corpus
print(simd.COLUMNS, simd.REGISTERS)
corpus = zipf_corpus(80, 3000, 30)
cases = [("cbow", "ns", 37), ("skipgram", "ns", 37), ("cbow", "ns", 33), ("cbow", "hs", 37), ("skipgram", "hs", 37)]
for model, loss, D in cases:
    start = random_tables(80, D, np.float32)
    ours, theirs = copies(start), copies(start)
    settings = {"model": model, "loss": loss, "epochs": 1, "alpha": 0.05, "pool_size": 22, "pool_tokens": 50}
    np.testing.assert_allclose(
        train(cpu, ours, corpus, **settings), train(reference, theirs, corpus, private=True, **settings), rtol=1e-5
    )
    for one, other in zip(ours, theirs):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
"""
    command = [sys.executable, "-c", code, triple, features, str(Path(__file__).parents[2])]
    # glibc overwrites freed memory, so that a buffer that is freed too early changes the results.
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "MALLOC_PERTURB_": "165"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == registers
