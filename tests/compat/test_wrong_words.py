"""Errors name the parameter as the caller knows it: by the names of `WordVectors`, or by those of gensim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.compat.gensim import KeyedVectors
from fastw2v.evaluate import analogies, neighbour_stability, read_analogies, read_pairs, word_pairs
from fastw2v.vectors.word_vectors import WordVectors

WORDS = {
    WordVectors: [
        ("get_vector", {"word": "cat"}),
        ("get_index", {"word": "cat"}),
        ("similarity", {"a": "cat", "b": "dog"}),
        ("distance", {"a": "cat", "b": "dog"}),
        ("analogy", {"a": "cat", "b": "dog", "c": "car"}),
        ("closer_than", {"word": "cat", "other": "dog"}),
        ("rank", {"word": "cat", "other": "dog"}),
        ("distances", {"word_or_vector": "cat"}),
        ("most_similar", {"positive": "cat", "negative": "dog"}),
        ("most_similar_cosmul", {"positive": "cat", "negative": "dog"}),
    ],
    KeyedVectors: [
        ("get_vector", {"key": "cat"}),
        ("get_index", {"key": "cat"}),
        ("get_vecattr", {"key": "cat", "attr": "count"}),
        ("similarity", {"w1": "cat", "w2": "dog"}),
        ("distance", {"w1": "cat", "w2": "dog"}),
        ("closer_than", {"key1": "cat", "key2": "dog"}),
        ("words_closer_than", {"word1": "cat", "word2": "dog"}),
        ("rank", {"key1": "cat", "key2": "dog"}),
        ("similar_by_key", {"key": "cat"}),
        ("similar_by_word", {"word": "cat"}),
        ("similar_by_vector", {"vector": np.ones(2)}),
        ("most_similar_to_given", {"key1": "cat", "keys_list": ["dog"]}),
        ("relative_cosine_similarity", {"wa": "cat", "wb": "dog", "topn": 1}),
        ("most_similar", {"positive": "cat", "negative": "dog"}),
    ],
}
LISTS = {
    WordVectors: [
        ("n_similarity", {"words": ["cat"], "others": ["dog"]}),
        ("doesnt_match", {"words": ["cat"]}),
        ("get_mean_vector", {"keys": ["cat"], "weights": [1.0]}),
        ("vectors_for_all", {"keys": ["cat"]}),
        ("sentence_vectors", {"texts": ["cat"]}),
        ("nearest", {"queries": ["cat"]}),
    ],
    KeyedVectors: [
        ("n_similarity", {"ws1": ["cat"], "ws2": ["dog"]}),
        ("most_similar_to_given", {"key1": "cat", "keys_list": ["dog"]}),
    ],
}


class Wrong:
    def __repr__(self) -> str:
        return "<wrong>"


def vectors(kind: Any = WordVectors) -> Any:
    return kind(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]), counts=[5, 4, 1])


@pytest.mark.parametrize("kind", [WordVectors, KeyedVectors])
def test_a_word_of_a_wrong_type_is_named(kind: Any) -> None:
    wv = vectors(kind)
    for name, valid in WORDS[kind]:
        getattr(wv, name)(**valid)
        for parameter in valid:
            with pytest.raises(TypeError, match=rf"^{parameter} is <wrong>"):
                getattr(wv, name)(**valid | {parameter: Wrong()})


@pytest.mark.parametrize("kind", [WordVectors, KeyedVectors])
def test_a_list_of_a_wrong_type_is_named(kind: Any) -> None:
    wv = vectors(kind)
    for name, valid in LISTS[kind]:
        getattr(wv, name)(**valid)
        for parameter in set(valid) - {"key1"}:  # a single word
            for wrong in (Wrong(), 3, "x" * 100_000):
                with pytest.raises(TypeError, match=rf"^{parameter} is ") as caught:
                    getattr(wv, name)(**valid | {parameter: wrong})
                assert len(str(caught.value)) < 200


def test_an_item_of_a_wrong_type_is_named() -> None:
    kv = vectors(KeyedVectors)
    for name, call in [
        ("words", lambda: kv[["cat", Wrong()]]),
        ("keys", lambda: kv.get_mean_vector(["cat", Wrong()])),
        ("weights", lambda: kv.get_mean_vector(["cat"], ["1"])),
        ("queries", lambda: kv.nearest([Wrong()])),
        ("queries", lambda: kv.nearest([np.ones(2), Wrong()])),
        ("other_words", lambda: kv.distances("cat", [Wrong()])),
        ("keys_list", lambda: kv.most_similar_to_given("cat", [Wrong()])),
        ("words", lambda: kv.align(kv, ["cat", Wrong()])),
        ("positive", lambda: kv.most_similar(["cat", (Wrong(), 2.0)])),
        ("negative", lambda: kv.most_similar("cat", [Wrong()])),
    ]:
        with pytest.raises(TypeError, match=rf"^{name} is (<wrong>|'1')"):
            call()


def test_paths_and_sizes_are_named(tmp_path: Path) -> None:
    kv = vectors(KeyedVectors)
    for error, name, call in [
        (TypeError, "path", lambda: vectors().save(7)),
        (TypeError, "path", lambda: WordVectors.load(None)),
        (TypeError, "limit", lambda: WordVectors.load("v.bin", limit="7")),
        (ValueError, "limit", lambda: WordVectors.load("v.bin", limit=0)),
        (TypeError, "fname_or_handle", lambda: kv.save(7)),
        (TypeError, "fname", lambda: KeyedVectors.load(7)),
        (TypeError, "fname", lambda: kv.save_word2vec_format(7)),
        (TypeError, "fvocab", lambda: kv.save_word2vec_format(tmp_path / "a", fvocab=7)),
        (TypeError, "prefix", lambda: kv.save_word2vec_format(tmp_path / "a", prefix=7)),
        (TypeError, "fname", lambda: KeyedVectors.load_word2vec_format(7)),
        (TypeError, "datatype", lambda: KeyedVectors.load_word2vec_format("a", datatype="float33")),
        (TypeError, "encoding", lambda: KeyedVectors.load_word2vec_format("a", encoding=7)),
        (TypeError, "topn", lambda: kv.relative_cosine_similarity("cat", "dog", topn="7")),
        (TypeError, "default", lambda: kv.get_index("cow", default="7")),
        (TypeError, "attr", lambda: kv.get_vecattr("cat", 7)),
        (ValueError, "vector_1", lambda: kv.cosine_similarities("cat", kv.vectors)),
        (TypeError, "vectors_all", lambda: kv.cosine_similarities(kv["cat"], [1.0, 2.0])),
        (TypeError, "analogies", lambda: kv.evaluate_word_analogies(7)),
        (TypeError, "pairs", lambda: kv.evaluate_word_pairs(7)),
        (TypeError, "other", lambda: kv.align("cat")),
        (TypeError, "vectors", lambda: analogies("v.bin", {})),
        (TypeError, "questions", lambda: analogies(vectors(), "q.txt")),
        (TypeError, "vectors", lambda: word_pairs("v.bin", [])),
        (TypeError, "pairs", lambda: word_pairs(vectors(), "p.tsv")),
        (TypeError, "models", lambda: neighbour_stability(vectors())),
        (TypeError, "models", lambda: neighbour_stability(["a.bin", "b.bin"])),
        (TypeError, "path", lambda: read_analogies(7)),
        (TypeError, "path", lambda: read_pairs(7)),
        (TypeError, "delimiter", lambda: read_pairs("p.tsv", 7)),
    ]:
        with pytest.raises(error, match=rf"^{name} is "):
            call()
    assert not list(tmp_path.iterdir())
