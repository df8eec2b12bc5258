"""Fast word2vec: CBOW and skip-gram with negative sampling on NumPy or CuPy."""

__version__ = "0.1.0.dev0"
