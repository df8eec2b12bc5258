"""Compressed files are recognised by their content, and nothing in them is left out silently."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from fastw2v.utils.compression import HEAD_BYTES, compression_of, read_decompressed

TEXT = b"".join(b"%d words of a text\n" % i for i in range(20_000))


def lzma_alone(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


def zstandard_module(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def zstd(data: bytes) -> bytes:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name).compress(data)
        except ImportError:
            continue
    return zstandard_module("zstandard").ZstdCompressor().compress(data)


KINDS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("bzip2", bz2.compress),
    ("xz", lzma.compress),
    ("xz", lzma_alone),
    ("zstd", zstd),
]
NAMES = ["gzip", "bzip2", "xz", "lzma", "zstd"]


def content(data: bytes, size: int = 100_000) -> bytes:
    pieces = list(read_decompressed(io.BytesIO(data), "corpus", size))
    assert all(len(piece) == size for piece in pieces[:-1])
    return b"".join(pieces)


@pytest.mark.parametrize(("kind", "compress"), KINDS, ids=NAMES)
def test_files_of_one_and_of_several_parts(kind: str, compress: Callable[[bytes], bytes]):
    one = compress(TEXT)
    assert compression_of(one[:HEAD_BYTES]) == kind
    assert content(one) == TEXT
    assert content(one + one) == TEXT + TEXT
    assert content(one + bytes(8) + one + bytes(512)) == TEXT + TEXT  # padded, as by xz and tar
    assert content(compress(b"")) == b""


@pytest.mark.parametrize(("kind", "compress"), KINDS, ids=NAMES)
def test_nothing_is_missing_in_silence(kind: str, compress: Callable[[bytes], bytes]):
    one = compress(TEXT)
    for cut in (one[:-1], one[: len(one) // 2], one + one[:-1], one + one[: HEAD_BYTES - 2]):
        with pytest.raises(ValueError, match=f"^corpus is cut short: its {kind} data is incomplete"):
            content(cut)
    for damaged in (one + b"x" + one, one + b"the end of a text"):
        with pytest.raises(ValueError, match=f"^corpus: the {kind} data is damaged|^corpus is cut short"):
            content(damaged)


def test_skippable_frames_of_zstd():
    frame = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"  # written by pzstd and by seekable formats
    assert content(frame + zstd(TEXT) + frame + zstd(TEXT)) == TEXT + TEXT


@pytest.mark.parametrize("hidden", [(), ("compression.zstd", "backports.zstd")])
def test_modules_that_read_zstd(monkeypatch: pytest.MonkeyPatch, hidden: tuple[str, ...]):
    data = zstandard_module("zstandard").ZstdCompressor().compress(TEXT) * 2
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    assert content(data) == TEXT + TEXT
    with pytest.raises(ValueError, match="cut short"):
        content(data[:-1])


def test_zstd_without_a_module_names_the_remedy(monkeypatch: pytest.MonkeyPatch):
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeError, match="pip install zstandard"):
        content(b"\x28\xb5\x2f\xfd and so on")


@pytest.mark.parametrize("data", [b"", b"x", b"BZh is a word", b"] a", TEXT, b"\x1f\x8b", b"\x00" * 100])
@pytest.mark.parametrize("size", [1, 7, 16, 17, 1 << 20])
def test_other_files_are_unchanged(data: bytes, size: int):
    data = data[: 100 * size]
    assert compression_of(data[:HEAD_BYTES]) is None
    assert content(data, size) == data


def test_a_file_that_expands_a_lot_takes_little_memory():
    data = lzma.compress(bytes(1 << 20) * 256)
    tracemalloc.start()
    try:
        assert sum(map(len, read_decompressed(io.BytesIO(data), "zeros", 1 << 16))) == 1 << 28
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()
