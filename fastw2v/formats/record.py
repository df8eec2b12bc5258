"""The contents of a word-vector file as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from fastw2v.config import check_integer
from fastw2v.corpus.subwords import Subwords
from fastw2v.utils.checks import check_counts, check_keys, check_matrix, index_keys

__all__ = ["MATRICES", "VectorRecord", "check_record"]

MATRICES = ("vectors", "context_vectors", "input_vectors", "node_vectors")
"""Names of the matrices of a record. All but the first are optional."""


@dataclass(frozen=True, eq=False, repr=False)
class VectorRecord:
    """The words, vectors and other data in a file, as returned by readers and accepted by writers.

    The constructor performs no checks. Records are checked by `WordVectors` after reading, and by `check_record` before
    writing.

    Parameters
    ----------
    words : sequence of str or int, or function that returns a sequence
        V words. A function is called when the words are first needed.
    vectors : float array, shape (V, D)
        An array of any array library.
    counts : integer array, shape (V,), optional
        Number of occurrences of each word in the corpus.
    context_vectors : float array, shape (V, D), optional
        Output vectors of the words, the rows of W_out that negative sampling trains.
    settings : dict, optional
        Training settings. Any data that JSON can represent is allowed.
    input_vectors : float array, shape (V, D), optional
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
            contains all words, unless all words are returned.

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
        arrays = [self.vectors, self.counts, self.context_vectors, self.input_vectors, self.node_vectors]
        arrays = [array for array in arrays if array is not None]
        if len({array.shape[:1] for array in arrays}) > 1:
            shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
            raise ValueError(f"the arrays have shapes {shapes}; all must have one row for each word")
        return VectorRecord(
            partial(_first_words, self, n) if callable(self.words) else self.words[:n],
            self.vectors[:n],
            None if self.counts is None else self.counts[:n],
            None if self.context_vectors is None else self.context_vectors[:n],
            self.settings,
            None if self.input_vectors is None else self.input_vectors[:n],
            self.node_vectors if n >= self.vectors.shape[0] else None,
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
    matrix = check_matrix("vectors", record.vectors)
    index_keys(check_keys(record.index_to_key, matrix.shape[0]))
    if record.counts is not None:
        check_counts(record.counts, matrix.shape[0])
    for name in MATRICES[1:]:
        other = getattr(record, name)
        if other is not None and check_matrix(name, other).shape != matrix.shape:
            raise ValueError(
                f"{name} has shape {tuple(other.shape)}; it must have the same shape as vectors, {tuple(matrix.shape)}"
            )


def _first_words(record: VectorRecord, n: int) -> list[Any]:
    return record.index_to_key[:n]
