"""Fixtures of the command line's tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.cli import main
from fastw2v.vectors import WordVectors
from tests.cli.helpers import Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the command line as the shell does."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*args: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["fastw2v", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            main()
        return Run(int(stop.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text of two topics that never meet."""
    topics = [["sun", "moon", "star", "sky"], ["salt", "soup", "bread", "oil"]]
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(topics[i % 2], size=12)) for i in range(400)]
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three directions, two words each; the third pair looks like markup."""
    rows = np.array([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0.1, 0.9, 0], [0, 0, 1], [0, 0.1, 0.9]], dtype=np.float32)
    vectors = WordVectors(["sun", "moon", "soup", "bread", "[red]", ":smile:"], rows, counts=[6, 5, 4, 3, 2, 1])
    path = tmp_path / "vectors.safetensors"
    vectors.save(path)
    return path
