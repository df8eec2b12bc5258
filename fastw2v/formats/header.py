"""The header line of word2vec files: the number of words and the number of dimensions."""

from __future__ import annotations

import re
from pathlib import Path

from fastw2v.formats.fileio import FormatError

__all__ = ["check_rest", "read_header"]

_HEADER = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*\n")


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
    found = _HEADER.match(line)
    if not found:
        line = line.partition(b"\n")[0]
        hint = "check the format"
        if line.startswith(b"\x80"):
            hint = "this looks like a pickle; if gensim wrote it, use format='gensim'"
        elif re.match(rb"\S+( [-+0-9.e]+)+\s*$", line):
            hint = "if this is a GloVe file, which has no header line, use format='glove'"
        raise FormatError(
            f"{path}: the first line is {line[:40]!r}, not the number of words and the number of dimensions; {hint}"
        )
    n_words, n_dims = int(found[1]), int(found[2])
    if n_words < 1 or n_dims < 1:
        raise FormatError(
            f"{path}: the header gives {n_words} words of {n_dims} dimensions; both numbers must be at least 1"
        )
    least, rest = n_words * (least_word + least_value * n_dims), size - found.end()
    if least > rest:
        raise FormatError(
            f"{path}: {n_words} words of {n_dims} dimensions need at least {least:,} bytes, but only {rest:,} follow "
            "the header. The file is truncated or its header is wrong; fetch or write it again"
        )
    return n_words, n_dims, found.end()


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
            f"{path}: more data follows the last row, {rest[:30]!r}. "
            f"The header, which gives the number of words as {n_words}, is wrong, or the file is damaged"
        )
