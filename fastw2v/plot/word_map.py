"""Two-dimensional maps of words, as images."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_choice
from fastw2v.plot.fonts import drawable
from fastw2v.plot.image import check_picture, save_figure
from fastw2v.plot.kmeans import clusters, suitable_number, typical_rows
from fastw2v.plot.labels import label_places
from fastw2v.plot.projection import METHOD_NAMES, Method, plane, select_method
from fastw2v.utils.checks import check_items, check_type
from fastw2v.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Color", "write_map"]

Color = Literal["cluster", "count"]
"""What the colours of a map show."""

_KEY_HEIGHT, _KEY_COLUMNS = 0.55, 5
"""Height of the legend below a map, in inches, and number of columns of the names of clusters."""
COLORS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
"""Colours of the clusters, which colour-blind readers can tell apart: M. A. Petroff, arXiv:2107.02270, 2021."""
PLAIN = "#3b6ea5"
"""Colour of all points of a map without colours."""


class Clusters(NamedTuple):
    """The clusters of the words of a map."""

    labels: np.ndarray
    """The cluster of each word, shape (n,)."""
    typical: list[np.ndarray]
    """Rows of the words that name each cluster, most typical first."""


def write_map(
    vectors: WordVectors,
    path: str | PathLike[str],
    words: Sequence[Any] | None = None,
    method: Method = "auto",
    *,
    color: Color | None = "cluster",
) -> int:
    """Draw a map of words as an image.

    `fastw2v.explore.write_page` writes an interactive map.

    Parameters
    ----------
    vectors : WordVectors
    path : str or path
        File to write. The suffix must be ``.png``, ``.svg`` or ``.pdf``.
    words : sequence of str or int, optional
        Words to draw. Labels are placed in this order, so put the most important words first. By default, all words are
        drawn.
    method : {"auto", "pca", "opentsne", "pacmap", "umap", "tsne"}
        Projection to use; see `plane`.
    color : {"cluster", "count"} or None
        What the colours show. "cluster" divides the words into at most ten `clusters`, and a legend names each by three
        words near its centre. "count" shows how often a word occurs in the corpus. If None, all points have the same
        colour.

    Returns
    -------
    int
        Number of words with a label. Words whose labels do not fit are drawn as points only.

    Raises
    ------
    UnknownWordError
        If a word is not in the vocabulary.
    ValueError
        If the suffix, `method` or `color` is not supported, there are fewer than three words, a vector is not finite,
        or `color` is "count" and the vectors have no counts.
    ImportError
        If matplotlib, or the package that `method` needs, is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.plot import write_map
    >>> wv = WordVectors(["cat", "dog", "car", "bus"], np.random.default_rng(0).normal(size=(4, 10)))
    >>> write_map(wv, "map.png", words=["cat", "dog", "bus"])
    3
    """
    check_type("vectors", vectors, WordVectors, "WordVectors, such as model.wv")
    check_picture(path)
    check_choice("method", method, get_args(Method))
    if color is not None:
        check_choice("color", color, get_args(Color))
    counts = vectors.counts
    if color == "count" and counts is None:
        raise ValueError("color is 'count', but these vectors have no counts of words; use 'cluster'")
    if words is not None:
        check_items("words", words, "a list of words")
    chosen = list(dict.fromkeys(vectors.index_to_key if words is None else words))
    matrix = to_host(vectors[chosen])
    points = plane(matrix, method)
    title = METHOD_NAMES[select_method(method, len(chosen))]
    printable = [_printable(str(word)) for word in chosen]
    key: Clusters | np.ndarray | None = None
    if color == "cluster":
        labels = clusters(matrix, suitable_number(len(chosen)))
        key = Clusters(labels, typical_rows(matrix, labels))
    elif color == "count" and counts is not None:
        rows = np.array([vectors.get_index(word, -1) for word in chosen])
        key = np.where(rows < 0, 0, counts[rows])  # a word that has only n-grams was not counted
    figure, n_labels = _figure(printable, points, title, key)
    save_figure(figure, Path(path))
    return n_labels


def _figure(
    words: list[str], points: np.ndarray, title: str, key: Clusters | np.ndarray | None = None
) -> tuple[Figure, int]:
    """Return the figure of the map and the number of labels that fit.

    `key` is what the colours show: clusters, or the count of each word, or nothing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = float(np.clip(len(words) ** 0.5 * 0.5, 6, 18))
    band = 0 if key is None else _KEY_HEIGHT  # at the bottom, in inches
    figure = Figure(figsize=(side * 1.3, side + band), dpi=150, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    share = band / (side + band)
    axes = figure.add_axes((0.01, 0.01 + share, 0.98, 0.95 - share))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontsize=9, color="#666666")
    for spine in axes.spines.values():
        spine.set_color("#dddddd")
    axes.margins(0.06)
    axes.set_aspect("equal", adjustable="datalim")
    dots = axes.scatter(points[:, 0], points[:, 1], s=16, linewidths=0, **_colours(key))
    words, families = drawable(words)
    style: dict[str, Any] = {"fontsize": 8.5, "fontfamily": families, "parse_math": False}
    texts = [axes.text(0, 0, word, va="bottom", ha="left", color="#222222", **style) for word in words]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(extent.width + 2, extent.height + 1) for extent in extents])
    figure.canvas.draw()  # fixes the scale of the axes
    pixels = axes.transData.transform(points)
    bounds = axes.get_window_extent(renderer)
    corners = label_places(pixels, sizes, (bounds.x0, bounds.y0, bounds.x1, bounds.y1), dot=5)
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
    if isinstance(key, Clusters):
        _draw_names(figure, band, [[words[row] for row in rows] for rows in key.typical], style)
    elif key is not None:
        place = figure.add_axes((0.02, share * 0.6, 0.3, share * 0.2))
        figure.colorbar(dots, cax=place, orientation="horizontal").ax.tick_params(labelsize=8.5)
        place.text(1.04, 0.5, "occurrences in the corpus", va="center", transform=place.transAxes, fontsize=8.5)
    dots.set_alpha(np.where(labelled, 1, 0.45))  # type: ignore[arg-type]  # emphasise points with a label
    return figure, int(labelled.sum())


def _colours(key: Clusters | np.ndarray | None) -> dict[str, Any]:
    """Return the arguments of `Axes.scatter` for the colours of the points."""
    from matplotlib.colors import LogNorm

    if key is None:
        return {"color": PLAIN}
    if isinstance(key, Clusters):
        return {"color": [COLORS[label] for label in key.labels]}
    counts = np.maximum(key, 1)
    # The last colours of viridis are too light for a white page.
    return {"c": counts, "cmap": _dark_viridis(), "norm": LogNorm(counts.min(), max(counts.max(), counts.min() + 1))}


def _dark_viridis() -> Any:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis"](np.linspace(0, 0.9, 256)))


def _draw_names(figure: Figure, height: float, names: list[list[str]], style: dict[str, Any]) -> None:
    """Draw the legend of the clusters in columns at the bottom. Of each name, the words are drawn that fit."""
    width, whole = figure.get_size_inches()
    columns = min(_KEY_COLUMNS, len(names))
    axes = figure.add_axes((0.01, 0, 0.98, height / whole))
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(-(-len(names) // columns), 0)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    room = (0.98 * width / columns - 0.3) * figure.dpi
    for i, name in enumerate(names):
        row, column = divmod(i, columns)
        axes.plot(column + 0.06, row + 0.5, "o", markersize=6, color=COLORS[i])
        text = axes.text(column + 0.12, row + 0.5, " · ".join(name), va="center", color="#222222", **style)
        while text.get_window_extent(renderer).width > room and len(text.get_text()) > 1:
            shown = text.get_text()
            text.set_text(shown.rpartition(" · ")[0] or shown.rstrip("…")[:-1] + "…")


def _printable(word: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in word)
