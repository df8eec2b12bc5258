"""Rows at unit length."""

from __future__ import annotations

import numpy as np
import pytest

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
