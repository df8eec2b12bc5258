"""Reading corpora and words: errors, standard input, and reading each file only once."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.corpus import sources
from fastw2v.vectors import WordVectors
from tests.cli.helpers import failed


def test_train_names_what_is_wrong_with_the_corpus(run: Any, tmp_path: Path):
    output = tmp_path / "vectors.bin"
    failed(run("train", tmp_path / "nowhere.txt", "-o", output), "no corpus file", "nowhere.txt")
    failed(run("train", tmp_path, "-o", output), "no files in the folder")
    text = tmp_path / "text.txt"
    text.write_text("")
    failed(run("train", text, "-o", output), "is empty")
    text.write_text("each word once")
    failed(run("train", text, "-o", output), "--min-count 5", "occurs 1 time")
    text.write_bytes(b"caf\xe9")
    failed(run("train", text, "-o", output), "not UTF-8", "byte 3")
    text.write_text("the cat\n" * 9)
    failed(run("train", text, "-o", output, "--max-vocab", "1"), "only one word", "Raise --max-vocab (now 1)")
    assert not output.exists()


def test_an_empty_name_is_not_the_current_folder(run: Any, corpus: Path, tmp_path: Path):
    for command in ("train", "encode", "phrases"):
        failed(run(command, "", "-o", tmp_path / "x.w2v" if command != "train" else tmp_path / "x.bin"), "empty string")
    failed(run("plan", corpus, ""), "empty string")
    failed(run("word2vec", "-train", "", "-output", tmp_path / "x.bin"), "empty string")


def test_lists_of_words_can_be_compressed(run: Any, corpus: Path, tmp_path: Path):
    frequent = tmp_path / "frequent.gz"
    frequent.write_bytes(gzip.compress(b"sun\n"))
    output = ["-o", tmp_path / "x.bin", "--epochs", "1", "--vector-size", "4", "--negative", "2"]
    assert run("train", corpus, "--exclude", frequent, *output).status == 0
    assert "sun" not in WordVectors.load(tmp_path / "x.bin")
    assert run("train", corpus, *output).status == 0
    assert "sun" in WordVectors.load(tmp_path / "x.bin")


def test_train_reads_standard_input(corpus: Path, tmp_path: Path):
    command = [sys.executable, "-m", "fastw2v", "train", "-", "-o", str(tmp_path / "v.bin")]
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "1", "--lower", "--max-vocab", "4"]
    done = subprocess.run([*command, *options], input=corpus.read_bytes().upper(), capture_output=True)
    assert done.returncode == 0, done.stderr
    vectors = WordVectors.load(tmp_path / "v.bin")
    assert len(vectors) == 4
    assert all(word.islower() for word in vectors)


def test_integer_words_are_asked_for_by_their_digits(run: Any, tmp_path: Path):
    path = tmp_path / "nodes.safetensors"
    WordVectors([7, -3, 0], np.eye(3, dtype=np.float32) + 1).save(path)
    assert {line.split()[0] for line in run("most-similar", path, 7).out.splitlines()[3:] if line.strip()} == {
        "-3",
        "0",
    }
    assert "7 -3 0" in run("info", path).out
    for word in ("x", "7.0", "", "9" * 5000):  # Python refuses to parse thousands of digits
        failed(run("most-similar", path, word), "is not an integer, but the words of the vectors are integers")
    failed(run("plot", path, "-o", tmp_path / "x.html", "--words", "7 cat 0"), "'cat' is not an integer")


@pytest.fixture
def accesses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts of searched folders, of matched patterns, and of the times each file is opened."""
    counts: Counter[str] = Counter()

    def counted(owner: Any, name: str, key: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counts[key(*args)] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    counted(sources, "_files_in", lambda path: "folder")
    counted(sources, "_matches", lambda pattern: "pattern")
    counted(Path, "open", lambda path, *args: path.name)
    return counts


@pytest.mark.parametrize(
    ("command", "source"),
    [
        *itertools.product(["train", "plan", "encode", "phrases"], ["folder", "pattern", "files"]),
        *itertools.product(["word2vec"], ["folder", "pattern"]),  # -train takes one path
    ],
)
def test_sources_are_expanded_once_and_opened_once(
    run: Any, corpus: Path, tmp_path: Path, accesses: Counter[str], command: str, source: str
):
    folder = tmp_path / "texts"
    folder.mkdir()
    lines = corpus.read_text().splitlines()
    (folder / "a.txt").write_text("\n".join(lines[:200]))
    with gzip.open(folder / "b.txt.gz", "wt") as file:
        file.write("\n".join(lines[200:]))
    output = tmp_path / ("out.w2v" if command == "encode" else "out.txt")
    output.write_text("is overwritten, and therefore compared with every source")
    given: dict[str, list[object]] = {
        "folder": [folder],
        "pattern": [folder / "*.txt*"],
        "files": [folder / "a.txt", folder / "b.txt.gz"],
    }
    training = ["--vector-size", 4, "--negative", 2, "--epochs", 1]
    arguments: dict[str, list[object]] = {
        "train": ["train", *given[source], "-o", output, *training],
        "word2vec": ["word2vec", "-output", output, "-size", 4, "-negative", 2, "-iter", 1, "-train", *given[source]],
        "plan": ["plan", *given[source], *training],
        "encode": ["encode", *given[source], "-o", output],
        "phrases": ["phrases", *given[source], "-o", output],
    }
    accesses.clear()
    result = run(*arguments[command])
    assert result.status == 0, result.err
    assert (accesses["folder"], accesses["pattern"]) == (source == "folder", source == "pattern")
    assert (accesses["a.txt"], accesses["b.txt.gz"]) == (1, 1)


def test_a_folder_can_hold_one_encoded_corpus_but_no_other_files(run: Any, corpus: Path, tmp_path: Path):
    folder = tmp_path / "encoded"
    folder.mkdir()
    assert run("encode", corpus, "-o", folder / "corpus.w2v").status == 0
    assert run("plan", folder / "*.w2v", "--negative", 2).status == 0
    (folder / "more.txt").write_bytes(corpus.read_bytes())
    failed(run("plan", folder), "cannot be combined")
