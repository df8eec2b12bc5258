"""Producers of errors in the section "Word vectors and queries"."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest

from fastw2v import WordVectors, formats
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.vectors import HNSWIndex, ScaledRows, hnsw
from tests.errors.common import Producer, model, vectors, write

MATRIX = np.ones((2, 3), np.float32)


def of(*words: Any, value: float = 1.0) -> WordVectors:
    return WordVectors(list(words), np.full((len(words), 3), value, np.float32))


def with_subwords(vectors: Any = None, rows: int = 8, buckets: list[int] | None = None) -> WordVectors:
    """Return vectors of "cat" and "dog", which have three n-grams of three characters each."""
    words, ngrams = ["cat", "dog"], NGrams(3, 3, 1000)
    subwords = Subwords(words, ngrams)
    if buckets is not None:
        subwords = Subwords.with_buckets(words, 2, ngrams, np.array(buckets, np.int32))
    table = np.ones((rows, 3), np.float32) if vectors is None else None
    return WordVectors(["cat", "dog"], vectors, input_vectors=table, subwords=subwords)


def write_with_subwords(rows: int, words: list[str]) -> None:
    subwords = Subwords(["cat", "dog"], NGrams(3, 3, 1000))
    table = np.ones((rows, 3), np.float32)
    formats.write(
        formats.VectorRecord(words, np.ones((len(words), 3)), input_vectors=table, subwords=subwords), "a.txt"
    )


def write_record() -> None:
    formats.write(formats.VectorRecord(["cat", "dog"], MATRIX, context_vectors=MATRIX[:1]), "a.bin")


def assign(matrix: np.ndarray, **matrices: np.ndarray) -> None:
    vectors(**matrices).vectors = matrix


class Graph:
    """A graph that finds nothing, in place of those of usearch and faiss."""

    graph = np.zeros(3, np.uint8)

    @classmethod
    def built(cls, *_: Any) -> Self:
        return cls()

    from_bytes = built

    def to_bytes(self) -> np.ndarray:
        return self.graph


def index(monkeypatch: pytest.MonkeyPatch, of: WordVectors | None = None) -> HNSWIndex:
    monkeypatch.setattr(hnsw, "_graph_kind", lambda _: Graph)
    return (of or vectors()).index()


def changed_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    built = index(monkeypatch)
    built.vectors.vectors = built.vectors.vectors * 2
    built.most_similar("cat")


def load_index(monkeypatch: pytest.MonkeyPatch, other: WordVectors | None = None, damage: bool = False) -> None:
    index(monkeypatch).save("a.index")
    if damage:
        monkeypatch.setattr(hnsw, "_digest", lambda *_: "")
    HNSWIndex.load("a.index", other or vectors())


def unreadable_by_usearch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Index:
        restore = staticmethod(lambda _: None)

    monkeypatch.setattr(hnsw.importlib, "import_module", lambda _: type("module", (), {"Index": Index}))
    hnsw._UsearchGraph.from_bytes(np.zeros(3, np.uint8))


def without_usearch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(hnsw.importlib, "import_module", fail)
    vectors().index()


PRODUCERS: dict[str, list[Producer]] = {
    "… is not in the vocabulary of ….": [
        lambda: vectors()["dog"],
        lambda: vectors()["Cat"],
    ],
    "… is …, which is not a word: words are …. For row …, use .vectors[…]": [
        lambda: vectors()[0],
    ],
    "… is …, which is not a word: words are …": [
        lambda: of(1, 2)["cat"],
        lambda: vectors().most_similar([3.0]),
    ],
    "…: a vector has shape …; it must be (…,)": [
        lambda: vectors().most_similar(np.ones(4)),
    ],
    "most_similar: positive and negative are both empty; give at least one word or vector": [
        lambda: vectors().most_similar([]),
    ],
    "most_similar_cosmul: positive is empty; give at least one word or vector": [
        lambda: vectors().most_similar_cosmul(negative="cat"),
    ],
    "most_similar_cosmul: a term has a weight; only most_similar supports weights": [
        lambda: vectors().most_similar_cosmul([("cat", 0.5)]),
    ],
    "… has no direction: its terms add up to zero, or they contain NaN or infinity": [
        lambda: vectors().most_similar("cat", negative="cat"),
        lambda: vectors().nearest(np.zeros((2, 3))),
    ],
    "… has no direction: no word of the vocabulary has an n-gram of …. Ask for another word, or train on text that contains it": [
        lambda: with_subwords().most_similar("zzz"),
        lambda: with_subwords().nearest(["cat", "zzz"]),
    ],
    "queries is …; give a list of words or vectors": [
        lambda: vectors().nearest("cat"),
    ],
    "queries has shape …; it must be (n, …)": [
        lambda: vectors().nearest(np.ones((2, 4))),
    ],
    "… is …; none of these words is in the vocabulary": [
        lambda: vectors().n_similarity(["dog"], ["cat"]),
        lambda: vectors().rank_by_centrality(["dog"]),
    ],
    "get_mean_vector: keys is empty; give at least one word or vector": [
        lambda: vectors().get_mean_vector([]),
    ],
    "get_mean_vector: keys has length …, but weights has length …; give one weight for each key": [
        lambda: vectors().get_mean_vector(["cat"], [1, 2]),
    ],
    "texts is …; give a list of texts, each a string or a list of words": [
        lambda: vectors().sentence_vectors("the cat"),
    ],
    "texts[…] is …; a text must be a string or a list of words": [
        lambda: vectors().sentence_vectors([3]),
    ],
    "texts[…] contains …; the words of these vectors are …": [
        lambda: vectors().sentence_vectors([[3]]),
    ],
    "method is 'sif', but the vectors have no counts; use method='mean', or pass counts": [
        lambda: of("the", "cat").sentence_vectors(["the cat"], method="sif"),
    ],
    "method is 'sif', but the number of texts with a known word is …; the direction that all texts share needs at least two. Pass all texts at once, or use method='mean'": [
        lambda: vectors().sentence_vectors(["the cat"], method="sif"),
    ],
    "the sum of the word vectors of texts[…] is too large for …; divide all vectors by a constant first, which keeps their directions": [
        lambda: WordVectors(["cat"], np.full((1, 2), 3e38, np.float32)).sentence_vectors(["cat cat"]),
    ],
    "there are no words; at least one is needed": [
        lambda: WordVectors([], MATRIX),
    ],
    "vectors has …, but words has …; each word must have one row": [
        lambda: WordVectors(["cat"], MATRIX),
    ],
    "words contains … of type …; words must be all strings or all integers": [
        lambda: WordVectors(["cat", None], MATRIX),
    ],
    "the word … occurs twice, in rows … and …; words must be distinct": [
        lambda: WordVectors(["cat", "cat"], MATRIX),
    ],
    "vectors has shape …, so there are …; give at least one": [
        lambda: WordVectors([], np.ones((0, 3))),
        lambda: WordVectors(["cat"], np.ones((1, 0))),
    ],
    "… is of type …; it must be an array": [
        lambda: WordVectors(["cat"], [[1.0]]),
    ],
    "… is of type …; it must be float16, float32 or float64": [
        lambda: WordVectors(["cat", "dog"], MATRIX.astype(int)),
    ],
    "… has values of type … and scales of type …; both must be arrays": [
        lambda: WordVectors(["cat"], ScaledRows([[1]], [1.0])),
    ],
    "dtype is …, which the array library of the vectors does not have; use NumPy": [
        lambda: WordVectors(["cat"], pytest.importorskip("array_api_strict").ones((1, 2))).astype("float16"),
    ],
    "… has values of type … and scales of type …; the values must be int8, and the scales float32 of the same array library": [
        lambda: WordVectors(["cat"], ScaledRows(np.ones((1, 2), np.int16), np.ones(1, np.float32))),
    ],
    "… has values of shape … and scales of shape …; there must be a row of values and a scale for each word": [
        lambda: WordVectors(["cat"], ScaledRows(np.ones((1, 2), np.int8), np.ones(2, np.float32))),
    ],
    "…: the scale of row … is …; it must be a finite number of at least 0": [
        lambda: WordVectors(["cat"], ScaledRows(np.ones((1, 2), np.int8), np.full(1, np.nan, np.float32))),
    ],
    "dtype is …; it must be one of 'float16', 'float32', 'float64', 'int8'": [
        lambda: WordVectors(["cat", "dog"], MATRIX).astype("int4"),
    ],
    "… contains …, which … cannot store; remove the word, or keep the type": [
        lambda: WordVectors(["cat"], np.full((1, 2), np.nan)).astype("int8"),
        lambda: WordVectors(["cat"], np.full((1, 2), 1e6)).astype("float16"),
    ],
    "… has …; it must have 2, with one row for each word": [
        lambda: WordVectors(["cat"], MATRIX[0]),
    ],
    "counts is of type …; it must be of an integer type": [
        lambda: WordVectors(["cat", "dog"], MATRIX, counts=[0.5, 0.5]),
    ],
    "counts has shape …; it must have shape (…,), one count for each word": [
        lambda: WordVectors(["cat", "dog"], MATRIX, counts=[3]),
    ],
    "counts contains …; counts must not be negative": [
        lambda: WordVectors(["cat", "dog"], MATRIX, counts=[3, -1]),
    ],
    "subwords are given without input_vectors; pass the matrix whose rows they describe": [
        lambda: with_subwords(MATRIX),
    ],
    "input_vectors has shape …; with these subwords, it must have … rows and at least one column": [
        lambda: with_subwords(rows=7),
    ],
    "the word … has an n-gram in bucket …, which has no row; pass the buckets of all words, or write the file again": [
        lambda: with_subwords(buckets=[1, 2, 3, 4, 5, 6]).vectors,
    ],
    "the buckets of n-grams must be distinct numbers from 0 to …; pass those of the same model, or write the file again": [
        lambda: with_subwords(buckets=[1, 2, 3, 4, 5, 1000]).vectors,
        lambda: with_subwords(buckets=[1, 2, 3, 4, 5, 5]).vectors,
    ],
    "… has shape …; with these subwords, it must have shape …": [
        lambda: write_with_subwords(7, ["cat", "dog"]),
    ],
    "…: the subwords are those of …, or there are no input_vectors; pass the subwords and the matrix of the same model": [
        lambda: write_with_subwords(8, ["cat"]),
    ],
    "the word … is not valid Unicode, so it has no n-grams: …. Omit subwords, or replace the character first, for example with word.encode(errors='replace').decode()": [
        lambda: model(subwords=(3, 6)).fit([["\ud800", "a", "b"]] * 5),
    ],
    "the word … is not a string, so it has no n-grams; omit subwords, or use strings": [
        lambda: Subwords([3, 5], NGrams(3, 6, 1000)),  # type: ignore[list-item]
    ],
    "… has shape …; it must have the same shape as vectors, …": [
        lambda: vectors(context_vectors=MATRIX),
        write_record,
    ],
    "vectors has shape …; it must have … rows, one for each word. For other words, make a new object with WordVectors(words, vectors)": [
        lambda: assign(MATRIX),
    ],
    "vectors has shape …; it must have the same shape as …, …. To drop those, first set … to None": [
        lambda: assign(np.ones((4, 2)), context_vectors=np.ones((4, 3), np.float32)),
    ],
    "the result has no words; WordVectors must have at least one word": [
        lambda: vectors() - ["the", "cat", "sat", "down"],
    ],
    "… of … words is empty; WordVectors must have at least one word": [
        lambda: vectors()[9:],
    ],
    "these vectors have … dimensions, but other has …; both must have the same number": [
        lambda: vectors() | vectors(4),
        lambda: vectors().align(vectors(4)),
    ],
    "align: the two vocabularies have no word in common; check their language and case": [
        lambda: vectors().align(of("dog")),
    ],
    "align: words is empty; omit it to use all common words": [
        lambda: vectors().align(vectors(), []),
    ],
    "align: only … matched words have a direction in both vocabularies, which leaves part of the rotation of … dimensions undetermined. At least … such words are needed; match more words, or use vectors with fewer dimensions": [
        lambda: vectors().align(vectors(), ["cat"]),
    ],
    "backend is …; it must be 'usearch' or 'faiss'": [
        lambda: vectors().index(backend="annoy"),
    ],
    "the package … cannot be imported (…). Install it with pip install …, or use the exact WordVectors.most_similar and WordVectors.nearest, which need no extra package": [
        without_usearch,
    ],
    "the vectors have changed since the index was built, for example by training; rebuild the index with WordVectors.index": [
        changed_vectors,
    ],
    "recall needs at least two words with a direction, that is, a finite and non-zero vector": [
        lambda monkeypatch: index(monkeypatch, of("cat")).recall(),
    ],
    "…: the file is truncated, damaged, or not an index (…); rebuild it with WordVectors.index": [
        lambda: HNSWIndex.load(write("a.index", b"the cat sat on the mat"), vectors()),
    ],
    "…: the file is not an index; to read word vectors, use WordVectors.load": [
        lambda: (vectors().save("a.safetensors"), HNSWIndex.load("a.safetensors", vectors())),
    ],
    "…: the index is damaged; rebuild it with WordVectors.index": [
        lambda monkeypatch: load_index(monkeypatch, damage=True),
    ],
    "…: the index was built from different vectors; rebuild it with WordVectors.index": [
        lambda monkeypatch: load_index(monkeypatch, vectors(4)),
    ],
    "this version of usearch cannot read the index; rebuild it with WordVectors.index": [
        unreadable_by_usearch,
    ],
}
