"""The layer of subwords, whose output for a word is the mean of the rows of the word and of its character n-grams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastw2v.backend import (
    WeightedRows,
    get_device,
    get_namespace,
    is_numpy,
    take_rows,
    unique_inverse,
    weighted_sums,
)
from fastw2v.nn.layers import Embedding
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.utils.checks import check_ids

__all__ = ["SubwordEmbedding", "mean_rows", "word_means"]

BLOCK_WORDS = 1 << 12
"""Number of words whose rows `mean_rows` reads at a time."""
BLOCK_VALUES = 1 << 18
"""Number of values that `mean_rows` reads at a time in NumPy: 1 MB in single precision."""


class SubwordEmbedding:
    """Mean of the rows of words and of their character n-grams, ``out[i] = Σ_r W[r] / |S|``, summed over r in S.

    S are the rows of word ``ids[i]``. In the backward pass, ``dW[r] = Σ dout[i] / |S|`` over all i whose word has row
    r. If a word has a row twice, it counts twice.

    Parameters
    ----------
    W : float array, shape (R, D)
        The table. The layer keeps a reference to this array, not a copy.
    starts : int array, shape (V + 1,)
        The rows of word w are in elements ``starts[w]`` to ``starts[w + 1] - 1`` of `rows`. Every word has a row.
    rows : int array
        Rows of W.
    exponent : float
        The gradient of a row is divided by this power of |S|. 1 gives the exact gradient, and 0 that of fastText.

    Attributes
    ----------
    params : list of float array
        The table.
    grads : list of RowSparseGradient
        The gradient of the table.

    References
    ----------
    Bojanowski et al., "Enriching word vectors with subword information", TACL 5, 2017.

    Examples
    --------
    Word 0 has rows 0 and 2, and word 1 has rows 1, 2 and 3:

    >>> import numpy as np
    >>> from fastw2v.nn import SubwordEmbedding
    >>> W = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> layer = SubwordEmbedding(W, starts=np.array([0, 2, 5]), rows=np.array([0, 2, 1, 2, 3]))
    >>> layer.forward(np.array([0, 1]))  # (1 + 3) / 2 and (2 + 3 + 4) / 3
    array([[2.],
           [3.]])
    >>> layer.backward(np.array([[1.0], [6.0]]))
    >>> layer.grads[0].dense(W)  # 1 / 2 for each row of word 0, and 6 / 3 for each row of word 1
    array([[0.5],
           [2. ],
           [2.5],
           [2. ]])
    """

    def __init__(self, W: Any, starts: Any, rows: Any, exponent: float = 1.0) -> None:
        table = Embedding(W)  # checks W
        self.params = table.params
        self.grads: list[RowSparseGradient] = table.grads
        self._starts, self._rows = starts, rows
        self._exponent = exponent
        self._ids: Any = None

    def forward(self, ids: Any) -> Any:
        """Return the means for words.

        Parameters
        ----------
        ids : int array, any shape
            Word ids. Negative ids are padding. Their result is zero.

        Returns
        -------
        float array, shape (*ids.shape, D)
        """
        W = self.params[0]
        xp = get_namespace(W)
        if not hasattr(ids, "shape"):
            ids = xp.asarray(ids, device=get_device(W))
        self._ids = check_ids("ids", ids)
        words, index = unique_inverse(xp.reshape(self._ids, (-1,)))  # each word's rows are read once
        return xp.reshape(take_rows(mean_rows(W, self._starts, self._rows, words), index), (*ids.shape, W.shape[-1]))

    def backward(self, dout: Any) -> None:
        """Set the gradient of W.

        Parameters
        ----------
        dout : float array, shape (*ids.shape, D)
            Gradient of the output, which is ignored at padding.
        """
        xp = get_namespace(dout)
        ids = _padded_rows(self._starts, self._rows, xp.reshape(self._ids, (-1,)))
        size = xp.sum(xp.astype(ids >= 0, dout.dtype), axis=1, keepdims=True)
        weights = xp.where(ids >= 0, xp.where(size > 0, size, 1.0) ** -self._exponent, 0.0)
        dout = xp.asarray(xp.reshape(dout, (-1, dout.shape[-1])), copy=True)
        parts = WeightedRows(xp.reshape(ids, (-1,)), dout, xp.reshape(weights, (-1,)))
        if is_numpy(ids):  # where gradients contain no padding
            present = parts.ids >= 0
            self.grads[0].assign(parts.ids[present], parts.products()[present])
        else:
            self.grads[0].assign_parts([parts])


def mean_rows(W: Any, starts: Any, rows: Any, words: Any) -> Any:
    """Return the mean of the rows of each word.

    Parameters
    ----------
    W : float array, shape (R, D)
    starts : int array, shape (V + 1,)
        The rows of word w are in elements ``starts[w]`` to ``starts[w + 1] - 1`` of `rows`.
    rows : int array
        Rows of W. −1 stands for a row of zeros.
    words : int array, shape (N,)
        Words. For a negative word, and for a word without rows, the result is zeros.

    Returns
    -------
    float array, shape (N, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn.subwords import mean_rows
    >>> W = np.array([[1.0], [2.0], [3.0]])
    >>> mean_rows(W, starts=np.array([0, 2, 5]), rows=np.array([0, 2, 1, 2, -1]), words=np.array([1, 0])).round(2)
    array([[1.67],
           [2.  ]])
    """
    xp = get_namespace(W)
    if is_numpy(W):
        return _mean_rows_numpy(W, starts, rows, words)
    blocks = []
    for first in range(0, words.shape[0], BLOCK_WORDS):
        block = words[first : min(first + BLOCK_WORDS, words.shape[0])]
        ids = _padded_rows(starts, rows, block)
        present = xp.where(block < 0, 0, block)
        size = xp.astype(xp.take(starts, present + 1) - xp.take(starts, present), W.dtype)[:, None]
        blocks.append(weighted_sums(W, ids, xp.where(ids >= 0, 1 / xp.where(size > 0, size, 1.0), 0.0)))
    return xp.concat(blocks) if blocks else xp.zeros((0, W.shape[1]), dtype=W.dtype, device=get_device(W))


def word_means(W: np.ndarray, n_words: int, blocks: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the mean of the rows of each word, with little memory besides the result.

    Parameters
    ----------
    W : float NumPy array, shape (R, D)
    n_words : int
        V, the number of words in all blocks.
    blocks : iterable of (starts, rows)
        For each block of words, the arrays that `mean_rows` takes, as `Subwords.blocks` yields them.

    Returns
    -------
    float array, shape (V, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn.subwords import word_means
    >>> blocks = [(np.array([0, 2]), np.array([0, 2])), (np.array([0, 1]), np.array([1]))]
    >>> word_means(np.array([[1.0], [2.0], [4.0]]), 2, blocks).tolist()
    [[2.5], [2.0]]
    """
    means = np.empty((n_words, W.shape[1]), W.dtype)
    at = 0
    for starts, rows in blocks:
        n = len(starts) - 1
        means[at : at + n] = mean_rows(W, starts, rows, np.arange(n))
        at += n
    return means


def _mean_rows_numpy(W: Any, starts: Any, rows: Any, words: Any) -> Any:
    """Return the mean of the rows of each word without padding, because a single word can have hundreds of rows."""
    present = np.where(words < 0, 0, words)
    first = starts[present]
    sizes = np.where(words < 0, 0, starts[present + 1] - first)
    ends = np.cumsum(sizes)
    means = np.zeros((len(words), W.shape[1]), np.result_type(W, np.float32))
    at = 0
    while at < len(words):
        # As many words as have BLOCK_VALUES values, but at least one.
        stop = max(at + 1, int(np.searchsorted(ends, ends[at] - sizes[at] + BLOCK_VALUES // W.shape[1])))
        some = at + np.flatnonzero(sizes[at:stop])
        if len(some):
            begins = ends[some] - sizes[some]
            begins -= begins[0]
            entry = np.repeat(first[some] - begins, sizes[some]) + np.arange(sizes[some].sum())
            taken = take_rows(W, rows[entry]).astype(means.dtype, copy=False)
            with np.errstate(over="ignore", invalid="ignore"):  # the result is infinite or NaN, as in other libraries
                means[some] = np.add.reduceat(taken, begins, axis=0) / sizes[some, None].astype(means.dtype)
        at = stop
    return means.astype(W.dtype, copy=False)


def _padded_rows(starts: Any, rows: Any, words: Any) -> Any:
    """Return the rows of each word as an array of shape (N, S). −1 is padding."""
    xp = get_namespace(words)
    present = xp.where(words < 0, 0, words)
    first, end = xp.take(starts, present), xp.take(starts, present + 1)
    end = xp.where(words < 0, first, end)
    longest = int(xp.max(end - first)) if words.shape[0] else 0
    entry = first[:, None] + xp.arange(max(longest, 1), dtype=first.dtype, device=get_device(words))
    inside = entry < end[:, None]
    found = xp.take(rows, xp.reshape(xp.where(inside, entry, 0), (-1,)))
    return xp.where(inside, xp.reshape(found, entry.shape), -1)
