"""The binary format: rows that are found in windows of the file, and words with spaces."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fastw2v.formats import word2vec_bin
from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same


def test_newline_bytes_inside_values_are_no_row_ends(tmp_path: Path) -> None:
    """The bytes of values may be those of spaces and newlines."""
    matrix = np.frombuffer(b"\n\n\n\n    \n \n ", dtype="<f4").reshape(1, 3).repeat(4, axis=0).astype(np.float32)
    for end in (b"", b"\n"):
        rows = (b"w%d " % i + matrix[i].tobytes() + end for i in range(4))
        (tmp_path / "x.bin").write_bytes(b"4 3\n" + b"".join(rows))
        assert_same(WordVectors.load(tmp_path / "x.bin"), ["w0", "w1", "w2", "w3"], matrix)


@pytest.mark.parametrize("phrase", ["new york", "a b", "new yor", "of the people"])
def test_a_binary_file_with_a_spaced_word_is_refused_not_shifted(tmp_path: Path, phrase: str) -> None:
    """A reader would interpret the rest of the word as values and be back in step one row later."""
    from gensim.models import KeyedVectors

    words = [*WORDS, phrase, "after", "this", phrase + "er", "again"]
    matrix = np.random.default_rng(2).normal(size=(len(words), 20)).astype(np.float32)
    theirs = KeyedVectors(20)
    theirs.add_vectors(words, matrix)
    theirs.save_word2vec_format(str(tmp_path / "x.bin"), binary=True)
    for errors in ("strict", "surrogateescape", "replace"):
        with pytest.raises(FormatError, match="a word that contains a space"):
            WordVectors.load(tmp_path / "x.bin", errors=errors)


@pytest.mark.parametrize("rounds", [20, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("tail", ["b", "of", "yor", "york", "b c", "ét", "people of the year"])
@pytest.mark.parametrize("scale", [0.005, 0.3, 10])
def test_a_single_spaced_word_is_found(tmp_path: Path, tail: str, scale: float, rounds: int) -> None:
    """The word is found even if the bytes that are added to the next word happen to be text."""
    rng = np.random.default_rng(7)
    for _ in range(rounds):
        matrix = (rng.normal(size=(3, 16)) * scale).astype(np.float32)
        texts = matrix.view(np.uint8).reshape(3, -1).copy()
        gained = texts[:, -len(tail.encode()) - 1 :]
        gained[...] = np.where(np.arange(-gained.shape[1], 0) % 4 == 3, ord("="), rng.integers(48, 58, gained.shape))
        for values in (matrix, texts.view("<f4")):
            rows = zip(["x", "new " + tail, "after-the-war-years"], values, strict=True)
            data = b"3 16\n" + b"".join(word.encode() + b" " + row.tobytes() for word, row in rows)
            (tmp_path / "x.bin").write_bytes(data)
            with pytest.raises(FormatError, match=r"x\.bin"):
                WordVectors.load(tmp_path / "x.bin")


def test_values_that_look_like_text_are_no_spaced_word(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    for dims in (1, 2, 3, 50):
        matrix = rng.normal(size=(3000, dims)).astype(np.float32)
        raw = matrix.view(np.uint8).reshape(3000, dims, 4)
        raw[:, 0, 0], raw[:, 0, 1] = ord("b"), ord(" ")
        words = [f"a-rather-long-word-{i}" for i in range(3000)]
        WordVectors(words, matrix).save(tmp_path / "x.bin")
        assert_same(WordVectors.load(tmp_path / "x.bin"), words, matrix)


def test_words_in_another_encoding(tmp_path: Path) -> None:
    """The C tool writes the bytes that it has read, in any encoding."""
    rows = [word.encode("latin-1") + b" " + struct.pack("<f", 1) + b"\n" for word in ("</s>", "été", "ça")]
    (tmp_path / "x.bin").write_bytes(b"3 1\n" + b"".join(rows))
    with pytest.raises(FormatError, match=r"row 2, .* is not UTF-8"):
        WordVectors.load(tmp_path / "x.bin")
    kept = WordVectors.load(tmp_path / "x.bin", errors="surrogateescape").index_to_key
    assert [word.encode("utf-8", "surrogateescape").decode("latin-1") for word in kept] == ["</s>", "été", "ça"]


@pytest.mark.parametrize("window", [1, 40, 200])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_binary_does_not_depend_on_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int, end: bytes
) -> None:
    """The result also does not depend on the position of a row, or of a word longer than a window, in the window."""
    monkeypatch.setattr(word2vec_bin, "_WINDOW", window)
    words = [*WORDS[:4], "x" * 500, *WORDS[5:]]
    rows = [word.encode() + b" " + row.tobytes() + end for word, row in zip(words, MATRIX, strict=True)]
    path = tmp_path / "x.bin"
    path.write_bytes(b"7 3\n" + b"".join(rows))
    assert_same(WordVectors.load(path), words, MATRIX)
    for limit in (1, 3, 7, 9):
        assert_same(WordVectors.load(path, limit=limit), words[:limit], MATRIX[:limit])
    path.write_bytes(b"7 3\n" + b"".join(rows)[:-2])
    with pytest.raises(FormatError, match=r"row 7 of 7 .* truncated"):
        WordVectors.load(path)
    path.write_bytes(b"7 3\n" + b"".join(rows[:3]) + b"x" * 900)
    with pytest.raises(FormatError, match=r"row 4 of 7 .* truncated"):
        WordVectors.load(path)
    path.write_bytes(b"1 3\n" + b"x" * 900)
    with pytest.raises(FormatError, match=r"row 1 of 1 .* truncated"):
        WordVectors.load(path)
    path.write_bytes(b"7 3\n" + b"".join([*rows[:3], b"z" + rows[3], b"\n" + rows[4], *rows[5:]]))
    place = 4 + sum(map(len, rows[:4])) + 1
    with pytest.raises(FormatError, match=rf"row 5 of 7, at byte {place:,}, .* not a word"):
        WordVectors.load(path)


def test_more_dimensions_than_can_be_read(tmp_path: Path) -> None:
    with (tmp_path / "x.bin").open("wb") as file:
        file.write(b"1 600000000\na ")
        file.truncate(2_400_000_100)  # a hole, which takes no space on disk
    with pytest.raises(FormatError, match="600000000 dimensions; at most 536,870,911"):
        WordVectors.load(tmp_path / "x.bin")
