"""Changes of rows: computed, combined by the coherence-scaled sum, and added; with and without compiled code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.distributed import combine as module
from fastw2v.distributed.combine import Changes, add_changes, combine, take_changes, take_rows
from fastw2v.engines import cpu

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))


@pytest.fixture(params=["numpy", pytest.param("numba", marks=needs_numba)], autouse=True)
def code(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run each test with both implementations."""
    if request.param == "numpy":
        monkeypatch.setattr(module, "numba_unavailable_reason", lambda: "a test without it")
    return str(request.param)


def brute_force(replicas: list[Changes]) -> dict[int, np.ndarray]:
    """Return the combined change of each row by the formula, row by row in float64."""
    combined = {}
    for row in sorted({int(row) for changes in replicas for row in changes.rows}):
        deltas = [values.astype(np.float64) for rows, v in replicas for values in v[rows == row]]
        deltas = [delta for delta in deltas if delta.any()]
        total = sum(deltas, np.zeros(replicas[0].values.shape[1]))
        scale = 1.0
        if total.any():
            scale = np.clip(sum(d @ d for d in deltas) / (total @ total), 1 / len(deltas), 1)
        combined[row] = scale * total
    return combined


def random_changes(random: np.random.Generator, rows: int, D: int, dtype: type, common: np.ndarray) -> Changes:
    chosen = np.flatnonzero(random.random(rows) < 0.6)
    values = random.normal(size=(len(chosen), D)) + common[chosen]
    values[random.random(len(chosen)) < 0.2] = 0
    return Changes(chosen, values.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("D", [7, 16, 39])
@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), replicas=st.integers(1, 6), aligned=st.sampled_from([0.0, 1.0, 30.0]))
def test_it_is_the_formula(dtype: type, D: int, seed: int, replicas: int, aligned: float):
    random = np.random.default_rng(seed)
    common = aligned * random.normal(size=(40, D))
    given = [random_changes(random, 40, D, dtype, common) for _ in range(replicas)]
    rows, values = combine(given)
    expected = brute_force(given)
    assert rows.tolist() == list(expected)
    assert values.dtype == dtype
    tolerance = 1e-4 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(
        values, np.reshape(list(expected.values()), values.shape), rtol=tolerance, atol=tolerance
    )


def test_one_replica_keeps_its_changes():
    rows, values = np.array([1, 5]), np.random.default_rng(0).normal(size=(2, 9)).astype(np.float32)
    combined = combine([Changes(rows, values)])
    assert combined.rows.tolist() == [1, 5]
    assert combined.values.tobytes() == values.tobytes()


def test_aligned_changes_are_averaged_and_independent_ones_added():
    same = np.float32([[1, 2, 2]])
    assert combine([Changes(np.array([3]), same)] * 4).values.tolist() == [[1, 2, 2]]
    unit = np.eye(3, dtype=np.float32)
    assert combine([Changes(np.array([3]), unit[i : i + 1]) for i in range(3)]).values.tolist() == [[1, 1, 1]]
    opposite = [Changes(np.array([3]), sign * same) for sign in (1, -1)]
    assert combine(opposite).values.tolist() == [[0, 0, 0]]


def test_a_replica_that_did_not_change_a_row_does_not_count():
    moved, still = Changes(np.array([0]), np.float32([[2, 0]])), Changes(np.array([0]), np.float32([[0, 0]]))
    assert combine([moved, still, still]).values.tolist() == [[2, 0]]
    assert combine([moved, still, moved]).values.tolist() == [[2, 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_changes_that_are_not_finite_are_refused(bad: float):
    changes = Changes(np.array([0]), np.float32([[bad, 1]]))
    with pytest.raises(FloatingPointError, match="training has diverged"):
        combine([changes, changes])


def test_no_changes():
    nothing = Changes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
    rows, values = combine([nothing, nothing])
    assert (rows.shape, values.shape) == ((0,), (0, 4))


def test_changes_are_what_was_added():
    random = np.random.default_rng(0)
    W = cpu.aligned_zeros((20, 23))
    W[:] = random.normal(size=(20, 23))
    before, rows = W.copy(), np.array([0, 3, 19])
    old = take_rows(W, rows)
    assert old.tolist() == before[rows].tolist()
    step = random.normal(size=(3, 23)).astype(np.float32)
    W[rows] += step
    trained = W.copy()
    take_changes(W, rows, old)
    assert W.tobytes() == before.tobytes()
    assert old.tolist() == (trained - before)[rows].tolist()
    add_changes(W, Changes(rows, old))
    np.testing.assert_allclose(W, trained, rtol=1e-6)
