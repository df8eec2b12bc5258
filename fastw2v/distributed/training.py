"""Training with replicas: parts of the corpus, and the rounds.

In a round, each replica trains its part of the corpus from the same tables. Then the changes of each row are combined
(`fastw2v.distributed.combine`), and the next round starts. `fastw2v.distributed.replica` has the tasks of a round.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import CHUNK_TOKENS, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.distributed.cluster import Cluster
from fastw2v.distributed.combine import add_changes
from fastw2v.distributed.replica import Part, Round, Setup, Trained, combine_changes, round_end, train_round
from fastw2v.engines.base import Pauses, ProgressFunction, Tables, TrainingReport, TrainingState
from fastw2v.utils.loss import require_finite_weights

__all__ = ["ReplicaState", "Replicas", "default_rounds", "divide", "piece_bounds", "put_parts"]

PIECES = 16
"""Number of pieces of the corpus in a part. A part is a sample of the corpus, even if its topics are sorted."""
MAX_SHARDS = 8
"""Maximum number of tasks that combine the changes of a round."""
ROUNDS_AHEAD = 2
"""Number of rounds whose tasks are submitted, so that no replica waits for this process between two rounds."""
BASE_EVERY = 4.0
"""Size of the updates since the last complete tables, relative to these, after which tables are stored again."""
WAIT_SECONDS = 0.2
"""Maximum time between two checks for interrupts."""
ROUNDS_PER_REPLICA = 64
"""Rounds for each replica but the first, up to `MAX_ROUNDS` (docs/concepts/replicas.md has the measurements)."""
MAX_ROUNDS = 256
"""Number of rounds that is enough for any number of replicas."""


def default_rounds(replicas: int, epochs: int) -> int:
    """Return the default number of rounds, a multiple of the number of epochs.

    Examples
    --------
    >>> from fastw2v.distributed.training import default_rounds
    >>> [default_rounds(replicas, epochs=5) for replicas in (2, 3, 8, 64)]
    [65, 130, 260, 260]
    """
    rounds = min(ROUNDS_PER_REPLICA * (replicas - 1), MAX_ROUNDS)
    return epochs * max(1, -(-rounds // epochs))


def divide(offsets: np.ndarray, parts: int) -> list[list[tuple[int, int]]]:
    """Divide a corpus into parts, each of which consists of pieces from the whole corpus.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.
    parts : int

    Returns
    -------
    list of list of (int, int)
        For each part, the bounds of its pieces. A piece is a range of tokens that starts at the start of a sentence,
        unless the sentence is longer than `CHUNK_TOKENS`. A part is empty if there are fewer sentences than parts.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.distributed.training import divide
    >>> divide(np.array([0, 3, 6, 9, 12]), parts=2)
    [[(0, 3), (6, 9)], [(3, 6), (9, 12)]]
    """

    def starts_before(cuts: np.ndarray) -> np.ndarray:
        return offsets[np.searchsorted(offsets, cuts, side="right") - 1]

    bounds = list(itertools.pairwise(piece_bounds(int(offsets[-1]), len(offsets) - 1, parts, starts_before)))
    return [bounds[i::parts] for i in range(parts)]


def piece_bounds(
    tokens: int, sentences: int, parts: int, starts_before: Callable[[np.ndarray], np.ndarray]
) -> list[int]:
    """Return where the pieces of a corpus start, followed by the number of tokens; see `divide`.

    Parameters
    ----------
    tokens, sentences : int
        The size of the corpus.
    parts : int
    starts_before : callable
        Function that returns, for each of several tokens, the last token up to it that starts a sentence.

    Examples
    --------
    >>> from fastw2v.distributed.training import piece_bounds
    >>> piece_bounds(12, 4, parts=2, starts_before=lambda cuts: cuts // 3 * 3)
    [0, 3, 6, 9, 12]
    """
    pieces = min(PIECES * parts, max(sentences, -(-tokens // CHUNK_TOKENS)))
    cuts = np.array([tokens * i // pieces for i in range(1, pieces)], np.int64)
    starts = starts_before(cuts)
    return sorted({0, tokens, *np.where(cuts - starts <= CHUNK_TOKENS, starts, cuts).tolist()})


def put_parts(cluster: Cluster, corpus: Corpus, parts: int) -> list[tuple[Any, int]]:
    """Store the parts of a corpus on a cluster.

    Returns
    -------
    list of (reference, int)
        A reference to each `Part` that is not empty, and its number of tokens.
    """
    stored = []
    for pieces in divide(corpus.offsets, parts):
        if not pieces:
            continue
        lengths = [np.zeros(1, np.int64)]
        for start, stop in pieces:
            first, last = np.searchsorted(corpus.offsets, [start, stop])
            lengths.append(np.diff(np.clip(corpus.offsets[max(first - 1, 0) : last + 1], start, stop)))
        ids = np.concatenate([corpus.ids[start:stop] for start, stop in pieces]).astype(np.int32, copy=False)
        sentences = np.concatenate(lengths)
        offsets = np.cumsum(sentences[np.r_[True, sentences[1:] > 0]])
        stored.append((cluster.put(Part(ids, offsets)), len(ids)))
    return stored


@dataclass
class ReplicaState:
    """The replicas of a run and how far they have come, in the form that a checkpoint stores.

    Attributes
    ----------
    replicas, rounds : int
        The numbers that determine the result.
    engine, device : str
        The engine and the device of each replica.
    workers : int
        Number of threads of each replica. With one thread, the result depends only on the corpus, the settings, and the
        numbers of replicas and of rounds, on processors of one kind.
    finished : int
        Number of complete rounds.
    words : list of int
        Number of words that each part has trained, counted over all epochs.
    """

    replicas: int
    rounds: int
    engine: str
    device: str
    workers: int
    finished: int = 0
    words: list[int] = field(default_factory=list)


class Replicas:
    """The replicas of a run. `train` has the interface of an engine.

    Parameters
    ----------
    cluster : Cluster
    parts : list of (reference, int)
        See `put_parts`.
    state : ReplicaState
        It is kept up to date.
    """

    def __init__(
        self,
        cluster: Cluster,
        parts: Sequence[tuple[Any, int]],
        state: ReplicaState,
    ) -> None:
        self._cluster = cluster
        self._parts = [reference for reference, _ in parts]
        self._tokens = [tokens for _, tokens in parts]
        self._state = state
        state.words = state.words or [0] * len(parts)

    def train(
        self,
        tables: Tables,
        corpus: Any,
        config: TrainingConfig,
        *,
        workers: int | None = None,
        on_progress: ProgressFunction | None = None,
        state: TrainingState | None = None,
        pauses: Pauses | None = None,
        frozen: np.ndarray | None = None,
        subwords: Subwords | None = None,
    ) -> np.ndarray:
        """Train both tables in place. See `fastw2v.engines.base.Engine.train`.

        Parameters
        ----------
        tables : Tables
            NumPy arrays.
        corpus : Corpus
            The whole corpus. Only its vocabulary is used.
        workers : int, optional
            Not used.
        config, on_progress, state, pauses, frozen, subwords
            See `Engine.train`. Pauses are made between rounds.
        """
        report = TrainingReport(config, sum(self._tokens), on_progress, state)
        setup = Setup(
            run=secrets.token_hex(8),
            config=config,
            counts=np.asarray(corpus.vocabulary.counts),
            subwords=subwords,
            frozen=frozen,
            engine=self._state.engine,
            device=self._state.device,
            workers=self._state.workers,
            rounds=self._state.rounds,
            shards=min(len(self._parts), MAX_SHARDS),
        )
        _Run(self._cluster, tables, report, self._state, pauses).train(setup, self._parts, sum(self._tokens))
        require_finite_weights(tables, "a lower alpha")
        return report.state.mean_losses()


class _Progress(NamedTuple):
    """How far a run had come after a round."""

    words: list[int]
    losses: np.ndarray
    predictions: np.ndarray


class _Run:
    """The rounds of a call of `Replicas.train`."""

    def __init__(
        self,
        cluster: Cluster,
        tables: Tables,
        report: TrainingReport,
        state: ReplicaState,
        pauses: Pauses | None,
    ) -> None:
        self._cluster = cluster
        self._tables = tables
        self._report = report
        self._state = state
        self._pauses = pauses
        epochs = len(report.state.losses)
        self._trained = [
            cluster.put(Trained(words, np.zeros(epochs), np.zeros(epochs, np.int64))) for words in state.words
        ]
        """References to the last results of the replicas."""
        self._pending: deque[tuple[list[Any], list[Any]]] = deque()
        """For each round that is not finished, references to the results, and to the sizes of the updates."""
        self._updates: list[list[Any]] = []
        """For each round since the base, references to the updates of all shards, for unfinished rounds as well."""
        self._update_bytes = 0
        """Size of the updates of the finished rounds since the base."""
        self._base = state.finished
        """Number of rounds after which the tables are complete that are stored on the cluster."""
        self._stored = cluster.put(Tables(*map(np.array, tables)))
        """The reference to these tables."""
        self._generation = 0
        """Number of times that a pause may have changed the tables."""
        self._history = [self._progress()]
        """The state of the run at the base and after each round that has finished since."""

    def train(self, setup: Setup, parts: Sequence[Any], tokens: int) -> None:
        """Train the rounds that are left."""
        shared = self._cluster.put(setup)
        limit = BASE_EVERY * sum(W.nbytes for W in self._tables)
        try:
            for round in range(self._state.finished, setup.rounds):
                # All rounds before this one are submitted, and all but the last of them are finished.
                begin = round_end(tokens, setup.config.epochs, round - 1, setup.rounds)
                if self._pauses is not None and self._pauses.due(begin):
                    self._finish_all()
                    self._pauses.run(self._report.state)
                    self._generation += 1
                    self._store()
                elif self._update_bytes > limit:
                    self._apply_updates()
                    self._store()
                self._submit(setup, shared, parts, round)
                while len(self._pending) >= ROUNDS_AHEAD:
                    self._finish_round()
            self._finish_all()
        except BaseException:
            with contextlib.suppress(Exception):  # the cluster may be what has failed
                self._apply_updates()
            self._return_to_base()
            raise

    def _submit(self, setup: Setup, shared: Any, parts: Sequence[Any], round: int) -> None:
        """Submit the tasks of a round."""
        cluster, shards = self._cluster, setup.shards
        *earlier, last = self._updates or [[]]
        tables = Round(
            round, self._base, self._generation, [self._stored, *(update for updates in earlier for update in updates)]
        )
        trained = [
            cluster.submit(
                train_round,
                *(shared, i, part, self._trained[i], tables, *last),
                returns=1 + shards,
                processors=setup.workers,
                gpus=int(setup.device != "cpu"),
            )
            for i, part in enumerate(parts)
        ]
        combined = [
            cluster.submit(combine_changes, *(changes[1 + shard] for changes in trained), returns=2)
            for shard in range(shards)
        ]
        self._trained = [result for result, *_ in trained]
        self._updates.append([update for update, _ in combined])
        self._pending.append((self._trained, [size for _, size in combined]))

    def _finish_round(self) -> None:
        """Wait for the oldest round that is not finished, and report what it has trained."""
        results, sizes = self._pending[0]
        while not self._cluster.wait([*results, *sizes], WAIT_SECONDS):
            pass
        state = self._report.state
        trained: list[Trained] = self._cluster.get(results)
        for of_replica in trained:
            state.losses += of_replica.losses
            state.predictions += of_replica.predictions
        self._update_bytes += sum(self._cluster.get(sizes))
        self._state.words = [of_replica.words for of_replica in trained]
        self._state.finished += 1
        self._pending.popleft()
        state.words = sum(self._state.words)
        self._history.append(self._progress())
        self._report.report(self._report.totals(state.words))

    def _progress(self) -> _Progress:
        state = self._report.state
        return _Progress(list(self._state.words), state.losses.copy(), state.predictions.copy())

    def _finish_all(self) -> None:
        """Finish the rounds that are submitted, and bring the tables up to date."""
        while self._pending:
            self._finish_round()
        self._apply_updates()

    def _apply_updates(self) -> None:
        """Add the updates of the finished rounds to the tables."""
        while self._base < self._state.finished:
            for update in self._cluster.get(self._updates[0]):
                for W, changes in zip(self._tables, update, strict=True):
                    add_changes(W, changes)
            del self._updates[0], self._history[0]
            self._base += 1

    def _return_to_base(self) -> None:
        """Make the state that of the tables, which may lack the updates of the last rounds."""
        state = self._report.state
        self._state.finished, self._state.words = self._base, list(self._history[0].words)
        state.words, state.losses[:], state.predictions[:] = sum(self._state.words), *self._history[0][1:]

    def _store(self) -> None:
        """Store the tables on the cluster as the base of the following rounds."""
        self._stored = self._cluster.put(Tables(*map(np.array, self._tables)))
        self._update_bytes = 0
