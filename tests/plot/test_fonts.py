"""Fonts are found as soon as they are installed, and missing ones are reported once."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import font_manager

from fastw2v import WordVectors
from fastw2v.plot import write_map
from fastw2v.plot.fonts import drawable


def make_font(path: Path, family: str, characters: str) -> str:
    """Write a font that draws each of the characters as a filled square, and return its path."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((50, 700), (750, 700), (750, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyphs = {".notdef": pen.glyph(), **{f"u{ord(char):04X}": pen.glyph() for char in characters}}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(char): f"u{ord(char):04X}" for char in characters})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (800, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the installed fonts, of which matplotlib has listed only its own: "DejaVu Sans"."""
    paths: list[str] = []
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", [entry for entry in manager.ttflist if entry.name == "DejaVu Sans"])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_: paths)
    return paths


def test_a_font_that_was_installed_later_is_found(installed, tmp_path, caplog):
    assert drawable(["cat", "고양이"]) == (["cat", "\ufffd" * 3], ["DejaVu Sans"])
    assert len(caplog.messages) == 1
    installed.append(make_font(tmp_path / "hangul.ttf", "New Hangul", "고양이강아지"))
    assert drawable(["cat", "고양이"]) == (["cat", "고양이"], ["DejaVu Sans", "New Hangul"])
    assert len(caplog.messages) == 1
    assert font_manager.findfont("New Hangul") == installed[0]


def test_the_list_of_fonts_is_searched_only_for_missing_characters(installed, tmp_path, monkeypatch):
    installed.append(make_font(tmp_path / "hangul.ttf", "New Hangul", "고양이"))
    added = []
    manager = font_manager.fontManager
    addfont = manager.addfont
    monkeypatch.setattr(manager, "addfont", lambda path: (added.append(path), addfont(path)))
    drawable(["cat", "été"])
    assert added == []
    for _ in range(2):
        drawable(["고양이"])
        assert added == installed


def test_several_fonts_together_and_characters_that_none_has(installed, tmp_path, caplog):
    installed.append(make_font(tmp_path / "a.ttf", "First", "고"))
    installed.append(make_font(tmp_path / "b.ttf", "Second", "고"))
    installed.append(make_font(tmp_path / "c.ttf", "Third", "양이"))
    (tmp_path / "d.ttf").write_text("not a font", encoding="utf-8")
    installed.append(str(tmp_path / "d.ttf"))
    assert drawable(["고양이", "犬"]) == (["고양이", "\ufffd"], ["DejaVu Sans", "First", "Third"])
    assert "犬, which" in caplog.messages[0]


def test_a_font_that_was_uninstalled_is_skipped(installed, tmp_path):
    for name in ("old", "new"):
        installed.append(make_font(tmp_path / f"{name}.ttf", name, "고"))
        font_manager.fontManager.addfont(installed[-1])
    Path(installed[0]).unlink()
    assert drawable(["고"]) == (["고"], ["DejaVu Sans", "new"])


@pytest.mark.parametrize(
    ("text", "package"), [("고양이", "fonts-noto-cjk"), ("犬", "fonts-noto-cjk"), ("𓀀", "fonts-noto)")]
)
def test_the_warning_says_what_to_install(installed, caplog, text, package):
    drawable([text, "".join(map(chr, range(0x12000, 0x12100)))])
    assert len(caplog.messages) == 1
    assert f"apt install {package}" in caplog.messages[0]
    assert len(caplog.messages[0]) < 400


def test_maps_are_drawn_with_the_new_font_and_without_warnings_for_each_glyph(installed, tmp_path, caplog):
    words = [chr(0xAC00 + i) * 2 for i in range(40)]
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(40, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_map(vectors, tmp_path / "without.png")
        assert len(caplog.messages) == 1
        installed.append(make_font(tmp_path / "hangul.ttf", "New Hangul", "".join(sorted(set("".join(words))))))
        write_map(vectors, tmp_path / "with.png")
    assert len(caplog.messages) == 1
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()
