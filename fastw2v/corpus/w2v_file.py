"""The encoded corpus file, .w2v: word ids, sentence offsets and the vocabulary, ready to be memory-mapped.

``docs/corpora.md`` gives the layout byte by byte.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.utils.atomic_write import atomic_write

__all__ = ["read", "write"]

MAGIC = b"\x89w2v\r\n\x1a\n"
"""Designed like that of PNG: a transfer as text, or one that changes line ends, damages it noticeably."""
VERSION = 1
"""Version of the layout."""
HEADER = struct.Struct("<8sIIQQQQIIII")
"""Magic, version, zero; counts of tokens, sentences, words and bytes of words; checksums of the four parts."""
START = 128
"""Bytes before the ids: the header, its checksum, and zeros."""
BLOCK_BYTES = 1 << 22
"""Bytes that are written or checked at a time."""


def write(path: Path, ids: np.ndarray, offsets: np.ndarray, vocabulary: Vocabulary) -> None:
    """Write an encoded corpus; the file appears under its name only when it is complete.

    Parameters
    ----------
    path : Path
    ids : int32 array, shape (T,)
    offsets : int64 array, shape (n_sentences + 1,)
    vocabulary : Vocabulary

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If a word holds a line feed or half of a surrogate pair.
    """
    words = _words_to_bytes(vocabulary.words, path)
    with atomic_write(path) as partial, partial.open("wb") as file:
        file.write(bytes(START))
        sums = [
            _write_array(file, ids, "<i4"),
            _write_array(file, offsets, "<i8"),
            _write_array(file, vocabulary.counts, "<i8"),
            zlib.crc32(words),
        ]
        file.write(words)
        header = HEADER.pack(MAGIC, VERSION, 0, len(ids), len(offsets) - 1, len(vocabulary), len(words), *sums)
        file.seek(0)
        file.write(header + struct.pack("<I", zlib.crc32(header)))
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> tuple[np.ndarray, np.ndarray, Vocabulary]:
    """Map an encoded corpus into memory after verifying its checksums.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ids : int32 array
    offsets : int64 array
        Both are mapped from the file.
    vocabulary : Vocabulary

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is no encoded corpus, is of another version, is cut short or is damaged.
    """
    with path.open("rb") as file:
        tokens, sentences, size, bytes_of_words, sums = _read_header(file, path)
        ids_at = START
        offsets_at = ids_at + _padded(4 * tokens)
        counts_at = offsets_at + 8 * (sentences + 1)
        words_at = counts_at + 8 * size
        end = words_at + bytes_of_words
        length = os.fstat(file.fileno()).st_size
        if length != end:
            raise ValueError(
                f"{path} is {'cut short' if length < end else 'too long'}: it has {length} bytes, and its header "
                f"tells of {end}; encode the corpus again"
            )
        # Copy on write makes the arrays ordinary writable ones; as nobody writes to them, nothing is copied.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    parts = [(ids_at, 4 * tokens), (offsets_at, 8 * (sentences + 1)), (counts_at, 8 * size), (words_at, bytes_of_words)]
    for (start, n), expected, name in zip(parts, sums, ("ids", "offsets", "counts", "words"), strict=True):
        if _checksum(mapped, start, n) != expected:
            raise ValueError(f"{path} is damaged: the checksum of its {name} is wrong; encode the corpus again")
    ids = np.frombuffer(mapped, "<i4", tokens, ids_at)
    offsets = np.frombuffer(mapped, "<i8", sentences + 1, offsets_at)
    counts = np.frombuffer(mapped, "<i8", size, counts_at).astype(np.int64)
    words = mapped[words_at:end].decode().split("\n")[:-1]
    return ids, offsets, Vocabulary(words, counts)


def _read_header(file: Any, path: Path) -> tuple[int, int, int, int, list[int]]:
    start = file.read(START)
    if start[: len(MAGIC)] != MAGIC:
        raise ValueError(
            f"{path} is not an encoded corpus: it does not begin like one. Make one with: fastw2v encode corpus.txt -o "
            f"{path.name}"
        )
    if len(start) < START:
        raise ValueError(f"{path} is cut short: it ends within the header; encode the corpus again")
    _, version, _, tokens, sentences, size, bytes_of_words, *sums = HEADER.unpack(start[: HEADER.size])
    if version != VERSION:
        raise ValueError(f"{path} is of version {version}, and version {VERSION} is supported; encode the corpus again")
    if struct.unpack_from("<I", start, HEADER.size)[0] != zlib.crc32(start[: HEADER.size]):
        raise ValueError(f"{path} is damaged: the checksum of its header is wrong; encode the corpus again")
    return tokens, sentences, size, bytes_of_words, sums


def _write_array(file: Any, array: np.ndarray, dtype: str) -> int:
    """Write an array, padded to whole 8 bytes, and return the checksum of what is not padding."""
    step = BLOCK_BYTES // np.dtype(dtype).itemsize
    checksum = 0
    for i in range(0, len(array), step):
        data = np.ascontiguousarray(array[i : i + step], dtype=dtype).tobytes()
        checksum = zlib.crc32(data, checksum)
        file.write(data)
    length = len(array) * np.dtype(dtype).itemsize
    file.write(bytes(_padded(length) - length))
    return checksum


def _checksum(mapped: mmap.mmap, start: int, length: int) -> int:
    checksum = 0
    with memoryview(mapped) as view:
        for i in range(start, start + length, BLOCK_BYTES):
            with view[i : min(i + BLOCK_BYTES, start + length)] as part:
                checksum = zlib.crc32(part, checksum)
    return checksum


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def _words_to_bytes(words: list[str], path: Path) -> bytes:
    for word in words:
        if "\n" in word:
            raise ValueError(f"word {word!r} cannot be written to {path}: words are separated by line feeds there")
    try:
        return "".join(f"{word}\n" for word in words).encode()
    except UnicodeEncodeError as error:
        word = next(word for word in words if not _encodable(word))
        raise ValueError(f"word {word!r} cannot be written to {path}: it is not text ({error.reason})") from error


def _encodable(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
