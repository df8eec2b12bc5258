"""Placement of labels next to their points without overlap."""

from __future__ import annotations

import numpy as np

__all__ = ["label_places"]


def label_places(
    points: np.ndarray, sizes: np.ndarray, bounds: tuple[float, float, float, float], dot: float = 3.0
) -> np.ndarray:
    """Return positions of labels at which none covers another label or a point.

    Labels are placed one after the other, each as near to its point as the labels before it allow.

    Parameters
    ----------
    points : float array, shape (n, 2)
        In the order in which they get labels, the most important first.
    sizes : float array, shape (n, 2)
        Width and height of each label.
    bounds : (float, float, float, float)
        Left, bottom, right and top of the picture, within which labels stay.
    dot : float
        Radius of a point.

    Returns
    -------
    float array, shape (n, 2)
        Lower left corners of the labels; NaN for labels without room.
    """
    left, bottom, right, top = bounds
    corners = np.full(points.shape, np.nan)
    boxes = np.concatenate(
        [points - dot, points + dot], axis=1
    )  # left, bottom, right, top; at first those of the points
    for i, (point, (width, height)) in enumerate(zip(points, sizes, strict=True)):
        candidates = point + _offsets(width, height, dot + 1)
        new = np.concatenate([candidates, candidates + np.array([width, height])], axis=1)
        inside = (new[:, 0] >= left) & (new[:, 1] >= bottom) & (new[:, 2] <= right) & (new[:, 3] <= top)
        reach = (boxes[:, :2] < new[:, 2:].max(axis=0)) & (boxes[:, 2:] > new[:, :2].min(axis=0))
        near = boxes[reach.all(axis=1)]
        apart = (
            (new[:, None, 0] >= near[:, 2])
            | (new[:, None, 2] <= near[:, 0])
            | (new[:, None, 1] >= near[:, 3])
            | (new[:, None, 3] <= near[:, 1])
        ).all(axis=1)
        free = np.flatnonzero(inside & apart)
        if len(free):
            corners[i] = candidates[free[0]]
            boxes = np.concatenate([boxes, new[free[:1]]])
    return corners


def _offsets(width: float, height: float, gap: float) -> np.ndarray:
    """Return lower left corners of a label relative to its point: beside it, then on rings of growing radius."""
    near = [
        (gap, -height / 2),
        (-gap - width, -height / 2),
        (-width / 2, gap),
        (-width / 2, -gap - height),
        (gap / 2, gap / 2),
        (gap / 2, -gap / 2 - height),
        (-gap / 2 - width, gap / 2),
        (-gap / 2 - width, -gap / 2 - height),
    ]
    angles = np.arange(16) * (np.pi / 8)
    around = [
        (np.cos(angle) * (ring * height + width / 2) - width / 2, np.sin(angle) * (ring + 0.5) * height - height / 2)
        for ring in (1.0, 1.75, 2.5, 3.5)
        for angle in angles
    ]
    return np.array(near + around)
