"""The data that the page shows of a model: its words, their places on the map, their clusters and counts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.plot import METHOD_NAMES, Method, clusters, plane
from fastw2v.plot.kmeans import suitable_number, typical_rows
from fastw2v.utils.scaled_rows import as_floats, scaled_to_int8, select_rows
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["MAP_WORDS", "Model", "encode_array", "encode_points"]

MAP_WORDS = 100_000
"""Number of words on the map by default, starting with the most frequent."""


class Model:
    """A model and the words of it that are on the map.

    Parameters
    ----------
    vectors : WordVectors
    name : str
        Name to show, such as that of the file.
    words : sequence of str or int, optional
        Words to show on the map. By default, the first `top` words.
    top : int
        Number of words on the map if `words` is None.

    Attributes
    ----------
    vectors, name
        The constructor arguments of the same names.
    words : list of str or int
        The n words on the map.
    unit : float array, shape (n, D)
        Their vectors, scaled to unit length. The row of a word without a direction is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.explore.content import Model
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> Model(wv, "animals", top=2).words
    ['cat', 'dog']
    """

    def __init__(
        self, vectors: WordVectors, name: str, words: Sequence[Any] | None = None, top: int = MAP_WORDS
    ) -> None:
        self.vectors, self.name = vectors, name
        self.words = vectors.index_to_key[:top] if words is None else list(dict.fromkeys(words))
        if words is None:
            unit = as_floats(select_rows(vectors.stored_unit, slice(0, len(self.words))))
        else:
            unit = WordVectors(self.words, vectors[self.words]).unit_vectors  # words with subwords may have no row
        self.unit = np.asarray(to_host(unit))

    def places(self, method: Method) -> np.ndarray:
        """Return the coordinates of the words on the map: float array, shape (n, 2).

        Fewer than three words have no projection. They are placed side by side.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.explore.content import Model
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> Model(wv, "animals", top=2).places("pca").tolist()
        [[0.0, 0.0], [1.0, 0.0]]
        """
        if len(self.words) < 3:
            return np.array([[0.0, 0.0], [1.0, 0.0]])[: len(self.words)]
        return plane(self.unit, method)

    def described(self, points: np.ndarray, method: Method, rows: bool) -> dict[str, Any]:
        """Return the data of the model as objects that JSON can represent. Arrays are encoded as base64.

        Parameters
        ----------
        points : float array, shape (n, 2)
        method : Method
            The projection of `points`.
        rows : bool
            Whether to include the vectors, as int8.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.explore.content import Model
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
        >>> model = Model(wv, "animals")
        >>> data = model.described(model.places("pca"), "pca", rows=False)
        >>> data["words"], data["method"], data["n_words"]
        (['cat', 'dog', 'car'], 'PCA', 3)
        """
        labels = clusters(self.unit, suitable_number(len(self.words)))
        data = {
            "name": self.name,
            "n_words": len(self.vectors),
            "dimensions": self.vectors.vector_size,
            "method": METHOD_NAMES[method],
            "pending": None,
            "words": list(map(str, self.words)),
            "counts": self._counts(),
            "points": encode_points(points),
            "clusters": encode_array(labels.astype(np.uint8)),
            "cluster_words": [[str(self.words[row]) for row in rows] for rows in typical_rows(self.unit, labels)],
        }
        if rows:
            scaled = scaled_to_int8(self.unit)
            data |= {"values": encode_array(scaled.values), "scales": encode_array(scaled.scales.astype("<f4"))}
        return data

    def _counts(self) -> list[int] | None:
        counts = self.vectors.counts
        if counts is None:
            return None
        found = [self.vectors.get_index(word, -1) for word in self.words]
        return [int(counts[row]) if row >= 0 else 0 for row in found]


def encode_array(array: np.ndarray) -> str:
    """Return the bytes of an array, in row order, as base64.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.explore.content import encode_array
    >>> encode_array(np.array([0, 1, 2], np.uint8))
    'AAEC'
    """
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def encode_points(points: np.ndarray) -> str:
    """Return coordinates as base64: little-endian float32, scaled so that the largest magnitude is 1.

    Examples
    --------
    >>> import base64
    >>> import numpy as np
    >>> from fastw2v.explore.content import encode_points
    >>> np.frombuffer(base64.b64decode(encode_points(np.array([[2.0, 0], [0, -4]]))), "<f4").tolist()
    [0.5, 0.0, 0.0, -1.0]
    """
    largest = max(float(np.abs(points).max(initial=0)), 1e-30)
    return encode_array((points / largest).astype("<f4"))
