"""Word2Vec with n-grams of jamo and of syllables, compared with texts that are decomposed or composed before."""

from __future__ import annotations

import copy
import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import UnknownWordError, Word2Vec, WordVectors
from fastw2v.checkpoint import Checkpoints
from fastw2v.config import Units
from tests import test_subwords
from tests.corpus.test_hangul import ODD, in_letters

STEMS = ["먹", "닫", "잡", "찾", "믿", "읽", "웃", "걷"]
ENDINGS = ["는다", "었다", "고", "으면", "지만"]
SETTINGS: dict[str, Any] = {"vector_size": 16, "subwords": (3, 5), "epochs": 2, "workers": 1, "min_count": 1}
ALL_UNITS: list[Units] = ["characters", "syllables", "jamo"]


def sentences(n: int = 200, seed: int = 0) -> list[list[str]]:
    """Return Korean sentences in which the ending of a word is followed by a marker of its own."""
    return test_subwords.sentences(n, seed, STEMS, ENDINGS, marker="{0}k팝é")


def converted(lines: list[list[str]], convert: Any) -> list[list[str]]:
    return [list(map(convert, line)) for line in lines]


def nfd(word: str) -> str:
    return unicodedata.normalize("NFD", word)


def same(a: Word2Vec, b: Word2Vec) -> bool:
    return all(np.array_equal(x, y) for x, y in ((a.W_in, b.W_in), (a.W_out, b.W_out), (a.wv.vectors, b.wv.vectors)))


@pytest.fixture(scope="module")
def jamo() -> Word2Vec:
    return Word2Vec(**SETTINGS, units="jamo").fit(sentences())


@pytest.mark.parametrize("hash_count", [None, 2])
@pytest.mark.parametrize("kind", ["cbow", "skipgram"])
def test_jamo_are_the_characters_of_the_decomposed_text(kind: str, hash_count: int | None):
    settings = SETTINGS | {"model": kind, "bucket": 500, "hash_count": hash_count}
    ours = Word2Vec(**settings, units="jamo").fit(sentences())
    letters = Word2Vec(**settings).fit(converted(sentences(), in_letters))
    assert letters.wv.index_to_key == list(map(in_letters, ours.wv.index_to_key))
    assert same(ours, letters)
    np.testing.assert_array_equal(ours.wv["먹었지만"], letters.wv[in_letters("먹었지만")])


def test_syllables_are_the_characters_of_composed_text():
    ours = Word2Vec(**SETTINGS, units="syllables").fit(converted(sentences(), nfd))
    assert same(ours, Word2Vec(**SETTINGS).fit(sentences()))


@pytest.mark.parametrize("units", ALL_UNITS)
def test_both_forms_train_the_same_model(units: Units):
    """Words with equal counts are in the order of their first appearance, which is that of both texts."""
    composed = Word2Vec(**SETTINGS, units=units).fit(sentences())
    others = Word2Vec(**SETTINGS, units=units).fit(converted(sentences(), nfd))
    assert others.wv.index_to_key == list(map(nfd, composed.wv.index_to_key))
    assert same(composed, others) == (units != "characters")


def test_models_keep_the_units(jamo: Word2Vec, tmp_path: Path):
    jamo.save(tmp_path / "model.safetensors")
    loaded = Word2Vec.load(tmp_path / "model.safetensors")
    assert loaded.units == "jamo"
    assert (loaded.wv.settings or {})["units"] == "jamo"
    again = Word2Vec(**SETTINGS, units="jamo").fit(sentences())
    for one in (loaded, again):
        one.train(sentences(seed=1), epochs=1)
    assert same(loaded, again)


def test_other_units_are_refused(jamo: Word2Vec):
    has = r"init has n-grams of 3 to 5 jamo in 2,000,000 buckets, but n-grams of 3 to 5 syllables in 2,000,000 buckets"
    with pytest.raises(ValueError, match=has):
        Word2Vec(**SETTINGS, units="syllables").fit(sentences(), init=jamo.wv)
    model = Word2Vec(**SETTINGS).fit(sentences())
    model.units = "jamo"
    has = r"the model has n-grams of 3 to 5 characters in .* buckets, but n-grams of 3 to 5 jamo in .* are set"
    with pytest.raises(ValueError, match=has):
        model.train(sentences())
    assert Word2Vec(**SETTINGS, units="jamo").fit(sentences(), init=jamo.wv).known_words_ == len(jamo.wv)


def test_files_without_units_have_characters(tmp_path: Path):
    """Models that were written before there were units."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "model.safetensors"
    model = Word2Vec(**SETTINGS).fit(sentences())
    model.save(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    settings = json.loads(metadata["settings"])
    del settings["units"], settings["parameters"]["units"]
    save_file(load_file(path), path, metadata | {"settings": json.dumps(settings)})
    loaded = Word2Vec.load(path)
    assert loaded.units == "characters"
    for one in (loaded, model):
        one.train(sentences(seed=1), epochs=1)
    assert same(loaded, model)


def test_an_interrupted_run_resumes_with_its_units(tmp_path: Path):
    corpus = sentences()

    def interrupt(event: str, model: Word2Vec) -> None:
        if event == "epoch_end" and model.trained_epochs == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS, units="jamo", callbacks=[interrupt]).fit(corpus, checkpoint=tmp_path / "run")
    resumed = Word2Vec.resume(tmp_path / "run", corpus)
    assert resumed.wv.subwords is not None
    assert resumed.wv.subwords.ngrams.units == "jamo"
    assert same(resumed, Word2Vec(**SETTINGS, units="jamo").fit(corpus))


@pytest.mark.parametrize("units", ALL_UNITS)
def test_older_versions_resume_runs_with_characters(units: Units, tmp_path: Path):
    """They do not know the setting, and refuse checkpoints that have it."""
    Word2Vec(**SETTINGS, units=units).fit(sentences(20), checkpoint=tmp_path / "run")
    settings = WordVectors.load(Checkpoints.open(tmp_path / "run").latest()).settings
    assert settings is not None
    assert settings["checkpoint"]["config"].get("units", "missing") == (units if units != "characters" else "missing")
    assert Word2Vec.resume(tmp_path / "run", sentences(20)).units == units


ODD_WORDS = [*ODD, "가" * 2000, nfd("각" * 2000), "\u200b", "\ufeff가", "가\u0301\u0301", "ㄱㅏㄱ"]
"""Half a syllable, a lone combining mark, mixed scripts, the empty string, long words and others."""


@pytest.mark.parametrize("units", ALL_UNITS)
@pytest.mark.parametrize("hash_count", [None, 2])
def test_odd_words(units: Units, hash_count: int | None, caplog: pytest.LogCaptureFixture):
    """Inside and outside the vocabulary, a word has a finite vector, or it is unknown."""
    settings = SETTINGS | {"units": units, "hash_count": hash_count}
    plain = Word2Vec(**settings).fit(sentences()).wv
    trained = Word2Vec(**settings).fit([*sentences(), *([word, "먹고"] for word in ODD_WORDS)]).wv
    assert np.isfinite(trained.vectors).all()
    for wv in (plain, trained):
        for word in ODD_WORDS:
            if word in wv:
                assert np.isfinite(wv[word]).all()
                assert math.isfinite(wv.similarity(word, "먹고"))
            else:
                assert wv is plain
                assert word in ("", "</s>")
                with pytest.raises(UnknownWordError, match="is not in the vocabulary"):
                    wv[word]
        texts = [" ".join(ODD_WORDS), "", "\u3000", *ODD_WORDS]
        assert np.isfinite(wv.sentence_vectors(texts)).all()
        assert np.isfinite(wv.get_mean_vector(ODD_WORDS)).all()
        strict = copy.copy(wv)
        strict.strict = True
        assert not strict.sentence_vectors(["모르는 말뿐인 글", ["모르는"]]).any()
        assert "2 of 2 texts have no known word" in caplog.text
        assert not strict.get_mean_vector(["모르는"]).any()
        with pytest.raises(UnknownWordError, match="'모르는' is not in the vocabulary"):
            strict["모르는"]


def test_a_corpus_without_known_words(jamo: Word2Vec, caplog: pytest.LogCaptureFixture):
    model = copy.deepcopy(jamo).train([["모르는", "말뿐"]])
    assert "no word of the corpus is in the vocabulary" in caplog.text
    assert same(model, jamo)
