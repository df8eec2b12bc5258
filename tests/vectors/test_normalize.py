"""Rows at unit length."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.vectors.normalize import unit_rows
from fastw2v.vectors.query import unit_queries
from fastw2v.vectors.word_vectors import WordVectors


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("scale", ["smallest_subnormal", "tiny", "max"])
def test_extreme_values_keep_their_direction(dtype: str, scale: str) -> None:
    """Squares of such values overflow or vanish."""
    value = getattr(np.finfo(dtype), scale)
    wv = WordVectors(["a", "b", "c"], np.array([[1, 1], [1, 0], [-1, 1]], dtype=dtype) * value)
    assert wv.similarity("a", "b") == pytest.approx(0.5**0.5)
    assert wv.similarity("a", "c") == pytest.approx(0, abs=1e-7)


def test_unit_vectors_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.ones((2**18, 9), dtype=np.float16)  # more than one block
    matrix[-1] = 2
    unit = WordVectors(list(map(str, range(2**18))), matrix).unit_vectors
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_single_row_is_scaled_like_many(dtype: str) -> None:
    """One row takes a shorter path. Its result has the same bytes."""
    finfo = np.finfo(dtype)
    matrix = np.random.default_rng(0).normal(size=(40, 300)).astype(dtype)
    matrix[:3] *= np.array([[finfo.max / 8], [finfo.tiny], [finfo.smallest_subnormal]], dtype=dtype)
    matrix[3, :] = 0
    matrix[4, 7], matrix[5, 7], matrix[6, 7] = np.nan, np.inf, -np.inf
    matrix[7, 1:] = 0
    unit = unit_rows(matrix)
    assert unit.any(axis=1).tolist() == [row not in (3, 4, 5, 6) for row in range(40)]
    for row in range(40):
        single = unit_rows(matrix[row : row + 1])
        assert single.dtype == unit.dtype
        assert single.tobytes() == unit[row : row + 1].tobytes()


def test_queries_without_a_direction_are_found(xp) -> None:
    given = np.ones((4, 3), dtype=np.float32)
    given[1, 0] = 0  # a component may be zero
    assert unit_queries(xp.asarray(given)).shape == (4, 3)
    given[2] = 0
    with pytest.raises(ValueError, match="query 2 has no direction"):
        unit_queries(xp.asarray(given))
    with pytest.raises(ValueError, match="the query has no direction"):
        unit_queries(xp.asarray(given[2:3]))
