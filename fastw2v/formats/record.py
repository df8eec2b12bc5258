"""What a file of word vectors holds, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from fastw2v.utils.checks import check_counts, check_keys, check_matrix, index_keys

__all__ = ["VectorRecord", "check_record"]


@dataclass(frozen=True, eq=False, repr=False)
class VectorRecord:
    """Words, their vectors and what is stored beside them: what readers return and writers take.

    Making one checks nothing: `WordVectors` checks what was read, `check_record` what is to be written.

    Parameters
    ----------
    words : sequence of str or of int, or a function that returns one
        V words. A function is called when the words are first needed.
    vectors : float array, shape (V, D)
        Of any array library.
    counts : integer array, shape (V,), optional
        How often each word occurred in the corpus.
    context_vectors : float array, shape (V, D), optional
        The output side of the model, W_out.
    settings : dict, optional
        How the vectors were made; anything that JSON can hold.
    """

    words: Sequence[Any] | Callable[[], Sequence[Any]]
    vectors: Any
    counts: Any = None
    context_vectors: Any = None
    settings: Any = None

    def __repr__(self) -> str:
        return f"VectorRecord(vectors of shape {tuple(self.vectors.shape)}, {self.vectors.dtype})"

    @cached_property
    def index_to_key(self) -> list[Any]:
        """The words, in the order of the rows."""
        return list(self.words() if callable(self.words) else self.words)

    def first(self, n: int) -> VectorRecord:
        """Return a record of the first `n` words; words that are decoded when needed stay so.

        Raises
        ------
        ValueError
            If the arrays differ in their numbers of rows.
        """
        arrays = [array for array in (self.vectors, self.counts, self.context_vectors) if array is not None]
        if len({array.shape[:1] for array in arrays}) > 1:
            shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
            raise ValueError(f"the arrays have shapes {shapes}; they must have one row for each word")
        return VectorRecord(
            partial(_first_words, self, n) if callable(self.words) else self.words[:n],
            self.vectors[:n],
            None if self.counts is None else self.counts[:n],
            None if self.context_vectors is None else self.context_vectors[:n],
            self.settings,
        )


def check_record(record: VectorRecord) -> None:
    """Raise TypeError or ValueError unless a record holds distinct words with one row each in every array."""
    matrix = check_matrix("vectors", record.vectors)
    index_keys(check_keys(record.index_to_key, matrix.shape[0]))
    if record.counts is not None:
        check_counts(record.counts, matrix.shape[0])
    if (
        record.context_vectors is not None
        and check_matrix("context_vectors", record.context_vectors).shape != matrix.shape
    ):
        raise ValueError(
            f"context_vectors has shape {tuple(record.context_vectors.shape)}; it must be that of vectors, "
            f"{tuple(matrix.shape)}"
        )


def _first_words(record: VectorRecord, n: int) -> list[Any]:
    return record.index_to_key[:n]
