"""The textbook's parameters as safetensors and as the book's own pickle, which is read without running its code."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.compat.textbook import load_params, load_textbook_pickle, save_params
from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same

WORD_TO_ID = {word: i for i, word in enumerate(WORDS)}
ID_TO_WORD = dict(enumerate(WORDS))
PARAMS = {"word_vecs": MATRIX.astype(np.float16), "word_to_id": WORD_TO_ID, "id_to_word": ID_TO_WORD}


def assert_same_params(ours: dict[str, Any]) -> None:
    assert set(ours) == {"word_vecs", "word_to_id", "id_to_word"}
    assert type(ours["word_vecs"]) is np.ndarray
    assert ours["word_vecs"].dtype == np.float16
    assert ours["word_vecs"].tolist() == PARAMS["word_vecs"].tolist()
    assert (ours["word_to_id"], ours["id_to_word"]) == (WORD_TO_ID, ID_TO_WORD)


def test_params_come_back(xp, tmp_path: Path) -> None:
    path = tmp_path / "cbow_params.safetensors"
    save_params(path, xp.asarray(MATRIX), WORD_TO_ID, ID_TO_WORD)
    assert_same_params(load_params(path))
    assert_same(WordVectors.load(path), WORDS, MATRIX.astype(np.float16))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"word_to_id": {"a": 0}}, "word_to_id has 1 entries, id_to_word has 7 entries and word_vecs has 7 rows"),
        ({"id_to_word": {**ID_TO_WORD, 3: "other"}}, "disagree on id 3"),
        ({"id_to_word": {i + 1: word for i, word in ID_TO_WORD.items()}}, "disagree on id 0"),
        ({"word_vecs": MATRIX * 1e6}, "too large for float16"),
    ],
)
def test_params_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        save_params(tmp_path / "p.safetensors", **{**PARAMS, "word_vecs": MATRIX, **changes})
    assert not list(tmp_path.iterdir())


def test_params_with_a_word_twice_are_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {"vectors": MATRIX[:2], "words": np.frombuffer(b"aa", np.uint8), "word_offsets": np.arange(3)}
    save_file(tensors, tmp_path / "p.safetensors", {"format": "fastw2v", "version": "1"})
    with pytest.raises(FormatError, match=r"p\.safetensors: the word 'a' occurs twice"):
        load_params(tmp_path / "p.safetensors")


def other_numpy(data: bytes) -> bytes:
    """Convert a pickle from one major version of NumPy to the other, in short strings and in lines."""
    old, new = b"numpy.core.", b"numpy._core."
    here, there = (new, old) if new in data else (old, new)
    for module in (b"multiarray", b"numeric"):
        was, becomes = here + module, there + module
        data = data.replace(b"\x8c" + bytes([len(was)]) + was, b"\x8c" + bytes([len(becomes)]) + becomes)
        data = data.replace(b"c" + was + b"\n", b"c" + becomes + b"\n")
    assert there in data
    assert here not in data
    if data[2:3] == b"\x95":  # the length of the frame has changed
        data = data[:3] + struct.pack("<Q", len(data) - 11) + data[11:]
    return data


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_textbooks_pickle_is_read(tmp_path: Path, protocol: int, order: Any) -> None:
    params = {**PARAMS, "word_vecs": np.array(PARAMS["word_vecs"], order=order)}
    data = pickle.dumps(params, protocol)
    for pickled in (data, other_numpy(data)):
        (tmp_path / "cbow_params.pkl").write_bytes(pickled)
        assert_same_params(load_textbook_pickle(tmp_path / "cbow_params.pkl"))


def test_other_floats_in_a_pickle_are_read(tmp_path: Path) -> None:
    for dtype in ("<f2", ">f2", "<f4", ">f8"):
        params = {**PARAMS, "word_vecs": MATRIX.astype(dtype)}
        (tmp_path / "p.pkl").write_bytes(pickle.dumps(params, 4))
        back = load_textbook_pickle(tmp_path / "p.pkl")["word_vecs"]
        assert back.dtype == np.dtype(dtype).newbyteorder("=")
        assert back.tolist() == params["word_vecs"].tolist()


class Calls:
    """An object that is pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class DictWithCode(dict):
    def __setstate__(self, state: Any) -> None:
        raise AssertionError("code of the pickle was run")

    def __reduce__(self) -> Any:
        return (DictWithCode, (), {"a": 1}, None, iter(self.items()))


class ArrayWithCode(np.ndarray):
    def __setstate__(self, state: Any) -> None:
        raise AssertionError("code of the pickle was run")


def refused_objects(marker: Path) -> dict[str, Any]:
    shell = Calls(os.system, f"touch {marker}")
    evaluated = Calls(eval, f"open({str(marker)!r}, 'w')")
    objects = np.empty((7, 3), dtype=object)
    objects[0, 0] = shell
    return {
        "a call in place of everything": shell,
        "a call as the vectors": {**PARAMS, "word_vecs": shell},
        "a call as a dictionary": {**PARAMS, "word_to_id": evaluated},
        "a call within a dictionary": {**PARAMS, "id_to_word": {**ID_TO_WORD, 6: shell}},
        "a call as a key": {**PARAMS, "word_to_id": {**WORD_TO_ID, evaluated: 7}},
        "a call beside the rest": {**PARAMS, "more": shell},
        "a call within a call": {**PARAMS, "word_vecs": Calls(np.array, shell)},
        "an array of objects": {**PARAMS, "word_vecs": objects},
        "an empty array of objects": {**PARAMS, "word_vecs": np.empty((0, 3), dtype=object)},
        "an array of records": {**PARAMS, "word_vecs": np.zeros((7, 3), dtype=[("a", "O"), ("b", "f4")])},
        "an array of integers": {**PARAMS, "word_vecs": np.zeros((7, 3), dtype=np.int64)},
        "an array of one dimension": {**PARAMS, "word_vecs": np.zeros(7)},
        "an array with code": {**PARAMS, "word_vecs": MATRIX.view(ArrayWithCode)},
        "a matrix": {**PARAMS, "word_vecs": MATRIX.view(np.recarray)},
        "a dictionary with code": DictWithCode(PARAMS),
        "a dictionary with code inside": {**PARAMS, "word_to_id": DictWithCode(WORD_TO_ID)},
        "NumPy's own loader": {**PARAMS, "word_vecs": Calls(np.load, str(marker))},
        "a scalar": {**PARAMS, "word_to_id": {**WORD_TO_ID, "x": np.int64(3)}},
        "a list": {**PARAMS, "word_vecs": MATRIX.tolist()},
        "a class": {**PARAMS, "word_vecs": np.ndarray},
        "a type of elements": {**PARAMS, "word_vecs": np.dtype("f4")},
        "words that are numbers": {**PARAMS, "id_to_word": {i: i for i in range(7)}},
        "too few words": {**PARAMS, "id_to_word": {0: "the"}},
        "no dictionary": [PARAMS],
        "nothing": None,
        "other keys": {"vectors": MATRIX},
        "keys with equal hashes": {"word_vecs": {i * (2**61 - 1): 0 for i in range(100)}},
        "a tuple as a key": {**PARAMS, "word_to_id": {("a", "b"): 0}},
    }


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("what", list(refused_objects(Path("x"))))
def test_pickles_of_anything_else_are_refused(tmp_path: Path, protocol: int, what: str) -> None:
    path, marker = tmp_path / "evil.pkl", tmp_path / "marker"
    path.write_bytes(pickle.dumps(refused_objects(marker)[what], protocol))
    with pytest.raises(FormatError, match="refused"):
        load_textbook_pickle(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04.",
        b"hello",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02cnumpy\nndarray\n(K\x01tR.",  # calls the class of the array
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}\x8c\x08__code__K\x01sb.",  # sets the state of a function
        b"\x80\x04\x8c\x05numpy\x8c\x0ccore.os.path\x93.",
        b"\x80\x04\x8c\x0bnumpy dtype\x8c\x00\x93.",
        b"\x80\x02\x82\x01.",  # a name from the extension registry
        b"\x80\x04Phello\n.",  # a persistent id
        b"\x80\x05\x97.",  # an out-of-band buffer
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.",  # bytes with an absurd length
        b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f.",
        b"\x80\x04K\x01r\xff\xff\xff\xff.",  # a memo with an absurd size
        b"\x80\x04(((t(00.",
        b"\x80\x04(1(K\x01((u.",
    ],
)
def test_hand_made_pickles_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(FormatError, match="refused"):
        load_textbook_pickle(tmp_path / "x.pkl")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("rounds", [300, pytest.param(1500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_damaged_pickles_are_refused_or_read(tmp_path: Path, protocol: int, rounds: int) -> None:
    whole = pickle.dumps(PARAMS, protocol)
    path = tmp_path / "x.pkl"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError):
            load_textbook_pickle(path)
    rng = np.random.default_rng(protocol)
    for _ in range(rounds):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            back = load_textbook_pickle(path)
        except FormatError:
            continue
        assert back["word_vecs"].shape[0] == len(back["word_to_id"]) == 7


def test_load_params_points_to_the_pickle_reader(tmp_path: Path) -> None:
    (tmp_path / "cbow_params.pkl").write_bytes(pickle.dumps(PARAMS, -1))
    with pytest.raises(FormatError, match="load_textbook_pickle"):
        load_params(tmp_path / "cbow_params.pkl")
    (tmp_path / "x.pkl").write_text("hello")
    with pytest.raises(FormatError, match="safetensors"):
        load_params(tmp_path / "x.pkl")
