"""The interface of engines, the weight tables, and the reporting of loss and progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from fastw2v.config import Loss, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords

__all__ = [
    "Engine",
    "Pauses",
    "ProgressFunction",
    "Tables",
    "TrainingReport",
    "TrainingState",
    "combined_loss",
    "run_pause",
]

ProgressFunction = Callable[[int, float, float], None]
"""A function of the words trained so far, the mean loss per prediction since its last call, and the learning rate."""
REPORT_INTERVAL = 0.2
"""Maximum time between two calls of the progress function, in seconds."""
MIN_REPORTS = 20
"""Minimum number of calls of the progress function, given enough steps, so that even a short run has a loss curve."""


class Tables(NamedTuple):
    """The weights of a model: two float arrays with D columns."""

    W_in: Any
    """Input rows, which are the word vectors: V rows."""
    W_out: Any
    """Output rows of the words, of the inner nodes of the Huffman tree, or of both; see `config.output_rows`."""


def combined_loss(*results: tuple[float, int]) -> tuple[float, int]:
    """Return the summed loss and the number of predictions of a chunk that is trained with one loss or with two.

    The mean loss of the result is the sum of the mean losses, because each loss may be measured on other predictions.

    Parameters
    ----------
    *results : (float, int)
        Summed loss and number of measured predictions for each loss.

    Examples
    --------
    >>> from fastw2v.engines.base import combined_loss
    >>> combined_loss((30.0, 10), (400.0, 100))  # means of 3 and 4
    (70.0, 10)
    """
    if len(results) == 1:
        return results[0]
    _, predictions = results[0]
    return predictions * sum(loss / max(n, 1) for loss, n in results), predictions


@dataclass
class TrainingState:
    """How far a run has come. With the tables, it is all that an engine needs to continue the run.

    An engine adds the loss of the predictions that it has measured to `losses`, and their number to `predictions`. A
    prediction is a target of CBOW, or a pair of a target and a context of skip-gram, with its negatives.

    Attributes
    ----------
    words : int
        Words trained so far, counted over all epochs.
    losses : float64 array, shape (epochs,)
        Summed loss of the predictions that were measured in each epoch.
    predictions : int64 array, shape (epochs,)
        Number of predictions that were measured in each epoch.
    """

    words: int
    losses: np.ndarray
    predictions: np.ndarray

    @classmethod
    def at_start(cls, epochs: int) -> Self:
        """Return the state before a run of some epochs.

        Examples
        --------
        >>> from fastw2v.engines.base import TrainingState
        >>> TrainingState.at_start(2)
        TrainingState(words=0, losses=array([0., 0.]), predictions=array([0, 0]))
        """
        return cls(0, np.zeros(epochs), np.zeros(epochs, np.int64))

    def mean_losses(self) -> np.ndarray:
        """Return the mean loss per prediction of each epoch.

        Returns
        -------
        float64 array, shape (epochs,)
            NaN for an epoch without predictions.

        Examples
        --------
        >>> from fastw2v.engines.base import TrainingState
        >>> state = TrainingState.at_start(3)
        >>> state.losses[:], state.predictions[:] = [150, 60, 0], [100, 50, 0]
        >>> state.mean_losses()
        array([1.5, 1.2, nan])
        """
        means = np.full(len(self.losses), np.nan)
        return np.divide(self.losses, self.predictions, out=means, where=self.predictions > 0)


class Pauses(Protocol):
    """What to do between the steps of a run, such as writing a checkpoint.

    A step is a chunk of a fused engine, a launch of the GPU engine or a batch of the layers engine.
    """

    def due(self, words: int) -> bool:
        """Return whether the run must pause before its next step. An engine calls this before each step, in any thread.

        Parameters
        ----------
        words : int
            Words trained so far, counted over all epochs.
        """

    def next_words(self, words: int) -> int:
        """Return a number of words, greater than `words`, after which a pause is certainly due.

        An engine whose steps have no fixed size ends a step there.
        """

    def interrupted(self) -> bool:
        """Return whether the run was asked to stop. An engine with long steps need not finish them."""
        return False

    def run(self, state: TrainingState) -> None:
        """Use the tables while they do not change. An engine calls this in the calling thread when a pause is due.

        An exception ends the run.

        Parameters
        ----------
        state : TrainingState
            The current state, which belongs to the current content of the tables.
        """


def run_pause(pauses: Pauses, state: TrainingState, copied: list[tuple[Any, Any]]) -> None:
    """Run a pause of an engine that trains copies of the tables.

    Parameters
    ----------
    pauses : Pauses
    state : TrainingState
    copied : list of (array, array)
        The tables that are trained as a copy, and their copies. The tables receive the current weights before the
        pause, and the copies receive what the pause has changed.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.engines.base import TrainingState, run_pause
    >>> class Double:
    ...     def run(self, state):
    ...         W[...] *= 2
    >>> W, copy = np.zeros(2), np.array([1.0, 2.0])
    >>> run_pause(Double(), TrainingState.at_start(1), [(W, copy)])
    >>> copy.tolist()
    [2.0, 4.0]
    """
    for W, trained in copied:
        W[...] = trained
    try:
        pauses.run(state)
    finally:
        for W, trained in copied:
            trained[...] = W


class Engine(Protocol):
    """The interface of an engine, which is a module with these three functions."""

    def unavailable_reason(self, device: str) -> str | None:
        """Return why the engine cannot be used on a device, or None if it can.

        Parameters
        ----------
        device : str
            "cpu", "cuda" or "cuda:N".
        """

    def allocate(
        self,
        shape: tuple[int, int],
        device: str,
        loss: Loss = TrainingConfig.loss,
        input_rows: int | None = None,
    ) -> Tables:
        """Return float32 tables of zeros on a device, in the memory layout that `train` uses without copying.

        Parameters
        ----------
        shape : (int, int)
            V and D.
        device : str
            "cpu", "cuda" or "cuda:N".
        loss : {"ns", "hs", "hs+ns"}
            Determines the number of rows of W_out; see `config.output_rows`.
        input_rows : int, optional
            Number of rows of W_in, by default V.
        """

    def train(
        self,
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
        """Train both tables in place over all epochs.

        Parameters
        ----------
        tables : Tables
            float32 or float64 arrays, preferably from `allocate`.
        corpus : Corpus
            A corpus whose vocabulary has one word for each row of the tables.
        config : TrainingConfig
        workers : int, optional
            Number of threads (on a CPU) or blocks (on a GPU) that train at the same time.
        on_progress : ProgressFunction, optional
            Function that is called in the calling thread about every 0.2 s, at least about 20 times in total, and at
            the end. An exception in the function stops the training, as does Ctrl-C.
        state : TrainingState, optional
            State from which a run continues, with the tables that belong to it. It is kept up to date. By default, the
            run starts from the beginning.
        pauses : Pauses, optional
            What to do between the steps. With one worker, pausing or continuing a run does not change its result.
        frozen : bool array, shape (V,), optional
            Words whose rows of both tables keep their bytes. The other words are trained as usual. If all words are
            frozen, training only measures the loss. With subwords, the rows of the n-grams of frozen words are frozen,
            too.
        subwords : Subwords, optional
            The rows of W_in whose mean is the vector of each word. By default, word w has row w.

        Returns
        -------
        float64 array, shape (epochs,)
            Mean loss per prediction of each epoch. NaN if nothing can be trained, because no word has a context.

        Raises
        ------
        ValueError
            If the tables and the corpus do not match, or the engine does not support them.
        FloatingPointError
            If the loss or a trained weight becomes infinite or NaN.
        """


class TrainingReport:
    """The learning rate of a run, and the reports to its progress function.

    Parameters
    ----------
    config : TrainingConfig
    n_tokens : int
        Tokens in an epoch.
    on_progress : ProgressFunction, optional
    state : TrainingState, optional
        State from which the run continues. By default, the run starts from the beginning.

    Attributes
    ----------
    state : TrainingState
        The engine keeps it up to date.
    slope : float
        Decrease of the learning rate per token.

    Examples
    --------
    Half of a run of two epochs is done, with 100 predictions and a summed loss of 150:

    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines.base import TrainingReport
    >>> config = TrainingConfig(epochs=2, alpha=0.2, min_alpha=0.1)
    >>> def show(words, loss, rate):
    ...     print(f"{words} words, mean loss {loss}, learning rate {rate:.2f}")
    >>> report = TrainingReport(config, n_tokens=100, on_progress=show)
    >>> report.state.losses[0], report.state.predictions[0] = 150, 100
    >>> report.report(report.totals(100))
    100 words, mean loss 1.5, learning rate 0.15
    """

    def __init__(
        self,
        config: TrainingConfig,
        n_tokens: int,
        on_progress: ProgressFunction | None,
        state: TrainingState | None = None,
    ) -> None:
        total = config.epochs * n_tokens
        self.state = TrainingState.at_start(config.epochs) if state is None else state
        self.slope = float(config.alpha - config.min_alpha) / total
        self._alpha = float(config.alpha)
        self._on_progress = on_progress
        self._step = max(1, total // MIN_REPORTS)
        self._due = 0
        self._postpone(self.state.words)
        self._reported = self.totals(0)[1:]
        self._time = time.monotonic()

    def rate(self, words: int) -> float:
        """Return the learning rate after `words` words, counted over all epochs.

        Examples
        --------
        >>> from fastw2v.config import TrainingConfig
        >>> from fastw2v.engines.base import TrainingReport
        >>> report = TrainingReport(TrainingConfig(epochs=2, alpha=0.2, min_alpha=0.1), 100, None)
        >>> [round(report.rate(words), 2) for words in (0, 100, 200)]
        [0.2, 0.15, 0.1]
        """
        return self._alpha - self.slope * words

    def is_due(self, words: int) -> bool:
        """Return whether a report is due because of the words trained or the time since the last report.

        Examples
        --------
        In a run of 100 words, the first report is due after 5 words:

        >>> from fastw2v.config import TrainingConfig
        >>> from fastw2v.engines.base import TrainingReport
        >>> report = TrainingReport(TrainingConfig(epochs=1), 100, lambda words, loss, rate: None)
        >>> report.is_due(5)
        True
        """
        return self._due_by_words(words) or time.monotonic() - self._time > REPORT_INTERVAL

    def totals_if_due(self, words: int) -> tuple[int, float, int] | None:
        """Return the argument for `report` if the number of words makes a report due, and None otherwise.

        A call that returns an argument also postpones the next report by one step.

        Examples
        --------
        In a run of 100 words, a report is due every 5 words:

        >>> from fastw2v.config import TrainingConfig
        >>> from fastw2v.engines.base import TrainingReport
        >>> report = TrainingReport(TrainingConfig(epochs=1), 100, lambda words, loss, rate: None)
        >>> for words in (4, 5, 6):
        ...     print(report.totals_if_due(words))
        None
        (5, 0.0, 0)
        None
        """
        if not self._due_by_words(words):
            return None
        self._postpone(words)
        return self.totals(words)

    def totals(self, words: int) -> tuple[int, float, int]:
        """Return the argument for `report`: the words trained, the summed loss and the number of predictions.

        Examples
        --------
        >>> from fastw2v.config import TrainingConfig
        >>> from fastw2v.engines.base import TrainingReport
        >>> report = TrainingReport(TrainingConfig(epochs=2), 100, None)
        >>> report.state.losses[:], report.state.predictions[:] = [150, 60], [100, 50]
        >>> report.totals(160)
        (160, 210.0, 150)
        """
        return words, float(self.state.losses.sum()), int(self.state.predictions.sum())

    def report(self, totals: tuple[int, float, int]) -> None:
        """Call the progress function if predictions have been measured since its last call.

        Parameters
        ----------
        totals : (int, float, int)
            The result of `totals` or `totals_if_due`.

        Examples
        --------
        The loss is the mean since the last call. The second report has (210 − 150) / (150 − 100) = 1.2:

        >>> from fastw2v.config import TrainingConfig
        >>> from fastw2v.engines.base import TrainingReport
        >>> report = TrainingReport(TrainingConfig(epochs=2), 100, lambda words, loss, rate: print(words, loss))
        >>> report.report((100, 150.0, 100))
        100 1.5
        >>> report.report((160, 210.0, 150))
        160 1.2
        """
        words, loss, predictions = totals
        self._time = time.monotonic()
        self._postpone(words)
        seen_loss, seen = self._reported
        if self._on_progress is None or predictions <= seen:
            return
        self._on_progress(words, (loss - seen_loss) / (predictions - seen), self.rate(words))
        self._reported = (loss, predictions)

    def _postpone(self, words: int) -> None:
        """Make the next report due at the first step after `words` words."""
        self._due = max(self._due, (words // self._step + 1) * self._step)

    def _due_by_words(self, words: int) -> bool:
        """Return whether the number of words makes a report due."""
        return self._on_progress is not None and words >= self._due
