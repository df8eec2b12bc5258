"""The settings of training: names, defaults, checks and derived values, once for every engine and interface.

`TrainingConfig` holds what a user chooses. The constants below it are part of the schedule that the reference
implementation specifies (`fastw2v.engines.reference`); changing one changes the trained vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

__all__ = [
    "CHUNK_TOKENS",
    "MAX_STEP_NORM",
    "MIN_COUNT",
    "MIN_RATE",
    "SHUFFLE_BLOCK_TOKENS",
    "CbowGrad",
    "Model",
    "TrainingConfig",
    "cbow_grad_exponent",
    "cbow_grad_scale",
    "default_alpha",
    "default_cbow_grad",
    "default_pool_size",
]

Model = Literal["cbow", "skipgram"]
CbowGrad = Literal["mean", "balanced", "sum"]
"""Divisor of the gradient of each of CBOW's C context rows: C, C to the power 3/4, or 1.

"mean" is the exact gradient of the mean; "sum" is that of word2vec.c, gensim and fastText. "balanced" lies between the
two and gives the best vectors (`docs/kernels.md`).
"""

CHUNK_TOKENS = 8192
"""Tokens of a chunk of the corpus, which one worker trains at a time. A longer sentence is split."""
SHUFFLE_BLOCK_TOKENS = 1 << 24
"""Tokens among which the order of chunks is random."""
MAX_STEP_NORM = 1.6
"""Largest norm of one update of a streamed row, or of a skip-gram target's input row; longer ones are clipped to it.

A row is written up to two windows after it is read. If its word recurs meanwhile, the updates accumulate without being
seen. On running text such a long update is rare. On walks over a small graph with a wide window, the error would grow
exponentially without this bound.
"""
TILE = 4
"""T: targets trained at a time."""
POOL_TOKENS = 256
"""L: tokens of the corpus that share a pool of negatives."""
MIN_COUNT = 5
"""Smallest count of a word that is taken into the vocabulary of a text."""
MIN_RATE = 1e-9
"""Lowest initial learning rate."""
MIN_POOL_SIZE: dict[Model, int] = {"cbow": 24, "skipgram": 32}
"""Smallest default of P. A skip-gram target's pool stands for the negatives of each of its contexts."""

_EXPONENTS: dict[str, float] = {"mean": 1.0, "balanced": 0.75, "sum": 0.0}
_SIZES = ("vector_size", "window", "negative", "epochs", "pool_tokens", "pool_size", "tile")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The settings of one training run, checked and completed.

    Every engine takes one. The estimator's keywords and the command line's options take their defaults from it, and
    ``dataclasses.asdict`` of it is stored with the vectors.

    Parameters
    ----------
    model : {"cbow", "skipgram"}
        Predict a word from the mean of its contexts, or each context from the word.
    vector_size : int
        D, dimensions of a vector.
    window : int
        Largest distance of a context from its target, on either side.
    negative : int
        Negative samples for each positive.
    ns_exponent : float
        Exponent of the counts in the noise distribution, from -1 to 1.
    sample : float
        Subsampling threshold, from 0 to 1: occurrences of words with a larger share of the corpus are randomly
        dropped. 0 keeps all.
    alpha : float, optional
        Initial learning rate; `default_alpha` when absent.
    min_alpha : float
        Final learning rate; the rate falls linearly over all tokens of all epochs.
    epochs : int
        Passes over the corpus.
    seed : int
        Seed of every random choice.
    shrink_windows : bool
        Draw each target's window width uniformly from 1 to `window`; otherwise all are `window` wide.
    cbow_grad : {"mean", "balanced", "sum"}, optional
        See `CbowGrad`; `default_cbow_grad` when absent.
    deterministic : bool
        Whether a repeated run on the same machine must give the same bytes on a GPU too.
    pool_tokens : int
        L, tokens of the corpus that share a pool of negatives.
    pool_size : int, optional
        P, negatives in a pool; `default_pool_size` when absent.
    tile : int
        T, targets trained at a time.

    Raises
    ------
    TypeError, ValueError
        If a setting is outside its range; the message names it.

    Examples
    --------
    >>> from fastw2v.config import TrainingConfig
    >>> config = TrainingConfig(model="skipgram", window=5)
    >>> config.alpha, config.pool_size
    (0.04, 32)
    >>> TrainingConfig(alpha=0.05).cbow_grad
    'sum'
    """

    model: Model = "cbow"
    vector_size: int = 100
    window: int = 5
    negative: int = 5
    ns_exponent: float = 0.75
    sample: float = 1e-3
    alpha: float = None  # type: ignore[assignment]  # completed, like cbow_grad and pool_size
    min_alpha: float = 1e-4
    epochs: int = 5
    seed: int = 1
    shrink_windows: bool = True
    cbow_grad: CbowGrad = None  # type: ignore[assignment]
    deterministic: bool = False
    pool_tokens: int = POOL_TOKENS
    pool_size: int = None  # type: ignore[assignment]
    tile: int = TILE

    def __post_init__(self) -> None:
        check_choice("model", self.model, get_args(Model))
        cbow_grad = default_cbow_grad(self.alpha) if self.cbow_grad is None else self.cbow_grad
        self._set_default("cbow_grad", cbow_grad)
        check_choice("cbow_grad", self.cbow_grad, get_args(CbowGrad))
        for name in ("window", "negative", "vector_size"):  # what the other defaults are derived from
            check_integer(name, getattr(self, name), minimum=1)
        self._set_default("alpha", default_alpha(self.model, self.window, self.cbow_grad))
        self._set_default("pool_size", default_pool_size(self.model, self.negative, self.vector_size))
        for name in _SIZES:
            check_integer(name, getattr(self, name), minimum=1)
        check_integer("seed", self.seed)
        check_range("ns_exponent", self.ns_exponent, -1.0, 1.0)
        check_range("sample", self.sample, 0.0, 1.0)
        check_range("min_alpha", self.min_alpha, 0.0, 100.0)
        check_range("alpha", self.alpha, MIN_RATE, 100.0)
        if self.alpha < self.min_alpha:
            raise ValueError(f"alpha is {self.alpha} and min_alpha {self.min_alpha}; alpha must not be below min_alpha")

    def _set_default(self, name: str, default: Any) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, default)  # the dataclass is frozen for everyone else


def default_alpha(model: str, window: int, cbow_grad: str) -> float:
    """Return the initial learning rate used when none is given.

    A skip-gram target's gradient is a sum over its window, so its rate decreases with the window. The values were found
    by experiment (`docs/kernels.md`).
    """
    if model == "skipgram":
        return min(0.06, 0.2 / window)
    return 0.05 if cbow_grad == "sum" else 0.2


def default_cbow_grad(alpha: float | None) -> CbowGrad:
    """Return the division of CBOW's gradient used when none is given.

    It is "balanced", which gives the best vectors, unless a learning rate is given: rates quoted for other tools assume
    "sum" and are far too low for the other choices.
    """
    return "balanced" if alpha is None else "sum"


def default_pool_size(model: str, negative: int, vector_size: int) -> int:
    """Return the default pool size; more negatives or dimensions need a larger pool (`docs/kernels.md`)."""
    smallest = MIN_POOL_SIZE["skipgram" if model == "skipgram" else "cbow"]
    return max(smallest, 3 * negative, 4 * -(-vector_size // 40))


def cbow_grad_exponent(cbow_grad: str) -> float:
    """Return the power of the number of contexts by which `cbow_grad` divides CBOW's gradient.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> from fastw2v.config import cbow_grad_exponent
    >>> cbow_grad_exponent("balanced")
    0.75
    """
    check_choice("cbow_grad", cbow_grad, get_args(CbowGrad))
    return _EXPONENTS[cbow_grad]


def cbow_grad_scale(cbow_grad: str, max_contexts: int) -> np.ndarray:
    """Return the factor of a context row's gradient, indexed by the number of contexts from 0 to `max_contexts`.

    Returns
    -------
    float64 array, shape (max_contexts + 1,)
        ``C ** -cbow_grad_exponent(cbow_grad)``, and 1 for C = 0.
    """
    return np.maximum(np.arange(max_contexts + 1), 1.0) ** -cbow_grad_exponent(cbow_grad)


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise ValueError unless a setting is one of its choices."""
    if value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(f"{name} is {value!r}; it must be {', '.join(others)} or {last}")


def check_integer(name: str, value: Any, minimum: int | None = None) -> None:
    """Raise TypeError unless a setting is an integer, and ValueError if it is below `minimum`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; it must be a whole number")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} is {value}; it must be at least {minimum}")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError unless a setting lies between two bounds."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; it must lie between {low} and {high}")
