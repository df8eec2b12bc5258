"""Projection of word vectors to two dimensions with PCA, UMAP or t-SNE."""

from __future__ import annotations

import importlib
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_choice, check_integer
from fastw2v.utils.checks import check_array
from fastw2v.utils.quote import counted

__all__ = ["Method", "plane"]

Method = Literal["pca", "umap", "tsne"]
"""Projections that `plane` supports."""


def plane(matrix: Any, method: Method = "pca", seed: int = 1) -> np.ndarray:
    """Scale the rows of a matrix to unit length and project them to two dimensions.

    Parameters
    ----------
    matrix : float array, shape (n, D)
        At least three rows.
    method : {"pca", "umap", "tsne"}
        Projection to use. "pca" is the linear projection that preserves the most variance. It is deterministic and
        never increases a distance. "umap" and "tsne" preserve neighbourhoods but distort distances. They need the
        packages umap-learn and scikit-learn, respectively.
    seed : int
        Random seed for "umap" and "tsne".

    Returns
    -------
    float64 array, shape (n, 2)
        Centred coordinates. With "pca", the value with the largest magnitude on each axis is positive.

    Raises
    ------
    ImportError
        If the package that the method needs is not installed.
    ValueError
        If `method` is not supported, there are fewer than three rows, or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.plot import plane
    >>> plane(np.array([[1.0, 0], [4, 3], [0, 1]])).round(2)
    array([[-0.66, -0.11],
           [-0.1 ,  0.19],
           [ 0.76, -0.07]])
    """
    check_array("matrix", matrix)
    check_choice("method", method, get_args(Method))
    check_integer("seed", seed, minimum=0)
    rows = to_host(matrix).astype(np.float64)
    if len(rows) < 3:
        raise ValueError(f"only {counted(len(rows), 'word')} can be drawn; give at least three words")
    if not np.isfinite(rows).all():
        raise ValueError("some vectors contain NaN or infinity and cannot be projected; exclude their words")
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if method == "umap":
        umap = _library("umap", "umap-learn", method)
        options = {"n_neighbors": min(15, len(rows) - 1), "init": "spectral" if len(rows) > 4 else "random"}
        # With a seed, UMAP uses one thread and warns if more are requested.
        coordinates = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1, **options).fit_transform(rows)
    elif method == "tsne":
        manifold = _library("sklearn.manifold", "scikit-learn", method)
        perplexity = min(30.0, (len(rows) - 1) / 3)
        coordinates = manifold.TSNE(metric="cosine", perplexity=perplexity, random_state=seed).fit_transform(rows)
    else:
        _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        coordinates = np.zeros((len(rows), 2))
        coordinates[:, : len(axes[:2])] = (rows - rows.mean(axis=0)) @ axes[:2].T
        largest = np.abs(coordinates).argmax(axis=0)
        coordinates *= np.where(coordinates[largest, [0, 1]] < 0, -1, 1)
    coordinates = np.asarray(coordinates, dtype=np.float64)
    return coordinates - coordinates.mean(axis=0)


def _library(module: str, package: str, method: Method) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"method {method!r} needs {package}. Install it with pip install {package}") from None
