"""The scores of maps, compared with definitions written out and with scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import maps
from fastw2v import WordVectors

RANDOM = np.random.default_rng(0)


def test_the_scores_of_a_map_that_keeps_everything():
    angles = RANDOM.uniform(0, 1, size=200)  # less than half a circle, so the angle has the order of the cosine
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert maps.scores(circle, np.stack([angles, np.zeros(200)], axis=1)) == {
        "kept": 1.0,
        "trustworthiness": 1.0,
        "distances": 1.0,
    }


def test_the_scores_are_those_of_the_definitions():
    rows, points = RANDOM.normal(size=(60, 8)), RANDOM.normal(size=(60, 2))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    kept = 0
    for i in range(60):
        others = [j for j in range(60) if j != i]
        near = sorted(others, key=lambda j: -float(unit[i] @ unit[j]))[:10]
        near_on_map = sorted(others, key=lambda j: float(np.linalg.norm(points[i] - points[j])))[:10]
        kept += len(set(near) & set(near_on_map))
    found = maps.scores(rows, points)
    assert found["kept"] == pytest.approx(kept / 600, abs=1e-4)
    assert abs(found["distances"]) < 0.1
    manifold = pytest.importorskip("sklearn.manifold")
    expected = manifold.trustworthiness(rows, points, n_neighbors=10, metric="cosine")
    assert found["trustworthiness"] == pytest.approx(expected, abs=1e-4)


def test_the_file_of_results_holds_each_run_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(maps, "in_new_process", maps.measured)
    monkeypatch.setattr(maps, "_header", lambda: {"machine": {}, "runs": []})  # the packages may be missing
    path, results = tmp_path / "v.safetensors", tmp_path / "maps.json"
    WordVectors([f"w{i}" for i in range(50)], RANDOM.normal(size=(50, 8))).save(path)
    for seeds in (["1"], ["1", "2"]):  # PCA has no seed
        given = [str(path), "--words", "40", "50", "--method", "pca", "--seed", *seeds, "--json", str(results)]
        assert maps.main(given) == 0
    runs = json.loads(results.read_text())["runs"]
    assert [(run["words"], run["method"], run["seed"]) for run in runs] == [(40, "pca", 1), (50, "pca", 1)]
    assert runs[0].keys() >= {"first", "next", "memory", "kept", "trustworthiness", "distances", "sha256"}
    with pytest.raises(ValueError, match="has 50 words"):
        maps.main([str(path), "--words", "51", "--method", "pca", "--json", str(results)])
