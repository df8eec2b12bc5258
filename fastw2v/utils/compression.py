"""Decompression of files that are recognised by their content, whatever their names."""

from __future__ import annotations

import bz2
import importlib
import itertools
import lzma
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["compression_of", "read_decompressed"]

INPUT_BYTES = 1 << 14
"""Number of compressed bytes that are decompressed at a time."""
OUTPUT_BYTES = 1 << 22
"""Maximum number of bytes that a decoder returns at a time, if it supports a maximum."""
HEAD_BYTES = 16
"""Number of bytes that identify a compression."""


def compression_of(head: bytes) -> str | None:
    r"""Return the compression of a file with these first bytes: "gzip", "bzip2", "xz", "zstd" or None.

    Files of the older format ``.lzma`` are reported as "xz", because the same decoder reads them.

    Parameters
    ----------
    head : bytes
        The first 16 bytes of the file, or the whole file if it is shorter.

    Examples
    --------
    >>> import gzip
    >>> from fastw2v.utils.compression import compression_of
    >>> compression_of(gzip.compress(b"the cat")), compression_of(b"the cat")
    ('gzip', None)
    """
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):  # the first block, or an empty file
        return "bzip2"
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return "xz"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return "zstd"  # a frame, or a frame to skip, with which pzstd begins a file
    return None


def read_decompressed(file: Any, name: str, size: int) -> Iterator[bytes]:
    r"""Yield the content of a binary file in pieces of `size` bytes; the last piece can be shorter.

    A file whose first bytes are those of gzip, bzip2, xz or zstd is decompressed, whatever its name. Such a file can
    consist of several compressed parts, which are read one after the other. Any other file is yielded unchanged.

    Parameters
    ----------
    file : binary file
        Only its method `read` is used, so a pipe is accepted.
    name : str
        Name of the file in messages.
    size : int
        Number of bytes of a piece.

    Yields
    ------
    bytes

    Raises
    ------
    OSError
        If the file cannot be read.
    RuntimeError
        If the file is compressed with zstd, but no module that can decompress it is installed.
    ValueError
        If the compressed data is damaged, truncated or followed by other data.

    Examples
    --------
    >>> import gzip, io
    >>> from fastw2v.utils.compression import read_decompressed
    >>> data = gzip.compress(b"the cat ") + gzip.compress(b"sat down")
    >>> list(read_decompressed(io.BytesIO(data), "corpus.txt.gz", size=10))
    [b'the cat sa', b't down']
    """
    head = file.read(HEAD_BYTES)
    kind = compression_of(head)
    if kind is None:
        first = file.read(max(size - len(head), 0))
        pieces: Iterable[bytes] = itertools.chain((head, first), iter(lambda: file.read(size), b""))
    else:
        data = itertools.chain((head,), iter(lambda: file.read(INPUT_BYTES), b""))
        pieces = _decompressed(data, kind, name)
    return _regrouped(pieces, size)


def _decompressed(data: Iterator[bytes], kind: str, name: str) -> Iterator[bytes]:
    """Decompress all parts of a file; unlike Python's own readers, refuse anything else that follows a part."""
    decoder: Any = None
    for some in data:
        rest = some
        while rest:
            if decoder is None:
                rest = rest.lstrip(b"\x00")  # padding between the parts and at the end
                if not rest:
                    break
                decoder = _decoder(kind, name)
            try:
                yield from _expanded(decoder, rest)
            except Exception as error:  # each module has its own error
                raise ValueError(f"{name}: the {kind} data is damaged. Fetch or write the file again") from error
            rest = b""
            if decoder.eof:
                rest = decoder.unused_data
                decoder = None
    if decoder is not None:
        raise ValueError(f"{name} is cut short: its {kind} data is incomplete. Fetch or write the file again")


def _expanded(decoder: Any, data: bytes) -> Iterator[bytes]:
    if not hasattr(decoder, "needs_input"):  # zlib expands data at most a thousandfold; zstandard has no maximum
        yield decoder.decompress(data)
        return
    yield decoder.decompress(data, OUTPUT_BYTES)
    while not (decoder.eof or decoder.needs_input):
        yield decoder.decompress(b"", OUTPUT_BYTES)


def _decoder(kind: str, name: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(wbits=31)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    if kind == "xz":
        return lzma.LZMADecompressor()
    # Files written with `zstd --long` need a window of up to 2 GB, which the modules refuse by default.
    for module in ("compression.zstd", "backports.zstd"):
        try:
            zstd = importlib.import_module(module)
        except ImportError:
            continue
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 31})
    try:
        return importlib.import_module("zstandard").ZstdDecompressor(max_window_size=1 << 31).decompressobj()
    except ImportError:
        raise RuntimeError(
            f"cannot read {name}: it is compressed with zstd, which Python {sys.version_info.major}."
            f"{sys.version_info.minor} does not support. Run pip install zstandard, or decompress the file with zstd -d"
        ) from None


def _regrouped(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the same bytes in pieces of `size` bytes."""
    waiting = bytearray()
    for piece in pieces:
        if len(piece) == size and not waiting:
            yield piece  # without a copy
            continue
        waiting += piece
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
