"""Alias tables: the exact distribution, slot by slot, and the same samples on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable, alias_draw, alias_table, noise_weights

RNG = np.random.default_rng(5)


def table_probabilities(table: AliasTable) -> np.ndarray:
    """Return the distribution of an alias table, added up slot by slot."""
    p = np.zeros(len(table.alias))
    for i, (threshold, alias) in enumerate(zip(table.threshold, table.alias, strict=True)):
        p[i] += int(threshold) / 2**32 / len(p)
        p[alias] += (1 - int(threshold) / 2**32) / len(p)
    return p


@pytest.mark.parametrize(
    "weights",
    [
        [1],
        [1, 0],
        [0, 0, 3],
        [1, 1, 1],
        [0.1] * 8,
        [0.7] * 49,
        [1, 2, 3],
        [3, 2, 1],
        [1e-12, 1, 1e12],
        RNG.random(1000) ** 9,
        1 / np.arange(1, 5000),
    ],
    ids=["one", "zero", "last", "even", "tenths", "sevenths", "rising", "falling", "extreme", "random", "zipf"],
)
def test_alias_table_is_the_distribution(weights):
    weights = np.asarray(weights, np.float64)
    p = weights / weights.sum()
    np.testing.assert_allclose(table_probabilities(alias_table(weights)), p, atol=2e-9)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf], [[1, 2]]])
def test_alias_table_refuses_what_is_no_distribution(weights):
    with pytest.raises(ValueError, match="non-negative numbers with a positive sum"):
        alias_table(np.asarray(weights, np.float64))


def test_alias_draws_follow_the_table_on_every_backend(xp):
    weights = np.array([5.0, 1, 0, 3, 1])
    table = AliasTable(*(xp.asarray(part) for part in alias_table(weights)))
    random = rng.bits(rng.stream_key(1, rng.NEGATIVES, 0), xp.arange(100_000))
    ids = to_host(alias_draw(table, random))
    assert np.abs(np.bincount(ids, minlength=5) / 1e5 - weights / 10).max() < 0.006
    host = alias_draw(alias_table(weights), rng.bits(rng.stream_key(1, 3, 0), np.arange(100_000)))
    assert np.array_equal(ids, host)


@pytest.mark.parametrize("exponent", [-1, 0, 0.75, 1])
def test_noise_weights(exponent):
    got = noise_weights(np.array([8, 0, 2]), exponent)
    assert got.tolist() == [8.0**exponent, 0, 2.0**exponent]
