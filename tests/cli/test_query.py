"""fastw2v most-similar, analogy and plot."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.vectors import WordVectors
from tests.cli.helpers import failed


def test_most_similar(run: Any, file: Path):
    result = run("most-similar", file, "sun", "soup", "--topn", 2)
    assert result.status == 0
    header, _, first, _second = [line.split() for line in result.out.splitlines() if line.strip()]
    assert header == ["sun", "soup"]
    assert first == ["moon", "0.994", "bread", "0.994"]
    assert run("most-similar", file, "[red]").out.split()[0] == "[red]"
    assert ":smile:" in run("most-similar", file, "[red]").out


def test_unknown_words_come_with_near_spellings(run: Any, file: Path):
    failed(run("most-similar", file, "soap"), "'soap'", "'soup'")
    failed(run("analogy", file, "sun", "moon", "soap"), "'soap'")


def test_analogy(run: Any, file: Path):
    result = run("analogy", file, "sun", "moon", "soup", "-n", 1)
    assert result.status == 0
    assert "sun is to moon as soup is to" in result.out
    assert result.out.split()[-2] == "bread"


def test_analogies_are_asked_for_when_there_are_no_words(run: Any, file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("sun moon soup\nsoup bread sun\n\nnever read\n"))
    result = run("analogy", file, "-n", 1)
    assert result.status == 0
    assert [line.split()[0] for line in result.out.splitlines() if "0." in line] == ["bread", "moon"]
    monkeypatch.setattr("sys.stdin", io.StringIO("sun moon soup\n"))
    (line,) = run("analogy", file, "--json").out.splitlines()
    assert json.loads(line)["answers"][0]["word"] == "bread"
    monkeypatch.setattr("sys.stdin", io.StringIO("sun moon\n"))
    failed(run("analogy", file), "three words, not 2")
    failed(run("analogy", file, "sun", "moon"), "three words, not 2")


def test_a_wrong_question_at_the_terminal_is_not_the_last(tmp_path: Path, file: Path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fastw2v", "analogy", str(file), "-n", "1"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        os.write(ours, b"sun moon soap\nsun moon soup\n\x04")
        out, err = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "error: 'soap'" in err
    assert "Traceback" not in err
    assert "bread" in out


def test_the_arrow_key_brings_back_the_last_question(file: Path):
    pty = pytest.importorskip("pty")
    pytest.importorskip("readline")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fastw2v", "analogy", str(file), "-n", "1"]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        shown = b""
        for keys, then in ((b"sun moon soup\n", b"bread"), (b"\x1b[A\n", b"bread"), (b"\n", b"")):
            while b"analogy> " not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, keys)
            shown = b""
            while then not in shown:
                shown += os.read(ours, 1000)
        assert process.wait(timeout=30) == 0
    os.close(ours)
    os.close(theirs)


def test_json_of_questions_and_files(run: Any, file: Path, tmp_path: Path):
    shown = json.loads(run("most-similar", file, "sun", "soup", "-n", 2, "--json").out)
    theirs = WordVectors.load(file).most_similar("soup", topn=2)
    assert list(shown) == ["sun", "soup"]
    assert [(answer["word"], answer["cosine"]) for answer in shown["soup"]] == theirs
    shown = json.loads(run("info", file, "--json").out)
    assert (shown["words"], shown["dimensions"], shown["dtype"], shown["total_count"]) == (6, 3, "float32", 21)
    assert shown["bytes"] == file.stat().st_size
    target = tmp_path / "out.txt.gz"
    shown = json.loads(run("convert", file, target, "--json").out)
    assert shown == {"file": str(target), "bytes": target.stat().st_size, "words": 6, "dimensions": 3}


def test_plot(run: Any, file: Path, tmp_path: Path):
    pytest.importorskip("matplotlib")
    result = run("plot", file, "-o", tmp_path / "map.png", "--words", "sun moon soup", "--words", "[red]")
    assert (result.status, result.out) == (0, f"{tmp_path / 'map.png'}: 4 words, PCA\n")
    result = run("plot", file, "-o", tmp_path / "map.html", "--top", 5)
    assert (result.out, result.err) == (f"{tmp_path / 'map.html'}: 5 words, PCA\n", "")
    assert '"name":"vectors.safetensors"' in (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "--color has no effect" in run("plot", file, "-o", tmp_path / "map.html", "--color", "count").err
    failed(run("plot", file, "-o", tmp_path / "x.html", "--words", "sun moon soap"), "'soap'", "'soup'")
    failed(run("plot", file, "-o", tmp_path / "x.html", "--words", "sun", "--top", 5), "cannot be combined")
    failed(run("plot", file, "-o", tmp_path / "x.gif"), ".gif", ".png", ".html")
    failed(run("plot", file, "-o", tmp_path / "nowhere" / "x.html"), "does not exist")
    assert not (tmp_path / "x.html").exists()


def test_plot_says_how_to_get_a_better_map(run: Any, tmp_path: Path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("fastw2v.plot.projection.find_spec", lambda name: None)
    path, words = tmp_path / "v.safetensors", [f"w{i}" for i in range(12)]
    WordVectors(words, np.random.default_rng(0).normal(size=(12, 4)), counts=range(12, 0, -1)).save(path)
    for color in ("cluster", "count", "none"):
        result = run("plot", path, "-o", tmp_path / "map.png", "--color", color)
        assert result.out == f"{tmp_path / 'map.png'}: 12 words, PCA\n"
        assert "For a better map: pip install 'fastw2v[maps]'" in result.err
    assert run("plot", path, "-o", tmp_path / "map.png", "--method", "pca").err == ""


def test_a_picture_without_matplotlib_is_an_error_that_says_what_to_install(
    run: Any, file: Path, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    failed(run("plot", file, "-o", tmp_path / "map.png"), "pip install 'fastw2v[plot]'", "write an .html page")
