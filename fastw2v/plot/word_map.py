"""Two-dimensional maps of words, as images or as HTML pages with search and zoom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_choice
from fastw2v.plot.fonts import drawable
from fastw2v.plot.image import check_picture, save_figure
from fastw2v.plot.labels import label_places
from fastw2v.plot.projection import METHOD_NAMES, Method, plane, select_method
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.checks import check_items, check_type
from fastw2v.utils.quote import counted
from fastw2v.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NEIGHBOURS", "write_map"]

NEIGHBOURS = 8
"""Number of nearest words that the HTML page shows for a word."""


def write_map(
    vectors: WordVectors, path: str | PathLike[str], words: Sequence[Any] | None = None, method: Method = "auto"
) -> int:
    """Draw a map of words as an image, or as an HTML page with search, zoom and nearest neighbours.

    Parameters
    ----------
    vectors : WordVectors
    path : str or path
        File to write. The suffix must be ``.png``, ``.svg``, ``.pdf`` or ``.html``. An HTML page is a single file
        without external resources.
    words : sequence of str or int, optional
        Words to draw. Labels are placed in this order, so put the most important words first. By default, all words are
        drawn.
    method : {"auto", "pca", "opentsne", "pacmap", "umap", "tsne"}
        Projection to use; see `plane`.

    Returns
    -------
    int
        Number of words with a label. In an image, words whose labels do not fit are drawn as points only. For an HTML
        page, all words are counted, because more labels appear as the reader zooms in.

    Raises
    ------
    UnknownWordError
        If a word is not in the vocabulary.
    ValueError
        If the suffix or `method` is not supported, there are fewer than three words, or a vector is not finite.
    ImportError
        If matplotlib, or the package that `method` needs, is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.plot import write_map
    >>> wv = WordVectors(["cat", "dog", "car", "bus"], np.random.default_rng(0).normal(size=(4, 10)))
    >>> write_map(wv, "map.html")
    4
    >>> write_map(wv, "map.png", words=["cat", "dog", "bus"])
    3
    """
    check_type("vectors", vectors, WordVectors, "WordVectors, such as model.wv")
    check_picture(path, page=True)
    check_choice("method", method, get_args(Method))
    if words is not None:
        check_items("words", words, "a list of words")
    chosen = list(dict.fromkeys(vectors.index_to_key if words is None else words))
    matrix = to_host(vectors[chosen])
    selected = select_method(method, len(chosen))
    points = plane(matrix, selected)
    title = METHOD_NAMES[selected]
    if Path(path).suffix.lower() == ".html":
        page = _page(
            [str(word) for word in chosen], points, _neighbours(matrix), f"{counted(len(chosen), 'word')}, {title}"
        )
        with atomic_write(Path(path)) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return len(chosen)
    figure, n_labels = _figure([_printable(str(word)) for word in chosen], points, title)
    save_figure(figure, Path(path))
    return n_labels


def _figure(words: list[str], points: np.ndarray, title: str) -> tuple[Figure, int]:
    """Return the figure of the map and the number of labels that fit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = float(np.clip(len(words) ** 0.5 * 0.5, 6, 18))
    figure = Figure(figsize=(side * 1.3, side), dpi=150, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.95))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontsize=9, color="#666666")
    for spine in axes.spines.values():
        spine.set_color("#dddddd")
    axes.margins(0.06)
    axes.set_aspect("equal", adjustable="datalim")
    dots = axes.scatter(points[:, 0], points[:, 1], s=9, color="#3b6ea5", linewidths=0)
    words, families = drawable(words)
    style: dict[str, Any] = {"fontsize": 8.5, "fontfamily": families, "parse_math": False}
    texts = [axes.text(0, 0, word, va="bottom", ha="left", color="#222222", **style) for word in words]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(extent.width + 2, extent.height + 1) for extent in extents])
    figure.canvas.draw()  # fixes the scale of the axes
    pixels = axes.transData.transform(points)
    bounds = axes.get_window_extent(renderer)
    corners = label_places(pixels, sizes, (bounds.x0, bounds.y0, bounds.x1, bounds.y1), dot=4)
    for text, corner, size, pixel, point in zip(texts, corners, sizes, pixels, points, strict=True):
        if np.isnan(corner[0]):
            text.remove()
            continue
        x, y = axes.transData.inverted().transform(corner + np.array([1, 0]))
        text.set_position((x, y))
        nearest = np.clip(pixel, corner, corner + size)
        if np.linalg.norm(nearest - pixel) > 8:
            ends = np.array([point, axes.transData.inverted().transform(nearest)])
            axes.plot(*ends.T, color="#aaaaaa", linewidth=0.5, zorder=0.5)
    labelled = ~np.isnan(corners[:, 0])
    dots.set_alpha(np.where(labelled, 1, 0.35))  # type: ignore[arg-type]  # emphasise points with a label
    return figure, int(labelled.sum())


def _printable(word: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in word)


def _neighbours(matrix: np.ndarray) -> np.ndarray:
    """Return the indices of the rows nearest to each row by cosine, shape (n, min(`NEIGHBOURS`, n − 1))."""
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-30)
    n = min(NEIGHBOURS, len(unit) - 1)
    nearest = np.empty((len(unit), n), dtype=np.int64)
    for start in range(0, len(unit), 1000):  # the cosines of all pairs would not fit in memory
        cosines = unit[start : start + 1000] @ unit.T
        here = np.arange(len(cosines))
        cosines[here, here + start] = -np.inf
        best = np.argpartition(-cosines, n - 1, axis=1)[:, :n]
        order = np.argsort(-np.take_along_axis(cosines, best, axis=1), axis=1, kind="stable")
        nearest[start : start + 1000] = np.take_along_axis(best, order, axis=1)
    return nearest


def _page(words: list[str], points: np.ndarray, nearest: np.ndarray, title: str) -> str:
    scaled = points / max(float(np.abs(points).max()), 1e-30)
    data = {
        "title": title,
        "words": words,
        "places": np.round(scaled, 5).tolist(),
        "nearest": nearest.tolist(),
    }
    # Text inside a script element must not contain the end tag of the element.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")
    return resources.files("fastw2v.plot").joinpath("map.html").read_text(encoding="utf-8").replace("{{data}}", text)
