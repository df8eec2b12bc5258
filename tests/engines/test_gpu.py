"""The fused GPU engine. Without a GPU, its source is emulated and compiled for all architectures. With one, it runs."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from fastw2v.config import TILE, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import gpu, reference
from fastw2v.engines.base import Tables
from fastw2v.kernels import word2vec_cuda
from tests.cuda_emulator import fake_cupy, nvrtc, ptx
from tests.engines.cases import StopAtPause, copies, corpus_of, random_tables, train, zipf_corpus

EMULATOR = Path(__file__).parents[1] / "cuda_emulator" / "emulator.cpp"
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("g++") is None, reason="the emulator needs g++ and Linux"
)


def write_source(folder: Path, code: str, suffix: str = ".cu") -> Path:
    """Write a source to a file whose name depends on its contents."""
    path = folder / f"source-{zlib.crc32(code.encode())}{suffix}"
    path.write_text(code, encoding="utf-8")
    return path


def build(folder: Path, source: Path, macros: Sequence[str], *options: str) -> Path:
    """Compile the emulator with a CUDA source, or with a translation by `ptx`."""
    output = folder / "-".join([*(macro.split("=")[-1] for macro in macros), *options, source.stem])
    if not output.exists():
        command = ["g++", "-std=c++17", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function", *macros, *options]
        subprocess.run([*command, f'-DSOURCE="{source}"', "-o", str(output), str(EMULATOR)], check=True)
    return output


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cuda_emulator")


@contextlib.contextmanager
def device(
    folder: Path,
    vector: bool = False,
    order: int = 0,
    free: int = 1 << 34,
    architecture: int | None = None,
    split: bool = True,
) -> Iterator[None]:
    """Replace CuPy by a fake whose kernels run in the emulator, with fibers in the given order.

    If `architecture` is given, the emulator runs the PTX into which NVIDIA's compiler translates the source for it.
    With `split`, tensor cores compute products nearly to the precision of float32.
    """

    def compiled(code: str, options: tuple[str, ...]) -> ctypes.CDLL:
        source = write_source(folder, code)
        macros = [option for option in options if option.startswith("-D")] + ["-DSPLIT=1"] * split
        how = ["-fPIC", "-shared", f"-DVECTOR_ATOMICS={int(vector)}"]
        if architecture is None:
            # The emulator does not use this macro. If both models have the same others, they share a build.
            macros = [macro for macro in macros if "MIN_BLOCKS" not in macro] + ["-DMIN_BLOCKS=1"]
            return ctypes.CDLL(str(build(folder, source, macros, "-O1", *how)))
        _, assembly = nvrtc.compile_source(source, f"compute_{architecture}", macros)
        translation = write_source(folder, ptx.to_cpp(assembly, str(source)), ".cpp")
        return ctypes.CDLL(str(build(folder, translation, macros, "-O0", "-w", *how)))

    with fake_cupy.installed(compiled, free), patch.object(fake_cupy.Function, "order", order):
        yield


def emulate(
    folder: Path,
    tables: Tables,
    corpus: Corpus,
    *,
    blocks: int = 1,
    pool_sync_interval: int = 1000,
    warps: int = word2vec_cuda.WARPS,
    by_shuffle_block: bool = False,
    vector: bool = False,
    order: int = 0,
    architecture: int | None = None,
    split: bool = True,
    **settings: Any,
) -> np.ndarray:
    """Call `gpu.train` on the emulator. With a `pool_sync_interval` of 1, pools are not held."""

    def device_tokens(_: int, tokens: int) -> int:
        return gpu.SHUFFLE_BLOCK_TOKENS + gpu.CHUNK_TOKENS if by_shuffle_block else tokens

    here = Tables(*(W.view(fake_cupy.Array) for W in tables))
    with (
        device(folder, vector, order, architecture=architecture, split=split),
        patch.object(gpu, "pool_sync_interval", lambda *_, **__: pool_sync_interval),
        patch.object(word2vec_cuda, "WARPS", warps),
        patch.object(gpu, "device_tokens", device_tokens),
    ):
        return train(gpu, here, corpus, workers=blocks, **settings)


def set_chunk_tokens(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    """Set the size of chunks in the engine, the kernel and the reference."""
    for module in (gpu, word2vec_cuda, reference):
        monkeypatch.setattr(module, "CHUNK_TOKENS", tokens)


# The cases of the CPU engine with fewer tokens. The numbers are words, dimensions, tokens and the longest sentence.
CASES = {
    "defaults": ((120, 100, 700, 30), {"sample": 0.01}),
    "odd": ((50, 129, 500, 17), {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3}),
    "classic": ((40, 7, 400, 9), {"tile": 1, "pool_tokens": 1, "pool_size": 5}),
    "short pools": ((40, 7, 400, 9), {"tile": 4, "pool_tokens": 3, "pool_size": 5}),
    "one number": ((2, 1, 300, 20), {"pool_tokens": 64, "pool_size": 16}),
    "one word": ((1, 16, 16, 5), {"window": 10}),
    "short lines": ((30, 20, 700, 2), {"window": 15, "pool_tokens": 64, "pool_size": 18}),
    "mean": ((70, 20, 500, 12), {"cbow_grad": "mean", "window": 4}),
    "sum": ((60, 33, 600, 40), {"cbow_grad": "sum", "window": 8, "shrink_windows": False}),
    "long sentence": ((200, 10, 9000, 20000), {"sample": 1e-2, "window": 2, "pool_size": 3, "tile": 2, "epochs": 1}),
    "many negatives": ((80, 24, 300, 25), {"negative": 100, "pool_size": 300, "ns_exponent": -1, "alpha": 0.002}),
    "long steps": ((9, 30, 200, 500), {"window": 10, "alpha": 0.8, "epochs": 1}),
    "rather long steps": ((9, 30, 200, 500), {"window": 10, "alpha": 0.6, "epochs": 1}),
    "wide rows": ((90, 300, 300, 25), {"tile": 8, "pool_size": 16}),
    "long tiles": ((90, 64, 600, 25), {"tile": 16, "pool_tokens": 64}),
    "damped": ((120, 40, 700, 30), {"concurrency": 50, "alpha": 0.2, "pool_tokens": 64}),
    "huge window": ((60, 20, 400, 9), {"window": 1_000_000_000, "concurrency": 9}),
}
# Variants of the kernel and the emulator that change only rounding.
VARIANTS = {
    "held": {},
    "synchronised": {"pool_sync_interval": 3, "vector": True, "order": 1},
    "not held": {"pool_sync_interval": 1, "vector": True, "order": 2},
    "one warp": {"warps": 1, "order": 1},
    "eight warps": {"warps": 8, "order": 2, "vector": True},
    "sixteen warps": {"warps": 16, "pool_sync_interval": 2},
    "by shuffle block": {"by_shuffle_block": True, "shuffle_block_tokens": 240, "chunk_tokens": 100},
}
# Combinations that run by default. The slow tests run all combinations.
QUICK = {
    ("defaults", "synchronised", np.float32), ("odd", "held", np.float64), ("one word", "one warp", np.float64),
    ("short lines", "not held", np.float32), ("wide rows", "held", np.float32),
    ("odd", "sixteen warps", np.float32), ("damped", "synchronised", np.float32),
    ("defaults", "by shuffle block", np.float64), ("huge window", "held", np.float64),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "variant", "dtype"),
    [
        pytest.param(*which, marks=[] if which in QUICK else pytest.mark.slow)
        for which in itertools.product(CASES, VARIANTS, [np.float64, np.float32])
        # Long steps amplify rounding errors in every tile, and the longest, by shuffle block, to more than 1e-10.
        if "long steps" not in which[0] or which[2] == np.float64
        if which[:2] != ("long steps", "by shuffle block")
    ],
)
def test_one_block_equals_the_reference(case, variant, model, dtype, folder, monkeypatch):
    check_against_reference(case, variant, model, dtype, folder, monkeypatch)


def check_against_reference(case, variant, model, dtype, folder, monkeypatch, architecture=None):
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    corpus = zipf_corpus(V, n, longest)
    start = random_tables(V, D, dtype)
    ours, theirs = copies(start), copies(start)
    how = dict(VARIANTS[variant])
    set_chunk_tokens(monkeypatch, how.pop("chunk_tokens", gpu.CHUNK_TOKENS))
    shuffle_block_tokens = how.pop("shuffle_block_tokens", gpu.SHUFFLE_BLOCK_TOKENS)
    for module in (gpu, reference):
        monkeypatch.setattr(module, "SHUFFLE_BLOCK_TOKENS", shuffle_block_tokens)
    if dtype == np.float64:
        how.pop("vector", None)
    loss = emulate(folder, ours, corpus, architecture=architecture, **settings | how)
    expected = train(reference, theirs, corpus, pool_sync_interval=how.get("pool_sync_interval"), **settings)
    # Rounding errors grow like a random walk.
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


# Architectures for which the source or NVIDIA's compiler differs.
PTX_ARCHITECTURES = [75, 80, 90, 120]
QUICK_PTX = {
    ("defaults", "synchronised", np.float32, 90), ("odd", "held", np.float64, 75),
    ("short lines", "not held", np.float32, 120),
}  # fmt: skip


@needs_compiler
@nvrtc.needs_nvrtc
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "variant", "dtype", "architecture"),
    [
        pytest.param(*which, marks=[] if which in QUICK_PTX else pytest.mark.slow)
        for which in itertools.product(CASES, VARIANTS, [np.float64, np.float32], PTX_ARCHITECTURES)
        if which[:3] in QUICK
    ],
)
def test_ptx_equals_the_reference(case, variant, model, dtype, architecture, folder, monkeypatch):
    check_against_reference(case, variant, model, dtype, folder, monkeypatch, architecture)


@needs_compiler
@nvrtc.needs_nvrtc
def test_ptx_that_does_not_wait_for_its_copies_is_noticed(folder, monkeypatch):
    """A check of the test itself: results differ if rows are read before their copies have finished."""
    compile_source = nvrtc.compile_source

    def without_waiting(*given: Any) -> tuple[str, str]:
        log, assembly = compile_source(*given)
        start, *kernels = assembly.split(".entry")
        parts = [kernel.split("cp.async.wait_all;") for kernel in kernels]
        assert [len(part) for part in parts] == [4, 4]
        # The first wait is for the tokens of the first tiles, which are all tokens of such a chunk. Without it, the
        # emulator would read and write at invalid indices.
        return log, start + "".join(f".entry{first}cp.async.wait_all;{''.join(others)}" for first, *others in parts)

    monkeypatch.setattr(nvrtc, "compile_source", without_waiting)
    set_chunk_tokens(monkeypatch, 16)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_against_reference("one number", "held", "skipgram", np.float64, folder, monkeypatch, 80)


@needs_compiler
@pytest.mark.parametrize("double", [False, True])
def test_the_struct_has_the_layout_of_c(double, tmp_path):
    layout = word2vec_cuda.ARGUMENTS
    assert layout.names == word2vec_cuda.Arguments._fields
    kernel = word2vec_cuda.Kernel("cbow", double, 12, 3, 4, 8, True)
    fields = "".join(
        f'  printf("%zu %zu\\n", offsetof(Arguments, {name}), sizeof(Arguments::{name}));\n' for name in layout.names
    )
    main = f'int main() {{\n{fields}  printf("%zu %zu\\n", sizeof(Arguments), alignof(Arguments));\n}}\n'
    program = tmp_path / "layout.cpp"
    source = write_source(tmp_path, kernel.source())
    program.write_text(f'#include <cstddef>\n#include <cstdio>\n#include "{EMULATOR}"\n{main}', encoding="utf-8")
    options = [*kernel.macros(), f'-DSOURCE="{source}"', "-Wno-unknown-pragmas"]
    subprocess.run(["g++", "-std=c++17", *options, "-o", tmp_path / "layout", program], check=True)
    printed = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout
    found = [tuple(map(int, line.split())) for line in printed.splitlines()]
    expected = [(offset, field.itemsize) for field, offset in (layout.fields[name][:2] for name in layout.names)]
    assert found == [*expected, (layout.itemsize, layout.alignment)]


def test_the_struct_holds_addresses_and_numbers():
    array = np.zeros(3).view(fake_cupy.Array)
    values = dict.fromkeys(word2vec_cuda.Arguments._fields, array) | dict.fromkeys(word2vec_cuda.SCALARS, 1)
    values |= {"seed": 2**64 - 1, "shrink_windows": True, "alpha": 0.1}
    struct = word2vec_cuda.Arguments(**values).as_struct()
    assert struct.size == 1
    for name, value in values.items():
        assert struct[name] == (array.data.ptr if value is array else value)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_many_blocks_train_every_chunk_and_learn_as_one_does(model, folder, monkeypatch):
    set_chunk_tokens(monkeypatch, 128)
    losses, vectors = [], []
    for blocks in (1, 6):
        tables = Tables(random_tables(40, 8, np.float32, scale=0.1).W_in, np.zeros((40, 8), np.float32))
        settings = {"model": model, "epochs": 4, "sample": 0, "alpha": 0.05, "window": 2, "warps": 2, "pool_size": 8}
        loss = emulate(folder, tables, topics(250), blocks=blocks, pool_sync_interval=2, order=2, **settings)
        losses.append(loss)
        vectors.append(tables.W_in)
    assert (vectors[0] != vectors[1]).any()
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
    for W in vectors:
        assert share_of_topic_neighbors(W) > 0.95


def topics(sentences: int) -> Corpus:
    """Return a corpus in which each sentence uses the words of one of five topics of eight words."""
    random = np.random.default_rng(0)
    ids = (8 * random.integers(0, 5, (sentences, 1)) + random.integers(0, 8, (sentences, 12))).astype(np.int32)
    return corpus_of(ids.ravel(), np.arange(0, ids.size + 1, 12), 40)


def share_of_topic_neighbors(W: np.ndarray) -> float:
    """Return the share of words of the same topic among the eight nearest words, including the word itself."""
    unit = W / np.linalg.norm(W, axis=1, keepdims=True)
    near = np.argsort(-unit @ unit.T, axis=1)[:, :8]
    return float((near // 8 == np.arange(40)[:, None] // 8).mean())


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_tables_of_more_than_two_to_the_31_numbers(model, folder, tmp_path, monkeypatch):
    # Only the last of 2.2 million rows are used. The others are a hole in a sparse file, which is not read.
    monkeypatch.setattr(gpu, "require_finite_weights", lambda *_: None)
    V, D, used = 2_200_000, 1024, 7
    small = zipf_corpus(used, 40, 20)
    corpus = corpus_of(small.ids + np.int32(V - used), small.offsets, V)
    settings = {"model": model, "epochs": 1, "sample": 0, "alpha": 0.05, "window": 2, "pool_size": 4}
    start = random_tables(used, D, np.float32, scale=0.05)
    results = []
    for run in (functools.partial(emulate, folder, pool_sync_interval=1), functools.partial(train, reference)):
        files = (np.memmap(tmp_path / name, np.float32, "w+", shape=(V, D)) for name in ("W_in", "W_out"))
        big = Tables(*map(np.asarray, files))
        for W, rows in zip(big, start, strict=True):
            W[-used:] = rows
        run(big, corpus, **settings)
        results.append([W[-used:].copy() for W in big])
    for ours, theirs, before in zip(*results, start, strict=True):
        assert np.abs(theirs - before).max() > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("model", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_only_declared_races(model, folder):
    """ThreadSanitizer reports no race in a block of system threads, but reports one if a barrier is removed."""
    kernel = word2vec_cuda.Kernel("cbow", False, 12, 3, 4, 8, True, 2)
    options = ["-O1", "-g", "-fsanitize=thread", "-DOS_THREADS", "-DVECTOR_ATOMICS=1"]
    source = write_source(folder, kernel.source())
    program = build(folder, source, kernel.macros(), *options)

    def reports(line: int) -> int:
        done = subprocess.run([program, str(model), str(line)], capture_output=True, text=True, timeout=60)
        return done.stderr.count("WARNING: ThreadSanitizer: data race")

    assert reports(0) == 0
    lines = kernel.source().splitlines()
    after_enter = next(i for i, line in enumerate(lines, 1) if "read_targets(n);" in line)
    barrier = next(i for i, line in enumerate(lines, 1) if i > after_enter and "__syncthreads" in line)
    assert reports(barrier) > 0


ARCHITECTURES = {75: 64, 80: 164, 86: 100, 89: 100, 90: 228, 100: 228, 120: 100}
"""With the KiB of shared memory of a multiprocessor, which has 65,536 registers on all of them."""
CBOW_POOL, SKIPGRAM_POOL = TrainingConfig().pool_size, TrainingConfig(model="skipgram").pool_size
KERNELS = {
    "defaults": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, CBOW_POOL, False),
    "skip-gram's pool": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, SKIPGRAM_POOL, False),
    "pool held": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, CBOW_POOL, True),
    "128 numbers": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, CBOW_POOL, False),
    "128 numbers, pool held": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, CBOW_POOL, True),
    "300 numbers": word2vec_cuda.Kernel("cbow", False, 300, 10, TILE, TrainingConfig(vector_size=300).pool_size, False),
    "tiles of 16": word2vec_cuda.Kernel("cbow", False, 128, 5, 16, CBOW_POOL, True),
    # With smaller pools, the registers of float64, not shared memory, limit the number of blocks.
    "float64": word2vec_cuda.Kernel("cbow", True, 100, 5, TILE, 24, False),
    "two warps": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, CBOW_POOL, False, 2),
    "eight warps": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, CBOW_POOL, False, 8),
    "sixteen warps": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, CBOW_POOL, False, 16),
    "frozen rows": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, CBOW_POOL, False, freeze=True),
    "frozen rows, pool held": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, CBOW_POOL, True, freeze=True),
}


@functools.cache  # both models may have the same macros
def resources(source: Path, macros: tuple[str, ...], architecture: int) -> dict[str, dict[str, int]]:
    """Compile a source; return each function's registers, spilled bytes and total bytes of local memory."""
    log, _ = nvrtc.compile_source(source, f"sm_{architecture}", macros, "--ptxas-options=-v")
    found = re.findall(
        r"Function properties for (\w+).*?(\d+) bytes stack frame, (\d+) bytes spill stores.*?Used (\d+) registers",
        log,
        re.DOTALL,
    )
    return {
        name: {"registers": int(registers), "spilled": int(spilled), "local": int(local)}
        for name, local, spilled, registers in found
    }


@nvrtc.needs_nvrtc
@pytest.mark.parametrize(
    "case", [name if name == "defaults" else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_the_source_compiles_for_every_architecture(case, folder):
    for architecture, shared in ARCHITECTURES.items():
        for model in ("cbow", "skipgram"):
            # A block can use 1 KiB less than a multiprocessor has.
            kernel = word2vec_cuda.optimize_occupancy(KERNELS[case]._replace(model=model), (shared - 1) * 1024)
            found = resources(write_source(folder, kernel.source()), kernel.macros(), architecture)
            assert set(found) == {"cbow_ns", "skipgram_ns"}
            name, used = kernel.name, found[kernel.name]
            # Registers allow as many blocks as shared memory does, or sixteen warps.
            blocks = min(shared * 1024 // (kernel.shared_bytes() + 1024), max(1, 16 // kernel.warps))
            assert blocks * 32 * kernel.warps * used["registers"] <= 1 << 16, (architecture, name, used, blocks)
            assert used["spilled"] <= 64, (architecture, name, used)
            assert used["local"] < word2vec_cuda.ARGUMENTS.itemsize, "the struct is copied to local memory"


def test_sentence_ends_are_signs():
    ids, offsets = np.arange(7), np.array([0, 0, 3, 3, 6, 7])
    sign = -(2**31)
    np.testing.assert_array_equal(
        gpu.mark_sentence_ends(ids, offsets, 0, 7), [0, 1, 2 + sign, 3, 4, 5 + sign, 6 + sign]
    )
    np.testing.assert_array_equal(gpu.mark_sentence_ends(ids, offsets, 3, 5), [3, 4])
    np.testing.assert_array_equal(gpu.mark_sentence_ends(ids, offsets, 2, 6), [2 + sign, 3, 4, 5 + sign])


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_many_blocks_do_not_overshoot_as_steps_are_scaled_down(model, folder, monkeypatch):
    """Blocks in lockstep are the worst case, because they all read rows before any of them writes its updates."""
    set_chunk_tokens(monkeypatch, 64)
    losses = []
    for blocks, concurrency in ((1, None), (60, None), (60, 1)):
        tables = Tables(random_tables(40, 8, np.float32, scale=0.1).W_in, np.zeros((40, 8), np.float32))
        settings = {"model": model, "epochs": 3, "sample": 0, "alpha": 0.2, "window": 2, "warps": 1, "pool_size": 8}
        settings |= {"blocks": blocks, "concurrency": concurrency, "pool_sync_interval": 1}
        settings["pool_tokens"] = 16  # so that the loss is not measured only where chunks begin
        losses.append(emulate(folder, tables, topics(300), **settings)[-1])
    alone, scaled, unscaled = losses
    assert scaled < 1.3 * alone < unscaled


def test_kernels_are_chosen_by_the_shared_memory_they_need():
    sizes = ("cbow", False, 300, 5, 4, 32)
    whole = word2vec_cuda.choose_kernel(*sizes, True, 232_448)
    assert (whole.held, whole.warps) == (True, 4)
    assert not word2vec_cuda.choose_kernel(*sizes, False, 232_448).held
    small = word2vec_cuda.choose_kernel(*sizes, True, 101_376)
    assert (small.held, small.warps) == (False, 2)
    for kernel in (whole, small):
        assert word2vec_cuda.choose_kernel(*sizes, kernel.held, kernel.shared_bytes()) == kernel
    with pytest.raises(ValueError, match=r"needs [\d,]+ bytes .* vector_size 300, window 5.* has only 49,152"):
        word2vec_cuda.choose_kernel(*sizes, True, 49_152)


def test_rings_are_rounded_up_where_this_costs_no_block():
    sizes = {"double": False, "width": 128, "pool_size": 16, "hold": False, "limit": 232_448}
    for reach, tile, rows, blocks in ((5, 4, 16, 5), (5, 8, 18, 4), (6, 4, 16, 5), (10, 4, 32, 4), (10, 16, 36, 2)):
        kernel = word2vec_cuda.choose_kernel("cbow", reach=reach, tile=tile, **sizes)
        assert (kernel.ring_rows, kernel.min_blocks) == (rows, blocks)
        assert blocks * (kernel.shared_bytes() + 1024) <= 228 << 10
        assert {f"-DRING_ROWS={rows}", f"-DMIN_BLOCKS={blocks}"} <= set(kernel.macros())
    exact = word2vec_cuda.Kernel("cbow", False, 300, 5, 4, 32, False)
    assert not word2vec_cuda.optimize_occupancy(exact, exact.shared_bytes()).rounded_ring


@pytest.mark.parametrize("double", [False, True])
def test_sizes_named_in_a_refusal_fit(double):
    free, V, D = 1 << 30, 3_000_000, 300
    with pytest.raises(MemoryError) as refusal:
        gpu.require_memory(free, V, D, double)
    found = re.search(r"vector_size=(\d+) would fit, or a vocabulary of ([\d,]+) words", str(refusal.value))
    narrow, few = int(found[1]), int(found[2].replace(",", ""))
    gpu.require_memory(free, V, narrow, double)
    gpu.require_memory(free, few, D, double)
    for words, numbers in ((V, narrow + gpu.ROW), (few + 1, D)):
        with pytest.raises(MemoryError):
            gpu.require_memory(free, words, numbers, double)
    with pytest.raises(MemoryError, match=r"no vector_size would fit\. Or train with device='cpu'$"):
        gpu.require_memory(1 << 20, V, D, double)


def test_a_corpus_is_copied_whole_or_by_shuffle_block_or_not_at_all():
    tokens = 10 * gpu.MAX_SHUFFLE_BLOCK
    assert gpu.device_tokens(4 * tokens, tokens) == tokens
    assert gpu.device_tokens(4 * tokens - 1, tokens) == gpu.MAX_SHUFFLE_BLOCK
    assert gpu.device_tokens(8 * gpu.MAX_SHUFFLE_BLOCK, tokens) == gpu.MAX_SHUFFLE_BLOCK
    assert gpu.device_tokens(8 * gpu.MAX_SHUFFLE_BLOCK - 1, tokens) == 0


def test_a_block_alone_keeps_a_pool_for_all_of_its_tokens():
    config = TrainingConfig(pool_tokens=10, tile=4)
    assert gpu.pool_sync_interval(config, alone=True) == 3
    assert gpu.pool_sync_interval(config, alone=False) == gpu.POOL_SYNC_INTERVAL


@needs_compiler
class TestTraining:
    """The parts of `gpu.train` outside the kernels, with the fake CuPy."""

    def start(self) -> Tables:
        tables = gpu.allocate((40, 10), "cuda:0")
        tables.W_in[...] = fake_cupy.asarray(random_tables(40, 10, np.float32, scale=0.05).W_in)
        return tables

    def test_its_own_tables_are_trained_in_place_and_others_alike(self, folder):
        results = []
        with device(folder):
            for given in (self.start(), copies(self.start())):
                losses = train(gpu, given, topics(60), window=2, epochs=2, alpha=0.05, workers=1)
                results.append((losses, *given))
            assert results[0][1].base.shape == (40, 12)
            assert not results[0][1].base[:, 10:].any()
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert results[0][2].any()

    @pytest.mark.parametrize(("workers", "resident", "blocks"), [(None, 3, 3), (None, 99, 12), (5, 3, 5), (1, 3, 1)])
    def test_steps_are_scaled_down_for_as_many_blocks_as_run(self, workers, resident, blocks, folder, monkeypatch):
        set_chunk_tokens(monkeypatch, 64)  # twelve chunks
        monkeypatch.setattr(word2vec_cuda, "resident_blocks", lambda *_: resident)
        grids, concurrencies = [], []
        call, max_rates = fake_cupy.Function.__call__, gpu.max_rates

        def noted_call(self: fake_cupy.Function, grid: tuple[int], *rest: Any, **more: Any) -> None:
            grids.append(*grid)
            call(self, grid, *rest, **more)

        def noted_max_rates(*arrays: Any, concurrency: int, **settings: Any) -> Any:
            concurrencies.append(concurrency)
            return max_rates(*arrays, concurrency=concurrency, **settings)

        monkeypatch.setattr(fake_cupy.Function, "__call__", noted_call)
        monkeypatch.setattr(gpu, "max_rates", noted_max_rates)
        with device(folder):
            train(gpu, self.start(), topics(60), window=2, epochs=1, sample=0, alpha=0.08, workers=workers)
        assert (grids[0], concurrencies) == (blocks, [blocks])

    def test_progress_between_launches(self, folder, monkeypatch):
        set_chunk_tokens(monkeypatch, 64)
        monkeypatch.setattr(gpu, "LAUNCH_SECONDS", 1e-6)
        seen = []
        corpus = topics(60)
        settings = {"window": 2, "epochs": 2, "alpha": 0.1, "min_alpha": 0.01, "workers": 2}
        with device(folder):
            train(gpu, self.start(), corpus, on_progress=lambda *state: seen.append(state), **settings)
        words = [state[0] for state in seen]
        assert words == sorted(words)
        assert words[-1] == 2 * len(corpus)
        # Twelve chunks of five sentences per epoch: sixteen in the first launch, and two in each of the others.
        assert len(words) == 1 + (2 * -(-720 // 60) - 2 * gpu.FIRST_LAUNCH_ITEMS) // 2 == 5
        for done, loss, rate in seen:
            assert 0 < loss < 6
            assert rate == pytest.approx(0.1 - 0.09 * done / words[-1])

    @pytest.mark.parametrize("whole", [True, False])
    def test_a_run_continues_from_every_pause(self, whole, folder, monkeypatch):
        set_chunk_tokens(monkeypatch, 64)  # twelve chunks in an epoch
        monkeypatch.setattr(gpu, "LAUNCH_SECONDS", 1e-6)
        monkeypatch.setattr(gpu, "SHUFFLE_BLOCK_TOKENS", 256)
        monkeypatch.setattr(gpu, "device_tokens", lambda *_: 720 if whole else 320)
        corpus, settings = topics(60), {"window": 2, "epochs": 2, "alpha": 0.1, "workers": 1}
        with device(folder):
            expected = self.start()
            losses = train(gpu, expected, corpus, **settings)
            tables = self.start()
            pauses = StopAtPause(tables, 1000)
            train(gpu, tables, corpus, pauses=pauses, **settings)
            words = list(pauses.words)
            assert len(corpus) in words
            for last in range(0, len(words), 5):
                pauses = StopAtPause(tables := self.start(), last)
                with pytest.raises(KeyboardInterrupt):
                    train(gpu, tables, corpus, pauses=pauses, **settings)
                tables = self.start()
                for W, kept in zip(tables, pauses.kept, strict=True):
                    W[...] = kept
                again = train(gpu, tables, corpus, state=pauses.state, **settings)
                np.testing.assert_allclose(again, losses, rtol=1e-6)
                for ours, theirs in zip(tables, expected, strict=True):  # the order of a block's additions is not fixed
                    np.testing.assert_allclose(ours.view(np.ndarray), theirs.view(np.ndarray), rtol=0, atol=1e-6)

    def test_a_launch_ends_where_a_pause_is_due(self, folder, monkeypatch):
        set_chunk_tokens(monkeypatch, 64)  # chunks of 60 words

        class Pauses(StopAtPause):
            def next_words(self, words: int) -> int:
                return (words // 250 + 1) * 250

        with device(folder):
            pauses = Pauses(tables := self.start(), 1000)
            train(gpu, tables, topics(60), window=2, epochs=2, alpha=0.1, workers=1, pauses=pauses)
        # Launches would be longer otherwise: each ends at the first chunk after 250, 500, ... words.
        assert pauses.words == [300, 540, 780, 1020, 1260, 1440]

    def test_a_loss_that_is_not_finite_is_an_error_that_says_where(self, folder):
        with device(folder):
            tables = self.start()
            tables.W_in[3, 2] = np.nan
            message = r"nan in epoch 1, between word 0 and word 720 of .* at learning rate 0\.2.* a lower alpha"
            with pytest.raises(FloatingPointError, match=message):
                train(gpu, tables, topics(60), window=2, alpha=0.2)

    def test_weights_that_diverge_after_the_last_measured_prediction_are_noticed(self, folder):
        with device(folder):
            tables = self.start()
            tables.W_in[...] = 1e37  # while W_out is zero, the loss is finite, but the steps of W_out are infinite
            with pytest.raises(FloatingPointError, match=r"the trained weights contain .* a lower alpha"):
                train(gpu, tables, corpus_of(np.arange(8), [0, 8], 40), window=2, alpha=100, epochs=1, sample=0)

    def test_memory_is_planned_before_training(self, folder):
        with device(folder):
            tables = self.start()
        with device(folder, free=gpu.RESERVED_BYTES), pytest.raises(MemoryError, match=r"lower vector_size \(now 10\)"):
            train(gpu, tables, topics(60), window=2)
        with device(folder, free=gpu.RESERVED_BYTES), pytest.raises(MemoryError, match="no vector_size would fit"):
            gpu.allocate((40, 10), "cuda")
        assert not tables.W_out.any()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"workers": 0}, "workers is 0"),
            ({"ids": np.array([0, 40])}, "must lie in 0..39"),
            ({"ids": np.array([0.5, 1])}, "integer word ids"),
            ({"ids": np.array([], int)}, "empty"),
            ({"offsets": np.array([0, 5])}, "offsets must not decrease"),
            ({"counts": np.ones(3, int)}, "3 words, but the tables have 40 rows"),
            ({"vector_size": 9}, "vector_size is 9"),
            ({"W_out": np.zeros((40, 10), np.float32)}, "must be CuPy arrays on the same device"),
            ({"W_out": fake_cupy.zeros((40, 11), np.float32)}, "the same shape"),
            ({"W_in": fake_cupy.zeros((40, 9), int), "W_out": fake_cupy.zeros((40, 9), int)}, "float32 or float64"),
        ],
    )
    def test_arguments_that_do_not_fit_are_refused(self, change, message, folder):
        good = topics(60)
        given = {"ids": good.ids, "offsets": good.offsets, "counts": good.vocabulary.counts} | change
        vocabulary = Vocabulary([str(i) for i in range(len(given["counts"]))], given["counts"])
        corpus = Corpus(given["ids"], given["offsets"], vocabulary)
        config = TrainingConfig(vector_size=given.get("vector_size", 10))
        with device(folder):
            tables = self.start()._replace(**{name: given[name] for name in Tables._fields if name in given})
            with pytest.raises(ValueError, match=message):
                gpu.train(tables, corpus, config, workers=given.get("workers"))


def test_without_cupy_the_engine_says_so(monkeypatch):
    monkeypatch.setattr(word2vec_cuda, "cuda_problem", lambda: "CuPy is on holiday")
    assert gpu.unavailable_reason() == "CuPy is on holiday"
    with pytest.raises(RuntimeError, match=r"cannot be used. CuPy is on holiday"):
        train(gpu, random_tables(40, 10, np.float32), topics(10))


def split_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tensor cores compute products nearly to the precision of float32."""
    macros = word2vec_cuda.Kernel.macros
    monkeypatch.setattr(word2vec_cuda.Kernel, "macros", lambda kernel: (*macros(kernel), "-DSPLIT=1"))


@pytest.mark.gpu
class TestOnAGpu:
    # Each combination of case and interval is compiled separately, which takes a few seconds.
    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    @pytest.mark.parametrize(
        ("case", "interval", "dtype"),
        [
            pytest.param(*which, marks=[] if which[1:] in ((1000, np.float32), (1, np.float64)) else pytest.mark.slow)
            for which in itertools.product(CASES, [1, 3, 1000], [np.float64, np.float32])
        ],
    )
    def test_one_block_equals_the_reference(self, case, interval, model, dtype, cupy, monkeypatch):
        (V, D, n, longest), settings = CASES[case]
        if "long steps" in case and dtype == np.float32:
            pytest.skip("steps that long multiply rounding, too, with every tile")
        settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
        monkeypatch.setattr(gpu, "pool_sync_interval", lambda *_, **__: interval)
        split_products(monkeypatch)
        corpus = zipf_corpus(V, n, longest)
        start = random_tables(V, D, dtype)
        theirs = copies(start)
        expected = train(reference, theirs, corpus, pool_sync_interval=interval, **settings)
        ours = Tables(*map(cupy.asarray, start))
        loss = train(gpu, ours, corpus, workers=1, **settings)
        tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
        np.testing.assert_allclose(loss, expected, rtol=tolerance)
        for W, E in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(cupy.asnumpy(W), E, rtol=0, atol=tolerance)

    @staticmethod
    def start(cupy: Any) -> Tables:
        tables = gpu.allocate((40, 8), "cuda")
        tables.W_in[...] = cupy.asarray(random_tables(40, 8, np.float32, scale=0.1).W_in)
        return tables

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_many_blocks_learn_as_one_does(self, model, cupy):
        losses, vectors = [], []
        for workers in (1, None):
            tables = self.start(cupy)
            settings = {"model": model, "epochs": 2, "sample": 0, "alpha": 0.05, "window": 2}
            losses.append(train(gpu, tables, topics(20_000), workers=workers, **settings))
            vectors.append(cupy.asnumpy(tables.W_in))
        assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
        for W in vectors:
            assert share_of_topic_neighbors(W) > 0.95

    def test_whole_or_by_shuffle_block_is_the_same(self, cupy, monkeypatch):
        monkeypatch.setattr(gpu, "SHUFFLE_BLOCK_TOKENS", 2 * gpu.CHUNK_TOKENS)
        results = []
        for tokens in (1 << 20, 3 * gpu.CHUNK_TOKENS):
            monkeypatch.setattr(gpu, "device_tokens", lambda *_, tokens=tokens: tokens)
            tables = self.start(cupy)
            train(gpu, tables, topics(5000), workers=1, epochs=2, window=2, alpha=0.05)
            results.append(cupy.asnumpy(tables.W_in))
        np.testing.assert_allclose(*results, rtol=0, atol=1e-3)  # the order of a block's additions is not fixed

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_as_many_blocks_run_as_planned(self, model, cupy):
        pool_size = TrainingConfig(model=model).pool_size
        for width in (100, 128):
            kernel, function = word2vec_cuda.compile_kernel(model, False, width, 5, TILE, pool_size, False)
            multiprocessors = cupy.cuda.Device().attributes["MultiProcessorCount"]
            assert word2vec_cuda.resident_blocks(kernel, function) >= multiprocessors * kernel.min_blocks
            assert function.local_size_bytes < 64 + word2vec_cuda.ARGUMENTS.itemsize

    def test_tables_that_do_not_fit_are_refused_first(self, cupy):
        with pytest.raises(MemoryError, match=r"need [\d.]+ GiB .* would fit"):
            gpu.allocate((1_000_000_000, 300), "cuda")

    def test_a_second_device(self, cupy):
        if cupy.cuda.runtime.getDeviceCount() < 2:
            pytest.skip("there is one device")
        W_in, W_out = gpu.allocate((40, 8), "cuda:1")
        W_in += 0.1
        train(gpu, Tables(W_in, W_out), topics(100), epochs=1, window=2)
        assert W_in.device.id == 1
        assert bool(W_out.any())

    def test_the_estimator(self, cupy):
        from fastw2v.word2vec import Word2Vec

        corpus = topics(2000)
        lines = [[f"w{i}" for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.offsets)]
        settings = {"vector_size": 16, "sample": 0, "epochs": 3, "window": 3}
        wv = Word2Vec(**settings, device="cuda", engine="fused").fit(lines).wv
        near = {int(word[1:]) // 8 for word, _ in wv.most_similar("w0", topn=5)}
        assert near == {0}


def test_the_docs_say_which_sources_were_run_on_a_gpu():
    """Whoever changes a kernel must say that it was not measured, or measure it again (``make gpu-check``)."""
    root = Path(__file__).parents[2]
    page = (root / "docs/concepts/gpu.md").read_text(encoding="utf-8")
    (measured,) = re.findall(r"`([0-9a-f]{64})`", page)
    reports = [path.read_text(encoding="utf-8") for path in (root / "benchmarks/results").glob("*.json")]
    assert any(f'"source_sha256": "{measured}"' in report for report in reports)
    sources = sorted(word2vec_cuda.SOURCE.parent.glob("*.cu"))
    current = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    assert ("The measured kernels are the current ones." in page) is (measured == current)
