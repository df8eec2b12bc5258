"""Word vectors: lookup, similarity queries, exact nearest neighbours and approximate search."""

from fastw2v.utils.scaled_rows import ScaledRows
from fastw2v.vectors.hnsw import HNSWIndex
from fastw2v.vectors.keys import UnknownWordError
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["HNSWIndex", "ScaledRows", "UnknownWordError", "WordVectors"]
