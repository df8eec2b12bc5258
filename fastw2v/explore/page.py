"""The page: its HTML, into which styles, scripts and data are inserted, and the self-contained file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from fastw2v.config import check_choice, check_integer
from fastw2v.explore.comparison import moved_words
from fastw2v.explore.content import MAP_WORDS, Model
from fastw2v.plot import Method, select_method
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.checks import check_items, check_path, check_type
from fastw2v.utils.quote import counted
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["check_page", "model_names", "page_html", "write_page"]

STYLES = ("style.css",)
SCRIPTS = ("source.js", "map.js", "app.js")
"""Files in the folder page, in the order in which they are inserted."""


def write_page(
    vectors: WordVectors,
    path: str | PathLike[str],
    other: WordVectors | None = None,
    *,
    words: Sequence[Any] | None = None,
    top: int = MAP_WORDS,
    method: Method = "auto",
    names: Sequence[str] | None = None,
) -> int:
    """Write a self-contained page on which one can search words, see their neighbours and explore a map.

    Parameters
    ----------
    vectors : WordVectors
    path : str or path
        File to write. The suffix must be ``.html``. The page loads no other files.
    other : WordVectors, optional
        Second model, which the page compares with the first.
    words : sequence of str or int, optional
        Words of `vectors` to show on the map. By default, the first `top` words of each model.
    top : int
        Number of words on the map of each model if `words` is None. The page finds only these words.
    method : {"auto", "pca", "opentsne", "pacmap", "umap", "tsne"}
        Projection to use; see `fastw2v.plot.plane`.
    names : sequence of str, optional
        Names of the models to show, one for each model. By default, "vectors", or "first" and "second".

    Returns
    -------
    int
        Number of words of `vectors` on the page.

    Raises
    ------
    UnknownWordError
        If a word is not in the vocabulary.
    ValueError
        If the suffix or `method` is not supported, `words` is empty, or the number of names is wrong.
    ImportError
        If the package that `method` needs is not installed.

    Notes
    -----
    The page contains the unit vectors as int8 and computes cosines from them. Their error is a few thousandths at most.
    A page with 100,000 words of 100 dimensions has 17 MB.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.explore import write_page
    >>> wv = WordVectors(["cat", "dog", "car", "bus"], np.random.default_rng(0).normal(size=(4, 10)))
    >>> write_page(wv, "animals.html", names=["animals"])
    4
    """
    check_type("vectors", vectors, WordVectors, "WordVectors, such as model.wv")
    if other is not None:
        check_type("other", other, WordVectors, "WordVectors, such as model.wv")
    check_page(path)
    check_choice("method", method, get_args(Method))
    check_integer("top", top, minimum=1)
    if words is not None:
        check_items("words", words, "a list of words")
        if not len(words):
            raise ValueError("words is empty; give at least one word, or omit it to show the most frequent words")
    first, *rest = model_names(names, 1 if other is None else 2)
    models = [Model(vectors, first, words, top)]
    if other is not None:
        models.append(Model(other, rest[0], top=top))
    described = []
    for model in models:
        chosen = select_method(method, len(model.words))
        described.append(model.described(model.places(chosen), chosen, rows=True))
    moved = moved_words(vectors, other) if other is not None else None
    html = page_html({"models": described, "moved": moved})
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return len(models[0].words)


def check_page(path: str | PathLike[str]) -> None:
    """Raise an error if `path` does not have the suffix of a page.

    Examples
    --------
    >>> from fastw2v.explore.page import check_page
    >>> check_page("map.png")
    Traceback (most recent call last):
    ...
    ValueError: map.png: the suffix '.png' is not supported for pages; use .html
    """
    suffix = check_path("path", path).suffix
    if suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: the suffix {suffix!r} is not supported for pages; use .html")


def model_names(names: Sequence[str] | None, n_models: int) -> list[str]:
    """Return the names to show for one or two models.

    Examples
    --------
    >>> from fastw2v.explore.page import model_names
    >>> model_names(None, 2), model_names(["a.bin"], 1)
    (['first', 'second'], ['a.bin'])
    """
    if names is None:
        return ["vectors"] if n_models == 1 else ["first", "second"]
    check_items("names", names, "a list of names")
    if len(names) != n_models:
        raise ValueError(f"names has length {len(names)}; give {counted(n_models, 'name')}, one for each model")
    return list(map(str, names))


def page_html(data: dict[str, Any]) -> str:
    """Return the page with its styles, its scripts and the given data.

    Parameters
    ----------
    data : dict
        ``{"models": [...], "moved": ...}`` for a self-contained page, or ``{"served": True}`` for a page that requests
        this data from the server.

    Examples
    --------
    >>> from fastw2v.explore.page import page_html
    >>> "<title>" in page_html({"served": True})
    True
    """
    folder = resources.files("fastw2v.explore").joinpath("page")
    html = folder.joinpath("index.html").read_text(encoding="utf-8")
    # Text inside a script element must not contain the end tag of the element.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")
    parts = {"style": _joined(folder, STYLES), "script": _joined(folder, SCRIPTS), "data": text}
    before, *rest = html.split("{{")
    return before + "".join(parts[name] + after for name, after in (part.split("}}", 1) for part in rest))


def _joined(folder: Any, names: Sequence[str]) -> str:
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
