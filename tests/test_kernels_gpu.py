"""The CUDA source: without a GPU, run by a small shim and compiled for every architecture; with one, trained on it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from gpu_shim import nvrtc, ptx, stand_in

from fastw2v.kernels import gpu, naive
from fastw2v.kernels.schedule import POOL_SIZE, TILE, pool_size_for

SHIM = Path(__file__).with_name("gpu_shim") / "shim.cpp"
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="the shim needs g++")


def corpus(V: int, n: int, longest: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return word ids by Zipf's law, offsets of sentences of 0 to `longest` words, and counts."""
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.zipf(1.5, n) - 1, V - 1).astype(np.int32)
    ends = np.cumsum(rng.integers(0, longest + 1, 4 * n // longest + 4))
    offsets = np.concatenate([[0], ends[ends < n], [n]])
    return ids, offsets, np.bincount(ids, minlength=V)


def tables(V: int, D: int, dtype: type, seed: int = 0, scale: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple((rng.standard_normal((V, D)) * scale).astype(dtype) for _ in range(2))


def build(folder: Path, macros: Sequence[str], *options: str, source: Path = gpu.SOURCE) -> Path:
    """Compile the shim around the CUDA source, or around what `ptx` made of it."""
    output = folder / "-".join([*(macro.split("=")[-1] for macro in macros), *options, source.stem])
    if not output.exists():
        command = ["g++", "-std=c++17", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function", *macros, *options]
        subprocess.run([*command, f'-DSOURCE="{source}"', "-o", str(output), str(SHIM)], check=True)
    return output


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu_shim")


@contextlib.contextmanager
def device(
    folder: Path, vector: bool = False, order: int = 0, free: int = 1 << 34, architecture: int | None = None
) -> Iterator[None]:
    """Let CuPy be the stand-in and its kernels those of the shim, whose threads take turns in an order.

    With an architecture they are what NVIDIA's compiler made of the source for it.
    """

    def compiled(options: tuple[str, ...]) -> ctypes.CDLL:
        macros = [option for option in options if option.startswith("-D")]
        how = ["-fPIC", "-shared", f"-DVECTOR={int(vector)}"]
        if architecture is None:
            return ctypes.CDLL(str(build(folder, macros, "-O1", *how)))
        _, made = nvrtc.compiled(gpu.SOURCE, f"compute_{architecture}", macros)
        source = folder / f"ptx-{zlib.crc32(made.encode())}.cpp"
        source.write_text(ptx.to_cpp(made, str(gpu.SOURCE)), encoding="utf-8")
        return ctypes.CDLL(str(build(folder, macros, "-O0", "-w", *how, source=source)))

    with stand_in.installed(compiled, free), patch.object(stand_in.Function, "order", order):
        yield


def train(
    folder: Path,
    W_in: np.ndarray,
    W_out: np.ndarray,
    *corpus: np.ndarray,
    blocks: int = 1,
    refresh: int = 1000,
    warps: int = gpu.WARPS,
    in_sections: bool = False,
    vector: bool = False,
    order: int = 0,
    architecture: int | None = None,
    **settings: Any,
) -> np.ndarray:
    """Call `gpu.train` on the shim, with `blocks` and a `refresh` of its own; with 1, pools are not held."""
    here = [W.view(stand_in.Array) for W in (W_in, W_out)]
    with (
        device(folder, vector, order, architecture=architecture),
        patch.object(gpu, "tiles_held", lambda *_: refresh),
        patch.object(gpu, "WARPS", warps),
        patch.object(gpu, "piece_tokens", lambda _, tokens: gpu.SECTION + gpu.STRETCH if in_sections else tokens),
    ):
        return gpu.train(*here, *corpus, workers=blocks, **settings)


# The cases of the engine of the processor, with fewer tokens: words, numbers in a vector, tokens, longest sentence.
CASES = {
    "defaults": ((120, 100, 700, 30), {"sample": 0.01}),
    "odd": ((50, 129, 500, 17), {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3}),
    "classic": ((40, 7, 400, 9), {"tile": 1, "pool_tokens": 1, "pool_size": 5}),
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
    "crowded": ((120, 40, 700, 30), {"crowd": 50, "alpha": 0.2, "pool_tokens": 64}),
}
# Ways of the device that change nothing but rounding.
WAYS = {
    "held": {},
    "refreshed": {"refresh": 3, "vector": True, "order": 1},
    "not held": {"refresh": 1, "vector": True, "order": 2},
    "one warp": {"warps": 1, "order": 1},
    "eight warps": {"warps": 8, "order": 2, "vector": True},
    "sixteen warps": {"warps": 16, "refresh": 2},
    "in sections": {"in_sections": True, "section": 240, "stretch": 100},
}
# What is run by default; all of it is run with the slow tests.
QUICK = {
    ("defaults", "refreshed", np.float32), ("odd", "held", np.float64), ("one word", "one warp", np.float64),
    ("short lines", "not held", np.float32), ("wide rows", "held", np.float32),
    ("odd", "sixteen warps", np.float32), ("crowded", "refreshed", np.float32), ("defaults", "in sections", np.float64),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "way", "dtype"),
    [
        pytest.param(*which, marks=[] if which in QUICK else pytest.mark.slow)
        for which in itertools.product(CASES, WAYS, [np.float64, np.float32])
        # Steps that long multiply rounding, too, at every turn: the longest from section to section beyond 1e-10.
        if "long steps" not in which[0] or which[2] == np.float64
        if which[:2] != ("long steps", "in sections")
    ],
)
def test_one_block_equals_the_twin(case, way, model, dtype, folder, monkeypatch):
    check_against_the_twin(case, way, model, dtype, folder, monkeypatch)


def check_against_the_twin(case, way, model, dtype, folder, monkeypatch, architecture=None):
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    ids, offsets, counts = corpus(V, n, longest)
    start = tables(V, D, dtype)
    ours, theirs = [W.copy() for W in start], [W.copy() for W in start]
    how = dict(WAYS[way])
    for name in ("STRETCH", "SECTION"):
        size = how.pop(name.lower(), getattr(gpu, name))
        monkeypatch.setattr(gpu, name, size)
        monkeypatch.setattr(naive, name, size)
    if dtype == np.float64:
        how.pop("vector", None)
    loss = train(folder, *ours, ids, offsets, counts, architecture=architecture, **settings | how)
    expected = naive.train(*theirs, ids, offsets, counts, refresh=how.get("refresh"), **settings)
    # Rounding grows about as a random walk does.
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


# Those that the source, or NVIDIA's compiler, treats differently.
MADE_FOR = [75, 80, 90, 120]
QUICKLY_MADE = {
    ("defaults", "refreshed", np.float32, 90), ("odd", "held", np.float64, 75),
    ("short lines", "not held", np.float32, 120),
}  # fmt: skip


@needs_compiler
@nvrtc.needed
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "way", "dtype", "architecture"),
    [
        pytest.param(*which, marks=[] if which in QUICKLY_MADE else pytest.mark.slow)
        for which in itertools.product(CASES, WAYS, [np.float64, np.float32], MADE_FOR)
        if which[:3] in QUICK
    ],
)
def test_what_nvidia_made_of_it_equals_the_twin(case, way, model, dtype, architecture, folder, monkeypatch):
    check_against_the_twin(case, way, model, dtype, folder, monkeypatch, architecture)


@needs_compiler
@nvrtc.needed
def test_what_nvidia_made_of_it_has_to_wait_for_its_copies(folder, monkeypatch):
    """A test of the test: rows that are read before they have come are noticed."""
    compiled = nvrtc.compiled

    def without_waiting(*given: Any) -> tuple[str, str]:
        log, made = compiled(*given)
        assert made.count("cp.async.wait_all;") == 4
        return log, made.replace("cp.async.wait_all;", "")

    monkeypatch.setattr(nvrtc, "compiled", without_waiting)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_against_the_twin("one number", "held", "skipgram", np.float64, folder, monkeypatch, 80)


def themes(sentences: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a corpus of sentences that each keep to one of five themes of eight words."""
    rng = np.random.default_rng(0)
    ids = (8 * rng.integers(0, 5, (sentences, 1)) + rng.integers(0, 8, (sentences, 12))).astype(np.int32)
    return ids.ravel(), np.arange(0, ids.size + 1, 12), np.bincount(ids.ravel(), minlength=40)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_many_blocks_train_every_stretch_and_learn_as_one_does(model, folder, monkeypatch):
    monkeypatch.setattr(gpu, "STRETCH", 128)
    losses, vectors = [], []
    for blocks in (1, 6):
        W_in, W_out = tables(40, 8, np.float32, scale=0.1)[0], np.zeros((40, 8), np.float32)
        settings = {"model": model, "epochs": 4, "sample": 0, "alpha": 0.05, "window": 2, "warps": 2, "pool_size": 8}
        losses.append(train(folder, W_in, W_out, *themes(250), blocks=blocks, refresh=2, order=2, **settings))
        vectors.append(W_in)
    assert (vectors[0] != vectors[1]).any()
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
    for W in vectors:
        unit = W / np.linalg.norm(W, axis=1, keepdims=True)
        near = np.argsort(-unit @ unit.T, axis=1)[:, :8]  # a word and its seven companions
        assert (near // 8 == np.arange(40)[:, None] // 8).mean() > 0.95


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_tables_of_more_than_two_to_the_31_numbers(model, folder, tmp_path):
    # The rows that are used lie at the end of 2.2 million; the others are a hole in a file.
    V, D, used = 2_200_000, 1024, 7
    ids, offsets, _ = corpus(used, 40, 20)
    ids = ids + (V - used)
    counts = np.bincount(ids, minlength=V)
    settings = {"model": model, "epochs": 1, "sample": 0, "alpha": 0.05, "window": 2, "pool_size": 4}
    results = []
    for how in (functools.partial(train, folder, refresh=1), naive.train):
        big = [np.asarray(np.memmap(tmp_path / name, np.float32, "w+", shape=(V, D))) for name in ("W_in", "W_out")]
        for W, rows in zip(big, tables(used, D, np.float32, scale=0.05), strict=True):
            W[-used:] = rows
        how(*big, ids, offsets, counts, **settings)
        results.append([W[-used:].copy() for W in big])
    for ours, theirs, start in zip(*results, tables(used, D, np.float32, scale=0.05), strict=True):
        assert np.abs(theirs - start).max() > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("model", [0, 1])
def test_only_declared_races(model, folder):
    """Threads of the system run a block under ThreadSanitizer: without a fault, and with a barrier taken out."""
    kernel = gpu.Kernel("cbow", False, 12, 3, 4, 8, True, 2)
    program = build(folder, kernel.macros(), "-O1", "-g", "-fsanitize=thread", "-DTHREADS_ARE_REAL", "-DVECTOR=1")

    def reports(line: int) -> int:
        done = subprocess.run([program, str(model), str(line)], capture_output=True, text=True, timeout=60)
        return done.stderr.count("WARNING: ThreadSanitizer: data race")

    assert reports(0) == 0
    source = gpu.SOURCE.read_text(encoding="utf-8").splitlines()
    after_enter = next(i for i, line in enumerate(source, 1) if "read_targets(n);" in line)
    barrier = next(i for i, line in enumerate(source, 1) if i > after_enter and "__syncthreads" in line)
    assert reports(barrier) > 0


ARCHITECTURES = {75: 64, 80: 164, 86: 100, 89: 100, 90: 228, 100: 228, 120: 100}
"""With the KiB of shared memory of a multiprocessor, which has 65,536 registers on all of them."""
KERNELS = {
    "defaults": gpu.Kernel("cbow", False, 100, 5, TILE, POOL_SIZE["cbow"], False),
    "skip-gram's pool": gpu.Kernel("cbow", False, 100, 5, TILE, POOL_SIZE["skipgram"], False),
    "pool held": gpu.Kernel("cbow", False, 100, 5, TILE, POOL_SIZE["cbow"], True),
    "128 numbers": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE["cbow"], False),
    "128 numbers, pool held": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE["cbow"], True),
    "300 numbers": gpu.Kernel("cbow", False, 300, 10, TILE, pool_size_for("cbow", 5, 300), False),
    "tiles of 16": gpu.Kernel("cbow", False, 128, 5, 16, POOL_SIZE["cbow"], True),
    "float64": gpu.Kernel("cbow", True, 100, 5, TILE, POOL_SIZE["cbow"], False),
    "two warps": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE["cbow"], False, 2),
    "eight warps": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE["cbow"], False, 8),
    "sixteen warps": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE["cbow"], False, 16),
}


def registers(kernel: gpu.Kernel, architecture: int) -> dict[str, dict[str, int]]:
    """Compile the source; return the registers and the bytes spilled of each function."""
    log, _ = nvrtc.compiled(gpu.SOURCE, f"sm_{architecture}", kernel.macros(), "--ptxas-options=-v")
    found = re.findall(
        r"Function properties for (\w+).*?(\d+) bytes spill stores.*?Used (\d+) registers", log, re.DOTALL
    )
    return {name: {"registers": int(used), "spilled": int(spilled)} for name, spilled, used in found}


@nvrtc.needed
@pytest.mark.parametrize(
    "case", [name if name == "defaults" else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_nvidia_s_compiler_takes_the_source_for_every_architecture(case):
    for architecture, shared in ARCHITECTURES.items():
        found = registers(KERNELS[case], architecture)
        assert set(found) == {"cbow_ns", "skipgram_ns"}
        for model, (name, used) in zip(("cbow", "skipgram"), sorted(found.items()), strict=True):
            kernel = KERNELS[case]._replace(model=model)
            assert name == kernel.name
            # Registers leave room for as many blocks as shared memory does, or for sixteen warps.
            blocks = min(shared * 1024 // (kernel.shared_bytes() + 1024), max(1, 16 // kernel.warps))
            assert blocks * 32 * kernel.warps * used["registers"] <= 1 << 16, (architecture, name, used, blocks)
            assert used["spilled"] <= 64, (architecture, name, used)


def test_sentence_ends_are_signs():
    ids, offsets = np.arange(7), np.array([0, 0, 3, 3, 6, 7])
    sign = -(2**31)
    np.testing.assert_array_equal(gpu.mark_ends(ids, offsets, 0, 7), [0, 1, 2 + sign, 3, 4, 5 + sign, 6 + sign])
    np.testing.assert_array_equal(gpu.mark_ends(ids, offsets, 3, 5), [3, 4])
    np.testing.assert_array_equal(gpu.mark_ends(ids, offsets, 2, 6), [2 + sign, 3, 4, 5 + sign])


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_a_crowd_does_not_overshoot_as_steps_make_way(model, folder, monkeypatch):
    """Blocks in step, which all read what none of them has written, are the worst case."""
    monkeypatch.setattr(gpu, "STRETCH", 64)
    losses = []
    for blocks, crowd in ((1, None), (60, None), (60, 1)):
        W_in, W_out = tables(40, 8, np.float32, scale=0.1)[0], np.zeros((40, 8), np.float32)
        settings = {"model": model, "epochs": 3, "sample": 0, "alpha": 0.2, "window": 2, "warps": 1, "pool_size": 8}
        words = themes(300)
        losses.append(train(folder, W_in, W_out, *words, blocks=blocks, refresh=1, crowd=crowd, **settings)[-1])
    alone, in_a_crowd, regardless = losses
    assert in_a_crowd < 1.3 * alone < regardless


def test_kernels_are_chosen_by_the_shared_memory_they_need():
    sizes = ("cbow", False, 300, 5, 4, 32)
    whole = gpu.choose_kernel(*sizes, True, 232_448)
    assert (whole.held, whole.warps) == (True, 4)
    assert not gpu.choose_kernel(*sizes, False, 232_448).held
    small = gpu.choose_kernel(*sizes, True, 101_376)
    assert (small.held, small.warps) == (False, 2)
    for kernel in (whole, small):
        assert gpu.choose_kernel(*sizes, kernel.held, kernel.shared_bytes()) == kernel
    with pytest.raises(ValueError, match=r"needs [\d,]+ bytes .* vector_size 300, window 5.* this device has 49,152"):
        gpu.choose_kernel(*sizes, True, 49_152)


@pytest.mark.parametrize("double", [False, True])
def test_sizes_named_in_a_refusal_fit(double):
    free, V, D = 1 << 30, 3_000_000, 300
    with pytest.raises(MemoryError) as refusal:
        gpu.check_room(free, V, D, double)
    found = re.search(r"vector_size=(\d+) would fit, or a vocabulary of ([\d,]+) words", str(refusal.value))
    narrow, few = int(found[1]), int(found[2].replace(",", ""))
    gpu.check_room(free, V, narrow, double)
    gpu.check_room(free, few, D, double)
    for words, numbers in ((V, narrow + gpu.ROW), (few + 1, D)):
        with pytest.raises(MemoryError):
            gpu.check_room(free, words, numbers, double)
    with pytest.raises(MemoryError, match="no vector_size would fit"):
        gpu.check_room(1 << 20, V, D, double)


def test_a_corpus_goes_whole_or_in_sections_or_not_at_all():
    tokens = 10 * gpu.PIECE
    assert gpu.piece_tokens(4 * tokens, tokens) == tokens
    assert gpu.piece_tokens(4 * tokens - 1, tokens) == gpu.PIECE
    assert gpu.piece_tokens(8 * gpu.PIECE, tokens) == gpu.PIECE
    assert gpu.piece_tokens(8 * gpu.PIECE - 1, tokens) == 0


@needs_compiler
class TestTraining:
    """What `gpu.train` does around the kernels, with the stand-in for CuPy."""

    def start(self) -> list[Any]:
        W_in, W_out = gpu.tables((40, 10), "cuda:0")
        W_in[...] = stand_in.asarray(tables(40, 10, np.float32, scale=0.05)[0])
        return [W_in, W_out]

    def test_its_own_tables_are_trained_in_place_and_others_alike(self, folder):
        results = []
        with device(folder):
            for given in (self.start(), [W.copy() for W in self.start()]):
                losses = gpu.train(*given, *themes(60), window=2, epochs=2, alpha=0.05, workers=1)
                results.append((losses, *given))
            assert results[0][1].base.shape == (40, 12)
            assert not results[0][1].base[:, 10:].any()
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert results[0][2].any()

    @pytest.mark.parametrize(("workers", "resident", "blocks"), [(None, 3, 3), (None, 99, 12), (5, 3, 5), (1, 3, 1)])
    def test_as_many_blocks_as_fit_make_way_for_each_other(self, workers, resident, blocks, folder, monkeypatch):
        monkeypatch.setattr(gpu, "STRETCH", 64)  # twelve of them
        monkeypatch.setattr(gpu, "_resident", lambda *_: resident)
        grids, crowds = [], []
        launched, real = stand_in.Function.__call__, gpu.limits

        def noted(self: stand_in.Function, grid: tuple[int], *rest: Any, **more: Any) -> None:
            grids.append(*grid)
            launched(self, grid, *rest, **more)

        def asked(*words: Any, crowd: int, **settings: Any) -> Any:
            crowds.append(crowd)
            return real(*words, crowd=crowd, **settings)

        monkeypatch.setattr(stand_in.Function, "__call__", noted)
        monkeypatch.setattr(gpu, "limits", asked)
        with device(folder):
            gpu.train(*self.start(), *themes(60), window=2, epochs=1, sample=0, alpha=0.08, workers=workers)
        assert (grids[0], crowds) == (blocks, [blocks])

    def test_progress_between_launches(self, folder, monkeypatch):
        monkeypatch.setattr(gpu, "STRETCH", 64)
        monkeypatch.setattr(gpu, "LAUNCH_SECONDS", 1e-6)
        seen = []
        ids, offsets, counts = themes(60)
        with device(folder):
            gpu.train(
                *self.start(), ids, offsets, counts, window=2, epochs=2, alpha=0.1, min_alpha=0.01, workers=2,
                on_progress=lambda *state: seen.append(state),
            )  # fmt: skip
        words = [state[0] for state in seen]
        assert words == sorted(words)
        assert words[-1] == 2 * len(ids)
        assert len(words) == -(-2 * 720 // 60) // 2  # twelve stretches of five sentences an epoch, two in a launch
        for done, loss, rate in seen:
            assert 0 < loss < 6
            assert rate == pytest.approx(0.1 - 0.09 * done / words[-1])

    def test_a_loss_that_is_not_finite_is_an_error_that_says_where(self, folder):
        with device(folder):
            W_in, W_out = self.start()
            W_in[3, 2] = np.nan
            with pytest.raises(FloatingPointError, match=r"epoch 1, between word 0 and word 720 of .* lower alpha"):
                gpu.train(W_in, W_out, *themes(60), window=2)

    def test_memory_is_planned_before_training(self, folder):
        with device(folder):
            given = self.start()
        with device(folder, free=gpu.SPARE), pytest.raises(MemoryError, match=r"lower vector_size \(now 10\)"):
            gpu.train(*given, *themes(60), window=2)
        with device(folder, free=gpu.SPARE), pytest.raises(MemoryError, match="raise min_count"):
            gpu.tables((40, 10), "cuda")
        assert not given[1].any()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"window": 0}, "window is 0"),
            ({"tile": 0}, "tile is 0"),
            ({"workers": 0}, "workers is 0"),
            ({"model": "glove"}, "'cbow' or 'skipgram'"),
            ({"cbow_grad": "max"}, "'mean', 'balanced' or 'sum'"),
            ({"alpha": float("nan")}, "alpha is nan"),
            ({"corpus_ids": np.array([0, 40])}, "must lie in 0..39"),
            ({"corpus_ids": np.array([0.5, 1])}, "integer word ids"),
            ({"corpus_ids": np.array([], int)}, "empty"),
            ({"offsets": np.array([0, 5])}, "offsets must rise"),
            ({"counts": np.ones(3, int)}, "3 counts for 40 rows"),
            ({"W_out": np.zeros((40, 10), np.float32)}, "must be arrays of one CUDA device"),
            ({"W_out": stand_in.zeros((40, 11), np.float32)}, "alike"),
            ({"W_in": stand_in.zeros((40, 9), int), "W_out": stand_in.zeros((40, 9), int)}, "float32 or float64"),
        ],
    )
    def test_settings_and_arrays_that_cannot_be_are_refused(self, change, message, folder):
        with device(folder):
            given = dict(zip(("W_in", "W_out"), self.start(), strict=True))
            given |= dict(zip(("corpus_ids", "offsets", "counts"), themes(60), strict=True)) | change
            with pytest.raises(ValueError, match=message):
                gpu.train(**given)


def test_without_cupy_the_engine_says_so(monkeypatch):
    monkeypatch.setattr(gpu, "cuda_problem", lambda: "CuPy is on holiday")
    assert gpu.problem() == "CuPy is on holiday"
    with pytest.raises(RuntimeError, match=r"cannot be used. CuPy is on holiday"):
        gpu.train(*tables(40, 10, np.float32), *themes(10))


@pytest.mark.gpu
class TestOnAGpu:
    # Each case with each way is compiled anew, in some seconds.
    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    @pytest.mark.parametrize(
        ("case", "refresh", "dtype"),
        [
            pytest.param(*which, marks=[] if which[1:] in ((1000, np.float32), (1, np.float64)) else pytest.mark.slow)
            for which in itertools.product(CASES, [1, 3, 1000], [np.float64, np.float32])
        ],
    )
    def test_one_block_equals_the_twin(self, case, refresh, model, dtype, cupy, monkeypatch):
        (V, D, n, longest), settings = CASES[case]
        if "long steps" in case and dtype == np.float32:
            pytest.skip("steps that long multiply rounding, too, at every turn")
        settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
        monkeypatch.setattr(gpu, "tiles_held", lambda *_: refresh)
        words = corpus(V, n, longest)
        start = tables(V, D, dtype)
        theirs = [W.copy() for W in start]
        expected = naive.train(*theirs, *words, refresh=refresh, **settings)
        ours = [cupy.asarray(W) for W in start]
        loss = gpu.train(*ours, *words, workers=1, **settings)
        tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
        np.testing.assert_allclose(loss, expected, rtol=tolerance)
        for W, E in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(cupy.asnumpy(W), E, rtol=0, atol=tolerance)

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_many_blocks_learn_as_one_does(self, model, cupy):
        losses, vectors = [], []
        for workers in (1, None):
            W_in, W_out = gpu.tables((40, 8), "cuda")
            W_in[...] = cupy.asarray(tables(40, 8, np.float32, scale=0.1)[0])
            settings = {"model": model, "epochs": 2, "sample": 0, "alpha": 0.05, "window": 2}
            losses.append(gpu.train(W_in, W_out, *themes(20_000), workers=workers, **settings))
            vectors.append(cupy.asnumpy(W_in))
        assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
        for W in vectors:
            unit = W / np.linalg.norm(W, axis=1, keepdims=True)
            near = np.argsort(-unit @ unit.T, axis=1)[:, :8]
            assert (near // 8 == np.arange(40)[:, None] // 8).mean() > 0.95

    def test_whole_or_in_sections_is_the_same(self, cupy, monkeypatch):
        monkeypatch.setattr(gpu, "SECTION", 2 * gpu.STRETCH)
        results = []
        for piece in (1 << 20, 3 * gpu.STRETCH):
            monkeypatch.setattr(gpu, "piece_tokens", lambda *_, piece=piece: piece)
            W_in, W_out = gpu.tables((40, 8), "cuda")
            W_in[...] = cupy.asarray(tables(40, 8, np.float32, scale=0.1)[0])
            gpu.train(W_in, W_out, *themes(5000), workers=1, epochs=2, window=2, alpha=0.05)
            results.append(cupy.asnumpy(W_in))
        np.testing.assert_allclose(*results, rtol=0, atol=1e-3)  # the order of a block's additions is not fixed

    def test_tables_that_do_not_fit_are_refused_first(self, cupy):
        with pytest.raises(MemoryError, match=r"need [\d.]+ GiB .* would fit"):
            gpu.tables((1_000_000_000, 300), "cuda")

    def test_a_second_device(self, cupy):
        if cupy.cuda.runtime.getDeviceCount() < 2:
            pytest.skip("there is one device")
        W_in, W_out = gpu.tables((40, 8), "cuda:1")
        W_in += 0.1
        gpu.train(W_in, W_out, *themes(100), epochs=1, window=2)
        assert W_in.device.id == 1
        assert bool(W_out.any())

    def test_the_estimator(self, cupy):
        from fastw2v import Word2Vec

        words, offsets, _ = themes(2000)
        lines = [[f"w{i}" for i in words[a:b]] for a, b in itertools.pairwise(offsets)]
        wv = Word2Vec(vector_size=16, device="cuda", engine="fused", sample=0, epochs=3, window=3).fit(lines).wv
        near = {int(word[1:]) // 8 for word, _ in wv.most_similar("w0", topn=5)}
        assert near == {0}
