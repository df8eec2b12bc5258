"""Projection of word vectors to the plane by PCA, UMAP or t-SNE."""

from __future__ import annotations

import importlib
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import to_host

__all__ = ["Method", "plane"]

Method = Literal["pca", "umap", "tsne"]
"""The projections that `plane` knows."""


def plane(matrix: Any, method: Method = "pca", seed: int = 1) -> np.ndarray:
    """Return coordinates in the plane for each row of a matrix, which depend on the direction of the row only.

    Parameters
    ----------
    matrix : float array, shape (n, D)
        At least three rows. They are normalised to unit length, as for the cosine.
    method : {"pca", "umap", "tsne"}
        "pca" is the linear projection that keeps most of the variance: it is deterministic, and distances can only
        shrink. "umap" and "tsne" preserve neighbourhoods at the expense of all else; they need umap-learn and
        scikit-learn, respectively.
    seed : int
        Seed of "umap" and "tsne".

    Returns
    -------
    float64 array, shape (n, 2)
        Centred coordinates. With "pca", the sign of each axis is such that its largest absolute value is positive.

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
        # With a seed, UMAP uses one thread, and warns if more are requested.
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
        raise ImportError(f"method {method!r} needs {package}: pip install {package}") from None
