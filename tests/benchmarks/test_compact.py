"""The comparison of vectors stored as float32, float16 and int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import compact
from fastw2v import WordVectors

MATRIX = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
WORDS = [f"w{i}" for i in range(200)]


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, questions, pairs = tmp_path / "wv.safetensors", tmp_path / "questions.txt", tmp_path / "pairs.txt"
    WordVectors(WORDS, MATRIX).save(path)
    questions.write_text(": all\nw1 w2 w3 w4\nw5 w6 w7 w8\n")
    pairs.write_text("".join(f"w{i} w{i + 1} {i % 7}\n" for i in range(150)))
    arguments = [str(path), "--analogies", str(questions), "--pairs", str(pairs), "--words", "50", "--repeats", "2"]
    assert compact.main(arguments) == 0
    header, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.split("\n")
    )
    rows = [dict(zip(header, row, strict=True)) for row in rows if row]
    assert [row["type"] for row in rows] == ["float32", "float16", "int8"]
    exact, half, small = rows
    assert exact["top 10: shared, %"] == exact["top 10: same words, %"] == "100.0"
    assert float(small["MB"]) < float(half["MB"]) < float(exact["MB"])
    for row in rows:
        assert float(row["top 10: shared, %"]) > 90
        assert float(row["pairs"]) == pytest.approx(float(exact["pairs"]), abs=0.01)
        assert row["analogies, %"] == exact["analogies, %"]


def test_agreement_by_hand() -> None:
    exact = WordVectors(["a", "b", "c", "d"], np.array([[1.0, 0], [0.9, 0.1], [0, 1], [-1, 0]]))
    turned = WordVectors(["a", "b", "c", "d"], np.array([[1.0, 0], [-1, 0], [0, 1], [0.9, 0.1]]))
    assert compact.agreement(exact, exact, ["a", "b"]) == (1, 1)
    few = compact.agreement(exact, turned, ["a"])
    assert few.shared == 1  # there are only three neighbours


def test_words_are_drawn_once() -> None:
    words = compact.drawn(WordVectors(WORDS, MATRIX), 1000)
    assert sorted(words) == sorted(WORDS)
