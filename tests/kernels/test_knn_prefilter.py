"""The integer prefilter: none of the nearest neighbours is lost, for any sizes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from fastw2v.kernels import knn_prefilter
from fastw2v.vectors import neighbors
from fastw2v.vectors.word_vectors import WordVectors

pytest.importorskip("numba")

if reason := knn_prefilter.unavailable_reason():
    pytest.skip(reason, allow_module_level=True)


def unit_rows(n: int, D: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, D))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(dtype)


def ranked(unit: np.ndarray, queries: np.ndarray, k: int, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and scores from a full sort in float64, in which earlier rows come first among equal scores."""
    scores = queries.astype(np.float64) @ unit.astype(np.float64).T
    scores[left_out[:, 0], left_out[:, 1]] = -np.inf
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(scores, rows, axis=1)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefilter every search, in many small parts, and fail if a search computes all scores instead."""
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_PRODUCTS", 0)
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_QUERIES", 0)
    monkeypatch.setattr(neighbors, "PREFILTER_RESCORE_BLOCK", 5)
    monkeypatch.setattr(knn_prefilter, "BLOCK", 2 * knn_prefilter.QUERIES)
    monkeypatch.setattr(knn_prefilter, "BATCH", 4 * knn_prefilter.QUERIES)
    monkeypatch.setattr(knn_prefilter, "SLAB", 1000)
    monkeypatch.setattr(neighbors, "_scored", lambda *_: pytest.fail("not prefiltered"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("V", "D", "B", "k"),
    [
        (1, 1, 1, 1),
        (5, 3, 2, 5),
        (63, 8, 6, 3),
        (64, 7, 7, 10),
        (65, 33, 13, 10),
        (1000, 100, 50, 10),
        (700, 15, 80, 99),
    ],
)
@pytest.mark.usefixtures("always")
def test_search_equals_a_sort(V: int, D: int, B: int, k: int, dtype: Any) -> None:
    unit, queries = unit_rows(V, D, 1, dtype), unit_rows(B, D, 2, dtype)
    rng = np.random.default_rng(3)
    left_out = np.stack([rng.integers(0, B, V // 9), rng.integers(0, V, V // 9)], axis=1)
    rows, scores = neighbors.nearest_rows(unit, queries, k, left_out)
    assert rows.dtype == np.int64
    assert scores.dtype == dtype
    assert rows.shape == scores.shape == (B, k)
    expected, expected_scores = ranked(unit, queries, k, left_out)
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(scores, expected_scores, atol=tolerance)
    assert (rows == expected).mean() > 0.99  # neighbours may differ only by rounding


def test_integers_are_no_farther_off_than_the_bound() -> None:
    """The rows are random, or have components that are all rounded by nearly a half in the worst direction."""
    for D in (1, 2, 3, 10, 100, 301, 4000):
        half = np.full(D, np.floor(knn_prefilter.SCALE / D**0.5) - 0.501) / knn_prefilter.SCALE
        unit = np.concatenate([unit_rows(50, D), [half, -half, half - 0.998 / knn_prefilter.SCALE]]).astype(np.float32)
        assert np.linalg.norm(unit, axis=1).max() <= knn_prefilter.MAX_LENGTH
        integers = knn_prefilter._integers(unit, len(unit)).astype(np.int64)
        exact = knn_prefilter.SCALE**2 * (unit.astype(np.float64) @ unit.astype(np.float64).T)
        error = np.abs((integers @ integers.T) - exact).max()
        assert error <= knn_prefilter._slack(D) / 2
        assert error > knn_prefilter._slack(D) / 5  # the bound is not far too large
        assert np.abs(integers @ integers.T).max() < 2**31


@pytest.mark.usefixtures("always")
def test_neighbours_a_hair_apart_are_told_apart() -> None:
    """If cosines differ by a hundredth of the resolution of the integers, all of these rows must be scored exactly."""
    rng = np.random.default_rng(0)
    query, other = np.eye(40)[0], np.eye(40)[1]
    angles = 0.5 + 3e-6 * rng.permutation(60)
    near = np.cos(angles)[:, None] * query + np.sin(angles)[:, None] * other
    unit = np.concatenate([near, unit_rows(500, 40, 5, np.float64) * 0.5])[rng.permutation(560)]
    none = np.zeros((0, 2), np.int64)
    rows, _ = neighbors.nearest_rows(unit, query[None, :], 20, none)
    assert rows.tolist() == ranked(unit, query[None, :], 20, none)[0].tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_too_many_equals_are_scored_in_full(monkeypatch: pytest.MonkeyPatch, dtype: Any) -> None:
    """A hundred equal rows fit among the candidates. Thousands do not, so all scores are computed."""
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_PRODUCTS", 0)
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_QUERIES", 0)
    whole = neighbors._scored
    asked = []
    monkeypatch.setattr(
        neighbors, "_scored", lambda unit, queries, *rest: (asked.append(queries), whole(unit, queries, *rest))[1]
    )
    unit = unit_rows(3000, 20, 6, dtype)
    unit[100:130] = unit[100]
    unit[1000:2500] = unit[1000]
    queries = unit[[0, 100, 1000, 3, 1001]]
    left_out = np.array([[1, 104], [2, 1003], [3, 3], [4, 1000], [4, 1002]])
    rows, scores = neighbors.nearest_rows(unit, queries, 10, left_out)
    assert len(asked) == 1
    assert asked[0].tolist() == queries[[2, 4]].tolist()
    assert rows[1].tolist() == [100, 101, 102, 103, 105, 106, 107, 108, 109, 110]
    assert set(rows[2].tolist()) <= set(range(1000, 2500)) - {1003}
    assert not {1000, 1002} & set(rows[4].tolist())
    np.testing.assert_allclose(scores, ranked(unit, queries, 10, left_out)[1], atol=1e-6)


def test_rows_that_lie_too_close_are_prefiltered_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_PRODUCTS", 0)
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_QUERIES", 0)
    whole, scanned = knn_prefilter.candidates, []
    monkeypatch.setattr(knn_prefilter, "candidates", lambda *given: (scanned.append(s[0]) or s for s in whole(*given)))
    unit = unit_rows(7, 10)[np.arange(4000) % 7]
    rows, scores = neighbors.nearest_rows(unit, unit[:1000], 3)
    assert scanned == [0]
    assert (unit[rows] == unit[:1000, None, :]).all()
    np.testing.assert_allclose(scores, 1, atol=1e-6)


@pytest.mark.usefixtures("always")
def test_neighbours_as_gensim() -> None:
    from gensim.models import KeyedVectors

    words, matrix = [f"w{i}" for i in range(1500)], np.random.default_rng(8).normal(size=(1500, 31)).astype(np.float32)
    peer = KeyedVectors(31)
    peer.add_vectors(words, matrix)
    wv = WordVectors(words, matrix)
    rows, _ = wv.nearest_neighbours(10)
    for word, found, near in zip(words[:200], wv.nearest(words[:200]), rows.tolist(), strict=False):
        theirs = peer.most_similar(word)
        assert [score for _, score in found] == pytest.approx([score for _, score in theirs], abs=1e-6)
        assert [name for name, _ in found] == [name for name, _ in theirs] == [words[row] for row in near]


@pytest.mark.parametrize("spoiled", ["long row", "NaN", "long query", "many wanted", "no Numba", "processor"])
def test_what_cannot_be_prefiltered_is_scored_in_full(monkeypatch: pytest.MonkeyPatch, spoiled: str) -> None:
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_PRODUCTS", 0)
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_QUERIES", 0)
    monkeypatch.setattr(knn_prefilter, "candidates", lambda *_: pytest.fail("prefiltered"))
    unit, queries, k = unit_rows(300, 9), unit_rows(20, 9, 1), 10
    if spoiled == "long row":
        unit[7] *= 1.01
    elif spoiled == "NaN":
        unit[7, 3] = np.nan
    elif spoiled == "long query":
        queries[19] *= 2
    elif spoiled == "many wanted":
        k = knn_prefilter.MAX_NEIGHBORS + 1
    elif spoiled == "no Numba":
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else find(name))
    else:
        monkeypatch.setattr(knn_prefilter, "unavailable_reason", lambda: "another processor")
    rows, _ = neighbors.nearest_rows(unit, queries, k)
    if spoiled != "NaN":
        assert (rows == ranked(unit, queries, k, np.zeros((0, 2), np.int64))[0]).mean() > 0.99


def test_a_few_questions_load_no_compiler() -> None:
    script = """
import sys, numpy as np, fastw2v
wv = fastw2v.WordVectors(list(range(5000)), np.random.default_rng(0).normal(size=(5000, 64)).astype(np.float32))
wv.most_similar(3), wv.nearest(range(64)), wv.nearest_neighbours(3)
print("numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
