"""Types of files that are recognised by their first bytes and contain neither plain text nor word vectors."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["SIGNATURE_BYTES", "FileType", "file_type"]

SIGNATURE_BYTES = 1 << 12
"""Number of bytes in which the type of a file is looked for."""


class FileType(NamedTuple):
    """The type of a file.

    Attributes
    ----------
    name : str
        Noun with its article, such as "a PDF document".
    kind : str
        What to do with such a file depends on its kind: "archive", "compressed", "document", "table", "data", "array",
        "npz", "corpus", "fasttext", "pickle", "pointer" or "other".
    """

    name: str
    kind: str


_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (257, b"ustar", "a tar archive", "archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "archive"),
    (0, b"\x04\x22\x4d\x18", "an lz4 file", "compressed"),
    (0, b"\x1f\x9d", "a file of compress (.Z)", "compressed"),
    (0, b"LZIP\x01", "an lzip file", "compressed"),
    (0, b"\x89LZO\x00\r\n\x1a\n", "an lzop file", "compressed"),
    (0, b"\xff\x06\x00\x00sNaPpY", "a snappy file", "compressed"),
    (0, b"%PDF-", "a PDF document", "document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document (.doc, .xls, .ppt or .hwp)", "document"),
    (0, b"{\\rtf1", "an RTF document", "document"),
    (0, b"PAR1\x15", "a Parquet file", "table"),
    (0, b"ARROW1\x00\x00", "an Arrow file", "table"),
    (0, b"FEA1\x00", "a Feather file", "table"),
    (0, b"SQLite format 3\x00", "an SQLite database", "table"),
    (0, b"Obj\x01", "an Avro file", "table"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "data"),
    (0, b"\x93NUMPY", "a NumPy array", "array"),
    (0, b"\x89w2v\r\n\x1a\n", "an encoded corpus", "corpus"),
    (0, b"\xba\x16\x4f\x2f", "a fastText model", "fasttext"),
    (0, b"version https://git-lfs", "a pointer of Git LFS", "pointer"),
    (0, b"\x89PNG\r\n\x1a\n", "an image", "other"),
    (0, b"\xff\xd8\xff", "an image", "other"),
    (0, b"GIF87a", "an image", "other"),
    (0, b"GIF89a", "an image", "other"),
    (0, b"II*\x00", "an image", "other"),
    (0, b"MM\x00*", "an image", "other"),
    (8, b"WEBPVP8", "an image", "other"),
    (8, b"WAVEfmt", "a sound file", "other"),
    (0, b"ID3\x03", "a sound file", "other"),
    (0, b"ID3\x04", "a sound file", "other"),
    (0, b"OggS\x00", "a sound file", "other"),
    (0, b"fLaC\x00", "a sound file", "other"),
    (0, b"\x7fELF", "a program", "other"),
)
"""Offset and bytes of each signature, and the type of the file."""
_PARTS_OF_ZIP: tuple[tuple[bytes, str, str], ...] = (
    (rb"word/|xl/|ppt/|\[Content_Types\]\.xml", "an Office document (.docx, .xlsx or .pptx)", "document"),
    (rb"mimetypeapplication/", "a document (.odt, .epub or .hwpx)", "document"),
    (rb"\.npyPK|\.npy[\x00-\x1f\x93]", "a NumPy archive (.npz)", "npz"),
    (rb"/data\.pkl", "a PyTorch file", "data"),
    (rb"", "a zip archive", "archive"),
)


def file_type(head: bytes) -> FileType | None:
    r"""Return the type of a file with these first bytes, or None if it may be text or vectors.

    Parameters
    ----------
    head : bytes
        The first `SIGNATURE_BYTES` bytes of the file, decompressed, or the whole file if it is shorter.

    Examples
    --------
    >>> from fastw2v.utils.file_types import file_type
    >>> file_type(b"%PDF-1.7 ...")
    FileType(name='a PDF document', kind='document')
    >>> file_type(b"the cat sat on the mat\n")
    """
    head = head[:SIGNATURE_BYTES]
    for offset, signature, name, kind in _SIGNATURES:
        if head.startswith(signature, offset):
            return FileType(name, kind)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next(FileType(name, kind) for part, name, kind in _PARTS_OF_ZIP if re.search(part, head))
    if len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return FileType("a pickle", "pickle")
    return None
