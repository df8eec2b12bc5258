"""word2vec's binary format: a word, a space, D values in single precision; and on to the next."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.fileio import FormatError, cast, encode_words, open_for_writing
from fastw2v.formats.header import check_rest, read_header
from fastw2v.formats.record import VectorRecord

__all__ = ["read_word2vec_bin", "write_word2vec_bin"]

# Bytes read at a time: small enough that rows are still in the cache when they are copied.
_WINDOW = 2**22
# Neither tool writes control characters into words, and a row read at the wrong place is full of them.
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_TEXT = re.compile(rb"(?:[!-~\x80-\xff]+ )+")


def read_word2vec_bin(file: BinaryIO, path: Path, size: int, limit: int | None) -> tuple[bytes, np.ndarray]:
    """Read the first `limit` words, or all, with newlines between them, and their vectors.

    A row ends where its word says, so rows are found one after another: by a regular expression, which finds those
    of a window without a step of Python for each.
    """
    n_words, n_dims, header_bytes = read_header(file.read(128), path, size, least_word=2, least_value=4)
    n_read = n_words if limit is None else min(limit, n_words)
    row_bytes = 4 * n_dims
    if row_bytes >= 2**31:
        raise FormatError(f"{path}: the header says {n_dims} dimensions; at most {2**29 - 1:,} are read")
    # The C tools end rows with a newline, gensim does not. Here it starts the next row's word. What makes no row,
    # at a window's end, is an empty match.
    row_form = re.compile(rb"([^ ]*+ ).{%d}|.+" % row_bytes, re.DOTALL)
    vectors = np.empty((n_read, n_dims), dtype="<f4")
    windows = [bytearray(max(_WINDOW, 2 * row_bytes)) for _ in range(2)]
    texts: list[bytes] = []
    copies: list[Future[list[int]]] = []
    n_found, at = 0, header_bytes
    # While the rows of one window are copied, those of the next are read and found.
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
                windows = [bytearray(2 * len(window)) for _ in windows]  # the word is longer
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
            f"{path}: row {n_found + 1} of {n_words} starts at byte {at:,} and does not end within "
            f"the file's {size:,} bytes: it is cut short or damaged; fetch or write it again"
        )
    if n_read == n_words:
        check_rest(rest, path, n_words)
    return words, vectors.astype(np.float32, copy=False)


def write_word2vec_bin(record: VectorRecord, path: Path) -> None:
    """Write words and vectors as gensim does, without newlines."""
    words = encode_words(record.index_to_key, path)
    matrix = to_host(record.vectors)
    if matrix.dtype != np.dtype("<f4"):  # else rows are written from where they are, without a copy of them all
        matrix = cast(matrix, np.dtype("<f4"), path)
    with open_for_writing(path) as file:
        file.write(b"%d %d\n" % matrix.shape)
        for word, row in zip(words, matrix, strict=True):
            file.write(word + b" " + row.tobytes())


def _copy_rows(window: bytearray, starts: np.ndarray, vectors: np.ndarray, first: int) -> list[int]:
    """Copy the rows that start at these bytes to `vectors`, from row `first` on; return which are suspect."""
    # Rows as elements of one type, one beginning at every byte: taking them copies each as a whole.
    row = np.dtype((np.void, 4 * vectors.shape[1]))
    everywhere: np.ndarray = np.ndarray((len(window) - row.itemsize + 1,), row, window, strides=(1,))
    here = vectors[first : first + len(starts)]
    here.view(row)[:, 0] = everywhere[starts]
    return [first + i for i in _rows_that_start_as_text(here)]


def _checked_words(
    found: bytes, values: np.ndarray, suspects: list[int], n_words: int, header_bytes: int, path: Path
) -> bytes:
    """Return the words with newlines between them; refuse a file of which some row was not read where it stands.

    `found` has all words with a space behind each, and in front of each but the first perhaps the newline of the row
    before. `suspects` are the rows that `_hides_a_space` must look at.
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
        wrong.append((bad, what + f"{words[bad][:30]!r}, which is no word"))
    for row in suspects:
        if row + 1 < len(words) and _hides_a_space(values[row].tobytes(), words[row + 1]):
            inside = f"goes on in text where its values should be, {values[row].tobytes()[:12]!r}"
            wrong.append((row, f"row {row + 1} of {n_words}, {words[row][:30]!r}, {inside}"))
            break
    if len(unended):
        row = int(unended[0])
        where = f"does not end at byte {place(row + 1):,}, where its newline should be"
        # Where a row ends decides before what the next one starts with.
        wrong.insert(0, (row, f"row {row + 1} of {n_words} {where}"))
    if wrong:
        _, what = min(wrong, key=lambda found: found[0])
        raise FormatError(
            f"{path}: {what}: the file is damaged, or was written with a word that holds a space; write it again"
        )
    return lines


def _are_words(lines: bytes, n_words: int, any_encoding: bool) -> bool:
    """Return whether there is a sound word in each line; `_first_bad_word` tells which is not, or that all are."""
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
    """Return the first row of which the word is none.

    Only a row read at the wrong place can start with such bytes. Where rows end with newlines, the check of those
    is surer, and words may be in any encoding; nothing can have shifted the first row.
    """
    for row, word in enumerate(words):
        if not word or _CONTROL.search(word) or (row and not any_encoding and _is_garbled(word)):
            return row
    return None


def _rows_that_start_as_text(values: np.ndarray) -> list[int]:
    """Return the rows that `_hides_a_space` must look at: text and a space first, values far apart."""
    octets = values.view("<u4")  # four at a time
    rows, found = np.arange(len(values)), []
    for column in range(min(values.shape[1], 8)):
        x = octets[rows, column]
        # The highest bit of each byte below 33; borrows can add some behind the first (Hacker's Delight, 6-1).
        below = (x - np.uint32(0x21212121)) & ~x & np.uint32(0x80808080)
        first = below & (~below + np.uint32(1))
        # The first of them decides; a space ends a word, anything else is a value's.
        spaces = (x ^ np.uint32(0x20202020)) & ((first << np.uint32(1)) - (first >> np.uint32(7))) == 0
        found.append(rows[spaces & (first > (0 if column else 0x80))])
        rows = rows[first == 0]
    text = np.sort(np.concatenate([*found, rows]))
    return text[_exponent_spreads(values[text]) >= 40].tolist()


def _is_garbled(word: bytes) -> bool:
    """Return whether bytes are not UTF-8, other than by being cut in the middle of the last character."""
    try:
        word.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def _hides_a_space(values: bytes, following: bytes) -> bool:
    """Return whether the values start in the middle of a word, being sane only when read from behind a space.

    A reader that takes the words of "new york" for a word and values is back in step one row later, the last
    bytes of the values having become the start of the `following` word. Where values start with text by
    chance, reading them from elsewhere makes them no saner.
    """
    text = _TEXT.match(values, 0, 256)
    if not text or (spread := _exponent_spread(values)) < 40:
        return False
    starts = [i + 1 for i in range(text.end()) if values[i : i + 1] == b" " and i + 1 < len(following)]
    return any(_exponent_spread(values[start:] + following[:start]) < spread for start in starts)


def _exponent_spread(values: bytes) -> int:
    """Return how many powers of two lie between the smallest and the largest value, zeros aside."""
    return int(_exponent_spreads(np.frombuffer(values, dtype="<f4")[None, :])[0])


def _exponent_spreads(values: np.ndarray) -> Any:
    """Return the same of each row: int array, shape (N,)."""
    exponents = ((values.view("<u4") << 1) >> 24).astype(np.int64)
    highest = exponents.max(axis=1)
    lowest = np.where(exponents > 0, exponents, 255).min(axis=1)
    return np.maximum(highest - lowest, 0)
