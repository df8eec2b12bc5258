"""Approximate nearest neighbours with the HNSW graphs of usearch or faiss.

A hierarchical navigable small world (HNSW) graph links every word to a few nearby words (Malkov and Yashunin, 2016). A
search follows the links from word to word towards the query. It compares the query with a few hundred words instead of
all words, so it can miss some neighbours. `HNSWIndex.recall` measures the share of neighbours that the index finds.
"""

from __future__ import annotations

import hashlib
import importlib
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_integer
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.checks import check_path, check_type
from fastw2v.utils.quote import quote
from fastw2v.vectors.neighbors import nearest_rows
from fastw2v.vectors.query import VectorTable, query_matrix, weighted_sum

__all__ = ["Backend", "HNSWIndex"]

Backend = Literal["usearch", "faiss"]


class HNSWIndex:
    """An index over word vectors for fast, approximate similarity queries.

    Build an index with `WordVectors.index`, then call its methods, for example ``wv.index().most_similar("cat")``.

    Parameters
    ----------
    vectors : WordVectors
    backend : {"usearch", "faiss"}
        Package that builds and searches the graph.
    M : int
        Number of links of each word, at least 2. More links improve recall but cost memory and build time.
    ef_construction : int
        Number of candidates to consider when a word is inserted. More candidates improve recall but cost build time.
    ef_search : int
        Number of candidates to consider in a search, or the number of words to return if that number is larger.

    Attributes
    ----------
    vectors, backend
        The constructor arguments of the same names.
    ef_search : int
        Number of candidates to consider in a search, which can be changed at any time. A larger number improves recall
        but makes searches slower.

    Raises
    ------
    ImportError
        If the package named by `backend` is not installed.
    TypeError
        If `M`, `ef_construction` or `ef_search` is not an integer.
    ValueError
        If `backend` is not supported, `M` is below 2, or `ef_construction` or `ef_search` is below 1.

    Notes
    -----
    If the vectors change after the index was built, for example because training continues, the index is outdated.
    Its searches and `save` then raise RuntimeError.

    See Also
    --------
    WordVectors.nearest : Exact search, which is faster for many queries at once.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors import HNSWIndex
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    >>> HNSWIndex(wv, ef_search=64)
    HNSWIndex(WordVectors(3 words, 2 dimensions, float64), 'usearch', ef_search=64)
    """

    def __init__(
        self,
        vectors: VectorTable,
        backend: Backend = "usearch",
        M: int = 16,
        ef_construction: int = 128,
        ef_search: int = 128,
    ) -> None:
        check_type("vectors", vectors, VectorTable, "WordVectors")
        check_integer("M", M, minimum=2)
        check_integer("ef_construction", ef_construction, minimum=1)
        check_integer("ef_search", ef_search, minimum=1)
        self.vectors = vectors
        self.backend = backend
        self.ef_search = ef_search
        self._unit_vectors = vectors.unit_vectors
        self._graph = _graph_kind(backend).built(_single(self._unit_vectors), M, ef_construction)

    def __repr__(self) -> str:
        return f"HNSWIndex({self.vectors!r}, {self.backend!r}, ef_search={self.ef_search})"

    def most_similar(self, positive: Any = (), negative: Any = (), topn: int = 10) -> list[tuple[Any, float]]:
        """Return words near a word, or near a weighted sum of words and vectors.

        This is an approximation of `WordVectors.most_similar`.

        Parameters
        ----------
        positive, negative : word, vector, or list of words and vectors
            Terms to add and to subtract, optionally with weights, as in `WordVectors.most_similar`.
        topn : int
            Maximum number of words to return.

        Returns
        -------
        list of (str or int, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If a word is unknown.
        ValueError
            If no terms are given, a vector has the wrong shape, `topn` is negative, or the sum is zero or not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
        >>> [(word, round(cosine, 2)) for word, cosine in wv.index().most_similar("cat")]
        [('dog', 0.8), ('car', 0.0)]
        """
        query, rows = weighted_sum(self.vectors, positive, negative)
        return self._found(query, np.array([(0, row) for row in rows], dtype=np.int64).reshape(-1, 2), topn)[0]

    def nearest(self, queries: Any, topn: int = 10) -> list[list[tuple[Any, float]]]:
        """Return words near each of many queries.

        This is an approximation of `WordVectors.nearest`.

        Parameters
        ----------
        queries : iterable of n words and vectors, or float array, shape (n, D)
            A word is excluded from its own result.
        topn : int
            Maximum number of words to return for each query.

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
            If a vector has the wrong shape, a query has no direction, or `topn` is negative.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
        >>> [[word for word, _ in found] for found in wv.index().nearest(["cat", "car"], topn=1)]
        [['dog'], ['dog']]
        """
        matrix, left_out = query_matrix(self.vectors, queries)
        return self._found(matrix, left_out, topn)

    def recall(self, topn: int = 10, sample: int = 1000, seed: int = 0) -> float:
        """Return the share of true nearest neighbours that the index finds, measured on a random sample of words.

        Parameters
        ----------
        topn : int
            Number of neighbours to search for.
        sample : int
            Number of query words, drawn at random from the words that have a direction.
        seed : int
            Random seed of the sample.

        Returns
        -------
        float
            Recall, from 0 to 1. A word counts as a true neighbour if its cosine is at least that of the `topn`-th exact
            neighbour, with a tolerance of 1e-6.

        Raises
        ------
        ValueError
            If `topn` or `sample` is below 1, or fewer than two words have a direction.

        Examples
        --------
        In a small vocabulary, the index finds all neighbours:

        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> vectors = np.random.default_rng(0).normal(size=(100, 8))
        >>> WordVectors([f"w{i}" for i in range(100)], vectors).index().recall(topn=5)
        1.0
        """
        check_integer("topn", topn, minimum=1)
        check_integer("sample", sample, minimum=1)
        check_integer("seed", seed, minimum=0)
        unit = _single(self.vectors.unit_vectors)
        known = np.flatnonzero(unit.any(axis=1))
        if len(known) < 2:
            raise ValueError("recall needs at least two words with a direction, that is, a finite and non-zero vector")
        asked = np.random.default_rng(seed).choice(known, size=min(sample, len(known)), replace=False)
        own = np.stack([np.arange(len(asked)), asked], axis=1)
        topn = min(topn, len(unit) - 1)
        _, exact = nearest_rows(unit, unit[asked], topn, own)
        rows, cosines = self._search(unit[asked], topn + 1)
        hits = (cosines >= exact[:, -1:] - 1e-6) & (rows != asked[:, None]) & (rows >= 0)
        return float(np.minimum(hits.sum(axis=1), topn).mean() / topn)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the graph to a file.

        The file does not contain the word vectors. Save them with `WordVectors.save`, because `load` needs them.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.vectors import HNSWIndex
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
        >>> wv.index().save("words.index")
        >>> HNSWIndex.load("words.index", wv).most_similar("car", topn=1)[0][0]
        'dog'
        """
        from fastw2v.formats.safetensors import write_tensors

        check_path("path", path)
        self._check_current()
        graph = self._graph.to_bytes()
        metadata = {
            "format": "fastw2v index",
            "backend": self.backend,
            "ef_search": str(self.ef_search),
            "graph": _digest(graph, self.backend, str(self.ef_search)),
            "vectors": _digest(to_host(self.vectors.vectors)),
        }
        with atomic_write(Path(path)) as temporary, temporary.open("wb") as file:
            write_tensors(file, {"graph": graph}, metadata)

    @classmethod
    def load(cls, path: str | PathLike[str], vectors: VectorTable) -> HNSWIndex:
        """Read an index from a file written by `save`.

        Parameters
        ----------
        path : str or path
        vectors : WordVectors
            The word vectors from which the index was built.

        Raises
        ------
        ImportError
            If the package that built the graph is not installed.
        ValueError
            If the file is damaged or is not an index, or the index was built from different vectors.
        OSError
            If the file cannot be read.

        Notes
        -----
        Load only files from a trusted source. Checksums detect damaged files and mismatched vectors. However, a
        malicious file can have valid checksums, and usearch and faiss do not validate their input.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import WordVectors
        >>> from fastw2v.vectors import HNSWIndex
        >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
        >>> wv.index().save("words.index")
        >>> HNSWIndex.load("words.index", wv)
        HNSWIndex(WordVectors(3 words, 2 dimensions, float64), 'usearch', ef_search=128)
        >>> HNSWIndex.load("words.index", wv - ["car"])
        Traceback (most recent call last):
            ...
        ValueError: words.index: the index was built from different vectors; rebuild it with WordVectors.index
        """
        from safetensors import SafetensorError, safe_open

        check_path("path", path)
        check_type("vectors", vectors, VectorTable, "WordVectors")
        Path(path).open("rb").close()  # raises the usual OSError if the file is missing or unreadable
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                graph = file.get_tensor("graph") if metadata.get("format") == "fastw2v index" else None
        except SafetensorError as error:
            raise ValueError(
                f"{path}: the file is truncated, damaged, or not an index ({error}); rebuild it with WordVectors.index"
            ) from error
        if graph is None:
            raise ValueError(f"{path}: the file is not an index; to read word vectors, use WordVectors.load")
        backend, ef_search = metadata.get("backend", ""), metadata.get("ef_search", "")
        # The packages do not validate their input, so a damaged graph could crash the process.
        if _digest(graph, backend, ef_search) != metadata.get("graph"):
            raise ValueError(f"{path}: the index is damaged; rebuild it with WordVectors.index")
        if _digest(to_host(vectors.vectors)) != metadata.get("vectors"):
            raise ValueError(f"{path}: the index was built from different vectors; rebuild it with WordVectors.index")
        index = cls.__new__(cls)
        index.vectors, index.backend, index.ef_search = vectors, backend, int(ef_search)
        index._unit_vectors = vectors.unit_vectors
        index._graph = _graph_kind(backend).from_bytes(graph)
        return index

    def _found(self, queries: Any, left_out: np.ndarray, topn: int) -> list[list[tuple[Any, float]]]:
        """Return the words and cosines of each query. `left_out` holds (query, row) pairs to exclude."""
        check_integer("topn", topn, minimum=0)
        queries = _single(queries)
        most = int(np.bincount(left_out[:, 0]).max(initial=0))
        rows, cosines = self._search(queries, topn + most if topn else 0)
        hidden: list[set[int]] = [set() for _ in queries]
        for query, row in left_out.tolist():
            hidden[query].add(row)
        words = self.vectors.index_to_key
        return [
            [(words[row], cosine) for row, cosine in zip(*pair, strict=True) if row >= 0 and row not in own][:topn]
            for *pair, own in zip(rows.tolist(), cosines.tolist(), hidden, strict=True)
        ]

    def _check_current(self) -> None:
        """Raise RuntimeError if the vectors were replaced or trained after the index was built."""
        if self.vectors.unit_vectors is not self._unit_vectors:
            raise RuntimeError(
                "the vectors have changed since the index was built, for example by training; rebuild the index with "
                "WordVectors.index"
            )

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and cosines of up to k words for each query, highest first. Missing rows are −1."""
        check_integer("ef_search", self.ef_search, minimum=1)
        self._check_current()
        k = min(k, len(self.vectors))
        if not k or not len(queries):
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        return self._graph.search(queries, k, max(self.ef_search, k))


class _UsearchGraph:
    """An HNSW graph of the package usearch."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    @classmethod
    def built(cls, unit: np.ndarray, M: int, ef_construction: int) -> _UsearchGraph:
        """Build a graph of the rows of `unit`, a float32 array of shape (V, D)."""
        Index = _package("usearch", "usearch.index").Index
        graph = Index(ndim=unit.shape[1], metric="ip", dtype="f32", connectivity=M, expansion_add=ef_construction)
        # Use one thread. With several threads, the graph differs between runs, and some words can be unreachable.
        graph.add(np.arange(len(unit), dtype=np.uint64), unit, threads=1)
        return cls(graph)

    @classmethod
    def from_bytes(cls, graph: np.ndarray) -> _UsearchGraph:
        """Return the graph that `to_bytes` serialised."""
        try:
            restored = _package("usearch", "usearch.index").Index.restore(graph.tobytes())
        except ValueError:  # some versions return None instead
            restored = None
        if restored is None:
            raise ValueError("this version of usearch cannot read the index; rebuild it with WordVectors.index")
        return cls(restored)

    def to_bytes(self) -> np.ndarray:
        """Return the serialised graph as a uint8 array."""
        return np.frombuffer(self.graph.save(None), np.uint8)

    def search(self, queries: np.ndarray, k: int, ef: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and dot products, each of shape (n, k), highest product first. Missing rows are −1."""
        self.graph.expansion_search = ef
        found = self.graph.search(queries, k)
        shape = (len(queries), -1)
        rows = np.asarray(found.keys).astype(np.int64).reshape(shape)
        counts = np.reshape(getattr(found, "counts", rows.shape[1]), (-1, 1))
        rows[np.arange(rows.shape[1]) >= counts] = -1
        return rows, 1 - np.asarray(found.distances).reshape(shape)


class _FaissGraph:
    """An HNSW graph of the package faiss."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    @classmethod
    def built(cls, unit: np.ndarray, M: int, ef_construction: int) -> _FaissGraph:
        """Build a graph of the rows of `unit`, a float32 array of shape (V, D)."""
        faiss = _package("faiss", "faiss")
        graph = faiss.IndexHNSWFlat(unit.shape[1], M, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = ef_construction
        graph.add(unit)
        return cls(graph)

    @classmethod
    def from_bytes(cls, graph: np.ndarray) -> _FaissGraph:
        """Return the graph that `to_bytes` serialised."""
        return cls(_package("faiss", "faiss").deserialize_index(graph))

    def to_bytes(self) -> np.ndarray:
        """Return the serialised graph as a uint8 array."""
        serialized: np.ndarray = _package("faiss", "faiss").serialize_index(self.graph)
        return serialized

    def search(self, queries: np.ndarray, k: int, ef: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and dot products, each of shape (n, k), highest product first. Missing rows are −1."""
        self.graph.hnsw.efSearch = ef
        products, rows = self.graph.search(queries, k)
        return rows, products


def _graph_kind(backend: str) -> Any:
    if backend == "usearch":
        return _UsearchGraph
    if backend == "faiss":
        return _FaissGraph
    raise ValueError(f"backend is {quote(backend)}; it must be 'usearch' or 'faiss'")


def _package(extra: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"the package {extra} cannot be imported ({error}). Install it with pip install 'fastw2v[{extra}]', "
            "or use the exact WordVectors.most_similar and WordVectors.nearest, which need no extra package"
        ) from error


def _single(matrix: Any) -> np.ndarray:
    """Return a matrix in the form that both packages require: NumPy, float32, C-contiguous."""
    return np.ascontiguousarray(to_host(matrix), dtype=np.float32)


def _digest(array: np.ndarray, *settings: str) -> str:
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} {settings}".encode())
    digest.update(array.data)
    return digest.hexdigest()
