"""File access shared by all formats: compression, atomic replacement, and conversion of words and values."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastw2v.config import TrainingConfig, Units
from fastw2v.utils.compression import compression_of, read_decompressed
from fastw2v.utils.encodings import guess_encoding
from fastw2v.utils.quote import quote

__all__ = [
    "FormatError",
    "cast",
    "check_units",
    "decode_words",
    "encode_words",
    "open_for_reading",
]

_BLOCK_BYTES = 1 << 20
_SPACES = re.compile(rb"[\x00-\x20\x7f]")


class FormatError(ValueError):
    """Error while reading or writing a vector file. The message gives the position of the error and a remedy."""


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading and decompress it if it is compressed. Yield the file and its size.

    A compressed file is recognised by its first bytes, not by its name. It is decompressed into an unnamed temporary
    file, because readers map files into memory and check the header against the size of the file. What comes from a
    pipe is copied into such a file as well.

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
        If a compressed file is truncated or damaged.
    RuntimeError
        If the file is compressed with zstd, and no module that can decompress it is installed.
    OSError
        If the file cannot be opened, or there is no room for the decompressed file.

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
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            compression = compression_of(file.read(16))
            file.seek(0)
            if compression is None:
                yield file, status.st_size
                return
        with tempfile.TemporaryFile() as plain:
            try:
                for block in read_decompressed(file, str(path), _BLOCK_BYTES):
                    _write_plain(plain, block, path)
                _write_plain(plain, b"", path)
            except ValueError as error:
                raise FormatError(str(error)) from error
            size = plain.tell()
            plain.seek(0)
            yield plain, size


def _write_plain(plain: BinaryIO, block: bytes, path: Path) -> None:
    """Write to the temporary file, and flush it if there is nothing more to write."""
    try:
        plain.write(block) if block else plain.flush()
    except OSError as error:
        reason = f"{error.strerror} in {tempfile.gettempdir()}, where the file is decompressed; set TMPDIR"
        raise OSError(error.errno, reason, str(path)) from None


def decode_words(words: bytes, path: Path, errors: str, encoding: str = "utf-8") -> list[str]:
    r"""Decode words that are separated by newlines.

    Parameters
    ----------
    words : bytes
    path : Path
        Used in error messages.
    errors : str
        How to handle words that are not in this encoding, as in `bytes.decode`.
    encoding : str
        Encoding of the words, in which the bytes of ASCII characters represent these characters.

    Returns
    -------
    list of str

    Raises
    ------
    FormatError
        If a word is not in this encoding and `errors` is "strict".

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import decode_words
    >>> decode_words(b"sun\ncaf\xe9", Path("vectors.bin"), errors="surrogateescape")
    ['sun', 'caf\udce9']
    """
    try:
        # Because a newline ends an incomplete character, this is equivalent to decoding each word, but much faster.
        decoded = words.decode(encoding, errors).split("\n")
    except UnicodeDecodeError as error:
        start = words.rfind(b"\n", 0, error.start) + 1
        row, end = words.count(b"\n", 0, error.start), words.find(b"\n", start)
        word = words[start : end if end >= 0 else None]
        raise FormatError(
            f"{path}: the word in row {row + 1}, {quote(word)}, is not {_spelling(encoding)}: {error.reason}. "
            + _remedy(words[max(0, error.start - 2**15) : error.start + 2**15], encoding)
        ) from None
    if len(decoded) != words.count(b"\n") + 1:  # with errors="ignore", some decoders drop the newline as well
        decoded = [word.decode(encoding, errors) for word in words.split(b"\n")]
    return decoded


def encode_words(
    words: Sequence[Any],
    path: Path,
    unfit: re.Pattern[bytes] | None = _SPACES,
    characters: str = "a space or control character",
) -> list[bytes]:
    """Encode words as UTF-8 and integers as digits, and check that the format can store each word.

    Parameters
    ----------
    words : sequence of str or of int
    path : Path
        Used in error messages.
    unfit : pattern or None
        Pattern of the bytes that a word must not contain; by default, spaces and control characters. If None, any word
        is accepted, including the empty word.
    characters : str
        The characters that `unfit` finds, for the error message.

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
            raise FormatError(
                f"{path}: the word {quote(word)} is not valid Unicode: {error.reason}. Rename the word"
            ) from None
        if unfit is not None and (word == "" or unfit.search(spelled[-1])):
            what = "the empty word" if word == "" else f"the word {quote(word)} contains {characters} and"
            target = f"a {path.suffix} file" if path.suffix else "this format"
            raise FormatError(
                f"{path}: {what} cannot be written to {target}, because no reader could tell where the word ends. "
                "Save as .safetensors, which stores any word, or rename the word"
            )
    return spelled


def check_units(units: Units, path: Path) -> None:
    """Raise `FormatError` unless n-grams are those of characters, the only units of fastText and floret.

    Parameters
    ----------
    units : {"characters", "syllables", "jamo"}
    path : Path
        Used in the error message.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.fileio import check_units
    >>> check_units("characters", Path("vectors.bin"))
    >>> check_units("jamo", Path("vectors.bin"))
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.bin: models of fastText and tables of floret cannot store ...
    """
    if units != TrainingConfig.units:
        raise FormatError(
            f"{path}: models of fastText and tables of floret cannot store n-grams of {units}; write .safetensors. "
            "To write the vectors of the vocabulary alone, use fastw2v convert --to bin or --to txt"
        )


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


def _spelling(encoding: str) -> str:
    """Return the usual spelling of an encoding in a sentence."""
    name = codecs.lookup(encoding).name
    return {"utf-8": "UTF-8", "utf-8-sig": "UTF-8"}.get(name, name)


def _remedy(words: bytes, encoding: str) -> str:
    """Return how to read words that are not in the given encoding."""
    # The first and the last word can be cut.
    whole = words[words.find(b"\n") + 1 : words.rfind(b"\n")] if words.count(b"\n") > 2 else words
    found = guess_encoding(whole)
    if found is None or found.startswith("utf-16") or found == encoding:
        return "Read the file with errors='surrogateescape', which keeps the bytes, or errors='replace'"
    return (
        f"The words are probably in {found}: read the file with encoding='{found}'. Otherwise, use "
        "errors='surrogateescape', which keeps the bytes, or errors='replace'"
    )
