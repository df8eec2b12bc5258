"""Image files: the supported formats, a check of a file's name before any work is done, and the atomic write."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from fastw2v.utils.atomic_write import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["IMAGES", "check_picture", "save_figure"]

IMAGES = (".png", ".svg", ".pdf")
"""Suffixes of the image formats that can be written."""


def check_picture(path: str | PathLike[str], page: bool = False) -> None:
    """Raise the error that writing a picture would raise for its suffix, or because matplotlib is not installed.

    Parameters
    ----------
    path : path
    page : bool
        Whether an HTML page is supported as well.

    Raises
    ------
    ValueError
        If the suffix is not supported.
    ImportError
        If it is an image and matplotlib is not installed.
    """
    suffix = Path(path).suffix.lower()
    if page and suffix == ".html":
        return
    if suffix not in IMAGES:
        known = (*IMAGES, ".html") if page else IMAGES
        raise ValueError(f"{path}: the suffix {suffix!r} names no kind of picture; supported are {', '.join(known)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        remedy = "pip install 'fastw2v[plot]'" + (", or write an .html page" if page else "")
        raise ImportError(f"{suffix} pictures need matplotlib: {remedy}") from None


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the suffix of `path` names; an incomplete file never appears under `path`.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        With one of the suffixes in `IMAGES`.
    """
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:])
