"""Subsampling of frequent words, which drops some of their tokens in every epoch.

References
----------
Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013 (2.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import get_namespace, to_host
from fastw2v.sampling import rng
from fastw2v.sampling.alias import ALWAYS

__all__ = ["keep_threshold", "keep_tokens", "kept_share"]


def keep_threshold(counts: Any, sample: float) -> np.ndarray:
    """Return the probability that subsampling keeps each word, as thresholds for `rng.bernoulli`.

    The probability is ``min(1, sqrt(sample / f) + sample / f)``, where f is the word's share of the corpus. This is the
    formula of word2vec.c, gensim and fastText.

    Parameters
    ----------
    counts : integer array, shape (V,)
    sample : float
        The threshold, called t in the paper. 0 keeps every token.

    Returns
    -------
    uint64 array, shape (V,)
        Probabilities times 2**32, rounded down.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.alias import ALWAYS
    >>> from fastw2v.sampling.subsampling import keep_threshold
    >>> counts = np.array([90_000, 9_990, 10])
    >>> (keep_threshold(counts, sample=1e-3) / ALWAYS).round(2).tolist()
    [0.03, 0.11, 1.0]
    """
    counts = to_host(counts).astype(np.float64)
    if sample == 0:
        return np.full(counts.shape, ALWAYS, np.uint64)
    with np.errstate(divide="ignore"):
        ratio = sample * counts.sum() / counts
    return np.floor(np.minimum(1.0, np.sqrt(ratio) + ratio) * ALWAYS).astype(np.uint64)


def kept_share(counts: Any, sample: float) -> float:
    """Return the expected share of the tokens of a corpus that subsampling keeps.

    Parameters
    ----------
    counts : integer array, shape (V,)
    sample : float
        See `keep_threshold`.

    Returns
    -------
    float
        1 if there are no tokens.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.subsampling import kept_share
    >>> round(kept_share(np.full(10, 50), sample=1e-3), 3), kept_share(np.full(10, 50), sample=0)
    (0.11, 1.0)
    """
    counts = to_host(counts).astype(np.float64)
    kept = keep_threshold(counts, sample) / ALWAYS
    return float(counts @ kept / counts.sum()) if counts.any() else 1.0


def keep_tokens(ids: Any, positions: Any, threshold: Any, seed: int, epoch: int) -> Any:
    """Return a mask of the tokens that subsampling keeps in one epoch.

    Parameters
    ----------
    ids : integer array, shape (N,)
        Word ids of the tokens.
    positions : integer array, shape (N,)
        Indices of the tokens in the corpus.
    threshold : uint64 array, shape (V,)
        Thresholds from `keep_threshold`.
    seed, epoch : int

    Returns
    -------
    bool array, shape (N,)

    Examples
    --------
    Word 0 is frequent, and word 1 is rare:

    >>> import numpy as np
    >>> from fastw2v.sampling.subsampling import keep_threshold, keep_tokens
    >>> threshold = keep_threshold(np.array([1000, 1]), sample=0.1)
    >>> ids = np.array([0, 0, 0, 1, 0, 0])
    >>> ids[keep_tokens(ids, np.arange(6), threshold, seed=1, epoch=0)].tolist()
    [0, 0, 1]
    """
    xp = get_namespace(ids)
    return rng.bernoulli(rng.bits(rng.stream_key(seed, rng.KEEP, epoch), positions), xp.take(threshold, ids))
