"""fastw2v encode and phrases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.helpers import failed


def test_encode_once_and_train_from_the_encoded_corpus(run: Any, corpus: Path, tmp_path: Path):
    encoded = tmp_path / "corpus.w2v"
    (tmp_path / "not.txt").write_text("oil\nsalt soup")
    result = run("encode", corpus, "-o", encoded, "--exclude", tmp_path / "not.txt", "--vocabulary", tmp_path / "words")
    assert result.status == 0, result.err
    assert "5 words" in result.out
    assert sorted(line.split()[0] for line in (tmp_path / "words").read_text().splitlines()) == [
        *("bread", "moon", "sky", "star", "sun")
    ]
    options = ["--vector-size", "8", "--negative", "2", "--epochs", "2", "--workers", "1"]
    for name, source in (("one.bin", encoded), ("other.bin", corpus)):
        extra = ["--exclude", tmp_path / "not.txt"] if source == corpus else []
        assert run("train", source, "-o", tmp_path / name, *options, *extra).status == 0
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "other.bin").read_bytes()
    failed(
        run("train", encoded, "-o", tmp_path / "x.bin", "--lower"),
        "already encoded, so --lower would",
        "fastw2v encode",
    )
    failed(run("train", encoded, corpus, "-o", tmp_path / "x.bin"), "cannot be combined")
    failed(run("encode", corpus, "-o", tmp_path / "corpus.txt"), "must end in .w2v")
    failed(run("encode", corpus, "-o", tmp_path / "nowhere" / "c.w2v"), "does not exist")
    encoded.write_bytes(encoded.read_bytes()[:-1])
    failed(run("train", encoded, "-o", tmp_path / "x.bin"), "cut short")


def test_phrases_are_joined_and_written(run: Any, tmp_path: Path):
    (tmp_path / "corpus.txt").write_text(
        "New York is big\nYork is new york\n" * 20 + "a b c d e f g h i j k l m n\n" * 9
    )
    joined = tmp_path / "joined.txt"
    result = run("phrases", tmp_path / "corpus.txt", "-o", joined, "--lower", "--threshold", "0.15", "--passes", "1")
    assert result.status == 0, result.err
    assert joined.read_text().splitlines()[0].split()[0] == "new_york"
    assert "phrases" in result.out
    assert run("phrases", joined, "-o", tmp_path / "joined.w2v", "--scoring", "npmi").status == 0
    assert run("phrases", tmp_path / "joined.w2v", "-o", tmp_path / "again.txt").status == 0
    failed(run("phrases", joined, "-o", tmp_path / "x.txt", "--threshold", "0"), "threshold is 0")
