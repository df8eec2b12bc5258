"""The binary format of word2vec: a header line, then for each word its text, a space and D float32 values."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError, cast, encode_words
from fastw2v.formats.header import check_rest, read_header
from fastw2v.formats.record import VectorRecord
from fastw2v.utils.output_file import open_for_writing
from fastw2v.utils.quote import quote

__all__ = ["read_word2vec_bin", "write_word2vec_bin"]

# Number of bytes read at a time. Rows of a window this small are still in the cache when they are copied.
_WINDOW = 2**22
# Neither the C tool nor gensim writes control characters into words, but a row read at a wrong offset is full of them.
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_TEXT = re.compile(rb"(?:[!-~\x80-\xff]+ )+")


def read_word2vec_bin(file: BinaryIO, path: Path, size: int, limit: int | None) -> tuple[bytes, np.ndarray]:
    r"""Read the words and vectors of a file in word2vec's binary format.

    Parameters
    ----------
    file : binary file
    path : Path
        Used in error messages.
    size : int
        Size of the file in bytes.
    limit : int or None
        Read only the first `limit` words. If None, read all words.

    Returns
    -------
    words : bytes
        The N words, separated by newlines.
    vectors : float32 array, shape (N, D)

    Raises
    ------
    FormatError
        If the file is truncated or damaged, or was written with a word that contains a space.

    Notes
    -----
    Words vary in length, so a row can only be found from the end of the previous row. A regular expression finds all
    rows of a window in one call.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats.word2vec_bin import read_word2vec_bin
    >>> path, values = Path("vectors.bin"), np.array([0.5, -1], "<f4").tobytes()
    >>> size = path.write_bytes(b"2 2\n" + b"sun " + values + b"moon " + values)
    >>> with path.open("rb") as file:
    ...     words, vectors = read_word2vec_bin(file, path, size, limit=None)
    >>> words, vectors.tolist()
    (b'sun\nmoon', [[0.5, -1.0], [0.5, -1.0]])
    """
    n_words, n_dims, header_bytes = read_header(file.read(128), path, size, least_word=2, least_value=4)
    n_read = n_words if limit is None else min(limit, n_words)
    row_bytes = 4 * n_dims
    if row_bytes >= 2**31:
        raise FormatError(f"{path}: the header gives {n_dims} dimensions; at most {2**29 - 1:,} are supported")
    # The C tools end each row with a newline, but gensim does not. At this point, the newline is still part of the next
    # word. An incomplete row at the end of a window gives an empty match.
    row_form = re.compile(rb"([^ ]*+ ).{%d}|.+" % row_bytes, re.DOTALL)
    vectors = np.empty((n_read, n_dims), dtype="<f4")
    windows = [bytearray(max(_WINDOW, 2 * row_bytes)) for _ in range(2)]
    texts: list[bytes] = []
    copies: list[Future[list[int]]] = []
    n_found, at = 0, header_bytes
    # While a thread copies the rows of one window, the next window is read and searched.
    with ThreadPoolExecutor(1) as pool:
        while n_found < n_read:
            if len(copies) > 1:
                copies[-2].result()
            window = windows[len(copies) % 2]
            file.seek(at)
            filled = file.readinto(window)  # type: ignore[attr-defined]
            text = b"".join(row_form.findall(window, 0, filled))
            ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 32)[: n_read - n_found] + 1
            if not len(ends):
                if filled < len(window):
                    break
                windows = [bytearray(2 * len(window)) for _ in windows]  # the word is longer than the window
                continue
            starts = ends + row_bytes * np.arange(len(ends))
            copies.append(pool.submit(_copy_rows, window, starts, vectors, n_found))
            texts.append(text[: ends[-1]])
            n_found += len(ends)
            at += int(starts[-1]) + row_bytes
        suspects = [row for copy in copies for row in copy.result()]
    found = b"".join(texts)
    file.seek(at)
    rest = file.read(64)
    words = _checked_words(found, vectors[:n_found], suspects, n_words, header_bytes, path) if n_found else b""
    if n_found < n_read:
        raise FormatError(
            f"{path}: row {n_found + 1} of {n_words} starts at byte {at:,} and extends beyond the end of the file at "
            f"{size:,} bytes. The file is truncated or damaged; fetch or write it again"
        )
    if n_read == n_words:
        check_rest(rest, path, n_words)
    return words, vectors.astype(np.float32, copy=False)


def write_word2vec_bin(record: VectorRecord, path: Path) -> None:
    r"""Write words and vectors in word2vec's binary format. Like gensim, write no newline after each row.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        The file is compressed if the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``.

    Raises
    ------
    FormatError
        If a word contains a space or control character, or a value is too large for float32.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.word2vec_bin import write_word2vec_bin
    >>> write_word2vec_bin(VectorRecord(["sun", "moon"], np.zeros((2, 1))), Path("zeros.bin"))
    >>> Path("zeros.bin").read_bytes()
    b'2 1\nsun \x00\x00\x00\x00moon \x00\x00\x00\x00'
    """
    words = encode_words(record.index_to_key, path)
    matrix = to_host(record.vectors)
    if matrix.dtype != np.dtype("<f4"):  # a matrix of this type is written without being copied
        matrix = cast(matrix, np.dtype("<f4"), path)
    with open_for_writing(path) as file:
        file.write(b"%d %d\n" % matrix.shape)
        for word, row in zip(words, matrix, strict=True):
            file.write(word + b" " + row.tobytes())


def _copy_rows(window: bytearray, starts: np.ndarray, vectors: np.ndarray, first: int) -> list[int]:
    """Copy the rows at offsets `starts` to `vectors`, beginning with row `first`, and return the suspicious rows."""
    # View the window as overlapping elements of one row each, one for every byte offset. Indexing copies whole rows.
    row = np.dtype((np.void, 4 * vectors.shape[1]))
    everywhere: np.ndarray = np.ndarray((len(window) - row.itemsize + 1,), row, window, strides=(1,))
    here = vectors[first : first + len(starts)]
    here.view(row)[:, 0] = everywhere[starts]
    return [first + i for i in _rows_that_start_as_text(here)]


def _checked_words(
    found: bytes, values: np.ndarray, suspects: list[int], n_words: int, header_bytes: int, path: Path
) -> bytes:
    """Return the words, separated by newlines, and check that every row was read at the right offset.

    In `found`, each word is followed by a space, and each word except the first can be preceded by the newline of the
    previous row.
    `suspects` are the rows that `_hides_a_space` must check.
    """
    octets = np.frombuffer(found, np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(octets == 32) + 1])[:-1]
    newline = len(starts) > 1 and found[starts[1]] == 10
    lines = found[:-1].replace(b" \n" if newline else b" ", b"\n")
    unended = np.flatnonzero(octets[starts[1:]] != 10) if newline else np.zeros(0, np.int64)
    suspects = [] if newline else suspects
    if _are_words(lines, len(starts), any_encoding=newline) and not len(unended) and not suspects:
        return lines
    words = found[:-1].split(b" ")
    if newline:
        words[1:] = [word.removeprefix(b"\n") for word in words[1:]]
    wrong: list[tuple[int, str]] = []

    def place(row: int) -> int:
        return header_bytes + int(starts[row]) + 4 * values.shape[1] * row

    if (bad := _first_bad_word(words, any_encoding=newline)) is not None:
        what = f"row {bad + 1} of {n_words}, at byte {place(bad) + (newline and bad > 0):,}, starts with "
        wrong.append((bad, what + f"{quote(words[bad], 40)}, which is not a word"))
    for row in suspects:
        if row + 1 < len(words) and _hides_a_space(values[row].tobytes(), words[row + 1]):
            inside = f"has text instead of values, {values[row].tobytes()[:12]!r}"
            wrong.append((row, f"row {row + 1} of {n_words}, {quote(words[row], 40)}, {inside}"))
            break
    if len(unended):
        row = int(unended[0])
        where = f"does not end with a newline at byte {place(row + 1):,}"
        # An error at the end of a row takes precedence over an error at the start of the next row.
        wrong.insert(0, (row, f"row {row + 1} of {n_words} {where}"))
    if wrong:
        _, what = min(wrong, key=lambda found: found[0])
        raise FormatError(
            f"{path}: {what}. The file is damaged, or was written with a word that contains a space; write it again"
        )
    return lines


def _are_words(lines: bytes, n_words: int, any_encoding: bool) -> bool:
    """Return whether every line is certainly a valid word. If not, `_first_bad_word` checks each word."""
    octets = np.frombuffer(lines, np.uint8)
    n_controls = np.count_nonzero((octets <= 32) | (octets == 127))
    if n_controls != n_words - 1 or lines.count(b"\n") != n_controls or b"\n\n" in b"\n" + lines + b"\n":
        return False
    if any_encoding:
        return True
    try:
        lines.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first_bad_word(words: list[bytes], any_encoding: bool) -> int | None:
    """Return the first row whose word is invalid, or None.

    A row starts with an invalid word only if it was read at a wrong offset. With `any_encoding`, words need not be
    UTF-8, because the offsets of rows that end with newlines have a more reliable check. The first word need not be
    UTF-8 either, because the first row cannot be at a wrong offset.
    """
    for row, word in enumerate(words):
        if not word or _CONTROL.search(word) or (row and not any_encoding and _is_garbled(word)):
            return row
    return None


def _rows_that_start_as_text(values: np.ndarray) -> list[int]:
    """Return the rows that `_hides_a_space` must check: those that start with text and vary widely."""
    octets = values.view("<u4")  # four bytes at a time
    rows, found = np.arange(len(values)), []
    for column in range(min(values.shape[1], 8)):
        x = octets[rows, column]
        # Set the highest bit of each byte below 33. Borrows can set more bits after the first (Hacker's Delight, 6-1).
        below = (x - np.uint32(0x21212121)) & ~x & np.uint32(0x80808080)
        first = below & (~below + np.uint32(1))
        # Only the first byte below 33 counts. A space ends a word, and any other byte belongs to a value.
        spaces = (x ^ np.uint32(0x20202020)) & ((first << np.uint32(1)) - (first >> np.uint32(7))) == 0
        found.append(rows[spaces & (first > (0 if column else 0x80))])
        rows = rows[first == 0]
    text = np.sort(np.concatenate([*found, rows]))
    return text[_exponent_spreads(values[text]) >= 40].tolist()


def _is_garbled(word: bytes) -> bool:
    """Return whether bytes are not UTF-8. An incomplete last character is allowed."""
    try:
        word.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def _hides_a_space(values: bytes, following: bytes) -> bool:
    """Return whether the values start within a word that contains a space.

    A reader interprets the second part of "new york" as the first bytes of the values. The last bytes of the values
    then appear at the start of the `following` word, and the row after that is read correctly again. If the values vary
    less when they are read from after the space, the space belongs to the word. Values that start with text by chance
    do not vary less.
    """
    text = _TEXT.match(values, 0, 256)
    if not text or (spread := _exponent_spread(values)) < 40:
        return False
    starts = [i + 1 for i in range(text.end()) if values[i : i + 1] == b" " and i + 1 < len(following)]
    return any(_exponent_spread(values[start:] + following[:start]) < spread for start in starts)


def _exponent_spread(values: bytes) -> int:
    """Return the number of powers of two between the smallest and the largest nonzero magnitude."""
    return int(_exponent_spreads(np.frombuffer(values, dtype="<f4")[None, :])[0])


def _exponent_spreads(values: np.ndarray) -> Any:
    """Return the exponent spread of each row: int array, shape (N,)."""
    exponents = ((values.view("<u4") << 1) >> 24).astype(np.int64)
    highest = exponents.max(axis=1)
    lowest = np.where(exponents > 0, exponents, 255).min(axis=1)
    return np.maximum(highest - lowest, 0)
