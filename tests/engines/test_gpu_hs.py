"""Hierarchical softmax in the fused GPU engine, compared with the reference implementation in the emulator."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from typing import Any

import numpy as np
import pytest

from fastw2v.config import TILE, TrainingConfig, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import gpu, reference
from fastw2v.engines.base import Tables
from fastw2v.kernels import word2vec_cuda
from fastw2v.sampling.huffman import HuffmanTree
from tests.cuda_emulator import fake_cupy, nvrtc
from tests.engines.cases import StopAtPause, copies, corpus_of, train, zipf_corpus
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


def equal_counts() -> Corpus:
    """Return a corpus in which each of 40 words occurs ten times, so that the tree depends on the order of ties."""
    return corpus_of(
        np.random.default_rng(0).permutation(np.arange(400) % 40).astype(np.int32), [0, 3, 3, 120, 400], 40
    )


def deep_tree() -> Corpus:
    """Return a corpus whose vocabulary has the numbers of Fibonacci as counts, so paths have up to 59 nodes."""
    counts = [1, 1]
    while len(counts) < 60:
        counts.append(counts[-1] + counts[-2])
    ids = np.random.default_rng(0).integers(0, 60, 300, dtype=np.int32)
    return Corpus(ids, np.array([0, 100, 104, 300]), Vocabulary([str(i) for i in range(60)], np.array(counts[::-1])))


# A corpus, the dimensions, and settings.
CASES: dict[str, tuple[Corpus, int, dict[str, Any]]] = {
    "defaults": (zipf_corpus(120, 700, 30), 100, {"sample": 0.01}),
    "four numbers": (zipf_corpus(60, 400, 20), 4, {"cbow_grad": "mean"}),
    "ten numbers": (zipf_corpus(60, 500, 40), 10, {"cbow_grad": "sum", "window": 8, "shrink_windows": False}),
    "130 numbers": (zipf_corpus(50, 400, 17), 130, {"window": 3}),
    "300 numbers": (zipf_corpus(90, 300, 25), 300, {}),
    "one word": (zipf_corpus(1, 30, 5), 16, {"window": 10}),
    "two words": (zipf_corpus(2, 300, 20), 1, {}),
    "short lines": (zipf_corpus(30, 500, 2), 20, {"window": 15}),
    "huge window": (zipf_corpus(60, 300, 9), 20, {"window": 1_000_000_000}),
    "ties": (equal_counts(), 12, {}),
    "deep tree": (deep_tree(), 8, {}),
    "long sentence": (zipf_corpus(200, 9000, 20000), 10, {"sample": 1e-2, "window": 2, "epochs": 1}),
    "long steps": (zipf_corpus(9, 60, 500), 30, {"window": 10, "alpha": 0.5, "epochs": 1, "cbow_grad": "sum"}),
    "damped": (zipf_corpus(120, 500, 30), 40, {"concurrency": 50, "alpha": 0.2, "pool_sync_interval": 1}),
}
# Variants of the kernel and the emulator that change only rounding.
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "backward": {"order": 1, "vector": True},
    "one warp": {"warps": 1, "order": 2},
    "four warps": {"warps": 4, "order": 2, "vector": True},
    "sixteen warps": {"warps": 16},
    "small groups": {"tree_nodes": (3, 7), "order": 1},
    "no nodes held": {"tree_nodes": (24, 0), "vector": True},
    "small chunks": {"chunk_tokens": 100, "held_tokens": 7, "vector": True},
}
# Combinations that run by default. The slow tests run the others.
QUICK = {
    ("defaults", "backward", np.float32, "hs"), ("defaults", "backward", np.float32, "hs+ns"),
    ("four numbers", "small groups", np.float64, "hs"), ("130 numbers", "four warps", np.float32, "hs"),
    ("one word", "as it is", np.float64, "hs+ns"), ("two words", "one warp", np.float64, "hs"),
    ("short lines", "as it is", np.float64, "hs"), ("huge window", "backward", np.float32, "hs"),
    ("deep tree", "as it is", np.float64, "hs"),
    ("long steps", "as it is", np.float64, "hs"), ("damped", "small chunks", np.float64, "hs"),
    ("damped", "backward", np.float32, "hs"), ("damped", "small groups", np.float64, "hs+ns"),
}  # fmt: skip


def is_quick(case: str, model: str) -> bool:
    """Return whether a case runs by default with a model."""
    return model == "cbow" or case in ("defaults", "deep tree", "damped")


def start_tables(V: int, D: int, loss: str, dtype: Any, scale: float = 0.5) -> Tables:
    """Return tables of normal numbers. The nodes start at zero, as in a new model, if `scale` is below 0.5."""
    random = np.random.default_rng(0)
    W_in, W_out = (random.standard_normal((rows, D)) * scale for rows in (V, output_rows(loss, V)))
    return Tables(W_in.astype(dtype), W_out.astype(dtype) if scale == 0.5 else np.zeros(W_out.shape, dtype))


def check_against_reference(
    case: str,
    variant: str,
    loss: str,
    model: str,
    dtype: Any,
    folder: Any,
    monkeypatch: pytest.MonkeyPatch,
    **more: Any,
) -> None:
    corpus, D, settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7} | settings
    settings |= {"loss": loss, "model": model}
    start = start_tables(len(corpus.vocabulary), D, loss, dtype)
    ours, theirs = copies(start), copies(start)
    how = VARIANTS[variant] | more
    set_chunk_tokens(monkeypatch, how.pop("chunk_tokens", gpu.CHUNK_TOKENS))
    monkeypatch.setattr(word2vec_cuda, "TREE_WARPS", how.get("warps", word2vec_cuda.TREE_WARPS))
    nodes = how.pop("tree_nodes", word2vec_cuda.TREE_NODES[0])
    held = min(nodes[1], len(corpus.vocabulary) - 1), how.pop("held_tokens", word2vec_cuda.HELD_TOKENS)
    monkeypatch.setattr(word2vec_cuda, "TREE_NODES", (nodes,))
    monkeypatch.setattr(word2vec_cuda, "HELD_TOKENS", held[1])
    if dtype == np.float64:
        how.pop("vector", None)
    found = emulate(folder, ours, corpus, **settings | how)
    expected = train(reference, theirs, corpus, held=held, **settings)
    # Rounding errors grow like a random walk.
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * len(corpus) ** 0.5
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-300)
    assert (expected > 0).all() or (case == "one word" and loss == "hs")
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3 or (case == "one word" and loss == "hs")
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


@needs_compiler
@pytest.mark.parametrize(
    ("case", "variant", "dtype", "loss", "model"),
    [
        pytest.param(*which, model, marks=[] if which in QUICK and is_quick(which[0], model) else pytest.mark.slow)
        for *of_case, model in itertools.product(
            CASES, VARIANTS, [np.float64, np.float32], ["hs", "hs+ns"], ["cbow", "skipgram"]
        )
        for which in [tuple(of_case)]
        if which[0] != "long steps" or which[2] == np.float64  # long steps amplify rounding errors
        if which in QUICK or which[3] == "hs" or which[1] == "as it is"
    ],
)
def test_one_block_equals_the_reference(case, variant, dtype, loss, model, folder, monkeypatch):
    check_against_reference(case, variant, loss, model, dtype, folder, monkeypatch)


QUICK_PTX = {("defaults", "backward", np.float32, "hs", 90), ("two words", "as it is", np.float64, "hs+ns", 80)}


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
    check_against_reference(case, variant, loss, model, dtype, folder, monkeypatch, architecture=architecture)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "mistake",
    [
        ("if (t > 0) write_held(", "if (t < 0) write_held("),  # the held nodes are not written between two reads
        ("if (HELD_NODES && n > 0) write_held(", "if (false) write_held("),  # or not at the end of a chunk
        ("start + position[t] >= held_end", "t == 0"),  # they are read and written only once in a chunk
        ("word[entering] == word[leaving]", "false"),  # a row is read before the last update of the same word
    ],
)
def test_a_kernel_that_reads_or_writes_too_late_is_noticed(mistake, model, folder, monkeypatch):
    """A check of the test itself."""
    source = word2vec_cuda.Kernel.source

    def changed(kernel: word2vec_cuda.Kernel) -> str:
        assert source(kernel).count(mistake[0]) == 1
        return source(kernel).replace(*mistake)

    monkeypatch.setattr(word2vec_cuda.Kernel, "source", changed)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_against_reference("damped", "as it is", "hs", model, np.float64, folder, monkeypatch)


def test_the_cases_are_what_their_names_say():
    lengths = {name: np.diff(HuffmanTree.from_counts(case[0].vocabulary.counts).starts) for name, case in CASES.items()}
    assert lengths["deep tree"].max() == 59 > 2 * word2vec_cuda.TREE_NODES[0][0]
    assert lengths["one word"].max() == 0
    assert lengths["two words"].max() == 1
    assert len(set(CASES["ties"][0].vocabulary.counts.tolist())) == 1


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_the_case_with_long_steps_clips_them(model, monkeypatch):
    corpus, D, settings = CASES["long steps"]
    results = []
    for bound in (reference.MAX_STEP_NORM, 1e9):
        monkeypatch.setattr(reference, "MAX_STEP_NORM", bound)
        tables = start_tables(len(corpus.vocabulary), D, "hs", np.float64)
        train(reference, tables, corpus, model=model, loss="hs", sample=0, seed=7, **settings)
        results.append(tables.W_in)
    assert np.abs(results[0] - results[1]).max() > 0.01


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("which", ["third", "all"])
@pytest.mark.parametrize("loss", ["hs", "hs+ns"])
def test_frozen_rows_keep_their_bytes(which, loss, model, folder):
    V, D, corpus = 60, 10, zipf_corpus(60, 300, 20)
    frozen = (np.arange(V) % 3 == 0) | (which == "all")
    start = start_tables(V, D, loss, np.float64)
    for W in start:
        W[::3] = -0.0
    settings = {"loss": loss, "model": model, "epochs": 1, "sample": 0, "alpha": 0.1, "frozen": frozen, "window": 3}
    settings["pool_sync_interval"] = 1
    ours, theirs = copies(start), copies(start)
    found = emulate(folder, ours, corpus, **settings)
    held = word2vec_cuda.TREE_NODES[0][1], word2vec_cuda.HELD_TOKENS
    np.testing.assert_allclose(found, train(reference, theirs, corpus, held=held, **settings), rtol=1e-10)
    for W, E in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(W, E, rtol=0, atol=1e-10)
    words = output_rows(loss, V) - V  # rows of W_out that belong to words
    assert ours.W_in[frozen].tobytes() == start.W_in[frozen].tobytes()
    assert ours.W_out[:words][frozen[:words]].tobytes() == start.W_out[:words][frozen[:words]].tobytes()
    nodes = ours.W_out[words:-1] != start.W_out[words:-1]
    if which == "all":
        assert all(W.tobytes() == S.tobytes() for W, S in zip(ours, start, strict=True))
    else:
        assert (ours.W_in != start.W_in)[~frozen & (corpus.vocabulary.counts > 0)].any(axis=1).all()
        # The contexts of a rare target may all be frozen rows of zeros. Its nodes then have no gradient.
        expected = theirs.W_out[words:-1] != start.W_out[words:-1]
        np.testing.assert_array_equal(nodes, expected)
        counts = corpus.vocabulary.counts
        assert nodes[HuffmanTree.from_counts(counts).node_counts(counts) >= 5].all()


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("loss", ["hs", "hs+ns"])
def test_many_blocks_train_every_chunk_and_learn_as_one_does(loss, model, folder, monkeypatch):
    set_chunk_tokens(monkeypatch, 128)
    losses, vectors = [], []
    for blocks in (1, 6):
        tables = start_tables(40, 8, loss, np.float32, scale=0.1)
        settings = {"loss": loss, "model": model, "epochs": 4, "sample": 0, "alpha": 0.05, "window": 2}
        found = emulate(folder, tables, topics(250), blocks=blocks, pool_sync_interval=1, order=2, **settings)
        losses.append(found)
        vectors.append(tables.W_in)
    assert (vectors[0] != vectors[1]).any()
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
    assert losses[0][-1] < 0.9 * losses[0][0]
    for W in vectors:
        assert share_of_topic_neighbors(W) > 0.95


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("model", "alpha"), [("cbow", 0.5), ("skipgram", 0.2)])
def test_many_blocks_do_not_overshoot_as_steps_are_scaled_down(model, alpha, folder, monkeypatch):
    """Blocks in lockstep are the worst case, because they all read rows before any of them writes its updates."""
    set_chunk_tokens(monkeypatch, 64)
    monkeypatch.setattr(word2vec_cuda, "TREE_WARPS", 1)
    losses = []
    for blocks, concurrency in ((1, None), (60, None), (60, 1)):
        tables = start_tables(40, 8, "hs", np.float32, scale=0.1)
        settings = {"loss": "hs", "model": model, "epochs": 3, "sample": 0, "alpha": alpha, "window": 2}
        losses.append(emulate(folder, tables, topics(300), blocks=blocks, concurrency=concurrency, **settings)[-1])
    alone, scaled, unscaled = losses
    assert scaled < 1.3 * alone < unscaled


@needs_compiler
def test_a_run_continues_from_a_pause(folder, monkeypatch):
    set_chunk_tokens(monkeypatch, 64)
    monkeypatch.setattr(gpu, "LAUNCH_SECONDS", 1e-6)
    corpus, settings = topics(60), {"loss": "hs+ns", "window": 2, "epochs": 2, "alpha": 0.1, "workers": 1}

    def start() -> Tables:
        tables = gpu.allocate((40, 10), "cuda:0", "hs+ns")
        assert tables.W_out.base.shape == (80, 12)
        tables.W_in[...] = fake_cupy.asarray(start_tables(40, 10, "hs+ns", np.float32, 0.05).W_in)
        return tables

    with device(folder):
        losses = train(gpu, expected := start(), corpus, **settings)
        pauses = StopAtPause(tables := start(), 5)
        with pytest.raises(KeyboardInterrupt):
            train(gpu, tables, corpus, pauses=pauses, **settings)
        tables = start()
        for W, kept in zip(tables, pauses.kept, strict=True):
            W[...] = kept
        again = train(gpu, tables, corpus, state=pauses.state, **settings)
    np.testing.assert_allclose(again, losses, rtol=1e-6)
    for ours, theirs in zip(tables, expected, strict=True):  # the order of a block's additions is not fixed
        np.testing.assert_allclose(ours.view(np.ndarray), theirs.view(np.ndarray), rtol=0, atol=1e-6)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("model", [0, 1])
def test_only_declared_races(model, folder, monkeypatch):
    """ThreadSanitizer reports no race in a block of system threads, but reports one if any barrier is removed."""
    monkeypatch.setattr(word2vec_cuda, "HELD_TOKENS", 16)
    kernel = word2vec_cuda.Kernel("cbow", False, 12, 3, 1, 1, False, 2, loss="hs", path_group=3, held_nodes=2)
    source = write_source(folder, kernel.source())
    options = ["-O1", "-g", "-fsanitize=thread", "-DOS_THREADS", "-DVECTOR_ATOMICS=1"]
    program = build(folder, source, kernel.macros(), *options)

    def reports(line: int) -> int:
        done = subprocess.run([program, str(model), str(line)], capture_output=True, text=True, timeout=60)
        return done.stderr.count("WARNING: ThreadSanitizer: data race")

    assert reports(0) == 0
    lines = kernel.source().splitlines()
    held = next(i for i, line in enumerate(lines, 1) if "read_held(arguments" in line)
    barriers = [i for i, line in enumerate(lines, 1) if i > held and "__syncthreads" in line][:4]
    for barrier in barriers:
        assert reports(barrier) > 0, lines[barrier - 1]


# ---- the compiler ----

SIZES: dict[str, tuple[int, int, bool]] = {
    "100 numbers": (100, 5, False),
    "300 numbers, window 10": (300, 10, False),
    "float64": (100, 5, True),
}
"""Numbers in a row, window, and whether they are float64."""


@nvrtc.needs_nvrtc
@pytest.mark.parametrize(
    ("size", "loss"),
    [
        pytest.param(*which, marks=[] if which == ("100 numbers", "hs") else pytest.mark.slow)
        for which in itertools.product(SIZES, ["hs", "hs+ns"])
    ],
)
def test_the_source_compiles_for_every_architecture(size, loss, folder):
    width, reach, double = SIZES[size]
    for architecture, shared in ARCHITECTURES.items():
        for model in ("cbow", "skipgram"):
            pool_size = TrainingConfig(model=model, vector_size=width, negative=5).pool_size
            sizes = (model, double, width, reach, TILE, pool_size, False)
            try:
                kernel = word2vec_cuda.choose_kernel(*sizes, (shared - 1) * 1024, loss=loss)
            except ValueError:
                assert (size, loss) == ("300 numbers, window 10", "hs+ns"), architecture
                continue
            found = resources(write_source(folder, kernel.source()), kernel.macros(), architecture)
            assert set(found) == {"cbow_hs", "skipgram_hs"}
            used = found[kernel.name]
            assert kernel.min_blocks * 32 * kernel.warps * used["registers"] <= 1 << 16, (architecture, model, used)
            assert used["spilled"] <= 64, (architecture, model, used)
            assert used["local"] < word2vec_cuda.ARGUMENTS.itemsize, "the struct is copied to local memory"


# ---- the host ----


def test_a_kernel_that_does_not_fit_takes_fewer_nodes():
    def choose(limit: int, loss: Any = "hs") -> word2vec_cuda.Kernel:
        return word2vec_cuda.choose_kernel("skipgram", False, 128, 5, 16, 24, True, limit, loss=loss, tensor_cores=True)

    large = choose(232_448)
    assert (large.name, large.tile, large.pool_size) == ("skipgram_hs", 1, 1)
    assert (large.warps, large.held, large.tensor_cores) == (2, False, False)
    tried, kernel = [], large
    for _ in word2vec_cuda.TREE_NODES:
        tried.append((kernel.path_group, kernel.held_nodes))
        limit = kernel._replace(rounded_ring=False).shared_bytes() - 4
        with contextlib.suppress(ValueError):
            kernel = choose(limit)
    assert tried == list(word2vec_cuda.TREE_NODES)
    with pytest.raises(ValueError, match=r"for vector_size 128 and window 5, but this device has only 1,000: lower"):
        choose(1000)
    both = choose(232_448, "hs+ns")
    assert (both.name, both.tile, both.pool_size, both.warps, both.tensor_cores) == ("skipgram_hs", 16, 24, 4, False)
    assert both.shared_bytes() == max(both._replace(loss=loss).shared_bytes() for loss in ("ns", "hs"))
    assert {"-DPATH_GROUP=24", "-DHELD_NODES=8", "-DNEGATIVE_SAMPLING=1"} <= set(both.macros())
    assert "PATH_GROUP" not in " ".join(both._replace(loss="ns").macros())


@pytest.mark.parametrize(("loss", "tables"), [("hs", "two"), ("hs+ns", "three")])
def test_sizes_named_in_a_refusal_fit(loss, tables):
    free, V, D = 1 << 30, 3_000_000, 300
    with pytest.raises(MemoryError, match=rf"^{tables} tables of 3,000,000 words by 300 numbers") as refusal:
        gpu.require_memory(free, V, D, False, loss)
    text = str(refusal.value)
    narrow = int(text.partition("vector_size=")[2].partition(" ")[0])
    few = int(text.partition("a vocabulary of ")[2].partition(" ")[0].replace(",", ""))
    gpu.require_memory(free, V, narrow, False, loss)
    gpu.require_memory(free, few, D, False, loss)
    for words, numbers in ((V, narrow + gpu.ROW), (few + few // 50, D)):
        with pytest.raises(MemoryError):
            gpu.require_memory(free, words, numbers, False, loss)


def test_the_paths_of_a_natural_vocabulary_are_not_longer_than_planned():
    counts = 1_000_000 // np.arange(1, 50_001) + 5  # Zipf's law
    nodes = len(HuffmanTree.from_counts(counts).points)
    assert 0.8 < nodes / (len(counts) * gpu._usual_path(len(counts))) < 1


@pytest.mark.gpu
class TestOnAGpu:
    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    @pytest.mark.parametrize("loss", ["hs", "hs+ns"])
    @pytest.mark.parametrize(
        ("case", "dtype"),
        [
            pytest.param(*which, marks=[] if which[0] in ("defaults", "deep tree") else pytest.mark.slow)
            for which in itertools.product(CASES, [np.float64, np.float32])
            if which[0] != "long steps" or which[1] == np.float64
        ],
    )
    def test_one_block_equals_the_reference(self, case, dtype, loss, model, cupy, monkeypatch):
        def on_the_device(_: Any, tables: Tables, corpus: Corpus, **settings: Any) -> np.ndarray:
            interval = settings.pop("pool_sync_interval", 1000)
            monkeypatch.setattr(gpu, "pool_sync_interval", lambda *_, **__: interval)
            there = Tables(*map(cupy.asarray, tables))
            found = train(gpu, there, corpus, workers=1, **settings)
            for W, trained in zip(tables, there, strict=True):
                W[...] = cupy.asnumpy(trained)
            return found

        monkeypatch.setattr("tests.engines.test_gpu_hs.emulate", on_the_device)
        check_against_reference(case, "as it is", loss, model, dtype, None, monkeypatch)

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_many_blocks_learn_as_one_does(self, model, cupy):
        losses, vectors = [], []
        for workers in (1, None):
            tables = gpu.allocate((40, 8), "cuda", "hs")
            tables.W_in[...] = cupy.asarray(start_tables(40, 8, "hs", np.float32, 0.1).W_in)
            settings = {"loss": "hs", "model": model, "epochs": 2, "sample": 0, "alpha": 0.05, "window": 2}
            losses.append(train(gpu, tables, topics(20_000), workers=workers, **settings))
            vectors.append(cupy.asnumpy(tables.W_in))
        assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
        for W in vectors:
            assert share_of_topic_neighbors(W) > 0.95
