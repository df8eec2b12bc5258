"""NumPy's archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_npz_keeps_everything(tmp_path: Path, dtype: str) -> None:
    matrix = np.asfortranarray(MATRIX.astype(dtype))
    vectors = WordVectors([*WORDS[:-1], ""], matrix, range(7), matrix + 1, {"window": 5, "é": None})
    vectors.save(tmp_path / "x.npz")
    back = WordVectors.load(tmp_path / "x.npz")
    assert_same(back, [*WORDS[:-1], ""], matrix)
    assert back.vectors.dtype == dtype
    assert back.context_vectors.tolist() == (matrix + 1).tolist()
    assert back.counts.tolist() == list(range(7))
    assert back.settings == {"window": 5, "é": None}
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert archive["vectors"].tolist() == matrix.tolist()
    plain = WordVectors(WORDS, MATRIX)
    plain.save(tmp_path / "x.npz")
    back = WordVectors.load(tmp_path / "x.npz")
    assert (back.counts, back.context_vectors, back.settings) == (None, None, None)


def test_npz_of_another_kind(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vectors=MATRIX)
    with pytest.raises(FormatError, match="has no word_offsets and no words"):
        WordVectors.load(tmp_path / "x.npz")
    offsets = np.arange(8)
    np.savez(tmp_path / "x.npz", vectors=MATRIX, words=np.array(WORDS), word_offsets=offsets)
    with pytest.raises(FormatError, match="not an array of bytes"):
        WordVectors.load(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", vectors=np.array([None]), words=np.zeros(7, "u1"), word_offsets=offsets)
    with pytest.raises(
        FormatError, match=r"the array 'vectors\.npy' of the archive is damaged or is no array of numbers"
    ):
        WordVectors.load(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", vectors=MATRIX, words=np.full(7, 97, "u1"), word_offsets=offsets)
    with pytest.raises(FormatError, match="occurs twice"):
        WordVectors.load(tmp_path / "x.npz")
    # The header of the array has a size that does not fit the archive.
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 300)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in ("vectors", "words", "word_offsets"):
            archive.writestr(f"{name}.npy", buffer.getvalue())
    with pytest.raises(FormatError, match=r"the array 'vectors\.npy' of the archive is damaged"):
        WordVectors.load(tmp_path / "x.npz")
