"""Words outside the vocabulary, compared with brute force and with vectors that have rows for these words."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v import UnknownWordError, WordVectors
from fastw2v.backend import to_host
from fastw2v.compat.gensim import KeyedVectors
from fastw2v.corpus.subwords import NGrams, Subwords, has_ngrams, ngram_buckets
from fastw2v.evaluate import analogies, neighbour_stability, word_pairs
from tests.vectors.ngrams import NGRAMS, UNSEEN, WORDS, some_table, vector_of, with_subwords

V = len(WORDS)


@pytest.fixture
def wv(xp) -> WordVectors:
    return with_subwords(xp=xp, counts=range(20, 20 - V, -1))


@pytest.fixture
def plain(xp) -> WordVectors:
    """The words and the unseen words with their vectors by brute force, without subwords."""
    W_in, subwords = some_table()
    words = WORDS + UNSEEN
    vectors = np.array([vector_of(word, WORDS, W_in, subwords) for word in words], np.float32)
    counts = [*range(20, 20 - V, -1), *[0] * len(UNSEEN)]
    return WordVectors(words, xp.asarray(vectors), counts=counts)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(to_host(a), to_host(b), rtol=2e-5, atol=2e-6)


def test_vectors_are_means_of_rows(wv: WordVectors, plain: WordVectors):
    assert wv.has_subwords
    assert wv.subwords is not None
    assert len(wv) == V
    assert wv.vector_size == 6
    assert wv.vectors.shape == (V, 6)
    assert wv.input_vectors.shape == (wv.subwords.n_rows, 6)
    close(wv.vectors, plain.vectors[:V, :])
    close(wv.unit_vectors, plain.unit_vectors[:V, :])
    for word in WORDS + UNSEEN:
        close(wv[word], plain[word])
        close(wv.get_vector(word, norm=True), plain.get_vector(word, norm=True))
    close(wv[["cats", *UNSEEN, "the"]], plain[["cats", *UNSEEN, "the"]])
    close(wv[UNSEEN], plain[UNSEEN])


def test_what_knows_only_the_vocabulary(wv: WordVectors):
    assert list(wv) == WORDS
    assert "cat" in wv
    assert "cat" not in wv.key_to_index
    assert wv.get_index("cat", default=-5) == -5
    with pytest.raises(UnknownWordError, match="'cat' is not in the vocabulary of 8 words"):
        wv.get_index("cat")
    assert all(word in WORDS for word, _ in wv.most_similar("cat", topn=20))


@pytest.mark.parametrize("word", ["", "</s>", "\ud800"])
def test_words_without_ngrams_are_unknown(wv: WordVectors, word: str):
    assert word not in wv
    with pytest.raises(UnknownWordError):
        wv[word]
    with pytest.raises(UnknownWordError):
        wv.most_similar(word)
    with pytest.raises(TypeError, match="words are strings"):
        wv[7]
    assert 7 not in wv


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=6) | st.sampled_from(["</s>", "a\udcff", "\udc80"]),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([None, 1, 4]),
)
def test_has_ngrams(word: str, min_n: int, more: int, hash_count: int | None):
    ngrams = NGrams(min_n, min_n + more, 100, hash_count)
    starts, _ = ngram_buckets([word], ngrams)
    assert has_ngrams(word, ngrams) == bool(starts[1])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(max_size=30) | st.sampled_from(["</s>", "a\udcff", "", "a", "日本語の", "x" * 62, "x" * 63])),
    st.integers(1, 4),
    st.integers(0, 4),
    st.sampled_from([7, 2_000_000]),
)
def test_a_single_word_has_the_same_ngrams_as_among_others(words: list[str], min_n: int, more: int, bucket: int):
    """Single words are computed without array operations."""
    ngrams = NGrams(min_n, min_n + more, bucket)
    starts, buckets = ngram_buckets(["others", *words], ngrams)
    for i, word in enumerate(words, 1):
        own_starts, own = ngram_buckets([word], ngrams)
        assert own.tolist() == buckets[starts[i] : starts[i + 1]].tolist()
        assert own_starts.tolist() == [0, len(own)]
        assert (own.dtype, own_starts.dtype) == (buckets.dtype, starts.dtype)


@pytest.mark.parametrize("size", [1, 40, 200])
@pytest.mark.parametrize("hash_count", [None, 2])
def test_blocks_of_ngrams(monkeypatch: pytest.MonkeyPatch, size: int, hash_count: int | None):
    words = ["a", "naïve", *WORDS, "x" * 90, "the", "</s>", *UNSEEN]
    ngrams = NGrams(2, 50, 2_000_000, hash_count)
    expected = [array.tolist() for array in ngram_buckets(words, ngrams)]
    monkeypatch.setattr("fastw2v.corpus.subwords.BLOCK_NGRAMS", size)
    assert [array.tolist() for array in ngram_buckets(words, ngrams)] == expected


def test_one_long_word_does_not_enlarge_the_arrays_of_the_others():
    words = ["x" * 1000, *(f"word{i}" for i in range(20_000))]
    tracemalloc.start()
    starts, _ = ngram_buckets(words, NGrams(3, 300, 2_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert starts[1] == sum(1003 - n for n in range(3, 301))
    assert peak < 100e6  # in one block, it is 335 MB


def test_words_that_are_not_unicode(wv: WordVectors):
    """An escaped byte is a character. Other halves of surrogate pairs have no UTF-8."""
    with pytest.raises(ValueError, match="not valid Unicode"):
        ngram_buckets(["a", "\ud800"], NGRAMS)
    with pytest.raises(ValueError, match="not valid Unicode"):
        Subwords(["\ud800"], NGRAMS)
    assert "\ud800" not in wv
    with pytest.raises(UnknownWordError):
        wv["\ud800"]
    assert "caf\udce9" in wv
    assert ngram_buckets(["caf\udce9"], NGRAMS)[1].tolist() == ngram_buckets([b"caf\xe9"], NGRAMS)[1].tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_single_word_has_the_same_vector_as_among_others(dtype: Any):
    W_in, subwords = some_table()
    wv = WordVectors(WORDS, None, input_vectors=W_in.astype(dtype), subwords=subwords)
    for word in UNSEEN:
        assert wv[word].dtype == dtype
        assert wv[word].tobytes() == wv[[word, *UNSEEN]][0].tobytes()


def test_queries(wv: WordVectors, plain: WordVectors):
    def same(ours: list[tuple[Any, float]], theirs: list[tuple[Any, float]]) -> None:
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        close([cosine for _, cosine in ours], [cosine for _, cosine in theirs])

    only = {"restrict_vocab": V}
    same(wv.most_similar("cat"), plain.most_similar("cat", **only))
    same(wv.most_similar("cats"), plain.most_similar("cats", **only))
    same(
        wv.most_similar([("cat", 2.0), "the"], ["sings", plain["a"]]),
        plain.most_similar([("cat", 2.0), "the"], ["sings", plain["a"]], **only),
    )
    same(
        wv.most_similar_cosmul(["cat", "the"], ["sings"]), plain.most_similar_cosmul(["cat", "the"], ["sings"], **only)
    )
    same(wv.analogy("cat", "sings", "the"), plain.analogy("cat", "sings", "the", **only))
    for queries in (["cat", "the", "sings"], ["cat", plain["a"], "the"], ["the", "cats"]):
        for ours, theirs in zip(wv.nearest(queries), plain.nearest(queries, **only), strict=True):
            same(ours, theirs)
    for a, b in (("cat", "cats"), ("cats", "cat"), ("cat", "sings"), ("the", "cats")):
        assert wv.similarity(a, b) == pytest.approx(plain.similarity(a, b), abs=1e-5)
        assert wv.distance(a, b) == pytest.approx(plain.distance(a, b), abs=1e-5)
        assert wv.closer_than(a, b) == [word for word in plain.closer_than(a, b) if word in WORDS]
        assert wv.rank(a, b) == len(wv.closer_than(a, b)) + 1
    close(wv.distances("cat"), plain.distances("cat", WORDS))
    close(wv.distances("the", ["cat", "sings", "cats"]), plain.distances("the", ["cat", "sings", "cats"]))
    words, others = ["cat", "the", "sings"], ["xyzzy", "a"]
    assert wv.n_similarity(words, others) == pytest.approx(plain.n_similarity(words, others), abs=1e-5)
    assert wv.n_similarity(words, others) == pytest.approx(wv.n_similarity([*words, "</s>"], others), abs=1e-6)
    for options in ({}, {"pre_normalize": False}, {"weights": [1, -2, 0.5], "post_normalize": True}):
        close(wv.get_mean_vector(words, **options), plain.get_mean_vector(words, **options))
    with pytest.raises(UnknownWordError):
        wv.get_mean_vector(["</s>"], ignore_missing=False)
    assert [word for _, word in wv.rank_by_centrality(words + others)] == [
        word for _, word in plain.rank_by_centrality(words + others)
    ]
    assert wv.doesnt_match(words + others) == plain.doesnt_match(words + others)


@pytest.mark.parametrize("method", ["mean", "sif"])
def test_sentence_vectors(wv: WordVectors, plain: WordVectors, method: str):
    texts = ["the cat sings", "cats", ["고양", "sing", "cat"], "a singing naïveté naïve"]
    close(wv.sentence_vectors(texts, method), plain.sentence_vectors(texts, method))
    close(wv.sentence_vectors(["the cats"]), plain.sentence_vectors(["the cats"]))


def test_strict(wv: WordVectors):
    assert not wv.strict
    wv.strict = True
    for derived in (wv, wv[:4], wv & WORDS[:3], copy.deepcopy(wv)):
        assert derived.strict
        assert "cat" not in derived
        for ask in (
            lambda vectors: vectors["cat"],
            lambda vectors: vectors[["the", "cat"]],
            lambda vectors: vectors.most_similar("cat"),
            lambda vectors: vectors.nearest(["cat"]),
            lambda vectors: vectors.similarity("the", "cat"),
            lambda vectors: vectors.distances("the", ["cat"]),
            lambda vectors: vectors.get_mean_vector(["cat"], ignore_missing=False),
        ):
            with pytest.raises(UnknownWordError):
                ask(derived)
    assert wv.vectors_for_all(["the", "cat"]).index_to_key == ["the"]
    close(wv.sentence_vectors(["the cat"])[0, :], wv["the"])
    assert word_pairs(wv, [("the", "cats", 1.0), ("a", "sing", 2.0), ("cat", "the", 3.0)]).unseen == 0
    wv.strict = False
    assert "cat" in wv


def test_selections_keep_subwords(wv: WordVectors, plain: WordVectors):
    for part in (
        wv[1:5],
        wv[::2],
        wv & ["the", "cats", "cat"],
        wv - {"the", "cat"},
        wv.vectors_for_all(["sing", "the"]),
    ):
        assert part.has_subwords
        assert part.subwords is not None
        assert part.input_vectors.shape[0] == part.subwords.n_rows
        for word in part:
            close(part[word], plain[word])
        for word in UNSEEN:
            close(part[word], plain[word])
        again = WordVectors(
            part.index_to_key,
            None,
            input_vectors=part.input_vectors,
            subwords=Subwords(list(part), NGRAMS, buckets=part.subwords.buckets),
        )
        close(again.vectors, part.vectors)
    assert (wv & wv[:2]).index_to_key == WORDS[:2]
    assert (wv - wv[:2]).index_to_key == WORDS[2:]
    left = wv - {"the"}
    assert "the" in left  # as a word outside the vocabulary
    assert np.abs(to_host(left["the"]) - to_host(wv["the"])).max() > 0.01


def test_vectors_for_all_adds_unseen_words(wv: WordVectors, plain: WordVectors):
    found = wv.vectors_for_all(["cat", "the", "</s>", "sings", "cat"])
    assert found.index_to_key == ["cat", "the", "sings"]
    assert found.counts.tolist() == [0, 20, 0]
    assert found.subwords is not None
    again = WordVectors(list(found), None, input_vectors=found.input_vectors, subwords=found.subwords)
    for word in ("cat", "the", "sings", "고양"):
        close(found[word], plain[word])
        close(again[word], plain[word])
    keyed = KeyedVectors(WORDS, None, input_vectors=wv.input_vectors, subwords=wv.subwords)
    assert keyed.vectors_for_all(["cat", "the"]).index_to_key == ["cat", "the"]
    assert keyed.vectors_for_all(["cat", "the"], allow_inference=False).index_to_key == ["the"]
    assert keyed.has_index_for("the")
    assert not keyed.has_index_for("cat")
    assert keyed.similarity("cat", "cats") == pytest.approx(wv.similarity("cat", "cats"))
    assert keyed.most_similar_to_given("cat", ["the", "sings"]) in ("the", "sings")


def test_what_drops_subwords(wv: WordVectors, xp):
    both = wv | WordVectors(["new"], wv.vectors[:1, :])
    assert not both.has_subwords
    assert both.index_to_key == [*WORDS, "new"]
    assert both.input_vectors.shape == both.vectors.shape
    assert not (WordVectors(["new"], wv.vectors[:1, :]) | wv).has_subwords
    assert (wv | wv[:3]) is wv
    wv.vectors = xp.asarray(np.ones((V, 6), np.float32))
    assert not wv.has_subwords
    assert wv.input_vectors.shape == (V, 6)
    assert "cat" not in wv
    with pytest.raises(ValueError, match="it must have 8 rows"):
        wv.vectors = xp.asarray(np.ones((V + 1, 6), np.float32))


def test_align_rotates_all_rows(wv: WordVectors, xp):
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))
    other = WordVectors(WORDS, xp.asarray((to_host(wv.vectors) @ turn).astype(np.float32)))
    aligned = wv.align(other)
    close(aligned.vectors, other.vectors)
    close(aligned.input_vectors, to_host(wv.input_vectors) @ turn)
    close(aligned["cat"], to_host(wv["cat"]) @ turn)
    with pytest.raises(UnknownWordError):
        wv.align(other, ["cat", *WORDS])


def test_training_replaces_the_tables(wv: WordVectors, plain: WordVectors, xp):
    W_in, W_out = wv._writable_tables()
    assert W_out is None
    assert wv._loss is None
    W_out = xp.asarray(np.ones((V, 6), np.float32))
    wv._set_tables(W_in, W_out, 0.0, "ns")
    assert wv._loss == "ns"
    close(wv.vectors, plain.vectors[:V, :])
    unit = wv.unit_vectors
    wv._set_tables(W_in * 2, W_out, 0.0, "ns")
    close(wv["cat"], 2 * to_host(plain["cat"]))
    close(wv["the"], 2 * to_host(plain["the"]))
    assert wv.unit_vectors is not unit
    wv._copy_to_host()
    assert type(wv.vectors) is np.ndarray
    assert type(wv["cat"]) is np.ndarray
    close(wv["cat"], 2 * to_host(plain["cat"]))
    assert wv._record().subwords is wv.subwords
    assert wv._record().input_vectors.shape == wv.input_vectors.shape


def test_pickles(wv: WordVectors, plain: WordVectors):
    if type(wv.input_vectors) is not np.ndarray:
        pytest.skip("arrays of this library are not pickled here")
    lazily = Subwords.with_buckets(lambda: WORDS, V, NGRAMS, wv.subwords.buckets)  # type: ignore[union-attr]
    for subwords in (wv.subwords, lazily):
        again = pickle.loads(pickle.dumps(WordVectors(WORDS, None, input_vectors=wv.input_vectors, subwords=subwords)))
        close(again.vectors, plain.vectors[:V])
        close(again["cat"], plain["cat"])


def test_wrong_tables():
    W_in, subwords = some_table()
    with pytest.raises(ValueError, match="subwords are given without input_vectors"):
        WordVectors(WORDS, W_in[:V], subwords=subwords)
    with pytest.raises(ValueError, match=r"input_vectors has shape \(8, 6\); with these subwords, it must have"):
        WordVectors(WORDS, None, input_vectors=W_in[:V], subwords=subwords)
    with pytest.raises(ValueError, match="vectors has shape"):
        WordVectors(WORDS, W_in, input_vectors=W_in, subwords=subwords)
    with pytest.raises(TypeError, match="subwords is"):
        WordVectors(WORDS, None, input_vectors=W_in, subwords=(3, 6))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="words has 7"):
        WordVectors(WORDS[:-1], None, input_vectors=W_in, subwords=subwords)
    few = Subwords.with_buckets(WORDS, V, NGRAMS, subwords.buckets[:-1])
    with pytest.raises(ValueError, match=r"has an n-gram in bucket \d+, which has no row"):
        _ = WordVectors(WORDS, None, input_vectors=W_in[:-1], subwords=few).vectors


def test_word_pairs_use_unseen_words(wv: WordVectors, plain: WordVectors):
    pairs = [
        ("the", "cats", 1.0),
        ("CAT", "cats", 2.0),
        ("sings", "xyzzy", 3.0),
        ("a", "sing", 4.0),
        ("</s>", "a", 5.0),
    ]
    ours, theirs = word_pairs(wv, pairs), word_pairs(plain, pairs)
    assert (ours.covered, ours.unseen, ours.total) == (2, 2, 5)
    assert theirs.covered == 4
    assert ours.spearman == pytest.approx(theirs.spearman, abs=1e-6)
    assert ours.pearson == pytest.approx(theirs.pearson, abs=1e-5)


def answer(plain: WordVectors, a: str, b: str, c: str, method: str) -> str:
    if method == "3cosadd":
        return plain.analogy(a, b, c, topn=1, restrict_vocab=V)[0][0]
    return plain.most_similar_cosmul([b, c], [a], topn=1, restrict_vocab=V)[0][0]


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_analogies_use_unseen_words(wv: WordVectors, plain: WordVectors, method: Any):
    rng = np.random.default_rng(5)
    directed = [word for word in WORDS + UNSEEN if word != "xyzzy"]  # none of its n-grams has a row
    questions = {
        name: [(*rng.choice(directed, 3, replace=False).tolist(), str(rng.choice(WORDS))) for _ in range(60)]
        for name in "ab"
    }
    questions["a"] += [("the", "cats", "cat", "xyzzy"), ("</s>", "the", "a", "cats")]
    ours = analogies(wv, questions, restrict_vocab=V, method=method)
    for section, name in zip(ours.sections, questions, strict=True):
        found = [answer(plain, a, b, c, method) for a, b, c, _ in questions[name][:60]]
        assert section.correct == sum(one == d for one, (*_, d) in zip(found, questions[name], strict=False))
        covered = [all(word in WORDS for word in question) for question in questions[name]]
        assert section.covered == sum(covered)
        assert section.covered + section.unseen == 60
        assert section.accuracy == section.correct / 60
    assert ours.overall.unseen == sum(section.unseen for section in ours.sections)
    few = analogies(wv, {"a": [("the", "cats", "sing", "a"), ("cat", "the", "cats", "the")]}, restrict_vocab=2)
    assert (few.overall.covered, few.overall.unseen) == (0, 1)


def test_stability_compares_vocabularies(wv: WordVectors):
    result = neighbour_stability([wv, wv[:6]], topn=2)
    assert result.words == WORDS[:6]
