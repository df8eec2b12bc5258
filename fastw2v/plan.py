"""Plan: what a training will take, before it begins, and whether it fits."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import free_device_memory
from fastw2v.corpus import Corpus
from fastw2v.kernels.schedule import SECTION, STRETCH

__all__ = ["Part", "Plan", "free_memory", "plan"]

GROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Where Linux tells what a container may use."""
BYTES_OF_A_WORD = 180
"""Of a Python string of usual length, and of its places in a list and a dictionary."""
PIECES = 8 * (SECTION + STRETCH)
"""Bytes of the two pieces in which the fused engine of a GPU takes a corpus that does not fit there whole."""


@dataclass(frozen=True)
class Part:
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
class Plan:
    """What a training takes.

    Attributes
    ----------
    tokens, sentences, vocabulary, epochs : int
    vector_size : int
    device, engine : str
    parts : list of Part
    free : dict of str to int
        Bytes that are free now on host and device.
    words_per_second : float or None
        Of a short measurement.
    """

    tokens: int
    sentences: int
    vocabulary: int
    epochs: int
    vector_size: int
    device: str
    engine: str
    parts: list[Part]
    free: dict[str, int]
    words_per_second: float | None = None

    @property
    def seconds(self) -> float | None:
        """Estimated time of training, without reading."""
        return None if self.words_per_second is None else self.tokens * self.epochs / self.words_per_second

    def needed(self, place: str) -> int:
        """Return the bytes that are still to be taken on "host" or "device"."""
        return sum(part.bytes for part in self.parts if part.place == place and not part.held)

    def problem(self) -> str | None:
        """Return why the training does not fit and which settings would make it fit, or None."""
        for place, free in self.free.items():
            needed = self.needed(place)
            if needed <= free:
                continue
            fixed = needed - sum(p.bytes for p in self.parts if p.place == place and p.name in ("W_in", "W_out"))
            a_row = (needed - fixed) // max(1, self.vocabulary)
            message = f"the training needs {size(needed)} of memory on the {place}, and {size(free)} are free"
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


def plan(corpus: Corpus, *, vector_size: int, epochs: int, device: str, engine: str) -> Plan:
    """Return what a training on a corpus takes.

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
    parts = [
        Part("words", V * BYTES_OF_A_WORD, "host", True),
        Part("ids, in a file" if in_file else "ids", 0 if in_file else 4 * T, "host", True),
        Part("sentence offsets", 0 if in_file else 8 * (S + 1), "host", True),
        Part("W_in", 4 * V * width, place, False),
        Part("W_out", 4 * V * width, place, False),
        Part("sampling tables", 48 * V, place, False),
    ]
    if place == "device":
        if engine == "layers":
            parts += [Part("ids", 4 * T, place, False), Part("sentence offsets", 8 * (S + 1), place, False)]
        else:
            parts.append(Part("ids, or two pieces of them", min(4 * T, PIECES), place, False))
        parts.append(Part("vectors, copied back", 8 * V * vector_size, "host", False))
    free = {"host": free_memory()}
    if place == "device":
        free[place] = free_device_memory(device)
    return Plan(T, S, V, epochs, vector_size, device, engine, parts, free)


def sample_of(corpus: Corpus, tokens: int) -> Corpus:
    """Return the beginning of a corpus, with the whole vocabulary, for a measurement."""
    end = int(np.searchsorted(corpus.offsets, tokens, side="right"))
    offsets = corpus.offsets[:end]
    if len(offsets) < 2 or offsets[-1] < min(tokens, len(corpus)):
        offsets = np.append(offsets, min(tokens, len(corpus)))
    return Corpus(corpus.ids[: offsets[-1]], offsets, corpus.vocabulary)


def free_memory() -> int:
    """Return how many bytes of memory this process can still take without pushing others out."""
    free = _of_the_machine()
    for limit_file, usage_file in GROUP_LIMITS:
        try:
            limit, usage = Path(limit_file).read_text().strip(), Path(usage_file).read_text().strip()
        except OSError:
            continue
        if limit.isdecimal():
            free = min(free, max(0, int(limit) - int(usage)))
    return free


def size(n: int) -> str:
    """Return a number of bytes as people say it: 1,234,567,890 is "1.2 GB"."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= factor:
            return f"{n / factor:.1f} {unit}" if n < 100 * factor else f"{n // factor:,} {unit}"
    return f"{n} bytes"


def _lies_in_a_file(array: Any) -> bool:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, memoryview) and isinstance(array.base.obj, mmap.mmap)


def _of_the_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63  # unknown, so that nothing is refused
