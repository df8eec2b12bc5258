"""Jamo, compared with the names of characters in Unicode, and the n-grams of the units, compared with fastText's."""

from __future__ import annotations

import itertools
import random
import unicodedata
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v import WordVectors
from fastw2v.config import Units
from fastw2v.corpus import to_jamo
from fastw2v.corpus.hangul import EMPTY_FINAL, FINALS, INITIALS, MEDIALS, spelled_in
from fastw2v.corpus.subwords import NGrams, Subwords, has_ngrams, ngram_buckets
from tests.corpus.test_subwords import buckets_of
from tests.formats.test_floret import murmur3

SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4)]
ODD = [
    "",
    "ㅋ",
    "ㅋㅋㅋ",
    "\u1112",
    "\u11a8",
    "\u1161",
    "가\u11a8",
    "\u0301",
    "k팝",
    "한😀글",
    "café",
    "cafe\u0301",
    "∅",
    "</s>",
]
"""Half a syllable, a lone combining mark, mixed scripts and other words that are no sequences of syllables."""
ODD += [
    "\u1112\u1161",
    "\u1112\u1161\u11ab",
    "\u1100\u1161\u11ff",
    "\ua960\u1161",
    "漢字",
    "ｶﾀｶﾅ",
    "\ufb01",
    "한\u0301",
]
WORDS = ["한국어", "먹었습니다", "먹는다", "닭", "앎", "값", "뷁", "의사", "가", "까", "갂", *ODD]
hangul = st.text(st.sampled_from(SYLLABLES), max_size=8)
texts = st.text(st.one_of(st.sampled_from(SYLLABLES + list("ㅋㅏ∅\u1100\u1161\u11a8")), st.characters(codec="utf-8")))
any_ngrams = st.builds(
    lambda min_n, more, hash_count, units: NGrams(min_n, min_n + more, 1000, hash_count, units),
    st.integers(1, 4),
    st.integers(0, 4),
    st.sampled_from([None, 1, 4]),
    st.sampled_from(get_args(Units)),
)


def forms(word: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)


def letters_of(syllable: str) -> str:
    """Return the letters of a syllable by their names in Unicode's table of characters."""
    names = [unicodedata.name(letter) for letter in unicodedata.normalize("NFD", syllable)]
    letters = [
        unicodedata.lookup(name.replace(part, "HANGUL LETTER"))
        for name, part in zip(names, ("HANGUL CHOSEONG", "HANGUL JUNGSEONG", "HANGUL JONGSEONG"), strict=False)
    ]
    return "".join(letters) + "\N{EMPTY SET}" * (3 - len(letters))


def in_letters(word: str) -> str:
    composed = unicodedata.normalize("NFC", word)
    return "".join(letters_of(char) if "가" <= char <= "힣" else char for char in composed)


def spelled(units: Units, word: str) -> str:
    if units == "characters":
        return word
    return in_letters(word) if units == "jamo" else unicodedata.normalize("NFC", word)


def test_every_syllable():
    assert len(SYLLABLES) == 11172
    assert (len(INITIALS), len(MEDIALS), len(FINALS)) == (19, 21, 28)
    assert EMPTY_FINAL == FINALS[0] == "\u2205"
    assert [to_jamo(syllable) for syllable in SYLLABLES] == list(map(letters_of, SYLLABLES))
    assert len({to_jamo(syllable) for syllable in SYLLABLES}) == 11172


@given(hangul, hangul)
def test_the_letters_determine_the_syllables(a: str, b: str):
    assert len(to_jamo(a)) == 3 * len(a)
    assert (to_jamo(a) == to_jamo(b)) == (a == b)


@given(texts)
def test_any_text(text: str):
    assert to_jamo(text) == in_letters(text)
    for units in get_args(Units):
        assert spelled_in(units, text) == spelled(units, text)
    for units in ("syllables", "jamo"):
        assert spelled_in(units, forms(text)[0]) == spelled_in(units, forms(text)[1])


@pytest.mark.parametrize("word", ODD)
def test_odd_words(word: str):
    assert to_jamo(word) == in_letters(word)


def test_letters_outside_syllables_remain():
    assert to_jamo("ㅋㅋ\u1112\u11a8k팝é😀") == "ㅋㅋ\u1112\u11a8kㅍㅏㅂé😀"
    assert to_jamo("가\u11a8") == to_jamo("각")  # a final consonant that follows a syllable belongs to it


def test_only_strings_have_letters():
    with pytest.raises(TypeError, match=r"^word is b'a' of type bytes; pass a string$"):
        to_jamo(b"a")  # type: ignore[arg-type]


@given(st.lists(st.one_of(hangul, texts, st.sampled_from(WORDS)), min_size=1, max_size=5), any_ngrams)
def test_ngrams_are_those_of_the_spelled_word(words: list[str], ngrams: NGrams):
    starts, buckets = ngram_buckets(words, ngrams)
    expected = [brute_force(word, ngrams) for word in words]
    assert np.diff(starts).tolist() == list(map(len, expected))
    assert buckets.tolist() == list(itertools.chain(*expected))
    assert [has_ngrams(word, ngrams) for word in words] == [bool(found) for found in expected]
    encoded = [word.encode() for word in words]
    assert ngram_buckets(encoded, ngrams)[1].tolist() == buckets.tolist()
    for word, found in zip(words, expected, strict=True):  # one word is computed without array operations
        assert ngram_buckets([word], ngrams)[1].tolist() == found


def brute_force(word: str, ngrams: NGrams) -> list[int]:
    word = spelled(ngrams.units, word)
    if ngrams.hash_count is None:
        return buckets_of(word, ngrams)
    marked, found = f"<{word}>", [f"<{word}>"]
    for i, n in itertools.product(range(len(marked)), range(ngrams.min_n, ngrams.max_n + 1)):
        if i + n <= len(marked) and (n > 1 or 0 < i < len(marked) - 1):
            found.append(marked[i : i + n])
    return [number % ngrams.bucket for ngram in found for number in murmur3(ngram.encode())[: ngrams.hash_count]]


@given(st.one_of(hangul, texts), any_ngrams)
def test_both_forms_have_the_same_ngrams(word: str, ngrams: NGrams):
    composed, decomposed = (ngram_buckets([form], ngrams)[1].tolist() for form in forms(word))
    assert composed == decomposed or ngrams.units == "characters"


def test_characters_are_the_default():
    assert NGrams(3, 6, 1000) == NGrams(3, 6, 1000, None, "characters")
    decomposed = unicodedata.normalize("NFD", "한국")
    assert ngram_buckets([decomposed], NGrams(3, 6, 1000))[1].tolist() == buckets_of(decomposed, NGrams(3, 6, 1000))


def test_the_ids_are_those_of_fasttext(tmp_path: Path):
    """fastText numbers the n-grams of the decomposed word as `units="jamo"` numbers those of the word."""
    fasttext: Any = pytest.importorskip("fasttext")
    bucket = 20_000
    generator = random.Random(0)
    words = [word for word in WORDS if word]
    words += ["".join(generator.choices(SYLLABLES, k=generator.randint(1, 6))) for _ in range(200)]
    known = list(dict.fromkeys(in_letters(word) for word in words if word != "</s>"))
    subwords = Subwords(known, NGrams(3, 6, bucket))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    WordVectors(known, None, input_vectors=W_in, subwords=subwords).save(tmp_path / "model.bin")
    theirs = fasttext.load_model(str(tmp_path / "model.bin"))
    for word in words:
        _, ids = theirs.get_subwords(in_letters(word))
        own = in_letters(word) in known
        expected = (ids[own:] - len(known)).tolist()
        for form in (word, *forms(word)):
            assert ngram_buckets([form], NGrams(3, 6, bucket, units="jamo"))[1].tolist() == expected


@pytest.mark.parametrize("units", ["syllables", "jamo"])
def test_rows_of_both_forms(units: Units):
    words = list(dict.fromkeys(unicodedata.normalize("NFC", word) for word in WORDS if word))
    decomposed = [unicodedata.normalize("NFD", word) for word in words]
    ngrams = NGrams(2, 4, 5000, units=units)
    composed, others = Subwords(words, ngrams), Subwords(decomposed, ngrams)
    for name in ("buckets", "starts", "rows"):
        np.testing.assert_array_equal(getattr(composed, name), getattr(others, name))
    unseen = ["한국말", "먹었다"]
    for a, b in zip(
        composed.rows_of_unseen(unseen),
        composed.rows_of_unseen([unicodedata.normalize("NFD", word) for word in unseen]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_long_words():
    word = "가각" * 5000
    for units, length in (("syllables", 10_000), ("jamo", 30_000)):
        starts, buckets = ngram_buckets([word, unicodedata.normalize("NFD", word)], NGrams(3, 3, 1000, units=units))
        assert np.diff(starts).tolist() == [length, length]  # "<", the units and ">" have as many n-grams of three
        np.testing.assert_array_equal(buckets[:length], buckets[length:])


def test_unknown_units():
    with pytest.raises(ValueError, match="units is 'letters'; it must be 'characters', 'syllables' or 'jamo'"):
        Subwords(["a"], NGrams(3, 6, 1000, units="letters"))  # type: ignore[arg-type]


def test_halves_of_surrogate_pairs():
    for units in get_args(Units):
        ngrams = NGrams(3, 6, 1000, units=units)
        assert not has_ngrams("가\ud800", ngrams)
        with pytest.raises(ValueError, match=r"'가\\ud800' is not valid Unicode"):
            ngram_buckets(["나", "가\ud800"], ngrams)
        escaped = ngram_buckets(["가\udce9"], ngrams)[1].tolist()
        assert escaped == ngram_buckets(["가".encode() + b"\xe9"], ngrams)[1].tolist()


def test_many_combining_marks():
    """Python sorts marks in quadratic time, so a long word would take minutes."""
    marks = "\u0301\u0316"
    expected = to_jamo("가" + marks * 30)
    assert expected == "ㄱㅏ∅" + "\u0316" * 30 + "\u0301" * 30
    found = to_jamo("가" + marks * 150_000)
    assert found == "ㄱㅏ∅" + "\u0316" * 150_000 + "\u0301" * 150_000
