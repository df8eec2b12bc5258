"""A buffer of integers that are appended, read back in order and rewritten in place; large ones spill to disk."""

from __future__ import annotations

import errno
import mmap
import tempfile
import weakref
from collections import deque
from typing import IO, Any

import numpy as np

__all__ = ["SpillBuffer"]

IN_MEMORY = 1 << 25
"""Bytes that a buffer keeps in memory; a larger one is an unnamed temporary file."""


class SpillBuffer:
    """Blocks of integers in memory, or in a temporary file that is removed with the buffer.

    Blocks are appended first. After `rewind`, each is returned by `take` in the same order, and the blocks appended
    meanwhile become the content that `array` returns; on disk, they must not be larger than what was taken.

    Parameters
    ----------
    dtype : dtype
        Type of the integers.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._blocks: deque[np.ndarray] = deque()
        self._array: np.ndarray | None = None
        self._file: IO[bytes] | None = None
        self._read = self._written = 0

    def append(self, values: np.ndarray) -> None:
        """Append a block to those appended since the beginning, or since `rewind`."""
        block = np.ascontiguousarray(values, dtype=self.dtype)
        self._written += block.nbytes
        if self._array is not None:
            end = self._written // self.dtype.itemsize
            self._array[end - len(block) : end] = block
            return
        if self._file is None and self._written <= IN_MEMORY:
            self._blocks.append(block)
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="fastw2v-", buffering=0)  # noqa: SIM115
                weakref.finalize(self, self._file.close)
                while self._blocks:
                    _write_all(self._file, self._blocks.popleft())
            self._file.seek(self._written - block.nbytes)
            _write_all(self._file, block)
        except OSError as error:
            raise _explained(error) from error

    def rewind(self, n: int) -> None:
        """Start to take blocks out and to overwrite them, with at most `n` values in all."""
        if self._file is None:
            self._array = np.empty(n, self.dtype)
        self._read = self._written = 0

    def take(self, n: int) -> np.ndarray:
        """Return the next block, of `n` values."""
        if self._file is None:
            return self._blocks.popleft()
        block = np.empty(n, self.dtype)
        self._file.seek(self._read)
        view = memoryview(block).cast("B") if n else memoryview(b"")
        while len(view):
            got = self._file.readinto(view)  # type: ignore[attr-defined]  # it is a raw file
            if not got:
                raise OSError(errno.EIO, f"a temporary file in {tempfile.gettempdir()} was cut short")
            view = view[got:]
        self._read += block.nbytes
        return block

    def array(self) -> np.ndarray:
        """Return the values appended since `rewind`; nothing may be appended afterwards."""
        if self._array is not None:
            return self._array[: self._written // self.dtype.itemsize]
        if self._file is None or self._written == 0:
            return np.zeros(0, self.dtype)
        # Copy on write makes it an ordinary writable array; as nobody writes to it, nothing is copied.
        mapped = mmap.mmap(self._file.fileno(), self._written, access=mmap.ACCESS_COPY)
        return np.frombuffer(mapped, dtype=self.dtype)


def _write_all(file: IO[bytes], block: np.ndarray) -> None:
    view = memoryview(block).cast("B") if block.size else memoryview(b"")
    while len(view):
        view = view[file.write(view) :]


def _explained(error: OSError) -> OSError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OSError(
            error.errno,
            "the disk is full; a long corpus needs room for 4 bytes a token there: free some, or set TMPDIR to a "
            "folder on a larger disk",
            tempfile.gettempdir(),
        )
    return error
