"""Files of word vectors, read and written. ``docs/formats.md`` describes the formats byte by byte.

Files come from anywhere, so readers trust nothing: sizes are checked against the size of the file before
memory is allocated, and every row is checked to end where it should.
"""

from fastw2v.formats.fileio import FormatError
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.registry import FORMATS, SUFFIXES, format_of, read, write

__all__ = ["FORMATS", "SUFFIXES", "FormatError", "VectorRecord", "format_of", "read", "write"]
