"""Queries, against brute force and gensim, and the textbook's helpers, against the textbook's loops."""

from __future__ import annotations

import pickle
import time
import warnings
from typing import Any

import numpy as np
import pytest

from fastw2v import vectors as module
from fastw2v.backend import to_host
from fastw2v.vectors import UnknownWordError, WordVectors, analogy, cos_similarity, most_similar

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
    assert [score for _, score in ours] == pytest.approx([score for _, score in expected], abs=1e-6)
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


@pytest.mark.parametrize("key", [None, 1.5, slice(2), [["w1"]], [1.5, 2.5]])
def test_other_keys_are_refused(wv: WordVectors, key: Any) -> None:
    with pytest.raises(TypeError, match="words are strings"):
        wv[key]
    with pytest.raises(TypeError, match="words are strings"):
        wv.most_similar(key)


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
        (ValueError, r"shape \(3, 2\), but there are 2 words", {"words": ["a", "b"]}),
        (TypeError, "single string", {"words": "abc"}),
        (TypeError, "holds 0 of type int", {"words": [0, 1, 2]}),
        (ValueError, "1 dimensions; it must have 2", {"vectors": np.ones(3)}),
        (ValueError, "D at least 1", {"vectors": np.ones((3, 0))}),
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
    monkeypatch.setattr(module, "_unit_rows", None)
    assert wv.unit_vectors is first
