"""Plots: maps of words and loss curves, as images. They need matplotlib.

`fastw2v.explore` has an interactive map, which needs no other package.
"""

from fastw2v.plot.image import IMAGES, check_picture
from fastw2v.plot.kmeans import clusters
from fastw2v.plot.labels import label_places
from fastw2v.plot.loss import write_loss
from fastw2v.plot.projection import METHOD_NAMES, Method, plane, select_method
from fastw2v.plot.word_map import write_map

__all__ = [
    "IMAGES",
    "METHOD_NAMES",
    "Method",
    "check_picture",
    "clusters",
    "label_places",
    "plane",
    "select_method",
    "write_loss",
    "write_map",
]
