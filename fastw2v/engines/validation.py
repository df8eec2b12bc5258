"""What the fused engines of both devices refuse to train on."""

from __future__ import annotations

import numpy as np

from fastw2v.config import TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.engines.base import Tables

__all__ = ["check_arrays"]


def check_arrays(tables: Tables, corpus: Corpus, config: TrainingConfig, share_memory: bool) -> None:
    """Raise ValueError unless the tables match each other, the settings and a valid corpus.

    Parameters
    ----------
    tables : Tables
        Of NumPy or CuPy.
    corpus : Corpus
    config : TrainingConfig
    share_memory : bool
        Whether the two tables share memory; the check differs between NumPy and CuPy.
    """
    W_in, W_out = tables
    ids, offsets, counts = corpus.ids, corpus.offsets, corpus.vocabulary.counts
    if W_in.ndim != 2 or W_in.shape != W_out.shape or W_in.dtype != W_out.dtype or share_memory:
        raise ValueError(
            f"W_in is {W_in.dtype} of shape {W_in.shape} and W_out {W_out.dtype} of shape {W_out.shape}; "
            "they must be two arrays alike, with a row for each word"
        )
    if W_in.dtype not in (np.float32, np.float64):
        raise ValueError(f"W_in and W_out are {W_in.dtype}; they must be float32 or float64")
    V, D = W_in.shape
    if config.vector_size != D:
        raise ValueError(f"vector_size is {config.vector_size}, and the tables have rows of {D}")
    if len(counts) != V:
        raise ValueError(f"there are {len(counts)} counts for {V} rows of W_in; each word needs one")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"the corpus is {ids.dtype} of shape {ids.shape}; it must be a one-dimensional array of integer word ids"
        )
    if len(ids) == 0:
        raise ValueError("the corpus is empty")
    if not (ids.min() >= 0 and ids.max() < V):
        raise ValueError(f"the corpus has ids from {ids.min()} to {ids.max()}; they must lie in 0..{V - 1}")
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets must rise from 0 to the {len(ids)} tokens of the corpus")
