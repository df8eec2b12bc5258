"""Estimates of the memory and time of a training run, before it starts."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastw2v.backend import check_device, free_device_memory
from fastw2v.config import CHUNK_TOKENS, SHUFFLE_BLOCK_TOKENS, check_choice, check_flags, check_integer, check_range
from fastw2v.corpus.corpus import Corpus
from fastw2v.utils.checks import check_callable, check_type
from fastw2v.utils.quote import counted
from fastw2v.utils.system import format_bytes, free_memory

__all__ = ["Estimate", "MemoryItem", "corpus_head", "estimate_memory", "words_per_second"]

BYTES_PER_WORD = 180
"""Bytes used by a Python string of typical length and by its entries in a list and a dictionary."""
GPU_CORPUS_BYTES = 8 * (SHUFFLE_BLOCK_TOKENS + CHUNK_TOKENS)
"""Bytes of two shuffle blocks. The GPU engine keeps no more than this of the corpus on the device."""
MEASURE_SECONDS = 2.0
"""Approximate maximum duration of the trial run that measures the speed, in seconds."""
WARMUP_TOKENS = 10_000
"""Number of tokens of the first trial run, which also compiles the kernel."""
_MATRICES = ("W_in", "W_out", "vectors", "copies for checkpoints")
"""Memory items that have one row for each word."""


@dataclass(frozen=True)
class MemoryItem:
    """The memory needed for one purpose, such as W_in.

    Attributes
    ----------
    name : str
    bytes : int
    place : {"host", "device"}
    held : bool
        True if the memory is already allocated, as it is for the corpus.
    """

    name: str
    bytes: int
    place: str
    held: bool


@dataclass(frozen=True)
class Estimate:
    """The estimated memory and time of a training run.

    Attributes
    ----------
    tokens, sentences, vocabulary, epochs : int
        Numbers of tokens, of sentences, of words in the vocabulary, and of epochs.
    vector_size : int
    device, engine : str
    items : list of MemoryItem
    free : dict of str to int
        Bytes that are currently free on the "host" and, if training uses a GPU, on the "device".
    words_per_second : float or None
        Measured training speed, or None if it was not measured.
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
        """Estimated training time in seconds, excluding reading the corpus, or None if the speed was not measured.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(epochs=3).estimate([["a", "b"]] * 10, measure=False)
        >>> estimate.tokens
        20
        >>> replace(estimate, words_per_second=5.0).seconds
        12.0
        """
        return None if self.words_per_second is None else self.tokens * self.epochs / self.words_per_second

    def needed(self, place: str) -> int:
        """Return the number of bytes that training will allocate on "host" or "device".

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(vector_size=16, device="cpu").estimate([["a", "b"]] * 10, measure=False)
        >>> f"{estimate.needed('host')} bytes for {estimate.vocabulary} words"
        '480 bytes for 2 words'
        """
        return sum(item.bytes for item in self.items if item.place == place and not item.held)

    def problem(self) -> str | None:
        """Return a message that states the memory needed and settings that would fit, or None if the run fits.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from fastw2v import Word2Vec
        >>> estimate = Word2Vec(vector_size=64, device="cpu").estimate([["a", "b"]] * 10, measure=False)
        >>> replace(estimate, free={"host": 500}).problem()
        'training needs 1.6 kB of memory on the host, but only 500 bytes are free.
        It would fit with vector_size=16, or with ...'
        """
        for place, free in self.free.items():
            needed = self.needed(place)
            if needed <= free:
                continue
            fixed = needed - sum(p.bytes for p in self.items if p.place == place and p.name in _MATRICES)
            a_row = (needed - fixed) // max(1, self.vocabulary)
            message = (
                f"training needs {format_bytes(needed)} of memory on the {place}, "
                f"but only {format_bytes(free)} are free"
            )
            remedies = []
            if free > fixed:
                largest = self.vector_size * (free - fixed) // (needed - fixed) // 16 * 16
                if largest >= 16:
                    remedies.append(f"vector_size={largest}")
                words = (free - fixed) // max(1, a_row)
                remedies.append(f"a vocabulary of {counted(words, 'word')} (max_vocab={words}, or a larger min_count)")
            if place == "device":
                remedies.append("device='cpu'")
            return f"{message}. It would fit with " + ", or with ".join(remedies or ["more memory"])
        return None


def estimate_memory(
    corpus: Corpus,
    *,
    vector_size: int,
    epochs: int,
    device: str,
    engine: str,
    output_weight: float,
    checkpoints: bool = False,
) -> Estimate:
    """Estimate the memory that training on a corpus needs.

    Parameters
    ----------
    corpus : Corpus
    vector_size, epochs : int
    device : {"cpu", "cuda", "cuda:N"}
    engine : {"fused", "layers"}
    output_weight : float
        Weight of W_out in the vectors. If it is not 0, the vectors are a third matrix.
    checkpoints : bool
        Whether checkpoints are written, for which the matrices are copied.

    Returns
    -------
    Estimate
        Its attributes `words_per_second` and `seconds` are None.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.estimate import estimate_memory
    >>> corpus = Corpus.from_ids(np.array([0, 1, 2, 1]))
    >>> estimate = estimate_memory(corpus, vector_size=100, epochs=5, device="cpu", engine="fused", output_weight=0)
    >>> {item.name: item.bytes for item in estimate.items if not item.held}  # rows are padded to 112 floats
    {'W_in': 1344, 'W_out': 1344, 'sampling tables': 144}
    """
    check_type("corpus", corpus, Corpus, "a Corpus")
    check_integer("vector_size", vector_size, minimum=1)
    check_integer("epochs", epochs, minimum=1)
    check_device(device)
    check_choice("engine", engine, ("fused", "layers"))
    check_range("output_weight", output_weight, 0.0, 1.0)
    check_flags(checkpoints=checkpoints)
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
    if output_weight:
        items.append(MemoryItem("vectors", 4 * V * vector_size, place, False))
    if checkpoints:
        items.append(
            MemoryItem("copies for checkpoints", (12 if output_weight else 8) * V * vector_size, "host", False)
        )
    if place == "device":
        if engine == "layers":
            items += [MemoryItem("ids", 4 * T, place, False), MemoryItem("sentence offsets", 8 * (S + 1), place, False)]
        else:
            items.append(MemoryItem("ids, at most two shuffle blocks", min(4 * T, GPU_CORPUS_BYTES), place, False))
        items.append(MemoryItem("vectors copied to the host", 8 * V * vector_size, "host", False))
    free = {"host": free_memory()}
    if place == "device":
        free[place] = free_device_memory(device)
    return Estimate(T, S, V, epochs, vector_size, device, engine, items, free)


def corpus_head(corpus: Corpus, tokens: int) -> Corpus:
    """Return a corpus of the first tokens of `corpus`, with the full vocabulary.

    Parameters
    ----------
    corpus : Corpus
    tokens : int
        Number of tokens to return. If the corpus is shorter, all of it is returned.

    Returns
    -------
    Corpus
        The last sentence may be cut short.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.estimate import corpus_head
    >>> head = corpus_head(Corpus.from_ids(np.array([0, 1, 2, 3, 4]), offsets=[0, 2, 5]), 3)
    >>> head.ids.tolist(), head.offsets.tolist(), len(head.vocabulary)
    ([0, 1, 2], [0, 2, 3], 5)
    """
    check_type("corpus", corpus, Corpus, "a Corpus")
    check_integer("tokens", tokens, minimum=1)
    end = int(np.searchsorted(corpus.offsets, tokens, side="right"))
    offsets = corpus.offsets[:end]
    if len(offsets) < 2 or offsets[-1] < min(tokens, len(corpus)):
        offsets = np.append(offsets, min(tokens, len(corpus)))
    return Corpus(corpus.ids[: offsets[-1]], offsets, corpus.vocabulary)


def words_per_second(train: Callable[[int], None], n_tokens: int) -> float:
    """Measure the training speed in increasingly long trial runs, each of which takes at most about two seconds.

    Parameters
    ----------
    train : callable
        Function that trains on the given number of tokens.
    n_tokens : int
        Number of tokens in the corpus.

    Returns
    -------
    float
        Tokens per second in the longest trial run.

    Examples
    --------
    >>> import time
    >>> from fastw2v.estimate import words_per_second
    >>> speed = words_per_second(lambda tokens: time.sleep(tokens / 200_000), n_tokens=5_000)
    >>> 0 < speed < 300_000
    True
    """
    check_callable("train", train, "a function of a number of tokens")
    check_integer("n_tokens", n_tokens, minimum=1)
    train(WARMUP_TOKENS)  # the first call compiles the kernel
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
