"""word2vec's binary format: a word, a space, D values in single precision; and on to the next."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.files import FormatError, cast, encoded, writing
from fastw2v.formats.header import check_rest, read_header
from fastw2v.vectors import WordVectors

__all__ = ["read_binary", "write_binary"]

# Neither tool writes control characters into words, and a row read at the wrong place is full of them.
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_TEXT = re.compile(rb"(?:[!-~\x80-\xff]+ )+")


def read_binary(file: BinaryIO, path: Path, size: int, limit: int | None) -> tuple[list[bytes], np.ndarray]:
    """Read the first `limit` words, or all, and their vectors."""
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    n_words, n_dims, at = read_header(data[:128], path, size, least_word=2, least_value=4)
    n_read = n_words if limit is None else min(limit, n_words)
    row_bytes = 4 * n_dims
    words: list[bytes] = []
    starts: list[int] = []
    last_start = size - row_bytes
    step = row_bytes
    for _ in range(n_read):
        start = data.find(b" ", at) + 1
        if not 0 < start <= last_start:
            break
        words.append(data[at : start - 1])
        starts.append(start)
        at = start + step
        # The C tools end rows with a newline, gensim does not; within one file it is always or never.
        if len(starts) == 1 and data[at : at + 1] == b"\n":
            step += 1
            at += 1
    raw: np.ndarray = np.ndarray((size,), np.uint8, data)
    places = np.array(starts, dtype=np.int64)
    # Rows as elements of one type, one beginning at every byte: taking them copies each as a whole.
    rows: np.ndarray = np.ndarray((max(0, last_start + 1),), np.dtype((np.void, row_bytes)), data, strides=(1,))
    values = rows[places].view("<f4").reshape(-1, n_dims)
    _check_rows(words, values, raw, places, step > row_bytes, n_words, path)
    if len(starts) < n_read:
        raise FormatError(
            f"{path}: row {len(starts) + 1} of {n_words} starts at byte {at:,} and does not end within "
            f"the file's {size:,} bytes: it is cut short or damaged; fetch or write it again"
        )
    if n_read == n_words:
        check_rest(data[at : at + 64], path, n_words)
    return words, values.astype(np.float32, copy=False)


def write_binary(vectors: WordVectors, path: Path) -> None:
    """Write words and vectors as gensim does, without newlines."""
    words = encoded(vectors.index_to_key, path)
    matrix = to_host(vectors.vectors)
    if matrix.dtype != np.dtype("<f4"):  # else rows are written from where they are, without a copy of them all
        matrix = cast(matrix, np.dtype("<f4"), path)
    with writing(path) as file:
        file.write(b"%d %d\n" % matrix.shape)
        for word, row in zip(words, matrix, strict=True):
            file.write(word + b" " + row.tobytes())


def _check_rows(
    words: list[bytes],
    values: np.ndarray,
    raw: np.ndarray,
    places: np.ndarray,
    newline: bool,
    n_words: int,
    path: Path,
) -> None:
    """Refuse a file of which some row was not read where it stands, naming the first."""
    row_bytes, size = 4 * values.shape[1], len(raw)
    wrong: list[tuple[int, str]] = []
    bad = _first_bad_word(words, any_encoding=newline)
    if bad is not None:
        at = int(places[bad]) - len(words[bad]) - 1
        wrong.append(
            (bad, f"row {bad + 1} of {n_words}, at byte {at:,}, starts with {words[bad][:30]!r}, which is no word")
        )
    if newline:
        ends = places + row_bytes
        unended = np.flatnonzero((ends < size) & (raw[np.minimum(ends, size - 1)] != 10))
        if len(unended):
            row = int(unended[0])
            where = f"does not end at byte {int(ends[row]):,}, where its newline should be"
            # Where a row ends decides before what the next one starts with.
            wrong.insert(0, (row, f"row {row + 1} of {n_words} {where}"))
    else:
        for row in _rows_that_start_as_text(values, raw, places):
            if row + 1 < len(words) and _hides_a_space(values[row].tobytes(), words[row + 1]):
                inside = f"goes on in text where its values should be, {values[row].tobytes()[:12]!r}"
                wrong.append((row, f"row {row + 1} of {n_words}, {words[row][:30]!r}, {inside}"))
                break
    if wrong:
        _, what = min(wrong, key=lambda found: found[0])
        raise FormatError(
            f"{path}: {what}: the file is damaged, or was written with a word that holds a space; write it again"
        )


def _first_bad_word(words: list[bytes], any_encoding: bool) -> int | None:
    """Return the first row of which the word is none.

    Only a row read at the wrong place can start with such bytes. Where rows end with newlines, the check of those
    is surer, and words may be in any encoding; nothing can have shifted the first row.
    """
    joined = b"!".join(words)
    if all(words) and not _CONTROL.search(joined):
        if any_encoding:
            return None
        try:
            b"!".join(words[1:]).decode()
        except UnicodeDecodeError:
            pass
        else:
            return None
    for row, word in enumerate(words):
        if not word or _CONTROL.search(word) or (row and not any_encoding and _is_garbled(word)):
            return row
    return None


def _rows_that_start_as_text(values: np.ndarray, raw: np.ndarray, places: np.ndarray) -> list[int]:
    """Return the rows that `_hides_a_space` must look at: text and a space first, values far apart."""
    found = []
    width = min(16, 4 * values.shape[1])
    block = 2**16
    for start in range(0, len(places), block):
        head = raw[places[start : start + block, None] + np.arange(width)]
        # The first byte that is no text decides; a space ends a word, anything else is a value's.
        other = (head < 33) | (head == 127)
        first = other.argmax(axis=1)
        ended = np.take_along_axis(other, first[:, None], axis=1)[:, 0]
        space = np.take_along_axis(head, first[:, None], axis=1)[:, 0] == 32
        text = np.flatnonzero(ended & space & (first > 0)).tolist()
        text += [
            row for row in np.flatnonzero(~ended).tolist() if _TEXT.match(values[start + row].data.cast("B"), 0, 256)
        ]
        rows = start + np.array(text, dtype=np.int64)
        found += rows[_exponent_spreads(values[rows]) >= 40].tolist()
    return sorted(found)


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
