"""Recognise files that are not text by their first bytes, so that an error can say what they are."""

from __future__ import annotations

import codecs
import math
import re

import numpy as np

from fastw2v.utils.file_types import SIGNATURE_BYTES, file_type

__all__ = ["what_is_not_text"]

_VECTORS = "A corpus must be text. To start training from the vectors, set init to them"
_LOAD = "Load it with the program that wrote it, and pass its texts or token lists"
_ADVICE = {
    "archive": "Unpack it first, and read the files in it",
    "compressed": "Decompress it first; .gz, .bz2, .xz and .zst are read as they are",
    "document": "Convert it to plain text first",
    "table": "Load it, for example with pandas or polars, and pass the column of text to Corpus.from_lines",
    "data": _LOAD,
    "array": "Load it with numpy.load, and pass the array",
    "npz": _VECTORS,
    "corpus": "Give its name the suffix .w2v, and read it on its own",
    "fasttext": _VECTORS,
    "pickle": f"{_LOAD}. If it contains word vectors: {_VECTORS[0].lower()}{_VECTORS[1:]}",
    "pointer": "Fetch the file itself with git lfs pull",
    "other": "A corpus must be text",
}
"""What to do with each kind of file."""
_GREATEST_WEIGHT = 1e4
"""Maximum size of a component of a word vector. The bytes of text, read as floats, exceed it."""


def what_is_not_text(head: bytes) -> str | None:
    r"""Return what a file is and what to do with it, or None if the file may be text.

    Archives, documents, images, tables, and files of word vectors are recognised. Word vectors as text are recognised
    by the numbers after the words.

    Parameters
    ----------
    head : bytes
        The first `SIGNATURE_BYTES` bytes of the file, decompressed.

    Returns
    -------
    str or None
        A sentence without a subject, and advice.

    Examples
    --------
    >>> from fastw2v.corpus.signatures import what_is_not_text
    >>> what_is_not_text(b"%PDF-1.7 ...")
    'is a PDF document, not text. Convert it to plain text first'
    >>> what_is_not_text(b"2 3\nthe 0.1 0.5 -0.2\ncat 0.3 0.1 0.7\n")
    'contains word vectors (word2vec text format), not text. A corpus must be text...
    >>> what_is_not_text(b"the cat sat on the mat\n")
    """
    head = head[:SIGNATURE_BYTES]
    if found := file_type(head):
        return f"is {found.name}, not text. {_ADVICE[found.kind]}"
    if head[8:10] == b'{"' and 0 < int.from_bytes(head[:8], "little") < 1 << 32:
        return f"contains word vectors or weights (safetensors), not text. {_VECTORS}"
    if kind := _vectors(head):
        return f"contains word vectors ({kind}), not text. {_VECTORS}"
    return None


def _vectors(head: bytes) -> str | None:
    """Return the format of word vectors without a signature, or None."""
    header = re.match(rb"(\d{1,12}) (\d{1,6})\r?\n", head)
    if header:
        D = int(header[2])
        rows = head[header.end() :].split(b"\n")
        if D > 1 and _is_row(rows[0], D, is_complete=len(rows) > 1):
            return "word2vec text format"
        start = 1 + head.find(b" ", header.end())
        floats = head[start : start + 4 * D]
        if start and len(floats) >= 8 and not _is_utf8(floats):
            numbers = np.frombuffer(floats[: len(floats) // 4 * 4], "<f4")
            if np.abs(np.nan_to_num(numbers, nan=np.inf)).max() < _GREATEST_WEIGHT and numbers.any():
                return "word2vec binary format"
        return None
    rows = [row for row in head.split(b"\n")[:3] if row]
    D = len(rows[0].split(b" ")) - 1 if rows else 0
    if D >= 10 and all(_is_row(row, D, is_complete=i < head.count(b"\n")) for i, row in enumerate(rows)):
        return "GloVe format"
    return None


def _is_row(row: bytes, D: int, *, is_complete: bool) -> bool:
    """Return whether a line is a word and D numbers, most of them with a decimal point; a cut line can have fewer."""
    word, *numbers = row.strip().split(b" ")
    numbers = numbers if is_complete else numbers[:-1]
    if len(numbers) > D or (is_complete and len(numbers) < D) or not numbers or _is_number(word):
        return False
    return all(map(_is_number, numbers)) and 2 * sum(b"." in number for number in numbers) > len(numbers)


def _is_utf8(data: bytes) -> bool:
    """Return whether data is UTF-8, except for a character that is cut off at its end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _is_number(field: bytes) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False
