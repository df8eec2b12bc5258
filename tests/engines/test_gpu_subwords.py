"""Subwords in the fused GPU engine, compared with the reference implementation in the emulator."""

from __future__ import annotations

import itertools
import re
import subprocess
from typing import Any

import numpy as np
import pytest

from fastw2v.config import TILE, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import gpu, reference
from fastw2v.engines.base import Tables
from fastw2v.kernels import word2vec_cuda
from fastw2v.nn.subwords import mean_rows
from tests.cuda_emulator import fake_cupy, nvrtc
from tests.engines.cases import copies, train
from tests.engines.test_gpu import (
    ARCHITECTURES,
    PTX_ARCHITECTURES,
    build,
    device,
    emulate,
    needs_compiler,
    resources,
    set_chunk_tokens,
    share_of_topic_neighbors,
    topics,
    write_source,
)
from tests.engines.test_gpu import folder as folder  # a fixture
from tests.engines.test_subwords import corpus_of_words, subwords_of, tables_for

# Words, dimensions, tokens and the longest sentence; and settings.
CASES: dict[str, tuple[tuple[int, int, int, int], dict[str, Any]]] = {
    "defaults": ((120, 100, 500, 30), {"sample": 0.01}),
    "few buckets": ((60, 24, 400, 30), {"bucket": 20, "alpha": 0.01}),
    "one bucket": ((30, 8, 200, 30), {"bucket": 1, "alpha": 0.005}),
    "odd": ((50, 129, 300, 17), {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3}),
    "one word": ((1, 16, 16, 5), {"window": 10}),
    "short n-grams": ((60, 300, 200, 25), {"subwords": (1, 9)}),  # more than 32 rows
    "floret": ((60, 20, 300, 30), {"bucket": 50, "hash_count": 2, "alpha": 0.01}),
    "large tiles": ((90, 64, 400, 25), {"tile": 16, "pool_tokens": 64, "alpha": 0.02}),
    "damped": ((120, 40, 400, 30), {"concurrency": 50, "alpha": 0.2, "pool_tokens": 64}),
    "long steps": ((9, 30, 100, 500), {"window": 10, "alpha": 0.4, "epochs": 1}),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "held": {},
    "not held": {"pool_sync_interval": 1, "vector": True, "order": 2},
    "one warp": {"warps": 1, "order": 1},
    "eight warps": {"warps": 8, "vector": True, "order": 2},
    "small chunks": {"chunk_tokens": 100, "pool_sync_interval": 3, "order": 1},
}
QUICK = {
    ("defaults", "not held", np.float32, "ns"), ("few buckets", "held", np.float64, "ns"),
    ("odd", "eight warps", np.float64, "ns"), ("one word", "one warp", np.float64, "ns"),
    ("short n-grams", "not held", np.float32, "ns"), ("floret", "small chunks", np.float64, "ns"),
    ("damped", "not held", np.float64, "ns"), ("large tiles", "held", np.float64, "ns"),
    ("long steps", "held", np.float64, "ns"),
    ("defaults", "not held", np.float32, "hs"), ("few buckets", "small chunks", np.float64, "hs+ns"),
    ("damped", "one warp", np.float64, "hs"),
}  # fmt: skip


def check_against_reference(
    case: str,
    variant: str,
    dtype: Any,
    loss: str,
    model: str,
    folder: Any,
    monkeypatch: pytest.MonkeyPatch,
    frozen: np.ndarray | None = None,
    architecture: int | None = None,
) -> tuple[Tables, Tables, Tables, Any]:
    """Compare one block with the reference. Return the tables before and after both trainings, and the subwords."""
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    settings |= {"loss": loss, "output_weight": 0.0, "frozen": frozen}
    corpus = corpus_of_words(V, n, longest)
    ngrams = [settings.pop(*of) for of in (("subwords", (3, 6)), ("bucket", 2_000_000), ("hash_count", None))]
    settings["subwords"] = subwords = Subwords(corpus.vocabulary.words, NGrams(*ngrams.pop(0), *ngrams))
    start = tables_for(subwords, D, dtype, loss)
    if frozen is not None:
        start.W_in[:, ::3] = -0.0
    ours, theirs = copies(start), copies(start)
    how = dict(VARIANTS[variant])
    set_chunk_tokens(monkeypatch, how.pop("chunk_tokens", gpu.CHUNK_TOKENS))
    if dtype == np.float64:
        how.pop("vector", None)
    if loss != "ns":
        monkeypatch.setattr(word2vec_cuda, "TREE_WARPS", how.get("warps", word2vec_cuda.TREE_WARPS))
        how["pool_sync_interval"] = how.get("pool_sync_interval", 1000)
    found = emulate(folder, ours, corpus, architecture=architecture, **settings | how)
    held = min(word2vec_cuda.TREE_NODES[0][1], V - 1), word2vec_cuda.HELD_TOKENS
    settings["pool_sync_interval"] = how.get("pool_sync_interval")
    expected = train(reference, theirs, corpus, held=held, **settings)
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(found, expected, rtol=tolerance)
    for W, E in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)
    return start, ours, theirs, subwords


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "variant", "dtype", "loss"),
    [
        pytest.param(*which, marks=[] if which in QUICK else pytest.mark.slow)
        for which in itertools.product(CASES, VARIANTS, [np.float64, np.float32], ["ns", "hs", "hs+ns"])
        if which in QUICK or (which[2] == np.float64 and which[3] == "ns")
    ],
)
def test_one_block_equals_the_reference(case, variant, dtype, loss, model, folder, monkeypatch):
    start, _, theirs, _ = check_against_reference(case, variant, dtype, loss, model, folder, monkeypatch)
    for E, S in zip(theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3


QUICK_PTX = {("defaults", "not held", np.float32, "ns", 90), ("few buckets", "held", np.float64, "ns", 80)}


@needs_compiler
@nvrtc.needs_nvrtc
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "variant", "dtype", "loss", "architecture"),
    [
        pytest.param(*which, marks=[] if which in QUICK_PTX else pytest.mark.slow)
        for which in sorted(
            QUICK_PTX | {(*which, architecture) for which in QUICK for architecture in PTX_ARCHITECTURES}, key=str
        )
    ],
)
def test_ptx_equals_the_reference(case, variant, dtype, loss, architecture, model, folder, monkeypatch):
    check_against_reference(case, variant, dtype, loss, model, folder, monkeypatch, architecture=architecture)


@needs_compiler
@pytest.mark.parametrize("loss", ["ns", pytest.param("hs", marks=pytest.mark.slow)])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_rows_of_frozen_words_keep_their_bytes(model, loss, folder, monkeypatch):
    V = CASES["damped"][0][0]
    frozen = np.arange(V) % 7 == 0
    start, ours, _, subwords = check_against_reference(
        "damped", "not held", np.float64, loss, model, folder, monkeypatch, frozen
    )
    of_frozen = np.unique(np.concatenate([subwords.rows_of_word(word) for word in np.flatnonzero(frozen)]))
    assert ours.W_in[of_frozen].tobytes() == start.W_in[of_frozen].tobytes()
    assert len(of_frozen) < len(ours.W_in)
    assert (ours.W_in != start.W_in).any()


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "mistake",
    [
        ("sum.x[i] *= share", "sum.x[i] *= 1"),  # the sum of the rows instead of their mean
        ("k + j < rows ? 1 : 0", "k + j < rows - 1 ? 1 : 0"),  # the last row is not read
        ("for (int k = 0; k < rows; ++k)", "for (int k = 0; k < 1; ++k)"),  # only the first row is written
        ("base < end; base += 32", "base < begin + 1; base += 32"),  # only the first 32 rows
    ],
)
def test_a_kernel_that_leaves_out_rows_is_noticed(mistake, model, folder, monkeypatch):
    """A check of the test itself."""
    source = word2vec_cuda.Kernel.source

    def changed(kernel: word2vec_cuda.Kernel) -> str:
        assert mistake[0] in source(kernel)
        return source(kernel).replace(*mistake)

    monkeypatch.setattr(word2vec_cuda.Kernel, "source", changed)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_against_reference("short n-grams", "held", np.float64, "ns", model, folder, monkeypatch)


@needs_compiler
@pytest.mark.parametrize("model", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("loss", ["ns", pytest.param("hs", marks=pytest.mark.slow)])
def test_no_races(model, loss, folder):
    """ThreadSanitizer reports no race in a block of system threads."""
    sizes = (12, 3, 4, 8, True, 2) if loss == "ns" else (12, 3, 1, 1, False, 2)
    kernel = word2vec_cuda.Kernel("cbow", False, *sizes, has_subwords=True, loss=loss)
    options = ["-O1", "-g", "-fsanitize=thread", "-DOS_THREADS", "-DVECTOR_ATOMICS=1"]
    program = build(folder, write_source(folder, kernel.source()), kernel.macros(), *options)
    done = subprocess.run([program, str(model), "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[:1000]
    assert "WARNING: ThreadSanitizer: data race" not in done.stderr


def test_the_cases_are_what_their_names_say():
    (V, _, n, longest), settings = CASES["short n-grams"]
    sizes = np.diff(subwords_of(corpus_of_words(V, n, longest), settings["subwords"]).starts)
    assert sizes.max() > 64
    assert sizes.min() < 32
    (V, _, n, longest), _ = CASES["defaults"]
    subwords = subwords_of(corpus_of_words(V, n, longest))
    assert np.bincount(subwords.rows).max() > 5  # words share rows


def named_topics(sentences: int) -> Corpus:
    """Return the corpus `topics`, whose words are random strings."""
    corpus, random = topics(sentences), np.random.default_rng(0)
    names = ["".join(random.choice(list("abcdefghij"), 5)) for _ in range(40)]
    return Corpus(corpus.ids, corpus.offsets, Vocabulary(names, corpus.vocabulary.counts))


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_many_blocks_learn_as_one_does(model, folder, monkeypatch):
    set_chunk_tokens(monkeypatch, 128)
    corpus = named_topics(250)
    subwords = subwords_of(corpus)
    losses = []
    for blocks in (1, 6):
        W_in = np.random.default_rng(0).standard_normal((subwords.n_rows, 8)).astype(np.float32) * np.float32(0.1)
        tables = Tables(W_in, np.zeros((40, 8), np.float32))
        settings = {"model": model, "epochs": 4, "sample": 0, "alpha": 0.05, "window": 2, "warps": 2, "pool_size": 8}
        settings |= {"subwords": subwords, "output_weight": 0.0, "pool_sync_interval": 1, "order": 2}
        losses.append(emulate(folder, tables, corpus, blocks=blocks, **settings))
        words = mean_rows(W_in, subwords.starts, subwords.rows, np.arange(40))
        assert share_of_topic_neighbors(words) > 0.95
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_many_blocks_do_not_overshoot_as_steps_of_rows_are_scaled_down(model, folder, monkeypatch):
    set_chunk_tokens(monkeypatch, 64)
    corpus = named_topics(300)
    subwords = subwords_of(corpus)
    losses = []
    for blocks, concurrency in ((1, None), (60, None), (60, 1)):
        W_in = np.random.default_rng(0).standard_normal((subwords.n_rows, 8)).astype(np.float32) * np.float32(0.1)
        tables = Tables(W_in, np.zeros((40, 8), np.float32))
        settings = {"model": model, "epochs": 3, "sample": 0, "alpha": 0.2, "window": 2, "warps": 1, "pool_size": 8}
        settings |= {"blocks": blocks, "concurrency": concurrency, "pool_sync_interval": 1, "pool_tokens": 16}
        settings |= {"subwords": subwords, "output_weight": 0.0}
        losses.append(emulate(folder, tables, corpus, **settings)[-1])
    alone, scaled, unscaled = losses
    assert scaled < 1.3 * alone < unscaled


KERNELS = {
    "defaults": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, TrainingConfig().pool_size, False, has_subwords=True),
    "pool held": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, 24, True, has_subwords=True),
    "300 numbers": word2vec_cuda.Kernel("cbow", False, 300, 5, TILE, 24, False, has_subwords=True),
    "float64": word2vec_cuda.Kernel("cbow", True, 100, 5, TILE, 24, False, has_subwords=True),
    "frozen rows": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, 24, False, has_subwords=True, freeze=True),
    "tiles of 16": word2vec_cuda.Kernel("cbow", False, 128, 5, 16, 24, False, has_subwords=True),
    "hs": word2vec_cuda.Kernel("cbow", False, 100, 5, 1, 1, False, 2, has_subwords=True, loss="hs"),
    "hs+ns": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, 24, False, has_subwords=True, loss="hs+ns"),
}


@nvrtc.needs_nvrtc
@pytest.mark.parametrize(
    "case", [name if name == "defaults" else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_the_source_compiles_for_every_architecture(case, folder):
    for architecture, shared in ARCHITECTURES.items():
        for model in ("cbow", "skipgram"):
            kernel = word2vec_cuda.optimize_occupancy(KERNELS[case]._replace(model=model), (shared - 1) * 1024)
            used = resources(write_source(folder, kernel.source()), kernel.macros(), architecture)[kernel.name]
            blocks = min(shared * 1024 // (kernel.shared_bytes() + 1024), max(1, 16 // kernel.warps))
            assert blocks * 32 * kernel.warps * used["registers"] <= 1 << 16, (architecture, model, used, blocks)
            assert used["spilled"] <= 64, (architecture, model, used)
            assert used["local"] < word2vec_cuda.ARGUMENTS.itemsize, "the struct is copied to local memory"


def test_tensor_cores_are_not_used():
    sizes = ("cbow", False, 100, 5, word2vec_cuda.TENSOR_CORE_TILE, 24, False, 232_448)
    assert word2vec_cuda.choose_kernel(*sizes, tensor_cores=True).tensor_cores
    assert not word2vec_cuda.choose_kernel(*sizes, tensor_cores=True, has_subwords=True).tensor_cores


@needs_compiler
def test_its_own_tables_are_trained_in_place_and_others_alike(folder):
    corpus = named_topics(60)
    subwords = subwords_of(corpus)
    start = np.random.default_rng(0).standard_normal((subwords.n_rows, 10)).astype(np.float32)
    results = []
    with device(folder):
        allocated = gpu.allocate((40, 10), "cuda:0", "ns", subwords.n_rows)
        assert allocated.W_in.shape == (subwords.n_rows, 10)
        assert allocated.W_out.shape == (40, 10)
        allocated.W_in[...] = fake_cupy.asarray(start)
        for given in (allocated, copies(allocated)):
            settings = {"window": 2, "epochs": 2, "alpha": 0.05, "workers": 1, "output_weight": 0.0}
            losses = train(gpu, given, corpus, subwords=subwords, **settings)
            results.append((losses, *given))
        with pytest.raises(ValueError, match=rf"W_in has {subwords.n_rows - 1} rows, but .* have {subwords.n_rows}"):
            train(gpu, Tables(given.W_in[1:], given.W_out), corpus, subwords=subwords, **settings)
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_sizes_named_in_a_refusal_fit():
    free, V, R, D = 1 << 30, 500_000, 2_500_000, 300
    message = r"^two tables of 2,500,000 rows of subwords and 500,000 words by 300 .* vector_size=(\d+) would fit"
    with pytest.raises(MemoryError, match=message) as refusal:
        gpu.require_memory(free, V, D, False, "ns", R)
    narrow = int(re.search(r"vector_size=(\d+)", str(refusal.value))[1])
    gpu.require_memory(free, V, narrow, False, "ns", R)
    with pytest.raises(MemoryError):
        gpu.require_memory(free, V, narrow + gpu.ROW, False, "ns", R)
