"""Word vectors cannot be changed by accident, and their caches follow the changes that are intended."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec
from fastw2v.backend import is_numpy, to_host
from fastw2v.compat import gensim
from fastw2v.compat.gensim import KeyedVectors
from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.common import MATRIX, WORDS, cosine

RETURNED: dict[str, Callable[[Any], Any]] = {
    "kv[word]": lambda kv: kv["w4"],
    "kv[list]": lambda kv: kv[["w4", "w5"]],
    "kv[slice]": lambda kv: kv[3:6].vectors,
    "kv[step]": lambda kv: kv[::2].vectors,
    "kv[slice].context_vectors": lambda kv: kv[3:6].context_vectors,
    "kv[slice].unit_vectors": lambda kv: kv[3:6].unit_vectors,
    "get_vector": lambda kv: kv.get_vector("w4"),
    "get_vector(norm)": lambda kv: kv.get_vector("w4", norm=True),
    "get_mean_vector": lambda kv: kv.get_mean_vector(["w4"]),
    "get_mean_vector(raw)": lambda kv: kv.get_mean_vector(["w4"], pre_normalize=False),
    "get_mean_vector(vector)": lambda kv: kv.get_mean_vector([kv["w4"]]),
    "vectors_for_all": lambda kv: kv.vectors_for_all(WORDS).vectors,
    "&": lambda kv: (kv & WORDS).vectors,
    "-": lambda kv: (kv - WORDS[:2]).vectors,
    "|": lambda kv: (kv | KeyedVectors(["new"], kv.vectors[:1, :])).vectors,
    "align": lambda kv: kv.align(kv).vectors,
    "distances": lambda kv: kv.distances("w4"),
    "most_similar(topn=None)": lambda kv: kv.most_similar("w4", topn=None),
    "most_similar_cosmul(topn=None)": lambda kv: kv.most_similar_cosmul("w4", topn=None),
    "nearest_neighbours": lambda kv: kv.nearest_neighbours()[1],
    "cosine_similarities": lambda kv: kv.cosine_similarities(kv["w4"], kv.vectors),
}
"""Everything that returns an array that could share memory with the vectors."""
WHOLE: dict[str, Callable[[Any], Any]] = {
    "vectors": lambda kv: kv.vectors,
    "context_vectors": lambda kv: kv.context_vectors,
    "unit_vectors": lambda kv: kv.unit_vectors,
    "get_normed_vectors": lambda kv: kv.get_normed_vectors(),
    "counts": lambda kv: kv.counts,
}
"""The whole arrays, which are never copied."""


def state(kv: KeyedVectors) -> tuple[Any, ...]:
    """Return everything that a change could reach, and answers that depend on caches."""
    arrays = (kv.vectors, kv.context_vectors, kv.unit_vectors)
    answers = kv.most_similar("w4"), kv.similarity("w4", "w5"), kv.nearest(["w4", "w5"])
    return [to_host(array).tolist() for array in arrays], kv.counts.tolist(), answers


@pytest.fixture
def kv(xp: Any) -> KeyedVectors:
    vectors, context = xp.asarray(MATRIX, copy=True), xp.asarray(MATRIX + 1, copy=True)
    return KeyedVectors(WORDS, vectors, counts=range(60, 30, -1), context_vectors=context)


@pytest.mark.parametrize("name", RETURNED)
def test_what_is_returned_cannot_change_the_model(kv: KeyedVectors, name: str) -> None:
    before = state(kv)
    array = RETURNED[name](kv)
    try:
        array[...] = 0
    except ValueError as error:
        assert "read-only" in str(error)  # noqa: PT017 # a copy raises nothing
        assert is_numpy(array)
    assert state(kv) == before


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_arrays_are_read_only(name: str) -> None:
    kv = KeyedVectors(WORDS, MATRIX.copy(), range(60, 30, -1), MATRIX + 1)
    before = state(kv)
    array = WHOLE[name](kv)
    for change in (
        lambda: array.__setitem__(0, 0),
        lambda: array.__setitem__(..., 0),
        lambda: array.__iadd__(1),
        lambda: np.add(array, 1, out=array),
        lambda: array.sort(axis=0),
    ):
        with pytest.raises(ValueError, match="read-only"):
            change()
    with pytest.raises(ValueError, match="read-only"):
        kv.vectors[3] = 0
    with pytest.raises(ValueError, match="read-only"):
        kv.vectors *= 2
    assert state(kv) == before


def test_the_vector_of_a_word_is_no_copy_of_the_table() -> None:
    matrix = np.ones((20_000, 50), np.float32)
    wv = WordVectors(list(range(len(matrix))), matrix, context_vectors=matrix)
    assert np.shares_memory(wv.vectors, matrix)
    assert np.shares_memory(wv[7], matrix)
    assert np.shares_memory(wv.get_vector(7, norm=True), wv.unit_vectors)
    tracemalloc.start()
    for _ in range(3):
        wv.vectors, wv.context_vectors, wv.unit_vectors, wv[7], wv[5:9]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < matrix.nbytes / 10


def test_the_array_of_the_caller_stays_writable() -> None:
    matrix = MATRIX.copy()
    wv = WordVectors(WORDS, matrix)
    before = wv.unit_vectors
    matrix[3] = matrix[4]
    assert wv.unit_vectors is before
    wv.forget_unit_vectors()
    assert wv.unit_vectors[3].tolist() == before[4].tolist()
    assert wv.similarity("w3", "w4") == pytest.approx(1)


def test_caches_follow_a_matrix_that_is_assigned(xp: Any) -> None:
    wv = WordVectors(WORDS, xp.asarray(MATRIX))
    wv.most_similar("w3")
    turned = MATRIX[::-1].astype(np.float64)
    wv.vectors = xp.asarray(turned)
    assert to_host(wv["w3"]).tolist() == turned[3].tolist()
    assert wv.similarity("w3", "w4") == pytest.approx(cosine(turned[3], turned[4]))
    assert wv.most_similar("w3") == WordVectors(WORDS, xp.asarray(turned)).most_similar("w3")
    wv.vectors = xp.asarray(MATRIX[:, :2])
    assert wv.vector_size == 2


@pytest.mark.parametrize(
    ("error", "message", "name", "value"),
    [
        (ValueError, r"shape \(3, 6\); it must have 30 rows.*make a new object", "vectors", MATRIX[:3]),
        (ValueError, r"shape \(30, 4\); it must have the same shape as context_vectors", "vectors", MATRIX[:, :4]),
        (ValueError, "has 1 dimension;", "vectors", MATRIX[0]),
        (TypeError, "of type int64", "vectors", np.ones((30, 6), np.int64)),
        (TypeError, "of type NoneType", "vectors", None),
        (ValueError, "same shape as vectors", "context_vectors", MATRIX[:3]),
        (TypeError, "of type list", "context_vectors", [[1.0]]),
    ],
)
def test_what_does_not_fit_is_not_assigned(error: type[Exception], message: str, name: str, value: Any) -> None:
    kv = KeyedVectors(WORDS, MATRIX, range(60, 30, -1), MATRIX + 1)
    before = state(kv)
    with pytest.raises(error, match=message):
        setattr(kv, name, value)
    assert state(kv) == before


def test_unit_vectors_replace_the_vectors_as_in_gensim() -> None:
    kv = KeyedVectors(WORDS, MATRIX.copy())
    similarity = kv.similarity("w1", "w2")
    kv.unit_normalize_all()
    np.testing.assert_allclose(np.linalg.norm(kv.vectors, axis=1), 1, rtol=1e-6)
    assert kv.similarity("w1", "w2") == similarity
    assert np.shares_memory(kv.vectors, kv.unit_vectors)
    kv.fill_norms(force=True)
    assert kv.similarity("w1", "w2") == pytest.approx(similarity)


def sentences() -> list[list[str]]:
    rng = np.random.default_rng(0)
    return [[f"w{i}" for i in rng.integers(0, 30, 12)] for _ in range(40)]


@pytest.mark.parametrize("engine", ["layers", "auto"])
def test_training_changes_the_model_and_nothing_that_was_taken_from_it(engine: Any) -> None:
    model = Word2Vec(vector_size=8, min_count=1, epochs=1, workers=1, engine=engine).fit(sentences())
    wv, first = model.wv, model.wv[:5]
    old, answers = wv.vectors.copy(), first.most_similar(first.index_to_key[0])
    wv.most_similar("w1")
    model.train(sentences())
    assert model.wv is wv
    assert not np.array_equal(wv.vectors, old)
    assert first.vectors.tolist() == old[:5].tolist()
    assert first.most_similar(first.index_to_key[0]) == answers
    assert wv.similarity("w1", "w2") == pytest.approx(cosine(wv["w1"], wv["w2"]), abs=1e-6)


def test_training_goes_on_from_assigned_vectors_without_changing_them() -> None:
    model = gensim.Word2Vec(vector_size=6, min_count=1, epochs=1, workers=1)
    model.build_vocab(sentences())
    other = WordVectors(WORDS, MATRIX.copy(), context_vectors=MATRIX.copy())
    model.wv.vectors, model.wv.context_vectors = other.vectors, other.context_vectors
    model.train(sentences())
    assert other.vectors.tolist() == other.context_vectors.tolist() == MATRIX.tolist()
    assert not np.array_equal(model.wv.vectors, MATRIX)
    model.wv.similarity("w1", "w2")
    model.wv.unit_normalize_all()
    model.train(sentences())
    assert model.wv.similarity("w1", "w2") == pytest.approx(cosine(model.wv["w1"], model.wv["w2"]), abs=1e-6)


def test_copies_and_pickles_have_the_vectors_and_no_cache(tmp_path: Path) -> None:
    wv = WordVectors(lambda: WORDS, MATRIX, range(60, 30, -1), MATRIX + 1, {"window": 3})
    wv.save(tmp_path / "v.safetensors")
    for one in (wv, WordVectors.load(tmp_path / "v.safetensors")):
        without = len(pickle.dumps(one))
        one.most_similar("w1")
        assert len(pickle.dumps(one)) == without
        for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one)):
            assert again.index_to_key == WORDS
            assert again.most_similar("w1") == wv.most_similar("w1")
            assert again.settings == wv.settings
            with pytest.raises(ValueError, match="read-only"):
                again["w1"][0] = 1
