"""fastText's models: the vectors of their words, as ``fasttext print-word-vectors`` gives them.

A word's vector is the mean of its own row and those of its character n-grams, which share rows by a hash. Vectors of
words that are not in the vocabulary are not made: for them, keep the model.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fastw2v.formats.fileio import FormatError

__all__ = ["is_fasttext", "read_fasttext"]

_MAGIC = struct.pack("<i", 793712314)
_HEAD = struct.Struct(
    "<14id iii q q"
)  # magic, version, 12 settings, t; dictionary: size, words, labels, tokens, pruned


def is_fasttext(file: BinaryIO) -> bool:
    """Return whether a file is a fastText model, leaving it at its start."""
    magic = file.read(4)
    file.seek(0)
    return magic == _MAGIC


def read_fasttext(file: BinaryIO, path: Path, size: int, limit: int | None) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Read the first `limit` words, or all, with newlines between them, and their vectors and counts."""
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _, version, n_dims, *settings = _HEAD.unpack_from(data)
        bucket, shortest, longest = settings[7:10]
        n_entries, n_words, n_labels, _, n_pruned = settings[-5:]
        if version not in (11, 12) or n_dims < 1 or n_words < 1 or n_labels < 0 or n_entries != n_words + n_labels:
            raise ValueError(f"version {version} with {n_words} words of {n_dims} dimensions")
        if n_pruned > 0:
            raise ValueError("a quantised model, whose rows are codes")
        words, counts, at = _entries(data, n_entries, n_words)
        if data[at] != 0:
            raise ValueError("a quantised model, whose rows are codes")
        n_rows, width = struct.unpack_from("<qq", data, at + 1)
        at += 17
        longest = longest if version == 12 else 0 if settings[6] == 3 else longest
        end = at + 4 * n_rows * n_dims
        if width != n_dims or n_rows < n_words or end > size:
            raise ValueError(f"{n_rows} rows of {width} numbers, which do not fit")
        n_outputs, width = struct.unpack_from("<qq", data, end + 1)
        if data[end] != 0 or width != n_dims or n_outputs < 0 or end + 17 + 4 * n_outputs * n_dims != size:
            raise ValueError("its second matrix does not end where the file does: cut short or damaged")
        if longest > 0 and (shortest < 1 or bucket < 1 or n_rows != n_words + bucket):
            raise ValueError(f"{n_rows} rows for {n_words} words and {bucket} n-grams of {shortest} to {longest}")
    except (struct.error, ValueError, IndexError) as error:
        raise FormatError(f"{path}: this is a fastText model, but not one that can be read: {error}") from error
    matrix: np.ndarray = np.ndarray((n_rows, n_dims), "<f4", data, offset=at)
    kept = n_words if limit is None else min(limit, n_words)
    vectors = matrix[:kept].astype(np.float32)
    if longest > 0:
        block = 2**14
        for start in range(0, kept, block):
            _add_ngrams(
                vectors[start : start + block],
                words[start : min(start + block, kept)],
                matrix[n_words:],
                shortest,
                longest,
            )
    return b"\n".join(words[:kept]), vectors, counts[:kept]


def _entries(data: mmap.mmap, n_entries: int, n_words: int) -> tuple[list[bytes], np.ndarray, int]:
    """Return the words and their counts, and where the rows' header is."""
    at, words, counts = _HEAD.size, [], []
    for _ in range(n_entries):
        end = data.find(b"\0", at)
        if end < 0:
            raise ValueError("cut short in its dictionary")
        count, kind = struct.unpack_from("<qb", data, end + 1)
        if kind == 0:
            words.append(data[at:end])
            counts.append(count)
        at = end + 10
    if len(words) != n_words or min(counts) < 0:
        raise ValueError(f"{len(words)} words where there should be {n_words}, or a count below 0")
    return words, np.array(counts, dtype=np.int64), at


def _add_ngrams(vectors: np.ndarray, words: list[bytes], ngrams: np.ndarray, shortest: int, longest: int) -> None:
    """Make of the words' own rows the means of these and of their n-grams' rows, in place.

    fastText hashes (FNV-1a, bytes taken as signed) all runs of `shortest` to `longest` characters of ``<word>``.
    Here all that start anywhere grow together by a byte at a time.
    """
    text = np.frombuffer(b"".join(b"<" + word + b">" for word in words), dtype=np.uint8)
    lengths = np.array([len(word) + 2 for word in words])
    owners = np.repeat(np.arange(len(words)), lengths)
    ends = np.cumsum(lengths)
    starts_character = (text & 0xC0) != 0x80
    whole = np.array([word == b"</s>" for word in words])  # the end of a line, which has no n-grams
    places = np.flatnonzero(starts_character & ~whole[owners])
    first = (ends - lengths)[owners[places]]
    stops, cursors, begins = ends[owners[places]], places.copy(), places
    hashes = np.full(len(places), 2166136261, dtype=np.uint32)
    characters = np.zeros(len(places), dtype=np.int64)
    found_owners, found_rows = [], []
    while len(cursors):
        octets = text[cursors].astype(np.int8).astype(np.uint32)
        hashes = (hashes ^ octets) * np.uint32(16777619)
        characters += starts_character[cursors]
        cursors = cursors + 1
        at_end = cursors == stops
        complete = at_end | starts_character[np.minimum(cursors, len(text) - 1)]
        # A lone angle bracket is no n-gram.
        bracket = (characters == 1) & ((begins == first) | at_end)
        emit = complete & (characters >= shortest) & (characters <= longest) & ~bracket
        found_owners.append(owners[begins[emit]])
        found_rows.append(hashes[emit] % np.uint32(len(ngrams)))
        going = ~at_end & ~(complete & (characters >= longest))
        cursors, stops, begins, first, hashes, characters = (
            kept[going] for kept in (cursors, stops, begins, first, hashes, characters)
        )
    of, rows = np.concatenate(found_owners), np.concatenate(found_rows).astype(np.int64)
    order = np.argsort(of, kind="stable")
    of, rows = of[order], rows[order]
    counts = np.bincount(of, minlength=len(words))
    starts = np.cumsum(counts) - counts
    some = np.flatnonzero(counts)
    if len(some):
        block = max(1, 2**22 // ngrams.shape[1] // max(1, int(counts.max())))
        for at in range(0, len(some), block):
            part = some[at : at + block]
            low, high = starts[part[0]], starts[part[-1]] + counts[part[-1]]
            vectors[part] += np.add.reduceat(ngrams[rows[low:high]], starts[part] - low, axis=0)
    vectors /= (counts + 1)[:, None].astype(np.float32)
