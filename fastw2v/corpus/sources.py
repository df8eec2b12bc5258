"""Text sources: files, folders, patterns and standard input, read in blocks that end at white space.

Compressed files are recognised by their content and decompressed as they are read. Text in other encodings is converted
to UTF-8. A line ends at a line feed or at the end of a file, and a byte order mark at the start of a file is skipped.
Text is split into words by `fastw2v.corpus.indexer`, not by this module.
"""

from __future__ import annotations

import codecs
import errno
import glob
import itertools
import os
import stat
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from fastw2v.corpus.columns import is_missing
from fastw2v.corpus.signatures import what_is_not_text
from fastw2v.utils.compression import compression_of, read_decompressed
from fastw2v.utils.encodings import SAMPLE_BYTES, check_encoding, encoding_of_mark, guess_encoding
from fastw2v.utils.file_types import SIGNATURE_BYTES
from fastw2v.utils.quote import quote, shorten

__all__ = [
    "Errors",
    "FileBlock",
    "RandomAccessFile",
    "SharedFile",
    "Source",
    "Sources",
    "TextBlock",
    "blocks_of_lines",
    "blocks_of_range",
    "blocks_of_stream",
    "can_be_divided",
    "check_errors",
    "decode_block",
    "expand_source",
    "name_of",
    "name_of_files",
    "read_blocks",
    "text_size",
    "valid_utf8",
]

Errors = Literal["strict", "replace", "ignore"]
"""How to handle bytes that are not valid in the encoding: raise an error, replace them with U+FFFD, or drop them."""
Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A path, a glob pattern, ``"-"``, an iterable of these, or the `Sources` returned by `expand_source`."""
BLOCK_BYTES = 1 << 22
"""Number of bytes read at a time. Reading is not line by line, because a file without line feeds may be very large."""
LONGEST_WORD = 1 << 26
"""Maximum number of bytes without white space. A file that exceeds this number is rejected as not being text."""
MIN_BINARY_BYTES = 256
"""Minimum number of bytes of a file that is taken for binary data because of its null characters."""
STDIN = Path("-")
"""The path that represents standard input."""
PADDING = b" " * 64
"""White space appended to every block, because compiled code reads this many bytes at a time."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".lzma", ".zst")
"""Suffixes of files whose uncompressed size is unknown. Compression is recognised by content, so this is a guess."""
_LONGEST_NAME = 200
"""Number of characters of a path that messages show."""
_SEARCH_BYTES = 1 << 12
"""Number of bytes that are searched at a time for the white space at which a file is cut."""


@dataclass(frozen=True)
class Sources:
    """The files of a text, in the order in which they are read.

    Attributes
    ----------
    paths : tuple of Path
        At least one path. `STDIN` represents standard input.
    """

    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The name of the text in messages: the first file and the number of other files.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.corpus.sources import Sources
        >>> Sources((Path("a.txt"), Path("b.txt"), Path("c.txt"))).name
        'a.txt and 2 more'
        """
        return name_of_files(self.paths)

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class TextBlock:
    """A part of a text that does not begin or end within a word.

    Attributes
    ----------
    data : bytes
        The text, followed by `PADDING`.
    name : str
        Name of the file in messages.
    position : int
        Offset of the first byte of the block in the decompressed file.
    """

    data: bytes
    name: str
    position: int

    @property
    def size(self) -> int:
        """The number of bytes of text.

        Examples
        --------
        >>> from fastw2v.corpus.sources import PADDING, TextBlock
        >>> TextBlock(b"the cat" + PADDING, "menu.txt", position=0).size
        7
        """
        return len(self.data) - len(PADDING)

    def characters(self, room: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the text, followed by `PADDING`, as an array.

        Parameters
        ----------
        room : callable
            Not used, because the text is in memory.

        Returns
        -------
        uint8 array

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.sources import PADDING, TextBlock
        >>> TextBlock(b"the cat" + PADDING, "menu.txt", position=0).characters(np.zeros)[:3]
        array([116, 104, 101], dtype=uint8)
        """
        return np.frombuffer(self.data, np.uint8)


@dataclass(frozen=True)
class FileBlock:
    """A part of a file that does not begin or end within a word, and that any thread can read.

    Attributes
    ----------
    file : RandomAccessFile
    name : str
        Name of the file in messages.
    position : int
        Offset of the first byte of the block in the file.
    size : int
        Number of bytes.
    """

    file: RandomAccessFile
    name: str
    position: int
    size: int

    @property
    def data(self) -> bytes:
        """The text, followed by `PADDING`; it is read each time.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.corpus.sources import read_blocks
        >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
        >>> next(read_blocks([Path("corpus.txt")])).data.rstrip()
        b'the cat'
        """
        return self.characters(lambda n: np.empty(n, np.uint8)).tobytes()

    def characters(self, room: Callable[[int], np.ndarray]) -> np.ndarray:
        """Read the text, and return it as an array, followed by `PADDING`.

        Parameters
        ----------
        room : callable
            Function that returns a uint8 array of a given size.

        Returns
        -------
        uint8 array
            The array that `room` returned.

        Raises
        ------
        OSError
            If the file cannot be read, or has become shorter.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from fastw2v.corpus.sources import read_blocks
        >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
        >>> block = next(read_blocks([Path("corpus.txt")]))
        >>> block.characters(lambda n: np.empty(n, np.uint8))[:3]
        array([116, 104, 101], dtype=uint8)
        """
        array = room(self.size + len(PADDING))
        if self.file.read(self.position, memoryview(array)[: self.size]) < self.size:
            raise _cut_short(self.name, self.position + self.size, self.file.size())
        array[self.size :] = np.frombuffer(PADDING, np.uint8)
        return array


class RandomAccessFile(Protocol):
    """A file of which several threads read any part."""

    def size(self) -> int:
        """Return the number of bytes of the file."""

    def read(self, position: int, view: memoryview) -> int:
        """Read bytes from a position on, and return their number, which is smaller at the end of the file."""


class SharedFile:
    """An open file that several threads read; it is closed when the last of its blocks is gone.

    Parameters
    ----------
    file : binary file
        A file of this machine. It may be closed afterwards.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.corpus.sources import SharedFile
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> with open("corpus.txt", "rb") as file:
    ...     shared = SharedFile(file)
    >>> word = bytearray(3)
    >>> shared.read(4, memoryview(word)), bytes(word), shared.size()
    (3, b'cat', 11)
    """

    def __init__(self, file: Any) -> None:
        self._file: Any = open(os.dup(file.fileno()), "rb", buffering=0)  # noqa: PTH123, SIM115
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def size(self) -> int:
        """Return the number of bytes of the file, which may change.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.corpus.sources import SharedFile
        >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
        >>> with open("corpus.txt", "rb") as file:
        ...     SharedFile(file).size()
        11
        """
        return os.fstat(self._file.fileno()).st_size

    def read(self, position: int, view: memoryview) -> int:
        """Read bytes from a position on, and return their number, which is smaller at the end of the file.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.corpus.sources import SharedFile
        >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
        >>> word = bytearray(3)
        >>> with open("corpus.txt", "rb") as file:
        ...     SharedFile(file).read(4, memoryview(word)), bytes(word)
        (3, b'cat')
        """
        done = 0
        while done < len(view) and (n := self._read_some(position + done, view[done:])):
            done += n
        return done

    def _read_some(self, position: int, view: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [view], position)
        with self._lock:  # Windows has only one position for all threads
            self._file.seek(position)
            return int(self._file.readinto(view))


def expand_source(source: Source) -> Sources:
    """Return the files of a source in a fixed order.

    Only this function searches folders and matches patterns. Its result can be passed to every function that accepts a
    source. `Sources` are returned unchanged.

    Parameters
    ----------
    source : path, iterable of paths, or Sources
        Each path can be a file, a folder, a pattern with ``*``, ``?`` or ``[``, or ``-`` for standard input. Folders,
        including those that match a pattern, are searched recursively. Their files are sorted by path, and hidden files
        and folders are ignored. Links are followed. A link to a folder that contains the link is ignored, because the
        files of this folder are read anyway.

    Returns
    -------
    Sources

    Raises
    ------
    OSError
        If a file does not exist, a folder contains no files or cannot be read, a pattern matches no files, or a folder
        contains a broken link, a pipe, a socket or a device.
    TypeError
        If a path is not a string or path-like object.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.corpus.sources import expand_source
    >>> for name in ("b.txt", "a.txt", "notes.md", ".hidden.txt"):
    ...     _ = Path(name).write_text("the cat sat", encoding="utf-8")
    >>> [path.name for path in expand_source(".")]
    ['a.txt', 'b.txt', 'notes.md']
    >>> [path.name for path in expand_source(["notes.md", "*.txt"])]
    ['notes.md', 'a.txt', 'b.txt']
    """
    if isinstance(source, Sources):
        return source
    if isinstance(source, (str, os.PathLike)):
        return Sources(tuple(_expand(source)))
    given: Any = source
    if hasattr(given, "read"):
        raise TypeError(
            f"source is the open file {quote(given)}; pass its path instead, or pass the file to Corpus.from_lines"
        )
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise TypeError(f"source is {quote(given)}; it must be a path or a list of paths")
    found = tuple(path for one in given for path in _expand(one))
    if not found:
        raise FileNotFoundError("the source is an empty list; pass at least one file")
    return Sources(found)


def read_blocks(
    paths: Iterable[Path], encoding: str = "utf-8", errors: Errors = "strict"
) -> Iterator[TextBlock | FileBlock]:
    r"""Yield the text of files as UTF-8, in blocks that end at white space; each file is opened once.

    Parameters
    ----------
    paths : Sources, or iterable of Path
        Files, or `STDIN`. Expand folders and patterns with `expand_source` first. Files compressed with gzip, bzip2, xz
        or zstd are decompressed, whatever their names.
    encoding : str
        Encoding of the text. A byte order mark of UTF-8, UTF-16 or UTF-32 takes precedence.
    errors : {"strict", "replace", "ignore"}
        How to handle bytes that are not valid in an encoding other than UTF-8. UTF-8 is not checked; see `valid_utf8`.

    Yields
    ------
    TextBlock or FileBlock
        The content of large plain files in UTF-8 is not read yet, so that several threads can read it.

    Raises
    ------
    OSError
        If a file cannot be read, or becomes shorter while it is read.
    RuntimeError
        If a file is compressed with zstd, but no module that can decompress it is installed.
    ValueError
        If a file is not text, is not valid in its encoding or contains more than `LONGEST_WORD` bytes without white
        space, or if a compressed file is damaged or incomplete.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.corpus.sources import read_blocks
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> [block.data.rstrip() for block in read_blocks([Path("corpus.txt")])]
    [b'the cat', b'sat']
    >>> _ = Path("menu.txt").write_text("café", encoding="latin-1")
    >>> [block.data.rstrip().decode() for block in read_blocks([Path("menu.txt")], encoding="latin-1")]
    ['café']
    """
    for path in paths:
        name = name_of(path)
        with _opened(path) as file:
            size = 0 if path == STDIN else os.fstat(file.fileno()).st_size  # 0 for a pipe, too
            if size > BLOCK_BYTES:  # a smaller file is one block, and thousands of them would need as many open files
                head = file.read(SIGNATURE_BYTES)
                file.seek(0)
                if can_be_divided(head, encoding, name):
                    yield from blocks_of_range(SharedFile(file), size, name)
                    continue
            yield from blocks_of_stream(file, size, name, encoding, errors)


def name_of(path: str | os.PathLike[str]) -> str:
    """Return the name of a file in messages.

    Examples
    --------
    >>> from fastw2v.corpus.sources import STDIN, name_of
    >>> name_of("corpus.txt"), name_of(STDIN)
    ('corpus.txt', 'standard input')
    """
    return "standard input" if path == STDIN else shorten(str(path), _LONGEST_NAME)


def name_of_files(files: Sequence[str | os.PathLike[str]]) -> str:
    """Return the name of a text in messages: its first file, and the number of other files.

    Examples
    --------
    >>> from fastw2v.corpus.sources import name_of_files
    >>> name_of_files(["a.txt", "b.txt", "c.txt"])
    'a.txt and 2 more'
    """
    first = "standard input" if files[0] == STDIN else files[0]
    return f"{first} and {len(files) - 1} more" if len(files) > 1 else str(first)


def check_errors(errors: Any) -> None:
    """Raise ValueError unless `errors` is "strict", "replace" or "ignore".

    Examples
    --------
    >>> from fastw2v.corpus.sources import check_errors
    >>> check_errors("strict")
    """
    if errors not in ("strict", "replace", "ignore"):
        raise ValueError(f"errors is {quote(errors)}; it must be 'strict', 'replace' or 'ignore'")


def can_be_divided(head: bytes, encoding: str, name: str) -> bool:
    """Return whether parts of a file can be read on their own: it is not compressed, and its text is UTF-8.

    Parameters
    ----------
    head : bytes
        The first `SIGNATURE_BYTES` bytes of the file.
    encoding : str
        Encoding of the text if there is no byte order mark.
    name : str
        Name of the file in messages.

    Raises
    ------
    ValueError
        If the file is not text.

    Examples
    --------
    >>> from fastw2v.corpus.sources import can_be_divided
    >>> can_be_divided(b"the cat sat", "utf-8", "corpus.txt"), can_be_divided(b"the cat", "latin-1", "corpus.txt")
    (True, False)
    """
    return not compression_of(head) and _encoding_of(head, encoding, name) == "utf-8"


def blocks_of_stream(file: Any, size: int, name: str, encoding: str, errors: Errors) -> Iterator[TextBlock]:
    """Yield the text of an open file as `read_blocks` does, reading it from the start to the end.

    Parameters
    ----------
    file : binary file
    size : int
        Number of bytes of the file, or 0 if it is not known.
    name : str
        Name of the file in messages.
    encoding, errors
        See `read_blocks`.

    Yields
    ------
    TextBlock

    Raises
    ------
    OSError, RuntimeError, ValueError
        See `read_blocks`.

    Examples
    --------
    >>> import io
    >>> from fastw2v.corpus.sources import blocks_of_stream
    >>> file = io.BytesIO("un café".encode("latin-1"))
    >>> [block.data.rstrip().decode() for block in blocks_of_stream(file, 7, "menu.txt", "latin-1", "strict")]
    ['un', 'café']
    """
    pieces = read_decompressed(file, name, BLOCK_BYTES)
    yield from _blocks_of_text(_as_utf8(pieces, encoding, errors, name), name)
    if size and file.tell() < size:
        raise _cut_short(name, size, file.tell())


def blocks_of_range(
    file: RandomAccessFile, size: int, name: str, begin: int = 0, end: int | None = None
) -> Iterator[TextBlock | FileBlock]:
    r"""Yield blocks of the text between two positions of a plain file in UTF-8.

    The range is moved so that it does not cut words: both of its ends move back to the end of the last ASCII white
    space before them. The blocks of consecutive ranges are therefore those of the whole file, if the ranges begin at
    multiples of `BLOCK_BYTES`.

    Parameters
    ----------
    file : RandomAccessFile
        A file for which `can_be_divided` returns True.
    size : int
        Number of bytes that the file must have.
    name : str
        Name of the file in messages.
    begin : int
        Start of the range.
    end : int, optional
        End of the range. By default, the end of the file, even if it has become longer.

    Yields
    ------
    TextBlock or FileBlock

    Raises
    ------
    OSError
        If the file cannot be read, or becomes shorter while it is read.
    ValueError
        If there are more than `LONGEST_WORD` bytes without white space.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.corpus.sources import SharedFile, blocks_of_range
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> with open("corpus.txt", "rb") as file:
    ...     shared = SharedFile(file)
    >>> [block.data.rstrip() for block in blocks_of_range(shared, 11, "corpus.txt", 0, 6)]
    [b'the']
    >>> [block.data.rstrip() for block in blocks_of_range(shared, 11, "corpus.txt", 6, None)]
    [b'cat', b'sat']
    """
    start = len(codecs.BOM_UTF8) * (_bytes_of(file, 0, len(codecs.BOM_UTF8)) == codecs.BOM_UTF8)
    searched = max(start, begin)
    if begin:
        # Text with more bytes without white space than this is refused by the range in which they begin.
        first = max(0, begin - LONGEST_WORD - BLOCK_BYTES)
        cut = _last_white_space(file, first, begin)
        if first and not cut:
            raise _no_white_space(name, begin - first, first)
        start = max(start, cut)
    last = sys.maxsize if end is None else end
    while min(now := file.size(), last) > searched and now >= size:  # the file may become longer
        stop = min((searched // BLOCK_BYTES + 1) * BLOCK_BYTES, now, last)
        if cut := _last_white_space(file, searched, stop):
            yield FileBlock(file, name, start, cut - start)
            start = cut
        elif stop - start > LONGEST_WORD:
            raise _no_white_space(name, stop - start, start)
        searched = stop
    if now < size:
        raise _cut_short(name, size, now)
    if end is None:
        yield TextBlock(_bytes_of(file, start, now) + b"\n" + PADDING, name, start)


def text_size(paths: Iterable[Path]) -> int | None:
    """Return the size of text files in bytes, for progress bars, or None if it is not known before they are read.

    Parameters
    ----------
    paths : Sources, or iterable of Path
        As for `read_blocks`. The size is not known for standard input, pipes, devices, and files with the suffix of
        a compressed file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.corpus.sources import text_size
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> text_size([Path("corpus.txt")])
    11
    >>> print(text_size([Path("corpus.txt"), Path("corpus.txt.gz")]))
    None
    """
    total = 0
    for path in paths:
        if path.suffix.lower() in _COMPRESSED or not path.is_file():
            return None
        total += path.stat().st_size
    return total


def blocks_of_lines(lines: Iterable[Any], name: str) -> Iterator[TextBlock]:
    r"""Yield strings as blocks of text with one string per line.

    Parameters
    ----------
    lines : iterable of str or None
        The strings. Line feeds within a string are replaced with spaces, and missing values are skipped.
    name : str
        Name of the text in messages.

    Yields
    ------
    TextBlock

    Raises
    ------
    TypeError
        If a line is not a string.
    ValueError
        If a line contains a lone surrogate, which cannot be encoded in UTF-8.

    Examples
    --------
    >>> from fastw2v.corpus.sources import blocks_of_lines
    >>> [block.data.rstrip() for block in blocks_of_lines(["the cat", None, "the\ndog"], "example")]
    [b'the cat\nthe dog']
    """
    block: list[str] = []
    length = 0
    for number, line in enumerate(lines):
        if not isinstance(line, str):
            if is_missing(line):
                continue
            raise TypeError(
                f"{name}: line {number} is {quote(line)} of type {type(line).__name__}; lines must be strings"
                + (". Open the file as text (mode 'rt'), or decode the lines" if isinstance(line, bytes) else "")
            )
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"{name}: line {number} contains the lone surrogate {line[error.start]!r} at index {error.start}; "
                    "replace it first, for example with line.encode(errors='replace').decode()"
                ) from error
        block.append(line.replace("\n", " ") if "\n" in line else line)
        length += len(line) + 1
        if length >= BLOCK_BYTES:
            yield TextBlock(("\n".join(block) + "\n").encode() + PADDING, name, 0)
            block, length = [], 0
    yield TextBlock(("\n".join(block) + "\n").encode() + PADDING, name, 0)


def valid_utf8(block: TextBlock | FileBlock, errors: Errors) -> bytes:
    r"""Return the text of a block, with its padding, as valid UTF-8.

    Parameters
    ----------
    block : TextBlock or FileBlock
    errors : {"strict", "replace", "ignore"}
        How to handle bytes that are not valid UTF-8: raise an error, replace them with U+FFFD, or drop them.

    Raises
    ------
    ValueError
        If the block is not valid UTF-8 and `errors` is "strict". The message names the file and the invalid byte.

    Examples
    --------
    >>> from fastw2v.corpus.sources import PADDING, TextBlock, valid_utf8
    >>> block = TextBlock(b"caf\xe9 noir" + PADDING, "menu.txt", position=0)
    >>> valid_utf8(block, "replace").rstrip()
    b'caf\xef\xbf\xbd noir'
    """
    data = block.data
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return decode_block(TextBlock(data, block.name, block.position), errors).encode()
    return data


def decode_block(block: TextBlock | FileBlock, errors: Errors) -> str:
    r"""Return the text of a block, with its padding, as a string.

    Parameters
    ----------
    block : TextBlock or FileBlock
    errors : {"strict", "replace", "ignore"}
        See `valid_utf8`.

    Raises
    ------
    ValueError
        See `valid_utf8`.

    Examples
    --------
    >>> from fastw2v.corpus.sources import PADDING, TextBlock, decode_block
    >>> block = TextBlock(b"caf\xe9 noir" + PADDING, "menu.txt", position=0)
    >>> decode_block(block, "ignore").rstrip()
    'caf noir'
    >>> decode_block(block, "strict")
    Traceback (most recent call last):
    ValueError: menu.txt is not UTF-8: byte 3 is 0xe9 ...
    """
    text = block.data
    try:
        return text.decode(errors=errors)
    except UnicodeDecodeError as error:
        byte = text[error.start]
        start = max(0, error.start - SAMPLE_BYTES // 2)
        data = text[1 + text.rfind(b"\n", 0, start) :].rstrip()
        guess = guess_encoding(data)
        advice = (
            _proposal(text[text.rfind(b"\n", 0, error.start) + 1 :], guess)
            if guess
            else "Read it with the encoding of the text"
        )
        raise ValueError(
            f"{block.name} is not UTF-8: byte {block.position + error.start} is {byte:#04x} ({error.reason}). "
            f"{advice}. To read it as UTF-8 despite such bytes, use errors='replace' or errors='ignore'"
        ) from error


def _expand(source: str | os.PathLike[str]) -> list[Path]:
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source contains {quote(source)} of type {type(source).__name__}; pass paths")
    if source == "":
        raise FileNotFoundError("source is an empty string; pass the path of a file or, for the current folder, '.'")
    path = Path(source)
    if path == STDIN:
        return [path]
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise _broken_link(path) from None
    except (OSError, ValueError) as error:  # ValueError: the name contains a null character
        if isinstance(error, OSError) and error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR):
            raise
    else:
        if not stat.S_ISDIR(mode):
            return [path]  # a file, a pipe or a device
        if not (found := _files_in(path)):
            raise FileNotFoundError(f"there are no files in the folder {path} or its sub-folders")
        return found
    name = shorten(str(path), _LONGEST_NAME)
    if len(text := str(source)) > 4 * _LONGEST_NAME or "\n" in text:
        raise FileNotFoundError(
            f"source is a text of {len(text)} characters, {quote(text)}, but it must be the path of a file. Pass the "
            "lines of a text to Corpus.from_lines"
        )
    if "://" in text:
        raise FileNotFoundError(
            f"{shorten(text, _LONGEST_NAME)} is a URL, which only replicas read; set replicas, or download the file"
        )
    if not glob.has_magic(text):
        advice = "; a string is the path of a file. Pass sentences as lists of words" if len(text.split()) > 3 else ""
        raise FileNotFoundError(f"there is no corpus file {name}{advice}")
    found = _matches(path)
    if not found:
        raise FileNotFoundError(f"no file matches {name}")
    return found


def _files_in(top: Path) -> list[Path]:
    """Return the files in a folder and its sub-folders, sorted by path, except for hidden ones."""
    found: list[Path] = []
    pending: list[tuple[Path, tuple[tuple[int, int], ...]]] = [(top, ())]
    while pending:
        folder, parents = pending.pop()
        status = folder.stat()
        identity = status.st_dev, status.st_ino
        if identity in parents:
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = Path(entry.path)
                if entry.is_dir():
                    pending.append((path, (*parents, identity)))
                elif entry.is_file():
                    found.append(path)
                elif entry.is_symlink() and not path.exists():
                    raise _broken_link(path)
                else:
                    raise OSError(f"{path} is neither a file nor a folder; pass it on its own, or remove it from {top}")
    return sorted(found)


def _matches(pattern: Path) -> list[Path]:
    """Return the files that match a pattern, and the files in folders that match it, sorted by path."""
    for parent in pattern.parents:  # `glob` ignores folders that cannot be read
        for folder in filter(os.path.isdir, glob.glob(str(parent), recursive=True)):  # noqa: PTH207  # Path.glob rejects absolute patterns
            with os.scandir(folder):
                os.stat(os.path.join(folder, os.curdir))  # noqa: PTH116, PTH118  # Path would drop the final dot
        if not glob.has_magic(str(parent)):
            break
    found: set[Path] = set()
    for match in _outside_loops(map(Path, glob.glob(str(pattern), recursive=True))):  # noqa: PTH207
        if match.is_dir():
            found.update(_files_in(match))
        elif not match.exists():
            raise _broken_link(match)
        else:
            found.add(match)
    return sorted(_outside_loops(found))


def _outside_loops(paths: Iterable[Path]) -> list[Path]:
    """Leave out paths that lead through a link to a folder that contains the link."""
    paths = list(paths)
    loops = {folder for folder in {path.parent for path in paths} if _is_in_loop(folder)}
    return [path for path in paths if path.parent not in loops]


def _is_in_loop(folder: Path) -> bool:
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # Path.resolve follows links
    folders = [os.path.realpath(parent) for parent in (folder, *folder.parents)]
    return len(set(folders)) < len(folders)


def _broken_link(path: Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"{path} is a link to {path.readlink()}, which does not exist; restore the file, or remove the link"
    )


def _opened(path: Path) -> AbstractContextManager[Any]:
    return nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb")


def _cut_short(name: str, size: int, now: int) -> OSError:
    return OSError(
        f"{name} was cut short while it was read, from {size:,} to {now:,} bytes; read it again when it is complete"
    )


def _encoding_of(first: bytes, encoding: str, name: str) -> str:
    """Return the encoding of a text with these first bytes; raise ValueError if they are not text."""
    encoding = encoding_of_mark(first) or encoding
    if kind := compression_of(first):
        raise ValueError(
            f"{name} is compressed twice: its decompressed content is {kind} data. Decompress it once first"
        )
    if problem := what_is_not_text(first):
        raise ValueError(f"{name} {problem}")
    if check_encoding(encoding) not in ("utf-8", "utf-8-sig"):
        return encoding
    sample = first[:SIGNATURE_BYTES]
    if sample.count(0) > len(sample) // 8 and (guess := guess_encoding(sample)):
        raise ValueError(f"{name} is not UTF-8. {_proposal(sample, guess)}. In UTF-8 text, remove null characters")
    if len(sample) >= MIN_BINARY_BYTES and sample.count(0) > len(sample) // 3:
        raise ValueError(
            f"{name} is not UTF-8 text: more than a third of its first {len(sample)} bytes are null. Check that "
            "the file is text, and read it with the encoding of the text"
        )
    return "utf-8"


def _as_utf8(pieces: Iterator[bytes], encoding: str, errors: Errors, name: str) -> Iterator[bytes]:
    """Convert the pieces of a file to UTF-8; raise ValueError if they are not text."""
    first = next(pieces, b"")
    while len(first) < 4 and (more := next(pieces, b"")):  # a mark has up to four bytes
        first += more
    encoding = _encoding_of(first, encoding, name)
    if encoding == "utf-8":
        yield first
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    position = 0
    for piece in itertools.chain((first,), pieces, (b"",)):  # the empty piece marks the end
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            at = position + len(piece) - len(error.object) + error.start  # the decoder prepends what it kept
            raise ValueError(
                f"{name} cannot be read with encoding={encoding!r}: byte {at} is {error.object[error.start]:#04x} "
                f"({error.reason}). Use another encoding, or errors='replace' or errors='ignore'"
            ) from error
        except UnicodeError as error:  # some, such as punycode's before Python 3.13, do not say where
            raise ValueError(
                f"{name} cannot be read with encoding={encoding!r}: {error}. Use another encoding"
            ) from error
        position += len(piece)
        yield text.encode(errors="replace")


def _proposal(data: bytes, encoding: str) -> str:
    """Return advice to read a text in an encoding that fits, with the first words that are not ASCII."""
    text = data[:SIGNATURE_BYTES].decode(encoding, "replace")
    words = text.split()
    start = next((i for i, word in enumerate(words) if not word.isascii()), 0)
    sample = shorten(" ".join(words[start : start + 4]), 40)
    return (
        f"It is probably {encoding} ({sample!r}). Read it with encoding={encoding!r}, or convert it with "
        f"iconv -f {encoding} -t UTF-8"
    )


def _last_white_space(file: RandomAccessFile, start: int, stop: int) -> int:
    """Return the position after the last white space in a part of a file, or 0 if there is none."""
    while stop > start:
        begin = max(start, stop - _SEARCH_BYTES)
        if cut := _cut_position(_bytes_of(file, begin, stop)):
            return begin + cut
        stop = begin
    return 0


def _bytes_of(file: RandomAccessFile, start: int, stop: int) -> bytes:
    data = bytearray(stop - start)
    del data[file.read(start, memoryview(data)) :]
    return bytes(data)


def _cut_position(data: bytes) -> int:
    """Return the position after the last ASCII white space, which is never part of a multi-byte UTF-8 character."""
    return 1 + max(data.rfind(b" "), data.rfind(b"\n"), data.rfind(b"\t"))


def _no_white_space(name: str, n: int, position: int) -> ValueError:
    return ValueError(
        f"{name}: there is no white space in the {n} bytes that start at byte {position}; check that the file is text"
    )


def _blocks_of_text(pieces: Iterator[bytes], name: str) -> Iterator[TextBlock]:
    position = 0
    rest = b""
    for block in pieces:
        if position == 0 and not rest and block.startswith(codecs.BOM_UTF8):
            block = block[len(codecs.BOM_UTF8) :]
            position = len(codecs.BOM_UTF8)
        if cut := _cut_position(block):
            with memoryview(block) as view:
                yield TextBlock(b"".join((rest, view[:cut], PADDING)), name, position)
            position += len(rest) + cut
            rest = block[cut:]
        else:
            rest += block
            if len(rest) > LONGEST_WORD:
                raise _no_white_space(name, len(rest), position)
    yield TextBlock(rest + b"\n" + PADDING, name, position)
