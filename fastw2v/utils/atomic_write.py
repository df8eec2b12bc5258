"""Atomic writes: files are written under a temporary name and renamed when complete."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_write"]

PREFIX = ".fastw2v-"
"""Prefix of temporary folder names."""
ABANDONED = 3600.0
"""Seconds after which an unchanged temporary folder is removed, because its process was probably killed."""


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
        If the file cannot be written. The error names `path`, not the temporary file.

    Notes
    -----
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
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder; pass the path of a file")
    _remove_abandoned(target.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=target.parent) as folder:
            temporary = Path(folder, target.name)
            temporary.open("xb").close()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # safetensors recreates the file so that only its owner can read it
            temporary.replace(target)
    except OSError as error:  # if the disk is full, the error has no file name
        if error.filename is None or PREFIX in str(error.filename):
            error.filename, error.filename2 = str(path), None
        raise


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process may remove the folder at the same time
            changed = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
            if time.time() - changed > ABANDONED:
                shutil.rmtree(folder)
