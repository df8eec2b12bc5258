"""Text sources: files, folders, patterns and standard input, read in blocks that end at white space.

Compressed files are decompressed as they are read. A line ends at a line feed or at the end of a file, and a byte order
mark at the start of a file is skipped. Text is split into words by `fastw2v.corpus.indexer`, not by this module.
"""

from __future__ import annotations

import glob
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fastw2v.corpus.columns import is_missing

__all__ = [
    "Errors",
    "Source",
    "Sources",
    "TextBlock",
    "blocks_of_lines",
    "decode_block",
    "expand_source",
    "read_blocks",
    "text_size",
    "valid_utf8",
]

Errors = Literal["strict", "replace", "ignore"]
"""How to handle bytes that are not valid UTF-8: raise an error, replace them with U+FFFD, or drop them."""
Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A path, a glob pattern, ``"-"``, an iterable of these, or the `Sources` returned by `expand_source`."""
BLOCK_BYTES = 1 << 22
"""Number of bytes read at a time. Reading is not line by line, because a file without line feeds may be very large."""
LONGEST_WORD = 1 << 26
"""Maximum number of bytes without white space. A file that exceeds this number is rejected as not being text."""
STDIN = Path("-")
"""The path that represents standard input."""
PADDING = b" " * 64
"""White space appended to every block, because compiled code reads this many bytes at a time."""
_OPENERS = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
"""Modules that open compressed files, by suffix."""


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
        first, *others = self.paths
        return f"{first} and {len(others)} more" if others else str(first)

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


def expand_source(source: Source) -> Sources:
    """Return the files of a source in a fixed order.

    Only this function searches folders and matches patterns. Its result can be passed to every function that accepts a
    source. `Sources` are returned unchanged.

    Parameters
    ----------
    source : path, iterable of paths, or Sources
        Each path can be a file, a folder, a pattern with ``*``, ``?`` or ``[``, or ``-`` for standard input. A folder
        is searched recursively. Its files are sorted by path, and hidden files are ignored.

    Returns
    -------
    Sources

    Raises
    ------
    OSError
        If a file does not exist, a folder contains no files, or a pattern matches no files.
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
    found = tuple(path for one in source for path in _expand(one))
    if not found:
        raise FileNotFoundError("the source is an empty list; pass at least one file")
    return Sources(found)


def read_blocks(paths: Iterable[Path]) -> Iterator[TextBlock]:
    r"""Yield the text of files in blocks that end at white space; each file is opened once.

    Parameters
    ----------
    paths : Sources, or iterable of Path
        Files, or `STDIN`. Expand folders and patterns with `expand_source` first. Files with the suffix ``.gz``,
        ``.bz2``, ``.xz`` or ``.zst`` are decompressed.

    Yields
    ------
    TextBlock

    Raises
    ------
    OSError
        If a file cannot be read.
    RuntimeError
        If a ``.zst`` file is given, but no module that can decompress it is installed.
    ValueError
        If a compressed file is damaged, a file is UTF-16, or more than `LONGEST_WORD` bytes contain no white space.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.corpus.sources import read_blocks
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> [block.data.rstrip() for block in read_blocks([Path("corpus.txt")])]
    [b'the cat', b'sat']
    """
    for path in paths:
        with _opened(path) as file:
            yield from _blocks_of_file(file, path)


def text_size(paths: Iterable[Path]) -> int | None:
    """Return the size of text files in bytes, or None if it is not known before they are read.

    Parameters
    ----------
    paths : Sources, or iterable of Path
        As for `read_blocks`. The size is not known for compressed files, standard input, pipes and devices.

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
        if path.suffix in (*_OPENERS, ".zst") or not path.is_file():
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
            raise TypeError(f"{name}: line {number} is of type {type(line).__name__}; lines must be strings")
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


def valid_utf8(block: TextBlock, errors: Errors) -> bytes:
    r"""Return the text of a block, with its padding, as valid UTF-8.

    Parameters
    ----------
    block : TextBlock
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
    if block.data.isascii():
        return block.data
    try:
        block.data.decode()
    except UnicodeDecodeError:
        return decode_block(block, errors).encode()
    return block.data


def decode_block(block: TextBlock, errors: Errors) -> str:
    r"""Return the text of a block, with its padding, as a string.

    Parameters
    ----------
    block : TextBlock
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
    try:
        return block.data.decode(errors=errors)
    except UnicodeDecodeError as error:
        byte = block.data[error.start]
        raise ValueError(
            f"{block.name} is not UTF-8: byte {block.position + error.start} is {byte:#04x} ({error.reason}); convert "
            "it first, for example with iconv -f LATIN1 -t UTF-8, or read it with errors='replace' or 'ignore'"
        ) from error


def _expand(source: str | os.PathLike[str]) -> list[Path]:
    path = Path(source)
    if path == STDIN or path.is_file():
        return [path]
    if path.is_dir():
        found = [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
        if not found:
            raise FileNotFoundError(f"there are no files in the folder {path} or its sub-folders")
        return found
    if path.exists():  # a pipe or a device
        return [path]
    if not glob.has_magic(str(path)):
        raise FileNotFoundError(f"there is no corpus file {path}")
    found = [file for file in map(Path, sorted(glob.glob(str(path), recursive=True))) if file.is_file()]  # noqa: PTH207  # Path.glob rejects absolute patterns
    if not found:
        raise FileNotFoundError(f"no file matches {path}")
    return found


def _blocks_of_file(file: Any, path: Path) -> Iterator[TextBlock]:
    name = "standard input" if path == STDIN else str(path)
    position = 0
    rest = b""
    while block := _read(file, path):
        if position == 0 and not rest:
            if block.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ValueError(f"{name} is UTF-16, not UTF-8; convert it first with iconv -f UTF-16 -t UTF-8")
            if block.startswith(b"\xef\xbb\xbf"):
                block = block[3:]
                position = 3
        # ASCII white space is never part of a multi-byte UTF-8 character, so the text can be cut after white space.
        cut = 1 + max(block.rfind(b" "), block.rfind(b"\n"), block.rfind(b"\t"))
        if cut:
            with memoryview(block) as view:
                yield TextBlock(b"".join((rest, view[:cut], PADDING)), name, position)
            position += len(rest) + cut
            rest = block[cut:]
        else:
            rest += block
            if len(rest) > LONGEST_WORD:
                raise ValueError(
                    f"{name}: there is no white space in the {len(rest)} bytes that start at byte {position}; check "
                    "that the file is text"
                )
    yield TextBlock(rest + b"\n" + PADDING, name, position)


def _read(file: Any, path: Path) -> bytes:
    """Read `BLOCK_BYTES` bytes, or fewer at the end of the file; convert all decompression errors to ValueError."""
    try:
        return file.read(BLOCK_BYTES)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # a disk error, not a decompression error
            raise
        raise ValueError(f"{path} is not a valid {path.suffix} file: {error}") from error


def _opened(path: Path) -> AbstractContextManager[Any]:
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    if path.suffix in _OPENERS:
        return importlib.import_module(_OPENERS[path.suffix]).open(path, "rb")
    if path.suffix == ".zst":
        return _zstandard(path).open(path, "rb")
    return path.open("rb")


def _zstandard(path: Path) -> Any:
    """Return a module that reads .zst files: the standard module of Python 3.14 and later, or one of two packages."""
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise RuntimeError(
        f"cannot read {path}: Python {sys.version_info.major}.{sys.version_info.minor} does not support .zst files. "
        "Run pip install zstandard, or decompress the file first with zstd -d"
    )
