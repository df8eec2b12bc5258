"""Producers of errors in the section "Pictures"."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.plot import check_picture, plane, select_method, write_loss, write_map
from tests.errors.common import Producer, fastw2v, vectors


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)


PRODUCERS: dict[str, list[Producer]] = {
    "…: the suffix … is not supported for pictures; use one of …": [
        lambda: check_picture("a.gif"),
    ],
    "… pictures need matplotlib. Install it with pip install …": [
        lambda monkeypatch: (without(monkeypatch, "matplotlib"), check_picture("a.png")),
    ],
    "history is empty, so there is no loss to draw; train first": [
        lambda: write_loss([], "a.png"),
    ],
    "only … can be drawn; give at least three words": [
        lambda: plane(np.ones((2, 3))),
    ],
    "some vectors contain NaN or infinity and cannot be projected; exclude their words": [
        lambda: plane(np.full((3, 3), np.nan)),
    ],
    "method … needs …. Install it with pip install …": [
        lambda monkeypatch: (without(monkeypatch, "umap"), plane(np.ones((5, 3)), "umap")),
        lambda monkeypatch: (without(monkeypatch, "sklearn.manifold"), plane(np.ones((5, 3)), "tsne")),
    ],
    "method … needs at least … words, but there are …; use 'pca'": [
        lambda: plane(np.ones((3, 3)), "opentsne"),
        lambda: select_method("tsne", 3),
    ],
    "color is 'count', but these vectors have no counts of words; use 'cluster'": [
        lambda: write_map(WordVectors(["a", "b", "c"], np.eye(3)), "a.png", color="count"),
    ],
    "--words and --top cannot be combined; omit one of them": [
        lambda: (
            vectors().save("a.bin"),
            fastw2v("plot", "a.bin", "-o", "a.html", "--words", "the cat sat", "--top", "3"),
        ),
    ],
}
