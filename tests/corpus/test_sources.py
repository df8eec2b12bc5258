"""Text is read in blocks that end at white space, from files of every kind, each opened once, and is checked."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import logging
import lzma
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
        files_in, open_path, matches, expand = sources._files_in, Path.open, sources._matches, sources._expand

        def counted_files_in(path: Path) -> Any:
            self.searches.append(str(path))
            return files_in(path)

        def counted_matches(pattern: Path) -> Any:
            self.searches.append(str(pattern))
            return matches(pattern)

        def counted_open(path: Path, *args: Any, **options: Any) -> Any:
            self.opened.append(str(path))
            return open_path(path, *args, **options)

        def counted_expand(path: Any) -> Any:
            self.expanded.append(str(path))
            return expand(path)

        self.expanded: list[str] = []
        monkeypatch.setattr(sources, "_files_in", counted_files_in)
        monkeypatch.setattr(sources, "_matches", counted_matches)
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


COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("name", ["corpus.txt", "corpus", "corpus.txt.gz", "corpus.xz", "corpus.BZ2"])
def test_compressed_files_are_recognised_by_content(tmp_path: Path, kind: str, name: str):
    path = tmp_path / name
    path.write_bytes(COMPRESS[kind](b"one two\n") + COMPRESS[kind](b"three\n"))
    assert content(path) == b"one two\nthree\n\n"
    path.write_bytes(b"one two\n")  # for example decompressed by a browser, which kept the name
    assert content(path) == b"one two\n\n"


def test_files_that_are_compressed_twice(tmp_path: Path):
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress(lzma.compress(b"one two\n")))
    with pytest.raises(ValueError, match=r"corpus\.txt\.gz is compressed twice: its decompressed content is xz data"):
        Corpus.from_text(path)


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_files_that_are_cut_short(tmp_path: Path, kind: str):
    path = tmp_path / "part.txt"
    path.write_bytes(COMPRESS[kind](b"one two\n" * 1000)[:-6])
    (tmp_path / "whole.txt").write_bytes(b"one two\n")
    with pytest.raises(ValueError, match=r"part\.txt is cut short: its \w+ data is incomplete"):
        Corpus.from_text(tmp_path, min_count=1)


def test_compressed_standard_input(monkeypatch: pytest.MonkeyPatch):
    class Input:
        buffer = io.BytesIO(gzip.compress("eins zw\u00f6lf".encode("utf-16")))

    monkeypatch.setattr(sys, "stdin", Input())
    assert content("-").decode() == "eins zw\u00f6lf\n"


@pytest.mark.parametrize("block", [3, 1 << 22])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_byte_order_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int):
    monkeypatch.setattr(sources, "BLOCK_BYTES", block)
    mark = "" if encoding in ("utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    for name in ("1.txt", "2.txt"):
        (tmp_path / name).write_bytes(f"{mark}one zw\u00f6lf \U0001f408\ntwo".encode(encoding))
    assert content(tmp_path).decode() == "one zw\u00f6lf \U0001f408\ntwo\n" * 2


@pytest.mark.parametrize("block", [1, 5, 1 << 22])
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp949", "나는 학교에\n간다 \ub620\n"),
        ("shift_jis", "猫が 好き\n犬も ソ\n"),
        ("gb18030", "我 喜欢 猫\n\U0001f408\n"),
        ("latin-1", "caf\xe9 cr\xe8me\n"),
        ("utf-16-le", "one zw\xf6lf \U0001f408\n"),
        ("utf-8", "zw\xf6lf\n"),
        ("UTF8", "zw\xf6lf\n"),
    ],
)
def test_text_in_other_encodings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, text: str, block: int):
    path = tmp_path / "corpus.txt"
    path.write_bytes(gzip.compress((text * 20).encode(encoding)))
    monkeypatch.setattr(sources, "BLOCK_BYTES", block)
    found = read_blocks([path], encoding)
    assert b"".join(block.data[: -len(PADDING)] for block in found).decode() == text * 20 + "\n"
    corpus = Corpus.from_text(path, min_count=1, encoding=encoding)
    assert [corpus.vocabulary.words[i] for i in corpus.ids] == (text * 20).split()


@pytest.mark.parametrize("block", [4, 1 << 22])
def test_bytes_that_are_wrong_in_another_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int):
    monkeypatch.setattr(sources, "BLOCK_BYTES", block)
    path = tmp_path / "corpus.txt"
    data = "나는 학교에 간다 ".encode("cp949") * 3 + b"\xff end"
    path.write_bytes(data)
    at = data.index(0xFF)
    with pytest.raises(
        ValueError, match=rf"corpus\.txt cannot be read with encoding='cp949': byte {at} is 0xff .*errors='replace'"
    ):
        list(read_blocks([path], "cp949"))
    for errors in ("replace", "ignore"):
        joined = b"".join(part.data[: -len(PADDING)] for part in read_blocks([path], "cp949", errors))
        assert joined.decode() == data.decode("cp949", errors) + "\n"


@pytest.mark.parametrize(
    ("written", "text", "proposed"),
    [
        ("euc-kr", "나는 오늘 학교에 간다\n", "cp949"),
        ("shift_jis", "猫が 好きです\n", "cp932"),
        ("gb2312", "我今天早上去学校见了朋友。\n", "gb18030"),
        ("cp1252", "le caf\xe9 cr\xe8me est tr\xe8s bon\n", "cp1252"),
        ("utf-16-le", "the cat sat on the mat\n", "utf-16-le"),  # without its mark, this is valid UTF-8
        ("utf-16-be", "나는 오늘 학교에 간다\n", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("lines_before", [0, 3])
def test_an_encoding_that_fits_is_proposed(tmp_path: Path, written: str, text: str, proposed: str, lines_before: int):
    path = tmp_path / "corpus.txt"
    path.write_bytes(("first lines\n" * lines_before + text * 50).encode(written))
    with pytest.raises(ValueError, match=rf"corpus\.txt is not UTF-8.* with encoding='{proposed}'") as caught:
        Corpus.from_text(path, min_count=1)
    assert len(str(caught.value)) < 400
    word = next((word for word in text.split() if not word.isascii()), "the")
    assert word in str(caught.value) or lines_before
    corpus = Corpus.from_text(path, min_count=4, encoding=proposed)
    assert corpus.vocabulary.words == list(dict.fromkeys(text.split()))


def test_an_encoding_whose_decoder_gives_no_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Decoder(codecs.IncrementalDecoder):
        def decode(self, data: Any, final: bool = False) -> str:
            raise UnicodeError("invalid code point")

    monkeypatch.setattr(codecs, "getincrementaldecoder", lambda _: Decoder)
    (tmp_path / "x.txt").write_text("the cat\n")
    with pytest.raises(ValueError, match=r"x\.txt cannot be read with encoding='punycode': .* Use another encoding"):
        list(read_blocks([tmp_path / "x.txt"], "punycode"))


def test_an_empty_name_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").write_text("the cat\n")
    for source in ("", ["x.txt", ""]):
        with pytest.raises(FileNotFoundError, match="source is an empty string"):
            expand_source(source)
    assert len(expand_source(".")) == 1


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1 << 10)
    path = tmp_path / "x.txt"
    path.write_bytes(b"the cat sat\n" * 100_000)
    blocks = read_blocks([path])
    next(blocks)
    os.truncate(path, 1 << 19)
    with pytest.raises(OSError, match=r"x\.txt was cut short while it was read, from 1,200,000 to 524,288 bytes"):
        list(blocks)
    path.write_bytes(b"the cat sat\n" * 100)
    blocks = read_blocks([path])
    first = next(blocks)
    with path.open("ab") as file:  # such as a log that another program writes
        file.write(b"the dog ran\n" * 1000)
    assert sum(len(block.data.split()) for block in (first, *blocks)) == 3 * 1100


def test_a_block_that_is_cut_off_before_its_thread_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1 << 10)
    path = tmp_path / "x.txt"
    path.write_bytes(b"the cat sat\n" * 1000)
    blocks = list(read_blocks([path]))
    os.truncate(path, 5000)
    assert blocks[0].data.split()[:3] == [b"the", b"cat", b"sat"]
    with pytest.raises(OSError, match=r"x\.txt was cut short while it was read, from 12,000 to 5,000 bytes"):
        blocks[-2].data  # noqa: B018


def test_blocks_outlive_the_name_of_their_file_and_then_close_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1 << 10)
    path = tmp_path / "x.txt"
    path.write_bytes(b"the cat sat\n" * 1000)
    blocks = list(read_blocks([path]))
    descriptor = blocks[0].file._file.fileno()  # type: ignore[union-attr]
    if os.name != "nt":  # Windows does not remove open files
        path.unlink()
        path.write_bytes(b"another file")
    assert b"".join(block.data[: -len(PADDING)] for block in blocks) == b"the cat sat\n" * 1000 + b"\n"
    del blocks
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("preadv", [True, False])
def test_threads_read_one_file_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preadv: bool):
    if not preadv:  # as on Windows
        monkeypatch.delattr(os, "preadv", raising=False)
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(sources, "_SEARCH_BYTES", 7)
    path = tmp_path / "x.txt"
    content = b" ".join(b"%d" % i + b"x" * (i % 30) for i in range(20_000))
    path.write_bytes(content)
    blocks = list(read_blocks([path]))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda block: block.data, blocks))
    assert b"".join(data[: -len(PADDING)] for data in found) == content + b"\n"


def test_lines_of_a_binary_file():
    with pytest.raises(TypeError, match=r"line 0 is b'the cat\\n' of type bytes.*mode 'rt'"):
        list(blocks_of_lines(io.BytesIO(b"the cat\n"), "the lines"))


def test_an_encoding_that_does_not_exist():
    for encoding in ("utf-9", "base64", ""):
        with pytest.raises(ValueError, match=f"encoding is '{encoding}', which is not a text encoding"):
            Corpus.from_text("nowhere.txt", encoding=encoding)
    with pytest.raises(TypeError, match="encoding is None"):
        Corpus.from_text("nowhere.txt", encoding=None)  # type: ignore[arg-type]


def test_one_wrong_byte_is_no_reason_for_another_encoding(tmp_path: Path):
    path = tmp_path / "corpus.txt"
    path.write_bytes("나는 오늘 학교에 간다\n".encode() * 50 + b"\xb3 \xb8\n")
    with pytest.raises(ValueError, match=r"with the encoding of the text\. To read it as UTF-8 .*errors='replace'"):
        Corpus.from_text(path)


# Folders


def test_links_in_folders_are_followed(tmp_path: Path):
    folder = tmp_path / "corpus"
    (folder / "part").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.txt").write_text("c")
    (folder / "part" / "a.txt").write_text("a")
    try:
        (folder / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (folder / "b.txt").symlink_to(tmp_path / "elsewhere" / "c.txt")
        (folder / "part" / "loop").symlink_to(folder, target_is_directory=True)
    except OSError as error:
        pytest.skip(f"links cannot be made here: {error}")
    expected = [folder / "b.txt", folder / "linked" / "c.txt", folder / "part" / "a.txt"]
    assert list(expand_source(folder)) == expected
    assert list(expand_source(folder / "**" / "*.txt")) == expected
    assert list(expand_source(folder / "*")) == expected


@pytest.mark.parametrize("target", ["nowhere.txt", "broken.txt"])  # no such file, and a link to itself
def test_broken_links_are_named(tmp_path: Path, target: str):
    (tmp_path / "a.txt").write_text("a")
    try:
        (tmp_path / "broken.txt").symlink_to(tmp_path / target)
    except OSError as error:
        pytest.skip(f"links cannot be made here: {error}")
    for source in (
        tmp_path,
        tmp_path / "*.txt",
        tmp_path / "broken.txt",
        [tmp_path / "a.txt", tmp_path / "broken.txt"],
    ):
        with pytest.raises(OSError, match=r"broken\.txt"):
            expand_source(source)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets in folders on this system")
def test_what_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    Path("a.txt").write_text("a")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(OSError, match="socket is neither a file nor a folder"):
            expand_source(".")


def test_folders_that_match_a_pattern_are_searched(tmp_path: Path):
    for name in ("part-1/a.txt", "part-2/deep/b.txt", "part-3.txt", "part-4/.hidden", "other/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = [tmp_path / name for name in ("part-1/a.txt", "part-2/deep/b.txt", "part-3.txt")]
    assert list(expand_source(tmp_path / "part-*")) == found
    assert list(expand_source(tmp_path / "**" / "part-*")) == found
    with pytest.raises(FileNotFoundError, match="no file matches"):
        expand_source(tmp_path / "part-4*")


AS_ANOTHER_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Return a folder that other users can read, unlike the folders of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder


def run_as_another_user(code: str, folder: Path) -> str:
    """Run a program as a user who is stopped by permissions, unlike root, and return what it prints."""
    if not hasattr(os, "getuid"):
        pytest.skip("permissions work differently on this system")
    command = [*(AS_ANOTHER_USER if os.getuid() == 0 else []), sys.executable, "-c"]
    check = "import numpy, os, sys; os.listdir(sys.argv[1])"
    try:
        subprocess.run([*command, check, str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("root is not stopped by permissions, and cannot run Python as another user here")
    environment = os.environ | {"PYTHONPATH": str(Path(sources.__file__).parents[2])}
    return subprocess.run(
        [*command, code, str(folder)], check=True, capture_output=True, text=True, env=environment
    ).stdout


REPORT = """
import sys
from fastw2v import Corpus
folder = sys.argv[1]
for source in (folder, folder + "/**/*.txt", folder + "/*/*.txt", folder + "/*"):
    try:
        print(len(Corpus.from_text(source, min_count=1)))
    except OSError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("folder", 0o000), ("folder", 0o444), ("folder", 0o111), ("file", 0o000), ("file", 0o222)],
)
def test_what_cannot_be_read_is_named(shared_folder: Path, kind: str, mode: int):
    for name in ("open/a.txt", "closed/b.txt"):
        (shared_folder / name).parent.mkdir()
        (shared_folder / name).write_text("one two")
    closed = shared_folder / "closed" / "b.txt" if kind == "file" else shared_folder / "closed"
    closed.chmod(mode)
    try:
        lines = run_as_another_user(REPORT, shared_folder).splitlines()
    finally:
        closed.chmod(0o755)
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("PermissionError")
        assert "closed" in line


def test_files_that_vanish_are_named(tmp_path: Path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("one two")
    source = expand_source(tmp_path)
    (tmp_path / "b.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        Corpus.from_text(source, min_count=1)


def test_empty_files_among_others_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text("one two" if name == "b.txt" else "")
    assert len(Corpus.from_text(tmp_path, min_count=1)) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"empty files (2 of 3): {tmp_path / 'a.txt'} and 1 more"
    ]
    assert caplog.records[0].levelno == logging.WARNING


# What is no path


@pytest.mark.parametrize(
    "text",
    ["the cat sat on the mat\nthe dog sat on the rug\n", "word " * 100_000, "is it? " * 50_000, "[" * 1000 + "\x00"],
)
def test_a_text_given_as_a_path(text: str):
    with pytest.raises(FileNotFoundError, match=rf"source is a text of {len(text)} characters.*from_lines") as caught:
        Corpus.from_text(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("source", [3, None, 2.5])
def test_a_source_that_is_no_path(source: Any):
    with pytest.raises(TypeError, match=f"source is {source}; it must be a path or a list of paths"):
        expand_source(source)
    with pytest.raises(TypeError, match=f"source contains {source} of type"):
        expand_source([source])


def test_open_files_and_bytes_are_no_paths(tmp_path: Path):
    path = tmp_path / "corpus.txt"
    path.write_text("one two\nthree\n")
    with path.open() as file:
        with pytest.raises(TypeError, match=r"source is the open file .*Corpus\.from_lines"):
            Corpus.from_text(file)
        assert len(Corpus.from_lines(file, min_count=1)) == 3
    with pytest.raises(TypeError, match=r"source is b'corpus\.txt'; it must be a path"):
        Corpus.from_text(b"corpus.txt")  # type: ignore[arg-type]


def test_binary_data_without_a_signature(tmp_path: Path):
    path = tmp_path / "corpus.txt"
    path.write_bytes("one two\n".encode("utf-32-le") * 50)
    with pytest.raises(ValueError, match="more than a third of its first 1600 bytes are null"):
        Corpus.from_text(path)
    assert Corpus.from_text(path, encoding="utf-32-le").vocabulary.words == ["one", "two"]
    path.write_bytes(b"a null \x00 character\n" * 50)
    assert "\x00" in Corpus.from_text(path).vocabulary


def test_long_names_are_shortened(tmp_path: Path):
    for name in ("x" * 600, "/".join(["x" * 100] * 6)):
        with pytest.raises(FileNotFoundError, match="there is no corpus file") as caught:
            expand_source(name)
        assert len(str(caught.value)) < 300


def test_a_file_without_white_space(tmp_path: Path):
    (tmp_path / "corpus.txt").write_bytes(b"x" * 5_000_000)
    with pytest.raises(ValueError, match="no word occurs at least") as caught:
        Corpus.from_text(tmp_path / "corpus.txt")
    assert len(str(caught.value)) < 500


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


def test_small_files_do_not_stay_open(tmp_path: Path):
    resource = pytest.importorskip("resource", reason="Windows has no limit of open files to lower")
    for i in range(300):
        (tmp_path / f"{i:03}.txt").write_text(f"the cat {i}\n", encoding="utf-8")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, limits[1]))
    try:
        corpus = Corpus.from_text(tmp_path, min_count=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert corpus.vocabulary.counts[:2].tolist() == [300, 300]
    assert corpus.n_sentences == 300


def test_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 8)
    lines = ["one two", None, "three\nfour", float("nan"), "한국어", ""]
    joined = b"".join(block.data[: -len(PADDING)] for block in blocks_of_lines(lines, "lines"))
    assert [line.split() for line in joined.decode().split("\n") if line] == [
        ["one", "two"],
        ["three", "four"],
        ["한국어"],
    ]
    with pytest.raises(TypeError, match="lines: line 1 is 3 of type int; lines must be strings"):
        list(blocks_of_lines(["a", 3], "lines"))
    with pytest.raises(ValueError, match=r"line 0 contains the lone surrogate '\\ud800' at index 2"):
        list(blocks_of_lines(["a \ud800"], "lines"))
