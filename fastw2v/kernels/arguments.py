"""What the fused engines of both devices refuse to train with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastw2v.gradient import context_power


def check_settings(model: str, cbow_grad: str, alpha: float, min_alpha: float, **sizes: int) -> None:
    """Raise ValueError if a choice is unknown, a rate is out of range, or one of the `sizes` is below 1."""
    if model not in ("cbow", "skipgram"):
        raise ValueError(f"model is {model!r}; it must be 'cbow' or 'skipgram'")
    context_power(cbow_grad)
    if not (0 <= min_alpha <= alpha < math.inf):
        raise ValueError(
            f"alpha is {alpha} and min_alpha {min_alpha}; they must be finite, with 0 <= min_alpha <= alpha"
        )
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")


def check_arrays(W_in: Any, W_out: Any, shared: bool, ids: np.ndarray, offsets: np.ndarray, counts: np.ndarray) -> None:
    """Raise ValueError unless these are two tables alike, a corpus, and counts of its words.

    Parameters
    ----------
    W_in, W_out : array
        Of NumPy or CuPy.
    shared : bool
        Whether the two share memory, which each library tells in its own way.
    ids, offsets, counts : array
    """
    if W_in.ndim != 2 or W_in.shape != W_out.shape or W_in.dtype != W_out.dtype or shared:
        raise ValueError(
            f"W_in is {W_in.dtype} of shape {W_in.shape} and W_out {W_out.dtype} of shape {W_out.shape}; "
            "they must be two arrays alike, with a row for each word"
        )
    if W_in.dtype not in (np.float32, np.float64):
        raise ValueError(f"W_in and W_out are {W_in.dtype}; they must be float32 or float64")
    V = len(W_in)
    if len(counts) != V:
        raise ValueError(f"there are {len(counts)} counts for {V} rows of W_in; each word needs one")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"the corpus is {ids.dtype} of shape {ids.shape}; it must be a line of integer word ids")
    if len(ids) == 0:
        raise ValueError("the corpus is empty")
    if not (ids.min() >= 0 and ids.max() < V):
        raise ValueError(f"the corpus has ids from {ids.min()} to {ids.max()}; they must lie in 0..{V - 1}")
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets must rise from 0 to the {len(ids)} tokens of the corpus")
