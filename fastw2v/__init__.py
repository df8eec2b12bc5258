"""Fast word2vec: CBOW and skip-gram with negative sampling on NumPy or CuPy.

>>> import fastw2v
>>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 50
>>> model = fastw2v.Word2Vec(vector_size=8, negative=2, epochs=2).fit(sentences)
>>> "cat" in model.wv
True
"""

from fastw2v.corpus import Corpus, Vocabulary
from fastw2v.vectors import UnknownWordError, WordVectors
from fastw2v.word2vec import Word2Vec

__version__ = "0.1.0.dev0"

__all__ = ["Corpus", "UnknownWordError", "Vocabulary", "Word2Vec", "WordVectors"]
