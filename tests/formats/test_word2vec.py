"""word2vec's two formats: equality with gensim's bytes, and everything that can be wrong with a file."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same, some_vectors

BIN_GENSIM = b"2 2\n" + b"a " + struct.pack("<2f", 1, -0.5) + "é ".encode() + struct.pack("<2f", 0.1, 3e20)
BIN_C = b"2 2\n" + b"a " + struct.pack("<2f", 1, -0.5) + "\né ".encode() + struct.pack("<2f", 0.1, 3e20) + b"\n"
TXT = "2 2\na 1.0 -0.5\né 0.1 3e+20\n".encode()
TXT_C = "2 2\na 1.000000 -0.500000 \né 0.100000 300000000000000000000.000000 \n".encode()
TXT_CRLF = "2 2\r\na 1 -0.5\r\né 0.1 3e20\r\n\r\n".encode()
TINY = np.array([[1, -0.5], [0.1, 3e20]], dtype=np.float32)


@pytest.mark.parametrize(("name", "data"), [("x.bin", BIN_GENSIM), ("x.txt", TXT), ("x.vec", TXT)])
def test_written_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    WordVectors(["a", "é"], TINY).save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == data
    assert_same(WordVectors.load(tmp_path / name), ["a", "é"], TINY)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.bin", BIN_GENSIM),
        ("x.bin", BIN_C),
        ("x.BIN", BIN_C.removesuffix(b"\n")),
        ("x.bin", BIN_GENSIM + b"\n"),
        ("x.txt", TXT),
        ("x.vec", TXT_C),
        ("x.txt", TXT_CRLF),
    ],
)
def test_read_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert_same(WordVectors.load(tmp_path / name), ["a", "é"], TINY)
    assert_same(WordVectors.load(str(tmp_path / name)), ["a", "é"], TINY)


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_gensim_reads_ours(tmp_path: Path, suffix: str) -> None:
    from gensim.models import KeyedVectors

    path = tmp_path / f"x.{suffix}"
    some_vectors().save(path)
    theirs = KeyedVectors.load_word2vec_format(str(path), binary=suffix == "bin")
    assert theirs.index_to_key == WORDS
    assert theirs.vectors.tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_ours_reads_gensim(tmp_path: Path, suffix: str) -> None:
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(3)
    theirs.add_vectors(WORDS, MATRIX)
    theirs.save_word2vec_format(str(tmp_path / f"x.{suffix}"), binary=suffix == "bin")
    assert_same(WordVectors.load(tmp_path / f"x.{suffix}"), WORDS, MATRIX)


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_values_beyond_float32_are_refused(tmp_path: Path, suffix: str) -> None:
    matrix = np.array([[1.0, np.inf], [1e39, np.nan]])
    with pytest.raises(FormatError, match=r"the value 1e\+39 in row 1 is too large for float32.*safetensors"):
        WordVectors(["a", "b"], matrix).save(tmp_path / f"x.{suffix}")
    matrix[1, 0] = 1 / 3
    WordVectors(["a", "b"], matrix).save(tmp_path / f"x.{suffix}")
    assert_same(WordVectors.load(tmp_path / f"x.{suffix}"), ["a", "b"], matrix.astype(np.float32))


@pytest.mark.parametrize("suffix", ["bin", "txt"])
@pytest.mark.parametrize("word", ["new york", "a\n", "\t", "a\rb", "nul\0", ""])
def test_a_refused_word_is_named_and_nothing_is_written(tmp_path: Path, suffix: str, word: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_text("what was there")
    with pytest.raises(FormatError) as caught:
        WordVectors(["ok", word], np.ones((2, 2))).save(path)
    assert repr(word) in str(caught.value) or "the empty word" in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "what was there"


def test_words_that_are_no_unicode(tmp_path: Path) -> None:
    """The C tool cuts long words in the middle of a character."""
    data = b"2 1\n\xe6\x97 " + struct.pack("<f", 1) + b"\xe6 " + struct.pack("<f", 2)
    (tmp_path / "cut.bin").write_bytes(data)
    (tmp_path / "cut.txt").write_bytes(b"2 1\n\xe6\x97 1.0\n\xe6 2.0\n")
    for name in ("cut.bin", "cut.txt"):
        with pytest.raises(FormatError, match=r"row 1, .* is not UTF-8: .*surrogateescape"):
            WordVectors.load(tmp_path / name)
        kept = WordVectors.load(tmp_path / name, errors="surrogateescape")
        for copy in ("copy.safetensors", "copy" + name[-4:]):
            kept.save(tmp_path / copy)
            again = WordVectors.load(tmp_path / copy, errors="surrogateescape")
            assert_same(again, kept.index_to_key, kept.vectors)
        assert (tmp_path / ("copy" + name[-4:])).read_bytes() == (tmp_path / name).read_bytes()
        with pytest.raises(FormatError, match="occurs twice"):
            WordVectors.load(tmp_path / name, errors="replace")
    for suffix in ("bin", "txt", "safetensors"):
        with pytest.raises(FormatError, match="not valid Unicode"):
            WordVectors(["\ud800"], np.ones((1, 1))).save(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("suffix", ["bin", "txt"])
@pytest.mark.parametrize(
    "header",
    [
        "-2 2",
        "2 -2",
        "2",
        "",
        "2 2 2",
        "two 2",
        "2.0 2",
        "1e9 2",
        "0 2",
        "2 0",
        "3 2",
        "999999999999 300",
        "2 999999999999",
        "999999999999999999 999999999999999999",
        "9" * 3000 + " 2",
        "\0",
    ],
)
def test_bad_headers_cost_nothing(tmp_path: Path, suffix: str, header: str) -> None:
    path = tmp_path / f"x.{suffix}"
    body = (BIN_GENSIM if suffix == "bin" else TXT).partition(b"\n")[2]
    path.write_bytes(header.encode() + b"\n" + body)
    read_dummy = tmp_path / "warm.bin"
    read_dummy.write_bytes(BIN_GENSIM)
    WordVectors.load(read_dummy)
    tracemalloc.start()
    with pytest.raises(FormatError, match=f"x.{suffix}: "):
        WordVectors.load(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.bin", b"", "the file is empty"),
        ("x.bin", b"\xba\x16\x4f\x2f\x0c\0\0\0 model", "cannot read this fastText model"),
        ("x.bin", pickle.dumps({}), "this is a pickle; if gensim wrote it"),
        ("x.txt", b"the 1 -2e-3 0.3\nof 1 2 3\n", "GloVe"),
        ("x.bin", BIN_GENSIM + b"more", "more data follows the last row, b'more'"),
        ("x.txt", TXT + b"b 1 2\n", "more data follows"),
        ("x.bin", BIN_C.replace(b"\n\xc3", b"\n\n\xc3"), "row 2 of 2, at byte .* not a word"),
        ("x.bin", BIN_C.replace(b"2 2", b"1 2"), "more data follows"),
        ("x.bin", BIN_GENSIM.replace("é".encode(), b"a"), "'a' occurs twice, in rows 1 and 2"),
        ("x.txt", TXT.replace("é".encode(), b"a"), "'a' occurs twice, in rows 1 and 2"),
        ("x.txt", b"2 2\na 1 2\nb 1 x\n", "line 3 is b'b 1 x.*not a word and 2 float32 numbers"),
        ("x.txt", b"2 2\na 1 2\nb 1.25\n", "line 3"),
        ("x.txt", b"2 2\na 1 2\n\nb 1 2\n", "line 3"),
        ("x.txt", b"2 2\na 1 2\nb 1 2 3\n", "line 3"),
        ("x.txt", b"1 2\na 1 1_0\n", "line 2"),
        ("x.txt", b"1 2\na 1 1e39\n", "line 2"),
        ("x.txt", b"1 2\na 1 2\n" + b"\n" * 100 + b"b 1 2\n", "more data follows"),
        ("x.bin", BIN_GENSIM + b"\n" * 100, "more data follows"),
        ("x.txt", b"1 2\n 1.5 2.5\n", "line 2"),
        ("x.txt", b"2 2\na 1 2\nb 1.5 2.5", "does not end with a newline"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=message):
        WordVectors.load(tmp_path / name)
