"""The check of a GPU box, as far as it goes without one: its reports, its time limits, what it measures on the way."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import gpu_check
from fastw2v.backend import cuda_problem
from fastw2v.engine import tables, train_layers
from fastw2v.kernels import gpu


def test_the_report_shows_every_column_of_every_row(tmp_path):
    report = {
        "machine": {"device": "one"},
        "stages": {
            "speed": {"words": 5, "results": [{"model": "cbow", "words/s": 7}, {"model": "skipgram", "loss": 2.5}]},
            "tests": {"failed": "see the output", "output": "boom"},
        },
    }
    gpu_check.write(tmp_path / "check", report)
    assert json.loads((tmp_path / "check.json").read_text()) == report
    text = (tmp_path / "check.md").read_text()
    for line in ("- device: one", "| model | words/s | loss |", "| skipgram |  | 2.5 |", "- failed: see the output"):
        assert line in text.splitlines()
    assert "boom" in text
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["check.json", "check.md"]


@pytest.mark.skipif(cuda_problem() is None, reason="there is a GPU")
def test_a_stage_that_fails_says_why_and_leaves_the_others_alone():
    assert "No module named 'cupy'" in gpu_check.in_a_process("bandwidth", 100, 60)["failed"]


def test_a_stage_without_data_is_left_out(monkeypatch):
    monkeypatch.delenv("FASTW2V_DATA", raising=False)
    assert "FASTW2V_DATA" in gpu_check.in_a_process("quality", 100, 60)["left out"]


def test_timing_begins_at_the_first_report_and_names_a_loss_that_is_not_finite(monkeypatch):
    monkeypatch.setattr("fastw2v.engine.INTERVAL", 0.0)
    ids = np.random.default_rng(0).integers(0, 50, 5000)
    corpus = (ids, np.arange(0, 5001, 100), np.bincount(ids, minlength=50))
    found = gpu_check.timed(train_layers, tables((50, 8), "cpu", "layers"), *corpus, "cbow", 0.1, deterministic=True)
    assert found["words/s"] > 0
    assert 0 < found["loss"] < 10
    W_in, W_out = tables((50, 8), "cpu", "layers")
    W_out += np.nan
    refused = gpu_check.timed(train_layers, (W_in, W_out), *corpus, "cbow", 0.1)
    assert refused["words/s"] is None
    assert "the loss is nan in epoch 1" in refused["loss"]
    assert gpu_check.between([(5, 1.0, 2.0)]) is None


@pytest.mark.parametrize("warps", gpu_check.WARPS)
def test_every_number_of_warps_to_be_tried_fits_a_device(warps, monkeypatch):
    monkeypatch.setattr(gpu, "WARPS", warps)
    assert gpu.choose_kernel("cbow", False, 128, 5, 4, 24, True, 232_448).warps == warps
