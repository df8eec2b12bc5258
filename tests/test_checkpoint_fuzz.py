"""Damaged folders of runs with checkpoints: the run continues without loss, or one clear error is raised."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastw2v import Corpus, Word2Vec
from fastw2v.checkpoint import CheckpointError, Checkpoints
from tests.cli.conftest import run
from tests.cli.helpers import failed
from tests.formats.test_fuzz import EDITS, LIBRARY_ERROR, damaged
from tests.test_checkpoint import SETTINGS, assert_same, interrupted, text

__all__ = ["run"]

WRONG = [None, 1, [], {}, "a\0b", "", ".", "no-such-folder/x.bin", "x" * 5000]
"""Values of the description of a run, most of which are invalid."""


class Sound:
    """A run that was interrupted in its last epoch, with two checkpoints, and the model that its continuation gives."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.corpus = folder, Corpus.from_sentences(text(60), min_count=1)
        model = {**SETTINGS, "engine": "layers"}
        interrupted(Word2Vec(**model), self.corpus, folder, 2 * len(self.corpus) + 1)
        self.files = sorted(folder.iterdir())
        assert len(self.files) == 3
        self.result = Word2Vec(**model).fit(self.corpus)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return Sound(tmp_path_factory.mktemp("run") / "run")


def check_damaged(sound: Sound, edited: dict[int, list[tuple[str, Any, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(shutil.copytree(sound.folder, Path(parent, "run")))
        for which, edits in edited.items():
            path = folder / sound.files[which].name
            path.write_bytes(damaged(path.read_bytes(), edits))
        message = ""
        try:
            assert_same(Word2Vec.resume(folder, sound.corpus), sound.result)
        except CheckpointError as error:
            message = str(error)
        if message:
            assert len(edited) > 1 or 2 in edited  # one sound checkpoint is enough
            assert str(folder) in message
            assert len(message) < 600
            assert not LIBRARY_ERROR.search(message)


# Files 0 and 1 are checkpoints, and 2 is run.json.
DAMAGE = st.dictionaries(st.integers(0, 2), EDITS, min_size=1, max_size=3)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edited=DAMAGE)
@example({0: [("cut", 0.0, None)], 1: [("cut", 0.0, None)]})
@example({2: [("cut", 0.0, None)]})
def test_damaged_runs(sound: Sound, edited: dict[int, list[tuple[str, Any, Any]]]) -> None:
    check_damaged(sound, edited)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edited=DAMAGE)
def test_damaged_runs_at_length(sound: Sound, edited: dict[int, list[tuple[str, Any, Any]]]) -> None:
    check_damaged(sound, edited)


@pytest.mark.parametrize("place", [0, 0.001, 0.5, 0.99])
def test_each_file_of_a_run_in_the_shell(
    run: Any, sound: Sound, place: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("\n".join(map(" ".join, text(60))))
    options = ["--vector-size", "8", "--negative", "2", "--min-count", "1", "--workers", "1", "--engine", "layers"]
    assert run("train", "text.txt", "-o", "v.bin", "--checkpoint", "run", *options).status == 0
    expected = Path("v.bin").read_bytes()
    first, last = sorted(Path("run").glob("checkpoint-*"))
    for victims in ([last], [first], [first, last], [Path("run", "run.json")]):
        before = {path: path.read_bytes() for path in victims}
        for path, content in before.items():
            for changed in (content[: int(place * len(content))], damaged(content, [("flip", place, 7)])):
                Path("v.bin").unlink(missing_ok=True)
                path.write_bytes(changed)
                result = run("resume", "run")
                if len(victims) == 1 and victims != [Path("run", "run.json")]:
                    assert result.status == 0, result.err
                    assert Path("v.bin").read_bytes() == expected
                elif path == victims[-1]:
                    failed(result, str(Path("run")))
                    assert not Path("v.bin").exists()
        for path, content in before.items():
            path.write_bytes(content)


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("name", ["output", "plot", "lower", "normalize", "encoding", "errors", "corpus", "every"])
def test_wrong_values_in_the_description_of_a_run(
    run: Any, sound: Sound, name: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values that a damaged run.json can have if it is still JSON."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("\n".join(map(" ".join, text(60))))
    shutil.copytree(sound.folder, "run")
    task = {"output": "v.bin", "plot": None, "lower": False, "normalize": None, "encoding": "utf-8", "errors": "strict"}
    description = json.loads(Path("run", "run.json").read_text()) | {"corpus": ["text.txt"], "task": task}
    Path("run", "run.json").write_text(json.dumps(description))
    assert Checkpoints.open("run").task == task
    if name in task:
        description["task"] = task | {name: value}
    else:
        description[name] = [value] if name == "corpus" else value
    Path("run", "run.json").write_text(json.dumps(description))
    result = run("resume", "run")
    assert "Traceback" not in result.err
    if result.status == 0:
        assert (name, value) in [("plot", None), ("every", 1), ("lower", 1), ("normalize", None)]
    else:
        failed(result)
        assert len(result.err.splitlines()[-1]) < 700
        assert not LIBRARY_ERROR.search(result.err)
