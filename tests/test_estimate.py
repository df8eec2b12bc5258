"""The estimate of time and memory, and the refusal to start training that does not fit in memory."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import memory_peaks
from fastw2v import Corpus, Word2Vec, estimate
from fastw2v.config import TrainingConfig
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.engines import eager, gpu
from fastw2v.estimate import Estimate, corpus_head, estimate_memory
from fastw2v.nn.initializers import fit_ngram_rows
from fastw2v.sampling.huffman import HuffmanTree


@pytest.fixture
def corpus() -> Corpus:
    random = np.random.default_rng(0)
    return Corpus.from_ids(random.integers(0, 1000, 20_000), np.arange(0, 20_001, 20))


def settings(**given: Any) -> TrainingConfig:
    return TrainingConfig(**{"vector_size": 100, "output_weight": 0.0} | given)


def bytes_of(estimated: Estimate) -> dict[str, int]:
    return {item.name: item.bytes for item in estimated.items}


def test_memory_for_each_purpose(corpus: Corpus):
    estimated = estimate_memory(corpus, settings(), device="cpu", engine="fused")
    assert (estimated.tokens, estimated.sentences, estimated.vocabulary) == (20_000, 1000, 1000)
    items = bytes_of(estimated)
    assert items["W_in"] == items["W_out"] == 1000 * 112 * 4  # rows are padded to 16 numbers
    assert items["ids"] == 80_000
    assert items["sentence offsets"] == 8 * 1001
    held = items["words"] + items["ids"] + items["sentence offsets"]
    assert estimated.needed("host") == sum(items.values()) - held
    assert estimated.problem() is None
    layers = estimate_memory(corpus, settings(), device="cpu", engine="layers")
    assert bytes_of(layers)["W_in"] == 1000 * 100 * 4


@pytest.mark.parametrize("engine", ["fused", "layers"])
@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("vectors", {"output_weight": 0.5}),
        ("losses of the epochs", {"epochs": 10**9}),
        ("copies for checkpoints", {"checkpoints": True}),
        ("copies for validation", {"validation": True}),
    ],
)
def test_memory_that_a_setting_adds(corpus: Corpus, engine: str, name: str, setting: dict[str, Any]):
    flags = {key: value for key, value in setting.items() if value is True}
    config = settings(**{key: value for key, value in setting.items() if value is not True})
    before = estimate_memory(corpus, settings(epochs=1), device="cpu", engine=engine)
    after = estimate_memory(corpus, config, device="cpu", engine=engine, **flags)
    assert bytes_of(after)[name] > bytes_of(before).get(name, 0) + 4 * 1000 * 100 - 1
    if name == "copies for validation":
        assert bytes_of(after)[name] == (8 * 100 + estimate.VALIDATION_BYTES_PER_WORD) * 1000


@pytest.mark.parametrize("D", [2, 100])
def test_memory_of_the_fit_of_ngrams(D: int):
    random = np.random.default_rng(0)
    words = ["".join(map(chr, random.integers(97, 123, random.integers(8, 16)))) for _ in range(30_000)]
    corpus = Corpus.from_sentences([words], min_count=1)
    V = len(corpus.vocabulary)
    subwords = Subwords(corpus.vocabulary.words, NGrams(3, 6, 2_000_000))
    config = settings(vector_size=D, subwords=(3, 6))
    run: dict[str, Any] = {"device": "cpu", "engine": "fused", "subwords": subwords}
    needed = bytes_of(estimate_memory(corpus, config, **run, fitting=True))["fit of the n-grams"]
    assert "fit of the n-grams" not in bytes_of(estimate_memory(corpus, config, **run))
    W = random.normal(size=(subwords.n_rows, D)).astype(np.float32)
    tracemalloc.start()
    fit_ngram_rows(W, subwords.starts, subwords.rows, np.arange(V), "cpu")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert needed - estimate.FIT_BYTES < peak < needed
    if D == 2:
        assert peak > estimate.FIT_BYTES  # the arrays that grow with the vocabulary are not hidden by this constant
    # The matrices and the fit are needed at the same time, but the fit and the buffers for training are not.
    single = estimate_memory(corpus, config, **run).needed("host")
    both = estimate_memory(corpus, config, **run, fitting=True).needed("host")
    assert single <= both < single + needed


def test_vectors_of_words_are_fitted_only_if_the_memory_suffices(monkeypatch: pytest.MonkeyPatch):
    sentences = [[f"word{i}" for i in range(1000)]]
    init = Word2Vec(vector_size=8, min_count=1, epochs=1).fit(sentences).wv
    model = Word2Vec(vector_size=8, min_count=1, epochs=1, subwords=(3, 4))
    monkeypatch.setattr(estimate, "free_memory", lambda threads: 20_000_000)
    model.fit(sentences)
    with pytest.raises(MemoryError, match=r"needs 2\d\.\d MB .* only 20\.0 MB are free"):
        model.fit(sentences, init=init)


@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_memory_of_hierarchical_softmax(corpus: Corpus, engine: str):
    flags = {"checkpoints": True, "validation": True}
    ns, hs, both = (
        estimate_memory(corpus, settings(loss=loss), device="cpu", engine=engine, **flags)
        for loss in ("ns", "hs", "hs+ns")
    )
    items = [bytes_of(one) for one in (ns, hs, both)]
    W_in, W_out = ([one[name] for one in items] for name in ("W_in", "W_out"))
    assert W_in == [W_in[0]] * 3
    assert W_out == [W_in[0], W_in[0], 2 * W_in[0]]
    assert "Huffman tree" not in items[0]
    tree = HuffmanTree.from_counts(corpus.vocabulary.counts)
    bytes_of_tree = sum(array.nbytes for array in tree)
    assert bytes_of_tree < items[1]["Huffman tree"] == items[2]["Huffman tree"] < 4 * bytes_of_tree
    for name, more in (("copies for checkpoints", 0), ("copies for validation", 1)):
        assert items[1][name] >= items[0][name] + more * bytes_of_tree
        assert items[2][name] >= items[0][name] + 4 * 1000 * 100 + more * bytes_of_tree
    assert hs.needed("host") < both.needed("host")
    if engine == "layers":
        longest = int(np.diff(tree.starts).max())
        rows = 4 * 100 * 16 * eager.BATCH_POOL_TOKENS * longest
        assert items[1]["batches"] > 4 * rows
        assert items[2]["batches"] > items[1]["batches"]


def test_the_tree_is_also_on_the_gpu(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(estimate, "free_device_memory", lambda device: 10_000_000_000)
    for engine in ("layers", "fused"):
        found = estimate_memory(corpus, settings(loss="hs+ns"), device="cuda", engine=engine)
        sizes = {(item.place, item.name): item.bytes for item in found.items}
        tree = HuffmanTree.from_counts(corpus.vocabulary.counts)
        assert sizes["device", "Huffman tree"] >= sum(array.nbytes for array in tree) - 8
        assert sizes["host", "Huffman tree"] > sizes["device", "Huffman tree"]
        assert sizes["device", "W_out"] == 2 * sizes["device", "W_in"]
        assert sizes["host", "vectors copied to the host"] == 4 * 3 * 1000 * 100


@pytest.mark.parametrize(
    "counts",
    [
        np.full(1000, 7),
        np.maximum(10**7 / np.arange(1, 20_001), 5).astype(np.int64),
        np.maximum(10**9 / np.arange(1, 5001) ** 1.2, 1).astype(np.int64),
        np.maximum(1e15 * 0.5 ** np.arange(500), 1).astype(np.int64),
        np.array([1, 1]),
        np.array([5, 0, 0]),
    ],
    ids=["equal", "Zipf", "steep", "geometric", "two words", "zero counts"],
)
def test_the_lengths_of_paths(counts: np.ndarray):
    lengths = np.diff(HuffmanTree.from_counts(counts).starts)
    mean, longest = estimate._path_lengths(counts)
    assert lengths.mean() <= mean <= lengths.mean() + 1
    assert lengths.max() <= longest <= lengths.max() + 4


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_buffers_grow_with_the_window_the_negatives_and_the_workers(model: str, engine: str):
    corpus = Corpus.from_ids(np.arange(20_000) % 1000, np.arange(0, 20_001, 5000))
    name = "buffers of the workers" if engine == "fused" else "batches"

    def buffers(workers: int = 1, **given: Any) -> int:
        config = settings(model=model, epochs=1, **given)
        return bytes_of(estimate_memory(corpus, config, device="cpu", engine=engine, workers=workers))[name]

    assert buffers(window=400) > 2 * buffers(window=40)
    assert buffers(window=10**9) == buffers(window=4999)  # no sentence is longer
    assert buffers(negative=1000) > 10 * buffers(negative=10)
    assert buffers(vector_size=1000) > 2 * buffers(vector_size=100)
    if engine == "fused":
        # Each thread copies the frequent rows that it uses four times between two write-backs.
        config = settings(model=model)
        for workers, tokens in (4, 2048), (5, 1638):
            rows = tokens // 4 + min(1000, int(tokens * (1 + config.pool_size / config.pool_tokens) / 4))
            assert buffers(workers=workers) == workers * (buffers() + 2 * rows * 112 * 4)
        assert buffers(workers=10**6) == buffers(workers=5)  # there are not more chunks


def test_matrices_that_are_already_allocated_are_not_counted(corpus: Corpus):
    fit, train = (
        estimate_memory(corpus, settings(), device="cpu", engine="fused", allocated=allocated)
        for allocated in (False, True)
    )
    assert fit.needed("host") - train.needed("host") == 2 * 1000 * 112 * 4 + estimate.INDEX_BYTES_PER_WORD * 1000


def test_on_a_gpu_the_layers_need_the_whole_corpus_and_the_fused_engine_two_shuffle_blocks(corpus: Corpus, monkeypatch):
    assert estimate.GPU_CORPUS_BYTES == 2 * 4 * gpu.MAX_SHUFFLE_BLOCK
    asked = []
    monkeypatch.setattr(estimate, "free_device_memory", lambda device: asked.append(device) or 10_000_000_000)
    monkeypatch.setattr(estimate, "GPU_CORPUS_BYTES", 50_000)
    layers, fused = (
        estimate_memory(corpus, settings(epochs=7), device="cuda:1", engine=engine) for engine in ("layers", "fused")
    )
    there = [{item.name: item.bytes for item in one.items if item.place == "device"} for one in (layers, fused)]
    assert there[0]["ids"] + there[0]["sentence offsets"] == 80_000 + 8 * 1001
    assert there[0]["batches"] > 256 * 64 * 10 * 100 * 4  # batches are larger on a GPU
    assert there[1]["ids, at most two shuffle blocks"] == 50_000
    assert there[1]["chunks of all epochs"] >= 36 * 7 * -(-20_000 // 8192)
    assert asked == ["cuda:1", "cuda:1"]


def test_a_corpus_in_a_file_takes_no_memory(corpus: Corpus, tmp_path: Path):
    corpus.save(tmp_path / "corpus.w2v")
    estimated = estimate_memory(Corpus.load(tmp_path / "corpus.w2v"), settings(), device="cpu", engine="fused")
    assert bytes_of(estimated)["ids, in a file"] == 0


@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_a_training_that_cannot_fit_does_not_begin(monkeypatch: pytest.MonkeyPatch, engine: str):
    if engine == "fused":
        pytest.importorskip("numba")
    corpus = Corpus.from_ids(np.arange(20_000) % 10_000, np.arange(0, 20_001, 20))
    given: dict[str, Any] = {"vector_size": 1000, "epochs": 2, "output_weight": 0.0}
    free = 0.7 * estimate_memory(corpus, settings(**given), device="cpu", engine=engine).needed("host")
    monkeypatch.setattr(estimate, "free_memory", lambda threads: int(free))
    model = Word2Vec(**given, engine=engine, workers=1)
    with pytest.raises(MemoryError, match=r"needs .* MB .* MB are free.* vector_size=\d+, .*max_vocab=\d+") as error:
        model.fit(corpus)
    assert not hasattr(model, "wv")
    # The settings suggested by the message fit, and larger ones do not.
    message = str(error.value)
    fitting = int(message.split("vector_size=")[1].split(",")[0])
    assert 16 <= fitting < 1000
    words = int(message.split("max_vocab=")[1].split(",")[0])

    def problem(vector_size: int, vocabulary: int) -> str | None:
        ids = corpus.ids % vocabulary
        ids[0] = vocabulary - 1
        fewer = Corpus.from_ids(ids, corpus.offsets)
        config = settings(**given | {"vector_size": vector_size})
        return estimate_memory(fewer, config, device="cpu", engine=engine).problem()

    assert problem(fitting, 10_000) is None
    assert problem(fitting + 16, 10_000) is not None
    assert problem(1000, words) is None
    assert problem(1000, words + 1) is not None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"negative": 10**6}, "negative"),
        ({"epochs": 10**9}, "epochs"),
        ({"window": 10**9, "vector_size": 5000}, "window"),
        ({"workers": 100_000, "negative": 500}, "workers"),
    ],
)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_the_message_names_the_setting_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch, model: str, given: dict[str, Any], named: str
):
    corpus = Corpus.from_ids(np.arange(200_000) % 1000, np.arange(0, 200_001, 5000))
    monkeypatch.setattr(estimate, "free_memory", lambda threads: 150_000_000)
    workers = given.get("workers", 1)
    given = {name: value for name, value in given.items() if name != "workers"}
    estimated = estimate_memory(corpus, settings(model=model, **given), device="cpu", engine="fused", workers=workers)
    message = str(estimated.problem())
    assert len(message) < 400
    value = int(message.split(f"{named}=")[1].split(",")[0])
    for now, fits in ((value, True), (value + 1, False)):
        number = now if named == "workers" else workers
        changed = settings(model=model, **given | ({} if named == "workers" else {named: now}))
        fitted = estimate_memory(corpus, changed, device="cpu", engine="fused", workers=number)
        assert (fitted.problem() is None) == fits


def test_the_message_if_several_settings_are_too_large(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(estimate, "free_memory", lambda threads: 1_000_000_000)
    wild = settings(window=10**9, epochs=10**9, negative=10**6)
    message = str(estimate_memory(corpus, wild, device="cpu", engine="fused", workers=99_999).problem())
    assert re.search(r"It would fit with .*epochs=5", message)
    assert "negative=5" in message
    assert "workers=1" in message
    assert len(message) < 400
    monkeypatch.setattr(estimate, "free_memory", lambda threads: 1000)
    assert str(estimate_memory(corpus, wild, device="cpu", engine="fused").problem()).endswith("fit with more memory")


def test_the_message_names_the_loss_that_needs_less(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    ns, hs, both = (settings(loss=loss, epochs=1) for loss in ("ns", "hs", "hs+ns"))
    needed = estimate_memory(corpus, ns, device="cpu", engine="fused").needed("host")
    monkeypatch.setattr(estimate, "free_memory", lambda threads: needed)
    message = str(estimate_memory(corpus, both, device="cpu", engine="fused").problem())
    assert "loss='ns'" in message
    assert "loss" not in str(estimate_memory(corpus, both, device="cpu", engine="fused").problem(fixed=True))
    monkeypatch.setattr(estimate, "free_memory", lambda threads: 10_000)
    message = str(estimate_memory(corpus, hs, device="cpu", engine="fused").problem())
    assert "negative" not in message


def test_copies_can_be_left_out(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    plain = estimate_memory(corpus, settings(epochs=1), device="cpu", engine="fused").needed("host")
    monkeypatch.setattr(estimate, "free_memory", lambda threads: plain)
    for flag, advice in (("checkpoints", "no checkpoints"), ("validation", "no validation")):
        found = estimate_memory(corpus, settings(epochs=1), device="cpu", engine="fused", **{flag: True})
        assert advice in str(found.problem())
        assert "vector_size" in str(found.problem())
        assert "vector_size" not in str(found.problem(fixed=True))


@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_a_run_that_continues_must_fit(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str):
    if engine == "fused":
        pytest.importorskip("numba")

    def interrupt(event: str, model: Word2Vec) -> None:
        if event == "epoch_end":
            raise KeyboardInterrupt

    model = Word2Vec(vector_size=16, epochs=2, engine=engine, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        model.fit(corpus, checkpoint=tmp_path / "run")
    before = model.W_in.copy()
    trained: list[Any] = []
    monkeypatch.setattr(Word2Vec, "_train", lambda *args: trained.append(args))
    monkeypatch.setattr("fastw2v.word2vec.Training", lambda *args, **_: trained.append(args))
    for free in (0, 250_000):  # before the matrices are allocated, and after
        monkeypatch.setattr(estimate, "free_memory", lambda threads, free=free: free)
        with pytest.raises(MemoryError, match=r"are free\. It would fit with more memory"):
            Word2Vec.resume(tmp_path / "run", corpus)
        with pytest.raises(MemoryError, match=r"are free\. It would fit with more memory"):
            model.train(corpus, epochs=1, checkpoint=tmp_path / "other")
    assert not trained
    assert not (tmp_path / "other").exists()
    np.testing.assert_array_equal(model.W_in, before)


@pytest.mark.slow
@pytest.mark.skipif(not os.access(memory_peaks.RESET, os.W_OK), reason="the peak of a process cannot be reset")
@pytest.mark.parametrize(("name", "engine", "model"), list(memory_peaks.combinations()))
def test_the_estimate_is_the_measured_peak(name: str, engine: str, model: str):
    if engine == "fused":
        pytest.importorskip("numba")
    needed, peak = memory_peaks.measured(name, engine, model)
    assert peak > 100e6
    assert 0.94 * peak < needed < 1.3 * peak
    if name in ("large matrices", "checkpoints", "validation"):
        assert needed < 1.15 * peak


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
