"""A buffer has the same values in memory and on disk, and the error for a full disk says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.corpus import spill_buffer
from fastw2v.corpus.spill_buffer import SpillBuffer


def test_a_buffer_in_memory_and_on_disk_is_the_same(monkeypatch: pytest.MonkeyPatch):
    blocks = [np.arange(n, dtype=np.int32) + n for n in (5, 0, 7, 1, 100)]
    for limit in (0, 4 * 12, 1 << 20):
        monkeypatch.setattr(spill_buffer, "IN_MEMORY", limit)
        buffer = SpillBuffer(np.int32)
        for block in blocks:
            buffer.append(block)
        buffer.rewind(113)
        half = []
        for block in blocks:
            np.testing.assert_array_equal(buffer.take(len(block)), block)
            half.append(block[::2])
            buffer.append(block[::2])
        np.testing.assert_array_equal(buffer.array(), np.concatenate(half))
        assert buffer.array().flags.writeable


def test_a_full_disk_is_explained(monkeypatch: pytest.MonkeyPatch):
    class Full:
        def seek(self, position: int) -> None:
            pass

        def close(self) -> None:
            pass

        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    monkeypatch.setattr(spill_buffer.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(OSError, match="TMPDIR"):
        SpillBuffer(np.int32).append(np.arange(3))
