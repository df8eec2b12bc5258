"""The parts of the GPU check that run without a GPU: reports, time limits and measurements."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import gpu_check
from fastw2v.backend import cuda_problem
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.engines import eager
from fastw2v.kernels import word2vec_cuda


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
    monkeypatch.setattr("fastw2v.engines.base.REPORT_INTERVAL", 0.0)
    monkeypatch.setattr(gpu_check, "DIM", 8)
    ids = np.random.default_rng(0).integers(0, 50, 5000)
    vocabulary = Vocabulary([str(i) for i in range(50)], np.bincount(ids, minlength=50))
    corpus = Corpus(ids, np.arange(0, 5001, 100), vocabulary)
    found = gpu_check.timed(eager, corpus, "cbow", "cpu", deterministic=True)
    assert found["words/s"] > 0
    assert 0 < found["loss"] < 10
    tables = eager.allocate((50, 8), "cpu")
    tables.W_out[...] += np.nan
    refused = gpu_check.timed(eager, corpus, "cbow", "cpu", tables=tables)
    assert refused["words/s"] is None
    assert "the loss is nan in epoch 1" in refused["loss"]
    assert gpu_check.between([(5, 1.0, 2.0)]) is None


def test_the_beginning_of_a_corpus_ends_amid_a_sentence():
    corpus = Corpus(np.arange(6), np.array([0, 3, 6]), Vocabulary(list("abcdef"), np.ones(6, int)))
    part = gpu_check.beginning(corpus, 4)
    assert part.ids.tolist() == [0, 1, 2, 3]
    assert part.offsets.tolist() == [0, 3, 4]
    assert len(part.vocabulary) == 6


@pytest.mark.parametrize("warps", gpu_check.WARPS)
def test_every_number_of_warps_to_be_tried_fits_a_device(warps, monkeypatch):
    monkeypatch.setattr(word2vec_cuda, "WARPS", warps)
    assert word2vec_cuda.choose_kernel("cbow", False, 128, 5, 4, 24, True, 232_448).warps == warps
