"""The cost model: its counts compared with counts by hand, its fit to known costs, and a small run of the section."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import counts
from benchmarks.harness.measure import Options, Row, Wrong
from benchmarks.suites import costs
from benchmarks.systems.texts import zipf_corpus, zipf_shares
from fastw2v.config import TrainingConfig
from fastw2v.engines import cpu
from fastw2v.estimate import estimate_memory

SETTINGS = {
    "model": "CBOW", "dim": 100, "window": 5, "negative": 5, "workers": 2, "vocabulary": 1000, "words": 50_000,
    "kept": 0.8,
}  # fmt: skip


def known_costs(rng):
    terms = list(costs.TIME_TERMS)
    return [dict(zip(terms, row, strict=True)) for row in rng.uniform(1, 100, (20, len(terms))).tolist()]


class TestFit:
    def test_finds_the_costs_that_made_the_figures(self):
        counted = known_costs(np.random.default_rng(0))
        true = dict(zip(costs.TIME_TERMS, (1e-7, 0, 3e-9, 5e-9, 2e-8, 1e-8, 1e-7), strict=True))
        measured = [sum(true[term] * n for term, n in count.items()) for count in counted]
        fitted = costs.fit(counted, measured)
        assert fitted.costs == pytest.approx(true, rel=1e-6, abs=1e-15)
        np.testing.assert_allclose(fitted.errors, 0, atol=1e-9)
        assert fitted.predict(counted[0]) == pytest.approx(measured[0])

    def test_no_cost_is_below_nothing_and_errors_are_relative(self):
        rng = np.random.default_rng(1)
        counted = known_costs(rng)
        measured = rng.uniform(1, 2, len(counted))
        fitted = costs.fit(counted, measured)
        assert min(fitted.costs.values()) >= 0
        predicted = np.array([fitted.predict(count) for count in counted])
        np.testing.assert_allclose(fitted.errors, predicted / measured - 1, atol=1e-12)
        for term in counted[0]:  # changed costs do not fit better
            for factor in (0.99, 1.01):
                moved = fitted.costs | {term: fitted.costs[term] * factor}
                other = np.array([sum(moved[t] * n for t, n in count.items()) for count in counted]) / measured - 1
                # Allow for rounding, because a cost of nearly zero hardly changes the sum.
                assert (other**2).sum() >= (fitted.errors**2).sum() * (1 - 1e-12)

    def test_too_few_measurements(self):
        with pytest.raises(ValueError, match="2 measurements are too few for the costs of 7 terms"):
            costs.fit(known_costs(np.random.default_rng(0))[:2], [1.0, 2.0])
        with pytest.raises(ValueError, match="0 measurements"):
            costs.fit([], [])

    def test_takes_the_speeds_of_rows_that_tell_enough(self):
        cache = costs.second_cache()
        rows = []
        for dim in (48, 100, 200, 300):
            for pool, workers in ((8, 1), (24, 1), (48, 2)):
                settings = SETTINGS | {"dim": dim, "pool": pool, "workers": workers}
                count = costs.time_counts(settings, cache)
                seconds = 1e-7 * count["target"] + 2e-9 * count["16 products"]
                rows.append(Row("costs", "x", settings, "words/s", [0.1, workers / (0.8 * seconds)]))  # one disturbed
        others = [
            Row("training", "x", SETTINGS | {"dim": 1}, "s", [1.0], {"pairs": 1.0}),
            Row("operations", "x", {"dim": 1}, "words/s", [1.0]),
        ]
        fitted, used = costs.fit_times([*rows, *others])
        assert used == rows
        assert fitted.costs["target"] == pytest.approx(1e-7)
        assert fitted.costs["16 products"] == pytest.approx(2e-9)


class TestCounts:
    def test_of_time(self):
        found = costs.time_counts(SETTINGS, cache_bytes=1 << 40)
        # 100 numbers fill 7 groups of 16. 16 negatives and the word itself are scored.
        assert list(found.values()) == [1, 7, 7 * 17, 17, 0, 1, 2 * 1000 / 40_000]
        found = costs.time_counts(
            SETTINGS | {"model": "skip-gram", "pool": 30, "dim": 32, "workers": 1, "epochs": 5}, 0
        )
        # Four targets with windows of 5 reach 13 words, rounded up to 16. Rows of two cache lines are moved four times.
        assert list(found.values()) == [1, 2, 2 * 46, 46, 4 * 2, 0, 1000 / 200_000]
        assert list(found) == list(costs.TIME_TERMS)

    def test_of_words_out_of_the_cache(self):
        shares = zipf_shares(300)
        kept = shares * np.minimum(1, np.sqrt(1e-3 / shares) + 1e-3 / shares)
        assert costs.beyond(300, 0) == 1
        assert costs.beyond(300, 300) == 0
        assert costs.beyond(300, 100) == pytest.approx(sum(kept[100:]) / sum(kept))

    @pytest.mark.parametrize("model", counts.MODELS)
    def test_of_bytes_are_those_of_the_schedule(self, model):
        traffic = counts.row_traffic(model)
        pool = traffic.read - 2  # the rows of the pool stay in the cache
        without_pool = counts.RowTraffic(traffic.read - pool, traffic.added - pool)
        assert costs.bytes_per_word(112, 1) == pytest.approx(4 + without_pool.bytes_per_target(112))
        assert costs.bytes_per_word(100, 0.5) == 4 + 0.5 * 4 * 4 * 112

    def test_of_memory(self):
        estimate = estimate_memory(
            zipf_corpus(5000, 40), TrainingConfig(vector_size=20, output_weight=0), device="cpu", engine="fused"
        )
        found = costs.memory_counts(estimate)
        assert list(found) == list(costs.MEMORY_TERMS)
        assert found["tables"] == 2 * 4 * 40 * 32
        assert found["corpus"] == 2 * 4 * 5000 + 8 * 6
        assert found["vocabulary"] == 228 * 40


@pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
def test_the_section(tmp_path):
    found = list(costs.run(Options(folder=tmp_path, quick=True, tiny=True, workers=2)))
    assert not [result for result in found if isinstance(result, Wrong)]
    rows = [result for result in found if isinstance(result, Row)]
    for model in ("CBOW", "skip-gram"):
        told = {row.what for row in rows if row.settings.get("model") == model}
        assert {"time of ten times as much, measured", "time of ten times as much, by the model"} <= told
        assert [what for what in told if what.startswith("cost of a ")]
        measured = [row for row in rows if row.unit == "words/s" and row.settings["model"] == model]
        assert len({str(row.settings) for row in measured}) == len(measured) >= len(costs.TIME_TERMS)
