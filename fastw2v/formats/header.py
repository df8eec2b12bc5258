"""The header line of word2vec files: the number of words and the number of dimensions."""

from __future__ import annotations

import re
from pathlib import Path

from fastw2v.formats.fileio import FormatError
from fastw2v.utils.quote import quote

__all__ = ["check_first_word", "check_rest", "match_header", "read_header", "text_start"]

_HEADER = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*\n")


def text_start(start: bytes) -> int:
    r"""Return the offset at which text starts: 3 after a byte order mark of UTF-8, and otherwise 0.

    A byte order mark before white space is the word U+FEFF, because a file of vectors does not begin with white space.

    Examples
    --------
    >>> from fastw2v.formats.header import text_start
    >>> text_start(b"\xef\xbb\xbfsun 0.5\n"), text_start(b"sun 0.5\n"), text_start(b"\xef\xbb\xbf 0.5\n")
    (3, 0, 0)
    """
    return 3 if start.startswith(b"\xef\xbb\xbf") and start[3:4].strip() else 0


def check_first_word(line: bytes, path: Path) -> None:
    r"""Raise FormatError if readers would take the start of the first line for a byte order mark and remove it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.header import check_first_word
    >>> check_first_word(b"sun ", Path("vectors.glove"))
    """
    if text_start(line):
        raise FormatError(
            f"{path}: the first word, {quote(line.strip().decode('utf-8', 'replace'))}, starts with a byte order mark, "
            "which readers of text remove. Save as .safetensors, which stores any word, or rename the word"
        )


def match_header(line: bytes) -> tuple[int, int, int] | None:
    r"""Return the number of words, the number of dimensions and the length of a header line, or None if it is not one.

    Examples
    --------
    >>> from fastw2v.formats.header import match_header
    >>> match_header(b"2 300\nsun "), match_header(b"sun 0.5\n")
    ((2, 300, 6), None)
    """
    found = _HEADER.match(line)
    return None if found is None else (int(found[1]), int(found[2]), found.end())


def read_header(line: bytes, path: Path, size: int, least_word: int, least_value: int) -> tuple[int, int, int]:
    r"""Parse the header line, and check that the file is large enough for all words and values.

    Parameters
    ----------
    line : bytes
        The beginning of the file, with at least the first line.
    path : Path
        Used in error messages.
    size : int
        Size of the file in bytes.
    least_word, least_value : int
        Minimum sizes in bytes of a word, including its separator, and of a value.

    Returns
    -------
    n_words, n_dims : int
    length : int
        Length of the header line in bytes.

    Raises
    ------
    FormatError
        If there is no valid header, or the file is too small.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.header import read_header
    >>> read_header(b"2 3\nsun ", Path("vectors.bin"), size=32, least_word=2, least_value=4)
    (2, 3, 4)
    >>> read_header(b"2 300\nsun ", Path("vectors.bin"), size=32, least_word=2, least_value=4)
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.bin: 2 words of 300 dimensions need at least 2,404 bytes, but ...
    """
    found = match_header(line)
    if found is None:
        line = line.partition(b"\n")[0]
        hint = "check the format"
        if re.match(rb"\S+( [-+0-9.e]+)+\s*$", line):
            hint = "if this is a GloVe file, which has no header line, use format='glove'"
        raise FormatError(
            f"{path}: the first line is {quote(line, 60)}, not the number of words and the number of dimensions; {hint}"
        )
    n_words, n_dims, length = found
    if n_words < 1 or n_dims < 1:
        raise FormatError(
            f"{path}: the header gives {n_words} words of {n_dims} dimensions; both numbers must be at least 1"
        )
    least, rest = n_words * (least_word + least_value * n_dims), size - length
    if least > rest:
        raise FormatError(
            f"{path}: {n_words} words of {n_dims} dimensions need at least {least:,} bytes, but only {rest:,} follow "
            "the header. The file is truncated or its header is wrong; fetch or write it again"
        )
    return n_words, n_dims, length


def check_rest(rest: bytes, path: Path, n_words: int) -> None:
    r"""Check that only white space follows the last row.

    Parameters
    ----------
    rest : bytes
        The 64 bytes after the last row, or fewer at the end of the file.
    path : Path
        Used in error messages.
    n_words : int
        The number of words according to the header.

    Raises
    ------
    FormatError
        If anything other than white space follows.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.formats.header import check_rest
    >>> check_rest(b"\n", Path("vectors.txt"), n_words=2)
    >>> check_rest(b"moon 0.5\n", Path("vectors.txt"), n_words=2)
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.txt: more data follows the last row, b'moon 0.5...
    """
    if rest.strip() or len(rest) == 64:
        raise FormatError(
            f"{path}: more data follows the last row, {quote(rest, 40)}. "
            f"The header, which gives the number of words as {n_words}, is wrong, or the file is damaged"
        )
