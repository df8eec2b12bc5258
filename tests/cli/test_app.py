"""The application: its commands, usage errors and interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import fastw2v


def test_version_and_help(run: Any):
    assert run("--version") == (0, f"fastw2v {fastw2v.__version__}\n", "")
    shown = run("--help").out
    for command in [
        "train",
        "encode",
        "phrases",
        "most-similar",
        "analogy",
        "evaluate",
        "info",
        "convert",
        "align",
        "plot",
        "explore",
        "demo",
        "doctor",
    ]:
        assert command in shown
        assert run(command, "--help").status == 0


def test_unknown_choices_are_usage_errors(run: Any, corpus: Path, tmp_path: Path):
    result = run("train", corpus, "-o", tmp_path / "vectors.bin", "--model", "glove")
    assert result.status == 2
    assert "skipgram" in result.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a single process")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="SIGINT is ignored, as in background jobs"
)
def test_interruption_ends_with_130_and_leaves_nothing_incomplete(tmp_path: Path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join("one two three four five six seven eight nine ten" for _ in range(20_000)))
    output = tmp_path / "vectors.bin"
    command = [sys.executable, "-m", "fastw2v", "train", corpus, "-o", output, "--epochs", "100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "training on" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        shown = process.stderr.read()
    assert shown.splitlines()[-1] == "interrupted by Ctrl-C"
    assert "Traceback" not in shown
    assert {path.name for path in tmp_path.iterdir()} <= {"corpus.txt", "vectors.partial.bin"}
