"""Conversion of the letters of a text: lower case, and Unicode normalisation forms.

Equal letters can have different code points. "é" is one code point in the form NFC, and two, an e and a combining
accent, in NFD. A Korean syllable is one code point in NFC, and two or three letters in NFD. In the forms NFKC and NFKD,
compatibility characters, such as ligatures and full-width letters, are replaced as well.

No conversion changes the white space of a text, other than replacing one white space character with another. A word
therefore has the same result in a text and on its own. In NFKC and NFKD, however, some characters contain a space, so a
word can become several words.
"""

from __future__ import annotations

import itertools
import unicodedata
from typing import Any

from fastw2v.config import UNICODE_FORMS, UnicodeForm, check_choice, check_flags

__all__ = ["check_conversion", "convert"]

RUN = 128
"""Number of combining marks in a row for which `unicodedata.normalize` is too slow."""
BECOME_MARKS = "\u0f73\u0f75\u0f81\uff9e\uff9f"
"""Characters that are decomposed to combining marks, but are none themselves."""


def check_conversion(lower: Any, normalize: Any) -> None:
    """Raise TypeError unless `lower` is a bool, and ValueError unless `normalize` is None or a normalisation form.

    Examples
    --------
    >>> from fastw2v.corpus.conversion import check_conversion
    >>> check_conversion(lower=True, normalize="nfc")
    Traceback (most recent call last):
        ...
    ValueError: normalize is 'nfc'; it must be 'NFC', 'NFD', 'NFKC' or 'NFKD'
    """
    check_flags(lower=lower)
    if normalize is not None:
        check_choice("normalize", normalize, UNICODE_FORMS)


def convert(text: str, lower: bool, normalize: UnicodeForm | None) -> str:
    """Return a text in lower case, in a normalisation form, or both.

    The result of both is in lower case and in the form. For this purpose, the text is normalised before and after the
    conversion to lower case: "™" contains capital letters only in NFKC, and in NFC, "J" and a caron remain two code
    points, but "j" and a caron become one.

    Parameters
    ----------
    text : str
    lower : bool
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None

    Examples
    --------
    >>> from fastw2v.corpus.conversion import convert
    >>> len("각"), len(convert("각", lower=False, normalize="NFD"))
    (1, 3)
    >>> convert("ＡＢＣ™ ﬁn", lower=True, normalize="NFKC")
    'abctm fin'
    """
    if normalize is not None and not text.isascii():
        text = unicodedata.normalize(normalize, _with_sorted_marks(text, normalize) if _has_long_run(text) else text)
    if lower:
        text = text.lower()
        if normalize is not None:
            text = unicodedata.normalize(normalize, text)
    return text


def _has_long_run(text: str) -> bool:
    """Return whether a text contains `RUN` combining marks in a row, at a multiple of `RUN`."""
    return any(all(map(_is_mark, text[i : i + RUN])) for i in range(0, len(text) - RUN + 1, RUN))


def _is_mark(character: str) -> bool:
    return unicodedata.combining(character) > 0 or character in BECOME_MARKS


def _with_sorted_marks(text: str, normalize: UnicodeForm) -> str:
    """Decompose a text, and sort its combining marks, which is the first step to every normalisation form.

    `unicodedata.normalize` sorts them by insertion, so its time grows with the square of the number of marks in a row.
    """
    form: UnicodeForm = "NFKD" if normalize.startswith("NFK") else "NFD"
    decomposed = "".join([unicodedata.normalize(form, character) for character in text])
    runs = itertools.groupby(decomposed, key=lambda character: unicodedata.combining(character) > 0)
    return "".join(itertools.chain.from_iterable(sorted(run, key=unicodedata.combining) for _, run in runs))
