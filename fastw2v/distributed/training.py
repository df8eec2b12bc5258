"""Training with replicas: the rounds.

In a round, each replica trains its part of the corpus from the same tables. Then the changes of each row are combined
(`fastw2v.distributed.combine`), and the next round starts. `fastw2v.distributed.replica` has the tasks of a round.

If a task or its result is lost with a machine, the round starts again from tables on this machine. With one thread for
each replica, the result is the same, because tasks are pure functions.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import TrainingConfig
from fastw2v.corpus.subwords import Subwords
from fastw2v.distributed.cluster import Cluster, TaskLostError
from fastw2v.distributed.combine import add_changes
from fastw2v.distributed.parts import StoredPart
from fastw2v.distributed.replica import Round, Setup, Trained, Update, combine_changes, round_end, train_round
from fastw2v.engines.base import Pauses, ProgressFunction, Tables, TrainingReport, TrainingState
from fastw2v.utils.loss import require_finite_weights

__all__ = ["ReplicaState", "Replicas", "default_rounds"]

MAX_SHARDS = 8
"""Maximum number of tasks that combine the changes of a round."""
ROUNDS_AHEAD = 2
"""Number of rounds whose tasks are submitted, so that no replica waits for this process between two rounds."""
BASE_EVERY = 4.0
"""Size of the updates since the last complete tables, relative to these, after which tables are stored again."""
WAIT_SECONDS = 0.2
"""Maximum time between two checks for interrupts."""
ROUNDS_PER_PAIR = 30
"""Rounds for each pair of replicas, up to `MAX_ROUNDS` (docs/notebook/replicas.md has the measurements)."""
MAX_ROUNDS = 256
"""Number of rounds that is enough for any number of replicas."""
MAX_REPEATS = 8
"""How many times in a row a round is repeated if a task or its result is lost."""
REPEAT_SECONDS = 16.0
"""Maximum pause before a round is repeated. By default, Ray notices after about 15 s that a node is dead."""

_logger = logging.getLogger("fastw2v")


def default_rounds(replicas: int, epochs: int) -> int:
    """Return the default number of rounds, a multiple of the number of epochs.

    Examples
    --------
    >>> from fastw2v.distributed.training import default_rounds
    >>> [default_rounds(replicas, epochs=5) for replicas in (2, 3, 8, 64)]
    [30, 90, 260, 260]
    """
    rounds = min(ROUNDS_PER_PAIR * replicas * (replicas - 1) // 2, MAX_ROUNDS)
    return epochs * max(1, -(-rounds // epochs))


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
    ray : str
        Where the replicas run, unless `Word2Vec.resume` is told otherwise.
    finished : int
        Number of complete rounds.
    words : list of int
        Number of words that each part has trained, counted over all epochs.
    change_bytes, update_bytes : int
        Size of the changes by all replicas in the complete rounds, and of the combined changes, which each replica
        receives.
    """

    replicas: int
    rounds: int
    engine: str
    device: str
    workers: int
    ray: str
    finished: int = 0
    words: list[int] = field(default_factory=list)
    change_bytes: int = 0
    update_bytes: int = 0


class Replicas:
    """The replicas of a run. `train` has the interface of an engine.

    Parameters
    ----------
    cluster : Cluster
    parts : sequence of StoredPart
        The parts of the corpus that are not empty.
    state : ReplicaState
        It is kept up to date.
    """

    def __init__(
        self,
        cluster: Cluster,
        parts: Sequence[StoredPart],
        state: ReplicaState,
    ) -> None:
        self._cluster = cluster
        self.parts = parts
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
        corpus : Corpus or DistributedCorpus
            Only its vocabulary is used.
        workers : int, optional
            Not used.
        config, on_progress, state, pauses, frozen, subwords
            See `Engine.train`. Pauses are made between rounds.
        """
        tokens = sum(part.n_tokens for part in self.parts)
        report = TrainingReport(config, tokens, on_progress, state)
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
            shards=min(len(self.parts), MAX_SHARDS),
        )
        _Run(self._cluster, tables, report, self._state, pauses).train(
            setup, [part.reference for part in self.parts], tokens
        )
        require_finite_weights(tables, "a lower alpha")
        return report.state.mean_losses()


class _Progress(NamedTuple):
    """How far a run had come after a round."""

    words: list[int]
    losses: np.ndarray
    predictions: np.ndarray
    change_bytes: int
    update_bytes: int


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
        self._trained: list[Any] = []
        """References to the last results of the replicas."""
        self._pending: deque[tuple[list[Any], list[Any]]] = deque()
        """For each round that is not finished, references to the results, and to the sizes of the updates."""
        self._stored: Any = None
        """The reference to the tables that are stored on the cluster: the base of the following rounds."""
        self._base = state.finished
        """Number of rounds whose updates these tables contain."""
        self._applied = state.finished
        """Number of rounds whose updates the tables of this process contain."""
        self._updates: list[list[Any]] = []
        """For each round since the base, references to the updates of all shards, for unfinished rounds as well."""
        self._finished: list[list[Update]] = []
        """For each finished round since the base, the values of these references."""
        self._update_bytes = 0
        """Size of these values."""
        self._generation = 0
        """Number of times that the tables may have become others than those that the processes have."""
        self._repeats = 0
        """Number of times in a row that the current round was lost."""
        self._history = [self._progress()]
        """The state of the run at the base and after each round that has finished since."""

    def train(self, setup: Setup, parts: Sequence[Any], tokens: int) -> None:
        """Train the rounds that are left."""
        shared = self._cluster.put(setup)
        self._store()
        try:
            while self._state.finished < setup.rounds:
                try:
                    self._train_to_end(setup, shared, parts, tokens)
                except TaskLostError as error:
                    self._start_again(error)
        except BaseException:
            try:
                self._apply_updates()
            finally:
                self._return_to_applied()
            raise

    def _train_to_end(self, setup: Setup, shared: Any, parts: Sequence[Any], tokens: int) -> None:
        """Submit and finish all rounds."""
        limit = BASE_EVERY * sum(W.nbytes for W in self._tables)
        while (round := self._state.finished + len(self._pending)) < setup.rounds:
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

    def _start_again(self, error: TaskLostError) -> None:
        """Drop the rounds that are not finished, so that they are trained again from the tables of this process."""
        self._repeats += 1
        if self._repeats > MAX_REPEATS:
            raise error
        happened, _, _ = str(error).partition(". ")  # what follows is advice
        _logger.warning("round %d starts again: %s", self._state.finished + 1, happened)
        self._pending.clear()
        self._apply_updates()
        # With several threads, the round gives other updates than those with which a process may have gone on.
        self._generation += 1
        self._store()
        self._trained.clear()
        end = time.monotonic() + min(2.0 ** (self._repeats - 1), REPEAT_SECONDS)
        while time.monotonic() < end and not (self._pauses is not None and self._pauses.interrupted()):
            time.sleep(WAIT_SECONDS)

    def _submit(self, setup: Setup, shared: Any, parts: Sequence[Any], round: int) -> None:
        """Submit the tasks of a round."""
        cluster, shards = self._cluster, setup.shards
        if not self._trained:
            none = np.zeros(setup.config.epochs), np.zeros(setup.config.epochs, np.int64)
            self._trained = [cluster.put(Trained(words, *none)) for words in self._state.words]
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
                retry=False,  # the round starts again
            )
            for i, part in enumerate(parts)
        ]
        combined = [
            cluster.submit(
                combine_changes,
                *(changes[1 + shard] for changes in trained),
                returns=2,
                processors=setup.workers,  # with fewer, more processes would have tables, and Ray would stop some
                retry=False,
            )
            for shard in range(shards)
        ]
        self._trained = [result for result, *_ in trained]
        self._updates.append([update for update, _ in combined])
        self._pending.append((self._trained, [size for _, size in combined]))

    def _finish_round(self) -> None:
        """Wait for the oldest round that is not finished, and report what it has trained."""
        results, sizes = self._pending[0]
        updates = self._updates[self._state.finished - self._base]
        while not self._cluster.wait([*results, *sizes, *updates], WAIT_SECONDS):
            if self._pauses is not None and self._pauses.interrupted():
                self._pending.clear()  # a round may take long, and a resumed run repeats it
                self._apply_updates()
                self._pauses.run(self._report.state)
        state = self._report.state
        trained: list[Trained] = self._cluster.get(results)
        combined: list[Update] = self._cluster.get(updates)  # from now on, no other machine is needed for them
        of_shards = self._cluster.get(sizes)
        self._finished.append(combined)
        self._repeats = 0
        for of_replica in trained:
            state.losses += of_replica.losses
            state.predictions += of_replica.predictions
        for of_shard in of_shards:
            self._update_bytes += of_shard.update
            self._state.update_bytes += of_shard.update
            self._state.change_bytes += of_shard.changes
        self._state.words = [of_replica.words for of_replica in trained]
        state.words = sum(self._state.words)
        self._history.append(self._progress())
        self._state.finished += 1
        self._pending.popleft()
        self._report.report(self._report.totals(state.words))

    def _progress(self) -> _Progress:
        state = self._report.state
        words, losses, predictions = list(self._state.words), state.losses.copy(), state.predictions.copy()
        return _Progress(words, losses, predictions, self._state.change_bytes, self._state.update_bytes)

    def _finish_all(self) -> None:
        """Finish the rounds that are submitted, and bring the tables up to date."""
        while self._pending:
            self._finish_round()
        self._apply_updates()

    def _apply_updates(self) -> None:
        """Add the updates of the finished rounds to the tables."""
        while self._applied < self._state.finished:
            updates = self._finished[self._applied - self._base]
            self._applied += 1  # before an interrupt, after which updates must not be added again
            for update in updates:
                for W, changes in zip(self._tables, update, strict=True):
                    add_changes(W, changes)

    def _return_to_applied(self) -> None:
        """Make the state that of the tables, which lack the updates of the last rounds after an interrupt."""
        state, applied = self._report.state, self._history[self._applied - self._base]
        self._state.finished, self._state.words = self._applied, list(applied.words)
        self._state.change_bytes, self._state.update_bytes = applied.change_bytes, applied.update_bytes
        state.words, state.losses[:], state.predictions[:] = sum(applied.words), applied.losses, applied.predictions

    def _store(self) -> None:
        """Store the tables on the cluster as the base of the following rounds."""
        self._stored = self._cluster.put(Tables(*map(np.array, self._tables)))
        n, pending = self._applied - self._base, len(self._pending)
        self._updates = self._updates[n : n + pending]
        self._finished, self._history = self._finished[n:], self._history[n:]
        self._base = self._applied
        self._update_bytes = 0
