"""Words as keys: strings or integers, and invalid words."""

from __future__ import annotations

import pickle
import time
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.vectors.keys import UnknownWordError
from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.common import MATRIX


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


def test_unknown_words_are_told_with_near_spellings() -> None:
    wv = WordVectors(["king", "queen", "Paris", "kings", "NATO"], np.eye(5))
    for query in (lambda: wv["kimg"], lambda: wv[["king", "kimg"]], lambda: wv.analogy("king", "queen", "kimg")):
        with pytest.raises(UnknownWordError) as caught:
            query()
        assert str(caught.value) == "'kimg' is not in the vocabulary of 5 words. Similar spellings: 'king', 'kings'."
        assert isinstance(caught.value, KeyError)
    for wrong, right in [("paris", "Paris"), ("nato", "NATO"), ("KING", "king")]:
        with pytest.raises(KeyError, match=f"Similar spellings: '{right}'"):
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
        assert time.perf_counter() - start < 5  # seconds; without bounds it takes a minute


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
        assert found == [(other, pytest.approx(score, abs=1e-6))]  # a matrix product rounds differently
    for missing in (1, 2, -1):
        assert missing not in wv
        with pytest.raises(UnknownWordError, match=f"{missing} is not in the vocabulary"):
            wv[missing]
    for other in ("5", True, 5.0, None, np.bool_(1)):
        assert other not in wv
        with pytest.raises(TypeError, match="words are integers"):
            wv.get_vector(other)
