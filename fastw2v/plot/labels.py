"""Placement of labels near their points without overlap."""

from __future__ import annotations

import numpy as np

from fastw2v.config import check_range
from fastw2v.utils.checks import check_array, check_items

__all__ = ["label_places"]


def label_places(
    points: np.ndarray, sizes: np.ndarray, bounds: tuple[float, float, float, float], dot: float = 3.0
) -> np.ndarray:
    """Return positions of labels such that no label covers another label or a point.

    The labels are placed in the given order, each as close to its point as the earlier labels allow.

    Parameters
    ----------
    points : float array, shape (n, 2)
        Coordinates of the points, most important first.
    sizes : float array, shape (n, 2)
        Width and height of each label.
    bounds : (float, float, float, float)
        Left, bottom, right and top of the area for labels.
    dot : float
        Radius of a point.

    Returns
    -------
    float array, shape (n, 2)
        Lower left corner of each label, or NaN if there is no room.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.plot import label_places
    >>> points, sizes = np.array([[10.0, 10], [14, 10]]), np.array([[8.0, 4], [8, 4]])
    >>> label_places(points, sizes, bounds=(0, 0, 30, 20), dot=1)
    array([[ 0.,  8.],
           [16.,  8.]])
    >>> label_places(points, sizes, bounds=(0, 8, 20, 12), dot=1)
    array([[ 0.,  8.],
           [nan, nan]])
    """
    check_array("points", points)
    check_array("sizes", sizes)
    check_items("bounds", bounds, "the four numbers left, bottom, right and top")
    check_range("dot", dot, low=0.0)
    left, bottom, right, top = bounds
    corners = np.full(points.shape, np.nan)
    # Left, bottom, right and top of every obstacle: first the points, then the labels placed so far.
    boxes = np.concatenate([points - dot, points + dot], axis=1)
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
    """Return candidate corners of a label relative to its point: first beside the point, then on growing rings."""
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
