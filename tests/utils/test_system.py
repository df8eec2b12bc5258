"""The processors and the memory that this process may use, however the system states them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastw2v.utils import system
from fastw2v.utils.system import available_processors, format_bytes, free_memory


def test_processors_of_the_process_and_of_a_system_that_knows_only_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert available_processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_processors() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_processors() == 1


def test_a_container_may_have_less_than_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limit, usage = tmp_path / "limit", tmp_path / "usage"
    monkeypatch.setattr(system, "GROUP_LIMITS", [(str(limit), str(usage))])
    machine = free_memory()
    assert machine > 0
    limit.write_text("max\n")
    usage.write_text("50\n")
    assert free_memory() > 1000
    limit.write_text("1050\n")
    assert free_memory() == 1000


def test_sizes_in_words():
    sizes = [format_bytes(n) for n in (999, 1000, 123_456_789, 12_345_678_901)]
    assert sizes == ["999 bytes", "1.0 kB", "123 MB", "12.3 GB"]
