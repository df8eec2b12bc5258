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
    on_device_of,
    take_rows,
    to_host,
    unique_inverse,
    weighted_sums,
)
from fastw2v.config import check_flags, check_range
from fastw2v.nn.layers import Embedding
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.utils.checks import check_ids, check_integers
from fastw2v.utils.threads import share_blocks

__all__ = ["SubwordEmbedding", "mean_rows", "word_means"]

BLOCK_ROWS = 1 << 22
"""Number of rows, including padding, that `mean_rows` reads at a time, except in NumPy."""
BLOCK_VALUES = 1 << 17
"""Number of values that `mean_rows` computes at a time in NumPy: 0.5 MB in float32, which fits in the cache."""
MANY_ROWS = 256
"""Number of rows of a word that `mean_rows` adds to its sum one at a time in NumPy. The others are added in blocks."""
BLOCK_ENTRIES = 4096
"""Number of rows in such a block."""


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
        The gradient of a row is divided by this power of ``|S|``. 1 gives the exact gradient, and 0 that of fastText.
    in_order : bool
        Whether the gradients of the ids of a word are summed in a fixed order on a GPU; see
        `RowSparseGradient.coalesce`. NumPy always sums in a fixed order.

    Attributes
    ----------
    params : list of float array
        The table.
    grads : list of RowSparseGradient
        The gradient of the table.

    Raises
    ------
    TypeError
        If W is not an array of floats, `starts` or `rows` is not an array of integers, or `exponent` is not a number.
    ValueError
        If W does not have two dimensions, or `starts` and `rows` are not the rows of words in W.

    Notes
    -----
    The rows of a word are read once for all of its ids in a batch, and its gradients are summed before they are added
    to its rows. On a GPU, the number of distinct words is not known to the host, so arrays have room for as many words
    as there are ids, or for the vocabulary if it is smaller.

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

    def __init__(self, W: Any, starts: Any, rows: Any, exponent: float = 1.0, in_order: bool = False) -> None:
        table = Embedding(W)  # checks W
        self.params = table.params
        self.grads: list[RowSparseGradient] = table.grads
        self._exponent = exponent
        self._in_order = in_order
        check_range("exponent", exponent)
        check_flags(in_order=in_order)
        starts, rows = check_integers("starts", starts), check_integers("rows", rows)
        self._longest = _check_rows(to_host(starts), to_host(rows), W.shape[0])
        xp, device = get_namespace(W), get_device(W)
        with on_device_of(W):
            self._starts, self._rows = xp.asarray(starts, device=device), xp.asarray(rows, device=device)
        self._words: Any = None
        self._index: Any = None
        self._means: Any = None

    @property
    def means(self) -> Any:
        """The vectors of all words: float array, shape (V, D).

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import SubwordEmbedding
        >>> W = np.array([[1.0], [2.0], [3.0], [4.0]])
        >>> SubwordEmbedding(W, starts=np.array([0, 2, 5]), rows=np.array([0, 2, 1, 2, 3])).means.tolist()
        [[2.0], [3.0]]
        """
        xp = get_namespace(self._starts)
        words = xp.arange(self._starts.shape[0] - 1, device=get_device(self._starts))
        return mean_rows(self.params[0], self._starts, self._rows, words)

    def forward(self, ids: Any) -> Any:
        """Return the means for words.

        Parameters
        ----------
        ids : int array, any shape
            Word ids. Negative ids are padding. Their result is zero.

        Returns
        -------
        float array, shape ids.shape + (D,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import SubwordEmbedding
        >>> W = np.array([[1.0], [2.0], [3.0], [4.0]])
        >>> layer = SubwordEmbedding(W, starts=np.array([0, 2, 5]), rows=np.array([0, 2, 1, 2, 3]))
        >>> layer.forward(np.array([[1, -1], [0, 1]])).tolist()
        [[[3.0], [0.0]], [[2.0], [3.0]]]
        """
        W = self.params[0]
        if not hasattr(ids, "shape"):
            ids = get_namespace(W).asarray(ids, device=get_device(W))
        return self._read_means(ids).forward(self._index)

    def backward(self, dout: Any) -> None:
        """Set the gradient of W.

        Parameters
        ----------
        dout : float array, shape ids.shape + (D,)
            Gradient of the output, which is ignored at padding. The layer copies it, so it can be changed afterwards.

        Examples
        --------
        With fastText's gradient, which is not divided by the number of rows:

        >>> import numpy as np
        >>> from fastw2v.nn import SubwordEmbedding
        >>> W = np.array([[1.0], [2.0], [3.0], [4.0]])
        >>> layer = SubwordEmbedding(W, np.array([0, 2, 5]), np.array([0, 2, 1, 2, 3]), exponent=0)
        >>> _ = layer.forward(np.array([0, 1]))
        >>> layer.backward(np.array([[1.0], [6.0]]))
        >>> layer.grads[0].dense().tolist()
        [[1.0], [6.0], [7.0], [6.0]]
        """
        self._means.backward(dout)
        self._assign()

    # The same functions as in `Embedding`, for models

    def _forward(self, ids: Any) -> Any:
        return self._read_means(ids)._forward(self._index)

    def _weighted_sums(self, ids: Any, weights: Any) -> Any:
        return self._read_means(ids)._weighted_sums(self._index, weights)

    def _backward(self, dout: Any) -> None:
        self._means._backward(dout)
        self._assign()

    def _backward_weighted(self, weights: Any, rows: Any) -> None:
        self._means._backward_weighted(weights, rows)
        self._assign()

    def _read_means(self, ids: Any) -> Embedding:
        """Return a table of the means for the distinct words of `ids`, and set the index of each id in this table."""
        ids = check_ids("ids", ids)
        xp = get_namespace(ids)
        if xp.isdtype(ids.dtype, "unsigned integer"):
            ids = xp.astype(ids, xp.int64)
        words, index = self._distinct(xp.reshape(ids, (-1,)))
        self._words, self._index = words, xp.reshape(index, ids.shape)
        self._means = Embedding(mean_rows(self.params[0], self._starts, self._rows, words, self._longest))
        return self._means

    def _distinct(self, ids: Any) -> tuple[Any, Any]:
        """Return the distinct words of `ids`, and the index of each id among them. Padding has a negative index.

        Where there would be no words, and on a GPU, the words include −1.
        """
        if is_numpy(ids):
            words, index = unique_inverse(ids)
            padding = int(np.searchsorted(words, 0))
            return words[padding:] if padding < len(words) else np.array([-1]), index - padding
        xp = get_namespace(ids)
        N, V, device = ids.shape[0], self._starts.shape[0] - 1, get_device(ids)
        if not N:
            return xp.full((1,), -1, dtype=ids.dtype, device=device), ids
        ascending = xp.sort(ids)
        if V <= N:  # each word has the index of its id
            words = xp.arange(V, dtype=ids.dtype, device=device)
            at = xp.searchsorted(ascending, words)
            found = xp.take(ascending, xp.where(at < N, at, N - 1))
            return xp.where(found == words, words, -1), ids
        first = xp.searchsorted(ascending, ascending)
        words = xp.where(first == xp.arange(N, device=device), ascending, -1)
        return words, xp.where(ids < 0, -1, xp.searchsorted(ascending, ids))

    def _assign(self) -> None:
        """Set the gradient of W, given that of the means."""
        grad, words = self._means.grads[0], self._words
        xp = get_namespace(words)
        sums = (grad.coalesce(in_order=True) if self._in_order and not is_numpy(words) else grad).dense()
        if is_numpy(words):
            some = words[words >= 0]
            sizes = self._starts[some + 1] - self._starts[some]
            ends = np.cumsum(sizes)
            entry = np.repeat(self._starts[some] - ends + sizes, sizes) + np.arange(sizes.sum())
            shares = sizes.astype(sums.dtype)[:, None] ** -self._exponent
            self.grads[0].assign(self._rows[entry], np.repeat(sums[: len(some)] * shares, sizes, axis=0))
            return
        ids = _padded_rows(self._starts, self._rows, words, self._longest)
        sizes = xp.sum(xp.astype(ids >= 0, sums.dtype), axis=1, keepdims=True)
        weights = xp.where(ids >= 0, xp.where(sizes > 0, sizes, 1.0) ** -self._exponent, 0.0)
        self.grads[0].assign_parts([WeightedRows(xp.reshape(ids, (-1,)), sums, xp.reshape(weights, (-1,)))])


def _check_rows(starts: np.ndarray, rows: np.ndarray, n_rows: int) -> int:
    """Raise an error unless `starts` and `rows` are rows of words. Return the largest number of rows of a word."""
    sizes = np.diff(starts)
    if not len(sizes) or starts[0] != 0 or starts[-1] != len(rows) or (sizes < 1).any():
        raise ValueError(
            f"starts has shape {starts.shape}; its numbers must rise from 0 to the number of rows, {len(rows)}, "
            "because each word has a row"
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"rows has numbers from {rows.min()} to {rows.max()}; with this W they must lie in 0..{n_rows - 1}"
        )
    return int(sizes.max())


def mean_rows(W: Any, starts: Any, rows: Any, words: Any, longest: int | None = None) -> Any:
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
    longest : int, optional
        The largest number of rows of a word, which is not used in NumPy. By default, it is read from the device.

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
    if not words.shape[0] or not rows.shape[0]:
        return xp.zeros((words.shape[0], W.shape[1]), dtype=W.dtype, device=get_device(W))
    if longest is None:
        longest = int(xp.max(starts[1:] - starts[:-1]))
    blocks = []
    step = max(1, BLOCK_ROWS // max(longest, 1))
    for first in range(0, words.shape[0], step):
        block = words[first : min(first + step, words.shape[0])]
        ids = _padded_rows(starts, rows, block, longest)
        present = xp.where(block < 0, 0, block)
        size = xp.astype(xp.take(starts, present + 1) - xp.take(starts, present), W.dtype)[:, None]
        blocks.append(weighted_sums(W, ids, xp.where(ids >= 0, 1 / xp.where(size > 0, size, 1.0), 0.0)))
    return xp.concat(blocks)


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
    """Return the mean of the rows of each word without padding, because a single word can have hundreds of rows.

    The rows of a word are added one after the other, so the result for a word does not depend on its block.
    """
    present = np.where(words < 0, 0, words)
    first = starts[present]
    sizes = np.where(words < 0, 0, starts[present + 1] - first)
    means = np.zeros((len(words), W.shape[1]), np.result_type(W, np.float32))

    def taken(entries: Any) -> Any:
        return take_rows(W, rows[entries]).astype(means.dtype, copy=False)

    def compute(start: int, stop: int) -> None:
        some = start + np.flatnonzero(sizes[start:stop])
        some = some[np.argsort(-sizes[some], kind="stable")]  # words with many rows first
        entries, counts = first[some], sizes[some]
        ascending = -counts
        sums = taken(entries)
        with np.errstate(over="ignore", invalid="ignore"):  # the result is infinite or NaN, as in other libraries
            for k in range(1, min(int(counts.max(initial=0)), MANY_ROWS)):
                n = int(np.searchsorted(ascending, -k))  # words with more than k rows
                sums[:n] += taken(entries[:n] + k)
            for i in range(int(np.searchsorted(ascending, -MANY_ROWS))):
                for at in range(entries[i] + MANY_ROWS, entries[i] + counts[i], BLOCK_ENTRIES):
                    block = taken(np.arange(at, min(at + BLOCK_ENTRIES, entries[i] + counts[i])))
                    sums[i] = np.add.accumulate(np.concatenate([sums[i : i + 1], block]))[-1]
            means[some] = sums / counts[:, None].astype(means.dtype)

    share_blocks(compute, len(words), max(1, BLOCK_VALUES // max(1, W.shape[1])))
    return means.astype(W.dtype, copy=False)


def _padded_rows(starts: Any, rows: Any, words: Any, longest: int) -> Any:
    """Return the rows of each word as an array of shape (N, S) for words of at most S rows. −1 is padding."""
    xp = get_namespace(words)
    present = xp.where(words < 0, 0, words)
    first, end = xp.take(starts, present), xp.take(starts, present + 1)
    end = xp.where(words < 0, first, end)
    entry = first[:, None] + xp.arange(max(longest, 1), dtype=first.dtype, device=get_device(words))
    inside = entry < end[:, None]
    found = xp.take(rows, xp.reshape(xp.where(inside, entry, 0), (-1,)))
    return xp.where(inside, xp.reshape(found, entry.shape), -1)
