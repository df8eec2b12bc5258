"""The program that scores vectors of texts on reviews."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import sentences
from fastw2v.engines import cpu

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Reviews whose words depend on the rating."""
    rng = np.random.default_rng(0)
    kinds = {10: ["good", "great", "fine"], 1: ["bad", "poor", "dull"], 5: ["film", "long", "plot"]}
    lines = []
    for i in range(1200):
        rating = (10, 1, 5)[i % 3]
        words = rng.choice([*kinds[rating], "the", "a", "it", f"x{i % 20}"], size=24)
        lines.append(f"{rating}\t{' '.join(words)}\n")
    path = tmp_path / "reviews.tsv.xz"
    path.write_bytes(lzma.compress("".join([*lines, *lines[:50], "3\t \n", "\n"]).encode()))
    return path


def test_no_review_of_the_test_is_in_the_training_text(reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "TEST", 200)
    read = sentences.read_reviews(reviews)
    assert len(read) == len({text for _, text in read}) == 1200
    training, test = sentences.split(read, 1)
    assert (len(training), len(test)) == (1000, 200)
    assert not {text for _, text in training} & {text for _, text in test}
    assert sentences.split(read, 1) == (training, test)
    assert sentences.split(read, 2)[1] != test
    chosen = sentences.balanced(test)
    assert sorted({rating for rating, _ in chosen}) == [1, 10]
    assert sum(rating == 1 for rating, _ in chosen) == len(chosen) / 2


def test_logistic_regression_is_the_minimum_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    X, X_test = rng.normal(size=(300, 4)), rng.normal(size=(50, 4))
    y = X @ [2.0, -1.0, 0.5, 0.0] + rng.logistic(size=300) > 0.3
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    w, b = np.zeros(4), 0.0
    for _ in range(20_000):  # gradient descent
        error = 1 / (1 + np.exp(-(scaled @ w + b))) - y
        w, b = w - 0.003 * (scaled.T @ error + sentences.PENALTY * w), b - 0.003 * error.sum()
    expected = (X_test - X.mean(axis=0)) / X.std(axis=0) @ w + b > 0
    assert sentences.logistic_regression(X, y, X_test).tolist() == expected.tolist()


@needs_numba
@pytest.mark.parametrize("speed", [False, True])
def test_runs_are_written_once(speed: bool, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "ROUNDS", 2)
    arguments: list[Any] = [reviews, "--json", tmp_path / "found.json", "--systems", "fastw2v", "--seed", 1]
    arguments += ["--model", "cbow", "--subwords", "none", *(["--speed"] if speed else [])]
    for _ in range(2):
        assert sentences.main([*map(str, arguments)]) == 0
        runs = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["runs"]
        assert [run["method"] for run in runs] == ["mean", "fasttext", "sif"]
    for run in runs:
        if speed:
            assert len(run["reviews per second"]) == 2
        else:
            assert run["polarity"] > 90
            assert 0 <= run["halves"] <= 100
