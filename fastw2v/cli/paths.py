"""Checks of output paths before any work is done."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["check_not_input", "check_output", "check_vector_output"]


def check_vector_output(path: Path, format: str | None = None) -> None:
    """Raise now what writing word vectors would raise at the end of a long training.

    Parameters
    ----------
    path : Path
    format : str, optional
        One of `fastw2v.formats.FORMATS`; by default the suffix decides.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, or the format is read only.
    OSError
        If a file cannot be written there.
    """
    from fastw2v import formats

    kind = formats.format_of(path, format)
    if kind == "gensim":
        raise formats.FormatError(f"{path}: gensim's own format is read only; gensim reads .bin and .txt")
    if kind == "static-embedding" and path.exists():
        raise FileExistsError(f"{path} exists; give the name of a new folder")
    check_output(path)


def check_output(path: Path) -> None:
    """Raise OSError unless a file can be written under this path: its folder exists and is writable."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} for the output does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} for the output cannot be written to")


def check_not_input(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Raise FileExistsError if an output would overwrite a file that is read.

    Parameters
    ----------
    outputs : iterable of Path or None
        Files to be written; None for an option that was not given.
    inputs : iterable of Path or None
        Files to be read, or folders of which every file is read. Those that do not exist are left to their reader,
        which knows what they are for.
    """
    existing_inputs = [path for path in inputs if path is not None and path.exists()]
    for output in outputs:
        if output is not None and output.exists() and any(_contains(path, output) for path in existing_inputs):
            raise FileExistsError(f"{output} is to be read, and would be overwritten; give the output another name")


def _contains(path: Path, file: Path) -> bool:
    """Return whether a path is a file, or a folder with that file in it."""
    return path.resolve() in file.resolve().parents if path.is_dir() else path.samefile(file)
