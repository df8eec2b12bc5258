"""Output files: written under a temporary name, compressed if the suffix says so, and renamed when complete."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import importlib
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from fastw2v.utils.atomic_write import atomic_write

__all__ = ["COMPRESSIONS", "check_compression", "open_for_writing", "open_text_for_writing"]

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
"""Suffixes of compressed files."""


@contextlib.contextmanager
def open_for_writing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` on success.

    Parameters
    ----------
    path : Path
        The file is compressed if the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``. If an error occurs, an
        existing file at this path is left unchanged.

    Yields
    ------
    binary file

    Raises
    ------
    RuntimeError
        If the name ends in ``.zst``, and no module that can compress it is installed.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.output_file import open_for_writing
    >>> path = Path("new.txt")
    >>> with open_for_writing(path) as file:
    ...     _ = file.write(b"sun 0.5")
    ...     print("visible while incomplete:", path.exists())
    visible while incomplete: False
    >>> path.read_text()
    'sun 0.5'
    """
    with atomic_write(path) as temporary, temporary.open("wb") as file, _compressing(file, path) as packed:
        yield packed


@contextlib.contextmanager
def open_text_for_writing(path: Path) -> Iterator[TextIO]:
    r"""Open a temporary file of UTF-8 text that replaces `path` on success, as `open_for_writing` does.

    Lines end with a line feed on all systems.

    Examples
    --------
    >>> import gzip
    >>> from pathlib import Path
    >>> from fastw2v.utils.output_file import open_text_for_writing
    >>> with open_text_for_writing(Path("new.txt.gz")) as file:
    ...     _ = file.write("sun\n")
    >>> gzip.decompress(Path("new.txt.gz").read_bytes())
    b'sun\n'
    """
    with open_for_writing(path) as binary:
        text = codecs.getwriter("utf-8")(
            binary
        )  # unlike TextIOWrapper, it has no buffer that can fail again when closed
        yield text  # type: ignore[misc]


def check_compression(path: Path) -> None:
    """Raise RuntimeError if the name ends in ``.zst`` and no module that can compress it is installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.output_file import check_compression
    >>> check_compression(Path("vectors.txt.xz"))
    """
    if path.suffix.lower() == ".zst":
        _zstandard(path)


@contextlib.contextmanager
def _compressing(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Yield a file object that compresses as the suffix says. Equal data give equal bytes."""
    packed: Any
    suffix = path.suffix.lower()
    if suffix == ".gz":
        # Omit the name and the time, so that equal vectors give identical files.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
            yield packed
    elif suffix == ".bz2":
        with bz2.open(file, "wb") as packed:
            yield packed
    elif suffix == ".xz":
        with lzma.open(file, "wb") as packed:
            yield packed
    elif suffix == ".zst":
        with _zstandard(path).open(file, "wb") as packed:
            yield packed
    else:
        yield file


def _zstandard(path: Path) -> Any:
    """Return a module that writes .zst files: the standard module of Python 3.14 and later, or one of two packages."""
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise RuntimeError(f"cannot write {path}: .zst files need the package zstandard. Run pip install zstandard")
