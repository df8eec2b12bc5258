"""A run of training: a call of `Word2Vec.fit` or `Word2Vec.train`, which `Word2Vec.resume` may continue.

`Run` stores the settings and the progress of a run. `Training` executes it: an engine trains the tables, and between
the steps, the loss on held-out text is measured, callbacks are called, and checkpoints are saved.
"""

from __future__ import annotations

import contextlib
import logging
import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from fastw2v.backend import on_device_of, to_device, to_host
from fastw2v.config import CHUNK_TOKENS, Loss, TrainingConfig, output_parts
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.distributed.training import Replicas, ReplicaState
from fastw2v.engines.base import Engine, Pauses, ProgressFunction, Tables, TrainingState
from fastw2v.engines.selection import find_engine
from fastw2v.training_log import TrainingLog
from fastw2v.utils.interrupts import DeferredInterrupts
from fastw2v.utils.loss import require_finite_weights
from fastw2v.utils.progress import Progress
from fastw2v.validation import Validation, ValidationRecord, held_out_loss
from fastw2v.vectors.unseen import vectors_of_vocabulary

if TYPE_CHECKING:
    from fastw2v.checkpoint import Checkpoints
    from fastw2v.formats import VectorRecord
    from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["Run", "Training", "checkpoint_record", "is_training", "plain_value"]

logger = logging.getLogger("fastw2v")

_models_in_training: weakref.WeakSet[Any] = weakref.WeakSet()


class Run(NamedTuple):
    """A call of `fit` or `train`, and how far it has come."""

    config: TrainingConfig
    """The settings, with the seed of this run."""
    state: TrainingState
    earlier_words: int
    """Value of `trained_words` before this run."""
    earlier_epochs: int
    """Value of `trained_epochs` before this run."""
    earlier_losses: int
    """Length of `epoch_losses` before this run."""
    corpus: dict[str, Any]
    """The result of `fastw2v.checkpoint.fingerprint`, or empty for a run without checkpoints."""
    parameters: dict[str, Any]
    """The parameters of the estimator at the start of the run, in the form that a file stores."""
    frozen: Sequence[int] = ()
    """Ids of the words that are not trained."""
    validation: ValidationRecord | None = None
    replicas: ReplicaState | None = None

    @property
    def complete(self) -> bool:
        """Whether the weights are the result of the run. Only for a run with checkpoints."""
        if self.validation is not None:
            return self.validation.finished
        return self.state.words == self.config.epochs * self.corpus["words"]

    def to_json(self) -> dict[str, Any]:
        """Return the run in the form that a checkpoint stores."""
        state = {"losses": self.state.losses.tolist(), "predictions": self.state.predictions.tolist()}
        config = {name: plain_value(value) for name, value in asdict(self.config).items()}
        if self.config.units == TrainingConfig.units:
            del config["units"]  # which older versions of fastw2v do not know
        saved = {**self._asdict(), "config": config, "state": state, "words": self.state.words}
        if self.validation is not None:
            saved["validation"] = asdict(self.validation)
            saved["best"] = self.validation.best_words  # the weights are in a file of their own
        if self.replicas is not None:
            saved["replicas"] = asdict(self.replicas)
        return saved

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """Return the run that a checkpoint stores."""
        state = TrainingState(
            saved["words"],
            np.array(saved["state"]["losses"], np.float64),
            np.array(saved["state"]["predictions"], np.int64),
        )
        given = {name: saved[name] for name in cls._fields if name in saved}
        given |= {"config": TrainingConfig(**saved["config"]), "state": state}
        if validation := given.get("validation"):
            losses = [(words, loss) for words, loss in validation["losses"]]
            given["validation"] = ValidationRecord(**validation | {"losses": losses})
        if replicas := given.get("replicas"):
            given["replicas"] = ReplicaState(**replicas)
        return cls(**given)


class Training:
    """The execution of a run, from its current state to its end.

    It is also the `fastw2v.engines.base.Pauses` of the engine, which stops between two steps for the tasks that are due
    and for an interrupt.

    Parameters
    ----------
    model : Word2Vec
        The estimator. Its matrices are trained in place. After each epoch and each run, complete or interrupted, its
        counters, its losses, and the settings and the caches of its vectors are up to date.
    corpus : Corpus or DistributedCorpus
        The corpus to train on, with the vocabulary of the model.
    run : Run
    progress : ProgressFunction, optional
    checkpoints : Checkpoints, optional
    held_out : Corpus, optional
        The corpus for ``run.validation``.
    best : WordVectors, optional
        The weights with the lowest held-out loss so far.
    log : TrainingLog, optional
    replicas : Replicas, optional
        The replicas that train instead of the model's engine.
    """

    def __init__(
        self,
        model: Any,
        corpus: Corpus | DistributedCorpus,
        run: Run,
        *,
        progress: ProgressFunction | None = None,
        checkpoints: Checkpoints | None = None,
        held_out: Corpus | None = None,
        best: WordVectors | None = None,
        log: TrainingLog | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        self._model = model
        self._corpus = corpus
        self._run = run
        self._state = run.state
        self._progress = progress
        self._checkpoints = checkpoints
        self._log = log
        self._engine: Engine = find_engine(model.engine_, model.device_)
        self._train_tables: Callable[..., Any] = (replicas or self._engine).train
        self._tables = Tables(*model.wv._writable_tables())
        self._validation = None
        if run.validation is not None and held_out is not None:
            W_in, W_out = self._tables
            copies = Tables(np.empty(W_in.shape, W_in.dtype), np.empty(W_out.shape, W_out.dtype))
            if best is not None:
                copies = Tables(*map(_host_copy, best._tables()))
            self._validation = Validation(held_out, run.validation, len(corpus), run.config.epochs, copies)
        self._total = run.config.epochs * len(corpus)
        self._start = self._step_end = run.state.words
        self._epoch_end = self._end_of_epoch(run.state.words)
        self._events = {event for callback in model.callbacks or () for event in model._events(callback)}
        self._parameters = model.get_params()
        self._bar = Progress("training", self._total - self._start, show=None if progress is None else False)
        self._interrupts = DeferredInterrupts()
        self._tasks = self._make_tasks()

    def train(self) -> None:
        """Train until the end of the run."""
        _models_in_training.add(self._model)
        try:
            self._train()
        finally:
            _models_in_training.discard(self._model)

    def _train(self) -> None:
        run, state, validation = self._run, self._state, self._validation
        self._model._notify("train_begin")
        with (
            contextlib.nullcontext() if self._checkpoints is None else self._checkpoints.lock(),
            contextlib.nullcontext() if self._log is None else self._log,
            self._bar,
            self._interrupts,
        ):
            try:
                if state.words < self._total:
                    self._model._notify("epoch_begin")
                self._adopt()
                if validation is not None and (validation.due(state.words) or validation.out_of_patience()):
                    self.run(state)  # the run was interrupted before this
                self._train_tables(
                    self._tables,
                    self._corpus,
                    run.config,
                    workers=self._model._n_workers(),
                    on_progress=self._report,
                    state=state,
                    pauses=self,
                    frozen=np.isin(np.arange(len(self._corpus.vocabulary)), run.frozen) if run.frozen else None,
                    subwords=self._model.wv.subwords,
                )
                if validation is not None and validation.due(state.words):
                    self._measure()
                    self._raise_interrupt()
            except _EarlyStop:
                self._model._interruptions += 1  # so that further training draws other numbers
            except BaseException:  # including Ctrl-C
                self._model._interruptions += 1
                raise
            finally:
                self._tasks.clear()  # they refer to this object, so its matrices would not be freed after the run
                self._update()
                if self._checkpoints is not None:
                    self._checkpoints.wait()
            self._interrupts.deferring = True  # until both matrices are restored, and the last checkpoint is written
            self._bar.update(state.words - self._start)
            try:
                if state.words == self._total:
                    self._end_epoch()
            finally:
                if validation is not None:
                    self._restore_best(validation)
                self._save_completely()
        self._model._notify("train_end")

    # The pauses of the engine

    def due(self, words: int) -> bool:
        """See `fastw2v.engines.base.Pauses`."""
        self._interrupts.deferring = True  # a step follows; until now, the engine was being prepared
        if words >= self._total:
            return False
        return self._interrupts.received or any(task.due(words) for task in self._tasks)

    def next_words(self, words: int) -> int:
        """See `fastw2v.engines.base.Pauses`."""
        return int(min([self._total, *(task.next_words(words) for task in self._tasks)]))

    def interrupted(self) -> bool:
        """See `fastw2v.engines.base.Pauses`."""
        return self._interrupts.received

    def run(self, state: TrainingState) -> None:
        """See `fastw2v.engines.base.Pauses`."""
        for task in self._tasks:
            if not self._interrupts.received and task.due(state.words):
                task.run()
        self._raise_interrupt()

    def _make_tasks(self) -> list[_Task]:
        """Return the tasks of the pauses, in the order in which they are run."""
        validation, checkpoints = self._validation, self._checkpoints
        tasks = []
        if validation is not None:
            tasks.append(_Task(validation.due, self._measure, lambda words: validation.next_words()))
        if "step" in self._events:
            tasks.append(_Task(lambda words: words > self._step_end, self._end_step))
        if self._model.callbacks:
            tasks.append(_Task(lambda words: words >= self._epoch_end, self._end_epoch, self._end_of_epoch))
        if validation is not None:
            tasks.append(_Task(lambda words: validation.out_of_patience(), self._stop_early))
        if checkpoints is not None:
            tasks.append(_Task(lambda words: checkpoints.due(), self._save))
        return tasks

    def _end_of_epoch(self, words: int) -> int:
        """Return the number of words at the end of the epoch."""
        return (words // len(self._corpus) + 1) * len(self._corpus)

    def _raise_interrupt(self) -> None:
        """Save a last checkpoint and raise the interrupt that was received, if any."""
        if self._interrupts.received:
            self._save_completely()
            self._interrupts.raise_received()

    def _report(self, words: int, loss: float, alpha: float) -> None:
        """Record the loss that the engine reports, during a step."""
        model = self._model
        model.trained_words = self._run.earlier_words + words
        model.loss_history.append((model.trained_words, loss))
        if self._log is not None:
            self._log.write(model.trained_words, loss=loss, learning_rate=alpha)
        self._bar.update(words - self._start, loss)
        if self._progress is not None:
            self._progress(words, loss, alpha)
        if "report" in self._events:
            model._notify("report")

    # The tasks

    def _measure(self) -> None:
        """Measure the loss on the held-out corpus. An interrupt ends the measurement, and nothing is recorded."""
        assert self._validation is not None
        model = self._model
        try:
            loss = held_out_loss(
                self._engine,
                self._tables,
                self._validation.corpus,
                self._run.config,
                seed=model.seed_,
                workers=model._n_workers(),
                subwords=model.wv.subwords,
                pauses=_PausesForInterrupts(self._interrupts),
            )
        except _Interrupted:
            return
        self._validation.add(self._state.words, loss, self._tables)
        words = self._run.earlier_words + self._state.words
        model.validation_history.append((words, loss))
        if self._log is not None:
            self._log.write(words, validation_loss=loss)
        self._bar.update(self._state.words - self._start, validation_loss=loss)
        self._notify("validation")

    def _stop_early(self) -> None:
        raise _EarlyStop

    def _end_step(self) -> None:
        self._step_end = self._state.words
        self._notify("step")

    def _end_epoch(self) -> None:
        self._epoch_end = self._end_of_epoch(self._state.words)
        self._notify("epoch_end", *["epoch_begin"] * (self._state.words < self._total))

    def _save(self) -> None:
        """Save a checkpoint, in a thread."""
        checkpoints, validation = self._checkpoints, self._validation
        assert checkpoints is not None
        checkpoints.wait()
        self._update()
        best = None
        try:
            record = checkpoint_record(self._model, self._run, Tables(*map(_host_copy, self._tables)))
            words = None if validation is None else validation.record.best_words
            if validation is not None and words is not None and not checkpoints.has_best(words):
                best = _best_record(
                    self._model.wv, words, Tables(*map(_host_copy, validation.best)), self._run.config.loss
                )
        except MemoryError as error:
            checkpoints.warn(error)
        else:
            checkpoints.save(record, best)

    def _save_completely(self) -> None:
        """Save a checkpoint if the run has checkpoints, and wait until it is written."""
        if self._checkpoints is not None:
            self._save()
            self._checkpoints.wait()

    def _restore_best(self, validation: Validation) -> None:
        """Make the weights with the lowest held-out loss the result of the run."""
        words, loss = validation.record.lowest
        logger.info("the held-out loss was lowest, %.4f, after %d of %d words", loss, words, self._state.words)
        self._write_tables(validation.best)
        validation.record.finished = True
        self._update()

    # The model

    def _update(self) -> None:
        """Bring the counters and the losses of the model, and the settings of its vectors, up to date."""
        model, run = self._model, self._run
        complete = self._state.words // len(self._corpus)
        model.trained_words = run.earlier_words + self._state.words
        model.trained_epochs = run.earlier_epochs + complete
        model.epoch_losses[run.earlier_losses :] = self._state.mean_losses()[:complete].tolist()
        self._set_tables()
        model.wv.settings = model._settings(run.config, run)

    def _notify(self, *events: str) -> None:
        """Call the callbacks between two steps, in which they can be interrupted at once."""
        self._update()
        deferring, self._interrupts.deferring = self._interrupts.deferring, False
        try:
            for event in events:
                self._model._notify(event)
            self._model._warn_of_late_changes(self._parameters)
        finally:
            self._adopt()
        self._interrupts.deferring = deferring

    def _adopt(self) -> None:
        """Continue from the matrices that a callback has assigned."""
        given = Tables(*self._model.wv._writable_tables())
        for W, now in zip(self._tables, given, strict=True):
            shape = None if now is None else tuple(now.shape)
            if shape != tuple(W.shape):
                replacement = "None" if now is None else f"one of shape {shape}"
                raise ValueError(
                    f"a callback has replaced a matrix of shape {tuple(W.shape)} by {replacement}; the vocabulary and "
                    "the dimensions cannot change during training"
                )
        self._write_tables(given)
        # This frees the vectors that a callback has used.
        self._set_tables()

    def _set_tables(self) -> None:
        """Make the tables those of the model's vectors."""
        config = self._run.config
        self._model.wv._set_tables(*self._tables, config.output_weight, config.loss)

    def _write_tables(self, given: Tables) -> None:
        """Copy other matrices into the tables, in place."""
        for W, now in zip(self._tables, given, strict=True):
            if now is not W:
                with on_device_of(W):
                    W[...] = to_device(now, self._model.device_)


class _Task(NamedTuple):
    """Something to do between two steps of a run."""

    due: Callable[[int], bool]
    """Returns whether the task is due after a number of words."""
    run: Callable[[], None]
    next_words: Callable[[int], float] = lambda words: math.inf
    """Returns a number of words, greater than the given one, after which the task is certainly due."""


class _PausesForInterrupts(Pauses):
    """The pauses of a measurement, which only an interrupt ends."""

    def __init__(self, interrupts: DeferredInterrupts) -> None:
        self._interrupts = interrupts

    def due(self, words: int) -> bool:
        return self._interrupts.received

    def next_words(self, words: int) -> int:
        return words + CHUNK_TOKENS

    def run(self, state: TrainingState) -> None:
        raise _Interrupted


class _Interrupted(Exception):  # noqa: N818  # it is not an error
    """A measurement was interrupted."""


class _EarlyStop(Exception):  # noqa: N818  # it is not an error
    """The run ends, because the held-out loss has not fallen."""


def checkpoint_record(model: Any, run: Run, tables: Tables) -> Callable[[], VectorRecord]:
    """Return a function that returns the content of a checkpoint, which can be called in another thread.

    Parameters
    ----------
    model : Word2Vec
    run : Run
    tables : Tables
        Copies of the matrices in the memory of the host, or matrices that do not change.

    Notes
    -----
    The function raises FloatingPointError if a weight is infinite or NaN, so that a run that has diverged keeps its
    last good checkpoint.
    """
    from fastw2v.formats import VectorRecord

    words, counts, c = model.wv.index_to_key, model.wv.counts, run.config.output_weight
    subwords = model.wv.subwords
    settings = model._saved_settings(run.config) | {"checkpoint": run.to_json(), "parameters": run.parameters}

    def record() -> VectorRecord:
        require_finite_weights(tables, f"a lower alpha (now {run.config.alpha:g})")
        W_in, W_out = tables
        context, nodes = output_parts(W_out, run.config.loss)
        if subwords is not None:
            means = vectors_of_vocabulary(W_in, subwords)
            return VectorRecord(words, means, counts, context, settings, W_in, nodes, subwords)
        if not c:
            return VectorRecord(words, W_in, counts, context, settings, node_vectors=nodes)
        vectors = context * np.asarray(c, W_out.dtype)
        vectors += W_in
        return VectorRecord(words, vectors, counts, context, settings, W_in, nodes)

    return record


def is_training(model: Any) -> bool:
    """Return whether a run of a model has begun and not ended."""
    return model in _models_in_training


def plain_value(value: Any) -> Any:
    """Return a parameter in the form that JSON stores.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.run import plain_value
    >>> plain_value(np.int64(5)), plain_value("cbow")
    (5, 'cbow')
    """
    return value.item() if isinstance(value, np.generic) else value


def _best_record(wv: WordVectors, words: int, tables: Tables, loss: Loss) -> VectorRecord:
    """Return the content of the file with the weights whose held-out loss is lowest."""
    from fastw2v.formats import VectorRecord

    context, nodes = output_parts(tables.W_out, loss)
    state = {"checkpoint": {"words": words}}
    if (subwords := wv.subwords) is not None:
        means = vectors_of_vocabulary(tables.W_in, subwords)
        return VectorRecord(wv.index_to_key, means, wv.counts, context, state, tables.W_in, nodes, subwords)
    return VectorRecord(wv.index_to_key, tables.W_in, wv.counts, context, state, node_vectors=nodes)


def _host_copy(W: Any) -> np.ndarray:
    """Return a contiguous copy of a matrix in the memory of the host."""
    return np.array(to_host(W), order="C")
