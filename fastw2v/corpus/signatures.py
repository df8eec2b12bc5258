"""Recognise files that are not text by their first bytes, so that an error can say what they are."""

from __future__ import annotations

import codecs
import math
import re

import numpy as np

__all__ = ["SIGNATURE_BYTES", "what_is_not_text"]

SIGNATURE_BYTES = 1 << 12
"""Number of bytes in which the type of a file is looked for."""
_UNPACK = "Unpack it first, and read the files in it"
_DECOMPRESS = "Decompress it first; .gz, .bz2, .xz and .zst are read as they are"
_CONVERT = "Convert it to plain text first"
_COLUMN = "Load it, for example with pandas or polars, and pass the column of text to Corpus.from_lines"
_VECTORS = "A corpus must be text. Query it with WordVectors.load, or pass it as init to start training from it"
_LOAD = "Load it with the program that wrote it, and pass its texts or token lists"
_TEXT = "A corpus must be text"
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4", _DECOMPRESS),
    (0, b"\x1f\x9d", "compressed with compress (.Z)", _DECOMPRESS),
    (0, b"LZIP\x01", "compressed with lzip", _DECOMPRESS),
    (0, b"\x89LZO\x00\r\n\x1a\n", "compressed with lzop", _DECOMPRESS),
    (0, b"\xff\x06\x00\x00sNaPpY", "compressed with snappy", _DECOMPRESS),
    (0, b"%PDF-", "a PDF document", _CONVERT),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document (.doc, .xls, .ppt or .hwp)", _CONVERT),
    (0, b"{\\rtf1", "an RTF document", _CONVERT),
    (0, b"PAR1\x15", "a Parquet file", _COLUMN),
    (0, b"ARROW1\x00\x00", "an Arrow file", _COLUMN),
    (0, b"FEA1\x00", "a Feather file", _COLUMN),
    (0, b"SQLite format 3\x00", "an SQLite database", _COLUMN),
    (0, b"Obj\x01", "an Avro file", _COLUMN),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _LOAD),
    (0, b"\x93NUMPY", "a NumPy array", "Load it with numpy.load, and pass the array"),
    (0, b"\x89w2v\r\n\x1a\n", "an encoded corpus", "Give its name the suffix .w2v, and read it on its own"),
    (0, b"\xba\x16\x4f\x2f", "a fastText model", _VECTORS),
    (0, b"\x89PNG\r\n\x1a\n", "an image", _TEXT),
    (0, b"\xff\xd8\xff", "an image", _TEXT),
    (0, b"GIF87a", "an image", _TEXT),
    (0, b"GIF89a", "an image", _TEXT),
    (0, b"II*\x00", "an image", _TEXT),
    (0, b"MM\x00*", "an image", _TEXT),
    (8, b"WEBPVP8", "an image", _TEXT),
    (8, b"WAVEfmt", "a sound file", _TEXT),
    (0, b"ID3\x03", "a sound file", _TEXT),
    (0, b"ID3\x04", "a sound file", _TEXT),
    (0, b"OggS\x00", "a sound file", _TEXT),
    (0, b"fLaC\x00", "a sound file", _TEXT),
    (0, b"\x7fELF", "a program", _TEXT),
)
"""Offset and bytes of each signature, the type of file, and what to do."""
_PARTS_OF_ZIP: tuple[tuple[bytes, str, str], ...] = (
    (rb"word/|xl/|ppt/|\[Content_Types\]\.xml", "an Office document (.docx, .xlsx or .pptx)", _CONVERT),
    (rb"mimetypeapplication/", "a document (.odt, .epub or .hwpx)", _CONVERT),
    (rb"\.npyPK|\.npy[\x00-\x1f\x93]", "a NumPy archive (.npz)", _VECTORS),
    (rb"/data\.pkl", "a PyTorch file", _LOAD),
)
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
    for offset, signature, what, advice in _SIGNATURES:
        if head.startswith(signature, offset):
            return f"is {what}, not text. {advice}"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        what, advice = next(
            ((what, advice) for part, what, advice in _PARTS_OF_ZIP if re.search(part, head)),
            (
                "a zip archive",
                _UNPACK,
            ),
        )
        return f"is {what}, not text. {advice}"
    if len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return f"is a pickle, not text. {_LOAD}. If it contains word vectors: {_VECTORS[0].lower()}{_VECTORS[1:]}"
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
