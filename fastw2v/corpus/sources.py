"""Text sources: files, folders, globs and standard input, plain or compressed, read in blocks that end at white space.

A line ends at a line feed or at the end of a file, and a byte order mark at the start of a file is skipped. This
module does not split text into words; `fastw2v.corpus.indexer` does.
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
    "valid_utf8",
]

Errors = Literal["strict", "replace", "ignore"]
"""What to do with bytes that are not UTF-8: raise an error, replace them by U+FFFD, or drop them."""
Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A path, a glob pattern, ``"-"``, an iterable of these, or the `Sources` that `expand_source` returns."""
BLOCK_BYTES = 1 << 22
"""Text is read in blocks of this size, so that a file of one endless line fits in memory."""
LONGEST_WORD = 1 << 26
"""A file with more bytes than this without white space is not taken for text."""
STDIN = Path("-")
"""The path that stands for standard input."""
PADDING = b" " * 64
"""White space after the text of every block, because compiled code reads this many bytes at a time."""
_OPENERS = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
"""Module that opens a compressed file, by suffix."""


@dataclass(frozen=True)
class Sources:
    """The files of a text in the order in which they are read, as `expand_source` returns them.

    Attributes
    ----------
    paths : tuple of Path
        At least one; `STDIN` stands for standard input.
    """

    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        """What messages call the text: its only file, or the first one and the number of others."""
        first, *others = self.paths
        return f"{first} and {len(others)} more" if others else str(first)

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class TextBlock:
    """A part of a text that begins and ends between two words.

    Attributes
    ----------
    data : bytes
        The text, followed by `PADDING`.
    name : str
        Name of the file, for messages.
    position : int
        Position of the block's first byte in the file, after decompression.
    """

    data: bytes
    name: str
    position: int


def expand_source(source: Source) -> Sources:
    """Return the files that a source stands for, in a fixed order.

    This is the only function that searches folders and matches patterns. Its result can be passed on in place of the
    source: it is returned unchanged, without another search.

    Parameters
    ----------
    source : path, iterable of paths, or Sources
        A path is a file; a folder, for all files in it and below, sorted by name, without hidden ones; a pattern with
        ``*``, ``?`` or ``[``; or ``-`` for standard input.

    Raises
    ------
    OSError
        If a file does not exist, or a folder or pattern has no files.
    TypeError
        If a path is not a path.
    """
    if isinstance(source, Sources):
        return source
    if isinstance(source, (str, os.PathLike)):
        return Sources(tuple(_expand(source)))
    found = tuple(path for one in source for path in _expand(one))
    if not found:
        raise FileNotFoundError("there are no corpus files in an empty list; name at least one")
    return Sources(found)


def read_blocks(paths: Iterable[Path]) -> Iterator[TextBlock]:
    """Read files one after the other, each opened once, in blocks that end at white space.

    Parameters
    ----------
    paths : Sources, or iterable of Path
        Files, or `STDIN`; folders and patterns must be expanded by `expand_source` first. Files with the suffix
        ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` are decompressed.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If a compressed file is damaged, a file is UTF-16, or there is no white space for a very long time.
    """
    for path in paths:
        with _opened(path) as file:
            yield from _blocks_of_file(file, path)


def blocks_of_lines(lines: Iterable[Any], name: str) -> Iterator[TextBlock]:
    """Yield blocks of text made of strings, one line each; a line feed within a string is ordinary white space.

    Parameters
    ----------
    lines : iterable of str or None
        A missing value is an empty line.
    name : str
        For messages.

    Raises
    ------
    TypeError
        If a line is not a string.
    ValueError
        If a line holds half of a surrogate pair, which is no character.
    """
    block: list[str] = []
    length = 0
    for number, line in enumerate(lines):
        if not isinstance(line, str):
            if is_missing(line):
                continue
            raise TypeError(f"{name}: line {number} is of type {type(line).__name__}; lines are strings")
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"{name}: line {number} holds {line[error.start]!r} at index {error.start}, half of a surrogate "
                    "pair; clean it first, for instance with line.encode(errors='replace').decode()"
                ) from error
        block.append(line.replace("\n", " ") if "\n" in line else line)
        length += len(line) + 1
        if length >= BLOCK_BYTES:
            yield TextBlock(("\n".join(block) + "\n").encode() + PADDING, name, 0)
            block, length = [], 0
    yield TextBlock(("\n".join(block) + "\n").encode() + PADDING, name, 0)


def valid_utf8(block: TextBlock, errors: Errors) -> bytes:
    """Return the bytes of a block as valid UTF-8.

    Parameters
    ----------
    block : TextBlock
    errors : {"strict", "replace", "ignore"}
        What to do with bytes that are not UTF-8: raise an error, replace them by U+FFFD, or drop them.

    Raises
    ------
    ValueError
        With "strict", naming the file and the byte.
    """
    if block.data.isascii():
        return block.data
    try:
        block.data.decode()
    except UnicodeDecodeError:
        return decode_block(block, errors).encode()
    return block.data


def decode_block(block: TextBlock, errors: Errors) -> str:
    """Return the text of a block; parameters and errors are those of `valid_utf8`."""
    try:
        return block.data.decode(errors=errors)
    except UnicodeDecodeError as error:
        byte = block.data[error.start]
        raise ValueError(
            f"{block.name} is not UTF-8: byte {block.position + error.start} is {byte:#04x} ({error.reason}); convert "
            "it first, for instance with iconv -f LATIN1 -t UTF-8, or read it with errors='replace' or 'ignore'"
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
            raise FileNotFoundError(f"there are no files in the folder {path}")
        return found
    if path.exists():  # a pipe or a device
        return [path]
    if not glob.has_magic(str(path)):
        raise FileNotFoundError(f"there is no corpus file {path}")
    found = [file for file in map(Path, sorted(glob.glob(str(path), recursive=True))) if file.is_file()]  # noqa: PTH207  # absolute ones too
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
                raise ValueError(f"{name} is UTF-16, by its first two bytes; convert it: iconv -f UTF-16 -t UTF-8")
            if block.startswith(b"\xef\xbb\xbf"):
                block = block[3:]
                position = 3
        # ASCII white space is never part of a longer UTF-8 character, so it is safe to cut there.
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
                    f"{name}: no white space in the {len(rest)} bytes from byte {position} on; is this a text file?"
                )
    yield TextBlock(rest + b"\n" + PADDING, name, position)


def _read(file: Any, path: Path) -> bytes:
    """Read `BLOCK_BYTES`, or fewer at the end of the file; turn all errors of decompressors into ValueError."""
    try:
        return file.read(BLOCK_BYTES)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk failed, not the decompressor
            raise
        raise ValueError(f"{path} is not a whole {path.suffix} file: {error}") from error


def _opened(path: Path) -> AbstractContextManager[Any]:
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    if path.suffix in _OPENERS:
        return importlib.import_module(_OPENERS[path.suffix]).open(path, "rb")
    if path.suffix == ".zst":
        return _zstandard(path).open(path, "rb")
    return path.open("rb")


def _zstandard(path: Path) -> Any:
    """Return a module that reads .zst files: the one of Python 3.14 and later, or one of two packages."""
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise RuntimeError(
        f"{path}: Python {sys.version_info.major}.{sys.version_info.minor} cannot read .zst files by itself; "
        "pip install zstandard, or unpack the file first: zstd -d"
    )
