"""The layers of word2vec, each with a `forward` and a `backward` pass.

The layers specify word2vec, and every fused kernel is tested against them. They run on the array library and the device
of their inputs.

Every layer has two lists, `params` and `grads`. ``grads[i]`` is the gradient of the weight ``params[i]``. The
constructor creates it as zeros, and `backward` fills it in place. A model can therefore collect the lists of its layers
once, in its constructor, and several layers can share a weight. The gradients of the layers below are
`RowSparseGradient` objects, which can be used like dense arrays. `Trainer` and the optimisers accept dense gradients as
well.
``docs/migrate/textbook.md`` shows how to write a layer and a model.

Shapes use V for the size of the vocabulary, D for the dimension of a vector, B for the size of a batch, C for the
number of contexts and K for the number of negatives. With shared negatives, each of G groups has L targets and a pool
of P negatives. `docs/concepts/mathematics.md` derives the equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import (
    WeightedRows,
    context_weights,
    cross_entropy,
    get_device,
    get_namespace,
    is_numpy,
    pool_weights,
    row_dots,
    take_rows,
    weighted_sums,
)
from fastw2v.config import CbowGrad, cbow_grad_exponent, check_integer, check_range
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.negatives import UnigramSampler
from fastw2v.utils.checks import check_array, check_counts, check_ids


class Embedding:
    """Lookup of rows in a table, ``out[i] = W[ids[i]]``.

    In the backward pass, ``dW[v] = Σ dout[i]`` over all i with ``ids[i] = v``. Rows that were not looked up have
    a gradient of zero, so the gradient is stored as a `RowSparseGradient`.

    Parameters
    ----------
    W : float array, shape (V, D)
        The table. The layer keeps a reference to this array, not a copy.

    Attributes
    ----------
    params : list of float array
        The table.
    grads : list of RowSparseGradient
        The gradient of the table.

    Raises
    ------
    TypeError
        If W is not an array of floats.
    ValueError
        If W does not have two dimensions.

    Examples
    --------
    Row 2 is looked up twice, so its two gradients are added:

    >>> import numpy as np
    >>> from fastw2v.nn import Embedding
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> layer = Embedding(W)
    >>> layer.forward(np.array([2, 0, 2]))
    array([[5., 6.],
           [1., 2.],
           [5., 6.]])
    >>> layer.backward(np.array([[0.1, 0.2], [1.0, 1.0], [0.3, 0.4]]))
    >>> layer.grads[0].dense(W)
    array([[1. , 1. ],
           [0. , 0. ],
           [0.4, 0.6]])
    """

    def __init__(self, W: Any) -> None:
        check_array("W", W)
        if not get_namespace(W).isdtype(W.dtype, "real floating"):
            raise TypeError(f"W is an array of {W.dtype}; the table of a layer must be an array of floats")
        if W.ndim != 2:
            raise ValueError(f"W has shape {W.shape}; the table of a layer must have shape (V, D)")
        self.params = [W]
        self.grads = [RowSparseGradient.zeros_like(W)]
        self._ids: Any = None
        self._padding: Any = None

    def forward(self, ids: Any) -> Any:
        """Return ``W[ids]``.

        Parameters
        ----------
        ids : int array, any shape
            Negative ids are padding. Their result is zero.

        Returns
        -------
        float array, shape ids.shape + (D,)

        Examples
        --------
        The result has the shape of `ids` plus one axis. Here, the second id is padding:

        >>> import numpy as np
        >>> from fastw2v.nn import Embedding
        >>> layer = Embedding(np.array([[1.0, 2.0], [3.0, 4.0]]))
        >>> layer.forward(np.array([[1, -1]]))
        array([[[3., 4.],
                [0., 0.]]])
        """
        if not hasattr(ids, "shape"):
            ids = get_namespace(self.params[0]).asarray(ids, device=get_device(self.params[0]))
        rows = self._forward(ids)
        return self._without_padding(rows) if is_numpy(rows) else rows

    def backward(self, dout: Any) -> None:
        """Set the gradient of W.

        Parameters
        ----------
        dout : float array, shape ids.shape + (D,)
            Gradient of the output, which is ignored at padding. The layer copies it, so it can be changed afterwards.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import Embedding
        >>> layer = Embedding(np.array([[1.0, 2.0], [3.0, 4.0]]))
        >>> _ = layer.forward(np.array([1, 1]))
        >>> layer.backward(np.array([[1.0, 0.0], [0.5, 2.0]]))
        >>> layer.grads[0].dense(layer.params[0])
        array([[0. , 0. ],
               [1.5, 2. ]])
        """
        self._backward(self._without_padding(dout))

    def _forward(self, ids: Any) -> Any:
        """Return ``W[ids]`` with any rows at padding, for layers that mask them at a lower cost."""
        ids = check_ids("ids", ids)
        if not is_numpy(ids):
            self._ids = ids
            return take_rows(self.params[0], ids)
        xp = get_namespace(ids)
        self._padding = ids < 0
        # The gradient must not contain the id of an absent word, because lazy Adam moves all rows of a gradient.
        # Padding therefore gets the id of another word of the batch, or 0 if there is none.
        present = xp.where(self._padding, 0, ids)
        highest = xp.max(present) if ids.shape and 0 not in ids.shape else present
        self._ids = xp.where(self._padding, highest, ids)
        rows = xp.take(self.params[0], xp.reshape(self._ids, (-1,)), axis=0)
        return xp.reshape(rows, (*ids.shape, rows.shape[-1]))

    def _weighted_sums(self, ids: Any, weights: Any) -> Any:
        """Return ``Σ_k weights[..., k] · W[ids[..., k]]`` without storing the rows. Not for NumPy.

        W must not change until `backward`.
        """
        self._ids = ids
        return weighted_sums(self.params[0], ids, weights)

    def _row_dots(self, h: Any, ids: Any) -> Any:
        """Return ``h[...] · W[ids[..., k]]`` without storing the rows. Not for NumPy."""
        self._ids = ids
        return row_dots(self.params[0], ids, h)

    def _backward(self, dout: Any) -> None:
        """Set the gradient of W without copying `dout`, which is zero at padding and must not change afterwards."""
        xp = get_namespace(dout)
        ids, rows = xp.reshape(self._ids, (-1,)), xp.reshape(dout, (-1, dout.shape[-1]))
        if is_numpy(ids) and self._padding.any():  # on a GPU, the sizes of arrays must not depend on the data
            present = ~self._padding.reshape(-1)
            ids, rows = ids[present], rows[present]
        self.grads[0].assign(ids, rows)

    def _backward_weighted(self, weights: Any, rows: Any) -> None:
        """Set the gradient of W to the sum of ``weights[..., k] · rows[...]`` over all k, without storing the products.

        Not for NumPy. The arrays must not change afterwards.
        """
        xp = get_namespace(rows)
        rows = xp.reshape(rows, (-1, rows.shape[-1]))
        self.grads[0].assign_parts([WeightedRows(xp.reshape(self._ids, (-1,)), rows, xp.reshape(weights, (-1,)))])

    def _without_padding(self, rows: Any) -> Any:
        """Return a copy of `rows` with zeros at padding."""
        padding = self._padding if is_numpy(self._ids) else self._ids < 0
        return get_namespace(rows).where(padding[..., None], 0.0, rows)


class EmbeddingDot:
    """Dot products of hidden vectors with the rows of given words, ``score[b, k] = h[b] · W[ids[b, k]]``.

    In the backward pass, ``dh[b] = Σ_k dscore[b, k] · W[ids[b, k]]``, and ``dW[v] = Σ dscore[b, k] · h[b]`` over all
    b and k with ``ids[b, k] = v``.

    Parameters
    ----------
    W : float array, shape (V, D)
        The table of word vectors. The layer keeps a reference to this array, not a copy.

    Examples
    --------
    Score one hidden vector against words 0 and 2:

    >>> import numpy as np
    >>> from fastw2v.nn import EmbeddingDot
    >>> W = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]])
    >>> layer = EmbeddingDot(W)
    >>> layer.forward(np.array([[1.0, 2.0]]), np.array([[0, 2]]))  # 1·1 + 2·0 and 1·2 + 2·3
    array([[1., 8.]])
    >>> layer.backward(np.array([[1.0, -1.0]]))  # W[0] - W[2]
    array([[-1., -3.]])
    >>> layer.grads[0].dense(W)  # h in row 0, -h in row 2
    array([[ 1.,  2.],
           [ 0.,  0.],
           [-1., -2.]])
    """

    def __init__(self, W: Any) -> None:
        self.embed = Embedding(W)
        self.params = self.embed.params
        self.grads = self.embed.grads
        self._h: Any = None
        self._rows: Any = None

    def forward(self, h: Any, ids: Any) -> Any:
        """Return the scores. On a GPU, W must not change until `backward`, because its rows are not copied.

        Parameters
        ----------
        h : float array, shape (..., D)
            Hidden vectors.
        ids : int array, shape (...) or (..., K)
            One word or K words for each hidden vector. Negative ids are padding, whose score is 0.

        Returns
        -------
        float array, shape of `ids`

        Examples
        --------
        Score each of two hidden vectors against one word:

        >>> import numpy as np
        >>> from fastw2v.nn import EmbeddingDot
        >>> layer = EmbeddingDot(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
        >>> layer.forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 2]))
        array([ 2., 18.])
        """
        xp = get_namespace(h)
        self._h = h
        ids = check_ids("ids", ids)
        several = ids if ids.ndim == h.ndim else ids[..., None]  # (..., K)
        if not is_numpy(h):
            return xp.reshape(self.embed._row_dots(h, several), ids.shape)
        self._rows = self.embed._forward(several)  # (..., K, D)
        score = xp.matmul(self._rows, h[..., None])[..., 0]
        return xp.reshape(xp.where(self.embed._padding, 0.0, score), ids.shape)

    def backward(self, dscore: Any) -> Any:
        """Set the gradient of W and return the gradient of the hidden vectors.

        Parameters
        ----------
        dscore : float array, shape of the scores
            Gradient of the scores, which is ignored at padding.

        Returns
        -------
        float array, shape (..., D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import EmbeddingDot
        >>> layer = EmbeddingDot(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
        >>> _ = layer.forward(np.array([[1.0, 2.0]]), np.array([[0, 2]]))
        >>> layer.backward(np.array([[1.0, 0.5]]))  # W[0] + 0.5 · W[2]
        array([[2. , 1.5]])
        """
        xp = get_namespace(dscore)
        if not is_numpy(dscore):
            dscore = xp.reshape(dscore, self.embed._ids.shape)
            # The gradient stores the hidden vectors, so it needs a copy that does not change with them.
            self.embed._backward_weighted(dscore, xp.asarray(self._h, copy=True))
            return weighted_sums(self.params[0], self.embed._ids, dscore)
        dscore = xp.reshape(dscore, self._rows.shape[:-1])
        dscore = xp.where(self.embed._padding, 0.0, dscore)[..., None]  # (..., K, 1)
        self.embed._backward(dscore * self._h[..., None, :])
        return xp.matmul(xp.matrix_transpose(dscore), self._rows)[..., 0, :]


class SharedNegativesDot:
    """Dot products of groups of hidden vectors with shared words, ``score[g, l, p] = h[g, l] · W[pool[g, p]]``.

    For each group, this is the matrix product ``h[g] @ W[pool[g]].T``. In the backward pass,
    ``dh[g] = dscore[g] @ W[pool[g]]``, and the rows ``dscore[g].T @ h[g]`` are added to the gradients of the pool's
    words.

    Parameters
    ----------
    W : float array, shape (V, D)
        The table of word vectors. The layer keeps a reference to this array, not a copy.

    Examples
    --------
    Two hidden vectors share a pool of words 0 and 2:

    >>> import numpy as np
    >>> from fastw2v.nn import SharedNegativesDot
    >>> W = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]])
    >>> layer = SharedNegativesDot(W)
    >>> layer.forward(np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[0, 2]]))
    array([[[ 1.,  8.],
            [ 3., 18.]]])
    >>> layer.backward(np.array([[[1.0, 0.0], [1.0, 1.0]]]))  # W[0] and W[0] + W[2]
    array([[[1., 0.],
            [3., 3.]]])
    >>> layer.grads[0].dense(W)  # h[0] + h[1] in row 0, h[1] in row 2
    array([[4., 6.],
           [0., 0.],
           [3., 4.]])
    """

    def __init__(self, W: Any) -> None:
        self.embed = Embedding(W)
        self.params = self.embed.params
        self.grads = self.embed.grads
        self._h: Any = None
        self._rows: Any = None

    def forward(self, h: Any, pool: Any) -> Any:
        """Return the scores.

        Parameters
        ----------
        h : float array, shape (G, L, D)
            Hidden vectors.
        pool : int array, shape (G, P)
            The words that the hidden vectors of each group share.

        Returns
        -------
        float array, shape (G, L, P)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import SharedNegativesDot
        >>> layer = SharedNegativesDot(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
        >>> h = np.ones((4, 8, 2))  # 4 groups of 8 targets
        >>> layer.forward(h, np.array([[0, 1, 2]] * 4)).shape
        (4, 8, 3)
        """
        xp = get_namespace(h)
        self._h = h
        self._rows = self.embed._forward(pool)  # (G, P, D)
        return xp.matmul(h, xp.matrix_transpose(self._rows))

    def backward(self, dscore: Any) -> Any:
        """Set the gradient of W and return the gradient of the hidden vectors.

        Parameters
        ----------
        dscore : float array, shape (G, L, P)
            Gradient of the scores.

        Returns
        -------
        float array, shape (G, L, D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import SharedNegativesDot
        >>> layer = SharedNegativesDot(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
        >>> _ = layer.forward(np.array([[[1.0, 2.0]]]), np.array([[1, 2]]))
        >>> layer.backward(np.array([[[1.0, 0.5]]]))  # W[1] + 0.5 · W[2]
        array([[[1. , 2.5]]])
        """
        xp = get_namespace(dscore)
        self.embed._backward(xp.matmul(xp.matrix_transpose(dscore), self._h))
        return xp.matmul(dscore, self._rows)


class ContextMean:
    """The CBOW hidden vector, which is the mean of the context rows: ``h = (1 / C) Σ rows[c]``.

    C is the number of contexts, not counting padding. In the backward pass, ``drows[c] = dh / C^p``, where p depends on
    `cbow_grad`.

    Parameters
    ----------
    cbow_grad : {"mean", "balanced", "sum"}
        Exponent p of the divisor. "mean" is p = 1, which gives the exact gradient of the mean. "sum" is p = 0, as in
        word2vec.c, gensim and fastText. "balanced" is p = 3/4, a compromise between the two.

    Raises
    ------
    ValueError
        If `cbow_grad` has any other value.

    Examples
    --------
    Average two contexts. The third is padding:

    >>> import numpy as np
    >>> from fastw2v.nn import ContextMean
    >>> rows = np.array([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]])
    >>> present = np.array([True, True, False])
    >>> layer = ContextMean()
    >>> layer.forward(rows, present)
    array([2., 3.])
    >>> layer.backward(np.array([1.0, 2.0]))  # dh / 2 for each context that is present
    array([[0.5, 1. ],
           [0.5, 1. ],
           [0. , 0. ]])
    """

    def __init__(self, cbow_grad: CbowGrad = "mean") -> None:
        self.exponent = cbow_grad_exponent(cbow_grad)
        self.params: list[Any] = []
        self.grads: list[Any] = []
        self._share: Any = None

    def forward(self, rows: Any, present: Any) -> Any:
        """Return the mean of the context rows.

        Parameters
        ----------
        rows : float array, shape (..., C, D)
            Context rows.
        present : bool array, shape (..., C)
            False at padding.

        Returns
        -------
        float array, shape (..., D)
            The mean of the rows that are present, or zero if all are padding.

        Examples
        --------
        The first target has two contexts, the second has none:

        >>> import numpy as np
        >>> from fastw2v.nn import ContextMean
        >>> rows = np.array([[[1.0, 2.0], [3.0, 4.0]], [[9.0, 9.0], [9.0, 9.0]]])
        >>> ContextMean().forward(rows, np.array([[True, True], [False, False]]))
        array([[2., 3.],
               [0., 0.]])
        """
        xp = get_namespace(rows)
        weights, self._share, _ = context_weights(xp.astype(present, xp.int32) - 1, self.exponent, rows.dtype)
        return xp.matmul(weights[..., None, :], rows)[..., 0, :]

    def backward(self, dh: Any) -> Any:
        """Return the gradient of the context rows.

        Parameters
        ----------
        dh : float array, shape (..., D)
            Gradient of the hidden vectors.

        Returns
        -------
        float array, shape (..., C, D)
            The gradient, which is zero at padding.

        Examples
        --------
        With ``cbow_grad="sum"``, each context gets the whole gradient of the hidden vector:

        >>> import numpy as np
        >>> from fastw2v.nn import ContextMean
        >>> layer = ContextMean("sum")
        >>> _ = layer.forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([True, True]))
        >>> layer.backward(np.array([1.0, 2.0]))
        array([[1., 2.],
               [1., 2.]])
        """
        return self._share[..., None] * dh[..., None, :]


class SigmoidWithLoss:
    """Binary cross-entropy of the sigmoid of a score.

    The loss is ``Σ weight · (softplus(score) − label · score)``. This equals ``−log σ(score)`` for a pair with label 1
    and weight 1, and ``−log σ(−score)`` for a pair with label 0. The gradient is
    ``dscore = weight · (σ(score) − label)``.

    Examples
    --------
    σ(0) = 1/2 and σ(log 3) = 3/4. With labels 1 and 0, the loss is log 2 + log 4 = 2.0794:

    >>> import numpy as np
    >>> from fastw2v.nn import SigmoidWithLoss
    >>> layer = SigmoidWithLoss()
    >>> loss = layer.forward(np.array([0.0, np.log(3)]), np.array([1, 0]), weight=1)
    >>> round(float(loss), 4)
    2.0794
    >>> layer.backward().round(4)  # 1/2 - 1 and 3/4 - 0
    array([-0.5 ,  0.75])
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
        label : array or number
            1 for a positive pair, 0 for a negative pair. Broadcast against `score`.
        weight : float array or number, optional
            Weight of each pair, broadcast against `score`. By default, each weight is 1 divided by the size of the
            first axis, so the loss is the mean over a batch.

        Returns
        -------
        float array, shape ()

        Examples
        --------
        By default, the loss is the mean over the batch. Each of these scores costs log 2 = 0.6931:

        >>> import numpy as np
        >>> from fastw2v.nn import SigmoidWithLoss
        >>> round(float(SigmoidWithLoss().forward(np.zeros(10), 1)), 4)
        0.6931

        A weight of 0 masks a pair:

        >>> loss = SigmoidWithLoss().forward(np.array([0.0, 5.0]), 0, weight=np.array([1.0, 0.0]))
        >>> round(float(loss), 4)
        0.6931
        """
        xp = get_namespace(score)
        if weight is None:
            weight = 1 / score.shape[0]
        loss, self._dscore = cross_entropy(score, label, weight)
        return xp.sum(loss)

    def backward(self, dout: float = 1.0) -> Any:
        """Return the gradient of the scores.

        Parameters
        ----------
        dout : float
            Gradient of the loss.

        Returns
        -------
        float array, shape of the scores

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import SigmoidWithLoss
        >>> layer = SigmoidWithLoss()
        >>> _ = layer.forward(np.array([0.0, 0.0]), np.array([1, 0]))
        >>> layer.backward()  # (σ(0) - label) / 2
        array([-0.25,  0.25])
        """
        return self._dscore * dout


class NegativeSamplingLoss:
    """The negative-sampling loss, which trains positive pairs towards label 1 and negative pairs towards label 0.

    The loss of one target with hidden vector h, positives c and negatives n is::

        − Σ_c log σ(h · W[c])  −  Σ_n weight_n log σ(−h · W[n])

    Its gradients are ``dh = Σ_c (σ(h · W[c]) − 1) W[c] + Σ_n weight_n σ(h · W[n]) W[n]``,
    ``dW[c] = (σ(h · W[c]) − 1) h`` and ``dW[n] = weight_n σ(h · W[n]) h``. By default, the negatives are
    drawn from the noise distribution, separately for each target and with weight 1. Alternatively, a pool of negatives,
    which a group of targets shares, can be passed to `forward`.

    Parameters
    ----------
    W : float array, shape (V, D)
        Output rows, often called W_out.
    corpus : int array, shape (N,), optional
        Word ids, whose counts define the noise distribution. Required unless every call of `forward` is given a `pool`.
    power : float
        Exponent of the counts in the noise distribution.
    sample_size : int
        Negatives per positive.
    seed : int
        Seed of the sampler.

    References
    ----------
    Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013,
    equation 4.

    Examples
    --------
    One target with positive 0 and negatives 1 and 2, each of weight 1. The scores are 0, log 3 and 0, so the loss is
    log 2 + log 4 + log 2 = 2.7726:

    >>> import numpy as np
    >>> from fastw2v.nn import NegativeSamplingLoss
    >>> W = np.array([[0.0, 0.0], [np.log(3), 0.0], [0.0, 0.0]])
    >>> layer = NegativeSamplingLoss(W, sample_size=2)
    >>> loss = layer.forward(np.array([[[1.0, 0.0]]]), np.array([[[0]]]), pool=np.array([[1, 2]]))
    >>> round(float(loss), 4)
    2.7726

    The gradient of an output row is ``(σ(score) − label) · h``, here with h = (1, 0):

    >>> dh = layer.backward()
    >>> layer.grads[0].dense(W).round(4)
    array([[-0.5 ,  0.  ],
           [ 0.75,  0.  ],
           [ 0.5 ,  0.  ]])
    """

    def __init__(self, W: Any, corpus: Any = None, power: float = 0.75, sample_size: int = 5, seed: int = 1) -> None:
        check_integer("sample_size", sample_size, minimum=1)
        check_range("power", power)
        check_integer("seed", seed)
        self.sample_size = sample_size
        self.sampler = None if corpus is None else UnigramSampler(corpus, power, sample_size, seed)
        self.positive = EmbeddingDot(W)
        self.negative = EmbeddingDot(W)
        self.pool = SharedNegativesDot(W)
        self.positive_loss = SigmoidWithLoss()
        self.negative_loss = SigmoidWithLoss()
        self.params = [W]
        self.grads = [RowSparseGradient.zeros_like(W)]
        self.pooled = False

    def forward(self, h: Any, target: Any, pool: Any = None) -> Any:
        """Return the mean loss per target.

        On a GPU, W must not change until `backward`, because its rows are not copied.

        Parameters
        ----------
        h : float array, shape (B, D), or (G, L, D) with a pool
            Hidden vectors.
        target : int array, shape (B,), or (G, L, C) with a pool
            The positives. −1 is padding. A target whose positives are all padding is ignored.
        pool : int array, shape (G, P), optional
            Negatives that the L targets of a group share. By default, negatives are drawn separately for each target.

        Returns
        -------
        float array, shape ()

        Raises
        ------
        ValueError
            If `pool` is None and the layer was created without a corpus.

        Notes
        -----
        Each negative of a pool has weight ``sample_size · positives / P``, so the expected gradient is that of
        `sample_size` independent draws for each positive. A negative that is one of the target's own positives has
        weight 0.

        Examples
        --------
        All scores are 0 because W is zero, so each positive and each negative costs log 2. One positive and 5
        negatives cost 6 · log 2 = 4.1589 per target:

        >>> import numpy as np
        >>> from fastw2v.nn import NegativeSamplingLoss
        >>> layer = NegativeSamplingLoss(np.zeros((3, 2)), corpus=np.array([0, 1, 2, 1]), sample_size=5)
        >>> loss = layer.forward(h=np.ones((4, 2)), target=np.array([0, 1, 2, 1]))
        >>> round(float(loss), 4)
        4.1589
        """
        if pool is None:
            return self._forward_sampled(h, target)
        self.pooled = True
        positive, negative = pool_weights(target, pool, self.sample_size, h.dtype)
        return self.positive_loss.forward(self.positive.forward(h, target), 1, positive) + self.negative_loss.forward(
            self.pool.forward(h, pool), 0, negative
        )

    def _forward_sampled(self, h: Any, target: Any) -> Any:
        if self.sampler is None:
            raise ValueError(
                "NegativeSamplingLoss was created without a corpus, so it cannot draw negatives: pass corpus= to the "
                "constructor, or pool= to forward()"
            )
        self.pooled = False
        xp = get_namespace(h)
        present = xp.astype(target >= 0, h.dtype)
        targets = xp.sum(present)
        weight = present / xp.where(targets == 0, 1.0, targets)
        # Padding gets negatives as well, so that the number of draws does not depend on the data.
        negative = self.sampler.get_negative_sample(xp.where(target < 0, 0, target))
        negative = xp.where(target[:, None] < 0, -1, negative)
        return self.positive_loss.forward(self.positive.forward(h, target), 1, weight) + self.negative_loss.forward(
            self.negative.forward(h, negative), 0, weight[:, None]
        )

    def backward(self, dout: float = 1.0) -> Any:
        """Set the gradient of W and return the gradient of the hidden vectors.

        Parameters
        ----------
        dout : float
            Gradient of the mean loss. The default gives the gradients of the mean over the targets. To get the
            gradients of the sum, pass the number of targets.

        Returns
        -------
        float array, shape of `h`

        Examples
        --------
        Positive 0 and negative 1 both score 0, so dh = −W[0] / 2 + W[1] / 2:

        >>> import numpy as np
        >>> from fastw2v.nn import NegativeSamplingLoss
        >>> layer = NegativeSamplingLoss(np.array([[0.0, 2.0], [0.0, 6.0]]), sample_size=1)
        >>> _ = layer.forward(np.array([[[1.0, 0.0]]]), np.array([[[0]]]), pool=np.array([[1]]))
        >>> layer.backward()
        array([[[0., 2.]]])
        """
        dh = self.positive.backward(self.positive_loss.backward(dout))
        noise: EmbeddingDot | SharedNegativesDot = self.pool if self.pooled else self.negative
        dh = dh + noise.backward(self.negative_loss.backward(dout))
        if is_numpy(dh):
            total = self.positive.grads[0] + noise.grads[0]
            self.grads[0].assign(total.ids, total.rows)
        else:
            self.grads[0].assign_parts([*self.positive.grads[0].parts, *noise.grads[0].parts])
        return dh


class HierarchicalSoftmaxLoss:
    """The hierarchical-softmax loss, which trains the decisions on the path to a word in a Huffman tree.

    Each inner node of the tree has a row of W. If the path of the target t has the inner nodes n₁ … n_l and the codes
    d₁ … d_l, the loss of a hidden vector h is::

        − Σ_i log σ((1 − 2 d_i) h · W[n_i])

    Its gradients are ``dh = Σ_i (σ(h · W[n_i]) − (1 − d_i)) W[n_i]`` and ``dW[n_i] = (σ(h · W[n_i]) − (1 − d_i)) h``.
    The probabilities ``exp(−loss)`` of all words add up to 1.

    Parameters
    ----------
    W : float array, shape (V, D)
        Rows of the inner nodes. The last row is not used, because V words have V − 1 inner nodes.
    counts : integer array, shape (V,), or HuffmanTree
        Counts of the words, which define the tree, or the tree itself.

    Raises
    ------
    TypeError
        If `counts` are not integers.
    ValueError
        If `counts` does not have a number for each row of W.

    References
    ----------
    Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013,
    equation 3.

    Examples
    --------
    The path of word 0 is the root, node 1. Its score is 1 · log 3 and its code is 1, so the loss is
    −log σ(−log 3) = log 4 = 1.3863:

    >>> import numpy as np
    >>> from fastw2v.nn import HierarchicalSoftmaxLoss
    >>> W = np.array([[0.0, 0.0], [np.log(3), 0.0], [0.0, 0.0]])
    >>> layer = HierarchicalSoftmaxLoss(W, counts=np.array([5, 2, 1]))
    >>> round(float(layer.forward(np.array([[1.0, 2.0]]), np.array([0]))), 4)
    1.3863

    The gradient of an inner node's row is ``(σ(score) − (1 − code)) · h``, here (3/4 − 0) · (1, 2):

    >>> dh = layer.backward()
    >>> layer.grads[0].dense(W)
    array([[0.  , 0.  ],
           [0.75, 1.5 ],
           [0.  , 0.  ]])
    """

    def __init__(self, W: Any, counts: Any) -> None:
        self.embed = Embedding(W)
        self.params = self.embed.params
        self.grads = self.embed.grads
        self.loss = SigmoidWithLoss()
        if not isinstance(counts, HuffmanTree):
            counts = HuffmanTree.from_counts(check_counts(counts, W.shape[0]))
        self.tree = counts
        if len(self.tree.starts) != W.shape[0] + 1:
            raise ValueError(
                f"W has {W.shape[0]} rows, but the tree has {len(self.tree.starts) - 1} words; W must have a row for "
                "each word"
            )
        xp, device = get_namespace(W), get_device(W)
        self._starts = xp.asarray(self.tree.starts, device=device)
        # One more element, so that an empty path can be read.
        self._points = xp.asarray(np.append(self.tree.points, np.int32(-1)), device=device)
        self._codes = xp.asarray(np.append(self.tree.codes, np.uint8(0)), device=device)
        self._longest = int(np.diff(self.tree.starts).max(initial=0))
        self._shape: Any = None
        self._h: Any = None
        self._rows: Any = None

    def forward(self, h: Any, target: Any, present: Any = None) -> Any:
        """Return the mean loss per target.

        On a GPU, W must not change until `backward`, because its rows are not copied.

        Parameters
        ----------
        h : float array, shape (B, D) or (B, C, D)
            One or C hidden vectors for each target. The loss of a target is the sum over its hidden vectors.
        target : int array, shape (B,)
            Words. −1 is padding.
        present : bool array, shape (B, C), optional
            False for hidden vectors that are padding. A target without any other hidden vector is ignored.

        Returns
        -------
        float array, shape ()

        Examples
        --------
        All scores are 0 because W is zero, so each decision costs log 2. The paths of words 0 and 1 have one and two
        decisions, so the mean is 1.5 · log 2 = 1.0397:

        >>> import numpy as np
        >>> from fastw2v.nn import HierarchicalSoftmaxLoss
        >>> layer = HierarchicalSoftmaxLoss(np.zeros((3, 2)), counts=np.array([5, 2, 1]))
        >>> round(float(layer.forward(np.ones((2, 2)), np.array([0, 1]))), 4)
        1.0397
        """
        target = check_ids("target", target)
        xp = get_namespace(h)
        points, code = self._paths(target)
        self._shape = h.shape
        self._h = h if h.ndim == 3 else h[:, None, :]  # (B, C, D)
        counted = target[:, None] >= 0
        if present is not None:
            counted = counted & present  # (B, C)
        targets = xp.sum(xp.astype(xp.any(counted, axis=-1), h.dtype))
        weight = xp.astype(counted, h.dtype)[..., None] * xp.astype(points >= 0, h.dtype)[:, None, :]
        self._rows = None
        if not is_numpy(h) and self._h.shape[1] == 1:
            score = self.embed._row_dots(self._h[:, 0, :], points)[:, None, :]
        else:
            self._rows = self.embed._forward(points)  # (B, l, D)
            score = xp.matmul(self._h, xp.matrix_transpose(self._rows))  # (B, C, l)
        return self.loss.forward(score, (1 - code)[:, None, :], weight / xp.where(targets == 0, 1.0, targets))

    def losses(self, h: Any, target: Any, present: Any = None) -> Any:
        """Return the loss of each target. `backward` is not prepared.

        Parameters
        ----------
        h, target, present
            As for `forward`.

        Returns
        -------
        float array, shape (B,)
            0 for padding.

        Examples
        --------
        All scores are 0, so each decision costs log 2 = 0.6931:

        >>> import numpy as np
        >>> from fastw2v.nn import HierarchicalSoftmaxLoss
        >>> layer = HierarchicalSoftmaxLoss(np.zeros((3, 2)), counts=np.array([5, 2, 1]))
        >>> layer.losses(np.ones((3, 2)), np.array([0, 1, -1])).round(4)
        array([0.6931, 1.3863, 0.    ])
        """
        target = check_ids("target", target)
        xp = get_namespace(h)
        points, code = self._paths(target)
        h = h if h.ndim == 3 else h[:, None, :]
        rows = self.embed._forward(points)
        sign = xp.astype((1 - 2 * code) * xp.astype(points >= 0, xp.int8), h.dtype)  # 0 at padding
        score = xp.matmul(h, xp.matrix_transpose(rows)) * -sign[:, None, :]
        loss = xp.where(score > 0, score, 0.0) + xp.log1p(xp.exp(-xp.abs(score)))
        counted = xp.astype(points >= 0, h.dtype)[:, None, :]
        if present is not None:
            counted = counted * xp.astype(present, h.dtype)[..., None]
        return xp.sum(loss * counted, axis=(1, 2))

    def _paths(self, target: Any) -> tuple[Any, Any]:
        """Return the inner nodes and the codes of the paths to some words, shape (B, l), with −1 as padding."""
        xp = get_namespace(target)
        word = xp.where(target < 0, 0, target)
        start = xp.take(self._starts, word)
        length = xp.take(self._starts, word + 1) - start
        longest = self._longest
        if is_numpy(target):  # on a GPU, the sizes of arrays must not depend on the data
            longest = int(xp.max(length)) if target.shape[0] else 0
        step = xp.arange(longest, device=get_device(target))[None, :]
        inside = (step < length[:, None]) & (target >= 0)[:, None]
        at = xp.reshape(xp.where(inside, start[:, None] + step, self._points.shape[0] - 1), (-1,))
        points = xp.reshape(xp.take(self._points, at), inside.shape)
        code = xp.reshape(xp.take(self._codes, at), inside.shape)
        return points, xp.astype(code, xp.int8)

    def backward(self, dout: float = 1.0) -> Any:
        """Set the gradient of W and return the gradient of the hidden vectors.

        Parameters
        ----------
        dout : float
            Gradient of the mean loss. The default gives the gradients of the mean over the targets. To get the
            gradients of the sum, pass the number of targets.

        Returns
        -------
        float array, shape of `h`

        Examples
        --------
        The path of word 0 is node 1 with code 1, and its score is 0, so dh = W[1] / 2:

        >>> import numpy as np
        >>> from fastw2v.nn import HierarchicalSoftmaxLoss
        >>> layer = HierarchicalSoftmaxLoss(np.array([[0.0, 0.0], [0.0, 6.0], [0.0, 0.0]]), counts=np.array([5, 2, 1]))
        >>> _ = layer.forward(np.array([[1.0, 0.0]]), np.array([0]))
        >>> layer.backward()
        array([[0., 3.]])
        """
        xp = get_namespace(self._h)
        dscore = self.loss.backward(dout)
        if self._rows is None:
            dscore = dscore[:, 0, :]
            # The gradient stores the hidden vectors, so it needs a copy that does not change with them.
            self.embed._backward_weighted(dscore, xp.asarray(self._h, copy=True))
            return xp.reshape(weighted_sums(self.params[0], self.embed._ids, dscore), self._shape)
        self.embed._backward(xp.matmul(xp.matrix_transpose(dscore), self._h))
        return xp.reshape(xp.matmul(dscore, self._rows), self._shape)
