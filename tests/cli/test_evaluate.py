"""fastw2v evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastw2v.datasets import catalog
from tests.cli.helpers import failed


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.txt"
    path.write_text(": light\nsun moon soup bread\nsun moon soup sky\n: food\nsoup bread sun [red]\n")
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text("sun moon 9\nsun soup 1\nsun bread 2\nsun sky 8\n")
    return path


def test_evaluate_tables(run: Any, file: Path, questions: Path, pairs: Path):
    again = pairs.with_suffix(".csv")
    again.write_text(pairs.read_text().replace(" ", ","))
    result = run("evaluate", file, "--analogies", questions, "--pairs", pairs, "--pairs", again)
    assert result.status == 0
    rows = [line.split() for line in result.out.splitlines()]
    assert ["light", "1", "1", "of", "2", "100.0"] in rows
    assert ["food", "0", "1", "of", "1", "0.0"] in rows
    assert ["overall", "1", "2", "of", "3", "50.0"] in rows
    assert all(any(row[:2] == [name, "1.000"] for row in rows) for name in ("pairs.txt", "pairs.csv"))


def test_evaluate_json(run: Any, file: Path, questions: Path, pairs: Path):
    result = run("evaluate", file, "--analogies", questions, "--json")
    assert json.loads(result.out) == {
        "file": str(file),
        "suite": None,
        "analogies": [
            {"section": "light", "correct": 1, "covered": 1, "unseen": 0, "total": 2, "accuracy": 1.0, "coverage": 0.5},
            {"section": "food", "correct": 0, "covered": 1, "unseen": 0, "total": 1, "accuracy": 0.0, "coverage": 1.0},
            {
                "section": "overall",
                "correct": 1,
                "covered": 2,
                "unseen": 0,
                "total": 3,
                "accuracy": 0.5,
                "coverage": 2 / 3,
            },
        ],
        "pairs": [],
    }
    pairs.write_text("sun moon 9\nsky sky 1\n")
    (score,) = json.loads(run("evaluate", file, "--pairs", pairs, "--json").out)["pairs"]
    assert score["interval"] == [None, None]
    del score["interval"]
    expected = {"spearman": None, "pearson": None, "covered": 1, "unseen": 0, "total": 2, "coverage": 0.5}
    assert score == {"name": str(pairs), "file": str(pairs)} | expected


@pytest.fixture
def korean(tmp_path: Path, questions: Path, pairs: Path) -> Path:
    """A folder with the files of the Korean suite."""
    folder = tmp_path / "eval" / "ko"
    folder.mkdir(parents=True)
    questions.rename(folder / "word_analogy_korean.txt")
    lines = pairs.read_text().replace(" ", ",")
    (folder / "WS353_korean.csv").write_text(f"word 1,word 2,kor_score\n{lines}")
    return tmp_path


def test_evaluate_takes_a_suite_from_a_folder(run: Any, file: Path, korean: Path, tmp_path: Path):
    result = run("evaluate", file, "--suite", "korean", "--data", korean)
    assert result.status == 0, result.err
    rows = [line.split() for line in result.out.splitlines()]
    assert ["overall", "1", "2", "of", "3", "50.0"] in rows
    assert any(row[:2] == ["wordsim353-korean", "1.000"] for row in rows)
    shown = json.loads(run("evaluate", file, "--suite", "korean", "--data", korean, "--json").out)
    assert (shown["suite"], shown["pairs"][0]["name"]) == ("korean", "wordsim353-korean")
    failed(run("evaluate", file, "--suite", "korean", "--pairs", korean / "x"), "--suite", "cannot be combined")
    failed(run("evaluate", file, "--data", korean, "--pairs", korean / "x"), "--data")
    failed(run("evaluate", file, "--data", tmp_path / "nowhere"), "--data", "nowhere", "no such folder")
    assert "korean" in run("evaluate", file, "--suite", "french").err


def test_evaluate_without_files_takes_the_english_suite(
    run: Any, file: Path, questions: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FASTW2V_DATA", str(tmp_path))
    questions.rename(tmp_path / "questions-words.txt")
    for name in catalog.SUITES["english"][1]:
        (tmp_path / catalog.WORD_PAIRS[name]).write_bytes(pairs.read_bytes())
    result = run("evaluate", file)
    assert result.status == 0
    assert "overall" in result.out
    assert "simlex999" in result.out


def test_evaluate_names_a_bad_line(run: Any, file: Path, questions: Path):
    questions.write_text(": light\nsun moon soup\n")
    failed(run("evaluate", file, "--analogies", questions), "questions.txt", "line 2")
