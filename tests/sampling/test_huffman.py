"""The Huffman tree: its cost and its ties are those of other programs, and its probabilities add up to 1."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest

from fastw2v.sampling.huffman import HuffmanTree

COUNTS = {
    "two words": [3, 2],
    "no ties": [100, 40, 21, 11, 6, 3, 2],
    "equal": [5] * 9,
    "some ties": [9, 9, 7, 4, 4, 4, 2, 2, 1, 1, 1, 1],
    "ones": [4, 1, 1, 1, 1, 1, 1, 1],
    "zeros": [3, 1, 0, 0],
    "not sorted": [1, 8, 3, 3, 20],
    "deep": [2**i for i in range(40, -1, -1)],
    "Zipf": [2000 // rank for rank in range(1, 400)],
}


@pytest.fixture(params=COUNTS.values(), ids=COUNTS)
def counts(request: pytest.FixtureRequest) -> np.ndarray:
    return np.array(request.param)


def paths_of_word2vec_c(counts: list[int]) -> list[tuple[list[int], list[int]]]:
    """Return points and codes, with the statements of `CreateBinaryTree` in word2vec.c. The counts must descend."""
    V = len(counts)
    count, binary, parent = [*counts, *[10**15] * V], [0] * (2 * V), [0] * (2 * V)
    pos1, pos2 = V - 1, V
    for a in range(V - 1):
        smallest = []
        for _ in range(2):
            if pos1 >= 0 and count[pos1] < count[pos2]:
                smallest.append(pos1)
                pos1 -= 1
            else:
                smallest.append(pos2)
                pos2 += 1
        count[V + a] = count[smallest[0]] + count[smallest[1]]
        parent[smallest[0]] = parent[smallest[1]] = V + a
        binary[smallest[1]] = 1
    paths = []
    for word in range(V):
        code, point, b = [], [], word
        while b != 2 * V - 2:
            code.append(binary[b])
            point.append(b)
            b = parent[b]
        paths.append(([V - 2] + [b - V for b in point[:0:-1]], code[::-1]))
    return paths


def test_the_ties_are_those_of_word2vec_c(counts: np.ndarray) -> None:
    descending = np.sort(counts)[::-1].copy()
    tree = HuffmanTree.from_counts(descending)
    for word, (points, codes) in enumerate(paths_of_word2vec_c(np.maximum(descending, 1).tolist())):
        assert tree.path(word)[0].tolist() == points
        assert tree.path(word)[1].tolist() == codes


def test_the_ties_are_those_of_gensim(counts: np.ndarray) -> None:
    word2vec = pytest.importorskip("gensim.models.word2vec")
    descending = np.sort(counts)[::-1].copy()
    found: dict[tuple[int, str], Any] = {}

    class Vectors:
        index_to_key = range(len(descending))

        def __len__(self) -> int:
            return len(descending)

        def get_vecattr(self, word: int, name: str) -> int:
            return max(int(descending[word]), 1)

        def set_vecattr(self, word: int, name: str, value: Any) -> None:
            found[word, name] = value

    word2vec._assign_binary_codes(Vectors())
    tree = HuffmanTree.from_counts(descending, ties="gensim")
    for word in range(len(descending)):
        points, codes = tree.path(word)
        assert points.tolist() == found[word, "point"].tolist()
        assert codes.tolist() == found[word, "code"].tolist()


@pytest.mark.parametrize("ties", ["word2vec.c", "gensim"])
def test_no_tree_has_a_lower_mean_length(counts: np.ndarray, ties: Any) -> None:
    """The cost is that of Huffman's algorithm, written with a heap of counts alone: the sum of all inner nodes."""
    heap, cost = counts.tolist(), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    tree = HuffmanTree.from_counts(counts, ties)
    assert int(np.diff(tree.starts) @ counts) == cost == tree.node_counts(counts).sum()
    assert tree.node_counts(counts)[-1] == counts.sum()  # the root


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_counts_of_nodes_do_not_depend_on_the_blocks(
    counts: np.ndarray, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = HuffmanTree.from_counts(counts)
    whole = tree.node_counts(counts)
    monkeypatch.setattr("fastw2v.sampling.huffman.BLOCK_WORDS", size)
    np.testing.assert_array_equal(tree.node_counts(counts), whole)
    for node in range(len(counts) - 1):
        below = [count for word, count in enumerate(counts) if node in tree.path(word)[0]]
        assert whole[node] == sum(below)


@pytest.mark.parametrize("ties", ["word2vec.c", "gensim"])
def test_the_paths_are_those_of_a_tree(counts: np.ndarray, ties: Any) -> None:
    V, tree = len(counts), HuffmanTree.from_counts(counts, ties)
    codes = {tuple(tree.path(word)[1].tolist()) for word in range(V)}
    assert len(codes) == V
    assert sum(2.0 ** -len(code) for code in codes) == 1  # no code is the beginning of another, and none is missing
    nodes: dict[tuple[int, ...], int] = {}
    for word in range(V):
        points, code = (part.tolist() for part in tree.path(word))
        assert points[0] == V - 2
        assert points == sorted(points, reverse=True)
        for depth, node in enumerate(points):  # equal beginnings of codes lead to the same node
            assert nodes.setdefault(tuple(code[:depth]), node) == node
    assert sorted(nodes.values()) == list(range(V - 1))
    assert [array.dtype for array in tree] == [np.int64, np.int32, np.uint8]


@pytest.mark.parametrize("ties", ["word2vec.c", "gensim"])
def test_the_order_of_the_words_does_not_matter_without_ties(ties: Any) -> None:
    counts = np.array(COUNTS["no ties"])
    order = np.random.default_rng(0).permutation(len(counts))
    sorted_tree, tree = HuffmanTree.from_counts(counts, ties), HuffmanTree.from_counts(counts[order], ties)
    for position, word in enumerate(order):
        assert [part.tolist() for part in tree.path(position)] == [part.tolist() for part in sorted_tree.path(word)]


@pytest.mark.parametrize("counts", [[], [7]])
def test_without_two_words_there_are_no_decisions(counts: list[int]) -> None:
    tree = HuffmanTree.from_counts(np.array(counts, np.int64))
    assert tree.starts.tolist() == [0] * (len(counts) + 1)
    assert len(tree.points) == len(tree.codes) == 0
    assert np.exp(tree.log_probabilities(np.zeros(len(counts)))).tolist() == [1.0] * len(counts)


@pytest.mark.parametrize("ties", ["word2vec.c", "gensim"])
def test_words_that_do_not_occur_have_short_paths(ties: Any) -> None:
    counts = np.append([1000, 500], np.zeros(1022, int))
    tree = HuffmanTree.from_counts(counts, ties)
    assert np.diff(tree.starts).max() <= 12  # a balanced tree of 1,024 words has a depth of 10
    np.testing.assert_array_equal(tree.points, HuffmanTree.from_counts(np.maximum(counts, 1), ties).points)


def test_an_unknown_order_of_ties_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ties is 'fasttext'; it must be 'word2vec.c' or 'gensim'"):
        HuffmanTree.from_counts(np.array([1, 2]), "fasttext")  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [0.1, 3.0, 1000.0])
def test_the_probabilities_are_products_that_add_up_to_one(counts: np.ndarray, scale: float) -> None:
    V, tree = len(counts), HuffmanTree.from_counts(counts)
    score = scale * np.random.default_rng(0).normal(size=V)
    logs = tree.log_probabilities(score)
    assert np.array_equal(tree.log_probabilities(score[:-1]), logs)  # the last score is not used
    assert np.isfinite(logs).all()
    assert np.exp(logs).sum() == pytest.approx(1)
    for word in range(V):
        steps = [(1 - 2 * int(code)) * score[node] for node, code in zip(*tree.path(word), strict=True)]
        assert logs[word] == pytest.approx(sum(-np.logaddexp(0, -step) for step in steps))
    single = tree.log_probabilities(score.astype(np.float32))
    assert np.allclose(single, logs, rtol=1e-5, atol=1e-5)
