"""The twin of the fused kernels: the same schedule, composed of the layers, for one worker and any float type.

This is the specification. A stretch of the corpus is trained from left to right, in tiles of T targets:

* the rows that windows reach (the contexts', of ``W_in`` for CBOW and of ``W_out`` for skip-gram) *stream*: a
  token's row is read once, when the token is `window` ahead of the tile, and held; its gradient accumulates and is
  applied once, when the token is `window` behind;
* all other rows (the targets' own and the pool's) take a step of plain SGD after every tile.

Steps of contexts, and of skip-gram's targets, are bounded (`fastw2v.kernels.schedule.LONGEST_STEP`).

A tile ends where its pool of negatives does. It does not end with a sentence: short lines are trained together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from fastw2v.backend import scatter_add
from fastw2v.gradient import CbowGrad
from fastw2v.kernels.schedule import LONGEST_STEP, POOL_TOKENS, STRETCH, TILE, pool_size_for
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
    stretches,
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
) -> np.ndarray:
    """Train both tables in place, as `fastw2v.kernels.cpu.train` does with one worker.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per target of each epoch.
    """
    pool_size = pool_size_for(negative, W_in.shape[-1]) if pool_size is None else pool_size
    keep = keep_threshold(counts, sample)
    noise = alias_table(noise_weights(counts, ns_exponent))
    N = len(corpus_ids)
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        targets = 0
        for start, stop in stretches(offsets, STRETCH):
            kept, sentence = _kept(corpus_ids, offsets, np.arange(start, stop), keep, seed, epoch)
            width = window_widths(kept, window, seed, epoch, shrink_windows)
            word = corpus_ids[kept]
            stream = Stream(W_in if model == "cbow" else W_out, word)
            for first, end in _tiles(kept // pool_tokens, tile):
                stream.enter(end + window)
                near = _near(sentence, width, first, end, window)
                pool = negative_pools(kept[first : first + 1] // pool_tokens, pool_size, noise, seed, epoch)
                rate = linear_rate(alpha, min_alpha, (epoch * N + kept[first]) / (epochs * N))
                if model == "cbow":
                    losses[epoch] += cbow_ns(W_out, stream, word[first:end], near, pool, negative, rate, cbow_grad)
                else:
                    losses[epoch] += skipgram_ns(W_in, W_out, stream, word[first:end], near, pool, negative, rate)
                stream.leave(end - window)
            stream.leave(len(word))
            targets += len(word)
        losses[epoch] /= max(targets, 1)
    return losses


class Stream:
    """The rows of a table that windows can reach: read once, held, and written once with their summed steps.

    Parameters
    ----------
    W : float array, shape (V, D)
    word : integer array, shape (n,)
        The words of a stretch, in order.
    """

    def __init__(self, W: np.ndarray, word: np.ndarray) -> None:
        self.W = W
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

    def leave(self, end: int) -> None:
        """Write the rows of the tokens before `end`."""
        if end > self.left:
            scatter_add(self.W, self.word[self.left : end], _shortened(self.steps[self.left : end]))
            self.left = end


def cbow_ns(
    W_out: np.ndarray,
    stream: Stream,
    target: np.ndarray,
    near: np.ndarray,
    pool: np.ndarray,
    negative: int,
    rate: float,
    cbow_grad: CbowGrad = "mean",
) -> float:
    """Train one tile of CBOW.

    Parameters
    ----------
    W_out : float array, shape (V, D)
    stream : Stream
        Of W_in.
    target : integer array, shape (T,)
    near : integer array, shape (T, C)
        Places in the stream of each target's contexts; −1 is padding.
    pool : integer array, shape (1, P)
    negative : int
        Draws for which the pool stands.
    rate : float
    cbow_grad : {"mean", "balanced", "sum"}

    Returns
    -------
    float
        Loss, summed over the targets.
    """
    rows, mean, loss_layer = Embedding(stream.held), ContextMean(cbow_grad), NegativeSamplingLoss(W_out)
    loss_layer.sample_size = negative
    h = mean.forward(rows.forward(near), near >= 0)
    loss = loss_layer.forward(h[None], target[None, :, None], pool)
    dh = loss_layer.backward(len(target))[0]
    rows.backward(mean.backward(dh))
    stream.step(rows.grads[0], rate)
    SGD(rate).update(loss_layer.params, loss_layer.grads)
    return float(loss) * len(target)


def skipgram_ns(
    W_in: np.ndarray,
    W_out: np.ndarray,
    stream: Stream,
    target: np.ndarray,
    near: np.ndarray,
    pool: np.ndarray,
    negative: int,
    rate: float,
) -> float:
    """Train one tile of skip-gram; parameters as in `cbow_ns`, but that the stream is of W_out."""
    rows, positive, noise = Embedding(W_in), EmbeddingDot(stream.held), PoolDot(W_out)
    positive_loss, noise_loss = SigmoidWithLoss(), SigmoidWithLoss()
    h = rows.forward(target)
    present = near >= 0
    contexts = np.where(present, stream.word[near], -1)
    own = (contexts[:, None, :] == pool[0][None, :, None]).any(axis=-1)  # (T, P)
    share = np.where(own, 0, present.sum(axis=1, keepdims=True) * (negative / pool.shape[1]))
    weight = share.astype(h.dtype)[None]
    loss = positive_loss.forward(positive.forward(h, near), 1, present.astype(h.dtype))
    loss += noise_loss.forward(noise.forward(h[None], pool), 0, weight)
    dh = positive.backward(positive_loss.backward()) + noise.backward(noise_loss.backward())[0]
    rows.backward(dh)
    stream.step(positive.grads[0], rate)
    SGD(rate).update(noise.params, noise.grads)
    scatter_add(W_in, target, _shortened(-rate * rows.grads[0].rows))
    return float(loss)


def _shortened(steps: np.ndarray) -> np.ndarray:
    """Return the steps of some rows, none longer than `LONGEST_STEP`."""
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return steps * (LONGEST_STEP / np.maximum(length, LONGEST_STEP)).astype(steps.dtype)


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
