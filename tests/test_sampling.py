"""Sampling: exact distributions of the tables, and batches against a plain loop over the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v import draws, sampling
from fastw2v.backend import to_host


def table_probabilities(table: sampling.AliasTable) -> np.ndarray:
    """Return the distribution that an alias table draws from, added up slot by slot."""
    p = np.zeros(len(table.alias))
    for i, (threshold, alias) in enumerate(zip(table.threshold, table.alias, strict=True)):
        p[i] += int(threshold) / 2**32 / len(p)
        p[alias] += (1 - int(threshold) / 2**32) / len(p)
    return p


RNG = np.random.default_rng(5)


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
    np.testing.assert_allclose(table_probabilities(sampling.alias_table(weights)), p, atol=2e-9)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf], [[1, 2]]])
def test_alias_table_refuses_what_is_no_distribution(weights):
    with pytest.raises(ValueError, match="non-negative weights with a positive sum"):
        sampling.alias_table(np.asarray(weights, np.float64))


def test_alias_draws_follow_the_table_on_every_backend(xp):
    weights = np.array([5.0, 1, 0, 3, 1])
    table = sampling.AliasTable(*(xp.asarray(part) for part in sampling.alias_table(weights)))
    random = draws.bits(draws.key(1, draws.NEGATIVES, 0), xp.arange(100_000))
    ids = to_host(sampling.alias_draw(table, random))
    assert np.abs(np.bincount(ids, minlength=5) / 1e5 - weights / 10).max() < 0.006
    host = sampling.alias_draw(sampling.alias_table(weights), draws.bits(draws.key(1, 3, 0), np.arange(100_000)))
    assert np.array_equal(ids, host)


def test_keep_threshold_is_the_formula():
    counts = np.array([900_000, 50_000, 1000, 1])
    f = counts / counts.sum()
    want = np.minimum(1, np.sqrt(1e-3 / f) + 1e-3 / f)
    np.testing.assert_allclose(sampling.keep_threshold(counts, 1e-3) / 2**32, want, atol=1e-9)
    assert (sampling.keep_threshold(counts, 0) == 2**32).all()
    assert sampling.keep_threshold(np.array([5, 0]), 1e-3)[1] == 2**32  # a word that never occurs: no division by zero


@pytest.mark.parametrize("exponent", [-1, 0, 0.75, 1])
def test_noise_weights(exponent):
    got = sampling.noise_weights(np.array([8, 0, 2]), exponent)
    assert got.tolist() == [8.0**exponent, 0, 2.0**exponent]


def test_window_widths_are_even_from_one_to_window(xp):
    widths = to_host(sampling.window_widths(xp.arange(50_000), 5, seed=1, epoch=0))
    assert np.abs(np.bincount(widths, minlength=6)[1:] / 50_000 - 0.2).max() < 0.01
    assert widths.min() == 1
    assert (to_host(sampling.window_widths(xp.arange(9), 5, 1, 0, shrink_windows=False)) == 5).all()


def test_pools_do_not_depend_on_which_are_asked_for(xp):
    table = sampling.AliasTable(*(xp.asarray(part) for part in sampling.alias_table(np.arange(1.0, 30))))
    some = sampling.negative_pools(xp.asarray([7, 3]), 16, table, seed=2, epoch=1)
    all_ = sampling.negative_pools(xp.arange(10), 16, table, seed=2, epoch=1)
    assert to_host(some).tolist() == to_host(all_)[[7, 3]].tolist()


class TestUnigramSampler:
    def test_never_the_target_and_the_rest_in_proportion(self, xp):
        corpus = np.repeat(np.arange(5), [40, 30, 20, 9, 1])
        sampler = sampling.UnigramSampler(xp.asarray(corpus), 0.75, 4)
        weights = np.bincount(corpus) ** 0.75
        for target in range(5):
            got = to_host(sampler.get_negative_sample(xp.full((20_000,), target, dtype=xp.int64)))
            assert got.shape == (20_000, 4)
            others = np.where(np.arange(5) == target, 0, weights)
            assert np.abs(np.bincount(got.ravel(), minlength=5) / got.size - others / others.sum()).max() < 0.01
            assert (got != target).all()

    def test_a_target_with_nearly_all_the_weight_ends(self):
        sampler = sampling.UnigramSampler(np.repeat([0, 1], [10_000_000, 1]), 1.0, 5)
        assert (sampler.get_negative_sample(np.zeros(1000, np.int64)) == 1).all()
        assert (sampler.get_negative_sample(np.ones(1000, np.int64)) == 0).all()

    def test_word_p_is_the_textbook_s(self):
        sampler = sampling.UnigramSampler(np.array([0, 1, 2, 3, 4, 1, 2, 3]), 0.75, 2)
        p = np.array([1, 2, 2, 2, 1]) ** 0.75
        np.testing.assert_allclose(sampler.word_p, p / p.sum())

    def test_calls_differ_and_seeds_repeat(self):
        corpus, target = np.arange(1000), np.arange(100)
        first, again = (sampling.UnigramSampler(corpus, 0.75, 5, seed=3) for _ in range(2))
        a, b = first.get_negative_sample(target), first.get_negative_sample(target)
        assert not np.array_equal(a, b)
        assert np.array_equal(a, again.get_negative_sample(target))

    @pytest.mark.parametrize("corpus", [[0, 0, 0], [3]])
    def test_one_word_is_refused(self, corpus):
        with pytest.raises(ValueError, match="at least two different words"):
            sampling.UnigramSampler(np.array(corpus), 0.75, 1)

    def test_no_samples_are_refused(self):
        with pytest.raises(ValueError, match="sample_size is 0"):
            sampling.UnigramSampler(np.arange(4), 0.75, 0)


@pytest.mark.parametrize(("offsets", "longest", "want"), [
    ([0, 3, 5, 9], 100, [(0, 9)]),
    ([0, 3, 5, 9], 5, [(0, 5), (5, 9)]),
    ([0, 3, 5, 9], 4, [(0, 3), (3, 5), (5, 9)]),
    ([0, 9], 4, [(0, 4), (4, 8), (8, 9)]),
    ([0, 0, 2, 2, 2], 1, [(0, 1), (1, 2)]),
    ([0, 0], 5, []),
])  # fmt: skip
def test_stretches(offsets, longest, want):
    assert list(sampling.stretches(np.array(offsets), longest)) == want


@pytest.mark.parametrize(("shrink", "sample", "longest"), [(True, 0.05, 1000), (False, 0, 1000), (True, 0.05, 23)])
def test_batches_equal_a_plain_loop(xp, shrink, sample, longest):
    rng = np.random.default_rng(0)
    lengths = [1, 0, 40, 2, 30, 1, 17, 64]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(0, 12, offsets[-1]) ** 2 // 12
    counts = np.bincount(ids, minlength=12)
    keep = sampling.keep_threshold(counts, sample)
    noise = sampling.alias_table(sampling.noise_weights(counts))
    window, L, P, seed, epoch = 3, 8, 5, 4, 2

    want = {}
    for start, stop in sampling.stretches(offsets, longest):
        position = np.arange(start, stop)
        kept = position[sampling.keep_tokens(ids[start:stop], position, keep, seed, epoch)]
        for s in range(len(lengths)):
            line = [t for t in kept if offsets[s] <= t < offsets[s + 1]]
            for i, t in enumerate(line):
                width = int(sampling.window_widths(np.array([t]), window, seed, epoch, shrink)[0])
                around = line[max(i - width, 0) : i] + line[i + 1 : i + 1 + width]
                if around:
                    pool = sampling.negative_pools(np.array([t // L]), P, noise, seed, epoch)[0]
                    want[t] = (ids[t], [ids[c] for c in around], pool.tolist())

    batches = []
    targets = 0
    for batch in sampling.batches(
        xp.asarray(ids), xp.asarray(offsets), xp.asarray(keep), sampling.AliasTable(*map(xp.asarray, noise)),
        window=window, pool_tokens=L, pool_size=P, groups=3, seed=seed, epoch=epoch, shrink_windows=shrink,
        longest=longest,
    ):  # fmt: skip
        contexts, target, pool = (to_host(part) for part in batch[:3])
        rows = []
        for g, row in np.argwhere(target >= 0):
            around = contexts[g, row]
            rows.append((target[g, row], around[around >= 0].tolist(), pool[g].tolist()))
        batches.append((rows, batch.done))
        targets += batch.targets
    # Which batch is which? Those of a stretch come in an order of their own, and each holds three pools' tokens.
    expected, done = [], 0
    for start, stop in sampling.stretches(offsets, longest):
        firsts = range(start // L, -(-stop // L), 3)
        key = sampling.draws.key(seed, sampling.draws.ORDER, epoch)
        for first in sorted(firsts, key=lambda first: int(sampling.draws.bits(key, np.array([first * L]))[0])):
            here = [t for t in sorted(want) if max(first * L, start) <= t < min((first + 3) * L, stop)]
            done += min((first + 3) * L, stop) - max(first * L, start)
            expected += [([want[t] for t in here], done)] if here else []
    assert batches == expected
    assert targets == len(want)
    assert done == offsets[-1]


def test_stretches_are_shuffled_within_their_section():
    starts = np.arange(0, 10_000, 7)
    order = sampling.shuffled(starts, 1000, 3, 1)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(starts)))
    np.testing.assert_array_equal(starts[order] // 1000, starts // 1000)
    within = order[starts // 1000 == 4]
    assert abs(np.corrcoef(within, np.arange(len(within)))[0, 1]) < 0.25  # of 143 numbers: three standard deviations
    assert (order != sampling.shuffled(starts, 1000, 3, 2)).any()
    assert (order != sampling.shuffled(starts, 1000, 4, 1)).any()
    np.testing.assert_array_equal(sampling.shuffled(starts, 1000, 3, 1), order)
