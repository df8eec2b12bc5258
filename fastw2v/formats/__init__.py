"""Readers and writers of word-vector files. ``docs/reference/file_formats.md`` describes each format byte by byte.

Files can come from untrusted sources. Readers therefore check the sizes in a header against the size of the file before
they allocate memory, and they check that every row ends at the expected position.
"""

from fastw2v.formats.fileio import FormatError
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.registry import FORMATS, SUFFIXES, Duplicates, check_writable, format_of, read, write

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Duplicates",
    "FormatError",
    "VectorRecord",
    "check_writable",
    "format_of",
    "read",
    "write",
]
