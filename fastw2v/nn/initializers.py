"""Initial weights: random rows, and rows copied from pretrained vectors."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastw2v.backend import get_device, get_namespace, on_device_of, set_rows, to_device, to_host
from fastw2v.sampling import rng

log = logging.getLogger("fastw2v")

_BLOCK = 1024
"""Rows whose initial weights are drawn at once."""


class PretrainedVectors(Protocol):
    """Words with their vectors, from which `copy_known_rows` copies; `WordVectors` is one."""

    @property
    def index_to_key(self) -> Sequence[Any]:
        """The word of each row."""

    @property
    def key_to_index(self) -> Mapping[Any, int]:
        """The row of each word."""

    @property
    def vectors(self) -> Any:
        """Input rows, float array, shape (V, D)."""

    @property
    def context_vectors(self) -> Any:
        """Output rows, float array, shape (V, D), or None."""


def uniform_weights(W: Any, seed: int) -> None:
    """Fill input rows with numbers uniform in ±0.5/D as in word2vec.c, each a draw of its row and column.

    Parameters
    ----------
    W : float array, shape (V, D)
        Filled in place.
    seed : int
    """
    xp = get_namespace(W)
    V, D = W.shape
    key = rng.stream_key(seed, rng.WEIGHTS, 0)
    with on_device_of(W):
        for first in range(0, V, _BLOCK):  # the 64-bit draws of all rows at once would take several times W's memory
            rows = rng.bits(key, xp.arange(first, min(first + _BLOCK, V), device=get_device(W)))
            columns = xp.arange(D, device=get_device(W))
            W[first : min(first + _BLOCK, V), ...] = (
                rng.uniform(rng.bits(rows[:, None], columns[None, :]), W.dtype) - 0.5
            ) / D


def normal_weights(xp: Any, shape: tuple[int, int], seed: int, stream: int, scale: float = 0.01) -> Any:
    """Return the textbook's initial rows, ``scale · N(0, 1)``, by the Box–Muller transform of two draws.

    Parameters
    ----------
    xp : array namespace
    shape : (int, int)
        V and D.
    seed : int
    stream : int
        Tells apart the tables of one model: 0 for W_in, 1 for W_out.
    scale : float
        Standard deviation.

    Returns
    -------
    float32 array, shape `shape`, of the namespace `xp`
    """
    rows = rng.bits(rng.stream_key(seed, rng.WEIGHTS, stream), xp.arange(shape[0]))[:, None]
    columns = xp.arange(shape[1])[None, :]
    radius = xp.sqrt(-2 * xp.log(1 - rng.uniform(rng.bits(rows, 2 * columns), xp.float64)))
    angle = 2 * xp.pi * rng.uniform(rng.bits(rows, 2 * columns + 1), xp.float64)
    return xp.astype(scale * radius * xp.cos(angle), xp.float32)


def copy_known_rows(W_in: Any, W_out: Any, words: Sequence[str], init: PretrainedVectors, device: str) -> int:
    """Copy the rows of the words that pretrained vectors contain.

    Parameters
    ----------
    W_in, W_out : float array, shape (V, D)
        Changed in place. W_out is left as it is where `init` has no output rows.
    words : sequence of str
        The word of each row.
    init : PretrainedVectors
        With vectors of D dimensions.
    device : str
        Of the tables.

    Returns
    -------
    int
        Number of words that `init` contains.

    Raises
    ------
    ValueError
        If `init` contains none of the words, or has values that are not finite in their rows.
    """
    ours = np.array([i for i, word in enumerate(words) if word in init.key_to_index], dtype=np.int64)
    if not len(ours):
        raise ValueError(
            f"init has none of the vocabulary's {len(words):,} words, of which {words[0]!r} is the most frequent; "
            f"its own first is {init.index_to_key[0]!r}"
        )
    theirs = np.array([init.key_to_index[words[i]] for i in ours.tolist()])
    for W, given in ((W_in, init.vectors), (W_out, init.context_vectors)):
        if given is None:
            continue
        rows = to_host(given)[theirs]
        if not np.isfinite(rows).all():
            word = words[ours[np.flatnonzero(~np.isfinite(rows).all(axis=1))[0]]]
            raise ValueError(f"init's vector of {word!r} has numbers that are not finite")
        with on_device_of(W):
            set_rows(W, to_device(ours, device), to_device(rows.astype(np.float32, copy=False), device))
    log.info("%s of %s words start from pretrained vectors", f"{len(ours):,}", f"{len(words):,}")
    return len(ours)
