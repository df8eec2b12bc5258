"""Vectors that are stored as float16 or int8."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec, WordVectors, evaluate
from fastw2v.backend import to_host
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.evaluate.readers import read_pairs
from fastw2v.utils.scaled_rows import ScaledRows
from fastw2v.vectors import neighbors

V, D = 3000, 24
WORDS = [f"w{i}" for i in range(V)]


def clustered(n_words: int = V) -> np.ndarray:
    """Return vectors in clusters, so that neighbours have high cosines, as those of words have."""
    rng = np.random.default_rng(3)
    return (rng.normal(size=(n_words // 10, 1, D)) + 0.5 * rng.normal(size=(n_words // 10, 10, D))).reshape(-1, D)


@pytest.fixture(scope="module")
def floats() -> WordVectors:
    """Vectors in float64 for which int8 is exact, so that every query must give the same result."""
    codes = np.rint(clustered() * 30)
    codes[np.arange(V), np.arange(V) % D] = 127  # the largest, so that the scale is that of the row
    codes = np.clip(codes, -127, 127)
    codes[5] = 0
    scales = 2.0 ** np.random.default_rng(4).integers(-8, 3, V)
    return WordVectors(WORDS, codes * scales[:, None], counts=np.arange(V, 0, -1))


@pytest.fixture(scope="module", params=["float16", "int8"])
def compact(request: pytest.FixtureRequest, floats: WordVectors) -> WordVectors:
    found = floats.astype(request.param)
    np.testing.assert_array_equal(found.vectors, floats.vectors)
    return found


def close(found: Any, expected: Any) -> bool:
    """Return whether lists of words and cosines agree."""
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([c for _, c in found], [c for _, c in expected], atol=2e-6)
    return True


def test_queries_equal_those_of_float64(compact: WordVectors, floats: WordVectors) -> None:
    assert compact.similarity("w1", "w2") == pytest.approx(floats.similarity("w1", "w2"), abs=1e-6)
    assert compact.similarity("w1", "w5") == 0
    for asked in (["w7"], ["w7", ("w9", 0.5)], [floats["w11"]]):
        assert close(compact.most_similar(asked), floats.most_similar(asked))
    assert close(compact.most_similar("w7", restrict_vocab=100), floats.most_similar("w7", restrict_vocab=100))
    assert close(compact.most_similar("w7", clip_start=1000), floats.most_similar("w7", clip_start=1000))
    assert close(compact.most_similar_cosmul("w7", "w9"), floats.most_similar_cosmul("w7", "w9"))
    assert close(compact.analogy("w7", "w8", "w9"), floats.analogy("w7", "w8", "w9"))
    for found, expected in zip(compact.nearest(WORDS[20:40], 5), floats.nearest(WORDS[20:40], 5), strict=True):
        assert close(found, expected)
    assert compact.closer_than("w1", "w2") == floats.closer_than("w1", "w2")
    odd = ["w10", "w11", "w12", "w99"]
    assert compact.doesnt_match(odd) == floats.doesnt_match(odd)
    np.testing.assert_allclose(compact.distances("w1"), floats.distances("w1"), atol=1e-6)
    np.testing.assert_allclose(compact.distances("w1", ["w5", "w6"]), floats.distances("w1", ["w5", "w6"]), atol=1e-6)
    np.testing.assert_allclose(compact.most_similar("w7", topn=None), floats.most_similar("w7", topn=None), atol=1e-6)
    assert compact.n_similarity(["w1", "w2"], ["w3"]) == pytest.approx(floats.n_similarity(["w1", "w2"], ["w3"]))
    np.testing.assert_allclose(compact.get_mean_vector(["w1", "w2"]), floats.get_mean_vector(["w1", "w2"]), atol=1e-6)
    np.testing.assert_allclose(compact.unit_vectors, floats.unit_vectors, atol=1e-6)
    np.testing.assert_allclose(compact.sentence_vectors(["w1 w2", "w9"]), floats.sentence_vectors(["w1 w2", "w9"]))
    assert compact["w7"].dtype == (np.float16 if compact.stored.dtype == np.float16 else np.float32)
    np.testing.assert_array_equal(compact["w7"], floats["w7"])
    np.testing.assert_array_equal(compact[["w7", "w5"]], floats[["w7", "w5"]])
    with pytest.raises(ValueError, match="no direction"):
        compact.most_similar("w5")


def test_queries_do_not_unpack(compact: WordVectors, tmp_path: Path) -> None:
    """Neither the vectors nor the unit vectors become a matrix of floats, and a file stays mapped."""
    compact.save(tmp_path / "x.safetensors")
    wv = WordVectors.load(tmp_path / "x.safetensors")
    wv.most_similar("w7")
    wv.nearest(["w7", "w8"])
    wv.nearest_neighbours(3)
    wv.similarity("w1", "w2")
    wv.closer_than("w1", "w2")
    evaluate.word_pairs(wv, [("w1", "w2", 1.0), ("w3", "w4", 2.0), ("w1", "w4", 3.0)])
    evaluate.analogies(wv, {"all": [("w1", "w2", "w11", "w12")]})
    assert wv._unit_vectors is None
    assert wv._decoded is None
    values = wv.stored_unit.values
    while isinstance(values.base, np.ndarray):
        values = values.base
    assert type(values.base).__name__ == "mmap"


def test_the_prefilter_accepts_compact_rows(compact: WordVectors, floats: WordVectors, monkeypatch: Any) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_PRODUCTS", 1)
    monkeypatch.setattr("fastw2v.vectors.word_vectors._DECODED_QUERIES", 1100 * D)
    rows, cosines = compact.nearest_neighbours(4)
    monkeypatch.setattr(neighbors, "PREFILTER_MIN_PRODUCTS", 2**62)
    expected_rows, expected = floats.nearest_neighbours(4)
    np.testing.assert_allclose(cosines, expected, atol=2e-6)
    assert (rows == expected_rows).mean() > 0.99  # ties are decided by rounding


def test_evaluation_equals_that_of_the_decoded_vectors(compact: WordVectors) -> None:
    decoded = WordVectors(WORDS, np.asarray(compact.vectors, np.float64))
    pairs = [(f"w{i}", f"w{i + 1 + i % 7}", float(i % 5)) for i in range(0, 200, 2)]
    questions = {"all": [(f"w{i}", f"w{i + 1}", f"w{i + 10}", f"w{i + 11}") for i in range(0, 500, 10)]}
    found, expected = (evaluate.word_pairs(wv, pairs) for wv in (compact, decoded))
    assert found.spearman == pytest.approx(expected.spearman, abs=1e-6)
    for method in ("3cosadd", "3cosmul"):
        found, expected = (evaluate.analogies(wv, questions, method=method) for wv in (compact, decoded))
        assert found.overall == expected.overall


def test_int8_is_near_the_vectors() -> None:
    """The error of a number is at most half a scale."""
    matrix = clustered()
    wv = WordVectors(WORDS, matrix).astype("int8")
    scales = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert (np.abs(wv.vectors - matrix) <= 0.501 * scales).all()
    floats = WordVectors(WORDS, matrix)
    both = zip(wv.nearest(WORDS), floats.nearest(WORDS), strict=True)
    shared = [len({word for word, _ in a} & {word for word, _ in b}) for a, b in both]
    assert np.mean(shared) >= 9.5


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_files_keep_the_storage(tmp_path: Path, suffix: str, dtype: str) -> None:
    wv = WordVectors(WORDS, clustered().astype(np.float32), counts=np.arange(V, 0, -1), settings={"window": 5})
    small = wv.astype(dtype)
    path = tmp_path / f"x.{suffix}"
    small.save(path)
    wv.save(tmp_path / f"whole.{suffix}")
    found = WordVectors.load(path)
    assert found.stored.dtype == dtype
    assert type(found.stored) is type(small.stored)
    np.testing.assert_array_equal(found.vectors, small.vectors)
    assert found.index_to_key == WORDS
    assert found.counts.tolist() == wv.counts.tolist()
    assert found.settings == {"window": 5}
    rest = sum(map(len, WORDS)) + 8 * (V + 1) + 8 * V
    sizes = [(tmp_path / name).stat().st_size - rest for name in (path.name, f"whole.{suffix}")]
    assert sizes[0] < (0.55 if dtype == "float16" else 0.35) * sizes[1]


def test_other_formats_store_the_decoded_vectors(tmp_path: Path) -> None:
    wv = WordVectors(WORDS[:20], clustered(20).astype(np.float32)).astype("int8")
    for name in ("x.bin", "x.txt", "x.glove", "x.tsv"):
        wv.save(tmp_path / name)
        np.testing.assert_array_equal(WordVectors.load(tmp_path / name).vectors, wv.vectors)
    wv.save(tmp_path / "folder", format="static-embedding")
    np.testing.assert_array_equal(WordVectors.load(tmp_path / "folder").vectors, wv.vectors)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", np.float16, np.dtype("int8"), np.float32])
def test_astype_takes_names_and_dtypes(dtype: Any) -> None:
    assert WordVectors(["a", "b"], np.eye(2)).astype(dtype).stored.dtype == np.dtype(dtype)


def test_astype_of_other_libraries(xp: Any) -> None:
    matrix = clustered(100).astype(np.float32)
    wv, host = WordVectors(WORDS[:100], xp.asarray(matrix)), WordVectors(WORDS[:100], matrix)
    small, expected = wv.astype("int8"), host.astype("int8")
    np.testing.assert_array_equal(to_host(small.stored.values), expected.stored.values)
    assert close(small.most_similar("w7"), expected.most_similar("w7"))
    for found, one in zip(small.nearest(WORDS[:9]), expected.nearest(WORDS[:9]), strict=True):
        assert close(found, one)
    np.testing.assert_allclose(to_host(small.vectors), expected.vectors, rtol=1e-6)
    assert to_host(small["w3"]).tolist() == expected["w3"].tolist()
    assert small.doesnt_match(["w1", "w2", "w3", "w77"]) == "w77"
    assert str(small.astype("float64").vectors.dtype).endswith("float64")


def test_the_matrices_of_a_model() -> None:
    """float16 keeps all matrices; int8 keeps the vectors alone. A model trains on from either."""
    corpus = [["a", "b", "c", "d"]] * 30
    model = Word2Vec(vector_size=8, epochs=2, workers=1).fit(corpus)
    half, small = model.wv.astype("float16"), model.wv.astype("int8")
    for name in ("vectors", "context_vectors", "input_vectors"):
        np.testing.assert_array_equal(getattr(half, name), np.asarray(getattr(model.wv, name)).astype(np.float16))
    assert small.context_vectors is None
    assert small.input_vectors is small.vectors
    assert small.settings == model.wv.settings
    again = Word2Vec(vector_size=8, epochs=0 + 1, workers=1, alpha=1e-9, min_alpha=0).fit(corpus, init=small)
    np.testing.assert_allclose(again.W_in, small.vectors, atol=1e-6)


def test_subwords_stay(tmp_path: Path) -> None:
    """Words outside the vocabulary have vectors as well, computed from the stored rows."""
    words = ["sing", "ring", "thing", "singer"]
    subwords = Subwords(words, NGrams(3, 6, 1000))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 8)).astype(np.float32)
    wv = WordVectors(words, None, input_vectors=W_in, subwords=subwords)
    small = wv.astype("int8")
    small.save(tmp_path / "x.safetensors")
    for found in (small, WordVectors.load(tmp_path / "x.safetensors"), pickle.loads(pickle.dumps(small))):
        assert isinstance(found.stored_input, ScaledRows)
        decoded = WordVectors(words, None, input_vectors=found.stored_input.decoded(), subwords=subwords)
        for word in ("singing", "zzz", "string"):
            np.testing.assert_allclose(found[word], decoded[word], atol=1e-6)
        np.testing.assert_allclose(found["sing"], wv["sing"], atol=0.02)
        np.testing.assert_allclose(found[["sing", "singing"]], np.stack([found["sing"], found["singing"]]), atol=1e-6)
        some = found[:2]
        assert some.stored.dtype == np.int8
        np.testing.assert_allclose(some["singing"], found["singing"], atol=1e-6)
        more = found.vectors_for_all(["ring", "ringing"])
        np.testing.assert_allclose(more["ringing"], found["ringing"], atol=1e-6)


def test_selections_stay_compact(compact: WordVectors, floats: WordVectors) -> None:
    for select in (lambda wv: wv[:50], lambda wv: wv[3:99:2], lambda wv: wv & ["w3", "w9"], lambda wv: wv - ["w3"]):
        found, expected = select(compact), select(floats)
        assert type(found.stored) is type(compact.stored)
        assert found.stored.dtype == compact.stored.dtype
        assert found.index_to_key == expected.index_to_key
        np.testing.assert_array_equal(found.vectors, expected.vectors)
    joined = compact[:3] | WordVectors(["other"], np.ones((1, D), np.float32))
    np.testing.assert_array_equal(joined.vectors[:3], floats.vectors[:3])
    rotated = compact.align(floats, WORDS[:100])
    np.testing.assert_allclose(to_host(rotated.unit_vectors), floats.unit_vectors, atol=1e-2)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_rows_that_cannot_be_stored_are_refused(dtype: str, bad: float) -> None:
    matrix = np.ones((2_000_000 // D, D))
    matrix[70_000, 2] = bad
    wv = WordVectors([f"w{i}" for i in range(len(matrix))], matrix)
    with pytest.raises(ValueError, match=rf"the vector of 'w70000' contains .*, which {dtype} cannot store"):
        wv.astype(dtype)


def test_float32_holds_no_larger_numbers_either() -> None:
    """NaN and infinity stay as they are."""
    with pytest.raises(ValueError, match=r"the vector of 'b' contains 1e\+300, which float32 cannot store"):
        WordVectors(["a", "b"], np.array([[1.0, 0], [1e300, 1]])).astype("float32")
    kept = WordVectors(["a", "b"], np.array([[np.nan, 0], [np.inf, float(np.finfo(np.float32).max)]])).astype("float32")
    np.testing.assert_array_equal(kept.vectors, [[np.nan, 0], [np.inf, np.finfo(np.float32).max]])


def test_float16_becomes_int8() -> None:
    half = WordVectors(WORDS[:20], clustered(20)).astype("float16")
    np.testing.assert_allclose(half.astype("int8").vectors, half.vectors, atol=0.03)


def test_stored_arrays_are_read_only() -> None:
    values, scales = np.ones((2, 3), np.int8), np.ones(2, np.float32)
    wv = WordVectors(["a", "b"], ScaledRows(values, scales))
    other = WordVectors(["a", "b"], np.eye(2, 3))
    other.vectors = wv.stored
    half = wv.astype("float16")
    for one in (wv, other, wv.astype("float64").astype("int8"), half):
        for matrix in (one.stored_unit, one.stored if one is not half else one.stored_unit):
            for array in (matrix.values, matrix.scales):
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 1
    assert wv.stored is wv.stored
    assert values.flags.writeable


def test_a_library_without_float16() -> None:
    xp = pytest.importorskip("array_api_strict")
    with pytest.raises(ValueError, match="dtype is 'float16', which the array library of the vectors does not have"):
        WordVectors(["a"], xp.ones((1, 2))).astype("float16")


def test_rotated_vectors_keep_float16_and_its_precision() -> None:
    matrix = clustered(100)
    half, single = (WordVectors(WORDS[:100], matrix.astype(dtype)) for dtype in (np.float16, np.float32))
    exact = WordVectors(WORDS[:100], half.vectors.astype(np.float64)).align(single)
    rotated = half.align(single)
    assert rotated.vectors.dtype == np.float16
    np.testing.assert_allclose(rotated.vectors, exact.vectors.astype(np.float16), rtol=0.002, atol=1e-5)


def test_float16_holds_its_largest_number() -> None:
    for value, fits in ((65_504.0, True), (65_519.0, True), (65_520.0, False)):
        wv = WordVectors(["a", "b"], np.array([[value, 0], [0, 1]]))
        if fits:
            assert wv.astype("float16")["a"][0] == 65_504
        else:
            with pytest.raises(ValueError, match="65520"):
                wv.astype("float16")


@pytest.mark.parametrize("dtype", ["int4", "uint8", None, 8, np.int64])
def test_unknown_types_are_refused(dtype: Any) -> None:
    with pytest.raises(ValueError, match="it must be one of 'float16', 'float32', 'float64', 'int8'"):
        WordVectors(["a"], np.ones((1, 2))).astype(dtype)


@pytest.mark.parametrize(
    ("values", "scales", "error"),
    [
        (np.ones((2, 3), np.int16), np.ones(2, np.float32), TypeError),
        (np.ones((2, 3), np.float16), np.ones(2, np.float32), TypeError),
        ([[1, 2, 3], [1, 2, 3]], [1, 1], TypeError),
        (np.ones((2, 3), np.int8), np.ones(2), TypeError),
        (np.ones((2, 3), np.int8), np.ones(3, np.float32), ValueError),
        (np.ones(2, np.int8), np.ones(2, np.float32), ValueError),
        (np.ones((2, 3), np.int8), np.array([1, -1], np.float32), ValueError),
        (np.ones((2, 3), np.int8), np.array([1, np.inf], np.float32), ValueError),
    ],
)
def test_wrong_rows_are_refused(values: np.ndarray, scales: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error, match="scale"):
        WordVectors(["a", "b"], ScaledRows(values, scales))


def test_pickles_and_pairs(compact: WordVectors, tmp_path: Path) -> None:
    found = pickle.loads(pickle.dumps(compact))
    assert close(found.most_similar("w7"), compact.most_similar("w7"))
    path = tmp_path / "pairs.tsv"
    path.write_text("w1\tw2\t3\nw3\tw4\t2\nw5\tw6\t1\nw7\tw8\t0\n")
    result = evaluate.word_pairs(found, read_pairs(path))
    assert result.covered == 4
