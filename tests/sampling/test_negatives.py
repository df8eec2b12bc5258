"""Negatives: pools that do not depend on the others, and samples that never equal their target."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.sampling.alias import AliasTable, alias_table
from fastw2v.sampling.negatives import UnigramSampler, negative_pools


def test_pools_do_not_depend_on_which_are_asked_for(xp):
    table = AliasTable(*(xp.asarray(part) for part in alias_table(np.arange(1.0, 30))))
    some = negative_pools(xp.asarray([7, 3]), 16, table, seed=2, epoch=1)
    all_ = negative_pools(xp.arange(10), 16, table, seed=2, epoch=1)
    assert to_host(some).tolist() == to_host(all_)[[7, 3]].tolist()


class TestUnigramSampler:
    def test_never_the_target_and_the_rest_in_proportion(self, xp):
        corpus = np.repeat(np.arange(5), [40, 30, 20, 9, 1])
        sampler = UnigramSampler(xp.asarray(corpus), 0.75, 4)
        weights = np.bincount(corpus) ** 0.75
        for target in range(5):
            got = to_host(sampler.get_negative_sample(xp.full((20_000,), target, dtype=xp.int64)))
            assert got.shape == (20_000, 4)
            others = np.where(np.arange(5) == target, 0, weights)
            assert np.abs(np.bincount(got.ravel(), minlength=5) / got.size - others / others.sum()).max() < 0.01
            assert (got != target).all()

    def test_a_target_with_nearly_all_the_weight_ends(self):
        sampler = UnigramSampler(np.repeat([0, 1], [10_000_000, 1]), 1.0, 5)
        assert (sampler.get_negative_sample(np.zeros(1000, np.int64)) == 1).all()
        assert (sampler.get_negative_sample(np.ones(1000, np.int64)) == 0).all()

    def test_word_p_is_the_textbook_s(self):
        sampler = UnigramSampler(np.array([0, 1, 2, 3, 4, 1, 2, 3]), 0.75, 2)
        p = np.array([1, 2, 2, 2, 1]) ** 0.75
        np.testing.assert_allclose(sampler.word_p, p / p.sum())

    def test_calls_differ_and_seeds_repeat(self):
        corpus, target = np.arange(1000), np.arange(100)
        first, again = (UnigramSampler(corpus, 0.75, 5, seed=3) for _ in range(2))
        a, b = first.get_negative_sample(target), first.get_negative_sample(target)
        assert not np.array_equal(a, b)
        assert np.array_equal(a, again.get_negative_sample(target))

    @pytest.mark.parametrize("corpus", [[0, 0, 0], [3]])
    def test_one_word_is_refused(self, corpus):
        with pytest.raises(ValueError, match="at least two different words"):
            UnigramSampler(np.array(corpus), 0.75, 1)

    def test_no_samples_are_refused(self):
        with pytest.raises(ValueError, match="sample_size is 0"):
            UnigramSampler(np.arange(4), 0.75, 0)
