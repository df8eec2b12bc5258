"""The option --loss of train and plan, and the vectors of inner nodes in the other commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastw2v.vectors import WordVectors
from fastw2v.word2vec import Word2Vec
from tests.cli.helpers import failed

OPTIONS = ["--vector-size", "8", "--window", "3", "--epochs", "3", "--workers", "1", "--engine", "layers"]
SETTINGS: dict[str, Any] = {"vector_size": 8, "window": 3, "epochs": 3, "workers": 1, "engine": "layers"}


@pytest.mark.parametrize("loss", ["ns", "hs", "hs+ns"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_train_writes_the_vectors_of_the_estimator(run: Any, corpus: Path, tmp_path: Path, loss: Any, model: Any):
    output = tmp_path / "vectors.safetensors"
    result = run("train", corpus, "-o", output, "--loss", loss, "--model", model, *OPTIONS)
    assert result.status == 0, result.err
    assert "warning" not in result.err
    written, expected = WordVectors.load(output), Word2Vec(loss=loss, model=model, **SETTINGS).fit(corpus).wv
    assert written.settings["loss"] == loss
    for name in ("vectors", "context_vectors", "node_vectors"):
        ours, theirs = getattr(written, name), getattr(expected, name)
        assert (ours is None) == (theirs is None)
        assert ours is None or ours.tobytes() == theirs.tobytes()


def test_options_without_effect_are_named(run: Any, corpus: Path, tmp_path: Path):
    output = tmp_path / "vectors.bin"
    options = ["--loss", "hs", "--negative", "7", "--ns-exponent", "0.5"]
    result = run("train", corpus, "-o", output, *options, *OPTIONS)
    assert result.status == 0, result.err
    why = "but it has no effect on hierarchical softmax, only on negative sampling"
    warnings = [line for line in result.err.splitlines() if line.startswith("warning")]
    assert warnings == [f"warning: --negative is 7, {why}", f"warning: --ns-exponent is 0.5, {why}"]


def test_errors_name_the_option(run: Any, corpus: Path, tmp_path: Path):
    output = tmp_path / "vectors.bin"
    failed(
        run("train", corpus, "-o", output, "--loss", "hs", "--output-weight", "0.4"),
        "--output-weight is 0.4, but with --loss hs the words have no output vectors; omit --output-weight, or use "
        "--loss hs+ns",
    )
    result = run("train", corpus, "-o", output, "--loss", "softmax")
    assert result.status == 2
    assert all(part in result.err for part in ("--loss", "softmax", "ns", "hs", "hs+ns"))


def test_plan_counts_the_rows_of_the_loss(run: Any, corpus: Path):
    sizes = {}
    for loss in ("ns", "hs", "hs+ns"):
        result = run("plan", corpus, "--loss", loss, *OPTIONS)
        assert result.status == 0, result.err
        sizes[loss] = next(line.split()[-2:] for line in result.out.splitlines() if "W_out" in line)
    assert sizes["ns"] == sizes["hs"] == ["256", "bytes"]
    assert sizes["hs+ns"] == ["512", "bytes"]


def test_info_and_convert(run: Any, corpus: Path, tmp_path: Path):
    output = tmp_path / "vectors.safetensors"
    assert run("train", corpus, "-o", output, "--loss", "hs", *OPTIONS).status == 0
    shown = run("info", output).out
    assert "context vectors     no" in shown
    assert "node vectors        yes" in shown
    assert "loss                hs" in shown
    printed = json.loads(run("info", output, "--json").out)
    assert (printed["context_vectors"], printed["node_vectors"]) == (False, True)
    assert run("convert", output, tmp_path / "vectors.npz").status == 0
    assert WordVectors.load(tmp_path / "vectors.npz").node_vectors is not None
    assert run("convert", output, tmp_path / "vectors.bin").status == 0
    assert WordVectors.load(tmp_path / "vectors.bin").node_vectors is None
