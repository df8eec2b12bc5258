"""The layers of word2vec, each with `forward` and `backward`: the specification that every fused kernel is held to.

A layer keeps its weights in `params` and, after `backward`, their gradients in `grads`, in the same order. The
arrays it is given decide the library and the device. Shapes use V for the vocabulary, D for the vector, B for the
batch, C for contexts, K for negatives; where negatives are shared, G for groups of L targets and P for their pool.
"""

from __future__ import annotations

from typing import Any

from fastw2v.backend import get_namespace
from fastw2v.config import CbowGrad, cbow_grad_exponent
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.sampling.negatives import UnigramSampler


class Embedding:
    """Rows of a table: ``out = W[ids]``; backward adds each row's gradient to its id.

    Parameters
    ----------
    W : float array, shape (V, D)
    """

    def __init__(self, W: Any) -> None:
        self.params = [W]
        self.grads: list[Any] = [None]
        self._ids: Any = None

    def forward(self, ids: Any) -> Any:
        """Return ``W[ids]``.

        Parameters
        ----------
        ids : int array, any shape
            Negative ids are padding: their rows come back as row 0, for a later layer to mask.

        Returns
        -------
        float array, shape (*ids.shape, D)
        """
        xp = get_namespace(ids)
        flat = xp.reshape(ids, (-1,))
        self._ids = xp.where(flat < 0, 0, flat)
        return xp.reshape(xp.take(self.params[0], self._ids, axis=0), (*ids.shape, self.params[0].shape[-1]))

    def backward(self, dout: Any) -> None:
        """Set the gradient of W from the gradient of the rows.

        Parameters
        ----------
        dout : float array, shape (*ids.shape, D)
            Zero at padding.
        """
        xp = get_namespace(dout)
        self.grads[0] = RowSparseGradient(self._ids, xp.reshape(dout, (self._ids.shape[0], dout.shape[-1])))


class EmbeddingDot:
    """Scores of chosen words: ``score[b, k] = h[b] · W[ids[b, k]]``.

    Parameters
    ----------
    W : float array, shape (V, D)
    """

    def __init__(self, W: Any) -> None:
        self.embed = Embedding(W)
        self.params = self.embed.params
        self.grads = self.embed.grads
        self._h: Any = None
        self._rows: Any = None

    def forward(self, h: Any, ids: Any) -> Any:
        """Return the scores.

        Parameters
        ----------
        h : float array, shape (..., D)
        ids : int array, shape (...) for one word each, or (..., K) for K words each
            Negative ids are padding, scored as row 0.

        Returns
        -------
        float array, shape of `ids`
        """
        xp = get_namespace(h)
        self._h = h
        self._rows = self.embed.forward(ids if ids.ndim == h.ndim else ids[..., None])  # (..., K, D)
        score = xp.matmul(self._rows, h[..., None])[..., 0]
        return xp.reshape(score, ids.shape)

    def backward(self, dscore: Any) -> Any:
        """Set the gradient of W; return the gradient of `h`, shape (..., D).

        Parameters
        ----------
        dscore : float array, shape of the scores
            Zero at padding.
        """
        xp = get_namespace(dscore)
        dscore = xp.reshape(dscore, self._rows.shape[:-1])[..., None]  # (..., K, 1)
        self.embed.backward(dscore * self._h[..., None, :])
        return xp.matmul(xp.matrix_transpose(dscore), self._rows)[..., 0, :]


class SharedNegativesDot:
    """Scores of a group of targets against one pool of words: ``score[l, p] = h[l] · W[pool[p]]``, a matrix product.

    Parameters
    ----------
    W : float array, shape (V, D)
    """

    def __init__(self, W: Any) -> None:
        self.embed = Embedding(W)
        self.params = self.embed.params
        self.grads = self.embed.grads
        self._h: Any = None
        self._rows: Any = None

    def forward(self, h: Any, pool: Any) -> Any:
        """Return the scores, shape (G, L, P).

        Parameters
        ----------
        h : float array, shape (G, L, D)
        pool : int array, shape (G, P)
        """
        xp = get_namespace(h)
        self._h = h
        self._rows = self.embed.forward(pool)  # (G, P, D)
        return xp.matmul(h, xp.matrix_transpose(self._rows))

    def backward(self, dscore: Any) -> Any:
        """Set the gradient of W from that of the scores, (G, L, P); return the gradient of `h`, (G, L, D)."""
        xp = get_namespace(dscore)
        self.embed.backward(xp.matmul(xp.matrix_transpose(dscore), self._h))
        return xp.matmul(dscore, self._rows)


class ContextMean:
    """The CBOW hidden vector: the mean of the rows of the contexts that are there.

    Parameters
    ----------
    cbow_grad : {"mean", "balanced", "sum"}
        "mean" divides each row's gradient by the number of contexts, which is the gradient of a mean.
        "sum" does not, as word2vec.c, gensim and fastText do not. "balanced", between them, divides by its power 3/4.

    Raises
    ------
    ValueError
        If `cbow_grad` is none of these.
    """

    def __init__(self, cbow_grad: CbowGrad = "mean") -> None:
        self.exponent = cbow_grad_exponent(cbow_grad)
        self._share: Any = None

    def forward(self, rows: Any, present: Any) -> Any:
        """Return ``h = sum(rows where present) / number present``; zero where no context is present.

        Parameters
        ----------
        rows : float array, shape (..., C, D)
        present : bool array, shape (..., C)

        Returns
        -------
        float array, shape (..., D)
        """
        xp = get_namespace(rows)
        mask = xp.astype(present, rows.dtype)
        count = xp.sum(mask, axis=-1, keepdims=True)
        count = xp.where(count == 0, 1.0, count)
        self._share = mask * count**-self.exponent
        return xp.matmul((mask / count)[..., None, :], rows)[..., 0, :]

    def backward(self, dh: Any) -> Any:
        """Return the gradient of the rows, shape (..., C, D), from that of `h`, shape (..., D)."""
        return self._share[..., None] * dh[..., None, :]


class SigmoidWithLoss:
    """Binary cross-entropy of the sigmoid of a score, exact and stable for any score.

    ``loss = Σ weight · (softplus(score) − label · score)``, with ``softplus(s) = max(s, 0) + log(1 + e^−|s|)``;
    its gradient is ``weight · (sigmoid(score) − label)``.
    """

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []
        self._dscore: Any = None

    def forward(self, score: Any, label: Any, weight: Any = None) -> Any:
        """Return the loss.

        Parameters
        ----------
        score : float array, any shape
        label : array or number, broadcast against `score`
            1 where the pair is real, 0 where it is noise.
        weight : float array or number, broadcast against `score`, optional
            When absent, one over the size of the first axis: the mean over a batch.

        Returns
        -------
        float array of no dimensions
        """
        xp = get_namespace(score)
        if weight is None:
            weight = 1 / score.shape[0]
        if not isinstance(label, (int, float)):
            label = xp.astype(label, score.dtype)
        tail = xp.exp(-xp.abs(score))
        sigmoid = xp.where(score >= 0, 1.0, tail) / (1 + tail)
        loss = weight * (xp.where(score > 0, score, 0.0) + xp.log1p(tail) - label * score)
        self._dscore = weight * (sigmoid - label)
        return xp.sum(loss)

    def backward(self, dout: float = 1.0) -> Any:
        """Return the gradient of the scores."""
        return self._dscore * dout


class NegativeSamplingLoss:
    """The negative-sampling loss: positives scored towards 1, words drawn from the noise distribution towards 0.

    Per target with hidden vector h and positives c (Mikolov et al. 2013, equation 4)::

        − Σ_c log σ(h · W[c])  −  Σ_n weight_n log σ(−h · W[n])

    Parameters
    ----------
    W : float array, shape (V, D)
        Output rows, often called W_out.
    corpus : int array, shape (N,), optional
        Word ids whose counts are the noise distribution. Not needed when negatives are always given.
    power : float
        Exponent of the noise distribution.
    sample_size : int
        Negatives per positive.
    seed : int
        Of the sampler.
    """

    def __init__(self, W: Any, corpus: Any = None, power: float = 0.75, sample_size: int = 5, seed: int = 1) -> None:
        self.sample_size = sample_size
        self.sampler = None if corpus is None else UnigramSampler(corpus, power, sample_size, seed)
        self.positive = EmbeddingDot(W)
        self.negative = EmbeddingDot(W)
        self.pool = SharedNegativesDot(W)
        self.positive_loss = SigmoidWithLoss()
        self.negative_loss = SigmoidWithLoss()
        self.params = [W]
        self.grads: list[Any] = [None]
        self.pooled = False

    def forward(self, h: Any, target: Any, pool: Any = None) -> Any:
        """Return the mean loss per target.

        Parameters
        ----------
        h : float array, shape (B, D), or (G, L, D) with a pool
        target : int array, shape (B,), or (G, L, C) with a pool
            The positives. With a pool, −1 is padding; a row of nothing but padding is no target and costs nothing.
        pool : int array, shape (G, P), optional
            Negatives that the L targets of a group share. Each has weight ``sample_size · positives / P``, so that
            the expected gradient is that of `sample_size` fresh draws per positive; where a pool word is one of the
            target's own positives, its term is masked out. Without a pool, the sampler draws for each target.

        Returns
        -------
        float array of no dimensions
        """
        if pool is None:
            return self._forward_sampled(h, target)
        xp = get_namespace(h)
        present = xp.astype(target >= 0, h.dtype)  # (G, L, C)
        positives = xp.sum(present, axis=-1, keepdims=True)
        targets = xp.sum(xp.astype(positives > 0, h.dtype))
        targets = xp.where(targets == 0, 1.0, targets)
        own = xp.any(target[..., None, :] == pool[:, None, :, None], axis=-1)  # (G, L, P)
        share = xp.where(own, 0.0, positives * (self.sample_size / pool.shape[-1]))
        self.pooled = True
        return self.positive_loss.forward(
            self.positive.forward(h, target), 1, present / targets
        ) + self.negative_loss.forward(self.pool.forward(h, pool), 0, share / targets)

    def _forward_sampled(self, h: Any, target: Any) -> Any:
        if self.sampler is None:
            raise ValueError("NegativeSamplingLoss was made without a corpus: give it one, or give forward() a pool")
        self.pooled = False
        negative = self.sampler.get_negative_sample(target)
        return self.positive_loss.forward(self.positive.forward(h, target), 1) + self.negative_loss.forward(
            self.negative.forward(h, negative), 0
        )

    def backward(self, dout: float = 1.0) -> Any:
        """Set the gradient of W; return the gradient of `h`.

        Parameters
        ----------
        dout : float
            Gradient of the loss: 1 for the mean over the targets, their number for the sum.
        """
        dh = self.positive.backward(self.positive_loss.backward(dout))
        noise: EmbeddingDot | SharedNegativesDot = self.pool if self.pooled else self.negative
        dh = dh + noise.backward(self.negative_loss.backward(dout))
        self.grads[0] = self.positive.grads[0] + noise.grads[0]
        return dh
