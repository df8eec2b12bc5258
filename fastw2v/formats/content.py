"""Recognition of files by their contents, whatever their names."""

from __future__ import annotations

import re
import tarfile
import zipfile
from typing import BinaryIO

from fastw2v.formats.fasttext import is_fasttext
from fastw2v.formats.header import match_header, text_start
from fastw2v.formats.word2vec_text import is_glove_line, parse_rows
from fastw2v.utils.compression import compression_of
from fastw2v.utils.encodings import encoding_of_mark, guess_encoding
from fastw2v.utils.file_types import file_type
from fastw2v.utils.quote import quote, shorten

__all__ = ["describe_content", "has_text_rows", "is_safetensors", "recognise_content"]

_START_BYTES = 2**16
# A number in a text file has at most this many characters, with the space before it.
_NUMBER_BYTES = 32
# Rows with more numbers are not recognised, because a damaged header could cause a large part of the file to be read.
_MOST_DIMS = 2**20
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACE_OR_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_NUMERIC = re.compile(rb"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)
# What to do with each kind of file that users take for a vector file. Archives of NumPy have a reader, which says more.
_CONVERT = (
    "; fastw2v cannot read vectors from it. Load them with the program that wrote it, and pass them to WordVectors"
)
_ADVICE = {
    "archive": "; unpack it first, and read the file with the vectors",
    "compressed": "; decompress it first",
    "document": ", which contains no vectors",
    "table": _CONVERT,
    "data": _CONVERT,
    "array": " without words; read it with numpy.load, and pass it to WordVectors",
    "corpus": "; train on it with Word2Vec().fit or fastw2v train",
    "fasttext": ", but it is damaged or of an unknown version; fetch it again",
    "pickle": "; if gensim wrote it, use format='gensim'",
    "pointer": "; fetch the file itself with git lfs pull",
    "other": ", which contains no vectors",
}


def is_safetensors(start: bytes, size: int) -> bool:
    r"""Return whether a file starts like a safetensors file, that is, with the length of a JSON header and the header.

    Parameters
    ----------
    start : bytes
        At least the first 9 bytes of the file, or the whole file if it is shorter.
    size : int
        Size of the file in bytes.

    Examples
    --------
    >>> from fastw2v.formats.content import is_safetensors
    >>> is_safetensors(b"\x02" + bytes(7) + b"{}", size=10), is_safetensors(b"2 300\\nsun ", size=10)
    (True, False)
    """
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def recognise_content(file: BinaryIO, size: int) -> str | None:
    r"""Return the format of a file, or None if its contents are ambiguous.

    Parameters
    ----------
    file : binary file
        It is rewound to its beginning.
    size : int
        Size of the file in bytes.

    Returns
    -------
    {"safetensors", "npz", "bin", "fasttext", "txt", "glove"} or None
        Pickles, TSV files and floret's tables are not recognised.

    Examples
    --------
    >>> import io
    >>> from fastw2v.formats.content import recognise_content
    >>> recognise_content(io.BytesIO(b"1 2\nsun 0.5 1\n"), size=14)
    'txt'
    >>> recognise_content(io.BytesIO(b"the cat sat on the mat\n"), size=23) is None
    True
    """
    file.seek(0)
    start = file.read(_START_BYTES)
    file.seek(0)
    if is_safetensors(start, size):
        return "safetensors"
    if is_fasttext(file):
        return "fasttext"
    if start.startswith(b"PK\x03\x04") and start[30 : 30 + int.from_bytes(start[26:28], "little")].endswith(b".npy"):
        return "npz"
    begin = text_start(start)
    header = match_header(start[begin:])
    if header is None:
        line, newline, _ = start[begin:].partition(b"\n")
        return "glove" if newline and is_glove_line(line + newline) else None
    n_words, n_dims, length = header
    if not 0 < n_dims <= min(size, _MOST_DIMS):
        return None
    file.seek(begin + length)
    rows = file.read(_START_BYTES + 2 * _NUMBER_BYTES * n_dims)
    file.seek(0)
    if _is_text_row(rows, n_dims):
        return "txt"
    is_end = begin + length + len(rows) == size
    return "bin" if _are_binary_rows(rows, n_words, n_dims, is_end) else None


def has_text_rows(file: BinaryIO) -> bool:
    r"""Return whether a file is text with a header line and more lines, even if these are not valid rows.

    Parameters
    ----------
    file : binary file
        It is rewound to its beginning.

    Examples
    --------
    >>> import io
    >>> from fastw2v.formats.content import has_text_rows
    >>> has_text_rows(io.BytesIO(b"1 2\nsun 0.5 x\n")), has_text_rows(io.BytesIO(b"1 2\nsun \0\0\0\0\0\0\0\0"))
    (True, False)
    """
    file.seek(0)
    start = file.read(_START_BYTES)
    file.seek(0)
    header = match_header(start[text_start(start) :])
    return header is not None and b"\n" in start[header[2] :].lstrip() and _is_text(start)


def describe_content(file: BinaryIO) -> str | None:
    """Return what a file is and what to do, or None unless it is a well-known kind of file without word vectors.

    Parameters
    ----------
    file : binary file
        It is rewound to its beginning first.

    Returns
    -------
    str or None

    Examples
    --------
    >>> import io
    >>> from fastw2v.formats.content import describe_content
    >>> print(describe_content(io.BytesIO(b"the cat sat on the mat")))
    text without vectors, which begins with 'the cat sat on the mat'; to train vectors on it, use ...
    """
    file.seek(0)
    start = file.read(_START_BYTES)
    file.seek(0)
    found = file_type(start)
    if found is not None and found.kind in _ADVICE:
        names = _names_in_archive(file) if found.kind == "archive" else ""
        return found.name + (f" that contains {names}" if names else "") + _ADVICE[found.kind]
    if compression_of(start[:16]):
        return "a file that was compressed twice; decompress it once, and read the result"
    encoding = encoding_of_mark(start) or guess_encoding(start) or ""
    if encoding.startswith(("utf-16", "utf-32")):
        name = encoding.upper()
        return f"{name[:6]} text; convert it to UTF-8 first, for example with iconv -f {name}"
    if _WEB_PAGE.match(start):
        return "a web page; download the file itself"
    if _is_prose(start):
        beginning = quote(start[:200].decode("utf-8", "replace").strip(), 40)
        return (
            f"text without vectors, which begins with {beginning}; to train vectors on it, use Word2Vec().fit or "
            "fastw2v train"
        )
    return None


def _is_text_row(rows: bytes, n_dims: int) -> bool:
    """Return whether the first line is a word and D numbers."""
    line, newline, _ = rows.partition(b"\n")
    if not newline or _CONTROL.search(line):
        return False
    try:
        parse_rows(line + newline, n_dims)
    except IndexError:
        return False
    return True


def _are_binary_rows(rows: bytes, n_words: int, n_dims: int, is_end: bool) -> bool:
    """Return whether rows consist of a word, a space and values, and no text would look like that.

    The values must contain control characters or bytes that are not UTF-8, or all rows must end at the end of the file.
    `rows` are the bytes after the header, and `is_end` is whether they extend to the end of the file.
    """
    begin, text = 0, True
    for row in range(n_words):
        space = rows.find(b" ", begin)
        end = space + 1 + 4 * n_dims
        if space < 0 or end > len(rows):
            return False
        word = rows[begin:space].removeprefix(b"\n") if row else rows[begin:space]
        if not word or _SPACE_OR_CONTROL.search(word):
            return False
        text = text and _is_text(rows[begin:end])
        if not text and row >= min(4, n_words) - 1:
            return True
        begin = end
    return is_end and not rows[begin:].strip()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and not _CONTROL.search(data)
    return not _CONTROL.search(data)


def _is_prose(start: bytes) -> bool:
    """Return whether a file is text with letters whose first lines do not end with numbers."""
    if _CONTROL.search(start) or not re.search(r"[^\W\d_]", start.decode("utf-8", "ignore")):
        return False
    lines = [line.split() for line in start.split(b"\n")[:8]]
    return not any(len(line) > 1 and _NUMERIC.fullmatch(line[-1]) for line in lines)


def _names_in_archive(file: BinaryIO) -> str:
    """Return the names of the first files in a zip or tar archive, or an empty string."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return _some(archive.namelist())
        file.seek(0)
        names: list[str] = []
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while len(names) < 3 and (member := tar.next()) is not None:
                names.append(member.name)
        return _some(names)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError):  # damaged
        return ""


def _some(names: list[str]) -> str:
    shown = [shorten(name, 40) for name in names[:2]]
    return ", ".join([*shown, "..."] if len(names) > 2 else shown)
