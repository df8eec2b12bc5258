"""CBOW and skip-gram models, composed of layers.

Both models have the attributes ``params`` (W_in and W_out), ``grads`` and ``word_vecs``, and the methods ``forward``
and ``backward``. There are two ways to supply the negatives:

* ``forward(contexts, target)`` draws separate negatives for each target, as in textbooks.
* ``forward(contexts, target, pool)`` shares the given negatives within each group of targets.

With ``loss="hs"``, the models are trained with hierarchical softmax, which needs no negatives. With `subwords`, the
input vector of a word is the mean of several rows of W_in (`SubwordEmbedding`).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from fastw2v.backend import context_weights, get_device, get_namespace, is_numpy, to_host
from fastw2v.config import CbowGrad, check_choice, check_integer
from fastw2v.nn.initializers import normal_weights
from fastw2v.nn.layers import ContextMean, Embedding, HierarchicalSoftmaxLoss, NegativeSamplingLoss
from fastw2v.nn.subwords import SubwordEmbedding
from fastw2v.utils.checks import check_array, check_ids, check_integers, check_type
from fastw2v.utils.quote import counted


class _Model:
    """Base class of CBOW and skip-gram: an input table, and a loss layer with the output table."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        window_size: int,
        corpus: Any,
        sample_size: int = 5,
        power: float = 0.75,
        seed: int = 1,
        loss: Literal["ns", "hs"] = "ns",
        subwords: tuple[Any, Any] | None = None,
    ) -> None:
        check_choice("loss", loss, ("ns", "hs"))
        for name, value in (("vocab_size", vocab_size), ("hidden_size", hidden_size), ("window_size", window_size)):
            check_integer(name, value, minimum=1)
        check_integer("seed", seed)
        corpus = check_ids("corpus", corpus)
        xp = get_namespace(corpus)
        low, high = (int(xp.min(corpus)), int(xp.max(corpus))) if corpus.shape[0] else (0, 0)
        if low < 0 or high >= vocab_size:
            raise ValueError(
                f"corpus has word ids from {low} to {high}; with vocab_size={vocab_size} they must lie in "
                f"0..{vocab_size - 1}"
            )
        self.window_size = window_size
        input_rows = vocab_size
        if subwords is not None:
            check_type("subwords", subwords, tuple, "two arrays, such as (subwords.starts, subwords.rows)")
            if len(subwords) != 2:
                raise ValueError(
                    f"subwords has {counted(len(subwords), 'item')}; pass two arrays, such as "
                    "(subwords.starts, subwords.rows)"
                )
            subwords = check_integers("starts", subwords[0]), check_integers("rows", subwords[1])
            starts, rows = map(to_host, subwords)
            if len(starts) != vocab_size + 1:
                raise ValueError(f"subwords has the rows of {len(starts) - 1} words, but vocab_size is {vocab_size}")
            input_rows = 1 + int(rows.max(initial=0))
        W_in, W_out = (
            xp.asarray(normal_weights(xp, (n, hidden_size), seed, i), device=get_device(corpus))
            for i, n in enumerate((input_rows, vocab_size))
        )
        self._compose(
            W_in if subwords is None else SubwordEmbedding(W_in, *subwords),
            NegativeSamplingLoss(W_out, corpus, power, sample_size, seed)
            if loss == "ns"
            else HierarchicalSoftmaxLoss(W_out, np.bincount(to_host(corpus), minlength=vocab_size)),
        )

    @classmethod
    def from_weights(cls, W_in: Any, W_out: Any, negative: int = 5, *, counts: Any = None, **settings: Any) -> Any:
        """Return a model that uses existing weights, for training with pools of negatives or hierarchical softmax.

        Parameters
        ----------
        W_in : float array, shape (V, D), or SubwordEmbedding
            The input weights, or a layer of subwords.
        W_out : float array, shape (V, D)
            The output weights. The model keeps references to the weights, not copies.
        negative : int
            Negatives per positive. For each positive, the weights of a pool's negatives add up to this number.
        counts : integer array, shape (V,), optional
            Counts of the words. If they are given, the model is trained with hierarchical softmax.
        **settings
            For CBOW, `cbow_grad` can be set; see `ContextMean`.

        Returns
        -------
        CBOW or SkipGram
            The model, which cannot draw negatives itself. Its `forward` requires a pool, unless `counts` are given.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import CBOW
        >>> W_in, W_out = np.zeros((3, 2)), np.zeros((3, 2))
        >>> model = CBOW.from_weights(W_in, W_out, negative=5, cbow_grad="balanced")
        >>> model.word_vecs is W_in
        True

        With subwords. Both words have row 2:

        >>> from fastw2v.nn import SubwordEmbedding
        >>> layer = SubwordEmbedding(np.array([[1.0], [3.0], [5.0]]), np.array([0, 2, 4]), np.array([0, 2, 1, 2]))
        >>> CBOW.from_weights(layer, np.zeros((2, 1))).word_vecs.tolist()
        [[3.0], [4.0]]
        """
        if not isinstance(W_in, SubwordEmbedding):
            check_array("W_in", W_in)
        check_array("W_out", W_out)
        check_integer("negative", negative, minimum=1)
        model = cls.__new__(cls)
        loss = (
            NegativeSamplingLoss(W_out, sample_size=negative)
            if counts is None
            else HierarchicalSoftmaxLoss(W_out, counts)
        )
        model._compose(W_in, loss, **settings)
        return model

    def _compose(self, W_in: Any, loss: NegativeSamplingLoss | HierarchicalSoftmaxLoss) -> None:
        self.in_layer = W_in if isinstance(W_in, SubwordEmbedding) else Embedding(W_in)
        self.loss_layer = loss
        self.params = self.in_layer.params + loss.params
        self.grads = self.in_layer.grads + loss.grads

    @property
    def word_vecs(self) -> Any:
        """The word vectors: the input table W_in, or with subwords the means of its rows, float array of shape (V, D).

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import SkipGram
        >>> model = SkipGram(vocab_size=3, hidden_size=8, window_size=1, corpus=np.array([0, 1, 2, 1]))
        >>> model.word_vecs.shape
        (3, 8)
        """
        return self.in_layer.means if isinstance(self.in_layer, SubwordEmbedding) else self.params[0]


class CBOW(_Model):
    """Continuous bag of words, which predicts a word from the mean of its contexts.

    For a target t with contexts c₁ … c_C and negatives n, the loss is::

        h = (1 / C) Σ_i W_in[c_i]
        loss = − log σ(h · W_out[t])  −  Σ_n weight_n log σ(−h · W_out[n])

    The initial weights of both tables are normally distributed with standard deviation 0.01.

    Parameters
    ----------
    vocab_size : int
        Number of words, V.
    hidden_size : int
        Dimension of the vectors, D.
    window_size : int
        Context words on either side of a target.
    corpus : int array, shape (N,)
        Word ids, whose counts define the noise distribution. The weights are created on the device of this array.
    sample_size : int
        Negatives per target.
    power : float
        Exponent of the counts in the noise distribution.
    seed : int
        Seed of the initial weights and of the negatives.
    loss : {"ns", "hs"}
        Negative sampling or hierarchical softmax.
    subwords : (int array, int array), optional
        The arrays `starts` and `rows` of a `SubwordEmbedding`, so that the vector of each word is the mean of several
        rows of W_in. For a `Subwords` object, pass ``(subwords.starts, subwords.rows)``.

    Raises
    ------
    TypeError
        If `corpus` is not an integer array, or `subwords` is not a tuple of integer arrays.
    ValueError
        If a size is below 1, an id does not lie in 0..V − 1, `corpus` has fewer than two distinct words, or `subwords`
        does not have rows for each word.

    References
    ----------
    Mikolov et al., "Efficient estimation of word representations in vector space", 2013, section 3.1.

    Examples
    --------
    Predict word 1 from contexts 0 and 2, with word 0 as the only negative:

    >>> import numpy as np
    >>> from fastw2v.nn import CBOW
    >>> W_in = np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    >>> W_out = np.array([[0.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    >>> model = CBOW.from_weights(W_in, W_out, negative=1)
    >>> loss = model.forward(np.array([[[0, 2]]]), np.array([[1]]), pool=np.array([[0]]))
    >>> round(float(loss), 4)  # h = (2, 0) and both scores are 0, so the loss is 2 · log 2
    1.3863

    The hidden vector has gradient (W_out[0] − W_out[1]) / 2 = (0, −2). Each of the two contexts gets half of it:

    >>> model.backward()
    >>> model.grads[0].dense(W_in)
    array([[ 0., -1.],
           [ 0.,  0.],
           [ 0., -1.]])
    >>> model.grads[1].dense(W_out)  # h / 2 for the negative, -h / 2 for the target
    array([[ 1.,  0.],
           [-1.,  0.],
           [ 0.,  0.]])
    """

    def _compose(
        self, W_in: Any, loss: NegativeSamplingLoss | HierarchicalSoftmaxLoss, cbow_grad: CbowGrad = "mean"
    ) -> None:
        super()._compose(W_in, loss)
        self.mean = ContextMean(cbow_grad)
        self._share: Any = None

    def forward(self, contexts: Any, target: Any, pool: Any = None) -> Any:
        """Return the mean loss per target.

        Parameters
        ----------
        contexts : int array, shape (B, C), or (G, L, C) with a pool
            Word ids. −1 is padding.
        target : int array, shape (B,), or (G, L) with a pool
            Word ids. −1 is padding. A target without contexts is ignored.
        pool : int array, shape (G, P), optional
            Negatives that the L targets of a group share. By default, negatives are drawn separately for each target.

        Returns
        -------
        float array, shape ()

        Examples
        --------
        Before training, all scores are close to 0, so each target and its 5 negatives cost about 6 · log 2 = 4.16:

        >>> import numpy as np
        >>> from fastw2v.nn import CBOW
        >>> model = CBOW(vocab_size=4, hidden_size=8, window_size=1, corpus=np.array([0, 1, 2, 3, 1]))
        >>> contexts = np.array([[0, 2], [1, 3], [2, 1]])
        >>> round(float(model.forward(contexts, np.array([1, 2, 3]))), 2)
        4.16
        """
        contexts, target = check_ids("contexts", contexts), check_ids("target", target)
        xp = get_namespace(contexts)
        if is_numpy(contexts):
            present = contexts >= 0
            h = self.mean.forward(self.in_layer._forward(contexts), present)
            target = xp.where(xp.any(present, axis=-1), target, -1)
        else:
            weights, self._share, counts = context_weights(contexts, self.mean.exponent, self.params[0].dtype)
            h = self.in_layer._weighted_sums(contexts, weights)
            target = xp.where(counts > 0, target, -1)
        if isinstance(self.loss_layer, HierarchicalSoftmaxLoss):
            return self.loss_layer.forward(h, target)
        return self.loss_layer.forward(h, target if pool is None else target[..., None], pool)

    def backward(self, dout: float = 1.0) -> None:
        """Set the gradients of W_in and W_out.

        Parameters
        ----------
        dout : float
            Gradient of the mean loss. The default gives the gradients of the mean over the targets. To get the
            gradients of the sum, pass the number of targets.

        Examples
        --------
        Only the rows that occur in the batch have a gradient:

        >>> import numpy as np
        >>> from fastw2v.nn import CBOW
        >>> model = CBOW(vocab_size=4, hidden_size=8, window_size=1, corpus=np.array([0, 1, 2, 3, 1]))
        >>> _ = model.forward(np.array([[0, 2]]), np.array([1]))
        >>> model.backward()
        >>> model.grads[0].ids
        array([0, 2])
        """
        dh = self.loss_layer.backward(dout)
        if is_numpy(dh):
            self.in_layer._backward(self.mean.backward(dh))
        else:
            self.in_layer._backward_weighted(self._share, dh)


class SkipGram(_Model):
    """Skip-gram, which predicts each context of a word from the word.

    For a target t with contexts c₁ … c_C and negatives n, the loss is::

        h = W_in[t]
        loss = − Σ_i log σ(h · W_out[c_i])  −  Σ_n weight_n log σ(−h · W_out[n])

    Parameters
    ----------
    vocab_size, hidden_size, window_size, corpus, power, seed, loss, subwords
        As in `CBOW`.
    sample_size : int
        Negatives per context.

    References
    ----------
    Mikolov et al., "Efficient estimation of word representations in vector space", 2013, section 3.2.

    Examples
    --------
    Predict contexts 1 and 2 from word 0. Word 3 is the only negative and has weight 2, one for each context:

    >>> import numpy as np
    >>> from fastw2v.nn import SkipGram
    >>> W_in = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> W_out = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 4.0], [0.0, 1.0]])
    >>> model = SkipGram.from_weights(W_in, W_out, negative=1)
    >>> loss = model.forward(np.array([[[1, 2]]]), np.array([[0]]), pool=np.array([[3]]))
    >>> round(float(loss), 4)  # h = (1, 0) and all scores are 0, so the loss is (1 + 1 + 2) · log 2
    2.7726
    >>> model.backward()
    >>> model.grads[0].dense(W_in)[0]  # -W_out[1] / 2 - W_out[2] / 2 + 2 · W_out[3] / 2
    array([ 0., -2.])
    >>> model.grads[1].dense(W_out)  # -h / 2 for each context, 2 · h / 2 for the negative
    array([[ 0. ,  0. ],
           [-0.5,  0. ],
           [-0.5,  0. ],
           [ 1. ,  0. ]])
    """

    def forward(self, contexts: Any, target: Any, pool: Any = None) -> Any:
        """Return the mean loss per target. The loss of a target is the sum over its contexts.

        Parameters
        ----------
        contexts : int array, shape (B, C), or (G, L, C) with a pool
            Word ids. −1 is padding.
        target : int array, shape (B,), or (G, L) with a pool
            Word ids. −1 is padding. A target without contexts is ignored.
        pool : int array, shape (G, P), optional
            Negatives that the L targets of a group share. By default, negatives are drawn separately for each context.

        Returns
        -------
        float array, shape ()

        Examples
        --------
        Before training, all scores are close to 0. Each of the two contexts and its 5 negatives cost about 6 · log 2:

        >>> import numpy as np
        >>> from fastw2v.nn import SkipGram
        >>> model = SkipGram(vocab_size=4, hidden_size=8, window_size=1, corpus=np.array([0, 1, 2, 3, 1]))
        >>> contexts = np.array([[0, 2], [1, 3], [2, 1]])
        >>> round(float(model.forward(contexts, np.array([1, 2, 3]))), 2)
        8.32
        """
        contexts, target = check_ids("contexts", contexts), check_ids("target", target)
        if isinstance(self.loss_layer, HierarchicalSoftmaxLoss):
            return self.loss_layer.forward(self.in_layer._forward(contexts), target, contexts >= 0)
        h = self.in_layer._forward(target)
        xp = get_namespace(h)
        contexts = xp.where(target[..., None] >= 0, contexts, -1)
        if pool is not None:
            return self.loss_layer.forward(h, contexts, pool)
        repeated = xp.reshape(xp.broadcast_to(h[:, None, :], (*contexts.shape, h.shape[-1])), (-1, h.shape[-1]))
        # The loss layer returns the mean over pairs, but the model's loss is the mean over targets of the sum over C.
        present = contexts >= 0
        targets = xp.sum(xp.astype(xp.any(present, axis=-1), h.dtype))
        self._shape = contexts.shape
        self._pairs_per_target = xp.sum(xp.astype(present, h.dtype)) / xp.where(targets == 0, 1.0, targets)
        return self.loss_layer.forward(repeated, xp.reshape(contexts, (-1,))) * self._pairs_per_target

    def backward(self, dout: float = 1.0) -> None:
        """Set the gradients of W_in and W_out.

        Parameters
        ----------
        dout : float
            Gradient of the mean loss, as in `CBOW.backward`.

        Examples
        --------
        Only the targets' rows of W_in have a gradient:

        >>> import numpy as np
        >>> from fastw2v.nn import SkipGram
        >>> model = SkipGram(vocab_size=4, hidden_size=8, window_size=1, corpus=np.array([0, 1, 2, 3, 1]))
        >>> _ = model.forward(np.array([[0, 2]]), np.array([1]))
        >>> model.backward()
        >>> model.grads[0].ids
        array([1])
        """
        if isinstance(self.loss_layer, HierarchicalSoftmaxLoss):
            self.in_layer._backward(self.loss_layer.backward(dout))
            return
        pooled = self.loss_layer.pooled
        dh = self.loss_layer.backward(dout if pooled else dout * self._pairs_per_target)
        if not pooled:
            xp = get_namespace(dh)
            dh = xp.sum(xp.reshape(dh, (*self._shape, dh.shape[-1])), axis=1)
        self.in_layer._backward(dh)
