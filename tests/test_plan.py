"""The plan says what a training takes, and one that cannot fit does not begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastw2v import plan as plan_module
from fastw2v.corpus import Corpus
from fastw2v.kernels import gpu
from fastw2v.plan import free_memory, plan, sample_of, size
from fastw2v.word2vec import Word2Vec


@pytest.fixture
def corpus() -> Corpus:
    random = np.random.default_rng(0)
    return Corpus.from_ids(random.integers(0, 1000, 20_000), np.arange(0, 20_001, 20))


def test_memory_of_each_part(corpus: Corpus):
    planned = plan(corpus, vector_size=100, epochs=5, device="cpu", engine="fused")
    assert (planned.tokens, planned.sentences, planned.vocabulary) == (20_000, 1000, 1000)
    parts = {part.name: part.bytes for part in planned.parts}
    assert parts["W_in"] == parts["W_out"] == 1000 * 112 * 4  # rows are padded to 16 numbers
    assert parts["ids"] == 80_000
    assert parts["sentence offsets"] == 8 * 1001
    assert planned.needed("host") == 2 * 1000 * 112 * 4 + 48 * 1000
    assert planned.problem() is None
    layers = plan(corpus, vector_size=100, epochs=5, device="cpu", engine="layers")
    assert {part.name: part.bytes for part in layers.parts}["W_in"] == 1000 * 100 * 4


def test_on_a_gpu_the_layers_need_the_whole_corpus_and_the_fused_engine_two_pieces(corpus: Corpus, monkeypatch):
    assert plan_module.PIECES == 2 * 4 * gpu.PIECE
    asked = []
    monkeypatch.setattr(plan_module, "free_device_memory", lambda device: asked.append(device) or 10_000_000)
    monkeypatch.setattr(plan_module, "PIECES", 50_000)
    layers, fused = (
        plan(corpus, vector_size=100, epochs=5, device="cuda:1", engine=engine) for engine in ("layers", "fused")
    )
    assert layers.needed("device") - 8 * 1000 * 100 - 48 * 1000 == 80_000 + 8 * 1001
    assert fused.needed("device") - 8 * 1000 * 112 - 48 * 1000 == 50_000
    assert asked == ["cuda:1", "cuda:1"]


def test_a_corpus_in_a_file_takes_no_memory(corpus: Corpus, tmp_path: Path):
    corpus.save(tmp_path / "corpus.w2v")
    planned = plan(Corpus.load(tmp_path / "corpus.w2v"), vector_size=100, epochs=5, device="cpu", engine="fused")
    assert {part.name: part.bytes for part in planned.parts}["ids, in a file"] == 0


@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_a_training_that_cannot_fit_does_not_begin(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, engine: str):
    if engine == "fused":
        pytest.importorskip("numba")
    monkeypatch.setattr(plan_module, "free_memory", lambda: 500_000)
    model = Word2Vec(vector_size=100, engine=engine)  # type: ignore[arg-type]
    with pytest.raises(
        MemoryError, match=r"needs .* kB .* 500 kB are free.* vector_size=\d+, .*max_vocab=\d+"
    ) as error:
        model.fit(corpus)
    # The settings that are named do fit.
    message = str(error.value)
    fitting = int(message.split("vector_size=")[1].split(",")[0])
    assert 16 <= fitting < 100
    assert plan(corpus, vector_size=fitting, epochs=5, device="cpu", engine=engine).problem() is None
    words = int(message.split("max_vocab=")[1].split(",")[0])
    fewer = Corpus.from_ids(corpus.ids % words)
    assert plan(fewer, vector_size=100, epochs=5, device="cpu", engine=engine).problem() is None


def test_the_estimate_is_of_the_right_order(corpus: Corpus):
    planned = Word2Vec(vector_size=16, epochs=7, engine="layers").plan(corpus)
    assert planned.seconds is not None
    assert planned.words_per_second is not None
    assert planned.seconds == 20_000 * 7 / planned.words_per_second
    assert 1e3 < planned.words_per_second < 1e9
    assert Word2Vec(vector_size=16, engine="layers").plan(corpus, measure=False).seconds is None


@pytest.mark.parametrize("tokens", [1, 19, 20, 21, 19_999, 20_000, 50_000])
def test_the_beginning_of_a_corpus(corpus: Corpus, tokens: int):
    part = sample_of(corpus, tokens)
    np.testing.assert_array_equal(part.ids, corpus.ids[:tokens])
    assert part.offsets[0] == 0
    assert part.offsets[-1] == len(part.ids)
    assert (np.diff(part.offsets) > 0).all()


def test_a_container_may_have_less_than_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limit, usage = tmp_path / "limit", tmp_path / "usage"
    monkeypatch.setattr(plan_module, "GROUP_LIMITS", [(str(limit), str(usage))])
    machine = free_memory()
    assert machine > 0
    limit.write_text("max\n")
    usage.write_text("50\n")
    assert free_memory() > 1000
    limit.write_text("1050\n")
    assert free_memory() == 1000


def test_sizes_in_words():
    assert [size(n) for n in (999, 1000, 123_456_789, 12_345_678_901)] == ["999 bytes", "1.0 kB", "123 MB", "12.3 GB"]
