"""Plots: a map of words in the plane, as an image or an interactive HTML page, and the loss curve.

Images need matplotlib. The HTML page needs no other library, and it works without a network connection.
"""

from fastw2v.plot.image import IMAGES, check_picture
from fastw2v.plot.labels import label_places
from fastw2v.plot.loss import write_loss
from fastw2v.plot.projection import Method, plane
from fastw2v.plot.word_map import write_map

__all__ = ["IMAGES", "Method", "check_picture", "label_places", "plane", "write_loss", "write_map"]
