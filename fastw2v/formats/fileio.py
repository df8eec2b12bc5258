"""Files of word vectors: opened with or without gzip, replaced atomically, and their words and values converted."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastw2v.utils.atomic_write import atomic_write

__all__ = ["FormatError", "cast", "decode_words", "encode_words", "is_gzipped", "open_for_reading", "open_for_writing"]

_SPACES = re.compile(rb"[\x00-\x20\x7f]")


class FormatError(ValueError):
    """A vector file that cannot be read or written, with the place and the remedy."""


def is_gzipped(path: Path) -> bool:
    """Return whether the name says that a file is compressed with gzip."""
    return path.suffix.lower() == ".gz"


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading, decompressed where it is compressed with gzip, and give it with its size.

    It is decompressed into an unnamed temporary file, as readers check a file's header against its size, and map it.
    """
    with path.open("rb") as file:
        magic = file.read(2)
        file.seek(0)
        if magic != b"\x1f\x8b":
            yield file, os.fstat(file.fileno()).st_size
            return
        with tempfile.TemporaryFile() as plain:
            try:
                with gzip.GzipFile(fileobj=file) as packed:
                    shutil.copyfileobj(packed, plain, 2**20)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise FormatError(
                    f"{path}: not a whole gzip file ({error}): it is cut short or damaged; fetch or write it again"
                ) from error
            size = plain.tell()
            plain.seek(0)
            yield plain, size


@contextlib.contextmanager
def open_for_writing(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written that takes `path`'s place on success, compressed where the name says so."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        if not is_gzipped(path):
            yield file
            return
        # Without name and time, equal vectors give equal files.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def decode_words(words: bytes, path: Path, errors: str) -> list[str]:
    """Return words in UTF-8, with newlines between them, as strings."""
    try:
        # Much faster than word by word, and the same: a newline ends whatever was cut short before it.
        return words.decode("utf-8", errors).split("\n")
    except UnicodeDecodeError as error:
        row = words.count(b"\n", 0, error.start)
        word = words.split(b"\n")[row]
        raise FormatError(
            f"{path}: the word of row {row + 1}, {word[:30]!r}, is not UTF-8: "
            f"{error.reason}. Read the file with errors='surrogateescape' to keep such words as they are, or 'replace'"
        ) from error


def encode_words(words: Sequence[Any], path: Path, unfit: re.Pattern[bytes] | None = _SPACES) -> list[bytes]:
    """Return the words in UTF-8, integers in digits, having checked that the format can hold each.

    `unfit` matches the bytes that a word must not have; with None any word will do, the empty one as well.
    """
    spelled = []
    for word in words:
        try:
            spelled.append(str(word).encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise FormatError(f"{path}: the word {word!r} is not valid Unicode: {error.reason}") from error
        if unfit is not None and (word == "" or unfit.search(spelled[-1])):
            what = "the empty word" if word == "" else f"the word {word!r}, with its space or control character,"
            target = f"a {path.suffix} file" if path.suffix else "this format"
            raise FormatError(
                f"{path}: {what} cannot be written to {target}, as no reader could tell where it ends. "
                "Save as .safetensors, which holds any word, or rename it"
            )
    return spelled


def cast(matrix: np.ndarray, dtype: np.dtype, path: Path) -> np.ndarray:
    """Return the matrix in C order and `dtype`, having checked that no value grows to infinity."""
    with np.errstate(over="ignore"):
        same = np.ascontiguousarray(matrix, dtype=dtype)
    if dtype.itemsize < matrix.dtype.itemsize:
        overflown = np.isinf(same) & np.isfinite(matrix)
        if overflown.any():
            row, column = np.argwhere(overflown)[0]
            raise FormatError(
                f"{path}: the value {matrix[row, column]} in row {row} is beyond {dtype.name}, which is what this "
                f"file holds. Save the vectors as .safetensors, which keeps {matrix.dtype}, or scale them"
            )
    return same
