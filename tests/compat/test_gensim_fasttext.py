"""`FastText` of `fastw2v.compat.gensim`, compared with gensim, and gensim's own tests of it."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import re
import sys
import types
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.compat import gensim as ours
from fastw2v.compat.gensim import (
    CallbackAny2Vec,
    FastText,
    FastTextKeyedVectors,
    KeyedVectors,
    Word2Vec,
    load_facebook_model,
    load_facebook_vectors,
    save_facebook_model,
)
from fastw2v.formats import FormatError
from tests.compat.test_gensim_hs import expected_score
from tests.test_word2vec import themes

PAGE = Path(__file__).parents[2] / "docs" / "migrate" / "gensim.md"

pytestmark = [
    # gensim and its tests leave files open.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SETTINGS: dict[str, Any] = {
    "vector_size": 12,
    "min_count": 1,
    "bucket": 500,
    "epochs": 3,
    "sample": 0,
    "workers": 1,
    "engine": "layers",
}
LOSSES: dict[str, dict[str, Any]] = {"ns": {}, "hs": {"hs": 1, "negative": 0}, "hs+ns": {"hs": 1}}
UNSEEN = ["t0", "t0w11", "Überraschung", "ж", "日本語", "a" * 80, "w", ""]
"""Words outside the vocabulary. The last has no n-grams."""

DIFFERENT = {
    "models of before 2017 are not read": {
        "TestFastTextModel.test_load_fasttext_format",
        "TestFastTextModel.test_load_model_non_utf8_encoding",
        "TestFastTextModel.test_load_model_with_non_ascii_vocab",
    },
    "what is not supported is a ValueError": {"TestFastTextModel.test_load_model_supervised"},
    "the memory is estimated by estimate": {"TestFastTextModel.test_estimate_memory"},
    "vectors are those of the current rows without a call": {"TestFastTextModel.test_get_vocab_word_vecs"},
    "steps of building a vocabulary are not public": {"NativeTrainingContinuationTest.test_sanity"},
    "a pickle is read only where the format is named": {"HashCompatibilityTest.test_compatibility_true"},
    "a file of a model that was trained with both losses has the matrix of one": {
        "SaveFacebookFormatModelTest.test_cbow",
        "SaveFacebookFormatModelTest.test_skipgram",
    },
    "vectors are not changed after they are made": {
        "FastTextKeyedVectorsTest.test_add_vector",
        "FastTextKeyedVectorsTest.test_add_vectors",
    },
}
"""gensim's tests that cannot pass, with the reason for each of them."""
CLASSES = (
    *("TestFastTextModel", "NativeTrainingContinuationTest", "HashCompatibilityTest", "FTHashResultsTest"),
    *("ZeroBucketTest", "SaveFacebookFormatModelTest", "SaveGensimByteIdentityTest", "FastTextKeyedVectorsTest"),
)
FUNCTIONS = (
    *("test_cbow_hs_training", "test_cbow_hs_training_fromfile"),
    *("test_sg_hs_training", "test_sg_hs_training_fromfile"),
)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """gensim's test module, with fastw2v's classes in place of gensim's."""
    monkeypatch.chdir(tmp_path)  # two tests write files into the current folder
    fasttext = pytest.importorskip("gensim.models.fasttext")
    if "testfixtures" not in sys.modules:  # two tests of warnings in another module need it
        fake = types.ModuleType("testfixtures")
        fake.log_capture = lambda: unittest.skip("testfixtures is not there")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "testfixtures", fake)
    from gensim.test import test_fasttext

    monkeypatch.setattr(test_fasttext, "FT_gensim", FastText)
    monkeypatch.setattr(test_fasttext, "FastTextKeyedVectors", FastTextKeyedVectors)
    monkeypatch.setattr(test_fasttext, "KeyedVectors", KeyedVectors)
    for name in ("load_facebook_model", "load_facebook_vectors", "save_facebook_model"):
        monkeypatch.setattr(fasttext, name, getattr(ours, name))
    for case in (test_fasttext.TestFastTextModel, test_fasttext.NativeTrainingContinuationTest):
        monkeypatch.setattr(case, "model_structural_sanity", assert_sane)
    temporary, data = test_fasttext.get_tmpfile, test_fasttext.datapath
    monkeypatch.setattr(test_fasttext, "get_tmpfile", lambda name: temporary(f"{name}.safetensors"))
    # Most tests use a model in a format of before 2017. The same model exists in the current format.
    monkeypatch.setattr(
        test_fasttext, "datapath", lambda name: data("lee_fasttext_new.bin" if name == "lee_fasttext.bin" else name)
    )
    monkeypatch.setattr(FastText, "_n_workers", lambda self: 1)
    return test_fasttext


def assert_sane(case: unittest.TestCase, model: Any) -> None:
    """Compare shapes like gensim's helper, but not those of the factors that lock words."""
    wv = model.wv
    assert wv.vectors.shape == wv.vectors_vocab.shape == (len(wv), model.vector_size)
    assert wv.vectors_ngrams.shape == (wv.bucket, model.vector_size)
    for W in (wv.vectors_vocab, wv.vectors_ngrams, model.syn1neg if model.negative else model.syn1):
        assert np.isfinite(W).all()


@pytest.mark.slow
def test_those_of_gensim_s_own_tests_pass_that_should(module: Any) -> None:
    suite = unittest.TestSuite()
    for name in CLASSES:
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(getattr(module, name)))
    for name in FUNCTIONS:
        for shrink_windows in (True, False):
            suite.addTest(unittest.FunctionTestCase(functools.partial(getattr(module, name), shrink_windows)))
    result = unittest.TestResult()
    suite.run(result)
    failed = {}
    for case, traceback in result.failures + result.errors:
        failed[".".join(case.id().rsplit(".", 2)[-2:])] = traceback
    expected = set().union(*DIFFERENT.values())
    unexpected = {name: traceback for name, traceback in failed.items() if name not in expected}
    assert not unexpected, "\n".join(unexpected.values())
    assert expected - set(failed) == set(), "these pass by now"
    assert result.testsRun - len(result.skipped) - len(failed) > 50


def trained(loss: str = "ns", **settings: Any) -> FastText:
    return FastText(themes(100), **SETTINGS | LOSSES[loss] | settings)


def tables_of(model: Any) -> list[bytes]:
    wv = model.wv
    return [W.tobytes() for W in (wv.input_vectors, wv.context_vectors, wv.node_vectors) if W is not None]


def their_model(**settings: Any) -> Any:
    models = pytest.importorskip("gensim.models")
    defaults = {"vector_size": 12, "min_count": 1, "bucket": 500, "epochs": 2, "workers": 1, "sample": 1e-3}
    return models.FastText(themes(50), **defaults | settings)


# Training


@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_model_is_that_of_fastw2v(loss: Any, sg: int) -> None:
    given = {name: value for name, value in SETTINGS.items() if name != "bucket"}
    model = trained(loss, sg=sg, min_n=2, max_n=4)
    same = fastw2v.Word2Vec(
        model="skipgram" if sg else "cbow", loss=loss, output_weight=0, subwords=(2, 4), bucket=500, **given
    )
    assert tables_of(model) == tables_of(same.fit(themes(100)))
    assert hasattr(model, "syn1") == ("hs" in loss)
    assert hasattr(model, "syn1neg") == ("ns" in loss)


def test_vectors_are_means_of_rows() -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    kv = trained().wv
    assert (kv.min_n, kv.max_n, kv.bucket) == (3, 6, 500)
    assert kv.vectors_vocab.shape == (len(kv), 12)
    assert kv.vectors_ngrams.shape == (500, 12)
    assert not kv.vectors_ngrams.flags.writeable
    for word, own, buckets in zip(kv, kv.vectors_vocab, kv.buckets_word, strict=True):
        assert buckets.dtype == np.uint32
        assert buckets.tolist() == fasttext.ft_ngram_hashes(word, 3, 6, 500)
        rows = np.vstack([own[None], kv.vectors_ngrams[buckets]])
        assert np.allclose(kv[word], rows.mean(axis=0), atol=1e-6)
    needed = np.unique(np.concatenate(kv.buckets_word))
    assert kv.vectors_ngrams[needed].any(axis=1).all()
    assert np.count_nonzero(kv.vectors_ngrams.any(axis=1)) == len(needed) < 500


def test_all_buckets_can_have_rows() -> None:
    kv = trained(bucket=7).wv
    assert np.array_equal(np.sort(kv.subwords.buckets), np.arange(7))  # type: ignore[union-attr]
    order = np.argsort(kv.subwords.buckets)  # type: ignore[union-attr]
    assert np.array_equal(kv.vectors_ngrams, kv.input_vectors[len(kv) :][order])


@pytest.mark.parametrize("settings", [{"max_n": 0}, {"min_n": 4, "max_n": 3}, {"bucket": 0}, {"min_n": 0, "max_n": 0}])
def test_without_ngrams(settings: dict[str, Any], tmp_path: Path) -> None:
    model = trained(**settings)
    kv = model.wv
    expected = Word2Vec(themes(100), **{name: value for name, value in SETTINGS.items() if name != "bucket"})
    assert tables_of(model) == tables_of(expected)
    assert (kv.min_n, kv.max_n, kv.bucket) == (0, 0, 0)
    assert np.array_equal(kv.vectors_vocab, kv.vectors)
    assert kv.vectors_ngrams.shape == (0, 12)
    assert [buckets.tolist() for buckets in kv.buckets_word] == [[]] * len(kv)
    assert "t0w11" not in kv
    with pytest.raises(KeyError):
        kv.get_vector("t0w11")
    model.save(tmp_path / "model")
    for kind in (FastText, Word2Vec, fastw2v.Word2Vec):
        loaded: Any = kind.load(tmp_path / "model")
        assert not loaded.wv.has_subwords
        loaded.train(themes(20), epochs=1)
    save_facebook_model(model, tmp_path / "model.bin")
    theirs = pytest.importorskip("gensim.models.fasttext").load_facebook_model(str(tmp_path / "model.bin"))
    assert np.array_equal(theirs.wv.vectors, kv.vectors)
    assert tables_of(load_facebook_model(tmp_path / "model.bin")) == tables_of(model)


def test_ngrams_of_one_character() -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    kv = trained(min_n=0, max_n=2).wv
    assert kv.min_n == 1
    for word, buckets in zip(kv, kv.buckets_word, strict=True):
        assert buckets.tolist() == fasttext.ft_ngram_hashes(word, 0, 2, 500)


def test_words_are_added(tmp_path: Path) -> None:
    for loss in LOSSES:
        model = trained(loss)
        old = model.wv
        model.build_vocab([["t0w11", "t0w1", "brandnew"]] * 20, update=True)
        new = model.wv
        assert set(new.index_to_key) - set(old.index_to_key) == {"t0w11", "brandnew"}
        assert np.array_equal(new[old.index_to_key], old.vectors)
        known = old.subwords.buckets  # type: ignore[union-attr]
        assert np.array_equal(new.vectors_ngrams[known], old.vectors_ngrams[known])
        assert len(new.vectors_ngrams) == 500
        words, raw = model.train([["t0w11", "t0w1", "brandnew"]] * 20, total_examples=20, epochs=2)
        assert words == raw == 120
        assert model.trained_epochs == 5
        assert not np.array_equal(model.wv["brandnew"], new.vectors_vocab[new.get_index("brandnew")])


def test_callbacks_see_the_vectors_of_unseen_words() -> None:
    seen = []

    class Recorder(CallbackAny2Vec):
        def on_epoch_end(self, model: Any) -> None:
            seen.append((model.trained_epochs, model.wv["t0w11"].copy()))

    model = trained(callbacks=[Recorder()])
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert np.array_equal(seen[-1][1], model.wv["t0w11"])
    assert not np.array_equal(seen[0][1], seen[1][1])


def test_training_starts_from_vectors_of_fasttext(tmp_path: Path) -> None:
    save_facebook_model(trained(), tmp_path / "model.bin")
    pretrained = load_facebook_vectors(tmp_path / "model.bin")
    model = FastText(**SETTINGS).fit(themes(50), init=pretrained)
    assert model.known_words_ == len(model.wv)
    with pytest.raises(ValueError, match=r"in 500 buckets, but .* in 400 buckets are set"):
        FastText(**SETTINGS | {"bucket": 400}).fit(themes(50), init=pretrained)


@pytest.mark.parametrize("sg", [0, 1])
def test_the_score_of_sentences(sg: int) -> None:
    model = trained("hs", sg=sg, window=3, epochs=10)
    sentences = themes(10, seed=5)
    assert model.score(sentences) == pytest.approx([expected_score(model, one) for one in sentences], rel=1e-5)


def test_the_word_in_the_middle() -> None:
    model = trained()
    predicted = model.predict_output_word(["t0w1", "t0w2", "unheard-of"], topn=3)
    assert predicted is not None
    score = model.syn1neg @ model.wv.vectors[[model.wv.key_to_index[word] for word in ("t0w1", "t0w2")]].mean(axis=0)
    expected = np.exp(score) / np.exp(score).sum()
    best = np.argsort(-expected)[:3]
    assert [word for word, _ in predicted] == [model.wv.index_to_key[row] for row in best]
    assert [p for _, p in predicted] == pytest.approx(expected[best].tolist(), rel=1e-4)


def test_parameters() -> None:
    model = FastText(min_n=2, max_n=5, bucket=1000, sg=1)
    assert FastText(**model.get_params()).get_params() == model.get_params()
    assert repr(model) == "FastText(sg=1, min_n=2, max_n=5, bucket=1000)"
    assert model.set_params(max_n=1).subwords is None
    assert model.set_params(min_n=1).subwords == (1, 1)
    with pytest.raises(ValueError, match="subwords is not a parameter of FastText; use min_n and max_n"):
        model.set_params(subwords=(3, 6))
    model.subwords = (3, 6)
    assert (model.min_n, model.max_n) == (3, 6)
    model.subwords = None
    assert model.subwords is None
    for wrong in ("3", 3.5, None, True):
        for name in ("min_n", "max_n", "bucket", "word_ngrams"):
            with pytest.raises(TypeError, match=f"{name} is "):
                FastText(**{name: wrong})
    base = pytest.importorskip("sklearn.base")
    assert base.clone(model).get_params() == model.get_params()


# Words outside the vocabulary


def test_vectors_of_unseen_words_are_gensims(tmp_path: Path) -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    kv = trained().wv
    save_facebook_model(trained(), tmp_path / "model.bin")
    theirs = fasttext.load_facebook_vectors(str(tmp_path / "model.bin"))
    for word in [*UNSEEN, *kv.index_to_key[:5]]:
        assert (word in kv) is (word in theirs) is True
        assert np.allclose(kv.get_vector(word), theirs.get_vector(word), atol=1e-6)
        if kv[word].any():  # gensim gives NaN otherwise
            assert np.allclose(kv.get_vector(word, norm=True), theirs.get_vector(word, norm=True), atol=1e-6)
        assert kv.has_index_for(word) is theirs.has_index_for(word)
    directed = [word for word in UNSEEN if kv[word].any()]
    assert len(directed) > 3
    words = ["t0w1", "t1w3", *directed]
    assert np.allclose(kv[words], theirs[words], atol=1e-6)
    for sentence in (words, ["", *words], [""]):
        assert np.allclose(kv.get_sentence_vector(sentence), theirs.get_sentence_vector(sentence), atol=1e-6)
    for word in directed:
        ours_first, theirs_first = kv.most_similar(word, topn=5), theirs.most_similar(word, topn=5)
        assert [one for one, _ in ours_first] == [one for one, _ in theirs_first]
        assert [c for _, c in ours_first] == pytest.approx([c for _, c in theirs_first], abs=1e-5)
        assert kv.similarity(word, "t0w1") == pytest.approx(theirs.similarity(word, "t0w1"), abs=1e-5)
    selected, expected = kv.vectors_for_all([*UNSEEN, "t0w1"]), theirs.vectors_for_all([*UNSEEN, "t0w1"])
    assert selected.index_to_key == expected.index_to_key
    assert isinstance(selected, FastTextKeyedVectors)
    assert np.allclose(selected.vectors, expected.vectors, atol=1e-6)
    assert kv.vectors_for_all([*UNSEEN, "t0w1"], allow_inference=False).index_to_key == ["t0w1"]


def test_queries_are_gensims() -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    from gensim.test.utils import datapath

    path = datapath("lee_fasttext_new.bin")
    kv, theirs = load_facebook_vectors(path), fasttext.load_facebook_vectors(path)
    known = [row for row, word in enumerate(kv) if word != "</s>"]  # which has no n-grams in fastText
    assert np.allclose(kv.vectors[known], theirs.vectors[known], atol=1e-6)
    words = ["the", "nights", "country", "unheardof", "government"]
    assert kv.doesnt_match(words) == theirs.doesnt_match(words)
    for (ours_c, word), (c, their_word) in zip(
        kv.rank_by_centrality(words), theirs.rank_by_centrality(words), strict=True
    ):
        assert word == their_word
        assert ours_c == pytest.approx(float(c), abs=1e-6)
    for method, arguments in (
        ("n_similarity", (words[:2], words[2:])),
        ("n_similarity", (["", "the"], words[2:])),
        ("get_mean_vector", (words, [1, 2, 3, 4, 5], False)),
        ("get_mean_vector", (words, None, True, True)),
        ("distance", ("nights", "unheardof")),
        ("relative_cosine_similarity", ("nights", "the")),
    ):
        assert np.allclose(getattr(kv, method)(*arguments), getattr(theirs, method)(*arguments), atol=1e-5), method
    assert np.allclose(kv.distances("nights")[known], theirs.distances("nights")[known], atol=1e-5)
    assert kv.most_similar_to_given("nights", words) == theirs.most_similar_to_given("nights", words)
    for method in ("most_similar", "most_similar_cosmul"):
        found, expected = (getattr(one, method)(["nights", "the"], ["unheardof"], topn=20) for one in (kv, theirs))
        assert [word for word, _ in found] == [word for word, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)
    for settings in ({}, {"case_insensitive": False, "dummy4unknown": True}):
        ours_scores = kv.evaluate_word_pairs(datapath("wordsim353.tsv"), **settings)
        their_scores = theirs.evaluate_word_pairs(datapath("wordsim353.tsv"), **settings)
        assert ours_scores[1].statistic == pytest.approx(their_scores[1].statistic, abs=1e-4)
        assert ours_scores[2] == pytest.approx(their_scores[2])


def test_arrays_of_other_libraries() -> None:
    xp = pytest.importorskip("array_api_strict")
    kv = trained().wv
    W_in = xp.asarray(kv.input_vectors.copy())
    other = FastTextKeyedVectors(kv.index_to_key, None, input_vectors=W_in, subwords=kv.subwords)
    for name in ("vectors_vocab", "vectors_ngrams", "vectors"):
        assert np.allclose(np.asarray(getattr(other, name)), getattr(kv, name), atol=1e-6)
    for word in UNSEEN:
        assert np.allclose(np.asarray(other[word]), kv[word], atol=1e-6)
    assert np.allclose(np.asarray(other.get_sentence_vector(UNSEEN)), kv.get_sentence_vector(UNSEEN), atol=1e-6)


def test_words_without_ngrams_and_strict_vectors() -> None:
    kv = trained(min_n=5).wv
    assert not kv["ab"].any()
    assert kv.similarity("ab", "t0w1") == 0
    assert np.array_equal(kv[["ab", "t0w1"]][1], kv["t0w1"])
    with pytest.raises(ValueError, match="the query has no direction"):
        kv.most_similar("ab")
    for nothing in ("\ud800", 3, None, b"ab"):
        assert nothing not in kv
        with pytest.raises((KeyError, TypeError)):
            kv.get_vector(nothing)  # type: ignore[arg-type]
    kv.strict = True
    for word in ("ab", "t0w11"):
        assert word not in kv
        with pytest.raises(KeyError):
            kv.get_vector(word)


def test_names_of_gensim_that_are_missing() -> None:
    kv = trained().wv
    with pytest.raises(AttributeError, match="'FastTextKeyedVectors' object has no attribute 'adjust_vectors'; omit"):
        _ = kv.adjust_vectors
    with pytest.raises(AttributeError, match="'FastTextKeyedVectors' object has no attribute 'vocab'; use key_to_ind"):
        _ = kv.vocab
    for same in (copy.deepcopy(kv), pickle.loads(pickle.dumps(kv))):
        assert np.array_equal(same["t0w11"], kv["t0w11"])


# Files


@pytest.mark.parametrize("loss", list(LOSSES))
def test_models_are_saved_and_trained_further(loss: str, tmp_path: Path) -> None:
    model = trained(loss, min_n=2, max_n=4)
    model.save(tmp_path / "model")
    loaded, there = FastText.load(tmp_path / "model"), fastw2v.Word2Vec.load(tmp_path / "model")
    without = {name: value for name, value in model.get_params().items() if name != "engine"}
    assert {name: value for name, value in loaded.get_params().items() if name != "engine"} == without
    assert isinstance(loaded.wv, FastTextKeyedVectors)
    assert (there.subwords, there.bucket, there.loss) == ((2, 4), 500, loss)
    assert tables_of(there) == tables_of(loaded) == tables_of(model)
    for one in (model, loaded):
        one.engine = "layers"
        one.build_vocab([["t0w11", "t0w1"]] * 20, update=True)
        one.train(themes(20), total_examples=20, epochs=2)
    assert tables_of(loaded) == tables_of(model)
    there.save(tmp_path / "there")
    assert FastText.load(tmp_path / "there").subwords == (2, 4)


def test_models_of_other_classes(tmp_path: Path) -> None:
    trained().save(tmp_path / "model")
    with pytest.raises(ValueError, match="has subwords that Word2Vec does not have; use the same method of FastText"):
        Word2Vec.load(tmp_path / "model")
    given = {name: value for name, value in SETTINGS.items() if name != "bucket"}
    for ngrams in ({"bucket": 500, "hash_count": 2}, {"bucket": 500, "units": "jamo"}):
        fastw2v.Word2Vec(subwords=(3, 6), **ngrams, **given).fit(themes(20)).save(tmp_path / "other")
        for reader in (FastText, Word2Vec):
            message = rf"that {reader.__name__} does not have; use the same method of fastw2v\.Word2Vec"
            with pytest.raises(ValueError, match=message):
                reader.load(tmp_path / "other")


def test_checkpoints(tmp_path: Path) -> None:
    class Interruption(CallbackAny2Vec):
        def on_epoch_end(self, model: Any) -> None:
            if model.trained_epochs == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FastText(callbacks=[Interruption()], **SETTINGS).fit(themes(100), checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="subwords that Word2Vec does not have; use the same method of FastText"):
        Word2Vec.resume(tmp_path / "run", themes(100))
    model = FastText.resume(tmp_path / "run", themes(100))
    assert isinstance(model.wv, FastTextKeyedVectors)
    assert tables_of(model) == tables_of(trained())


def test_other_ngrams_than_those_of_the_model() -> None:
    model = trained()
    for name, value, message in (
        ("min_n", 4, "n-grams of 4 to 6 characters in 500 buckets are set"),
        ("bucket", 0, "but no n-grams are set"),
        ("bucket", 2_000_000, "in 2,000,000 buckets are set"),
    ):
        before = getattr(model, name)
        setattr(model, name, value)
        with pytest.raises(ValueError, match=message):
            model.train(themes(20), total_examples=20, epochs=1)
        with pytest.raises(ValueError, match="the model has n-grams of 3 to 6 characters in 500 buckets, but"):
            model.build_vocab(themes(20), update=True)
        setattr(model, name, before)
    model.train(themes(20), total_examples=20, epochs=1)
    model.wv.vectors = model.wv.vectors.copy()
    with pytest.raises(ValueError, match="the model has no n-grams, but n-grams of 3 to 6 characters"):
        model.train(themes(20), total_examples=20, epochs=1)


def test_vectors_are_saved(tmp_path: Path) -> None:
    kv = trained().wv
    for name in ("vectors.kv", "vectors", "vectors.bin", "vectors.npz"):
        kv.save(tmp_path / name)
        for loaded in (
            FastTextKeyedVectors.load(tmp_path / name, format=None if name != "vectors.kv" else "safetensors"),
            KeyedVectors.load(tmp_path / name, format=None if name != "vectors.kv" else "safetensors"),
        ):
            assert np.array_equal(loaded["t0w11"], kv["t0w11"])
            assert loaded.counts.tolist() == kv.counts.tolist()
    kv.save_word2vec_format(tmp_path / "vectors.vec")
    assert np.array_equal(KeyedVectors.load_word2vec_format(tmp_path / "vectors.vec").vectors, kv.vectors)


@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_gensim_reads_our_models(loss: str, sg: int, tmp_path: Path) -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    model = trained(loss, sg=sg, min_n=2, max_n=5, window=4, sample=0.01)
    save_facebook_model(model, tmp_path / "model.bin", lr_update_rate=50, word_ngrams=1)
    theirs = fasttext.load_facebook_model(str(tmp_path / "model.bin"))
    assert theirs.wv.index_to_key == model.wv.index_to_key
    assert [theirs.wv.get_vecattr(word, "count") for word in theirs.wv.index_to_key] == model.wv.counts.tolist()
    for name in ("vectors_vocab", "vectors_ngrams"):
        assert np.array_equal(getattr(theirs.wv, name), getattr(model.wv, name)), name
    assert np.allclose(theirs.wv.vectors, model.wv.vectors, atol=1e-6)
    for name in ("min_n", "max_n", "bucket"):
        assert getattr(theirs.wv, name) == getattr(model.wv, name)
    for name in ("sg", "hs", "window", "epochs", "min_count", "sample", "vector_size", "corpus_total_words"):
        assert getattr(theirs, name) == getattr(model, name), name
    if loss == "ns":
        assert np.array_equal(theirs.syn1neg, model.syn1neg)
    else:  # gensim does not change the sign of fastText's vectors of inner nodes, whose labels are the other way round
        assert np.array_equal(theirs.syn1, -model.syn1)
    again = load_facebook_model(tmp_path / "model.bin")
    assert tables_of(again) != tables_of(model)  # it has a row for every bucket
    assert np.array_equal(again.wv.vectors_ngrams, model.wv.vectors_ngrams)
    assert np.array_equal(again.syn1neg if loss == "ns" else again.syn1, model.syn1neg if loss == "ns" else model.syn1)
    names = ("sg", "hs", "negative", "window", "epochs", "min_count", "sample", "min_n", "max_n", "bucket")
    assert [getattr(again, name) for name in names] == [getattr(model, name) for name in names]
    save_facebook_model(again, tmp_path / "again.bin", lr_update_rate=50)
    assert (tmp_path / "again.bin").read_bytes() == (tmp_path / "model.bin").read_bytes()


@pytest.mark.parametrize("sg", [0, 1])
def test_we_read_gensims_models(sg: int, tmp_path: Path) -> None:
    theirs = their_model(sg=sg, window=3, min_n=2, max_n=5)
    fasttext = pytest.importorskip("gensim.models.fasttext")
    fasttext.save_facebook_model(theirs, str(tmp_path / "model.bin"))
    model = load_facebook_model(tmp_path / "model.bin")
    kv = load_facebook_vectors(tmp_path / "model.bin")
    for one in (kv, model.wv):
        assert one.index_to_key == theirs.wv.index_to_key
        assert np.array_equal(one.vectors_vocab, theirs.wv.vectors_vocab)
        assert np.array_equal(one.vectors_ngrams, theirs.wv.vectors_ngrams)
        assert np.allclose(one.vectors, theirs.wv.vectors, atol=1e-6)
        for word in UNSEEN:
            assert np.allclose(one[word], theirs.wv[word], atol=1e-6)
    assert np.array_equal(model.syn1neg, theirs.syn1neg)
    for name in ("sg", "hs", "negative", "window", "epochs", "min_count", "sample", "vector_size"):
        assert getattr(model, name) == getattr(theirs, name), name
    assert model.corpus_total_words == theirs.corpus_total_words
    before = model.wv["t0w1"].copy()
    model.build_vocab([["t0w1", "t0w11"]] * 30, update=True)
    model.train(themes(50), total_examples=50, epochs=model.epochs)
    assert not np.allclose(model.wv["t0w1"], before)
    assert np.array_equal(kv["t0w1"], before)  # the file has not changed
    model.save(tmp_path / "model")
    assert tables_of(FastText.load(tmp_path / "model")) == tables_of(model)
    assert FastText.load_fasttext_format(tmp_path / "model.bin").wv.index_to_key == kv.index_to_key


def test_gensims_own_files(tmp_path: Path) -> None:
    theirs = their_model()
    theirs.save(str(tmp_path / "model"))
    theirs.wv.save(str(tmp_path / "vectors.kv"))
    theirs.save(str(tmp_path / "separate"), sep_limit=0)
    for name in ("model", "vectors.kv", "separate"):
        kv = FastTextKeyedVectors.load(tmp_path / name, format="gensim")
        assert kv.index_to_key == theirs.wv.index_to_key
        assert np.allclose(kv.vectors, theirs.wv.vectors, atol=1e-6)
        for word in UNSEEN:
            assert np.allclose(kv[word], theirs.wv[word], atol=1e-6)
    kv = FastTextKeyedVectors.load(tmp_path / "model", format="gensim")
    assert FastText(**SETTINGS).fit(themes(20), init=kv).wv.bucket == 500
    their_model(max_n=0).save(str(tmp_path / "model"))
    assert not FastTextKeyedVectors.load(tmp_path / "model", format="gensim").has_subwords
    with pytest.raises(FormatError, match="probably written by gensim"):
        FastText.load(tmp_path / "model")


def test_both_losses_are_written_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = trained("hs+ns")
    save_facebook_model(model, tmp_path / "model.bin")
    assert "the vectors of the inner nodes are left out" in caplog.text
    loaded = load_facebook_model(tmp_path / "model.bin")
    assert loaded.loss == "ns"
    assert np.array_equal(loaded.syn1neg, model.syn1neg)


def test_words_in_other_encodings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """fastText trains on bytes, whatever their encoding."""
    word = "který"
    escaped = word.encode("cp852").decode("utf-8", "surrogateescape")
    sentences = [[escaped if word == "t0w1" else word for word in sentence] for sentence in themes(50)]
    model = FastText(sentences, **SETTINGS)
    save_facebook_model(model, tmp_path / "model.bin")
    assert word.encode("cp852") + b"\0" in (tmp_path / "model.bin").read_bytes()
    same = load_facebook_model(tmp_path / "model.bin")
    assert np.array_equal(same.wv[escaped], model.wv[escaped])
    assert np.allclose(same.wv[escaped + "ch"], model.wv[escaped + "ch"], atol=1e-6)
    assert not caplog.records
    decoded = load_facebook_model(tmp_path / "model.bin", encoding="cp852")
    assert np.array_equal(decoded.wv[word], model.wv[escaped])
    assert not decoded.wv.has_subwords
    assert decoded.subwords is None
    assert "only the words of the vocabulary have vectors" in caplog.text
    decoded.train(themes(20), total_examples=20, epochs=1)
    with pytest.raises(ValueError, match="encoding is 'cp852', but fastText computes n-grams from words in UTF-8"):
        save_facebook_model(model, tmp_path / "model.bin", encoding="cp852")


def test_the_arguments_in_a_file(tmp_path: Path) -> None:
    model = trained(sample="auto")
    save_facebook_model(model, tmp_path / "model.bin", lr_update_rate=7, word_ngrams=2)
    arguments = load_facebook_vectors(tmp_path / "model.bin").settings["fasttext"]  # type: ignore[index]
    assert arguments["t"] == model.wv.settings["sample"] == 1 / len(model.wv)  # type: ignore[index]
    assert (arguments["lrUpdateRate"], arguments["wordNgrams"], arguments["epoch"]) == (7, 2, 3)
    model.sample, model.window = 0.5, 9
    save_facebook_model(model, tmp_path / "model.bin.gz")
    again = load_facebook_model(tmp_path / "model.bin.gz")
    assert (again.sample, again.window) == (0.5, 9)


def test_other_models_are_not_continued(tmp_path: Path) -> None:
    model = trained()
    save_facebook_model(model, tmp_path / "model.bin")
    data = bytearray((tmp_path / "model.bin").read_bytes())
    for at, value, message in (
        (32, 3, "was trained with the loss softmax, which is not supported"),
        (36, 3, "was trained for classification, which is not supported"),
        (12, 0, "cannot read this fastText model: window is 0"),
    ):
        changed = bytearray(data)
        changed[at : at + 4] = value.to_bytes(4, "little")
        (tmp_path / "other.bin").write_bytes(changed)
        with pytest.raises(ValueError, match=message):
            load_facebook_model(tmp_path / "other.bin")
        assert np.allclose(load_facebook_vectors(tmp_path / "other.bin").vectors, model.wv.vectors, atol=1e-6)
    model.wv.save_word2vec_format(tmp_path / "vectors.bin", binary=True)
    for read in (load_facebook_model, load_facebook_vectors):
        with pytest.raises(FormatError, match="this is not a model of fastText"):
            read(tmp_path / "vectors.bin")
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none.bin")
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        save_facebook_model(FastText(), tmp_path / "x.bin")
    with pytest.raises(TypeError, match="model is "):
        save_facebook_model(model.wv, tmp_path / "x.bin")  # type: ignore[arg-type]


# The page


def verdicts_of(text: str) -> dict[str, str]:
    """Return what the tables of a text say about each name."""
    verdicts = {}
    for line in text.splitlines():
        if line.startswith("| "):
            names, verdict = re.split(r"(?<!\\)\|", line)[1:3]
            for name in re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", names))):
                verdicts[name] = verdict.strip()
    return verdicts


def test_the_page_names_every_public_name_and_says_truly_which_are_ours() -> None:
    theirs, model = their_model(epochs=1), trained(epochs=1)
    gensim = pytest.importorskip("gensim.models")
    before, section, _ = re.split(r"^## (?:FastText|How it was tested)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    verdicts = verdicts_of(section)
    word2vec = gensim.Word2Vec(themes(50), vector_size=4, min_count=1, epochs=1)
    for their, our, listed in ((theirs, model, word2vec), (theirs.wv, model.wv, word2vec.wv)):
        for name in set(dir(their)) - set(dir(listed)) - set(verdicts_of(before)):
            if not name.startswith("_"):
                assert verdicts[name].startswith("same" if hasattr(our, name) else "no"), name
    parameters = set(inspect.signature(gensim.FastText.__init__).parameters)
    assert parameters - set(inspect.signature(gensim.Word2Vec.__init__).parameters) <= set(verdicts)
    for name in ("load_facebook_model", "load_facebook_vectors", "save_facebook_model"):
        assert verdicts[name].startswith("same")
