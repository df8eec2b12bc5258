"""Files compressed with gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same, some_vectors


@pytest.mark.parametrize("name", ["x.bin", "x.txt", "x.vec", "x.glove"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    some_vectors().save(tmp_path / name)
    some_vectors().save(tmp_path / f"{name}.gz")
    packed = (tmp_path / f"{name}.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / name).read_bytes()
    assert_same(WordVectors.load(tmp_path / f"{name}.gz"), WORDS, MATRIX)
    some_vectors().save(tmp_path / f"{name}.gz")
    assert (tmp_path / f"{name}.gz").read_bytes() == packed  # equal vectors, equal bytes
    (tmp_path / name).write_bytes(packed)
    assert_same(WordVectors.load(tmp_path / name), WORDS, MATRIX)  # whatever the name suggests
    for length in range(2, len(packed)):
        (tmp_path / f"{name}.gz").write_bytes(packed[:length])
        with pytest.raises(FormatError, match="not a complete gzip file"):
            WordVectors.load(tmp_path / f"{name}.gz")


def test_gensim_reads_packed_files(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    for name in ("x.bin.gz", "x.txt.gz"):
        some_vectors().save(tmp_path / name)
        theirs = KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=".bin" in name)
        assert theirs.index_to_key == WORDS
        assert theirs.vectors.tobytes() == MATRIX.tobytes()
