"""The kernel of the fused GPU engine that uses tensor cores: its products, and equality with the reference."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.config import TrainingConfig
from fastw2v.engines import gpu, reference
from fastw2v.engines.base import Tables
from fastw2v.kernels import word2vec_cuda
from tests.cuda_emulator import fake_cupy, nvrtc
from tests.engines.cases import copies, random_tables, train, zipf_corpus
from tests.engines.test_gpu import (
    ARCHITECTURES,
    VARIANTS,
    build,
    device,
    emulate,
    folder,  # noqa: F401
    needs_compiler,
    resources,
    set_chunk_tokens,
    share_of_topic_neighbors,
    split_products,
    topics,
    write_source,
)

FRAGMENTS = Path(__file__).parents[1] / "cuda_emulator" / "fragments.cu"
TILE = word2vec_cuda.TENSOR_CORE_TILE

# Like the cases in test_gpu.py, in tiles of 16 targets. The learning rates are so low that training does not amplify
# rounding errors.
CASES = {
    "defaults": ((120, 100, 700, 30), {"sample": 0.01}),
    "128 numbers": ((120, 128, 500, 30), {"window": 3, "pool_size": 24}),
    "odd": ((50, 129, 500, 17), {"pool_tokens": 10, "pool_size": 7, "window": 3}),
    "one target per pool": ((40, 7, 200, 9), {"pool_tokens": 1, "pool_size": 5}),
    "one number": ((2, 1, 300, 20), {"pool_tokens": 64, "pool_size": 16}),
    "one word": ((1, 16, 16, 5), {"window": 10}),
    "five words": ((4, 12, 5, 5), {"pool_size": 32}),
    "short lines": ((30, 20, 700, 2), {"window": 15, "pool_tokens": 64, "pool_size": 18}),
    "mean": ((70, 20, 500, 12), {"cbow_grad": "mean", "window": 4}),
    "sum": ((60, 33, 600, 40), {"cbow_grad": "sum", "window": 8, "shrink_windows": False, "alpha": 0.01}),
    "wide windows": ((120, 40, 600, 60), {"window": 10, "pool_size": 48, "shrink_windows": False, "alpha": 0.01}),
    "wider windows": ((120, 30, 600, 200), {"window": 30, "pool_size": 32, "shrink_windows": False, "alpha": 0.003}),
    "long sentence": ((200, 10, 9000, 20000), {"sample": 1e-2, "window": 2, "pool_size": 3, "epochs": 1}),
    "few words kept": ((120, 20, 600, 4), {"sample": 1e-4, "pool_size": 24}),
    "many negatives": ((80, 24, 300, 25), {"negative": 100, "pool_size": 300, "ns_exponent": -1, "alpha": 0.002}),
    "long steps": ((9, 30, 50, 500), {"window": 10, "alpha": 0.4, "epochs": 1}),
    "wide rows": ((90, 300, 300, 25), {"pool_size": 16}),
    "damped": ((120, 40, 700, 30), {"concurrency": 50, "alpha": 0.2, "pool_tokens": 64}),
    "huge window": ((60, 20, 400, 9), {"window": 1_000_000_000, "concurrency": 9}),
}
# Combinations that run by default. The slow tests run all combinations.
QUICK = {
    ("defaults", "not held"), ("odd", "eight warps"), ("few words kept", "by shuffle block"), ("long steps", "held"),
}  # fmt: skip
QUICK_PTX = {("defaults", "not held", 90)}


def check_against_reference(
    case: str, model: str, run: Callable[..., np.ndarray], interval: int | None, *, exact: bool = True
) -> None:
    """Compare training by `run` with the reference, to the rounding of float32 or, if not `exact`, of tf32."""
    (V, D, n, longest), settings = CASES[case]
    settings = {"epochs": 2, "alpha": 0.05, "min_alpha": 1e-4, "sample": 0, "seed": 7, "model": model} | settings
    corpus = zipf_corpus(V, n, longest)
    start = random_tables(V, D, np.float32)
    ours, theirs = copies(start), copies(start)
    loss = run(ours, corpus, tile=TILE, **settings)
    expected = train(reference, theirs, corpus, tile=TILE, pool_sync_interval=interval, **settings)
    # Rounding errors grow like a random walk.
    tolerance = 32 * np.finfo(np.float32).eps * n**0.5 if exact else 2e-3
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    for W, E, S in zip(ours, theirs, start, strict=True):
        if case != "few words kept":
            assert np.abs(E - S).max() > 1e-3
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)
        assert exact or np.abs(W - E).max() > 3e-5, "the products were more precise than tf32"


def check_in_emulator(case, variant, model, folder, monkeypatch, **more):  # noqa: F811
    how = dict(VARIANTS[variant])
    set_chunk_tokens(monkeypatch, how.pop("chunk_tokens", gpu.CHUNK_TOKENS))
    shuffle_block_tokens = how.pop("shuffle_block_tokens", gpu.SHUFFLE_BLOCK_TOKENS)
    for module in (gpu, reference):
        monkeypatch.setattr(module, "SHUFFLE_BLOCK_TOKENS", shuffle_block_tokens)

    def run(tables: Tables, *given: Any, **settings: Any) -> np.ndarray:
        return emulate(folder, tables, *given, **settings | how | more)

    exact = more.get("split", True)
    check_against_reference(case, model, run, how.get("pool_sync_interval"), exact=exact)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "variant"),
    [
        pytest.param(*which, marks=[] if which in QUICK else pytest.mark.slow)
        for which in itertools.product(CASES, VARIANTS)
    ],
)
def test_one_block_equals_the_reference(case, variant, model, folder, monkeypatch):  # noqa: F811
    check_in_emulator(case, variant, model, folder, monkeypatch)


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_without_split_one_block_equals_the_reference_to_the_rounding_of_tf32(model, folder, monkeypatch):  # noqa: F811
    check_in_emulator("defaults", "not held", model, folder, monkeypatch, split=False)


@needs_compiler
@nvrtc.needs_nvrtc
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize(
    ("case", "variant", "architecture"),
    [
        pytest.param(*which, marks=[] if which in QUICK_PTX else pytest.mark.slow)
        for which in itertools.product(CASES, VARIANTS, [80, 90, 120])
        if which in QUICK_PTX or which[:2] in QUICK
    ],
)
def test_ptx_equals_the_reference(case, variant, architecture, model, folder, monkeypatch):  # noqa: F811
    check_in_emulator(case, variant, model, folder, monkeypatch, architecture=architecture)


def test_the_case_with_long_steps_clips_them(monkeypatch):
    (V, D, n, longest), settings = CASES["long steps"]
    results = []
    for bound in (reference.MAX_STEP_NORM, 1e9):
        monkeypatch.setattr(reference, "MAX_STEP_NORM", bound)
        for model in ("cbow", "skipgram"):
            tables = random_tables(V, D, np.float32)
            train(reference, tables, zipf_corpus(V, n, longest), model=model, tile=TILE, sample=0, seed=7, **settings)
            results.append(tables)
    for clipped, full in zip(results[:2], results[2:], strict=True):
        assert min(np.abs(W - E).max() for W, E in zip(clipped, full, strict=True)) > 0.01


@needs_compiler
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
def test_many_blocks_learn_as_one_does(model, folder, monkeypatch):  # noqa: F811
    set_chunk_tokens(monkeypatch, 128)
    losses, vectors = [], []
    for blocks in (1, 6):
        tables = Tables(random_tables(40, 8, np.float32, scale=0.1).W_in, np.zeros((40, 8), np.float32))
        settings = {"model": model, "epochs": 4, "sample": 0, "alpha": 0.05, "window": 2, "warps": 2, "pool_size": 8}
        loss = emulate(
            folder,
            tables,
            topics(250),
            blocks=blocks,
            pool_sync_interval=1,
            order=2,
            tile=TILE,
            split=False,
            **settings,
        )
        losses.append(loss)
        vectors.append(tables.W_in)
    assert (vectors[0] != vectors[1]).any()
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
    for W in vectors:
        assert share_of_topic_neighbors(W) > 0.95


@needs_compiler
@pytest.mark.parametrize("model", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_only_declared_races(model, folder):  # noqa: F811
    """ThreadSanitizer reports no race in a block of system threads, but reports one if any barrier is removed."""
    kernel = word2vec_cuda.Kernel("cbow", False, 12, 3, TILE, 8, True, 2, tensor_cores=True)
    lines = kernel.source().splitlines()
    program = build(
        folder, write_source(folder, kernel.source()), kernel.macros(), "-O1", "-g", "-fsanitize=thread",
        "-DOS_THREADS", "-DVECTOR_ATOMICS=1",
    )  # fmt: skip

    def reports(line: int) -> int:
        done = subprocess.run([program, str(model), str(line)], capture_output=True, text=True, timeout=60)
        return done.stderr.count("WARNING: ThreadSanitizer: data race")

    assert reports(0) == 0
    tile = next(i for i, line in enumerate(lines, 1) if "void leave(" in line)
    barriers = [i for i, line in enumerate(lines, 1) if i > tile and "__syncthreads" in line]
    assert len(barriers) == 3
    for barrier in barriers:
        assert reports(barrier) > 0, lines[barrier - 1]


# ---- products ----


def fragments_source() -> str:
    """Return a source with the products of word2vec_mma.cu and the kernels of fragments.cu."""
    kernel = word2vec_cuda.Kernel("cbow", False, 8, 1, TILE, 8, False, 1, tensor_cores=True)
    products = kernel.source().partition("// ---- one block ----")[0]
    return products + FRAGMENTS.read_text(encoding="utf-8")


def fragment_options(split: bool) -> list[str]:
    kernel = word2vec_cuda.Kernel("cbow", False, 8, 1, TILE, 8, False, 1, tensor_cores=True)
    return [*kernel.macros(), *(["-DSPLIT=1"] if split else [])]


def to_tf32(x: np.ndarray) -> np.ndarray:
    """Round to 11 significant bits, ties away from zero."""
    return ((x.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


def check_products(run: Callable[[str, bool, np.ndarray, np.ndarray, np.ndarray], np.ndarray], split: bool) -> None:
    """Check products of fragments that `run` computes: name of the kernel, split, A, B and C by lane."""
    random = np.random.default_rng(0)
    A, B, C = (random.standard_normal(shape).astype(np.float32) for shape in ((16, 8), (8, 8), (16, 8)))
    # The layout of mma.m16n8k8 with tf32 in NVIDIA's documentation of PTX.
    g, q = np.divmod(np.arange(32), 4)
    a = np.stack([A[g, q], A[g + 8, q], A[g, q + 4], A[g + 8, q + 4]], axis=1)
    b = np.stack([B[q, g], B[q + 4, g]], axis=1)
    c = np.stack([C[g, 2 * q], C[g, 2 * q + 1], C[g + 8, 2 * q], C[g + 8, 2 * q + 1]], axis=1)
    np.testing.assert_array_equal(run("skipgram_ns", split, a, b, c), to_tf32(a))
    exact = A.astype(np.float64) @ B + C
    rounded = to_tf32(A).astype(np.float64) @ to_tf32(B) + C
    assert np.abs(exact - rounded).max() > 1e-4
    expected = exact if split else rounded
    expected = np.stack(
        [expected[g, 2 * q], expected[g, 2 * q + 1], expected[g + 8, 2 * q], expected[g + 8, 2 * q + 1]], axis=1
    )
    np.testing.assert_allclose(run("cbow_ns", split, a, b, c), expected, rtol=0, atol=4e-6)


def arguments_of(xp: Any, a: Any, b: Any, c: Any) -> word2vec_cuda.Arguments:
    values = dict.fromkeys(word2vec_cuda.Arguments._fields, a) | dict.fromkeys(word2vec_cuda.SCALARS, 0)
    return word2vec_cuda.Arguments(**values | {"W_in": a, "W_out": b, "scratch": c})


@needs_compiler
@pytest.mark.parametrize("split", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", [None, pytest.param(80, id="ptx", marks=nvrtc.needs_nvrtc)])
def test_products_of_fragments(architecture, split, folder):  # noqa: F811
    def run(name: str, split: bool, *arrays: np.ndarray) -> np.ndarray:
        a, b, c = (array.copy().view(fake_cupy.Array) for array in arrays)
        with device(folder, architecture=architecture, split=split):
            import cupy

            module = cupy.RawModule(code=fragments_source(), options=tuple(fragment_options(False)))
            module.get_function(name)((1,), (32,), (arguments_of(cupy, a, b, c).as_struct(),), shared_mem=0)
        return np.asarray(c)

    check_products(run, split)


# ---- the host ----


def test_tiles_of_16_in_float32_use_tensor_cores_if_the_device_has_them():
    sizes = {"width": 36, "reach": 5, "pool_size": 16, "hold": True, "limit": 232_448}  # needs less without padding

    def choose(tile: int, double: bool = False, **more: Any) -> word2vec_cuda.Kernel:
        return word2vec_cuda.choose_kernel("cbow", double, tile=tile, **sizes | more)

    assert choose(16, tensor_cores=True).tensor_cores
    assert choose(16, tensor_cores=True).held
    for other in (choose(16), choose(4, tensor_cores=True), choose(16, double=True, tensor_cores=True)):
        assert not other.tensor_cores
    # If the pool cannot be held, it is not held, and if that does not fit either, the other kernel is used.
    needed = choose(16, tensor_cores=True)._replace(rounded_ring=False).shared_bytes()
    smaller = choose(16, tensor_cores=True, limit=needed - 4)
    assert (smaller.tensor_cores, smaller.held) == (True, False)
    needed = smaller._replace(rounded_ring=False).shared_bytes()
    assert not choose(16, tensor_cores=True, limit=needed - 4).tensor_cores


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (16, 32)),
        ({"quality": "fast"}, (16, 16)),
        ({"model": "skipgram", "quality": "fast"}, (16, 24)),
        ({"vector_size": 128, "negative": 10}, (16, 40)),
        ({"model": "skipgram"}, (4, 24)),
        ({"quality": "best"}, (4, 48)),
        ({"loss": "hs+ns"}, (4, 24)),
        ({"output_weight": 0}, (4, 24)),
        ({"pool_size": 20}, (4, 20)),
        ({"pool_tokens": 32}, (4, 16)),
        ({"tile": 8}, (8, 16)),
        ({"vector_size": 300}, (4, 24)),  # one block of a multiprocessor
        ({"vector_size": 3000}, (4, 240)),  # no kernel fits
    ],
)
def test_the_engine_chooses_tiles_for_tensor_cores_where_they_were_measured(settings, expected, monkeypatch):
    monkeypatch.setattr(fake_cupy.Device, "compute_capability", "90")
    config = TrainingConfig(**settings)
    with fake_cupy.installed(lambda code, options: None):
        found = gpu.with_larger_tiles(config, False, reach=5)
        assert (found.tile, found.pool_size) == expected
        assert gpu.with_larger_tiles(config, True, reach=5) == config  # not in float64
        monkeypatch.setattr(fake_cupy.Device, "compute_capability", "75")
        assert gpu.with_larger_tiles(config, False, reach=5) == config


@needs_compiler
def test_several_blocks_train_tiles_for_tensor_cores(folder, monkeypatch):  # noqa: F811
    set_chunk_tokens(monkeypatch, 64)
    sizes = []
    compile_kernel = word2vec_cuda.compile_kernel

    def note(
        model: str, double: bool, width: int, reach: int, tile: int, pool_size: int, hold: bool, **more: Any
    ) -> Any:
        sizes.append((tile, pool_size))
        return compile_kernel(model, double, width, reach, tile, pool_size, hold, **more)

    monkeypatch.setattr(word2vec_cuda, "compile_kernel", note)
    for blocks in (1, 3):
        losses = emulate(
            folder, random_tables(120, 100, np.float32), zipf_corpus(120, 700, 30), blocks=blocks, pool_sync_interval=1,
            epochs=2, alpha=0.05, cbow_grad="balanced", sample=0.01,
        )  # fmt: skip
        assert losses[1] < losses[0]
    assert sizes == [(4, 16), (16, 32)]


@pytest.mark.parametrize(("capability", "expected"), [("75", False), ("80", True), ("90", True), ("120", True)])
def test_the_engine_chooses_the_kernel_by_compute_capability(capability, expected, monkeypatch):
    monkeypatch.setattr(fake_cupy.Device, "compute_capability", capability)
    sources = []

    def compiled(code: str, options: tuple[str, ...]) -> Any:
        sources.append(code)

    with fake_cupy.installed(compiled):
        kernel, _ = word2vec_cuda.compile_kernel("cbow", False, 128, 5, TILE, 16, False)
    assert kernel.tensor_cores is expected
    assert ("mma.sync" in sources[0]) is expected


CBOW_POOL, SKIPGRAM_POOL = TrainingConfig().pool_size, TrainingConfig(model="skipgram").pool_size
KERNELS = {
    "defaults": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, CBOW_POOL, False),
    "skip-gram's pool": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, SKIPGRAM_POOL, False),
    "pool held": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, SKIPGRAM_POOL, True),
    "128 numbers": word2vec_cuda.Kernel("cbow", False, 128, 5, TILE, SKIPGRAM_POOL, False),
    "window 10": word2vec_cuda.Kernel("cbow", False, 128, 10, TILE, SKIPGRAM_POOL, False),
    "300 numbers": word2vec_cuda.Kernel("cbow", False, 300, 5, TILE, TrainingConfig(vector_size=300).pool_size, False),
    "few numbers": word2vec_cuda.Kernel("cbow", False, 8, 2, TILE, 8, False),
    "frozen rows": word2vec_cuda.Kernel("cbow", False, 100, 5, TILE, CBOW_POOL, False, freeze=True),
}


@nvrtc.needs_nvrtc
@pytest.mark.parametrize(
    "case", [name if name == "defaults" else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_the_source_compiles_for_every_architecture(case, folder):  # noqa: F811
    for architecture, shared in ARCHITECTURES.items():
        if architecture < 80:
            continue
        for model in ("cbow", "skipgram"):
            kernel = KERNELS[case]._replace(model=model, tensor_cores=True)
            if kernel.shared_bytes() > (shared - 1) * 1024:
                continue  # the other kernel is used
            kernel = word2vec_cuda.optimize_occupancy(kernel, (shared - 1) * 1024)
            used = resources(write_source(folder, kernel.source()), kernel.macros(), architecture)[kernel.name]
            assert kernel.min_blocks * 32 * kernel.warps * used["registers"] <= 1 << 16, (architecture, used)
            assert used["spilled"] == 0, (architecture, model, used)
            assert used["local"] < word2vec_cuda.ARGUMENTS.itemsize, "the struct is copied to local memory"


@pytest.mark.gpu
class TestOnAGpu:
    @pytest.mark.parametrize("split", [False, True])
    def test_products_of_fragments(self, split, cupy):
        def run(name: str, split: bool, *arrays: np.ndarray) -> np.ndarray:
            a, b, c = map(cupy.asarray, arrays)
            module = cupy.RawModule(code=fragments_source(), options=("-std=c++17", *fragment_options(split)))
            module.get_function(name)((1,), (32,), (arguments_of(cupy, a, b, c).as_struct(),))
            return cupy.asnumpy(c)

        check_products(run, split)

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    @pytest.mark.parametrize("split", [True, False])
    @pytest.mark.parametrize(
        ("case", "interval"),
        [
            pytest.param(*which, marks=[] if which in {("defaults", 1), ("odd", 1000)} else pytest.mark.slow)
            for which in itertools.product(CASES, [1, 3, 1000])
        ],
    )
    def test_one_block_equals_the_reference(self, case, interval, split, model, cupy, monkeypatch):
        monkeypatch.setattr(gpu, "pool_sync_interval", lambda *_, **__: interval)
        if split:
            split_products(monkeypatch)

        def run(tables: Tables, *given: Any, **settings: Any) -> np.ndarray:
            there = Tables(*map(cupy.asarray, tables))
            loss = train(gpu, there, *given, workers=1, **settings)
            for W, trained in zip(tables, there, strict=True):
                W[...] = cupy.asnumpy(trained)
            return loss

        check_against_reference(case, model, run, interval, exact=split)

    @pytest.mark.parametrize("model", ["cbow", "skipgram"])
    def test_many_blocks_learn_as_one_does(self, model, cupy):
        losses, vectors = [], []
        for workers in (1, None):
            tables = gpu.allocate((40, 8), "cuda")
            tables.W_in[...] = cupy.asarray(random_tables(40, 8, np.float32, scale=0.1).W_in)
            settings = {"model": model, "epochs": 2, "sample": 0, "alpha": 0.05, "window": 2, "tile": TILE}
            losses.append(train(gpu, tables, topics(20_000), workers=workers, **settings))
            vectors.append(cupy.asnumpy(tables.W_in))
        assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
        for W in vectors:
            assert share_of_topic_neighbors(W) > 0.95
