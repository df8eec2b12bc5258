"""The file format of encoded corpora (``.w2v``), whose word ids and sentence offsets are memory-mapped.

``docs/reference/file_formats.md`` specifies the layout.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.corpus.spill_buffer import release_pages
from fastw2v.corpus.vocabulary import Vocabulary, kind_of_words
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.output_file import COMPRESSIONS
from fastw2v.utils.quote import quote

__all__ = ["read", "write"]

MAGIC = b"\x89w2v\r\n\x1a\n"
"""Signature, designed like that of PNG so that a file damaged by a conversion of text or line ends is detected."""
VERSION = 1
"""Version of the layout."""
TYPES_OF_WORDS: tuple[type, ...] = (str, int)
"""The types of words, by their number in the header. Integers are stored in decimal notation."""
HEADER = struct.Struct("<8sIIQQQQIIII")
"""Signature, version, type of words; numbers of tokens, sentences, words and bytes of words; four checksums."""
START = 128
"""Offset of the ids in bytes. The header, its checksum and zero padding precede the ids."""
BLOCK_BYTES = 1 << 22
"""Number of bytes that are written or verified at a time."""


def write(path: Path, ids: np.ndarray, offsets: np.ndarray, vocabulary: Vocabulary) -> None:
    """Write an encoded corpus; an incomplete file never appears under the final name.

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
        If a word contains a line feed or cannot be encoded in UTF-8, or the name is that of a compressed file.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v import Corpus, Vocabulary
    >>> from fastw2v.corpus.w2v_file import write
    >>> ids, offsets = np.array([0, 1, 0], dtype=np.int32), np.array([0, 2, 3], dtype=np.int64)
    >>> write(Path("corpus.w2v"), ids, offsets, Vocabulary(["the", "cat"], [2, 1]))
    >>> Corpus.load("corpus.w2v")
    <Corpus of 3 tokens in 2 sentences, 2 words>
    """
    if path.suffix.lower() in COMPRESSIONS:
        raise ValueError(
            f"{path}: an encoded corpus cannot be compressed, because it is mapped into memory; remove the "
            f"{path.suffix} from the name"
        )
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
        kind = TYPES_OF_WORDS.index(kind_of_words(vocabulary.words[:1]) or str)
        header = HEADER.pack(MAGIC, VERSION, kind, len(ids), len(offsets) - 1, len(vocabulary), len(words), *sums)
        file.seek(0)
        file.write(header + struct.pack("<I", zlib.crc32(header)))


def read(path: Path) -> tuple[np.ndarray, np.ndarray, Vocabulary]:
    """Verify the checksums of an encoded corpus and map its arrays into memory.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ids : int32 array, shape (T,)
        Mapped from the file.
    offsets : int64 array, shape (n_sentences + 1,)
        Mapped from the file.
    vocabulary : Vocabulary

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is not an encoded corpus, has an unsupported version, is incomplete or is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v import Corpus
    >>> from fastw2v.corpus.w2v_file import read
    >>> Corpus.from_sentences([["the", "cat"], ["the"]], min_count=1).save("corpus.w2v")
    >>> ids, offsets, vocabulary = read(Path("corpus.w2v"))
    >>> ids.tolist(), offsets.tolist(), vocabulary.words
    ([0, 1, 0], [0, 2, 3], ['the', 'cat'])
    """
    with path.open("rb") as file:
        kind, tokens, sentences, size, bytes_of_words, sums = _read_header(file, path)
        ids_at = START
        offsets_at = ids_at + _padded(4 * tokens)
        counts_at = offsets_at + 8 * (sentences + 1)
        words_at = counts_at + 8 * size
        end = words_at + bytes_of_words
        length = os.fstat(file.fileno()).st_size
        if length != end:
            raise ValueError(
                f"{path} is {'cut short' if length < end else 'too long'}: it has {length} bytes, but its header "
                f"specifies {end}; encode the corpus again"
            )
        # Copy on write makes the arrays writable. Nothing is copied as long as they are only read.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    highest = 0

    def find_highest(part: memoryview) -> None:
        nonlocal highest
        highest = max(highest, int(np.frombuffer(part, "<u4").max()))  # negative ids are large unsigned numbers

    parts = [(ids_at, 4 * tokens), (offsets_at, 8 * (sentences + 1)), (counts_at, 8 * size), (words_at, bytes_of_words)]
    for (start, n), expected, name in zip(parts, sums, ("ids", "offsets", "counts", "words"), strict=True):
        if _checksum(mapped, start, n, find_highest if name == "ids" else None) != expected:
            raise ValueError(f"{path} is damaged: the checksum of its {name} is wrong; encode the corpus again")
    ids = np.frombuffer(mapped, "<i4", tokens, ids_at)
    offsets = np.frombuffer(mapped, "<i8", sentences + 1, offsets_at)
    # A file can have the right checksums and wrong numbers.
    if (tokens and highest >= size) or not _divide(offsets, tokens):
        raise ValueError(f"{path} is damaged: its ids or offsets are wrong; encode the corpus again")
    counts = np.frombuffer(mapped, "<i8", size, counts_at).astype(np.int64)
    try:
        words = mapped[words_at:end].decode().split("\n")[:-1]
        vocabulary = Vocabulary([int(word) for word in words] if kind is int else words, counts)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its words are wrong; encode the corpus again") from error
    return ids, offsets, vocabulary


def _read_header(file: Any, path: Path) -> tuple[type, int, int, int, int, list[int]]:
    start = file.read(START)
    if start[: len(MAGIC)] != MAGIC:
        raise ValueError(
            f"{path} is not an encoded corpus: its signature is missing. To create one, run: fastw2v encode "
            f"corpus.txt -o {path.name}"
        )
    if len(start) < START:
        raise ValueError(f"{path} is cut short: the header is incomplete; encode the corpus again")
    _, version, kind, tokens, sentences, size, bytes_of_words, *sums = HEADER.unpack(start[: HEADER.size])
    if version > VERSION:
        raise ValueError(
            f"{path} has format version {version}, but the installed fastw2v reads version {VERSION}; upgrade fastw2v"
        )
    # The header of a later version may have another checksum, so the version is read first.
    if struct.unpack_from("<I", start, HEADER.size)[0] != zlib.crc32(start[: HEADER.size]):
        raise ValueError(f"{path} is damaged: the checksum of its header is wrong; encode the corpus again")
    if version < VERSION:
        raise ValueError(f"{path} is damaged: its header fields are wrong; encode the corpus again")
    if kind >= len(TYPES_OF_WORDS):
        raise ValueError(f"{path} has words of the unknown type {kind}; it was written by a later version of fastw2v")
    return TYPES_OF_WORDS[kind], tokens, sentences, size, bytes_of_words, sums


def _write_array(file: Any, array: np.ndarray, dtype: str) -> int:
    """Write an array, padded to a multiple of 8 bytes, and return the checksum of the array without the padding."""
    step = BLOCK_BYTES // np.dtype(dtype).itemsize
    checksum = 0
    with ThreadPoolExecutor(1) as thread:
        for i in range(0, len(array), step):
            data = np.ascontiguousarray(array[i : i + step], dtype=dtype)
            summed = thread.submit(zlib.crc32, data, checksum)
            file.write(data)
            checksum = summed.result()
            release_pages(array[i : i + step])
    length = len(array) * np.dtype(dtype).itemsize
    file.write(bytes(_padded(length) - length))
    return checksum


def _checksum(mapped: mmap.mmap, start: int, length: int, look: Callable[[memoryview], None] | None = None) -> int:
    """Return the checksum of a part of the file. `look` is called with each block, so that it is read only once."""
    checksum = 0
    with memoryview(mapped) as view:
        for i in range(start, start + length, BLOCK_BYTES):
            with view[i : min(i + BLOCK_BYTES, start + length)] as part:
                checksum = zlib.crc32(part, checksum)
                if look is not None:
                    look(part)
    return checksum


def _divide(offsets: np.ndarray, tokens: int) -> bool:
    """Return whether the offsets divide the tokens into sentences."""
    step = BLOCK_BYTES // 8
    blocks = (offsets[i : i + step + 1] for i in range(0, len(offsets) - 1, step))
    return offsets[0] == 0 and offsets[-1] == tokens and all((block[1:] >= block[:-1]).all() for block in blocks)


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def _words_to_bytes(words: list[Any], path: Path) -> bytes:
    words = list(map(str, words))
    for word in words:
        if "\n" in word:
            raise ValueError(f"word {quote(word)} cannot be written to {path}: words must not contain line feeds")
    try:
        return "".join(f"{word}\n" for word in words).encode()
    except UnicodeEncodeError as error:
        word = next(word for word in words if not _encodable(word))
        raise ValueError(
            f"word {quote(word)} cannot be written to {path}: it cannot be encoded in UTF-8 ({error.reason}); "
            "replace it"
        ) from error


def _encodable(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
