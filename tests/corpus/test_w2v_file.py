"""Files of encoded corpora: a corpus is read back as it was written, and all other files are rejected."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from fastw2v.corpus import w2v_file
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary

WORDS = ["the", "한국어", "a b", "\x00", "caf\u00e9\r"]


@pytest.fixture
def corpus() -> Corpus:
    ids = np.array([0, 1, 0, 2, 3, 4, 0], np.int32)
    return Corpus.from_ids(ids, np.array([0, 3, 3, 7]), Vocabulary(WORDS, [3, 1, 1, 1, 1]))


def same(one: Corpus, other: Corpus) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.offsets, other.offsets)
    assert one.vocabulary == other.vocabulary
    assert (one.ids.dtype, one.offsets.dtype) == (np.int32, np.int64)


def test_round_trip(corpus: Corpus, tmp_path: Path):
    path = tmp_path / "corpus.w2v"
    corpus.save(path)
    loaded = Corpus.load(path)
    same(loaded, corpus)
    assert loaded.ids.flags.writeable  # like an array in memory, so that kernels are not compiled a second time
    loaded.save(path)  # overwrites the file that is mapped
    same(Corpus.load(path), corpus)
    assert [file.name for file in tmp_path.iterdir()] == ["corpus.w2v"]


def test_integers_are_read_back_as_integers(tmp_path: Path):
    path = tmp_path / "corpus.w2v"
    corpus = Corpus.from_sentences([[880012, 17, -5], [17, 2**70]], min_count=1)
    corpus.save(path)
    loaded = Corpus.load(path)
    same(loaded, corpus)
    assert set(map(type, loaded.vocabulary.words)) == {int}
    data = bytearray(path.read_bytes())
    assert struct.unpack_from("<II", data, 8) == (1, 1)
    assert data.endswith("".join(f"{word}\n" for word in corpus.vocabulary.words).encode())
    struct.pack_into("<I", data, 12, 7)
    struct.pack_into("<I", data, 64, zlib.crc32(data[:64]))
    path.write_bytes(data)
    with pytest.raises(ValueError, match="words of the unknown type 7"):
        Corpus.load(path)


def test_the_layout_is_the_documented_one(corpus: Corpus, tmp_path: Path):
    corpus.save(tmp_path / "corpus.w2v")
    data = (tmp_path / "corpus.w2v").read_bytes()
    words = "".join(f"{word}\n" for word in WORDS).encode()
    assert data[:8] == b"\x89w2v\r\n\x1a\n"
    assert struct.unpack_from("<IIQQQQ", data, 8) == (1, 0, 7, 3, 5, len(words))
    parts = [
        np.array([0, 1, 0, 2, 3, 4, 0], "<i4").tobytes(),
        np.array([0, 3, 3, 7], "<i8").tobytes(),
        np.array([3, 1, 1, 1, 1], "<i8").tobytes(),
        words,
    ]
    assert struct.unpack_from("<IIII", data, 48) == tuple(map(zlib.crc32, parts))
    assert struct.unpack_from("<I", data, 64)[0] == zlib.crc32(data[:64])
    assert data[68:128] == bytes(60)
    assert data[128:] == parts[0] + bytes(4) + parts[1] + parts[2] + parts[3]


def test_every_cut_and_every_changed_byte_is_noticed(corpus: Corpus, tmp_path: Path):
    path = tmp_path / "corpus.w2v"
    corpus.save(path)
    data = path.read_bytes()
    for n in range(len(data)):
        path.write_bytes(data[:n])
        with pytest.raises(ValueError, match=r"cut short|not an encoded corpus"):
            Corpus.load(path)
    path.write_bytes(data + b"x")
    with pytest.raises(ValueError, match="too long"):
        Corpus.load(path)
    padding = {*range(68, 128), *range(156, 160)}
    for n in set(range(len(data))) - padding:
        path.write_bytes(data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :])
        with pytest.raises(ValueError, match=r"corpus\.w2v"):
            Corpus.load(path)


@pytest.mark.parametrize("content", [b"", b"the cat sat\n" * 100, b"PK\x03\x04" + bytes(200)])
def test_another_file_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "corpus.w2v"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not an encoded corpus.*fastw2v encode"):
        Corpus.load(path)


@pytest.mark.parametrize(("version", "message"), [(2, r"version 2.* version 1; upgrade fastw2v"), (0, "is damaged")])
def test_another_version_is_refused(corpus: Corpus, tmp_path: Path, version: int, message: str):
    path = tmp_path / "corpus.w2v"
    corpus.save(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8, version)
    struct.pack_into("<I", data, 64, zlib.crc32(data[:64]))
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        Corpus.load(path)


@pytest.mark.parametrize("word", ["two\nlines", "\ud800"])
def test_a_word_that_cannot_be_written_leaves_the_old_file(corpus: Corpus, tmp_path: Path, word: str):
    path = tmp_path / "corpus.w2v"
    corpus.save(path)
    with pytest.raises(ValueError, match="cannot be written"):
        Corpus.from_sentences([[word]], min_count=1).save(path)
    same(Corpus.load(path), corpus)
    assert len(list(tmp_path.iterdir())) == 1


def test_more_than_2_to_the_31_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Read a sparse file of 12 GB, which takes a few kilobytes on disk."""
    n = 3 * 2**30
    counts, words = np.array([n], "<i8").tobytes(), b"word\n"
    offsets = np.array([0, 2**31 + 5, n], "<i8").tobytes()
    header = w2v_file.HEADER.pack(w2v_file.MAGIC, 1, 0, n, 2, 1, 5, 0, 0, 0, 0)
    path = tmp_path / "corpus.w2v"
    with path.open("wb") as file:
        file.write(header + struct.pack("<I", zlib.crc32(header)))
        file.seek(w2v_file.START + 4 * n)
        try:
            file.write(offsets + counts + words)
        except OSError as error:
            pytest.skip(f"no sparse file of 12 GB: {error}")
    monkeypatch.setattr(w2v_file, "_checksum", lambda mapped, start, length, look: 0)  # which would read 12 GB of zeros
    corpus = Corpus.load(path)
    assert len(corpus) == n
    assert corpus.offsets.tolist() == [0, 2**31 + 5, n]
    assert corpus.ids[n - 1] == 0
    assert corpus.vocabulary == Vocabulary(["word"], [n])


@pytest.mark.slow
def test_killed_at_any_point_leaves_a_whole_file_or_none(tmp_path: Path):
    script = (
        "import sys, numpy as np\n"
        "from fastw2v.corpus import Corpus\n"
        "corpus = Corpus.from_ids(np.arange(3_000_000) % 1000)\n"
        "print('ready', flush=True)\n"
        "while True: corpus.save(sys.argv[1])\n"
    )
    path = tmp_path / "corpus.w2v"
    expected = Corpus.from_ids(np.arange(3_000_000) % 1000)
    seen = 0
    for i in range(12):
        process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.013 * i)
        process.kill()
        process.wait()
        process.stdout.close()
        if path.exists():
            same(Corpus.load(path), expected)
            seen += 1
    assert seen


def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "corpus.w2v"
    corpus.save(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        Corpus.from_sentences([["a"]], min_count=1).save(path)
    assert error.value.filename == str(path)
    same(Corpus.load(path), corpus)
    assert [file.name for file in tmp_path.iterdir()] == ["corpus.w2v"]
