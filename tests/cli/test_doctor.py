"""fastw2v doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v


def test_doctor(run: Any):
    result = run("doctor")
    assert result.status == 0, result.out
    for part in (f"fastw2v {fastw2v.__version__}", "numpy", np.__version__, "training would use"):
        assert part.split()[0] in result.out
        assert part.split()[-1] in result.out
    assert ["cpu", "layers", "correct"] in [line.split() for line in result.out.splitlines()]


def test_doctor_shows_where_the_compiled_kernels_are_kept(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    compilation = pytest.importorskip("fastw2v.kernels.compilation")
    (tmp_path / "a.kernel").write_bytes(bytes(2000))
    for folder, text in ((tmp_path, f"2.0 kB in {tmp_path}"), (None, "set NUMBA_CACHE_DIR")):
        monkeypatch.setattr(compilation, "cache_folder", lambda folder=folder: folder)
        (line,) = [line for line in run("doctor").out.splitlines() if line.startswith("compiled kernels")]
        assert text in line


def test_doctor_reports_an_engine_that_computes_wrongly(run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fastw2v.cli.doctor.tiny_training", lambda device, engine: "wrong: the loss did not fall")
    result = run("doctor")
    assert result.status == 1
    assert "the loss did not fall" in result.out
