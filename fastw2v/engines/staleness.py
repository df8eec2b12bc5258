"""Damping of stale updates: the steps of a row are limited when many workers train at the same time.

Workers do not see each other's updates of a row until the row is written. If n workers update a row at the same time,
all from the same old values, their steps add up to n times the step. The curvature of the logistic loss is at most
|h|² / 4, so more than 8 / (rate · |h|²) concurrent updates diverge. On a GPU with hundreds of blocks, this affects
about a hundred frequent words. On a CPU with many threads, it affects words that are in several pools at the same time.
The rows of these words receive more updates than they need, so their steps can be scaled down. `docs/concepts/gpu.md`
has the measurements.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastw2v.config import HELD_TOKENS, PRIVATE_TOKENS, TrainingConfig, cbow_grad_exponent
from fastw2v.corpus.subwords import Subwords
from fastw2v.sampling.huffman import HuffmanTree

__all__ = [
    "MAX_PRIVATE_ROWS",
    "MAX_STALENESS",
    "MIN_TOKENS",
    "MIN_USES",
    "PRIVATE_STALENESS",
    "PrivateRows",
    "held_nodes",
    "max_rates",
    "private_nodes",
    "private_rows",
    "private_tokens",
    "rows_of",
    "tree_max_rates",
]

MAX_STALENESS = 2.0
"""Product of the learning rate and a row's concurrent updates above which the steps of the row are scaled down."""
PRIVATE_STALENESS = 8.0
"""The same for the rows that workers train in private copies. Each worker sees its own updates of such a row at once,
so more of them can be added up."""
MAX_PRIVATE_ROWS = 4096
"""Maximum number of rows of a table that a worker copies."""
MIN_TOKENS = 100_000
"""Number of tokens that the vocabulary counts from which rows are copied. In the first epoch of a smaller corpus, the
loss would fall more slowly."""
MIN_USES = 4
"""Expected number of uses of a row between two write-backs of its private copy from which a copy pays off."""


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
        drawn = noise / noise.sum()
        held = config.pool_tokens * _kept_share(counts, keep)  # targets between two writes of a pool
        held = held if pool_sync_interval is None else min(pool_sync_interval * config.tile, held)
        W_in, positive, negative = _updates(counts, keep, drawn, config, reach)
        streamed, target = 2 * reach + config.tile, config.tile
        W_in *= streamed if config.model == "cbow" else target
        W_out = positive * (target if config.model == "cbow" else streamed)
        holding = 1 - (1 - drawn) ** config.pool_size
        W_out = W_out + np.minimum(held * negative, MAX_STALENESS * holding / max(config.alpha, 1e-30))
        W_in = _of_rows(W_in, subwords)
        with np.errstate(divide="ignore"):
            W_in, W_out = MAX_STALENESS / (concurrency * W_in), MAX_STALENESS / (concurrency * W_out)
    if frozen is not None:
        W_in[rows_of(frozen, subwords)] = W_out[frozen] = 0
    return W_in, W_out


class PrivateRows(NamedTuple):
    """Rows of a table that each worker trains in a private copy.

    Otherwise, the rows would move between the caches of the processors. A worker's updates are added to the table when
    its copies are written back.
    """

    rows: np.ndarray
    """int64 array, shape (n,): row numbers, in ascending order."""
    max_rate: np.ndarray
    """float64 array, shape (n,): for each row, the learning rate above which its updates are scaled down."""


def private_tokens(concurrency: int) -> int:
    """Return after how many tokens of the corpus a worker writes its private copies back.

    All workers together train `PRIVATE_TOKENS` tokens in this time, so that the copies of many workers do not drift
    apart. At the end of a chunk, they are always written.

    Examples
    --------
    >>> from fastw2v.engines.staleness import private_tokens
    >>> [private_tokens(workers) for workers in (2, 16, 128)]
    [4096, 512, 64]
    """
    return max(PRIVATE_TOKENS // concurrency, 1)


def private_rows(
    counts: np.ndarray,
    keep: np.ndarray,
    noise: np.ndarray,
    config: TrainingConfig,
    reach: int,
    *,
    concurrency: int,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> tuple[PrivateRows, PrivateRows]:
    """Return the rows that the workers of a CPU train in private copies, with negative sampling.

    These are the rows that a worker uses at least `MIN_USES` times between two write-backs, on average. A row that is
    used less often moves between the processors as often with a copy as without.

    Parameters
    ----------
    counts, keep, noise, config, reach, concurrency, frozen, subwords
        See `max_rates`.

    Returns
    -------
    W_in, W_out : PrivateRows
        Rows of each table. They are empty for a single worker, for a small corpus and if words are frozen. Without
        subwords, they are those of the first words of the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.staleness import private_rows
    >>> counts, keep = np.array([10_000, 100, *[10] * 20_000]), np.full(20_002, 1 << 32, np.uint64)
    >>> W_in, W_out = private_rows(counts, keep, counts**0.75, TrainingConfig(), reach=5, concurrency=2)
    >>> W_in.rows.tolist(), W_out.rows.tolist()
    ([0], [0])
    """
    drawn = noise / noise.sum()
    concurrency = concurrency if counts.sum() >= MIN_TOKENS else 1
    share = _kept_share(counts, keep) * _share(counts, keep)
    in_updates, positive, negative = _updates(counts, keep, drawn, config, reach)
    output_uses = share + drawn * config.pool_size / config.pool_tokens
    rows = np.arange(_leading(output_uses, concurrency, frozen))
    targets = _targets(counts, keep, concurrency)
    return (
        _private_inputs(share, targets * in_updates, config, concurrency, frozen, subwords),
        PrivateRows(rows, _private_rates(targets * (positive + negative)[rows], config, concurrency)),
    )


def private_nodes(
    counts: np.ndarray,
    keep: np.ndarray,
    tree: HuffmanTree,
    config: TrainingConfig,
    reach: int,
    *,
    concurrency: int,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> tuple[PrivateRows, PrivateRows]:
    """Return the same as `private_rows` for hierarchical softmax.

    Parameters
    ----------
    counts, keep, tree, config, reach, concurrency, frozen, subwords
        See `tree_max_rates`.

    Returns
    -------
    W_in, W_nodes : PrivateRows
        The inner nodes are those right below the `held_nodes`, which are written back more often.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.staleness import held_nodes, private_nodes
    >>> from fastw2v.sampling.huffman import HuffmanTree
    >>> counts, keep = np.full(20_000, 10), np.full(20_000, 1 << 32, np.uint64)
    >>> tree, config = HuffmanTree.from_counts(counts), TrainingConfig(loss="hs")
    >>> _, W_nodes = private_nodes(counts, keep, tree, config, reach=5, concurrency=2)
    >>> held = held_nodes(len(counts), concurrency=2)[0]
    >>> len(W_nodes.rows) > 100, int(W_nodes.rows[-1]) == len(counts) - 2 - held
    (True, True)
    """
    V, share = len(counts), _kept_share(counts, keep) * _share(counts, keep)
    per_occurrence, predictions = _tree_updates(config, reach)
    in_updates = per_occurrence * _share(counts, keep)
    node_uses = tree.node_counts(share)[: V - 1 - held_nodes(V, concurrency)[0]]
    concurrency = concurrency if counts.sum() >= MIN_TOKENS else 1
    rows = np.arange(len(node_uses) - _leading(node_uses[::-1], concurrency, frozen), len(node_uses))
    node_updates = predictions * tree.node_counts(_share(counts, keep))[rows]
    targets = _targets(counts, keep, concurrency)
    return (
        _private_inputs(share, targets * in_updates, config, concurrency, frozen, subwords),
        PrivateRows(rows, _private_rates(targets * node_updates, config, concurrency)),
    )


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
        per_occurrence, predictions = _tree_updates(config, reach)
        W_in = (2 * reach + 1) * per_occurrence * share
        nodes, tokens = held or held_nodes(V, concurrency)
        targets = tokens * float(kept.sum() / max(counts.sum(), 1))  # between two writes of the private copies
        W_nodes = predictions * np.append(tree.node_counts(share), 0)
        near = slice(V - 1 - nodes, V - 1)
        W_nodes[near] = np.minimum(max(targets, 1) * W_nodes[near], MAX_STALENESS / max(config.alpha, 1e-30))
        if held is None:
            W_nodes[: V - 1 - nodes] = 0
        W_in = _of_rows(W_in, subwords)
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


def _kept_share(counts: np.ndarray, keep: np.ndarray) -> float:
    """Return the share of the tokens that subsampling keeps."""
    return float((counts * (keep / 2.0**32)).sum() / max(counts.sum(), 1))


def _share(counts: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the share of each word among the tokens that subsampling keeps."""
    kept = counts * (keep / 2.0**32)
    return np.asarray(kept / max(kept.sum(), 1))


def _updates(
    counts: np.ndarray, keep: np.ndarray, drawn: np.ndarray, config: TrainingConfig, reach: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the expected updates of each word's rows per target: in W_in, and in W_out as positive and negative."""
    share = _share(counts, keep)
    contexts, probability = _context_numbers(config, reach)
    if config.model == "cbow":
        exponent = cbow_grad_exponent(config.cbow_grad)
        return float(probability @ contexts ** (1 - exponent)) * share, share, config.negative * drawn
    positives = float(probability @ contexts)
    return positives * share, positives * share, config.negative * positives * drawn


def _tree_updates(config: TrainingConfig, reach: int) -> tuple[float, float]:
    """Return the expected updates of a context's row, and the predictions of a target, with hierarchical softmax."""
    contexts, probability = _context_numbers(config, reach)
    predictions = 1.0 if config.model == "cbow" else float(probability @ contexts)
    exponent = cbow_grad_exponent(config.cbow_grad) if config.model == "cbow" else 0.0
    return float(probability @ contexts ** (1 - exponent)), predictions


def _of_rows(words: np.ndarray, subwords: Subwords | None) -> np.ndarray:
    """Return a sum over words for each row of W_in."""
    if subwords is None:
        return words
    return np.bincount(subwords.rows, np.repeat(words, np.diff(subwords.starts)), subwords.n_rows)


def _targets(counts: np.ndarray, keep: np.ndarray, concurrency: int) -> float:
    """Return the expected number of targets between two write-backs of the private copies."""
    return max(private_tokens(concurrency) * _kept_share(counts, keep), 1.0)


def _is_used(uses: np.ndarray, concurrency: int, frozen: np.ndarray | None) -> np.ndarray:
    """Return which rows are worth a private copy, given the uses of each row per token of the corpus."""
    if concurrency == 1 or frozen is not None:
        return np.zeros(len(uses), bool)
    return np.asarray(uses * private_tokens(concurrency) >= MIN_USES)


def _leading(uses: np.ndarray, concurrency: int, frozen: np.ndarray | None) -> int:
    """Return how many rows at the start of a table are worth a private copy."""
    used = _is_used(uses[:MAX_PRIVATE_ROWS], concurrency, frozen)
    return int(np.append(used, False).argmin())


def _most_used(uses: np.ndarray, concurrency: int, frozen: np.ndarray | None) -> np.ndarray:
    """Return the most used rows of a table that are worth a private copy, in ascending order."""
    rows = np.flatnonzero(_is_used(uses, concurrency, frozen))
    return np.sort(rows[np.argsort(-uses[rows], kind="stable")[:MAX_PRIVATE_ROWS]])


def _private_inputs(
    uses: np.ndarray,
    updates: np.ndarray,
    config: TrainingConfig,
    concurrency: int,
    frozen: np.ndarray | None,
    subwords: Subwords | None,
) -> PrivateRows:
    """Return the private rows of W_in. `uses` are those of words per token, and `updates` those per write-back."""
    if subwords is None:
        rows = np.arange(_leading(uses, concurrency, frozen))
    else:
        rows = _most_used(_of_rows(uses, subwords), concurrency, frozen)
        # A word's vector is the mean of its rows, so an update of one row moves the vector by a part of the update.
        updates = _of_rows(updates / np.diff(subwords.starts), subwords)
    return PrivateRows(rows, _private_rates(updates[rows], config, concurrency))


def _private_rates(updates: np.ndarray, config: TrainingConfig, concurrency: int) -> np.ndarray:
    """Return the limits of rows with the given updates per write-back, which all workers have copied."""
    bounded = np.minimum(updates, PRIVATE_STALENESS / max(config.alpha, 1e-30))
    with np.errstate(divide="ignore"):
        return np.asarray(PRIVATE_STALENESS / (concurrency * bounded))
