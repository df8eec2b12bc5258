"""The vocabulary: order, counts, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary


def test_from_counts_orders_by_falling_count_then_first_appearance():
    vocabulary = Vocabulary.from_counts({"a": 2, "b": 5, "c": 2, "d": 1, "e": 5}, min_count=2)
    assert vocabulary.words == ["b", "e", "a", "c"]
    np.testing.assert_array_equal(vocabulary.counts, [5, 5, 2, 2])
    assert vocabulary.counts.dtype == np.int64
    assert vocabulary.word_to_id == {"b": 0, "e": 1, "a": 2, "c": 3}


@pytest.mark.parametrize(
    ("choice", "given"),
    [({"min_count": 5}, {"cat": 2, "the": 50}), ({"min_count": 1, "max_vocab": 1}, {"cat": 2, "the": 50})],
)
def test_words_that_are_too_rare_in_the_counts_are_not_called_absent(choice: dict, given: dict) -> None:
    with pytest.raises(ValueError, match=r"1 of the 2 distinct words are in the given counts, .*'cat' has the count 2"):
        Corpus.from_sentences([["cat", "sat"]], counts=given, **choice)


def test_behaves_as_a_container():
    vocabulary = Vocabulary(["the", "cat"], [3, 1])
    assert len(vocabulary) == 2
    assert "cat" in vocabulary
    assert "dog" not in vocabulary
    assert list(vocabulary) == ["the", "cat"]
    assert vocabulary.id_to_word[vocabulary.word_to_id["cat"]] == "cat"
    assert repr(vocabulary) == "<Vocabulary of 2 words, 4 occurrences>"
    assert vocabulary == Vocabulary(["the", "cat"], np.array([3, 1], dtype=np.int32))
    assert vocabulary != Vocabulary(["the", "cat"], [3, 2])
    assert vocabulary != ["the", "cat"]


def test_may_be_empty():
    assert len(Vocabulary.from_counts({"a": 1}, min_count=2)) == 0
    assert len(Vocabulary([], [])) == 0


@pytest.mark.parametrize(
    ("words", "counts", "error", "message"),
    [
        (["a", "a"], [1, 2], ValueError, "'a' occurs twice"),
        (["a"], [1, 2], ValueError, "1 words but 2 counts"),
        (["a"], [-1], ValueError, "-1 is negative"),
        (["a"], [1.5], TypeError, "float64"),
        (["a"], [[1]], ValueError, "shape"),
        ([1.0], [1], TypeError, "word 1.0 is of type float; words must be all strings or all integers"),
        (["a", 1], [1, 1], TypeError, "word 1 is of type int"),
        ([1, "a"], [1, 1], TypeError, "word 'a' is of type str"),
        ([1, True], [1, 1], TypeError, "word True is of type bool"),
        (["a", None], [1, 1], TypeError, "word None is of type NoneType"),
        ([3, np.int64(3)], [1, 1], ValueError, "3 occurs twice"),
    ],
)
def test_refuses_inconsistent_words_and_counts(words, counts, error, message):
    with pytest.raises(error, match=message):
        Vocabulary(words, counts)


def test_files_with_a_byte_order_mark_and_in_another_encoding(tmp_path: Path):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes("\ufeffthe 5\r\n고양이 2\r\n\r\n".encode())
    assert Vocabulary.load(path) == Vocabulary(["the", "고양이"], [5, 2])
    path.write_bytes("the 5\n고양이 2\n".encode("cp949"))
    with pytest.raises(ValueError, match=r"vocabulary\.txt, line 2: not UTF-8: .* It is probably cp949"):
        Vocabulary.load(path)
    for encoding in ("utf-16", "utf-32"):
        path.write_bytes("the 5\n고양이 2\n".encode(encoding))
        with pytest.raises(ValueError, match=rf"line 1: not UTF-8: .* It is probably {encoding}; convert it"):
            Vocabulary.load(path)


def test_save_and_load_return_the_same(tmp_path: Path):
    vocabulary = Vocabulary(["the", "café", "새 말", "\u2028", "\r"], [2**40, 3, 2, 1, 0])
    path = tmp_path / "words.vocab"
    vocabulary.save(path)
    assert path.read_bytes().startswith("the 1099511627776\ncafé 3\n새 말 2\n".encode())
    assert Vocabulary.load(path) == vocabulary
    assert [file.name for file in tmp_path.iterdir()] == ["words.vocab"]


@pytest.mark.parametrize("word", ["", "two\nlines", "\ud800"])
def test_save_refuses_what_the_file_cannot_hold_and_leaves_the_old_file(tmp_path: Path, word: str):
    path = tmp_path / "words.vocab"
    path.write_text("old 1\n")
    with pytest.raises(ValueError):
        Vocabulary([word], [1]).save(path)
    assert path.read_text() == "old 1\n"
    assert [file.name for file in tmp_path.iterdir()] == ["words.vocab"]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"the 5\ncat\n", 2, "expected a word"),
        (b"the 5\ncat many\n", 2, "'cat many'"),
        (b" 5\n", 1, "expected a word"),
        (b"the -5\n", 1, "expected a word"),
        (b"the 99999999999999999999\n", 1, "expected a word"),
        (b"the 9999999999999999999\n", 1, "expected a word"),  # it has 19 digits and does not fit in 64 bits
        (b"the 5\ncat 2\nthe 1\n", 3, "second time"),
        (b"the 5\n\xff 2\n", 2, "not UTF-8"),
    ],
)
def test_load_names_the_file_and_the_line(tmp_path: Path, content: bytes, line: int, reason: str):
    path = tmp_path / "bad.vocab"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        Vocabulary.load(path)
    assert f"{path}, line {line}:" in str(error.value)


def test_words_that_are_not_utf8_are_read_as_asked(tmp_path):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(b"caf\xe9 3\nox 2\n")
    with pytest.raises(ValueError, match="line 1: not UTF-8"):
        Vocabulary.load(path)
    assert Vocabulary.load(path, "ignore").words == ["caf", "ox"]
    assert Vocabulary.load(path, "surrogateescape").words == ["caf\udce9", "ox"]
