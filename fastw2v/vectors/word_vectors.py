"""`WordVectors` holds the words and vectors produced by training and answers similarity queries.

Methods have the same names and meanings as in gensim. Queries use the array library and the device of the vectors.
"""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, on_device_of, to_host
from fastw2v.config import Loss, StoredType, check_flags, check_integer, check_range, output_parts
from fastw2v.corpus.subwords import Subwords, select_words
from fastw2v.utils.checks import (
    check_counts,
    check_items,
    check_keys,
    check_matrix,
    check_path,
    check_stored_matrix,
    check_type,
    index_keys,
)
from fastw2v.utils.download import is_url, name_of_url
from fastw2v.utils.quote import quote
from fastw2v.utils.scaled_rows import (
    ScaledRows,
    as_floats,
    decoded_rows,
    scaled_to_int8,
    scaled_to_unit,
    select_rows,
    storage,
)
from fastw2v.vectors.hnsw import Backend, HNSWIndex
from fastw2v.vectors.keys import Key, UnknownWordError, find_row, is_key
from fastw2v.vectors.neighbors import nearest_rows, ranked, turn
from fastw2v.vectors.normalize import at_least_single, protected_row, read_only, take_rows, unit_rows
from fastw2v.vectors.products import products
from fastw2v.vectors.query import (
    find_word,
    query_matrix,
    term_vector,
    unit_queries,
    weighted_sum,
    weighted_terms,
    word_vectors,
)
from fastw2v.vectors.sentences import SentenceMethod, sentence_vectors
from fastw2v.vectors.unseen import has_unseen_vector, vectors_of_vocabulary

if TYPE_CHECKING:
    from fastw2v.formats import Duplicates, VectorRecord

__all__ = ["WordVectors"]

log = logging.getLogger(__name__)

_LIMITS = {"float16": 65520.0, "float32": 2.0**128 - 2.0**103, "int8": 3.4e38}
"""Smallest absolute value that is too large for a type. For int8, it is the limit for rows decoded to float32."""
_DECODED_QUERIES = 2**22
"""Number of elements that are decoded at a time if every row is a query: 16 MB."""


class WordVectors:
    """Words and their vectors, with similarity queries.

    Parameters
    ----------
    words : sequence of str or int, or callable that returns a sequence
        V distinct words, by convention in order of decreasing frequency. Integers, such as node ids of a graph, are
        supported as well. A callable is called, and its result is checked, when the words are first needed.
    vectors : float array or ScaledRows, shape (V, D), or None
        Array of any array library, used without copying. The first query caches the unit vectors. If you change the
        array in place later, call `forget_unit_vectors` afterwards. With `subwords`, it can be None. The vectors are
        then computed from `input_vectors` when they are first needed.
    counts : integer array, shape (V,), optional
        Number of occurrences of each word in the corpus.
    context_vectors : float array, shape (V, D), optional
        Output vectors of the words, the rows of W_out that negative sampling trains.
    settings : dict, optional
        Settings that produced the vectors. Values must be JSON-serialisable.
    input_vectors : float array, shape (V, D), or (R, D) with subwords, optional
        Input matrix of the model, W_in, if `vectors` were computed from it. By default, `vectors` are W_in. With
        `subwords`, it is required.
    node_vectors : float array, shape (V, D), optional
        Vectors of the inner nodes of the Huffman tree for `counts`, the rows of W_out that hierarchical softmax trains.
        V words have V − 1 inner nodes, so the last row is not used.
    subwords : Subwords, optional
        The R rows of `input_vectors`, which are those of words and of character n-grams, and the rows of each word. The
        vector of a word is the mean of its rows.

    Attributes
    ----------
    settings : dict or None
        The constructor argument of the same name.
    counts : int64 array, shape (V,), or None
        Word counts, always a NumPy array, which is read-only.
    vectors, context_vectors, input_vectors, node_vectors : float array, shape (V, D)
        The constructor arguments of the same names. NumPy arrays are read-only. With subwords, `input_vectors` has
        shape (R, D).
    subwords : Subwords or None
        The constructor argument of the same name.
    has_subwords : bool
        Whether there are subwords.
    strict : bool
        If true, words outside the vocabulary are unknown, even if there are subwords. Assign to it. The default is
        False.
    index_to_key : list of str or int
        The words, in row order.
    key_to_index : dict of str or int to int
        The row of each word.
    vector_size : int
        The number of dimensions, D.

    Raises
    ------
    ValueError
        If a word occurs twice, there are no words, or the shapes do not match.
    TypeError
        If a word is neither a string nor an integer, strings and integers are mixed, or `vectors` is not a float array.

    Notes
    -----
    With subwords, a string outside the vocabulary has a vector too: the mean of the rows of its n-grams. All queries
    accept such words, and ``word in wv`` is true for them. They are never results, because they have no row:
    `key_to_index`, `index_to_key`, `len` and `get_index` know only the vocabulary. A string without any n-gram, because
    it is too short, is unknown. Set ``wv.strict = True`` to treat all words outside the vocabulary as unknown.

    If the units of the n-grams are syllables or jamo, queries and `get_index` find a word in the Unicode forms NFC and
    NFD. A word that is spelled exactly as requested takes precedence over a word with the same NFC form.

    The words and vectors cannot be changed by accident. Vectors that belong to the object, such as ``wv["cat"]``,
    `vectors` and `unit_vectors`, are read-only NumPy arrays; call ``.copy()`` before you change one. Results that are
    computed, such as ``wv[["cat", "dog"]]`` and means, are new arrays. Arrays of other libraries, such as CuPy, cannot
    be read-only. There, ``wv["cat"]`` is a copy, and only the matrices of the object, such as `vectors`, share its
    memory. To replace all vectors, assign a matrix to `vectors`.

    Similarity is the cosine. Rows of zeros, and rows that contain NaN or infinity, have no direction. Their similarity
    to every word is 0. A query without a direction raises ValueError.

    Integers are never interpreted as row numbers. If the words are integers, an integer is looked up as a word. If the
    words are strings, an integer raises TypeError.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> wv["dog"]
    array([4., 3.])
    >>> wv.most_similar("cat")
    [('dog', 0.8), ('car', 0.0)]
    >>> "cta" in wv, len(wv), list(wv)
    (False, 3, ['cat', 'dog', 'car'])
    """

    def __init__(
        self,
        words: Sequence[Key] | Callable[[], Sequence[Key]],
        vectors: Any,
        counts: Any = None,
        context_vectors: Any = None,
        settings: dict[str, Any] | None = None,
        input_vectors: Any = None,
        node_vectors: Any = None,
        subwords: Subwords | None = None,
    ) -> None:
        self.strict = False
        self._subwords = subwords
        self._output_weight = 0.0
        self._stored_unit: Any = None
        self._unit_vectors: Any = None
        self._decoded: Any = None
        vectors, input_vectors = _protected(vectors), _protected(input_vectors)
        if subwords is not None:
            self._input_vectors = self._checked_table(input_vectors, subwords)
            if vectors is not None:
                self._check_shape("vectors", vectors)
        else:
            self._input_vectors = check_stored_matrix("vectors", vectors)
            if min(vectors.shape) < 1:
                nothing = "no words" if vectors.shape[0] < 1 else "no dimensions"
                raise ValueError(f"vectors has shape {tuple(vectors.shape)}, so there are {nothing}; give at least one")
            if input_vectors is not None:
                self._check_shape("input_vectors", input_vectors)
                self._input_vectors = input_vectors
        self._result = vectors  # None if `vectors` must be computed from W_in and W_out when they are next needed
        self._context_vectors: Any = None
        self._node_vectors: Any = None
        self._W_out: Any = None  # the array that contains both, after training
        self.context_vectors = context_vectors
        self.node_vectors = node_vectors
        self.counts = None if counts is None else read_only(check_counts(counts, len(self)))
        self.settings = settings
        self._words = words
        if not callable(words):
            _ = self.key_to_index

    @property
    def vectors(self) -> Any:
        """The vectors: float array, shape (V, D). A NumPy array is read-only.

        If the vectors are stored as int8, all of them are decoded to float32 when this matrix is first needed, and
        then cached. Queries, ``wv[words]`` and `stored` do not need it.

        Assign a matrix with one row for each word to replace all vectors. The matrix is used without copying, also as
        `input_vectors`, and the cached `unit_vectors` are discarded. Subwords are dropped, because the vectors are no
        longer means of rows.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.vectors = wv.vectors - wv.vectors.mean(axis=0)
        >>> wv.vectors.sum(axis=0).round(6) + 0.0
        array([0., 0.])
        """
        if not isinstance(self._vectors, ScaledRows):
            return read_only(self._vectors)
        decoded = self._decoded
        if decoded is None:
            with turn:
                decoded = self._decoded
                if decoded is None:
                    decoded = self._decoded = read_only(as_floats(self._vectors))
        return decoded

    @vectors.setter
    def vectors(self, vectors: Any) -> None:
        vectors = _protected(check_stored_matrix("vectors", vectors))
        if vectors.shape[0] != len(self) or vectors.shape[1] < 1:
            raise ValueError(
                f"vectors has shape {tuple(vectors.shape)}; it must have {len(self)} rows, one for each word. For "
                f"other words, make a new object with {type(self).__name__}(words, vectors)"
            )
        for name in ("context_vectors", "node_vectors"):
            if (other := getattr(self, name)) is not None and other.shape != vectors.shape:
                raise ValueError(
                    f"vectors has shape {tuple(vectors.shape)}; it must have the same shape as {name}, "
                    f"{tuple(other.shape)}. To drop those, first set {name} to None"
                )
        with turn:
            self._subwords = None
            self._set_input(vectors, 0.0)

    @property
    def stored(self) -> Any:
        """The vectors as they are stored: float array or ScaledRows, shape (V, D). A NumPy array is read-only.

        It is `vectors`, unless the vectors are stored as int8. Then its `values` (int8) and `scales` (float32) are the
        integers and the factor of each row.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog"], np.array([[1.0, 0.5], [0.25, -0.5]])).astype("int8")
        >>> wv.stored.values.tolist(), wv.stored.scales.tolist()
        ([[127, 64], [64, -127]], [0.00787..., 0.00393...])
        """
        return read_only(self._vectors)

    @property
    def stored_input(self) -> Any:
        """The input matrix as it is stored: float array or ScaledRows, as for `stored`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog"], np.array([[1.0, 0.5], [0.25, -0.5]])).astype("int8")
        >>> wv.stored_input is wv.stored
        True
        """
        return read_only(self._input_vectors)

    @property
    def _xp(self) -> Any:
        """The array namespace of the vectors."""
        return get_namespace(storage(self._input_vectors))

    @property
    def _device(self) -> Any:
        """The device of the vectors."""
        return get_device(storage(self._input_vectors))

    @property
    def _vectors(self) -> Any:
        """The matrix of `stored` itself, which may be writable."""
        if self._result is None:
            with turn:  # so that `_set_tables` cannot run in between
                if self._result is None:
                    if self._subwords is not None:
                        result = vectors_of_vocabulary(self._input_vectors, self._subwords)
                    else:
                        with on_device_of(self._input_vectors):
                            result = self._context_vectors * self._output_weight
                            result += self._input_vectors
                    self._result = result
                return self._result
        return self._result

    @property
    def context_vectors(self) -> Any:
        """The output vectors of the words: array, shape (V, D), or None. A NumPy array is read-only.

        They are the rows of W_out that negative sampling trains. A model trained with ``loss="hs"`` has none.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog"], np.eye(2), context_vectors=np.ones((2, 2)))
        >>> wv.context_vectors.tolist()
        [[1.0, 1.0], [1.0, 1.0]]
        """
        return None if self._context_vectors is None else read_only(self._context_vectors)

    @context_vectors.setter
    def context_vectors(self, context_vectors: Any) -> None:
        if context_vectors is not None:
            self._check_shape("context_vectors", context_vectors)
        if self._subwords is None:
            _ = self._vectors  # computed from the context vectors that are replaced
        self._context_vectors, self._W_out = context_vectors, None

    @property
    def node_vectors(self) -> Any:
        """The vectors of the inner nodes of the Huffman tree: array, shape (V, D), or None. A NumPy array is read-only.

        They are the rows of W_out that hierarchical softmax trains. The tree is that of the counts
        (`fastw2v.sampling.huffman.HuffmanTree`). V words have V − 1 inner nodes, so the last row is not used. Methods
        that select or reorder words leave the node vectors out, because the tree contains the whole vocabulary.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> wv = Word2Vec(vector_size=4, loss="hs").fit([["a", "b", "c"]] * 20).wv
        >>> wv.node_vectors.shape, wv.context_vectors is None
        ((3, 4), True)
        """
        return None if self._node_vectors is None else read_only(self._node_vectors)

    @node_vectors.setter
    def node_vectors(self, node_vectors: Any) -> None:
        if node_vectors is not None:
            self._check_shape("node_vectors", node_vectors)
        self._node_vectors, self._W_out = node_vectors, None

    @property
    def input_vectors(self) -> Any:
        """The input matrix of the model, W_in, from which training continues: array, shape (V, D), or (R, D).

        It is `vectors`, unless `vectors` were combined from both matrices, or there are subwords. With subwords, it has
        the R rows of words and n-grams that `subwords` describes. A NumPy array is read-only. If it is stored as int8
        and is not `vectors`, each access decodes all rows; `stored_input` does not.

        Examples
        --------
        >>> from fastw2v import Word2Vec
        >>> wv = Word2Vec(vector_size=4, negative=1, output_weight=0.5).fit([["a", "b"]] * 20).wv
        >>> bool((wv.vectors == wv.input_vectors + 0.5 * wv.context_vectors).all())
        True
        """
        if not self._has_input_vectors:
            return self.vectors
        return read_only(as_floats(self._input_vectors))

    @property
    def subwords(self) -> Subwords | None:
        """The rows of `input_vectors` whose mean is the vector of a word: `Subwords`, or None.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> words = ["sing", "ring"]
        >>> subwords = Subwords(words, NGrams(min_n=4, max_n=4, bucket=1000))
        >>> W_in = np.arange(14.0).reshape(7, 2)
        >>> wv = WordVectors(words, None, input_vectors=W_in, subwords=subwords)
        >>> bool((wv["sing"] == W_in[wv.subwords.rows_of_word(0)].mean(axis=0)).all())
        True
        >>> "singing" in wv, wv["singing"].shape
        (True, (2,))
        """
        return self._subwords

    @property
    def has_subwords(self) -> bool:
        """Whether words outside the vocabulary have vectors, computed from their n-grams.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> WordVectors(["cat", "dog"], np.eye(2)).has_subwords
        False
        """
        return self._subwords is not None

    @staticmethod
    def _checked_table(input_vectors: Any, subwords: Subwords) -> Any:
        """Return W_in after checking that it has the rows of the subwords."""
        check_type("subwords", subwords, Subwords, "Subwords")
        if input_vectors is None:
            raise ValueError("subwords are given without input_vectors; pass the matrix whose rows they describe")
        check_stored_matrix("input_vectors", input_vectors)
        if input_vectors.shape[0] != subwords.n_rows or input_vectors.shape[1] < 1:
            raise ValueError(
                f"input_vectors has shape {tuple(input_vectors.shape)}; with these subwords, it must have "
                f"{subwords.n_rows} rows and at least one column"
            )
        return input_vectors

    @property
    def _shape(self) -> tuple[int, int]:
        """The shape (V, D)."""
        return len(self), int(self._input_vectors.shape[1])

    def _check_shape(self, name: str, matrix: Any) -> None:
        """Raise an error unless a parameter is a matrix of the same shape as the vectors."""
        check = check_stored_matrix if name in ("vectors", "input_vectors") else check_matrix
        check(name, matrix)
        if tuple(matrix.shape) != self._shape:
            raise ValueError(
                f"{name} has shape {tuple(matrix.shape)}; it must have the same shape as vectors, {self._shape}"
            )

    @cached_property
    def index_to_key(self) -> list[Any]:
        """The words, in row order: list of str or int.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.index_to_key[0]
        'cat'
        """
        words = self._words() if callable(self._words) else self._words
        self._words = ()  # drop the reference, so that the memory held by a callable can be freed
        return check_keys(words, len(self))

    @cached_property
    def key_to_index(self) -> dict[Any, int]:
        """The row of each word: dict of str or int to int.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.key_to_index
        {'cat': 0, 'dog': 1, 'car': 2}
        """
        return index_keys(self.index_to_key)

    @property
    def vector_size(self) -> int:
        """The number of dimensions, D.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.vector_size
        2
        """
        return int(self._input_vectors.shape[1])

    @property
    def unit_vectors(self) -> Any:
        """The vectors scaled to unit length, in at least single precision: array, shape (V, D).

        The unit vectors are computed when they are first needed and then cached. A NumPy array is read-only. Queries on
        vectors that are stored as float16 or int8 use `stored_unit` instead, which takes less memory.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.unit_vectors
        array([[1. , 0. ],
               [0.8, 0.6],
               [0. , 1. ]])
        """
        unit = self._unit_vectors
        if unit is None:
            with turn:  # of the threads that ask first, one computes the vectors
                unit = self._unit_vectors
                if unit is None:
                    stored = self.stored_unit
                    unit = self._unit_vectors = read_only(stored.decoded()) if _is_compact(stored) else stored
        return unit

    @property
    def stored_unit(self) -> Any:
        """The vectors scaled to unit length, as they are stored: array or ScaledRows, shape (V, D).

        It is `unit_vectors`, unless the vectors are stored as float16 or int8. Then it is the stored array with one
        scale for each row, so that no copy of the vectors is made.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog"], np.array([[3, 4], [0, 2]], np.float16))
        >>> wv.stored_unit.scales.tolist(), np.shares_memory(wv.stored_unit.values, wv.vectors)
        ([0.20000000298023224, 0.5], True)
        """
        unit = self._stored_unit
        if unit is None:
            with turn:
                unit = self._stored_unit
                if unit is None:
                    unit = self._stored_unit = self._scaled_to_unit()
        return unit

    def _scaled_to_unit(self) -> Any:
        matrix = self._vectors
        if _is_compact(matrix):
            with on_device_of(storage(matrix)):
                return read_only(scaled_to_unit(matrix))
        return read_only(unit_rows(matrix))

    def forget_unit_vectors(self) -> None:
        """Discard the cached `unit_vectors`.

        Call this method after changing the array that was passed to the constructor, or CuPy's `vectors`, in place.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> matrix = np.array([[1.0, 0], [4, 3], [0, 1]])
        >>> wv = WordVectors(["cat", "dog", "car"], matrix)
        >>> wv.similarity("cat", "dog")
        0.8
        >>> matrix[1] = [3, 4]
        >>> wv.forget_unit_vectors()
        >>> wv.similarity("cat", "dog")
        0.6
        """
        with turn:  # a query of another thread may be computing them
            self._unit_vectors = self._stored_unit = self._decoded = None

    @property
    def _loss(self) -> Loss | None:
        """The loss that can train these vectors further, or None if they have no output matrix."""
        if self._node_vectors is None:
            return None if self._context_vectors is None else "ns"
        return "hs" if self._context_vectors is None else "hs+ns"

    def _tables(self) -> tuple[Any, Any]:
        """Return W_in and W_out, or None for W_out. Both parts of W_out are copied if they are separate arrays."""
        if self._W_out is None:
            parts = [part for part in (self._context_vectors, self._node_vectors) if part is not None]
            if len(parts) < 2:
                return as_floats(self._input_vectors), next(iter(parts), None)
            with on_device_of(parts[0]):
                return as_floats(self._input_vectors), get_namespace(*parts).concat(parts, axis=0)
        return as_floats(self._input_vectors), self._W_out

    def _writable_tables(self) -> tuple[Any, Any]:
        """Return W_in and W_out, for training in place. Read-only arrays are copied.

        Call `_set_tables` after changing them.
        """
        W_in, W_out = self._tables()
        return _writable(W_in), _writable(W_out)

    def _set_tables(self, W_in: Any, W_out: Any, output_weight: float, loss: Loss) -> None:
        """Replace both matrices, for example after training. `vectors` are then W_in + output_weight · W_out.

        With subwords, `vectors` are the means of rows of W_in, and `output_weight` must be 0.

        They are computed when they are first needed, so that only both matrices are in memory during training.
        """
        with turn:  # a query of another thread may be computing vectors from the old matrices
            self._set_output(W_out, loss)
            self._set_input(W_in, output_weight)

    def _copy_to_host(self) -> None:
        """Replace all matrices by copies on the host."""
        W_in, W_out = self._tables()
        result = self._result
        assert self._loss is not None
        self._set_tables(to_host(W_in), to_host(W_out), self._output_weight, self._loss)
        if result is not None and result is not W_in:  # for example the combined vectors of a file
            self._result = to_host(result)

    def _set_output(self, W_out: Any, loss: Loss) -> None:
        """Replace the output matrix."""
        self._W_out = W_out
        self._context_vectors, self._node_vectors = output_parts(W_out, loss)

    def _set_input(self, W_in: Any, output_weight: float) -> None:
        """Replace the input matrix."""
        self._input_vectors, self._output_weight = W_in, output_weight
        self._result = None if output_weight or self._subwords is not None else W_in
        self.forget_unit_vectors()

    def __getstate__(self) -> dict[str, Any]:
        _ = self.index_to_key  # a callable that returns the words may refer to an open file
        # The caches are computed again when they are needed, and the parts of W_out are stored.
        state = self.__dict__ | dict.fromkeys(("_unit_vectors", "_stored_unit", "_decoded", "_W_out"))
        state.pop("key_to_index", None)
        state.pop("_rows_of_other_forms", None)
        if not self._has_input_vectors:
            del state["_result"]  # joblib would store the same matrix twice
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_result" not in state:
            self._result = self._input_vectors

    # Words and their vectors

    def __len__(self) -> int:
        return int(self._input_vectors.shape[0]) if self._subwords is None else self._subwords.n_words

    def __iter__(self) -> Iterator[Any]:
        return iter(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        if not is_key(word, self.index_to_key):
            return False
        if word in self.key_to_index or self._row_of_form(word) is not None:
            return True
        return not self.strict and has_unseen_vector(word, self._subwords)

    def __repr__(self) -> str:
        stored = self._input_vectors if self._result is None else self._result  # do not compute the vectors
        return f"{type(self).__name__}({len(self):,} words, {self.vector_size} dimensions, {stored.dtype})"

    def __getitem__(self, words: Any) -> Any:
        """Return the vector of a word, the vectors of several words, or a slice of rows as `WordVectors`.

        Parameters
        ----------
        words : word, iterable of n words, or slice
            A slice selects rows. For example, ``wv[:1000]`` contains the first thousand words and their vectors.

        Returns
        -------
        array, shape (D,) or (n, D), or WordVectors
            The vector of one word is a read-only view, or a copy if the vectors are not a NumPy array. The vectors of
            several words, and the vectors of a slice, are copies. A slice of a memory-mapped file is not copied, except
            for `input_vectors` if there are subwords. A slice keeps the subwords.

        Raises
        ------
        UnknownWordError
            If a word has no vector.
        TypeError
            If the type of a word, string or integer, differs from that of the words in the vocabulary.
        ValueError
            If the slice is empty.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv["dog"]
        array([4., 3.])
        >>> wv[["car", "cat"]]
        array([[0., 1.],
               [1., 0.]])
        >>> wv[:2]
        WordVectors(2 words, 2 dimensions, float64)
        """
        if isinstance(words, slice):
            return self._sliced(words)
        if isinstance(words, (str, bytes)) or not isinstance(words, Iterable):  # bytes are refused
            return self.get_vector(words)  # type: ignore[arg-type]
        listed = list(words)
        return word_vectors(self, listed, self._rows(listed, "words"), unit=False)

    def get_vector(self, word: Key, norm: bool = False) -> Any:
        """Return the vector of a word.

        Parameters
        ----------
        word : str or int
        norm : bool
            If true, return the vector scaled to unit length.

        Returns
        -------
        array, shape (D,)
            A read-only view, or a copy if the vectors are not a NumPy array. The vector of a word outside the
            vocabulary is a new array.

        Raises
        ------
        UnknownWordError
            If the word has no vector.
        TypeError
            If the type of `word`, string or integer, differs from that of the words in the vocabulary. An integer is
            never interpreted as a row number.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.get_vector("dog")
        array([4., 3.])
        >>> wv.get_vector("dog", norm=True)
        array([0.8, 0.6])
        """
        check_flags(norm=norm)
        row = find_word(self, word)
        if row < 0:
            return word_vectors(self, [word], [row], unit=norm)[0, :]
        return protected_row(self.stored_unit if norm else self._vectors, row)

    def get_index(self, word: Key, default: int | None = None) -> int:
        """Return the row of a word, or `default` if the word is not in the vocabulary.

        Parameters
        ----------
        word : str or int
        default : int, optional
            Value to return for a word outside the vocabulary. By default, such a word raises `UnknownWordError`.

        Raises
        ------
        UnknownWordError
            If the word is not in the vocabulary and `default` is None.
        TypeError
            If `default` is None and the type of `word`, string or integer, differs from that of the words in the
            vocabulary.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.get_index("dog")
        1
        >>> wv.get_index("cow", default=-1)
        -1
        """
        if default is not None:
            check_integer("default", default)
        return self._row_in_vocabulary(word) if default is None or self._is_in_vocabulary(word) else default

    def _row_of_form(self, word: object) -> int | None:
        """Return the row of a word that the vocabulary has in another Unicode form, or None.

        The result is None as well if the n-grams of a word depend on its form, or there are no subwords.
        """
        if self._subwords is None or not self._subwords.ngrams.ignores_form or not isinstance(word, str):
            return None
        composed = self._subwords.ngrams.form_of(word)
        row = self.key_to_index.get(composed)
        return self._rows_of_other_forms.get(composed) if row is None else row

    @cached_property
    def _rows_of_other_forms(self) -> dict[str, int]:
        """The row of the first word that has a form NFC, by this form, for words that have another form themselves."""
        rows: dict[str, int] = {}
        assert self._subwords is not None
        form_of = self._subwords.ngrams.form_of
        for row, word in enumerate(self.index_to_key):
            if (composed := form_of(word)) != word:
                rows.setdefault(composed, row)
        return rows

    def _is_in_vocabulary(self, word: object) -> bool:
        return is_key(word, self.index_to_key) and (word in self.key_to_index or self._row_of_form(word) is not None)

    def _row_in_vocabulary(self, word: Any, name: str = "word") -> int:
        """Return the row of the word in the parameter `name`, or raise an error if it is not in the vocabulary."""
        try:
            return find_row(word, self.key_to_index, name)
        except UnknownWordError:
            if (row := self._row_of_form(word)) is None:
                raise
            return row

    # Neighbours

    def most_similar(
        self,
        positive: Any = (),
        negative: Any = (),
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the words nearest to a word, or to a weighted sum of words and vectors.

        Parameters
        ----------
        positive, negative : word, vector, or list of words and vectors
            Terms to add and to subtract. The vectors of words are scaled to unit length, and the words are excluded
            from the result. Vectors, shape (D,), are used unscaled. In a list, a pair ``(word or vector, weight)``
            replaces the default weight, which is 1 in `positive` and −1 in `negative`. For example, ``("king", -2.0)``
            subtracts twice the vector in either list.
        topn : int or None
            Maximum number of words to return. If None, the cosines of all searched rows are returned.
        clip_start, clip_end : int
            Search only the rows ``clip_start:clip_end``. By default, search all rows.
        restrict_vocab : int, optional
            Search only the first `restrict_vocab` words. Overrides `clip_start` and `clip_end`.

        Returns
        -------
        list of (str or int, float), or array
            Words and cosines, nearest first. If `topn` is None, an array of cosines in row order.

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If no terms are given, a vector has the wrong shape, `topn` or a bound is negative, or the sum is zero or
            not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4], [1, 1, 0]])
        >>> wv = WordVectors(["man", "woman", "king", "queen", "child"], matrix)
        >>> wv.most_similar("man", topn=2)
        [('child', 0.707...), ('king', 0.6)]
        >>> wv.most_similar(positive=["king", "woman"], negative=["man"], topn=1)
        [('queen', 0.924...)]
        >>> wv.most_similar(["man", ("woman", 0.5)], topn=1)
        [('child', 0.948...)]
        """
        query, rows = weighted_sum(self, positive, negative)
        start, stop = self._searched(clip_start, clip_end, restrict_vocab)
        return self._ranked_rows(query, rows, topn, start, stop)

    def most_similar_cosmul(
        self, positive: Any = (), negative: Any = (), topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words with the highest 3CosMul scores for positive and negative terms.

        The score is the product of the similarities to the positive terms, divided by the product of the similarities
        to the negative terms [1]_. Each similarity is the cosine rescaled from −1..1 to 0..1. Unlike the sum in
        `most_similar`, the product is not dominated by its largest term.

        Parameters
        ----------
        positive, negative : word, vector, or list of words and vectors
            Words and vectors without weights. All are scaled to unit length, and words are excluded from the result.
        topn : int or None
            Maximum number of words to return. If None, the scores of all searched rows are returned.
        restrict_vocab : int, optional
            Search only the first `restrict_vocab` words.

        Returns
        -------
        list of (str or int, float), or array
            Words and scores, highest first. If `topn` is None, an array of scores in row order.

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If `positive` is empty, a weight is given, a vector has the wrong shape, a term has no direction, or `topn`
            or `restrict_vocab` is negative.

        References
        ----------
        .. [1] Levy and Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations", CoNLL 2014.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4], [1, 1, 0]])
        >>> wv = WordVectors(["man", "woman", "king", "queen", "child"], matrix)
        >>> wv.most_similar_cosmul(positive=["king", "woman"], negative=["man"], topn=1)
        [('queen', 1.311...)]
        """
        xp = self._xp
        terms, rows = weighted_terms(self, positive, 1.0, "positive")
        divisors, more_rows = weighted_terms(self, negative, -1.0, "negative")
        if not terms:
            raise ValueError("most_similar_cosmul: positive is empty; give at least one word or vector")
        if any(weight != 1 for _, weight in terms) or any(weight != -1 for _, weight in divisors):
            raise ValueError("most_similar_cosmul: a term has a weight; only most_similar supports weights")
        start, stop = self._searched(0, None, restrict_vocab)
        queries = unit_queries(xp.stack([vector for vector, _ in terms + divisors]))
        shares = (1 + products(_part(self.stored_unit, start, stop), queries)) / 2
        scores = xp.prod(shares[: len(terms), :], axis=0) / (xp.prod(shares[len(terms) :, :], axis=0) + 1e-6)
        if topn is None:
            return scores
        return ranked(scores, self.index_to_key, set(rows + more_rows), _checked_topn(topn))

    def nearest(self, queries: Any, topn: int = 10, restrict_vocab: int | None = None) -> list[list[tuple[Any, float]]]:
        """Return the words nearest to each of many queries.

        The results equal those of `most_similar`, but one call with many queries is many times faster than one call per
        query.

        Parameters
        ----------
        queries : iterable of n words and vectors, or float array, shape (n, D)
            A word is excluded from its own result.
        topn : int
            Maximum number of words to return for each query.
        restrict_vocab : int, optional
            Search only the first `restrict_vocab` words.

        Returns
        -------
        list of n lists of (str or int, float)
            Words and cosines of each query, nearest first.

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        TypeError
            If `queries` is a single word.
        ValueError
            If a vector has the wrong shape, a query has no direction, or `topn` or `restrict_vocab` is negative.

        See Also
        --------
        nearest_neighbours : Return the nearest neighbours of every word as arrays.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.nearest(["cat", "car"], topn=1)
        [[('dog', 0.8)], [('dog', 0.6)]]
        >>> wv.nearest(np.array([[2.0, 0], [0, 5]]), topn=1)
        [[('cat', 1.0)], [('car', 1.0)]]
        """
        topn = _checked_topn(topn)
        _, stop = self._searched(0, None, restrict_vocab)
        matrix, left_out = query_matrix(self, queries)
        left_out = left_out[left_out[:, 1] < stop]
        k = min(stop, topn)
        if not matrix.shape[0] or not k:
            return [[] for _ in range(matrix.shape[0])]
        rows, cosines = nearest_rows(_part(self.stored_unit, 0, stop), matrix, k, left_out)
        words = map(self.index_to_key.__getitem__, to_host(rows).ravel().tolist())
        pairs = list(zip(words, to_host(cosines).ravel().tolist(), strict=True))
        found = [pairs[start : start + k] for start in range(0, len(pairs), k)]
        # Excluded words score −inf, so they come last. They appear only if fewer than k other words exist.
        return [one if one[-1][1] > -math.inf else [pair for pair in one if pair[1] > -math.inf] for one in found]

    def nearest_neighbours(self, topn: int = 10) -> tuple[Any, Any]:
        """Return the nearest neighbours of every word as arrays: the k-nearest-neighbour graph of the vocabulary.

        Parameters
        ----------
        topn : int
            Number of neighbours of each word, at most V − 1.

        Returns
        -------
        rows : int64 array, shape (V, min(topn, V − 1))
            Rows of the neighbours of each word, nearest first.
        cosines : float array, shape (V, min(topn, V − 1))

        Raises
        ------
        ValueError
            If `topn` is negative.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> rows, cosines = wv.nearest_neighbours(topn=1)
        >>> [(word, wv.index_to_key[row]) for word, row in zip(wv, rows[:, 0])]
        [('cat', 'dog'), ('dog', 'cat'), ('car', 'dog')]
        >>> cosines[:, 0]
        array([0.8, 0.8, 0.6])
        """
        k, unit, V = min(_checked_topn(topn), len(self) - 1), self.stored_unit, len(self)
        found = []
        # Rows that are stored in fewer bits are decoded in blocks, so that the unit vectors are never unpacked.
        for start in range(0, V, step := max(1, _DECODED_QUERIES // self.vector_size) if _is_compact(unit) else V):
            stop = min(start + step, V)
            own = np.stack([np.arange(stop - start), np.arange(start, stop)], axis=1)
            found.append(nearest_rows(unit, decoded_rows(unit, start, stop), k, own))
        rows, cosines = zip(*found, strict=True)
        return (rows[0], cosines[0]) if len(found) == 1 else (self._xp.concat(rows), self._xp.concat(cosines))

    def index(
        self, backend: Backend = "usearch", M: int = 16, ef_construction: int = 128, ef_search: int = 128
    ) -> HNSWIndex:
        """Build an index for approximate search, which compares a query with a few hundred words instead of all words.

        Parameters
        ----------
        backend : {"usearch", "faiss"}
            Package that builds and searches the index. Install it with ``pip install 'fastw2v[usearch]'`` or
            ``pip install 'fastw2v[faiss]'``.
        M, ef_construction, ef_search : int
            Number of links of each word, number of candidates considered while the index is built, and number of
            candidates considered in a search. See `HNSWIndex`.

        Returns
        -------
        HNSWIndex
            Index with approximate versions of `most_similar` and `nearest`. Its method `recall` measures the share of
            true neighbours that it finds.

        Raises
        ------
        ImportError
            If the package named by `backend` is not installed.
        ValueError
            If `backend` is not supported, `M` is below 2, or `ef_construction` or `ef_search` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
        >>> [word for word, cosine in wv.index().most_similar("cat")]
        ['dog', 'car']
        """
        return HNSWIndex(self, backend, M, ef_construction, ef_search)

    def analogy(
        self, a: Key, b: Key, c: Key, topn: int = 10, restrict_vocab: int | None = None
    ) -> list[tuple[Any, float]]:
        """Answer the analogy "`a` is to `b` as `c` is to …" with 3CosAdd.

        The answers are the words nearest to b − a + c, where each vector is first scaled to unit length.

        Parameters
        ----------
        a, b, c : str or int
            Words of the analogy, for example "man", "king" and "woman". They are excluded from the result.
        topn : int
            Maximum number of words to return.
        restrict_vocab : int, optional
            Search only the first `restrict_vocab` words.

        Returns
        -------
        list of (str or int, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If a word is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> matrix = np.array([[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4], [1, 1, 0]])
        >>> wv = WordVectors(["man", "woman", "king", "queen", "child"], matrix)
        >>> wv.analogy("man", "king", "woman", topn=1)
        [('queen', 0.924...)]
        """
        self._named_rows(a=a, b=b, c=c)  # rejects everything but words, because most_similar accepts vectors as well
        found: list[tuple[Any, float]] = self.most_similar(
            positive=[b, c], negative=[a], topn=_checked_topn(topn), restrict_vocab=restrict_vocab
        )
        return found

    def closer_than(self, word: Key, other: Key) -> list[Any]:
        """Return the words that are closer to `word` than `other` is, in row order.

        Parameters
        ----------
        word, other : str or int

        Raises
        ------
        UnknownWordError
            If a word is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.closer_than("cat", "car")
        ['dog']
        """
        xp = self._xp
        row, other_row = self._named_rows(word=word, other=other)
        query = word_vectors(self, [word], [row])
        cosines = products(self.stored_unit, query)[0, :]
        compared = cosines[other_row]
        if other_row < 0:
            compared = products(word_vectors(self, [other], [other_row]), query)[0, 0]
        closer = to_host(xp.nonzero(cosines > compared)[0]).tolist()
        return [self.index_to_key[i] for i in closer if i != row]

    def rank(self, word: Key, other: Key) -> int:
        """Return the rank of `other` among the neighbours of `word`, starting at 1 for the nearest.

        Parameters
        ----------
        word, other : str or int

        Raises
        ------
        UnknownWordError
            If a word is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.rank("cat", "dog"), wv.rank("cat", "car")
        (1, 2)
        """
        return len(self.closer_than(word, other)) + 1

    # Similarities

    def similarity(self, a: Key, b: Key) -> float:
        """Return the cosine of the vectors of two words, or 0.0 if either vector has no direction.

        Parameters
        ----------
        a, b : str or int

        Raises
        ------
        UnknownWordError
            If a word is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.similarity("cat", "dog")
        0.8
        """
        xp = self._xp
        row_a, row_b = self._named_rows(a=a, b=b)
        unit, place_a, place_b = self.stored_unit, row_a, row_b
        if min(row_a, row_b) < 0 or _is_compact(unit):
            unit, place_a, place_b = word_vectors(self, [a, b], [row_a, row_b]), 0, 1
        cosine = float(xp.sum(unit[place_a, :] * unit[place_b, :]))
        return max(-1.0, min(cosine, 1.0))  # a cosine rounded above 1 would give a negative distance

    def distance(self, a: Key, b: Key) -> float:
        """Return the cosine distance between two words, 1 − `similarity`.

        Parameters
        ----------
        a, b : str or int

        Raises
        ------
        UnknownWordError
            If a word is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.distance("dog", "car"), wv.distance("cat", "car")
        (0.4, 1.0)
        """
        return 1 - self.similarity(a, b)

    def distances(self, word_or_vector: Any, other_words: Iterable[Key] = ()) -> Any:
        """Return the cosine distances from a word or vector to other words.

        Parameters
        ----------
        word_or_vector : str, int, or float array, shape (D,)
        other_words : iterable of n words
            Words to compare with. By default, all words, in row order.

        Returns
        -------
        float array, shape (n,)

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If the vector has the wrong shape.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.distances("cat")
        array([0. , 0.2, 1. ])
        >>> wv.distances("cat", ["car"])
        array([1.])
        """
        others = _listed("other_words", other_words)
        unit = word_vectors(self, others, self._rows(others, "other_words")) if others else self.stored_unit
        vector, _ = term_vector(self, word_or_vector, "word_or_vector")
        return 1 - products(unit, unit_rows(vector[None, :]))[0, :]

    def n_similarity(self, words: Iterable[Key], others: Iterable[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words.

        The vectors are not scaled before they are averaged. Unknown words are ignored.

        Parameters
        ----------
        words, others : iterable of str or int

        Raises
        ------
        ValueError
            If one of the lists contains no known word.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.n_similarity(["cat", "unknown"], ["dog", "car"])
        0.707...
        """
        return self._n_similarity(words=words, others=others)

    def _n_similarity(self, **lists: Iterable[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words. The keywords name the lists in errors."""
        xp = self._xp
        means = []
        for name, given in lists.items():
            listed = _listed(name, given)
            known = [word for word in listed if word in self]
            if not known:
                raise ValueError(f"{name} is {quote(listed)}; none of these words is in the vocabulary")
            means.append(xp.mean(at_least_single(word_vectors(self, known, self._rows(known), unit=False)), axis=0))
        unit = unit_rows(xp.stack(means))
        return float(xp.sum(unit[0, :] * unit[1, :]))

    def get_mean_vector(
        self,
        keys: Iterable[Any],
        weights: Iterable[float] | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Any:
        """Return the weighted mean of the vectors of words and of any other vectors.

        Parameters
        ----------
        keys : iterable of words and vectors, shape (D,)
        weights : iterable of float, optional
            One weight for each key. The weighted sum is divided by the sum of the absolute weights.
        pre_normalize : bool
            If true, first scale the vectors of words to unit length. Vectors in `keys` are never scaled.
        post_normalize : bool
            If true, scale the mean to unit length.
        ignore_missing : bool
            If true, ignore unknown words. Otherwise, an unknown word raises an error.

        Returns
        -------
        float array, shape (D,)
            All zeros if no word is known.

        Raises
        ------
        UnknownWordError
            If a word is unknown and `ignore_missing` is false.
        ValueError
            If `keys` is empty, the numbers of keys and weights differ, or a vector has the wrong shape.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.get_mean_vector(["cat", "car", "unknown"])
        array([0.5, 0.5])
        >>> wv.get_mean_vector(["cat", "car"], weights=[3, 1])
        array([0.75, 0.25])
        """
        check_flags(pre_normalize=pre_normalize, post_normalize=post_normalize, ignore_missing=ignore_missing)
        xp = self._xp
        given = _listed("keys", keys)
        factors = [1.0] * len(given)
        if weights is not None:
            check_items("weights", weights, "one number for each key")
            factors = [_number("weights", weight) for weight in weights]
        if not given:
            raise ValueError("get_mean_vector: keys is empty; give at least one word or vector")
        if len(factors) != len(given):
            raise ValueError(
                f"get_mean_vector: keys has length {len(given)}, but weights has length {len(factors)}; give one "
                "weight for each key"
            )
        single = xp.float64 if self._input_vectors.dtype == xp.float64 else xp.float32
        mean = xp.zeros(self.vector_size, dtype=single, device=self._device)
        total = 0.0
        rows = {}
        for key in given:
            if getattr(key, "ndim", 0) == 0 and not (
                ignore_missing and is_key(key, self.key_to_index) and key not in self
            ):
                rows[key] = find_word(self, key, "keys")
        unseen = [key for key, row in rows.items() if row < 0]
        if unseen:
            found = word_vectors(self, unseen, [-1] * len(unseen), unit=pre_normalize)
            others = {key: at_least_single(found[i, :]) for i, key in enumerate(unseen)}
        for key, factor in zip(given, factors, strict=True):
            if getattr(key, "ndim", 0) != 0:
                vector = term_vector(self, key, "keys")[0]
            elif (row := rows.get(key)) is None:
                continue
            elif row < 0:
                vector = others[key]
            else:
                vector = at_least_single(word_vectors(self, [key], [row], unit=pre_normalize))[0, :]
            mean = mean + factor * vector
            total += abs(factor)
        mean = mean / total if total else mean
        return unit_rows(mean[None, :])[0, :] if post_normalize else mean

    def sentence_vectors(self, texts: Iterable[Any], method: SentenceMethod = "mean") -> Any:
        """Return one vector for each text, computed from the vectors of its words.

        Parameters
        ----------
        texts : iterable of n strings, or of n lists of words
            A string is split at white space. Unknown words are ignored.
        method : {"mean", "fasttext", "sif"}
            "mean" averages the vectors of the words. "fasttext" averages their unit vectors, as the function
            getSentenceVector of fastText does. "sif", smooth inverse frequency [1]_, gives frequent words less weight
            and removes the direction that all texts share. It needs the counts of the words.

        Returns
        -------
        float array, shape (n, D)
            An array of the library of the vectors, in at least single precision. A text without known words gets a
            vector of zeros, and a warning gives the number of these texts.

        Raises
        ------
        TypeError
            If `texts` is a single string, a text is neither a string nor a list of words, or a word has the wrong type.
        ValueError
            If `method` is not supported, or the sum of the vectors of a text is too large for their type. With "sif",
            also if the vectors have no counts, or fewer than two texts have a known word.

        Notes
        -----
        With "fasttext", the vector of a text s is::

            v_s = 1/n Σ_w v_w / ‖v_w‖,

        where the sum runs over the n known words of the text whose vectors are not zero. It equals that of fastText for
        models of the kinds cbow and skipgram. Unlike "sif", it does not depend on the other texts.

        With the other methods, the vectors of words are not scaled to unit length first. With "sif", the vector of a
        text s is::

            v_s = 1/|s| Σ_w a / (a + p(w)) v_w,    v_s ← v_s − u uᵀ v_s,

        where the sum runs over the known words of the text, p(w) is the share of a word in all counts, a is 0.001, and
        u is the first right singular vector of the matrix of all v_s. Because u depends on all texts, pass texts that
        you want to compare in one call. For a word outside the vocabulary, p(w) is 0.

        Words whose vectors contain NaN or infinity are ignored like unknown words, and a warning names one of them.

        Texts are processed in blocks of about 65,000 words, so `texts` can be a generator. Up to two copies of the
        result, or three with "sif", are in memory at a time.

        References
        ----------
        .. [1] Arora, Liang and Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]), counts=[5, 4, 1])
        >>> wv.sentence_vectors(["cat car unknown", ["dog", "dog"]])
        array([[0.5, 0.5],
               [4. , 3. ]])
        >>> wv.sentence_vectors(["cat car unknown", ["dog", "dog"]], method="fasttext")
        array([[0.5, 0.5],
               [0.8, 0.6]])
        >>> wv.sentence_vectors(["cat car", "dog car", "cat dog"], method="sif").shape
        (3, 2)
        """
        return sentence_vectors(self, self.counts, texts, method)

    def rank_by_centrality(self, words: Iterable[Key], use_norm: bool = True) -> list[tuple[float, Any]]:
        """Rank words by their similarity to the mean of their vectors, most similar first.

        Parameters
        ----------
        words : iterable of str or int
            Unknown words are ignored, and a warning lists them in the log.
        use_norm : bool
            If true, first scale the vectors of the words to unit length.

        Returns
        -------
        list of (float, str or int)
            Similarities and words, highest similarity first.

        Raises
        ------
        ValueError
            If none of the words is known.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> [(round(similarity, 3), word) for similarity, word in wv.rank_by_centrality(["cat", "dog", "car"])]
        [(0.997, 'dog'), (0.747, 'cat'), (0.664, 'car')]
        """
        check_flags(use_norm=use_norm)
        given = _listed("words", words)
        known = [word for word in given if word in self]
        if len(known) < len(given):
            unknown = [word for word in given if word not in self]
            log.warning("ignored %d unknown words: %s", len(unknown), quote(unknown))
        if not known:
            raise ValueError(f"words is {quote(given)}; none of these words is in the vocabulary")
        vectors = at_least_single(word_vectors(self, known, self._rows(known), unit=use_norm))
        mean = get_namespace(vectors).mean(vectors, axis=0)
        scores = to_host(vectors @ unit_rows(mean[None, :])[0, :]).tolist()
        return sorted(zip(scores, known, strict=True), reverse=True)

    def doesnt_match(self, words: Iterable[Key]) -> Any:
        """Return the odd one out, that is, the word least similar to the mean of the given words.

        Parameters
        ----------
        words : iterable of str or int
            Unknown words are ignored, and a warning lists them in the log.

        Raises
        ------
        ValueError
            If none of the words is known.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.doesnt_match(["cat", "dog", "car"])
        'car'
        """
        return self.rank_by_centrality(words)[-1][1]

    # New word vectors derived from these

    def vectors_for_all(self, keys: Iterable[Key]) -> Self:
        """Return only the known words in `keys`, with their vectors, in the order of `keys` and without duplicates.

        With subwords, the result has subwords as well, and words outside the vocabulary that have a vector are known.
        They get a row whose value is this vector, and the count 0. If there are such words, the context vectors are
        left out.

        Parameters
        ----------
        keys : iterable of str or int

        Raises
        ------
        ValueError
            If none of the words is known.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.vectors_for_all(["car", "cow", "cat", "car"]).index_to_key
        ['car', 'cat']
        """
        known = [key for key in dict.fromkeys(_listed("keys", keys)) if key in self]
        rows = self._rows(known)
        if len(set(rows)) < len(rows):  # the same word in two Unicode forms, or words outside the vocabulary
            unique: dict[Any, Any] = {}
            assert self._subwords is not None
            for key, row in zip(known, rows, strict=True):
                unique.setdefault(row if row >= 0 else self._subwords.ngrams.form_of(key), (key, row))
            known, rows = map(list, zip(*unique.values(), strict=True))
        if min(rows, default=0) >= 0:
            return self._with_rows(rows)
        assert self._subwords is not None
        xp = self._xp
        vectors = word_vectors(self, known, rows, unit=False)
        words = [self.index_to_key[row] if row >= 0 else key for key, row in zip(known, rows, strict=True)]
        subwords = Subwords(words, self._subwords.ngrams, buckets=self._subwords.buckets)
        W_in = self._input_vectors
        if not subwords.n_own_rows:
            W_in = _independent(W_in)
        else:  # the mean of the vector and of the rows of the n-grams is the vector
            device = self._device
            outside = xp.asarray(np.array(rows) < 0, device=device)
            own = xp.where(outside[:, None], vectors, take_rows(W_in, [max(row, 0) for row in rows]))
            W_in = as_floats(W_in)
            added = (len(subwords.buckets) - len(self._subwords.buckets), self.vector_size)
            W_in = xp.concat([own, W_in[len(self) :, :], xp.zeros(added, dtype=W_in.dtype, device=device)], axis=0)
        counts = None if self.counts is None else np.where(np.array(rows) < 0, 0, self.counts[rows])
        return self._like_this(
            type(self)(words, vectors, counts, settings=self.settings, input_vectors=W_in, subwords=subwords)
        )

    def __and__(self, words: Collection[Key]) -> Self:
        """Return only the words that are also in `words`, with their vectors. `words` can also be a `WordVectors`.

        Only the vocabulary of `words` counts. The result keeps the subwords.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> (wv & {"cat", "car", "cow"}).index_to_key
        ['cat', 'car']
        """
        if isinstance(words, (str, bytes)) or not isinstance(words, Collection):
            return NotImplemented
        kept = words.key_to_index if isinstance(words, WordVectors) else set(words)
        return self._with_rows([row for row, word in enumerate(self) if word in kept])

    def __sub__(self, words: Collection[Key]) -> Self:
        """Return only the words that are not in `words`, with their vectors. `words` can also be a `WordVectors`.

        Only the vocabulary of `words` counts. The result keeps the subwords, so that the words that are left out have
        the vectors of words outside the vocabulary.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> (wv - {"cat", "cow"}).index_to_key
        ['dog', 'car']
        """
        if isinstance(words, (str, bytes)) or not isinstance(words, Collection):
            return NotImplemented
        dropped = words.key_to_index if isinstance(words, WordVectors) else set(words)
        return self._with_rows([row for row, word in enumerate(self) if word not in dropped])

    def __or__(self, other: WordVectors) -> Self:
        """Return these words and vectors, followed by the words that only `other` contains and their vectors.

        Counts and context vectors are kept if both operands have them. Vectors of different models are comparable only
        after one model has been aligned to the other with `align`. Subwords are left out, because the rows of n-grams
        of different models do not belong together. If `other` contains no further words, the result is this object.

        Raises
        ------
        ValueError
            If the numbers of dimensions differ.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> other = WordVectors(["cat", "cow"], np.array([[9.0, 9], [1, 2]]))
        >>> (wv | other).index_to_key
        ['cat', 'dog', 'car', 'cow']
        >>> (wv | other)["cat"]
        array([1., 0.])
        """
        if not isinstance(other, WordVectors):
            return NotImplemented
        if other.vector_size != self.vector_size:
            raise ValueError(
                f"these vectors have {self.vector_size} dimensions, but other has {other.vector_size}; both must have "
                "the same number"
            )
        rows = [row for row, word in enumerate(other) if word not in self.key_to_index]
        if not rows:
            return self
        added = other._with_rows(rows)
        xp = self._xp
        counts = context = inputs = None
        if self.counts is not None and added.counts is not None:
            counts = np.concatenate([self.counts, added.counts])
        if self._context_vectors is not None and added._context_vectors is not None:
            context = xp.concat([self._context_vectors, added._context_vectors], axis=0)
        with_subwords = self.has_subwords or added.has_subwords
        if not with_subwords and (self._has_input_vectors or added._has_input_vectors):
            inputs = xp.concat([as_floats(self._input_vectors), as_floats(added._input_vectors)], axis=0)
        vectors = xp.concat([as_floats(self._vectors), as_floats(added._vectors)], axis=0)
        return type(self)(self.index_to_key + added.index_to_key, vectors, counts, context, input_vectors=inputs)

    def astype(self, dtype: Any) -> Self:
        """Return the same words with vectors that are stored as another type.

        Parameters
        ----------
        dtype : {"float16", "float32", "float64", "int8"}, or a NumPy dtype
            With "int8", each row is stored as integers from −127 to 127 and one float32 scale, the largest absolute
            value of the row divided by 127. The context vectors, the node vectors and, unless there are subwords, the
            input matrix are left out, because they are needed only for training. With "float16", numbers of 65,520 or
            more are refused, and numbers below 6e-5 lose digits.

        Returns
        -------
        WordVectors
            With "float16" and "int8", the vectors take a half and about a quarter of the memory of float32. Queries
            decode parts of the vectors when they use them. If the vectors already have this dtype, the result
            shares the matrices of this object.

        Raises
        ------
        ValueError
            If `dtype` is not supported by the array library, a value is too large for it, or with "int8" and "float16",
            a value is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> small = wv.astype("int8")
        >>> small
        WordVectors(3 words, 2 dimensions, int8)
        >>> small.most_similar("cat", topn=1)[0][0], small["dog"].tolist()
        ('dog', [4.0, 2.99...])
        """
        name = _dtype_name(dtype)
        matrices = {
            "vectors": self._vectors,
            "input_vectors": self._input_vectors if self._has_input_vectors else None,
            "context_vectors": self._context_vectors,
            "node_vectors": self._node_vectors,
        }
        if name == "int8":
            kept = ("vectors", "input_vectors") if self.has_subwords else ("vectors",)
            matrices = {key: matrix if key in kept else None for key, matrix in matrices.items()}
        converted = {key: self._converted(key, matrix, name) for key, matrix in matrices.items() if matrix is not None}
        words = self.index_to_key
        new = type(self)(words, counts=self.counts, settings=self.settings, subwords=self._subwords, **converted)
        return self._like_this(new)

    def _converted(self, name: str, matrix: Any, dtype: StoredType) -> Any:
        """Return one of the matrices as another type."""
        if str(matrix.dtype).rpartition(".")[2] == dtype:  # array_api_strict spells "array_api_strict.float32"
            return matrix
        if dtype != "int8" and not hasattr(self._xp, dtype):
            raise ValueError(f"dtype is {dtype!r}, which the array library of the vectors does not have; use NumPy")
        with on_device_of(storage(matrix)):
            matrix = as_floats(matrix)
            if dtype in _LIMITS:
                row, value = _first_too_large(matrix, _LIMITS[dtype], finite=dtype == "float32")
                if row >= 0:
                    what = f"row {row} of {name}"
                    if name in ("vectors", "input_vectors") and row < len(self):
                        what = f"the vector of {quote(self.index_to_key[row])}"
                    raise ValueError(
                        f"{what} contains {value:g}, which {dtype} cannot store; remove the word, or keep the type"
                    )
            return scaled_to_int8(matrix) if dtype == "int8" else self._xp.astype(matrix, getattr(self._xp, dtype))

    def align(self, other: WordVectors, words: Iterable[Key] | None = None) -> Self:
        """Rotate these vectors to match those of `other` as closely as possible (orthogonal Procrustes).

        The axes of a trained model are arbitrary, so vectors trained with different seeds, or on different corpora, are
        comparable only after alignment. The rotation can include a reflection. It preserves all similarities within
        the model.

        Parameters
        ----------
        other : WordVectors
            Vectors with the same number of dimensions.
        words : iterable of str or int, optional
            Words whose unit vectors are matched. All of them must be in both vocabularies. By default, all common
            words are used. At least D words are needed, because fewer do not determine the rotation.

        Returns
        -------
        WordVectors
            The same words, with rotated matrices. Subwords are kept.

        Raises
        ------
        UnknownWordError
            If one of `words` is missing from either vocabulary.
        ValueError
            If the numbers of dimensions differ, the vocabularies have no words in common, or fewer than D matched words
            have a direction in both. (If all words of these vectors are matched, any number is enough.)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> rotated = WordVectors(["cat", "dog", "car"], np.array([[0.0, 1], [-3, 4], [-1, 0]]))
        >>> rotated.align(wv).vectors.round(6) + 0.0
        array([[1., 0.],
               [4., 3.],
               [0., 1.]])
        """
        check_type("other", other, WordVectors, "WordVectors")
        if other.vector_size != self.vector_size:
            raise ValueError(
                f"these vectors have {self.vector_size} dimensions, but other has {other.vector_size}; both must have "
                "the same number"
            )
        common = [word for word in self if other._is_in_vocabulary(word)] if words is None else []
        anchors = common if words is None else _listed("words", words)
        if not anchors:
            raise ValueError(
                "align: the two vocabularies have no word in common; check their language and case"
                if words is None
                else "align: words is empty; omit it to use all common words"
            )
        xp, device = self._xp, self._device
        here, there = (
            to_host(take_rows(wv.stored_unit, [wv._row_in_vocabulary(word, "words") for word in anchors]))
            for wv in (self, other)
        )
        directed = np.flatnonzero(here.any(axis=1) & there.any(axis=1))
        n_matched = len({anchors[i] for i in directed.tolist()})
        if n_matched < min(self.vector_size, len(self)):
            raise ValueError(
                f"align: only {n_matched} matched words have a direction in both vocabularies, which leaves part of "
                f"the rotation of {self.vector_size} dimensions undetermined. At least {self.vector_size} such words "
                "are needed; match more words, or use vectors with fewer dimensions"
            )
        left, _, right = np.linalg.svd(here.astype(np.float64).T @ there.astype(np.float64))

        def turned(matrix: Any) -> Any:
            floats = at_least_single(as_floats(matrix))
            rotated = floats @ xp.asarray(left @ right, dtype=floats.dtype, device=device)
            return rotated if isinstance(matrix, ScaledRows) else xp.astype(rotated, matrix.dtype, copy=False)

        aligned = self._changed(self.index_to_key, self.counts, turned, turned, self._subwords)
        if self._node_vectors is not None:
            aligned.node_vectors = turned(self._node_vectors)
        return aligned

    # Files

    def save(self, path: str | PathLike[str], format: str | None = None) -> None:
        """Write the vectors to a file.

        Parameters
        ----------
        path : str or path
            If the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``, the file is compressed.
        format : str, optional
            One of `fastw2v.formats.FORMATS`. By default, the suffix determines the format.

        Raises
        ------
        FormatError
            If the suffix or `format` is unknown, or the format cannot represent a word or a value.
        OSError
            If the file cannot be written. The error names `path` and the reason.

        See Also
        --------
        fastw2v.formats.write : The function that writes the file.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.save("vectors.txt")
        >>> print(Path("vectors.txt").read_text(encoding="utf-8"), end="")
        3 2
        cat 1.0 0.0
        dog 4.0 3.0
        car 0.0 1.0
        """
        from fastw2v import formats

        check_path("path", path)
        formats.write(self._record(), path, format)

    def _record(self) -> VectorRecord:
        """Return everything that a file can store."""
        from fastw2v import formats

        inputs = self._input_vectors if self._has_input_vectors else None
        return formats.VectorRecord(
            self.index_to_key,
            self._vectors,
            self.counts,
            self._context_vectors,
            self.settings,
            inputs,
            self._node_vectors,
            self._subwords,
        )

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        format: str | None = None,
        *,
        errors: str = "strict",
        limit: int | None = None,
        encoding: str = "utf-8",
        duplicates: Duplicates = "error",
        sha256: str | None = None,
    ) -> Self:
        """Read vectors from a file.

        Parameters
        ----------
        path : str or path
            A file that is compressed with gzip, bzip2, xz or zstd is decompressed, whatever its name. A file at a URL
            that begins with ``https://`` or ``http://`` is downloaded once.
        format : str, optional
            One of `fastw2v.formats.FORMATS`. By default, the format is recognised from the contents of the file, or
            from the suffix if the contents are ambiguous.
        errors : {"strict", "surrogateescape", "replace", "ignore"}
            How to handle words that are not in `encoding`, as in `bytes.decode`.
        limit : int, optional
            Read only the first `limit` rows.
        encoding : str
            Encoding of the words in ``.bin``, ``.txt``, ``.vec``, ``.glove`` and ``.tsv`` files. It must be a
            superset of ASCII.
        duplicates : {"error", "first"}
            What to do if a word occurs more than once: raise an error, or keep the first row of each word and log a
            warning.
        sha256 : str, optional
            The SHA-256 checksum of the file at a URL, with which the download, or the copy of an earlier download, is
            verified. The checksum can also be part of the URL, after ``#sha256=``. Without one, a warning is logged
            that contains the checksum of the file.

        Returns
        -------
        WordVectors
            Word vectors in a NumPy array. For a ``.safetensors`` file, the array is memory-mapped and read-only, and
            the words are decoded when they are first needed. The matrices of a fastText model with n-grams are mapped
            as well, and its vectors are computed when they are first needed.

        Raises
        ------
        FormatError
            If the suffix or `format` is unknown, the file is truncated, damaged or not a vector file, or it contains a
            word twice and `duplicates` is "error". The words of a ``.safetensors`` file are checked when they are first
            needed.
        OSError
            If the file cannot be opened or downloaded, or the checksum of the download is wrong.
        ValueError
            If `limit` is below 1, `errors`, `encoding` or `duplicates` is not supported, the URL or the checksum is
            malformed, or a checksum is given for a file that is not downloaded.

        See Also
        --------
        fastw2v.formats.read : The function that reads the file.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> wv.save("vectors.bin")
        >>> WordVectors.load("vectors.bin", limit=2)
        WordVectors(2 words, 2 dimensions, float32)
        """
        from fastw2v import formats

        if not is_url(path):
            check_path("path", path)
        check_type("errors", errors, str, "'strict', 'surrogateescape', 'replace' or 'ignore'")
        if limit is not None:
            check_integer("limit", limit, minimum=1)
        record = formats.read(path, format, errors, limit, encoding=encoding, duplicates=duplicates, sha256=sha256)
        try:
            return cls(
                record.words,
                record.vectors,
                record.counts,
                record.context_vectors,
                record.settings,
                record.input_vectors,
                record.node_vectors,
                record.subwords,
            )
        except (ValueError, TypeError) as error:
            name = name_of_url(path) if is_url(path) else path
            raise formats.FormatError(f"{name}: {error}") from error

    @classmethod
    def from_pretrained(
        cls,
        name: str | PathLike[str],
        *,
        revision: str | None = None,
        filename: str | None = None,
        format: str | None = None,
        errors: str = "strict",
        limit: int | None = None,
        encoding: str = "utf-8",
        duplicates: Duplicates = "error",
    ) -> Self:
        """Read vectors from a repository on the Hugging Face Hub.

        The vectors are those in ``vectors.safetensors``, which `push_to_hub` writes, in a StaticEmbedding, or in the
        only file whose suffix is that of a vector file. They are downloaded once, by the package huggingface_hub, whose
        environment variables apply: ``HF_TOKEN``, ``HF_HOME``, ``HF_HUB_OFFLINE`` and ``HF_ENDPOINT``.

        Parameters
        ----------
        name : str or path
            A repository, such as "user/wiki-vectors", or the path of a local folder with the same files.
        revision : str, optional
            Branch, tag or commit. By default, it is the newest commit of the default branch.
        filename : str, optional
            The file to read, if the repository has several.
        format : str, optional
            The format of the file. A pickle of gensim is read only if this parameter is "gensim".
        errors, limit, encoding, duplicates
            See `load`.

        Returns
        -------
        WordVectors

        Raises
        ------
        fastw2v.hub.HubError
            If the repository or the revision does not exist, the repository is private, or the Hub cannot be reached
            and the files are not in the cache.
        FormatError
            If it is not clear which file contains the vectors, or the file cannot be read.
        ImportError
            If huggingface_hub is not installed.
        ValueError
            If `name` is not the name of a repository, or an argument of `load` is not supported.

        See Also
        --------
        load : Read vectors from a file or a URL.

        Examples
        --------
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> Path("wiki-vectors").mkdir()  # in place of a repository on the Hub, such as "user/wiki-vectors"
        >>> WordVectors(["cat", "dog", "car"], np.eye(3)).save("wiki-vectors/vectors.safetensors")
        >>> WordVectors.from_pretrained("wiki-vectors")
        WordVectors(3 words, 3 dimensions, float64)
        """
        from fastw2v import formats
        from fastw2v.hub.pretrained import find_pretrained, shown_path

        path = find_pretrained(name, revision, filename, format)
        try:
            return cls.load(path, format=format, errors=errors, limit=limit, encoding=encoding, duplicates=duplicates)
        except formats.FormatError as error:
            raise formats.FormatError(str(error).replace(str(path), shown_path(name, path))) from error

    def push_to_hub(
        self,
        name: str,
        *,
        license: str,
        language: str | Sequence[str] | None = None,
        corpus: str | None = None,
        scores: str | PathLike[str] | None = None,
        private: bool | None = None,
        commit_message: str | None = None,
    ) -> str:
        """Upload the vectors to a repository on the Hugging Face Hub, which is created if necessary.

        The repository gets ``vectors.safetensors`` with all data, the files of a StaticEmbedding for
        sentence-transformers if it can store the words, and a model card. All files are written to a temporary folder
        first and uploaded in one commit. In an existing model card, only the part that fastw2v wrote is replaced. A
        card without such a part is kept, and a warning is logged.

        Parameters
        ----------
        name : str
            Name of the repository, such as "user/wiki-vectors".
        license : str
            Identifier of the licence of the vectors on the Hub, such as "apache-2.0" or "cc-by-sa-4.0".
        language : str or sequence of str, optional
            Codes of the languages of the words, such as "ko", for the model card.
        corpus : str, optional
            Description of the text that the vectors were trained on, in Markdown, for the model card.
        scores : str or path, optional
            File with the output of ``fastw2v evaluate --json``, for the model card.
        private : bool, optional
            Whether a new repository is private. By default, it is public, unless the organization has another default.
        commit_message : str, optional

        Returns
        -------
        str
            The address of the commit.

        Raises
        ------
        fastw2v.hub.HubError
            If there is no token with write access, the repository contains another model, has a card with another
            licence or is public but `private` is true, or the Hub cannot be reached.
        ImportError
            If huggingface_hub is not installed.
        ValueError
            If the name, the licence or a language is not valid, or `scores` is not a file of scores.

        See Also
        --------
        from_pretrained : Read the vectors of a repository.
        save_pretrained : Write the files without uploading them.
        """
        from fastw2v.hub.upload import push_record

        return push_record(
            self._record(),
            name,
            license=license,
            language=language,
            corpus=corpus,
            scores=scores,
            private=private,
            commit_message=commit_message,
        )

    def save_pretrained(
        self,
        path: str | PathLike[str],
        name: str,
        *,
        license: str,
        language: str | Sequence[str] | None = None,
        corpus: str | None = None,
        scores: str | PathLike[str] | None = None,
    ) -> None:
        """Write the files that `push_to_hub` uploads to a folder.

        Parameters
        ----------
        path : str or path
            The folder to create. It must not exist yet.
        name, license, language, corpus, scores
            See `push_to_hub`.

        Raises
        ------
        FileExistsError
            If `path` exists.
        OSError
            If a file cannot be written.
        ValueError
            If the name, the licence or a language is not valid, or `scores` is not a file of scores.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.eye(3))
        >>> wv.save_pretrained("wiki-vectors", "user/wiki-vectors", license="cc-by-sa-4.0", language="en")
        >>> WordVectors.from_pretrained("wiki-vectors").index_to_key
        ['cat', 'dog', 'car']
        """
        from fastw2v import hub

        hub.write_folder(self._record(), path, name, license=license, language=language, corpus=corpus, scores=scores)

    # Helpers

    def _rows(self, words: Iterable[Any], name: str = "word") -> list[int]:
        """Return the row of each word in the parameter `name`, or −1 if a word outside the vocabulary has a vector."""
        get = self.key_to_index.get
        return [
            row if type(word) in (str, int) and (row := get(word)) is not None else find_word(self, word, name)
            for word in words
        ]

    def _named_rows(self, **words: Any) -> list[int]:
        """Return the row of each word, the value of a parameter of that name, or −1 as in `_rows`."""
        return [find_word(self, word, name) for name, word in words.items()]

    def _with_rows(self, rows: list[int]) -> Self:
        if not rows:
            raise ValueError("the result has no words; WordVectors must have at least one word")
        words = [self.index_to_key[row] for row in rows]
        counts = None if self.counts is None else self.counts[rows]
        return self._selected(words, counts, lambda matrix: select_rows(matrix, rows))

    def _sliced(self, rows: slice) -> Self:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            return self._with_rows(list(range(start, stop, step)))
        if start >= stop:
            raise ValueError(f"{rows} of {len(self):,} words is empty; WordVectors must have at least one word")
        counts = None if self.counts is None else self.counts[start:stop]
        return self._selected(
            self.index_to_key[start:stop], counts, lambda matrix: _independent(_part(matrix, start, stop))
        )

    @property
    def _has_input_vectors(self) -> bool:
        """Whether W_in differs from `vectors`."""
        return self._result is not self._input_vectors

    def _selected(self, words: list[Any], counts: Any, select: Callable[[Any], Any]) -> Self:
        """Return some of the words, whose rows a function selects. The rows of all n-grams are kept."""
        old = self._subwords
        if old is None:
            return self._changed(words, counts, select, select)
        subwords, W_in = select_words(old, self._input_vectors, words, len(words), select)
        if W_in is self._input_vectors:
            W_in = _independent(W_in)
        return self._changed(words, counts, select, lambda _: W_in, subwords)

    def _changed(
        self,
        words: Sequence[Key],
        counts: Any,
        change: Callable[[Any], Any],
        change_input: Callable[[Any], Any],
        subwords: Subwords | None = None,
    ) -> Self:
        """Return other words with all matrices changed by functions, except those of the inner nodes."""
        return self._like_this(
            type(self)(
                words,
                change(self._vectors),
                counts,
                None if self._context_vectors is None else change(self._context_vectors),
                self.settings,
                change_input(self._input_vectors) if self._has_input_vectors else None,
                subwords=subwords,
            )
        )

    def _like_this(self, other: Self) -> Self:
        """Return another object, which is as strict as this one."""
        other.strict = self.strict
        return other

    def _searched(self, clip_start: int, clip_end: int | None, restrict_vocab: int | None) -> tuple[int, int]:
        """Return the first row to search and the row after the last."""
        if restrict_vocab is not None:
            check_integer("restrict_vocab", restrict_vocab, minimum=0)
            return 0, min(restrict_vocab, len(self))
        check_integer("clip_start", clip_start, minimum=0)
        if clip_end is None:
            return min(clip_start, len(self)), len(self)
        check_integer("clip_end", clip_end, minimum=0)
        return min(clip_start, len(self)), min(clip_end, len(self))

    def _ranked_rows(self, query: Any, left_out: list[int], topn: int | None, start: int, stop: int) -> Any:
        """Return the words nearest to one query, shape (1, D), among the rows ``start:stop``."""
        # Queries on all rows pass the same array, so that those of several threads can be scored together.
        unit = _part(self.stored_unit, start, stop)
        if topn is None:
            return products(unit, query)[0, :]
        hidden = sorted({row - start for row in left_out if start <= row < stop})
        k = min(_checked_topn(topn), max(0, stop - start - len(hidden)))
        if not k:
            return []
        pairs = np.array([(0, row) for row in hidden], dtype=np.int64).reshape(-1, 2)
        rows, cosines = nearest_rows(unit, query, k, pairs)
        found = zip(to_host(rows)[0].tolist(), to_host(cosines)[0].tolist(), strict=True)
        return [(self.index_to_key[start + row], cosine) for row, cosine in found]


def _dtype_name(dtype: Any) -> StoredType:
    """Return the name of a dtype in which vectors can be stored."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or getattr(dtype, "name", None)
    supported: tuple[StoredType, ...] = get_args(StoredType)
    for one in supported:
        if one == name:
            return one
    raise ValueError(f"dtype is {quote(dtype)}; it must be one of {', '.join(map(repr, supported))}")


def _protected(matrix: Any) -> Any:
    """Return read-only `ScaledRows`. Arrays are returned as they are, because training changes them."""
    return read_only(matrix) if isinstance(matrix, ScaledRows) else matrix


def _first_too_large(matrix: Any, limit: float, finite: bool) -> tuple[int, float]:
    """Return the first row with an absolute value that is not below a limit, and the largest one, or −1 and 0.

    NaN is not below the limit. If `finite` is true, NaN and infinity are ignored.
    """
    xp = get_namespace(matrix)
    step = max(1, 2**20 // matrix.shape[1])
    for start in range(0, matrix.shape[0], step):
        values = xp.abs(matrix[start : min(start + step, matrix.shape[0]), :])
        if finite:
            values = xp.where(xp.isfinite(values), values, 0.0)
        largest = to_host(xp.max(values, axis=1)).astype(np.float64)  # float16 cannot hold the limit
        if not (fits := largest < limit).all():
            row = int(np.argmin(fits))
            return start + row, float(largest[row])
    return -1, 0.0


def _is_compact(matrix: Any) -> bool:
    """Return whether a matrix is stored in fewer bits than float32: as int8 or float16."""
    return isinstance(matrix, ScaledRows) or matrix.dtype == getattr(get_namespace(matrix), "float16", None)


def _part(matrix: Any, start: int, stop: int) -> Any:
    """Return rows of an array or of `ScaledRows` without copying them, or the matrix itself if these are all rows.

    Queries on all rows pass the same matrix, so that those of several threads can be scored together.
    """
    if (start, stop) == (0, matrix.shape[0]):
        return matrix
    return select_rows(matrix, slice(start, stop))


def _writable(W: Any) -> Any:
    """Return an array that can be changed: the array itself, or a copy if it is a read-only NumPy array."""
    return W.copy() if is_numpy(W) and not W.flags.writeable else W


def _independent(rows: Any) -> Any:
    """Return a copy of rows that training could change. Rows of a memory-mapped file are returned as they are."""
    if isinstance(rows, ScaledRows):  # never changed in place
        return rows
    if is_numpy(rows) and not rows.flags.writeable:
        return rows
    with on_device_of(rows):
        return get_namespace(rows).asarray(rows, copy=True)


def _checked_topn(topn: int) -> int:
    check_integer("topn", topn, minimum=0)
    return operator.index(topn)


def _listed(name: str, words: Iterable[Any]) -> list[Any]:
    """Return a parameter that must be a list of words as a list."""
    check_items(name, words, "a list of words")
    return list(words)


def _number(name: str, value: Any) -> float:
    """Return an item of a parameter that must be a list of finite numbers."""
    check_range(name, value)
    return float(value)
