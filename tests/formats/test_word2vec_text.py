"""The text formats of word2vec, fastText and GloVe: lines and numbers in every form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.formats import word2vec_text
from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same


def test_text_is_parsed_from_the_right(tmp_path: Path) -> None:
    (tmp_path / "x.vec").write_bytes(b"3 2\nnew york 1 2\n. . . 3 4\n 5 6 7\n".replace(b"\n 5", b"\n5x y"))
    assert_same(
        WordVectors.load(tmp_path / "x.vec"), ["new york", ". . .", "5x y"], np.array([[1, 2], [3, 4], [6, 7]], "f")
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
def test_text_keeps_every_float32(tmp_path_factory: pytest.TempPathFactory, bits: list[int]) -> None:
    matrix = np.array([bits], dtype=np.uint32).view(np.float32)
    matrix[np.isnan(matrix)] = np.nan  # the payload of a NaN is not written as text
    path = tmp_path_factory.getbasetemp() / "floats.txt"
    WordVectors(["w"], matrix).save(path)
    assert WordVectors.load(path).vectors.tobytes() == matrix.tobytes()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim leaves the file open
def test_glove_files(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    lines = [f"{word} " + " ".join(f"{number:.6f}" for number in row) for word, row in zip(WORDS, MATRIX, strict=True)]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "glove.txt"), binary=False, no_header=True)
    for ours in (WordVectors.load(tmp_path / "glove.txt"), WordVectors.load(tmp_path / "glove.txt", format="glove")):
        assert_same(ours, theirs.index_to_key, theirs.vectors)
    (tmp_path / "x.glove").write_text("1 2 3\n4 5 6\n\n")
    assert_same(WordVectors.load(tmp_path / "x.glove"), ["1", "4"], np.array([[2, 3], [5, 6]], "f"))
    for text, message in [
        ("a 2 3\nb 5\n", r"line 2 .* 2 float32 numbers"),
        ("a 2 3\nb 5 6", "does not end with a newline"),
        ("a\nb\n", "text without vectors"),
        ("1\n2\n", "not a word and numbers"),
    ]:
        (tmp_path / "x.glove").write_text(text)
        with pytest.raises(FormatError, match=message):
            WordVectors.load(tmp_path / "x.glove")


def test_no_first_line_is_taken_for_another(tmp_path: Path) -> None:
    """A damaged header must not be read as the first row of a file without a header."""
    for header in (b"2 2 2", b"2.0 2", b"2 2.0 x", b"-2 2"):
        (tmp_path / "x.txt").write_bytes(header + b"\na 1.0 2.0\nb 3.0 4.0\n")
        with pytest.raises(FormatError):
            WordVectors.load(tmp_path / "x.txt")


@pytest.mark.parametrize("chunk", [1, 40, 200])
def test_text_does_not_depend_on_the_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    words = [*WORDS[:5], "x=1", "of"]
    WordVectors(words, MATRIX).save(tmp_path / "x.txt")
    monkeypatch.setattr(word2vec_text, "_CHUNK", chunk)
    assert_same(WordVectors.load(tmp_path / "x.txt"), words, MATRIX)
    for limit in (1, 3, 7, 9):
        assert_same(WordVectors.load(tmp_path / "x.txt", limit=limit), words[:limit], MATRIX[:limit])
    text = (tmp_path / "x.txt").read_bytes().replace(b"\nx=1 ", b"\nx=1 z ")
    (tmp_path / "x.txt").write_bytes(text.replace(b"\n", b" \t\r\n"))
    assert_same(WordVectors.load(tmp_path / "x.txt"), [*WORDS[:5], "x=1 z", "of"], MATRIX)
    (tmp_path / "x.txt").write_bytes(text.replace(b"\nof ", b"\nof 1.5 "))
    with pytest.raises(FormatError, match=r"line 8 is b.of 1\.5"):
        WordVectors.load(tmp_path / "x.txt")
    (tmp_path / "x.txt").write_bytes(text.replace(b"\n", b" " * 30 + b"\n", 3))
    assert len(WordVectors.load(tmp_path / "x.txt")) == 7


DIGITS = st.text("0123456789", min_size=1, max_size=12)
NUMBERS = st.one_of(
    st.builds("{}{}.{}{}".format, st.sampled_from(["", "-"]), DIGITS, DIGITS, st.sampled_from(["", "e-05", "e-12"])),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), st.sampled_from("0123456789"), DIGITS),
    st.floats(width=32).map(lambda value: str(np.float32(value))),
    st.sampled_from(["1", "-0", "0.0", "-0.0", "1e3", "1E-3", ".5", "5.", "nan", "-inf", "0.00000000000001", "1e-45"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_numbers_are_what_python_makes_of_them(numbers: list[str]) -> None:
    with np.errstate(over="ignore"):
        expected = np.array([float(number) for number in numbers]).astype(np.float32)
    if np.isinf(expected[[("inf" not in number) for number in numbers]]).any():
        return
    _, matrix = word2vec_text.parse_rows(("w " + " ".join(numbers) + "\n").encode(), len(numbers))
    assert matrix.shape == (1, len(numbers))
    assert (matrix[0].view("u4") == expected.view("u4")).all()


@pytest.mark.parametrize(
    "number", ["", "x", "1_0", "1e", "--1", "1.2.3", "0x10", "1,5", "1e39", "1e999", "1.5\t", "e-05", "1.e-x5"]
)
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(IndexError):
        word2vec_text.parse_rows(f"w 0.5 {number} 0.5\n".encode(), 3)


def test_millions_of_numbers_as_python(tmp_path: Path) -> None:
    """Numbers of every size are parsed as Python parses them, as written by different programs."""
    rng = np.random.default_rng(1)
    matrix = (rng.normal(size=(400, 50)) * 10.0 ** rng.uniform(-9, 3, size=(400, 50))).astype(np.float32)
    for form in ("{}", "{:.6f}", "{:.5g}", "{:.9e}", "{:.17f}"):
        rows = [[form.format(number) for number in row] for row in matrix]
        text = "".join(f"w{i} " + " ".join(row) + " \n" for i, row in enumerate(rows))
        (tmp_path / "x.vec").write_text("400 50\n" + text)
        expected = np.array([[float(number) for number in row] for row in rows]).astype(np.float32)
        assert WordVectors.load(tmp_path / "x.vec").vectors.tobytes() == expected.tobytes()
