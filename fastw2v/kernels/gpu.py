"""The fused GPU engine: stretches of the corpus, handed to the blocks of `word2vec.cu`, compiled by CuPy.

It has not been run on a GPU yet: its kernels were compiled for every architecture and compared with the twin on a
processor (`docs/gpu.md`). Importing this module imports no CuPy; `train` does.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fastw2v.backend import cuda_problem, free_device_memory, is_cupy
from fastw2v.gradient import CbowGrad, context_shares
from fastw2v.kernels.arguments import check_arrays, check_settings
from fastw2v.kernels.crowd import limits
from fastw2v.kernels.schedule import LONGEST_STEP, POOL_TOKENS, SECTION, STRETCH, TILE, pool_size_for
from fastw2v.sampling import alias_table, keep_threshold, noise_weights, pieces

logger = logging.getLogger("fastw2v")

Model = Literal["cbow", "skipgram"]

SOURCE = Path(__file__).with_name("word2vec.cu")
ROW = 4
"""Rows are padded to a multiple of this many numbers, which a lane moves at once."""
WARPS = 4
"""Of a block."""
OLDEST = (7, 5)
"""First compute capability that the kernels are compiled for."""
REFRESH = 1
"""Tiles after which a pool is written back and read again: fewer bytes, and more to make way for."""
LAUNCH_SECONDS = 0.25
"""Length of a launch that is aimed at: between two, progress is reported and Ctrl-C is heard."""
PIECE = SECTION + STRETCH
"""Tokens of a section at most. Of a corpus that does not fit on the device two sections are there, one being copied."""
SPARE = 64 << 20
"""Bytes of the device's memory that are left alone."""


class Kernel(NamedTuple):
    """What is compiled: a model for given sizes."""

    model: Model
    double: bool
    width: int
    """Numbers in a padded row."""
    window: int
    tile: int
    pool_size: int
    held: bool
    """Whether pool rows stay in shared memory, with their changes, over several tiles."""
    warps: int = WARPS

    @property
    def name(self) -> str:
        """Of the function in `word2vec.cu`."""
        return "cbow_ns" if self.model == "cbow" else "skipgram_ns"

    def macros(self) -> tuple[str, ...]:
        """Return the options that set the sizes in the source."""
        sizes = {
            "DIM": self.width,
            "WINDOW": self.window,
            "TILE": self.tile,
            "POOL_SIZE": self.pool_size,
            "POOL_HELD": int(self.held),
            "WARPS": self.warps,
            "STRETCH": STRETCH,
            "LONGEST_STEP": LONGEST_STEP,
        }
        return (*(f"-D{name}={value}" for name, value in sizes.items()), *(("-DDOUBLE",) if self.double else ()))

    def shared_bytes(self) -> int:
        """Return the shared memory of a block, laid out as in the source."""
        side = 4 if self.tile >= 3 else self.tile
        targets = -(-self.tile // side) * side
        ring = 2 * self.window + self.tile
        cbow = self.model == "cbow"
        rows = 2 * ring + cbow * targets + (self.warps + 1) * targets + self.pool_size * (1 + self.held)
        numbers = self.pool_size * (2 + targets) + (targets if cbow else ring * (2 * self.window + 1))
        whole = self.pool_size + (targets if cbow else ring) + 2 * self.warps
        return (8 if self.double else 4) * (rows * self.width + numbers) + 4 * whole


def problem(device: str = "cuda") -> str | None:
    """Return why this engine cannot be used on "cuda" or "cuda:N", or None when it can."""
    if reason := cuda_problem():
        return reason
    import cupy

    index = device.partition(":")[2]
    capability = cupy.cuda.Device(int(index) if index else None).compute_capability
    if (int(capability[:-1]), int(capability[-1])) < OLDEST:
        return f"the device has compute capability {capability[:-1]}.{capability[-1]}; 7.5 or later is needed"
    return None


class Items(NamedTuple):
    """Stretches of the corpus, in the order in which all epochs train them."""

    begin: np.ndarray
    end: np.ndarray
    """int64 arrays, shape (items,): tokens of each,"""
    done: np.ndarray
    """and tokens that come before it."""


class Arguments(NamedTuple):
    """The parameters of a kernel, in the order of the source."""

    W_in: Any
    W_out: Any
    """Real arrays, shape (words, width)."""
    ids: Any
    """int32 array: the tokens from `first_token` on; the last one of a sentence has its sign bit set."""
    begin: Any
    end: Any
    """int64 arrays, shape (items,): tokens of each item, a stretch in an epoch,"""
    done: Any
    """and tokens that come before it."""
    keep: Any
    threshold: Any
    """uint64 arrays, shape (words,): chance of being kept, and of the slots of the noise's alias table."""
    alias: Any
    """int32 array, shape (words,)."""
    shares: Any
    """Real array, shape (2 · window + 1,): what a context's row gets of CBOW's gradient, by the number of contexts."""
    limit_in: Any
    limit_out: Any
    """Real arrays, shape (words,): the rates up to which rows take whole steps."""
    scratch: Any
    """int32 array, shape (blocks, 5, STRETCH)."""
    counter: Any
    """uint64 array, shape (1,): the next item."""
    losses: Any
    """float64 array, and"""
    trained: Any
    """int32 array, both of shape (items,): summed loss and number of the targets."""
    first_token: int
    last_item: int
    stretches: int
    words: int
    seed: int
    alpha: float
    slope: float
    """How much the rate falls with each token."""
    negative: float
    pool_tokens: int
    refresh: int
    shrink_windows: int

    def typed(self) -> tuple[Any, ...]:
        """Return them with scalars of the sizes that the source declares."""
        types = [np.int64] * 4 + [np.uint64] + [np.float64] * 3 + [np.int64] + [np.int32] * 2
        values = tuple(self)
        arrays = len(values) - len(types)
        scalars = zip(types, values[arrays:], strict=True)
        return values[:arrays] + tuple(kind(value) for kind, value in scalars)


def mark_ends(corpus_ids: Any, offsets: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return the tokens from `start` to `stop` as int32, with the sign bit set where a sentence ends."""
    ids = np.array(corpus_ids[start:stop], np.int32)
    first, last = np.searchsorted(offsets, [start + 1, stop + 1])
    ids[offsets[first:last] - 1 - start] |= np.int32(-(2**31))
    return ids


def train(
    W_in: Any,
    W_out: Any,
    corpus_ids: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    *,
    model: Model = "cbow",
    window: int = 5,
    negative: int = 5,
    ns_exponent: float = 0.75,
    sample: float = 1e-3,
    alpha: float = 0.2,
    min_alpha: float = 1e-4,
    epochs: int = 5,
    seed: int = 1,
    shrink_windows: bool = True,
    cbow_grad: CbowGrad = "balanced",
    pool_tokens: int = POOL_TOKENS,
    pool_size: int | None = None,
    tile: int = TILE,
    workers: int | None = None,
    crowd: int | None = None,
    on_progress: Callable[[int, float, float], None] | None = None,
) -> np.ndarray:
    """Train both tables in place over all epochs, on the device where they are.

    Parameters are those of `fastw2v.kernels.cpu.train`, but for these.

    Parameters
    ----------
    W_in, W_out : float32 or float64 CuPy array, shape (V, D)
        Made by `tables`, they are trained where they are; others are copied and copied back.
    corpus_ids, offsets, counts : integer array
        Of NumPy; the corpus may be mapped from a file. It is copied to the device whole if it fits, else in pieces.
    tile : int
        T, at least 1.
    workers : int, optional
        Blocks; as many as the device holds if absent, and no more than an epoch has stretches. One does what the twin
        does, to rounding: the order in which its warps add to a row is not fixed. Several race for shared rows.
    crowd : int, optional
        How many blocks the steps of frequent words make way for (`fastw2v.kernels.crowd`); `workers` if absent.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per target of each epoch.

    Raises
    ------
    ValueError
        If a setting or an array is not as described, or a block needs more shared memory than the device has.
    MemoryError
        If the device's memory does not suffice; nothing has been trained then.
    FloatingPointError
        If the loss becomes infinite or NaN.
    RuntimeError
        If there is no usable CUDA device.
    """
    pool_size = pool_size_for(model, negative, W_in.shape[-1]) if pool_size is None else pool_size
    check_settings(
        model, cbow_grad, alpha, min_alpha, window=window, negative=negative, pool_tokens=pool_tokens,
        pool_size=pool_size, tile=tile, epochs=epochs, workers=1 if workers is None else workers,
    )  # fmt: skip
    if reason := cuda_problem():
        raise RuntimeError(f"the fused GPU engine cannot be used. {reason}")
    _check_tables(W_in, W_out)
    check_arrays(W_in, W_out, W_in.data.ptr == W_out.data.ptr, corpus_ids, offsets, counts)
    import cupy

    with cupy.cuda.Device(W_in.device.id):
        if reason := problem(f"cuda:{W_in.device.id}"):
            raise RuntimeError(f"the fused GPU engine cannot be used. {reason}")
        V, D = W_in.shape
        N = len(corpus_ids)
        double = W_in.dtype == np.float64
        keep, weights = keep_threshold(counts, sample), noise_weights(counts, ns_exponent)
        noise = alias_table(weights)
        work = np.array(list(pieces(offsets, STRETCH, SECTION, seed, epochs)), np.int64)
        items = Items(*work.T[1:].copy())
        S = len(items[0]) // epochs
        refresh = tiles_held(workers == 1 or S == 1, pool_tokens, tile)
        kernel, function = _compiled(model, double, _padded_width(D), window, tile, pool_size, refresh > 1)
        blocks = workers or min(_resident(kernel, function), S)
        limit_in, limit_out = limits(
            counts, keep, weights, crowd=crowd or blocks, model=model, window=window, shrink_windows=shrink_windows,
            negative=negative, cbow_grad=cbow_grad, alpha=alpha, tile=tile, pool_size=pool_size,
            pool_tokens=pool_tokens, refresh=refresh,
        )  # fmt: skip
        copied = sum(not _in_place(W) for W in (W_in, W_out))
        needed = copied * table_bytes(V, D, double) + _other_bytes(V, S * epochs, blocks)
        room = free_device_memory() - needed
        piece = piece_tokens(room, N)
        if not piece:
            raise MemoryError(
                f"training needs {needed + 8 * min(N, PIECE):,} bytes of the device's memory beside the two tables, "
                f"and {free_device_memory():,} are free: lower vector_size (now {D}), or raise min_count "
                f"(now {V} words)"
            )
        padded = [_padded(W) for W in (W_in, W_out)]
        arguments = Arguments(
            W_in=padded[0],
            W_out=padded[1],
            ids=None,
            begin=cupy.asarray(items.begin),
            end=cupy.asarray(items.end),
            done=cupy.asarray(items.done),
            keep=cupy.asarray(keep),
            threshold=cupy.asarray(noise.threshold),
            alias=cupy.asarray(noise.alias.astype(np.int32)),
            shares=cupy.asarray(context_shares(cbow_grad, 2 * window).astype(W_in.dtype)),
            limit_in=cupy.asarray(limit_in.astype(W_in.dtype)),
            limit_out=cupy.asarray(limit_out.astype(W_in.dtype)),
            scratch=cupy.empty((blocks, 5, STRETCH), np.int32),
            counter=cupy.zeros(1, np.uint64),
            losses=cupy.zeros(S * epochs, np.float64),
            trained=cupy.zeros(S * epochs, np.int32),
            first_token=0,
            last_item=0,
            stretches=S,
            words=V,
            seed=seed % (1 << 64),
            alpha=float(alpha),
            slope=float(alpha - min_alpha) / (epochs * N),
            negative=float(negative),
            pool_tokens=pool_tokens,
            refresh=refresh,
            shrink_windows=bool(shrink_windows),
        )
        logger.info(
            "training with %d blocks of %d threads and %d bytes of shared memory each",
            blocks, 32 * kernel.warps, kernel.shared_bytes(),
        )  # fmt: skip
        try:
            with contextlib.closing(_sections(corpus_ids, offsets, items, S, piece)) as sections:
                for first, last, ids, first_token in sections:
                    given = arguments._replace(ids=ids, first_token=first_token)
                    _launch(kernel, function, given, blocks, first, last, items, on_progress)
        finally:
            for W, trained in zip((W_in, W_out), padded, strict=True):
                if trained.data.ptr != W.data.ptr:
                    W[...] = trained[:, :D]
        losses = cupy.asnumpy(arguments.losses).reshape(epochs, S).sum(axis=1)
        return losses / np.maximum(cupy.asnumpy(arguments.trained).reshape(epochs, S).sum(axis=1, dtype=np.int64), 1)


def tables(shape: tuple[int, int], device: str, dtype: Any = np.float32) -> tuple[Any, Any]:
    """Return two tables of zeros on a device, with padded rows, which `train` needs not copy.

    Raises
    ------
    MemoryError
        If they do not fit there with what training needs beside them, with the sizes that would.
    """
    import cupy

    V, D = shape
    index = device.partition(":")[2]
    with cupy.cuda.Device(int(index) if index else None):
        double = np.dtype(dtype) == np.float64
        check_room(free_device_memory(), V, D, double)
        W_in, W_out = (cupy.zeros((V, _padded_width(D)), dtype)[:, :D] for _ in "io")
        return W_in, W_out


def check_room(free: int, V: int, D: int, double: bool) -> None:
    """Raise MemoryError, with the sizes that would fit, if two tables and what goes with them need more than `free`."""
    beside = _other_bytes(V, 0, 0) + 8 * PIECE
    needed = 2 * table_bytes(V, D, double) + beside
    if needed > free:
        item = 8 if double else 4
        fitting = max(0, (free - beside) // (2 * V * item) // ROW * ROW)
        words = max(0, (free - beside + 36 * V) // (2 * _padded_width(D) * item + 36))
        size = f"vector_size={fitting} would fit" if fitting else "no vector_size would fit"
        raise MemoryError(
            f"two tables of {V:,} words by {D} numbers, and what goes with them, need {needed / 2**30:.1f} GiB of the "
            f"device's memory, of which {max(free, 0) / 2**30:.1f} GiB are free: {size}, or a vocabulary of {words:,} "
            "words (raise min_count), or train with device='cpu'"
        )


def table_bytes(V: int, D: int, double: bool) -> int:
    """Return the size of a padded table."""
    return V * _padded_width(D) * (8 if double else 4)


def piece_tokens(room: int, tokens: int) -> int:
    """Return how much of a corpus goes to a device with `room` bytes left at a time: all, `PIECE`, or 0 if neither."""
    if room >= 4 * tokens:
        return tokens
    return PIECE if room >= 2 * 4 * PIECE else 0


def tiles_held(alone: bool, pool_tokens: int, tile: int) -> int:
    """Return after how many tiles a block writes its pool back: if it is alone, when the pool's tokens are trained."""
    return -(-pool_tokens // tile) if alone else REFRESH


def _other_bytes(V: int, items: int, blocks: int) -> int:
    """Return the device memory that goes with the tables and the corpus."""
    return 36 * V + 36 * items + 20 * STRETCH * blocks + SPARE


def _padded_width(D: int) -> int:
    return -(-D // ROW) * ROW


def _compiled(
    model: Model, double: bool, width: int, window: int, tile: int, pool_size: int, hold: bool
) -> tuple[Kernel, Any]:
    """Compile a kernel, or take it from CuPy's cache."""
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
    """Return the kernel for these sizes that `limit` bytes of shared memory can hold; with its pool, if `hold` asks.

    Raises
    ------
    ValueError
        If there is none, with the settings that need the memory.
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


def _resident(kernel: Kernel, function: Any) -> int:
    """Return how many blocks the device runs at once."""
    import cupy

    attributes = cupy.cuda.Device().attributes
    threads = 32 * kernel.warps
    fitting = min(
        attributes["MaxSharedMemoryPerMultiprocessor"] // (kernel.shared_bytes() + 1024),
        attributes["MaxRegistersPerMultiprocessor"] // (-(-function.num_regs // 8) * 8 * threads),
        attributes["MaxThreadsPerMultiProcessor"] // threads,
    )
    return int(attributes["MultiProcessorCount"] * max(1, fitting))


def _sections(
    corpus_ids: Any, offsets: np.ndarray, items: Items, S: int, piece: int
) -> Generator[tuple[int, int, Any, int], None, None]:
    """Yield first and last item, ids on the device and first token of sections; the next is copied meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    import cupy
    import cupyx

    if piece >= offsets[-1]:
        yield 0, len(items.begin), cupy.asarray(mark_ends(corpus_ids, offsets, 0, int(offsets[-1]))), 0
        return
    changes = np.flatnonzero(np.diff(items.begin // SECTION)) + 1
    bounds = sorted({0, *changes.tolist(), *range(S, len(items.begin) + 1, S)})  # each section in each epoch
    host = [cupyx.empty_pinned(piece, np.int32) for _ in range(2)]
    there = [cupy.empty(piece, np.int32) for _ in range(2)]
    device = cupy.cuda.Device()
    cupy.cuda.get_current_stream().synchronize()  # whatever had this memory before may still be at work in it

    def send(i: int) -> tuple[int, int, Any, int]:
        first, last = bounds[i], bounds[i + 1]
        start, stop = int(items.begin[first:last].min()), int(items.end[first:last].max())
        with device:
            copying = cupy.cuda.Stream(non_blocking=True)
            host[i % 2][: stop - start] = mark_ends(corpus_ids, offsets, start, stop)
            there[i % 2][: stop - start].set(host[i % 2][: stop - start], stream=copying)
            copying.synchronize()
        return first, last, there[i % 2], start

    with ThreadPoolExecutor(1) as copier:
        coming = copier.submit(send, 0)
        for i in range(len(bounds) - 1):
            here = coming.result()
            if i + 2 < len(bounds):
                coming = copier.submit(send, i + 1)
            yield here


def _launch(
    kernel: Kernel,
    function: Any,
    arguments: Arguments,
    blocks: int,
    first: int,
    last: int,
    items: Items,
    on_progress: Callable[[int, float, float], None] | None,
) -> None:
    """Train the items from `first` to `last` in launches of about `LAUNCH_SECONDS`."""
    size = blocks  # items of the next launch
    while first < last:
        end = min(last, first + max(blocks, size))
        arguments.counter.fill(first)
        began = time.perf_counter()
        given = arguments._replace(last_item=end)
        function((min(blocks, end - first),), (32 * kernel.warps,), given.typed(), shared_mem=kernel.shared_bytes())
        losses = arguments.losses[first:end].get()  # waits for the launch
        seconds = time.perf_counter() - began
        done = int(items.done[end - 1] + items.end[end - 1] - items.begin[end - 1])
        if not np.isfinite(losses).all():
            bad = first + int(np.flatnonzero(~np.isfinite(losses))[0])
            raise FloatingPointError(
                f"the loss is {losses[bad - first]} in epoch {bad // arguments.stretches + 1}, between word "
                f"{items.begin[bad]} and word {items.end[bad]} of the corpus, at learning rate "
                f"{arguments.alpha - arguments.slope * items.done[bad]:.4g}: train with a lower alpha"
            )
        targets = int(arguments.trained[first:end].sum(dtype=np.int64))
        if on_progress is not None and targets:
            on_progress(done, float(losses.sum()) / targets, arguments.alpha - arguments.slope * done)
        size = min(2 * (end - first), int((end - first) * LAUNCH_SECONDS / max(seconds, 1e-6)))
        first = end


def _padded(W: Any) -> Any:
    """Return W with its padding, as made by `tables`, or a padded copy."""
    import cupy

    V, D = W.shape
    width = _padded_width(D)
    if _in_place(W):
        return W if width == D else W.base
    copy = cupy.zeros((V, width), W.dtype)
    copy[:, :D] = W
    return copy


def _in_place(W: Any) -> bool:
    """Return whether a table can be trained where it is."""
    width = _padded_width(W.shape[1])
    whole = W if width == W.shape[1] else W.base
    return (
        whole is not None
        and whole.shape == (len(W), width)
        and whole.flags.c_contiguous
        and whole.data.ptr == W.data.ptr
        and W.data.ptr % 16 == 0
    )


def _check_tables(W_in: Any, W_out: Any) -> None:
    if not (is_cupy(W_in) and is_cupy(W_out)):
        raise ValueError(
            f"W_in is a {type(W_in).__name__} and W_out a {type(W_out).__name__}; they must be arrays of one CUDA "
            "device (fastw2v.to_device copies)"
        )
    if W_in.device.id != W_out.device.id:
        raise ValueError(f"W_in is on device {W_in.device.id} and W_out on {W_out.device.id}; they must be on one")
