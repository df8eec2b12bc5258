"""The layers engine, which trains in batches with any array library and on any device."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import (
    get_device,
    get_namespace,
    is_numpy,
    on_device_of,
    to_device,
    to_host,
)
from fastw2v.config import Loss, TrainingConfig, output_parts, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.engines.base import Pauses, ProgressFunction, Tables, TrainingReport, TrainingState
from fastw2v.engines.checks import check_corpus, check_frozen
from fastw2v.engines.staleness import rows_of
from fastw2v.nn.layers import HierarchicalSoftmaxLoss
from fastw2v.nn.models import CBOW, SkipGram
from fastw2v.nn.optim import SGD, linear_rate
from fastw2v.nn.sparse import RowSparseGradient, coalesce_in_order
from fastw2v.nn.subwords import SubwordEmbedding
from fastw2v.sampling.alias import AliasTable, alias_table, noise_weights
from fastw2v.sampling.batches import BUILT_CONTEXTS, PREPARED_TOKENS, Batch, batches
from fastw2v.sampling.chunks import window_reach
from fastw2v.sampling.subsampling import keep_threshold
from fastw2v.utils.loss import require_finite_loss, require_finite_weights

__all__ = ["allocate", "batch_bytes", "train", "unavailable_reason"]

# The schedule of this engine. (`fastw2v.config` has the schedule of the fused engines.) With 256 or more tokens in a
# pool, OpenBLAS would start threads for matrix products that are too small to benefit from them.
BATCH_POOL_TOKENS = 64
"""L: tokens of the corpus that share a pool of negatives."""
MIN_BATCH_POOL_SIZE = 16
"""Minimum of P, the number of negatives in a pool. P is 3 * `negative` if this product is larger."""
GROUPS = 16
"""Pools in one batch. Larger batches are barely faster on NumPy and increase staleness."""
GPU_GROUPS = 256
"""Minimum number of pools in one batch on a GPU, where each batch takes a fixed number of kernel launches."""
MAX_GPU_GROUPS = 2048
"""Maximum number of pools in one batch on a GPU."""
MIN_GPU_BATCHES = 500
"""Batches of a training on a GPU, unless they would have fewer than `GPU_GROUPS` pools.

With fewer batches, the vectors are worse (docs/notebook/gpu.md).
"""
MAX_GROUP_NUMBERS = 1 << 21
"""Maximum number of elements of a batch's context rows, divided by `GROUPS` or `GPU_GROUPS`.

With a wide window, batches are smaller.
"""
PREPARED_BYTES_PER_TOKEN = 64
"""Bytes for each token of the `PREPARED_TOKENS` whose batches are built at the same time."""
CONTEXT_ARRAYS = {"cbow": 2.25, "skipgram": 4.1}
"""Size of a batch's arrays of contexts, divided by that of the rows of all contexts, as measured."""
POOL_ARRAYS, SCORE_ARRAYS = 5.5, 7
"""The same for the rows of the pools, and for the scores of the targets and the negatives."""
TREE_CONTEXT_ARRAYS, PATH_ARRAYS = {"cbow": 0.7, "skipgram": 1.7}, 4.4
"""The same for the rows of contexts in hierarchical softmax, and for the rows of the inner nodes on all paths."""
GPU_TARGET_ARRAYS, GPU_TREE_TARGET_ARRAYS, GPU_POOL_ARRAYS, GPU_PATH_SCORE_ARRAYS = 6.5, 3.5, 2.5, 12
"""The same on a GPU: for one row per target (with negative sampling, and with hierarchical softmax), the rows of the
pools, and the scores of the inner nodes on all paths.

There, the rows of contexts and, for CBOW, of inner nodes are not stored.
"""
ORDERED_ARRAYS = 5.1
"""The same for sums in a fixed order on a GPU: for a row for each entry of the largest gradient."""
SUBWORD_ARRAYS = 3.7
"""The same with subwords on a CPU: for the rows of all distinct words."""
GPU_SUBWORD_BYTES = 20
"""Bytes on a GPU for each row of each distinct word, if all words had as many rows as the longest."""
MAX_SUBWORDS = 1 << 26
"""Maximum number of rows of the distinct words of a batch on a GPU, if all words had as many as the longest.

Batches are smaller if a vocabulary is large and has very long words.
"""
MAX_ROW_STEP = 1.6
"""Maximum norm of a row's update in one batch at the initial rate. Half or twice this value gives worse vectors."""


def unavailable_reason(device: str) -> str | None:
    """Return None, because the layers run on every device.

    Examples
    --------
    >>> from fastw2v.engines import eager
    >>> print(eager.unavailable_reason("cpu"))
    None
    """
    return None


def allocate(
    shape: tuple[int, int], device: str, loss: Loss = TrainingConfig.loss, input_rows: int | None = None
) -> Tables:
    """Return float32 tables of zeros on a device.

    Parameters
    ----------
    shape : (int, int)
        V and D.
    device : str
        "cpu", "cuda" or "cuda:N".
    loss : {"ns", "hs", "hs+ns"}
        Determines the number of rows of W_out; see `output_rows`.
    input_rows : int, optional
        Number of rows of W_in, by default V.

    Returns
    -------
    Tables

    Examples
    --------
    >>> from fastw2v.engines import eager
    >>> tables = eager.allocate((1000, 50), "cpu")
    >>> tables.W_in.shape, tables.W_out.dtype.name
    ((1000, 50), 'float32')
    """
    V, D = shape
    rows = (input_rows or V, output_rows(loss, V))
    return Tables(*(to_device(np.zeros((n, D), np.float32), device) for n in rows))


def batch_bytes(
    config: TrainingConfig,
    tokens: int,
    reach: int,
    longest_path: int = 0,
    on_gpu: bool = False,
    words: int | None = None,
    rows_per_word: float = 0.0,
    longest_word: int = 0,
    input_rows: int = 0,
) -> int:
    """Return the approximate size in bytes of the arrays of a batch, and of those that batches are taken from.

    Parameters
    ----------
    config : TrainingConfig
    tokens : int
        Number of tokens in the corpus.
    reach : int
        Largest distance between a target and a context (`fastw2v.sampling.chunks.window_reach`).
    longest_path : int
        Largest number of steps from the root of the Huffman tree to a word.
    on_gpu : bool
        Whether batches have the size that suits a GPU.
    words : int, optional
        Number of words in the vocabulary. On a GPU, it limits the memory for the sums of gradients.
    rows_per_word : float
        Mean number of rows of W_in of a word, with subwords.
    longest_word : int
        Largest number of rows of W_in of a word, with subwords.
    input_rows : int
        Number of rows of W_in, with subwords.

    Examples
    --------
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.eager import batch_bytes
    >>> configs = TrainingConfig(), TrainingConfig(window=1000), TrainingConfig(negative=1000)
    >>> [round(batch_bytes(config, 10_000, config.window) / 1e6) for config in configs]
    [12, 252, 232]
    """
    D, P = config.vector_size, _pool_size(config)
    L, groups = _batch_shape(config, tokens, reach, on_gpu, words or 0, longest_word)
    prepared = min(tokens, PREPARED_TOKENS)
    groups = min(groups, -(-tokens // L))
    targets = groups * min(L, tokens)
    contexts = targets * 2 * reach
    built = max(contexts, min(BUILT_CONTEXTS, 2 * reach * tokens)) if on_gpu else contexts
    shared = 4 * D * (GPU_POOL_ARRAYS if on_gpu else POOL_ARRAYS) * groups * P + 4 * SCORE_ARRAYS * targets * P
    negatives = 4 * D * CONTEXT_ARRAYS[config.model] * contexts + shared
    paths = 4 * D * (TREE_CONTEXT_ARRAYS[config.model] * contexts + PATH_ARRAYS * targets * longest_path)
    if on_gpu:
        summed = [contexts + groups * P, targets * longest_path]  # entries of the largest gradients
        sums = [4 * D * (n if words is None else min(n, words)) for n in summed]
        negatives = 4 * D * GPU_TARGET_ARRAYS * targets + sums[0] + shared
        if config.model == "cbow":
            paths = (
                4 * D * GPU_TREE_TARGET_ARRAYS * targets + sums[1] + 4 * GPU_PATH_SCORE_ARRAYS * targets * longest_path
            )
    if on_gpu and config.deterministic:
        in_order = [4 * D * ORDERED_ARRAYS * n for n in (contexts + groups * P, targets * longest_path)]
        negatives, paths = negatives + in_order[0], paths + in_order[1]
    # On a GPU, there is room for as many words as ids are looked up.
    of_targets = not on_gpu or (config.model == "skipgram" and config.loss == "ns")
    distinct = min(targets if of_targets else contexts, words or contexts)
    means = 4 * D * SUBWORD_ARRAYS * distinct * rows_per_word
    if on_gpu:
        means = GPU_SUBWORD_BYTES * distinct * longest_word + 4 * D * min(distinct * longest_word, input_rows)
    # With both losses, half of the first arrays are still in memory when the second are computed.
    arrays = {"ns": negatives, "hs": paths, "hs+ns": paths + negatives / 2}
    return int(
        arrays[config.loss]
        + means
        + 80 * built
        + PREPARED_BYTES_PER_TOKEN * prepared
        + 8 * 8 * P * -(-prepared // L)  # the integers from which the pools are drawn
        + (8 * (words or 0) if on_gpu else 0)  # the numbers of the ids whose gradients are summed
    )


def train(
    tables: Tables,
    corpus: Corpus,
    config: TrainingConfig,
    *,
    workers: int | None = None,
    on_progress: ProgressFunction | None = None,
    state: TrainingState | None = None,
    pauses: Pauses | None = None,
    frozen: np.ndarray | None = None,
    subwords: Subwords | None = None,
) -> np.ndarray:
    """Train both tables in place, on their device.

    Parameters
    ----------
    tables : Tables
        Arrays of any array library.
    corpus, config, on_progress, state, pauses, frozen, subwords
        See `Engine.train`. ``config.pool_size``, ``config.pool_tokens`` and ``config.tile`` are not used, because this
        engine has a different schedule.
    workers : int, optional
        Not used. The array library determines the number of threads.

    Returns
    -------
    float64 array, shape (epochs,)
        Mean loss per prediction of each epoch.

    Raises
    ------
    ValueError
        If the ids or offsets of the corpus are invalid, or `frozen` has the wrong dtype or shape.
    FloatingPointError
        If the loss or a trained weight becomes infinite or NaN.

    Notes
    -----
    The host waits for the device only to read the loss, about every 0.2 s, to read the sizes of the batches, once per
    2**20 tokens, and to check the weights at the end. With ``config.deterministic``, repeated runs give the same bytes
    on a GPU as well (see `RowSparseGradient.coalesce`).

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines import eager
    >>> corpus = Corpus.from_sentences([["the", "cat", "sat"], ["the", "dog", "sat"]] * 50, min_count=1)
    >>> config = TrainingConfig(vector_size=8, epochs=3, sample=0)
    >>> tables = eager.allocate((len(corpus.vocabulary), 8), "cpu")
    >>> tables.W_in[:] = np.random.default_rng(0).uniform(-1 / 16, 1 / 16, (4, 8))
    >>> losses = eager.train(tables, corpus, config)
    >>> losses.shape, bool(losses[-1] < losses[0])
    ((3,), True)
    """
    W_in, W_out = tables
    V = W_in.shape[0] if subwords is None else subwords.n_words
    check_corpus(corpus, V)
    check_frozen(frozen, V)
    xp = get_namespace(W_in, W_out)
    device = get_device(W_in)
    networks = _networks(W_in, W_out, corpus.vocabulary.counts, config, subwords)
    optimizer = SGD(config.alpha, max_row_norm=MAX_ROW_STEP / config.alpha)
    N, counts = len(corpus), corpus.vocabulary.counts
    reach, longest = window_reach(config.window, corpus.offsets), 0
    if subwords is not None:
        longest = int(np.diff(subwords.starts).max())
    pool_tokens, groups = _batch_shape(config, N, reach, not is_numpy(W_in), V, longest)
    report = TrainingReport(config, N, on_progress, state)
    state = report.state

    def read_loss(epoch: int, total: Any, predictions: Any, words: int) -> None:
        """Read the loss of the current epoch so far, which waits for the device, and report it."""
        both = xp.stack([total, xp.asarray(predictions, dtype=xp.float64, device=device)])
        state.losses[epoch], state.predictions[epoch] = to_host(both)
        state.words = epoch * N + words
        where = f"epoch {epoch + 1} of {config.epochs}, after {words} words"
        require_finite_loss(state.losses[epoch], where, f"a lower alpha (now {config.alpha})")
        report.report(report.totals(state.words))

    def pause_if_due(epoch: int, total: Any, predictions: Any, words: int) -> None:
        if pauses is not None and pauses.due(epoch * N + words):
            read_loss(epoch, total, predictions, words)
            pauses.run(state)

    def count_pairs(batch: Batch) -> Any:
        """Return the number of pairs of a target and a context, on the device."""
        return xp.sum(xp.astype(batch.contexts >= 0, xp.float64))

    with on_device_of(W_in):
        keep = xp.asarray(keep_threshold(counts, config.sample), device=device)
        weights = noise_weights(counts, config.ns_exponent)
        noise = AliasTable(*(xp.asarray(part, device=device) for part in alias_table(weights)))
        ids, offsets = xp.asarray(corpus.ids, device=device), xp.asarray(corpus.offsets, device=device)
        learning = None
        if frozen is not None:
            frozen_rows = rows_of(frozen, subwords)
            learning = xp.asarray(~frozen_rows, device=device), xp.asarray(~frozen, device=device)
        for epoch in range(state.words // N, config.epochs):
            total = xp.asarray(state.losses[epoch], dtype=xp.float64, device=device)
            predictions: Any = int(state.predictions[epoch])
            words = state.words - epoch * N
            for batch in batches(
                ids,
                offsets,
                keep,
                noise,
                window=config.window,
                pool_tokens=pool_tokens,
                pool_size=_pool_size(config),
                groups=groups,
                seed=config.seed,
                epoch=epoch,
                shrink_windows=config.shrink_windows,
                done=words,
            ):
                optimizer.lr = linear_rate(config.alpha, config.min_alpha, (epoch * N + words) / (config.epochs * N))
                for network in networks:
                    loss = _forward(network, batch)
                    # Use the gradient of the sum over the targets, so that each target takes a full step, as in
                    # word2vec.c.
                    network.backward(batch.targets)
                    grads = coalesce_in_order(network.grads) if config.deterministic else network.grads
                    if learning is not None:
                        grads = _of_words(*learning, network, grads)
                    optimizer.update(network.params, grads)
                    total = total + xp.astype(loss, xp.float64) * batch.targets
                words = batch.done
                predictions = predictions + (batch.targets if config.model == "cbow" else count_pairs(batch))
                if report.is_due(epoch * N + words):
                    read_loss(epoch, total, predictions, words)
                if words < N:
                    pause_if_due(epoch, total, predictions, words)
            read_loss(epoch, total, predictions, N)
            pause_if_due(epoch, total, predictions, N)
        require_finite_weights(tables, f"a lower alpha (now {config.alpha})")
    return state.mean_losses()


def _batch_shape(
    config: TrainingConfig, tokens: int, reach: int, on_gpu: bool, words: int = 0, longest: int = 0
) -> tuple[int, int]:
    """Return the number of tokens that share a pool, and the maximum number of pools in a batch.

    On a GPU, batches grow with the number of tokens in all epochs. They do not with additions in a fixed order, which
    take much more memory. `longest` is the largest number of rows of a word, with subwords.
    """
    fewest = GPU_GROUPS if on_gpu else GROUPS
    targets = fewest * MAX_GROUP_NUMBERS // (2 * reach * config.vector_size)  # that fit in a batch
    if on_gpu and words * longest > MAX_SUBWORDS:
        targets = min(targets, MAX_SUBWORDS // (2 * reach * longest))
    targets = max(1, targets)
    pool_tokens = min(BATCH_POOL_TOKENS, targets)
    groups = fewest
    if on_gpu and not config.deterministic:
        groups = min(max(fewest, tokens * config.epochs // (MIN_GPU_BATCHES * pool_tokens)), MAX_GPU_GROUPS)
    return pool_tokens, min(groups, targets // pool_tokens)


def _pool_size(config: TrainingConfig) -> int:
    return max(MIN_BATCH_POOL_SIZE, 3 * config.negative)


def _networks(
    W_in: Any, W_out: Any, counts: np.ndarray, config: TrainingConfig, subwords: Subwords | None
) -> list[CBOW | SkipGram]:
    """Return a model for each loss of the settings. The models share W_in."""
    model = CBOW if config.model == "cbow" else SkipGram
    settings: dict[str, Any] = {"cbow_grad": config.cbow_grad} if config.model == "cbow" else {}
    words, nodes = output_parts(W_out, config.loss)
    networks = []

    def inputs() -> Any:
        if subwords is None:
            return W_in
        # The gradient of a row is not divided by the number of rows, as in the other engines and in fastText.
        return SubwordEmbedding(W_in, subwords.starts, subwords.rows, exponent=0, in_order=config.deterministic)

    if words is not None:
        networks.append(model.from_weights(inputs(), words, config.negative, **settings))
    if nodes is not None:
        networks.append(model.from_weights(inputs(), nodes, counts=counts, **settings))
    return networks


def _forward(network: CBOW | SkipGram, batch: Batch) -> Any:
    """Return the mean loss per target of a batch."""
    if not isinstance(network.loss_layer, HierarchicalSoftmaxLoss):
        return network.forward(batch.contexts, batch.target, batch.pool)
    xp = get_namespace(batch.contexts)
    contexts = xp.reshape(batch.contexts, (-1, batch.contexts.shape[-1]))
    return network.forward(contexts, xp.reshape(batch.target, (-1,)))


def _of_words(
    rows: Any, words: Any, network: CBOW | SkipGram, grads: list[RowSparseGradient]
) -> list[RowSparseGradient]:
    """Return the gradients of those rows of W_in and of those words that learn. An optimizer writes no other rows.

    Inner nodes of the Huffman tree are not words, so all of them learn, unless no word does.
    """
    xp = get_namespace(words)
    if isinstance(network.loss_layer, HierarchicalSoftmaxLoss):
        words = xp.broadcast_to(xp.any(words), words.shape)
    return [_of_rows(chosen, grad) for chosen, grad in zip((rows, words), grads, strict=True)]


def _of_rows(chosen: Any, grad: RowSparseGradient) -> RowSparseGradient:
    """Return the gradient of the rows for which `chosen` is True."""
    xp = get_namespace(chosen)
    if is_numpy(chosen):
        (selected,) = xp.nonzero(xp.take(chosen, grad.ids))
        return RowSparseGradient(xp.take(grad.ids, selected), xp.take(grad.rows, selected, axis=0), grad.shape)
    parts = []
    for part in grad.parts:  # on a GPU, the sizes of arrays must not depend on the data
        is_chosen = xp.take(chosen, xp.where(part.ids < 0, 0, part.ids))
        parts.append(part._replace(ids=xp.where(is_chosen, part.ids, -1)))
    selected = RowSparseGradient(parts[0].ids, parts[0].rows, grad.shape)
    selected.assign_parts(parts)
    return selected
