"""fastw2v train --validation, --patience and --log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.utils.progress import Progress
from tests.cli.helpers import failed
from tests.cli.test_resume import OPTIONS


@pytest.fixture
def held_out(corpus: Path) -> Path:
    """Held-out text in Latin-1, with capital letters and a word that the corpus does not have."""
    path = corpus.with_name("unseen.txt")
    path.write_text("Sun moon star\nsky sun Größe\nsalt soup Bread\n" * 5, encoding="latin-1")
    return path


def test_a_file_and_a_share_are_held_out(
    run: Any, corpus: Path, held_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reading = ["--lower", "--normalize", "NFD", "--encoding", "latin-1"]
    for value in ("0.25", held_out.name):
        options = ["--validation", value, "--log", "run.jsonl", "--plot", "loss.svg", *OPTIONS, *reading]
        result = run("train", corpus.name, "-o", "v.safetensors", *options)
        assert result.status == 0, result.err
        text = Corpus.from_text(corpus, encoding="latin-1", lower=True, normalize="NFD")
        unseen: Any = 0.25
        if value != "0.25":
            unseen = Corpus.from_text(
                held_out, 0, counts=text.vocabulary, encoding="latin-1", lower=True, normalize="NFD"
            )
            assert len(unseen) == 5 * 8
        settings: dict[str, Any] = {"vector_size": 8, "window": 3, "epochs": 4, "negative": 2, "workers": 1}
        model = Word2Vec(**settings).fit(text, validation=unseen)
        vectors = WordVectors.load("v.safetensors")
        assert vectors.vectors.tobytes() == model.wv.vectors.tobytes()
        words, loss = min(model.validation_history, key=lambda entry: entry[1])
        assert f"held-out loss  {loss:.3f}, the lowest, after {words:,} of {model.trained_words:,} words" in result.out
        entries = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
        measured = [[entry["words"], entry["validation_loss"]] for entry in entries if entry["loss"] is None]
        assert measured == (vectors.settings or {})["validation_history"] == [list(e) for e in model.validation_history]


def test_an_early_end_is_reported_with_the_words_that_were_trained(
    run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--epochs", "100", "--validation", "0.2", "--patience", "2", "--workers", "1", "--vector-size", "4"]
    result = run("train", corpus.name, "-o", "v.safetensors", *options)
    assert result.status == 0, result.err
    settings = WordVectors.load("v.safetensors").settings or {}
    assert settings["trained_epochs"] < 100
    assert f"epochs         {settings['trained_epochs']}" in result.out
    assert f"of {settings['trained_words']:,} words" in result.out


@pytest.mark.parametrize("value", ["0.25", "unseen.txt"])
def test_resume_continues_the_measurements_and_the_log(
    run: Any, corpus: Path, held_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    reading = ["--lower", "--normalize", "NFD", "--encoding", "latin-1", "--validation", value, "--epochs", "10"]
    whole = run("train", corpus.name, "-o", "whole.txt", *OPTIONS, *reading, "--log", "whole.jsonl")
    assert whole.status == 0
    real = Progress.update

    def interrupt(self: Progress, done: int, *losses: Any, **more: Any) -> None:
        if self.description == "training" and self.total is not None and done > self.total // 2:
            raise KeyboardInterrupt
        real(self, done, *losses, **more)

    monkeypatch.setattr(Progress, "update", interrupt)
    broken = ["-o", "broken.txt", "--log", "broken.jsonl", "--checkpoint", "run", "--checkpoint-every", "0.001s"]
    assert run("train", corpus.name, *broken, *OPTIONS, *reading).status == 130
    monkeypatch.setattr(Progress, "update", real)
    result = run("resume", "run")
    assert result.status == 0, result.err
    assert result.out.splitlines()[0] == whole.out.splitlines()[0]  # the words and sentences of the whole corpus
    assert Path("broken.txt").read_bytes() == Path("whole.txt").read_bytes()
    logs = []
    for path in (Path("broken.jsonl"), Path("whole.jsonl")):
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        logs.append([(entry["words"], entry["validation_loss"]) for entry in entries if entry["loss"] is None])
    assert logs[0] == logs[1]
    again = run("resume", "run")  # the run is complete, so the log does not change
    assert "none, it was complete" in again.out


def test_errors_name_the_options(run: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.txt").write_text("quite other words\n" * 20)
    Path("notes.txt").write_text("notes\n")
    for options, message in (
        (["--validation", "other.txt"], "--validation cannot be used: other.txt: the given counts"),
        (["--validation", "1e-9"], "--validation cannot be used: "),
        (["--validation", "corpus.txt", "--log", "corpus.txt"], "corpus.txt is an input and would be overwritten"),
        (["--log", "notes.txt"], "--log notes.txt exists, but is not a training log"),
        (["--log", "v.bin"], "two outputs are written to v.bin"),
    ):
        failed(run("train", corpus.name, "-o", "v.bin", *OPTIONS, *options), message)
    assert Path("notes.txt").read_text() == "notes\n"
    assert not Path("v.bin").exists()
