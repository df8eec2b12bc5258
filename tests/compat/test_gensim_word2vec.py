"""`fastw2v.compat.gensim.Word2Vec`: programs written for gensim run after only their import is changed."""

from __future__ import annotations

import collections
import copy
import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import fastw2v
from fastw2v import WordVectors
from fastw2v.compat.gensim import CallbackAny2Vec, KeyedVectors, Word2Vec
from fastw2v.compat.gensim.keyed_vectors import _INSTEAD
from fastw2v.compat.gensim.word2vec import _ATTRIBUTES
from tests.test_word2vec import ENGINES, themes

OTHER_DEFAULTS = {
    ("Word2Vec", "__init__", "alpha"),
    ("Word2Vec", "__init__", "sample"),
    ("Word2Vec", "__init__", "workers"),
    ("Word2Vec", "__init__", "hashfxn"),
}
"""Class, method and parameter whose default is not gensim's; `docs/migrate/gensim.md` says why."""

PROGRAM = """
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.callbacks import CallbackAny2Vec

class Losses(CallbackAny2Vec):
    def __init__(self):
        self.losses = []

    def on_epoch_end(self, model):
        self.losses.append(model.get_latest_training_loss())

losses = Losses()
model = Word2Vec(sentences, None, 12, 0.05, 4, 3, sg=1, negative=4, epochs=2, compute_loss=True, callbacks=[losses])
by_name = Word2Vec(
    sentences=sentences, vector_size=12, alpha=0.025, window=4, min_count=3, max_vocab_size=None, sample=1e-3, seed=2,
    workers=1, min_alpha=1e-4, sg=0, hs=0, negative=4, ns_exponent=0.75, cbow_mean=1, hashfxn=hash, epochs=2,
    null_word=0, trim_rule=None, sorted_vocab=1, batch_words=1000, compute_loss=False, callbacks=(), comment="c",
    max_final_vocab=None, shrink_windows=True,
)
apart = Word2Vec(vector_size=12, min_count=3, workers=1)
apart.build_vocab(sentences, progress_per=100)
apart.train(sentences, total_examples=apart.corpus_count, epochs=apart.epochs, report_delay=1, queue_factor=2)
from_file = Word2Vec(corpus_file=folder + "/corpus.txt", vector_size=12, min_count=3)

model.save(folder + "/a.model")
again = Word2Vec.load(folder + "/a.model")
again.build_vocab([["new", "newer", "common0"]] * 10, update=True)
again.train([["new", "newer", "common0"]] * 10, total_examples=10, epochs=1)
model.wv.save(folder + "/vectors.kv")
kv = KeyedVectors.load(folder + "/vectors.kv", mmap="r")
kv.save_word2vec_format(fname=folder + "/vectors.bin", fvocab=folder + "/vocab.txt", binary=True)
read = KeyedVectors.load_word2vec_format(folder + "/vectors.bin", fvocab=folder + "/vocab.txt", binary=True)

settings = (model.sg, model.hs, model.negative, model.cbow_mean, model.window, model.vector_size, by_name.min_alpha)
counts = {word: read.get_vecattr(key=word, attr="count") for word in read.index_to_key}
sizes = (model.corpus_count, len(model.wv), model.wv.vector_size, len(model.syn1neg), len(again.wv), len(losses.losses))
same = [word for word, _ in model.wv.most_similar(positive=["t0w0"], topn=5)] == [
    word for word, _ in read.similar_by_word("t0w0", 5)
]
predicted = len(model.predict_output_word(["t0w0", "t0w1"], topn=3))
shapes = (kv[["t0w0", "t0w1"]].shape, kv.get_vector("t0w0", norm=True).shape, by_name.wv["t0w0"].shape)
rank = 0 < kv.rank(key1="t0w0", key2="t1w0") < len(kv)
"""


def results_of(program, sentences, folder):
    """Run a program with sentences and an empty folder, and return the values of its variables."""
    folder.mkdir()
    (folder / "corpus.txt").write_text("\n".join(map(" ".join, sentences)), encoding="utf-8")
    names = {"sentences": sentences, "folder": str(folder)}
    exec(compile(program, "program.py", "exec"), names)
    return {name: names[name] for name in ("settings", "counts", "sizes", "same", "predicted", "shapes", "rank")}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")  # warnings of gensim
def test_a_program_changes_its_import_only(tmp_path):
    pytest.importorskip("gensim")
    imports = "from gensim.models import KeyedVectors, Word2Vec\nfrom gensim.models.callbacks import CallbackAny2Vec\n"
    assert imports in PROGRAM
    changed = PROGRAM.replace(imports, "from fastw2v.compat.gensim import CallbackAny2Vec, KeyedVectors, Word2Vec\n")
    theirs, ours = (
        results_of(program, themes(100), tmp_path / name) for program, name in ((PROGRAM, "theirs"), (changed, "ours"))
    )
    assert ours == theirs


def parameters(function):
    """Return the parameters that a function accepts by position or by name, in order."""
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [one for one in inspect.signature(function).parameters.values() if one.kind is either]


@pytest.mark.parametrize("ours", [KeyedVectors, Word2Vec])
def test_methods_take_gensims_parameters_in_gensims_order(ours):
    theirs = getattr(pytest.importorskip("gensim.models"), ours.__name__)
    names = [name for name in dir(theirs) if not name.startswith("_") and hasattr(ours, name)]
    names = [name for name in names if callable(getattr(theirs, name))]
    if ours is Word2Vec:
        names.append("__init__")
    assert len(names) > 5
    for name in names:
        expected, actual = parameters(getattr(theirs, name)), parameters(getattr(ours, name))
        assert [one.name for one in actual][: len(expected)] == [one.name for one in expected], name
        for their, our in zip(expected, actual, strict=False):
            is_other = (ours.__name__, name, our.name) in OTHER_DEFAULTS
            assert (our.default != their.default) == is_other, f"{name}({our.name}={our.default!r})"


@pytest.mark.parametrize("kind", [KeyedVectors, Word2Vec])
def test_files_take_gensims_parameters(kind, tmp_path):
    """Both classes of gensim pass these parameters on to `SaveLoad`."""
    utils = pytest.importorskip("gensim.utils")
    for name in ("save", "load"):
        assert set(inspect.signature(getattr(utils.SaveLoad, name)).parameters) <= set(
            inspect.signature(getattr(kind, name)).parameters
        )
    model = Word2Vec(themes(50), vector_size=4, epochs=1)
    saved = model if kind is Word2Vec else model.wv
    path = str(tmp_path / "file")
    saved.save(fname_or_handle=path, separately=["vectors"], sep_limit=0, pickle_protocol=4)
    assert isinstance(kind.load(fname=path, mmap="r"), kind)
    with pytest.raises(ValueError, match=r"ignore is \{'vectors'\}, but all attributes are stored"):
        saved.save(path, ignore={"vectors"})
    with Path(path).open("wb") as file, pytest.raises(TypeError):
        saved.save(file)


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"sg": 2}, ValueError, "sg is 2; it must be 0 or 1"),
    ({"hs": 2}, TypeError, "hs is 2 of type int; it must be True or False"),
    ({"negative": 0}, ValueError, "hs is 0 and negative is 0, so nothing would be trained; use negative=5, or hs=1"),
    ({"negative": -1}, ValueError, "negative is -1; it must be at least 1"),
    ({"hs": 1, "negative": -1}, ValueError, "negative is -1; it must be at least 1"),
    ({"cbow_mean": 0}, ValueError, "cbow_mean is 0, but the sum of contexts is not supported"),
    ({"trim_rule": print}, ValueError, "use Corpus.from_sentences"),
    ({"max_vocab_size": 5}, ValueError, "limit the vocabulary with max_final_vocab"),
    ({"null_word": 1}, ValueError, "null words are not supported"),
    ({"sorted_vocab": 0}, ValueError, "words are always sorted"),
    ({"max_final_vocab": 0}, ValueError, "max_final_vocab is 0; it must be at least 1"),
    ({"window": 0}, ValueError, "window is 0; it must be at least 1"),
    ({"window": 2.5}, TypeError, "window is 2.5 of type float; it must be a whole number"),
    ({"alpha": 1e-5, "min_alpha": 1e-3}, ValueError, "alpha is 1e-05 and min_alpha is 0.001; alpha must not be below"),
])  # fmt: skip
def test_settings_that_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        Word2Vec(**settings)
    with pytest.raises(error, match=message):
        Word2Vec().set_params(**settings)


def test_what_has_no_effect_is_accepted():
    settings = {"vector_size": 4, "epochs": 1, "workers": 1}
    plain = Word2Vec(themes(50), **settings)
    same = Word2Vec(themes(50), hashfxn=hash, batch_words=10, compute_loss=True, comment="a comment", **settings)
    assert np.array_equal(same.wv.vectors, plain.wv.vectors)
    assert same.comment == "a comment"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("sg", "model"), [(0, "cbow"), (1, "skipgram")])
def test_it_trains_as_the_estimator_does(engine, sg, model):
    settings = {"vector_size": 8, "workers": 1, "epochs": 2, "engine": engine, "window": 3, "seed": 3}
    ours = Word2Vec(themes(100), sg=sg, max_final_vocab=20, **settings)
    theirs = fastw2v.Word2Vec(model=model, max_vocab=20, negative=5, output_weight=0, **settings).fit(themes(100))
    assert isinstance(ours, fastw2v.Word2Vec)
    assert type(ours.wv) is KeyedVectors
    assert ours.wv.index_to_key == theirs.wv.index_to_key
    assert len(ours.wv) == 20
    assert ours.wv.settings == theirs.wv.settings
    for one, other in ((ours.wv.vectors, theirs.wv.vectors), (ours.syn1neg, theirs.wv.context_vectors)):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.parametrize("sg", [0, 1])
def test_neighbours_share_a_theme(sg):
    model = Word2Vec(themes(), vector_size=16, sg=sg, sample=0, epochs=15, workers=1, window=8)
    for theme in range(4):
        near = [word for word, _ in model.wv.similar_by_word(f"t{theme}w0", topn=5)]
        assert all(word.startswith(f"t{theme}") for word in near), near


class TestAgainstGensim:
    @pytest.fixture
    def theirs(self):
        models = pytest.importorskip("gensim.models")
        return models.Word2Vec(themes(200), vector_size=12, workers=1, epochs=2)

    def test_a_corpus_given_is_trained_on_at_once(self, theirs, tmp_path):
        path = tmp_path / "corpus.txt"
        path.write_text("\n".join(map(" ".join, themes(200))), encoding="utf-8")
        ours = Word2Vec(themes(200), vector_size=12, workers=1, epochs=2)
        counts = {word: theirs.wv.get_vecattr(word, "count") for word in theirs.wv.index_to_key}
        assert {word: ours.wv.get_vecattr(word, "count") for word in ours.wv.index_to_key} == counts
        assert all(ours.wv.index_to_key[row] == word for word, row in ours.wv.key_to_index.items())
        assert ours.wv["common0"].shape == theirs.wv["common0"].shape
        assert ours.wv[["common0", "t1w1"]].shape == (2, 12)
        assert (ours.corpus_count, ours.corpus_total_words) == (theirs.corpus_count, sum(ours.wv.counts))
        from_file = Word2Vec(corpus_file=str(path), vector_size=12, workers=1, epochs=2)
        assert np.array_equal(from_file.wv.vectors, ours.wv.vectors)
        with pytest.raises(TypeError, match="give either sentences or corpus_file"):
            Word2Vec(themes(5), str(path))

    def test_a_model_of_gensim_s_is_not_loaded_but_told_how_to_be_read(self, theirs, tmp_path):
        theirs.save(str(tmp_path / "theirs.model"))
        with pytest.raises(ValueError, match=r"is a pickle.*format='gensim'"):
            Word2Vec.load(tmp_path / "theirs.model")
        kv = KeyedVectors.load(tmp_path / "theirs.model", format="gensim")
        assert np.array_equal(kv.vectors, theirs.wv.vectors)

    def test_the_word_in_the_middle(self, theirs):
        model = Word2Vec(themes(200), vector_size=12, workers=1, epochs=2)
        theirs.wv.vectors = model.wv.vectors[[model.wv.key_to_index[word] for word in theirs.wv.index_to_key]]
        theirs.syn1neg = model.syn1neg[[model.wv.key_to_index[word] for word in theirs.wv.index_to_key]]
        context = ["common0", "t1w1", "unheard-of", "t1w2"]
        ours, expected = (one.predict_output_word(context, topn=5) for one in (model, theirs))
        assert [word for word, _ in ours] == [word for word, _ in expected]
        assert [p for _, p in ours] == pytest.approx([float(p) for _, p in expected], rel=1e-4)
        assert len(model.predict_output_word(context, topn=1000)) == len(model.wv)
        assert model.predict_output_word(["unheard-of"]) is None


def test_build_vocab_and_train_are_fit():
    settings = {"vector_size": 8, "workers": 1, "epochs": 3}
    model = Word2Vec(**settings)
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        model.train(themes(100), total_examples=100, epochs=3)
    with pytest.raises(RuntimeError, match="no training loss yet"):
        model.get_latest_training_loss()
    assert model.build_vocab(themes(100)) is None
    untrained = model.wv.vectors.copy()
    assert abs(untrained).max() <= 0.5 / 8
    model.wv.most_similar("common0")  # fills a cache, which training must invalidate
    trained, seen = model.train(themes(100), total_examples=model.corpus_count, epochs=model.epochs)
    assert trained == seen == 3 * model.corpus_total_words
    whole = Word2Vec(**settings).fit(themes(100))
    assert np.array_equal(model.wv.vectors, whole.wv.vectors)
    assert model.wv.most_similar("common0") == whole.wv.most_similar("common0")
    assert model.get_latest_training_loss() == whole.epoch_losses[-1]


def test_training_goes_on_with_the_words_that_are_known(tmp_path):
    model = Word2Vec(themes(100), vector_size=8, workers=1, epochs=1)
    before, words = model.wv.vectors.copy(), list(model.wv.index_to_key)
    trained, _ = model.train(
        corpus_iterable=[[*s, "unheard-of"] for s in themes(100, seed=1)], epochs=2, start_alpha=0.1
    )
    assert trained == 2 * sum(map(len, themes(100, seed=1)))
    assert model.trained_epochs == 3
    assert model.wv.index_to_key == words
    assert not np.array_equal(model.wv.vectors, before)
    assert model.loss_history[-1][0] > model.corpus_total_words
    with pytest.raises(ValueError, match=r"trim_rule is <built-in.*from_sentences"):
        model.build_vocab(themes(5), trim_rule=print)
    for method in (model.train, model.build_vocab):
        with pytest.raises(TypeError, match="either corpus_iterable or corpus_file"):
            method()
        with pytest.raises(TypeError, match="either corpus_iterable or corpus_file"):
            method(themes(5), str(tmp_path / "corpus.txt"))
    model.wv = KeyedVectors(words, model.wv.vectors)
    with pytest.raises(ValueError, match="training cannot continue"):
        model.train(themes(5))
    with pytest.raises(RuntimeError, match="no output matrix"):
        model.predict_output_word(["common0"])


def test_save_and_load_go_on_where_they_were(tmp_path):
    model = Word2Vec(themes(100), vector_size=8, window=3, workers=1, epochs=1, sg=1)
    model.save(tmp_path / "a.model")
    loaded = Word2Vec.load(tmp_path / "a.model")
    assert type(loaded.wv) is KeyedVectors
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    assert (loaded.sg, loaded.window, loaded.vector_size) == (1, 3, 8)
    sizes = ("corpus_count", "corpus_total_words", "trained_epochs")
    assert [getattr(loaded, name) for name in sizes] == [100, model.corpus_total_words, 1]
    for one in (model, loaded):
        one.workers = 1
        one.train(themes(100), epochs=1)
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    assert fastw2v.Word2Vec.load(tmp_path / "a.model").model == "skipgram"
    model.wv.context_vectors = None
    model.wv.save(tmp_path / "vectors.safetensors")
    with pytest.raises(ValueError, match="contains vectors, not a model"):
        Word2Vec.load(tmp_path / "vectors.safetensors")


@pytest.mark.parametrize("engine", ENGINES)
def test_training_again_draws_anew(engine):
    """A second call of train drops different words and draws different negatives."""
    settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": engine}
    goes_on = Word2Vec(themes(100), **settings)
    begins = Word2Vec(**settings)
    begins.build_vocab(themes(100))
    begins.wv.vectors, begins.wv.context_vectors = goes_on.wv.vectors, goes_on.syn1neg
    for model in (goes_on, begins):
        model.train(themes(100), epochs=1)
    assert (goes_on.trained_epochs, begins.trained_epochs) == (2, 1)
    assert not np.array_equal(goes_on.wv.vectors, begins.wv.vectors)


@pytest.mark.parametrize("engine", ENGINES)
def test_words_are_added_to_a_trained_model(engine, tmp_path):
    settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": engine, "min_count": 3}
    model = Word2Vec(themes(100), **settings)
    before = model.wv
    model.save(tmp_path / "a.model")
    model = Word2Vec.load(tmp_path / "a.model")
    more = [["new", "newer", before.index_to_key[3]]] * 20 + [["rare", "rare", "new"]]
    model.build_vocab(more, update=True)
    assert set(model.wv.index_to_key) == {*before.index_to_key, "new", "newer"}
    counted = collections.Counter(word for sentence in [*themes(100), *more] for word in sentence)
    assert {word: model.wv.get_vecattr(word, "count") for word in model.wv} == {w: counted[w] for w in model.wv}
    assert np.array_equal(np.sort(model.wv.counts)[::-1], model.wv.counts)
    assert (model.corpus_count, model.known_words_) == (21, len(before))
    for word in before:
        assert np.array_equal(model.wv[word], before[word])
        ours, theirs = model.wv.get_index(word), before.get_index(word)
        assert np.array_equal(model.syn1neg[ours], before.context_vectors[theirs])
    assert 0 < np.abs(model.wv["new"]).max() <= 0.5 / 8
    assert not model.syn1neg[model.wv.get_index("new")].any()
    model.train(more, epochs=5)
    assert model.trained_epochs == 6
    assert model.syn1neg[model.wv.get_index("new")].any()
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        Word2Vec(**settings).build_vocab(more, update=True)


def test_a_rate_that_is_given_means_what_it_means_in_gensim():
    assert Word2Vec().config().cbow_grad == "balanced"
    assert Word2Vec(alpha=0.05).config().cbow_grad == "sum"
    assert Word2Vec(alpha=0.05, cbow_grad="mean").config().cbow_grad == "mean"
    settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": "layers"}
    given, classic, true = (
        Word2Vec(themes(100), alpha=0.05, cbow_grad=grad, **settings).wv for grad in (None, "sum", "mean")
    )
    assert given.settings["cbow_grad"] == "sum"
    assert np.array_equal(given.vectors, classic.vectors)
    assert not np.array_equal(given.vectors, true.vectors)
    model = Word2Vec(**settings)
    model.build_vocab(themes(100))
    model.train(themes(100), start_alpha=0.05, end_alpha=model.min_alpha)
    assert np.array_equal(model.wv.vectors, classic.vectors)


class Diary(CallbackAny2Vec):
    def __init__(self):
        self.entries = []

    def on_train_begin(self, model):
        self.entries.append("begin")

    def on_epoch_begin(self, model):
        self.entries.append(model.trained_epochs)

    def on_epoch_end(self, model):
        self.entries.append((model.get_latest_training_loss(), model.wv.vectors.copy()))

    def on_train_end(self, model):
        self.entries.append("end")


def test_callbacks():
    diary, calls = Diary(), []
    model = Word2Vec(vector_size=8, epochs=3, workers=1, sample=0, callbacks=[diary, CallbackAny2Vec()])
    model.fit(themes(400), progress=lambda *call: calls.append(call))
    assert [entry for entry in diary.entries if not isinstance(entry, tuple)] == ["begin", 0, 1, 2, "end"]
    (first, early), _, (last, late) = (entry for entry in diary.entries if isinstance(entry, tuple))
    assert last < first
    assert [first, last] == [model.epoch_losses[0], model.epoch_losses[2]]
    assert np.array_equal(late, model.wv.vectors)
    assert not np.array_equal(early, late)
    words, _, rates = zip(*calls, strict=True)
    assert words == tuple(sorted(set(words)))
    assert words[-1] == model.loss_history[-1][0] == 3 * model.corpus_total_words
    assert rates == tuple(sorted(rates, reverse=True))
    assert model.wv.settings["trained_epochs"] == 3
    other = Diary()
    model.train(themes(50), total_examples=50, epochs=2, compute_loss=True, callbacks=[other])
    assert [entry for entry in other.entries if not isinstance(entry, tuple)] == ["begin", 3, 4, "end"]

    class Enough(CallbackAny2Vec):
        def on_epoch_end(self, model):
            raise StopIteration("enough")

    with pytest.raises(StopIteration, match="enough"):
        Word2Vec(themes(50), vector_size=8, epochs=3, callbacks=[Enough()])


def test_callbacks_are_those_of_the_estimator():
    events, settings = [], {"vector_size": 8, "epochs": 2, "workers": 1}
    callbacks = [lambda event, model: events.append(event)]
    theirs = fastw2v.Word2Vec(callbacks=callbacks, output_weight=0, **settings).fit(themes(50))
    ours = Word2Vec(themes(50), callbacks=[CallbackAny2Vec()], **settings)
    assert np.array_equal(ours.wv.vectors, theirs.wv.vectors)
    assert {f"on_{event}" for event in events} == {name for name in vars(CallbackAny2Vec) if name.startswith("on_")}


def test_max_final_vocab():
    model = Word2Vec(themes(100), vector_size=4, max_final_vocab=7, workers=1, epochs=1)
    assert len(model.wv) == 7


def test_pretrained_vectors_of_either_class():
    old = Word2Vec(themes(50), vector_size=4, epochs=1, workers=1)
    for init in (old.wv, WordVectors(old.wv.index_to_key, old.wv.vectors)):
        assert Word2Vec(vector_size=4, epochs=1).fit(themes(50), init=init).known_words_ == len(old.wv)


def test_parameters_as_scikit_learn_has_them():
    model = Word2Vec(vector_size=12, window=3, sg=1, max_final_vocab=9)
    again = Word2Vec(**model.get_params())
    assert again.get_params() == model.get_params()
    assert repr(again) == "Word2Vec(vector_size=12, window=3, sg=1, max_final_vocab=9)"
    assert again.set_params(window=7, sg=0) is again
    assert (again.window, again.model) == (7, "cbow")
    for name in ("windw", "model", "max_vocab", "sentences"):
        with pytest.raises(ValueError, match=f"{name} is not a parameter"):
            again.set_params(**{name: 7})


def test_in_scikit_learn():
    base = pytest.importorskip("sklearn.base")
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import ParameterGrid
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils.validation import check_is_fitted

    model = Word2Vec(vector_size=8, window=3, epochs=1, workers=1, callbacks=[CallbackAny2Vec()])
    assert base.clone(model.set_params(callbacks=())).get_params() == model.get_params()
    base.clone(model.fit(themes(50))).fit(themes(50))  # a clone is unfitted and can be fitted
    assert not hasattr(base.clone(model), "wv")
    texts = [" ".join(sentence) for sentence in themes(50)]
    steps = make_pipeline(FunctionTransformer(lambda lines: [line.split() for line in lines]), base.clone(model))
    fitted = base.clone(steps).set_params(word2vec__window=2).fit(texts, [0] * 50)
    assert isinstance(fitted, Pipeline)
    assert fitted[-1].window == 2
    assert np.array_equal(fitted[-1].wv.vectors, Word2Vec(**fitted[-1].get_params()).fit(themes(50)).wv.vectors)
    for parameters in ParameterGrid({"window": [1, 2], "sg": [0, 1]}):
        assert base.clone(model).set_params(**parameters).fit(themes(20)).get_params()["window"] in (1, 2)
    assert "Word2Vec(vector_size=8, window=2, workers=1, epochs=1)" in repr(fitted)
    assert "Word2Vec" in fitted._repr_html_()
    check_is_fitted(fitted[-1])
    with pytest.raises(NotFittedError):
        check_is_fitted(base.clone(model))


@pytest.mark.parametrize(("settings", "message"), [
    ({"size": 3}, "size is not a parameter of Word2Vec; use vector_size, its name since gensim 4"),
    ({"iter": 3}, "iter is not a parameter of Word2Vec; use epochs, its name since gensim 4"),
    ({"model": "skipgram"}, "model is not a parameter of Word2Vec; use sg=1"),
    ({"max_vocab": 3}, "max_vocab is not a parameter of Word2Vec; use max_final_vocab"),
    ({"callbacks": print}, "callbacks is .*; pass a list of CallbackAny2Vec objects"),
])  # fmt: skip
def test_names_that_gensim_4_does_not_have_are_refused(settings, message):
    with pytest.raises(TypeError, match=message):
        Word2Vec(**settings)


@pytest.mark.parametrize(("kind", "table"), [(Word2Vec, _ATTRIBUTES), (KeyedVectors, _INSTEAD)])
def test_missing_attributes_of_gensim_are_explained(kind, table):
    model = Word2Vec(themes(50), vector_size=4, epochs=1)
    owner = model if kind is Word2Vec else model.wv
    for name, instead in table.items():
        assert not hasattr(owner, name)
        with pytest.raises(AttributeError, match=f"'{kind.__name__}' object has no attribute '{name}'; ") as error:
            getattr(owner, name)
        assert str(error.value).endswith(instead)
        if replacement := re.match(r"use (model\.wv\.|model\.)?([a-z_0-9]+)", instead):
            place = {"model.wv.": model.wv, "model.": model, None: owner}[replacement[1]]
            assert replacement[2] == "np" or hasattr(place, replacement[2])
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.wv.index_to_key == model.wv.index_to_key
    with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'$"):
        getattr(owner, "nonsense")  # noqa: B009


def test_a_program_can_lower_the_rate_that_it_did_not_set():
    model = Word2Vec(vector_size=4)
    model.build_vocab(themes(50))
    rates = []
    for _ in range(3):
        rates.append(round(model.alpha, 6))
        model.train(themes(50), total_examples=model.corpus_count, epochs=1)
        model.alpha -= 0.002
        model.min_alpha = model.alpha
    assert rates == [0.025, 0.023, 0.021]  # as in gensim
    assert model.wv.settings["alpha"] == pytest.approx(0.021)
    assert model.wv.settings["cbow_grad"] == "sum"


def test_the_rate_that_was_not_set_stays_that_of_the_estimator():
    model = Word2Vec()
    assert model.alpha == 0.025
    assert model.config() == Word2Vec(**model.get_params()).config() == fastw2v.Word2Vec(output_weight=0).config()
    assert repr(model) == "Word2Vec()"


def test_rates_are_refused_by_gensim_s_names():
    model = Word2Vec(themes(50), vector_size=4, epochs=1)
    with pytest.raises(ValueError, match=r"start_alpha is 0.01 and end_alpha is 0.02; start_alpha must not be below"):
        model.train(themes(50), start_alpha=0.01, end_alpha=0.02)


@pytest.mark.parametrize(("given", "rates", "message"), [
    ({}, {"end_alpha": 0.5}, "the default initial rate is 0.2 and end_alpha is 0.5"),
    ({"alpha": 0.01}, {"end_alpha": 0.02}, "alpha is 0.01 and end_alpha is 0.02"),
    ({"min_alpha": 0.01}, {"start_alpha": 0.005}, "start_alpha is 0.005 and min_alpha is 0.01"),
    ({}, {"start_alpha": 0.0}, "start_alpha is 0.0; it must lie between"),
    ({}, {"end_alpha": -0.1}, "end_alpha is -0.1; it must lie between"),
])  # fmt: skip
def test_only_rates_that_were_set_are_named(given, rates, message):
    model = Word2Vec(themes(50), vector_size=4, epochs=1, **given)
    with pytest.raises(ValueError, match=f"^{message}"):
        model.train(themes(50), **rates)


def test_a_rate_below_the_default_of_min_alpha_is_constant():
    model = Word2Vec(themes(50), vector_size=4, epochs=1)
    model.train(themes(50), start_alpha=1e-5)
    assert (model.wv.settings["alpha"], model.wv.settings["min_alpha"]) == (1e-5, 1e-5)
    model.alpha = 2e-5
    model.train(themes(50))
    assert (model.wv.settings["alpha"], model.wv.settings["min_alpha"]) == (2e-5, 2e-5)


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="lacks methods of CallbackAny2Vec; make it a subclass"):
        Word2Vec(callbacks=[print])


def test_sentences_of_integers_have_integer_keys(tmp_path):
    """A model of baskets or walks equals the model of the same items as strings."""
    numbers = [[17, 880012, 3], [5, 17, np.int64(4)], [3, 4, 5]] * 40
    strings = [list(map(str, sentence)) for sentence in numbers]
    settings = {"vector_size": 8, "min_count": 1, "negative": 2, "workers": 1}
    ours, theirs = (Word2Vec(sentences, **settings) for sentences in (numbers, strings))
    more = [[17, 77, 78]] * 10
    ours.build_vocab(more, update=True)
    theirs.build_vocab([list(map(str, sentence)) for sentence in more], update=True)
    assert ours.train(more, total_examples=10, epochs=2) == theirs.train([["17", "77", "78"]] * 10, epochs=2)
    ours.save(tmp_path / "a.model")
    for model in (ours, Word2Vec.load(tmp_path / "a.model")):
        assert {type(key) for key in model.wv.index_to_key} == {int}
        assert list(map(str, model.wv.index_to_key)) == theirs.wv.index_to_key
        assert np.array_equal(model.wv[17], theirs.wv["17"])
        assert np.array_equal(model.wv[np.array([17, 880012])], theirs.wv[["17", "880012"]])
        assert [(str(key), cosine) for key, cosine in model.wv.most_similar(17)] == theirs.wv.most_similar("17")
        predicted, expected = model.predict_output_word([17, 3]), theirs.predict_output_word(["17", "3"])
        assert [(str(key), share) for key, share in predicted] == expected
        assert np.array_equal(model.transform([[17, 3], [99]]), theirs.transform([["17", "3"], ["99"]]))
    again = Word2Vec(**settings).fit(numbers, init=ours.wv)
    assert again.known_words_ == len(again.wv) == 5
    with pytest.raises(TypeError, match="the words of these vectors are integers"):
        ours.transform(["17 3"])


def test_arguments_of_a_wrong_type_are_named(tmp_path):
    model = Word2Vec([["a", "b"]] * 20, vector_size=4, negative=1, epochs=1)
    for name, call in [
        ("context_words_list", lambda: model.predict_output_word("a")),
        ("context_words_list", lambda: model.predict_output_word(3)),
        ("topn", lambda: model.predict_output_word(["a"], topn="7")),
        ("fname_or_handle", lambda: model.save(7)),
        ("fname", lambda: Word2Vec.load(7)),
        ("path", lambda: fastw2v.Word2Vec.save(model, 7)),
        ("path", lambda: fastw2v.Word2Vec.load(7)),
    ]:
        with pytest.raises(TypeError, match=f"^{name} is "):
            call()
