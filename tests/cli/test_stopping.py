"""Commands that are stopped by a signal or by a time limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.checkpoint import Checkpoints
from fastw2v.cli.stopping import Stopped, stop_after, stopping_once
from tests.cli.helpers import failed

OPTIONS = ["--vector-size", "8", "--negative", "2", "--workers", "1"]
FOREVER = ["--epochs", "50000"]
MAIN = """
import sys
from fastw2v.cli import main
from fastw2v.utils.progress import _LogMessages
_LogMessages.interval = 0.1
sys.argv = sys.argv[1:]
main()
"""
"""The command line, which reports its progress more often than every ten seconds."""
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for a single process")


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command in a folder, with the usual handlers of signals."""
    command = [sys.executable, "-c", MAIN, "fastw2v", *arguments]
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths} | environment
    )


def stop(process: subprocess.Popen[str], after: str, number: int) -> list[str]:
    """Send a signal when a line contains a text, wait for the end, and return the other lines of standard error."""
    assert process.stderr is not None
    with process:
        while after not in (line := process.stderr.readline()):
            assert line, "the process has ended"
        process.send_signal(number)
        return process.stderr.read().splitlines()


@POSIX
def test_a_signal_keeps_the_vectors_under_another_name(corpus: Path, tmp_path: Path) -> None:
    # A time limit is set, too. Its handler must not hide the signal.
    process = start(tmp_path, "train", corpus.name, "-o", "v.txt.gz", "--max-time", "10h", *FOREVER, *OPTIONS)
    shown = stop(process, "words/s", signal.SIGTERM)
    assert process.returncode == 143
    assert shown[-2:] == ["the vectors trained so far were saved as v.partial.txt.gz", "interrupted by SIGTERM"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "v.partial.txt.gz"]
    assert len(WordVectors.load(tmp_path / "v.partial.txt.gz")) == 8


@POSIX
def test_a_signal_before_training_leaves_nothing_and_waits_for_no_compilation(corpus: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    process = start(tmp_path, "train", corpus.name, "-o", "v.bin", *OPTIONS, NUMBA_CACHE_DIR=str(cache))
    shown = stop(process, "compiling the kernel cbow_ns", signal.SIGTERM)
    assert process.returncode == 143
    assert shown[-2:] == ["no vectors were saved, because training had not begun", "interrupted by SIGTERM"]
    assert "Traceback" not in "\n".join(shown)
    assert not list(cache.rglob("*.kernel"))  # it would be there after the compilation
    assert {path.name for path in tmp_path.iterdir()} <= {"corpus.txt", "cache"}


def test_the_time_limit_stops_training_and_resuming(
    run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("train", corpus.name, "-o", "v.safetensors", *OPTIONS).status == 0  # the kernel is compiled now
    Path("v.safetensors").unlink()
    options = ["-o", "v.safetensors", "--checkpoint", "run", "--max-time", "4s", *FOREVER, *OPTIONS]
    result = run("train", corpus.name, *options)
    assert result.status == 124
    assert result.err.splitlines()[-3:] == [
        "continue with: fastw2v resume run",
        "the vectors trained so far were saved as v.partial.safetensors",
        "the time limit of 4s was reached",
    ]
    first = Checkpoints.open("run").latest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "run", "v.partial.safetensors"]
    result = run("resume", "run", "--max-time", "1s")
    assert result.status == 124
    latest = Checkpoints.open("run").latest()
    assert latest > first
    assert WordVectors.load(latest).vectors.tolist() == WordVectors.load("v.partial.safetensors").vectors.tolist()
    assert not Path("v.safetensors").exists()


def test_the_c_tool_keeps_its_vectors_in_its_format(
    run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _stop_when_half_done(monkeypatch)
    result = run("word2vec", "-train", corpus.name, "-output", "v.vec", "-size", 8, "-iter", 50, "-min-count", 1)
    assert result.status == 143, result.err
    assert result.err.splitlines()[-2] == "the vectors trained so far were saved as v.partial.vec"
    assert Path("v.partial.vec").read_bytes().startswith(b"8 8\n")
    assert not Path("v.vec").exists()


def test_a_signal_waits_until_complete_vectors_are_written(
    run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save = WordVectors.save

    def interrupted(self: WordVectors, *arguments: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        save(self, *arguments)

    monkeypatch.setattr(WordVectors, "save", interrupted)
    result = run("train", corpus.name, "-o", "v.bin", "--epochs", 1, *OPTIONS)
    assert result.status == 143
    finishing, reason = result.err.splitlines()[-2:]
    assert finishing == "v.bin is finished before the command stops. A second signal stops it at once"
    assert reason == "interrupted by SIGTERM"
    assert len(WordVectors.load("v.bin")) == 8
    assert not Path("v.partial.bin").exists()


def test_a_signal_waits_until_both_files_of_fasttext_are_written(
    run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save = WordVectors.save

    def interrupted(self: WordVectors, path: Path, format: str) -> None:
        if path.suffix == ".vec":
            signal.raise_signal(signal.SIGTERM)
            time.sleep(0.1)
        save(self, path, format)

    monkeypatch.setattr(WordVectors, "save", interrupted)
    result = run("fasttext", "cbow", "-input", corpus.name, "-output", "v", "-dim", 8, "-minCount", 1, "-bucket", 100)
    assert result.status == 143
    finishing, reason = result.err.splitlines()[-2:]
    assert finishing == "v.bin and v.vec are finished before the command stops. A second signal stops it at once"
    assert reason == "interrupted by SIGTERM"
    np.testing.assert_allclose(WordVectors.load("v.bin").vectors, WordVectors.load("v.vec").vectors, atol=1e-6)


def test_vectors_that_cannot_be_kept_give_an_error_and_the_way_to_continue(
    run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _stop_when_half_done(monkeypatch)
    Path("v.partial.bin").mkdir()
    result = run("train", corpus.name, "-o", "v.bin", "--epochs", 50, "--checkpoint", "run", *OPTIONS)
    failed(result)
    assert "v.partial.bin is a folder" in result.err
    assert "\nthe vectors were saved as v.partial.bin.safetensors\n" in result.err
    assert "continue with: fastw2v resume run" in result.err
    assert len(WordVectors.load("v.partial.bin.safetensors")) == 8


def test_the_second_signal_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with stopping_once():
        with pytest.raises(Stopped, match="interrupted by SIGTERM") as stopped:
            signal.raise_signal(signal.SIGTERM)
        assert stopped.value.status == 143
        assert not ended
        with pytest.raises(Stopped):  # only because the test replaces os._exit
            signal.raise_signal(signal.SIGTERM)
        assert ended == [143]


def test_ignored_signals_are_still_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stopping_once(), stop_after(None, ""):
            signal.raise_signal(signal.SIGTERM)
        with stopping_once(), stop_after(3600, "1h"):
            signal.raise_signal(signal.SIGTERM)
        with (
            pytest.raises(Stopped, match=r"the time limit of 0\.01s was reached") as stopped,
            stopping_once(),
            stop_after(0.01, "0.01s"),
        ):
            threading.Event().wait(60)
        assert stopped.value.status == 124
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_when_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send SIGTERM when half of the words are trained."""
    from fastw2v.utils.progress import Progress

    real, sent = Progress.update, []

    def update(self: Progress, done: int, loss: float | None = None) -> None:
        real(self, done, loss)
        if self.description == "training" and self.total and done > self.total // 2 and not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Progress, "update", update)
