"""What training with replicas needs on each machine, and what the replicas exchange, by count."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import CHUNK_TOKENS, TrainingConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.subwords import Subwords
from fastw2v.distributed.cluster import Cluster
from fastw2v.distributed.connection import IN_PROCESS, LOCAL, Connection, Replication, most_threads
from fastw2v.distributed.ray_cluster import RayCluster
from fastw2v.distributed.text import DistributedCorpus
from fastw2v.distributed.training import BASE_EVERY, ROUNDS_AHEAD
from fastw2v.sampling.alias import noise_weights
from fastw2v.sampling.huffman import HuffmanTree
from fastw2v.utils.bandwidth import parse_bandwidth
from fastw2v.utils.quote import quote
from fastw2v.utils.system import available_processors, free_memory

__all__ = [
    "Exchange",
    "Place",
    "changed_rows",
    "check_bandwidth",
    "copy_bandwidth",
    "exchange",
    "machines_like_this",
    "measured_bandwidth",
    "places",
    "threads_of_a_replica",
]

MAX_SAMPLED_TOKENS = 1 << 23
"""Number of tokens whose distinct words are counted. The words of a longer round follow from the counts."""
ROW_INDEX_BYTES = 8
"""Bytes of the index of a changed row."""
COPY_BYTES = 1 << 26
"""Size of the array whose copy is timed."""


class Place(NamedTuple):
    """A machine on which replicas run."""

    name: str
    processors: int
    replicas: int
    """Number of replicas that run there at the same time."""
    processes: int
    """Number of processes, or of threads of this process, that may hold tables of their own."""
    free: int
    """Bytes that are free, apart from those for values of the cluster in `store`."""
    store: int | None
    """Bytes for values of the cluster, or None if they are a part of `free`."""
    here: bool
    """Whether this program runs there."""


class Exchange(NamedTuple):
    """What is exchanged in the rounds of a run."""

    replicas: int
    rounds: int
    changed: tuple[int, int]
    """Number of rows of W_in and of W_out that a replica changes in a round, on average."""
    updated: tuple[int, int]
    """Number of rows of both tables that change when the changes of all replicas are combined."""

    def changes(self, vector_size: int) -> int:
        """Return the size in bytes of the changes by a replica in a round.

        Examples
        --------
        >>> from fastw2v.distributed.costs import Exchange
        >>> Exchange(replicas=2, rounds=10, changed=(50, 100), updated=(80, 120)).changes(100)
        61200
        """
        return sum(self.changed) * (4 * vector_size + ROW_INDEX_BYTES)

    def update(self, vector_size: int) -> int:
        """Return the size in bytes of the combined changes of a round.

        Examples
        --------
        >>> from fastw2v.distributed.costs import Exchange
        >>> Exchange(replicas=2, rounds=10, changed=(50, 100), updated=(80, 120)).update(100)
        81600
        """
        return sum(self.updated) * (4 * vector_size + ROW_INDEX_BYTES)

    def kept(self, vector_size: int, tables: int) -> tuple[int, int]:
        """Return how many bytes of changes by replicas, and of combined changes, exist at the same time.

        Parameters
        ----------
        vector_size : int
        tables : int
            Size of both tables in bytes.

        Examples
        --------
        >>> from fastw2v.distributed.costs import Exchange
        >>> Exchange(replicas=2, rounds=10, changed=(50, 100), updated=(80, 120)).kept(100, tables=100_000)
        (244800, 563200)
        """
        update = self.update(vector_size)
        updates = min(self.rounds * update, int(BASE_EVERY * tables) + ROUNDS_AHEAD * update)
        return min(self.rounds, ROUNDS_AHEAD) * self.replicas * self.changes(vector_size), updates

    def limited(self, input_rows: int, output_rows: int) -> Exchange:
        """Return what is exchanged with tables of fewer rows, at most.

        Examples
        --------
        >>> from fastw2v.distributed.costs import Exchange
        >>> Exchange(replicas=2, rounds=10, changed=(50, 100), updated=(80, 120)).limited(60, 60).changed
        (50, 60)
        """
        changed = (min(self.changed[0], input_rows), min(self.changed[1], output_rows))
        updated = (min(self.updated[0], input_rows), min(self.updated[1], output_rows))
        return self._replace(changed=changed, updated=updated)


def check_bandwidth(bandwidth: Any, replication: Replication | Connection | None, ray: Any) -> float | None:
    """Return the parameter `bandwidth` of `Word2Vec.estimate` in bytes per second.

    Parameters
    ----------
    bandwidth : str or None
    replication : Replication, Connection or None
        None without replicas.
    ray : str or None
        The parameter `ray`.

    Raises
    ------
    TypeError, ValueError
        If it is not a bandwidth, or if it has no effect.

    Examples
    --------
    >>> from fastw2v.distributed.connection import Replication
    >>> from fastw2v.distributed.costs import check_bandwidth
    >>> check_bandwidth("1Gbit", Replication(4, None, "local"), None)
    125000000.0
    """
    if bandwidth is None:
        return None
    parsed = parse_bandwidth("bandwidth", bandwidth)
    if replication is None:
        raise ValueError(
            f"bandwidth is {quote(bandwidth)}, but it has no effect without replicas; set replicas as well"
        )
    if ray in (IN_PROCESS, LOCAL):
        raise ValueError(
            f"bandwidth is {quote(bandwidth)}, but ray is {quote(ray)}, and so all replicas run on this machine; omit "
            "ray to plan for a machine like this one for each replica, or omit bandwidth"
        )
    return parsed


def measured_bandwidth(cluster: Cluster) -> tuple[float, str] | None:
    """Return the bandwidth between two nodes of a cluster and "measured", or None if it cannot be measured.

    Examples
    --------
    >>> from fastw2v.distributed.cluster import InProcess
    >>> from fastw2v.distributed.costs import measured_bandwidth
    >>> cluster = InProcess(threads=1)
    >>> print(measured_bandwidth(cluster))
    None
    >>> cluster.close()
    """
    found = cluster.bandwidth() if isinstance(cluster, RayCluster) else None
    return None if found is None else (found, "measured")


def threads_of_a_replica(replication: Replication, workers: int | None) -> int:
    """Return the number of threads of a replica on this machine; see `fastw2v.distributed.connection.connected`.

    Examples
    --------
    >>> from fastw2v.distributed.connection import Replication
    >>> from fastw2v.distributed.costs import threads_of_a_replica
    >>> threads_of_a_replica(Replication(10_000, None, "local"), None)
    1
    """
    return workers or most_threads([available_processors()], replication.replicas)


def machines_like_this(replication: Replication) -> list[Place]:
    """Return a machine like this one for each replica.

    Examples
    --------
    >>> from fastw2v.distributed.connection import Replication
    >>> from fastw2v.distributed.costs import machines_like_this
    >>> [place.name for place in machines_like_this(Replication(2, None, "local"))]
    ['machine 1', 'machine 2']
    """
    here, free = available_processors(), free_memory()
    return [Place(f"machine {i + 1}", here, 1, 1, free, None, i == 0) for i in range(replication.replicas)]


def places(replication: Replication, workers: int, gpus: int = 0, cluster: Cluster | None = None) -> list[Place]:
    """Return the machines on which replicas run, and how many run on each of them at the same time.

    Parameters
    ----------
    replication : Replication
    workers : int
        Threads of a replica.
    gpus : int
        GPUs of a replica.
    cluster : Cluster, optional
        The cluster, if `replication` has the address of one.

    Examples
    --------
    >>> from fastw2v.distributed.connection import Replication
    >>> from fastw2v.distributed.costs import places
    >>> [place] = places(Replication(4, None, "in-process"), workers=1_000)
    >>> place.name, place.replicas, place.processes
    ('this machine', 1, 1)
    """
    here, replicas = available_processors(), replication.replicas
    if replication.ray == IN_PROCESS:
        running = max(1, min(replicas, here // workers))
        return [Place("this machine", here, running, running, free_memory(running * workers), None, True)]
    if replication.ray == LOCAL or not isinstance(cluster, RayCluster):
        processors = max(here, workers)
        running = min(replicas, processors // workers)
        return [Place("this machine", processors, running, running, free_memory(), None, True)]
    nodes, own = cluster.nodes(), cluster.own_node()
    slots = [min(node.processors // workers, node.gpus // gpus if gpus else replicas, replicas) for node in nodes]
    there = [0] * len(nodes)
    for _ in range(min(replicas, sum(slots))):  # replicas are spread over the nodes
        free = [i for i, n in enumerate(there) if n < slots[i]]
        there[min(free, key=lambda i: there[i] / slots[i])] += 1
    return [
        Place(
            node.name,
            node.processors,
            there[i],
            slots[i],
            min(node.memory, free_memory()) if node.identity == own else node.memory,
            node.object_store_memory,
            node.identity == own,
        )
        for i, node in enumerate(nodes)
    ]


def exchange(
    corpus: Corpus | DistributedCorpus,
    config: TrainingConfig,
    replication: Replication,
    subwords: Subwords | None = None,
) -> Exchange:
    """Return what the replicas exchange in a round.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.distributed.connection import Replication
    >>> from fastw2v.distributed.costs import exchange
    >>> corpus = Corpus.from_ids(np.arange(1000), np.arange(0, 1001, 10))
    >>> exchange(corpus, TrainingConfig(vector_size=8), Replication(2, 5, "in-process")).changed
    (500, 560)
    """
    rounds, replicas = replication.rounds_of(config.epochs), replication.replicas
    tokens = max(1, len(corpus) * config.epochs // (rounds * replicas))
    trained = max(tokens, min(CHUNK_TOKENS, max(1, len(corpus) // replicas)))
    share = tokens / trained  # a replica has no chunk in the other rounds
    of_words, of_outputs = changed_rows(corpus, config, trained, subwords)
    changed = (round(share * of_words), round(share * of_outputs))
    return Exchange(replicas, rounds, changed, changed_rows(corpus, config, tokens * replicas, subwords))


def changed_rows(
    corpus: Corpus | DistributedCorpus, config: TrainingConfig, tokens: int, subwords: Subwords | None = None
) -> tuple[int, int]:
    """Return how many rows of W_in and of W_out training on some tokens of a corpus changes.

    The words are counted in chunks from the whole corpus. Word counts alone would give too many rows, because a word
    that occurs in a text usually recurs in it.

    Parameters
    ----------
    corpus : Corpus or DistributedCorpus
        If its text is on a cluster, the words follow from the counts.
    config : TrainingConfig
    tokens : int
    subwords : Subwords, optional

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Corpus
    >>> from fastw2v.config import TrainingConfig
    >>> from fastw2v.distributed.costs import changed_rows
    >>> corpus = Corpus.from_ids(np.arange(1000))
    >>> changed_rows(corpus, TrainingConfig(loss="hs"), 500)
    (500, 505)
    """
    counts = np.asarray(corpus.vocabulary.counts)
    sampled = min(tokens, MAX_SAMPLED_TOKENS) if isinstance(corpus, Corpus) else 0
    seen = _words_of_chunks(corpus, sampled) if isinstance(corpus, Corpus) else np.zeros(len(counts), bool)
    unseen = np.where(seen, 0.0, 1.0)
    """Probability that a word does not occur."""
    if tokens > sampled:
        unseen *= _unseen(counts, tokens - sampled)
        seen = unseen < 0.5
    rows_in = len(counts) - unseen.sum()
    if subwords is not None:
        rows_in = len(np.unique(subwords.rows[np.repeat(seen, np.diff(subwords.starts))]))
    rows_out = 0.0
    if config.loss != "hs":
        draws = -(-tokens // config.pool_tokens) * config.pool_size
        noise = noise_weights(counts, config.ns_exponent)
        rows_out += len(counts) - float((unseen * _unseen(noise, draws)).sum())
    if config.loss != "ns":
        tree = HuffmanTree.from_counts(counts)
        rows_out += len(np.unique(tree.points[np.repeat(seen, np.diff(tree.starts))]))
    return round(rows_in), round(rows_out)


def copy_bandwidth() -> float:
    """Measure how fast this machine copies arrays, in bytes per second.

    Examples
    --------
    >>> from fastw2v.distributed.costs import copy_bandwidth
    >>> copy_bandwidth() > 1e6
    True
    """
    source, target = np.ones(COPY_BYTES, np.uint8), np.zeros(COPY_BYTES, np.uint8)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return COPY_BYTES / max(min(times), 1e-9)


def _words_of_chunks(corpus: Corpus, tokens: int) -> np.ndarray:
    """Return which words occur in some tokens, in chunks at equal distances: bool array, shape (V,)."""
    seen, total = np.zeros(len(corpus.vocabulary), bool), len(corpus)
    chunks = max(1, min(-(-tokens // CHUNK_TOKENS), -(-total // CHUNK_TOKENS)))
    size = -(-min(tokens, total) // chunks)
    for start in np.linspace(0, max(total - size, 0), chunks, dtype=np.int64):
        seen[corpus.ids[start : start + size]] = True
    return seen


def _unseen(weights: np.ndarray, draws: int) -> np.ndarray:
    """Return the probability of each word that it is not drawn."""
    total = weights.sum()
    return np.exp(draws * np.log1p(-np.minimum(weights / (total or 1), 1 - 1e-15)))
