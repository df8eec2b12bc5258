"""Subsampling of frequent words: which tokens are left out of an epoch.

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

__all__ = ["keep_threshold", "keep_tokens"]


def keep_threshold(counts: Any, sample: float) -> np.ndarray:
    """Return each word's probability of being kept by subsampling, as thresholds for `rng.bernoulli`.

    ``keep = min(1, sqrt(sample / f) + sample / f)`` with f the word's share of the corpus, as in word2vec.c,
    gensim and fastText.

    Parameters
    ----------
    counts : integer array, shape (V,)
    sample : float
        The threshold t of the paper; 0 keeps every token.

    Returns
    -------
    uint64 array, shape (V,)
    """
    counts = to_host(counts).astype(np.float64)
    if sample == 0:
        return np.full(counts.shape, ALWAYS, np.uint64)
    with np.errstate(divide="ignore"):
        ratio = sample * counts.sum() / counts
    return np.floor(np.minimum(1.0, np.sqrt(ratio) + ratio) * ALWAYS).astype(np.uint64)


def keep_tokens(ids: Any, positions: Any, threshold: Any, seed: int, epoch: int) -> Any:
    """Return which tokens subsampling keeps in one epoch.

    Parameters
    ----------
    ids : integer array, shape (N,)
    positions : integer array, shape (N,)
        The tokens' indices in the corpus.
    threshold : uint64 array, shape (V,)
        From `keep_threshold`.
    seed, epoch : int

    Returns
    -------
    bool array, shape (N,)
    """
    xp = get_namespace(ids)
    return rng.bernoulli(rng.bits(rng.stream_key(seed, rng.KEEP, epoch), positions), xp.take(threshold, ids))
