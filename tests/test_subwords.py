"""Word2Vec with subwords: training, files, further training, checkpoints, held-out text and initial vectors."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.config import TrainingConfig
from fastw2v.corpus.subwords import NGrams, ngram_buckets

STEMS = ["walk", "talk", "jump", "sing", "ring", "paint", "read", "sleep"]
ENDINGS = ["", "s", "ed", "ing", "er"]
SETTINGS: dict[str, Any] = {"vector_size": 16, "subwords": (3, 5), "epochs": 2, "workers": 1, "min_count": 1}


def sentences(
    n: int = 200, seed: int = 0, stems: list[str] = STEMS, endings: list[str] = ENDINGS, marker: str = "{0}{0}"
) -> list[list[str]]:
    """Return sentences in which the ending of a word is followed by a marker of its own."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        line = []
        for _ in range(6):
            k = random.integers(len(endings))
            line += [stems[random.integers(len(stems))] + endings[k], marker.format(k)]
        found.append(line)
    return found


@pytest.fixture(scope="module")
def model() -> Word2Vec:
    return Word2Vec(**SETTINGS).fit(sentences())


def mean_of_rows(wv: WordVectors, word: str) -> np.ndarray:
    """Return the vector of a word by definition, from the buckets of its n-grams."""
    subwords = wv.subwords
    assert subwords is not None
    row_of = {int(bucket): len(wv) + k for k, bucket in enumerate(subwords.buckets)}
    rows = [wv.key_to_index[word]] if word in wv.key_to_index else []
    vectors = [wv.input_vectors[row] for row in rows]
    zeros = np.zeros(wv.vector_size, np.float32)
    for bucket in ngram_buckets([word], subwords.ngrams)[1].tolist():
        vectors += [wv.input_vectors[row_of[bucket]] if bucket in row_of else zeros]
    return np.mean(vectors, axis=0)


def same(a: Word2Vec, b: Word2Vec) -> bool:
    return all(np.array_equal(x, y) for x, y in ((a.W_in, b.W_in), (a.W_out, b.W_out), (a.wv.vectors, b.wv.vectors)))


@pytest.mark.parametrize("kind", ["cbow", "skipgram"])
@pytest.mark.parametrize("loss", ["ns", "hs", "hs+ns"])
def test_vectors_are_means_of_rows(kind, loss):
    wv = Word2Vec(**SETTINGS, model=kind, loss=loss).fit(sentences()).wv
    assert wv.has_subwords
    for word in ("walking", "walk", "00", "talker", "sinking", "walkings"):
        np.testing.assert_allclose(wv[word], mean_of_rows(wv, word), atol=1e-6)
    assert "sinking" in wv
    assert "sinking" not in wv.key_to_index


def test_unseen_words_learn_from_their_ngrams():
    """The vector of an unseen word with a known ending lies near the known words with this ending."""
    wv = Word2Vec(**SETTINGS | {"epochs": 20}).fit(sentences(600)).wv
    for ending in ("ing", "ed"):
        near = [word for word, _ in wv.most_similar("float" + ending, topn=4)]
        assert sum(word.endswith(ending) for word in near) >= 3


def test_one_seed_gives_the_same_bytes(model):
    assert same(model, Word2Vec(**SETTINGS).fit(sentences()))
    assert not same(model, Word2Vec(**SETTINGS, seed=2).fit(sentences()))


def test_the_defaults_of_subwords():
    corpus = Corpus.from_sentences([[str(i), str(i + 1)] for i in range(20_000)], min_count=1)
    config = Word2Vec(subwords=(3, 6)).config(corpus)
    assert (config.subwords, config.bucket, config.hash_count) == ((3, 6), 2_000_000, None)
    assert (config.output_weight, config.sample, config.alpha) == (0.0, 1e-4, 0.15)
    assert Word2Vec(subwords=[3, 6]).config(corpus) == config
    assert Word2Vec(subwords=(3, 6), model="skipgram").config(window=5).alpha == 0.04
    given = Word2Vec(subwords=(3, 6), sample=1e-3, alpha=0.05).config(corpus)
    assert (given.sample, given.alpha, given.cbow_grad) == (1e-3, 0.05, "sum")
    plain = TrainingConfig(subwords=(3, 6)), TrainingConfig(subwords=(3, 6), model="skipgram")
    assert [(config.pool_tokens, config.pool_size) for config in plain] == [(64, 24), (32, 32)]


def test_saving_and_training_further(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = Word2Vec.load(tmp_path / "model.safetensors")
    assert loaded.get_params() == model.get_params() | {"device": "auto", "engine": "auto"}
    assert same(loaded, model)
    assert np.array_equal(loaded.wv["walkings"], model.wv["walkings"])
    again = Word2Vec(**SETTINGS).fit(sentences())
    for one in (loaded, again):
        one.train(sentences(seed=1), epochs=1)
    assert same(loaded, again)
    assert not same(again, model)


def test_an_interrupted_run_resumes_with_the_same_bytes(tmp_path):
    corpus = sentences(900)

    def interrupt(event: str, model: Word2Vec) -> None:
        if event == "epoch_end" and model.trained_epochs == 1:
            raise KeyboardInterrupt

    held_out = sentences(30, seed=9)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**SETTINGS, callbacks=[interrupt]).fit(corpus, checkpoint=tmp_path / "run", validation=held_out)
    resumed = Word2Vec.resume(tmp_path / "run", corpus, validation=held_out)
    whole = Word2Vec(**SETTINGS).fit(corpus, validation=held_out)
    assert same(resumed, whole)
    assert resumed.validation_history == whole.validation_history
    assert resumed.wv.has_subwords


def test_frozen_words_keep_their_vectors(model):
    words = ["walking", "00"]
    trained = Word2Vec(**SETTINGS).fit(sentences(seed=1), init=model.wv, freeze=words)
    moved = 0
    for word in model.wv.index_to_key:
        if word in words:
            np.testing.assert_array_equal(trained.wv[word], model.wv[word])
        moved += not np.array_equal(trained.wv[word], model.wv[word])
    assert moved > len(model.wv) / 2


def test_initial_vectors_bring_all_their_rows(model):
    """Words that are not in the new corpus are dropped, and their n-grams stay."""
    new = [["walking", "walker", "newest"], ["newest", "walking", "runner"]] * 20
    started = Word2Vec(**SETTINGS)
    started._prepare(new, init=model.wv)
    assert started.known_words_ == 2
    assert started.wv.subwords is not None
    assert model.wv.subwords is not None
    assert set(model.wv.subwords.buckets.tolist()) < set(started.wv.subwords.buckets.tolist())
    np.testing.assert_allclose(started.wv["walking"], model.wv["walking"], atol=1e-6)
    own = model.wv.input_vectors[model.wv.key_to_index["singing"]]
    rows = len(model.wv.subwords.rows_of_word(model.wv.key_to_index["singing"]))
    expected = (rows * model.wv["singing"] - own) / (rows - 1)  # it is unseen now, so it has no row of its own
    np.testing.assert_allclose(started.wv["singing"], expected, atol=1e-6)
    assert Word2Vec(**SETTINGS).fit(new, init=model.wv).wv.has_subwords


def test_subwords_start_from_a_model_of_fasttext(model, tmp_path):
    model.wv.save(tmp_path / "model.bin")
    init = WordVectors.load(tmp_path / "model.bin")
    started = Word2Vec(**SETTINGS)
    started._prepare(sentences(), init=init)
    np.testing.assert_allclose(started.wv.vectors, model.wv.vectors, atol=1e-7)
    assert started.wv.input_vectors.shape == (len(model.wv) + 2_000_000, 16)


def test_words_alone_start_from_the_vectors_of_a_model_with_subwords(model):
    started = Word2Vec(**SETTINGS | {"subwords": None})
    started._prepare(sentences(), init=model.wv)
    np.testing.assert_array_equal(started.W_in, model.wv.vectors)
    assert not started.wv.has_subwords


def test_initial_vectors_must_have_the_same_ngrams(model):
    with pytest.raises(ValueError, match=r"in 2,000,000 buckets, but .* in 1,000 buckets are set. Set those of init"):
        Word2Vec(**SETTINGS | {"bucket": 1000}).fit(sentences(), init=model.wv)
    plain = Word2Vec(**SETTINGS | {"subwords": None}).fit(sentences()).wv
    with pytest.raises(ValueError, match="init has vectors of words alone, and with hash_count"):
        Word2Vec(**SETTINGS, hash_count=2).fit(sentences(), init=plain)


@pytest.mark.parametrize(
    ("units", "stems", "endings", "new"),
    [
        ("characters", STEMS, ENDINGS, "planing"),
        ("jamo", ["먹", "걷", "읽", "잡", "웃", "찾", "울", "밀"], ["다", "고", "지", "는", "어요"], "뛰는"),
    ],
)
@pytest.mark.parametrize("kind", ["cbow", "skipgram"])
def test_words_with_subwords_start_from_vectors_of_words_alone(kind, units, stems, endings, new):
    settings = SETTINGS | {"model": kind, "units": units}
    text = sentences(stems=stems, endings=endings)
    of_words = SETTINGS | {"model": kind, "subwords": None, "epochs": 20}
    plain = Word2Vec(**of_words).fit(sentences(stems=stems[:6], endings=endings)).wv
    started = Word2Vec(**settings)
    started._prepare(text, init=plain)
    known = [word for word in started.wv.index_to_key if word in plain]
    assert started.known_words_ == len(known) < len(started.wv)
    for word in known:
        np.testing.assert_allclose(started.wv[word], plain[word], atol=1e-5)
        np.testing.assert_allclose(mean_of_rows(started.wv, word), plain[word], atol=1e-5)
    assert not started.W_out.any()
    # An unseen word is nearest to the words with its ending, because a word's ending says which marker follows.
    assert new not in started.wv.key_to_index
    unseen = started.wv[new]
    cosines = {word: unseen @ plain[word] / np.linalg.norm(plain[word]) for word in known}
    by_ending = {end: np.mean([cosines[stem + end] for stem in stems[:6]]) for end in endings}
    assert max(by_ending, key=by_ending.__getitem__) == endings[3]
    slow = Word2Vec(**settings | {"alpha": 1e-9, "min_alpha": 1e-9}).fit(text, init=plain)
    np.testing.assert_allclose(slow.wv[known], plain[known], atol=1e-5)
    frozen = Word2Vec(**settings).fit(text, init=plain, freeze="init")
    np.testing.assert_array_equal(frozen.wv[known], started.wv[known])
    for word in known:  # other words learn from the output vectors of frozen words
        row = plain.context_vectors[plain.key_to_index[word]]
        np.testing.assert_array_equal(frozen.wv.context_vectors[frozen.wv.key_to_index[word]], row)
    other = stems[7] + endings[3]
    assert (frozen.wv[other] != started.wv[other]).any()


@pytest.mark.gpu
@pytest.mark.parametrize("engine", ["layers", "fused"])
def test_on_a_gpu_ngrams_start_from_vectors_of_words(engine):
    from fastw2v.backend import cuda_problem, to_host

    if problem := cuda_problem():
        pytest.skip(problem)
    plain = Word2Vec(**SETTINGS | {"subwords": None}).fit(sentences()).wv
    settings = SETTINGS | {"workers": None, "alpha": 1e-9, "min_alpha": 1e-9}
    started = Word2Vec(**settings, device="cuda", engine=engine).fit(sentences(), init=plain).wv
    words = plain.index_to_key
    np.testing.assert_allclose(to_host(started[words]), plain[words], atol=1e-5)


def test_vectors_that_would_overflow_are_refused():
    init = WordVectors(["walk", "sing"], np.full((2, 16), 3e38, np.float32))
    with pytest.raises(ValueError, match="init has vectors so large that the rows of n-grams overflow"):
        Word2Vec(**SETTINGS).fit(sentences(), init=init)


def test_new_words_are_added_with_their_ngrams(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    grown = Word2Vec.load(tmp_path / "model.safetensors")
    old = {word: np.array(grown.wv[word]) for word in grown.wv.index_to_key}
    grown.build_vocab([["walkathon", "jumpathon"]] * 3, update=True)
    for word, vector in old.items():
        np.testing.assert_array_equal(grown.wv[word], vector)
    np.testing.assert_allclose(grown.wv["walkathon"], mean_of_rows(grown.wv, "walkathon"), atol=1e-7)
    assert grown.train([["walkathon", "walk", "jumpathon"]] * 20).trained_epochs == 4


@pytest.mark.parametrize("hash_count", [1, 2, 4])
def test_a_table_of_floret(hash_count, tmp_path):
    settings = SETTINGS | {"bucket": 500, "hash_count": hash_count}
    model = Word2Vec(**settings).fit(sentences())
    assert model.W_in.shape == (500, 16)
    starts, rows = ngram_buckets(["walking"], NGrams(3, 5, 500, hash_count))
    assert starts[1] == hash_count * (1 + 7 + 6 + 5)
    np.testing.assert_allclose(model.wv["walking"], model.W_in[rows].mean(axis=0), atol=1e-6)
    model.save(tmp_path / "model.safetensors")
    loaded = Word2Vec.load(tmp_path / "model.safetensors")
    assert same(loaded, model)
    assert same(loaded.train(sentences(seed=1)), Word2Vec(**settings).fit(sentences()).train(sentences(seed=1)))
    assert same(Word2Vec(**settings).fit(sentences()), model)
    started = Word2Vec(**settings)
    started._prepare(sentences(), init=model.wv)
    np.testing.assert_array_equal(started.W_in, model.W_in)


def test_the_default_size_of_a_table_of_floret():
    assert Word2Vec(subwords=(4, 5), hash_count=2).config().bucket == 50_000
    assert Word2Vec(subwords=(4, 5), hash_count=2, bucket=7).config().bucket == 7


def test_the_memory_of_rows_is_planned(caplog):
    corpus = Corpus.from_sentences(sentences(), min_count=1)
    estimate = Word2Vec(**SETTINGS).estimate(corpus, measure=False)
    rows = Word2Vec(**SETTINGS).fit(corpus).W_in.shape[0]
    sizes = {item.name: item.bytes for item in estimate.items}
    assert sizes["W_in"] == 4 * 16 * rows
    assert sizes["n-grams of the words"] > 0
    few = Word2Vec(**SETTINGS | {"bucket": 50}).estimate(corpus, measure=False)
    assert {item.name: item.bytes for item in few.items}["W_in"] <= 4 * 16 * (len(corpus.vocabulary) + 50)


def test_a_bucket_that_would_fit_is_named():
    from dataclasses import replace

    corpus = Corpus.from_sentences(
        [["".join(map(chr, line))] * 2 for line in np.random.default_rng(0).integers(97, 122, (3000, 12))], min_count=1
    )
    estimate = Word2Vec(vector_size=100, subwords=(3, 6), workers=1).estimate(corpus, measure=False)
    tight = replace(estimate, free={"host": estimate.needed("host") - 4 * 112 * 20_000})
    problem = tight.problem()
    assert problem is not None
    bucket = int(problem.split("bucket=")[1].split(",")[0])
    fits = Word2Vec(vector_size=100, subwords=(3, 6), workers=1, bucket=bucket).estimate(corpus, measure=False)
    assert fits.needed("host") <= tight.free["host"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subwords": (6, 3)}, "the shortest n-grams are longer than the longest"),
        ({"subwords": (0, 3)}, "n-grams must have at least one unit"),
        ({"subwords": 3}, r"such as \(3, 6\)"),
        ({"subwords": (3, 6, 7)}, r"such as \(3, 6\)"),
        ({"subwords": "36"}, r"such as \(3, 6\)"),
        ({"subwords": (3.5, 6)}, r"such as \(3, 6\)"),
        ({"bucket": 0}, "bucket is 0"),
        ({"bucket": 2**31}, "bucket is 2147483648"),
        ({"subwords": (3, 6), "hash_count": 5}, "hash_count is 5"),
        ({"subwords": (3, 6), "hash_count": 0}, "hash_count is 0"),
        ({"subwords": (3, 1001)}, "at most 1,000 units"),
        ({"hash_count": 2}, "there are no n-grams to hash"),
        ({"units": "jamo"}, r"units is 'jamo', but there are no n-grams; set subwords as well, such as \(3, 6\)"),
        ({"subwords": (3, 6), "units": "letters"}, "it must be 'characters', 'syllables' or 'jamo'"),
        ({"subwords": (3, 6), "output_weight": 0.4}, "omit output_weight"),
    ],
)
def test_settings_outside_their_range(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Word2Vec(**given)


def test_words_must_be_strings():
    with pytest.raises(TypeError, match="the word 0 is not a string, so it has no n-grams"):
        Word2Vec(subwords=(3, 6)).fit(Corpus.from_ids(np.arange(20)))


def test_words_without_ngrams(caplog):
    """Words that are shorter than the n-grams have their own rows alone."""
    with caplog.at_level(logging.WARNING):
        wv = Word2Vec(vector_size=8, subwords=(9, 9), min_count=1).fit([["a", "b", "abcdefghij"]] * 40).wv
    np.testing.assert_array_equal(wv["a"], wv.input_vectors[wv.key_to_index["a"]])
    with pytest.raises(KeyError):
        wv["c"]
