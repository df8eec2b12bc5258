"""safetensors: all data is preserved, memory-mapped and checked."""

from __future__ import annotations

import io
import mmap
import pickle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from fastw2v.config import Units
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.safetensors import write_tensors
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same, some_vectors


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_safetensors_keeps_everything(tmp_path: Path, dtype: str) -> None:
    matrix = MATRIX.astype(dtype)
    settings = {"vector_size": 3, "alpha": 0.1, "words": ["é"], "nested": {"none": None}}
    vectors = WordVectors(WORDS, matrix, np.arange(7) + 2**40, np.asfortranarray(matrix * 2), settings)
    vectors.save(tmp_path / "x.safetensors")
    back = WordVectors.load(tmp_path / "x.safetensors")
    assert_same(back, WORDS, matrix)
    assert back.context_vectors.tobytes() == (matrix * 2).tobytes()
    assert back.counts.tolist() == vectors.counts.tolist()
    assert back.settings == settings


def test_safetensors_without_the_rest(tmp_path: Path) -> None:
    some_vectors().save(tmp_path / "x.safetensors")
    back = WordVectors.load(tmp_path / "x.safetensors")
    assert (back.counts, back.context_vectors, back.settings) == (None, None, None)
    WordVectors([""], MATRIX[:1]).save(tmp_path / "x.safetensors")
    assert WordVectors.load(tmp_path / "x.safetensors").index_to_key == [""]


def test_settings_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="settings cannot be represented in JSON"):
        WordVectors(["a"], MATRIX[:1], settings={"a": object()}).save(tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def tensors(**changes: Any) -> dict[str, np.ndarray]:
    base = {
        "vectors": MATRIX[:2],
        "words": np.frombuffer(b"abc", dtype=np.uint8),
        "word_offsets": np.array([0, 1, 3]),
    }
    return {name: array for name, array in {**base, **changes}.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "metadata", "message"),
    [
        ({}, {"format": "pt"}, "does not contain fastw2v word vectors; its tensors are .*'vectors'"),
        ({}, None, "does not contain fastw2v word vectors"),
        ({}, {"version": "9"}, "version 9 .* upgrade"),
        ({}, {"version": "0"}, "no valid version"),
        ({}, {"version": ""}, "no valid version"),
        ({}, {"version": "1.5"}, "no valid version"),
        ({}, {"settings": "{"}, "settings are not valid JSON"),
        ({"words": None}, {}, "the file has no words"),
        ({"vectors": None, "word_offsets": None}, {}, "no vectors and no word_offsets"),
        ({"vectors": MATRIX[0]}, {}, "vectors has type F32 and shape"),
        ({"vectors": MATRIX[:2].astype(np.int32)}, {}, "vectors has type I32"),
        ({"vectors": MATRIX[:3]}, {}, "vectors has 3 rows, but there are 2 words"),
        ({"word_offsets": np.array([0, 1, 4])}, {}, "word_offsets does not run"),
        ({"word_offsets": np.array([0, 2**63 - 1, -(2**63), 3])}, {}, "word_offsets does not run"),
        ({"word_offsets": np.array([1, 1, 3])}, {}, "word_offsets does not run"),
        ({"word_offsets": np.array([], dtype=np.int64)}, {}, "word_offsets does not run"),
        ({"word_offsets": np.array([0, 1, 3], dtype=np.int32)}, {}, "word_offsets has type I32"),
        ({"words": np.frombuffer(b"aa", np.uint8), "word_offsets": np.array([0, 1, 2])}, {}, "'a' occurs twice"),
        ({"counts": np.array([1, 2, 3])}, {}, "counts has shape"),
        ({"counts": np.array([1, -2])}, {}, "counts contains -2"),
        ({"context_vectors": MATRIX[:3]}, {}, "context_vectors has shape"),
    ],
)
def test_wrong_safetensors_are_refused(
    tmp_path: Path, changes: dict[str, Any], metadata: dict[str, str] | None, message: str
) -> None:
    from safetensors.numpy import save_file

    base = {"format": "fastw2v", "version": "1"}
    save_file(tensors(**changes), tmp_path / "x.safetensors", None if metadata is None else {**base, **metadata})
    with pytest.raises(FormatError, match=message):
        _ = WordVectors.load(tmp_path / "x.safetensors").index_to_key


def test_the_safetensors_layout_is_fixed(tmp_path: Path) -> None:
    """Other programs rely on this layout."""
    from safetensors import safe_open

    WordVectors(["a", "日"], MATRIX[:2], [5, 3], MATRIX[2:4], {"window": 5}).save(tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "fastw2v", "version": "1", "settings": '{"window": 5}'}
        assert set(file.keys()) == {"vectors", "context_vectors", "words", "word_offsets", "counts"}
        assert file.get_tensor("words").tobytes() == "a日".encode()
        assert file.get_tensor("word_offsets").tolist() == [0, 1, 4]
        assert file.get_tensor("counts").tolist() == [5, 3]
        assert file.get_tensor("context_vectors").tolist() == MATRIX[2:4].tolist()


def test_tensors_as_the_package_writes_them() -> None:
    from safetensors.numpy import load, save

    arrays = {
        **tensors(counts=np.array([2, 1]), context_vectors=MATRIX[:2].astype(np.float16)),
        "b": np.zeros((0, 3)),
        "a": np.asfortranarray(np.ones((2, 3))),
    }
    file = io.BytesIO()
    write_tensors(file, arrays, {"format": "pt"})  # a single item, because the package writes several in random order
    assert file.getvalue() == save(arrays, {"format": "pt"})
    file = io.BytesIO()
    write_tensors(file, {"a": MATRIX.astype(">f4")}, {})
    assert load(file.getvalue())["a"].tolist() == MATRIX.tolist()


def test_safetensors_is_mapped_and_its_words_wait(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    some_vectors(counts=range(7), context_vectors=MATRIX + 1).save(path)
    back = WordVectors.load(path)
    assert "index_to_key" not in back.__dict__
    assert not back.vectors.flags.writeable
    assert not back.vectors.flags.owndata
    assert back.most_similar("the", topn=1) == some_vectors().most_similar("the", topn=1)
    again = pickle.loads(pickle.dumps(WordVectors.load(path)))
    assert_same(again, WORDS, MATRIX)
    back.save(path)  # overwrites the file that is mapped
    assert_same(back, WORDS, MATRIX)
    assert_same(WordVectors.load(path), WORDS, MATRIX)


def with_subwords(units: Units = "characters") -> WordVectors:
    """Return vectors with subwords whose buckets are not in ascending order."""
    subwords = Subwords(WORDS, NGrams(2, 4, 500, units=units), range(len(WORDS)))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 3)).astype(np.float32)
    return WordVectors(WORDS, None, range(9, 2, -1), input_vectors=W_in, subwords=subwords)


@pytest.mark.parametrize("units", get_args(Units))
@pytest.mark.parametrize("name", ["x.safetensors", "x.npz"])
def test_subwords_come_back(tmp_path: Path, name: str, units: Units) -> None:
    vectors = with_subwords(units)
    vectors.save(tmp_path / name)
    back = WordVectors.load(tmp_path / name)
    assert_same(back, WORDS, vectors.vectors)
    assert back.input_vectors.tobytes() == vectors.input_vectors.tobytes()
    assert back.subwords is not None
    assert vectors.subwords is not None
    assert back.subwords.ngrams == vectors.subwords.ngrams
    for attribute in ("buckets", "starts", "rows"):
        ours, theirs = getattr(back.subwords, attribute), getattr(vectors.subwords, attribute)
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert back[["unseen", "日本語"]].tobytes() == vectors[["unseen", "日本語"]].tobytes()
    again = pickle.loads(pickle.dumps(WordVectors.load(tmp_path / name)))
    assert again[["unseen", "the"]].tobytes() == vectors[["unseen", "the"]].tobytes()
    back.save(tmp_path / f"again-{name}")
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()
    if name == "x.safetensors":
        assert isinstance(_base(back.input_vectors), mmap.mmap)
        assert isinstance(_base(back.subwords.buckets), mmap.mmap)


def _base(array: Any) -> Any:
    """Return what owns the memory of an array."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def test_words_of_subwords_are_read_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_subwords().save(tmp_path / "x.safetensors")
    from fastw2v.formats import safetensors

    calls = []
    read = safetensors.words_from_arrays
    monkeypatch.setattr(safetensors, "words_from_arrays", lambda *given: calls.append(1) or read(*given))
    back = WordVectors.load(tmp_path / "x.safetensors")
    assert not calls
    assert back["unseen"].shape == (3,)
    assert back.subwords is not None
    assert len(back.subwords.rows)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"min_n": "0"},
        {"min_n": "5"},
        {"max_n": "x"},
        {"max_n": None},
        {"bucket": "0"},
        {"bucket": str(2**31)},
        {"hash_count": "5"},
        {"hash_count": "2"},
        {"units": "letters"},
        {"buckets": None},
        {"input_vectors": None},
        {"input_vectors": MATRIX},
    ],
)
def test_wrong_subwords_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    from safetensors.numpy import load_file, save_file

    with_subwords().save(tmp_path / "x.safetensors")
    found: dict[str, Any] = load_file(tmp_path / "x.safetensors")
    metadata: dict[str, Any] = {"format": "fastw2v", "version": "1", "min_n": "2", "max_n": "4", "bucket": "500"}
    for name, value in changes.items():
        (found if name in ("buckets", "input_vectors") else metadata)[name] = value
    save_file(
        {name: array for name, array in found.items() if array is not None},
        tmp_path / "x.safetensors",
        {name: value for name, value in metadata.items() if value is not None},
    )
    with pytest.raises(FormatError, match=r"the settings of n-grams, .*, are invalid, or do not match"):
        WordVectors.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize("units", get_args(Units))
def test_older_versions_refuse_other_units(tmp_path: Path, units: Units) -> None:
    """Only files whose n-grams are those of characters have the version and the arrays that older versions read."""
    from safetensors import safe_open

    vectors = with_subwords(units)
    vectors.save(tmp_path / "x.safetensors")
    vectors.save(tmp_path / "x.npz")
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as file:
        metadata = file.metadata()
    with np.load(tmp_path / "x.npz") as archive:
        ngrams, names = archive["ngrams"], set(archive)
    given = {"min_n": "2", "max_n": "4", "bucket": "500"}
    assert ngrams.tolist() == [2, 4, 500, -1]
    if units == "characters":
        assert metadata == {"format": "fastw2v", "version": "1", **given}
        assert ngrams.dtype == np.int64
        assert "units" not in names
    else:
        assert metadata == {"format": "fastw2v", "version": "2", "units": units, **given}
        assert ngrams.dtype == np.int32  # the reader of older versions refuses all but int64


def test_the_order_of_tensors_is_that_of_the_package(tmp_path: Path) -> None:
    from safetensors.numpy import save

    arrays = {
        "a": np.ones(3, np.float32),
        "b": np.ones(3, np.int32),
        "c": np.ones(3, np.float16),
        "d": np.ones(3, np.int64),
        "e": np.ones(3, np.uint8),
        "f": np.ones(3, np.float64),
    }
    file = io.BytesIO()
    write_tensors(file, arrays, {})
    assert file.getvalue() == save(arrays)
