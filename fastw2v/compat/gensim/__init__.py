"""gensim's `Word2Vec` and `KeyedVectors`: a program written for gensim changes its import.

>>> from fastw2v.compat.gensim import Word2Vec
>>> model = Word2Vec([["the", "cat", "sat"], ["the", "dog", "sat"]] * 50, vector_size=8, negative=2, epochs=2)
>>> "cat" in model.wv
True
"""

from fastw2v.compat.gensim.keyed_vectors import KeyedVectors
from fastw2v.compat.gensim.word2vec import CallbackAny2Vec, Word2Vec

__all__ = ["CallbackAny2Vec", "KeyedVectors", "Word2Vec"]
