"""Projections of word vectors to two dimensions: PCA, and those of openTSNE, PaCMAP, UMAP and scikit-learn."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_choice, check_integer
from fastw2v.utils.checks import check_array
from fastw2v.utils.progress import Progress
from fastw2v.utils.quote import counted
from fastw2v.vectors.neighbors import nearest_rows
from fastw2v.vectors.normalize import unit_rows

__all__ = ["METHOD_NAMES", "Method", "better_method", "directions", "plane", "select_method"]

log = logging.getLogger("fastw2v")

Method = Literal["auto", "pca", "opentsne", "pacmap", "umap", "tsne"]
"""Projections that `plane` supports. `select_method` says what "auto" stands for."""
METHOD_NAMES: dict[Method, str] = {
    "pca": "PCA",
    "opentsne": "t-SNE (openTSNE)",
    "pacmap": "PaCMAP",
    "umap": "UMAP",
    "tsne": "t-SNE (scikit-learn)",
}
"""Names of the projections, for titles and messages."""


class _Library(NamedTuple):
    """The package of a method."""

    module: str
    """What is imported."""
    requirement: str
    """What pip installs."""
    automatic: int
    """Largest number of words for which "auto" selects the method: for more words, it takes minutes."""


_LIBRARIES: dict[Method, _Library] = {
    "opentsne": _Library("openTSNE", "openTSNE", 200_000),
    "tsne": _Library("sklearn.manifold", "scikit-learn", 5_000),
    "umap": _Library("umap", "umap-learn", 200_000),
    "pacmap": _Library("pacmap", "pacmap", 200_000),
}
"""Best first; docs/notebook/maps.md has the measurements."""
_FFT_WORDS = 2_000
"""Smallest number of words for which openTSNE's interpolation (FIt-SNE) is faster than the Barnes-Hut method."""
_FEWEST = 4
"""Smallest number of words that all packages can place."""
_FEWEST_AUTOMATIC = 10
"""Smallest number of words for which "auto" selects another method than PCA. Fewer words have no neighbourhoods."""


def select_method(method: Method, n: int) -> Method:
    """Return the projection that `plane` uses for n words.

    Parameters
    ----------
    method : {"auto", "pca", "opentsne", "pacmap", "umap", "tsne"}
        "auto" selects the first of "opentsne", "tsne", "umap" and "pacmap" that is installed. It passes over "tsne"
        for more than 5,000 words. It selects "pca" if no package is installed, and for fewer than 10 or more than
        200,000 words.
    n : int
        Number of words.

    Returns
    -------
    {"pca", "opentsne", "pacmap", "umap", "tsne"}

    Raises
    ------
    ImportError
        If the package that a named method needs is not installed.
    ValueError
        If `method` is not supported, or too few words are given for it.

    Examples
    --------
    >>> from fastw2v.plot import select_method
    >>> select_method("auto", 5)
    'pca'
    >>> select_method("pca", 500)
    'pca'
    """
    check_choice("method", method, get_args(Method))
    check_integer("n", n, minimum=0)
    if method == "auto":
        usable = (name for name, library in _LIBRARIES.items() if _FEWEST_AUTOMATIC <= n <= library.automatic)
        return next((name for name in usable if _is_installed(_LIBRARIES[name].module)), "pca")
    if method in _LIBRARIES:
        if n < _FEWEST:
            raise ValueError(f"method {method!r} needs at least {_FEWEST} words, but there are {n}; use 'pca'")
        _imported(method)
    return method


def better_method(method: Method, n: int) -> str:
    """Return how to get a better map than PCA, or "" if another method is selected or PCA was asked for.

    Examples
    --------
    >>> from fastw2v.plot.projection import better_method
    >>> better_method("pca", 500)
    ''
    """
    if method != "auto" or select_method(method, n) != "pca":
        return ""
    suitable = _FEWEST_AUTOMATIC <= n <= _LIBRARIES["opentsne"].automatic
    return "For a better map: pip install 'fastw2v[maps]'" if suitable else ""


def plane(matrix: Any, method: Method = "auto", seed: int = 1) -> np.ndarray:
    """Scale the rows of a matrix to unit length and project them to two dimensions.

    Parameters
    ----------
    matrix : float array, shape (n, D)
        At least three rows.
    method : {"auto", "pca", "opentsne", "pacmap", "umap", "tsne"}
        Projection to use. "pca" is the linear projection that preserves the most variance. It is deterministic and
        never increases a distance. The others preserve neighbourhoods but distort distances. They need the packages
        openTSNE, pacmap, umap-learn and scikit-learn, respectively. "auto" is the best one that is installed, which
        `select_method` returns.
    seed : int
        Random seed of all methods but "pca".

    Returns
    -------
    float64 array, shape (n, 2)
        Centred coordinates. The first axis is the one with the largest variance, and the value with the largest
        magnitude on each axis is positive.

    Raises
    ------
    ImportError
        If the package that the method needs is not installed.
    ValueError
        If `method` is not supported, there are fewer than three rows, or fewer than four for a method other than
        "auto" and "pca", or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.plot import plane
    >>> plane(np.array([[1.0, 0], [4, 3], [0, 1]]), method="pca").round(2)
    array([[-0.66, -0.11],
           [-0.1 ,  0.19],
           [ 0.76, -0.07]])
    """
    check_array("matrix", matrix)
    check_choice("method", method, get_args(Method))
    check_integer("seed", seed, minimum=0)
    if len(matrix) < 3:
        raise ValueError(f"only {counted(len(matrix), 'word')} can be drawn; give at least three words")
    unit = directions(matrix)
    if unit.shape[1] == 1:  # a plane has two axes
        unit = np.pad(unit, ((0, 0), (0, 1)))
    selected = select_method(method, len(unit))
    if np.ptp(unit, axis=0).max() < 1e-6:  # a single point, which scikit-learn's t-SNE answers with a crash
        return np.zeros((len(unit), 2))
    if selected != "pca":
        log.info("placing %s with %s", counted(len(unit), "word"), METHOD_NAMES[selected])
    # The packages warn of what they cannot do later, such as placing more points.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coordinates = np.asarray(_PLACE[selected](unit, seed), dtype=np.float64)
    return _pca(coordinates)  # turns the longest axis of the other methods to the right


def directions(matrix: Any) -> np.ndarray:
    """Return the rows of a matrix scaled to unit length, or raise ValueError if a value is not finite.

    Rows of zeros have no direction and stay zeros.

    Parameters
    ----------
    matrix : float array, shape (n, D)

    Returns
    -------
    float64 array, shape (n, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.plot.projection import directions
    >>> directions(np.array([[4.0, 3], [0, 0]]))
    array([[0.8, 0.6],
           [0. , 0. ]])
    """
    rows = to_host(matrix)
    if not np.isfinite(rows).all():
        raise ValueError("some vectors contain NaN or infinity and cannot be projected; exclude their words")
    return unit_rows(rows.astype(np.float64))


def _pca(unit: np.ndarray, seed: int = 0) -> np.ndarray:
    """Project to the first two principal components, without random numbers."""
    mean = unit.mean(axis=0)
    if len(unit) > unit.shape[1]:
        axes = np.linalg.eigh(unit.T @ unit - len(unit) * np.outer(mean, mean))[1].T[::-1]
    else:
        axes = np.linalg.svd(unit - mean, full_matrices=False)[2]
    coordinates = unit @ axes[:2].T - mean @ axes[:2].T
    largest = np.abs(coordinates).argmax(axis=0)
    coordinates *= np.where(coordinates[largest, [0, 1]] < 0, -1, 1)
    return coordinates


def _opentsne(unit: np.ndarray, seed: int) -> np.ndarray:
    library = _imported("opentsne")
    affinity, neighbors = (importlib.import_module(f"openTSNE.{name}") for name in ("affinity", "nearest_neighbors"))
    perplexity = min(30.0, (len(unit) - 1) / 3)
    rows, distances = _nearest(unit, min(len(unit) - 1, 90))
    affinities = affinity.PerplexityBasedNN(
        perplexity=perplexity, knn_index=neighbors.PrecomputedNeighbors(rows, distances), n_jobs=-1
    )
    start = _pca(unit)
    start *= 1e-4 / max(start.std(), np.finfo(np.float64).tiny)
    early, late, step = 250, 500, 25
    with Progress("placing words", early + late, unit="iterations", delay=1) as progress:
        done = itertools.count(step, step)
        tsne = library.TSNE(
            n_jobs=-1,
            random_state=seed,
            early_exaggeration_iter=early,
            n_iter=late,
            negative_gradient_method="bh" if len(unit) < _FFT_WORDS else "fft",
            min_num_intervals=20,
            ints_in_interval=2,
            callbacks=lambda *_: progress.update(next(done)),
            callbacks_every_iters=step,
        )
        return tsne.fit(affinities=affinities, initialization=start)


def _pacmap(unit: np.ndarray, seed: int) -> np.ndarray:
    library, faiss = _imported("pacmap"), importlib.import_module("faiss")
    n_threads = faiss.omp_get_max_threads()
    with _silenced("pacmap.pacmap"):  # it warns of the seed
        try:
            # The distances of rows of unit length have the order of the cosines. With "angular", PaCMAP would centre
            # the rows first, which changes the cosines.
            return library.PaCMAP(random_state=seed, apply_pca=False).fit_transform(unit)
        finally:
            faiss.omp_set_num_threads(n_threads)  # with a seed, PaCMAP sets it to 1 for the whole process


def _umap(unit: np.ndarray, seed: int) -> np.ndarray:
    library = _imported("umap")
    rows, distances = _nearest(unit, min(len(unit) - 1, 14))
    # UMAP counts a row among its own neighbours. Its own search for more than 4,096 rows compiles for half a minute.
    rows = np.hstack([np.arange(len(unit))[:, None], rows])
    distances = np.hstack([np.zeros((len(unit), 1)), distances**2 / 2]).astype(np.float32)  # 1 - cosine
    options = {"n_neighbors": rows.shape[1], "init": "spectral" if len(unit) > 4 else "random"}
    # With a seed, UMAP uses one thread and warns if more are requested.
    return library.UMAP(
        metric="cosine", random_state=seed, n_jobs=1, precomputed_knn=(rows, distances), **options
    ).fit_transform(unit)


def _tsne(unit: np.ndarray, seed: int) -> np.ndarray:
    library = _imported("tsne")
    perplexity = min(30.0, (len(unit) - 1) / 3)
    return library.TSNE(metric="cosine", perplexity=perplexity, random_state=seed).fit_transform(unit)


_PLACE: dict[Method, Callable[[np.ndarray, int], Any]] = {
    "pca": _pca,
    "opentsne": _opentsne,
    "pacmap": _pacmap,
    "umap": _umap,
    "tsne": _tsne,
}
"""The function of each method, which takes rows of unit length and a seed."""


def _nearest(unit: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k rows nearest to each row, without itself, and their Euclidean distances."""
    single = unit.astype(np.float32)
    own = np.repeat(np.arange(len(unit))[:, None], 2, axis=1)
    rows, cosines = nearest_rows(single, single, k, own)
    return rows, np.sqrt(np.maximum(2 - 2 * cosines.astype(np.float64), 0))


@contextlib.contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Keep a logger of another package from writing, which it does for every map."""
    logger = logging.getLogger(name)
    disabled = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = disabled


def _is_installed(module: str) -> bool:
    """Return whether a module can be found. It is not imported, because some take seconds."""
    return find_spec(module.partition(".")[0]) is not None


def _imported(method: Method) -> Any:
    module, requirement, _ = _LIBRARIES[method]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # umap warns that TensorFlow, which it could also use, is not installed
            return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"method {method!r} needs {requirement}. Install it with pip install {requirement}") from None
