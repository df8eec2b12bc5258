"""Hierarchical softmax in the CPU kernels: equality with the reference, threads, frozen rows and pauses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.config import TrainingConfig, output_parts, output_rows
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import cpu, eager, reference, staleness
from fastw2v.engines.base import Tables
from fastw2v.kernels import numba_unavailable_reason
from fastw2v.nn import HierarchicalSoftmaxLoss
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.sampling.subsampling import keep_threshold
from tests.engines.cases import StopAtPause, copies, corpus_of, train, zipf_corpus

needs_numba = pytest.mark.skipif(numba_unavailable_reason() is not None, reason=str(numba_unavailable_reason()))
pytestmark = needs_numba

MODELS = pytest.mark.parametrize("model", ["cbow", "skipgram"])
LOSSES = pytest.mark.parametrize("loss", ["hs", "hs+ns"])


def random_tables(V: int, D: int, dtype: Any, loss: str, scale: float = 0.3) -> Tables:
    random = np.random.default_rng(0)
    return Tables(*((random.standard_normal((n, D)) * scale).astype(dtype) for n in (V, output_rows(loss, V))))


def deep_corpus(words: int = 25) -> Corpus:
    """Return a corpus whose counts are Fibonacci numbers, so that the tree is as deep as possible."""
    counts = [1, 1]
    while len(counts) < words:
        counts.append(counts[-1] + counts[-2])
    random = np.random.default_rng(0)
    ids = random.integers(0, words, 600).astype(np.int32)
    return Corpus(ids, np.arange(0, 601, 20), Vocabulary([str(i) for i in range(words)], np.array(counts[::-1])))


CASES = {
    "defaults": (zipf_corpus(50, 800, 20), 100, {"epochs": 2}),
    "odd": (zipf_corpus(50, 800, 20), 37, {"sample": 1e-2, "negative": 3}),
    "more inner nodes than are held": (zipf_corpus(1500, 2000, 30), 8, {"cbow_grad": "sum"}),
    "wider than the sentences": (zipf_corpus(60, 600, 6), 16, {"window": 9, "shrink_windows": False}),
    "many contexts": (zipf_corpus(60, 800, 40), 16, {"window": 13}),
    "narrow": (zipf_corpus(50, 800, 20), 16, {"window": 1}),
    "two words": (zipf_corpus(2, 300, 5), 8, {}),
    "one word": (zipf_corpus(1, 100, 4), 8, {}),
    "damped": (zipf_corpus(1500, 2000, 30), 8, {"concurrency": 300}),
    "private rows": (zipf_corpus(4000, 9000, 30), 8, {"concurrency": 2, "sample": 1e-2}),
    "deep": (deep_corpus(), 12, {"window": 4}),
}


@MODELS
@pytest.mark.parametrize(
    ("case", "loss", "dtype"),
    [
        *((case, "hs", np.float64) for case in CASES),
        *((case, "hs+ns", np.float64) for case in ("defaults", "one word", "damped", "private rows")),
        *((case, "hs", np.float32) for case in ("defaults", "odd", "two words")),
    ],
)
def test_one_worker_equals_the_reference(case, loss, model, dtype):
    corpus, D, settings = CASES[case]
    start = random_tables(len(corpus.vocabulary), D, dtype, loss)
    ours, theirs = copies(start), copies(start)
    settings = {"model": model, "loss": loss, "alpha": 0.05, "epochs": 1, "sample": 0} | settings
    result = train(cpu, ours, corpus, **settings)
    expected = train(reference, theirs, corpus, private=True, **settings)
    tolerance = 1e-10 if dtype == np.float64 else 64 * np.finfo(dtype).eps * len(corpus) ** 0.5
    np.testing.assert_allclose(result, expected, rtol=tolerance)
    for W, E in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(W, E, rtol=0, atol=tolerance)
    if len(corpus.vocabulary) > 1:
        assert all(np.abs(E - S).max() > 1e-3 for E, S in zip(theirs, start, strict=True))
        assert expected[0] > 0.1


@MODELS
def test_the_reference_at_a_vanishing_rate_is_the_gradient_of_the_corpus(model):
    """The sum of the loss over all windows is differentiated by finite differences."""
    corpus = zipf_corpus(9, 60, 8)
    V, D, window, rate = 9, 4, 2, 1e-9
    start = random_tables(V, D, np.float64, "hs")
    moved = copies(start)
    settings = {"cbow_grad": "mean"} if model == "cbow" else {}
    train(
        reference, moved, corpus, model=model, loss="hs", alpha=rate, min_alpha=rate, epochs=1, sample=0,
        window=window, shrink_windows=False, **settings,
    )  # fmt: skip
    tree = HuffmanTree.from_counts(corpus.vocabulary.counts)

    def total_loss(W_in: np.ndarray, W_nodes: np.ndarray) -> float:
        total = 0.0
        for first, end in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
            for t in range(first, end):
                around = [c for c in range(max(first, t - window), min(end, t + window + 1)) if c != t]
                if not around:
                    continue
                rows = W_in[corpus.ids[around]]
                points, codes = tree.path(corpus.ids[t])
                for h in [rows.mean(axis=0)] if model == "cbow" else rows:
                    total += np.log1p(np.exp(-(1.0 - 2.0 * codes) * (W_nodes[points] @ h))).sum()
        return total

    for i, (W, now) in enumerate(zip(start, moved, strict=True)):
        for place in [(0, 0), (1, 2), (V - 2, 3), (V - 1, 1)]:
            ends = []
            for step in (1e-5, -1e-5):
                other = copies(start)
                other[i][place] += step
                ends.append(total_loss(*other))
            assert (W - now)[place] / rate == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-6)


@MODELS
@LOSSES
def test_one_worker_gives_the_same_bytes_twice_and_two_a_similar_loss(model, loss):
    ids = np.cumsum(np.random.default_rng(0).integers(-1, 2, 120_000)) % 300  # a walk on a circle
    corpus = corpus_of(ids, np.arange(0, 120_001, 30), 300)
    runs = [random_tables(300, 20, np.float32, loss, 0.01) for _ in range(3)]
    settings = {"model": model, "loss": loss, "alpha": 0.03, "epochs": 3, "sample": 0}
    losses = [train(cpu, tables, corpus, workers=w, **settings) for tables, w in zip(runs, (1, 1, 2), strict=True)]
    assert all(np.array_equal(one, other) for one, other in zip(*runs[:2], strict=True))
    assert losses[0][-1] < 0.9 * losses[0][0]
    np.testing.assert_allclose(losses[2][-1], losses[0][-1], rtol=0.03)


@MODELS
@LOSSES
@pytest.mark.parametrize("engine", [cpu, eager])
def test_frozen_words_keep_their_rows_and_inner_nodes_learn(engine, model, loss):
    corpus = zipf_corpus(40, 700, 12)
    frozen = np.arange(40) % 3 == 0
    start = random_tables(40, 16, np.float32, loss)
    start.W_in[0, 0] = -0.0
    ours, theirs = copies(start), copies(start)
    settings = {"model": model, "loss": loss, "alpha": 0.05, "epochs": 1, "sample": 0, "frozen": frozen}
    train(engine, ours, corpus, **settings)
    words, nodes = output_parts(ours.W_out, loss)
    words_before, nodes_before = output_parts(start.W_out, loss)
    assert ours.W_in[frozen].tobytes() == start.W_in[frozen].tobytes()
    assert (ours.W_in[~frozen] != start.W_in[~frozen]).any(axis=1).sum() > 5
    assert (nodes != nodes_before).any(axis=1).sum() > 10
    if words is not None:
        assert words[frozen].tobytes() == words_before[frozen].tobytes()
    if engine is cpu:
        train(reference, theirs, corpus, private=True, **settings)
        for W, E in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(W, E, rtol=0, atol=1e-5)


@MODELS
@LOSSES
@pytest.mark.parametrize("engine", [cpu, eager, reference])
def test_all_frozen_words_measure_the_loss(engine, model, loss):
    corpus = zipf_corpus(40, 500, 12)
    tables = random_tables(40, 16, np.float32, loss)
    before = copies(tables)
    settings = {"model": model, "loss": loss, "epochs": 1, "sample": 0, "shrink_windows": False, "window": 2}
    measured = train(engine, tables, corpus, frozen=np.ones(40, bool), **settings)
    assert all(W.tobytes() == B.tobytes() for W, B in zip(tables, before, strict=True))
    if loss == "hs":
        layer, total, count = HierarchicalSoftmaxLoss(tables.W_out, corpus.vocabulary.counts), 0.0, 0
        for first, end in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
            for t in range(first, end):
                around = [c for c in range(max(first, t - 2), min(end, t + 3)) if c != t]
                rows = tables.W_in[corpus.ids[around]]
                hidden = rows.mean(axis=0, keepdims=True) if model == "cbow" and around else rows
                target = np.full(len(hidden), corpus.ids[t])
                total += float(layer.forward(hidden, target)) * len(hidden) if around else 0
                count += len(hidden) if around else 0
        assert measured[0] == pytest.approx(total / count, rel=1e-5)


@MODELS
@LOSSES
@pytest.mark.parametrize("engine", [cpu, eager])
def test_a_run_continues_from_a_pause(engine, model, loss):
    corpus = zipf_corpus(60, 20_000, 20)
    start = random_tables(60, 16, np.float32, loss, 0.05)
    settings = {"model": model, "loss": loss, "alpha": 0.03, "epochs": 2, "sample": 0, "workers": 1}
    whole, tables = copies(start), copies(start)
    expected = train(engine, whole, corpus, **settings)
    pauses = StopAtPause(tables, 3)
    with pytest.raises(KeyboardInterrupt):
        train(engine, tables, corpus, pauses=pauses, **settings)
    result = train(engine, pauses.kept, corpus, state=pauses.state, **settings)
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    for W, E in zip(pauses.kept, whole, strict=True):
        np.testing.assert_array_equal(W, E)


@MODELS
def test_negative_sampling_alone_is_the_first_half_of_both(model):
    """On one chunk, training with both losses is negative sampling followed by hierarchical softmax."""
    corpus = zipf_corpus(30, 1000, 10)
    both = random_tables(30, 8, np.float64, "hs+ns")
    words, nodes = output_parts(both.W_out.copy(), "hs+ns")
    W_in = both.W_in.copy()
    settings = {"model": model, "alpha": 0.05, "min_alpha": 0.05, "epochs": 1, "sample": 0}
    settings |= {"pool_tokens": 32, "pool_size": 8}
    total = train(cpu, both, corpus, loss="hs+ns", **settings)
    parts = [train(cpu, Tables(W_in, W), corpus, loss=loss, **settings) for loss, W in (("ns", words), ("hs", nodes))]
    np.testing.assert_allclose(total, parts[0] + parts[1], rtol=1e-12)
    np.testing.assert_allclose(both.W_in, W_in, rtol=0, atol=1e-12)
    np.testing.assert_allclose(both.W_out, np.concatenate([words, nodes]), rtol=0, atol=1e-12)


class TestStaleness:
    V = 3000
    counts = np.maximum(100_000 // np.arange(1, V + 1), 5)

    def rates(self, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
        names = {"concurrency", "held", "frozen"} & set(settings)
        arguments = {name: settings.pop(name) for name in names}
        keep, tree = keep_threshold(self.counts, 0), HuffmanTree.from_counts(self.counts)
        config = TrainingConfig(**{"loss": "hs", "alpha": 0.05} | settings)
        return staleness.tree_max_rates(self.counts, keep, tree, config, reach=5, **arguments)

    def test_copies_of_the_root_are_averaged(self):
        _, W_nodes = self.rates(concurrency=8)
        assert W_nodes[self.V - 2] == pytest.approx(0.05 / 8)

    def test_inner_nodes_far_from_the_root_are_not_scaled(self):
        _, W_nodes = self.rates(concurrency=8)
        assert np.isinf(W_nodes[: self.V - 1 - staleness.held_nodes(self.V, 8)[0]]).all()
        assert (W_nodes[1:-1] <= W_nodes[:-2]).all()

    def test_nodes_that_are_updated_at_once(self):
        """Each of 100 workers has one update of the root under way, and half an update of its larger child."""
        tree = HuffmanTree.from_counts(self.counts)
        share = tree.node_counts(self.counts / self.counts.sum())
        _, W_nodes = self.rates(concurrency=100, held=(0, 64))
        np.testing.assert_allclose(W_nodes[:-1], 2.0 / (100 * share))
        _, skipgram = self.rates(concurrency=100, held=(0, 64), model="skipgram")
        np.testing.assert_allclose(skipgram[:-1] * 6, W_nodes[:-1])  # six contexts on average
        _, held = self.rates(concurrency=100, held=(16, 2), alpha=1e-9)  # each worker has two targets of the root
        np.testing.assert_allclose(held[:-1], W_nodes[:-1] / np.where(np.arange(self.V - 1) < self.V - 17, 1, 2))

    def test_inner_nodes_are_frozen_only_with_all_words(self):
        frozen = np.arange(self.V) > 0
        W_in, W_nodes = self.rates(concurrency=2, frozen=frozen)
        assert not W_in[1:].any()
        assert W_in[0] > 0
        assert (W_nodes > 0).all()
        assert not np.any(self.rates(concurrency=2, frozen=np.ones(self.V, bool)))


def test_walks_on_a_small_graph_with_a_wide_window_stay_sound():
    ids = np.cumsum(np.random.default_rng(0).integers(-1, 2, 50_000)) % 30
    for model, workers in (("cbow", 1), ("skipgram", 2)):
        tables = random_tables(30, 50, np.float32, "hs", 0.01)
        settings = {"model": model, "loss": "hs", "window": 15, "sample": 0, "epochs": 5, "workers": workers}
        loss = train(cpu, tables, corpus_of(ids, [0, 50_000], 30), **settings)
        assert loss[-1] < np.log(30)  # the loss of words that are equally likely
        assert np.abs(tables.W_in).max() < 20
