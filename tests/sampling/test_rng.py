"""Random numbers: known answers, the same integers on every backend, and correct distributions."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.sampling import rng

# The published test vector of SplitMix64 for the seed 1234567.
SPLITMIX64_1234567 = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def test_bits_are_splitmix64(xp):
    got = rng.bits(1234567, xp.arange(5))
    assert [int(x) for x in got] == SPLITMIX64_1234567


def test_key_is_the_same_arithmetic_in_python_integers():
    want = rng.bits(rng.bits(rng.bits(7, np.array([rng.NEGATIVES])), np.array([3])), np.array([11]))
    assert int(rng.bits(rng.stream_key(7, rng.NEGATIVES, 3), np.array([11]))[0]) == int(want[0])


def test_known_answer_of_a_full_path(xp):
    # These numbers must never change, because a change would change the vectors that every user trains.
    key = rng.stream_key(1, rng.NEGATIVES, 0)
    pools = rng.bits(rng.bits(key, xp.arange(2))[:, None], xp.arange(3))
    assert to_host(rng.randint(pools, 1000)).tolist() == [[215, 332, 876], [827, 850, 484]]


@pytest.mark.parametrize("seed", [-1, 0, 2**64 + 5, 2**70])
def test_any_integer_seeds(seed):
    assert rng.stream_key(seed, 0, 0) == rng.stream_key(seed % 2**64, 0, 0)


def test_streams_epochs_and_positions_differ():
    keys = {rng.stream_key(s, t, e) for s in range(20) for t in range(4) for e in range(20)}
    assert len(keys) == 20 * 4 * 20
    assert len(np.unique(rng.bits(rng.stream_key(1, 0, 0), np.arange(100_000)))) == 100_000


@pytest.mark.parametrize("n", [1, 2, 5, 71_291, 2**31 - 1])
def test_randint_is_in_range_and_even(n):
    x = rng.randint(rng.bits(rng.stream_key(3, rng.WINDOW, 0), np.arange(200_000)), n)
    assert x.min() >= 0
    assert x.max() < n
    counts = np.bincount(x * min(n, 5) // n)
    assert np.abs(counts / len(x) - 1 / min(n, 5)).max() < 5 * np.sqrt(0.25 / len(x))


def test_bernoulli_at_its_ends_and_between(xp):
    random = rng.bits(rng.stream_key(3, rng.KEEP, 0), xp.arange(100_000))
    for p in (0.0, 0.25, 1.0):
        threshold = xp.asarray([int(p * 2**32)], dtype=xp.uint64)
        hits = int(xp.sum(xp.astype(rng.bernoulli(random, threshold), xp.int64)))
        assert abs(hits / 100_000 - p) <= (0.0 if p in (0, 1) else 0.007)


def test_uniform_is_in_range_and_equal_in_both_precisions(xp):
    random = rng.bits(rng.stream_key(3, rng.WEIGHTS, 0), xp.arange(50_000))
    single, double = rng.uniform(random), rng.uniform(random, xp.float64)
    assert single.dtype == xp.float32
    assert double.dtype == xp.float64
    assert bool(xp.all(xp.astype(single, xp.float64) == double))
    assert 0 <= float(xp.min(double)) < 0.001
    assert 0.999 < float(xp.max(double)) < 1
    assert abs(float(xp.mean(double)) - 0.5) < 0.007


def test_neighbouring_positions_and_streams_are_uncorrelated():
    position = np.arange(200_000)
    a = rng.uniform(rng.bits(rng.stream_key(1, rng.KEEP, 0), position), np.float64)
    b = rng.uniform(rng.bits(rng.stream_key(1, rng.WINDOW, 0), position), np.float64)
    for x, y in ((a[1:], a[:-1]), (a, b)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(len(x))
