"""Approximate nearest neighbours: a graph of neighbours that is walked towards the query, by usearch or faiss.

Both packages build a hierarchical navigable small world (Malkov and Yashunin, 2016): every word is linked to a few
that are near it, and a search follows the links from one near word to a nearer one. It looks at some hundred words in
place of all, and misses a few of the nearest. How many, `HNSWIndex.recall` measures.
"""

from __future__ import annotations

import hashlib
import importlib
import operator
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fastw2v.backend import to_host
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.vectors.neighbors import nearest_rows
from fastw2v.vectors.query import VectorTable, query_matrix, weighted_sum

__all__ = ["Backend", "HNSWIndex"]

Backend = Literal["usearch", "faiss"]


class HNSWIndex:
    """A graph over word vectors, for searches that need not be exact: `WordVectors.index` makes it.

    Parameters
    ----------
    vectors : WordVectors
    backend : {"usearch", "faiss"}
        The package that builds and walks the graph.
    M : int
        Links of each word: more of them find more, and take memory and time to build.
    ef_construction : int
        Words that are looked at while the place of a word is found.
    ef_search : int
        Words that are looked at by a search, at least `topn`.

    Attributes
    ----------
    vectors, backend
        As given.
    ef_search : int
        May be changed: more of them find more and take longer.

    Raises
    ------
    ImportError
        If the package is not installed.
    ValueError
        If there is no such backend, or a number is too small.
    """

    def __init__(
        self,
        vectors: VectorTable,
        backend: Backend = "usearch",
        M: int = 16,
        ef_construction: int = 128,
        ef_search: int = 128,
    ) -> None:
        _check_numbers(M, ef_construction, ef_search)
        self.vectors = vectors
        self.backend = backend
        self.ef_search = ef_search
        self._graph = _graph_kind(backend).built(_single(vectors.unit_vectors), M, ef_construction)

    def __repr__(self) -> str:
        return f"HNSWIndex({self.vectors!r}, {self.backend!r}, ef_search={self.ef_search})"

    def most_similar(self, positive: Any = (), negative: Any = (), topn: int = 10) -> list[tuple[Any, float]]:
        """Return words near to a sum of words and vectors: most of those that `WordVectors.most_similar` finds.

        Parameters
        ----------
        positive, negative : word, vector, or list of them
            As in `WordVectors.most_similar`, weights included.
        topn : int
            How many words to return at most.

        Returns
        -------
        list of (str or int, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If nothing is asked for, a vector has another shape, `topn` is negative, or the sum has no direction.
        """
        query, rows = weighted_sum(self.vectors, positive, negative)
        return self._found(query, np.array([(0, row) for row in rows], dtype=np.int64).reshape(-1, 2), topn)[0]

    def nearest(self, queries: Any, topn: int = 10) -> list[list[tuple[Any, float]]]:
        """Return words near to each of many words or vectors: most of those that `WordVectors.nearest` finds.

        Parameters
        ----------
        queries : iterable of words and vectors, or float array, shape (n, D)
            A word is left out of its own result.
        topn : int
            How many words to return for each at most.

        Returns
        -------
        list of n lists of (str or int, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        TypeError
            If `queries` is a single word.
        ValueError
            If a vector has another shape or no direction, or `topn` is negative.
        """
        matrix, left_out = query_matrix(self.vectors, queries)
        return self._found(matrix, left_out, topn)

    def recall(self, topn: int = 10, sample: int = 1000, seed: int = 0) -> float:
        """Return the share of the words nearest to a sample of words that the index finds.

        Parameters
        ----------
        topn : int
            Nearest words that are looked for.
        sample : int
            Words asked for, drawn from all that have a direction.
        seed : int
            Of the draw.

        Returns
        -------
        float
            From 0 to 1. A word as near as the last of the nearest, to 1e-6, counts as one of them.

        Raises
        ------
        ValueError
            If `topn` or `sample` is below 1, or there are no two words with a direction.
        """
        if min(topn, sample) < 1:
            raise ValueError(f"topn is {topn} and sample {sample}; both must be at least 1")
        unit = _single(self.vectors.unit_vectors)
        known = np.flatnonzero(unit.any(axis=1))
        if len(known) < 2:
            raise ValueError("recall needs two words with a direction at least")
        asked = np.random.default_rng(seed).choice(known, size=min(sample, len(known)), replace=False)
        own = np.stack([np.arange(len(asked)), asked], axis=1)
        topn = min(topn, len(unit) - 1)
        _, exact = nearest_rows(unit, unit[asked], topn, own)
        rows, cosines = self._search(unit[asked], topn + 1)
        hits = (cosines >= exact[:, -1:] - 1e-6) & (rows != asked[:, None]) & (rows >= 0)
        return float(np.minimum(hits.sum(axis=1), topn).mean() / topn)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the graph to a file, without the words: `load` takes them from the word vectors.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        from safetensors.numpy import save_file

        graph = self._graph.to_bytes()
        metadata = {
            "format": "fastw2v index",
            "backend": self.backend,
            "ef_search": str(self.ef_search),
            "graph": _digest(graph, self.backend, str(self.ef_search)),
            "vectors": _digest(to_host(self.vectors.vectors)),
        }
        with atomic_write(Path(path)) as temporary:
            save_file({"graph": graph}, temporary, metadata)

    @classmethod
    def load(cls, path: str | PathLike[str], vectors: VectorTable) -> HNSWIndex:
        """Read the graph that `save` wrote.

        Parameters
        ----------
        path : path
        vectors : WordVectors
            Those that the index was made of.

        Notes
        -----
        The file is checked to be whole, and to belong to the vectors. Whether it is meant well cannot be checked, and
        the packages trust what they read: load what you made yourself.

        Raises
        ------
        ImportError
            If the package that built the graph is not installed.
        ValueError
            If the file is damaged or no index, or the index is of other vectors.
        OSError
            If the file cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        Path(path).open("rb").close()  # for the plain errors: no such file, no permission, a folder
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                graph = file.get_tensor("graph") if metadata.get("format") == "fastw2v index" else None
        except SafetensorError as error:
            raise ValueError(f"{path}: cut short, damaged, or no index ({error})") from error
        if graph is None:
            raise ValueError(f"{path}: no index; word vectors are read by WordVectors.load")
        backend, ef_search = metadata.get("backend", ""), metadata.get("ef_search", "")
        # The packages trust what they read, so that a damaged graph could end the process.
        if _digest(graph, backend, ef_search) != metadata.get("graph"):
            raise ValueError(f"{path}: damaged; make the index anew with vectors.index()")
        if _digest(to_host(vectors.vectors)) != metadata.get("vectors"):
            raise ValueError(f"{path}: an index of other vectors; make one of these with vectors.index()")
        index = cls.__new__(cls)
        index.vectors, index.backend, index.ef_search = vectors, backend, int(ef_search)
        index._graph = _graph_kind(backend).from_bytes(graph)
        return index

    def _found(self, queries: Any, left_out: np.ndarray, topn: int) -> list[list[tuple[Any, float]]]:
        """Return words and cosines for each query, without the rows left out: pairs of a query and a row."""
        if operator.index(topn) < 0:
            raise ValueError(f"topn is {topn}; it must be 0 or more")
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

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return up to k rows and cosines for each query, the highest first; behind the last, rows are −1."""
        k = min(k, len(self.vectors))
        if not k or not len(queries):
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        return self._graph.search(queries, k, max(self.ef_search, k))


class _UsearchGraph:
    """A graph in usearch."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    @classmethod
    def built(cls, unit: np.ndarray, M: int, ef_construction: int) -> _UsearchGraph:
        """Return the graph of the rows of `unit`, float32, shape (V, D)."""
        Index = _package("usearch", "usearch.index").Index
        graph = Index(ndim=unit.shape[1], metric="ip", dtype="f32", connectivity=M, expansion_add=ef_construction)
        # One thread: several now and then leave words that no walk reaches, and make another graph each time.
        graph.add(np.arange(len(unit), dtype=np.uint64), unit, threads=1)
        return cls(graph)

    @classmethod
    def from_bytes(cls, graph: np.ndarray) -> _UsearchGraph:
        """Return what `to_bytes` gave."""
        restored = _package("usearch", "usearch.index").Index.restore(graph.tobytes())
        if restored is None:
            raise ValueError("this version of usearch cannot read the index: make it anew with vectors.index()")
        return cls(restored)

    def to_bytes(self) -> np.ndarray:
        """Return the graph as bytes: uint8 array."""
        return np.frombuffer(self.graph.save(None), np.uint8)

    def search(self, queries: np.ndarray, k: int, ef: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and products, shape (n, k) each, the highest first; behind the last, rows are −1."""
        self.graph.expansion_search = ef
        found = self.graph.search(queries, k)
        shape = (len(queries), -1)
        rows = np.asarray(found.keys).astype(np.int64).reshape(shape)
        counts = np.reshape(getattr(found, "counts", rows.shape[1]), (-1, 1))
        rows[np.arange(rows.shape[1]) >= counts] = -1
        return rows, 1 - np.asarray(found.distances).reshape(shape)


class _FaissGraph:
    """A graph in faiss."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    @classmethod
    def built(cls, unit: np.ndarray, M: int, ef_construction: int) -> _FaissGraph:
        """Return the graph of the rows of `unit`, float32, shape (V, D)."""
        faiss = _package("faiss", "faiss")
        graph = faiss.IndexHNSWFlat(unit.shape[1], M, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = ef_construction
        graph.add(unit)
        return cls(graph)

    @classmethod
    def from_bytes(cls, graph: np.ndarray) -> _FaissGraph:
        """Return what `to_bytes` gave."""
        return cls(_package("faiss", "faiss").deserialize_index(graph))

    def to_bytes(self) -> np.ndarray:
        """Return the graph as bytes: uint8 array."""
        serialized: np.ndarray = _package("faiss", "faiss").serialize_index(self.graph)
        return serialized

    def search(self, queries: np.ndarray, k: int, ef: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and products, shape (n, k) each, the highest first; behind the last, rows are −1."""
        self.graph.hnsw.efSearch = ef
        products, rows = self.graph.search(queries, k)
        return rows, products


def _graph_kind(backend: str) -> Any:
    if backend == "usearch":
        return _UsearchGraph
    if backend == "faiss":
        return _FaissGraph
    raise ValueError(f"backend is {backend!r}; it must be 'usearch' or 'faiss'")


def _package(extra: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"the package {extra} cannot be imported ({error}): pip install 'fastw2v[{extra}]'. "
            "The word vectors' own nearest and most_similar need nothing"
        ) from error


def _check_numbers(M: int, ef_construction: int, ef_search: int) -> None:
    if M < 2:
        raise ValueError(f"M is {M}; a word needs 2 links at least")
    if min(ef_construction, ef_search) < 1:
        raise ValueError(f"ef_construction is {ef_construction} and ef_search {ef_search}; both must be at least 1")


def _single(matrix: Any) -> np.ndarray:
    """Return rows as both packages take them: on the host, in single precision, row after row."""
    return np.ascontiguousarray(to_host(matrix), dtype=np.float32)


def _digest(array: np.ndarray, *settings: str) -> str:
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} {settings}".encode())
    digest.update(array.data)
    return digest.hexdigest()
