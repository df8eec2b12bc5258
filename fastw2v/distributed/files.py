"""The files of a text that the tasks of a cluster read: paths that all machines have in common, and URLs.

URLs such as ``s3://bucket/corpus.txt`` are read with the package fsspec, which needs other packages for some protocols.
"""

from __future__ import annotations

import glob
import io
import os
import platform
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fastw2v.corpus.sources import (
    BLOCK_BYTES,
    STDIN,
    Errors,
    FileBlock,
    RandomAccessFile,
    SharedFile,
    Source,
    Sources,
    TextBlock,
    blocks_of_range,
    blocks_of_stream,
    can_be_divided,
    expand_source,
    name_of,
)
from fastw2v.utils.file_types import SIGNATURE_BYTES

__all__ = ["Span", "TextFile", "blocks_of_span", "expand_files", "find_files", "has_url", "spans_of"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class TextFile(NamedTuple):
    """A file of a text."""

    path: str
    """An absolute path, or a URL."""
    name: str
    """The name in messages."""
    size: int
    """Number of bytes when the file was found."""


class Span(NamedTuple):
    """A part of a file that one task reads; see `fastw2v.corpus.sources.blocks_of_range`."""

    file: TextFile
    begin: int
    end: int
    is_whole: bool
    """Whether the file is read from the start to the end, because it is compressed, in another encoding, or short."""


def find_files(source: Source) -> list[TextFile]:
    """Return the files of a source in the order of `fastw2v.corpus.sources.expand_source`.

    Parameters
    ----------
    source : path, URL, iterable of these, or Sources
        Like the source of `Corpus.from_text`. A URL can be that of a file, that of a folder, or a pattern.

    Raises
    ------
    ImportError
        If fsspec, or the package that it needs for a protocol, is not installed.
    OSError
        If there is no such file, or a server does not answer.
    TypeError
        If a path is not a string or path-like object.
    ValueError
        If the source is standard input, a pipe or a device, or a protocol is unknown.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.distributed.files import find_files
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> [(file.name, file.size) for file in find_files("*.txt")]
    [('corpus.txt', 11)]
    """
    if isinstance(source, str) and _URL.match(source):
        return _files_at(source)
    given: Any = source
    is_single = isinstance(given, (str, bytes, os.PathLike, Sources)) or hasattr(given, "read")
    if isinstance(given, Iterable) and not is_single:
        given = list(given)
        if any(isinstance(one, str) and _URL.match(one) for one in given):
            return [file for one in given for file in find_files(one if isinstance(one, str) else [one])]
    return [_local_file(path) for path in expand_source(given)]


def has_url(source: Any) -> bool:
    """Return whether a source is a URL, or several files of which one is at a URL.

    Examples
    --------
    >>> from fastw2v.distributed.files import has_url
    >>> has_url("s3://bucket/corpus.txt"), has_url(["corpus.txt", "gs://bucket/corpus.txt"]), has_url("corpus.txt")
    (True, True, False)
    """
    files = source if isinstance(source, (list, tuple)) else [source]
    return any(isinstance(file, str) and _URL.match(file) for file in files)


def expand_files(source: Any) -> Sources | tuple[str, ...]:
    """Return the files of a source as `expand_source` does, or their absolute paths and URLs if there is a URL.

    Parameters
    ----------
    source : path, URL, iterable of these, or Sources

    Raises
    ------
    ImportError, OSError, TypeError, ValueError
        See `find_files`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.distributed.files import expand_files
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> expand_files("*.txt").name
    'corpus.txt'
    """
    return tuple(file.path for file in find_files(source)) if has_url(source) else expand_source(source)


def spans_of(file: TextFile, encoding: str, n_bytes: int) -> list[Span]:
    """Return the parts of a file that are read one by one.

    Parameters
    ----------
    file : TextFile
    encoding : str
        Encoding of the text if there is no byte order mark.
    n_bytes : int
        Number of bytes of a part, except for the last one. Only a larger file is divided.

    Returns
    -------
    list of Span
        A single one for a file that is compressed or in another encoding than UTF-8.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is not text.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.distributed.files import find_files, spans_of
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> [(span.begin, span.end) for span in spans_of(find_files("corpus.txt")[0], "utf-8", n_bytes=4)]
    [(0, 4), (4, 8), (8, 11)]
    """
    if file.size > n_bytes:
        head = bytearray(SIGNATURE_BYTES)
        del head[_opened(file).read(0, memoryview(head)) :]
        if can_be_divided(bytes(head), encoding, file.name):
            begins = range(0, file.size, n_bytes)
            return [Span(file, begin, min(begin + n_bytes, file.size), is_whole=False) for begin in begins]
    return [Span(file, 0, file.size, is_whole=True)]


def blocks_of_span(span: Span, encoding: str, errors: Errors) -> Iterator[TextBlock | FileBlock]:
    """Yield the text of a part of a file as `fastw2v.corpus.sources.read_blocks` does.

    Raises
    ------
    ImportError
        If this machine lacks a package that the file needs.
    OSError
        If this machine cannot find or read the file, or its size has changed.
    RuntimeError, ValueError
        See `fastw2v.corpus.sources.read_blocks`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.distributed.files import blocks_of_span, find_files, spans_of
    >>> _ = Path("corpus.txt").write_text("the cat sat", encoding="utf-8")
    >>> _, second, _ = spans_of(find_files("corpus.txt")[0], "utf-8", n_bytes=4)
    >>> [block.data.rstrip() for block in blocks_of_span(second, "utf-8", "strict")]
    [b'cat']
    """
    _, name, size = span.file
    file = _opened(span.file)
    _check_size(span.file, file.size())
    if span.is_whole:
        stream = io.BufferedReader(_Stream(file), BLOCK_BYTES)
        yield from blocks_of_stream(stream, size, name, encoding, errors)
    else:
        yield from blocks_of_range(file, size, name, span.begin, None if span.end == size else span.end)
    _check_size(span.file, file.size())


def _local_file(path: Path) -> TextFile:
    status = None if path == STDIN else path.stat()
    if status is None or not stat.S_ISREG(status.st_mode):
        raise ValueError(
            f"{name_of(path)} can be read only once, so it cannot be divided among replicas. Write the text to a file "
            "first, and pass the path of the file"
        )
    return TextFile(os.path.abspath(path), name_of(path), status.st_size)  # noqa: PTH100  # Path.resolve follows links


def _check_size(file: TextFile, size: int) -> None:
    if size != file.size:
        raise OSError(
            f"{file.name} has changed since the reading began, from {file.size:,} to {size:,} bytes; read the text "
            "again when no program writes to it"
        )


def _opened(file: TextFile) -> RandomAccessFile:
    try:
        if _URL.match(file.path):
            return _RemoteFile(file.path, file.name)
        with Path(file.path).open("rb") as opened:
            return SharedFile(opened)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"the node {platform.node()} cannot find {file.name} ({file.path}). A path must lead to the same file on "
            "every node: put the text into a folder that all nodes share, or pass a URL, such as s3://bucket/corpus.txt"
        ) from None


class _RemoteFile:
    """A file at a URL, of which several threads read any part. The size is that when it was opened."""

    def __init__(self, url: str, name: str) -> None:
        self._name = name
        self._files, self._path = _file_system(url)
        try:
            self._files.invalidate_cache()  # otherwise the size may be that of an earlier request
            self._size = int(self._files.info(self._path)["size"])
        except FileNotFoundError:
            raise
        except Exception as error:  # each package has its own errors
            raise _unreadable(name, error) from error

    def size(self) -> int:
        return self._size

    def read(self, position: int, view: memoryview) -> int:
        end = min(position + len(view), self._size)
        if position >= end:
            return 0
        try:
            data = self._files.cat_file(self._path, position, end)
            if len(data) != end - position:  # for example of a web server that sends the whole file
                raise ValueError(f"the answer has {len(data):,} bytes instead of {end - position:,}")
        except Exception as error:
            raise _unreadable(self._name, error) from error
        view[: len(data)] = data
        return len(data)


class _Stream(io.RawIOBase):
    """A file that is read from the start to the end."""

    def __init__(self, file: RandomAccessFile) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size()}[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        n = self._file.read(self._position, memoryview(buffer).cast("B"))
        self._position += n
        return n


def _files_at(url: str) -> list[TextFile]:
    files, path = _file_system(url)
    try:
        is_pattern = glob.has_magic(path) and not url.startswith("http")  # a web address may contain a question mark
        found = dict(files.glob(path, detail=True)) if is_pattern else {path: files.info(path)}
        for folder in [name for name, info in found.items() if info["type"] == "directory"]:
            del found[folder]
            inside = files.find(folder, detail=True)
            found.update({name: info for name, info in inside.items() if not _is_hidden(name, folder)})
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no corpus file {name_of(url)}") from None
    except Exception as error:  # each package has its own errors
        raise _unreadable(name_of(url), error) from error
    if not found:
        if is_pattern:
            raise FileNotFoundError(f"no file matches {name_of(url)}")
        raise FileNotFoundError(f"there are no files in the folder {name_of(url)} or its sub-folders")
    return [_remote_file(files.unstrip_protocol(name), found[name]["size"]) for name in sorted(found)]


def _remote_file(url: str, size: int | None) -> TextFile:
    if size is None:
        raise OSError(
            f"the server does not tell the size of {name_of(url)}; copy the file to a folder or a bucket first"
        )
    return TextFile(url, name_of(url), size)


def _is_hidden(path: str, folder: str) -> bool:
    return any(part.startswith(".") for part in path.removeprefix(folder).split("/"))


def _file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path of the file in it."""
    try:
        import fsspec
    except ImportError:
        raise ImportError(
            f"{name_of(url)} is a URL, and the package fsspec is not installed on the node {platform.node()}. Run pip "
            "install fsspec on every node, or pass the path of a file that all nodes share"
        ) from None
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ImportError(
            f"{name_of(url)} cannot be read on the node {platform.node()}, because a package is missing: {error}. "
            "Install it on every node"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name_of(url)} cannot be read: {error}. Pass a path, or a URL that fsspec supports, such as "
            "s3://bucket/corpus.txt"
        ) from error
    except Exception as error:  # each package has its own errors, for example without credentials
        raise _unreadable(name_of(url), error) from error


def _unreadable(name: str, error: Exception) -> OSError:
    return OSError(
        f"the node {platform.node()} cannot read {name}: {type(error).__name__}: {error}. Check the URL, the network "
        "and the credentials of every node"
    )
