"""Buffers have the same values in memory and on disk, and the error for a full disk says what to do."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.corpus import spill_buffer
from fastw2v.corpus.spill_buffer import ReversedBuffer, SpillStack, release_pages

BLOCKS = [np.arange(n, dtype=np.int32) + n for n in (5, 0, 7, 1, 100)]


@pytest.mark.parametrize("limit", [0, 4 * 12, 1 << 20])
def test_a_stack_in_memory_and_on_disk_is_the_same(monkeypatch: pytest.MonkeyPatch, limit: int):
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", limit)
    stack = SpillStack(np.int32)
    reused = np.empty(100, np.int32)
    for block in BLOCKS:
        reused[: len(block)] = block  # the stack must keep a copy
        stack.push(reused[: len(block)])
    assert len(stack) == len(BLOCKS)
    for block in reversed(BLOCKS):
        np.testing.assert_array_equal(stack.pop(), block)
    assert len(stack) == 0


@pytest.mark.parametrize("limit", [0, 4 * 113, 1 << 20])
@pytest.mark.parametrize("unused", [0, 10])
def test_a_reversed_buffer_in_memory_and_on_disk_is_the_same(monkeypatch: pytest.MonkeyPatch, limit: int, unused: int):
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", limit)
    buffer = ReversedBuffer(np.int32, 113 + unused)
    for block in reversed(BLOCKS):
        buffer.prepend(block)
    found = buffer.array()
    np.testing.assert_array_equal(found, np.concatenate(BLOCKS))
    assert found.flags.writeable


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux reports the mapped pages of a process")
def test_released_pages_leave_memory_and_keep_their_values(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    buffer = ReversedBuffer(np.int32, 1 << 23)
    buffer.prepend(np.arange(1 << 23, dtype=np.int32))
    ids = buffer.array()
    before = file_pages()
    ids[5] = -1
    assert ids.sum(dtype=np.int64) == (1 << 22) * ((1 << 23) - 1) - 6
    all_pages = file_pages() - before
    assert all_pages * mmap.PAGESIZE > 0.9 * ids.nbytes
    release_pages(ids[: 1 << 22])
    assert file_pages() - before < 0.6 * all_pages
    release_pages(ids)
    assert file_pages() - before < 0.1 * all_pages
    assert ids[4:7].tolist() == [4, -1, 6]
    kept = np.arange(5)
    release_pages(kept)
    assert kept.tolist() == [0, 1, 2, 3, 4]


def file_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[2])


def test_a_stack_and_its_replacement_never_need_space_for_both(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    files: list[Any] = []
    create = spill_buffer.tempfile.TemporaryFile
    monkeypatch.setattr(
        spill_buffer.tempfile, "TemporaryFile", lambda **options: files.append(create(**options)) or files[-1]
    )
    stack = SpillStack(np.int32)
    block = np.arange(1 << 16, dtype=np.int32)
    for _ in range(8):
        stack.push(block)
    buffer = ReversedBuffer(np.int32, 8 * len(block))
    for left in range(8, 0, -1):
        assert os.fstat(files[0].fileno()).st_size == left * block.nbytes
        buffer.prepend(stack.pop())
    assert os.fstat(files[0].fileno()).st_size == 0
    np.testing.assert_array_equal(buffer.array(), np.tile(block, 8))


@pytest.mark.parametrize(
    "fill",
    [lambda: SpillStack(np.int32).push(np.arange(3)), lambda: ReversedBuffer(np.int32, 3).prepend(np.arange(3))],
    ids=["stack", "reversed buffer"],
)
def test_a_full_disk_is_explained(monkeypatch: pytest.MonkeyPatch, fill: Any):
    class Full:
        def close(self) -> None:
            pass

        def seek(self, position: int) -> None:
            pass

        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 0)
    monkeypatch.setattr(spill_buffer.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(OSError, match="TMPDIR"):
        fill()
