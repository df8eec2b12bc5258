"""Matrices stored as int8 or float16 with one scale for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.backend import to_host
from fastw2v.utils.scaled_rows import (
    ScaledRows,
    as_floats,
    concat_rows,
    decode_unscaled,
    decoded_rows,
    scaled_to_int8,
    scaled_to_unit,
    select_rows,
    storage,
)


def test_every_finite_half_is_decoded_exactly() -> None:
    """Infinity and NaN become numbers above the largest float16."""
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 64)
    decoded = np.empty(halves.shape, np.float32)
    decode_unscaled(halves, 0, decoded)
    finite = np.isfinite(halves)
    np.testing.assert_array_equal(decoded[finite], halves[finite].astype(np.float32))
    assert (np.abs(decoded[~finite]) > np.finfo(np.float16).max).all()
    assert np.isfinite(decoded).all()


@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_error_of_int8_is_at_most_half_a_scale(rows: list[list[float]]) -> None:
    matrix = np.array(rows)
    found = scaled_to_int8(matrix)
    assert found.values.dtype == np.int8
    assert found.scales.dtype == np.float32
    assert np.abs(found.values.astype(int)).max() <= 127
    scales = found.scales.astype(np.float64)[:, None]
    # A row with a scale below the smallest normal number is stored as zeros.
    bound = np.where(scales == 0, 127 * np.finfo(np.float32).tiny, 0.5001 * scales)
    assert (np.abs(found.values * scales - matrix) <= bound).all()


def test_int8_rows_by_hand(xp: Any) -> None:
    matrix = np.array([[0.0, 0.0, 0.0], [1.27, -0.635, 0.01], [-127.0, 3.4, 3.6]], np.float32)
    found = scaled_to_int8(xp.asarray(matrix))
    assert to_host(found.values).tolist() == [[0, 0, 0], [127, -64, 1], [-127, 3, 4]]
    np.testing.assert_allclose(to_host(found.scales), [0, 0.01, 1], rtol=1e-6)
    np.testing.assert_allclose(to_host(found.decoded()), [[0, 0, 0], [1.27, -0.64, 0.01], [-127, 3, 4]], rtol=1e-6)


def test_selections(xp: Any) -> None:
    whole = scaled_to_int8(xp.asarray(np.random.default_rng(0).normal(size=(20, 7))))
    floats = to_host(whole.decoded())
    rows = np.array([3, 0, 3])
    for found, expected in (
        (whole.take(rows), floats[rows]),
        (whole.take([]), floats[:0]),
        (whole.select(slice(2, 5)).decoded(), floats[2:5]),
        (select_rows(whole, rows).decoded(), floats[rows]),
        (decoded_rows(whole, 4, 30), floats[4:]),
        (concat_rows(whole.select(slice(3)), whole.select(rows)).decoded(), np.concatenate([floats[:3], floats[rows]])),
        (as_floats(whole), floats),
    ):
        np.testing.assert_array_equal(to_host(found), expected)
    assert (whole.shape, whole.size, len(whole)) == ((20, 7), 140, 20)
    assert storage(whole) is whole.values


def test_arrays_pass_through() -> None:
    matrix = np.eye(3)
    assert as_floats(matrix) is matrix
    assert storage(matrix) is matrix
    assert decoded_rows(matrix, 1, 2).base is matrix
    assert select_rows(matrix, slice(1)).base is matrix


@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_unit_rows_are_those_in_float64(dtype: str) -> None:
    matrix = np.random.default_rng(1).normal(size=(300, 9)) * np.logspace(-3, 3, 300)[:, None]
    compact = scaled_to_int8(matrix) if dtype == "int8" else matrix.astype(np.float16)
    floats = as_floats(compact).astype(np.float64)
    unit = scaled_to_unit(compact)
    assert unit.values is storage(compact)
    np.testing.assert_allclose(unit.decoded(), floats / np.linalg.norm(floats, axis=1, keepdims=True), atol=1e-6)


def test_rows_without_a_direction_become_zeros() -> None:
    bad = np.array([[1, np.nan], [np.inf, 0], [-np.inf, 1], [0, 0], [3, 4]], np.float16)
    np.testing.assert_allclose(scaled_to_unit(bad).decoded(), [[0, 0]] * 4 + [[0.6, 0.8]], atol=1e-6)
    without_scale = ScaledRows(np.ones((2, 2), np.int8), np.array([0, 1], np.float32))
    np.testing.assert_allclose(scaled_to_unit(without_scale).decoded(), [[0, 0], [0.5**0.5] * 2], atol=1e-6)


def test_large_matrices_are_decoded_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.utils.scaled_rows.BLOCK", 20)
    matrix = np.random.default_rng(2).normal(size=(23, 7)).astype(np.float32)
    found = scaled_to_int8(matrix)
    for row in range(23):
        alone = scaled_to_int8(matrix[row : row + 1])
        np.testing.assert_array_equal(found.values[row], alone.values[0])
        np.testing.assert_array_equal(found.decoded()[row], alone.decoded()[0])
        np.testing.assert_array_equal(scaled_to_unit(found).scales[row], scaled_to_unit(alone).scales[0])
