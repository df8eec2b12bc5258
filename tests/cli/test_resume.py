"""fastw2v train --checkpoint, and fastw2v resume."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fastw2v import Corpus, Word2Vec
from fastw2v.checkpoint import Checkpoints
from fastw2v.utils.progress import Progress
from tests.cli.helpers import failed

OPTIONS = ["--vector-size", "8", "--window", "3", "--epochs", "4", "--negative", "2", "--workers", "1"]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Interrupt the training in its second half, as Ctrl-C does, until the function is called."""
    real = Progress.update

    def update(self: Progress, done: int, loss: float | None = None) -> None:
        if self.description == "training" and self.total is not None and done > self.total // 2:
            raise KeyboardInterrupt
        real(self, done, loss)

    monkeypatch.setattr(Progress, "update", update)
    return lambda: monkeypatch.setattr(Progress, "update", real)


@pytest.mark.parametrize("suffix", [".safetensors", ".txt"])
def test_resume_writes_what_the_unbroken_run_writes(
    run: Any, corpus: Path, tmp_path: Path, interrupt: Any, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus.write_text(corpus.read_text().replace("sun", "Sun").replace("soup", "Süppe"), encoding="latin-1")
    reading = ["--lower", "--normalize", "NFD", "--encoding", "latin-1"]
    broken = ["-o", f"broken{suffix}", "--checkpoint", "run", "--checkpoint-every", "0.001s", "--plot", "loss.svg"]
    result = run("train", corpus.name, *broken, *OPTIONS, *reading)
    assert result.status == 130
    kept = f"the vectors trained so far were saved as broken.partial{suffix}"
    assert result.err.splitlines()[-3:] == ["continue with: fastw2v resume run", kept, "interrupted"]
    assert not Path(f"broken{suffix}").exists()
    interrupt()
    assert run("train", corpus.name, "-o", f"whole{suffix}", *OPTIONS, *reading).status == 0
    for elsewhere in (tmp_path / "a", tmp_path / "b"):  # the second call writes the result of a complete run
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        result = run("resume", tmp_path / "run")
        assert result.status == 0, result.err
        assert "4,800 in 400 sentences" in result.out
        assert "epochs      4" in result.out
        assert (tmp_path / f"broken{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
        assert (tmp_path / "loss.svg").exists()
        for written in (f"broken{suffix}", "loss.svg"):
            (tmp_path / written).unlink()


@pytest.mark.parametrize("loss", ["hs", "hs+ns"])
def test_hierarchical_softmax_continues(run: Any, corpus: Path, tmp_path: Path, interrupt: Any, loss: str) -> None:
    broken, whole = tmp_path / "broken.safetensors", tmp_path / "whole.safetensors"
    options = ["--vector-size", "8", "--epochs", "4", "--workers", "1", "--engine", "layers", "--loss", loss]
    assert run("train", corpus, "-o", broken, *options, "--checkpoint", tmp_path / "run").status == 130
    interrupt()
    result = run("resume", tmp_path / "run")
    assert result.status == 0, result.err
    assert run("train", corpus, "-o", whole, *options).status == 0
    assert broken.read_bytes() == whole.read_bytes()


def test_an_encoded_corpus(run: Any, corpus: Path, tmp_path: Path, interrupt: Any) -> None:
    encoded = tmp_path / "corpus.w2v"
    Corpus.from_text(corpus, 5).save(encoded)
    output = tmp_path / "v.bin"
    assert run("train", encoded, "-o", output, *OPTIONS, "--checkpoint", tmp_path / "run").status == 130
    interrupt()
    assert run("resume", tmp_path / "run").status == 0
    assert run("train", encoded, "-o", tmp_path / "w.bin", *OPTIONS).status == 0
    assert output.read_bytes() == (tmp_path / "w.bin").read_bytes()


def test_a_changed_text_is_refused(run: Any, corpus: Path, tmp_path: Path, interrupt: Any) -> None:
    assert run("train", corpus, "-o", tmp_path / "v.txt", *OPTIONS, "--checkpoint", tmp_path / "run").status == 130
    interrupt()
    text = corpus.read_text()
    corpus.write_text(f"{text}\nsun moon")
    failed(run("resume", tmp_path / "run"), "4,802 words in 401 sentences, but the run was started with 4,800 words")
    corpus.unlink()
    failed(run("resume", tmp_path / "run"), f"there is no corpus file {corpus}")
    corpus.write_text(text)
    assert run("resume", tmp_path / "run").status == 0


def test_errors(run: Any, corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "v.txt"
    every = "--checkpoint-every is '5d'; it must be a number of seconds, or a duration such as '30s', '10m' or '2h'"
    failed(run("train", corpus, "-o", output, "--checkpoint", tmp_path / "run", "--checkpoint-every", "5d"), every)
    nothing = "--checkpoint-every has no effect without --checkpoint; add --checkpoint DIR"
    failed(run("train", corpus, "-o", output, "--checkpoint-every", "5s"), nothing)
    failed(run("train", corpus, "-o", output, "--checkpoint", tmp_path), "already exists; choose the name of a new")
    failed(run("train", corpus, "-o", output, "--checkpoint", tmp_path / "no" / "run"), "does not exist; create it")
    failed(run("train", "-", "-o", output, "--checkpoint", tmp_path / "run"), "cannot read standard input")
    failed(run("resume", tmp_path), "is not the folder of a run with checkpoints")
    assert not output.exists()
    Word2Vec(vector_size=8, min_count=1).fit(corpus, checkpoint=Checkpoints(tmp_path / "python"))
    same = run("train", corpus, "-o", output, "--checkpoint", output)
    failed(same, f"two outputs are written to {output}")
    failed(run("resume", tmp_path / "python"), "was started in Python; continue it with Word2Vec.resume")


def test_a_result_that_cannot_be_written_is_not_lost(run: Any, corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    arguments = ["train", corpus, "-o", folder / "v.txt", *OPTIONS, "--checkpoint", tmp_path / "run"]
    assert run(*arguments).status == 0
    shutil.rmtree(folder)
    failed(run("resume", tmp_path / "run"), f"the folder {folder} does not exist; create it first")
    folder.mkdir()
    corpus.unlink()  # the training is complete
    assert run("resume", tmp_path / "run").status == 0
    assert (folder / "v.txt").exists()
