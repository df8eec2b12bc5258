"""Compressed files are read whatever their names, and written as their suffix says."""

from __future__ import annotations

import bz2
import errno
import gzip
import importlib
import lzma
import os
import re
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fastw2v.compat.gensim import KeyedVectors
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.registry import check_writable, read
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same, some_vectors


def compress_zstd(data: bytes) -> bytes:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name).compress(data)
        except ImportError:
            continue
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


def decompress_zstd(data: bytes) -> bytes:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name).decompress(data)
        except ImportError:
            continue
    return pytest.importorskip("zstandard").ZstdDecompressor().decompressobj().decompress(data)


Codec = tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]]
CODECS: list[Codec] = [
    ("gz", gzip.compress, gzip.decompress),
    ("bz2", bz2.compress, bz2.decompress),
    ("xz", lzma.compress, lzma.decompress),
    ("zst", compress_zstd, decompress_zstd),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec[0])
@pytest.mark.parametrize("name", ["x.bin", "x.txt", "x.vec", "x.glove"])
def test_packed_files(tmp_path: Path, name: str, codec: Codec) -> None:
    suffix, compress, decompress = codec
    compress(b"")  # skips the test if there is no module for zstd
    some_vectors().save(tmp_path / name)
    plain = (tmp_path / name).read_bytes()
    some_vectors().save(tmp_path / f"{name}.{suffix}")
    packed = (tmp_path / f"{name}.{suffix}").read_bytes()
    assert decompress(packed) == plain
    assert_same(WordVectors.load(tmp_path / f"{name}.{suffix}"), WORDS, MATRIX)
    some_vectors().save(tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"{name}.{suffix}").read_bytes() == packed  # equal vectors, equal bytes
    for other in (name, "x.txt.gz", "x.dat", "x"):
        (tmp_path / other).write_bytes(compress(plain))
        assert_same(WordVectors.load(tmp_path / other), WORDS, MATRIX)  # whatever the name suggests
    for length in range(16, len(packed)):
        (tmp_path / f"{name}.{suffix}").write_bytes(packed[:length])
        with pytest.raises(FormatError, match=rf"^{re.escape(str(tmp_path))}.*{suffix}.* is cut short"):
            WordVectors.load(tmp_path / f"{name}.{suffix}")
    for length in range(1, 16):
        (tmp_path / f"{name}.{suffix}").write_bytes(packed[:length])
        with pytest.raises(FormatError, match=f"^{re.escape(str(tmp_path))}"):
            WordVectors.load(tmp_path / f"{name}.{suffix}")


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec[0])
def test_damaged_packed_files(tmp_path: Path, codec: Codec) -> None:
    packed = bytearray(codec[1](b"2 2\ncat 1 2\ndog 3 4\n" * 100))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "x.txt").write_bytes(packed)
    with pytest.raises(FormatError, match=r"x\.txt") as error:
        WordVectors.load(tmp_path / "x.txt")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec[0])
def test_fasttext_gensim_and_projector_files_are_read_in_packed_form(tmp_path: Path, codec: Codec) -> None:
    from gensim.models import KeyedVectors as TheirVectors

    from tests.formats.test_fuzz import MATRIX as MODEL_MATRIX
    from tests.formats.test_fuzz import WORDS as MODEL_WORDS
    from tests.formats.test_fuzz import fasttext_model

    (tmp_path / "model.bin").write_bytes(codec[1](fasttext_model()))
    assert_same(WordVectors.load(tmp_path / "model.bin"), MODEL_WORDS, MODEL_MATRIX)
    theirs = TheirVectors(3)
    theirs.add_vectors(WORDS, MATRIX)
    theirs.save(str(tmp_path / "a.kv"))
    (tmp_path / "a.kv").write_bytes(codec[1]((tmp_path / "a.kv").read_bytes()))
    assert_same(WordVectors.load(tmp_path / "a.kv"), WORDS, MATRIX)
    some_vectors(counts=range(7)).save(tmp_path / "a.tsv")
    for name in ("a.tsv", "a.metadata.tsv"):
        (tmp_path / name).write_bytes(codec[1]((tmp_path / name).read_bytes()))
    assert_same(WordVectors.load(tmp_path / "a.tsv"), WORDS, MATRIX)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_packed_files_that_must_be_unpacked_first(tmp_path: Path, suffix: str) -> None:
    some_vectors().save(tmp_path / f"x.{suffix}")
    for name in (f"x.{suffix}.gz", "y.txt", f"y.{suffix}"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / f"x.{suffix}").read_bytes()))
        with pytest.raises(FormatError, match=f"{suffix} files are not read in compressed form"):
            WordVectors.load(tmp_path / name)


def test_gensim_reads_packed_files(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors as TheirVectors

    for name in ("x.bin.gz", "x.txt.gz", "x.txt.bz2", "x.bin.xz"):
        some_vectors().save(tmp_path / name)
        theirs = TheirVectors.load_word2vec_format(str(tmp_path / name), binary=".bin" in name)
        assert theirs.index_to_key == WORDS
        assert theirs.vectors.tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_format_is_packed_by_its_suffix(tmp_path: Path, binary: bool) -> None:
    ours = KeyedVectors(WORDS, MATRIX)
    ours.save_word2vec_format(tmp_path / "plain", binary=binary)
    for suffix, _, decompress in CODECS[:3]:
        ours.save_word2vec_format(tmp_path / f"x.{suffix.upper()}", binary=binary)
        assert decompress((tmp_path / f"x.{suffix.upper()}").read_bytes()) == (tmp_path / "plain").read_bytes()
        back = KeyedVectors.load_word2vec_format(tmp_path / f"x.{suffix.upper()}", binary=binary)
        assert_same(back, WORDS, MATRIX)


def test_zst_without_a_module_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeError, match=r"x\.txt\.zst.*pip install zstandard"):
        some_vectors().save(tmp_path / "x.txt.zst")
    with pytest.raises(RuntimeError, match="pip install zstandard"):
        check_writable(tmp_path / "x.txt.zst")
    (tmp_path / "x.txt").write_bytes(b"\x28\xb5\x2f\xfd and so on")
    with pytest.raises(RuntimeError, match=r"x\.txt.*pip install zstandard"):
        read(tmp_path / "x.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.skipif(os.name != "posix", reason="named pipes of POSIX")
def test_files_from_a_pipe(tmp_path: Path) -> None:
    some_vectors().save(tmp_path / "x.txt")
    some_vectors().save(tmp_path / "x.npz")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def read_piped(data: bytes) -> WordVectors:
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(pipe.write_bytes, data)
            vectors = WordVectors.load(pipe)
            writing.result()
        return vectors

    for data in ((tmp_path / "x.txt").read_bytes(), gzip.compress((tmp_path / "x.txt").read_bytes())):
        assert_same(read_piped(data), WORDS, MATRIX)
    with pytest.raises(FormatError, match="npz files are not read in compressed form or from a pipe"):
        read_piped((tmp_path / "x.npz").read_bytes())


def test_no_room_for_the_unpacked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(b"1 1\ncat 1\n"))

    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(OSError, match=r"No space left on device in .*; set TMPDIR") as error:
        read(tmp_path / "x.txt.gz")
    assert error.value.filename == str(tmp_path / "x.txt.gz")
