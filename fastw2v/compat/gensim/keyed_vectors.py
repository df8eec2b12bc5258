"""`KeyedVectors`: word vectors with the method and parameter names of gensim 4.4.

``docs/migrate/gensim.md`` lists the differences from gensim.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from fastw2v import formats
from fastw2v.backend import to_host
from fastw2v.config import check_flags, check_integer
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.evaluate.analogies import Method, answer_questions
from fastw2v.evaluate.readers import read_analogies, read_pairs
from fastw2v.evaluate.word_pairs import pair_cosines
from fastw2v.utils.checks import check_items, check_matrix, check_path, check_type
from fastw2v.utils.encodings import check_encoding
from fastw2v.utils.quote import quote
from fastw2v.vectors.keys import Key
from fastw2v.vectors.normalize import take_rows, unit_rows
from fastw2v.vectors.query import term_vector
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["KeyedVectors"]

# Suffixes that gensim's documentation uses for files that `save` writes.
_OWN_SUFFIXES = ("", ".kv", ".model", ".wordvectors")
_ADD = "the words of vectors do not change; use KeyedVectors(words, matrix), or kv | KeyedVectors(words, matrix)"
_INSTEAD = {
    **dict.fromkeys(("index2word", "index2entity"), "use index_to_key"),
    "vocab": "use key_to_index for the rows, and get_vecattr(word, 'count') for the counts",
    "expandos": "use counts",
    **dict.fromkeys(("vectors_norm", "syn0norm"), "use get_normed_vectors()"),
    "syn0": "use vectors",
    "norms": "use np.linalg.norm(kv.vectors, axis=1)",
    "word_vec": "use get_vector",
    "accuracy": "use evaluate_word_analogies",
    **dict.fromkeys(("add", "add_vector", "add_vectors", "allocate_vecattrs", "set_vecattr", "resize_vectors"), _ADD),
    "intersect_word2vec_format": "use Word2Vec(...).fit(corpus, init=vectors)",
    "sort_by_descending_frequency": "trained vectors are sorted already; vectors_for_all(words) sorts others",
    "wmdistance": "the word mover's distance is not supported; n_similarity compares lists of words",
}
"""What to use instead of attributes of gensim that `KeyedVectors` does not have."""
_METHODS: dict[str, Method] = {"most_similar": "3cosadd", "most_similar_cosmul": "3cosmul"}


class KeyedVectors(WordVectors):
    """Words and their vectors, with gensim's method names.

    All methods of `WordVectors` are available. Methods that gensim also has accept gensim's parameters, by position
    and by name. Parameters that would change the result but are not supported raise ValueError.

    Parameters
    ----------
    words, vectors, counts, context_vectors, settings
        See `WordVectors`. gensim's ``KeyedVectors(vector_size)``, which creates an empty object to which vectors are
        added, is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.compat.gensim import KeyedVectors
    >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]), counts=[5, 4, 1])
    >>> kv["dog"]
    array([4., 3.])
    >>> kv.most_similar("cat", topn=1)
    [('dog', 0.8)]
    >>> kv.get_vecattr("dog", "count")
    4
    """

    def __getattr__(self, name: str) -> Any:
        """Raise an error that names the replacement of an attribute of gensim that is missing."""
        replacement = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{replacement}")

    # Words and their vectors

    def get_vector(self, key: Key, norm: bool = False) -> Any:
        """Return the vector of a word, scaled to unit length if `norm` is true. See `WordVectors.get_vector`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.get_vector("dog"), kv.get_vector("dog", norm=True)
        (array([4., 3.]), array([0.8, 0.6]))
        """
        self._named_rows(key=key)
        return super().get_vector(key, norm)

    def get_index(self, key: Key, default: int | None = None) -> int:
        """Return the row of a word, or `default` if the word is unknown. See `WordVectors.get_index`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.get_index("dog"), kv.get_index("cow", default=-1)
        (1, -1)
        """
        if default is None:
            self._named_rows(key=key)
        return super().get_index(key, default)

    def has_index_for(self, key: Key) -> bool:
        """Return whether a word is in the vocabulary. Without subwords, ``key in kv`` is the same.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> [kv.has_index_for(word) for word in ("cat", "cow")]
        [True, False]
        """
        return self._is_in_vocabulary(key)

    def get_vecattr(self, key: Key, attr: str) -> int:
        """Return an attribute of a word. The only supported attribute is ``"count"``.

        If the vectors have no counts, the result is V for the first word, V − 1 for the second and so on, as gensim
        returns it for files without counts.

        Parameters
        ----------
        key : str or int
        attr : {"count"}

        Raises
        ------
        UnknownWordError
            If the word is not in the vocabulary.
        KeyError
            If `attr` is not ``"count"``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]), counts=[5, 4, 1])
        >>> kv.get_vecattr("dog", "count")
        4
        """
        check_type("attr", attr, str, "'count'")
        row = self.get_index(key)
        if attr != "count":
            raise KeyError(f"words have no attribute {quote(attr)}; they have only 'count'")
        return len(self) - row if self.counts is None else int(self.counts[row])

    def get_normed_vectors(self) -> Any:
        """Return `unit_vectors`, the vectors scaled to unit length: array, shape (V, D). A NumPy array is read-only.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.get_normed_vectors()
        array([[1. , 0. ],
               [0.8, 0.6],
               [0. , 1. ]])
        """
        return self.unit_vectors

    def fill_norms(self, force: bool = False) -> None:
        """Compute and cache `unit_vectors`.

        Queries compute the unit vectors when they are first needed, and again after a matrix has been assigned to
        `vectors`. A call is required only after the array that was passed to the constructor has been changed in place.
        In this case, use ``force=True``.

        Parameters
        ----------
        force : bool
            If true, compute the unit vectors again even if they are cached.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> matrix = np.array([[1.0, 0], [4, 3], [0, 1]])
        >>> kv = KeyedVectors(["cat", "dog", "car"], matrix)
        >>> matrix[2] = [3, 4]
        >>> kv.fill_norms(force=True)
        >>> kv.similarity("cat", "car")
        0.6
        """
        if force:
            self.forget_unit_vectors()
        _ = self.unit_vectors

    def init_sims(self, replace: bool = False) -> None:
        """Compute and cache `unit_vectors`. If `replace` is true, also replace `vectors` with the unit vectors.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.init_sims(replace=True)
        >>> kv["dog"]
        array([0.8, 0.6])
        """
        check_flags(replace=replace)
        unit = self.unit_vectors
        if replace:
            self.vectors = unit
            # The same array, because scaling it again changes nothing.
            self._stored_unit = self._unit_vectors = unit

    def unit_normalize_all(self) -> None:
        """Replace `vectors` with `unit_vectors`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.unit_normalize_all()
        >>> kv["dog"]
        array([0.8, 0.6])
        """
        self.init_sims(replace=True)

    def vectors_for_all(self, keys: Iterable[Key], allow_inference: bool = True, copy_vecattrs: bool = False) -> Self:
        """Return only the known words in `keys`, with their vectors, in the order of `keys` and without duplicates.

        Parameters
        ----------
        keys : iterable of str or int
        allow_inference : bool
            Whether words outside the vocabulary get the vectors that subwords give them. Without subwords, it has no
            effect.
        copy_vecattrs : bool
            Whether to copy the counts of the words.

        Returns
        -------
        KeyedVectors

        Raises
        ------
        ValueError
            If none of the words is known.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]), counts=[5, 4, 1])
        >>> kv.vectors_for_all(["car", "cow", "cat", "car"], copy_vecattrs=True).index_to_key
        ['car', 'cat']
        """
        if not allow_inference:
            check_items("keys", keys, "a list of words")
            keys = [key for key in keys if self._is_in_vocabulary(key)]
        selected = super().vectors_for_all(keys)
        if not copy_vecattrs:
            selected.counts = None
        return selected

    # Neighbours

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """Return the words nearest to a weighted sum of words and vectors.

        Parameters
        ----------
        positive, negative, topn, clip_start, clip_end, restrict_vocab
            See `WordVectors.most_similar`.
        indexer
            Must be None. For approximate search, use `index`.

        Returns
        -------
        list of (str or int, float), or array
            See `WordVectors.most_similar`.

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If `indexer` is not None, or for the reasons listed in `WordVectors.most_similar`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4], [1, 1, 0]])
        >>> kv = KeyedVectors(["man", "woman", "king", "queen", "child"], matrix)
        >>> kv.most_similar(positive=["king", "woman"], negative=["man"], topn=1)
        [('queen', 0.924...)]
        >>> kv.most_similar("man", topn=1), kv.most_similar("man", topn=1, restrict_vocab=4)
        ([('child', 0.707...)], [('king', 0.6)])
        """
        if indexer is not None:
            raise ValueError(
                f"indexer is {quote(indexer)}, but must be None; call vectors.index().most_similar() instead"
            )
        return super().most_similar(positive, negative, topn, clip_start, clip_end, restrict_vocab)

    def most_similar_cosmul(
        self, positive: Any = None, negative: Any = None, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words with the highest 3CosMul scores. See `WordVectors.most_similar_cosmul`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4], [1, 1, 0]])
        >>> kv = KeyedVectors(["man", "woman", "king", "queen", "child"], matrix)
        >>> kv.most_similar_cosmul(positive=["king", "woman"], negative=["man"], topn=1)
        [('queen', 1.311...)]
        """
        return super().most_similar_cosmul(positive, negative, topn, restrict_vocab)

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word. Equivalent to ``most_similar([word])``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.similar_by_word("cat", topn=1)
        [('dog', 0.8)]
        """
        self._named_rows(word=word)
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_key(self, key: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word. Equivalent to ``most_similar([key])``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.similar_by_key("cat", topn=1)
        [('dog', 0.8)]
        """
        self._named_rows(key=key)
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(self, vector: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a vector of shape (D,). Equivalent to ``most_similar([vector])``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.similar_by_vector(kv["cat"], topn=2)
        [('cat', 1.0), ('dog', 0.8)]
        """
        term_vector(self, vector, "vector")  # raises errors that name this parameter
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def closer_than(self, key1: Key, key2: Key) -> list[Any]:
        """Return the words that are closer to `key1` than `key2` is. See `WordVectors.closer_than`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.closer_than("cat", "car")
        ['dog']
        """
        self._named_rows(key1=key1, key2=key2)
        return super().closer_than(key1, key2)

    def words_closer_than(self, word1: Key, word2: Key) -> list[Any]:
        """Return the words that are closer to `word1` than `word2` is. Equivalent to `closer_than`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.words_closer_than("cat", "car")
        ['dog']
        """
        self._named_rows(word1=word1, word2=word2)
        return super().closer_than(word1, word2)

    def rank(self, key1: Key, key2: Key) -> int:
        """Return the rank of `key2` among the neighbours of `key1`, starting at 1 for the nearest.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.rank("cat", "dog"), kv.rank("cat", "car")
        (1, 2)
        """
        return super().rank(key1, key2)

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Any:
        """Return the word in `keys_list` that is nearest to `key1`.

        Parameters
        ----------
        key1 : str or int
        keys_list : sequence of str or int

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If `keys_list` is empty.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.most_similar_to_given("cat", ["dog", "car"])
        'dog'
        """
        self._named_rows(key1=key1)
        check_items("keys_list", keys_list, "a list of words")
        keys_list = list(keys_list)
        if not keys_list:
            raise ValueError("most_similar_to_given: keys_list is empty; give at least one word")
        self._rows(keys_list, "keys_list")
        return keys_list[int(np.argmin(to_host(self.distances(key1, keys_list))))]

    # Similarities

    def similarity(self, w1: Key, w2: Key) -> float:
        """Return the cosine of the vectors of two words. See `WordVectors.similarity`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.similarity("cat", "dog")
        0.8
        """
        self._named_rows(w1=w1, w2=w2)
        return super().similarity(w1, w2)

    def distance(self, w1: Key, w2: Key) -> float:
        """Return the cosine distance between two words, 1 − `similarity`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.distance("dog", "car"), kv.distance("cat", "car")
        (0.4, 1.0)
        """
        return 1 - self.similarity(w1, w2)

    def n_similarity(self, ws1: Iterable[Key], ws2: Iterable[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words. See `WordVectors.n_similarity`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.n_similarity(["cat", "unknown"], ["dog", "car"])
        0.707...
        """
        return self._n_similarity(ws1=ws1, ws2=ws2)

    @staticmethod
    def cosine_similarities(vector_1: Any, vectors_all: Any) -> Any:
        """Return the cosine between a vector and each row of a matrix.

        Parameters
        ----------
        vector_1 : float array, shape (D,)
        vectors_all : float array, shape (n, D)

        Returns
        -------
        float array, shape (n,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> KeyedVectors.cosine_similarities(np.array([1.0, 0]), np.array([[4.0, 3], [0, 2]]))
        array([0.8, 0. ])
        """
        check_matrix("vectors_all", vectors_all)
        if getattr(vector_1, "shape", None) != (vectors_all.shape[1],):
            raise ValueError(f"vector_1 is {quote(vector_1)}; it must be an array of shape ({vectors_all.shape[1]},)")
        return unit_rows(vectors_all) @ unit_rows(vector_1[None, :])[0, :]

    def relative_cosine_similarity(self, wa: Key, wb: Key, topn: int = 10) -> float:
        """Return the cosine of `wa` and `wb`, divided by the sum of the cosines of `wa` and its `topn` nearest words.

        With ``topn=10``, a value above 0.10 indicates that `wb` is closer to `wa` than an arbitrary related word [1]_.
        If the sum is 0, the result is 0.0.

        Parameters
        ----------
        wa, wb : str or int
        topn : int
            Number of neighbours of `wa` in the sum.

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If `topn` is below 1.

        References
        ----------
        .. [1] Leeuwenberg et al., "A minimally supervised approach for synonym extraction with word embeddings", 2016.

        Examples
        --------
        The cosines between "cat" and its two nearest words are 0.8 and 0.6, so the result is 0.8 / (0.8 + 0.6):

        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "cow", "car"], np.array([[1.0, 0], [4, 3], [3, 4], [0, 1]]))
        >>> kv.relative_cosine_similarity("cat", "dog", topn=2)
        0.571...
        """
        self._named_rows(wa=wa, wb=wb)
        check_integer("topn", topn, minimum=1)
        total = sum(cosine for _, cosine in self.most_similar(wa, topn=topn))
        return self.similarity(wa, wb) / total if total else 0.0

    # Files

    def save(
        self,
        fname_or_handle: str | PathLike[str],
        format: str | None = None,
        *,
        separately: Sequence[str] | None = None,
        sep_limit: int | None = None,
        ignore: Collection[str] = (),
        pickle_protocol: int | None = None,
    ) -> None:
        """Write the vectors to a file.

        Parameters
        ----------
        fname_or_handle : str or path
            File to write. Open file objects are not supported.
        format : str, optional
            One of `fastw2v.formats.FORMATS`. By default, the suffix determines the format. Names without a suffix, and
            the suffixes ``.kv``, ``.model`` and ``.wordvectors``, which are common in programs written for gensim,
            select safetensors.
        separately, sep_limit, pickle_protocol
            Ignored. The vectors are written to a single file, which is not a pickle.
        ignore
            Must be empty.

        Raises
        ------
        FormatError
            If the suffix or `format` is unknown, or the format cannot represent a word or a value.
        ValueError
            If `ignore` is not empty.
        OSError
            If the file cannot be written.

        See Also
        --------
        save_word2vec_format : Write word2vec's text or binary format.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]), counts=[5, 4, 1])
        >>> kv.save("vectors.kv")
        >>> KeyedVectors.load("vectors.kv").counts.tolist()
        [5, 4, 1]
        """
        check_path("fname_or_handle", fname_or_handle)
        if ignore:
            raise ValueError(f"ignore is {quote(ignore)}, but all attributes are stored; leave ignore empty")
        if format is None and Path(fname_or_handle).suffix.lower() in _OWN_SUFFIXES:
            format = "safetensors"
        super().save(fname_or_handle, format)

    @classmethod
    def load(  # type: ignore[override]  # gensim's second parameter is mmap
        cls,
        fname: str | PathLike[str],
        mmap: str | None = None,
        *,
        format: str | None = None,
        errors: str = "strict",
        limit: int | None = None,
        encoding: str = "utf-8",
        duplicates: formats.Duplicates = "error",
        sha256: str | None = None,
    ) -> Self:
        """Read vectors from a file.

        Parameters
        ----------
        fname : str or path
        mmap
            Ignored. The vectors of a safetensors file are always memory-mapped and read-only.
        format, errors, limit, encoding, duplicates, sha256
            See `WordVectors.load`. For files written by gensim, use ``format="gensim"`` or the suffix ``.kv``.

        Returns
        -------
        KeyedVectors

        Raises
        ------
        FormatError
            If the suffix or `format` is unknown, or the file is truncated, damaged or in a different format.
        OSError
            If the file cannot be opened.

        See Also
        --------
        load_word2vec_format : Read word2vec's text or binary format.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.save("vectors.kv")
        >>> KeyedVectors.load("vectors.kv", mmap="r").most_similar("cat", topn=1)
        [('dog', 0.8)]
        """
        check_path("fname", fname)
        return super().load(
            fname, format, errors=errors, limit=limit, encoding=encoding, duplicates=duplicates, sha256=sha256
        )

    def save_word2vec_format(
        self,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write words and vectors in word2vec's text or binary format, whatever the suffix.

        Parameters
        ----------
        fname : str or path
            If the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``, the file is compressed.
        fvocab : str or path, optional
            File to write the words and their counts to.
        binary : bool
            If true, write the binary format. Otherwise, write the text format.
        total_vec : int, optional
            Must be the number of words, because all vectors are written.
        write_header : bool
            Whether to write a first line with the number of words and the number of dimensions. A binary file always
            has this header.
        prefix : str
            Text to write before each word.
        append : bool
            Must be false. Appending to a file is not supported.
        sort_attr : str
            If ``"count"`` and the vectors have counts, words are written in order of decreasing count. Otherwise, they
            are written in row order.

        Raises
        ------
        FormatError
            If the format cannot represent a word or a value.
        ValueError
            If `fvocab` is given but there are no counts, `binary` is true but `write_header` is false, `total_vec` is
            not the number of words, or `append` is true.
        OSError
            If a file cannot be written.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> kv.save_word2vec_format("vectors.txt", binary=False)
        >>> print(Path("vectors.txt").read_text(encoding="utf-8"), end="")
        3 2
        cat 1.0 0.0
        dog 4.0 3.0
        car 0.0 1.0
        """
        check_flags(binary=binary, write_header=write_header, append=append)
        check_path("fname", fname)
        if fvocab is not None:
            check_path("fvocab", fvocab)
        check_type("prefix", prefix, str, "a string")
        check_type("sort_attr", sort_attr, str, "'count'")
        if append:
            raise ValueError("append is True, but appending is not supported; write to a new file")
        if total_vec not in (None, len(self)):
            raise ValueError(f"total_vec is {total_vec}, but all {len(self)} vectors are written; omit total_vec")
        if binary and not write_header:
            raise ValueError("write_header is False, but a binary file needs its header; use binary=False")
        words, vectors, counts = self.index_to_key, self.vectors, self.counts if sort_attr == "count" else None
        if fvocab is not None and counts is None:
            raise ValueError(
                f"there are no counts to write to fvocab (sort_attr is {quote(sort_attr)}); counts are written only if "
                'the vectors have counts and sort_attr is "count"'
            )
        if prefix:
            words = [f"{prefix}{word}" for word in words]
        if counts is not None and (np.diff(counts) > 0).any():
            order = np.argsort(-counts, kind="stable").tolist()
            words, vectors, counts = [words[row] for row in order], take_rows(vectors, order), counts[order]
        if fvocab is not None and counts is not None:
            Vocabulary([str(word) for word in words], counts).save(fvocab)
        kind = "bin" if binary else "txt" if write_header else "glove"
        formats.write(formats.VectorRecord(words, vectors), fname, kind)

    @classmethod
    def load_word2vec_format(
        cls,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool = False,
    ) -> Self:
        r"""Read a file in word2vec's text or binary format, whatever its suffix.

        Parameters
        ----------
        fname : str or path
            A file that is compressed with gzip, bzip2, xz or zstd is decompressed, whatever its name.
        fvocab : str or path, optional
            File of counts, with lines of the form ``word count``.
        binary : bool
            Whether the file is in the binary format. If the contents are clearly in the other format, they are read in
            that format, and a warning is logged.
        encoding : str
            Encoding of the words. It must be a superset of ASCII.
        unicode_errors : {"strict", "surrogateescape", "replace", "ignore"}
            How to handle words that are not in `encoding`, as in `bytes.decode`.
        limit : int, optional
            Read only the first `limit` rows.
        datatype : dtype
            Dtype of the vectors.
        no_header : bool
            Whether the text file has no header, as in GloVe's files.

        Returns
        -------
        KeyedVectors
            As in gensim, the first vector of each word is kept. If words occur more than once, a warning gives the
            number of rows that were left out.

        Raises
        ------
        FormatError
            If the file is truncated, damaged or not a vector file.
        ValueError
            If a word is not in `fvocab`, or `encoding` is not supported.
        OSError
            If a file cannot be opened.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> _ = Path("vectors.txt").write_text("3 2\ncat 1 0\ndog 4 3\ncar 0 1\n", encoding="utf-8")
        >>> kv = KeyedVectors.load_word2vec_format("vectors.txt", binary=False, limit=2)
        >>> kv.index_to_key, kv["dog"].tolist()
        (['cat', 'dog'], [4.0, 3.0])
        """
        check_flags(binary=binary, no_header=no_header)
        check_path("fname", fname)
        if fvocab is not None:
            check_path("fvocab", fvocab)
        check_type("unicode_errors", unicode_errors, str, "'strict', 'surrogateescape', 'replace' or 'ignore'")
        try:
            datatype = np.dtype(datatype)
        except TypeError as error:
            raise TypeError(f"datatype is {quote(datatype)}; pass a dtype, such as np.float32") from error
        kind = "bin" if binary else "glove" if no_header else "txt"
        try:
            loaded = cls.load(
                fname, format=kind, errors=unicode_errors, limit=limit, encoding=encoding, duplicates="first"
            )
        except ValueError as error:  # name the parameters of this method
            message = re.sub(r"\berrors(?==| is )", "unicode_errors", str(error))
            error.args = (message.replace("format='glove'", "no_header=True"),)
            raise
        loaded.vectors = loaded.vectors.astype(datatype, copy=False)
        if fvocab is not None:
            vocabulary = Vocabulary.load(fvocab, unicode_errors)
            if unknown := [word for word in loaded if word not in vocabulary.word_to_id]:
                raise ValueError(
                    f"{fvocab} has no count for {len(unknown)} of the words, such as {quote(unknown[0])}; omit fvocab"
                )
            loaded.counts = vocabulary.counts[[vocabulary.word_to_id[word] for word in loaded]]
        return loaded

    # Evaluation

    def evaluate_word_analogies(
        self,
        analogies: str | PathLike[str],
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        r"""Score the vectors on the analogy questions in a file.

        Parameters
        ----------
        analogies : str or path
            File in the format of ``questions-words.txt``.
        restrict_vocab : int or None
            Use only the first `restrict_vocab` words. All other words count as unknown. If None, use all words.
        case_insensitive : bool
            If true, ignore case.
        dummy4unknown : bool
            If true, questions with unknown words count as answered incorrectly. Otherwise, they are skipped.
        similarity_function : {"most_similar", "most_similar_cosmul"}
            Whether to answer with 3CosAdd or with 3CosMul.

        Returns
        -------
        score : float
            Share of questions answered correctly.
        sections : list of dict
            One dictionary for each section, followed by one for the total. The keys are ``section`` (the name of the
            section), ``correct`` and ``incorrect`` (lists of questions).

        Raises
        ------
        ValueError
            If a line is neither a question nor a section, or `similarity_function` is not supported.
        OSError
            If the file cannot be opened.

        See Also
        --------
        fastw2v.evaluate.analogies : The same scores with their coverage.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4], [1, 1, 0]])
        >>> kv = KeyedVectors(["man", "woman", "king", "queen", "child"], matrix)
        >>> questions = ": family\nman king woman queen\nman king woman child\nman king girl princess\n"
        >>> _ = Path("questions.txt").write_text(questions, encoding="utf-8")
        >>> score, sections = kv.evaluate_word_analogies("questions.txt")
        >>> score, sections[0]["correct"]
        (0.5, [('MAN', 'KING', 'WOMAN', 'QUEEN')])
        """
        check_flags(case_insensitive=case_insensitive, dummy4unknown=dummy4unknown)
        check_path("analogies", analogies)
        if similarity_function not in _METHODS:
            raise ValueError(f"similarity_function is {quote(similarity_function)}; it must be one of {list(_METHODS)}")
        questions = read_analogies(analogies)
        searched = len(self) if restrict_vocab is None else restrict_vocab
        answers = answer_questions(self, questions, searched, case_insensitive, _METHODS[similarity_function])
        sections: list[dict[str, Any]] = []
        for name, asked in questions.items():
            spelled = [tuple(word.upper() if case_insensitive else word for word in question) for question in asked]
            wrong = (False, None) if dummy4unknown else (False,)
            answered = list(zip(spelled, answers[name], strict=True))
            sections.append(
                {
                    "section": name,
                    "correct": [question for question, answer in answered if answer],
                    "incorrect": [question for question, answer in answered if answer in wrong],
                }
            )
        total: dict[str, Any] = {
            side: list(itertools.chain.from_iterable(section[side] for section in sections))
            for side in ("correct", "incorrect")
        }
        sections.append({"section": "Total accuracy", **total})
        counted = len(total["correct"]) + len(total["incorrect"])
        return (len(total["correct"]) / counted if counted else 0.0), sections

    def evaluate_word_pairs(
        self,
        pairs: str | PathLike[str],
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Any, Any, float]:
        r"""Correlate the similarities of word pairs with the human judgements in a file.

        Parameters
        ----------
        pairs : str or path
            File with two words and a number on each line. Lines that start with ``#`` are comments.
        delimiter : str
            Separator between the fields of a line.
        encoding : str
            Must be UTF-8.
        restrict_vocab : int or None
            Use only the first `restrict_vocab` words. All other words count as unknown. If None, use all words.
        case_insensitive : bool
            If true, ignore case.
        dummy4unknown : bool
            If true, the similarity of pairs with unknown words is set to 0. Otherwise, these pairs are skipped.

        Returns
        -------
        pearson, spearman
            Results of `scipy.stats.pearsonr` and `scipy.stats.spearmanr`, with the attributes ``statistic`` and
            ``pvalue``.
        oov_ratio : float
            Percentage of pairs with unknown words.

        Raises
        ------
        ImportError
            If SciPy is not installed.
        ValueError
            If a line is not a pair, fewer than two pairs are known, or `encoding` is not UTF-8.
        OSError
            If the file cannot be opened.

        See Also
        --------
        fastw2v.evaluate.word_pairs : The rank correlation with its coverage and confidence interval.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from fastw2v.compat.gensim import KeyedVectors
        >>> kv = KeyedVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> lines = "cat\tdog\t9.1\ndog\tcar\t3.5\ncat\tcar\t1.2\ncat\tcow\t8.0\n"
        >>> _ = Path("pairs.tsv").write_text(lines, encoding="utf-8")
        >>> pearson, spearman, oov_ratio = kv.evaluate_word_pairs("pairs.tsv")
        >>> round(float(spearman.statistic), 3), oov_ratio
        (1.0, 25.0)
        """
        check_flags(case_insensitive=case_insensitive, dummy4unknown=dummy4unknown)
        from scipy import stats

        check_path("pairs", pairs)
        _check_encoding(encoding)
        judgments = read_pairs(pairs, delimiter)
        searched = len(self) if restrict_vocab is None else restrict_vocab
        cosines = pair_cosines(self, judgments, searched, case_insensitive)
        judged = np.array([score for *_, score in judgments])
        unknown = np.isnan(cosines)
        if dummy4unknown:
            cosines = np.where(unknown, 0.0, cosines)
        else:
            cosines, judged = cosines[~unknown], judged[~unknown]
        if len(judged) < 2:
            raise ValueError(
                f"{pairs}: the vocabulary covers {len(judged)} of {len(judgments)} pairs; a correlation needs at "
                "least two"
            )
        return stats.pearsonr(judged, cosines), stats.spearmanr(judged, cosines), 100 * float(np.mean(unknown))


def _check_encoding(encoding: str) -> None:
    """Raise an error unless the encoding is UTF-8."""
    if check_encoding(encoding) not in ("utf-8", "utf-8-sig"):
        raise ValueError(
            f"encoding is {quote(encoding)}, but must be UTF-8; convert the file first, for example with iconv"
        )
