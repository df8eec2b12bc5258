"""Word2Vec with frozen words: their vectors stay bit for bit, and the other words learn."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.compat import gensim
from fastw2v.engines import cpu
from fastw2v.run import Run
from tests.test_checkpoint import SETTINGS, EachStep, Interrupt, assert_same, text
from tests.test_word2vec import themes

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]
NEW = [["newword", *(f"t1w{i}" for i in (j % 8, (j + 3) % 8, (j + 5) % 8))] for j in range(300)]
"""Sentences with a word that `themes` does not have, next to the words of a theme."""


@pytest.fixture(scope="module")
def pretrained() -> Word2Vec:
    return Word2Vec(vector_size=16, sample=0, epochs=10, workers=1, window=8).fit(themes())


def rows_of(vectors: WordVectors, words: list[str]) -> list[bytes]:
    """Return the bytes of the vectors and of both matrices in the rows of some words."""
    ids = [vectors.key_to_index[word] for word in words]
    return [W[ids].tobytes() for W in (vectors.vectors, vectors.input_vectors, vectors.context_vectors)]


def nearest_themes(vectors: WordVectors) -> list[str]:
    """Return the themes of the four words nearest to the new word, without the words that all themes share."""
    nearest = [word for word, _ in vectors.most_similar("newword", topn=35)]
    return [word[:2] for word in nearest if not word.startswith("common")][:4]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("settings", [{"workers": 1}, {"workers": 3}, {"deterministic": True}])
def test_a_new_word_joins_its_theme_and_the_others_stay(engine, model, settings, pretrained):
    old, words = pretrained.wv, list(pretrained.wv.index_to_key)
    how = {"vector_size": 16, "model": model, "engine": engine, "sample": 0, "epochs": 10, "output_weight": 0.4}
    events = []
    fitted = Word2Vec(**how, **settings, callbacks=[lambda event, model: events.append(event)])
    fitted.fit(themes() + NEW, init=old, freeze="init")
    assert rows_of(fitted.wv, words) == rows_of(old, words)
    assert events.count("epoch_end") == 10
    assert fitted.wv.settings["frozen"] == fitted.known_words_ == len(words)
    assert nearest_themes(fitted.wv) == ["t1"] * 4
    assert fitted.epoch_losses[-1] < fitted.epoch_losses[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_words_are_added_to_a_saved_model(engine, pretrained, tmp_path):
    pretrained.save(tmp_path / "old.safetensors")
    model = Word2Vec.load(tmp_path / "old.safetensors")
    model.engine = engine
    old = list(model.wv.index_to_key)
    model.build_vocab(NEW, update=True)
    start = model.wv["newword"].copy()
    model.train(NEW, epochs=10, freeze=old)
    assert rows_of(model.wv, old) == rows_of(pretrained.wv, old)
    assert nearest_themes(model.wv) == ["t1"] * 4
    assert (model.wv["newword"] != start).all()
    model.save(tmp_path / "new.safetensors")
    saved = WordVectors.load(tmp_path / "new.safetensors")
    assert saved.settings["frozen"] == len(old)
    assert rows_of(saved, old) == rows_of(pretrained.wv, old)
    model.train(NEW, epochs=1)  # the settings describe the last run
    assert "frozen" not in model.wv.settings
    assert rows_of(model.wv, old)[1] != rows_of(pretrained.wv, old)[1]


@pytest.mark.parametrize("which", ["first", "last", "several"])
@pytest.mark.parametrize("kind", [list, tuple, set, np.array, iter])
def test_any_sequence_of_words(which, kind, pretrained):
    words = pretrained.wv.index_to_key
    chosen = {"first": words[:1], "last": words[-1:], "several": [words[3], words[0], words[3]]}[which]
    others = [word for word in words if word not in chosen]
    model = Word2Vec(vector_size=16, epochs=1, workers=1).fit(themes(), init=pretrained.wv, freeze=kind(chosen))
    assert rows_of(model.wv, chosen) == rows_of(pretrained.wv, chosen)
    assert all((model.wv[word] != pretrained.wv[word]).any() for word in others)
    assert model.wv.settings["frozen"] == len(set(chosen))


def test_words_that_are_integers():
    ids, offsets = np.arange(600) % 7, np.arange(0, 601, 20)
    corpus = Corpus.from_ids(ids=ids, offsets=offsets)
    model = Word2Vec(vector_size=6, epochs=1, workers=1, sample=0).fit(corpus)
    before = model.wv.input_vectors.copy()
    model.train(corpus, freeze=np.array([2, 5]))
    same = [word for word in range(7) if model.wv[word].tobytes() and (model.W_in[word] == before[word]).all()]
    assert [model.wv.index_to_key[i] for i in same] == [2, 5]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
@pytest.mark.parametrize("words", [1, 60_000])
def test_a_continued_run_keeps_the_frozen_words(engine: Any, model: Any, words: int, tmp_path: Path) -> None:
    corpus = Corpus.from_sentences(text(), min_count=1)
    settings = SETTINGS | {"model": model, "engine": engine}
    start = Word2Vec(**settings).fit(corpus)
    frozen = corpus.vocabulary.words[:60:3]
    unbroken = Word2Vec(**settings).fit(corpus, init=start.wv, freeze=frozen)
    broken = Word2Vec(**settings)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(
            corpus, init=start.wv, freeze=frozen, checkpoint=EachStep(tmp_path / "run"), progress=Interrupt(words)
        )
    assert broken.wv.settings["frozen"] == 20
    assert_same(Word2Vec.resume(tmp_path / "run", corpus), unbroken)
    assert_same(Word2Vec.resume(tmp_path / "run"), unbroken)  # the run is complete
    assert rows_of(unbroken.wv, frozen) == rows_of(start.wv, frozen)
    assert unbroken.wv.settings["frozen"] == 20


def test_a_continued_run_of_train_keeps_the_frozen_words(tmp_path: Path) -> None:
    sentences = text(1200)
    models = [Word2Vec(**SETTINGS).fit(sentences) for _ in range(2)]
    frozen = models[0].wv.index_to_key[:5]
    models[0].train(sentences, freeze=frozen)
    with pytest.raises(KeyboardInterrupt):
        models[1].train(sentences, freeze=frozen, checkpoint=EachStep(tmp_path / "run"), progress=Interrupt(20_000))
    assert_same(Word2Vec.resume(tmp_path / "run", sentences), models[0])


def test_a_checkpoint_without_a_list_of_frozen_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of earlier versions have no such list."""
    sentences, to_json = text(1200), Run.to_json
    unbroken = Word2Vec(**SETTINGS).fit(sentences)

    def without_list(self: Run) -> dict[str, Any]:
        return {name: value for name, value in to_json(self).items() if name != "frozen"}

    monkeypatch.setattr(Run, "to_json", without_list)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS).fit(sentences, checkpoint=EachStep(tmp_path / "run"), progress=Interrupt(20_000))
    assert_same(Word2Vec.resume(tmp_path / "run", sentences), unbroken)


def test_the_gensim_interface_accepts_frozen_words(pretrained):
    model = gensim.Word2Vec(vector_size=16, min_count=1, workers=1)
    model.fit(themes() + NEW, init=pretrained.wv, freeze="init")
    words = list(pretrained.wv.index_to_key)
    assert rows_of(model.wv, words)[1:] == rows_of(pretrained.wv, words)[1:]


def test_a_warning_if_the_others_learn_nothing_from_a_frozen_word(pretrained, caplog):
    vectors = WordVectors(pretrained.wv.index_to_key, pretrained.wv.vectors)
    with caplog.at_level(logging.WARNING):
        Word2Vec(vector_size=16, epochs=1).fit(themes() + NEW, init=pretrained.wv, freeze="init")
        assert not caplog.messages
        model = Word2Vec(vector_size=16, epochs=1, output_weight=0).fit(themes() + NEW, init=vectors, freeze="init")
    (message,) = caplog.messages
    assert message.startswith("the context vectors of 35 frozen words are zero, so other words learn nothing from")
    for word in vectors.index_to_key:
        assert model.wv[word].tobytes() == vectors[word].tobytes()


WRONG = {
    "no words": ([], ValueError, "freeze contains no word; omit it to train all words"),
    "another string": ("t0w1", ValueError, "freeze is 't0w1'; it must be a list of words, or 'init'"),
    "a number": (3, TypeError, "freeze is 3 of type int; pass a list of words"),
    "bytes": (b"init", TypeError, "freeze is b'init' of type bytes; pass a list of words"),
    "unknown words": (
        ["t0w1", "owl", "elk"],
        ValueError,
        r"freeze contains 2 words that the vocabulary of 35 words does not have: \['owl', 'elk'\]\. Remove them",
    ),
    "a list": ([["t0w1"]], ValueError, r"freeze contains 1 word that .* does not have: \[\['t0w1'\]\]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_words_that_cannot_be_frozen(case, pretrained):
    freeze, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        Word2Vec(vector_size=16).fit(themes(), freeze=freeze)
    before, epochs = pretrained.wv.vectors.tobytes(), pretrained.trained_epochs
    for method in (pretrained.fit, pretrained.train):  # the trained model is not changed
        with pytest.raises(error, match=message):
            method(themes(), freeze=freeze)
    assert (pretrained.wv.vectors.tobytes(), pretrained.trained_epochs) == (before, epochs)


def test_init_and_all_words_cannot_be_frozen(pretrained):
    before = pretrained.wv.vectors.tobytes()
    for fit in (Word2Vec(vector_size=16).fit, pretrained.fit):
        with pytest.raises(ValueError, match="freeze is 'init', but there are no initial vectors; set init"):
            fit(themes(), freeze="init")
    with pytest.raises(ValueError, match="freeze is 'init', which only fit supports; pass a list of words"):
        pretrained.train(themes(), freeze="init")
    everything = "contains all 35 words of the vocabulary, so nothing can be trained; freeze fewer words"
    with pytest.raises(ValueError, match=f"^freeze {everything}"):
        pretrained.train(themes(), freeze=pretrained.wv.index_to_key)
    with pytest.raises(ValueError, match=f"^freeze is 'init', and init {everything}"):
        Word2Vec(vector_size=16).fit(themes(), init=pretrained.wv, freeze="init")
    assert pretrained.wv.vectors.tobytes() == before
