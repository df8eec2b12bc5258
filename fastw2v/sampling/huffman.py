"""The Huffman tree of hierarchical softmax.

The words are the leaves of a binary tree, and a word is predicted by the decisions on its path from the root. Frequent
words have short paths. The tree of word2vec.c, gensim and fastText is the one that minimises the mean length, for
counts without ties.

References
----------
Huffman, "A method for the construction of minimum-redundancy codes", Proc. IRE 40(9), 1952; Morin and Bengio,
"Hierarchical probabilistic neural network language model", AISTATS 2005.
"""

from __future__ import annotations

import heapq
from typing import Literal, NamedTuple, Self, get_args

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_choice

__all__ = ["HuffmanTree", "TieOrder"]

TieOrder = Literal["word2vec.c", "gensim"]
"""Programs whose choice among equal counts `HuffmanTree.from_counts` can repeat. The mean path length is the same."""


BLOCK_WORDS = 1 << 16
"""Number of words whose paths are processed at a time."""


class HuffmanTree(NamedTuple):
    """The paths from the root of a Huffman tree to all words.

    V words have V − 1 inner nodes. The inner nodes are numbered in the order in which they were created, from the
    leaves to the root, so the root is V − 2 and the numbers along a path from the root decrease.

    Examples
    --------
    The words "c" and "d" are rare. They are combined first, in node 0, which is combined with "b" in node 1, which is
    combined with "a" in the root, node 2:

    >>> import numpy as np
    >>> from fastw2v.sampling.huffman import HuffmanTree
    >>> tree = HuffmanTree.from_counts(np.array([8, 4, 2, 1]))
    >>> [tree.path(word)[0].tolist() for word in range(4)]
    [[2], [2, 1], [2, 1, 0], [2, 1, 0]]
    >>> [tree.path(word)[1].tolist() for word in range(4)]
    [[1], [0, 1], [0, 0, 1], [0, 0, 0]]
    """

    starts: np.ndarray
    """int64 array, shape (V + 1,): the path of word w is in elements ``starts[w]`` to ``starts[w + 1] - 1``."""
    points: np.ndarray
    """int32 array: the inner nodes of all paths, each from the root to the word."""
    codes: np.ndarray
    """uint8 array: for each of these nodes, 0 if the path goes on to the rarer child, and 1 if to the other child."""

    @classmethod
    def from_counts(cls, counts: np.ndarray, ties: TieOrder = "word2vec.c") -> Self:
        """Return the tree for the counts of words.

        Parameters
        ----------
        counts : integer array, shape (V,)
        ties : {"word2vec.c", "gensim"}
            The program whose choice among equal counts is repeated. For counts in descending order, points and codes
            are those of this program.

        Returns
        -------
        HuffmanTree

        Notes
        -----
        word2vec.c merges two sorted queues, one of words and one of inner nodes. gensim uses a heap.

        A count of 0 is treated as 1. With counts of 0, word2vec.c would build a chain as deep as the number of these
        words.

        Examples
        --------
        Equal counts give different trees. The mean length of a path is 10 / 5 in both:

        >>> import numpy as np
        >>> from fastw2v.sampling.huffman import HuffmanTree
        >>> for ties in ("word2vec.c", "gensim"):
        ...     tree = HuffmanTree.from_counts(np.array([2, 1, 1, 1]), ties)
        ...     print([tree.path(word)[1].tolist() for word in range(4)])
        [[0], [1, 0], [1, 1, 1], [1, 1, 0]]
        [[1, 1], [1, 0], [0, 0], [0, 1]]
        """
        check_choice("ties", ties, get_args(TieOrder))
        counts = np.maximum(to_host(counts).astype(np.int64), 1)
        if len(counts) < 2:
            return cls(np.zeros(len(counts) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))
        parent, code = (_merge_queues if ties == "word2vec.c" else _merge_heap)(counts)
        return cls(*_paths(parent, code, len(counts)))

    def path(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the points and the codes of a word.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.sampling.huffman import HuffmanTree
        >>> HuffmanTree.from_counts(np.array([5, 3, 1])).path(1)
        (array([1, 0], dtype=int32), array([0, 1], dtype=uint8))
        """
        start, stop = self.starts[word : word + 2]
        return self.points[start:stop], self.codes[start:stop]

    def node_counts(self, counts: np.ndarray) -> np.ndarray:
        """Return the sum of the counts of the words below each inner node.

        Parameters
        ----------
        counts : array, shape (V,)

        Returns
        -------
        float64 array, shape (V - 1,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.sampling.huffman import HuffmanTree
        >>> counts = np.array([8, 4, 2, 1])
        >>> HuffmanTree.from_counts(counts).node_counts(counts)
        array([ 3.,  7., 15.])
        """
        V = len(self.starts) - 1
        total = np.zeros(max(V - 1, 0))
        for first in range(0, V, BLOCK_WORDS):  # in blocks, because these arrays are larger than the tree
            starts = self.starts[first : first + BLOCK_WORDS + 1]
            weights = np.repeat(counts[first : first + BLOCK_WORDS], np.diff(starts))
            total += np.bincount(self.points[starts[0] : starts[-1]], weights, len(total))
        return total

    def log_probabilities(self, score: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities of all words.

        Parameters
        ----------
        score : float array, shape (V,) or (V - 1,)
            Scores of the inner nodes, ``W @ h`` for the rows W of the inner nodes and a hidden vector h.

        Returns
        -------
        float array, shape (V,)
            For each word, the sum of log σ((1 − 2 code) · score) over the inner nodes on its path. The probabilities
            add up to 1.

        Examples
        --------
        The root sends a third of the probability to word 0, whose code is 1:

        >>> import numpy as np
        >>> from fastw2v.sampling.huffman import HuffmanTree
        >>> tree = HuffmanTree.from_counts(np.array([8, 4, 2]))
        >>> np.exp(tree.log_probabilities(np.array([0.0, np.log(2)]))).round(4)
        array([0.3333, 0.3333, 0.3333])
        """
        if not len(self.points):  # the only word is certain
            return np.zeros(len(self.starts) - 1)
        signed = np.where(self.codes == 1, -1, 1) * score[self.points]
        return np.add.reduceat(-np.logaddexp(0, -signed), self.starts[:-1])


class _Item(int):
    """A count with the number of its node. gensim compares only the counts, so equal counts are in the heap's order."""

    node: int


def _item(count: int, node: int) -> _Item:
    item = _Item(count)
    item.node = node
    return item


def _merge_heap(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Build the tree like gensim. Return the parent and the code of each node; words come before inner nodes."""
    V = len(counts)
    parent, code = np.zeros(2 * V - 1, np.int64), np.zeros(2 * V - 1, np.uint8)
    heap = [_item(count, word) for word, count in enumerate(counts.tolist())]
    heapq.heapify(heap)
    for new in range(V, 2 * V - 1):
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        parent[first.node] = parent[second.node] = new
        code[second.node] = 1
        heapq.heappush(heap, _item(first + second, new))
    return parent, code


def _merge_queues(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Build the tree like word2vec.c. Return the parent and the code of each node; words come before inner nodes."""
    V = len(counts)
    descending = np.argsort(-counts, kind="stable")
    words, sizes = descending.tolist(), counts[descending].tolist()
    parent, code = np.zeros(2 * V - 1, np.int64), np.zeros(2 * V - 1, np.uint8)
    inner: list[int] = []  # counts of the inner nodes, in ascending order
    word, node = V - 1, 0  # the rarest word and the rarest inner node without a parent

    def take() -> tuple[int, int]:
        nonlocal word, node
        if word >= 0 and (node == len(inner) or sizes[word] < inner[node]):
            word -= 1
            return words[word + 1], sizes[word + 1]
        node += 1
        return V + node - 1, inner[node - 1]

    for new in range(V, 2 * V - 1):
        (first, first_count), (second, second_count) = take(), take()
        parent[first] = parent[second] = new
        code[second] = 1
        inner.append(first_count + second_count)
    return parent, code


def _paths(parent: np.ndarray, code: np.ndarray, V: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the fields of `HuffmanTree`, by climbing from all words to the root at the same time."""
    root = 2 * V - 2
    lengths = np.zeros(V, np.int64)
    node = np.arange(V)
    climbing = np.arange(V)  # the words that have not reached the root
    while len(climbing):
        lengths[climbing] += 1
        node = parent[node]
        climbing, node = climbing[node != root], node[node != root]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    points, codes = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint8)
    node, climbing, at = np.arange(V), np.arange(V), starts[1:].copy()
    while len(climbing):
        at -= 1
        codes[at] = code[node]
        node = parent[node]
        points[at] = node - V
        rest = node != root
        climbing, node, at = climbing[rest], node[rest], at[rest]
    return starts, points, codes
