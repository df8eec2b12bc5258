"""Text: the bytes of files, folders, globs and standard input, plain or compressed, in pieces that end at white space.

Only a line feed ends a line, a file ends one too, and a byte order mark at the start of a file is skipped. Nothing
here knows words; `fastw2v.numbering` finds them.
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

__all__ = ["Errors", "Piece", "Source", "decoded", "files", "is_missing", "pieces", "pieces_of_lines", "valid"]

Errors = Literal["strict", "replace", "ignore"]
Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

BLOCK_BYTES = 1 << 22
"""Text is read in blocks of this size, so that a file of one endless line fits in memory."""
LONGEST_WORD = 1 << 26
"""Bytes without white space after which a file is taken for something other than text."""
STDIN = Path("-")
PADDING = b" " * 64
"""White space behind every piece, as readers take so many bytes at a time."""

_OPENERS = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}


@dataclass(frozen=True)
class Piece:
    """A part of a text that begins and ends between two words.

    Attributes
    ----------
    data : bytes
        With `PADDING` behind.
    name : str
        Of the file.
    position : int
        Of the piece's first byte in the file, after decompression.
    """

    data: bytes
    name: str
    position: int


def files(source: Source) -> list[Path]:
    """Return the files that are meant, in a fixed order.

    Parameters
    ----------
    source : path, or iterable of paths
        A file; a folder, for all files in it and below, sorted by name, without hidden ones; a pattern with ``*``,
        ``?`` or ``[``; or ``-`` for standard input.

    Raises
    ------
    OSError
        If a file does not exist, or a folder or pattern has no files.
    TypeError
        If a path is not a path.
    """
    if isinstance(source, (str, os.PathLike)):
        return _files(source)
    found = [path for one in source for path in _files(one)]
    if not found:
        raise FileNotFoundError("there are no corpus files in an empty list; name at least one")
    return found


def pieces(source: Source) -> Iterator[Piece]:
    """Read texts one after the other in pieces that end at white space.

    Parameters
    ----------
    source : path, or iterable of paths
        As for `files`; names that end in ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` are decompressed.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If a compressed file is damaged, a file is UTF-16, or there is no white space for a very long time.
    """
    return _pieces(files(source))


def pieces_of_lines(lines: Iterable[Any], name: str) -> Iterator[Piece]:
    """Make pieces of strings, each of them a line: a line feed inside is white space like any other.

    Parameters
    ----------
    lines : iterable of str or None
        None stands for an empty line.
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
                    f"{name}: line {number} holds {line[error.start]!r} at place {error.start}, half of a surrogate "
                    "pair; clean it first, for instance with line.encode(errors='replace').decode()"
                ) from error
        block.append(line.replace("\n", " ") if "\n" in line else line)
        length += len(line) + 1
        if length >= BLOCK_BYTES:
            yield Piece(("\n".join(block) + "\n").encode() + PADDING, name, 0)
            block, length = [], 0
    yield Piece(("\n".join(block) + "\n").encode() + PADDING, name, 0)


def is_missing(value: Any) -> bool:
    """Whether a value of a column stands for none: None, NaN, or the NA of pandas."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def valid(piece: Piece, errors: Errors) -> bytes:
    """Return the bytes of a piece, once they are UTF-8.

    Parameters
    ----------
    piece : Piece
    errors : {"strict", "replace", "ignore"}
        What to do with bytes that are not UTF-8: refuse, take U+FFFD for them, or drop them.

    Raises
    ------
    ValueError
        With "strict", naming the file and the byte.
    """
    if piece.data.isascii():
        return piece.data
    try:
        piece.data.decode()
    except UnicodeDecodeError:
        return decoded(piece, errors).encode()
    return piece.data


def decoded(piece: Piece, errors: Errors) -> str:
    """Return the text of a piece; parameters and errors are those of `valid`."""
    try:
        return piece.data.decode(errors=errors)
    except UnicodeDecodeError as error:
        byte = piece.data[error.start]
        raise ValueError(
            f"{piece.name} is not UTF-8: byte {piece.position + error.start} is {byte:#04x} ({error.reason}); convert "
            "it first, for instance with iconv -f LATIN1 -t UTF-8, or read it with errors='replace' or 'ignore'"
        ) from error


def _files(source: str | os.PathLike[str]) -> list[Path]:
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


def _pieces(paths: list[Path]) -> Iterator[Piece]:
    for path in paths:
        with _opened(path) as file:
            yield from _pieces_of_file(file, path)


def _pieces_of_file(file: Any, path: Path) -> Iterator[Piece]:
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
                yield Piece(b"".join((rest, view[:cut], PADDING)), name, position)
            position += len(rest) + cut
            rest = block[cut:]
        else:
            rest += block
            if len(rest) > LONGEST_WORD:
                raise ValueError(
                    f"{name}: no white space in the {len(rest)} bytes from byte {position} on; is this a text file?"
                )
    yield Piece(rest + b"\n" + PADDING, name, position)


def _read(file: Any, path: Path) -> bytes:
    """Read a block, less only at the end; the errors of the decompressors become one kind."""
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
    """Return the module that reads .zst: part of Python since 3.14, and two packages before."""
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise RuntimeError(
        f"{path}: Python {sys.version_info.major}.{sys.version_info.minor} cannot read .zst files by itself; "
        "pip install zstandard, or unpack the file first: zstd -d"
    )
