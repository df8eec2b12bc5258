"""Queries, against brute force and gensim, and the textbook's helpers, against the textbook's loops."""

from __future__ import annotations

import inspect
import itertools
import logging
import pickle
import re
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import search
from fastw2v import vectors as module
from fastw2v.backend import to_host
from fastw2v.matrix_queries import analogy, cos_similarity, most_similar
from fastw2v.vectors import UnknownWordError, WordVectors

WORDS = [f"w{i}" for i in range(30)]
MATRIX = np.random.default_rng(3).normal(size=(30, 5)).astype(np.float32)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y))


def nearest(query: np.ndarray, left_out: set[str], topn: int) -> list[tuple[str, float]]:
    scores = [(word, cosine(row, query)) for word, row in zip(WORDS, MATRIX, strict=True) if word not in left_out]
    return sorted(scores, key=lambda pair: -pair[1])[:topn]


def unit(word: str) -> np.ndarray:
    row = MATRIX[WORDS.index(word)].astype(np.float64)
    return row / np.sqrt(row @ row)


def assert_same_ranking(ours: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in expected]
    assert [score for _, score in ours] == pytest.approx([score for _, score in expected], abs=1e-6, rel=1e-6)
    assert all(type(word) is str and type(score) is float for word, score in ours)


@pytest.fixture
def wv(xp) -> WordVectors:
    return WordVectors(WORDS, xp.asarray(MATRIX), counts=range(60, 30, -1))


def test_attributes(wv: WordVectors) -> None:
    assert wv.index_to_key == WORDS
    assert wv.key_to_index["w7"] == 7
    assert wv.vector_size == 5
    assert wv.counts.tolist() == list(range(60, 30, -1))
    assert len(wv) == 30
    assert list(wv) == WORDS
    assert "w3" in wv
    assert "w30" not in wv
    assert repr(wv).startswith("WordVectors(30 words, 5 dimensions, ")


def test_vectors_of_words(wv: WordVectors) -> None:
    assert to_host(wv["w4"]).tolist() == MATRIX[4].tolist()
    assert to_host(wv.get_vector("w4")).tolist() == MATRIX[4].tolist()
    assert to_host(wv[["w9", "w0", "w9"]]).tolist() == MATRIX[[9, 0, 9]].tolist()
    assert to_host(wv[("w9",)]).shape == (1, 5)
    assert to_host(wv[[]]).shape == (0, 5)
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
    query = np.arange(5) - 1.7
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

    peer = KeyedVectors(5)
    peer.add_vectors(WORDS, MATRIX)
    wv = WordVectors(WORDS, MATRIX)
    vector = 2 * MATRIX[8] + 1
    for positive, negative in [("w3", ()), (["w1", "w2"], ["w3"]), (vector, ()), (["w1", vector], ["w2", "w4"])]:
        theirs = peer.most_similar(positive=positive, negative=list(negative), topn=7)
        assert_same_ranking(wv.most_similar(positive, negative, topn=7), theirs)
    assert wv.similarity("w1", "w9") == pytest.approx(peer.similarity("w1", "w9"), abs=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("scale", ["smallest_subnormal", "tiny", "max"])
def test_extreme_values_keep_their_direction(dtype: str, scale: str) -> None:
    """Squares of such values overflow or vanish."""
    value = getattr(np.finfo(dtype), scale)
    wv = WordVectors(["a", "b", "c"], np.array([[1, 1], [1, 0], [-1, 1]], dtype=dtype) * value)
    assert wv.similarity("a", "b") == pytest.approx(0.5**0.5)
    assert wv.similarity("a", "c") == pytest.approx(0, abs=1e-7)


def test_unit_vectors_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.ones((2**18, 9), dtype=np.float16)  # more than one block
    matrix[-1] = 2
    unit = WordVectors(list(map(str, range(2**18))), matrix).unit_vectors
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, 1 / 3, rtol=1e-6)


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


@pytest.mark.parametrize("number", [0, -1, np.int64(3), True])
def test_an_integer_is_no_word(wv: WordVectors, number: Any) -> None:
    assert number not in wv
    queries = [
        lambda: wv[number],
        lambda: wv[[number]],
        lambda: wv.get_vector(number),
        lambda: wv.similarity("w1", number),
        lambda: wv.most_similar(number),
        lambda: wv.most_similar("w1", [number]),
        lambda: wv.analogy("w1", number, "w2"),
    ]
    for query in queries:
        with pytest.raises(TypeError, match=r"use \.vectors\["):
            query()


@pytest.mark.parametrize("key", [None, 1.5, b"w1", [["w1"]], [1.5, 2.5], [None]])
def test_other_keys_are_refused(wv: WordVectors, key: Any) -> None:
    with pytest.raises(TypeError, match="words are strings"):
        wv[key]
    if key is not None and not isinstance(key, bytes):
        with pytest.raises(TypeError, match="words are strings"):
            wv.most_similar(key)
    assert key not in wv


def test_malformed_queries(wv: WordVectors) -> None:
    with pytest.raises(ValueError, match=r"shape \(4,\); it must be \(5,\)"):
        wv.most_similar(np.ones(4))
    with pytest.raises(ValueError, match="neither positive nor negative"):
        wv.most_similar([])
    with pytest.raises(ValueError, match="topn is -1"):
        wv.most_similar("w1", topn=-1)
    with pytest.raises(TypeError):
        wv.most_similar("w1", topn=2.5)


def test_unknown_words_are_told_with_near_spellings() -> None:
    wv = WordVectors(["king", "queen", "Paris", "kings", "NATO"], np.eye(5))
    for query in (lambda: wv["kimg"], lambda: wv[["king", "kimg"]], lambda: wv.analogy("king", "queen", "kimg")):
        with pytest.raises(UnknownWordError) as caught:
            query()
        assert str(caught.value) == "'kimg' is not in the vocabulary of 5 words. Near spellings: 'king', 'kings'."
        assert isinstance(caught.value, KeyError)
    for wrong, right in [("paris", "Paris"), ("nato", "NATO"), ("KING", "king")]:
        with pytest.raises(KeyError, match=f"Near spellings: '{right}'"):
            wv.similarity(wrong, "queen")
    with pytest.raises(KeyError, match=r"vocabulary of 5 words\.$"):
        wv["zzzzzz"]
    assert str(pickle.loads(pickle.dumps(UnknownWordError("x", ["xy"])))) == str(UnknownWordError("x", ["xy"]))


def test_near_spellings_are_bounded() -> None:
    words = [f"word{i:07d}" for i in range(400_000)]
    for unknown in ("word12x4567", "x" * 10_000_000):
        error = UnknownWordError(unknown, words)
        start = time.perf_counter()
        str(error)
        assert time.perf_counter() - start < 5  # seconds; without bounds it is a minute


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "'a' occurs twice, in rows 0 and 2", {"words": ["a", "b", "a"]}),
        (ValueError, "no words", {"words": []}),
        (ValueError, r"vectors has 3 rows, but there are 2 words", {"words": ["a", "b"]}),
        (TypeError, "single string", {"words": "abc"}),
        (TypeError, "holds 0 of type int", {"words": ["a", 0, 1]}),
        (TypeError, "holds True of type bool", {"words": [True, 2, 3]}),
        (TypeError, "holds 0.0 of type float", {"words": [0.0, 1.0, 2.0]}),
        (TypeError, "holds None of type NoneType", {"words": [None, "a", "b"]}),
        (ValueError, "the word 7 occurs twice, in rows 0 and 2", {"words": [7, 1, 7]}),
        (ValueError, "1 dimensions; it must have 2", {"vectors": np.ones(3)}),
        (ValueError, "no dimensions: it must be", {"vectors": np.ones((3, 0))}),
        (TypeError, "of type int64; it must be of floats", {"vectors": np.ones((3, 2), dtype=np.int64)}),
        (TypeError, "of type list; it must be an array", {"vectors": [[1.0], [2.0], [3.0]]}),
        (ValueError, "context_vectors has shape", {"context_vectors": np.ones((3, 3))}),
        (ValueError, "counts has shape", {"counts": [1, 2]}),
        (TypeError, "counts is of type float64", {"counts": [1.0, 2.0, 3.0]}),
        (ValueError, "counts holds -1", {"counts": [1, -1, 3]}),
    ],
)
def test_malformed_construction(error: type[Exception], message: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(error, match=message):
        WordVectors(**{"words": ["a", "b", "c"], "vectors": np.ones((3, 2)), **arguments})


# Every query, against gensim


@pytest.fixture(scope="module")
def peer() -> Any:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(5)
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
    ("similar_by_word", ("w1",), {"topn": 4, "restrict_vocab": 20}),
    ("similar_by_key", ("w1", 3), {}),
    ("similar_by_vector", (VECTOR,), {"topn": 5}),
]


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by gensim itself
@pytest.mark.parametrize(("name", "arguments", "options"), RANKED)
def test_rankings_as_gensim(wv: WordVectors, peer: Any, name: str, arguments: Any, options: Any) -> None:
    assert_same_ranking(getattr(wv, name)(*arguments, **options), getattr(peer, name)(*arguments, **options))


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by gensim itself
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
        ("get_normed_vectors", ()),
        ("relative_cosine_similarity", ("w1", "w2")),
        ("relative_cosine_similarity", ("w1", "w2", 3)),
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
        ("most_similar_to_given", ("w1", ["w2", "w3", "w4"])),
        ("get_index", ("w4",)),
        ("get_index", ("nobody", 7)),
        ("has_index_for", ("w4",)),
        ("has_index_for", ("nobody",)),
    ],
)
def test_answers_as_gensim(wv: WordVectors, peer: Any, name: str, arguments: Any) -> None:
    ours, theirs = getattr(wv, name)(*arguments), getattr(peer, name)(*arguments)
    assert ours == theirs
    assert type(ours) is type(theirs) or isinstance(theirs, np.integer)


def test_rest_of_gensims_names(wv: WordVectors, peer: Any) -> None:
    assert wv.words_closer_than("w3", "w9") == wv.closer_than("w3", "w9")
    assert wv.get_vecattr("w3", "count") == 57
    for ours, theirs in zip(wv.rank_by_centrality(WORDS[:6]), peer.rank_by_centrality(WORDS[:6]), strict=True):
        assert ours[1] == theirs[1]
        assert ours[0] == pytest.approx(theirs[0], abs=1e-6)
    ours, theirs = (vectors.vectors_for_all(["w9", "no", "w1", "w9"]) for vectors in (wv, peer))
    assert ours.index_to_key == theirs.index_to_key
    assert to_host(ours.vectors).tolist() == theirs.vectors.tolist()
    cosines = wv.cosine_similarities(wv["w3"], wv[["w1", "w2"]])
    np.testing.assert_allclose(to_host(cosines), peer.cosine_similarities(MATRIX[3], MATRIX[1:3]), atol=1e-6)
    wv.unit_normalize_all()
    np.testing.assert_allclose(to_host(wv["w3"]), unit("w3"), atol=1e-6)
    before = wv.unit_vectors
    wv.fill_norms(force=True)
    assert wv.unit_vectors is not before


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
        (ValueError, "no words and no vectors", lambda: wv.get_mean_vector([])),
        (ValueError, "2 words and vectors, but 1 weights", lambda: wv.get_mean_vector(["w1", "w2"], [1])),
        (TypeError, "single string", lambda: wv.get_mean_vector("w1")),
        (TypeError, "single string", lambda: wv.doesnt_match("w1")),
        (TypeError, "single string", lambda: wv.n_similarity("w1", "w2")),
        (TypeError, "takes a list", lambda: wv.nearest("w1")),
        (TypeError, "takes a list", lambda: wv.nearest(3)),
        (ValueError, "topn is -1", lambda: wv.nearest(["w1"], topn=-1)),
        (ValueError, "topn is -1", lambda: wv.nearest_neighbours(-1)),
        (ValueError, "topn is 0; it must be at least 1", lambda: wv.relative_cosine_similarity("w1", "w2", 0)),
        (ValueError, r"shape \(2, 4\)", lambda: wv.nearest(np.ones((2, 4)))),
        (ValueError, "query 1 has no direction", lambda: wv.nearest(["w1", np.zeros(5)])),
        (ValueError, "searched are 0 to -3", lambda: wv.most_similar("w1", restrict_vocab=-3)),
        (ValueError, "positive names no word", lambda: wv.most_similar_cosmul([], ["w1"])),
        (ValueError, "a term has a weight", lambda: wv.most_similar_cosmul([("w1", 2.0)])),
        (ValueError, "no other words", lambda: wv.most_similar_to_given("w1", [])),
        (KeyError, "colour.* only", lambda: wv.get_vecattr("w1", "colour")),
        (KeyError, "no counts", lambda: WordVectors(["a"], np.ones((1, 1))).get_vecattr("a", "count")),
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


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim leaves files open
@pytest.mark.parametrize(("binary", "header"), [(True, True), (False, True), (False, False)])
def test_word2vec_files_by_gensims_names(tmp_path: Path, binary: bool, header: bool) -> None:
    from gensim.models import KeyedVectors

    wv = WordVectors(WORDS, MATRIX, counts=range(60, 30, -1))
    path, fvocab = str(tmp_path / "any.name"), str(tmp_path / "vocab")
    wv.save_word2vec_format(path, fvocab=fvocab, binary=binary, write_header=header)
    theirs = KeyedVectors.load_word2vec_format(path, fvocab=fvocab, binary=binary, no_header=not header)
    ours = WordVectors.load_word2vec_format(path, fvocab=fvocab, binary=binary, no_header=not header)
    assert ours.index_to_key == theirs.index_to_key == WORDS
    assert ours.vectors.tobytes() == theirs.vectors.tobytes() == MATRIX.tobytes()
    assert ours.counts.tolist() == [theirs.get_vecattr(word, "count") for word in WORDS] == list(range(60, 30, -1))
    few = WordVectors.load_word2vec_format(path, binary=binary, no_header=not header, limit=3, datatype=np.float16)
    assert few.index_to_key == WORDS[:3]
    assert few.vectors.dtype == np.float16
    Path(fvocab).write_text("w0 3\n")
    with pytest.raises(ValueError, match="no count of 29 of the words, such as 'w1'"):
        WordVectors.load_word2vec_format(path, fvocab=fvocab, binary=binary, no_header=not header)
    with pytest.raises(ValueError, match="no counts"):
        few.save_word2vec_format(path, fvocab=fvocab)
    with pytest.raises(ValueError, match="needs its header"):
        wv.save_word2vec_format(path, binary=True, write_header=False)


# Many queries at once


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


@pytest.mark.parametrize("k", [0, 1, 3, 10, 300])
@pytest.mark.parametrize("rows", [300, 4096, 5003])
def test_search_equals_a_sort(xp, monkeypatch: pytest.MonkeyPatch, k: int, rows: int) -> None:
    """With many equal scores, whose order is that of the rows, and in blocks of three queries."""
    rng = np.random.default_rng(k)
    unit = (
        rng.integers(-2, 3, size=(rows, 3)).astype(np.float32) if k == 10 else rng.random((rows, 3), dtype=np.float32)
    )
    queries = rng.normal(size=(8, 3)).astype(np.float32)
    left_out = np.stack([rng.integers(0, 8, 30), rng.integers(0, rows, 30)], axis=1)
    monkeypatch.setattr(search, "_SCORES", 3 * rows)
    scores = queries @ unit.T
    scores[left_out[:, 0], left_out[:, 1]] = -np.inf
    expected = np.sort(scores, axis=1)[:, ::-1][:, :k]
    found, values = (to_host(a) for a in search.nearest_rows(xp.asarray(unit), xp.asarray(queries), k, left_out))
    np.testing.assert_allclose(values, expected, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), values, atol=1e-6)
    assert all(len(set(row)) == k for row in found.tolist())
    equal = values[:, 1:] == values[:, :-1]
    assert (found[:, 1:] > found[:, :-1])[equal].all()


def test_many_queries_take_bounded_memory() -> None:
    import tracemalloc

    matrix = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32)
    wv = WordVectors(list(range(20_000)), matrix)
    wv.fill_norms()
    tracemalloc.start()
    rows, _ = wv.nearest_neighbours(2)  # all scores at once would take 1.6 GB
    assert tracemalloc.get_traced_memory()[1] < 600e6
    tracemalloc.stop()
    assert rows.shape == (20_000, 2)


# Integer words


def test_integers_as_words(xp) -> None:
    nodes = [5, np.int64(0), 3]
    wv = WordVectors(nodes, xp.asarray(MATRIX[:3]))
    assert wv.index_to_key == [5, 0, 3]
    assert {type(key) for key in wv.index_to_key} == {int}
    assert to_host(wv[0]).tolist() == to_host(wv[np.int32(0)]).tolist() == MATRIX[1].tolist()
    assert to_host(wv[[3, 5]]).tolist() == MATRIX[[2, 0]].tolist()
    assert to_host(wv[np.array([3, 5])]).tolist() == MATRIX[[2, 0]].tolist()
    assert 5 in wv
    assert np.uint8(5) in wv
    assert wv.most_similar(5)[0][0] in (0, 3)
    assert wv.most_similar([(5, 2.0), 3], topn=1)[0][0] == 0
    for node, found in zip([5, 0, 3], wv.nearest([5, 0, 3], topn=1), strict=True):
        [(other, score)] = wv.most_similar(node, topn=1)
        assert found == [(other, pytest.approx(score, abs=1e-6))]  # a product of matrices rounds in its own way
    for missing in (1, 2, -1):
        assert missing not in wv
        with pytest.raises(UnknownWordError, match=f"{missing} is not in the vocabulary"):
            wv[missing]
    for other in ("5", True, 5.0, None, np.bool_(1)):
        assert other not in wv
        with pytest.raises(TypeError, match="words are integers"):
            wv.get_vector(other)


# Other word vectors


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
    with pytest.raises(ValueError, match="no word would be left"):
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
        with pytest.raises(ValueError, match="no word would be left"):
            empty()
    with pytest.raises(ValueError, match="5 dimensions, the others 2"):
        _ = a | WordVectors(["v"], xp.asarray(MATRIX[:1, :2]))
    for wrong in (lambda: a & "xyz", lambda: a | ["x"], lambda: a - 3):
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong()


def test_align_finds_the_rotation(xp) -> None:
    from scipy.linalg import orthogonal_procrustes

    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0].astype(np.float32)
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
    with pytest.raises(ValueError, match="5 dimensions, the others 3"):
        a.align(WordVectors(["w1"], xp.asarray(MATRIX[:1, :3])))
    with pytest.raises(UnknownWordError):
        a.align(noisy, words=["nobody"])


# Words read when needed


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
    with pytest.raises(ValueError, match="2 rows, but there are 1 words"):
        list(WordVectors(lambda: ["a"], MATRIX[:2]))


# The textbook's helpers

WORD_TO_ID = {word: i for i, word in enumerate(WORDS)}
ID_TO_WORD = dict(enumerate(WORDS))


def test_cos_similarity(xp) -> None:
    x, y = xp.asarray(MATRIX[0]), xp.asarray(MATRIX[1])
    assert float(cos_similarity(x, y)) == pytest.approx(cosine(MATRIX[0], MATRIX[1]), abs=1e-6)
    assert float(cos_similarity(x, x * 0)) == 0.0


def test_textbook_most_similar(xp, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = most_similar("w3", WORD_TO_ID, ID_TO_WORD, xp.asarray(MATRIX), top=4)
    assert_same_ranking(pairs, nearest(MATRIX[3], {"w3"}, 4))
    lines = capsys.readouterr().out.split("\n")
    assert lines == ["", "[query] w3", *(f" {word}: {score}" for word, score in pairs), ""]


def test_textbook_analogy(xp, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = analogy("w1", "w2", "w3", WORD_TO_ID, ID_TO_WORD, xp.asarray(MATRIX), top=3, answer="w4")
    query = (MATRIX[2] - MATRIX[1] + MATRIX[3]).astype(np.float64)
    query /= np.sqrt(query @ query)
    scores = {word: float(row @ query) for word, row in zip(WORDS, MATRIX.astype(np.float64), strict=True)}
    order = sorted(set(WORDS) - {"w1", "w2", "w3"}, key=lambda word: -scores[word])
    assert_same_ranking(pairs, [(word, scores[word]) for word in order[:3]])
    _, title, answer, *lines = capsys.readouterr().out.split("\n")
    assert title == "[analogy] w1:w2 = w3:?"
    assert answer.startswith("==>w4:")
    assert float(answer.removeprefix("==>w4:")) == pytest.approx(scores["w4"], abs=1e-6)
    assert lines == [*(f" {word}: {score}" for word, score in pairs), ""]


def test_textbook_helpers_with_unknown_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert most_similar("nobody", WORD_TO_ID, ID_TO_WORD, MATRIX) == []
    assert analogy("w1", "nobody", "w3", WORD_TO_ID, ID_TO_WORD, MATRIX) == []
    assert analogy("w1", "w2", "w3", WORD_TO_ID, ID_TO_WORD, MATRIX, answer="nobody") == []
    assert capsys.readouterr().out == "nobody is not found\n" * 3


def test_textbook_helpers_with_half_precision_zeros_and_nan() -> None:
    matrix = MATRIX.astype(np.float16)
    matrix[5] = 0
    half = most_similar("w3", WORD_TO_ID, ID_TO_WORD, matrix, top=30)
    assert len(half) == 29
    assert dict(half)["w5"] == 0.0
    matrix[6] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some NumPy builds warn of NaN in a product
        for pairs in (
            analogy("w1", "w2", "w3", WORD_TO_ID, ID_TO_WORD, matrix, top=30),
            most_similar("w1", WORD_TO_ID, ID_TO_WORD, matrix, top=30),
        ):
            assert "w5" in dict(pairs)
            assert "w6" not in dict(pairs)


def test_unit_rows_are_made_once(wv: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    first = wv.unit_vectors
    monkeypatch.setattr(module, "unit_rows", None)
    assert wv.unit_vectors is first


def test_the_guide_names_every_public_name_of_gensims() -> None:
    from gensim.models import KeyedVectors, Word2Vec

    guide = (Path(__file__).parents[1] / "docs" / "from_gensim.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", guide))
    public = {name for kind in (KeyedVectors, Word2Vec) for name in dir(kind) if not name.startswith("_")}
    public |= set(inspect.signature(Word2Vec).parameters)
    assert public <= named, public - named
    ours = {name for name in dir(KeyedVectors) if not name.startswith("_") and hasattr(WordVectors, name)}
    unmentioned = [name for name in ours if f"`{name}" not in guide and f" {name}" not in guide]
    assert not unmentioned


def test_gensims_name_of_the_class() -> None:
    from fastw2v import KeyedVectors

    assert KeyedVectors is WordVectors


def test_no_rounding_makes_a_distance_negative():
    rows = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    vectors = WordVectors([f"w{i}" for i in range(300)] + ["opposite"], np.concatenate([rows, -rows[:1]]))
    assert all(vectors.similarity(word, word) <= 1 and vectors.distance(word, word) >= 0 for word in vectors)
    assert vectors.similarity("w0", "opposite") == pytest.approx(-1)
    assert vectors.distance("w0", "opposite") <= 2
