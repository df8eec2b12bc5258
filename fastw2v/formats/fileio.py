"""File access shared by all formats: optional gzip, atomic replacement, and conversion of words and values."""

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
    """Error while reading or writing a vector file. The message gives the position of the error and a remedy."""


def is_gzipped(path: Path) -> bool:
    """Return whether a file name ends in ``.gz``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import is_gzipped
    >>> is_gzipped(Path("vectors.txt.gz")), is_gzipped(Path("vectors.txt"))
    (True, False)
    """
    return path.suffix.lower() == ".gz"


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading and decompress it if it is gzipped. Yield the file and its size.

    A gzipped file is recognised by its first bytes, not by its name. It is decompressed into an unnamed temporary file,
    because readers map files into memory and check the header against the size of the file.

    Parameters
    ----------
    path : Path

    Yields
    ------
    file : binary file
    size : int
        Size of the decompressed file in bytes.

    Raises
    ------
    FormatError
        If a gzipped file is truncated or damaged.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import gzip
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import open_for_reading
    >>> _ = Path("vectors.txt").write_bytes(gzip.compress(b"sun 0.5"))
    >>> with open_for_reading(Path("vectors.txt")) as (file, size):
    ...     size, file.read()
    (7, b'sun 0.5')
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
                    f"{path}: not a complete gzip file ({error}). It is truncated or damaged; fetch or write it again"
                ) from error
            size = plain.tell()
            plain.seek(0)
            yield plain, size


@contextlib.contextmanager
def open_for_writing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` on success. The file is compressed if the name ends in ``.gz``.

    Parameters
    ----------
    path : Path
        If an error occurs, an existing file at this path is left unchanged.

    Yields
    ------
    binary file

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import open_for_writing
    >>> path = Path("new.txt")
    >>> with open_for_writing(path) as file:
    ...     _ = file.write(b"sun 0.5")
    ...     print("visible while incomplete:", path.exists())
    visible while incomplete: False
    >>> path.read_text()
    'sun 0.5'
    """
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        if not is_gzipped(path):
            yield file
            return
        # Omit the name and the time, so that equal vectors give identical files.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def decode_words(words: bytes, path: Path, errors: str) -> list[str]:
    r"""Decode UTF-8 words that are separated by newlines.

    Parameters
    ----------
    words : bytes
    path : Path
        Used in error messages.
    errors : str
        How to handle words that are not UTF-8, as in `bytes.decode`.

    Returns
    -------
    list of str

    Raises
    ------
    FormatError
        If a word is not UTF-8 and `errors` is "strict".

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import decode_words
    >>> decode_words(b"sun\ncaf\xe9", Path("vectors.bin"), errors="surrogateescape")
    ['sun', 'caf\udce9']
    """
    try:
        # Because a newline ends an incomplete character, this is equivalent to decoding each word, but much faster.
        return words.decode("utf-8", errors).split("\n")
    except UnicodeDecodeError as error:
        row = words.count(b"\n", 0, error.start)
        word = words.split(b"\n")[row]
        raise FormatError(
            f"{path}: the word in row {row + 1}, {word[:30]!r}, is not UTF-8: "
            f"{error.reason}. Read the file with errors='surrogateescape', which keeps the bytes, or errors='replace'"
        ) from error


def encode_words(words: Sequence[Any], path: Path, unfit: re.Pattern[bytes] | None = _SPACES) -> list[bytes]:
    """Encode words as UTF-8 and integers as digits, and check that the format can store each word.

    Parameters
    ----------
    words : sequence of str or of int
    path : Path
        Used in error messages.
    unfit : pattern or None
        Pattern of the bytes that a word must not contain; by default, spaces and control characters. If None, any word
        is accepted, including the empty word.

    Returns
    -------
    list of bytes

    Raises
    ------
    FormatError
        If the format cannot store a word.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import encode_words
    >>> encode_words(["sun", 42], Path("vectors.bin"))
    [b'sun', b'42']
    >>> encode_words(["new york"], Path("vectors.bin"))
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.bin: the word 'new york' contains a space or control character ...
    """
    spelled = []
    for word in words:
        try:
            spelled.append(str(word).encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise FormatError(f"{path}: the word {word!r} is not valid Unicode: {error.reason}") from error
        if unfit is not None and (word == "" or unfit.search(spelled[-1])):
            what = "the empty word" if word == "" else f"the word {word!r} contains a space or control character and"
            target = f"a {path.suffix} file" if path.suffix else "this format"
            raise FormatError(
                f"{path}: {what} cannot be written to {target}, because no reader could tell where the word ends. "
                "Save as .safetensors, which stores any word, or rename the word"
            )
    return spelled


def cast(matrix: np.ndarray, dtype: np.dtype, path: Path) -> np.ndarray:
    """Convert a matrix to `dtype` and C order, and check that no finite value becomes infinite.

    Parameters
    ----------
    matrix : float array, shape (V, D)
    dtype : dtype
    path : Path
        Used in error messages.

    Returns
    -------
    array, shape (V, D)
        `matrix` itself if nothing had to be converted.

    Raises
    ------
    FormatError
        If a value is too large for `dtype`.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import cast
    >>> cast(np.array([[0.5, 2.0]]), np.dtype("float32"), Path("vectors.bin"))
    array([[0.5, 2. ]], dtype=float32)
    >>> cast(np.array([[0.5, 1e39]]), np.dtype("float32"), Path("vectors.bin"))
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.bin: the value 1e+39 in row 0 is too large for float32, ...
    """
    with np.errstate(over="ignore"):
        same = np.ascontiguousarray(matrix, dtype=dtype)
    if dtype.itemsize < matrix.dtype.itemsize:
        overflown = np.isinf(same) & np.isfinite(matrix)
        if overflown.any():
            row, column = np.argwhere(overflown)[0]
            raise FormatError(
                f"{path}: the value {matrix[row, column]} in row {row} is too large for {dtype.name}, the type of "
                f"this format. Save the vectors as .safetensors, which keeps {matrix.dtype}, or scale them"
            )
    return same
