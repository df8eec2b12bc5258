"""What engines have in common: their interface, their tables, and the report of loss and progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastw2v.config import TrainingConfig
from fastw2v.corpus.corpus import Corpus

__all__ = ["Engine", "ProgressFunction", "Tables", "TrainingReport"]

ProgressFunction = Callable[[int, float, float], None]
"""Called with the words done, the mean loss per target since the last call, and the learning rate."""
REPORT_INTERVAL = 0.2
"""Longest time in seconds between two calls of the progress function."""
MIN_REPORTS = 20
"""Smallest number of calls, also in short runs, if there are as many steps: a loss curve needs points."""


class Tables(NamedTuple):
    """The weights of a model: two float arrays of shape (V, D)."""

    W_in: Any
    W_out: Any


class Engine(Protocol):
    """The interface of an engine, which is a module with these three functions."""

    def unavailable_reason(self, device: str) -> str | None:
        """Return why the engine cannot be used on "cpu", "cuda" or "cuda:N", or None when it can."""

    def allocate(self, shape: tuple[int, int], device: str) -> Tables:
        """Return float32 tables of zeros on a device, in the layout that `train` works on without a copy."""

    def train(
        self,
        tables: Tables,
        corpus: Corpus,
        config: TrainingConfig,
        *,
        workers: int | None = None,
        on_progress: ProgressFunction | None = None,
    ) -> np.ndarray:
        """Train both tables in place over all epochs.

        Parameters
        ----------
        tables : Tables
            float32 or float64; best made by `allocate`.
        corpus : Corpus
            With a word in its vocabulary for each row of the tables.
        config : TrainingConfig
        workers : int, optional
            Threads or blocks that train at once.
        on_progress : callable, optional
            Called in the calling thread about every 0.2 s, at least about twenty times, and at the end, as
            `ProgressFunction` says. Its exceptions, like Ctrl-C, end the training.

        Returns
        -------
        float64 array, shape (epochs,)
            Mean loss per target of each epoch.

        Raises
        ------
        ValueError
            If the tables or the corpus do not fit each other or the engine.
        FloatingPointError
            If the loss becomes infinite or NaN.
        """


class TrainingReport:
    """Loss by epoch, the learning rate, and the calls of the progress function of one run.

    Parameters
    ----------
    config : TrainingConfig
    n_tokens : int
        Tokens of an epoch.
    on_progress : ProgressFunction, optional

    Attributes
    ----------
    losses : float64 array, shape (epochs,)
        Summed loss of the targets of each epoch so far; the engine writes it.
    targets : int64 array, shape (epochs,)
        Number of those targets.
    slope : float
        Decrease of the learning rate per token.
    """

    def __init__(self, config: TrainingConfig, n_tokens: int, on_progress: ProgressFunction | None) -> None:
        total = config.epochs * n_tokens
        self.losses = np.zeros(config.epochs)
        self.targets = np.zeros(config.epochs, np.int64)
        self.slope = float(config.alpha - config.min_alpha) / total
        self._alpha = float(config.alpha)
        self._on_progress = on_progress
        self._step = max(1, total // MIN_REPORTS)
        self._due = self._step
        self._reported = (0.0, 0)
        self._time = time.monotonic()

    def rate(self, words: int) -> float:
        """Return the learning rate after so many words of all epochs."""
        return self._alpha - self.slope * words

    def is_due(self, words: int) -> bool:
        """Return whether a report is due, by the number of words or the time since the last one."""
        return self._due_by_words(words) or time.monotonic() - self._time > REPORT_INTERVAL

    def totals_if_due(self, words: int) -> tuple[int, float, int] | None:
        """Return what `report` takes, if a report is due by the number of words; the next is due a step later."""
        if not self._due_by_words(words):
            return None
        self._postpone(words)
        return self.totals(words)

    def totals(self, words: int) -> tuple[int, float, int]:
        """Return what `report` takes: the words, and the sums of loss and targets so far."""
        return words, float(self.losses.sum()), int(self.targets.sum())

    def report(self, totals: tuple[int, float, int]) -> None:
        """Call the progress function if targets have been trained since its last call."""
        words, loss, targets = totals
        self._time = time.monotonic()
        self._postpone(words)
        seen_loss, seen_targets = self._reported
        if self._on_progress is None or targets <= seen_targets:
            return
        self._on_progress(words, (loss - seen_loss) / (targets - seen_targets), self.rate(words))
        self._reported = (loss, targets)

    def mean_losses(self) -> np.ndarray:
        """Return the mean loss per target of each epoch."""
        return self.losses / np.maximum(self.targets, 1)

    def _postpone(self, words: int) -> None:
        """Let the next report be due a step after so many words."""
        self._due = max(self._due, (words // self._step + 1) * self._step)

    def _due_by_words(self, words: int) -> bool:
        return self._on_progress is not None and words >= self._due
