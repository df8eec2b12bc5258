"""`Word2Vec`, `FastText` and `KeyedVectors` with the interface of gensim 4.4.

To run a program written for gensim, replace its imports:

>>> from fastw2v.compat.gensim import Word2Vec
>>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 50
>>> model = Word2Vec(sentences, vector_size=8, window=5, min_count=1, negative=2)
>>> model.wv.index_to_key
['the', 'sat', 'cat', 'dog']
"""

from fastw2v.compat.gensim.fasttext import (
    FastText,
    FastTextKeyedVectors,
    load_facebook_model,
    load_facebook_vectors,
    save_facebook_model,
)
from fastw2v.compat.gensim.keyed_vectors import KeyedVectors
from fastw2v.compat.gensim.word2vec import CallbackAny2Vec, Word2Vec

__all__ = [
    "CallbackAny2Vec",
    "FastText",
    "FastTextKeyedVectors",
    "KeyedVectors",
    "Word2Vec",
    "load_facebook_model",
    "load_facebook_vectors",
    "save_facebook_model",
]
