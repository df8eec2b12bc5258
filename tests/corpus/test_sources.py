"""Text is read in blocks that end at white space, from files of every kind, each opened once, and is checked."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import sys
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from fastw2v.corpus import sources
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.sources import PADDING, blocks_of_lines, expand_source, read_blocks, valid_utf8


def content(source: Any) -> bytes:
    found = list(read_blocks(expand_source(source)))
    assert all(block.data.endswith(PADDING) for block in found)
    return b"".join(block.data[: -len(PADDING)] for block in found)


def test_files_folders_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden", "deep/.git/d", "odd[1].txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "deep" / ".git").mkdir(exist_ok=True)
    names = ["a.txt", "b.txt", "deep/c.txt", "odd[1].txt"]
    assert list(expand_source(tmp_path)) == [tmp_path / name for name in names]
    found = expand_source(str(tmp_path / "*.txt"))
    assert list(found) == [tmp_path / name for name in ("a.txt", "b.txt", "odd[1].txt")]
    assert (len(found), found.name) == (3, f"{tmp_path / 'a.txt'} and 2 more")
    assert list(expand_source(tmp_path / "**" / "c.*")) == [tmp_path / "deep" / "c.txt"]
    assert list(expand_source(tmp_path / "odd[1].txt")) == [tmp_path / "odd[1].txt"]
    assert list(expand_source([tmp_path / "b.txt", tmp_path / "a.*"])) == [tmp_path / "b.txt", tmp_path / "a.txt"]
    with pytest.raises(FileNotFoundError, match=r"no file matches .*\*\.csv"):
        expand_source(tmp_path / "*.csv")
    with pytest.raises(FileNotFoundError, match="no corpus file"):
        expand_source([tmp_path / "a.txt", tmp_path / "nowhere.txt"])
    with pytest.raises(FileNotFoundError, match="empty list"):
        expand_source([])
    # The end of a file ends a line, and each file may begin with a byte order mark.
    assert content([tmp_path / "b.txt", tmp_path / "a.txt"]) == b"b.txt\na.txt\n"


class FileAccess:
    """Counts of searched folders and patterns, and of the times each file is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.searches: list[str] = []
        self.opened: list[str] = []
        rglob, open_path, match, expand = Path.rglob, Path.open, glob.glob, sources._expand

        def counted_rglob(path: Path, *args: Any) -> Any:
            self.searches.append(str(path))
            return rglob(path, *args)

        def counted_glob(pattern: str, **options: Any) -> Any:
            self.searches.append(pattern)
            return match(pattern, **options)

        def counted_open(path: Path, *args: Any, **options: Any) -> Any:
            self.opened.append(str(path))
            return open_path(path, *args, **options)

        def counted_expand(path: Any) -> Any:
            self.expanded.append(str(path))
            return expand(path)

        self.expanded: list[str] = []
        monkeypatch.setattr(Path, "rglob", counted_rglob)
        monkeypatch.setattr(glob, "glob", counted_glob)
        monkeypatch.setattr(Path, "open", counted_open)
        monkeypatch.setattr(sources, "_expand", counted_expand)


@pytest.mark.parametrize("kind", ["file", "folder", "pattern", "list"])
@pytest.mark.parametrize("expanded_before", [False, True])
def test_a_source_is_expanded_once_and_each_file_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, expanded_before: bool
):
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt")]
    for file in files:
        Path(file).write_text("one two\n")
    given: Any = {
        "file": files[0],
        "folder": tmp_path,
        "pattern": str(tmp_path / "*.txt"),
        "list": [tmp_path / "[a-b].txt", files[2]],
    }[kind]
    parts = given if kind == "list" else [given]
    searched = [str(part) for part in parts if not Path(part).is_file()]
    access = FileAccess(monkeypatch)
    source = expand_source(given) if expanded_before else given
    corpus = Corpus.from_text(source, min_count=1)
    assert access.expanded == [str(part) for part in parts]
    assert access.searches == searched
    assert access.opened == (files if kind != "file" else files[:1])
    assert len(corpus) == 2 * len(access.opened)


def test_an_expanded_source_is_returned_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.txt").write_text("one two\n")
    found = expand_source(tmp_path)
    access = FileAccess(monkeypatch)
    assert expand_source(found) is found
    assert list(expand_source(list(found))) == list(found)  # a list of plain files: nothing is searched
    assert access.searches == []


@pytest.mark.parametrize("block", [3, 5, 1 << 22])
def test_blocks_end_at_white_space_and_know_their_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int):
    data = "\ufeffone two\tthree\r\nvierzehn fünf".encode()
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    monkeypatch.setattr(sources, "BLOCK_BYTES", block)
    assert content(path) == data[3:] + b"\n"
    for text_block in read_blocks([path]):
        inside = text_block.data[: -len(PADDING)]
        assert data[text_block.position :].startswith(inside) or data[text_block.position :] + b"\n" == inside
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
    with pytest.raises(ValueError, match=r"corpus\.txt\.zst is not a valid"):
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
    for size in (4, 1 << 22):
        monkeypatch.setattr(sources, "BLOCK_BYTES", size)
        for errors in ("replace", "ignore"):
            joined = b"".join(valid_utf8(block, errors)[: -len(PADDING)] for block in read_blocks([path]))
            assert joined.decode() == data.decode(errors=errors) + "\n"
        with pytest.raises(ValueError, match=r"corpus\.txt is not UTF-8: byte 21 is 0xe9"):
            list(map(valid_utf8, read_blocks([path]), repeat("strict")))


def test_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 8)
    lines = ["one two", None, "three\nfour", float("nan"), "한국어", ""]
    joined = b"".join(block.data[: -len(PADDING)] for block in blocks_of_lines(lines, "lines"))
    assert [line.split() for line in joined.decode().split("\n") if line] == [
        ["one", "two"],
        ["three", "four"],
        ["한국어"],
    ]
    with pytest.raises(TypeError, match="line 1 is of type int"):
        list(blocks_of_lines(["a", 3], "lines"))
    with pytest.raises(ValueError, match=r"line 0 contains the lone surrogate '\\ud800' at index 2"):
        list(blocks_of_lines(["a \ud800"], "lines"))
