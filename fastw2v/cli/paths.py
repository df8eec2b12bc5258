"""Checks of output paths, made before a command starts its work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from fastw2v.cli.errors import parameters_as
from fastw2v.utils.atomic_write import check_replaceable
from fastw2v.utils.output_file import check_compression

__all__ = ["check_not_input", "check_output", "check_vector_output"]


def check_vector_output(
    path: Path, format: str | None = None, option: str = "fastw2v convert --to", dtype: str | None = None
) -> None:
    """Check that word vectors can be written to a path, so that an error is raised before a long run and not after it.

    Parameters
    ----------
    path : Path
    format : str, optional
        One of `fastw2v.formats.FORMATS`. By default, the suffix determines the format.
    option : str
        The option that sets the format.
    dtype : str, optional
        The type in which the vectors are to be stored.

    Raises
    ------
    FormatError
        If the suffix or `format` is unknown, the format can only be read or cannot be compressed, or it does not store
        vectors of type `dtype`.
    RuntimeError
        If the name ends in ``.zst``, and no module that can compress it is installed.
    OSError
        If `path` cannot be written, or if `path` already exists and the format is a folder.
    """
    from fastw2v import formats

    with parameters_as({"format": option}):
        kind = formats.check_writable(path, format, dtype)
    if kind == "static-embedding" and path.exists():
        raise FileExistsError(f"{path} already exists; choose the name of a new folder")
    check_output(path)


def check_output(path: Path) -> None:
    """Raise an error if a file cannot be written to a path.

    Raises
    ------
    OSError
        If the path is a folder, a pipe or a device, or its parent folder does not exist or is not writable.
    RuntimeError
        If the name ends in ``.zst``, and no module that can compress it is installed.
    """
    check_replaceable(path)
    check_compression(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {path.parent} is not writable; choose another folder")


def check_not_input(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Check that no output would overwrite an input or another output.

    Parameters
    ----------
    outputs : iterable of Path or None
        Files to write. None, which is the value of an option that was not given, is ignored.
    inputs : iterable of Path or None
        Files to read, and folders from which all files are read. Missing files are ignored, because reading them raises
        a more specific error. None is ignored as well.

    Raises
    ------
    FileExistsError
        If an output is one of the inputs or is in an input folder.
    ValueError
        If two outputs are the same file.
    """
    written = [path for path in outputs if path is not None]
    if len({path.resolve() for path in written}) < len(written):
        raise ValueError(f"two outputs are written to {written[0]}; choose another name for one of them")
    existing_inputs = [path for path in inputs if path is not None and path.exists()]
    for output in written:
        if output.exists() and any(_contains(path, output) for path in existing_inputs):
            raise FileExistsError(f"{output} is an input and would be overwritten; choose another name for the output")


def _contains(path: Path, file: Path) -> bool:
    """Return whether `path` is `file`, or is a folder that contains `file`."""
    return path.resolve() in file.resolve().parents if path.is_dir() else path.samefile(file)
