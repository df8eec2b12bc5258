"""Pictures: a map of words in the plane, as an image or a page to explore, and the curve of the loss.

A map is made in three steps: `plane` finds a place for each word, `label_places` a free place for each label, and
`write_map` draws. Images need matplotlib; the page needs nothing, neither to make nor to read.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.formats.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastw2v.vectors import WordVectors

__all__ = ["IMAGES", "Method", "check_picture", "label_places", "plane", "write_loss", "write_map"]

IMAGES = (".png", ".svg", ".pdf")
Method = Literal["pca", "umap", "tsne"]
NEIGHBOURS = 8
"""Nearest words that the page shows for a word."""


def check_picture(path: str | PathLike[str], page: bool = False) -> None:
    """Raise what writing a picture would raise for its name, or for want of matplotlib.

    Parameters
    ----------
    path : path
    page : bool
        Whether the picture can be an HTML page.

    Raises
    ------
    ValueError
        If the suffix is none of `IMAGES`, nor ``.html``.
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


def plane(matrix: Any, method: Method = "pca", seed: int = 1) -> np.ndarray:
    """Return a place in the plane for each row of a matrix, by the direction of the row.

    Parameters
    ----------
    matrix : float array, shape (n, D)
        At least three rows. Lengths do not count, as they do not for the cosine.
    method : {"pca", "umap", "tsne"}
        "pca" is the projection that keeps most of the variance: distances shrink, but are never torn, and the same
        vectors make the same map. "umap" and "tsne" keep neighbours together at the price of everything else; they
        need umap-learn and scikit-learn.
    seed : int
        For "umap" and "tsne".

    Returns
    -------
    float64 array, shape (n, 2)
        Centred. Of "pca", each axis points so that its largest value is positive.

    Raises
    ------
    ImportError
        If the library that the method needs is not installed.
    ValueError
        If there are fewer than three rows, or values that are not finite.
    """
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(get_args(Method))}")
    rows = to_host(matrix).astype(np.float64)
    if len(rows) < 3:
        raise ValueError(f"a map of {len(rows)} words shows nothing; give at least three")
    if not np.isfinite(rows).all():
        raise ValueError("some vectors hold NaN or infinity, which have no place on a map; leave those words out")
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if method == "umap":
        umap = _library("umap", "umap-learn", method)
        options = {"n_neighbors": min(15, len(rows) - 1), "init": "spectral" if len(rows) > 4 else "random"}
        # With a seed it takes one thread, and warns of others.
        places = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1, **options).fit_transform(rows)
    elif method == "tsne":
        manifold = _library("sklearn.manifold", "scikit-learn", method)
        perplexity = min(30.0, (len(rows) - 1) / 3)
        places = manifold.TSNE(metric="cosine", perplexity=perplexity, random_state=seed).fit_transform(rows)
    else:
        _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        places = np.zeros((len(rows), 2))
        places[:, : len(axes[:2])] = (rows - rows.mean(axis=0)) @ axes[:2].T
        largest = np.abs(places).argmax(axis=0)
        places *= np.where(places[largest, [0, 1]] < 0, -1, 1)
    places = np.asarray(places, dtype=np.float64)
    return places - places.mean(axis=0)


def _library(module: str, package: str, method: Method) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"method {method!r} needs {package}: pip install {package}") from None


def label_places(
    points: np.ndarray, sizes: np.ndarray, bounds: tuple[float, float, float, float], dot: float = 3.0
) -> np.ndarray:
    """Return where labels can stand so that none covers another, nor any point.

    Labels are placed one after another, the first the freest, each as near to its point as the others leave room.

    Parameters
    ----------
    points : float array, shape (n, 2)
    sizes : float array, shape (n, 2)
        Width and height of each label.
    bounds : (float, float, float, float)
        Left, bottom, right and top of the picture, which labels do not leave.
    dot : float
        Radius of a point.

    Returns
    -------
    float array, shape (n, 2)
        Lower left corners of the labels; NaN for those that found no room.
    """
    left, bottom, right, top = bounds
    corners = np.full(points.shape, np.nan)
    boxes = np.concatenate([points - dot, points + dot], axis=1)  # left, bottom, right, top: of the points first
    for i, (point, (width, height)) in enumerate(zip(points, sizes, strict=True)):
        candidates = point + _offsets(width, height, dot + 1)
        new = np.concatenate([candidates, candidates + np.array([width, height])], axis=1)
        inside = (new[:, 0] >= left) & (new[:, 1] >= bottom) & (new[:, 2] <= right) & (new[:, 3] <= top)
        reach = (boxes[:, :2] < new[:, 2:].max(axis=0)) & (boxes[:, 2:] > new[:, :2].min(axis=0))
        near = boxes[reach.all(axis=1)]
        apart = (
            (new[:, None, 0] >= near[:, 2])
            | (new[:, None, 2] <= near[:, 0])
            | (new[:, None, 1] >= near[:, 3])
            | (new[:, None, 3] <= near[:, 1])
        ).all(axis=1)
        free = np.flatnonzero(inside & apart)
        if len(free):
            corners[i] = candidates[free[0]]
            boxes = np.concatenate([boxes, new[free[:1]]])
    return corners


def _offsets(width: float, height: float, gap: float) -> np.ndarray:
    """Return lower left corners of a label relative to its point: beside it, then around it, farther and farther."""
    near = [
        (gap, -height / 2),
        (-gap - width, -height / 2),
        (-width / 2, gap),
        (-width / 2, -gap - height),
        (gap / 2, gap / 2),
        (gap / 2, -gap / 2 - height),
        (-gap / 2 - width, gap / 2),
        (-gap / 2 - width, -gap / 2 - height),
    ]
    angles = np.arange(16) * (np.pi / 8)
    around = [
        (np.cos(angle) * (ring * height + width / 2) - width / 2, np.sin(angle) * (ring + 0.5) * height - height / 2)
        for ring in (1.0, 1.75, 2.5, 3.5)
        for angle in angles
    ]
    return np.array(near + around)


def write_map(
    vectors: WordVectors, path: str | PathLike[str], words: Sequence[Any] | None = None, method: Method = "pca"
) -> int:
    """Draw words in the plane, as an image, or as a page to search, zoom and ask for neighbours.

    Parameters
    ----------
    vectors : WordVectors
    path : path
        ``.png``, ``.svg``, ``.pdf``, or ``.html``: one file that needs nothing from elsewhere.
    words : sequence of str or of int, optional
        Which words to draw, those whose labels matter most first; all when absent.
    method : {"pca", "umap", "tsne"}
        See `plane`.

    Returns
    -------
    int
        How many words have a label. The others are points, for want of room; on a page, zooming in makes room.

    Raises
    ------
    UnknownWordError
        If there is no such word.
    ValueError, ImportError
        As `check_picture` and `plane`.
    """
    check_picture(path, page=True)
    chosen = list(dict.fromkeys(vectors.index_to_key if words is None else words))
    matrix = to_host(vectors[chosen])
    points = plane(matrix, method)
    title = {"pca": "principal components", "umap": "UMAP", "tsne": "t-SNE"}[method]
    if Path(path).suffix.lower() == ".html":
        page = _page([str(word) for word in chosen], points, _neighbours(matrix), f"{len(chosen):,} words, {title}")
        with replacing(Path(path)) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return len(chosen)
    figure, n_labels = _figure([_printable(str(word)) for word in chosen], points, title)
    _save(figure, Path(path))
    return n_labels


def write_loss(history: Sequence[tuple[float, float]], path: str | PathLike[str], x_label: str = "words") -> None:
    """Draw a history of the loss.

    Parameters
    ----------
    history : sequence of (number, float)
        How far the training was, and the mean loss since the entry before, as in `Word2Vec.loss_history`.
    path : path
        ``.png``, ``.svg`` or ``.pdf``.
    x_label : str
        What the first numbers count.

    Raises
    ------
    ValueError
        If the history is empty, or the suffix unknown.
    ImportError
        If matplotlib is not installed.
    """
    check_picture(path)
    if not history:
        raise ValueError("there is no loss to draw yet: train first")
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*history, strict=True), linewidth=1.2, marker="." if len(history) < 30 else "")
    axes.set_xlabel(f"{x_label} trained")
    axes.set_ylabel("loss per target (nats)")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, Path(path))


def _figure(words: list[str], points: np.ndarray, title: str) -> tuple[Figure, int]:
    """Draw the map, and return it with the number of labels that found room."""
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
    style: dict[str, Any] = {"fontsize": 8.5, "fontfamily": _fonts("".join(words)), "parse_math": False}
    texts = [axes.text(0, 0, word, va="bottom", ha="left", color="#222222", **style) for word in words]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(extent.width + 2, extent.height + 1) for extent in extents])
    figure.canvas.draw()  # which fixes the scale of the axes
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
    dots.set_alpha(np.where(labelled, 1, 0.35))  # type: ignore[arg-type]  # so that a label's own point stands out
    return figure, int(labelled.sum())


def _printable(word: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in word)


def _fonts(text: str) -> list[str]:
    """Return fonts that between them have the characters, as far as any that is installed does."""
    from matplotlib import font_manager

    chosen = ["DejaVu Sans"]
    missing = set(map(ord, text)) - set(font_manager.get_font(font_manager.findfont(chosen[0])).get_charmap())
    for entry in font_manager.fontManager.ttflist:
        if not missing:
            break
        # The last resort has a box for every character.
        if entry.style == "normal" and entry.name not in chosen and not entry.name.startswith("Last Resort"):
            covered = missing & set(font_manager.get_font(entry.fname).get_charmap())
            if covered:
                chosen.append(entry.name)
                missing -= covered
    if missing:
        shown = "".join(map(chr, sorted(missing)[:10]))
        raise ValueError(f"no installed font has the characters {shown}; install one that does, or write an .html page")
    return chosen


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:])


def _neighbours(matrix: np.ndarray) -> np.ndarray:
    """Return for each row the nearest other rows by cosine, shape (n, at most `NEIGHBOURS`)."""
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-30)
    n = min(NEIGHBOURS, len(unit) - 1)
    nearest = np.empty((len(unit), n), dtype=np.int64)
    for start in range(0, len(unit), 1000):  # a square of all words would not fit
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
    # Within a script element, text must not look like its end.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")
    return resources.files("fastw2v").joinpath("map.html").read_text(encoding="utf-8").replace("{{data}}", text)
