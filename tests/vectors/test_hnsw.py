"""Approximate search, compared with exact search."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.vectors import hnsw
from fastw2v.vectors.hnsw import HNSWIndex
from fastw2v.vectors.keys import UnknownWordError
from fastw2v.vectors.word_vectors import WordVectors

WORDS = [f"w{i}" for i in range(800)]
MATRIX = np.random.default_rng(5).normal(size=(800, 12)).astype(np.float32)
MATRIX[17] = 0


@pytest.fixture(params=["usearch", "faiss"])
def backend(request: Any) -> str:
    with warnings.catch_warnings():  # warnings of the packages themselves
        warnings.simplefilter("ignore")
        pytest.importorskip(request.param)
    return str(request.param)


@pytest.fixture
def wv(xp: Any) -> WordVectors:
    return WordVectors(WORDS, xp.asarray(MATRIX))


def assert_same(ours: list[tuple[Any, float]], exact: list[tuple[Any, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in exact]
    assert [cosine for _, cosine in ours] == pytest.approx([cosine for _, cosine in exact], abs=1e-5)


def test_looking_at_all_words_finds_what_the_exact_search_finds(wv: WordVectors, backend: str) -> None:
    """With `ef_search` as large as the vocabulary, no neighbour is missed."""
    index = wv.index(backend, ef_search=800)
    vector = to_host(wv["w3"]) * 2 + 1
    for positive, negative in [("w3", ()), (["w1", "w2"], "w4"), ([("w1", 2.0), vector], ["w5"]), (vector, ())]:
        for topn in (1, 10, 50):
            assert_same(index.most_similar(positive, negative, topn), wv.most_similar(positive, negative, topn=topn))
    queries = ["w9", vector, "w9", "w700"]
    for ours, exact in zip(index.nearest(queries, 7), wv.nearest(queries, 7), strict=True):
        assert_same(ours, exact)
    assert [found[0][0] for found in index.nearest(to_host(wv[["w3", "w5"]]), 1)] == ["w3", "w5"]
    assert index.nearest([]) == []
    assert index.most_similar("w3", topn=0) == []
    assert len(index.most_similar("w3", topn=5000)) == 799
    assert index.recall() == 1
    assert repr(index).startswith("HNSWIndex(WordVectors(800 words")


def test_recall_is_the_share_that_is_found(backend: str) -> None:
    """A narrow search of random vectors misses some neighbours. The recall is the share found, counted by hand."""
    matrix = np.random.default_rng(0).normal(size=(3000, 40)).astype(np.float32)
    wv = WordVectors(list(range(3000)), matrix)
    index = wv.index(backend, M=4, ef_construction=8, ef_search=8)
    recall = index.recall(topn=5, sample=200, seed=3)
    asked = np.random.default_rng(3).choice(3000, size=200, replace=False).tolist()
    unit = wv.unit_vectors.astype(np.float64)
    cosines = unit[asked] @ unit.T
    cosines[np.arange(200), asked] = -2
    exact = np.argsort(-cosines, axis=1)[:, :5]
    found = [{word for word, _ in near} for near in index.nearest(asked, 5)]
    share = np.mean([len(near & set(rows)) / 5 for near, rows in zip(found, exact.tolist(), strict=True)])
    assert recall == pytest.approx(share)
    assert 0.1 < recall < 0.95
    index.ef_search = 3000
    assert index.recall(topn=5, sample=200, seed=3) > recall + 0.04


def test_saved_and_loaded_it_is_the_same(wv: WordVectors, backend: str, tmp_path: Path) -> None:
    index = wv.index(backend, ef_search=40)
    index.save(tmp_path / "graph.index")
    again = HNSWIndex.load(tmp_path / "graph.index", wv)
    assert (again.backend, again.ef_search) == (backend, 40)
    assert again.nearest(WORDS[:17]) == index.nearest(WORDS[:17])
    assert [path.name for path in tmp_path.iterdir()] == ["graph.index"]


def test_files_that_do_not_fit_are_refused(backend: str, tmp_path: Path) -> None:
    wv = WordVectors(WORDS, MATRIX)
    path = tmp_path / "graph.index"
    wv.index(backend).save(path)
    whole = path.read_bytes()
    other = MATRIX.copy()
    other[700, 3] += 1e-6
    with pytest.raises(ValueError, match="built from different vectors"):
        HNSWIndex.load(path, WordVectors(WORDS, other))
    for place in np.random.default_rng(0).integers(0, len(whole), 60).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"graph\.index: the (index is damaged|file is|index was built)"):
            HNSWIndex.load(path, wv)
    for size in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="truncated"):
            HNSWIndex.load(path, wv)
    wv.save(tmp_path / "vectors.safetensors")
    with pytest.raises(ValueError, match="not an index"):
        HNSWIndex.load(tmp_path / "vectors.safetensors", wv)
    with pytest.raises(FileNotFoundError):
        HNSWIndex.load(tmp_path / "none.index", wv)


def test_malformed_questions(backend: str) -> None:
    wv = WordVectors(WORDS, MATRIX)
    index = wv.index(backend)
    with pytest.raises(UnknownWordError):
        index.most_similar("nothing")
    with pytest.raises(ValueError, match="no direction"):
        index.most_similar("w17")
    with pytest.raises(ValueError, match="positive and negative are both empty"):
        index.most_similar()
    with pytest.raises(ValueError, match="topn is -1"):
        index.most_similar("w1", topn=-1)
    with pytest.raises(TypeError, match="give a list"):
        index.nearest("w1")
    with pytest.raises(ValueError, match="at least 1"):
        index.recall(sample=0)
    with pytest.raises(ValueError, match="two words with a direction"):
        WordVectors(["a", "b"], np.eye(2, dtype=np.float32) * [[1], [0]]).index(backend).recall()


def test_malformed_indexes() -> None:
    wv = WordVectors(WORDS, MATRIX)
    with pytest.raises(ValueError, match="must be 'usearch' or 'faiss'"):
        wv.index("annoy")  # type: ignore[arg-type]
    for name, least in (("M", 2), ("ef_construction", 1), ("ef_search", 1)):
        with pytest.raises(ValueError, match=f"{name} is {least - 1}; it must be at least {least}"):
            wv.index(**{name: least - 1})  # type: ignore[arg-type]
        for value in (2.5, "16", None, True):
            with pytest.raises(TypeError, match=f"{name} is {value!r} of type .*; it must be a whole number"):
                wv.index(**{name: value})  # type: ignore[arg-type]


def test_an_index_does_not_outlive_its_vectors(backend: str, tmp_path: Path) -> None:
    matrix = MATRIX.copy()
    wv = WordVectors(WORDS, matrix)
    index = wv.index(backend)
    index.save(tmp_path / "words.index")
    loaded = HNSWIndex.load(tmp_path / "words.index", wv)
    assert loaded.most_similar("w1") == index.most_similar("w1")
    index.ef_search = 2.5  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"ef_search is 2\.5"):
        index.most_similar("w1")
    index.ef_search = 64
    wv.vectors = matrix[::-1]
    for old in (index, loaded):
        for use in (lambda old: old.most_similar("w1"), lambda old: old.nearest(["w1"]), lambda old: old.recall()):
            with pytest.raises(RuntimeError, match="vectors have changed since the index was built"):
                use(old)
        with pytest.raises(RuntimeError, match="vectors have changed"):
            old.save(tmp_path / "new.index")
    assert not (tmp_path / "new.index").exists()
    assert_same(wv.index(backend, ef_search=800).most_similar("w1"), wv.most_similar("w1"))


@pytest.mark.parametrize("backend", ["usearch", "faiss"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, backend: Any) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(hnsw.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=rf"pip install 'fastw2v\[{backend}\]'"):
        WordVectors(WORDS, MATRIX).index(backend)
