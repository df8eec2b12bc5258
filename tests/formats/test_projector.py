"""TensorBoard's Projector."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import assert_same


def test_projector_files(tmp_path: Path) -> None:
    words, matrix = ["new york", "é"], np.array([[1, -0.5], [0.1, 3e20]], dtype=np.float32)
    WordVectors(words, matrix).save(tmp_path / "x.tsv")
    assert (tmp_path / "x.tsv").read_text() == "1.0\t-0.5\n0.1\t3e+20\n"
    assert (tmp_path / "x.metadata.tsv").read_text(encoding="utf-8") == "new york\né\n"
    assert_same(WordVectors.load(tmp_path / "x.tsv"), words, matrix)
    WordVectors(words, matrix, [3, 2]).save(tmp_path / "x.tsv")
    assert (tmp_path / "x.metadata.tsv").read_text(encoding="utf-8") == "word\tcount\nnew york\t3\né\t2\n"
    back = WordVectors.load(tmp_path / "x.tsv")
    assert_same(back, words, matrix)
    assert back.counts.tolist() == [3, 2]
    for word in ("a\tb", "a\nb", "", "a\rb"):
        with pytest.raises(FormatError, match="cannot be written"):
            WordVectors([word], matrix[:1]).save(tmp_path / "y.tsv")
    assert not (tmp_path / "y.tsv").exists()
    (tmp_path / "x.metadata.tsv").write_text("a\n")
    with pytest.raises(FormatError, match="2 rows, but words has 1"):
        WordVectors.load(tmp_path / "x.tsv")
    (tmp_path / "x.metadata.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.tsv: there is no file x\.metadata\.tsv in the same folder"):
        WordVectors.load(tmp_path / "x.tsv")
    (tmp_path / "x.tsv.gz").write_bytes(gzip.compress((tmp_path / "x.tsv").read_bytes()))
    with pytest.raises(FormatError, match="projector files cannot be compressed"):
        WordVectors.load(tmp_path / "x.tsv.gz")
