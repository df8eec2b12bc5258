"""Word2Vec and WordVectors with hierarchical softmax: training, files, continued runs and changed vocabularies."""

from __future__ import annotations

import copy
import logging
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Vocabulary, Word2Vec, WordVectors, formats
from fastw2v.config import CHUNK_TOKENS
from fastw2v.engines import cpu
from fastw2v.sampling.huffman import HuffmanTree
from tests.test_checkpoint import Interrupt, assert_same, interrupted
from tests.test_word2vec import themes

LOSSES = ["hs", "hs+ns"]
needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]
SETTINGS: dict[str, Any] = {"vector_size": 8, "epochs": 3, "workers": 1, "min_count": 1, "engine": "layers"}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    made = Corpus.from_sentences(themes(2500), min_count=1)
    assert len(made) > 2 * CHUNK_TOKENS
    return made


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module", params=LOSSES)
def trained(request: pytest.FixtureRequest, engine: Any, corpus: Corpus) -> Word2Vec:
    """Return a model that a test must not change."""
    return Word2Vec(**SETTINGS | {"loss": request.param, "engine": engine}).fit(corpus)


def like(model: Word2Vec, **changes: Any) -> Word2Vec:
    """Return an untrained model with the loss and the engine of another."""
    return Word2Vec(**SETTINGS | {"loss": model.loss, "engine": model.engine} | changes)


def tables_of(vectors: WordVectors) -> list[bytes]:
    """Return the bytes of all matrices."""
    return [
        W.tobytes()
        for W in (vectors.input_vectors, vectors.context_vectors, vectors.node_vectors, vectors.vectors)
        if W is not None
    ]


def at_start(seen: list[Any]) -> Any:
    """Return a callback that keeps copies of the matrices with which training begins."""

    def callback(event: str, model: Word2Vec) -> None:
        if event == "train_begin":
            wv = model.wv
            seen.append(
                [None if W is None else W.copy() for W in (wv.input_vectors, wv.context_vectors, wv.node_vectors)]
            )

    return callback


# Training


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("loss", LOSSES)
def test_neighbours_share_a_theme(engine: Any, model: Any, loss: Any) -> None:
    settings = {"vector_size": 16, "sample": 0, "epochs": 15, "workers": 1, "window": 8}
    fitted = Word2Vec(model=model, loss=loss, engine=engine, **settings).fit(themes())
    for theme in range(4):
        near = [word for word, _ in fitted.wv.most_similar(f"t{theme}w0", topn=5)]
        assert all(word.startswith(f"t{theme}") for word in near), near
    assert fitted.epoch_losses[-1] < fitted.epoch_losses[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_tables_of_each_loss(loss: Any, corpus: Corpus) -> None:
    V = len(corpus.vocabulary)
    wv = Word2Vec(loss=loss, **SETTINGS).fit(corpus).wv
    assert wv.node_vectors.shape == (V, 8)
    assert wv.node_vectors[:-1].any(axis=1).all()  # all inner nodes are trained
    assert not wv.node_vectors[-1].any()
    assert not wv.node_vectors.flags.writeable
    assert (wv.context_vectors is None) == (loss == "hs")
    assert np.array_equal(wv.vectors, wv.input_vectors)


def test_the_same_seed_gives_the_same_bytes(trained: Word2Vec, corpus: Corpus) -> None:
    again = like(trained).fit(corpus)
    assert_same(again, trained)
    other = like(trained, seed=2).fit(corpus)
    assert other.wv.node_vectors.tobytes() != trained.wv.node_vectors.tobytes()


def test_vectors_can_be_combined_with_the_output_vectors_of_words(corpus: Corpus) -> None:
    wv = Word2Vec(loss="hs+ns", output_weight=0.5, **SETTINGS).fit(corpus).wv
    assert np.array_equal(wv.vectors, wv.context_vectors * np.float32(0.5) + wv.input_vectors)
    with pytest.raises(ValueError, match="with loss='hs' the words have no output vectors"):
        Word2Vec(loss="hs", output_weight=0.5)


def test_the_settings_contain_what_has_an_effect(trained: Word2Vec) -> None:
    assert trained.wv.settings["loss"] == trained.loss
    has_negatives = trained.loss == "hs+ns"
    for name in ("negative", "ns_exponent"):
        assert (name in trained.wv.settings) == has_negatives


def test_settings_without_effect_are_named(corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    small = Corpus.from_sentences(themes(20), min_count=1)
    with caplog.at_level(logging.WARNING, "fastw2v"):
        Word2Vec(loss="hs", negative=7, ns_exponent=0.5, **SETTINGS).build_vocab(small)
    assert [record.getMessage() for record in caplog.records] == [
        "negative is 7, but it has no effect on hierarchical softmax, only on negative sampling",
        "ns_exponent is 0.5, but it has no effect on hierarchical softmax, only on negative sampling",
    ]
    caplog.clear()
    Word2Vec(loss="hs+ns", negative=7, ns_exponent=0.5, **SETTINGS).build_vocab(small)
    Word2Vec(loss="hs", negative=0, **SETTINGS).build_vocab(small)
    assert not caplog.records


def test_zero_negatives_need_hierarchical_softmax(corpus: Corpus, trained: Word2Vec) -> None:
    if trained.loss == "hs":
        without = like(trained, negative=0).fit(corpus)
        assert tables_of(without.wv) == tables_of(trained.wv)
    for loss in ("ns", "hs+ns"):
        with pytest.raises(ValueError, match="negative is 0; it must be at least 1"):
            Word2Vec(loss=loss, negative=0)
    with pytest.raises(ValueError, match="negative is -1; it must be at least 0"):
        Word2Vec(loss="hs", negative=-1)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_vocabulary_of_one_word_is_refused(loss: Any) -> None:
    with pytest.raises(ValueError, match="the vocabulary has only one word, 'a'"):
        Word2Vec(loss=loss, **SETTINGS).fit([["a", "a"]] * 20)
    assert Word2Vec(loss=loss, **SETTINGS).fit([["a", "b"]] * 20).wv.node_vectors[0].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_vectors_are_those_with_the_lowest_loss_on_held_out_text(loss: Any, engine: Any) -> None:
    seen: dict[int, list[bytes]] = {}

    def keep(event: str, model: Word2Vec) -> None:
        seen[model.validation_history[-1][0]] = tables_of(model.wv)

    keep.events = ["validation"]  # type: ignore[attr-defined]
    how = SETTINGS | {
        "epochs": 40,
        "alpha": 0.1,
        "min_alpha": 0.1,
        "callbacks": [keep],
        "engine": engine,
    }  # it learns the text by heart
    model = Word2Vec(loss=loss, **how).fit(themes(60), validation=0.2)
    losses = dict(model.validation_history)
    best = min(losses, key=losses.__getitem__)
    assert losses[best] < 0.9 * model.validation_history[0][1]
    assert losses[best] < 0.9 * model.validation_history[-1][1]
    assert tables_of(model.wv) == seen[best]
    assert model.wv.settings["validation_words"] == best


@pytest.mark.parametrize("loss", LOSSES)
def test_words_in_korean(loss: Any, tmp_path: Path) -> None:
    sentences = [["고양이", "가", "잔다"], ["강아지", "가", "잔다"], ["비", "가", "온다"]] * 100
    model = Word2Vec(loss=loss, **SETTINGS).fit(sentences)
    model.save(tmp_path / "한국어.safetensors")
    loaded = Word2Vec.load(tmp_path / "한국어.safetensors")
    assert loaded.wv.index_to_key[0] == "가"
    assert tables_of(loaded.wv) == tables_of(model.wv)


# Continued training


@pytest.mark.parametrize("via", ["file", "pickle", "assignment"])
def test_training_goes_on_with_the_same_bytes(via: str, trained: Word2Vec, corpus: Corpus, tmp_path: Path) -> None:
    unbroken = copy.deepcopy(trained).train(corpus, epochs=2)
    if via == "file":
        trained.save(tmp_path / "model.safetensors")
        other = Word2Vec.load(tmp_path / "model.safetensors").set_params(engine=trained.engine)
    elif via == "pickle":
        other = pickle.loads(pickle.dumps(trained))
    else:
        other = copy.deepcopy(trained)
        other.wv.node_vectors = trained.wv.node_vectors  # it is read-only, and not in one array with the other part
    before = tables_of(trained.wv)
    other.train(corpus, epochs=2)
    assert tables_of(other.wv) == tables_of(unbroken.wv) != before
    assert other.epoch_losses == unbroken.epoch_losses
    assert tables_of(trained.wv) == before


def test_a_pickle_contains_each_matrix_once(trained: Word2Vec) -> None:
    matrices = sum(len(data) for data in tables_of(trained.wv)[:-1])
    assert matrices < len(pickle.dumps(trained.wv)) < matrices + 4000


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", ["cbow", pytest.param("skipgram", marks=pytest.mark.slow)])
@pytest.mark.parametrize("validation", [None, 0.1])
def test_a_resumed_run_ends_with_the_bytes_of_an_unbroken_one(
    loss: Any, model: Any, validation: Any, engine: Any, corpus: Corpus, tmp_path: Path
) -> None:
    settings = SETTINGS | {"loss": loss, "model": model, "engine": engine}
    unbroken = Word2Vec(**settings).fit(corpus, validation=validation)
    half = 3 * len(corpus) // 2
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**settings).fit(
            corpus, validation=validation, checkpoint=tmp_path / "run", checkpoint_every=1e-6, progress=Interrupt(half)
        )
    resumed = Word2Vec.resume(tmp_path / "run", corpus)
    assert_same(resumed, unbroken)
    assert resumed.validation_history == unbroken.validation_history
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), unbroken)  # a complete run returns its result


def test_a_checkpoint_with_combined_vectors(corpus: Corpus, tmp_path: Path) -> None:
    settings = SETTINGS | {"loss": "hs+ns", "output_weight": 0.3}
    interrupted(Word2Vec(**settings), corpus, tmp_path / "run", len(corpus))
    checkpoint = max((tmp_path / "run").glob("checkpoint-*"))
    wv = WordVectors.load(checkpoint)
    assert np.array_equal(wv.vectors, wv.context_vectors * np.float32(0.3) + wv.input_vectors)
    assert wv.node_vectors.any()
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), Word2Vec(**settings).fit(corpus))


def test_matrices_that_are_assigned_are_trained(trained: Word2Vec, corpus: Corpus) -> None:
    model = copy.deepcopy(trained)
    seen: list[Any] = []
    model.callbacks = [at_start(seen)]
    nodes = np.random.default_rng(0).normal(size=model.wv.node_vectors.shape).astype(np.float32)
    context = model.wv.context_vectors
    model.wv.node_vectors = nodes.copy()
    model.train(corpus, epochs=1)
    assert np.array_equal(seen[0][2], nodes)
    assert context is None or np.array_equal(seen[0][1], context)
    assert not np.array_equal(model.wv.node_vectors, nodes)


def test_a_callback_can_assign_the_matrices(trained: Word2Vec, corpus: Corpus) -> None:
    def reset(event: str, model: Word2Vec) -> None:
        if event == "epoch_begin":
            model.wv.node_vectors = np.full_like(model.wv.node_vectors, 0.25)

    model = copy.deepcopy(trained)
    model.callbacks = [reset]
    model.train(corpus, epochs=1, alpha=1e-9, min_alpha=1e-9)
    assert np.allclose(model.wv.node_vectors, 0.25, atol=1e-4)

    def remove(event: str, model: Word2Vec) -> None:
        if event == "epoch_begin":
            model.wv.node_vectors = None

    model.callbacks = [remove]
    with pytest.raises(ValueError, match="a callback has replaced a matrix of shape"):
        model.train(corpus, epochs=1)


def test_another_loss_cannot_continue(trained: Word2Vec, corpus: Corpus) -> None:
    for loss in {"ns", "hs", "hs+ns"} - {trained.loss}:
        model = copy.deepcopy(trained).set_params(loss=loss)
        before = tables_of(model.wv)
        for continued in (model.train, lambda corpus, model=model: model.build_vocab(corpus, update=True)):
            with pytest.raises(ValueError, match=f"is that of loss='{re.escape(trained.loss)}', but now loss='"):
                continued(corpus)
        assert tables_of(model.wv) == before
        assert model.fit(corpus).wv._loss == loss


def test_without_its_nodes_a_model_cannot_continue(trained: Word2Vec, corpus: Corpus, tmp_path: Path) -> None:
    model = copy.deepcopy(trained)
    model.wv.node_vectors = None
    with pytest.raises(ValueError, match=r"the vectors have no output matrix|the model is that of loss='ns'"):
        model.train(corpus)
    model.save(tmp_path / "model.safetensors")
    if trained.loss == "hs":
        with pytest.raises(ValueError, match="contains vectors, not a model"):
            Word2Vec.load(tmp_path / "model.safetensors")
    else:
        assert Word2Vec.load(tmp_path / "model.safetensors").loss == "hs+ns"


def test_a_corpus_with_other_counts_is_trained_with_the_tree_of_the_model(trained: Word2Vec, corpus: Corpus) -> None:
    words = corpus.vocabulary.words
    other = Corpus(corpus.ids, corpus.offsets, Vocabulary(words, corpus.vocabulary.counts[::-1].copy()))
    tree, reversed_tree = (HuffmanTree.from_counts(one.vocabulary.counts) for one in (corpus, other))
    assert not np.array_equal(tree.starts, reversed_tree.starts)
    unbroken, continued = copy.deepcopy(trained), copy.deepcopy(trained)
    assert tables_of(unbroken.train(corpus, epochs=1).wv) == tables_of(continued.train(other, epochs=1).wv)
    assert np.array_equal(continued.wv.counts, corpus.vocabulary.counts)
    held_out = copy.deepcopy(trained).train(corpus, epochs=1, validation=other).validation_history
    assert held_out == copy.deepcopy(trained).train(corpus, epochs=1, validation=corpus).validation_history
    ids = np.repeat(np.arange(40)[::-1], np.arange(40))
    by_number = like(trained).fit(ids)
    assert by_number.train(np.arange(40)).wv.settings["trained_epochs"] == 6  # an array of the same ids, other counts


# Pretrained and frozen vectors, and larger vocabularies


def test_initial_vectors_with_the_same_tree(trained: Word2Vec, corpus: Corpus) -> None:
    seen: list[Any] = []
    like(trained, callbacks=[at_start(seen)]).fit(corpus, init=trained.wv)
    given = (trained.wv.input_vectors, trained.wv.context_vectors, trained.wv.node_vectors)
    for found, expected in zip(seen[0], given, strict=True):
        assert np.array_equal(found, expected) if expected is not None else found is None


@pytest.mark.parametrize("change", ["counts", "words"])
def test_initial_vectors_with_another_tree(change: str, trained: Word2Vec, corpus: Corpus) -> None:
    seen: list[Any] = []
    words, counts = list(corpus.vocabulary.words), corpus.vocabulary.counts.copy()
    if change == "counts":
        counts[0] += 1
    else:
        words[3] = "new"
    other = Corpus(corpus.ids, corpus.offsets, Vocabulary(words, counts))
    like(trained, callbacks=[at_start(seen)]).fit(other, init=trained.wv)
    W_in, context, nodes = seen[0]
    same = [row for row, word in enumerate(words) if word != "new"]
    assert np.array_equal(W_in[same], trained.wv.input_vectors[same])
    if trained.loss == "hs+ns":
        assert np.array_equal(context[same], trained.wv.context_vectors[same])
    assert not nodes.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_initial_vectors_of_negative_sampling(loss: Any, corpus: Corpus) -> None:
    seen: list[Any] = []
    init = Word2Vec(**SETTINGS).fit(corpus).wv
    Word2Vec(loss=loss, callbacks=[at_start(seen)], **SETTINGS).fit(corpus, init=init)
    W_in, context, nodes = seen[0]
    assert np.array_equal(W_in, init.input_vectors)
    assert context is None if loss == "hs" else np.array_equal(context, init.context_vectors)
    assert not nodes.any()


def test_frozen_words_keep_their_bytes(trained: Word2Vec, corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    model = copy.deepcopy(trained)
    frozen = model.wv.index_to_key[::2]
    with caplog.at_level(logging.WARNING, "fastw2v"):
        model.train(corpus, epochs=1, freeze=frozen)
    for name in ("input_vectors", "context_vectors"):
        before, after = getattr(trained.wv, name), getattr(model.wv, name)
        if before is not None:
            assert before[::2].tobytes() == after[::2].tobytes()
            assert (before[1::2] != after[1::2]).any(axis=1).all()
    assert (trained.wv.node_vectors != model.wv.node_vectors)[:-1].any(axis=1).all()
    assert not caplog.records


@pytest.mark.parametrize("loss", ["ns", *LOSSES])
def test_only_negative_sampling_warns_of_frozen_words_without_output_vectors(
    loss: Any, corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    words = corpus.vocabulary.words[:2]
    init = WordVectors(words, np.eye(2, 8, dtype=np.float32))
    with caplog.at_level(logging.WARNING, "fastw2v"):
        model = Word2Vec(loss=loss, **SETTINGS).fit(corpus, init=init, freeze="init")
    assert [record.getMessage() for record in caplog.records if "are zero" in record.getMessage()] == (
        [
            "the context vectors of 2 frozen words are zero, so other words learn nothing from these words. Use an "
            "init that has context vectors, such as a model written by Word2Vec.save"
        ]
        if loss == "ns"
        else []
    )
    assert np.array_equal(model.wv[words], init.vectors)


def test_a_larger_vocabulary_has_another_tree(trained: Word2Vec, corpus: Corpus) -> None:
    model = copy.deepcopy(trained)
    old = model.wv
    model.build_vocab([["new", "t0w0", "t0w1"]] * 50, update=True)
    assert len(model.wv) == len(old) + 1
    assert np.array_equal(model.wv[old.index_to_key], old.vectors)
    assert model.wv.node_vectors.shape == (len(old) + 1, 8)
    assert not model.wv.node_vectors.any()
    if trained.loss == "hs+ns":
        rows = [model.wv.key_to_index[word] for word in old.index_to_key]
        assert np.array_equal(model.wv.context_vectors[rows], old.context_vectors)
    new = model.wv["new"].copy()
    model.train([["new", "t0w0", "t0w1"]] * 50)
    assert not np.array_equal(model.wv["new"], new)
    assert model.wv.node_vectors.any()


# Files and operations of WordVectors


def made(V: int = 6, D: int = 3) -> WordVectors:
    draw = np.random.default_rng(0).normal(size=(3, V, D)).astype(np.float32)
    words = [f"w{i}" for i in range(V)]
    return WordVectors(words, draw[0], np.arange(V, 0, -1), draw[1], node_vectors=draw[2])


@pytest.mark.parametrize("name", ["vectors.safetensors", "vectors.npz"])
def test_lossless_files_store_the_nodes(name: str, tmp_path: Path) -> None:
    wv = made()
    wv.save(tmp_path / name)
    loaded = WordVectors.load(tmp_path / name)
    assert tables_of(loaded) == tables_of(wv)
    assert tables_of(WordVectors.load(tmp_path / name, limit=6)) == tables_of(wv)
    first = WordVectors.load(tmp_path / name, limit=5)
    assert first.node_vectors is None
    assert np.array_equal(first.context_vectors, wv.context_vectors[:5])


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.bin", "vectors.vec", "vectors.glove", "vectors.tsv"])
def test_other_files_leave_the_nodes_out(name: str, tmp_path: Path) -> None:
    made().save(tmp_path / name)
    assert WordVectors.load(tmp_path / name).node_vectors is None


@pytest.mark.parametrize("name", ["vectors.safetensors", "vectors.npz"])
def test_damaged_nodes_are_refused(name: str, tmp_path: Path) -> None:
    wv = made()
    record = formats.VectorRecord(wv.index_to_key, wv.vectors, wv.counts, node_vectors=wv.vectors[:, :2])
    with pytest.raises(ValueError, match=r"node_vectors has shape \(6, 2\); it must have the same shape as vectors"):
        formats.write(record, tmp_path / name)
    if name.endswith(".npz"):
        wv.save(tmp_path / name)
        arrays = dict(np.load(tmp_path / name))
        np.savez(tmp_path / name, **arrays | {"node_vectors": arrays["node_vectors"][:4]})
        with pytest.raises(formats.FormatError, match=r"node_vectors has shape \(4, 3\)"):
            WordVectors.load(tmp_path / name)


def test_selected_words_have_no_nodes() -> None:
    wv = made()
    other = WordVectors(["new"], np.ones((1, 3), np.float32))
    selected = [wv[:4], wv[::2], wv & ["w1", "w2"], wv - ["w0"], wv | other, wv[:]]
    for one in selected:
        assert one.node_vectors is None
    assert (wv | wv).node_vectors is not None  # the same object, because there is no new word


def test_aligned_vectors_give_the_same_probabilities() -> None:
    wv = made()
    turned = wv.align(WordVectors(wv.index_to_key, np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)))
    assert not np.allclose(turned.node_vectors, wv.node_vectors)
    assert np.allclose(turned.vectors @ turned.node_vectors.T, wv.vectors @ wv.node_vectors.T, atol=1e-5)


def test_the_shapes_must_match() -> None:
    wv = made()
    with pytest.raises(ValueError, match=r"node_vectors has shape \(5, 3\); it must have the same shape as vectors"):
        wv.node_vectors = np.ones((5, 3))
    wv.context_vectors = None
    with pytest.raises(
        ValueError, match=r"must have the same shape as node_vectors, .* first set node_vectors to None"
    ):
        wv.vectors = np.ones((6, 2))
    wv.node_vectors = None
    wv.vectors = np.ones((6, 2))
    assert wv.vector_size == 2
