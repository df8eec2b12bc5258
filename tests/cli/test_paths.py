"""Checks of outputs before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import failed


def test_train_fails_before_training_when_the_output_cannot_be_written(run: Any, tmp_path: Path):
    corpus = tmp_path / "never-read.txt"
    failed(run("train", corpus, "-o", tmp_path / "vectors.xyz"), "vectors.xyz", ".safetensors")
    failed(run("train", corpus, "-o", tmp_path / "nowhere" / "vectors.bin"), "nowhere", "does not exist")
    (tmp_path / "folder.bin").mkdir()
    failed(run("train", corpus, "-o", tmp_path / "folder.bin"), "is a folder")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_what_is_read_is_not_written_over(run: Any, corpus: Path, tmp_path: Path):
    before = corpus.read_bytes()
    (tmp_path / "texts").mkdir()
    inside = tmp_path / "texts" / "more.txt"
    inside.write_bytes(before)
    (tmp_path / "link.txt").symlink_to(corpus)
    for command in (
        ["train", corpus, "-o", corpus],
        ["train", corpus, "-o", tmp_path / "link.txt"],
        ["train", tmp_path / "texts", "-o", inside],
        ["train", tmp_path / "texts" / "*.txt", "-o", inside],
        ["train", inside, "--exclude", corpus, "-o", corpus],
        ["word2vec", "-train", corpus, "-output", corpus],
        ["word2vec", "-train", corpus, "-save-vocab", corpus],
        ["encode", corpus, "-o", tmp_path / "c.w2v", "--vocabulary", corpus],
        ["phrases", corpus, "-o", corpus],
    ):
        failed(run(*command), "is an input", "another name")
    assert corpus.read_bytes() == before == inside.read_bytes()
    assert not (tmp_path / "c.w2v").exists()
    options = ["--vector-size", "4", "--negative", "2", "--epochs", "1"]
    assert [run("train", corpus, "-o", tmp_path / "v.txt", *options).status for _ in range(2)] == [0, 0]


def test_two_outputs_are_two_files(run: Any, corpus: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "x.w2v")
    for command in (
        ["encode", corpus, "-o", tmp_path / "x.w2v", "--vocabulary", tmp_path / "x.w2v"],
        ["encode", corpus, "-o", tmp_path / "x.w2v", "--vocabulary", tmp_path / "link"],
        ["word2vec", "-train", corpus, "-output", tmp_path / "x", "-save-vocab", tmp_path / "x"],
    ):
        failed(run(*command), "two outputs are written to", "another name")
    assert not (tmp_path / "x.w2v").exists()


def test_an_output_inside_a_folder_that_is_read_is_not_written_over(run: Any, corpus: Path, file: Path, tmp_path: Path):
    folder = tmp_path / "static"
    assert run("convert", file, folder, "--to", "static-embedding").status == 0
    inside = next(folder.glob("*.safetensors"))
    before = inside.read_bytes()
    failed(run("train", corpus, "-o", inside, "--init", folder), "is an input", "another name")
    assert inside.read_bytes() == before
