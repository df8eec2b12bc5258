"""Word2Vec: learning with each engine, rejected settings, and reproducibility with seeds."""

from __future__ import annotations

import collections
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.engines import cpu, eager
from fastw2v.nn import CBOW, SkipGram
from fastw2v.sampling.alias import alias_table, noise_weights
from fastw2v.sampling.batches import batches
from fastw2v.sampling.subsampling import keep_threshold
from fastw2v.word2vec import INSTEAD

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
ENGINES = ["layers", pytest.param("fused", marks=needs_numba)]


def themes(n_sentences=600, seed=0):
    """Return sentences that each use one of four themes of eight words, and some common words."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(n_sentences):
        theme = rng.integers(4)
        words = [f"t{theme}w{i}" for i in rng.integers(0, 8, 9)] + [f"common{i}" for i in rng.integers(0, 3, 3)]
        sentences.append([words[i] for i in rng.permutation(len(words))])
    return sentences


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_neighbours_share_a_theme(engine, model):
    model = Word2Vec(vector_size=16, model=model, engine=engine, sample=0, epochs=15, workers=1, window=8).fit(themes())
    assert model.engine_ == engine
    for theme in range(4):
        near = [word for word, _ in model.wv.most_similar(f"t{theme}w0", topn=5)]
        assert all(word.startswith(f"t{theme}") for word in near), near
    first, last = model.loss_history[0][1], model.loss_history[-1][1]
    assert last < first or len(model.loss_history) == 1


def loss_of(wv, corpus, model):
    """Return the mean loss per target of trained vectors over a corpus, with random numbers that no training used."""
    network = {"cbow": CBOW, "skipgram": SkipGram}[model]
    network = network.from_weights(np.ascontiguousarray(wv.input_vectors), np.array(wv.context_vectors))
    counts = corpus.vocabulary.counts
    found = batches(
        corpus.ids, corpus.offsets, keep_threshold(counts, 1e-3), alias_table(noise_weights(counts)),
        window=5, pool_tokens=64, pool_size=16, groups=50, seed=99, epoch=0,
    )  # fmt: skip
    losses = [(float(network.forward(b.contexts, b.target, b.pool)), b.targets) for b in found]
    return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)


@needs_numba
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_the_engines_reach_the_same_loss(model):
    corpus = Corpus.from_sentences(themes(3000))
    settings = {"vector_size": 16, "model": model, "epochs": 10, "workers": 1}
    layers, fused = (
        loss_of(Word2Vec(engine=engine, **settings).fit(corpus).wv, corpus, model) for engine in ("layers", "fused")
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
    assert ids.index_to_key[:2] == [0, 1]


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
    assert len(model.epoch_losses) == 2
    assert model.epoch_losses[1] == pytest.approx(np.mean([value for w, value in model.loss_history if w > words / 2]))


def test_the_metadata_says_how_the_pools_were():
    settings = {"vector_size": 8, "epochs": 1, "workers": 1}
    layers = Word2Vec(engine="layers", **settings).fit(themes(50)).wv.settings
    assert not {"pool_tokens", "pool_size", "tile"} & layers.keys()
    assert layers["alpha"] == 0.2


@needs_numba
def test_the_metadata_of_the_fused_engine_has_the_whole_schedule():
    settings = Word2Vec(vector_size=8, epochs=1, engine="fused", device="cpu").fit(themes(50)).wv.settings
    assert (settings["pool_tokens"], settings["pool_size"], settings["tile"]) == (64, 16, 4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sentences", [8000, 20])
def test_a_short_run_has_a_curve_all_the_same(engine, sentences):
    """A run of less than a second has about twenty points, and a run with fewer steps has at least one."""
    corpus = Corpus.from_sentences(themes(sentences))
    calls = []
    Word2Vec(vector_size=4, engine=engine, epochs=2, workers=1).fit(corpus, progress=lambda *call: calls.append(call))
    words = [call[0] for call in calls]
    assert words == sorted(set(words))
    assert words[-1] == 2 * len(corpus)
    assert len(calls) >= (15 if sentences > 1000 else 1)
    assert len(calls) < 60


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"min_count": -1}, ValueError, "min_count is -1; it must be at least 0"),
    ({"max_vocab": 0}, ValueError, "max_vocab is 0; it must be at least 1"),
    ({"workers": 0}, ValueError, "workers is 0"),
    ({"window": 2.5}, TypeError, "window is 2.5 of type float; it must be a whole number"),
    ({"sample": "Auto"}, TypeError, "sample is 'Auto'; it must be a number from 0 to 1, or 'auto'"),
    ({"seed": "1"}, TypeError, "seed is '1' of type str; it must be a whole number"),
    ({"alpha": 1e-5, "min_alpha": 1e-3}, ValueError, "alpha is 1e-05 and min_alpha is 0.001; alpha must not be below"),
    ({"model": "glove"}, ValueError, "model is 'glove'; it must be 'cbow' or 'skipgram'"),
    ({"engine": "numba"}, ValueError, "must be 'auto', 'fused' or 'layers'"),
    ({"device": "gpu"}, ValueError, "device is 'gpu'; it must be 'cpu', 'cuda' or 'cuda:N'"),
    ({"callbacks": [object()]}, TypeError, "which is not callable; pass functions .* accepts gensim's"),
    ({"callbacks": print}, TypeError, "callbacks is <built-in function print> .*; pass a list of functions"),
    ({"sg": 1}, TypeError, "sg is not a parameter of Word2Vec; use model='skipgram' for sg=1"),
    ({"size": 50}, TypeError, "size is not a parameter of Word2Vec; use vector_size"),
    ({"iter": 3}, TypeError, "iter is not a parameter of Word2Vec; use epochs"),
    ({"sentences": []}, TypeError, "sentences is not a parameter of Word2Vec; pass the corpus to fit"),
    ({"windows": 3}, TypeError, "windows is not a parameter of Word2Vec; use window"),
])  # fmt: skip
def test_settings_out_of_range(settings, error, message):
    """`tests/test_config.py` tests the other settings."""
    with pytest.raises(error, match=message):
        Word2Vec(**settings)


def test_the_parameters_are_keywords():
    with pytest.raises(TypeError, match=r"keyword arguments only, .* pass the corpus to fit"):
        Word2Vec(themes(5))
    with pytest.raises(ValueError, match="size is not a parameter of Word2Vec; use vector_size"):
        Word2Vec().set_params(size=3)


def test_train_has_no_parameters_of_gensim():
    model = Word2Vec(vector_size=4, engine="layers").build_vocab(themes(50))
    with pytest.raises(TypeError, match=r"total_examples is not a parameter of Word2Vec.train; omit it"):
        model.train(themes(50), total_examples=50)


def test_every_name_for_which_another_is_proposed_does_not_exist():
    assert not set(INSTEAD) & set(Word2Vec().get_params())


@pytest.mark.parametrize(("settings", "warning"), [
    ({"model": "skipgram", "cbow_grad": "sum"}, "cbow_grad is 'sum', but it has no effect on skip-gram"),
    ({"workers": 2, "engine": "layers"}, "workers is 2, but it has no effect on the layers engine"),
    ({"max_vocab": 5}, "max_vocab is 5, but it has no effect, because the corpus is already encoded"),
    ({"min_count": 200}, "min_count is 200, but it has no effect, because the corpus is already encoded"),
])  # fmt: skip
def test_a_parameter_without_effect_is_reported(settings, warning, caplog):
    corpus = Corpus.from_sentences(themes(50), min_count=1)
    model = Word2Vec(vector_size=4, **settings).fit(corpus)
    assert [message for message in caplog.messages if "no effect" in message] == [caplog.messages[0]]
    assert caplog.messages[0].startswith(warning)
    caplog.clear()
    type(model)._from_settings(model.wv.settings, model.wv.settings).fit(corpus)
    Word2Vec(vector_size=4, min_count=1, max_vocab=1000, workers=1, engine="layers").fit(corpus)
    assert not any("cbow_grad" in message or "workers is 1" in message for message in caplog.messages)


def test_a_parameter_that_a_callback_changes_is_reported(caplog):
    def lower(event, model):
        if event == "epoch_end":
            model.alpha, model.window = 0.01 / model.trained_epochs, 3

    model = Word2Vec(vector_size=8, min_count=1, negative=2, epochs=3, callbacks=[lower]).fit(themes(60))
    warnings = [record.getMessage() for record in caplog.records if "a callback has set" in record.getMessage()]
    assert [message.split(",")[0] for message in warnings] == [
        "a callback has set window to 3",
        "a callback has set alpha to 0.01",
    ]
    assert model.wv.settings["window"] == 5
    caplog.clear()
    model.callbacks = ()
    model.train(themes(60), epochs=1)
    assert (model.wv.settings["window"], caplog.text) == (3, "")


def test_no_callbacks_can_be_none():
    model = Word2Vec(vector_size=4, engine="layers", callbacks=None).fit(themes(50))
    again = Word2Vec(vector_size=4, engine="layers").fit(themes(50))
    np.testing.assert_array_equal(model.wv.vectors, again.wv.vectors)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "value"), {
    "vector_size": np.int8(100),  # 4 * 100 does not fit into 8 bits
    "window": np.int8(100),
    "min_count": np.int64(2),
    "max_vocab": np.int8(100),
    "negative": np.int8(3),
    "ns_exponent": np.float32(0.75),
    "sample": np.float16(0.01),
    "alpha": np.float32(0.05),
    "min_alpha": np.float16(1e-3),
    "epochs": np.int8(3),
    "shrink_windows": np.bool_(False),
    "seed": np.uint8(200),
    "workers": np.int8(1),
    "deterministic": np.bool_(True),
}.items())  # fmt: skip
def test_numpy_scalars_are_numbers(engine, name, value, tmp_path):
    """`np.arange` and grids of parameters contain them."""
    corpus = themes(50)
    settings = {"vector_size": 4, "workers": 1, "engine": engine, "sample": 0}
    model = Word2Vec(**settings | {name: value}).fit(corpus)
    plain = Word2Vec(**settings | {name: value.item()}).fit(corpus)
    np.testing.assert_array_equal(model.wv.vectors, plain.wv.vectors)
    model.wv.save(tmp_path / "model.safetensors")
    assert WordVectors.load(tmp_path / "model.safetensors").settings == plain.wv.settings


@pytest.mark.parametrize(("corpus", "error", "message"), [
    ([], ValueError, "there are no words"),
    ([["a", "b"]], ValueError, "5"),
    ("no-such-file.txt", OSError, "no-such-file.txt"),
    ("the cat sat on the mat", OSError, "there is no corpus file the cat .*; a string is the path of a file"),
    (["a string", "is no list"], TypeError, "split"),
    ([[1, 2]], ValueError, "min_count=5"),
    ([1, 2], TypeError, "from_ids"),
    ([[1, "a"]], TypeError, "token 1 of sentence 0 is 'a' of type str"),
    ([["a"] * 5 + ["b"]], ValueError, "the vocabulary has only one word, 'a', and training needs at least two"),
    (5, TypeError, "cannot make a corpus"),
])  # fmt: skip
def test_corpora_that_cannot_be_trained_on(corpus, error, message):
    with pytest.raises(error, match=message):
        Word2Vec(engine="layers").fit(corpus)


@pytest.mark.parametrize(
    ("limits", "corpus", "remedy"),
    [
        ({"min_count": 1}, [["a"] * 50], r"'a', and training needs at least two\. Use a larger corpus$"),
        ({"min_count": 2}, [["a", "a", "b"]], r"Lower min_count \(now 2\) or use a larger corpus$"),
        ({"min_count": 1, "max_vocab": 1}, [["a", "b"]], r"Raise max_vocab \(now 1\) or use a larger corpus$"),
        ({"min_count": 1}, [[17, 17]], "only one word, 17,"),
    ],
)
def test_advice_about_a_single_word_fits(limits, corpus, remedy):
    with pytest.raises(ValueError, match=remedy):
        Word2Vec(engine="layers", **limits).fit(corpus)


ALONE = "each of the 250 sentences has one word"


@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_a_corpus_without_neighbours_is_refused(engine):
    words = ["apple", "banana", "cherry", "mango", "kiwi"] * 50
    model = Word2Vec(vector_size=8, min_count=1, negative=2, engine=engine)
    rare = [[word, f"once-{i}"] for i, word in enumerate(words)]  # the rare words are left out
    for corpus in (
        [[word] for word in words],
        Corpus.from_lines(words, 1),
        Corpus.from_ids(np.arange(3), [0, 1, 2, 3]),
    ):
        with pytest.raises(ValueError, match="nothing can be trained, because no word has a neighbour"):
            model.fit(corpus)
        with pytest.raises(ValueError, match="nothing can be trained, because no word has a neighbour"):
            model.estimate(corpus)
    with pytest.raises(ValueError, match=ALONE):
        Word2Vec(vector_size=8, min_count=2, negative=2, engine=engine).fit(rare)
    assert model.fit([["apple", "banana", "cherry"]] * 9).trained_epochs == 5


@pytest.mark.parametrize(("corpus", "message"), [
    ([["unknown", "words"]], "no word of the corpus is in the vocabulary of 3 words, whose first word is 'a', so"),
    ([[1, 2]], "no word of the corpus is in the vocabulary of 3 words, whose first word is 'a', so"),
    ([["a"], ["b", "unknown"], ["c"]], "no word has a neighbour: each of the 3 sentences has one word"),
])  # fmt: skip
def test_training_on_unknown_words_changes_nothing(corpus, message, caplog):
    calls = []
    model = Word2Vec(vector_size=8, min_count=1, negative=2, sample=0).fit([["a", "b", "c"]] * 20)
    model.callbacks = [lambda event, model: calls.append(event)]
    before, history = model.wv.vectors.copy(), list(model.loss_history)
    assert model.train(corpus, epochs=2) is model
    assert message in caplog.text
    assert "The weights have not changed" in caplog.text
    assert np.array_equal(model.wv.vectors, before)
    assert (model.trained_epochs, model.loss_history, calls) == (5, history, [])


@pytest.mark.parametrize("engine", ["fused", "layers"])
def test_subsampling_that_drops_nearly_all_words_is_reported(engine, caplog):
    sentences = [["apple", "banana", "cherry", "mango", "kiwi", "grape", "plum"]] * 50
    settings = {"vector_size": 8, "min_count": 1, "engine": engine, "epochs": 2}
    model = Word2Vec(sample=1e-12, **settings).fit(sentences)
    assert model.loss_history == []
    assert np.isnan(model.epoch_losses).tolist() == [True, True]  # 0 would be a perfect loss
    drops, nothing = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert drops.startswith("subsampling with sample=1e-12 drops about 100% of the 350 words in every epoch")
    assert nothing.startswith("nothing was trained, because subsampling with sample=1e-12 dropped nearly all")
    caplog.clear()
    assert Word2Vec(sample=1e-3, **settings).fit(sentences).loss_history
    # Each word is 1/7 of the corpus and is kept with probability sqrt(0.007) + 0.007 = 0.0907.
    (drops,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert drops.startswith("subsampling with sample=0.001 drops about 91% of the 350 words")
    caplog.clear()
    Word2Vec(sample=0, **settings).fit(sentences)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_integers_are_words(tmp_path):
    baskets = [[880012, 17, 5], np.array([17, 5]), [5, 880012, 17, 3]] * 20
    strings = [[str(item) for item in basket] for basket in baskets]
    settings = {"vector_size": 8, "min_count": 1, "negative": 2, "sample": 0, "workers": 1}
    model = Word2Vec(**settings).fit(baskets)
    assert model.wv.index_to_key == [17, 5, 880012, 3]
    assert set(map(type, model.wv.index_to_key)) == {int}
    assert 17 in model.wv
    assert "17" not in model.wv
    as_strings = Word2Vec(**settings).fit(strings)
    assert np.array_equal(model.wv.vectors, as_strings.wv.vectors)
    assert [(str(key), cosine) for key, cosine in model.wv.most_similar(17)] == as_strings.wv.most_similar("17")
    model.save(tmp_path / "model.safetensors")
    loaded = Word2Vec.load(tmp_path / "model.safetensors")
    loaded.train(baskets, epochs=1)
    assert loaded.trained_epochs == 6
    loaded.build_vocab([[17, 4242]], update=True)
    assert loaded.wv.index_to_key == [17, 5, 880012, 3, 4242]
    with pytest.raises(TypeError, match="word 'cat' is of type str; words must be all strings or all integers"):
        loaded.build_vocab([["cat", "dog"]], update=True)
    walks = np.array([[17, 5, 4242], [99, 3, -1]])
    assert loaded._encode(walks).ids.tolist() == [0, 1, 4, 3]  # 99 is unknown
    assert loaded.train(walks, epochs=1).trained_epochs == 7
    start = Word2Vec(**settings).fit(baskets, init=model.wv)
    assert start.known_words_ == 4
    with pytest.raises(ValueError, match=r"init has no vector for any .* store integers as strings"):
        Word2Vec(**settings).fit(baskets, init=as_strings.wv)


def test_build_vocab_and_train_are_fit():
    settings = {"vector_size": 8, "workers": 1, "epochs": 3}
    model = Word2Vec(**settings)
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        model.train(themes(100), epochs=3)
    assert model.build_vocab(themes(100)) is model
    untrained = model.wv.vectors.copy()
    assert abs(untrained).max() <= 0.5 / 8
    model.wv.most_similar("common0")  # fills a cache, which training must invalidate
    assert model.train(themes(100)) is model
    assert (model.trained_epochs, model.loss_history[-1][0]) == (3, 3 * model.corpus_total_words)
    whole = Word2Vec(**settings).fit(themes(100))
    assert np.array_equal(model.wv.vectors, whole.wv.vectors)
    assert model.wv.most_similar("common0") == whole.wv.most_similar("common0")
    assert model.loss_history == whole.loss_history


def test_training_goes_on_with_the_words_that_are_known():
    model = Word2Vec(vector_size=8, workers=1, epochs=1).fit(themes(100))
    before, words = model.wv.vectors.copy(), list(model.wv.index_to_key)
    model.train([[*s, "unheard-of"] for s in themes(100, seed=1)], epochs=2, alpha=0.1)
    assert model.trained_epochs == 3
    assert model.wv.index_to_key == words
    assert not np.array_equal(model.wv.vectors, before)
    assert model.loss_history[-1][0] > model.corpus_total_words
    with pytest.raises(ValueError, match="vocabulary of the corpus differs"):
        model.train(Corpus.from_ids(np.arange(9)))
    model.wv = WordVectors(words, model.wv.vectors)
    with pytest.raises(ValueError, match="training cannot continue"):
        model.train(themes(5))


def test_save_and_load_go_on_where_they_were(tmp_path):
    model = Word2Vec(vector_size=8, window=3, workers=1, epochs=1, model="skipgram").fit(themes(100))
    model.save(tmp_path / "a.model")
    loaded = Word2Vec.load(tmp_path / "a.model")
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    assert (loaded.model, loaded.window, loaded.vector_size) == ("skipgram", 3, 8)
    sizes = ("corpus_count", "corpus_total_words", "trained_epochs")
    assert [getattr(loaded, name) for name in sizes] == [100, model.corpus_total_words, 1]
    for one in (model, loaded):
        one.workers = 1
        one.train(themes(100), epochs=1)
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    model.wv.context_vectors = None
    model.wv.save(tmp_path / "vectors.safetensors")
    with pytest.raises(ValueError, match="contains vectors, not a model"):
        Word2Vec.load(tmp_path / "vectors.safetensors")


def test_a_model_of_gensim_s_is_not_loaded_but_told_how_to_be_read(tmp_path):
    models = pytest.importorskip("gensim.models")
    models.Word2Vec(themes(50), vector_size=4, workers=1, epochs=1).save(str(tmp_path / "theirs.model"))
    with pytest.raises(ValueError, match=r"is a pickle.*format='gensim'"):
        Word2Vec.load(tmp_path / "theirs.model")


@pytest.mark.parametrize("engine", ENGINES)
def test_training_again_draws_anew(engine):
    """A second call of train drops different words and draws different negatives."""
    settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": engine}
    goes_on = Word2Vec(**settings).fit(themes(100))
    begins = Word2Vec(**settings)
    begins.build_vocab(themes(100))
    begins.wv.vectors, begins.wv.context_vectors = goes_on.wv.vectors, goes_on.wv.context_vectors
    for model in (goes_on, begins):
        model.train(themes(100), epochs=1)
    assert (goes_on.trained_epochs, begins.trained_epochs) == (2, 1)
    assert not np.array_equal(goes_on.wv.vectors, begins.wv.vectors)


@pytest.mark.parametrize("engine", ENGINES)
def test_words_are_added_to_a_trained_model(engine, tmp_path):
    settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": engine, "min_count": 3}
    model = Word2Vec(**settings).fit(themes(100))
    before = model.wv
    model.save(tmp_path / "a.model")
    model = Word2Vec.load(tmp_path / "a.model")
    more = [["new", "newer", before.index_to_key[3]]] * 20 + [["rare", "rare", "new"]]
    model.build_vocab(more, update=True)
    assert set(model.wv.index_to_key) == {*before.index_to_key, "new", "newer"}
    counted = collections.Counter(word for sentence in [*themes(100), *more] for word in sentence)
    assert dict(zip(model.wv, model.wv.counts.tolist(), strict=True)) == {w: counted[w] for w in model.wv}
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
def test_training_goes_on_from_assigned_vectors(engine):
    def trained(dtype):
        model = Word2Vec(vector_size=8, negative=2, workers=1, engine=engine).fit(themes(100))
        vectors = (model.wv.vectors - model.wv.vectors.mean(axis=0)).astype(dtype)
        model.wv.vectors = vectors
        kept = vectors.copy()
        model.train(themes(100), epochs=1)
        return model.wv.vectors, np.array_equal(vectors, kept)

    vectors, unchanged = trained(np.float64)
    assert (vectors.dtype, unchanged) == (np.float32, True)
    assert np.array_equal(vectors, trained(np.float32)[0])


@pytest.mark.parametrize("update", [False, True])
def test_training_goes_on_only_with_the_vector_size_of_the_weights(update):
    model = Word2Vec(vector_size=8, negative=2, workers=1).fit(themes(100)).set_params(vector_size=4)
    with pytest.raises(ValueError, match=r"vector_size is 4, but the model has vectors of 8 dim.*Set vector_size=8"):
        model.build_vocab(themes(100), update=True) if update else model.train(themes(100))
    assert model.fit(themes(100)).wv.vector_size == 4


@pytest.mark.parametrize("engine", ENGINES)
def test_training_starts_from_pretrained_vectors(engine):
    settings = {"vector_size": 8, "workers": 1, "engine": engine, "min_count": 1}
    old = Word2Vec(epochs=3, **settings).fit(themes(300))
    # A rate that is too low to change anything shows the initial weights of training.
    still = {"epochs": 1, "alpha": 1e-9, "min_alpha": 1e-9}
    text = [[*sentence, "unheard-of"] for sentence in themes(50)]
    new = Word2Vec(**still, **settings).fit(text, init=old.wv)
    assert new.known_words_ == len(new.wv) - 1 == new.wv.settings["known_words"]
    for word in set(new.wv) - {"unheard-of"}:
        np.testing.assert_allclose(new.wv[word], old.wv[word], atol=1e-6)
        ours, theirs = new.wv.get_index(word), old.wv.get_index(word)
        np.testing.assert_allclose(new.wv.context_vectors[ours], old.wv.context_vectors[theirs], atol=1e-6)
    assert np.abs(new.wv["unheard-of"]).max() <= 0.5 / 8 + 1e-6
    alone = WordVectors(old.wv.index_to_key, np.asarray(old.wv.vectors, np.float16))  # no output rows, half precision
    started = Word2Vec(**still, **settings).fit(text, init=alone)
    np.testing.assert_allclose(started.wv["common0"], old.wv["common0"], atol=1e-2)
    assert np.abs(started.wv.context_vectors).max() < 1e-5
    # Training continues from the earlier result, so the first loss is near the last loss of the earlier training.
    settings |= {"epochs": 1, "sample": 0}
    again, anew = (Word2Vec(**settings).fit(themes(300), init=init).loss_history[0][1] for init in (old.wv, None))
    assert again < 0.9 * anew


def test_pretrained_vectors_that_do_not_fit():
    settings = {"vector_size": 4, "workers": 1, "min_count": 1, "engine": "layers"}
    words = ["common0", "common1"]
    for init, problem in (
        (
            WordVectors(words, np.ones((2, 5))),
            "init has vectors of 5 dimensions, but vector_size is 4; set vector_size=5",
        ),
        (
            WordVectors(["q"], np.ones((1, 4))),
            r"any of the vocabulary's \d+ words.* 'common.*first word is 'q'",
        ),
        (WordVectors(words, np.array([[1, 1, 1, 1], [1, np.inf, 1, 1]])), "'common1' contains infinite or NaN"),
    ):
        with pytest.raises(ValueError, match=problem):
            Word2Vec(**settings).fit(themes(50), init=init)
    with pytest.raises(TypeError, match=r"init is 'vectors.bin'; pass WordVectors, for example"):
        Word2Vec(**settings).fit(themes(50), init="vectors.bin")


def test_a_rate_that_is_given_means_what_it_means_in_gensim():
    assert Word2Vec().config().cbow_grad == "balanced"
    assert Word2Vec(alpha=0.05).config().cbow_grad == "sum"
    assert Word2Vec(alpha=0.05, cbow_grad="mean").config().cbow_grad == "mean"
    settings = {"vector_size": 8, "workers": 1, "epochs": 1, "engine": "layers"}
    given, classic, true = (
        Word2Vec(alpha=0.05, cbow_grad=grad, **settings).fit(themes(100)).wv for grad in (None, "sum", "mean")
    )
    assert given.settings["cbow_grad"] == "sum"
    assert np.array_equal(given.vectors, classic.vectors)
    assert not np.array_equal(given.vectors, true.vectors)
    model = Word2Vec(**settings)
    model.build_vocab(themes(100))
    model.train(themes(100), alpha=0.05)
    assert np.array_equal(model.wv.vectors, classic.vectors)


class TestCallbacks:
    def test_events(self):
        entries, calls = [], []

        def note(event, model):
            entries.append((event, model.trained_epochs, model.wv.vectors.copy()))

        model = Word2Vec(vector_size=8, epochs=3, workers=1, sample=0, callbacks=[note, lambda event, model: None])
        model.fit(themes(400), progress=lambda *call: calls.append(call))
        epochs = [("epoch_begin", 0), ("epoch_end", 1), ("epoch_begin", 1), ("epoch_end", 2), ("epoch_begin", 2)]
        assert [entry[:2] for entry in entries] == [("train_begin", 0), *epochs, ("epoch_end", 3), ("train_end", 3)]
        assert np.array_equal(entries[-1][2], model.wv.vectors)
        assert not np.array_equal(entries[2][2], entries[4][2])
        words, losses, rates = zip(*calls, strict=True)
        assert words == tuple(sorted(set(words)))
        assert words[-1] == model.loss_history[-1][0] == 3 * model.corpus_total_words
        assert rates == tuple(sorted(rates, reverse=True))
        assert losses[-1] < losses[0]
        assert model.wv.settings["trained_epochs"] == 3
        entries.clear()
        model.train(themes(50), epochs=2)
        assert [entry[1] for entry in entries] == [3, 3, 4, 4, 5, 5]

    def test_the_lowest_rate(self):
        model = Word2Vec(vector_size=4, epochs=3, alpha=1e-9, min_alpha=0, callbacks=[lambda event, model: None])
        assert model.fit(themes(50)).trained_epochs == 3

    def test_an_exception_ends_the_training(self):
        def enough(event, model):
            if event == "epoch_end":
                raise StopIteration("enough")

        model = Word2Vec(vector_size=8, epochs=3, callbacks=[enough])
        with pytest.raises(StopIteration, match="enough"):
            model.fit(themes(50))
        assert model.trained_epochs == 1


def test_max_vocab():
    model = Word2Vec(vector_size=4, max_vocab=7, workers=1, epochs=1).fit(themes(100))
    assert len(model.wv) == 7


def test_a_model_is_copied_and_pickled():
    model = Word2Vec(vector_size=4, epochs=1, workers=1).fit(themes(50))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.wv.vectors, model.wv.vectors)
        assert np.array_equal(other.train(themes(50)).wv.vectors, copy.deepcopy(model).train(themes(50)).wv.vectors)


def test_parameters_as_scikit_learn_has_them():
    model = Word2Vec(vector_size=12, window=3)
    same = Word2Vec(**model.get_params())
    assert same.get_params() == model.get_params()
    assert same.set_params(window=7) is same
    assert same.window == 7
    with pytest.raises(ValueError, match="windw is not a parameter"):
        same.set_params(windw=7)
    with pytest.raises(ValueError, match="window is 0"):
        same.set_params(window=0)


def test_in_scikit_learn():
    base = pytest.importorskip("sklearn.base")
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import ParameterGrid
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils.validation import check_is_fitted

    model = Word2Vec(vector_size=8, window=3, epochs=1, workers=1, callbacks=[lambda event, model: None])
    assert base.clone(model.set_params(callbacks=())).get_params() == model.get_params()
    base.clone(model.fit(themes(50))).fit(themes(50))  # a clone is unfitted and can be fitted
    assert not hasattr(base.clone(model), "wv")
    texts = [" ".join(sentence) for sentence in themes(50)]
    steps = make_pipeline(FunctionTransformer(lambda lines: [line.split() for line in lines]), base.clone(model))
    fitted = base.clone(steps).set_params(word2vec__window=2).fit(texts, [0] * 50)
    assert isinstance(fitted, Pipeline)
    assert fitted[-1].window == 2
    assert np.array_equal(fitted[-1].wv.vectors, Word2Vec(**fitted[-1].get_params()).fit(themes(50)).wv.vectors)
    for parameters in ParameterGrid({"window": [1, 2], "model": ["cbow", "skipgram"]}):
        assert base.clone(model).set_params(**parameters).fit(themes(20)).get_params()["window"] in (1, 2)
    assert "Word2Vec(vector_size=8, window=2, epochs=1, workers=1)" in repr(fitted)
    assert "Word2Vec" in fitted._repr_html_()
    check_is_fitted(fitted[-1])
    with pytest.raises(NotFittedError):
        check_is_fitted(base.clone(model))


def test_without_numba_and_cupy_everything_still_works():
    # Run the library on NumPy alone, in a separate process in which neither can be imported.
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
    monkeypatch.setattr(eager, "GPU_GROUPS", 16)  # as on a CPU
    settings = {"vector_size": 16, "epochs": 3, "engine": "layers"}
    host, device = (Word2Vec(device=device, **settings).fit(themes()) for device in ("cpu", "cuda"))
    assert device.loss_history[-1][1] == pytest.approx(host.loss_history[-1][1], rel=0.02)
    np.testing.assert_allclose(to_host(device.wv.vectors), host.wv.vectors, atol=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_on_a_gpu_training_starts_from_pretrained_vectors(engine):
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


@pytest.mark.parametrize("settings", [{}, {"model": "skipgram"}, {"loss": "hs"}, {"loss": "hs+ns"}])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_model_is_copied_to_the_host_if_no_device_was_chosen(settings, loaded, monkeypatch, tmp_path):
    model = Word2Vec(vector_size=6, epochs=1, min_count=1, device="cpu", **settings).fit(themes())
    if loaded:
        model.save(tmp_path / "model.safetensors")
        model = Word2Vec.load(tmp_path / "model.safetensors")
    expected = [np.array(part) for part in (model.wv.vectors, *model.wv._tables())]
    copied = []

    def copy(array):
        copied.append(array.shape)
        return array.copy()

    monkeypatch.setattr("fastw2v.vectors.word_vectors.to_host", copy)
    model.device_ = "cuda"  # as if it had been trained there
    model.device = "cuda"
    model._copy_to_host()
    assert not copied
    model.device = "auto"
    model._copy_to_host()
    assert len(copied) >= 2
    for before, after in zip(expected, (model.wv.vectors, *model.wv._tables()), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.gpu
def test_on_a_gpu_the_vectors_are_on_the_host_unless_a_device_was_chosen(cupy, monkeypatch, tmp_path):
    monkeypatch.setattr("fastw2v.engines.selection.cuda_problem", lambda: None)
    model = Word2Vec(vector_size=8, epochs=2, min_count=1).fit(themes())
    assert model.device_ == "cuda"
    assert isinstance(model.wv.vectors, np.ndarray)
    before = model.wv.vectors.copy()
    model.train(themes(), epochs=1)
    assert isinstance(model.wv.vectors, np.ndarray)
    assert np.abs(model.wv.vectors - before).max() > 0
    model.save(tmp_path / "model.safetensors")
    again = Word2Vec.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.wv.vectors, model.wv.vectors)
    again.train(themes(), epochs=1)
    assert isinstance(Word2Vec(vector_size=8, device="cuda", min_count=1).fit(themes()).wv.vectors, cupy.ndarray)
