"""The CUDA source: without a GPU, run by a small shim and compiled for every architecture; with one, trained on it."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
import itertools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.kernels import gpu, naive
from fastw2v.kernels.schedule import POOL_SIZE, POOL_TOKENS, TILE
from fastw2v.sampling import alias_table, keep_threshold, noise_weights, stretches

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


def build(folder: Path, kernel: gpu.Kernel, *options: str) -> Path:
    """Compile the shim around the CUDA source, for a kernel's sizes."""
    output = folder / "-".join([*(macro.split("=")[-1] for macro in kernel.macros()), *options]).replace("/", "")
    if not output.exists():
        command = ["g++", "-std=c++20", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function", *kernel.macros()]
        command += [*options, f'-DSOURCE="{gpu.SOURCE}"', "-o", str(output), str(SHIM)]
        subprocess.run(command, check=True)
    return output


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu_shim")


def train(
    folder: Path,
    W_in: np.ndarray,
    W_out: np.ndarray,
    ids: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    *,
    model: gpu.Model,
    window: int = 5,
    negative: int = 5,
    ns_exponent: float = 0.75,
    sample: float = 1e-3,
    alpha: float = 0.2,
    min_alpha: float = 1e-4,
    epochs: int = 5,
    seed: int = 1,
    shrink_windows: bool = True,
    cbow_grad: str = "mean",
    pool_tokens: int = POOL_TOKENS,
    pool_size: int = POOL_SIZE,
    tile: int = TILE,
    held: bool = True,
    vector: bool = False,
    blocks: int = 1,
    refresh: int = 1000,
    warps: int = gpu.WARPS,
    order: int = 0,
    skip_line: int = 0,
    pieces: int = 1,
) -> np.ndarray:
    """Do what `gpu.train` does, with its own plans, on the shim."""
    V, D = W_in.shape
    width = -(-D // gpu.ROW) * gpu.ROW
    kernel = gpu.Kernel(model, W_in.dtype == np.float64, width, window, tile, pool_size, held, warps)
    library = ctypes.CDLL(str(build(folder, kernel, "-O1", "-fPIC", "-shared", f"-DVECTOR={int(vector)}")))
    padded = [padded_copy(W, width) for W in (W_in, W_out)]
    noise = alias_table(noise_weights(counts, ns_exponent))
    starts = np.array([0, *(stop for _, stop in stretches(offsets, gpu.STRETCH))], np.int64)
    S = len(starts) - 1
    arguments = gpu.Arguments(
        *padded,
        ids=None,
        starts=starts,
        keep=keep_threshold(counts, sample),
        threshold=noise.threshold,
        alias=noise.alias.astype(np.int32),
        scratch=np.empty((blocks, 5, gpu.STRETCH), np.int32),
        counter=np.zeros(1, np.uint64),
        losses=np.zeros(S * epochs),
        trained=np.zeros(S * epochs, np.int32),
        first_token=0,
        first_item=0,
        last_item=S * epochs,
        stretches=S,
        tokens=len(ids),
        words=V,
        seed=seed % (1 << 64),
        alpha=float(alpha),
        slope=float(alpha - min_alpha) / (epochs * len(ids)),
        negative=float(negative),
        pool_tokens=pool_tokens,
        refresh=refresh,
        shrink_windows=shrink_windows,
        mean_gradient=cbow_grad == "mean",
    )
    work = [(0, S * epochs, 0, len(ids))]
    if pieces > 1:  # as a corpus that does not fit on the device is fed
        cuts = np.unique(np.linspace(0, S, pieces + 1).astype(int))
        work = [
            (epoch * S + a, epoch * S + b, int(starts[a]), int(starts[b]))
            for epoch in range(epochs)
            for a, b in itertools.pairwise(cuts)
        ]
    for first, last, start, stop in work:
        arguments.counter[0] = first
        marked = gpu.mark_ends(ids, offsets, start, stop)
        given = arguments._replace(ids=marked, first_token=start, last_item=last).typed()
        call = [model == "skipgram", blocks, ctypes.c_long(kernel.shared_bytes()), order, skip_line]
        status = library.launch(*call, *(as_c(value) for value in given))
        assert status == 0, "the threads wait for each other"
    for W, mine in zip((W_in, W_out), padded, strict=True):
        if mine is not W:
            W[...] = mine[:, :D]
        assert not mine[:, D:].any()
    targets = arguments.trained.reshape(epochs, S).sum(axis=1)
    return arguments.losses.reshape(epochs, S).sum(axis=1) / np.maximum(targets, 1)


def padded_copy(W: np.ndarray, width: int) -> np.ndarray:
    """Return a table whose rows are padded and start at multiples of 16 bytes, as on a device; W itself if it is so."""
    if W.shape[1] == width and W.ctypes.data % 16 == 0:
        return W
    V, D = W.shape
    buffer = np.zeros(V * width + 16, W.dtype)
    skip = -buffer.ctypes.data % 16 // W.itemsize
    copy = buffer[skip : skip + V * width].reshape(V, width)
    copy[:, :D] = W
    return copy


def as_c(value: Any) -> Any:
    """Return an array as its address, a number in its C type."""
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item())


# The cases of the engine of the processor, with fewer tokens: words, numbers in a vector, tokens, longest sentence.
CASES = {
    "defaults": ((120, 100, 700, 30), {"sample": 0.01}),
    "odd": ((50, 129, 500, 17), {"tile": 3, "pool_tokens": 10, "pool_size": 7, "window": 3}),
    "classic": ((40, 7, 400, 9), {"tile": 1, "pool_tokens": 1, "pool_size": 5}),
    "one number": ((2, 1, 300, 20), {"pool_tokens": 64, "pool_size": 16}),
    "one word": ((1, 16, 16, 5), {"window": 10}),
    "short lines": ((30, 20, 700, 2), {"window": 15, "pool_tokens": 64, "pool_size": 18}),
    "sum": ((60, 33, 600, 40), {"cbow_grad": "sum", "window": 8, "shrink_windows": False}),
    "long sentence": ((200, 10, 9000, 20000), {"sample": 1e-2, "window": 2, "pool_size": 3, "tile": 2, "epochs": 1}),
    "many negatives": ((80, 24, 300, 25), {"negative": 100, "pool_size": 300, "ns_exponent": -1, "alpha": 0.002}),
    "long steps": ((9, 30, 200, 500), {"window": 10, "alpha": 0.8, "epochs": 1}),
    "wide rows": ((90, 300, 300, 25), {"tile": 8, "pool_size": 16}),
    "long tiles": ((90, 64, 600, 25), {"tile": 16, "pool_tokens": 64}),
}
# Ways of the device that change nothing but rounding.
WAYS = {
    "held": {},
    "refreshed": {"refresh": 3, "vector": True, "order": 1},
    "not held": {"held": False, "vector": True, "order": 2},
    "one warp": {"warps": 1, "order": 1},
    "in pieces": {"pieces": 3},
}
# What is run by default; all of it is run with the slow tests.
QUICK = {
    ("defaults", "refreshed", np.float32), ("odd", "held", np.float64), ("one word", "one warp", np.float64),
    ("short lines", "not held", np.float32), ("long steps", "refreshed", np.float64), ("wide rows", "held", np.float32),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "way", "dtype"),
    [
        pytest.param(*which, marks=[] if which in QUICK else pytest.mark.slow)
        for which in itertools.product(CASES, WAYS, [np.float64, np.float32])
        if which[0] != "long steps" or which[2] == np.float64  # steps that long multiply rounding, too, at every turn
    ],
)
def test_one_block_equals_the_twin(case, way, model, dtype, folder):
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    ids, offsets, counts = corpus(V, n, longest)
    start = tables(V, D, dtype)
    ours, theirs = [W.copy() for W in start], [W.copy() for W in start]
    vector = WAYS[way].get("vector", False) and dtype == np.float32
    loss = train(folder, *ours, ids, offsets, counts, **settings | WAYS[way] | {"vector": vector})
    expected = naive.train(*theirs, ids, offsets, counts, **settings)
    # Rounding grows about as a random walk does.
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)


def themes(sentences: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a corpus of sentences that each keep to one of five themes of eight words."""
    rng = np.random.default_rng(0)
    ids = (8 * rng.integers(0, 5, (sentences, 1)) + rng.integers(0, 8, (sentences, 12))).astype(np.int32)
    return ids.ravel(), np.arange(0, ids.size + 1, 12), np.bincount(ids.ravel(), minlength=40)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
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
    for how in (functools.partial(train, folder, held=False), naive.train):
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
    program = build(folder, kernel, "-O1", "-g", "-fsanitize=thread", "-DTHREADS_ARE_REAL", "-DVECTOR=1")

    def reports(line: int) -> int:
        done = subprocess.run([program, str(model), str(line)], capture_output=True, text=True, timeout=60)
        return done.stderr.count("WARNING: ThreadSanitizer: data race")

    assert reports(0) == 0
    source = gpu.SOURCE.read_text(encoding="utf-8").splitlines()
    after_enter = next(i for i, line in enumerate(source, 1) if "read_targets(n);" in line)
    barrier = next(i for i, line in enumerate(source, 1) if i > after_enter and "__syncthreads" in line)
    assert reports(barrier) > 0


ARCHITECTURES = [75, 80, 86, 89, 90, 100, 120]
KERNELS = {
    "defaults": gpu.Kernel("cbow", False, 100, 5, TILE, POOL_SIZE, True),
    "128 numbers": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE, True),
    "pool not held": gpu.Kernel("cbow", False, 128, 5, TILE, POOL_SIZE, False),
    "300 numbers": gpu.Kernel("cbow", False, 300, 10, TILE, POOL_SIZE, False),
    "tiles of 16": gpu.Kernel("cbow", False, 128, 5, 16, POOL_SIZE, True),
    "float64": gpu.Kernel("cbow", True, 100, 5, TILE, POOL_SIZE, False),
}


def nvrtc() -> ctypes.CDLL | None:
    """Return NVIDIA's run-time compiler, which needs no driver, from the package nvidia-cuda-nvrtc or the system."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(folder).rglob("libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    name = ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(name) if name else None


def compile_for(library: ctypes.CDLL, kernel: gpu.Kernel, architecture: int) -> dict[str, dict[str, int]]:
    """Compile the source; return the registers and the bytes spilled of each function."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    source = gpu.SOURCE.read_bytes()
    assert library.nvrtcCreateProgram(ctypes.byref(program), source, b"word2vec.cu", 0, None, None) == 0
    options = ["-std=c++17", f"--gpu-architecture=sm_{architecture}", "--ptxas-options=-v", *kernel.macros()]
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = library.nvrtcCompileProgram(program, len(options), given)
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, buffer)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    log = buffer.value.decode()
    assert status == 0, log
    assert "warning" not in log, log
    found = re.findall(
        r"Function properties for (\w+).*?(\d+) bytes spill stores.*?Used (\d+) registers", log, re.DOTALL
    )
    return {name: {"registers": int(registers), "spilled": int(spilled)} for name, spilled, registers in found}


@pytest.mark.skipif(nvrtc() is None, reason="NVIDIA's compiler is not installed (pip install nvidia-cuda-nvrtc-cu12, or make compile-cuda)")
@pytest.mark.parametrize(
    "case", [name if name == "defaults" else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_nvidia_s_compiler_takes_the_source_for_every_architecture(case):
    for architecture in ARCHITECTURES:
        found = compile_for(nvrtc(), KERNELS[case], architecture)
        assert set(found) == {"cbow_ns", "skipgram_ns"}
        for name, used in found.items():
            # Four blocks of 128 threads share 64 K registers.
            assert used["registers"] <= 128 or KERNELS[case].double or KERNELS[case].tile > 8, (
                architecture,
                name,
                used,
            )
            assert used["spilled"] <= 64, (architecture, name, used)
