"""A buffer of integers that is moved to disk when it becomes large."""

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
"""Maximum number of bytes in memory; a larger buffer is stored in an unnamed temporary file."""


class SpillBuffer:
    """A buffer of blocks of integers, in memory or in a temporary file that is removed with the buffer.

    Use the buffer in two phases. First append all blocks. Then call `rewind`, take the blocks out in the same order and
    append their replacements. Finally, `array` returns the replacements. The replacements overwrite blocks in the file,
    so their total size must never exceed the total size of the blocks taken so far.

    Parameters
    ----------
    dtype : dtype
        Type of the integers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.spill_buffer import SpillBuffer
    >>> buffer = SpillBuffer(np.int32)
    >>> buffer.append(np.array([1, 2, 3]))
    >>> buffer.append(np.array([4, 5]))
    >>> buffer.rewind(5)
    >>> for n in (3, 2):
    ...     buffer.append(10 * buffer.take(n))
    >>> buffer.array().tolist()
    [10, 20, 30, 40, 50]
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._blocks: deque[np.ndarray] = deque()
        self._array: np.ndarray | None = None
        self._file: IO[bytes] | None = None
        self._read = self._written = 0

    def append(self, values: np.ndarray) -> None:
        """Append a block in the first phase, or a replacement after `rewind`.

        Raises
        ------
        OSError
            If the temporary file cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import SpillBuffer
        >>> buffer = SpillBuffer(np.int32)
        >>> buffer.append(np.array([1, 2, 3]))
        >>> buffer.rewind(3)
        >>> buffer.take(3).tolist()
        [1, 2, 3]
        """
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
        """Start the second phase, in which blocks are taken out and replaced.

        Parameters
        ----------
        n : int
            Maximum total number of values in the replacements.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import SpillBuffer
        >>> buffer = SpillBuffer(np.int32)
        >>> buffer.append(np.array([1, -1, 2]))
        >>> buffer.rewind(2)
        >>> block = buffer.take(3)
        >>> buffer.append(block[block > 0])
        >>> buffer.array().tolist()
        [1, 2]
        """
        if self._file is None:
            self._array = np.empty(n, self.dtype)
        self._read = self._written = 0

    def take(self, n: int) -> np.ndarray:
        """Return the next block; `n` must be the number of values in the block.

        Raises
        ------
        OSError
            If the temporary file cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import SpillBuffer
        >>> buffer = SpillBuffer(np.int32)
        >>> buffer.append(np.array([1, 2, 3]))
        >>> buffer.append(np.array([4, 5]))
        >>> buffer.rewind(5)
        >>> buffer.take(3).tolist(), buffer.take(2).tolist()
        ([1, 2, 3], [4, 5])
        """
        if self._file is None:
            return self._blocks.popleft()
        block = np.empty(n, self.dtype)
        self._file.seek(self._read)
        view = memoryview(block).cast("B") if n else memoryview(b"")
        while len(view):
            got = self._file.readinto(view)  # type: ignore[attr-defined]  # the file is unbuffered, so it has readinto
            if not got:
                raise OSError(errno.EIO, f"a temporary file in {tempfile.gettempdir()} was truncated")
            view = view[got:]
        self._read += block.nbytes
        return block

    def array(self) -> np.ndarray:
        """Return all values appended since `rewind`; no values may be appended afterwards.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.spill_buffer import SpillBuffer
        >>> buffer = SpillBuffer(np.int32)
        >>> buffer.append(np.array([1, 2, 3]))
        >>> buffer.rewind(3)
        >>> buffer.append(buffer.take(3) + 100)
        >>> buffer.array().tolist()
        [101, 102, 103]
        """
        if self._array is not None:
            return self._array[: self._written // self.dtype.itemsize]
        if self._file is None or self._written == 0:
            return np.zeros(0, self.dtype)
        # Copy on write makes the array writable. Nothing is copied as long as the array is only read.
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
            "the disk is full; a long corpus needs 4 bytes of temporary space per token. Free some space, or set "
            "TMPDIR to a folder on a larger disk",
            tempfile.gettempdir(),
        )
    return error
