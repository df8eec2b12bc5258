"""The reference implementation: the schedule of the fused kernels for one worker, composed of layers.

This module specifies the Numba and CUDA kernels, which are tested against it in float32 and float64. Each epoch trains
the chunks of the corpus in a new random order. A chunk is trained from left to right, in tiles of T targets:

* The rows of contexts are *streamed*. They are rows of ``W_in`` for CBOW and of ``W_out`` for skip-gram. A token's row
  is read once, when the token is `reach` tokens ahead of the tile. Its gradients accumulate until the token is
  `reach` tokens behind the tile. Then the row is written once. `reach` is the window, or less if all sentences are
  shorter (`fastw2v.sampling.chunks.window_reach`).
* All other rows, which are those of the targets and of the pool, take a step of SGD after each tile.

The steps of contexts, and of skip-gram's targets, are clipped to the norm `fastw2v.config.MAX_STEP_NORM`.

To simulate one of many workers, the steps of heavily shared rows are scaled down (see `fastw2v.engines.staleness`). The
steps of the pool's rows are scaled when the pool is written back, and all other steps when they are taken.

A frozen row has a maximum rate of 0. It is not written, so it keeps its bytes, even −0.0, to which adding 0.0 gives
0.0. In the pool, it is trained like the other rows until the pool is written back, and then it is restored.

A tile has T targets, or L if L is less, and the pool of its first target. It ends neither where the tokens of this pool
end nor at the end of a sentence, so all tiles of a chunk but the last are full.

The loss is measured on the first tile after a pool has been drawn, because the pool's rows have not been trained on the
text around this tile yet. Writing a pool back and reading it again does not make another tile the first.

With subwords, the input vector of a word is the mean of several rows of ``W_in``, which words share. It is computed
where the row of the word would be read, and a step is added to each of the rows where the row of the word would be
written. The step is not divided by the number of rows, as in fastText, and it is scaled down for each row.

Hierarchical softmax trains the rows of the inner nodes on a target's path instead of the target's own row and a pool.
Each target is trained by itself (T = 1), and its loss is always measured. The contexts are streamed as above; they are
rows of ``W_in`` for skip-gram as well. The inner nodes nearest to the root are on most paths. They are treated like a
pool that is written back after some tokens (`fastw2v.engines.staleness.held_nodes`). With ``loss="hs+ns"``, each chunk
is trained with negative sampling and then with hierarchical softmax.

Each of several workers of a CPU trains the rows that it uses most often in private copies. They are rows of both
tables, which are treated like a pool as well (`fastw2v.engines.staleness.private_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import scatter_add
from fastw2v.config import (
    CHUNK_TOKENS,
    MAX_STEP_NORM,
    SHUFFLE_BLOCK_TOKENS,
    CbowGrad,
    Loss,
    TrainingConfig,
    output_parts,
    output_rows,
)
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.engines.base import ProgressFunction, Tables, TrainingReport, combined_loss
from fastw2v.engines.checks import check_frozen
from fastw2v.engines.staleness import (
    PrivateRows,
    held_nodes,
    max_rates,
    private_nodes,
    private_rows,
    private_tokens,
    tree_max_rates,
)
from fastw2v.nn.layers import (
    ContextMean,
    Embedding,
    EmbeddingDot,
    HierarchicalSoftmaxLoss,
    NegativeSamplingLoss,
    SharedNegativesDot,
    SigmoidWithLoss,
)
from fastw2v.nn.optim import SGD, linear_rate
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.nn.subwords import SubwordEmbedding
from fastw2v.sampling.alias import AliasTable, alias_table, noise_weights
from fastw2v.sampling.batches import window_widths
from fastw2v.sampling.chunks import iter_chunks, window_reach
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.negatives import negative_pools
from fastw2v.sampling.subsampling import keep_threshold, keep_tokens

__all__ = [
    "Chunk",
    "Pool",
    "Stream",
    "SubwordInputs",
    "allocate",
    "cbow_hs",
    "cbow_ns",
    "skipgram_hs",
    "skipgram_ns",
    "train",
    "unavailable_reason",
]


def unavailable_reason(device: str = "cpu") -> str | None:
    """Return why the reference implementation cannot be used on a device, or None on a CPU.

    Parameters
    ----------
    device : str
        "cpu", "cuda" or "cuda:N".

    Examples
    --------
    >>> from fastw2v.engines import reference
    >>> reference.unavailable_reason("cuda")
    'the reference implementation supports only NumPy'
    """
    return None if device == "cpu" else "the reference implementation supports only NumPy"


def allocate(
    shape: tuple[int, int],
    device: str = "cpu",
    loss: Loss = TrainingConfig.loss,
    input_rows: int | None = None,
) -> Tables:
    """Return float32 tables of zeros.

    Parameters
    ----------
    shape : (int, int)
        V and D.
    device : str
        Not used.
    loss : {"ns", "hs", "hs+ns"}
        Determines the number of rows of W_out; see `output_rows`.
    input_rows : int, optional
        Number of rows of W_in, by default V.

    Returns
    -------
    Tables

    Examples
    --------
    >>> from fastw2v.engines import reference
    >>> tables = reference.allocate((1000, 50))
    >>> tables.W_in.shape, tables.W_out.dtype.name
    ((1000, 50), 'float32')
    """
    V, D = shape
    return Tables(np.zeros((input_rows or V, D), np.float32), np.zeros((output_rows(loss, V), D), np.float32))


def train(
    tables: Tables,
    corpus: Corpus,
    config: TrainingConfig,
    *,
    workers: int | None = None,
    concurrency: int = 1,
    pool_sync_interval: int | None = None,
    held: tuple[int, int] | None = None,
    private: bool = False,
    on_progress: ProgressFunction | None = None,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> np.ndarray:
    """Train both tables in place, with the same results as a fused engine with one worker.

    Parameters
    ----------
    tables : Tables
        NumPy arrays of float32 or float64.
    corpus, config, on_progress, frozen, subwords
        See `Engine.train`.
    workers : int, optional
        Not used. There is always one worker.
    concurrency : int
        Number of workers to assume when scaling down the steps of frequent words (see `fastw2v.engines.staleness`). The
        other workers are not simulated.
    pool_sync_interval : int, optional
        Tiles between write-backs of a pool. If None, a pool is kept for all of its tokens.
    held : (int, int), optional
        Number of inner nodes in private copies, and tokens between write-backs of the copies. By default, the numbers
        are those of a CPU (`fastw2v.engines.staleness.held_nodes`).
    private : bool
        Whether the workers train frequent rows in private copies, as on a CPU
        (`fastw2v.engines.staleness.private_rows`).

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per prediction of each epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines import reference
    >>> corpus = Corpus.from_sentences([["the", "cat", "sat"], ["the", "dog", "sat"]] * 50, min_count=1)
    >>> config = TrainingConfig(vector_size=8, epochs=3, sample=0)
    >>> tables = reference.allocate((len(corpus.vocabulary), 8))
    >>> tables.W_in[:] = np.random.default_rng(0).uniform(-1 / 16, 1 / 16, (4, 8))
    >>> losses = reference.train(tables, corpus, config)
    >>> losses.shape, bool(losses[-1] < losses[0])
    ((3,), True)
    """
    W_in, W_out = tables
    ids, offsets, counts = corpus.ids, corpus.offsets, corpus.vocabulary.counts
    check_frozen(frozen, len(counts))
    words, nodes = output_parts(W_out, config.loss)
    keep, weights = keep_threshold(counts, config.sample), noise_weights(counts, config.ns_exponent)
    N, reach = len(ids), window_reach(config.window, offsets)
    workers_and_rows: dict[str, Any] = {
        "concurrency": concurrency if private else 1,
        "frozen": frozen,
        "subwords": subwords,
    }
    tokens = private_tokens(concurrency)
    if words is not None:
        noise = alias_table(weights)
        word_copies = private_rows(counts, keep, weights, config, reach, **workers_and_rows)
        word_rates = max_rates(
            counts,
            keep,
            weights,
            config,
            reach,
            concurrency=concurrency,
            pool_sync_interval=pool_sync_interval,
            frozen=frozen,
            subwords=subwords,
        )
        for max_rate, copies in zip(word_rates, word_copies, strict=True):
            max_rate[copies.rows] = np.inf  # only the updates of the private copies are scaled down
    if nodes is not None:
        tree = HuffmanTree.from_counts(counts)
        node_copies = private_nodes(counts, keep, tree, config, reach, **workers_and_rows)
        node_rates = tree_max_rates(
            counts,
            keep,
            tree,
            config,
            reach,
            concurrency=concurrency,
            held=held,
            frozen=frozen,
            subwords=subwords,
        )
        for max_rate, copies in zip(node_rates, node_copies, strict=True):
            max_rate[copies.rows] = np.inf
    report = TrainingReport(config, N, on_progress)
    for epoch, start, stop, done in iter_chunks(
        offsets, CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, config.seed, config.epochs
    ):
        kept, sentence = _subsample(ids, offsets, np.arange(start, stop), keep, config.seed, epoch)
        width = window_widths(kept, config.window, config.seed, epoch, config.shrink_windows)
        rate = [linear_rate(config.alpha, config.min_alpha, (done + i - start) / (config.epochs * N)) for i in kept]
        chunk = Chunk(ids[kept], kept, sentence, width, reach, rate, epoch)
        results = []
        if words is not None:
            inputs = None if subwords is None else SubwordInputs(W_in, word_rates[0], subwords)
            private_pools = PrivatePools((W_in, words), word_copies, tokens)
            results.append(
                _train_ns(W_in, words, chunk, word_rates, noise, config, pool_sync_interval, inputs, private_pools)
            )
        if nodes is not None:
            held_copies = held or held_nodes(len(counts), concurrency)
            inputs = None if subwords is None else SubwordInputs(W_in, node_rates[0], subwords)
            private_pools = PrivatePools((W_in, nodes), node_copies, tokens)
            results.append(_train_hs(W_in, nodes, chunk, node_rates, tree, config, held_copies, inputs, private_pools))
        loss, predictions = combined_loss(*results)
        report.state.losses[epoch] += loss
        report.state.predictions[epoch] += predictions
        if report.is_due(done + stop - start):
            report.report(report.totals(done + stop - start))
    report.report(report.totals(config.epochs * N))
    return report.state.mean_losses()


class Chunk(NamedTuple):
    """The n tokens of a chunk that subsampling keeps."""

    word: np.ndarray
    position: np.ndarray
    """Index of each token in the corpus."""
    sentence: np.ndarray
    """Number of each token's sentence."""
    width: np.ndarray
    """Width of each token's window."""
    reach: int
    """Largest distance between a target and a context in the corpus."""
    rate: list[float]
    """Learning rate at each token."""
    epoch: int

    def contexts(self, first: int, end: int) -> np.ndarray:
        """Return the positions of the contexts of targets `first` to `end` - 1: shape (T, 2 · reach), −1 is padding.

        Examples
        --------
        A chunk of two sentences. The last target has no context on its right:

        >>> import numpy as np
        >>> from fastw2v.engines.reference import Chunk
        >>> sentence, width = np.array([0, 0, 0, 1, 1]), np.full(5, 2)
        >>> chunk = Chunk(np.arange(5), np.arange(5), sentence, width, reach=2, rate=[0.1] * 5, epoch=0)
        >>> chunk.contexts(1, 3)
        array([[-1,  0,  2, -1],
               [ 0,  1, -1, -1]])
        """
        target = np.arange(first, end)[:, None]
        position = target + np.delete(np.arange(-self.reach, self.reach + 1), self.reach)
        inside = (position >= 0) & (position < len(self.word)) & (np.abs(position - target) <= self.width[target])
        position = np.where(inside, position, 0)
        return np.where(inside & (self.sentence[position] == self.sentence[target]), position, -1)


def _train_ns(
    W_in: np.ndarray,
    W_out: np.ndarray,
    chunk: Chunk,
    max_rates: tuple[np.ndarray, np.ndarray],
    noise: AliasTable,
    config: TrainingConfig,
    pool_sync_interval: int | None,
    inputs: SubwordInputs | None,
    private: PrivatePools,
) -> tuple[float, int]:
    """Train a chunk with negative sampling. Return the summed loss and the number of the measured predictions."""
    max_rate_in, max_rate_out = max_rates
    word, L = chunk.word, config.pool_tokens
    cbow = config.model == "cbow"
    stream = Stream(W_in, max_rate_in, word, inputs) if cbow else Stream(W_out, max_rate_out, word)
    pool = Pool(W_out, max_rate_out)
    tiles_since_sync, pool_index = 0, -1
    total, predictions = 0.0, 0
    for first, end in _tiles(len(word), min(config.tile, L)):
        is_first_tile = chunk.position[first] // L != pool_index
        if is_first_tile or tiles_since_sync == pool_sync_interval:
            pool.write()
            private.exchange(chunk.position[first])
            tiles_since_sync, pool_index = 0, chunk.position[first] // L
            pool.read(negative_pools(np.array([pool_index]), config.pool_size, noise, config.seed, chunk.epoch))
        tiles_since_sync += 1
        pool.rate = private.rate = chunk.rate[first]
        stream.enter(end + chunk.reach)
        context_index = chunk.contexts(first, end)
        if config.model == "cbow":
            loss = cbow_ns(pool, stream, word[first:end], context_index, config.negative, config.cbow_grad)
        else:
            target = word[first:end]
            loss = skipgram_ns(W_in, max_rate_in, pool, stream, target, context_index, config.negative, inputs)
        if is_first_tile:
            total += loss
            predictions += end - first if config.model == "cbow" else int(np.sum(context_index >= 0))
        stream.leave(end - chunk.reach if end < len(word) else end, pool)
    pool.write()
    private.write()
    return total, predictions


def _train_hs(
    W_in: np.ndarray,
    W_nodes: np.ndarray,
    chunk: Chunk,
    max_rates: tuple[np.ndarray, np.ndarray],
    tree: HuffmanTree,
    config: TrainingConfig,
    held: tuple[int, int],
    inputs: SubwordInputs | None,
    private: PrivatePools,
) -> tuple[float, int]:
    """Train a chunk with hierarchical softmax. Return the summed loss and the number of predictions."""
    word = chunk.word
    stream = Stream(W_in, max_rates[0], word, inputs)
    nodes = Pool(W_nodes, max_rates[1])
    held_count, held_tokens = held
    if not max_rates[1].any():  # all rows are frozen, so the loss is measured on the original rows
        held_count = 0
    near_root = np.arange(len(W_nodes) - 1 - held_count, len(W_nodes) - 1)[None]
    loss_layer = HierarchicalSoftmaxLoss(W_nodes, tree)
    group = -1
    total, predictions = 0.0, 0
    for t in range(len(word)):
        if chunk.position[t] // held_tokens != group:
            nodes.write()
            private.exchange(chunk.position[t])
            nodes.read(near_root)
            group = chunk.position[t] // held_tokens
        nodes.rate = private.rate = chunk.rate[t]
        stream.enter(t + 1 + chunk.reach)
        context_index = chunk.contexts(t, t + 1)
        if config.model == "cbow":
            total += cbow_hs(loss_layer, nodes, stream, word[t : t + 1], context_index, config.cbow_grad)
            predictions += 1
        else:
            total += skipgram_hs(loss_layer, nodes, stream, word[t : t + 1], context_index)
            predictions += int(np.sum(context_index >= 0))
        stream.leave(t + 1 - chunk.reach if t + 1 < len(word) else t + 1, nodes)
    nodes.write()
    private.write()
    return total, predictions


class Pool:
    """The pool of negatives that targets share.

    The rows of the pool are trained in place. When the pool is written back, the updates of heavily shared rows are
    multiplied by max_rate / rate.

    Parameters
    ----------
    W : float array, shape (V, D)
        Output rows.
    max_rate : float array, shape (V,)
        For each row, the learning rate above which its updates are scaled down; see
        `fastw2v.engines.staleness.max_rates`.

    Attributes
    ----------
    negatives : integer array, shape (1, P)
        Words of the pool. A word may be repeated.
    words : integer array
        Distinct words of the pool.
    rate : float
        Learning rate.

    Examples
    --------
    At rate 0.2, row 1 takes the whole step of −0.2. Row 0 has a max_rate of 0.1, so half of its step remains:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import Pool
    >>> from fastw2v.nn import RowSparseGradient
    >>> W = np.zeros((2, 1))
    >>> pool = Pool(W, max_rate=np.array([0.1, np.inf]))
    >>> pool.rate = 0.2
    >>> pool.read(np.array([[0, 1]]))
    >>> pool.step([RowSparseGradient(np.array([0, 1]), np.array([[1.0], [1.0]]))])
    >>> W.tolist()
    [[-0.2], [-0.2]]
    >>> pool.write()
    >>> W.tolist()
    [[-0.1], [-0.2]]
    """

    def __init__(self, W: np.ndarray, max_rate: np.ndarray) -> None:
        self.W, self.max_rate = W, max_rate
        self.negatives: np.ndarray = np.empty((1, 0), np.int64)
        self.words: np.ndarray = np.empty(0, np.int64)
        self.damped = self.words
        self.snapshot = W[self.damped]
        self.rate = 0.0

    def read(self, negatives: np.ndarray) -> None:
        """Replace the words of the pool.

        Parameters
        ----------
        negatives : integer array, shape (1, P)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.engines.reference import Pool
        >>> pool = Pool(np.zeros((5, 2)), max_rate=np.full(5, np.inf))
        >>> pool.read(np.array([[3, 1, 3, 0]]))
        >>> pool.words
        array([0, 1, 3])
        """
        self.negatives, self.words = negatives, np.unique(negatives)
        self.damped = self.words[self.max_rate[self.words] < np.inf]
        self.snapshot = self.W[self.damped]

    def write(self) -> None:
        """Scale down the updates that heavily shared rows have received since `read`.

        Examples
        --------
        At rate 0.5, a row with max_rate 0.25 keeps half of its update from 1 to 3:

        >>> import numpy as np
        >>> from fastw2v.engines.reference import Pool
        >>> W = np.array([[1.0]])
        >>> pool = Pool(W, max_rate=np.array([0.25]))
        >>> pool.rate = 0.5
        >>> pool.read(np.array([[0]]))
        >>> W[0] = 3
        >>> pool.write()
        >>> W
        array([[2.]])
        """
        if self.damped.size:
            factor = _damping(self.max_rate[self.damped], self.rate)[:, None].astype(self.snapshot.dtype)
            scaled = self.snapshot + factor * (self.W[self.damped] - self.snapshot)
            self.W[self.damped] = np.where(factor > 0, scaled, self.snapshot)

    def step(self, gradients: list[RowSparseGradient]) -> None:
        """Take a step of SGD.

        Steps of rows outside the pool are scaled down here. Steps of the pool's rows are scaled down by `write`.

        Parameters
        ----------
        gradients : list of RowSparseGradient
            Gradients of W.

        Examples
        --------
        Both rows have max_rate 0.25 at rate 0.5. Row 0 is in the pool, so its step is not scaled down yet:

        >>> import numpy as np
        >>> from fastw2v.engines.reference import Pool
        >>> from fastw2v.nn import RowSparseGradient
        >>> W = np.zeros((2, 1))
        >>> pool = Pool(W, max_rate=np.array([0.25, 0.25]))
        >>> pool.rate = 0.5
        >>> pool.read(np.array([[0]]))
        >>> pool.step([RowSparseGradient(np.array([0, 1]), np.array([[1.0], [1.0]]))])
        >>> W
        array([[-0.5 ],
               [-0.25]])
        """
        for gradient in gradients:
            factor = np.where(np.isin(gradient.ids, self.words), 1, _damping(self.max_rate[gradient.ids], self.rate))
            written = factor > 0
            rows = gradient.rows[written] * factor[written, None].astype(gradient.rows.dtype)
            SGD(self.rate).update([self.W], [RowSparseGradient(gradient.ids[written], rows)])


class PrivatePools:
    """The rows of both tables that each worker trains in a private copy.

    They are trained in place like the rows of a `Pool`, and their updates are scaled down when the copies are written.

    Parameters
    ----------
    tables : (array, array)
        W_in and W_out.
    copies : (PrivateRows, PrivateRows)
        The rows of each table; see `fastw2v.engines.staleness.private_rows`.
    tokens : int
        Number of corpus tokens between two write-backs.

    Attributes
    ----------
    rate : float
        Learning rate.
    group : int
        Number of the tokens for which the copies are held: the position of any of them divided by `tokens`.

    Examples
    --------
    At rate 0.2, a row with max_rate 0.1 keeps half of its update:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import PrivatePools
    >>> from fastw2v.engines.staleness import PrivateRows
    >>> W_in, W_out = np.zeros((2, 1)), np.zeros((2, 1))
    >>> copies = PrivateRows(np.array([0]), np.array([0.1])), PrivateRows(np.array([], int), np.array([]))
    >>> private = PrivatePools((W_in, W_out), copies, tokens=100)
    >>> private.exchange(250)
    >>> W_in[:], private.rate = 1.0, 0.2
    >>> private.exchange(299)
    >>> W_in.tolist()
    [[1.0], [1.0]]
    >>> private.exchange(300)
    >>> W_in.tolist()
    [[0.5], [1.0]]
    """

    def __init__(
        self, tables: tuple[np.ndarray, np.ndarray], copies: tuple[PrivateRows, PrivateRows], tokens: int
    ) -> None:
        self.tokens, self.group, self.rate = tokens, -1, 0.0
        self.pools = []
        for W, (rows, max_rate) in zip(tables, copies, strict=True):
            of_rows = np.full(len(W), np.inf)
            of_rows[rows] = max_rate
            self.pools.append((Pool(W, of_rows), rows[None]))

    def exchange(self, position: int) -> None:
        """Write the copies back and read them again, unless a token belongs to the same tokens as before.

        Parameters
        ----------
        position : int
            Index of a token in the corpus.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.engines.reference import PrivatePools
        >>> from fastw2v.engines.staleness import PrivateRows
        >>> copies = PrivateRows(np.array([0]), np.array([np.inf]))
        >>> private = PrivatePools((np.zeros((2, 1)), np.zeros((2, 1))), (copies, copies), tokens=100)
        >>> private.exchange(250)
        >>> private.group
        2
        """
        if position // self.tokens != self.group:
            self.group = position // self.tokens
            self.write()
            for pool, rows in self.pools:
                pool.read(rows)

    def write(self) -> None:
        """Scale down the updates that the copies have received since they were read.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.engines.reference import PrivatePools
        >>> from fastw2v.engines.staleness import PrivateRows
        >>> W_in, W_out = np.zeros((2, 1)), np.zeros((2, 1))
        >>> copies = PrivateRows(np.array([0]), np.array([0.1]))
        >>> private = PrivatePools((W_in, W_out), (copies, copies), tokens=100)
        >>> private.exchange(0)
        >>> W_out[:], private.rate = 1.0, 0.4
        >>> private.write()
        >>> W_out.tolist()
        [[0.25], [1.0]]
        """
        for pool, _ in self.pools:
            pool.rate = self.rate
            pool.write()


class SubwordInputs:
    """The input vectors of words with subwords, each of which is the mean of rows of W_in.

    Parameters
    ----------
    W : float array, shape (R, D)
        The table W_in, whose rows belong to words and n-grams.
    max_rate : float array, shape (R,)
        For each row, the learning rate above which its steps are scaled down.
    subwords : Subwords

    Examples
    --------
    The words "ab" and "cb" share the n-gram "b>". A step of "ab" is added to each of its four rows:

    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.engines.reference import SubwordInputs
    >>> subwords = Subwords(["ab", "cb"], NGrams(min_n=2, max_n=2, bucket=1000))
    >>> W = np.zeros((subwords.n_rows, 1))
    >>> inputs = SubwordInputs(W, np.full(len(W), np.inf), subwords)
    >>> inputs.add(np.array([0]), np.array([[0.5]]), rate=0.1)
    >>> inputs.read(np.array([0, 1])).tolist()
    [[0.5], [0.125]]
    """

    def __init__(self, W: np.ndarray, max_rate: np.ndarray, subwords: Subwords) -> None:
        self.W, self.max_rate, self.subwords = W, max_rate, subwords
        self.layer = SubwordEmbedding(W, subwords.starts, subwords.rows)

    def read(self, word: np.ndarray) -> np.ndarray:
        """Return the current input vectors of words.

        Parameters
        ----------
        word : integer array, shape (n,)

        Returns
        -------
        float array, shape (n, D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> from fastw2v.engines.reference import SubwordInputs
        >>> subwords = Subwords(["a"], NGrams(min_n=2, max_n=2, bucket=1000))  # with the n-grams "<a" and "a>"
        >>> inputs = SubwordInputs(np.array([[1.0], [2.0], [6.0]]), np.full(3, np.inf), subwords)
        >>> inputs.read(np.array([0]))
        array([[3.]])
        """
        return self.layer.forward(word)

    def add(self, word: np.ndarray, steps: np.ndarray, rate: float) -> None:
        """Add a step to each row of each word, scaled down for each row.

        The step is not divided by the number of rows, as in fastText.

        Parameters
        ----------
        word : integer array, shape (n,)
        steps : float array, shape (n, D)
        rate : float
            Learning rate.

        Examples
        --------
        Row 2 has a maximum rate of 0.05, so it takes half of the step at rate 0.1:

        >>> import numpy as np
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> from fastw2v.engines.reference import SubwordInputs
        >>> subwords = Subwords(["a"], NGrams(min_n=2, max_n=2, bucket=1000))
        >>> W = np.zeros((3, 1))
        >>> inputs = SubwordInputs(W, np.array([np.inf, np.inf, 0.05]), subwords)
        >>> inputs.add(np.array([0]), np.array([[1.0]]), rate=0.1)
        >>> W.tolist()
        [[1.0], [1.0], [0.5]]
        """
        for w, step in zip(map(int, word), steps, strict=True):
            rows = self.subwords.rows_of_word(w)
            _add_scaled(self.W, rows, np.repeat(step[None], len(rows), axis=0), _damping(self.max_rate[rows], rate))


class Stream:
    """The context rows of a chunk, each of which is read once, and written once with its accumulated steps.

    Parameters
    ----------
    W : float array, shape (V, D)
        Table of the contexts.
    max_rate : float array, shape (V,)
        For each row, the learning rate above which its steps are scaled down; see
        `fastw2v.engines.staleness.max_rates`.
    word : integer array, shape (n,)
        Words of the chunk, in order.
    inputs : SubwordInputs, optional
        The vectors to read and write instead of the rows of W.

    Attributes
    ----------
    held : float array, shape (n, D)
        The row of each token, as read by `enter`.
    steps : float array, shape (n, D)
        The accumulated steps of each token's row.

    Examples
    --------
    Word 0 occurs twice. Each occurrence accumulates its own step, and the table changes when the tokens leave:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import Pool, Stream
    >>> from fastw2v.nn import RowSparseGradient
    >>> W, max_rate = np.zeros((2, 1)), np.full(2, np.inf)
    >>> stream = Stream(W, max_rate, word=np.array([0, 1, 0]))
    >>> stream.enter(3)
    >>> stream.step(RowSparseGradient(np.array([0, 2]), np.array([[1.0], [2.0]])), rate=0.5)
    >>> stream.steps.tolist(), W.tolist()
    ([[-0.5], [0.0], [-1.0]], [[0.0], [0.0]])
    >>> stream.leave(3, Pool(np.zeros((2, 1)), max_rate))
    >>> W.tolist()
    [[-1.5], [0.0]]
    """

    def __init__(
        self, W: np.ndarray, max_rate: np.ndarray, word: np.ndarray, inputs: SubwordInputs | None = None
    ) -> None:
        self.W, self.max_rate = W, max_rate
        self.word = word
        self.inputs = inputs
        self.held = np.zeros((len(word), W.shape[1]), W.dtype)
        self.steps = np.zeros_like(self.held)
        self.entered = self.left = 0

    def enter(self, end: int) -> None:
        """Read the rows of the tokens before `end` that have not been read yet.

        Parameters
        ----------
        end : int
            Position in the chunk.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.engines.reference import Stream
        >>> stream = Stream(np.array([[5.0], [7.0]]), np.full(2, np.inf), word=np.array([1, 0, 1]))
        >>> stream.enter(2)
        >>> stream.held
        array([[7.],
               [5.],
               [0.]])
        """
        word = self.word[self.entered : end]
        if len(word):
            self.held[self.entered : end] = self.W[word] if self.inputs is None else self.inputs.read(word)
        self.entered = max(self.entered, end)

    def step(self, gradient: Any, rate: float) -> None:
        """Accumulate a step of SGD.

        Parameters
        ----------
        gradient : RowSparseGradient
            Gradient of `held`, whose ids are positions in the chunk.
        rate : float
            Learning rate.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.engines.reference import Stream
        >>> from fastw2v.nn import RowSparseGradient
        >>> stream = Stream(np.zeros((2, 1)), np.full(2, np.inf), word=np.array([1, 0, 1]))
        >>> for _ in range(2):
        ...     stream.step(RowSparseGradient(np.array([2]), np.array([[1.0]])), rate=0.5)
        >>> stream.steps
        array([[ 0.],
               [ 0.],
               [-1.]])
        """
        SGD(rate).update([self.steps], [gradient])

    def leave(self, end: int, pool: Pool) -> None:
        """Add the steps of the tokens before `end` to the table, clipped and scaled.

        Parameters
        ----------
        end : int
            Position in the chunk.
        pool : Pool
            The current pool, which supplies the learning rate. If the pool belongs to the same table, the steps of its
            words are not scaled down here, because `Pool.write` scales them down.

        Examples
        --------
        A step of norm 3 is clipped to norm 1.6:

        >>> import numpy as np
        >>> from fastw2v.engines.reference import Pool, Stream
        >>> from fastw2v.nn import RowSparseGradient
        >>> W, max_rate = np.zeros((2, 1)), np.full(2, np.inf)
        >>> stream = Stream(W, max_rate, word=np.array([0, 1]))
        >>> stream.step(RowSparseGradient(np.array([0, 1]), np.array([[-3.0], [-1.0]])), rate=1.0)
        >>> stream.leave(2, Pool(np.zeros((2, 1)), max_rate))
        >>> W
        array([[1.6],
               [1. ]])
        """
        if end > self.left:
            word, steps = self.word[self.left : end], self.steps[self.left : end]
            self.left = end
            if self.inputs is not None:
                self.inputs.add(word, clip_step(steps), pool.rate)
                return
            factor = _damping(self.max_rate[word], pool.rate)
            if pool.W is self.W:
                factor = np.where(np.isin(word, pool.words), 1, factor)
            _add_scaled(self.W, word, clip_step(steps), factor)


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
        Pool of rows of W_out.
    stream : Stream
        Stream of rows of W_in.
    target : integer array, shape (T,)
        Words.
    context_index : integer array, shape (T, C)
        Positions of each target's contexts in the stream. −1 is padding.
    negative : int
        Negatives per positive.
    cbow_grad : {"mean", "balanced", "sum"}

    Returns
    -------
    float
        Loss, summed over the targets of the tile.

    Examples
    --------
    Train word 1 of the chunk 0 1 2, with word 0 as the negative. The context mean is h = 2 and all scores are 0, so
    the loss is 2 · log 2 = 1.3863. At rate 0.5, the steps of W_out are 0.5 · h / 2 and −0.5 · h / 2:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import Pool, Stream, cbow_ns
    >>> W_in, W_out, max_rate = np.array([[1.0], [0.0], [3.0]]), np.zeros((3, 1)), np.full(3, np.inf)
    >>> pool, stream = Pool(W_out, max_rate), Stream(W_in, max_rate, word=np.array([0, 1, 2]))
    >>> pool.rate = 0.5
    >>> pool.read(np.array([[0]]))
    >>> stream.enter(3)
    >>> round(cbow_ns(pool, stream, np.array([1]), np.array([[0, 2]]), negative=1, cbow_grad="mean"), 4)
    1.3863
    >>> W_out.tolist()
    [[-0.5], [0.5], [0.0]]
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
    inputs: SubwordInputs | None = None,
) -> float:
    """Train one tile of skip-gram.

    Parameters
    ----------
    W_in : float array, shape (V, D)
        Input rows, which are changed in place.
    max_rate : float array, shape (V,)
        For each row of W_in, the learning rate above which its steps are scaled down.
    pool : Pool
        Pool of rows of W_out.
    stream : Stream
        Stream of rows of W_out.
    target, context_index, negative
        See `cbow_ns`.
    inputs : SubwordInputs, optional
        The input vectors to read and write instead of the rows of W_in.

    Returns
    -------
    float
        Loss, summed over the targets of the tile.

    Examples
    --------
    Train word 1 of the chunk 0 1 2, with word 3 as the negative. All scores are 0 and the negative has weight 2, one
    for each context, so the loss is 4 · log 2 = 2.7726:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import Pool, Stream, skipgram_ns
    >>> W_in, W_out, max_rate = np.ones((4, 1)), np.zeros((4, 1)), np.full(4, np.inf)
    >>> pool, stream = Pool(W_out, max_rate), Stream(W_out, max_rate, word=np.array([0, 1, 2]))
    >>> pool.rate = 0.5
    >>> pool.read(np.array([[3]]))
    >>> stream.enter(3)
    >>> round(skipgram_ns(W_in, max_rate, pool, stream, np.array([1]), np.array([[0, 2]]), negative=1), 4)
    2.7726
    >>> stream.steps.tolist(), W_out[3].tolist()  # 0.5 · h / 2 for each context, −0.5 · 2 · h / 2 for the negative
    ([[0.25], [0.0], [0.25]], [-0.5])
    """
    table, ids = (W_in, target) if inputs is None else (inputs.read(target), np.arange(len(target)))
    rows, positive, noise = Embedding(table), EmbeddingDot(stream.held), SharedNegativesDot(pool.W)
    positive_loss, noise_loss = SigmoidWithLoss(), SigmoidWithLoss()
    h = rows.forward(ids)
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
    steps = -pool.rate * rows.grads[0].rows
    if inputs is None:
        _add_scaled(W_in, target, clip_step(steps), _damping(max_rate[target], pool.rate))
    else:
        inputs.add(target, clip_step(steps), pool.rate)
    return float(loss)


def cbow_hs(
    loss_layer: HierarchicalSoftmaxLoss,
    nodes: Pool,
    stream: Stream,
    target: np.ndarray,
    context_index: np.ndarray,
    cbow_grad: CbowGrad,
) -> float:
    """Train targets of CBOW with hierarchical softmax.

    Parameters
    ----------
    loss_layer : HierarchicalSoftmaxLoss
        Layer of the rows of the inner nodes.
    nodes : Pool
        The inner nodes near the root, as a pool of these rows.
    stream : Stream
        Stream of rows of W_in.
    target, context_index, cbow_grad
        See `cbow_ns`.

    Returns
    -------
    float
        Loss, summed over the targets.

    Examples
    --------
    Train word 0 of the chunk 1 0 2. Its path is the root, node 1. The context mean is h = 2 and the score is 0, so the
    loss is log 2 = 0.6931. The code is 1, so the step of the root at rate 0.5 is −0.5 · h / 2:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import Pool, Stream, cbow_hs
    >>> from fastw2v.nn import HierarchicalSoftmaxLoss
    >>> W_in, W_nodes, max_rate = np.array([[0.0], [1.0], [3.0]]), np.zeros((3, 1)), np.full(3, np.inf)
    >>> nodes, stream = Pool(W_nodes, max_rate), Stream(W_in, max_rate, word=np.array([1, 0, 2]))
    >>> nodes.rate = 0.5
    >>> stream.enter(3)
    >>> layer = HierarchicalSoftmaxLoss(W_nodes, counts=np.array([5, 2, 1]))
    >>> round(cbow_hs(layer, nodes, stream, np.array([0]), np.array([[0, 2]]), cbow_grad="mean"), 4)
    0.6931
    >>> W_nodes.tolist()
    [[0.0], [-0.5], [0.0]]
    """
    rows, mean = Embedding(stream.held), ContextMean(cbow_grad)
    h = mean.forward(rows.forward(context_index), context_index >= 0)
    loss = loss_layer.forward(h, target)
    dh = loss_layer.backward(len(target))
    rows.backward(mean.backward(dh))
    stream.step(rows.grads[0], nodes.rate)
    nodes.step(loss_layer.grads)
    return float(loss) * len(target)


def skipgram_hs(
    loss_layer: HierarchicalSoftmaxLoss, nodes: Pool, stream: Stream, target: np.ndarray, context_index: np.ndarray
) -> float:
    """Train targets of skip-gram with hierarchical softmax.

    Each context predicts the target, as in word2vec.c, so that the rows of a path serve all contexts. A window contains
    the same pairs in both directions.

    Parameters
    ----------
    loss_layer, nodes, stream, target, context_index
        See `cbow_hs`.

    Returns
    -------
    float
        Loss, summed over the pairs of a target and a context.

    Examples
    --------
    Train word 0 of the chunk 1 0 2. Its path is the root, node 1. Both scores are 0, so the loss is
    2 · log 2 = 1.3863. The code is 1, so the step of the root at rate 0.5 is −0.5 · (1 + 3) / 2:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import Pool, Stream, skipgram_hs
    >>> from fastw2v.nn import HierarchicalSoftmaxLoss
    >>> W_in, W_nodes, max_rate = np.array([[0.0], [1.0], [3.0]]), np.zeros((3, 1)), np.full(3, np.inf)
    >>> nodes, stream = Pool(W_nodes, max_rate), Stream(W_in, max_rate, word=np.array([1, 0, 2]))
    >>> nodes.rate = 0.5
    >>> stream.enter(3)
    >>> layer = HierarchicalSoftmaxLoss(W_nodes, counts=np.array([5, 2, 1]))
    >>> round(skipgram_hs(layer, nodes, stream, np.array([0]), np.array([[0, 2]])), 4)
    1.3863
    >>> W_nodes.tolist()
    [[0.0], [-1.0], [0.0]]
    """
    rows = Embedding(stream.held)
    loss = loss_layer.forward(rows.forward(context_index), target, context_index >= 0)
    rows.backward(loss_layer.backward(len(target)))
    stream.step(rows.grads[0], nodes.rate)
    nodes.step(loss_layer.grads)
    return float(loss) * len(target)


def clip_step(steps: np.ndarray) -> np.ndarray:
    """Return the steps of rows, each clipped to a norm of at most `fastw2v.config.MAX_STEP_NORM`.

    Parameters
    ----------
    steps : float array, shape (N, D)

    Returns
    -------
    float array, shape (N, D)

    Examples
    --------
    The first step has norm 5 and is clipped to norm 1.6:

    >>> import numpy as np
    >>> from fastw2v.engines.reference import clip_step
    >>> clip_step(np.array([[3.0, 4.0], [0.3, 0.4]])).round(3)
    array([[0.96, 1.28],
           [0.3 , 0.4 ]])
    """
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return steps * (MAX_STEP_NORM / np.maximum(length, MAX_STEP_NORM)).astype(steps.dtype)


def _damping(max_rate: np.ndarray, rate: float) -> np.ndarray:
    """Return the factors that scale down steps at a learning rate above `max_rate`."""
    return np.minimum(1, max_rate / rate) if rate > 0 else (max_rate > 0).astype(float)


def _add_scaled(W: np.ndarray, ids: np.ndarray, steps: np.ndarray, factor: np.ndarray) -> None:
    """Multiply each step by its factor and add it to its row of W. Rows with a factor of 0 are not written."""
    written = factor > 0
    scatter_add(W, ids[written], steps[written] * factor[written, None].astype(steps.dtype))


def _subsample(
    ids: np.ndarray, offsets: np.ndarray, token: np.ndarray, keep: np.ndarray, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens that subsampling keeps, except those left alone in their sentence, and the sentence of each."""
    token = token[keep_tokens(ids[token], token, keep, seed, epoch)]
    sentence = np.searchsorted(offsets, token, side="right")
    sentence_sizes = np.bincount(sentence)[sentence] if len(token) else sentence
    return token[sentence_sizes > 1], sentence[sentence_sizes > 1]


def _tiles(n: int, tile: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of tiles of `tile` targets, of which the last one may be shorter. n is the number of targets."""
    for first in range(0, n, tile):
        yield first, min(first + tile, n)
