"""The fused CPU engine, whose threads train chunks of the corpus with compiled kernels.

`docs/concepts/kernels.md` describes the kernels. Importing this module imports neither Numba nor the kernels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from fastw2v.config import (
    CHUNK_TOKENS,
    MAX_SIZE,
    SHUFFLE_BLOCK_TOKENS,
    Loss,
    TrainingConfig,
    cbow_grad_scale,
    output_parts,
    output_rows,
)
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.spill_buffer import release_pages
from fastw2v.corpus.subwords import Subwords
from fastw2v.engines.base import (
    REPORT_INTERVAL,
    Pauses,
    ProgressFunction,
    Tables,
    TrainingReport,
    TrainingState,
    combined_loss,
    run_pause,
)
from fastw2v.engines.checks import check_arrays, check_frozen
from fastw2v.engines.staleness import (
    MAX_PRIVATE_ROWS,
    MIN_USES,
    PrivateRows,
    held_nodes,
    max_rates,
    private_nodes,
    private_rows,
    private_tokens,
    tree_max_rates,
)
from fastw2v.kernels import numba_unavailable_reason
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable, alias_table, noise_weights
from fastw2v.sampling.chunks import Chunk, iter_chunks, window_reach
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.subsampling import keep_threshold
from fastw2v.utils.interrupts import call_in_thread
from fastw2v.utils.loss import require_finite_loss, require_finite_weights

__all__ = ["ChunkTraining", "aligned_zeros", "allocate", "buffer_bytes", "max_chunks", "train", "unavailable_reason"]

ROW = 16
"""Rows are padded to a multiple of this many numbers."""
CACHE_LINE = 64
"""Size of a cache line in bytes. Rows are aligned to it, so that vectors do not cross lines and rows share none."""
MAX_TILE = 4
"""Maximum number of targets in a tile, because the kernels score four targets together."""
BLOCK = 4
"""Number of rows that the kernels score together."""
LANES = 16
"""Number of elements of a vector, which the kernels may read beyond the last path of the Huffman tree."""


def unavailable_reason(device: str = "cpu") -> str | None:
    """Return why this engine cannot be used, or None if it can. This imports Numba.

    Parameters
    ----------
    device : str
        Not used.

    Examples
    --------
    >>> from fastw2v.engines import cpu
    >>> print(cpu.unavailable_reason())
    None
    """
    return numba_unavailable_reason()


def allocate(
    shape: tuple[int, int],
    device: str = "cpu",
    loss: Loss = TrainingConfig.loss,
    input_rows: int | None = None,
) -> Tables:
    """Return float32 tables of zeros in the layout of `aligned_zeros`.

    Parameters
    ----------
    shape : (int, int)
        V and D.
    device : str
        Not used.
    loss : {"ns", "hs", "hs+ns"}
        Determines the number of rows of W_out; see `output_rows`.
    input_rows : int, optional
        Number of rows of W_in, by default V.

    Returns
    -------
    Tables

    Examples
    --------
    >>> from fastw2v.engines import cpu
    >>> tables = cpu.allocate((1000, 50))
    >>> tables.W_in.shape, tables.W_out.dtype.name
    ((1000, 50), 'float32')
    """
    V, D = shape
    return Tables(aligned_zeros((input_rows or V, D)), aligned_zeros((output_rows(loss, V), D)))


def aligned_zeros(shape: tuple[int, int], dtype: Any = np.float32) -> np.ndarray:
    """Return zeros with padded and aligned rows, which `train` uses without copying.

    Parameters
    ----------
    shape : (int, int)
        V and D.
    dtype : dtype

    Returns
    -------
    array, shape (V, D)
        A view of a larger array. Each row starts at a cache line and is padded to a multiple of 16 numbers.

    Examples
    --------
    Rows of 50 numbers are padded to 64 numbers of 4 bytes each:

    >>> from fastw2v.engines.cpu import aligned_zeros
    >>> W = aligned_zeros((1000, 50))
    >>> W.shape, W.strides, W.ctypes.data % 64
    ((1000, 50), (256, 4), 0)
    """
    V, D = shape
    itemsize = np.dtype(dtype).itemsize
    width = -(-D // ROW) * ROW
    buffer = np.zeros(V * width + CACHE_LINE // itemsize, dtype)
    skip = -buffer.ctypes.data % CACHE_LINE // itemsize
    return buffer[skip : skip + V * width].reshape(V, width)[:, :D]


def buffer_bytes(
    config: TrainingConfig,
    tokens: int,
    reach: int,
    longest_path: int = 0,
    workers: int = 1,
    rows: tuple[int, int] = (MAX_SIZE, MAX_SIZE),
    has_subwords: bool = False,
) -> int:
    """Return the size in bytes of the buffers that a kernel allocates to train a chunk.

    Parameters
    ----------
    config : TrainingConfig
    tokens : int
        Number of tokens in the chunk.
    reach : int
        Largest distance between a target and a context (`fastw2v.sampling.chunks.window_reach`).
    longest_path : int
        Number of steps of the longest path in the Huffman tree. It has no effect on negative sampling.
    workers : int
        Number of threads, which determines how many rows each of them copies.
    rows : (int, int)
        Number of rows of W_in and W_out, which limit the number of copies.
    has_subwords : bool
        Whether words have several rows of W_in.

    Examples
    --------
    A wide window or many negatives need large buffers:

    >>> from fastw2v.config import CHUNK_TOKENS, TrainingConfig
    >>> from fastw2v.engines.cpu import buffer_bytes
    >>> configs = TrainingConfig(), TrainingConfig(window=1000), TrainingConfig(negative=1000)
    >>> [round(buffer_bytes(config, CHUNK_TOKENS, config.window) / 1e6, 1) for config in configs]
    [0.2, 2.1, 3.2]

    Several threads copy the rows of frequent words. A small vocabulary has few rows:

    >>> config, rows = TrainingConfig(), (100, 100)
    >>> [round(buffer_bytes(config, CHUNK_TOKENS, 5, workers=n) / 1e6, 1) for n in (1, 2, 16)]
    [0.2, 2.3, 0.5]
    >>> [round(buffer_bytes(config, CHUNK_TOKENS, 5, workers=n, rows=rows) / 1e6, 1) for n in (1, 2, 16)]
    [0.2, 0.4, 0.4]
    """
    # With two losses, their kernels run one after the other.
    kernels = [_negative_sampling_bytes(config, tokens, reach)] if config.loss != "hs" else []
    if config.loss != "ns":
        kernels.append(_tree_bytes(config, tokens, reach, longest_path, workers))
    return 20 * (tokens + 1) + max(kernels) + _private_bytes(config, workers, rows, has_subwords)


def _private_bytes(config: TrainingConfig, workers: int, rows: tuple[int, int], has_subwords: bool) -> int:
    """Return an upper bound on the size in bytes of a thread's copies of frequent rows, and of their snapshots."""
    if workers == 1:
        return 0
    # A token uses one row of W_in or, with subwords, several, and one row of W_out, the pool's rows, or a path.
    pool = config.pool_size / config.pool_tokens
    most = MAX_PRIVATE_ROWS
    uses = (most if has_subwords else 1, most if config.loss != "ns" else 1 + pool)
    width = -(-config.vector_size // ROW) * ROW
    numbers = (min(most, n, int(use * private_tokens(workers) / MIN_USES)) for use, n in zip(uses, rows, strict=True))
    return 2 * 4 * width * sum(numbers)


def _negative_sampling_bytes(config: TrainingConfig, tokens: int, reach: int) -> int:
    """Return the size in bytes of the buffers for negative sampling, apart from the tokens of the chunk."""
    P, width = config.pool_size, -(-config.vector_size // ROW) * ROW
    blocks = -(-P // BLOCK)
    window = 2 * min(reach, tokens) + config.tile
    ring = 1 << (window + (config.model == "cbow") - 1).bit_length()
    negatives = 4 * P * (tokens // config.pool_tokens + 2)
    pool = 4 * 2 * BLOCK * blocks * width + (3 * 4 * ROW + 8 * BLOCK) * blocks + 4 * P
    rows = 2 * 4 * ring * width
    positives = (8 * BLOCK + 2 * 4 * ROW) * (-(-window // BLOCK)) + 4 * tokens
    return negatives + pool + rows + positives + 2 * 4 * BLOCK * width


def _tree_bytes(config: TrainingConfig, tokens: int, reach: int, longest_path: int, workers: int) -> int:
    """Return the size in bytes of the buffers for hierarchical softmax, apart from the tokens of the chunk."""
    width, path = -(-config.vector_size // ROW) * ROW, -(-longest_path // LANES) * LANES
    held, _ = held_nodes(MAX_SIZE, workers)
    cbow, window = config.model == "cbow", 2 * min(reach, tokens)
    ring = 1 << (window + cbow).bit_length()
    rows = 2 * ring + 2 * held + 2 + (0 if cbow else path)
    scores = LANES // BLOCK * path if cbow else (window + BLOCK) * path  # of a path
    offsets = path if cbow else 2 * path  # of the rows of a path, and of their copies
    return 4 * rows * width + 4 * scores + 8 * offsets + (4 + 4) * path + 8 * (window + BLOCK)


def max_chunks(tokens: int) -> int:
    """Return an upper bound on the number of chunks of a corpus, because two adjacent chunks do not fit in one.

    Examples
    --------
    >>> from fastw2v.config import CHUNK_TOKENS
    >>> from fastw2v.engines.cpu import max_chunks
    >>> max_chunks(100), max_chunks(10 * CHUNK_TOKENS)
    (1, 21)
    """
    return 2 * tokens // CHUNK_TOKENS + 1


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
    """Train both tables in place.

    Parameters
    ----------
    tables : Tables
        NumPy arrays of float32 or float64. Arrays from `allocate` or `aligned_zeros` are trained without a copy. Other
        arrays are copied before training and after each pause, and copied back before each pause and at the end.
    corpus, config, on_progress, state, pauses, frozen, subwords
        See `Engine.train`. ``config.tile`` is at most 4.
    workers : int, optional
        Number of threads, by default 1. One thread gives the same bytes in every run. Several threads update shared
        rows without locks, so their results vary.
    concurrency : int, optional
        Number of workers to assume when scaling down the steps of frequent words (see
        `fastw2v.engines.staleness`). By default, `workers`.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per prediction of each epoch.

    Raises
    ------
    ValueError
        If the tables, the corpus and the settings do not match, or if a value is outside its range.
    FloatingPointError
        If the loss or a trained weight becomes infinite or NaN.
    MemoryError
        If the buffers of the threads do not fit in memory.
    RuntimeError
        If Numba is not installed or cannot be imported, or the system cannot start the threads.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines import cpu
    >>> corpus = Corpus.from_sentences([["the", "cat", "sat"], ["the", "dog", "sat"]] * 50, min_count=1)
    >>> config = TrainingConfig(vector_size=8, epochs=3, sample=0)
    >>> tables = cpu.allocate((len(corpus.vocabulary), 8), "cpu")
    >>> tables.W_in[:] = np.random.default_rng(0).uniform(-1 / 16, 1 / 16, (4, 8))
    >>> losses = cpu.train(tables, corpus, config, workers=1)
    >>> losses.shape, bool(losses[-1] < losses[0])
    ((3,), True)
    """
    training = ChunkTraining(
        tables, corpus, config, workers=workers, concurrency=concurrency, frozen=frozen, subwords=subwords
    )
    report = TrainingReport(config, len(corpus), on_progress, state)
    first = report.state.words
    chunks = iter_chunks(corpus.offsets, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, config.seed, config.epochs)
    training.run((chunk for chunk in chunks if chunk.done >= first), report, pauses)
    require_finite_weights(tables, "a lower alpha")
    return report.state.mean_losses()


class ChunkTraining:
    """The kernels and the tables that they need, which are prepared once and train any chunks of a corpus.

    Parameters
    ----------
    tables, corpus, config, workers, concurrency, frozen, subwords
        See `train`.

    Raises
    ------
    ValueError, RuntimeError
        See `train`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines import cpu
    >>> from fastw2v.engines.base import TrainingReport
    >>> from fastw2v.sampling.chunks import Chunk
    >>> corpus = Corpus.from_sentences([["the", "cat", "sat"], ["the", "dog", "sat"]] * 50, min_count=1)
    >>> config = TrainingConfig(vector_size=8, sample=0)
    >>> tables = cpu.allocate((len(corpus.vocabulary), 8))
    >>> tables.W_in[:] = 0.1
    >>> training, report = cpu.ChunkTraining(tables, corpus, config), TrainingReport(config, len(corpus), None)
    >>> training.run(iter([Chunk(epoch=0, start=150, stop=300, done=0)]), report)
    >>> report.state.words, bool(tables.W_out.any())
    (150, True)
    """

    def __init__(
        self,
        tables: Tables,
        corpus: Corpus,
        config: TrainingConfig,
        *,
        workers: int | None = None,
        concurrency: int | None = None,
        frozen: np.ndarray | None = None,
        subwords: Subwords | None = None,
    ) -> None:
        if reason := unavailable_reason():
            raise RuntimeError(f"the fused CPU engine cannot be used: {reason}")
        workers = 1 if workers is None else workers
        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be at least 1")
        if config.tile > MAX_TILE:
            raise ValueError(f"tile is {config.tile}; it must be from 1 to {MAX_TILE}")
        check_arrays(tables, corpus, config, np.may_share_memory(*tables), subwords)
        check_frozen(frozen, len(corpus.vocabulary))
        self._config = config
        self._ids = np.ascontiguousarray(corpus.ids, dtype=np.int32)
        self._offsets = np.ascontiguousarray(corpus.offsets, dtype=np.int64)
        reach = window_reach(config.window, self._offsets)
        padded = Tables(*map(_padded, tables))
        pairs = zip(tables, padded, strict=True)
        self._copied = [(W, trained[:, : W.shape[1]]) for W, trained in pairs if not np.may_share_memory(W, trained)]
        slope = TrainingReport(config, len(corpus), None).slope
        self._workers = workers
        self._train_chunk = _chunk_trainer(
            padded, corpus, config, reach, concurrency or workers, frozen, slope, subwords
        )
        # This compiles the kernel, or loads it from the cache.
        call_in_thread(self._train_chunk, self._ids, self._offsets, 0, 0, 0, 0.0)

    def run(self, chunks: Iterator[Chunk], report: TrainingReport, pauses: Pauses | None = None) -> None:
        """Train chunks in the given order.

        Parameters
        ----------
        chunks : iterator of Chunk
        report : TrainingReport
            Its state is that before the first of the chunks, and is kept up to date.
        pauses : Pauses, optional
            See `Engine.train`.

        Raises
        ------
        FloatingPointError
            If the loss of a chunk is infinite or NaN.
        MemoryError, RuntimeError
            See `train`.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> from fastw2v.config import TrainingConfig
        >>> from fastw2v.engines import cpu
        >>> from fastw2v.engines.base import TrainingReport
        >>> from fastw2v.sampling.chunks import Chunk
        >>> corpus = Corpus.from_sentences([["the", "cat", "sat"]] * 50, min_count=1)
        >>> config, tables = TrainingConfig(vector_size=8, sample=0), cpu.allocate((3, 8))
        >>> training, report = cpu.ChunkTraining(tables, corpus, config), TrainingReport(config, len(corpus), None)
        >>> training.run(iter([Chunk(epoch=0, start=0, stop=150, done=0)]), report)
        >>> report.state.words
        150
        """

        def run(epoch: int, start: int, stop: int, done: int) -> tuple[float, int]:
            totals = self._train_chunk(self._ids, self._offsets, start, stop, epoch, report.rate(done - start))
            release_pages(self._ids[start:stop])
            return totals

        workers = min(self._workers, max_chunks(len(self._ids)) * self._config.epochs)
        for W, trained in self._copied:
            trained[...] = W
        try:
            _run_in_threads(chunks, run, workers, report, pauses, self._copied)
        except MemoryError as error:  # the message of compiled code names nothing
            raise MemoryError(
                f"the buffers of {self._workers} threads do not fit in memory. Lower negative (now "
                f"{self._config.negative}), vector_size (now {self._config.vector_size}) or lower workers"
            ) from error
        finally:
            for W, trained in self._copied:
                W[...] = trained


def _chunk_trainer(
    tables: Tables,
    corpus: Corpus,
    config: TrainingConfig,
    reach: int,
    concurrency: int,
    frozen: np.ndarray | None,
    slope: float,
    subwords: Subwords | None,
) -> Callable[[np.ndarray, np.ndarray, int, int, int, float], tuple[float, int]]:
    """Return a function that trains a chunk and returns its summed loss and the number of measured predictions.

    Its parameters are the ids and offsets of the corpus, the bounds of the chunk, the epoch, and the learning rate at
    token 0 of the corpus if it decreased by `slope` per token from there.
    """
    from fastw2v.kernels import hierarchical_numba, rows_numba, word2vec_numba

    W_in, W_out = tables
    words, nodes = output_parts(W_out, config.loss)
    dtype, counts = W_in.dtype, corpus.vocabulary.counts
    keep, weights = keep_threshold(counts, config.sample), noise_weights(counts, config.ns_exponent)
    noise = alias_table(weights) if words is not None else AliasTable(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    sampling = word2vec_numba.Sampling(
        keep=keep,
        threshold=noise.threshold,
        alias=noise.alias.astype(np.int32),
        keys=_keys(config.seed, 0),
        window=config.window,
        reach=reach,
        shrink_windows=bool(config.shrink_windows),
    )
    cbow = config.model == "cbow"
    staleness: dict[str, Any] = {"concurrency": concurrency, "frozen": frozen, "subwords": subwords}
    kernels: list[tuple[Any, np.ndarray, tuple[Any, ...]]] = []

    def schedule(
        rates: tuple[np.ndarray, np.ndarray],
        pool_tokens: int,
        pool_size: int,
        private: tuple[PrivateRows, PrivateRows],
    ) -> word2vec_numba.Schedule:
        max_rate_in, max_rate_out = (_to_the_last_below(rate, config.alpha).astype(dtype) for rate in rates)
        number = len(private[0].rows)  # of private rows of W_in
        word_rows = None if subwords is None else subwords.rows
        if subwords is not None and number:
            numbers = np.arange(number, number + subwords.n_rows, dtype=np.int32)
            numbers[private[0].rows] = np.arange(number)
            word_rows = numbers[subwords.rows]
            max_rate_in = np.append(np.full(number, np.inf, dtype), max_rate_in)
        return word2vec_numba.Schedule(
            cbow_grad_scale=cbow_grad_scale(config.cbow_grad, 2 * reach).astype(dtype),
            max_rate_in=max_rate_in,
            max_rate_out=max_rate_out,
            freeze=None if frozen is None else True,
            negative=float(config.negative),
            pool_tokens=pool_tokens,
            pool_size=pool_size,
            dimensions=config.vector_size,
            tile=min(config.tile, pool_tokens),
            slope=slope,
            private_tokens=private_tokens(concurrency),
            private_in=rows_numba.Private(
                private[0].rows, private[0].max_rate.astype(dtype), 0 if subwords is None else number
            ),
            private_out=rows_numba.Private(private[1].rows, private[1].max_rate.astype(dtype), 0),
            subword_starts=None if subwords is None else subwords.starts,
            subword_rows=word_rows,
        )

    if words is not None:
        private = private_rows(counts, keep, weights, config, reach, **staleness)
        rates = max_rates(counts, keep, weights, config, reach, **staleness)
        for rate, copies in zip(rates, private, strict=True):
            rate[copies.rows] = np.inf  # only the updates of the private copies are scaled down
        kernel = word2vec_numba.cbow_ns if cbow else word2vec_numba.skipgram_ns
        kernels.append((kernel, words, (schedule(rates, config.pool_tokens, config.pool_size, private),)))
    if nodes is not None:
        paths = HuffmanTree.from_counts(counts)
        private = private_nodes(counts, keep, paths, config, reach, **staleness)
        rate_in, rate_nodes = tree_max_rates(counts, keep, paths, config, reach, **staleness)
        rate_in[private[0].rows] = np.inf
        held, held_tokens = held_nodes(len(counts), concurrency)
        kernel = hierarchical_numba.cbow_hs if cbow else hierarchical_numba.skipgram_hs
        tree = hierarchical_numba.Tree(
            starts=paths.starts,
            steps=np.append(2 * paths.points + paths.codes, np.zeros(LANES, np.int32)),
            longest=int(np.diff(paths.starts).max(initial=0)),
        )
        rates = rate_in, rate_nodes[:-1][::-1]
        kernels.append((kernel, nodes, (schedule(rates, held_tokens, held, private), tree)))

    def train_chunk(
        ids: np.ndarray, offsets: np.ndarray, start: int, stop: int, epoch: int, alpha_intercept: float
    ) -> tuple[float, int]:
        of_epoch = sampling._replace(keys=_keys(config.seed, epoch))
        return combined_loss(
            *(
                kernel(W_in, W, ids, offsets, start, stop, of_epoch, *rest, alpha_intercept)
                for kernel, W, rest in kernels
            )
        )

    return train_chunk


def _run_in_threads(
    chunks: Iterator[Chunk],
    run: Callable[[int, int, int, int], tuple[float, int]],
    workers: int,
    report: TrainingReport,
    pauses: Pauses | None,
    copied: list[tuple[Any, Any]],
) -> None:
    """Train all chunks in threads. Each thread trains one chunk after another and does not wait between epochs.

    When a pause is due, the threads finish their chunks and wait until the calling thread has run it.
    """
    changed = threading.Condition()
    stop = threading.Event()
    errors: list[BaseException] = []
    state = report.state
    busy, pausing = workers, False
    taken = state.words  # words of the chunks that threads have taken; state.words are those of finished chunks
    paused_at = -1  # value of `taken` at the last pause
    pending: list[tuple[int, float, int]] = []  # totals for the calling thread to report

    def take() -> Chunk | None:
        """Return the next chunk to train, after the pause that is due before it."""
        nonlocal taken, pausing, paused_at
        with changed:
            while not stop.is_set():
                if pauses is not None and not pausing and taken != paused_at and pauses.due(taken):
                    pausing, paused_at = True, taken
                    changed.notify_all()
                if not pausing:
                    break
                changed.wait()
            chunk = None if stop.is_set() else next(chunks, None)
            taken += 0 if chunk is None else chunk.stop - chunk.start
            return chunk

    def worker() -> None:
        nonlocal busy
        try:
            while (chunk := take()) is not None:
                loss, predictions = run(*chunk)
                where = f"epoch {chunk.epoch + 1}, between word {chunk.start} and word {chunk.stop} of the corpus"
                require_finite_loss(loss, f"{where}, at learning rate {report.rate(chunk.done):.4g}", "a lower alpha")
                with changed:
                    state.losses[chunk.epoch] += loss
                    state.predictions[chunk.epoch] += predictions
                    state.words += chunk.stop - chunk.start
                    if (totals := report.totals_if_due(state.words)) is not None:
                        pending.append(totals)
                    if totals is not None or pausing:
                        changed.notify_all()
        except BaseException as error:  # raised again in the calling thread
            errors.append(error)
            stop.set()
        finally:
            with changed:
                busy -= 1
                changed.notify_all()

    def quiet() -> bool:
        """Return whether all threads wait for the end of a pause."""
        return pausing and bool(busy) and state.words == taken

    threads = [threading.Thread(target=worker, name=f"fastw2v-{i}", daemon=True) for i in range(workers)]
    try:
        for i, thread in enumerate(threads):
            try:
                thread.start()
            except RuntimeError as error:
                raise RuntimeError(f"the system started only {i} of {workers} threads; lower workers") from error
        finished = False
        while not finished:  # runs at least once, so that a run that has already ended is reported too
            with changed:
                changed.wait_for(lambda: not busy or pending or quiet(), timeout=REPORT_INTERVAL)
                finished, paused = not busy, quiet()
                totals_now = [] if pending and not finished and not paused else [report.totals(state.words)]
                reports = [*pending, *totals_now]
                pending.clear()
            for totals in reports:
                if not errors:
                    report.report(totals)
            if pauses is not None and paused and not errors:
                run_pause(pauses, state, copied)
                with changed:
                    pausing = False
                    changed.notify_all()
    finally:
        with changed:
            stop.set()
            changed.notify_all()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    if errors:
        raise errors[0]


@lru_cache(maxsize=16)  # computed once for all chunks of an epoch, but not for all epochs in advance
def _keys(seed: int, epoch: int) -> np.ndarray:
    """Return the keys of the random streams of an epoch: uint64 array, shape (3,)."""
    streams = (rng.KEEP, rng.WINDOW, rng.NEGATIVES)
    return np.array([rng.stream_key(seed, stream, epoch) for stream in streams], np.uint64)


def _to_the_last_below(max_rates: np.ndarray, highest: float) -> np.ndarray:
    """Keep the limits up to the last one below `highest`, or up to the last frozen row.

    Unless rows are frozen, they belong to a few frequent words, so they fit in the cache.
    """
    return max_rates[: np.flatnonzero((max_rates < highest) | (max_rates == 0)).max(initial=-1) + 1]


def _padded(W: np.ndarray) -> np.ndarray:
    """Return W with its padding if W has the layout of `aligned_zeros`, and a padded copy otherwise."""
    V, D = W.shape
    width = -(-D // ROW) * ROW
    owner = W if W.base is None else W.base
    if (
        isinstance(owner, np.ndarray)
        and W.strides == (width * W.itemsize, W.itemsize)
        and W.ctypes.data % CACHE_LINE == 0
        and owner.flags.c_contiguous
        and W.ctypes.data + V * width * W.itemsize <= owner.ctypes.data + owner.nbytes
    ):
        whole = np.lib.stride_tricks.as_strided(W, (V, width))
        if not whole[:, D:].any():
            return whole
    copy = aligned_zeros((V, D), W.dtype)
    copy[...] = W
    return _padded(copy)
