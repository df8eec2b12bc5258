"""Producers of errors in the section "Reading files of vectors"."""

from __future__ import annotations

import errno
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from fastw2v import WordVectors
from tests.errors.common import Producer, vectors, write


class Full:
    """A temporary file on a full disk."""

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.txt.gz", gzip.compress(b"1 1\ncat 1\n"))
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    WordVectors.load("a.txt.gz")


def compressed(name: str) -> None:
    vectors().save(name)
    WordVectors.load(write(f"{name}.gz", gzip.compress(Path(name).read_bytes())))


def write_tsv(numbers: str, words: str) -> None:
    write("a.metadata.tsv", words)
    WordVectors.load(write("a.tsv", numbers))


def unequal_arrays() -> None:
    np.savez(
        "a.npz",
        vectors=np.ones((2, 3), np.float32),
        words=np.frombuffer(b"ab", np.uint8),
        word_offsets=np.arange(3),
        counts=np.array([1]),
    )
    WordVectors.load("a.npz", limit=1)


PRODUCERS: dict[str, list[Producer]] = {
    "…: the file is empty": [
        lambda: WordVectors.load(write("a.bin", "")),
        lambda: (Path("folder").mkdir(), write("folder/a.bin", ""), WordVectors.from_pretrained("folder")),
    ],
    "…: this is …": [
        lambda: WordVectors.load(write("a.txt", "the cat sat on the mat, and the dog ran away\n" * 9)),
        lambda: WordVectors.load(write("a.bin", b"%PDF-1.7 and so on")),
    ],
    "…: unknown suffix …. Supported suffixes are …. For any other suffix, use format='NAME', where NAME is … or, for reading, …": [
        lambda: WordVectors.load(write("a.data", b"\x01\x02\x03")),
        lambda: vectors().save("a.data"),
    ],
    "format is …; it must be one of …": [
        lambda: WordVectors.load("a.bin", format="word2vec"),
    ],
    "…: … files cannot be compressed; remove the … from the name": [
        lambda: vectors().save("a.safetensors.gz"),
    ],
    "…: … files are not read in compressed form or from a pipe; decompress the file first, or write the output of the pipe to a file": [
        lambda: compressed("a.safetensors"),
        lambda: compressed("a.npz"),
    ],
    "… is cut short: its … data is incomplete. Fetch or write the file again": [
        lambda: WordVectors.load(write("a.txt.gz", gzip.compress(b"1 1\ncat 1\n")[:-4])),
    ],
    "[Errno …] … in …, where the file is decompressed; set TMPDIR: …": [
        full_disk,
    ],
    "… is a folder, but not a StaticEmbedding; pass the path of a file": [
        lambda: WordVectors.load("."),
    ],
    "…: a StaticEmbedding is a folder, but this is a file; omit the format": [
        lambda: WordVectors.load(write("a.bin", "1 1\ncat 1\n"), format="static-embedding"),
    ],
    "…: the word in row …, …, is not …: …. …": [
        lambda: WordVectors.load(write("a.txt", "1 1\ncafé 0.5\n".encode("latin-1"))),
        lambda: WordVectors.load(write("a.txt", "2 1\n고양이 0.5\n강아지 0.5\n".encode("cp949"))),
    ],
    "…: the word … occurs twice, in rows … and …. To keep the first vector of each word, read the file with duplicates='first'": [
        lambda: WordVectors.load(write("a.txt", "2 1\ncat 0.5\ncat 0.25\n")),
    ],
    "…: the word … occurs twice, in rows … and …, and … a word. To keep the first vector of each word, read the file with duplicates='first'": [
        lambda: WordVectors.load(write("a.txt", "3 1\ncat 0.5\ncat 0.25\ncat 1\n")),
    ],
    "…: the word … occurs twice, in rows … and …. With errors=…, different bytes can become the same word; errors='surrogateescape' keeps them. To keep the first vector of each word, read the file with duplicates='first'": [
        lambda: WordVectors.load(write("a.txt", b"2 1\n\xff 0.5\n\xfe 0.25\n"), errors="replace"),
    ],
    "duplicates is …; it must be 'error' or 'first'": [
        lambda: WordVectors.load(write("a.txt", "1 1\ncat 1\n"), duplicates="last"),
    ],
    "errors is …; it must be one of 'strict', 'surrogateescape', 'replace', 'ignore'": [
        lambda: WordVectors.load(write("a.txt", "1 1\ncat 1\n"), errors="drop"),
    ],
    "encoding is …; only encodings that extend ASCII are supported here. Convert the file first, for example with iconv -f … -t UTF-8": [
        lambda: WordVectors.load(write("a.txt", "1 1\ncat 1\n"), encoding="utf-16"),
    ],
    "…: vectors has …, but words has …; each word must have one row": [
        lambda: write_tsv("0.5\n0.25\n", "cat\n"),
    ],
    "…: the arrays have shapes …; all must have one row for each word": [
        unequal_arrays,
    ],
}
