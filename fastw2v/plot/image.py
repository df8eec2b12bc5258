"""Image files: supported formats, validation of file names, and atomic writes."""

from __future__ import annotations

import io
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from fastw2v.config import check_flags
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.checks import check_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["IMAGES", "check_picture", "save_figure"]

IMAGES = (".png", ".svg", ".pdf")
"""Suffixes of the supported image formats."""


def check_picture(path: str | PathLike[str], page: bool = False) -> None:
    """Raise an error if the suffix of `path` is not supported or matplotlib is missing.

    Call this function before a long computation whose result will be drawn.

    Parameters
    ----------
    path : str or path
    page : bool
        If true, ``.html`` is supported as well.

    Raises
    ------
    ValueError
        If the suffix is not supported.
    ImportError
        If the suffix belongs to an image format and matplotlib is not installed.

    Examples
    --------
    >>> from fastw2v.plot import check_picture
    >>> check_picture("map.html", page=True)
    >>> check_picture("map.gif")
    Traceback (most recent call last):
    ...
    ValueError: map.gif: the suffix '.gif' is not supported for pictures; use one of .png, .svg, .pdf
    """
    suffix = check_path("path", path).suffix.lower()
    check_flags(page=page)
    if page and suffix == ".html":
        return
    if suffix not in IMAGES:
        known = ", ".join((*IMAGES, ".html") if page else IMAGES)
        instead = ", or write a page with fastw2v.explore.write_page" if suffix == ".html" else ""
        raise ValueError(f"{path}: the suffix {suffix!r} is not supported for pictures; use one of {known}{instead}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        remedy = "pip install 'fastw2v[plot]'" + (", or write an .html page instead" if page else "")
        raise ImportError(f"{suffix} pictures need matplotlib. Install it with {remedy}") from None


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file atomically, so that an incomplete file never appears under the final name.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        The suffix determines the format. It must be one of `IMAGES`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from matplotlib.figure import Figure
    >>> from fastw2v.plot.image import save_figure
    >>> save_figure(Figure(), Path("empty.png"))
    >>> Path("empty.png").read_bytes()[1:4]
    b'PNG'
    """
    drawn = io.BytesIO()  # matplotlib raises errors of its own if it cannot write to a file
    figure.savefig(drawn, format=path.suffix.lower()[1:])
    with atomic_write(path) as temporary:
        # A view of the buffer would outlive it in the traceback of an error. Python 3.13 reports that as another error.
        temporary.write_bytes(drawn.getvalue())
