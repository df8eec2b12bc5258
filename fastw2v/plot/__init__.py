"""Plots: maps of words, as images or interactive HTML pages, and loss curves.

Images need matplotlib. HTML pages need no other package, and they work without a network connection.
"""

from fastw2v.plot.image import IMAGES, check_picture
from fastw2v.plot.labels import label_places
from fastw2v.plot.loss import write_loss
from fastw2v.plot.projection import Method, plane
from fastw2v.plot.word_map import write_map

__all__ = ["IMAGES", "Method", "check_picture", "label_places", "plane", "write_loss", "write_map"]
