"""Labels overlap neither each other nor any point."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from fastw2v.plot.labels import label_places


def overlap(a: Any, b: Any) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("spread", [3, 60, 150])
def test_labels_cover_neither_each_other_nor_a_point(spread):
    random = np.random.default_rng(spread)
    points = 500 + random.normal(size=(200, 2)) * spread
    sizes = np.stack([random.uniform(10, 90, 200), np.full(200, 12.0)], axis=1)
    corners = label_places(points, sizes, (0, 0, 1000, 1000), dot=3)
    placed = ~np.isnan(corners[:, 0])
    boxes = [(*corner, *(corner + size)) for corner, size in zip(corners[placed], sizes[placed], strict=True)]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert not any(overlap(box, (*(point - 2.99), *(point + 2.99))) for box in boxes for point in points)
    assert all(min(box) >= 0 and max(box) <= 1000 for box in boxes)
    assert placed.sum() > {3: 0, 60: 60, 150: 160}[spread]


def test_a_lonely_label_stands_beside_its_point_and_stays_inside():
    sizes = np.array([[40.0, 10.0]])
    assert label_places(np.array([[50.0, 50.0]]), sizes, (0, 0, 100, 100)).tolist() == [[54, 45]]
    assert label_places(np.array([[95.0, 50.0]]), sizes, (0, 0, 100, 100)).tolist() == [[51, 45]]
    assert np.isnan(label_places(np.array([[10.0, 5.0]]), sizes, (0, 0, 20, 20))).all()
