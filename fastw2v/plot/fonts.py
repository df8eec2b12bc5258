"""Fonts for the characters of a text, including fonts that were installed after matplotlib listed all fonts."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator
from pathlib import Path

__all__ = ["drawable"]

log = logging.getLogger("fastw2v")

REPLACEMENT = "\ufffd"
"""The character that is drawn instead of one that no font has. The fonts of matplotlib have it."""
_EAST_ASIAN = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA", "BOPOMOFO")
"""First words of the names of the characters that are in Debian's package fonts-noto-cjk."""


def drawable(texts: list[str]) -> tuple[list[str], list[str]]:
    """Return texts that can be drawn, and the font families that together have their characters.

    Characters that no installed font has are replaced with U+FFFD, and one warning names them and a font to install.

    Parameters
    ----------
    texts : list of str

    Returns
    -------
    texts : list of str
    families : list of str
        Value for matplotlib's ``fontfamily``. The first one is always DejaVu Sans, which comes with matplotlib.

    Examples
    --------
    >>> from fastw2v.plot.fonts import drawable
    >>> drawable(["cat", "été"])
    (['cat', 'été'], ['DejaVu Sans'])
    """
    from matplotlib import font_manager

    families = ["DejaVu Sans"]
    missing = set(map(ord, "".join(texts))) - _characters(font_manager.findfont(families[0]))
    for path, family in _candidates() if missing else ():
        if family not in families and (found := missing & _characters(path)):
            families.append(family)
            missing -= found
            if not missing:
                break
    if missing:
        _warn_of_missing(sorted(map(chr, missing)))
    return [text.translate(dict.fromkeys(missing, REPLACEMENT)) for text in texts], families


def _candidates() -> Iterator[tuple[str, str]]:
    """Yield the path and the family of each upright font: those that matplotlib has listed, then those it has not.

    matplotlib lists the fonts once and keeps the list in a file, so it does not know fonts installed later. Here they
    are added to the list of this process only.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    # Fonts of regular weight come first, because matplotlib warns if a family has only other weights.
    listed = sorted(manager.ttflist, key=lambda entry: entry.weight not in (400, "normal", "regular"))
    for entry in listed:
        if _is_upright(entry):
            yield entry.fname, entry.name
    unlisted = set(font_manager.findSystemFonts()) - {entry.fname for entry in listed}
    for path in sorted(unlisted, key=lambda path: ("regular" not in Path(path).name.lower(), path)):
        try:
            manager.addfont(path)
        except (OSError, RuntimeError, ValueError):  # FreeType cannot read every font
            continue
        if _is_upright(manager.ttflist[-1]):
            yield path, manager.ttflist[-1].name


def _is_upright(entry: object) -> bool:
    """Return whether a font is upright and draws characters. The "Last Resort" fonts draw a box for each."""
    return getattr(entry, "style", "") == "normal" and not getattr(entry, "name", "").startswith("Last Resort")


def _characters(path: str) -> set[int]:
    """Return the code points that a font has, or none if it has been uninstalled since it was listed."""
    from matplotlib import font_manager

    try:
        return set(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):
        return set()


def _warn_of_missing(characters: list[str]) -> None:
    east_asian = any(unicodedata.name(char, "").startswith(_EAST_ASIAN) for char in characters)
    log.warning(
        "no installed font has the characters %s%s, which are drawn as %s. Install a font that has them, for example "
        "from https://fonts.google.com/noto (on Debian and Ubuntu: apt install %s), or write an .html page",
        "".join(characters[:10]),
        f" and {len(characters) - 10} others" if len(characters) > 10 else "",
        REPLACEMENT,
        "fonts-noto-cjk" if east_asian else "fonts-noto",
    )
