"""Atomic writes: a file is written under a temporary name and renamed when it is complete."""

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
"""Prefix of the names of temporary folders."""
ABANDONED = 3600.0
"""Seconds without a change after which a temporary folder is taken for one of a killed process, and removed."""


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield the path of an empty temporary file; on success it is renamed to `path`.

    An incomplete file never appears under the final name, and on failure an existing file stays as it was. The
    temporary file is on the same disk, in a hidden folder of its own, because some writers make temporary files beside
    theirs. Folders that killed processes left behind are removed an hour later by the next write to the same folder.

    Parameters
    ----------
    path : Path
        A file to write, or a symbolic link to one, which stays a link.

    Yields
    ------
    Path
        The temporary file to write.

    Raises
    ------
    OSError
        If the file cannot be written; the error names `path`.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    _remove_abandoned(target.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=target.parent) as folder:
            temporary = Path(folder, target.name)
            temporary.open("xb").close()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # safetensors creates the file again, readable by its owner only
            temporary.replace(target)
    except OSError as error:  # the error of a full disk has no file name
        if error.filename is None or PREFIX in str(error.filename):
            error.filename, error.filename2 = str(path), None
        raise


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process may remove it, too
            changed = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
            if time.time() - changed > ABANDONED:
                shutil.rmtree(folder)
