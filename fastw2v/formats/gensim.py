"""gensim's own files: KeyedVectors, or a Word2Vec model with them inside, pickled, with large arrays beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.formats.fileio import FormatError
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.restricted_pickle import PickledArray, PickledObject, unpickled

__all__ = ["read_gensim"]

_VECTORS = {
    "gensim.models.keyedvectors KeyedVectors",
    "gensim.models.keyedvectors Word2VecKeyedVectors",
    "gensim.models.keyedvectors EuclideanKeyedVectors",
}
# What else such files mention, none of which is made: the model around the vectors, and its state.
_KNOWN = _VECTORS | {
    "gensim.models.word2vec Word2Vec",
    "gensim.models.word2vec Word2VecVocab",
    "gensim.models.word2vec Word2VecTrainables",
    "gensim.models.keyedvectors Vocab",
    "gensim.models.keyedvectors CompatVocab",
    "gensim.utils call_on_class_only",
    *(f"{module} {name}" for module in ("builtins", "__builtin__") for name in ("frozenset", "hash", "int")),
    "_codecs encode",
    "collections defaultdict",
    "numpy.random._pickle __randomstate_ctor",
    "numpy.random._pickle __bit_generator_ctor",
    "numpy.random._mt19937 MT19937",
}
# Integer words, up to here; beyond, keys of equal hash can be made that take for ever to tell apart.
_LARGEST_KEY = 2**31


def read_gensim(path: Path) -> VectorRecord:
    """Read the words, vectors and counts that gensim's ``KeyedVectors.save`` or ``Word2Vec.save`` wrote.

    Nothing in the file is run. Arrays that gensim put into files of their own, named after it, are mapped.
    """
    data = path.read_bytes()
    try:
        pickled, prefix = unpickled(data, _KNOWN, _LARGEST_KEY), str(path)
        if type(pickled) is PickledObject and type(pickled.state.get("wv")) is PickledObject:
            pickled, prefix = pickled.state["wv"], f"{path}.wv"
        if type(pickled) is not PickledObject or pickled.name not in _VECTORS:
            raise ValueError("it is not gensim's KeyedVectors, nor a Word2Vec model with them")
        state = pickled.state
        words = state.get("index_to_key", state.get("index2word"))
        if type(words) is not list:
            raise ValueError("it has no list of words")
        rows = state.get("key_to_index")
        if type(rows) is dict and rows != {word: row for row, word in enumerate(words)}:
            raise ValueError("its key_to_index and its list of words disagree")
        vectors = _array(state, "vectors", prefix)
        if vectors is None:
            raise ValueError("it has no vectors")
        counts = _counts(state)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: refused, as it is not a pickle of gensim's word vectors: {error}") from error
    return VectorRecord(words, vectors, counts=counts)


def _array(state: dict[Any, Any], name: str, prefix: str) -> np.ndarray | None:
    """Return an array of the state, wherever it is kept."""
    value = state.get(name)
    if type(value) is PickledArray:
        return value.value
    if value is None and name in (state.get("__numpys") or []):
        beside = Path(f"{prefix}.{name}.npy")
        if not beside.is_file():
            packed = " (compressed files are not supported)" if beside.with_suffix(".npz").is_file() else ""
            raise ValueError(f"its {name} should be in {beside}, which is not there{packed}")
        mapped: np.ndarray = np.asarray(np.load(beside, mmap_mode="r", allow_pickle=False))
        return mapped
    return None


def _counts(state: dict[Any, Any]) -> np.ndarray | None:
    extras = state.get("expandos")
    if type(extras) is not dict or "count" not in extras:
        return None
    counts = extras["count"]
    found = counts.value if type(counts) is PickledArray else None
    return found if found is not None and found.dtype.kind in "iu" else None
