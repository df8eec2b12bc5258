"""Atomic writes: files and folders are written under a temporary name and renamed when complete."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_folder", "atomic_write", "check_replaceable"]

PREFIX = ".fastw2v-"
"""Prefix of temporary folder names."""
ABANDONED = 3600.0
"""Seconds after which an unchanged temporary folder is removed, because its process was probably killed."""
_DEVICES = ("/dev", "/dev/fd", "/proc/self/fd")
"""Folders of devices. Their links, such as ``/dev/stdout``, can lead to an ordinary file."""


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield the path of an empty temporary file, which is renamed to `path` on success.

    An incomplete file never appears under the final name. If writing fails, an existing file is unchanged.

    Parameters
    ----------
    path : Path
        The file to write. If `path` is a symbolic link, its target is replaced and the link is kept.

    Yields
    ------
    Path
        The temporary file to write.

    Raises
    ------
    OSError
        If the file cannot be written, for example because the disk is full, or because `path` is a folder, a pipe or a
        device. The error names `path`, not the temporary file.

    Notes
    -----
    The file is flushed to the disk before it is renamed, and so is the folder afterwards. After a power failure, `path`
    is therefore either the old or the complete new file.

    The temporary file is on the same disk as `path`, in a hidden folder of its own, because some writers create further
    temporary files next to their output. A killed process leaves its hidden folder behind. Once the folder has been
    unchanged for an hour, the next write to the same directory removes it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.atomic_write import atomic_write
    >>> with atomic_write(Path("words.txt")) as temporary:
    ...     _ = temporary.write_text("cat", encoding="utf-8")
    ...     Path("words.txt").exists()
    False
    >>> Path("words.txt").read_text(encoding="utf-8")
    'cat'
    """
    with _errors_name(path):
        check_replaceable(path)
        target = Path(os.path.realpath(path))
        with _temporary_folder(target.parent) as folder:
            temporary = folder / target.name
            _step("open", path)
            temporary.open("xb").close()
            mode = temporary.stat().st_mode
            _step("write", path)
            yield temporary
            temporary.chmod(mode)  # a writer that recreates the file can leave it readable by its owner only
            _step("flush", path)
            _flush(temporary)
            _step("rename", path)
            temporary.replace(target)
        _flush_folder(target.parent)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield the path of an empty temporary folder, which is renamed to `path` on success.

    Parameters
    ----------
    path : Path
        The folder to create. It must not exist yet.

    Yields
    ------
    Path
        The temporary folder, in which files can be written.

    Raises
    ------
    FileExistsError
        If `path` exists.
    OSError
        If the folder cannot be written. The error names `path`, not the temporary folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.atomic_write import atomic_folder
    >>> with atomic_folder(Path("words")) as temporary:
    ...     _ = Path(temporary, "words.txt").write_text("cat", encoding="utf-8")
    ...     Path("words").exists()
    False
    >>> Path("words", "words.txt").read_text(encoding="utf-8")
    'cat'
    """
    _check_local(path)
    with _errors_name(path):
        if path.exists():
            raise FileExistsError(f"{path} already exists; choose the name of a new folder")
        target = Path(os.path.realpath(path))
        with _temporary_folder(target.parent) as folder:
            temporary = folder / target.name
            _step("open", path)
            temporary.mkdir()
            _step("write", path)
            yield temporary
            for file in temporary.iterdir():
                _step("flush", path)
                _flush(file)
            _flush_folder(temporary)
            _step("rename", path)
            temporary.rename(target)
        _flush_folder(target.parent)


def check_replaceable(path: Path) -> None:
    """Raise OSError if a path is a folder, a pipe or a device, which a file must not replace, or a URL.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.atomic_write import check_replaceable
    >>> check_replaceable(Path("new.txt"))
    >>> check_replaceable(Path("."))
    Traceback (most recent call last):
        ...
    IsADirectoryError: . is a folder; pass the path of a file
    """
    _check_local(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; pass the path of a file")
    if (path.exists() and not path.is_file()) or os.path.dirname(os.path.abspath(path)) in _DEVICES:  # noqa: PTH100, PTH120
        raise OSError(f"{path} is a pipe or a device; pass the path of a file, because files are written in full first")


def _check_local(path: Path) -> None:
    if re.match("[a-z][a-z0-9+.-]+:/", path.as_posix(), re.IGNORECASE):  # the second slash is lost in a Path
        raise OSError(f"{path} is a URL, but files are written to this machine only; pass the path of a file")


def _step(name: str, path: Path) -> None:
    """Do nothing. Tests replace this function, to make a step of writing `path` fail or to kill the process there."""


def _flush(path: Path) -> None:
    """Write a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot flush
            raise
    finally:
        os.close(descriptor)


def _flush_folder(path: Path) -> None:
    """Write the names in a folder to the disk, if the system allows it. The files themselves are already there."""
    with contextlib.suppress(OSError):  # the folder may not be readable, and Windows cannot open folders
        _step("flush folder", path)
        _flush(path)


@contextlib.contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Make errors of the operating system name `path` instead of a temporary file or, on a full disk, no file."""
    try:
        yield
    except OSError as error:
        ours = error.filename is None or PREFIX in str(error.filename)
        if error.errno is None or not ours:
            raise
        reason = error.strerror or os.strerror(error.errno)
        if error.errno == errno.ENOENT and not path.parent.is_dir():
            reason += f" (there is no folder {path.parent})"
        raise OSError(error.errno, reason, str(path)) from None


@contextlib.contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    _remove_abandoned(parent)
    _step("create folder", parent)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent) as folder:
        yield Path(folder)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process may remove the folder at the same time
            changed = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
            if time.time() - changed > ABANDONED:
                shutil.rmtree(folder)
