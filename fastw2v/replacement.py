"""Replacement: a file is written beside the one it replaces, and takes its place when it is complete."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["replacing"]

PREFIX = ".fastw2v-"
ABANDONED = 3600.0
"""Seconds without a change after which what a killed process left is taken away."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of an empty file on the same disk, to be written; it takes `path`'s place on success.

    It lies in a hidden folder of its own, as some writers make temporary files beside theirs. What processes that were
    killed left behind is removed by the next that writes there, an hour later.

    Parameters
    ----------
    path : Path
        A file, or a link to one, which stays a link.

    Raises
    ------
    OSError
        If the file cannot be written; names `path`.
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
            temporary.chmod(mode)  # safetensors makes the file anew, readable by its owner only
            temporary.replace(target)
    except OSError as error:  # a full disk does not say what was to be written
        if error.filename is None or PREFIX in str(error.filename):
            error.filename, error.filename2 = str(path), None
        raise


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process may remove it, too
            changed = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
            if time.time() - changed > ABANDONED:
                shutil.rmtree(folder)
