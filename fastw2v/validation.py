"""The loss on held-out text during a run, and the weights with which it was lowest.

`Word2Vec.fit`, `Word2Vec.train` and `Word2Vec.resume` use this module.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import TrainingConfig, check_integer
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.engines.base import Engine, Pauses, Tables
from fastw2v.sampling import rng
from fastw2v.utils.quote import quote

__all__ = ["Validation", "ValidationRecord", "check_validation", "held_out_loss", "naming_validation"]

MEASUREMENTS = 20
"""Minimum number of measurements in a run. A run of more epochs has one at the end of each epoch."""
MAX_MEASUREMENTS = 1000
"""Maximum number of measurements in a run, for runs of very many epochs."""


@dataclass
class ValidationRecord:
    """What a checkpoint stores about the validation of a run.

    Attributes
    ----------
    corpus : dict
        The result of `fastw2v.checkpoint.fingerprint` for the held-out corpus, or empty for a run without checkpoints.
    share : float or None
        The share of the sentences of the corpus that is held out, or None if the held-out corpus is a different one.
    patience : int or None
        Number of measurements without a lower loss after which the run ends, or None.
    losses : list of (int, float)
        Numbers of words trained in the run, and the held-out losses measured then.
    finished : bool
        Whether the run has ended, and its weights are those with the lowest loss.
    """

    corpus: dict[str, Any]
    share: float | None
    patience: int | None
    losses: list[tuple[int, float]] = field(default_factory=list)
    finished: bool = False

    @property
    def lowest(self) -> tuple[int, float]:
        """The first of the lowest losses, with its number of words, or (0, infinity) before the first measurement.

        Examples
        --------
        >>> from fastw2v.validation import ValidationRecord
        >>> ValidationRecord({}, None, None, losses=[(100, 3.1), (200, 2.9), (300, 3.0)]).lowest
        (200, 2.9)
        """
        return min(self.losses, key=lambda entry: entry[1], default=(0, math.inf))

    @property
    def best_words(self) -> int | None:
        """Number of words after which the loss was lowest, or None if the weights are not needed or not known.

        Examples
        --------
        >>> from fastw2v.validation import ValidationRecord
        >>> ValidationRecord({}, None, None, losses=[(100, 3.1), (200, 2.9), (300, 3.0)]).best_words
        200
        """
        return self.lowest[0] if self.losses and not self.finished else None

    @property
    def out_of_patience(self) -> bool:
        """Whether the last `patience` measurements were not lower than one before them.

        Examples
        --------
        >>> from fastw2v.validation import ValidationRecord
        >>> losses = [(100, 3.1), (200, 2.9), (300, 3.0), (400, 2.9)]
        >>> [ValidationRecord({}, None, patience, losses).out_of_patience for patience in (2, 3, None)]
        [True, False, False]
        """
        words = self.lowest[0]
        return self.patience is not None and sum(there > words for there, _ in self.losses) >= self.patience


class Validation:
    """The measurements of the held-out loss in a run, and a copy of the weights with which it was lowest.

    Parameters
    ----------
    corpus : Corpus
        The held-out corpus, with the vocabulary of the run.
    record : ValidationRecord
        The measurements so far, to which new ones are added.
    epoch_words, epochs : int
        Number of words in an epoch, and number of epochs of the run.
    best : Tables
        NumPy arrays with the shape and the dtype of the tables. They receive the weights with the lowest loss. If
        `record` has measurements, they contain these weights already.

    Examples
    --------
    A run of 5 epochs is measured 20 times:

    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.engines.base import Tables
    >>> from fastw2v.validation import Validation, ValidationRecord
    >>> corpus, tables = Corpus.from_ids([0, 1]), Tables(np.ones((2, 3)), np.zeros((2, 3)))
    >>> record = ValidationRecord({}, None, patience=None)
    >>> validation = Validation(corpus, record, epoch_words=1000, epochs=5, best=Tables(*map(np.empty_like, tables)))
    >>> validation.next_words()
    250
    >>> validation.add(250, 3.5, tables)
    >>> validation.next_words(), validation.best.W_in[0].tolist()
    (500, [1.0, 1.0, 1.0])
    """

    def __init__(self, corpus: Corpus, record: ValidationRecord, epoch_words: int, epochs: int, best: Tables) -> None:
        self.corpus = corpus
        self.record = record
        self.best = best
        self._total = epoch_words * epochs
        interval = min(epoch_words, self._total // MEASUREMENTS)
        self._interval = max(1, interval, self._total // MAX_MEASUREMENTS)
        self._out_of_patience = record.out_of_patience

    def next_words(self) -> int:
        """Return the number of words after which the next measurement is due. The last one is at the end of the run.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import Corpus
        >>> from fastw2v.engines.base import Tables
        >>> from fastw2v.validation import Validation, ValidationRecord
        >>> record = ValidationRecord({}, None, None, losses=[(250, 3.1), (530, 2.9)])
        >>> best = Tables(np.ones((2, 3)), np.ones((2, 3)))
        >>> Validation(Corpus.from_ids([0, 1]), record, epoch_words=1000, epochs=5, best=best).next_words()
        750
        """
        measured = self.record.losses[-1][0] if self.record.losses else 0
        following = (measured // self._interval + 1) * self._interval
        return following if measured >= self._total else min(following, self._total)

    def due(self, words: int) -> bool:
        """Return whether a measurement is due after `words` words of the run.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import Corpus
        >>> from fastw2v.engines.base import Tables
        >>> from fastw2v.validation import Validation, ValidationRecord
        >>> best = Tables(np.ones((2, 3)), np.ones((2, 3)))
        >>> validation = Validation(Corpus.from_ids([0, 1]), ValidationRecord({}, None, None), 1000, 5, best)
        >>> validation.due(249), validation.due(250)
        (False, True)
        """
        return words >= self.next_words()

    def out_of_patience(self) -> bool:
        """Return whether the run should end; see `ValidationRecord.out_of_patience`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import Corpus
        >>> from fastw2v.engines.base import Tables
        >>> from fastw2v.validation import Validation, ValidationRecord
        >>> record = ValidationRecord({}, None, patience=1, losses=[(250, 3.1), (500, 3.2)])
        >>> best = Tables(np.ones((2, 3)), np.ones((2, 3)))
        >>> Validation(Corpus.from_ids([0, 1]), record, epoch_words=1000, epochs=5, best=best).out_of_patience()
        True
        """
        return self._out_of_patience

    def add(self, words: int, loss: float, tables: Tables) -> None:
        """Add a measurement, and copy the tables if the loss is lower than all earlier ones.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import Corpus
        >>> from fastw2v.engines.base import Tables
        >>> from fastw2v.validation import Validation, ValidationRecord
        >>> best = Tables(np.zeros((2, 3)), np.zeros((2, 3)))
        >>> validation = Validation(Corpus.from_ids([0, 1]), ValidationRecord({}, None, None), 1000, 5, best)
        >>> for words, loss in ((250, 3.5), (500, 3.4), (750, 3.6)):
        ...     validation.add(words, loss, Tables(np.full((2, 3), words), np.zeros((2, 3))))
        >>> validation.record.lowest, validation.best.W_in[0].tolist()
        ((500, 3.4), [500.0, 500.0, 500.0])
        """
        if loss < self.record.lowest[1]:
            for copy, W in zip(self.best, tables, strict=True):
                copy[...] = to_host(W)
        self.record.losses.append((words, loss))
        self._out_of_patience = self.record.out_of_patience


def held_out_loss(
    engine: Engine,
    tables: Tables,
    corpus: Corpus,
    config: TrainingConfig,
    *,
    seed: int,
    workers: int | None,
    pauses: Pauses | None = None,
    subwords: Subwords | None = None,
) -> float:
    """Return the mean loss per prediction on a held-out corpus. The tables do not change.

    Parameters
    ----------
    engine : Engine
    tables : Tables
        The weights, on the device of the engine.
    corpus : Corpus
        The held-out corpus, with the vocabulary of the tables.
    config : TrainingConfig
        The settings of the run. Subsampling, windows and negatives are drawn in the same way.
    seed : int
        The seed of the model. The same seed gives the same draws, so differences are due to the weights alone.
    workers : int or None
    pauses, subwords
        See `Engine.train`.

    Raises
    ------
    FloatingPointError
        If the loss or a weight is infinite or NaN.
    ValueError
        If there is nothing to predict, because subsampling drops too many words.

    Notes
    -----
    The engine trains on the held-out corpus with all words frozen. Each tile has a pool of negatives of its own, so the
    loss of every target is measured.

    Examples
    --------
    With zero weights, the loss is about (1 + 5) · ln 2:

    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.engines import eager
    >>> from fastw2v.engines.base import Tables
    >>> from fastw2v.validation import held_out_loss
    >>> tables, corpus = Tables(np.zeros((1000, 4)), np.zeros((1000, 4))), Corpus.from_ids(np.arange(1000))
    >>> config = TrainingConfig(vector_size=4, sample=0)
    >>> round(held_out_loss(eager, tables, corpus, config, seed=1, workers=None), 2)
    4.16
    """
    seed = rng.stream_key(seed, rng.VALIDATION, 0)
    config = replace(config, epochs=1, seed=seed, pool_tokens=config.tile)
    frozen = np.ones(len(corpus.vocabulary), bool)
    try:
        losses = engine.train(tables, corpus, config, workers=workers, frozen=frozen, pauses=pauses, subwords=subwords)
        loss = float(losses[0])
    except FloatingPointError as error:
        raise FloatingPointError(f"on the held-out corpus, {error}") from error
    if math.isnan(loss):
        raise ValueError(
            f"the loss on the held-out corpus cannot be measured, because subsampling with sample={config.sample:g} "
            f"drops nearly all of its {len(corpus)} words. Hold out more sentences, or set sample=0"
        )
    return loss


@contextlib.contextmanager
def naming_validation() -> Iterator[None]:
    """Context manager for reading held-out text. The messages of errors name the parameter `validation`.

    Examples
    --------
    >>> from fastw2v.validation import naming_validation
    >>> with naming_validation():
    ...     raise ValueError("there are no words")
    Traceback (most recent call last):
        ...
    ValueError: validation cannot be used: there are no words
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the message names the file
            raise
        raise type(error)(f"validation cannot be used: {error}") from error
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"validation cannot be used: {error}") from error


def check_validation(validation: Any, patience: Any) -> None:
    """Raise an error unless the parameters `validation` and `patience` of `Word2Vec.fit` can be used.

    Raises
    ------
    TypeError
        If `validation` is an integer or a bool, or `patience` is not an integer.
    ValueError
        If `validation` is a number outside 0 to 1, `patience` is below 1, or there is a `patience` alone.

    Examples
    --------
    >>> from fastw2v.validation import check_validation
    >>> check_validation(0.01, patience=3)
    >>> check_validation(1.5, patience=None)
    Traceback (most recent call last):
        ...
    ValueError: validation is 1.5; a share of the sentences must lie between 0 and 1, without 0 and 1
    """
    if isinstance(validation, (bool, int, np.integer)):
        raise TypeError(
            f"validation is {quote(validation)}; it must be a share of the sentences such as 0.01, or held-out text: a "
            "path, a Corpus or token lists"
        )
    if isinstance(validation, (float, np.floating)) and not 0 < validation < 1:
        raise ValueError(
            f"validation is {quote(validation)}; a share of the sentences must lie between 0 and 1, without 0 and 1"
        )
    if patience is not None:
        check_integer("patience", patience, minimum=1)
        if validation is None:
            raise ValueError(f"patience is {patience}, but it has no effect without validation; set validation as well")
