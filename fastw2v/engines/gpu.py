"""The fused GPU engine, whose blocks train chunks of the corpus with the kernels in `kernels/word2vec*.cu`.

`docs/concepts/gpu.md` explains how it works and says on which devices it was run. CuPy, which compiles the kernels, is
imported only by the functions that need it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import free_device_memory, is_cupy
from fastw2v.config import (
    CHUNK_TOKENS,
    SHUFFLE_BLOCK_TOKENS,
    TILE,
    Loss,
    Model,
    Quality,
    TrainingConfig,
    cbow_grad_scale,
    default_pool,
    output_parts,
    output_rows,
)
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.engines.base import (
    Pauses,
    ProgressFunction,
    Tables,
    TrainingReport,
    TrainingState,
    run_pause,
)
from fastw2v.engines.checks import check_arrays, check_frozen
from fastw2v.engines.staleness import max_rates, tree_max_rates
from fastw2v.kernels import word2vec_cuda
from fastw2v.kernels.word2vec_cuda import Arguments, Kernel
from fastw2v.sampling.alias import alias_table, noise_weights
from fastw2v.sampling.chunks import Chunk, iter_chunks, window_reach
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.subsampling import keep_threshold
from fastw2v.utils.loss import require_finite_loss, require_finite_weights

__all__ = ["POOL_SYNC_INTERVAL", "allocate", "train", "unavailable_reason"]

logger = logging.getLogger("fastw2v")

ROW = 4
"""Rows are padded to a multiple of this many numbers, which one lane processes at a time."""
POOL_SYNC_INTERVAL = 1
"""Tiles between write-backs of a pool. Larger values save bandwidth but increase staleness."""
LARGE_TILE_POOLS: dict[Model, dict[Quality, int]] = {"cbow": {"fast": 1, "balanced": 2}, "skipgram": {"fast": 1}}
"""Which models and qualities train tiles for tensor cores. The numbers are the size of their pools, divided by the
default size for "balanced".

With such tiles, the rows of a pool are updated less often, and vectors of the same quality need larger pools. They cost
little, because a row is read once for 16 targets (`docs/notebook/gpu.md`).
"""
MIN_LARGE_TILE_BLOCKS = 3
"""Minimum number of blocks per multiprocessor for large tiles, which have not been measured with fewer."""
LAUNCH_SECONDS = 0.25
"""Intended duration of a launch. Progress is reported and Ctrl-C is handled between launches."""
FIRST_LAUNCH_ITEMS = 8
"""Items for each block in the first launch, whose duration is not known in advance.

At the end of a launch, a block waits for the others during half an item on average, so launches of few items are slow.
"""
MAX_SHUFFLE_BLOCK = SHUFFLE_BLOCK_TOKENS + CHUNK_TOKENS
"""Maximum number of tokens in a shuffle block, including the last chunk, which may extend beyond the block.

If the corpus does not fit on the device, the device stores two shuffle blocks. Training uses one while the next is
copied.
"""
USUAL_SUBWORDS = 26
"""Rows of a word with n-grams of 3 to 6 characters, averaged over a vocabulary and rounded up."""
RESERVED_BYTES = 64 << 20
"""Number of bytes of device memory that are left free."""


class Items(NamedTuple):
    """The chunks of all epochs, in the order of training: int64 arrays, shape (N,)."""

    start: np.ndarray
    """Index of the first token of each chunk."""
    stop: np.ndarray
    """Index after the last token of each chunk."""
    done: np.ndarray
    """Number of tokens, counted over all epochs, that are trained before each chunk."""


def unavailable_reason(device: str = "cuda") -> str | None:
    """Return why this engine cannot be used on a device, or None if it can.

    Parameters
    ----------
    device : str
        "cuda" or "cuda:N".
    """
    return word2vec_cuda.unavailable_reason(device)


def allocate(
    shape: tuple[int, int],
    device: str = "cuda",
    loss: Loss = TrainingConfig.loss,
    input_rows: int | None = None,
    dtype: Any = np.float32,
) -> Tables:
    """Return tables of zeros with padded rows on a device, which `train` uses without copying.

    Parameters
    ----------
    shape : (int, int)
        V and D.
    device : str
        "cuda" or "cuda:N".
    loss : {"ns", "hs", "hs+ns"}
        Determines the number of rows of W_out; see `output_rows`.
    input_rows : int, optional
        Number of rows of W_in, by default V.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Tables

    Raises
    ------
    MemoryError
        If the tables and the other arrays of training do not fit in the device's memory. The message suggests
        sizes that fit.
    """
    import cupy

    V, D = shape
    index = device.partition(":")[2]
    with cupy.cuda.Device(int(index) if index else None):
        require_memory(free_device_memory(), V, D, np.dtype(dtype) == np.float64, loss, input_rows)
        return Tables(
            *(cupy.zeros((n, _padded_width(D)), dtype)[:, :D] for n in (input_rows or V, output_rows(loss, V)))
        )


def train(
    tables: Tables,
    corpus: Corpus,
    config: TrainingConfig,
    *,
    workers: int | None = None,
    concurrency: int | None = None,
    on_progress: ProgressFunction | None = None,
    state: TrainingState | None = None,
    pauses: Pauses | None = None,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> np.ndarray:
    """Train both tables in place, on their device.

    Parameters
    ----------
    tables : Tables
        CuPy arrays of float32 or float64. Arrays from `allocate` are trained without a copy. Other arrays are copied
        before training and after each pause, and copied back before each pause and at the end.
    corpus : Corpus
        The corpus, which may be memory-mapped. It is copied to the device as a whole if it fits, and otherwise one
        shuffle block at a time.
    config : TrainingConfig
        ``config.deterministic`` is not used, because the order of additions to a row is not fixed.
    workers : int, optional
        Number of blocks. By default, the number of blocks that the device runs at the same time, but at most the number
        of chunks in an epoch. With one block, the result equals that of the reference implementation up to rounding.
        Several blocks update shared rows without locks, so their results vary.
    concurrency : int, optional
        Number of blocks to assume when scaling down the steps of frequent words (see `fastw2v.engines.staleness`).
        By default, the actual number of blocks.
    on_progress : ProgressFunction, optional
        Function that is called between launches, which take about `LAUNCH_SECONDS` each.
    state, pauses, frozen, subwords
        See `Engine.train`. Pauses are made between launches. A launch ends where a pause is certainly due.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per prediction of each epoch.

    Raises
    ------
    ValueError
        If the tables, the corpus and the settings do not match, a value is outside its range, or a block needs more
        shared memory than is available on the device.
    MemoryError
        If the device has too little free memory, which is checked before training starts.
    FloatingPointError
        If the loss or a trained weight becomes infinite or NaN.
    RuntimeError
        If no CUDA device can be used.
    """
    W_in, W_out = tables
    if reason := unavailable_reason(f"cuda:{W_in.device.id}" if is_cupy(W_in) else "cuda"):
        raise RuntimeError(f"the fused GPU engine cannot be used: {reason}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    _check_devices(tables)
    check_arrays(tables, corpus, config, W_in.data.ptr == W_out.data.ptr, subwords)
    check_frozen(frozen, len(corpus.vocabulary))
    import cupy

    with cupy.cuda.Device(W_in.device.id):
        ids, offsets, counts = corpus.ids, corpus.offsets, corpus.vocabulary.counts
        V, D, N = len(counts), W_in.shape[1], len(ids)
        dtype, double = W_in.dtype, W_in.dtype == np.float64
        chunks = iter_chunks(offsets, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, config.seed, config.epochs)
        table = np.fromiter(map(tuple, chunks), [(name, np.int64) for name in Chunk._fields])
        items = Items(*(table[name].copy() for name in Items._fields))
        n_items = len(items.start)
        chunks_per_epoch = n_items // config.epochs
        reach = window_reach(config.window, offsets)
        alone = workers == 1 or chunks_per_epoch == 1
        if not alone and subwords is None:
            config = with_larger_tiles(config, double, reach)
        interval = pool_sync_interval(config, alone)
        kernel, function = word2vec_cuda.compile_kernel(
            config.model,
            double,
            _padded_width(D),
            reach,
            config.tile,
            config.pool_size,
            interval > 1,
            freeze=frozen is not None,
            loss=config.loss,
            has_subwords=subwords is not None,
        )
        tree = None if config.loss == "ns" else HuffmanTree.from_counts(counts)
        blocks = workers or min(word2vec_cuda.resident_blocks(kernel, function), chunks_per_epoch)
        copied = sum(table_bytes(len(W), D, double) for W in tables if not _is_padded(W))
        needed = copied + _other_bytes(V, config.loss, 0 if tree is None else len(tree.points), n_items, blocks)
        if subwords is not None:
            needed += _subword_bytes(V, subwords.n_rows, len(subwords.rows), config.loss)
        tokens_held = device_tokens(free_device_memory() - needed, N)
        if not tokens_held:
            raise MemoryError(
                f"training needs {needed + 8 * min(N, MAX_SHUFFLE_BLOCK):,} bytes of device memory in addition to the "
                f"two tables, but only {free_device_memory():,} bytes are free: lower vector_size (now {D}), or raise "
                f"min_count to reduce the vocabulary (now {V} words)"
            )
        keep = keep_threshold(counts, config.sample)
        padded = [_padded(W) for W in tables]
        report = TrainingReport(config, N, on_progress, state)
        words, nodes = output_parts(padded[1], config.loss)
        staleness: Any = {"concurrency": concurrency or blocks, "frozen": frozen, "subwords": subwords}
        fields: dict[str, Any] = dict.fromkeys(Arguments._fields)
        fields |= {
            "W_in": padded[0],
            "words": V,
            "first_token": 0,
            "chunk_start": cupy.asarray(items.start),
            "chunk_stop": cupy.asarray(items.stop),
            "chunk_done": cupy.asarray(items.done),
            "chunks_per_epoch": chunks_per_epoch,
            "stop_item": 0,
            "keep": cupy.asarray(keep),
            "seed": config.seed % (1 << 64),
            "window": config.window,
            "shrink_windows": bool(config.shrink_windows),
            "cbow_grad_scale": cupy.asarray(cbow_grad_scale(config.cbow_grad, 2 * reach).astype(dtype)),
            "alpha": float(config.alpha),
            "slope": report.slope,
            "next_item": cupy.zeros(1, np.uint64),
            "scratch": cupy.empty((blocks, 5, CHUNK_TOKENS), np.int32),
            "losses": cupy.zeros(n_items, np.float64),
            "predictions": cupy.zeros(n_items, np.int32),
        }
        if words is not None:
            weights = noise_weights(counts, config.ns_exponent)
            noise = alias_table(weights)
            rates = max_rates(counts, keep, weights, config, reach, pool_sync_interval=interval, **staleness)
            fields |= {
                "W_out": words,
                "max_rate_in": cupy.asarray(rates[0].astype(dtype)),
                "max_rate_out": cupy.asarray(rates[1].astype(dtype)),
                "threshold": cupy.asarray(noise.threshold),
                "alias": cupy.asarray(noise.alias.astype(np.int32)),
                "pool_sync_interval": interval,
                "pool_tokens": config.pool_tokens,
                "negative": float(config.negative),
            }
        if tree is not None:
            held = min(kernel.held_nodes, V - 1), word2vec_cuda.HELD_TOKENS
            rates = tree_max_rates(counts, keep, tree, config, reach, held=held, **staleness)
            fields |= {
                "W_nodes": nodes,
                "tree_max_rate_in": cupy.asarray(rates[0].astype(dtype)),
                "max_rate_nodes": cupy.asarray(rates[1].astype(dtype)),
                "path_start": cupy.asarray(tree.starts),
                "path": cupy.asarray(2 * tree.points + tree.codes),
            }
        if subwords is not None:
            fields |= {
                "subword_starts": cupy.asarray(subwords.starts),
                "subword_rows": cupy.asarray(subwords.rows),
            }
        arguments = Arguments(**fields)
        logger.info(
            "training with %d blocks of %d threads and %d bytes of shared memory each",
            blocks, 32 * kernel.warps, kernel.shared_bytes(),
        )  # fmt: skip

        pairs = zip(tables, padded, strict=True)
        copies = [(W, trained[:, :D]) for W, trained in pairs if trained.data.ptr != W.data.ptr]

        try:
            begin = int(np.searchsorted(items.done, report.state.words))
            parts = _load_corpus(ids, offsets, items, chunks_per_epoch, tokens_held, begin)
            with contextlib.closing(parts):
                for first, last, ids_there, first_token in parts:
                    given = arguments._replace(ids=ids_there, first_token=first_token)
                    _run(kernel, function, given, blocks, first, last, items, report, pauses, copies)
            require_finite_weights(padded, "a lower alpha")
        finally:
            for W, trained in copies:
                W[...] = trained
        return report.state.mean_losses()


def with_larger_tiles(config: TrainingConfig, double: bool, reach: int) -> TrainingConfig:
    """Return settings with tiles for tensor cores if they are faster on the current device and as good.

    Parameters
    ----------
    config : TrainingConfig
    double : bool
        Whether the tables are float64 instead of float32.
    reach : int
        Largest distance between a target and a context in the corpus.

    Returns
    -------
    TrainingConfig
        The given settings if tiles for tensor cores are not better, or if the sizes of tiles or pools differ from the
        defaults.

    Examples
    --------
    On any device, ``quality="best"`` trains the default tiles:

    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.gpu import with_larger_tiles
    >>> config = with_larger_tiles(TrainingConfig(quality="best"), double=False, reach=5)
    >>> config.tile, config.pool_size
    (4, 48)
    """
    sizes = config.model, config.negative, config.vector_size, config.output_weight
    defaults = default_pool(*sizes, config.quality)
    factor = LARGE_TILE_POOLS[config.model].get(config.quality)
    other_pools = config.model == "cbow" and not config.output_weight  # they were not measured
    by_default = (config.tile, config.pool_tokens, config.pool_size) == (TILE, *defaults)
    if factor is None or config.loss != "ns" or other_pools or not by_default:
        return config
    large = replace(config, tile=word2vec_cuda.TENSOR_CORE_TILE, pool_size=factor * default_pool(*sizes)[1])
    width = _padded_width(config.vector_size)
    try:
        kernel = word2vec_cuda.device_kernel(
            config.model, double, width, reach, large.tile, large.pool_size, POOL_SYNC_INTERVAL > 1
        )
    except ValueError:  # no kernel fits in shared memory
        return config
    return large if kernel.tensor_cores and kernel.min_blocks >= MIN_LARGE_TILE_BLOCKS else config


def mark_sentence_ends(ids: Any, offsets: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return word ids as int32, with the sign bit set on the last token of each sentence.

    Parameters
    ----------
    ids : integer array, shape (N,)
        Word ids of the corpus.
    offsets : int array, shape (n_sentences + 1,)
        Sentence ``s`` is ``ids[offsets[s] : offsets[s + 1]]``.
    start, stop : int
        Bounds of the tokens to return.

    Returns
    -------
    int32 array, shape (stop - start,)

    Examples
    --------
    The lower 31 bits are the word ids. The sentences end at ids 2 and 4:

    >>> import numpy as np
    >>> from fastw2v.engines.gpu import mark_sentence_ends
    >>> marked = mark_sentence_ends(np.arange(5), np.array([0, 3, 5]), 0, 5)
    >>> (marked < 0).tolist(), (marked & 0x7FFFFFFF).tolist()
    ([False, False, True, False, True], [0, 1, 2, 3, 4])
    """
    marked = np.array(ids[start:stop], np.int32)
    first, last = np.searchsorted(offsets, [start + 1, stop + 1])
    marked[offsets[first:last] - 1 - start] |= np.int32(-(2**31))
    return marked


def require_memory(
    free: int, V: int, D: int, double: bool, loss: Loss = TrainingConfig.loss, input_rows: int | None = None
) -> None:
    """Raise an error if training needs more memory than is free on the device.

    Parameters
    ----------
    free : int
        Free device memory, in bytes.
    V, D : int
        Shape of the tables.
    double : bool
        Whether the tables are float64 instead of float32.
    loss : {"ns", "hs", "hs+ns"}
    input_rows : int, optional
        Number of rows of W_in with subwords.

    Raises
    ------
    MemoryError
        If training needs more memory. The message suggests sizes that fit.

    Examples
    --------
    >>> from fastw2v.engines.gpu import require_memory
    >>> require_memory(4 << 30, 3_000_000, 300, double=False)
    Traceback (most recent call last):
        ...
    MemoryError: two tables of 3,000,000 words by 300 numbers ... need 7.0 GiB of the device's memory, ...
    """
    per_word = _bytes_per_word(loss) + 4 * _usual_path(V) * (loss != "ns")
    fixed = _other_bytes(0, loss, 0, 0, 0) + 8 * MAX_SHUFFLE_BLOCK
    itemsize = 8 if double else 4
    rows = (input_rows or V) + output_rows(loss, V)
    others = per_word * V
    if input_rows is not None:
        others += _subword_bytes(V, input_rows, USUAL_SUBWORDS * V, loss)
    needed = table_bytes(rows, D, double) + others + fixed
    if needed > free:
        fitting = max(0, (free - fixed - others) // (rows * itemsize) // ROW * ROW)
        words = max(0, V * (free - fixed) // (table_bytes(rows, D, double) + others))
        size = f"vector_size={fitting} would fit" if fitting else "no vector_size would fit"
        fewer = f", or a vocabulary of {words:,} words (raise min_count)" if words > 1 else ""
        of_rows = "" if input_rows is None else f"{input_rows:,} rows of subwords and "
        raise MemoryError(
            f"{'three' if loss == 'hs+ns' else 'two'} tables of {of_rows}{V:,} words by {D} numbers and the other "
            f"arrays of training need {needed / 2**30:.1f} GiB of the device's memory, but only "
            f"{max(free, 0) / 2**30:.1f} GiB are free: "
            f"{size}{fewer}. Or train with device='cpu'"
        )


def table_bytes(V: int, D: int, double: bool) -> int:
    """Return the size in bytes of a table with padded rows.

    Parameters
    ----------
    V, D : int
        Shape of the table.
    double : bool
        Whether the table is float64 instead of float32.

    Examples
    --------
    Rows of 10 numbers are padded to 12:

    >>> from fastw2v.engines.gpu import table_bytes
    >>> table_bytes(1000, 10, double=False)  # 1000 · 12 · 4
    48000
    """
    return V * _padded_width(D) * (8 if double else 4)


def device_tokens(free: int, tokens: int) -> int:
    """Return the number of tokens of the corpus that are copied to the device at a time.

    Parameters
    ----------
    free : int
        Device memory that is available for the corpus, in bytes.
    tokens : int
        Tokens in the corpus.

    Returns
    -------
    int
        `tokens` if the corpus fits, `MAX_SHUFFLE_BLOCK` if two shuffle blocks fit, and 0 otherwise.

    Examples
    --------
    A token is 4 bytes:

    >>> from fastw2v.engines.gpu import MAX_SHUFFLE_BLOCK, device_tokens
    >>> device_tokens(4_000, 1_000), device_tokens(3_999, 1_000)
    (1000, 0)
    >>> device_tokens(1 << 30, 10**9) == MAX_SHUFFLE_BLOCK
    True
    """
    if free >= 4 * tokens:
        return tokens
    return MAX_SHUFFLE_BLOCK if free >= 2 * 4 * MAX_SHUFFLE_BLOCK else 0


def pool_sync_interval(config: TrainingConfig, alone: bool) -> int:
    """Return the number of tiles between write-backs of a pool.

    Parameters
    ----------
    config : TrainingConfig
    alone : bool
        Whether only one block trains. A single block keeps each pool for all of the pool's tokens.

    Returns
    -------
    int

    Examples
    --------
    A pool of 256 tokens lasts for 64 tiles of 4 targets:

    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.gpu import pool_sync_interval
    >>> config = TrainingConfig(pool_tokens=256, tile=4)
    >>> pool_sync_interval(config, alone=True), pool_sync_interval(config, alone=False)
    (64, 1)
    """
    return -(-config.pool_tokens // config.tile) if alone else POOL_SYNC_INTERVAL


def _other_bytes(V: int, loss: Loss, nodes: int, n_items: int, blocks: int) -> int:
    """Return the device memory in bytes that is needed in addition to the tables and the corpus.

    `nodes` is the number of nodes on the paths to all words.
    """
    return _bytes_per_word(loss) * V + 4 * nodes + 36 * n_items + 20 * CHUNK_TOKENS * blocks + RESERVED_BYTES


def _bytes_per_word(loss: Loss) -> int:
    """Return the bytes per word of the sampling tables, the maximum rates and the beginnings of the paths."""
    return {"ns": 36, "hs": 32, "hs+ns": 60}[loss]


def _subword_bytes(V: int, n_rows: int, entries: int, loss: Loss) -> int:
    """Return the bytes of the rows of all words, and of the maximum rates of rows that do not belong to words."""
    return 8 * (V + 1) + 4 * entries + (2 if loss == "hs+ns" else 1) * 8 * max(0, n_rows - V)


def _usual_path(V: int) -> int:
    """Return the usual number of nodes on the path to a word, averaged over a vocabulary of V words.

    In a natural text it is about 1.2 · log₂ V, because most words are rare.
    """
    return math.ceil(1.25 * math.log2(max(V, 2)))


def _padded_width(D: int) -> int:
    """Return the number of columns of a padded row."""
    return -(-D // ROW) * ROW


def _load_corpus(
    ids: Any, offsets: np.ndarray, items: Items, chunks_per_epoch: int, tokens_held: int, begin: int
) -> Generator[tuple[int, int, Any, int], None, None]:
    """Copy the corpus to the device, as a whole or one shuffle block at a time.

    While one shuffle block is trained, the next is copied.

    Parameters
    ----------
    ids, offsets : integer array
        The corpus.
    items : Items
    chunks_per_epoch : int
    tokens_held : int
        The result of `device_tokens`.
    begin : int
        The first item to train.

    Yields
    ------
    first, last : int
        The items from `first` to `last` - 1 can be trained now.
    ids : CuPy array of int32
        The tokens of these items.
    first_token : int
        Index in the corpus of ``ids[0]``.
    """
    from concurrent.futures import ThreadPoolExecutor

    import cupy
    import cupyx

    n_items = len(items.start)
    if tokens_held >= offsets[-1]:
        yield begin, n_items, cupy.asarray(mark_sentence_ends(ids, offsets, 0, int(offsets[-1]))), 0
        return
    changes = np.flatnonzero(np.diff(items.start // SHUFFLE_BLOCK_TOKENS)) + 1
    epochs = range(chunks_per_epoch, n_items + 1, chunks_per_epoch)
    # The first item of each shuffle block of each epoch that is not trained yet, and the end.
    bounds = sorted({begin, *(bound for bound in (*changes.tolist(), *epochs) if bound > begin)})
    host = [cupyx.empty_pinned(tokens_held, np.int32) for _ in range(2)]
    there = [cupy.empty(tokens_held, np.int32) for _ in range(2)]
    device = cupy.cuda.Device()
    cupy.cuda.get_current_stream().synchronize()  # because earlier work on this stream may still use the memory

    def copy(i: int) -> tuple[int, int, Any, int]:
        first, last = bounds[i], bounds[i + 1]
        start, stop = int(items.start[first:last].min()), int(items.stop[first:last].max())
        with device:
            stream = cupy.cuda.Stream(non_blocking=True)
            host[i % 2][: stop - start] = mark_sentence_ends(ids, offsets, start, stop)
            there[i % 2][: stop - start].set(host[i % 2][: stop - start], stream=stream)
            stream.synchronize()
        return first, last, there[i % 2], start

    with ThreadPoolExecutor(1) as copier:
        pending = copier.submit(copy, 0)
        for i in range(len(bounds) - 1):
            ready = pending.result()
            if i + 2 < len(bounds):
                pending = copier.submit(copy, i + 1)
            yield ready


def _run(
    kernel: Kernel,
    function: Any,
    arguments: Arguments,
    blocks: int,
    first: int,
    last: int,
    items: Items,
    report: TrainingReport,
    pauses: Pauses | None,
    copies: list[tuple[Any, Any]],
) -> None:
    """Train the items from `first` to `last` - 1 in launches of about `LAUNCH_SECONDS` each."""
    state = report.state
    next_item = np.empty(1, np.uint64)
    size = FIRST_LAUNCH_ITEMS * blocks  # items in the next launch
    while first < last:
        end = min(last, first + max(blocks, size))
        if pauses is not None:
            end = min(end, int(np.searchsorted(items.done, pauses.next_words(state.words))))
        next_item[0] = first
        arguments.next_item.set(next_item)  # a copy, because `fill` would compile another kernel
        began = time.perf_counter()
        word2vec_cuda.launch(kernel, function, arguments._replace(stop_item=end), min(blocks, end - first))
        losses = arguments.losses[first:end].get()  # waits for the launch
        seconds = time.perf_counter() - began
        epochs = np.arange(first, end) // arguments.chunks_per_epoch
        for i in np.flatnonzero(~np.isfinite(losses))[:1]:
            start, stop, done = (int(values[first + i]) for values in items)
            where = f"epoch {epochs[i] + 1}, between word {start} and word {stop} of the corpus"
            require_finite_loss(float(losses[i]), f"{where}, at learning rate {report.rate(done):.4g}", "a lower alpha")
        np.add.at(state.losses, epochs, losses)
        np.add.at(state.predictions, epochs, arguments.predictions[first:end].get())
        state.words = int(items.done[end - 1] + items.stop[end - 1] - items.start[end - 1])
        report.report(report.totals(state.words))
        if pauses is not None and pauses.due(state.words):
            run_pause(pauses, state, copies)
        size = min(2 * (end - first), int((end - first) * LAUNCH_SECONDS / max(seconds, 1e-6)))
        first = end


def _padded(W: Any) -> Any:
    """Return W with its padding if W has the layout of `allocate`, and a padded copy otherwise."""
    import cupy

    V, D = W.shape
    width = _padded_width(D)
    if _is_padded(W):
        return W if width == D else W.base
    copy = cupy.zeros((V, width), W.dtype)
    copy[:, :D] = W
    return copy


def _is_padded(W: Any) -> bool:
    """Return whether a table has the layout that `allocate` produces. Such a table is trained without a copy."""
    width = _padded_width(W.shape[1])
    whole = W if width == W.shape[1] else W.base
    return (
        whole is not None
        and whole.shape == (len(W), width)
        and whole.flags.c_contiguous
        and whole.data.ptr == W.data.ptr
        and W.data.ptr % 16 == 0
    )


def _check_devices(tables: Tables) -> None:
    """Raise ValueError unless both tables are CuPy arrays on the same device."""
    W_in, W_out = tables
    if not (is_cupy(W_in) and is_cupy(W_out)):
        raise ValueError(
            f"W_in is a {type(W_in).__name__} and W_out is a {type(W_out).__name__}; they must be CuPy arrays on the "
            "same device. Copy them with fastw2v.backend.to_device"
        )
    if W_in.device.id != W_out.device.id:
        raise ValueError(f"W_in is on device {W_in.device.id} and W_out on {W_out.device.id}; copy them to one device")
