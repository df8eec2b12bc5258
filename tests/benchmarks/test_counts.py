"""Counts that are the same on any machine, each with a bound. The message of a failure names the count that grew.

If a change reduces a count, lower its bound in the same change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import counts
from benchmarks.systems.texts import zipf_corpus
from fastw2v.config import CHUNK_TOKENS, TILE, TrainingConfig
from fastw2v.engines import cpu
from fastw2v.sampling.chunks import chunk_bounds
from fastw2v.sampling.subsampling import keep_threshold, keep_tokens

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))

CALLS = {"cbow": 34, "skipgram": 37}
"""Calls of the array library, for a batch of the layers engine."""
READS = 4
"""Reads from the device in a run of one chunk: its offsets, the sizes of its batches, its loss, its weights."""
ARRAYS = {"cbow": 39, "skipgram": 37}
"""Allocated by a compiled kernel for a chunk of 8,192 tokens; each array argument counts as one, in tuples too."""
BYTES = {"cbow": 4810, "skipgram": 6410}
"""That are moved per target at 100 dimensions, if the rows of a pool are moved for every tile."""
GROWTH = 8192
"""Bytes of Python's memory, when the corpus becomes longer by eight chunks: nothing, but for noise."""


@pytest.mark.parametrize("model", counts.MODELS)
def test_rows_that_move(model):
    corpus, config = zipf_corpus(6000, counts.V), TrainingConfig(model=model)
    keep = keep_threshold(corpus.vocabulary.counts, 1e-3)
    targets = tiles = 0
    for start, stop in chunk_bounds(corpus.offsets, CHUNK_TOKENS):
        position = np.arange(start, stop)
        position = position[keep_tokens(corpus.ids[start:stop], position, keep, 1, 0)]
        # Every sentence of 1,000 words keeps several words, so every kept token has a context.
        targets += len(position)
        tiles += -(-len(position) // TILE)
    # For each target, its own row and one row of the stream. For each tile, the rows of the pool.
    expected = 2 + config.pool_size * tiles / targets
    traffic = counts.row_traffic(model)
    assert traffic.read == pytest.approx(expected), f"{model}: rows read for each target, {expected:.3f} before"
    assert traffic.added == pytest.approx(expected), f"{model}: rows added to for each target, {expected:.3f} before"
    assert traffic.bytes_per_target(100) < BYTES[model], f"{model}: bytes that move for each target grew"


@pytest.mark.parametrize("model", counts.MODELS)
def test_launches_of_the_layers(model):
    pytest.importorskip("array_api_strict")
    found = counts.layer_calls(model)
    assert found.calls <= CALLS[model], f"{model}: calls of the array library for a batch grew: the layers engine"
    assert found.waits <= READS, f"{model}: the host waits for the device more often in an epoch: the layers engine"


@needs_numba
@pytest.mark.parametrize("model", counts.MODELS)
def test_allocations_of_the_fused_engine(model):
    found = counts.fused_allocations(model)
    assert found.arrays_per_chunk <= ARRAYS[model], f"{model}: arrays that a kernel allocates for a chunk grew"
    assert found.python_growth < GROWTH, f"{model}: Python's memory in training grows with the corpus"


@needs_numba
def test_one_version_of_each_kernel():
    # In a process of its own, because other tests compile further versions, for example for float64.
    code = "import json; from benchmarks import counts; print(json.dumps(counts.specialisations()))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True
    ).stdout
    assert json.loads(printed) == {"cbow_ns": 1, "skipgram_ns": 1}, (
        "settings or integer types make Numba compile a kernel once more: each version takes seconds at first use"
    )


class TestTheCounters:
    """The counters, compared with counts by hand."""

    def test_of_arrays(self):
        pytest.importorskip("array_api_strict")
        tally = counts.Tally()
        xp = counts.Namespace(tally)
        a = xp.asarray(np.arange(6.0))
        b = 2 * xp.reshape(a, (2, 3))[0, :] + 1
        assert tally.names == {"asarray": 1, "__rmul__": 1, "__add__": 1}
        assert float(xp.sum(xp.take(b, xp.asarray(np.array([1]))))) == 3
        assert tally.calls == 6
        assert tally.waits == 1
        np.testing.assert_array_equal(b, [1, 3, 5])
        assert tally.waits == 2

    def test_of_rows(self):
        table = np.zeros((5, counts.D)).view(counts.Table)
        np.take(table, np.array([[1, 1], [2, 0]]), axis=0)
        table[np.array([3])]
        np.add.at(table.reshape(-1), np.arange(2 * counts.D), np.ones(2 * counts.D))
        assert table.counts == {"read": 5, "added": 2}
        assert np.asarray(table).sum() == 2 * counts.D
        with pytest.raises(TypeError, match="not part of the schedule"):
            table + 1
        with pytest.raises(TypeError, match="not part of the schedule"):
            np.sum(table)
