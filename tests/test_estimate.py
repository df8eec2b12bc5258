"""The estimate of time and memory, and the refusal to start training that does not fit in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, estimate
from fastw2v.config import TrainingConfig
from fastw2v.engines import gpu
from fastw2v.estimate import corpus_head, estimate_memory


@pytest.fixture
def corpus() -> Corpus:
    random = np.random.default_rng(0)
    return Corpus.from_ids(random.integers(0, 1000, 20_000), np.arange(0, 20_001, 20))


def test_memory_for_each_purpose(corpus: Corpus):
    estimated = estimate_memory(corpus, vector_size=100, epochs=5, device="cpu", engine="fused", output_weight=0)
    assert (estimated.tokens, estimated.sentences, estimated.vocabulary) == (20_000, 1000, 1000)
    items = {item.name: item.bytes for item in estimated.items}
    assert items["W_in"] == items["W_out"] == 1000 * 112 * 4  # rows are padded to 16 numbers
    assert items["ids"] == 80_000
    assert items["sentence offsets"] == 8 * 1001
    assert estimated.needed("host") == 2 * 1000 * 112 * 4 + 48 * 1000
    assert estimated.problem() is None
    layers = estimate_memory(corpus, vector_size=100, epochs=5, device="cpu", engine="layers", output_weight=0)
    assert {item.name: item.bytes for item in layers.items}["W_in"] == 1000 * 100 * 4


def test_on_a_gpu_the_layers_need_the_whole_corpus_and_the_fused_engine_two_shuffle_blocks(corpus: Corpus, monkeypatch):
    assert estimate.GPU_CORPUS_BYTES == 2 * 4 * gpu.MAX_SHUFFLE_BLOCK
    asked = []
    monkeypatch.setattr(estimate, "free_device_memory", lambda device: asked.append(device) or 10_000_000)
    monkeypatch.setattr(estimate, "GPU_CORPUS_BYTES", 50_000)
    layers, fused = (
        estimate_memory(corpus, vector_size=100, epochs=5, device="cuda:1", engine=engine, output_weight=0)
        for engine in ("layers", "fused")
    )
    assert layers.needed("device") - 8 * 1000 * 100 - 48 * 1000 == 80_000 + 8 * 1001
    assert fused.needed("device") - 8 * 1000 * 112 - 48 * 1000 == 50_000
    assert asked == ["cuda:1", "cuda:1"]


def test_a_corpus_in_a_file_takes_no_memory(corpus: Corpus, tmp_path: Path):
    corpus.save(tmp_path / "corpus.w2v")
    estimated = estimate_memory(
        Corpus.load(tmp_path / "corpus.w2v"), vector_size=100, epochs=5, device="cpu", engine="fused", output_weight=0
    )
    assert {item.name: item.bytes for item in estimated.items}["ids, in a file"] == 0


@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_a_training_that_cannot_fit_does_not_begin(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, engine: str):
    if engine == "fused":
        pytest.importorskip("numba")
    monkeypatch.setattr(estimate, "free_memory", lambda: 500_000)
    model = Word2Vec(vector_size=100, engine=engine, output_weight=0)  # type: ignore[arg-type]
    with pytest.raises(
        MemoryError, match=r"needs .* kB .* 500 kB are free.* vector_size=\d+, .*max_vocab=\d+"
    ) as error:
        model.fit(corpus)
    # The settings suggested by the message fit.
    message = str(error.value)
    fitting = int(message.split("vector_size=")[1].split(",")[0])
    assert 16 <= fitting < 100
    assert (
        estimate_memory(corpus, vector_size=fitting, epochs=5, device="cpu", engine=engine, output_weight=0).problem()
        is None
    )
    words = int(message.split("max_vocab=")[1].split(",")[0])
    fewer = Corpus.from_ids(corpus.ids % words)
    assert (
        estimate_memory(fewer, vector_size=100, epochs=5, device="cpu", engine=engine, output_weight=0).problem()
        is None
    )


def test_the_estimate_is_of_the_right_order(corpus: Corpus):
    estimated = Word2Vec(vector_size=16, epochs=7, engine="layers").estimate(corpus)
    assert estimated.seconds is not None
    assert estimated.words_per_second is not None
    assert estimated.seconds == 20_000 * 7 / estimated.words_per_second
    assert 1e3 < estimated.words_per_second < 1e9
    assert Word2Vec(vector_size=16, engine="layers").estimate(corpus, measure=False).seconds is None


def test_the_speed_excludes_the_initialisation_of_the_weights(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    """Weights are initialised once, and trials have the gradient of the model, with a rate that cannot overflow."""
    monkeypatch.setattr("fastw2v.estimate.MEASURE_SECONDS", 1e9)  # trials of all lengths
    initialised: list[np.ndarray] = []
    monkeypatch.setattr("fastw2v.word2vec.uniform_weights", lambda W_in, seed: initialised.append(W_in))
    configs = []

    def train(tables: Any, corpus: Corpus, config: TrainingConfig, **_: Any) -> np.ndarray:
        configs.append((len(corpus), config))
        return np.zeros(config.epochs)

    monkeypatch.setattr("fastw2v.engines.eager.train", train)
    model = Word2Vec(vector_size=16, epochs=7, engine="layers")
    model.estimate(corpus)
    assert len(initialised) == 1
    assert len(configs) > 2
    assert configs[-1][0] == len(corpus)
    for _, config in configs:
        assert config.epochs == 1
        assert config.cbow_grad == model.config().cbow_grad == "balanced"
        assert config.alpha == config.min_alpha == 1e-4
    assert not hasattr(model, "wv")


def test_callbacks_are_not_called_by_an_estimate(corpus: Corpus):
    called: list[str] = []
    model = Word2Vec(vector_size=4, engine="layers", callbacks=[lambda event, model: called.append(event)])
    assert model.estimate(corpus).seconds is not None
    assert called == []


@pytest.mark.parametrize("tokens", [1, 19, 20, 21, 19_999, 20_000, 50_000])
def test_the_beginning_of_a_corpus(corpus: Corpus, tokens: int):
    part = corpus_head(corpus, tokens)
    np.testing.assert_array_equal(part.ids, corpus.ids[:tokens])
    assert part.offsets[0] == 0
    assert part.offsets[-1] == len(part.ids)
    assert (np.diff(part.offsets) > 0).all()
