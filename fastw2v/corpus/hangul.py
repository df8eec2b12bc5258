"""Hangul: the spelling of Korean words in letters, from which the n-grams of `units="jamo"` are taken.

Unicode has a character for each of the 11,172 syllables of modern Hangul. Each consists of an initial consonant, a
medial vowel and, if any, a final consonant. These letters are called jamo. Forms of a verb often differ in one
letter of a syllable. Unless syllables are decomposed, such forms share no n-gram that contains this syllable.

References
----------
The Unicode Standard, section 3.12, "Conjoining Jamo Behavior"; Park et al., "Subword-level Word Vector Representations
for Korean", ACL 2018.
"""

from __future__ import annotations

import functools

from fastw2v.config import Units
from fastw2v.corpus.conversion import convert
from fastw2v.utils.checks import check_type

__all__ = ["EMPTY_FINAL", "FINALS", "INITIALS", "MEDIALS", "spelled_in", "to_jamo"]

EMPTY_FINAL = "∅"
"""Mark of a syllable without a final consonant, U+2205."""
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
"""The initial consonants in the order of Unicode's syllables, as compatibility jamo."""
MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
"""The medial vowels in the same order."""
FINALS = EMPTY_FINAL + "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
"""The final consonants in the same order, after the mark of an empty one."""
FIRST_SYLLABLE = 0xAC00
"""Code point of the first syllable."""


def to_jamo(word: str) -> str:
    """Return a word whose Hangul syllables are decomposed into three letters each.

    The word is first converted to the Unicode form NFC, so that words in NFC and in NFD have the same result. The
    syllable with the code point s then becomes the initial with the number l, the medial v and the final t, where::

        s = 0xAC00 + (21 l + v) 28 + t.

    The letters are compatibility jamo, which are the same characters for initial and final consonants. Each
    syllable becomes three letters, with "∅" for a missing final, so two different words that consist of Hangul
    syllables never have the same result. Other characters, such as letters that are not part of a syllable, remain as
    they are.

    Parameters
    ----------
    word : str

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If the word is not a string.

    Examples
    --------
    >>> from fastw2v.corpus import to_jamo
    >>> to_jamo("한국어")
    'ㅎㅏㄴㄱㅜㄱㅇㅓ∅'
    >>> to_jamo("k팝ㅋㅋ")
    'kㅍㅏㅂㅋㅋ'
    >>> import unicodedata
    >>> to_jamo(unicodedata.normalize("NFD", "한국어")) == to_jamo("한국어")
    True
    """
    check_type("word", word, str, "a string")
    return convert(word, lower=False, normalize="NFC").translate(_letters())


def spelled_in(units: Units, word: str) -> str:
    r"""Return a word as its n-grams are taken from it: each character of the result is one unit.

    Parameters
    ----------
    units : {"characters", "syllables", "jamo"}
        "characters" leaves the word as it is. "syllables" converts it to the Unicode form NFC, in which a Hangul
        syllable is one character. "jamo" decomposes it with `to_jamo`.
    word : str

    Returns
    -------
    str

    Examples
    --------
    >>> from fastw2v.corpus.hangul import spelled_in
    >>> decomposed = "\u1112\u1161\u11ab"  # the form NFD of one syllable
    >>> [len(spelled_in(units, decomposed)) for units in ("characters", "syllables", "jamo")]
    [3, 1, 3]
    >>> spelled_in("syllables", decomposed), spelled_in("jamo", decomposed)
    ('한', 'ㅎㅏㄴ')
    """
    if units == "characters" or word.isascii():
        return word
    return to_jamo(word) if units == "jamo" else convert(word, lower=False, normalize="NFC")


@functools.cache
def _letters() -> dict[int, str]:
    """Return the letters of each syllable, by its code point."""
    letters = (initial + medial + final for initial in INITIALS for medial in MEDIALS for final in FINALS)
    return dict(enumerate(letters, FIRST_SYLLABLE))
