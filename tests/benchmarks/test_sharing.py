"""The benchmark of threads that share rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import sharing
from fastw2v import Corpus


@pytest.mark.parametrize("options", [[], ["--model", "skipgram", "--loss", "hs", "--subwords"]])
def test_it_prints_the_speed_of_each_variant(options, tmp_path, capsys):
    random = np.random.default_rng(0)
    corpus = Corpus.from_sentences([[f"word{i}" for i in random.zipf(1.5, 20) if i < 50] for _ in range(2000)])
    corpus.save(tmp_path / "corpus.w2v")
    found = tmp_path / "found.json"
    sharing.main([str(tmp_path / "corpus.w2v"), "--rounds=2", "--seconds=0.01", f"--json={found}", *options])
    assert "private copies" in capsys.readouterr().out
    rounds = np.array(json.loads(found.read_text())["words_per_second"])
    assert rounds.shape == (2, 4)
    assert (rounds > 1000).all()


def test_slow_rounds_are_reported_separately():
    found = sharing.medians([[1, 2, 3, 4], [1, 4, 4, 4], [3, 4, 6, 4]])
    assert found == {"slow": (1, [1, 2, 3, 4]), "fast": (2, [2, 4, 5, 4])}
