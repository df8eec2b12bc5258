"""Word2Vec: what it learns, with each engine; what it refuses; what it promises about seeds and choices."""

from __future__ import annotations

import collections
import inspect
import subprocess
import sys

import numpy as np
import pytest

from fastw2v import CBOW, Corpus, SkipGram, Word2Vec, WordVectors, sampling
from fastw2v.kernels import cpu
from fastw2v.word2vec import CallbackAny2Vec, choose_engine

needs_numba = pytest.mark.skipif(cpu.problem() is not None, reason=str(cpu.problem()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]


def themes(n_sentences=600, seed=0):
    """Return sentences that each keep to one of four themes of eight words, and share some common words."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(n_sentences):
        theme = rng.integers(4)
        words = [f"t{theme}w{i}" for i in rng.integers(0, 8, 9)] + [f"common{i}" for i in rng.integers(0, 3, 3)]
        sentences.append([words[i] for i in rng.permutation(len(words))])
    return sentences


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sg", [0, 1])
def test_neighbours_share_a_theme(engine, sg):
    model = Word2Vec(vector_size=16, sg=sg, engine=engine, sample=0, epochs=15, workers=1, window=8).fit(themes())
    assert model.engine_ == engine
    for theme in range(4):
        near = [word for word, _ in model.wv.most_similar(f"t{theme}w0", topn=5)]
        assert all(word.startswith(f"t{theme}") for word in near), near
    first, last = model.loss_history[0][1], model.loss_history[-1][1]
    assert last < first or len(model.loss_history) == 1


def loss_of(wv, corpus, sg):
    """Return the mean loss per target of trained vectors over a corpus, from draws that no training used."""
    model = (SkipGram if sg else CBOW).from_weights(np.ascontiguousarray(wv.vectors), np.array(wv.context_vectors))
    counts = corpus.vocabulary.counts
    pieces = sampling.batches(
        corpus.ids, corpus.offsets, sampling.keep_threshold(counts, 1e-3),
        sampling.alias_table(sampling.noise_weights(counts)),
        window=5, pool_tokens=64, pool_size=16, groups=50, seed=99, epoch=0,
    )  # fmt: skip
    losses = [(float(model.forward(b.contexts, b.target, b.pool)), b.targets) for b in pieces]
    return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)


@needs_numba
@pytest.mark.parametrize("sg", [0, 1])
def test_the_engines_reach_the_same_loss(sg):
    corpus = Corpus.from_sentences(themes(3000))
    layers, fused = (
        loss_of(Word2Vec(vector_size=16, sg=sg, engine=engine, epochs=10, workers=1).fit(corpus).wv, corpus, sg)
        for engine in ("layers", "fused")
    )
    assert layers == pytest.approx(fused, rel=0.05)


@pytest.mark.parametrize("engine", ENGINES)
def test_same_seed_same_bytes(engine):
    sentences = themes(100)
    a, b, c = (
        Word2Vec(vector_size=12, engine=engine, epochs=2, workers=1, seed=seed).fit(sentences).wv for seed in (7, 7, 8)
    )
    assert np.asarray(a.vectors).tobytes() == np.asarray(b.vectors).tobytes()
    assert a.index_to_key == b.index_to_key
    assert not np.array_equal(a.vectors, c.vectors)


def test_no_seed_is_another_one_each_time_that_can_be_repeated():
    settings = {"vector_size": 8, "epochs": 1, "workers": 1, "engine": "layers"}
    model = Word2Vec(seed=None, **settings)
    one = model.fit(themes(50)).wv
    other = model.fit(themes(50)).wv
    assert model.seed is None
    assert one.settings["seed"] != other.settings["seed"] == model.seed_
    assert np.array_equal(Word2Vec(seed=one.settings["seed"], **settings).fit(themes(50)).wv.vectors, one.vectors)


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_starts_anew(engine):
    model = Word2Vec(vector_size=8, engine=engine, epochs=1, workers=1)
    once = np.array(model.fit(themes(50)).wv.vectors)
    assert np.array_equal(model.fit(themes(50)).wv.vectors, once)


def test_every_kind_of_corpus(tmp_path):
    sentences = themes(60)
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(" ".join(s) for s in sentences), encoding="utf-8")
    settings = {"vector_size": 8, "epochs": 1, "workers": 1, "engine": "layers"}
    corpus = Corpus.from_sentences(sentences)
    models = [Word2Vec(**settings).fit(kind) for kind in (sentences, iter(sentences), path, str(path), corpus)]
    for model in models[1:]:
        assert model.wv.index_to_key == models[0].wv.index_to_key
        assert np.array_equal(model.wv.vectors, models[0].wv.vectors)
    ids = Word2Vec(**settings).fit(Corpus.from_ids(corpus.ids, corpus.offsets)).wv
    assert np.array_equal(ids.vectors, models[0].wv.vectors)
    assert ids.index_to_key[:2] == ["0", "1"]


def test_what_comes_out():
    calls = []
    model = Word2Vec(vector_size=8, epochs=2, workers=1, engine="layers", negative=3)
    returned = model.fit(themes(50), progress=lambda *call: calls.append(call))
    assert returned is model
    assert model.wv.vectors.shape == (len(model.wv), 8)
    assert model.wv.context_vectors.shape == (len(model.wv), 8)
    assert model.wv.settings["negative"] == 3
    assert model.wv.settings["engine"] == "layers"
    words, loss, alpha = calls[-1]
    assert words == 2 * sum(model.wv.counts)
    assert 0 < loss < 10
    assert 0 < alpha < 0.2
    assert [(w, value) for w, value, _ in calls] == model.loss_history


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sentences", [8000, 20])
def test_a_short_run_has_a_curve_all_the_same(engine, sentences):
    """Of a run of less than a second, some twenty points; of one with fewer steps, one at least."""
    corpus = Corpus.from_sentences(themes(sentences))
    calls = []
    Word2Vec(vector_size=4, engine=engine, epochs=2, workers=1).fit(corpus, progress=lambda *call: calls.append(call))
    words = [call[0] for call in calls]
    assert words == sorted(set(words))
    assert words[-1] == 2 * len(corpus)
    assert len(calls) >= (15 if sentences > 1000 else 1)
    assert len(calls) < 60


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"vector_size": 0}, ValueError, "vector_size is 0; it must be at least 1"),
    ({"window": 0}, ValueError, "window is 0; it must be at least 1"),
    ({"min_count": -1}, ValueError, "min_count is -1; it must be at least 0"),
    ({"negative": 0}, ValueError, "negative is 0; it must be at least 1"),
    ({"epochs": 0}, ValueError, "epochs is 0"),
    ({"workers": 0}, ValueError, "workers is 0"),
    ({"window": 2.5}, TypeError, "window is 2.5 of type float; it must be a whole number"),
    ({"vector_size": "100"}, TypeError, "vector_size is '100' of type str"),
    ({"negative": True}, TypeError, "negative is True of type bool"),
    ({"seed": "1"}, TypeError, "seed is '1' of type str; it must be a whole number"),
    ({"ns_exponent": 1.5}, ValueError, "ns_exponent is 1.5; it must lie between -1.0 and 1.0"),
    ({"sample": -1e-3}, ValueError, "sample is -0.001"),
    ({"sample": float("nan")}, ValueError, "sample is nan"),
    ({"alpha": 1e-5}, ValueError, "alpha is 1e-05; it must lie between 0.0001 and"),
    ({"alpha": 0, "min_alpha": 0}, ValueError, "alpha is 0; it must lie between 1e-09"),
    ({"min_alpha": 0.3}, ValueError, "alpha is 0.2; it must lie between 0.3 and"),
    ({"min_alpha": -1}, ValueError, "min_alpha is -1"),
    ({"alpha": float("inf")}, ValueError, "alpha is inf"),
    ({"sg": 2}, ValueError, "sg is 2; it must be 0 or 1"),
    ({"cbow_grad": "classic"}, ValueError, "must be 'mean' or 'balanced' or 'sum'"),
    ({"hs": 1}, ValueError, "hs is 1: hierarchical softmax is not offered"),
    ({"hs": 1, "negative": 0}, ValueError, "negative is 0; it must be at least 1 .hierarchical"),
    ({"cbow_mean": 0}, ValueError, "cbow_mean is 0: the sum of contexts is not offered"),
    ({"trim_rule": print}, ValueError, "Corpus.from_sentences takes include"),
    ({"max_vocab_size": 5}, ValueError, "max_final_vocab limits the result"),
    ({"engine": "numba"}, ValueError, "must be 'auto' or 'fused' or 'layers'"),
])  # fmt: skip
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        Word2Vec(**settings)


@pytest.mark.parametrize(("corpus", "error", "message"), [
    ([], ValueError, "there are no words"),
    ([["a", "b"]], ValueError, "5"),
    ("no-such-file.txt", OSError, "no-such-file.txt"),
    (["a string", "is no list"], TypeError, "split"),
    ([[1, 2]], TypeError, "from_ids"),
    ([["a", "b", "c"] * 5], ValueError, "negative is 5, but the vocabulary has only 3 words"),
    (5, TypeError, "is no corpus"),
])  # fmt: skip
def test_corpora_that_cannot_be_trained_on(corpus, error, message):
    with pytest.raises(error, match=message):
        Word2Vec(engine="layers").fit(corpus)


class TestGensimWays:
    """Programs written for gensim's Word2Vec run with their import changed."""

    @pytest.fixture
    def theirs(self):
        models = pytest.importorskip("gensim.models")
        return models.Word2Vec(themes(200), vector_size=12, workers=1, epochs=2)

    def test_positional_arguments_are_gensim_s(self):
        gensim = pytest.importorskip("gensim.models")
        named = list(inspect.signature(gensim.Word2Vec.__init__).parameters)
        assert list(inspect.signature(Word2Vec.__init__).parameters)[: len(named)] == named

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
        with pytest.raises(TypeError, match="give one of them"):
            Word2Vec(themes(5), str(path))

    def test_build_vocab_and_train_are_fit(self):
        settings = {"vector_size": 8, "workers": 1, "epochs": 3}
        model = Word2Vec(**settings)
        with pytest.raises(RuntimeError, match="no vocabulary yet"):
            model.train(themes(100), total_examples=100, epochs=3)
        model.build_vocab(themes(100))
        untrained = model.wv.vectors.copy()
        assert abs(untrained).max() <= 0.5 / 8
        model.wv.most_similar("common0")  # computes what training must not leave behind
        trained, _ = model.train(themes(100), total_examples=model.corpus_count, epochs=model.epochs)
        assert trained == 3 * model.corpus_total_words
        whole = Word2Vec(**settings).fit(themes(100))
        assert np.array_equal(model.wv.vectors, whole.wv.vectors)
        assert model.wv.most_similar("common0") == whole.wv.most_similar("common0")
        assert model.get_latest_training_loss() == whole.loss_history[-1][1]

    def test_training_goes_on_with_the_words_that_are_known(self):
        model = Word2Vec(themes(100), vector_size=8, workers=1, epochs=1)
        before, words = model.wv.vectors.copy(), list(model.wv.index_to_key)
        model.train(corpus_iterable=[[*s, "unheard-of"] for s in themes(100, seed=1)], epochs=2, start_alpha=0.1)
        assert model.trained_epochs == 3
        assert model.wv.index_to_key == words
        assert not np.array_equal(model.wv.vectors, before)
        assert model.loss_history[-1][0] > model.corpus_total_words
        with pytest.raises(ValueError, match=r"trim_rule is <built-in.*from_sentences takes"):
            model.build_vocab(themes(5), trim_rule=print)
        with pytest.raises(TypeError, match="either corpus_iterable or corpus_file"):
            model.train()
        model.wv = WordVectors(words, model.wv.vectors)
        with pytest.raises(ValueError, match="cannot be trained on"):
            model.train(themes(5))
        with pytest.raises(RuntimeError, match="no output side"):
            model.predict_output_word(["common0"])

    def test_save_and_load_go_on_where_they_were(self, tmp_path):
        model = Word2Vec(themes(100), vector_size=8, window=3, workers=1, epochs=1, sg=1)
        model.save(tmp_path / "a.model")
        loaded = Word2Vec.load(tmp_path / "a.model")
        assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
        assert (loaded.sg, loaded.window, loaded.vector_size) == (1, 3, 8)
        sizes = ("corpus_count", "corpus_total_words", "trained_epochs")
        assert [getattr(loaded, name) for name in sizes] == [100, model.corpus_total_words, 1]
        for one in (model, loaded):
            one.workers = 1
            one.train(themes(100), epochs=1)
        assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
        model.wv.context_vectors = None
        model.wv.save(tmp_path / "vectors.safetensors")
        with pytest.raises(ValueError, match="holds vectors, not a model"):
            Word2Vec.load(tmp_path / "vectors.safetensors")

    def test_a_model_of_gensim_s_is_not_loaded_but_told_how_to_be_read(self, theirs, tmp_path):
        theirs.save(str(tmp_path / "theirs.model"))
        with pytest.raises(ValueError, match=r"is a pickle.*format='gensim'"):
            Word2Vec.load(tmp_path / "theirs.model")

    @pytest.mark.parametrize("engine", ENGINES)
    def test_training_again_draws_anew(self, engine):
        """Otherwise every call of train would leave out the same words, and show the same negatives."""
        settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": engine}
        goes_on = Word2Vec(**settings).fit(themes(100))
        begins = Word2Vec(**settings)
        begins.build_vocab(themes(100))
        begins.wv.vectors[...], begins.wv.context_vectors[...] = goes_on.wv.vectors, goes_on.wv.context_vectors
        for model in (goes_on, begins):
            model.train(themes(100), epochs=1)
        assert (goes_on.trained_epochs, begins.trained_epochs) == (2, 1)
        assert not np.array_equal(goes_on.wv.vectors, begins.wv.vectors)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_words_are_added_to_a_trained_model(self, engine, tmp_path):
        settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": engine, "min_count": 3}
        model = Word2Vec(**settings).fit(themes(100))
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
            assert np.array_equal(model.wv.context_vectors[ours], before.context_vectors[theirs])
        assert 0 < np.abs(model.wv["new"]).max() <= 0.5 / 8
        assert not model.wv.context_vectors[model.wv.get_index("new")].any()
        model.train(more, epochs=5)
        assert model.trained_epochs == 6
        assert model.wv.context_vectors[model.wv.get_index("new")].any()
        with pytest.raises(RuntimeError, match="no vocabulary yet"):
            Word2Vec(**settings).build_vocab(more, update=True)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_training_begins_with_vectors_that_are_there(self, engine):
        settings = {"vector_size": 8, "workers": 1, "engine": engine, "min_count": 1}
        old = Word2Vec(epochs=3, **settings).fit(themes(300))
        # A rate too low to change anything shows what the training began with.
        still = {"epochs": 1, "alpha": 1e-9, "min_alpha": 1e-9}
        text = [[*sentence, "unheard-of"] for sentence in themes(50)]
        new = Word2Vec(**still, **settings).fit(text, init=old.wv)
        assert new.known_words_ == len(new.wv) - 1 == new.wv.settings["known_words"]
        for word in set(new.wv) - {"unheard-of"}:
            np.testing.assert_allclose(new.wv[word], old.wv[word], atol=1e-6)
            ours, theirs = new.wv.get_index(word), old.wv.get_index(word)
            np.testing.assert_allclose(new.wv.context_vectors[ours], old.wv.context_vectors[theirs], atol=1e-6)
        assert np.abs(new.wv["unheard-of"]).max() <= 0.5 / 8 + 1e-6
        alone = WordVectors(
            old.wv.index_to_key, np.asarray(old.wv.vectors, np.float16)
        )  # no output side, half the bits
        begun = Word2Vec(**still, **settings).fit(text, init=alone)
        np.testing.assert_allclose(begun.wv["common0"], old.wv["common0"], atol=1e-2)
        assert np.abs(begun.wv.context_vectors).max() < 1e-5
        # What was learnt is not lost: the first loss is near the last one of before.
        settings |= {"epochs": 1, "sample": 0}
        again, anew = (Word2Vec(**settings).fit(themes(300), init=init).loss_history[0][1] for init in (old.wv, None))
        assert again < 0.9 * anew

    def test_vectors_that_cannot_be_begun_with(self):
        settings = {"vector_size": 4, "workers": 1, "min_count": 1, "engine": "layers"}
        words = ["common0", "common1"]
        for init, problem in (
            (WordVectors(words, np.ones((2, 5))), "init has vectors of 5 numbers, and vector_size is 4: make that 5"),
            (
                WordVectors(["q"], np.ones((1, 4))),
                r"none of the vocabulary's \d+ words, .* 'common.*first is 'q'",
            ),
            (WordVectors(words, np.array([[1, 1, 1, 1], [1, np.inf, 1, 1]])), "'common1' has numbers .* not finite"),
        ):
            with pytest.raises(ValueError, match=problem):
                Word2Vec(**settings).fit(themes(50), init=init)
        with pytest.raises(TypeError, match=r"init is 'vectors.bin'; give WordVectors, such as"):
            Word2Vec(**settings).fit(themes(50), init="vectors.bin")

    def test_a_rate_that_is_given_means_what_it_means_in_gensim(self):
        assert Word2Vec()._cbow_grad() == "balanced"
        assert Word2Vec(alpha=0.05)._cbow_grad() == "sum"
        assert Word2Vec(alpha=0.05, cbow_grad="mean")._cbow_grad() == "mean"
        settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": "layers"}
        given, classic, true = (
            Word2Vec(alpha=0.05, cbow_grad=grad, **settings).fit(themes(100)).wv for grad in (None, "sum", "mean")
        )
        assert given.settings["cbow_grad"] == "sum"
        assert np.array_equal(given.vectors, classic.vectors)
        assert not np.array_equal(given.vectors, true.vectors)
        model = Word2Vec(**settings)
        model.build_vocab(themes(100))
        model.train(themes(100), start_alpha=0.05, end_alpha=model.min_alpha)
        assert np.array_equal(model.wv.vectors, classic.vectors)

    def test_callbacks(self):
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

        diary, calls = Diary(), []
        model = Word2Vec(vector_size=8, epochs=3, workers=1, sample=0, callbacks=[diary, CallbackAny2Vec()])
        model.fit(themes(400), progress=lambda *call: calls.append(call))
        assert [entry for entry in diary.entries if not isinstance(entry, tuple)] == ["begin", 0, 1, 2, "end"]
        (first, early), _, (last, late) = (entry for entry in diary.entries if isinstance(entry, tuple))
        assert last < first
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
            Word2Vec(vector_size=8, epochs=3, callbacks=[Enough()]).fit(themes(50))

    def test_epochs_with_callbacks_learn_as_much(self):
        corpus = Corpus.from_sentences(themes(3000))
        settings = {"vector_size": 16, "epochs": 10, "workers": 1}
        plain, called = (
            loss_of(Word2Vec(callbacks=callbacks, **settings).fit(corpus).wv, corpus, 0)
            for callbacks in ((), [CallbackAny2Vec()])
        )
        assert called == pytest.approx(plain, rel=0.05)

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

    def test_max_final_vocab(self):
        model = Word2Vec(themes(100), vector_size=4, max_final_vocab=7, workers=1, epochs=1)
        assert len(model.wv) == 7

    def test_parameters_as_scikit_learn_has_them(self):
        model = Word2Vec(vector_size=12, window=3)
        twin = Word2Vec(**model.get_params())
        assert twin.get_params() == model.get_params()
        assert twin.set_params(window=7) is twin
        assert twin.window == 7
        with pytest.raises(ValueError, match="'windw' is no parameter"):
            twin.set_params(windw=7)
        with pytest.raises(ValueError, match="window is 0"):
            twin.set_params(window=0)

    def test_in_scikit_learn(self):
        base = pytest.importorskip("sklearn.base")
        from sklearn.exceptions import NotFittedError
        from sklearn.model_selection import ParameterGrid
        from sklearn.pipeline import Pipeline, make_pipeline
        from sklearn.preprocessing import FunctionTransformer
        from sklearn.utils.validation import check_is_fitted

        model = Word2Vec(vector_size=8, window=3, epochs=1, workers=1, callbacks=[CallbackAny2Vec()])
        assert base.clone(model.set_params(callbacks=())).get_params() == model.get_params()
        base.clone(model.fit(themes(50))).fit(themes(50))  # a clone is not fitted, and can be
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


class TestChoice:
    def test_auto_without_numba_is_layers_and_says_so(self, monkeypatch):
        monkeypatch.setattr(cpu, "problem", lambda: "Numba is on holiday")
        monkeypatch.setattr("fastw2v.engine.cuda_problem", lambda: "no CUDA today")
        assert choose_engine() == (
            "cpu",
            "layers",
            "no GPU is used: no CUDA today; no fused engine: Numba is on holiday",
        )

    def test_fused_without_numba_is_an_error_with_the_reason(self, monkeypatch):
        monkeypatch.setattr(cpu, "problem", lambda: "Numba is on holiday")
        with pytest.raises(RuntimeError, match=r"cannot be used on cpu: Numba is on holiday. engine='layers' can"):
            Word2Vec(engine="fused", device="cpu").fit(themes(10))

    @needs_numba
    def test_auto_on_a_cpu_is_fused(self):
        assert choose_engine("auto", "cpu") == ("cpu", "fused", "device 'cpu' was asked for")

    def test_a_missing_gpu_is_an_error(self, monkeypatch):
        monkeypatch.setattr("fastw2v.backend.cuda_problem", lambda: "no CUDA today")
        with pytest.raises(RuntimeError, match=r"device 'cuda' cannot be used. no CUDA today"):
            choose_engine("auto", "cuda")

    def test_a_gpu_without_a_fused_engine_does_not_slow_down_a_cpu_that_has_one(self, monkeypatch):
        monkeypatch.setattr("fastw2v.engine.cuda_problem", lambda: None)
        monkeypatch.setattr(cpu, "problem", lambda: None)
        assert choose_engine()[:2] == ("cpu", "fused")
        monkeypatch.setattr(cpu, "problem", lambda: "Numba is on holiday")
        assert choose_engine()[:2] == ("cuda", "layers")

    def test_the_choice_is_logged(self, caplog):
        with caplog.at_level("INFO", logger="fastw2v"):
            Word2Vec(vector_size=2, epochs=1, engine="layers", device="cpu").fit(themes(20))
        assert "training on cpu with the layers engine: device 'cpu' was asked for" in caplog.text


def test_without_numba_and_cupy_everything_still_works():
    # In a process of its own, in which both cannot be imported: this is the whole library on NumPy alone.
    script = """
import random, sys
sys.modules["numba"] = sys.modules["cupy"] = None
import fastw2v
draw = random.Random(0)
sentences = [[draw.choice(theme) + "." for _ in range(8)] for theme in ["abcd", "efgh", "ijkl"] * 400]
model = fastw2v.Word2Vec(vector_size=8, negative=5, epochs=10, sample=0).fit(sentences)
assert model.engine_ == "layers", model.engine_
assert "Numba is not installed" in model.report_, model.report_
print([word for word, _ in model.wv.most_similar("a.", topn=3)])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(eval(done.stdout)) == ["b.", "c.", "d."]
    assert done.stderr == ""


@pytest.mark.gpu
def test_on_a_gpu_the_layers_learn_the_same(monkeypatch):
    from fastw2v.backend import cuda_problem, to_host

    if problem := cuda_problem():
        pytest.skip(problem)
    monkeypatch.setattr("fastw2v.engine.GPU_GROUPS", 16)  # as on a processor
    settings = {"vector_size": 16, "epochs": 3, "engine": "layers"}
    host, device = (Word2Vec(device=device, **settings).fit(themes()) for device in ("cpu", "cuda"))
    assert device.loss_history[-1][1] == pytest.approx(host.loss_history[-1][1], rel=0.02)
    np.testing.assert_allclose(to_host(device.wv.vectors), host.wv.vectors, atol=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_on_a_gpu_training_begins_with_vectors_that_are_there(engine):
    from fastw2v.backend import cuda_problem, to_host

    if problem := cuda_problem():
        pytest.skip(problem)
    settings = {"vector_size": 16, "epochs": 1, "alpha": 1e-9, "min_alpha": 1e-9}
    old = Word2Vec(device="cpu", vector_size=16).fit(themes())
    new = Word2Vec(device="cuda", engine=engine, **settings).fit(themes(), init=old.wv)
    again = Word2Vec(device="cpu", **settings).fit(themes(), init=new.wv)
    for wv in (new.wv, again.wv):
        np.testing.assert_allclose(to_host(wv.vectors), old.wv.vectors, atol=1e-5)
        np.testing.assert_allclose(to_host(wv.context_vectors), old.wv.context_vectors, atol=1e-5)
