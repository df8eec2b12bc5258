"""Files are recognised by their contents: a wrong name, a wrong `binary=`, and files that are not vector files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastw2v.compat.gensim import KeyedVectors
from fastw2v.corpus.corpus import Corpus
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.registry import read
from fastw2v.vectors.word_vectors import WordVectors
from fastw2v.word2vec import Word2Vec
from tests.formats.common import MATRIX, WORDS, assert_same, some_vectors


def vectors(n_words: int, n_dims: int, scale: float = 1.0) -> KeyedVectors:
    matrix = scale * np.random.default_rng(n_words + n_dims).standard_normal((n_words, n_dims))
    return KeyedVectors([f"word{i}" for i in range(n_words)], matrix.astype(np.float32))


@pytest.mark.parametrize(
    ("n_words", "n_dims"), [(1, 1), (1, 2), (2, 1), (3, 2), (2000, 50), (5, 300), (2, 3000), (4_000, 2), (1, 40_000)]
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_wrong_binary_is_corrected_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, n_words: int, n_dims: int, compress: Callable[[bytes], bytes]
) -> None:
    ours = vectors(n_words, n_dims)
    for binary, path in ((False, tmp_path / "v.txt"), (True, tmp_path / "v.bin")):
        ours.save_word2vec_format(path, binary=binary)
        path.write_bytes(compress(path.read_bytes()))
        for given in (binary, not binary):
            caplog.clear()
            back = KeyedVectors.load_word2vec_format(path, binary=given)
            assert_same(back, ours.index_to_key, ours.vectors)
            assert len(caplog.messages) == (given != binary)
            if given != binary:
                formats = ["word2vec's binary format", "word2vec's text format"]
                found, named = formats if binary else formats[::-1]
                assert f"{path}: the file is in {found}, not in {named}, and is read as such" in caplog.text
                assert f"binary={binary}" in caplog.text
    few = KeyedVectors.load_word2vec_format(tmp_path / "v.bin", binary=False, limit=1)
    assert_same(few, ours.index_to_key[:1], ours.vectors[:1])


ROUND_NUMBERS = [
    np.eye(2),
    np.zeros((3, 4)),
    np.ones((2, 1)),
    np.full((3, 3), 0.5),
    np.full((3, 3), 1e-38),
    np.array([[1e30, -1.5], [0.25, 3.0]]),
]


@pytest.mark.parametrize("matrix", ROUND_NUMBERS, ids=range(len(ROUND_NUMBERS)))
def test_a_wrong_binary_with_round_numbers(tmp_path: Path, matrix: np.ndarray) -> None:
    """In text, numbers such as 1.0 take four bytes with their separator, as many as in the binary format."""
    ours = KeyedVectors(["cat", "dog", "car"][: len(matrix)], matrix.astype(np.float32))
    for binary in (False, True):
        ours.save_word2vec_format(tmp_path / "v", binary=binary)
        back = KeyedVectors.load_word2vec_format(tmp_path / "v", binary=not binary)
        assert_same(back, ours.index_to_key, ours.vectors)


def test_files_of_the_c_tool_with_a_wrong_binary(tmp_path: Path) -> None:
    rows = (word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, MATRIX, strict=True))
    (tmp_path / "c.txt").write_bytes(b"7 3\n" + b"".join(rows))
    assert_same(KeyedVectors.load_word2vec_format(tmp_path / "c.txt", binary=False), WORDS, MATRIX)
    (tmp_path / "c.bin").write_bytes("2 2\r\na\u00a0b 1 -2 \r\nnaïve 1e-3 nan \r\n".encode())
    back = KeyedVectors.load_word2vec_format(tmp_path / "c.bin", binary=True)
    assert back.index_to_key == ["a\u00a0b", "naïve"]
    assert back.vectors[0].tolist() == [1, -2]


def test_damaged_text_with_a_wrong_binary_is_described_as_text(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    for data, message in [
        (b"2 2\ncat 1 x\ndog 3 4\n", "line 2 is b'cat 1 x', not a word and 2 float32 numbers. The file is damaged"),
        (b"2 3\ncat 1 2\ndog 3 4\n", "line 2 is b'cat 1 2', not a word and 3 float32 numbers"),
        (b"2 2\ncat\t1\t2\ndog\t3\t4\n", "must be separated by spaces, not by tabs"),
        (b"2 2\ncat 1 2\ndog 3", "line 3 of 3 is missing"),
    ]:
        path.write_bytes(data)
        for binary in (False, True):
            with pytest.raises(FormatError, match=re.escape(message)):
                KeyedVectors.load_word2vec_format(path, binary=binary)
    with pytest.raises(FormatError, match="a StaticEmbedding is a folder"):
        read(path, format="static-embedding")


def test_a_wrong_no_header_is_corrected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = vectors(4, 3)
    ours.save_word2vec_format(tmp_path / "v.txt")
    ours.save_word2vec_format(tmp_path / "glove.txt", write_header=False)
    assert_same(KeyedVectors.load_word2vec_format(tmp_path / "glove.txt"), ours.index_to_key, ours.vectors)
    assert not caplog.messages
    back = KeyedVectors.load_word2vec_format(tmp_path / "v.txt", no_header=True)
    assert_same(back, ours.index_to_key, ours.vectors)
    assert "in word2vec's text format, not in GloVe's text format" in caplog.text
    back = KeyedVectors.load_word2vec_format(tmp_path / "glove.txt", binary=True)
    assert_same(back, ours.index_to_key, ours.vectors)
    (tmp_path / "v.glove").write_text("5 3\n7 4\n")  # with one dimension, the first line can be a row
    assert WordVectors.load(tmp_path / "v.glove").index_to_key == ["5", "7"]


@pytest.mark.parametrize("suffix", ["safetensors", "npz", "bin", "txt", "glove", "bin.gz", "txt.xz"])
def test_own_files_under_any_name(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / f"x.{suffix}"
    some_vectors().save(path)
    others = ["y.safetensors", "y.npz", "y.bin", "y.txt", "y.vec", "y.glove", "y.tsv", "y.kv", "y.model", "y", "y.gz"]
    for name in others:
        (tmp_path / name).write_bytes(path.read_bytes())
        assert_same(WordVectors.load(tmp_path / name), WORDS, MATRIX)
    assert not caplog.messages  # a name is no statement about the format
    wrong = "bin" if suffix == "safetensors" else "safetensors"
    assert_same(WordVectors.load(path, format=wrong), WORDS, MATRIX)
    assert len(caplog.messages) == 1
    with pytest.raises(ValueError, match=r"contains vectors, not a model\. Read it with WordVectors\.load"):
        Word2Vec.load(path)


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("glove.6B.50d.txt", "glove.6B.100d.txt", "glove.6B.200d.txt"):
            archive.writestr(name, data)
    return file.getvalue()


def tarred(data: bytes, mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("words/vectors.txt")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


TEXT = b"2 2\ncat 1 2\ndog 3 4\n"
NOT_VECTORS = {
    "zip": (zipped(TEXT), r"a zip archive that contains glove\.6B\.50d\.txt, glove\.6B\.100d\.txt, \.\.\.; unpack it"),
    "tar": (tarred(TEXT), r"a tar archive that contains words/vectors\.txt; unpack it first"),
    "tar.gz": (tarred(TEXT, "w:gz"), r"a tar archive that contains words/vectors\.txt; unpack it first"),
    "tar.xz": (tarred(TEXT, "w:xz"), r"a tar archive that contains words/vectors\.txt; unpack it first"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7-Zip archive; unpack it first"),
    "damaged tar": (tarred(TEXT)[:300], "a tar archive; unpack it first"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(40), "an lz4 file; decompress it first"),
    "parquet": (b"PAR1\x15\x04" + bytes(40), "a Parquet file; fastw2v cannot read vectors from it"),
    "pdf": (b"%PDF-1.7\n" + bytes(40), "a PDF document, which contains no vectors"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(40), "an image, which contains no vectors"),
    "utf-32": ("2 2\ncat 1 2\n".encode("utf-32"), "UTF-32 text; convert it to UTF-8 first"),
    "corpus": (b"the cat sat on the mat\nthe dog ran\n", r"text without vectors.*the cat sat.*fastw2v train"),
    "csv": (b"word,count\nthe,5\n", "text without vectors"),
    "one line": ("한국어 문장 하나".encode() * 1_000_000, "text without vectors"),
    "encoded corpus": (b"\x89w2v\r\n\x1a\n" + bytes(120), "an encoded corpus; train on it"),
    "pickle": (pickle.dumps({"cat": [1.0]}), "a pickle; if gensim wrote it, use format='gensim'"),
    "utf-16": ("2 2\ncat 1 2\n".encode("utf-16"), "UTF-16 text; convert it to UTF-8 first"),
    "utf-16 without a mark": ("2 2\ncat 1 2\n".encode("utf-16-le"), "UTF-16 text; convert it to UTF-8 first"),
    "packed twice": (gzip.compress(bz2.compress(TEXT)), "a file that was compressed twice"),
    "html": (b"<!DOCTYPE html><html>Not found</html>", "a web page; download the file itself"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "npy": (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "a NumPy array without words"),
}


@pytest.mark.parametrize("kind", NOT_VECTORS)
@pytest.mark.parametrize("name", ["x.txt", "x.bin", "x.vec", "x.zip", "x.model", "x.safetensors", "x.npz", "x.glove"])
def test_other_files_are_named(tmp_path: Path, kind: str, name: str) -> None:
    data, message = NOT_VECTORS[kind]
    (tmp_path / name).write_bytes(data)
    for load in (read, KeyedVectors.load_word2vec_format, WordVectors.load):
        with pytest.raises(FormatError, match=message) as error:
            load(tmp_path / name)
        assert len(str(error.value)) < 400
        assert str(error.value).startswith(str(tmp_path / name))


def test_errors_name_the_parameters_of_gensim(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"1 2\ncaf\xe9 1 2\n")
    with pytest.raises(FormatError, match=r"Otherwise, use unicode_errors='surrogateescape'.* or unicode_errors='repl"):
        KeyedVectors.load_word2vec_format(path)
    with pytest.raises(ValueError, match=r"^unicode_errors is 'xmlcharrefreplace'; it must be one of"):
        KeyedVectors.load_word2vec_format(path, unicode_errors="xmlcharrefreplace")
    path.write_bytes(b"-1 2\n3 4\n")
    with pytest.raises(FormatError, match=r"use no_header=True$"):
        KeyedVectors.load_word2vec_format(path)
    for suffix, advice in (("bin", "binary=True"), ("txt", "binary=False"), ("glove", "no_header=True"), ("npz", None)):
        some_vectors().save(tmp_path / f"y.{suffix}")
        caplog.clear()
        read(tmp_path / f"y.{suffix}", format="safetensors")
        named = f" (load_word2vec_format: {advice})" if advice else ""
        assert caplog.messages[0].endswith(f"is read as such; use format='{suffix}'{named}")


def test_a_model_is_no_other_file_of_vectors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.model"
    for data in (b"3 1\ncat 1\ndog 2\ncat 3\n", gzip.compress(TEXT)):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="contains vectors, not a model"):
            Word2Vec.load(path)
    assert not caplog.messages


def test_an_encoded_corpus_of_ours_is_named(tmp_path: Path) -> None:
    Corpus.from_sentences([["the", "cat"]], min_count=1).save(tmp_path / "x.bin")
    with pytest.raises(FormatError, match="an encoded corpus"):
        read(tmp_path / "x.bin")


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.txt", TEXT),
        ("x.vec", TEXT),
        ("x.bin", TEXT),
        ("x.glove", TEXT[4:]),
        ("x.txt", b"cat 1.0 2.0\ndog 3.0 4.0\n"),
    ],
)
def test_byte_order_marks_are_skipped(tmp_path: Path, name: str, data: bytes) -> None:
    for marked in (MARK + data, gzip.compress(MARK + data), MARK + data.replace(b"\n", b"\r\n")):
        (tmp_path / name).write_bytes(marked)
        assert_same(WordVectors.load(tmp_path / name), ["cat", "dog"], np.array([[1, 2], [3, 4]], "f4"))
    (tmp_path / name).write_bytes(MARK + data.replace(b"dog 3", b"dog x"))
    lines = 2 + data.startswith(b"2 2")
    with pytest.raises(FormatError, match=f"line {lines} is b'dog x"):
        WordVectors.load(tmp_path / name)


def test_byte_order_marks_of_projector_files(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes(MARK + b"1\t2\n3\t4\n")
    for words in (b"cat\ndog\n", b"word\tcount\ncat\t2\ndog\t1\n"):
        (tmp_path / "x.metadata.tsv").write_bytes(MARK + words)
        assert_same(WordVectors.load(tmp_path / "x.tsv"), ["cat", "dog"], np.array([[1, 2], [3, 4]], "f4"))


@pytest.mark.parametrize("name", ["x.glove", "x.tsv"])
def test_a_word_that_starts_with_a_byte_order_mark(tmp_path: Path, name: str) -> None:
    ours = WordVectors(["\ufeff", "\ufeffcat"], MATRIX[:2])
    ours.save(tmp_path / name)
    assert_same(WordVectors.load(tmp_path / name), ours.index_to_key, MATRIX[:2])
    with pytest.raises(FormatError, match="starts with a byte order mark"):
        WordVectors(["\ufeffcat"], MATRIX[:1]).save(tmp_path / name)
    WordVectors(["\ufeffcat"], MATRIX[:1], counts=[1]).save(tmp_path / "with-header.tsv")
    assert WordVectors.load(tmp_path / "with-header.tsv").index_to_key == ["\ufeffcat"]


ENCODINGS = {
    "cp949": ["고양이", "강아지", "자동차"],
    "gb18030": ["中文", "我们", "词向量"],
    "cp932": ["こんにちは", "カタカナ", "ねこ"],
    "cp1252": ["café", "naïve", "über"],
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["x.txt", "x.bin", "x.glove", "x.tsv"])
def test_words_in_other_encodings(tmp_path: Path, encoding: str, name: str) -> None:
    words = ENCODINGS[encoding]
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    encoded = [word.encode(encoding) for word in words]
    path = tmp_path / name
    if name == "x.bin":
        rows = (word + b" " + row.tobytes() + b"\n" for word, row in zip(encoded, matrix, strict=True))
        path.write_bytes(b"3 2\n" + b"".join(rows))
    elif name == "x.tsv":
        path.write_bytes(b"0\t1\n2\t3\n4\t5\n")
        (tmp_path / "x.metadata.tsv").write_bytes(b"\n".join(encoded) + b"\n")
    else:
        rows = (word + b" %.1f %.1f\n" % tuple(row) for word, row in zip(encoded, matrix, strict=True))
        path.write_bytes((b"3 2\n" if name == "x.txt" else b"") + b"".join(rows))
    with pytest.raises(FormatError, match=rf"is not UTF-8.*encoding='{encoding}'.*errors='surrogateescape'"):
        WordVectors.load(path)
    assert_same(WordVectors.load(path, encoding=encoding), words, matrix)
    if name != "x.tsv":
        kind = {"binary": name == "x.bin", "no_header": name == "x.glove"}
        assert_same(KeyedVectors.load_word2vec_format(path, encoding=encoding, **kind), words, matrix)
    with pytest.raises(FormatError, match="is not ascii"):
        read(path, encoding="ascii")
    with pytest.raises(ValueError, match="encoding is 'utf-16'"):
        read(path, encoding="utf-16")
    with pytest.raises(ValueError, match="errors is 'foo'; it must be one of 'strict'"):
        read(path, errors="foo")


LONG = b"x" * 5_000_000


@pytest.mark.parametrize(
    "data",
    [
        LONG,
        LONG + b"\n",
        b"2 2\n" + LONG,
        b"1 2\n" + LONG + b" 1 x\n",
        LONG + b" 1 2\n",
        b"2 1\n" + 2 * (LONG[:1000] + b" 1\n"),
        b"1 2\n" + b"\xff" * 1000 + b" 1 2\n",
    ],
    ids=["no line", "one line", "after a header", "long row", "no header", "long duplicates", "not UTF-8"],
)
@pytest.mark.parametrize("name", ["x.txt", "x.bin", "x.glove", "x.npz", "x.safetensors", "x.model", "x.kv"])
def test_messages_stay_short(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError) as error:
        WordVectors.load(tmp_path / name)
    assert len(str(error.value)) < 500
    assert str(error.value).startswith(str(tmp_path / name))
