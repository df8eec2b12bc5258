"""Validation of the tables, the corpus and the settings for both fused engines."""

from __future__ import annotations

import numpy as np

from fastw2v.config import TrainingConfig, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.spill_buffer import release_pages
from fastw2v.corpus.subwords import Subwords
from fastw2v.engines.base import Tables

__all__ = ["check_arrays", "check_corpus", "check_frozen"]

BLOCK_TOKENS = 1 << 20
"""Number of ids that are checked at a time, so that those of a long corpus are not all in memory."""


def check_arrays(
    tables: Tables, corpus: Corpus, config: TrainingConfig, share_memory: bool, subwords: Subwords | None = None
) -> None:
    """Raise an error unless the tables, the corpus and the settings are valid and fit together.

    Parameters
    ----------
    tables : Tables
        NumPy or CuPy arrays.
    corpus : Corpus
    config : TrainingConfig
    share_memory : bool
        Whether the two tables share memory. The caller determines this, because NumPy and CuPy need different checks.
    subwords : Subwords, optional
        The rows of W_in of each word, if there are several.

    Raises
    ------
    ValueError
        If the tables do not fit together in shape and dtype, share memory or are not float32 or float64; if they do not
        have D columns and a row for each word; or if the ids or offsets of the corpus are invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig, output_rows
    >>> from fastw2v.engines.base import Tables
    >>> from fastw2v.engines.checks import check_arrays
    >>> tables = Tables(np.zeros((3, 8)), np.zeros((3, 8)))
    >>> corpus = Corpus.from_sentences([["the", "cat", "sat"]], min_count=1)
    >>> check_arrays(tables, corpus, TrainingConfig(vector_size=100), share_memory=False)
    Traceback (most recent call last):
        ...
    ValueError: vector_size is 100, but the tables have 8 columns
    """
    W_in, W_out = tables
    counts = corpus.vocabulary.counts
    V = W_in.shape[0] if subwords is None else subwords.n_words
    shape = (output_rows(config.loss, V), *W_in.shape[1:])
    if W_in.ndim != 2 or W_out.shape != shape or W_in.dtype != W_out.dtype or share_memory:
        shapes = "the shapes (V, D) and (2 V, D)" if config.loss == "hs+ns" else "the same shape (V, D)"
        shapes = shapes if subwords is None else f"{output_rows(config.loss, V)} rows in W_out"
        raise ValueError(
            f"W_in is {W_in.dtype} of shape {W_in.shape} and W_out is {W_out.dtype} of shape {W_out.shape}; they must "
            f"be two separate arrays with the same dtype and {shapes}"
        )
    if W_in.dtype not in (np.float32, np.float64):
        raise ValueError(f"W_in and W_out are {W_in.dtype}; they must be float32 or float64")
    D = W_in.shape[1]
    if config.vector_size != D:
        raise ValueError(f"vector_size is {config.vector_size}, but the tables have {D} columns")
    if len(counts) != V:
        raise ValueError(f"the vocabulary has {len(counts)} words, but the tables have {V} rows")
    if subwords is not None and W_in.shape[0] != subwords.n_rows:
        raise ValueError(f"W_in has {W_in.shape[0]} rows, but the words and their n-grams have {subwords.n_rows}")
    check_corpus(corpus, V)


def check_corpus(corpus: Corpus, V: int) -> None:
    """Raise an error unless a corpus has ids of V words, and offsets that divide them into sentences.

    Parameters
    ----------
    corpus : Corpus
    V : int
        Number of words.

    Raises
    ------
    ValueError
        If the ids or offsets of the corpus are invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus, Vocabulary
    >>> from fastw2v.engines.checks import check_corpus
    >>> corpus = Corpus(np.array([0, 7, 1]), np.array([0, 3]), Vocabulary(["the", "cat"], [2, 1]))
    >>> check_corpus(corpus, 2)
    Traceback (most recent call last):
        ...
    ValueError: the corpus has ids from 0 to 7; they must lie in 0..1
    """
    ids, offsets = corpus.ids, corpus.offsets
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"corpus.ids is {ids.dtype} of shape {ids.shape}; it must be a one-dimensional array of integer word ids"
        )
    if len(ids) == 0:
        raise ValueError("the corpus is empty")
    lowest, highest = _id_range(ids)
    if not (lowest >= 0 and highest < V):
        raise ValueError(f"the corpus has ids from {lowest} to {highest}; they must lie in 0..{V - 1}")
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 0).any():
        raise ValueError(f"corpus.offsets must not decrease, and must go from 0 to the number of tokens, {len(ids)}")


def check_frozen(frozen: np.ndarray | None, V: int) -> None:
    """Raise an error unless `frozen` is None, or selects some of V words.

    Parameters
    ----------
    frozen : bool array, shape (V,), optional
    V : int
        Number of words.

    Raises
    ------
    ValueError
        If `frozen` has another dtype or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.engines.checks import check_frozen
    >>> check_frozen(np.array([True, False]), 2)
    >>> check_frozen(np.array([0, 1]), 2)
    Traceback (most recent call last):
        ...
    ValueError: frozen is int64 of shape (2,); it must be bool of shape (2,)
    """
    if frozen is None:
        return
    if frozen.dtype != np.bool_ or frozen.shape != (V,):
        raise ValueError(f"frozen is {frozen.dtype} of shape {frozen.shape}; it must be bool of shape ({V},)")


def _id_range(ids: np.ndarray) -> tuple[int, int]:
    ranges = []
    for start in range(0, len(ids), BLOCK_TOKENS):
        block = ids[start : start + BLOCK_TOKENS]
        ranges.append((int(block.min()), int(block.max())))
        if isinstance(block, np.ndarray):
            release_pages(block)
    return min(low for low, _ in ranges), max(high for _, high in ranges)
