"""CBOW and skip-gram, composed of layers.

Both have ``params`` (W_in, W_out), ``grads``, ``forward``, ``backward`` and ``word_vecs``, and are trained in two ways:

* the textbook's: ``forward(contexts, target)``, each target with negatives of its own from the model's sampler;
* with shared negatives: ``forward(contexts, target, pool)``, groups of targets that share the draws they are given.
"""

from __future__ import annotations

from typing import Any

from fastw2v.backend import get_device, get_namespace
from fastw2v.config import CbowGrad
from fastw2v.nn.initializers import normal_weights
from fastw2v.nn.layers import ContextMean, Embedding, NegativeSamplingLoss


class _Model:
    """What CBOW and skip-gram share: two tables, and a loss that owns the second."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        window_size: int,
        corpus: Any,
        sample_size: int = 5,
        power: float = 0.75,
        seed: int = 1,
    ) -> None:
        for name, value in (("vocab_size", vocab_size), ("hidden_size", hidden_size), ("window_size", window_size)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        xp = get_namespace(corpus)
        if not xp.isdtype(corpus.dtype, "integral"):
            raise TypeError(f"corpus must be an array of integer word ids, not of {corpus.dtype}")
        low, high = (int(xp.min(corpus)), int(xp.max(corpus))) if corpus.shape[0] else (0, 0)
        if low < 0 or high >= vocab_size:
            raise ValueError(f"corpus has ids from {low} to {high}; they must lie in 0..{vocab_size - 1} (vocab_size)")
        self.window_size = window_size
        W_in, W_out = (
            xp.asarray(normal_weights(xp, (vocab_size, hidden_size), seed, i), device=get_device(corpus))
            for i in range(2)
        )
        self._compose(W_in, NegativeSamplingLoss(W_out, corpus, power, sample_size, seed))

    @classmethod
    def from_weights(cls, W_in: Any, W_out: Any, negative: int = 5, **settings: Any) -> Any:
        """Return a model around given weights, to be trained with given pools of negatives.

        Parameters
        ----------
        W_in, W_out : float array, shape (V, D)
            Trained in place.
        negative : int
            Negatives per positive that a pool stands for.
        **settings
            ``cbow_grad`` for CBOW.
        """
        model = cls.__new__(cls)
        model._compose(W_in, NegativeSamplingLoss(W_out, sample_size=negative), **settings)
        return model

    def _compose(self, W_in: Any, loss: NegativeSamplingLoss) -> None:
        self.in_layer = Embedding(W_in)
        self.loss_layer = loss
        self.params = [W_in, loss.params[0]]
        self.grads: list[Any] = [None, None]

    @property
    def word_vecs(self) -> Any:
        """The trained word vectors: the input rows, shape (V, D)."""
        return self.params[0]

    def _collect(self) -> None:
        self.grads[:] = [self.in_layer.grads[0], self.loss_layer.grads[0]]


class CBOW(_Model):
    """Continuous bag of words: the mean of the contexts' input rows predicts the target.

    Parameters
    ----------
    vocab_size, hidden_size : int
        V and D.
    window_size : int
        Words on either side of the target.
    corpus : int array, shape (N,)
        Word ids; their counts are the noise distribution, their device is the model's.
    sample_size : int
        Negatives per target.
    power : float
        Exponent of the noise distribution.
    seed : int
        Of the initial weights, 0.01 · N(0, 1), and of the negatives.

    Raises
    ------
    TypeError, ValueError
        If a size is below 1, or the corpus is not of integers from 0 to V − 1, at least two of them different.

    References
    ----------
    Mikolov et al., "Efficient estimation of word representations in vector space", 2013, section 3.1.
    """

    def _compose(self, W_in: Any, loss: NegativeSamplingLoss, cbow_grad: CbowGrad = "mean") -> None:
        super()._compose(W_in, loss)
        self.mean = ContextMean(cbow_grad)

    def forward(self, contexts: Any, target: Any, pool: Any = None) -> Any:
        """Return the mean loss per target.

        Parameters
        ----------
        contexts : int array, shape (B, C), or (G, L, C) with a pool
            −1 is padding.
        target : int array, shape (B,), or (G, L) with a pool
            −1 is no target; so is a target without contexts.
        pool : int array, shape (G, P), optional
            Negatives that a group of targets shares; the sampler's when absent.
        """
        xp = get_namespace(contexts)
        present = contexts >= 0
        h = self.mean.forward(self.in_layer.forward(contexts), present)
        if pool is not None:
            target = xp.where(xp.any(present, axis=-1), target, -1)[..., None]
        return self.loss_layer.forward(h, target, pool)

    def backward(self, dout: float = 1.0) -> None:
        """Set the gradients of W_in and W_out."""
        self.in_layer.backward(self.mean.backward(self.loss_layer.backward(dout)))
        self._collect()


class SkipGram(_Model):
    """Skip-gram: the target's input row predicts each of its contexts.

    Parameters
    ----------
    vocab_size, hidden_size, window_size, corpus, sample_size, power, seed
        As in `CBOW`; negatives are drawn for each context.

    References
    ----------
    Mikolov et al., "Efficient estimation of word representations in vector space", 2013, section 3.2.
    """

    def forward(self, contexts: Any, target: Any, pool: Any = None) -> Any:
        """Return the mean loss per target, summed over its contexts.

        Parameters
        ----------
        contexts, target, pool
            As in `CBOW.forward`.
        """
        h = self.in_layer.forward(target)
        if pool is not None:
            xp = get_namespace(contexts)
            return self.loss_layer.forward(h, xp.where(target[..., None] >= 0, contexts, -1), pool)
        xp = get_namespace(h)
        self._contexts = contexts.shape[-1]
        repeated = xp.reshape(xp.broadcast_to(h[:, None, :], (*contexts.shape, h.shape[-1])), (-1, h.shape[-1]))
        # The loss layer takes the mean over B · C pairs; the model's loss is the sum over C.
        return self.loss_layer.forward(repeated, xp.reshape(contexts, (-1,))) * self._contexts

    def backward(self, dout: float = 1.0) -> None:
        """Set the gradients of W_in and W_out."""
        pooled = self.loss_layer.pooled
        dh = self.loss_layer.backward(dout if pooled else dout * self._contexts)
        if not pooled:
            xp = get_namespace(dh)
            dh = xp.sum(xp.reshape(dh, (-1, self._contexts, dh.shape[-1])), axis=1)
        self.in_layer.backward(dh)
        self._collect()
