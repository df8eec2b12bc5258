"""Explore word vectors in a browser: a page with search, a map of words, analogies and the comparison of two models.

The page is either a self-contained file, or it is served on this machine and answers from the whole vocabulary. It
needs no network connection.
"""

from fastw2v.explore.page import write_page
from fastw2v.explore.server import ExploreServer

__all__ = ["ExploreServer", "write_page"]
