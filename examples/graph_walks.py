"""Embed the nodes of a graph with random walks, as DeepWalk does.

    python examples/graph_walks.py

Each walk is treated as a sentence and each node as a word, so nodes that share neighbours get similar vectors. The
graph is random but has known communities, so the result can be checked: the nodes nearest to a node should belong to
the same community.

Reference: Perozzi, Al-Rfou and Skiena, "DeepWalk: online learning of social representations", KDD 2014.
"""

from __future__ import annotations

import argparse

import numpy as np

from fastw2v import Corpus, Word2Vec


def random_graph(
    n_nodes: int, n_communities: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the community of each node, and the graph as two arrays, `neighbours` and `starts`.

    The neighbours of node i are ``neighbours[starts[i] : starts[i + 1]]``. Two nodes of the same community are linked
    with ten times the probability of other pairs. A node has about ten links within its community.
    """
    community = np.arange(n_nodes) % n_communities
    p_inside = min(1.0, 10 * n_communities / n_nodes)
    p = np.where(community[:, None] == community[None, :], p_inside, p_inside / 10)
    linked = np.triu(rng.random((n_nodes, n_nodes)) < p, k=1)
    linked |= np.roll(np.eye(n_nodes, dtype=bool), n_communities, axis=1)  # a cycle, so that no node is isolated
    sources, neighbours = np.nonzero(linked | linked.T)
    return community, neighbours, np.searchsorted(sources, np.arange(n_nodes + 1))


def random_walks(
    neighbours: np.ndarray, starts: np.ndarray, n_walks: int, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Return `n_walks` random walks from each node as rows of node ids: int array, shape (nodes * n_walks, length)."""
    n_nodes = len(starts) - 1
    walks = np.empty((n_nodes * n_walks, length), dtype=np.int64)
    walks[:, 0] = np.tile(np.arange(n_nodes), n_walks)
    degree = np.diff(starts)
    for step in range(1, length):  # all walks take each step together
        here = walks[:, step - 1]
        walks[:, step] = neighbours[starts[here] + rng.integers(0, degree[here])]
    return walks


def main() -> None:
    parser = argparse.ArgumentParser(description="Embed the nodes of a graph with random walks.")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--communities", type=int, default=10)
    options = parser.parse_args()
    if options.communities < 1 or options.nodes < max(20, 4 * options.communities):
        parser.error("--communities must be at least 1, and --nodes at least 20 and four times as large")

    rng = np.random.default_rng(1)
    community, neighbours, starts = random_graph(options.nodes, options.communities, rng)
    walks = random_walks(neighbours, starts, n_walks=20, length=40, rng=rng)

    # sample=0 keeps every occurrence, because a graph has no function words. The words are the nodes.
    corpus = Corpus.from_walks(walks)
    vectors = Word2Vec(model="skipgram", vector_size=32, window=5, sample=0, epochs=3, seed=1).fit(corpus).wv
    print(f"{len(corpus):,} tokens of {corpus.n_sentences:,} walks; {vectors}")

    nodes = vectors.index_to_key
    same = [
        community[node] == community[other]
        for node, neighbours_found in zip(nodes, vectors.nearest(nodes, topn=10), strict=True)
        for other, _ in neighbours_found
    ]
    chance = 1 / options.communities
    print(f"{np.mean(same):.1%} of the ten nearest nodes belong to the node's own community (chance: {chance:.1%})")


if __name__ == "__main__":
    main()
