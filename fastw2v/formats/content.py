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
from fastw2v.utils.encodings import guess_encoding
from fastw2v.utils.quote import quote, shorten

__all__ = ["describe_content", "has_text_rows", "is_safetensors", "recognise_content"]

_START_BYTES = 2**16
# A number in a text file has at most this many characters, with the space before it.
_NUMBER_BYTES = 32
# Rows with more numbers are not recognised, so that a damaged header does not make a large part of the file be read.
_MOST_DIMS = 2**20
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACE_OR_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_NUMERIC = re.compile(rb"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
# Other files that users take for vector files, by their first bytes.
_OTHERS = (
    (re.compile(rb"7z\xbc\xaf\x27\x1c|Rar!"), "an archive; unpack it first, and read the file that it contains"),
    (re.compile(rb"\x93NUMPY"), "a NumPy array without words; read it with numpy.load, and pass it to WordVectors"),
    (re.compile(rb"\x89w2v"), "an encoded corpus; train on it with Word2Vec().fit or fastw2v train"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16 text; convert it to UTF-8 first, for example with iconv -f UTF-16"),
    (re.compile(rb"version https://git-lfs"), "a pointer of Git LFS; fetch the file itself with git lfs pull"),
    (re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE), "a web page; download the file itself"),
    (re.compile(rb"\x89HDF|PAR1|%PDF|\x89PNG|SQLite"), "a file of another program, which fastw2v cannot read"),
)


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
    r"""Return the format of a file whose contents leave no doubt, or None.

    Parameters
    ----------
    file : binary file
        It is rewound to its beginning.
    size : int
        Size of the file in bytes.

    Returns
    -------
    {"safetensors", "npz", "bin", "txt", "glove"} or None
        "bin" also stands for a fastText model. Pickles and TSV files are not recognised.

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
        return "bin"
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
    """Return what a file is and what to do, if it is a well-known kind of file without word vectors, or None.

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
    if start.startswith(b"PK\x03\x04") and (names := _names_in_zip(file)):
        return f"a zip archive that contains {names}; unpack it first, and read the file with the vectors"
    if start[257:262] == b"ustar" and (names := _names_in_tar(file)):
        return f"a tar archive that contains {names}; unpack it first, and read the file with the vectors"
    if re.match(rb"\x80[\x02-\x05]", start):
        return "a pickle; if gensim wrote it, use format='gensim'"
    if compression_of(start[:16]):
        return "a file that was compressed twice; decompress it once, and read the result"
    if (guess_encoding(start) or "").startswith("utf-16"):
        return "UTF-16 text; convert it to UTF-8 first, for example with iconv -f UTF-16"
    for signature, description in _OTHERS:
        if signature.match(start):
            return description
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


def _names_in_zip(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):  # damaged
        return ""
    return "" if any(name.endswith(".npy") for name in names) else _some(names)


def _names_in_tar(file: BinaryIO) -> str:
    names: list[str] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while len(names) < 4 and (member := archive.next()) is not None:
                names.append(member.name)
    except (OSError, ValueError, tarfile.TarError):
        pass
    return _some(names)


def _some(names: list[str]) -> str:
    shown = [shorten(name, 40) for name in names[:2]]
    return ", ".join([*shown, "..."] if len(names) > 2 else shown)
