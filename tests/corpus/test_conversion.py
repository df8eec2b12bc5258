"""Unicode forms: the same words in every form, in time that grows linearly with the text."""

from __future__ import annotations

import gzip
import itertools
import os
import threading
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v import Corpus, Word2Vec
from fastw2v.config import UNICODE_FORMS, UnicodeForm
from fastw2v.corpus import conversion, indexer
from fastw2v.corpus.conversion import convert

KOREAN = "한국어 위키백과 café 한국어\n각각 ﬁn 한국어 각\n"
MARKS = "\u0300\u0316\u0327\u0344\u0345\u0f71\u0f72\u0f73\u0f75\u0f81\uff9e\u0301"


def same(one: Corpus, other: Corpus) -> bool:
    arrays = zip((one.ids, one.offsets), (other.ids, other.offsets), strict=True)
    return one.vocabulary == other.vocabulary and all(np.array_equal(*pair) for pair in arrays)


@pytest.fixture(params=[False, True])
def is_compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        pytest.importorskip("numba", reason="Numba is not installed")
        monkeypatch.setattr(indexer, "SHORT_TEXT_BYTES", -1)
    return request.param


@pytest.mark.usefixtures("is_compiled")
@pytest.mark.parametrize("form", UNICODE_FORMS)
@pytest.mark.parametrize("written", UNICODE_FORMS)
def test_a_text_has_the_words_of_the_normalised_text(tmp_path: Path, form: UnicodeForm, written: UnicodeForm):
    """Files of several kinds, lines, and a pipe."""
    text = unicodedata.normalize(written, KOREAN) * 3
    expected = Corpus.from_lines(unicodedata.normalize(form, text).split("\n"), 1)
    path = tmp_path / "a.txt"
    for content, options in [
        (text.encode(), {}),
        (text.encode("utf-8-sig"), {}),
        (text.replace("\n", "\r\n").encode(), {}),
        (gzip.compress(text.encode()), {}),
        (text.encode("utf-16"), {}),
        (text.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    ]:
        path.write_bytes(content)
        for workers in (1, 3):
            assert same(Corpus.from_text(path, 1, normalize=form, workers=workers, **options), expected)
    assert same(Corpus.from_lines(text.split("\n"), 1, normalize=form), expected)


@pytest.mark.usefixtures("is_compiled")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_normalised(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(unicodedata.normalize("NFD", KOREAN).encode(),))
    writer.start()
    corpus = Corpus.from_text(pipe, 1, normalize="NFC")
    writer.join()
    assert same(corpus, Corpus.from_lines(KOREAN.split("\n"), 1))


@pytest.mark.usefixtures("is_compiled")
def test_words_that_become_equal_have_one_count(tmp_path: Path):
    text = "ﬁn fin 각 \u1100\u1161\u11a8\nÉ E\u0301 é e\u0301 \u212a k\n"
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")

    def counts(**options: Any) -> dict[str, int]:
        vocabulary = Corpus.from_text(path, 1, **options).vocabulary
        return dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))

    assert set(counts().values()) == {1}
    assert counts(normalize="NFC") == {"각": 2, "É": 2, "é": 2, "ﬁn": 1, "fin": 1, "K": 1, "k": 1}
    assert counts(normalize="NFKC", lower=True) == {"é": 4, "fin": 2, "각": 2, "k": 2}
    assert list(counts(normalize="NFD")) == ["\u1100\u1161\u11a8", "E\u0301", "e\u0301", "ﬁn", "fin", "K", "k"]


@pytest.mark.usefixtures("is_compiled")
def test_characters_that_contain_spaces_divide_words():
    """The sentences keep their ends, and words of the same position are in order."""
    corpus = Corpus.from_lines(["a \ufdfab", "c\u00b4d a", "\u00b4", "a"], 1, normalize="NFKC", workers=2)
    words = corpus.vocabulary.words
    sentences = [[words[i] for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.offsets)]
    assert sentences == [
        ["a", *unicodedata.normalize("NFKC", "\ufdfa").split()[:3], "وسلمb"], ["c", "\u0301d", "a"], ["\u0301"], ["a"],
    ]  # fmt: skip
    assert words == [*dict.fromkeys(itertools.chain(*sentences))]  # "a" is the first and the most frequent one
    assert Corpus.from_lines(["c\u00b4d"], 1, normalize="NFC").vocabulary.words == ["c\u00b4d"]


def test_given_words_are_compared_with_the_normalised_words():
    decomposed = unicodedata.normalize("NFD", "한국어")
    text = [f"{decomposed} b c"] * 3
    assert len(Corpus.from_lines(text, 1, exclude=["한국어"], normalize="NFC")) == 6
    assert len(Corpus.from_lines(text, 1, exclude=[decomposed], normalize="NFC")) == 9
    assert Corpus.from_lines(text, 4, include=["한국어"], normalize="NFC").vocabulary.words == ["한국어"]
    assert Corpus.from_lines(text, counts={"한국어": 7}, normalize="NFC").vocabulary.counts.tolist() == [7]


@pytest.mark.usefixtures("is_compiled")
def test_both_forms_of_a_text_train_the_same_vectors(tmp_path: Path):
    vectors = []
    for form in ("NFC", "NFD"):
        path = tmp_path / f"{form}.txt"
        path.write_text(unicodedata.normalize(form, KOREAN * 40), encoding="utf-8")
        corpus = Corpus.from_text(path, normalize="NFC")
        vectors.append(Word2Vec(vector_size=8, epochs=2, workers=1).fit(corpus).wv)
    assert vectors[0].index_to_key == vectors[1].index_to_key
    assert "한국어" in vectors[0]
    assert vectors[0].vectors.tobytes() == vectors[1].vectors.tobytes()


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.sampled_from(MARKS + "aé각 \n") | st.characters(exclude_categories=["Cs"]), max_size=60),
    form=st.sampled_from(UNICODE_FORMS),
    lower=st.booleans(),
)
def test_marks_are_sorted_as_the_standard_says(text: str, form: UnicodeForm, lower: bool):
    expected = unicodedata.normalize(form, text)
    assert unicodedata.normalize(form, conversion._with_sorted_marks(text, form)) == expected
    assert convert(text, False, form) == expected
    assert convert(text, True, form) == unicodedata.normalize(form, expected.lower())
    assert convert(text, lower, None) == (text.lower() if lower else text)


@pytest.mark.parametrize("form", UNICODE_FORMS)
def test_a_long_run_of_marks_is_normalised(form: UnicodeForm):
    """`unicodedata.normalize` would take minutes for each of these texts."""
    n = 50_000
    decomposition: UnicodeForm = "NFKD" if "K" in form else "NFD"
    for run in ("\u0301\u0316", "\u0f73", "\u0344\uff9e" if "K" in form else "\u0344\u0316"):
        for lower in (False, True):
            result = unicodedata.normalize(decomposition, convert(f"a{run * n} b", lower, form))
            marks = unicodedata.normalize(decomposition, run)
            assert sorted(result) == sorted(marks * n + "a b")
            assert (np.diff([*map(unicodedata.combining, result[1:-2])]) >= 0).all()
            assert (result[0], result[-2:]) == ("a", " b")


def test_characters_that_are_decomposed_to_marks_alone_are_known():
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    marks = {c for c in characters if unicodedata.combining(unicodedata.normalize("NFKD", c)[0])}
    assert {c for c in characters if conversion._is_mark(c)} == marks
    assert {c for c in characters if unicodedata.combining(unicodedata.normalize("NFD", c)[0])} < marks


def test_a_word_becomes_at_most_one_word_more_than_it_has_bytes():
    """The positions of words rely on it."""
    for character in (chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000):
        for form, lower in itertools.product(UNICODE_FORMS, (False, True)):
            result = convert(character, lower, form)
            assert sum(map(str.isspace, result)) <= len(character.encode())
            assert result.isspace() == character.isspace()
            assert not result.isspace() or len(result) == 1


@pytest.mark.parametrize("wrong", ["nfc", "NFE", "", 1, True, False, b"NFC", ["NFC"]])
def test_other_forms_are_errors(wrong: Any):
    for read in (Corpus.from_text, Corpus.from_lines):
        with pytest.raises(ValueError, match=r"normalize is .*; it must be 'NFC', 'NFD', 'NFKC' or 'NFKD'"):
            read(["a b"], normalize=wrong)
