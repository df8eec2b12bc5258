"""Training settings shared by all engines and interfaces: names, defaults, checks and derived values.

`TrainingConfig` holds the settings that a user chooses. The constants are part of the schedule that the reference
implementation specifies (`fastw2v.engines.reference`). Changing any constant changes the trained vectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from fastw2v.utils.quote import quote

__all__ = [
    "AUTO",
    "BUCKET",
    "CHECKPOINT_EVERY",
    "CHUNK_TOKENS",
    "EPOCHS",
    "FLORET_BUCKET",
    "HELD_TOKENS",
    "MAX_STEP_NORM",
    "MIN_COUNT",
    "MIN_RATE",
    "NEGATIVE",
    "POOLS",
    "PRIVATE_TOKENS",
    "SHUFFLE_BLOCK_TOKENS",
    "UNICODE_FORMS",
    "CbowGrad",
    "Loss",
    "Model",
    "PoolSizes",
    "Quality",
    "StoredType",
    "TrainingConfig",
    "UnicodeForm",
    "Units",
    "cbow_grad_exponent",
    "cbow_grad_scale",
    "default_alpha",
    "default_cbow_grad",
    "default_output_weight",
    "default_pool",
    "default_sample",
    "output_parts",
    "output_rows",
]

AUTO: Literal["auto"] = "auto"
"""Default of the subsampling threshold of `Word2Vec`; see `default_sample`."""
Model = Literal["cbow", "skipgram"]
Loss = Literal["ns", "hs", "hs+ns"]
"""Names of the losses: negative sampling, hierarchical softmax, or the sum of both."""
CbowGrad = Literal["mean", "balanced", "sum"]
"""Names of the divisors of CBOW's input gradient. C is the number of contexts.

"mean" divides by C, which gives the exact gradient of the mean. "sum" does not divide, like word2vec.c, gensim and
fastText. "balanced" divides by C to the power 3/4 and gives the best vectors (`docs/notebook/defaults.md`).
"""

StoredType = Literal["float16", "float32", "float64", "int8"]
"""Types in which vectors can be stored; see `WordVectors.astype`."""
Units = Literal["characters", "syllables", "jamo"]
"""Names of the units of n-grams.

"characters" are Unicode code points, as in fastText. "syllables" are the characters of the word in the Unicode form
NFC, in which each Hangul syllable is one character. "jamo" are the letters of Hangul syllables, three for each.
"""

Quality = Literal["fast", "balanced", "best"]
"""Names of the trade-offs between the training time and the quality of the vectors.

"fast" gives vectors at least as good as those of other tools. "balanced" is the default. "best" takes four to six
times as long. `docs/notebook/defaults.md` has the measurements.
"""

UnicodeForm = Literal["NFC", "NFD", "NFKC", "NFKD"]
"""Names of the Unicode normalisation forms."""
UNICODE_FORMS: tuple[UnicodeForm, ...] = get_args(UnicodeForm)

CHUNK_TOKENS = 8192
"""Maximum number of tokens in a chunk, the unit of work of one worker. Longer sentences are split."""
SHUFFLE_BLOCK_TOKENS = 1 << 24
"""Number of tokens in a shuffle block, within which chunks are shuffled."""
MAX_STEP_NORM = 1.6
"""Maximum norm of one update of a streamed row or of a skip-gram target's input row. Longer updates are clipped.

A row is written back up to two windows after it is read. If its word recurs in between, every occurrence computes its
gradient from the same stale row, and the updates add up. Updates of this length are rare in ordinary text, but without
the limit the error would grow exponentially on walks over a small graph with a wide window.
"""
TILE = 4
"""T: number of targets in a tile, which are trained together."""
HELD_TOKENS = 2048
"""Number of corpus tokens between two write-backs of the inner nodes near the root, added up over all workers."""
PRIVATE_TOKENS = 8192
"""Number of corpus tokens between two write-backs of private copies of frequent rows, added up over all workers."""
CHECKPOINT_EVERY = "10m"
"""Default time between two checkpoints."""
MIN_COUNT = 5
"""Default minimum count of a word in the vocabulary of a text."""
MIN_RATE = 1e-9
"""Lowest initial learning rate that is allowed."""
MIN_DEFAULT_ALPHA = 1e-3
"""Lower bound of the default learning rate, for any number of epochs."""
WIDE_CONTEXTS = 50
"""Number of contexts above which the default learning rate falls with its root (CBOW) or no further (skip-gram)."""
FULL_RATE_EPOCHS: dict[Model, int] = {"cbow": 40, "skipgram": 80}
"""The default rate is lowered above this number of epochs, divided by the square root of the median count."""
BUCKET = 2_000_000
"""Default number of buckets for the n-grams of words, as in fastText."""
FLORET_BUCKET = 50_000
"""Default number of rows of a table of floret."""
MAX_NGRAM = 1000
"""Highest number of characters of an n-gram."""
MAX_HASH_COUNT = 4
"""Highest number of hashes of an n-gram in floret's tables."""
SUBWORD_SAMPLE = 1e-4
"""Default subsampling threshold with subwords, as in fastText."""
SUBWORD_ALPHA = 0.15
"""Default initial learning rate of CBOW with subwords and negative sampling."""
OUTPUT_WEIGHT = 0.4
"""Default weight c of W_out in CBOW's vectors, W_in + c · W_out. The vectors of skip-gram are W_in."""
EPOCHS: dict[Quality, int] = {"fast": 5, "balanced": 5, "best": 15}
"""Default number of epochs."""
NEGATIVE: dict[Quality, int] = {"fast": 5, "balanced": 5, "best": 15}
"""Default number of negative samples per positive example."""


class PoolSizes(NamedTuple):
    """Default sizes of a pool of negatives. P is the largest of the three lower bounds."""

    tokens: int
    """L, the number of corpus tokens that share a pool."""
    smallest: int
    """Lower bound of P."""
    per_negative: int
    """Lower bound of P, divided by `negative`."""
    per_100_dimensions: int
    """Lower bound of P, divided by D / 100."""


POOLS: dict[str, dict[Quality, PoolSizes]] = {
    "cbow": {
        "fast": PoolSizes(64, 12, 1, 5),
        "balanced": PoolSizes(64, 16, 2, 8),
        "best": PoolSizes(64, 48, 3, 16),
    },
    "cbow, W_in alone": {
        "fast": PoolSizes(128, 16, 2, 8),
        "balanced": PoolSizes(256, 24, 3, 10),
        "best": PoolSizes(64, 48, 3, 16),
    },
    "skipgram": {
        "fast": PoolSizes(64, 16, 2, 8),
        "balanced": PoolSizes(64, 24, 3, 10),
        "best": PoolSizes(64, 48, 3, 16),
    },
    "cbow, subwords": {
        "fast": PoolSizes(64, 16, 2, 8),
        "balanced": PoolSizes(64, 24, 3, 10),
        "best": PoolSizes(64, 48, 3, 16),
    },
    "skipgram, subwords": {
        "fast": PoolSizes(64, 24, 3, 10),
        "balanced": PoolSizes(32, 32, 4, 13),
        "best": PoolSizes(32, 48, 4, 16),
    },
}
"""Default sizes of pools.

Vectors from both matrices need fewer negatives than W_in alone. Skip-gram needs more than CBOW, because a pool supplies
the negatives of all contexts of a target. With subwords, both models need more of them, because words share rows.
"""

_EXPONENTS: dict[str, float] = {"mean": 1.0, "balanced": 0.75, "sum": 0.0}
MAX_SIZE = 2**31 - 1
"""Highest value of the settings in `_SIZES`, which kernels store in 32 bits."""
_SIZES = ("vector_size", "window", "negative", "epochs", "pool_tokens", "pool_size", "tile")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The validated settings of one training run, with all defaults filled in.

    Engines are configured by a `TrainingConfig`. It also defines the defaults of `Word2Vec` and of the command line,
    and is stored with the vectors as a dictionary.

    Parameters
    ----------
    model : {"cbow", "skipgram"}
        "cbow" predicts a word from the mean of its contexts. "skipgram" predicts each context from the word.
    loss : {"ns", "hs", "hs+ns"}
        "ns" is negative sampling, "hs" is hierarchical softmax, and "hs+ns" trains with both.
    quality : {"fast", "balanced", "best"}
        Determines the defaults of `epochs`, `negative`, `pool_tokens` and `pool_size`; see `Quality`.
    vector_size : int
        D, the number of dimensions of a vector.
    window : int
        Maximum distance between a target and a context, on either side.
    negative : int, optional
        Number of negative samples per positive example. The default is that of `quality`, in `NEGATIVE`. It has no
        effect on "hs".
    ns_exponent : float
        Exponent of the counts in the noise distribution, from -1 to 1.
    sample : float
        Subsampling threshold, from 0 to 1. If a word's share of the corpus exceeds the threshold, some of its
        occurrences are dropped at random. 0 keeps every occurrence.
    alpha : float, optional
        Initial learning rate. By default, the result of `default_alpha` for the window. The default of `Word2Vec` also
        depends on the sentences and the counts of the corpus.
    min_alpha : float
        Final learning rate. The rate decreases linearly over all tokens of all epochs. If it is left at its default and
        `alpha` is lower, the rate is constant.
    epochs : int, optional
        Number of passes over the corpus. The default is that of `quality`, in `EPOCHS`.
    seed : int
        Seed of the random numbers.
    shrink_windows : bool
        If True, draw the window width of each target uniformly from 1 to `window`. Otherwise, the width is always
        `window`.
    cbow_grad : {"mean", "balanced", "sum"}, optional
        Divisor of CBOW's input gradient; see `CbowGrad`. The default is computed by `default_cbow_grad`.
    output_weight : float, optional
        c, from 0 to 1. The trained vectors are W_in + c · W_out. The default is computed by `default_output_weight`.
    subwords : (int, int), optional
        Numbers of units of the shortest and the longest n-grams of a word. If they are set, the vector of a word is the
        mean of its own row of W_in and the rows of its n-grams.
    bucket : int, optional
        Number of buckets to which the n-grams are hashed. By default, `BUCKET`, or `FLORET_BUCKET` with `hash_count`.
        It has no effect without `subwords`.
    hash_count : int, optional
        Number of hashes of an n-gram in floret's tables, from 1 to 4. By default, n-grams are those of fastText.
    units : {"characters", "syllables", "jamo"}
        Units of n-grams; see `Units`. Other units than characters need `subwords`.
    deterministic : bool
        Whether repeated runs on the same machine must give identical bytes, even on a GPU.
    pool_tokens, pool_size : int, optional
        L, the number of corpus tokens that share a pool of negatives, and P, the number of negatives in a pool. The
        defaults are computed by `default_pool`.
    tile : int
        T, the number of targets trained together. Hierarchical softmax always trains one target at a time.

    Raises
    ------
    TypeError
        If a setting has the wrong type.
    ValueError
        If a setting is outside its range.

    Examples
    --------
    >>> from fastw2v.config import TrainingConfig
    >>> config = TrainingConfig(model="skipgram", window=5)
    >>> config.alpha, config.pool_size
    (0.04, 24)
    >>> TrainingConfig(quality="fast").pool_size, TrainingConfig(quality="best").pool_size
    (12, 48)
    >>> TrainingConfig(alpha=0.05).cbow_grad
    'sum'
    """

    model: Model = "cbow"
    loss: Loss = "ns"
    quality: Quality = "balanced"
    vector_size: int = 100
    window: int = 5
    negative: int = None  # type: ignore[assignment]
    ns_exponent: float = 0.75
    sample: float = 1e-3
    alpha: float = None  # type: ignore[assignment]  # __post_init__ replaces None
    min_alpha: float = 1e-4
    epochs: int = None  # type: ignore[assignment]
    seed: int = 1
    shrink_windows: bool = True
    cbow_grad: CbowGrad = None  # type: ignore[assignment]
    output_weight: float = None  # type: ignore[assignment]
    subwords: tuple[int, int] | None = None
    bucket: int = None  # type: ignore[assignment]
    hash_count: int | None = None
    units: Units = "characters"
    deterministic: bool = False
    pool_tokens: int = None  # type: ignore[assignment]
    pool_size: int = None  # type: ignore[assignment]
    tile: int = TILE

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):  # np.int8 would overflow, and JSON has no NumPy numbers
                object.__setattr__(self, field.name, value.item())
        check_choice("model", self.model, get_args(Model))
        check_choice("loss", self.loss, get_args(Loss))
        check_choice("quality", self.quality, get_args(Quality))
        cbow_grad = default_cbow_grad(self.alpha) if self.cbow_grad is None else self.cbow_grad
        self._set_default("cbow_grad", cbow_grad)
        self._set_default("negative", NEGATIVE[self.quality])
        self._set_default("epochs", EPOCHS[self.quality])
        check_choice("cbow_grad", self.cbow_grad, get_args(CbowGrad))
        least = {"negative": 0} if self.loss == "hs" else {}  # it needs no negatives
        for name in ("window", "negative", "vector_size"):  # other defaults are derived from these
            check_integer(name, getattr(self, name), minimum=least.get(name, 1))
        given = self.alpha is not None
        object.__setattr__(self, "subwords", _ngram_sizes(self.subwords))
        alpha = default_alpha(
            self.model, self.cbow_grad, self.window, loss=self.loss, subwords=self.subwords is not None
        )
        self._set_default("alpha", alpha)
        if self.hash_count is not None:
            check_integer("hash_count", self.hash_count)
            check_range("hash_count", self.hash_count, 1, MAX_HASH_COUNT)
            if self.subwords is None:
                raise ValueError(
                    f"hash_count is {self.hash_count}, but there are no n-grams to hash; set subwords as well, such as "
                    "(4, 5)"
                )
        check_choice("units", self.units, get_args(Units))
        if self.units != TrainingConfig.units and self.subwords is None:
            raise ValueError(
                f"units is {self.units!r}, but there are no n-grams; set subwords as well, such as (3, 6), or omit "
                "units"
            )
        self._set_default("bucket", BUCKET if self.hash_count is None else FLORET_BUCKET)
        check_integer("bucket", self.bucket, minimum=1)
        check_range("bucket", self.bucket, 1, MAX_SIZE)
        default_weight = default_output_weight(self.model, self.loss, subwords=self.subwords is not None)
        self._set_default("output_weight", default_weight)
        check_range("output_weight", self.output_weight, 0.0, 1.0)
        if self.output_weight and self.subwords:
            raise ValueError(
                f"output_weight is {self.output_weight}, but with subwords the vectors are means of rows of W_in; omit "
                "output_weight"
            )
        if self.output_weight and self.loss == "hs":
            raise ValueError(
                f"output_weight is {self.output_weight}, but with loss='hs' the words have no output vectors; omit "
                "output_weight, or use loss='hs+ns'"
            )
        pool_tokens, pool_size = default_pool(
            self.model,
            self.negative,
            self.vector_size,
            self.output_weight,
            self.quality,
            subwords=self.subwords is not None,
        )
        self._set_default("pool_tokens", pool_tokens)
        self._set_default("pool_size", pool_size)
        for name in _SIZES:
            check_integer(name, getattr(self, name), minimum=least.get(name, 1))
            check_range(name, getattr(self, name), least.get(name, 1), MAX_SIZE)
        check_integer("seed", self.seed)
        check_range("ns_exponent", self.ns_exponent, -1.0, 1.0)
        check_range("sample", self.sample, 0.0, 1.0)
        check_range("min_alpha", self.min_alpha, 0.0, 100.0)
        check_range("alpha", self.alpha, MIN_RATE, 100.0)
        if given and self.alpha < self.min_alpha == TrainingConfig.min_alpha:
            object.__setattr__(self, "min_alpha", self.alpha)  # a constant rate, because the user chose no final rate
        if not given and self.alpha < self.min_alpha:
            raise ValueError(
                f"min_alpha is {self.min_alpha}, but the default initial learning rate is {self.alpha:g}; lower "
                "min_alpha, or set alpha as well"
            )
        check_flags(shrink_windows=self.shrink_windows, deterministic=self.deterministic)
        if self.alpha < self.min_alpha:
            raise ValueError(
                f"alpha is {self.alpha} and min_alpha is {self.min_alpha}; alpha must not be below min_alpha"
            )

    def _set_default(self, name: str, default: Any) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, default)  # because the dataclass is frozen


def _ngram_sizes(subwords: Any) -> tuple[int, int] | None:
    """Return the sizes of the shortest and the longest n-grams, or None without subwords."""
    if subwords is None:
        return None
    pair = isinstance(subwords, (tuple, list)) and len(subwords) == 2
    if not pair or not all(isinstance(size, Integral) and not isinstance(size, bool) for size in subwords):
        raise TypeError(
            f"subwords is {quote(subwords)}; it must be None, or the lengths of the shortest and the longest n-grams, "
            "such as (3, 6)"
        )
    shortest, longest = (int(size) for size in subwords)
    if shortest < 1:
        raise ValueError(f"subwords is ({shortest}, {longest}); n-grams must have at least one unit")
    if longest > MAX_NGRAM:
        raise ValueError(f"subwords is ({shortest}, {longest}); n-grams may have at most {MAX_NGRAM:,} units")
    if shortest > longest:
        raise ValueError(
            f"subwords is ({shortest}, {longest}), so the shortest n-grams are longer than the longest; the first "
            "number must be at most the second"
        )
    return shortest, longest


def default_alpha(
    model: str,
    cbow_grad: str,
    contexts: float,
    epochs: int = 1,
    median_count: float = 0,
    loss: str = "ns",
    subwords: bool = False,
) -> float:
    """Return the default initial learning rate.

    The gradient of a skip-gram target is a sum over its contexts, so more contexts need a lower rate. CBOW needs a
    lower rate only above 50 contexts, with hierarchical softmax, where its rate is halved, and for negative sampling
    with subwords, where a row is trained with all words that share it. If most words are trained many times,
    because there are many epochs or few different words, a high rate fits the vectors to random patterns. Above 40 / √m
    epochs (skip-gram: 80 / √m), where m is the median count, the rate is therefore inversely proportional to the number
    of epochs, but at least 0.001. The values were found by experiment (`docs/notebook/defaults.md`).

    Parameters
    ----------
    model : {"cbow", "skipgram"}
    cbow_grad : {"mean", "balanced", "sum"}
    contexts : float
        The window. In short sentences, the mean number of contexts of a target, if it is lower.
    epochs : int
        Number of passes over the corpus.
    median_count : float
        Median count of the words. If 0, the rate does not depend on `epochs`.
    loss : {"ns", "hs", "hs+ns"}
    subwords : bool
        Whether words share the rows of n-grams.

    Examples
    --------
    >>> from fastw2v.config import default_alpha
    >>> [default_alpha("skipgram", "balanced", contexts) for contexts in (2, 5, 10)]
    [0.06, 0.04, 0.02]

    The median count in a large text is about 16:

    >>> [default_alpha("cbow", "balanced", contexts=5, epochs=epochs, median_count=16) for epochs in (5, 10, 20)]
    [0.2, 0.2, 0.1]
    """
    if model == "skipgram":
        alpha = min(0.06, 0.2 / min(contexts, WIDE_CONTEXTS))
    else:
        alpha = 0.05 if cbow_grad == "sum" else 0.1 if loss != "ns" else SUBWORD_ALPHA if subwords else 0.2
        alpha *= min(1, WIDE_CONTEXTS / contexts) ** 0.5
    full = FULL_RATE_EPOCHS["skipgram" if model == "skipgram" else "cbow"]
    return max(alpha * min(1, full / max(epochs * median_count**0.5, 1)), MIN_DEFAULT_ALPHA)


def default_sample(vocabulary_size: int, subwords: bool = False) -> float:
    """Return the default subsampling threshold: 0.001, or 0.0001 with subwords, as in fastText.

    It is at least the mean share of a word, which is higher if the vocabulary is small.

    Subsampling drops occurrences of words that are far more frequent than others. In a vocabulary of fewer than 1,000
    words, the share of an average word exceeds 0.001, and a fixed threshold would drop most of the corpus.

    Examples
    --------
    >>> from fastw2v.config import default_sample
    >>> default_sample(50_000), default_sample(50_000, subwords=True), default_sample(20)
    (0.001, 0.0001, 0.05)
    """
    return max(SUBWORD_SAMPLE if subwords else TrainingConfig.sample, 1 / max(vocabulary_size, 1))


def default_cbow_grad(alpha: float | None) -> CbowGrad:
    """Return the default divisor of CBOW's gradient: "balanced" if `alpha` is None, otherwise "sum".

    "balanced" gives the best vectors. If the user sets a learning rate, the default is "sum", because rates published
    for other tools assume "sum" and are far too low for the other divisors.

    Examples
    --------
    >>> from fastw2v.config import default_cbow_grad
    >>> default_cbow_grad(None), default_cbow_grad(0.05)
    ('balanced', 'sum')
    """
    return "balanced" if alpha is None else "sum"


def default_output_weight(model: str, loss: str = "ns", subwords: bool = False) -> float:
    """Return the default weight of W_out in the vectors.

    CBOW's vectors are better if they are combined from both matrices (`docs/notebook/defaults.md`). With hierarchical
    softmax, the vectors are W_in, and with subwords, they are means of its rows.

    Examples
    --------
    >>> from fastw2v.config import default_output_weight
    >>> default_output_weight("cbow"), default_output_weight("skipgram"), default_output_weight("cbow", "hs")
    (0.4, 0.0, 0.0)
    """
    return OUTPUT_WEIGHT if model == "cbow" and loss == "ns" and not subwords else 0.0


def output_rows(loss: str, V: int) -> int:
    """Return the number of rows of W_out for a vocabulary of V words.

    Negative sampling has a row for each word. Hierarchical softmax has a row for each of the V − 1 inner nodes of the
    Huffman tree, and one row that is not used. With both, the rows of the words come first.

    Examples
    --------
    >>> from fastw2v.config import output_rows
    >>> [output_rows(loss, 1000) for loss in ("ns", "hs", "hs+ns")]
    [1000, 1000, 2000]
    """
    return 2 * V if loss == "hs+ns" else V


def output_parts(W_out: Any, loss: Loss) -> tuple[Any, Any]:
    """Return the output rows of the words and those of the inner nodes. One is None if the loss has no such rows.

    Parameters
    ----------
    W_out : array, shape (output_rows(loss, V), D)
    loss : {"ns", "hs", "hs+ns"}

    Returns
    -------
    words, nodes : array, shape (V, D), or None
        Views of W_out.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.config import output_parts
    >>> words, nodes = output_parts(np.zeros((2000, 50)), "hs+ns")
    >>> words.shape, nodes.shape
    ((1000, 50), (1000, 50))
    >>> words, nodes = output_parts(np.zeros((1000, 50)), "hs")
    >>> words is None, nodes.shape
    (True, (1000, 50))
    """
    if loss != "hs+ns":
        return (W_out, None) if loss == "ns" else (None, W_out)
    V = W_out.shape[0] // 2
    return W_out[:V, ...], W_out[V:, ...]


def default_pool(
    model: str,
    negative: int,
    vector_size: int,
    output_weight: float,
    quality: str = "balanced",
    subwords: bool = False,
) -> tuple[int, int]:
    """Return the default sizes of a pool: L, the number of tokens that share it, and P, its number of negatives.

    More negatives or dimensions need a larger pool. Vectors that are combined from both matrices need a smaller one.
    With subwords, more negatives are drawn for each target (`docs/notebook/defaults.md`).

    Parameters
    ----------
    model : {"cbow", "skipgram"}
    negative, vector_size : int
    output_weight : float
    quality : {"fast", "balanced", "best"}
    subwords : bool
        Whether words share the rows of n-grams.

    Examples
    --------
    >>> from fastw2v.config import default_pool
    >>> default_pool("cbow", negative=5, vector_size=100, output_weight=0.5)
    (64, 16)
    >>> default_pool("cbow", negative=20, vector_size=100, output_weight=0.5)
    (64, 40)
    >>> default_pool("cbow", negative=5, vector_size=100, output_weight=0)
    (256, 24)
    """
    check_choice("model", model, get_args(Model))
    check_choice("quality", quality, get_args(Quality))
    kind = f"{model}, subwords" if subwords else model
    if kind == "cbow" and not output_weight:
        kind = "cbow, W_in alone"
    sizes = POOLS[kind][quality]  # type: ignore[index]
    by_dimensions = 4 * -(-vector_size * sizes.per_100_dimensions // 400)  # a multiple of the kernels' blocks
    return sizes.tokens, max(sizes.smallest, sizes.per_negative * negative, by_dimensions)


def cbow_grad_exponent(cbow_grad: str) -> float:
    """Return the exponent of the number of contexts in the divisor of CBOW's gradient.

    Raises
    ------
    ValueError
        If `cbow_grad` is not one of the names in `CbowGrad`.

    Examples
    --------
    >>> from fastw2v.config import cbow_grad_exponent
    >>> cbow_grad_exponent("balanced")
    0.75
    """
    check_choice("cbow_grad", cbow_grad, get_args(CbowGrad))
    return _EXPONENTS[cbow_grad]


def cbow_grad_scale(cbow_grad: str, max_contexts: int) -> np.ndarray:
    """Return the factors that scale the gradient of a context row, for 0 to `max_contexts` contexts.

    Returns
    -------
    float64 array, shape (max_contexts + 1,)
        ``C ** -cbow_grad_exponent(cbow_grad)`` at index C, and 1 at index 0.

    Examples
    --------
    >>> from fastw2v.config import cbow_grad_scale
    >>> cbow_grad_scale("mean", 4).round(2).tolist()
    [1.0, 1.0, 0.5, 0.33, 0.25]
    """
    return np.maximum(np.arange(max_contexts + 1), 1.0) ** -cbow_grad_exponent(cbow_grad)


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise ValueError unless `value` is one of `choices`.

    Examples
    --------
    >>> from fastw2v.config import check_choice
    >>> check_choice("model", "glove", ("cbow", "skipgram"))
    Traceback (most recent call last):
        ...
    ValueError: model is 'glove'; it must be 'cbow' or 'skipgram'
    """
    if not isinstance(value, (str, Integral)) or value not in choices:  # an array has no truth value
        *others, last = map(repr, choices)
        raise ValueError(f"{name} is {quote(value)}; it must be {', '.join(others)} or {last}")


def check_integer(name: str, value: Any, minimum: int | None = None) -> None:
    """Raise TypeError unless `value` is an integer, and ValueError if it is below `minimum`.

    NumPy integers are accepted, but bools are not.

    Examples
    --------
    >>> from fastw2v.config import check_integer
    >>> check_integer("window", 0, minimum=1)
    Traceback (most recent call last):
        ...
    ValueError: window is 0; it must be at least 1
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {quote(value)} of type {type(value).__name__}; it must be a whole number")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} is {quote(value)}; it must be at least {minimum}")


def check_range(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> None:
    """Raise TypeError unless `value` is a number, and ValueError unless it is finite and ``low <= value <= high``.

    NumPy numbers are accepted, but bools are not.

    Examples
    --------
    >>> from fastw2v.config import check_range
    >>> check_range("alpha", "0.05", 0.0, 1.0)
    Traceback (most recent call last):
        ...
    TypeError: alpha is '0.05' of type str; it must be a number
    >>> check_range("sample", 1.5, 0.0, 1.0)
    Traceback (most recent call last):
        ...
    ValueError: sample is 1.5; it must lie between 0.0 and 1.0
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {quote(value)} of type {type(value).__name__}; it must be a number")
    if not low <= value <= high or abs(value) == math.inf:  # type: ignore[operator]
        allowed = f"it must lie between {low} and {high}"
        if high == math.inf:
            allowed = "it must be finite" if low == -math.inf else f"it must be finite and at least {low}"
        raise ValueError(f"{name} is {quote(value)}; {allowed}")


def check_flags(**flags: Any) -> None:
    """Raise TypeError unless each value is True or False. 0 and 1 are accepted as well, because gensim uses them.

    Examples
    --------
    >>> from fastw2v.config import check_flags
    >>> check_flags(deterministic=True, lower="no")
    Traceback (most recent call last):
        ...
    TypeError: lower is 'no' of type str; it must be True or False
    """
    for name, value in flags.items():
        if not isinstance(value, (Integral, np.bool_)) or value not in (0, 1):
            raise TypeError(f"{name} is {quote(value)} of type {type(value).__name__}; it must be True or False")
