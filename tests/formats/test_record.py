"""Records, which `formats.read` returns and `formats.write` accepts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import formats
from fastw2v.formats import FormatError, VectorRecord
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, some_record, some_vectors


@pytest.mark.parametrize("name", ["x.safetensors", "x.npz", "x.bin", "x.txt.gz", "x.tsv"])
def test_a_record_comes_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    formats.write(some_record(counts=np.arange(7), context_vectors=MATRIX + 1, settings={"window": 5}), path)
    back = formats.read(path)
    assert isinstance(back, VectorRecord)
    assert back.index_to_key == WORDS
    assert back.vectors.tolist() == MATRIX.tolist()
    kept = name in ("x.safetensors", "x.npz")
    assert back.settings == ({"window": 5} if kept else None)
    assert (back.context_vectors is not None) == kept
    assert back.counts is None or back.counts.tolist() == list(range(7))
    copy = tmp_path / f"copy-{name}"
    formats.write(back, copy)
    if name != "x.safetensors":  # its header may have the metadata in any order
        assert copy.read_bytes() == path.read_bytes()
    assert formats.read(copy).index_to_key == WORDS


def test_words_are_decoded_when_they_are_needed(tmp_path: Path) -> None:
    some_vectors(counts=range(7)).save(tmp_path / "x.safetensors")
    for back in (formats.read(tmp_path / "x.safetensors"), formats.read(tmp_path / "x.safetensors", limit=3)):
        assert callable(back.words)
        assert not back.vectors.flags.owndata
        assert "index_to_key" not in back.__dict__
        assert back.index_to_key == WORDS[: len(back.vectors)]
        assert back.counts.tolist() == list(range(len(back.vectors)))
    few = WordVectors.load(tmp_path / "x.safetensors", limit=2)
    assert "index_to_key" not in few.__dict__
    assert few.index_to_key == WORDS[:2]


def test_integer_words_and_counts_of_any_type(tmp_path: Path) -> None:
    record = VectorRecord([3, 1], MATRIX[:2], counts=np.array([5, 4], dtype=np.int32))
    for name in ("x.safetensors", "x.npz"):
        formats.write(record, tmp_path / name)
        back = WordVectors.load(tmp_path / name)
        assert back.index_to_key == [3, 1]
        assert back.counts.tolist() == [5, 4]


@pytest.mark.parametrize("name", ["x.safetensors", "x.npz", "x.bin", "x.txt", "x.tsv"])
@pytest.mark.parametrize(
    ("record", "message"),
    [
        (VectorRecord(WORDS, MATRIX[:6]), "vectors has 6 rows, but words has 7"),
        (VectorRecord(["a"] * 7, MATRIX), "the word 'a' occurs twice, in rows 0 and 6"),
        (VectorRecord([], MATRIX[:0]), "there are no words"),
        (VectorRecord(WORDS, MATRIX.astype(np.int32)), "vectors is of type int32"),
        (VectorRecord(WORDS, MATRIX, counts=np.arange(6)), r"counts has shape \(6,\)"),
        (VectorRecord(WORDS, MATRIX, counts=np.full(7, 1.5)), "counts is of type float64"),
        (VectorRecord(WORDS, MATRIX, counts=np.arange(-1, 6)), "counts contains -1"),
        (VectorRecord(WORDS, MATRIX, context_vectors=MATRIX[:6]), "context_vectors has shape"),
    ],
)
def test_records_that_do_not_fit_are_refused(tmp_path: Path, name: str, record: VectorRecord, message: str) -> None:
    with pytest.raises(FormatError, match=f"{name}: .*{message}"):
        formats.write(record, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "parts", [{"counts": np.arange(5)}, {"context_vectors": MATRIX[:6]}, {"vectors": np.float32(1).reshape(())}]
)
def test_files_whose_arrays_do_not_fit_are_refused(tmp_path: Path, parts: dict[str, Any]) -> None:
    words = np.frombuffer("".join("abcdefg").encode(), np.uint8)
    arrays = {"vectors": MATRIX, "words": words, "word_offsets": np.arange(8), **parts}
    np.savez(tmp_path / "x.npz", **arrays)
    for limit in (None, 1, 100):
        with pytest.raises(FormatError, match=r"x\.npz: "):
            WordVectors.load(tmp_path / "x.npz", limit=limit)


def test_a_subclass_loads_as_itself(tmp_path: Path) -> None:
    class Vectors(WordVectors):
        pass

    Vectors(WORDS, MATRIX).save(tmp_path / "x.bin")
    assert type(Vectors.load(tmp_path / "x.bin")) is Vectors


def test_reading_a_file_needs_no_word_vectors(tmp_path: Path) -> None:
    some_vectors().save(tmp_path / "x.txt")
    modules = "{name for name in sys.modules if name.startswith('fastw2v.vectors')}"
    script = f"""
import sys, types
package = types.ModuleType("fastw2v")
package.__path__ = [{str(Path(formats.__file__).parents[1])!r}]
sys.modules["fastw2v"] = package
from fastw2v import formats
print(len(formats.read({str(tmp_path / "x.txt")!r}).index_to_key), {modules})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "7 set()"
