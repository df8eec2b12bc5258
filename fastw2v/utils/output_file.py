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

__all__ = [
    "COMPRESSIONS",
    "check_compression",
    "open_for_writing",
    "open_text_for_writing",
    "refuse_archive",
    "without_compression",
]

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
"""Suffixes of compressed files."""
_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar", ".lzma", ".z", ".lz", ".lz4", ".lzo", ".br")
"""Suffixes of archives and of compressions that are not written; programs would fail to read a file of this name."""


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
    ValueError
        If the suffix is that of an archive or of another compression.
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
    check_compression(path)
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
    """Check that a file can be compressed as its suffix says.

    Raises
    ------
    RuntimeError
        If the name ends in ``.zst``, and no module that can compress it is installed.
    ValueError
        See `refuse_archive`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.output_file import check_compression
    >>> check_compression(Path("vectors.txt.xz"))
    """
    refuse_archive(path)
    if path.suffix.lower() == ".zst":
        _zstandard(path)


def refuse_archive(path: Path) -> None:
    """Raise ValueError if the suffix is that of an archive or of a compression that is not written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.output_file import refuse_archive
    >>> refuse_archive(Path("vectors.tar.gz"))
    Traceback (most recent call last):
        ...
    ValueError: vectors.tar.gz: .tar files are not written; to compress the file, use a name such as vectors.txt.gz
    """
    bare = without_compression(path)
    if bare.suffix.lower() in _ARCHIVES:
        raise ValueError(
            f"{path}: {bare.suffix} files are not written; to compress the file, use a name such as "
            f"{bare.stem.removesuffix('.txt')}.txt.gz"
        )


def without_compression(path: Path) -> Path:
    """Return the path without the suffix of a compressed file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.output_file import without_compression
    >>> without_compression(Path("vectors.txt.gz")).name, without_compression(Path("vectors.txt")).name
    ('vectors.txt', 'vectors.txt')
    """
    return path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path


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
