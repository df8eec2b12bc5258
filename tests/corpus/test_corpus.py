"""Text, token lists and arrays give the same corpus, and errors name the invalid input."""

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

from fastw2v.corpus import corpus as corpus_module
from fastw2v.corpus import sources
from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.corpus.sources import expand_source
from fastw2v.corpus.vocabulary import Vocabulary

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
        patch.setattr(sources, "BLOCK_BYTES", block)
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
    assert len(content) > sources.BLOCK_BYTES
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
    with pytest.raises(ValueError, match=r"cut\.txt.* is cut short"):
        Corpus.from_text(cut)


def test_bad_utf8_is_named_by_file_and_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = text_file(tmp_path, b"caf\xc3\xa9 au lait " * 3 + b"caf\xe9 noir")
    for block in (5, 1 << 22):
        monkeypatch.setattr(sources, "BLOCK_BYTES", block)
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
    monkeypatch.setattr(sources, "BLOCK_BYTES", 10)
    monkeypatch.setattr(sources, "LONGEST_WORD", 100)
    with pytest.raises(ValueError, match="no white space in the 108 bytes that start at byte 2"):
        Corpus.from_text(text_file(tmp_path, b"a " + b"x" * 1000))


def test_nothing_left_says_how_far_away_it_was():
    message = r"min_count=5 times\. The most frequent of 5 distinct words, 'e', occurs 4 times in 12 tokens\. Lower"
    with pytest.raises(ValueError, match=message):
        Corpus.from_sentences(SENTENCES)


def test_excluding_every_frequent_word_is_told_from_rarity():
    with pytest.raises(
        ValueError, match=r"exclude drops all words that occur at least min_count=4 times\. There is 1 "
    ):
        Corpus.from_sentences(SENTENCES, min_count=4, exclude=["e"])
    with pytest.raises(ValueError, match="'a', occurs 1 time in 1 token"):
        Corpus.from_sentences([["a"]])


@pytest.mark.parametrize(("error", "min_count"), [(ValueError, -1), (TypeError, 2.0), (TypeError, None)])
def test_min_count_is_checked_first(tmp_path: Path, error: type[Exception], min_count: Any):
    with pytest.raises(error, match="min_count"):
        Corpus.from_text(tmp_path / "nowhere.txt", min_count=min_count)
    with pytest.raises(error, match="min_count"):
        Corpus.from_sentences([["a"]], min_count=min_count)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ("one long string", r"sentences is a str.*from_text"),
        (Path("corpus.txt"), r"from_text"),
        (["one sentence", "another"], r"sentence 0 is the string 'one sentence'.*split"),
        ([["a"], "b c"], r"sentence 1 is the string"),
        ([1, 2, 3], r"sentence 0 is 1 of type int.*from_ids"),
        ([["a", None]], r"token 1 of sentence 0 is None of type NoneType; .* all strings or all integers"),
        ([["a", b"b"]], r"token 1 of sentence 0 is b'b' of type bytes"),
        ([["a"], [], ["b", 3]], r"token 1 of sentence 2 is 3 of type int, but the tokens before it are strings"),
        ([[1, 2], [np.int8(3), "a"]], r"token 1 of sentence 1 is 'a' of type str, but .* before it are integers"),
        ([[1.0, 2.0]], r"token 0 of sentence 0 is 1.0 of type float"),
        ([[1, float("nan")]], r"token 1 of sentence 0 is nan of type float"),
        ([[True]], r"token 0 of sentence 0 is True of type bool"),
        ([[1], [0, False]], r"token 1 of sentence 1 is False of type bool"),
        ([np.array([True])], r"token 0 of sentence 0 is True of type bool"),
        ([["a", "b" * 9999, 5.0]], r"token 2 of sentence 0 is 5.0"),
        ([None], r"sentence 0 is None of type NoneType"),
    ],
)
def test_sentences_of_the_wrong_kind(sentences: Any, message: str):
    with pytest.raises(TypeError, match=message):
        Corpus.from_sentences(sentences, min_count=1)


def test_empty_iterable():
    with pytest.raises(ValueError, match="no words"):
        Corpus.from_sentences([])
    sentences = (sentence for sentence in [["a", "b"]])
    assert len(Corpus.from_sentences(sentences, min_count=1)) == 2
    with pytest.raises(ValueError, match=r"no words.* can be read only once"):
        Corpus.from_sentences(sentences, min_count=1)


BASKETS = [[880012, 17, 5], [], [17, 5], [5, 880012, 17, -3]]


@pytest.mark.parametrize(
    "form",
    [
        list,
        iter,
        lambda baskets: tuple(map(tuple, baskets)),
        lambda baskets: [np.array(basket, dtype=np.int64) for basket in baskets],
        lambda baskets: [[np.int32(item) for item in basket] for basket in baskets],
        lambda baskets: (map(int, basket) for basket in baskets),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 1 << 19])
def test_integers_are_words(monkeypatch: pytest.MonkeyPatch, form: Any, block: int):
    monkeypatch.setattr(corpus_module, "BLOCK_TOKENS", block)
    corpus = as_corpus(form(BASKETS), min_count=1)
    assert corpus.vocabulary.words == [17, 5, 880012, -3]
    assert set(map(type, corpus.vocabulary.words)) == {int}
    assert corpus.vocabulary.counts.tolist() == [3, 3, 2, 1]
    assert words_of(corpus) == [basket for basket in BASKETS if basket]
    strings = Corpus.from_sentences([list(map(str, basket)) for basket in BASKETS], min_count=1)
    np.testing.assert_array_equal(strings.ids, corpus.ids)


def test_the_vocabulary_of_integers_is_selected_in_the_same_way(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert Corpus.from_sentences(BASKETS, min_count=3).vocabulary.words == [17, 5]
    assert Corpus.from_sentences(BASKETS, min_count=1, max_vocab=1).vocabulary.words == [17]
    chosen = Corpus.from_sentences(BASKETS, min_count=3, include=[-3, np.int64(99)], exclude=[17])
    assert chosen.vocabulary.words == [5, -3]
    assert "1 word in include cannot be found in the sentences: [99]" in caplog.text
    counted = Corpus.from_sentences(BASKETS, counts={17: 9, np.int64(5): 7})
    assert counted.vocabulary == Vocabulary([17, 5], [9, 7])
    assert len(counted) == 6
    with pytest.raises(ValueError, match=r"none of 4 distinct words.* 17, .* '17'.*strings or integers"):
        Corpus.from_sentences(BASKETS, counts={"17": 9, "5": 7})
    counted.vocabulary.save(tmp_path / "vocabulary.txt")
    assert Vocabulary.load(tmp_path / "vocabulary.txt") == Vocabulary(["17", "5"], [9, 7])
    counted.write_text(tmp_path / "corpus.txt")
    assert (tmp_path / "corpus.txt").read_text() == "17 5\n17 5\n5 17\n"


def test_the_block_of_a_wrong_token_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    sentences: list[list[Any]] = [[], ["a"], ["b", "c"], [], ["d", "e", 6]]
    for block in (1, 2, 3, 100):
        monkeypatch.setattr(corpus_module, "BLOCK_TOKENS", block)
        with pytest.raises(
            TypeError, match=r"token 2 of sentence 4 is 6 of type int, but the tokens before it are str"
        ):
            Corpus.from_sentences(sentences, min_count=1)


def test_long_words_are_shortened_in_messages(tmp_path: Path):
    huge = "x" * 1_000_000
    calls: list[Any] = [
        lambda: Corpus.from_sentences([[huge]]),
        lambda: Corpus.from_sentences([huge]),
        lambda: Corpus.from_sentences([[huge, 3]], 1),
        lambda: Corpus.from_sentences([[3, huge]], 1),
        lambda: Corpus.from_sentences([{huge: huge}]),
        lambda: Corpus.from_sentences([[huge]], counts={huge + "y": 1}),
        lambda: Corpus.from_sentences([[huge]], include=[huge], exclude=[huge]),
        lambda: Corpus.from_sentences([["a"]], include=huge),
        lambda: Corpus.from_sentences([[huge + " "]], 1).write_text(tmp_path / "x.txt"),
        lambda: Corpus.from_sentences([[huge + "\n"]], 1).save(tmp_path / "x.w2v"),
        lambda: Corpus.from_sentences([[huge + "\ud800"]], 1).save(tmp_path / "x.w2v"),
        lambda: Corpus.from_sentences([[huge + "\n"]], 1).vocabulary.save(tmp_path / "x.txt"),
        lambda: Vocabulary([huge, huge], [1, 1]),
        lambda: Vocabulary(["a", [huge]], [1, 1]),  # type: ignore[list-item]
        lambda: Corpus.from_lines([huge.encode()]),  # type: ignore[list-item]
        lambda: Corpus.from_ids([[1], list(range(100_000))]),  # type: ignore[arg-type]
        lambda: Corpus.from_walks(huge),
        lambda: Corpus.from_walks([huge]),
        lambda: Corpus.from_text(huge),
        lambda: Corpus.from_text(huge + "\n"),
        lambda: as_corpus({huge: [["a"]]}),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError, OSError)) as caught:
            call()
        assert len(str(caught.value)) < 500
    (tmp_path / "vocabulary.txt").write_text(f"{huge}\n")
    with pytest.raises(ValueError, match="line 1: expected a word") as caught:
        Vocabulary.load(tmp_path / "vocabulary.txt")
    assert len(str(caught.value)) < 400


def test_counts_of_another_text(caplog: pytest.LogCaptureFixture):
    text = [["the", "cat", "sat"], ["the", "dog", "ran"]]
    with pytest.raises(
        ValueError, match=r"counts of 2 words contain none of 5 distinct words\..*'the', .* 'Die'.*same language"
    ):
        Corpus.from_sentences(text, counts={"Die": 7, "Katze": 5})
    assert len(Corpus.from_sentences(text, counts={"sat": 5, "Katze": 5})) == 1
    assert "the given vocabulary of 2 words contains only 1 of 6 tokens, and the others are left out" in caplog.text
    caplog.clear()
    assert len(Corpus.from_sentences(text, counts={"the": 5, "Katze": 5})) == 2
    assert not caplog.records


def test_sentences_of_a_single_word_are_reported(caplog: pytest.LogCaptureFixture):
    lines = ["one", "two", "three", "four"] * 300
    Corpus.from_lines(lines, min_count=1)
    (record,) = caplog.records
    assert "the 1200 sentences have fewer than two words on average" in record.getMessage()


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
def test_ids_without_a_vocabulary(dtype: Any):
    corpus = Corpus.from_ids(np.array([3, 1, 3, 0], dtype=dtype))
    np.testing.assert_array_equal(corpus.ids, [3, 1, 3, 0])
    assert corpus.ids.dtype == np.int32
    np.testing.assert_array_equal(corpus.offsets, [0, 4])
    assert corpus.vocabulary == Vocabulary([0, 1, 2, 3], [1, 1, 0, 2])


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
        ([0, -2], None, ValueError, "id -2 at index 1 is negative"),
        ([0, 2], None, ValueError, "id 2 at index 1 is outside the vocabulary of 2"),
        ([0.0, 1.0], None, TypeError, "float64; they must be integers"),
        ([True], None, TypeError, "bool"),
        (["a"], None, TypeError, "must be integers"),
        ([[0, 1]], None, ValueError, "shape"),
        ([0, 1], [0, 1.5, 2], TypeError, "offsets are of type float64"),
        ([0, 1], [0, 1], ValueError, r"from \[0\] to \[1\]"),
        ([0, 1], [1, 2], ValueError, r"from \[1\] to \[2\]"),
        ([0, 1], [], ValueError, "must run from 0"),
        ([0, 1], [0, 2, 1, 2], ValueError, "decrease from 2 to 1 at index 2"),
    ],
)
def test_bad_ids(ids: Any, offsets: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        Corpus.from_ids(np.array(ids), offsets, Vocabulary(["x", "y"], [1, 1]))


@pytest.mark.parametrize("ids", [[5, 2_000_000_000], [2**33], np.array([2**63], dtype=np.uint64)])
def test_sparse_ids_do_not_make_a_giant_vocabulary(ids: Any):
    with pytest.raises(ValueError, match=r"renumber the ids first: .*np\.unique"):
        Corpus.from_ids(np.array(ids))


def test_which_words_are_taken():
    take = lambda **choice: Corpus.from_sentences(SENTENCES, **choice).vocabulary.words  # noqa: E731
    assert take(min_count=2, max_vocab=2) == ["e", "b"]
    assert take(min_count=1, max_vocab=3) == ["e", "b", "a"]
    assert take(min_count=4, include=["c", "a"]) == ["e", "a", "c"]
    assert take(min_count=1, max_vocab=2, include=["d"]) == ["e", "d"]
    assert take(min_count=1, max_vocab=1, include=["c", "d"]) == ["c", "d"]
    assert take(min_count=3, exclude=["e"]) == ["b", "a"]
    corpus = Corpus.from_sentences(SENTENCES, min_count=1, exclude=["b", "e"])
    assert words_of(corpus) == [["a"], ["c"], ["a", "d", "a"]]


@pytest.mark.parametrize("form", ["dict", "vocabulary", "file"])
def test_counts_from_elsewhere(tmp_path: Path, form: str):
    given = {"a": 70, "new": 50, "b": 50, "c": 3}
    counts: Any = given
    if form != "dict":
        counts = Vocabulary(list(given), list(given.values()))
    if form == "file":
        counts.save(tmp_path / "counts.txt")
        counts = tmp_path / "counts.txt"
    path = text_file(tmp_path, b"a b c x\nx\nb")
    corpus = Corpus.from_text(path, counts=counts)
    assert corpus.vocabulary == Vocabulary(["a", "new", "b"], [70, 50, 50])
    assert words_of(corpus) == [["a", "b"], ["b"]]
    assert Corpus.from_text(path, counts=counts, max_vocab=1).vocabulary.words == ["a"]
    with pytest.raises(ValueError, match="contain none of 1 distinct word"):
        Corpus.from_sentences([["x"]], counts=counts)
    with pytest.raises(ValueError, match="the given counts have no words"):
        Corpus.from_sentences([["x"]], counts={})


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"max_vocab": 0}, ValueError, "max_vocab is 0"),
        ({"max_vocab": 1.5}, TypeError, r"max_vocab is 1\.5"),
        ({"include": "the"}, TypeError, "include is 'the' of type str"),
        ({"include": ["a", "b"], "exclude": ["b"]}, ValueError, "word 'b' is both"),
        ({"counts": {"a": -1}}, ValueError, "count -1 is negative"),
        ({"counts": {"a": 1.5}}, TypeError, "must be integers"),
    ],
)
def test_choices_that_cannot_be(choice: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        Corpus.from_sentences(SENTENCES, min_count=1, **choice)


def test_words_to_include_that_do_not_occur_are_named(caplog: pytest.LogCaptureFixture):
    Corpus.from_sentences(SENTENCES, min_count=1, include=["a", "zebra"])
    assert "1 word in include cannot be found in the sentences: ['zebra']" in caplog.text


def test_many_files_lower_case_and_broken_bytes(tmp_path: Path):
    text_file(tmp_path, b"\xef\xbb\xbfOne two", "1.txt")
    text_file(tmp_path, gzip.compress(b"ONE tw\xffo"), "2.txt.gz")
    corpus = Corpus.from_text(tmp_path, min_count=1, lower=True, errors="ignore")
    assert words_of(corpus) == [["one", "two"], ["one", "two"]]
    corpus = Corpus.from_text([tmp_path / "2.txt.gz"], min_count=1, errors="replace")
    assert words_of(corpus) == [["ONE", "tw\ufffdo"]]
    with pytest.raises(ValueError, match=r"2\.txt\.gz is not UTF-8: byte 6 is 0xff.*errors='replace'"):
        Corpus.from_text(tmp_path)
    with pytest.raises(ValueError, match="errors is 'surrogateescape'"):
        Corpus.from_text(tmp_path, errors="surrogateescape")  # type: ignore[arg-type]


def test_lines_are_split_at_white_space_and_sentences_are_not():
    lines = ["one two\n", "", "two  one", "\u3000two three"]
    expected = [["one", "two"], ["two", "one"], ["two", "three"]]
    assert words_of(Corpus.from_lines(iter(lines), min_count=1)) == expected
    with pytest.raises(TypeError, match="lines is a str"):
        Corpus.from_lines("one two")


def test_walks(xp: Any):
    walks = xp.asarray([[0, 1, 2], [2, -1, -1], [-1, -1, -1], [3, 1, -1]])
    corpus = Corpus.from_walks(walks)
    assert words_of(corpus) == [[0, 1, 2], [2], [3, 1]]
    vocabulary = Vocabulary(list("abcd"), [1, 2, 2, 1])
    assert words_of(Corpus.from_walks(walks, vocabulary))[0] == ["a", "b", "c"]
    assert words_of(as_corpus(walks)) == words_of(corpus)
    assert words_of(as_corpus(walks[0, :])) == [[0, 1, 2]]


@pytest.mark.parametrize(
    "ids", [BASKETS, [[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]), np.array([[1], [2, 3]], object)]
)
def test_lists_are_no_ids(ids: Any):
    with pytest.raises((TypeError, ValueError), match=r"^ids .* to Corpus\.from_sentences, and .* Corpus\.from_walks"):
        Corpus.from_ids(ids)


def test_walks_as_lists():
    walks = [[70, 10, 30], [30, 10], [], [30, 10, -1, -1]]
    corpus = Corpus.from_walks(walks)
    assert words_of(corpus) == [[70, 10, 30], [30, 10], [30, 10]]
    assert corpus.vocabulary == Vocabulary([10, 30, 70], [3, 3, 1])
    assert words_of(Corpus.from_walks(iter([["a", "b"], ("b", "a", "c")]))) == [["a", "b"], ["b", "a", "c"]]
    column = np.empty(2, dtype=object)
    column[:] = [[7, 8], [8, 7, 9]]
    for lists in (column, ArrowColumn([[7, 8], [8, 7, 9]]), PandasColumn([np.array([7, 8]), np.array([8, 7, 9])])):
        assert words_of(Corpus.from_walks(lists)) == [[7, 8], [8, 7, 9]]
    vocabulary = Vocabulary(list("abcd"), [1, 2, 2, 1])
    named = Corpus.from_walks([[0, 1, 2], [], [3, -1], [2, 2]], vocabulary)
    assert words_of(named) == [["a", "b", "c"], ["d"], ["c", "c"]]
    assert named.vocabulary is vocabulary
    with pytest.raises(ValueError, match="id 4 at index 1 is outside the vocabulary of 4 words"):
        Corpus.from_walks([[0, 4]], vocabulary)


@pytest.mark.parametrize(
    ("walks", "message"),
    [
        ([[0, -1, 1]], "walk 0 continues after -1"),
        ([[0, 1], [2, "a"]], "token 1 of sentence 1 is 'a' of type str"),
        ([[0.0, 1.0]], "token 0 of sentence 0 is 0.0 of type float"),
        ([0, 1], "walk 0 is 0; it must be a list of nodes"),
        (["ab"], "walk 0 is 'ab'; it must be a list of nodes"),
        ("ab", "walks is 'ab'; it must be an integer matrix"),
        (None, "walks is None"),
        ([[], [-1]], "there are no words"),
    ],
)
def test_lists_that_are_no_walks(walks: Any, message: str):
    with pytest.raises((TypeError, ValueError), match=message):
        Corpus.from_walks(walks)


@pytest.mark.parametrize(
    ("walks", "error", "message"),
    [
        ([[0, -1, 1]], ValueError, "walk 0 continues after -1"),
        ([[0, 1], [1, -2]], ValueError, "id -2 in walk 1"),
        ([[0.0, 1.0]], TypeError, "float64"),
        ([0, 1], ValueError, "shape"),
        ([[-1, -1]], ValueError, "no ids"),
    ],
)
def test_walks_of_the_wrong_kind(walks: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        Corpus.from_walks(np.array(walks))


class NAType:
    """Like the missing value of pandas, whose comparisons have no truth value."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


class Column:
    """A column with only the list methods that Arrow, pandas and others have in common."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)


class ArrowColumn(Column):
    def slice(self, start: int, length: int) -> ArrowColumn:
        return ArrowColumn(self.values[start : start + length])

    def to_pylist(self) -> list[Any]:
        return self.values

    def __iter__(self) -> Any:
        raise AssertionError("it would yield scalars of Arrow")


class PandasColumn(Column):
    dtype = np.dtype(object)
    ndim = 1

    def __iter__(self) -> Any:
        return iter(self.values)


class Table:
    shape = (2, 1)

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = columns

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]


@pytest.mark.parametrize("kind", [ArrowColumn, PandasColumn])
def test_columns_of_strings_and_of_token_lists(kind: Any):
    expected = [["one", "two"], ["two"]]
    assert words_of(as_corpus(kind(["one two", None, "two"]), 1)) == expected
    assert words_of(as_corpus(kind([None, ["one", "two"], ["two"]]), 1)) == expected
    assert words_of(as_corpus(Table({"text": kind([NAType(), "one two", float("nan"), "two"])}), 1)) == expected
    with pytest.raises(TypeError, match=r"the table has 2 columns; choose one, for example table\['id'\]"):
        as_corpus(Table({"id": kind(["1"]), "text": kind(["a"])}))


def test_anything_that_holds_a_corpus(tmp_path: Path):
    path = text_file(tmp_path, b"one two\ntwo")
    corpus = Corpus.from_text(path, min_count=1)
    corpus.save(tmp_path / "corpus.w2v")
    expected = [["one", "two"], ["two"]]
    assert as_corpus(corpus) is corpus
    for source in (str(path), path, [path], expand_source(path), tmp_path / "corpus.w2v", iter(expected), expected):
        assert words_of(as_corpus(source, 1)) == expected
    with pytest.raises(TypeError, match="sentence 0 is the string"):
        as_corpus(["one two"])
    with pytest.raises(TypeError, match="cannot make a corpus from int"):
        as_corpus(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b c d e f g h i j\n" * 200, "every word is one character long"),
        ("one two three four " * 300, "all 1200 tokens are in one sentence"),
        ("\n".join(f"w{i} w{i + 1} w{i + 2}" for i in range(0, 3000, 3)), "hardly anything to learn"),
        ("one two \ufeffthree\n" * 5, "begin with a byte order mark"),
    ],
)
def test_what_looks_wrong_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, message: str):
    Corpus.from_text(text_file(tmp_path, text.encode()), min_count=1)
    assert message in caplog.text
    assert len(caplog.records) == 1


def test_an_ordinary_text_raises_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    Corpus.from_text(text_file(tmp_path, b"\xef\xbb\xbfthe cat sat on the mat\n" * 1 + b"the cat sat\n" * 500))
    assert not caplog.records


@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
def test_text_is_written_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int):
    monkeypatch.setattr(corpus_module, "BLOCK_TOKENS", block)
    corpus = Corpus.from_ids(
        np.arange(9) % 4, np.array([0, 1, 1, 6, 9]), Vocabulary(["a", "é", "\x00", "\ufeff"], [1] * 4)
    )
    corpus.write_text(tmp_path / "text.txt")
    expected = "a\n\né \x00 \ufeff a é\n\x00 \ufeff a\n"
    assert (tmp_path / "text.txt").read_bytes() == expected.encode()


def test_written_text_reads_back(tmp_path: Path):
    corpus = Corpus.from_sentences(SENTENCES, min_count=1)
    corpus.write_text(tmp_path / "text.txt")
    again = Corpus.from_text(tmp_path / "text.txt", min_count=1)
    assert words_of(again) == words_of(corpus)
    with pytest.raises(ValueError, match="'two words' cannot be written"):
        Corpus.from_sentences([["two words"]], min_count=1).write_text(tmp_path / "text.txt")
    assert words_of(Corpus.from_text(tmp_path / "text.txt", min_count=1)) == words_of(corpus)
    assert len(list(tmp_path.iterdir())) == 1
