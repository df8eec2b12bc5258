"""The program that trains with many combinations of settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import sweep
from fastw2v import WordVectors, evaluate
from fastw2v.config import TrainingConfig
from fastw2v.corpus import as_corpus
from fastw2v.engines import cpu
from fastw2v.nn.initializers import uniform_weights
from tests.test_word2vec import themes

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
QUESTIONS = ": gram1-x\nt0w0 t0w1 t1w0 t1w1\n: capitals\nt0w0 t0w1 t2w0 t2w1\nt0w0 t0w1 t3w0 unknown\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.txt" for name in ("text", "questions", "pairs")}
    paths["text"].write_text("\n".join(map(" ".join, themes(200))), encoding="utf-8")
    paths["questions"].write_text(QUESTIONS, encoding="utf-8")
    pairs = [f"t0w{i} t{j}w{i} {j + i / 100}" for i in range(8) for j in range(4)]
    paths["pairs"].write_text("\n".join(pairs), encoding="utf-8")
    return paths


def run(files: dict[str, Path], *more: str) -> Any:
    arguments = [str(files["text"]), "--analogies", str(files["questions"]), "--pairs", str(files["pairs"])]
    path = files["text"].with_name("sweep.json")
    assert sweep.main([*arguments, "--vector-size", "8", "--epochs", "1", "--json", str(path), *more]) == 0
    return json.loads(path.read_text(encoding="utf-8"))


@needs_numba
def test_every_combination_is_trained_once_and_evaluated_with_every_weight(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "FEWEST_PAIRS", 10)
    found = run(files, "--pool-size", "4", "8", "--output-weight", "0", "0.5")
    assert [one["settings"]["pool_size"] for one in found["runs"]] == [4, 8]
    assert len(capsys.readouterr().out.splitlines()) == 2
    for one in found["runs"]:
        assert list(one["quality"]) == ["0", "0.5"]
        assert one["words_per_second"] > 0
        assert len(one["losses"]) == 1
    corpus = as_corpus(files["text"], min_count=5)
    config = TrainingConfig(vector_size=8, epochs=1, pool_size=8)
    tables = cpu.allocate((len(corpus.vocabulary), 8))
    uniform_weights(tables.W_in, config.seed)
    cpu.train(tables, corpus, config, workers=1)
    for weight in (0, 0.5):
        wv = WordVectors(corpus.vocabulary.words, tables.W_in + np.float32(weight) * tables.W_out)
        rho = evaluate.word_pairs(wv, evaluate.read_pairs(files["pairs"])).spearman
        assert found["runs"][1]["quality"][f"{weight}"]["pairs"] == pytest.approx(rho, abs=1e-4)
    again = run(files, "--pool-size", "8", "4", "12", "--output-weight", "0")
    assert again["runs"][:2] == found["runs"]
    assert [one["settings"]["pool_size"] for one in again["runs"]] == [4, 8, 12]


def test_analogies_are_scored_by_kind(files: dict[str, Path]) -> None:
    words = [f"t{theme}w{i}" for theme in range(4) for i in range(2)]
    vectors = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, -1, 0], [-1, -1, 0], [0, 0, -1], [1, 0, -1]])
    wv = WordVectors(words, vectors.astype(float))
    found = sweep.quality(wv, evaluate.read_analogies(files["questions"]), {})
    assert found == {"analogies": 50.0, "semantic": 0.0, "syntactic": 100.0}
