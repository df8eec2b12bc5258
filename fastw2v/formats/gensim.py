"""Reader of gensim's own files: pickled vectors or models, with large arrays in separate files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.formats.fileio import FormatError, open_for_reading
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.restricted_pickle import PickledArray, PickledObject, unpickled
from fastw2v.utils.quote import shorten

__all__ = ["read_gensim"]

_VECTORS = {
    "gensim.models.keyedvectors KeyedVectors",
    "gensim.models.keyedvectors Word2VecKeyedVectors",
    "gensim.models.keyedvectors EuclideanKeyedVectors",
}
_FASTTEXT = {
    "gensim.models.fasttext FastTextKeyedVectors",
    "gensim.models.keyedvectors FastTextKeyedVectors",
}
# Names that occur in gensim's files: the vectors, the model that contains them, and its state. None of these objects is
# created.
_KNOWN = (_VECTORS | _FASTTEXT) | {
    "gensim.models.word2vec Word2Vec",
    *(f"gensim.models.fasttext {name}" for name in ("FastText", "FastTextVocab", "FastTextTrainables")),
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
# Upper bound for integer words. An attacker could choose larger keys that have equal hashes, which would make a
# dictionary very slow.
_LARGEST_KEY = 2**31


def read_gensim(path: Path) -> VectorRecord:
    """Read the words, vectors and counts of a file written by gensim's ``KeyedVectors.save`` or ``Word2Vec.save``.

    Files of `FastText` and `FastTextKeyedVectors` have n-grams as well. No code in the file is run. Arrays that gensim
    saved in separate files, such as ``NAME.vectors.npy``, are mapped into memory, except for the rows of n-grams.

    Parameters
    ----------
    path : Path

    Returns
    -------
    VectorRecord

    Raises
    ------
    FormatError
        If the file is not a pickle written by gensim, or refers to anything that word vectors do not need.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import pickle
    >>> from pathlib import Path
    >>> from fastw2v.formats.gensim import read_gensim
    >>> _ = Path("unsafe.kv").write_bytes(pickle.dumps(print))  # a reference to a function
    >>> read_gensim(Path("unsafe.kv"))
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: unsafe.kv: not a pickle of gensim's word vectors: it refers to builtins.print...
    """
    with open_for_reading(path) as (file, _):
        data = file.read()
    try:
        pickled, prefix = unpickled(data, _KNOWN, _LARGEST_KEY), str(path)
        if type(pickled) is PickledObject and type(pickled.state.get("wv")) is PickledObject:
            pickled, prefix = pickled.state["wv"], f"{path}.wv"
        if type(pickled) is not PickledObject or pickled.name not in _VECTORS | _FASTTEXT:
            raise ValueError("it contains neither a KeyedVectors object nor a Word2Vec model")
        state = pickled.state
        words = state.get("index_to_key", state.get("index2word"))
        if type(words) is not list:
            raise ValueError("it has no list of words")
        rows = state.get("key_to_index")
        if type(rows) is dict and rows != {word: row for row, word in enumerate(words)}:
            raise ValueError("its key_to_index does not match its list of words")
        counts = _counts(state)
        if pickled.name in _FASTTEXT:
            return _fasttext_record(words, counts, state, prefix)
        vectors = _array(state, "vectors", prefix)
        if vectors is None:
            raise ValueError("it has no vectors")
    except (TypeError, LookupError, AttributeError) as error:
        raise _refusal(path, "its attributes have wrong types") from error
    except ValueError as error:
        raise _refusal(path, shorten(str(error), 300)) from error
    return VectorRecord(words, vectors, counts=counts)


def _fasttext_record(words: list[Any], counts: Any, state: dict[Any, Any], prefix: str) -> VectorRecord:
    """Return the record of a FastTextKeyedVectors object, whose file contains the rows of words and of buckets."""
    if state.get("compatible_hash") is not True:
        raise ValueError("its n-grams are hashed in a way of their own, as in gensim before 3.8")
    own, buckets = _array(state, "vectors_vocab", prefix), _array(state, "vectors_ngrams", prefix)
    if own is None or buckets is None:
        raise ValueError("it has no vectors")
    min_n, max_n, bucket = (_size(state, name) for name in ("min_n", "max_n", "bucket"))
    if own.shape[1:] != buckets.shape[1:] or own.ndim != 2 or own.shape[0] != len(words) or buckets.shape[0] != bucket:
        raise ValueError("its matrices do not have one row for each word and each bucket")
    if not bucket or max_n < max(min_n, 1):
        return VectorRecord(words, own, counts=counts)
    "".join(words).encode("utf-8", "surrogateescape")  # raises an error for words that are not text
    subwords = Subwords.with_buckets(words, len(words), NGrams(max(min_n, 1), max_n, bucket))
    return VectorRecord(words, None, counts, input_vectors=np.concatenate([own, buckets]), subwords=subwords)


def _size(state: dict[Any, Any], name: str) -> int:
    """Return an attribute that must be a whole number."""
    value = state.get(name)
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _refusal(path: Path, reason: str) -> FormatError:
    return FormatError(
        f"{path}: not a pickle of gensim's word vectors: {reason}. Write another file in gensim, with "
        "save_word2vec_format"
    )


def _array(state: dict[Any, Any], name: str, prefix: str) -> np.ndarray | None:
    """Return an array of the state, from the pickle or from its separate file."""
    value = state.get(name)
    if type(value) is PickledArray:
        return value.value
    if value is None and name in (state.get("__numpys") or []):
        beside = Path(f"{prefix}.{name}.npy")
        if not beside.is_file():
            packed = " (compressed files are not supported)" if beside.with_suffix(".npz").is_file() else ""
            raise ValueError(f"its {name} should be in {beside}, which does not exist{packed}")
        try:
            mapped: np.ndarray = np.asarray(np.load(beside, mmap_mode="r", allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise ValueError(f"its {name} in {beside} are truncated, damaged or not numbers") from error
        return mapped
    return None


def _counts(state: dict[Any, Any]) -> np.ndarray | None:
    extras = state.get("expandos")
    if type(extras) is not dict or "count" not in extras:
        return None
    counts = extras["count"]
    found = counts.value if type(counts) is PickledArray else None
    return found if found is not None and found.dtype.kind in "iu" else None
