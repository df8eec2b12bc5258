"""The first line of word2vec's files: how many words and dimensions follow."""

from __future__ import annotations

import re
from pathlib import Path

from fastw2v.formats.fileio import FormatError

__all__ = ["check_rest", "read_header"]

_HEADER = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*\n")


def read_header(line: bytes, path: Path, size: int, least_word: int, least_value: int) -> tuple[int, int, int]:
    """Return the V and D of the first line, and its length, having checked that so much can follow it."""
    found = _HEADER.match(line)
    if not found:
        line = line.partition(b"\n")[0]
        hint = "is the format right?"
        if line.startswith(b"\x80"):
            hint = "this looks like a pickle; if gensim wrote it, say format='gensim'"
        elif re.match(rb"\S+( [-+0-9.e]+)+\s*$", line):
            hint = "if this is GloVe's format, which has none, say format='glove'"
        raise FormatError(
            f"{path}: the first line is {line[:40]!r}, not the number of words and the number of dimensions: {hint}"
        )
    n_words, n_dims = int(found[1]), int(found[2])
    if n_words < 1 or n_dims < 1:
        raise FormatError(f"{path}: the header says {n_words} words of {n_dims} dimensions; there must be at least 1")
    least, rest = n_words * (least_word + least_value * n_dims), size - found.end()
    if least > rest:
        raise FormatError(
            f"{path}: the header says {n_words} words of {n_dims} dimensions, which take at least {least:,} bytes, "
            f"but {rest:,} follow it: the file is cut short or its header is wrong; fetch or write it again"
        )
    return n_words, n_dims, found.end()


def check_rest(rest: bytes, path: Path, n_words: int) -> None:
    """Refuse a file that goes on, its next 64 bytes being these, after the last of its words."""
    if rest.strip() or len(rest) == 64:
        raise FormatError(
            f"{path}: the header says {n_words} words, but more follows the last of them, {rest[:30]!r}: "
            "the header is wrong or the file is damaged"
        )
