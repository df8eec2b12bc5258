"""Estimates of what a training run takes, before it begins: memory, time, and whether it fits."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastw2v.backend import free_device_memory
from fastw2v.config import CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS
from fastw2v.corpus.corpus import Corpus
from fastw2v.utils.system import format_bytes, free_memory

__all__ = ["Estimate", "MemoryItem", "corpus_head", "estimate_memory", "words_per_second"]

BYTES_PER_WORD = 180
"""Of a Python string of usual length, and of its places in a list and a dictionary."""
GPU_CORPUS_BYTES = 8 * (SHUFFLE_BLOCK_TOKENS + CHUNK_TOKENS)
"""Bytes of the two shuffle blocks that the GPU engine holds of a corpus that does not fit there whole."""
MEASURE_SECONDS = 2.0
"""Longest trial run to estimate the time by, roughly."""
WARMUP_TOKENS = 10_000
"""Tokens of the first trial run, which also compiles the kernel."""


@dataclass(frozen=True)
class MemoryItem:
    """Memory for one purpose.

    Attributes
    ----------
    name : str
    bytes : int
    place : {"host", "device"}
    held : bool
        Whether it is in use already, as the corpus is once it is read.
    """

    name: str
    bytes: int
    place: str
    held: bool


@dataclass(frozen=True)
class Estimate:
    """What a training run takes.

    Attributes
    ----------
    tokens, sentences, vocabulary, epochs : int
    vector_size : int
    device, engine : str
    items : list of MemoryItem
    free : dict of str to int
        Bytes that are free now on host and device.
    words_per_second : float or None
        Measured training speed.
    """

    tokens: int
    sentences: int
    vocabulary: int
    epochs: int
    vector_size: int
    device: str
    engine: str
    items: list[MemoryItem]
    free: dict[str, int]
    words_per_second: float | None = None

    @property
    def seconds(self) -> float | None:
        """Estimated time of training, without reading."""
        return None if self.words_per_second is None else self.tokens * self.epochs / self.words_per_second

    def needed(self, place: str) -> int:
        """Return the bytes that are still to be taken on "host" or "device"."""
        return sum(item.bytes for item in self.items if item.place == place and not item.held)

    def problem(self) -> str | None:
        """Return why the training does not fit and which settings would make it fit, or None."""
        for place, free in self.free.items():
            needed = self.needed(place)
            if needed <= free:
                continue
            fixed = needed - sum(p.bytes for p in self.items if p.place == place and p.name in ("W_in", "W_out"))
            a_row = (needed - fixed) // max(1, self.vocabulary)
            message = (
                f"the training needs {format_bytes(needed)} of memory on the {place}, and {format_bytes(free)} are free"
            )
            remedies = []
            if free > fixed:
                largest = self.vector_size * (free - fixed) // (needed - fixed) // 16 * 16
                if largest >= 16:
                    remedies.append(f"vector_size={largest}")
                words = (free - fixed) // max(1, a_row)
                remedies.append(f"a vocabulary of {words:,} words (max_vocab={words}, or a larger min_count)")
            if place == "device":
                remedies.append("device='cpu'")
            return f"{message}. It would fit with " + ", or with ".join(remedies or ["more memory"])
        return None


def estimate_memory(corpus: Corpus, *, vector_size: int, epochs: int, device: str, engine: str) -> Estimate:
    """Estimate what training on a corpus takes in memory.

    Parameters
    ----------
    corpus : Corpus
    vector_size, epochs : int
    device : str
        "cpu", "cuda" or "cuda:N".
    engine : {"fused", "layers"}
    """
    V, T, S = len(corpus.vocabulary), len(corpus), corpus.n_sentences
    width = -(-vector_size // 16) * 16 if engine == "fused" else vector_size
    place = "host" if device == "cpu" else "device"
    in_file = _lies_in_a_file(corpus.ids)
    items = [
        MemoryItem("words", V * BYTES_PER_WORD, "host", True),
        MemoryItem("ids, in a file" if in_file else "ids", 0 if in_file else 4 * T, "host", True),
        MemoryItem("sentence offsets", 0 if in_file else 8 * (S + 1), "host", True),
        MemoryItem("W_in", 4 * V * width, place, False),
        MemoryItem("W_out", 4 * V * width, place, False),
        MemoryItem("sampling tables", 48 * V, place, False),
    ]
    if place == "device":
        if engine == "layers":
            items += [MemoryItem("ids", 4 * T, place, False), MemoryItem("sentence offsets", 8 * (S + 1), place, False)]
        else:
            items.append(MemoryItem("ids, or two shuffle blocks of them", min(4 * T, GPU_CORPUS_BYTES), place, False))
        items.append(MemoryItem("vectors, copied back", 8 * V * vector_size, "host", False))
    free = {"host": free_memory()}
    if place == "device":
        free[place] = free_device_memory(device)
    return Estimate(T, S, V, epochs, vector_size, device, engine, items, free)


def corpus_head(corpus: Corpus, tokens: int) -> Corpus:
    """Return the beginning of a corpus, with the whole vocabulary, for a measurement."""
    end = int(np.searchsorted(corpus.offsets, tokens, side="right"))
    offsets = corpus.offsets[:end]
    if len(offsets) < 2 or offsets[-1] < min(tokens, len(corpus)):
        offsets = np.append(offsets, min(tokens, len(corpus)))
    return Corpus(corpus.ids[: offsets[-1]], offsets, corpus.vocabulary)


def words_per_second(train: Callable[[int], None], n_tokens: int) -> float:
    """Return the speed of training, measured on beginnings of a corpus that take up to about two seconds.

    Parameters
    ----------
    train : callable
        Function that trains on the given number of tokens.
    n_tokens : int
        Number of tokens in the corpus.
    """
    train(WARMUP_TOKENS)  # compiles
    tokens = min(WARMUP_TOKENS, n_tokens)
    while True:
        before = time.perf_counter()
        train(tokens)
        seconds = time.perf_counter() - before
        if seconds > MEASURE_SECONDS / 4 or tokens == n_tokens:
            return tokens / seconds
        tokens = min(4 * tokens, n_tokens)


def _lies_in_a_file(array: Any) -> bool:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, memoryview) and isinstance(array.base.obj, mmap.mmap)
