"""Standard streams that are closed, full, or read only in part: a clean status, no traceback, and complete files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastw2v.vectors import WordVectors

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the shell of Windows cannot close a stream")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full exists only on Linux")
TRAIN = "train corpus.txt -o v.safetensors --vector-size 8 --epochs 1 --negative 2 --engine layers --plot loss.svg"
FULL_ERROR = "error: standard output: No space left on device"
CLOSED_ERROR = "error: standard output: Bad file descriptor"


def shell(command: str, folder: Path) -> tuple[int, str, str]:
    """Run a command of the shell in a folder; "fastw2v" calls the command line of this package."""
    command = command.replace("fastw2v", f'"{sys.executable}" -m fastw2v', 1)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "dumb"}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("redirection", "status", "error"),
    [
        (">&-", 2, CLOSED_ERROR),
        pytest.param(">/dev/full", 2, FULL_ERROR, marks=FULL),
        (">out.txt 2>&-", 0, ""),
        pytest.param(">out.txt 2>/dev/full", 0, "", marks=FULL),
        (">&- 2>&-", 2, ""),
        (">out.txt <&- 2>&-", 0, ""),
    ],
)
def test_trained_vectors_are_saved(corpus: Path, tmp_path: Path, redirection: str, status: int, error: str):
    code, out, err = shell(f"fastw2v {TRAIN} {redirection}", tmp_path)
    assert (code, out) == (status, "")
    assert err.splitlines()[-1:] == ([error] if error else [])
    assert "Traceback" not in err
    assert len(WordVectors.load(tmp_path / "v.safetensors")) == 8
    assert (tmp_path / "loss.svg").read_text().endswith("</svg>\n")
    if "out.txt" in redirection:
        assert "8 words" in (tmp_path / "out.txt").read_text()


@pytest.mark.parametrize(
    "command",
    [
        "info vectors.safetensors --json",
        "most-similar vectors.safetensors sun",
        "--help",
        "--version",
    ],
)
def test_output_that_cannot_be_printed_is_an_error(file: Path, tmp_path: Path, command: str):
    assert shell(f"fastw2v {command} >&-", tmp_path) == (2, "", f"{CLOSED_ERROR}\n")
    if Path("/dev/full").exists():
        assert shell(f"fastw2v {command} >/dev/full", tmp_path) == (2, "", f"{FULL_ERROR}\n")


def test_a_reader_may_stop_early(file: Path, tmp_path: Path):
    code, out, err = shell("fastw2v info vectors.safetensors --json | head -1", tmp_path)
    assert (code, out, err) == (0, "{\n", "")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "fastw2v", "info", file], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_errors_that_cannot_be_printed_have_a_status(tmp_path: Path):
    assert shell("fastw2v info nowhere.bin 2>&-", tmp_path) == (2, "", "")
    assert shell("fastw2v train --nowhere 2>&-", tmp_path)[0] == 2


def test_closed_standard_input_is_empty(tmp_path: Path):
    code, _, err = shell("fastw2v train - -o v.bin <&-", tmp_path)
    assert code == 2
    assert err.splitlines()[-1].startswith("error: standard input: there are no words")
