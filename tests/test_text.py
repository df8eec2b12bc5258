"""Text comes in pieces that end at white space, from files of every kind, and its bytes are checked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from fastw2v import text
from fastw2v.text import PADDING, files, pieces, pieces_of_lines, valid


def content(source: Any) -> bytes:
    found = list(pieces(source))
    assert all(piece.data.endswith(PADDING) for piece in found)
    return b"".join(piece.data[: -len(PADDING)] for piece in found)


def test_files_folders_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden", "deep/.git/d", "odd[1].txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "deep" / ".git").mkdir(exist_ok=True)
    names = ["a.txt", "b.txt", "deep/c.txt", "odd[1].txt"]
    assert files(tmp_path) == [tmp_path / name for name in names]
    assert files(str(tmp_path / "*.txt")) == [tmp_path / name for name in ("a.txt", "b.txt", "odd[1].txt")]
    assert files(tmp_path / "**" / "c.*") == [tmp_path / "deep" / "c.txt"]
    assert files(tmp_path / "odd[1].txt") == [tmp_path / "odd[1].txt"]
    assert files([tmp_path / "b.txt", tmp_path / "a.*"]) == [tmp_path / "b.txt", tmp_path / "a.txt"]
    with pytest.raises(FileNotFoundError, match=r"no file matches .*\*\.csv"):
        files(tmp_path / "*.csv")
    with pytest.raises(FileNotFoundError, match="no corpus file"):
        files([tmp_path / "a.txt", tmp_path / "nowhere.txt"])
    with pytest.raises(FileNotFoundError, match="empty list"):
        files([])
    # The end of a file is the end of a line, and each may begin with a byte order mark.
    assert content([tmp_path / "b.txt", tmp_path / "a.txt"]) == b"b.txt\na.txt\n"


@pytest.mark.parametrize("block", [3, 5, 1 << 22])
def test_pieces_end_at_white_space_and_know_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int):
    data = "\ufeffone two\tthree\r\nvierzehn fünf".encode()
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    monkeypatch.setattr(text, "BLOCK_BYTES", block)
    assert content(path) == data[3:] + b"\n"
    for piece in pieces(path):
        inside = piece.data[: -len(PADDING)]
        assert data[piece.position :].startswith(inside) or data[piece.position :] + b"\n" == inside
        assert inside == b"" or inside[-1:].isspace()


def test_standard_input(monkeypatch: pytest.MonkeyPatch):
    class Input:
        buffer = io.BytesIO(b"one two\nthree")

    monkeypatch.setattr(sys, "stdin", Input())
    assert content("-") == b"one two\nthree\n"


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_compressed_files_of_several_streams(tmp_path: Path, suffix: str, module: Any):
    path = tmp_path / f"corpus.txt{suffix}"
    path.write_bytes(module.compress(b"one two\n") + module.compress(b"three\n"))
    assert content(path) == b"one two\nthree\n\n"


def test_zst(tmp_path: Path):
    zstandard = pytest.importorskip("zstandard", reason="no module reads .zst: pip install zstandard")
    whole = zstandard.ZstdCompressor().compress(b"one two\n" * 1000)
    path = tmp_path / "corpus.txt.zst"
    path.write_bytes(whole)
    assert content(path) == b"one two\n" * 1000 + b"\n"
    path.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=r"corpus\.txt\.zst is not a whole"):
        content(path)


def test_zst_without_a_module_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "corpus.txt.zst"
    path.write_bytes(b"x")
    with pytest.raises(RuntimeError, match="pip install zstandard"):
        content(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_from_its_mark(tmp_path: Path, encoding: str):
    path = tmp_path / "corpus.txt"
    path.write_bytes("\ufeffone two".encode(encoding))
    with pytest.raises(ValueError, match="is UTF-16"):
        content(path)


def test_bytes_that_are_no_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = b"caf\xc3\xa9 " * 3 + b"caf\xe9 \xed\xa0\x80 end\xf0\x9f"
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    for block in (4, 1 << 22):
        monkeypatch.setattr(text, "BLOCK_BYTES", block)
        for errors in ("replace", "ignore"):
            joined = b"".join(valid(piece, errors)[: -len(PADDING)] for piece in pieces(path))
            assert joined.decode() == data.decode(errors=errors) + "\n"
        with pytest.raises(ValueError, match=r"corpus\.txt is not UTF-8: byte 21 is 0xe9"):
            list(map(valid, pieces(path), repeat("strict")))


def test_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text, "BLOCK_BYTES", 8)
    lines = ["one two", None, "three\nfour", float("nan"), "한국어", ""]
    joined = b"".join(piece.data[: -len(PADDING)] for piece in pieces_of_lines(lines, "lines"))
    assert [line.split() for line in joined.decode().split("\n") if line] == [
        ["one", "two"],
        ["three", "four"],
        ["한국어"],
    ]
    with pytest.raises(TypeError, match="line 1 is of type int"):
        list(pieces_of_lines(["a", 3], "lines"))
    with pytest.raises(ValueError, match=r"line 0 holds '\\ud800' at place 2"):
        list(pieces_of_lines(["a \ud800"], "lines"))
