"""The text formats of word2vec, fastText and GloVe: one line per word, with the word and D numbers.

`float_text` parses and formats many numbers at a time. Numbers in an unusual form, such as ``1e10`` or ``nan``, are
parsed one by one in Python.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError, cast, encode_words
from fastw2v.formats.float_text import format_floats, parse_floats
from fastw2v.formats.header import check_first_word, check_rest, read_header, text_start
from fastw2v.formats.record import VectorRecord
from fastw2v.utils.output_file import open_for_writing
from fastw2v.utils.quote import quote
from fastw2v.utils.system import available_processors

__all__ = ["format_rows", "is_glove_line", "parse_rows", "read_word2vec_text", "write_word2vec_text"]

# Number of bytes parsed at a time. The intermediate arrays of a chunk this small stay in the cache.
_CHUNK = 2**18
# Number of values formatted at a time, limited for the same reason.
_FORMAT_BLOCK = 2**14
_PAD = 16
_GLOVE = re.compile(rb"\S+(?: -?\d+\.\d+(?:e[-+]?\d+)?)+[ \t\r]*\n")
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)


def read_word2vec_text(
    file: BinaryIO, path: Path, size: int, limit: int | None, header: bool | None
) -> tuple[bytes, np.ndarray]:
    r"""Read the words and vectors of a text file.

    Parameters
    ----------
    file : binary file
        Open file, which is mapped into memory.
    path : Path
        Used in error messages.
    size : int
        Size of the file in bytes.
    limit : int or None
        Read only the first `limit` words. If None, read all words.
    header : bool or None
        Whether the first line is a header with the number of words and the number of dimensions. If None, the first
        line is a header unless it consists of a word and numbers with decimal points.

    Returns
    -------
    words : bytes
        The N words, separated by newlines.
    vectors : float32 array, shape (N, D)

    Raises
    ------
    FormatError
        If the file is truncated, damaged or in a different format.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.word2vec_text import read_word2vec_text
    >>> path = Path("vectors.txt")
    >>> size = path.write_bytes(b"2 3\nsun 0.5 1 -2\nmoon 1e-2 0 0.25\n")
    >>> with path.open("rb") as file:
    ...     words, vectors = read_word2vec_text(file, path, size, limit=1, header=None)
    >>> words, vectors.tolist()
    (b'sun', [[0.5, 1.0, -2.0]])
    """
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    begin = text_start(data[:4])
    line = data[begin : data.find(b"\n") + 1]
    if header is False or (header is None and is_glove_line(line)):
        n_words, n_dims, at = _count_rows(data), len(line.split()) - 1, begin
        if n_dims < 1:
            raise FormatError(f"{path}: the first line is {quote(line, 60)}, not a word and numbers; check the format")
    else:
        n_words, n_dims, length = read_header(data[begin : begin + 4096], path, size, least_word=2, least_value=2)
        at = begin + length
    n_header = int(at > begin)
    n_read = n_words if limit is None else min(limit, n_words)
    vectors = np.empty((n_read, n_dims), dtype=np.float32)
    words: list[bytes] = []
    # NumPy releases the global interpreter lock, so threads run in parallel.
    with ThreadPoolExecutor(min(8, available_processors())) as pool:
        end = at
        chunks = list(_chunks(data, at, n_read))
        parse = partial(_parse_chunk, data, n_dims, vectors, path, n_header)
        for found in pool.map(parse, chunks):
            words += found
        end = chunks[-1][1] if chunks else at
    if len(words) < n_read:
        raise FormatError(
            f"{path}: line {len(words) + 1 + n_header} of {n_words + n_header} is missing or does not end with a "
            "newline. The file is truncated; fetch or write it again. If only the newline is missing, add it at the end"
        )
    if n_read == n_words:
        check_rest(data[end : end + 64], path, n_words)
    return b"\n".join(words), vectors


def write_word2vec_text(record: VectorRecord, path: Path, header: bool) -> None:
    """Write words and vectors as text.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        The file is compressed if the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``.
    header : bool
        Whether to write a first line with the number of words and the number of dimensions.

    Raises
    ------
    FormatError
        If a word contains a space or control character, `header` is false and the first word starts with a byte order
        mark, or a value is too large for float32.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.word2vec_text import write_word2vec_text
    >>> record = VectorRecord(["sun", "moon"], np.array([[0.1, 1], [-2.5, 0]]))
    >>> write_word2vec_text(record, Path("sky.txt"), header=False)
    >>> print(Path("sky.txt").read_text())
    sun 0.1 1.0
    moon -2.5 0.0
    """
    words = encode_words(record.index_to_key, path)
    if not header:
        check_first_word(words[0] + b" ", path)
    matrix = cast(to_host(record.vectors), np.dtype("<f4"), path)
    with open_for_writing(path) as file:
        if header:
            file.write(b"%d %d\n" % matrix.shape)
        for word, numbers in zip(words, format_rows(matrix), strict=True):
            file.write(word + numbers + b"\n")


def is_glove_line(line: bytes) -> bool:
    r"""Return whether a line is a word and numbers that all have a decimal point, as in GloVe's files.

    Examples
    --------
    >>> from fastw2v.formats.word2vec_text import is_glove_line
    >>> is_glove_line(b"sun 0.5 -1.0\n"), is_glove_line(b"2 300\n")
    (True, False)
    """
    return _GLOVE.fullmatch(line) is not None


def format_rows(matrix: np.ndarray) -> Iterator[bytes]:
    """Yield the text of each row of a matrix, with a space before each number.

    Parameters
    ----------
    matrix : float32 array, shape (V, D)

    Yields
    ------
    bytes
        The shortest decimal text that reads back as the same float32 numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats.word2vec_text import format_rows
    >>> list(format_rows(np.array([[0.1, 1], [-2.5, 0]], np.float32)))
    [b' 0.1 1.0', b' -2.5 0.0']
    """
    n_workers = min(8, available_processors())
    n_rows = max(1, _FORMAT_BLOCK // matrix.shape[1])
    with ThreadPoolExecutor(n_workers) as pool:
        # Format only a few blocks per thread at a time, because text that waits to be written takes memory.
        for start in range(0, len(matrix), 8 * n_workers * n_rows):
            stop = min(start + 8 * n_workers * n_rows, len(matrix))
            blocks = [matrix[at : min(at + n_rows, stop)] for at in range(start, stop, n_rows)]
            for text, lengths in pool.map(lambda block: format_floats(block.reshape(-1)), blocks):
                ends = np.cumsum(lengths.reshape(-1, matrix.shape[1]).sum(axis=1)).tolist()
                for begin, end in pairwise([0, *ends]):
                    yield text[begin:end]


def parse_rows(text: bytes, n_dims: int) -> tuple[list[bytes], np.ndarray]:
    r"""Parse complete lines, each consisting of a word and D numbers.

    Each line is parsed from its right end, so a word may contain spaces.

    Parameters
    ----------
    text : bytes
        N lines, each with a newline at its end.
    n_dims : int
        D, the number of numbers in each line.

    Returns
    -------
    words : list of bytes
    vectors : float32 array, shape (N, D)

    Raises
    ------
    IndexError
        If a line is invalid. The argument of the exception is the index of the first invalid line.

    Examples
    --------
    >>> from fastw2v.formats.word2vec_text import parse_rows
    >>> words, vectors = parse_rows(b"sun 0.5 1\nnew york -2 1e-2\n", n_dims=2)
    >>> words, vectors.shape
    ([b'sun', b'new york'], (2, 2))
    >>> parse_rows(b"sun 0.5 1\nmoon 2\n", n_dims=2)
    Traceback (most recent call last):
        ...
    IndexError: 1
    """
    raw = np.frombuffer(bytes(_PAD) + text + bytes(_PAD), dtype=np.uint8)
    line_ends = np.flatnonzero(raw == 10)
    line_starts = np.concatenate([[_PAD], line_ends[:-1] + 1])
    stops = _without_trailing(raw, line_starts, line_ends)
    spaces = np.flatnonzero(raw == 32)
    behind = np.searchsorted(spaces, stops)
    ahead = behind - np.searchsorted(spaces, line_starts)
    if (ahead < n_dims).any():
        raise IndexError(int(np.argmax(ahead < n_dims)))
    gaps = spaces[(behind - n_dims)[:, None] + np.arange(n_dims)]
    ends = np.concatenate([gaps[:, 1:], stops[:, None]], axis=1)
    values, odd = parse_floats(raw, gaps.reshape(-1) + 1, ends.reshape(-1))
    matrix = values.reshape(-1, n_dims)
    for place in odd:
        row, column = divmod(int(place), n_dims)
        matrix[row, column] = _odd_number(raw[gaps[row, column] + 1 : ends[row, column]].tobytes(), row)
    first, last = (line_starts - _PAD).tolist(), (gaps[:, 0] - _PAD).tolist()
    words = [text[start:end] for start, end in zip(first, last, strict=True)]
    for row in np.flatnonzero(ahead > n_dims).tolist():
        # Without this check, the first of too many numbers would become part of the word.
        if _NUMBER.fullmatch(words[row].rpartition(b" ")[2]):
            raise IndexError(row)
    if not all(words):
        raise IndexError(words.index(b""))
    return words, matrix


def _count_rows(data: mmap.mmap) -> int:
    """Return the number of lines, excluding blank lines at the end. The last line need not end with a newline."""
    whole = data[-(2**16) :].rstrip()
    end = len(data) - min(len(data), 2**16) + len(whole)
    return sum(data[start : min(start + 2**24, end)].count(b"\n") for start in range(0, end, 2**24)) + 1


def _chunks(data: mmap.mmap, at: int, n_rows: int) -> Iterator[tuple[int, int, int]]:
    """Split the next `n_rows` lines into chunks, and yield the start, the end and the first row of each chunk."""
    row = 0
    while row < n_rows:
        end = data.rfind(b"\n", at, at + _CHUNK) + 1
        if not end and not (end := data.find(b"\n", at) + 1):
            return
        lines = data[at:end].count(b"\n")
        if row + lines > n_rows:
            for _ in range(n_rows - row):
                end = data.find(b"\n", at if _ == 0 else end) + 1
            lines = n_rows - row
        yield at, end, row
        at, row = end, row + lines


def _parse_chunk(
    data: mmap.mmap, n_dims: int, vectors: np.ndarray, path: Path, header_lines: int, chunk: tuple[int, int, int]
) -> list[bytes]:
    start, end, row = chunk
    try:
        words, matrix = parse_rows(data[start:end], n_dims)
    except IndexError as error:
        number = error.args[0]
        line = data[start:end].split(b"\n")[number]
        reason = "The file is damaged or the number of dimensions is wrong"
        if b"\t" in line:
            reason = "The word and the numbers must be separated by spaces, not by tabs"
        raise FormatError(
            f"{path}: line {row + number + 1 + header_lines} is {quote(line, 60)}, not a word and {n_dims} float32 "
            f"numbers. {reason}"
        ) from None
    vectors[row : row + len(words)] = matrix
    return words


def _without_trailing(raw: np.ndarray, line_starts: np.ndarray, line_ends: np.ndarray) -> np.ndarray:
    """Return the end of each line, excluding trailing spaces, tabs and carriage returns."""
    stops = line_ends.copy()
    for _ in range(4):
        last = raw[stops - 1]
        blank = ((last == 32) | (last == 13) | (last == 9)) & (stops > line_starts)
        if not blank.any():
            return stops
        stops -= blank
    for i in np.flatnonzero(blank).tolist():
        stops[i] = line_starts[i] + len(raw[line_starts[i] : line_ends[i]].tobytes().rstrip(b" \t\r"))
    return stops


def _odd_number(text: bytes, row: int) -> Any:
    """Parse a number in any form as float32; raise IndexError(row) if it is invalid or too large."""
    if not _NUMBER.fullmatch(text):
        raise IndexError(row)
    value = float(text)
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if np.isinf(single) and abs(value) != np.inf:
        raise IndexError(row)
    if np.isinf(single) and b"n" not in text.lower():
        raise IndexError(row)
    return single
