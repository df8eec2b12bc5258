"""Encodings of text: recognise byte order marks, and propose an encoding for text that is not UTF-8."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable
from pathlib import Path

from fastw2v.utils.compression import read_decompressed
from fastw2v.utils.quote import quote

__all__ = ["check_encoding", "encoding_of_mark", "guess_encoding", "read_text"]

SAMPLE_BYTES = 1 << 16
"""Number of bytes from which an encoding is guessed."""
_MARKS = (  # UTF-32 first, because its little-endian mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
# The common characters of each national standard have these first bytes: punctuation in rows A1 to A3, then Hangul, or
# the first level of Chinese characters. Text in another encoding decodes to rare characters, or not at all.
_COMMON_ROWS = (
    ("cp949", "euc_kr", (0xB0, 0xC8)),
    ("gb18030", "gb2312", (0xB0, 0xD7)),
    ("big5", "big5", (0xA4, 0xC6)),
)
_KANA = re.compile("[\u3041-\u30ff]")
_LATIN = (
    ("cp1252", re.compile("[\xc0-\xd6\xd8-\xf6\xf8-\xff\u0152\u0153\xa0\xab\xbb\u2013-\u2026\xa1\xbf\u20ac\xb0]")),
    ("cp1250", re.compile("[\xc0-\xd6\xd8-\xf6\xf8-\u017f\xa0\xab\xbb\u2013-\u2026]")),
)
_OTHER_ALPHABETS = (  # lower case, which prevails in text; if two fit equally well, the first is proposed
    ("cp1255", re.compile("[\u05d0-\u05ea]")),
    ("cp1251", re.compile("[\u0430-\u044f\u0451-\u045f]")),
    ("koi8-r", re.compile("[\u0430-\u044f\u0451]")),
    ("cp866", re.compile("[\u0430-\u044f\u0451]")),
    ("cp1253", re.compile("[\u03ac-\u03ce]")),
    ("cp1256", re.compile("[\u0621-\u0652]")),
    ("cp874", re.compile("[\u0e01-\u0e5b]")),
)


def check_encoding(encoding: str) -> str:
    """Return Python's name of a text encoding.

    Raises
    ------
    TypeError
        If `encoding` is not a string.
    ValueError
        If there is no text encoding with this name.

    Examples
    --------
    >>> from fastw2v.utils.encodings import check_encoding
    >>> check_encoding("UTF8"), check_encoding("latin-1")
    ('utf-8', 'iso8859-1')
    """
    if not isinstance(encoding, str):
        raise TypeError(f"encoding is {quote(encoding)}; it must be the name of an encoding, such as 'utf-8'")
    try:
        "".encode(encoding)  # refuses codecs such as base64, which do not encode text
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ValueError(
            f"encoding is {quote(encoding)}, which is not a text encoding of Python; use for example 'utf-8', "
            "'cp949', 'gb18030', 'cp932' or 'latin-1'"
        ) from None


def encoding_of_mark(head: bytes) -> str | None:
    r"""Return the encoding that the byte order mark at the start of a text indicates, or None if there is no mark.

    Parameters
    ----------
    head : bytes
        At least the first four bytes of the text.

    Examples
    --------
    >>> from fastw2v.utils.encodings import encoding_of_mark
    >>> encoding_of_mark("cat".encode("utf-16")), encoding_of_mark(b"cat")
    ('utf-16', None)
    """
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def guess_encoding(data: bytes) -> str | None:
    r"""Return the encoding that a text without a byte order mark probably has, other than UTF-8.

    The result is only a proposal, because many texts can be decoded in several ways. None is returned if the text is
    mostly UTF-8, so that only some of its bytes are wrong, or if no common encoding fits.

    Parameters
    ----------
    data : bytes
        The beginning of the text, or a part that begins after white space.

    Returns
    -------
    str or None
        "cp949" (which includes EUC-KR), "cp932" (Shift JIS), "euc_jp", "gb18030", "big5", "cp1252" (which includes
        the letters of Latin-1), "cp1250", "cp1251", "koi8-r", "cp866", "cp1253", "cp1255", "cp1256", "cp874",
        "utf-16-le" or "utf-16-be".

    Examples
    --------
    >>> from fastw2v.utils.encodings import guess_encoding
    >>> guess_encoding("나는 학교에 간다".encode("cp949")), guess_encoding("café crème".encode("latin-1"))
    ('cp949', 'cp1252')
    >>> guess_encoding("café ".encode() * 3 + b"\xe9")  # UTF-8 with a damaged byte
    """
    data = data[:SAMPLE_BYTES]
    if data.count(0) * 8 > len(data) or b"\n\x00" in data or b"\x00\n" in data:
        return _guess_utf16(data)
    if len(data) == SAMPLE_BYTES:  # do not end within a character; all candidates encode white space as ASCII does
        data = data[: 1 + max(data.rfind(b" "), data.rfind(b"\n"))] or data
    text = data.decode(errors="replace")
    if 2 * text.count("\ufffd") <= len(_non_ascii(text)):
        return None
    letters = len(re.findall(rb"[A-Za-z]", data))
    mostly_latin = letters > len(re.findall(rb"[\x80-\xff]", data))
    korean, *chinese = [(_share(data, one, _is_common(standard, rows)), one) for one, standard, rows in _COMMON_ROWS]
    japanese = [(4 * _share(data, one, _matches(_KANA)), one) for one in ("cp932", "euc_jp")]
    alphabets = [(_share(data, one, _matches(letter)), one) for one, letter in _LATIN if mostly_latin]
    others = [(_share(data, one, _matches(letter)), one) for one, letter in _OTHER_ALPHABETS if not mostly_latin]
    for share, encoding in (korean, *japanese, *chinese, *alphabets, max(others, default=(0, ""), key=lambda o: o[0])):
        if share > 0.8:
            return encoding
    return None


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a small UTF-8 file, such as a list of words, without a byte order mark.

    Text in UTF-16 or UTF-32 is read if it begins with a byte order mark. A compressed file is decompressed.

    Raises
    ------
    OSError
        If the file cannot be read.
    RuntimeError
        If the file is compressed with zstd, but no module that can decompress it is installed.
    ValueError
        If the file is not valid in its encoding, or its compressed data is damaged. The message proposes an encoding
        that fits.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.utils.encodings import read_text
    >>> _ = Path("words.txt").write_text("cat dog", encoding="utf-8-sig")
    >>> read_text("words.txt")
    'cat dog'
    >>> _ = Path("words.txt").write_text("나는 학교에", encoding="cp949")
    >>> read_text("words.txt")
    Traceback (most recent call last):
        ...
    ValueError: words.txt is not UTF-8: byte 0 is 0xb3 (invalid start byte). It is probably cp949; convert it first, ...
    """
    with Path(path).open("rb") as file:
        data = b"".join(read_decompressed(file, str(path), 1 << 20))
    encoding = encoding_of_mark(data) or "utf-8"
    guess = guess_encoding(data) if b"\x00" in data and encoding == "utf-8" else None
    if guess is None:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            problem = f"byte {error.start} is {data[error.start]:#04x} ({error.reason})"
            guess = guess_encoding(data) if encoding == "utf-8" else None
    else:
        problem = "it contains null characters"
    advice = f"It is probably {guess}; convert it first, for example" if guess else "Convert it first, for example"
    raise ValueError(
        f"{path} is not {encoding.upper()}: {problem}. {advice} with iconv -f {guess or 'ENCODING'} -t UTF-8"
    )


def _guess_utf16(data: bytes) -> str | None:
    """Return the byte order in which a text has ASCII spaces or line feeds, or None."""
    data = data[: len(data) // 2 * 2]
    for encoding in ("utf-16-le", "utf-16-be"):
        text = data.decode(encoding, "replace")
        wrong = sum(not character.isprintable() and not character.isspace() for character in text)
        if len(text) >= 8 and text.count(" ") + text.count("\n") > len(text) // 200 and wrong <= len(text) // 100:
            return encoding
    return None


def _non_ascii(text: str) -> list[str]:
    return [character for character in text if character > "\x7f"]


def _share(data: bytes, encoding: str, is_expected: Callable[[str], bool]) -> float:
    """Return the share of expected characters among those outside ASCII, or 0 if the text cannot be decoded."""
    try:
        others = _non_ascii(data.decode(encoding))[:5000]
    except UnicodeDecodeError:
        return 0.0
    return sum(map(is_expected, others)) / max(len(others), 1)


def _matches(expected: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda character: expected.match(character) is not None


def _is_common(standard: str, rows: tuple[int, int]) -> Callable[[str], bool]:
    def is_common(character: str) -> bool:
        try:
            row = character.encode(standard)[0]
        except UnicodeEncodeError:
            return False
        return 0xA1 <= row <= 0xA3 or rows[0] <= row <= rows[1]

    return is_common
