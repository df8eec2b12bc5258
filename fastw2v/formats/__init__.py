"""Files of word vectors, read and written. ``docs/formats.md`` describes the formats byte by byte.

Files come from anywhere, so a reader believes nothing: sizes are held against the size of the file before
memory is taken, and every row is checked to end where it should.
"""

from fastw2v.formats.files import FormatError
from fastw2v.formats.kinds import FORMATS, SUFFIXES, format_of, read, write
from fastw2v.formats.textbook import load_params, load_textbook_pickle, save_params

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "FormatError",
    "format_of",
    "load_params",
    "load_textbook_pickle",
    "read",
    "save_params",
    "write",
]
