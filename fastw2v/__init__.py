"""Fast word2vec: CBOW and skip-gram with negative sampling or hierarchical softmax, on NumPy or CuPy.

Examples
--------
>>> import fastw2v
>>> sentences = ["the cat sat on the mat".split(), "the dog sat on the rug".split()] * 200
>>> model = fastw2v.Word2Vec(vector_size=50).fit(sentences)
>>> model.wv["cat"].shape
(50,)
>>> [word for word, cosine in model.wv.most_similar("cat", topn=1)]
['dog']
"""

from fastw2v.corpus import Corpus, Vocabulary
from fastw2v.vectors import UnknownWordError, WordVectors
from fastw2v.word2vec import Word2Vec

__version__ = "0.1.0"

__all__ = ["Corpus", "UnknownWordError", "Vocabulary", "Word2Vec", "WordVectors"]
