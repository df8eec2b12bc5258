"""The fused CPU engine: stretches of the corpus, handed to threads that run the compiled kernels.

Importing this module imports neither Numba nor the kernels; `train` does.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np

from fastw2v import draws
from fastw2v.gradient import CbowGrad, context_shares
from fastw2v.kernels.arguments import check_arrays, check_settings
from fastw2v.kernels.crowd import limits
from fastw2v.kernels.schedule import POOL_TOKENS, SECTION, STRETCH, TILE, pool_size_for
from fastw2v.sampling import Piece, alias_table, keep_threshold, noise_weights, pieces

logger = logging.getLogger("fastw2v")

Model = Literal["cbow", "skipgram"]

ROW = 16
"""Rows are padded to a multiple of this many numbers."""
CACHE_LINE = 64
"""Bytes. Rows start at one, so that no vector straddles two and no two threads write to the same."""
INTERVAL = 0.2
"""Seconds between two calls of `on_progress`."""
REPORTS = 20
"""Calls of `on_progress` in a run that is over sooner: a curve needs points."""


def problem() -> str | None:
    """Return why this engine cannot be used, or None when it can; the answer costs an import of Numba."""
    if importlib.util.find_spec("numba") is None:
        return "Numba is not installed: pip install numba"
    try:
        importlib.import_module("numba")
    except Exception as error:  # a Numba that does not fit the installed NumPy or LLVM must not stop the layers
        return f"Numba is installed but cannot be imported: {type(error).__name__}: {error}"
    return None


def aligned_zeros(shape: tuple[int, int], dtype: Any = np.float32) -> np.ndarray:
    """Return zeros of shape (V, D) whose rows are padded and start at cache lines, which `train` needs not copy."""
    V, D = shape
    itemsize = np.dtype(dtype).itemsize
    width = -(-D // ROW) * ROW
    buffer = np.zeros(V * width + CACHE_LINE // itemsize, dtype)
    skip = -buffer.ctypes.data % CACHE_LINE // itemsize
    return buffer[skip : skip + V * width].reshape(V, width)[:, :D]


def train(
    W_in: np.ndarray,
    W_out: np.ndarray,
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
    workers: int = 1,
    crowd: int | None = None,
    on_progress: Callable[[int, float, float], None] | None = None,
) -> np.ndarray:
    """Train both tables in place over all epochs.

    Parameters
    ----------
    W_in, W_out : float32 or float64 array, shape (V, D)
        Made by `aligned_zeros`, they are trained where they are; others are copied and copied back.
    corpus_ids : integer array, shape (N,)
        From 0 to V − 1.
    offsets : integer array, shape (n_sentences + 1,)
        Sentence s is ``corpus_ids[offsets[s]:offsets[s + 1]]``.
    counts : integer array, shape (V,)
        How often each word occurs: subsampling and noise follow them.
    model : {"cbow", "skipgram"}
    window, negative : int
        At least 1.
    ns_exponent : float
        Of the noise distribution.
    sample : float
        Subsampling threshold; 0 keeps every token.
    alpha, min_alpha : float
        The learning rate falls linearly from one to the other.
    epochs, seed : int
    shrink_windows : bool
        Whether widths are drawn from 1 to `window` or all are `window`.
    cbow_grad : {"mean", "balanced", "sum"}
        As in `fastw2v.layers.ContextMean`.
    pool_tokens, pool_size, tile : int
        The schedule: L tokens share a pool of P negatives (`pool_size_for` when absent), T targets (1 to 4) are
        trained at a time.
    workers : int
        Threads. One gives the same bytes every time; several race for shared rows.
    crowd : int, optional
        How many workers the steps of frequent words make way for (`fastw2v.kernels.crowd`); `workers` if absent.
    on_progress : callable, optional
        Called about every 0.2 s, of a short run about twenty times, in the calling thread with the words done, the mean
        loss per target since the last call and the learning rate; its exceptions, like Ctrl-C, end the training.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per target of each epoch.

    Raises
    ------
    ValueError
        If a setting or an array is not as described.
    FloatingPointError
        If the loss becomes infinite or NaN.
    RuntimeError
        If Numba is missing or broken.
    """
    if reason := problem():
        raise RuntimeError(f"the fused CPU engine cannot be used. {reason}")
    pool_size = pool_size_for(model, negative, W_in.shape[-1]) if pool_size is None else pool_size
    check_settings(
        model, cbow_grad, alpha, min_alpha, window=window, negative=negative, pool_tokens=pool_tokens,
        pool_size=pool_size, workers=workers, epochs=epochs,
    )  # fmt: skip
    if not 1 <= tile <= 4:
        raise ValueError(f"tile is {tile}; it must be from 1 to 4")
    check_arrays(W_in, W_out, np.may_share_memory(W_in, W_out), corpus_ids, offsets, counts)
    ids = np.ascontiguousarray(corpus_ids, dtype=np.int32)
    offsets = np.ascontiguousarray(offsets, dtype=np.int64)
    N = len(ids)
    keep, weights = keep_threshold(counts, sample), noise_weights(counts, ns_exponent)
    noise = alias_table(weights)
    padded = [_padded(W) for W in (W_in, W_out)]
    tables = (keep, noise.threshold, noise.alias.astype(np.int32))
    shares = context_shares(cbow_grad, 2 * window).astype(W_in.dtype)
    crowded = limits(
        counts, keep, weights, crowd=crowd or workers, model=model, window=window, shrink_windows=shrink_windows,
        negative=negative, cbow_grad=cbow_grad, alpha=alpha, tile=tile, pool_size=pool_size, pool_tokens=pool_tokens,
    )  # fmt: skip
    rates = [_to_the_last_below(limit, max(alpha, min_alpha)).astype(W_in.dtype) for limit in crowded]
    settings = (window, bool(shrink_windows), shares, *rates, float(negative), pool_tokens, pool_size, tile)
    slope = float(alpha - min_alpha) / (epochs * N)
    kernel = _kernel(model)

    def run(epoch: int, start: int, stop: int, done: int) -> tuple[float, int]:
        streams = (draws.KEEP, draws.WINDOW, draws.NEGATIVES)
        keys = np.array([draws.key(seed, stream, epoch) for stream in streams], np.uint64)
        rate = float(alpha) - slope * (done - start)
        return kernel(*padded, ids, offsets, start, stop, *tables, keys, *settings, rate, slope)

    try:
        _compile(run)
        work = pieces(offsets, STRETCH, SECTION, seed, epochs)
        return _share_out(work, run, workers, epochs, N, lambda done: alpha - slope * done, on_progress)
    finally:
        for W, trained in zip((W_in, W_out), padded, strict=True):
            if not np.may_share_memory(W, trained):
                W[...] = trained[:, : W.shape[1]]


def _share_out(
    work: Iterator[Piece],
    run: Callable[[int, int, int, int], tuple[float, int]],
    workers: int,
    epochs: int,
    N: int,
    rate: Callable[[int], float],
    on_progress: Callable[[int, float, float], None] | None,
) -> np.ndarray:
    """Let threads take stretches in turn, without a pause between epochs; return the losses."""
    changed = threading.Condition()
    stop = threading.Event()
    errors: list[BaseException] = []
    losses = np.zeros(epochs)
    targets = np.zeros(epochs, np.int64)
    done = busy = 0
    marks: list[tuple[int, float, int]] = []
    due = step = max(1, epochs * N // REPORTS)

    def worker() -> None:
        nonlocal done, busy, due
        try:
            while not stop.is_set():
                with changed:
                    job = next(work, None)
                if job is None:
                    break
                loss, trained = run(*job)
                if not math.isfinite(loss):
                    raise FloatingPointError(
                        f"the loss is {loss} in epoch {job.epoch + 1}, between word {job.start} and word {job.stop} of "
                        f"the corpus, at learning rate {rate(job.done):.4g}: train with a lower alpha"
                    )
                with changed:
                    losses[job.epoch] += loss
                    targets[job.epoch] += trained
                    done += job.stop - job.start
                    if done >= due:
                        marks.append((done, float(losses.sum()), int(targets.sum())))
                        due = (done // step + 1) * step
                        changed.notify()
        except BaseException as error:  # whatever it is, it belongs to the calling thread
            errors.append(error)
            stop.set()
        finally:
            with changed:
                busy -= 1
                changed.notify()

    threads = [threading.Thread(target=worker, name=f"fastw2v-{i}", daemon=True) for i in range(workers)]
    busy = workers
    seen = (0.0, 0)
    try:
        for thread in threads:
            thread.start()
        finished = False
        while not finished:  # at least once: a short run may be over by now, and is reported all the same
            with changed:
                changed.wait_for(lambda: not busy or marks, timeout=INTERVAL)
                finished = not busy
                if finished or not marks:
                    marks.append((done, float(losses.sum()), int(targets.sum())))
                passed = marks.copy()
                marks.clear()
            for words, loss, trained in passed:
                if on_progress is not None and trained > seen[1] and not errors:
                    on_progress(words, (loss - seen[0]) / (trained - seen[1]), rate(words))
                    seen = (loss, trained)
    finally:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    if errors:
        raise errors[0]
    return losses / np.maximum(targets, 1)


def _to_the_last_below(limit: np.ndarray, highest: float) -> np.ndarray:
    """Return the limits up to the last that is ever passed: a few, of frequent words, which stay in the cache."""
    return limit[: np.flatnonzero(limit < highest).max(initial=-1) + 1]


def _kernel(model: Model) -> Any:
    from fastw2v.kernels import stretch

    return stretch.cbow_ns if model == "cbow" else stretch.skipgram_ns


def _compile(run: Callable[[int, int, int, int], Any]) -> None:
    """Compile the kernel, or load it from the cache, by running it over nothing; tell if that takes long.

    It takes place in a thread of its own: Ctrl-C is raised in the main thread, and would be lost in calls from LLVM.
    """
    notice = threading.Timer(
        1.0, logger.info, ["compiling the training kernel for this processor: some seconds, the first time only"]
    )
    notice.daemon = True
    notice.start()
    try:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(run, 0, 0, 0, 0).result()
    finally:
        notice.cancel()


def _padded(W: np.ndarray) -> np.ndarray:
    """Return W with its padding, as made by `aligned_zeros`, or a padded copy."""
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
