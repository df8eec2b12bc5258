"""Text, token lists and arrays become the same corpus; bad input is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v import corpus as corpus_module
from fastw2v import text as text_module
from fastw2v.corpus import Corpus, create_contexts_target, preprocess
from fastw2v.vocab import Vocabulary

SENTENCES = [["b", "a", "b"], ["c"], ["a", "b", "d", "a"], [], ["e", "e", "e", "e"]]


def by_hand(sentences: list[list[str]], min_count: int) -> list[list[str]]:
    counts = Counter(word for sentence in sentences for word in sentence)
    kept = [[word for word in sentence if counts[word] >= min_count] for sentence in sentences]
    return [sentence for sentence in kept if sentence]


def words_of(corpus: Corpus) -> list[list[str]]:
    ends = zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)
    return [[corpus.vocabulary.words[i] for i in corpus.ids[start:end]] for start, end in ends]


def text_file(folder: Path, content: bytes, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_known_rows():
    corpus = Corpus.from_sentences(SENTENCES, min_count=2)
    assert corpus.vocabulary.words == ["e", "b", "a"]
    np.testing.assert_array_equal(corpus.vocabulary.counts, [4, 3, 3])
    np.testing.assert_array_equal(corpus.ids, [1, 2, 1, 2, 1, 2, 0, 0, 0, 0])
    np.testing.assert_array_equal(corpus.offsets, [0, 3, 6, 10])
    assert corpus.ids.dtype == np.int32
    assert corpus.offsets.dtype == np.int64
    assert len(corpus) == 10
    assert corpus.n_sentences == 3
    assert repr(corpus) == "<Corpus of 10 tokens in 3 sentences, 3 words>"


@pytest.mark.parametrize("min_count", [0, 1, 2, 4])
def test_text_and_sentences_give_the_same(tmp_path: Path, min_count: int):
    path = text_file(tmp_path, "\n".join(" ".join(sentence) for sentence in SENTENCES).encode())
    from_text = Corpus.from_text(path, min_count=min_count)
    from_sentences = Corpus.from_sentences(iter(SENTENCES), min_count=min_count)
    assert words_of(from_text) == words_of(from_sentences) == by_hand(SENTENCES, min_count)
    assert from_text.vocabulary == from_sentences.vocabulary


@given(
    text=st.text(st.sampled_from("ab é한\n\r\t\v\f\x1c\x85\u00a0\u2028\u3000"), max_size=60),
    block=st.integers(min_value=1, max_value=9),
    min_count=st.integers(min_value=1, max_value=3),
)
def test_blocks_of_any_size_equal_splitting_each_line(tmp_path_factory, text: str, block: int, min_count: int):
    path = text_file(tmp_path_factory.mktemp("text"), text.encode())
    expected = by_hand([line.split() for line in text.split("\n")], min_count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block)
        patch.setattr(corpus_module, "BLOCK_TOKENS", block)
        if expected:
            assert words_of(Corpus.from_text(path, min_count)) == expected
            sentences = (line.split() for line in text.split("\n"))
            assert words_of(Corpus.from_sentences(sentences, min_count)) == expected
        else:
            with pytest.raises(ValueError, match=r"is empty|no words|no word occurs"):
                Corpus.from_text(path, min_count)


def test_one_endless_line_is_one_sentence(tmp_path: Path):
    words = [f"word{i % 1000}" for i in range(700_000)]
    content = " ".join(words).encode()
    assert len(content) > text_module.BLOCK_BYTES
    corpus = Corpus.from_text(text_file(tmp_path, content))
    np.testing.assert_array_equal(corpus.ids, np.arange(700_000) % 1000)
    np.testing.assert_array_equal(corpus.offsets, [0, 700_000])


def test_byte_order_mark_and_carriage_returns_are_no_part_of_words(tmp_path: Path):
    path = text_file(tmp_path, b"\xef\xbb\xbfone two\r\ntwo one\r\n")
    assert words_of(Corpus.from_text(path, min_count=2)) == [["one", "two"], ["two", "one"]]


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".xz", lzma), (".bz2", bz2)])
def test_compressed_text(tmp_path: Path, suffix: str, module: Any):
    content = module.compress(b"one two\ntwo one\n" * 100)
    path = text_file(tmp_path, content, f"corpus.txt{suffix}")
    assert len(Corpus.from_text(path)) == 400
    cut = text_file(tmp_path, content[:-5], f"cut.txt{suffix}")
    with pytest.raises(ValueError, match=r"cut\.txt.* not a whole"):
        Corpus.from_text(cut)
    other = text_file(tmp_path, b"plain text all the same\n", f"plain.txt{suffix}")
    with pytest.raises(ValueError, match=r"plain\.txt.* not a whole"):
        Corpus.from_text(other)


def test_bad_utf8_is_named_by_file_and_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = text_file(tmp_path, b"caf\xc3\xa9 au lait " * 3 + b"caf\xe9 noir")
    for block in (5, 1 << 22):
        monkeypatch.setattr(text_module, "BLOCK_BYTES", block)
        with pytest.raises(ValueError, match=r"corpus\.txt is not UTF-8: byte 45 is 0xe9"):
            Corpus.from_text(path)


def test_missing_empty_and_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        Corpus.from_text(tmp_path / "nowhere.txt")
    with pytest.raises(FileNotFoundError, match="no files in the folder"):
        Corpus.from_text(tmp_path)
    with pytest.raises(ValueError, match="is empty"):
        Corpus.from_text(text_file(tmp_path, b""))
    with pytest.raises(ValueError, match="no words, only white space"):
        Corpus.from_text(text_file(tmp_path, b" \n \n"))
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 10)
    monkeypatch.setattr(text_module, "LONGEST_WORD", 100)
    with pytest.raises(ValueError, match="no white space in the 108 bytes from byte 2 on"):
        Corpus.from_text(text_file(tmp_path, b"a " + b"x" * 1000))


def test_nothing_left_says_how_far_away_it_was():
    message = r"min_count=5.* 12 tokens of 5 words.* 'e', occurs 4 times"
    with pytest.raises(ValueError, match=message):
        Corpus.from_sentences(SENTENCES)


@pytest.mark.parametrize("min_count", [-1, 2.0, None])
def test_min_count_is_checked_first(tmp_path: Path, min_count: Any):
    with pytest.raises(ValueError, match="min_count"):
        Corpus.from_text(tmp_path / "nowhere.txt", min_count=min_count)
    with pytest.raises(ValueError, match="min_count"):
        Corpus.from_sentences([["a"]], min_count=min_count)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ("one long string", r"sentences is a str.*from_text"),
        (Path("corpus.txt"), r"from_text"),
        (["one sentence", "another"], r"sentence 0 is the string 'one sentence'.*split"),
        ([["a"], "b c"], r"sentence 1 is the string"),
        ([[1, 2], [3]], r"integers.*from_ids"),
        (np.array([[1, 2]]), r"integers.*from_ids"),
        ([1, 2, 3], r"sentence 0 is of type int.*from_ids"),
        ([["a", None]], r"type NoneType"),
        ([["a", b"b"]], r"type bytes"),
        ([None], r"sentence 0 is of type NoneType"),
    ],
)
def test_sentences_of_the_wrong_kind(sentences: Any, message: str):
    with pytest.raises(TypeError, match=message):
        Corpus.from_sentences(sentences, min_count=1)


def test_empty_iterable():
    with pytest.raises(ValueError, match="no words"):
        Corpus.from_sentences([])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
def test_ids_without_a_vocabulary(dtype: Any):
    corpus = Corpus.from_ids(np.array([3, 1, 3, 0], dtype=dtype))
    np.testing.assert_array_equal(corpus.ids, [3, 1, 3, 0])
    assert corpus.ids.dtype == np.int32
    np.testing.assert_array_equal(corpus.offsets, [0, 4])
    assert corpus.vocabulary == Vocabulary(["0", "1", "2", "3"], [1, 1, 0, 2])


def test_ids_with_offsets_and_vocabulary():
    vocabulary = Vocabulary(["x", "y"], [2, 3])
    corpus = Corpus.from_ids([1, 0, 1, 0, 1], offsets=np.array([0, 2, 2, 5], dtype=np.uint64), vocabulary=vocabulary)
    assert words_of(corpus) == [["y", "x"], [], ["y", "x", "y"]]
    assert corpus.vocabulary is vocabulary
    assert corpus.offsets.dtype == np.int64


@pytest.mark.parametrize(
    ("ids", "offsets", "error", "message"),
    [
        ([], None, ValueError, "no ids"),
        ([0, -2], None, ValueError, "id -2 at place 1 is negative"),
        ([0, 2], None, ValueError, "id 2 at place 1 is outside the vocabulary of 2"),
        ([0.0, 1.0], None, TypeError, "float64; they must be integers"),
        ([True], None, TypeError, "bool"),
        (["a"], None, TypeError, "must be integers"),
        ([[0, 1]], None, ValueError, "shape"),
        ([0, 1], [0, 1.5, 2], TypeError, "offsets are of type float64"),
        ([0, 1], [0, 1], ValueError, r"from \[0\] to \[1\]"),
        ([0, 1], [1, 2], ValueError, r"from \[1\] to \[2\]"),
        ([0, 1], [], ValueError, "must run from 0"),
        ([0, 1], [0, 2, 1, 2], ValueError, "decrease from 2 to 1 at place 2"),
    ],
)
def test_bad_ids(ids: Any, offsets: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        Corpus.from_ids(np.array(ids), offsets, Vocabulary(["x", "y"], [1, 1]))


@pytest.mark.parametrize("ids", [[5, 2_000_000_000], [2**33], np.array([2**63], dtype=np.uint64)])
def test_sparse_ids_do_not_make_a_giant_vocabulary(ids: Any):
    with pytest.raises(ValueError, match=r"renumber them first: .*np\.unique"):
        Corpus.from_ids(np.array(ids))


def test_preprocess_is_the_textbooks():
    corpus, word_to_id, id_to_word = preprocess("You say goodbye and I say hello.")
    np.testing.assert_array_equal(corpus, [0, 1, 2, 3, 4, 1, 5, 6])
    assert id_to_word == {0: "you", 1: "say", 2: "goodbye", 3: "and", 4: "i", 5: "hello", 6: "."}
    assert word_to_id == {word: i for i, word in id_to_word.items()}
    with pytest.raises(KeyError):
        word_to_id["unknown"]
    with pytest.raises(TypeError, match="list"):
        preprocess(["you", "say"])  # type: ignore[arg-type]


@pytest.mark.parametrize("window", [1, 2, 5])
def test_contexts_and_target_row_by_row(xp: Any, window: int):
    ids = [0, 1, 2, 3, 4, 1, 5, 6, 2, 2, 0, 7]
    contexts, target = create_contexts_target(xp.asarray(ids), window)
    assert contexts.shape == (len(ids) - 2 * window, 2 * window)
    for row in range(contexts.shape[0]):
        t = row + window
        assert [int(contexts[row, c]) for c in range(2 * window)] == ids[t - window : t] + ids[t + 1 : t + window + 1]
        assert int(target[row]) == ids[t]


def test_contexts_of_a_corpus_shorter_than_a_window(xp: Any):
    contexts, target = create_contexts_target(xp.asarray([0, 1, 2]), window_size=2)
    assert contexts.shape == (0, 4)
    assert target.shape == (0,)
    with pytest.raises(ValueError, match="window_size is 0"):
        create_contexts_target(xp.asarray([0, 1, 2]), window_size=0)
