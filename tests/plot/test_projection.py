"""Projections: PCA compared with the covariance, and the packages for the other methods compared with PCA."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any, get_args

import numpy as np
import pytest

from fastw2v.plot import METHOD_NAMES, Method, plane, projection, select_method


def test_the_plane_is_that_of_the_largest_variances():
    rows = np.random.default_rng(0).normal(size=(50, 6)) * [9, 5, 1, 1, 0.5, 0.1] + 1
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values, axes = np.linalg.eigh(np.cov(unit.T))
    expected = (unit - unit.mean(axis=0)) @ axes[:, [-1, -2]]
    coordinates = plane(rows, "pca")
    np.testing.assert_allclose(np.abs(coordinates), np.abs(expected), atol=1e-12)
    np.testing.assert_allclose(coordinates.var(axis=0, ddof=1), values[[-1, -2]])
    assert (coordinates[np.abs(coordinates).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_allclose(plane(3 * rows.astype(np.float32), "pca"), coordinates, atol=1e-6)


def test_the_plane_of_few_rows_and_dimensions():
    line = plane(np.array([[1.0], [-1.0], [2.0]]), "pca")
    np.testing.assert_allclose(np.abs(line), [[2 / 3, 0], [4 / 3, 0], [2 / 3, 0]])
    assert plane(np.zeros((3, 4))).tolist() == [[0, 0]] * 3
    with pytest.raises(ValueError, match="at least three"):
        plane(np.ones((2, 4)))
    with pytest.raises(ValueError, match="NaN"):
        plane(np.array([[1.0, np.nan]] * 3))
    with pytest.raises(ValueError, match="'isomap'"):
        plane(np.ones((3, 4)), "isomap")  # type: ignore[arg-type]


def test_pca_of_more_dimensions_than_words():
    rows = np.random.default_rng(1).normal(size=(6, 40))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    _, values, axes = np.linalg.svd(unit - unit.mean(axis=0))
    coordinates = plane(rows, "pca")
    np.testing.assert_allclose(np.abs(coordinates), np.abs((unit - unit.mean(axis=0)) @ axes[:2].T), atol=1e-12)
    np.testing.assert_allclose((coordinates**2).sum(axis=0), values[:2] ** 2)


PACKAGES = {"opentsne": "openTSNE", "tsne": "sklearn.manifold", "umap": "umap", "pacmap": "pacmap"}
"""The module of each method but "pca", best method first."""


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make modules look as if they were not installed."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, module.partition(".")[0], None)


def pretend(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make only these of the modules look installed."""
    found = {module.partition(".")[0] for module in modules}
    monkeypatch.setattr(projection, "find_spec", lambda name: object() if name in found else None)


def test_auto_selects_the_first_package_that_is_installed(monkeypatch):
    pretend(monkeypatch, *PACKAGES.values())
    assert [select_method("auto", n) for n in (0, 9, 10, 200_000)] == ["pca", "pca", "opentsne", "opentsne"]
    assert select_method("auto", 200_001) == "pca"
    pretend(monkeypatch, "umap", "sklearn.manifold")
    assert [select_method("auto", n) for n in (5_000, 5_001)] == ["tsne", "umap"]  # t-SNE would take minutes
    pretend(monkeypatch, "pacmap", "umap")
    assert select_method("auto", 500) == "umap"
    pretend(monkeypatch, "sklearn.manifold")
    assert [select_method("auto", n) for n in (5_000, 5_001)] == ["tsne", "pca"]
    pretend(monkeypatch)
    assert select_method("auto", 500) == "pca"
    assert projection.better_method("auto", 500) == "For a better map: pip install 'fastw2v[maps]'"
    assert {projection.better_method(*one) for one in (("auto", 5), ("auto", 200_001), ("pca", 500))} == {""}


def test_without_packages_the_map_is_that_of_pca(monkeypatch):
    hide(monkeypatch, *PACKAGES.values())
    rows = np.random.default_rng(0).normal(size=(30, 6))
    assert plane(rows).tolist() == plane(rows, "pca").tolist()


def test_every_method_has_a_name():
    assert {"auto", *METHOD_NAMES} == set(get_args(Method))


@pytest.mark.parametrize(
    ("method", "package"),
    [("opentsne", "openTSNE"), ("pacmap", "pacmap"), ("umap", "umap-learn"), ("tsne", "scikit-learn")],
)
def test_methods_that_need_a_library_name_it(monkeypatch, method, package):
    hide(monkeypatch, PACKAGES[method])
    with pytest.raises(ImportError, match=package):
        plane(np.ones((5, 3)), method)


@pytest.fixture(params=PACKAGES)
def installed_method(request: pytest.FixtureRequest) -> Any:
    """A method whose package is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap warns that TensorFlow is missing
        pytest.importorskip(PACKAGES[request.param])
    return request.param


def neighbours(rows: np.ndarray, k: int) -> np.ndarray:
    """Return which rows are among the k nearest of each row, shape (n, n)."""
    distances = np.linalg.norm(rows[:, None] - rows, axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances.argsort(axis=1).argsort(axis=1) < k


def test_methods_keep_more_neighbours_than_pca_and_change_nothing_else(installed_method, capfd, caplog):
    random = np.random.default_rng(5)
    rows = random.normal(size=(15, 30))[np.arange(150) % 15] + 0.8 * random.normal(size=(150, 30))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    state = [str(np.random.get_state()), *process_state()]  # noqa: NPY002
    points = plane(rows, installed_method)
    assert [str(np.random.get_state()), *process_state()] == state  # noqa: NPY002
    assert points.shape == (150, 2)
    assert points.dtype == np.float64
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-4)
    assert points[:, 0].std() >= points[:, 1].std()
    kept = [(neighbours(unit, 9) & neighbours(one, 9)).sum() for one in (points, plane(rows, "pca"))]
    assert kept[0] > 2 * kept[1]
    assert plane(rows, installed_method).tolist() == points.tolist()
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelname != "INFO"]
    assert not logging.getLogger("pacmap.pacmap").disabled


def process_state() -> list[int]:
    """Return the numbers of threads that the packages can change for the whole process."""
    found = []
    if "numba" in sys.modules:
        found.append(sys.modules["numba"].get_num_threads())
    if "faiss" in sys.modules:
        found.append(sys.modules["faiss"].omp_get_max_threads())
    return found


@pytest.mark.parametrize(
    "rows",
    [
        np.random.default_rng(0).normal(size=(4, 3)),
        np.random.default_rng(0).normal(size=(11, 1)),
        np.ones((30, 4)),
        np.zeros((30, 4)),
        np.repeat(np.eye(3), 10, axis=0),
        np.vstack([np.zeros((20, 8)), np.random.default_rng(0).normal(size=(20, 8))]),
        (1 + np.random.default_rng(0).normal(size=(30, 4)) * 1e-8).astype(np.float32),
    ],
    ids=["four words", "one dimension", "equal", "zeros", "repeated", "half zeros", "almost equal"],
)
def test_methods_place_unusual_vectors(installed_method, rows):
    points = plane(rows, installed_method)
    assert points.shape == (len(rows), 2)
    assert np.isfinite(points).all()


def test_methods_need_four_words(installed_method):
    with pytest.raises(ValueError, match="at least 4 words, but there are 3"):
        plane(np.eye(3), installed_method)
