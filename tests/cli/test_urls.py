"""Commands that read vectors at URLs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from fastw2v import WordVectors
from tests.cli.helpers import Run
from tests.web_server import Server


def test_commands_read_urls(run: Any, web: Server, file: Path, tmp_path: Path):
    content = file.read_bytes()
    url = f"{web.serve('/v.safetensors', content)}#sha256={hashlib.sha256(content).hexdigest()}"
    result: Run = run("most-similar", url, "sun", "--topn", "1")
    assert (result.status, result.err) == (0, "")
    assert "moon" in result.out
    result = run("info", url)
    assert f"{web.address}/v.safetensors, {len(content):,} bytes" in result.out
    assert run("convert", url, tmp_path / "new.txt").status == 0
    assert WordVectors.load(tmp_path / "new.txt").index_to_key[:2] == ["sun", "moon"]
    assert run("align", url, file, "-o", tmp_path / "turned.bin").status == 0
    (tmp_path / "corpus.txt").write_text("the sun and the moon\n" * 20)
    training = ("train", tmp_path / "corpus.txt", "-o", tmp_path / "new.bin", "--engine", "layers")
    assert "2 words from" in run(*training, "--init", url).out
    result = run("info", url.partition("#")[0])
    assert result.err.startswith(f"warning: {web.address}/v.safetensors was not verified")
    assert url.partition("#")[2] in result.err


@pytest.mark.parametrize("command", ["info", "analogy", "evaluate"])
def test_errors_of_commands_are_one_line(run: Any, web: Server, command: str):
    for url, message in (
        (f"{web.address}/v.bin", "failed: 404 Client Error: Not Found"),
        (f"{web.serve('/page', b'<!DOCTYPE html>')}#sha256={'0' * 64}", "failed: it is an HTML page"),
        ("s3://bucket/v.bin", "s3://bucket/v.bin: vectors are downloaded from https:// and http:// URLs only"),
        (f"{web.address}/v.kv", "read it with fastw2v convert --from gensim"),
    ):
        result: Run = run(command, url)
        assert (result.status, result.out) == (2, "")
        (line,) = result.err.splitlines()
        assert line.startswith("error: ")
        assert message in line
