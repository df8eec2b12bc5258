"""The CUDA source: without a GPU, run by a small shim and compiled for every architecture; with one, trained on it."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.kernels import gpu, naive
from fastw2v.kernels.schedule import POOL_SIZE, POOL_TOKENS, STRETCH, TILE
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
    padded = [aligned(V, width, W.dtype) for W in (W_in, W_out)]
    for W, mine in zip((W_in, W_out), padded, strict=True):
        mine[:, :D] = W
    noise = alias_table(noise_weights(counts, ns_exponent))
    starts = np.array([0, *(stop for _, stop in stretches(offsets, STRETCH))], np.int64)
    S = len(starts) - 1
    arguments = gpu.Arguments(
        *padded,
        ids=None,
        starts=starts,
        keep=keep_threshold(counts, sample),
        threshold=noise.threshold,
        alias=noise.alias.astype(np.int32),
        scratch=np.empty((blocks, 5, STRETCH), np.int32),
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
        W[...] = mine[:, :D]
        assert not mine[:, D:].any()
    targets = arguments.trained.reshape(epochs, S).sum(axis=1)
    return arguments.losses.reshape(epochs, S).sum(axis=1) / np.maximum(targets, 1)


def aligned(V: int, width: int, dtype: Any) -> np.ndarray:
    """Return zeros that start at a multiple of 16 bytes, as device memory does."""
    buffer = np.zeros(V * width + 16, dtype)
    skip = -buffer.ctypes.data % 16 // buffer.itemsize
    return buffer[skip : skip + V * width].reshape(V, width)


def as_c(value: Any) -> Any:
    """Return an array as its address, a number in its C type."""
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item())


CASES = {
    "defaults": ((120, 100, 700, 30), {"sample": 0.01}),
    "defaults, refreshed": ((120, 100, 700, 30), {"sample": 0.01, "refresh": 3, "vector": True}),
}


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("case", CASES)
def test_one_block_equals_the_twin(case, model, dtype, folder):
    (V, D, n, longest), settings = CASES[case]
    common = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model}
    settings = common | settings
    if dtype == np.float64:
        settings.pop("vector", None)
    ids, offsets, counts = corpus(V, n, longest)
    start = tables(V, D, dtype)
    ours, theirs = [W.copy() for W in start], [W.copy() for W in start]
    loss = train(folder, *ours, ids, offsets, counts, **settings)
    of_the_device = ("held", "vector", "refresh", "warps", "order", "pieces")
    for name in of_the_device:
        settings.pop(name, None)
    expected = naive.train(*theirs, ids, offsets, counts, **settings)
    # Rounding grows about as a random walk does.
    tolerance = 1e-10 if dtype == np.float64 else 32 * np.finfo(dtype).eps * n**0.5
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)
