"""The tasks of a round: a replica trains its part of the corpus, and the changes of all replicas are combined.

Both tasks are pure functions, so a task that is run again returns the same bytes if a replica has one thread. A process
keeps the tables of its last round, because most of its tasks need the tables of the next one. This only saves time:
without them, a task makes the tables from earlier ones and the changes since.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import array_module, on_device_of, to_device, to_host
from fastw2v.config import CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, TrainingConfig, output_parts
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.distributed.combine import Changes, add_changes, combine, take_changes, take_rows
from fastw2v.distributed.parts import Part
from fastw2v.engines import cpu
from fastw2v.engines.base import Pauses, Tables, TrainingReport, TrainingState
from fastw2v.engines.selection import find_engine
from fastw2v.engines.staleness import rows_of
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable, alias_table, noise_weights
from fastw2v.sampling.chunks import Chunk, chunk_bounds, epoch_chunks
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.negatives import negative_pools

__all__ = ["Round", "Setup", "Sizes", "Trained", "Update", "combine_changes", "round_end", "train_round"]

Get = Callable[[Sequence[Any]], list[Any]]


class Setup(NamedTuple):
    """What all tasks of a run have in common."""

    run: str
    """A name that no other run has."""
    config: TrainingConfig
    counts: np.ndarray
    """Counts of the words: int64 array, shape (V,)."""
    subwords: Subwords | None
    frozen: np.ndarray | None
    engine: str
    device: str
    workers: int
    """Threads of a replica."""
    rounds: int
    """Rounds in all epochs."""
    shards: int
    """Parts into which the rows of the tables are divided when changes are combined."""


class Update(NamedTuple):
    """The changes of both tables."""

    W_in: Changes
    W_out: Changes


class Sizes(NamedTuple):
    """Sizes in bytes of the row indices and the values that are combined in a round."""

    changes: int
    """Size of the changes by all replicas."""
    update: int
    """Size of the combined changes, which each replica receives."""


class Trained(NamedTuple):
    """What a replica has trained in a round, apart from the changes of the tables."""

    words: int
    """Words of its part trained so far, counted over all epochs."""
    losses: np.ndarray
    """Summed loss of the predictions that were measured in this round, in each epoch."""
    predictions: np.ndarray
    """Their number in each epoch."""


class Round(NamedTuple):
    """A round, and the tables with which it starts."""

    number: int
    """Number of rounds before this one."""
    base: int
    """Number of rounds after which the tables of `history` were stored."""
    generation: int
    """Number of times that the stored tables may have been changed by other means than rounds."""
    history: list[Any]
    """References to these tables and to the updates of all rounds since, except for the last round."""


def round_end(tokens: int, epochs: int, round: int, rounds: int) -> int:
    """Return the number of words, counted over all epochs, at which a round ends.

    The chunk or batch that exceeds it still belongs to the round. If `rounds` is a multiple of `epochs`, the ends of
    the epochs are ends of rounds.

    Parameters
    ----------
    tokens : int
        Tokens of the part, or of the corpus.
    epochs, round, rounds : int

    Examples
    --------
    >>> from fastw2v.distributed.replica import round_end
    >>> [round_end(tokens=25, epochs=2, round=i, rounds=4) for i in range(4)]
    [13, 25, 38, 50]
    """
    return -(-tokens * epochs * (round + 1) // rounds)


def train_round(
    get: Get, setup: Setup, index: int, part: Part, before: Trained, round: Round, *last: Update
) -> tuple[Any, ...]:
    """Train a part of the corpus for a round.

    Parameters
    ----------
    get : callable
        Returns the values of references.
    setup : Setup
    index : int
        Index of the part.
    part : Part
    before : Trained
        The result of the previous round.
    round : Round
    *last : Update
        The updates of all shards in the previous round.

    Returns
    -------
    Trained
    *changes : Update
        The changes of the rows of each shard.

    Raises
    ------
    FloatingPointError
        If the loss is infinite or NaN.
    """
    state = _state(setup)
    try:
        state.advance(get, round, last)
        trained, tables = _train_until_end(get, state, index, part, before, round)
    except BaseException:
        _states.state = None  # the tables may be those of no round
        raise
    shards = [_shards(changes, setup.shards) for changes in tables]
    return (trained, *(Update(*of_tables) for of_tables in zip(*shards, strict=True)))


def _train_until_end(
    get: Get, state: _State, index: int, part: Part, before: Trained, round: Round
) -> tuple[Trained, Sequence[Changes]]:
    """Train a part until the end of a round, and return the changes of both tables. The tables are left unchanged."""
    config = state.setup.config
    end = round_end(len(part.ids), config.epochs, round.number, state.setup.rounds)
    if before.words >= end:  # the previous round ended with a chunk that exceeds this one, too
        nothing = Changes(np.zeros(0, np.int64), np.zeros((0, config.vector_size), state.tables.W_in.dtype))
        zeros = TrainingState.at_start(config.epochs)
        return Trained(before.words, zeros.losses, zeros.predictions), [nothing, nothing]
    reached, changes = state.trainer(index, part).train(before.words, end, get)
    return Trained(reached.words, reached.losses, reached.predictions), changes


def combine_changes(get: Get, *replicas: Update) -> tuple[Update, Sizes]:
    """Combine the changes of a shard by all replicas, and return them with the sizes.

    Parameters
    ----------
    get : callable
        Not used.
    *replicas : Update
        The changes by each replica.

    Raises
    ------
    FloatingPointError
        If a change is infinite or NaN.
    """
    update = Update(*(combine([*of_replicas]) for of_replicas in zip(*replicas, strict=True)))
    return update, Sizes(sum(map(_size, replicas)), _size(update))


def _size(update: Update) -> int:
    return sum(array.nbytes for changes in update for array in changes)


class _State:
    """The tables of a process, or of a thread of `InProcess`, and what trains them."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.round: int | None = None
        """Number of rounds after which the tables are complete."""
        self.generation = 0
        self.tables: Tables
        self._trainers: dict[int, _ChunkTrainer | _EngineTrainer] = {}

    def advance(self, get: Get, round: Round, last: Sequence[Update]) -> None:
        """Make the tables those with which a round starts."""
        if self.round is None or self.generation != round.generation or not round.base <= self.round <= round.number:
            self._start(*get(round.history[:1]))
            self.round, self.generation = round.base, round.generation
        shards = self.setup.shards
        for r in range(self.round, round.number):
            first = 1 + (r - round.base) * shards
            for update in last if r == round.number - 1 else get(round.history[first : first + shards]):
                for W, changes in zip(self.tables, update, strict=True):
                    _add(W, changes)
        self.round = round.number

    def trainer(self, index: int, part: Part) -> _ChunkTrainer | _EngineTrainer:
        """Return what trains a part of the corpus in these tables."""
        if index not in self._trainers:
            on_cpu = find_engine(self.setup.engine, self.setup.device) is cpu
            kind = _ChunkTrainer if on_cpu else _EngineTrainer
            self._trainers[index] = kind(self, index, part)
        return self._trainers[index]

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The words, which are their ids here."""
        return Vocabulary._of_distinct(list(range(len(self.setup.counts))), self.setup.counts)

    @functools.cached_property
    def noise(self) -> AliasTable | None:
        """The alias table of the noise distribution, if the loss draws negatives."""
        config = self.setup.config
        return None if config.loss == "hs" else alias_table(noise_weights(self.setup.counts, config.ns_exponent))

    @functools.cached_property
    def tree(self) -> HuffmanTree | None:
        """The Huffman tree, if the loss has one."""
        return None if self.setup.config.loss == "ns" else HuffmanTree.from_counts(self.setup.counts)

    def _start(self, base: Tables) -> None:
        """Copy tables."""
        if not hasattr(self, "tables"):
            shape, setup = (len(self.setup.counts), base.W_in.shape[1]), self.setup
            engine = find_engine(setup.engine, setup.device)
            self.tables = engine.allocate(shape, setup.device, setup.config.loss, base.W_in.shape[0])
            if base.W_in.dtype != self.tables.W_in.dtype:
                self.tables = Tables(*(to_device(cpu.aligned_zeros(W.shape, W.dtype), setup.device) for W in base))
        for W, given in zip(self.tables, base, strict=True):
            with on_device_of(W):
                W[...] = to_device(given, self.setup.device)


_states = threading.local()


def _state(setup: Setup) -> _State:
    """Return the state of this thread for a run. That of another run is dropped."""
    state: _State | None = getattr(_states, "state", None)
    if state is None or state.setup.run != setup.run:
        _states.state = None  # its memory is needed
        _states.state = state = _State(setup)
    return state


class _ChunkTrainer:
    """Trains a part with the fused engine on a CPU. Which rows can change is known before they are trained."""

    def __init__(self, state: _State, index: int, part: Part) -> None:
        self._setup = setup = state.setup
        self._tables = tables = state.tables
        self._config = _config_of(setup, index)
        self._part = part  # the arrays of the corpus are views of it
        self._corpus = corpus = _corpus_of(part, state.vocabulary)
        self._training = cpu.ChunkTraining(
            tables, corpus, self._config, workers=setup.workers, frozen=setup.frozen, subwords=setup.subwords
        )
        self._bounds = np.array(list(chunk_bounds(part.offsets, CHUNK_TOKENS)), np.int64)
        self._noise, self._tree = state.noise, state.tree

    def train(self, start: int, end: int, get: Get) -> tuple[TrainingState, list[Changes]]:
        """Train the chunks from a number of words to another one, and return the changes of the tables."""
        chunks = list(self._chunks(start, end, get))
        rows = [_in_shards(np.flatnonzero(changed), self._setup.shards) for changed in self._rows(chunks, get)]
        old = [take_rows(W, of_table) for W, of_table in zip(self._tables, rows, strict=True)]
        state = TrainingState.at_start(self._config.epochs)
        state.words = start
        report = TrainingReport(self._config, len(self._corpus), None, state)
        self._training.run(_until_stopped(chunks, get), report)
        for W, of_table, values in zip(self._tables, rows, old, strict=True):
            take_changes(W, of_table, values)
        return state, [Changes(*pair) for pair in zip(rows, old, strict=True)]

    def _chunks(self, start: int, end: int, get: Get) -> Iterator[Chunk]:
        """Yield the chunks of `iter_chunks` that are trained after `start` and before `end` words."""
        tokens = len(self._corpus)
        for epoch in range(start // tokens, -(-end // tokens)):
            get(())  # raises an error if the task was stopped
            for chunk in epoch_chunks(self._bounds, SHUFFLE_BLOCK_TOKENS, self._config.seed, epoch):
                if start <= chunk.done < end:
                    yield chunk

    def _rows(self, chunks: Sequence[Chunk], get: Get) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows of both tables training on chunks can change."""
        config, ids = self._config, self._corpus.ids
        words = np.zeros(len(self._setup.counts), bool)
        for chunk in chunks:
            words[ids[chunk.start : chunk.stop]] = True
        rows_in = rows_of(words, self._setup.subwords)
        rows_out = np.zeros(len(self._tables.W_out), bool)
        of_words, of_nodes = output_parts(rows_out[:, None], config.loss)
        if self._noise is not None:
            of_words[words] = True
            L = config.pool_tokens
            for epoch, of_epoch in itertools.groupby(chunks, key=lambda chunk: chunk.epoch):
                get(())
                pools = [np.arange(chunk.start // L, -(-chunk.stop // L)) for chunk in of_epoch]
                drawn = negative_pools(np.concatenate(pools), config.pool_size, self._noise, config.seed, epoch)
                of_words[drawn.reshape(-1)] = True
        if self._tree is not None:
            of_nodes[self._tree.points[np.repeat(words, np.diff(self._tree.starts))]] = True
        return rows_in, rows_out


class _EngineTrainer:
    """Trains a part with any engine. A copy of the tables shows which rows have changed."""

    def __init__(self, state: _State, index: int, part: Part) -> None:
        self._setup = state.setup
        self._tables = state.tables
        self._config = _config_of(state.setup, index)
        self._part = part  # the arrays of the corpus are views of it
        self._corpus = _corpus_of(part, state.vocabulary)

    def train(self, start: int, end: int, get: Get) -> tuple[TrainingState, list[Changes]]:
        """Train from a number of words to another one, and return the changes of the tables."""
        setup = self._setup
        engine, xp = find_engine(setup.engine, setup.device), array_module(setup.device)
        state = TrainingState.at_start(self._config.epochs)
        state.words = start
        old = [xp.array(W) for W in self._tables]
        with contextlib.suppress(_RoundEnd):
            engine.train(
                self._tables,
                self._corpus,
                self._config,
                workers=setup.workers,
                state=state,
                pauses=_Until(end, get),
                frozen=setup.frozen,
                subwords=setup.subwords,
            )
        changes = []
        for W, before in zip(self._tables, old, strict=True):
            with on_device_of(W):
                rows = _in_shards(np.flatnonzero(to_host(xp.any(before != W, axis=1))), setup.shards)
                chosen = to_device(rows, setup.device)
                changes.append(Changes(rows, to_host(W[chosen] - before[chosen])))
                W[...] = before
        return state, changes


def _until_stopped(chunks: Sequence[Chunk], get: Get) -> Iterator[Chunk]:
    """Yield chunks. If the task was stopped, raise an error."""
    for chunk in chunks:
        get(())
        yield chunk


class _Until(Pauses):
    """Pauses that end a round."""

    def __init__(self, end: int, get: Get) -> None:
        self._end = end
        self._get = get

    def due(self, words: int) -> bool:
        self._get(())  # raises an error if the task was stopped
        return words >= self._end

    def next_words(self, words: int) -> int:
        return max(self._end, words + 1)

    def run(self, state: TrainingState) -> None:
        raise _RoundEnd


class _RoundEnd(Exception):  # noqa: N818  # it is not an error
    """A round has ended before the training."""


def _config_of(setup: Setup, index: int) -> TrainingConfig:
    """Return the settings of a part.

    The first token of every part has index 0, so each part needs a seed of its own. Part 0 keeps that of the run, so
    that a single replica draws the same numbers as training without replicas.
    """
    seed = setup.config.seed
    return replace(setup.config, seed=rng.stream_key(seed, rng.REPLICA, index) if index else seed)


def _corpus_of(part: Part, vocabulary: Vocabulary) -> Corpus:
    """Return a part as a corpus."""
    return Corpus(_as_writable(part.ids), _as_writable(part.offsets), vocabulary)


def _as_writable(array: np.ndarray) -> np.ndarray:
    """Return a view of an array that the kernels do not change, but for which Numba need not compile them again."""
    if array.flags.writeable:
        return array
    pointer = ctypes.cast(array.ctypes.data, ctypes.POINTER(np.ctypeslib.as_ctypes_type(array.dtype)))
    return np.ctypeslib.as_array(pointer, array.shape)


def _in_shards(rows: np.ndarray, shards: int) -> np.ndarray:
    """Sort ascending rows by their shard. Row i belongs to shard ``i % shards``, so that shards have equal work."""
    return rows[np.argsort(rows % shards, kind="stable")]


def _shards(changes: Changes, shards: int) -> list[Changes]:
    """Divide changes whose rows are sorted by shard."""
    ends = np.cumsum(np.bincount(changes.rows % shards, minlength=shards))
    return [
        Changes(changes.rows[end - n : end], changes.values[end - n : end])
        for end, n in zip(ends, np.diff(ends, prepend=0), strict=True)
    ]


def _add(W: Any, changes: Changes) -> None:
    """Add changes to a table on any device."""
    if isinstance(W, np.ndarray):
        add_changes(W, changes)
        return
    with on_device_of(W):
        W[to_device(changes.rows)] += to_device(changes.values)
