"""The Makefile refuses a Python that is too old before it makes a virtual environment."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def make(tmp_path):
    """Return a function that runs make in a folder without an environment, with a Python that pretends to be 3.10."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    pretend = "import sys; sys.version_info = (3, 10, 13, 'final', 0); exec(sys.argv[2])"
    python = tmp_path / "python3.10"
    python.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", pretend])} "$@"\n', encoding="utf-8")
    python.chmod(0o755)

    def run(*arguments: str, python: str = str(python)) -> str:
        command = ["make", *arguments, f"PYTHON={python}"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode
        assert not (tmp_path / ".venv").exists()
        return result.stderr

    return run


@pytest.mark.parametrize(("arguments", "target"), [((), "demo"), (("demo",), "demo"), (("test",), "test")])
def test_a_python_that_is_too_old_is_refused(make, arguments, target):
    needed = f"fastw2v needs 3.11 or later: run make {target} PYTHON=python3.11\n"
    assert make(*arguments).startswith(f"Python 3.10 was found, but {needed}")


def test_an_environment_that_cannot_be_made_leaves_nothing(make, tmp_path):
    python = tmp_path / "without-pip"
    python.write_text('#!/bin/sh\ntest "$1" = -c || { mkdir -p .venv/bin; touch .venv/bin/python; exit 1; }\n')
    python.chmod(0o755)
    make("demo", python=str(python))
