"""fastw2v train --freeze."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.corpus import Corpus
from fastw2v.vectors import WordVectors
from tests.cli.helpers import failed

OPTIONS = ["--vector-size", "8", "--window", "3", "--sample", "0", "--min-count", "1", "--workers", "2"]


def unchanged(ours: WordVectors, theirs: WordVectors) -> set[str]:
    """Return the words with the same bytes in both files, in the vectors and in both matrices."""
    names = ("vectors", "input_vectors", "context_vectors")

    def rows(vectors: WordVectors, word: str) -> list[bytes]:
        return [getattr(vectors, name)[vectors.key_to_index[word]].tobytes() for name in names]

    return {word for word in theirs.index_to_key if word in ours and rows(ours, word) == rows(theirs, word)}


def test_words_are_frozen(run: Any, corpus: Path, tmp_path: Path) -> None:
    first, second, words = tmp_path / "first.safetensors", tmp_path / "second.safetensors", tmp_path / "words.txt"
    assert run("train", corpus, "-o", first, *OPTIONS).status == 0
    more = tmp_path / "more.txt"
    more.write_text(corpus.read_text() + "\n" + "sun comet star\n" * 50)
    result = run("train", more, "-o", second, *OPTIONS, "--init", first, "--freeze", "init")
    assert result.status == 0, result.err
    assert "frozen      8 words" in result.out
    assert "warning" not in result.err
    ours, theirs = WordVectors.load(second), WordVectors.load(first)
    assert unchanged(ours, theirs) == set(theirs.index_to_key)
    assert ours.settings is not None
    assert ours.settings["frozen"] == 8
    words.write_text("moon\nsoup\n", encoding="utf-8")
    assert run("train", more, "-o", second, *OPTIONS, "--init", first, "--freeze", words).status == 0
    assert unchanged(WordVectors.load(second), theirs) == {"moon", "soup"}


def test_words_that_are_integers(run: Any, tmp_path: Path) -> None:
    path, words, output = tmp_path / "c.w2v", tmp_path / "words.txt", tmp_path / "v.safetensors"
    Corpus.from_ids(ids=np.arange(600) % 7, offsets=np.arange(0, 601, 20)).save(path)
    words.write_text("2\n5\n")
    result = run("train", path, "-o", output, "--vector-size", "8", "--freeze", words)
    assert result.status == 0, result.err
    assert "frozen      2 words" in result.out
    assert "the context vectors of 2 frozen words are zero" in result.err
    words.write_text("2\nfive\n")
    result = run("train", path, "-o", output, "--vector-size", "8", "--freeze", words)
    failed(result, "'five' is not an integer, but the words of the corpus are integers")


def test_words_that_cannot_be_frozen(run: Any, corpus: Path, tmp_path: Path) -> None:
    words, output = tmp_path / "words.txt", tmp_path / "v.safetensors"

    def train(*options: object) -> Any:
        return run("train", corpus, "-o", output, *OPTIONS, *options)

    failed(train("--freeze", "init"), "--freeze is 'init', but there are no initial vectors; set --init")
    failed(train("--freeze", tmp_path / "none.txt"), f"--freeze {tmp_path / 'none.txt'}: No such file or directory")
    words.write_text(" \n")
    failed(train("--freeze", words), "--freeze contains no word; omit it to train all words")
    words.write_text("sun owl")
    failed(train("--freeze", words), "--freeze contains 1 word that the vocabulary of 8 words does not have: ['owl']")
    words.write_text("sun moon star sky salt soup bread oil")
    failed(train("--freeze", words), "--freeze contains all 8 words of the vocabulary, so nothing can be trained")
    failed(run("train", corpus, "-o", words, *OPTIONS, "--freeze", words), "words.txt")
    assert not output.exists()
