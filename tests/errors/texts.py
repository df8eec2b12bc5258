"""Producers of errors in the section "Reading texts"."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus
from fastw2v.corpus import sources, spill_buffer
from fastw2v.corpus.spill_buffer import SpillStack
from fastw2v.distributed import text as distributed_text
from fastw2v.distributed.cluster import InProcess
from fastw2v.utils.encodings import read_text
from tests.errors.common import Producer, write

LATIN = "le café crème est très près du théâtre\n".encode("latin-1")
INFO = {"type": "file", "size": 9}
KOREAN = "나는 학교에 간다\n".encode("cp949")


def broken_link() -> str:
    if os.name == "nt":
        pytest.skip("links need a privilege on Windows")
    Path("texts").mkdir()
    Path("texts/link.txt").symlink_to("missing.txt")
    return "texts/link.txt"


def cut_between_blocks(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    """Truncate a file after its first block, and read the block with an index, or all others if the index is 0."""
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1 << 10)
    write("a.txt", b"the cat sat\n" * 100_000)
    blocks = sources.read_blocks([Path("a.txt")])
    some = [next(blocks), *(list(blocks) if index else [])]
    os.truncate("a.txt", 5000)
    if index:
        some[index].data  # noqa: B018
    list(blocks)


def cut_small_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a file of which the system reports more bytes than there are."""
    path = Path(write("a.txt", "the cat sat\n"))
    status = os.stat_result((*path.stat()[:6], 100, *path.stat()[7:]))
    monkeypatch.setattr(os, "fstat", lambda _: status)
    list(sources.read_blocks([path]))


def no_white_space(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(sources, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(sources, "LONGEST_WORD", 1 << 10)
    Corpus.from_text(write("a.txt", "x" * 5000))


def decoder_without_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.13 on, no decoder of Python raises this error, but those of other packages may."""

    def fail(data: bytes, final: bool) -> str:
        raise UnicodeError("invalid code point")

    monkeypatch.setattr(codecs, "getincrementaldecoder", lambda _: lambda _: types.SimpleNamespace(decode=fail))
    Corpus.from_text(write("a.txt", "the-!\n"), encoding="punycode")


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    SpillStack(np.int32).push(np.arange(9))


def pipe_in_a_folder() -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs pipes with names")
    Path("texts").mkdir()
    os.mkfifo("texts/pipe")
    Corpus.from_text("texts")


def raised(value: object) -> object:
    """Raise an exception, or return another value."""
    if isinstance(value, Exception):
        raise value
    return value


class ServerFiles:
    """A file system of fsspec whose methods return or raise something; `info` does one thing after another."""

    def __init__(self, *infos: object, data: object = None) -> None:
        self._infos, self._data = list(infos), data

    def info(self, _: str) -> object:
        return raised(self._infos.pop(0))

    def invalidate_cache(self) -> None:
        pass

    def cat_file(self, *_: object) -> object:
        return raised(self._data)

    def glob(self, _: str, detail: bool) -> dict[str, object]:
        return {}

    find = glob

    def unstrip_protocol(self, path: str) -> str:
        return f"s3://{path}"


def read_url(monkeypatch: pytest.MonkeyPatch, url: str, found: Any) -> None:
    """Read a URL with a module fsspec that finds a file system for it, or raises an error."""

    def url_to_fs(url: str) -> tuple[Any, str]:
        if isinstance(found, Exception):
            raise found
        return found, url.removeprefix("s3://")

    fsspec = types.SimpleNamespace(core=types.SimpleNamespace(url_to_fs=url_to_fs)) if found else None
    monkeypatch.setitem(sys.modules, "fsspec", fsspec)
    read_on_cluster(url)


class FilesChange(InProcess):
    """A cluster on which something happens before each task is submitted."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__(threads=1)
        self._happens = happens

    def submit(self, *arguments: Any, **options: Any) -> list[Any]:
        self._happens()
        return super().submit(*arguments, **options)


def read_on_cluster(source: Any, happens: Callable[[], object] = lambda: None) -> None:
    cluster = FilesChange(happens)
    try:
        distributed_text.read_text(cluster, source, parts=2)
    finally:
        cluster.close()


def no_white_space_before_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1 << 8)
    monkeypatch.setattr(sources, "LONGEST_WORD", 1 << 10)
    with Path(write("a.txt", "x" * 5000)).open("rb") as file:
        list(sources.blocks_of_range(sources.SharedFile(file), 5000, "a.txt", begin=4096))


class Full:
    """A temporary file on a full disk."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Do nothing."""


def full_disk_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    SpillStack(np.int32).push(np.arange(9))


def truncated_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    stack = SpillStack(np.int32)
    stack.push(np.arange(9))
    assert stack._file
    stack._file.truncate(4)
    stack.pop()


def no_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    Corpus.from_text(write("a.txt.zst", b"\x28\xb5\x2f\xfd and so on"))


PRODUCERS: dict[str, list[Producer]] = {
    "… is a URL, which only replicas read; set replicas, or download the file": [
        lambda: Corpus.from_text("s3://bucket/corpus.txt"),
    ],
    "… can be read only once, so it cannot be divided among replicas. Write the text to a file first, and pass the path of the file": [
        lambda: read_on_cluster("-"),
    ],
    "… has changed since the reading began, from … to … bytes; read the text again when no program writes to it": [
        lambda: read_on_cluster(write("a.txt", "the cat"), lambda: write("a.txt", "the dog sat")),
    ],
    "the node … cannot find … (…). A path must lead to the same file on every node: put the text into a folder that all nodes share, or pass a URL, such as s3://bucket/corpus.txt": [
        lambda: read_on_cluster(write("a.txt", "the cat"), lambda: Path("a.txt").unlink(missing_ok=True)),
    ],
    "… is a URL, and the package fsspec is not installed on the node …. Run pip install fsspec on every node, or pass the path of a file that all nodes share": [
        lambda monkeypatch: read_url(monkeypatch, "s3://bucket/a.txt", None),
    ],
    "… cannot be read on the node …, because a package is missing: …. Install it on every node": [
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ImportError("Install s3fs to access S3")),
    ],
    "… cannot be read: …. Pass a path, or a URL that fsspec supports, such as s3://bucket/corpus.txt": [
        lambda monkeypatch: read_url(monkeypatch, "s4://a.txt", ValueError("Protocol not known: s4")),
    ],
    "the node … cannot read …: …: …. Check the URL, the network and the credentials of every node": [
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ServerFiles(PermissionError("Access Denied"))),
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ServerFiles(INFO, PermissionError("Access Denied"))),
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ServerFiles(INFO, INFO, data=OSError("no answer"))),
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ServerFiles(INFO, INFO, data=b"more than 9 bytes")),
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ConnectionError("no answer")),
    ],
    "the server does not tell the size of …; copy the file to a folder or a bucket first": [
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ServerFiles({"type": "file", "size": None})),
    ],
    "there is no corpus file …": [
        lambda: Corpus.from_text("missing.txt"),
        lambda: Corpus.from_text("the cat sat on the mat"),
        lambda monkeypatch: read_url(monkeypatch, "s3://a.txt", ServerFiles(FileNotFoundError("s3://a.txt"))),
    ],
    "no file matches …": [
        lambda: Corpus.from_text("*.txt"),
        lambda monkeypatch: read_url(monkeypatch, "s3://*.txt", ServerFiles()),
    ],
    "there are no files in the folder … or its sub-folders": [
        lambda: Corpus.from_text("."),
        lambda monkeypatch: read_url(monkeypatch, "s3://texts", ServerFiles({"type": "directory"})),
    ],
    "source is an empty string; pass the path of a file or, for the current folder, '.'": [
        lambda: Corpus.from_text(""),
    ],
    "the source is an empty list; pass at least one file": [
        lambda: Corpus.from_text([]),
    ],
    "source is a text of … characters, …, but it must be the path of a file. Pass the lines of a text to Corpus.from_lines": [
        lambda: Corpus.from_text("the cat\nsat down"),
    ],
    "source is the open file …; pass its path instead, or pass the file to Corpus.from_lines": [
        lambda: Corpus.from_text(io.StringIO("the cat")),
    ],
    "source is …; it must be a path or a list of paths": [
        lambda: Corpus.from_text(7),
    ],
    "source contains … of type …; pass paths": [
        lambda: Corpus.from_text([["the", "cat"]]),
    ],
    "… is a link to …, which does not exist; restore the file, or remove the link": [
        lambda: Corpus.from_text(broken_link()),
        lambda: Corpus.from_text(Path(broken_link()).parent),
        lambda: (broken_link(), Corpus.from_text("texts/*.txt")),
    ],
    "… is neither a file nor a folder; pass it on its own, or remove it from …": [
        pipe_in_a_folder,
    ],
    "… is empty": [
        lambda: Corpus.from_text(write("a.txt", "")),
    ],
    "…: there are no words, only white space. An iterator or a pipe can be read only once, so check that nothing has read it before": [
        lambda: Corpus.from_lines(iter([])),
    ],
    "… was cut short while it was read, from … to … bytes; read it again when it is complete": [
        lambda monkeypatch: cut_between_blocks(monkeypatch, 0),
        lambda monkeypatch: cut_between_blocks(monkeypatch, -2),
        cut_small_file,
    ],
    "…: there is no white space in the … bytes that start at byte …; check that the file is text": [
        lambda monkeypatch: no_white_space(monkeypatch, 1 << 12),
        lambda monkeypatch: no_white_space(monkeypatch, 1 << 13),
        no_white_space_before_a_range,
    ],
    "… is …, not text. …": [
        lambda: Corpus.from_text(write("a.pdf", b"%PDF-1.7 and so on")),
    ],
    "… contains word vectors …, not text. …": [
        lambda: Corpus.from_text(write("a.txt", "2 3\nthe 0.1 0.5 -0.2\ncat 0.3 0.1 0.7\n")),
    ],
    "… is compressed twice: its decompressed content is … data. Decompress it once first": [
        lambda: Corpus.from_text(write("a.gz", gzip.compress(gzip.compress(b"the cat")))),
    ],
    "…: the … data is damaged. Fetch or write the file again": [
        lambda: Corpus.from_text(write("a.gz", gzip.compress(b"the cat")[:12] + b"x" * 50)),
    ],
    "… is cut short: its … data is incomplete. Fetch or write the file again": [
        lambda: Corpus.from_text(write("a.gz", gzip.compress(b"the cat")[:-4])),
    ],
    "cannot read …: it is compressed with zstd, which Python … does not support. Run pip install zstandard, or decompress the file with zstd -d": [
        no_zstd,
    ],
    "encoding is …; it must be the name of an encoding, such as 'utf-8'": [
        lambda: Corpus.from_text(write("a.txt", "the cat"), encoding=8),
    ],
    "encoding is …, which is not a text encoding of Python; use for example 'utf-8', 'cp949', 'gb18030', 'cp932' or 'latin-1'": [
        lambda: Corpus.from_text(write("a.txt", "the cat"), encoding="no-such"),
    ],
    "errors is …; it must be 'strict', 'replace' or 'ignore'": [
        lambda: Corpus.from_text(write("a.txt", "the cat"), errors="drop"),
    ],
    "… is not UTF-8: byte … is … (…). …. To read it as UTF-8 despite such bytes, use errors='replace' or errors='ignore'": [
        lambda: Corpus.from_text(write("a.txt", LATIN)),
        lambda: Corpus.from_text(write("a.txt", b"caf\xe9")),
    ],
    "… is not UTF-8. It is probably … (…). Read it with encoding=…, or convert it with iconv -f … -t UTF-8. In UTF-8 text, remove null characters": [
        lambda: Corpus.from_text(write("a.txt", ("the cat sat on the mat\n" * 20).encode("utf-16-le"))),
    ],
    "… is not UTF-8 text: more than a third of its first … bytes are null. Check that the file is text, and read it with the encoding of the text": [
        lambda: Corpus.from_text(write("a.txt", bytes(4000))),
    ],
    "… cannot be read with encoding=…: byte … is … (…). Use another encoding, or errors='replace' or errors='ignore'": [
        lambda: Corpus.from_text(write("a.txt", KOREAN), encoding="ascii"),
    ],
    "… cannot be read with encoding=…: …. Use another encoding": [
        decoder_without_positions,
    ],
    "… is not …: …. … with iconv -f … -t UTF-8": [
        lambda: read_text(write("words.txt", KOREAN)),
        lambda: read_text(write("words.txt", "the cat sat on the mat\n".encode("utf-16-le"))),
    ],
    "lines is a …; pass an iterable of strings, or read a file with Corpus.from_text(path)": [
        lambda: Corpus.from_lines("a.txt"),
    ],
    "…: line … is … of type …; lines must be strings": [
        lambda: Corpus.from_lines([["the", "cat"]]),
    ],
    "…: line … is … of type …; lines must be strings. Open the file as text (mode 'rt'), or decode the lines": [
        lambda: Corpus.from_lines([b"the cat"]),
    ],
    "…: line … contains the lone surrogate … at index …; replace it first, for example with line.encode(errors='replace').decode()": [
        lambda: Corpus.from_lines(["the \ud83d cat"]),
    ],
    "…the disk is full; a long corpus needs 4 bytes of temporary space per token. Free some space, or set TMPDIR to a folder on a larger disk…": [
        full_disk,
        full_disk_later,
    ],
    "…a temporary file in … was truncated": [
        truncated_temporary_file,
    ],
}
