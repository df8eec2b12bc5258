"""The reference implementation: the schedule of the fused kernels, composed of layers, for one worker.

This is the specification that the Numba and CUDA kernels are held to, in float32 and float64. Each epoch trains the
chunks of the corpus in a random order of its own, and a chunk from left to right, in tiles of T targets:

* the rows that windows reach (the contexts', of ``W_in`` for CBOW and of ``W_out`` for skip-gram) *stream*: a
  token's row is read once, when the token is `window` ahead of the tile, and held; its gradient accumulates and is
  applied once, when the token is `window` behind;
* all other rows (the targets' own and the pool's) take a step of plain SGD after every tile.

The steps of contexts, and of skip-gram's targets, are clipped to `fastw2v.config.MAX_STEP_NORM`.

Where the worker is one of many, the steps of heavily shared rows are scaled down (`fastw2v.engines.staleness`): those
of the pool when it is written back, all others as they are taken.

A tile ends where its pool of negatives does. It does not end with a sentence: short lines are trained together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastw2v.backend import scatter_add
from fastw2v.config import CHUNK_TOKENS, MAX_STEP_NORM, SHUFFLE_BLOCK_TOKENS, CbowGrad, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.engines.base import ProgressFunction, Tables, TrainingReport
from fastw2v.engines.staleness import max_rates
from fastw2v.nn.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    NegativeSamplingLoss,
    SharedNegativesDot,
    SigmoidWithLoss,
)
from fastw2v.nn.optim import SGD, linear_rate
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.sampling.alias import alias_table, noise_weights
from fastw2v.sampling.batches import window_widths
from fastw2v.sampling.chunks import iter_chunks
from fastw2v.sampling.negatives import negative_pools
from fastw2v.sampling.subsampling import keep_threshold, keep_tokens

__all__ = ["Pool", "Stream", "allocate", "cbow_ns", "skipgram_ns", "train", "unavailable_reason"]


def unavailable_reason(device: str = "cpu") -> str | None:
    """Return why the reference cannot be used on a device, or None on a CPU."""
    return None if device == "cpu" else "the reference implementation runs on NumPy alone"


def allocate(shape: tuple[int, int], device: str = "cpu") -> Tables:
    """Return float32 tables of zeros."""
    return Tables(np.zeros(shape, np.float32), np.zeros(shape, np.float32))


def train(
    tables: Tables,
    corpus: Corpus,
    config: TrainingConfig,
    *,
    workers: int | None = None,
    concurrency: int = 1,
    pool_sync_interval: int | None = None,
    on_progress: ProgressFunction | None = None,
) -> np.ndarray:
    """Train both tables in place, as the fused engines do with one worker; see `Engine.train`.

    Parameters
    ----------
    tables : Tables
        NumPy arrays of float32 or float64.
    corpus, config, on_progress
        As in `Engine.train`.
    workers : int, optional
        Not used: there is one.
    concurrency : int
        Workers of which this is one, for the scaling of steps; the others' updates do not take place.
    pool_sync_interval : int, optional
        Tiles between write-backs of a pool; when absent, a pool is kept for all of its tokens.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per target of each epoch.
    """
    W_in, W_out = tables
    ids, offsets, counts = corpus.ids, corpus.offsets, corpus.vocabulary.counts
    seed, window, negative = config.seed, config.window, config.negative
    keep, weights = keep_threshold(counts, config.sample), noise_weights(counts, config.ns_exponent)
    noise = alias_table(weights)
    N = len(ids)
    max_rate_in, max_rate_out = max_rates(
        counts, keep, weights, config, concurrency=concurrency, pool_sync_interval=pool_sync_interval
    )
    report = TrainingReport(config, N, on_progress)
    for epoch, start, stop, done in iter_chunks(offsets, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, seed, config.epochs):
        kept, sentence = _subsample(ids, offsets, np.arange(start, stop), keep, seed, epoch)
        width = window_widths(kept, window, seed, epoch, config.shrink_windows)
        word = ids[kept]
        stream = Stream(*((W_in, max_rate_in) if config.model == "cbow" else (W_out, max_rate_out)), word)
        pool = Pool(W_out, max_rate_out)
        tiles_since_sync, pool_index = 0, -1
        for first, end in _tiles(kept // config.pool_tokens, config.tile):
            if kept[first] // config.pool_tokens != pool_index or tiles_since_sync == pool_sync_interval:
                pool.write()
                tiles_since_sync, pool_index = 0, kept[first] // config.pool_tokens
                pool.read(negative_pools(np.array([pool_index]), config.pool_size, noise, seed, epoch))
            tiles_since_sync += 1
            progress = (done + kept[first] - start) / (config.epochs * N)
            pool.rate = linear_rate(config.alpha, config.min_alpha, progress)
            stream.enter(end + window)
            context_index = _context_indices(sentence, width, first, end, window)
            if config.model == "cbow":
                loss = cbow_ns(pool, stream, word[first:end], context_index, negative, config.cbow_grad)
            else:
                loss = skipgram_ns(W_in, max_rate_in, pool, stream, word[first:end], context_index, negative)
            report.losses[epoch] += loss
            stream.leave(end - window if end < len(word) else end, pool)
        pool.write()
        report.targets[epoch] += len(word)
        if report.is_due(done + stop - start):
            report.report(report.totals(done + stop - start))
    report.report(report.totals(config.epochs * N))
    return report.mean_losses()


class Pool:
    """The negatives that targets share, whose rows are trained in place and whose updates are scaled when written back.

    Parameters
    ----------
    W : float array, shape (V, D)
    max_rate : float array, shape (V,)
        Rates up to which its rows take whole steps.
    """

    def __init__(self, W: np.ndarray, max_rate: np.ndarray) -> None:
        self.W, self.max_rate = W, max_rate
        self.negatives: np.ndarray = np.empty((1, 0), np.int64)
        self.words: np.ndarray = np.empty(0, np.int64)
        self.damped = self.words
        self.snapshot = W[self.damped]
        self.rate = 0.0

    def read(self, negatives: np.ndarray) -> None:
        """Replace the pool by other words, shape (1, P)."""
        self.negatives, self.words = negatives, np.unique(negatives)
        self.damped = self.words[self.max_rate[self.words] < np.inf]
        self.snapshot = self.W[self.damped]

    def write(self) -> None:
        """Scale the updates of heavily shared rows since they were read."""
        if self.damped.size:
            factor = _damping(self.max_rate[self.damped], self.rate)[:, None].astype(self.snapshot.dtype)
            self.W[self.damped] = self.snapshot + factor * (self.W[self.damped] - self.snapshot)

    def step(self, gradients: list[RowSparseGradient]) -> None:
        """Take a step of SGD from gradients of W; rows that are not in the pool are scaled at once."""
        for gradient in gradients:
            factor = np.where(np.isin(gradient.ids, self.words), 1, _damping(self.max_rate[gradient.ids], self.rate))
            rows = gradient.rows * factor[:, None].astype(gradient.rows.dtype)
            SGD(self.rate).update([self.W], [RowSparseGradient(gradient.ids, rows)])


class Stream:
    """The rows of a table that windows can reach: read once, held, and written once with their summed steps.

    Parameters
    ----------
    W : float array, shape (V, D)
    max_rate : float array, shape (V,)
        Rates up to which its rows take whole steps.
    word : integer array, shape (n,)
        The words of a chunk, in order.
    """

    def __init__(self, W: np.ndarray, max_rate: np.ndarray, word: np.ndarray) -> None:
        self.W, self.max_rate = W, max_rate
        self.word = word
        self.held = np.zeros((len(word), W.shape[1]), W.dtype)
        self.steps = np.zeros_like(self.held)
        self.entered = self.left = 0

    def enter(self, end: int) -> None:
        """Read the rows of the tokens before `end`."""
        self.held[self.entered : end] = self.W[self.word[self.entered : end]]
        self.entered = max(self.entered, end)

    def step(self, gradient: Any, rate: float) -> None:
        """Accumulate a step of SGD from a gradient of the held rows."""
        SGD(rate).update([self.steps], [gradient])

    def leave(self, end: int, pool: Pool) -> None:
        """Write the rows of the tokens before `end`; the words of a pool of the same table are not scaled here."""
        if end > self.left:
            word = self.word[self.left : end]
            factor = _damping(self.max_rate[word], pool.rate)
            if pool.W is self.W:
                factor = np.where(np.isin(word, pool.words), 1, factor)
            steps = clip_step(self.steps[self.left : end])
            scatter_add(self.W, word, steps * factor[:, None].astype(steps.dtype))
            self.left = end


def cbow_ns(
    pool: Pool,
    stream: Stream,
    target: np.ndarray,
    context_index: np.ndarray,
    negative: int,
    cbow_grad: CbowGrad,
) -> float:
    """Train one tile of CBOW.

    Parameters
    ----------
    pool : Pool
        Of W_out.
    stream : Stream
        Of W_in.
    target : integer array, shape (T,)
    context_index : integer array, shape (T, C)
        Positions in the stream of each target's contexts; −1 is padding.
    negative : int
        Negatives per positive that the pool stands for.
    cbow_grad : {"mean", "balanced", "sum"}

    Returns
    -------
    float
        Loss, summed over the targets.
    """
    rows, mean, loss_layer = Embedding(stream.held), ContextMean(cbow_grad), NegativeSamplingLoss(pool.W)
    loss_layer.sample_size = negative
    h = mean.forward(rows.forward(context_index), context_index >= 0)
    loss = loss_layer.forward(h[None], target[None, :, None], pool.negatives)
    dh = loss_layer.backward(len(target))[0]
    rows.backward(mean.backward(dh))
    stream.step(rows.grads[0], pool.rate)
    pool.step(loss_layer.grads)
    return float(loss) * len(target)


def skipgram_ns(
    W_in: np.ndarray,
    max_rate: np.ndarray,
    pool: Pool,
    stream: Stream,
    target: np.ndarray,
    context_index: np.ndarray,
    negative: int,
) -> float:
    """Train one tile of skip-gram; parameters as in `cbow_ns`, but the stream is of W_out, and `max_rate` of W_in."""
    rows, positive, noise = Embedding(W_in), EmbeddingDot(stream.held), SharedNegativesDot(pool.W)
    positive_loss, noise_loss = SigmoidWithLoss(), SigmoidWithLoss()
    h = rows.forward(target)
    present = context_index >= 0
    contexts = np.where(present, stream.word[context_index], -1)
    is_positive = (contexts[:, None, :] == pool.negatives[..., None]).any(axis=-1)  # (T, P)
    share = np.where(is_positive, 0, present.sum(axis=1, keepdims=True) * (negative / pool.negatives.shape[1]))
    weight = share.astype(h.dtype)[None]
    loss = positive_loss.forward(positive.forward(h, context_index), 1, present.astype(h.dtype))
    loss += noise_loss.forward(noise.forward(h[None], pool.negatives), 0, weight)
    dh = positive.backward(positive_loss.backward()) + noise.backward(noise_loss.backward())[0]
    rows.backward(dh)
    stream.step(positive.grads[0], pool.rate)
    pool.step(noise.grads)
    steps = clip_step(-pool.rate * rows.grads[0].rows)
    scatter_add(W_in, target, steps * _damping(max_rate[target], pool.rate)[:, None].astype(steps.dtype))
    return float(loss)


def clip_step(steps: np.ndarray) -> np.ndarray:
    """Return the steps of some rows, clipped to norm `MAX_STEP_NORM`."""
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return steps * (MAX_STEP_NORM / np.maximum(length, MAX_STEP_NORM)).astype(steps.dtype)


def _damping(max_rate: np.ndarray, rate: float) -> np.ndarray:
    """Return the factor of the steps of rows whose steps are whole up to `max_rate`."""
    return np.minimum(1, max_rate / rate) if rate > 0 else np.ones(len(max_rate))


def _subsample(
    ids: np.ndarray, offsets: np.ndarray, token: np.ndarray, keep: np.ndarray, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens that subsampling keeps, without those left alone in their sentence, and their sentences."""
    token = token[keep_tokens(ids[token], token, keep, seed, epoch)]
    sentence = np.searchsorted(offsets, token, side="right")
    sentence_sizes = np.bincount(sentence)[sentence] if len(token) else sentence
    return token[sentence_sizes > 1], sentence[sentence_sizes > 1]


def _tiles(pool: np.ndarray, tile: int) -> Iterator[tuple[int, int]]:
    """Cut a chunk into tiles of at most `tile` targets that share a pool, given the pool of each target."""
    first = 0
    while first < len(pool):
        end = min(first + tile, int(np.searchsorted(pool, pool[first], side="right")))
        yield first, end
        first = end


def _context_indices(sentence: np.ndarray, width: np.ndarray, first: int, end: int, window: int) -> np.ndarray:
    """Return the positions of the contexts of targets `first` to `end`, shape (T, 2 · window), with −1 as padding."""
    target = np.arange(first, end)[:, None]
    position = target + np.delete(np.arange(-window, window + 1), window)
    inside = (position >= 0) & (position < len(sentence)) & (np.abs(position - target) <= width[target])
    position = np.where(inside, position, 0)
    return np.where(inside & (sentence[position] == sentence[target]), position, -1)
