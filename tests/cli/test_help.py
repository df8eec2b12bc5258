"""Help texts: every command has examples, and the examples run."""

from __future__ import annotations

import io
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Corpus, Word2Vec, datasets
from fastw2v.cli.app import app
from fastw2v.cli.train import train
from fastw2v.datasets import catalog

COMMANDS = {command.name or command.callback.__name__.replace("_", "-"): command for command in app.registered_commands}


def example_lines(epilog: Any) -> list[str]:
    """Return the shell lines at the end of a help text."""
    return [line.strip() for line in str(epilog).splitlines() if line.startswith("  fastw2v")]


EXAMPLES = {name: example_lines(command.epilog) for name, command in COMMANDS.items()}
EXAMPLES[""] = example_lines(app.info.epilog)
LINES = sorted({line for lines in EXAMPLES.values() for line in lines})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small files that have the names used in the examples."""
    folder = tmp_path_factory.mktemp("examples")
    random = np.random.default_rng(0)
    topics = ["the cat and the dog sat on a mat", "a man and a woman meet the king and the queen"]
    lines = [" ".join(random.choice(topics[i % 2].split(), size=12)) for i in range(100)]
    for name in ("corpus.txt", "new.txt", "articles/one.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    Corpus.from_text(folder / "corpus.txt").save(folder / "corpus.w2v")
    vectors = Word2Vec(vector_size=8, negative=2, epochs=1).fit(folder / "corpus.txt").wv
    for name in ("vectors.safetensors", "vectors.bin", "texts-1900.bin", "texts-2000.bin"):
        vectors.save(folder / name)
    train([str(folder / "corpus.txt")], folder / "resumed.bin", vector_size=8, epochs=1, checkpoint=folder / "run")
    vectors.save(folder / "glove.6B.300d.txt", format="glove")
    (folder / "questions.txt").write_text(": people\nman king woman queen\n", encoding="utf-8")
    (folder / "pairs.csv").write_text("cat,dog,9\ncat,king,1\nman,woman,8\n", encoding="utf-8")
    suite = folder / "suite"
    suite.mkdir()
    shutil.copy(folder / "questions.txt", suite / catalog.SUITES["english"][0])
    for name in catalog.SUITES["english"][1]:
        (suite / catalog.WORD_PAIRS[name]).write_text("cat dog 9\ncat king 1\nman woman 8\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("line", LINES)
def test_examples_of_the_help_run(
    run: Any, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    if ".png" in line:
        pytest.importorskip("matplotlib")
    if line.startswith("fastw2v push"):
        pytest.importorskip("huggingface_hub")
        monkeypatch.setenv("HF_TOKEN", "hf_example")
        monkeypatch.setattr("fastw2v.WordVectors.push_to_hub", lambda *_, **__: "https://example.org/commit")
    folder = shutil.copytree(prepared, tmp_path / "examples")
    if "--checkpoint run" in line:
        shutil.rmtree(folder / "run")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FASTW2V_DATA", str(folder / "suite"))  # instead of a download
    monkeypatch.setattr(datasets, "demo_corpus", lambda: [["list", "tuple", "read", "write", "min", "max"]] * 100)
    monkeypatch.setattr("sys.stdin", io.StringIO("man king woman\n"))
    monkeypatch.setattr("webbrowser.open", lambda url: True)
    monkeypatch.setattr("fastw2v.explore.ExploreServer.serve_forever", lambda server: None)  # it would run until Ctrl-C
    result = run(*shlex.split(line)[1:])
    assert result.status == 0, result.err


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_help_shows_its_examples_on_lines_of_their_own(
    run: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = run(*name.split(), "--help")
    assert result.status == 0
    assert "<bool>" not in result.out
    assert 1 <= len(EXAMPLES[name]) <= 4
    shown = [line.strip() for line in result.out.splitlines()]
    assert "Examples:" in shown
    for line in EXAMPLES[name]:
        assert line in shown
        assert line.split()[1] == name or not name
