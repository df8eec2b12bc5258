"""Queries, compared with brute force and gensim."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.vectors import word_vectors
from fastw2v.vectors.keys import UnknownWordError
from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.common import MATRIX, WORDS, assert_same_ranking, cosine, nearest, unit


def test_attributes(wv: WordVectors) -> None:
    assert wv.index_to_key == WORDS
    assert wv.key_to_index["w7"] == 7
    assert wv.vector_size == 6
    assert wv.counts.tolist() == list(range(60, 30, -1))
    assert len(wv) == 30
    assert list(wv) == WORDS
    assert "w3" in wv
    assert "w30" not in wv
    assert repr(wv).startswith("WordVectors(30 words, 6 dimensions, ")


def test_vectors_of_words(wv: WordVectors) -> None:
    assert to_host(wv["w4"]).tolist() == MATRIX[4].tolist()
    assert to_host(wv.get_vector("w4")).tolist() == MATRIX[4].tolist()
    assert to_host(wv[["w9", "w0", "w9"]]).tolist() == MATRIX[[9, 0, 9]].tolist()
    assert to_host(wv[("w9",)]).shape == (1, 6)
    assert to_host(wv[[]]).shape == (0, 6)
    assert type(wv[["w9"]]) is type(wv.vectors)


def test_similarity(wv: WordVectors) -> None:
    assert wv.similarity("w1", "w2") == pytest.approx(cosine(MATRIX[1], MATRIX[2]), abs=1e-6)
    assert wv.similarity("w1", "w1") == pytest.approx(1)


def test_most_similar_to_a_word(wv: WordVectors) -> None:
    assert_same_ranking(wv.most_similar("w3"), nearest(MATRIX[3], {"w3"}, 10))
    assert_same_ranking(wv.most_similar(["w3"], topn=2), nearest(MATRIX[3], {"w3"}, 2))
    assert_same_ranking(wv.most_similar("w3", topn=99), nearest(MATRIX[3], {"w3"}, 29))
    assert wv.most_similar("w3", topn=0) == []


def test_most_similar_to_a_vector(wv: WordVectors) -> None:
    query = np.arange(6) - 1.7
    expected = nearest(query, set(), 10)
    assert_same_ranking(wv.most_similar(query), expected)
    assert_same_ranking(wv.most_similar([query]), expected)
    assert_same_ranking(wv.most_similar(query[None]), expected)
    assert wv.most_similar(wv["w5"], topn=1)[0][0] == "w5"


def test_most_similar_to_a_sum(wv: WordVectors) -> None:
    query = unit("w1") + unit("w2") - unit("w3")
    assert_same_ranking(wv.most_similar(["w1", "w2"], "w3"), nearest(query, {"w1", "w2", "w3"}, 10))
    assert_same_ranking(wv.most_similar((), negative=["w3"]), nearest(-unit("w3"), {"w3"}, 10))
    assert_same_ranking(wv.analogy("w3", "w1", "w2", topn=4), nearest(query, {"w1", "w2", "w3"}, 4))
    assert_same_ranking(wv.analogy("w3", "w3", "w2", topn=4), nearest(unit("w2"), {"w2", "w3"}, 4))


def test_queries_as_gensim() -> None:
    from gensim.models import KeyedVectors

    peer = KeyedVectors(6)
    peer.add_vectors(WORDS, MATRIX)
    wv = WordVectors(WORDS, MATRIX)
    vector = 2 * MATRIX[8] + 1
    for positive, negative in [("w3", ()), (["w1", "w2"], ["w3"]), (vector, ()), (["w1", vector], ["w2", "w4"])]:
        theirs = peer.most_similar(positive=positive, negative=list(negative), topn=7)
        assert_same_ranking(wv.most_similar(positive, negative, topn=7), theirs)
    assert wv.similarity("w1", "w9") == pytest.approx(peer.similarity("w1", "w9"), abs=1e-6)


def test_rows_without_direction(xp) -> None:
    matrix = np.array([[1, 2], [0, 0], [np.nan, 1], [np.inf, 0], [-1, 1]], dtype=np.float32)
    wv = WordVectors(["good", "zero", "nan", "inf", "other"], xp.asarray(matrix))
    ranking = wv.most_similar("good")
    assert dict(ranking)["zero"] == dict(ranking)["nan"] == dict(ranking)["inf"] == 0.0
    assert dict(ranking)["other"] == pytest.approx(0.1**0.5)
    assert wv.similarity("zero", "zero") == wv.similarity("inf", "good") == 0.0
    assert wv.most_similar(["good", "zero"], topn=1)[0][0] == "other"
    np.testing.assert_array_equal(to_host(wv.vectors), matrix)
    for query in ("zero", "nan", "inf", np.zeros(2), np.array([np.nan, 1])):
        with pytest.raises(ValueError, match="no direction"):
            wv.most_similar(query)
    with pytest.raises(ValueError, match="no direction"):
        wv.most_similar("good", "good")


def test_malformed_queries(wv: WordVectors) -> None:
    with pytest.raises(ValueError, match=r"shape \(4,\); it must be \(6,\)"):
        wv.most_similar(np.ones(4))
    with pytest.raises(ValueError, match="positive and negative are both empty"):
        wv.most_similar([])
    with pytest.raises(ValueError, match="topn is -1"):
        wv.most_similar("w1", topn=-1)
    for options in ({"topn": 2.5}, {"topn": True}, {"restrict_vocab": "9"}, {"clip_start": 1.0}, {"clip_end": 2.5}):
        ((name, value),) = options.items()
        with pytest.raises(TypeError, match=f"{name} is {value!r} of type {type(value).__name__}"):
            wv.most_similar("w1", **options)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "'a' occurs twice, in rows 0 and 2", {"words": ["a", "b", "a"]}),
        (ValueError, "no words", {"words": []}),
        (ValueError, r"vectors has 3 rows, but words has 2", {"words": ["a", "b"]}),
        (TypeError, "words is 'abc' of type str; pass a sequence of words", {"words": "abc"}),
        (TypeError, "contains 0 of type int", {"words": ["a", 0, 1]}),
        (TypeError, "contains True of type bool", {"words": [True, 2, 3]}),
        (TypeError, "contains 0.0 of type float", {"words": [0.0, 1.0, 2.0]}),
        (TypeError, "contains None of type NoneType", {"words": [None, "a", "b"]}),
        (ValueError, "the word 7 occurs twice, in rows 0 and 2", {"words": [7, 1, 7]}),
        (ValueError, "1 dimension; it must have 2", {"vectors": np.ones(3)}),
        (ValueError, "no dimensions; give at least one", {"vectors": np.ones((3, 0))}),
        (TypeError, "of type int64; it must be float16", {"vectors": np.ones((3, 2), dtype=np.int64)}),
        (TypeError, "of type list; it must be an array", {"vectors": [[1.0], [2.0], [3.0]]}),
        (ValueError, "context_vectors has shape", {"context_vectors": np.ones((3, 3))}),
        (ValueError, "counts has shape", {"counts": [1, 2]}),
        (TypeError, "counts is of type float64", {"counts": [1.0, 2.0, 3.0]}),
        (ValueError, "counts contains -1", {"counts": [1, -1, 3]}),
    ],
)
def test_malformed_construction(error: type[Exception], message: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(error, match=message):
        WordVectors(**{"words": ["a", "b", "c"], "vectors": np.ones((3, 2)), **arguments})


@pytest.fixture(scope="module")
def peer() -> Any:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(6)
    vectors.add_vectors(WORDS, MATRIX)
    return vectors


VECTOR = (2 * MATRIX[8] + 1).astype(np.float32)
RANKED = [
    ("most_similar", ("w3",), {}),
    ("most_similar", (None, "w3"), {}),
    ("most_similar", (["w1", ("w2", 0.5), (VECTOR, 2)], [("w4", -0.25), "w5"]), {"topn": 6}),
    ("most_similar", (["w1", "w29"], ["w2"]), {"restrict_vocab": 12}),
    ("most_similar", ("w20",), {"clip_start": 5, "clip_end": 22, "topn": 4}),
    ("most_similar", ("w3",), {"topn": 0}),
    ("most_similar_cosmul", (["w1", "w2"], ["w3"]), {}),
    ("most_similar_cosmul", ("w1",), {"topn": 3}),
]


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # warnings of gensim itself
@pytest.mark.parametrize(("name", "arguments", "options"), RANKED)
def test_rankings_as_gensim(wv: WordVectors, peer: Any, name: str, arguments: Any, options: Any) -> None:
    assert_same_ranking(getattr(wv, name)(*arguments, **options), getattr(peer, name)(*arguments, **options))


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # warnings of gensim itself
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("most_similar", ("w3", None, None)),
        ("most_similar", ("w3", None, None, 4, 9)),
        ("most_similar_cosmul", (["w3", "w4"], ["w5"], None)),
        ("similarity", ("w1", "w2")),
        ("distance", ("w1", "w2")),
        ("distances", ("w1",)),
        ("distances", ("w1", ["w3", "w9", "w3"])),
        ("distances", (VECTOR, ["w3"])),
        ("n_similarity", (["w1", "w2"], ["w7", "w8", "w9"])),
        ("n_similarity", (["w1", "nobody"], ["w7"])),
        ("get_vector", ("w4",)),
        ("get_vector", ("w4", True)),
        ("get_mean_vector", (["w1", VECTOR, "w2"],)),
        ("get_mean_vector", (["w1", VECTOR, "nobody"], [1.0, -3.0, 2.0], True, True)),
        ("get_mean_vector", (["w1", "w2"], np.array([0.5, 2], dtype="f"), False)),
        ("get_mean_vector", (["nobody"],)),
    ],
)
def test_numbers_as_gensim(wv: WordVectors, peer: Any, name: str, arguments: Any) -> None:
    ours, theirs = getattr(wv, name)(*arguments), np.asarray(getattr(peer, name)(*arguments))
    assert np.shape(to_host(ours) if hasattr(ours, "dtype") else ours) == theirs.shape
    np.testing.assert_allclose(to_host(ours) if hasattr(ours, "dtype") else ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("closer_than", ("w3", "w9")),
        ("closer_than", ("w3", "w3")),
        ("rank", ("w3", "w9")),
        ("rank", ("w3", "w3")),
        ("doesnt_match", (["w1", "w2", "w3", "w4"],)),
        ("doesnt_match", (["w1"],)),
        ("get_index", ("w4",)),
        ("get_index", ("nobody", 7)),
    ],
)
def test_answers_as_gensim(wv: WordVectors, peer: Any, name: str, arguments: Any) -> None:
    ours, theirs = getattr(wv, name)(*arguments), getattr(peer, name)(*arguments)
    assert ours == theirs
    assert type(ours) is type(theirs) or isinstance(theirs, np.integer)


def test_centrality_and_choices_of_words_as_gensim(wv: WordVectors, peer: Any) -> None:
    for ours, theirs in zip(wv.rank_by_centrality(WORDS[:6]), peer.rank_by_centrality(WORDS[:6]), strict=True):
        assert ours[1] == theirs[1]
        assert ours[0] == pytest.approx(theirs[0], abs=1e-6)
    ours, theirs = (vectors.vectors_for_all(["w9", "no", "w1", "w9"]) for vectors in (wv, peer))
    assert ours.index_to_key == theirs.index_to_key
    assert to_host(ours.vectors).tolist() == theirs.vectors.tolist()


def test_unknown_words_are_left_out_where_gensim_does(wv: WordVectors, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert wv.doesnt_match(["w1", "nobody", "w2", "w3"]) == wv.doesnt_match(["w1", "w2", "w3"])
    assert "nobody" in caplog.text
    for query in (
        lambda: wv.doesnt_match(["no"]),
        lambda: wv.n_similarity(["no"], ["w1"]),
        lambda: wv.doesnt_match([]),
    ):
        with pytest.raises(ValueError, match="in the vocabulary"):
            query()
    with pytest.raises(UnknownWordError):
        wv.get_mean_vector(["no"], ignore_missing=False)


def test_malformed_queries_of_the_rest(wv: WordVectors) -> None:
    for error, message, query in [
        (ValueError, "keys is empty", lambda: wv.get_mean_vector([])),
        (ValueError, "length 2, but weights has length 1", lambda: wv.get_mean_vector(["w1", "w2"], [1])),
        (TypeError, "keys is 'w1' of type str; pass a list", lambda: wv.get_mean_vector("w1")),
        (TypeError, "keys is 'w1' of type str; pass a list", lambda: wv.vectors_for_all("w1")),
        (TypeError, "words is 'w1' of type str; pass a list", lambda: wv.doesnt_match("w1")),
        (TypeError, "words is 'w1' of type str; pass a list", lambda: wv.n_similarity("w1", ["w2"])),
        (TypeError, "others is 3 of type int; pass a list", lambda: wv.n_similarity(["w1"], 3)),
        (TypeError, "other_words is 'w1' of type str; pass a list", lambda: wv.distances("w1", "w1")),
        (TypeError, "words is 'w1' of type str; pass a list", lambda: wv.align(wv, "w1")),
        (TypeError, "give a list", lambda: wv.nearest("w1")),
        (TypeError, "give a list", lambda: wv.nearest(3)),
        (ValueError, "topn is -1", lambda: wv.nearest(["w1"], topn=-1)),
        (ValueError, "topn is -1", lambda: wv.nearest_neighbours(-1)),
        (ValueError, r"shape \(2, 4\)", lambda: wv.nearest(np.ones((2, 4)))),
        (ValueError, "query 1 has no direction", lambda: wv.nearest(["w1", np.zeros(6)])),
        (ValueError, "restrict_vocab is -3; it must be at least 0", lambda: wv.most_similar("w1", restrict_vocab=-3)),
        (ValueError, "positive is empty", lambda: wv.most_similar_cosmul([], ["w1"])),
        (ValueError, "a term has a weight", lambda: wv.most_similar_cosmul([("w1", 2.0)])),
        (UnknownWordError, "nobody", lambda: wv.get_index("nobody")),
        (UnknownWordError, "nobody", lambda: wv.nearest(["w1", "nobody"])),
    ]:
        with pytest.raises(error, match=message):
            query()


def test_nothing_to_search_finds_nothing(wv: WordVectors) -> None:
    assert wv.most_similar("w1", restrict_vocab=0) == []
    assert wv.most_similar("w1", clip_start=9, clip_end=3) == []
    assert wv.most_similar("w0", restrict_vocab=1) == []
    assert wv.nearest(["w1", "w2"], topn=0) == [[], []]
    assert wv.nearest([]) == []
    assert WordVectors(["a"], np.ones((1, 2))).most_similar("a") == []


def test_nearest_is_most_similar_of_each(wv: WordVectors) -> None:
    xp_vector = wv["w4"] * 2 + 1
    queries = ["w3", xp_vector, "w29", "w3"]
    for topn, restrict_vocab in itertools.product((1, 4, 40), (None, 10, 100)):
        expected = [wv.most_similar(query, topn=topn, restrict_vocab=restrict_vocab) for query in queries]
        for asked, wanted in ((queries, expected), (["w3", "w29"], [expected[0], expected[2]])):
            found = wv.nearest(asked, topn=topn, restrict_vocab=restrict_vocab)
            assert len(found) == len(wanted)
            for ours, theirs in zip(found, wanted, strict=True):
                assert_same_ranking(ours, theirs)
    by_matrix = wv.nearest(wv[["w3", "w5"]], topn=3)
    assert [found[0][0] for found in by_matrix] == ["w3", "w5"]


def test_neighbours_of_all_words(wv: WordVectors) -> None:
    rows, cosines = wv.nearest_neighbours(4)
    assert rows.shape == cosines.shape == (30, 4)
    for word, near, scores in zip(WORDS, to_host(rows), to_host(cosines), strict=True):
        assert_same_ranking(
            [(WORDS[row], float(score)) for row, score in zip(near, scores, strict=True)],
            nearest(MATRIX[WORDS.index(word)], {word}, 4),
        )
    assert wv.nearest_neighbours(99)[0].shape == (30, 29)
    assert wv.nearest_neighbours(0)[0].shape == (30, 0)


def test_slices(xp) -> None:
    context = xp.asarray(MATRIX + 1)
    wv = WordVectors(WORDS, xp.asarray(MATRIX), range(30), context, {"a": 1})
    top = wv[:4]
    assert top.index_to_key == WORDS[:4]
    assert to_host(top.vectors).tolist() == MATRIX[:4].tolist()
    assert top.counts.tolist() == [0, 1, 2, 3]
    assert to_host(top.context_vectors).tolist() == (MATRIX + 1)[:4].tolist()
    assert top.settings == {"a": 1}
    assert wv[-2:].index_to_key == ["w28", "w29"]
    assert wv[:99].index_to_key == WORDS
    assert wv[::-10].index_to_key == ["w29", "w19", "w9"]
    with pytest.raises(ValueError, match="must have at least one word"):
        wv[30:]


def test_set_algebra(xp) -> None:
    a = WordVectors(["x", "y", "z"], xp.asarray(MATRIX[:3]), [3, 2, 1], xp.asarray(MATRIX[3:6]))
    b = WordVectors(["v", "z", "x"], xp.asarray(MATRIX[6:9]), [9, 8, 7], xp.asarray(MATRIX[9:12]))
    for words in (b, ["v", "z", "x"], {"x", "z"}, b.key_to_index):
        both = a & words
        assert both.index_to_key == ["x", "z"]
        assert to_host(both.vectors).tolist() == MATRIX[[0, 2]].tolist()
        assert both.counts.tolist() == [3, 1]
        assert to_host(both.context_vectors).tolist() == MATRIX[[3, 5]].tolist()
        assert (a - words).index_to_key == ["y"]
    joined = a | b
    assert joined.index_to_key == ["x", "y", "z", "v"]
    assert to_host(joined.vectors).tolist() == MATRIX[[0, 1, 2, 6]].tolist()
    assert joined.counts.tolist() == [3, 2, 1, 9]
    assert to_host(joined.context_vectors).tolist() == MATRIX[[3, 4, 5, 9]].tolist()
    assert (a | a) is a
    assert (a | WordVectors(["v"], xp.asarray(MATRIX[:1]))).counts is None
    for empty in (lambda: a & ["v"], lambda: a - a, lambda: a.vectors_for_all(["v"])):
        with pytest.raises(ValueError, match="must have at least one word"):
            empty()
    with pytest.raises(ValueError, match="6 dimensions, but other has 2"):
        _ = a | WordVectors(["v"], xp.asarray(MATRIX[:1, :2]))
    for wrong in (lambda: a & "xyz", lambda: a | ["x"], lambda: a - 3):
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong()


def test_align_finds_the_rotation(xp) -> None:
    from scipy.linalg import orthogonal_procrustes

    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32)
    a = WordVectors(WORDS, xp.asarray(MATRIX), context_vectors=xp.asarray(MATRIX + 1))
    turned = WordVectors([*WORDS[::-1], "other"], xp.asarray(np.vstack([MATRIX[::-1] @ rotation, MATRIX[:1]])))
    back = turned.align(a)
    assert back.index_to_key == turned.index_to_key
    np.testing.assert_allclose(to_host(back[WORDS]), MATRIX, atol=1e-5)
    there = a.align(turned, words=WORDS[:7])
    np.testing.assert_allclose(to_host(there.vectors), MATRIX @ rotation, atol=1e-5)
    np.testing.assert_allclose(to_host(there.context_vectors), (MATRIX + 1) @ rotation, atol=1e-5)

    noisy = WordVectors(WORDS, xp.asarray((MATRIX @ rotation + rng.normal(size=MATRIX.shape)).astype(np.float32)))
    expected, _ = orthogonal_procrustes(to_host(a.unit_vectors), to_host(noisy.unit_vectors))
    np.testing.assert_allclose(to_host(a.align(noisy).vectors), MATRIX @ expected, atol=1e-5)

    with pytest.raises(ValueError, match="no word in common"):
        a.align(WordVectors(["elsewhere"], xp.asarray(MATRIX[:1])))
    with pytest.raises(ValueError, match="6 dimensions, but other has 3"):
        a.align(WordVectors(["w1"], xp.asarray(MATRIX[:1, :3])))
    with pytest.raises(UnknownWordError):
        a.align(noisy, words=["nobody"])


def test_align_needs_as_many_words_as_dimensions(xp) -> None:
    wv = WordVectors(WORDS, xp.asarray(MATRIX))
    few = WordVectors([*WORDS[:4], "other", "another", "third"], xp.asarray(MATRIX[:7]))
    matrix = MATRIX.copy()
    matrix[:26] = 0
    for other, words, n_matched in [
        (few, None, 4),
        (wv, WORDS[:4], 4),
        (wv, [*WORDS[:4], *WORDS[:4]], 4),
        (WordVectors(WORDS, xp.asarray(matrix)), None, 4),
        (WordVectors(WORDS, xp.asarray(0 * MATRIX)), None, 0),
    ]:
        with pytest.raises(ValueError, match=f"only {n_matched} matched words .* the rotation of 6 dimensions undet"):
            wv.align(other, words)
    with pytest.raises(ValueError, match="align: words is empty"):
        wv.align(wv, [])
    # Six words determine the rotation. So does any number, if there are no other words to rotate.
    np.testing.assert_allclose(to_host(wv.align(wv, WORDS[:6]).vectors), MATRIX, atol=1e-5)
    np.testing.assert_allclose(to_host(wv[:3].align(wv).vectors), MATRIX[:3], atol=1e-5)


def test_a_subclass_stays_one() -> None:
    class Vectors(WordVectors):
        pass

    wv = Vectors(WORDS, MATRIX)
    made = [wv[:4], wv[::2], wv & WORDS[:3], wv - WORDS[:3], wv[:3] | wv, wv.align(wv), wv.vectors_for_all(WORDS[:2])]
    assert all(type(vectors) is Vectors for vectors in made)
    assert repr(wv).startswith("Vectors(30 words")


def test_words_may_come_later() -> None:
    called = []

    def words() -> list[str]:
        called.append(1)
        return WORDS

    wv = WordVectors(words, MATRIX)
    assert len(wv) == 30
    assert repr(wv).startswith("WordVectors(30")
    assert not called
    assert wv.most_similar("w3", topn=2) == WordVectors(WORDS, MATRIX).most_similar("w3", topn=2)
    assert "w4" in wv
    assert called == [1]
    late = WordVectors(lambda: ["a", "a"], MATRIX[:2])
    with pytest.raises(ValueError, match="occurs twice"):
        late["a"]
    with pytest.raises(ValueError, match="2 rows, but words has 1"):
        list(WordVectors(lambda: ["a"], MATRIX[:2]))


def test_unit_rows_are_made_once(wv: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    first = wv.unit_vectors
    monkeypatch.setattr(word_vectors, "unit_rows", None)
    assert wv.unit_vectors is first


def test_no_rounding_makes_a_distance_negative():
    rows = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    vectors = WordVectors([f"w{i}" for i in range(300)] + ["opposite"], np.concatenate([rows, -rows[:1]]))
    assert all(vectors.similarity(word, word) <= 1 and vectors.distance(word, word) >= 0 for word in vectors)
    assert vectors.similarity("w0", "opposite") == pytest.approx(-1)
    assert vectors.distance("w0", "opposite") <= 2
