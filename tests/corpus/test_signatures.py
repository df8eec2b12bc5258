"""Files that are not text are named, and texts are never taken for such files."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.signatures import what_is_not_text
from fastw2v.formats import VectorRecord, write
from fastw2v.utils.file_types import SIGNATURE_BYTES

WORDS = ["the", "고양이", "cat", "42"]


def vectors(D: int) -> VectorRecord:
    return VectorRecord(WORDS, np.random.default_rng(1).normal(0, 0.3, (len(WORDS), D)).astype(np.float32))


def gensim_vectors(D: int) -> KeyedVectors:
    kv = KeyedVectors(D)
    kv.add_vectors(WORDS, vectors(D).vectors)
    return kv


def make_zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "application/epub+zip" if name == "mimetype" else "the cat sat")


def make_tar(path: Path, mode: Any) -> None:
    with tarfile.open(path, mode) as archive:
        info = tarfile.TarInfo("corpus.txt")
        info.size = 11
        archive.addfile(info, io.BytesIO(b"the cat sat"))


@pytest.mark.parametrize("D", [2, 10, 300])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("v.safetensors", "safetensors"),
        ("v.npz", "NumPy archive"),
        ("v.bin", "word2vec binary format"),
        ("v.txt", "word2vec text format"),
        ("v.bin.gz", "word2vec binary format"),
        ("v.txt.gz", "word2vec text format"),
        ("v.glove", "GloVe format"),
    ],
)
def test_files_of_vectors(tmp_path: Path, name: str, kind: str, D: int):
    if kind == "GloVe format" and D < 10:
        pytest.skip("lines of a word and two numbers may be text")
    path = tmp_path / name
    write(vectors(D), path)
    corpus = path.rename(tmp_path / "corpus.txt")  # as a user could name it
    with pytest.raises(ValueError, match=rf"corpus\.txt .*{kind}.*not text.*set init to them") as caught:
        Corpus.from_text(corpus)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("save", "kind"),
    [
        (lambda kv, path: kv.save(path), "is a pickle"),
        (lambda kv, path: kv.save_word2vec_format(path), "word2vec text format"),
        (lambda kv, path: kv.save_word2vec_format(path, binary=True), "word2vec binary format"),
        (lambda kv, path: kv.save_word2vec_format(path, write_header=False), "GloVe format"),
    ],
)
def test_files_of_gensim(tmp_path: Path, save: Callable[[KeyedVectors, str], None], kind: str):
    save(gensim_vectors(50), str(tmp_path / "corpus.txt"))
    with pytest.raises(ValueError, match=rf"corpus\.txt .*{kind}.*not text"):
        Corpus.from_text(tmp_path / "corpus.txt")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: make_zip(path, "corpus.txt"), "is a zip archive, not text. Unpack it first"),
        (lambda path: make_zip(path), "is a zip archive"),
        (lambda path: make_zip(path, "[Content_Types].xml", "word/document.xml"), "is an Office document"),
        (lambda path: make_zip(path, "mimetype", "META-INF/container.xml"), r"is a document \(.odt, .epub or .hwpx\)"),
        (lambda path: make_zip(path, "model/data.pkl"), "is a PyTorch file"),
        (lambda path: make_tar(path, "w"), "is a tar archive, not text. Unpack it first"),
        (lambda path: make_tar(path, "w:gz"), "is a tar archive"),
        (lambda path: make_tar(path, "w:xz"), "is a tar archive"),
        (lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c\x00\x04"), "is a 7-Zip archive"),
        (lambda path: path.write_bytes(b"\x04\x22\x4d\x18\x64\x40"), "is an lz4 file, .* Decompress it first"),
        (lambda path: path.write_bytes(b"\x1f\x9d\x90the"), r"is a file of compress \(\.Z\)"),
        (lambda path: path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\n"), "is a PDF document, .* Convert it to plain text"),
        (lambda path: path.write_bytes(gzip.compress(b"%PDF-1.7\n")), "is a PDF document"),
        (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99)), "is an office document"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "is an image"),
        (
            lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
            "is a pointer of Git LFS.*pull",
        ),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF"), "is an image"),
        (lambda path: path.write_bytes(b"PAR1\x15\x04\x15"), "is a Parquet file.*Corpus.from_lines"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00\x10"), "is an SQLite database"),
        (lambda path: path.write_bytes(pickle.dumps([["the", "cat"]])), "is a pickle"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '<i8'"), "is a NumPy array"),
        (lambda path: Corpus.from_sentences([["a", "b"]], 1).save(path), "is an encoded corpus.*suffix .w2v"),
    ],
)
def test_other_files(tmp_path: Path, make: Callable[[Path], object], message: str):
    (tmp_path / "a.txt").write_text("the cat sat\n" * 50)
    make(tmp_path / "b.txt")
    with pytest.raises(ValueError, match=rf"b\.txt {message}") as caught:
        Corpus.from_text(tmp_path)
    assert len(str(caught.value)) < 400


TEXTS = [
    "the cat sat on the mat\n",
    "10 20\n1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n",  # baskets of integers
    "2 3\n880012 17 5\n17 5 3\n",
    "3 4\nthe cat sat on\nthe mat and slept there\n",
    "3 100\n한국어로 쓴 문장은 숫자가 아니다 그리고 조금 길게 쓴다\n",
    "0.5 0.25 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0\n" * 3,  # tokens that are numbers
    "price 1 2 3 4 5 6 7 8 9 10 11\n" * 3,
    "PAR1 is a word\n",
    "BZh and GIF are words, ID3 too\n",
    "PK is short for primary key\n",
    "Rar! 7z\n",
    "",
    "\n\n",
    "II* and MM*\n",
    "a 0.1 0.2\nb 0.3 0.4\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts(text: str):
    assert what_is_not_text(text.encode()) is None


@given(st.text(st.characters(min_codepoint=9, exclude_categories=("Cs", "Cc"), include_characters="\n\t")))
def test_any_text_after_two_numbers_is_text(text: str):
    for head in (text, f"12 5\n{text}", f"2 3\n{text}" * 100):
        found = what_is_not_text(head.encode())
        assert found is None or "text format" in found or "GloVe" in found
        assert found is None or any(character.isdigit() for character in text)


@given(st.binary(max_size=SIGNATURE_BYTES + 99))
def test_any_bytes_are_looked_at_without_an_error(data: bytes):
    for head in (data, b"12 5\n" + data, b"PK\x03\x04" + data, b"\x80\x04" + data, b"99999 999999\n" + data):
        assert isinstance(what_is_not_text(head), (str, type(None)))
