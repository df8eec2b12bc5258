"""fastw2v explore: the server in the terminal, and the page in a file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from fastw2v import WordVectors
from tests.cli.helpers import failed

STOPPED = pytest.mark.skipif(
    os.name == "nt" or signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    reason="SIGINT is ignored, as in background jobs, or does not exist",
)


@STOPPED
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_page_is_served_until_a_signal(file: Path, number: signal.Signals, status: int):
    command = [sys.executable, "-m", "fastw2v", "explore", file, file, "--no-browser", "--method", "pca"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()  # before the command ends, although standard output is a pipe
        assert url.startswith("http://127.0.0.1:")
        with urlopen(url, timeout=20) as page:
            assert b'{"served":true}' in page.read()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert out == ""
    assert err.splitlines() == [
        "Press Ctrl-C to stop.",
        "stopped" if number == signal.SIGINT else "interrupted by SIGTERM",
    ]


@pytest.mark.parametrize("opened", [True, False])
def test_the_browser_gets_the_address(run: Any, file: Path, monkeypatch: pytest.MonkeyPatch, opened: bool):
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: asked.append(url) or opened)
    monkeypatch.setattr("fastw2v.explore.ExploreServer.serve_forever", lambda server: None)
    result = run("explore", file)
    assert result.status == 0
    assert asked == [result.out.strip()]
    assert ("no browser was found" in result.err) == (not opened)
    assert run("explore", file, "--no-browser").status == 0
    assert len(asked) == 1


def test_a_page_in_a_file(run: Any, file: Path, tmp_path: Path):
    output = tmp_path / "page.html"
    result = run("explore", file, "--output", output, "--top", 4)
    assert result.status == 0
    assert result.out == f"{output}: 4 words, {output.stat().st_size:,} bytes\n"
    text = output.read_text(encoding="utf-8")
    assert '"name":"vectors.safetensors"' in text
    other = tmp_path / "other" / file.name
    other.parent.mkdir()
    WordVectors.load(file).save(other)
    assert run("explore", file, other, "-o", output).status == 0
    assert str(other) in output.read_text(encoding="utf-8")  # the names are equal, so the paths are shown


def test_wrong_input_is_one_line(run: Any, file: Path, corpus: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        failed(run("explore", file, "--port", port), f"port {port} is in use; choose another port")
    failed(run("explore", tmp_path / "missing.bin"), "missing.bin")
    failed(run("explore", corpus), "corpus.txt")
    failed(run("explore", file, corpus), "corpus.txt")
    failed(run("explore", file, "-o", tmp_path / "page.png"), ".png", ".html")
    failed(run("explore", file, "-o", tmp_path / "nowhere" / "page.html"), "does not exist")
    failed(
        run("explore", file, "-o", tmp_path / "page.html", "--port", 8000), "--port would have no effect with --output"
    )
    page = tmp_path / "vectors.html"
    file.rename(page)
    failed(run("explore", page, "-o", page), "vectors.html")
    assert page.stat().st_size < 2000  # it was not overwritten
