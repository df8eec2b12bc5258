"""The twin of the fused kernels: the same schedule, composed of the layers, for one worker and any float type.

This is the specification. Each epoch trains the stretches of the corpus in an order of its own, and a stretch from left
to right, in tiles of T targets:

* the rows that windows reach (the contexts', of ``W_in`` for CBOW and of ``W_out`` for skip-gram) *stream*: a
  token's row is read once, when the token is `window` ahead of the tile, and held; its gradient accumulates and is
  applied once, when the token is `window` behind;
* all other rows (the targets' own and the pool's) take a step of plain SGD after every tile.

Steps of contexts, and of skip-gram's targets, are bounded (`fastw2v.kernels.schedule.LONGEST_STEP`).

Where the worker is one of many, the steps of crowded rows are shortened (`fastw2v.kernels.crowd`): those of the pool
when it is written back, all others as they are taken.

A tile ends where its pool of negatives does. It does not end with a sentence: short lines are trained together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from fastw2v.backend import scatter_add
from fastw2v.gradient import CbowGrad, RowGradient
from fastw2v.kernels.crowd import limits
from fastw2v.kernels.schedule import LONGEST_STEP, POOL_TOKENS, SECTION, STRETCH, TILE, pool_size_for
from fastw2v.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    NegativeSamplingLoss,
    PoolDot,
    SigmoidWithLoss,
)
from fastw2v.optim import SGD, linear_rate
from fastw2v.sampling import (
    alias_table,
    keep_threshold,
    keep_tokens,
    negative_pools,
    noise_weights,
    pieces,
    window_widths,
)


def train(
    W_in: np.ndarray,
    W_out: np.ndarray,
    corpus_ids: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    *,
    model: Literal["cbow", "skipgram"] = "cbow",
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
    crowd: int = 1,
    refresh: int | None = None,
) -> np.ndarray:
    """Train both tables in place, as `fastw2v.kernels.cpu.train` does with one worker.

    Parameters are those of `fastw2v.kernels.cpu.train`, but for these.

    Parameters
    ----------
    crowd : int
        Of how many workers this is one: of the others, only their crowding is there.
    refresh : int, optional
        Tiles after which a pool is written back and read again; if absent, it is kept for all of its tokens.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per target of each epoch.
    """
    pool_size = pool_size_for(model, negative, W_in.shape[-1]) if pool_size is None else pool_size
    keep, weights = keep_threshold(counts, sample), noise_weights(counts, ns_exponent)
    noise = alias_table(weights)
    N = len(corpus_ids)
    limit_in, limit_out = limits(
        counts, keep, weights, crowd=crowd, model=model, window=window, shrink_windows=shrink_windows,
        negative=negative, cbow_grad=cbow_grad, alpha=alpha, tile=tile, pool_size=pool_size, pool_tokens=pool_tokens,
        refresh=refresh,
    )  # fmt: skip
    losses, targets = np.zeros(epochs), np.zeros(epochs, np.int64)
    for epoch, start, stop, done in pieces(offsets, STRETCH, SECTION, seed, epochs):
        kept, sentence = _kept(corpus_ids, offsets, np.arange(start, stop), keep, seed, epoch)
        width = window_widths(kept, window, seed, epoch, shrink_windows)
        word = corpus_ids[kept]
        stream = Stream(*((W_in, limit_in) if model == "cbow" else (W_out, limit_out)), word)
        pool = Pool(W_out, limit_out)
        age, number = 0, -1
        for first, end in _tiles(kept // pool_tokens, tile):
            if kept[first] // pool_tokens != number or age == refresh:
                pool.write()
                age, number = 0, kept[first] // pool_tokens
                pool.read(negative_pools(np.array([number]), pool_size, noise, seed, epoch))
            age += 1
            pool.rate = linear_rate(alpha, min_alpha, (done + kept[first] - start) / (epochs * N))
            stream.enter(end + window)
            near = _near(sentence, width, first, end, window)
            if model == "cbow":
                losses[epoch] += cbow_ns(pool, stream, word[first:end], near, negative, cbow_grad)
            else:
                losses[epoch] += skipgram_ns(W_in, limit_in, pool, stream, word[first:end], near, negative)
            stream.leave(end - window if end < len(word) else end, pool)
        pool.write()
        targets[epoch] += len(word)
    return losses / np.maximum(targets, 1)


class Pool:
    """The negatives that targets share, whose rows are trained in place and shortened, all in all, when written back.

    Parameters
    ----------
    W : float array, shape (V, D)
    limit : float array, shape (V,)
        Rates up to which its rows take whole steps.
    """

    def __init__(self, W: np.ndarray, limit: np.ndarray) -> None:
        self.W, self.limit = W, limit
        self.drawn: np.ndarray = np.empty((1, 0), np.int64)
        self.words: np.ndarray = np.empty(0, np.int64)
        self.crowded = self.words
        self.read_as = W[self.crowded]
        self.rate = 0.0

    def read(self, drawn: np.ndarray) -> None:
        """Begin with words drawn, shape (1, P)."""
        self.drawn, self.words = drawn, np.unique(drawn)
        self.crowded = self.words[self.limit[self.words] < np.inf]
        self.read_as = self.W[self.crowded]

    def write(self) -> None:
        """Shorten what the rows of crowded words have learnt since they were read."""
        if self.crowded.size:
            part = _part(self.limit[self.crowded], self.rate)[:, None].astype(self.read_as.dtype)
            self.W[self.crowded] = self.read_as + part * (self.W[self.crowded] - self.read_as)

    def step(self, gradients: list[RowGradient]) -> None:
        """Take a step of SGD from gradients of W; rows that are not in the pool are shortened at once."""
        for gradient in gradients:
            part = np.where(np.isin(gradient.ids, self.words), 1, _part(self.limit[gradient.ids], self.rate))
            rows = gradient.rows * part[:, None].astype(gradient.rows.dtype)
            SGD(self.rate).update([self.W], [RowGradient(gradient.ids, rows)])


class Stream:
    """The rows of a table that windows can reach: read once, held, and written once with their summed steps.

    Parameters
    ----------
    W : float array, shape (V, D)
    limit : float array, shape (V,)
        Rates up to which its rows take whole steps.
    word : integer array, shape (n,)
        The words of a stretch, in order.
    """

    def __init__(self, W: np.ndarray, limit: np.ndarray, word: np.ndarray) -> None:
        self.W, self.limit = W, limit
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
        """Write the rows of the tokens before `end`; if their table is the pool's, its words are not shortened here."""
        if end > self.left:
            word = self.word[self.left : end]
            part = _part(self.limit[word], pool.rate)
            if pool.W is self.W:
                part = np.where(np.isin(word, pool.words), 1, part)
            steps = _shortened(self.steps[self.left : end])
            scatter_add(self.W, word, steps * part[:, None].astype(steps.dtype))
            self.left = end


def cbow_ns(
    pool: Pool,
    stream: Stream,
    target: np.ndarray,
    near: np.ndarray,
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
    near : integer array, shape (T, C)
        Places in the stream of each target's contexts; −1 is padding.
    negative : int
        Draws for which the pool stands.
    cbow_grad : {"mean", "balanced", "sum"}

    Returns
    -------
    float
        Loss, summed over the targets.
    """
    rows, mean, loss_layer = Embedding(stream.held), ContextMean(cbow_grad), NegativeSamplingLoss(pool.W)
    loss_layer.sample_size = negative
    h = mean.forward(rows.forward(near), near >= 0)
    loss = loss_layer.forward(h[None], target[None, :, None], pool.drawn)
    dh = loss_layer.backward(len(target))[0]
    rows.backward(mean.backward(dh))
    stream.step(rows.grads[0], pool.rate)
    pool.step(loss_layer.grads)
    return float(loss) * len(target)


def skipgram_ns(
    W_in: np.ndarray,
    limit: np.ndarray,
    pool: Pool,
    stream: Stream,
    target: np.ndarray,
    near: np.ndarray,
    negative: int,
) -> float:
    """Train one tile of skip-gram; parameters as in `cbow_ns`, but the stream is of W_out, and `limit` of W_in."""
    rows, positive, noise = Embedding(W_in), EmbeddingDot(stream.held), PoolDot(pool.W)
    positive_loss, noise_loss = SigmoidWithLoss(), SigmoidWithLoss()
    h = rows.forward(target)
    present = near >= 0
    contexts = np.where(present, stream.word[near], -1)
    own = (contexts[:, None, :] == pool.drawn[..., None]).any(axis=-1)  # (T, P)
    share = np.where(own, 0, present.sum(axis=1, keepdims=True) * (negative / pool.drawn.shape[1]))
    weight = share.astype(h.dtype)[None]
    loss = positive_loss.forward(positive.forward(h, near), 1, present.astype(h.dtype))
    loss += noise_loss.forward(noise.forward(h[None], pool.drawn), 0, weight)
    dh = positive.backward(positive_loss.backward()) + noise.backward(noise_loss.backward())[0]
    rows.backward(dh)
    stream.step(positive.grads[0], pool.rate)
    pool.step(noise.grads)
    steps = _shortened(-pool.rate * rows.grads[0].rows)
    scatter_add(W_in, target, steps * _part(limit[target], pool.rate)[:, None].astype(steps.dtype))
    return float(loss)


def _shortened(steps: np.ndarray) -> np.ndarray:
    """Return the steps of some rows, none longer than `LONGEST_STEP`."""
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return steps * (LONGEST_STEP / np.maximum(length, LONGEST_STEP)).astype(steps.dtype)


def _part(limit: np.ndarray, rate: float) -> np.ndarray:
    """Return what the steps of rows are multiplied by."""
    return np.minimum(1, limit / rate) if rate > 0 else np.ones(len(limit))


def _kept(
    ids: np.ndarray, offsets: np.ndarray, token: np.ndarray, keep: np.ndarray, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens that subsampling keeps, without those left alone in their sentence, and their sentences."""
    token = token[keep_tokens(ids[token], token, keep, seed, epoch)]
    sentence = np.searchsorted(offsets, token, side="right")
    company = np.bincount(sentence)[sentence] if len(token) else sentence
    return token[company > 1], sentence[company > 1]


def _tiles(pool: np.ndarray, tile: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch into tiles of at most `tile` targets that share a pool, given the pool of each target."""
    first = 0
    while first < len(pool):
        end = min(first + tile, int(np.searchsorted(pool, pool[first], side="right")))
        yield first, end
        first = end


def _near(sentence: np.ndarray, width: np.ndarray, first: int, end: int, window: int) -> np.ndarray:
    """Return the places of the contexts of targets `first` to `end`, shape (T, 2 · window), with −1 as padding."""
    target = np.arange(first, end)[:, None]
    place = target + np.delete(np.arange(-window, window + 1), window)
    inside = (place >= 0) & (place < len(sentence)) & (np.abs(place - target) <= width[target])
    place = np.where(inside, place, 0)
    return np.where(inside & (sentence[place] == sentence[target]), place, -1)
