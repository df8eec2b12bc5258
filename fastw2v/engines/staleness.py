"""Damping of stale updates: the steps of a row are limited when many workers train at the same time.

Workers do not see each other's updates of a row until the row is written. If n workers update a row at the same time,
all from the same old values, their steps add up to n times the step. The curvature of the logistic loss is at most
|h|² / 4, so more than 8 / (rate · |h|²) concurrent updates diverge. On a GPU with hundreds of blocks, this affects
about a hundred frequent words. On a CPU with many threads, it affects words that are in several pools at the same time.
The rows of these words receive more updates than they need, so their steps can be scaled down. `docs/concepts/gpu.md`
has the measurements.
"""

from __future__ import annotations

import numpy as np

from fastw2v.config import HELD_TOKENS, TrainingConfig, cbow_grad_exponent
from fastw2v.corpus.subwords import Subwords
from fastw2v.sampling.huffman import HuffmanTree

__all__ = ["MAX_STALENESS", "held_nodes", "max_rates", "rows_of", "tree_max_rates"]

MAX_STALENESS = 2.0
"""Product of the learning rate and a row's concurrent updates above which the steps of the row are scaled down."""


def max_rates(
    counts: np.ndarray,
    keep: np.ndarray,
    noise: np.ndarray,
    config: TrainingConfig,
    reach: int,
    *,
    concurrency: int,
    pool_sync_interval: int | None = None,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each row, the learning rate above which its steps are scaled down.

    At a higher rate, a step of the row is multiplied by max_rate / rate.

    Parameters
    ----------
    counts : integer array, shape (V,)
        Counts of the words.
    keep : uint64 array, shape (V,)
        Subsampling thresholds of the words.
    noise : float array, shape (V,)
        Weights of the words in the noise distribution.
    config : TrainingConfig
    reach : int
        Largest distance between a target and a context (`fastw2v.sampling.chunks.window_reach`).
    concurrency : int
        Number of workers that train at the same time.
    pool_sync_interval : int, optional
        Tiles between write-backs of a pool. If None, a pool is written after all of its tokens have been trained.
    frozen : bool array, shape (V,), optional
        Words whose rows are never written.
    subwords : Subwords, optional
        The rows of W_in of each word, if there are several.

    Returns
    -------
    W_in, W_out : float64 array, shape (V,)
        The learning rates for the rows of each table. With subwords, W_in has R rows. The rates are infinite if
        there is a single worker, and for rows that are never updated. They are 0 for frozen rows, and an engine does
        not write a row whose maximum rate is 0.

    Notes
    -----
    A worker delays its updates of a streamed row for the tokens of twice the reach and a tile, its updates of a
    target's own row for a tile, and its updates of a pool's row until the pool is written. A pool's row may converge
    within this time. Its step is therefore scaled by at least 1 / n, where n is the expected number of workers that
    have the row in their pool. A factor of 1 / n averages the results of these workers.

    With subwords, the steps of all words that share a row count.

    Examples
    --------
    With 64 workers, the steps of the frequent word 0 are scaled down at learning rate 0.2. Word 1 is too rare:

    >>> import numpy as np
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.staleness import max_rates
    >>> counts, keep = np.array([10_000, 100, *[10] * 20_000]), np.full(20_002, 1 << 32, np.uint64)
    >>> W_in, W_out = max_rates(counts, keep, counts**0.75, TrainingConfig(), reach=5, concurrency=64)
    >>> (W_in[:2] < 0.2).tolist()
    [True, False]
    """
    V = len(counts)
    W_in, W_out = np.full(V if subwords is None else subwords.n_rows, np.inf), np.full(V, np.inf)
    if concurrency > 1:
        negative, tile = config.negative, config.tile
        kept = counts * (keep / 2.0**32)
        share = kept / max(kept.sum(), 1)
        drawn = noise / noise.sum()
        contexts, probability = _context_numbers(config, reach)
        delay = 2 * reach + tile
        held = config.pool_tokens * float(kept.sum() / max(counts.sum(), 1))  # targets between two writes of a pool
        held = held if pool_sync_interval is None else min(pool_sync_interval * tile, held)
        if config.model == "cbow":
            exponent = cbow_grad_exponent(config.cbow_grad)
            W_in = delay * float(probability @ contexts ** (1 - exponent)) * share
            W_out = tile * share
            pooled = held * negative * drawn
        else:
            positives = float(probability @ contexts)
            W_in, W_out = tile * positives * share, delay * positives * share
            pooled = held * negative * positives * drawn
        holding = 1 - (1 - drawn) ** config.pool_size
        W_out = W_out + np.minimum(pooled, MAX_STALENESS * holding / max(config.alpha, 1e-30))
        if subwords is not None:
            W_in = np.bincount(subwords.rows, np.repeat(W_in, np.diff(subwords.starts)), subwords.n_rows)
        with np.errstate(divide="ignore"):
            W_in, W_out = MAX_STALENESS / (concurrency * W_in), MAX_STALENESS / (concurrency * W_out)
    if frozen is not None:
        W_in[rows_of(frozen, subwords)] = W_out[frozen] = 0
    return W_in, W_out


def held_nodes(V: int, concurrency: int) -> tuple[int, int]:
    """Return how many inner nodes near the root a worker trains in a private copy, and for how many tokens.

    Private copies avoid that processors wait for each other. With more workers, the copies are written back more often,
    because they drift apart (`docs/notebook/kernels.md`).

    Parameters
    ----------
    V : int
        Number of words.
    concurrency : int
        Number of workers that train at the same time.

    Returns
    -------
    nodes, tokens : int

    Examples
    --------
    >>> from fastw2v.engines.staleness import held_nodes
    >>> [held_nodes(V=100_000, concurrency=workers) for workers in (1, 2, 16, 128)]
    [(512, 2048), (256, 1024), (32, 128), (16, 64)]
    """
    tokens = max(HELD_TOKENS // concurrency, 64)
    return min(tokens // 4, max(V - 1, 0)), tokens


def tree_max_rates(
    counts: np.ndarray,
    keep: np.ndarray,
    tree: HuffmanTree,
    config: TrainingConfig,
    reach: int,
    *,
    concurrency: int,
    held: tuple[int, int] | None = None,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same as `max_rates` for hierarchical softmax.

    Parameters
    ----------
    counts, keep, config, reach, concurrency, frozen, subwords
        See `max_rates`.
    tree : HuffmanTree
    held : (int, int), optional
        Number of inner nodes in private copies, and tokens between write-backs of the copies. By default, the numbers
        are those of a CPU (`held_nodes`), and other nodes are not scaled. They are so rarely on the paths of a CPU's
        workers that their updates are not stale.

    Returns
    -------
    W_in, W_nodes : float64 array, shape (V,)
        Inner nodes are not words, so they are frozen only if all words are.

    Notes
    -----
    A worker delays its updates of a streamed row for the tokens of twice the reach and a target. It updates an inner
    node at once, or, if the node is near the root, when its private copy is written. All workers hold copies of the
    same nodes, so the updates of these nodes are scaled by at least 1 / concurrency.

    Examples
    --------
    With 64 workers, the steps of the root are scaled down at learning rate 0.05:

    >>> import numpy as np
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.staleness import tree_max_rates
    >>> from fastw2v.sampling.huffman import HuffmanTree
    >>> counts, keep = np.full(20_000, 10), np.full(20_000, 1 << 32, np.uint64)
    >>> tree = HuffmanTree.from_counts(counts)
    >>> W_in, W_nodes = tree_max_rates(counts, keep, tree, TrainingConfig(loss="hs"), reach=5, concurrency=64)
    >>> bool(W_nodes[0] < 0.05), bool(W_nodes[len(counts) - 2] < 0.05)
    (False, True)
    """
    V = len(counts)
    W_in, W_nodes = np.full(V if subwords is None else subwords.n_rows, np.inf), np.full(V, np.inf)
    if concurrency > 1:
        kept = counts * (keep / 2.0**32)
        share = kept / max(kept.sum(), 1)
        contexts, probability = _context_numbers(config, reach)
        predictions = 1.0 if config.model == "cbow" else float(probability @ contexts)
        exponent = cbow_grad_exponent(config.cbow_grad) if config.model == "cbow" else 0.0
        W_in = (2 * reach + 1) * float(probability @ contexts ** (1 - exponent)) * share
        nodes, tokens = held or held_nodes(V, concurrency)
        targets = tokens * float(kept.sum() / max(counts.sum(), 1))  # between two writes of the private copies
        W_nodes = predictions * np.append(tree.node_counts(share), 0)
        near = slice(V - 1 - nodes, V - 1)
        W_nodes[near] = np.minimum(max(targets, 1) * W_nodes[near], MAX_STALENESS / max(config.alpha, 1e-30))
        if held is None:
            W_nodes[: V - 1 - nodes] = 0
        if subwords is not None:
            W_in = np.bincount(subwords.rows, np.repeat(W_in, np.diff(subwords.starts)), subwords.n_rows)
        with np.errstate(divide="ignore"):
            W_in, W_nodes = MAX_STALENESS / (concurrency * W_in), MAX_STALENESS / (concurrency * W_nodes)
    if frozen is not None:
        W_in[rows_of(frozen, subwords)] = 0
        if frozen.all():
            W_nodes[:] = 0
    return W_in, W_nodes


def rows_of(frozen: np.ndarray, subwords: Subwords | None) -> np.ndarray:
    """Return which rows of W_in belong to words that are frozen.

    Parameters
    ----------
    frozen : bool array, shape (V,)
    subwords : Subwords, optional
        The rows of W_in of each word, if there are several.

    Returns
    -------
    bool array, shape (R,)

    Examples
    --------
    The words "ab" and "cb" share the n-gram "b>", which is in row 4:

    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.engines.staleness import rows_of
    >>> subwords = Subwords(["ab", "cb"], NGrams(min_n=2, max_n=2, bucket=1000))
    >>> rows_of(np.array([True, False]), subwords).nonzero()[0].tolist()
    [0, 2, 3, 4]
    """
    if subwords is None:
        return frozen
    rows = np.zeros(subwords.n_rows, bool)
    rows[subwords.rows[np.repeat(frozen, np.diff(subwords.starts))]] = True
    return rows


def _context_numbers(config: TrainingConfig, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the possible numbers of contexts and their probabilities. Wide windows have as many as the reach."""
    contexts = 2.0 * np.arange(1, reach + 1)
    probability = np.full(reach, 1 / config.window if config.shrink_windows else 0.0)
    probability[-1] = 1 - probability[:-1].sum()
    return contexts, probability
