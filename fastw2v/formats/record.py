"""The contents of a word-vector file as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_integer
from fastw2v.corpus.subwords import Subwords, select_words
from fastw2v.nn.subwords import word_means
from fastw2v.utils.checks import check_counts, check_keys, check_matrix, check_stored_matrix, index_keys
from fastw2v.utils.quote import counted
from fastw2v.utils.scaled_rows import as_floats, select_rows

__all__ = ["INT8_MATRICES", "MATRICES", "VectorRecord", "check_record", "take_words", "with_floats", "with_vectors"]

MATRICES = ("vectors", "context_vectors", "input_vectors", "node_vectors")
"""Names of the matrices of a record. All but the first are optional."""
INT8_MATRICES = ("vectors", "input_vectors")
"""Names of the matrices that can be `ScaledRows`."""


@dataclass(frozen=True, eq=False, repr=False)
class VectorRecord:
    """The words, vectors and other data in a file, as returned by readers and accepted by writers.

    The constructor performs no checks. Records are checked by `WordVectors` after reading, and by `check_record` before
    writing.

    Parameters
    ----------
    words : sequence of str or int, or function that returns a sequence
        V words. A function is called when the words are first needed.
    vectors : float array or ScaledRows, shape (V, D), or None
        An array of any array library, or rows of int8 with a scale each. With `subwords`, None stands for the means of
        rows of `input_vectors`, which `WordVectors` and `write` compute.
    counts : integer array, shape (V,), optional
        Number of occurrences of each word in the corpus.
    context_vectors : float array, shape (V, D), optional
        Output vectors of the words, the rows of W_out that negative sampling trains.
    settings : dict, optional
        Training settings. Any data that JSON can represent is allowed.
    input_vectors : float array or ScaledRows, shape (V, D), optional
        Input matrix of the model, W_in, if it differs from `vectors`.
    node_vectors : float array, shape (V, D), optional
        Vectors of the inner nodes of the Huffman tree for `counts`, the rows of W_out that hierarchical softmax trains.
    subwords : Subwords, optional
        The rows of `input_vectors`, whose shape is then (R, D), and the rows of each word.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> VectorRecord(["sun", "moon"], np.ones((2, 3)))
    VectorRecord(vectors of shape (2, 3), float64)
    """

    words: Sequence[Any] | Callable[[], Sequence[Any]]
    vectors: Any
    counts: Any = None
    context_vectors: Any = None
    settings: Any = None
    input_vectors: Any = None
    node_vectors: Any = None
    subwords: Subwords | None = None

    def __repr__(self) -> str:
        if self.vectors is None:
            return f"VectorRecord(input_vectors of shape {tuple(self.input_vectors.shape)}, {self.input_vectors.dtype})"
        return f"VectorRecord(vectors of shape {tuple(self.vectors.shape)}, {self.vectors.dtype})"

    @cached_property
    def index_to_key(self) -> list[Any]:
        """The words, in row order: list of str or int.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.formats import VectorRecord
        >>> VectorRecord(lambda: "sun moon".split(), np.ones((2, 3))).index_to_key  # calls the function
        ['sun', 'moon']
        """
        return list(self.words() if callable(self.words) else self.words)

    def first(self, n: int) -> VectorRecord:
        """Return a record of the first `n` words. If `words` is a function, the function is not called yet.

        Parameters
        ----------
        n : int

        Returns
        -------
        VectorRecord
            Record whose arrays are views of the arrays of this record. It has no node vectors, because the tree
            contains all words, unless all words are returned. With subwords, it keeps the rows of all n-grams, and
            `input_vectors` is a copy.

        Raises
        ------
        ValueError
            If the arrays differ in their number of rows.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.formats import VectorRecord
        >>> record = VectorRecord(["sun", "moon", "star"], np.ones((3, 2)), counts=np.array([9, 4, 2]))
        >>> first = record.first(2)
        >>> first.words, first.vectors.shape, first.counts.tolist()
        (['sun', 'moon'], (2, 2), [9, 4])
        """
        check_integer("n", n, minimum=1)
        arrays = [self.vectors, self.counts, self.context_vectors, self.node_vectors]
        if self.subwords is None:
            arrays.append(self.input_vectors)
        arrays = [array for array in arrays if array is not None]
        if len({array.shape[:1] for array in arrays}) > 1:
            shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
            raise ValueError(f"the arrays have shapes {shapes}; all must have one row for each word")
        V = self.vectors.shape[0] if self.subwords is None else self.subwords.n_words
        if n >= V:
            return self
        words = partial(_first_words, self, n) if callable(self.words) else self.words[:n]
        return _selected(self, words, lambda array: select_rows(array, slice(n)))


def take_words(record: VectorRecord, rows: np.ndarray) -> VectorRecord:
    """Return a record of some of the words, in the given order. All arrays are copies.

    Parameters
    ----------
    record : VectorRecord
    rows : int array, shape (n,)

    Returns
    -------
    VectorRecord
        It has no node vectors, because the tree contains all words. It keeps the rows of all n-grams.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.record import take_words
    >>> record = VectorRecord(["sun", "moon", "star"], np.ones((3, 2)), counts=np.array([9, 4, 2]))
    >>> take_words(record, np.array([2, 0])).counts.tolist()
    [2, 9]
    """
    words = record.index_to_key
    return _selected(record, [words[row] for row in rows.tolist()], lambda array: select_rows(array, rows))


def with_vectors(record: VectorRecord) -> VectorRecord:
    """Return a record whose `vectors` are not None: if they are, they are computed from the rows of words and n-grams.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.record import with_vectors
    >>> subwords = Subwords(["am"], NGrams(min_n=3, max_n=6, bucket=1000))
    >>> W_in = np.array([[8.0], [1.0], [1.0], [2.0]])
    >>> with_vectors(VectorRecord(["am"], None, input_vectors=W_in, subwords=subwords)).vectors.tolist()
    [[3.0]]
    """
    if record.vectors is not None or record.subwords is None:
        return record
    W_in = to_host(as_floats(record.input_vectors))
    return replace(record, vectors=word_means(W_in, record.subwords.n_words, record.subwords.blocks()))


def with_floats(record: VectorRecord) -> VectorRecord:
    """Return a record whose matrices are float arrays. Those stored as int8 are decoded.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.record import with_floats
    >>> from fastw2v.utils.scaled_rows import ScaledRows
    >>> vectors = ScaledRows(np.array([[2]], np.int8), np.array([0.5], np.float32))
    >>> with_floats(VectorRecord(["am"], vectors)).vectors.tolist()
    [[1.0]]
    """
    return replace(record, **{name: as_floats(getattr(record, name)) for name in INT8_MATRICES})


def _selected(record: VectorRecord, words: Any, select: Callable[[Any], Any]) -> VectorRecord:
    """Return a record of some words, whose rows a function selects."""

    def selected(array: Any) -> Any:
        return None if array is None else select(array)

    inputs, subwords = record.input_vectors, record.subwords
    if subwords is None:
        inputs = selected(inputs)
    else:
        kept = select(np.arange(subwords.n_words))
        subwords, inputs = select_words(subwords, inputs, words, len(kept), select)
    return VectorRecord(
        words,
        selected(record.vectors),
        selected(record.counts),
        selected(record.context_vectors),
        record.settings,
        inputs,
        subwords=subwords,
    )


def check_record(record: VectorRecord) -> None:
    """Check that the words of a record are distinct and that each array has one row for each word.

    Parameters
    ----------
    record : VectorRecord

    Raises
    ------
    TypeError, ValueError
        If the record is inconsistent.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.record import check_record
    >>> check_record(VectorRecord(["sun", "moon"], np.ones((2, 3)), context_vectors=np.ones((2, 4))))
    Traceback (most recent call last):
        ...
    ValueError: context_vectors has shape (2, 4); it must have the same shape as vectors, (2, 3)
    """
    subwords = record.subwords
    if subwords is None or record.vectors is not None:
        shape = tuple(check_stored_matrix("vectors", record.vectors).shape)
    else:
        shape = subwords.n_words, check_stored_matrix("input_vectors", record.input_vectors).shape[1]
    index_to_key = check_keys(record.index_to_key, shape[0])
    index_keys(index_to_key)
    if record.counts is not None:
        check_counts(record.counts, shape[0])
    for name in MATRICES[1:]:
        other = getattr(record, name)
        expected = (subwords.n_rows, shape[1]) if subwords is not None and name == "input_vectors" else shape
        check = check_stored_matrix if name in INT8_MATRICES else check_matrix
        if other is not None and check(name, other).shape != expected:
            raise ValueError(
                f"{name} has shape {tuple(other.shape)}; it must have the same shape as vectors, {shape}"
                if expected == shape
                else f"{name} has shape {tuple(other.shape)}; with these subwords, it must have shape {expected}"
            )
    if subwords is not None and (record.input_vectors is None or subwords.n_words != shape[0]):
        raise ValueError(
            f"the subwords are those of {counted(subwords.n_words, 'word')}, or there are no input_vectors; pass the "
            "subwords and the matrix of the same model"
        )


def _first_words(record: VectorRecord, n: int) -> list[Any]:
    return record.index_to_key[:n]
