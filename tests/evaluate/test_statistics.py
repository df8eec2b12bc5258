"""Ranks, correlations and intervals, compared with SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.evaluate import statistics


def test_bootstrap_interval_against_scipy() -> None:
    """SciPy uses different random draws, so the bounds agree only to the precision of a thousand draws."""
    from scipy import stats

    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, 80).astype(float)  # with ties
    y = x + rng.normal(size=80) * 4
    low, high = statistics.bootstrap_interval(x, y)

    def spearman(x, y):
        return stats.spearmanr(x, y).statistic

    expected = stats.bootstrap(
        (x, y), spearman, paired=True, vectorized=False, n_resamples=1000, method="percentile", random_state=0
    )
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval), abs=0.03)
    assert low < spearman(x, y) < high
    assert (low, high) == statistics.bootstrap_interval(x, y)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=2, max_size=20))
def test_weighted_ranks_are_the_ranks_of_repeated_values(table: list[tuple[int, int]]) -> None:
    values, times = (np.array(column, dtype=np.float64) for column in zip(*table, strict=True))
    ranks = statistics._weighted_ranks(values, times[None])[0]
    repeated = np.repeat(values, times.astype(int))
    expected = dict(zip(repeated.tolist(), statistics.ranks(repeated).tolist(), strict=True)) if len(repeated) else {}
    assert all(ranks[i] == expected[values[i]] for i in range(len(values)) if times[i])


@settings(deadline=None)  # the first example imports SciPy
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-3, 3)), min_size=3, max_size=40))
def test_rank_correlation_as_scipy(table: list[tuple[int, float]]) -> None:
    from scipy.stats import rankdata, spearmanr

    x, y = (np.array(column, dtype=np.float64) for column in zip(*table, strict=True))
    assert statistics.ranks(x).tolist() == rankdata(x).tolist()
    ours = statistics.correlation(statistics.ranks(x), statistics.ranks(y))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
