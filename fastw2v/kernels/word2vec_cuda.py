"""What is compiled of `word2vec.cu`, its parameter, and its launch. Importing this module does not import CuPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import cuda_problem
from fastw2v.config import CHUNK_TOKENS, MAX_STEP_NORM, Model

__all__ = [
    "MIN_COMPUTE_CAPABILITY",
    "SOURCE",
    "WARPS",
    "Arguments",
    "Kernel",
    "choose_kernel",
    "compile_kernel",
    "launch",
    "resident_blocks",
    "unavailable_reason",
]

SOURCE = Path(__file__).with_name("word2vec.cu")
WARPS = 4
"""Warps of a block."""
MIN_COMPUTE_CAPABILITY = (7, 5)
"""Lowest compute capability that the kernels are compiled for."""


def unavailable_reason(device: str = "cuda") -> str | None:
    """Return why the kernels cannot run on "cuda" or "cuda:N", or None when they can."""
    if reason := cuda_problem():
        return reason
    import cupy

    index = device.partition(":")[2]
    capability = cupy.cuda.Device(int(index) if index else None).compute_capability
    if (int(capability[:-1]), int(capability[-1])) < MIN_COMPUTE_CAPABILITY:
        least = ".".join(map(str, MIN_COMPUTE_CAPABILITY))
        return f"the device has compute capability {capability[:-1]}.{capability[-1]}; {least} or later is needed"
    return None


class Kernel(NamedTuple):
    """The sizes that a kernel is compiled for."""

    model: Model
    double: bool
    """Whether numbers are float64 instead of float32."""
    width: int
    """Numbers in a row, with padding."""
    window: int
    tile: int
    pool_size: int
    held: bool
    """Whether a pool stays in shared memory, with its updates, over several tiles."""
    warps: int = WARPS

    @property
    def name(self) -> str:
        """Name of the function in `word2vec.cu`."""
        return "cbow_ns" if self.model == "cbow" else "skipgram_ns"

    def macros(self) -> tuple[str, ...]:
        """Return the compiler's options that set the sizes in the source."""
        sizes = {
            "DIM": self.width,
            "WINDOW": self.window,
            "TILE": self.tile,
            "POOL_SIZE": self.pool_size,
            "POOL_HELD": int(self.held),
            "WARPS": self.warps,
            "CHUNK_TOKENS": CHUNK_TOKENS,
            "MAX_STEP_NORM": MAX_STEP_NORM,
        }
        return (*(f"-D{name}={value}" for name, value in sizes.items()), *(("-DDOUBLE",) if self.double else ()))

    def shared_bytes(self) -> int:
        """Return the shared memory of a block, laid out as in the constructor of `Block` in the source."""
        group = 4 if self.tile >= 3 else self.tile
        padded_tile = -(-self.tile // group) * group
        ring = 2 * self.window + self.tile
        cbow = self.model == "cbow"
        rows = 2 * ring + cbow * padded_tile + (self.warps + 1) * padded_tile + self.pool_size * (1 + self.held)
        numbers = self.pool_size * (2 + padded_tile) + (padded_tile if cbow else ring * (2 * self.window + 1))
        integers = self.pool_size + (padded_tile if cbow else ring) + 2 * self.warps
        return (8 if self.double else 4) * (rows * self.width + numbers) + 4 * integers


class Arguments(NamedTuple):
    """The parameter of the kernels: the fields of the struct of that name in `word2vec.cu`, in the same order.

    V words, N items (chunks in the order of training, over all epochs), B blocks. Arrays are CuPy's. They must stay
    alive until the kernel has ended, as `as_struct` holds only their addresses.
    """

    W_in: Any
    W_out: Any
    """Float arrays, shape (V, width)."""
    max_rate_in: Any
    max_rate_out: Any
    """Float arrays, shape (V,): rates up to which rows take whole steps."""
    words: int
    """V."""

    ids: Any
    """int32 array: the tokens from `first_token` on; the last one of a sentence has its sign bit set."""
    first_token: int
    """Index in the corpus of ``ids[0]``."""
    chunk_start: Any
    chunk_stop: Any
    """int64 arrays, shape (N,): tokens of each item, as indices in the corpus."""
    chunk_done: Any
    """int64 array, shape (N,): tokens of all epochs trained before it."""
    chunks_per_epoch: int
    stop_item: int
    """The launch ends before this item."""

    keep: Any
    """uint64 array, shape (V,): thresholds of `rng.bernoulli` for keeping a word's tokens."""
    threshold: Any
    alias: Any
    """uint64 and int32 arrays, shape (V,): the alias table of the noise distribution."""
    seed: int
    """Modulo 2**64."""
    shrink_windows: bool

    pool_sync_interval: int
    """Tiles between write-backs of a pool, if the kernel holds pools."""
    pool_tokens: int
    cbow_grad_scale: Any
    """Float array, shape (2 * window + 1,): factor of a context row's gradient, by the number of contexts (CBOW)."""
    negative: float
    alpha: float
    slope: float
    """Decrease of the learning rate per token."""

    next_item: Any
    """uint64 array, shape (1,): the first item; the kernel increases it."""
    scratch: Any
    """int32 array, shape (B, 5, CHUNK_TOKENS): working memory."""
    losses: Any
    targets: Any
    """float64 and int32 arrays, shape (N,): summed loss of each item, and the number of its targets."""

    def as_struct(self) -> np.ndarray:
        """Return the struct as an array without dimensions of `ARGUMENTS`, which CuPy passes to a kernel by value."""
        values = {name: value if name in SCALARS else value.data.ptr for name, value in self._asdict().items()}
        return np.array(tuple(values.values()), ARGUMENTS)


SCALARS: dict[str, Any] = {
    "words": np.int64,
    "first_token": np.int64,
    "chunks_per_epoch": np.int64,
    "stop_item": np.int64,
    "seed": np.uint64,
    "shrink_windows": np.int32,
    "pool_sync_interval": np.int32,
    "pool_tokens": np.int64,
    "negative": np.float64,
    "alpha": np.float64,
    "slope": np.float64,
}
"""Types of the fields of `Arguments` that are not arrays."""
ARGUMENTS = np.dtype([(name, SCALARS.get(name, np.uint64)) for name in Arguments._fields], align=True)
"""Layout of the struct, which equals that of C: arrays are addresses."""


def compile_kernel(
    model: Model, double: bool, width: int, window: int, tile: int, pool_size: int, hold: bool
) -> tuple[Kernel, Any]:
    """Compile the kernel that `choose_kernel` chooses for the current device, or take it from CuPy's cache."""
    import cupy

    limit = cupy.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"]
    kernel = choose_kernel(model, double, width, window, tile, pool_size, hold, limit)
    module = cupy.RawModule(code=SOURCE.read_text(encoding="utf-8"), options=("-std=c++17", *kernel.macros()))
    function = module.get_function(kernel.name)
    function.max_dynamic_shared_size_bytes = kernel.shared_bytes()
    return kernel, function


def choose_kernel(
    model: Model, double: bool, width: int, window: int, tile: int, pool_size: int, hold: bool, limit: int
) -> Kernel:
    """Return the kernel for these sizes that fits in `limit` bytes of shared memory; it holds its pool if `hold` asks.

    Raises
    ------
    ValueError
        If none fits, with the settings that need the memory.
    """
    for held, warps in ((hold, WARPS), (False, WARPS), (False, 2), (False, 1)):
        kernel = Kernel(model, double, width, window, tile, pool_size, held, warps)
        if kernel.shared_bytes() <= limit:
            return kernel
    raise ValueError(
        f"a block of the fused GPU engine needs {kernel.shared_bytes():,} bytes of shared memory for vector_size "
        f"{width}, window {window}, pool_size {pool_size} and tile {tile}, and this device has {limit:,}: lower one "
        "of them, or train with engine='layers'"
    )


def resident_blocks(kernel: Kernel, function: Any) -> int:
    """Return how many blocks the current device runs at once."""
    import cupy

    attributes = cupy.cuda.Device().attributes
    threads = 32 * kernel.warps
    fitting = min(
        attributes["MaxSharedMemoryPerMultiprocessor"] // (kernel.shared_bytes() + 1024),
        attributes["MaxRegistersPerMultiprocessor"] // (-(-function.num_regs // 8) * 8 * threads),
        attributes["MaxThreadsPerMultiProcessor"] // threads,
    )
    return int(attributes["MultiProcessorCount"] * max(1, fitting))


def launch(kernel: Kernel, function: Any, arguments: Arguments, blocks: int) -> None:
    """Start a kernel on some blocks of the current device; the caller waits for it."""
    function((blocks,), (32 * kernel.warps,), (arguments.as_struct(),), shared_mem=kernel.shared_bytes())
