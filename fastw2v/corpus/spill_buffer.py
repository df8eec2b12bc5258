"""Buffers of integers that move to a temporary file when they become large.

Provisional ids are written to a stack from the first block of a text to the last, and read from the last to the first.
Their file becomes shorter as they are read, while the array of final ids is filled from its end. On a file system with
sparse files, a text therefore never needs temporary space for both.
"""

from __future__ import annotations

import errno
import mmap
import tempfile
import weakref
from typing import IO, Any

import numpy as np

__all__ = ["ReversedBuffer", "SpillStack", "release_pages"]

IN_MEMORY = 1 << 25
"""Maximum number of bytes in memory; a larger buffer is stored in an unnamed temporary file."""
_PAGES_BYTES = 1 << 21
"""Pages are released in groups of this size, because Linux can map as many bytes at once when one of them is read."""


class SpillStack:
    """A stack of blocks of integers, in memory or in a temporary file that is removed with the stack.

    Parameters
    ----------
    dtype : dtype
        Type of the integers.
    n_stacks : int
        Number of stacks that share `IN_MEMORY`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.spill_buffer import SpillStack
    >>> stack = SpillStack(np.int32)
    >>> stack.push(np.array([1, 2, 3]))
    >>> stack.push(np.array([4, 5]))
    >>> stack.pop().tolist(), stack.pop().tolist()
    ([4, 5], [1, 2, 3])
    """

    def __init__(self, dtype: Any, n_stacks: int = 1) -> None:
        self.dtype = np.dtype(dtype)
        self._in_memory = IN_MEMORY // n_stacks
        self._sizes: list[int] = []
        self._blocks: list[np.ndarray] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._sizes)

    def push(self, values: np.ndarray) -> None:
        """Add a copy of a block to the top of the stack.

        Raises
        ------
        OSError
            If the temporary file cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import SpillStack
        >>> stack = SpillStack(np.int32)
        >>> stack.push(np.array([1, 2, 3]))
        >>> len(stack)
        1
        """
        self._sizes.append(len(values))
        self._bytes += len(values) * self.dtype.itemsize
        if self._file is None and self._bytes <= self._in_memory:
            self._blocks.append(np.array(values, dtype=self.dtype))
            return
        if self._file is None:
            self._file = _temporary_file(self)
            for block in self._blocks:
                _write(self._file, block)
            self._blocks.clear()
        _write(self._file, np.ascontiguousarray(values, dtype=self.dtype))

    def pop(self) -> np.ndarray:
        """Remove the block at the top of the stack and return it.

        Raises
        ------
        OSError
            If the temporary file cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import SpillStack
        >>> stack = SpillStack(np.int32)
        >>> stack.push(np.array([1, 2, 3]))
        >>> stack.pop().tolist()
        [1, 2, 3]
        """
        size = self._sizes.pop()
        if self._file is None:
            return self._blocks.pop()
        block = np.empty(size, self.dtype)
        self._bytes -= block.nbytes
        self._file.seek(self._bytes)
        view = _view(block)
        while len(view):
            got = self._file.readinto(view)  # type: ignore[attr-defined]  # the file is unbuffered, so it has readinto
            if not got:
                raise OSError(errno.EIO, f"a temporary file in {tempfile.gettempdir()} was truncated")
            view = view[got:]
        self._file.truncate(self._bytes)
        return block


class ReversedBuffer:
    """An array that is filled from its end, in memory or in a temporary file that is removed with the buffer.

    Parameters
    ----------
    dtype : dtype
        Type of the values.
    n : int
        Maximum number of values.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.spill_buffer import ReversedBuffer
    >>> buffer = ReversedBuffer(np.int32, 6)
    >>> buffer.prepend(np.array([4, 5]))
    >>> buffer.prepend(np.array([1, 2, 3]))
    >>> buffer.array().tolist()
    [1, 2, 3, 4, 5]
    """

    def __init__(self, dtype: Any, n: int) -> None:
        self.dtype = np.dtype(dtype)
        self._n = self._start = n
        self._array: np.ndarray | None = None
        self._file: IO[bytes] | None = None
        if n * self.dtype.itemsize <= IN_MEMORY:
            self._array = np.empty(n, self.dtype)
        else:
            self._file = _temporary_file(self)

    def prepend(self, values: np.ndarray) -> None:
        """Add values before those that were added earlier.

        Raises
        ------
        OSError
            If the temporary file cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import ReversedBuffer
        >>> buffer = ReversedBuffer(np.int32, 3)
        >>> buffer.prepend(np.array([1, 2, 3]))
        >>> buffer.array().tolist()
        [1, 2, 3]
        """
        stop, self._start = self._start, self._start - len(values)
        if self._array is not None:
            self._array[self._start : stop] = values
        elif self._file is not None and len(values):
            self._file.seek(self._start * self.dtype.itemsize)
            _write(self._file, np.ascontiguousarray(values, dtype=self.dtype))

    def array(self) -> np.ndarray:
        """Return all values; no values may be added afterwards.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import ReversedBuffer
        >>> ReversedBuffer(np.int32, 3).array().tolist()
        []
        """
        if self._array is not None:
            return self._array[self._start :]
        if self._file is None or self._start == self._n:
            return np.zeros(0, self.dtype)
        mapped = _TemporaryMapping(self._file.fileno(), self._n * self.dtype.itemsize, access=mmap.ACCESS_WRITE)
        return np.frombuffer(mapped, dtype=self.dtype)[self._start :]


class _TemporaryMapping(mmap.mmap):
    """A mapped temporary file. Its pages need not stay in the memory of the process, because the file has them all."""


def release_pages(array: np.ndarray) -> None:
    """Remove an array from the memory of the process if it is part of a mapped temporary file.

    The values do not change. They are read from the file, or from the memory in which the system keeps files, when they
    are used again. Other arrays stay as they are.

    Parameters
    ----------
    array : array
        An array made by `ReversedBuffer`, or a contiguous part of one.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.spill_buffer import ReversedBuffer, release_pages
    >>> buffer = ReversedBuffer(np.int32, 3)
    >>> buffer.prepend(np.array([1, 2, 3]))
    >>> release_pages(buffer.array())
    >>> buffer.array().tolist()
    [1, 2, 3]
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    base = getattr(base, "obj", base)  # NumPy refers to the buffer through a memoryview
    if not isinstance(base, _TemporaryMapping) or not hasattr(mmap, "MADV_DONTNEED"):  # Windows has no such advice
        return
    start = array.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
    first = start // _PAGES_BYTES * _PAGES_BYTES
    last = min(-(-(start + array.nbytes) // _PAGES_BYTES) * _PAGES_BYTES, len(base))
    base.madvise(mmap.MADV_DONTNEED, first, last - first)


def _temporary_file(owner: Any) -> IO[bytes]:
    """Return an unnamed temporary file, which is removed with its owner."""
    try:
        file = tempfile.TemporaryFile(prefix="fastw2v-", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise _explained(error) from error
    weakref.finalize(owner, file.close)
    return file


def _write(file: IO[bytes], block: np.ndarray) -> None:
    view = _view(block)
    try:
        while len(view):
            view = view[file.write(view) :]
    except OSError as error:
        raise _explained(error) from error


def _view(block: np.ndarray) -> memoryview:
    return memoryview(block).cast("B") if block.size else memoryview(b"")


def _explained(error: OSError) -> OSError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OSError(
            error.errno,
            "the disk is full; a long corpus needs 4 bytes of temporary space per token. Free some space, or set "
            "TMPDIR to a folder on a larger disk",
            tempfile.gettempdir(),
        )
    return error
